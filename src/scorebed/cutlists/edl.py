"""CMX 3600 edit decision lists, as editors write them today.

OpenTimelineIO's reader was tried and is not used: it begins every track at its own first event, so
that an insert on V2 moves to the start; it refuses a fade in from black, 29.97 frames per second
and names that are not UTF-8.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from scorebed.cutlists.clock import HALF_DAY_S, clock_s, day_s, is_over_midnight
from scorebed.cutlists.layers import Blend, Piece, changes, seen, track
from scorebed.cutlists.listing import HOUR_S, Listing, Unreadable
from scorebed.model import ListedCut

if TYPE_CHECKING:
    from collections.abc import Iterator

_TIMECODE = r"(\d{1,2}[:;.]\d\d[:;.]\d\d[:;.]\d\d)"
_EVENT = re.compile(rf"^\s*(\d+)\s+(.+?)\s+{_TIMECODE}\s+{_TIMECODE}\s+{_TIMECODE}\s+{_TIMECODE}")
_EDIT = re.compile(
    r"(?P<reel>.*?)\s*(?P<channels>\S+)\s+"
    r"(?P<kind>C|D|W\s?\d{1,3}|KB|K\s*B|K\s*O?)(?:\s+(?P<frames>\d{1,6}))?(?:\s+F)?\s*"
)
_PICTURE = re.compile(r"(?:^|/)(?:VA?(\d{0,3})(?:A\d*)?|B\d?)(?:/|$)", re.IGNORECASE)
_BLACK = {"BL", "BLK", "BLACK"}
_FROM = re.compile(r"^\s*\*?\s*(FROM|TO)\s+CLIP\s+NAME\s*(?:IS)?\s*:\s*(.*)", re.IGNORECASE)
_LOC = re.compile(rf"^\s*\*\s*LOC:\s*{_TIMECODE}\s+\S+\s*(.*)", re.IGNORECASE)
_MARK = re.compile(r"\|M:(.*?)(?:\s*\|D:|$)")
_SURE = 20
"""So many timecodes, none in the upper half of the seconds, show a list at half the rate."""


@dataclass(slots=True)
class _Event:
    line: int
    layer: int
    kind: str
    reel: str
    frames: int
    source: tuple[str, str]
    record: tuple[str, str]
    names: dict[str, str] = field(default_factory=dict)
    mark: str | None = None


@dataclass(slots=True)
class _Said:
    """What the lines say, with times as they are written."""

    drop: bool | None = None
    events: list[_Event] = field(default_factory=list)
    current: _Event | None = None
    notes: list[tuple[int, str, str]] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    sound_only: int = 0
    day_s: Fraction = Fraction(0)
    """What is to be added to times after midnight, where some are before it."""


def is_edl(text: str) -> bool:
    """Whether a text has an event of an edit decision list."""
    return any(_EVENT.match(line) for line in text.splitlines())


def read_edl(text: str, frame_rate: Fraction) -> Listing:
    """An edit decision list.

    It does not say its frame rate: it is the picture's, or half of it where all timecodes of a
    list for 48 frames per second and more stay in the lower half.

    Args:
        text: The file's.
        frame_rate: The picture's, in frames per second, exact.

    Raises:
        Unreadable: If there is no event with picture, or a timecode that cannot be.
    """
    said = _said(text)
    if not said.events:
        raise Unreadable(
            "it has sound only" if said.sound_only else "it has no event",
            remedy="Export the EDL of the video track, as CMX 3600.",
        )
    rate = _rate(said.codes, frame_rate)
    times_s = [clock_s(code, rate, drop=bool(said.drop)) for code in said.codes]
    if is_over_midnight(at_s for at_s in times_s if at_s is not None):
        said.day_s = day_s(rate, drop=bool(said.drop))
    clips = [event for event in said.events if event.mark is None]
    markers = [*_markers(said, rate)]
    shown = seen(_tracks(clips, rate, said))
    starts = [piece.start_s for piece in shown] or [at_s for at_s, _ in markers]
    ends = [piece.end_s for piece in shown] or [at_s for at_s, _ in markers]
    if not starts:
        raise Unreadable("none of its events ends after it begins", remedy="Export it again.")
    marked = [ListedCut(at_s=at_s, end_s=None, kind="cut", name=text) for at_s, text in markers]
    first = min(starts)
    return Listing(
        cuts=tuple(changes(shown) if clips else marked),
        markers=tuple(markers),
        start_s=first,
        end_s=max(ends),
        zeros_s=(*([first] if clips else []), *_hours(first, rate, said), Fraction(0)),
        whole=bool(clips),
    )


def _tracks(clips: list[_Event], rate: Fraction, said: _Said) -> list[list[Piece]]:
    tracks: dict[int, tuple[list[Piece], list[Blend]]] = {}
    before: dict[int, _Event] = {}
    for event in clips:
        start_s, end_s = (_time(code, rate, said, event.line) for code in event.record)
        pieces, blends = tracks.setdefault(event.layer, ([], []))
        incoming = event.kind != "C"
        name = event.names.get("TO" if incoming else "FROM") or event.names.get("FROM", "")
        if pieces and _goes_on(before[event.layer], event) and blends[-1].end_s == start_s:
            pieces[-1] = replace(pieces[-1], end_s=end_s)
        else:
            black = event.reel in _BLACK
            pieces.append(Piece(start_s=start_s, end_s=end_s, name=name, black=black))
        if incoming and event.frames:
            blends.append(Blend(start_s, start_s + event.frames / rate, start_s))
        before[event.layer] = event
    return [track(*tracks[layer]) for layer in sorted(tracks)]


def _goes_on(before: _Event, event: _Event) -> bool:
    """Whether an event is the rest of the clip that the one before it only dissolves to."""
    return (
        before.kind != "C"
        and before.frames > 0
        and event.kind == "C"
        and event.reel == before.reel
        and event.source[0] == before.source[1]
        and event.record[0] == before.record[1]
    )


def _hours(first: Fraction, rate: Fraction, said: _Said) -> Iterator[Fraction]:
    """The full hour before the first event, by the list's own count."""
    at_s = clock_s(f"{int(first // HOUR_S):02d}:00:00:00", rate, drop=bool(said.drop))
    if at_s is not None and at_s <= first:
        yield at_s


