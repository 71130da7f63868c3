"""JSON in an answer: audio as base64 wherever it lies, and what else is stated.

Long strings are left where they are, in the mapped file: only what remains is parsed, so that an
answer of any length takes little memory.
"""

from __future__ import annotations

import base64
import binascii
import json
import mmap
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scorebed.answers.parts import CHUNK_BYTES, Found, Opening, readable, words

if TYPE_CHECKING:
    from collections.abc import Iterator


MAX_JSON_BYTES = 8 << 20
"""Most JSON beside its long strings, which are never loaded whole."""
_LONG_BYTES = 2048
"""Strings from this length on are left in the file: a second of the poorest MP3 is longer."""
_MAX_DEPTH = 24
_MARK = "\x00long:"
_SURE = frozenset(
    words(
        "audio audiobase64 audiob64 audiodata audiobytes audiocontent base64 base64audio b64 "
        "b64json b64audio"
    )
)
"""Keys, in small letters and without punctuation, whose string is audio."""
_LIKELY = frozenset(
    words(
        "data content bytes body file files music track tracks song songs sound sounds "
        "segment segments clip clips piece pieces result output sfx effects soundeffects mix"
    )
)
"""Keys whose string is audio if it is long."""
_ORDERS = words(
    "index order position number segmentindex sceneindex segment scene reel start starts "
    "starttime startsec startms startseconds from offset"
)
_NAMES = ("name", "filename", "type", "kind", "role", "label", "title", "track")
_ESCAPE = re.compile(rb"\\(?:u00([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_ESCAPED_BYTES = 6
_SPACE = bytes.maketrans(b"-_", b"+/")
_PREFIX = re.compile(rb"data:[^,]{0,200};base64,")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]*")


@dataclass(frozen=True, slots=True)
class _Walk:
    """A JSON document that is gone through."""

    opening: Opening
    body: mmap.mmap
    spans: list[tuple[int, int]]


