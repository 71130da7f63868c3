"""What a run does, line by line, through Python's own logging: logger ``scorebed``.

Importing this sets nothing up: whoever has configured logging hears it, with the attributes
``file``, ``stage``, ``elapsed_s`` and ``remedy`` on each record; where nobody has, nothing is said.
A file of its own (``--log-file``) belongs to a run and goes with it.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, Protocol, TypeVar

from scorebed.errors import Interrupted, ScorebedError

if TYPE_CHECKING:
    from pathlib import Path

    from scorebed.model import Tell

LOG = logging.getLogger("scorebed")

_STAGE = re.compile(r"([a-z]+( mux)?): ")
"""The stage that an error names, where it happens in none that runs."""
_AGAIN = "Run the same command again: it goes on where it stopped."
_REPORT = "Run the same command with --traceback and report what it prints."


class _Job(Protocol):
    """What is done for a video; a frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def video(self) -> Path:
        """The video."""


P = ParamSpec("P")
R = TypeVar("R")
W = TypeVar("W")
J = TypeVar("J", bound=_Job)


@dataclass(slots=True, eq=False)
class _Run:
    """A file that is worked on."""

    file: str
    verb: str
    begun: float
    stage: str | None = None


_RUN: ContextVar[_Run | None] = ContextVar("scorebed_run", default=None)
"""Of this thread, and of those that are started with a copy of its context."""


def note(
    kind: int,
    text: str,
    *,
    stage: str | None = None,
    remedy: str | None = None,
    trace: BaseException | None = None,
) -> None:
    """Logs a line, if anybody listens.

    Args:
        kind: A level of ``logging``.
        text: What happened.
        stage: In which stage; None for the one that runs.
        remedy: What can be done about it.
        trace: An error that nobody foresaw.
    """
    # Without any handler Python prints warnings to stderr, beside the error that is raised.
    if not LOG.isEnabledFor(kind) or not LOG.hasHandlers():
        return
    run = _RUN.get()
    told = {
        "file": None if run is None else run.file,
        "stage": stage or (None if run is None else run.stage),
        "elapsed_s": None if run is None else round(time.monotonic() - run.begun, 3),
        "remedy": remedy,
    }
    LOG.log(kind, text, extra=told, exc_info=trace, stacklevel=2)


def noted(tell: Tell) -> Tell:
    """A ``Tell`` whose sentences are logged too."""

    def both(sentence: str) -> None:
        note(logging.INFO, sentence)
        tell(sentence)

    return both


@contextmanager
def running(file: object, verb: str) -> Iterator[None]:
    """All that is logged meanwhile is about a file; so is the error that ends it.

    Inside another run of the same file, or of the same verb, it is part of that.

    Args:
        file: Its path.
        verb: What is done with it.
    """
    outer = _RUN.get()
    if outer is not None and (outer.file == str(file) or outer.verb == verb):
        yield
        return
    run = _Run(file=str(file), verb=verb, begun=time.monotonic())
    token = _RUN.set(run)
    try:
        note(logging.INFO, f"{verb} begins")
        yield
        note(logging.INFO, f"{verb} done")
    except BaseException as error:
        _note_end(error, run)
        raise
    finally:
        _RUN.reset(token)


@contextmanager
def about(file: object) -> Iterator[None]:
    """All that is logged meanwhile is about a file, which nobody works on here.

    Args:
        file: Its path.
    """
    outer = _RUN.get()
    begun = time.monotonic() if outer is None else outer.begun
    token = _RUN.set(_Run(file=str(file), verb="" if outer is None else outer.verb, begun=begun))
    try:
        yield
    finally:
        _RUN.reset(token)


def _note_end(error: BaseException, run: _Run) -> None:
    if isinstance(error, ScorebedError):
        named = _STAGE.match(error.message)
        stage = run.stage or (named[1] if named else None)
        note(logging.ERROR, error.message, stage=stage, remedy=error.remedy)
    elif isinstance(error, KeyboardInterrupt | Interrupted):
        note(logging.ERROR, "stopped before the end", remedy=_AGAIN)
    elif isinstance(error, Exception):
        words = f"unexpected: {type(error).__name__}: {error}"
        note(logging.ERROR, words, remedy=_REPORT, trace=error)


@contextmanager
def in_stage(name: str) -> Iterator[None]:
    """What is logged meanwhile is of a stage; where it fails, so is the error."""
    run = _RUN.get()
    if run is None:
        yield
        return
    run.stage = name
    yield
    # Not where it fails: the error is still to be told.
    run.stage = None


def about_its_file(work: Callable[P, R]) -> Callable[P, R]:
    """A function whose first argument is the path of a file, as a run of that file."""
    subject = next(iter(inspect.signature(work).parameters))

    @functools.wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with running(args[0] if args else kwargs.get(subject), work.__name__):
            return work(*args, **kwargs)

    return run


def about_its_job(verb: str) -> Callable[[Callable[[J, W], R]], Callable[[J, W], R]]:
    """A function of a job and its progress, as a run of the job's file; what is told is logged.

    Args:
        verb: What is done.
    """

    def of(work: Callable[[J, W], R]) -> Callable[[J, W], R]:
        @functools.wraps(work)
        def run(job: J, watch: W) -> R:
            names = {field.name for field in dataclasses.fields(job)} & {"tell", "tell_price"}
            loud = {name: noted(getattr(job, name)) for name in names}
            with running(job.video, verb):
                return work(dataclasses.replace(job, **loud), watch)

        return run

    return of
