"""A sheet of thumbnails: one row per scene, what is seen above, what happens over time below."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from scorebed.delivery import temporary_name
from scorebed.errors import SettingsError
from scorebed.exporters.png import write_png
from scorebed.exporters.sheet_layout import (
    HEAD_PX,
    WIDTH_PX,
    Row,
    View,
    row_height_px,
    thumb_box_px,
)
from scorebed.exporters.sheet_row import draw_head, draw_row
from scorebed.model import SpottingNotes, TimeRange

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from scorebed.model import Scene, Shot

MOST_SCENES = 150
"""A picture of more rows is higher than what programs that show pictures take."""
MOST_VIEWS = 12
"""Most thumbnails of a row."""
_LEAST_VIEWS = 4
"""A scene of fewer shots is seen so often, where it is long enough."""
_VIEW_EVERY_S = 2
_LEAST_MOTION = 0.2
"""The strips reach up to the busiest moment of the picture; in a still one, up to this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What a sheet shows."""

    title: str
    """Name of the video."""
    notes: SpottingNotes
    """What was found, and what the user has made of it."""
    views: tuple[tuple[View, ...], ...]
    """Of each scene, what is seen of it."""

    @property
    def box_px(self) -> tuple[int, int]:
        """Most columns and lines of a thumbnail."""
        return thumb_box_px(max(len(views) for views in self.views), len(self.views))

    @property
    def wanted(self) -> tuple[TimeRange, ...]:
        """What thumbnails are needed of, in order: the first frame of each range."""
        return tuple(view.range for views in self.views for view in views)


def plan_sheet(title: str, notes: SpottingNotes) -> Sheet:
    """Chooses what a sheet shows.

    Args:
        title: Name of the video.
        notes: What it shows.

    Raises:
        SettingsError: If there are too many scenes for a picture.
    """
    if len(notes.scenes) > MOST_SCENES:
        raise SettingsError(
            f"sheet: {len(notes.scenes)} scenes are too many for one picture",
            remedy=f"Ask for fewer with --max-scenes {MOST_SCENES}, or leave --sheet out.",
        )
    views = tuple(_views(scene, notes) for scene in notes.scenes)
    return Sheet(title=title, notes=notes, views=views)


def write_sheet(
    path: Path, sheet: Sheet, thumbnails: Iterator[NDArray[np.uint8] | None]
) -> tuple[Path, Path]:
    """Draws a sheet row by row; nothing is left under the temporary name if that fails.

    Args:
        path: The PNG.
        sheet: What it shows.
        thumbnails: RGB, shape (height, width, 3), within ``sheet.box_px``, one for each of
            ``sheet.wanted``, in order; None where there is none.

    Returns:
        Temporary and final name.
    """
    part = temporary_name(path)
    first = next(thumbnails, None)
    thumb_px = sheet.box_px[1] if first is None else first.shape[0]
    height_px = HEAD_PX + len(sheet.views) * row_height_px(thumb_px)

    def seen() -> Iterator[NDArray[np.uint8] | None]:
        yield first
        yield from thumbnails

    try:
        write_png(part, WIDTH_PX, height_px, _bands(sheet, seen(), thumb_px))
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return part, path


def _bands(
    sheet: Sheet, thumbnails: Iterator[NDArray[np.uint8] | None], thumb_px: int
) -> Iterator[NDArray[np.uint8]]:
    yield draw_head(sheet.title, sheet.notes)
    top_motion = max(_LEAST_MOTION, *sheet.notes.curve.motion)
    for number, views in enumerate(sheet.views):
        row = Row(
            number=number,
            notes=sheet.notes,
            views=views,
            box_px=sheet.box_px,
            thumb_px=thumb_px,
            top_motion=top_motion,
        )
        yield draw_row(row, list(islice(thumbnails, len(views))))


# --- what is seen ------------------------------------------------------------------------------


def _views(scene: Scene, notes: SpottingNotes) -> tuple[View, ...]:
    """The first frames of shots, at most a dozen, evenly chosen; of few shots, further frames."""
    views = [view for shot in notes.shots if (view := _opening(shot, scene.range)) is not None]
    if len(views) > MOST_VIEWS:
        chosen = np.linspace(0, len(views) - 1, MOST_VIEWS).round().astype(int)
        return tuple(views[at] for at in chosen)
    while len(views) < _LEAST_VIEWS:
        longest = max(views, key=lambda view: view.range.duration_s)
        if longest.range.duration_s < 2 * _VIEW_EVERY_S:
            break
        half_s = longest.range.duration_s / 2
        middle_s = longest.range.start_s + half_s
        at = views.index(longest)
        views[at : at + 1] = [
            View(range=TimeRange.between(longest.range.start_s, middle_s), opens=longest.opens),
            View(range=TimeRange.between(middle_s, longest.range.end_s), opens=False),
        ]
    return tuple(views)


def _opening(shot: Shot, scene: TimeRange) -> View | None:
    """What a scene shows of a shot, from where its opening transition is over."""
    common = shot.range.common(scene)
    if common is None:
        return None
    start_s, end_s = common.start_s, common.end_s
    opens = shot.range.start_s >= scene.start_s
    if opens and shot.transition is not None:
        start_s = min(shot.transition.range.end_s, start_s + (end_s - start_s) * Fraction(9, 10))
    return View(range=TimeRange.between(start_s, end_s), opens=opens)
