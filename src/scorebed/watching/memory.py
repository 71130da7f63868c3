"""What a watch has done before: films by their place and by their content, job files by their text.

OUT/batch.jsonl                what became of each film, as a batch writes it
OUT/.scorebed-jobs.jsonl       job files that have ended

A line is on the disk before anything is built on it: a killed watch asks them what it has done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scorebed.batching.items import STATES, Failure, State
from scorebed.batching.record import RECORD, append_lines, failure_of, lines_of, to_line
from scorebed.watching.again import is_counted, passes

if TYPE_CHECKING:
    from pathlib import Path

    from scorebed.batching.items import Outcome
    from scorebed.watching.items import Ask, Seen

_JOBS = ".scorebed-jobs.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a file as it is."""

    state: State
    """How it ended."""
    name: str
    """Its result, as the record knows it."""
    video: str
    """The file that was scored."""
    content: str
    """Hash of its size and sampled content: a hint."""
    sha256: str | None = None
    """Hash of all of it; None where it was not read whole, as before 2026-11."""
    ctime_ns: int | None = None
    """When anything about the file had changed last."""
    output_bytes: int = 0
    """Length of its result in bytes."""
    failure: Failure | None = None
    """Why it failed."""

    @property
    def identity(self) -> str:
        """What tells it from all other films, as well as it is known."""
        return self.sha256 or self.content

    def is_of(self, film: Seen) -> bool:
        """Whether it was made of that film; one that looks the same was read whole before.

        Args:
            film: The file.
        """
        if self.sha256 is None:
            return self.content == film.content
        return self.sha256 == film.sha256


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

    Raises:
        WorkspaceError: If the record is there and cannot be read.
    """

    def __init__(self, out: Path, *, retry_failed: bool) -> None:
        self._out = out
        self._jobs_path = out / _JOBS
        self._retry = retry_failed
        self._tries: dict[str, tuple[int, int, int]] = {}
        self._places: dict[str, tuple[int, int, Known]] = {}
        self._contents: dict[str, Known] = {}
        self._hints: set[str] = set()
        self._jobs: dict[tuple[str, str, int], EndedJob] = {}
        self._made: dict[str, Known] = {}
        self._job_of: dict[str, str] = {}
        jobs = [line for line in lines_of(self._jobs_path) if "film" in line]
        for line in jobs:
            self._learn_job(line, again=retry_failed)
        # What a job could not do with its own options says nothing of the film.
        theirs = {(line["film"], line["name"]) for line in jobs if line["error"]}
        for line in lines_of(out / RECORD):
            if not line.get("error") or (line.get("input"), line.get("name")) not in theirs:
                self._learn_line(line, again=retry_failed)

    def of_place(self, film: Seen) -> Known | None:
        """What became of a film that lies where it did, unchanged.

        None for a new one, and for one whose result has gone or is of another film by now.

        Args:
            film: The file.
        """
        size_bytes, mtime_ns, known = self._places.get(str(film.path), (-1, -1, None))
        same = (size_bytes, mtime_ns) == (film.size_bytes, film.mtime_ns)
        if known is None or not same:
            return None
        if known.failure is not None:
            return known
        if known.ctime_ns not in {None, film.ctime_ns}:
            return None
        if known.state == "skipped":
            return known if self.of_content(known.identity) is not None else None
        return known if self._stands(known) else None

    def done_at(self, path: Path) -> Known | None:
        """What became of the film that lay in a place last, if it is scored and its result there.

        Args:
            path: The place.
        """
        _, _, known = self._places.get(str(path), (-1, -1, None))
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
        size_bytes, mtime_ns, known = self._places.get(str(film.path), (-1, -1, None))
        then = (size_bytes, mtime_ns, None if known is None else known.ctime_ns)
        untouched = then == (film.size_bytes, film.mtime_ns, film.ctime_ns)
        return known.sha256 if known is not None and untouched else None

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
        self._learn_line(to_line(outcome))

    def end_job(self, ask: Ask, outcome: Outcome) -> None:
        """Notes that a job file has ended.

        Args:
            ask: The job.
            outcome: What became of its film.

        Raises:
            WorkspaceError: If the disk is full or the folder cannot be written.
        """
        line = {
            "job": str(ask.file.path),
            "sha256": ask.sha256,
            "job_mtime_ns": ask.file.mtime_ns,
            "film": str(outcome.video),
            "name": outcome.name,
            "state": outcome.state,
            "size_bytes": ask.film.size_bytes,
            "mtime_ns": ask.film.mtime_ns,
            "error": to_line(outcome)["error"],
        }
        append_lines(self._jobs_path, [line], stage="watch")
        self._learn_job(line)

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
            *then, tries = self._tries.get(str(film.path), (-1, -1, 0))
        else:
            ended = self.of_job(ask.file, ask.sha256)
            then = [] if ended is None else [ended.size_bytes, ended.mtime_ns]
            tries = 0 if ended is None else ended.tries
        return tries if then == [film.size_bytes, film.mtime_ns] else 0

    def _learn_job(self, line: dict[str, Any], *, again: bool = False) -> None:
        failure = failure_of(line) if line["error"] else None
        last = self._jobs.get((line["job"], line["sha256"], line["job_mtime_ns"]))
        film = (line["size_bytes"], line["mtime_ns"])
        same = last is not None and film == (last.size_bytes, last.mtime_ns)
        before = last.tries if last is not None and same else 0
        counted = failure is not None and is_counted(failure) and not again
        self._jobs[line["job"], line["sha256"], line["job_mtime_ns"]] = EndedJob(
            state=line["state"],
            name=line["name"],
            size_bytes=line["size_bytes"],
            mtime_ns=line["mtime_ns"],
            failure=failure,
            tries=before + 1 if counted else 0,
        )
        if line["state"] == "done":
            self._job_of[line["name"]] = line["job"]

    def _learn_line(self, line: dict[str, Any], *, again: bool = False) -> None:
        state, source = line.get("state"), line.get("source")
        if state not in STATES or not {"name", "input"} <= line.keys():
            return
        failure = failure_of(line) if line.get("error") else None
        video = line["input"]
        if failure is not None:
            self._places.pop(video, None)
            if again or passes(failure, self._count(video, source, failure)):
                return
        if source is None:
            return
        known = Known(
            state=state,
            name=line["name"],
            video=video,
            content=source["content"],
            sha256=source.get("sha256"),
            ctime_ns=source.get("ctime_ns"),
            output_bytes=line.get("output_bytes", 0),
            failure=failure,
        )
        self._places[video] = (source["size_bytes"], source["mtime_ns"], known)
        if state == "done":
            self._tries.pop(video, None)
            self._contents[known.identity] = known
            if known.sha256 is not None:
                self._hints.add(known.content)
            self._made[known.name] = known

    def _count(self, video: str, source: dict[str, Any] | None, failure: Failure) -> int:
        """How often in a row a film has failed now; what its disk did is not counted."""
        if not is_counted(failure) or source is None:
            return 0
        film = (source["size_bytes"], source["mtime_ns"])
        *then, before = self._tries.get(video, (*film, 0))
        tries = before + 1 if then == [*film] else 1
        self._tries[video] = (*film, tries)
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
