"""What a run did, as one JSON object: the schema is ``scorebed/schema/result-1.json``."""

from __future__ import annotations

import dataclasses
import json
import statistics
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from scorebed.model import (
    Conformed,
    DeliveredSound,
    Ducked,
    DuckSettings,
    GainCurve,
    Join,
    Levelled,
    Loudness,
    Mixed,
    PhraseMargin,
    Picture,
    Programme,
    ScoredVideo,
    SoundKind,
    SpeechRegion,
    SpottingNotes,
    StageRun,
    StemFile,
    StreamFate,
    Take,
    TimeRange,
)
from scorebed.settings import Settings
from scorebed.timecode import to_clock

SCHEMA_VERSION = 1
SCHEMA_PATH = Path(__file__).parent / "schema" / "result-1.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A finished score: what was delivered, and every stage's own result."""

    video: Path
    """The input."""
    output: Path
    """The scored video."""
    settings: Settings
    picture: Picture
    notes: SpottingNotes
    take: Take
    conformed: Conformed
    programmes: tuple[Programme, ...]
    """What became of each audio stream that was scored, the leading one first."""
    scored: ScoredVideo
    stages: tuple[StageRun, ...]
    stems: tuple[StemFile, ...] = ()
    """Stems that were written, if they were asked for."""

    @property
    def levelled(self) -> Levelled:
        """Of the leading programme."""
        return self.programmes[0].levelled

    @property
    def ducked(self) -> Ducked:
        """Of the leading programme."""
        return self.programmes[0].ducked

    @property
    def mixed(self) -> Mixed:
        """The leading programme."""
        return self.programmes[0].mixed

    @property
    def speech(self) -> tuple[SpeechRegion, ...]:
        """Of the leading programme."""
        return self.programmes[0].production.speech

    def figures(self, programme: Programme) -> DuckFigures:
        """What ducking reached in a programme."""
        return duck_figures(programme.ducked, self.settings.duck.speech_margin_lu)

    def programme_of(self, sound: DeliveredSound) -> Programme | None:
        """What an audio stream of the output was made from; None for what is no programme."""
        if sound.kind is not SoundKind.PROGRAMME:
            return None
        return next(one for one in self.programmes if one.production.index == sound.source)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know though the run succeeded."""
        return tuple(_warnings(self))

    def to_json(self) -> str:
        """The result as one line of JSON (ASCII)."""
        return json.dumps(_as_object(self))


def _as_object(result: Result) -> dict[str, Any]:
    picture = result.picture
    return {
        "schema": SCHEMA_VERSION,
        "input": str(result.video),
        "output": str(result.output),
        "picture": {
            "duration_s": _seconds(picture.duration_s),
            "frames": picture.frame_count,
            "frame_rate": f"{picture.frame_rate.numerator}/{picture.frame_rate.denominator}",
            "sha256": result.scored.picture_sha256,
        },
        "scenes": [_range(scene.range) for scene in result.notes.scenes],
        "speech": [_range(region.range) for region in result.speech],
        "music": {
            "provider": result.take.provider,
            "seed": result.take.seed,
            "take": result.take.name,
            "integrated_lufs": _round(result.levelled.mx_loudness.integrated_lufs),
            "true_peak_dbtp": _round(result.levelled.mx_loudness.true_peak_dbtp),
            "fallback_from": result.take.fallback_from,
            "joins": [_join(join) for join in result.conformed.joins],
        },
        "production": _production(result),
        "duck": _duck(result, result.programmes[0]),
        "programme": _loudness(result.scored.loudness),
        "audio": [_sound(result, sound) for sound in result.scored.sounds],
        "stems": [_stem(stem) for stem in result.stems],
        "streams": {
            "kept": [_fate(fate) for fate in result.scored.kept],
            "dropped": [_fate(fate) | {"why": fate.why} for fate in result.scored.dropped],
        },
        "stages": [_stage(run) for run in result.stages if run.stream is None],
        "receipts": list(result.take.receipts),
        "uploads": [dataclasses.asdict(upload) for upload in result.take.uploads],
        "spent": {
            "requests": result.take.spent.requests,
            "seconds": round(result.take.spent.seconds, 3),
            "amount": round(result.take.spent.amount, 4),
            "currency": result.take.spent.currency,
        },
        "warnings": list(result.warnings),
    }


def _sound(result: Result, sound: DeliveredSound) -> dict[str, Any]:
    """An audio stream of the output; what only a programme has is null in the others."""
    told: dict[str, Any] = {
        "index": sound.index,
        "source": sound.source,
        "kind": sound.kind.value,
        "codec": sound.codec,
        "channels": sound.channels,
        "language": sound.language,
        "title": sound.title,
        "default": sound.default,
        "loudness": sound.loudness and _loudness(sound.loudness),
        "production_gain_db": None,
        "duck": None,
        "speech": None,
        "stages": [
            _stage(run)
            for run in result.stages
            if sound.kind is SoundKind.PROGRAMME and run.stream is not None
            if run.stream == sound.source
        ],
    }
    programme = result.programme_of(sound)
    if programme is None:
        return told
    dx = programme.levelled.dx
    return told | {
        "production_gain_db": None if dx is None else _round(dx.gain_db),
        "duck": _duck(result, programme),
        "speech": [_range(region.range) for region in programme.production.speech],
    }


def _stage(run: StageRun) -> dict[str, Any]:
    return {"name": run.name, "elapsed_s": run.elapsed_s, "cached": run.cached}


@dataclass(frozen=True, slots=True, kw_only=True)
class DuckFigures:
    """What ducking reached, over all phrases."""

    wanted_lu: float
    """Speech margin that was asked for, in LU."""
    least_lu: float | None
    """Lowest margin in any 3 s of speech, in LU; None where nobody speaks."""
    median_lu: float | None
    """Median of the phrases, in LU; None where nobody speaks."""
    deepest_db: float
    """Deepest duck, as a positive number of dB."""


def duck_figures(ducked: Ducked, wanted_lu: float) -> DuckFigures:
    """Sums up the phrases.

    Args:
        ducked: The gain curve and what it reached.
        wanted_lu: The margin that was asked for, in LU.
    """
    margins = [phrase.margin_lu for phrase in ducked.phrases if phrase.margin_lu is not None]
    least = [phrase.least_lu for phrase in ducked.phrases if phrase.least_lu is not None]
    deepest = max((phrase.depth_db for phrase in ducked.phrases), default=0.0)
    return DuckFigures(
        wanted_lu=wanted_lu,
        least_lu=_round(min(least)) if least else None,
        median_lu=_round(statistics.median(margins)) if margins else None,
        deepest_db=round(deepest, 2),
    )


def curve_points(curve: GainCurve) -> list[dict[str, float]]:
    """The points of a gain curve in seconds and dB, as they are written."""
    return [
        {"time_s": _seconds(time_s), "gain_db": round(gain_db, 4)}
        for time_s, gain_db in zip(curve.times_s, curve.gains_db, strict=True)
    ]


def _range(span: TimeRange) -> dict[str, float]:
    return {"start_s": _seconds(span.start_s), "end_s": _seconds(span.end_s)}


def _production(result: Result) -> dict[str, float | None] | None:
    levelled = result.levelled
    if levelled.dx is None:
        return None
    return {
        "gain_db": _round(levelled.dx.gain_db),
        "speech_lufs": _round(levelled.speech_lufs),
        "noise_floor_lufs": _round(levelled.noise_floor_lufs),
    }


def _duck(result: Result, programme: Programme) -> dict[str, Any]:
    ducked = programme.ducked
    return dataclasses.asdict(result.figures(programme)) | {
        "curve": curve_points(ducked.curve),
        "phrases": [_phrase(phrase) for phrase in ducked.phrases],
    }


def _phrase(phrase: PhraseMargin) -> dict[str, Any]:
    return _range(phrase.range) | {
        "depth_db": _round(phrase.depth_db),
        "speech_lufs": _round(phrase.speech_lufs),
        "margin_lu": _round(phrase.margin_lu),
        "least_lu": _round(phrase.least_lu),
        "background_lufs": _round(phrase.background_lufs),
    }


def _join(join: Join) -> dict[str, Any]:
    return {
        "at_s": _seconds(join.at_s),
        "kind": join.kind,
        "loudness_step_lu": _round(join.loudness_step_lu),
        "spectral_step_db": _round(join.spectral_step_db),
    }


def _seconds(time_s: Fraction) -> float:
    return round(float(time_s), 6)


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _loudness(loudness: Loudness) -> dict[str, float | None]:
    return {
        "integrated_lufs": _round(loudness.integrated_lufs),
        "true_peak_dbtp": _round(loudness.true_peak_dbtp),
        "range_lu": _round(loudness.range_lu),
        "momentary_max_lufs": _round(loudness.momentary_max_lufs),
        "short_term_max_lufs": _round(loudness.short_term_max_lufs),
    }


def _stem(stem: StemFile) -> dict[str, Any]:
    return {
        "name": stem.name,
        "sample_format": stem.sample_format,
        "time_reference_samples": stem.time_reference_samples,
    } | _loudness(stem.loudness)


def _fate(fate: StreamFate) -> dict[str, Any]:
    return {"index": fate.index, "kind": fate.kind.value, "codec": fate.codec}


# --- warnings ----------------------------------------------------------------------------------

_OFF_TARGET_LU = 0.5
_CLOSE_LU = 0.5
_RAISED_DB = 3.0
_NOISY_LUFS = -50.0
"""A noise floor that is heard in a pause: 36 LU under the usual programme."""


def _warnings(result: Result) -> list[str]:
    found = [
        f"stream {fate.index} ({fate.kind}, {fate.codec}) was dropped: {fate.why}"
        for fate in result.scored.dropped
    ]
    damaged = result.notes.damaged_frames
    if damaged:
        found.append(f"{damaged} of {result.picture.frame_count} frames are damaged in the input")
    others = [
        str(sound.source) for sound in result.scored.sounds if sound.kind is SoundKind.UNTOUCHED
    ]
    if others:
        found.append(f"kept as it was, without the music: audio stream {', '.join(others)}")
    if result.take.fallback_from is not None:
        found.append(f"{result.take.provider} music, because {result.take.fallback_from}")
    found += result.take.warnings
    found += [_join_warning(join) for join in result.conformed.joins if join.rough]
    if result.conformed.passes > 1:
        found.append(f"the music was too short and is played {result.conformed.passes} times")
    found += [
        f"{stem.name} passes full scale, and so is 32-bit float, not 24-bit"
        for stem in result.stems
        if stem.sample_format == "float32"
    ]
    if result.take.unused_words:
        found.append(f"the composer could not use: {', '.join(result.take.unused_words)}")
    for sound in result.scored.sounds:
        programme = result.programme_of(sound)
        if programme is not None:
            of = "" if len(result.programmes) == 1 else f"audio stream {sound.source}: "
            found += [of + warning for warning in _loudness_warnings(result, programme, sound)]
    return found


def _join_warning(join: Join) -> str:
    return (
        f"where two pieces of music meet, at {float(join.at_s):.1f} s, the loudness steps by "
        f"{join.loudness_step_lu or 0.0:.1f} LU and the spectrum by "
        f"{join.spectral_step_db or 0.0:.1f} dB"
    )


def _loudness_warnings(result: Result, programme: Programme, sound: DeliveredSound) -> list[str]:
    found = []
    assert sound.loudness is not None
    reached = sound.loudness.integrated_lufs
    wanted = result.settings.target.integrated_lufs
    if reached is None:
        found.append("the programme is silent or too short to have a loudness")
    elif abs(reached - wanted) > _OFF_TARGET_LU:
        found.append(f"the programme is at {reached:.1f} LUFS, not at {wanted:.1f}")
    peak = sound.loudness.true_peak_dbtp
    ceiling = result.settings.target.true_peak_dbtp
    if peak is not None and peak > ceiling:
        found.append(f"the true peak is {peak:.2f} dBTP, over the ceiling of {ceiling:.1f}")
    found += _production_warnings(result, programme)
    return found + _margin_warnings(programme.ducked, result.settings.duck)


def _production_warnings(result: Result, programme: Programme) -> list[str]:
    levelled, settings = programme.levelled, result.settings.level
    if levelled.dx is None:
        return []
    found = []
    gain_db, speech_lufs = levelled.dx.gain_db, levelled.speech_lufs
    off_lu = 0.0 if speech_lufs is None else speech_lufs - settings.speech_lufs
    if settings.production_gain_db is None and abs(off_lu) > _OFF_TARGET_LU:
        found.append(
            f"speech is at {speech_lufs:.1f} LUFS, not at {settings.speech_lufs:g}: the production "
            f"audio is moved by {settings.max_production_gain_db:g} dB at most"
        )
    floor_lufs = levelled.noise_floor_lufs
    if gain_db > _RAISED_DB and floor_lufs is not None and floor_lufs > _NOISY_LUFS:
        found.append(
            f"the production audio was raised by {gain_db:.1f} dB, its noise floor to "
            f"{floor_lufs:.1f} LUFS"
        )
    return found


def _margin_warnings(ducked: Ducked, settings: DuckSettings) -> list[str]:
    found = []
    wanted_lu = settings.speech_margin_lu
    least = duck_figures(ducked, wanted_lu).least_lu
    if least is not None and least < wanted_lu - _CLOSE_LU:
        capped = f", ducked by {settings.max_depth_db:g} dB or down to the floor"
        found.append(
            f"somewhere speech is only {least:.1f} LU over the music, not {wanted_lu:g}"
            + (capped if settings.enabled else "")
        )
    over_lu = {
        phrase.speech_lufs - phrase.background_lufs: phrase.range.start_s
        for phrase in ducked.phrases
        if phrase.speech_lufs is not None and phrase.background_lufs is not None
    }
    least = min(over_lu, default=settings.floor_lu)
    if least < settings.floor_lu:
        found.append(
            f"the production audio has a background of its own: at {to_clock(over_lu[least])} "
            f"speech is only {least:.1f} LU over it, whatever the music does"
        )
    return found
