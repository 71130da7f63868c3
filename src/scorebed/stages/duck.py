"""Duck: where and how far the music steps down under speech, as data.

Per stretch of speech the depth follows from measured loudness: speech over music has to reach the
wanted margin over the stretch as a whole and in every 3 s window of it. The music is down before
the first word and stays down to the last, so that the depth is the margin gained, to the decibel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from scorebed.dsp.envelope import Stretch, duck_curve, flat_curve
from scorebed.dsp.gain import curve_db
from scorebed.dsp.loudness import POWER_HOP_SAMPLES, PowerFollower
from scorebed.dsp.margin import Margin, speech_margin
from scorebed.model import Ducked, PhraseMargin, TimeRange
from scorebed.timecode import SAMPLE_RATE_HZ, to_samples, to_seconds
from scorebed.wav import read_stem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scorebed.model import (
        DuckSettings,
        GainCurve,
        Levelled,
        Progress,
        SpeechRegion,
        SpottingNotes,
        Stem,
    )

VERSION: Final = 1
_SETTLING_SAMPLES: Final = SAMPLE_RATE_HZ
"""The K-weighting starts a second early, so that it has settled at the first word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """Power of speech and music in the part of the programme that holds all speech."""

    start_samples: int
    """Position of the first hop on the picture's time line."""
    speech: NDArray[np.float64]
    """Production audio, K-weighted power per 10 ms."""
    music: NDArray[np.float64]
    """Music, likewise."""
    spoken: NDArray[np.bool_]
    """In which hops somebody speaks."""

    def ducked(self, curve: GainCurve) -> NDArray[np.float64]:
        """Power of the music under the curve."""
        centres = np.arange(len(self.music)) * POWER_HOP_SAMPLES + POWER_HOP_SAMPLES // 2
        gains_db = curve_db(curve, self.start_samples + centres)
        return np.asarray(self.music * 10.0 ** (gains_db / 10.0))

    def margin(self, span: tuple[int, int], music: NDArray[np.float64]) -> Margin:
        """Margin of a stretch, with the music as it was or ducked."""
        hops = _hops(span, self.start_samples)
        return speech_margin(self.speech[hops], music[hops], self.spoken[hops])


def duck(
    levelled: Levelled,
    notes: SpottingNotes,
    settings: DuckSettings,
    *,
    folder: Path,  # noqa: ARG001 - every stage is called alike; this one writes nothing
    progress: Progress,
) -> Ducked:
    """Computes the gain curve of the music.

    Phrases with pauses shorter than ``hold_ms`` are one stretch with one depth: what the margin
    lacks, at most ``max_depth_db``. Pauses in which the music can come fully up, stay a moment and
    go down again are followed, shorter ones are not.

    Args:
        levelled: Music and production audio at the loudness they are mixed at.
        notes: For the phrases of speech.
        settings: Wanted margin and shape.
        folder: Not used.
        progress: Called with the share that is done.
    """
    mx, dx = levelled.mx, levelled.dx
    spans = [] if dx is None else _spans(notes.speech, settings)
    if dx is None or not spans:
        progress(1.0)
        return Ducked(curve=flat_curve(mx.start_samples), phrases=())
    measured = _measure(dx, mx, spans, notes.speech, progress)
    depths_db = [_depth_db(measured.margin(span, measured.music), settings) for span in spans]
    curve = duck_curve(
        [
            Stretch(start_samples=span[0], end_samples=span[1], depth_db=depth_db)
            for span, depth_db in zip(spans, depths_db, strict=True)
        ],
        settings,
        start_samples=mx.start_samples,
        end_samples=mx.end_samples,
    )
    ducked = measured.ducked(curve)
    phrases = tuple(
        _phrase(span, depth_db, measured.margin(span, ducked))
        for span, depth_db in zip(spans, depths_db, strict=True)
    )
    progress(1.0)
    return Ducked(curve=curve, phrases=phrases)


def _phrase(span: tuple[int, int], depth_db: float, margin: Margin) -> PhraseMargin:
    return PhraseMargin(
        range=TimeRange.between(to_seconds(span[0]), to_seconds(span[1])),
        depth_db=depth_db,
        margin_lu=margin.overall_lu,
        least_lu=margin.least_lu,
    )


def _spans(speech: Sequence[SpeechRegion], settings: DuckSettings) -> list[tuple[int, int]]:
    """Start and end, in samples, of stretches: phrases with pauses shorter than the hold."""
    hold_samples = round(settings.hold_ms * SAMPLE_RATE_HZ / 1000.0)
    spans: list[tuple[int, int]] = []
    for region in speech:
        first, last = to_samples(region.range.start_s), to_samples(region.range.end_s)
        if spans and first - spans[-1][1] < hold_samples:
            spans[-1] = (spans[-1][0], last)
        else:
            spans.append((first, last))
    return spans


def _depth_db(margin: Margin, settings: DuckSettings) -> float:
    """What the worse of both margins lacks, in dB; nothing where one side is silent."""
    known_lu = [lu for lu in (margin.overall_lu, margin.least_lu) if lu is not None]
    if not settings.enabled or not known_lu:
        return 0.0
    return float(np.clip(settings.speech_margin_lu - min(known_lu), 0.0, settings.max_depth_db))


def _hops(span: tuple[int, int], start_samples: int) -> slice:
    """The hops of a power series that a stretch touches."""
    first = (span[0] - start_samples) // POWER_HOP_SAMPLES
    return slice(first, -(-(span[1] - start_samples) // POWER_HOP_SAMPLES))


def _measure(
    dx: Stem,
    mx: Stem,
    spans: Sequence[tuple[int, int]],
    speech: Sequence[SpeechRegion],
    progress: Progress,
) -> _Measured:
    start_samples = spans[0][0] - _SETTLING_SAMPLES
    length_samples = spans[-1][1] - start_samples + POWER_HOP_SAMPLES
    followers = [PowerFollower(stem.channels) for stem in (dx, mx)]
    blocks = zip(
        *(
            read_stem(stem, start_samples=start_samples, length_samples=length_samples)
            for stem in (dx, mx)
        ),
        strict=True,
    )
    done = 0
    for pair in blocks:
        for follower, block in zip(followers, pair, strict=True):
            follower.add(block)
        done += len(pair[0])
        progress(done / length_samples)
    speech_powers, music_powers = (follower.powers for follower in followers)
    spoken = np.zeros(len(speech_powers), dtype=np.bool_)
    for region in speech:
        span = to_samples(region.range.start_s), to_samples(region.range.end_s)
        spoken[_hops(span, start_samples)] = True
    return _Measured(
        start_samples=start_samples, speech=speech_powers, music=music_powers, spoken=spoken
    )
