"""Lays beats so that scenes begin on downbeats and cuts fall on beats.

A scene is given a whole number of beats at a tempo of the style. With guidance, the beats inside
are bent, by at most 4 % between neighbours (what players can follow), so that cuts fall on them:
a beam search over the cuts, each skipped or taken as the anchor of a beat.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from scorebed.timecode import SAMPLE_RATE_HZ

MAX_BEND = 0.04
"""Largest change of the beat's length between two stretches of a scene."""
_BEAM = 96
_HALF_BEAT_SHARE = 0.35
_MOST_CANDIDATES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A moment inside a scene that a beat should meet."""

    at_samples: int
    """Position, from the start of the scene."""
    weight: float
    """How much it matters, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TempoWish:
    """What the beat of a scene should be like."""

    range_bpm: tuple[float, float]
    """Slowest and fastest tempo, in beats per minute."""
    preferred_bpm: float
    """Tempo that suits the scene."""
    beats_per_bar: int
    """Beats of a full bar."""
    guidance: float
    """How much cuts matter, 0 to 1."""


@dataclass(frozen=True, slots=True)
class _Path:
    score: float
    beat: float
    at: float
    period: float
    before: _Path | None

    def anchors(self) -> tuple[tuple[float, float], ...]:
        """Beats and their times, from the start."""
        out: list[tuple[float, float]] = []
        path: _Path | None = self
        while path is not None:
            out.append((path.beat, path.at))
            path = path.before
        return tuple(reversed(out))


def lay_beats(length_samples: int, wish: TempoWish, targets: tuple[Target, ...]) -> tuple[int, ...]:
    """Positions of the beats of a scene, from 0 to its length, both included.

    Args:
        length_samples: Length of the scene, at least 1.
        wish: What the beat should be like.
        targets: Moments inside it, in order.
    """
    length = length_samples / SAMPLE_RATE_HZ
    paths = [_Path(0.0, 0.0, 0.0, 0.0, None)]
    if wish.guidance > 0:
        for target in targets:
            paths = _extend(paths, target, length, wish)
    best = _finish(paths, length, wish)
    if best is None:
        count = max(1, round(length * wish.preferred_bpm / 60))
        best = ((0.0, 0.0), (float(count), length))
    return _beats(best, length_samples)


def split_bars(beats: int, beats_per_bar: int) -> tuple[int, ...]:
    """Numbers of beats of the bars that hold ``beats`` beats; an odd one comes last.

    Args:
        beats: How many beats there are, at least 1.
        beats_per_bar: Beats of a full bar.
    """
    full, rest = divmod(beats, beats_per_bar)
    if rest == 0:
        return (beats_per_bar,) * full
    if rest == 1 and full:
        return (*(beats_per_bar,) * (full - 1), beats_per_bar + 1)
    return (*(beats_per_bar,) * full, rest)


def _extend(paths: list[_Path], target: Target, length: float, wish: TempoWish) -> list[_Path]:
    at = target.at_samples / SAMPLE_RATE_HZ
    out = list(paths)
    for path in paths:
        for beat, period in _choices(path, at, wish, step=0.5):
            share = 1.0 if beat.is_integer() else _HALF_BEAT_SHARE
            gain = wish.guidance * target.weight * share
            score = path.score + gain - _cost(path, at, period, length, wish)
            out.append(_Path(score, beat, at, period, path))
    out.sort(key=lambda path: (-path.score, path.beat, path.at))
    # Paths that differ only in how they got to the same anchor are one.
    seen: dict[tuple[float, float], _Path] = {}
    for path in out:
        seen.setdefault((path.at, path.beat), path)
    kept = list(seen.values())
    return [*kept[:_BEAM], *(path for path in kept[_BEAM:] if path.at == 0.0)]


def _choices(path: _Path, at: float, wish: TempoWish, step: float) -> list[tuple[float, float]]:
    """Beats that may fall on ``at``, each with the length of a beat on the way there."""
    gap = at - path.at
    shortest, longest = 60 / wish.range_bpm[1], 60 / wish.range_bpm[0]
    if path.period:
        bend = 1 + MAX_BEND * min(wish.guidance + 0.25, 1.0)
        shortest = max(shortest, path.period / bend)
        longest = min(longest, path.period * bend)
    first = max(math.ceil((path.beat + gap / longest) / step - 1e-9), 1)
    last = math.floor((path.beat + gap / shortest) / step + 1e-9)
    # After a long gap nearly any beat can be reached: those near the present tempo will do.
    middle = round((path.beat + gap / (path.period or 60 / wish.preferred_bpm)) / step)
    first = max(first, min(middle - _MOST_CANDIDATES // 2, last))
    last = min(last, max(middle + _MOST_CANDIDATES // 2, first))
    beats = (index * step for index in range(first, last + 1))
    return [(beat, gap / (beat - path.beat)) for beat in beats if beat > path.beat]


def _cost(path: _Path, at: float, period: float, length: float, wish: TempoWish) -> float:
    """What a stretch costs: being far from the tempo that suits, and changing."""
    far = abs(math.log2(period * wish.preferred_bpm / 60))
    change = abs(math.log2(period / path.period)) if path.period else 0.0
    # Who follows the picture closely may leave the tempo that suits the scene.
    pull = 4.0 * (1.0 - 0.8 * wish.guidance)
    return pull * far * (at - path.at) / length + 0.4 * change


def _finish(
    paths: list[_Path], length: float, wish: TempoWish
) -> tuple[tuple[float, float], ...] | None:
    best: tuple[float, _Path, float] | None = None
    for path in paths:
        for beat, period in _choices(path, length, wish, step=1.0):
            score = path.score - _cost(path, length, period, length, wish)
            score -= _odd_cost(round(beat), wish.beats_per_bar)
            if best is None or score > best[0] + 1e-12:
                best = (score, path, beat)
    return None if best is None else (*best[1].anchors(), (best[2], length))


def _odd_cost(beats: int, beats_per_bar: int) -> float:
    """Full bars are best, pairs and fours of bars better still."""
    full, rest = divmod(beats, beats_per_bar)
    if rest:
        return 0.3 if rest * 2 == beats_per_bar else 0.4
    return 0.0 if full % 4 == 0 else 0.05 if full % 2 == 0 else 0.12


def _beats(anchors: tuple[tuple[float, float], ...], length_samples: int) -> tuple[int, ...]:
    positions: list[int] = []
    for (beat_0, at_0), (beat_1, at_1) in pairwise(anchors):
        for beat in range(math.ceil(beat_0), math.ceil(beat_1)):
            at = at_0 + (at_1 - at_0) * (beat - beat_0) / (beat_1 - beat_0)
            positions.append(round(at * SAMPLE_RATE_HZ))
    positions.append(length_samples)
    # A scene of a few samples has no room for more than one beat.
    return tuple(sorted(set(positions)))
