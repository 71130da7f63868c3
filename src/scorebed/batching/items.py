"""What a batch is made of: what is asked for, what is to be done, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

from scorebed.job import Job
from scorebed.logs import Form, Level
from scorebed.model import FREE, Quote, Tell, no_words
from scorebed.options import Options

DEFAULT_TEMPLATE = "{stem}.scored{ext}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogWanted:
    """A log that the batch and its workers share."""

    path: Path | None
    """The file; None where a worker sends its lines to the batch."""
    form: Form
    """Lines for a person, or JSON Lines."""
    level: Level
    """The least that is logged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchJob:
    """A batch, as it is asked for."""

    paths: tuple[str, ...]
    """Folders, patterns, files and manifests."""
    out: Path
    """Folder of the results; made if it is not there."""
    options: Options
    """What is wanted of every file, where a manifest does not say otherwise."""
    said: frozenset[str]
    """Names of the options that the user has said, not a default."""
    defaults: Options
    """What stood there before the user said anything."""
    workspace: Path
    """Root of the workspaces."""
    recursive: bool = True
    """Whether folders in folders are searched too."""
    only: tuple[str, ...] = ()
    """Patterns of names: if there are some, what fits none of them is left out."""
    exclude: tuple[str, ...] = ()
    """Patterns of names that are left out."""
    keep_structure: bool = False
    """Whether the folders of the inputs are made again in ``out``."""
    name_template: str = DEFAULT_TEMPLATE
    """How results are named."""
    jobs: int | None = None
    """Files that are worked on at once; None for what the machine can do."""
    one_style: bool = False
    """Whether all music is to be of one family."""
    stems: Path | None = None
    """A folder that gets a folder of stems per file."""
    resume: bool = True
    """Whether what is done and unchanged is skipped."""
    retry_failed: bool = False
    """Whether nothing but what failed before is done."""
    overwrite: bool = False
    """Whether all is done again, over whatever has those names."""
    fail_fast: bool = False
    """Whether no further file is begun after one has failed."""
    cluster: str | None = None
    """Address of a Dask scheduler, or the file that it has left; None for this machine."""
    log: LogWanted | None = None
    """The log that workers write to as well; None for none."""
    verb: str = "batch"
    """Who asks, for errors: ``batch`` or ``watch``."""
    tell: Tell = no_words
    """Told, in sentences, what a person should know at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file that is asked for, with its own options."""

    video: Path
    """The file, as the user names it."""
    base: Path
    """The folder whose structure counts: the one that was given."""
    options: Options
    """What is wanted of it."""
    said: frozenset[str] = frozenset()
    """Names of the options that were said for it."""
    where: str = ""
    """Its place in a manifest, for errors; empty without one."""
    output: Path | None = None
    """Where its result goes, if a manifest says so."""
    stems: Path | None = None
    """Where its stems go, if a manifest says so."""
    plot: Path | None = None
    """Where its plot goes, if a manifest says so."""
    overwrite: bool = False
    """Whether what has the name of its result may be replaced, if a job file says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a file could not be scored."""

    kind: str
    """Name of the error's class."""
    stage: str
    """Where it happened: a stage, or ``plan`` before any."""
    message: str
    """What happened."""
    remedy: str
    """What a person can do about it."""
    exit_code: int
    """What ``scorebed score`` would have returned."""


