"""FCPXML of Final Cut Pro, which Resolve writes too.

OpenTimelineIO's reader was tried and is not used: it counts 29.97 frames per second as 29, leaves
out transitions and leaves the sequence's start as a gap of an hour.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element

from scorebed.cutlists.layers import Blend, Piece, seen, track
from scorebed.cutlists.listing import Listing, Unreadable, of_sequence

if TYPE_CHECKING:
    from collections.abc import Iterator

_TIME = re.compile(r"(-?\d{1,30}(?:\.\d{1,30})?)(?:/(\d{1,30}))?s")
_NESTING = {"ref-clip", "mc-clip", "sync-clip"}
_SHOWN = {"asset-clip", "clip", "video", "title", *_NESTING}
_MARKERS = {"marker", "chapter-marker"}
_MOST_NESTED = 10_000
"""So many compound clips are no film's: they stand in each other."""
_ZERO = Fraction(0)


@dataclass(slots=True)
class _Resources:
    """What clips refer to, by its id."""

    elements: dict[str, Element]
    nested: int = 0

    def of(self, one: Element) -> Element | None:
        return self.elements.get(one.get("ref", ""))


@dataclass(slots=True)
class _Story:
    """What a timeline shows: clips and transitions by the lane that they are on."""

    pieces: dict[int, list[Piece]] = field(default_factory=dict)
    blends: dict[int, list[Blend]] = field(default_factory=dict)
    markers: list[tuple[Fraction, str]] = field(default_factory=list)

    def seen(self) -> list[Piece]:
        return seen(
            [track(self.pieces[lane], self.blends.get(lane, ())) for lane in sorted(self.pieces)]
        )


def read_fcpxml(root: Element, duration_s: Fraction) -> Listing:
    """A project; of several the one whose length is nearest to the picture's.

    Args:
        root: The document's root, ``fcpxml``.
        duration_s: Length of the picture, in seconds.

    Raises:
        Unreadable: If there is no project or compound clip, or a time is none.
    """
    known = _Resources({one.get("id", ""): one for one in root.findall("resources/*")})
    tops = [one for project in root.iter("project") for one in project.findall("sequence")]
    tops = tops or [*root.iter("sequence")]
    if not tops:
        raise Unreadable("it holds no project", remedy="Export the project, not a clip or event.")
    found = []
    for sequence in tops:
        start_s = _time(sequence, "tcStart", _ZERO)
        story = _Story()
        _sequenced(known, sequence, story)
        found.append(of_sequence(story.seen(), story.markers, start_s=start_s))
    return min(found, key=lambda one: abs(one.end_s - one.start_s - duration_s))


def _sequenced(known: _Resources, sequence: Element, story: _Story) -> None:
    """Tells a sequence in seconds from its own start."""
    start_s = _time(sequence, "tcStart", _ZERO)
    for spine in sequence.findall("spine"):
        _told(known, [*spine], story, (start_s, _ZERO, 0))


def _told(
    known: _Resources,
    items: list[Element],
    story: _Story,
    place: tuple[Fraction, Fraction, int],
) -> None:
    """Tells a storyline.

    Args:
        known: Resources by their id.
        items: Its clips, gaps and transitions, in order.
        story: What is told so far.
        place: Its own time of its start, the story's time of that, and the lane.
    """
    own_s, at_s, lane = place
    offsets = [_time(one, "offset", own_s) for one in items if one.get("offset")]
    if offsets and offsets[0] < own_s:
        own_s = _ZERO  # as some programs write it: from 0 though the sequence starts at an hour
    next_s = own_s
    for one in items:
        begin_s = _time(one, "offset", next_s)
        if one.tag == "transition":
            start_s = at_s + begin_s - own_s
            if one.find("filter-audio") is None or one.find("filter-video") is not None:
                blend = Blend(start_s, start_s + _time(one, "duration", _ZERO))
                story.blends.setdefault(lane, []).append(blend)
            continue
        chosen = next(iter(one), one) if one.tag == "audition" else one
        length_s = _length_s(known, chosen)
        if chosen.tag in _SHOWN or chosen.tag in {"gap", "audio"}:
            _clip(known, chosen, story, (at_s + begin_s - own_s, length_s, lane))
            next_s = begin_s + length_s


