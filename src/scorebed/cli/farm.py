"""``scorebed farm``: a batch as a render farm's job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scorebed.cli import options_batch as options
from scorebed.cli.batch import batch, batch_job
from scorebed.cli.console import put, put_json, say
from scorebed.cli.farm_task import task
from scorebed.cli.given import default_options
from scorebed.delivery import folder_named
from scorebed.errors import BatchFailed

if TYPE_CHECKING:
    from scorebed.farming.write import FarmFiles, FarmJob, Kind


app = typer.Typer(
    no_args_is_help=True,
    help="A folder of films as the job of a render farm. Nothing is submitted: the farm's own "
    "programs do that.",
)

_HERE_ONLY = (
    *("context", "paths", "jobs", "yes", "fail_fast", "progress", "cluster"),
    *("log_file", "log_format", "log_level", "buy_again", "fallback"),
)
"""What a batch on one machine has, and a farm has not."""
_JOB, _RUN = "Job", "Run"

_Folder = Annotated[
    Path,
    typer.Argument(
        metavar="DIR",
        parser=folder_named,
        help="Folder of the job; made if it is not there. Workers read it while they work.",
        show_default=False,
    ),
]
_Workspace = Annotated[
    Path,
    typer.Option(
        parser=folder_named,
        metavar="DIR",
        help="What a step leaves for the next one: a folder that all workers share.",
        show_default=False,
        rich_help_panel=_JOB,
    ),
]
_Limit = Annotated[
    str,
    typer.Option(
        metavar="NAME|none",
        help="What a task holds one of while it asks a service of music, and only then: a limit "
        "that the farm knows. Nothing is held for music that is composed by the worker.",
        rich_help_panel=_JOB,
    ),
]
_Chains = Annotated[
    bool,
    typer.Option(
        "--chains",
        help="Three steps per film in place of three for all: a film that fails holds up no other.",
        rich_help_panel=_JOB,
    ),
]
_Command = Annotated[
    str,
    typer.Option(
        metavar="PROGRAM", help="The program scorebed on the workers.", rich_help_panel=_JOB
    ),
]
_Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace the files of the job; and do all films again, and replace whatever has "
        "their results' names.",
        rich_help_panel=_JOB,
    ),
]


def _add(kind: Kind, about: str) -> None:
    """Adds the command that writes jobs of a kind."""

    @app.command(kind, help=about)
    @options.with_options_of(batch, but=_HERE_ONLY)
    def write(
        context: typer.Context,
        folder: _Folder,
        paths: options.Paths,
        *,
        out: options.Out,
        workspace: _Workspace,
        limit: _Limit = "scorebed_requests",
        chains: _Chains = False,
        command: _Command = "scorebed",
        overwrite: _Overwrite = False,
        **of_batch: Any,  # noqa: ANN401 - as batch has them
    ) -> None:
        from scorebed.farming.write import FarmJob  # noqa: PLC0415 - `--help` must not wait for it

        job = FarmJob(
            kind=kind,
            folder=folder,
            batch=batch_job(context, default_options(of_batch["settings"])),
            limit=None if limit == "none" else limit,
            chains=chains,
            command=command,
        )
        _write(job, dry_run=of_batch["dry_run"], quiet=of_batch["quiet"], as_json=of_batch["json_"])


_add("openjd", "Writes an Open Job Description template: run it with openjd run.")
_add("deadline-cloud", "Writes a job bundle of AWS Deadline Cloud: for deadline bundle submit.")
_add("opencue", "Writes commands for OpenCue's cuecmd, and an outline for its pycuerun.")


def _write(job: FarmJob, *, dry_run: bool, quiet: bool, as_json: bool) -> None:
    """Says the plan, writes the job; films that cannot be done make the exit code."""
    from scorebed.batching.items import Fate  # noqa: PLC0415 - as above
    from scorebed.batching.told import plan_json, plan_lines  # noqa: PLC0415
    from scorebed.farming.write import plan_farm, write_farm  # noqa: PLC0415

    plan = plan_farm(job)
    # The last line is how many are worked on at once: that is the farm's business.
    lines = plan_lines(plan)[:-1]
    if dry_run:
        for line in [plan_json(plan)] if as_json else lines:
            put(line)
    else:
        for line in () if quiet else lines:
            say(line)
        written = write_farm(job, plan)
        if as_json:
            put_json(_told(written))
        for line in () if quiet else _lines(written):
            say(line)
    failed = len(plan.with_fate(Fate.FAILED))
    if failed:
        raise BatchFailed(
            f"farm: {failed} of {len(plan.items)} films cannot be done and are left out",
            remedy="Mend them and write the job again, or leave them out with --exclude.",
        )


def _told(written: FarmFiles) -> dict[str, Any]:
    from scorebed.batching.items import Fate  # noqa: PLC0415 - as above

    films = {fate.value: len(written.plan.with_fate(fate)) for fate in Fate}
    return {
        "schema": 1,
        "kind": written.kind,
        "folder": str(written.folder),
        "files": [str(path) for path in written.files],
        "films": films["do"],
        "skipped": films["skip"],
        "failed": films["failed"],
    }


def _lines(written: FarmFiles) -> list[str]:
    if not written.files:
        return ["written    nothing: no film is left to do"]
    return [f"written    {path}" for path in written.files]


app.command("task")(task)
