"""The cued line: the cues of a picture one after the other, without what lies between."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate

from scorebed.model.picture import TimeRange


class CuedLine:
    """Times of the picture as times of its music, if all of it were played without a pause.

    Args:
        cues: Ranges of the picture, in order, not overlapping; at least one.
    """

    def __init__(self, cues: Sequence[TimeRange]) -> None:
        self.cues = tuple(cues)
        self._firsts = [cue.start_s for cue in cues]
        lengths = accumulate((cue.duration_s for cue in cues), initial=Fraction(0))
        *self.starts_s, self.end_s = lengths

    def cued(self, at_s: Fraction) -> Fraction | None:
        """A moment inside a cue, or at its start, on this line; None for one that is in none."""
        number = bisect_right(self._firsts, at_s) - 1
        if number < 0 or at_s >= self.cues[number].end_s:
            return None
        return self.starts_s[number] + at_s - self._firsts[number]

    def picture(self, at_s: Fraction) -> Fraction:
        """A moment of this line on the picture; where a cue ends and the next begins, the next."""
        number = self.cue_from(at_s)
        return self._firsts[number] + at_s - self.starts_s[number]

    def cue_from(self, at_s: Fraction) -> int:
        """Number of the cue that plays from a moment of this line on, from 0."""
        return min(bisect_right(self.starts_s, at_s), len(self.cues)) - 1

    def cue_until(self, at_s: Fraction) -> int:
        """Number of the cue that plays up to a moment of this line, from 0."""
        return max(bisect_left(self.starts_s, at_s) - 1, 0)

    def ranges(self, start_s: Fraction, end_s: Fraction) -> list[TimeRange]:
        """A part of this line on the picture: a range per cue that it touches."""
        found = []
        for cue, first_s in zip(self.cues, self.starts_s, strict=True):
            begin_s, stop_s = max(start_s, first_s), min(end_s, first_s + cue.duration_s)
            if begin_s < stop_s:
                moved_s = cue.start_s - first_s
                found.append(TimeRange.between(begin_s + moved_s, stop_s + moved_s))
        return found
