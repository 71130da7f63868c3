"""The ledger on disk: states, locks, and that nothing is ever lost."""

from __future__ import annotations

import json
import threading
from fractions import Fraction
from pathlib import Path

import pytest

from scorebed.errors import OverLimit, SettingsError, WorkspaceError
from scorebed.ledger import Ledger, Queue, Receipt, State, Stopped, key_of, reserve
from scorebed.model import Answer, Purse, TimeRange

KEY = "0" * 31 + "a"
OTHER = "0" * 31 + "b"


def receipt(key: str = KEY, amount: float = 1.0, purse: str | None = None) -> Receipt:
    return Receipt(
        key=key,
        state=State.PLANNED,
        provider="elevenlabs",
        title="film.mp4",
        part=0,
        asked=(("seed", "1"),),
        files=(),
        seconds=60.0,
        amount=amount,
        currency="USD",
        purse=purse,
        made="",
        changed="",
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    found = Ledger(tmp_path / "ledger")
    found.prepare()
    return found


def answer_in(folder: Path, body: bytes = b"ID3 music") -> Answer:
    (folder / "body").write_bytes(body)
    return Answer(body=folder / "body", content_type="audio/mpeg", request_id="r-1", song_id="s-1")


def test_a_purchase_from_plan_to_keep(ledger: Ledger) -> None:
    with ledger.open(KEY) as entry:
        assert entry.receipt is None
        entry.plan(receipt())
        entry.mark(State.SENT)
        kept = entry.keep(answer_in(entry.incoming()))
        assert kept.body.read_bytes() == b"ID3 music"
        assert entry.receipt is not None
        entry.mark(State.KEPT)
    (found,) = ledger.receipts()
    assert (found.state, found.charges, found.request_id, found.song_id) == (
        State.KEPT,
        1,
        "r-1",
        "s-1",
    )
    assert found.made <= found.changed
    assert found.may_have_cost == 1.0
    assert ledger.find(KEY[:8]) == found


def test_a_sent_of_a_dead_run_becomes_unknown(ledger: Ledger) -> None:
    with ledger.open(KEY) as entry:
        entry.plan(receipt())
        entry.mark(State.SENT)
    with ledger.open(KEY) as entry:
        assert entry.receipt is not None
        assert entry.receipt.state is State.UNKNOWN
        assert entry.receipt.charges == 1


def test_an_answer_that_had_come_is_found_after_a_crash(ledger: Ledger) -> None:
    """Between the answer's last byte and the note of it."""
    with ledger.open(KEY) as entry:
        entry.plan(receipt())
        entry.mark(State.SENT)
        entry.keep(answer_in(entry.incoming()))
        path = entry.folder / "receipt.json"
        told = json.loads(path.read_bytes())
        path.write_text(json.dumps(told | {"state": "sent"}))
    with ledger.open(KEY) as entry:
        assert entry.receipt is not None
        assert entry.receipt.state is State.ANSWERED


def test_half_an_answer_is_none(ledger: Ledger) -> None:
    with ledger.open(KEY) as entry:
        entry.plan(receipt())
        entry.mark(State.SENT)
        (entry.incoming() / "body").write_bytes(b"ID3 mu")
    with ledger.open(KEY) as entry:
        assert entry.answer() is None
        assert entry.receipt is not None
        assert entry.receipt.state is State.UNKNOWN


def test_an_unusable_answer_is_put_aside_when_another_comes(ledger: Ledger) -> None:
    with ledger.open(KEY) as entry:
        for body in (b"<html>", b"ID3"):
            entry.plan(receipt())
            entry.mark(State.SENT)
            entry.keep(answer_in(entry.incoming(), body))
        bodies = sorted(path.read_bytes() for path in entry.folder.glob("answer*/body"))
        assert bodies == [b"<html>", b"ID3"]
        assert entry.receipt is not None
        assert entry.receipt.charges == 2


def test_what_was_not_bought_costs_nothing(ledger: Ledger) -> None:
    with ledger.open(KEY) as entry:
        entry.plan(receipt())
        entry.mark(State.SENT)
        entry.mark(State.REFUSED, message="402")
    (found,) = ledger.receipts()
    assert (found.charges, found.may_have_cost, found.message) == (0, 0.0, "402")


def test_one_run_at_a_time(ledger: Ledger) -> None:
    order: list[str] = []
    inside = threading.Event()
    go = threading.Event()

    def first() -> None:
        with ledger.open(KEY):
            inside.set()
            go.wait(10)
            order.append("first")

    def second() -> None:
        with ledger.open(KEY):
            order.append("second")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert inside.wait(10)
    threads[1].start()
    with pytest.raises(WorkspaceError, match="just buying"):
        ledger.forget(KEY)
    go.set()
    for thread in threads:
        thread.join(10)
    assert order == ["first", "second"]


def test_forgetting_only_puts_aside(ledger: Ledger) -> None:
    for body in (b"one", b"two"):
        with ledger.open(KEY) as entry:
            entry.plan(receipt())
            entry.mark(State.SENT)
            entry.keep(answer_in(entry.incoming(), body))
        aside = ledger.forget(KEY)
        assert (aside / "answer" / "body").read_bytes() == body
        assert not ledger.receipts()
    assert len(list((ledger.root / "forgotten").iterdir())) == 2


def test_a_folder_of_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"")
    with pytest.raises(WorkspaceError, match="not a ledger"):
        Ledger(tmp_path).prepare()
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_names_of_keys(ledger: Ledger) -> None:
    for key in (KEY, OTHER):
        with ledger.open(key) as entry:
            entry.plan(receipt(key))
    for prefix, told in (("0000", "several"), ("ffff", "no key"), ("0", "too short")):
        with pytest.raises(SettingsError, match=told):
            ledger.find(prefix)
    assert ledger.find(KEY).key == KEY


