"""Buying: once, within the limit, in parts, side by side, and never by a dead run again."""

from __future__ import annotations

import pickle
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from scorebed.answers import decode_piece
from scorebed.errors import (
    OverLimit,
    ProviderError,
    ScorebedError,
    SettingsError,
    WorkspaceError,
)
from scorebed.ledger import Ledger, State
from scorebed.ledger.folder import FolderStore
from scorebed.model import Audio, Order, Purse
from scorebed.options import Options
from scorebed.providers.elevenlabs.text import ElevenLabsTextProvider
from scorebed.providers.elevenlabs.video import ElevenLabsProvider
from scorebed.settings import resolve
from scorebed.stages.compose import announcement, compose
from scorebed.stages.purchase import keys_of
from scorebed.testing import MusicService
from scorebed.testing.service_music import key_of

MakeOrder = Callable[..., Order]
BUYER = Path(__file__).parent / "buyer.py"
KEY = "sk_0123456789abcdef_never_shown"
PRICE = 8 / 60 * 0.60


def buy(order: Order, purse: Purse, folder: Path, provider: str = "elevenlabs"):  # type: ignore[no-untyped-def]  # noqa: ANN201
    folder.mkdir(parents=True, exist_ok=True)
    return compose(provider, order, folder=folder, purse=purse)


def decoded(path: Path) -> Audio:
    return np.concatenate(list(decode_piece(path)))


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


# --- once --------------------------------------------------------------------------------------


def test_a_receipt_says_what_left_the_machine(
    make_order: MakeOrder,
    service: MusicService,
    purse: Purse,
    ledger: Ledger,
    disk: Path,
    tmp_path: Path,
) -> None:
    take = buy(make_order(), purse, tmp_path / "a")
    (receipt,) = ledger.receipts()
    received = service.requests[0]
    for told in (receipt.current.files, take.uploads):
        assert [(one.name, one.sha256, one.size_bytes, one.audio) for one in told] == [
            (file.filename, file.sha256, file.size_bytes, file.audio) for file in received.files
        ]
        assert [(one.width_px, one.height_px) for one in told] == [(160, 90)] * 3
    assert take.receipts == (receipt.key,)
    assert receipt.title == "film.mp4"
    assert receipt.may_have_cost == pytest.approx(PRICE)
    assert take.spent.amount == pytest.approx(PRICE)
    assert (receipt.state, receipt.charges, receipt.current.request_id is not None) == (
        State.KEPT,
        1,
        True,
    )
    assert (disk / receipt.key / "answer-1" / "body").read_bytes() == service.last_answer


def test_the_key_is_what_was_asked(make_order: MakeOrder, tmp_path: Path) -> None:
    """Not the bytes of proxies, not paths, not prices, not time-outs."""
    provider = ElevenLabsProvider()

    def key(order: Order) -> tuple[str, ...]:
        return keys_of(provider, order)

    first = make_order()
    same = [
        replace(
            first,
            reels=replace(
                first.reels,
                reels=tuple(replace(reel, proxy=None) for reel in first.reels.reels),
            ),
        ),
        make_order(price_per_minute=9.0),
        make_order(read_timeout_s=20.0),
        make_order(zero_retention=True),
        make_order(loudness=0.5),
        make_order(key_file=tmp_path / "key"),
    ]
    assert {key(order) for order in same} == {key(first)}
    others = [
        make_order(seed=2),
        make_order(prompt="cold"),
        make_order(tags=("jazz",)),
        make_order(quality="high"),
        make_order(guidance=0.7),
        make_order(model="music_v2"),
        make_order(output_format="opus_48000_96"),
        make_order(sfx=True),
        make_order(c2pa=True),
        make_order(separate_tracks=True),
        make_order(api_form="brief"),
        make_order(each=1),
        make_order(base_url="http://127.0.0.1:1"),
        replace(first, picture_sha256="cd" * 32),
        replace(
            first,
            brief=replace(first.brief, style=replace(first.brief.style, description="else")),
        ),
    ]
    assert len({key(order) for order in [first, *others]}) == len(others) + 1


def test_all_hosts_of_the_vendor_are_one_service(make_order: MakeOrder) -> None:
    provider = ElevenLabsProvider()
    hosts = ("https://api.elevenlabs.io", "https://api.eu.residency.elevenlabs.io/")
    keys = {keys_of(provider, make_order(base_url=host)) for host in hosts}
    assert len(keys) == 1


