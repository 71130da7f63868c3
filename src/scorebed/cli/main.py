"""The command line. The only place that catches ``ScorebedError``."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scorebed.cli import (
    batch,
    doctor,
    farm,
    hook,
    ledger,
    library,
    measure,
    presets,
    providers,
    score,
    spot,
    sync,
    watch,
)
from scorebed.cli.console import forgive_names, put, say, say_error
from scorebed.errors import INTERRUPTED_EXIT_CODE, Interrupted, ScorebedError, SettingsError
from scorebed.memory import keep_large_blocks_apart

if TYPE_CHECKING:
    from types import FrameType

# SIGINT too: typer turns a KeyboardInterrupt into a bare exit. SIGHUP: the terminal was closed;
# Windows has none.
_ENDING = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Gives a finished video back with music that fits: the same picture, scored, the music "
    "ducked under the dialogue, at delivery loudness.",
)
app.command("score")(score.score)
app.command("batch")(batch.batch)
app.command("watch")(watch.watch)
app.command("hook", cls=hook.Hook)(hook.hook)
app.command("spot")(spot.spot)
app.command("measure")(measure.measure)
app.command("sync")(sync.sync)
app.command("presets")(presets.presets)
app.command("providers")(providers.providers)
app.add_typer(farm.app, name="farm")
app.add_typer(library.app, name="library")
app.add_typer(ledger.app, name="ledger")
app.command("doctor")(doctor.doctor)


def _version(*, asked: bool) -> None:
    if asked:
        from scorebed import __version__  # noqa: PLC0415 - reads package metadata

        put(f"scorebed {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=lambda asked: _version(asked=asked), is_eager=True)
    ] = False,
) -> None:
    pass


def main() -> None:
    """Runs the command line and exits with the code of the error, as ``errors`` lists them."""
    _stand_in_for_closed()
    forgive_names()
    keep_large_blocks_apart()
    # Its threads wait for each other busily: on the small products here they take the time that
    # ffmpeg, or another run of a folder, could use, and give none. Read when numpy is loaded.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Narrower, typer's help cuts the names of options off.
    os.environ.setdefault("TERMINAL_WIDTH", str(max(96, shutil.get_terminal_size().columns)))
    for number in _ENDING:
        signal.signal(number, _on_terminate)
    sys.exit(_run(sys.argv[1:]))


def _stand_in_for_closed() -> None:
    """Where the one who calls has closed them (``2>&-``), nobody is told and the work is done."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115


def _on_terminate(_number: int, _frame: FrameType | None) -> None:
    raise Interrupted


def _say_traceback(arguments: list[str]) -> None:
    if "--traceback" in arguments:
        say(traceback.format_exc().rstrip())


def _usage_remedy(error: typer.TyperException, arguments: list[str]) -> str:
    names = [word for word in arguments if word.startswith("-") and Path(word).is_file()]
    if names:
        return f"A file whose name begins with a dash is given as: ./{names[0]}"
    verb: list[str] = []
    context = getattr(error, "ctx", None)
    # The outermost one is called as the program was.
    while context is not None and context.parent is not None:
        verb.insert(0, context.info_name)
        context = context.parent
    return f"Run: {' '.join(['scorebed', *verb, '--help'])}"


def _stopped(arguments: list[str]) -> str:
    """What a person has to know who has stopped a verb: only some of them buy."""
    again = "\nstopped; run the same command again"
    if "library" in arguments[:1]:
        return f"{again} to go on where it stopped: what was heard is kept"
    if arguments[:1] == ["hook"]:
        return "\nstopped; what was queued by then is done (its log lies beside the output)"
    if arguments[:2] == ["ledger", "serve"]:
        return "\nstopped; whoever has locks may go on with the next server"
    buying = arguments[:1] in (["score"], ["batch"], ["watch"])
    if not buying and arguments[:2] != ["farm", "task"]:
        return f"{again}; nothing was written"
    return (
        f"{again} to go on where it stopped (what was on its way to a service is not sent again "
        "unasked: scorebed ledger list)"
    )


def _run(arguments: list[str]) -> int:
    try:
        code = app(args=arguments or ["--help"], standalone_mode=False)
    except ScorebedError as error:
        _say_traceback(arguments)
        say_error(error.message, error.remedy)
        return error.exit_code
    except typer.TyperException as error:
        # Empty where the help was printed already.
        if error.format_message():
            say_error(" ".join(error.format_message().split()), _usage_remedy(error, arguments))
        return SettingsError.exit_code
    except (KeyboardInterrupt, Interrupted, typer.Abort):
        # A second signal must not cut the clean-up short.
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)
        say(_stopped(arguments))
        return INTERRUPTED_EXIT_CODE
    except BrokenPipeError:
        # Whoever read our output has left (``| head``); there is nobody to tell.
        sys.stderr.close()
        return 1
    except Exception as error:  # noqa: BLE001 - what nobody foresaw still ends in a sentence and a code
        _say_traceback(arguments)
        say_error(
            f"unexpected: {type(error).__name__}: {error}",
            "Run the same command with --traceback and report what it prints.",
        )
        return ScorebedError.exit_code
    return int(code or 0)
