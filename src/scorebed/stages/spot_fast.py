"""The frames that say where the cuts are, small, in order: decoded in parts, side by side.

Frames that no other frame refers to are left out, but around those packets, large among their
neighbours, in which a cut may lie; a cut that shows up elsewhere makes its surroundings be decoded
once more, whole. The loop filter is left out: nothing of it is left at 64 by 36 pixels. So no cut
is decided, and none placed, but where every frame was seen.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from threading import Event
from typing import TYPE_CHECKING, Any, Final

import av.error
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from scorebed.dsp.cuts import AROUND, Cut, CutFinder, CutRule
from scorebed.dsp.picture import Look, look_at
from scorebed.media import open_media
from scorebed.stages.spot_frames import STAGE, Seen, Shrinker, time_base_of

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame

    from scorebed.model import Picture, SourceFile

_FORMATS: Final = ("mov", "matroska")
"""Containers with an index of key frames that can be trusted."""
_PART_FRAMES: Final = 240
"""A part holds that many frames at least; it ends with a group of pictures."""
_AHEAD_FRAMES: Final = 12
"""How far a part looks into the next one, whose first frame may be a cut."""
_NEAR: Final = 1
"""Frames next to a suspected cut that have to be seen on each side, at the least."""
_SPIKE: Final = 3.0
"""A packet that is larger than its large neighbours by this factor may hold a cut."""
_NEIGHBOURS: Final = 24
_MOST_WORKERS: Final = 4
_AFFINITY: Final = hasattr(os, "sched_getaffinity")
_MOST_FRAMES: Final = 1_000
"""A longer group of pictures is no part: all of it would be held, and decoded again for each
doubtful stretch."""
_LENIENT: Final = CutRule(step=0.12, dark_step=0.06, stands_out=0.01, stays=0.01, alike=2.0)
"""What is looked at more closely: every large step. Nothing else can be told where frames are
missing: the four on each side may be twenty apart."""


class UnsureError(Exception):
    """The picture cannot be decoded in parts; every frame of it has to be decoded."""


@dataclass(frozen=True, slots=True, eq=False)
class _Index:
    """All packets of the picture, in the order in which they are shown."""

    pts: NDArray[np.int64]
    """When each is shown, rising, in ticks."""
    keys: NDArray[np.int64]
    """Places of the key frames."""
    suspects: NDArray[np.bool_]
    """Which lie so near to a large packet that they are always decoded."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A run of groups of pictures: places in the index."""

    first: int
    last: int


def telling_frames(source: SourceFile, picture: Picture) -> Generator[Seen, None, None]:
    """Frames from which cuts, transitions, motion and light can be told.

    Args:
        source: The user's file.
        picture: What it is.

    Raises:
        UnsureError: If it cannot be decoded in parts, or not without damage.
    """
    index = _index(source, picture)
    parts = _parts(index)
    workers = min(len(os.sched_getaffinity(0)) if _AFFINITY else os.cpu_count() or 1, _MOST_WORKERS)
    stop = Event()
    carried: dict[int, NDArray[np.uint8]] = {}
    newest = -1
    with ThreadPoolExecutor(workers, thread_name_prefix="spot") as pool:
        waiting: deque[tuple[_Part, Future[dict[int, NDArray[np.uint8]]]]] = deque()
        upcoming = iter(parts)
        try:
            while True:
                while len(waiting) <= workers and (part := next(upcoming, None)) is not None:
                    waiting.append((part, pool.submit(_see, source, picture, index, part, stop)))
                if not waiting:
                    return
                part, future = waiting.popleft()
                seen = carried | future.result()
                carried = {place: seen[place] for place in seen if place >= part.last}
                for place in sorted(place for place in seen if place < part.last):
                    ticks = int(index.pts[place])
                    yield Seen(ticks=ticks, planes=seen[place], follows=place == newest + 1)
                    newest = place
        finally:
            # Who is interrupted does not wait for what is under way.
            stop.set()
            for _, future in waiting:
                future.cancel()


# --- planning ----------------------------------------------------------------------------------


def _index(source: SourceFile, picture: Picture) -> _Index:
    if not any(name in picture.format_name.split(",") for name in _FORMATS):
        raise UnsureError
    pts, sizes, keys = [], [], []
    with open_media(source.path, stage=STAGE) as container:
        time_base = time_base_of(container, picture)
        for packet in container.demux(video=_number(container, picture)):
            if not packet.size:
                continue
            if packet.pts is None or packet.is_corrupt:
                raise UnsureError
            pts.append(packet.pts)
            sizes.append(packet.size)
            keys.append(packet.is_keyframe)
    times = np.array(pts, dtype=np.int64)
    key = np.array(keys, dtype=bool)
    suspects = _suspects(times, np.array(sizes, dtype=np.float64), key)
    order = np.argsort(times, kind="stable")
    times, key, suspects = times[order], key[order], suspects[order]
    shown = times >= round(picture.start_s / time_base)
    # What is hidden by an edit list belongs to no part; a picture begins with a key frame.
    if (
        len(times) < 2 * _AHEAD_FRAMES
        or not shown.all()
        or not key[0]
        or np.any(np.diff(times) < 1)
    ):
        raise UnsureError
    return _Index(pts=times, keys=np.flatnonzero(key), suspects=suspects)


def _number(container: InputContainer, picture: Picture) -> int:
    videos = [stream.index for stream in container.streams.video]
    return videos.index(picture.video_index)


