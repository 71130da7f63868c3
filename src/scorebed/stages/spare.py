"""Spare: what has music already is left without. Asked once: notes then say where music plays."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from scorebed.dsp.music import find_music
from scorebed.errors import MediaError
from scorebed.model import Progress, TimeRange, cues_of, no_progress
from scorebed.stages.notes import Grid
from scorebed.wav import read_wav, watched

if TYPE_CHECKING:
    from pathlib import Path

    from scorebed.model import MusicRegion, Picture, SourceFile, SpottingNotes, Stem

STAGE = "spare"
VERSION = 1
_LEAST_CUE_S = Fraction(3)
"""Between two stretches that have music already, shorter ones stay without."""


def spare(
    source: SourceFile,
    picture: Picture,
    notes: SpottingNotes,
    *,
    folder: Path,  # noqa: ARG001 - the notes are the result; nothing is written
    progress: Progress = no_progress,
) -> SpottingNotes:
    """The notes with music only where the production audio has none yet.

    Cues begin and end on frames: notes, which have no finer times, then say the same.

    Args:
        source: The user's file, for errors.
        picture: What it is.
        notes: What was found in it.
        folder: Not used.
        progress: Called with the share that is done.

    Raises:
        MediaError: If there is music from end to end.
    """
    if picture.production is None:
        return notes
    found = _music(picture.production, notes, progress)
    grid = Grid(notes, picture)
    spans = [one.range for one in found]
    taken = [TimeRange.between(grid.at(one.start_s), grid.end(one.end_s)) for one in spans]
    left = notes.whole.without(taken)
    wanted = [span for span in left if not taken or span.duration_s >= _LEAST_CUE_S]
    if not wanted:
        raise MediaError(
            f"{STAGE}: the sound of {source.path} has music already, from end to end",
            remedy="Leave --skip-existing-music out to put music over it all the same.",
        )
    return replace(notes, cues=cues_of(wanted, notes.hit_points), existing_music=found)


def _music(dx: Stem, notes: SpottingNotes, progress: Progress) -> tuple[MusicRegion, ...]:
    blocks = watched(read_wav(dx.audio.path), dx.length_samples, progress)
    regions = find_music(
        blocks,
        dx.channels,
        start_samples=dx.start_samples,
        speech=[region.range for region in notes.speech],
    )
    inside = [(one, one.range.common(notes.whole)) for one in regions]
    return tuple(replace(one, range=span) for one, span in inside if span is not None)
