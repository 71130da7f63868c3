"""Hard cuts between frames. Arrays only.

A cut is a frame that is far from the one before it, and stays far: from all of the four before it
to all of the four that begin with it. It stands out from the steps around it, so that a whip pan, a
shaking camera or a fast scroll is none; and the two frames do not look alike but for their light,
so that a flash or an explosion is none.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scorebed.dsp.picture import Look, distance, likeness

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

AROUND: Final = 4
"""Frames on each side that are asked."""
_PLAIN: Final = 6.0
"""Contrast under which a frame has no structure that could be alike."""
_SOON_FRAMES: Final = 5
"""A weaker cut so soon after or before a stronger one is what a shot begins or ends with."""
_WEAKER: Final = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class CutRule:
    """What makes a cut.

    The defaults find the 57 cuts of seven labelled films (trailer, adverts, film, documentary).
    """

    step: float = 0.17
    """Least distance to the frame before."""
    dark_step: float = 0.09
    """The same in a dark or flat picture, where it has to stand out from calm frames."""
    stands_out: float = 1.35
    """Least ratio to the largest of the three steps before and after."""
    dark_stands_out: float = 5.0
    """The same for a small step."""
    stays: float = 0.60
    """Least share of the step at which all frames before are from all after."""
    alike: float = 0.50
    """Likeness from which it is a change of light."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A hard cut."""

    frame: int
    """Number of the first frame of the new shot, in the order in which they were added."""
    step: float
    """Distance to the frame before."""
    confidence: float
    """How sure it is, 0.5 to 1."""
    clear: bool
    """Whether no threshold was near."""


def settled(cuts: Iterable[Cut]) -> Iterator[Cut]:
    """Leaves out cuts that are too near to stronger ones.

    Args:
        cuts: In order.
    """
    held: Cut | None = None
    for found in cuts:
        if held is not None and found.frame - held.frame <= _SOON_FRAMES:
            if found.step < _WEAKER * held.step:
                continue
            if held.step < _WEAKER * found.step:
                held = found
                continue
        if held is not None:
            yield held
        held = found
    if held is not None:
        yield held


class CutFinder:
    """Takes looks one by one; gives cuts as soon as they are certain.

    Args:
        rule: What makes a cut.
    """

    def __init__(self, rule: CutRule | None = None) -> None:
        self._rule = rule or CutRule()
        self._looks: deque[Look] = deque(maxlen=2 * AROUND)
        self._steps: deque[float] = deque(maxlen=2 * AROUND)
        self._follows: deque[bool] = deque(maxlen=2 * AROUND)
        self._count = 0

    def add(self, look: Look, *, follows: bool = True) -> Iterator[Cut]:
        """Takes the next frame; gives the cut that it decides.

        Args:
            look: What it looks like.
            follows: Whether the frame before it was taken too; no cut is placed over a gap.
        """
        self._follows.append(follows)
        self._steps.append(distance(self._looks[-1], look) if self._looks else 0.0)
        self._looks.append(look)
        self._count += 1
        if len(self._looks) > AROUND:
            yield from self._decide(len(self._looks) - AROUND)

    def finish(self) -> Iterator[Cut]:
        """The cuts among the last frames."""
        for at in range(max(1, len(self._looks) - AROUND + 1), len(self._looks)):
            yield from self._decide(at)

    def _decide(self, at: int) -> Iterator[Cut]:
        """Whether the look at a place of the ring is the first one of a new shot."""
        rule, steps = self._rule, list(self._steps)
        step = steps[at]
        if at < 1 or not self._follows[at] or step < rule.dark_step:
            return
        reach = AROUND - 1
        rival = max([*steps[max(1, at - reach) : at], *steps[at + 1 : at + 1 + reach]], default=0.0)
        stands_out = rule.stands_out if step >= rule.step else rule.dark_stands_out
        if step < stands_out * rival:
            return
        looks = list(self._looks)
        before, after = looks[max(0, at - AROUND) : at], looks[at : at + AROUND]
        apart = min(distance(one, other) for one in before for other in after)
        if apart < rule.stays * step:
            return
        alike = likeness(looks[at - 1], looks[at])
        plain = min(looks[at - 1].contrast, looks[at].contrast) < _PLAIN
        if alike > rule.alike and not plain:
            return
        margins = (
            step / (rule.step if step >= rule.step else rule.dark_step),
            step / max(stands_out * rival, 1e-6),
            apart / (rule.stays * step),
            1.5 if plain else (1 - alike) / (1 - rule.alike),
        )
        yield Cut(
            frame=self._count - len(looks) + at,
            step=step,
            confidence=min(1.0, 0.5 + min(margins[0] - 1, margins[1] - 1, 1.0) / 2),
            clear=min(margins) >= 1.25,  # noqa: PLR2004
        )
