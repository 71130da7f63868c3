"""The frames that say where the cuts are, small, in order: decoded in parts, side by side.

Frames are sent in runs: an anchor, then those that are shown before it (B-frames). Those that no
other frame refers to are left out, but around packets, large among their neighbours, in which a cut
may lie; where what was seen differs so much that a cut may lie between, the surroundings are
decoded once more, whole. So no cut is placed but where every frame was seen. The loop filter is
left out: what that does to a frame at 64 by 36 pixels is less than a cut does.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, Final

import av.error
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from scorebed.dsp.cuts import AROUND, Cut, CutFinder, CutRule
from scorebed.dsp.picture import Look
from scorebed.media import open_media
from scorebed.model import Picture
from scorebed.stages.spot_frames import STAGE, Seen, Shrinker
from scorebed.stages.spot_index import AHEAD_FRAMES, Index, Part, UnsureError, require_entries
from scorebed.stages.spot_small import Form, Maker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.video.frame import VideoFrame
    from numpy.typing import NDArray

    from scorebed.model import SourceFile
    from scorebed.stages.spot_small import SmallFilm

_NEAR: Final = 1
"""Frames next to a suspected cut that have to be seen on each side, at the least."""
_MOST_WORKERS: Final = 4
_AFFINITY: Final = hasattr(os, "sched_getaffinity")
_LENIENT: Final = CutRule(
    step=0.17, dark_step=0.09, stands_out=0.7, dark_stands_out=1.5, stays=0.3, alike=0.3
)
"""What is looked at more closely. Where frames are missing, what moves stands out more and a cut
less; but over up to nine frames two shots have no more in common than over one. Of 134 cuts between
anchors, in 40 encodes of four films by three encoders, it holds all but two that were unclear."""


def telling_frames(
    source: SourceFile, picture: Picture, index: Index, film: SmallFilm | None = None
) -> Generator[Seen, None, None]:
    """Frames from which cuts, transitions, motion and light can be told.

    Args:
        source: The user's file.
        picture: What it is.
        index: What its packets say.
        film: The small film to which they are written as well; None for none.

    Raises:
        UnsureError: If it cannot be decoded in parts, or not without damage.
    """
    parts = index.parts()
    workers = min(len(os.sched_getaffinity(0)) if _AFFINITY else os.cpu_count() or 1, _MOST_WORKERS)
    seen: dict[int, Look] = {}
    newest = -1
    with ExitStack() as files:
        eyes = _Eyes(picture=picture, index=index, form=None if film is None else film.form)
        for _ in range(workers):
            container = files.enter_context(open_media(source.path, stage=STAGE))
            require_entries(container, picture, index)
            context = container.streams[picture.video_index].codec_context
            context.thread_count = 1
            context.options = {"skip_loop_filter": "all", "flags2": "+fast"}
            busy = Lock()
            # Interrupted, a pool does not wait for the thread that it was just starting.
            files.callback(busy.acquire)
            eyes.idle.put((container, busy))
        pool = files.enter_context(ThreadPoolExecutor(workers, thread_name_prefix="spot"))
        waiting: deque[tuple[Part, Future[_Sight]]] = deque()
        upcoming = iter(parts)
        try:
            while True:
                while len(waiting) <= workers and (part := next(upcoming, None)) is not None:
                    waiting.append((part, pool.submit(eyes.see, part)))
                if not waiting:
                    return
                part, future = waiting.popleft()
                sight = future.result()
                if film is not None:
                    film.add(sight.packets)
                seen |= sight.looks
                for place in sorted(place for place in seen if place < part.last):
                    ticks, look = int(index.pts[place]), seen.pop(place)
                    yield Seen(ticks=ticks, look=look, follows=place == newest + 1)
                    newest = place
        finally:
            # Who is interrupted does not wait for what is under way.
            eyes.stop.set()
            for _, future in waiting:
                future.cancel()


@dataclass(frozen=True, slots=True)
class _Sight:
    """What was seen of a part, by places."""

    looks: dict[int, Look]
    """Also of the beginning of the next part."""
    packets: dict[int, Packet[VideoStream]]
    """Of the small film, if there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Eyes:
    """Look at parts, each in a thread of its own."""

    picture: Picture
    index: Index
    form: Form | None
    """Of the small film, if there is one."""
    idle: SimpleQueue[tuple[InputContainer, Lock]] = field(default_factory=SimpleQueue)
    """The file, opened once for each thread, and what is held while it is read."""
    stop: Event = field(default_factory=Event)

    def see(self, part: Part) -> _Sight:
        """The telling frames of a part, and of the beginning of the next one."""
        container, busy = self.idle.get()
        try:
            if not busy.acquire(blocking=False):
                # It is closed: nobody waits for this any more.
                raise CancelledError
            try:
                return self._see(part, container)
            finally:
                busy.release()
        finally:
            self.idle.put((container, busy))

    def _see(self, part: Part, container: InputContainer) -> _Sight:
        index, shrinker = self.index, Shrinker()
        maker = None if self.form is None else Maker(self.form)
        seen: dict[int, Look] = {}

        def take(place: int, frame: VideoFrame) -> None:
            seen[place] = shrinker.look(frame)
            if maker is not None and part.first <= place < part.last:
                maker.add(place, frame, seen[place])

        until = min(part.last + AHEAD_FRAMES, len(index.pts))
        for place, frame in self._decode(container, (part.first, until), index.suspects):
            take(place, frame)
        whole = slice(part.first, part.last)
        told = index.anchors[whole] | index.suspects[whole]
        _require(seen, part.first + np.flatnonzero(told))
        wanted = np.zeros(len(index.pts), dtype=bool)
        ends: dict[int, int] = {}
        for first, last in _doubtful(seen, until):
            wanted[max(first, part.first) : last] = True
            ends[index.key_before(max(first, part.first))] = last
        # Once more from each key frame at most, up to the last stretch that needs it.
        for span in ends.items():
            for place, frame in self._decode(container, span, wanted):
                if wanted[place]:
                    take(place, frame)
        _require(seen, np.flatnonzero(wanted))
        return _Sight(seen, {} if maker is None else maker.packets)

    def _decode(
        self,
        container: InputContainer,
        span: tuple[int, int],
        wanted: NDArray[np.bool_],
    ) -> Iterator[tuple[int, VideoFrame]]:
        """Places and frames from a key frame on: what others refer to, and all that is wanted."""
        index, (first, until) = self.index, span
        stream = container.streams[self.picture.video_index]
        assert isinstance(stream, VideoStream)
        context = stream.codec_context
        try:
            for packet in self._packets(container, stream, first):
                # The last one is empty: it fetches what the decoder holds back.
                place = _place(index, packet) if packet.size else until - 1
                context.skip_frame = "DEFAULT" if wanted[place] else "NONREF"
                at = 0
                for frame in packet.decode():
                    at = _place(index, frame)
                    if first <= at < until:
                        if frame.is_corrupt:
                            raise UnsureError
                        yield at, frame
                if at >= until - 1:
                    break
        except (av.error.InvalidDataError, av.error.ArgumentError) as error:
            raise UnsureError from error

    def _packets(
        self, container: InputContainer, stream: VideoStream, first: int
    ) -> Iterator[Packet[VideoStream]]:
        """From a key frame on; seeking may lead to an earlier one."""
        index = self.index
        container.seek(int(index.pts[first]), stream=stream)
        packets = container.demux(stream)
        for packet in packets:
            if packet.size and _place(index, packet) == first:
                yield packet
                break
        else:
            raise UnsureError
        for packet in packets:
            if self.stop.is_set():
                break
            yield packet


