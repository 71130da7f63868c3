"""Plays a composition: notes in order of time, in blocks, in constant memory."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from scorebed.composer.arrange import section_notes
from scorebed.composer.bus import GRAIN_SAMPLES, LATENCY_SAMPLES, Bus
from scorebed.composer.mood import SpeechMap
from scorebed.composer.patches import INSTRUMENTS, make_tone
from scorebed.composer.percussion import VARIANTS, make_hit
from scorebed.composer.reverb import Room, room_response
from scorebed.model import Audio, Progress, Quality, no_progress
from scorebed.timecode import SAMPLE_RATE_HZ, to_samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scorebed.composer.plan import Composition, Note, Piece
    from scorebed.composer.tones import Sound

_BLOCK_SAMPLES = GRAIN_SAMPLES * 273
"""2.73 s: long enough for the room's transforms to be cheap."""
_REACH_SAMPLES = 8 * _BLOCK_SAMPLES
"""Longest that a note may sound on after the block in which it starts."""
_CACHE_BYTES = 160_000_000
_TOUCHES = 3
_SOUNDING_DB = -4.0


def render(composition: Composition, *, progress: Progress = no_progress) -> Iterator[Audio]:
    """Plays a composition: blocks of shape (samples, 2), together as long as the picture.

    Between the pieces there is digital silence: nothing of a piece rings on after its end.

    Args:
        composition: What to play.
        progress: Told the share of the music that has been played.
    """
    sounds = _Sounds(composition.quality)
    length = composition.length_samples
    done = 0
    for block in _pieces(composition, sounds):
        done += len(block)
        progress(done / length)
        yield block


def _pieces(composition: Composition, sounds: _Sounds) -> Iterator[Audio]:
    """The pieces, each played by itself, and the silence between them."""
    done = 0
    for piece in composition.pieces:
        yield from _silence(piece.start_samples - done)
        player = _Player(composition, piece, sounds)
        done = piece.start_samples
        while done < piece.end_samples:
            block = player.next_block()
            size = min(block.shape[1], piece.end_samples - done)
            done += size
            yield np.ascontiguousarray(block[:, :size].T)
    yield from _silence(composition.length_samples - done)


def _silence(length: int) -> Iterator[Audio]:
    for at in range(0, length, _BLOCK_SAMPLES):
        yield np.zeros((min(_BLOCK_SAMPLES, length - at), 2), dtype=np.float32)


class _Sounds:
    """Rendered sounds, the least used forgotten first.

    Args:
        quality: How much work goes into a sound.
    """

    def __init__(self, quality: Quality) -> None:
        self._quality: Quality = quality
        self._kept: OrderedDict[tuple[str, int, int], Sound] = OrderedDict()
        self._bytes = 0

    def tone(self, name: str, pitch: int, bright: float) -> Sound:
        """A note or loop of an instrument, at one of a few brightnesses."""
        touch = min(int(bright * _TOUCHES), _TOUCHES - 1)
        share = (touch + 0.5) / _TOUCHES
        return self._get((name, pitch, touch), lambda: make_tone(name, pitch, share, self._quality))

    def hit(self, name: str, count: int) -> Sound:
        """A stroke of a drum; ``count`` turns through its variants."""
        variant = count % VARIANTS[self._quality]
        return self._get((name, -1, variant), lambda: make_hit(name, variant, self._quality))

    def _get(self, key: tuple[str, int, int], make: Callable[[], Sound]) -> Sound:
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
            return found
        made = make()
        self._kept[key] = made
        self._bytes += made.nbytes
        while self._bytes > _CACHE_BYTES and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return made


