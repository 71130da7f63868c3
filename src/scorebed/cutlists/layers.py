"""What is seen of a stack of video tracks, and where that changes."""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from scorebed.model import ListedCut

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class Blend:
    """A dissolve, wipe or fade on a track."""

    start_s: Fraction
    """First moment, in seconds of the list's time."""
    end_s: Fraction
    """First moment after it."""
    edge_s: Fraction | None = None
    """The end of a clip that it stands for; None for what lies within it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Piece:
    """A clip on a track, or what is left to be seen of it."""

    start_s: Fraction
    """First moment, in seconds of the list's time."""
    end_s: Fraction
    """First moment after it."""
    name: str = ""
    """What the list calls it."""
    black: bool = False
    """Whether it shows black."""
    clear: bool = False
    """Whether what lies under it is seen through it: a title, an adjustment layer."""
    opens: Blend | None = None
    """How it comes in, if not by a cut."""
    closes: Blend | None = None
    """How it goes out, if not by a cut."""

    def within(self, start_s: Fraction, end_s: Fraction) -> Piece:
        """The part of it in a range; a side that is cut off has lost its transition."""
        return replace(
            self,
            start_s=max(self.start_s, start_s),
            end_s=min(self.end_s, end_s),
            opens=self.opens if self.start_s >= start_s else None,
            closes=self.closes if self.end_s <= end_s else None,
        )

    def moved(self, by_s: Fraction) -> Piece:
        """The same, so many seconds later."""
        return replace(
            self,
            start_s=self.start_s + by_s,
            end_s=self.end_s + by_s,
            opens=_moved(self.opens, by_s),
            closes=_moved(self.closes, by_s),
        )


def _moved(blend: Blend | None, by_s: Fraction) -> Blend | None:
    return blend and Blend(blend.start_s + by_s, blend.end_s + by_s)


def track(pieces: Iterable[Piece], blends: Iterable[Blend]) -> list[Piece]:
    """Clips of a track in order of their start, each with the transitions at its ends.

    Args:
        pieces: Clips; where two overlap the one that starts later is seen.
        blends: Transitions of the same track.
    """
    rising = sorted((piece for piece in pieces if piece.start_s < piece.end_s), key=_start)
    edges = sorted({at for piece in rising for at in (piece.start_s, piece.end_s)})
    blended = {_edge(blend, edges): blend for blend in blends if blend.start_s < blend.end_s}
    return [
        replace(
            piece,
            opens=piece.opens or blended.get(piece.start_s),
            closes=piece.closes or blended.get(piece.end_s),
        )
        for piece in rising
    ]


def _edge(blend: Blend, edges: list[Fraction]) -> Fraction | None:
    """The end of a clip that a transition stands for: one within it, else at its start or end."""
    if blend.edge_s is not None:
        return blend.edge_s
    first, last = bisect_left(edges, blend.start_s), bisect_right(edges, blend.end_s)
    middle_s = (blend.start_s + blend.end_s) / 2
    ends = (blend.start_s, blend.end_s)
    return min(
        edges[first:last],
        key=lambda at: (at in ends, at == blend.end_s, abs(at - middle_s)),
        default=None,
    )


def _start(one: Piece | Blend) -> Fraction:
    return one.start_s


def seen(tracks: Sequence[Sequence[Piece]]) -> list[Piece]:
    """What is seen of a stack: the topmost clip at each moment, in order, not overlapping.

    Args:
        tracks: Clips of each track, the undermost first, each in order of its start.
    """
    clear = [piece for pieces in tracks for piece in pieces if piece.clear]
    solid = [piece for pieces in tracks for piece in pieces if not piece.clear]
    painted = [*clear, *solid]
    bounds = sorted({at for piece in painted for at in (piece.start_s, piece.end_s)})
    shown: list[Piece | None] = [None] * len(bounds)
    for piece in painted:
        first, last = bisect_left(bounds, piece.start_s), bisect_left(bounds, piece.end_s)
        shown[first:last] = [piece] * (last - first)
    found = []
    spans = zip(shown, bounds, bounds[1:], strict=False)
    for piece, group in itertools.groupby(spans, key=lambda span: span[0]):
        run = [*group]
        if piece is not None:
            found.append(piece.within(run[0][1], run[-1][2]))
    return found


def changes(pieces: Sequence[Piece]) -> list[ListedCut]:
    """Where another clip is seen, or black, in the list's own time.

    Two clips that follow on each other in the source are two all the same: a list that was made
    from a finished film, by a detector or in Resolve, holds nothing else. The end of the last clip
    opens no shot, unless it fades out.

    Args:
        pieces: As ``seen`` returns them.
    """
    found = []
    for left, right in itertools.pairwise([None, *pieces, None]):
        if left and right and left.end_s < right.start_s:
            found += [_change(left, None), _change(None, right)]
        elif right or (left and left.closes):
            found.append(_change(left, right))
    return [cut for cut in found if cut]


def _change(left: Piece | None, right: Piece | None) -> ListedCut | None:
    if _is_black(left) and _is_black(right):
        return None
    at_s = right.start_s if right else left.end_s if left else Fraction(0)
    name = right.name if right and not right.black else ""
    blend = (right.opens if right else None) or (left.closes if left else None)
    if blend is None:
        return ListedCut(at_s=at_s, end_s=None, kind="cut", name=name)
    kind: Literal["fade", "dissolve"] = (
        "fade" if _is_black(left) or _is_black(right) else "dissolve"
    )
    return ListedCut(at_s=blend.start_s, end_s=blend.end_s, kind=kind, name=name)


def _is_black(piece: Piece | None) -> bool:
    return piece is None or piece.black
