"""Dissolves and fades. Arrays only.

While one shot dissolves into another, every frame is a weighted sum of the two: seen as points, the
frames lie on the straight line between the last whole frame of the one and the first whole one of
the other. Nothing else that changes a picture so much does that: what moves leaves the line, a cut
crosses it in one step, a change of light ends where it began. A fade is a dissolve from or to a
plain colour; two that meet in it are one fade through it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from scorebed.dsp.picture import likeness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from scorebed.dsp.picture import Floats, Look

GRID_S: Final = 0.04
"""Thumbs are taken at this distance: 25 frames per second."""
_HALVES: Final = (2, 3, 4, 6, 8, 12, 17, 24, 36, 52)
"""Half lengths that are tried, in steps of the grid: 0.08 to 2.1 s."""
_SHORTEST: Final = 3
"""Shortest half length of a dissolve."""
_LEAST_SEEN: Final = 2
"""Frames of a change, besides its ends, that were not left out."""
_REACH: Final = _HALVES[-1]
_AHEAD: Final = 25
"""Centres are looked at in lots of one second."""
_LONGEST: Final = 4 * _REACH
"""Overlapping finds are weighed against each other for so long at most."""
_HELD: Final = _LONGEST + 2 * _REACH
_OFF_LINE: Final = 0.05
"""Most power beside the line on average, as a share of the power between its ends: what moves in
the two shots themselves. An object that wipes the picture is at 0.2, a pan at 0.5."""
_LONG: Final = 40
_OFF_LONG_LINE: Final = 0.04
"""The same over more than 1.6 s, in which a slow camera may pass for a dissolve."""
_OFF_LINE_OF_FADE: Final = 0.035
"""Most power beside the line anywhere, where one of the ends is a plain colour."""
_CHANGE: Final = 0.75
"""Least power between the ends, as a share of what the two have in themselves."""
_LEAST_CHANGE: Final = 14.0
_LEAST_CHANGE_OF_FADE: Final = 9.0
"""Least root mean square between the ends, of 255."""
_STEP: Final = 0.5
"""Most of the way that is gone between two thumbs: what goes further is a cut."""
_DETOUR: Final = 5.0
_DETOUR_OF_FADE: Final = 1.6
"""Most length of the way, in lengths of the line."""
_CHANGED: Final = 8.0
_COVERED: Final = 0.65
"""A dissolve changes almost all of the picture: at least this share of it by so much of 255. An
edge that moves slowly over the thumb's pixels changes few at a time."""
_UNEVEN: Final = 0.22
_EVEN: Final = 0.98
"""A dissolve goes evenly: so near are way and time, and so well correlated."""
_CONTRAST_ERROR: Final = 0.12
"""Most deviation of the contrast from that of a weighted sum, as a share of it. With the three
above: two thirds of the dissolves that were mixed from real shots, most of them full of motion,
and 2 false ones among 3,469 stretches of the same shots."""
_PLAIN: Final = 3.0
"""Contrast up to which a thumb shows a plain colour."""
_PLAIN_SHARE: Final = 0.07
"""The same as a share of the contrast of the other end: a fade may stop short of empty."""
_ALIKE: Final = 0.85
"""Likeness of the two ends from which only the light has changed, if none is plain."""
_BACK: Final = 0.35
"""If the picture before is nearer to its end than this share of the change, it flashed."""
_SAME: Final = 0.5
"""Likeness of the details of two frames from which they are of one shot."""
_BEFORE: Final = 10
_ENDS: Final = 0.02
"""Share of the way that counts as not yet begun, or done."""
_GOES_ON: Final = 0.4
"""Share of its mean pace with which a change still goes on beyond the stretch that was found."""
_LUMA: Final = 144


@dataclass(frozen=True, slots=True, kw_only=True)
class Gradual:
    """A gradual change."""

    kind: Literal["dissolve", "fade"]
    """Whether one of its ends, or its middle, is a plain colour."""
    start_s: float
    """Time of the first changed frame, in seconds."""
    end_s: float
    """Time from which nothing changes any more, in seconds."""
    middle_s: float
    """Where the one shot gives way to the other: half of the way, or the plain colour."""
    confidence: float
    """How sure it is, 0.5 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A stretch of the grid that lies on a line."""

    centre: int
    half: int
    change: float
    off_line: float

    @property
    def first(self) -> int:
        return self.centre - self.half

    @property
    def last(self) -> int:
        return self.centre + self.half

    @property
    def score(self) -> float:
        """What is better: much changes, straight, in no more time than it takes."""
        return self.change * (1 - self.off_line / _OFF_LINE / 2) * (1 - 0.004 * self.half)


