"""What a person made of the spotting notes: the content of a notes file."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from scorebed.model.spotting import Accuracy


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneNote:
    """A scene as the user wants it: it goes on until the next one starts."""

    start_s: Fraction
    """Picture time in seconds, as it was written."""
    name: str
    """What the user calls it; may be empty."""
    brief: str
    """What its music should be; may be empty."""
    music: bool
    """Whether it has any."""
    where: str
    """File, line and table, for errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceNote:
    """A range without music."""

    start_s: Fraction
    """Picture time in seconds, as it was written."""
    end_s: Fraction
    """Picture time in seconds, as it was written; the first moment after the range."""
    where: str
    """File, line and table, for errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HitNote:
    """A moment that the music should meet, or one that it should not."""

    at_s: Fraction
    """Picture time in seconds, as it was written."""
    label: str
    """What the user calls it."""
    weight: float
    """How much it matters, 0 to 1; 0 takes away what was found there."""
    where: str
    """File, line and table, for errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A file that was read when the picture was spotted: a list of cuts, a transcript."""

    path: Path
    """Where it lay; ``chapters`` in the notes' folder for the film's own."""
    sha256: str
    """Hash of its content; empty where the notes do not say, or there is none."""
    where: str
    """File, line and table, for errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookNote:
    """How the picture was spotted when the notes were written; None where they do not say."""

    max_scenes: int | None = None
    """Most scenes that were looked for."""
    accuracy: Accuracy | None = None
    """Whether every frame was decoded."""
    production_audio: Literal["keep", "drop"] | None = None
    """Whether the video's own sound counted."""
    cuts: Listed | None = None
    """Where the cuts came from; None for the detector."""
    speech: Listed | None = None
    """Subtitles that said where somebody speaks; None for listening."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """A notes file, read and checked."""

    name: str
    """Path of the file, for errors."""
    scenes: tuple[SceneNote, ...] = ()
    """In order; empty where the file has none: the found ones stay."""
    silences: tuple[SilenceNote, ...] = ()
    """As they were written."""
    hits: tuple[HitNote, ...] = ()
    """As they were written."""
    look: LookNote = LookNote()
    """How the picture was spotted when it was written."""
    doubts: tuple[str, ...] = ()
    """What the user should know of it, in sentences."""
