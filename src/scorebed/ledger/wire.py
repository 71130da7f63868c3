"""What a client and the server of a ledger say to each other: JSON, and files as they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

MARK_HEADER = "Scorebed-Ledger"
"""In every request: no page in a browser can send it to this machine unasked."""
SESSION_HEADER = "Scorebed-Session"
FORM = "1"
ABOUT = "/v1/about"
FILE = "/v1/file"
DO = "/v1/do/"
MOST_SMALL_BYTES = 16_000_000
"""Of a receipt, or anything else that is no answer."""
LONGEST_WAIT_S = 2.0
"""How long the server keeps a request waiting for a lock."""

Trouble = Literal["token", "refused", "none", "lost", "disk", "broken"]
"""What went wrong: the token is wrong; no such thing may be asked; there is no such file; the
session or its lock is gone; the ledger's disk says no; the server has a fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the server is."""

    ledger: str
    """Form of the ledger and of these messages."""
    free_bytes: int
    """Room on the ledger's disk."""
    identity: str = ""
    """What tells it from every other ledger; empty where an older server does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why something was not done."""

    trouble: Trouble
    message: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What is to be done; each operation reads its own fields of it."""

    name: str = ""
    """A name in the ledger."""
    other: str = ""
    """Another one: of a file in each folder, or the new name of what is moved."""
    old: bytes | None = None
    """What lies there, of what is replaced only if it is so."""
    new: bytes = b""
    """What is to lie there."""
    session: str = ""
    """The client's name for its session: 32 hexadecimal digits."""
    hold: str = ""
    """The client's name for a lock that it wants: 32 hexadecimal digits."""
    names: tuple[str, ...] = ()
    """Locks, of which the first is wanted that is free."""
    wait_s: float = 0.0
    """How long it is waited for, in seconds."""
    gone: bool = False
    """Whether the run has ended that held it: its files go with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What came of it; each operation fills its own field."""

    names: tuple[str, ...] = ()
    contents: dict[str, bytes | None] = field(default_factory=dict)
    held: str | None = None
    """The lock that is held now; None if none was free."""
    lease_s: float = 0.0
    """How long a session that has begun lives without being heard of, in seconds."""
