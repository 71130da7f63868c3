"""What a film fails of that may pass is tried again by itself, less and less often.

Never what may have been billed without an answer, and never what is the film's own fault. How often
it was tried stands in the record, so a watch that is started again goes on counting.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scorebed.errors import (
    OutcomeUnknown,
    ProviderUnavailable,
    RateLimited,
    ToolMissing,
    ToolStalled,
    WorkerDied,
    WorkspaceError,
)

if TYPE_CHECKING:
    from scorebed.batching.items import Failure, Outcome

PAUSE_S, LONGEST_S = 300.0, 3600.0
"""How long what may pass is left alone: at first, and at most."""
MOST_TRIES = 10
"""How often it is tried again: over seven hours, a night. A disk is waited for without an end."""
_COUNTED = {
    one.__name__ for one in (RateLimited, ProviderUnavailable, ToolMissing, ToolStalled, WorkerDied)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """How long a film is left alone that has failed."""

    seconds: float | None
    """How long; None for until the next run."""
    words: str
    """When it is tried again, for a person."""


def is_counted(failure: Failure) -> bool:
    """Whether a failure may pass, and is of a kind that need not.

    Args:
        failure: Why a film failed.
    """
    return failure.kind in _COUNTED


def passes(failure: Failure, tries: int) -> bool:
    """Whether a film is to be tried again, though neither it nor anything that is asked changed.

    Args:
        failure: Why it failed.
        tries: How often in a row it has failed so.
    """
    disk = failure.exit_code == WorkspaceError.exit_code
    return disk or (is_counted(failure) and tries <= MOST_TRIES)


def unless_paid(outcome: Outcome, *, buy_again: bool) -> Outcome:
    """An outcome as it is recorded: no second try buys again what the first may have paid.

    The ledger refuses that by itself, unless it was told to buy again.

    Args:
        outcome: What became of a film.
        buy_again: Whether that was asked for.
    """
    failure = outcome.failure
    if failure is None or not buy_again or not outcome.spent.requests or not passes(failure, 0):
        return outcome
    unknown = replace(
        failure,
        kind=OutcomeUnknown.__name__,
        exit_code=OutcomeUnknown.exit_code,
        remedy=f"Look at: scorebed ledger list - what was bought is used without --buy-again. "
        f"{failure.remedy}",
    )
    return replace(outcome, failure=unknown)


def pause_after(failure: Failure | None, tries: int, *, ends: bool) -> Pause | None:
    """When a film that has failed is tried again; None where it is not.

    Args:
        failure: Why it failed; None if it did not.
        tries: How often in a row it has failed so.
        ends: Whether the watch ends when all that is there was tried.
    """
    if failure is None or not passes(failure, tries):
        return None
    count = f" ({tries} of {MOST_TRIES})" if is_counted(failure) else ""
    if ends:
        return Pause(seconds=None, words=f"is tried again by the next run{count}")
    seconds = min(PAUSE_S * 2 ** (tries - 1), LONGEST_S)
    at = dt.datetime.now().astimezone() + dt.timedelta(seconds=seconds)
    words = f"is tried again in {seconds / 60:.3g} minutes, at {at:%Y-%m-%d %H:%M:%S%z}{count}"
    return Pause(seconds=seconds, words=words)
