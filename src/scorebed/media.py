"""Containers read in this process, through PyAV. The only room that opens media with it."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import av
import av.container
import av.error
import av.logging

from scorebed.errors import MediaError
from scorebed.ffmpeg import CONTAINERS
from scorebed.model import SourceFile

# libav writes its complaints to stderr, which belongs to people; what matters comes as an error.
av.logging.set_level(None)

_SAMPLED_BYTES = 1 << 20


@contextmanager
def open_media(path: Path, *, stage: str) -> Iterator[av.container.InputContainer]:
    """Opens a user's file for reading: one local file, no playlist, no address.

    Args:
        path: The file.
        stage: Named in errors.

    Raises:
        MediaError: If it is not there, cannot be read, or is not a container that we know.
    """
    # A file object, not a name: no name can then be taken for a protocol or a pattern.
    with open_source(path, stage=stage) as file:
        try:
            container = av.open(
                file,
                "r",
                metadata_errors="replace",
                buffer_size=1 << 18,
                options={"format_whitelist": CONTAINERS, "protocol_whitelist": "file"},
            )
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise MediaError(
                f"{stage}: {path} is not a media file that can be read ({_short(error)})",
                remedy="Check that the export finished and that the file plays, then try again.",
            ) from error
        try:
            yield container
        except av.error.FFmpegError as error:
            raise MediaError(
                f"{stage}: {path} is damaged ({_short(error)})",
                remedy="Export or copy the file again; if it plays, remux it with: "
                "ffmpeg -i FILE -c copy NEW_FILE",
            ) from error
        finally:
            container.close()


@contextmanager
def open_source(path: Path, *, stage: str) -> Iterator[BinaryIO]:
    """Opens a user's file as bytes.

    Raises:
        MediaError: If it is missing, a folder, or may not be read.
    """
    try:
        # Opening a pipe that nobody writes to would wait for ever.
        if not stat.S_ISREG(path.stat().st_mode):
            raise MediaError(
                f"{stage}: {path} is not a file",
                remedy="Give the path of one video file.",
            )
        file = path.open("rb")
    except OSError as error:
        raise MediaError(
            f"{stage}: {path} cannot be opened ({error.strerror})",
            remedy="Check the path and that you may read the file.",
        ) from error
    with file:
        yield file


def identify(path: Path) -> SourceFile:
    """A user's file with its fingerprint: size, modification time and sampled content.

    Args:
        path: The file. Reading all of a 50 GB master to name it would cost more than the work.

    Raises:
        MediaError: If it is missing, a folder, empty, or may not be read.
    """
    with open_source(path, stage="probe"):
        status = path.stat()
    if not status.st_size:
        raise MediaError(
            f"probe: {path} is empty (0 bytes)",
            remedy="Check that the export finished, then try again.",
        )
    digest = hashlib.sha256(f"{status.st_size} {status.st_mtime_ns}".encode())
    with path.open("rb") as file:
        for share in (0, 1, 2, 3, 4):
            file.seek(max(0, status.st_size - _SAMPLED_BYTES) * share // 4)
            digest.update(file.read(_SAMPLED_BYTES))
    return SourceFile(path=path, fingerprint=digest.hexdigest())


def _short(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).split(":")[0].rstrip(".")
