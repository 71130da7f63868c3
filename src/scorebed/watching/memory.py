"""What a watch has done before: films by their place and by their content, job files by their text.

OUT/batch.jsonl                what became of each film, as a batch writes it
OUT/.scorebed-jobs.jsonl       job files that have ended

A line is on the disk before anything is built on it: a killed watch asks them what it has done.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from scorebed import __version__
from scorebed.batching.items import Failure, State
from scorebed.batching.jsonl import SCHEMA_VERSION, Lines
from scorebed.batching.known import Known, failure_of, known_of, told_place
from scorebed.batching.record import Record, to_line
from scorebed.watching.again import is_counted, passes

if TYPE_CHECKING:
    from pathlib import Path

    from scorebed.batching.items import Outcome
    from scorebed.watching.items import Ask, Seen

_JOBS = ".scorebed-jobs.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedJob:
    """A job file that has ended."""

    state: State
    """How."""
    name: str
    """Its result, as the record knows it; what has failed before it had one, by its file."""
    size_bytes: int
    """Length of the film that it names; -1 where it was not there."""
    mtime_ns: int
    """Its modification time."""
    failure: Failure | None
    """Why it failed."""
    tries: int = 0
    """How often in a row it has failed of what may pass."""


class Memory:
    """What the record of a folder of results says.

    Args:
        out: The folder; need not be there.
        retry_failed: Whether what has failed counts as never tried.
        read: Whether the record is read here; otherwise ``hear`` is told what it says.

    Raises:
        WorkspaceError: If the record is there and cannot be read, or is of a newer release.
    """

    def __init__(self, out: Path, *, retry_failed: bool, read: bool = True) -> None:
        self._out = out
        self._job_lines = Lines(out / _JOBS, stage="watch")
        self._retry = retry_failed
        self._tries: dict[str, tuple[int, int, int]] = {}
        self._places: dict[str, Known] = {}
        self._contents: dict[str, Known] = {}
        self._hints: set[str] = set()
        self._jobs: dict[tuple[str, str, int], EndedJob] = {}
        self._made: dict[str, Known] = {}
        self._job_of: dict[str, str] = {}
        self._theirs: set[tuple[str, str]] = set()
        """Films and results of jobs that have failed."""
        for _, line in self._job_lines.numbered():
            if line is None or not self._learn_job(line, again=retry_failed):
                continue
            if line["error"]:
                self._theirs.add((told_place(line["film"]), line["name"]))
        if read:
            Record(out, hears=self.hear)

    def hear(self, known: Known) -> None:
        """Takes in a line of the record, as they come.

        Args:
            known: What it says.
        """
        # What a job could not do with its own options says nothing of the film.
        if known.failure is None or (known.video, known.name) not in self._theirs:
            self._learn(known, again=self._retry)

    def of_place(self, film: Seen) -> Known | None:
        """What became of a film that lies where it did, unchanged.

        None for a new one, and for one whose result has gone or is of another film by now.

        Args:
            film: The file.
        """
        known = self._places.get(told_place(film.path))
        if known is None or (known.size_bytes, known.mtime_ns) != (film.size_bytes, film.mtime_ns):
            return None
        if known.ctime_ns not in {None, film.ctime_ns}:
            # Also of what could not be read: whose it is may have changed.
            return None
        if known.failure is not None:
            return known
        if known.state == "skipped":
            return known if self.of_content(known.identity) is not None else None
        return known if self._stands(known) else None

    def done_at(self, path: Path) -> Known | None:
        """What became of the film that lay in a place last, if it is scored and its result there.

        Args:
            path: The place.
        """
        known = self._places.get(told_place(path))
        if known is None or known.state != "done":
            return None
        return known if self._stands(known) else None

    def looks_known(self, film: Seen) -> bool:
        """Whether a film was scored that agrees with a file in size and samples.

        Args:
            film: The file.
        """
        return film.content in self._hints

    def is_twin(self, film: Seen) -> bool:
        """Whether a file was read whole, and no film that was scored is the same.

        Args:
            film: The file.
        """
        return film.sha256 is not None and film.sha256 not in self._contents

    def hash_at(self, film: Seen) -> str | None:
        """Hash of all of a file that lies where it was scored, untouched; None for others.

        Args:
            film: The file.
        """
        known = self._places.get(told_place(film.path))
        if known is None:
            return None
        then = (known.size_bytes, known.mtime_ns, known.ctime_ns)
        return known.sha256 if then == (film.size_bytes, film.mtime_ns, film.ctime_ns) else None

    def of_content(self, identity: str) -> Known | None:
        """The film of the same content whose result is there, under whatever name; or None.

        Args:
            identity: Hash of all of it, as ``whole_of`` has it.
        """
        known = self._contents.get(identity)
        return known if known is not None and self._stands(known) else None

    def maker(self, name: str) -> Known | None:
        """The film that a result was last made of.

        Args:
            name: The result, as the record knows it.
        """
        return self._made.get(name)

    def job_of(self, name: str) -> str | None:
        """The job file that a result was last made for.

        Args:
            name: The result, as the record knows it.
        """
        return self._job_of.get(name)

    def of_job(self, file: Seen, sha256: str) -> EndedJob | None:
        """How a job file has ended; None if it has not.

        Args:
            file: The job file.
            sha256: Of what it holds.
        """
        return self._jobs.get((str(file.path), sha256, file.mtime_ns))

    def learn(self, outcome: Outcome) -> None:
        """Takes in what has become of a film, when the record has it.

        Args:
            outcome: As it is recorded.
        """
        self._learn(known_of(outcome))

    def end_job(self, ask: Ask, outcome: Outcome) -> None:
        """Notes that a job file has ended.

        Args:
            ask: The job.
            outcome: What became of its film.

        Raises:
            WorkspaceError: If the disk is full or the folder cannot be written.
        """
        line = {
            "schema": SCHEMA_VERSION,
            "version": __version__,
            "job": str(ask.file.path),
            "sha256": ask.sha256,
            "job_mtime_ns": ask.file.mtime_ns,
            "film": told_place(outcome.video),
            "name": outcome.name,
            "state": outcome.state,
            "size_bytes": ask.film.size_bytes,
            "mtime_ns": ask.film.mtime_ns,
            "error": to_line(outcome)["error"],
        }
        self._job_lines.append([line])
        self._learn_job(line)

    def shorten(self, *, gone: bool) -> None:
        """Leaves job files out of the record that nothing asks for any more, if most are such.

        Args:
            gone: Whether those that are not there any more count as such: not where they lie on a
                share that may be away.
        """
        films = 0 if gone else len(self._jobs)
        self._job_lines.shorten(lambda: self._asked_for(gone=gone), films=films)

    def _asked_for(self, *, gone: bool) -> set[int]:
        last: dict[tuple[str | int, ...], int] = {}
        for number, line in self._job_lines.numbered():
            if line is None or _ended_from(line) is None:
                continue
            if not gone or os.path.lexists(line["job"]):
                last[line["job"], line["sha256"], line["job_mtime_ns"]] = number
            if line["error"] and not gone:
                # Where films are found too, the failure of a job is not theirs.
                last[line["film"], line["name"]] = number
        return set(last.values())

    def forgets(self, ended: EndedJob) -> bool:
        """Whether a failure of an earlier run is no reason to leave a job alone.

        Args:
            ended: How it has ended.
        """
        return self._retry or ended.failure is None or passes(ended.failure, ended.tries)

    def tries(self, film: Seen, ask: Ask | None) -> int:
        """How often in a row a film, as it is, has failed of what may pass.

        Args:
            film: The film.
            ask: Whose job it is; None for one that was found.
        """
        if ask is None:
            *then, tries = self._tries.get(told_place(film.path), (-1, -1, 0))
        else:
            ended = self.of_job(ask.file, ask.sha256)
            then = [] if ended is None else [ended.size_bytes, ended.mtime_ns]
            tries = 0 if ended is None else ended.tries
        return tries if then == [film.size_bytes, film.mtime_ns] else 0

    def _learn_job(self, line: dict[str, Any], *, again: bool = False) -> bool:
        ended = _ended_from(line)
        if ended is None:
            return False
        job = (line["job"], line["sha256"], line["job_mtime_ns"])
        if ended.failure is not None and is_counted(ended.failure) and not again:
            last = self._jobs.get(job, ended)
            same = (last.size_bytes, last.mtime_ns) == (ended.size_bytes, ended.mtime_ns)
            ended = replace(ended, tries=1 + (last.tries if same else 0))
        self._jobs[job] = ended
        if ended.state == "done":
            self._job_of[ended.name] = line["job"]
        return True

    def _learn(self, known: Known, *, again: bool = False) -> None:
        # One of an earlier release may have been named from where its batch was started.
        place = told_place(known.video)
        place = known.video if known.video == place else place
        if known.failure is not None:
            self._places.pop(place, None)
            if again or passes(known.failure, self._count(place, known, known.failure)):
                return
        if known.size_bytes < 0:
            return
        self._places[place] = known
        if known.state == "done":
            self._tries.pop(place, None)
            self._contents[known.identity] = known
            if known.sha256 is not None:
                self._hints.add(known.content)
            self._made[known.name] = known

    def _count(self, place: str, known: Known, failure: Failure) -> int:
        """How often in a row a film has failed now; what its disk did is not counted."""
        if not is_counted(failure) or known.size_bytes < 0:
            return 0
        film = (known.size_bytes, known.mtime_ns)
        *then, before = self._tries.get(place, (*film, 0))
        tries = before + 1 if then == [*film] else 1
        self._tries[place] = (*film, tries)
        return tries

    def _stands(self, known: Known) -> bool:
        """Whether the result of a film is there, and no other film's has taken its place."""
        made = self._made.get(known.name)
        if made is None or made.identity != known.identity:
            return False
        try:
            return (self._out / known.name).stat().st_size == made.output_bytes
        except OSError:
            return False


def _ended_from(line: dict[str, Any]) -> EndedJob | None:
    """What a line of jobs says; None for one that is not whole."""
    try:
        if not all(isinstance(line[name], str) for name in ("job", "sha256", "film", "name")):
            return None
        return EndedJob(
            state=line["state"],
            name=line["name"],
            size_bytes=line["size_bytes"],
            mtime_ns=line["mtime_ns"],
            failure=failure_of(line["error"]) if line["error"] else None,
        )
    except (KeyError, TypeError):
        return None
