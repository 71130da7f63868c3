"""A picture of the result: waveform and loudness before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scorebed.delivery import refuse_existing, require_folder
from scorebed.dsp.loudness import power_series, short_term_lufs
from scorebed.errors import SettingsError
from scorebed.timecode import SAMPLE_RATE_HZ
from scorebed.wav import read_stem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from scorebed.model import Audio, Stem
    from scorebed.result import Result

_COLUMNS = 1600
_FLOOR_LUFS = -60.0
_BEFORE, _AFTER, _MUSIC, _SPEECH = "#5b7083", "#0b6e99", "#d1495b", "#f0c808"


def check_plot(path: Path, *, overwrite: bool) -> None:
    """Refuses a name that is taken, is not a PNG, or lies in no folder.

    Raises:
        SettingsError: If it cannot be used.
        WorkspaceError: If its folder may not be written to.
    """
    require_folder(path.parent)
    if path.suffix.lower() != ".png":
        raise SettingsError(
            f"the plot {path} is not a PNG", remedy="Give a name that ends in .png."
        )
    refuse_existing(path, overwrite=overwrite)


def write_plot(path: Path, result: Result) -> tuple[Path, Path]:
    """Draws the production audio before, the programme after, and what the music does.

    Args:
        path: The PNG.
        result: The finished score.

    Returns:
        Temporary and final name.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second that others need not pay

    figure = Figure(figsize=(14, 8), dpi=100, layout="constrained")
    before, after, curves = figure.subplots(
        3, 1, sharex=True, gridspec_kw={"height_ratios": [1, 1, 1.5]}
    )
    length = result.picture.length_samples
    dx, programme = result.picture.production, result.mixed.mix
    _wave(before, dx, length, _BEFORE, f"before: {result.video.name}")
    _wave(after, programme, length, _AFTER, f"after: {result.output.name}")
    _loudness(curves, result, length)
    for axes in (before, after, curves):
        for region in result.notes.speech:
            axes.axvspan(
                float(region.range.start_s),
                float(region.range.end_s),
                color=_SPEECH,
                alpha=0.22,
                lw=0,
            )
        for scene in result.notes.scenes[1:]:
            axes.axvline(float(scene.range.start_s), color="black", lw=0.8, ls=":")
        axes.spines[["top", "right"]].set_visible(False)
    curves.set_xlim(0, length / SAMPLE_RATE_HZ)
    curves.set_xlabel("picture time in seconds; dotted: scene changes; yellow: speech")
    part = path.with_name(f".{path.name}.part")
    # No program name and date inside: the same result gives the same file.
    figure.savefig(part, format="png", metadata={"Software": None})
    return part, path


def _wave(axes: Any, stem: Stem | None, length: int, colour: str, title: str) -> None:  # noqa: ANN401
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_ylim(-1, 1)
    axes.set_ylabel("full scale")
    if stem is None:
        axes.text(0.5, 0.5, "no sound", transform=axes.transAxes, ha="center", va="center")
        return
    low, high = _extremes(stem, length)
    times_s = (np.arange(len(low)) + 0.5) * length / len(low) / SAMPLE_RATE_HZ
    axes.fill_between(times_s, low, high, color=colour, lw=0)


def _extremes(stem: Stem, length: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Lowest and highest sample of any channel per column of the drawing."""
    columns = min(_COLUMNS, max(length, 1))
    low = np.zeros(columns, dtype=np.float32)
    high = np.zeros(columns, dtype=np.float32)
    at = 0
    for block in read_stem(stem, start_samples=0, length_samples=length):
        column = (np.arange(at, at + len(block)) * columns) // max(length, 1)
        np.minimum.at(low, column, block.min(axis=1))
        np.maximum.at(high, column, block.max(axis=1))
        at += len(block)
    return low, high


def _loudness(axes: Any, result: Result, length: int) -> None:  # noqa: ANN401 - matplotlib
    dx = result.picture.production
    lines = [("after, short-term", result.mixed.mix, _AFTER, 1.8)]
    if dx is not None:
        lines.insert(0, ("before, short-term", dx, _BEFORE, 1.2))
    for label, stem, colour, width in lines:
        times_s, values = _short_term(stem, length)
        axes.plot(times_s, values, color=colour, lw=width, label=label)
    target = result.settings.target.integrated_lufs
    axes.axhline(target, color="black", lw=1, ls="--", label=f"target {target:g} LUFS")
    axes.set_ylim(_FLOOR_LUFS, 0)
    axes.set_ylabel("LUFS")
    gain = axes.twinx()
    curve = result.ducked.curve
    ends_s = [0.0, length / SAMPLE_RATE_HZ]
    points_s = [float(time_s) for time_s in curve.times_s]
    gains_db = list(curve.gains_db)
    gain.plot(
        [min(ends_s[0], points_s[0]), *points_s, max(ends_s[1], points_s[-1])],
        [gains_db[0], *gains_db, gains_db[-1]],
        color=_MUSIC,
        lw=1.4,
        label="gain of the music (right)",
    )
    gain.set_ylim(-30, 30)
    gain.set_ylabel("dB")
    gain.spines[["top"]].set_visible(False)
    handles = axes.get_lines() + gain.get_lines()
    axes.legend(handles=handles, loc="lower right", ncols=4, fontsize=8, framealpha=0.9)


def _short_term(stem: Stem, length: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    values = short_term_lufs(power_series(_blocks(stem, length), stem.channels))
    times_s = 3.0 + np.arange(len(values)) * 0.1
    return times_s.astype(np.float64), np.where(values < _FLOOR_LUFS, np.nan, values)


def _blocks(stem: Stem, length: int) -> Iterator[Audio]:
    return read_stem(stem, start_samples=0, length_samples=length)
