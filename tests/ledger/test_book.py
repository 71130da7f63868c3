"""The ledger, in a folder and behind a server: states, locks, and that nothing is ever lost."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from scorebed.errors import OverLimit, SettingsError, WorkspaceError
from scorebed.ledger import (
    Entry,
    Fate,
    Ledger,
    LockLost,
    Receipt,
    Reservation,
    State,
    Stopped,
    fate_of,
    key_of,
    reserve,
    waiting,
)
from scorebed.ledger.folder import FolderStore
from scorebed.ledger.purse import spent_in
from scorebed.ledger.serving import LedgerServer
from scorebed.model import Answer, LedgerAddress, Purse, TimeRange

KEY = "0" * 31 + "a"
OTHER = "0" * 31 + "b"
THIRD = "0" * 31 + "c"
FOURTH = "0" * 31 + "d"


def receipt(key: str = KEY) -> Receipt:
    return Receipt(
        key=key,
        provider="elevenlabs",
        title="film.mp4",
        picture_sha256="ab" * 32,
        part=0,
        asked=(("seed", "1"),),
        length_s=60.0,
        currency="USD",
    )


def plan(entry: Entry, key: str = KEY, purse: str | None = None) -> None:
    entry.plan(receipt(key), amount=1.0, purse=purse, files=())


def state_of(entry: Entry) -> State:
    assert entry.receipt is not None
    return entry.receipt.state


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """The ledger's folder, wherever it is used from."""
    return tmp_path / "ledger"


@pytest.fixture(params=["folder", "server"])
def ledger(request: pytest.FixtureRequest, disk: Path) -> Iterator[Ledger]:
    if request.param == "folder":
        found = Ledger(disk)
        found.prepare()
        yield found
        return
    with LedgerServer(disk) as server:
        yield Ledger(LedgerAddress(server.url))


def answer_in(folder: Path, body: bytes = b"ID3 music") -> Answer:
    (folder / "body").write_bytes(body)
    return Answer(body=folder / "body", content_type="audio/mpeg", request_id="r-1", song_id="s-1")


def test_a_purchase_from_plan_to_keep(ledger: Ledger, tmp_path: Path) -> None:
    with ledger.open(KEY) as entry:
        assert entry.receipt is None
        plan(entry)
        entry.mark(State.SENT)
        entry.keep(answer_in(entry.incoming()))
        kept = entry.answer(tmp_path / "near")
        assert kept is not None
        assert kept.body.read_bytes() == b"ID3 music"
        entry.mark(State.KEPT, facts=(("seed", "4711"),))
    (found,) = ledger.receipts()
    assert (found.state, found.charges) == (State.KEPT, 1)
    assert (found.current.request_id, found.current.song_id) == ("r-1", "s-1")
    assert found.current.made <= found.current.changed
    assert found.facts == (("seed", "4711"),)
    assert found.may_have_cost == 1.0
    assert ledger.find(KEY[:8]) == found


def test_a_sent_of_a_dead_run_becomes_unknown(ledger: Ledger) -> None:
    with ledger.open(KEY) as entry:
        plan(entry)
        entry.mark(State.SENT)
    with ledger.open(KEY) as entry:
        assert state_of(entry) is State.UNKNOWN
        assert entry.receipt is not None
        assert entry.receipt.charges == 1


@pytest.mark.parametrize("renamed", [True, False])
def test_an_answer_that_had_come_is_found_after_a_crash(
    renamed: bool,  # noqa: FBT001 - a parameter of the test
    ledger: Ledger,
    disk: Path,
    tmp_path: Path,
) -> None:
    """Between the answer's last byte and the note of it."""
    with ledger.open(KEY) as entry:
        plan(entry)
        entry.mark(State.SENT)
        entry.keep(answer_in(entry.incoming()))
        final = disk / KEY / "answer-1"
        if not renamed:
            final.rename(disk / KEY / "answer-1.part")
        path = disk / KEY / "receipt.json"
        told = json.loads(path.read_bytes())
        # As it is while the answer comes: its numbers are not in the receipt yet.
        told["attempts"][0] |= {"state": "sent", "request_id": None, "song_id": None}
        path.write_text(json.dumps(told))
    with ledger.open(KEY) as entry:
        assert state_of(entry) is State.ANSWERED
        assert (entry.attempt.request_id, entry.attempt.song_id) == ("r-1", "s-1")
        answer = entry.answer(tmp_path / "near")
        assert answer is not None
        assert answer.body.read_bytes() == b"ID3 music"


