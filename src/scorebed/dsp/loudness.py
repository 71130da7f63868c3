"""Loudness after ITU-R BS.1770-4 and EBU Tech 3341/3342, in blocks.

libebur128 does the K-weighting and weighs the channels. All figures follow from the series of
power per 10 ms that it gives, so that a whole programme, its speech alone, any 3 s window and music
under a gain curve are measured alike: 3 h are a million values.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from pyebur128 import (
    ChannelType,
    MeasurementMode,
    R128State,
    get_loudness_window,
)

from scorebed.dsp.gain import gain_to_db
from scorebed.dsp.peak import PeakFollower
from scorebed.model import Loudness
from scorebed.timecode import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from scorebed.model import Audio

POWER_HOP_SAMPLES: Final = 480
"""Samples of one value of a power series: 10 ms, fine enough for momentary maxima."""
SHORT_TERM_HOPS: Final = 300
"""Hops of EBU Tech 3341's short-term window: 3 s."""
MOMENTARY_HOPS: Final = 40
"""Hops of the momentary window, which is also BS.1770-4's gating block: 400 ms."""
GATING_STEP_HOPS: Final = 10
"""Gating blocks overlap by 75 %: one every 100 ms."""
_OFFSET_LU: Final = -0.691
"""BS.1770-4: makes a 997 Hz sine of 0 dBFS in one front channel read -3.01 LKFS."""
_ABSOLUTE_GATE_LUFS: Final = -70.0
_RELATIVE_GATE_LU: Final = -10.0
_RANGE_GATE_LU: Final = -20.0
_RANGE_PERCENTILES: Final = (10.0, 95.0)

_LEFT, _RIGHT, _CENTRE = ChannelType.LEFT, ChannelType.RIGHT, ChannelType.CENTER
_LS, _RS, _OUT = ChannelType.LEFT_SURROUND, ChannelType.RIGHT_SURROUND, ChannelType.UNUSED
_LAYOUTS: Final[dict[int, tuple[int, ...]]] = {
    # Mono is heard from two speakers: DUAL_MONO adds their 3.01 LU.
    1: (ChannelType.DUAL_MONO,),
    2: (_LEFT, _RIGHT),
    5: (_LEFT, _RIGHT, _CENTRE, _LS, _RS),
    6: (_LEFT, _RIGHT, _CENTRE, _OUT, _LS, _RS),
    # All four surrounds carry +1.5 dB, as in ffmpeg's ebur128.
    8: (_LEFT, _RIGHT, _CENTRE, _OUT, _LS, _RS, _LS, _RS),
}


def power_to_lufs(power: float) -> float | None:
    """Loudness of a K-weighted, channel-weighted mean square; None for silence."""
    return _OFFSET_LU + 10.0 * math.log10(power) if power > 0.0 else None


def lufs_to_power(loudness_lufs: float) -> float:
    """K-weighted mean square of a loudness in LUFS."""
    return float(10.0 ** ((loudness_lufs - _OFFSET_LU) / 10.0))


def _new_state(channels: int, mode: int) -> R128State:
    state = R128State(channels, SAMPLE_RATE_HZ, mode)
    for channel, kind in enumerate(_LAYOUTS[channels]):
        state.set_channel(channel, kind)
    return state


class PowerFollower:
    """K-weighted power of a programme per 10 ms, block by block.

    Args:
        channels: As for ``Meter``.
    """

    def __init__(self, channels: int) -> None:
        self._state = _new_state(channels, int(MeasurementMode.MODE_M))
        self._channels = channels
        self._pending = np.zeros(0, dtype=np.float32)
        self._loudness: list[NDArray[np.float64]] = []

    def add(self, block: Audio) -> None:
        """Takes the next block, shape (samples, channels)."""
        waiting = np.concatenate([self._pending, np.ascontiguousarray(block).reshape(-1)])
        step = POWER_HOP_SAMPLES * self._channels
        hops = len(waiting) // step
        self._pending = waiting[hops * step :].copy()
        loudness_lufs = np.empty(hops)
        for hop in range(hops):
            self._state.add_frames(waiting[hop * step : (hop + 1) * step], POWER_HOP_SAMPLES)
            loudness_lufs[hop] = get_loudness_window(self._state, 10)
        self._loudness.append(loudness_lufs)

    @property
    def powers(self) -> NDArray[np.float64]:
        """The series so far, shape (hops,); a last hop that is not full is left out."""
        loudness_lufs = np.concatenate([np.zeros(0), *self._loudness])
        return np.asarray(10.0 ** ((loudness_lufs - _OFFSET_LU) / 10.0))


def power_series(blocks: Iterable[Audio], channels: int) -> NDArray[np.float64]:
    """K-weighted, channel-weighted mean square per 10 ms, shape (hops,).

    A last hop that is not full is left out, as in BS.1770-4.

    Args:
        blocks: Arrays of shape (samples, channels), in order.
        channels: As for ``Meter``.
    """
    follower = PowerFollower(channels)
    for block in blocks:
        follower.add(block)
    return follower.powers


