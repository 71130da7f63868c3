"""``scorebed batch``."""

from __future__ import annotations

import dataclasses
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import typer

from scorebed.cli import options_batch as options
from scorebed.cli.batch_views import batch_view
from scorebed.cli.console import put, say
from scorebed.cli.given import default_options, option_of, said_names, said_options
from scorebed.cli.log import logged
from scorebed.cli.score import score
from scorebed.cli.task_view import refuse_two_on_stdout
from scorebed.errors import BatchFailed, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from scorebed.batching.items import BatchJob, BatchWatch, LogWanted
    from scorebed.batching.outcome import BatchResult
    from scorebed.batching.planning import BatchPlan
    from scorebed.options import Options

ONE_FILE = ("context", "video", "output", "plot", "plan", "dry_mux", "until")
"""What ``score`` takes for one file only; a manifest can give output and plot."""


@options.with_options_of(score, but=ONE_FILE)
def batch(
    context: typer.Context,
    paths: options.Paths,
    *,
    out: options.Out,
    recursive: options.Recursive = True,
    only: options.Only = None,
    exclude: options.Exclude = None,
    keep_structure: options.KeepStructure = False,
    name_template: options.NameTemplate = "{stem}.scored{ext}",
    stems: options.Stems = None,
    overwrite: options.Overwrite = False,
    jobs: options.Jobs = None,
    one_style: options.OneStyle = False,
    resume: options.Resume = True,
    retry_failed: options.RetryFailed = False,
    fail_fast: options.FailFast = False,
    cluster: options.Cluster = None,
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    max_spend: options.MaxSpend = None,
    progress: options.ProgressView = options.View.AUTO,
    quiet: options.Quiet = False,
    **of_score: Any,  # noqa: ANN401 - as score has them
) -> None:
    """Scores every film of PATH...: folders, files, patterns or manifests."""
    # Imported here: `--help` must not wait for numpy and ffmpeg.
    from scorebed.batching.cluster import reach  # noqa: PLC0415
    from scorebed.batching.lock import only_batch  # noqa: PLC0415
    from scorebed.batching.planning import plan_batch  # noqa: PLC0415

    as_json = bool(of_score["json_"])
    refuse_two_on_stdout(progress, "--json" if as_json else None)
    defaults = default_options(of_score["settings"])
    refuse_unheard(context, defaults, batch.__annotations__)
    job = batch_job(context, defaults)
    with logged(context, out):
        if dry_run:
            _print_plan(job, as_json=as_json)
            return
        with only_batch(out, job.tell), reach(cluster, jobs) as there:
            plan = plan_batch(job, there)
            _agree(plan, yes=yes, quiet=quiet)
            told_of(partial(_run, plan), progress, quiet=quiet, as_json=as_json)


def batch_job(context: typer.Context, defaults: Options, **own: Any) -> BatchJob:  # noqa: ANN401 - fields of a batch
    """What the command line asks of a batch: every parameter that is named as a field of it.

    Args:
        context: Of the verb; holds what was given.
        defaults: What stands where the user says nothing.
        own: Fields that the verb gives in place of those.
    """
    from scorebed.batching.items import BatchJob  # noqa: PLC0415 - as above
    from scorebed.model import no_words  # noqa: PLC0415
    from scorebed.workspace import default_root  # noqa: PLC0415

    given = context.params
    asked, said = said_options(context, defaults)
    names = {field.name for field in dataclasses.fields(BatchJob)}
    told = {name: value for name, value in given.items() if name in names} | own
    told |= {name: tuple(told.get(name) or ()) for name in ("paths", "only", "exclude")}
    told["workspace"] = told["workspace"] or default_root()
    if "log_file" in given:
        told["log"] = log_of(given)
    tell = no_words if given["quiet"] else say
    return BatchJob(options=asked, said=said, defaults=defaults, tell=tell, **told)


