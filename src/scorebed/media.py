"""Containers read in this process, through PyAV. The only room that opens media with it."""

from __future__ import annotations

import hashlib
import io
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import av
import av.container
import av.error
import av.logging

from scorebed.errors import MediaError
from scorebed.ffmpeg import CONTAINERS
from scorebed.memory import limit_allocations
from scorebed.model import SourceFile

if TYPE_CHECKING:
    import threading

# libav writes its complaints to stderr, which belongs to people; what matters comes as an error.
av.logging.set_level(None)
limit_allocations(av.logging.__file__)

_SAMPLED_BYTES = 1 << 20
_BLOCK_BYTES = 1 << 22
_HEAD_BYTES = 1024
_TEXT_CONTROLS = frozenset(b"\t\n\r\f")
_STILL = (
    "Give a video file; a still becomes one with: "
    "ffmpeg -loop 1 -i FILE -t 10 -pix_fmt yuv420p NEW_FILE.mp4"
)
_PACKED = "Unpack it and give the video that is in it."
# A path has lost one of the two strokes.
_ADDRESS = re.compile(r"(https?|ftps?|sftp|rtmps?|rtsp|s3|gs):/", re.IGNORECASE)
_NO_FILM = "Give the path of one video file."
_OTHER_FILES = (
    (0, b"\x89PNG\r\n", "a PNG picture", _STILL),
    (0, b"\xff\xd8\xff", "a JPEG picture", _STILL),
    (0, b"II*\0", "a TIFF picture", _STILL),
    (0, b"MM\0*", "a TIFF picture", _STILL),
    (8, b"WEBP", "a WebP picture", _STILL),
    # Both look like MP4, and would be a film of one frame.
    (4, b"ftypavif", "an AVIF picture", _STILL),
    (4, b"ftyphei", "a HEIC picture", _STILL),
    (4, b"ftypmif1", "a HEIF picture", _STILL),
    (
        0,
        b"GIF8",
        "a GIF animation",
        "Make a video of it first: ffmpeg -i FILE -pix_fmt yuv420p NEW_FILE.mp4",
    ),
    (0, b"%PDF", "a PDF document", _NO_FILM),
    (0, b"PK\3\4", "a ZIP archive, or a document that is one", _PACKED),
    (0, b"Rar!", "a RAR archive", _PACKED),
    (0, b"7z\xbc\xaf", "a 7-Zip archive", _PACKED),
    (0, b"\x1f\x8b", "a gzip archive", _PACKED),
)
"""What people give in place of a film: where its signature lies, what it is, and a remedy."""
_TEXTS = (
    (b"#extm3u", "a playlist", "Give the video itself, as one file."),
    (b"<!doctype html", "a web page", "The download failed: fetch the video again."),
    (b"<html", "a web page", "The download failed: fetch the video again."),
    (b"", "text", "Give the path of one video file; subtitles go with --speech."),
)


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
        _require_no_other_kind(path, file.read(_HEAD_BYTES), stage)
        file.seek(0)
        try:
            container = av.open(
                file,
                "r",
                metadata_errors="replace",
                buffer_size=1 << 18,
                options={"format_whitelist": CONTAINERS, "protocol_whitelist": "file"},
            )
        except (av.error.FFmpegError, OSError, ValueError) as error:
            remedy = "Check that the export finished and that the file plays, then try again."
            raise _no_media(path, _short(error), stage, remedy) from error
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


def refuse_address(path: Path, *, stage: str) -> None:
    """Refuses an address in place of a file: scorebed fetches nothing.

    Args:
        path: What was given.
        stage: Named in errors.

    Raises:
        MediaError: If it is one.
    """
    if _ADDRESS.match(str(path)) and not path.exists():
        raise MediaError(
            f"{stage}: {path} is an address, not a file",
            remedy="Download it first, for example with: curl -LO ADDRESS - then give the file.",
        )


