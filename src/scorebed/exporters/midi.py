"""A sketch as a Standard MIDI File of type 1: tempo map, bars, keys, markers, a track per part.

Written here and not by a library: mido keeps every message as an object, 100 MB for three hours.

What is exact: each beat has a tempo of its own, in whole microseconds, the rounding of the beats
before it taken in: a beat, and so a scene change, which falls on one, is at most half a
microsecond from its sample, however long the film. A note or a marker between two beats is at most
half a tick from its place; a tick is at most 2 s / 3840, so 0.26 ms. The delta time of an event is
at most 2**28 - 1 ticks; where a track rests longer, empty text events carry it on.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from scorebed.model import SketchBar
from scorebed.timecode import SAMPLE_RATE_HZ, to_samples

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from scorebed.model import Sketch, SketchPart, SpottingNotes

TICKS_PER_BEAT: Final = 3840
_LONGEST_BEAT_SAMPLES: Final = 2 * SAMPLE_RATE_HZ
"""A longer one is written as several: the last chord, a rest between cues."""
_MOST_BEATS: Final = 255
_LONGEST_DELTA: Final = 0x0FFF_FFFF
_DRUM_CHANNEL: Final = 9
_TEXT, _NAME, _MARKER, _PORT, _END, _TEMPO, _METER, _KEY = 1, 3, 6, 0x21, 0x2F, 0x51, 0x58, 0x59
_NOTE_OFF, _NOTE_ON, _CONTROL, _PROGRAMME = 0x80, 0x90, 0xB0, 0xC0
_VOLUME, _PAN = 7, 10
_FULL_VOLUME: Final = 100
_MICROSECONDS: Final = 1_000_000

_Event = tuple[int, int, bytes]
"""Tick, rank among the events of one tick, and its bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measure:
    """A bar, or a part of a rest, as MIDI counts it."""

    beats_samples: tuple[int, ...]
    bar: SketchBar | None


class _Grid:
    """Beats of the whole picture, from its first sample; says at which tick a position lies."""

    def __init__(self, bars: Sequence[SketchBar], length_samples: int) -> None:
        self.measures = tuple(_measures(bars, length_samples))
        self.marks = [mark for measure in self.measures for mark in measure.beats_samples]
        end = max(length_samples, bars[-1].end_samples if bars else 0)
        self.marks.append(max(end, self.marks[-1] + 1))

    def tick(self, at_samples: int) -> int:
        """The nearest tick."""
        beat = min(max(bisect_right(self.marks, at_samples) - 1, 0), len(self.marks) - 2)
        first, last = self.marks[beat], self.marks[beat + 1]
        inside = (min(at_samples, last) - first) * TICKS_PER_BEAT / (last - first)
        return beat * TICKS_PER_BEAT + round(inside)

    def tempi(self) -> Iterator[_Event]:
        """A tempo per beat, where it is not that of the beat before."""
        told, before = 0, 0
        for beat, mark in enumerate(self.marks[1:]):
            wanted = round(mark * _MICROSECONDS / SAMPLE_RATE_HZ)
            tempo = max(wanted - told, 1)
            told += tempo
            if tempo != before:
                yield beat * TICKS_PER_BEAT, 1, _meta(_TEMPO, tempo.to_bytes(3, "big"))
            before = tempo


def write_midi(path: Path, sketch: Sketch, notes: SpottingNotes, name: str) -> None:
    """Writes a sketch as a type-1 MIDI file, from the first frame of the picture.

    Args:
        path: Where to.
        sketch: What was written.
        notes: Gives scenes, cues and hit points for the markers.
        name: Name of the first track.
    """
    grid = _Grid(sketch.bars, to_samples(notes.duration_s))
    played = np.load(sketch.notes.path)
    tracks = [_track(_conductor(grid, notes, name))]
    channels = iter(_channels())
    for number, part in enumerate(sketch.parts):
        port, channel = (0, _DRUM_CHANNEL) if part.programme is None else next(channels)
        tracks.append(_track(_played(grid, part, played[played["part"] == number], port, channel)))
    with path.open("wb") as file:
        file.write(struct.pack(">4sIHHH", b"MThd", 6, 1, len(tracks), TICKS_PER_BEAT))
        for track in tracks:
            file.write(struct.pack(">4sI", b"MTrk", len(track)))
            file.write(track)


def _channels() -> Iterator[tuple[int, int]]:
    """Port and channel of every part that is no drum; past fifteen another port."""
    for port in range(128):
        yield from ((port, channel) for channel in range(16) if channel != _DRUM_CHANNEL)


# --- bars --------------------------------------------------------------------------------------


def _measures(bars: Sequence[SketchBar], length_samples: int) -> Iterator[_Measure]:
    """Bars as they are, long beats in parts; the rests around them in beats of half a second."""
    done = 0
    for bar in bars:
        yield from _rest(done, bar.beats_samples[0])
        marks = _parted((*bar.beats_samples, bar.end_samples))
        yield _Measure(beats_samples=marks, bar=bar)
        done = bar.end_samples
    yield from _rest(done, length_samples)


