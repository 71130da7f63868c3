"""Mix: the programme, its loudness and its ceiling."""

from __future__ import annotations

import tracemalloc
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import soundfile

from scorebed.dsp.gain import curve_gain
from scorebed.dsp.loudness import measure
from scorebed.model import (
    Artifact,
    Audio,
    Ducked,
    GainCurve,
    Levelled,
    Loudness,
    LoudnessTarget,
    Mixed,
    PowerSeries,
    Stem,
    no_progress,
)
from scorebed.stages.mix import mix
from scorebed.wav import write_wav

RATE_HZ = 48_000
LENGTH = 8 * RATE_HZ
UNKNOWN = Loudness(integrated_lufs=None, true_peak_dbtp=None, range_lu=None)
UNREAD = PowerSeries(file=Artifact(path=Path("unread"), sha256=""), first_hop=0)
"""Mix has no use for it."""
CURVE = GainCurve(
    at_samples=(0, 2 * RATE_HZ, 3 * RATE_HZ, 5 * RATE_HZ, 6 * RATE_HZ),
    gains_db=(0.0, 0.0, -15.0, -15.0, 0.0),
)
FLAT = GainCurve(at_samples=(0,), gains_db=(0.0,))


def noise(seed: int, rms_dbfs: float, channels: int, length: int = LENGTH) -> Audio:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((length, channels)) * 10 ** (rms_dbfs / 20)).astype(np.float32)


def stem(
    folder: Path, kind: str, audio: Audio, *, start_samples: int = 0, gain_db: float = 0.0
) -> Stem:
    length, channels = audio.shape
    artifact = write_wav(folder / f"{kind}.wav", [audio], channels=channels, length_samples=length)
    return Stem(
        kind="DX" if kind == "DX" else "MX",
        audio=artifact,
        start_samples=start_samples,
        length_samples=length,
        channels=channels,
        gain_db=gain_db,
    )


def run(
    folder: Path,
    mx: Stem,
    dx: Stem | None,
    *,
    curve: GainCurve = CURVE,
    target: tuple[float, float] = (-14.0, -1.0),
    picture_samples: int = LENGTH,
) -> tuple[Mixed, Audio]:
    levelled = Levelled(
        mx=mx, mx_powers=UNREAD, dx=dx, dx_powers=UNREAD, mx_loudness=UNKNOWN, speech_lufs=None
    )
    mixed = mix(
        levelled,
        Ducked(curve=curve, phrases=()),
        LoudnessTarget(integrated_lufs=target[0], true_peak_dbtp=target[1]),
        picture_samples,
        folder=folder,
        progress=no_progress,
    )
    audio, rate_hz = soundfile.read(mixed.mix.audio.path, dtype="float32", always_2d=True)
    assert rate_hz == RATE_HZ
    assert audio.shape == (mixed.mix.length_samples, mixed.mix.channels)
    found = asdict(measure([audio], mixed.mix.channels))
    assert asdict(mixed.loudness) == pytest.approx(found, abs=1e-5)
    return mixed, audio


@pytest.mark.parametrize(("channels", "expected"), [(1, 2), (2, 2), (6, 6), (8, 8)])
def test_mix_minus_stems_is_silence(tmp_path: Path, channels: int, expected: int) -> None:
    dx, mx = noise(1, -30, channels), noise(2, -30, 2)
    mixed, audio = run(
        tmp_path,
        stem(tmp_path, "MX", mx, gain_db=6.0),
        stem(tmp_path, "DX", dx, gain_db=-2.0),
        target=(-24.0, -1.0),
    )
    assert mixed.limited_db == 0.0
    assert mixed.mix.channels == expected
    assert mixed.loudness.integrated_lufs == pytest.approx(-24.0, abs=0.01)
    rest = audio / 10 ** (mixed.gain_db / 20)
    rest = (
        rest - np.repeat(dx, 2, axis=1) * 10 ** (-2 / 20)
        if channels == 1
        else (rest - dx * 10 ** (-2 / 20))
    )
    rest[:, :2] -= mx * 10 ** (6 / 20) * curve_gain(CURVE, 0, LENGTH)[:, np.newaxis]
    assert np.abs(rest).max() < 10 ** (-110 / 20)


def test_music_alone_is_stereo_of_the_picture(tmp_path: Path) -> None:
    mixed, audio = run(tmp_path, stem(tmp_path, "MX", noise(1, -20, 2)), None, curve=FLAT)
    assert audio.shape == (LENGTH, 2)
    assert mixed.mix.start_samples == 0
    assert mixed.mix.kind == "MIX"


