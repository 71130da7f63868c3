"""Buying with a ledger behind a server: tasks that are run twice, workers and servers that die."""

from __future__ import annotations

import pickle
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.ledger.serving import Server

from scorebed.errors import OutcomeUnknown, OverLimit
from scorebed.ledger import AnswerWaits, Ledger, LockLost, State
from scorebed.ledger.remote.lease import Lease
from scorebed.ledger.serving import LedgerServer
from scorebed.model import Answer, LedgerAddress, Order, Purse, Take
from scorebed.providers.elevenlabs.video import ElevenLabsProvider
from scorebed.stages import purchase
from scorebed.stages.compose import compose
from scorebed.stages.purchase import keys_of
from scorebed.testing import MusicService

MakeOrder = Callable[..., Order]
BUYER = Path(__file__).parent / "buyer.py"
KEY = "sk_0123456789abcdef_never_shown"
PRICE = 8 / 60 * 0.60


@pytest.fixture
def served(disk: Path) -> Iterator[LedgerServer]:
    """A lease is short here: what is held by who died is free after that."""
    with LedgerServer(disk, lease_s=1.5) as running:
        yield running


@pytest.fixture
def purse(served: LedgerServer) -> Purse:
    return Purse(ledger=LedgerAddress(served.url), title="film.mp4")


def buy(order: Order, purse: Purse, folder: Path) -> Take:
    folder.mkdir(parents=True, exist_ok=True)
    return compose("elevenlabs", order, folder=folder, purse=purse)


def start(order: Order, purse: Purse, folder: Path) -> subprocess.Popen[str]:
    folder.mkdir(parents=True, exist_ok=True)
    wish = folder / "order.pickle"
    wish.write_bytes(pickle.dumps((order, purse)))
    return subprocess.Popen(
        [sys.executable, BUYER, wish, folder / "take"], stdout=subprocess.PIPE, text=True
    )


