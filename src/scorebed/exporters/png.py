"""A PNG that is written band by band: its size in memory is that of one band."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB = 2


def write_png(
    path: Path, width_px: int, height_px: int, bands: Iterable[NDArray[np.uint8]]
) -> None:
    """Writes an RGB picture (PNG, W3C Recommendation, 8 bits, not interlaced).

    Args:
        path: The file; it is replaced.
        width_px: Columns.
        height_px: Lines of all bands together.
        bands: From the top, each of shape (lines, ``width_px``, 3).
    """
    packer = zlib.compressobj(6)
    with path.open("wb") as file:
        file.write(_SIGNATURE)
        _chunk(file, b"IHDR", struct.pack(">IIBBBBB", width_px, height_px, 8, _RGB, 0, 0, 0))
        for band in bands:
            assert band.shape[1:] == (width_px, 3)
            # Each line is told by the difference from the one above (filter 2), the first from 0.
            rows = band.reshape(len(band), -1)
            lines = np.empty((len(rows), 1 + rows.shape[1]), dtype=np.uint8)
            lines[0, 0], lines[1:, 0] = 0, 2
            lines[0, 1:] = rows[0]
            lines[1:, 1:] = rows[1:] - rows[:-1]
            _chunk(file, b"IDAT", packer.compress(lines.tobytes()))
            height_px -= len(band)
        _chunk(file, b"IDAT", packer.flush())
        _chunk(file, b"IEND", b"")
    assert height_px == 0


def _chunk(file: BinaryIO, kind: bytes, content: bytes) -> None:
    file.write(struct.pack(">I", len(content)) + kind + content)
    file.write(struct.pack(">I", zlib.crc32(kind + content)))
