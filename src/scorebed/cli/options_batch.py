"""The options of ``scorebed batch`` that ``scorebed score`` has not."""

from __future__ import annotations

import inspect
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from scorebed.delivery import folder_named

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

F = TypeVar("F", bound="Callable[..., Any]")


class View(StrEnum):
    """How progress is told."""

    AUTO = "auto"
    RICH = "rich"
    PLAIN = "plain"
    JSON = "json"
    OPENJD = "openjd"


_FILES, _BATCH, _MONEY, _OUTPUT = "Files", "Batch", "Money", "Output"

Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH...",
        help="Folders, files, patterns in quotes, or manifests (.toml, .csv, .jsonl).",
        show_default=False,
    ),
]
Out = Annotated[
    Path,
    typer.Option(
        "-o",
        "--out",
        parser=folder_named,
        metavar="DIR",
        help="Folder of the results, and of batch.jsonl, which says what became of each file.",
        show_default=False,
        rich_help_panel=_OUTPUT,
    ),
]
Recursive = Annotated[
    bool,
    typer.Option(
        "--recursive/--no-recursive",
        help="Search the folders in folders too.",
        rich_help_panel=_FILES,
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        help="Take files whose name or path fits. Repeatable.",
        show_default=False,
        rich_help_panel=_FILES,
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        help="Leave out files whose name or path fits. Repeatable.",
        show_default=False,
        rich_help_panel=_FILES,
    ),
]
KeepStructure = Annotated[
    bool,
    typer.Option(
        "--keep-structure",
        help="Make the folders of the inputs again in --out.",
        rich_help_panel=_OUTPUT,
    ),
]
NameTemplate = Annotated[
    str,
    typer.Option(
        metavar="TEXT",
        help="Names of the results: {stem} {ext} {name} {parent} {index} {seed} {style} {preset} "
        "{provider}.",
        rich_help_panel=_OUTPUT,
    ),
]
Stems = Annotated[
    Path | None,
    typer.Option(
        parser=folder_named,
        metavar="DIR",
        help="Write stems as WAV, a folder in it per file.",
        show_default=False,
        rich_help_panel=_OUTPUT,
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Do all again, and replace whatever has those names.",
        rich_help_panel=_OUTPUT,
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Files that are worked on at once.",
        show_default="one per core, as far as memory goes",
        rich_help_panel=_BATCH,
    ),
]
OneStyle = Annotated[
    bool,
    typer.Option(
        "--one-style",
        help="Music of one family: one key, tempo and motif for all; and how far each is from it.",
        rich_help_panel=_BATCH,
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume/--no-resume",
        help="Skip what is done and unchanged, or do it again.",
        rich_help_panel=_BATCH,
    ),
]
RetryFailed = Annotated[
    bool,
    typer.Option(
        "--retry-failed",
        help="Do nothing but what failed before, broken files too.",
        rich_help_panel=_BATCH,
    ),
]
FailFast = Annotated[
    bool,
    typer.Option(
        "--fail-fast",
        help="Begin no further file after one has failed.",
        rich_help_panel=_BATCH,
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Work on the machines of this Dask scheduler (tcp://HOST:PORT, or its "
        "--scheduler-file); they share the folders.",
        show_default="this machine",
        rich_help_panel=_BATCH,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Print the plan; do nothing.", rich_help_panel=_BATCH),
]
Yes = Annotated[
    bool,
    typer.Option(
        "-y",
        "--yes",
        help="Do not ask; needed where money is spent unattended.",
        rich_help_panel=_BATCH,
    ),
]
ProgressView = Annotated[
    View,
    typer.Option(
        "--progress",
        help="Bars, lines, JSON Lines (on stderr), or what Open Job Description reads (on stdout).",
        show_default="rich on a terminal, else plain",
        rich_help_panel=_BATCH,
    ),
]
MaxSpend = Annotated[
    float | None,
    typer.Option(
        metavar="AMOUNT",
        help="Most that the whole batch may spend; what it does not reach fails, unsent.",
        show_default="no limit",
        rich_help_panel=_MONEY,
    ),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", help="Nothing but errors.", rich_help_panel=_BATCH),
]


def with_options_of(verb: Callable[..., None], *, but: Collection[str]) -> Callable[[F], F]:
    """Gives a command the options of another one too; it finds them in its context.

    Args:
        verb: The other command.
        but: Names of its parameters that are left out.
    """

    def widen(command: F) -> F:
        own = inspect.signature(command, eval_str=True)
        kept = [one for one in own.parameters.values() if one.kind is not one.VAR_KEYWORD]
        names = {one.name for one in kept} | set(but)
        theirs = inspect.signature(verb, eval_str=True).parameters.values()
        more = [one for one in theirs if one.name not in names]
        # What typer reads; it hands all of them over by name.
        vars(command)["__signature__"] = own.replace(parameters=[*kept, *more])
        return command

    return widen
