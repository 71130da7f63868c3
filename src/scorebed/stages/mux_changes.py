"""What of the streams that came through is not as it was: found by comparing, never assumed."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from scorebed.model import Change, PlannedSound, SoundKind, StreamKind
from scorebed.stages.mux_codecs import FROM_THE_START
from scorebed.stages.mux_reframed import reframed_streams
from scorebed.stages.mux_streams import mapped_streams

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from scorebed.model import Chapter, MuxPlan, Picture, StreamInfo
    from scorebed.packets import Contents
    from scorebed.stages.mux_times import Moved

_OF_THE_MUXER = re.compile(
    r"major_brand|minor_version|compatible_brands|encoder|software|duration|vendor_id|handler_name"
    r"|(_statistics_|bps|number_of_|source_id)\S*",
    re.IGNORECASE,
)
"""Tags by which a muxer speaks of itself and of what it has counted."""
STALE = re.compile(
    r"(replaygain_|r128_|itunnorm|itunsmpb|bps|number_of_|_statistics_)\S*", re.IGNORECASE
)
"""Tags that were true of the sound that was replaced."""
_PRIMING_S = Fraction(1, 10)
"""More than an encoder begins early by: that is no sound."""
_SAME_MOMENT_S = Fraction(1, 1_000_000)
_SAME_LENGTH_S = Fraction(1, 1000)
"""Where a container says no durations, that of the last packet is the reader's estimate."""
_NOT_SAID = {"und", "1970-01-01T00:00:00.000000Z"}
"""Values that say nothing: no language, QuickTime's zero for "no date"."""


def changes_of(
    path: Path,
    picture: Picture,
    plan: MuxPlan,
    part: Path,
    contents: Contents,
    moved: Mapping[int, Moved],
) -> tuple[Change, ...]:
    """Compares the output with the input, stream by stream.

    The sound of what was encoded is what was asked for, and is not compared.

    Args:
        path: The input.
        picture: What it is.
        plan: How it was written.
        part: The file that was written.
        contents: What it holds.
        moved: Copied streams of which packets come at other times.
    """
    found: list[Change] = []
    placed: dict[int, int] = {}
    copied = {
        one.index: number
        for number, one in enumerate(mapped_streams(picture, plan))
        if one.index is not None and not (isinstance(one, PlannedSound) and one.codec != "copy")
    }
    reframed = reframed_streams(path, picture, part, contents, copied)
    for number, one in enumerate(mapped_streams(picture, plan)):
        if one.index is None:
            continue
        placed[one.index] = number
        was, now = picture.streams[one.index], contents.streams[number]
        original = isinstance(one, PlannedSound) and one.kind is SoundKind.ORIGINAL
        # A sound that is kept beside its programme is called "Original", and is not the default.
        untitled = {"title"} if original else set()
        found += _tags(one.index, _named(was, untitled), _named(now, untitled))
        if isinstance(one, PlannedSound) and one.codec != "copy":
            found += () if original else _marks(was, now)
            found += _cut(picture, contents, plan, was, now)
            continue
        if not original:
            found += _marks(was, now)
        found += _stream(was, now, reframed=one.index in reframed)
        if was.kind not in {StreamKind.COVER, StreamKind.ATTACHMENT}:
            found += _ends(picture, contents, was, now, moved.get(one.index))
    found += _remade(picture, contents, placed)
    found += _tags(None, dict(picture.tags), dict(contents.tags))
    found += _chapters(picture, contents)
    found += [
        Change(
            stream=None,
            what="streams",
            was=None,
            now=f"{now.role or now.kind} (stream {now.index})",
            loss=False,
        )
        for now in contents.streams[len(mapped_streams(picture, plan)) :]
        if now.index not in placed.values()
    ]
    timecodes = {dict(one.tags).get("timecode") for one in contents.streams}
    return tuple(
        # A timecode that moved from one place of the file to another is not lost.
        replace(change, loss=change.loss and not (_is_timecode(change) and change.was in timecodes))
        for change in found
    )


def _is_timecode(change: Change) -> bool:
    return change.what.lower() == "tag timecode"


def _named(stream: StreamInfo, without: AbstractSet[str] = frozenset()) -> dict[str, str]:
    """Its tags; what it is called goes by one name, whatever the container calls it."""
    tags = {("title" if name == "name" else name): value for name, value in stream.tags}
    return {name: value for name, value in tags.items() if name.lower() not in without}


def _tags(stream: int | None, was: dict[str, str], now: dict[str, str]) -> Iterator[Change]:
    before, after = ({name.lower(): (name, text) for name, text in t.items()} for t in (was, now))
    for key in dict.fromkeys((*before, *after)):
        name = (before.get(key) or after[key])[0]
        old, new = (found[key][1] if key in found else None for found in (before, after))
        if old == new or {old, new} <= {None, *_NOT_SAID}:
            continue
        own = _OF_THE_MUXER.fullmatch(key) is not None or STALE.fullmatch(key) is not None
        yield Change(
            stream=stream,
            what=f"tag {name}",
            was=old,
            now=new,
            loss=not own and old is not None and old not in _NOT_SAID,
        )


def _marks(was: StreamInfo, now: StreamInfo) -> Iterator[Change]:
    old, new = sorted(was.disposition), sorted(now.disposition)
    if old != new:
        # A mark that is added (MP4's only stream of a kind is its default) takes nothing away.
        loss = not set(old) <= set(new)
        yield _change(was, "marks", "+".join(old) or None, "+".join(new) or None, loss=loss)


