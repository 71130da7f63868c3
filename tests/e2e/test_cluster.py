"""``scorebed batch --cluster``: a Dask scheduler and workers as people start them, on loopback."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scorebed.batching.lock import film_lock
from scorebed.testing import MusicService

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="only Linux says who belongs to whom"
)

Scorebed = Callable[..., subprocess.CompletedProcess[str]]
KEY = "sk_cluster_4711_secret"
DRAFT = ("--quality", "draft", "--progress", "plain")
# It ends with the test that started it, however that ends.
BOUND = (
    "import os, signal, sys, threading\n"
    "def watch():\n"
    "    sys.stdin.buffer.read()\n"
    "    os.kill(os.getpid(), signal.SIGTERM)\n"
    "threading.Thread(target=watch, daemon=True).start()\n"
    "from distributed.cli.dask_{0} import main\n"
    "main()\n"
)


@contextmanager
def dask(what: str, env: dict[str, str], *args: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-c", BOUND.format(what), "--no-dashboard", *map(str, args)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=env,
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass
class Cluster:
    """Processes: the scheduler, and the nannies of its workers."""

    file: Path
    env: dict[str, str]
    scheduler: subprocess.Popen[bytes]
    nannies: list[subprocess.Popen[bytes]]

    @property
    def address(self) -> str:
        return str(json.loads(self.file.read_text())["address"])

    def at_work(self) -> dict[int, int]:
        """Processes that score a film, each with the worker that has started it."""
        workers = [pid for nanny in self.nannies for pid in children(nanny.pid)]
        return {
            child: worker
            for worker in workers
            for child in children(worker)
            if b"scorebed.batching.worker" in command(child)
        }

    def at_film(self, out: Path, name: str) -> tuple[int, int]:
        """The process that scores it, and its worker."""
        held = os.fsencode(film_lock(out, name))
        return next(pair for pair in self.at_work().items() if held in command(pair[0]))

    def await_workers(self, count: int) -> None:
        """Until so many are there."""
        code = (
            "import sys, distributed\n"
            "with distributed.Client(sys.argv[1]) as client:\n"
            "    client.wait_for_workers(int(sys.argv[2]), timeout=60)\n"
        )
        subprocess.run([sys.executable, "-c", code, self.address, str(count)], check=True)


@contextmanager
def cluster_of(count: int, env: dict[str, str], folder: Path) -> Iterator[Cluster]:
    file = folder / "scheduler.json"
    own = env | {"DASK_TEMPORARY_DIRECTORY": str(folder), "ELEVENLABS_API_KEY": KEY}
    with ExitStack() as stack:
        scheduler = stack.enter_context(
            dask("scheduler", own, "--host", "127.0.0.1", "--port", "0", "--scheduler-file", file)
        )
        nannies = [stack.enter_context(worker(file, own)) for _ in range(count)]
        found = Cluster(file=file, env=own, scheduler=scheduler, nannies=nannies)
        wait_until(file.is_file, "the scheduler does not start")
        found.await_workers(count)
        yield found


@contextmanager
def worker(file: Path, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with dask(
        "worker", env, "--scheduler-file", file, "--host", "127.0.0.1", "--nthreads", "1",
        "--nanny", "--memory-limit", "0", "--death-timeout", "30",
    ) as nanny:  # fmt: skip
        yield nanny


@pytest.fixture(scope="module")
def cluster(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """Two workers of one thread each; they have a key, the batch has none."""
    with cluster_of(2, environment, tmp_path_factory.mktemp("cluster")) as found:
        yield found


@pytest.fixture
def films(make_video: Callable[..., Path], tmp_path: Path) -> Path:
    """Two films of 2 and 2.5 s, of different pictures."""
    place = tmp_path / "in"
    place.mkdir()
    for number, look in enumerate(("testsrc2", "testsrc")):
        film = make_video(
            f"farm{number}.mp4", "-c:a", "aac",
            duration_s=2.0 + 0.5 * number, look=f"{look}=size=160x90",
        )  # fmt: skip
        shutil.copy2(film, place / f"a film {number}.mp4")
    return place


def children(pid: int) -> list[int]:
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(one) for one in path.read_text().split()]
        except OSError:
            continue
    return found


def command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(holds: Callable[[], object], otherwise: str, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, otherwise
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
    said = []
    for line in process.stderr:
        said.append(line)
        if words in line:
            return
    pytest.fail(f"the batch ended before {words!r}: {''.join(said)}")


def lines_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "batch.jsonl").read_text().splitlines()]


def states(out: Path) -> dict[str, str]:
    return {Path(line["input"]).name: line["state"] for line in lines_of(out)}


def log_of(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def logged(path: Path) -> list[dict[str, Any]]:
    """Of whole lines: one may just be written."""
    return [json.loads(line) for line in log_of(path).splitlines() if line.endswith("}")]


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".*") if path.name != ".scorebed-workspace"]


Heard = Callable[..., tuple[Any, int]]


def contents(out: Path, stream_hash: Callable[..., str], heard: Heard) -> dict[str, str]:
    """Name of a result to its picture's packets and its decoded sound."""
    return {
        path.name: f"{stream_hash(path)} {hashlib.sha256(heard(path)[0].tobytes()).hexdigest()}"
        for path in sorted(out.glob("*.mp4"))
    }