def test_no_room_is_said_before(ledger: Ledger) -> None:
    with pytest.raises(WorkspaceError, match="nothing was bought"):
        ledger.require_room(10**18)


def test_keys_depend_on_all_that_is_asked() -> None:
    spans = [TimeRange.between(Fraction(0), Fraction(1001, 30))]
    keys = {
        key_of("a", "00", spans, [("x", "y")]),
        key_of("b", "00", spans, [("x", "y")]),
        key_of("a", "01", spans, [("x", "y")]),
        key_of("a", "00", [*spans, *spans], [("x", "y")]),
        key_of("a", "00", spans, [("xy", "")]),
        key_of("a", "00", spans, []),
    }
    assert len(keys) == 6
    # What was bought stays found: this key was made by the first release that had a ledger.
    assert key_of("a", "00", spans, [("x", "y")]) == "bc3935e9b95bf660540343ac36d3e7ea"


def test_a_purse_counts_what_was_spent_and_what_is_coming(ledger: Ledger) -> None:
    purse = Purse(ledger=ledger.root, name="ads", max_spend=2.0)
    with ledger.open(KEY) as entry:
        entry.plan(receipt(purse="ads"))
        entry.mark(State.SENT)
        entry.mark(State.UNKNOWN)
    with reserve(ledger, purse, {OTHER: 1.0}, "USD"):
        with pytest.raises(OverLimit), reserve(ledger, purse, {"c": 0.5}, "USD"):
            pass
        # The same key is bought once, by whoever is first.
        with reserve(ledger, purse, {OTHER: 1.0}, "USD"):
            pass
    with reserve(ledger, purse, {"c": 0.5}, "USD"):
        pass
    assert not list((ledger.root / "purses").glob("*/*.json"))


def test_slots_of_the_queue(tmp_path: Path) -> None:
    queue, stop = Queue(tmp_path / "q"), threading.Event()
    assert queue.most == 2
    queue.learn(1)
    assert Queue(tmp_path / "q").most == 1
    with queue.slot(stop):
        threading.Timer(0.3, stop.set).start()
        with pytest.raises(Stopped), queue.slot(stop):
            pass
    queue.learn(10_000)
    assert queue.most == 64
    queue.learn(-3)
    assert queue.most == 1
    (tmp_path / "q" / "most").write_text("")
    assert queue.most == 2