def test_half_an_answer_is_none_and_stays(ledger: Ledger, tmp_path: Path) -> None:
    with ledger.open(KEY) as entry:
        plan(entry)
        entry.mark(State.SENT)
        half = entry.incoming() / "body"
        half.write_bytes(b"ID3 mu")
    with ledger.open(KEY) as entry:
        assert entry.answer(tmp_path / "near") is None
        assert state_of(entry) is State.UNKNOWN
        plan(entry)
        entry.mark(State.SENT)
        entry.keep(answer_in(entry.incoming()))
        assert half.read_bytes() == b"ID3 mu"


def test_an_unusable_answer_stays_when_another_comes(ledger: Ledger, disk: Path) -> None:
    with ledger.open(KEY) as entry:
        for body in (b"<html>", b"ID3"):
            plan(entry)
            entry.mark(State.SENT)
            entry.keep(answer_in(entry.incoming(), body))
            entry.mark(State.ANSWERED, message="a page")
        bodies = [(disk / KEY / f"answer-{n}" / "body").read_bytes() for n in (1, 2)]
        assert bodies == [b"<html>", b"ID3"]
        assert entry.receipt is not None
        assert entry.receipt.charges == 2


def test_a_crash_in_the_second_attempt_is_not_the_first_ones_answer(ledger: Ledger) -> None:
    with ledger.open(KEY) as entry:
        plan(entry)
        entry.mark(State.SENT)
        entry.keep(answer_in(entry.incoming(), b"<html>"))
        entry.mark(State.ANSWERED, message="a page")
        plan(entry)
        entry.mark(State.SENT)
    with ledger.open(KEY) as entry:
        assert state_of(entry) is State.UNKNOWN


def test_what_was_not_bought_costs_nothing(ledger: Ledger) -> None:
    with ledger.open(KEY) as entry:
        plan(entry)
        entry.mark(State.SENT)
        entry.mark(State.REFUSED, message="402")
    (found,) = ledger.receipts()
    assert (found.charges, found.may_have_cost, found.current.message) == (0, 0.0, "402")


def test_what_was_lost_stays_lost_when_a_later_attempt_is_refused(ledger: Ledger) -> None:
    with ledger.open(KEY) as entry:
        plan(entry)
        entry.mark(State.SENT)
        entry.mark(State.UNKNOWN, message="reset", request_id="r-7")
        for _ in range(2):
            plan(entry)
            entry.mark(State.SENT)
            entry.mark(State.REFUSED, message="402")
    (found,) = ledger.receipts()
    assert (found.state, found.current.request_id, found.charges) == (State.UNKNOWN, "r-7", 1)
    assert fate_of(found, again=False) is Fate.LOST
    assert fate_of(found, again=True) is Fate.TO_BUY
    assert len(found.attempts) == 2


@pytest.mark.parametrize("harm", ["cut", "flip", "gone", "no receipt"])
def test_what_was_damaged_is_told_of(harm: str, ledger: Ledger, disk: Path, tmp_path: Path) -> None:
    with ledger.open(KEY) as entry:
        plan(entry)
        entry.mark(State.SENT)
        entry.keep(answer_in(entry.incoming()))
        entry.mark(State.KEPT)
        body = disk / KEY / "answer-1" / "body"
        if harm == "no receipt":
            (disk / KEY / "receipt.json").unlink()
        elif harm == "gone":
            body.unlink()
        else:
            body.write_bytes(b"ID3 mu" if harm == "cut" else b"ID3 musik")
        if harm == "gone":
            assert entry.answer(tmp_path / "near") is None
        elif harm != "no receipt":
            with pytest.raises(WorkspaceError, match="damaged"):
                entry.answer(tmp_path / "near")
    if harm == "no receipt":
        with pytest.raises(WorkspaceError, match="it is gone"), ledger.open(KEY):
            pass


