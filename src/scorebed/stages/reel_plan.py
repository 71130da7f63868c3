"""Which reels go with which request: as few requests as possible, split where it shows least."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from scorebed.errors import OverLimit
from scorebed.model import CuedLine, TimeRange

if TYPE_CHECKING:
    from scorebed.model import Limits, SpottingNotes

LEAST_REEL_S = Fraction(1, 2)
"""Shorter reels are joined with a neighbour."""
_QUIET_S = 1.0
"""A boundary is quiet when nobody speaks this near to it."""
_STEP_S = Fraction(2)
"""Distance of the frames that are thought of where a part must end inside a shot."""
_ABSURD_SHARE = 8
"""A part shorter than the mean by this factor is avoided at the price of a weaker boundary."""
_REST_COST = -1.0
"""Between two cues nothing has to be joined: better than the surest cut."""
_BALANCE = 2.0
"""Weight of uneven parts against a weak cut (0.5) or one in speech (1)."""

_SCENE, _SHOT, _FRAME = range(3)
_Cost = tuple[int, int, int, float]
"""Boundaries inside a shot, absurdly short parts, boundaries inside a scene, and the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Boundary:
    """Where one part may end and the next begin."""

    at_s: Fraction
    kind: int
    cost: float


def plan_reels(notes: SpottingNotes, limits: Limits) -> tuple[tuple[TimeRange, int], ...]:
    """Chooses the reels of the cued picture and the request that each goes with.

    What lies between cues is in no reel. A request may hold several cues; it may not hold more
    of them than files.

    Args:
        notes: For the cues, scenes, shots and speech.
        limits: What one request may hold.

    Returns:
        For each reel its range and the number of its request, from 0; they tile the cues.

    Raises:
        OverLimit: If a request may not even hold one frame.
    """
    line = CuedLine(notes.music)
    room = _Room(line, limits)
    planned: list[tuple[TimeRange, int]] = []
    for part, (start_s, after_s) in enumerate(
        pairwise([Fraction(0), *_splits(notes, line, room), line.end_s])
    ):
        stretches = line.ranges(start_s, after_s)
        most = limits.max_reels if limits.needs_proxies else len(stretches)
        planned += [(span, part) for span in _scenes_in(notes, stretches, most)]
    return tuple(planned)


class _Room:
    """How far a request reaches, on the cued line.

    Args:
        line: The cued line.
        limits: What one request may hold.
    """

    def __init__(self, line: CuedLine, limits: Limits) -> None:
        self._line = line
        self._most = limits.max_reels
        self.limit_s = line.end_s if limits.max_duration_s is None else limits.max_duration_s

    def reach(self, start_s: Fraction) -> Fraction:
        """The furthest end of a request that starts there."""
        after = self._line.cue_from(start_s) + self._most
        marks = [*self._line.starts_s, self._line.end_s]
        return min(start_s + self.limit_s, marks[min(after, len(marks) - 1)])

    def start(self, end_s: Fraction) -> Fraction:
        """The earliest start of a request that ends there."""
        first = self._line.cue_until(end_s) - self._most + 1
        return max(end_s - self.limit_s, self._line.starts_s[max(first, 0)])


def _scenes_in(notes: SpottingNotes, stretches: list[TimeRange], most: int) -> list[TimeRange]:
    """The scenes of a part, the shortest joined until there are few enough and none is a blink.

    Only what touches is joined: what lies between cues stays out.
    """
    spans: list[TimeRange] = []
    for stretch in stretches:
        start_s, end_s = stretch.start_s, stretch.end_s
        cuts = [one.range.start_s for one in notes.scenes if start_s < one.range.start_s < end_s]
        spans += [TimeRange.between(*pair) for pair in pairwise([start_s, *cuts, end_s])]
    while pairs := [at for at, (a, b) in enumerate(pairwise(spans)) if a.end_s == b.start_s]:
        beside = {*pairs, *(at + 1 for at in pairs)}
        shortest = min(sorted(beside), key=lambda at: spans[at].duration_s)
        if spans[shortest].duration_s < LEAST_REEL_S:
            pairs = [at for at in pairs if at in {shortest - 1, shortest}]
        elif len(spans) <= most:
            break
        left = min(pairs, key=lambda at: spans[at].duration_s + spans[at + 1].duration_s)
        spans[left : left + 2] = [TimeRange.between(spans[left].start_s, spans[left + 1].end_s)]
    return spans


