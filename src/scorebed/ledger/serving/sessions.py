"""What the server holds, and for whom.

ROOT/serving/<session>/<hold>       name of a lock that is held in the name of a session

The locks are the file locks that a process with the folder takes: both exclude each other. A
server that is started again takes them in the same names before it listens: sessions that are
heard of in time go on as if nothing had happened, the others end. Whose lock has meanwhile been
free for others, where that could matter, is not taken back.
"""

from __future__ import annotations

import re
import shutil
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scorebed.ledger.disk import told_of
from scorebed.ledger.folder import FolderHold
from scorebed.ledger.names import PURSES, is_common, is_lock
from scorebed.ledger.store import LockLost

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from scorebed.ledger.folder import FolderStore

_SERVING = "serving"
_ID = re.compile(r"[0-9a-f]{32}")
_TICK_S = 0.25


class Closing(Exception):  # noqa: N818 - not an error: the next server is asked again
    """The server ends; nothing is lost by that."""


@dataclass(slots=True)
class _Session:
    """A client that is alive as long as it is heard of."""

    until: float
    """When its lease ends, by ``time.monotonic``."""
    guard: threading.RLock = field(default_factory=threading.RLock)
    """Held while something is written in its name: it does not end meanwhile."""
    holds: dict[str, FolderHold] = field(default_factory=dict)
    """Its locks, by the client's names for them."""
    ended: bool = False


