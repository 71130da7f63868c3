"""``scorebed farm task``: what a farm runs."""

from __future__ import annotations

import time
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scorebed.cli import options_batch as options  # noqa: TC001 - read when the program runs
from scorebed.cli.console import progress_watch, put_in_passing, say
from scorebed.delivery import folder_named
from scorebed.errors import ScorebedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorebed.cli.console import Watcher
    from scorebed.model import Progress


class Step(StrEnum):
    """A step of a film."""

    ANALYSE = "analyse"
    COMPOSE = "compose"
    FINISH = "finish"


class TaskView(StrEnum):
    """How a task's progress is told."""

    AUTO = "auto"
    OPENJD = "openjd"


def task(
    films: Annotated[
        Path,
        typer.Argument(metavar="FILMS", help="films.jsonl of the job.", show_default=False),
    ],
    *,
    film: Annotated[
        int,
        typer.Option("--film", metavar="N", help="Number of the film.", show_default=False),
    ],
    step: Annotated[
        Step | None,
        typer.Option("--step", help="One step of it.", show_default="all of them"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            parser=folder_named,
            metavar="DIR",
            help="Folder of the results.",
            show_default="as the job says",
        ),
    ] = None,
    workspace: Annotated[
        Path | None,
        typer.Option(
            parser=folder_named,
            metavar="DIR",
            help="Root of the workspaces.",
            show_default="as the job says",
        ),
    ] = None,
    path_mapping: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where the job's paths lie on this machine, as Open Job Description says it.",
            show_default=False,
        ),
    ] = None,
    progress: Annotated[
        TaskView,
        typer.Option(
            "--progress",
            help="Bars or lines on stderr, or what Open Job Description reads, on stdout.",
        ),
    ] = TaskView.AUTO,
    quiet: options.Quiet = False,
    traceback: Annotated[
        bool, typer.Option("--traceback", help="Show where an error came from.", hidden=True)
    ] = False,
) -> None:
    """Does a film of a job, or a step of it: what the farm runs. Safe to run twice, or at once."""
    from scorebed.farming.task import Task, run_task  # noqa: PLC0415 - as above
    from scorebed.model import no_words  # noqa: PLC0415

    # A farm reads lines of ours for orders: no name may begin one.
    talk = _say_in_a_line if progress is TaskView.OPENJD else say
    wanted = Task(
        films=films,
        number=film,
        step=None if step is None else step.value,
        out=out,
        workspace=workspace,
        mapping=path_mapping,
        tell=no_words if quiet else talk,
        # Nobody's money is spent unsaid.
        tell_price=talk,
    )
    with _task_view(progress, step, quiet=quiet) as watch:
        lines = run_task(wanted, watch)
    for line in () if quiet else lines:
        talk(line)


def _say_in_a_line(text: str) -> None:
    say(" ".join(text.split()))


@contextmanager
def _task_view(view: TaskView, step: Step | None, *, quiet: bool) -> Iterator[Watcher]:
    if view is TaskView.AUTO:
        with progress_watch(quiet=quiet) as watch:
            yield watch
        return
    from scorebed.cli.batch_views import put_failed  # noqa: PLC0415 - as above

    try:
        yield _OpenJd(step)
    except ScorebedError as error:
        error.message = " ".join(error.message.split())
        put_failed(f"{error.message} - {error.remedy}")
        raise
    put_in_passing("openjd_progress: 100.0")


_STEP_OF = {"probe": Step.ANALYSE, "dry": Step.ANALYSE, "spot": Step.ANALYSE, "reel": Step.ANALYSE}
_EVERY_S = 1.0


class _OpenJd:
    """How far a step is, of the stages that are its own."""

    def __init__(self, step: Step | None) -> None:
        from scorebed.batching.tally import STAGE_SHARES  # noqa: PLC0415 - as above

        self._stages = {
            stage: share for stage, share in STAGE_SHARES.items() if step in {None, _step_of(stage)}
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


def _step_of(stage: str) -> Step:
    return Step.COMPOSE if stage == "compose" else _STEP_OF.get(stage, Step.FINISH)
