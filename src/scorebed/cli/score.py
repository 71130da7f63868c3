"""``scorebed score``."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scorebed.cli.console import progress_watch, put, say

if TYPE_CHECKING:
    from scorebed.pipeline import Job
    from scorebed.result import Result


class Quality(StrEnum):
    """How much work goes into the sound."""

    DRAFT = "draft"
    STANDARD = "standard"
    HIGH = "high"


class ProductionAudio(StrEnum):
    """What becomes of the video's own sound."""

    KEEP = "keep"
    DROP = "drop"


_PICTURE, _MUSIC, _MIX, _OUTPUT, _RUN = "Picture", "Music", "Mix", "Output", "Run"


def score(
    video: Annotated[
        Path, typer.Argument(help="The finished cut.", show_default=False, readable=False)
    ],
    *,
    max_scenes: Annotated[
        int,
        typer.Option(help="Most scenes that the picture is split into.", rich_help_panel=_PICTURE),
    ] = 10,
    style: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE", help="Style preset of the music.", rich_help_panel=_MUSIC
        ),
    ] = "cinematic",
    provider: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Who makes the music; see `scorebed providers`.",
            show_default="embedded",
            rich_help_panel=_MUSIC,
        ),
    ] = None,
    music: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A finished track to use instead of composing.",
            show_default=False,
            rich_help_panel=_MUSIC,
        ),
    ] = None,
    prompt: Annotated[
        str,
        typer.Option(
            metavar="TEXT",
            help='The brief in words: "slow, dark, no drums".',
            rich_help_panel=_MUSIC,
        ),
    ] = "",
    tag: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT",
            help="A further word: genre, mood, instrument. Repeatable.",
            show_default=False,
            rich_help_panel=_MUSIC,
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            help="Names the take: the same seed gives the same music.", rich_help_panel=_MUSIC
        ),
    ] = 1,
    quality: Annotated[
        Quality, typer.Option(help="Work that goes into the sound.", rich_help_panel=_MUSIC)
    ] = Quality.STANDARD,
    guidance: Annotated[
        float,
        typer.Option(
            metavar="0..1",
            help="How closely the music follows the picture: 0 its own form, 1 every cut.",
            rich_help_panel=_MUSIC,
        ),
    ] = 0.5,
    preset: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE",
            help="Delivery preset: loudness, ceiling, speech margin.",
            rich_help_panel=_MIX,
        ),
    ] = "youtube",
    loudness: Annotated[
        float,
        typer.Option(
            metavar="-1..1",
            help="Music softer or louder than the preset's: -1 is -6 LU, 1 is +6 LU.",
            rich_help_panel=_MIX,
        ),
    ] = 0.0,
    speech_margin: Annotated[
        float | None,
        typer.Option(
            metavar="LU",
            help="Speech over music, in LU.",
            show_default="preset: 14",
            rich_help_panel=_MIX,
        ),
    ] = None,
    no_duck: Annotated[
        bool,
        typer.Option("--no-duck", help="Leave the music up under speech.", rich_help_panel=_MIX),
    ] = False,
    production_audio: Annotated[
        ProductionAudio,
        typer.Option(help="Keep or drop the video's own sound.", rich_help_panel=_MIX),
    ] = ProductionAudio.KEEP,
    music_lufs: Annotated[
        float | None,
        typer.Option(
            metavar="LUFS",
            help="Loudness of the music before ducking.",
            show_default="preset: -14",
            rich_help_panel=_MIX,
        ),
    ] = None,
    target_lufs: Annotated[
        float | None,
        typer.Option(
            metavar="LUFS",
            help="Integrated loudness of the programme.",
            show_default="preset: -14",
            rich_help_panel=_MIX,
        ),
    ] = None,
    true_peak: Annotated[
        float | None,
        typer.Option(
            metavar="DBTP",
            help="True-peak ceiling of the programme.",
            show_default="preset: -1",
            rich_help_panel=_MIX,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help="The scored video; its extension names the container.",
            show_default="<name>.scored.<ext> beside the input",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    stems: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write DX, MX-dry, MX-ducked and MIX as WAV.",
            show_default=False,
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png",
            help="Draw waveform and loudness before and after.",
            show_default=False,
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace files of those names.", rich_help_panel=_OUTPUT),
    ] = False,
    json_: Annotated[
        bool,
        typer.Option("--json", help="One JSON object on stdout.", rich_help_panel=_OUTPUT),
    ] = False,
    workspace: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where finished stages are kept.",
            show_default="the user's cache",
            rich_help_panel=_RUN,
        ),
    ] = None,
    plan: Annotated[
        bool,
        typer.Option(
            "--plan",
            help="Print what would be done, its cost and the commands; do nothing.",
            rich_help_panel=_RUN,
        ),
    ] = False,
    offline: Annotated[
        bool,
        typer.Option("--offline", help="Refuse whatever needs the network.", rich_help_panel=_RUN),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="No progress, no summary.", rich_help_panel=_RUN)
    ] = False,
    traceback: Annotated[  # noqa: ARG001 - read where errors are caught
        bool,
        typer.Option("--traceback", help="Show where an error came from.", rich_help_panel=_RUN),
    ] = False,
) -> None:
    """Scores VIDEO: the same picture comes back with music that fits."""
    # Imported here: `--help` must not wait for numpy and ffmpeg.
    from scorebed.delivery import default_output  # noqa: PLC0415
    from scorebed.pipeline import Job  # noqa: PLC0415
    from scorebed.pipeline import score as run_job  # noqa: PLC0415
    from scorebed.settings import Options, resolve  # noqa: PLC0415
    from scorebed.workspace import default_root  # noqa: PLC0415

    job = Job(
        video=video,
        output=output or default_output(video),
        settings=resolve(
            Options(
                preset=preset,
                style=style,
                provider=provider,
                music=music,
                prompt=prompt,
                tags=tuple(tag or ()),
                seed=seed,
                quality=quality.value,
                loudness=loudness,
                guidance=guidance,
                max_scenes=max_scenes,
                speech_margin_lu=speech_margin,
                duck=not no_duck,
                production_audio=production_audio.value,
                music_lufs=music_lufs,
                target_lufs=target_lufs,
                true_peak_dbtp=true_peak,
                offline=offline,
            )
        ),
        workspace=workspace or default_root(),
        stems=stems,
        plot=plot,
        overwrite=overwrite,
    )
    if plan:
        _print_plan(job, as_json=json_)
        return
    with progress_watch(quiet=quiet) as watch:
        result = run_job(job, watch)
    if json_:
        put(result.to_json())
    if not quiet:
        _summarise(result)


