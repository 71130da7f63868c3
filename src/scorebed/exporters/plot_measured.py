"""A picture of a measured file: waveform, loudness over time against a target, and its duck."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from scorebed.dsp.gain import db_to_gain
from scorebed.dsp.loudness import momentary_lufs, short_term_lufs
from scorebed.dsp.outline import Outline
from scorebed.exporters.drawing import (
    AFTER,
    BEFORE,
    MUSIC,
    audible,
    draw_curve,
    draw_speech,
    draw_wave,
    new_figure,
    save,
)
from scorebed.model import Loudness, LoudnessTarget, SpeechRegion

if TYPE_CHECKING:
    from pathlib import Path

_BELOW_LU, _ABOVE_LU = 36.0, 18.0
"""The EBU +18 scale of Tech 3341, about the target."""
_STEP_S: Final = 0.1
_LONG_S: Final = 180.0
_LOWEST_DUCK_DB: Final = -24.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What is drawn of a file."""

    title: str
    """Name of the file."""
    start_s: float
    """Time of the first sample, in seconds from the first shown frame."""
    end_s: float
    """Time of its end, in seconds."""
    outline: Outline
    """Its waveform."""
    powers: NDArray[np.float64]
    """Power per 10 ms, see ``power_series``."""
    loudness: Loudness
    """Its figures."""
    speech: tuple[SpeechRegion, ...]
    """Phrases of speech."""
    preset: str
    """Where the target comes from."""
    target: LoudnessTarget
    """Loudness and ceiling that it is held against."""
    curve: tuple[tuple[float, float], ...]
    """Points of the duck curve in seconds and dB; empty where it is not known."""


def write_measured_plot(path: Path, measured: Measured) -> tuple[Path, Path]:
    """Draws a measured file.

    Args:
        path: The PNG.
        measured: What is known of it.

    Returns:
        Temporary and final name.
    """
    figure = new_figure()
    heights = [1.0, 1.7, 0.7] if measured.curve else [1.0, 1.7]
    wave, curves, *gain = figure.subplots(
        len(heights), 1, sharex=True, gridspec_kw={"height_ratios": heights}
    )
    _wave(wave, measured)
    _loudness(curves, measured)
    for axes in gain:
        _gain(axes, measured)
    for axes in (wave, curves, *gain):
        draw_speech(axes, measured.speech)
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(x=0)
    last = gain[-1] if gain else curves
    last.set_xlim(measured.start_s, max(measured.end_s, measured.start_s + _STEP_S))
    if measured.end_s > _LONG_S:
        last.xaxis.set_major_formatter(lambda time_s, _: f"{time_s // 60:.0f}:{time_s % 60:02.0f}")
    unit = "minutes" if measured.end_s > _LONG_S else "seconds"
    last.set_xlabel(f"time in {unit}; yellow: speech")
    return save(figure, path)


def _wave(axes: Any, measured: Measured) -> None:  # noqa: ANN401 - matplotlib
    axes.set_title(measured.title, loc="left", fontsize=11, fontweight="bold")
    axes.set_title(_figures(measured.loudness), loc="right", fontsize=10)
    draw_wave(axes, measured.outline, measured.start_s, BEFORE)
    ceiling_dbtp = measured.target.true_peak_dbtp
    label = f"ceiling {ceiling_dbtp:g} dBTP"
    for sign in (1.0, -1.0):
        axes.axhline(sign * db_to_gain(ceiling_dbtp), color=MUSIC, lw=1, ls="--", label=label)
        label = "_"
    # Float files reach over full scale, and that is what a person has to see.
    reach = float(np.abs(measured.outline.extremes).max(initial=1.0))
    axes.set_ylim(-1.03 * reach, 1.03 * reach)
    axes.legend(loc="lower right", fontsize=8, framealpha=0.9)


def _figures(loudness: Loudness) -> str:
    told = (
        ("integrated", loudness.integrated_lufs, "LUFS"),
        ("max S", loudness.short_term_max_lufs, "LUFS"),
        ("max M", loudness.momentary_max_lufs, "LUFS"),
        ("LRA", loudness.range_lu, "LU"),
        ("true peak", loudness.true_peak_dbtp, "dBTP"),
    )
    return "   ".join(
        f"{name} none" if figure is None else f"{name} {figure:.1f} {unit}"
        for name, figure, unit in told
    )


def _loudness(axes: Any, measured: Measured) -> None:  # noqa: ANN401 - matplotlib
    target_lufs = measured.target.integrated_lufs
    floor_lufs = target_lufs - _BELOW_LU
    for label, values, window_s, colour, width in (
        ("momentary (400 ms)", momentary_lufs(measured.powers, 10), 0.4, BEFORE, 0.6),
        ("short-term (3 s)", short_term_lufs(measured.powers), 3.0, AFTER, 1.8),
    ):
        times_s = measured.start_s + window_s + np.arange(len(values)) * _STEP_S
        axes.plot(times_s, audible(values, floor_lufs), color=colour, lw=width, label=label)
    axes.axhline(
        target_lufs,
        color="black",
        lw=1,
        ls="--",
        label=f"target {target_lufs:g} LUFS ({measured.preset})",
    )
    integrated_lufs = measured.loudness.integrated_lufs
    if integrated_lufs is not None:
        label = f"integrated {integrated_lufs:.1f} LUFS"
        axes.axhline(integrated_lufs, color=AFTER, lw=1, ls=":", label=label)
    highest_lufs = measured.loudness.momentary_max_lufs
    top_lufs = min(0.0, target_lufs + _ABOVE_LU)
    # What is far over its target is what a person has to see.
    axes.set_ylim(
        floor_lufs, max(top_lufs, floor_lufs if highest_lufs is None else highest_lufs + 1)
    )
    axes.set_ylabel("LUFS")
    axes.grid(axis="y", lw=0.4, alpha=0.6)
    scale = axes.secondary_yaxis(
        "right",
        functions=(lambda lufs: lufs - target_lufs, lambda lu: lu + target_lufs),
    )
    scale.set_ylabel("LU from the target")
    axes.legend(loc="lower right", ncols=4, fontsize=8, framealpha=0.9)


def _gain(axes: Any, measured: Measured) -> None:  # noqa: ANN401 - matplotlib
    times_s, gains_db = zip(*measured.curve, strict=True)
    draw_curve(axes, times_s, gains_db, (measured.start_s, measured.end_s), "gain of the music")
    axes.set_ylim(min(_LOWEST_DUCK_DB, *gains_db) - 2, max(0.0, *gains_db) + 2)
    axes.grid(axis="y", lw=0.4, alpha=0.6)
    axes.legend(loc="lower right", fontsize=8, framealpha=0.9)
