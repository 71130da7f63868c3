"""The account's queue: never more requests in flight than the service takes at once.

ROOT/queue/<account>/most           how many that is, as the service said last
ROOT/queue/<account>/slot-<n>.lock  held while a request is in flight, by any process

A lock is let go by the system when its process dies, so a killed run leaves no slot taken.
"""

from __future__ import annotations

import random
import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

import filelock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from threading import Event

FIRST_GUESS = 2
"""Requests at once before the service has said how many it takes: what every plan allows."""
_MOST = 64
_POLL_S = 0.05


class Stopped(Exception):  # noqa: N818 - not an error: the run has ended
    """The run no longer wants to send."""


class Queue:
    """Slots of one account, shared by all processes that use the ledger.

    Args:
        folder: The account's own folder.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    @property
    def most(self) -> int:
        """How many requests may be in flight."""
        try:
            return int((self._folder / "most").read_text())
        except (FileNotFoundError, ValueError):
            return FIRST_GUESS

    def learn(self, most: int) -> None:
        """Notes what the service said."""
        most = min(max(most, 1), _MOST)
        if most != self.most:
            part = self._folder / f"most.{uuid.uuid4().hex}"
            part.write_text(f"{most}\n")
            part.replace(self._folder / "most")

    @contextmanager
    def slot(self, stop: Event) -> Iterator[None]:
        """Waits for a free slot and holds it.

        Args:
            stop: Set when the run ends.

        Raises:
            Stopped: If it was set meanwhile.
        """
        lock = self._free(stop)
        try:
            yield
        finally:
            lock.release()

    def _free(self, stop: Event) -> filelock.FileLock:
        while not stop.is_set():
            for number in range(self.most):
                lock = filelock.FileLock(self._folder / f"slot-{number}.lock", is_singleton=False)
                try:
                    lock.acquire(timeout=0)
                except filelock.Timeout:
                    continue
                if number < self.most:  # it may have shrunk meanwhile
                    return lock
                lock.release()
            time.sleep(_POLL_S * random.uniform(0.5, 1.5))  # noqa: S311 - only spreads the load
        raise Stopped
