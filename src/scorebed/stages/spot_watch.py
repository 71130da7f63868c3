"""One look at the whole picture: cuts, gradual changes, motion, light and colour."""

from __future__ import annotations

from array import array
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scorebed.dsp.cuts import Cut, CutFinder, settled
from scorebed.dsp.gradual import Gradual, GradualFinder
from scorebed.dsp.picture import (
    MOTION_LAG_S,
    SMALL_HEIGHT_PX,
    SMALL_WIDTH_PX,
    FrameMeter,
    Look,
    look_at,
)
from scorebed.errors import MediaError
from scorebed.media import open_media
from scorebed.model import Picture
from scorebed.stages.spot_fast import telling_frames
from scorebed.stages.spot_frames import STAGE, FrameTimes, Seen, every_frame, time_base_of
from scorebed.stages.spot_index import UnsureError, index_of
from scorebed.stages.spot_small import form_of, writing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scorebed.model import Accuracy, Progress, SourceFile

HOP_S = Fraction(1, 2)
_LEAST_SOUND = 0.8
"""A picture of which less than this share decodes without damage is refused: it is a broken copy,
and delivering it with fresh music would hide that."""
_CLOCK_S = 0.002
"""No clock of a container is coarser."""
_BUSY_MOTION = 28.0
"""Mean luma difference (of 255) over 0.12 s that counts as 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """The picture in numbers."""

    times_s: FrameTimes
    """When the frames are shown that were seen."""
    shown_s: FrameTimes
    """When all frames are shown."""
    cuts: tuple[Cut, ...]
    """Hard cuts, by their frames."""
    gradual: tuple[Gradual, ...]
    """Dissolves and fades, in seconds from the first shown frame."""
    frame_motion: NDArray[np.float32]
    """Motion at each frame that was seen, 0 to 1, shape (frames,)."""
    motion: NDArray[np.float64]
    """Motion per hop, 0 to 1, cuts left out, shape (hops,)."""
    brightness: NDArray[np.float64]
    """Mean luma per hop, 0 black to 1 white, shape (hops,)."""
    saturation: NDArray[np.float64]
    """Mean distance from grey per hop, 0 to 1, shape (hops,)."""
    warmth: NDArray[np.float64]
    """Mean colour balance per hop, -1 blue to 1 orange, shape (hops,)."""
    histograms: NDArray[np.float32]
    """Colours at each hop, shape (hops, 96)."""
    sound_frames: int
    """Frames that were seen and decoded without damage; those that the fast look leaves out count
    among them: where any frame that it sees is damaged, all are decoded."""


_NOTHING = look_at(np.zeros((3, SMALL_HEIGHT_PX, SMALL_WIDTH_PX), dtype=np.uint8))


@dataclass(slots=True)
class _Watch:
    """What is gathered while the frames go by."""

    time_base: Fraction
    picture: Picture
    meter: FrameMeter = field(default_factory=FrameMeter)
    ticks: array[int] = field(default_factory=lambda: array("q"))
    cuts: list[Cut] = field(default_factory=list)
    gradual: list[Gradual] = field(default_factory=list)
    histograms: list[NDArray[np.float32]] = field(default_factory=list)
    newest: Look = _NOTHING
    sound: int = 0

    def all(self, frames: Iterator[Seen], progress: Progress) -> Watched:
        """Looks at every frame."""
        cutter, fader = CutFinder(), GradualFinder()
        for seen in frames:
            self.sound += not seen.damaged
            if self.ticks and seen.ticks <= self.ticks[-1]:
                continue
            look = seen.look
            time_s = float(seen.ticks * self.time_base - self.picture.start_s)
            self.meter.add(look, time_s)
            self.cuts.extend(cutter.add(look, follows=seen.follows))
            self.gradual.extend(fader.add(look, time_s, follows=seen.follows))
            self.ticks.append(seen.ticks)
            # What is shown at the beginning of each hop: the frame before, until this one comes.
            while len(self.histograms) * float(HOP_S) < time_s:
                self.histograms.append(self.newest.histogram)
            self.newest = look
            progress(min(time_s / float(self.picture.duration_s), 1.0))
        self.cuts = list(settled([*self.cuts, *cutter.finish()]))
        self.gradual.extend(fader.finish())
        return self._summary()

    def _summary(self) -> Watched:
        meter, picture = self.meter, self.picture
        times_s = FrameTimes(self.ticks, self.time_base, picture.start_s)
        hops = max(1, -(-picture.duration_s // HOP_S))
        ticks = times_s.ticks - round(picture.start_s / self.time_base)
        # Each frame counts for as long as it is shown.
        shown = np.diff(ticks, append=ticks[-1:] + np.diff(ticks[-2:])[-1:].sum()).clip(min=1)
        hop = np.clip((ticks * float(self.time_base / HOP_S)).astype(np.int64), 0, hops - 1)
        motion = np.clip(meter.motion / _BUSY_MOTION, 0, 1)
        filled = self.histograms + [self.newest.histogram] * (hops - len(self.histograms))
        steady = self._steady(times_s.approximate_s)
        if not steady.any():
            steady[:] = True
        frames = np.arange(len(motion))
        return Watched(
            times_s=times_s,
            shown_s=times_s,
            cuts=tuple(self.cuts),
            gradual=tuple(self.gradual),
            frame_motion=np.interp(frames, frames[steady], motion[steady]).astype(np.float32),
            motion=_per_hop(motion[steady], hop[steady], shown[steady], hops),
            brightness=_per_hop(meter.brightness, hop, shown, hops),
            saturation=_per_hop(meter.saturation, hop, shown, hops),
            warmth=_per_hop(meter.warmth, hop, shown, hops),
            histograms=np.stack(filled[:hops]),
            sound_frames=self.sound,
        )

    def _steady(self, times_s: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which frames are not held to one from before a cut, nor lie in a gradual change."""
        steady = np.ones(len(times_s), dtype=bool)
        steady[:1] = False
        spans = [(times_s[cut.frame], times_s[cut.frame]) for cut in self.cuts]
        for start_s, end_s in [*spans, *((one.start_s, one.end_s) for one in self.gradual)]:
            first, last = np.searchsorted(times_s, (start_s, end_s + MOTION_LAG_S + _CLOCK_S))
            steady[first:last] = False
        return steady


