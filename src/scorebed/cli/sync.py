"""``scorebed sync``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scorebed.cli import options
from scorebed.cli.console import progress_watch, put, say
from scorebed.cli.log import logged


def sync(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="A finished video.", show_default=False, readable=False)
    ],
    *,
    max_scenes: options.MaxScenes = 10,
    accuracy: options.AccuracyOption = options.Accuracy.FAST,
    cuts: options.Cuts = None,
    music: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Listen to this sound instead of the video's; it begins with the first frame.",
            show_default=False,
            rich_help_panel="Sound",
        ),
    ] = None,
    audio_stream: Annotated[
        str | None,
        typer.Option(
            metavar="N|LANGUAGE",
            help="Listen to this audio stream: its number, from 0, or its language.",
            show_default="the default one",
            rich_help_panel="Sound",
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png",
            help="A picture: a time line of cuts, scenes and beats, and how far they are apart.",
            show_default=False,
            rich_help_panel="Output",
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    json_: options.Json = False,
    workspace: options.Workspace = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="No progress.", rich_help_panel="Run")
    ] = False,
    log_file: options.LogFile = None,
    log_format: options.LogFormatOption = None,
    log_level: options.LogLevelOption = None,
    traceback: options.Traceback = False,
) -> None:
    """Measures how well the cuts of FILE fall on the beats of its music."""
    # Imported here: `--help` must not wait for numpy and ffmpeg.
    from scorebed.syncing import SyncJob, sync_video  # noqa: PLC0415
    from scorebed.workspace import default_root  # noqa: PLC0415

    job = SyncJob(
        video=file,
        workspace=workspace or default_root(),
        max_scenes=max_scenes,
        accuracy=accuracy.value,
        cuts=cuts,
        music=music,
        audio_stream=audio_stream,
        plot=plot,
        overwrite=overwrite,
    )
    with logged(context, file), progress_watch(quiet=quiet) as watch:
        found = sync_video(job, watch)
    if json_:
        put(found.to_json())
    else:
        for line in found.lines():
            put(line)
    if plot is not None and not quiet:
        say(f"written    {plot}")
