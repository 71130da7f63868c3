"""Shots, scenes and hit points out of what was seen of the picture."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from scorebed.dsp.scenes import group_shots
from scorebed.model import HitPoint, Scene, Shot, TimeRange, Transition
from scorebed.stages.spot_watch import HOP_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scorebed.dsp.gradual import Gradual
    from scorebed.stages.spot_watch import Watched

_AT_THE_EDGE_S = Fraction(2)
"""A fade from black that begins within so many seconds opens the picture, one to black that ends so
near to its end closes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How a shot comes up."""

    at_s: Fraction
    """Where it begins."""
    confidence: float
    """How sure it is."""
    transition: Transition | None = None
    """The gradual transition; None for a cut."""


def openings(
    watched: Watched, duration_s: Fraction
) -> tuple[tuple[Opening, ...], Transition | None]:
    """How every shot comes up, in order, the first at 0; and how the picture ends."""
    first = Opening(at_s=Fraction(0), confidence=1.0)
    ending: Transition | None = None
    found: list[Opening] = []
    for gradual in watched.gradual:
        transition = _transition(watched, gradual, duration_s)
        span = transition.range
        middle_s = watched.shown_s.nearest(gradual.middle_s)
        fades_in = gradual.kind == "fade" and gradual.middle_s <= gradual.start_s
        fades_out = gradual.kind == "fade" and gradual.middle_s >= gradual.end_s
        if fades_in and span.start_s <= _AT_THE_EDGE_S and not found:
            first = Opening(at_s=Fraction(0), confidence=1.0, transition=transition)
        elif fades_out and span.end_s >= duration_s - _AT_THE_EDGE_S:
            ending = transition
        elif 0 < middle_s < duration_s:
            found.append(
                Opening(at_s=middle_s, confidence=transition.confidence, transition=transition)
            )
    spans = [one.transition.range for one in [first, *found] if one.transition is not None]
    spans += [ending.range] if ending is not None else []
    for cut in watched.cuts:
        at_s = watched.times_s[cut.frame]
        if 0 < at_s < duration_s and not any(span.start_s <= at_s <= span.end_s for span in spans):
            found.append(Opening(at_s=at_s, confidence=round(cut.confidence, 4)))
    return (first, *sorted(found, key=lambda one: one.at_s)), ending


def _transition(watched: Watched, gradual: Gradual, duration_s: Fraction) -> Transition:
    start_s = watched.shown_s.nearest(gradual.start_s)
    end_s = min(max(watched.shown_s.nearest(gradual.end_s), start_s), duration_s)
    return Transition(
        kind=gradual.kind,
        range=TimeRange.between(start_s, end_s),
        confidence=gradual.confidence,
    )


def shots_of(opened: tuple[Opening, ...], duration_s: Fraction) -> tuple[Shot, ...]:
    """The shots; they tile the picture."""
    ends_s = [*(one.at_s for one in opened[1:]), duration_s]
    return tuple(
        Shot(
            range=TimeRange.between(one.at_s, end_s),
            confidence=one.confidence,
            transition=one.transition,
        )
        for one, end_s in zip(opened, ends_s, strict=True)
        if end_s > one.at_s
    )


def scenes_of(watched: Watched, shots: tuple[Shot, ...], max_scenes: int) -> tuple[Scene, ...]:
    """Shots that belong together; they tile the picture."""
    lengths_s = np.array([float(shot.range.duration_s) for shot in shots])
    features = np.stack([_looks(watched, shot.range) for shot in shots])
    firsts = group_shots(lengths_s, features, max_scenes=max_scenes)
    scenes = []
    for first, after in pairwise([*firsts, len(shots)]):
        span = TimeRange.between(shots[first].range.start_s, shots[after - 1].range.end_s)
        part = _hops(watched, span)
        scenes.append(
            Scene(
                range=span,
                shots=after - first,
                motion=round(float(watched.motion[part].mean()), 4),
                brightness=round(float(watched.brightness[part].mean()), 4),
                saturation=round(float(watched.saturation[part].mean()), 4),
                warmth=round(float(watched.warmth[part].mean()), 4),
            )
        )
    return tuple(scenes)


def _hops(watched: Watched, span: TimeRange) -> slice:
    """The hops that belong to a stretch alone, or the one in which it lies."""
    first = min(math.ceil(span.start_s / HOP_S), len(watched.motion) - 1)
    return slice(first, max(first + 1, int(span.end_s / HOP_S)))


def _looks(watched: Watched, span: TimeRange) -> NDArray[np.float64]:
    """What a shot looks like: histograms (square root: Hellinger distance), light and motion."""
    part = _hops(watched, span)
    histogram = np.sqrt(watched.histograms[part].mean(axis=0) / 3)
    rest = [watched.brightness[part].mean(), watched.motion[part].mean()]
    return np.concatenate([histogram, 0.5 * np.array(rest)])


def hit_points_of(
    watched: Watched, shots: tuple[Shot, ...], scenes: tuple[Scene, ...]
) -> tuple[HitPoint, ...]:
    """Scenes, cuts and strong motion onsets, in order, with their weights."""
    starts = {scene.range.start_s for scene in scenes}
    cuts = tuple(
        HitPoint.of_scene(at_s) if at_s in starts else HitPoint.of_cut(at_s, shot.confidence)
        for shot in shots
        for at_s in [shot.range.start_s]
    )
    return tuple(sorted((*cuts, *_onsets(watched, shots)), key=lambda hit: hit.at_s))


_ONSET_RISE = 0.25
"""Least rise of motion from the half second before to the half second after."""
_CALM = 0.4
"""Most motion before, as a share of what follows."""
_APART_S = 1.0
"""An onset stands that far from cuts and from other onsets."""


def _onsets(watched: Watched, shots: tuple[Shot, ...]) -> list[HitPoint]:
    """Where something starts to move in a calm shot."""
    motion = watched.frame_motion
    times_s = watched.times_s.approximate_s
    if len(times_s) < 2:  # noqa: PLR2004
        return []
    total = np.concatenate([[0.0], np.cumsum(motion)])
    before = np.searchsorted(times_s, times_s - 0.5)
    after = np.searchsorted(times_s, times_s + 0.5)
    at = np.arange(len(motion))
    calm = (total[at] - total[before]) / np.maximum(at - before, 1)
    busy = (total[after] - total[at]) / np.maximum(after - at, 1)
    rise = np.where((calm <= _CALM * busy) & (after - at > 1) & (at > before), busy - calm, 0)
    found: list[HitPoint] = []
    taken_s = [float(shot.range.start_s) for shot in shots]
    for place in np.argsort(-rise, kind="stable"):
        if rise[place] < _ONSET_RISE:
            break
        time_s = float(times_s[place])
        near = bisect_left(taken_s, time_s)
        if any(abs(time_s - taken) < _APART_S for taken in taken_s[max(near - 1, 0) : near + 1]):
            continue
        taken_s.insert(near, time_s)
        weight = round(0.4 * float(min(rise[place], 1.0)), 4)
        found.append(HitPoint(at_s=watched.times_s[int(place)], label="motion", weight=weight))
    return found
