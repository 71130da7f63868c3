"""Compose: the one call that can cost money."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorebed.model import no_progress
from scorebed.providers.base import find

if TYPE_CHECKING:
    from pathlib import Path

    from scorebed.model import Order, Progress, Take

VERSION = 1
STAGE = "compose"


def compose(provider: str, order: Order, *, folder: Path, progress: Progress = no_progress) -> Take:
    """Asks a provider for the music.

    Args:
        provider: Its name.
        order: What is wanted.
        folder: Where the take is kept.
        progress: Called with the share that is done.

    Raises:
        SettingsError: If there is no such provider.
        ProviderError: If there will be no music.
    """
    return find(provider).compose(order, folder=folder, progress=progress)
