"""Asking a service until it has done the work or refused for good."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from scorebed.errors import (
    OutcomeUnknown,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    ScorebedError,
)
from scorebed.ledger import State, Stopped

if TYPE_CHECKING:
    from threading import Event

    from scorebed.ledger import Entry, Queue
    from scorebed.model import PartOrder, Progress
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


class _Wire:
    """What the service tells, written down and passed on."""

    def __init__(self, entry: Entry, queue: Queue, tell: Progress) -> None:
        self._entry = entry
        self._queue = queue
        self._tell = tell

    def sending(self) -> None:
        self._entry.mark(State.SENT)

    def at_once(self, most: int) -> None:
        self._queue.learn(most)

    def progress(self, share: float) -> None:
        self._tell(share)


def ask_patiently(
    service: Service, part: PartOrder, entry: Entry, queue: Queue, stop: Event, tell: Progress
) -> None:
    """Asks until there is an answer, and keeps it; each state is on disk before the next.

    Args:
        service: Who is asked.
        part: What is asked.
        entry: The purchase, planned.
        queue: The account's queue.
        stop: Set when the run ends: nothing is sent from then on.
        tell: Called with the share that is done.

    Raises:
        ProviderError: If there will be no music.
        Stopped: If the run ended before it was sent.
    """
    begun_s = time.monotonic()
    turns = busy = down = 0
    while True:
        try:
            with queue.slot(stop):
                answer = service.send(part, folder=entry.incoming(), wire=_Wire(entry, queue, tell))
                entry.keep(answer)
                return
        except RateLimited as error:
            turns += error.concurrent
            busy += not error.concurrent
            waited_s = time.monotonic() - begun_s
            given_up = busy >= BUSY_ATTEMPTS or waited_s > QUEUE_PATIENCE_S
            _put_back(entry, error, given_up=given_up)
            # Somebody else uses the account: each try sends all again, so they become rare.
            pause_s = min(_pause_s(turns), _LONGEST_TURN_S) if error.concurrent else _pause_s(busy)
            _rest(stop, error.wait_s, pause_s)
        except ProviderUnavailable as error:
            down += 1
            _put_back(entry, error, given_up=down >= DOWN_ATTEMPTS)
            _rest(stop, error.wait_s, _pause_s(down))
        except BaseException as error:
            _note_end(entry, error)
            raise


def _put_back(entry: Entry, error: ProviderError, *, given_up: bool) -> None:
    entry.mark(State.REFUSED if given_up else State.PLANNED, message=error.message)
    if given_up:
        raise error


def _note_end(entry: Entry, error: BaseException) -> None:
    """What the receipt says when it goes wrong for good."""
    assert entry.receipt is not None
    sent = entry.receipt.state is State.SENT
    message = error.message if isinstance(error, ScorebedError) else type(error).__name__
    if isinstance(error, ProviderError) and not isinstance(error, OutcomeUnknown):
        entry.mark(State.REFUSED, message=message)
    elif sent:
        # Also a full disk while the answer came in, or a fault of ours: it was on its way.
        entry.mark(State.UNKNOWN, message=message)


def _pause_s(attempt: int) -> float:
    """Doubling, so that a service in trouble is left alone."""
    return min(_FIRST_PAUSE_S * 2.0 ** (attempt - 1), _LONGEST_PAUSE_S)


def _rest(stop: Event, asked_s: float | None, own_s: float) -> None:
    """Waits as long as the service asks, else as we think; spread, so that runs do not meet."""
    pause_s = own_s * random.uniform(0.8, 1.2) if asked_s is None else asked_s  # noqa: S311
    if stop.wait(pause_s):
        raise Stopped
