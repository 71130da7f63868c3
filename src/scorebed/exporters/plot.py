"""A picture of the result: waveform and loudness before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scorebed.dsp.loudness import power_series, short_term_lufs
from scorebed.dsp.outline import outline
from scorebed.exporters.drawing import (
    AFTER,
    BEFORE,
    audible,
    draw_curve,
    draw_speech,
    draw_wave,
    new_figure,
    save,
)
from scorebed.timecode import SAMPLE_RATE_HZ
from scorebed.wav import read_stem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from scorebed.model import Audio, Programme, Stem
    from scorebed.result import Result

_FLOOR_LUFS = -60.0
_LEAST_REACH_DB = 30.0
"""The axis of the gain reaches so far up and down, and further for a deeper duck."""


def write_plot(path: Path, result: Result) -> tuple[Path, Path]:
    """Draws the production audio before, the programme after, and what the music does.

    Args:
        path: The PNG.
        result: The finished score.

    Returns:
        Temporary and final name.
    """
    lead, *others = result.programmes
    figure = new_figure(further=len(others))
    before, after, curves, *further = figure.subplots(
        3 + len(others),
        1,
        sharex=True,
        gridspec_kw={"height_ratios": [1, 1, 1.5] + [1.5] * len(others)},
    )
    length = result.picture.length_samples
    _wave(before, lead.production.dx, length, BEFORE, f"before: {result.video.name}")
    _wave(after, lead.mixed.mix, length, AFTER, f"after: {result.output.name}")
    _loudness(curves, result, lead, length)
    for axes in (before, after, curves):
        _mark(axes, result, lead)
    for axes, programme in zip(further, others, strict=True):
        _loudness(axes, result, programme, length)
        _mark(axes, result, programme)
        axes.set_title(_named(result, programme), loc="left", fontsize=10)
    lowest = further[-1] if further else curves
    lowest.set_xlim(0, length / SAMPLE_RATE_HZ)
    lowest.set_xlabel("picture time in seconds; dotted: scene changes; yellow: speech")
    return save(figure, path)


def _named(result: Result, programme: Programme) -> str:
    index = programme.production.index
    assert index is not None, "a film without sound has one programme"
    return f"audio stream {index} ({result.picture.streams[index].language or 'und'})"


def _mark(axes: Any, result: Result, programme: Programme) -> None:  # noqa: ANN401 - matplotlib
    """Speech and scene changes."""
    draw_speech(axes, programme.production.speech)
    for scene in result.notes.scenes[1:]:
        axes.axvline(float(scene.range.start_s), color="black", lw=0.8, ls=":")
    axes.spines[["top", "right"]].set_visible(False)


def _wave(axes: Any, stem: Stem | None, length: int, colour: str, title: str) -> None:  # noqa: ANN401
    axes.set_title(title, loc="left", fontsize=10)
    if stem is None:
        axes.text(0.5, 0.5, "no sound", transform=axes.transAxes, ha="center", va="center")
        return
    draw_wave(axes, outline(_blocks(stem, length)), 0.0, colour)


def _loudness(
    axes: Any,  # noqa: ANN401 - matplotlib
    result: Result,
    programme: Programme,
    length: int,
) -> None:
    dx = programme.production.dx
    lines = [("after, short-term", programme.mixed.mix, AFTER, 1.8)]
    if dx is not None:
        lines.insert(0, ("before, short-term", dx, BEFORE, 1.2))
    for label, stem, colour, width in lines:
        times_s, values = _short_term(stem, length)
        axes.plot(times_s, values, color=colour, lw=width, label=label)
    target = result.settings.target.integrated_lufs
    axes.axhline(target, color="black", lw=1, ls="--", label=f"target {target:g} LUFS")
    axes.set_ylim(_FLOOR_LUFS, 0)
    axes.set_ylabel("LUFS")
    gain = axes.twinx()
    curve = programme.ducked.curve
    points_s = [float(time_s) for time_s in curve.times_s]
    ends_s = 0.0, length / SAMPLE_RATE_HZ
    draw_curve(gain, points_s, curve.gains_db, ends_s, "gain of the music (right)")
    reach_db = max(_LEAST_REACH_DB, 2.0 - min(curve.gains_db))
    gain.set_ylim(-reach_db, reach_db)
    gain.spines[["top"]].set_visible(False)
    handles = axes.get_lines() + gain.get_lines()
    # Above the panel: inside it there is always something under it.
    axes.legend(
        handles=handles, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=4, fontsize=8,
        frameon=False, borderaxespad=0.1,
    )  # fmt: skip


def _short_term(stem: Stem, length: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    values = short_term_lufs(power_series(_blocks(stem, length), stem.channels))
    times_s = 3.0 + np.arange(len(values)) * 0.1
    return times_s.astype(np.float64), audible(values, _FLOOR_LUFS)


def _blocks(stem: Stem, length: int) -> Iterator[Audio]:
    return read_stem(stem, start_samples=0, length_samples=length)
