"""The workers of a cluster, as a batch knows its own: a task per film, one per thread at a time.

A film whose worker dies is begun again on another one: the scheduler sees to it.
"""

from __future__ import annotations

import pickle
import queue
import time
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from scorebed.batching.cluster_ground import stand
from scorebed.batching.errand import TOPIC, Came, Errand, Left, run_errand
from scorebed.batching.items import Item
from scorebed.batching.lock import clear_film_locks
from scorebed.batching.places import absolute
from scorebed.batching.wire import Ended, Logged, Message, Said
from scorebed.errors import ToolError
from scorebed.ledger import now
from scorebed.logs import append_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorebed.batching.cluster import Cluster
    from scorebed.batching.ground import Ground
    from scorebed.batching.planning import BatchPlan

_STOP_S = 6.0
"""How long films may take to stop, on the other side of a network."""
_POLL_S = 0.02
_COUNT_EVERY_S = 3.0
"""How often workers are counted: they come and go."""
_ALONE_S = 300.0
"""How long a batch waits for a worker where there is none."""
_RESULT_S = 10.0
"""How long a result may take to come; if its worker dies meanwhile, the film is done again."""


@dataclass(slots=True, eq=False)
class Task:
    """A film that was given to the cluster."""

    item: Item | None
    """The film; None when it has ended."""
    begun: float
    """When it was given away, by the monotonic clock."""
    since: str
    """The same by the calendar: ISO 8601, UTC."""
    name: str
    """What its events are known by."""
    stage: str = ""
    """The stage that it is in."""
    at: str = ""
    """Address of the worker that is at it; empty where none is."""
    future: Any = None
    """Of dask.distributed."""
    died_of: str = ""
    """Why there will be no result."""


