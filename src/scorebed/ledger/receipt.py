"""What was asked of a service, what it cost, and what became of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from scorebed.model import Upload

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from scorebed.model import TimeRange

_KEY_FORM = "1"
"""Changed only when the same words would name another take."""
KEY_LENGTH = 32
_FEW_CENTS = 0.095


class State(StrEnum):
    """Where a purchase stands."""

    PLANNED = "planned"
    """Written down; nothing has left the machine, or the service did nothing."""
    SENT = "sent"
    """On its way: the run that sent it is alive."""
    ANSWERED = "answered"
    """The answer lies on the disk, not yet looked at, or found unusable."""
    KEPT = "kept"
    """The answer is music: it is used again, free."""
    REFUSED = "refused"
    """The service refused; nothing was bought."""
    UNKNOWN = "unknown"
    """The answer was lost: it may have been billed."""

    @property
    def may_be_billed(self) -> bool:
        """Whether money may have been spent."""
        return self in {State.SENT, State.ANSWERED, State.KEPT, State.UNKNOWN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One time that a take was asked for."""

    number: int
    """From 1; its answer lies in ``answer-<number>``."""
    state: State
    """Where it stands."""
    amount: float
    """Estimated price, in the receipt's currency."""
    purse: str | None
    """Name of the purse that it counts for."""
    files: tuple[Upload, ...]
    """What leaves the machine."""
    begun: bool = False
    """Whether any of it has left, also of what the service then refused."""
    waits_at: str | None = None
    """Machine on which its answer may lie, where the ledger is a server's."""
    made: str
    """When it was written down: ISO 8601, UTC."""
    changed: str
    """When its state changed last: ISO 8601, UTC."""
    request_id: str | None = None
    """The service's number of the request."""
    song_id: str | None = None
    """The service's number of the piece."""
    message: str | None = None
    """What went wrong."""

    @property
    def has_answer(self) -> bool:
        """Whether its answer has come to the ledger."""
        return self.state in {State.ANSWERED, State.KEPT}

    @property
    def useless(self) -> bool:
        """Whether its answer was looked at and is no music."""
        return self.state is State.ANSWERED and self.message is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A purchase of one take, or of one part of it: all attempts at it, none forgotten."""

    key: str
    """Hash of what was asked, in hexadecimal."""
    provider: str
    """Name of the provider."""
    title: str
    """Name of the video."""
    picture_sha256: str
    """Hash of the picture's packets."""
    part: int
    """Which request of its take, from 0."""
    asked: tuple[tuple[str, str], ...]
    """What was asked, in names and values."""
    length_s: float
    """Length of picture that is paid for, in seconds."""
    currency: str
    """ISO 4217 code."""
    attempts: tuple[Attempt, ...] = ()
    """In order."""
    facts: tuple[tuple[str, str], ...] = ()
    """What the answer said of itself, in names and values: seed used, length ..."""

    @property
    def current(self) -> Attempt:
        """The attempt that counts.

        The last one whose answer is there and may be music, else the last one that may have been
        billed, else the last.
        """
        there = [one for one in self.attempts if one.has_answer and not one.useless]
        billed = [one for one in self.attempts if one.state.may_be_billed]
        return (there or billed or self.attempts)[-1]

    @property
    def state(self) -> State:
        """Where the purchase stands: what was lost stays lost when a later attempt is refused."""
        return self.current.state

    @property
    def charges(self) -> int:
        """How often it may have been billed."""
        return sum(one.state.may_be_billed for one in self.attempts)

    @property
    def may_have_cost(self) -> float:
        """Estimated price of all that may have been billed, in ``currency``."""
        return sum(one.amount for one in self.attempts if one.state.may_be_billed)

    @property
    def useless(self) -> bool:
        """Whether its answer was looked at and is no music."""
        return self.current.useless


class Fate(StrEnum):
    """What becomes of a purchase when it is wanted (again)."""

    KEPT = "kept"
    """Its answer is in the ledger: nothing is sent."""
    COMING = "coming"
    """Another run has asked for it and holds it: it is waited for, and nothing is sent."""
    TO_BUY = "to buy"
    """It is asked for and paid."""
    LOST = "lost"
    """Its answer was lost and may have been billed: only ``--buy-again`` buys it."""
    UNUSABLE = "unusable"
    """Its answer is in the ledger and is no music: only ``--buy-again`` buys another."""


def fate_of(receipt: Receipt | None, *, again: bool) -> Fate:
    """What becomes of a purchase.

    Args:
        receipt: What the ledger has of it.
        again: Whether what may have been billed already is bought again.
    """
    if receipt is None or not receipt.state.may_be_billed:
        return Fate.TO_BUY
    if receipt.state is State.SENT:
        return Fate.COMING
    if receipt.state is State.UNKNOWN:
        return Fate.TO_BUY if again else Fate.LOST
    if receipt.useless:
        return Fate.TO_BUY if again else Fate.UNUSABLE
    return Fate.KEPT


def money(amount: float) -> str:
    """An amount for a person: cents, and more where it is less than some."""
    return f"{amount:.2f}" if amount == 0 or amount >= _FEW_CENTS else f"{amount:.2g}"


def key_of(
    provider: str,
    picture_sha256: str,
    reels: Sequence[TimeRange],
    asked: Sequence[tuple[str, str]],
) -> str:
    """The name of a take: the same for the same wish, whatever release of ffmpeg cuts the proxies.

    Args:
        provider: Name of the provider.
        picture_sha256: Hash of the picture's packets.
        reels: Parts of the picture that are sent, in order.
        asked: What is asked, in names and values.
    """
    told = [
        _KEY_FORM,
        provider,
        picture_sha256,
        [[_exact(reel.start_s), _exact(reel.duration_s)] for reel in reels],
        [list(pair) for pair in asked],
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:KEY_LENGTH]


def _exact(time_s: Fraction) -> str:
    return f"{time_s.numerator}/{time_s.denominator}"
