"""``scorebed measure``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scorebed.cli.console import progress_watch, put


def measure(
    file: Annotated[
        Path, typer.Argument(help="A video or a sound file.", show_default=False, readable=False)
    ],
    *,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
    traceback: Annotated[  # noqa: ARG001 - read where errors are caught
        bool, typer.Option("--traceback", help="Show where an error came from.")
    ] = False,
) -> None:
    """Measures FILE: loudness (BS.1770), true peak, range, speech and its margin."""
    from scorebed.measurement import measure as run  # noqa: PLC0415 - `--help` must not wait for numpy

    with progress_watch(quiet=quiet) as watch:
        found = run(file, progress=watch("measure"))
    if json_:
        put(found.to_json())
        return
    loudness = found.loudness
    put(f"integrated     {_figure(loudness.integrated_lufs, 'LUFS')}")
    put(f"true peak      {_figure(loudness.true_peak_dbtp, 'dBTP')}")
    put(f"range          {_figure(loudness.range_lu, 'LU')}")
    put(f"speech         {found.speech_share:.0%} of {found.duration_s:.1f} s")
    if not found.speech:
        put("speech margin  none: nobody speaks")
    elif found.speech_margin is None:
        put("speech margin  not known: speech and music cannot be told apart in a finished mix")
    else:
        least, median = found.speech_margin.least_lu, found.speech_margin.median_lu
        put(f"speech margin  {_figure(median, 'LU')} (least {_figure(least, 'LU')})")


def _figure(value: float | None, unit: str) -> str:
    return "none" if value is None else f"{value:.1f} {unit}"
