"""The options of ``scorebed watch`` that ``score`` and ``batch`` have not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scorebed.delivery import folder_named

_FOLDER, _OUTPUT = "Folder", "Output"

Folder = Annotated[
    Path,
    typer.Argument(
        parser=folder_named,
        metavar="DIR",
        help="The folder that finished films and job files come into.",
        show_default=False,
    ),
]
Settle = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        help="How long size and time of a file have to stand still.",
        rich_help_panel=_FOLDER,
    ),
]
Interval = Annotated[
    float,
    typer.Option(
        metavar="SECONDS", help="Time between two looks into the folder.", rich_help_panel=_FOLDER
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace what has the name of a result though no watch has made it.",
        rich_help_panel=_OUTPUT,
    ),
]
NameTemplate = Annotated[
    str,
    typer.Option(
        metavar="TEXT",
        help="Names of the results: {stem} {ext} {name} {parent} {seed} {style} {preset} "
        "{provider}.",
        rich_help_panel=_OUTPUT,
    ),
]
Once = Annotated[
    bool,
    typer.Option("--once", help="End when what is there now is done.", rich_help_panel=_FOLDER),
]
RetryFailed = Annotated[
    bool,
    typer.Option(
        "--retry-failed",
        help="Try again what failed before, though it has not changed.",
        rich_help_panel=_FOLDER,
    ),
]
MoveDone = Annotated[
    Path | None,
    typer.Option(
        parser=folder_named,
        metavar="DIR",
        help="Move films that are scored, and their job files, to this folder.",
        show_default="they stay",
        rich_help_panel=_FOLDER,
    ),
]
JobsAnywhere = Annotated[
    bool,
    typer.Option(
        "--jobs-anywhere",
        help="Job files may name outputs outside --out, as those of scorebed hook do.",
        rich_help_panel=_FOLDER,
    ),
]
Yes = Annotated[
    bool,
    typer.Option(
        "-y",
        "--yes",
        help="Music that costs money may be bought without --max-spend.",
        rich_help_panel="Money",
    ),
]
Queue = Annotated[
    Path | None,
    typer.Option(
        parser=folder_named,
        envvar="SCOREBED_QUEUE",
        metavar="DIR",
        help="A folder that scorebed watch reads; it gets a job file per film.",
        show_default="your own queue, worked off in the background",
        rich_help_panel="Queue",
    ),
]
App = Annotated[
    str,
    typer.Argument(
        metavar="APP",
        help="Who calls: resolve, premiere, media-encoder, fcp, compressor, kdenlive, blender, or "
        "any other word. It stands in the log.",
        show_default=False,
    ),
]
Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE...", help="Finished films: paths or file:// URLs.", show_default=False
    ),
]
HookOut = Annotated[
    Path | None,
    typer.Option(
        parser=folder_named,
        metavar="DIR",
        help="Folder of the results.",
        show_default="beside each film",
        rich_help_panel=_OUTPUT,
    ),
]
