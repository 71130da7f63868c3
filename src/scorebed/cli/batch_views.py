"""How a batch is watched: bars, lines, JSON Lines, or what Open Job Description reads."""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from scorebed.cli.console import put_in_passing, say
from scorebed.cli.options_batch import View

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from scorebed.batching.items import BatchProgress, BatchWatch, Outcome

_PLAIN_EVERY_S = 5.0
_JSON_EVERY_S = 1.0
_LEAST_STEP = 0.001
_NAME_CELLS = 36


@contextmanager
def batch_view(view: View, *, quiet: bool, verb: str = "batch") -> Iterator[BatchWatch]:
    """A watch for a batch.

    Args:
        view: How it is told.
        quiet: Whether nothing but errors is.
        verb: Whose work it is.
    """
    if view is View.AUTO:
        view = View.RICH if sys.stderr.isatty() else View.PLAIN
    if quiet and view is not View.OPENJD:
        yield _say_failure
    elif view is View.RICH:
        with _rich() as watch:
            yield watch
    else:
        lines: dict[View, BatchWatch] = {
            View.PLAIN: _Plain(verb),
            View.JSON: _Json(),
            View.OPENJD: _OpenJd(),
        }
        yield lines[view]


def spent_words(told: BatchProgress) -> str:
    """Money in words; empty for nothing."""
    from scorebed.ledger import money  # noqa: PLC0415 - `--help` must not wait for it

    return ", ".join(f"{money(one.amount)} {one.currency} spent" for one in told.spent)


def _counts(told: BatchProgress) -> str:
    failed = f", {told.failed} failed" if told.failed else ""
    skipped = f", {told.skipped} skipped" if told.skipped else ""
    return f"{told.done} of {told.files} done{failed}{skipped}"


def _left(left_s: float | None) -> str:
    from scorebed.batching.outcome import clock  # noqa: PLC0415 - as above

    return "" if left_s is None else f"about {clock(left_s)} left"


def _ended(one: Outcome) -> str:
    from scorebed.logs import on_one_line  # noqa: PLC0415 - as above

    if one.failure is not None:
        told = f"{one.video}: failed: {one.failure.message}"
        return f"{on_one_line(told)}\n  {on_one_line(one.failure.remedy)}"
    if one.state == "skipped":
        return on_one_line(f"{one.video}: skipped: {one.why}")
    return on_one_line(f"{one.video}: done in {one.seconds:.1f} s -> {one.name}")


def _say_failure(told: BatchProgress) -> None:
    if told.ended is not None and told.ended.failure is not None:
        say(f"error: {_ended(told.ended)}")