class GradualFinder:
    """Takes looks one by one; gives changes as soon as they are over."""

    def __init__(self) -> None:
        self._grid: list[Floats] = []
        self._looks: list[Look] = []
        self._seen: list[bool] = []
        self._first = 0
        self._start_s: float | None = None
        self._newest: tuple[Look, float] | None = None
        self._looked = 0
        self._found: list[_Found] = []
        self._faded: Gradual | None = None

    def add(self, look: Look, time_s: float, *, follows: bool = True) -> Iterator[Gradual]:
        """Takes the next frame.

        Args:
            look: What it looks like.
            time_s: When it is shown, in seconds; later than the last one.
            follows: Whether the frame before it was taken too.
        """
        if self._start_s is None or self._newest is None:
            self._start_s = time_s
        else:
            before, before_s = self._newest
            while (at_s := self._time(self._end)) < time_s - GRID_S / 2:
                # A frame is shown until the next one comes; one that was left out, and holds no
                # cut, lies between its neighbours.
                share = 0.0 if follows else max((at_s - before_s) / (time_s - before_s), 0.0)
                near = before if share < 0.5 else look  # noqa: PLR2004
                thumb = before.thumb + share * (look.thumb - before.thumb)
                yield from self._take(near, thumb, seen=follows or at_s - before_s < GRID_S / 2)
        self._newest = look, time_s

    def finish(self) -> Iterator[Gradual]:
        """The changes among the last frames."""
        if self._newest is None:
            return
        last, _ = self._newest
        yield from self._take(last, last.thumb)
        # What is shown last stays: a fade out has an end.
        end = self._end
        for _ in range(_REACH + _AHEAD):
            yield from self._take(last, last.thumb)
        for found in self._settled(self._end + _LONGEST):
            if found.kind == "dissolve" and found.end_s > self._time(end):
                continue
            if found.start_s < self._time(end):
                yield from self._joined(replace(found, end_s=min(found.end_s, self._time(end))))
        if self._faded is not None:
            yield self._faded

    @property
    def _end(self) -> int:
        return self._first + len(self._grid)

    def _time(self, at: float) -> float:
        assert self._start_s is not None
        return self._start_s + at * GRID_S

    def _take(self, look: Look, thumb: Floats, *, seen: bool = True) -> Iterator[Gradual]:
        if not self._grid:
            # What is shown first was there before: a fade in has a beginning.
            self._grid = [thumb] * _REACH
            self._looks = [look] * _REACH
            self._seen = [True] * _REACH
            self._first = -_REACH
        self._grid.append(thumb)
        self._looks.append(look)
        self._seen.append(seen)
        if self._end - self._looked > _REACH + _AHEAD:
            thumbs = np.stack(self._grid)
            self._look(thumbs, self._looked, self._looked + _AHEAD)
            self._looked += _AHEAD
            for found in self._settled(self._looked):
                yield from self._joined(found)
            spare = self._looked - _HELD - self._first
            if spare > 0:
                del self._grid[:spare], self._looks[:spare], self._seen[:spare]
                self._first += spare

    def _look(self, thumbs: Floats, start: int, stop: int) -> None:
        """Tries all half lengths around each centre."""
        for half in _HALVES:
            centres = np.arange(start, stop) - self._first
            centres = centres[centres >= half]
            one, other = thumbs[centres - half], thumbs[centres + half]
            for centre in centres[_changes(one, other)]:
                stretch = thumbs[centre - half : centre + half + 1]
                found = _on_line(stretch)
                if found is None or not self._parts_two(stretch, int(centre), half):
                    continue
                # Between two frames everything lies on a line.
                if sum(self._seen[centre - half + 1 : centre + half]) < _LEAST_SEEN:
                    continue
                if not self._flashed(thumbs, int(centre), half):
                    change, off_line = found
                    self._found.append(
                        _Found(
                            centre=int(centre) + self._first,
                            half=half,
                            change=change,
                            off_line=off_line,
                        )
                    )

    def _parts_two(self, stretch: Floats, centre: int, half: int) -> bool:
        """Whether it is a fade, or goes from a shot that was there to one that is not the same."""
        if _faded(stretch):
            return True
        first, last = self._looks[centre - half], self._looks[centre + half]
        return centre - half + self._first >= 0 and likeness(first, last) <= _SAME

    def _flashed(self, thumbs: Floats, centre: int, half: int) -> bool:
        """Whether the picture only comes back to what it was before something flashed."""
        first, last = thumbs[centre - half], thumbs[centre + half]
        change = np.linalg.norm(last - first)
        start = max(0, centre - half - _BEFORE)
        earlier = thumbs[start : centre - half + 2]
        later = thumbs[centre + half : centre + half + _BEFORE]
        apart = np.linalg.norm(earlier[:-1, np.newaxis] - later[np.newaxis], axis=2)
        if apart.min() < _BACK * change:
            return True
        steps = np.linalg.norm(earlier[1:] - earlier[:-1], axis=1)
        at = start + int(np.argmax(steps))
        lit = likeness(self._looks[at], self._looks[at + 1]) > _SAME
        return bool(steps.max() >= change / 2 and lit)

    def _settled(self, until: int) -> Iterator[Gradual]:
        """Changes of which no further part can be found."""
        while self._found:
            self._found.sort(key=lambda found: found.first)
            first, reach = self._found[0].first, self._found[0].last
            group = []
            for found in self._found:
                if found.first >= reach:
                    break
                group.append(found)
                reach = max(reach, found.last)
            # What is found later may still overlap with it.
            if reach + _REACH > until and until - first < _LONGEST:
                return
            self._found = self._found[len(group) :]
            best = []
            while group:
                best.append(max(group, key=lambda found: found.score))
                group = [
                    found
                    for found in group
                    if found.first >= best[-1].last or found.last <= best[-1].first
                ]
            for found in sorted(best, key=lambda found: found.first):
                yield self._measured(found)

    def _measured(self, found: _Found) -> Gradual:
        """Where a change begins and ends, by the share of the way."""
        thumbs = np.stack(self._grid)
        first, last = found.first - self._first, found.last - self._first
        line = thumbs[last] - thumbs[first]
        way = (thumbs - thumbs[first]) @ line / float(line @ line)
        begun, done = _ends(way, first, last)
        half_way = begun + int(np.flatnonzero(way[begun:] >= way[[begun, done]].mean())[0])
        fade = _faded(thumbs[first : last + 1])
        rises = thumbs[first][:_LUMA].std() < thumbs[last][:_LUMA].std()
        middle = (begun if rises else done) if fade else half_way
        sure = 1 - found.off_line / _OFF_LINE
        return Gradual(
            kind="fade" if fade else "dissolve",
            start_s=self._time(max(begun + self._first, 0)),
            end_s=self._time(done + self._first),
            middle_s=self._time(max(middle + self._first, 0)),
            confidence=round(0.5 + 0.5 * float(np.clip(sure, 0, 1)), 4),
        )

    def _joined(self, found: Gradual) -> Iterator[Gradual]:
        """Two fades that meet in a plain colour are one."""
        before, self._faded = self._faded, None
        if (
            before is not None
            and found.kind == "fade"
            and before.middle_s == before.end_s
            and found.middle_s == found.start_s
            and found.start_s - before.end_s <= 2.0  # noqa: PLR2004 - seconds of black
        ):
            yield replace(
                found,
                start_s=before.start_s,
                middle_s=(before.end_s + found.start_s) / 2,
                confidence=min(before.confidence, found.confidence),
            )
            return
        if before is not None:
            yield before
        if found.kind == "fade" and found.middle_s == found.end_s:
            self._faded = found
        else:
            yield found


