"""A task of a farm: a step of one film. Run twice, or twice at once, it does no harm.

WORKSPACE/farm-<job>.lock             held while a line is added to OUT/batch.jsonl
WORKSPACE/farm-<job>-<film>.lock      held while the film is written
WORKSPACE/farm-<job>-<film>.begun     what lies under the result's name is ours, even half done
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import filelock

from scorebed.batching.fates import failure_from
from scorebed.batching.figures import figures_of, lost_money
from scorebed.batching.record import Record, state_of
from scorebed.batching.run import outcome_of
from scorebed.batching.sameness import Reading
from scorebed.delivery import told_of
from scorebed.errors import MissingKey, OverLimit, ScorebedError
from scorebed.farming.film import done_since, film_of, refuse_hopeless
from scorebed.farming.mapping import mapped_by
from scorebed.farming.place import require_place
from scorebed.farming.rows import read_row
from scorebed.job import check_job
from scorebed.ledger import Ledger, now
from scorebed.model import Tell, no_words
from scorebed.pipeline import score
from scorebed.steps import score_until
from scorebed.workspace import claim_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scorebed.batching.items import InputState, Item, Outcome
    from scorebed.farming.rows import Row
    from scorebed.model import Progress
    from scorebed.pipeline import Watch
    from scorebed.result import Result

Step = Literal["analyse", "compose", "finish"]
STEPS: tuple[Step, ...] = ("analyse", "compose", "finish")
_POLL_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A step of one film of a job."""

    films: Path
    """The file of the job's films."""
    number: int
    """Of the film, from 1."""
    step: Step | None
    """Which step; None for all of them."""
    out: Path | None = None
    """Folder of the results; None: as the job says."""
    workspace: Path | None = None
    """Root of the workspaces; None: as the job says."""
    mapping: Path | None = None
    """Rules that say where the job's paths lie on this machine; None for none."""
    tell: Tell = no_words
    """Told, in sentences, what a person should know at once."""
    tell_price: Tell = no_words
    """Told, in a sentence, what is about to be bought and for how much, before it is."""


