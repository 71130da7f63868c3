"""A folder of 60 real files, and what ten kills make of it: ``pytest -m 'media and slow'``."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.e2e.test_batch import (
    DRAFT,
    family_of,
    gone_within,
    lines_of,
    stages_of,
    start,
    states,
    told,
    wait_for,
)

from scorebed.delivery import claim

pytestmark = [pytest.mark.media, pytest.mark.slow]
Scorebed = Callable[..., subprocess.CompletedProcess[str]]
FILMS = {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts"}
KILLS = 10
BROKEN = {
    "no_moov_48_bytes.mp4",
    "mp4parse_zero_empty_stsc.mp4",
    "mp4parse_no_timescale.mp4",
    "mp4parse_test_case_1185230.mp4",
    "mp4parse_invalid_userdata.mp4",
}
SOUND_ONLY = {
    "media3_sample_alac.mp4",
    "media3_long_edit_list_audioonly.mp4",
    "mediabunny_ac3.mkv",
    "mediabunny_multiple-aac-tracks.mp4",
}
MOST_BYTES = 2_000_000


@pytest.fixture(scope="module")
def folder(media_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty files: nested, oddly named, broken, unreadable, locked, and two that are the same."""
    place = tmp_path_factory.mktemp("sixty")
    small = [
        path
        for name in ("broken", "containers", "frames", "edited", "dialogue")
        for path in sorted((media_dir / name).iterdir())
        if path.suffix in FILMS and path.stat().st_size < MOST_BYTES
        if path.name in BROKEN or not path.name.startswith(TOO_LONG)
    ]
    for path in small[:55]:
        below = place / path.parent.name / path.stem[:3]
        below.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, below / path.name)
    friday = media_dir / "dialogue" / "friday.mp4"
    odd = ('it\'s $(odd) "é" 100%.mp4', "-dash.mp4", "same.mp4", "locked.mp4")
    for name in odd:
        shutil.copy2(friday, place / name)
    unreadable = place / "unreadable.mp4"
    shutil.copy2(friday, unreadable)
    unreadable.chmod(0)
    if os.access(unreadable, os.R_OK):  # root may read anything
        unreadable.unlink()
        unreadable.symlink_to(place / "gone.mp4")
    assert sum(path.suffix in FILMS for path in place.rglob("*")) == 60
    return place


TOO_LONG = (
    "media3_long_",
    "gomp4_",
    "one_fps",
    "mediabunny_annex",
    "introductions",
    "auto-editor",
    "tears",
    "sample_iPod",
)
"""What takes minutes and shows nothing that the others do not."""


def command(folder: Path, out: Path, work: Path) -> tuple[str | Path, ...]:
    return (
        *(folder, "--out", out, "--workspace", work, "--keep-structure", "--jobs", "2"),
        *("--json", *DRAFT),
    )


def names(out: Path) -> set[str]:
    return {
        path.relative_to(out).as_posix() for path in out.rglob("*.scored.*") if path.suffix in FILMS
    }


def pictures_and_music(exe: str, out: Path) -> dict[str, str]:
    """Hashes of the packets of picture and sound: Matroska gives each file a number of its own."""
    how = "-map 0:V:0 -map 0:a -c copy -copyinkf -f streamhash -hash sha256 -"
    found = {}
    for name in names(out):
        said = subprocess.run(
            [exe, "-loglevel", "error", "-nostdin", "-i", f"file:{out / name}", *how.split()],
            check=True,
            capture_output=True,
        )
        found[name] = said.stdout.decode()
    return found


Undisturbed = tuple[Path, dict[str, str], float]
"""Results, how each file ended, and how long it took, in seconds."""


@pytest.fixture(scope="module")
def undisturbed(
    scorebed: Scorebed, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Undisturbed:
    """A run that nothing happened to, but for one output that another run holds."""
    place = tmp_path_factory.mktemp("undisturbed")
    out = place / "out"
    out.mkdir()
    with claim(out / "locked.scored.mp4", video=folder / "locked.mp4", overwrite=False):
        begun = time.monotonic()
        done = scorebed("batch", *command(folder, out, place / "work"))
        seconds = time.monotonic() - begun
    assert done.returncode == 7, done.stderr
    return out, states(told(done)), seconds


def test_every_good_file_is_done_and_every_bad_one_reported(
    undisturbed: Undisturbed, folder: Path, scorebed: Scorebed, tmp_path: Path
) -> None:
    out, ended, _ = undisturbed
    failed = {name for name, state in ended.items() if state == "failed"}
    assert len(ended) == 60
    assert failed >= {"unreadable.mp4", "locked.mp4"}
    assert len(names(out)) == 60 - len(failed)
    for line in lines_of(out):
        if line["state"] == "failed":
            assert line["error"]["message"]
            assert line["error"]["remedy"]
            assert line["error"]["exit_code"] == (6 if line["name"].startswith("locked") else 3)
    # What the batch calls bad, the product calls bad by itself.
    for name in sorted(failed - {"unreadable.mp4", "locked.mp4"}):
        film = next(folder.rglob(name))
        alone = scorebed("score", film, "-o", tmp_path / name, "--workspace", tmp_path / "work")
        assert alone.returncode == 3, f"{name}: {alone.stderr}"
    known = {path.name for path in folder.rglob("*")} & (BROKEN | SOUND_ONLY)
    assert known <= failed


def test_ten_kills_change_nothing_but_the_time(
    undisturbed: Undisturbed,
    folder: Path,
    scorebed: Scorebed,
    environment: dict[str, str],
    ffmpeg_exe: str,
    tmp_path: Path,
) -> None:
    wanted = pictures_and_music(ffmpeg_exe, undisturbed[0])
    out, work = tmp_path / "out", tmp_path / "work"
    chance = random.Random(11)  # noqa: S311 - seeded
    kept: dict[str, tuple[int, int]] = {}
    for _ in range(KILLS):
        process = start(environment, *command(folder, out, work))
        wait_for(process, ": started")
        # There is work left at the last of them, on however quick a machine.
        time.sleep(chance.uniform(0.0, undisturbed[2] / KILLS))
        family = family_of(process.pid) if process.poll() is None else []
        process.kill()
        process.communicate()
        assert gone_within(family, 15.0)
        now = stages_of(work)
        assert kept.items() <= now.items(), "a finished stage was made again"
        kept = now
        assert names(out) - {"locked.scored.mp4"} <= wanted.keys()
    done = scorebed("batch", *command(folder, out, work), "--exclude", "locked.mp4")
    assert done.returncode == 7, done.stderr
    found = pictures_and_music(ffmpeg_exe, out)
    found.pop("locked.scored.mp4", None)
    assert found == wanted
    ended = [line["name"] for line in lines_of(out) if line["state"] == "done"]
    assert len(ended) == len(set(ended)), "a file was scored twice"
    assert kept.items() <= stages_of(work).items(), "a finished stage was made again"
    # Of no film is there more than one take.
    assert all(len(list(place.glob("compose-*/take.wav"))) <= 1 for place in work.iterdir())
