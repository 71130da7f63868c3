"""Boxes of MP4 and QuickTime files (ISO/IEC 14496-12): what no library here tells or writes."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

_INSIDE = {b"moov", b"trak", b"edts", b"mdia", b"minf", b"stbl"}
_PROTECTED = {b"encv", b"enca", b"encs", b"enct", b"drms", b"drmi"}
_HEADER_BYTES, _LONG_HEADER_BYTES = 8, 16
_DEEPEST = 8


class Box(NamedTuple):
    """A box: its name and where its content lies in the file."""

    name: bytes
    at: int
    end: int


def timecode_base(file: BinaryIO) -> int | None:
    """How many frames a second of a QuickTime timecode counts: 30 in many films of 60 per second.

    It stands in the description of the timecode track (QuickTime File Format, "Timecode Sample
    Description"): flags, time scale, duration of a frame, number of frames.

    Args:
        file: An MP4 or QuickTime file.

    Returns:
        Frames per second, or None where there is no such track.
    """
    for box in boxes_in(file, 0, file.seek(0, os.SEEK_END)):
        if box.name != b"moov":
            continue
        for inner in all_boxes(file, box):
            # Version, flags and the number of entries stand before the first of them.
            entry = next(boxes_in(file, inner.at + 8, inner.end), None)
            if inner.name == b"stsd" and entry is not None and entry.name == b"tmcd":
                return read(file, entry.at + 24, 1) or None
    return None


def protected_tracks(file: BinaryIO) -> Iterator[int]:
    """Tracks of which some or all samples are encrypted: the kind of one of their samples says so.

    A clear beginning does not matter (ISO/IEC 14496-12, 8.12; ``drms`` and ``drmi`` are iTunes').

    Args:
        file: An MP4 or QuickTime file; any other has none.

    Yields:
        Their numbers in the file, from 0.
    """
    for moov in boxes_in(file, 0, file.seek(0, os.SEEK_END)):
        if moov.name != b"moov":
            continue
        traks = [box for box in boxes_in(file, moov.at, moov.end) if box.name == b"trak"]
        for number, trak in enumerate(traks):
            kinds = {
                entry.name
                for box in all_boxes(file, trak)
                if box.name == b"stsd"
                for entry in boxes_in(file, box.at + 8, box.end)
            }
            if kinds & _PROTECTED:
                yield number


def all_boxes(file: BinaryIO, box: Box, depth: int = 0) -> Iterator[Box]:
    """What lies in a box, and in the boxes in it, in order.

    Args:
        file: The file.
        box: One that holds others.
        depth: How deep it lies itself; a crafted file is followed no further than real ones go.
    """
    for inner in boxes_in(file, box.at, box.end):
        yield inner
        if inner.name in _INSIDE and depth < _DEEPEST:
            yield from all_boxes(file, inner, depth + 1)


def boxes_in(file: BinaryIO, at: int, end: int) -> Iterator[Box]:
    """The boxes from ``at`` up to ``end``; what is no box ends them."""
    while at + _HEADER_BYTES <= end:
        file.seek(at)
        size, name = struct.unpack(">I4s", file.read(_HEADER_BYTES).ljust(_HEADER_BYTES, b"\0"))
        header = _HEADER_BYTES
        if size == 1:
            size, header = int.from_bytes(file.read(8), "big"), _LONG_HEADER_BYTES
        elif size == 0:
            size = end - at
        if size < header or at + size > end:
            return
        yield Box(name, at + header, at + size)
        at += size


def is_long(file: BinaryIO, box: Box) -> bool:
    """Whether a full box is of version 1: 64-bit times."""
    return read(file, box.at, 1) == 1


def read(file: BinaryIO, at: int, width: int) -> int:
    """An unsigned number of so many bytes; 0 behind the end of the file."""
    file.seek(at)
    return int.from_bytes(file.read(width), "big")


def write(file: BinaryIO, at: int, width: int, value: int) -> None:
    """Writes an unsigned number of so many bytes in place."""
    file.seek(at)
    file.write(value.to_bytes(width, "big"))
