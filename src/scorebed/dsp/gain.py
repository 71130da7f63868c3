"""Decibels, and the duck's gain curve turned into gain per sample."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scorebed.model import GainCurve

MAX_STATIC_GAIN_DB = 30.0
"""Largest static gain, in dB, that is derived from a measured loudness.

A programme that would need more is next to silent, and its noise would be all that is heard
(engineering choice).
"""


def db_to_gain(gain_db: float) -> float:
    """Linear gain of a gain in dB."""
    return float(10.0 ** (gain_db / 20.0))


def gain_to_db(gain: float) -> float | None:
    """Level in dB of a linear value; None for zero, which has none."""
    return 20.0 * math.log10(gain) if gain > 0.0 else None


def curve_db(curve: GainCurve, at_samples: NDArray[np.int64]) -> NDArray[np.float64]:
    """Gain of the curve, in dB, at positions on the picture's time line.

    Args:
        curve: What to read; a curve without points is flat at 0 dB.
        at_samples: Positions in samples, shape (n,).
    """
    if not curve.at_samples:
        return np.zeros(len(at_samples))
    return np.interp(at_samples, curve.at_samples, curve.gains_db)


def curve_gain(curve: GainCurve, start_samples: int, length_samples: int) -> NDArray[np.float32]:
    """Linear gain per sample, shape (length_samples,); linear in dB between the points.

    Args:
        curve: What to read.
        start_samples: Position of the first sample on the picture's time line.
        length_samples: How many samples.
    """
    end_samples = start_samples + length_samples
    ends_db = curve_db(curve, np.array([start_samples, end_samples - 1]))
    first = bisect_right(curve.at_samples, start_samples)
    last = bisect_left(curve.at_samples, end_samples)
    if ends_db[0] == ends_db[1] and first >= last:
        # Most of a programme is flat: no need for a power per sample.
        return np.full(length_samples, db_to_gain(float(ends_db[0])), dtype=np.float32)
    gains_db = curve_db(curve, np.arange(start_samples, end_samples))
    return np.asarray(10.0 ** (gains_db / 20.0), dtype=np.float32)