# --- parts -------------------------------------------------------------------------------------


def _splits(notes: SpottingNotes, line: CuedLine, room: _Room) -> tuple[Fraction, ...]:
    """Where parts meet: scene changes if they do, else shot cuts too, else any frame.

    All times here are those of the cued line; between two cues is better than any scene change.
    """
    if room.reach(Fraction(0)) >= line.end_s:
        return ()
    scenes, shots = _cuts(notes, line)
    reached = _greedy([cut.at_s for cut in (*scenes, *shots)], notes, line, room)
    count = len(reached) + 1
    found = _search(scenes, count, line.end_s, room)
    if found is None or found[0][1]:
        found = _search([*scenes, *shots], count, line.end_s, room)
    if found is None:
        frames = _frames([*scenes, *shots], reached, notes, line, room)
        found = _search([*scenes, *shots, *frames], count, line.end_s, room)
    assert found is not None, "the furthest reach is among the boundaries"
    return found[1]


def _cuts(notes: SpottingNotes, line: CuedLine) -> tuple[list[_Boundary], list[_Boundary]]:
    sure = {shot.range.start_s: shot.confidence for shot in notes.shots}
    openings = {scene.range.start_s for scene in notes.scenes}
    rests = line.starts_s[1:]
    scenes = [_Boundary(at_s=at_s, kind=_SCENE, cost=_REST_COST) for at_s in rests]
    shots: list[_Boundary] = []
    for shown_s in sorted(openings | sure.keys()):
        at_s = line.cued(shown_s)
        if at_s and at_s not in rests:
            kind = _SCENE if shown_s in openings else _SHOT
            cost = 1 - sure.get(shown_s, 0.5) + _loud(notes, shown_s)
            (scenes if kind == _SCENE else shots).append(_Boundary(at_s=at_s, kind=kind, cost=cost))
    return scenes, shots


def _loud(notes: SpottingNotes, at_s: Fraction) -> float:
    """1 inside speech, falling to 0 at ``_QUIET_S`` from it."""
    after = bisect_left(notes.speech, at_s, key=lambda region: region.range.start_s)
    far = [float(region.range.start_s - at_s) for region in notes.speech[after : after + 1]]
    far += [float(at_s - region.range.end_s) for region in notes.speech[max(after - 1, 0) : after]]
    return max(0.0, 1 - max(min(far, default=_QUIET_S), 0.0) / _QUIET_S)


def _frame_before(at_s: Fraction, rate: Fraction, line: CuedLine) -> Fraction:
    """The last frame of the picture at or before a time of the cued line."""
    shown_s = line.picture(at_s)
    frame_s = Fraction(math.floor(shown_s * rate)) / rate
    return max(at_s - (shown_s - frame_s), line.starts_s[line.cue_from(at_s)])


def _frame_from(at_s: Fraction, rate: Fraction, line: CuedLine) -> Fraction:
    shown_s = line.picture(at_s)
    return at_s + Fraction(math.ceil(shown_s * rate)) / rate - shown_s


def _greedy(
    cuts: list[Fraction], notes: SpottingNotes, line: CuedLine, room: _Room
) -> list[Fraction]:
    """The furthest that each part can reach: as many as there are splits at least."""
    cuts = sorted(cuts)
    reached = [Fraction(0)]
    while room.reach(reached[-1]) < line.end_s:
        far_s = room.reach(reached[-1])
        last = bisect_left(cuts, far_s)
        if last == len(cuts) or cuts[last] != far_s:
            last -= 1
        at_s = max([_frame_before(far_s, notes.frame_rate, line), *cuts[max(last, 0) : last + 1]])
        if at_s <= reached[-1]:
            raise OverLimit(
                f"reel: the provider takes {float(room.limit_s):g} s at once, less than one frame",
                remedy="Use another provider, for example --provider embedded.",
            )
        reached.append(at_s)
    return reached[1:]


