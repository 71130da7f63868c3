"""Listening sockets of the test server, and how their connections end."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import tempfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scorebed.testing.service_requests import Pairs
    from scorebed.testing.service_state import State

AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER for a connection that ends with RST."""
_RECEIVE_BYTES = 128 << 10
_HUNG_UP = getattr(select, "POLLRDHUP", 0)


class Listener(ThreadingHTTPServer):
    """A listening socket and the threads of its connections; ``end`` leaves none of them."""

    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def __init__(self, port: int, handler: type[BaseHTTPRequestHandler], state: State) -> None:
        self.state = state
        self._connections: set[socket.socket] = set()
        self.folder = tempfile.TemporaryDirectory(prefix="scorebed-music-service-")
        super().__init__(("127.0.0.1", port), handler)

    def server_bind(self) -> None:
        """Keeps little of a body that nobody reads, so that an upload can be cut in the middle."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
        super().server_bind()

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Knows the connection while it lasts."""
        self._connections.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.discard(request)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - as socketserver has it
        """Closes a connection, without a farewell if it is to be reset."""
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == AT_ONCE:
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """A client that goes away is no error of the server."""
        if not self.state.closing.is_set():
            super().handle_error(request, client_address)

    def hang_up(self) -> None:
        """Ends all connections, so that their threads end."""
        for connection in tuple(self._connections):
            # It may have ended by itself.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """Ends connections and threads; the listening socket must be shut down already."""
        self.hang_up()
        self.server_close()
        self.folder.cleanup()


class Quiet(BaseHTTPRequestHandler):
    """HTTP/1.1 with connections that are kept, and nothing on stderr."""

    protocol_version = "HTTP/1.1"
    server_version = "scorebed-music-service"
    sys_version = ""
    server: Listener

    def handle(self) -> None:
        """As long as the client stays."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Says nothing: requests are remembered."""

    def pairs(self) -> Pairs:
        """The headers, in order."""
        return tuple((str(name), str(value)) for name, value in self.headers.items())


class Elsewhere(Quiet):
    """The second listener: a host that the key must never be sent to."""

    def do_POST(self) -> None:
        """Remembers the headers and answers as if all were well."""
        self.server.state.steal(self.pairs())
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    do_GET = do_POST  # noqa: N815 - the base's name


def gone(connection: socket.socket) -> bool:
    """Whether the client has closed its side, also when there is something left to read."""
    if not hasattr(select, "poll"):
        return False
    watch = select.poll()
    watch.register(connection, _HUNG_UP)
    return bool(watch.poll(0))
