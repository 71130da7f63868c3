"""The ledger's disk: what is written lasts, and what goes wrong is told."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shutil
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import filelock
import platformdirs

from scorebed.errors import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    """Where answers lie that a server has not taken yet: lasting, of this machine.

    ``SCOREBED_INCOMING``, else in the user's data folder.
    """
    named = os.environ.get("SCOREBED_INCOMING")
    if named:
        return Path(named).absolute()
    return platformdirs.user_data_path("scorebed") / "incoming"


def this_machine() -> str:
    """Its name, for a person at another one."""
    return platform.node() or "without a name"


def spool_of(name: str, tag: str) -> Path:
    """Where an answer lies on this machine before its ledger has it.

    Named by all that tells an attempt from every other (two of a key may have one number), and not
    by the ledger's address: it may be found again under another name.

    Args:
        name: Of the folder in the ledger that it is meant for; its first part is the key.
        tag: When the attempt was made.
    """
    number = hashlib.sha256(f"{name}\0{tag}".encode()).hexdigest()[:16]
    return waiting_root() / f"{name.partition('/')[0]}-{number}"


def lies_here(key: str) -> bool:
    """Whether anything of a purchase lies on this machine that a ledger may not have."""
    return any(waiting_root().glob(f"{key}-*"))


def use_spool(spool: Path) -> filelock.BaseFileLock:
    """A lock that says that a run still writes there; it ends with its process at the latest.

    Raises:
        WorkspaceError: If another run does.
    """
    lock = _spool_lock(spool)
    with told_of(spool):
        lock.acquire(timeout=0)
    return lock


def discard(name: str, tag: str) -> None:
    """Removes what lies on this machine of an answer, unless a run still writes there."""
    spool = spool_of(name, tag)
    lock = _spool_lock(spool)
    if not (spool.exists() or Path(lock.lock_file).exists()):
        return
    # What cannot be removed is found again.
    with contextlib.suppress(OSError):
        lock.acquire(timeout=0)
        try:
            shutil.rmtree(spool, ignore_errors=True)
        finally:
            lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)


def _spool_lock(spool: Path) -> filelock.BaseFileLock:
    path = spool.with_name(f"{spool.name}.lock")
    return filelock.FileLock(path, is_singleton=False, thread_local=False)


def answers_waiting() -> tuple[Path, ...]:
    """Folders of answers that have come whole to this machine, and that no server has taken yet."""
    return tuple(sorted(path.parent for path in waiting_root().glob(f"*/{SPLIT}")))
