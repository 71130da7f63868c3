"""``scorebed hook``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand

from scorebed.cli import options_watch  # noqa: TC001 - as above
from scorebed.cli.batch import ONE_FILE
from scorebed.cli.console import say, say_error
from scorebed.cli.given import option_of, said_names
from scorebed.cli.options import Output, Plot, Stems  # noqa: TC001 - as above
from scorebed.cli.options_batch import Quiet, with_options_of
from scorebed.cli.score import score
from scorebed.errors import BatchFailed, ScorebedError, SettingsError

if TYPE_CHECKING:
    from scorebed.watching.queue import Asked

_OF_A_RUN = (
    *("json_", "workspace", "settings", "log_file", "log_format", "log_level"),
    *("progress", "quiet", "stems"),
)
"""What of ``score`` no job file has."""
_OWN = {"app", "files", "out", "queue", "output", "quiet", "traceback"}


class Hook(TyperCommand):
    """A command whose options may stand behind ``--``, where programs put what a user has set."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - typer's own click
        """Reads the arguments.

        Args:
            ctx: Of the command.
            args: What stands on the command line.
        """
        try:
            return list(super().parse_args(ctx, [one for one in args if one != "--"]))
        except typer.TyperException as error:
            _tell_apart(error.format_message(), args)
            raise


@with_options_of(score, but=(*ONE_FILE, *_OF_A_RUN))
def hook(
    context: typer.Context,
    app: options_watch.App,
    files: options_watch.Files,
    *,
    output: Output = None,
    out: options_watch.HookOut = None,
    stems: Stems = None,
    plot: Plot = None,
    queue: options_watch.Queue = None,
    quiet: Quiet = False,
    **of_score: Any,  # noqa: ANN401 - as score has them
) -> None:
    """Queues FILE... to be scored and returns at once: for editors, which wait for it."""
    from scorebed.watching.queue import asked_by, make_room, start_worker  # noqa: PLC0415 - not for `--help`

    try:
        _refuse_one_place(files, output=output, out=out, stems=stems, plot=plot)
        failures = []
        for given in files:
            try:
                asked = asked_by(app, given, output=output, out=out)
                there = asked.output.parent.is_dir() and not asked.video.is_dir()
                if out is not None or not there:
                    # Of what is no film there is no log beside it, where that has no place.
                    make_room(asked, out)
                _queue(asked, _keys(context), queue, quiet=quiet)
            except ScorebedError as error:
                failures.append(error)
                if len(files) > 1:
                    _tell_apart(error.message, [app, given])
                    say_error(error.message, error.remedy)
        if queue is None and len(failures) < len(files):
            start_worker()
        _raise_of(failures, len(files))
    except ScorebedError as error:
        _tell_apart(error.message, [app, *files])
        raise


def _raise_of(failures: list[ScorebedError], count: int) -> None:
    if count == 1 and failures:
        raise failures[0]
    if failures:
        raise BatchFailed(
            f"hook: {len(failures)} of {count} files not queued",
            remedy="Mend what is said above, and queue those again.",
        )


def _tell_apart(text: str, args: list[str]) -> None:
    from scorebed.watching.queue import tell_apart  # noqa: PLC0415 - as above

    if text:
        tell_apart(f"scorebed hook {' '.join(args)}: {text}")


def _queue(asked: Asked, options: dict[str, Any], queue: Path | None, *, quiet: bool) -> None:
    """Queues a film; the log beside its output says so, or why not."""
    import logging  # noqa: PLC0415 - as above

    from scorebed.delivery import log_beside, told_of  # noqa: PLC0415
    from scorebed.journal import note, running  # noqa: PLC0415
    from scorebed.logs import log_to, on_one_line  # noqa: PLC0415
    from scorebed.watching.queue import enqueue  # noqa: PLC0415

    log = log_beside(asked.output)
    with told_of(log, stage="hook"), log_to(log, lost=say), running(asked.video, "hook"):
        file = enqueue(asked, options, queue)
        note(logging.INFO, f"queued by {asked.app}: {file}")
    if not quiet:
        say(on_one_line(f"queued     {asked.video} -> {asked.output}, see {log}"))


def _refuse_one_place(
    files: list[str],
    *,
    output: Path | None,
    out: Path | None,
    stems: Path | None,
    plot: Path | None,
) -> None:
    if len(files) > 1 and any(place is not None for place in (output, stems, plot)):
        raise SettingsError(
            "hook: -o, --stems and --plot are for one film",
            remedy="Call it once for each, or give --out DIR.",
        )
    if output is not None and out is not None:
        raise SettingsError(
            "hook: -o and --out cannot go together", remedy="Leave one of them out."
        )


def _keys(context: typer.Context) -> dict[str, Any]:
    """What was said, as a job file has it; paths from here, for it lies elsewhere."""
    return {
        option_of(name): _plain(name, context.params[name])
        for name in said_names(context)
        if name not in _OWN
    }


def _plain(name: str, value: object) -> object:
    if name == "no_duck":
        return not value
    if isinstance(value, StrEnum):
        return value.value
    preset = isinstance(value, str) and value.lower().endswith(".toml")
    if isinstance(value, Path) or preset:
        path = Path(str(value))
        return str(value if name == "cuts" and str(value) == "chapters" else path.absolute())
    return list(value) if isinstance(value, list | tuple) else value
