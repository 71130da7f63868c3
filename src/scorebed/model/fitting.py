"""How a take is fitted to the picture, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from scorebed.model.picture import TimeRange

CutLock = Literal["off", "scenes", "hits"]
"""What a take's beats are laid on: nothing, scene changes, or all cuts and the user's hits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConformSettings:
    """What the conform stage may do with a take."""

    cut_lock: CutLock = "scenes"
    """What its beats are laid on."""
    asked: bool = False
    """Whether the user asked for that: then music that was made for this picture is moved too."""
    max_stretch: float = 0.04
    """Most that a bar is made longer or shorter, as a share of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seam:
    """Where a piece of a take leaps to another place of its own."""

    at_s: Fraction
    """Picture time of the middle of its crossfade, in seconds."""
    from_s: Fraction
    """Where in the recording it leaves, in seconds."""
    to_s: Fraction
    """Where in the recording it goes on, in seconds."""
    loudness_step_lu: float | None
    """Loudness of the 3 s after minus that of the 3 s before, in LU, with the gates of BS.1770-4 or
    without, whichever is further from 0; None beside silence."""
    flux: float
    """Highest spectral flux in it over the 99th percentile of the recording's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceFit:
    """What was done to a piece of a take so that it lasts as long as its range."""

    range: TimeRange
    """The part of the picture that it is for."""
    how: Literal["kept", "faded", "repeated", "fitted"]
    """``kept``: as it is; ``faded``: cut short with a fade; ``repeated``: begun again with a plain
    crossfade; ``fitted``: shortened, lengthened or moved at seams and by stretching."""
    why: str = ""
    """Why it was not fitted, for a person; empty where nothing is to be said."""
    tempo_bpm: float | None = None
    """Tempo of the recording; None where its beats were not looked for."""
    confidence: float | None = None
    """How sure it is that it has a pulse, 0 to 1; None as above."""
    seams: tuple[Seam, ...] = ()
    """Its seams, in order."""
    stretches: tuple[float, ...] = ()
    """Length of each bar over the length that it was played with, in order: 1.02 is 2 % longer."""
    locked: bool = False
    """Whether it was moved onto cuts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CutOffset:
    """A cut, and the beat next to it."""

    at_s: Fraction
    """Picture time in seconds."""
    label: str
    """The hit point's: ``scene``, ``cut`` ..."""
    weight: float
    """The hit point's, 0 to 1."""
    before_ms: float | None
    """Beat minus cut without cut-lock, in ms; None where no beat is within 2 s."""
    after_ms: float | None
    """Likewise as it is now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockReport:
    """How the beats lie on the cuts, without cut-lock and with it."""

    mode: CutLock
    """What was asked for."""
    moved: bool
    """Whether any piece was moved for it."""
    frame_rate: Fraction
    """Of the picture, to tell offsets in frames."""
    cuts: tuple[CutOffset, ...]
    """The cuts that pull, in order."""
    hits_before: float
    """Share of them with a beat within 70 ms, without cut-lock."""
    hits_after: float
    """Likewise as it is now."""
    downbeats_before: float | None
    """Share of the scene changes among them with a downbeat within 70 ms, without cut-lock; None
    where there are none."""
    downbeats_after: float | None
    """Likewise as it is now."""
    z_before: float | None
    """How far that is over 1,000 random sets of as many cuts, in standard deviations of theirs;
    None where those are all alike."""
    z_after: float | None
    """Likewise as it is now."""
