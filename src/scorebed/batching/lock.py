"""One batch at a time in a folder of results, and none before the workers of a dead one have ended.

In the user's folder of locks, each gone with who held it:
batch-<folder>.lock             held by the batch
batch-<folder>-<worker>.lock    held by each of its workers

In the folder of results, which other machines may share:
.scorebed-batch.lock            held by the batch, and gone with it
.scorebed-film-<name>.lock      held by whoever is at that film; there from its first beginning on
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import filelock

from scorebed.delivery import held_for_all, held_here, let_go, lock_folder, no_locks, told_of
from scorebed.errors import WorkspaceError
from scorebed.journal import note
from scorebed.model import Tell, no_words

if TYPE_CHECKING:
    from collections.abc import Iterator

_WAIT_S = 15.0
"""Longer than a worker takes to notice that its batch is gone, and to clean up."""
_POLL_S = 0.05
_FILM = ".scorebed-film-"
_BATCH = ".scorebed-batch.lock"


@contextmanager
def only_batch(out: Path, tell: Tell = no_words, *, verb: str = "batch") -> Iterator[None]:
    """Holds a folder of results for one batch, also against other machines where its disk can.

    Args:
        out: The folder; need not be there.
        tell: Told, in a sentence, if its disk keeps no locks.
        verb: Who asks, for errors: ``batch`` or ``watch``.

    Raises:
        WorkspaceError: If another batch is working into it.
    """
    with ExitStack() as held:
        try:
            held.enter_context(held_here(f"{_name(out)}.lock"))
            held.enter_context(_there(out))
            if not held.enter_context(held_for_all(out / _BATCH)) and out.is_dir():
                note(logging.WARNING, no_locks(out))
                tell(no_locks(out))
        except filelock.Timeout as error:
            raise WorkspaceError(
                f"{verb}: another batch or watch is working into {out}",
                remedy="Wait for it, here or on another machine, or give another --out.",
            ) from error
        _await_workers(out, verb)
        yield


@contextmanager
def _there(out: Path) -> Iterator[None]:
    """Makes the folder, which a lock lies in; one that stays empty is removed again."""
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    # Why it cannot be made is told by who writes into it.
    with suppress(OSError):
        out.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        with suppress(OSError):
            for folder in made:
                folder.rmdir()


def worker_lock(out: Path, worker: str) -> Path:
    """The file that a worker locks while it lives."""
    return lock_folder() / f"{_name(out)}-{worker}.lock"


def film_lock(out: Path, name: str) -> Path:
    """The file that a worker of a cluster locks while it is at a film.

    Args:
        out: The folder.
        name: The film's result, as the record knows it.
    """
    return out / f"{_FILM}{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}.lock"


def clear_film_locks(out: Path) -> None:
    """Removes what nobody holds any more; a worker that is still at a film keeps its own."""
    for path in out.glob(f"{_FILM}*.lock"):
        lock = filelock.FileLock(path)
        with told_of(out, stage="batch"), suppress(filelock.Timeout):
            lock.acquire(timeout=0)
            let_go(lock)


def _await_workers(out: Path, verb: str) -> None:
    """Waits for workers whose batch was killed: they hold the names of what they are at."""
    until = time.monotonic() + _WAIT_S
    theirs = [*lock_folder().glob(f"{_name(out)}-*.lock"), *out.glob(f"{_FILM}*.lock")]
    for path in theirs:
        with told_of(path, stage=verb):
            _await_one(path, out, max(0.0, until - time.monotonic()), verb)


def _await_one(path: Path, out: Path, seconds: float, verb: str) -> None:
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=seconds, poll_interval=_POLL_S)
    except filelock.Timeout as error:
        raise WorkspaceError(
            f"{verb}: workers of an earlier batch or watch are still at {out}",
            remedy="Wait until they have ended, then run the same command again.",
        ) from error
    let_go(lock)


def _name(out: Path) -> str:
    return "batch-" + hashlib.sha256(os.fsencode(out.resolve())).hexdigest()[:16]