def _frames(
    cuts: list[_Boundary],
    reached: list[Fraction],
    notes: SpottingNotes,
    line: CuedLine,
    room: _Room,
) -> list[_Boundary]:
    """Frames inside shots: an even grid, pauses of speech, and the furthest from every cut."""
    end_s, rate, limit_s = line.end_s, notes.frame_rate, room.limit_s
    step_s = min(_STEP_S, limit_s / 16)
    times = {*reached, *(number * step_s for number in range(1, math.ceil(end_s / step_s)))}
    pauses = ((one.range.end_s + other.range.start_s) / 2 for one, other in pairwise(notes.speech))
    times |= {at_s for at_s in map(line.cued, pauses) if at_s is not None}
    for cut in cuts:
        times.add(cut.at_s + limit_s)
        times.add(_frame_from(max(cut.at_s - limit_s, Fraction(0)), rate, line))
    times |= {
        _frame_from(end_s - limit_s * number, rate, line)
        for number in range(1, len(reached) + 1)
        if limit_s * number < end_s
    }
    known = {cut.at_s for cut in cuts}
    # What is a frame already (the furthest reach) stays where it is.
    times = {
        at if at in reached else _frame_before(at, rate, line) for at in times if 0 < at < end_s
    }
    return [
        _Boundary(at_s=at_s, kind=_FRAME, cost=1 + _loud(notes, line.picture(at_s)))
        for at_s in sorted(times - known)
        if 0 < at_s < end_s
    ]


def _search(
    boundaries: list[_Boundary], count: int, end_s: Fraction, room: _Room
) -> tuple[_Cost, tuple[Fraction, ...]] | None:
    """The cheapest way to make ``count`` parts that a request has room for; None if none is."""
    boundaries = sorted(boundaries, key=lambda boundary: boundary.at_s)
    mean_s = float(end_s / count)
    layer: list[_Path] = [_Path(cost=(0, 0, 0, 0.0), ends=(Fraction(0),))]
    for number in range(1, count):
        low_s, high_s = end_s - (count - number) * room.limit_s, number * room.limit_s
        paths = [
            _best(layer, boundary, room, mean_s)
            for boundary in boundaries
            if low_s <= boundary.at_s <= high_s
        ]
        layer = [path for path in paths if path is not None]
    last = _best(layer, _Boundary(at_s=end_s, kind=_SCENE, cost=0.0), room, mean_s)
    return None if last is None else (last.cost, last.ends[1:-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Path:
    """The cheapest way to a boundary in so many parts."""

    cost: _Cost
    ends: tuple[Fraction, ...]


def _best(layer: list[_Path], boundary: _Boundary, room: _Room, mean_s: float) -> _Path | None:
    best: tuple[_Cost, _Path] | None = None
    at_s = float(boundary.at_s)
    first = bisect_left(layer, room.start(boundary.at_s), key=lambda path: path.ends[-1])
    after = bisect_left(layer, boundary.at_s, key=lambda path: path.ends[-1])
    for path in layer[first:after]:
        frames, short, shots, rest = path.cost
        length_s = at_s - float(path.ends[-1])
        cost = (
            frames + (boundary.kind == _FRAME),
            short + (length_s * _ABSURD_SHARE < mean_s),
            shots + (boundary.kind == _SHOT),
            rest + boundary.cost + _BALANCE * (length_s / mean_s - 1) ** 2,
        )
        if best is None or cost < best[0]:
            best = (cost, path)
    return best and _Path(cost=best[0], ends=(*best[1].ends, boundary.at_s))
