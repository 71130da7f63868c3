"""Where an order stands: what the ledger holds of it, and what is left to pay."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

from scorebed.ledger import Fate, Ledger, Receipt, State, fate_of
from scorebed.model import Quote, Take
from scorebed.stages.purchase import keys_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorebed.model import Order, PartOrder, Purse
    from scorebed.providers.base import Service


def fates(service: Service, order: Order, purse: Purse) -> tuple[Fate, ...]:
    """Per request of an order: what would become of it.

    Args:
        service: Who is asked.
        order: What is wanted; proxies need not have been made.
        purse: The ledger.

    Raises:
        WorkspaceError: If the ledger cannot be read.
    """
    ledger = Ledger(purse.ledger)
    found = []
    for key in keys_of(service, order):
        receipt = ledger.peek(key)
        if receipt is not None and receipt.state is State.SENT:
            receipt = ledger.receipt(key)  # of a run that has died it is lost, or has come
        found.append(fate_of(receipt, again=purse.buy_again))
    return tuple(found)


def to_pay(service: Service, order: Order, purse: Purse) -> Quote:
    """What a run would pay: nothing for what is kept, nor where it would stop at a lost answer.

    Args:
        service: Who is asked.
        order: What is wanted; proxies need not have been made.
        purse: The ledger.
    """
    return due(service, order, fates(service, order, purse))


def due(service: Service, order: Order, standing: Sequence[Fate]) -> Quote:
    """The same, where the fates are known.

    Args:
        service: Who is asked.
        order: What is wanted.
        standing: Per request, as ``fates`` gives it.
    """
    wanted = () if Fate.LOST in standing else (Fate.TO_BUY,)
    return price_of(service, order, parts_of(order, standing, wanted))


def parts_of(order: Order, found: Sequence[Fate], wanted: Sequence[Fate]) -> tuple[PartOrder, ...]:
    """The requests of an order whose fate is one of those."""
    return tuple(part for part, fate in zip(order.parts, found, strict=True) if fate in wanted)


def price_of(service: Service, order: Order, parts: Sequence[PartOrder]) -> Quote:
    """The estimated price of some of an order's requests."""
    whole = service.quote(order)
    share = float(sum(part.duration_s for part in parts) / order.reels.duration_s)
    return replace(
        whole,
        requests=len(parts),
        seconds=whole.seconds * share,
        amount=whole.amount * share,
    )


def identity(service: Service, order: Order, purse: Purse) -> tuple[str, ...]:
    """Names what the ledger would give for an order: a stage may be kept as long as it is so.

    Args:
        service: Who is asked.
        order: What is wanted.
        purse: The ledger.
    """
    found = _peek(service, order, purse)
    kept = [one for one in found if one is not None and one.state is State.KEPT]
    if len(kept) < len(found):
        return (uuid.uuid4().hex,)
    return tuple(f"{one.key} {one.current.number} {one.current.made}" for one in kept)


def left_behind(service: Service, order: Order, purse: Purse, since: str) -> Take | None:
    """What a purchase that failed has cost and sent, as a take without music; None for nothing.

    Args:
        service: Who was asked.
        order: What was wanted.
        purse: The ledger.
        since: When it began: ISO 8601, UTC.
    """
    attempts = [
        (one, attempt)
        for one in _peek(service, order, purse)
        if one is not None
        for attempt in one.attempts
        if attempt.changed >= since and attempt.begun
    ]
    if not attempts:
        return None
    # What was refused has left all the same, and costs nothing.
    paid = [(one, attempt) for one, attempt in attempts if attempt.state.may_be_billed]
    return Take(
        provider=service.name,
        name="",
        seed=None,
        pieces=(),
        fitted=False,
        unused_words=(),
        spent=Quote(
            requests=len(paid),
            seconds=sum(one.length_s for one, _ in paid),
            amount=sum(attempt.amount for _, attempt in paid),
            currency=attempts[0][0].currency,
        ),
        receipts=tuple(one.key for one, _ in attempts),
        uploads=tuple(file for _, attempt in attempts for file in attempt.files),
    )


def _peek(service: Service, order: Order, purse: Purse) -> list[Receipt | None]:
    """What the ledger has of an order's requests, as it lies there."""
    ledger = Ledger(purse.ledger)
    return [ledger.peek(key) for key in keys_of(service, order)]
