"""What a file's music is like, and what a file that failed has cost."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from scorebed.batching.items import MusicFigures
from scorebed.batching.record import sums
from scorebed.dsp.beats import PULSE, track_beats
from scorebed.dsp.loudness import Meter
from scorebed.dsp.tonality import ToneFollower
from scorebed.errors import ScorebedError, WorkspaceError
from scorebed.journal import note
from scorebed.ledger import Ledger
from scorebed.media import identify
from scorebed.model import FREE, Quote, Tell, no_words
from scorebed.stages.probe import look
from scorebed.stages.purchase import brief_words
from scorebed.wav import read_stem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorebed.batching.items import Item
    from scorebed.model import Audio
    from scorebed.result import Result

_PATIENCE_S = 2.0
"""How long a ledger's server is asked for figures of a file that has failed already."""


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


def lost_money(item: Item, since: str, tell: Tell = no_words) -> Quote:
    """What a file that failed has cost all the same: what the ledger has of its picture and wish.

    Two files of a batch may have one picture: of what is asked with another seed, prompt or style
    it is the other's. A ledger that cannot be read is told of: why the file failed is worth more
    than the figure.

    Args:
        item: The file.
        since: When it was begun: ISO 8601, UTC.
        tell: Told if it cannot be read; the figure is that of nothing then.
    """
    want = item.job.settings
    if want.service is None:
        return FREE
    try:
        picture = look(identify(item.job.video)).packets_sha256
    except ScorebedError:
        # What cannot be read was never sent.
        return FREE
    try:
        receipts = Ledger(want.purse.ledger, patience_s=_PATIENCE_S).receipts()
    except WorkspaceError as error:
        words = f"what it cost could not be read: {error.message}"
        note(logging.WARNING, words)
        tell(words)
        return FREE
    wished = set(brief_words(want.brief))
    paid = [
        Quote(requests=1, seconds=one.length_s, amount=attempt.amount, currency=one.currency)
        for one in receipts
        if one.provider == want.provider and one.picture_sha256 == picture
        if wished <= set(one.asked)
        for attempt in one.attempts
        if attempt.changed >= since and attempt.begun and attempt.state.may_be_billed
    ]
    return next(iter(sums(paid)), FREE)


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
