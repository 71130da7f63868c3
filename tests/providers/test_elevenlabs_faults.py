"""The service at its worst: right error, right exit code, right receipt, nothing bought twice."""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from scorebed.answers import unpack
from scorebed.errors import (
    BadAnswer,
    MissingKey,
    OutcomeUnknown,
    OverLimit,
    ProviderUnavailable,
    RateLimited,
    RequestRejected,
    ScorebedError,
    WorkspaceError,
)
from scorebed.ledger import Fate, Ledger, State
from scorebed.model import Artifact, Order, Purse, Take
from scorebed.providers.elevenlabs import video
from scorebed.providers.elevenlabs.text import ElevenLabsTextProvider
from scorebed.providers.elevenlabs.video import ElevenLabsProvider, target_of
from scorebed.stages import asking, counter
from scorebed.stages.compose import announcement, compose
from scorebed.stages.purchase import keys_of
from scorebed.stages.standing import fates, to_pay
from scorebed.testing import MusicService
from scorebed.testing.service_behaviours import BEHAVIOURS, Behaviour
from scorebed.testing.service_multipart import Wire
from scorebed.wav import sha256_of

KEY = "sk_of_the_gateway_4711_secret"
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
TOO_LARGE = Case(error=OverLimit, state=REFUSED, purchases=0, says="--base-url")
LOST = Case(error=OutcomeUnknown, state=State.UNKNOWN)
USELESS = Case(error=BadAnswer, state=State.ANSWERED)
PASSES = Case(requests=2)
PCM = (("output_format", "pcm_48000"),)
TRACKS = (("separate_tracks", True), ("sfx", True))

CASES: dict[Behaviour, Case] = {
    "ok": Case(),
    "400-bad-prompt": replace(REJECTED, says="suggests"),
    "401-invalid-key": Case(error=MissingKey, state=REFUSED, purchases=0),
    "401-old-form": Case(error=MissingKey, state=REFUSED, purchases=0),
    "401-missing-permissions": replace(REJECTED, says="permission"),
    "401-quota": replace(REJECTED, says="credits"),
    "402": replace(REJECTED, says="plan"),
    "403": replace(REJECTED, says="plan"),
    "404": replace(REJECTED, says="--base-url"),
    "408": replace(LOST, purchases=0),
    "409": REJECTED,
    "413": TOO_LARGE,
    "422-list": REJECTED,
    "422-detail": REJECTED,
    "429-concurrent": PASSES,
    "429-concurrent-limit": PASSES,
    "429-old-form": PASSES,
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
    "503-gateway-json": LOST,
    "503-problem-json": LOST,
    "503-internal": LOST,
    "504": LOST,
    "echo-key": REJECTED,
    "echo-key-200": USELESS,
    "redirect": replace(REJECTED, says="--base-url"),
    "early-413": TOO_LARGE,
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
    "echo-key-json": Case(),
    "short-60": replace(USELESS, says="--music FILE"),
}


ELSEWHERE = (
    "ok",
    "400-bad-prompt",
    "401-old-form",
    "402",
    "413",
    "422-list",
    "429-busy",
    "429-concurrent-limit",
    "503",
    "503-gateway-json",
    "500",
    "hang-before-body",
    "reset-after-body",
    "reset-mid-answer",
    "truncated-mp3",
    "html-200",
)
"""At least one of each outcome, for the other provider and the other form of the request."""


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


