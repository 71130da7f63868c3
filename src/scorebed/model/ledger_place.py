"""Where a ledger lies: in a folder, or behind a server of one."""

from __future__ import annotations

import re
from abc import ABC
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from scorebed.errors import SettingsError

_HOST = r"([\w.-]+|\[[0-9a-fA-F:.]+\])"
_ADDRESS = re.compile(rf"https?://{_HOST}(:(?P<port>\d{{1,5}}))?(/[\w.~/-]*)?", re.ASCII)
_NEAR = re.compile(r"localhost|127(\.\d{1,3}){3}|\[::1\]")
_LAST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class LedgerAddress:
    """The address of a server that ``scorebed ledger serve`` has started."""

    url: str
    """Scheme, host and port, without a slash at the end."""

    def __str__(self) -> str:
        return self.url

    @property
    def is_near(self) -> bool:
        """Whether every machine takes it for an address of its own."""
        host = re.sub(r":\d+$", "", self.url.partition("://")[2].partition("/")[0])
        return _NEAR.fullmatch(host.lower()) is not None


if TYPE_CHECKING:
    LedgerPlace: TypeAlias = Path | LedgerAddress
else:

    class LedgerPlace(ABC):  # noqa: B024 - others are registered with it
        """Either of both. One class, because msgspec, which reads settings, knows no such union."""

    LedgerPlace.register(Path)
    LedgerPlace.register(LedgerAddress)


def ledger_named(given: str | Path | LedgerAddress) -> LedgerPlace:
    """The ledger that an option names: an address, if it begins with http, else a folder.

    Raises:
        SettingsError: If the name is empty, or is an address that cannot be used.
    """
    if isinstance(given, LedgerAddress):
        return given
    words = str(given)
    if given == "":
        raise SettingsError(
            "the option --ledger was given an empty name",
            remedy="Name a folder (the current one is: .) or the address of a server.",
        )
    if not re.match(r"https?:/", words, re.IGNORECASE):
        return Path(given)
    if isinstance(given, Path):
        raise SettingsError(
            f"ledger: {words} is the address of a server, given as a path",
            remedy="Give the address as text, or as scorebed.model.LedgerAddress.",
        )
    words = words.strip().rstrip("/")
    if "@" in words:
        # Not repeated here: what stands before it is a secret.
        raise SettingsError(
            "ledger: the address holds a user name or password",
            remedy="Leave it out: the token comes from SCOREBED_LEDGER_TOKEN.",
        )
    found = _ADDRESS.fullmatch(words)
    if found is None or int(found["port"] or 0) > _LAST_PORT:
        raise SettingsError(
            f"ledger: {words!r} is not the address of a server",
            remedy="Give the address that `scorebed ledger serve` has printed, for example "
            "http://127.0.0.1:8742",
        )
    return LedgerAddress(words)