def window_powers(
    powers: NDArray[np.float64], window_hops: int, step_hops: int
) -> NDArray[np.float64]:
    """Mean power of every whole window, shape (windows,); empty when none fits.

    Args:
        powers: Series per 10 ms.
        window_hops: Length of a window in hops.
        step_hops: Distance of two windows in hops.
    """
    if len(powers) < window_hops:
        return np.zeros(0)
    sums = np.zeros(len(powers) + 1)
    np.cumsum(powers, out=sums[1:])
    means = (sums[window_hops::step_hops] - sums[:-window_hops:step_hops]) / window_hops
    return np.asarray(np.maximum(means, 0.0))


def integrated_lufs(powers: NDArray[np.float64]) -> float | None:
    """Gated loudness of a power series after BS.1770-4; None for silence or under 400 ms."""
    blocks = window_powers(powers, MOMENTARY_HOPS, GATING_STEP_HOPS)
    blocks = blocks[blocks >= lufs_to_power(_ABSOLUTE_GATE_LUFS)]
    if not len(blocks):
        return None
    blocks = blocks[blocks >= float(blocks.mean()) * 10.0 ** (_RELATIVE_GATE_LU / 10.0)]
    return power_to_lufs(float(blocks.mean()))


def range_lu(powers: NDArray[np.float64]) -> float | None:
    """Loudness range of a power series after EBU Tech 3342; None for silence or under 3 s."""
    windows = window_powers(powers, SHORT_TERM_HOPS, GATING_STEP_HOPS)
    windows = windows[windows >= lufs_to_power(_ABSOLUTE_GATE_LUFS)]
    if not len(windows):
        return None
    windows = windows[windows >= float(windows.mean()) * 10.0 ** (_RANGE_GATE_LU / 10.0)]
    low, high = np.percentile(windows, _RANGE_PERCENTILES)
    return float(10.0 * np.log10(high / low))


def highest_lufs(powers: NDArray[np.float64], window_hops: int) -> float | None:
    """Highest loudness of any window, at every hop; None for silence or where none fits.

    EBU Tech 3341 case 13: read every 100 ms, the momentary maximum is up to 0.6 dB too low.

    Args:
        powers: Series per 10 ms.
        window_hops: ``MOMENTARY_HOPS`` or ``SHORT_TERM_HOPS``.
    """
    return power_to_lufs(float(window_powers(powers, window_hops, 1).max(initial=0.0)))


def short_term_lufs(powers: NDArray[np.float64], step_hops: int = 10) -> NDArray[np.float64]:
    """Short-term loudness (3 s windows) in LUFS, shape (windows,); ``-inf`` in silence.

    Args:
        powers: Series per 10 ms.
        step_hops: Distance of two windows, in hops of 10 ms.
    """
    return _to_lufs(window_powers(powers, SHORT_TERM_HOPS, step_hops))


def momentary_lufs(powers: NDArray[np.float64], step_hops: int = 1) -> NDArray[np.float64]:
    """Momentary loudness (400 ms windows) in LUFS, shape (windows,); ``-inf`` in silence."""
    return _to_lufs(window_powers(powers, MOMENTARY_HOPS, step_hops))


def _to_lufs(powers: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return np.asarray(_OFFSET_LU + 10.0 * np.log10(powers))


def figures(powers: NDArray[np.float64], highest: float) -> Loudness:
    """All figures of a programme; None where silence or shortness leaves none.

    Args:
        powers: Series per 10 ms.
        highest: Highest true peak, linear.
    """
    return Loudness(
        integrated_lufs=integrated_lufs(powers),
        true_peak_dbtp=gain_to_db(highest),
        range_lu=range_lu(powers),
        momentary_max_lufs=highest_lufs(powers, MOMENTARY_HOPS),
        short_term_max_lufs=highest_lufs(powers, SHORT_TERM_HOPS),
    )


class Meter:
    """Loudness (integrated, momentary, short-term), its range and true peak at 48 kHz.

    Args:
        channels: 1 (counted as dual mono), 2, 5 (L R C Ls Rs), 6 (with LFE, which does not
            count) or 8.
        true_peak: Whether to follow the true peak.
    """

    def __init__(self, channels: int, *, true_peak: bool = True) -> None:
        self._power_follower = PowerFollower(channels)
        self._peak_follower = PeakFollower(channels, span_db=0.0) if true_peak else None

    def add(self, block: Audio) -> None:
        """Takes the next block, shape (samples, channels)."""
        self._power_follower.add(block)
        if self._peak_follower is not None:
            self._peak_follower.add(block)

    @property
    def powers(self) -> NDArray[np.float64]:
        """K-weighted power per 10 ms so far; see ``power_series``."""
        return self._power_follower.powers

    def loudness(self) -> Loudness:
        """Figures of all that came so far; None where silence or shortness leaves none."""
        highest = 0.0 if self._peak_follower is None else self._peak_follower.highest
        return figures(self.powers, highest)


def measure(blocks: Iterable[Audio], channels: int, *, true_peak: bool = True) -> Loudness:
    """Loudness of a whole programme; see ``Meter``."""
    meter = Meter(channels, true_peak=true_peak)
    for block in blocks:
        meter.add(block)
    return meter.loudness()