class ClusterPool:
    """Films on the workers of a cluster.

    Args:
        plan: The batch.
        cluster: Where it runs.
        ground: What each worker must have.
    """

    def __init__(self, plan: BatchPlan, cluster: Cluster, ground: Ground) -> None:
        self._job = plan.job
        self._cluster = cluster
        self._ground = ground
        self._name = uuid.uuid4().hex[:12]
        self._tasks: dict[str, Task] = {}
        self._said: queue.SimpleQueue[tuple[Task, Any]] = queue.SimpleQueue()
        self._log_path = None if plan.job.log is None else plan.job.log.path
        self._threads = 0
        self._counted = 0.0
        self._alone_since: float | None = None
        self._deserted = self._stopped = False
        cluster.client.subscribe_topic(TOPIC, self._on_event)

    @property
    def busy(self) -> list[Task]:
        """The films that were given away and have not ended."""
        return [task for task in self._tasks.values() if task.item is not None]

    @property
    def free(self) -> bool:
        """Whether another film can be given away."""
        self._count()
        if self._cluster.lost or self._deserted:
            # Once all that it had has ended, ``begin`` says so.
            return not self.busy
        return len(self.busy) < (self._job.jobs or max(self._threads, 1))

    def begin(self, item: Item) -> None:
        """Gives a film to the cluster.

        Raises:
            ToolError: If the scheduler or all workers are gone.
        """
        self._require_there()
        name = f"{self._name}-{item.number}"
        task = Task(item=item, begun=time.monotonic(), since=now(), name=name)
        self._tasks[name] = task
        sent = absolute(item)
        if sent.log is not None:
            # Machines cannot append to one file in turn: lines come here.
            sent = replace(sent, log=replace(sent.log, path=None))
        out = self._job.out.absolute()
        errand = Errand(name=name, out=out, since=task.since, item=pickle.dumps(sent))
        task.future = self._cluster.client.submit(
            run_errand, errand, self._ground, key=f"scorebed-{item.key}-{name}", pure=False
        )
        self._await(task)

    def next(self, timeout_s: float) -> tuple[Task, Message | None] | None:
        """What is said of a film, None if it has died; None where nothing is for so long."""
        until = time.monotonic() + timeout_s
        while True:
            self._count()
            try:
                task, said = self._said.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                return None
            if said is task.future:
                said = self._result(task)
            elif isinstance(said, Logged):
                said = self._log(said)
            if said is None:
                continue
            return task, None if isinstance(said, str) else said

    def released(self, worker: Task) -> None:
        """Notes that a film has ended."""
        worker.item = None
        self._tasks.pop(worker.name, None)

    def buried(self, worker: Task) -> str:
        """Takes a film out that will have no result, and says why."""
        self._tasks.pop(worker.name, None)
        return worker.died_of

    def stop(self) -> None:
        """Takes all films back; what ran for them has ended when this returns, if it can be."""
        tasks = self.busy
        if self._stopped or self._cluster.lost:
            return
        self._stopped = True
        self._take_back(tasks)
        until = time.monotonic() + _STOP_S
        while any(task.at for task in tasks) and time.monotonic() < until:
            if self._cluster.lost:
                return
            time.sleep(_POLL_S)

    def _require_there(self) -> None:
        if self._cluster.lost:
            raise self._cluster.gone()
        address = self._cluster.address
        if self._deserted:
            raise ToolError(
                f"batch: the Dask scheduler at {address} has had no worker for {_ALONE_S:.0f} s",
                remedy=f"Start some with: dask worker {address} - and run the same command again: "
                "it goes on where it stopped.",
            )

    def _await(self, task: Task) -> None:
        task.future.add_done_callback(lambda future: self._said.put((task, future)))

    def _on_event(self, event: tuple[float, tuple[str, bytes]]) -> None:
        """Hears a worker, in the client's own thread; other batches have theirs."""
        _, (name, packed) = event
        task = self._tasks.get(name)
        if task is None:
            return
        message = pickle.loads(packed)  # noqa: S301 - a cluster runs what it is sent
        if isinstance(message, Came):
            task.at = message.worker
        elif not isinstance(message, Left):
            self._said.put((task, message))
        elif message.worker == task.at:
            task.at = ""

    def _result(self, task: Task) -> Ended | str | None:
        """What a task has given, or died of; None where that is still to come."""
        status = task.future.status
        if status == "error":
            task.died_of = _words_of(task.future.exception())
        elif status == "cancelled":
            task.died_of = task.died_of or (
                f"was lost with the scheduler at {self._cluster.address}"
                if self._cluster.lost
                else "was cancelled on the cluster"
            )
        else:
            try:
                given = task.future.result(timeout=_RESULT_S)
            except TimeoutError:
                # Its worker has died with it, and another one does it again.
                self._await(task)
                return None
            if isinstance(given, Ended):
                return given
            task.died_of = given
        return task.died_of

    def _count(self) -> None:
        """Counts the workers; where there have been none for long, gives up."""
        moment = time.monotonic()
        if self._cluster.lost or self._stopped or moment - self._counted < _COUNT_EVERY_S:
            return
        self._counted = moment
        try:
            self._threads = sum(self._cluster.workers().values())
        except ToolError:
            # All films at work are told of it.
            return
        if self._threads:
            self._alone_since = None
            return
        if self._alone_since is None:
            self._alone_since = moment
            for task in self.busy[:1]:
                words = f"the cluster has no worker; waiting {_ALONE_S:.0f} s for one"
                self._said.put((task, Said(text=words)))
        elif moment - self._alone_since > _ALONE_S and not self._deserted:
            self._deserted = True
            for task in self.busy:
                task.died_of = f"found no worker in the cluster for {_ALONE_S:.0f} s"
            self._take_back(self.busy)

    def _take_back(self, tasks: list[Task]) -> None:
        # Where the scheduler is gone, it has taken them back itself.
        with suppress(OSError):
            self._cluster.client.cancel([task.future for task in tasks])

    def _log(self, line: Logged) -> Said | None:
        """Writes a line to the log; says so, once, if that cannot be."""
        if self._log_path is None:
            return None
        try:
            append_line(self._log_path, line.text)
        except OSError as error:
            words = f"the log {self._log_path} cannot be written ({error.strerror}): it ends here"
            self._log_path = None
            return Said(text=words)
        return None


@contextmanager
def on_cluster(plan: BatchPlan, cluster: Cluster) -> Iterator[ClusterPool]:
    """The workers of a cluster, after all of them were asked whether they can do their part.

    Args:
        plan: The batch; the folder of its results is there.
        cluster: Where it runs.

    Raises:
        ScorebedError: If one cannot: nothing was begun then.
    """
    with stand(plan, cluster) as ground:
        pool = ClusterPool(plan, cluster, ground)
        try:
            yield pool
        finally:
            pool.stop()
            clear_film_locks(plan.job.out)


def _words_of(error: BaseException | None) -> str:
    from distributed import KilledWorker  # noqa: PLC0415 - an extra

    if isinstance(error, KilledWorker):
        return f"died with its worker, {error.allowed_failures + 1} times in all"
    return f"could not be started on the cluster: {type(error).__name__}: {error}"
