"""ZIP archives in an answer: inflated under names of our own, counted while they are inflated."""

from __future__ import annotations

import errno
import re
import stat
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

from scorebed.answers.parts import CHUNK_BYTES, MAX_MEMBERS, Found, readable, words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scorebed.answers.parts import Opening

AUDIO_SUFFIXES = frozenset(
    words(
        ".aac .ac3 .aif .aiff .alaw .au .caf .flac .m4a .mka .mp2 .mp3 .mp4 .oga .ogg .opus "
        ".pcm .raw .ulaw .wav .weba .webm .wma .wv"
    )
)
_LEAVES = re.compile(r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)|\x00")
_KEPT = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ENCRYPTED = 0x1
_END = b"PK\x05\x06"
_END64 = b"PK\x06\x06"
_END_BYTES = 66_000
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    struct.error,
)


def open_zip(opening: Opening, path: Path) -> None:
    """Inflates an archive and adds what it holds.

    Args:
        opening: The answer.
        path: The archive.

    Raises:
        BadAnswer: If it is broken or hostile.
    """
    _require_few(opening, path)
    try:
        archive = zipfile.ZipFile(path)
    except _BROKEN as error:
        raise opening.bad(f"a ZIP archive that is broken ({readable(str(error))})") from error
    except OSError as error:
        raise _from_os(opening, error, "the list of its files") from error
    with archive:
        members = archive.infolist()
        if len(members) > MAX_MEMBERS:
            raise opening.bad(f"a ZIP archive of {len(members)} files")
        # All are looked at before any is written.
        for member in members:
            _require_harmless(opening, member)
        for member in sorted(members, key=lambda member: natural(member.filename)):
            if not member.is_dir() and not _is_litter(member.filename):
                written = opening.write(_inflated(opening, archive, member))
                suffix = re.sub(r".*?(\.[^./]*)?$", r"\1", member.filename.lower())
                must = suffix in AUDIO_SUFFIXES
                opening.queue.append(
                    Found(path=written, name=member.filename, origin="zip", must=must)
                )


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """A key that sorts ``scene 10`` after ``scene 9``."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name.casefold())
    return tuple((int(part[:18]), "") if part.isdigit() else (-1, part) for part in parts)


def _require_few(opening: Opening, path: Path) -> None:
    """Refuses a huge list of files before it is read into memory."""
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size_bytes - _END_BYTES))
        tail = file.read()
    end, end64 = tail.rfind(_END), tail.rfind(_END64)
    count = 0
    if 0 <= end <= len(tail) - 22:
        count = struct.unpack_from("<H", tail, end + 10)[0]
    if 0 <= end64 <= len(tail) - 56:
        count = struct.unpack_from("<Q", tail, end64 + 32)[0]
    if count > MAX_MEMBERS:
        raise opening.bad(f"a ZIP archive of {count} files")


def _require_harmless(opening: Opening, member: zipfile.ZipInfo) -> None:
    name = readable(member.orig_filename)
    if _LEAVES.search(member.orig_filename) or _LEAVES.search(member.filename):
        raise opening.bad(f"a ZIP archive with a path that leaves its folder: {name}")
    mode = member.external_attr >> 16
    if stat.S_ISLNK(mode):
        raise opening.bad(f"a ZIP archive with a symbolic link: {name}")
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise opening.bad(f"a ZIP archive with something that is no file: {name}")
    if member.flag_bits & _ENCRYPTED:
        raise opening.bad(f"a ZIP archive with an encrypted file: {name}")
    if member.compress_type not in _KEPT:
        raise opening.bad(
            f"a ZIP archive with a file that is packed in an unusual way: {name} "
            f"(method {member.compress_type})"
        )


def _is_litter(name: str) -> bool:
    return name.startswith("__MACOSX/") or name.rpartition("/")[2].startswith(".")


def _inflated(
    opening: Opening, archive: zipfile.ZipFile, member: zipfile.ZipInfo
) -> Iterator[bytes]:
    name = readable(member.filename)
    try:
        with archive.open(member) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except _BROKEN as error:
        raise opening.bad(
            f"a ZIP archive with a bad member: {name} ({readable(str(error))})"
        ) from error
    except OSError as error:
        raise _from_os(opening, error, name) from error


def _from_os(opening: Opening, error: OSError, name: str) -> Exception:
    """Offsets that lead nowhere come as EINVAL; any other is the disk's own complaint."""
    if error.errno != errno.EINVAL:
        return error
    return opening.bad(f"a ZIP archive with a bad member: {name} (its place is outside the file)")
