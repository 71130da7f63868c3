"""What each worker of a cluster must have: the same release, ffmpeg, the folders, locks that count.

The batch marks each folder that is shared with a file that it holds locked; a worker that does not
find the file, or gets its lock, does not share the folder.
"""

from __future__ import annotations

import asyncio
import functools
import os
import platform
import uuid
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import filelock

from scorebed import __version__
from scorebed.delivery import told_of
from scorebed.errors import MediaError, MissingKey, SettingsError, WorkspaceError
from scorebed.ffmpeg import locate
from scorebed.ledger import Ledger
from scorebed.model import LedgerPlace, ServiceSettings
from scorebed.providers.base import Service, find

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


_MARK = ".scorebed-shared-"
_PATIENCE_S = 4.0
"""How long a worker asks a ledger's server that does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What every worker must stand on, also one that joins later."""

    version: str
    """Release of scorebed that the batch runs."""
    marks: tuple[Path, ...] = ()
    """Files that the batch holds locked, one in each folder that is shared."""
    ledgers: tuple[tuple[LedgerPlace, str], ...] = ()
    """What is bought with, and what tells each from every other ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A file or folder that the batch sees."""

    path: Path
    """Where, absolute."""
    size_bytes: int | None
    """Length of a file; None for a folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What workers are asked before the work."""

    ground: Ground
    """What must be there in any case."""
    seen: tuple[Seen, ...] = ()
    """What they must see."""
    services: tuple[tuple[str, ServiceSettings], ...] = ()
    """Providers that need a key, and how they are asked."""


def here() -> str:
    """What this machine is called."""
    return platform.node() or "a machine without a name"


@contextmanager
def marked(folders: Iterable[Path]) -> Iterator[tuple[Path, ...]]:
    """Marks folders that are shared; what a killed batch has left of its marks is removed.

    Args:
        folders: They are there.

    Raises:
        WorkspaceError: If one cannot be written to, or its disk knows no locks.
    """
    with ExitStack() as held:
        marks = []
        for folder in folders:
            with told_of(folder, stage="batch"):
                for stale in folder.glob(f"{_MARK}*"):
                    _remove(stale)
                path = folder.absolute() / f"{_MARK}{uuid.uuid4().hex}"
                lock = filelock.FileLock(path, is_singleton=False)
                lock.acquire(timeout=0)
            held.callback(path.unlink, missing_ok=True)
            held.callback(lock.release)
            marks.append(path)
        yield tuple(marks)


def _remove(mark: Path) -> None:
    lock = filelock.FileLock(mark, is_singleton=False)
    with suppress(filelock.Timeout):  # another batch stands on it
        lock.acquire(timeout=0)
        lock.release()
        mark.unlink(missing_ok=True)


@functools.lru_cache
def check_ground(ground: Ground) -> None:
    """On a worker: refuses one that cannot do its part; asked again, it has looked already.

    Args:
        ground: What must be there.

    Raises:
        SettingsError: If another release runs here.
        ToolError: If there is no ffmpeg.
        WorkspaceError: If a folder or a ledger is not the batch's own, or is out of reach.
    """
    if ground.version != __version__:
        raise SettingsError(
            f"scorebed {__version__} is installed there, the batch runs {ground.version}",
            remedy=f"On that machine: python -m pip install scorebed=={ground.version}",
        )
    locate()
    for mark in ground.marks:
        _check_mark(mark)
    for place, identity in ground.ledgers:
        Ledger(place, patience_s=_PATIENCE_S).require_identity(identity)


def _check_mark(mark: Path) -> None:
    folder = mark.parent
    if not mark.is_file():
        raise WorkspaceError(
            f"{folder} is not the folder that the batch sees"
            if folder.is_dir()
            else f"{folder} is not there",
            remedy="Mount it there under the same path, or name folders that all machines share "
            "with --out, --workspace and --ledger.",
        )
    lock = filelock.FileLock(mark, is_singleton=False)
    try:
        if not os.access(folder, os.W_OK):
            raise PermissionError
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return
    except OSError as error:
        raise WorkspaceError(
            f"{folder} may not be written to",
            remedy="Run the worker as a user who may write there.",
        ) from error
    lock.release()
    raise WorkspaceError(
        f"{folder} does not keep one machine out while another one holds a lock",
        remedy="Mount it so that locks count for all machines (NFS 4, or without nolock and "
        "local_lock), or name another folder.",
    )


async def look(asked: Asked) -> MissingKey | None:
    """On a worker: looks whether all is there that the batch needs.

    Args:
        asked: What.

    Returns:
        What keeps it from buying; None for nothing.

    Raises:
        ScorebedError: Anything else that is missing.
    """
    # Its loop talks to the scheduler meanwhile.
    return await asyncio.to_thread(_look, asked)


def _look(asked: Asked) -> MissingKey | None:
    check_ground(asked.ground)
    for one in asked.seen:
        _check_seen(one)
    for name, service in asked.services:
        provider = find(name)
        assert isinstance(provider, Service)
        try:
            provider.check_key(service)
        except MissingKey as error:
            return error
    return None


def _check_seen(one: Seen) -> None:
    try:
        size = None if one.path.is_dir() else one.path.stat().st_size
        readable = os.access(one.path, os.R_OK)
    except OSError as error:
        raise MediaError(
            f"{one.path} is not there",
            remedy="Mount its folder there under the same path, or name it by one that all "
            "machines share.",
        ) from error
    if size != one.size_bytes or not readable:
        raise MediaError(
            f"{one.path} is another file than the batch sees"
            if readable
            else f"{one.path} may not be read",
            remedy="Mount the same folder there, readable, under the same path.",
        )
