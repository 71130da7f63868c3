"""The outline of a waveform: lowest and highest sample per column, whatever its length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from scorebed.model import Audio

_COLUMNS: Final = 4096
"""At most this many, and at least half as many but for a very short sound."""


class Outline:
    """Follows the lowest and highest sample of any channel, block by block.

    The length need not be known: when all columns are full, pairs become one.
    """

    def __init__(self) -> None:
        self._size = 1
        self._count = 0
        self._filled = 0
        self._columns = np.zeros((2, _COLUMNS + 1), dtype=np.float32)

    def add(self, block: Audio) -> None:
        """Takes the next block, shape (samples, channels)."""
        extremes = np.stack([block.min(axis=1), block.max(axis=1)])
        while extremes.shape[1]:
            if self._count == _COLUMNS:
                self._halve()
            whole = min(extremes.shape[1] // self._size, _COLUMNS - self._count)
            if self._filled or not whole:
                taken = min(self._size - self._filled, extremes.shape[1])
                self._open(extremes[:, :taken])
            else:
                taken = whole * self._size
                parts = extremes[:, :taken].reshape(2, whole, self._size)
                self._columns[0, self._count : self._count + whole] = parts[0].min(axis=1)
                self._columns[1, self._count : self._count + whole] = parts[1].max(axis=1)
                self._count += whole
            extremes = extremes[:, taken:]

    def _open(self, extremes: NDArray[np.float32]) -> None:
        column = self._columns[:, self._count]
        low, high = extremes[0].min(), extremes[1].max()
        column[:] = (min(column[0], low), max(column[1], high)) if self._filled else (low, high)
        self._filled += extremes.shape[1]
        if self._filled == self._size:
            self._count, self._filled = self._count + 1, 0

    def _halve(self) -> None:
        pairs = self._columns[:, :_COLUMNS].reshape(2, -1, 2)
        self._columns[0, : _COLUMNS // 2] = pairs[0].min(axis=1)
        self._columns[1, : _COLUMNS // 2] = pairs[1].max(axis=1)
        self._count, self._size = _COLUMNS // 2, self._size * 2

    @property
    def column_samples(self) -> int:
        """Samples of one column; the last one may have fewer."""
        return self._size

    @property
    def extremes(self) -> NDArray[np.float32]:
        """Lowest and highest sample of each column so far, shape (2, columns)."""
        return self._columns[:, : self._count + (self._filled > 0)].copy()


def outline(blocks: Iterable[Audio]) -> Outline:
    """The outline of a whole sound.

    Args:
        blocks: Arrays of shape (samples, channels), in order.
    """
    drawn = Outline()
    for block in blocks:
        drawn.add(block)
    return drawn
