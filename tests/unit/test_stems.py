"""Stems: names are refused before work, written aside, and the scenes add up to the music."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from scorebed.errors import SettingsError
from scorebed.exporters.stems import check_stems, write_stems
from scorebed.model import Artifact, GainCurve, Stem, TimeRange
from scorebed.wav import write_wav

RATE_HZ = 48_000
LENGTH = 10 * RATE_HZ + 17


def stem(path: Path, kind: Any, gain_db: float) -> Stem:
    noise = np.random.default_rng(len(kind)).standard_normal((LENGTH, 2)) * 0.1
    audio = write_wav(path, [noise.astype(np.float32)], channels=2, length_samples=LENGTH)
    return Stem(
        kind=kind, audio=audio, start_samples=0, length_samples=LENGTH, channels=2, gain_db=gain_db
    )


@pytest.fixture
def result(tmp_path: Path) -> Any:
    """What the exporter reads of a result: three scenes, and a cue that ends in the last one."""
    source = tmp_path / "work"
    source.mkdir()
    cuts = [Fraction(0), Fraction(1001, 300), Fraction(20_002, 3000), Fraction(LENGTH, RATE_HZ)]
    scenes = [
        SimpleNamespace(range=TimeRange.between(cuts[number], cuts[number + 1]))
        for number in range(3)
    ]
    (source / "music.mp3").write_bytes(b"music alone")
    (source / "sfx.mp3").write_bytes(b"effects alone")
    return SimpleNamespace(
        picture=SimpleNamespace(length_samples=LENGTH),
        levelled=SimpleNamespace(mx=stem(source / "MX.wav", "MX", -3.0), dx=None),
        ducked=SimpleNamespace(curve=GainCurve(at_samples=(0, LENGTH), gains_db=(0.0, -20.0))),
        mixed=SimpleNamespace(mix=stem(source / "MIX.wav", "MIX", 0.0), gain_db=1.0),
        notes=SimpleNamespace(
            scenes=scenes,
            cues=[SimpleNamespace(range=TimeRange.between(Fraction(0), Fraction(9)))],
        ),
        take=SimpleNamespace(
            originals=[Artifact(path=source / name, sha256="") for name in ("music.mp3", "sfx.mp3")]
        ),
    )


def test_the_scenes_add_up_to_the_music(result: Any, tmp_path: Path) -> None:
    folder = tmp_path / "stems"
    parts = write_stems(folder, result)
    assert {part.name for part, _ in parts} == {entry.name for entry in folder.iterdir()}
    for part, final in parts:
        assert part.name.startswith(".")
        part.replace(final)
    names = sorted(final.name for _, final in parts)
    assert names == sorted(
        [
            *("DX.wav", "MX-dry.wav", "MX-ducked.wav", "MIX.wav"),
            *("1M1.wav", "1M2.wav", "1M3.wav", "take-1-music.mp3", "take-2-sfx.mp3"),
        ]
    )
    scenes = [
        soundfile.read(folder / f"1M{number}.wav", dtype="float32")[0] for number in (1, 2, 3)
    ]
    dry, _ = soundfile.read(folder / "MX-dry.wav", dtype="float32")
    assert [len(scene) for scene in scenes] == [160_160, 320_032 - 160_160, 9 * RATE_HZ - 320_032]
    assert np.array_equal(np.concatenate(scenes), dry[: 9 * RATE_HZ])
    played, _ = soundfile.read(result.levelled.mx.audio.path, dtype="float32")
    assert np.allclose(dry, played * 10 ** (-2 / 20), atol=1e-6)
    assert (folder / "take-2-sfx.mp3").read_bytes() == b"effects alone"


def test_a_scene_after_the_music_has_none(result: Any, tmp_path: Path) -> None:
    result.notes.cues = [SimpleNamespace(range=TimeRange.between(Fraction(0), Fraction(3)))]
    names = [final.name for _, final in write_stems(tmp_path / "stems", result)]
    assert [name for name in names if name.startswith("1M")] == ["1M1.wav"]


@pytest.mark.parametrize("name", ["MIX.wav", "1M1.wav", "1M12.wav", "take-1-music.mp3"])
def test_stems_of_an_earlier_run_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"kept")
    with pytest.raises(SettingsError, match=name):
        check_stems(tmp_path, overwrite=False)
    check_stems(tmp_path, overwrite=True)


@pytest.mark.parametrize("name", ["1M0.wav", "2M1.wav", "1M1.wav.txt", "take-x.mp3", "notes.txt"])
def test_other_files_are_no_matter(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"mine")
    check_stems(tmp_path, overwrite=False)
    assert (tmp_path / name).read_bytes() == b"mine"


def test_nothing_is_left_when_writing_fails(result: Any, tmp_path: Path) -> None:
    result.take.originals[1].path.unlink()
    with pytest.raises(FileNotFoundError):
        write_stems(tmp_path / "stems", result)
    assert not list((tmp_path / "stems").iterdir())
