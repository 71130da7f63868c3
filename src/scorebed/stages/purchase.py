"""Buying a take: written down before, asked for once, kept for ever.

A purchase is keyed by what was asked. What is in the ledger already is taken from there; the rest
is asked for in one request after the other or side by side, as the account allows.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from scorebed.ledger import Ledger, Receipt, State, key_of, reserve
from scorebed.model import Quote, Take, TakePiece, TimeRange, Upload
from scorebed.stages.counter import Bought, Counter, Part, lost_before
from scorebed.stages.reference import with_reference

if TYPE_CHECKING:
    from pathlib import Path

    from scorebed.model import Order, Progress, Purse, Reel
    from scorebed.providers.base import Service

STAGE = "compose"
_ODD_COVER = 0.1
_ANSWER_BYTES_PER_S = 60_000
"""Room on the ledger's disk for an answer: 320 kbit/s and half as much again."""


def keys_of(service: Service, order: Order) -> tuple[str, ...]:
    """The ledger's keys of all requests of an order, in order.

    Args:
        service: Who is asked.
        order: What is wanted; proxies need not have been made.
    """
    keys: list[str] = []
    carries_on = service.limits(order.service).reference
    for part in order.parts:
        asked = [*_brief_words(order), *service.asked(part)]
        if keys and carries_on:
            asked.append(("continues", keys[0]))
        reels = [reel.range for reel in part.reels]
        keys.append(key_of(service.name, order.picture_sha256, reels, asked))
    return tuple(keys)


def bought(service: Service, order: Order, purse: Purse) -> tuple[bool, ...]:
    """Per request of an order: whether its answer is in the ledger.

    Args:
        service: Who is asked.
        order: What is wanted; proxies need not have been made.
        purse: The ledger.
    """
    states = {one.key: one.state for one in Ledger(purse.ledger).receipts()}
    return tuple(states.get(key) in {State.KEPT, State.ANSWERED} for key in keys_of(service, order))


def to_pay(service: Service, order: Order, purse: Purse) -> Quote:
    """What is left to pay for an order: nothing for what the ledger holds.

    Args:
        service: Who is asked.
        order: What is wanted; proxies need not have been made.
        purse: The ledger.
    """
    missing = [
        part.range.duration_s
        for part, there in zip(order.parts, bought(service, order, purse), strict=True)
        if not there
    ]
    whole = service.quote(order)
    share = float(sum(missing) / order.reels.duration_s)
    return replace(
        whole,
        requests=len(missing),
        seconds=whole.seconds * share,
        amount=whole.amount * share,
    )


def buy(service: Service, order: Order, purse: Purse, *, folder: Path, progress: Progress) -> Take:
    """The take for an order, from the ledger or from the service.

    Args:
        service: Who is asked.
        order: What is wanted.
        purse: What may be spent, and the ledger.
        folder: Where the music is written.
        progress: Called with the share that is done.

    Raises:
        ProviderError: One of its kinds. Whatever was bought is in the ledger.
        WorkspaceError: If the ledger cannot be used.
    """
    assert order.service is not None
    service.check(order.brief, order.service)
    service.check_key(order.service)
    ledger = Ledger(purse.ledger)
    ledger.prepare()
    parts = _parts(service, order, purse)
    ledger.require_room(int(order.reels.duration_s * _ANSWER_BYTES_PER_S))
    with ExitStack() as stack:
        wanted = _wanted(ledger, parts, purse)
        if wanted:
            stack.enter_context(reserve(ledger, purse, wanted, parts[0].receipt.currency))
        counter = Counter(service, ledger, order, purse, folder)
        # The first one alone where the others are to go on in its style.
        alone = 1 if service.limits(order.service).reference else len(parts)
        served = counter.serve(parts[:alone], lambda share: progress(share * alone / len(parts)))
        if parts[alone:]:
            music = served[0].unpacked.music[0].path
            rest = [_continued(part, music, folder) for part in parts[alone:]]
            done = alone / len(parts)
            served += counter.serve(rest, lambda share: progress(done + (1 - done) * share))
    return _take(service, order, served)


