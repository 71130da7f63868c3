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
from typing import TYPE_CHECKING, Any

import pytest

import scorebed as package
from scorebed.batching.lock import film_lock
from scorebed.delivery import claim
from scorebed.errors import ToolError
from scorebed.options import Options
from scorebed.testing import MusicService

if TYPE_CHECKING:
    from scorebed.batching.items import BatchProgress

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
        # Another worker went on with it, and did not send it unasked. Asked, it is bought, once.
        bought = scorebed("batch", *command, "--buy-again")
        assert bought.returncode == 0, bought.stderr
        assert len(service.requests) == 3
    assert sorted(fates(ledger)) == [("kept",), ("unknown", "kept")]
    assert all((out / f"a film {number}.scored.mp4").is_file() for number in range(2))
    assert not hidden(out)


def fates(ledger: Path) -> list[tuple[str, ...]]:
    receipts = [json.loads(path.read_text()) for path in ledger.glob("*/receipt.json")]
    return [tuple(one["state"] for one in receipt["attempts"]) for receipt in receipts]


@pytest.mark.slow
def test_a_batch_that_is_stopped_takes_its_films_back(
    scorebed: Scorebed, environment: dict[str, str], cluster: Cluster, films: Path, tmp_path: Path
) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    command = (
        films, "--out", out, "--workspace", tmp_path / "work", "--cluster", cluster.address, *DRAFT,
    )  # fmt: skip
    process = start(environment, *command, "--log-file", log)
    wait_until(lambda: "score begins" in log_of(log), "no film is begun")
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert not cluster.at_work(), "a film is still at work"
    assert not [path for path in out.iterdir() if path.suffix in {".part", ".lock"}]
    again = scorebed("batch", *command)
    assert again.returncode == 0, again.stderr
    assert states(out) == {path.name: "done" for path in films.iterdir()}
    assert not hidden(out)


@pytest.mark.slow
def test_a_batch_that_is_killed_leaves_no_film_at_work_and_goes_on(
    scorebed: Scorebed, environment: dict[str, str], cluster: Cluster, films: Path, tmp_path: Path
) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    command = (
        films, "--out", out, "--workspace", tmp_path / "work", "--cluster", cluster.address, *DRAFT,
    )  # fmt: skip
    process = start(environment, *command, "--log-file", log)
    wait_until(lambda: "score begins" in log_of(log), "no film is begun")
    process.kill()
    process.communicate()
    # At once, without waiting for what the dead one has left at work.
    again = scorebed("batch", *command)
    assert again.returncode == 0, again.stderr
    assert states(out) == {path.name: "done" for path in films.iterdir()}
    assert not hidden(out)
    assert not hidden(tmp_path / "work")


