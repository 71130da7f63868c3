"""``scorebed hook`` as an editor calls it: at once, in the background, and never in vain."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock
import pytest

Scorebed = Callable[..., subprocess.CompletedProcess[str]]
PATIENCE_S = 60.0
HEAVY = {"numpy", "scipy", "av", "ffmpeg", "soundfile", "httpx", "matplotlib"}


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A home for the queue, and what works it off gone when the test has ended."""
    home = tmp_path / "data"
    yield home
    if (home / "scorebed" / "hook").is_dir():
        wait_until(lambda: not works(home))


def works(home: Path) -> bool:
    """Whether a process works the queue off."""
    queue = home / "scorebed" / "hook" / "queue"
    lock = filelock.FileLock(home / "scorebed" / "hook" / "worker.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return True
    lock.release()
    return any(queue.iterdir()) if queue.is_dir() else False


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.05)


def record_of(home: Path) -> list[dict[str, object]]:
    path = home / "scorebed" / "hook" / "record" / "batch.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_an_editor_is_not_kept_waiting_and_the_film_is_scored(
    scorebed: Scorebed, make_video: Callable[..., Path], tmp_path: Path, data: Path
) -> None:
    clip = make_video("film.mp4", "-c:a", "aac", duration_s=1.5)
    film = tmp_path / "my film é.mp4"
    shutil.copyfile(clip, film)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    called = scorebed(
        "hook", "resolve", f"file://{tmp_path}/my%20film%20%C3%A9.mp4", "--", "--quality", "draft",
        "--no-duck", XDG_DATA_HOME=str(data),
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert called.returncode == 0, called.stderr
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.0
    # Twice at once, as by an editor that calls for the picture and for the sound.
    callers = [
        subprocess.Popen(
            [sys.executable, "-m", "scorebed", "hook", "resolve", film, "--quality", "draft"],
            env=os.environ | {"XDG_DATA_HOME": str(data)},
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    assert [caller.communicate() and caller.returncode for caller in callers] == [0, 0]
    log = tmp_path / "my film é.scored.mp4.scorebed.log"
    assert log.read_text().count("queued by resolve") == 3
    wait_until(lambda: not works(data))
    states = [line["state"] for line in record_of(data)]
    # First as the first asked; then as the two others did, once for both.
    assert states == ["done", "done", "skipped"], log.read_text()
    assert log.read_text().count(" done: ") == 2
    told = json.loads((tmp_path / "my film é.scored.mp4.scorebed.json").read_text())
    assert told["picture"]["duration_s"] == pytest.approx(1.5, abs=0.1)
    assert film.read_bytes() == clip.read_bytes()
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".part")]


def test_a_hook_imports_nothing_heavy(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"film")
    code = (
        "import sys; from scorebed.cli.main import _run; "
        "assert _run(['hook', 'kdenlive', 'a.mp4', '--queue', '.', '--', '--seed', '3']) == 0; "
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "[]\n", done.stderr
    (job,) = tmp_path.glob("a-*.scorebed.json")
    assert json.loads(job.read_text()) == {
        "video": str(tmp_path / "a.mp4"),
        "output": str(tmp_path / "a.scored.mp4"),
        "app": "kdenlive",
        "seed": 3,
    }


def test_a_hook_makes_its_folder_and_may_replace(scorebed: Scorebed, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"film")
    out = tmp_path / "new" / "deep"
    queued = ("hook", "x", "a.mp4", "--queue", ".")
    done = scorebed(*queued, "--out", out, "--overwrite", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (job,) = tmp_path.glob("a-*.scorebed.json")
    told = json.loads(job.read_text())
    assert (told["output"], told["overwrite"]) == (str(out / "a.scored.mp4"), True)
    assert "queued by x" in (out / "a.scored.mp4.scorebed.log").read_text()


def test_what_goes_wrong_is_in_a_log_too(scorebed: Scorebed, tmp_path: Path, data: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"film")
    home = {"XDG_DATA_HOME": str(data)}
    apart = data / "scorebed" / "hook" / "hook.log"
    for args, code, words in (
        (("resolve", tmp_path / "none.mp4"), 3, "cannot be opened"),
        (("resolve", tmp_path), 3, "is a folder"),
        (("resolve", tmp_path / "no" / "folder.mp4"), 3, "cannot be opened"),
        (("resolve", "none.mp4", "--out", tmp_path / "unmade"), 3, "cannot be opened"),
        (("resolve", "http://host/a.mp4"), 3, "no file of this machine"),
        (("resolve", "file://server/share/a.mp4"), 3, "no file of this machine"),
        (("resolve", tmp_path / "a.mp4", "--queue", tmp_path / "no"), 2, "is no folder"),
        (("resolve", tmp_path / "a.mp4", "--queue", ".", "--max-spend", "3"), 2, "runs the watch"),
        (("resolve", tmp_path / ("n" * 250 + ".mp4")), 6, "name too long"),
        (("resolve", tmp_path / "a.mp4", "--", "--sed", "3"), 2, "No such option"),
        ((tmp_path / "a.mp4", tmp_path / "a.mp4"), 2, "no word"),
        (("resolve", "a.mp4", "b.mp4", "-o", "c.mp4"), 2, "for one film"),
    ):
        done = scorebed("hook", *args, cwd=tmp_path, **home)
        assert done.returncode == code, done.stderr
        assert words.lower() in done.stderr.lower()
        assert words.lower() in apart.read_text().lower(), args
        apart.unlink()
    assert not (tmp_path / "unmade").exists()
    assert "cannot be opened" in (tmp_path / "none.scored.mp4.scorebed.log").read_text()
    # None beside a folder, which is no film.
    assert not list(tmp_path.parent.glob("*.scored.scorebed.log"))
    assert "is no folder" in (tmp_path / "a.scored.mp4.scorebed.log").read_text()
    assert not any(
        path.name.endswith(".json") for path in (data / "scorebed" / "hook").rglob("*")
    ), "something was queued"
