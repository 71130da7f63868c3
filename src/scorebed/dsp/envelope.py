"""The shape of a duck: stretches of speech with a depth become a gain curve.

Each stretch is a trapezoid: down, hold, up. Where trapezoids overlap the deeper one wins, which
keeps every slope within its limit. A pause in which the music cannot come fully up, stay a moment
and go down again is bridged at the shallower of its neighbours' depths: down rather than pumping.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from scorebed.model import GainCurve
from scorebed.timecode import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from scorebed.model import DuckSettings

MAX_SLOPE_DB_PER_S: Final = 40.0
"""Fastest move of the music, in dB/s: an engineering choice, no standard has one."""
_SAMPLES_PER_MS: Final = SAMPLE_RATE_HZ / 1000.0
_LEAST_UP_SAMPLES: Final = SAMPLE_RATE_HZ // 2
"""Music that comes up in a pause stays up for half a second, or it would be heard to pump."""
_STRAIGHT_DB: Final = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Phrases whose pauses are shorter than the hold, and how deep the music goes under them."""

    start_samples: int
    """First word, on the picture's time line."""
    end_samples: int
    """End of the last word."""
    depth_db: float
    """How far the music is lowered, as a positive number of dB."""


def flat_curve(start_samples: int) -> GainCurve:
    """A curve that leaves the music where it is."""
    return GainCurve(at_samples=(start_samples,), gains_db=(0.0,))


def duck_curve(
    stretches: Sequence[Stretch], settings: DuckSettings, *, start_samples: int, end_samples: int
) -> GainCurve:
    """The gain curve of the music.

    Args:
        stretches: In order, not overlapping.
        settings: Times and hold.
        start_samples: Where the music starts on the picture's time line.
        end_samples: Where it ends.
    """
    trapezoids = _trapezoids([item for item in stretches if item.depth_db > 0.0], settings)
    trapezoids = [item for item in trapezoids if item[0][3] > start_samples]
    trapezoids = [item for item in trapezoids if item[0][0] < end_samples]
    if not trapezoids or end_samples <= start_samples:
        return flat_curve(start_samples)
    at_samples = _corners(trapezoids, start_samples, end_samples)
    gains_db = -_deepest(trapezoids, at_samples)
    kept = _straightened(at_samples, gains_db)
    return GainCurve(
        at_samples=tuple(int(position) for position in at_samples[kept]),
        gains_db=tuple(float(gain) + 0.0 for gain in gains_db[kept]),
    )


_Trapezoid = tuple[tuple[int, int, int, int], tuple[float, float, float, float]]
"""Positions of the four corners, and their depths."""


def _ramp_samples(depth_db: float, least_ms: float) -> int:
    """Length of a move: as asked, but never steeper than the limit."""
    steepest = depth_db / MAX_SLOPE_DB_PER_S * SAMPLE_RATE_HZ
    return max(1, int(np.ceil(max(least_ms * _SAMPLES_PER_MS, steepest))))


def _trapezoid(
    start_samples: int, end_samples: int, depth_db: float, settings: DuckSettings
) -> _Trapezoid:
    down = start_samples - round(settings.look_ahead_ms * _SAMPLES_PER_MS)
    top = down - _ramp_samples(depth_db, settings.attack_ms)
    back = end_samples + _ramp_samples(depth_db, settings.release_ms)
    return (top, down, end_samples, back), (0.0, depth_db, depth_db, 0.0)


def _trapezoids(stretches: Sequence[Stretch], settings: DuckSettings) -> list[_Trapezoid]:
    """One per stretch, and one over each pair whose pause is too short to be followed."""
    shapes = [
        _trapezoid(item.start_samples, item.end_samples, item.depth_db, settings)
        for item in stretches
    ]
    bridges = [
        _trapezoid(
            left.start_samples,
            right.end_samples,
            min(left.depth_db, right.depth_db),
            settings,
        )
        for (left, left_shape), (right, right_shape) in pairwise(
            zip(stretches, shapes, strict=True)
        )
        if right_shape[0][0] - left_shape[0][3] < _LEAST_UP_SAMPLES
    ]
    return sorted(shapes + bridges)


def _corners(
    trapezoids: Sequence[_Trapezoid], start_samples: int, end_samples: int
) -> NDArray[np.int64]:
    """All positions where the deepest of the trapezoids can bend, within the music."""
    corners = {start_samples, end_samples}
    for index, (at_samples, depths_db) in enumerate(trapezoids):
        corners.update(at_samples)
        for other in trapezoids[index + 1 :]:
            if other[0][0] >= at_samples[3]:
                break
            corners.update(_crossings((at_samples, depths_db), other))
    return np.array(sorted(at for at in corners if start_samples <= at <= end_samples))


def _crossings(one: _Trapezoid, other: _Trapezoid) -> Iterator[int]:
    """The samples on either side of each point where two trapezoids cross."""
    corners = np.array(sorted({*one[0], *other[0]}))
    above = np.interp(corners, *one) - np.interp(corners, *other)
    for index in np.flatnonzero(above[:-1] * above[1:] < 0.0):
        share = above[index] / (above[index] - above[index + 1])
        at = corners[index] + share * (corners[index + 1] - corners[index])
        yield int(np.floor(at))
        yield int(np.ceil(at))


def _deepest(
    trapezoids: Sequence[_Trapezoid], at_samples: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Depth of the deepest trapezoid at each position, in dB."""
    depths_db = np.zeros(len(at_samples))
    for corners, corner_depths_db in trapezoids:
        first, last = np.searchsorted(at_samples, (corners[0], corners[3] + 1))
        here = np.interp(at_samples[first:last], corners, corner_depths_db)
        depths_db[first:last] = np.maximum(depths_db[first:last], here)
    return depths_db


def _straightened(at_samples: NDArray[np.int64], gains_db: NDArray[np.float64]) -> list[int]:
    """Indexes of the points that bend the curve; the others lie on a line between them."""
    kept = [0]
    for index in range(1, len(at_samples) - 1):
        left, right = kept[-1], index + 1
        ends = at_samples[[left, right]], gains_db[[left, right]]
        if abs(float(np.interp(at_samples[index], *ends)) - gains_db[index]) > _STRAIGHT_DB:
            kept.append(index)
    return [*kept, len(at_samples) - 1]
