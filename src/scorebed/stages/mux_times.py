"""The times of copied packets, compared one by one: what was moved, and by how much."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from scorebed.model import PlannedSound
from scorebed.packets import packet_times
from scorebed.stages.mux_streams import STAGE, mapped_streams

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scorebed.model import MuxPlan, Picture, StreamInfo
    from scorebed.packets import Contents


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A file, and where its picture begins."""

    path: Path
    """The file."""
    start_s: Fraction
    """Time of its first shown frame, in seconds on its own clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """The packet of a stream that is moved furthest, by more than the grains of both clocks."""

    was_s: Fraction
    """When it came, in seconds from the first shown frame."""
    now_s: Fraction
    """When it comes."""

    @property
    def apart_s(self) -> Fraction:
        """How far that is, in seconds."""
        return abs(self.now_s - self.was_s)


def copied_pairs(
    picture: Picture, plan: MuxPlan, contents: Contents
) -> list[tuple[StreamInfo, StreamInfo]]:
    """The streams that were copied packet for packet, as they were and are.

    Args:
        picture: What the input is.
        plan: How it was written.
        contents: What was written.
    """
    pairs = []
    for number, one in enumerate(mapped_streams(picture, plan)):
        if one.index is None or (isinstance(one, PlannedSound) and one.codec != "copy"):
            continue
        was, now = picture.streams[one.index], contents.streams[number]
        if was.codec == now.codec and was.packets == now.packets:
            pairs.append((was, now))
    return pairs


def moved_packets(
    before: Placed, after: Placed, copied: Iterable[tuple[StreamInfo, StreamInfo]]
) -> dict[int, Moved]:
    """Streams of which a packet does not come when it did; a packet without a time says nothing.

    Both files are read side by side: of the times, only those are held by which one file is
    interleaved otherwise than the other.

    Args:
        before: The user's file.
        after: What was written: all of it, or its beginning.
        copied: The streams that are compared, as they were and are.

    Returns:
        By index in the user's file.

    Raises:
        MediaError: If one cannot be read.
    """
    shift_s = after.start_s - before.start_s
    pairs = [_Pair(was, now, shift_s) for was, now in copied if was.time_base and now.time_base]
    old = {pair.was.index: pair for pair in pairs}
    new = {pair.now.index: pair for pair in pairs}
    read = packet_times(before.path, set(old), stage=STAGE)
    for index, at in packet_times(after.path, set(new), stage=STAGE):
        pair = new[index]
        while not pair.waiting:
            step = next(read, None)
            if step is None:
                break
            old[step[0]].waiting.append(step[1])
        if pair.waiting:
            pair.note(pair.waiting.popleft(), at)
    return {pair.was.index: pair.moved(before.start_s) for pair in pairs if pair.most > pair.grain}


class _Pair:
    """A stream before and after; times are compared as whole ticks of a common clock."""

    def __init__(self, was: StreamInfo, now: StreamInfo, shift_s: Fraction) -> None:
        self.was, self.now = was, now
        was_base, now_base = Fraction(was.time_base or 0), Fraction(now.time_base or 0)
        self.ticks = math.lcm(was_base.denominator, now_base.denominator, shift_s.denominator)
        self._old, self._new = int(was_base * self.ticks), int(now_base * self.ticks)
        self._shift = int(shift_s * self.ticks)
        self.grain = self._old + self._new
        self.waiting: deque[int | None] = deque()
        self.most = 0
        self._furthest = (0, 0)

    def note(self, was: int | None, now: int | None) -> None:
        if was is None or now is None:
            return
        old, new = was * self._old, now * self._new - self._shift
        if abs(new - old) > self.most:
            self.most, self._furthest = abs(new - old), (old, new)

    def moved(self, start_s: Fraction) -> Moved:
        was_s, now_s = (Fraction(at, self.ticks) - start_s for at in self._furthest)
        return Moved(was_s=was_s, now_s=now_s)
