"""Notes: what a person wrote of scenes, silences and hit points takes the place of what was found.

All of it is exact: a time means the shot, cut or hit point that was found within half a millisecond
of it, else the nearest frame, else (where the frame rate varies) itself.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from scorebed.errors import SettingsError
from scorebed.model import HitPoint, Scene, TimeRange, cues_of
from scorebed.timecode import to_stamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scorebed.model import Notes, Picture, SpottingNotes

STAGE = "notes"
LEAST_CUE_S = Fraction(1)
"""Shorter music is a noise: it would fade out before it has faded in."""
_SAME_S = Fraction(1, 2000)


def obey(spotted: SpottingNotes, notes: Notes, picture: Picture) -> SpottingNotes:
    """The spotting notes as the user wants them; unchanged notes give what was found.

    Args:
        spotted: What was found.
        notes: What the user made of it.
        picture: What it is about.

    Raises:
        SettingsError: If two scenes or hit points fall on one frame, a hit point is taken away that
            is not there, a piece of music is too short, or none is left.
    """
    grid = Grid(spotted, picture)
    scenes = spotted.scenes if not notes.scenes else _scenes(spotted, notes, grid)
    hits = _hits(spotted, scenes, notes, grid)
    cues = cues_of(_with_music(spotted, scenes, notes, grid), hits)
    return replace(spotted, scenes=scenes, hit_points=tuple(hits), cues=cues)


class Grid:
    """The moments that a written time can mean."""

    def __init__(self, spotted: SpottingNotes, picture: Picture) -> None:
        spans = [shot.range for shot in spotted.shots]
        spans += [scene.range for scene in spotted.scenes]
        spans += [cue.range for cue in spotted.cues]
        known = {Fraction(0), spotted.duration_s}
        known |= {at_s for span in spans for at_s in (span.start_s, span.end_s)}
        known |= {hit.at_s for hit in spotted.hit_points}
        self._known = sorted(known)
        self._last = picture.frame_count - 1
        rate = picture.frame_rate
        # Where the nominal rate is not what the frames keep to, there is no telling where they are.
        steady = abs(picture.frame_count / rate - picture.duration_s) <= 1 / rate
        self._rate = rate if steady and not picture.variable_rate else None

    def at(self, time_s: Fraction) -> Fraction:
        """Where something begins that was written so."""
        known_s = self._found(time_s)
        if known_s is not None or self._rate is None:
            return time_s if known_s is None else known_s
        number = math.floor(time_s * self._rate + Fraction(1, 2))
        frame_s = min(number, self._last) / self._rate
        known_s = self._found(frame_s)
        return frame_s if known_s is None else known_s

    def end(self, time_s: Fraction) -> Fraction:
        """Where something ends that was written so: at a frame, or with the picture."""
        if self._rate is not None and time_s * self._rate >= self._last + Fraction(1, 2):
            return self._known[-1]
        return min(self.at(time_s), self._known[-1])

    def _found(self, time_s: Fraction) -> Fraction | None:
        after = bisect_left(self._known, time_s)
        near = self._known[max(after - 1, 0) : after + 1]
        best_s = min(near, key=lambda known_s: abs(known_s - time_s))
        return best_s if abs(best_s - time_s) <= _SAME_S else None


# --- scenes ------------------------------------------------------------------------------------


def _scenes(spotted: SpottingNotes, notes: Notes, grid: Grid) -> tuple[Scene, ...]:
    starts_s = [grid.at(scene.start_s) for scene in notes.scenes]
    if starts_s[0] != 0:
        raise SettingsError(
            f"{notes.scenes[0].where}: the first scene starts at {to_stamp(starts_s[0])}, and "
            "nothing says what is before it",
            remedy='Write start = "00:00:00.000", or put a [[scene]] that starts there before it.',
        )
    for (before_s, after_s), note in zip(pairwise(starts_s), notes.scenes[1:], strict=True):
        if after_s <= before_s:
            raise SettingsError(
                f"{note.where} starts on the same frame as the one before it ({to_stamp(after_s)})",
                remedy="Move its start, or remove one of the two tables.",
            )
    found = {scene.range: scene for scene in spotted.scenes}
    scenes = []
    for note, (start_s, end_s) in zip(
        notes.scenes, pairwise([*starts_s, spotted.duration_s]), strict=True
    ):
        span = TimeRange.between(start_s, end_s)
        # Measured anew only where it has changed: what depends on it is then kept.
        scene = found.get(span) or _measured(spotted, span)
        scenes.append(replace(scene, name=note.name, brief=note.brief))
    return tuple(scenes)


def _measured(spotted: SpottingNotes, span: TimeRange) -> Scene:
    """Motion and light from the curve; colour from the found scenes, by how much they share."""
    curve = spotted.curve
    last = len(curve.motion) - 1
    first = min(int(span.start_s / curve.hop_s), last)
    part = slice(first, max(first + 1, int(span.end_s / curve.hop_s)))
    shared = [scene.range.common(span) for scene in spotted.scenes]
    shares = [0.0 if one is None else float(one.duration_s) for one in shared]
    saturations = [scene.saturation for scene in spotted.scenes]
    warmths = [scene.warmth for scene in spotted.scenes]
    return Scene(
        range=span,
        shots=sum(shot.range.common(span) is not None for shot in spotted.shots),
        motion=round(float(np.mean(curve.motion[part])), 4),
        brightness=round(float(np.mean(curve.brightness[part])), 4),
        saturation=round(float(np.average(saturations, weights=shares)), 4),
        warmth=round(float(np.average(warmths, weights=shares)), 4),
    )


# --- hit points --------------------------------------------------------------------------------


def _hits(
    spotted: SpottingNotes, scenes: Sequence[Scene], notes: Notes, grid: Grid
) -> list[HitPoint]:
    """The found ones, moved with the scenes; then the user's, each in place of one found there."""
    hits = _found_hits(spotted, scenes)
    said: dict[Fraction, str] = {}
    for note in notes.hits:
        at_s = grid.at(note.at_s)
        if at_s in said:
            raise SettingsError(
                f"{note.where} is on the same frame as {said[at_s]} ({to_stamp(at_s)})",
                remedy="Remove one of the two.",
            )
        said[at_s] = note.where.rpartition(": ")[2]
        if note.weight > 0:
            hits[at_s] = HitPoint(at_s=at_s, label=note.label, weight=note.weight)
        elif hits.pop(at_s, None) is None:
            raise SettingsError(
                f"{note.where} takes away the hit point at {to_stamp(at_s)}, where none was found"
                + _nearest(hits, at_s),
                remedy="Give the very time of the one that the music should not meet.",
            )
    return [hits[at_s] for at_s in sorted(hits)]


