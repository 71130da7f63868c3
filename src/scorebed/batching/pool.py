"""Worker processes, each at one file: fed, heard, ended; one that dies takes only its file."""

from __future__ import annotations

import json
import queue
import sys
import tempfile
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

from scorebed.batching.items import Item
from scorebed.batching.lock import worker_lock
from scorebed.batching.wire import Message, receive, send
from scorebed.delivery import lock_folder, told_of
from scorebed.errors import WorkspaceError
from scorebed.ffmpeg import PythonProcess, end_orphans, running, start_python
from scorebed.ledger import now

_CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); "
    "from scorebed.batching.worker import main; main()"
)
"""The same rooms as here, wherever they were imported from."""
_FILES_EACH = 50
"""After so many files a worker makes way for a new one: whatever a library keeps is given back."""
_STOP_S = 4.0
"""How long workers may take to stop before they are killed."""
_POLL_S = 0.02
_TAIL_BYTES = 2000


@dataclass(slots=True, eq=False)
class Worker:
    """A process and the file that it is at."""

    process: PythonProcess
    talk: IO[bytes]
    """What it says on stderr."""
    lock: Path | None
    """What it alone holds while it lives, removed with it."""
    item: Item | None = None
    begun: float = 0.0
    """When it began with it, by the monotonic clock."""
    since: str = ""
    """The same by the calendar: ISO 8601, UTC."""
    stage: str = ""
    taken: int = 0
    leaving: bool = False

    @property
    def was_idle(self) -> bool:
        """Whether it has worked before, and has said nothing yet of the file that it was given."""
        return self.item is not None and self.taken > 1 and not self.stage


@dataclass(slots=True)
class Pool:
    """So many workers as there are jobs; use it as a context manager.

    What they say comes out of ``next``; a worker that has died says it by an empty message.
    """

    out: Path
    """Folder of the results, which names the locks."""
    jobs: int
    lock: Path | None = None
    """What its one worker is to hold, if others may wait for it; stays when it has ended."""
    workers: list[Worker] = field(default_factory=list)
    _said: queue.SimpleQueue[tuple[Worker, Message | None]] = field(
        default_factory=queue.SimpleQueue
    )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def busy(self) -> list[Worker]:
        """Those that have a file."""
        return [worker for worker in self.workers if worker.item is not None]

    @property
    def free(self) -> bool:
        """Whether another file can be begun."""
        return len(self.busy) < self.jobs

    def begin(self, item: Item) -> None:
        """Gives a file to a worker.

        Raises:
            ToolError: If no process can be started.
            WorkspaceError: If there is no room for its lock and its log.
        """
        idle = [worker for worker in self.workers if worker.item is None and not worker.leaving]
        # One that has died is taken out when its own thread has told it.
        alive = [worker for worker in idle if running(worker.process)]
        worker = alive[0] if alive else self._start()
        worker.item, worker.begun, worker.stage = item, time.monotonic(), ""
        worker.since = now()
        worker.taken += 1
        assert worker.process.stdin is not None
        try:
            send(worker.process.stdin, item)
        except OSError:
            # It has died meanwhile, which its own thread tells.
            return

    def next(self, timeout_s: float) -> tuple[Worker, Message | None] | None:
        """What a worker says; None where nobody does for so long."""
        try:
            worker, message = self._said.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if message is None and worker in self.workers and worker.was_idle:
            # It has died before it took the file, and not of it.
            item, worker.item = worker.item, None
            assert item is not None
            worker.leaving = True
            try:
                self.begin(item)
            except WorkspaceError:
                worker.item = item
                return worker, None
            self.buried(worker)
            return None
        return worker, message

    def released(self, worker: Worker) -> None:
        """Notes that a worker's file has ended, also that of one which is buried."""
        worker.item = None
        if worker.taken >= _FILES_EACH and worker in self.workers:
            self._dismiss(worker)

    def rest(self) -> None:
        """Lets those go that have no file: their memory is given back."""
        for worker in self.workers:
            if worker.item is None and not worker.leaving:
                self._dismiss(worker)

    def buried(self, worker: Worker) -> str:
        """Takes a dead worker out, and says what it died of."""
        self.workers.remove(worker)
        _await([worker], _STOP_S)
        end_orphans(worker.process)
        last = _tail(worker.talk)
        code = _end(worker)
        how = f"was killed (signal {-code})" if code < 0 else f"ended by itself (code {code})"
        return how + (f"; it last said: {last}" if last else "")

    def stop(self) -> None:
        """Ends all workers: each cleans up as after Ctrl-C, or is killed."""
        for worker in self.workers:
            self._dismiss(worker)
        _await(self.workers, _STOP_S)
        for worker in self.workers:
            end_orphans(worker.process)
            _end(worker)
        self.workers.clear()

    def _dismiss(self, worker: Worker) -> None:
        worker.leaving = True
        assert worker.process.stdin is not None
        try:
            worker.process.stdin.close()
        except OSError:
            return

    def _start(self) -> Worker:
        lock = worker_lock(self.out, uuid.uuid4().hex) if self.lock is None else None
        with told_of(lock_folder(), stage="workspace"):
            if lock is not None:
                # A worker that has no room for it could not say why it ends.
                lock.touch()
            talk = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
        held = str(self.lock if lock is None else lock)
        process = start_python(_CODE, [json.dumps(sys.path), held], talk=talk)
        worker = Worker(process=process, talk=talk, lock=lock)
        self.workers.append(worker)
        threading.Thread(target=self._listen, args=(worker,), daemon=True).start()
        return worker

    def _listen(self, worker: Worker) -> None:
        assert worker.process.stdout is not None
        with worker.process.stdout as pipe:
            try:
                while True:
                    self._said.put((worker, receive(pipe)))
            except (EOFError, OSError):
                return
            finally:
                self._said.put((worker, None))


def _await(workers: list[Worker], seconds: float) -> None:
    """Waits until all have ended, for so long; none is reaped that has left something running."""
    until = time.monotonic() + seconds
    while any(running(worker.process) for worker in workers) and time.monotonic() < until:
        time.sleep(_POLL_S)


def _end(worker: Worker) -> int:
    """Kills a worker that has not ended, and takes its code."""
    worker.process.kill()
    code = worker.process.wait()
    worker.talk.close()
    assert worker.process.stdin is not None
    # Of a dead one it may hold a file that was never read.
    with suppress(OSError):
        worker.process.stdin.close()
    if worker.lock is not None:
        worker.lock.unlink(missing_ok=True)
    return code


def _tail(talk: IO[bytes]) -> str:
    """The last line that a worker has said."""
    size = talk.seek(0, 2)
    talk.seek(max(0, size - _TAIL_BYTES))
    lines = talk.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