def log_of(given: dict[str, Any]) -> LogWanted | None:
    """What ``--log-file`` asks of the workers.

    Args:
        given: The options.
    """
    from scorebed.batching.items import LogWanted  # noqa: PLC0415 - as above

    path = given["log_file"]
    if path is None:
        return None
    form, level = given["log_format"] or "text", given["log_level"] or "info"
    return LogWanted(path=path, form=str(form), level=str(level))  # type: ignore[arg-type]


def refuse_unheard(context: typer.Context, defaults: object, names: Collection[str]) -> None:
    """Refuses an option of ``score`` that a verb has no use for.

    Args:
        context: Of the verb; holds what was given.
        defaults: The options of each file.
        names: The verb's own parameters.

    Raises:
        SettingsError: If one is given all the same.
    """
    own = {*names, "json_", "workspace", "settings", "traceback"}
    own |= {"log_file", "log_format", "log_level"}
    for name in said_names(context):
        if name not in own and not hasattr(defaults, option_of(name)):
            raise SettingsError(
                f"--{name.replace('_', '-')} is for one file",
                remedy="Leave it out, or run scorebed score for that file.",
            )


def _print_plan(job: BatchJob, *, as_json: bool) -> None:
    """The plan as data; what it knows to fail makes the exit code."""
    from scorebed.batching.cluster import reach  # noqa: PLC0415 - as above
    from scorebed.batching.items import Fate  # noqa: PLC0415
    from scorebed.batching.planning import plan_batch  # noqa: PLC0415
    from scorebed.batching.told import plan_json, plan_lines  # noqa: PLC0415
    from scorebed.exporters.words import counted  # noqa: PLC0415

    with reach(job.cluster, job.jobs) as there:
        plan = plan_batch(job, there)
    for line in [plan_json(plan)] if as_json else plan_lines(plan):
        put(line)
    failed = len(plan.with_fate(Fate.FAILED))
    if failed:
        raise BatchFailed(
            f"batch: {failed} of {counted(len(plan.items), 'file')} cannot be done",
            remedy="Mend them, or leave them out with --exclude.",
        )


def _agree(plan: BatchPlan, *, yes: bool, quiet: bool) -> None:
    """Says what will be done; asks a person, and spends nobody's money unasked.

    Raises:
        SettingsError: If money would be spent, and there is nobody to ask.
    """
    from scorebed.batching.items import Fate  # noqa: PLC0415 - as above
    from scorebed.batching.told import plan_lines  # noqa: PLC0415

    for line in () if quiet else plan_lines(plan):
        say(line)
    if yes or not plan.with_fate(Fate.DO):
        return
    if sys.stdin.isatty() and sys.stderr.isatty() and not quiet:
        typer.confirm("Score them?", abort=True, err=True)
    elif any(price.requests for price in plan.prices):
        raise SettingsError(
            "batch: this would spend money, and there is nobody to ask",
            remedy="Add --yes, and --max-spend AMOUNT for a limit; or --provider embedded.",
        )


def _run(plan: BatchPlan, watch: BatchWatch) -> BatchResult:
    from scorebed.batching.run import run_batch  # noqa: PLC0415 - as above

    return run_batch(plan, watch)


def told_of(
    work: Callable[[BatchWatch], BatchResult],
    view: options.View,
    *,
    quiet: bool,
    as_json: bool,
    verb: str = "batch",
) -> None:
    """Does the work, telling how it goes; at the end says what became of every file.

    Args:
        work: What is done; it is told how to show its progress.
        view: How progress is told.
        quiet: Whether nothing is said.
        as_json: Whether the result is one object on stdout.
        verb: Whose work it is.

    Raises:
        BatchFailed: If a file failed, after that was said.
    """
    failed = None
    with batch_view(view, quiet=quiet, verb=verb) as watch:
        try:
            result = work(watch)
        except BatchFailed as error:
            failed, result = error, error.result
    if as_json:
        put(result.to_json())
    for line in () if quiet else result.lines():
        say(line)
    if failed is not None:
        raise failed
