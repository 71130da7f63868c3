"""How a batch stands while it runs: shares, time left, money."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from scorebed.batching.items import BatchProgress, Fate, Outcome, Running
from scorebed.batching.record import sums

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorebed.batching.holders import Holder
    from scorebed.batching.items import BatchWatch, Item
    from scorebed.batching.planning import BatchPlan
    from scorebed.model import Quote

STAGE_SHARES = {
    "probe": 0.08,
    "dry": 0.04,
    "spot": 0.22,
    "reel": 0.01,
    "compose": 0.30,
    "conform": 0.01,
    "level": 0.04,
    "duck": 0.01,
    "mix": 0.06,
    "mux": 0.23,
}
"""What of a file's time a stage takes, as 17 short real films with embedded music had it."""
_LEAST_S = 1.0
"""A file of no length is work all the same."""
_EVERY_S = 0.1


class Tally:
    """Counts what ends, and tells a watch.

    Args:
        plan: The batch.
        watch: Told how it stands.
    """

    def __init__(self, plan: BatchPlan, watch: BatchWatch) -> None:
        self._watch = watch
        self._files = len(plan.items)
        todo = plan.with_fate(Fate.DO)
        self._lengths = {item.number: max(item.duration_s, _LEAST_S) for item in todo}
        self._whole = sum(self._lengths.values())
        self._over = 0.0
        self._shares: dict[int, float] = {}
        self._begun = time.monotonic()
        # Of the time left: a watch has been idle before, which says nothing of its pace.
        self._busy_since, self._over_before = self._begun, 0.0
        self._told = 0.0
        self._counts = {"done": 0, "failed": 0, "skipped": 0}
        self._spent: list[Quote] = []

    @property
    def elapsed_s(self) -> float:
        """Since the work began, in seconds."""
        return time.monotonic() - self._begun

    def added(self, item: Item) -> None:
        """Notes a file that was not in the plan."""
        self._files += 1
        if item.fate is Fate.DO:
            if not self._lengths:
                self._busy_since, self._over_before = time.monotonic(), self._over
            self._lengths[item.number] = max(item.duration_s, _LEAST_S)
            self._whole += self._lengths[item.number]

    def came(self, worker: Holder, share: float) -> None:
        """Notes how far a worker's stage is."""
        assert worker.item is not None
        name = worker.stage.split()[0] if worker.stage else ""
        before = 0.0
        for stage, weight in STAGE_SHARES.items():
            if stage == name:
                number = worker.item.number
                now = before + weight * min(max(share, 0.0), 1.0)
                # The stages of a further audio stream begin anew.
                self._shares[number] = max(self._shares.get(number, 0.0), now)
                return
            before += weight

    def ended(self, outcome: Outcome) -> None:
        """Notes that a file has ended."""
        self._counts[outcome.state] += 1
        self._shares.pop(outcome.number, None)
        self._over += self._lengths.pop(outcome.number, 0.0)
        self._spent = list(sums([*self._spent, outcome.spent]))

    def tell(self, busy: Sequence[Holder], *, ended: Outcome | None = None, said: str = "") -> None:
        """Tells the watch; what is no news not more often than it can be read."""
        now = time.monotonic()
        if ended is None and not said and now - self._told < _EVERY_S:
            return
        self._told = now
        running = tuple(
            Running(
                number=worker.item.number,
                video=worker.item.job.video,
                stage=worker.stage,
                share=self._shares.get(worker.item.number, 0.0),
                elapsed_s=now - worker.begun,
            )
            for worker in sorted(busy, key=lambda one: one.item.number if one.item else 0)
            if worker.item is not None
        )
        self._watch(
            BatchProgress(
                files=self._files,
                done=self._counts["done"],
                failed=self._counts["failed"],
                skipped=self._counts["skipped"],
                running=running,
                share=min(self._worked() / self._whole, 1.0) if self._whole else 1.0,
                elapsed_s=self.elapsed_s,
                left_s=self._left_s(now),
                spent=tuple(self._spent),
                ended=ended,
                said=said,
            )
        )

    def _worked(self) -> float:
        """What is done, in seconds of picture."""
        running = (self._lengths.get(number, 0.0) * share for number, share in self._shares.items())
        return self._over + sum(running)

    def _left_s(self, now: float) -> float | None:
        if not self._lengths:
            return 0.0
        worked = self._worked()
        since, left = worked - self._over_before, max(self._whole - worked, 0.0)
        return (now - self._busy_since) * left / since if since > 0 else None
