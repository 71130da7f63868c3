"""True peak: a streaming meter that also keeps the envelope that the limiter works from.

libebur128's binding measures the highest peak only, and slowly; here the interpolation is a matrix
product over short rows of samples, which a BLAS does at tens of operations per clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from scorebed.model import Audio

HOP_SAMPLES = 60
"""Samples of one value of the envelope: 1.25 ms, so that 3 h are 8.6 million values, 35 MB."""
OVERSAMPLING = 8
"""Interpolated points per sample. BS.1770-4 annex 2 asks for 4 at least; at 8 the highest a peak
near half the sample rate can hide is 0.17 dB instead of 0.69 dB."""
_TAPS = 32
_BEFORE = _TAPS // 2 - 1
_AFTER = _TAPS // 2
_KAISER_BETA = 5.0
"""Window of the interpolator: flat within 0.1 dB up to 20 kHz with 32 taps (checked in tests)."""
_ROW_SAMPLES = 20
"""Samples that one row of the matrix product answers for (fastest of 12, 20, 30 and 60)."""
_MOST_HOPS = 0.6
"""Share of hops over which all are interpolated: picking them would take longer than it saves."""
assert _TAPS <= HOP_SAMPLES, "the taps of a hop reach into the next one at most"
_PIECE_SAMPLES = 128 * HOP_SAMPLES
"""What is interpolated at a time; its points fit the processor's cache."""


def _kernels() -> list[NDArray[np.float64]]:
    """One kernel of ``_TAPS`` weights for each point between a sample and the next.

    Seven of our own, and the three of libebur128 (49 taps at 4 times, Hann window), which near half
    the sample rate read higher now and then: what is under the ceiling here is so there as well.
    """
    offsets = np.arange(-_BEFORE, _AFTER + 1)
    kernels = []
    for point in range(1, OVERSAMPLING):
        distance = offsets - point / OVERSAMPLING
        edge = np.clip(distance / (_TAPS / 2), -1.0, 1.0)
        kernel = np.sinc(distance) * np.i0(_KAISER_BETA * np.sqrt(1.0 - edge**2))
        kernels.append(kernel / kernel.sum())
    for point in range(1, 4):
        distance = np.clip(offsets - point / 4, -6.0, 6.0)
        kernels.append(np.sinc(distance) * (0.5 + 0.5 * np.cos(np.pi * distance / 6.0)))
    return kernels


def _interpolator() -> NDArray[np.float32]:
    """Matrix from a row of samples to all points between them.

    Shape (_ROW_SAMPLES + _TAPS - 1, _ROW_SAMPLES * kernels).
    """
    kernels = np.transpose(_kernels())
    matrix = np.zeros((_ROW_SAMPLES + _TAPS - 1, _ROW_SAMPLES, kernels.shape[1]))
    for sample in range(_ROW_SAMPLES):
        matrix[sample : sample + _TAPS, sample] = kernels
    return np.asarray(matrix.reshape(len(matrix), -1), dtype=np.float32)


