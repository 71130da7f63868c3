"""What lies in a folder: one search per look, and a file is asked only when it may have changed.

By polling: a share on the network tells nobody what another machine has written to it.
"""

from __future__ import annotations

import math
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from scorebed.batching.find import FILMS, Found, Wanted
from scorebed.watching.items import JOB_ENDING, Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scorebed.watching.items import WatchJob

_ASKED_AT_ONCE = 500
"""Of the files that are done so many are asked in a look whether they have changed in place."""


class Sight:
    """The films and job files of a folder, and how long each has stood still.

    Args:
        job: The watch.
        clock: Tells seconds.
    """

    def __init__(self, job: WatchJob, clock: Callable[[], float] = time.monotonic) -> None:
        self._job = job
        self._clock = clock
        batch = job.batch
        self._wanted = Wanted(
            recursive=batch.recursive, only=batch.only, exclude=batch.exclude, out=batch.out
        )
        self._root = job.folder
        own = (batch.out, job.move_done, batch.stems, batch.workspace)
        self._own: dict[Path, tuple[int, int] | None]
        self._own = {place: None for place in own if place is not None}
        self.films: dict[str, Seen] = {}
        self.jobs: dict[str, Seen] = {}
        self.troubles: dict[str, str] = {}
        self._turn = 0

    def look(self) -> None:
        """Looks into the folder, and at each file that may have changed."""
        self.troubles = {}
        self._turn += 1
        there: set[str] = set()
        slices = max(1, math.ceil((len(self.films) + len(self.jobs)) / _ASKED_AT_ONCE))
        for number, entry in enumerate(self._entries()):
            asks = entry.name.endswith(JOB_ENDING)
            known = self.jobs if asks else self.films
            seen = known.get(entry.path)
            if seen is None:
                path = Path(entry.path)
                # Patterns choose among films; a job has chosen its own.
                if not asks and not self._wanted.takes(Found(path=path, base=self._root)):
                    continue
                seen = known[entry.path] = Seen(path=path, base=self._root, number=_number(entry))
            there.add(entry.path)
            turn = (number + self._turn) % slices == 0
            if not seen.handled or turn or _number(entry) != seen.number:
                seen.number = _number(entry)
                refresh(seen, self._clock())
        if not self.troubles:
            for known in (self.films, self.jobs):
                for gone in known.keys() - there:
                    del known[gone]

    def settled(self, seen: Seen) -> bool:
        """Whether a file stands still long enough, and is worth a look.

        Args:
            seen: The file.
        """
        now = self._clock()
        there = seen.size_bytes >= 0 and not seen.handled
        return there and now - seen.since >= self._job.settle_s and now >= seen.look_at

    def still_s(self, seen: Seen) -> float:
        """How long a file stands still, in seconds.

        Args:
            seen: The file.
        """
        return self._clock() - seen.since

    def later(self, seen: Seen) -> None:
        """Puts the next look at a file off: nothing new is to be seen before.

        Args:
            seen: The file.
        """
        seen.look_at = self._clock() + max(self._job.settle_s, self._job.interval_s)

    def _entries(self) -> Iterator[os.DirEntry[str]]:
        """Files that may be films or jobs by their names alone."""
        folders = [str(self._root)]
        for place in self._own:
            # A share that does not answer keeps what it was.
            with suppress(OSError):
                self._own[place] = _identity(place)
        closed = set(self._own.values()) - {None}
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(folder) as listed:
                    entries = list(listed)
            except OSError as error:
                self.troubles[folder] = error.strerror or str(error)
                continue
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                try:
                    taken = self._is_file(entry)
                    below = (
                        not taken
                        and self._wanted.recursive
                        and entry.is_dir(follow_symlinks=False)
                        and _identity(entry.path) not in closed
                    )
                except OSError as error:
                    # Where the list does not say what is a folder, a share is asked for each.
                    self.troubles[entry.path] = error.strerror or str(error)
                    continue
                if taken:
                    yield entry
                elif below:
                    folders.append(entry.path)

    def _is_file(self, entry: os.DirEntry[str]) -> bool:
        name = entry.name
        dot = name.rfind(".")
        if dot > 0 and name[dot:].lower() in FILMS:
            return not self._job.own_queue and not entry.is_dir(follow_symlinks=False)
        return name.endswith(JOB_ENDING)


def refresh(seen: Seen, now: float) -> None:
    """Looks at a file again; what is not what it was begins to stand still from now on.

    Args:
        seen: The file.
        now: By the monotonic clock.
    """
    try:
        status = os.stat(seen.path)  # noqa: PTH116 - thousands of times
        found, changed_ns = (status.st_size, status.st_mtime_ns), status.st_ctime_ns
    except (OSError, ValueError):
        # No name for a file, gone, a link that leads nowhere, or a share that does not answer.
        found, changed_ns = (-1, -1), -1
    if found != (seen.size_bytes, seen.mtime_ns):
        seen.size_bytes, seen.mtime_ns = found
        seen.since, seen.look_at = now, 0.0
        seen.handled, seen.told, seen.tries = False, "", 0
        seen.content, seen.sha256 = "", None
    elif changed_ns != seen.ctime_ns:
        # Another owner, or another film of the same length and time: looked into, but not awaited.
        seen.handled, seen.content, seen.sha256 = False, "", None
    seen.ctime_ns = changed_ns


def _number(entry: os.DirEntry[str]) -> int:
    """What a folder knows a file by; Windows would have to open each file for it."""
    return 0 if os.name == "nt" else entry.inode()


def _identity(folder: str | Path) -> tuple[int, int] | None:
    """What a disk knows a folder by, whatever its name and its capitals; None if it is not there.

    Raises:
        OSError: If a share does not answer.
    """
    try:
        status = os.stat(folder)  # noqa: PTH116 - one for each folder
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino
