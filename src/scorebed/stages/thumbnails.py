"""Thumbnails: single frames of a picture, found by seeking, small, as a player shows them."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av.error
import numpy as np
from av.video.reformatter import Colorspace, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from scorebed.dsp.hdr import Transfer, to_sdr
from scorebed.media import open_media
from scorebed.model import no_progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from av.container import InputContainer
    from av.video.frame import VideoFrame

    from scorebed.model import Picture, Progress, SourceFile, TimeRange

STAGE = "sheet"
Thumbnail = NDArray[np.uint8]
"""RGB, shape (height, width, 3)."""
_AHEAD_S = Fraction(1)
"""How far the next wanted frame may be for reading on towards it instead of seeking."""
_BACK_S = (Fraction(0), Fraction(2), Fraction(10))
"""Containers without an index (MPEG-TS) are entered anywhere: then again so much earlier."""
_HD_LINES = 720
"""Pictures of so many lines are BT.709 where they do not say what they are."""
_UNKNOWN_COLOUR = 2
_TRANSFERS: dict[int, Transfer] = {16: "pq", 18: "hlg"}


def thumbnails(
    source: SourceFile,
    picture: Picture,
    wanted: Sequence[TimeRange],
    *,
    width_px: int,
    height_px: int,
    progress: Progress = no_progress,
) -> Iterator[Thumbnail | None]:
    """The first frame of each range, upright, in its true shape and colours.

    Args:
        source: The user's file.
        picture: What it is.
        wanted: In order, on the picture's time line.
        width_px: Most columns of a thumbnail.
        height_px: Most lines of a thumbnail.
        progress: Called with the share that is done.

    Yields:
        For each range its thumbnail, or None where no frame of it can be decoded.

    Raises:
        MediaError: If the file cannot be opened.
    """
    with open_media(source.path, stage=STAGE) as container:
        stream = container.streams[picture.video_index]
        assert isinstance(stream, VideoStream)
        stream.thread_type = "AUTO"
        finder = _Finder(container, stream, picture)
        sketch = _Sketch(stream, width_px, height_px)
        for number, span in enumerate(wanted):
            frame = finder.first_within(span)
            yield None if frame is None else sketch.of(frame)
            progress((number + 1) / len(wanted))


class _Finder:
    """Goes through a file by seeking, but reads on where seeking would only lead back."""

    def __init__(self, container: InputContainer, stream: VideoStream, picture: Picture) -> None:
        self._container = container
        self._stream = stream
        self._tick_s = Fraction(stream.time_base or 0)
        self._zero_s = picture.start_s
        self._half_frame_s = 1 / picture.frame_rate / 2
        self._frames = self._decoded()
        self._last: tuple[VideoFrame, Fraction] | None = None
        self._ahead_s = _AHEAD_S

    def first_within(self, span: TimeRange) -> VideoFrame | None:
        """The first frame that is shown in a range; the one on screen when it begins, if none."""
        # Clocks of containers are coarse: the frame that is meant may lie a little early.
        from_s = span.start_s - min(self._half_frame_s, span.duration_s / 2)
        at_s = Fraction(0) if self._last is None else self._last[1]
        if at_s > from_s or span.start_s - at_s > self._ahead_s:
            self._seek(span.start_s, at_s)
        if self._last is not None and self._last[1] >= from_s:
            return self._last[0]
        for frame, time_s in self._frames:
            self._last = frame, time_s
            if time_s >= from_s:
                break
        return None if self._last is None else self._last[0]

    def _seek(self, to_s: Fraction, at_s: Fraction) -> None:
        """To a keyframe before a moment, or to the start of the file."""
        for back_s in _BACK_S:
            self._begin_at(to_s - back_s)
            self._frames = self._decoded(to_s)
            self._last = next(self._frames, None)
            if self._last is not None and self._last[1] <= to_s + self._half_frame_s:
                break
        else:
            self._begin_at(-self._zero_s)
            self._frames = self._decoded()
            self._last = next(self._frames, None)
        if self._last is not None and self._last[1] <= at_s <= to_s:
            # Keyframes are far apart here: next time it pays to read on for longer.
            self._ahead_s *= 2

    def _begin_at(self, time_s: Fraction) -> None:
        ticks = int((time_s + self._zero_s) / self._tick_s)
        try:
            self._container.seek(ticks, stream=self._stream, backward=True)
        except av.error.FFmpegError:
            # Some containers cannot: everything is read on from the start.
            self._container.seek(0)
        self._stream.codec_context.flush_buffers()

    def _decoded(self, wanted_s: Fraction | None = None) -> Iterator[tuple[VideoFrame, Fraction]]:
        """Frames from here on; none where the first of them would be far behind what is wanted."""
        begun = False
        for packet in self._container.demux(self._stream):
            if not begun and wanted_s is not None and packet.pts is not None:
                time_s = packet.pts * self._tick_s - self._zero_s
                if time_s > wanted_s + _AHEAD_S:
                    return
            try:
                frames = packet.decode()
            except (av.error.InvalidDataError, av.error.ArgumentError):
                continue  # a damaged packet costs its frame
            for frame in frames:
                ticks = frame.pts if frame.pts is not None else frame.dts
                if ticks is not None:
                    begun = True
                    yield frame, ticks * self._tick_s - self._zero_s


class _Sketch:
    """Makes a frame small, upright, and as wide as it is shown."""

    def __init__(self, stream: VideoStream, width_px: int, height_px: int) -> None:
        self._reformatter = VideoReformatter()
        self._pixel = Fraction(stream.sample_aspect_ratio or 1) or Fraction(1)
        self._box = width_px, height_px

    def of(self, frame: VideoFrame) -> Thumbnail:
        turned = frame.rotation // 90 % 4
        box = self._box[::-1] if turned % 2 else self._box
        width, height = fitted(frame.width * self._pixel, frame.height, box)
        told: dict[str, Any] = {}
        if frame.colorspace == _UNKNOWN_COLOUR and frame.height >= _HD_LINES:
            told["src_colorspace"] = Colorspace.ITU709
        small = self._reformatter.reformat(
            frame, width=width, height=height, format="rgb24", interpolation="AREA", **told
        )
        pixels = small.to_ndarray().astype(np.uint8, copy=False)
        transfer = _TRANSFERS.get(int(frame.color_trc))
        shown = pixels if transfer is None else to_sdr(pixels, transfer)
        return np.ascontiguousarray(np.rot90(shown, turned))


def fitted(width: Fraction | int, height: int, box: tuple[int, int]) -> tuple[int, int]:
    """The largest size of the same shape within a box, in pixels.

    Args:
        width: Of what has to fit, in pixels as high as they are wide.
        height: The same.
        box: Most columns and lines.
    """
    scale = min(box[0] / Fraction(width), Fraction(box[1], height))
    return max(round(width * scale), 1), max(round(height * scale), 1)
