"""Request bodies: read from the wire in pieces, files to disk."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote

from scorebed.testing.service_measure import Part, measure
from scorebed.testing.service_requests import (
    Body,
    ClientGoneError,
    detail,
    invalid,
)

if TYPE_CHECKING:
    from io import BufferedIOBase

_PIECE_BYTES = 1 << 16
_HEADERS_BYTES = 1 << 14
_FIELD_BYTES = 1 << 20
_PARAMETER = re.compile(
    r';\s*(?P<name>[\w*-]+)=(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^;\s]+))'
)


class Source(Protocol):
    """Where a body comes from."""

    def read(self, size: int) -> bytes:
        """At most so many bytes; none at the end."""
        ...


class Wire:
    """The body of a request, with a length or chunked, as the handler's file gives it."""

    def __init__(self, file: BufferedIOBase, *, length_bytes: int | None) -> None:
        self._file = file
        self._chunked = length_bytes is None
        self._left = length_bytes or 0
        self._ended = length_bytes == 0

    @property
    def ended(self) -> bool:
        """Whether all of it was read."""
        return self._ended

    def read(self, size: int) -> bytes:
        """At most so many bytes; none at the end.

        Raises:
            ClientGoneError: If the connection ends before the body does.
        """
        if self._ended:
            return b""
        if self._chunked and not self._left:
            self._left = self._next_chunk()
            if not self._left:
                self._ended = True
                return b""
        try:
            # read1 takes what is there; read would wait for all of it.
            piece = self._file.read1(min(size, self._left))
        except OSError as error:
            raise ClientGoneError("in the body") from error
        if not piece:
            raise ClientGoneError("in the body")
        self._left -= len(piece)
        if self._chunked and not self._left:
            self._line()
        elif not self._chunked:
            self._ended = not self._left
        return bytes(piece)

    def _next_chunk(self) -> int:
        try:
            size = int(self._line().split(b";")[0], 16)
        except ValueError as error:
            raise ClientGoneError("lost between two chunks") from error
        if not size:
            while self._line():
                pass
        return size

    def _line(self) -> bytes:
        line = self._file.readline(_HEADERS_BYTES)
        if not line.endswith(b"\n"):
            raise ClientGoneError("in a chunk")
        return line.strip()

    def drain(self) -> None:
        """Reads and forgets the rest, so that the client gets to hear the answer."""
        while self.read(_PIECE_BYTES):
            pass


class _Parts:
    """A multipart body, part by part, with a bounded buffer."""

    def __init__(self, source: Source, boundary: str) -> None:
        self._source = source
        self._delimiter = b"\r\n--" + boundary.encode("latin-1")
        self._buffer = bytearray(b"\r\n")  # so that the first boundary looks like the others

    def next(self) -> Part | None:
        """The head of the next part, None after the last; the part before must have been read."""
        mark = self._take(len(self._delimiter))
        if mark != self._delimiter:
            raise detail(400, "validation_error", "malformed_body", "a boundary is not where it is")
        end = self._take(2)
        if end == b"--":
            return None
        if end != b"\r\n":
            raise detail(400, "validation_error", "malformed_body", "a boundary does not end")
        lines = []
        while line := self._header_line():
            lines.append(line)
        return _head(lines)

    def content(self, write: Callable[[bytes], object]) -> None:
        """Hands on the content of the present part, in pieces."""
        while (at := self._buffer.find(self._delimiter)) < 0:
            sure = len(self._buffer) - len(self._delimiter) + 1
            if sure > 0:
                write(bytes(self._buffer[:sure]))
                del self._buffer[:sure]
            self._fill()
        write(bytes(self._buffer[:at]))
        del self._buffer[:at]

    def _header_line(self) -> str:
        while (at := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > _HEADERS_BYTES:
                raise detail(400, "validation_error", "malformed_body", "a part's head is endless")
            self._fill()
        line = self._take(at + 2)[:-2]
        return line.decode("utf-8", errors="surrogateescape")

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._fill()
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _fill(self) -> None:
        piece = self._source.read(_PIECE_BYTES)
        if not piece:
            raise detail(400, "validation_error", "malformed_body", "the last boundary is missing")
        self._buffer += piece


def _head(lines: list[str]) -> Part:
    said = dict(line.split(":", 1) for line in lines if ":" in line)
    headers = {name.strip().lower(): value.strip() for name, value in said.items()}
    disposition = headers.get("content-disposition", "")
    given = _parameters(disposition)
    if not disposition.lower().startswith("form-data") or "name" not in given:
        raise detail(400, "validation_error", "malformed_body", "a part has no name")
    return Part(
        name=given["name"],
        filename=given.get("filename"),
        content_type=headers.get("content-type", ""),
    )


def _parameters(header: str) -> dict[str, str]:
    found = {}
    for match in _PARAMETER.finditer(header):
        quoted = match["quoted"]
        # HTML 5 escapes three characters of a name, in percent; nothing else is escaped.
        value = match["bare"] if quoted is None else re.sub("%(22|0D|0A)", _escaped, quoted)
        found[match["name"].lower()] = value
    return found


def _escaped(match: re.Match[str]) -> str:
    return unquote(match[0])


def read_multipart(
    source: Source,
    content_type: str,
    folder: Path,
    *,
    most_bytes: int,
    going_on: Callable[[], None],
) -> Body:
    """Reads a multipart/form-data body, files to disk, and measures them.

    Args:
        source: The body.
        content_type: The request's, with the boundary.
        folder: An empty folder for the files; each is deleted when it was measured.
        most_bytes: Bytes that all files together may have.
        going_on: Called while files are decoded; raises when there is no use in it.

    Raises:
        RefusalError: If it is malformed or its files are too large.
        ClientGoneError: If the connection ends before the body does.
    """
    boundary = _parameters(content_type).get("boundary")
    if not content_type.lower().startswith("multipart/form-data") or not boundary:
        raise invalid(("body",), "Field required", "missing")
    parts = _Parts(source, boundary)
    names: list[str] = []
    fields: list[tuple[str, str]] = []
    files: list[tuple[Part, Path]] = []
    total_bytes = 0
    while (part := parts.next()) is not None:
        names.append(part.name)
        if part.filename is None:
            fields.append((part.name, _field(parts)))
            continue
        path = folder / f"{len(files):03d}"
        with path.open("wb") as file:
            parts.content(file.write)
        total_bytes += path.stat().st_size
        if total_bytes > most_bytes:
            raise too_large(most_bytes)
        files.append((part, path))
    return Body(
        fields=tuple(fields),
        files=tuple(measure(part, path, going_on) for part, path in files),
        part_names=tuple(names),
    )


def too_large(most_bytes: int) -> Exception:
    """The refusal of more bytes than the service takes."""
    return detail(
        413,
        "validation_error",
        "request_too_large",
        f"The videos together exceed the limit of {most_bytes // 1_000_000} MB.",
        param="videos",
    )


def _field(parts: _Parts) -> str:
    value = bytearray()

    def add(piece: bytes) -> None:
        value.extend(piece)
        if len(value) > _FIELD_BYTES:
            raise detail(413, "validation_error", "request_too_large", "A field is too large.")

    parts.content(add)
    return value.decode("utf-8", errors="surrogateescape")
