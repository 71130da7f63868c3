"""What lies in the folder that is watched, what of it is ripe, and what is left alone."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from scorebed.batching.find import is_film
from scorebed.errors import MediaError, ScorebedError
from scorebed.exporters.words import counted
from scorebed.media import content_of
from scorebed.watching.asks import absent, read_ask, unforeseen
from scorebed.watching.items import PATIENT
from scorebed.watching.reader import Reader
from scorebed.watching.sight import Sight, refresh
from scorebed.watching.whole import require_whole, writers

if TYPE_CHECKING:
    from collections.abc import Collection

    from scorebed.watching.items import Ask, Seen, WatchJob
    from scorebed.watching.memory import EndedJob
    from scorebed.watching.working import Work

_AT_ONCE = 50
"""So many files are opened in a look: meanwhile no worker is heard."""
_WRITER_S = 60.0
"""How long ``--once`` waits for a program that has a film open and does not write."""


class Folder:
    """What lies in the folder, and what of it is ripe.

    Args:
        job: The watch.
        work: What is to be done with it.
    """

    def __init__(self, job: WatchJob, work: Work) -> None:
        self._job = job
        self._work = work
        self._sight = Sight(job)
        self._awaited: Collection[str] | None = None
        self._theirs: set[str] = set()
        self._left_alone = 0
        """Files that have failed before, since that was told."""
        self._looked = False
        self._reader = Reader(work.say)
        self._troubles: dict[str, str] = {}
        self.more = False
        """Whether there is more to open than one look does."""

    def is_done(self) -> bool:
        """Whether nothing is left of what the watch ends with; never, if it ends with nothing."""
        if not (self._job.once or self._job.own_queue) or not self._looked:
            return False
        asked = [ask.film for ask in self._work.asks.values() if self._is_awaited(ask.file)]
        found = [*self._sight.films.values(), *self._sight.jobs.values()]
        there = [seen for seen in found if self._is_awaited(seen) and seen.size_bytes >= 0]
        return all(seen.handled for seen in asked) and all(
            seen.handled or self._is_asked_for(seen) for seen in there
        )

    def close(self) -> None:
        """Ends what is read in the background."""
        self._reader.close()

    def _is_asked_for(self, film: Seen) -> bool:
        return bool(self._theirs) and os.path.realpath(film.path) in self._theirs

    def look(self) -> None:
        """Looks into the folder, and has taken what is ripe."""
        self._sight.look()
        if self._job.once and not self._looked:
            self._awaited = {*self._sight.films, *self._sight.jobs}
        self._tell_troubles()
        for file in list(self._sight.jobs.values()):
            if not file.handled and file.size_bytes >= 0 and self._is_awaited(file):
                self._read(file)
        asks = self._work.asks
        for name in [name for name, ask in asks.items() if not self._is_alive(name, ask)]:
            del asks[name]
        self._work.put_away_left()
        asked = [ask for ask in asks.values() if self._is_due(ask)]
        asked.sort(key=lambda ask: ask.file.mtime_ns)
        # A film that a job names is the job's, and not found besides, however the job ends.
        self._theirs = {os.path.realpath(ask.film.path) for ask in asks.values()}
        films = [film for film in self._sight.films.values() if self._is_ripe(film)]
        found = [film for film in films if not self._is_asked_for(film)]
        self._leave_known(found)
        self._tell_left_alone()
        ripe = sorted((film for film in found if not film.handled), key=lambda film: film.path)
        # What was asked for in particular comes first.
        due = [*((ask.film, ask) for ask in asked), *((film, None) for film in ripe)]
        self.more = len(due) > _AT_ONCE
        held = writers([film.path for film, _ in due[:_AT_ONCE]])
        for film, ask in due[:_AT_ONCE]:
            self._consider(film, ask, held)
        self._looked = True

    def _is_awaited(self, seen: Seen) -> bool:
        return self._awaited is None or str(seen.path) in self._awaited

    def _is_ripe(self, film: Seen) -> bool:
        return self._sight.settled(film) and self._is_awaited(film)

    def _tell_troubles(self) -> None:
        for folder, why in self._sight.troubles.items():
            if self._job.once and not self._looked:
                told = f"watch: the folder {folder} cannot be searched ({why})"
                error = MediaError(told, remedy="Check that you may read it.")
                self._work.fail_place(Path(folder), error)
            elif self._troubles.get(folder) != why:
                self._work.say(f"watch: {folder} cannot be searched ({why}): it is tried again")
        self._troubles = self._sight.troubles

    # --- job files ------------------------------------------------------------------------------

    def _read(self, file: Seen) -> None:
        """Takes a job file in at once: it was renamed into its place, so it is whole."""
        known = self._work.memory.of_place(file)
        if known is not None:
            file.handled = True
            self._left_alone += known.failure is not None
            return
        try:
            ask = read_ask(self._job, file)
        except ScorebedError as error:
            # One that is written in place may not be whole yet.
            if self._sight.settled(file):
                self._work.fail(file, error)
            return
        except Exception as error:  # noqa: BLE001 - as for a worker, this file's failure alone
            self._work.fail(file, unforeseen(file.path, error))
            return
        file.handled = True
        if ask is not None:
            self._keep(ask)

    def _keep(self, ask: Ask) -> None:
        """Notes what is asked for, unless it was done before; what failed, if the film changes."""
        refresh(ask.film, time.monotonic())
        ended = self._work.memory.of_job(ask.file, ask.sha256)
        if ended is not None and ended.failure is None:
            if self._is_whole(ended, ask):
                self._work.put_away(ask.file)
                return
            ended = None
        if ended is not None and ended.failure is not None:
            before = (ended.size_bytes, ended.mtime_ns)
            same = before == (ask.film.size_bytes, ask.film.mtime_ns)
            ask.ended = ended.state
            ask.film.handled = same and not self._work.memory.forgets(ended)
            self._left_alone += ask.film.handled
        self._work.asks[str(ask.file.path)] = ask

    def _is_whole(self, ended: EndedJob, ask: Ask) -> bool:
        """Whether a job that is done need not be done again: not if its result has gone alone."""
        result = self._job.batch.out / ended.name
        return os.path.lexists(result) or ask.film.size_bytes < 0

    def _is_alive(self, name: str, ask: Ask) -> bool:
        """Whether a job is still to be kept: not if its file has gone before it was taken."""
        withdrawn = name not in self._sight.jobs and not self._work.has_job(ask)
        return ask.ended in {None, "failed"} and not withdrawn

    def _is_due(self, ask: Ask) -> bool:
        film = ask.film
        refresh(film, time.monotonic())
        if film.size_bytes < 0 and ask.ended is not None:
            # It has failed, and was taken away.
            film.handled = True
        if film.size_bytes < 0 and not film.handled and not self._is_patient(film):
            self._work.fail(film, absent(ask, self._job, self._work.memory), ask)
        return self._sight.settled(film) and self._is_awaited(ask.file)

    # --- films ----------------------------------------------------------------------------------

    def _leave_known(self, films: list[Seen]) -> None:
        """Passes over what is done or has failed before, where it lies, and what is no film."""
        for film in films:
            known = self._work.memory.of_place(film)
            film.handled = known is not None or not is_film(film.path)
            if known is not None and known.failure is None:
                self._work.put_away(film)
            self._left_alone += known is not None and known.failure is not None

    def _tell_left_alone(self) -> None:
        count, self._left_alone = self._left_alone, 0
        if count:
            what = f"{counted(count, 'file')} that failed before {'is' if count == 1 else 'are'}"
            until = "it changes" if count == 1 else "they change"
            self._work.say(f"watch: {what} left alone until {until}; --retry-failed tries again")

    def _consider(self, film: Seen, ask: Ask | None, held: set[Path]) -> None:
        """Has a film taken that stands still, if it is whole and was not scored before."""
        if film.path in held:
            self._await_writer(film, ask)
            return
        try:
            if not film.content:
                require_whole(film.path)
                film.content = content_of(film.path)
            told_apart = self._is_told_apart(film)
        except (MediaError, OSError) as error:
            refresh(film, time.monotonic())
            told = error if isinstance(error, MediaError) else _unread(film, error)
            if film.size_bytes >= 0 and not self._is_patient(film):
                self._work.fail(film, told, ask)
            elif film.size_bytes >= 0:
                self._wait(film, told.message)
            return
        except Exception as error:  # noqa: BLE001 - as for a worker, this file's failure alone
            self._work.fail(film, unforeseen(film.path, error), ask)
            return
        refresh(film, time.monotonic())
        if not self._sight.settled(film):
            return
        if told_apart:
            self._take(film, ask)

    def _take(self, film: Seen, ask: Ask | None) -> None:
        known = self._work.memory.of_content(film.sha256 or "") if ask is None else None
        if known is not None:
            self._work.skip(film, f"it is the same film as {known.video}, which is scored")
        elif (ask is None and self._work.has(film.content)) or not self._work.take(film, ask):
            # Afterwards it is seen what is left to do.
            self._sight.later(film)

    def _is_told_apart(self, film: Seen) -> bool:
        """Whether it is known which film it is: what looks like one that is done is read whole."""
        memory = self._work.memory
        if film.sha256 is None and memory.looks_known(film):
            film.sha256 = memory.hash_at(film) or self._reader.hash_of(film)
            return film.sha256 is not None
        return True

    def _await_writer(self, film: Seen, ask: Ask | None) -> None:
        """Waits for a program that has a film open; not for ever, where there is to be an end."""
        if self._job.once and self._sight.still_s(film) > _WRITER_S:
            self._work.fail(
                film,
                MediaError(
                    f"watch: a program has {film.path} open for writing",
                    remedy="End that program, or wait until it is done, and start the watch again.",
                ),
                ask,
            )
        else:
            self._wait(film, "a program has it open for writing")

    def _is_patient(self, film: Seen) -> bool:
        """Whether a film that is not whole may still become it."""
        times = 1 if self._job.once else PATIENT
        return self._sight.still_s(film) < times * self._job.settle_s

    def _wait(self, film: Seen, why: str) -> None:
        self._sight.later(film)
        if film.told != why:
            film.told = why
            self._work.say(f"{film.path}: waits: {why}")


def _unread(film: Seen, error: OSError) -> MediaError:
    return MediaError(
        f"watch: {film.path} cannot be read ({error.strerror})",
        remedy="Check the disk or share that it lies on.",
    )
