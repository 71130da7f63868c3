"""Cuts that somebody else knows: an editor's timeline, another detector, chapters."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCut:
    """A place where a list says that the picture changes."""

    at_s: Fraction
    """First moment of the new shot, or of the transition to it, in seconds from the first shown
    frame; exact at the list's own rate, so not always on a frame of the picture."""
    end_s: Fraction | None
    """First moment after a dissolve or fade; None for a cut."""
    kind: Literal["cut", "dissolve", "fade"]
    """A wipe is a dissolve; a fade comes from black or goes to it."""
    name: str
    """What the list calls the new shot: a clip's name, a marker's text; may be empty."""
