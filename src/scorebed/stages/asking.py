"""Asking a service until it has done the work or refused for good."""

from __future__ import annotations

import contextlib
import random
import time
from dataclasses import dataclass
from threading import Event

from scorebed.errors import (
    MissingKey,
    OutcomeUnknown,
    OverLimit,
    ProviderUnavailable,
    RateLimited,
    RequestRejected,
    ScorebedError,
    WorkspaceError,
)
from scorebed.ledger import AnswerWaits, Entry, Queue, State, Stopped
from scorebed.model import PartOrder, Progress, Tell
from scorebed.providers.base import Service

BUSY_ATTEMPTS = 7
"""How often a service that is busy is asked: with the pauses between, about two minutes."""
DOWN_ATTEMPTS = 4
"""How often one that cannot be reached is asked: about ten seconds."""
QUEUE_PATIENCE_S = 7200.0
"""How long a run waits for its turn when the account's requests are too many."""
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0
_LONGEST_TURN_S = 15.0
_LONG_S = 5.0
"""A pause that a person is told of."""
_NOTHING_BOUGHT = (MissingKey, OverLimit, RequestRejected)


class _Wire:
    """What the service tells, written down and passed on."""

    def __init__(self, entry: Entry, queue: Queue, tell: Progress) -> None:
        self._entry = entry
        self._queue = queue
        self._tell = tell
        self._most: int | None = None

    def sending(self) -> None:
        self._entry.mark(State.SENT)

    def at_once(self, most: int) -> None:
        # Only remembered: between a request and its answer on the disk no ledger is asked, which
        # may be away or full just then.
        self._most = most

    def learn(self) -> None:
        """Writes down how many requests the service takes at once."""
        if self._most is not None:
            self._queue.learn(self._most)

    def progress(self, share: float) -> None:
        self._tell(share)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A purchase that is planned, and how it is asked for; each state is on disk before the next.

    ``run`` asks until there is an answer, and keeps it.
    """

    service: Service
    """Who is asked."""
    part: PartOrder
    """What is asked."""
    entry: Entry
    """The purchase, planned."""
    queue: Queue
    """The account's queue."""
    stop: Event
    """Set when the run ends: nothing is sent from then on."""
    progress: Progress
    """Called with the share that is done."""
    tell: Tell
    """Told, in a sentence, what is waited for."""

    def run(self) -> None:
        """Asks until there is an answer.

        Raises:
            ProviderError: If there will be no music.
            Stopped: If the run ended before it was sent.
        """
        begun_s = time.monotonic()
        turns = busy = down = 0
        while True:
            try:
                self._once()
            except RateLimited as error:
                turns += error.concurrent
                busy += not error.concurrent
                waited_s = time.monotonic() - begun_s
                given_up = busy >= BUSY_ATTEMPTS or waited_s > QUEUE_PATIENCE_S
                self.entry.mark(State.REFUSED if given_up else State.PLANNED, message=error.message)
                if given_up:
                    raise
                # Where somebody else uses the account, each try sends all again: they become rare.
                own_s = (
                    min(_pause_s(turns), _LONGEST_TURN_S) if error.concurrent else _pause_s(busy)
                )
                self._rest(error, own_s)
            except ProviderUnavailable as error:
                down += 1
                self.entry.mark(State.PLANNED, message=error.message)
                if down >= DOWN_ATTEMPTS:
                    raise
                self._rest(error, _pause_s(down))
            else:
                return

    def _once(self) -> None:
        try:
            with self.queue.slot(self.stop):
                wire = _Wire(self.entry, self.queue, self.progress)
                folder = self.entry.incoming()
                try:
                    answer = self.service.send(self.part, folder=folder, wire=wire)
                except RateLimited:
                    # Before the slot is free: the next one knows.
                    wire.learn()
                    raise
                self.entry.keep(answer)
                wire.learn()
        except (RateLimited, ProviderUnavailable, Stopped, AnswerWaits):
            raise
        except _NOTHING_BOUGHT as error:
            self.entry.mark(State.REFUSED, message=error.message)
            raise
        except OutcomeUnknown as error:
            self._note_lost(error.message)
            raise
        except Exception as error:
            if self.entry.attempt.state is State.SENT:
                raise self._lost(error) from error
            raise

    def _lost(self, error: Exception) -> OutcomeUnknown:
        """What an error stands for that is none of those a service may raise.

        A full disk while the answer came in, or a fault in a provider: the request was on its way
        and may have been billed, whatever went wrong here.
        """
        what = (
            error.message
            if isinstance(error, ScorebedError)
            else f"{type(error).__name__}: {error}"
        )
        assert self.part.order.service is not None
        what = self.service.hide_key(what, self.part.order.service)
        self._note_lost(what)
        return OutcomeUnknown(
            f"compose: the answer was lost here ({what}); it may have been billed. What came of it "
            f"lies in {self.entry.came_to}",
            remedy="Mend the cause and look whether it was billed; then add --buy-again.",
        )

    def _note_lost(self, message: str) -> None:
        with contextlib.suppress(WorkspaceError):
            # Where even this cannot be written, the receipt says "sent", and no run is alive.
            self.entry.mark(State.UNKNOWN, message=message)

    def _rest(self, error: RateLimited | ProviderUnavailable, own_s: float) -> None:
        """Waits as long as the service asks, and at least as we think; runs do not meet again."""
        own_s *= random.uniform(0.8, 1.2)  # noqa: S311 - only spreads the load
        pause_s = max(error.wait_s or 0.0, own_s)
        if pause_s >= _LONG_S:
            self.tell(f"{error.message}; asked again in {pause_s:.0f} s")
        if self.stop.wait(pause_s):
            raise Stopped


def _pause_s(attempt: int) -> float:
    """Doubling, so that a service in trouble is left alone."""
    return min(_FIRST_PAUSE_S * 2.0 ** (attempt - 1), _LONGEST_PAUSE_S)