def test_two_threads_and_two_processes_buy_once(
    make_order: MakeOrder, service: MusicService, purse: Purse, tmp_path: Path
) -> None:
    order = make_order()
    children = [start(order, purse, tmp_path / f"p{number}") for number in range(2)]
    with ThreadPoolExecutor(2) as pool:
        takes = list(pool.map(lambda n: buy(order, purse, tmp_path / f"t{n}"), range(2)))
    ended = [finish(child) for child in children]
    assert [code for code, _ in ended] == [0, 0], ended
    assert service.purchases == 1
    paid = [take.spent.amount for take in takes] + [float(said.split()[1]) for _, said in ended]
    assert sorted(paid)[:3] == [0.0] * 3
    assert len({take.pieces[0].audio.sha256 for take in takes}) == 1


def test_a_seed_names_a_take(
    make_order: MakeOrder, service: MusicService, purse: Purse, tmp_path: Path
) -> None:
    hashes = [
        buy(make_order(seed=seed), purse, tmp_path / f"{number}").pieces[0].audio.sha256
        for number, seed in enumerate((1, 2, 1, 2))
    ]
    assert service.purchases == 2
    assert hashes[:2] == hashes[2:]


def _kill_and_run_again(
    order: Order, purse: Purse, ledger: Ledger, folder: Path, delay_s: float
) -> str:
    """Kills a run so long after its receipt is there, and runs it again."""
    key = keys_of(ElevenLabsProvider(), order)[0]
    child = start(order, purse, folder / "killed")
    while ledger.peek(key) is None:
        assert child.poll() is None
        time.sleep(0.005)
    time.sleep(delay_s)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    code, said = finish(start(order, purse, folder / "again"))
    assert (code, said.split()[0]) in {(0, "take"), (5, "OutcomeUnknown")}, said
    return said.split()[0]


def _check_kills(
    times: int, make_order: MakeOrder, purse: Purse, ledger: Ledger, folder: Path
) -> None:
    rng = random.Random(7)  # noqa: S311 - moments, not secrets
    outcomes = []
    with MusicService(key=KEY, work_s=0.4) as slow:
        for number in range(1, times + 1):
            order = make_order(seed=number, base_url=slow.url)
            delay_s = rng.uniform(0.0, 1.2)
            place = folder / str(number)
            outcomes.append(_kill_and_run_again(order, purse, ledger, place, delay_s))
            receipt = ledger.peek(keys_of(ElevenLabsProvider(), order)[0])
            assert receipt is not None
            kept = outcomes[-1] == "take"
            assert receipt.state is (State.KEPT if kept else State.UNKNOWN)
            assert receipt.charges == 1
        unknown = outcomes.count("OutcomeUnknown")
        # Each kept take was bought once; of an unknown one, at most once.
        assert times - unknown <= slow.purchases <= times
        assert 0 < unknown < times, "some were killed while they waited, others before or after"


def test_a_killed_run_never_leads_to_a_second_purchase(
    make_order: MakeOrder, service: MusicService, purse: Purse, ledger: Ledger, tmp_path: Path
) -> None:
    _check_kills(8, make_order, purse, ledger, tmp_path)


@pytest.mark.slow
def test_fifty_killed_runs(
    make_order: MakeOrder, service: MusicService, purse: Purse, ledger: Ledger, tmp_path: Path
) -> None:
    _check_kills(50, make_order, purse, ledger, tmp_path)


def test_a_run_that_is_killed_while_it_waits_leaves_unknown(
    make_order: MakeOrder, service: MusicService, purse: Purse, ledger: Ledger, tmp_path: Path
) -> None:
    service.will("hang-after-body")
    child = start(make_order(), purse, tmp_path / "a")
    while not service.purchases:
        assert child.poll() is None
        time.sleep(0.02)
    assert ledger.receipts()[0].state is State.SENT
    child.kill()
    child.communicate()
    code, said = finish(start(make_order(), purse, tmp_path / "b"))
    assert (code, said.split()[0]) == (5, "OutcomeUnknown")
    assert ledger.receipts()[0].state is State.UNKNOWN
    bought = buy(make_order(), replace(purse, buy_again=True), tmp_path / "c")
    assert bought.spent.requests == 1
    (receipt,) = ledger.receipts()
    assert (receipt.state, receipt.charges) == (State.KEPT, 2)
    assert receipt.may_have_cost == pytest.approx(2 * PRICE)


