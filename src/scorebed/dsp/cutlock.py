"""Which beat of a recording goes where under a picture. Arrays only, no sound.

A route takes the beats one after the other, each interval a little longer or shorter than it was
played, and now and then leaps to another beat that sounds alike. What is sought is the route whose
beats meet the most goals for the fewest leaps and the least stretch: a beam search over time, in
which at any moment the best states are kept: which beat is reached, when, and how far the music is
stretched there. One search answers both questions: how a recording of one length gets another, and
how its beats come to lie on the cuts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from scorebed.dsp.ahead import Ahead, ending
from scorebed.dsp.outlook import Outlook
from scorebed.dsp.route import Route, Step, worth
from scorebed.timecode import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorebed.dsp.route import Goals, Leaps, Pulse, Room

_MS: Final = SAMPLE_RATE_HZ / 1000
_LEVELS: Final = 4
"""Fewest steps of stretch on either side: from one beat to the next it changes by one of them."""
_MOST_TURN: Final = 0.01
"""Most that such a step may be: what players can follow is 4 % from bar to bar."""
_STRETCH_COST: Final = 0.006
"""Of a beat at the most stretch, or at 4 % if that is less; grows with the square."""
_TURN_COST: Final = 0.004
"""Of one step of stretch from a beat to the next."""
_SLIP_COST: Final = 0.3
"""Of music that is not entered at its own beginning."""
_APART: Final = 4
"""Fewest beats between two leaps, and of the opening, which stays."""
_BIN_SAMPLES: Final = 8 * _MS
_SLIP_SAMPLES: Final = 10 * _MS
_SLIP_LEAST_SAMPLES: Final = 20 * _MS
_BEAM: Final = 700
_LONG_BEAM: Final = 400
_LONG_SAMPLES: Final = 900 * SAMPLE_RATE_HZ
_WIDER: Final = 4
"""Where none of the best states comes to the end, the last of the way is sought once more with so
many times as many."""
_BACK_SAMPLES: Final = 120 * SAMPLE_RATE_HZ
"""How much of it at first; then twice as much, and again."""
_FARTHEST_SAMPLES: Final = 480 * SAMPLE_RATE_HZ
"""What does not get to the end from so far off does not get there from farther."""
_MARK_SAMPLES: Final = 60 * SAMPLE_RATE_HZ
"""So far apart are the moments that a search can be taken up again from."""


def find_route(pulse: Pulse, leaps: Leaps, goals: Goals, room: Room) -> Route | None:
    """The best route; None where no leap leads to the length that is wanted.

    Args:
        pulse: The recording's beats, at least two.
        leaps: Where the music may go on elsewhere.
        goals: What its beats should meet; may be none.
        room: How much is to be filled, and what may be done for it.
    """
    return _Search(pulse, leaps, goals, room).run()


_Node = tuple[Any, int, float, float, bool]
"""The node before (for the first: where the recording is entered), beat, where it is put, where it
is taken from, whether it may have been leapt to."""


@dataclass(slots=True)
class _States:
    """States of the search, each an entry of every array."""

    beat: NDArray[np.int64]
    at: NDArray[np.float64]
    source: NDArray[np.float64]
    level: NDArray[np.int64]
    since: NDArray[np.int64]
    """Beats since the last leap."""
    cost: NDArray[np.float64]
    parent: NDArray[np.int64]
    """Index of the node that it comes from."""

    def where(self, chosen: NDArray[Any]) -> _States:
        return _States(*(getattr(self, name)[chosen] for name in self.__slots__))


def _joined(parts: list[_States]) -> _States:
    return _States(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in _States.__slots__)
    )


_Pending = dict[int, list[tuple[list[Any], _States]]]
"""Nodes and states by bucket: moments between which no beat is followed by another."""


class _Search:
    def __init__(self, pulse: Pulse, leaps: Leaps, goals: Goals, room: Room) -> None:
        self.pulse, self.leaps, self.goals, self.room = pulse, leaps, goals, room
        steps = max(_LEVELS, math.ceil(room.max_stretch / _MOST_TURN - 1e-9))
        steps = steps if room.max_stretch > 0 else 0
        stretch = room.max_stretch * np.linspace(-1, 1, 2 * steps + 1)
        self.rates = 1 + stretch
        usual = min(room.max_stretch, _LEVELS * _MOST_TURN) or 1.0
        self.strain = _STRETCH_COST * np.square(stretch / usual)
        # No beat is followed by another one in the same bucket.
        self.width = float(np.diff(pulse.at).min()) * (1 - room.max_stretch) * 0.9
        self.beam = _LONG_BEAM if room.length > _LONG_SAMPLES else _BEAM
        self.ahead = Ahead(pulse, leaps, room)
        self.outlook: Outlook | None = None
        if Outlook.fits(pulse, goals, room):
            self.outlook = Outlook(pulse, leaps, goals, room, self.rates, self.strain)
        self.pending: _Pending = {}
        self.marks: list[tuple[int, _Pending]] = []
        """Buckets, and what was pending when they were reached."""
        self.best: tuple[float, Any, float, float] = (np.inf, None, 0.0, 0.0)
        self.hopeful = False
        """Whether the leaps that there are may lead to the end at all."""

    def run(self) -> Route | None:
        self._begin()
        self._through(marking=self.hopeful)
        self.beam *= _WIDER
        back = _BACK_SAMPLES
        while self.best[1] is None and self.marks and back <= _FARTHEST_SAMPLES:
            bucket = (self.room.length - back) / self.width
            while len(self.marks) > 1 and self.marks[-1][0] > bucket:
                self.marks.pop()
            self.pending = self.marks.pop()[1]
            self._through(marking=False)
            back *= 2
        cost, node, leave, end = self.best
        return None if node is None else self._told(cost, node, leave, end)

    def _through(self, *, marking: bool) -> None:
        """From what is pending to the end."""
        apart = _MARK_SAMPLES / self.width
        while self.pending:
            bucket = min(self.pending)
            if marking and (not self.marks or bucket - self.marks[-1][0] >= apart):
                # No way leads back: lists of earlier buckets are not added to.
                self.marks.append((bucket, {at: list(parts) for at, parts in self.pending.items()}))
            nodes, states = self._settled(self.pending.pop(bucket))
            if len(states.beat):
                self._finish(nodes, states)
                self._go_on(nodes, states)

    # --- states --------------------------------------------------------------------------------

    def _begin(self) -> None:
        """The recording from its beginning, or from any moment up to ``slip`` after it."""
        at, levels = self.pulse.at, len(self.rates)
        slips = np.arange(0, self.room.slip + 1, _SLIP_SAMPLES)
        beats = np.searchsorted(at, slips + np.where(slips > 0, _SLIP_LEAST_SAMPLES, 0))
        kept = beats < len(at)
        slips, beats = np.repeat(slips[kept], levels), np.repeat(beats[kept], levels)
        level = np.tile(np.arange(levels), int(kept.sum()))
        put = (at[beats] - slips) * self.rates[level]
        cost = self.strain[level] + np.where(slips > 0, _SLIP_COST, 0.0)
        states = _States(
            beat=beats,
            at=put,
            source=at[beats],
            level=level,
            since=np.zeros(len(beats), dtype=np.int64),
            cost=cost - self._met(put, beats),
            parent=np.arange(len(beats)),
        )
        self.hopeful = bool(np.isfinite(self.ahead.cost(beats, put)).any())
        self._push([float(slip) for slip in slips], states.where(put < self.room.length))

    def _push(self, nodes: list[Any], states: _States) -> None:
        buckets = (states.at / self.width).astype(np.int64)
        for bucket in np.unique(buckets):
            chosen = states.where(buckets == bucket)
            self.pending.setdefault(int(bucket), []).append((nodes, chosen))

    def _settled(self, parts: list[tuple[list[Any], _States]]) -> tuple[list[_Node], _States]:
        """The best states of a bucket, alike ones only once, with their nodes."""
        origin = np.repeat(np.arange(len(parts)), [len(part.beat) for _, part in parts])
        states = _joined([part for _, part in parts])
        hopes = states.cost + self._hope(states)
        order = np.argsort(hopes, kind="stable")
        order = order[np.isfinite(hopes[order])]
        keys = states.beat[order]
        for part, size in (
            ((states.at[order] / _BIN_SAMPLES).astype(np.int64), 1 << 30),
            (states.level[order], len(self.rates)),
            ((states.since[order] >= _APART).astype(np.int64), 2),
        ):
            keys = keys * size + part
        _, first = np.unique(keys, return_index=True)
        chosen = order[np.sort(first)[: self.beam]]
        kept = states.where(chosen)
        # Nodes hold on to those before them: what leads nowhere is given back at once.
        nodes: list[_Node] = [
            (parts[part][0][parent], beat, at, source, since == 0)
            for part, parent, beat, at, source, since in zip(
                origin[chosen].tolist(),
                kept.parent.tolist(),
                kept.beat.tolist(),
                kept.at.tolist(),
                kept.source.tolist(),
                kept.since.tolist(),
                strict=True,
            )
        ]
        kept.parent = np.arange(len(nodes))
        return nodes, kept

    def _hope(self, states: _States) -> NDArray[Any]:
        """What states still have to pay, less what they can meet; infinite if nothing leads on."""
        least = self.ahead.cost(states.beat, states.at)
        if self.outlook is None:
            return least
        hope = self.outlook.cost(states.beat, states.at)
        # Told by moments of a grid: where it sees no way there may be one.
        return np.where(np.isfinite(hope) & np.isfinite(least), hope, least)

    def _go_on(self, nodes: list[_Node], states: _States) -> None:
        """From each state to the next beat, or to one that may stand in for it."""
        states = states.where(states.beat + 1 < len(self.pulse.at))
        found = _joined([*self._straight(states), *self._leapt(states)])
        found = found.where(found.at < self.room.length)
        if len(found.beat):
            found.cost = found.cost - self._met(found.at, found.beat)
            self._push(nodes, found)

    def _straight(self, states: _States) -> Iterator[_States]:
        for turn in (-1, 0, 1):
            level = states.level + turn
            chosen = (level >= 0) & (level < len(self.rates))
            one = states.where(chosen)
            one.level = level[chosen]
            one.cost = one.cost + _TURN_COST * abs(turn)
            yield self._moved(one)

    def _moved(self, states: _States) -> _States:
        """One beat on."""
        after = states.beat + 1
        gap = self.pulse.at[after] - states.source
        return _States(
            beat=after,
            at=states.at + gap * self.rates[states.level],
            source=self.pulse.at[after],
            level=states.level,
            since=states.since + 1,
            cost=states.cost + self.strain[states.level],
            parent=states.parent,
        )

    def _leapt(self, states: _States) -> Iterator[_States]:
        moved = self._moved(states.where(states.since >= _APART - 1))
        for choice in range(self.leaps.to.shape[1]):
            to = self.leaps.to[moved.beat, choice].astype(np.int64)
            one, to = moved.where(to >= 0), to[to >= 0]
            yield _States(
                beat=to,
                at=one.at,
                source=self.pulse.at[to] + self.leaps.shift[one.beat, choice],
                level=one.level,
                since=np.zeros(len(to), dtype=np.int64),
                cost=one.cost + self.leaps.cost[one.beat, choice],
                parent=one.parent,
            )

    def _met(self, at: NDArray[np.float64], beat: NDArray[np.int64]) -> NDArray[np.float64]:
        """What beats are worth where they are put."""
        return worth(self.goals, at, self.pulse.place[beat] == 0)

    # --- the end -------------------------------------------------------------------------------

    def _finish(self, nodes: list[_Node], states: _States) -> None:
        """Keeps the best state of all that can go on to the end without another beat."""
        last = len(self.pulse.at) - 1
        left = self.room.length - states.at
        if self.pulse.ends:
            tail = self.pulse.length - states.source
            cost, played, lasts = ending(tail, left, self.room.max_stretch, self.room.length)
            cost = np.where(states.beat == last, cost, np.inf)
        else:
            after = np.append(self.pulse.at[1:], self.pulse.length)
            rate = self.rates[states.level]
            cost = np.where((after[states.beat] - states.source) * rate >= left, 0.0, np.inf)
            played, lasts = left / rate, left
        total = states.cost + cost
        best = int(np.argmin(total))
        if total[best] < self.best[0]:
            leave = float(states.source[best] + played[best])
            end = float(states.at[best] + lasts[best])
            self.best = (float(total[best]), nodes[best], leave, end)

    def _told(self, cost: float, node: Any, leave: float, end: float) -> Route:  # noqa: ANN401
        steps: list[Step] = []
        while not isinstance(node, float):
            parent, beat, at, source, first = node
            steps.append(Step(beat, at, source, first and not isinstance(parent, float)))
            node = parent
        return Route(
            enter=node,
            steps=tuple(reversed(steps)),
            leave=leave,
            end=end,
            ends=self.pulse.ends,
            cost=cost,
        )
