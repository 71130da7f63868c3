"""How a batch and a watch stand, by a clock of the test's own."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from scorebed.batching.items import BatchProgress, Fate, Outcome
from scorebed.batching.tally import STAGE_SHARES, Tally

if TYPE_CHECKING:
    from scorebed.batching.holders import Holder
    from scorebed.batching.items import Item

DAY_S = 86_400.0


def film(number: int) -> Item:
    job = SimpleNamespace(video=Path("a.mp4"))
    return cast("Item", SimpleNamespace(number=number, fate=Fate.DO, duration_s=60.0, job=job))


def done(number: int) -> Outcome:
    place = Path("a.mp4")
    return Outcome(number=number, name="a", video=place, output=place, key="k", state="done")


def test_a_watch_that_was_idle_tells_the_time_left_by_its_pace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, seen = 0.0, list[BatchProgress]()
    monkeypatch.setattr("scorebed.batching.tally.time.monotonic", lambda: now)
    plan: Any = SimpleNamespace(items=(), with_fate=lambda _fate: ())
    tally = Tally(plan, seen.append)
    tally.added(film(1))
    now = 20.0
    tally.ended(done(1))
    # Nothing comes in for ten days; then two films at once.
    now = 10 * DAY_S
    tally.added(film(2))
    tally.added(film(3))
    holder = cast("Holder", SimpleNamespace(item=film(2), stage="mux", begun=now))
    tally.tell([holder], said="begun")
    first = seen[-1]
    assert first.left_s is None
    now += 10.0
    tally.came(holder, 0.0)
    share = 1 - STAGE_SHARES["mux"]
    tally.tell([holder], said="half")
    assert seen[-1].left_s == pytest.approx(10.0 * (2 - share) / share)
    tally.ended(done(2))
    tally.tell([], said="one is done")
    # A film every ten seconds, and one is left.
    assert seen[-1].left_s == pytest.approx(10.0)
    assert seen[-1].elapsed_s == 10 * DAY_S + 10.0
    tally.ended(done(3))
    tally.tell([], said="all are done")
    last = seen[-1]
    assert last.left_s == 0.0
    assert last.share == 1.0