def music(workspace: Path) -> set[str]:
    takes = workspace.glob("*/compose-*/take.wav")
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in takes}


def test_a_worker_dies_in_mid_film_and_the_result_is_that_of_a_batch_at_home(
    scorebed: Scorebed,
    environment: dict[str, str],
    cluster: Cluster,
    films: Path,
    tmp_path: Path,
    stream_hash: Callable[..., str],
    heard: Heard,
) -> None:
    home = scorebed(
        "batch", films, "--out", tmp_path / "home", "--workspace", tmp_path / "at home", *DRAFT
    )
    assert home.returncode == 0, home.stderr
    out, log = tmp_path / "out ü", tmp_path / "log.jsonl"
    process = start(
        environment, films, "--out", out, "--workspace", tmp_path / "work", *DRAFT,
        "--cluster", cluster.address, "--log-file", log, "--log-format", "json",
    )  # fmt: skip
    wait_until(lambda: "score begins" in log_of(log), "no film is begun")
    film = next(line["file"] for line in logged(log) if line["message"] == "score begins")
    child, victim = cluster.at_film(out, f"{Path(film).stem}.scored.mp4")
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: not alive(child), "what a dead worker had started lives", 10)
    _, said = process.communicate()
    assert process.returncode == 0, said
    assert f"{Path(film).name}: its worker was lost" in said
    assert contents(out, stream_hash, heard) == contents(tmp_path / "home", stream_hash, heard)
    assert music(tmp_path / "work") == music(tmp_path / "at home")
    assert len(music(tmp_path / "work")) == 2
    assert [line["state"] for line in lines_of(out)] == ["done"] * 2
    assert not hidden(out)
    assert not hidden(tmp_path / "work")
    ended = {Path(line["file"]).name for line in logged(log) if line["message"] == "score done"}
    assert ended == {path.name for path in films.iterdir()}
    assert {line["stage"] for line in logged(log)} >= {"probe", "compose", "mux"}
    cluster.await_workers(2)


def test_a_worker_dies_while_it_buys_and_nothing_is_bought_twice(
    scorebed: Scorebed, environment: dict[str, str], cluster: Cluster, films: Path, tmp_path: Path
) -> None:
    ledger, out = tmp_path / "ledger", tmp_path / "out"
    with MusicService(key=KEY, work_s=lambda number: 60.0 if number == 1 else 0.0) as service:
        # The batch has no key: it is the workers' own, and is never sent.
        command = (
            films, "--out", out, "--workspace", tmp_path / "work", "--ledger", ledger, "--yes",
            "--provider", "elevenlabs", "--base-url", service.url, *DRAFT,
            "--cluster", cluster.file, "--jobs", "1",
        )  # fmt: skip
        process = start(environment, *command)
        wait_until(lambda: service.in_flight, "nothing is sent")
        (victim,) = set(cluster.at_work().values())
        os.kill(victim, signal.SIGKILL)
        _, said = process.communicate()
        assert process.returncode == 7, said
        assert KEY not in said
        (lost,) = [line for line in lines_of(out) if line["state"] == "failed"]
        assert lost["error"]["kind"] == "OutcomeUnknown"
        assert lost["spent"]["requests"] == 1
        assert len(service.requests) == 2
        assert sorted(states(out).values()) == ["done", "failed"]
        assert sorted(fates(ledger)) == [("kept",), ("unknown",)]
        # Again: it is still not sent unasked; asked, it is bought, once.
        cluster.await_workers(2)
        again = scorebed("batch", *command)
        assert again.returncode == 7, again.stderr
        assert len(service.requests) == 2
        bought = scorebed("batch", *command, "--buy-again")
        assert bought.returncode == 0, bought.stderr
        assert len(service.requests) == 3
    assert sorted(fates(ledger)) == [("kept",), ("unknown", "kept")]
    assert all((out / f"a film {number}.scored.mp4").is_file() for number in range(2))
    assert not hidden(out)


def fates(ledger: Path) -> list[tuple[str, ...]]:
    receipts = [json.loads(path.read_text()) for path in ledger.glob("*/receipt.json")]
    return [tuple(one["state"] for one in receipt["attempts"]) for receipt in receipts]
