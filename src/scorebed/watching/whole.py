"""Whether a film is all there: its container promises no more than the file holds, and it opens."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from scorebed.boxes import boxes_in, read
from scorebed.errors import MediaError
from scorebed.media import open_media, open_source

if TYPE_CHECKING:
    from collections.abc import Iterable

_STAGE = "watch"
_WAIT = "Wait until the copy or export has ended; if it has, make it again."
_MP4 = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"moof", b"styp"}
_HOLE = bytes(4)
_MAIN = _MP4 | {b"uuid", b"meta", b"mfra", b"sidx", b"udta", b"pnot"}
_EBML, _SEGMENT = 0x1A45DFA3, 0x18538067
_UNSAID = 0xFFFFFFFF
_TAIL_S = 2
_MICROSECONDS = 1_000_000


def require_whole(path: Path) -> None:
    """Refuses a film whose end is not there.

    MP4 and QuickTime need their index and all bytes that their boxes promise, Matroska and AVI what
    their header promises, if it does; the last picture must not be a hole that a copying program
    has kept room for. What else there is has to open.

    Args:
        path: The file.

    Raises:
        MediaError: If it cannot be opened, or is not whole.
    """
    with open_source(path, stage=_STAGE) as file:
        size_bytes = file.seek(0, os.SEEK_END)
        head = read(file, 0, 4)
        boxed = read(file, 4, 4).to_bytes(4, "big") in _MP4
        if not size_bytes:
            raise _unfinished(path, "it is empty")
        if boxed:
            _require_boxes(path, file, size_bytes)
        elif head == _EBML:
            _require_bytes(path, _matroska_bytes(file), size_bytes)
        elif head.to_bytes(4, "big") == b"RIFF":
            file.seek(4)
            told = int.from_bytes(file.read(4), "little")
            _require_bytes(path, told + 8 if told not in {0, _UNSAID} else None, size_bytes)
    with open_media(path, stage=_STAGE) as container:
        film = container.streams.best("video")
        if not boxed or film is None or container.duration is None:
            return
        start = container.start_time or 0
        container.seek(max(start, start + container.duration - _TAIL_S * _MICROSECONDS))
        last = None
        for packet in container.demux(film):
            last = packet if packet.size else last
        if last is not None and not any(bytes(last)):
            raise _unfinished(path, "its last picture is not there yet")


def writers(paths: Iterable[Path]) -> set[Path]:
    """Files that a program on this machine has open for writing.

    Linux says it, of the programs of the same user; elsewhere, and of a share's other machines,
    nobody does.

    Args:
        paths: The files.
    """
    wanted = {os.path.realpath(path): path for path in paths}
    found: set[Path] = set()
    if not wanted or not Path("/proc/self/fd").is_dir():
        return found
    for process in os.scandir("/proc"):
        if not process.name.isdigit() or process.name == str(os.getpid()):
            continue
        # It has ended meanwhile, or is another user's.
        with suppress(OSError), os.scandir(f"{process.path}/fd") as opened:
            for one in opened:
                # It may be closed meanwhile, and the film's come after it.
                with suppress(OSError):
                    path = wanted.get(os.readlink(one.path))  # noqa: PTH115 - thousands of them
                    if path is not None and one.stat(follow_symlinks=False).st_mode & 0o200:
                        found.add(path)
    return found


def _require_boxes(path: Path, file: BinaryIO, size_bytes: int) -> None:
    index, end = False, 0
    for box in boxes_in(file, 0, size_bytes):
        # Room that is kept for it is no index.
        inner = {one.name for one in boxes_in(file, box.at, box.end)} if box.name == b"moov" else ()
        index = index or (b"mvhd" in inner and _HOLE not in inner)
        end = box.end
    after = read(file, end + 4, 4).to_bytes(4, "big") if end + 8 <= size_bytes else b""
    if after in _MAIN:
        raise _unfinished(path, f"its part {after.decode()!r} goes on behind the end of the file")
    if not index:
        raise _unfinished(path, "its index (moov) is not there yet")


def _matroska_bytes(file: BinaryIO) -> int | None:
    """Length of the file as its header says; None where it does not, as in a stream."""
    header = _element(file, 4)
    if header is None:
        return None
    at = header[0] + header[1]
    if read(file, at, 4) != _SEGMENT:
        return None
    segment = _element(file, at + 4)
    return None if segment is None else sum(segment)


def _element(file: BinaryIO, at: int) -> tuple[int, int] | None:
    """Where an element's content begins and how long it is, from its length on (RFC 8794, 4)."""
    first = read(file, at, 1)
    width = 9 - first.bit_length()
    if not first:
        return None
    value = read(file, at, width) & ((1 << 7 * width) - 1)
    return None if value == (1 << 7 * width) - 1 else (at + width, value)


def _require_bytes(path: Path, promised: int | None, size_bytes: int) -> None:
    if promised is not None and promised > size_bytes:
        raise _unfinished(path, f"its header promises {promised} bytes, it has {size_bytes}")


def _unfinished(path: Path, why: str) -> MediaError:
    return MediaError(f"{_STAGE}: {path} is not whole: {why}", remedy=_WAIT)
