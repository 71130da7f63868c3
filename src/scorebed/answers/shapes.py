"""The shapes of an answer: what lies in its body, told by content and never by its header.

A body is audio itself, a ZIP, multipart/mixed, or JSON with base64 in it; parts and strings may
themselves be ZIP archives or JSON, but an archive in an archive is refused.
"""

from __future__ import annotations

import mmap
import re
from email.parser import BytesHeaderParser
from typing import TYPE_CHECKING

from scorebed.answers.from_json import decode_base64, open_json
from scorebed.answers.from_zip import open_zip
from scorebed.answers.parts import (
    CHUNK_BYTES,
    MAX_MEMBERS,
    Found,
    Opening,
    head_of,
    is_text,
    is_zip,
    readable,
    said_in,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scorebed.model import Answer, Expected

_HEADER_BYTES = 16 << 10
_PREAMBLE_BYTES = 64 << 10
_BOUNDARY = re.compile(rb"\s*--([0-9A-Za-z'()+_,\-./:=? ]{1,70}?)[ \t]*\r?\n")
_HEADER_LINE = re.compile(rb"(?:[!-9;-~]+:[^\r\n]*)?\r?\n")
_PACKED = (b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
_NO_AUDIO = (*_PACKED, b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"%PDF", b"MThd")
"""Covers, papers, MIDI: what may lie beside music."""


def open_answer(answer: Answer, expected: Expected, *, folder: Path) -> Opening:
    """Takes an answer apart.

    Args:
        answer: What the service answered.
        expected: What it should hold.
        folder: Where files are written, under names of our own.

    Raises:
        BadAnswer: If it is hostile, broken, or holds nothing that may be audio.
    """
    opening = Opening(answer, expected, folder)
    if not answer.body.stat().st_size:
        raise opening.bad("nothing: the body is empty")
    opening.queue.append(Found(path=answer.body, name="", origin="body", must=True))
    while opening.queue:
        _look_into(opening, opening.queue.popleft())
    if not opening.found:
        raise opening.bad(f"no audio{': ' if opening.said else ''}{opening.said}")
    return opening


def _look_into(opening: Opening, found: Found) -> None:
    head = head_of(found.path)
    boundary = None
    if found.origin == "body":
        boundary = _boundary_of(head, found.path, opening.answer.content_type)
    if boundary is not None:
        _open_multipart(opening, found.path, boundary)
    elif is_zip(head):
        if found.origin == "zip":
            raise opening.bad(f"a ZIP archive with another archive in it: {readable(found.name)}")
        open_zip(opening, found.path)
    elif is_text(head):
        _look_into_text(opening, found, text_of(head))
    elif found.origin == "zip" and head.startswith(_PACKED):
        raise opening.bad(f"a ZIP archive with another archive in it: {readable(found.name)}")
    elif found.must or not head.startswith(_NO_AUDIO):
        opening.found.append(found)


def _look_into_text(opening: Opening, found: Found, words: str) -> None:
    document = words[:1] in {"{", "["}
    if document and (found.origin == "body" or not found.must):
        open_json(opening, found)
    elif found.must:
        named = f" ({readable(found.name)})" if found.name else ""
        kind = "a web page" if words.startswith("<") else "text in place of music"
        raise opening.bad(f"{kind}{named}: {said_in(words)}")
    else:
        opening.said = opening.said or said_in(words)


# --- multipart ---------------------------------------------------------------------------------


def _boundary_of(head: bytes, path: Path, content_type: str) -> bytes | None:
    """The delimiter between parts, with its two dashes; None for a body that has no parts."""
    stated = _stated_boundary(content_type)
    if stated is not None:
        with path.open("rb") as file:
            if stated in file.read(_PREAMBLE_BYTES):
                return stated
    first = _BOUNDARY.match(head)
    if first and _HEADER_LINE.match(head, first.end()):
        return b"--" + first[1]
    return None


def _stated_boundary(content_type: str) -> bytes | None:
    header = BytesHeaderParser().parsebytes(b"Content-Type: " + _one_line(content_type) + b"\n\n")
    if header.get_content_maintype() != "multipart":
        return None
    boundary = header.get_boundary()
    return b"--" + boundary.encode("latin-1", errors="replace") if boundary else None


def _one_line(text: str) -> bytes:
    return text.replace("\r", " ").replace("\n", " ").encode("latin-1", errors="replace")


def _open_multipart(opening: Opening, path: Path, boundary: bytes) -> None:
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as body,
    ):
        for number, (start, end) in enumerate(_part_spans(opening, body, boundary)):
            _open_part(opening, body, start, end, number)


def _part_spans(opening: Opening, body: mmap.mmap, boundary: bytes) -> Iterator[tuple[int, int]]:
    """Where each part's headers begin and its content ends."""
    at = body.find(boundary)
    for _ in range(MAX_MEMBERS + 1):
        start = at + len(boundary)
        if body[start : start + 2] == b"--":
            return
        following = body.find(b"\n" + boundary, start)
        if following < 0:
            opening.tell("incomplete", "the last part is not closed")
            yield start, len(body)
            return
        yield start, following - 1 if body[following - 1 : following] == b"\r" else following
        at = following + 1
    raise opening.bad(f"more than {MAX_MEMBERS} parts")


def _open_part(opening: Opening, body: mmap.mmap, start: int, end: int, number: int) -> None:
    # From the end of the delimiter's line: headers may be missing.
    line = body.find(b"\n", start, end)
    until = min(end, line + _HEADER_BYTES)
    gaps = [(body.find(gap, line, until), len(gap)) for gap in (b"\n\r\n", b"\n\n")]
    gaps = [(at, size) for at, size in gaps if at >= 0]
    if line < 0 or not gaps:
        raise opening.bad("a multipart body that breaks off in the head of a part")
    at, size = min(gaps)
    header = BytesHeaderParser().parsebytes(body[line + 1 : at + 1])
    name = header.get_filename() or str(
        header.get_param("name", "", header="content-disposition") or f"part {number + 1}"
    )
    chunks = _chunks(body, at + size, end)
    if str(header.get("Content-Transfer-Encoding", "")).strip().lower() == "base64":
        chunks = decode_base64(opening, chunks, name)
    path = opening.write(chunks)
    if path.stat().st_size:
        audio = header.get_content_maintype() == "audio"
        opening.queue.append(Found(path=path, name=name, origin="part", must=audio))


def _chunks(body: mmap.mmap, start: int, end: int) -> Iterator[bytes]:
    for at in range(start, end, CHUNK_BYTES):
        yield body[at : min(at + CHUNK_BYTES, end)]
