"""One request: streamed up from disk, its answer streamed down to disk."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from scorebed.errors import OutcomeUnknown, ProviderUnavailable
from scorebed.model import Answer
from scorebed.providers.elevenlabs.keys import host_of, is_loopback
from scorebed.providers.elevenlabs.refusals import Refusal, clean, error_of, lost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorebed.providers.base import Wire

_CONNECT_S = 30.0
_WRITE_S = 120.0
_ERROR_BYTES = 65_536
_BLOCK_BYTES = 65_536
_LEAST_READ_S = 600.0
_LEAST_DEADLINE_S = 3600.0
_UPLOAD_SHARE = 0.4
"""Share of the work that is done when the request has left; the rest is a guess."""
_ANSWER_SHARE = 0.9
_FACTS = frozenset(
    {
        *("duration", "duration-seconds", "duration-ms", "seed", "seed-used", "loudness"),
        *("quality", "guidance-scale", "model", "model-id", "parameters", "character-cost"),
    }
)
"""Headers, with or without ``x-``, that say what the music is: audio alone can say it nowhere
else."""
_BODY = "body"
_VIDEO = "video/mp4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where requests go."""

    base_url: str
    """Scheme, host and path before ``/v1``."""
    key: str = field(repr=False)
    """The secret."""
    read_timeout_s: float
    """How long an answer may be silent, in seconds; at least 600 away from this machine."""

    def url(self, path: str) -> str:
        """The address of an endpoint."""
        host_of(self.base_url)  # refuses one that would send the key in the clear
        return f"{self.base_url.rstrip('/')}/{path}"

    def client(self) -> httpx.Client:
        """A client that follows no redirect: the key goes to this host only."""
        near = is_loopback(self.base_url)
        read_s = self.read_timeout_s if near else max(self.read_timeout_s, _LEAST_READ_S)
        return httpx.Client(
            timeout=httpx.Timeout(connect=_CONNECT_S, write=_WRITE_S, read=read_s, pool=None),
            follow_redirects=False,
            # A proxy of the environment must not see what goes to this machine in the clear.
            trust_env=not near,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A file of a multipart request."""

    field: str
    """Name of the part."""
    name: str
    """Name of the file."""
    path: Path
    """Where it lies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request for music."""

    path: str
    """Endpoint, for example ``v1/music``."""
    query: tuple[tuple[str, str], ...] = ()
    """Names and values in the address."""
    fields: dict[str, Any] | None = None
    """Fields of a multipart request, in order; a list is repeated."""
    files: tuple[Part, ...] = ()
    """Files of a multipart request, in order, after the fields."""
    json: dict[str, Any] | None = None
    """Body of a request that carries no files."""
    most_bytes: int
    """An answer of more bytes is none."""


class _Body(httpx.SyncByteStream):
    """The request's body on its way: tells when it begins, how far it is, and that it has left."""

    def __init__(self, inner: httpx.SyncByteStream, total_bytes: int, wire: Wire) -> None:
        self._inner = inner
        self._total_bytes = total_bytes
        self._wire = wire
        self.left = False

    def __iter__(self) -> Iterator[bytes]:
        self._wire.sending()
        done = 0
        for chunk in self._inner:
            done += len(chunk)
            # Before the last bytes are handed over: from here on the service may have it all.
            self.left = done >= self._total_bytes
            yield chunk
            self._wire.progress(_UPLOAD_SHARE * done / max(self._total_bytes, 1))
        self.left = True


def ask(call: Call, target: Target, *, folder: Path, wire: Wire) -> Answer:
    """Sends a request for music, once.

    Args:
        call: What is asked.
        target: Where.
        folder: Where the body of the answer is written.
        wire: Told of what happens.

    Raises:
        ProviderError: One of its kinds: see ``providers.base.Service.send``.
    """
    with ExitStack() as open_files, target.client() as client:
        request = client.build_request(
            "POST",
            target.url(call.path),
            params=call.query,
            headers={"xi-api-key": target.key},
            data=call.fields,
            files=[
                (
                    part.field,
                    (part.name, open_files.enter_context(part.path.open("rb")), _VIDEO),
                )
                for part in call.files
            ]
            or None,
            json=call.json,
        )
        assert isinstance(request.stream, httpx.SyncByteStream)
        body = _Body(request.stream, int(request.headers.get("content-length", 0)), wire)
        request.stream = body
        try:
            return _exchange(client, request, body, call, target, folder, wire)
        except httpx.TransportError as error:
            raise _broken(error, body, target) from error


def _exchange(
    client: httpx.Client,
    request: httpx.Request,
    body: _Body,
    call: Call,
    target: Target,
    folder: Path,
    wire: Wire,
) -> Answer:
    response = client.send(request, stream=True)
    try:
        most = response.headers.get("maximum-concurrent-requests", "")
        if most.isdigit():
            wire.at_once(int(most))
        if not response.is_success:
            raise error_of(
                Refusal(
                    status=response.status_code,
                    headers={name.lower(): value for name, value in response.headers.items()},
                    body=_beginning(response),
                    key=target.key,
                    sent_whole=body.left,
                )
            )
        return _receive(response, call, target, folder, wire)
    finally:
        response.close()


def _beginning(response: httpx.Response) -> str:
    """The first bytes of an error's body; one that breaks off is still an error."""
    found = b""
    try:
        for chunk in response.iter_bytes():
            found += chunk
            if len(found) >= _ERROR_BYTES:
                break
    except (httpx.TransportError, httpx.DecodingError):
        pass
    return found[:_ERROR_BYTES].decode(errors="replace")


def _receive(
    response: httpx.Response, call: Call, target: Target, folder: Path, wire: Wire
) -> Answer:
    number = _header(response, target.key, "request-id", "x-request-id")
    deadline_s = time.monotonic() + max(4 * target.read_timeout_s, _LEAST_DEADLINE_S)
    path = folder / _BODY
    total_bytes = int(response.headers.get("content-length", 0) or 0)
    done = 0
    try:
        with path.open("wb") as file:
            for chunk in _without(response.iter_bytes(_BLOCK_BYTES), target.key.encode()):
                done += len(chunk)
                _refuse_endless(done, call.most_bytes, deadline_s, number)
                file.write(chunk)
                wire.progress(_answered_share(done, total_bytes, call.most_bytes))
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, httpx.DecodingError):
            raise lost("the answer is damaged", number) from error
        raise
    return Answer(
        body=path,
        content_type=clean(response.headers.get("content-type", ""), target.key),
        request_id=number,
        song_id=_header(response, target.key, "song-id"),
        facts=tuple(
            (name, clean(value, target.key))
            for name, value in response.headers.items()
            if name.removeprefix("x-") in _FACTS
        ),
    )


