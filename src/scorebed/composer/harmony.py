"""Scales, chords and the leading of voices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from scorebed.composer.plan import Chord

if TYPE_CHECKING:
    from scorebed.style import ChordColor, Mode

MODES: tuple[Mode, ...] = ("phrygian", "aeolian", "dorian", "mixolydian", "ionian", "lydian")
"""From the darkest to the brightest."""
_PLACE: dict[Mode, int] = {
    "ionian": 0,
    "dorian": 1,
    "phrygian": 2,
    "lydian": 3,
    "mixolydian": 4,
    "aeolian": 5,
}
_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_NAMES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
_THIRDS: dict[ChordColor, tuple[int, ...]] = {
    "triad": (0, 2, 4),
    "seventh": (0, 2, 4, 6),
    "ninth": (0, 2, 4, 6, 8),
    "add9": (0, 2, 4, 8),
    "open": (0, 4, 8),
}
_CENTRE = 62
_LOWEST, _HIGHEST = 50, 76
_BASS_LOW = 29
_FOURTHS_AND_MORE = 5
_DOMINANT = 5
_DARK = ("phrygian", "aeolian", "dorian")


def tonic_of(parent: int, mode: Mode) -> int:
    """Pitch class of the first degree of a mode of a major scale.

    Args:
        parent: Pitch class of the major scale.
        mode: The mode.
    """
    return (parent + _MAJOR[_PLACE[mode]]) % 12


def key_name(tonic: int, mode: Mode) -> str:
    """The key for a person: ``A aeolian``."""
    return f"{_NAMES[tonic]} {mode}"


def is_dark(mode: Mode) -> bool:
    """Whether the mode has a minor third."""
    return mode in _DARK


def scale_pitch(parent: int, mode: Mode, degree: int, floor: int) -> int:
    """MIDI number of a degree of the scale.

    Args:
        parent: Pitch class of the major scale.
        mode: The mode.
        degree: Steps above the tonic; may be negative.
        floor: The tonic that is counted from is the first one at or above this MIDI number.
    """
    tonic = tonic_of(parent, mode)
    base = floor + (tonic - floor) % 12
    octave, step = divmod(degree, 7)
    place = _PLACE[mode]
    wrap, index = divmod(place + step, 7)
    return base + 12 * (octave + wrap) + _MAJOR[index] - _MAJOR[place]


def build_chord(
    parent: int,
    mode: Mode,
    degree: int,
    color: ChordColor,
    *,
    leading_tone: bool,
    before: Chord | None,
    inverted: bool = False,
) -> Chord:
    """A chord of the scale, its voices led from the chord before.

    Args:
        parent: Pitch class of the major scale.
        mode: The mode.
        degree: Degree of the root, 1 to 7.
        color: What stands on the root.
        leading_tone: Whether the fifth degree of a dark mode is made major.
        before: The chord that it follows, or None.
        inverted: Whether the third lies in the bass.
    """
    place = _PLACE[mode] + degree - 1
    classes = [(parent + _MAJOR[(place + third) % 7]) % 12 for third in _THIRDS[color]]
    if leading_tone and degree == _DOMINANT and is_dark(mode) and color != "open":
        classes[1] = (classes[0] + 4) % 12
    low = classes[1] if inverted and color != "open" else classes[0]
    bass = _BASS_LOW + (low - _BASS_LOW) % 12
    if before is not None and bass + 12 - before.bass_pitch < before.bass_pitch - bass:
        bass += 12
    return Chord(
        degree=degree,
        root=classes[0],
        pitch_classes=tuple(classes),
        bass_pitch=bass,
        voicing=_voice(classes, None if before is None else before.voicing),
    )


def _voice(classes: Sequence[int], before: Sequence[int] | None) -> tuple[int, ...]:
    """The layout that moves the voices least and stays in the middle of the keyboard."""
    upper = classes[1:] if len(classes) > _FOURTHS_AND_MORE - 1 else classes
    best: tuple[float, tuple[int, ...]] | None = None
    for first in range(_LOWEST, _HIGHEST):
        if first % 12 not in upper:
            continue
        for voicing in _layouts(first, upper):
            if voicing[-1] > _HIGHEST:
                continue
            cost = abs(sum(voicing) / len(voicing) - _CENTRE) * 0.35
            cost += sum(abs(a - b) for a, b in zip(voicing, before or voicing, strict=False))
            # Seconds at the bottom of a chord are mud.
            cost += 4.0 if voicing[1] - voicing[0] <= 2 else 0.0  # noqa: PLR2004
            if best is None or cost < best[0] - 1e-9:
                best = (cost, voicing)
    assert best is not None
    return best[1]


def _layouts(first: int, classes: Sequence[int]) -> list[tuple[int, ...]]:
    close = [first]
    for _ in range(len(classes) - 1):
        above = min((c - close[-1] - 1) % 12 + 1 for c in classes)
        close.append(close[-1] + above)
    opened = sorted([close[0], close[1] + 12, *close[2:]])
    return [tuple(close), tuple(opened)]


def fit_register(pitches: Sequence[int], low: int, high: int) -> tuple[int, ...]:
    """The same pitches, each moved by octaves into a register, rising and without doubles.

    Args:
        pitches: MIDI numbers.
        low: Lowest allowed.
        high: Highest allowed; at least an octave above ``low`` for all to fit.
    """
    shift = 12 * round(((low + high) / 2 - sum(pitches) / len(pitches)) / 12)
    out = set()
    for pitch in pitches:
        moved = pitch + shift
        while moved < low:
            moved += 12
        while moved > high and moved - 12 >= low:
            moved -= 12
        out.add(moved)
    return tuple(sorted(out))


def nearest_class(pitch: int, classes: Sequence[int]) -> int:
    """The pitch nearest to one given whose pitch class is among ``classes`` (lower if tied)."""
    for distance in range(7):
        for candidate in (pitch - distance, pitch + distance):
            if candidate % 12 in classes:
                return candidate
    return pitch


def raised_class(parent: int, chord: Chord) -> int | None:
    """The pitch class of a chord that its scale does not hold (a leading tone), or None.

    Args:
        parent: Pitch class of the major scale.
        chord: The chord.
    """
    scale = {(parent + step) % 12 for step in _MAJOR}
    return next((c for c in chord.pitch_classes if c not in scale), None)
