"""Films that look like others are read whole, beside the work: of a long one it takes minutes."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, TypeAlias

from scorebed.batching.sameness import LONG_BYTES, hash_of
from scorebed.errors import MediaError

if TYPE_CHECKING:
    from pathlib import Path

    from scorebed.model import Tell
    from scorebed.watching.items import Seen


_Key: TypeAlias = tuple[int, int, int]


class Reader:
    """Reads one film after the other, in a thread of its own.

    Args:
        say: Told, in a sentence, before what takes long.
    """

    def __init__(self, say: Tell) -> None:
        self._say = say
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._asked: dict[Path, _Key] = {}
        self._found: dict[Path, tuple[_Key, str | MediaError]] = {}
        self._due: queue.SimpleQueue[tuple[Path, _Key] | None] = queue.SimpleQueue()

    def hash_of(self, film: Seen) -> str | None:
        """Hash of all of a film; None while it is not known: ask again.

        Args:
            film: The film.

        Raises:
            MediaError: If it cannot be read.
        """
        key = (film.size_bytes, film.mtime_ns, film.ctime_ns)
        then, found = self._found.pop(film.path, (None, None))
        if found is not None and then == key:
            del self._asked[film.path]
            if isinstance(found, MediaError):
                raise found
            return found
        if self._asked.get(film.path) != key:
            if film.size_bytes > LONG_BYTES:
                self._say(f"{film.path}: looks like one that is done: all of it is read to tell")
            self._asked[film.path] = key
            self._due.put((film.path, key))
        if self._thread is None:
            self._thread = threading.Thread(target=self._read, daemon=True)
            self._thread.start()
        return None

    def close(self) -> None:
        """Ends the reading."""
        self._stop.set()
        self._due.put(None)

    def _read(self) -> None:
        while (due := self._due.get()) is not None and not self._stop.is_set():
            path, key = due
            try:
                found = hash_of(path, self._stop)
            except MediaError as error:
                self._found[path] = (key, error)
            else:
                if found is not None:
                    self._found[path] = (key, found)