def _print_plan(job: Job, *, as_json: bool) -> None:
    from scorebed.plan import make_plan  # noqa: PLC0415 - as above

    plan = make_plan(job)
    if as_json:
        put(plan.to_json())
        return
    for line in plan.lines():
        put(line)
    for command in plan.commands:
        put(f"  {shlex.join(command)}")


def _summarise(result: Result) -> None:
    from scorebed.result import duck_figures  # noqa: PLC0415 - as above
    from scorebed.timecode import to_clock  # noqa: PLC0415

    programme = result.scored.loudness
    figures = duck_figures(result.ducked, result.settings.duck.speech_margin_lu)
    scenes, phrases = len(result.notes.scenes), len(result.notes.speech)
    say(
        f"picture    {to_clock(result.picture.duration_s)}, {scenes} scene"
        f"{'s' if scenes != 1 else ''}, packets untouched"
    )
    say(f"music      {result.take.name} by {result.take.provider}")
    if phrases and figures.median_lu is not None:
        say(
            f"speech     {phrases} phrases, {figures.median_lu:.1f} LU over the music "
            f"(least {figures.least_lu:.1f}, deepest duck {figures.deepest_db:.1f} dB)"
        )
    if programme.integrated_lufs is not None and programme.true_peak_dbtp is not None:
        say(
            f"programme  {programme.integrated_lufs:.1f} LUFS, "
            f"true peak {programme.true_peak_dbtp:.1f} dBTP"
        )
    for warning in result.warnings:
        say(f"note       {warning}")
    say(f"written    {result.output}")