def _parts(service: Service, order: Order, purse: Purse) -> list[Part]:
    whole = service.quote(order)
    seconds = float(order.reels.duration_s)
    found = []
    for part, key in zip(order.parts, keys_of(service, order), strict=True):
        length = float(part.range.duration_s)
        receipt = Receipt(
            key=key,
            state=State.PLANNED,
            provider=service.name,
            title=purse.title,
            part=part.number,
            asked=(*_brief_words(order), *service.asked(part)),
            files=_uploads(part.reels),
            seconds=length,
            amount=whole.amount * length / seconds,
            currency=whole.currency,
            purse=purse.name,
            made="",
            changed="",
        )
        found.append(Part(order=part, key=key, receipt=receipt))
    return found


def _brief_words(order: Order) -> tuple[tuple[str, str], ...]:
    """What the user wished, in words that the next release understands too."""
    brief = order.brief
    return (
        ("prompt", brief.prompt),
        ("tags", "\n".join(brief.tags)),
        ("style", "\n".join((brief.style.name, brief.style.description, *brief.style.words))),
        ("guidance", f"{brief.guidance:g}"),
        ("seed", str(brief.seed)),
    )


def _uploads(reels: tuple[Reel, ...]) -> tuple[Upload, ...]:
    return tuple(
        Upload(
            name=f"scene-{number:02d}.mp4",
            sha256=reel.proxy.sha256,
            size_bytes=reel.proxy.path.stat().st_size,
            width_px=reel.width_px,
            height_px=reel.height_px,
            audio=reel.audio,
        )
        for number, reel in enumerate(reels, start=1)
        if reel.proxy is not None
    )


def _wanted(ledger: Ledger, parts: list[Part], purse: Purse) -> dict[str, float]:
    """Prices of what has to be bought."""
    receipts = {one.key: one for one in ledger.receipts()}
    wanted = {}
    for part in parts:
        known = receipts.get(part.key)
        state = known.state if known else State.PLANNED
        if state in {State.KEPT, State.SENT, State.ANSWERED}:
            continue
        if state is State.UNKNOWN and not purse.buy_again:
            raise lost_before(part.key, known)
        wanted[part.key] = part.receipt.amount
    return wanted


def _continued(part: Part, music: Path, folder: Path) -> Part:
    """A later part whose proxies carry the music of the first."""
    place = folder / f"part-{part.order.number}-proxies"
    place.mkdir()
    reels = with_reference(part.order.reels, music, folder=place)
    return Part(
        order=replace(part.order, reels=reels),
        key=part.key,
        receipt=replace(part.receipt, files=_uploads(reels)),
    )


def _take(service: Service, order: Order, bought: list[Bought]) -> Take:
    paid = [one for one in bought if one.paid]
    return Take(
        provider=service.name,
        name=f"{service.name} {order.brief.style.name}, seed {order.brief.seed}",
        seed=order.brief.seed,
        pieces=tuple(piece for one in bought for piece in _pieces(one)),
        fitted=False,
        unused_words=(),
        spent=Quote(
            requests=len(paid),
            seconds=sum(one.part.receipt.seconds for one in paid),
            amount=sum(one.paid for one in paid),
            currency=bought[0].part.receipt.currency,
        ),
        receipts=tuple(one.part.key for one in bought),
        uploads=tuple(upload for one in bought for upload in one.uploads),
        originals=tuple(original for one in bought for original in one.unpacked.originals),
        warnings=tuple(warning for one in bought for warning in _odd_lengths(one)),
    )


def _pieces(one: Bought) -> list[TakePiece]:
    music, order = one.unpacked.music, one.part.order
    if len(music) == 1:
        return [TakePiece(audio=music[0], range=order.range)]
    return [
        TakePiece(audio=audio, range=reel.range)
        for audio, reel in zip(music, order.reels, strict=True)
    ]


def _odd_lengths(one: Bought) -> list[str]:
    ranges: list[TimeRange] = [piece.range for piece in _pieces(one)]
    found = []
    for span, music_s in zip(ranges, one.unpacked.durations_s, strict=True):
        if abs(music_s - span.duration_s) > _ODD_COVER * float(span.duration_s):
            found.append(
                f"the service's music is {float(music_s):.1f} s long, "
                f"{float(span.duration_s):.1f} s were asked for"
            )
    return found
