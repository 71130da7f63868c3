"""Measures of moving pictures on small frames: difference, motion, light, colour. Arrays only."""

from __future__ import annotations

from array import array
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

SMALL_WIDTH_PX = 64
SMALL_HEIGHT_PX = 36
"""Frames are scaled to this before anything is measured: noise and grain average out."""
HISTOGRAM_BINS = 96
"""32 of each plane."""
_BINS = HISTOGRAM_BINS // 3
_THUMB = 4
"""Small pixels on a side of a thumb's pixel."""
_DETAIL_PX = 5
MOTION_LAG_S = 0.12
"""Motion is the change over this time: the same whether every frame is seen or every third."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What a frame looks like."""

    planes: Floats
    """Y, U and V, 0 to 255, shape (3, 36, 64)."""
    histogram: Floats
    """Share of the pixels per bin, 32 bins a plane, shape (96,)."""
    contrast: float
    """Standard deviation of the luma, 0 to about 127."""
    thumb: Floats
    """Y, U and V of 16 by 9 pixels, shape (432,)."""


def look_at(frame: NDArray[np.uint8]) -> Look:
    """Measures a frame.

    Args:
        frame: uint8, shape (3, 36, 64): Y, U and V of a limited-range picture.
    """
    histogram = np.concatenate(
        [np.bincount(plane.ravel() >> 3, minlength=_BINS) for plane in frame]
    ).astype(np.float32) / np.float32(frame[0].size)
    planes = frame.astype(np.float32)
    rows, columns = SMALL_HEIGHT_PX // _THUMB, SMALL_WIDTH_PX // _THUMB
    parts = planes.reshape(3, rows, _THUMB, columns, _THUMB)
    return Look(
        planes=planes,
        histogram=histogram,
        contrast=float(planes[0].std()),
        thumb=parts.mean(axis=(2, 4), dtype=np.float32).ravel(),
    )


def distance(one: Look, other: Look) -> float:
    """How different two frames are: pixel by pixel and in their colours, 0 to about 1.5."""
    pixels = np.abs(one.planes - other.planes).mean(axis=(1, 2)).sum() / 255
    bins = np.abs(one.histogram - other.histogram)
    return float(pixels + 0.125 * bins[:_BINS].sum() + 0.0625 * bins[_BINS:].sum())


def likeness(one: Look, other: Look) -> float:
    """Correlation of the details of two frames, -1 to 1.

    Details are the luma without its mean over 5 by 5 pixels. A change of light, a flash or a fade
    leaves them where they are (0.7 to 1 in films); two shots have none in common (under 0.3), even
    where both have the sky above and the sea below.
    """
    a, b = (
        look.planes[0] - uniform_filter(look.planes[0], _DETAIL_PX, mode="nearest")
        for look in (one, other)
    )
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum() + 1e-3))


class FrameMeter:
    """Takes the looks of frames one by one and keeps a few numbers of each."""

    def __init__(self) -> None:
        self._columns = tuple(array("f") for _ in range(4))
        self._recent: deque[tuple[float, Floats]] = deque()

    def __len__(self) -> int:
        return len(self._columns[0])

    def add(self, look: Look, time_s: float) -> None:
        """Takes the next frame.

        Args:
            look: What it looks like.
            time_s: When it is shown, in seconds; not before the last one.
        """
        chroma = look.planes[1:] - 128
        values = (
            self._motion(look.planes[0], time_s),
            (look.planes[0].mean() - 16) / 219,
            np.hypot(chroma[0], chroma[1]).mean() / 90,
            (chroma[1] - chroma[0]).mean() / 60,
        )
        for column, value in zip(self._columns, values, strict=True):
            column.append(float(value))

    def _motion(self, luma: Floats, time_s: float) -> float:
        """Change to the newest frame that is at least the lag older, scaled to the lag."""
        recent = self._recent
        while len(recent) > 1 and recent[1][0] <= time_s - MOTION_LAG_S:
            recent.popleft()
        motion = 0.0
        if recent and time_s > recent[0][0]:
            apart_s = max(time_s - recent[0][0], MOTION_LAG_S)
            motion = float(np.abs(luma - recent[0][1]).mean()) * MOTION_LAG_S / apart_s
        recent.append((time_s, luma))
        return motion

    @property
    def motion(self) -> Floats:
        """Mean luma difference over 0.12 s, 0 to 255, shape (frames,)."""
        return np.array(self._columns[0], dtype=np.float32)

    @property
    def brightness(self) -> Floats:
        """Mean luma, 0 black to 1 white, shape (frames,)."""
        return np.clip(np.array(self._columns[1], dtype=np.float32), 0, 1)

    @property
    def saturation(self) -> Floats:
        """Mean distance from grey, 0 to 1, shape (frames,)."""
        return np.clip(np.array(self._columns[2], dtype=np.float32), 0, 1)

    @property
    def warmth(self) -> Floats:
        """Mean colour balance, -1 blue to 1 orange, shape (frames,)."""
        return np.clip(np.array(self._columns[3], dtype=np.float32), -1, 1)