def _require(seen: dict[int, Look], places: Iterable[int]) -> None:
    """Refuses a decoder that keeps frames to itself: fields, recovery points, damage."""
    if not all(place in seen for place in places):
        raise UnsureError


def _place(index: Index, one: Packet[Any] | VideoFrame) -> int:
    """Where a packet or a frame stands in the index."""
    place = int(np.searchsorted(index.pts, one.pts)) if one.pts is not None else len(index.pts)
    if place >= len(index.pts) or index.pts[place] != one.pts:
        raise UnsureError
    return place


def _doubtful(seen: dict[int, Look], until: int) -> list[tuple[int, int]]:
    """Stretches in which a cut may lie and not every frame was seen."""
    places = sorted(seen)
    looks = [seen[place] for place in places]
    found = {cut.frame: cut.clear for cut in _cuts(CutFinder(), looks)}
    perhaps = {cut.frame for cut in _cuts(CutFinder(_LENIENT), looks)}
    stretches: list[tuple[int, int]] = []
    for at in sorted(perhaps | found.keys()):
        # The cut is one of the frames after the one before it.
        before, after = places[at - 1], places[at]
        if found.get(at) and before + 1 == after:
            continue
        near = range(max(0, before - _NEAR), min(until, after + _NEAR + 1))
        if all(place in seen for place in near):
            continue
        first, last = max(0, before + 1 - AROUND), min(until, after + AROUND)
        if stretches and first <= stretches[-1][1]:
            stretches[-1] = stretches[-1][0], last
        else:
            stretches.append((first, last))
    return stretches


def _cuts(finder: CutFinder, looks: list[Look]) -> list[Cut]:
    return [cut for look in looks for cut in finder.add(look)] + list(finder.finish())
