"""Commas in lists of times: between two columns, or before decimals as spreadsheets write them."""

from __future__ import annotations

import re
from itertools import pairwise

from scorebed.cutlists.listing import Unreadable

Line = tuple[int, str]
"""A line with its number."""
_THOUSANDTHS = re.compile(r"((?:\d+:){1,2}\d\d),(\d{3})(?![\d:.])", re.ASCII)
"""``00:00:02,400``, as subtitles have it: nothing else can be meant."""
_PAIR = re.compile(r'\s*("?)(?:\d+:){0,2}(\d+),(\d+)\1(?![\d:.])', re.ASCII)
"""What begins like ``12,5``: a time, or a time and another number."""
_DECIMAL = re.compile(r'(?<![\d.,])("?)((?:\d+:){0,2}\d+),(\d+)\1(?!\d|[:.,]\d)', re.ASCII)


def points_for_commas(lines: list[Line]) -> list[Line]:
    """Lines of times without a heading, with points where commas stand before decimals.

    ``12,5;20,3`` is 12.5 and 20.3: another sign parts its columns. ``12,5`` alone cannot be from 12
    to 5. ``2,4`` and ``4,9`` are two shots, one after the other.

    Args:
        lines: With their numbers, none of them empty.

    Raises:
        Unreadable: If it cannot be told what the commas are.
    """
    lines = [(number, _THOUSANDTHS.sub(r"\1.\2", line)) for number, line in lines]
    pairs = [(line, match) for line in lines if (match := _PAIR.match(line[1])) is not None]
    if not pairs:
        return lines
    parted = all(line[match.end() :].lstrip(" ")[:1] in {";", "\t"} for (_, line), match in pairs)
    quoted = all(match[1] for _, match in pairs)
    spans = [(int(match[2]), int(match[3])) for _, match in pairs]
    decimal = parted or quoted or any(end <= start for start, end in spans)
    if not _are_columns(lines, spans):
        made = [(number, _DECIMAL.sub(r"\2.\3", line)) for number, line in lines]
        if decimal and not any(_PAIR.match(line) for _, line in made):
            return made
    elif not decimal:
        return lines
    (number, line), _ = pairs[0]
    raise Unreadable(
        f'line {number}: in "{line.strip()[:60]}" the comma may part two columns or stand before '
        "decimals",
        remedy='Write 12.5, or put ; between columns, or a heading: "start_s;name".',
    )


def _are_columns(lines: list[Line], spans: list[tuple[int, int]]) -> bool:
    """Whether decimals have points, shots follow each other, or the second numbers only count."""
    if any(re.match(r"\s*(?:\d+:){0,2}\d+\.\d", line) for _, line in lines):
        return True
    follow = all(one[1] == other[0] for one, other in pairwise(spans))
    count = all(one[1] + 1 == other[1] for one, other in pairwise(spans))
    return len(spans) > 1 and (follow or count)