def _without(blocks: Iterator[bytes], key: bytes) -> Iterator[bytes]:
    """An answer that repeats the request's headers would put the key on the disk.

    The length stays, and all else: positions that the body states about itself hold.
    """
    held = b""
    for block in blocks:
        held = (held + block).replace(key, b"*" * len(key))
        # The end may be the beginning of a key.
        ready = max(len(held) - len(key) + 1, 0)
        yield held[:ready]
        held = held[ready:]
    yield held


def _refuse_endless(done: int, most_bytes: int, deadline_s: float, number: str | None) -> None:
    if done > most_bytes:
        raise lost(f"the answer has more than {most_bytes / 1e6:.0f} MB", number)
    if time.monotonic() > deadline_s:
        raise lost("the answer did not end", number)


def _answered_share(done: int, total_bytes: int, most_bytes: int) -> float:
    share = done / total_bytes if total_bytes else done / most_bytes
    return _ANSWER_SHARE + (1 - _ANSWER_SHARE) * min(share, 1.0)


def _header(response: httpx.Response, key: str, *names: str) -> str | None:
    for name in names:
        value = response.headers.get(name)
        if value:
            return clean(value, key)
    return None


def _broken(
    error: httpx.TransportError, body: _Body, target: Target
) -> ProviderUnavailable | OutcomeUnknown:
    """What a broken connection means: all depends on whether the request had left."""
    what = clean(f"{type(error).__name__}: {error}".rstrip(": "), target.key)
    if body.left:
        if isinstance(error, httpx.ReadTimeout):
            return lost(f"the service did not answer within {target.read_timeout_s:.0f} s")
        return lost(f"the connection broke ({what})")
    return ProviderUnavailable(
        f"compose: the service at {host_of(target.base_url)} cannot be reached ({what})",
        remedy="Check the network and run the same command again; nothing was bought.",
    )