class PeakFollower:
    """Follows the true peak of a programme block by block.

    The result does not depend on how the programme is cut into blocks.

    Args:
        channels: Number of channels.
        span_db: Interpolate only what may come this near to the highest peak so far; a hop that
            is lower is told by its samples. 0 for the highest peak alone: several times as fast on
            usual programmes. None for all.
        above: Interpolate whatever may pass this as well, linear.
        known: Highest true peak of what is heard elsewhere, linear.
    """

    def __init__(
        self,
        channels: int,
        *,
        span_db: float | None = None,
        above: float = np.inf,
        known: float = 0.0,
    ) -> None:
        self._matrix = _interpolator()
        # No point between samples passes the highest sample around it by more than this factor:
        # under a channel that is so much louder, another is not interpolated.
        self._reach = float(np.abs(self._matrix).sum(axis=0).max())
        self._above = above
        self._share = 0.0 if span_db is None else 10.0 ** (-span_db / 20.0)
        self._highest = known
        self._pending = [np.zeros((_BEFORE, channels), dtype=np.float32)]
        self._pending_samples = _BEFORE

    def add(self, block: Audio) -> NDArray[np.float32]:
        """Takes the next block.

        Args:
            block: Samples, shape (samples, channels).

        Returns:
            Highest true peak of all channels, linear, for each hop that is now complete.
        """
        self._pending.append(block)
        self._pending_samples += len(block)
        needed = _PIECE_SAMPLES + _TAPS - 1
        if self._pending_samples < needed:
            return np.zeros(0, dtype=np.float32)
        waiting = np.concatenate(self._pending)
        pieces = (len(waiting) - _TAPS + 1) // _PIECE_SAMPLES
        peaks = []
        for at in range(0, pieces * _PIECE_SAMPLES, _PIECE_SAMPLES):
            peaks.append(self._peaks(waiting[at : at + needed]))
            self._highest = max(self._highest, float(peaks[-1].max()))
        rest = waiting[pieces * _PIECE_SAMPLES :].copy()
        self._pending, self._pending_samples = [rest], len(rest)
        return np.concatenate(peaks)

    def rest(self) -> NDArray[np.float32]:
        """The hops that are still open, as if silence followed; changes nothing."""
        waiting = np.concatenate(self._pending)
        hops = -((_BEFORE - len(waiting)) // HOP_SAMPLES)
        padded = np.zeros((hops * HOP_SAMPLES + _TAPS - 1, waiting.shape[1]), dtype=np.float32)
        padded[: len(waiting)] = waiting
        return self._peaks(padded)

    @property
    def highest(self) -> float:
        """Highest true peak so far, linear, as if silence followed."""
        return max(self._highest, float(self.rest().max(initial=0.0)))

    def _peaks(self, samples: Audio) -> NDArray[np.float32]:
        """Of the samples between the first and the last taps, shape (hops,)."""
        hops = (len(samples) - _TAPS + 1) // HOP_SAMPLES
        if not hops:
            return np.zeros(0, dtype=np.float32)
        magnitudes = np.abs(samples.T, order="C")
        loudest = magnitudes.max(axis=0)
        peaks = _highest_of(loudest[_BEFORE:], hops)
        highest = max(self._highest, float(peaks.max()))
        least = np.float32(min(self._share * highest, self._above))
        for index in np.argsort(-magnitudes.max(axis=1)):
            at_most = self._reach * _highest_around(magnitudes[index], hops)
            rising = at_most > np.maximum(peaks, least)
            self._raise(peaks, np.ascontiguousarray(samples[:, index]), rising)
        return peaks

    def _raise(
        self, peaks: NDArray[np.float32], channel: NDArray[np.float32], rising: NDArray[np.bool_]
    ) -> None:
        """Interpolates a channel in the hops where it may pass what is known of them."""
        count = np.count_nonzero(rising)
        if not count:
            return
        rows = np.lib.stride_tricks.sliding_window_view(channel, len(self._matrix))[::_ROW_SAMPLES]
        if count > _MOST_HOPS * len(rising):
            rising = np.ones_like(rising)
        else:
            rows = rows[np.repeat(rising, HOP_SAMPLES // _ROW_SAMPLES)]
        found = (rows @ self._matrix).reshape(np.count_nonzero(rising), -1)
        # Faster than a copy of magnitudes.
        found = np.maximum(found.max(axis=1), -found.min(axis=1))
        peaks[rising] = np.maximum(peaks[rising], found)


def _highest_of(magnitudes: NDArray[np.float32], hops: int) -> NDArray[np.float32]:
    """Highest of each hop, of the magnitudes of samples."""
    return np.asarray(magnitudes[: hops * HOP_SAMPLES].reshape(hops, -1).max(axis=1))


def _highest_around(magnitudes: NDArray[np.float32], hops: int) -> NDArray[np.float32]:
    """Highest that the taps of each hop can touch, or more."""
    padded = np.zeros((hops + 1) * HOP_SAMPLES, dtype=np.float32)
    padded[: len(magnitudes)] = magnitudes
    highest = _highest_of(padded, hops + 1)
    return np.asarray(np.maximum(highest[:-1], highest[1:]))


def peak_envelope(blocks: Iterable[Audio], channels: int) -> NDArray[np.float32]:
    """True peak of every hop of ``HOP_SAMPLES`` samples, linear, over all channels.

    It scales with gain: one envelope serves for every delivery gain.

    Args:
        blocks: Arrays of shape (samples, channels), in order.
        channels: Number of channels.
    """
    follower = PeakFollower(channels)
    peaks = [follower.add(block) for block in blocks]
    return np.concatenate([*peaks, follower.rest()])
