"""Names in a ledger, and which lock each of them is written under.

A name is a path from the ledger's root, with ``/`` between its parts, whatever the system.
"""

from __future__ import annotations

import re

from scorebed.ledger.receipt import KEY_LENGTH

RECEIPT = "receipt.json"
FORGOTTEN = "forgotten"
LOCKS = "locks"
PURSES = "purses"
QUEUE = "queue"

KEY = re.compile(rf"[0-9a-f]{{{KEY_LENGTH}}}")
_PURSE = re.compile(r"[0-9a-f]{16}")
_RUN = re.compile(r"[0-9a-f]{32}")
_ANSWER = re.compile(r"answer-[0-9]{1,6}(\.part)?")
_ASIDE = re.compile(rf"[0-9a-f]{{{KEY_LENGTH}}}-[0-9T]{{10,40}}")
_MOST_CHARACTERS = 120
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
_DEPTH = 4


def is_plain(part: str) -> bool:
    """Whether a text can be one part of a name: on every system a file in that folder."""
    return (
        0 < len(part) <= _MOST_CHARACTERS
        and part[0] not in ". "
        and part[-1] not in ". "
        and not _FORBIDDEN.search(part)
        and part.isprintable()
    )


def parts_of(name: str) -> tuple[str, ...]:
    """The parts of a name that belongs to a ledger; empty for any other.

    Args:
        name: What somebody else wrote: nothing is taken for granted.
    """
    parts = tuple(name.split("/"))
    if len(parts) > _DEPTH or not all(map(is_plain, parts)):
        return ()
    head, rest = parts[0], parts[1:]
    if KEY.fullmatch(head):
        return parts if _of_purchase(rest) else ()
    if head == FORGOTTEN:
        inside = not rest or (_ASIDE.fullmatch(rest[0]) and _of_purchase(rest[1:]))
        return parts if inside else ()
    if head == LOCKS:
        return parts if len(rest) == 1 and KEY.fullmatch(rest[0].removesuffix(".lock")) else ()
    if head == PURSES:
        return parts if rest and _of_purse(rest) else ()
    return parts if head == QUEUE and rest and _of_queue(rest[1:]) else ()


def _of_purchase(rest: tuple[str, ...]) -> bool:
    if not rest or rest == (RECEIPT,):
        return True
    return len(rest) <= 2 and _ANSWER.fullmatch(rest[0]) is not None  # noqa: PLR2004 - a file in it


def _of_purse(rest: tuple[str, ...]) -> bool:
    if not _PURSE.fullmatch(rest[0].removesuffix(".lock")):
        return False
    if len(rest) == 1:
        return True
    stem, _, ending = rest[1].partition(".")
    return len(rest) == 2 and bool(_RUN.fullmatch(stem)) and ending in {"json", "lock"}  # noqa: PLR2004


def _of_queue(rest: tuple[str, ...]) -> bool:
    return not rest or (
        len(rest) == 1
        and (rest[0] == "most" or re.fullmatch(r"slot-\d{1,3}\.lock", rest[0]) is not None)
    )


_KEY = rf"[0-9a-f]{{{KEY_LENGTH}}}"
_IN_PURSE = rf"{PURSES}/[0-9a-f]{{16}}"
_COMING = rf"{_KEY}/answer-[0-9]{{1,6}}\.part"
_MAY = {
    "make": rf"{_KEY}|{_COMING}|{_IN_PURSE}|{QUEUE}/[^/]+",
    "write": rf"{_IN_PURSE}/[0-9a-f]{{32}}\.json|{QUEUE}/[^/]+/most",
    "swap": rf"{_KEY}/{RECEIPT}",
    "put": rf"{_COMING}/[^/]+",
}


def may(what: str, name: str) -> bool:
    """Whether an operation is one that is done to such a name: nothing else ever is, from afar."""
    return bool(parts_of(name)) and re.fullmatch(_MAY[what], name) is not None


def may_move(old: str, new: str) -> bool:
    """Whether a folder may get another name: an answer its place, a purchase one aside."""
    if not parts_of(old) or not parts_of(new):
        return False
    if re.fullmatch(_COMING, old):
        return new == old.removesuffix(".part")
    aside = new.removeprefix(f"{FORGOTTEN}/")
    return bool(
        KEY.fullmatch(old) and aside != new and _ASIDE.fullmatch(aside) and aside.startswith(old)
    )


def is_lock(name: str) -> bool:
    """Whether a name is one that is held."""
    return bool(parts_of(name)) and name.endswith(".lock")


def is_common(lock: str) -> bool:
    """Whether a lock is a purse's own: held for a moment, over figures that others change too."""
    return lock.startswith(PURSES) and lock.count("/") == 1


def lock_of(key: str) -> str:
    """The lock of a purchase."""
    return f"{LOCKS}/{key}.lock"


def locks_over(name: str) -> tuple[str, ...]:
    """The locks of which one is held by who writes there; none where all may write.

    Args:
        name: One that ``parts_of`` knows.
    """
    head, *rest = name.split("/")
    if KEY.fullmatch(head):
        return (lock_of(head),)
    if head == PURSES and len(rest) > 1:
        run = rest[1].partition(".")[0]
        return (f"{PURSES}/{rest[0]}.lock", f"{PURSES}/{rest[0]}/{run}.lock")
    return ()
