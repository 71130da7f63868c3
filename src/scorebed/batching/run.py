"""The batch: files go to workers, what ends goes into the record, nothing stops the others."""

from __future__ import annotations

import logging
import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from scorebed.batching.cluster_pool import on_cluster
from scorebed.batching.fates import failure_from
from scorebed.batching.figures import lost_money
from scorebed.batching.items import Fate, Item, Outcome, unwatched
from scorebed.batching.outcome import BatchResult
from scorebed.batching.pool import Pool
from scorebed.batching.record import RECORD, Record, state_of
from scorebed.batching.reference import read_reference, wants_reference, with_reference
from scorebed.batching.tally import Tally
from scorebed.batching.wire import Began, Ended, Said, Shared
from scorebed.delivery import told_of
from scorebed.errors import BatchFailed, Interrupted, MediaError, WorkerDied, WorkspaceError
from scorebed.journal import about, note

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from scorebed.batching.holders import Holder, Holders
    from scorebed.batching.items import BatchWatch, InputState, State
    from scorebed.batching.planning import BatchPlan
    from scorebed.batching.wire import Message
    from scorebed.model import Tell

TICK_S = 0.25
"""How often it is told how it stands while nothing else happens, in seconds."""


def run_batch(plan: BatchPlan, watch: BatchWatch = unwatched) -> BatchResult:
    """Scores what a plan wants to be scored; whoever calls it holds ``only_batch``.

    Args:
        plan: The batch.
        watch: Told how it stands.

    Raises:
        BatchFailed: If a file failed; ``result`` has what became of all.
        WorkspaceError: If the record cannot be written.
        ScorebedError: If a worker of the cluster cannot do its part, or the cluster is lost.
    """
    out = plan.job.out
    with told_of(out, stage="batch"):
        out.mkdir(parents=True, exist_ok=True)
    run = Run(plan, watch)
    run.record.shorten()
    begun = time.monotonic()
    with _workers(plan) as pool:
        run.settle_known()
        if run.waiting:
            try:
                run.work(pool)
            except (KeyboardInterrupt, Interrupted):
                run.keep_what_ended(pool)
                raise
    run.leave_out()
    outcomes = tuple(run.outcomes[item.number] for item in plan.items)
    run.record.close()
    result = BatchResult(
        out=out,
        outcomes=outcomes,
        seconds=time.monotonic() - begun,
        one_style=plan.job.one_style,
    )
    if result.count("failed"):
        raise BatchFailed(
            f"batch: {result.failed_words()}",
            remedy=f"See {out / RECORD}; mend what it says and run the same command again.",
            result=result,
        )
    return result


def _workers(plan: BatchPlan) -> AbstractContextManager[Holders[Any]]:
    """Those who do the work: here each is started when there is some for it."""
    if plan.cluster is None or not plan.with_fate(Fate.DO):
        return Pool(out=plan.job.out, jobs=plan.jobs)
    return on_cluster(plan, plan.cluster)


