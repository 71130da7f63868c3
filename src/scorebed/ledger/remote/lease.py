"""What a run holds on a server, kept alive by being heard of.

All locks of a run are of one session. The server ends it when it has not heard of it for the
length of a lease, and lets go of all its locks together; what the run then still asks in the
session's name is refused. So who may write that a request is sent still holds all it has reserved.
"""

from __future__ import annotations

import contextlib
import threading
import uuid
from typing import TYPE_CHECKING

from scorebed.errors import WorkspaceError
from scorebed.ledger.remote.link import Unreachable
from scorebed.ledger.store import LockLost
from scorebed.ledger.wire import Ask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorebed.ledger.remote.link import Link

_BEATS = 4
"""How often a session is heard of in the time in which it must be once."""
_RELEASE_S = 3.0
"""How long a lock's end is said again, in seconds, while the run goes on to hold others."""


class RemoteHold:
    """A lock that the server holds for this run.

    Args:
        lease: Whose it is.
        name: Its name in the ledger.
        number: The client's name for it.
    """

    def __init__(self, lease: Lease, name: str, number: str) -> None:
        self.name = name
        self._lease = lease
        self._number = number

    def release(self, *, gone: bool = False) -> None:
        """Lets it go; what the server does not hear of ends with the session."""
        self._lease.release(self._number, gone=gone)


class Lease:
    """The session of a run: begun with its first lock, ended with its last.

    Args:
        link: The way to the server.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._guard = threading.Lock()
        self._wanted = 0
        self._session = ""
        self._ended = threading.Event()

    @property
    def session(self) -> str:
        """Its name; empty where nothing is held."""
        return self._session

    def hold(self, names: Sequence[str], *, wait_s: float) -> RemoteHold | None:
        """Holds the first of some locks that is free, or None."""
        number = uuid.uuid4().hex
        self._begin()
        ask = Ask(session=self._session, hold=number, names=tuple(names), wait_s=wait_s)
        held = None
        try:
            held = self._link.do("hold", ask).held
        except Unreachable:
            # It may have been given all the same: it is let go with all others, unheard of.
            self._ended.set()
            raise
        finally:
            if held is None:
                self._end_unused()
        return None if held is None else RemoteHold(self, held, number)

    def release(self, number: str, *, gone: bool) -> None:
        """Lets a lock go."""
        ask = Ask(session=self._session, hold=number, gone=gone)
        with contextlib.suppress(WorkspaceError):
            # What was lost is another's; of whom the server does not hear, it lets all go.
            # The last one ends with the session in any case.
            self._link.do("release", ask, patience_s=_RELEASE_S if self._wanted > 1 else 0.0)
        self._end_unused()

    def _begin(self) -> None:
        with self._guard:
            if self._wanted == 0:
                session = uuid.uuid4().hex
                lease_s = self._link.do("begin", Ask(session=session)).lease_s
                self._session, self._ended = session, threading.Event()
                threading.Thread(
                    target=self._beat,
                    args=(session, lease_s / _BEATS, self._ended),
                    name="scorebed-ledger",
                    daemon=True,
                ).start()
            self._wanted += 1

    def _end_unused(self) -> None:
        with self._guard:
            self._wanted -= 1
            if self._wanted:
                return
            session, self._session = self._session, ""
            self._ended.set()
        with contextlib.suppress(WorkspaceError):
            self._link.do("end", Ask(session=session), patience_s=0)

    def _beat(self, session: str, every_s: float, ended: threading.Event) -> None:
        pause_s = every_s
        while not ended.wait(pause_s):
            pause_s = every_s
            try:
                # One connection that hangs must not cost the lease: the next one may be well.
                self._link.do("beat", Ask(session=session), patience_s=0, answer_s=every_s)
            except LockLost:
                # Whoever writes next is told; there is nobody here to tell.
                return
            except WorkspaceError:
                # It is asked again as long as the run goes on: a server may come back.
                pause_s = every_s / _BEATS
