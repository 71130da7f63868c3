"""What the packets of a picture say before any is decoded: its parts, and where cuts may lie."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from scorebed.dsp.cuts import AROUND
from scorebed.media import open_media
from scorebed.stages.spot_frames import STAGE, time_base_of

if TYPE_CHECKING:
    from av.container import InputContainer

    from scorebed.model import Picture, SourceFile

AHEAD_FRAMES: Final = 8
"""How far a part looks into the next one, whose first frame may be a cut."""
_FORMATS: Final = ("mov", "matroska")
"""Containers with an index of key frames that can be trusted."""
_PART_FRAMES: Final = 480
"""A part holds that many frames at least; it ends with a group of pictures."""
_MOST_FRAMES: Final = 1_000
"""Where a group of pictures is longer there are no parts: all of it would be held at once."""
_SPIKE: Final = 5.0
"""A packet that is larger than its large neighbours by this factor may well hold a cut."""
_NEIGHBOURS: Final = 24
_LOT: Final = 4_096


class UnsureError(Exception):
    """The picture cannot be decoded in parts; every frame of it has to be decoded."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some groups of pictures: places in the index."""

    first: int
    last: int


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """All packets of the picture, in the order in which they are shown."""

    pts: NDArray[np.int64]
    """When each is shown, rising, in ticks, shape (frames,)."""
    keys: NDArray[np.int64]
    """Places of the key frames."""
    anchors: NDArray[np.bool_]
    """Which are shown after all that were sent before them."""
    suspects: NDArray[np.bool_]
    """Which lie so near to a very large packet that they are always decoded."""

    def key_before(self, place: int) -> int:
        """Place of the key frame from which a place can be decoded."""
        return int(self.keys[np.searchsorted(self.keys, place, side="right") - 1])

    def parts(self) -> list[Part]:
        """The parts that can be decoded side by side.

        Raises:
            UnsureError: If one of them would be too long.
        """
        bounds = [0]
        for place in self.keys:
            if place - bounds[-1] >= _PART_FRAMES:
                bounds.append(int(place))
        bounds.append(len(self.pts))
        if np.diff([*self.keys, len(self.pts)]).max() > _MOST_FRAMES:
            raise UnsureError
        return [Part(first, last) for first, last in pairwise(bounds)]


def index_of(source: SourceFile, picture: Picture) -> Index:
    """Reads all packets of a picture.

    Args:
        source: The user's file.
        picture: What it is.

    Raises:
        UnsureError: If the container, or what is in it, cannot be entered at each key frame.
    """
    if not any(name in picture.format_name.split(",") for name in _FORMATS):
        raise UnsureError
    pts, sizes, keys = [], [], []
    with open_media(source.path, stage=STAGE) as container:
        time_base = time_base_of(container, picture)
        for packet in container.demux(container.streams[picture.video_index]):
            if not packet.size:
                continue
            if packet.pts is None or packet.is_corrupt:
                raise UnsureError
            pts.append(packet.pts)
            sizes.append(packet.size)
            keys.append(packet.is_keyframe)
    times = np.array(pts, dtype=np.int64)
    key = np.array(keys, dtype=bool)
    anchors = np.ones(len(times), dtype=bool)
    anchors[1:] = times[1:] > np.maximum.accumulate(times)[:-1]
    order = np.argsort(times, kind="stable")
    shown = times >= round(picture.start_s / time_base)
    # What is hidden by an edit list belongs to no part; a picture begins with a key frame.
    if (
        len(times) < 2 * AHEAD_FRAMES
        or not shown.all()
        or not key[order[0]]
        or np.any(np.diff(times[order]) < 1)
    ):
        raise UnsureError
    return Index(
        pts=times[order],
        keys=np.flatnonzero(key[order]),
        anchors=anchors[order],
        suspects=_around(_spikes(np.array(sizes, dtype=np.float64), key)[order]),
    )


def require_entries(container: InputContainer, picture: Picture, index: Index) -> None:
    """Makes sure that a file has a list of its key frames, so that it can be entered at any.

    Args:
        container: The file, just opened.
        picture: What it is.
        index: What its packets say.

    Raises:
        UnsureError: If it has no list of its key frames (a recording that was broken off).
    """
    stream = container.streams[picture.video_index]
    # Matroska's list stands at the end; it is read with the first seek.
    container.seek(int(index.pts[0]), stream=stream)
    if len(stream.index_entries) < len(index.keys) // 2:
        raise UnsureError


def _spikes(sizes: NDArray[np.float64], key: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which packets are large among their neighbours in the file."""
    usual = np.where(key, 0.0, sizes)
    padded = np.pad(usual, _NEIGHBOURS, mode="reflect" if len(usual) > _NEIGHBOURS else "edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * _NEIGHBOURS + 1)
    lots = np.array_split(around, len(usual) // _LOT + 1)
    large = usual > _SPIKE * np.concatenate([np.quantile(lot, 0.8, axis=1) for lot in lots])
    # A key frame is always large. One that comes before its time was set on a cut.
    places = np.flatnonzero(key)
    lengths = np.diff(places)
    early = np.zeros(len(sizes), dtype=bool)
    early[places[1:]] = lengths < lengths.max(initial=0)
    return np.asarray(large | early)


def _around(spikes: NDArray[np.bool_]) -> NDArray[np.bool_]:
    near = np.zeros(len(spikes), dtype=bool)
    for place in np.flatnonzero(spikes):
        near[max(0, place - AROUND) : place + AROUND] = True
    return near
