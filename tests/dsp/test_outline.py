"""The outline of a waveform: every sample is inside, whatever the blocks and the length."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from scorebed.dsp.outline import Outline, outline


@pytest.mark.parametrize("length", [1, 5, 4095, 4096, 4097, 100_003, 1_000_000])
@pytest.mark.parametrize("block", [1_000, 65_536])
def test_each_column_holds_the_extremes_of_its_samples(length: int, block: int) -> None:
    audio = np.random.default_rng(length).standard_normal((length, 2)).astype(np.float32)
    drawn = outline(audio[at : at + block] for at in range(0, length, block))
    low, high = drawn.extremes
    size = drawn.column_samples
    assert len(low) == -(-length // size)
    assert len(low) <= 4096
    assert len(low) > 2048 or size == 1
    for column in {0, len(low) // 2, len(low) - 1}:
        part = audio[column * size : (column + 1) * size]
        assert low[column] == part.min()
        assert high[column] == part.max()


def test_nothing_has_no_outline() -> None:
    assert Outline().extremes.shape == (2, 0)


def test_memory_does_not_grow() -> None:
    block = np.random.default_rng(1).standard_normal((48_000, 2)).astype(np.float32)
    drawn = Outline()
    tracemalloc.start()
    for _ in range(50):
        drawn.add(block)
    _, highest_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert highest_bytes < 2_000_000
