"""``scorebed watch``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer  # noqa: TC002 - read when the program runs

from scorebed.cli import options_batch as options
from scorebed.cli import options_watch
from scorebed.cli.batch import ONE_FILE, log_of, refuse_two_on_stdout, refuse_unheard
from scorebed.cli.batch_views import batch_view
from scorebed.cli.console import put, say
from scorebed.cli.given import default_options, said_options
from scorebed.cli.log import logged
from scorebed.cli.score import score
from scorebed.errors import BatchFailed

if TYPE_CHECKING:
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
    from scorebed.batching.items import BatchJob  # noqa: PLC0415
    from scorebed.batching.lock import only_batch  # noqa: PLC0415
    from scorebed.model import no_words  # noqa: PLC0415
    from scorebed.watching.items import WatchJob  # noqa: PLC0415
    from scorebed.workspace import default_root  # noqa: PLC0415

    refuse_two_on_stdout(progress, as_json=bool(of_score["json_"]))
    defaults = default_options(of_score["settings"])
    refuse_unheard(context, defaults, watch.__annotations__)
    asked, said = said_options(context, defaults)
    tell = no_words if quiet else say
    batch = BatchJob(
        paths=(str(folder),),
        out=out,
        options=asked,
        said=said,
        defaults=defaults,
        workspace=of_score["workspace"] or default_root(),
        recursive=recursive,
        only=tuple(only or ()),
        exclude=tuple(exclude or ()),
        keep_structure=keep_structure,
        name_template=name_template,
        jobs=jobs,
        one_style=one_style,
        stems=stems,
        overwrite=overwrite,
        log=log_of(of_score),
        tell=tell,
    )
    job = WatchJob(
        folder=folder.absolute(),
        batch=batch,
        settle_s=settle,
        interval_s=interval,
        once=once,
        retry_failed=retry_failed,
        move_done=move_done,
        pays=yes,
        tell=tell,
    )
    # Bars are drawn ten times a second, also while nothing happens for days.
    view = options.View.PLAIN if progress is options.View.AUTO else progress
    with logged(context, out), only_batch(out):
        _work(job, view, quiet=quiet, as_json=bool(of_score["json_"]))


def _work(job: WatchJob, view: options.View, *, quiet: bool, as_json: bool) -> None:
    from scorebed.watching.run import run_watch  # noqa: PLC0415 - as above

    failed = None
    with batch_view(view, quiet=quiet) as told:
        try:
            result = run_watch(job, told)
        except BatchFailed as error:
            failed, result = error, error.result
    if as_json:
        put(result.to_json())
    for line in () if quiet else result.lines():
        say(line)
    if failed is not None:
        raise failed
