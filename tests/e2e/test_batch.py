"""``scorebed batch`` as a person or a farm runs it: good and bad files, resumes, kills, signals."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

import scorebed as package
from scorebed.delivery import claim
from scorebed.errors import BatchFailed, WorkspaceError
from scorebed.options import Options

if TYPE_CHECKING:
    from scorebed.batching.outcome import BatchResult

Scorebed = Callable[..., subprocess.CompletedProcess[str]]
SCHEMA = json.loads((Path(package.__file__).parent / "schema" / "batch-1.json").read_text())
DRAFT = ("--quality", "draft")


@pytest.fixture(scope="session")
def clips(make_video: Callable[..., Path]) -> list[Path]:
    """Three small films of different lengths, with sound."""
    return [
        make_video(f"clip{number}.mp4", "-c:a", "aac", duration_s=1.5 + 0.5 * number)
        for number in range(3)
    ]


@pytest.fixture
def folder(clips: list[Path], tmp_path: Path) -> Path:
    """A folder with them, one in a folder below."""
    place = tmp_path / "in"
    (place / "sub").mkdir(parents=True)
    for number, clip in enumerate(clips):
        shutil.copy2(clip, (place / "sub" if number == 2 else place) / f"film {number}.mp4")
    return place


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def lines_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "batch.jsonl").read_text().splitlines()]


def told(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    result = json.loads(done.stdout)
    jsonschema.validate(result, SCHEMA)
    return dict(result)


def states(result: dict[str, Any]) -> dict[str, str]:
    return {Path(one["input"]).name: one["state"] for one in result["files"]}


def results(out: Path) -> set[str]:
    return {path.name for path in out.rglob("*") if path.suffix in {".mp4", ".mkv"}}


def stages_of(work: Path) -> dict[str, tuple[int, int]]:
    """What the disk knows each finished stage by: one that is made again is another file."""
    found = {}
    for file in work.glob("*/*-*/result.json"):
        if file.parent.suffix != ".tmp":
            status = file.stat()
            found[str(file.relative_to(work))] = (status.st_ino, status.st_mtime_ns)
    return found


def wait_for_a_stage(
    process: subprocess.Popen[str], work: Path, kept: dict[str, tuple[int, int]]
) -> None:
    """Until one more than those is finished, or the batch is."""
    while process.poll() is None and stages_of(work) == kept:
        time.sleep(0.02)


def start(environment: dict[str, str], *args: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "scorebed", "batch", *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        stdin=subprocess.DEVNULL,
    )


def wait_for(process: subprocess.Popen[str], words: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return
    pytest.fail(f"the batch ended before {words!r}")


def workers_of(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children]


def family_of(pid: int) -> list[int]:
    """All descendants that can be seen."""
    found = workers_of(pid)
    for child in list(found):
        tasks = Path(f"/proc/{child}/task")
        for task in tasks.iterdir() if tasks.is_dir() else ():
            found += map(int, (task / "children").read_text().split())
    return found


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def gone_within(pids: list[int], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while any(map(alive, pids)):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def test_good_files_are_done_bad_ones_reported_and_nothing_is_done_twice(
    scorebed: Scorebed, folder: Path, tmp_path: Path
) -> None:
    out, work = tmp_path / "out", tmp_path / "work"
    twin = folder / "sub" / "the 'same' é again.mp4"
    shutil.copy2(folder / "film 0.mp4", twin)
    (folder / "broken.mp4").write_bytes(b"\0" * 5000)
    (folder / "nowhere.mp4").symlink_to(folder / "not there")
    (folder / "._film 0.mp4").write_bytes(b"AppleDouble")
    (folder / ".hidden").mkdir()
    shutil.copy2(twin, folder / ".hidden" / "film.mp4")
    shutil.copy2(twin, folder / "copying.mp4.part")
    shutil.copy2(twin, folder / "locked.mp4")
    command = ("batch", folder, "--out", out, "--workspace", work, "--jobs", "2", "--json", *DRAFT)
    out.mkdir()
    with claim(out / "locked.scored.mp4", video=folder / "locked.mp4", overwrite=False):
        done = scorebed(*command)
    assert done.returncode == 7, done.stderr
    result = told(done)
    bad = {"broken.mp4", "nowhere.mp4", "locked.mp4"}
    good = {"film 0.mp4", "film 1.mp4", "film 2.mp4", twin.name}
    assert states(result) == dict.fromkeys(good, "done") | dict.fromkeys(bad, "failed")
    assert results(out) == {f"{Path(name).stem}.scored.mp4" for name in good}
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    codes = {Path(one["input"]).name: one["error"]["exit_code"] for one in failed(result)}
    assert codes == {"broken.mp4": 3, "nowhere.mp4": 3, "locked.mp4": 6}
    assert all(one["error"]["remedy"] for one in failed(result))
    assert "error: batch: 3 of 7 files failed; 4 are done" in done.stderr
    for line in lines_of(out):
        jsonschema.validate(line, SCHEMA["$defs"]["file"] | {"$defs": SCHEMA["$defs"]})
    # Two identical files: each has its result, the music was made once.
    assert digest(out / "film 0.scored.mp4") == digest(out / f"{twin.stem}.scored.mp4")
    assert len(list(work.glob("*/compose-*/take.wav"))) == 3

    again = told(scorebed(*command))
    assert states(again) == dict.fromkeys(good, "skipped") | dict.fromkeys(
        bad - {"locked.mp4"}, "failed"
    ) | {"locked.mp4": "done"}
    # Another file, other options: they alone are done again.
    shutil.copy2(folder / "sub" / "film 2.mp4", folder / "film 1.mp4")
    before = digest(out / "film 0.scored.mp4")
    changed = told(scorebed(*command))
    assert [name for name, state in states(changed).items() if state == "done"] == ["film 1.mp4"]
    reseeded = told(scorebed(*command, "--seed", "7", "--only", "film 0*"))
    assert states(reseeded) == {"film 0.mp4": "done"}
    assert digest(out / "film 0.scored.mp4") != before


def failed(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in result["files"] if one["state"] == "failed"]


def test_a_worker_that_is_killed_takes_only_its_file(
    scorebed: Scorebed, environment: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = (folder, "--out", out, "--workspace", tmp_path / "work", "--jobs", "1", *DRAFT)
    process = start(environment, *command)
    wait_for(process, "film 2.mp4: started")
    (worker,) = workers_of(process.pid)
    os.kill(worker, signal.SIGKILL)
    _, said = process.communicate()
    assert process.returncode == 7, said
    lines = {Path(line["input"]).name: line for line in lines_of(out)}
    assert lines["film 2.mp4"]["state"] == "failed"
    assert "was killed (signal 9)" in lines["film 2.mp4"]["error"]["message"]
    assert [line["state"] for line in lines.values()].count("done") == 2
    retried = told(scorebed("batch", *command, "--retry-failed", "--json"))
    assert states(retried)["film 2.mp4"] == "done"
    assert list(states(retried).values()).count("skipped") == 2


def undisturbed(scorebed: Scorebed, folder: Path, tmp_path: Path) -> dict[str, str]:
    out = tmp_path / "undisturbed"
    done = scorebed(
        "batch", folder, "--out", out, "--workspace", tmp_path / "other", "--jobs", "2", *DRAFT
    )
    assert done.returncode == 0, done.stderr
    return {name: digest(out / name) for name in results(out)}


def kill_and_resume(
    scorebed: Scorebed,
    environment: dict[str, str],
    folder: Path,
    tmp_path: Path,
    *,
    kills: int,
    most_s: float,
) -> None:
    """Kills a batch at random moments; what comes of it is what an undisturbed one gives."""
    wanted = undisturbed(scorebed, folder, tmp_path)
    out = tmp_path / "out"
    command = (folder, "--out", out, "--workspace", tmp_path / "work", "--jobs", "2", *DRAFT)
    chance = random.Random(4)  # noqa: S311 - seeded
    kept: dict[str, tuple[int, int]] = {}
    for _ in range(kills):
        process = start(environment, *command)
        wait_for(process, ": started")
        wait_for_a_stage(process, tmp_path / "work", kept)
        time.sleep(chance.uniform(0.0, most_s))
        family = family_of(process.pid) if process.poll() is None else []
        process.kill()
        process.communicate()
        assert gone_within(family, 10.0), "a worker outlives its batch"
        now = stages_of(tmp_path / "work")
        assert kept.items() <= now.items(), "a finished stage was made again"
        kept = now
        assert {name: digest(out / name) for name in results(out)}.items() <= wanted.items()
    done = scorebed("batch", *command, "--json")
    assert done.returncode == 0, done.stderr
    assert kept.items() <= stages_of(tmp_path / "work").items(), "a finished stage was made again"
    assert {name: digest(out / name) for name in results(out)} == wanted
    ended = [line["name"] for line in lines_of(out) if line["state"] == "done"]
    assert sorted(ended) == sorted(wanted), "a file was scored twice"
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


@pytest.mark.slow
def test_a_batch_that_is_killed_goes_on_where_it_stopped(
    scorebed: Scorebed, environment: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    kill_and_resume(scorebed, environment, folder, tmp_path, kills=2, most_s=3.0)


def test_ctrl_c_stops_the_batch_cleanly(
    environment: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = start(
        environment, folder, "--out", out, "--workspace", tmp_path / "work", "--jobs", "2", *DRAFT
    )
    wait_for(process, ": done in")
    family = family_of(process.pid)
    assert len(family) >= 2
    process.send_signal(signal.SIGINT)
    # Promised within 5 s, which a machine that does other things too cannot prove.
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "again" in said
    assert "Traceback" not in said
    assert not any(map(alive, family))
    done = [line["name"] for line in lines_of(out)]
    assert results(out) >= set(done)
    assert not [path for path in out.iterdir() if path.suffix == ".part"]


def test_python_calls_need_no_guard_and_watch_what_happens(
    environment: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    # At the top of a script, where multiprocessing would start it over and over.
    script.write_text(
        "import sys, scorebed\n"
        "seen = []\n"
        "result = scorebed.batch(sys.argv[1], sys.argv[2], jobs=1, only=['film 0*'],\n"
        "    options=scorebed.Options(quality='draft'), workspace=sys.argv[3],\n"
        "    watch=seen.append)\n"
        "shares = [one.share for one in seen]\n"
        "assert shares == sorted(shares) and shares[-1] == 1.0, shares\n"
        # Which of the quick stages is seen hangs on when one looks.
        "assert any(one.stage for told in seen for one in told.running)\n"
        "assert [one.ended.state for one in seen if one.ended] == ['done']\n"
        "print(result.count('done'))\n"
    )
    done = subprocess.run(
        [sys.executable, script, folder, tmp_path / "out", tmp_path / "work"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


@pytest.mark.parametrize("known", [True, False])
def test_after_a_failure_no_further_file_is_begun_where_that_is_asked_for(
    clips: list[Path], tmp_path: Path, *, known: bool
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    for place in (folder, out):
        place.mkdir()
    shutil.copy2(clips[0], folder / "short.mp4")
    # The longer one comes first.
    bad = Path(shutil.copy2(clips[2], folder / "long.mp4"))
    if known:
        bad.write_text("no film")
    with (
        # Its name is held by another run, which is seen when it is begun.
        nullcontext() if known else claim(out / "long.scored.mp4", video=bad, overwrite=False),
        pytest.raises(BatchFailed) as caught,
    ):
        package.batch(
            folder, out, jobs=1, fail_fast=True, options=Options(quality="draft"),
            workspace=tmp_path / "work",
        )  # fmt: skip
    found = {one.video.name: (one.state, one.why) for one in caught.value.result.outcomes}
    assert found["long.mp4"][0] == "failed"
    assert found["short.mp4"] == ("skipped", "another file had failed")
    assert not results(out)


def test_two_threads_may_each_run_a_batch(clips: list[Path], tmp_path: Path) -> None:
    def run(number: int) -> BatchResult:
        folder = tmp_path / f"in {number}"
        folder.mkdir()
        shutil.copy2(clips[number], folder / "film.mp4")
        return package.batch(
            folder, tmp_path / f"out {number}", jobs=1, options=Options(quality="draft"),
            workspace=tmp_path / "work",
        )  # fmt: skip

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(run, range(2)))
    assert [result.count("done") for result in done] == [1, 1]
    for number in range(2):
        assert results(tmp_path / f"out {number}") == {"film.scored.mp4"}


def test_python_calls_raise_what_failed_with_all_that_was_done(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("no film")
    with pytest.raises(BatchFailed) as caught:
        package.batch(tmp_path, tmp_path / "out", options=Options(), workspace=tmp_path / "work")
    assert caught.value.exit_code == 7
    (outcome,) = caught.value.result.outcomes
    assert outcome.failure.kind == "MediaError"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--name-template", "{stam}"), "{stem}"),
        (("--style", "cinematick"), "cinematic"),
        (("--jobs", "0"), "1 or more"),
        (("--only", "*.xyz"), "no film"),
        (("--dry-mux",), "No such option"),
        (("--json", "--progress", "openjd"), "both are for stdout"),
        (("--name-template", "{parent}.mp4"), "--keep-structure"),
    ],
)
def test_a_wrong_option_refuses_the_batch_before_anything(
    args: tuple[str, ...], words: str, scorebed: Scorebed, folder: Path, tmp_path: Path
) -> None:
    done = scorebed("batch", folder, "--out", tmp_path / "out", *args)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_manifest_has_options_per_file_and_openjd_reads_the_progress(
    scorebed: Scorebed, folder: Path, tmp_path: Path
) -> None:
    manifest = tmp_path / "films.csv"
    manifest.write_text(
        "video,output,seed,no-duck,tag\n"
        "in/film 0.mp4,one.mkv,5,true,calm;piano\n"
        "in/film 0.mp4,two/two.mp4,,,\n"
    )
    out, log = tmp_path / "out", tmp_path / "log.jsonl"
    done = scorebed(
        "batch", manifest, "--out", out, "--jobs", "2", "--progress", "openjd",
        "--workspace", tmp_path / "work", "--log-file", log, "--log-format", "json", *DRAFT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # Workers write to the log of the batch.
    logged = [json.loads(line) for line in log.read_text().splitlines()]
    assert {Path(line["file"]).name for line in logged} == {"film 0.mp4", "out"}
    assert {line["stage"] for line in logged} >= {"compose", "mux"}
    sheets = [json.loads((out / f"{name}.scorebed.json").read_text()) for name in ("one.mkv",)]
    assert sheets[0]["music"]["seed"] == 5
    assert (out / "two" / "two.mp4").is_file()
    lines = done.stdout.splitlines()
    shares = [float(line.split()[1]) for line in lines if line.startswith("openjd_progress: ")]
    assert shares == sorted(shares)
    assert shares[-1] == 100.0
    assert all(line.startswith(("openjd_progress: ", "openjd_status: ")) for line in lines)
    assert lines[-1].startswith("openjd_status: 2 of 2 done") or "2 of 2 done" in done.stdout


@pytest.mark.slow
def test_one_style_is_one_key_and_tempo_and_the_drift_is_told(
    scorebed: Scorebed, folder: Path, tmp_path: Path
) -> None:
    done = scorebed(
        "batch", folder, "--out", tmp_path / "out", "--workspace", tmp_path / "work",
        "--only", "film [01]*", "--one-style", "--json", *DRAFT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    drift = told(done)["drift"]
    assert len(drift) == 2
    assert len({one["key"] for one in drift}) == 1
    assert not any(one["key_differs"] for one in drift)
    assert all(one["brightness_hz"] > 100 and one["integrated_lufs"] < 0 for one in drift)
    again = told(
        scorebed(
            "batch", folder, "--out", tmp_path / "out", "--workspace", tmp_path / "work",
            "--only", "film [01]*", "--one-style", "--json", *DRAFT,
        )
    )  # fmt: skip
    assert states(again) == dict.fromkeys(states(again), "skipped")
    assert again["drift"] == drift


@pytest.mark.parametrize(
    "writes",
    [
        pytest.param(0, id="the first file begins", marks=pytest.mark.slow),
        pytest.param(2, id="the first file ends"),
    ],
)
def test_a_full_disk_stops_the_batch_and_it_goes_on_when_there_is_room(
    writes: int, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, plain, count = tmp_path / "out", os.fsync, 0

    def fsync(number: int) -> None:
        nonlocal count
        count += 1
        if count > writes:
            raise OSError(errno.ENOSPC, "No space left on device")
        plain(number)

    def run() -> BatchResult:
        return package.batch(
            folder, out, only=["film [01]*"], jobs=2, options=Options(quality="draft"),
            workspace=tmp_path / "work",
        )  # fmt: skip

    with monkeypatch.context() as patched:
        patched.setattr("scorebed.batching.jsonl.os.fsync", fsync)
        with pytest.raises(WorkspaceError, match="is full") as caught:
            run()
    assert caught.value.exit_code == 6
    assert not [path for path in out.iterdir() if path.suffix == ".part"]
    result = run()
    assert result.count("done") + result.count("skipped") == 2
    assert results(out) == {"film 0.scored.mp4", "film 1.scored.mp4"}
