"""Files that came in, measured by decoding all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from av.error import FFmpegError

from scorebed.testing.service_music import key_of
from scorebed.testing.service_requests import ReceivedFile
from scorebed.wav import sha256_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HEARD_HZ = 8000
_HEARD_S = 16
"""How much of a file's sound is listened to: two patterns of our own music."""

_EARLY_S = Fraction(1, 2)
"""A file whose picture ends so much before its header says is taken for cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The head of a part of a multipart body."""

    name: str
    """Its name."""
    filename: str | None
    """What the file is called; None for a field."""
    content_type: str
    """As the client says it; empty when it does not."""


def measure(part: Part, path: Path, going_on: Callable[[], None]) -> ReceivedFile:
    """What a file holds; it is deleted afterwards.

    Args:
        part: Where it came in.
        path: The file.
        going_on: Called for each frame; raises when there is no use in it.
    """
    sha256 = sha256_of(path)
    seen = _Seen()
    try:
        _watch(path, seen, going_on)
        if seen.audio:
            _listen(path, seen)
    except FFmpegError as error:
        seen.problem = str(error)
    size_bytes = path.stat().st_size
    path.unlink()
    return ReceivedFile(
        part_name=part.name,
        filename=part.filename or "",
        content_type=part.content_type,
        sha256=sha256,
        size_bytes=size_bytes,
        duration_s=float(seen.end_s - seen.start_s),
        frames=seen.frames,
        width_px=seen.width_px,
        height_px=seen.height_px,
        audio=seen.audio,
        key=seen.key,
        problem=seen.problem,
    )


class _Seen:
    """What was found in a file, as far as it could be decoded."""

    def __init__(self) -> None:
        self.start_s = Fraction(0)
        self.end_s = Fraction(0)
        self.frames = 0
        self.width_px = 0
        self.height_px = 0
        self.audio = False
        self.key: int | None = None
        self.problem = ""


def _watch(path: Path, seen: _Seen, going_on: Callable[[], None]) -> None:
    """Decodes all of the first picture stream."""
    with av.open(str(path)) as container:
        seen.audio = bool(container.streams.audio)
        if not container.streams.video:
            seen.problem = "there is no picture in it"
            return
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        usual_s = 1 / (stream.average_rate or stream.base_rate or Fraction(25))
        for frame in container.decode(stream):
            going_on()
            tick_s = Fraction(frame.time_base or stream.time_base or 0)
            at_s = seen.end_s if frame.pts is None else frame.pts * tick_s
            if not seen.frames:
                seen.start_s = at_s
                seen.width_px, seen.height_px = frame.width, frame.height
            seen.frames += 1
            seen.end_s = max(seen.end_s, at_s + (frame.duration * tick_s or usual_s))
        said_s = (stream.duration or 0) * Fraction(stream.time_base or 0)
        if not seen.frames:
            seen.problem = "no frame of it can be decoded"
        elif seen.end_s - seen.start_s < said_s - _EARLY_S:
            seen.problem = f"it ends at {float(seen.end_s):.1f} s of {float(said_s):.1f} s"


def _listen(path: Path, seen: _Seen) -> None:
    """Decodes the beginning of the sound."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="flt", layout="mono", rate=_HEARD_HZ)
        blocks: list[NDArray[np.float32]] = []
        for frame in container.decode(stream):
            blocks += [part.to_ndarray()[0] for part in resampler.resample(frame)]
            if sum(map(len, blocks)) >= _HEARD_S * _HEARD_HZ:
                break
    if blocks:
        seen.key = key_of(np.concatenate(blocks), _HEARD_HZ)
