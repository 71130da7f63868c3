"""The service at its worst: right error, right exit code, right receipt, nothing bought twice."""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest

from scorebed.errors import (
    BadAnswer,
    MissingKey,
    OutcomeUnknown,
    OverLimit,
    ProviderUnavailable,
    RateLimited,
    RequestRejected,
    ScorebedError,
)
from scorebed.ledger import Ledger, State
from scorebed.model import Artifact, Order, Purse, Take
from scorebed.providers.elevenlabs.video import ElevenLabsProvider, target_of
from scorebed.stages import asking
from scorebed.stages.compose import announcement, compose
from scorebed.stages.purchase import keys_of
from scorebed.testing.service_behaviours import BEHAVIOURS, Behaviour
from scorebed.wav import sha256_of

if TYPE_CHECKING:
    from scorebed.testing import MusicService

MakeOrder = Callable[..., Order]


@dataclass(frozen=True, kw_only=True)
class Case:
    """What a behaviour has to lead to."""

    error: type[ScorebedError] | None = None
    """None where music comes."""
    state: State = State.KEPT
    purchases: int = 1
    """After the first command."""
    requests: int = 1
    """Requests of the first command."""
    fields: tuple[tuple[str, object], ...] = ()
    """Settings that the behaviour needs."""
    says: str = ""
    """What the remedy names."""
    more_bytes: int = 0
    """Added to a file that is sent, where the network's buffers must not hold it all."""


REFUSED = State.REFUSED
REJECTED = Case(error=RequestRejected, state=REFUSED, purchases=0)
LOST = Case(error=OutcomeUnknown, state=State.UNKNOWN)
USELESS = Case(error=BadAnswer, state=State.ANSWERED)
PASSES = Case(requests=2)
PCM = (("output_format", "pcm_48000"),)
TRACKS = (("separate_tracks", True), ("sfx", True))

