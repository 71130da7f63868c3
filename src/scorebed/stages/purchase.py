"""Buying a take: written down before, asked for once, kept for ever.

A purchase is keyed by what was asked. What is in the ledger already is taken from there; the rest
is asked for in one request after the other or side by side, as the account allows.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate
from typing import TYPE_CHECKING

from scorebed.answers import decode_piece
from scorebed.ledger import Ledger, Receipt, key_of, reserve
from scorebed.model import Quote, Take, TakePiece, Upload, no_words
from scorebed.stages.counter import Bought, Counter, Part, has_to_ask
from scorebed.stages.reference import with_reference
from scorebed.wav import wav_writer

if TYPE_CHECKING:
    from pathlib import Path

    from scorebed.model import Artifact, Brief, Order, PartOrder, Progress, Purse, Tell
    from scorebed.providers.base import Service
    from scorebed.style import Style

STAGE = "compose"
_ODD_COVER = 0.1
_SHORT_S = Fraction(1, 2)
"""Codecs and round figures take less from the length of music."""
_ANSWER_BYTES_PER_S = 200_000
"""Room on the ledger's disk for an answer: 16 bit, stereo, 48 kHz, the largest that may come."""

_PATIENCE_S = 120.0
"""How long the ledger's server is asked again that does not answer, while there is money in it."""


def keys_of(service: Service, order: Order) -> tuple[str, ...]:
    """The ledger's keys of all requests of an order, in order.

    Args:
        service: Who is asked.
        order: What is wanted; proxies need not have been made.
    """
    keys: list[str] = []
    carries_on = service.limits(order.service).reference
    reference = _reference(service, order)
    for part in order.parts:
        asked = [*_asked(service, part)]
        if reference is not None:
            asked.append(("continues", reference.sha256))
        elif keys and carries_on:
            asked.append(("continues", keys[0]))
        reels = [reel.range for reel in part.reels]
        keys.append(key_of(service.name, order.picture_sha256, reels, asked))
    return tuple(keys)


def buy(
    service: Service,
    order: Order,
    purse: Purse,
    *,
    folder: Path,
    progress: Progress,
    tell: Tell = no_words,
) -> Take:
    """The take for an order, from the ledger or from the service.

    Args:
        service: Who is asked.
        order: What is wanted.
        purse: What may be spent, and the ledger.
        folder: Where the music is written.
        progress: Called with the share that is done.
        tell: Told, in a sentence, what is waited for.

    Raises:
        ProviderError: One of its kinds. Whatever was bought is in the ledger.
        WorkspaceError: If the ledger cannot be used.
    """
    assert order.service is not None
    service.check(order.brief, order.service)
    ledger = Ledger(purse.ledger, tell, _PATIENCE_S)
    ledger.prepare()
    parts = _parts(service, order, purse)
    wanted = _wanted(ledger, parts, purse)
    if wanted:
        service.check_key(order.service)
        tracks = 3 if order.service.separate_tracks else 1
        length_s = sum(part.receipt.length_s for part in parts if part.key in wanted)
        ledger.require_room(int(length_s * _ANSWER_BYTES_PER_S * tracks))
    with reserve(ledger, purse, parts[0].receipt.currency) as reservation:
        reservation.cover(wanted)
        counter = Counter(service, ledger, reservation, purse, folder, tell)
        reference = _reference(service, order)
        if reference is not None:
            parts = [_continued(part, reference.path, folder) for part in parts]
        # The first one alone where the others are to go on in its style.
        leads = reference is None and service.limits(order.service).reference
        alone = 1 if leads else len(parts)
        served = counter.serve(parts[:alone], lambda share: progress(share * alone / len(parts)))
        if parts[alone:]:
            music = _one_file(served[0], folder)
            rest = [_continued(part, music, folder) for part in parts[alone:]]
            done = alone / len(parts)
            served += counter.serve(rest, lambda share: progress(done + (1 - done) * share))
    return _take(service, order, served)


def _reference(service: Service, order: Order) -> Artifact | None:
    """Music of another film to go on in the style of, where the service can hear it."""
    return order.brief.reference if service.limits(order.service).reference else None


def _parts(service: Service, order: Order, purse: Purse) -> list[Part]:
    whole = service.quote(order)
    seconds = float(order.reels.duration_s)
    found = []
    for part, key in zip(order.parts, keys_of(service, order), strict=True):
        length_s = float(part.duration_s)
        receipt = Receipt(
            key=key,
            provider=service.name,
            title=purse.title,
            picture_sha256=order.picture_sha256,
            part=part.number,
            asked=_asked(service, part),
            length_s=length_s,
            currency=whole.currency,
        )
        found.append(
            Part(
                order=part,
                key=key,
                receipt=receipt,
                amount=whole.amount * length_s / seconds,
                uploads=_uploads(part),
            )
        )
    return found


def _one_file(first: Bought, folder: Path) -> Path:
    """The music of the first part in one file, also where it came scene by scene."""
    music = first.unpacked.music
    if len(music) == 1:
        return music[0].path
    joined = folder / "reference.wav"
    with wav_writer(joined, channels=2) as writer:
        for piece in music:
            for block in decode_piece(piece.path):
                writer.write(block)
    return joined


def brief_words(brief: Brief) -> tuple[tuple[str, str], ...]:
    """What the user wished, in words that the next release understands too: part of each receipt.

    Args:
        brief: Of the order.
    """
    return (
        ("prompt", brief.prompt),
        ("tags", "\n".join(brief.tags)),
        ("style", _style_words(brief.style)),
        ("guidance", f"{brief.guidance:g}"),
        ("seed", str(brief.seed)),
    )


