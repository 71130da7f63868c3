"""The process in the background that works the user's own queue off, and ends with the last job.

A job is in the queue before its process asks for the lock. So whoever does not get it may leave:
who has it looks into the queue once more after letting it go.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import filelock

from scorebed.delivery import log_beside
from scorebed.errors import INTERRUPTED_EXIT_CODE, Interrupted, ScorebedError
from scorebed.journal import note
from scorebed.logs import log_to
from scorebed.memory import keep_large_blocks_apart
from scorebed.watching.queue import own_queue, pending, queue_root

if TYPE_CHECKING:
    from types import FrameType

_SETTLE_S = 2.0
_INTERVAL_S = 0.5


def main() -> None:
    """Works until the queue is empty, unless another process does."""
    keep_large_blocks_apart()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _on_terminate)
    tried: set[str] = set()
    try:
        while names := pending() - tried:
            lock = filelock.FileLock(queue_root() / "worker.lock")
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout:
                return
            try:
                # All that were there when it began to look have ended when it ends.
                tried |= names
                _drain()
            finally:
                lock.release()
    except ScorebedError as error:
        _tell(f"error: {error.message}\n  {error.remedy}")
        _tell_waiting(error)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, Interrupted):
        _tell("stopped; the next scorebed hook goes on with what is queued")
        sys.exit(INTERRUPTED_EXIT_CODE)


def _on_terminate(_number: int, _frame: FrameType | None) -> None:
    raise Interrupted


def _drain() -> None:
    # Imported here: of ten hooks at once nine find that another works.
    from scorebed.batching.items import BatchJob  # noqa: PLC0415
    from scorebed.batching.lock import only_batch  # noqa: PLC0415
    from scorebed.options import Options  # noqa: PLC0415
    from scorebed.presets import own_defaults  # noqa: PLC0415
    from scorebed.watching.items import WatchJob  # noqa: PLC0415
    from scorebed.watching.run import run_watch  # noqa: PLC0415
    from scorebed.workspace import default_root  # noqa: PLC0415

    defaults = own_defaults(None, Options())
    queue, out = own_queue(), queue_root() / "record"
    batch = BatchJob(
        paths=(str(queue),),
        out=out,
        options=defaults,
        said=frozenset(),
        defaults=defaults,
        workspace=default_root(),
        tell=_tell,
    )
    job = WatchJob(
        folder=queue,
        batch=batch,
        settle_s=_SETTLE_S,
        interval_s=_INTERVAL_S,
        pays=True,
        own_queue=True,
        tell=_tell,
    )
    with only_batch(out, verb="watch"):
        run_watch(job)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - the worker's own log


def _tell_waiting(error: ScorebedError) -> None:
    """Says in the log of every job that is left why it waits."""
    for name in pending():
        # What cannot be read or written here is told of in the worker's log above.
        with suppress(OSError, ValueError, KeyError, TypeError, ScorebedError):
            table = json.loads((own_queue() / name).read_text(encoding="utf-8"))
            with log_to(log_beside(Path(table["output"])), lost=_tell):
                note(
                    logging.ERROR,
                    f"still queued: {error.message}",
                    remedy=f"{error.remedy} The next scorebed hook goes on with it.",
                )
