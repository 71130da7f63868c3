"""Grouping of shots into scenes by likeness and length. Arrays only."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

MIN_SCENE_S = 3.0
_MERGE_BELOW = 0.35
"""Scenes whose union costs less than this (seconds times likeness) are one. Ward's criterion:
the cost grows with both lengths, so a long different shot stays and a short insert does not."""
_LONG_S = 300.0
"""A scene of five minutes has to be twice as alike to be merged only because there are too many."""


@dataclass(slots=True)
class _Group:
    first: int
    length_s: float
    mean: NDArray[np.float64]


def group_shots(
    lengths_s: NDArray[np.float64], features: NDArray[np.float64], *, max_scenes: int
) -> list[int]:
    """Which shots open a scene.

    Neighbours are merged, cheapest first, until what is left differs, no scene is shorter than 3 s,
    and there are at most ``max_scenes``: one more leaves all others where they are.

    Args:
        lengths_s: Length of each shot in seconds, shape (shots,).
        features: What each looks like, shape (shots, features), comparable by Euclidean distance.
        max_scenes: Most scenes, at least 1.

    Returns:
        Indices of the shots that open a scene, rising; the first is 0.
    """
    groups = [
        _Group(first=index, length_s=float(length), mean=feature.astype(np.float64))
        for index, (length, feature) in enumerate(zip(lengths_s, features, strict=True))
    ]
    costs = [_cost(left, right) for left, right in pairwise(groups)]
    while len(groups) > 1:
        at = _next_merge(groups, costs, max_scenes)
        if at is None:
            break
        left, right = groups[at], groups[at + 1]
        total_s = left.length_s + right.length_s
        mean = (left.mean * left.length_s + right.mean * right.length_s) / max(total_s, 1e-9)
        groups[at : at + 2] = [_Group(first=left.first, length_s=total_s, mean=mean)]
        del costs[at]
        for side in (at - 1, at):
            if 0 <= side < len(costs):
                costs[side] = _cost(groups[side], groups[side + 1])
    return [group.first for group in groups]


def _cost(left: _Group, right: _Group) -> float:
    apart = float(np.sum((left.mean - right.mean) ** 2))
    return apart * left.length_s * right.length_s / max(left.length_s + right.length_s, 1e-9)


def _next_merge(groups: list[_Group], costs: list[float], max_scenes: int) -> int | None:
    """Index of the left one of the pair to merge, or None when the grouping is done."""
    cheapest = min(range(len(costs)), key=lambda side: costs[side])
    # What is alike first: a short shot then joins a scene, not a part of one.
    if costs[cheapest] < _MERGE_BELOW:
        return cheapest
    short = [index for index, group in enumerate(groups) if group.length_s < MIN_SCENE_S]
    if short:
        beside = {side for index in short for side in (index - 1, index) if 0 <= side < len(costs)}
        return min(beside, key=lambda side: costs[side])
    if len(groups) <= max_scenes:
        return None
    return min(range(len(costs)), key=lambda side: costs[side] * _long(groups, side))


def _long(groups: list[_Group], side: int) -> float:
    """What a union costs beside its looks: in three hours no scene takes in all the others."""
    return 1 + (groups[side].length_s + groups[side + 1].length_s) / _LONG_S
