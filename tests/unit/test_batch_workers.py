"""Workers: what they send, how they end, and what ends with them."""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import filelock
import pytest

from scorebed.batching.lock import only_batch, worker_lock
from scorebed.batching.pool import Pool, Worker
from scorebed.batching.wire import Ended, Shared, receive, send
from scorebed.errors import WorkspaceError
from scorebed.ffmpeg import end_orphans, running, start_python


def test_what_is_sent_is_received_and_half_of_it_is_an_end() -> None:
    pipe = io.BytesIO()
    send(pipe, Shared(share=0.5))
    whole = pipe.getvalue()
    assert receive(io.BytesIO(whole)) == Shared(share=0.5)
    for cut in (0, 1, len(whole) // 2, len(whole) - 1):
        with pytest.raises(EOFError):
            receive(io.BytesIO(whole[:cut]))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux says whose they are")
def test_what_a_killed_process_has_started_is_ended() -> None:
    code = (
        "import os, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],\n"
        "    process_group=0, stdout=subprocess.DEVNULL)\n"
        "print(child.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with tempfile.TemporaryFile() as talk:
        leader = start_python(code, [], talk=talk)
        assert leader.stdout is not None
        assert leader.stdin is not None
        child = int(leader.stdout.readline())
        leader.kill()
        leader.stdout.read()
        end_orphans(leader)
        assert leader.wait() < 0
        leader.stdin.close()
        leader.stdout.close()
    until = time.monotonic() + 30
    while alive(child):
        assert time.monotonic() < until, "an orphan lives"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_two_batches_do_not_work_into_one_folder(tmp_path: Path) -> None:
    with only_batch(tmp_path / "out"):
        with (
            pytest.raises(WorkspaceError, match=r"^watch: another batch or watch"),
            only_batch(tmp_path / "x" / ".." / "out", verb="watch"),
        ):
            pytest.fail("both were let in")
        with only_batch(tmp_path / "other"):
            pass
    with only_batch(tmp_path / "out"):
        pass


def test_a_batch_on_another_machine_holds_the_folder_of_results(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from scorebed.batching.lock import only_batch\n"
        "with only_batch(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()\n"
    )
    out = tmp_path / "new" / "out"
    (tmp_path / "temp").mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", code, out],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(tmp_path / "temp")},
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == b"held"
        with pytest.raises(WorkspaceError, match="working into"), only_batch(out):
            pytest.fail("two at once")
        other.communicate()
    # What was never written into is not left behind, lock or folder.
    assert [path.name for path in tmp_path.iterdir()] == ["temp"]
    out.mkdir(parents=True)
    with only_batch(out):
        pass
    assert not list(out.iterdir())


def test_a_batch_on_a_disk_without_locks_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    acquire = filelock.FileLock.acquire
    told: list[str] = []

    def none(lock: filelock.FileLock, *args: Any, **more: Any) -> Any:
        if Path(lock.lock_file).parent == tmp_path:
            raise OSError(errno.ENOLCK, "No locks available")
        return acquire(lock, *args, **more)

    monkeypatch.setattr(filelock.FileLock, "acquire", none)
    with only_batch(tmp_path, told.append):
        pass
    assert len(told) == 1
    assert f"the disk of {tmp_path} keeps no locks" in told[0]
    assert told[0] in caplog.text


def test_a_batch_waits_for_the_workers_of_a_dead_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scorebed.batching.lock._WAIT_S", 0.3)
    path = worker_lock(tmp_path, f"test-{os.getpid()}")
    worker = filelock.FileLock(path)
    with (
        worker,
        pytest.raises(WorkspaceError, match="earlier batch or watch are still at"),
        only_batch(tmp_path),
    ):
        pytest.fail("it did not wait")
    with only_batch(tmp_path):
        assert not path.exists()


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no process can be made to stand still")
@pytest.mark.parametrize("when", ["seen", "with the file in its pipe"])
def test_a_worker_that_dies_idle_takes_no_file_with_it(when: str, tmp_path: Path) -> None:
    # No file of a batch, and so the failure of a file, which ends at once.
    item: Any = SimpleNamespace(verb="watch", job=SimpleNamespace(video=Path("film.mp4")))

    def ended(pool: Pool) -> Worker:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            worker, message = pool.next(1.0) or (None, None)
            if worker is not None and message is None:
                assert worker.item is None, "it has lost its file"
                pool.buried(worker)
            elif worker is not None and isinstance(message, Ended):
                pool.released(worker)
                return worker
        raise AssertionError("it never ended")

    with Pool(out=tmp_path, jobs=1) as pool:
        pool.begin(item)
        first = ended(pool)
        if when == "with the file in its pipe":
            os.kill(first.process.pid, signal.SIGSTOP)
            pool.begin(item)
        os.kill(first.process.pid, signal.SIGKILL)
        while when == "seen" and running(first.process):
            time.sleep(0.01)
        if when != "with the file in its pipe":
            pool.begin(item)
        assert ended(pool) is not first
        assert len(pool.workers) <= 2


@pytest.mark.parametrize("fault", ["_score", "_scored"])
def test_a_fault_of_a_worker_is_one_file_s_and_never_a_crash(tmp_path: Path, fault: str) -> None:
    code = (
        "import scorebed.batching.worker as worker\n"
        "def broken(*_): raise RuntimeError('nobody foresaw it')\n"
        f"worker.{fault} = broken\n"
        "worker.main()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "lock"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        send(
            process.stdin,
            SimpleNamespace(verb="watch", job=SimpleNamespace(video=Path("film.mp4"))),
        )
        if fault == "_score":
            ended = receive(process.stdout)
            assert "nobody foresaw it" in ended.failure.message
            assert "film.mp4" in ended.failure.message
            process.stdin.close()
            assert process.wait(60) == 0
        else:
            # Its stdin is open still: an interpreter that ends must not mind.
            assert process.wait(60) == 1
            assert b"nobody foresaw it" in process.stderr.read()
