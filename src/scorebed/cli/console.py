"""What people see: stdout is data, stderr is talk."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from scorebed.errors import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from scorebed.model import Progress

_PLAIN_EVERY_S = 5.0


class Watcher(Protocol):
    """Told the name of a stage as it begins; returns what is told the share that is done."""

    def __call__(self, stage: str, /) -> Progress:
        """A new stage has begun."""


def say(text: str) -> None:
    """Prints lines for a person; what a terminal would obey is shown escaped.

    Where there is no room for them the work goes on unsaid.
    """
    from scorebed.logs import on_one_line  # noqa: PLC0415 - `--help` must not wait for it

    told = "\n".join(on_one_line(line) for line in text.split("\n"))
    try:
        print(told, file=sys.stderr, flush=True)  # noqa: T201 - the console
    except BrokenPipeError:
        raise
    except OSError:
        # Python keeps what it could not write, and would fail of it once more at its end.
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115


def say_error(message: str, remedy: str) -> None:
    """Says what happened and what helps, a line each, whatever files are called."""
    from scorebed.logs import on_one_line  # noqa: PLC0415 - as above

    say(f"error: {on_one_line(message)}\n  {on_one_line(remedy)}")


def put(text: str) -> None:
    """Prints a line of data.

    Raises:
        WorkspaceError: If there is no room for it.
    """
    try:
        print(text, flush=True)  # noqa: T201 - the console
    except BrokenPipeError:
        raise
    except OSError as error:
        raise WorkspaceError(
            f"the output cannot be printed ({error.strerror})",
            remedy="What was asked for is done; a result lies beside its video as .scorebed.json.",
        ) from error


def put_in_passing(text: str) -> None:
    """Prints a line of data that is of the moment; where there is no room the work goes on."""
    try:
        put(text)
    except WorkspaceError as error:
        say(f"note       {error.message}: the work goes on")


def put_json(found: object) -> None:
    """Prints data as one line of JSON (ASCII).

    Raises:
        WorkspaceError: If there is no room for it.
    """
    import json  # noqa: PLC0415 - only for those who want it

    put(json.dumps(found))


def forgive_names() -> None:
    """Lets names that are not UTF-8 be printed, escaped, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def progress_watch(*, quiet: bool) -> Iterator[Watcher]:
    """Bars on a terminal, plain lines elsewhere, nothing when quiet."""
    if quiet:
        yield lambda _stage: lambda _share: None
    elif sys.stderr.isatty():
        with _bars() as watch:
            yield watch
    else:
        yield _plain


@contextmanager
def _bars() -> Iterator[Watcher]:
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars  # noqa: PLC0415

    columns = (
        TextColumn("{task.description:<8}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("taken"),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        running: list[TaskID] = []

        def watch(stage: str) -> Progress:
            _finish(bars, running)
            task = bars.add_task(stage, total=1.0)
            running.append(task)
            return lambda share: bars.update(task, completed=share)

        yield watch
        _finish(bars, running)


def _finish(bars: Bars, running: list[TaskID]) -> None:
    if running:
        bars.update(running[-1], completed=1.0)


def _plain(stage: str) -> Progress:
    begun = told = time.monotonic()
    say(f"{stage}: started")

    def tell(share: float) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told < _PLAIN_EVERY_S or share <= 0:
            return
        told = now
        left_s = (now - begun) * (1 - share) / share
        say(f"{stage}: {share:.0%}, about {left_s:.0f} s left")

    return tell