# --- money -------------------------------------------------------------------------------------


def test_over_the_limit_nothing_is_sent(
    make_order: MakeOrder, service: MusicService, purse: Purse, ledger: Ledger, tmp_path: Path
) -> None:
    with pytest.raises(OverLimit, match=r"0\.08 USD would be spent, --max-spend allows 0\.05"):
        buy(make_order(), replace(purse, max_spend=0.05), tmp_path / "a")
    assert not service.requests
    assert not ledger.receipts()
    buy(make_order(), replace(purse, max_spend=0.08), tmp_path / "b")
    assert service.purchases == 1
    # What is kept costs nothing, whatever the limit.
    buy(make_order(), replace(purse, max_spend=0.0), tmp_path / "c")
    assert service.purchases == 1


def test_the_limit_counts_all_parts_before_the_first_is_sent(
    make_order: MakeOrder, service: MusicService, purse: Purse, tmp_path: Path
) -> None:
    with pytest.raises(OverLimit):
        buy(make_order(each=1), replace(purse, max_spend=0.06), tmp_path / "a")
    assert not service.requests


def test_runs_share_a_purse(
    make_order: MakeOrder, service: MusicService, purse: Purse, tmp_path: Path
) -> None:
    shared = replace(purse, name="campaign", max_spend=2.5 * PRICE)
    for seed in (1, 2):
        buy(make_order(seed=seed), shared, tmp_path / str(seed))
    with pytest.raises(OverLimit, match=r"after 0\.16 USD spent in 'campaign'"):
        buy(make_order(seed=3), shared, tmp_path / "3")
    buy(make_order(seed=1), shared, tmp_path / "again")
    buy(make_order(seed=4), replace(shared, name="other"), tmp_path / "4")
    assert service.purchases == 3