def _ends(way: NDArray[np.float32], first: int, last: int) -> tuple[int, int]:
    """Places of the first changed thumb and of the first that has changed no more.

    Args:
        way: Share of the way at every thumb, 0 at ``first`` and 1 at ``last``.
        first: Where the stretch on the line begins; the change may begin earlier.
        last: Where it ends; the change may go on.
    """
    least = _GOES_ON / (last - first)
    inside = way[first : last + 1]
    begun = first + int(np.flatnonzero(inside <= _ENDS)[-1])
    while begun > max(1, first - _REACH) and way[begun] - way[begun - 1] > least:
        begun -= 1
    done = first + int(np.flatnonzero(inside >= 1 - _ENDS)[0])
    while done < min(len(way) - 1, last + _REACH) and way[done + 1] - way[done] > least:
        done += 1
    return begun + 1, max(done, begun + 2)


def _changes(one: Floats, other: Floats) -> NDArray[np.bool_]:
    """Where two thumbs differ so much that a transition may lie between, shape (centres,)."""
    change = ((one - other) ** 2).mean(axis=1)
    contrasts = one[:, :_LUMA].var(axis=1), other[:, :_LUMA].var(axis=1)
    fade = np.minimum(*contrasts) <= np.maximum(_PLAIN**2, _PLAIN_SHARE**2 * np.maximum(*contrasts))
    least = np.where(fade, _LEAST_CHANGE_OF_FADE, _LEAST_CHANGE)
    own = sum(contrasts) * _LUMA / one.shape[1]
    return np.asarray((change >= least**2) & (change >= _CHANGE * own))


