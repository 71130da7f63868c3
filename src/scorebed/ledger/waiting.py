"""Waiting for what another run holds: told of when it takes long, and over when the run is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threading import Event

    from scorebed.model import Tell

_LONG_S = 5.0
"""A wait that a person is told of, once."""


class Stopped(Exception):  # noqa: N818 - not an error: the run has ended
    """The run no longer wants to send."""


class Waiting:
    """One wait.

    Args:
        words: What is waited for, in a sentence.
        tell: Told of it.
        stop: Set when the run ends.
    """

    def __init__(self, words: str, tell: Tell, stop: Event) -> None:
        self._words = words
        self._tell = tell
        self._stop = stop
        self._told_at_s: float | None = time.monotonic() + _LONG_S

    def go_on(self) -> None:
        """Called now and then while it lasts.

        Raises:
            Stopped: If the run has ended.
        """
        if self._stop.is_set():
            raise Stopped
        if self._told_at_s is not None and time.monotonic() >= self._told_at_s:
            self._told_at_s = None
            self._tell(self._words)
