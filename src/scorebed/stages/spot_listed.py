"""Cuts that a list knows: an editor's timeline, another detector, the file's own chapters."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from scorebed.cutlists import chapter_cuts, read_cuts, read_markers
from scorebed.errors import MediaError
from scorebed.media import open_media
from scorebed.model import HitPoint, TimeRange, Transition
from scorebed.stages.spot_frames import STAGE, FrameTimes, time_base_of
from scorebed.stages.spot_shots import Opening

if TYPE_CHECKING:
    from scorebed.model import ListedCut, Picture, SourceFile, SpotSettings

_MARKER_WEIGHT = 0.8
"""Somebody set it: it counts more than a cut, less than a scene."""


def _frame_times(source: SourceFile, picture: Picture) -> FrameTimes:
    """When every frame is shown, by its packets."""
    with open_media(source.path, stage=STAGE) as container:
        time_base = time_base_of(container, picture)
        found = [
            packet.pts
            for packet in container.demux(container.streams[picture.video_index])
            if packet.size and packet.pts is not None and not packet.is_discard
        ]
    if found:
        return FrameTimes(sorted(found), time_base, picture.start_s)
    # AVI counts frames and says no times.
    return FrameTimes(range(picture.frame_count), 1 / picture.frame_rate, Fraction(0))


def listed_openings(
    source: SourceFile, picture: Picture, settings: SpotSettings
) -> tuple[tuple[Opening, ...], Transition | None, tuple[HitPoint, ...]]:
    """How every shot comes up, how the picture ends, and the list's markers.

    Args:
        source: The user's file.
        picture: What it is.
        settings: Names the list.

    Raises:
        MediaError: If the list cannot be read or is not one of this picture.
    """
    times = _frame_times(source, picture)
    markers: tuple[HitPoint, ...] = ()
    if settings.chapters:
        cuts = _chapters(source, picture)
    else:
        assert settings.cuts is not None
        path, rate, timecode_s = settings.cuts.path, picture.frame_rate, picture.timecode_s
        cuts = read_cuts(
            path, frame_rate=rate, timecode_s=timecode_s, duration_s=picture.duration_s
        )
        found = read_markers(
            path, frame_rate=rate, timecode_s=timecode_s, duration_s=picture.duration_s
        )
        markers = tuple(
            HitPoint(at_s=times.nearest(at_s), label=text or "marker", weight=_MARKER_WEIGHT)
            for at_s, text in found
        )
    opened, ending = _opened(cuts, times, picture.duration_s)
    return opened, ending, markers


def _chapters(source: SourceFile, picture: Picture) -> tuple[ListedCut, ...]:
    pairs = [(chapter.start_s - picture.start_s, chapter.title) for chapter in picture.chapters]
    cuts = chapter_cuts(pairs, duration_s=picture.duration_s)
    if not cuts:
        raise MediaError(
            f"{STAGE}: {source.path} has no chapters that begin within the picture",
            remedy="Leave --cuts chapters out, or give a list of cuts: --cuts FILE",
        )
    return cuts


def _opened(
    cuts: tuple[ListedCut, ...], times: FrameTimes, duration_s: Fraction
) -> tuple[tuple[Opening, ...], Transition | None]:
    opened = {Fraction(0): Opening(at_s=Fraction(0), confidence=1.0)}
    ending = None
    for cut in cuts:
        transition = None
        at_s = times.nearest(cut.at_s)
        if cut.kind != "cut" and cut.end_s is not None:
            end_s = min(times.nearest(cut.end_s), duration_s)
            if cut.end_s >= duration_s:
                end_s = duration_s
            transition = Transition(
                kind=cut.kind, range=TimeRange.between(at_s, max(at_s, end_s)), confidence=1.0
            )
            if cut.end_s >= duration_s:
                ending = transition
                continue
            at_s = Fraction(0) if at_s == 0 else times.nearest((cut.at_s + cut.end_s) / 2)
        if 0 <= at_s < duration_s:
            opened[at_s] = Opening(at_s=at_s, confidence=1.0, transition=transition)
    return tuple(opened[at_s] for at_s in sorted(opened)), ending