class Fate(StrEnum):
    """What a run makes of a file."""

    DO = "do"
    SKIP = "skip"
    """It is done already, or not asked for."""
    FAILED = "failed"
    """It cannot be done: known before the work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputState:
    """What a file was when it was scored."""

    size_bytes: int
    """Its length in bytes."""
    mtime_ns: int
    """Its modification time, in nanoseconds since 1970."""
    content: str
    """Hash of its size and sampled content: a hint."""
    ctime_ns: int | None = None
    """When anything about it changed last, as its disk says, in nanoseconds since 1970 (on Windows:
    when it was made); None in records of before 2026-11."""
    sha256: str | None = None
    """Hash of all of it; None where it was not read whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A file of the plan."""

    number: int
    """Its place in the batch, from 1."""
    name: str
    """Its result, from ``out`` on: what the record knows it by."""
    job: Job
    """What ``score`` is given."""
    key: str
    """Hash of the options that change the result."""
    fate: Fate
    """What is to be done with it."""
    why: str = ""
    """Of a file that is skipped: why."""
    failure: Failure | None = None
    """Of a file that cannot be done: why."""
    duration_s: float = 0.0
    """Length as its header says, in seconds."""
    size_bytes: int = 0
    """Of the file."""
    price: Quote = FREE
    """Most that it should cost."""
    one_style: bool = False
    """Whether its music is to be measured for the drift report."""
    log: LogWanted | None = None
    """The log of the worker; None for none."""
    entry: Entry | None = None
    """What was asked for; None for what is no file."""
    verb: str = "batch"
    """Who asks, for errors."""
    leads: Path | None = None
    """Where its music is left for the others to go on in; None where it is not."""
    source: InputState | None = None
    """Of a file that is skipped: what it is now, if that was told byte by byte."""
    anew: bool = False
    """Whether stages that are kept under its size, time and samples are of another film."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MusicFigures:
    """What one family of music shares."""

    key: str | None
    """Key and mode that it begins in, as its maker says, else the one that is heard; None where
    none is."""
    tempo_bpm: float | None
    """Tempo in beats per minute, likewise; None where there is no pulse."""
    integrated_lufs: float | None
    """Loudness before levelling, in LUFS; None for silence."""
    brightness_hz: float | None
    """Mean spectral centroid, weighted by loudness, in Hz; None for silence."""


State = Literal["done", "failed", "skipped"]
STATES: tuple[State, ...] = ("done", "failed", "skipped")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a file."""

    number: int
    """Its place in the batch, from 1."""
    name: str
    """Its result, from ``out`` on."""
    video: Path
    """The input."""
    output: Path
    """The result, there if it is done."""
    key: str
    """Hash of the options that change the result."""
    state: State
    """How it ended."""
    why: str = ""
    """Of a file that was skipped: why; of one that failed in a watch: when it is tried again."""
    failure: Failure | None = None
    """Of a file that failed: why."""
    seconds: float = 0.0
    """How long it took, in seconds."""
    duration_s: float = 0.0
    """Length of the picture, in seconds."""
    spent: Quote = FREE
    """What it has cost in this run."""
    source: InputState | None = None
    """What the input was; None where nobody got to see it."""
    output_bytes: int = 0
    """Length of the result in bytes; 0 where there is none."""
    warnings: tuple[str, ...] = ()
    """What a person should know though it is done."""
    music: MusicFigures | None = None
    """With one style: what its music is like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A file that is worked on."""

    number: int
    """Its place in the batch, from 1."""
    video: Path
    """The input."""
    stage: str
    """The stage that it is in; empty before the first."""
    share: float
    """Share of the file that is done, 0 to 1."""
    elapsed_s: float
    """Since it was begun, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProgress:
    """How a batch stands."""

    files: int
    """Files in the batch."""
    done: int
    """Files that are done, in this run."""
    failed: int
    """Files that have failed."""
    skipped: int
    """Files that are skipped."""
    running: tuple[Running, ...]
    """Files that are worked on, in their order."""
    share: float
    """Share of this run's work that is done, by length of picture, 0 to 1."""
    elapsed_s: float
    """Since the work began, in seconds."""
    left_s: float | None
    """What is left at this rate, in seconds; None before there is a rate."""
    spent: tuple[Quote, ...]
    """What this run has paid so far, one sum per currency; empty for nothing."""
    ended: Outcome | None = None
    """The file that has just ended."""
    said: str = ""
    """What a person should know at once, of a file that is worked on: a price, a wait."""


BatchWatch = Callable[[BatchProgress], None]
"""Told how a batch stands, whenever that changes."""


def unwatched(_progress: BatchProgress) -> None:
    """A ``BatchWatch`` for callers that do not watch."""
