"""What a job needs before it begins."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest

from scorebed.job import workspace_bytes
from scorebed.options import Options
from scorebed.settings import resolve


@pytest.mark.parametrize(("provider", "small"), [("embedded", False), ("elevenlabs", True)])
def test_room_for_a_small_film_is_wanted_where_one_is_made(provider: str, small: bool) -> None:  # noqa: FBT001
    length_s = 600
    picture: Any = SimpleNamespace(duration_s=Fraction(length_s), length_samples=48_000 * length_s)
    plan: Any = SimpleNamespace(mixed_channels=2)
    sound = 48_000 * length_s * 4 * 8
    found = workspace_bytes(resolve(Options(provider=provider)), picture, plan)
    assert (found > sound + 100_000 * length_s) == small
    assert found >= sound
