"""Reads the words of a brief: tempo, mood, energy, instruments."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from scorebed.composer.negation import Sense, read_senses
from scorebed.composer.plan import Direction
from scorebed.composer.seats import featured_part, guest_part, solo_parts
from scorebed.composer.vocabulary import (
    BPM,
    BPM_RANGE,
    BRIGHT,
    BUILD,
    DARK,
    DRUMS,
    EDGE,
    ENDS,
    FAST,
    GENRES,
    INSTRUMENTS,
    MELODY,
    NO_MUSIC,
    SLOW,
    SOFT,
    STARTS,
    STRONG,
)
from scorebed.style import Part, Patch, Style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorebed.model import Brief, Scene


_SOFTER_DB = 6.0
"""How much softer an instrument is of which less is asked for."""
_ROOM = 1.04
"""How far from a tempo that is given as one figure a bar may be."""


@dataclass(slots=True)
class _Reading:
    """What has been understood so far."""

    style: Style
    bpm: tuple[float, float] | None = None
    pace: int = 0
    mood: float = 0.0
    energy: float = 0.0
    building: bool = False
    edges: list[float] = field(default_factory=lambda: [0.0, 0.0])
    """Shift of the energy of the first bars and of the last."""
    drums: bool = True
    solo: str | None = None
    wanted: list[str] = field(default_factory=list)
    banned: set[str] = field(default_factory=set)
    softer: set[str] = field(default_factory=set)
    no_melody: bool = False
    unused: list[str] = field(default_factory=list)
    scene: bool = False
    """Whether the words are those for a scene."""
    rising: bool = False
    joining: list[str] = field(default_factory=list)
    """Instruments that words add, and drums, also to a soloist."""


def read_words(brief: Brief) -> Direction:
    """What the prompt and the tags of a brief ask for.

    Args:
        brief: The brief; its style says what the words bend.
    """
    return _direction(_read_brief(brief))


def styled(brief: Brief) -> Style:
    """The style of a brief with the drums and the swing of the genre that its words name.

    Args:
        brief: The brief.
    """
    style = brief.style
    text = _one_word(" ".join((brief.prompt, *brief.tags)).lower())
    for word in re.findall(r"\w+", text):
        genre = GENRES.get(word)
        if genre is None or word in style.words or word in style.name.split("-"):
            continue
        style = replace(
            style,
            drums=style.drums if genre.drums is None else genre.drums,
            swing=style.swing if genre.swing is None else genre.swing,
        )
    return style


def read_scenes(
    brief: Brief, scenes: Sequence[Scene]
) -> tuple[tuple[Direction | None, ...], tuple[str, ...]]:
    """What the words for single scenes ask for, on top of those of the brief.

    Where the two contradict each other, those of the scene hold. Tempo is the whole piece's: a
    scene cannot change it.

    Args:
        brief: The brief.
        scenes: The scenes, in order.

    Returns:
        For each scene what is asked, None where it has no words of its own; and the words that
        meant nothing, each with its scene.
    """
    found: list[Direction | None] = []
    unused: list[str] = []
    for number, scene in enumerate(scenes, start=1):
        if not scene.brief.strip():
            found.append(None)
            continue
        reading = _read_brief(brief)
        reading.scene, reading.unused = True, []
        _read_text(reading, scene.brief)
        direction = _direction(reading)
        found.append(direction)
        name = scene.name or f"scene {number}"
        unused += [f"{word} ({name})" for word in direction.unused_words]
    return tuple(found), tuple(unused)


def _read_brief(brief: Brief) -> _Reading:
    reading = _Reading(style=brief.style, drums=brief.style.drums != "none")
    for text in (brief.prompt, *brief.tags):
        _read_text(reading, text)
    return reading


def _direction(reading: _Reading) -> Direction:
    low_bpm, high_bpm = _tempo(reading)
    return Direction(
        tempo_bpm=(low_bpm, high_bpm),
        # Who wants it fast may have it twice as fast.
        tempo_asked=reading.bpm is not None or reading.pace < 0,
        mood=max(-1.0, min(1.0, reading.mood)),
        energy=max(-1.0, min(1.0, reading.energy)),
        building=reading.building,
        edges=(reading.edges[0], reading.edges[1]),
        rising=reading.rising,
        drums=reading.drums and (reading.solo is None or "drums" in reading.joining),
        parts=_ensemble(reading),
        unused_words=tuple(dict.fromkeys(reading.unused)),
    )


def _read_text(reading: _Reading, text: str) -> None:
    def take_bpm(match: re.Match[str]) -> str:
        if reading.scene:
            reading.unused.append(match.group().strip())
            return " "
        low, high = BPM_RANGE
        asked = sorted(float(one) for one in match.groups() if one)
        told = [min(max(one, low), high) for one in asked]
        if told != asked:
            reading.unused.append(f"{match.group().strip()} ({low:g} to {high:g} bpm are played)")
        reading.bpm = (told[0], told[-1])
        return " "

    text = BPM.sub(take_bpm, _one_word(text.lower()))
    text = _take_edges(reading, text)
    if refused := NO_MUSIC.search(text):
        reading.unused.append(refused.group())
    for meant in read_senses(text):
        _read_word(reading, meant.word, meant.sense)


def _one_word(text: str) -> str:
    return re.sub(r"\bhip[- ]hop\b", "hiphop", text)


def _take_edges(reading: _Reading, text: str) -> str:
    """Takes out how the piece is to begin and to end: "quiet ending", "a big finish"."""
    loud, soft = sorted(STRONG | {"strong", "grand"}), sorted(SOFT | {"slow", "fading"})

    def take(match: re.Match[str]) -> str:
        shift = EDGE if match.group(1) in loud else -EDGE
        reading.edges[1 if match.group(2) in ENDS else 0] = shift
        return " "

    # A scene has no ending of its own.
    if reading.scene:
        return text
    pattern = rf"\b({'|'.join(loud + soft)})\s+({'|'.join(ENDS + STARTS)})\b"
    return re.sub(pattern, take, text)


_SIGNS = {Sense.WANTED: 1.0, Sense.ALONE: 1.0, Sense.LESS: -0.5, Sense.REFUSED: -1.0}


def _read_word(reading: _Reading, word: str, sense: Sense) -> None:
    refused = sense is Sense.REFUSED
    used = _read_feeling(reading, word, sign=_SIGNS[sense])
    if word in DRUMS:
        used = _read_drums(reading, word, sense)
    if word in MELODY:
        reading.no_melody = refused
        used = sense in (Sense.WANTED, Sense.REFUSED)
    if word in INSTRUMENTS:
        used = True
        _read_instrument(reading, word, sense)
    known = (
        word in reading.style.words
        or word == reading.style.drums.replace("-", "")
        or word in reading.style.name.split("-")
    )
    if word in GENRES and sense is Sense.WANTED and not reading.scene and not known:
        # What it brings to the style was put there by ``styled``.
        reading.wanted += GENRES[word].wanted
        used = True
    # What is not wanted and would not be played anyway is no word that could not be used.
    if not (used or known or refused):
        reading.unused.append(word if sense is Sense.WANTED else f"{_SAID[sense]}{word}")


_SAID = {Sense.LESS: "less ", Sense.ALONE: "only ", Sense.REFUSED: "no "}


def _read_drums(reading: _Reading, word: str, sense: Sense) -> bool:
    """Whether what is said of drums can be done."""
    if sense is Sense.LESS:
        return False
    reading.drums = sense is not Sense.REFUSED and word != "drumless"
    if not reading.drums:
        return True
    # Beside a soloist they play too where they are asked for.
    reading.joining.append("drums")
    if sense is Sense.ALONE:
        return reading.solo is not None
    return reading.scene or reading.style.drums != "none"


def _read_instrument(reading: _Reading, word: str, sense: Sense) -> None:
    if sense is Sense.REFUSED:
        reading.banned.update(INSTRUMENTS[word])
        _forget(reading, word)
    elif sense is Sense.LESS:
        reading.softer.update(INSTRUMENTS[word])
    elif sense is Sense.ALONE and reading.solo is None:
        reading.solo = word
    else:
        reading.wanted.append(word)
        # A soloist has those beside it that are asked for too.
        reading.joining.append(word)


def _forget(reading: _Reading, word: str) -> None:
    """What is excluded later is not wanted any more."""
    gone = set(INSTRUMENTS[word])
    reading.wanted = [one for one in reading.wanted if gone.isdisjoint(INSTRUMENTS[one])]
    reading.joining = [
        one for one in reading.joining if one == "drums" or gone.isdisjoint(INSTRUMENTS[one])
    ]
    if reading.solo is not None and not gone.isdisjoint(INSTRUMENTS[reading.solo]):
        reading.solo = None


def _read_feeling(reading: _Reading, word: str, *, sign: float) -> bool:
    used = False
    if word in SLOW | FAST:
        # The tempo is the whole piece's.
        used = not reading.scene
        if used:
            reading.pace = (1 if sign > 0 else -1) * (1 if word in FAST else -1)
    if word in DARK | BRIGHT:
        reading.mood += sign * (0.6 if word in BRIGHT else -0.6)
        used = True
    if word in STRONG | SOFT:
        reading.energy += sign * (0.4 if word in STRONG else -0.4)
        used = True
    if word in BUILD:
        if reading.scene:
            reading.rising = sign > 0
        else:
            reading.building = sign > 0
        used = True
    return used


def _tempo(reading: _Reading) -> tuple[float, float]:
    low, high = reading.style.tempo_bpm
    if reading.bpm is not None:
        slow, fast = reading.bpm
        # A single tempo leaves a little room for cuts, and for scenes to end on a bar line.
        return (slow / _ROOM, fast * _ROOM) if slow == fast else (slow, fast)
    if reading.pace < 0:
        return low * 0.85, low + (high - low) * 0.3
    if reading.pace > 0:
        return low + (high - low) * 0.7, high * 1.15
    return low, high


def _ensemble(reading: _Reading) -> tuple[Part, ...]:
    if reading.solo is not None:
        own = INSTRUMENTS[reading.solo]
        names = (INSTRUMENTS[word][0] for word in reading.joining if word in INSTRUMENTS)
        guests = [patch for patch in dict.fromkeys(names) if patch not in own]
        return (*solo_parts(own), *map(guest_part, guests))
    parts = [part for part in reading.style.parts if part.patch not in reading.banned]
    if reading.no_melody:
        parts = [part for part in parts if part.role not in ("lead", "counter")]
    for word in dict.fromkeys(reading.wanted):
        patches = INSTRUMENTS[word]
        if any(part.patch in patches for part in parts):
            parts = [featured_part(part) if part.patch in patches else part for part in parts]
        else:
            parts.append(guest_part(patches[0]))
    parts = [
        replace(part, gain_db=part.gain_db - _SOFTER_DB) if part.patch in reading.softer else part
        for part in parts
    ]
    if not parts:
        spare: Patch = "warm_pad" if "warm_pad" not in reading.banned else "piano"
        parts = [Part(role="pad", patch=spare, gain_db=-2.0)]
    return tuple(parts)