@contextmanager
def write_media(
    path: Path, format_name: str, options: dict[str, str]
) -> Iterator[av.container.OutputContainer]:
    """Opens a file of our own for writing.

    Args:
        path: The file; replaced if it is there.
        format_name: ffmpeg's name of the container.
        options: The container's options.

    Raises:
        OSError: If the disk is full or the file cannot be written.
    """
    # A file object: what the disk says comes as Python's own error.
    with path.open("wb") as file:
        container = av.open(file, "w", format=format_name, container_options=options)
        try:
            yield container
        except BaseException:
            # It fails once more at its end; what it failed of first is what counts.
            with suppress(av.error.FFmpegError, OSError):
                container.close()
            raise
        container.close()


@contextmanager
def open_source(path: Path, *, stage: str) -> Iterator[BinaryIO]:
    """Opens a user's file as bytes.

    Raises:
        MediaError: If it is missing, a folder, or may not be read.
    """
    refuse_address(path, stage=stage)
    try:
        # Opening a pipe that nobody writes to would wait for ever.
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
            raise MediaError(f"{stage}: {path} is not a file but {kind}", remedy=_NO_FILM)
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
    _add_samples(digest, path, status.st_size)
    return SourceFile(path=path, fingerprint=digest.hexdigest())


def content_of(path: Path) -> str:
    """Hash of a file's size and sampled content: the same for a copy, whatever its time.

    No more than a hint: see ``whole_of``.

    Args:
        path: The file.

    Raises:
        MediaError: If it is missing, a folder, or may not be read.
    """
    with open_source(path, stage="probe"):
        pass
    try:
        size_bytes = path.stat().st_size
        digest = hashlib.sha256(f"{size_bytes}".encode())
        _add_samples(digest, path, size_bytes)
    except OSError as error:
        raise unread(path, error) from error
    return digest.hexdigest()


def whole_of(path: Path, stop: threading.Event | None = None) -> str | None:
    """Hash of every byte of a file: two that agree in size and samples may still differ.

    Args:
        path: The file.
        stop: Ends the reading when it is set.

    Returns:
        SHA-256 in hexadecimal; None if the reading was ended.

    Raises:
        MediaError: If it is missing, a folder, or may not be read.
    """
    digest, block = hashlib.sha256(), memoryview(bytearray(_BLOCK_BYTES))
    try:
        with open_source(path, stage="probe") as file:
            assert isinstance(file, io.BufferedReader)
            while length := file.readinto(block):
                if stop is not None and stop.is_set():
                    return None
                digest.update(block[:length])
    except OSError as error:
        raise unread(path, error) from error
    return digest.hexdigest()


def unread(path: Path, error: OSError) -> MediaError:
    """The error of a file that was taken away meanwhile, or whose share has gone.

    Args:
        path: The file.
        error: What the operating system says.
    """
    return MediaError(
        f"probe: {path} cannot be read ({error.strerror})",
        remedy="Check that the file is still there and its disk answers, then try again.",
    )


def _add_samples(digest: hashlib._Hash, path: Path, size_bytes: int) -> None:
    with path.open("rb") as file:
        for share in (0, 1, 2, 3, 4):
            file.seek(max(0, size_bytes - _SAMPLED_BYTES) * share // 4)
            digest.update(file.read(_SAMPLED_BYTES))


def require_unchanged(source: SourceFile, *, stage: str) -> None:
    """Refuses a file that has grown or changed since it was identified: a recording still running.

    Args:
        source: The user's file.
        stage: Named in errors.

    Raises:
        MediaError: If it is not what it was.
    """
    if identify(source.path).fingerprint != source.fingerprint:
        raise MediaError(
            f"{stage}: {source.path} has changed while it was worked on: it is still being written",
            remedy="Wait until the recording or copy has ended, then run the same command again.",
        )


def _require_no_other_kind(path: Path, head: bytes, stage: str) -> None:
    for at, signature, kind, remedy in _OTHER_FILES:
        if head[at : at + len(signature)] == signature:
            raise _no_media(path, f"it is {kind}", stage, remedy)
    if head and all(byte >= ord(" ") or byte in _TEXT_CONTROLS for byte in head):
        begin = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
        for word, kind, remedy in _TEXTS:
            if begin.startswith(word):
                raise _no_media(path, f"it is {kind}", stage, remedy)


def _no_media(path: Path, why: str, stage: str, remedy: str) -> MediaError:
    return MediaError(
        f"{stage}: {path} is not a media file that can be read ({why})", remedy=remedy
    )


def _short(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).split(":")[0].rstrip(".")
