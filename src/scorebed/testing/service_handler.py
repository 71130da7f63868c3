"""The test server's side of a connection: reads a request, answers it, or does something worse."""

from __future__ import annotations

import json
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qsl

from scorebed.testing.service_answers import Maker, make_answer, make_plan_answer
from scorebed.testing.service_checks import MOST_BYTES, check_key, check_video, fingerprint
from scorebed.testing.service_faults import Case, failure, refusal
from scorebed.testing.service_listener import AT_ONCE, Quiet, gone
from scorebed.testing.service_multipart import Wire, read_multipart
from scorebed.testing.service_plans import check_compose, check_plan_request
from scorebed.testing.service_requests import (
    Answer,
    Body,
    ClientGoneError,
    Order,
    RefusalError,
    detail,
    invalid,
)

if TYPE_CHECKING:
    from scorebed.testing.service_behaviours import Behaviour
    from scorebed.testing.service_state import Ticket

VIDEO = "/v1/music/video-to-music"
TEXT = "/v1/music"
DETAILED = "/v1/music/detailed"
PLAN = "/v1/music/plan"

_PIECE_BYTES = 16 << 10
_DRIP_BYTES = 1 << 10
_DRIP_S = 3.0
_ENDLESS_BYTES = 2_000_000_000
_MOST_JSON_BYTES = 10 << 20
_SOME_BYTES = 64 << 10
_LOOK_S = 0.05


