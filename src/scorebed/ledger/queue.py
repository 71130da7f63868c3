"""The account's queue: never more requests in flight than the service takes at once.

ROOT/queue/<account>/most           how many that is, as the service said last
ROOT/queue/<account>/slot-<n>.lock  held while a request is in flight, by any process

A lock ends with its process, so a killed run leaves no slot taken.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from scorebed.errors import WorkspaceError
from scorebed.journal import note
from scorebed.ledger.names import QUEUE
from scorebed.ledger.waiting import Waiting
from scorebed.model import no_words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event

    from scorebed.ledger.store import Hold, Store
    from scorebed.model import Tell

FIRST_GUESS = 2
"""Requests at once before the service has said how many it takes: what every plan allows."""
_MOST = 64
_PATIENCE_S = 0.25


class Queue:
    """Slots of one account, shared by all processes that use the ledger.

    Args:
        store: The ledger's.
        account: Name of the account, which is a folder's name.
        tell: Told, in a sentence, when a free slot is waited for.
    """

    def __init__(self, store: Store, account: str, tell: Tell = no_words) -> None:
        self._store = store
        self._tell = tell
        self._folder = f"{QUEUE}/{account}"
        store.make_folder(self._folder)

    @property
    def most(self) -> int:
        """How many requests may be in flight."""
        try:
            return int(self._store.read(f"{self._folder}/most") or b"")
        except ValueError:
            return FIRST_GUESS

    def learn(self, most: int) -> None:
        """Notes what the service said; where that cannot be, the next run asks once too often."""
        most = min(max(most, 1), _MOST)
        try:
            if most != self.most:
                self._store.write(f"{self._folder}/most", f"{most}\n".encode())
        except WorkspaceError as error:
            note(logging.WARNING, f"the queue's size could not be noted: {error.message}")

    @contextmanager
    def slot(self, stop: Event) -> Iterator[None]:
        """Waits for a free slot and holds it.

        Args:
            stop: Set when the run ends.

        Raises:
            Stopped: If it was set meanwhile.
        """
        hold = self._free(stop)
        try:
            yield
        finally:
            hold.release()

    def _free(self, stop: Event) -> Hold:
        most = self.most
        words = f"the service takes {most} request{'s' * (most > 1)} at once: a turn is waited for"
        waiting = Waiting(words, self._tell, stop)
        while True:
            waiting.go_on()
            slots = [f"{self._folder}/slot-{number}.lock" for number in range(self.most)]
            hold = self._store.hold(slots, wait_s=_PATIENCE_S)
            if hold is None:
                continue
            if hold.name in slots[: self.most]:  # it may have shrunk meanwhile
                return hold
            hold.release()
