"""Parts of the picture that are sent to providers."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction

from scorebed.errors import ScorebedError
from scorebed.model.files import Artifact
from scorebed.model.picture import TimeRange


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
