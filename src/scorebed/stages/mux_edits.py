"""The end of an edit list: ffmpeg's QuickTime muxer writes where the picture begins, not where
it ends.
"""  # noqa: D205 - one sentence, two lines

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from scorebed.boxes import Box, all_boxes, boxes_in, is_long, read, write

_NO_MEDIA = -1


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
        moov = next(box for box in boxes_in(file, 0, size_bytes) if box.name == b"moov")
        inside = list(boxes_in(file, moov.at, moov.end))
        mvhd = next(box for box in inside if box.name == b"mvhd")
        traks = [box for box in inside if box.name == b"trak"]
        scale = read(file, mvhd.at + (20 if is_long(file, mvhd) else 12), 4)
        durations = []
        for number, trak in enumerate(traks):
            boxes = {box.name: box for box in all_boxes(file, trak)}
            tkhd = boxes[b"tkhd"]
            at, width = (tkhd.at + 28, 8) if is_long(file, tkhd) else (tkhd.at + 20, 4)
            if number == track and b"elst" in boxes:
                whole = _end_edit(file, boxes[b"elst"], round(duration_s * scale))
                write(file, at, width, whole)
            durations.append(read(file, at, width))
        at, width = (mvhd.at + 24, 8) if is_long(file, mvhd) else (mvhd.at + 16, 4)
        write(file, at, width, max(durations))


def _end_edit(file: BinaryIO, elst: Box, shown: int) -> int:
    """Sets the length of the edit that shows the media; returns that of all edits together."""
    long = is_long(file, elst)
    width = 8 if long else 4
    entry = elst.at + 8
    whole = 0
    for _ in range(read(file, elst.at + 4, 4)):
        file.seek(entry + width)
        media_time = int.from_bytes(file.read(width), "big", signed=True)
        if media_time != _NO_MEDIA:
            write(file, entry, width, shown)
        whole += read(file, entry, width)
        entry += 2 * width + 4
    return whole
