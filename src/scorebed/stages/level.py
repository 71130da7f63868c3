"""level: music and production audio brought to the loudness they are mixed at.

By static gain, which the stems carry. Only music that would pass the ceiling at its level is
written anew, with the gain in it and its peaks limited.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from scorebed.dsp.gain import MAX_STATIC_GAIN_DB, curve_gain
from scorebed.dsp.loudness import (
    GATING_STEP_HOPS,
    MOMENTARY_HOPS,
    POWER_HOP_SAMPLES,
    Meter,
    integrated_lufs,
    power_series,
    window_powers,
)
from scorebed.dsp.margin import part_lufs
from scorebed.model import GainCurve, Levelled, Loudness, LoudnessTarget, no_progress
from scorebed.stages.limited import write_limited
from scorebed.timecode import SAMPLE_RATE_HZ, to_samples
from scorebed.wav import read_stem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from scorebed.model import Audio, LevelSettings, Progress, SpeechRegion, SpottingNotes, Stem

VERSION: Final = 4
"""Part of the stage's key: raised when the same input would give another result."""
_GLIDE_SAMPLES: Final = SAMPLE_RATE_HZ // 2
"""From half a second before a scene's end to half a second after it the gain goes over."""
_MAX_EVENING_DB: Final = 12.0
"""A scene's music is moved by no more: what is quieter still is meant to be next to nothing."""
_FLOOR_PERCENTILE: Final = 10.0


def level(
    music: Stem | Levelled,
    dx: Stem | None,
    notes: SpottingNotes,
    settings: LevelSettings,
    *,
    folder: Path,
    progress: Progress,
) -> Levelled:
    """Sets the static gains of music and production audio.

    The music is brought to ``music_lufs``, its scenes nearer to each other as far as ``dynamics``
    keeps less than all of what lies between them. The production audio is brought to
    ``speech_lufs`` by the loudness of its speech alone, within ``max_production_gain_db``, or moved
    by ``production_gain_db``; without speech it keeps its place. What is silent or shorter than
    400 ms gets no gain. Music whose true peak would be over the ceiling is limited.

    Args:
        music: The music; or what this stage made of it for another audio stream, whose music is
            taken over as it is.
        dx: The production audio, or None.
        notes: For the phrases of speech.
        settings: Wanted loudness.
        folder: Where ``MX.wav`` is written, if it is limited.
        progress: Called with the share that is done.
    """
    if isinstance(music, Levelled):
        share = 0.0
        mx, mx_loudness, limited_db = music.mx, music.mx_loudness, music.mx_limited_db
    else:
        dx_samples = 0 if dx is None else dx.length_samples
        share = music.length_samples / max(1, music.length_samples + dx_samples)
        mx, mx_loudness, limited_db = _level_music(
            music, notes, settings, folder, lambda done: progress(share * done)
        )
    if dx is None:
        progress(1.0)
        return Levelled(
            mx=mx, dx=None, mx_loudness=mx_loudness, mx_limited_db=limited_db, speech_lufs=None
        )
    heard = _listen(dx, notes.speech, lambda done: progress(share + (1.0 - share) * done))
    gain_db = settings.production_gain_db
    if gain_db is None:
        cap_db = settings.max_production_gain_db
        missing_db = 0.0 if heard.speech_lufs is None else settings.speech_lufs - heard.speech_lufs
        gain_db = float(np.clip(missing_db, -cap_db, cap_db))
    progress(1.0)
    return Levelled(
        mx=mx,
        dx=_gained(dx, gain_db),
        mx_loudness=mx_loudness,
        mx_limited_db=limited_db,
        speech_lufs=_plus(heard.speech_lufs, gain_db),
        noise_floor_lufs=_plus(heard.noise_floor_lufs, gain_db),
    )


# --- music -------------------------------------------------------------------------------------


