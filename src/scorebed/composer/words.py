"""Reads the words of a brief: tempo, mood, energy, instruments."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from scorebed.composer.plan import Direction
from scorebed.style import Part, Patch, Role, Style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorebed.model import Brief, Scene

_SLOW = {"slow", "slowly", "calm", "relaxed", "largo", "adagio", "gentle", "still"}
_FAST = {"fast", "quick", "driving", "energetic", "allegro", "presto", "racing", "uptempo"}
_DARK = {
    *("sad", "dark", "tense", "tension", "melancholy", "melancholic", "minor", "sombre", "somber"),
    *("scary", "horror", "sinister", "grief", "moody", "ominous", "serious", "dramatic", "lonely"),
}
_BRIGHT = {
    *("happy", "bright", "joyful", "cheerful", "major", "sunny", "uplifting", "hopeful", "warm"),
    *("inspiring", "playful", "fun", "light", "optimistic", "positive", "triumphant"),
}
_STRONG = {"epic", "powerful", "big", "intense", "energetic", "driving", "loud", "action", "dense"}
_SOFT = {"soft", "quiet", "calm", "gentle", "minimal", "sparse", "subtle", "delicate", "intimate"}
_BUILD = {"building", "build", "rising", "growing", "crescendo", "buildup"}
_NEGATIONS = {"no", "without", "not", "minus"}
_FILLERS = {
    *("a", "an", "and", "the", "with", "of", "in", "on", "to", "for", "but", "or", "by", "at"),
    *("music", "track", "score", "song", "piece", "mood", "tempo", "very", "some", "style", "only"),
    *("soundtrack", "underscore", "bed", "bpm", "instrumental", "that", "is", "like", "feel"),
}
_DRUMS = {"drum", "drums", "percussion", "beat", "beats", "drumless"}
_INSTRUMENTS: dict[str, tuple[Patch, ...]] = {
    "piano": ("piano", "felt_piano", "electric_piano"),
    "rhodes": ("electric_piano",),
    "strings": ("strings", "low_strings", "spiccato", "pizzicato"),
    "string": ("strings", "low_strings", "spiccato", "pizzicato"),
    "violin": ("strings",),
    "violins": ("strings",),
    "cello": ("low_strings",),
    "choir": ("choir",),
    "voices": ("choir",),
    "brass": ("brass",),
    "horns": ("brass",),
    "organ": ("organ",),
    "guitar": ("guitar", "muted_guitar", "ukulele"),
    "guitars": ("guitar", "muted_guitar", "ukulele"),
    "ukulele": ("ukulele",),
    "harp": ("harp",),
    "pizzicato": ("pizzicato",),
    "marimba": ("marimba",),
    "vibraphone": ("vibraphone",),
    "kalimba": ("kalimba",),
    "glockenspiel": ("glockenspiel",),
    "bell": ("bell", "glockenspiel"),
    "bells": ("bell", "glockenspiel"),
    "synth": ("warm_pad", "glass_pad", "synth_pluck", "saw_lead"),
    "synths": ("warm_pad", "glass_pad", "synth_pluck", "saw_lead"),
    "pad": ("warm_pad", "glass_pad", "dark_pad"),
    "pads": ("warm_pad", "glass_pad", "dark_pad"),
    "clarinet": ("clarinet",),
    "whistle": ("whistle",),
    "bass": ("sub_bass", "pick_bass", "upright_bass", "pulse_bass"),
}
_MELODY = {"lead", "melody", "tune"}
_BPM_RANGE = (30.0, 240.0)


@dataclass(slots=True)
class _Reading:
    """What has been understood so far."""

    style: Style
    bpm: float | None = None
    pace: int = 0
    mood: float = 0.0
    energy: float = 0.0
    building: bool = False
    drums: bool = True
    solo: str | None = None
    wanted: list[str] = field(default_factory=list)
    banned: set[str] = field(default_factory=set)
    no_melody: bool = False
    unused: list[str] = field(default_factory=list)
    scene: bool = False
    """Whether the words are those for a scene."""
    rising: bool = False
    joining: list[str] = field(default_factory=list)
    """Instruments that a scene adds, and drums, also to a soloist."""


def read_words(brief: Brief) -> Direction:
    """What the prompt and the tags of a brief ask for.

    Args:
        brief: The brief; its style says what the words bend.
    """
    return _direction(_read_brief(brief))


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
        mood=max(-1.0, min(1.0, reading.mood)),
        energy=max(-1.0, min(1.0, reading.energy)),
        building=reading.building,
        rising=reading.rising,
        drums=reading.drums and (reading.solo is None or "drums" in reading.joining),
        parts=_ensemble(reading),
        unused_words=tuple(dict.fromkeys(reading.unused)),
    )


def _read_text(reading: _Reading, text: str) -> None:
    def take_bpm(match: re.Match[str]) -> str:
        if reading.scene:
            reading.unused.append(match.group())
            return " "
        reading.bpm = min(max(float(match.group(1)), _BPM_RANGE[0]), _BPM_RANGE[1])
        return " "

    text = re.sub(r"(\d{2,3}(?:\.\d+)?)\s*-?\s*bpm\b", take_bpm, text.lower(), flags=re.ASCII)
    words = re.findall(r"[^\W_]+(?:'[^\W_]+)?", text)
    negated = solo = False
    for word in words:
        if word in _NEGATIONS:
            negated = True
        elif word == "solo":
            solo = True
        elif word in _FILLERS:
            continue
        else:
            _read_word(reading, word, negated=negated, solo=solo)
            negated = solo = False


def _read_word(reading: _Reading, word: str, *, negated: bool, solo: bool) -> None:
    used = _read_feeling(reading, word, sign=-1.0 if negated else 1.0)
    if word in _DRUMS:
        reading.drums = not negated and word != "drumless"
        if reading.scene and reading.drums:
            reading.joining.append("drums")
        used = True
    if word in _MELODY:
        reading.no_melody = negated
        used = True
    if word in _INSTRUMENTS:
        used = True
        if negated:
            reading.banned.update(_INSTRUMENTS[word])
            _forget(reading, word)
        elif solo:
            reading.solo = word
        else:
            reading.wanted.append(word)
            if reading.scene:
                reading.joining.append(word)
    if not (used or word in reading.style.words or word in reading.style.name.split("-")):
        reading.unused.append(word)


def _forget(reading: _Reading, word: str) -> None:
    """What is excluded later is not wanted any more."""
    gone = set(_INSTRUMENTS[word])
    reading.wanted = [one for one in reading.wanted if gone.isdisjoint(_INSTRUMENTS[one])]
    if reading.solo is not None and not gone.isdisjoint(_INSTRUMENTS[reading.solo]):
        reading.solo = None


def _read_feeling(reading: _Reading, word: str, *, sign: float) -> bool:
    used = False
    if word in _SLOW | _FAST:
        # The tempo is the whole piece's.
        used = not reading.scene
        if used:
            reading.pace = round(sign) * (1 if word in _FAST else -1)
    if word in _DARK | _BRIGHT:
        reading.mood += sign * (0.6 if word in _BRIGHT else -0.6)
        used = True
    if word in _STRONG | _SOFT:
        reading.energy += sign * (0.4 if word in _STRONG else -0.4)
        used = True
    if word in _BUILD:
        if reading.scene:
            reading.rising = sign > 0
        else:
            reading.building = sign > 0
        used = True
    return used


def _tempo(reading: _Reading) -> tuple[float, float]:
    low, high = reading.style.tempo_bpm
    if reading.bpm is not None:
        return reading.bpm * 0.97, reading.bpm * 1.03
    if reading.pace < 0:
        return low * 0.85, low + (high - low) * 0.3
    if reading.pace > 0:
        return low + (high - low) * 0.7, high * 1.15
    return low, high


def _ensemble(reading: _Reading) -> tuple[Part, ...]:
    if reading.solo is not None:
        guests = (_INSTRUMENTS[word][0] for word in reading.joining if word in _INSTRUMENTS)
        return (*_solo(_INSTRUMENTS[reading.solo]), *map(_guest, guests))
    parts = [part for part in reading.style.parts if part.patch not in reading.banned]
    if reading.no_melody:
        parts = [part for part in parts if part.role not in ("lead", "counter")]
    for word in dict.fromkeys(reading.wanted):
        patches = _INSTRUMENTS[word]
        if any(part.patch in patches for part in parts):
            parts = [_featured(part) if part.patch in patches else part for part in parts]
        else:
            parts.append(_guest(patches[0]))
    if not parts:
        spare: Patch = "warm_pad" if "warm_pad" not in reading.banned else "piano"
        parts = [Part(role="pad", patch=spare, gain_db=-2.0)]
    return tuple(parts)


def _featured(part: Part) -> Part:
    return replace(part, enters_at=0.0, leaves_at=2.0, gain_db=part.gain_db + 2.0)


_LOW: tuple[Patch, ...] = ("sub_bass", "pick_bass", "upright_bass", "pulse_bass", "low_strings")
_HELD: tuple[Patch, ...] = (
    *("warm_pad", "glass_pad", "dark_pad", "strings"),
    *("choir", "brass", "organ"),
)


def _guest(patch: Patch) -> Part:
    if patch in _LOW:
        return Part(role="bass", patch=patch, gain_db=-4.0, low_pitch=28, high_pitch=45, far=False)
    if patch in _HELD:
        return Part(role="pad", patch=patch, gain_db=-4.0, low_pitch=52, high_pitch=76)
    if patch in ("clarinet", "whistle", "saw_lead", "glockenspiel", "bell", "vibraphone"):
        return Part(role="lead", patch=patch, gain_db=-7.0, low_pitch=67, high_pitch=88)
    return Part(role="arp", patch=patch, gain_db=-5.0, low_pitch=55, high_pitch=81, feel="eighths")


def _solo(patches: tuple[Patch, ...]) -> tuple[Part, ...]:
    """One instrument that plays all that it can: its bass, its chords and the tune."""
    patch = patches[0]
    held = patch in _HELD
    inner: Role = "pad" if held else "arp"
    return (
        Part(role="bass", patch=patch, gain_db=-2.0, low_pitch=36, high_pitch=50),
        Part(role=inner, patch=patch, gain_db=-2.0, low_pitch=50, high_pitch=72, feel="eighths"),
        Part(role="lead", patch=patch, gain_db=-1.0, low_pitch=67, high_pitch=86),
    )