class Run:
    """What is left, what has ended, and where it is written down.

    Args:
        plan: What is known at the beginning; ``add`` takes in what is found later.
        watch: Told how it stands.
        record: What earlier runs have done; None: it is read.
    """

    def __init__(self, plan: BatchPlan, watch: BatchWatch, record: Record | None = None) -> None:
        self.plan = plan
        self.record = record or Record(plan.job.out)
        self.tally = Tally(plan, watch)
        self.outcomes: dict[int, Outcome] = {}
        # Long ones first: at the end none is left alone.
        todo = sorted(plan.with_fate(Fate.DO), key=lambda item: -item.duration_s)
        self.waiting = deque(todo)

    def settle_known(self) -> None:
        """What was known before the work ends first, all at once."""
        ended = [known(item, self.record) for item in self.plan.items if item.fate is not Fate.DO]
        self.end(*ended)
        if self.plan.job.fail_fast and any(one.state == "failed" for one in ended):
            self._give_up()

    def work(self, pool: Holders[Any]) -> None:
        """Until nothing is left."""
        while self.waiting or pool.busy:
            self.step(pool, TICK_S)

    def add(self, item: Item) -> None:
        """Takes in a file that the plan did not have; what needs no work ends at once.

        Args:
            item: The file, with a number of its own.
        """
        self.tally.added(item)
        if item.fate is Fate.DO:
            self.waiting.append(item)
        else:
            self.end(known(item, self.record))

    def step(self, pool: Holders[Any], timeout_s: float) -> None:
        """Begins what can be begun, and hears what a worker says.

        Args:
            pool: The workers.
            timeout_s: How long it waits for one to say something, in seconds.
        """
        while self.waiting and pool.free and not self._led(pool):
            item = self._referred(self.waiting.popleft())
            self.record.begin(item)
            try:
                pool.begin(item)
            except WorkspaceError as error:
                # The disk of the temporary folder is full: that passes, and ends nothing else.
                self.end(outcome_of(item, "failed", failure=failure_from(error, item.verb)))
        heard = pool.next(timeout_s)
        if heard is not None:
            self._hear(pool, *heard)
        elif pool.busy:
            self.tally.tell(pool.busy)

    def keep_what_ended(self, pool: Holders[Any]) -> None:
        """Stops the workers; what they had done by then is done."""
        pool.stop()
        while (heard := pool.next(0.0)) is not None:
            worker, message = heard
            if isinstance(message, Ended) and message.failure is None:
                self.end(_ended(worker, message))

    def _led(self, pool: Holders[Any]) -> bool:
        """Whether the others wait for the film whose music they are to go on in."""
        return any(worker.item is not None and worker.item.leads for worker in pool.busy)

    def _referred(self, item: Item) -> Item:
        """A file with the reference of its style; the first one without it makes it."""
        if not wants_reference(item):
            return item
        reference = read_reference(self.plan.job.out)
        if reference is None:
            return replace(item, leads=self.plan.job.out)
        return with_reference(item, reference)

    def leave_out(self) -> None:
        """Files that were not begun, because one had failed."""
        left = [item for item in self.plan.items if item.number not in self.outcomes]
        self.end(*(outcome_of(item, "skipped", why="another file had failed") for item in left))

    def _hear(self, pool: Holders[Any], worker: Holder, message: Message | None) -> None:
        if message is None:
            died_of = pool.buried(worker)
            if worker.item is not None:
                self._end_one(pool, worker, _died(worker, died_of, self._teller(pool)))
            return
        if worker.item is None:
            return
        match message:
            case Began(stage=stage):
                worker.stage = stage
                self.tally.came(worker, 0.0)
            case Shared(share=share):
                self.tally.came(worker, share)
            case Said(text=text):
                self.tally.tell(pool.busy, said=f"{worker.item.job.video.name}: {text}")
            case Ended():
                self._end_one(pool, worker, _ended(worker, message))
                return
        self.tally.tell(pool.busy)

    def _end_one(self, pool: Holders[Any], worker: Holder, outcome: Outcome) -> None:
        pool.released(worker)
        self.end(outcome, busy=pool.busy)
        if outcome.state == "failed" and self.plan.job.fail_fast:
            self._give_up()

    def end(self, *outcomes: Outcome, busy: Sequence[Holder] | None = None) -> None:
        """Writes down what has ended, and tells it.

        Args:
            outcomes: What became of files.
            busy: Workers that go on meanwhile.
        """
        self.record.end(*outcomes)
        for outcome in outcomes:
            _log(outcome)
            self.outcomes[outcome.number] = outcome
            self.tally.ended(outcome)
            self.tally.tell(busy or [], ended=outcome)

    def _teller(self, pool: Holders[Any]) -> Tell:
        return lambda text: self.tally.tell(pool.busy, said=text)

    def _give_up(self) -> None:
        """What is running is let finish: it may be paid for."""
        self.waiting.clear()


def _log(outcome: Outcome) -> None:
    """What a worker could not log: a file that none was given, or that it died of."""
    failure = outcome.failure
    if failure is not None:
        with about(outcome.video):
            note(logging.ERROR, failure.message, stage=failure.stage, remedy=failure.remedy)


def known(item: Item, record: Record) -> Outcome:
    """What became of a file that needs, or bears, no work.

    Args:
        item: The file.
        record: What earlier runs have done.
    """
    if item.fate is Fate.FAILED:
        return outcome_of(item, "failed", failure=item.failure, source=_seen(item))
    before = record.last(item.name)
    music = None if before is None else before.music
    return outcome_of(item, "skipped", why=item.why, music=music, source=item.source)


def _seen(item: Item) -> InputState | None:
    """What a file is that cannot be scored: unchanged, it is not tried again."""
    try:
        return state_of(item.job.video)
    except MediaError:
        return None


def _ended(worker: Holder, message: Ended) -> Outcome:
    assert worker.item is not None
    return outcome_of(
        worker.item,
        "done" if message.failure is None else "failed",
        failure=message.failure,
        seconds=time.monotonic() - worker.begun,
        duration_s=message.duration_s or worker.item.duration_s,
        spent=message.spent,
        source=message.source,
        output_bytes=message.output_bytes,
        warnings=message.warnings,
        music=message.music,
    )


def _died(worker: Holder, died_of: str, tell: Tell) -> Outcome:
    """A worker is gone, and with it this file alone."""
    item = worker.item
    assert item is not None
    error = WorkerDied(
        f"{worker.stage or item.verb}: the process that worked on {item.job.video} {died_of}",
        remedy="Run the same command again: it goes on where it stopped. If memory ran out, give "
        "--jobs 1.",
    )
    return outcome_of(
        item,
        "failed",
        failure=failure_from(error, worker.stage or item.verb),
        seconds=time.monotonic() - worker.begun,
        spent=lost_money(item, worker.since, tell),
    )


def outcome_of(item: Item, state: State, **told: Any) -> Outcome:  # noqa: ANN401 - as named
    """What became of a file.

    Args:
        item: The file.
        state: How it ended.
        **told: Other fields of an outcome.
    """
    return Outcome(
        number=item.number,
        name=item.name,
        video=item.job.video,
        output=item.job.output,
        key=item.key,
        state=state,
        **({"duration_s": item.duration_s} | told),
    )