def _clip(
    known: _Resources,
    one: Element,
    story: _Story,
    place: tuple[Fraction, Fraction, int],
) -> None:
    """Tells a clip at (start, length, lane), and what is connected to it."""
    start_s, length_s, lane = place
    source_s = _time(one, "start", _source_start_s(known, one))
    if _is_picture(known, one):
        story.pieces.setdefault(lane, []).extend(_shown(known, one, place, source_s))
    for child in one:
        if child.tag in _MARKERS:
            at_s = start_s + _time(child, "start", source_s) - source_s
            if start_s <= at_s < start_s + length_s:
                story.markers.append((at_s, child.get("value", "")))
        elif child.get("lane") and child.tag == "spine":
            at_s = start_s + _time(child, "offset", source_s) - source_s
            _told(known, [*child], story, (_ZERO, at_s, _lane(child, lane)))
        elif child.get("lane") and child.tag in {*_SHOWN, "audition"}:
            chosen = next(iter(child), child) if child.tag == "audition" else child
            at_s = start_s + _time(child, "offset", source_s) - source_s
            place = (at_s, _length_s(known, chosen), _lane(child, lane))
            _clip(known, chosen, story, place)


def _lane(child: Element, lane: int) -> int:
    text = child.get("lane", "0")
    if not re.fullmatch(r"-?\d+", text):
        raise Unreadable(f"{text!r} is no lane")
    return lane + int(text)


def _shown(
    known: _Resources,
    one: Element,
    place: tuple[Fraction, Fraction, int],
    source_s: Fraction,
) -> list[Piece]:
    """A clip as one piece, or as the pieces of the timeline that is nested in it."""
    start_s, length_s, lane = place
    end_s = start_s + length_s
    name = one.get("name", "")
    whole = Piece(start_s=start_s, end_s=end_s, name=name, clear=one.tag == "title" and lane > 0)
    if one.tag not in _NESTING or one.find("timeMap") is not None:
        return [whole]
    known.nested += 1
    if known.nested > _MOST_NESTED:
        raise Unreadable("its compound clips stand in each other without end")
    inner = _Story()
    inner_s = _ZERO
    if one.tag == "sync-clip":
        for child in one:
            if not child.get("lane") and child.tag == "spine":
                _told(known, [*child], inner, (_ZERO, _ZERO, 0))
    else:
        media = known.of(one)
        sequence = media.find("sequence") if media is not None else None
        angle = _angle(media, one) if media is not None else None
        inner_s = _source_start_s(known, one)
        if sequence is not None:
            _sequenced(known, sequence, inner)
        elif angle is not None:
            _told(known, [*angle], inner, (inner_s, _ZERO, 0))
    by_s = start_s - (source_s - inner_s)
    moved = [piece.moved(by_s).within(start_s, end_s) for piece in inner.seen()]
    return [piece for piece in moved if piece.start_s < piece.end_s] or [whole]


def _angle(media: Element, one: Element) -> Element | None:
    """The angle of a multicam clip that is seen."""
    chosen = next(
        (
            source.get("angleID")
            for source in one.findall("mc-source")
            if source.get("srcEnable", "all") in {"all", "video"}
        ),
        None,
    )
    angles = media.findall("multicam/mc-angle")
    return next((angle for angle in angles if angle.get("angleID") == chosen), None)


def _is_picture(known: _Resources, one: Element) -> bool:
    if one.tag not in _SHOWN or one.get("enabled", "1") == "0":
        return False
    if one.get("srcEnable", "all") == "audio":
        return False
    if one.tag == "asset-clip":
        asset = known.of(one)
        has_sound = asset is not None and asset.get("hasAudio") == "1"
        return asset is None or asset.get("hasVideo", "0" if has_sound else "1") == "1"
    if one.tag == "clip":
        return any(_is_picture(known, child) for child in one if not child.get("lane")) or any(
            True for child in one if child.tag == "spine" and not child.get("lane")
        )
    return True


def _source_start_s(known: _Resources, one: Element) -> Fraction:
    """Where a clip's own time begins if it does not say."""
    media = known.of(one)
    if media is None:
        return _ZERO
    inner = next(iter(_inside(media)), None)
    if inner is not None:
        return _time(inner, "tcStart", _ZERO)
    return _time(media, "start", _ZERO)


def _inside(media: Element) -> Iterator[Element]:
    yield from media.findall("sequence")
    yield from media.findall("multicam")


def _length_s(known: _Resources, one: Element) -> Fraction:
    media = known.of(one)
    inner = next(iter(_inside(media)), media) if media is not None else None
    whole_s = _time(inner, "duration", _ZERO) if inner is not None else _ZERO
    return _time(one, "duration", whole_s)


def _time(one: Element, name: str, otherwise: Fraction) -> Fraction:
    """A rational time in seconds: ``1001/30000s``."""
    text = one.get(name)
    if text is None:
        return otherwise
    match = _TIME.fullmatch(text)
    if match is None or (match[2] and not int(match[2])):
        raise Unreadable(f"{name} of {one.tag} {one.get('name', '')!r} is no time: {text!r}")
    return Fraction(match[1]) / int(match[2] or 1)
