"""Where things stand in a row of a sheet of thumbnails."""

from __future__ import annotations

from dataclasses import dataclass

from scorebed.model import Scene, SpottingNotes, TimeRange

WIDTH_PX, HEAD_PX = 1920, 64
LEFT_PX, RIGHT_PX = 232, 1896
"""Where the time line of a row begins and ends."""
GAP_PX = 4
"""Between two thumbnails."""
_FLATTEST, _STEEPEST = 5, 12
"""Slots of a row: how large thumbnails are where few are wanted, and how small where many are."""
_MANY_ROWS = 20
TOP_PX, LABEL_PX, LEADER_PX, STRIP_PX, BELOW_PX = 10, 14, 12, 44, 30
PAPER, SILENT, STRIP = "#ffffff", "#e9ebee", "#f4f6f8"
GRADUAL = "#7b4fa3"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What one thumbnail stands for."""

    range: TimeRange
    """Its first frame is shown."""
    opens: bool
    """Whether a shot opens there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A scene as it is drawn."""

    number: int
    """Of the scene, from 0."""
    notes: SpottingNotes
    """All notes."""
    views: tuple[View, ...]
    """What is seen."""
    box_px: tuple[int, int]
    """Most columns and lines of a thumbnail."""
    thumb_px: int
    """Lines of the thumbnails."""
    top_motion: float
    """Motion that fills the strip."""

    @property
    def scene(self) -> Scene:
        """The scene."""
        return self.notes.scenes[self.number]

    @property
    def strip_px(self) -> tuple[int, int]:
        """Where what happens over time is drawn, from the top."""
        top = TOP_PX + self.thumb_px + LABEL_PX + LEADER_PX
        return top, top + STRIP_PX

    def x_px(self, time_s: float) -> float:
        """Where a time lies."""
        span = self.scene.range
        share = (time_s - float(span.start_s)) / float(span.duration_s)
        return LEFT_PX + min(max(share, 0.0), 1.0) * (RIGHT_PX - LEFT_PX)


def thumb_box_px(most_views: int, rows: int) -> tuple[int, int]:
    """Most columns and lines of a thumbnail: they fill a row that has the most of them.

    Args:
        most_views: Thumbnails of the row that has the most.
        rows: How many rows there are; many are kept low.
    """
    least = _FLATTEST if rows <= _MANY_ROWS else _STEEPEST
    slot_px = (RIGHT_PX - LEFT_PX) // min(max(most_views, least), _STEEPEST)
    width_px = slot_px - GAP_PX
    return width_px, width_px * 3 // 4


def row_height_px(thumb_px: int) -> int:
    """Height of a row whose thumbnails are so high, in pixels."""
    return TOP_PX + thumb_px + LABEL_PX + LEADER_PX + STRIP_PX + BELOW_PX