class Handler(Quiet):
    """The music API."""

    def do_POST(self) -> None:  # noqa: N802 - the base's name
        """Serves a request, whatever becomes of it."""
        state = self.server.state
        self._path, _, query = self.path.partition("?")
        self._query = tuple(parse_qsl(query, keep_blank_values=True))
        self._number = state.arrived(self.command, self._path, self._query, self.pairs())
        self._ticket: Ticket | None = None
        try:
            self._wire = self._open_wire()
            self._answer_or_refuse()
        except (ClientGoneError, OSError):
            self.close_connection = True
        finally:
            if self._ticket:
                self._ticket.end()
            state.note(self._number)

    do_GET = do_PUT = do_DELETE = do_PATCH = do_POST  # noqa: N815 - the base's names

    # --- reading -------------------------------------------------------------------------------

    def _open_wire(self) -> Wire:
        chunked = "chunked" in (self.headers.get("Transfer-Encoding") or "").lower()
        length = self.headers.get("Content-Length") or "0"
        return Wire(self.rfile, length_bytes=None if chunked else int(length))

    def _answer_or_refuse(self) -> None:
        try:
            with tempfile.TemporaryDirectory(dir=self.server.folder.name) as folder:
                self._serve(Path(folder))
        except RefusalError as refused:
            self._wire.drain()
            if self._ticket:
                self._ticket.end()
            self._refuse(refused)

    def _serve(self, folder: Path) -> None:
        if self._path not in {VIDEO, TEXT, DETAILED, PLAN}:
            raise detail(404, "not_found", "not_found", f"There is nothing at {self._path}.")
        if self.command != "POST":
            raise detail(405, "method_not_allowed", "method_not_allowed", "Method Not Allowed")
        state = self.server.state
        plan = self._path == PLAN
        behaviour = state.next_behaviour(self._number, "plan" if plan else "music")
        self._before_body(behaviour)
        body = self._read_body(folder)
        key = self.headers.get("xi-api-key")
        case = Case(
            key=key or "",
            body=body,
            at_once=state.at_once,
            elsewhere=f"http://127.0.0.1:{state.elsewhere_port}{self.path}",
        )
        check_key(key, state.key)
        if refused := refusal(behaviour, case):
            raise refused
        self._ticket = None if plan else state.admit()
        maker = None if plan else self._accept(body, folder)
        made = check_plan_request(body.json, self._query) if plan else None
        if failed := failure(behaviour, case):
            raise failed
        self._after_body(behaviour)
        answer = make_answer(maker, behaviour) if maker else make_plan_answer(made, behaviour)
        self._send(answer, behaviour, maker.order.fingerprint if maker else fingerprint(made))

    def _read_body(self, folder: Path) -> Body:
        state = self.server.state
        if self._path == VIDEO:
            body = read_multipart(
                self._wire,
                self.headers.get("Content-Type") or "",
                folder,
                most_bytes=MOST_BYTES,
                going_on=state.going_on,
            )
            # What follows the last boundary, and the end of the last chunk.
            self._wire.drain()
        else:
            body = Body(json=self._read_json())
        state.learn(
            self._number,
            fields=body.fields,
            files=body.files,
            part_names=body.part_names,
            json=body.json,
        )
        return body

    def _read_json(self) -> Any:  # noqa: ANN401 - JSON
        data = bytearray()
        while piece := self._wire.read(_SOME_BYTES):
            data += piece
            if len(data) > _MOST_JSON_BYTES:
                raise detail(413, "validation_error", "request_too_large", "The body is too large.")
        try:
            return json.loads(data)
        except ValueError as error:
            raise invalid(("body",), "JSON decode error", "json_invalid") from error

    def _accept(self, body: Body, folder: Path) -> Maker:
        """Checks a request for music; from here on it is a purchase."""
        state = self.server.state
        order: Order
        if self._path == VIDEO:
            order = check_video(body, self._query, state.form)
        else:
            order = check_compose(body.json, self._query, with_details=self._path == DETAILED)
        state.learn(self._number, purchase=True)
        state.work(self._number)
        return Maker(
            order=order,
            folder=folder,
            going_on=state.going_on,
            key=self.headers.get("xi-api-key") or "",
        )

    # --- misbehaving ---------------------------------------------------------------------------

    def _before_body(self, behaviour: Behaviour) -> None:
        if behaviour == "hang-before-body":
            self._hang()
        elif behaviour == "reset-mid-upload":
            read_bytes = 0
            while read_bytes < _SOME_BYTES and (piece := self._wire.read(_DRIP_BYTES)):
                read_bytes += len(piece)
            self._reset()
        elif behaviour == "early-413":
            self.close_connection = True
            message = "The videos together exceed the limit of 200 MB."
            self._refuse(detail(413, "validation_error", "request_too_large", message))
            raise ClientGoneError("its body is not wanted")

    def _after_body(self, behaviour: Behaviour) -> None:
        if behaviour == "hang-after-body":
            self._hang()
        elif behaviour == "reset-after-body":
            self._reset()

    def _hang(self) -> NoReturn:
        """Does nothing until the client goes or the service closes."""
        while not self.server.state.closing.is_set() and not gone(self.connection):
            self.server.state.closing.wait(_LOOK_S)
        raise ClientGoneError("it was kept waiting")

    def _reset(self) -> NoReturn:
        """Ends the connection with RST."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        raise ClientGoneError("it was reset")

    # --- answering -----------------------------------------------------------------------------

    def _refuse(self, refused: RefusalError) -> None:
        body = refused.body
        if isinstance(body, dict) and isinstance(body.get("detail"), dict):
            named = "request_id" in body["detail"]
            body = {"detail": {**body["detail"], **({"request_id": self._id()} if named else {})}}
        page = isinstance(body, str)
        content = body.encode() if page else json.dumps(body).encode()
        self.server.state.learn(self._number, status=refused.status)
        self.send_response(refused.status)
        self.send_header("Content-Type", "text/html" if page else "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("request-id", self._id())
        for name, value in refused.headers:
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def _id(self) -> str:
        return f"req-{self._number:06d}"

    def _send(self, answer: Answer, behaviour: Behaviour, song: str) -> None:
        state = self.server.state
        content = (
            answer.content if isinstance(answer.content, bytes) else answer.content.read_bytes()
        )
        state.learn(self._number, status=200)
        self.send_response(200)
        self.send_header("Content-Type", answer.content_type)
        headers = (
            ("current-concurrent-requests", str(state.in_flight)),
            ("maximum-concurrent-requests", str(state.at_once)),
            ("request-id", self._id()),
            ("song-id", song[:20]),
        )
        for name, value in (*headers, *answer.headers):
            self.send_header(name, value)
        if behaviour == "short-answer":
            self._send_short(content)
        else:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self._send_chunks(content, behaviour)

    def _send_short(self, content: bytes) -> None:
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])
        self.close_connection = True

    def _send_chunks(self, content: bytes, behaviour: Behaviour) -> None:
        state = self.server.state
        if behaviour == "endless":
            for piece in _endless(content):
                self._chunk(piece)
            self.close_connection = True
            return
        half = behaviour in {"hang-mid-answer", "reset-mid-answer"}
        size = _DRIP_BYTES if behaviour == "slow-drip" else _PIECE_BYTES
        sent = content[: len(content) // 2] if half else content
        began_s = time.monotonic()
        for at in range(0, len(sent), size):
            self._chunk(sent[at : at + size])
            if behaviour == "slow-drip":
                due_s = began_s + _DRIP_S * (at + size) / len(sent)
                state.closing.wait(max(due_s - time.monotonic(), 0))
        if behaviour == "hang-mid-answer":
            self._hang()
        if behaviour == "reset-mid-answer":
            # The client shall have the first half: a reset takes back what is still on the way.
            time.sleep(_LOOK_S)
            self._reset()
        state.last_answer = content
        if self._ticket:
            # Whoever has the whole answer may send the next request at once.
            self._ticket.end()
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, piece: bytes) -> None:
        self.server.state.going_on()
        self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))


def _endless(content: bytes) -> Iterator[bytes]:
    sent_bytes = 0
    while sent_bytes < _ENDLESS_BYTES:
        for at in range(0, len(content), _PIECE_BYTES):
            yield content[at : at + _PIECE_BYTES]
        sent_bytes += len(content)
