"""The index of a folder: what is heard, kept, moved, dropped, and what is left out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import platformdirs
import pytest
import soundfile
from tests.library.tracks import RATE_HZ, music, write

from scorebed.dsp.beats import PULSE
from scorebed.errors import Interrupted, MediaError, SettingsError, WorkspaceError
from scorebed.exporters import stems
from scorebed.library import Indexed, index_folder
from scorebed.library import index as index_module
from scorebed.library.hearing import Heard, hear
from scorebed.library.store import Store
from scorebed.library.walk import Walk, walk
from scorebed.model import INSTRUMENT_GROUPS, LibrarySettings, no_progress
from scorebed.wav import sha256_of


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """Three tracks of two seconds, one of them in a folder."""
    folder = tmp_path / "shelf"
    (folder / "deep").mkdir(parents=True)
    for number, name in enumerate(("a.wav", "b.wav", "deep/c.wav")):
        soundfile.write(folder / name, music(duration_s=2, seed=number), RATE_HZ)
    return folder


def settings(folder: Path, *exclude: str) -> LibrarySettings:
    return LibrarySettings(folder=folder, per="cue", exclude=exclude)


def counts(found: Indexed) -> tuple[int, int, int, int]:
    return found.heard, found.kept, found.moved, found.dropped


def names(found: Indexed) -> list[str]:
    return [track.name for track in found.library.tracks]


def looked_at(folder: Path) -> list[tuple[str, int, int]]:
    return sorted(
        (str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")
    )


# --- what is done again ------------------------------------------------------------------------


def test_only_what_is_new_is_heard(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = index_folder(settings(shelf))
    assert counts(first) == (3, 0, 0, 0)
    assert names(first) == ["a.wav", "b.wav", "deep/c.wav"]
    soundfile.write(shelf / "d.wav", music(duration_s=2, seed=9), RATE_HZ)
    assert counts(index_folder(settings(shelf))) == (1, 3, 0, 0)
    monkeypatch.setattr(index_module, "hear", _never)
    again = index_folder(settings(shelf))
    assert counts(again) == (0, 4, 0, 0)
    assert again.library.tracks[:2] == first.library.tracks[:2]


def _never(path: Path, _progress: object) -> Heard:
    raise AssertionError(f"{path} was heard again")


def test_a_changed_file_is_heard_anew(shelf: Path) -> None:
    first = index_folder(settings(shelf)).library.tracks
    before = (shelf / "a.wav").stat().st_size
    soundfile.write(shelf / "a.wav", music(duration_s=2, seed=50), RATE_HZ)
    assert (shelf / "a.wav").stat().st_size == before
    found = index_folder(settings(shelf))
    assert counts(found) == (1, 2, 0, 0)
    assert found.library.tracks[0].sha256 != first[0].sha256
    assert counts(index_folder(settings(shelf))) == (0, 3, 0, 0)


def test_a_moved_or_touched_file_is_not_heard_again(
    shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = {track.sha256: track for track in index_folder(settings(shelf)).library.tracks}
    monkeypatch.setattr(index_module, "hear", _never)
    (shelf / "a.wav").rename(shelf / "deep" / "z 90bpm.wav")
    os.utime(shelf / "b.wav", (1, 1))
    shutil.copyfile(shelf / "b.wav", shelf / "copy.wav")
    found = index_folder(settings(shelf))
    assert counts(found) == (0, 3, 1, 0)
    assert names(found) == ["b.wav", "copy.wav", "deep/c.wav", "deep/z 90bpm.wav"]
    moved = found.library.tracks[-1]
    assert moved.energy_lufs == first[moved.sha256].energy_lufs
    # What its new name says counts.
    assert moved.tempo_bpm == pytest.approx(90, rel=0.05)
    assert counts(index_folder(settings(shelf))) == (0, 4, 0, 0)


def test_what_has_gone_is_dropped(shelf: Path) -> None:
    index_folder(settings(shelf))
    (shelf / "b.wav").unlink()
    found = index_folder(settings(shelf))
    assert counts(found) == (0, 2, 0, 1)
    assert names(found) == ["a.wav", "deep/c.wav"]
    assert counts(index_folder(settings(shelf))) == (0, 2, 0, 0)
    assert [entry.name for entry in Store(shelf).load()] == ["a.wav", "deep/c.wav"]


def test_what_cannot_be_seen_now_is_not_forgotten(
    shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index_folder(settings(shelf))
    whole = walk(shelf)

    def partly(_folder: Path) -> Walk:
        near = [file for file in whole.files if "/" not in file.name]
        return Walk(files=near, unreadable={"deep/": "Input/output error"})

    with monkeypatch.context() as patch:
        patch.setattr(index_module, "walk", partly)
        found = index_folder(settings(shelf))
    assert names(found) == ["a.wav", "b.wav"]
    assert "deep/ (Input/output error)" in found.library.warnings[0]
    assert counts(index_folder(settings(shelf))) == (0, 3, 0, 0)


def test_another_release_hears_anew(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index_folder(settings(shelf))
    store = Store(shelf)
    text = store.path.read_text()
    store.path.write_text(text.replace('"version":', '"version":1000', 1))
    assert counts(index_folder(settings(shelf))) == (3, 0, 0, 0)


@pytest.mark.parametrize("damage", ["", "{", '{"version":1}', "\0\0\0"])
def test_a_damaged_index_is_made_anew(shelf: Path, damage: str) -> None:
    index_folder(settings(shelf))
    Store(shelf).path.write_text(damage)
    assert counts(index_folder(settings(shelf))) == (3, 0, 0, 0)


def test_two_ways_to_a_folder_share_an_index(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index_folder(settings(shelf))
    (tmp_path / "link").symlink_to(shelf)
    assert counts(index_folder(settings(tmp_path / "link"))) == (0, 3, 0, 0)
    monkeypatch.chdir(tmp_path)
    assert counts(index_folder(settings(Path("shelf")))) == (0, 3, 0, 0)


def test_the_folder_is_only_read(shelf: Path) -> None:
    before = looked_at(shelf)
    for path in [*shelf.rglob("*"), shelf]:
        path.chmod(0o555)
    try:
        index_folder(settings(shelf))
        index_folder(settings(shelf))
    finally:
        for path in [shelf, *shelf.rglob("*")]:
            path.chmod(0o755)
    assert looked_at(shelf) == before


def test_a_cache_that_cannot_be_written_is_told(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(WorkspaceError, match="library") as caught:
        index_folder(settings(shelf))
    assert "XDG_CACHE_HOME" in caught.value.remedy


# --- stopped, and at once ----------------------------------------------------------------------


@pytest.mark.parametrize("signal", [Interrupted, KeyboardInterrupt])
def test_what_was_heard_is_kept_when_it_is_stopped(
    shelf: Path, monkeypatch: pytest.MonkeyPatch, signal: type[BaseException]
) -> None:
    def stopped(path: Path, progress: Callable[[float], None]) -> Heard:
        if path.name == "c.wav":
            raise signal
        return hear(path, progress)

    with monkeypatch.context() as patch:
        patch.setattr(index_module, "hear", stopped)
        with pytest.raises(signal):
            index_folder(settings(shelf))
    assert counts(index_folder(settings(shelf))) == (1, 2, 0, 0)


def test_a_rename_survives_a_stop(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was to be found under its new name later must not be forgotten."""
    index_folder(settings(shelf))
    (shelf / "a.wav").rename(shelf / "z.wav")
    soundfile.write(shelf / "new.wav", music(duration_s=2, seed=77), RATE_HZ)

    def stopped(_path: Path, _progress: object) -> Heard:
        raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr(index_module, "hear", stopped)
        with pytest.raises(Interrupted):
            index_folder(settings(shelf))
    assert counts(index_folder(settings(shelf))) == (1, 2, 1, 0)