def finish(child: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = child.communicate(timeout=120)
    return child.returncode, said


def until(condition: Callable[[], bool], child: subprocess.Popen[str] | None = None) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        assert child is None or child.poll() is None
        time.sleep(0.02)


def test_a_task_that_is_run_twice_is_paid_once(
    make_order: MakeOrder, service: MusicService, purse: Purse, disk: Path, tmp_path: Path
) -> None:
    """By two processes with the server at once, and one on its machine with the folder."""
    order = make_order()
    local = replace(purse, ledger=disk)
    purses = (purse, purse, local)
    children = [start(order, one, tmp_path / str(n)) for n, one in enumerate(purses)]
    ended = [finish(child) for child in children]
    assert [code for code, _ in ended] == [0, 0, 0], ended
    assert service.purchases == 1
    told = [said.split() for _, said in ended]
    assert sorted(float(amount) > 0 for _, amount, _ in told) == [False, False, True]
    (sha256,) = {sha256 for _, _, sha256 in told}
    # A later run has the same music, and the ledger what was sent.
    assert buy(order, purse, tmp_path / "later").pieces[0].audio.sha256 == sha256
    (body,) = disk.glob("*/answer-1/body")
    assert body.read_bytes() == service.last_answer
    (receipt,) = Ledger(purse.ledger).receipts()
    assert (receipt.state, receipt.charges) == (State.KEPT, 1)
    for path in disk.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def test_a_worker_that_is_killed_after_it_has_sent(
    make_order: MakeOrder,
    service: MusicService,
    purse: Purse,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service.will("hang-after-body")
    ledger, order = Ledger(purse.ledger), make_order()
    child = start(order, purse, tmp_path / "a")
    until(lambda: bool(service.purchases), child)
    # As long as it lives, it is waited for.
    (key,) = keys_of(ElevenLabsProvider(), order)
    alive = ledger.receipt(key)
    assert alive is not None
    assert alive.state is State.SENT
    child.kill()
    child.communicate()
    # The engine starts the task again at once: it waits for the lock, and is told.
    code, said = finish(start(order, purse, tmp_path / "b"))
    assert (code, said.split()[0]) == (5, "OutcomeUnknown")
    assert "on the machine" not in said, "what it has left here was looked at"
    with monkeypatch.context() as patch:
        patch.setattr(platform, "node", lambda: "another")
        with pytest.raises(OutcomeUnknown) as caught:
            buy(order, purse, tmp_path / "another")
    assert f"asked for on the machine {platform.node()}" in caught.value.message
    assert f"on the machine {platform.node()}" in caught.value.remedy
    assert ledger.receipts()[0].state is State.UNKNOWN
    assert service.purchases == 1
    assert buy(order, replace(purse, buy_again=True), tmp_path / "c").spent.requests == 1


def test_a_worker_that_is_killed_before_it_has_sent(
    make_order: MakeOrder, service: MusicService, purse: Purse, disk: Path, tmp_path: Path
) -> None:
    """While it waits for a slot of the account, with money reserved."""
    shared = replace(purse, name="campaign", max_spend=1.5 * PRICE)
    ledger, order, stop = Ledger(purse.ledger), make_order(), threading.Event()
    queue = ledger.queue(ElevenLabsProvider().account(order))
    with queue.slot(stop), queue.slot(stop):
        child = start(order, shared, tmp_path / "dead")
        until(lambda: any(disk.glob("*/receipt.json")), child)
        with pytest.raises(OverLimit):
            buy(make_order(seed=6), shared, tmp_path / "too-early")
        child.kill()
        child.communicate()
    assert not service.requests
    assert ledger.receipts()[0].state is State.PLANNED
    # Its money and its lock are free when it has not been heard of for a lease.
    until(lambda: not list((disk / "serving").iterdir()))
    assert buy(order, shared, tmp_path / "again").spent.requests == 1
    assert service.purchases == 1
    assert not list(disk.glob("purses/*/*.json"))


def test_the_server_dies_and_comes_back_while_a_take_is_made(
    make_order: MakeOrder, disk: Path, tmp_path: Path
) -> None:
    """With a second run of the same task waiting."""
    with MusicService(key=KEY, work_s=2.0) as slow, Server(disk, "--lease", "3") as running:
        order, purse = make_order(base_url=slow.url), Purse(ledger=running.address)
        children = [start(order, purse, tmp_path / str(number)) for number in range(2)]
        until(lambda: slow.in_flight == 1, children[0])
        running.kill()
        time.sleep(0.5)
        running.start()
        ended = [finish(child) for child in children]
        assert [code for code, _ in ended] == [0, 0], ended
        assert slow.purchases == 1
        (receipt,) = Ledger(running.address).receipts()
        assert (receipt.state, receipt.charges) == (State.KEPT, 1)


def test_an_answer_that_comes_while_the_server_is_gone_is_not_bought_again(
    make_order: MakeOrder,
    service: MusicService,
    disk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server, send = LedgerServer(disk, lease_s=0.5), ElevenLabsProvider.send

    def send_and_lose(*args: Any, **kwargs: Any) -> Answer:
        answer = send(*args, **kwargs)
        server.__exit__()
        return answer

    order = make_order()
    server.__enter__()
    purse = Purse(ledger=LedgerAddress(server.url))
    with monkeypatch.context() as patch:
        patch.setattr(purchase, "_PATIENCE_S", 0.3)
        patch.setattr(ElevenLabsProvider, "send", send_and_lose)
        with pytest.raises(AnswerWaits, match="paid for lies in") as caught:
            buy(order, purse, tmp_path / "a")
    assert "not bought again" in caught.value.remedy
    with LedgerServer(disk, port=int(server.url.rpartition(":")[2]), lease_s=0.5):
        take = buy(order, purse, tmp_path / "b")
    assert take.spent.requests == 0
    assert service.purchases == 1


def test_a_server_that_is_away_when_the_answer_comes_loses_nothing(
    make_order: MakeOrder, disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped while the service works: what the answer's head says can be told to nobody."""
    monkeypatch.setenv("ELEVENLABS_API_KEY", KEY)
    monkeypatch.setattr(purchase, "_PATIENCE_S", 0.5)
    server, failures = LedgerServer(disk, lease_s=5.0), []
    with MusicService(key=KEY, work_s=1.0, at_once=5) as slow:
        server.__enter__()
        order, purse = make_order(base_url=slow.url), Purse(ledger=LedgerAddress(server.url))

        def work() -> None:
            with pytest.raises(AnswerWaits) as caught:
                buy(order, purse, tmp_path / "a")
            failures.append(caught.value)

        run = threading.Thread(target=work)
        run.start()
        until(lambda: slow.in_flight == 1)
        server.__exit__()
        run.join()
        assert len(failures) == 1
        with LedgerServer(disk, port=int(server.url.rpartition(":")[2]), lease_s=0.5):
            take = buy(order, purse, tmp_path / "b")
        assert (take.spent.requests, slow.purchases) == (0, 1)
        (body,) = disk.glob("*/answer-1/body")
        assert body.read_bytes() == slow.last_answer


def test_who_has_lost_its_locks_sends_nothing(
    make_order: MakeOrder,
    service: MusicService,
    purse: Purse,
    disk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Cut off between its plan and its request, until another has bought the same."""
    order, send = make_order(), ElevenLabsProvider.send
    with monkeypatch.context() as patch:
        patch.setattr(Lease, "_beat", lambda *_: None)

        def late(*args: Any, **kwargs: Any) -> Answer:
            until(lambda: not list((disk / "serving").iterdir()))
            patch.undo()
            buy(order, replace(purse, ledger=disk), tmp_path / "other")
            return send(*args, **kwargs)

        patch.setattr(ElevenLabsProvider, "send", late)
        with pytest.raises(LockLost, match="nothing more is sent"):
            buy(order, purse, tmp_path / "late")
    assert service.purchases == 1
    (receipt,) = Ledger(disk).receipts()
    assert (receipt.state, receipt.charges) == (State.KEPT, 1)


@pytest.mark.slow
def test_processes_that_run_at_once_share_a_purse_and_a_queue(
    make_order: MakeOrder, purse: Purse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them alone would be under the limit; the service takes one request at a time."""
    with MusicService(key=KEY, work_s=0.5, at_once=1) as slow:
        shared = replace(purse, name="campaign", max_spend=2.5 * PRICE)
        monkeypatch.setenv("ELEVENLABS_API_KEY", KEY)
        orders = [make_order(seed=seed, base_url=slow.url) for seed in range(4)]
        queue = Ledger(purse.ledger).queue(ElevenLabsProvider().account(orders[0]))
        queue.learn(1)
        children = [
            start(order, shared, tmp_path / str(number)) for number, order in enumerate(orders)
        ]
        ended = [finish(child) for child in children]
        assert sorted(code for code, _ in ended) == [0, 0, 5, 5], ended
        assert slow.purchases == 2
        assert slow.most_in_flight == 1
        assert not [one for one in slow.requests if one.status == 429]
