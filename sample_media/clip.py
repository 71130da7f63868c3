"""What a clip is made of: shots in scenes at an exact frame rate, and sounds on its time line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """Frames between two cuts."""

    scene: str
    """The scene it belongs to; neighbours of the same name form one scene."""
    frames: int
    """Its length."""
    draw: Callable[[float, float], Floats]
    """Draws the frame at t seconds after the cut, `share` (0..1) of the way through the shot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """A sentence of the narration."""

    start_s: float
    """Where its first sound lies, in seconds."""
    text: str
    """What is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A whole sample."""

    name: str
    """The file's name without an ending."""
    frame_rate: Fraction
    """Frames per second."""
    shots: tuple[Shot, ...]
    """In order."""
    phrases: tuple[Phrase, ...]
    """The narration; empty when nobody speaks."""
    vignette: float
    """How far the corners are darkened, 0..1."""
    crf: int
    """x264's constant rate factor; higher is smaller."""
    audio_bitrate_kbps: int
    """For the stereo AAC track."""

    @property
    def frames(self) -> int:
        """The number of frames."""
        return sum(shot.frames for shot in self.shots)

    @property
    def starts(self) -> tuple[int, ...]:
        """The first frame of each shot."""
        sums = [0]
        for shot in self.shots:
            sums.append(sums[-1] + shot.frames)
        return tuple(sums[:-1])

    @property
    def scene_starts(self) -> tuple[tuple[int, str], ...]:
        """The first frame and the name of each scene."""
        names = [shot.scene for shot in self.shots]
        return tuple(
            (start, name)
            for start, name, before in zip(self.starts, names, [None, *names], strict=False)
            if name != before
        )

    def seconds(self, frame: int) -> float:
        """The time at which a frame is first shown."""
        return float(frame / self.frame_rate)
