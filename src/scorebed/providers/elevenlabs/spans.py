"""The scenes of a part as spans of music that a composition plan may hold."""

from __future__ import annotations

import bisect
import itertools
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from scorebed.errors import OverLimit
from scorebed.model import Scene, TimeRange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorebed.model import SpottingNotes

MIN_SPAN_MS = 3000
"""Shortest chunk or section, and shortest piece, in ms."""
MAX_SPAN_MS = 120_000
"""Longest chunk or section, in ms."""
MAX_PIECE_MS = 600_000
"""Longest piece, in ms."""
MAX_SPANS = 30
"""Most chunks or sections of a piece."""
_BUSY_CUTS_PER_MINUTE = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of the piece."""

    start_ms: int
    """Start from the start of the piece, in ms."""
    end_ms: int
    """End, in ms; spans tile the piece."""
    scene: Scene
    """What is measured of its picture, over all scenes that it holds."""
    stretch: int
    """Which stretch of the picture it is for, from 0."""

    @property
    def duration_ms(self) -> int:
        """Length in ms."""
        return self.end_ms - self.start_ms


def spans(notes: SpottingNotes, stretches: Sequence[TimeRange]) -> tuple[Span, ...]:
    """A span per scene of each stretch, within what the service takes.

    Boundaries are rounded, not lengths, so that rounding never adds up: every boundary lies
    within half a millisecond of the picture's. A scene under 3 s joins the neighbour that is
    more like it; one over 120 s is split evenly; more than 30 are merged, the most alike first.
    A stretch under 3 s gets a span of 3 s: what is too long is cut when it is conformed. What lies
    between the stretches has no music, and no span.

    Args:
        notes: The scenes.
        stretches: The parts of the picture that the piece is for, in order.

    Raises:
        OverLimit: If the piece is longer than the longest that the service makes.
    """
    found: list[Span] = []
    for number, stretch in enumerate(stretches):
        begun = found[-1].end_ms if found else 0
        own = _merged_long_enough(_cut(notes, stretch, number))
        if own[-1].end_ms < MIN_SPAN_MS:
            own = [replace(own[0], end_ms=MIN_SPAN_MS)]
        found += [
            replace(one, start_ms=begun + one.start_ms, end_ms=begun + one.end_ms) for one in own
        ]
    total_ms = found[-1].end_ms
    if total_ms > MAX_PIECE_MS:
        raise OverLimit(
            f"compose: a piece of {total_ms / 1000:.3f} s was asked for, "
            f"{(total_ms - MAX_PIECE_MS) / 1000:.3f} s more than the service makes at once",
            remedy="Use --duration 600 at most, or score the picture in parts.",
        )
    while _pieces(found) > MAX_SPANS:
        found = _merge_at(found, min(_joinable(found), key=lambda at: _cost(found, at)))
    pieces = [piece for span in found for piece in _split(span)]
    firsts = [
        next(one.start_ms for one in pieces if one.stretch == number)
        for number in range(len(stretches))
    ]
    return tuple(
        _counted(notes, stretches[one.stretch], firsts[one.stretch], one) for one in pieces
    )


def to_ms(time_s: Fraction) -> int:
    """The millisecond nearest to a time (halves go up)."""
    return int((time_s * 2000 + 1) // 2)


def _cut(notes: SpottingNotes, part: TimeRange, stretch: int) -> list[Span]:
    """The scenes that a stretch holds; the first and the last reach to its ends."""
    held = [scene for scene in notes.scenes if scene.range.common(part)]
    inner = [to_ms(scene.range.start_s - part.start_s) for scene in held[1:]]
    marks = [0, *inner, to_ms(part.duration_s)]
    return [
        Span(start_ms=start_ms, end_ms=end_ms, scene=scene, stretch=stretch)
        for (start_ms, end_ms), scene in zip(itertools.pairwise(marks), held, strict=True)
    ]


def _joinable(found: list[Span]) -> list[int]:
    """Numbers of the spans whose next one is for the same stretch."""
    return [at for at, (a, b) in enumerate(itertools.pairwise(found)) if a.stretch == b.stretch]


def _merged_long_enough(found: list[Span]) -> list[Span]:
    while len(found) > 1:
        at = min(range(len(found)), key=lambda index: found[index].duration_ms)
        if found[at].duration_ms >= MIN_SPAN_MS:
            break
        beside = [side for side in (at - 1, at) if 0 <= side < len(found) - 1]
        found = _merge_at(found, min(beside, key=lambda side: _cost(found, side)))
    return found


def _merge_at(found: list[Span], at: int) -> list[Span]:
    left, right = found[at], found[at + 1]
    share = left.duration_ms / max(left.duration_ms + right.duration_ms, 1)

    def mean(of_left: float, of_right: float) -> float:
        return share * of_left + (1 - share) * of_right

    scene = Scene(
        range=TimeRange.between(left.scene.range.start_s, right.scene.range.end_s),
        shots=left.scene.shots + right.scene.shots,
        motion=mean(left.scene.motion, right.scene.motion),
        brightness=mean(left.scene.brightness, right.scene.brightness),
        saturation=mean(left.scene.saturation, right.scene.saturation),
        warmth=mean(left.scene.warmth, right.scene.warmth),
        brief="\n".join(filter(None, dict.fromkeys((left.scene.brief, right.scene.brief)))),
    )
    span = replace(left, end_ms=right.end_ms, scene=scene)
    return [*found[:at], span, *found[at + 2 :]]


def _cost(found: list[Span], at: int) -> tuple[bool, float, int]:
    """What is lost if a span joins the next: a limit splits it anew, they differ, they are long."""
    left, right = found[at], found[at + 1]
    length_ms = left.duration_ms + right.duration_ms
    apart = sum((a - b) ** 2 for a, b in zip(_look(left), _look(right), strict=True))
    return length_ms > MAX_SPAN_MS, apart, length_ms


def _look(span: Span) -> tuple[float, ...]:
    scene = span.scene
    cuts = min(scene.cuts_per_minute / _BUSY_CUTS_PER_MINUTE, 1.0)
    return scene.motion, scene.brightness, scene.saturation, scene.warmth / 2, cuts / 2


def _pieces(found: list[Span]) -> int:
    return sum(-(-span.duration_ms // MAX_SPAN_MS) for span in found)


def _split(span: Span) -> list[Span]:
    count = max(-(-span.duration_ms // MAX_SPAN_MS), 1)
    marks = [
        span.start_ms + to_ms(Fraction(span.duration_ms * index, count * 1000))
        for index in range(count + 1)
    ]
    return [
        replace(span, start_ms=start_ms, end_ms=end_ms)
        for start_ms, end_ms in itertools.pairwise(marks)
    ]


def _counted(notes: SpottingNotes, part: TimeRange, first_ms: int, span: Span) -> Span:
    """The span with its own range of picture, and the shots that are shown in it."""
    opens_ms = [to_ms(shot.range.start_s - part.start_s) for shot in notes.shots]
    start_ms, end_ms = span.start_ms - first_ms, span.end_ms - first_ms
    first = bisect.bisect_right(opens_ms, start_ms) - 1
    last = bisect.bisect_left(opens_ms, end_ms) - 1
    own = TimeRange.between(
        part.start_s + Fraction(start_ms, 1000), part.start_s + Fraction(end_ms, 1000)
    )
    return replace(span, scene=replace(span.scene, range=own, shots=max(last - first + 1, 1)))
