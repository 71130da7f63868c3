"""What may be asked of the server, each operation with what it needs to hold."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from scorebed.errors import WorkspaceError
from scorebed.ledger.disk import sync_folder, told_of
from scorebed.ledger.folder import FolderStore
from scorebed.ledger.names import FORGOTTEN, is_lock, is_plain, locks_over, may, may_move, parts_of
from scorebed.ledger.serving.sessions import Sessions
from scorebed.ledger.wire import LONGEST_WAIT_S, MOST_SMALL_BYTES, Ask, Said

if TYPE_CHECKING:
    from pathlib import Path


_BLOCK_BYTES = 1 << 18
_MOST_LOCKS = 64


class Refused(Exception):  # noqa: N818 - what is answered
    """Something is asked that no client asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A ledger that is served."""

    store: FolderStore
    """Its folder."""
    sessions: Sessions
    """Who holds what."""

    def path(self, name: str) -> Path:
        """Where a name lies, if it is one of a ledger, and nowhere else."""
        if not parts_of(name):
            raise Refused(f"{name!r} is no name in a ledger")
        path = self.store.root.joinpath(*name.split("/"))
        if not path.resolve().is_relative_to(self.store.root.resolve()):
            raise Refused(f"{name!r} lies outside the ledger")
        return path

    def allow(self, what: str, name: str) -> None:
        """Refuses an operation that is not done to such a name."""
        self.path(name)
        if not may(what, name):
            raise Refused(f"{name!r} is not changed so")


Operation: TypeAlias = Callable[[Served, Ask], Said]


def _names(served: Served, ask: Ask) -> Said:
    if ask.name:
        served.path(ask.name)
    return Said(names=served.store.names(ask.name))


def _each(served: Served, ask: Ask) -> Said:
    if ask.name not in {"", FORGOTTEN} or not is_plain(ask.other):
        raise Refused(f"{ask.name!r} is not read as a whole")
    return Said(contents=served.store.each(ask.name, ask.other))


def _make(served: Served, ask: Ask) -> Said:
    served.allow("make", ask.name)
    with served.sessions.writing(ask.session, locks_over(ask.name)):
        served.store.make_folder(ask.name)
    return Said()


def _write(served: Served, ask: Ask) -> Said:
    served.allow("write", ask.name)
    _require_small(ask)
    with served.sessions.writing(ask.session, locks_over(ask.name)):
        served.store.write(ask.name, ask.new)
    return Said()


def _swap(served: Served, ask: Ask) -> Said:
    served.allow("swap", ask.name)
    _require_small(ask)
    with served.sessions.writing(ask.session, locks_over(ask.name)):
        served.store.swap(ask.name, ask.old, ask.new)
    return Said()


def _move(served: Served, ask: Ask) -> Said:
    old, new = served.path(ask.name), served.path(ask.other)
    if not may_move(ask.name, ask.other):
        raise Refused(f"{ask.name!r} does not become {ask.other!r}")
    with served.sessions.writing(ask.session, locks_over(ask.name)):
        # It is asked again where the answer to the first time was lost.
        if old.is_dir() or not new.is_dir():
            for half in old.glob(".*.part"):  # of an upload that broke off
                half.unlink()
            served.store.move(ask.name, ask.other)
    return Said()


def _begin(served: Served, ask: Ask) -> Said:
    return Said(lease_s=served.sessions.begin(_number(ask.session)))


def _beat(served: Served, ask: Ask) -> Said:
    served.sessions.beat(_number(ask.session))
    return Said()


def _end(served: Served, ask: Ask) -> Said:
    served.sessions.end(_number(ask.session))
    return Said()


def _hold(served: Served, ask: Ask) -> Said:
    if not 0 < len(ask.names) <= _MOST_LOCKS or not all(map(is_lock, ask.names)):
        raise Refused("that cannot be held")
    for name in ask.names:
        served.path(name)
    wait_s = min(max(ask.wait_s, 0.0), LONGEST_WAIT_S)
    wish = _number(ask.hold)
    return Said(held=served.sessions.hold(_number(ask.session), wish, ask.names, wait_s))


def _release(served: Served, ask: Ask) -> Said:
    served.sessions.release(_number(ask.session), _number(ask.hold), gone=ask.gone)
    return Said()


OPERATIONS: dict[str, Operation] = {
    "names": _names,
    "each": _each,
    "make": _make,
    "write": _write,
    "swap": _swap,
    "move": _move,
    "begin": _begin,
    "beat": _beat,
    "end": _end,
    "hold": _hold,
    "release": _release,
}


def receive(
    served: Served, name: str, session: str, length: int, read: Callable[[int], bytes]
) -> None:
    """Writes a file of an answer, block by block; it has its name when it is whole and lasts.

    Args:
        served: The ledger.
        name: Of the file.
        session: In whose name.
        length: Its bytes.
        read: Gives up to so many bytes of it.
    """
    served.allow("put", name)
    path = served.path(name)
    if length > served.store.rooms()[0][1]:
        raise WorkspaceError(
            f"ledger: {length / 1e6:.1f} MB have no room in {served.store.where()}",
            remedy="Make room there, and run the same command again.",
        )
    with served.sessions.writing(session, locks_over(name)):
        pass
    part = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with told_of(path):
            with part.open("wb") as file:
                for start in range(0, length, _BLOCK_BYTES):
                    file.write(read(min(_BLOCK_BYTES, length - start)))
                file.flush()
                os.fsync(file.fileno())
            with served.sessions.writing(session, locks_over(name)):
                part.replace(path)
                sync_folder(path.parent)
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()


def _require_small(ask: Ask) -> None:
    if len(ask.new) > MOST_SMALL_BYTES:
        raise Refused(f"{ask.name!r} would be too large")


def _number(said: str) -> str:
    """A client's name for something of its own: 32 hexadecimal digits, which cannot climb."""
    try:
        plain = uuid.UUID(hex=said).hex == said
    except ValueError:
        plain = False
    if not plain:
        raise Refused("what is named is not named by 32 hexadecimal digits")
    return said
