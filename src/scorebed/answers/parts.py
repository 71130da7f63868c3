"""An answer that is being opened: the files in it, what it states, and what is wrong with it.

Whatever it holds is written under one folder and counted while it is written: no length that it
states is relied on, and no name in it becomes a path.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from scorebed.errors import BadAnswer
from scorebed.model import Answer, Expected

if TYPE_CHECKING:
    from collections.abc import Iterator


STAGE = "compose"
CHUNK_BYTES = 1 << 20
MAX_MEMBERS = 100
"""Most files in an answer: there are at most ten reels in a request."""
_SPARE_BYTES = 64 << 20
_TRACKS = 3
_SAMPLE_BYTES = 48_000 * 2 * 4
HEAD_BYTES = 4096
_SAID_CHARACTERS = 200
_CUT_BYTES = 3
_NO_WORDS = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
_UNSEEN = re.compile(r"<(script|style)\b.*?(</\1\s*>|$)|<[^>]*>?", re.IGNORECASE | re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file of an answer that may be audio."""

    path: Path
    """Where it lies."""
    name: str
    """What the answer calls it; empty for a body that is audio itself."""
    origin: Literal["body", "part", "json", "zip"]
    """What it was found in."""
    must: bool
    """Whether it has to be audio; else it is passed over if it is none."""
    listed: bool = False
    """Whether it is one of a list in JSON."""


@dataclass(slots=True)
class Opening:
    """An answer that is being opened."""

    answer: Answer
    expected: Expected
    folder: Path
    queue: deque[Found] = field(default_factory=deque)
    found: list[Found] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)
    said: str = ""
    _written_bytes: int = 0
    _files: int = 0

    def bad(self, what: str) -> BadAnswer:
        """The error for an answer that cannot be used."""
        return bad_answer(self.answer, what)

    @property
    def limit_bytes(self) -> int:
        """Most that an answer may hold: the expected length three times over, uncompressed."""
        seconds = int(self.expected.duration_s) + 1
        return _SPARE_BYTES + _TRACKS * seconds * _SAMPLE_BYTES

    def write(self, chunks: Iterator[bytes]) -> Path:
        """Writes a file under a name of our own.

        Raises:
            BadAnswer: If the answer holds more than it may.
        """
        self._files += 1
        if self._files > MAX_MEMBERS:
            raise self.bad(f"more than {MAX_MEMBERS} files")
        path = self.folder / f"{self._files:03d}"
        with path.open("xb") as file:
            for chunk in chunks:
                self._written_bytes += len(chunk)
                if self._written_bytes > self.limit_bytes:
                    raise self.bad(
                        f"files that swell to over {self.limit_bytes >> 20} MB, far more than "
                        f"{float(self.expected.duration_s):.0f} s of music"
                    )
                file.write(chunk)
        return path

    def tell(self, name: str, value: object) -> None:
        """Keeps a fact that the answer states."""
        if len(self.facts) < MAX_MEMBERS:
            self.facts.append((readable(name), readable(str(value))))


def bad_answer(answer: Answer, what: str) -> BadAnswer:
    """The error for an answer that cannot be used.

    Args:
        answer: The answer.
        what: What was found in it, to follow "answered with".
    """
    number = f" (request {readable(answer.request_id)})" if answer.request_id else ""
    return BadAnswer(
        f"compose: the service answered with {what}{number}; the answer is kept in {answer.body}",
        remedy="Look at the kept answer, and give its request id to the service's support. "
        "It may have been billed: it is bought again only with --buy-again.",
    )


def readable(text: str) -> str:
    """Words of an answer that can be printed: one line, no control characters, not long."""
    line = " ".join(_CONTROL.sub(" ", text).split())
    return line if len(line) <= _SAID_CHARACTERS else line[: _SAID_CHARACTERS - 3] + "..."


# --- what bytes look like ----------------------------------------------------------------------


def words(text: str) -> tuple[str, ...]:
    """A list of words from one string."""
    return tuple(text.split())


def head_of(path: Path) -> bytes:
    """The first bytes of a file."""
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def is_text(head: bytes) -> bool:
    """Whether bytes are words. Nothing but U is none: that is silence in A-law."""
    if _NO_WORDS.search(head) or (head and not head.strip(b"U")):
        return False
    try:
        head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The last character may be cut in two; pages may be in an older code.
        cut = len(head) == HEAD_BYTES and error.start >= len(head) - _CUT_BYTES
        return cut or head.lstrip().startswith(b"<")
    return True


def text_of(head: bytes) -> str:
    """The words at the start of a file."""
    return head.decode("utf-8-sig", errors="replace").strip()


def is_zip(head: bytes) -> bool:
    """Whether bytes begin a ZIP archive, also an empty one."""
    return head[:4] in {b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"}


def said_in(text: str) -> str:
    """What a page or a note says: its title, or its first words."""
    title = _TITLE.search(text)
    return readable(title[1] if title and title[1].strip() else _UNSEEN.sub(" ", text))
