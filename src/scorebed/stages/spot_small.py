"""The picture once more, small: what proxies are made from, so that it is decoded only once.

Every frame of it stands for itself: parts that were encoded side by side are one film.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import av
import av.error
import numpy as np
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from scorebed.dsp.picture import Look, distance
from scorebed.media import open_media, write_media
from scorebed.stages.spot_frames import STAGE, time_base_of

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from scorebed.model import Picture, SourceFile
    from scorebed.stages.spot_index import Index

NAME: Final = "small.mp4"
_ENCODER: Final = "libx264"
_OPTIONS: Final = {"preset": "ultrafast", "tune": "zerolatency", "crf": "24"}
_APART_S: Final = Fraction(6, 100)
"""Frames nearer than this to the last one that was taken are left out, as proxies have no more than
12.5 in a second."""
_NEW: Final = 0.08
"""Distance to the last one from which a frame is taken all the same: it may begin a shot."""
_RGB: Final = 0
_UNTOLD: Final = 2
"""Colours of which nothing is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What the frames of a small film are: pixels square."""

    width_px: int
    height_px: int
    frame_rate: Fraction
    colour: tuple[tuple[str, int], ...]
    """How an encoder is told what the colours mean: its attributes and their values."""

    def set_up(self, encoder: VideoCodecContext) -> None:
        """Makes an encoder one of the film: what each of them writes fits beside the others."""
        encoder.width, encoder.height = self.width_px, self.height_px
        encoder.pix_fmt = "yuv420p"
        encoder.framerate = self.frame_rate
        encoder.time_base = 1 / self.frame_rate
        encoder.gop_size = 1
        encoder.thread_count = 1
        encoder.options = dict(_OPTIONS)
        for name, value in self.colour:
            setattr(encoder, name, value)

    def encoder(self) -> VideoCodecContext:
        """A new encoder of the film, for one thread."""
        encoder: Any = av.CodecContext.create(_ENCODER, "w")
        self.set_up(encoder)
        # As the container has them: the header stands at the head of the file, once.
        encoder.flags |= av.codec.context.Flags.global_header
        made: VideoCodecContext = encoder
        return made


def form_of(source: SourceFile, picture: Picture, index: Index, height_px: int) -> Form | None:
    """The form of a small film; None where there would be nothing to gain, or it would not do.

    It would not where frames do not lie on an even grid, are shown turned, or are HDR.

    Args:
        source: The user's file.
        picture: What it is.
        index: What its packets say.
        height_px: Most lines of the film, even.
    """
    video = picture.streams[picture.video_index].video
    if _ENCODER not in av.codecs_available or video is None or video.dynamic_range != "sdr":
        return None
    with open_media(source.path, stage=STAGE) as container:
        time_base = time_base_of(container, picture)
        stream = container.streams[picture.video_index]
        assert isinstance(stream, VideoStream)
        try:
            frame = next(container.decode(stream))
        except (StopIteration, av.error.InvalidDataError, av.error.ArgumentError):
            return None
        aspect = Fraction(stream.sample_aspect_ratio or 1)
    even = np.arange(len(index.pts)) / float(picture.frame_rate * time_base)
    uneven = np.abs(index.pts - index.pts[0] - even).max() > 1 / (
        4 * float(picture.frame_rate * time_base)
    )
    if uneven or frame.side_data.get("DISPLAYMATRIX") is not None or frame.height <= height_px:
        return None
    colour = {
        "colorspace": frame.colorspace if frame.colorspace != _RGB else _UNTOLD,
        "color_primaries": frame.color_primaries,
        "color_trc": frame.color_trc,
    }
    form = Form(
        width_px=max(2, 2 * round(frame.width * aspect / frame.height * height_px / 2)),
        height_px=height_px,
        frame_rate=picture.frame_rate,
        colour=tuple((name, int(value)) for name, value in colour.items()),
    )
    return form if _can_be_made(form, frame) else None


def _can_be_made(form: Form, frame: VideoFrame) -> bool:
    """Whether the encoder takes what the first frame says of size and colour."""
    try:
        return bool(Maker(form).encoded(0, frame))
    except av.error.FFmpegError:
        return False


@dataclass(slots=True, eq=False)
class Maker:
    """Takes frames of a part and encodes those that are wanted. For one thread."""

    form: Form
    packets: dict[int, Packet[VideoStream]] = field(default_factory=dict)
    """What was made, by places."""
    _scaler: VideoReformatter = field(default_factory=VideoReformatter)
    _encoder: VideoCodecContext = field(init=False)
    _newest: tuple[int, Look] | None = None
    _count: int = 0

    def __post_init__(self) -> None:
        self._encoder = self.form.encoder()

    def add(self, place: int, frame: VideoFrame, look: Look) -> None:
        """Takes a frame, unless it is near to the last one in time and looks.

        Args:
            place: Its number in the picture.
            frame: As it was decoded.
            look: What it looks like.
        """
        if self._newest is not None:
            before, other = self._newest
            near = abs(place - before) < _APART_S * self.form.frame_rate
            if near and distance(look, other) < _NEW:
                return
        self._newest = place, look
        self.packets[place] = self.encoded(place, frame)

    def encoded(self, place: int, frame: VideoFrame) -> Packet[VideoStream]:
        """A frame, small, at its place."""
        told: dict[str, Any] = {}
        if frame.color_range == ColorRange.JPEG:
            told = {"src_color_range": ColorRange.JPEG, "dst_color_range": ColorRange.MPEG}
        small = self._scaler.reformat(
            frame,
            width=self.form.width_px,
            height=self.form.height_px,
            format="yuv420p",
            interpolation=Interpolation.AREA,
            threads=1,
            **told,
        )
        # Frames come in the order in which they are asked for; an encoder wants its own.
        small.pts, small.time_base = self._count, 1 / self.form.frame_rate
        self._count += 1
        # Without latency: what goes in comes out at once.
        (packet,) = self._encoder.encode(small)
        packet.pts = packet.dts = place
        packet.duration = 1
        return packet


@dataclass(frozen=True, slots=True, eq=False)
class SmallFilm:
    """The file, as it is written part by part."""

    form: Form
    _output: Any
    _stream: VideoStream

    def add(self, packets: dict[int, Packet[VideoStream]]) -> None:
        """Writes what was made of a part, in order."""
        for place in sorted(packets):
            packet = packets[place]
            packet.stream = self._stream
            self._output.mux(packet)


@contextmanager
def writing(path: Path, form: Form) -> Iterator[SmallFilm]:
    """A small film at a path; nothing is left there if it fails.

    Args:
        path: Where it is written.
        form: What it is.
    """
    try:
        options = {"video_track_timescale": str(form.frame_rate.numerator)}
        with write_media(path, "mp4", options) as output:
            stream = output.add_stream(_ENCODER, rate=form.frame_rate)
            form.set_up(stream.codec_context)
            stream.time_base = 1 / form.frame_rate
            yield SmallFilm(form, output, stream)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
