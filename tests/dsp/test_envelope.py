"""The shape of the duck."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scorebed.dsp.envelope import Stretch, duck_curve, flat_curve
from scorebed.dsp.gain import curve_db
from scorebed.model import DuckSettings, GainCurve

MS = 48
S = 48_000
USUAL = DuckSettings(enabled=True, speech_margin_lu=14.0)


def stretch(start_s: float, end_s: float, depth_db: float) -> Stretch:
    return Stretch(
        start_samples=round(start_s * S), end_samples=round(end_s * S), depth_db=depth_db
    )


def curve(*stretches: Stretch, duck: DuckSettings = USUAL, length_s: float = 60.0) -> GainCurve:
    return duck_curve(stretches, duck, start_samples=0, end_samples=round(length_s * S))


def at(gain_curve: GainCurve, *times_s: float) -> list[float]:
    positions = np.array([round(time_s * S) for time_s in times_s])
    return [float(gain) for gain in curve_db(gain_curve, positions)]


def test_one_stretch_has_the_book_shape() -> None:
    assert curve(stretch(10, 14, 10)) == GainCurve(
        at_samples=(0, round(9.5 * S), round(9.8 * S), 14 * S, round(14.75 * S), 60 * S),
        gains_db=(0.0, 0.0, -10.0, -10.0, 0.0, 0.0),
    )


def test_deep_ducks_take_longer_than_the_attack() -> None:
    gain_curve = curve(stretch(10, 14, 24))
    assert at(gain_curve, 9.8, 9.2, 9.19, 14.75) == pytest.approx([-24, 0, 0, 0], abs=1e-6)


def test_no_speech_and_no_depth_are_flat() -> None:
    assert curve() == flat_curve(0)
    assert curve(stretch(3, 4, 0)) == flat_curve(0)


def test_a_pause_too_short_to_follow_stays_down() -> None:
    gain_curve = curve(stretch(10, 12, 10), stretch(13.2, 15, 10))
    assert at(gain_curve, 9.8, 12.6, 13.2, 15) == pytest.approx([-10] * 4)


def test_a_long_pause_is_followed() -> None:
    gain_curve = curve(stretch(10, 12, 10), stretch(15, 17, 10))
    assert at(gain_curve, 12, 12.75, 14.5, 14.8) == pytest.approx([-10, 0, 0, -10], abs=1e-3)


def test_a_pause_with_time_for_a_bump_only_stays_down() -> None:
    gain_curve = curve(stretch(10, 12, 10), stretch(13.5, 17, 10))
    assert at(gain_curve, 12, 12.75, 13.5) == pytest.approx([-10, -10, -10])


def test_different_depths_join_without_a_bump() -> None:
    gain_curve = curve(stretch(10, 12, 8), stretch(13.2, 15, 20))
    between = curve_db(gain_curve, np.arange(12 * S, 13 * S))
    assert (np.diff(between) <= 1e-9).all()
    assert at(gain_curve, 12.0, 13.0, 15.0) == pytest.approx([-8, -20, -20])


def test_a_shallow_neighbour_does_not_lift_a_deep_one() -> None:
    gain_curve = curve(stretch(10, 12, 20), stretch(13.2, 15, 8))
    assert at(gain_curve, 12.0, 13.2, 15.0) == pytest.approx([-20, -8, -8])


def test_stays_within_the_music() -> None:
    whole = curve(stretch(1, 3, 12), stretch(50, 65, 12))
    part = duck_curve(
        (stretch(1, 3, 12), stretch(50, 65, 12)),
        USUAL,
        start_samples=2 * S,
        end_samples=51 * S,
    )
    assert part.at_samples[0] == 2 * S
    assert part.at_samples[-1] == 51 * S
    inside = np.arange(2 * S, 51 * S, 100)
    assert curve_db(part, inside) == pytest.approx(curve_db(whole, inside), abs=1e-6)


def test_speech_outside_the_music_is_nothing() -> None:
    outside = (stretch(1, 3, 12), stretch(50, 55, 12))
    gain_curve = duck_curve(outside, USUAL, start_samples=10 * S, end_samples=40 * S)
    assert gain_curve == flat_curve(10 * S)


@st.composite
def speeches(draw: st.DrawFn) -> list[Stretch]:
    position, made = draw(st.integers(-S, 5 * S)), []
    for _ in range(draw(st.integers(1, 8))):
        length = draw(st.integers(1, 4 * S))
        depth_db = draw(st.one_of(st.just(0.0), st.floats(0.01, 30.0)))
        made.append(
            Stretch(start_samples=position, end_samples=position + length, depth_db=depth_db)
        )
        position += length + draw(st.integers(0, 4 * S))
    return made


duck_settings = st.builds(
    DuckSettings,
    enabled=st.booleans(),
    speech_margin_lu=st.floats(0, 30),
    look_ahead_ms=st.floats(0, 600),
    attack_ms=st.floats(0, 900),
    hold_ms=st.floats(0, 2000),
    release_ms=st.floats(0, 1500),
)


@given(speeches(), duck_settings)
@settings(max_examples=100, deadline=None)
def test_rules_hold_for_any_speech(made: list[Stretch], duck: DuckSettings) -> None:
    start, end = 0, 40 * S
    gain_curve = duck_curve(made, duck, start_samples=start, end_samples=end)
    points = list(zip(gain_curve.at_samples, gain_curve.gains_db, strict=True))
    look_ahead = round(duck.look_ahead_ms * MS)
    assert all(start <= position <= end for position, _ in points)
    for (left, left_db), (right, right_db) in pairwise(points):
        assert left < right
        assert abs(right_db - left_db) <= 40.0 * (right - left) / S + 1e-6
    for item in made:
        inside = np.arange(max(start, item.start_samples - look_ahead), item.end_samples, 60)
        inside = inside[inside <= end]
        assert (curve_db(gain_curve, inside) <= -item.depth_db + 1e-6).all()
    deepest = max(item.depth_db for item in made)
    positions = np.arange(start, end, 480)
    gains_db = curve_db(gain_curve, positions)
    assert gains_db.min() >= -deepest - 1e-6
    assert gains_db.max() <= 0.0
    ramp = max(duck.attack_ms, duck.release_ms, deepest / 40 * 1000) * MS + 2
    ducked = [item for item in made if item.depth_db > 0]
    near = np.zeros(len(positions), dtype=bool)
    for item in ducked:
        first, last = item.start_samples - look_ahead - ramp, item.end_samples + ramp
        near |= (positions >= first) & (positions <= last)
    for one, other in pairwise(ducked):
        if other.start_samples - one.end_samples < look_ahead + 2 * ramp + S / 2:
            near |= (positions >= one.end_samples) & (positions <= other.start_samples)
    assert (gains_db[~near] == 0.0).all()


@given(speeches())
@settings(max_examples=100, deadline=None)
def test_the_music_is_back_within_a_second_and_a_half(made: list[Stretch]) -> None:
    gain_curve = duck_curve(made, USUAL, start_samples=0, end_samples=60 * S)
    ends = [*(item.start_samples for item in made[1:]), 60 * S]
    for item, following in zip(made, ends, strict=True):
        if following - item.end_samples > 3 * S and item.end_samples >= 0:
            back = np.array([item.end_samples + 3 * S // 2])
            assert curve_db(gain_curve, back)[0] >= -1.0
