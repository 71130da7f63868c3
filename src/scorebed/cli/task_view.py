"""How a task of a farm is told: bars or lines, or what Open Job Description reads."""

from __future__ import annotations

import time
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING

from scorebed.cli.console import progress_watch, put_in_passing, say
from scorebed.errors import ScorebedError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from scorebed.cli.console import Watcher
    from scorebed.model import Progress, Tell

_EVERY_S = 1.0
_STEP_OF = {"probe": "analyse", "dry": "analyse", "spot": "analyse", "reel": "analyse"}


class TaskView(StrEnum):
    """How a task's progress is told."""

    AUTO = "auto"
    OPENJD = "openjd"


def refuse_two_on_stdout(progress: StrEnum, *taken: str | None) -> None:
    """Refuses two that would write on stdout.

    Args:
        progress: How progress is told.
        taken: The options that were given and want it for themselves.

    Raises:
        SettingsError: If both are.
    """
    for other in taken:
        if other is not None and progress == TaskView.OPENJD:
            raise SettingsError(
                f"{other} and --progress openjd cannot go together: both are for stdout",
                remedy="Leave one of them out; the figures of a result are on disk too.",
            )


def task_talk(view: TaskView) -> Tell:
    """How a task talks: a farm reads lines of ours for orders, and no name may begin one.

    Args:
        view: How its progress is told.
    """
    return _say_in_a_line if view is TaskView.OPENJD else say


def _say_in_a_line(text: str) -> None:
    say(" ".join(text.split()))


@contextmanager
def task_view(view: TaskView, steps: Collection[str] | None, *, quiet: bool) -> Iterator[Watcher]:
    """A watch for a film.

    Args:
        view: How it is told.
        steps: What is done of the film, of analyse, compose and finish; None for all.
        quiet: Whether nothing but errors is told to a person.
    """
    if view is TaskView.AUTO:
        with progress_watch(quiet=quiet) as watch:
            yield watch
        return
    from scorebed.cli.batch_views import put_failed  # noqa: PLC0415 - `--help` must not wait

    try:
        yield _OpenJd(steps)
    except ScorebedError as error:
        put_failed(f"{error.message} - {error.remedy}")
        raise
    put_in_passing("openjd_progress: 100.0")


class _OpenJd:
    """How far a step is, of the stages that are its own."""

    def __init__(self, steps: Collection[str] | None) -> None:
        from scorebed.batching.tally import STAGE_SHARES  # noqa: PLC0415 - as above

        self._stages = {
            stage: share
            for stage, share in STAGE_SHARES.items()
            if steps is None or _step_of(stage) in steps
        }
        self._most = 0.0

    def __call__(self, stage: str, /) -> Progress:
        name, begun = stage.split(maxsplit=1)[0], 0.0
        put_in_passing(f"openjd_status: {stage}")
        self._put(self._before(name))

        def tell(share: float) -> None:
            nonlocal begun
            at = time.monotonic()
            if at - begun >= _EVERY_S:
                begun = at
                self._put(self._before(name) + self._stages.get(name, 0.0) * share)

        return tell

    def _before(self, name: str) -> float:
        if name not in self._stages:
            return self._most * sum(self._stages.values())
        names = list(self._stages)
        return sum(self._stages[one] for one in names[: names.index(name)])

    def _put(self, done: float) -> None:
        # The stages of a further audio stream begin anew; progress does not.
        self._most = max(self._most, min(done / sum(self._stages.values()), 1.0))
        put_in_passing(f"openjd_progress: {100 * self._most:.1f}")


def _step_of(stage: str) -> str:
    return "compose" if stage == "compose" else _STEP_OF.get(stage, "finish")