def watch(
    source: SourceFile,
    picture: Picture,
    accuracy: Accuracy,
    small: tuple[Path, int] | None,
    progress: Progress,
) -> Watched:
    """Looks at the whole picture once.

    Args:
        source: The user's file.
        picture: What it is.
        accuracy: ``full`` to decode every frame, ``fast`` to leave out those that tell nothing.
            What cannot be decoded in parts is decoded whole all the same, and so is what shows
            damage in a frame that tells something; other damage is not seen.
        small: The path of a small film that is made on the way with ``fast``, where one can be,
            and its lines; None if none is wanted.
        progress: Called with the share that is done.

    Raises:
        MediaError: If less than four fifths of the picture decode without damage.
    """
    with open_media(source.path, stage=STAGE) as container:
        time_base = time_base_of(container, picture)
    if accuracy == "fast":
        with suppress(UnsureError):
            index = index_of(source, picture)
            form = None if small is None else form_of(source, picture, index, small[1])
            with (
                nullcontext() if small is None or form is None else writing(small[0], form) as film,
                closing(telling_frames(source, picture, index, film)) as frames,
            ):
                watched = _Watch(time_base, picture).all(frames, progress)
            shown_s = FrameTimes(index.pts, time_base, picture.start_s)
            return replace(watched, shown_s=shown_s, sound_frames=picture.frame_count)
    watched = _Watch(time_base, picture).all(every_frame(source, picture), progress)
    sound = watched.sound_frames
    if sound < picture.frame_count * _LEAST_SOUND:
        raise MediaError(
            f"{STAGE}: only {sound} of {picture.frame_count} frames of {source.path} decode "
            "without damage",
            remedy="The picture is damaged: export or copy the file again.",
        )
    return watched


def _per_hop(
    values: NDArray[np.float32],
    hop: NDArray[np.int64],
    shown: NDArray[np.int64],
    hops: int,
) -> NDArray[np.float64]:
    """Mean of what is shown in each hop; a hop without frames takes the one before."""
    shares = np.bincount(hop, weights=shown, minlength=hops)
    sums = np.bincount(hop, weights=values * shown, minlength=hops)
    means = sums / np.maximum(shares, 1)
    known = np.maximum.accumulate(np.where(shares > 0, np.arange(hops), 0))
    return np.asarray(means[known], dtype=np.float64)