CASES: dict[Behaviour, Case] = {
    "ok": Case(),
    "400-bad-prompt": replace(REJECTED, says="suggests"),
    "401-invalid-key": Case(error=MissingKey, state=REFUSED, purchases=0),
    "401-missing-permissions": replace(REJECTED, says="permission"),
    "401-quota": replace(REJECTED, says="credits"),
    "402": replace(REJECTED, says="plan"),
    "403": replace(REJECTED, says="plan"),
    "404": replace(REJECTED, says="--base-url"),
    "408": replace(LOST, purchases=0),
    "409": REJECTED,
    "413": Case(error=OverLimit, state=REFUSED, purchases=0),
    "422-list": REJECTED,
    "422-detail": REJECTED,
    "429-concurrent": PASSES,
    "429-busy": PASSES,
    "429-retry-after-seconds": PASSES,
    "429-retry-after-date": PASSES,
    "429-retry-after-ms": PASSES,
    "429-reset": PASSES,
    "500": LOST,
    "500-old-form": LOST,
    "502-html": LOST,
    "503": PASSES,
    "503-retry-after": PASSES,
    "503-gateway": LOST,
    "504": LOST,
    "echo-key": REJECTED,
    "echo-key-200": USELESS,
    "redirect": replace(REJECTED, says="--base-url"),
    "early-413": Case(error=OverLimit, state=REFUSED, purchases=0),
    "hang-before-body": replace(LOST, purchases=0),
    "hang-after-body": LOST,
    "hang-mid-answer": LOST,
    "slow-drip": Case(),
    # It cannot have had it all: nothing was bought, and it is sent again.
    "reset-mid-upload": replace(PASSES, more_bytes=16_000_000),
    "reset-after-body": LOST,
    "reset-mid-answer": LOST,
    "short-answer": LOST,
    "endless": LOST,
    "truncated-mp3": USELESS,
    "short-30": Case(),
    "length-20": Case(),
    "mono-pcm": Case(fields=PCM),
    "wav": Case(),
    "wrong-content-type": Case(),
    "zip-tracks": Case(fields=TRACKS),
    "zip-segments": Case(),
    "zip-bad-member": USELESS,
    "zip-bomb": USELESS,
    "zip-bomb-hidden": USELESS,
    "zip-climb": USELESS,
    "zip-many": USELESS,
    "multipart-mixed": Case(),
    "multipart-segments": Case(),
    "json-audio": Case(),
    "json-segments": Case(),
    "json-bad-base64": USELESS,
    "html-200": USELESS,
    "empty-200": USELESS,
}


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses that scorebed chooses itself are short here; those that the service asks for stay."""
    monkeypatch.setattr(asking, "_FIRST_PAUSE_S", 0.05)


def heavier(order: Order, more_bytes: int, folder: Path) -> Order:
    """The same order with a larger file; what follows the picture in it is a box of padding."""
    first, *rest = order.reels.reels
    assert first.proxy is not None
    path = folder / "heavy.mp4"
    padding = (more_bytes + 8).to_bytes(4, "big") + b"free" + bytes(more_bytes)
    path.write_bytes(first.proxy.path.read_bytes() + padding)
    first = replace(first, proxy=Artifact(path=path, sha256=sha256_of(path)))
    return replace(order, reels=replace(order.reels, reels=(first, *rest)))


def run(order: Order, purse: Purse, folder: Path) -> Take | ScorebedError:
    folder.mkdir()
    try:
        return compose("elevenlabs", order, folder=folder, purse=purse)
    except ScorebedError as error:
        return error


def only_state(ledger: Ledger) -> State:
    (receipt,) = ledger.receipts()
    return receipt.state


def nowhere(key: str, folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            assert key.encode() not in path.read_bytes(), path


def test_every_behaviour_has_its_case() -> None:
    assert set(CASES) == set(get_args(Behaviour)) == set(BEHAVIOURS)


@pytest.mark.parametrize("name", CASES)
def test_a_misbehaviour_ends_as_it_should(
    name: str,
    make_order: MakeOrder,
    service: MusicService,
    purse: Purse,
    ledger: Ledger,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    case = CASES[name]  # type: ignore[index]
    silent_s = 2.0 if name.startswith("hang") else 60.0
    order = make_order(read_timeout_s=silent_s, **dict(case.fields))
    if case.more_bytes:
        order = heavier(order, case.more_bytes, tmp_path)
    caplog.set_level(logging.DEBUG)
    service.will(name)
    outcome = run(order, purse, tmp_path / "first")
    assert len(service.requests) == case.requests
    assert service.purchases == case.purchases
    assert only_state(ledger) is case.state
    if case.error is None:
        assert isinstance(outcome, Take), outcome
        assert outcome.pieces[-1].range.end_s == 8
        assert (outcome.spent.requests, outcome.spent.seconds) == (1, 8.0)
    else:
        assert type(outcome) is case.error, outcome
        assert outcome.exit_code == 5
        assert case.says in outcome.remedy
        said = f"{outcome.message} {outcome.remedy}"
        assert service.key not in said + caplog.text
        assert outcome.remedy
        assert outcome.message.startswith("compose: ")
    nowhere(service.key, tmp_path)
    there = bool(list((tmp_path / "ledger").rglob("body")))
    assert there == (case.state in {State.KEPT, State.ANSWERED})
    assert not list(tmp_path.rglob("evil*"))
    assert service.stolen == ()
    check_again(order, purse, service, case, tmp_path)


def check_again(
    order: Order, purse: Purse, service: MusicService, case: Case, folder: Path
) -> None:
    """The same command again: what may have been billed is never bought by itself."""
    before, asked = service.purchases, len(service.requests)
    outcome = run(order, purse, folder / "second")
    if case.state is State.KEPT:
        assert isinstance(outcome, Take)
        assert outcome.spent.amount == 0.0
        assert len(service.requests) == asked
    elif case.state in {State.UNKNOWN, State.ANSWERED}:
        assert type(outcome) is (OutcomeUnknown if case.state is State.UNKNOWN else BadAnswer), (
            outcome
        )
        assert "--buy-again" in outcome.remedy
        assert len(service.requests) == asked
        bought = run(order, replace(purse, buy_again=True), folder / "third")
        assert isinstance(bought, Take), bought
        assert service.purchases == before + 1
        again = run(order, replace(purse, buy_again=True), folder / "fourth")
        assert isinstance(again, Take), again
        assert service.purchases == before + 1, "what is kept is never bought again"
    else:
        assert isinstance(outcome, Take), outcome
        assert service.purchases == before + 1


def test_a_service_that_is_down_is_told_apart(
    make_order: MakeOrder, service: MusicService, purse: Purse, ledger: Ledger, tmp_path: Path
) -> None:
    service.down()
    outcome = run(make_order(), purse, tmp_path / "first")
    assert type(outcome) is ProviderUnavailable
    assert only_state(ledger) is State.PLANNED
    service.up()
    assert isinstance(run(make_order(), purse, tmp_path / "second"), Take)
    assert service.purchases == 1


@pytest.mark.parametrize(
    ("name", "error", "attempts", "state"),
    [
        ("503", ProviderUnavailable, 4, State.PLANNED),
        ("429-busy", RateLimited, 7, State.REFUSED),
    ],
)
def test_patience_ends(
    name: str,
    error: type[ScorebedError],
    attempts: int,
    state: State,
    make_order: MakeOrder,
    service: MusicService,
    purse: Purse,
    ledger: Ledger,
    tmp_path: Path,
) -> None:
    service.will(*[name] * 20)
    outcome = run(make_order(), purse, tmp_path / "first")
    assert type(outcome) is error
    assert len(service.requests) == attempts
    assert only_state(ledger) is state
    assert service.purchases == 0


def test_what_the_service_asks_for_is_waited_for(
    make_order: MakeOrder, service: MusicService, purse: Purse, tmp_path: Path
) -> None:
    service.will("429-retry-after-seconds", "503-retry-after")
    assert isinstance(run(make_order(), purse, tmp_path / "first"), Take)
    times = [request.at_s for request in service.requests]
    assert times[1] - times[0] >= 1.0
    assert times[2] - times[1] >= 1.0


def test_what_was_lost_stays_lost_when_buying_again_is_refused(
    make_order: MakeOrder, service: MusicService, purse: Purse, ledger: Ledger, tmp_path: Path
) -> None:
    service.will("reset-after-body", "402")
    assert type(run(make_order(), purse, tmp_path / "first")) is OutcomeUnknown
    again = replace(purse, buy_again=True)
    assert type(run(make_order(), again, tmp_path / "second")) is RequestRejected
    assert only_state(ledger) is State.UNKNOWN
    assert type(run(make_order(), purse, tmp_path / "third")) is OutcomeUnknown
    assert len(service.requests) == 2


@pytest.mark.parametrize("name", ["reset-after-body", "html-200"])
def test_buying_again_keeps_to_the_limit(
    name: str, make_order: MakeOrder, service: MusicService, purse: Purse, tmp_path: Path
) -> None:
    service.will(name)
    run(make_order(), purse, tmp_path / "first")
    broke = replace(purse, buy_again=True, max_spend=0.0)
    assert type(run(make_order(), broke, tmp_path / "second")) is OverLimit
    assert "1 request" in announcement("elevenlabs", make_order(), broke, chosen=True)
    assert service.purchases == 1


def test_a_lost_part_is_found_before_another_is_sent(
    make_order: MakeOrder, service: MusicService, purse: Purse, ledger: Ledger, tmp_path: Path
) -> None:
    keys = keys_of(ElevenLabsProvider(), make_order(each=1))
    service.will("ok", "ok", "ok")
    run(make_order(each=1), purse, tmp_path / "first")
    before = len(service.requests)
    ledger.forget(keys[0])
    receipt = purse.ledger / keys[2] / "receipt.json"
    told = json.loads(receipt.read_bytes())
    told["attempts"][0]["state"] = "sent"
    receipt.write_text(json.dumps(told))
    shutil.rmtree(purse.ledger / keys[2] / "answer-1")
    assert type(run(make_order(each=1), purse, tmp_path / "second")) is OutcomeUnknown
    assert len(service.requests) == before


def test_a_kept_take_needs_no_key_and_no_service(
    make_order: MakeOrder,
    service: MusicService,
    purse: Purse,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run(make_order(), purse, tmp_path / "first")
    service.down()
    monkeypatch.delenv("ELEVENLABS_API_KEY")
    assert isinstance(run(make_order(), purse, tmp_path / "second"), Take)


def test_a_full_disk_while_the_answer_comes_is_unknown_not_a_new_ledger(
    make_order: MakeOrder,
    service: MusicService,
    purse: Purse,
    ledger: Ledger,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The disk is a stand-in: no test may fill a real one."""
    real = Path.open

    def full(path: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if path.name == "body" and "w" in mode:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return real(path, mode, *args, **kwargs)

    monkeypatch.setattr(Path, "open", full)
    outcome = run(make_order(), purse, tmp_path / "first")
    assert type(outcome) is OutcomeUnknown, outcome
    assert "No space left" in outcome.message
    assert "--ledger" not in outcome.remedy
    assert only_state(ledger) is State.UNKNOWN


def test_the_key_is_in_no_repr(make_order: MakeOrder, service: MusicService) -> None:
    order = make_order()
    assert order.service
    assert service.key not in repr(target_of(order.service))


def test_no_key(
    make_order: MakeOrder,
    service: MusicService,
    purse: Purse,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ELEVENLABS_API_KEY")
    outcome = run(make_order(), purse, tmp_path / "first")
    assert type(outcome) is MissingKey
    assert "ELEVENLABS_API_KEY" in outcome.remedy
    assert not service.requests


def test_a_damaged_receipt_is_never_taken_for_not_bought(
    make_order: MakeOrder, service: MusicService, purse: Purse, ledger: Ledger, tmp_path: Path
) -> None:
    assert isinstance(run(make_order(), purse, tmp_path / "first"), Take)
    (receipt,) = purse.ledger.glob("*/receipt.json")
    receipt.write_text("{")
    outcome = run(make_order(), purse, tmp_path / "second")
    assert isinstance(outcome, ScorebedError)
    assert outcome.exit_code == 6
    assert "cannot be read" in outcome.message
    assert service.purchases == 1


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="root may write anywhere")
def test_a_ledger_that_cannot_be_written_stops_before_sending(
    make_order: MakeOrder, service: MusicService, purse: Purse, tmp_path: Path
) -> None:
    purse.ledger.mkdir(mode=0o500)
    outcome = run(make_order(), purse, tmp_path / "first")
    assert isinstance(outcome, ScorebedError)
    assert outcome.exit_code == 6
    assert not service.requests
