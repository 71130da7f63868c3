"""The search for a route, on beats and cuts that are made up."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from scorebed.dsp.cutlock import find_route
from scorebed.dsp.outlook import Outlook
from scorebed.dsp.route import NO_GOALS, Goals, Leaps, Pulse, Room, Route

RATE_HZ = 48_000


def pulse(beats: int = 64, *, bpm: float = 120.0, tail_s: float = 2.0, ends: bool = True) -> Pulse:
    gap = 60 / bpm * RATE_HZ
    at = gap * np.arange(beats, dtype=np.float64)
    return Pulse(
        at=at,
        place=np.arange(beats) % 4,
        per_bar=4,
        length=round(at[-1] + tail_s * RATE_HZ),
        ends=ends,
    )


def leaps(of: Pulse, *, every: int = 4, reach: int = 1000, cost: float = 0.5) -> Leaps:
    """From each beat to all that are whole bars away, but for the opening and the ending."""
    count = len(of.at)
    to = np.full((count, count // every + 1), -1, dtype=np.int32)
    for beat in range(4, count - 4):
        others = [
            one
            for one in range(beat % every, count - 4, every)
            if one >= 4 and 0 < abs(one - beat) <= reach
        ]
        to[beat, : len(others)] = others
    return Leaps(
        to=to,
        cost=np.full(to.shape, cost, dtype=np.float32),
        shift=np.zeros(to.shape, dtype=np.float32),
    )


NO_LEAPS = Leaps(
    to=np.zeros((64, 0), dtype=np.int32),
    cost=np.zeros((64, 0), dtype=np.float32),
    shift=np.zeros((64, 0), dtype=np.float32),
)


def goals(*at_s: float, downbeat: bool = False, weight: float = 1.0) -> Goals:
    return Goals(
        at=np.array(at_s) * RATE_HZ,
        weight=np.full(len(at_s), weight),
        downbeat=np.full(len(at_s), downbeat),
    )


def room(length_s: float, *, stretch: float = 0.04, slip_s: float = 0.0) -> Room:
    return Room(length=round(length_s * RATE_HZ), max_stretch=stretch, slip=round(slip_s * RATE_HZ))


def found(*asked: object) -> Route:
    route = find_route(*asked)  # type: ignore[arg-type]
    assert route is not None
    return route


def gaps(route: Route, of: Pulse) -> list[float]:
    """Length of each beat over what it was."""
    return [
        (right.at - left.at) / (of.at[left.beat + 1] - left.source)
        for left, right in pairwise(route.steps)
    ]


def offsets_ms(route: Route, wanted: Goals, down: Pulse | None = None) -> list[float]:
    at = np.array([step.at for step in route.steps if down is None or down.place[step.beat] == 0])
    return [float(np.abs(at - one).min()) * 1000 / RATE_HZ for one in wanted.at]


def test_what_is_as_long_as_its_room_is_played_as_it_is() -> None:
    beats = pulse()
    route = found(beats, leaps(beats), NO_GOALS, room(beats.length / RATE_HZ))
    assert not any(step.leapt for step in route.steps)
    assert [step.at for step in route.steps] == pytest.approx(list(beats.at))
    assert (route.enter, route.leave, route.end) == (0, beats.length, beats.length)


@pytest.mark.parametrize("length_s", [11.0, 20.3, 29.37, 32.9, 34.1, 47.77, 90.0, 170.2])
@pytest.mark.parametrize("stretch", [0.0, 0.04])
def test_any_length_is_filled_with_the_own_opening_and_ending(
    length_s: float, stretch: float
) -> None:
    beats = pulse(tail_s=3)
    wanted = room(length_s, stretch=stretch)
    route = found(beats, leaps(beats), NO_GOALS, wanted)
    kept = [step.beat for step in route.steps]
    assert kept[:4] == [0, 1, 2, 3]
    assert kept[-4:] == [60, 61, 62, 63]
    assert route.ends
    assert wanted.length - RATE_HZ <= route.end <= wanted.length
    assert all(1 - stretch - 1e-9 <= gap <= 1 + stretch + 1e-9 for gap in gaps(route, beats))
    # No more leaps than the length asks for.
    leapt = sum(step.leapt for step in route.steps)
    assert leapt <= 1 + length_s // 25
    for left, right in pairwise(route.steps):
        assert right.leapt or right.beat == left.beat + 1
        assert (right.beat - left.beat - 1) % 4 == 0


def test_the_last_note_makes_up_for_what_bars_cannot() -> None:
    beats = pulse(tail_s=3)
    wanted = room(21.0, stretch=0.0)
    route = found(beats, leaps(beats), NO_GOALS, wanted)
    last = route.steps[-1].at
    assert route.end - last <= 3 * RATE_HZ
    assert route.end - last >= 1.5 * RATE_HZ


@pytest.mark.parametrize("stretch", [0.04, 0.1, 0.2])
def test_no_beat_is_over_one_percent_from_the_one_before(stretch: float) -> None:
    """However far the music may be stretched."""
    beats = pulse(bpm=120, ends=False)
    wanted = goals(3.3, 7.6, 10.4, 15.8, 19.1, 23.7, 27.2)
    route = found(beats, NO_LEAPS, wanted, room(28, stretch=stretch))
    ratios = gaps(route, beats)
    assert max(abs(right - left) for left, right in pairwise(ratios)) <= 0.01 + 1e-9
    assert 0.03 < max(abs(ratio - 1) for ratio in ratios) <= stretch + 1e-9


def test_no_way_is_no_route() -> None:
    assert find_route(pulse(), NO_LEAPS, NO_GOALS, room(20)) is None
    assert find_route(pulse(), NO_LEAPS, NO_GOALS, room(60)) is None
    assert find_route(pulse(ends=False), NO_LEAPS, NO_GOALS, room(20)) is not None
    assert find_route(pulse(ends=False), NO_LEAPS, NO_GOALS, room(60)) is None


@pytest.mark.parametrize("bpm", [97.0, 120.0, 131.0])
def test_cuts_that_can_be_met_are_met(bpm: float) -> None:
    beats = pulse(bpm=bpm, ends=False)
    wanted = goals(7.3, 15.1, 22.9, 28.2)
    route = found(beats, NO_LEAPS, wanted, room(30))
    assert max(offsets_ms(route, wanted)) < 60
    unlocked = found(beats, NO_LEAPS, NO_GOALS, room(30))
    assert max(offsets_ms(unlocked, wanted)) > 70


def test_scene_changes_are_met_by_downbeats() -> None:
    """Where whole bars do not lead there, one is made shorter or longer."""
    beats = pulse(bpm=104, ends=False)
    wanted = goals(8.4, 19.0, 27.7, downbeat=True, weight=2.0)
    route = found(beats, leaps(beats, every=1, reach=3), wanted, room(30))
    assert max(offsets_ms(route, wanted, beats)) < 45
    bars = found(beats, leaps(beats), wanted, room(30))
    assert max(offsets_ms(bars, wanted, beats)) > 70


@pytest.mark.parametrize("bpm", [104.0, 131.0])
def test_a_leap_is_made_long_before_what_it_is_for(bpm: float) -> None:
    """Goals lie far apart, leaps are few and dear: each is paid seconds before it is worth it."""
    beats = pulse(96, bpm=bpm, ends=False)
    wanted = goals(17.3, 33.9, downbeat=True, weight=2.0)
    few = leaps(beats, every=1, reach=3, cost=0.9)
    few.to[np.arange(96) % 16 != 5] = -1
    route = found(beats, few, wanted, room(40, stretch=0.01))
    assert max(offsets_ms(route, wanted, beats)) < 70
    assert sum(step.leapt for step in route.steps) <= 4


def test_what_lies_ahead_is_what_is_paid_in_the_end() -> None:
    beats = pulse(ends=False)
    asked = (beats, leaps(beats, every=2, reach=6), goals(7.3, 15.1, 22.9, downbeat=True, weight=3))
    wanted = room(28)
    rates = np.linspace(0.96, 1.04, 9)
    outlook = Outlook(*asked, wanted, rates, np.zeros(9))
    route = found(*asked, wanted)
    least = float(outlook.cost(np.array([0]), np.array([0.0]))[0])
    # It leaves out what turns of stretch cost, no more.
    assert least - 0.1 <= route.cost <= least + 0.6
    # At the end nothing is to be paid, nor met.
    assert outlook.cost(np.array([58]), np.array([27.9 * RATE_HZ])) == pytest.approx([0.0])


def test_a_stronger_cut_wins() -> None:
    beats = pulse(ends=False)
    two = goals(6.0, 6.24)
    for strong in (0, 1):
        weight = np.where(np.arange(2) == strong, 1.0, 0.3)
        route = found(beats, NO_LEAPS, replace(two, weight=weight), room(10))
        off = offsets_ms(route, two)
        assert off[strong] < 45 < off[1 - strong]


@pytest.mark.parametrize("stretch", [0.0, 0.01, 0.04])
def test_stretch_keeps_to_its_limit_and_turns_slowly(stretch: float) -> None:
    beats = pulse(ends=False)
    wanted = goals(3.2, 5.9, 9.3, 12.1, 17.17, 22.22)
    route = found(beats, leaps(beats), wanted, room(28, stretch=stretch))
    ratios = gaps(route, beats)
    assert max(abs(ratio - 1) for ratio in ratios) <= stretch + 1e-9
    turns = np.abs(np.diff(ratios))
    assert turns.max() <= stretch / 4 + 1e-9
    assert (stretch == 0) == (np.ptp(ratios) < 1e-9)


def test_the_piece_may_be_entered_late_to_meet_a_cut() -> None:
    beats = pulse(ends=False)
    wanted = goals(1.25, 2.25, 3.25)
    fixed = found(beats, NO_LEAPS, wanted, room(10))
    free = found(beats, NO_LEAPS, wanted, room(10, slip_s=2))
    assert fixed.enter == 0
    assert 0 < free.enter <= 2 * RATE_HZ
    assert max(offsets_ms(free, wanted)) < 30 < max(offsets_ms(fixed, wanted))


def test_a_leap_is_entered_where_it_was_heard_to_fit() -> None:
    beats = pulse()
    late = leaps(beats)
    late.shift[:] = 480
    route = found(beats, late, NO_GOALS, room(20))
    leapt = [step for step in route.steps if step.leapt]
    assert leapt
    assert all(step.source == beats.at[step.beat] + 480 for step in leapt)


def test_the_same_twice() -> None:
    beats = pulse()
    asked = (beats, leaps(beats), goals(3.3, 9.9, 14.2), room(25, slip_s=2))
    assert find_route(*asked) == find_route(*asked)


@pytest.mark.slow
def test_an_hour_with_a_cut_every_five_seconds() -> None:
    beats = pulse(360)
    rng = np.random.default_rng(2)
    wanted = goals(*np.sort(rng.uniform(2, 3590, 700)))
    route = found(beats, leaps(beats, every=16), wanted, room(3600))
    met = np.mean(np.array(offsets_ms(route, wanted)) <= 70)
    assert met > 0.55