def _nearest(hits: Iterable[Fraction], at_s: Fraction) -> str:
    near_s = min(hits, key=lambda one_s: abs(one_s - at_s), default=None)
    return "" if near_s is None else f" (the nearest is at {to_stamp(near_s)})"


def _found_hits(spotted: SpottingNotes, scenes: Sequence[Scene]) -> dict[Fraction, HitPoint]:
    sure = {shot.range.start_s: shot.confidence for shot in spotted.shots}
    openings = {scene.range.start_s for scene in scenes}
    hits = {hit.at_s: hit for hit in spotted.hit_points}
    for at_s, hit in list(hits.items()):
        if hit.label == "scene" and at_s not in openings:
            hits[at_s] = HitPoint.of_cut(at_s, sure.get(at_s, 1.0))
    for at_s in openings:
        if at_s not in hits or hits[at_s].label != "scene":
            hits[at_s] = HitPoint.of_scene(at_s)
    return hits


# --- music -------------------------------------------------------------------------------------


def _with_music(
    spotted: SpottingNotes, scenes: Sequence[Scene], notes: Notes, grid: Grid
) -> tuple[TimeRange, ...]:
    """What the silent scenes and ranges leave."""
    spans = spotted.whole.without(_silent(scenes, notes, grid))
    if not spans:
        raise SettingsError(
            f"{STAGE}: {notes.name} leaves no music at all: every scene has music = false, or lies "
            "in a [[silence]]",
            remedy="Write music = true in at least one [[scene]].",
        )
    for span in spans:
        if span.duration_s < min(LEAST_CUE_S, spotted.duration_s):
            raise SettingsError(
                f"{STAGE}: {notes.name} leaves music from {to_stamp(span.start_s)} to "
                f"{to_stamp(span.end_s)} only, {float(span.duration_s):.3f} s between silences",
                remedy=f"Join the silences, or leave at least {LEAST_CUE_S} s between them.",
            )
    return spans


def _silent(scenes: Sequence[Scene], notes: Notes, grid: Grid) -> list[TimeRange]:
    silent = [
        scene.range
        for scene, note in zip(scenes, notes.scenes, strict=bool(notes.scenes))
        if not note.music
    ]
    for note in notes.silences:
        one = TimeRange.between(grid.at(note.start_s), grid.end(note.end_s))
        if one.duration_s <= 0:
            raise SettingsError(
                f"{note.where} holds no frame ({to_stamp(one.start_s)})",
                remedy="Give an end that is at least a frame after its start, or remove it.",
            )
        silent.append(one)
    return silent
