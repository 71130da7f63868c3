"""Compose: the one call that can cost money."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorebed.errors import SettingsError
from scorebed.model import no_progress
from scorebed.providers.base import Composer, Service, find
from scorebed.stages.purchase import buy, to_pay

if TYPE_CHECKING:
    from pathlib import Path

    from scorebed.model import Order, Progress, Purse, Take

VERSION = 2
STAGE = "compose"


def compose(
    provider: str,
    order: Order,
    *,
    folder: Path,
    progress: Progress = no_progress,
    purse: Purse | None = None,
) -> Take:
    """Asks a provider for the music.

    Args:
        provider: Its name.
        order: What is wanted.
        folder: Where the take is kept.
        progress: Called with the share that is done.
        purse: What may be spent, and the ledger; needed for a service.

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
        return buy(found, order, purse, folder=folder, progress=progress)
    assert isinstance(found, Composer)
    return found.compose(order, folder=folder, progress=progress)


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
        return f"music by {provider}, free"
    why = "" if chosen else " (its key was found; --provider embedded is free)"
    quote = to_pay(found, order, purse)
    if not quote.requests:
        return f"music by {provider}{why}: the take is in the ledger, nothing is sent"
    files = sum(len(part.reels) for part in order.parts)
    return (
        f"music by {provider}{why}: {quote.requests} request{'s' if quote.requests > 1 else ''}, "
        f"{files} files, {quote.seconds:.1f} s of picture, about {quote.amount:.2f} "
        f"{quote.currency}"
    )
