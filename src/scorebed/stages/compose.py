"""Compose: the one call that can cost money."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorebed.errors import SettingsError
from scorebed.ledger import Fate, Ledger, State, money
from scorebed.model import no_progress, no_words
from scorebed.providers.base import Composer, Service, find
from scorebed.stages.purchase import buy
from scorebed.stages.standing import due, fates, identity, left_behind, parts_of, price_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scorebed.model import Order, Progress, Purse, ServiceSettings, Take, Tell

VERSION = 9
STAGE = "compose"
_COMING = (
    "another run has asked for the take and is waited for (should its answer be lost, only "
    "--buy-again buys it again)"
)


def compose(
    provider: str,
    order: Order,
    kept: tuple[str, ...] = (),  # noqa: ARG001 - it is in the key
    *,
    folder: Path,
    progress: Progress = no_progress,
    purse: Purse | None = None,
    tell: Tell = no_words,
) -> Take:
    """Asks a provider for the music.

    Args:
        provider: Its name.
        order: What is wanted.
        kept: What ``known`` gave: this stage is done again when the ledger has changed.
        folder: Where the take is kept.
        progress: Called with the share that is done.
        purse: What may be spent, and the ledger; needed for a service.
        tell: Told, in a sentence, what is waited for.

    Raises:
        SettingsError: If there is no such provider, or a service was given no purse.
        ProviderError: If there will be no music.
        WorkspaceError: If the ledger cannot be used.
    """
    found = find(provider)
    if isinstance(found, Service):
        if purse is None:
            raise SettingsError(
                f"{STAGE}: the provider {provider!r} costs money and there is no ledger",
                remedy="Give a Purse with the folder of the ledger.",
            )
        return buy(found, order, purse, folder=folder, progress=progress, tell=tell)
    assert isinstance(found, Composer)
    return found.compose(order, folder=folder, progress=progress)


def known(provider: str, order: Order, purse: Purse) -> tuple[str, ...]:
    """What the ledger holds for an order; nothing for who works on this machine.

    Args:
        provider: Its name.
        order: What is wanted.
        purse: The ledger.
    """
    found = find(provider)
    return identity(found, order, purse) if isinstance(found, Service) else ()


def failed(provider: str, order: Order, purse: Purse, since: str) -> Take | None:
    """What a service that failed has cost and been sent; None for nothing.

    Args:
        provider: Its name.
        order: What was wanted.
        purse: The ledger.
        since: When it began: ISO 8601, UTC.
    """
    found = find(provider)
    return left_behind(found, order, purse, since) if isinstance(found, Service) else None


def require_key(provider: str, service: ServiceSettings | None, purse: Purse, sha256: str) -> None:
    """Refuses to go on without a key, unless something was bought for this picture before.

    Args:
        provider: Its name.
        service: How it is asked; None for who works on this machine.
        purse: The ledger.
        sha256: Hash of the picture's packets.

    Raises:
        MissingKey: If there is none.
    """
    found = find(provider)
    if service is None or not isinstance(found, Service):
        return
    kept = Ledger(purse.ledger).receipts()
    if not any(one.picture_sha256 == sha256 and one.state is State.KEPT for one in kept):
        found.check_key(service)


def announcement(provider: str, order: Order, purse: Purse, *, chosen: bool) -> str:
    """What is about to be asked for and what it will cost, in a sentence.

    Args:
        provider: Its name.
        order: What is wanted.
        purse: The ledger: what was bought already costs nothing.
        chosen: Whether the user named the provider.
    """
    found = find(provider)
    if not isinstance(found, Service):
        # Who sets a limit expects to spend.
        idle = purse.max_spend is not None and not chosen
        return f"music by {provider}, free" + ": no key of a service was found" * idle
    why = "" if chosen else " (its key was found; --provider embedded is free)"
    standing = fates(found, order, purse)
    quote = due(found, order, standing)
    stuck = _stuck(found, order, standing)
    if not quote.requests:
        coming = Fate.COMING in standing and _COMING
        there = stuck or coming or "the take is in the ledger"
        return f"music by {provider}{why}: {there}, nothing is sent"
    files = sum(len(part.files) for part in parts_of(order, standing, (Fate.TO_BUY,)))
    return (
        f"music by {provider}{why}: {quote.requests} request{'s' if quote.requests > 1 else ''}, "
        f"{files} file{'s' if files > 1 else ''}, {quote.seconds:.1f} s of picture, "
        f"about {money(quote.amount)} "
        f"{quote.currency}{'; ' * bool(stuck)}{stuck}"
    )


def _stuck(service: Service, order: Order, standing: Sequence[Fate]) -> str:
    """What only ``--buy-again`` buys, in a sentence; empty for nothing."""
    words = {Fate.LOST: "was lost and may have been billed", Fate.UNUSABLE: "is no music"}
    told = [
        f"the answer to {standing.count(fate)} of {len(standing)} "
        f"request{'s' if len(standing) > 1 else ''} {what}"
        for fate, what in words.items()
        if fate in standing
    ]
    if not told:
        return ""
    again = price_of(service, order, parts_of(order, standing, tuple(words)))
    return (
        f"{', '.join(told)}, only --buy-again buys it again for about {money(again.amount)} "
        f"{again.currency}"
    )
