"""What all pictures share: names that may be written, waveforms, speech, the duck curve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scorebed.delivery import refuse_existing, require_folder, temporary_name
from scorebed.errors import SettingsError
from scorebed.exporters.fonts import settle
from scorebed.timecode import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from scorebed.dsp.outline import Outline
    from scorebed.model import SpeechRegion

BEFORE, AFTER, MUSIC = "#5b7083", "#0b6e99", "#d1495b"
SPEECH = "#f0c808"
INK, FAINT = "#1d2730", "#8a97a3"


def check_plot(path: Path, *, overwrite: bool, stage: str = "mux", what: str = "plot") -> None:
    """Refuses a name that is taken, is not a PNG, or lies in no folder.

    Args:
        path: The picture.
        overwrite: Whether a file of that name may be replaced.
        stage: Named in errors.
        what: Named in errors.

    Raises:
        SettingsError: If it cannot be used.
        WorkspaceError: If its folder may not be written to.
    """
    require_folder(path.parent, stage=stage)
    if path.suffix.lower() != ".png":
        raise SettingsError(
            f"the {what} {path} is not a PNG", remedy="Give a name that ends in .png."
        )
    refuse_existing(path, overwrite=overwrite)


def new_figure(*, further: int = 0) -> Figure:
    """An empty picture of 1400 by 800 pixels.

    Args:
        further: Panels that it has to have room for besides, of 300 pixels each.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second that others need not pay

    return Figure(figsize=(14, 8 + 3 * further), dpi=100, layout="constrained")


def draw_wave(axes: Any, drawn: Outline, start_s: float, colour: str) -> None:  # noqa: ANN401 - matplotlib
    """Fills a waveform between its lowest and highest samples.

    Args:
        axes: Where to.
        drawn: The waveform.
        start_s: Time of its first sample, in seconds.
        colour: Of the filling.
    """
    low, high = drawn.extremes
    column_s = drawn.column_samples / SAMPLE_RATE_HZ
    times_s = start_s + (np.arange(len(low)) + 0.5) * column_s
    axes.fill_between(times_s, low, high, color=colour, lw=0)
    axes.set_ylim(-1, 1)
    axes.set_ylabel("full scale")


def draw_speech(axes: Any, speech: Iterable[SpeechRegion]) -> None:  # noqa: ANN401 - matplotlib
    """Shades the stretches of speech."""
    for region in speech:
        start_s, end_s = float(region.range.start_s), float(region.range.end_s)
        axes.axvspan(start_s, end_s, color=SPEECH, alpha=0.22, lw=0, zorder=0)


def draw_curve(
    axes: Any,  # noqa: ANN401 - matplotlib
    times_s: Sequence[float],
    gains_db: Sequence[float],
    ends_s: tuple[float, float],
    label: str,
) -> None:
    """Draws a gain curve, which stays before its first and after its last point.

    Args:
        axes: Where to.
        times_s: Its points, in seconds.
        gains_db: Gain at each, in dB.
        ends_s: What the picture shows, in seconds.
        label: For the legend.
    """
    axes.plot(
        [min(ends_s[0], times_s[0]), *times_s, max(ends_s[1], times_s[-1])],
        [gains_db[0], *gains_db, gains_db[-1]],
        color=MUSIC,
        lw=1.4,
        label=label,
    )
    axes.set_ylabel("dB")


def audible(loudness_lufs: NDArray[np.float64], floor_lufs: float) -> NDArray[np.float64]:
    """Loudness with gaps where it is under the floor of the picture."""
    return np.where(loudness_lufs < floor_lufs, np.nan, loudness_lufs)


def save(figure: Figure, path: Path) -> tuple[Path, Path]:
    """Writes a picture under a temporary name; nothing is left there if that fails.

    Returns:
        Temporary and final name.
    """
    part = temporary_name(path)
    settle(figure)
    try:
        # No program name and date inside: the same result gives the same file.
        figure.savefig(part, format="png", metadata={"Software": None})
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return part, path
