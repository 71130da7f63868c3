"""Joins of pieces that were made apart: where, how loud on both sides, and how alike."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from scorebed.dsp.joins import spectral_step_db, step_lu
from scorebed.model import MAX_STEP_LU, GainCurve, Join
from scorebed.stages.conform_lay import play
from scorebed.timecode import SAMPLE_RATE_HZ, to_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scorebed.model import Audio, SpeechRegion
    from scorebed.stages.conform_lay import Heard, Laid

QUIET_SAMPLES = SAMPLE_RATE_HZ // 10
"""Nothing sounds 100 ms around a join that is made in silence."""
_WINDOW_SAMPLES = 3 * SAMPLE_RATE_HZ
_MAX_GAIN_DB = 6.0
"""Pieces of one programme are not moved further than this to meet each other."""
_RAMP_SAMPLES = 8 * SAMPLE_RATE_HZ
_AIM_LU = MAX_STEP_LU - 0.25
_ROUNDS = 6
_CLOSE_LU = 0.05

Kind = Literal["silence", "speech", "downbeat", "cut"]


@dataclass(frozen=True, slots=True)
class Meeting:
    """A boundary of two pieces."""

    at_samples: int
    """Position on the picture's time line."""
    kind: Kind
    """What the join is made in."""


def kind_of(at_samples: int, *, silent: bool, speech: Sequence[SpeechRegion], attack: bool) -> Kind:
    """What a join is made in.

    Args:
        at_samples: Where it is.
        silent: Whether neither side sounds within 100 ms of it.
        speech: Where somebody speaks.
        attack: Whether the new piece begins with a beat, at once.
    """
    if silent:
        return "silence"
    at_s = to_seconds(at_samples)
    spoken = any(region.range.start_s <= at_s < region.range.end_s for region in speech)
    if spoken:
        return "speech"
    return "downbeat" if attack else "cut"


# --- loudness ----------------------------------------------------------------------------------


def matching_gains_db(heard: Sequence[Heard], lengths: Sequence[int]) -> list[float]:
    """Static gain of each piece, so that all are as loud as the longest one, within 6 dB.

    A true peak over full scale is no matter here: samples are floats, and ``level`` sets how loud
    the whole is.

    Args:
        heard: The pieces, with their loudness.
        lengths: Lengths of their ranges.
    """
    longest = max(range(len(heard)), key=lambda number: lengths[number])
    wanted = heard[longest].lufs
    return [
        0.0
        if wanted is None or piece.lufs is None
        else float(np.clip(wanted - piece.lufs, -_MAX_GAIN_DB, _MAX_GAIN_DB))
        for piece in heard
    ]


def tapered(
    laid: Sequence[Laid], meetings: Sequence[Meeting], bounds: Sequence[int], gains: list[float]
) -> list[Laid]:
    """Pieces with their gains, moved towards each other where they still step too far.

    Over 8 s (half of a shorter range) before a join the quieter side rises, and after it the
    louder one begins lower and comes up, or the other way round: straight in dB, half of the move
    on each side, at most 6 dB each, and only as far as brings the step under ``MAX_STEP_LU``.

    Args:
        laid: The pieces.
        meetings: Their joins.
        bounds: Where ranges start, and the last one ends.
        gains: Static gain of each in dB.
    """
    moves = [0.0] * len(meetings)
    result = _gained(laid, bounds, gains, moves)
    for number, meeting in enumerate(meetings):
        if meeting.kind == "silence":
            continue
        for _ in range(_ROUNDS):
            step = step_lu(*_windows(result, meeting.at_samples, bounds))
            if step is None or abs(step) <= (_AIM_LU + _CLOSE_LU if moves[number] else MAX_STEP_LU):
                break
            # Windows of 3 s see most of a ramp, not all of it: the rest comes with the next round.
            over = math.copysign(abs(step) - _AIM_LU, step)
            moved = float(np.clip(moves[number] + over / 2, -_MAX_GAIN_DB, _MAX_GAIN_DB))
            if moved == moves[number]:
                break
            moves[number] = moved
            result = _gained(laid, bounds, gains, moves)
    return result


def _gained(
    laid: Sequence[Laid], bounds: Sequence[int], gains: list[float], moves: list[float]
) -> list[Laid]:
    """Moves are what the side before rises by, and what the side after is lowered by, in dB."""
    result = []
    for number, piece in enumerate(laid):
        start, end = bounds[number], bounds[number + 1]
        ramp = min(_RAMP_SAMPLES, (end - start) // 2)
        points: dict[int, float] = {start: gains[number]}
        if number and moves[number - 1]:
            points[start] = gains[number] - moves[number - 1]
            points[start + ramp] = gains[number]
        if number < len(moves) and moves[number]:
            points[end - ramp] = gains[number]
            points[end] = gains[number] + moves[number]
        ordered = sorted(points.items())
        curve = GainCurve(
            at_samples=tuple(at for at, _ in ordered),
            gains_db=tuple(gain_db for _, gain_db in ordered),
        )
        result.append(replace(piece, gain=curve))
    return result


# --- figures -----------------------------------------------------------------------------------


def measured(
    meetings: Sequence[Meeting], bounds: Sequence[int], read: Callable[[int, int], Audio]
) -> tuple[Join, ...]:
    """Joins with how far loudness and colour step at them.

    Args:
        meetings: The joins.
        bounds: Where ranges start, and the last one ends.
        read: Gives samples of the finished music from a position on, so many.
    """
    joins = []
    for meeting in meetings:
        at = meeting.at_samples
        before = read(*_before(at, bounds))
        after = read(*_after(at, bounds))
        step = None if meeting.kind == "silence" else step_lu(before, after)
        joins.append(
            Join(
                at_s=to_seconds(at),
                kind=meeting.kind,
                loudness_step_lu=step,
                spectral_step_db=None if step is None else spectral_step_db(before, after),
            )
        )
    return tuple(joins)


def _before(at: int, bounds: Sequence[int]) -> tuple[int, int]:
    """Start and length of the 3 s before a join."""
    start = max(at - _WINDOW_SAMPLES, bounds[0])
    return start, at - start


def _after(at: int, bounds: Sequence[int]) -> tuple[int, int]:
    """Start and length of the 3 s after a join."""
    return at, min(_WINDOW_SAMPLES, bounds[-1] - at)


def _windows(laid: Sequence[Laid], at: int, bounds: Sequence[int]) -> tuple[Audio, Audio]:
    before, after = _before(at, bounds), _after(at, bounds)
    return np.concatenate([*play(laid, *before)]), np.concatenate([*play(laid, *after)])