def _asked(service: Service, part: PartOrder) -> tuple[tuple[str, str], ...]:
    """All that names the take of a part, beside its picture; what is not said is left out."""
    scenes = [
        (f"scene {float(scene.range.start_s):g}-{float(scene.range.end_s):g}", scene.brief.strip())
        for scene in part.order.notes.scenes
        if any(scene.range.common(stretch) for stretch in part.stretches)
    ]
    told = ((name, words) for name, words in scenes if words)
    heard = (("sound", part.order.sound_sha256),) if part.order.sound_sha256 else ()
    return (*brief_words(part.order.brief), *heard, *told, *service.asked(part))


def _style_words(style: Style) -> str:
    """All of a style that a service can be told; its reverberation is for our own composer."""
    told = [
        [style.name, style.description, *style.words],
        [style.tempo_bpm, style.beats_per_bar, style.swing, style.density, style.energy],
        [style.modes],
        [[part.role, part.patch, part.enters_at, part.leaves_at] for part in style.parts],
    ]
    return f"{style.name} {hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]}"


def _uploads(part: PartOrder) -> tuple[Upload, ...]:
    return tuple(
        Upload(
            name=name,
            sha256=reel.proxy.sha256,
            size_bytes=reel.proxy.path.stat().st_size,
            width_px=reel.width_px,
            height_px=reel.height_px,
            audio=reel.audio,
        )
        for name, reel in part.files
        if reel.proxy is not None
    )


def _wanted(ledger: Ledger, parts: list[Part], purse: Purse) -> dict[str, float]:
    """Prices of what has to be bought; refuses what was lost before anything is sent."""
    return {
        part.key: part.amount
        for part in parts
        if has_to_ask(ledger.receipt(part.key), again=purse.buy_again)
    }


def _continued(part: Part, music: Path, folder: Path) -> Part:
    """A later part whose proxies carry the music of the first."""
    place = folder / f"part-{part.order.number}-proxies"
    place.mkdir()
    reels = with_reference(part.order.reels, music, folder=place)
    order = replace(part.order, reels=reels)
    return replace(part, order=order, uploads=_uploads(order))


def _take(service: Service, order: Order, bought: list[Bought]) -> Take:
    asked = [one.part for one in bought if one.asked]
    return Take(
        provider=service.name,
        name=f"{service.name} {order.brief.style.name}, seed {order.brief.seed}",
        seed=order.brief.seed,
        pieces=tuple(piece for one in bought for piece in _pieces(one)),
        fitted=False,
        unused_words=(),
        spent=Quote(
            requests=len(asked),
            seconds=sum(part.receipt.length_s for part in asked),
            amount=sum(part.amount for part in asked),
            currency=bought[0].part.receipt.currency,
        ),
        receipts=tuple(one.part.key for one in bought),
        uploads=tuple(upload for one in bought for upload in one.uploads),
        originals=tuple(original for one in bought for original in one.unpacked.originals),
        warnings=(
            *(warning for one in bought for warning in one.expected.warnings),
            *(warning for one in bought for warning in _odd_lengths(one)),
            *_no_reference(order),
        ),
    )


def _pieces(one: Bought) -> list[TakePiece]:
    """The music of a part, laid on its stretches of picture."""
    music, order = one.unpacked.music, one.part.order
    if len(music) == 1:
        return _cut(music[0], one)
    return [
        TakePiece(audio=audio, range=reel.range)
        for audio, reel in zip(music, order.reels, strict=True)
    ]


def _cut(audio: Artifact, one: Bought) -> list[TakePiece]:
    """One piece of music for all stretches of a part, each with its own stretch of it.

    Where it came too short each stretch has its share of what there is.
    """
    stretches = one.part.order.stretches
    if len(stretches) == 1:
        return [TakePiece(audio=audio, range=stretches[0])]
    lengths = accumulate((span.duration_s for span in stretches[:-1]), initial=Fraction(0))
    starts_s = one.expected.starts_s or tuple(lengths)
    there_s = one.unpacked.durations_s[0]
    if there_s < one.expected.duration_s - _SHORT_S:
        starts_s = tuple(start_s * there_s / one.expected.duration_s for start_s in starts_s)
    ends_s = (*starts_s[1:], None)
    return [
        TakePiece(
            audio=audio,
            range=span,
            start_s=start_s,
            music_s=None if end_s is None else end_s - start_s,
        )
        for span, start_s, end_s in zip(stretches, starts_s, ends_s, strict=True)
    ]


def _no_reference(order: Order) -> list[str]:
    wanted = order.service is not None and order.service.reference_audio
    if wanted and not order.sound_sha256:
        return ["there is no production audio to refer to: --reference-audio did nothing"]
    return []


def _odd_lengths(one: Bought) -> list[str]:
    order, found = one.part.order, []
    asked_s = [reel.range.duration_s for reel in order.reels]
    if len(one.unpacked.music) == 1:
        several = len(order.stretches) > 1
        asked_s = [one.expected.duration_s if several else order.duration_s]
    for wanted_s, music_s in zip(asked_s, one.unpacked.durations_s, strict=True):
        if abs(music_s - wanted_s) > _ODD_COVER * float(wanted_s):
            found.append(
                f"the service's music is {float(music_s):.1f} s long, "
                f"{float(wanted_s):.1f} s were asked for"
            )
    return found
