"""A watch outlives a full disk and a share that is away: what is written down waits for it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from scorebed.batching.record import Record
from scorebed.errors import WorkspaceError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

    from scorebed.batching.known import Known
    from scorebed.model import Tell


class Patience:
    """Tries to write until it can be done; says so once.

    Nothing else is begun meanwhile: what is not written down would be done twice.

    Args:
        say: Told, in sentences, how it stands.
        pause_s: Time between two tries, in seconds.
    """

    def __init__(self, say: Tell, *, pause_s: float) -> None:
        self._say = say
        self._pause_s = pause_s
        self.over = False
        """Whether an error is raised at once: the watch ends, or is to end by itself."""
        self.stop: threading.Event | None = None
        """Ends the waiting when it is set."""

    def write(self, writes: Callable[[], None]) -> None:
        """Writes something.

        Args:
            writes: Does it; may be called again after it has failed.

        Raises:
            WorkspaceError: If it cannot be done, and there is no time to wait.
        """
        waits = False
        while True:
            try:
                writes()
            except WorkspaceError as error:
                if self.over or (self.stop is not None and self.stop.is_set()):
                    raise
                if not waits:
                    self._say(f"{error.message}: the watch waits, and goes on when it can be")
                waits = True
                if self.stop is None:
                    time.sleep(self._pause_s)
                else:
                    self.stop.wait(self._pause_s)
            else:
                if waits:
                    self._say("it can be written to again: the watch goes on")
                return


class PatientRecord(Record):
    """A record that waits for its disk.

    Args:
        out: Folder of the results.
        patience: How it waits.
        hears: As of every record.
    """

    stage = "watch"

    def __init__(self, out: Path, patience: Patience, hears: Callable[[Known], None]) -> None:
        super().__init__(out, hears)
        self._patience = patience

    def _write(self, writes: Callable[[], None]) -> None:
        self._patience.write(writes)
