"""The time line of a row of a sheet: shots, transitions, speech, motion, hit points, silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scorebed.exporters.drawing import BEFORE, FAINT, INK, MUSIC, SPEECH
from scorebed.exporters.sheet_layout import GRADUAL, LEFT_PX, RIGHT_PX, SILENT, STRIP
from scorebed.timecode import to_clock

if TYPE_CHECKING:
    from scorebed.exporters.sheet_canvas import Canvas
    from scorebed.exporters.sheet_layout import Row
    from scorebed.model import TimeRange

_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
_MOST_TICKS = 12
_DENSE_SHOTS = 120


def draw_strip(canvas: Canvas, row: Row) -> None:
    """Shots, speech, motion, hit points and silences on the time line of the scene."""
    top, bottom = row.strip_px
    notes, span = row.notes, row.scene.range
    canvas.box(LEFT_PX, RIGHT_PX, top, bottom, color=STRIP)
    for region in notes.speech:
        if region.range.common(span) is not None:
            canvas.box(*_ends(row, region.range), top, bottom, color=SPEECH, alpha=0.45)
    _draw_motion(canvas, row)
    _draw_shots(canvas, row)
    for silent in span.without(notes.music):
        canvas.box(*_ends(row, silent), top, bottom, color=SILENT, hatch="////")
    for hit in notes.hit_points:
        if hit.label not in {"cut", "scene"} and span.holds(hit.at_s):
            canvas.mark(row.x_px(float(hit.at_s)), top - 4, MUSIC)
    _draw_times(canvas, row)


def _draw_shots(canvas: Canvas, row: Row) -> None:
    top, bottom = row.strip_px
    span = row.scene.range
    for change in (*(shot.transition for shot in row.notes.shots), row.notes.ending):
        if change is not None and change.range.common(span) is not None:
            canvas.box(*_ends(row, change.range), top, bottom, color=GRADUAL, alpha=0.4)
    # Where they stand close, what lies behind them is to be seen all the same.
    width, alpha = (0.8, 1.0) if row.scene.shots <= _DENSE_SHOTS else (0.5, 0.35)
    for shot in row.notes.shots:
        if span.holds(shot.range.start_s):
            x_px = row.x_px(float(shot.range.start_s))
            canvas.line([x_px, x_px], [top, bottom], color=INK, lw=width, alpha=alpha)


def _ends(row: Row, span: TimeRange) -> tuple[float, float]:
    return row.x_px(float(span.start_s)), row.x_px(float(span.end_s))


def _draw_motion(canvas: Canvas, row: Row) -> None:
    curve, span = row.notes.curve, row.scene.range
    top, bottom = row.strip_px
    first = int(span.start_s / curve.hop_s)
    motion = np.array(curve.motion[first : int(span.end_s / curve.hop_s) + 1] or (0.0,))
    # No more points than there are columns: the highest of each is what was seen.
    step = max(1, len(motion) // (RIGHT_PX - LEFT_PX))
    motion = motion[: len(motion) // step * step].reshape(-1, step).max(axis=1)
    times_s = (first + (np.arange(len(motion)) + 0.5) * step) * float(curve.hop_s)
    xs_px = [LEFT_PX, *(row.x_px(float(time_s)) for time_s in times_s), RIGHT_PX]
    heights = np.concatenate([motion[:1], motion, motion[-1:]]) / row.top_motion * (bottom - top)
    canvas.fill(xs_px, bottom, bottom - heights, BEFORE)


def _draw_times(canvas: Canvas, row: Row) -> None:
    span, (_, bottom) = row.scene.range, row.strip_px
    length_s = float(span.duration_s)
    step_s = next((step for step in _STEPS_S if length_s / step <= _MOST_TICKS), _STEPS_S[-1])
    number = int(float(span.start_s) / step_s) + 1
    while number * step_s < float(span.end_s):
        x_px = row.x_px(number * step_s)
        canvas.line([x_px, x_px], [bottom, bottom + 4], color=FAINT, lw=0.8)
        canvas.text(x_px, bottom + 16, to_clock(number * step_s), 7.5, color=FAINT, ha="center")
        number += 1