def test_a_receipt_that_another_run_is_just_writing(
    ledger: Ledger, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = FolderStore.names

    def late(store: FolderStore, folder: str) -> tuple[str, ...]:
        monkeypatch.setattr(FolderStore, "names", look)
        with ledger.open(KEY) as entry:
            plan(entry)
            (disk / KEY / "answer-1").mkdir(exist_ok=True)
        return look(store, folder)

    monkeypatch.setattr(FolderStore, "names", late)
    found = ledger.peek(KEY)
    assert found is not None
    assert found.state is State.PLANNED


@pytest.mark.parametrize("what", ["purchase", "slot", "purse"])
def test_a_long_wait_is_told_of_and_ends_with_the_run(
    what: str, ledger: Ledger, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_LONG_S", 0.0)
    told: queue.SimpleQueue[str] = queue.SimpleQueue()
    mine, stop = Ledger(ledger.place, told.put), threading.Event()
    purse = Purse(ledger=ledger.place, name="ads", max_spend=2.0)
    with reserve(ledger, purse, "USD") as theirs:
        theirs.cover({OTHER: 1.0})
    (folder,) = {path.name.partition(".")[0] for path in (disk / "purses").iterdir()}
    ledger.queue("q").learn(1)

    def wait() -> None:
        if what == "purchase":
            mine.open(KEY, stop).__enter__()
        elif what == "slot":
            mine.queue("q").slot(stop).__enter__()
        else:
            Reservation(mine, purse, "USD").cover({KEY: 1.0}, stop)

    locks = {
        "purchase": (f"locks/{KEY}.lock", f"is just buying {KEY[:12]}"),
        "slot": ("queue/q/slot-0.lock", "takes 1 request at once"),
        "purse": (f"purses/{folder}.lock", "adding up the purse 'ads'"),
    }
    lock, words = locks[what]
    held = ledger.store.hold((lock,), wait_s=0)
    assert held is not None
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(wait)
        try:
            assert words in told.get(timeout=30)
        finally:
            stop.set()
        with pytest.raises(Stopped):
            waits.result(timeout=30)
    assert told.empty(), "it is said once"
    held.release()


def test_a_new_ledger_is_made_by_many_at_once(tmp_path: Path) -> None:
    for number in range(20):
        root = tmp_path / str(number)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _, place=root: Ledger(place).prepare(), range(8)))


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


