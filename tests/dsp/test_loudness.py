"""The meter against EBU Tech 3341/3342, pyloudnorm and libebur128."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pyebur128
import pyloudnorm
import pytest
import soundfile

from scorebed.dsp.loudness import (
    MOMENTARY_HOPS,
    Meter,
    highest_lufs,
    integrated_lufs,
    measure,
    momentary_lufs,
    power_series,
    range_lu,
    short_term_lufs,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scorebed.model import Audio

RATE_HZ = 48_000


def tones(*steps: tuple[float, float], channels: int = 2) -> Audio:
    """A 1 kHz tone of several (level in dBFS peak, seconds), in phase on all channels."""
    levels = np.concatenate(
        [np.full(round(seconds * RATE_HZ), 10 ** (level / 20)) for level, seconds in steps]
    )
    tone = np.sin(2 * np.pi * 1000 * np.arange(len(levels)) / RATE_HZ) * levels
    return np.repeat(tone[:, np.newaxis], channels, axis=1).astype(np.float32)


def cut(audio: Audio, size: int = 65_536) -> Iterator[Audio]:
    for at in range(0, len(audio), size):
        yield audio[at : at + size]


def programme(seed: int, seconds: float, channels: int) -> Audio:
    """Noise that swells and falls, different in each channel."""
    rng = np.random.default_rng(seed)
    samples = round(seconds * RATE_HZ)
    swell = np.interp(np.arange(samples), np.linspace(0, samples, 9), rng.uniform(-40, -12, 9))
    noise = rng.standard_normal((samples, channels)) * 10 ** (swell / 20)[:, np.newaxis]
    return noise.astype(np.float32)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param([(-23, 20)], -23.0, id="1"),
        pytest.param([(-33, 20)], -33.0, id="2"),
        pytest.param([(-36, 10), (-23, 60), (-36, 10)], -23.0, id="3"),
        pytest.param([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23.0, id="4"),
        pytest.param([(-26, 20), (-20, 20.1), (-26, 20)], -23.0, id="5"),
    ],
)
def test_tech_3341_integrated(steps: list[tuple[float, float]], expected: float) -> None:
    loudness = measure(cut(tones(*steps)), 2, true_peak=False)
    assert loudness.integrated_lufs == pytest.approx(expected, abs=0.1)
    assert loudness.true_peak_dbtp is None


@pytest.mark.parametrize("level", [-23.0, -33.0])
def test_tech_3341_cases_1_and_2_momentary_and_short_term(level: float) -> None:
    powers = power_series(cut(tones((level, 20))), 2)
    assert short_term_lufs(powers)[-1] == pytest.approx(level, abs=0.1)
    assert momentary_lufs(powers)[-1] == pytest.approx(level, abs=0.1)


@pytest.mark.parametrize("lfe", [True, False])
def test_tech_3341_case_6_surround(lfe: bool) -> None:  # noqa: FBT001
    levels = [-28, -28, -24, -30, -30]
    if lfe:
        levels.insert(3, 0)  # a loud LFE that must not count
    audio = np.concatenate([tones((level, 20), channels=1) for level in levels], axis=1)
    loudness = measure(cut(audio), len(levels), true_peak=False)
    assert loudness.integrated_lufs == pytest.approx(-23.0, abs=0.1)


def test_tech_3341_case_9_short_term_is_constant() -> None:
    audio = tones(*[(-20, 1.34), (-30, 1.66)] * 5)
    assert short_term_lufs(power_series(cut(audio), 2)) == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize("index", range(1, 21))
def test_tech_3341_case_10_highest_short_term(index: int) -> None:
    audio = tones((-300, (index - 1) * 0.15), (-23, 3), (-300, 1))
    loudness = measure(cut(audio), 2, true_peak=False)
    assert loudness.short_term_max_lufs == pytest.approx(-23.0, abs=0.1)


def _bursts(step_s: float, tone_s: float) -> tuple[Audio, list[int]]:
    """Cases 11 and 14: tones of -38 to -19, each 1 dB louder; and where each has ended."""
    bursts = [((-300, (i - 1) * step_s), (-39 + i, tone_s), (-300, 1)) for i in range(1, 21)]
    ends_s = np.cumsum([(i - 1) * step_s + tone_s + 1 for i in range(1, 21)])
    audio = tones(*[step for burst in bursts for step in burst])
    return audio, [round(end_s * RATE_HZ) for end_s in ends_s]


@pytest.mark.parametrize(
    ("case", "step_s", "tone_s"), [("short_term", 0.15, 3.0), ("momentary", 0.02, 0.4)]
)
def test_tech_3341_cases_11_and_14_the_highest_rises_with_each_burst(
    case: str, step_s: float, tone_s: float
) -> None:
    audio, ends = _bursts(step_s, tone_s)
    meter = Meter(2, true_peak=False)
    begun = 0
    for i, end in enumerate(ends):
        meter.add(audio[begun:end])
        begun = end
        highest = getattr(meter.loudness(), f"{case}_max_lufs")
        assert highest == pytest.approx(-38.0 + i, abs=0.1)


def test_tech_3341_case_12_momentary_is_constant() -> None:
    audio = tones(*[(-20, 0.18), (-30, 0.22)] * 25)
    momentary = momentary_lufs(power_series(cut(audio), 2))
    assert momentary[100:] == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize("index", range(1, 21))
def test_tech_3341_case_13_highest_momentary(index: int) -> None:
    audio = tones((-300, (index - 1) * 0.02), (-23, 0.4), (-300, 1))
    powers = power_series(cut(audio), 2)
    assert highest_lufs(powers, MOMENTARY_HOPS) == pytest.approx(-23.0, abs=0.1)
    assert measure(cut(audio), 2).momentary_max_lufs == highest_lufs(powers, MOMENTARY_HOPS)


def test_a_hop_of_100_ms_would_fail_case_13() -> None:
    """So that the test above could fail: its bursts lie between the windows of a coarse meter."""
    audio = tones((-300, 9 * 0.02), (-23, 0.4), (-300, 1))
    assert momentary_lufs(power_series(cut(audio), 2), step_hops=10).max() < -23.1


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([-20, -30], 10.0),
        ([-20, -15], 5.0),
        ([-40, -20], 20.0),
        ([-50, -35, -20, -35, -50], 15.0),
    ],
)
def test_tech_3342_range(levels: list[float], expected: float) -> None:
    powers = power_series(cut(tones(*[(level, 20) for level in levels])), 2)
    assert range_lu(powers) == pytest.approx(expected, abs=1.0)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_agrees_with_pyloudnorm(channels: int) -> None:
    audio = programme(1, 20, channels)
    reference = np.repeat(audio, 2, axis=1) if channels == 1 else audio
    expected = pyloudnorm.Meter(RATE_HZ).integrated_loudness(reference.astype(np.float64))
    assert measure(cut(audio), channels).integrated_lufs == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_libebur128(seed: int) -> None:
    audio = programme(seed, 60, 2)
    mode = pyebur128.MeasurementMode
    state = pyebur128.R128State(2, RATE_HZ, mode.MODE_I | mode.MODE_LRA)
    state.add_frames(audio.reshape(-1), len(audio))
    loudness = measure(cut(audio), 2)
    expected = pyebur128.get_loudness_global(state)
    assert loudness.integrated_lufs == pytest.approx(expected, abs=0.001)
    assert loudness.range_lu == pytest.approx(pyebur128.get_loudness_range(state), abs=0.5)


def test_mono_counts_as_dual_mono() -> None:
    audio = programme(2, 5, 1)
    both = np.repeat(audio, 2, axis=1)
    mono, stereo = measure(cut(audio), 1), measure(cut(both), 2)
    assert mono.integrated_lufs == pytest.approx(stereo.integrated_lufs, abs=0.01)
    assert mono.true_peak_dbtp == stereo.true_peak_dbtp


@pytest.mark.parametrize(
    ("channels", "gains_lu"),
    [(6, [0, 0, 0, None, 1.49, 1.49]), (8, [0, 0, 0, None, 1.49, 1.49, 1.49, 1.49])],
)
def test_channel_weights(channels: int, gains_lu: list[float | None]) -> None:
    for channel, gain_lu in enumerate(gains_lu):
        audio = np.zeros((RATE_HZ, channels), dtype=np.float32)
        audio[:, channel] = tones((-20, 1), channels=1)[:, 0]
        loudness = measure(cut(audio), channels).integrated_lufs
        if gain_lu is None:
            assert loudness is None
        else:
            assert loudness == pytest.approx(-23.0 + gain_lu, abs=0.1)


@pytest.mark.parametrize("samples", [0, 1, 100, 19_199])
def test_shorter_than_a_gating_block_has_no_loudness(samples: int) -> None:
    loudness = measure(cut(tones((-10, 1))[:samples]), 2)
    assert loudness.integrated_lufs is None
    assert loudness.range_lu is None
    assert loudness.momentary_max_lufs is None
    assert loudness.short_term_max_lufs is None


def test_shorter_than_3_s_has_no_short_term_loudness() -> None:
    loudness = measure(cut(tones((-20, 2.99))), 2)
    assert loudness.momentary_max_lufs == pytest.approx(-20.0, abs=0.1)
    assert loudness.short_term_max_lufs is None


def test_silence_has_no_figures() -> None:
    loudness = measure(cut(np.zeros((RATE_HZ * 5, 2), dtype=np.float32)), 2)
    assert loudness.integrated_lufs is None
    assert loudness.true_peak_dbtp is None
    assert loudness.range_lu is None
    assert loudness.momentary_max_lufs is None
    assert loudness.short_term_max_lufs is None
    assert integrated_lufs(np.zeros(1000)) is None


@pytest.mark.parametrize("size", [1_000, 4_801, 300_000])
def test_does_not_depend_on_the_cut(size: int) -> None:
    audio = programme(3, 6, 2)
    assert measure(cut(audio, size), 2) == measure(cut(audio), 2)


def test_memory_does_not_grow_with_the_programme() -> None:
    block = programme(4, 1, 2)
    meter = Meter(2)
    for _ in range(5):
        meter.add(block)
    tracemalloc.start()
    for _ in range(60):
        meter.add(block)
    _, highest_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert highest_bytes < 6_000_000


OFFICIAL = {
    "seq-3341-1-16bit.wav": ("integrated_lufs", -23.0, 0.1, 0.1),
    "seq-3341-2-16bit.wav": ("integrated_lufs", -33.0, 0.1, 0.1),
    "1kHz Sine -20 LUFS-16bit.wav": ("integrated_lufs", -20.0, 0.1, 0.1),
    "1kHz Sine -26 LUFS-16bit.wav": ("integrated_lufs", -26.0, 0.1, 0.1),
    "1kHz Sine -40 LUFS-16bit.wav": ("integrated_lufs", -40.0, 0.1, 0.1),
    "1770-2_Comp_AbsGateTest.wav": ("integrated_lufs", -69.5, 0.1, 0.1),
    "1770-2_Comp_RelGateTest.wav": ("integrated_lufs", -10.0, 0.1, 0.1),
    "seq-3341-10-3-24bit.wav": ("short_term_max_lufs", -23.0, 0.1, 0.1),
    "seq-3341-12-24bit.wav": ("momentary_max_lufs", -23.0, 0.1, 0.1),
    "seq-3341-13-3-24bit.wav": ("momentary_max_lufs", -23.0, 0.1, 0.1),
    "seq-3341-15-24bit.wav.wav": ("true_peak_dbtp", -6.0, 0.4, 0.2),
    "seq-3341-16-24bit.wav.wav": ("true_peak_dbtp", -6.0, 0.4, 0.2),
    "seq-3341-17-24bit.wav.wav": ("true_peak_dbtp", -6.0, 0.4, 0.2),
    "seq-3341-18-24bit.wav.wav": ("true_peak_dbtp", -6.0, 0.4, 0.2),
    "seq-3341-19-24bit.wav.wav": ("true_peak_dbtp", 3.0, 0.4, 0.2),
}


@pytest.mark.media
@pytest.mark.parametrize("name", OFFICIAL)
def test_official_signals(media_dir: Path, name: str) -> None:
    field, expected, below, above = OFFICIAL[name]
    audio, rate_hz = soundfile.read(
        media_dir / "ebu_test_set" / name, dtype="float32", always_2d=True
    )
    assert rate_hz == RATE_HZ
    assert expected - below <= getattr(measure(cut(audio), 2), field) <= expected + above


@pytest.mark.media
def test_every_official_signal_is_looked_at(media_dir: Path) -> None:
    found = {path.name for path in (media_dir / "ebu_test_set").glob("*.wav")}
    assert found == OFFICIAL.keys()
