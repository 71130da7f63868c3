"""A list of cuts in its own time, and how it is laid on the picture's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from scorebed.cutlists.layers import changes
from scorebed.errors import MediaError
from scorebed.model import ListedCut

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scorebed.cutlists.layers import Piece

HOUR_S = Fraction(3600)
_LONGER = Fraction(11, 10)
"""A list that ends later than this times the picture's length is another programme's; one of whole
clips that ends as much earlier too."""
_SLACK_S = Fraction(1)
"""And by more than this: a list of a short film may count a slate or a tail."""


class Unreadable(Exception):  # noqa: N818 - what it is, not what it does
    """A list that is damaged or of another kind; says what is wrong, with the line if there is one.

    Args:
        said: What is wrong, without the file's name.
        remedy: What a person can do about it; None for the usual advice.
    """

    def __init__(self, said: str, *, remedy: str | None = None) -> None:
        super().__init__(said)
        self.said = said
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a file says, in its own time."""

    cuts: tuple[ListedCut, ...]
    """Every change of what is seen, in seconds of the list's time."""
    markers: tuple[tuple[Fraction, str], ...]
    """Time in seconds of the list's time, and text."""
    start_s: Fraction
    """Where the list begins: the sequence's start or the first event's."""
    end_s: Fraction
    """Where its last clip ends."""
    zeros_s: tuple[Fraction, ...]
    """Times of the list that may be the picture's first frame, the likeliest first."""
    whole: bool = False
    """Whether it lists clips with their ends, and so the whole programme; else moments alone."""


def of_sequence(
    pieces: Sequence[Piece], markers: Sequence[tuple[Fraction, str]], *, start_s: Fraction
) -> Listing:
    """A sequence of an editor, which begins where it says.

    Args:
        pieces: What is seen of it, in order, in seconds from the sequence's start.
        markers: Times from the sequence's start, with texts.
        start_s: Timecode of the sequence's start, in seconds from midnight.
    """
    moved = [piece.moved(start_s) for piece in pieces]
    return Listing(
        cuts=tuple(changes(moved)),
        markers=tuple((start_s + at_s, text) for at_s, text in markers),
        start_s=start_s,
        end_s=max((piece.end_s for piece in moved), default=start_s),
        zeros_s=(start_s,),
        whole=bool(moved),
    )


def zero_s(listing: Listing, timecode_s: Fraction | None, duration_s: Fraction) -> Fraction:
    """The list's time of the picture's first frame.

    The file's own timecode, where the list lies within the picture by it or the picture within the
    list; else the one of the list's own that lets the two end nearest to each other.

    Args:
        listing: What the file says.
        timecode_s: Timecode of the picture's first frame, in seconds from midnight.
        duration_s: Length of the picture, in seconds.
    """

    def amiss_s(zero: Fraction) -> Fraction:
        return abs(listing.end_s - zero - duration_s)

    best = min(listing.zeros_s, key=amiss_s)
    if timecode_s is None:
        return best
    within = timecode_s <= listing.start_s and listing.end_s <= timecode_s + duration_s + _SLACK_S
    around = listing.start_s < timecode_s and timecode_s + duration_s <= listing.end_s + _SLACK_S
    if within or around or amiss_s(timecode_s) < amiss_s(best):
        return timecode_s
    return best


def laid(
    listing: Listing, path: Path, *, timecode_s: Fraction | None, duration_s: Fraction
) -> tuple[ListedCut, ...]:
    """The cuts of a list in picture time; what lies outside of the picture is left out.

    Args:
        listing: What the file says.
        path: The file, for the errors.
        timecode_s: Timecode of the picture's first frame, in seconds from midnight.
        duration_s: Length of the picture, in seconds.

    Raises:
        MediaError: If no cut lies within the picture and no clip fills it, or the list is another
            programme's.
    """
    zero = zero_s(listing, timecode_s, duration_s)
    amiss_s = listing.end_s - zero - duration_s
    late = amiss_s > 0
    if (
        zero != timecode_s
        and (late or listing.whole)
        and abs(amiss_s) > max(duration_s * (_LONGER - 1), _SLACK_S)
    ):
        raise MediaError(
            f"spot: {path} ends {float(abs(amiss_s)):.2f} s {'after' if late else 'before'} the "
            "picture: it lists another film, another cut of it, or another frame rate",
            remedy="Export the list of this very cut, or leave out --cuts.",
        )
    found: dict[Fraction, ListedCut] = {}
    for cut in listing.cuts:
        end_s = None if cut.end_s is None else min(cut.end_s - zero, duration_s)
        if cut.at_s - zero >= duration_s or (end_s or cut.at_s - zero) <= 0:
            continue
        placed = replace(cut, at_s=max(cut.at_s - zero, Fraction(0)), end_s=end_s)
        before = found.get(placed.at_s)
        if before is None or before.end_s is None:
            found[placed.at_s] = placed
    # A list of one clip that fills the picture is one of a single shot.
    filled = listing.whole and listing.start_s <= zero and amiss_s >= -_SLACK_S
    if not found and not filled:
        raise MediaError(
            f"spot: no cut of {path} lies within the picture",
            remedy="Export the list of this very cut with its video track, or leave out --cuts.",
        )
    return tuple(found[at_s] for at_s in sorted(found))


def markers_laid(
    listing: Listing, *, timecode_s: Fraction | None, duration_s: Fraction
) -> tuple[tuple[Fraction, str], ...]:
    """The markers of a list in picture time; what lies outside of the picture is left out."""
    zero = zero_s(listing, timecode_s, duration_s)
    return tuple(
        sorted(
            (at_s - zero, text) for at_s, text in listing.markers if 0 <= at_s - zero < duration_s
        )
    )
