"""The ledger's disk: what is written lasts, and what goes wrong is told."""

from __future__ import annotations

import os
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import platformdirs

from scorebed.errors import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SPLIT = "answer.json"
"""What the headers of an answer said; written when its body, beside it, is whole."""


def now() -> str:
    """This moment: ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def stamp() -> str:
    """This moment, for names of files."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")


def write_lasting(path: Path, content: bytes) -> None:
    """Writes or replaces a small file in one step; when this returns it is on the disk."""
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")
    part.write_bytes(content)
    sync(part)
    part.replace(path)
    sync_folder(path.parent)


def sync(path: Path) -> None:
    """Waits until a file is on the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Makes a name last through a power cut; Windows has no such call and needs none."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def told_of(root: Path) -> Iterator[None]:
    """Turns what the operating system says of the ledger's disk into an error with a remedy.

    The remedy never is another ledger: that would buy again what lies in this one.

    Raises:
        WorkspaceError: In place of any OSError.
    """
    try:
        yield
    except OSError as error:
        raise WorkspaceError(
            f"ledger: {root} cannot be used ({error.strerror or error})",
            remedy="Make room there or mend its permissions, and run the same command again.",
        ) from error


def waiting_root() -> Path:
    """Where answers lie that a server has not taken yet: lasting, of this machine."""
    return platformdirs.user_data_path("scorebed") / "incoming"


def answers_waiting() -> tuple[Path, ...]:
    """Folders of answers that have come whole to this machine, and that no server has taken yet."""
    return tuple(sorted(path.parent for path in waiting_root().glob(f"*/{SPLIT}")))
