"""What a worker of a cluster does for a film: it has a process of our own score it.

It is the process that a batch starts on its own machine: what it may crash by, take in memory or
lock is the same, it can be ended though Dask cannot end a task, and it ends when the worker dies.
"""

from __future__ import annotations

import pickle
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorebed.batching.fates import failure_from
from scorebed.batching.figures import lost_money
from scorebed.batching.ground import Ground, check_ground, here
from scorebed.batching.lock import film_lock
from scorebed.batching.pool import Pool
from scorebed.batching.wire import Ended, Message, Said, Shared
from scorebed.errors import ScorebedError
from scorebed.model import FREE

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorebed.batching.items import Item

TOPIC = "scorebed"
"""Of the events by which workers tell how it goes."""
_TICK_S = 0.25
"""How often a worker looks whether its film is still wanted."""
_AT_WORK = ("running", "paused", "closing_gracefully")
"""States of a worker in which it comes to the end of what it is at."""
_SHARE_EVERY_S = 1.0
"""What the scheduler passes on for every film at work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """A worker has taken the film."""

    worker: str
    """Its address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A worker is done with it, whatever came of it: nothing of ours runs there for it."""

    worker: str
    """Its address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A film, as it is sent to a worker."""

    name: str
    """What its events are known by."""
    out: Path
    """Folder of the results, absolute."""
    since: str
    """When the batch began with it: ISO 8601, UTC."""
    item: bytes
    """The file, pickled: it is looked at where the release is the same."""


def run_errand(errand: Errand, ground: Ground) -> Ended | str:
    """On a worker: scores a film.

    Args:
        errand: The film.
        ground: What must be there.

    Returns:
        How it ended, or what the process that worked on it died of.

    Raises:
        Reschedule: If this worker is closing: another one is to do it.
    """
    from distributed import Reschedule, get_worker  # noqa: PLC0415 - an extra

    worker: Any = get_worker()
    key = worker.get_current_task()

    def say(message: Message | Came | Left) -> None:
        worker.log_event(TOPIC, (errand.name, pickle.dumps(message)))

    def wanted() -> bool:
        """Not where the batch has given it up or is gone, or this worker is on its way out."""
        task = worker.state.tasks.get(key)
        there = worker.status.name in _AT_WORK
        return there and task is not None and task.state == "executing"

    say(Came(worker=worker.address))
    try:
        check_ground(ground)
        ended = _score(errand, say, wanted)
    except ScorebedError as error:
        error.message = f"batch: the worker {worker.address} on {here()}: {error.message}"
        return Ended(failure=failure_from(error, "batch"), source=None, spent=FREE)
    finally:
        say(Left(worker=worker.address))
    if ended is None:
        # Only a scheduler that this worker goes away from hears it.
        raise Reschedule
    return ended


def _score(
    errand: Errand, say: Callable[[Message], None], wanted: Callable[[], bool]
) -> Ended | str | None:
    item: Item = pickle.loads(errand.item)  # noqa: S301 - a cluster runs what it is sent
    lock = film_lock(errand.out, item.name)
    again = lock.exists()
    if again:
        # A worker that died may have come to the end: what has the name is ours.
        item = replace(item, job=replace(item.job, overwrite=True))
        say(Said(text=f"its worker was lost, another one goes on with it on {here()}"))
    with Pool(out=errand.out, jobs=1, lock=lock) as pool:
        pool.begin(item)
        heard = _heard(pool, say, wanted)
    if isinstance(heard, Ended) and again:

        def tell(text: str) -> None:
            say(Said(text=text))

        # Also what the one before has paid.
        return replace(heard, spent=lost_money(item, errand.since, tell))
    return heard


def _heard(
    pool: Pool, say: Callable[[Message], None], wanted: Callable[[], bool]
) -> Ended | str | None:
    """Passes on what the process says until the film has ended; None if it is not wanted."""
    told = 0.0
    while wanted():
        heard = pool.next(_TICK_S)
        if heard is None:
            continue
        process, message = heard
        if message is None:
            return f"{pool.buried(process)}, on {here()}"
        if isinstance(message, Ended):
            return message
        if isinstance(message, Shared):
            if time.monotonic() - told < _SHARE_EVERY_S:
                continue
            told = time.monotonic()
        say(message)
    return None