@pytest.mark.parametrize(
    ("start", "picture", "expected"),
    [(-4_800, LENGTH, (-4_800, LENGTH)), (100, LENGTH, (0, LENGTH + 100)), (0, 100, (0, LENGTH))],
)
def test_covers_picture_and_production_audio(
    tmp_path: Path, start: int, picture: int, expected: tuple[int, int]
) -> None:
    dx = noise(1, -30, 2)
    mixed, audio = run(
        tmp_path,
        stem(tmp_path, "MX", np.zeros((picture, 2), np.float32)),
        stem(tmp_path, "DX", dx, start_samples=start),
        target=(-30.0, -1.0),
        picture_samples=picture,
    )
    assert (mixed.mix.start_samples, mixed.mix.end_samples) == expected
    at = start - expected[0]
    gain = np.float32(10 ** (mixed.gain_db / 20))
    assert np.abs(audio[at : at + LENGTH] - dx * gain).max() < 1e-6


@pytest.mark.parametrize("target", [(-14.0, -1.0), (-12.0, -2.0), (-23.0, -1.0), (-16.0, -1.5)])
def test_loudness_and_ceiling(tmp_path: Path, target: tuple[float, float]) -> None:
    """Speech-like bursts with hard clicks over music."""
    dx, mx = noise(1, -28, 1), noise(2, -24, 2)
    dx *= (np.sin(np.arange(LENGTH) / RATE_HZ * 9)[:, np.newaxis] > 0).astype(np.float32)
    dx[::30_001] = 0.9
    mixed, _ = run(tmp_path, stem(tmp_path, "MX", mx), stem(tmp_path, "DX", dx), target=target)
    assert mixed.loudness.integrated_lufs == pytest.approx(target[0], abs=0.1)
    assert mixed.loudness.true_peak_dbtp is not None
    assert mixed.loudness.true_peak_dbtp <= target[1]
    assert mixed.limited_db >= 0.0


@pytest.mark.parametrize("length", [100, 10_000, LENGTH])
def test_silence_keeps_its_gain(tmp_path: Path, length: int) -> None:
    silence = np.zeros((length, 2), dtype=np.float32)
    mixed, audio = run(
        tmp_path,
        stem(tmp_path, "MX", silence),
        stem(tmp_path, "DX", silence),
        picture_samples=length,
    )
    assert (mixed.gain_db, mixed.limited_db) == (0.0, 0.0)
    assert mixed.loudness == UNKNOWN
    assert not audio.any()


def test_too_short_for_loudness_keeps_under_the_ceiling(tmp_path: Path) -> None:
    loud = np.full((10_000, 1), 1.2, dtype=np.float32)
    mx = stem(tmp_path, "MX", np.zeros((10_000, 2), np.float32))
    mixed, _ = run(tmp_path, mx, stem(tmp_path, "DX", loud), picture_samples=10_000)
    assert mixed.gain_db == 0.0
    assert mixed.loudness.true_peak_dbtp is not None
    assert mixed.loudness.true_peak_dbtp <= -1.0


def test_next_to_silence_the_gain_is_capped(tmp_path: Path) -> None:
    mixed, _ = run(tmp_path, stem(tmp_path, "MX", noise(1, -66, 2)), None)
    assert mixed.gain_db == 30.0
    assert mixed.loudness.integrated_lufs is not None
    assert mixed.loudness.integrated_lufs < -30.0


def test_two_runs_are_the_same_file(tmp_path: Path) -> None:
    mx, dx = stem(tmp_path, "MX", noise(1, -10, 2)), stem(tmp_path, "DX", noise(2, -12, 2))
    (tmp_path / "again").mkdir()
    first, _ = run(tmp_path, mx, dx)
    second, _ = run(tmp_path / "again", mx, dx)
    assert first.mix.audio.sha256 == second.mix.audio.sha256
    assert [path.name for path in (tmp_path / "again").iterdir()] == ["MIX.wav"]


def test_memory_does_not_grow_with_the_programme(tmp_path: Path) -> None:
    minutes = 1
    block = noise(1, -20, 2, 60 * RATE_HZ)
    length = len(block) * minutes
    artifact = write_wav(tmp_path / "MX.wav", [block] * minutes, channels=2, length_samples=length)
    music = Stem(kind="MX", audio=artifact, start_samples=0, length_samples=length, channels=2)
    levelled = Levelled(
        mx=music, mx_powers=UNREAD, dx=None, dx_powers=UNREAD, mx_loudness=UNKNOWN, speech_lufs=None
    )
    target = LoudnessTarget(integrated_lufs=-10.0, true_peak_dbtp=-1.0)
    shares: list[float] = []
    tracemalloc.start()
    mix(
        levelled,
        Ducked(curve=FLAT, phrases=()),
        target,
        length,
        folder=tmp_path,
        progress=shares.append,
    )
    _, highest_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert highest_bytes < 15_000_000  # the programme is 23 MB
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
