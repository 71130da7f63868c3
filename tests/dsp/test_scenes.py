"""Shots that belong together: nested, never short, and not moved by a little noise."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from scorebed.dsp.scenes import MIN_SCENE_S, group_shots


def film(seed: int) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Shots of eight places, the shots that open a place, and how they look."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(2, 7, 8)
    places = np.repeat(rng.normal(0, 0.35, (8, 30)), counts, axis=0)
    looks = places + rng.normal(0, 0.02, places.shape)
    lengths_s = rng.uniform(1.0, 6.0, len(looks)) + 1.0
    return lengths_s, looks, [0, *np.cumsum(counts)[:-1].tolist()]


@pytest.mark.parametrize("seed", range(5))
def test_places_are_scenes(seed: int) -> None:
    lengths_s, looks, openings = film(seed)
    assert group_shots(lengths_s, looks, max_scenes=10) == openings


@pytest.mark.parametrize("seed", range(5))
def test_one_scene_more_moves_no_other(seed: int) -> None:
    lengths_s, looks, _ = film(seed)
    found = [set(group_shots(lengths_s, looks, max_scenes=most)) for most in range(1, 12)]
    for fewer, more in itertools.pairwise(found):
        assert fewer <= more
        assert len(more) - len(fewer) <= 1


@pytest.mark.parametrize("seed", range(5))
def test_a_little_noise_moves_nothing(seed: int) -> None:
    lengths_s, looks, _ = film(seed)
    noisy = looks + np.random.default_rng(9).normal(0, 0.01, looks.shape)
    for most in (3, 5, 8):
        assert group_shots(lengths_s, looks, max_scenes=most) == group_shots(
            lengths_s, noisy, max_scenes=most
        )


def test_no_scene_is_short_unless_the_film_is() -> None:
    rng = np.random.default_rng(2)
    lengths_s = rng.uniform(0.2, 1.5, 60)
    firsts = group_shots(lengths_s, rng.normal(0, 1, (60, 30)), max_scenes=20)
    bounds = [*firsts, len(lengths_s)]
    scenes_s = [lengths_s[a:b].sum() for a, b in itertools.pairwise(bounds)]
    assert min(scenes_s) >= MIN_SCENE_S
    assert group_shots(np.array([0.5, 0.7]), rng.normal(0, 1, (2, 30)), max_scenes=20) == [0]


def test_three_hours_of_the_same_are_not_one_scene() -> None:
    """Places come again and again, as in a programme of parts."""
    rng = np.random.default_rng(3)
    places = rng.normal(0, 0.35, (6, 30))
    looks = places[np.arange(900) % 6] + rng.normal(0, 0.01, (900, 30))
    lengths_s = np.full(900, 12.0)
    firsts = [*group_shots(lengths_s, looks, max_scenes=10), 900]
    longest_s = max(12.0 * (b - a) for a, b in itertools.pairwise(firsts))
    assert longest_s < 0.3 * lengths_s.sum()
