"""Whether a file is the one that was scored: by its place and times, else byte for byte.

Size and samples that agree are a hint. Of two cuts at a constant rate, as DV or uncompressed video,
a second that no sample meets may differ, and nothing else in the file tells.

So a film is read whole once, while its result is written: just then it is read from end to end
anyway, and what the disk has brought for one reader it has for the other. Afterwards it is read
whole again only where size and samples are those of a film that is done, and its place or a time is
not.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from scorebed.batching.items import InputState
from scorebed.batching.known import told_place
from scorebed.errors import MediaError
from scorebed.media import content_of, unread, whole_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from scorebed.batching.known import Known
    from scorebed.model import Progress, Tell

LONG_BYTES = 1_000_000_000
"""What is longer takes a while to read."""
_READS_ALL = "mux"
_REMEMBERED = 1000
_read: dict[tuple[Path, int, int, int], str] = {}
"""What this process has read, as it was then."""
_guard = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What a file is to one that was scored."""

    same: bool
    """Whether it is that file."""
    now: InputState | None = None
    """What it is now, where it was read whole and is the same."""
    twin: bool = False
    """Whether it only looks the same, in size, time and samples."""


_ANOTHER = Compared(same=False)


def compare(known: Known, video: Path, tell: Tell) -> Compared:
    """What a file is to the one that the record knows.

    Args:
        known: What the record says.
        video: The file.
        tell: Told, in a sentence, before what takes long.
    """
    try:
        status = video.stat()
        if not known.content or status.st_size != known.size_bytes:
            return _ANOTHER
        if _is_untouched(known, video, status):
            return Compared(same=True)
        return _compared(known, video, status, tell)
    except (MediaError, OSError):
        # Whoever works on it says so.
        return _ANOTHER


def _is_untouched(known: Known, video: Path, status: os.stat_result) -> bool:
    times = (status.st_mtime_ns, status.st_ctime_ns)
    # Of names: a film in a linked folder lies where it is named.
    there = told_place(known.video) == told_place(video)
    return there and times == (known.mtime_ns, known.ctime_ns or times[1])


def _compared(known: Known, video: Path, status: os.stat_result, tell: Tell) -> Compared:
    """By samples, and where these agree by every byte."""
    same_time = status.st_mtime_ns == known.mtime_ns
    content, whole = content_of(video), known.sha256
    if content != known.content:
        return _ANOTHER
    if whole is None:
        # A failure, or a record of before: what it took for the same stays it, if its time is.
        return Compared(same=same_time)
    if status.st_size > LONG_BYTES:
        tell(f"{video}: was touched or moved; all of it is read to see whether it is the same")
    now = InputState(
        size_bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
        content=content,
        ctime_ns=status.st_ctime_ns,
        sha256=hash_of(video),
    )
    if now.sha256 == whole:
        return Compared(same=True, now=now)
    return Compared(same=False, twin=same_time)


def hash_of(path: Path, stop: threading.Event | None = None) -> str | None:
    """Hash of all of a file; what was read and has not changed is not read again.

    Args:
        path: The file.
        stop: Ends the reading when it is set.

    Returns:
        SHA-256 in hexadecimal; None if the reading was ended.

    Raises:
        MediaError: If it is missing, a folder, or may not be read.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise unread(path, error) from error
    as_it_is = (path, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    found = _read.get(as_it_is) or whole_of(path, stop)
    if found is not None:
        with _guard:
            _read[as_it_is] = found
            while len(_read) > _REMEMBERED:
                del _read[next(iter(_read))]
    return found


class Reading:
    """Reads a file whole in a thread of its own; use it as a context manager.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._status: os.stat_result | None = None
        self._sha256: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()

    def beside(self, watch: Callable[[str], Progress]) -> Callable[[str], Progress]:
        """Told of the stages, begins with the one that reads a film from end to end.

        Args:
            watch: Told of them as well.
        """

        def told(name: str) -> Progress:
            if name == _READS_ALL:
                self._begin()
            return watch(name)

        return told

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._read, daemon=True)
            self._thread.start()

    def state(self, source: InputState) -> InputState:
        """What the file is, when it has been read.

        Args:
            source: What it was when the work began; stays, if it has changed or cannot be read.
        """
        self._begin()
        assert self._thread is not None
        self._thread.join()
        status = self._status
        if status is None or (status.st_size, status.st_mtime_ns) != (
            source.size_bytes,
            source.mtime_ns,
        ):
            return source
        # A change since the reading began shows in this time, and is looked into by the next run.
        return replace(source, ctime_ns=status.st_ctime_ns, sha256=self._sha256)

    def _read(self) -> None:
        try:
            self._status = self._path.stat()
            self._sha256 = whole_of(self._path, self._stop)
        except (MediaError, OSError):
            # The result is there; whether a copy is the same film cannot be told then.
            self._status = None
