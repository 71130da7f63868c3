"""A route for one piece: sought, played, and kept if none of its seams is heard."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from scorebed.dsp.cutlock import find_route
from scorebed.dsp.joins import seam_step_lu
from scorebed.dsp.legs import leaps_of, legs_of, play_legs, shaped
from scorebed.dsp.route import NO_GOALS, Goals, Leaps, Room, Route
from scorebed.dsp.seams import MAX_STEP_LU, Splice, flux_share, splice
from scorebed.model import ConformSettings, Seam
from scorebed.stages.conform_lay import CHANNELS
from scorebed.stages.conform_lock import Laidbeats, gains
from scorebed.stages.conform_pulse import reader
from scorebed.timecode import SAMPLE_RATE_HZ, to_seconds
from scorebed.wav import WavPart, write_wav

if TYPE_CHECKING:
    from pathlib import Path

    from scorebed.dsp.route import Pulse
    from scorebed.stages.conform_pulse import Pulsed

_SETTLING = 24
_TRIES = 4
_WINDOW_SAMPLES = 3 * SAMPLE_RATE_HZ
_AROUND_SAMPLES = SAMPLE_RATE_HZ * 3 // 10
_MOST_FLUX = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """What is to be filled by a piece."""

    start: int
    """First sample of its range on the picture's time line."""
    end: int
    """First sample after it."""
    ring: int | None
    """How far it may sound over that, in samples; None for the last of its run."""
    slips: bool
    """Whether it may be entered after its beginning."""
    ends: bool
    """Whether its own ending is wanted, if it has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A piece that was played along a route."""

    part: WavPart
    """The music, as long as its range or so much longer as it may ring."""
    ends: bool
    """Whether it comes to its own end."""
    locked: bool
    """Whether it was moved onto cuts."""
    seams: tuple[Seam, ...]
    """Its seams, as measured in it."""
    stretches: tuple[float, ...]
    """Length of each bar over what it was."""
    before: Laidbeats
    """Its beats on the picture's time line without cut-lock."""
    after: Laidbeats
    """Its beats as they are."""


@dataclass(frozen=True, slots=True)
class _Way:
    """A route whose seams can be made."""

    route: Route
    splices: list[Splice]


