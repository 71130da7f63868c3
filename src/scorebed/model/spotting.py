"""Where the music goes and what it has to meet: what was found, as a whole."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal, Protocol, TypeVar

from scorebed.errors import SettingsError
from scorebed.model.files import Artifact, SourceFile
from scorebed.model.found import (
    Cue,
    HitPoint,
    MusicRegion,
    PictureCurve,
    Scene,
    Shot,
    SpeechRegion,
    Transition,
)
from scorebed.model.picture import Stem, TimeRange

Accuracy = Literal["fast", "full"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotSettings:
    """What the spot stage is asked for."""

    max_scenes: int
    """Most scenes, at least 1."""
    listen: bool
    """Whether to look for speech in the production audio."""
    transcript: SourceFile | None = None
    """Subtitles that say where somebody speaks, instead of listening; None to listen."""
    accuracy: Accuracy = "fast"
    """Whether frames that cannot hold a cut may be left out, or all are decoded."""
    cuts: SourceFile | None = None
    """A list of cuts that decides in place of the detector; None to look."""
    chapters: bool = False
    """Whether the file's own chapters are that list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Production:
    """The production audio of one audio stream: a language, a commentary."""

    index: int | None
    """Index of the stream in the input; None for a film without sound."""
    dx: Stem | None
    """Its sound, or None where there is none."""
    speech: tuple[SpeechRegion, ...]
    """Its own phrases of speech, in order, not overlapping."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpottingNotes:
    """Where the music goes and what it has to meet."""

    duration_s: Fraction
    """Length of the picture in seconds."""
    frame_rate: Fraction
    """Average frame rate of the picture in frames per second."""
    damaged_frames: int = 0
    """Frames that could not be decoded, or not whole."""
    shots: tuple[Shot, ...]
    """All shots; they tile the picture."""
    scenes: tuple[Scene, ...]
    """All scenes; they tile the picture. One that was found starts at a shot's start, one of the
    user's on any frame."""
    speech: tuple[SpeechRegion, ...]
    """Phrases of speech, in order, not overlapping."""
    curve: PictureCurve
    """Motion and brightness over time."""
    cues: tuple[Cue, ...]
    """The pieces of music that are wanted, in order, not overlapping; at least one."""
    hit_points: tuple[HitPoint, ...] = ()
    """All moments that music may meet, in order, also where there is none; a cue has its own."""
    existing_music: tuple[MusicRegion, ...] = ()
    """Where the production audio has music already, if it was asked for; in order."""
    ending: Transition | None = None
    """The fade at the end of the picture; None where it ends with a cut."""

    @property
    def whole(self) -> TimeRange:
        """All of the picture."""
        return TimeRange(start_s=Fraction(0), duration_s=self.duration_s)

    @property
    def music(self) -> tuple[TimeRange, ...]:
        """Where the cues play."""
        return tuple(cue.range for cue in self.cues)

    @property
    def scored(self) -> SpottingNotes:
        """The notes of the picture up to the end of its music."""
        return self.within(TimeRange.between(Fraction(0), self.cues[-1].range.end_s))

    @property
    def wordless(self) -> SpottingNotes:
        """The notes without what the user calls the scenes and wishes of their music."""
        scenes = tuple(replace(scene, name="", brief="") for scene in self.scenes)
        return replace(self, scenes=scenes)

    def cued(self, music_s: Fraction | None) -> SpottingNotes:
        """The notes with music within so many seconds from the first frame on; None for all.

        Raises:
            SettingsError: If there is no cue so early.
        """
        if music_s is None or music_s >= self.duration_s:
            return self
        first_s = self.cues[0].range.start_s
        if music_s <= first_s:
            raise SettingsError(
                f"--duration {float(music_s):g} ends before the first music of the spotting notes, "
                f"at {float(first_s):g} s",
                remedy=f"Give a --duration over {float(first_s):g}, or leave it out.",
            )
        span = TimeRange(start_s=Fraction(0), duration_s=music_s)
        kept = [
            replace(cue, hit_points=_hits_within(cue.hit_points, span))
            for cue in _within(self.cues, span)
        ]
        return replace(self, cues=tuple(kept))

    def within(self, span: TimeRange) -> SpottingNotes:
        """The notes of a part of the picture, its times from the part's start on."""
        first = math.floor(span.start_s / self.curve.hop_s)
        last = math.ceil(span.end_s / self.curve.hop_s)
        return replace(
            self,
            duration_s=span.duration_s,
            shots=tuple(
                replace(shot, transition=_moved(shot.transition, span.start_s))
                for shot in _within(self.shots, span)
            ),
            scenes=_within(self.scenes, span),
            speech=_within(self.speech, span),
            hit_points=_hits_within(self.hit_points, span),
            existing_music=_within(self.existing_music, span),
            curve=replace(
                self.curve,
                motion=self.curve.motion[first:last],
                brightness=self.curve.brightness[first:last],
            ),
            cues=tuple(
                replace(cue, hit_points=_hits_within(cue.hit_points, span))
                for cue in _within(self.cues, span)
            ),
            ending=_moved(self.ending, span.start_s) if span.end_s >= self.duration_s else None,
        )


class _Ranged(Protocol):
    @property
    def range(self) -> TimeRange: ...


_R = TypeVar("_R", bound=_Ranged)


def _within(found: tuple[_R, ...], span: TimeRange) -> tuple[_R, ...]:
    """What lies in a part of the picture, cut at its ends and moved to its start."""
    kept = []
    for one in found:
        common = one.range.common(span)
        if common is not None:
            moved = replace(common, start_s=common.start_s - span.start_s)
            kept.append(replace(one, range=moved))  # type: ignore[type-var]
    return tuple(kept)


def _moved(transition: Transition | None, by_s: Fraction) -> Transition | None:
    """A transition on the time line of a part that starts so late."""
    if transition is None:
        return None
    span = transition.range
    moved = TimeRange(start_s=span.start_s - by_s, duration_s=span.duration_s)
    return replace(transition, range=moved)


def _hits_within(hits: tuple[HitPoint, ...], span: TimeRange) -> tuple[HitPoint, ...]:
    return tuple(replace(hit, at_s=hit.at_s - span.start_s) for hit in hits if span.holds(hit.at_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spotted:
    """What the spot stage returns."""

    notes: SpottingNotes
    """What was found."""
    small: Artifact | None
    """A small film of what was seen, pixels square, as many lines as asked for, its first frame at
    0; None where none was wanted, or none can stand for the picture. Every frame with which a shot
    begins is in it, at its place."""