def open_json(opening: Opening, found: Found) -> None:
    """Goes through a JSON document: audio is written out, scalars become facts.

    Args:
        opening: The answer.
        found: The document, not empty.

    Raises:
        BadAnswer: If the body is broken JSON, is too long, or its audio is not base64.
    """
    with (
        found.path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as body,
    ):
        skeleton, spans = _skeleton(opening, body)
        try:
            document = json.loads(skeleton.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            broken = f"JSON that is broken: {readable(skeleton[:300].decode(errors='replace'))}"
            if found.origin == "body":
                raise opening.bad(broken) from error
            # Beside music it is only a note about it.
            opening.said = opening.said or broken
            return
        before = len(opening.facts)
        _visit(_Walk(opening, body, spans), document, ())
        told = ", ".join(f"{key}: {value}" for key, value in opening.facts[before:])
        opening.said = opening.said or readable(told)


def _skeleton(opening: Opening, body: mmap.mmap) -> tuple[bytes, list[tuple[int, int]]]:
    """The document with a mark in place of each long string, and where those lie."""
    kept = bytearray()
    spans: list[tuple[int, int]] = []
    at = 0
    while (start := body.find(b'"', at)) >= 0:
        end = _string_end(body, start + 1)
        if end < 0:
            break
        if end - start > _LONG_BYTES:
            kept += body[at:start] + json.dumps(f"{_MARK}{len(spans)}").encode()
            spans.append((start + 1, end))
        else:
            _require_short(opening, len(kept) + end + 1 - at)
            kept += body[at : end + 1]
        at = end + 1
    _require_short(opening, len(kept) + len(body) - at)
    return bytes(kept) + body[at:], spans


def _require_short(opening: Opening, size_bytes: int) -> None:
    if size_bytes > MAX_JSON_BYTES:
        raise opening.bad(f"more than {MAX_JSON_BYTES >> 20} MB of JSON beside its audio")


def _string_end(body: mmap.mmap, at: int) -> int:
    """Position of the quotation mark that closes a string, or -1."""
    while (at := body.find(b'"', at)) >= 0:
        slashes = at
        while body[slashes - 1 : slashes] == b"\\":
            slashes -= 1
        if (at - slashes) % 2 == 0:
            return at
        at += 1
    return -1


# --- going through -----------------------------------------------------------------------------


def _visit(walk: _Walk, value: object, keys: tuple[str, ...]) -> None:
    if len(keys) > _MAX_DEPTH:
        raise walk.opening.bad(f"JSON that is nested over {_MAX_DEPTH} deep")
    if isinstance(value, dict):
        _visit_object(walk, value, keys)
    elif isinstance(value, list):
        for number, entry in enumerate(_in_order(value), start=1):
            _visit(walk, entry, (*keys, str(number)))
    elif isinstance(value, str) and (value.startswith(_MARK) or _key(keys) in _SURE):
        _visit_string(walk, value, keys)
    elif value is not None:
        walk.opening.tell(".".join(keys), value)


def _visit_object(walk: _Walk, value: dict[str, object], keys: tuple[str, ...]) -> None:
    # "type": "sfx" beside the audio says what it is.
    about = tuple(
        entry
        for key, entry in value.items()
        if _plain(key) in _NAMES and isinstance(entry, str) and not entry.startswith(_MARK)
    )
    entries = list(value.items())
    if all(key.isdecimal() for key in value):
        entries.sort(key=lambda entry: int(entry[0][:18]))
    for key, entry in entries:
        is_audio = isinstance(entry, str) and _plain(key) in _SURE | _LIKELY
        _visit(walk, entry, (*keys, *(about if is_audio else ()), key))


def _in_order(entries: list[object]) -> list[object]:
    """A list by the first number that all its entries state: index, start ..."""
    objects = [
        {_plain(key): value for key, value in entry.items()}
        for entry in entries
        if isinstance(entry, dict)
    ]
    if len(objects) < len(entries):
        return entries
    for order in _ORDERS:
        numbers = [entry.get(order) for entry in objects]
        if all(isinstance(number, int | float) for number in numbers):
            pairs = zip(numbers, range(len(entries)), strict=True)
            return [entries[place] for _, place in sorted(pairs)]
    return entries


def _plain(key: str) -> str:
    return re.sub(r"[^a-z0-9]", "", key.lower())


def _key(keys: tuple[str, ...]) -> str:
    """The key that says what a string is: in a list, the list's own."""
    return next((_plain(key) for key in reversed(keys) if not key.isdecimal()), "")


def _visit_string(walk: _Walk, value: str, keys: tuple[str, ...]) -> None:
    """Writes a string out that is audio, or may be."""
    opening, key, name = walk.opening, _key(keys), " ".join(keys)
    if re.match(r"https?://", value):
        raise opening.bad(f"an address in place of audio, which is not fetched: {readable(value)}")
    number = value.removeprefix(_MARK)
    must = key in _SURE | _LIKELY
    if not value.startswith(_MARK):
        chunks = iter([value.encode(errors="replace")])
    elif not number.isdecimal() or int(number) >= len(walk.spans):
        return
    else:
        span = walk.spans[int(number)]
        if not must and not _looks_like_base64(walk.body, *span):
            return
        chunks = _raw(walk.body, *span)
    path = opening.write(decode_base64(opening, chunks, name))
    if not path.stat().st_size:
        raise opening.bad(f"audio of no length: {readable(name)}")
    listed = any(key.isdecimal() for key in keys)
    opening.queue.append(Found(path=path, name=name, origin="json", must=must, listed=listed))


# --- base64 ------------------------------------------------------------------------------------


def _looks_like_base64(body: mmap.mmap, start: int, end: int) -> bool:
    """Whether a long string under an unknown key may hold a file."""
    head = _clean(body[start : min(start + _LONG_BYTES // 2, end)])
    return _BASE64.fullmatch(_PREFIX.sub(b"", head, count=1)) is not None


def _raw(body: mmap.mmap, start: int, end: int) -> Iterator[bytes]:
    """A string of the document in chunks that cut no escape in two."""
    at = start
    while at < end:
        stop = min(at + CHUNK_BYTES, end)
        if stop < end:
            tail = body[max(at, stop - _ESCAPED_BYTES) : stop]
            slash = tail.rfind(b"\\")
            if slash > 0:
                stop -= len(tail) - slash
        yield body[at:stop]
        at = stop


def _clean(chunk: bytes) -> bytes:
    """Without escapes, white space and padding; the alphabet for addresses is the usual one."""
    if b"\\" in chunk:
        chunk = _ESCAPE.sub(_unescaped, chunk)
    return chunk.translate(_SPACE, b" \t\r\n\f")


def _unescaped(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return bytes([int(match[1], 16)])
    return b"" if match[2] in b"nrtfb" else match[2]


def decode_base64(opening: Opening, chunks: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Decodes base64 as it comes.

    Args:
        opening: The answer.
        chunks: The text, with JSON's escapes or line ends in it.
        name: What the answer calls it.

    Raises:
        BadAnswer: If it is not base64.
    """
    rest = b""
    ended = False
    for number, chunk in enumerate(chunks):
        text = chunk if number else _PREFIX.sub(b"", chunk, count=1)
        rest += _clean(text)
        bare = rest.rstrip(b"=")
        if ended and bare:
            raise opening.bad(f"audio that is not base64: {readable(name)}")
        ended = ended or len(bare) < len(rest)
        whole = bare[: len(bare) - len(bare) % 4]
        rest = bare[len(whole) :]
        if not _BASE64.fullmatch(bare):
            raise opening.bad(f"audio that is not base64: {readable(name)}")
        yield base64.b64decode(whole)
    try:
        yield base64.b64decode(rest + b"=" * (-len(rest) % 4), validate=True)
    except binascii.Error as error:
        raise opening.bad(f"audio that breaks off in its base64: {readable(name)}") from error
