"""What the server does with a request. Nothing of it is logged: headers hold the token."""

from __future__ import annotations

import contextlib
import hmac
import re
import shutil
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qs, urlsplit

import msgspec

from scorebed.errors import WorkspaceError
from scorebed.ledger.serving.operations import OPERATIONS, Refused, Served, receive
from scorebed.ledger.serving.sessions import Closing
from scorebed.ledger.store import LockLost
from scorebed.ledger.wire import (
    ABOUT,
    DO,
    FILE,
    FORM,
    MARK_HEADER,
    MOST_SMALL_BYTES,
    SESSION_HEADER,
    About,
    Ask,
    Failure,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorebed.ledger.wire import Trouble

_BLOCK_BYTES = 1 << 18
_IDLE_S = 30.0
_MOST_ANSWER_BYTES = 8_000_000_000
_STATUS: dict[Trouble, int] = {
    "token": 401,
    "refused": 400,
    "none": 404,
    "lost": 410,
    "disk": 507,
    "broken": 500,
}
_NEAR = re.compile(r"localhost|127(\.\d{1,3}){3}|::1")


class _Fault(Exception):  # noqa: N818 - what is answered
    """A request that is not done.

    Args:
        trouble: Of which kind.
        message: What happened.
        remedy: What can be done about it.
    """

    def __init__(self, trouble: Trouble, message: str, remedy: str = "") -> None:
        super().__init__(message)
        told = remedy or "Use the same release of scorebed here and there."
        self.failure = Failure(trouble=trouble, message=f"ledger: {message}", remedy=told)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    served: ClassVar[Served]
    token: ClassVar[bytes | None]
    protocol_version = "HTTP/1.1"
    server_version = "scorebed-ledger"
    sys_version = ""
    timeout = _IDLE_S
    # A head and a small body leave together, at once.
    wbufsize = -1
    disable_nagle_algorithm = True
    _left_bytes = 0
    _begun = False

    def do_GET(self) -> None:
        """What the server is, or a file."""
        self._answer(self._get)

    def do_PUT(self) -> None:
        """A file of an answer."""
        self._answer(self._put)

    def do_POST(self) -> None:
        """Anything else."""
        self._answer(self._post)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Nothing is logged."""

    def _answer(self, work: Callable[[], None]) -> None:
        self._left_bytes, self._begun = 0, False
        try:
            self._admit()
            work()
        except _Fault as fault:
            self._fail(fault)
        except Refused as error:
            self._fail(_Fault("refused", str(error)))
        except LockLost as error:
            self._fail(_Fault("lost", _bare(error), error.remedy))
        except WorkspaceError as error:
            self._fail(_Fault("disk", _bare(error), error.remedy))
        except (ConnectionError, TimeoutError, Closing):
            # The client has left, or asks again; what it wanted is whole or not there.
            self.close_connection = True
        except Exception as error:  # noqa: BLE001 - one request must not end the server
            words = f"the server has a fault ({type(error).__name__}: {error})"
            remedy = "Report it, and look at the ledger with: scorebed ledger list"
            self._fail(_Fault("broken", words, remedy))

    def _admit(self) -> None:
        """Refuses who may not ask, before anything that it sends is read."""
        wanted, given = self.token, self.headers.get("Authorization", "")
        length = self.headers.get("Content-Length", "0")
        fault = None
        if wanted is not None and not _same(given.removeprefix("Bearer "), wanted):
            fault = _Fault("token", "the token is wrong")
        elif wanted is None and not _NEAR.fullmatch(_host(self.headers.get("Host", ""))):
            # A page in a browser may have had its name changed to this machine's address.
            fault = _Fault("refused", "asked for under a strange name")
        elif self.headers.get(MARK_HEADER) != FORM:
            fault = _Fault("refused", "not asked by a client of this release")
        elif self.headers.get("Transfer-Encoding"):
            fault = _Fault("refused", "the length of the body is not said")
        elif not _is_length(length):
            fault = _Fault("refused", "more is sent than is taken")
        if fault is not None:
            self.close_connection = True
            raise fault
        self._left_bytes = int(length)

    def _get(self) -> None:
        address = urlsplit(self.path)
        if address.path == ABOUT:
            store = self.served.store
            about = About(ledger=FORM, free_bytes=store.rooms()[0][1], identity=store.identify())
            self._say(200, msgspec.json.encode(about))
            return
        path = self.served.path(self._named(address.path, address.query))
        try:
            file = path.open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise _Fault("none", f"there is no {path.name}") from error
        with file:
            file.seek(0, 2)
            self._head(200, file.tell())
            file.seek(0)
            shutil.copyfileobj(file, self.wfile, _BLOCK_BYTES)

    def _put(self) -> None:
        address = urlsplit(self.path)
        name = self._named(address.path, address.query)
        receive(
            self.served, name, self.headers.get(SESSION_HEADER, ""), self._left_bytes, self._read
        )
        self._say(200, b"{}")

    def _post(self) -> None:
        address = urlsplit(self.path)
        operation = OPERATIONS.get(address.path.removeprefix(DO))
        if operation is None or not address.path.startswith(DO):
            raise Refused(f"nothing here is called {address.path!r}")
        # A little more than what it may hold: it is written in base64.
        if self._left_bytes > 2 * MOST_SMALL_BYTES:
            raise Refused("more is sent than is taken")
        try:
            ask = msgspec.json.decode(self._read(self._left_bytes), type=Ask)
        except msgspec.DecodeError as error:
            raise Refused(f"what is asked cannot be read ({error})") from error
        said = operation(self.served, ask)
        self._say(200, msgspec.json.encode(said))

    def _named(self, path: str, query: str) -> str:
        names = parse_qs(query, max_num_fields=2).get("name", [])
        if path != FILE or len(names) != 1:
            raise Refused(f"nothing here is called {path!r}")
        return names[0]

    def _read(self, most: int) -> bytes:
        """So many bytes of the body, or fewer at its end.

        Raises:
            ConnectionError: If it ends before it should.
        """
        wanted = min(most, self._left_bytes)
        block = self.rfile.read(wanted)
        self._left_bytes -= len(block)
        if len(block) < wanted:
            raise ConnectionError
        return block

    def _fail(self, fault: _Fault) -> None:
        if self._begun:
            # In the midst of a file: that it is cut off is seen by its length.
            self.close_connection = True
            return
        with contextlib.suppress(ConnectionError, TimeoutError):
            # Who is still sending would be cut off, and not hear why.
            while self._left_bytes and not self.close_connection:
                self._read(_BLOCK_BYTES)
            self._say(_STATUS[fault.failure.trouble], msgspec.json.encode(fault.failure))

    def _say(self, status: int, body: bytes) -> None:
        self._head(status, len(body))
        self.wfile.write(body)

    def _head(self, status: int, length: int) -> None:
        self._begun = True
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.send_header("Content-Type", "application/octet-stream")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()


def _same(given: str, wanted: bytes) -> bool:
    """In the same time whatever is given."""
    return hmac.compare_digest(given.encode(errors="replace"), wanted)


def _is_length(said: str) -> bool:
    return said.isascii() and said.isdigit() and int(said[:20]) <= _MOST_ANSWER_BYTES


def _bare(error: WorkspaceError) -> str:
    return error.message.removeprefix("ledger: ")


def _host(header: str) -> str:
    """The name in a Host header, without its port."""
    name = header.rpartition(":")[0] if header.count(":") == 1 else header
    if header.startswith("["):
        name = header[1:].partition("]")[0]
    return name.lower()
