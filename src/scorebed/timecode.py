"""Exact time: picture time is a Fraction of seconds, audio position an int of samples."""

from __future__ import annotations

from fractions import Fraction

SAMPLE_RATE_HZ = 48_000
"""Sample rate of all audio between stages, in hertz."""


def to_samples(time_s: Fraction) -> int:
    """The sample at 48 kHz nearest to a picture time (halves go up).

    Args:
        time_s: Picture time in seconds; may be negative.
    """
    return int((time_s * SAMPLE_RATE_HZ * 2 + 1) // 2)


def to_seconds(position_samples: int) -> Fraction:
    """The picture time, in seconds, of a sample position at 48 kHz."""
    return Fraction(position_samples, SAMPLE_RATE_HZ)


def to_clock(time_s: Fraction | float) -> str:
    """A time a person can read: ``1:02:03.4`` or ``2:03.4``.

    Args:
        time_s: Seconds, not negative.
    """
    tenths = round(float(time_s) * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    rest = f"{tenths // 10:02d}.{tenths % 10}"
    return f"{hours}:{minutes:02d}:{rest}" if hours else f"{minutes}:{rest}"