def test_processes_that_run_at_once_share_a_purse(
    make_order: MakeOrder, purse: Purse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them alone would be under the limit, and all begin before the first has ended."""
    with MusicService(work_s=1.0) as slow:
        monkeypatch.setenv("ELEVENLABS_API_KEY", slow.key)
        shared = replace(purse, name="campaign", max_spend=2.5 * PRICE)
        children = [
            start(make_order(seed=seed, base_url=slow.url), shared, tmp_path / str(seed))
            for seed in range(5)
        ]
        ended = [finish(child) for child in children]
        assert sorted(code for code, _ in ended) == [0, 0, 5, 5, 5], ended
        assert slow.purchases == 2


def test_what_a_dead_run_wanted_does_not_count(
    make_order: MakeOrder,
    service: MusicService,
    purse: Purse,
    ledger: Ledger,
    disk: Path,
    tmp_path: Path,
) -> None:
    """It was killed after it had reserved, while it waited for a slot of the account."""
    shared = replace(purse, name="campaign", max_spend=1.5 * PRICE)
    order = make_order(seed=5)
    ledger.prepare()
    queue = ledger.queue(ElevenLabsProvider().account(order))
    stop = threading.Event()
    with queue.slot(stop), queue.slot(stop):
        child = start(order, shared, tmp_path / "dead")
        while not list(disk.glob("purses/*/*.json")):
            assert child.poll() is None
            time.sleep(0.02)
        with pytest.raises(OverLimit):
            buy(make_order(seed=6), shared, tmp_path / "too-early")
        child.kill()
        child.communicate()
    assert not service.requests
    assert buy(make_order(seed=6), shared, tmp_path / "alive").spent.requests == 1


def test_the_price_is_said_before_anything_is_sent(
    make_order: MakeOrder, service: MusicService, purse: Purse, tmp_path: Path
) -> None:
    order = make_order(price_per_minute=3.0)
    told = announcement("elevenlabs", order, purse, chosen=False)
    assert "1 request, 3 files, 8.0 s of picture, about 0.40 USD" in told
    assert "its key was found" in told
    buy(order, purse, tmp_path / "a")
    assert "nothing is sent" in announcement("elevenlabs", order, purse, chosen=True)
    assert announcement("embedded", order, purse, chosen=True) == "music by embedded, free"


def key_of_file(path: Path) -> int:
    audio, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    return key_of(audio[: len(audio) // rate_hz * rate_hz].mean(axis=1), rate_hz)


# --- parts -------------------------------------------------------------------------------------


def test_later_parts_carry_the_music_of_the_first(
    make_order: MakeOrder, service: MusicService, purse: Purse, tmp_path: Path
) -> None:
    take = buy(make_order(each=1), purse, tmp_path / "a")
    assert service.purchases == 3
    first, *rest = service.requests
    assert "use_audio_as_reference" not in dict(first.fields)
    assert not first.files[0].audio
    for request in rest:
        assert dict(request.fields)["use_audio_as_reference"] == "true"
        assert request.files[0].audio
    # It is the first one's music that they carry: its key is heard in them.
    first_key = key_of_file(take.pieces[0].audio.path)
    assert [request.files[0].key for request in rest] == [first_key] * 2
    told = [dict(request.fields)["description"] for request in service.requests]
    assert all(text.startswith("warm, no drums") for text in told)
    assert [piece.range for piece in take.pieces] == [
        reel.range for reel in make_order().reels.reels
    ]
    assert take.spent.amount == pytest.approx(PRICE)
    again = buy(make_order(each=1), purse, tmp_path / "b")
    assert service.purchases == 3
    assert [one.audio.sha256 for one in again.pieces] == [one.audio.sha256 for one in take.pieces]


def test_what_was_bought_of_a_take_is_not_bought_again(
    make_order: MakeOrder, service: MusicService, purse: Purse, ledger: Ledger, tmp_path: Path
) -> None:
    service.will("ok", "402")
    with pytest.raises(ProviderError):
        buy(make_order(each=1), purse, tmp_path / "a")
    kept = [one for one in ledger.receipts() if one.state is State.KEPT]
    before = service.purchases
    assert len(kept) == before
    take = buy(make_order(each=1), purse, tmp_path / "b")
    assert service.purchases == 3
    assert take.spent.requests == 3 - before


def test_segments_go_each_to_its_scene(
    make_order: MakeOrder, service: MusicService, purse: Purse, tmp_path: Path
) -> None:
    service.will("zip-segments")
    take = buy(make_order(), purse, tmp_path / "a")
    order = make_order()
    assert [piece.range for piece in take.pieces] == [reel.range for reel in order.reels.reels]
    for piece in take.pieces:
        length_s = soundfile.info(str(piece.audio.path)).duration
        assert length_s == pytest.approx(float(piece.range.duration_s), abs=0.1)


def test_separate_tracks_are_kept_beside_the_music(
    make_order: MakeOrder, purse: Purse, service: MusicService, tmp_path: Path
) -> None:
    take = buy(make_order(separate_tracks=True, sfx=True), purse, tmp_path / "a")
    music, effects = (decoded(original.path) for original in take.originals)
    (piece,) = take.pieces
    assert np.abs(decoded(piece.audio.path) - (music + effects)).max() < 1e-3
    assert np.abs(effects).max() > 0.01


def test_separate_tracks_without_effects_are_a_film_without_effects(
    make_order: MakeOrder, purse: Purse, service: MusicService, tmp_path: Path
) -> None:
    """The service may make them all the same: they lie beside the music, not in it."""
    take = buy(make_order(separate_tracks=True), purse, tmp_path / "a")
    assert "add_sfx" not in dict(service.requests[-1].fields)
    music, effects = (decoded(original.path) for original in take.originals)
    (piece,) = take.pieces
    assert np.array_equal(decoded(piece.audio.path), music)
    assert np.abs(effects).max() > 0.01


@pytest.mark.parametrize(("name", "told"), [("short-30", "5.6 s long"), ("length-20", "28.0 s")])
def test_music_of_an_odd_length_is_told_of(
    name: str,
    told: str,
    make_order: MakeOrder,
    service: MusicService,
    purse: Purse,
    tmp_path: Path,
) -> None:
    service.will(name)
    (warning,) = buy(make_order(), purse, tmp_path / "a").warnings
    assert told in warning
    assert "8.0 s were asked for" in warning


# --- the account's queue -----------------------------------------------------------------------


@pytest.mark.parametrize("most", [1, 2, 3])
def test_never_more_in_flight_than_the_service_takes(
    most: int, make_order: MakeOrder, purse: Purse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MusicService(at_once=most, work_s=0.4) as busy:
        monkeypatch.setenv("ELEVENLABS_API_KEY", busy.key)
        orders = [make_order(seed=seed, base_url=busy.url) for seed in range(9)]
        buy(orders[0], purse, tmp_path / "first")
        learnt = len(busy.requests)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: buy(orders[n], purse, tmp_path / str(n)), range(1, 9)))
        assert busy.purchases == 9
        assert busy.most_in_flight == most
        refused = [one for one in busy.requests[learnt:] if one.status == 429]
        assert not refused, "once it is known, the limit is kept without being told again"


def test_a_queue_whose_size_cannot_be_noted_costs_no_answer(
    make_order: MakeOrder,
    service: MusicService,
    purse: Purse,
    ledger: Ledger,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    write = FolderStore.write

    def full(store: FolderStore, name: str, content: bytes) -> None:
        if name.endswith("/most"):
            raise WorkspaceError("ledger: the disk is full", remedy="Make room.")
        write(store, name, content)

    monkeypatch.setattr(FolderStore, "write", full)
    service.at_once = 5
    take = buy(make_order(), purse, tmp_path / "a")
    assert (take.spent.requests, service.purchases) == (1, 1)
    assert ledger.receipts()[0].state is State.KEPT
    assert "size could not be noted: ledger: the disk is full" in caplog.text


def test_independent_requests_run_side_by_side(
    make_order: MakeOrder, purse: Purse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MusicService(at_once=2, work_s=1.0) as busy:
        monkeypatch.setenv("ELEVENLABS_API_KEY", busy.key)
        buy(make_order(each=1, base_url=busy.url), purse, tmp_path / "a")
        assert busy.most_in_flight == 2
        arrivals = [request.at_s for request in busy.requests]
        # The first alone, because the others carry its music.
        assert arrivals[1] - arrivals[0] >= 1.0


def test_a_stop_reaches_those_that_wait(
    make_order: MakeOrder,
    purse: Purse,
    ledger: Ledger,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One part is refused while another is in flight: that one's answer is kept, no more go."""
    provider = ElevenLabsTextProvider()
    with MusicService(at_once=1, work_s=lambda number: 1.0 if number == 1 else 0.0) as busy:
        monkeypatch.setenv("ELEVENLABS_API_KEY", busy.key)
        busy.will("ok", "402", "ok")
        order = make_order(provider=provider, each=1, base_url=busy.url)
        with pytest.raises(ProviderError):
            buy(order, purse, tmp_path / "a", "elevenlabs-text")
        states = sorted(one.state.value for one in ledger.receipts())
        assert states.count("refused") == 1
        assert states.count("kept") == busy.purchases
        assert "sent" not in states


# --- offline -----------------------------------------------------------------------------------


def test_offline_refuses_services_and_takes_the_embedded_composer(service: MusicService) -> None:
    assert resolve(Options(offline=True)).provider == "embedded"
    assert resolve(Options()).provider == "elevenlabs"
    for name in ("elevenlabs", "elevenlabs-text"):
        with pytest.raises(SettingsError, match="--offline"):
            resolve(Options(offline=True, provider=name))


def test_offline_opens_no_socket(
    service: MusicService,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_video: Callable[..., Path],
) -> None:
    """With a key in place, where a run would otherwise send."""
    import scorebed  # noqa: PLC0415

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    result = scorebed.score(
        make_video("film.mp4"),
        tmp_path / "out.mp4",
        offline=True,
        workspace=tmp_path / "ws",
        ledger=tmp_path / "ledger",
    )
    assert result.take.provider == "embedded"
    assert not service.requests


def test_a_fraction_of_a_minute_has_its_price(make_order: MakeOrder) -> None:
    quote = ElevenLabsProvider().quote(make_order(price_per_minute=0.6))
    assert (quote.requests, quote.seconds) == (1, 8.0)
    assert quote.amount == pytest.approx(0.08)
    assert Fraction(8) == make_order().reels.duration_s


def test_threads_do_not_outlive_a_run(
    make_order: MakeOrder, service: MusicService, purse: Purse, tmp_path: Path
) -> None:
    before = threading.active_count()
    service.will("402")
    with pytest.raises(ScorebedError):
        buy(make_order(), purse, tmp_path / "a")
    deadline = time.monotonic() + 30
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert threading.active_count() <= before + 1  # the server's own thread may still be ending
