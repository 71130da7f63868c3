"""``scorebed watch``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import typer  # noqa: TC002 - read when the program runs

from scorebed.cli import options_batch as options
from scorebed.cli import options_watch
from scorebed.cli.batch import (
    ONE_FILE,
    batch_job,
    refuse_unheard,
    told_of,
)
from scorebed.cli.given import default_options
from scorebed.cli.log import logged
from scorebed.cli.score import score
from scorebed.cli.task_view import refuse_two_on_stdout

if TYPE_CHECKING:
    from scorebed.batching.items import BatchWatch
    from scorebed.batching.outcome import BatchResult
    from scorebed.watching.items import WatchJob


@options.with_options_of(score, but=ONE_FILE)
def watch(
    context: typer.Context,
    folder: options_watch.Folder,
    *,
    out: options.Out,
    settle: options_watch.Settle = 10.0,
    interval: options_watch.Interval = 2.0,
    once: options_watch.Once = False,
    retry_failed: options_watch.RetryFailed = False,
    move_done: options_watch.MoveDone = None,
    jobs_anywhere: options_watch.JobsAnywhere = False,
    recursive: options.Recursive = True,
    only: options.Only = None,
    exclude: options.Exclude = None,
    keep_structure: options.KeepStructure = False,
    name_template: options_watch.NameTemplate = "{stem}.scored{ext}",
    stems: options.Stems = None,
    overwrite: options_watch.Overwrite = False,
    jobs: options.Jobs = None,
    one_style: options.OneStyle = False,
    yes: options_watch.Yes = False,
    max_spend: options.MaxSpend = None,
    progress: options.ProgressView = options.View.AUTO,
    quiet: options.Quiet = False,
    **of_score: Any,  # noqa: ANN401 - as score has them
) -> None:
    """Scores every finished film that comes into DIR, until it is stopped."""
    # Imported here: `--help` must not wait for numpy and ffmpeg.
    from scorebed.batching.lock import only_batch  # noqa: PLC0415
    from scorebed.watching.items import WatchJob  # noqa: PLC0415

    refuse_two_on_stdout(progress, "--json" if of_score["json_"] else None)
    defaults = default_options(of_score["settings"])
    refuse_unheard(context, defaults, watch.__annotations__)
    # What is to be tried again is the watch's own matter.
    batch = batch_job(context, defaults, paths=[str(folder)], retry_failed=False)
    job = WatchJob(
        folder=folder.absolute(),
        batch=batch,
        settle_s=settle,
        interval_s=interval,
        once=once,
        retry_failed=retry_failed,
        move_done=move_done,
        jobs_anywhere=jobs_anywhere,
        pays=yes,
        tell=batch.tell,
    )
    # Bars are drawn ten times a second, also while nothing happens for days.
    view = options.View.PLAIN if progress is options.View.AUTO else progress
    with logged(context, out), only_batch(out, batch.tell, verb="watch"):
        as_json = bool(of_score["json_"])
        told_of(partial(_run, job), view, quiet=quiet, as_json=as_json, verb="watch")


def _run(job: WatchJob, watch: BatchWatch) -> BatchResult:
    from scorebed.watching.run import run_watch  # noqa: PLC0415 - as above

    return run_watch(job, watch)
