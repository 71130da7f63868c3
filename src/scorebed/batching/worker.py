"""A process that scores the files it is given, one after the other, until its input ends.

It lives no longer than who started it: the end of its input stops what it is at, as Ctrl-C would.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import IO, TYPE_CHECKING

import filelock

from scorebed.batching.fates import failure_from
from scorebed.batching.figures import figures_of, lost_money
from scorebed.batching.record import state_of
from scorebed.batching.reference import leave_reference
from scorebed.batching.sameness import Reading
from scorebed.batching.wire import Began, Ended, Logged, Said, Shared, receive, send
from scorebed.delivery import told_of
from scorebed.errors import Interrupted, ScorebedError
from scorebed.ledger import now
from scorebed.logs import log_through, log_to
from scorebed.media import identify
from scorebed.memory import keep_large_blocks_apart
from scorebed.model import FREE, no_words
from scorebed.pipeline import score
from scorebed.workspace import drop

if TYPE_CHECKING:
    from types import FrameType

    from scorebed.batching.items import InputState, Item
    from scorebed.batching.wire import Message
    from scorebed.model import Progress, Tell
    from scorebed.result import Result

_TELL_EVERY_S = 0.2
_POLL_S = 0.1
_PATIENCE_S = 8.0
"""How long a stopped worker may take to clean up."""


def main() -> None:
    """Scores what comes in on stdin; says on stdout how it goes."""
    sent = _Sender(os.fdopen(os.dup(1), "wb"))
    # What a library prints is talk, and must not be taken for an answer.
    os.dup2(2, 1)
    keep_large_blocks_apart()
    signal.signal(signal.SIGTERM, _on_terminate)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lock = filelock.FileLock(sys.argv[1])
    tasks: queue.SimpleQueue[Item] = queue.SimpleQueue()
    # Not by Python's own stdin: an interpreter that ends aborts if a thread still reads from it.
    told = os.fdopen(os.dup(0), "rb")
    threading.Thread(target=_listen, args=(told, tasks), daemon=True).start()
    try:
        _acquire(lock, sent)
        while True:
            sent.send(_scored(tasks.get(), sent))
    except (Interrupted, BrokenPipeError):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    finally:
        lock.release()


class _Sender:
    """Says things, whole, also where threads have something to say at once."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._guard = threading.Lock()

    def send(self, message: Message) -> None:
        with self._guard:
            send(self._pipe, message)


def _acquire(lock: filelock.BaseFileLock, sent: _Sender) -> None:
    """Takes the lock; one whose machine was lost to the batch may still be at the same film."""
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        sent.send(Said(text="waits for the worker that had it before to end"))
        lock.acquire(poll_interval=_POLL_S)


def _on_terminate(_number: int, _frame: FrameType | None) -> None:
    raise Interrupted


def _listen(pipe: IO[bytes], tasks: queue.SimpleQueue[Item]) -> None:
    """Takes tasks in; at the end of them, or of whoever sends them, stops the process."""
    try:
        while True:
            tasks.put(receive(pipe))
    except EOFError:
        pass
    main_thread = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main_thread is not None:
        signal.pthread_kill(main_thread, signal.SIGTERM)
    else:
        signal.raise_signal(signal.SIGTERM)
    time.sleep(_PATIENCE_S)
    os._exit(1)


def _scored(item: Item, sent: _Sender) -> Ended:
    """Scores a file; also a fault of what is done around it is that file's failure."""
    try:
        return _score(item, sent)
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - one file's failure, not the batch's
        failure = failure_from(_unforeseen(error, item, item.verb), item.verb)
        return Ended(failure=failure, source=None, spent=FREE)


def _unforeseen(error: Exception, item: Item, stage: str) -> ScorebedError:
    return ScorebedError(
        f"{stage}: unexpected on {item.job.video}: {type(error).__name__}: {error}",
        remedy=f"Run: scorebed score --traceback {item.job.video} - and report what it prints.",
    )


def _score(item: Item, sent: _Sender) -> Ended:
    """Scores a file; every way it can end is told."""
    stage = "plan"

    def watch(name: str) -> Progress:
        nonlocal stage
        stage = name
        sent.send(Began(stage=name))
        told = time.monotonic()

        def progress(share: float) -> None:
            nonlocal told
            now = time.monotonic()
            if now - told >= _TELL_EVERY_S:
                told = now
                sent.send(Shared(share=share))

        return progress

    def tell(text: str) -> None:
        sent.send(Said(text=text))

    source, begun = None, now()
    try:
        source = state_of(item.job.video, stage=item.verb)
        _make_folders(item)
        if item.anew:
            drop(item.job.workspace, identify(item.job.video))
        want = item.job.settings
        # That it is free need not be said of each of a thousand files.
        free = want.service is None and want.notes is None
        job = replace(item.job, tell=no_words if free else tell, tell_price=tell)
        with _logged(item, tell, sent), Reading(item.job.video) as reading:
            result = score(job, reading.beside(watch))
            source = reading.state(source)
        return _done(item, result, source)
    except ScorebedError as error:
        failure = failure_from(error, stage)
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - what nobody foresaw is one file's failure, not the batch's
        failure = failure_from(_unforeseen(error, item, stage), stage)
    return Ended(failure=failure, source=source, spent=lost_money(item, begun, tell))


def _logged(item: Item, lost: Tell, sent: _Sender) -> AbstractContextManager[None]:
    """What is logged of a file goes to the log of the batch, which processes share."""
    log = item.log
    if log is None:
        return nullcontext()
    if log.path is None:
        send = lambda line: sent.send(Logged(text=line))  # noqa: E731
        return log_through(send, form=log.form, level=log.level)
    return log_to(log.path, form=log.form, level=log.level, lost=lost)


def _make_folders(item: Item) -> None:
    """The folders that lie between the folder of the results and this one."""
    folders = [item.job.output.parent]
    if item.job.stems is not None:
        folders.append(item.job.stems.parent)
    for folder in folders:
        with told_of(folder, stage=item.verb):
            folder.mkdir(parents=True, exist_ok=True)


def _done(item: Item, result: Result, source: InputState) -> Ended:
    if item.leads is not None:
        leave_reference(item, result, item.leads)
    return Ended(
        failure=None,
        source=source,
        duration_s=float(result.picture.duration_s),
        spent=result.take.spent,
        output_bytes=item.job.output.stat().st_size,
        warnings=result.warnings,
        music=figures_of(result) if item.one_style else None,
    )
