"""What the test server received, and why it refuses."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Form = Literal["current", "brief"]
"""Which of the two forms of the video request the server takes."""
Pairs = tuple[tuple[str, str], ...]
"""Names and values in the order in which they came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedFile:
    """A file of a multipart request, measured by decoding all of it."""

    part_name: str
    """Name of the part that it came in."""
    filename: str
    """The name that the client gave it."""
    content_type: str
    """As the client says it; empty when it does not."""
    sha256: str
    """Hash of its bytes, in hexadecimal."""
    size_bytes: int
    """Its size in bytes."""
    duration_s: float
    """From the first shown frame to the end of the last, in seconds; 0 without picture."""
    frames: int
    """Frames of the first picture stream that were decoded."""
    width_px: int
    """Width of the picture in pixels; 0 without picture."""
    height_px: int
    """Height of the picture in pixels; 0 without picture."""
    audio: bool
    """Whether it carries sound."""
    key: int | None = None
    """Key of its sound, 0 (C) to 11; None without sound."""
    problem: str = ""
    """Why it could not be decoded to its end; empty if it could."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request as it came. The key is in it: this is a tool for tests."""

    number: int
    """1 for the first request that the server received."""
    method: str
    """``POST`` for all that the service offers."""
    path: str
    """Without the query."""
    query: Pairs = ()
    """Names and values of the query, decoded, in order."""
    headers: Pairs = ()
    """Names as they were sent, and values."""
    fields: Pairs = ()
    """Fields of a multipart body, in order."""
    files: tuple[ReceivedFile, ...] = ()
    """Files of a multipart body, in order."""
    part_names: tuple[str, ...] = ()
    """Names of all parts of a multipart body, in order."""
    json: Any = None
    """The parsed body of a JSON request."""
    status: int | None = None
    """What it was answered with; None while it was not, or never."""
    purchase: bool = False
    """Whether it was accepted and would be billed."""
    behaviour: str = "ok"
    """What was to happen with it."""
    at_s: float
    """When it came, in seconds of ``time.monotonic()``."""

    def header(self, name: str) -> str | None:
        """The first header of that name, in any case; None if it was not sent."""
        return next((value for known, value in self.headers if known.lower() == name.lower()), None)


class ClientGoneError(Exception):
    """The client went away, or the service closes."""


class RefusalError(Exception):
    """An answer that is not music.

    Args:
        status: The HTTP status.
        body: Sent as JSON, or as a page when it is a string.
        headers: Further headers.
    """

    def __init__(self, status: int, body: Any, headers: Pairs = ()) -> None:  # noqa: ANN401 - JSON
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body
        self.headers = headers


def detail(
    status: int,
    kind: str,
    code: str,
    message: str,
    *,
    param: str | None = None,
    headers: Pairs = (),
    **more: Any,  # noqa: ANN401 - JSON
) -> RefusalError:
    """An error in the service's present form; the request id is filled in when it is sent."""
    said = {"type": kind, "code": code, "message": message, "status": code, "request_id": None}
    return RefusalError(status, {"detail": {**said, "param": param, **more}}, headers)


def invalid(loc: tuple[str | int, ...], message: str, kind: str = "value_error") -> RefusalError:
    """A 422 as the service's validation gives it: a list with what, where and why."""
    return RefusalError(422, {"detail": [{"loc": list(loc), "msg": message, "type": kind}]})


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A request that was found good: what music is to be made."""

    parts_s: tuple[float, ...]
    """Lengths of its files, chunks or sections, in order, in seconds."""
    length_s: float
    """Length of all the music, in seconds."""
    output_format: str
    """As in the query: codec, rate in hertz and bitrate in kb/s."""
    fingerprint: str
    """Hash of all that was asked: the same request gives the same music."""
    seed: int | None = None
    """The seed, where the form has one."""
    tracks: bool = False
    """Whether music and effects are wanted separately, in a ZIP."""
    effects: bool = False
    """Whether effects are wanted in the music."""
    plan: Any = None
    """The composition plan of a text request."""
    with_details: bool = False
    """Whether the answer is multipart with metadata."""
    asked: dict[str, Any] = field(default_factory=dict)
    """The fields, told back as metadata."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What a request carried."""

    fields: Pairs = ()
    """Fields of a multipart body."""
    files: tuple[ReceivedFile, ...] = ()
    """Files of a multipart body."""
    part_names: tuple[str, ...] = ()
    """Names of all parts."""
    json: Any = None
    """A parsed JSON body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A body with status 200."""

    content_type: str
    """Its Content-Type."""
    content: bytes | Path
    """The bytes, or the file that holds them."""
    headers: Pairs = ()
    """Further headers."""
