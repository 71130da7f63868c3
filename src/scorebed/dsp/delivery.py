"""The static gain that brings a programme to its delivery loudness through the limiter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from scorebed.dsp.gain import MAX_STATIC_GAIN_DB, gain_to_db
from scorebed.dsp.limiter import reduction
from scorebed.dsp.loudness import POWER_HOP_SAMPLES, integrated_lufs
from scorebed.dsp.peak import HOP_SAMPLES

if TYPE_CHECKING:
    from scorebed.model import LoudnessTarget

MAX_REDUCTION_DB: Final = 20.0
"""Most that the limiter may take from a peak; a programme that needs more is delivered lower."""
_EXACT_LU: Final = 0.005
_MAX_STEPS: Final = 12
_LEAST_SLOPE: Final = 0.1
"""Keeps a step bounded where limiting eats nearly all of a rise."""
_HOPS_PER_POWER: Final = POWER_HOP_SAMPLES // HOP_SAMPLES


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
    reduction_db: NDArray[np.float32]
    """Gain reduction per hop, in dB."""
    capped: bool
    """Whether the gain is the most that is allowed."""

    @property
    def deepest_db(self) -> float:
        """Deepest gain reduction, in dB."""
        return float(self.reduction_db.max(initial=0.0))


def limited_lufs(programme: Programme, delivery: Delivery) -> float:
    """Loudness that the programme will have, by arithmetic on its power series.

    ``-inf`` when nothing of it passes the gate.

    The reduction moves slowly against the K-weighting, so that it multiplies the power.
    """
    hops = len(programme.powers)
    share = delivery.reduction_db[: hops * _HOPS_PER_POWER] * np.float32(-math.log(10.0) / 10.0)
    np.exp(share, out=share)
    share = share.reshape(hops, _HOPS_PER_POWER).mean(axis=1, dtype=np.float64)
    reached_lufs = integrated_lufs(programme.powers * share * 10.0 ** (delivery.gain_db / 10.0))
    return -math.inf if reached_lufs is None else reached_lufs


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
    most_db = min(MAX_STATIC_GAIN_DB, target.true_peak_dbtp + MAX_REDUCTION_DB - peak_dbtp)
    gain_db = min(target.integrated_lufs - unlimited_lufs, most_db)
    delivery = _at(gain_db, programme, target, most_db=most_db)
    reached_lufs = limited_lufs(programme, delivery)
    slope = 1.0
    for _ in range(_MAX_STEPS):
        missing_lu = target.integrated_lufs - reached_lufs
        if abs(missing_lu) <= _EXACT_LU or (delivery.capped and missing_lu > 0.0):
            break
        # Limiting takes loudness, so the gain has to rise by more than what is missing.
        step_db = min(missing_lu / slope, most_db - delivery.gain_db)
        delivery = _at(delivery.gain_db + step_db, programme, target, most_db=most_db)
        before_lufs, reached_lufs = reached_lufs, limited_lufs(programme, delivery)
        slope = min(1.0, max(_LEAST_SLOPE, (reached_lufs - before_lufs) / step_db))
    return delivery


def _at(
    gain_db: float, programme: Programme, target: LoudnessTarget, *, most_db: float
) -> Delivery:
    reduction_db = reduction(
        programme.envelope, gain_db=gain_db, ceiling_dbtp=target.true_peak_dbtp
    )
    return Delivery(gain_db=gain_db, reduction_db=reduction_db, capped=gain_db >= most_db)
