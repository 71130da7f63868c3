"""The rows of a sheet of thumbnails, drawn one by one."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from scorebed.exporters.drawing import BEFORE, FAINT, INK, MUSIC, SPEECH
from scorebed.exporters.notes import has_music
from scorebed.exporters.sheet_canvas import Canvas
from scorebed.exporters.sheet_layout import (
    GAP_PX,
    GRADUAL,
    HEAD_PX,
    LABEL_PX,
    LEFT_PX,
    PAPER,
    RIGHT_PX,
    SILENT,
    TOP_PX,
    WIDTH_PX,
    row_height_px,
)
from scorebed.exporters.sheet_strip import draw_strip
from scorebed.exporters.words import counted, plain
from scorebed.timecode import to_clock, to_stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorebed.exporters.sheet_canvas import Band
    from scorebed.exporters.sheet_layout import Row
    from scorebed.model import SpottingNotes

_NAME_COLUMNS, _BRIEF_COLUMNS = 22, 30
_MOST_CUES = 3
_EDGE = 190


# --- head --------------------------------------------------------------------------------------


def draw_head(title: str, notes: SpottingNotes) -> Band:
    """The name of the video, what was found, and what the colours mean."""
    canvas = Canvas(WIDTH_PX, HEAD_PX, PAPER)
    canvas.text(16, 26, _clipped(title, 90), 13, weight="bold")
    rate = f"{float(notes.frame_rate):.6g} frames per second"
    counts = [
        counted(len(notes.shots), "shot"),
        counted(len(notes.scenes), "scene"),
        counted(len(notes.cues), "cue"),
    ]
    told = ", ".join([to_stamp(notes.duration_s), rate, *counts])
    canvas.text(16, 50, told, 9, color=FAINT)
    x_px = 1060.0
    for label, colour in (
        ("speech", SPEECH),
        ("motion", BEFORE),
        ("dissolve, fade", GRADUAL),
        ("hit point", MUSIC),
        ("no music", SILENT),
    ):
        hatch = {"hatch": "////"} if colour == SILENT else {}
        canvas.box(x_px, x_px + 14, 39, 51, color=colour, **hatch)
        canvas.text(x_px + 20, 49, label, 9)
        x_px += 54 + 8 * len(label)
    canvas.text(x_px, 49, "| shot", 9)
    return canvas.band()


# --- rows --------------------------------------------------------------------------------------


def draw_row(row: Row, thumbnails: Sequence[Band | None]) -> Band:
    """A scene: its name, its thumbnails, and shots, speech and motion on its time line.

    Args:
        row: What is drawn.
        thumbnails: One for each of its views; None where there is none.
    """
    music = has_music(row.scene, row.notes.cues)
    canvas = Canvas(WIDTH_PX, row_height_px(row.thumb_px), PAPER if music else SILENT)
    canvas.box(0, WIDTH_PX, 0, 1, color="#c9d0d6")
    _draw_names(canvas, row, music=music)
    draw_strip(canvas, row)
    places = _places([row.x_px(float(view.range.start_s)) for view in row.views], row.box_px[0])
    _draw_leaders(canvas, row, places)
    band = canvas.band()
    for left, thumb in zip(places, thumbnails, strict=True):
        if thumb is not None:
            # A picture may change its shape on its way.
            height, width = min(thumb.shape[0], row.thumb_px), thumb.shape[1]
            left_px = round(left)
            # An edge, so that a white picture does not lose its shape on white paper.
            band[TOP_PX - 1 : TOP_PX + height + 1, left_px - 1 : left_px + width + 1] = _EDGE
            band[TOP_PX : TOP_PX + height, left_px : left_px + width] = thumb[:height]
    return band


def _draw_names(canvas: Canvas, row: Row, *, music: bool) -> None:
    scene, span = row.scene, row.scene.range
    canvas.text(16, 34, str(row.number + 1), 18, weight="bold")
    cues = [cue.number for cue in row.notes.cues if has_music(scene, [cue])]
    if len(cues) > _MOST_CUES:
        cues[_MOST_CUES:] = ["..."]
    # The large number is the scene's.
    told, colour = (f"cue {', '.join(cues)}", MUSIC) if music else ("no music", FAINT)
    canvas.text(LEFT_PX - 16, 32, told, 11, weight="bold", color=colour, ha="right")
    y_px = 56
    for line in textwrap.wrap(plain(scene.name), _NAME_COLUMNS)[:2]:
        canvas.text(16, y_px, line, 10, weight="bold")
        y_px += 17
    canvas.text(16, y_px, to_stamp(span.start_s), 10, family="monospace")
    canvas.text(
        16, y_px + 17, f"{to_clock(span.duration_s)} long, {counted(scene.shots, 'shot')}", 8.5,
        color=FAINT,
    )  # fmt: skip
    room = (row_height_px(row.thumb_px) - y_px - 30) // 14
    lines = textwrap.wrap(plain(scene.brief), _BRIEF_COLUMNS)
    for number, line in enumerate(lines[: max(room, 0)]):
        more = " ..." if number + 1 == room < len(lines) else ""
        canvas.text(16, y_px + 36 + 14 * number, line + more, 8.5, style="italic")


def _draw_leaders(canvas: Canvas, row: Row, places: Sequence[float]) -> None:
    """From each thumbnail to its time, with that time."""
    top, _ = row.strip_px
    label = TOP_PX + row.thumb_px + LABEL_PX
    for left, view in zip(places, row.views, strict=True):
        time_s = view.range.start_s
        x_px = row.x_px(float(time_s))
        canvas.box(left, left + 2, TOP_PX, label, color=INK if view.opens else FAINT)
        canvas.line([left + 1, x_px], [label, top], color=FAINT, lw=0.7)
        colour = INK if view.opens else FAINT
        canvas.text(left + 6, label - 2, to_clock(time_s), 7.5, color=colour)


def _places(wanted_px: list[float], width_px: int) -> list[float]:
    """Where thumbnails stand: at their time where there is room, else beside each other."""
    places: list[float] = []
    for x_px in wanted_px:
        places.append(max(x_px, places[-1] + width_px + GAP_PX) if places else x_px)
    limit = float(RIGHT_PX - width_px)
    for at in range(len(places) - 1, -1, -1):
        places[at] = min(places[at], limit)
        limit = places[at] - width_px - GAP_PX
    return places


def _clipped(text: str, most: int) -> str:
    line = plain(text)
    return line if len(line) <= most else line[: most - 3] + "..."