def _cut(
    picture: Picture, contents: Contents, plan: MuxPlan, was: StreamInfo, now: StreamInfo
) -> Iterator[Change]:
    """Sound before the first frame, where the container has no place for it."""
    if plan.muxer not in FROM_THE_START or was.start_s is None or now.start_s is None:
        return
    assert contents.clock is not None
    old_s, new_s = was.start_s - picture.start_s, now.start_s - contents.clock.start_s
    if old_s < 0 and new_s - old_s > _PRIMING_S:
        yield _change(was, "start", _time(old_s), _time(new_s))


def _stream(was: StreamInfo, now: StreamInfo, *, reframed: bool) -> Iterator[Change]:
    """A stream that was copied, or a subtitle that was converted."""
    if was.codec != now.codec:
        yield _change(was, "codec", was.codec, now.codec, loss=was.kind is not now.kind)
    elif was.packets_sha256 != now.packets_sha256:
        yield _change(was, "packets", _count(was), _count(now), loss=not reframed)
    if was.codec_tag != now.codec_tag and was.codec == now.codec:
        yield _change(was, "codec tag", was.codec_tag or None, now.codec_tag or None, loss=False)
    if was.hidden_packets != now.hidden_packets:
        yield _change(was, "hidden frames", str(was.hidden_packets), str(now.hidden_packets))
    if was.kind in {StreamKind.COVER, StreamKind.ATTACHMENT}:
        return
    if was.video is not None and now.video is not None:
        yield from _looks(was, now)
    if was.side_data != now.side_data:
        yield _change(was, "side data", _lines(was.side_data), _lines(now.side_data))


def _ends(
    picture: Picture, contents: Contents, was: StreamInfo, now: StreamInfo, moved: Moved | None
) -> Iterator[Change]:
    """Where a stream starts and ends, and the packet between that is moved further than these."""
    if was.start_s is None or now.start_s is None:
        return
    assert contents.clock is not None
    assert was.duration_s is not None
    assert now.duration_s is not None
    old_s, new_s = was.start_s - picture.start_s, now.start_s - contents.clock.start_s
    # A coarser clock rounds; what is moved by more than its grain is moved.
    grain_s = (was.time_base or Fraction(0)) + (now.time_base or Fraction(0))
    # Where a container says no durations, the end of a packet is its start, or an estimate.
    most_s = grain_s
    for what, at_s, then_s, same_s in (
        ("start", old_s, new_s, grain_s),
        ("end", old_s + was.duration_s, new_s + now.duration_s, grain_s + _SAME_LENGTH_S),
    ):
        apart_s = abs(at_s - then_s)
        if apart_s > _SAME_MOMENT_S:
            yield _change(was, what, _time(at_s), _time(then_s), loss=apart_s > same_s)
        most_s = max(most_s, apart_s + grain_s)
    if moved is not None and moved.apart_s > most_s:
        yield _change(was, "times", _time(moved.was_s), _time(moved.now_s))


def _looks(was: StreamInfo, now: StreamInfo) -> Iterator[Change]:
    assert was.video is not None
    assert now.video is not None
    if (was.video.pixel_aspect or 1) != (now.video.pixel_aspect or 1):
        yield _change(was, "pixel aspect", str(was.video.pixel_aspect), str(now.video.pixel_aspect))
    if was.video.colour != now.video.colour:
        colours = [
            ", ".join(str(part) for part in (c.primaries, c.transfer, c.matrix, c.range))
            for c in (was.video.colour, now.video.colour)
        ]
        yield _change(was, "colour", *colours)


def _remade(picture: Picture, contents: Contents, placed: dict[int, int]) -> Iterator[Change]:
    """Timecode and chapter tracks, which the muxer makes itself and puts behind all others."""
    for was in picture.streams:
        if was.role is None or was.index in placed:
            continue
        made = [now for now in contents.streams if now.role == was.role]
        if not made:
            continue  # settled: it is among the dropped
        now = made[0]
        placed[was.index] = now.index
        yield from _tags(was.index, _named(was), _named(now))
        yield from (replace(change, loss=False) for change in _marks(was, now))
        if was.index != now.index:
            yield _change(was, "place", str(was.index), str(now.index), loss=False)


def _chapters(picture: Picture, contents: Contents) -> Iterator[Change]:
    assert contents.clock is not None
    old = list(_told(picture.chapters, picture.start_s))
    new = list(_told(contents.chapters, contents.clock.start_s))
    if old != new:
        yield Change(
            stream=None, what="chapters", was=_lines(old), now=_lines(new), loss=len(old) > len(new)
        )


def _told(chapters: Sequence[Chapter], zero_s: Fraction) -> Iterator[str]:
    for chapter in chapters:
        yield (
            f"{float(chapter.start_s - zero_s):.3f}-{float(chapter.end_s - zero_s):.3f} "
            f"{chapter.title}"
        )


def _change(
    stream: StreamInfo, what: str, was: str | None, now: str | None, *, loss: bool = True
) -> Change:
    return Change(stream=stream.index, what=what, was=was, now=now, loss=loss)


def _count(stream: StreamInfo) -> str:
    return f"{stream.packets} packets, sha256 {stream.packets_sha256[:16]}"


def _time(time_s: Fraction) -> str:
    return f"{float(time_s):.6f} s"


def _lines(lines: Iterable[str]) -> str | None:
    return "; ".join(lines) or None
