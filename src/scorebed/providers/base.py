"""What a provider of music is, and how one is found.

A provider is a class without arguments, registered under the entry point group
``scorebed.providers``; the built-in ones are registered in the same way.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from scorebed.errors import SettingsError

if TYPE_CHECKING:
    from fractions import Fraction
    from pathlib import Path

    from scorebed.model import Limits, Order, Progress, Quote, Take

GROUP = "scorebed.providers"


@runtime_checkable
class Provider(Protocol):
    """Returns music for an order."""

    name: str
    """The name of its entry point."""
    description: str
    """One sentence for ``scorebed providers``."""

    def limits(self) -> Limits:
        """What it takes in one request."""

    def quote(self, duration_s: Fraction) -> Quote:
        """What music for a picture of that length, in seconds, would cost."""

    def compose(self, order: Order, *, folder: Path, progress: Progress) -> Take:
        """The music for the order.

        Args:
            order: What is wanted.
            folder: Where it writes; nowhere else.
            progress: Called with the share that is done.

        Raises:
            ProviderError: If there will be no music.
        """


def names() -> tuple[str, ...]:
    """Names of all registered providers."""
    return tuple(sorted({entry.name for entry in entry_points(group=GROUP)}))


def find(name: str) -> Provider:
    """The provider of that name.

    Raises:
        SettingsError: If there is none, or its plug-in is broken.
    """
    found = [entry for entry in entry_points(group=GROUP) if entry.name == name]
    if not found:
        raise SettingsError(
            f"there is no provider {name!r}",
            remedy=f"Use one of: {', '.join(names())}",
        )
    return _load(found[0])


def _load(entry: EntryPoint) -> Provider:
    try:
        provider = entry.load()()
    except Exception as error:  # a plug-in's own code may fail in any way
        raise SettingsError(
            f"the provider {entry.name!r} ({entry.value}) cannot be loaded: {error}",
            remedy="Install or update the package that brings it.",
        ) from error
    if not isinstance(provider, Provider):
        raise SettingsError(
            f"the provider {entry.name!r} ({entry.value}) lacks a part of the protocol",
            remedy="Update the package that brings it.",
        )
    return provider
