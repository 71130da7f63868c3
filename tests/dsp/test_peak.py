"""True peak against EBU Tech 3341, libebur128 and scipy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyebur128
import pytest
from scipy.signal import firwin, resample_poly, upfirdn

from scorebed.dsp.peak import HOP_SAMPLES, PeakFollower, peak_envelope

if TYPE_CHECKING:
    from scorebed.model import Audio

RATE_HZ = 48_000


def peak_tone(divisor: int, amplitude: float, phase_deg: float) -> Audio:
    """EBU's tones of cases 15-19: 10 ms fades, a frequency of fs over ``divisor``."""
    at = np.arange(RATE_HZ)
    fade = np.clip(np.minimum(at, at[::-1]) / 480, 0, 1)
    tone = amplitude * fade * np.sin(2 * np.pi * at / divisor + np.deg2rad(phase_deg))
    return np.repeat(tone[:, np.newaxis], 2, axis=1).astype(np.float32)


def true_peak_dbtp(audio: Audio) -> float:
    return float(20 * np.log10(peak_envelope([audio], audio.shape[1]).max()))


def nasty(kind: str) -> Audio:
    """Material that hides peaks between samples."""
    rng = np.random.default_rng(5)
    shape = (RATE_HZ, 2)
    at = np.arange(RATE_HZ)[:, np.newaxis]
    made = {
        "noise": rng.uniform(-1, 1, shape),
        "signs": rng.choice([-1.0, 1.0], shape),
        "square": np.sign(np.sin(2 * np.pi * 997 * at / RATE_HZ)) * np.ones((1, 2)),
        "clicks": np.where(rng.random(shape) < 0.001, rng.choice([-1.0, 1.0], shape), 0.0),
        "fs4": peak_tone(4, 1.41, 45),
        "bass": np.sin(2 * np.pi * 40 * at / RATE_HZ) * np.ones((1, 2)),
    }
    return np.asarray(made[kind]).astype(np.float32)


@pytest.mark.parametrize(
    ("tone", "expected"),
    [
        pytest.param((4, 0.50, 0), -6.0, id="15"),
        pytest.param((4, 0.50, 45), -6.0, id="16"),
        pytest.param((6, 0.50, 60), -6.0, id="17"),
        pytest.param((8, 0.50, 67.5), -6.0, id="18"),
        pytest.param((4, 1.41, 45), 3.0, id="19"),
    ],
)
def test_tech_3341_tones(tone: tuple[int, float, float], expected: float) -> None:
    assert expected - 0.4 <= true_peak_dbtp(peak_tone(*tone)) <= expected + 0.2


@pytest.mark.parametrize("offset", range(4))
def test_tech_3341_cases_20_to_23(offset: int) -> None:
    """One period at fs/4 of full scale in a tone at fs/6, made at 4 fs and decimated."""
    period = np.sin(2 * np.pi * np.arange(4 * 4) / (4 * 4))
    tone = 0.5 * np.sin(2 * np.pi * np.arange(24 * 2000) / 24)
    middle = 24 * 1000
    whole = np.concatenate([tone[:middle], period, tone[middle:]])
    edge = 480 * 4
    whole *= np.clip(np.minimum(np.arange(len(whole)), np.arange(len(whole))[::-1]) / edge, 0, 1)
    filtered = upfirdn(firwin(513, 0.25, window=("kaiser", 8.0)), whole)
    audio = filtered[offset::4].astype(np.float32)[:, np.newaxis]
    assert -0.4 <= true_peak_dbtp(audio) <= 0.2


@pytest.mark.parametrize("kind", ["noise", "signs", "square", "clicks", "fs4"])
def test_reads_no_lower_than_other_meters(kind: str) -> None:
    audio = nasty(kind)
    state = pyebur128.R128State(2, RATE_HZ, pyebur128.MeasurementMode.MODE_TRUE_PEAK)
    state.add_frames(audio.reshape(-1), len(audio))
    libebur128 = max(pyebur128.get_true_peak(state, channel) for channel in range(2))
    scipy8 = np.abs(resample_poly(audio.astype(np.float64), 8, 1, axis=0)).max()
    ours = peak_envelope([audio], 2).max()
    assert 20 * np.log10(ours / max(libebur128, scipy8)) > -0.02


def test_is_flat_up_to_20_khz() -> None:
    at = np.arange(RATE_HZ // 4)
    for frequency_hz in (100, 5_000, 11_111, 17_777, 20_000):
        tone = np.hanning(len(at)) * np.sin(2 * np.pi * frequency_hz * at / RATE_HZ)
        audio = tone.astype(np.float32)[:, np.newaxis]
        assert true_peak_dbtp(audio) == pytest.approx(0.0, abs=0.1)


def test_envelope_says_where() -> None:
    audio = np.zeros((HOP_SAMPLES * 1000, 2), dtype=np.float32)
    audio[HOP_SAMPLES * 700 + 7, 1] = 0.5
    envelope = peak_envelope([audio], 2)
    assert len(envelope) == 1000
    assert int(envelope.argmax()) == 700
    assert envelope[700] == pytest.approx(0.5, abs=0.02)
    assert not envelope[:699].any()
    assert not envelope[702:].any()


def test_envelope_scales_with_gain() -> None:
    audio = nasty("noise")
    assert peak_envelope([audio * np.float32(0.25)], 2) == pytest.approx(
        peak_envelope([audio], 2) * 0.25, rel=1e-5
    )


@pytest.mark.parametrize("size", [1, 59, 61, 4_096, 100_000])
def test_does_not_depend_on_the_cut(size: int) -> None:
    audio = nasty("noise")[: 200 * size]
    cut = (audio[at : at + size] for at in range(0, len(audio), size))
    assert np.array_equal(peak_envelope(cut, 2), peak_envelope([audio], 2))


@pytest.mark.parametrize("kind", ["noise", "signs", "square", "clicks", "fs4", "bass"])
def test_highest_only_finds_the_same_highest(kind: str) -> None:
    audio = nasty(kind)
    audio[: RATE_HZ // 2] *= np.float32(0.1)
    follower = PeakFollower(2, span_db=0.0)
    for at in range(0, len(audio), 1_000):
        follower.add(audio[at : at + 1_000])
    assert follower.highest == pytest.approx(float(peak_envelope([audio], 2).max()), rel=1e-6)


@pytest.mark.parametrize("kind", ["noise", "signs", "square", "clicks", "fs4", "bass"])
@pytest.mark.parametrize("above", [np.inf, 0.05])
def test_within_the_span_every_peak_is_exact(kind: str, above: float) -> None:
    audio = nasty(kind)
    audio[: RATE_HZ // 2] *= np.float32(0.1)
    whole = peak_envelope([audio], 2)
    follower = PeakFollower(2, span_db=6.0, above=above)
    parts = [follower.add(audio[at : at + 1_000]) for at in range(0, len(audio), 1_000)]
    found = np.concatenate([*parts, follower.rest()])
    near = whole >= min(above, 10 ** (-6 / 20) * whole.max()) + 1e-6
    assert near.any()
    assert np.allclose(found[near], whole[near], rtol=1e-6)
    assert (found <= whole + 1e-6).all()
    assert follower.highest == pytest.approx(float(whole.max()), rel=1e-6)


def test_nothing_has_no_peak() -> None:
    follower = PeakFollower(2)
    assert follower.highest == 0.0
    assert len(peak_envelope([], 2)) == 0
    assert len(peak_envelope([np.zeros((1, 2), dtype=np.float32)], 2)) == 1
