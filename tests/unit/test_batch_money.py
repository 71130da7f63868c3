"""What a film that failed has cost: what was paid for it, and not for another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from scorebed.batching.figures import lost_money
from scorebed.batching.items import Fate, Item
from scorebed.job import Job
from scorebed.ledger import Ledger, State, now
from scorebed.ledger.receipt import Receipt
from scorebed.media import identify
from scorebed.options import Options
from scorebed.settings import resolve
from scorebed.stages.probe import look
from scorebed.stages.purchase import brief_words


@pytest.mark.parametrize(
    "other", [Options(seed=2), Options(prompt="rain"), Options(tags=("slow",))]
)
def test_a_loss_is_that_of_who_asked_for_it(
    other: Options, make_video: Callable[..., Path], tmp_path: Path
) -> None:
    film, ledger, since = make_video("lost.mp4", duration_s=1.5), tmp_path / "ledger", now()

    def item(options: Options) -> Item:
        asked = replace(options, provider="elevenlabs", ledger=ledger)
        job = Job(
            video=film,
            output=tmp_path / "film.scored.mp4",
            settings=resolve(asked),
            workspace=tmp_path / "work",
        )
        return Item(number=1, name="film.scored.mp4", job=job, key="k", fate=Fate.DO)

    mine = item(Options(seed=1))
    receipt = Receipt(
        key="0" * 32,
        provider="elevenlabs",
        title="film",
        picture_sha256=look(identify(film)).packets_sha256,
        part=0,
        asked=(*brief_words(mine.job.settings.brief), ("model", "m")),
        length_s=1.5,
        currency="USD",
    )
    book = Ledger(ledger)
    book.prepare()
    with book.open(receipt.key) as entry:
        entry.plan(receipt, amount=0.25, purse=None, files=())
        entry.mark(State.SENT)
        entry.mark(State.UNKNOWN, message="lost")
    assert lost_money(mine, since).amount == pytest.approx(0.25)
    assert lost_money(item(other), since).requests == 0