@pytest.mark.slow
def test_a_scheduler_that_is_lost_ends_the_batch_and_a_new_one_goes_on(
    scorebed: Scorebed,
    environment: dict[str, str],
    films: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    command = (films, "--out", out, "--workspace", tmp_path / "work", *DRAFT)
    with cluster_of(1, environment, tmp_path_factory.mktemp("lost")) as first:
        process = start(environment, *command, "--cluster", first.address, "--log-file", log)
        wait_until(lambda: "score begins" in log_of(log), "no film is begun")
        first.scheduler.kill()
        _, said = process.communicate(timeout=60)
        assert process.returncode == 4, said
        assert "was lost" in said
        assert "Traceback" not in said
        (line,) = lines_of(out)
        assert "was lost with the scheduler" in line["error"]["message"]
        wait_until(lambda: not first.at_work(), "a film is at work for nobody", 20)
    with cluster_of(1, environment, tmp_path_factory.mktemp("new")) as second:
        again = scorebed("batch", *command, "--cluster", second.address)
    assert again.returncode == 0, again.stderr
    assert states(out) == {path.name: "done" for path in films.iterdir()}
    assert not hidden(out)


@pytest.mark.slow
def test_a_worker_that_is_asked_to_close_hands_its_film_on(
    environment: dict[str, str],
    films: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    with cluster_of(2, environment, tmp_path_factory.mktemp("closing")) as own:
        process = start(
            environment, films, "--out", out, "--workspace", tmp_path / "work", *DRAFT,
            "--cluster", own.address, "--log-file", log, "--jobs", "1",
        )  # fmt: skip
        wait_until(lambda: "score begins" in log_of(log), "no film is begun")
        (victim,) = own.at_work().values()
        (nanny,) = [one for one in own.nannies if victim in children(one.pid)]
        nanny.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "its worker was lost" in said
    assert states(out) == {path.name: "done" for path in films.iterdir()}


@pytest.mark.slow
def test_a_batch_without_any_worker_left_gives_up(
    environment: dict[str, str],
    films: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("scorebed.batching.cluster_pool._ALONE_S", 4.0)
    said: list[str] = []
    with cluster_of(1, environment, tmp_path_factory.mktemp("alone")) as own:

        def watch(told: BatchProgress) -> None:
            said.append(told.said)
            if any(one.stage for one in told.running) and own.nannies:
                family = children(own.nannies[0].pid)
                for pid in (own.nannies.pop().pid, *family):
                    os.kill(pid, signal.SIGKILL)

        with pytest.raises(ToolError, match="has had no worker for 4 s"):
            package.batch(
                films, tmp_path / "out", options=Options(quality="draft"), jobs=1,
                workspace=tmp_path / "work", cluster=own.file, watch=watch,
            )  # fmt: skip
    assert any("the cluster has no worker" in one for one in said)
    (line,) = lines_of(tmp_path / "out")
    assert "found no worker" in line["error"]["message"]
    assert line["state"] == "failed"


@pytest.mark.slow
def test_one_style_and_a_failure_go_as_on_one_machine(
    scorebed: Scorebed, cluster: Cluster, films: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    free = (
        films, "--out", out, "--workspace", tmp_path / "work", "--cluster", cluster.address, *DRAFT,
    )  # fmt: skip
    out.mkdir()
    # The longer one comes first, and its name is held by another run.
    with claim(out / "a film 1.scored.mp4", video=films / "a film 1.mp4", overwrite=False):
        stopped = scorebed("batch", *free, "--fail-fast", "--jobs", "1")
    assert stopped.returncode == 7, stopped.stderr
    assert states(out) == {"a film 0.mp4": "skipped", "a film 1.mp4": "failed"}
    mended = scorebed("batch", *free, "--retry-failed")
    assert mended.returncode == 0, mended.stderr
    done = [line["input"] for line in lines_of(out) if line["state"] == "done"]
    assert [Path(one).name for one in done] == ["a film 1.mp4"]
    with MusicService(key=KEY) as service:
        bought = scorebed(
            "batch", *free, "--overwrite", "--one-style", "--prompt", "hopeful", "--yes", "--json",
            "--provider", "elevenlabs", "--base-url", service.url, "--ledger", tmp_path / "ledger",
        )  # fmt: skip
    assert bought.returncode == 0, bought.stderr
    first, second = service.requests
    assert not any(file.audio for file in first.files)
    assert all(file.audio for file in second.files)
    assert len(json.loads(bought.stdout)["drift"]) == 2
    assert json.loads(bought.stdout)["spent"][0]["requests"] == 2


@pytest.mark.slow
def test_a_worker_of_another_release_is_refused_before_any_work(
    scorebed: Scorebed, environment: dict[str, str], cluster: Cluster, films: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other" / "scorebed-9.9.9.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: scorebed\nVersion: 9.9.9\n")
    before = os.environ.get("PYTHONPATH", "")
    env = cluster.env | {"PYTHONPATH": f"{other.parent}{os.pathsep}{before}"}
    with worker(cluster.file, env):
        cluster.await_workers(3)
        refused = scorebed("batch", films, "--out", tmp_path / "out", "--cluster", cluster.address)
    assert refused.returncode == 2, refused.stderr
    assert "has scorebed 9.9.9, this is " in refused.stderr
    assert "pip install scorebed==" in refused.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_worker_that_dies_with_a_film_done_but_not_told_has_not_spent_for_nothing(
    environment: dict[str, str], cluster: Cluster, films: Path, tmp_path: Path
) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    cluster.await_workers(2)
    with MusicService(key=KEY) as service:
        process = start(
            environment, films / "a film 0.mp4", "--out", out, "--workspace", tmp_path / "work",
            *DRAFT, "--cluster", cluster.address, "--log-file", log, "--yes", "--provider",
            "elevenlabs", "--base-url", service.url, "--ledger", tmp_path / "ledger",
        )  # fmt: skip
        wait_until(lambda: "score begins" in log_of(log), "no film is begun")
        (victim,) = cluster.at_work().values()
        os.kill(victim, signal.SIGSTOP)
        wait_until((out / "a film 0.scored.mp4").is_file, "the film does not end")
        os.kill(victim, signal.SIGKILL)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
        assert len(service.requests) == 1
    (line,) = lines_of(out)
    assert line["state"] == "done"
    assert line["spent"]["requests"] == 1
    assert fates(tmp_path / "ledger") == [("kept",)]
    assert not hidden(out)
