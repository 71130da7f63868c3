"""What a batch asks of whoever works on its files, on this machine or on others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorebed.batching.items import Item
    from scorebed.batching.wire import Message


class Holder(Protocol):
    """One that can be at a file."""

    item: Item | None
    """The file that it is at."""
    begun: float
    """When it began with it, by the monotonic clock."""
    since: str
    """The same by the calendar: ISO 8601, UTC."""
    stage: str
    """The stage that it is in; empty before the first."""


H = TypeVar("H", bound=Holder)


class Holders(Protocol[H]):
    """Several of them: what they say comes out of ``next``."""

    @property
    def busy(self) -> Sequence[H]:
        """Those that have a file."""

    @property
    def free(self) -> bool:
        """Whether another file can be begun."""

    def begin(self, item: Item) -> None:
        """Gives a file to one of them.

        Raises:
            ToolError: If nobody can take it.
        """

    def next(self, timeout_s: float) -> tuple[H, Message | None] | None:
        """What one of them says, None if it has died; None where nobody does for so long."""

    def released(self, worker: H) -> None:
        """Notes that a file has ended, also that of one which is buried."""

    def buried(self, worker: H) -> str:
        """Takes a dead one out, and says what it died of."""

    def stop(self) -> None:
        """Ends all of them; what they have said by then still comes out of ``next``."""
