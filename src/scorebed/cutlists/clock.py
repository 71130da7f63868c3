"""Frame rates and timecodes as edit lists write them."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from scorebed.timecode import since_midnight_s

if TYPE_CHECKING:
    from collections.abc import Iterable

_NTSC = Fraction(1000, 1001)
_NEAR = Fraction(1, 200)
HALF_DAY_S = Fraction(43_200)
_LONGEST = 40
"""Digits of a number that may be a time."""


def exact_rate(rate: Fraction | float) -> Fraction:
    """The rate that is meant by a rounded or measured one: 23.98 is 24000/1001.

    Args:
        rate: Frames per second, positive; what is no whole rate nor one times 1000/1001 stays.
    """
    near = Fraction(rate)
    whole = Fraction(max(round(near), 1))
    best = min((whole, whole * _NTSC), key=lambda exact: abs(exact - near))
    return best if abs(best - near) <= _NEAR * best else near.limit_denominator(100_000)


def clock_s(timecode: str, rate: Fraction, *, drop: bool = False) -> Fraction | None:
    """Seconds from midnight of ``HH:MM:SS:FF``, or None where it is none at that rate.

    Args:
        timecode: Four numbers; ``;`` or ``.`` before the last one, or ``;`` everywhere, is
            drop-frame.
        rate: Frames per second.
        drop: Whether it is drop-frame though it is written with colons.
    """
    parts = timecode.replace(";", ":").replace(".", ":").split(":")
    if len(parts) != 4:  # noqa: PLR2004 - hours, minutes, seconds, frames
        return None
    dropping = drop or any(mark in timecode for mark in ";.")
    head = ":".join(part.zfill(2) for part in parts[:3])
    return since_midnight_s(f"{head}{';' if dropping else ':'}{parts[3].zfill(2)}", rate)


def day_s(rate: Fraction, *, drop: bool = False) -> Fraction:
    """What a timecode counts until it begins anew, in seconds of running time.

    Args:
        rate: Frames per second.
        drop: Whether it is drop-frame.
    """
    last = clock_s(f"23:59:59:{max(round(rate), 1) - 1:02d}", rate, drop=drop)
    return Fraction(86_400) if last is None else last + 1 / rate


def is_over_midnight(times_s: Iterable[Fraction]) -> bool:
    """Whether timecodes of one film begin anew in between: no film lasts half a day."""
    known = [*times_s]
    return bool(known) and max(known) - min(known) > HALF_DAY_S


def seconds(text: str) -> Fraction | None:
    """A time in seconds: ``75.5``, ``1:15.5``, ``00:01:15,500``; None where it is none.

    Args:
        text: Decimal seconds, with minutes and hours before them or not.
    """
    parts = text.strip().replace(",", ".").split(":")
    if len(parts) > 3 or not all(_is_number(part) for part in parts):  # noqa: PLR2004 - h, m, s
        return None
    if any("." in part for part in parts[:-1]):
        return None
    total = Fraction(0)
    for part in parts:
        total = total * 60 + Fraction(part)
    return total


def _is_number(text: str) -> bool:
    head, _, tail = text.partition(".")
    return (
        len(text) < _LONGEST
        and head.isascii()
        and head.isdigit()
        and (not tail or (tail.isascii() and tail.isdigit()))
    )
