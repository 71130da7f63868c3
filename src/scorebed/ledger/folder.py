"""A ledger in a folder, of this machine or one that several share."""

from __future__ import annotations

import os
import random
import shutil
import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

import filelock

from scorebed.errors import WorkspaceError
from scorebed.ledger.disk import SPLIT, spool_of, sync, sync_folder, told_of, write_lasting
from scorebed.ledger.names import LOCKS, PURSES, QUEUE
from scorebed.ledger.store import LockLost

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MARK = ".scorebed-ledger"
IDENTITY = f"{MARK}-id"
FORM = "1"
_ID_LENGTH = 32
_POLL_S = 0.05


class FolderHold:
    """A file lock: the system lets it go when its process dies.

    Args:
        name: Its name in the ledger.
        lock: The lock, held.
    """

    def __init__(self, name: str, lock: filelock.BaseFileLock, path: Path) -> None:
        self.name = name
        self._lock = lock
        self._path = path

    def release(self, *, gone: bool = False) -> None:
        """Lets it go."""
        try:
            if gone:
                self._path.with_suffix(".json").unlink(missing_ok=True)
        finally:
            self._lock.release()
        if gone:
            self._path.unlink(missing_ok=True)


class FolderStore:
    """See ``store.Store``.

    Args:
        root: The folder; made when something is written.
    """

    spools = False

    def __init__(self, root: Path) -> None:
        self.root = root

    def where(self, name: str = "") -> str:
        """The path."""
        return str(self._path(name))

    def require(self) -> None:
        """Refuses a folder that holds other things, or is of a later release."""
        root, mark = self.root, self.root / MARK
        with told_of(self.root):
            if not root.exists():
                return
            # The mark is made first: whoever sees other things of ours sees it too.
            strange = root.is_file() or any(
                not entry.name.startswith(MARK) for entry in root.iterdir()
            )
            if strange and not mark.is_file():
                raise WorkspaceError(
                    f"ledger: {root} holds other files and is not a ledger",
                    remedy="Give --ledger (or SCOREBED_LEDGER) an empty or new folder.",
                )
            if mark.is_file() and mark.read_text().strip() != FORM:
                raise WorkspaceError(
                    f"ledger: {root} was made by another release of scorebed",
                    remedy="Update scorebed, or name another folder with --ledger.",
                )

    def prepare(self) -> None:
        """Makes the folder, or refuses one that holds other things."""
        self.require()
        with told_of(self.root):
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not (self.root / MARK).exists():
                write_lasting(self.root / MARK, f"{FORM}\n".encode())
            for name in (LOCKS, PURSES, QUEUE):
                (self.root / name).mkdir(exist_ok=True)

    def identity(self) -> str | None:
        """What the file says that was written once; None where there is none, or half of one."""
        told = self.read(IDENTITY)
        number = b"" if told is None else told.strip()
        whole = len(number) == _ID_LENGTH and number.isalnum() and number.isascii()
        return number.decode() if whole else None

    def identify(self) -> str:
        """Writes the file, if it is not there: of several at once the first counts for all."""
        found = self.identity()
        if found is None:
            self.prepare()
            self._write_identity()
            found = self.identity()
        if found is None:
            raise WorkspaceError(
                f"ledger: {self.root / IDENTITY} does not say which ledger this is",
                remedy="Remove that file, and run the same command again.",
            )
        return found

    def _write_identity(self) -> None:
        path, number = self.root / IDENTITY, uuid.uuid4().hex
        part = path.with_name(f"{path.name}.{number[:8]}.part")
        with told_of(self.root):
            try:
                part.write_text(f"{number}\n")
                sync(part)
                try:
                    # Unlike a rename it replaces nothing.
                    os.link(part, path)
                except FileExistsError:
                    return
                except OSError:
                    # A disk without links. What is written is one short block.
                    with suppress(FileExistsError), path.open("x") as file:
                        file.write(f"{number}\n")
            finally:
                part.unlink(missing_ok=True)
            sync_folder(self.root)

    def rooms(self) -> tuple[tuple[str, int], ...]:
        """The folder's disk."""
        with told_of(self.root):
            return ((str(self.root), shutil.disk_usage(self.root).free),)

    def read(self, name: str) -> bytes | None:
        """The content of a small file, or None."""
        path = self._path(name)
        with told_of(path):
            try:
                return path.read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def names(self, folder: str) -> tuple[str, ...]:
        """Names of what lies in a folder."""
        path = self._path(folder)
        with told_of(path):
            try:
                return tuple(entry.name for entry in path.iterdir())
            except (FileNotFoundError, NotADirectoryError):
                return ()

    def each(self, folder: str, name: str) -> dict[str, bytes | None]:
        """The content of the file of that name in each folder in a folder."""
        at = f"{folder}/" if folder else ""
        return {
            one: self.read(f"{at}{one}/{name}")
            for one in self.names(folder)
            if one[0] != "."
            and _is_folder(self._path(at + one))
            and not self._path(f"{at}{one}/{name}").is_symlink()
        }

    def make_folder(self, name: str) -> None:
        """Makes a folder, if it is not there."""
        path = self._path(name)
        with told_of(path):
            if not path.is_dir():
                path.mkdir(exist_ok=True)
                sync_folder(path.parent)

    def write(self, name: str, content: bytes) -> None:
        """Writes or replaces a small file in one step."""
        with told_of(self._path(name)):
            write_lasting(self._path(name), content)

    def swap(self, name: str, old: bytes | None, new: bytes) -> None:
        """Replaces a small file that is as this run knows it."""
        there = self.read(name)
        if there == new:
            return
        if there != old:
            # Only where its locks do not hold: a share without them, or a server that was gone.
            raise LockLost(
                f"ledger: another run has written {self.where(name)} meanwhile",
                remedy="Run the same command again: it goes on from what is written there.",
            )
        self.write(name, new)

    def move(self, old: str, new: str) -> None:
        """Gives a folder another name."""
        source, target = self._path(old), self._path(new)
        with told_of(target):
            target.parent.mkdir(exist_ok=True)
            source.rename(target)
            for folder in {source.parent, target.parent}:
                sync_folder(folder)

    def hold(self, names: Sequence[str], *, wait_s: float) -> FolderHold | None:
        """Holds the first of some locks that is free."""
        until = time.monotonic() + wait_s
        while True:
            for name in names:
                lock = _lock(self._path(name))
                with told_of(self.root):
                    try:
                        lock.acquire(timeout=0)
                    except filelock.Timeout:  # an OSError too
                        continue
                return FolderHold(name, lock, self._path(name))
            left_s = until - time.monotonic()
            if left_s <= 0:
                return None
            # Not all at the same moment.
            time.sleep(min(left_s, _POLL_S * random.uniform(0.5, 1.5)))  # noqa: S311

    def workplace(self, name: str, tag: str) -> Path:  # noqa: ARG002 - the folder is its own
        """The folder itself, empty."""
        folder = self._path(name)
        with told_of(self._path(name)):
            # Of this attempt nothing has come yet: it was planned, or put back by the service.
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        return folder

    def deliver(self, name: str, tag: str) -> None:
        """It lies there already, but for what was bought through a server of this folder."""
        spool, folder = spool_of(name, tag), self._path(name)
        if not (spool / SPLIT).is_file() or (folder / SPLIT).is_file():
            return
        with told_of(folder):
            folder.mkdir(exist_ok=True)
            for path in spool.iterdir():
                if path.name != SPLIT:
                    shutil.copyfile(path, folder / path.name)
                    sync(folder / path.name)
            # Whoever finds this file knows that what is beside it is whole.
            write_lasting(folder / SPLIT, (spool / SPLIT).read_bytes())

    def fetch(self, name: str, into: Path) -> Path | None:  # noqa: ARG002 - it is here already
        """The file as it lies there."""
        path = self._path(name)
        return path if path.is_file() else None

    def _path(self, name: str) -> Path:
        return self.root.joinpath(*name.split("/")) if name else self.root


def _is_folder(path: Path) -> bool:
    """One of the ledger's own: a link could lead anywhere."""
    return path.is_dir() and not path.is_symlink()


def _lock(path: Path) -> filelock.BaseFileLock:
    """A lock that one thread may take and another let go."""
    return filelock.FileLock(path, is_singleton=False, thread_local=False)
