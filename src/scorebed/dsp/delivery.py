"""The static gain that brings a programme to its delivery loudness through the limiter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from scorebed.dsp.gain import MAX_STATIC_GAIN_DB, gain_to_db
from scorebed.dsp.limiter import CHUNK_HOPS, reductions
from scorebed.dsp.loudness import POWER_HOP_SAMPLES, integrated_lufs
from scorebed.dsp.peak import HOP_SAMPLES

if TYPE_CHECKING:
    from scorebed.model import LoudnessTarget

_EXACT_LU: Final = 0.005
_MAX_STEPS: Final = 12
_LEAST_SLOPE: Final = 0.1
"""Keeps a step bounded where limiting eats nearly all of a rise."""
_HOPS_PER_POWER: Final = POWER_HOP_SAMPLES // HOP_SAMPLES
assert CHUNK_HOPS % _HOPS_PER_POWER == 0, "a power is never in two chunks"
_DB_TO_LOG_POWER: Final = np.float32(-math.log(10.0) / 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme:
    """What the delivery gain is computed from."""

    powers: NDArray[np.float64]
    """K-weighted power per 10 ms, at unity."""
    envelope: NDArray[np.float32]
    """True peak per hop, linear, at unity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Gain and limiting of a programme."""

    gain_db: float
    """Static gain before the limiter, in dB."""
    capped: bool
    """Whether the gain is the most that is allowed."""
    deepest_db: float
    """Deepest gain reduction, in dB."""
    reached_lufs: float
    """Loudness that the programme will have, by arithmetic on its power series; ``-inf`` when
    nothing of it passes the gate."""


def deliver(programme: Programme, target: LoudnessTarget) -> Delivery:
    """Finds the gain at which the limited programme has the target's loudness.

    A programme without loudness keeps its gain and is only held under the ceiling.

    Args:
        programme: What to deliver.
        target: Loudness and ceiling.
    """
    unlimited_lufs = integrated_lufs(programme.powers)
    peak_dbtp = gain_to_db(float(programme.envelope.max(initial=0.0)))
    if unlimited_lufs is None or peak_dbtp is None:
        return _at(0.0, programme, target, most_db=MAX_STATIC_GAIN_DB)
    most_db = min(MAX_STATIC_GAIN_DB, target.true_peak_dbtp + target.max_limiting_db - peak_dbtp)
    gain_db = min(target.integrated_lufs - unlimited_lufs, most_db)
    delivery = _at(gain_db, programme, target, most_db=most_db)
    slope = 1.0
    for _ in range(_MAX_STEPS):
        missing_lu = target.integrated_lufs - delivery.reached_lufs
        if abs(missing_lu) <= _EXACT_LU or (delivery.capped and missing_lu > 0.0):
            break
        # Limiting takes loudness, so the gain has to rise by more than what is missing.
        step_db = min(missing_lu / slope, most_db - delivery.gain_db)
        before_lufs = delivery.reached_lufs
        delivery = _at(delivery.gain_db + step_db, programme, target, most_db=most_db)
        slope = min(1.0, max(_LEAST_SLOPE, (delivery.reached_lufs - before_lufs) / step_db))
    return delivery


def _at(
    gain_db: float, programme: Programme, target: LoudnessTarget, *, most_db: float
) -> Delivery:
    """What a gain leads to; the reduction moves so slowly that it multiplies the power."""
    powers = np.zeros_like(programme.powers)
    at, deepest_db = 0, 0.0
    for part_db in reductions(
        programme.envelope, gain_db=gain_db, ceiling_dbtp=target.true_peak_dbtp
    ):
        deepest_db = max(deepest_db, float(part_db.max()))
        hops = min(len(part_db) // _HOPS_PER_POWER, len(powers) - at)
        share = np.exp(part_db[: hops * _HOPS_PER_POWER] * _DB_TO_LOG_POWER)
        powers[at : at + hops] = share.reshape(hops, _HOPS_PER_POWER).mean(axis=1, dtype=np.float64)
        at += hops
    powers *= programme.powers * 10.0 ** (gain_db / 10.0)
    reached_lufs = integrated_lufs(powers)
    return Delivery(
        gain_db=gain_db,
        capped=gain_db >= most_db,
        deepest_db=deepest_db,
        reached_lufs=-math.inf if reached_lufs is None else reached_lufs,
    )
