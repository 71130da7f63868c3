"""What a watch is asked for, and what it knows of a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scorebed.batching.items import BatchJob, Entry, InputState, Item, State
from scorebed.model import Tell, no_words

SETTLE_S = 10.0
INTERVAL_S = 2.0
JOB_ENDING = ".scorebed.json"
PATIENT = 6
"""A file that stands still so many times as long as asked for, and is not whole, has failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchJob:
    """A watch, as it is asked for."""

    folder: Path
    """Where finished films and job files come in."""
    batch: BatchJob
    """Where results go, and what is wanted of every film."""
    settle_s: float = SETTLE_S
    """How long size and time of a file have to stand still, in seconds."""
    interval_s: float = INTERVAL_S
    """Time between two looks into the folder, in seconds."""
    once: bool = False
    """Whether it ends when what is there now is done."""
    retry_failed: bool = False
    """Whether what failed before is tried again."""
    move_done: Path | None = None
    """A folder that scored films are moved to; None for none."""
    pays: bool = False
    """Whether money may be spent unattended."""
    jobs_anywhere: bool = False
    """Whether job files may name outputs outside the folder of the results."""
    own_queue: bool = False
    """Whether the folder is the user's own queue of jobs: films in it are not looked for, a job may
    have the options of money too, a job file that has ended is removed, and the watch ends when
    there is none left."""
    tell: Tell = no_words
    """Told, in sentences, what a person should know of the folder."""


@dataclass(slots=True)
class Seen:
    """A file in the folder, as it was when it was last looked at."""

    path: Path
    base: Path
    """The folder that was searched."""
    number: int
    """What the folder knows the file by, whatever its name: changes when another takes its name."""
    size_bytes: int = -1
    """Length; -1 before the first look."""
    mtime_ns: int = -1
    since: float = 0.0
    """When it was first seen like this, by the monotonic clock."""
    look_at: float = 0.0
    """When it is worth the next look, by the monotonic clock."""
    handled: bool = False
    """Whether nothing is to be done with it as it is."""
    ctime_ns: int = -1
    """When anything about it changed last, as its disk says."""
    content: str = ""
    """Hash of its size and sampled content; empty before it was read."""
    sha256: str | None = None
    """Hash of all of it; None where nobody had to know."""
    told: str = ""
    """What was said of it last."""
    tries: int = 0
    """How often the disk had no room for it."""

    @property
    def state(self) -> InputState:
        """What it was when it was taken."""
        return InputState(
            size_bytes=self.size_bytes,
            mtime_ns=self.mtime_ns,
            content=self.content,
            ctime_ns=self.ctime_ns,
            sha256=self.sha256,
        )


@dataclass(slots=True)
class Ask:
    """A job file, and the film that it names."""

    file: Seen
    """The job file."""
    sha256: str
    """Of what it holds."""
    entry: Entry
    film: Seen
    """The film, wherever it lies."""
    ended: State | None = None
    """How it has ended; None before that, and while it is in hand."""


@dataclass(slots=True)
class Taken:
    """A film that is in hand."""

    item: Item
    film: Seen
    state: InputState
    """What it was when it was taken."""
    ask: Ask | None = None
    """Whose job it is; None for a film that was found."""
    log: Path | None = None
    """Of a job: the log beside its output."""
