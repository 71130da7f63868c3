"""Decibels and the gain curve."""

from __future__ import annotations

import numpy as np
import pytest

from scorebed.dsp.gain import curve_gain, db_to_gain, gain_to_db
from scorebed.model import GainCurve

CURVE = GainCurve(at_samples=(-100, 0, 1_000, 1_500, 5_000), gains_db=(0.0, 0.0, -20.0, -20.0, 3.0))


def test_decibels_and_back() -> None:
    assert db_to_gain(0.0) == 1.0
    assert db_to_gain(20.0) == pytest.approx(10.0)
    assert gain_to_db(0.1) == pytest.approx(-20.0)
    assert gain_to_db(0.0) is None


def test_linear_in_decibels_and_exact_at_the_points() -> None:
    gain = curve_gain(CURVE, -200, 6_000)
    assert gain.dtype == np.float32
    assert gain.shape == (6_000,)
    gain_db = 20 * np.log10(gain.astype(np.float64))
    for position, expected_db in zip(CURVE.at_samples, CURVE.gains_db, strict=True):
        assert gain_db[position + 200] == pytest.approx(expected_db, abs=1e-5)
    assert gain_db[700] == pytest.approx(-10.0, abs=1e-5)
    assert gain_db[:200] == pytest.approx(0.0, abs=1e-6)
    assert gain_db[5_200:] == pytest.approx(3.0, abs=1e-5)


@pytest.mark.parametrize("size", [1, 7, 499, 2_000])
def test_does_not_depend_on_the_cut(size: int) -> None:
    pieces = [curve_gain(CURVE, at, min(size, 6_000 - at)) for at in range(-200, 6_000, size)]
    whole = curve_gain(CURVE, -200, 6_200)
    assert np.concatenate(pieces) == pytest.approx(whole, rel=1e-6)


def test_flat_curves() -> None:
    assert (curve_gain(GainCurve(at_samples=(5,), gains_db=(0.0,)), 0, 100) == 1.0).all()
    assert (curve_gain(GainCurve(at_samples=(), gains_db=()), 0, 100) == 1.0).all()
    assert curve_gain(CURVE, 0, 0).shape == (0,)


def test_a_dip_inside_a_block_is_not_missed() -> None:
    curve = GainCurve(at_samples=(0, 40, 50, 60, 100), gains_db=(0.0, 0.0, -6.0, 0.0, 0.0))
    assert curve_gain(curve, 0, 100).min() == pytest.approx(10 ** (-6 / 20), rel=1e-6)
