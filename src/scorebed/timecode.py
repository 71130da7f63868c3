"""Exact time: picture time is a Fraction of seconds, audio position an int of samples."""

from __future__ import annotations

import re
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


_TIMECODE = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d)")
_DROPPING_FPS = 30
_ON_THE_SPOT = Fraction(1, 100)
"""A rate that is nearer to a whole number is that number."""


def since_midnight_s(timecode: str, frame_rate: Fraction) -> Fraction | None:
    """Seconds from midnight of an SMPTE ST 12-1 timecode; None where the text is none.

    They are seconds of running time: at 24000/1001 frames per second, ``01:00:00:00`` is 3603.6 s.
    Drop-frame (``;``) leaves out two numbers (four at 60) in each minute but every tenth.

    Args:
        timecode: ``HH:MM:SS:FF``, or ``HH:MM:SS;FF`` for drop-frame.
        frame_rate: Frames per second.
    """
    match = _TIMECODE.fullmatch(timecode.strip())
    counted = round(frame_rate)
    if match is None or counted < 1:
        return None
    hours, minutes, seconds, frames = (int(match[group]) for group in (1, 2, 3, 5))
    if hours > 23 or minutes > 59 or seconds > 59 or frames >= counted:  # noqa: PLR2004 - a clock
        return None
    number = (hours * 3600 + minutes * 60 + seconds) * counted + frames
    if match[4] != ":" and drops_frames(frame_rate):
        passed = hours * 60 + minutes
        number -= 2 * (counted // _DROPPING_FPS) * (passed - passed // 10)
    return number / frame_rate


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


def to_stamp(time_s: Fraction) -> str:
    """A time to the millisecond, as notes and lists have it: ``00:01:23.480``.

    Args:
        time_s: Seconds, not negative.
    """
    thousandths = int((time_s * 2000 + 1) // 2)
    seconds, thousandths = divmod(thousandths, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}.{thousandths:03d}"


def counts_frames(frame_rate: Fraction) -> bool:
    """Whether a timecode can count the frames of a rate: 24000/1001 is counted as 24, 17.3 not.

    Args:
        frame_rate: Frames per second.
    """
    counted = round(frame_rate)
    return counted >= 1 and abs(frame_rate / counted - 1) < Fraction(2, 1000)


def drops_frames(frame_rate: Fraction) -> bool:
    """Whether a rate has drop-frame timecode: 29.97 and 59.94 frames per second, not 30 and 60."""
    counted = round(frame_rate)
    return counted % _DROPPING_FPS == 0 and counted - frame_rate > _ON_THE_SPOT


def to_timecode(number: int, frame_rate: Fraction, *, drop: bool = False) -> str:
    """The SMPTE ST 12-1 timecode of a frame: ``00:01:23:12``, or ``00:01:23;12`` for drop-frame.

    Args:
        number: Frames since ``00:00:00:00``, not negative; a day later it begins again.
        frame_rate: Frames per second, which ``counts_frames``.
        drop: Whether numbers are left out, at 30000/1001 and 60000/1001.
    """
    counted = round(frame_rate)
    drop = drop and drops_frames(frame_rate)
    if drop:
        dropped = 2 * (counted // _DROPPING_FPS)
        tens, rest = divmod(number, 600 * counted - 9 * dropped)
        # The first minute of ten has all its numbers.
        minutes = max(rest - 60 * counted, 0) // (60 * counted - dropped)
        minutes += rest >= 60 * counted
        number += dropped * (9 * tens + minutes)
    seconds, frames = divmod(number, counted)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    mark = ";" if drop else ":"
    return f"{hours % 24:02d}:{minutes:02d}:{seconds:02d}{mark}{frames:02d}"
