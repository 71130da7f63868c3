"""When frames are shown: exact, by the packets that carry them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from array import array


@dataclass(frozen=True, slots=True)
class PictureClock:
    """When frames are shown, by their packets and whatever the header says."""

    start_s: Fraction
    """Time of the first shown frame on the container's clock, in seconds."""
    duration_s: Fraction
    """From there to the end of the last frame, in seconds; 0 when no time passes."""
    frame_count: int
    """Number of frames shown."""
    frame_rate: Fraction
    """Average frames per second; the codec's own figure where the rate is constant."""
    variable: bool
    """Whether the distance between frames varies by more than the clock's grain."""
    hidden_frames: int
    """Frames that an edit list hides; not in ``frame_count``."""


def clock_of(
    times: array[int],
    durations: array[int],
    packets: int,
    time_base: Fraction,
    nominal: Fraction | None,
) -> PictureClock:
    """When the frames of a video stream are shown.

    Args:
        times: Times of the shown frames, in file order, in ticks; at least one.
        durations: Their durations in ticks, 0 where the container does not say.
        packets: How many packets the stream has, hidden ones too.
        time_base: A tick in seconds.
        nominal: Frames per second as the header has it.
    """
    ticks = np.array(times, dtype=np.int64)
    order = np.argsort(ticks, kind="stable")
    ticks = ticks[order]
    steps = np.diff(ticks)
    steps = steps[steps > 0]
    typical = int(np.median(steps)) if len(steps) else 0
    last = int(np.array(durations, dtype=np.int64)[order][-1]) or typical
    duration_s = max(int(ticks[-1] - ticks[0]) + max(last, 0), 0) * time_base
    average = Fraction(len(ticks)) / duration_s if duration_s else Fraction(0)
    variable = bool(len(steps)) and int(steps.max() - steps.min()) > max(2, typical // 10)
    # Containers with a coarse clock (Matroska: 1 ms) hide the true rate; the codec tells it.
    if not variable and nominal and abs(average / nominal - 1) < Fraction(1, 200):
        average = Fraction(nominal)
    return PictureClock(
        start_s=int(ticks[0]) * time_base,
        duration_s=duration_s,
        frame_count=len(ticks),
        frame_rate=average,
        variable=variable,
        hidden_frames=packets - len(ticks),
    )