def _suspects(
    times: NDArray[np.int64], sizes: NDArray[np.float64], key: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which packets are shown near to one in which a cut may lie; all in the order of the file."""
    usual = np.where(key, 0.0, sizes)
    padded = np.pad(usual, _NEIGHBOURS, mode="reflect" if len(usual) > _NEIGHBOURS else "edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * _NEIGHBOURS + 1)
    large = usual > _SPIKE * np.quantile(around, 0.8, axis=1)
    # A key frame is always large. One that comes before its time was set on a cut.
    places = np.flatnonzero(key)
    lengths = np.diff(places)
    early = np.zeros(len(sizes), dtype=bool)
    early[places[1:]] = lengths < lengths.max(initial=0)
    order = np.argsort(times, kind="stable")
    near = np.zeros(len(times), dtype=bool)
    for place in np.flatnonzero((large | early)[order]):
        near[max(0, place - AROUND) : place + AROUND] = True
    back = np.empty_like(near)
    back[order] = near
    return back


def _parts(index: _Index) -> list[_Part]:
    bounds = [0]
    for place in index.keys:
        if place - bounds[-1] >= _PART_FRAMES:
            bounds.append(int(place))
    bounds.append(len(index.pts))
    if np.diff(bounds).max() > _PART_FRAMES + _MOST_FRAMES:
        raise UnsureError
    return [_Part(first, last) for first, last in pairwise(bounds)]


# --- decoding ----------------------------------------------------------------------------------


def _see(
    source: SourceFile, picture: Picture, index: _Index, part: _Part, stop: Event
) -> dict[int, NDArray[np.uint8]]:
    """The telling frames of a part, and of the beginning of the next one, by their places."""
    shrinker = Shrinker()
    until = min(part.last + _AHEAD_FRAMES, len(index.pts))
    wanted = index.suspects.copy()
    with open_media(source.path, stage=STAGE) as container:
        context = container.streams[picture.video_index].codec_context
        context.thread_count = 1
        context.options = {"skip_loop_filter": "all"}
        seen = _decode(container, picture, index, (part.first, until), wanted, shrinker, stop)
        _require(seen, [part.first, *(part.first + np.flatnonzero(wanted[part.first : part.last]))])
        for first, last in _doubtful(seen, until):
            wanted[:] = False
            wanted[first:last] = True
            key = int(index.keys[np.searchsorted(index.keys, first, side="right") - 1])
            more = _decode(container, picture, index, (key, last), wanted, shrinker, stop)
            seen |= {place: planes for place, planes in more.items() if first <= place < last}
            _require(seen, range(max(first, part.first), last))
    return {place: planes for place, planes in seen.items() if place >= part.first}


def _decode(
    container: InputContainer,
    picture: Picture,
    index: _Index,
    span: tuple[int, int],
    wanted: NDArray[np.bool_],
    shrinker: Shrinker,
    stop: Event,
) -> dict[int, NDArray[np.uint8]]:
    """Decodes from a key frame on: what other frames refer to, and all that is wanted."""
    first, until = span
    stream = container.streams[picture.video_index]
    assert isinstance(stream, VideoStream)
    context = stream.codec_context
    container.seek(int(index.pts[first]), stream=stream)
    seen: dict[int, NDArray[np.uint8]] = {}
    begun = False
    try:
        for packet in container.demux(stream):
            if stop.is_set():
                break
            # The last one is empty: it fetches what the decoder holds back.
            place = _place(index, packet) if packet.size else until - 1
            if not begun and place != first:
                continue
            begun = True
            context.skip_frame = "DEFAULT" if wanted[place] else "NONREF"
            at = 0
            for frame in packet.decode():
                at = _place(index, frame)
                if first <= at < until:
                    if frame.is_corrupt:
                        raise UnsureError
                    seen[at] = shrinker.small(frame)
            if at >= until - 1:
                break
    except (av.error.InvalidDataError, av.error.ArgumentError) as error:
        raise UnsureError from error
    if not begun:
        raise UnsureError
    return seen


def _require(seen: dict[int, NDArray[np.uint8]], places: Iterable[int]) -> None:
    """Refuses a decoder that keeps frames to itself: fields, recovery points, damage."""
    if not all(place in seen for place in places):
        raise UnsureError


def _place(index: _Index, one: Packet[Any] | VideoFrame) -> int:
    """Where a packet or a frame stands in the index."""
    place = int(np.searchsorted(index.pts, one.pts)) if one.pts is not None else len(index.pts)
    if place >= len(index.pts) or index.pts[place] != one.pts:
        raise UnsureError
    return place


def _doubtful(seen: dict[int, NDArray[np.uint8]], until: int) -> list[tuple[int, int]]:
    """Stretches in which a cut may lie and not every frame was seen."""
    places = sorted(seen)
    looks = [look_at(seen[place]) for place in places]
    follows = [place - 1 in seen for place in places]
    certain = {cut.frame for cut in _cuts(CutFinder(), looks, follows) if cut.clear}
    stretches: list[tuple[int, int]] = []
    for cut in _cuts(CutFinder(_LENIENT), looks, [True] * len(looks)):
        if cut.frame in certain:
            continue
        # The cut is one of the frames after the one before it.
        before, after = places[cut.frame - 1], places[cut.frame]
        first, last = max(0, before + 1 - AROUND), min(until, after + AROUND)
        near = range(max(0, before - _NEAR), min(until, after + _NEAR + 1))
        if all(place in seen for place in near):
            continue
        if stretches and first <= stretches[-1][1]:
            stretches[-1] = stretches[-1][0], last
        else:
            stretches.append((first, last))
    return stretches


def _cuts(finder: CutFinder, looks: list[Look], follows: list[bool]) -> list[Cut]:
    found = [
        cut
        for look, near in zip(looks, follows, strict=True)
        for cut in finder.add(look, follows=near)
    ]
    return found + list(finder.finish())