def _on_line(thumbs: Floats) -> tuple[float, float] | None:
    """Change between the ends and share of the power beside the line; None if it is no line."""
    line = thumbs[-1] - thumbs[0]
    power = float(line @ line)
    length = float(np.sqrt(power))
    steps = np.sqrt(((thumbs[1:] - thumbs[:-1]) ** 2).sum(axis=1)) / length
    if steps.max() > _STEP or steps.sum() > _DETOUR:
        return None
    inside = thumbs - thumbs[0]
    way = inside @ line / power
    beside = ((inside - way[:, np.newaxis] * line) ** 2).sum(axis=1) / power
    off_line = float(beside.mean())
    if off_line > (_OFF_LINE if len(thumbs) <= _LONG else _OFF_LONG_LINE):
        return None
    faded = _faded(thumbs)
    # Fades are drawn with all kinds of curves, but hardly anything moves in most of them.
    if faded and beside.max() <= _OFF_LINE_OF_FADE and steps.sum() <= _DETOUR_OF_FADE:
        return length / np.sqrt(len(line)), off_line
    even = np.linspace(0, 1, len(way))
    straight = (
        len(thumbs) > 2 * _SHORTEST
        and (np.abs(line[:_LUMA]) > _CHANGED).mean() >= _COVERED
        and (faded or _alike(thumbs[0], thumbs[-1]) <= _ALIKE)
        and np.abs(way - even).max() <= _UNEVEN
        and np.corrcoef(way, even)[0, 1] >= _EVEN
        and _contrast_error(thumbs, even) <= _CONTRAST_ERROR
    )
    return (length / np.sqrt(len(line)), off_line) if straight else None


def _faded(thumbs: Floats) -> bool:
    """Whether one of the ends is a plain colour."""
    low, high = sorted((thumbs[0][:_LUMA].std(), thumbs[-1][:_LUMA].std()))
    return bool(low <= max(_PLAIN, _PLAIN_SHARE * high))


def _contrast_error(thumbs: Floats, even: NDArray[np.float64]) -> float:
    """How far the contrast is from that of a weighted sum of the two ends.

    The variance of ``(1 - w) a + w b`` is ``(1 - w)**2 var(a) + w**2 var(b) + 2 w (1 - w) cov``: it
    sags between two pictures that have nothing in common, whatever moves in them.

    Args:
        thumbs: Shape (times, 432).
        even: Share of the way at each time if it is gone evenly, shape (times,).
    """
    luma = thumbs[:, :_LUMA].astype(np.float64)
    found = luma.var(axis=1)
    shared = float(np.cov(luma[0], luma[-1], bias=True)[0, 1])
    expected = (1 - even) ** 2 * found[0] + even**2 * found[-1] + 2 * even * (1 - even) * shared
    between = (1 - even) * found[0] + even * found[-1]
    middle = slice(len(even) // 4, len(even) - len(even) // 4)
    return float((np.abs(found - expected) / (between + 1))[middle].mean())


def _alike(one: Floats, other: Floats) -> float:
    """Correlation of the luma of two thumbs; 0 if one of them is plain."""
    a, b = (thumb[:_LUMA] - thumb[:_LUMA].mean() for thumb in (one, other))
    if min(a.std(), b.std()) <= _PLAIN:
        return 0.0
    return float((a * b).mean() / (a.std() * b.std()))
