"""One request to the server of a ledger, asked again for a while when nobody answers.

All that is asked can be asked twice: what was done already is not done again. A connection is
opened for each request: nothing is left open between them, in whatever thread or process.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import httpx
import msgspec

from scorebed.errors import WorkspaceError
from scorebed.journal import note
from scorebed.ledger.store import LockLost
from scorebed.ledger.token import VARIABLE
from scorebed.ledger.wire import (
    ABOUT,
    DO,
    FORM,
    MARK_HEADER,
    About,
    Ask,
    Failure,
    Said,
)
from scorebed.model import LedgerAddress, Tell

T = TypeVar("T")

PATIENCE_S = 20.0
"""How long a server that does not answer is asked again, before anything was paid."""
_CONNECT_S = 5.0
_ANSWER_S = 30.0
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
_AGAIN = frozenset({502, 503, 504})
"""What a proxy before the server says while it is not there."""


_IN_VAIN: set[str] = set()
"""Servers that were waited for as long as usual, or longer, and have not answered since."""


class Unreachable(WorkspaceError):  # noqa: N818 - says what happened
    """Nobody answered, however often it was asked."""


class _Busy(Exception):  # noqa: N818 - not an error: it is asked again
    """A proxy answers, and nobody behind it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """The way to a server."""

    address: LedgerAddress
    """Where it is."""
    tell: Tell
    """Told when it is waited for."""
    patience_s: float
    """How long it is asked again, in seconds."""
    token: str | None = field(repr=False)
    """What the server wants to hear; None if it wants nothing."""

    def about(self) -> About:
        """What is there.

        Raises:
            WorkspaceError: If it is no server of a ledger, or of another release.
        """
        said = self.ask(lambda client: client.get(ABOUT))
        try:
            about = msgspec.json.decode(said.content, type=About)
        except msgspec.DecodeError as error:
            raise self.strange(said) from error
        if about.ledger != FORM:
            raise WorkspaceError(
                f"ledger: the server at {self.address} is of another release of scorebed",
                remedy="Use the same release there and here.",
            )
        return about

    def do(
        self,
        what: str,
        ask: Ask,
        *,
        patience_s: float | None = None,
        answer_s: float = _ANSWER_S,
    ) -> Said:
        """Has something done.

        Args:
            what: Name of the operation.
            ask: What it needs.
            patience_s: How long it is asked again, in seconds; None as usual.
            answer_s: How long an answer may be silent, in seconds.
        """
        body = msgspec.json.encode(ask)
        said = self.ask(
            lambda client: client.post(DO + what, content=body),
            patience_s=patience_s,
            answer_s=answer_s,
        )
        try:
            return msgspec.json.decode(said.content, type=Said)
        except msgspec.DecodeError as error:
            raise self.strange(said) from error

    def ask(
        self,
        send: Callable[[httpx.Client], T],
        *,
        patience_s: float | None = None,
        answer_s: float = _ANSWER_S,
    ) -> T:
        """What a function with a client returns, called again while nobody answers.

        A server that this process has waited for in vain is asked once only, until it answers.

        Args:
            send: Sends a request; returns the response, or what it has made of it.
            patience_s: How long it is called again, in seconds; None as usual.
            answer_s: How long an answer may be silent, in seconds.

        Raises:
            Unreachable: If nobody answers for as long as this link has patience.
            WorkspaceError: What the server says.
        """
        patience_s = self.patience_s if patience_s is None else patience_s
        if self.address.url in _IN_VAIN:
            # Who works on many films waits once for all of them.
            patience_s = 0.0
        until = time.monotonic() + patience_s
        pause_s, told = _FIRST_PAUSE_S, False
        while True:
            try:
                with self._client(answer_s) as client:
                    found = send(client)
                if isinstance(found, httpx.Response):
                    self.check(found)
                _IN_VAIN.discard(self.address.url)
            except httpx.InvalidURL as error:
                raise self._unreachable(str(error)) from error
            except (httpx.TransportError, _Busy) as error:
                why = str(error) or type(error).__name__
                if time.monotonic() + pause_s > until:
                    if patience_s >= PATIENCE_S:
                        _IN_VAIN.add(self.address.url)
                    raise self._unreachable(why) from error
                if not told:
                    self._tell_of(why, patience_s)
                    told = True
            else:
                return found
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def check(self, said: httpx.Response) -> None:
        """Raises what the server says, if it has not done what was asked."""
        if said.status_code in _AGAIN:
            raise _Busy(f"HTTP {said.status_code}")
        if said.is_success:
            return
        try:
            failure = msgspec.json.decode(said.content, type=Failure)
        except msgspec.DecodeError as error:
            raise self.strange(said) from error
        if failure.trouble == "token":
            raise WorkspaceError(
                f"ledger: the server at {self.address} refuses the token",
                remedy=f"Set {VARIABLE} (or {VARIABLE}_FILE) to the token that the server has.",
            )
        if failure.trouble == "none":
            raise FileNotFoundError(failure.message)
        kind = LockLost if failure.trouble == "lost" else WorkspaceError
        raise kind(failure.message, remedy=failure.remedy)

    def strange(self, said: httpx.Response) -> WorkspaceError:
        """The error for an answer that no server of a ledger gives."""
        return WorkspaceError(
            f"ledger: what answers at {self.address} is no server of a ledger "
            f"(HTTP {said.status_code})",
            remedy="Give the address that `scorebed ledger serve` has printed.",
        )

    @contextmanager
    def _client(self, answer_s: float) -> Iterator[httpx.Client]:
        headers = {MARK_HEADER: FORM}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        safe = self.address.url.startswith("https:")
        with httpx.Client(
            base_url=self.address.url,
            headers=headers,
            timeout=httpx.Timeout(answer_s, connect=min(answer_s, _CONNECT_S)),
            follow_redirects=False,
            # A proxy of the environment must not see in the clear what goes to this server.
            trust_env=safe,
            # Certificates take a while to be read, and http has none.
            verify=safe,
        ) as client:
            yield client

    def _tell_of(self, why: str, patience_s: float) -> None:
        words = (
            f"the ledger's server at {self.address} does not answer ({why}); it is asked again "
            f"for up to {patience_s:.0f} s"
        )
        note(logging.WARNING, words)
        self.tell(words)

    def _unreachable(self, why: str) -> Unreachable:
        return Unreachable(
            f"ledger: the server at {self.address} does not answer ({why})",
            remedy="Start it (scorebed ledger serve), or check the address, and run the same "
            "command again.",
        )
