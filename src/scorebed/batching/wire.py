"""What a batch and its workers tell each other, pickled, over the worker's own pipes."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scorebed.batching.items import Failure, InputState, MusicFigures
from scorebed.model import Quote

if TYPE_CHECKING:
    from typing import IO


@dataclass(frozen=True, slots=True, kw_only=True)
class Began:
    """A stage has begun."""

    stage: str
    """Its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """A stage has come on."""

    share: float
    """Share of it that is done, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A person should know something at once."""

    text: str
    """A sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """A line of the log, where the batch is to write it."""

    text: str
    """The line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A file has ended."""

    failure: Failure | None
    """Why it failed; None if it is done."""
    source: InputState | None
    """What the input was; None where it could not be read."""
    duration_s: float = 0.0
    """Length of the picture, in seconds."""
    spent: Quote
    """What it has cost in this run."""
    output_bytes: int = 0
    """Length of the result in bytes."""
    warnings: tuple[str, ...] = ()
    """What a person should know though it is done."""
    music: MusicFigures | None = None
    """With one style: what its music is like."""


Message = Began | Shared | Said | Logged | Ended


def send(pipe: IO[bytes], value: object) -> None:
    """Writes a value.

    Raises:
        OSError: If nobody reads it any more.
    """
    pipe.write(pickle.dumps(value))
    pipe.flush()


def receive(pipe: IO[bytes]) -> Any:  # noqa: ANN401 - what the other side has sent
    """The next value.

    Raises:
        EOFError: If the other side has ended, also in the middle of one.
    """
    try:
        return pickle.load(pipe)  # noqa: S301 - from our own process, over a pipe of our own
    except pickle.UnpicklingError as error:
        raise EOFError from error
