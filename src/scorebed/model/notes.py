"""What a person made of the spotting notes: the content of a notes file."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


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
    max_scenes: int | None = None
    """Most scenes that were looked for when it was written; None where it does not say."""
