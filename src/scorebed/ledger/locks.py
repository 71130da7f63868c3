"""Whether the disk of a ledger keeps locks, as far as one machine can see it."""

from __future__ import annotations

import os
import re
import uuid
import warnings
from pathlib import Path

import filelock

from scorebed.ledger.folder import MARK

_MOUNTS = Path("/proc/self/mounts")
_NETWORK = re.compile(r"(nfs\d?|cifs|smb\d?|fuse\.\w+|fuse|9p|afs|ceph|lustre|glusterfs)")
_ALONE = frozenset({"nolock", "nobrl", "local_lock=all", "local_lock=flock"})
"""Options of a mount with which its locks are this machine's alone."""
_SERVE = "Let one machine run `scorebed ledger serve` on it, and name its address on the others."


def look_at_locks(root: Path) -> tuple[str, str | None]:
    """What is found of the locks of a folder, and a remedy if they do not hold.

    Two handles of this process are tried; whether another machine sees the lock is not: of that
    the kind of disk and its mount are told.

    Args:
        root: The ledger's folder.
    """
    trial = root / f"{MARK}.{uuid.uuid4().hex}.trial"
    first, second = (filelock.FileLock(trial, is_singleton=False) for _ in range(2))
    try:
        with warnings.catch_warnings():
            # It warns where it falls back to a file that a killed run would leave for ever.
            warnings.simplefilter("ignore")
            first.acquire(timeout=0)
        fallen_back = isinstance(first, filelock.SoftFileLock)
        apart = _excludes(second)
        first.release()
        trial.unlink(missing_ok=True)
    except OSError as error:
        return f"cannot be tried ({error.strerror or error})", f"Make {root} writable."
    except NotImplementedError:
        # Older releases of filelock say so where newer ones fall back.
        fallen_back, apart = True, False
    kind, options = _mount_of(root)
    if fallen_back or not apart:
        return f"the disk ({kind}) keeps no locks: two runs could buy the same at once", _SERVE
    if not options.isdisjoint(_ALONE):
        told = ", ".join(sorted(options & _ALONE))
        return f"locks hold on this machine only ({kind}, mounted with {told})", _SERVE
    if _NETWORK.fullmatch(kind):
        return f"locks hold on this machine; whether others see them, {kind} decides", None
    return f"locks hold ({kind})", None


def _excludes(lock: filelock.BaseFileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return True
    lock.release()
    return False


def _mount_of(root: Path) -> tuple[str, frozenset[str]]:
    """Kind of the file system, and the options of its mount; only Linux tells."""
    found: tuple[int, str, frozenset[str]] = (-1, "its kind is not known", frozenset())
    if not _MOUNTS.is_file():
        return found[1:]
    place = os.fsencode(root.resolve())
    for line in _MOUNTS.read_bytes().splitlines():
        _, at, kind, options, *_ = line.split()
        # Spaces and the like are written in octal.
        folder = re.sub(rb"\\(\d{3})", lambda octal: bytes([int(octal[1], 8)]), at)
        inside = place == folder or place.startswith(folder.rstrip(b"/") + b"/")
        if inside and len(folder) >= found[0]:
            found = (len(folder), kind.decode(), frozenset(options.decode().split(",")))
    return found[1:]
