"""Level: static gains from measured loudness."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scorebed.dsp.loudness import integrated_lufs, measure, power_series
from scorebed.model import (
    Audio,
    Cue,
    LevelSettings,
    PictureCurve,
    Scene,
    SpeechRegion,
    SpottingNotes,
    Stem,
    TimeRange,
    no_progress,
)
from scorebed.stages.level import level
from scorebed.wav import read_stem, write_wav

if TYPE_CHECKING:
    from pathlib import Path

RATE_HZ = 48_000
SETTINGS = LevelSettings(music_lufs=-14.0, speech_lufs=-16.0)


def tone(*steps: tuple[float, float], channels: int = 2) -> Audio:
    """A 1 kHz tone of (loudness of the stereo tone in LUFS, seconds) steps."""
    peaks = np.concatenate([np.full(round(s * RATE_HZ), 10 ** (lufs / 20)) for lufs, s in steps])
    mono = np.sin(2 * np.pi * 1000 * np.arange(len(peaks)) / RATE_HZ) * peaks
    return np.repeat(mono[:, np.newaxis], channels, axis=1).astype(np.float32)


def stem(folder: Path, kind: str, audio: Audio, start_samples: int = 0) -> Stem:
    length, channels = audio.shape
    folder = folder / "in"
    folder.mkdir(exist_ok=True)
    artifact = write_wav(folder / f"{kind}.wav", [audio], channels=channels, length_samples=length)
    return Stem(
        kind="DX" if kind == "DX" else "MX",
        audio=artifact,
        start_samples=start_samples,
        length_samples=length,
        channels=channels,
    )


def notes(*speech: tuple[float, float]) -> SpottingNotes:
    regions = tuple(
        SpeechRegion(
            range=TimeRange.between(Fraction(start).limit_denominator(1000), Fraction(end)),
            confidence=0.9,
        )
        for start, end in speech
    )
    return SpottingNotes(
        duration_s=Fraction(30),
        frame_rate=Fraction(25),
        shots=(),
        scenes=(),
        speech=regions,
        curve=PictureCurve(hop_s=Fraction(1), motion=(), brightness=()),
        cues=(
            Cue(
                number="1M1",
                range=TimeRange(start_s=Fraction(0), duration_s=Fraction(30)),
                hit_points=(),
            ),
        ),
    )


def played(stem: Stem) -> Audio:
    """The stem as it is mixed."""
    blocks = read_stem(stem, start_samples=stem.start_samples, length_samples=stem.length_samples)
    return np.concatenate([*blocks])


def scenes(*lengths_s: int) -> SpottingNotes:
    ends = np.cumsum(lengths_s)
    return replace(
        notes(),
        scenes=tuple(
            Scene(
                range=TimeRange.between(Fraction(int(end - length)), Fraction(int(end))),
                shots=1,
                motion=0.0,
                brightness=0.0,
                saturation=0.0,
                warmth=0.0,
            )
            for end, length in zip(ends, lengths_s, strict=True)
        ),
    )


def tenths_lufs(audio: Audio, *times_s: float) -> list[float | None]:
    return [
        integrated_lufs(power_series([audio[round(at * RATE_HZ) :][: 2 * RATE_HZ]], 2))
        for at in times_s
    ]


@pytest.mark.parametrize(("dynamics", "apart_lu"), [(1.0, 8.0), (0.5, 4.0), (0.0, 0.0)], ids=str)
def test_dynamics_between_scenes_are_kept_as_far_as_asked(
    dynamics: float, apart_lu: float, tmp_path: Path
) -> None:
    """Two loud scenes around a soft one, and one that is as good as silent."""
    music = stem(tmp_path, "MX", tone((-20, 10), (-28, 10), (-20, 10), (-90, 10)))
    settings = replace(SETTINGS, dynamics=dynamics)
    levelled = level(
        music, None, scenes(10, 10, 10, 10), settings, folder=tmp_path, progress=no_progress
    )
    audio = played(levelled.mx)
    assert len(audio) == 40 * RATE_HZ
    loud, soft, again = tenths_lufs(audio, 4, 14, 24)
    assert loud is not None
    assert soft is not None
    assert loud - soft == pytest.approx(apart_lu, abs=0.1)
    assert again == pytest.approx(loud, abs=0.1)
    assert measure([audio], 2).integrated_lufs == pytest.approx(-14.0, abs=0.1)
    assert levelled.mx_loudness.integrated_lufs == pytest.approx(-14.0, abs=0.1)
    assert np.abs(audio[30 * RATE_HZ :]).max() < 0.01
    if dynamics == 1.0:
        assert levelled.mx.audio == music.audio


def test_a_scene_with_little_music_is_no_soft_scene(tmp_path: Path) -> None:
    """Of the second scene two seconds are scored, as loud as the first."""
    music = stem(tmp_path, "MX", tone((-20, 12), (-100, 8), (-28, 10)))
    cues = tuple(
        Cue(
            number=f"1M{number}",
            range=TimeRange.between(Fraction(first), Fraction(last)),
            hit_points=(),
        )
        for number, (first, last) in enumerate(((0, 12), (20, 30)), start=1)
    )
    levelled = level(
        music,
        None,
        replace(scenes(10, 10, 10), cues=cues),
        replace(SETTINGS, dynamics=0.0),
        folder=tmp_path,
        progress=no_progress,
    )
    audio = played(levelled.mx)
    first, second, third = (
        integrated_lufs(power_series([audio[round(a * RATE_HZ) : round(b * RATE_HZ)]], 2))
        for a, b in ((4, 9), (10.6, 11.4), (24, 29))
    )
    assert first is not None
    assert second == pytest.approx(first, abs=0.1)
    assert third == pytest.approx(first, abs=0.1)


def test_from_scene_to_scene_the_gain_glides(tmp_path: Path) -> None:
    music = stem(tmp_path, "MX", tone((-20, 10), (-28, 10)))
    settings = replace(SETTINGS, dynamics=0.0)
    levelled = level(music, None, scenes(10, 10), settings, folder=tmp_path, progress=no_progress)
    before, after = played(music)[:, 0], played(levelled.mx)[:, 0]
    heard = np.abs(before) > 0.001
    gain_db = 20 * np.log10(np.abs(after[heard] / before[heard]))
    assert np.ptp(gain_db) == pytest.approx(8.0, abs=0.1)
    assert np.abs(np.diff(gain_db)).max() < 0.01


@pytest.mark.parametrize("gain_db", [-12.0, 0.0, 7.5])
def test_a_production_gain_overrides_the_speech(gain_db: float, tmp_path: Path) -> None:
    dx = stem(tmp_path, "DX", tone((-30, 10), (-60, 10)))
    music = stem(tmp_path, "MX", tone((-20, 20)))
    settings = replace(SETTINGS, production_gain_db=gain_db)
    levelled = level(music, dx, notes((0, 10)), settings, folder=tmp_path, progress=no_progress)
    assert levelled.dx is not None
    assert levelled.dx.gain_db == gain_db
    assert levelled.speech_lufs == pytest.approx(-30 + gain_db, abs=0.1)
    assert levelled.noise_floor_lufs == pytest.approx(-60 + gain_db, abs=0.1)
    assert measure([played(levelled.dx)[: 10 * RATE_HZ]], 2).integrated_lufs == pytest.approx(
        -30 + gain_db, abs=0.1
    )


def test_the_noise_floor_is_told_after_the_gain(tmp_path: Path) -> None:
    """What is said in between does not count, nor does a slammed door."""
    dx = stem(tmp_path, "DX", tone((-50, 5), (-30, 10), (-50, 4), (-10, 1), (-50, 5)))
    music = stem(tmp_path, "MX", tone((-20, 25)))
    levelled = level(music, dx, notes((5, 15)), SETTINGS, folder=tmp_path, progress=no_progress)
    assert levelled.noise_floor_lufs == pytest.approx(-36.0, abs=0.1)


@pytest.mark.parametrize("lufs", [-35.0, -20.0, -3.0])
def test_music_is_brought_to_its_loudness(tmp_path: Path, lufs: float) -> None:
    mx = stem(tmp_path, "MX", tone((lufs, 10)))
    levelled = level(mx, None, notes(), SETTINGS, folder=tmp_path, progress=no_progress)
    assert levelled.mx.gain_db == pytest.approx(-14.0 - lufs, abs=0.1)
    assert levelled.mx_loudness.integrated_lufs == pytest.approx(-14.0, abs=0.01)
    assert levelled.mx_loudness.true_peak_dbtp == pytest.approx(-14.0, abs=0.1)
    assert levelled.mx.audio == mx.audio
    assert levelled.dx is None
    assert levelled.speech_lufs is None


@pytest.mark.parametrize("audio", [np.zeros((RATE_HZ, 2), np.float32), tone((-10, 0.3))])
def test_music_without_loudness_gets_no_gain(tmp_path: Path, audio: Audio) -> None:
    mx = stem(tmp_path, "MX", audio)
    levelled = level(mx, None, notes(), SETTINGS, folder=tmp_path, progress=no_progress)
    assert levelled.mx.gain_db == 0.0
    assert levelled.mx_loudness.integrated_lufs is None


def test_music_next_to_silence_is_not_blown_up(tmp_path: Path) -> None:
    mx = stem(tmp_path, "MX", tone((-66, 5)))
    levelled = level(mx, None, notes(), SETTINGS, folder=tmp_path, progress=no_progress)
    assert levelled.mx.gain_db == 30.0


@pytest.mark.parametrize("channels", [1, 2])
def test_production_audio_is_set_by_its_speech_alone(tmp_path: Path, channels: int) -> None:
    """Loud effects before and after the speech, a start before the picture, mono as dual mono."""
    mx = stem(tmp_path, "MX", tone((-20, 10)))
    dx = stem(tmp_path, "DX", tone((-5, 5), (-30, 5), (-5, 5), channels=channels), -2 * RATE_HZ)
    levelled = level(mx, dx, notes((3.5, 7.5)), SETTINGS, folder=tmp_path, progress=no_progress)
    assert levelled.dx is not None
    assert levelled.dx.gain_db == pytest.approx(14.0, abs=0.1)
    assert levelled.speech_lufs == pytest.approx(-16.0, abs=0.01)
    assert levelled.dx.start_samples == -2 * RATE_HZ


@pytest.mark.parametrize(("lufs", "expected_db"), [(-60.0, 20.0), (15.0, -20.0)])
def test_gain_of_production_audio_is_capped(
    tmp_path: Path, lufs: float, expected_db: float
) -> None:
    mx = stem(tmp_path, "MX", tone((-20, 5)))
    dx = stem(tmp_path, "DX", tone((lufs, 5)))
    levelled = level(mx, dx, notes((1, 4)), SETTINGS, folder=tmp_path, progress=no_progress)
    assert levelled.dx is not None
    assert levelled.dx.gain_db == expected_db
    assert levelled.speech_lufs == pytest.approx(lufs + expected_db, abs=0.1)


def test_production_audio_without_speech_keeps_its_place(tmp_path: Path) -> None:
    mx = stem(tmp_path, "MX", tone((-20, 5)))
    dx = stem(tmp_path, "DX", tone((-33, 5)))
    levelled = level(mx, dx, notes(), SETTINGS, folder=tmp_path, progress=no_progress)
    assert levelled.dx == dx


@pytest.mark.parametrize("speech", [(1.0, 1.2), (40.0, 45.0), (2.0, 3.0)])
def test_odd_speech(tmp_path: Path, speech: tuple[float, float]) -> None:
    """A phrase under 400 ms, one outside the audio, one in digital silence."""
    mx = stem(tmp_path, "MX", tone((-20, 5)))
    dx = stem(tmp_path, "DX", tone((-26, 1.5), (-400, 3)))
    levelled = level(mx, dx, notes(speech), SETTINGS, folder=tmp_path, progress=no_progress)
    assert levelled.dx is not None
    assert levelled.dx.gain_db == pytest.approx(10.0 if speech[0] == 1.0 else 0.0, abs=0.1)


def test_progress_rises_to_one_and_no_sound_is_written(tmp_path: Path) -> None:
    mx, dx = stem(tmp_path, "MX", tone((-20, 5))), stem(tmp_path, "DX", tone((-20, 10)))
    folder = tmp_path / "stage"
    folder.mkdir()
    shares: list[float] = []
    level(mx, dx, notes((1, 4)), SETTINGS, folder=folder, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[0] > 0.0
    assert shares[-1] == 1.0
    assert sorted(path.name for path in folder.iterdir()) == ["DX.npy", "MX.npy"]