class _Player:
    """What is carried from block to block of a piece.

    Args:
        composition: What to play.
        piece: Which piece of it.
        sounds: The sounds, kept from piece to piece.
    """

    def __init__(self, composition: Composition, piece: Piece, sounds: _Sounds) -> None:
        style, quality = composition.style, composition.quality
        self._composition = composition
        self._sounds = sounds
        self._speech = SpeechMap(
            [(to_samples(r.range.start_s), to_samples(r.range.end_s)) for r in composition.speech]
        )
        self._waiting = deque(piece.sections)
        self._notes: deque[Note] = deque()
        self._start = self._at = piece.start_samples
        self._count = 0
        self._base = 0
        shape = (2, 2 * _REACH_SAMPLES)
        self._near = np.zeros(shape, dtype=np.float32)
        self._far = np.zeros(shape, dtype=np.float32)
        response = room_response(style.reverb_s, style.damping_hz, quality)
        self._room = Room(response, _BLOCK_SAMPLES, stereo_send=quality != "draft")
        self._near_send = np.float32(10 ** (style.near_send_db / 20))
        self._far_send = np.float32(10 ** (style.far_send_db / 20))
        last = piece.sections[-1]
        self._bus = Bus(
            gain_db=style.mix_gain_db,
            top_hz=style.top_hz,
            length_samples=piece.end_samples - piece.start_samples,
            ring_samples=last.end_samples - last.start_samples,
        )

    def next_block(self) -> Sound:
        """The next block, shape (2, block length)."""
        end = self._at + _BLOCK_SAMPLES
        self._fetch(end)
        while self._notes and self._notes[0].start_samples < end:
            self._play(self._notes.popleft())
        here = slice(self._base, self._base + _BLOCK_SAMPLES)
        near, far = self._near[:, here], self._far[:, here]
        wet = self._room.process(near * self._near_send + far * self._far_send)
        wet += near
        wet += far
        out = self._bus.process(wet)
        if self._at == self._start:
            out = out[:, LATENCY_SAMPLES:]
        self._at = end
        self._base += _BLOCK_SAMPLES
        if self._base + _BLOCK_SAMPLES + _REACH_SAMPLES > self._near.shape[1]:
            self._move_up()
        return out

    def _move_up(self) -> None:
        """Brings what still sounds to the front of the buses."""
        for bus in (self._near, self._far):
            rest = bus[:, self._base :].copy()
            bus[:, : rest.shape[1]] = rest
            bus[:, rest.shape[1] :] = 0.0
        self._base = 0

    def _fetch(self, end: int) -> None:
        """Brings in the notes of all sections that start before ``end``."""
        fresh: list[Note] = []
        while self._waiting and self._waiting[0].start_samples < end:
            section = self._waiting.popleft()
            fresh.extend(section_notes(self._composition, section, self._speech))
        if fresh:
            merged = [*self._notes, *fresh]
            merged.sort(key=lambda note: note.start_samples)
            self._notes = deque(merged)

    def _play(self, note: Note) -> None:
        gain = 10 ** ((note.gain_db + _SOUNDING_DB) / 20) * note.velocity**1.5
        # Equal power, so that a player keeps the same loudness at every place.
        angle = (note.pan + 1) * np.pi / 4
        sides = (gain * np.cos(angle) * np.sqrt(2.0), gain * np.sin(angle) * np.sqrt(2.0))
        self._count += 1
        if note.sound not in INSTRUMENTS:
            self._add(note, self._stroke(note), 0, sides)
            return
        instrument = INSTRUMENTS[note.sound]
        bright = 0.55 * note.velocity + 0.45 * note.tone
        sound = self._sounds.tone(note.sound, note.pitch, bright)
        release = int(instrument.release_s * SAMPLE_RATE_HZ)
        level = 10 ** (instrument.gain_db / 20)
        sides = (sides[0] * level, sides[1] * level)
        if instrument.held:
            attack = min(int(instrument.attack_s * SAMPLE_RATE_HZ), note.length_samples // 3)
            self._hold(note, sound, attack, release, sides)
        else:
            self._add(note, _damped(sound, note.length_samples, release), 0, sides)

    def _hold(
        self, note: Note, sound: Sound, attack: int, release: int, sides: tuple[float, float]
    ) -> None:
        """Repeats a loop under an envelope."""
        length = min(note.length_samples + release, _REACH_SAMPLES)
        shape = _held_shape(length, attack, min(release, length // 2))
        loop = sound.shape[1]
        # Notes start at different places of the loop, or two would be the same sound.
        start = (self._count * 48_271) % loop
        done = 0
        while done < length:
            size = min(loop - start, length - done)
            piece = sound[:, start : start + size] * shape[done : done + size]
            self._add(note, piece, done, sides)
            done += size
            start = 0

    def _add(self, note: Note, sound: Sound, late: int, sides: tuple[float, float]) -> None:
        bus = self._far if note.far else self._near
        at = self._base + note.start_samples - self._at + late
        size = min(sound.shape[1], bus.shape[1] - at)
        for channel, side in enumerate(sides):
            bus[channel, at : at + size] += sound[channel, :size] * np.float32(side)

    def _stroke(self, note: Note) -> Sound:
        sound = self._sounds.hit(note.sound, self._count)
        if note.sound == "swell":
            # It ends on the change: a short one is the end of the long one.
            sound = sound[:, -note.length_samples :]
        if note.attack_samples:
            sound = sound.copy()
            size = min(note.attack_samples, sound.shape[1])
            sound[:, :size] *= np.linspace(0.0, 1.0, size, dtype=np.float32)
        return sound


def _damped(sound: Sound, held: int, release: int) -> Sound:
    """A struck note that is let go after ``held`` samples."""
    length = min(held + release, sound.shape[1])
    if length == sound.shape[1]:
        return sound
    out = sound[:, :length].copy()
    tail = min(release, length)
    out[:, length - tail :] *= np.square(np.linspace(1.0, 0.0, tail, dtype=np.float32))
    return out


def _held_shape(length: int, attack: int, release: int) -> NDArray[np.float32]:
    """Attack, steady, release; the slopes are quarter sines."""
    out = np.ones(length, dtype=np.float32)
    attack = max(attack, 48)
    rise = np.sin(0.5 * np.pi * np.arange(min(attack, length)) / attack)
    out[: len(rise)] *= rise.astype(np.float32)
    if release:
        tail = np.cos(0.5 * np.pi * (np.arange(release) + 1) / release)
        out[length - release :] *= tail.astype(np.float32)
    return out
