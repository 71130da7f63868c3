"""Times as a person writes them into a notes file, and what of them cannot be."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from scorebed.errors import SettingsError
from scorebed.timecode import counts_frames, since_midnight_s, to_stamp, to_timecode

if TYPE_CHECKING:
    from scorebed.model import Notes, Picture

TIME_FORMS = 'Write "00:01:23.480", "1:23.48", 83.48 (seconds) or "00:01:23:12" (frames).'
_CLOCK = re.compile(r"(?:(?:(\d{1,4}):)?(\d{1,6}):)?(\d{1,8}(?:\.\d{1,9})?)", re.ASCII)
_FRAMES = re.compile(r"\d\d:\d\d:\d\d[:;]\d\d", re.ASCII)
_MOST_DIGITS = 8
_GRAIN = Decimal("1e-9")
_SIXTY = 60


class Times:
    """Reads times on the picture's time line.

    Args:
        picture: What they are about; None where that is not known yet: frames count for nothing.
    """

    def __init__(self, picture: Picture | None) -> None:
        self._picture = picture
        self._first_s = Fraction(0)

    def start_at(self, timecode: str, where: str) -> None:
        """Names the first frame: times that count frames count from there.

        Raises:
            SettingsError: If it is no timecode.
        """
        if not _FRAMES.fullmatch(timecode):
            raise SettingsError(
                f"{where} = {timecode!r} is no timecode of a frame",
                remedy='Write it as "01:00:00:00", or remove the line.',
            )
        self._first_s = self._frames(timecode, where)

    def read(self, value: object, where: str) -> Fraction:
        """A time in seconds from the first frame; negative where it lies before it.

        Args:
            value: What TOML made of it.
            where: File, table and key, for errors.

        Raises:
            SettingsError: If it is no time.
        """
        if isinstance(value, str):
            text = value.strip()
            if _FRAMES.fullmatch(text):
                return self._frames(text, where) - self._first_s
            seconds = _on_the_clock(text)
        else:
            seconds = _seconds(value)
        if seconds is None:
            raise SettingsError(f"{where} = {shown(value)} is no time", remedy=TIME_FORMS)
        return seconds

    def _frames(self, value: str, where: str) -> Fraction:
        """A timecode that counts frames, in seconds from 00:00:00:00."""
        if self._picture is None:
            return Fraction(0)
        rate = self._picture.frame_rate
        if self._picture.variable_rate or not counts_frames(rate):
            raise SettingsError(
                f"{where} = {value!r} counts frames, but the picture's frame rate varies or is "
                "none that a timecode can count",
                remedy='Give the time in seconds instead, for example "00:01:23.480".',
            )
        time_s = since_midnight_s(value, rate)
        # Also numbers that drop-frame leaves out, and a ; at a rate that has no drop-frame.
        if time_s is None or to_timecode(round(time_s * rate), rate, drop=";" in value) != value:
            raise SettingsError(
                f"{where} = {value!r} is no timecode at {float(rate):.3f} frames per second",
                remedy=f"Frames count from 00 to {round(rate) - 1:02d}; drop-frame (;) is for "
                "29.97 and 59.94 and leaves numbers out.",
            )
        return time_s


def _seconds(value: object) -> Fraction | None:
    if isinstance(value, dt.time):  # what TOML takes 00:01:23.480 for, unquoted
        whole_s = (value.hour * 60 + value.minute) * 60 + value.second
        return whole_s + Fraction(value.microsecond, 1_000_000)
    if isinstance(value, bool):
        return None
    if isinstance(value, Decimal) and value.is_finite() and value.adjusted() < _MOST_DIGITS:
        return Fraction(value.quantize(_GRAIN))
    return Fraction(value) if isinstance(value, int) else None


def _on_the_clock(text: str) -> Fraction | None:
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    hours, minutes, seconds = (Fraction(part or 0) for part in match.groups())
    if (match[2] and seconds >= _SIXTY) or (match[1] and minutes >= _SIXTY):
        return None
    return (hours * 60 + minutes) * 60 + seconds


def shown(value: object) -> str:
    """A value of the file as a person wrote it, roughly."""
    return str(value) if isinstance(value, Decimal) else repr(value)


# --- order -------------------------------------------------------------------------------------


def check_times(notes: Notes, duration_s: Fraction) -> None:
    """Refuses times outside of the picture, and scenes that are not in order.

    Args:
        notes: As they were written.
        duration_s: Length of the picture in seconds.

    Raises:
        SettingsError: Naming the table.
    """
    for scene in notes.scenes:
        _check_inside(scene.where, "start", scene.start_s, duration_s, end=False)
    for before, after in pairwise(notes.scenes):
        if after.start_s <= before.start_s:
            raise SettingsError(
                f"{after.where} starts at {to_stamp(after.start_s)}, not after the one before it "
                f"({to_stamp(before.start_s)})",
                remedy="Mend its start, or move the table to its place: scenes stand in order.",
            )
    for silence in notes.silences:
        _check_inside(silence.where, "start", silence.start_s, duration_s, end=False)
        _check_inside(silence.where, "end", silence.end_s, duration_s, end=True)
        if silence.end_s <= silence.start_s:
            raise SettingsError(
                f"{silence.where} ends at {to_stamp(silence.end_s)}, not after its start "
                f"({to_stamp(silence.start_s)})",
                remedy="Mend one of its times.",
            )
    for hit in notes.hits:
        _check_inside(hit.where, "at", hit.at_s, duration_s, end=False)


def _check_inside(
    where: str, key: str, time_s: Fraction, duration_s: Fraction, *, end: bool
) -> None:
    # A time to the millisecond may lie half of one behind the end that it means.
    if time_s < 0 or (time_s > duration_s + Fraction(1, 2000) if end else time_s >= duration_s):
        shown = to_stamp(time_s) if time_s >= 0 else f"-{to_stamp(-time_s)}"
        raise SettingsError(
            f"{where}: {key} = {shown} lies outside of the picture, which is "
            f"{to_stamp(duration_s)} long",
            remedy="Times count from the first frame of the picture; frames (HH:MM:SS:FF) from "
            "the timecode in [file].",
        )
