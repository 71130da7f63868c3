"""Look-ahead true-peak limiter: exact pass-through below the ceiling, never above it.

It works on the true-peak envelope (1.25 ms per value) instead of on samples: from it the gain
reduction follows for any delivery gain without reading audio again. The reduction is held around
each peak, released exponentially in dB, smoothed, and turned into gain per sample by a quadratic
B-spline, so that the gain has no step and no kink. All weights are positive and sum to one, and
the hold is as wide as all smoothing, so no sample gets less reduction than its peak asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.ndimage import maximum_filter1d

from scorebed.dsp.gain import db_to_gain
from scorebed.dsp.peak import HOP_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from scorebed.model import Audio

MARGIN_DB: Final = 0.1
"""What a limited peak stays under the ceiling: gain that moves can lift a peak between samples,
and meters differ by that much near half the sample rate."""
RELEASE_MS: Final = 150.0
"""Time constant of the release."""
_SMOOTHING: Final = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9.0
"""Weights of neighbouring hops; with the spline this makes an attack of 7 hops, 9 ms."""
_REACH_HOPS: Final = len(_SMOOTHING) // 2 + 1
"""Hops on either side that the gain of a sample depends on: of the smoothing and the spline."""
_HOLD_HOPS: Final = _REACH_HOPS + 1
"""A peak is held that long before and after: one hop more for the interpolation it comes from."""
_FLOOR_DB: Final = 0.05
"""The release heads for this much above unity, so that it ends in finite time."""
_INAUDIBLE_DB: Final = 1e-4
CHUNK_HOPS: Final = 65_536
"""Hops that are worked on at a time: 82 s."""


def reductions(
    envelope: NDArray[np.float32], *, gain_db: float, ceiling_dbtp: float
) -> Iterator[NDArray[np.float32]]:
    """Gain reduction per hop before smoothing, in dB (positive numbers), in consecutive arrays.

    Each has shape (hops,) and at most ``CHUNK_HOPS`` values; the whole series is never kept, for
    it is found anew faster than the audio can be read.

    Args:
        envelope: Of ``peak.peak_envelope``, before the gain.
        gain_db: Static gain that is applied before the limiter.
        ceiling_dbtp: True peak that must not be passed.
    """
    ceiling = np.float32(db_to_gain(ceiling_dbtp - gain_db))
    carried_db = 0.0
    for at in range(0, len(envelope), CHUNK_HOPS):
        first, hops = max(0, at - _HOLD_HOPS), min(CHUNK_HOPS, len(envelope) - at)
        peaks = envelope[first : at + hops + _HOLD_HOPS]
        if carried_db == 0.0 and peaks.max() <= ceiling:
            yield np.zeros(hops, dtype=np.float32)
            continue
        excess_db = 20.0 * np.log10(np.maximum(peaks, ceiling) / ceiling)
        excess_db[excess_db > 0.0] += MARGIN_DB
        held_db = maximum_filter1d(excess_db, 2 * _HOLD_HOPS + 1, mode="nearest")
        held_db = held_db[at - first : at - first + hops]
        reduction_db = _released(held_db, carried_db).astype(np.float32)
        carried_db = float(reduction_db[-1])
        yield reduction_db


def _released(held_db: NDArray[np.float32], carried_db: float) -> NDArray[np.float64]:
    """Lets each value decay into the following ones.

    ``z[k] = max(x[k], a * z[k - 1])`` is a running maximum of ``log x[k] - k log a``.

    Args:
        held_db: Reduction that is needed, per hop.
        carried_db: Reduction of the hop before.
    """
    fall = HOP_SAMPLES / 48.0 / RELEASE_MS * np.arange(1, len(held_db) + 1)
    level = np.log(held_db.astype(np.float64) + _FLOOR_DB) + fall
    level[0] = max(level[0], np.log(carried_db + _FLOOR_DB))
    tail = np.exp(np.maximum.accumulate(level) - fall) - _FLOOR_DB
    tail[tail < _INAUDIBLE_DB] = 0.0
    return np.asarray(np.maximum(tail, held_db))


def limit(
    blocks: Iterable[Audio], reductions_db: Iterable[NDArray[np.float32]], *, gain_db: float
) -> Iterator[Audio]:
    """Applies the static gain and the reduction; unity without reduction passes bits untouched.

    Args:
        blocks: The programme that the envelope was taken from, cut in any way.
        reductions_db: Of ``reductions`` for the same gain.
        gain_db: Static gain.
    """
    weights = _weights()
    coming = _edged(reductions_db)
    held_db, held_from = np.zeros(0, dtype=np.float32), 0
    static = np.float32(db_to_gain(gain_db))
    at = 0
    for block in blocks:
        first, last = at // HOP_SAMPLES, -(-(at + len(block)) // HOP_SAMPLES)
        end = last + 2 * _REACH_HOPS
        while held_from + len(held_db) < end and (more_db := next(coming, None)) is not None:
            held_db = np.concatenate([held_db[first - held_from :], more_db])
            held_from = first
        knots_db = held_db[first - held_from : end - held_from]
        gained = block if gain_db == 0.0 else block * static
        if knots_db.any():
            around = np.lib.stride_tricks.sliding_window_view(knots_db, 2 * _REACH_HOPS + 1)
            samples_db = (around @ weights).reshape(-1)[at - first * HOP_SAMPLES :]
            gain = 10.0 ** (-samples_db[: len(block)] / 20.0)
            gained = gained * gain.astype(np.float32)[:, np.newaxis]
        at += len(block)
        yield gained


def _edged(reductions_db: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    """The series with its first and its last value repeated as far as a gain reaches."""
    last_db = np.zeros(0, dtype=np.float32)
    for part_db in reductions_db:
        if not len(last_db):
            yield np.repeat(part_db[:1], _REACH_HOPS)
        yield part_db
        last_db = part_db[-1:]
    yield np.repeat(last_db, _REACH_HOPS)


def _weights() -> NDArray[np.float64]:
    """Weight of the hops around it for each sample of a hop, shape (hops, HOP_SAMPLES)."""
    u = (np.arange(HOP_SAMPLES) + 0.5) / HOP_SAMPLES
    spline = np.array([0.5 * (1.0 - u) ** 2, 0.5 + u - u**2, 0.5 * u**2])
    weights = np.zeros((2 * _REACH_HOPS + 1, HOP_SAMPLES))
    for hop, share in enumerate(_SMOOTHING):
        weights[hop : hop + 3] += share * spline
    return weights
