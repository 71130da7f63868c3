"""``scorebed providers``."""

from __future__ import annotations

from scorebed.cli.console import put


def providers() -> None:
    """Lists who can make the music."""
    from scorebed.errors import SettingsError  # noqa: PLC0415 - `--help` must not wait
    from scorebed.providers.base import find, names  # noqa: PLC0415

    for name in names():
        try:
            provider = find(name)
        except SettingsError as error:
            put(f"{name:<16} cannot be used: {error.message}")
            continue
        where = "needs the network" if provider.limits(None).network else "works offline"
        put(f"{name:<16} {provider.description} ({where})")