def _level_music(
    mx: Stem, notes: SpottingNotes, settings: LevelSettings, folder: Path, progress: Progress
) -> tuple[Stem, Loudness, float]:
    meter = Meter(mx.channels)
    for block in _read(mx, progress):
        meter.add(block)
    loudness = meter.loudness()
    curve = _evened(mx, meter.powers, notes, settings.dynamics)
    gain_db = 0.0
    if loudness.integrated_lufs is not None:
        gain_db = min(settings.music_lufs - loudness.integrated_lufs, MAX_STATIC_GAIN_DB)
    raised = _raised(loudness, gain_db)
    peak_dbtp = raised.true_peak_dbtp
    if curve is None and (peak_dbtp is None or peak_dbtp <= settings.ceiling_dbtp):
        return _gained(mx, gain_db), raised, 0.0
    audio, loudness, delivery = write_limited(
        folder / "MX.wav",
        lambda: _curved(_gained(mx, gain_db), curve),
        channels=mx.channels,
        length_samples=mx.length_samples,
        target=LoudnessTarget(
            integrated_lufs=settings.music_lufs,
            true_peak_dbtp=settings.ceiling_dbtp,
            max_limiting_db=settings.max_limiting_db,
        ),
        progress=no_progress,
    )
    return replace(mx, audio=audio, gain_db=0.0), loudness, delivery.deepest_db


def _evened(
    mx: Stem, powers: NDArray[np.float64], notes: SpottingNotes, dynamics: float
) -> GainCurve | None:
    """The gain that brings the scenes' music nearer to each other; None where nothing moves.

    Each scene moves towards the loudness of the whole by the share that is not kept. From scene to
    scene the gain glides; in a scene it stands still.
    """
    whole_lufs = integrated_lufs(powers)
    if dynamics == 1.0 or whole_lufs is None:
        return None
    at_samples: list[int] = []
    gains_db: list[float] = []
    for scene in notes.scenes:
        first, last = to_samples(scene.range.start_s), to_samples(scene.range.end_s)
        hops = slice(
            max(0, (first - mx.start_samples) // POWER_HOP_SAMPLES),
            max(0, (last - mx.start_samples) // POWER_HOP_SAMPLES),
        )
        scene_lufs = part_lufs(powers[hops])
        if scene_lufs is None:
            continue
        gain_db = (1.0 - dynamics) * (whole_lufs - scene_lufs)
        glide = min(_GLIDE_SAMPLES, (last - first) // 4)
        at_samples += [first + glide, last - glide]
        gains_db += [float(np.clip(gain_db, -_MAX_EVENING_DB, _MAX_EVENING_DB))] * 2
    if len(at_samples) <= 2:  # noqa: PLR2004 - one scene has nothing to be even with
        return None
    return GainCurve(at_samples=tuple(at_samples), gains_db=tuple(gains_db))


def _curved(stem: Stem, curve: GainCurve | None) -> Iterator[Audio]:
    at_samples = stem.start_samples
    for block in _read(stem, no_progress):
        if curve is None:
            yield block
        else:
            yield block * curve_gain(curve, at_samples, len(block))[:, np.newaxis]
        at_samples += len(block)


def _gained(stem: Stem, gain_db: float) -> Stem:
    return replace(stem, gain_db=stem.gain_db + gain_db)


def _plus(loudness: float | None, gain_db: float) -> float | None:
    return None if loudness is None else loudness + gain_db


def _raised(loudness: Loudness, gain_db: float) -> Loudness:
    """The same figures after a static gain."""
    return Loudness(
        integrated_lufs=_plus(loudness.integrated_lufs, gain_db),
        true_peak_dbtp=_plus(loudness.true_peak_dbtp, gain_db),
        range_lu=loudness.range_lu,
        momentary_max_lufs=_plus(loudness.momentary_max_lufs, gain_db),
        short_term_max_lufs=_plus(loudness.short_term_max_lufs, gain_db),
    )


def _read(stem: Stem, progress: Progress) -> Iterator[Audio]:
    done = 0
    for block in read_stem(
        stem, start_samples=stem.start_samples, length_samples=stem.length_samples
    ):
        yield block
        done += len(block)
        progress(done / stem.length_samples)


# --- production audio --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    """The production audio before its gain."""

    speech_lufs: float | None
    """Loudness of its speech alone."""
    noise_floor_lufs: float | None
    """Of its quietest moments."""


def _listen(stem: Stem, speech: tuple[SpeechRegion, ...], progress: Progress) -> _Heard:
    powers = power_series(_read(stem, progress), stem.channels)
    spoken = _speech_hops(speech, stem.start_samples, len(powers))
    quiet = window_powers(powers, MOMENTARY_HOPS, GATING_STEP_HOPS)
    quiet = quiet[window_powers(spoken.astype(np.float64), MOMENTARY_HOPS, GATING_STEP_HOPS) == 0]
    floor = float(np.percentile(quiet, _FLOOR_PERCENTILE)) if len(quiet) else 0.0
    return _Heard(
        speech_lufs=part_lufs(powers[spoken]),
        noise_floor_lufs=part_lufs(np.full(1, floor)),
    )


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
