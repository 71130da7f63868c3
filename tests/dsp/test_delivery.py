"""The delivery gain."""

from __future__ import annotations

import numpy as np
import pytest

from scorebed.dsp.delivery import Delivery, Programme, deliver
from scorebed.dsp.gain import MAX_STATIC_GAIN_DB
from scorebed.dsp.limiter import limit, reductions
from scorebed.dsp.loudness import measure, power_series
from scorebed.dsp.peak import peak_envelope
from scorebed.model import Audio, Loudness, LoudnessTarget

RATE_HZ = 48_000


def noise(seed: int, rms_dbfs: float, seconds: float = 10.0) -> Audio:
    rng = np.random.default_rng(seed)
    samples = rng.standard_normal((round(seconds * RATE_HZ), 2))
    return (samples * 10 ** (rms_dbfs / 20)).astype(np.float32)


def delivered(
    audio: Audio, target_lufs: float, ceiling_dbtp: float, max_limiting_db: float = 20.0
) -> tuple[Delivery, Loudness]:
    programme = Programme(powers=power_series([audio], 2), envelope=peak_envelope([audio], 2))
    target = LoudnessTarget(
        integrated_lufs=target_lufs,
        true_peak_dbtp=ceiling_dbtp,
        max_limiting_db=max_limiting_db,
    )
    delivery = deliver(programme, target)
    reductions_db = reductions(
        programme.envelope, gain_db=delivery.gain_db, ceiling_dbtp=ceiling_dbtp
    )
    blocks = limit([audio], reductions_db, gain_db=delivery.gain_db)
    return delivery, measure(blocks, 2)


@pytest.mark.parametrize("target_lufs", [-27.0, -23.0, -16.0])
def test_without_limiting_the_gain_is_the_difference(target_lufs: float) -> None:
    audio = noise(1, -30)
    delivery, loudness = delivered(audio, target_lufs, -1.0)
    before_lufs = measure([audio], 2).integrated_lufs
    assert before_lufs is not None
    assert delivery.gain_db == pytest.approx(target_lufs - before_lufs, abs=1e-9)
    assert delivery.deepest_db == 0.0
    assert loudness.integrated_lufs == pytest.approx(target_lufs, abs=0.001)


@pytest.mark.parametrize("target_lufs", [-14.0, -11.0, -9.0])
def test_limited_programmes_reach_the_target_at_once(target_lufs: float) -> None:
    audio = noise(2, -30)
    audio[RATE_HZ * 2 : RATE_HZ * 4] *= np.float32(3.0)
    delivery, loudness = delivered(audio, target_lufs, -2.0)
    assert delivery.deepest_db > 1.0
    assert not delivery.capped
    assert loudness.integrated_lufs == pytest.approx(target_lufs, abs=0.1)
    assert loudness.true_peak_dbtp is not None
    assert loudness.true_peak_dbtp <= -2.0


def test_next_to_silence_the_gain_is_capped() -> None:
    delivery, loudness = delivered(noise(3, -60), -14.0, -1.0)
    assert delivery.gain_db == MAX_STATIC_GAIN_DB
    assert delivery.capped
    assert loudness.integrated_lufs is not None
    assert loudness.integrated_lufs < -20.0


@pytest.mark.parametrize("max_limiting_db", [6.0, 20.0])
def test_the_limiter_is_not_asked_for_more_than_its_allowance(max_limiting_db: float) -> None:
    audio = noise(4, -60)
    audio[RATE_HZ, 0] = 0.9
    delivery, loudness = delivered(audio, -14.0, -1.0, max_limiting_db)
    assert delivery.capped
    assert delivery.deepest_db == pytest.approx(max_limiting_db, abs=0.2)
    assert loudness.integrated_lufs is not None
    assert loudness.integrated_lufs < -30.0
    assert loudness.true_peak_dbtp is not None
    assert loudness.true_peak_dbtp <= -1.0


@pytest.mark.parametrize("samples", [0, 100, 10_000])
def test_without_loudness_only_the_ceiling_counts(samples: int) -> None:
    audio = np.full((samples, 2), 1.5, dtype=np.float32)
    delivery, loudness = delivered(audio, -14.0, -1.0)
    assert delivery.gain_db == 0.0
    if samples:
        assert loudness.true_peak_dbtp is not None
        assert loudness.true_peak_dbtp <= -1.0


def test_silence_is_left_alone() -> None:
    delivery, loudness = delivered(np.zeros((RATE_HZ, 2), dtype=np.float32), -14.0, -1.0)
    assert delivery.gain_db == 0.0
    assert loudness.integrated_lufs is None