class _Plain:
    """A line when a file begins, ends, or has something to say, and one for all now and then."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._begun: set[int] = set()
        self._told = time.monotonic()

    def __call__(self, told: BatchProgress) -> None:
        from scorebed.logs import on_one_line  # noqa: PLC0415 - as above

        for one in told.running:
            if one.number not in self._begun:
                self._begun.add(one.number)
                say(on_one_line(f"[{one.number}/{told.files}] {one.video}: started"))
        if told.said:
            say(on_one_line(told.said))
        if told.ended is not None:
            self._begun.discard(told.ended.number)
            if told.ended.state != "skipped":
                say(f"[{told.ended.number}/{told.files}] {_ended(told.ended)}")
        now = time.monotonic()
        if now - self._told >= _PLAIN_EVERY_S:
            self._told = now
            at = [f"{one.video.name} in {one.stage or 'start'}" for one in told.running]
            words = [f"{told.share:.0%}", _counts(told), _left(told.left_s), spent_words(told)]
            told_now = ", ".join(word for word in [*words, *at] if word)
            say(on_one_line(f"{self._verb}: {told_now}"))


class _Json:
    """An object per event on stderr: ``started``, ``said``, ``ended``, and ``progress`` between."""

    def __init__(self) -> None:
        self._begun: set[int] = set()
        self._told = 0.0

    def __call__(self, told: BatchProgress) -> None:
        from scorebed.batching.known import told_place  # noqa: PLC0415 - as above
        from scorebed.batching.record import to_line  # noqa: PLC0415

        for one in told.running:
            if one.number not in self._begun:
                self._begun.add(one.number)
                _event("started", number=one.number, input=told_place(one.video))
        if told.said:
            _event("said", text=told.said)
        if told.ended is not None:
            self._begun.discard(told.ended.number)
            _event("ended", file=to_line(told.ended))
        now = time.monotonic()
        if told.ended is not None or now - self._told >= _JSON_EVERY_S:
            self._told = now
            _event("progress", **_figures(told))


def _event(kind: str, **figures: Any) -> None:  # noqa: ANN401 - as JSON has them
    say(json.dumps({"schema": 1, "event": kind} | figures))


def _figures(told: BatchProgress) -> dict[str, Any]:
    from scorebed.batching.known import told_place  # noqa: PLC0415 - as above
    from scorebed.batching.record import cost_figures  # noqa: PLC0415

    return {
        "files": told.files,
        "done": told.done,
        "failed": told.failed,
        "skipped": told.skipped,
        "share": round(told.share, 4),
        "elapsed_s": round(told.elapsed_s, 3),
        "left_s": None if told.left_s is None else round(told.left_s, 1),
        "spent": [cost_figures(one) for one in told.spent],
        "running": [
            {
                "number": one.number,
                "input": told_place(one.video),
                "stage": one.stage,
                "share": round(one.share, 4),
                "elapsed_s": round(one.elapsed_s, 3),
            }
            for one in told.running
        ],
    }


class _OpenJd:
    """The lines by which a session of Open Job Description learns how its task goes, on stdout."""

    def __init__(self) -> None:
        self._share = -1.0
        self._status = ""

    def __call__(self, told: BatchProgress) -> None:
        from scorebed.logs import on_one_line  # noqa: PLC0415 - as above

        if told.share - self._share >= _LEAST_STEP or (told.share == 1.0 != self._share):
            self._share = told.share
            put_in_passing(f"openjd_progress: {100 * told.share:.1f}")
        at = "; ".join(f"{one.video.name}: {one.stage or 'started'}" for one in told.running)
        spent = spent_words(told)
        status = "; ".join(word for word in (_counts(told), at, spent) if word)
        if status != self._status:
            self._status = status
            put_in_passing(on_one_line(f"openjd_status: {' '.join(status.split())}"))
        if told.said:
            say(on_one_line(told.said))
        if told.ended is not None and told.ended.failure is not None:
            put_failed(told.ended.failure.message)
        _say_failure(told)


def put_failed(message: str) -> None:
    """Says why a task fails, as Open Job Description reads it."""
    from scorebed.logs import on_one_line  # noqa: PLC0415 - as above

    put_in_passing(on_one_line(f"openjd_fail: {' '.join(message.split())}"))


@contextmanager
def _rich() -> Iterator[BatchWatch]:
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn  # noqa: PLC0415
    from rich.progress import Progress as Bars  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    console = Console(stderr=True)
    with Bars(*columns, console=console) as bars:
        yield _Rich(bars)


class _Rich:
    """A bar for all, and one per file that is worked on."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._whole = bars.add_task("all files", total=1.0, note="")
        self._tasks: dict[int, TaskID] = {}

    def __call__(self, told: BatchProgress) -> None:
        from scorebed.logs import on_one_line  # noqa: PLC0415 - as above

        if told.said:
            self._bars.console.print(on_one_line(told.said), markup=False, highlight=False)
        if told.ended is not None and told.ended.state != "skipped":
            self._bars.console.print(_ended(told.ended), markup=False, highlight=False)
        note = ", ".join(w for w in (_counts(told), _left(told.left_s), spent_words(told)) if w)
        self._bars.update(self._whole, completed=told.share, note=note)
        running = {one.number: one for one in told.running}
        for number in [number for number in self._tasks if number not in running]:
            self._bars.remove_task(self._tasks.pop(number))
        for number, one in running.items():
            if number not in self._tasks:
                name = on_one_line(one.video.name)
                short = name if len(name) <= _NAME_CELLS else f"{name[: _NAME_CELLS - 3]}..."
                self._tasks[number] = self._bars.add_task(short, total=1.0, note="")
            self._bars.update(self._tasks[number], completed=one.share, note=one.stage)
