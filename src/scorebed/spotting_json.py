"""What was found in a video as JSON: the schema is ``scorebed/schema/spotting-1.json``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scorebed.exporters.notes import has_music
from scorebed.result import speech_figures
from scorebed.result_streams import ratio, seconds

if TYPE_CHECKING:
    from scorebed.model import SpottingNotes, TimeRange, Transition
    from scorebed.spotting import Spotting

SCHEMA_VERSION = 1


def as_object(spotting: Spotting) -> dict[str, Any]:
    """What was found, in plain values; times in seconds from the first shown frame."""
    notes = spotting.notes
    return {
        "schema": SCHEMA_VERSION,
        "input": str(spotting.video),
        "duration_s": seconds(notes.duration_s),
        "frames": spotting.picture.frame_count,
        "frame_rate": ratio(notes.frame_rate),
        "variable_rate": spotting.picture.variable_rate,
        "sha256": spotting.picture.packets_sha256,
        "damaged_frames": notes.damaged_frames,
        "shots": _shots(notes),
        "transitions": _transitions(notes),
        "scenes": [
            {
                **_ends(scene.range),
                "shots": scene.shots,
                "name": scene.name,
                "brief": scene.brief,
                "music": has_music(scene, notes.cues),
                "motion": scene.motion,
                "brightness": scene.brightness,
                "saturation": scene.saturation,
                "warmth": scene.warmth,
            }
            for scene in notes.scenes
        ],
        "hit_points": [
            {"at_s": seconds(hit.at_s), "label": hit.label, "weight": hit.weight}
            for hit in notes.hit_points
        ],
        "speech": [speech_figures(region) for region in notes.speech],
        "existing_music": [speech_figures(region) for region in notes.existing_music],
        "cues": [{"number": cue.number, **_ends(cue.range)} for cue in notes.cues],
        "notes": None if spotting.output is None else str(spotting.output),
        "sheet": None if spotting.sheet is None else str(spotting.sheet),
        "stages": [
            {"name": run.name, "elapsed_s": run.elapsed_s, "cached": run.cached}
            for run in spotting.stages
        ],
    }


def _shots(notes: SpottingNotes) -> list[dict[str, Any]]:
    """A gradual transition lies between two shots: the gap of their times is its extent."""
    changes = [*(shot.transition for shot in notes.shots[1:]), notes.ending]
    shots = []
    for shot, change in zip(notes.shots, changes, strict=True):
        start_s = shot.range.start_s if shot.transition is None else shot.transition.range.end_s
        end_s = shot.range.end_s if change is None else change.range.start_s
        shots.append(
            {
                "start_s": seconds(start_s),
                "end_s": seconds(max(start_s, end_s)),
                "transition": shot.opened_by,
                "confidence": shot.confidence,
            }
        )
    return shots


def _transitions(notes: SpottingNotes) -> list[dict[str, Any]]:
    """Every change of shot, the first one only where it is gradual, and the fade at the end."""
    found = []
    for number, shot in enumerate(notes.shots):
        if shot.transition is not None:
            found.append(_transition(shot.transition))
        elif number:
            at_s = seconds(shot.range.start_s)
            found.append(
                {"kind": "cut", "start_s": at_s, "end_s": at_s, "confidence": shot.confidence}
            )
    return [*found, *([] if notes.ending is None else [_transition(notes.ending)])]


def _transition(change: Transition) -> dict[str, Any]:
    return {"kind": change.kind, **_ends(change.range), "confidence": change.confidence}


def _ends(span: TimeRange) -> dict[str, float]:
    return {"start_s": seconds(span.start_s), "end_s": seconds(span.end_s)}
