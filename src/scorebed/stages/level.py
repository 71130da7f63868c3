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
from scorebed.stages.powers import (
    first_hop_of,
    measure_powers,
    read_from_hop,
    spoken_hops,
    write_powers,
)
from scorebed.timecode import SAMPLE_RATE_HZ, to_samples
from scorebed.wav import read_stem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from scorebed.model import (
        Audio,
        LevelSettings,
        PowerSeries,
        Progress,
        SpeechRegion,
        SpottingNotes,
        Stem,
    )

VERSION: Final = 5
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
        notes: For the cues, the scenes and the phrases of speech.
        settings: Wanted loudness.
        folder: Where ``MX.wav`` is written, if it is limited.
        progress: Called with the share that is done.
    """
    if isinstance(music, Levelled):
        share, levelled = 0.0, music
    else:
        dx_samples = 0 if dx is None else dx.length_samples
        share = music.length_samples / max(1, music.length_samples + dx_samples)
        levelled = _level_music(music, notes, settings, folder, lambda done: progress(share * done))
    if dx is None:
        progress(1.0)
        return levelled
    powers = power_series(
        read_from_hop(dx, lambda done: progress(share + (1.0 - share) * done)), dx.channels
    )
    heard = _heard(powers, notes.speech, first_hop_of(dx))
    gain_db = settings.production_gain_db
    if gain_db is None:
        cap_db = settings.max_production_gain_db
        missing_db = 0.0 if heard.speech_lufs is None else settings.speech_lufs - heard.speech_lufs
        gain_db = float(np.clip(missing_db, -cap_db, cap_db))
    progress(1.0)
    return replace(
        levelled,
        dx=_gained(dx, gain_db),
        dx_powers=_written(folder / "DX.npy", powers, gain_db, dx),
        speech_lufs=_plus(heard.speech_lufs, gain_db),
        noise_floor_lufs=_plus(heard.noise_floor_lufs, gain_db),
    )


# --- music -------------------------------------------------------------------------------------


def _level_music(
    mx: Stem, notes: SpottingNotes, settings: LevelSettings, folder: Path, progress: Progress
) -> Levelled:
    meter = Meter(mx.channels)
    for block in read_from_hop(mx, progress):
        meter.add(block)
    loudness = meter.loudness()
    curve = _evened(mx, meter.powers, notes, settings.dynamics)
    gain_db = 0.0
    if loudness.integrated_lufs is not None:
        gain_db = min(settings.music_lufs - loudness.integrated_lufs, MAX_STATIC_GAIN_DB)
    raised = _raised(loudness, gain_db)
    peak_dbtp = raised.true_peak_dbtp
    powers_path = folder / "MX.npy"
    levelled = Levelled(
        mx=_gained(mx, gain_db),
        mx_loudness=raised,
        mx_powers=_written(powers_path, meter.powers, gain_db, mx),
        dx=None,
        dx_powers=None,
        speech_lufs=None,
    )
    if curve is None and (peak_dbtp is None or peak_dbtp <= settings.ceiling_dbtp):
        return levelled
    audio, loudness, delivery = write_limited(
        folder / "MX.wav",
        lambda: _curved(levelled.mx, curve),
        channels=mx.channels,
        length_samples=mx.length_samples,
        target=LoudnessTarget(
            integrated_lufs=settings.music_lufs,
            true_peak_dbtp=settings.ceiling_dbtp,
            max_limiting_db=settings.max_limiting_db,
        ),
        progress=no_progress,
    )
    limited = replace(mx, audio=audio, gain_db=0.0)
    return replace(
        levelled,
        mx=limited,
        mx_loudness=loudness,
        mx_powers=measure_powers(limited, powers_path, no_progress),
        mx_limited_db=delivery.deepest_db,
    )


def _evened(
    mx: Stem, powers: NDArray[np.float64], notes: SpottingNotes, dynamics: float
) -> GainCurve | None:
    """The gain that brings the scenes' music nearer to each other; None where nothing moves.

    Each scene moves towards the loudness of the whole by the share that is not kept. From scene to
    scene the gain glides; in a scene it stands still. Of a scene only what is in a cue counts.
    """
    whole_lufs = integrated_lufs(powers)
    if dynamics == 1.0 or whole_lufs is None:
        return None
    at_samples: list[int] = []
    gains_db: list[float] = []
    heard = [
        common
        for scene in notes.scenes
        for cue in notes.music
        if (common := scene.range.common(cue)) is not None
    ]
    for span in heard:
        first, last = to_samples(span.start_s), to_samples(span.end_s)
        hops = slice(
            max(0, first // POWER_HOP_SAMPLES - first_hop_of(mx)),
            max(0, last // POWER_HOP_SAMPLES - first_hop_of(mx)),
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
    for block in read_stem(
        stem, start_samples=stem.start_samples, length_samples=stem.length_samples
    ):
        if curve is None:
            yield block
        else:
            yield block * curve_gain(curve, at_samples, len(block))[:, np.newaxis]
        at_samples += len(block)


def _written(path: Path, powers: NDArray[np.float64], gain_db: float, stem: Stem) -> PowerSeries:
    """The series of a stem after a static gain."""
    return write_powers(path, powers * 10.0 ** (gain_db / 10.0), first_hop_of(stem))


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


# --- production audio --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    """The production audio before its gain."""

    speech_lufs: float | None
    """Loudness of its speech alone."""
    noise_floor_lufs: float | None
    """Of its quietest moments."""


def _heard(powers: NDArray[np.float64], speech: tuple[SpeechRegion, ...], first_hop: int) -> _Heard:
    spoken = spoken_hops(speech, first_hop, len(powers))
    quiet = window_powers(powers, MOMENTARY_HOPS, GATING_STEP_HOPS)
    quiet = quiet[window_powers(spoken.astype(np.float64), MOMENTARY_HOPS, GATING_STEP_HOPS) == 0]
    floor = float(np.percentile(quiet, _FLOOR_PERCENTILE)) if len(quiet) else 0.0
    return _Heard(
        speech_lufs=part_lufs(powers[spoken]),
        noise_floor_lufs=part_lufs(np.full(1, floor)),
    )