class Sessions:
    """All sessions of a server.

    Args:
        store: The ledger.
        lease_s: How long a session lives without being heard of, in seconds.
    """

    def __init__(self, store: FolderStore, lease_s: float) -> None:
        self._store = store
        self._root = store.root / _SERVING
        self._lease_s = lease_s
        self._all: dict[str, _Session] = {}
        self._guard = threading.Lock()
        self._closing = threading.Event()
        self._reaper = threading.Thread(target=self._reap, name="scorebed-leases", daemon=True)

    def start(self) -> None:
        """Takes what an earlier server held, and begins to look after the leases."""
        with told_of(self._root):
            self._root.mkdir(exist_ok=True, mode=0o700)
            for folder in self._root.iterdir():
                self._take_back(folder)
        self._reaper.start()

    def close(self) -> None:
        """Lets all locks go; who comes back to the next server in time has them again."""
        self._closing.set()
        self._reaper.join()
        for session in list(self._all.values()):
            with session.guard:
                session.ended = True
                for hold in session.holds.values():
                    hold.release()

    def begin(self, number: str) -> float:
        """Begins a session; one that has begun goes on.

        Returns:
            How long it lives without being heard of, in seconds.
        """
        with self._guard, told_of(self._root):
            self._require_open()
            if number not in self._all:
                (self._root / _checked(number)).mkdir(exist_ok=True)
                self._all[number] = _Session(until=time.monotonic() + self._lease_s)
        return self._lease_s

    def beat(self, number: str) -> None:
        """A session was heard of.

        Raises:
            LockLost: If it has ended.
        """
        with self._alive(number):
            pass

    def end(self, number: str) -> None:
        """Ends a session, and lets its locks go."""
        with self._guard:
            session = self._all.pop(number, None)
        if session is None:
            return
        with session.guard:
            session.ended = True
            for hold in session.holds.values():
                hold.release()
            shutil.rmtree(self._root / number, ignore_errors=True)

    def hold(self, number: str, wish: str, names: Sequence[str], wait_s: float) -> str | None:
        """Holds the first of some locks that is free, in the name of a session.

        Args:
            number: The session.
            wish: The client's name for it; one that was given already is given again.
            names: The locks.
            wait_s: How long it is waited for, in seconds.

        Returns:
            The lock; None if all are held by others.
        """
        with self._alive(number) as session:
            if wish in session.holds:
                return session.holds[wish].name
        hold = self._store.hold(names, wait_s=wait_s)
        if hold is None:
            return None
        try:
            with self._alive(number) as session, told_of(self._root):
                if wish in session.holds:
                    # Asked twice, and both have waited.
                    hold.release()
                    return session.holds[wish].name
                # Not synced: without it the next server only lets go what might go on.
                (self._root / number / _checked(wish)).write_text(hold.name, encoding="utf-8")
                session.holds[wish] = hold
        except BaseException:
            hold.release()
            raise
        return hold.name

    def release(self, number: str, wish: str, *, gone: bool) -> None:
        """Lets a lock go; one that was let go stays so."""
        with self._alive(number) as session:
            hold = session.holds.pop(wish, None)
            if hold is not None:
                own = hold.name.startswith(PURSES) and not is_common(hold.name)
                hold.release(gone=gone and own)
                (self._root / number / wish).unlink(missing_ok=True)

    @contextmanager
    def writing(self, number: str, locks: Sequence[str]) -> Iterator[None]:
        """Something is written in the name of a session, which does not end meanwhile.

        Args:
            number: The session; empty for none.
            locks: Those of which it has to hold one; none where all may write.

        Raises:
            LockLost: If it has ended, or does not hold any of them.
        """
        if not number and not locks:
            yield
            return
        with self._alive(number) as session:
            held = {hold.name for hold in session.holds.values()}
            if locks and held.isdisjoint(locks):
                raise _lost()
            yield

    @contextmanager
    def _alive(self, number: str) -> Iterator[_Session]:
        with self._guard:
            session = self._all.get(number)
        self._require_open()
        if session is None:
            raise _lost()
        with session.guard:
            self._require_open()
            if session.ended:
                raise _lost()
            yield session
            session.until = time.monotonic() + self._lease_s

    def _require_open(self) -> None:
        if self._closing.is_set():
            raise Closing

    def _reap(self) -> None:
        last = time.monotonic()
        while not self._closing.wait(_TICK_S):
            now = time.monotonic()
            # Where this process was stopped, nobody could be heard of meanwhile.
            paused_s = max(0.0, now - last - 2 * _TICK_S)
            last = now
            for number, session in list(self._all.items()):
                # One that is being written for is heard of.
                if not session.guard.acquire(blocking=False):
                    continue
                try:
                    session.until += paused_s
                    over = session.until < now
                finally:
                    session.guard.release()
                if over:
                    self.end(number)

    def _take_back(self, folder: Path) -> None:
        """Holds again what an earlier server held for a session, all of it or nothing."""
        number = folder.name
        session = _Session(until=time.monotonic() + self._lease_s)
        for file in folder.iterdir() if _ID.fullmatch(number) else ():
            name = file.read_text(encoding="utf-8")
            hold = self._again(name) if _ID.fullmatch(file.name) and is_lock(name) else None
            if hold is None:
                for one in session.holds.values():
                    one.release()
                break
            session.holds[file.name] = hold
        else:
            if _ID.fullmatch(number):
                self._all[number] = session
                return
        shutil.rmtree(folder, ignore_errors=True)

    def _again(self, name: str) -> FolderHold | None:
        """A lock that was held, if nobody can have used that it was free for a while.

        Of a purchase its receipt tells: who has lost it cannot write over another's.
        """
        if is_common(name):
            return None
        hold = self._store.hold((name,), wait_s=0)
        if hold is None or not name.startswith(PURSES):
            return hold
        # What a run has reserved is put away by whoever finds it dead.
        if self._store.read(name.removesuffix(".lock") + ".json") is None:
            hold.release()
            return None
        return hold


def _checked(number: str) -> str:
    if not _ID.fullmatch(number):
        raise ValueError(number)
    return number


def _lost() -> LockLost:
    return LockLost(
        "ledger: this run has lost its locks: the server has not heard of it for too long, or has "
        "been away; nothing more is sent",
        remedy="Run the same command again: it goes on from what the ledger has.",
    )
