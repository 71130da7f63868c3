"""What a file's music is like, and what a file that failed has cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorebed.batching.items import MusicFigures
from scorebed.batching.record import sums
from scorebed.dsp.beats import PULSE, track_beats
from scorebed.dsp.loudness import Meter
from scorebed.dsp.tonality import ToneFollower
from scorebed.errors import ScorebedError
from scorebed.ledger import Ledger
from scorebed.media import identify
from scorebed.model import FREE, Quote
from scorebed.stages.probe import look
from scorebed.wav import read_stem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorebed.batching.items import Item
    from scorebed.model import Audio
    from scorebed.result import Result


def figures_of(result: Result) -> MusicFigures:
    """Key and tempo as the music's maker says, else as they are heard; loudness and colour heard.

    Args:
        result: A finished score.
    """
    mx, take = result.conformed.mx, result.take
    meter, tones = Meter(mx.channels, true_peak=False), ToneFollower()

    def heard() -> Iterator[Audio]:
        for block in read_stem(
            mx, start_samples=mx.start_samples, length_samples=mx.length_samples
        ):
            meter.add(block)
            tones.add(block)
            yield block

    tempo_bpm = take.tempo_bpm
    if tempo_bpm is None:
        beats = track_beats(heard(), mx.channels)
        tempo_bpm = beats.tempo_bpm if beats.confidence >= PULSE else None
    else:
        for _ in heard():
            pass
    tones.end()
    key = None if tones.key is None else tones.key.name
    return MusicFigures(
        key=take.key or key,
        tempo_bpm=_round(tempo_bpm, 1),
        integrated_lufs=_round(meter.loudness().integrated_lufs, 2),
        brightness_hz=_round(tones.brightness_hz or None, 1),
    )


def lost_money(item: Item, since: str) -> Quote:
    """What a file that failed has cost all the same: what the ledger has of its picture.

    Args:
        item: The file.
        since: When it was begun: ISO 8601, UTC.
    """
    want = item.job.settings
    if want.service is None:
        return FREE
    try:
        picture = look(identify(item.job.video)).packets_sha256
    except ScorebedError:
        # What cannot be read was never sent.
        return FREE
    paid = [
        Quote(requests=1, seconds=one.length_s, amount=attempt.amount, currency=one.currency)
        for one in Ledger(want.purse.ledger).receipts()
        if one.picture_sha256 == picture
        for attempt in one.attempts
        if attempt.changed >= since and attempt.begun and attempt.state.may_be_billed
    ]
    return next(iter(sums(paid)), FREE)


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