def run(
    order: Order, purse: Purse, folder: Path, provider: str = "elevenlabs"
) -> Take | ScorebedError:
    folder.mkdir()
    try:
        return compose(provider, order, folder=folder, purse=purse)
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
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    case = CASES[name]  # type: ignore[index]
    order = make_order(read_timeout_s=silence_s(name), **dict(case.fields))
    if case.more_bytes:
        order = heavier(order, case.more_bytes, tmp_path)
    check_misbehaviour(name, case, order, service, purse, tmp_path, caplog)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_misbehaviour_ends_so_for_text_too(
    name: str,
    make_order: MakeOrder,
    service: MusicService,
    purse: Purse,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    text = ElevenLabsTextProvider()
    order = make_order(provider=text, read_timeout_s=silence_s(name))
    case = CASES[name]  # type: ignore[index]
    check_misbehaviour(name, case, order, service, purse, tmp_path, caplog, text.name)
    assert {request.path for request in service.requests} == {"/v1/music"}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_misbehaviour_ends_so_in_the_brief_form_too(
    name: str,
    make_order: MakeOrder,
    purse: Purse,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ELEVENLABS_API_KEY", KEY)
    with MusicService(key=KEY, form="brief") as gateway:
        order = make_order(api_form="brief", base_url=gateway.url, read_timeout_s=silence_s(name))
        case = CASES[name]  # type: ignore[index]
        check_misbehaviour(name, case, order, gateway, purse, tmp_path, caplog)
        assert all("video" in request.part_names for request in gateway.requests[-1:])


def silence_s(name: str) -> float:
    return 2.0 if name.startswith("hang") else 60.0


def check_misbehaviour(
    name: str,
    case: Case,
    order: Order,
    service: MusicService,
    purse: Purse,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    provider: str = "elevenlabs",
) -> None:
    ledger = Ledger(purse.ledger)
    caplog.set_level(logging.DEBUG)
    service.will(name)
    outcome = run(order, purse, tmp_path / "first", provider)
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
    check_again(order, purse, service, case, tmp_path, provider)


def check_again(
    order: Order, purse: Purse, service: MusicService, case: Case, folder: Path, provider: str
) -> None:
    """The same command again: what may have been billed is never bought by itself."""
    before, asked = service.purchases, len(service.requests)
    outcome = run(order, purse, folder / "second", provider)
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
        bought = run(order, replace(purse, buy_again=True), folder / "third", provider)
        assert isinstance(bought, Take), bought
        assert service.purchases == before + 1
        again = run(order, replace(purse, buy_again=True), folder / "fourth", provider)
        assert isinstance(again, Take), again
        assert service.purchases == before + 1, "what is kept is never bought again"
    else:
        assert isinstance(outcome, Take), outcome
        assert service.purchases == before + 1


def test_what_was_too_large_is_said_against_the_limits(
    make_order: MakeOrder,
    service: MusicService,
    purse: Purse,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service.will("413", "413", "413")
    outcome = run(make_order(), purse, tmp_path / "first")
    assert isinstance(outcome, OverLimit)
    sent = sum(file.size_bytes for file in service.requests[0].files)
    assert f"sent: 3 of 10 files, {sent} of 200000000 bytes, 8 of 600 s" in outcome.message
    text = ElevenLabsTextProvider()
    outcome = run(make_order(provider=text), purse, tmp_path / "text", text.name)
    assert isinstance(outcome, OverLimit)
    assert "of 30 sections, 8 of 600 s" in outcome.message
    monkeypatch.setattr(video, "MAX_BYTES", sent - 7)
    outcome = run(make_order(seed=2), purse, tmp_path / "second")
    assert isinstance(outcome, OverLimit)
    assert f"{sent} of {sent - 7} bytes (7 too much)" in outcome.message
    assert "in parts" in outcome.remedy


@pytest.mark.parametrize("model", ["music_v1", "music_v2_5"])
def test_the_plan_that_the_service_suggests_is_shown(
    model: str, make_order: MakeOrder, service: MusicService, purse: Purse, tmp_path: Path
) -> None:
    text = ElevenLabsTextProvider()
    order = make_order(provider=text, model=model)
    service.will("400-bad-prompt")
    outcome = run(order, purse, tmp_path / "first", text.name)
    assert isinstance(outcome, RequestRejected)
    plan = service.requests[0].json["composition_plan"]
    parts = plan["sections"] if model == "music_v1" else plan["chunks"]
    for name in [one.get("section_name") or one["text"] for one in parts]:
        assert f"{name}: warm strings, soft piano" in outcome.remedy
    assert "--prompt" in outcome.remedy


@pytest.mark.parametrize("name", ["429-concurrent", "429-concurrent-limit", "429-old-form"])
def test_one_request_too_many_is_no_service_in_trouble(
    name: str,
    make_order: MakeOrder,
    service: MusicService,
    purse: Purse,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A turn is waited for, however often somebody else has it; patience with trouble ends."""
    monkeypatch.setattr(asking, "BUSY_ATTEMPTS", 1)
    service.will(name, name, name)
    assert isinstance(run(make_order(), purse, tmp_path / "first"), Take)
    assert len(service.requests) == 4


def test_an_answer_that_repeats_the_key_is_used_without_it(
    make_order: MakeOrder,
    service: MusicService,
    purse: Purse,
    ledger: Ledger,
    disk: Path,
    tmp_path: Path,
) -> None:
    """In the body, and in what the receipt says of it, however it was spelt."""
    plain = run(make_order(), replace(purse, ledger=tmp_path / "other"), tmp_path / "plain")
    service.will("echo-key-json")
    take = run(make_order(), purse, tmp_path / "first")
    assert isinstance(take, Take)
    assert isinstance(plain, Take)
    assert take.pieces[0].audio.sha256 == plain.pieces[0].audio.sha256
    (receipt,) = ledger.receipts()
    came = (disk / receipt.key / "answer-1" / "body").read_bytes()
    assert service.last_answer is not None
    assert len(came) > 70_000
    assert came == service.last_answer.replace(service.key.encode(), b"*" * len(service.key))
    assert ("request.spelt", "[key]") in receipt.facts
    nowhere(service.key, tmp_path)


def test_what_headers_say_of_the_music_is_in_the_receipt(
    make_order: MakeOrder,
    purse: Purse,
    ledger: Ledger,
    disk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of audio alone: its length, and the seed that was used; no other header."""
    with MusicService(form="brief") as gateway:
        monkeypatch.setenv("ELEVENLABS_API_KEY", gateway.key)
        order = make_order(api_form="brief", seed=4711, base_url=gateway.url)
        assert isinstance(run(order, purse, tmp_path / "first"), Take)
    (receipt,) = ledger.receipts()
    assert receipt.facts == (("seed", "4711"), ("duration-seconds", "8.000000"))
    body = disk / receipt.key / "answer-1" / "body"
    assert body.read_bytes() == gateway.last_answer


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


@pytest.mark.parametrize("name", ["429-retry-after-date", "429-reset"])
def test_a_moment_that_the_service_names_is_waited_for(
    name: str, make_order: MakeOrder, service: MusicService, purse: Purse, tmp_path: Path
) -> None:
    """It is two whole seconds ahead, less what is cut off of the second that runs."""
    service.will(name)
    assert isinstance(run(make_order(), purse, tmp_path / "first"), Take)
    first, second = service.requests
    assert second.at_s - first.at_s >= 0.95


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


@pytest.mark.parametrize(
    ("name", "told", "fate"),
    [
        ("reset-after-body", "was lost and may have been billed", Fate.LOST),
        ("html-200", "is no music", Fate.UNUSABLE),
    ],
)
def test_what_only_buying_again_buys_is_said_before(
    name: str,
    told: str,
    fate: Fate,
    make_order: MakeOrder,
    service: MusicService,
    purse: Purse,
    tmp_path: Path,
) -> None:
    service.will(name)
    run(make_order(), purse, tmp_path / "first")
    said = announcement("elevenlabs", make_order(), purse, chosen=True)
    assert f"the answer to 1 of 1 request {told}" in said
    assert "only --buy-again buys it again for about 0.08 USD, nothing is sent" in said
    assert "the take is in the ledger" not in said
    provider = ElevenLabsProvider()
    assert fates(provider, make_order(), purse) == (fate,)
    assert to_pay(provider, make_order(), purse).requests == 0
    again = replace(purse, buy_again=True)
    assert fates(provider, make_order(), again) == (Fate.TO_BUY,)
    assert to_pay(provider, make_order(), again).requests == 1


def test_the_fate_of_each_part_is_its_own(
    make_order: MakeOrder, service: MusicService, purse: Purse, tmp_path: Path
) -> None:
    """The first is kept, one of the others unusable, one to buy: files and price of that one."""
    order, provider = make_order(each=1), ElevenLabsProvider()
    service.will("ok", "html-200", "402")
    run(order, purse, tmp_path / "first")
    first, *rest = fates(provider, order, purse)
    assert (first, sorted(rest)) == (Fate.KEPT, [Fate.TO_BUY, Fate.UNUSABLE])
    said = announcement("elevenlabs", order, purse, chosen=True)
    assert "1 request, 1 file," in said
    assert "the answer to 1 of 3 requests is no music" in said


def test_what_a_dead_run_has_sent_is_lost(
    make_order: MakeOrder,
    service: MusicService,
    purse: Purse,
    ledger: Ledger,
    disk: Path,
    tmp_path: Path,
) -> None:
    run(make_order(), purse, tmp_path / "first")
    (receipt,) = disk.glob("*/receipt.json")
    told = json.loads(receipt.read_bytes())
    told["attempts"][0]["state"] = "sent"
    receipt.write_text(json.dumps(told))
    shutil.rmtree(receipt.parent / "answer-1")
    assert fates(ElevenLabsProvider(), make_order(), purse) == (Fate.LOST,)
    with ledger.open(receipt.parent.name) as entry:
        receipt.write_text(json.dumps(told))
        # As long as that run is alive, its answer is waited for: it is not in the ledger yet.
        assert fates(ElevenLabsProvider(), make_order(), purse) == (Fate.COMING,)
        said = announcement("elevenlabs", make_order(), purse, chosen=True)
        assert "another run has asked for the take and is waited for" in said
        assert "only --buy-again" in said
        assert "in the ledger" not in said
        entry.settle()


def test_a_lost_part_is_found_before_another_is_sent(
    make_order: MakeOrder,
    service: MusicService,
    purse: Purse,
    ledger: Ledger,
    disk: Path,
    tmp_path: Path,
) -> None:
    keys = keys_of(ElevenLabsProvider(), make_order(each=1))
    service.will("ok", "ok", "ok")
    run(make_order(each=1), purse, tmp_path / "first")
    before = len(service.requests)
    ledger.forget(keys[0])
    receipt = disk / keys[2] / "receipt.json"
    told = json.loads(receipt.read_bytes())
    told["attempts"][0]["state"] = "sent"
    receipt.write_text(json.dumps(told))
    shutil.rmtree(disk / keys[2] / "answer-1")
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
    disk: Path,
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


def test_no_room_for_the_answer_is_said_before_anything_is_sent(
    make_order: MakeOrder,
    service: MusicService,
    purse: Purse,
    ledger: Ledger,
    disk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The disk is a stand-in, as above: 8 s of the largest answer are 1.6 MB."""
    free = SimpleNamespace(total=10**12, used=10**12 - 1_500_000, free=1_500_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    outcome = run(make_order(), purse, tmp_path / "first")
    assert type(outcome) is WorkspaceError
    assert "1.6 MB are needed" in outcome.message
    assert not service.requests
    assert not ledger.receipts()
    free.free = 1_700_000
    assert isinstance(run(make_order(), purse, tmp_path / "second"), Take)
    free.free = 0
    # What is kept needs no more room.
    assert isinstance(run(make_order(), purse, tmp_path / "third"), Take)


@pytest.mark.skipif(os.name != "posix", reason="folders are synced on POSIX only")
def test_what_is_written_is_on_the_disk_before_the_next_step(
    make_order: MakeOrder,
    service: MusicService,
    purse: Purse,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The receipt before the first byte of the body leaves, the answer before it is unpacked."""
    happened: list[bytes | str] = []
    sync, read = os.fsync, Wire.read

    def synced(handle: int) -> None:
        sync(handle)
        folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        happened.append("folder" if folder else os.pread(handle, 1 << 20, 0))

    def arriving(wire: Wire, most: int) -> bytes:
        piece = read(wire, most)
        happened.append("body arrives")
        return piece

    def unpacking(*args: Any, **kwargs: Any) -> Any:
        happened.append("unpacked")
        return unpack(*args, **kwargs)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Wire, "read", arriving)
    monkeypatch.setattr(counter, "unpack", unpacking)
    assert isinstance(run(make_order(), purse, tmp_path / "first"), Take)
    arrived, unpacked = happened.index("body arrives"), happened.index("unpacked")
    states = [_state_in(one) for one in happened]
    assert states.index("planned") < states.index("sent") < arrived
    # The name of the receipt lasts too, not only what is in it.
    assert "folder" in happened[states.index("sent") : arrived]
    body = happened.index(service.last_answer)
    assert body < states.index("answered") < unpacked
    assert happened[body + 1 : states.index("answered")].count("folder") >= 2
    assert "kept" in states[unpacked:]


def _state_in(content: bytes | str) -> str | None:
    """The state of the receipt that was written, if it is one."""
    try:
        return str(json.loads(content)["attempts"][0]["state"])
    except (ValueError, KeyError, TypeError):
        return None


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
    make_order: MakeOrder,
    service: MusicService,
    purse: Purse,
    ledger: Ledger,
    disk: Path,
    tmp_path: Path,
) -> None:
    assert isinstance(run(make_order(), purse, tmp_path / "first"), Take)
    (receipt,) = disk.glob("*/receipt.json")
    receipt.write_text("{")
    outcome = run(make_order(), purse, tmp_path / "second")
    assert isinstance(outcome, ScorebedError)
    assert outcome.exit_code == 6
    assert "cannot be read" in outcome.message
    assert service.purchases == 1


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="root may write anywhere")
def test_a_ledger_that_cannot_be_written_stops_before_sending(
    make_order: MakeOrder, service: MusicService, purse: Purse, disk: Path, tmp_path: Path
) -> None:
    disk.mkdir(mode=0o500)
    outcome = run(make_order(), purse, tmp_path / "first")
    assert isinstance(outcome, ScorebedError)
    assert outcome.exit_code == 6
    assert not service.requests
