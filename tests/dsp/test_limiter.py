"""The limiter: the ceiling holds, nothing else changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyebur128
import pytest
from scipy.signal import resample_poly

from scorebed.dsp.limiter import limit, reductions
from scorebed.dsp.peak import HOP_SAMPLES, peak_envelope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from scorebed.model import Audio

RATE_HZ = 48_000
CEILING_DBTP = -1.0


def cut(audio: Audio, size: int) -> Iterator[Audio]:
    for at in range(0, len(audio), size):
        yield audio[at : at + size]


def limited(audio: Audio, gain_db: float = 0.0, size: int = 65_536) -> Audio:
    envelope = peak_envelope([audio], audio.shape[1])
    reductions_db = reductions(envelope, gain_db=gain_db, ceiling_dbtp=CEILING_DBTP)
    return np.concatenate(list(limit(cut(audio, size), reductions_db, gain_db=gain_db)))


def reduction(envelope: NDArray[np.float32], ceiling_dbtp: float) -> NDArray[np.float32]:
    return np.concatenate([*reductions(envelope, gain_db=0.0, ceiling_dbtp=ceiling_dbtp)])


def libebur128_dbtp(audio: Audio) -> float:
    channels = audio.shape[1]
    state = pyebur128.R128State(channels, RATE_HZ, pyebur128.MeasurementMode.MODE_TRUE_PEAK)
    state.add_frames(np.ascontiguousarray(audio).reshape(-1), len(audio))
    highest = max(pyebur128.get_true_peak(state, channel) for channel in range(channels))
    return float(20 * np.log10(highest))


def scipy_dbtp(audio: Audio) -> float:
    return float(20 * np.log10(np.abs(resample_poly(audio.astype(np.float64), 8, 1, axis=0)).max()))


def faded(audio: np.ndarray) -> Audio:
    """Without the steps at both ends, which every interpolator rings on differently."""
    edge = np.clip(np.minimum(np.arange(len(audio)), np.arange(len(audio))[::-1]) / 480, 0, 1)
    return (audio * edge[:, np.newaxis]).astype(np.float32)


def nasty(kind: str) -> Audio:
    rng = np.random.default_rng(11)
    shape = (RATE_HZ, 2)
    at = np.arange(RATE_HZ)[:, np.newaxis] / RATE_HZ
    both = np.ones((1, 2))
    clicks = np.where(rng.random(shape) < 0.0005, rng.choice([-1.0, 1.0], shape), 0.0)
    made = {
        "noise": rng.uniform(-1, 1, shape),
        "signs": rng.choice([-1.0, 1.0], shape),
        "square": np.sign(np.sin(2 * np.pi * 997 * at)) * both,
        "low square": np.sign(np.sin(2 * np.pi * 31 * at)) * both,
        "clicks": clicks,
        "clicks in a tone": clicks + 0.2 * np.sin(2 * np.pi * 200 * at),
        "fs/4 at 45 degrees": 1.41 * np.sin(2 * np.pi * 12_000 * at + np.pi / 4) * both,
        "bursts": rng.standard_normal(shape) * (np.sin(2 * np.pi * 9 * at) > 0.8),
        "bass": np.sin(2 * np.pi * 40 * at) * both,
        "one channel": np.hstack([rng.standard_normal((len(at), 1)), np.zeros((len(at), 1))]),
    }
    return faded(made[kind])


KINDS = [
    "noise",
    "signs",
    "square",
    "low square",
    "clicks",
    "clicks in a tone",
    "fs/4 at 45 degrees",
    "bursts",
    "bass",
    "one channel",
]


@pytest.mark.parametrize("gain_db", [0.0, 6.0, 18.0])
@pytest.mark.parametrize("kind", KINDS)
def test_the_ceiling_holds_on_every_meter(kind: str, gain_db: float) -> None:
    audio = limited(nasty(kind), gain_db)
    assert libebur128_dbtp(audio) <= CEILING_DBTP
    # Interpolators differ near half the sample rate; white noise has a tenth of a decibel of that.
    assert scipy_dbtp(audio) <= CEILING_DBTP + 0.1
    assert 20 * np.log10(peak_envelope([audio], 2).max()) <= CEILING_DBTP


@pytest.mark.parametrize("kind", KINDS)
def test_it_takes_no_more_than_needed(kind: str) -> None:
    audio = limited(nasty(kind), 6.0)
    assert 20 * np.log10(peak_envelope([audio], 2).max()) > CEILING_DBTP - 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_below_the_ceiling_bits_pass_untouched(kind: str) -> None:
    audio = nasty(kind)
    audio *= np.float32(0.89 / peak_envelope([audio], 2).max())
    assert np.array_equal(limited(audio), audio)


def test_far_from_the_peak_bits_pass_untouched() -> None:
    rng = np.random.default_rng(3)
    audio = (rng.standard_normal((4 * RATE_HZ, 2)) * 0.05).astype(np.float32)
    audio[RATE_HZ, 0] = 2.0
    result = limited(audio)
    assert np.array_equal(result[: RATE_HZ - 800], audio[: RATE_HZ - 800])
    assert np.array_equal(result[2 * RATE_HZ :], audio[2 * RATE_HZ :])
    assert not np.array_equal(result[RATE_HZ : 2 * RATE_HZ], audio[RATE_HZ : 2 * RATE_HZ])


def test_gain_alone_is_a_product() -> None:
    audio = nasty("bass") * np.float32(0.1)
    assert np.array_equal(limited(audio, 6.0), audio * np.float32(10 ** (6.0 / 20)))


@pytest.mark.parametrize("size", [37, 60, 6_000])
def test_does_not_depend_on_the_cut(size: int) -> None:
    audio = nasty("bursts")[: 200 * size]
    assert np.abs(limited(audio, 3.0, size) - limited(audio, 3.0)).max() < 1e-7


def test_a_steady_tone_is_not_distorted() -> None:
    """All peaks of a 40 Hz tone ask for the same: the gain must stand still between them."""
    at = np.arange(2 * RATE_HZ) / RATE_HZ
    tone = np.sin(2 * np.pi * 40 * at)[:, np.newaxis].astype(np.float32)
    result = limited(tone, 6.0)[RATE_HZ // 2 : -RATE_HZ // 2, 0]
    reference = tone[RATE_HZ // 2 : -RATE_HZ // 2, 0]
    scale = float(result @ reference / (reference @ reference))
    assert 20 * np.log10(np.abs(result - scale * reference).max()) < -60


def test_gain_moves_without_steps() -> None:
    reduction_db = reduction(
        np.r_[np.full(500, 0.1), 2.0, np.full(2000, 0.1)].astype(np.float32),
        CEILING_DBTP,
    )
    ones = np.ones((len(reduction_db) * HOP_SAMPLES, 1), dtype=np.float32)
    gain_db = 20 * np.log10(next(limit([ones], [reduction_db], gain_db=0.0))[:, 0])
    assert gain_db.min() == pytest.approx(-(20 * np.log10(2.0) + 1.0 + 0.1), abs=0.01)
    assert np.abs(np.diff(gain_db)).max() < 0.05
    assert np.abs(np.diff(gain_db, 2)).max() < 1e-3
    first = int(np.flatnonzero(gain_db)[0])
    assert 0.005 < 500 * HOP_SAMPLES / RATE_HZ - first / RATE_HZ < 0.015
    assert gain_db[500 * HOP_SAMPLES + round(0.15 * RATE_HZ)] > -7.1 * np.exp(-0.8)
    assert gain_db[-1] == 0.0


def test_release_carries_over_long_programmes() -> None:
    envelope = np.zeros(200_000, dtype=np.float32)
    envelope[[65_530, 131_072]] = 2.0
    reduction_db = reduction(envelope, 0.0)
    alone = np.zeros(2_000, dtype=np.float32)
    alone[500] = 2.0
    expected = reduction(alone, 0.0)
    for at in (65_530, 131_072):
        assert reduction_db[at - 500 : at + 1_500] == pytest.approx(expected, abs=1e-4)


def test_the_gain_goes_on_over_long_programmes() -> None:
    envelope = np.full(66_000, 0.1, dtype=np.float32)
    envelope[[0, 65_530, 65_540, 65_999]] = 2.0
    ones = np.ones((len(envelope) * HOP_SAMPLES, 1), dtype=np.float32)
    (whole,) = limit([ones], [reduction(envelope, 0.0)], gain_db=0.0)
    for size in (7, 65_536, 10_000_001):
        tail = ones[:70_000] if size == 7 else ones
        blocks = limit(
            cut(tail, size), reductions(envelope, gain_db=0.0, ceiling_dbtp=0.0), gain_db=0.0
        )
        assert np.array_equal(np.concatenate([*blocks]), whole[: len(tail)])


def test_nothing_needs_no_reduction() -> None:
    assert not [*reductions(np.zeros(0, dtype=np.float32), gain_db=0.0, ceiling_dbtp=0.0)]
    assert not [*limit([], [], gain_db=0.0)]
