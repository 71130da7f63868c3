"""The end of an edit list: ffmpeg's QuickTime muxer writes where the picture begins, not where
it ends.
"""  # noqa: D205 - one sentence, two lines

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, NamedTuple

_INSIDE = {b"moov", b"trak", b"edts"}
_HEADER_BYTES, _LONG_HEADER_BYTES = 8, 16
_NO_MEDIA = -1


class _Box(NamedTuple):
    """A box of ISO/IEC 14496-12: its name and where its content lies in the file."""

    name: bytes
    at: int
    end: int


def end_picture(path: Path, track: int, duration_s: Fraction) -> None:
    """Hides the frames of a track that come after its end, in place.

    The packets stay where they are: the durations of its edit, of the track and of the film are
    written anew (ISO/IEC 14496-12, 8.6.6, 8.3.2 and 8.2.2).

    Args:
        path: A finished MP4 or MOV file of our own.
        track: Number of the track in the file, from 0.
        duration_s: How much of it is shown, in seconds.
    """
    with path.open("rb+") as file:
        size_bytes = file.seek(0, os.SEEK_END)
        moov = next(box for box in _boxes(file, 0, size_bytes) if box.name == b"moov")
        inside = list(_boxes(file, moov.at, moov.end))
        mvhd = next(box for box in inside if box.name == b"mvhd")
        traks = [box for box in inside if box.name == b"trak"]
        scale = _read(file, mvhd.at + (20 if _is_long(file, mvhd) else 12), 4)
        durations = []
        for number, trak in enumerate(traks):
            boxes = {box.name: box for box in _all(file, trak)}
            tkhd = boxes[b"tkhd"]
            at, width = (tkhd.at + 28, 8) if _is_long(file, tkhd) else (tkhd.at + 20, 4)
            if number == track and b"elst" in boxes:
                whole = _end_edit(file, boxes[b"elst"], round(duration_s * scale))
                _write(file, at, width, whole)
            durations.append(_read(file, at, width))
        at, width = (mvhd.at + 24, 8) if _is_long(file, mvhd) else (mvhd.at + 16, 4)
        _write(file, at, width, max(durations))


def _end_edit(file: BinaryIO, elst: _Box, shown: int) -> int:
    """Sets the length of the edit that shows the media; returns that of all edits together."""
    long = _is_long(file, elst)
    width = 8 if long else 4
    entry = elst.at + 8
    whole = 0
    for _ in range(_read(file, elst.at + 4, 4)):
        file.seek(entry + width)
        media_time = int.from_bytes(file.read(width), "big", signed=True)
        if media_time != _NO_MEDIA:
            _write(file, entry, width, shown)
        whole += _read(file, entry, width)
        entry += 2 * width + 4
    return whole


def _all(file: BinaryIO, box: _Box) -> Iterator[_Box]:
    for inner in _boxes(file, box.at, box.end):
        yield inner
        if inner.name in _INSIDE:
            yield from _all(file, inner)


def _boxes(file: BinaryIO, at: int, end: int) -> Iterator[_Box]:
    while at + _HEADER_BYTES <= end:
        file.seek(at)
        size, name = struct.unpack(">I4s", file.read(_HEADER_BYTES))
        header = _HEADER_BYTES
        if size == 1:
            size, header = int.from_bytes(file.read(8), "big"), _LONG_HEADER_BYTES
        elif size == 0:
            size = end - at
        yield _Box(name, at + header, at + size)
        at += size


def _is_long(file: BinaryIO, box: _Box) -> bool:
    """Whether a full box is of version 1: 64-bit times."""
    return _read(file, box.at, 1) == 1


def _read(file: BinaryIO, at: int, width: int) -> int:
    file.seek(at)
    return int.from_bytes(file.read(width), "big")


def _write(file: BinaryIO, at: int, width: int, value: int) -> None:
    file.seek(at)
    file.write(value.to_bytes(width, "big"))
