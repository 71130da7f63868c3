"""``scorebed watch`` as a machine runs it: films that come in every way, kills, a full disk."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import scorebed as package
from scorebed.batching.lock import only_batch
from scorebed.errors import BatchFailed, WorkspaceError
from scorebed.media import content_of
from scorebed.options import Options
from scorebed.testing import MusicService

if TYPE_CHECKING:
    from scorebed.batching.items import BatchProgress
    from scorebed.batching.outcome import BatchResult

Scorebed = Callable[..., subprocess.CompletedProcess[str]]
PATIENCE_S = 60.0
DRAFT = Options(quality="draft")


@pytest.fixture(scope="session")
def clips(make_video: Callable[..., Path]) -> list[Path]:
    """Four small films with the index first: the kind that opens though its end is missing."""
    return [
        make_video(
            f"clip{number}.mp4", "-c:a", "aac", "-movflags", "+faststart", duration_s=1.5 + number
        )
        for number in range(4)
    ]


def lines_of(out: Path) -> list[dict[str, Any]]:
    record = out / "batch.jsonl"
    text = record.read_text() if record.exists() else ""
    return [json.loads(line) for line in text.splitlines() if line.endswith("}")]


def states(result: BatchResult) -> dict[str, str]:
    return {one.video.name: one.state for one in result.outcomes}


def wait_until(
    condition: Callable[[], bool],
    process: subprocess.Popen[str] | None = None,
    patience_s: float = PATIENCE_S,
) -> None:
    until = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < until, "it never happened"
        assert process is None or process.poll() is None, "the watch has ended"
        time.sleep(0.05)


def family_of(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in children.read_text().split()] if children.exists() else []


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def watching(
    environment: dict[str, str], log: Path, *args: str | Path
) -> Iterator[subprocess.Popen[str]]:
    """A watch that looks often; it is ended with the test."""
    command = [sys.executable, "-m", "scorebed", "watch", *map(str, args)]
    command += ["--settle", "0.6", "--interval", "0.1", "--quality", "draft"]
    with (
        log.open("a") as talk,
        subprocess.Popen(
            command, stderr=talk, stdout=talk, text=True, env=environment, stdin=subprocess.DEVNULL
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def test_films_that_come_in_every_way_are_scored_once_and_none_early(
    environment: dict[str, str], clips: list[Path], tmp_path: Path
) -> None:
    folder, out, log = tmp_path / "in", tmp_path / "in" / "scored", tmp_path / "log"
    folder.mkdir()
    for number in range(5000):
        (folder / f"other {number}.txt").touch()
    command = (folder, "--out", out, "--workspace", tmp_path / "work", "--jobs", "2")
    with watching(environment, log, *command) as process:
        wait_until(lambda: "watching" in log.read_text(), process)
        # Replaced while it is read: in place, under the name that it has.
        shutil.copyfile(clips[3], folder / "swap.mp4")
        wait_until(lambda: "swap.mp4: started" in log.read_text(), process)
        shutil.copyfile(clips[1], folder / "swap.mp4")
        # Copied slowly, with pauses in which it stands still.
        data, slow = clips[0].read_bytes(), folder / "slow.mp4"
        for cut in range(5):
            with slow.open("ab") as file:
                file.write(data[len(data) * cut // 5 : len(data) * (cut + 1) // 5])
            if cut == 2:
                wait_until(lambda: "slow.mp4: waits" in log.read_text(), process)
        # Under names of programs that still write; then renamed in.
        for name in ("late.mp4.part", "late.temp.mp4", ".late.mp4"):
            shutil.copyfile(clips[2], folder / name)
        (folder / "late.mp4.part").rename(folder / "late.mp4")
        wait_until(lambda: {"slow", "late", "swap"} <= done_now(out, folder), process)
        # What was done comes again: copied, and under another name.
        shutil.copyfile(clips[0], folder / "again.mp4")
        (folder / "late.mp4").rename(folder / "later.mp4")
        wait_until(lambda: len(skipped(out)) >= 2, process)
        family = family_of(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 130
        assert not any(map(alive, family))
    assert "Traceback" not in log.read_text()
    lines = lines_of(out)
    assert [line["state"] for line in lines].count("failed") == 0, log.read_text()
    done = [line["source"]["content"] for line in lines if line["state"] == "done"]
    assert len(done) == len(set(done)), "a film was scored twice"
    assert set(done) <= {content_of(clip) for clip in clips}, "a film was taken early"
    assert {content_of(clips[number]) for number in (0, 1, 2)} <= set(done)
    videos = {path.name for path in out.iterdir() if path.suffix == ".mp4"}
    assert videos == {"slow.scored.mp4", "late.scored.mp4", "swap.scored.mp4"}
    told = json.loads((out / "swap.scored.mp4.scorebed.json").read_text())
    assert told["picture"]["duration_s"] == pytest.approx(2.5, abs=0.1)
    assert not [path for path in folder.iterdir() if path.name.endswith(".part")]
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    assert (folder / "swap.mp4").read_bytes() == clips[1].read_bytes()


def done_now(out: Path, folder: Path) -> set[str]:
    """Films whose last result is of what they are now."""
    last = {line["input"]: line for line in lines_of(out) if line["state"] == "done"}
    return {
        Path(name).stem
        for name, line in last.items()
        if Path(name).is_file() and line["source"]["content"] == content_of(Path(name))
    }


def skipped(out: Path) -> set[str]:
    return {
        line["input"]
        for line in lines_of(out)
        if line["state"] == "skipped" and "the same film" in line["why"]
    }


@pytest.mark.slow
def test_a_killed_watch_goes_on_and_does_nothing_twice(
    scorebed: Scorebed, environment: dict[str, str], clips: list[Path], tmp_path: Path
) -> None:
    folder, out, log = tmp_path / "in", tmp_path / "out", tmp_path / "log"
    folder.mkdir()
    for number in range(3):
        shutil.copyfile(clips[number], folder / f"film {number}.mp4")
    command = (folder, "--out", out, "--workspace", tmp_path / "work", "--jobs", "1")
    with watching(environment, log, *command) as process:
        wait_until(lambda: "film 1.mp4: started" in log.read_text(), process)
        process.kill()
    again = (*command, "--once", "--settle", "0.2", "--interval", "0.1", "--quality", "draft")
    done = scorebed("watch", *again, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["done"] == 2, "what the killed one had done was not known"
    names = [line["name"] for line in lines_of(out) if line["state"] == "done"]
    assert sorted(names) == [f"film {number}.scored.mp4" for number in range(3)]
    assert not [path for path in out.iterdir() if path.suffix == ".part"]
    with only_batch(out):
        refused = scorebed("watch", *again)
    assert refused.returncode == 6
    assert "another batch or watch" in refused.stderr


def once(folder: Path, out: Path, **more: Any) -> BatchResult:
    try:
        return package.watch(
            folder, out, once=True, settle_s=0.1, interval_s=0.05, options=DRAFT,
            workspace=out.parent / "work", **more,
        )  # fmt: skip
    except BatchFailed as error:
        result: BatchResult = error.result
        return result


def test_what_failed_is_left_alone_until_it_changes(clips: list[Path], tmp_path: Path) -> None:
    # Results among the films, under a name that does not say what they are.
    folder = out = tmp_path / "in"
    folder.mkdir()
    film = folder / "broken.mp4"
    film.write_bytes(clips[0].read_bytes()[:-100])
    (folder / "text.mov").write_text("no film")
    both = {"broken.mp4": "failed", "text.mov": "failed"}
    assert states(once(folder, out)) == both
    first = lines_of(out)
    assert all(line["error"]["remedy"] for line in first)
    # Said in a sentence: neither tried nor recorded again.
    told: list[str] = []
    assert states(once(folder, out, tell=told.append)) == {}
    assert any("2 files that failed before are left alone" in one for one in told)
    assert lines_of(out) == first
    film.write_bytes(clips[0].read_bytes())
    template = "{stem}-music{ext}"
    mended = once(folder, out, name_template=template)
    assert states(mended) == {"broken.mp4": "done"}
    assert (folder / "broken-music.mp4.scorebed.json").is_file()
    retried = once(folder, out, name_template=template, retry_failed=True)
    assert states(retried) == {"text.mov": "failed"}
    assert states(once(folder, out, only=["*.mp4"])) == {}


def test_a_film_that_goes_back_to_an_earlier_version_is_scored_again(
    clips: list[Path], tmp_path: Path
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()

    def length() -> float:
        told = json.loads((out / "cut.scored.mp4.scorebed.json").read_text())
        return round(float(told["picture"]["duration_s"]) - 1.5)

    for number in (0, 1, 0):
        shutil.copyfile(clips[number], folder / "cut.mp4")
        assert states(once(folder, out)) == {"cut.mp4": "done"}
        assert length() == number
    assert states(once(folder, out)) == {}
    (out / "cut.scored.mp4").unlink()
    assert states(once(folder, out)) == {"cut.mp4": "done"}
    assert (out / "cut.scored.mp4").is_file()


@pytest.fixture(scope="session")
def long_cut(make_video: Callable[..., Path], make_media: Callable[..., Path]) -> Path:
    """A film at a constant rate, of which four fifths are met by no sample."""
    clip = make_video("constant.mp4", "-c:a", "aac", duration_s=1.2, look="testsrc2=size=512x288")
    raw = ("-c:v", "rawvideo", "-pix_fmt", "yuv420p", "-c:a", "pcm_s16le")
    return make_media("constant.avi", "-i", clip, *raw)


def another_cut(film: Path, of: Path) -> Path:
    """A film of the same length whose samples are the same."""
    shutil.copyfile(of, film)
    with film.open("r+b") as file:
        file.seek(film.stat().st_size * 3 // 8)
        file.write(b"scorebed")
    assert content_of(film) == content_of(of)
    return film


def test_two_films_that_no_sample_tells_apart_are_two(long_cut: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    first = Path(shutil.copyfile(long_cut, folder / "a.avi"))
    # Also with one time, as a disk has it that knows whole seconds.
    os.utime(another_cut(folder / "b.avi", long_cut), ns=(0, first.stat().st_mtime_ns))
    shutil.copyfile(long_cut, folder / "c.avi")
    assert states(once(folder, out)) == {"a.avi": "done", "b.avi": "done", "c.avi": "skipped"}
    pictures = [(out / f"{name}.scored.avi").read_bytes()[:-1000] for name in "ab"]
    assert [pictures[0].count(b"scorebed"), pictures[1].count(b"scorebed")] == [0, 1]
    os.utime(first)
    assert states(once(folder, out)) == {"a.avi": "skipped"}
    assert states(once(folder, out)) == {}


def test_job_files_have_options_and_are_done_once(clips: list[Path], tmp_path: Path) -> None:
    folder, out, films = tmp_path / "in", tmp_path / "out", tmp_path / "films"
    for place in (folder, films, out):
        place.mkdir()
    shutil.copyfile(clips[0], films / "a.mp4")
    shutil.copyfile(clips[1], folder / "b.mp4")
    ask(folder / "one", video="../films/a.mp4", seed=5, output="deep/one.mkv", app="test")
    # A film of the folder itself: it is done as its job says, and not once more.
    ask(folder / "two", video="b.mp4", style="lofi")
    ask(folder / "bad", video="b.mp4", stile="lofi")
    ask(folder / "gone", video="none.mp4", output="gone.mp4")
    ask(folder / "self", video=".")
    result = once(folder, out)
    assert sorted(f"{one.video.name} {one.state}" for one in result.outcomes) == [
        "a.mp4 done", "b.mp4 done", "bad.scorebed.json failed", "none.mp4 failed",
        "self.scorebed.json failed",
    ]  # fmt: skip
    told = json.loads((out / "deep" / "one.mkv.scorebed.json").read_text())
    assert told["music"]["seed"] == 5
    assert "done: " in (out / "deep" / "one.mkv.scorebed.log").read_text()
    assert "did you mean 'style'" in (out / "bad.scorebed.log").read_text().lower()
    assert "not there" in (out / "gone.mp4.scorebed.log").read_text()
    assert "lofi" in (out / "b.scored.mp4.scorebed.json").read_text()
    # Neither they nor their films are touched, and a restart knows them.
    assert len(list(folder.glob("*.scorebed.json"))) == 5
    (films / "a.mp4").unlink()
    shutil.copyfile(clips[1], folder / "none.mp4")
    (folder / "b.mp4").unlink()
    again = once(folder, out)
    # The film that was missing is there.
    assert [f"{one.video.name} {one.state}" for one in again.outcomes] == ["none.mp4 done"]
    assert (out / "gone.mp4").is_file()


@pytest.mark.parametrize("where", ["read_ask", "require_whole", "Planner.item"])
def test_what_nobody_foresaw_is_the_failure_of_one_file(
    where: str, clips: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    shutil.copyfile(clips[0], tmp_path / "a.mp4")
    ask(folder / "one", video="../a.mp4")
    ask(folder / "two", video="~nosuchuser/a.mp4")
    ask(folder / "three", video="\ud800.mp4")

    def broken(*_args: object) -> None:
        raise ZeroDivisionError("a fault of scorebed")

    module = "working" if "." in where else "folder"
    monkeypatch.setattr(f"scorebed.watching.{module}.{where}", broken)
    failed = states(once(folder, out))
    assert len(failed) == 3
    assert set(failed.values()) == {"failed"}
    told = [line["error"]["message"] for line in lines_of(out)]
    assert any("ZeroDivisionError: a fault of scorebed" in message for message in told)


@pytest.mark.slow
def test_a_share_that_goes_away_under_waiting_films_loses_none(
    environment: dict[str, str], clips: list[Path], tmp_path: Path
) -> None:
    folder, out, log = tmp_path / "in", tmp_path / "out", tmp_path / "log"
    folder.mkdir()
    command = (folder, "--out", out, "--workspace", tmp_path / "work", "--jobs", "1")
    for number in range(3):
        shutil.copyfile(clips[number], folder / f"{number}.mp4")
    with watching(environment, log, *command) as process:
        wait_until(lambda: "started" in log.read_text(), process)
        folder.rename(tmp_path / "away")
        wait_until(lambda: sum(one["state"] != "done" for one in lines_of(out)) > 1, process)
        (tmp_path / "away").rename(folder)
        wait_until(lambda: len(list(out.glob("*.scored.mp4"))) == 3, process)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only Linux says who writes")
def test_once_does_not_wait_for_ever_for_a_program(
    clips: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scorebed.watching.folder._WRITER_S", 0.3)
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    film = Path(shutil.copyfile(clips[0], folder / "a.mp4"))
    code = "import sys; f = open(sys.argv[1], 'r+b'); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, film], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (failed,) = once(folder, out).outcomes
        process.communicate()
    assert failed.failure is not None
    assert "open for writing" in failed.failure.message


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only Linux says who writes")
def test_a_film_that_a_program_still_writes_to_is_not_taken(
    clips: list[Path], tmp_path: Path
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    film = Path(shutil.copyfile(clips[0], folder / "a.mp4"))
    code = "import sys; f = open(sys.argv[1], 'r+b'); print(flush=True); sys.stdin.read()"
    told: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-c", code, film], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()

        def tell(text: str) -> None:
            told.append(text)
            if "open for writing" in text:
                assert not lines_of(out)
                process.communicate()

        assert states(once(folder, out, tell=tell)) == {"a.mp4": "done"}
    assert any("open for writing" in text for text in told)


def test_two_jobs_do_not_share_an_output(clips: list[Path], tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    shutil.copyfile(clips[0], folder / "a.mp4")
    shutil.copyfile(clips[1], folder / "b.mp4")
    ask(folder / "1", video="a.mp4", output="same.mp4")
    ask(folder / "2", video="a.mp4", output="x/../same.mp4", seed=5)
    ask(folder / "3", video="b.mp4", output="same.mp4")
    found = {one.video.name + one.state for one in once(folder, out).outcomes}
    assert found == {"a.mp4done", "a.mp4failed", "b.mp4failed"}
    told = json.loads((out / "same.mp4.scorebed.json").read_text())
    assert told["picture"]["duration_s"] == pytest.approx(1.5, abs=0.1)
    errors = [line["error"] for line in lines_of(out) if line["error"]]
    assert all("has become" in error["message"] for error in errors)
    assert all('"overwrite"' in error["remedy"] for error in errors)
    # Said in so many words, it is replaced.
    ask(folder / "3", video="b.mp4", output="same.mp4", overwrite=True)
    assert [one.state for one in once(folder, out).outcomes] == ["done"]
    told = json.loads((out / "same.mp4.scorebed.json").read_text())
    assert told["picture"]["duration_s"] == pytest.approx(2.5, abs=0.1)


def test_a_film_that_a_job_names_is_the_jobs(clips: list[Path], tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    shutil.copyfile(clips[0], folder / "a.mp4")
    ask(folder / "odd", video="a.mp4", output="a.odd")
    (failed,) = once(folder, out).outcomes
    assert failed.failure is not None
    assert "odd.scorebed.json" in failed.failure.message
    # Neither by itself, nor by the next watch.
    assert once(folder, out).outcomes == ()
    (folder / "odd.scorebed.json").unlink()
    # Nobody has tried it as it is.
    assert [one.name for one in once(folder, out).outcomes] == ["a.scored.mp4"]
    ask(folder / "more", video="a.mp4", output="more.mp4")
    assert [one.name for one in once(folder, out).outcomes] == ["more.mp4"]
    (out / "more.mp4").unlink()
    assert [one.name for one in once(folder, out).outcomes] == ["more.mp4"]
    assert once(folder, out).outcomes == ()


def test_a_watch_and_a_batch_know_each_others_films_from_wherever_they_are_started(
    clips: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out, away = tmp_path / "in", tmp_path / "out", tmp_path / "x" / "y"
    folder.mkdir()
    away.mkdir(parents=True)
    shutil.copyfile(clips[0], folder / "a.mp4")
    (folder / "bad.mp4").write_bytes(b"no film")

    def batch(place: str, into: str, **more: Any) -> dict[str, str]:
        try:
            result = package.batch(place, into, options=DRAFT, workspace=tmp_path / "w", **more)
        except BatchFailed as error:
            result = error.result
        return states(result)

    monkeypatch.chdir(tmp_path)
    assert batch("in", "out") == {"a.mp4": "done", "bad.mp4": "failed"}
    assert [line["input"] for line in lines_of(out)] == [
        str(folder / name) for name in ("bad.mp4", "a.mp4")
    ]
    monkeypatch.chdir(away)
    assert once(Path("../../in"), Path("../../out")).outcomes == ()
    assert batch("../../in", "../../out") == {"a.mp4": "skipped", "bad.mp4": "failed"}
    assert [line["state"] for line in lines_of(out)].count("done") == 1
    # What has failed in a watch, before its result had a name.
    (folder / "late.mp4").write_bytes(clips[1].read_bytes()[:-2000])
    assert states(once(folder, out)) == {"late.mp4": "failed"}
    assert lines_of(out)[-1]["name"] == str(folder / "late.mp4")
    shutil.copyfile(clips[1], folder / "late.mp4")
    found = batch("../../in", "../../out", retry_failed=True)
    assert found == {"a.mp4": "skipped", "bad.mp4": "failed", "late.mp4": "done"}
    monkeypatch.chdir(tmp_path)
    found = batch("in", "out", retry_failed=True)
    assert found == {"a.mp4": "skipped", "bad.mp4": "failed", "late.mp4": "skipped"}
    assert once(Path("in"), Path("out")).outcomes == ()


def ask(stem: Path, **keys: Any) -> None:
    part = stem.with_name(f".{stem.name}")
    part.write_text(json.dumps(keys))
    part.rename(stem.with_name(f"{stem.name}.scorebed.json"))


def test_no_result_of_a_film_that_was_moved_away_is_replaced(
    clips: list[Path], tmp_path: Path
) -> None:
    folder, out, done = tmp_path / "in", tmp_path / "out", tmp_path / "done"
    folder.mkdir()
    for number, state in ((0, "done"), (1, "done"), (0, "skipped"), (2, "done")):
        shutil.copyfile(clips[number], folder / "day.mp4")
        assert states(once(folder, out, move_done=done)) == {"day.mp4": state}
    names = ["day", "day (2)", "day (3)"]
    lengths = [
        json.loads((out / f"{name}.scored.mp4.scorebed.json").read_text())["picture"]["duration_s"]
        for name in names
    ]
    assert lengths == pytest.approx([1.5, 2.5, 3.5], abs=0.1)
    assert (done / "day (2).mp4").read_bytes() == clips[1].read_bytes()
    # A version that has gone is made again under its own name.
    (out / "day (2).scored.mp4").unlink()
    shutil.copyfile(clips[1], folder / "day.mp4")
    assert states(once(folder, out, move_done=done)) == {"day.mp4": "done"}
    assert sorted(path.stem for path in out.glob("*.mp4")) == [
        "day (2).scored", "day (3).scored", "day.scored",
    ]  # fmt: skip


def test_a_film_is_moved_after_its_last_job(clips: list[Path], tmp_path: Path) -> None:
    folder, out, done = tmp_path / "in", tmp_path / "out", tmp_path / "done"
    folder.mkdir()
    shutil.copyfile(clips[0], folder / "a.mp4")
    for number in range(3):
        ask(folder / f"job {number}", video="a.mp4", output=f"{number}.mp4", seed=number)
    # The last one fails, and keeps the film no longer.
    ask(folder / "job 3", video="a.mp4", output="3.odd")
    result = once(folder, out, move_done=done, jobs=1)
    assert sorted(one.state for one in result.outcomes) == ["done"] * 3 + ["failed"]
    assert sorted(path.name for path in out.glob("*.mp4")) == ["0.mp4", "1.mp4", "2.mp4"]
    assert (done / "a.mp4").is_file()
    assert [path.name for path in folder.iterdir()] == ["job 3.scorebed.json"]
    ask(folder / "late", video="a.mp4", output="late.mp4")
    (late,) = once(folder, out, move_done=done).outcomes
    assert late.failure is not None
    assert f"are moved to {done}" in late.failure.message
    assert "Move the film back" in late.failure.remedy


@pytest.mark.slow
def test_scored_films_are_moved_where_it_is_asked_for(clips: list[Path], tmp_path: Path) -> None:
    folder, out, done = tmp_path / "in", tmp_path / "out", tmp_path / "in" / "done"
    (folder / "deep").mkdir(parents=True)
    shutil.copyfile(clips[0], folder / "deep" / "a.mp4")
    shutil.copyfile(clips[0], folder / "same.mp4")
    (folder / "broken.mp4").write_bytes(b"no film")
    result = once(folder, out, move_done=done, keep_structure=True)
    assert sorted(states(result).values()) == ["done", "failed", "skipped"]
    assert (done / "deep" / "a.mp4").read_bytes() == clips[0].read_bytes()
    assert (done / "same.mp4").is_file()
    assert sorted(path.name for path in folder.rglob("*.mp4") if done not in path.parents) == [
        "broken.mp4"
    ]


def test_a_full_disk_ends_the_watch_and_it_goes_on_when_there_is_room(
    clips: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out, plain, count = tmp_path / "in", tmp_path / "out", os.fsync, 0
    folder.mkdir()
    shutil.copyfile(clips[0], folder / "a.mp4")

    def fsync(number: int) -> None:
        nonlocal count
        count += 1
        # The first says that a film is begun, the second that it has ended.
        if count == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        plain(number)

    with monkeypatch.context() as patched:
        patched.setattr("scorebed.batching.jsonl.os.fsync", fsync)
        with pytest.raises(WorkspaceError, match="is full") as caught:
            once(folder, out)
    assert caught.value.exit_code == 6
    assert caught.value.remedy
    assert not [path for path in out.iterdir() if path.suffix == ".part"]
    assert states(once(folder, out)) == {"a.mp4": "done"} or lines_of(out)[-1]["state"] == "done"


def test_a_watch_waits_for_its_results_folder(
    clips: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out, away, stop = tmp_path / "in", tmp_path / "out", tmp_path / "x", threading.Event()
    folder.mkdir()
    said: list[str] = []
    done: list[int] = []
    results: list[BatchResult] = []
    full, plain = threading.Event(), os.fsync

    def fsync(number: int) -> None:
        if full.is_set():
            raise OSError(errno.ENOSPC, "No space left on device")
        plain(number)

    def run() -> None:
        result = package.watch(
            folder, out, settle_s=0.1, interval_s=0.05, options=DRAFT, tell=said.append,
            workspace=tmp_path / "work", stop=stop, watch=lambda told: done.append(told.done),
        )  # fmt: skip
        results.append(result)

    monkeypatch.setattr("scorebed.batching.jsonl.os.fsync", fsync)
    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait_until(lambda: any("watching" in one for one in said))
        out.rename(away)
        shutil.copyfile(clips[0], folder / "a.mp4")
        wait_until(lambda: any("the watch waits" in one for one in said))
        away.rename(out)
        wait_until(lambda: 1 in done)
        full.set()
        shutil.copyfile(clips[1], folder / "b.mp4")
        wait_until(lambda: any("is full" in one for one in said))
        full.clear()
        wait_until(lambda: 2 in done)
    finally:
        full.clear()
        stop.set()
        thread.join(PATIENCE_S)
    assert [states(result) for result in results] == [{"a.mp4": "done", "b.mp4": "done"}]
    # Once for each time, however often it was tried.
    assert [one.endswith("goes on") for one in said if "the watch" in one].count(True) == 2
    waits = [one for one in said if "the watch waits" in one]
    assert len(waits) == 2
    assert all(one.startswith("watch: ") for one in waits)


@pytest.mark.slow
def test_a_python_program_stops_its_watch(clips: list[Path], tmp_path: Path) -> None:
    folder, stop, results = tmp_path / "in", threading.Event(), []
    folder.mkdir()

    def run() -> None:
        result = package.watch(
            folder, tmp_path / "out", settle_s=0.1, interval_s=0.05, options=DRAFT,
            workspace=tmp_path / "work", stop=stop, watch=lambda told: seen.append(told.done),
        )  # fmt: skip
        results.append(result)

    seen: list[int] = []
    thread = threading.Thread(target=run)
    thread.start()
    try:
        shutil.copyfile(clips[0], folder / "a.mp4")
        wait_until(lambda: 1 in seen)
    finally:
        stop.set()
        thread.join(PATIENCE_S)
    assert [states(result) for result in results] == [{"a.mp4": "done"}]


@contextmanager
def running(folder: Path, out: Path, **more: Any) -> Iterator[list[BatchProgress]]:
    """A watch of a Python program, which looks often; gives what it tells."""
    told: list[BatchProgress] = []
    stop = threading.Event()
    options = more.pop("options", DRAFT)

    def run() -> None:
        package.watch(
            folder, out, settle_s=0.1, interval_s=0.05, options=options, jobs=1,
            workspace=out.parent / "work", stop=stop, watch=told.append, **more,
        )  # fmt: skip

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield told
    finally:
        stop.set()
        thread.join(PATIENCE_S)
    assert not thread.is_alive()


def workers() -> list[int]:
    """The processes of ours that score."""
    lists = Path("/proc/self/task").glob("*/children")
    children = [int(pid) for one in lists for pid in one.read_text().split()]
    return [pid for pid in children if alive(pid) and b"batching.worker" in command_of(pid)]


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="only Linux says whose they are")
def test_a_worker_that_is_killed_loses_no_film(
    clips: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scorebed.watching.again.PAUSE_S", 0.1)
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    said: list[str] = []
    with running(folder, out, tell=said.append) as told:
        shutil.copyfile(clips[0], folder / "a.mp4")
        wait_until(lambda: any(one.stage for now in told for one in now.running))
        os.kill(workers()[0], signal.SIGKILL)
        wait_until(lambda: (out / "a.scored.mp4.scorebed.json").exists() and told[-1].done == 1)
        # One that has nothing to do is killed: the next film does not notice.
        os.kill(workers()[0], signal.SIGKILL)
        shutil.copyfile(clips[1], folder / "b.mp4")
        wait_until(lambda: told[-1].done == 2)
    lines = [(Path(one["input"]).name, one["state"]) for one in lines_of(out)]
    assert lines == [("a.mp4", "failed"), ("a.mp4", "done"), ("b.mp4", "done")]
    failed = lines_of(out)[0]
    assert failed["error"]["kind"] == "WorkerDied"
    assert "is tried again in" in failed["why"]
    assert "(1 of 10)" in failed["why"]
    assert any(failed["why"] in one for one in said)


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["429-busy", "refused", "lost"])
def test_what_a_service_is_down_for_is_tried_again_and_what_may_be_billed_is_not(
    trouble: str,
    make_video: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("scorebed.watching.again.PAUSE_S", 0.1)
    monkeypatch.setenv("ELEVENLABS_API_KEY", "sk_watch_4711_secret")
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    shutil.copyfile(make_video("a.mp4", "-c:a", "aac", duration_s=4.0), folder / "a.mp4")
    with MusicService(key="sk_watch_4711_secret") as service:
        if trouble == "refused":
            service.down()
        else:
            service.will(*["reset-after-body" if trouble == "lost" else trouble] * 7)
        paid = Options(base_url=service.url, quality="draft", ledger=tmp_path / "ledger")
        with running(folder, out, options=paid):
            # A worker asks seven times itself before it gives up.
            wait_until(lambda: bool(lines_of(out)), patience_s=4 * PATIENCE_S)
            if trouble == "lost":
                # Another look, in which its time would have come.
                (folder / "text.mp4").write_bytes(b"no film")
                wait_until(lambda: len(lines_of(out)) > 1)
            else:
                if trouble == "refused":
                    service.up()
                wait_until(lambda: lines_of(out)[-1]["state"] == "done")
        states = [one["state"] for one in lines_of(out) if one["input"].endswith("a.mp4")]
        kinds = [one["error"]["kind"] for one in lines_of(out) if one["error"]]
        if trouble == "lost":
            assert (states, kinds[0]) == (["failed"], "OutcomeUnknown")
            assert service.purchases == 1
        else:
            assert states[-1] == "done"
            assert set(states[:-1]) == {"failed"}
            assert set(kinds) == {"RateLimited" if trouble == "429-busy" else "ProviderUnavailable"}
            assert service.purchases == 1


@pytest.mark.slow
def test_one_limit_is_for_all_that_a_watch_buys(
    scorebed: Scorebed, make_video: Callable[..., Path], tmp_path: Path
) -> None:
    folder, key = tmp_path / "in", "sk_watch_4711_secret"
    folder.mkdir()
    shutil.copyfile(make_video("a.mp4", "-c:a", "aac", duration_s=4.0), folder / "a.mp4")
    other = make_video("b.mp4", "-c:a", "aac", duration_s=4.0, look="testsrc=size=160x90")
    shutil.copyfile(other, folder / "b.mp4")

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        return scorebed(
            *("watch", folder, "--out", tmp_path / "out", "--workspace", tmp_path / "work"),
            *("--ledger", tmp_path / "ledger", "--once", "--settle", "0", "--json", *args),
            ELEVENLABS_API_KEY=key,
            ELEVENLABS_BASE_URL=service.url,
        )

    with MusicService(key=key) as service:
        refused = run()
        assert refused.returncode == 2
        assert "--max-spend" in refused.stderr
        assert not service.requests
        # A film costs 0.04 USD. What asks for more of it in the folder is not heard.
        ask(folder / "dear", video="b.mp4", max_spend=9)
        first = run("--max-spend", "0.05")
        assert first.returncode == 7, first.stderr
        errors = {
            Path(one["input"]).name: one["error"]["kind"]
            for one in json.loads(first.stdout)["files"]
            if one["error"]
        }
        assert errors.pop("dear.scorebed.json") == "SettingsError"
        assert list(errors.values()) == ["OverLimit"]
        assert len(service.requests) == 1
        (folder / "dear.scorebed.json").unlink()
        second = run("--max-spend", "0.08", "--retry-failed")
        assert second.returncode == 0, second.stderr
        assert json.loads(second.stdout)["done"] == 1
        assert len(service.requests) == 2
