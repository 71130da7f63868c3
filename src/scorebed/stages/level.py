"""level: music and production audio brought to the loudness they are mixed at.

By static gain, which the stems carry. Only music that would pass the ceiling at its level is
written anew, with the gain in it and its peaks limited.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from scorebed.dsp.gain import MAX_STATIC_GAIN_DB
from scorebed.dsp.loudness import POWER_HOP_SAMPLES, Meter
from scorebed.dsp.margin import part_lufs
from scorebed.model import Levelled, Loudness, LoudnessTarget, no_progress
from scorebed.stages.limited import write_limited
from scorebed.timecode import to_samples
from scorebed.wav import read_stem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from scorebed.model import Audio, LevelSettings, Progress, SpeechRegion, SpottingNotes, Stem

VERSION: Final = 2
"""Part of the stage's key: raised when the same input would give another result."""


def level(
    mx: Stem,
    dx: Stem | None,
    notes: SpottingNotes,
    settings: LevelSettings,
    *,
    folder: Path,
    progress: Progress,
) -> Levelled:
    """Sets the static gains of music and production audio.

    The music is brought to ``music_lufs``. The production audio is brought to ``speech_lufs`` by
    the loudness of its speech alone, within ``max_production_gain_db``; without speech it keeps
    its place. What is silent or shorter than 400 ms gets no gain. Music whose true peak would be
    over the ceiling is limited.

    Args:
        mx: The music.
        dx: The production audio, or None.
        notes: For the phrases of speech.
        settings: Wanted loudness.
        folder: Where ``MX.wav`` is written, if it is limited.
        progress: Called with the share that is done.
    """
    share = 1.0 if dx is None else mx.length_samples / max(1, mx.length_samples + dx.length_samples)
    mx_loudness = _measure(mx, lambda done: progress(share * done))
    mx_gain_db = 0.0
    if mx_loudness.integrated_lufs is not None:
        mx_gain_db = settings.music_lufs - mx_loudness.integrated_lufs
        mx_gain_db = min(mx_gain_db, MAX_STATIC_GAIN_DB)
    mx, mx_loudness = _gained(mx, mx_gain_db), _raised(mx_loudness, mx_gain_db)
    peak_dbtp = mx_loudness.true_peak_dbtp
    if peak_dbtp is not None and peak_dbtp > settings.ceiling_dbtp:
        mx, mx_loudness = _limited(mx, settings, folder)
    dx_loudness, speech_lufs = None, None
    if dx is not None:
        dx_loudness, speech_lufs = _measure_speech(
            dx, notes.speech, lambda done: progress(share + (1.0 - share) * done)
        )
        dx_gain_db = 0.0
        if speech_lufs is not None:
            cap_db = settings.max_production_gain_db
            dx_gain_db = float(np.clip(settings.speech_lufs - speech_lufs, -cap_db, cap_db))
            speech_lufs += dx_gain_db
        dx, dx_loudness = _gained(dx, dx_gain_db), _raised(dx_loudness, dx_gain_db)
    progress(1.0)
    return Levelled(
        mx=mx,
        dx=dx,
        mx_loudness=mx_loudness,
        dx_loudness=dx_loudness,
        speech_lufs=speech_lufs,
    )


def _limited(mx: Stem, settings: LevelSettings, folder: Path) -> tuple[Stem, Loudness]:
    audio, loudness, _ = write_limited(
        folder / "MX.wav",
        lambda: _read(mx, no_progress),
        channels=mx.channels,
        length_samples=mx.length_samples,
        target=LoudnessTarget(
            integrated_lufs=settings.music_lufs, true_peak_dbtp=settings.ceiling_dbtp
        ),
        progress=no_progress,
    )
    return replace(mx, audio=audio, gain_db=0.0), loudness


def _gained(stem: Stem, gain_db: float) -> Stem:
    return replace(stem, gain_db=stem.gain_db + gain_db)


def _raised(loudness: Loudness, gain_db: float) -> Loudness:
    """The same figures after a static gain."""

    def raised(figure: float | None) -> float | None:
        return None if figure is None else figure + gain_db

    return Loudness(
        integrated_lufs=raised(loudness.integrated_lufs),
        true_peak_dbtp=raised(loudness.true_peak_dbtp),
        range_lu=loudness.range_lu,
        momentary_max_lufs=raised(loudness.momentary_max_lufs),
        short_term_max_lufs=raised(loudness.short_term_max_lufs),
    )


def _read(stem: Stem, progress: Progress) -> Iterator[Audio]:
    done = 0
    for block in read_stem(
        stem, start_samples=stem.start_samples, length_samples=stem.length_samples
    ):
        yield block
        done += len(block)
        progress(done / stem.length_samples)


def _measure(stem: Stem, progress: Progress) -> Loudness:
    meter = Meter(stem.channels)
    for block in _read(stem, progress):
        meter.add(block)
    return meter.loudness()


def _measure_speech(
    stem: Stem, speech: tuple[SpeechRegion, ...], progress: Progress
) -> tuple[Loudness, float | None]:
    """Loudness of the whole stem, and of its speech alone in LUFS."""
    meter = Meter(stem.channels)
    for block in _read(stem, progress):
        meter.add(block)
    powers = meter.powers
    spoken = _speech_hops(speech, stem.start_samples, len(powers))
    return meter.loudness(), part_lufs(powers[spoken])


def _speech_hops(
    speech: tuple[SpeechRegion, ...], start_samples: int, hops: int
) -> NDArray[np.bool_]:
    """Which hops of a power series that starts at ``start_samples`` lie in speech."""
    spoken = np.zeros(hops, dtype=np.bool_)
    for region in speech:
        first = to_samples(region.range.start_s) - start_samples
        last = to_samples(region.range.end_s) - start_samples
        spoken[max(0, first // POWER_HOP_SAMPLES) : max(0, -(-last // POWER_HOP_SAMPLES))] = True
    return spoken