def _said(text: str) -> _Said:
    said = _Said()
    for number, line in enumerate(text.splitlines(), 1):
        if line.upper().lstrip().startswith("FCM:"):
            # The first one is the record side's; later ones announce a source.
            said.drop = "NON" not in line.upper() if said.drop is None else said.drop
        elif match := _EVENT.match(line):
            _event(said, number, match)
        elif match := _LOC.match(line):
            said.notes.append((number, match[1], match[2].strip()))
        elif said.current and (match := _FROM.match(line)):
            said.current.names[match[1].upper()] = match[2].strip()
        elif said.current and (match := _MARK.search(line)):
            said.current.mark = match[1].strip()
    return said


def _event(said: _Said, number: int, match: re.Match[str]) -> None:
    edit = _EDIT.fullmatch(match[2])
    if edit is None:
        raise Unreadable(
            f'line {number}: no kind of edit is known in "{" ".join(match[0].split())[:60]}"',
            remedy="Export the EDL as CMX 3600.",
        )
    said.current = None
    picture = _PICTURE.search(edit["channels"])
    if picture is None:
        said.sound_only += edit["channels"].upper() != "NONE"
        return
    kind = edit["kind"].replace(" ", "")
    if kind in {"K", "KO"}:
        return  # a key lies over the picture: a title
    said.codes += match.groups()[4:]
    said.current = _Event(
        line=number,
        layer=int(picture[1] or 1),
        kind="C" if kind == "KB" else kind,
        reel=edit["reel"].strip().upper(),
        frames=int(edit["frames"] or 0),
        source=(match[3], match[4]),
        record=(match[5], match[6]),
    )
    said.events.append(said.current)


def _rate(codes: list[str], frame_rate: Fraction) -> Fraction:
    frames = [int(code[-2:]) for code in codes]
    counted = round(frame_rate)
    halved = counted >= 48 and counted % 2 == 0 and len(frames) >= _SURE  # noqa: PLR2004 - 48p up
    return frame_rate / 2 if halved and max(frames) < counted // 2 else frame_rate


def _time(code: str, rate: Fraction, said: _Said, line: int) -> Fraction:
    at_s = clock_s(code, rate, drop=bool(said.drop))
    if at_s is None:
        raise Unreadable(
            f"line {line}: there is no {code} at {float(rate):.6g} frames per second",
            remedy="Export the EDL from a timeline that has the picture's frame rate.",
        )
    return at_s + said.day_s if at_s < HALF_DAY_S else at_s


def _markers(said: _Said, rate: Fraction) -> Iterator[tuple[Fraction, str]]:
    for event in said.events:
        if event.mark is not None:
            yield _time(event.record[0], rate, said, event.line), event.mark
    for line, code, text in said.notes:
        yield _time(code, rate, said, line), text
