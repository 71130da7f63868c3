"""``scorebed farm task``: what a farm runs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from scorebed.cli import options_batch as options  # noqa: TC001 - read when the program runs
from scorebed.cli.task_view import TaskView, task_talk, task_view
from scorebed.delivery import folder_named


class Step(StrEnum):
    """A step of a film."""

    ANALYSE = "analyse"
    COMPOSE = "compose"
    FINISH = "finish"


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

    talk = task_talk(progress)
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
    steps = None if step is None else [step.value]
    with task_view(progress, steps, quiet=quiet) as watch:
        lines = run_task(wanted, watch)
    for line in () if quiet else lines:
        talk(line)