def _parted(marks: Sequence[int]) -> tuple[int, ...]:
    out: list[int] = []
    for first, last in pairwise(marks):
        parts = -(-(last - first) // _LONGEST_BEAT_SAMPLES)
        out += [first + (last - first) * part // parts for part in range(parts)]
    return tuple(out)


def _rest(first: int, last: int) -> Iterator[_Measure]:
    """Bars of four, the last one shorter."""
    if last <= first:
        return
    count = max(round((last - first) * 2 / SAMPLE_RATE_HZ), 1)
    marks = [first + (last - first) * beat // count for beat in range(count)]
    for at in range(0, count, 4):
        yield _Measure(beats_samples=tuple(marks[at : at + 4]), bar=None)


# --- tracks ------------------------------------------------------------------------------------


def _conductor(grid: _Grid, notes: SpottingNotes, name: str) -> Iterator[_Event]:
    """The first track: what all others go by."""
    yield 0, 0, _words(_NAME, name)
    yield from grid.tempi()
    beat = meter = 0
    key: tuple[int, bool] | None = None
    chord = ""
    for measure in grid.measures:
        tick, size = beat * TICKS_PER_BEAT, min(len(measure.beats_samples), _MOST_BEATS)
        if size != meter:
            yield tick, 2, _meta(_METER, bytes((size, 2, 24, 8)))
        if measure.bar is not None:
            found = (measure.bar.accidentals, measure.bar.minor)
            if found != key:
                yield tick, 3, _meta(_KEY, struct.pack("bB", *found))
            if measure.bar.chord != chord:
                yield tick, 4, _words(_TEXT, measure.bar.chord)
            key, chord = found, measure.bar.chord
        meter = size
        beat += len(measure.beats_samples)
    for at, text in _markers(notes):
        yield grid.tick(at), 5, _words(_MARKER, text)
    yield (len(grid.marks) - 1) * TICKS_PER_BEAT, 9, b""


def _markers(notes: SpottingNotes) -> Iterator[tuple[int, str]]:
    """Cues, scenes and hit points."""
    for cue in notes.cues:
        yield to_samples(cue.range.start_s), f"cue {cue.number}"
    for number, scene in enumerate(notes.scenes, start=1):
        named = f": {scene.name}" if scene.name else ""
        yield to_samples(scene.range.start_s), f"scene {number}{named}"
    for cue in notes.cues:
        for hit in cue.hit_points:
            yield to_samples(hit.at_s), f"hit: {hit.label}"


def _played(
    grid: _Grid, part: SketchPart, notes: NDArray[Any], port: int, channel: int
) -> Iterator[_Event]:
    """The track of a part."""
    yield 0, 0, _words(_NAME, part.name)
    yield 0, 1, _meta(_PORT, bytes((port,)))
    if part.programme is not None:
        yield 0, 2, bytes((_PROGRAMME | channel, part.programme))
        # The kit has one channel for drums and effects: its level is left alone.
        volume = round(_FULL_VOLUME * 10 ** (part.gain_db / 40))
        yield 0, 3, bytes((_CONTROL | channel, _VOLUME, min(max(volume, 1), 127)))
        yield 0, 3, bytes((_CONTROL | channel, _PAN, round(64 + 63 * part.pan)))
    for first, last, pitch, velocity in _struck(grid, notes):
        yield first, 8, bytes((_NOTE_ON | channel, pitch, velocity))
        yield last, 7, bytes((_NOTE_OFF | channel, pitch, 64))


def _struck(grid: _Grid, notes: NDArray[Any]) -> Iterator[tuple[int, int, int, int]]:
    """First and last tick, pitch and velocity; a key comes up before it is struck again.

    Struck twice at once, it is struck once, the louder and the longer.
    """
    sounding: dict[int, tuple[int, int, int]] = {}
    for start, length, _, pitch, velocity in map(np.void.item, notes):
        tick = grid.tick(start)
        last = max(grid.tick(start + length), tick + 1)
        before = sounding.get(pitch)
        if before is not None and before[0] == tick:
            last, velocity = max(last, before[1]), max(velocity, before[2])  # noqa: PLW2901
        elif before is not None:
            yield before[0], min(before[1], tick), pitch, before[2]
        sounding[pitch] = (tick, last, velocity)
    for pitch, (first, last, velocity) in sounding.items():
        yield first, last, pitch, velocity


def _track(events: Iterable[_Event]) -> bytes:
    out = bytearray()
    before = 0
    for tick, _, told in sorted(events):
        late = tick - before
        while late > _LONGEST_DELTA:
            out += _delta(_LONGEST_DELTA) + _words(_TEXT, "")
            late -= _LONGEST_DELTA
        out += _delta(late) + (told or _meta(_END, b""))
        before = tick
        if not told:
            return bytes(out)
    return bytes(out + _delta(0) + _meta(_END, b""))


def _meta(kind: int, body: bytes) -> bytes:
    return bytes((0xFF, kind)) + _delta(len(body)) + body


def _words(kind: int, text: str) -> bytes:
    """Text, which MIDI keeps to ASCII."""
    return _meta(kind, text.encode("ascii", "replace"))


def _delta(number: int) -> bytes:
    """A variable-length quantity: seven bits a byte, the highest first."""
    out = [number & 0x7F]
    while number := number >> 7:
        out.append(number & 0x7F | 0x80)
    return bytes(reversed(out))
