"""Lists of times: PySceneDetect's CSV, tables with a heading, plain text, chapters."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from scorebed.cutlists.clock import HALF_DAY_S, clock_s, day_s, is_over_midnight, seconds
from scorebed.cutlists.commas import points_for_commas
from scorebed.cutlists.listing import HOUR_S, Listing, Unreadable
from scorebed.model import ListedCut

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_STARTS = (
    *("start time (seconds)", "start timecode", "start_s", "start (s)", "start", "start time"),
    *("at_s", "time_s", "time (s)", "time", "seconds", "timecode", "in"),
)
"""Headings of the column that says where a shot begins, the most exact first."""
_ENDS = ("end_s", "transition_end_s")
_KINDS = ("kind", "transition", "type")
_NAMES = ("name", "label", "title", "comment", "note")
_FRAMES = ("start frame", "frame")
_LONGEST = 12
_TIMECODES = "timecode list:"
_TIME = r"\d+[:;.]\d\d[:;.]\d\d[:;.]\d\d|(?:\d+:){0,2}\d+(?:\.\d+)?"
_CLOCK = re.compile(r"\d\d[:;]\d\d[:;]\d\d[:;]\d\d")
_PLAIN = re.compile(
    rf'"?({_TIME})s?"?(?:[\s,;]+(?:to\s+)?"?(?:{_TIME})s?"?(?=[\s,;]|$))?(?:[\s,;]+(.*))?', re.ASCII
)
_MORE = re.compile(rf"(?:{_TIME})(?:[\s,;]+(?:{_TIME}))*", re.ASCII)
_TOLD: dict[str, Literal["cut", "dissolve", "fade"]] = {"dissolve": "dissolve", "fade": "fade"}


def chapter_cuts(
    chapters: Iterable[tuple[Fraction, str]], *, duration_s: Fraction
) -> tuple[ListedCut, ...]:
    """A cut at the start of every chapter but one at the picture's start.

    Args:
        chapters: Start in seconds from the first shown frame, and title.
        duration_s: Length of the picture, in seconds.
    """
    inside = {at_s: title for at_s, title in chapters if 0 < at_s < duration_s}
    return tuple(
        ListedCut(at_s=at_s, end_s=None, kind="cut", name=inside[at_s]) for at_s in sorted(inside)
    )


def read_times(text: str, frame_rate: Fraction) -> Listing:
    """Times in seconds, with minutes and hours or not, or timecodes; one a line.

    A table with a heading is read by it, PySceneDetect's and its line of cuts too. Without a
    heading the first time of a line is the cut, and what follows its name; ``#`` begins a comment.

    Args:
        text: The file's.
        frame_rate: The picture's, in frames per second, exact: for timecodes and frame numbers.

    Raises:
        Unreadable: If a line has no time.
    """
    try:
        return _read(text, frame_rate)
    except csv.Error as error:
        raise Unreadable(f"it is no table ({error})") from error


def _read(text: str, frame_rate: Fraction) -> Listing:
    lines = [
        (number, line)
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if lines and lines[0][1].lower().startswith(_TIMECODES):
        if len(lines) == 1:
            return _listing(_row(lines[0], frame_rate), frame_rate, is_clock=False, drop=False)
        lines = lines[1:]
    if not lines:
        raise Unreadable("it is empty")
    heading = [cell.lower() for cell in _cells(lines[0][1], _mark(lines[0][1]))]
    column = next((name for name in (*_STARTS, *_FRAMES) if name in heading), None)
    if column is not None:
        mark = _mark(lines[0][1])
        found = [_entry(heading, column, line, mark, frame_rate) for line in lines[1:]]
    elif not any(letter.isdigit() for letter in lines[0][1]):
        raise Unreadable(
            f"line {lines[0][0]}: no column of it is one of times",
            remedy='Head the column of times "start_s", or give a time a line.',
        )
    else:
        found = [_plain(line, frame_rate) for line in points_for_commas(lines)]
    clocks = [clock for _, line in lines for clock in _CLOCK.findall(line)]
    drop = any(";" in clock for clock in clocks)
    return _listing(found, frame_rate, is_clock=bool(clocks), drop=drop)


def _listing(
    found: Sequence[ListedCut], frame_rate: Fraction, *, is_clock: bool, drop: bool
) -> Listing:
    """Times of day may begin at a full hour; all others count from the first frame."""
    if is_clock and is_over_midnight(cut.at_s for cut in found):
        after_s = day_s(frame_rate, drop=drop)
        found = [
            replace(cut, at_s=cut.at_s + after_s) if cut.at_s < HALF_DAY_S else cut for cut in found
        ]
    first = min((cut.at_s for cut in found), default=Fraction(0))
    # An hour of drop-frame is a few milliseconds short of one.
    begun = f"{int((first + Fraction(1, 2)) // HOUR_S):02d}:00:00:00"
    hour = clock_s(begun, frame_rate, drop=drop) if is_clock else None
    return Listing(
        cuts=tuple(found),
        markers=(),
        start_s=first,
        end_s=max((cut.at_s for cut in found), default=Fraction(0)),
        zeros_s=(Fraction(0), *([hour] if hour is not None and hour <= first else [])),
    )


def _mark(heading: str) -> str | None:
    """What parts the columns, by the heading: in the lines below commas may be decimal."""
    mark = max(",;\t", key=heading.count)
    return mark if mark in heading else None


def _cells(line: str, mark: str | None) -> list[str]:
    cells = [line] if mark is None else next(csv.reader([line], delimiter=mark))
    return [cell.strip() for cell in cells]


def _row(line: tuple[int, str], frame_rate: Fraction) -> list[ListedCut]:
    """PySceneDetect's line of cuts: the sign after its name parts them."""
    times = line[1][len(_TIMECODES) :].lstrip(" ")
    cells = [cell for cell in _cells(times, times[:1] or None) if cell]
    found = [_time(cell, frame_rate) for cell in cells]
    if None in found:
        raise _no_time(line)
    return [
        ListedCut(at_s=at_s, end_s=None, kind="cut", name="") for at_s in found if at_s is not None
    ]