@pytest.mark.parametrize("moment", ["hold", "each"])
def test_what_is_sent_while_the_sum_is_made_counts_once(
    moment: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between any two looks at the ledger, another run sends what it has reserved."""
    purse = Purse(ledger=ledger.place, name="ads", max_spend=2.0)
    other = Ledger(ledger.place)
    looks = getattr(other.store, moment)
    with ledger.open(KEY) as entry, reserve(ledger, purse, "USD") as theirs:
        theirs.cover({KEY: 1.0})
        plan(entry, purse="ads")

        def sent(*args: Any, **kwargs: Any) -> Any:
            if state_of(entry) is State.PLANNED:
                entry.mark(State.SENT)
            return looks(*args, **kwargs)

        monkeypatch.setattr(other.store, moment, sent)
        with reserve(other, purse, "USD") as mine:
            mine.cover({OTHER: 1.0})
        assert state_of(entry) is State.SENT
        with reserve(other, purse, "USD") as mine, pytest.raises(OverLimit):
            mine.cover({OTHER: 1.1})


@pytest.mark.parametrize("name", ["ads", None])
def test_what_another_run_bought_since_it_was_priced_costs_nothing(
    name: str | None, ledger: Ledger
) -> None:
    purse = Purse(ledger=ledger.place, name=name, max_spend=1.0)
    prices = {KEY: 1.0}
    with ledger.open(KEY) as entry:
        plan(entry, purse="ads")
        entry.mark(State.SENT)
        entry.keep(answer_in(entry.incoming(), b"music"))
    with reserve(ledger, purse, "USD") as mine:
        mine.cover(prices)
        if name is None:
            mine.cover({OTHER: 1.0})
        else:
            with pytest.raises(OverLimit):
                mine.cover({OTHER: 0.1})


def test_forgetting_only_puts_aside_and_was_paid_for(ledger: Ledger, disk: Path) -> None:
    for body in (b"one", b"two"):
        with ledger.open(KEY) as entry:
            plan(entry, purse="ads")
            entry.mark(State.SENT)
            entry.keep(answer_in(entry.incoming(), body))
        told = ledger.forget(KEY)
        aside = max((disk / "forgotten").iterdir())
        assert f"forgotten/{aside.name}" in told
        assert (aside / "answer-1" / "body").read_bytes() == body
        assert not ledger.receipts()
    assert len(list((disk / "forgotten").iterdir())) == 2
    assert spent_in(ledger.all_receipts(), "ads") == {"USD": 2.0}


def test_a_folder_of_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"")
    with pytest.raises(WorkspaceError, match="not a ledger"):
        Ledger(tmp_path).prepare()
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_names_of_keys(ledger: Ledger) -> None:
    for key in (KEY, OTHER):
        with ledger.open(key) as entry:
            plan(entry, key)
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


def test_a_purse_counts_what_was_spent_and_what_is_coming(ledger: Ledger, disk: Path) -> None:
    purse = Purse(ledger=ledger.place, name="ads", max_spend=2.0)
    with ledger.open(KEY) as entry:
        plan(entry, purse="ads")
        entry.mark(State.SENT)
        entry.mark(State.UNKNOWN)
    with reserve(ledger, purse, "USD") as mine:
        mine.cover({OTHER: 1.0})
        with reserve(ledger, purse, "USD") as theirs:
            with pytest.raises(OverLimit):
                theirs.cover({THIRD: 0.5})
            # The same key is bought once, by whoever is first.
            theirs.cover({OTHER: 1.0})
    with reserve(ledger, purse, "USD") as mine:
        mine.cover({THIRD: 0.5})
        with pytest.raises(OverLimit):
            mine.cover({FOURTH: 0.6})
    assert not list((disk / "purses").glob("*/*.json"))


def test_buying_again_in_another_purse_leaves_the_first_charge_where_it_was(
    ledger: Ledger,
) -> None:
    with ledger.open(KEY) as entry:
        for purse in ("a", "b"):
            plan(entry, purse=purse)
            entry.mark(State.SENT)
            entry.mark(State.UNKNOWN)
    assert (spent_in(ledger.all_receipts(), "a"), spent_in(ledger.all_receipts(), "b")) == (
        {"USD": 1.0},
        {"USD": 1.0},
    )
    first = Purse(ledger=ledger.place, name="a", max_spend=2.0, buy_again=True)
    with reserve(ledger, first, "USD") as mine:
        mine.cover({KEY: 1.0})
        with pytest.raises(OverLimit):
            mine.cover({OTHER: 0.5})


def test_a_limit_counts_one_currency(ledger: Ledger) -> None:
    """Yen are neither dollars nor nothing: spent, and about to be spent by another run."""
    limited = Purse(ledger=ledger.place, name="ads", max_spend=5.0)
    with (
        reserve(ledger, replace(limited, max_spend=None), "JPY") as theirs,
        reserve(ledger, limited, "USD") as mine,
    ):
        theirs.cover({OTHER: 12.0})
        with pytest.raises(SettingsError, match=r"counts 12\.00 JPY.* pay in USD"):
            mine.cover({THIRD: 0.5})
    with ledger.open(KEY) as entry:
        entry.plan(replace(receipt(), currency="JPY"), amount=18.0, purse="ads", files=())
        entry.mark(State.SENT)
    assert spent_in(ledger.all_receipts(), "ads") == {"JPY": 18.0}
    with reserve(ledger, limited, "USD") as mine:
        with pytest.raises(SettingsError, match=r"counts 18\.00 JPY"):
            mine.cover({THIRD: 0.5})
        mine.cover({})
    with (
        reserve(ledger, limited, "JPY") as mine,
        pytest.raises(OverLimit, match=r"after 18\.00 JPY"),
    ):
        mine.cover({THIRD: 0.5})
    for other in (replace(limited, name="more"), replace(limited, max_spend=None)):
        with reserve(ledger, other, "USD") as mine:
            mine.cover({THIRD: 0.5})


def test_nothing_is_nothing(ledger: Ledger) -> None:
    with reserve(ledger, Purse(ledger=ledger.place, max_spend=0.0), "USD") as mine:
        mine.cover({})
        with pytest.raises(OverLimit, match=r"0\.0031 USD would be spent.*allows 0\.00"):
            mine.cover({KEY: 0.0031})


def test_slots_of_the_queue(ledger: Ledger, disk: Path) -> None:
    queue, stop = ledger.queue("q"), threading.Event()
    assert queue.most == 2
    queue.learn(1)
    assert ledger.queue("q").most == 1
    with queue.slot(stop):
        threading.Timer(0.3, stop.set).start()
        with pytest.raises(Stopped), queue.slot(stop):
            pass
    queue.learn(10_000)
    assert queue.most == 64
    queue.learn(-3)
    assert queue.most == 1
    (disk / "queue" / "q" / "most").write_text("")
    assert queue.most == 2


def test_who_has_lost_a_purchase_does_not_write_over_another_s(ledger: Ledger, disk: Path) -> None:
    """As on a share that keeps no locks: what another run has written is seen before it is sent."""
    with ledger.open(KEY) as entry:
        plan(entry)
        path = disk / KEY / "receipt.json"
        other = json.loads(path.read_bytes())
        other["attempts"][0] |= {"state": "sent", "made": "2001-01-01T00:00:00+00:00"}
        path.write_text(json.dumps(other))
        with pytest.raises(LockLost, match="another run"):
            entry.mark(State.SENT)
        assert entry.attempt.state is State.PLANNED
    assert json.loads(path.read_bytes()) == other


def test_an_answer_that_was_given_up_is_found(ledger: Ledger, disk: Path, tmp_path: Path) -> None:
    """It lies in its place, and the receipt says that it is lost."""
    with ledger.open(KEY) as entry:
        plan(entry)
        entry.mark(State.SENT)
        entry.keep(answer_in(entry.incoming()))
        entry.mark(State.UNKNOWN, message="it was given up")
    found = ledger.receipt(KEY)
    assert found is not None
    assert (found.state, found.current.message) == (State.ANSWERED, None)
