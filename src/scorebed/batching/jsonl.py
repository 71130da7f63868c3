"""Files of JSON Lines that outlive kills and full disks: read line by line, added to, shortened.

A line that is not whole, or is no object of ours, is no line. A failure while lines are added
leaves nothing of them: what could not be taken back at once is taken back before the next ones.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorebed import __version__
from scorebed.delivery import told_of
from scorebed.errors import WorkspaceError
from scorebed.journal import note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

SCHEMA_VERSION = 1
"""Of the lines; one without a number has this one."""
LEAST_LINES = 10_000
"""A shorter file is never shortened: people read it."""
_TIMES = 4
"""So many lines there are for each that is asked for, before the others are left out."""


class Lines:
    """A file of JSON Lines.

    Args:
        path: The file; need not be there.
        stage: Named in errors.
    """

    def __init__(self, path: Path, *, stage: str = "batch") -> None:
        self.path = path
        self._stage = stage
        self._count = 0
        """Lines, as far as they were read or added here."""
        self._enough = 0
        """Fewer of them are not too many, as it was found the last time."""
        self._left = b""
        """What a failure has left at the end of the file."""

    def numbered(self) -> Iterator[tuple[int, dict[str, Any] | None]]:
        """Every line with its place from 0 on; None for what is no line of ours.

        Raises:
            WorkspaceError: If the file is there and cannot be read, or is of a newer release.
        """
        with told_of(self.path, stage=self._stage):
            if not self.path.exists():
                return
            with self.path.open("rb") as file:
                for number, raw in enumerate(file):
                    self._count = number + 1
                    yield number, self._read(raw)

    def append(self, lines: Sequence[dict[str, Any]]) -> None:
        """Adds lines and waits until they are on the disk; a half line before them is closed.

        Args:
            lines: What is added.

        Raises:
            WorkspaceError: If the disk is full or the file cannot be written.
        """
        text = "".join(json.dumps(line) + "\n" for line in lines).encode()
        # Without a buffer: one would write what is left of it when it is closed, after the failure.
        with told_of(self.path, stage=self._stage), self.path.open("ab+", buffering=0) as file:
            self._take_back(file)
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    text = b"\n" + text
            written = 0
            try:
                while written < len(text):
                    written += file.write(text[written:])
                os.fsync(file.fileno())
            except OSError:
                self._left = text[:written]
                # What the disk has said first is what is told.
                with suppress(OSError):
                    self._take_back(file)
                raise
        self._count += len(lines)

    def shorten(self, chosen: Callable[[], set[int]], *, films: int) -> None:
        """Leaves out lines that nothing asks for any more, if that is most of them.

        In one step: whoever is killed meanwhile leaves the file as it was.

        Args:
            chosen: Reads it, and tells the places of the lines that stay.
            films: About so many they are, or more.
        """
        if self._count < max(LEAST_LINES, _TIMES * films, self._enough):
            return
        try:
            numbers = chosen()
            before = self._count
            self._enough = _TIMES * len(numbers)
            if self._keep(numbers, of=before):
                self._count = len(numbers)
                note(logging.INFO, f"{self.path} is shortened: {self._count} of {before} lines")
        except WorkspaceError as error:
            # It is whole as it is, and the work needs no shorter one.
            self._enough = 2 * self._count
            note(logging.WARNING, f"it cannot be shortened: {error.message}")

    def _keep(self, numbers: set[int], *, of: int) -> bool:
        """Whether it is done: not if somebody else has added a line this very moment."""
        path = Path(os.path.realpath(self.path))
        part = path.with_name(f".scorebed-{path.name.removeprefix('.scorebed-')}.part")
        with told_of(self.path, stage=self._stage):
            try:
                with path.open("rb") as old, part.open("wb") as new:
                    # What came after they were chosen stays.
                    for number, raw in enumerate(old):
                        if number in numbers or number >= of:
                            new.write(raw)
                    new.flush()
                    os.fsync(new.fileno())
                    read_bytes = old.tell()
                shutil.copymode(path, part)
                if path.stat().st_size != read_bytes:
                    return False
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        return True

    def _read(self, raw: bytes) -> dict[str, Any] | None:
        try:
            told = json.loads(raw)
        except (ValueError, RecursionError):
            return None
        if not isinstance(told, dict):
            return None
        schema = told.get("schema", SCHEMA_VERSION)
        if not isinstance(schema, int):
            return None
        if schema > SCHEMA_VERSION:
            raise WorkspaceError(
                f"{self._stage}: {self.path} was written by scorebed {told.get('version', '?')}, "
                f"whose record (version {schema}) this one, {__version__}, does not know",
                remedy="Use that release or a later one (pip install --upgrade scorebed), or give "
                "another --out.",
            )
        return told

    def _take_back(self, file: BinaryIO) -> None:
        """Takes off what a failure has left, if nobody has added to it since."""
        left = self._left
        if not left:
            return
        start = file.seek(0, os.SEEK_END) - len(left)
        if start >= 0:
            file.seek(start)
            if file.read(len(left)) == left:
                file.truncate(start)
        self._left = b""
