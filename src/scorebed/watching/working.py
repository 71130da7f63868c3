"""What a watch has in hand: handed to the workers of a batch, written down, put away."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from scorebed.batching.fates import looked_into
from scorebed.batching.items import Fate
from scorebed.batching.machine import default_jobs
from scorebed.batching.outcome import BatchResult, Totals
from scorebed.batching.planning import BatchPlan
from scorebed.batching.run import Run, outcome_of
from scorebed.delivery import log_beside
from scorebed.errors import ScorebedError
from scorebed.journal import about, note
from scorebed.logs import log_to, on_one_line
from scorebed.watching.again import Pause, is_counted, pause_after, unless_paid
from scorebed.watching.asks import bad_job_log, unforeseen
from scorebed.watching.items import JOB_ENDING, Taken
from scorebed.watching.memory import Memory
from scorebed.watching.moving import move_away
from scorebed.watching.patience import Patience, PatientRecord
from scorebed.watching.planning import Planner
from scorebed.watching.sight import refresh

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import Any

    from scorebed.batching.holders import Holder, Holders
    from scorebed.batching.items import BatchWatch, Failure, Item, Outcome
    from scorebed.watching.items import Ask, Seen, WatchJob

_KEPT = 5000
"""So many of the last films a watch without an end can tell of besides the record."""
_KEPT_OF_OWN = 10_000
"""So many of the last films the record of the user's own queue tells of."""


class Work(Run):
    """A run whose files come in while it works.

    Args:
        job: The watch.
        watch: Told how it stands.

    Raises:
        ScorebedError: If the options, the names or the folders will not do.
    """

    def __init__(self, job: WatchJob, watch: BatchWatch) -> None:
        out, jobs = job.batch.out, job.batch.jobs or default_jobs()
        self._job = job
        self.patience = Patience(self.say, pause_s=job.interval_s)
        self.patience.over = job.once or job.own_queue
        # The record is read once, for both.
        self.memory = Memory(out, retry_failed=job.retry_failed, read=False)
        record = PatientRecord(out, self.patience, self.memory.hear)
        super().__init__(BatchPlan(job=job.batch, items=(), jobs=jobs), watch, record)
        self._planner = Planner(job, self.record, self.memory)
        self._number = 1
        """Of the next item."""
        self._taken: dict[int, Taken] = {}
        self.asks: dict[str, Ask] = {}
        """Jobs that wait, are in hand, or have failed, by their files."""
        self._left: dict[Path, Seen] = {}
        """Films that are done, and stay until their last job has ended."""
        self._before = Totals()
        """Of what ended so long ago that the record alone tells of it."""

    def rest(self) -> None:
        """Puts the record in order, while there is nothing to do."""
        # What has ended is a result like any other: whoever changes it may keep it.
        self.record.close()
        self.shorten()

    def shorten(self) -> None:
        """Shortens the record, if it has grown far beyond the films that it tells of."""
        own = self._job.own_queue
        self.record.shorten(most=_KEPT_OF_OWN if own else None)
        self.memory.shorten(gone=own)

    def result(self) -> BatchResult:
        """What became of every film in this run, as far as it is still known."""
        return BatchResult(
            out=self._job.batch.out,
            outcomes=tuple(self.outcomes[number] for number in sorted(self.outcomes)),
            before=self._before,
            seconds=self.tally.elapsed_s,
            one_style=self._job.batch.one_style,
        )

    def has(self, content: str) -> bool:
        """Whether a film of that content is in hand that was found, not asked for."""
        return any(one.ask is None and one.state.content == content for one in self._taken.values())

    def has_job(self, ask: Ask) -> bool:
        """Whether the film of a job is in hand."""
        return any(one.ask is ask for one in self._taken.values())

    def take(self, film: Seen, ask: Ask | None) -> bool:
        """Takes a film in hand; not while the same result is made of another.

        Args:
            film: One that stands still and is whole.
            ask: Whose job it is; None for one that was found.

        Returns:
            Whether it is in hand, or has failed.
        """
        try:
            item = self._planner.item(self._number, film, ask)
            if any(one.item.name == item.name for one in self._taken.values()):
                return False
            item = looked_into(item)
        except ScorebedError as error:
            self.fail(film, error, ask)
            return True
        except OSError:
            # It has gone this very moment: the next look says so.
            return False
        except Exception as error:  # noqa: BLE001 - as for a worker, this file's failure alone
            self.fail(film, unforeseen(film.path, error), ask)
            return True
        self._begin(item, film, ask)
        return True

    def fail(self, file: Seen, error: ScorebedError, ask: Ask | None = None) -> None:
        """A film or job file that cannot be taken.

        Args:
            file: The file.
            error: Why.
            ask: Whose job it is, if it is a film of one.
        """
        item = self._planner.failed(self._number, file.path, error)
        if ask is not None:
            item = replace(item, name=str(ask.file.path))
        if ask is not None and ask.entry.output is not None:
            # Whoever asks looks there.
            output = self._job.batch.out / ask.entry.output
            item = replace(item, job=replace(item.job, output=output))
        self._begin(item, file, ask)

    def fail_place(self, path: Path, failure: ScorebedError) -> None:
        """What is no film: it counts as failed, and nothing more is done.

        Args:
            path: The file or folder.
            failure: Why.
        """
        item = self._planner.failed(self._number, path, failure)
        self._number += 1
        self.add(item)

    def skip(self, film: Seen, why: str) -> None:
        """A film that need not be scored.

        Args:
            film: The film.
            why: As the record says it.
        """
        item = self._planner.failed(self._number, film.path, ScorebedError(why, remedy=""))
        self._begin(replace(item, fate=Fate.SKIP, failure=None, why=why), film, None)

    def put_away(self, film: Seen) -> None:
        """Moves a film that is done with its last job, or a job file, if that is asked for.

        Args:
            film: The file.
        """
        into = self._job.move_done
        if into is None or not film.path.is_relative_to(self._job.folder):
            return
        if self._is_wanted(film.path):
            self._left[film.path] = replace(film)
            return
        before = (film.size_bytes, film.mtime_ns)
        refresh(film, time.monotonic())
        if (film.size_bytes, film.mtime_ns) != before:
            return
        try:
            moved = move_away(film.path, self._job.folder, into)
        except OSError as error:
            self.say(f"{film.path}: is done, but cannot be moved to {into} ({error.strerror})")
        else:
            note(logging.INFO, f"{film.path} moved to {moved}")

    def put_away_left(self) -> None:
        """Moves what is done and has waited for a job that has ended, or was withdrawn."""
        for path in [path for path in self._left if not self._is_wanted(path)]:
            self.put_away(self._left.pop(path))

    def _is_wanted(self, path: Path) -> bool:
        """Whether a film is in hand, or a job is to be done with it."""
        due = [ask for ask in self.asks.values() if ask.ended is None or not ask.film.handled]
        films = [*(one.film for one in self._taken.values()), *(ask.film for ask in due)]
        return any(film.path == path for film in films)

    def say(self, text: str) -> None:
        """Tells and logs a sentence about the folder."""
        note(logging.INFO, text)
        self._job.tell(on_one_line(text))

    def step(self, pool: Holders[Any], timeout_s: float) -> None:
        """As of every run; what was replaced or taken away while it waited is not begun.

        Args:
            pool: The workers.
            timeout_s: How long it waits for one to say something, in seconds.
        """
        while self.waiting and pool.free:
            taken = self._taken[self.waiting[0].number]
            if not _is_changed(taken):
                break
            self.end(outcome_of(self.waiting.popleft(), "skipped"))
        super().step(pool, timeout_s)

    def end(self, *outcomes: Outcome, busy: Sequence[Holder] | None = None) -> None:
        """Writes down what has ended; what was replaced meanwhile is taken again.

        Args:
            outcomes: What became of files.
            busy: Workers that go on meanwhile.
        """
        for outcome in outcomes:
            taken = self._taken.pop(outcome.number, None)
            if taken is None:
                super().end(outcome, busy=busy)
                continue
            told, again = _judged(outcome, taken)
            if told.failure is not None and taken.ask is not None:
                told = replace(told, failure=self._asked(told.failure, taken.ask))
            told, pause = self._paused(told, taken)
            with self._job_log(taken.log), about(told.video):
                super().end(told, busy=busy)
                if pause is not None:
                    self.say(f"{told.video}: {pause.words}")
                if told.failure is None:
                    ended = f"{told.video} skipped: {told.why}" if told.why else None
                    note(logging.INFO, ended or f"done: {told.output}")
            if taken.ask is None or told.failure is None:
                self.memory.learn(told)
            if not again:
                self._close(taken, told, pause)
        # One with an end is asked what became of all.
        while len(self.outcomes) > _KEPT and not self._job.once:
            self._before += self.outcomes.pop(next(iter(self.outcomes)))

    def _begin(self, item: Item, film: Seen, ask: Ask | None) -> None:
        self._number += 1
        film.handled = True
        log = None
        if ask is not None:
            ask.ended = None
            log = log_beside(item.job.output)
        elif film.path.name.endswith(JOB_ENDING):
            log = bad_job_log(self._job.batch.out, film.path)
        self._taken[item.number] = Taken(item=item, film=film, state=film.state, ask=ask, log=log)
        self.add(item)

    @contextmanager
    def _job_log(self, log: Path | None) -> Iterator[None]:
        """The log of a job, beside its output; where it cannot be, that is told."""
        with ExitStack() as opened:
            try:
                if log is not None:
                    opened.enter_context(log_to(log, lost=self._job.tell))
            except ScorebedError as error:
                self.say(error.message)
            except OSError as error:
                self.say(f"the log {log} cannot be written ({error.strerror})")
            yield

    def _asked(self, failure: Failure, ask: Ask) -> Failure:
        """Why a job failed: of one film there may be several."""
        job = ask.entry.output if self._job.own_queue else ask.file.path
        named = job is None or str(job) in failure.message
        told = failure.message if named else f"{failure.message}, for the job {job}"
        return replace(failure, message=told)

    def _paused(self, told: Outcome, taken: Taken) -> tuple[Outcome, Pause | None]:
        """What is recorded of a film, and when it is tried again if it has failed."""
        told = unless_paid(told, buy_again=taken.item.job.settings.purse.buy_again)
        film, failure = taken.film, told.failure
        counted = failure is not None and is_counted(failure)
        tries = 1 + (self.memory.tries(film, taken.ask) if counted else film.tries)
        # A job of the user's own queue ends there, whatever it fails of.
        final = self._job.own_queue
        pause = None if final else pause_after(failure, tries, ends=self._job.once)
        return (told if pause is None else replace(told, why=pause.words)), pause

    def _close(self, taken: Taken, outcome: Outcome, pause: Pause | None) -> None:
        ask = taken.ask
        if ask is not None:
            ask.ended = outcome.state
            self.patience.write(lambda: self.memory.end_job(ask, outcome))
            if self._job.own_queue:
                ask.file.path.unlink(missing_ok=True)
        elif self._job.own_queue:
            taken.film.path.unlink(missing_ok=True)
        if pause is not None and pause.seconds is not None:
            film = taken.film
            film.handled, film.look_at = False, time.monotonic() + pause.seconds
            film.tries += 1
        if outcome.state != "failed":
            self.put_away(taken.film)
            if ask is not None:
                self.put_away(ask.file)
        self.put_away_left()


def _judged(outcome: Outcome, taken: Taken) -> tuple[Outcome, bool]:
    """An outcome as it is recorded, and whether the film is to be taken again.

    What failed because somebody wrote to it meanwhile, or took it or its share away, has not
    failed: nothing is known of it as it was, and as that it may come back.
    """
    if outcome.source is None:
        outcome = replace(outcome, source=taken.state)
    if outcome.state == "done" or not _is_changed(taken):
        return outcome, False
    why = "it was written to or taken away meanwhile: it is taken again when it stands still"
    return replace(outcome, state="skipped", why=why, failure=None, source=None), True


def _is_changed(taken: Taken) -> bool:
    """Whether a film is not what it was when it was taken, or not there any more."""
    refresh(taken.film, time.monotonic())
    now = (taken.film.size_bytes, taken.film.mtime_ns)
    return now != (taken.state.size_bytes, taken.state.mtime_ns)
