"""What was seen and heard of the picture, and its parts that are sent to providers."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal, Protocol, TypeVar

from scorebed.errors import ScorebedError, SettingsError
from scorebed.model.files import Artifact, SourceFile
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
    skip_music: bool = False
    """Whether no music is wanted where the production audio has some already."""


TransitionKind = Literal["cut", "dissolve", "fade"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A gradual change from one shot to the next, or from and to a plain colour."""

    kind: TransitionKind
    """``dissolve``: both shots at once; ``fade``: through, from or to a plain colour."""
    range: TimeRange
    """From the first changed frame to the first one that has changed no more."""
    confidence: float
    """How sure the detector is, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """Frames between two cuts."""

    range: TimeRange
    """Where it is shown; a gradual transition belongs half to the shot before it, half to this."""
    confidence: float
    """How sure the detector is of the transition that opens it, 0 to 1; 1 for the first shot."""
    transition: Transition | None = None
    """The gradual transition that opens it; None for a cut."""

    @property
    def opened_by(self) -> TransitionKind:
        """What opens it."""
        return "cut" if self.transition is None else self.transition.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Shots that belong together, with what was measured of their picture."""

    range: TimeRange
    """Where it is shown; scenes tile the picture."""
    shots: int
    """How many shots it holds, at least 1."""
    motion: float
    """Mean motion, 0 (still) to 1 (very busy)."""
    brightness: float
    """Mean luma, 0 (black) to 1 (white)."""
    saturation: float
    """Mean colourfulness, 0 (grey) to 1."""
    warmth: float
    """Mean colour balance, -1 (blue) to 1 (orange)."""
    name: str = ""
    """What the user calls it."""
    brief: str = ""
    """What the music of this scene should be, beside the brief of the whole."""

    @property
    def cuts_per_minute(self) -> float:
        """Cuts inside the scene, per minute."""
        return 60.0 * (self.shots - 1) / max(float(self.range.duration_s), 1e-3)


@dataclass(frozen=True, slots=True, kw_only=True)
class HitPoint:
    """A moment that the music may meet."""

    at_s: Fraction
    """Picture time in seconds."""
    label: str
    """Why: ``cut``, ``scene``, ``motion`` for its onset, or what the user or a list wrote."""
    weight: float
    """How much it matters, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechRegion:
    """A phrase of speech in the production audio."""

    range: TimeRange
    """From its first to its last sound."""
    confidence: float
    """Mean probability of speech, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MusicRegion:
    """A stretch of the production audio that has music already."""

    range: TimeRange
    """From its first to its last tone."""
    confidence: float
    """How sure the detector is, 0.5 to 1."""


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
class PictureCurve:
    """What the picture does over time, on an even grid."""

    hop_s: Fraction
    """Distance of two values, in seconds."""
    motion: tuple[float, ...]
    """Motion per hop, 0 to 1, cuts left out."""
    brightness: tuple[float, ...]
    """Luma per hop, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """A continuous piece of music in the programme."""

    number: str
    """Reel, M, cue: ``1M1``."""
    range: TimeRange
    """Where it plays."""
    hit_points: tuple[HitPoint, ...]
    """What it meets."""


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
    existing_music: tuple[MusicRegion, ...] = ()
    """Where the production audio has music already, if it was asked for; in order."""
    ending: Transition | None = None
    """The fade at the end of the picture; None where it ends with a cut."""

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
        start_s = max(one.range.start_s, span.start_s)
        end_s = min(one.range.end_s, span.end_s)
        if start_s < end_s:
            moved = TimeRange.between(start_s - span.start_s, end_s - span.start_s)
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
    return tuple(
        replace(hit, at_s=hit.at_s - span.start_s)
        for hit in hits
        if span.start_s <= hit.at_s < span.end_s
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reel:
    """A consecutive part of the picture that is sent as one file."""

    range: TimeRange
    """Which part; starts and ends on frames."""
    proxy: Artifact | None
    """Small H.264 file, or None for a provider that needs no picture."""
    width_px: int = 0
    """Width of the proxy in pixels."""
    height_px: int = 0
    """Height of the proxy in pixels."""
    audio: bool = False
    """Whether the proxy carries sound."""
    part: int = 0
    """Number of the request that it goes with, from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReelSet:
    """Reels that tile the cues: no gap, no overlap, and nothing of what is not scored.

    Raises:
        ScorebedError: If they do not.
    """

    cues: tuple[TimeRange, ...]
    """Where the music plays, in order."""
    reels: tuple[Reel, ...]
    """In order."""

    @property
    def duration_s(self) -> Fraction:
        """Length of the cued picture in seconds: of all cues together."""
        return sum((cue.duration_s for cue in self.cues), Fraction(0))

    @property
    def parts(self) -> tuple[tuple[Reel, ...], ...]:
        """The reels of each request, in order."""
        grouped = itertools.groupby(self.reels, key=lambda reel: reel.part)
        return tuple(tuple(reels) for _, reels in grouped)

    def __post_init__(self) -> None:
        left = list(self.reels)
        for cue in self.cues:
            at_s = cue.start_s
            while at_s < cue.end_s and left and left[0].range.start_s == at_s:
                at_s = left.pop(0).range.end_s
            if at_s != cue.end_s:
                raise _untiled(at_s)
        if left or not self.reels:
            raise _untiled(left[0].range.start_s if left else Fraction(0))


def _untiled(at_s: Fraction) -> ScorebedError:
    return ScorebedError(
        f"reel: the reels do not tile the cues (gap or overlap at {float(at_s):.3f} s)",
        remedy="Report this: it is a fault of scorebed, not of the file.",
    )
