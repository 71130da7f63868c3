"""Starts and stops the server of a ledger."""

from __future__ import annotations

import ipaddress
import socket
import threading
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

from scorebed.errors import SettingsError, WorkspaceError
from scorebed.ledger.folder import MARK, FolderStore
from scorebed.ledger.serving.handler import Handler
from scorebed.ledger.serving.operations import Served
from scorebed.ledger.serving.sessions import Sessions

if TYPE_CHECKING:
    from pathlib import Path

    from scorebed.ledger.folder import FolderHold

LEASE_S = 10.0
"""How long a client that is not heard of keeps its locks, in seconds."""
_POLL_S = 0.1
_HANDOVER_S = 5.0
"""How long an earlier server of the same ledger may take to end, in seconds."""


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that broke off is its client's business."""


class LedgerServer:
    """Serves one ledger while it is used in ``with``.

    Args:
        root: The ledger's folder; made if it is not there.
        host: Where it listens; of this machine only, unless there is a token.
        port: 0 for any free port.
        token: What clients have to say; None for nothing.
        lease_s: How long a client that is not heard of keeps its locks, in seconds.

    Raises:
        SettingsError: If it would be open to the network without a token, or cannot listen there.
        WorkspaceError: If the folder is no ledger, or another server has it.
    """

    def __init__(
        self,
        root: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str | None = None,
        lease_s: float = LEASE_S,
    ) -> None:
        if token is None and not _is_loopback(host):
            raise SettingsError(
                f"ledger: {host!r} can be reached by others, and there is no token",
                remedy="Set SCOREBED_LEDGER_TOKEN here and where it is used, for example to what "
                "this prints: python -c 'import secrets; print(secrets.token_urlsafe())'",
            )
        self._store = FolderStore(root)
        self._host, self._port, self._token = host, port, token
        self._sessions = Sessions(self._store, lease_s)
        self._listener: _Listener | None = None
        self._own: FolderHold | None = None

    def __enter__(self) -> Self:
        self._store.prepare()
        self._own = self._alone()
        try:
            self._listener = self._listen()
            # Before the first client is heard: what it holds must not be anybody's meanwhile.
            self._sessions.start()
        except BaseException:
            if self._listener is not None:
                self._listener.server_close()
            self._own.release()
            raise
        serve = self._listener.serve_forever
        self._thread = threading.Thread(
            target=serve, args=(_POLL_S,), name="scorebed-ledger-server", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._listener is not None
        assert self._own is not None
        self._listener.shutdown()
        self._thread.join()
        self._listener.server_close()
        self._sessions.close()
        self._own.release()

    @property
    def url(self) -> str:
        """Its address, as other machines may know it."""
        assert self._listener is not None
        everywhere = self._host in {"", "0.0.0.0", "::"}  # noqa: S104 - with a token only
        host = socket.gethostname() if everywhere else self._host
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{self._listener.server_port}"

    def wait(self) -> None:
        """Waits until it ends: by a signal, which is raised here."""
        self._thread.join()

    def _alone(self) -> FolderHold:
        hold = self._store.hold((f"{MARK}.serving",), wait_s=_HANDOVER_S)
        if hold is None:
            raise WorkspaceError(
                f"ledger: another server has {self._store.where()}",
                remedy="Use that one, or stop it first; one ledger has one server.",
            )
        return hold

    def _listen(self) -> _Listener:
        served = Served(store=self._store, sessions=self._sessions)
        token = None if self._token is None else self._token.encode()
        handler = type("_Handler", (Handler,), {"served": served, "token": token})
        try:
            family = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)[0][0]
            kind = type("_Listener", (_Listener,), {"address_family": family})
            listener: _Listener = kind((self._host, self._port), handler)
        except (OSError, OverflowError) as error:
            raise SettingsError(
                f"ledger: {self._host}:{self._port} cannot be listened on ({error})",
                remedy="Give another --host or --port; 0 takes any free port.",
            ) from error
        return listener


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
