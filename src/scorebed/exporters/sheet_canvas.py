"""A band of a picture that is drawn in its own pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scorebed.exporters.drawing import FAINT, INK
from scorebed.exporters.fonts import settle

if TYPE_CHECKING:
    from collections.abc import Sequence

_DPI = 100
Band = NDArray[np.uint8]
"""RGB, shape (height, width, 3)."""


class Canvas:
    """Text and shapes in pixels from the top left.

    Args:
        width_px: Columns.
        height_px: Lines.
        paper: Colour of the ground.
    """

    def __init__(self, width_px: int, height_px: int, paper: str) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - half a second
        from matplotlib.figure import Figure  # noqa: PLC0415

        figure = Figure(figsize=(width_px / _DPI, height_px / _DPI), dpi=_DPI, facecolor=paper)
        self._agg: Any = FigureCanvasAgg(figure)
        self._axes: Any = figure.add_axes((0, 0, 1, 1))
        self._axes.set_xlim(0, width_px)
        self._axes.set_ylim(height_px, 0)
        self._axes.axis("off")

    def text(self, x_px: float, y_px: float, text: str, size: float, **how: Any) -> None:  # noqa: ANN401 - matplotlib
        """Text on a base line."""
        how = {"color": INK, "parse_math": False} | how
        self._axes.text(x_px, y_px, text, fontsize=size, **how)

    def box(self, left: float, right: float, top: float, bottom: float, **how: Any) -> None:  # noqa: ANN401
        """A filled rectangle."""
        from matplotlib.patches import Rectangle  # noqa: PLC0415 - as above

        colour = how.pop("color")
        how |= {"edgecolor": FAINT} if "hatch" in how else {}
        self._axes.add_patch(
            Rectangle((left, top), right - left, bottom - top, facecolor=colour, linewidth=0, **how)
        )

    def line(self, xs_px: Sequence[float], ys_px: Sequence[float], **how: Any) -> None:  # noqa: ANN401
        """A line through points."""
        self._axes.plot(xs_px, ys_px, **how)

    def fill(
        self, xs_px: Sequence[float], low_px: float, high_px: NDArray[np.float64], colour: str
    ) -> None:
        """What lies between a level and a curve."""
        self._axes.fill_between(xs_px, low_px, high_px, color=colour, alpha=0.55, lw=0)

    def mark(self, x_px: float, y_px: float, colour: str) -> None:
        """A small triangle that points down."""
        self._axes.plot([x_px], [y_px], marker="v", color=colour, ms=6, lw=0)

    def band(self) -> Band:
        """What was drawn."""
        settle(self._agg.figure)
        self._agg.draw()
        return np.array(np.asarray(self._agg.buffer_rgba())[..., :3])
