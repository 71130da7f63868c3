"""ZIPs, good ones and hostile ones."""

from __future__ import annotations

import functools
import io
import struct
import zipfile
import zlib
from pathlib import Path

BOMB_BYTES = 5 << 30
"""What the hostile member inflates to."""
HIDDEN_BYTES = 1 << 20
"""What the other hostile member says that it inflates to."""
MANY = 100_000
"""Members of the ZIP that has too many."""
_BOMB_CRC = 0x193838C3
"""``zlib.crc32`` of 5 GiB of zeros, which takes seconds to find out."""
_BLOCK_BYTES = 1 << 20
_TIME = (2026, 1, 1, 0, 0, 0)


def archive(path: Path, members: list[tuple[str, Path]]) -> Path:
    """Writes a ZIP of files, stored, the same bytes for the same members."""
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members:
            file.writestr(zipfile.ZipInfo(name, _TIME), content.read_bytes())
    return path


def damaged(path: Path) -> Path:
    """Turns a byte in the middle of the first member, so that its checksum is wrong."""
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        first = file.infolist()[0]
    # A local header is 30 bytes and the name.
    data[first.header_offset + 30 + len(first.filename) + first.compress_size // 2] ^= 0xFF
    path.write_bytes(data)
    return path


@functools.cache
def many() -> bytes:
    """A ZIP with 100,000 members of one byte."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as file:
        for number in range(MANY):
            file.writestr(zipfile.ZipInfo(f"{number:06d}.mp3", _TIME), b"0")
    return whole.getvalue()


@functools.cache
def bomb(*, hidden: bool) -> bytes:
    """A ZIP of 5 MB with one member ``music.mp3`` of 5 GiB of zeros.

    Args:
        hidden: The directory says that it has 1 MB.
    """
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    # After a full flush a block leans on nothing before it, and so can be repeated.
    block = deflate.compress(bytes(_BLOCK_BYTES)) + deflate.flush(zlib.Z_FULL_FLUSH)
    data = block * (BOMB_BYTES // _BLOCK_BYTES) + zlib.compressobj(9, zlib.DEFLATED, -15).flush()
    size_bytes = HIDDEN_BYTES if hidden else BOMB_BYTES
    name = b"music.mp3"
    # Sizes that do not fit 32 bits are given in the ZIP64 field (APPNOTE 4.5.3).
    extra = struct.pack("<HHQQ", 1, 16, size_bytes, len(data))
    common = struct.pack(
        "<HHHHHIIIHH", 45, 0, 8, 0, 0x5C21, _BOMB_CRC, 0xFFFFFFFF, 0xFFFFFFFF, len(name), len(extra)
    )
    local = b"PK\x03\x04" + common + name + extra
    central = b"PK\x01\x02" + struct.pack("<H", 45) + common
    central += struct.pack("<HHHII", 0, 0, 0, 0, 0) + name + extra
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 1, 1, len(central), len(local + data), 0)
    return local + data + central + end
