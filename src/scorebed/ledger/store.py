"""What a ledger is written to: a folder, or the server of one.

Names are those of ``names``. Whatever is written lasts when the call returns; whatever goes wrong
is a ``WorkspaceError``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from scorebed.errors import WorkspaceError
from scorebed.model import LedgerPlace, Tell, no_words

if TYPE_CHECKING:
    from collections.abc import Sequence


class LockLost(WorkspaceError):  # noqa: N818 - says what happened, as those of ``errors`` do
    """What this run held is no longer its own: nothing more is written, and nothing is sent."""


class AnswerWaits(WorkspaceError):  # noqa: N818 - as above
    """A paid answer has come and the ledger could not take it: it lies on this machine."""


class Hold(Protocol):
    """A lock that is held."""

    @property
    def name(self) -> str:
        """Which one, of those that were asked for."""

    def release(self, *, gone: bool = False) -> None:
        """Lets it go.

        Args:
            gone: Whether nobody will want it again, as its run has ended: its file goes, and the
                one of that name with ``.json``, which was written under it, before it.
        """


class Store(Protocol):
    """Small files that last, big ones that are streamed, and locks that end with their holder."""

    spools: bool
    """Whether an answer is written on this machine first, and then brought to the ledger."""

    def where(self, name: str = "") -> str:
        """A place in it, for a person."""

    def require(self) -> None:
        """Refuses a place that is not a ledger; one that is not there yet is an empty one."""

    def prepare(self) -> None:
        """Makes it ready to be written to."""

    def identity(self) -> str | None:
        """What tells this ledger from every other; None where there is none, or it has none yet."""

    def identify(self) -> str:
        """The same; one that has none gets one, which it keeps."""

    def rooms(self) -> tuple[tuple[str, int], ...]:
        """Where an answer needs room, and how much there is, in bytes."""

    def read(self, name: str) -> bytes | None:
        """The content of a small file, or None."""

    def names(self, folder: str) -> tuple[str, ...]:
        """Names of what lies in a folder, each without the folder; none if it is not there."""

    def each(self, folder: str, name: str) -> dict[str, bytes | None]:
        """The content of the file of that name in each purchase in a folder, in one go.

        Args:
            folder: Empty for the root.
            name: Of the small file.
        """

    def make_folder(self, name: str) -> None:
        """Makes a folder, if it is not there."""

    def write(self, name: str, content: bytes) -> None:
        """Writes or replaces a small file in one step."""

    def swap(self, name: str, old: bytes | None, new: bytes) -> None:
        """Replaces a small file that is as this run knows it.

        Args:
            name: Of the file.
            old: What lies there; None for nothing.
            new: What is to lie there.

        Raises:
            LockLost: If something else lies there: another run has taken over.
        """

    def move(self, old: str, new: str) -> None:
        """Gives a folder another name in the ledger, with all that is in it, in one step."""

    def hold(self, names: Sequence[str], *, wait_s: float) -> Hold | None:
        """Holds the first of some locks that is free.

        Args:
            names: The locks.
            wait_s: How long it is waited for, in seconds.

        Returns:
            None if all of them are held by others.
        """

    def workplace(self, name: str, tag: str) -> Path:
        """An empty folder on this machine for what is to lie in a folder of the ledger.

        Args:
            name: The folder in the ledger.
            tag: Tells it from another that has had the same name.
        """

    def deliver(self, name: str, tag: str) -> None:
        """Brings what has come whole into a workplace to the ledger, if it is not there."""

    def fetch(self, name: str, into: Path) -> Path | None:
        """A big file of the ledger, on this machine; None if there is none.

        Args:
            name: The file.
            into: A folder for it, if it lies elsewhere; made if it is not there.
        """


def store_of(place: LedgerPlace, tell: Tell = no_words, patience_s: float | None = None) -> Store:
    """What lies at a place.

    Args:
        place: The folder, or the address of its server.
        tell: Told, in a sentence, when a server is waited for.
        patience_s: How long one that does not answer is asked again, in seconds; None as usual.
    """
    if isinstance(place, Path):
        from scorebed.ledger.folder import FolderStore  # noqa: PLC0415 - it knows this module

        return FolderStore(place)
    # A run with a folder must not wait for an HTTP client to be imported.
    from scorebed.ledger.remote.store import RemoteStore  # noqa: PLC0415

    return RemoteStore(place, tell, patience_s)