def _entry(
    heading: list[str],
    column: str,
    line: tuple[int, str],
    mark: str | None,
    frame_rate: Fraction,
) -> ListedCut:
    cells = _cells(line[1], mark)
    place = heading.index(column)
    if mark == "," and len(cells) > len(heading) and _is_split(cells[place : place + 2]):
        raise Unreadable(
            f"line {line[0]}: it has more columns than its heading: its commas may be decimal",
            remedy="Write 12.5, or put ; between columns, in the heading too; text that has "
            "commas goes in quotation marks.",
        )
    row = dict(zip(heading, cells, strict=False))
    if column in _FRAMES:
        number = row.get(column, "")
        at_s = (
            Fraction(int(number)) / frame_rate
            if number.isdecimal() and len(number) < _LONGEST
            else None
        )
    else:
        at_s = _time(row.get(column, ""), frame_rate)
    if at_s is None:
        raise _no_time(line)
    told = next((row[name] for name in _KINDS if name in row), "").lower()
    kind = next((_TOLD[word] for word in _TOLD if word in told), None)
    end = next((row[name] for name in _ENDS if row.get(name)), "")
    end_s = _time(end, frame_rate) if kind else None
    name = next((row[name] for name in _NAMES if row.get(name)), "")
    if kind is None or end_s is None or end_s <= at_s:
        return ListedCut(at_s=at_s, end_s=None, kind="cut", name=name)
    return ListedCut(at_s=at_s, end_s=end_s, kind=kind, name=name)


def _plain(line: tuple[int, str], frame_rate: Fraction) -> ListedCut:
    match = _PLAIN.fullmatch(line[1].strip())
    at_s = _time(match[1], frame_rate) if match else None
    if match is None or at_s is None:
        raise _no_time(line)
    if _MORE.fullmatch((match[2] or "").strip()) or "-->" in line[1]:
        raise Unreadable(
            f"line {line[0]}: it has several times", remedy="Write one a line, a name behind it."
        )
    return ListedCut(at_s=at_s, end_s=None, kind="cut", name=(match[2] or "").strip().strip('"'))


def _is_split(cells: list[str]) -> bool:
    """Whether two cells may be one time, cut at its decimal comma."""
    return len(cells) > 1 and cells[0].replace(":", "").isdecimal() and cells[1].isdecimal()


def _time(text: str, frame_rate: Fraction) -> Fraction | None:
    text = text.strip().strip('"').removesuffix("s")
    found = seconds(text)
    return clock_s(text, frame_rate) if found is None else found


def _no_time(line: tuple[int, str]) -> Unreadable:
    return Unreadable(
        f'line {line[0]}: "{line[1].strip()[:60]}" has no time that can be read',
        remedy="Give seconds, HH:MM:SS.mmm or HH:MM:SS:FF, one a line.",
    )
