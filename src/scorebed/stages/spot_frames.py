"""The frames of a picture, small, in order: all of them, by one decode on all cores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import av.error
import numpy as np
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from scorebed.dsp.picture import SMALL_HEIGHT_PX, SMALL_WIDTH_PX, Look, look_at
from scorebed.media import open_media

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from numpy.typing import NDArray

    from scorebed.model import Picture, SourceFile

STAGE = "spot"


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A frame as it was decoded."""

    ticks: int
    """When it is shown, in units of the stream's time base."""
    look: Look
    """What it looks like."""
    follows: bool = True
    """Whether the frame before it was seen too, if there is one."""
    damaged: bool = False
    """Whether it did not decode whole."""


class FrameTimes:
    """When frames are shown, exactly.

    Args:
        ticks: Their time stamps, rising, shape (frames,).
        time_base: Unit of the time stamps, in seconds.
        start_s: The time stamp of the picture's time 0, in seconds.
    """

    def __init__(
        self, ticks: Sequence[int] | NDArray[np.int64], time_base: Fraction, start_s: Fraction
    ) -> None:
        self.ticks = np.array(ticks, dtype=np.int64)
        self._time_base = time_base
        self._start_s = start_s

    def __len__(self) -> int:
        return len(self.ticks)

    def __getitem__(self, frame: int) -> Fraction:
        return int(self.ticks[frame]) * self._time_base - self._start_s

    @property
    def approximate_s(self) -> NDArray[np.float64]:
        """All of them, shape (frames,)."""
        return np.asarray(self.ticks * float(self._time_base) - float(self._start_s), np.float64)

    def nearest(self, time_s: Fraction | float) -> Fraction:
        """The time of the frame that begins nearest to a time."""
        wanted = (Fraction(time_s) + self._start_s) / self._time_base
        at = int(np.searchsorted(self.ticks, float(wanted)))
        near = self.ticks[max(0, min(at, len(self.ticks)) - 1) : at + 1]
        best = min((int(ticks) for ticks in near), key=lambda ticks: abs(ticks - wanted))
        return best * self._time_base - self._start_s


class Shrinker:
    """Scales frames down. Not to be shared between threads."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def look(self, frame: VideoFrame) -> Look:
        """What a frame looks like, small."""
        # With half as many chroma as luma pixels a side, the fast scaler does almost all.
        twice = self._reformatter.reformat(
            frame,
            width=2 * SMALL_WIDTH_PX,
            height=2 * SMALL_HEIGHT_PX,
            format="yuv420p",
            interpolation="FAST_BILINEAR",
        ).to_ndarray()
        luma = twice[: 2 * SMALL_HEIGHT_PX].reshape(SMALL_HEIGHT_PX, 2, SMALL_WIDTH_PX, 2)
        planes = np.empty((3, SMALL_HEIGHT_PX, SMALL_WIDTH_PX), dtype=np.uint8)
        planes[0] = (luma.sum(axis=(1, 3), dtype=np.uint16) + 2) >> 2
        planes[1:] = twice[2 * SMALL_HEIGHT_PX :].reshape(planes[1:].shape)
        return look_at(planes)


def time_base_of(container: InputContainer, picture: Picture) -> Fraction:
    """The unit of the picture's time stamps, in seconds."""
    return Fraction(container.streams[picture.video_index].time_base or 0)


def every_frame(source: SourceFile, picture: Picture) -> Iterator[Seen]:
    """Decodes the whole picture; a damaged packet costs its frame, not the run."""
    shrinker = Shrinker()
    number = 0
    with open_media(source.path, stage=STAGE) as container:
        time_base = time_base_of(container, picture)
        for frame in _decoded(container, picture.video_index):
            at = frame.pts if frame.pts is not None else frame.dts
            ticks = at if at is not None else _nominal_ticks(picture, time_base, number)
            if ticks * time_base < picture.start_s:
                continue
            number += 1
            yield Seen(ticks=ticks, look=shrinker.look(frame), damaged=bool(frame.is_corrupt))


def _nominal_ticks(picture: Picture, time_base: Fraction, number: int) -> int:
    """Where a frame without a time stamp (AVI) lies on the container's clock."""
    return round((picture.start_s + number / picture.frame_rate) / time_base)


def _decoded(container: InputContainer, index: int) -> Iterator[VideoFrame]:
    stream = container.streams[index]
    assert isinstance(stream, VideoStream)
    stream.thread_type = "AUTO"
    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except (av.error.InvalidDataError, av.error.ArgumentError):
            continue
