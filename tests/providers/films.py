"""Films as a service is asked for them: scenes, and nothing that bears on no request."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from scorebed.model import (
    PictureCurve,
    Scene,
    Shot,
    SpeechRegion,
    SpottingNotes,
    TimeRange,
    cues_of,
)


def spans_of(marks_s: Sequence[int | Fraction]) -> tuple[TimeRange, ...]:
    """The ranges between moments in seconds."""
    return tuple(TimeRange.between(Fraction(a), Fraction(b)) for a, b in pairwise(marks_s))


def film_of(
    scenes: Sequence[Scene],
    *,
    shots: Sequence[Shot] = (),
    speech: tuple[int, int],
    curve: PictureCurve,
    cues: Sequence[TimeRange] = (),
) -> SpottingNotes:
    """A film at 25 frames per second: a shot for each scene and one cue, if none are given."""
    whole = TimeRange.between(Fraction(0), scenes[-1].range.end_s)
    return SpottingNotes(
        duration_s=whole.duration_s,
        frame_rate=Fraction(25),
        shots=tuple(shots) or tuple(Shot(range=one.range, confidence=1.0) for one in scenes),
        scenes=tuple(scenes),
        speech=(SpeechRegion(range=TimeRange.between(*map(Fraction, speech)), confidence=0.9),),
        curve=curve,
        cues=cues_of(cues or [whole], ()),
    )
