"""Films that look like others are read whole, beside the work: of a long one it takes minutes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from scorebed.batching.sameness import LONG_BYTES, hash_of
from scorebed.errors import MediaError

if TYPE_CHECKING:
    from pathlib import Path

    from scorebed.model import Tell
    from scorebed.watching.items import Seen


class Reader:
    """Reads one film at a time.

    Args:
        say: Told, in a sentence, before what takes long.
    """

    def __init__(self, say: Tell) -> None:
        self._say = say
        self.stop = threading.Event()
        """Ends the reading when it is set."""
        self._thread: threading.Thread | None = None
        self._at: tuple[Path, int, int, int] | None = None
        self._found: str | MediaError | None = None

    def hash_of(self, film: Seen) -> str | None:
        """Hash of all of a film; None while it is not known: ask again.

        Args:
            film: The film.

        Raises:
            MediaError: If it cannot be read.
        """
        if self._thread is not None and self._thread.is_alive():
            return None
        as_it_is = (film.path, film.size_bytes, film.mtime_ns, film.ctime_ns)
        found = self._found if self._at == as_it_is else None
        self._at, self._found = as_it_is, None
        if isinstance(found, MediaError):
            raise found
        if found is not None:
            return found
        if film.size_bytes > LONG_BYTES:
            self._say(f"{film.path}: looks like one that is done: all of it is read to tell")
        self._thread = threading.Thread(target=self._read, args=(film.path,), daemon=True)
        self._thread.start()
        return None

    def _read(self, path: Path) -> None:
        try:
            self._found = hash_of(path, self.stop)
        except MediaError as error:
            self._found = error