class Seeker:
    """Seeks routes through one piece, plays them, and hears whether their seams hold.

    Args:
        pulsed: The piece, with a pulse.
        space: What it has to fill.
        want: What may be done.
        target: Where the music is written.
    """

    def __init__(self, pulsed: Pulsed, space: Space, want: ConformSettings, target: Path) -> None:
        assert pulsed.pulse is not None
        assert pulsed.sounds is not None
        assert pulsed.leaps is not None
        self._space, self._want, self._target = space, want, target
        self._pulse: Pulse = replace(pulsed.pulse, ends=pulsed.pulse.ends and space.ends)
        # What is heard to be joined badly is struck out here, not for other cues.
        self._leaps: Leaps = replace(
            pulsed.leaps, to=pulsed.leaps.to.copy(), shift=pulsed.leaps.shift.copy()
        )
        self._limits = pulsed.sounds.flux_limits
        self._read = reader(pulsed.part)
        self._known: dict[tuple[int, int], Splice | None] = {}

    def seek(self, goals: Goals, today: Laidbeats, *, misfit: bool) -> Played | None:
        """The piece, fitted; None where nothing is gained, or no seam holds.

        Args:
            goals: What its beats should meet, from the start of its range on; may be none.
            today: Its beats as it is laid without being fitted.
            misfit: Whether its length has to change: then it is fitted even if nothing is gained.
        """
        for _ in range(_TRIES):
            way = self._settled(NO_GOALS) if misfit else None
            before = today if way is None else self._beats(way)
            moved = self._settled(goals) if len(goals.at) else None
            locked = moved is not None and gains(
                self._own(before), self._own(self._beats(moved)), goals
            )
            # Entered later a piece may come to its length where from its beginning it does not.
            chosen = moved if locked or (misfit and way is None) else way
            if chosen is None:
                return None
            played = self._played(chosen, before, locked=locked)
            if played is not None:
                return played
        return None

    def _own(self, beats: Laidbeats) -> Laidbeats:
        """Beats counted from the start of the range."""
        return Laidbeats(beats.at - self._space.start, beats.down)

    # --- a route whose seams can be made ---------------------------------------------------------

    def _settled(self, goals: Goals) -> _Way | None:
        """The best route whose seams can all be made; None where there is none.

        With the piece's own ending if that can be reached, else up to a fade.
        """
        space, slip = self._space, 0
        if len(goals.at) and space.slips:
            slip = round(self._pulse.per_bar * float(np.median(np.diff(self._pulse.at))))
        for ring in [0] if space.ring is None else [space.ring, 0]:
            for ends in (True, False) if self._pulse.ends else (False,):
                room = Room(
                    length=space.end - space.start + ring,
                    max_stretch=self._want.max_stretch,
                    slip=slip,
                )
                way = self._sought(replace(self._pulse, ends=ends), goals, room)
                if way is not None:
                    return way
        return None

    def _sought(self, pulse: Pulse, goals: Goals, room: Room) -> _Way | None:
        for _ in range(_SETTLING):
            route = find_route(pulse, self._leaps, goals, room)
            if route is None:
                return None
            made = [self._splice(left, right) for left, right in leaps_of(route)]
            seams = [seam for seam, new in made if seam is not None and not new]
            if len(seams) == len(made):
                return _Way(route, seams)
        return None

    def _splice(self, left: int, right: int) -> tuple[Splice | None, bool]:
        """How a leap is made, and whether the route was sought without knowing that."""
        if (left, right) in self._known:
            return self._known[left, right], False
        at = self._pulse.at
        made = splice(self._read, at[left], at[right], at[left] - at[left - 1], self._limits)
        self._known[left, right] = made
        if made is None:
            self._ban(left, right)
            return None, True
        self._leaps.shift[left, self._leaps.to[left] == right] = made.shift
        return made, made.shift != 0

    def _ban(self, left: int, right: int) -> None:
        self._leaps.to[left, self._leaps.to[left] == right] = -1

    def _beats(self, way: _Way) -> Laidbeats:
        steps = way.route.steps
        at = np.array([step.at for step in steps]) + self._space.start
        down = self._pulse.place[[step.beat for step in steps]] == 0
        kept = at < self._space.end
        return Laidbeats(at[kept], down[kept])

    # --- what is heard of it ---------------------------------------------------------------------

    def _played(self, way: _Way, before: Laidbeats, *, locked: bool) -> Played | None:
        """The route as a file, its seams as measured in it; None where one would be heard."""
        route, space = way.route, self._space
        length = max(space.end - space.start, round(route.end))
        legs = legs_of(route, way.splices, self._pulse)
        blocks = shaped(play_legs(self._read, legs), route, self._pulse, length)
        write_wav(self._target, blocks, channels=CHANNELS, length_samples=length)
        part = WavPart(self._target, 0, length)
        seams, held = [], True
        for leap, splice_, leg in zip(leaps_of(route), way.splices, legs[1:], strict=True):
            seam = self._measured(part, leg.start + splice_.fade // 2, splice_, *leap)
            seams.append(seam)
            if abs(seam.loudness_step_lu or 0.0) > MAX_STEP_LU or seam.flux > _MOST_FLUX:
                held = False
                self._ban(*leap)
        if not held:
            return None
        return Played(
            part=part,
            ends=route.ends,
            locked=locked,
            seams=tuple(seams),
            stretches=_stretches(route, self._pulse),
            before=before,
            after=self._beats(way),
        )

    def _measured(self, part: WavPart, at: int, splice_: Splice, left: int, right: int) -> Seam:
        before = max(at - _WINDOW_SAMPLES, 0)
        after = min(_WINDOW_SAMPLES, part.length_samples - at)
        around = reader(part)(at - _AROUND_SAMPLES, 2 * _AROUND_SAMPLES)
        beats = self._pulse.at
        return Seam(
            at_s=to_seconds(self._space.start + at),
            from_s=to_seconds(round(beats[left]) - splice_.lead),
            to_s=to_seconds(round(beats[right]) + splice_.shift - splice_.lead),
            loudness_step_lu=seam_step_lu(part.read(before, at - before), part.read(at, after)),
            flux=flux_share(around, _AROUND_SAMPLES, splice_.fade, self._limits),
        )


def _stretches(route: Route, pulse: Pulse) -> tuple[float, ...]:
    """Length of each bar over what it was, in order."""
    bars: list[list[float]] = []
    for left, right in pairwise(route.steps):
        if not bars or pulse.place[left.beat] == 0:
            bars.append([0.0, 0.0])
        bars[-1][0] += right.at - left.at
        bars[-1][1] += float(pulse.at[left.beat + 1]) - left.source
    return tuple(out / source for out, source in bars)
