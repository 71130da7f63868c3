"""A batch that costs money: asked for, limited as a whole, paid once."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scorebed.testing import MusicService

Scorebed = Callable[..., subprocess.CompletedProcess[str]]
KEY = "sk_batch_4711_secret"


@pytest.fixture
def service() -> Iterator[MusicService]:
    with MusicService(key=KEY) as running:
        yield running


@pytest.fixture
def folder(make_video: Callable[..., Path], tmp_path: Path) -> Path:
    """Two films of 4 s; the second has the picture of the first, and another sound."""
    place = tmp_path / "in"
    place.mkdir()
    one = make_video("paid.mp4", "-c:a", "aac", duration_s=4.0)
    other = make_video("other.mp4", "-c:a", "aac", duration_s=4.0, look="testsrc=size=160x90")
    shutil.copy2(one, place / "a.mp4")
    shutil.copy(one, place / "a copy.mp4")
    shutil.copy2(other, place / "b.mp4")
    return place


@pytest.fixture
def batch(
    scorebed: Scorebed, service: MusicService, folder: Path, tmp_path: Path
) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*args: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
        return scorebed(
            *("batch", folder, "--out", tmp_path / "out", "--workspace", tmp_path / "work"),
            *("--ledger", tmp_path / "ledger", "--jobs", "2", "--json", *args),
            **({"ELEVENLABS_API_KEY": KEY, "ELEVENLABS_BASE_URL": service.url} | env),
        )

    return run


Batch = Callable[..., subprocess.CompletedProcess[str]]


def states(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    files: list[dict[str, Any]] = json.loads(done.stdout)["files"]
    return {Path(one["input"]).name: one["state"] for one in files}


def test_nobody_s_money_is_spent_unasked_and_one_limit_is_for_all(
    batch: Batch, service: MusicService, tmp_path: Path
) -> None:
    refused = batch()
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    assert "at most about 0.12 USD" in refused.stderr
    assert not service.requests
    # A film costs 0.04 USD: the limit is for one of them, and its copy costs nothing more.
    first = batch("--yes", "--max-spend", "0.05", "--only", "a*")
    assert first.returncode == 0, first.stderr
    assert set(states(first).values()) == {"done"}
    assert json.loads(first.stdout)["spent"] == [
        {"requests": 1, "seconds": 4.0, "amount": 0.04, "currency": "USD"}
    ]
    over = batch("--yes", "--max-spend", "0.05")
    assert over.returncode == 7, over.stderr
    assert states(over) == {"a copy.mp4": "skipped", "a.mp4": "skipped", "b.mp4": "failed"}
    (line,) = [one for one in json.loads(over.stdout)["files"] if one["state"] == "failed"]
    assert line["error"]["kind"] == "OverLimit"
    assert line["error"]["exit_code"] == 5
    assert len(service.requests) == 1
    enough = batch("--yes", "--max-spend", "0.08")
    assert enough.returncode == 0, enough.stderr
    assert states(enough)["b.mp4"] == "done"
    assert len(service.requests) == 2


def test_a_ledger_that_cannot_be_read_hides_no_failure(
    scorebed: Scorebed, folder: Path, tmp_path: Path
) -> None:
    def damage(_number: int) -> float:
        other = tmp_path / "ledger" / ("0" * 32)
        other.mkdir(exist_ok=True)
        (other / "receipt.json").write_text("{half")
        return 0.0

    with MusicService(key=KEY, work_s=damage) as service:
        done = scorebed(
            *("batch", folder, "--out", tmp_path / "out", "--workspace", tmp_path / "work"),
            *("--ledger", tmp_path / "ledger", "--jobs", "1", "--json", "--yes"),
            *("--exclude", "a copy*", "--progress", "plain"),
            ELEVENLABS_API_KEY=KEY,
            ELEVENLABS_BASE_URL=service.url,
        )
    assert done.returncode == 7, done.stderr
    files = json.loads(done.stdout)["files"]
    assert sorted(one["state"] for one in files) == ["done", "failed"]
    (failed,) = [one for one in files if one["state"] == "failed"]
    # The second film finds a ledger that cannot be used: that is why, and nothing else.
    assert failed["error"]["kind"] == "WorkspaceError"
    assert failed["error"]["message"].startswith("ledger: the receipt")
    assert "what it cost could not be read" in done.stderr


@pytest.mark.slow
def test_one_style_sends_the_music_of_the_first_film_with_the_others(
    batch: Batch, service: MusicService, folder: Path, tmp_path: Path
) -> None:
    one_style = ("--yes", "--one-style", "--exclude", "a copy*", "--prompt", "hopeful")
    done = batch(*one_style)
    assert done.returncode == 0, done.stderr
    first, second = service.requests
    assert not any(file.audio for file in first.files)
    assert all(file.audio for file in second.files)
    drift = json.loads(done.stdout)["drift"]
    # Nobody says key or tempo: they are heard.
    assert all(one["key"].split()[1] in {"major", "minor"} for one in drift)
    assert all(one["brightness_hz"] > 100 for one in drift)
    # The same words, but for what each film's scenes are like.
    words = [dict(one.fields)["description"].partition(" 0:00")[0] for one in (first, second)]
    assert words[0] == words[1]
    assert "hopeful" in words[0]
    assert dict(second.fields)["use_audio_as_reference"] == "true"
    # The same again is in the ledger, also where all is done anew, and the reference is there.
    again = batch(*one_style, "--overwrite")
    assert again.returncode == 0, again.stderr
    assert set(states(again).values()) == {"done"}
    assert json.loads(again.stdout)["spent"] == []
    assert len(service.requests) == 2
    refused = batch(*one_style, "--reference-audio")
    assert refused.returncode == 2
    assert "--reference-audio" in refused.stderr


def test_without_a_key_the_batch_is_refused_as_a_whole(
    scorebed: Scorebed, folder: Path, tmp_path: Path
) -> None:
    done = scorebed(
        "batch", folder, "--out", tmp_path / "out", "--provider", "elevenlabs", "--yes",
        "--ledger", tmp_path / "ledger",
    )  # fmt: skip
    assert done.returncode == 5, done.stderr
    assert not (tmp_path / "out").exists()


def test_a_person_is_asked_and_may_say_no(
    environment: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "scorebed", "batch", folder, "--out", tmp_path / "out"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
    )
    os.close(theirs)
    said = b""
    while b"[y/N]" not in said:
        said += os.read(ours, 1000)
    os.write(ours, b"n\n")
    assert process.wait() == 130
    os.close(ours)
    assert b"3 to score" in said
    assert not (tmp_path / "out").exists()
