"""How far two neighbouring stretches of music differ: in loudness and in colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from scorebed.dsp.loudness import lufs_to_power, measure, power_series, power_to_lufs
from scorebed.timecode import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scorebed.model import Audio

_HEARD_POWER: Final = lufs_to_power(-70.0)
"""What is quieter counts as silence: the absolute gate of BS.1770-4."""
_BANDS_HZ: Final = 1000.0 * 10.0 ** (np.arange(-16, 12) / 10.0)
"""Centres of third-octave bands after IEC 61260-1 (base ten): 25 Hz to 12.5 kHz. Above that many
codecs keep nothing, and the bands would compare bit rates."""
_ATTACK_SAMPLES: Final = SAMPLE_RATE_HZ * 8 // 100
_BEFORE_SAMPLES: Final = SAMPLE_RATE_HZ * 4 // 100
_LEAST_BEFORE_SAMPLES: Final = SAMPLE_RATE_HZ // 200
_LEAST_RISE: Final = 10.0
_NEAR_SAMPLES: Final = SAMPLE_RATE_HZ // 500
_HEARD_SHARE: Final = 0.01
LATEST_ONSET_SAMPLES: Final = SAMPLE_RATE_HZ * 3 // 10
"""A first beat that comes later than 0.3 s was meant to come later."""
_HALF_BAND: Final = 10.0 ** (1 / 20)
_FLOOR_DB: Final = -60.0
"""Bands further under the loudest one are not heard beside it: they count as if they were here."""


def window_lufs(audio: Audio) -> float | None:
    """Short-term loudness of a stretch (BS.1770-4 without gates); None for silence.

    Args:
        audio: Shape (samples, 2), at 48 kHz.
    """
    powers = power_series([audio], audio.shape[1])
    mean = float(powers.mean()) if len(powers) else 0.0
    return power_to_lufs(mean) if mean >= _HEARD_POWER else None


def step_lu(before: Audio, after: Audio) -> float | None:
    """Short-term loudness of a stretch minus that of the one before; None beside silence.

    Args:
        before: Shape (samples, 2), at 48 kHz.
        after: As well.
    """
    early, late = window_lufs(before), window_lufs(after)
    return None if early is None or late is None else late - early


def seam_step_lu(before: Audio, after: Audio) -> float | None:
    """How far loudness steps where one stretch goes over into another; None beside silence.

    By the gates of BS.1770-4 and without them, the larger step of the two: a beat that is heard on
    one side alone tells by the one, quiet between the beats by the other.

    Args:
        before: Shape (samples, 2), at 48 kHz.
        after: As well.
    """
    early, late = (measure([side], 2, true_peak=False).integrated_lufs for side in (before, after))
    gated = None if early is None or late is None else late - early
    steps = [step for step in (step_lu(before, after), gated) if step is not None]
    return max(steps, key=abs, default=None)


def begins_at_once(audio: Audio) -> bool:
    """Whether music sets in with a beat instead of coming up.

    Its first 80 ms hold at least a quarter of the power (-6 dB) of the strongest 80 ms of it.

    Args:
        audio: Shape (samples, channels), at 48 kHz: its first two seconds or less.
    """
    count = len(audio) // _ATTACK_SAMPLES
    if not count:
        return False
    power = np.square(audio[: count * _ATTACK_SAMPLES].astype(np.float64)).sum(axis=1)
    steps = power.reshape(count, _ATTACK_SAMPLES).sum(axis=1)
    return bool(steps[0] > 0 and steps[0] >= steps.max() / 4)


def first_onset(audio: Audio) -> int | None:
    """Where the first beat of music stands, in samples; None where it comes up or comes later.

    The moment within the first 0.3 s (80 ms of music that sets in at once) at which the 80 ms
    after it are furthest over the 40 ms before it, at least 10 dB, and from which on it sets in at
    once; without one, 0 for music that does so from its beginning.

    Args:
        audio: Shape (samples, channels), at 48 kHz: its first two seconds or less.
    """
    beginning = 0 if begins_at_once(audio) else None
    latest = LATEST_ONSET_SAMPLES if beginning is None else _ATTACK_SAMPLES
    power = np.square(audio.astype(np.float64)).sum(axis=1)
    sums = np.concatenate([np.zeros(1), np.cumsum(power)])
    times = np.arange(_LEAST_BEFORE_SAMPLES, min(latest, len(audio) - _ATTACK_SAMPLES) + 1)
    if not len(times) or not sums[-1]:
        return beginning
    begins = np.maximum(times - _BEFORE_SAMPLES, 0)
    before = (sums[times] - sums[begins]) / (times - begins)
    after = (sums[times + _ATTACK_SAMPLES] - sums[times]) / _ATTACK_SAMPLES
    rises = after / (before + after.max() * 1e-6)
    best = int(np.argmax(rises))
    onset = _refined(np.abs(audio).max(axis=1), int(times[best]))
    if rises[best] < _LEAST_RISE or not begins_at_once(audio[onset:]):
        return beginning
    return onset


def _refined(peaks: NDArray[np.float32], near: int) -> int:
    """The first sample within 2 ms of an onset that is 6 dB over all that came before it."""
    first = near - _NEAR_SAMPLES
    quiet = peaks[max(near - _BEFORE_SAMPLES, 0) : first].max(initial=0.0)
    loud = peaks[near : near + _ATTACK_SAMPLES].max()
    over = np.flatnonzero(peaks[first : near + _NEAR_SAMPLES] > max(2 * quiet, _HEARD_SHARE * loud))
    return first + int(over[0]) if len(over) else near


def third_octaves_db(audio: Audio) -> NDArray[np.float64]:
    """Level of each third-octave band in dB, shape (28,), its mean over the bands taken away.

    Power spectrum under a Hann window, summed over the channels and within each band; a band that
    is more than 60 dB under the loudest one is raised to there.

    Args:
        audio: Shape (samples, channels), at 48 kHz, at least a quarter of a second.
    """
    window = np.hanning(len(audio))[:, np.newaxis]
    power = np.square(np.abs(np.fft.rfft(audio * window, axis=0))).sum(axis=1)
    lines_hz = np.fft.rfftfreq(len(audio), 1 / SAMPLE_RATE_HZ)
    edges = np.searchsorted(lines_hz, [_BANDS_HZ / _HALF_BAND, _BANDS_HZ * _HALF_BAND])
    sums = np.concatenate([np.zeros(1), np.cumsum(power)])
    bands = sums[edges[1]] - sums[edges[0]]
    loudest = float(bands.max())
    if loudest <= 0.0:
        return np.zeros(len(_BANDS_HZ))
    levels_db = 10.0 * np.log10(np.maximum(bands / loudest, 10.0 ** (_FLOOR_DB / 10.0)))
    return np.asarray(levels_db - levels_db.mean())


def spectral_step_db(before: Audio, after: Audio) -> float:
    """Mean over the bands of ``|after - before|``, of third-octave levels without their mean.

    Args:
        before: Shape (samples, channels), at 48 kHz.
        after: Likewise.
    """
    return float(np.abs(third_octaves_db(after) - third_octaves_db(before)).mean())