def run_task(task: Task, watch: Watch) -> list[str]:
    """Does a step of a film, unless the film is done already.

    A film that is done, music that was bought for one, and a step that failed get a line in
    ``batch.jsonl``, as in a batch.

    Args:
        task: What is to be done.
        watch: Told of progress.

    Returns:
        What was done, for a person.

    Raises:
        ScorebedError: What ``score`` would raise. What another try cannot better is remembered,
            and raised again without one.
    """
    row = read_row(task.films, task.number)
    moved = mapped_by(task.mapping)
    place = _Place(
        job=row.job,
        number=row.number,
        root=task.workspace or moved(row.workspace),
        out=task.out or moved(row.out),
        tell=task.tell,
    )
    if place.out == Path(row.out):
        require_place(place.out, row.place)
    claim_root(place.root)
    if task.step in {"analyse", "compose"}:
        return _tried(task, row, moved, place, watch)
    with place.held(f"-{row.number}", "another task is at this film; waiting for it"):
        return _tried(task, row, moved, place, watch)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a task works, and what it shares with others."""

    job: str
    number: int
    root: Path
    out: Path
    tell: Tell

    @property
    def begun(self) -> Path:
        """There while the film is being written."""
        return self.root / f"farm-{self.job}-{self.number}.begun"

    @contextmanager
    def held(self, what: str, waiting: str = "") -> Iterator[None]:
        """Holds what only one task may do at once, on whatever machine."""
        lock = filelock.FileLock(self.root / f"farm-{self.job}{what}.lock", is_singleton=False)
        with told_of(self.root, stage="farm"):
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout:
                if waiting:
                    self.tell(waiting)
                lock.acquire(poll_interval=_POLL_S)
        try:
            yield
        finally:
            lock.release()

    def end(self, outcome: Outcome) -> None:
        """Writes down what became of the film."""
        with self.held(""):
            Record(self.out).end(outcome)


def _tried(
    task: Task, row: Row, moved: Callable[[str], Path], place: _Place, watch: Watch
) -> list[str]:
    """Does it; a failure is written down."""
    record = Record(place.out)
    item = film_of(row, moved, record, out=place.out, root=place.root)
    item = replace(item, job=replace(item.job, tell=task.tell, tell_price=task.tell_price))
    if done_since(row, item, record):
        return [f"done before: {item.job.output}"]
    refuse_hopeless(row, item, record)
    begun, since, stage = time.monotonic(), now(), "plan"
    source: InputState | None = None

    def noted(name: str) -> Progress:
        nonlocal stage
        stage = name
        return watch(name)

    try:
        _require_ledger(row, item)
        source = state_of(item.job.video)
        _make_folders(item)
        if task.step in ("analyse", "compose"):
            # The film may be there by now, if this is a second time: it is not touched.
            half = score_until(item.job, task.step, noted)
            if half.take is not None and half.take.spent.requests:
                why = "its music is bought; the film is still to be finished"
                place.end(
                    outcome_of(item, "skipped", why=why, spent=half.take.spent, source=source)
                )
            return half.lines()
        return _finish(item, place, noted, source=source, buys=task.step is None)
    except ScorebedError as error:
        _mend_remedy(error, item)
        failed = outcome_of(
            item,
            "failed",
            failure=failure_from(error, stage),
            seconds=time.monotonic() - begun,
            spent=lost_money(item, since, task.tell),
            source=source,
        )
        place.end(failed)
        raise


def _mend_remedy(error: ScorebedError, item: Item) -> None:
    """A task, which is run again unasked, has no --buy-again: a person buys by hand, once."""
    if "--buy-again" in error.remedy:
        error.remedy = (
            "Look at the service's account and at: scorebed ledger list. To buy it again, run "
            f"scorebed score --buy-again for {item.job.video} by hand, with the options of the job "
            f"and --ledger {item.job.settings.purse.ledger}; then this task again."
        )


def _require_ledger(row: Row, item: Item) -> None:
    """Refuses to buy with another ledger: a share that is not mounted looks like an empty one."""
    want = item.job.settings
    if row.ledger is not None and want.service is not None:
        Ledger(want.purse.ledger).require_identity(row.ledger)


def _finish(
    item: Item, place: _Place, watch: Watch, *, source: InputState, buys: bool
) -> list[str]:
    """Writes the film; what lies under its name from a task that was killed is replaced."""
    begun = time.monotonic()
    job = replace(item.job, overwrite=item.job.overwrite or place.begun.exists())
    # Before the mark: a file of the user's that is in the way is never taken for ours.
    check_job(job)
    with told_of(place.begun, stage="farm"):
        place.begun.touch()
    with Reading(job.video) as reading:
        seen = reading.beside(watch)
        result = score(job, seen) if buys else _score_unpaid(replace(item, job=job), seen)
        source = reading.state(source)
    place.end(_done(item, result, source, seconds=time.monotonic() - begun))
    place.begun.unlink(missing_ok=True)
    return [f"written    {job.output}", *(f"note       {text}" for text in result.warnings)]


def _score_unpaid(item: Item, watch: Watch) -> Result:
    """The last step buys nothing: who may ask a service is settled for the step before."""
    job, want = item.job, item.job.settings
    closed = replace(want, purse=replace(want.purse, max_spend=0.0))
    try:
        return score(replace(job, settings=closed), watch)
    except (MissingKey, OverLimit) as error:
        raise OverLimit(
            f"compose: the music of {job.video} is not in the ledger, and the step finish buys "
            "none",
            remedy="Run the film's step compose (again), with the same ledger; then this one.",
        ) from error


def _make_folders(item: Item) -> None:
    job = item.job
    for path in (job.output, job.stems, job.plot):
        if path is not None:
            with told_of(path.parent, stage="farm"):
                path.parent.mkdir(parents=True, exist_ok=True)


def _done(item: Item, result: Result, source: InputState, *, seconds: float) -> Outcome:
    return outcome_of(
        item,
        "done",
        seconds=seconds,
        duration_s=float(result.picture.duration_s),
        spent=result.take.spent,
        source=source,
        output_bytes=item.job.output.stat().st_size,
        warnings=result.warnings,
        music=figures_of(result) if item.one_style else None,
    )
