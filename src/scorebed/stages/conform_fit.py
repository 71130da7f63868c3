"""Pieces brought to the length of their ranges at seams of their own, their beats onto cuts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from scorebed.dsp.route import NO_GOALS
from scorebed.model import LockReport, PieceFit, TimeRange
from scorebed.stages.conform_cues import ALIKE_SAMPLES, Run
from scorebed.stages.conform_lay import Heard, Laid, dies_away
from scorebed.stages.conform_lock import (
    NO_BEATS,
    Laidbeats,
    goals_of,
    joined_beats,
    pulling,
    report,
)
from scorebed.stages.conform_place import entering, ring_of
from scorebed.stages.conform_pulse import Pulses
from scorebed.stages.conform_way import Seeker, Space
from scorebed.timecode import SAMPLE_RATE_HZ, to_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scorebed.dsp.route import Goals
    from scorebed.model import ConformSettings, Progress, SpottingNotes
    from scorebed.stages.conform_joins import Meeting
    from scorebed.stages.conform_pulse import Pulsed
    from scorebed.stages.conform_way import Played

    Place = Callable[[Run], tuple[list[Meeting], list[Laid]]]
    """Lays a run on the picture's time line."""

_SHORTEST_SAMPLES = 4 * SAMPLE_RATE_HZ
"""Neither music nor range is shorter than this where bars are moved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedRuns:
    """The music of all cues, fitted."""

    runs: tuple[Run, ...]
    """What is laid."""
    fits: tuple[PieceFit, ...]
    """What was done to each piece."""
    lock: LockReport | None
    """How its beats lie on the cuts; None where that was not asked for, or is not known."""
    paths: tuple[Path, ...]
    """Files that were written for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seat:
    """A piece, and where it goes."""

    piece: Heard
    laid: Laid
    start: int
    end: int
    ring: int | None

    @property
    def length(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """A piece after it was fitted, or was left as it is."""

    piece: Heard
    fit: PieceFit
    before: Laidbeats = NO_BEATS
    after: Laidbeats = NO_BEATS


def fit_runs(
    runs: Sequence[Run],
    notes: SpottingNotes,
    want: ConformSettings,
    place: Place,
    *,
    folder: Path,
    progress: Progress,
) -> FittedRuns:
    """Fits each piece to its range, and its beats to the cuts.

    A piece that was made for this picture stays as it is, unless cut-lock was asked for; so does
    one without a clear beat.

    Args:
        runs: The music of each cue as it was heard.
        notes: What the music should meet.
        want: What may be done.
        place: Lays a run as it would lie without being fitted.
        folder: Where fitted music is written.
        progress: Called with the share that is done.
    """
    hits = pulling(notes, want.cut_lock)
    pulses = Pulses()
    results: list[list[_Result]] = []
    total = sum(len(run.heard) for run in runs)
    done = 0
    for run in runs:
        results.append([])
        for seat in _seats(run, place(run)[1]):
            done += 1
            goals = goals_of(hits, seat.start, seat.end)
            target = folder / f"fitted-{done}.wav"
            results[-1].append(_fit(seat, goals, want, pulses, target))
            progress(done / total)
    flat = [result for row in results for result in row]
    return FittedRuns(
        runs=tuple(
            replace(run, heard=tuple(result.piece for result in row))
            for run, row in zip(runs, results, strict=True)
        ),
        fits=tuple(result.fit for result in flat),
        lock=report(
            notes,
            hits,
            joined_beats([result.before for result in flat]),
            joined_beats([result.after for result in flat]),
            mode=want.cut_lock,
            moved=any(result.fit.locked for result in flat),
        ),
        paths=tuple(folder.glob("fitted-*.wav")),
    )


def _seats(run: Run, laid: Sequence[Laid]) -> list[_Seat]:
    return [
        _Seat(piece=piece, laid=put, start=start, end=end, ring=ring_of(run, number))
        for number, (piece, put, (start, end)) in enumerate(
            zip(run.heard, laid, pairwise(run.bounds), strict=True)
        )
    ]


def _fit(seat: _Seat, goals: Goals, want: ConformSettings, pulses: Pulses, target: Path) -> _Result:
    part = entering(seat.piece, 0)
    made_for_this = _made_for_this(seat, part.length_samples)
    misfit = not made_for_this and _misfit(seat, part.length_samples)
    lock = bool(len(goals.at)) and (want.asked or not made_for_this)
    if min(seat.length, part.length_samples) < _SHORTEST_SAMPLES:
        return _left(seat, None)
    if not (misfit or lock):
        return _left(seat, None, "" if made_for_this else "it has no ending of its own")
    pulsed = pulses.of(part)
    if pulsed.pulse is None:
        return _left(seat, pulsed, "it has no clear beat")
    space = Space(
        start=seat.start,
        end=seat.end,
        ring=seat.ring,
        slips=not seat.piece.meant,
        ends=seat.ring is None and not seat.piece.broken_off,
    )
    seeker = Seeker(pulsed, space, want, target)
    played = seeker.seek(goals if lock else NO_GOALS, _natural(seat, pulsed), misfit=misfit)
    if played is None:
        why = "no two places of it sound enough alike to be joined unheard" if misfit else ""
        return _left(seat, pulsed, why)
    return _fitted(seat, pulsed, played)


def _made_for_this(seat: _Seat, length: int) -> bool:
    """Whether a piece is as long as its range, with its own silence, or has its place already."""
    piece = seat.piece
    own = max(length, piece.reaches_samples)
    return piece.exact or piece.in_time or abs(own - seat.length) <= ALIKE_SAMPLES


def _misfit(seat: _Seat, length: int) -> bool:
    """Whether a piece would be begun again, or robbed of an ending of its own."""
    if length > seat.length:
        ends = seat.ring is None and not seat.piece.broken_off
        return ends and dies_away(entering(seat.piece, 0))
    return seat.laid.passes > 1


def _left(seat: _Seat, pulsed: Pulsed | None, why: str = "") -> _Result:
    """The piece as it is laid without being fitted."""
    how: Literal["kept", "faded", "repeated"] = "kept"
    if seat.laid.passes > 1:
        how = "repeated"
    elif seat.ring is None and seat.laid.fade_samples:
        how = "faded"
    beats = NO_BEATS if pulsed is None else _natural(seat, pulsed)
    return _Result(
        piece=seat.piece,
        fit=PieceFit(
            range=_range(seat),
            how=how,
            why="" if how == "kept" else why,
            tempo_bpm=None if pulsed is None or pulsed.pulse is None else pulsed.beats.tempo_bpm,
            confidence=None if pulsed is None else pulsed.beats.confidence,
        ),
        before=beats,
        after=beats,
    )


def _fitted(seat: _Seat, pulsed: Pulsed, played: Played) -> _Result:
    broken_off = seat.piece.broken_off if seat.ring is not None else not played.ends
    return _Result(
        piece=replace(
            seat.piece,
            part=played.part,
            head_samples=0,
            meant=False,
            reaches_samples=played.part.length_samples,
            exact=False,
            broken_off=broken_off,
            fitted=True,
        ),
        fit=PieceFit(
            range=_range(seat),
            how="fitted",
            tempo_bpm=pulsed.beats.tempo_bpm,
            confidence=pulsed.beats.confidence,
            seams=played.seams,
            stretches=played.stretches,
            locked=played.locked,
        ),
        before=played.before,
        after=played.after,
    )


def _range(seat: _Seat) -> TimeRange:
    return TimeRange.between(to_seconds(seat.start), to_seconds(seat.end))


def _natural(seat: _Seat, pulsed: Pulsed) -> Laidbeats:
    """Where the beats of a piece lie as it is laid without being fitted."""
    if pulsed.pulse is None:
        return NO_BEATS
    laid, pulse = seat.laid, pulsed.pulse
    own = pulse.at - (laid.part.start_samples - pulsed.part.start_samples)
    inside = (own >= 0) & (own < laid.part.length_samples)
    step = laid.part.length_samples - laid.join_samples
    starts = laid.start_samples + np.arange(laid.passes) * step
    at = (starts[:, np.newaxis] + own[inside]).ravel()
    down = np.tile(pulse.place[inside] == 0, laid.passes)
    kept = at < min(laid.end_samples, seat.end)
    return Laidbeats(at[kept], down[kept])