def test_two_at_once_hear_each_track_once(shelf: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from scorebed.library import index_folder;"
        "from scorebed.model import LibrarySettings;"
        "print(index_folder(LibrarySettings(folder=Path(sys.argv[1]), per='cue')).heard)"
    )
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(shelf)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    told = [int(run.communicate(timeout=120)[0]) for run in runs]
    assert sum(told) == 3
    kept = sorted(path.suffix for path in Store(shelf).path.parent.iterdir())
    assert ".part" not in kept
    assert kept.count(".json") == 1


def test_progress_rises_to_one(shelf: Path) -> None:
    shares: list[float] = []
    index_folder(settings(shelf), progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(set(shares)) > 3


def test_a_thousand_known_tracks_take_no_time(
    tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = hear(shelf / "a.wav", no_progress)
    folder = tmp_path / "many"
    for number in range(1000):
        path = folder / f"{number % 20:02d}" / f"{number:04d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(str(number).encode())
    monkeypatch.setattr(index_module, "hear", lambda _path, _progress: one)
    assert counts(index_folder(settings(folder))) == (1000, 0, 0, 0)
    monkeypatch.setattr(index_module, "sha256_of", _never)
    begun = time.process_time()
    assert counts(index_folder(settings(folder))) == (0, 1000, 0, 0)
    assert time.process_time() - begun < 3


# --- what is left out --------------------------------------------------------------------------


def test_what_is_no_track(shelf: Path) -> None:
    sound = (shelf / "a.wav").read_bytes()
    for name in (
        "._a.wav",
        ".hidden/x.wav",
        "__MACOSX/y.wav",
        "@eaDir/a.wav",
        "Song/Stems/drums.wav",
        "Song_STEMS/bass.wav",
        "Song/multitrack/deep/x.wav",
        "Song (Drum Stem).wav",
        "cover.jpg",
        "notes.txt",
        "licence.pdf",
    ):
        (shelf / name).parent.mkdir(parents=True, exist_ok=True)
        (shelf / name).write_bytes(sound)
    (shelf / "Systems").mkdir()
    soundfile.write(shelf / "Systems" / "own.WAV", music(duration_s=2, seed=5), RATE_HZ)
    found = index_folder(settings(shelf))
    assert names(found) == ["Systems/own.WAV", "a.wav", "b.wav", "deep/c.wav"]
    assert found.stems == 4
    assert not found.library.warnings


def test_scorebeds_own_stems_are_no_tracks(shelf: Path) -> None:
    """All names that ``--stems`` writes, in a folder that says nothing."""
    own = [name for name in stems.NAMES if name.endswith(".wav")]
    own += [f"MX-{group}.wav" for group in INSTRUMENT_GROUPS]
    own += ["1M1.wav", "1M12.wav", "DX-a1.wav", "MX-dry-a2.wav", "MX-ducked-a1.wav", "MIX-a10.wav"]
    own += ["take-1-music.mp3", "take-2-effects.wav"]
    assert all(name in stems.NAMES or stems._NUMBERED.fullmatch(name) for name in own)
    (shelf / "film").mkdir()
    for name in own:
        (shelf / "film" / name).write_bytes(b"")
    found = walk(shelf)
    assert [file.name for file in found.files] == ["a.wav", "b.wav", "deep/c.wav"]
    assert found.stems == len(own)


def test_names_that_are_nearly_those_of_stems_are_tracks(shelf: Path) -> None:
    kept = ["MX-5 Drive.wav", "Mix Tape.wav", "Mixdown.wav", "1M.wav", "take-1-guitar.wav"]
    for name in kept:
        (shelf / "deep" / name).write_bytes(b"")
    assert {f"deep/{name}" for name in kept} < {file.name for file in walk(shelf).files}


def test_links_that_lead_back_are_entered_once(shelf: Path, tmp_path: Path) -> None:
    (shelf / "deep" / "up").symlink_to(shelf)
    (shelf / "gone.wav").symlink_to(tmp_path / "nowhere.wav")
    other = tmp_path / "other"
    other.mkdir()
    soundfile.write(other / "o.wav", music(duration_s=2, seed=6), RATE_HZ)
    (shelf / "else").symlink_to(other)
    found = index_folder(settings(shelf))
    assert names(found) == ["a.wav", "b.wav", "deep/c.wav", "else/o.wav"]


def test_broken_files_are_named_once_and_not_tried_again(
    shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    (shelf / "noise.mp3").write_bytes(rng.bytes(20_000))
    (shelf / "empty.flac").write_bytes(b"")
    (shelf / "page.m4a").write_text("<html>not found</html>")
    soundfile.write(shelf / "silent.wav", np.zeros((RATE_HZ * 2, 2)), RATE_HZ)
    soundfile.write(shelf / "tick.wav", music(duration_s=0.3), RATE_HZ)
    (shelf / "cut.wav").write_bytes((shelf / "a.wav").read_bytes()[:30])
    found = index_folder(settings(shelf))
    assert names(found) == ["a.wav", "b.wav", "deep/c.wav"]
    (warning,) = found.library.warnings
    assert "6 files that cannot be used" in warning
    assert "cut.wav (" in warning
    assert "and 3 more" in warning
    assert str(shelf) not in warning
    monkeypatch.setattr(index_module, "hear", _never)
    again = index_folder(settings(shelf))
    assert counts(again) == (0, 9, 0, 0)
    assert again.library.warnings == found.library.warnings


def test_silence_and_shortness_are_told(shelf: Path) -> None:
    soundfile.write(shelf / "silent.wav", np.zeros((RATE_HZ * 2, 2)), RATE_HZ)
    soundfile.write(shelf / "tick.wav", music(duration_s=0.3), RATE_HZ)
    (warning,) = index_folder(settings(shelf)).library.warnings
    assert "silent.wav (silent)" in warning
    assert "tick.wav (only 0.30 s long)" in warning


def test_a_file_that_may_not_be_read_is_tried_again(
    shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: Path) -> str:
        if path.name == "b.wav":
            raise PermissionError(13, "Permission denied", str(path))
        return sha256_of(path)

    with monkeypatch.context() as patch:
        patch.setattr(index_module, "sha256_of", denied)
        found = index_folder(settings(shelf))
    assert names(found) == ["a.wav", "deep/c.wav"]
    assert "b.wav (Permission denied)" in found.library.warnings[0]
    assert counts(index_folder(settings(shelf))) == (1, 2, 0, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes there")
def test_a_name_that_is_no_text_is_told(shelf: Path) -> None:
    sound = (shelf / "a.wav").read_bytes()
    with open(os.fsencode(shelf) + b"/bad\xff.wav", "wb") as file:  # noqa: PTH123 - bytes
        file.write(sound)
    found = index_folder(settings(shelf))
    assert names(found) == ["a.wav", "b.wav", "deep/c.wav"]
    assert "bad\\udcff.wav (its name is no text: rename it)" in found.library.warnings[0]


@pytest.mark.parametrize("kind", ["missing", "file", "empty", "stems", "broken"])
def test_a_folder_without_music(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "shelf"
    if kind == "file":
        folder.write_text("")
    elif kind != "missing":
        folder.mkdir()
    if kind == "stems":
        soundfile.write(folder / "a stem.wav", music(duration_s=2), RATE_HZ)
    if kind == "broken":
        (folder / "a.wav").write_bytes(b"x" * 100)
    with pytest.raises(MediaError, match="shelf") as caught:
        index_folder(settings(folder))
    assert caught.value.remedy
    assert {"stems": "1 stems", "broken": "a.wav"}.get(kind, "") in caught.value.message


def test_an_empty_mount_does_not_empty_the_index(shelf: Path, tmp_path: Path) -> None:
    index_folder(settings(shelf))
    shelf.rename(tmp_path / "away")
    shelf.mkdir()
    with pytest.raises(MediaError):
        index_folder(settings(shelf))
    shelf.rmdir()
    (tmp_path / "away").rename(shelf)
    assert counts(index_folder(settings(shelf))) == (0, 3, 0, 0)


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["deep"], ["a.wav", "b.wav"]),
        (["deep/*"], ["a.wav", "b.wav"]),
        (["A"], ["b.wav", "deep/c.wav"]),
        (["*.WAV"], []),
        (["b.wav", "c*"], ["a.wav"]),
        (["d"], ["a.wav", "b.wav", "deep/c.wav"]),
    ],
)
def test_patterns_that_are_excluded(shelf: Path, patterns: list[str], expected: list[str]) -> None:
    if not expected:
        with pytest.raises(SettingsError, match="--library-exclude"):
            index_folder(settings(shelf, *patterns))
        return
    assert names(index_folder(settings(shelf, *patterns))) == expected


# --- what is heard -----------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["mp3", "flac", "ogg", "m4a", "aiff", "opus"])
def test_tags_of_each_format(tmp_path: Path, suffix: str) -> None:
    audio = music(bpm=140, duration_s=12)
    tagged = suffix != "aiff"
    path = write(
        tmp_path / "shelf" / f"x.{suffix}",
        audio,
        title="Dark Rain",
        genre="Trailer",
        TBPM="70",
        mood="Tense",
    )
    assert path.exists()
    (track,) = index_folder(settings(tmp_path / "shelf")).library.tracks
    assert track.duration_s == pytest.approx(12, abs=0.1)
    if not tagged:
        return
    tags = dict(track.tags)
    assert tags["title"] == "Dark Rain"
    assert tags["genre"] == "Trailer"
    assert tags["mood"] == "Tense"
    assert track.tempo_bpm == pytest.approx(70, rel=0.02)


@pytest.mark.parametrize(
    ("bpm", "key"), [(84, "A minor"), (120, "C major"), (96, "F# minor"), (140, "Eb major")]
)
def test_tempo_and_key_are_heard(tmp_path: Path, bpm: int, key: str) -> None:
    write(tmp_path / "x.wav", music(bpm=bpm, key=key, duration_s=24))
    heard = hear(tmp_path / "x.wav", no_progress)
    assert heard.tempo_bpm is not None
    ratios = [heard.tempo_bpm / bpm * factor for factor in (0.5, 1, 2)]
    assert min(abs(ratio - 1) for ratio in ratios) < 0.02
    assert heard.key is not None
    assert heard.key.name == key


def test_energy_follows_the_loudness(tmp_path: Path) -> None:
    write(tmp_path / "x.wav", music(duration_s=24, levels=(0.05, 0.2, 1.0, 0.1)))
    curve = np.array(hear(tmp_path / "x.wav", no_progress).energy_lufs)
    assert len(curve) == 48
    quarters = curve.reshape(4, -1).mean(axis=1)
    expected = 20 * np.log10(np.array([0.05, 0.2, 1.0, 0.1]))
    assert np.abs((quarters - quarters[2]) - expected).max() < 1.5


def test_wind_has_no_sure_pulse(tmp_path: Path) -> None:
    noise = np.random.default_rng(4).standard_normal((20 * RATE_HZ, 2)).astype(np.float32) * 0.05
    write(tmp_path / "wind.wav", noise)
    heard = hear(tmp_path / "wind.wav", no_progress)
    assert heard.confidence < PULSE
    # The tracker gives beats there too, but they mean nothing.
    assert heard.tempo_bpm is None
    assert heard.named("wind.wav", "0").tempo_bpm is None
    assert replace(heard, tags=(("bpm", "80"),)).named("wind.wav", "0").tempo_bpm == 80


def test_the_cache_has_one_place(shelf: Path) -> None:
    index_folder(settings(shelf))
    root = platformdirs.user_cache_path("scorebed-library")
    assert {path.suffix for path in root.iterdir()} <= {".json", ".lock", ".TAG"}
    # The workspaces' own folder would refuse to share.
    assert not platformdirs.user_cache_path("scorebed").exists()
