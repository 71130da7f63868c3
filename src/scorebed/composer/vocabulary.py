"""The words that the composer knows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scorebed.style import DrumFamily

if TYPE_CHECKING:
    from scorebed.style import Patch

SLOW = {"slow", "slowly", "calm", "relaxed", "largo", "adagio", "gentle", "still"}
FAST = {"fast", "quick", "driving", "energetic", "allegro", "presto", "racing", "uptempo"}
DARK = {
    *("sad", "dark", "tense", "tension", "melancholy", "melancholic", "minor", "sombre", "somber"),
    *("scary", "horror", "sinister", "grief", "moody", "ominous", "serious", "dramatic", "lonely"),
}
BRIGHT = {
    *("happy", "bright", "joyful", "cheerful", "major", "sunny", "uplifting", "hopeful", "warm"),
    *("inspiring", "playful", "fun", "light", "optimistic", "positive", "triumphant"),
}
STRONG = {"epic", "powerful", "big", "intense", "energetic", "driving", "loud", "action", "dense"}
SOFT = {"soft", "quiet", "calm", "gentle", "minimal", "sparse", "subtle", "delicate", "intimate"}
BUILD = {"building", "build", "rising", "growing", "crescendo", "buildup"}
NEGATIONS = {"no", "without", "not", "minus", "never", "avoid", "exclude", "excluding"}
FILLERS = {
    *("a", "an", "and", "the", "with", "of", "in", "on", "to", "for", "but", "or", "by", "at"),
    *("music", "track", "score", "song", "piece", "mood", "tempo", "very", "some", "style", "only"),
    *("too", "so", "any", "use", "using", "add", "include", "have", "make", "it", "be", "more"),
    *("much", "many", "overly", "kind", "as", "or", "nor", "please", "just", "solo", "alone"),
    *("i", "want", "should", "sound", "play", "featuring"),
    *("soundtrack", "underscore", "bed", "bpm", "instrumental", "that", "is", "like", "feel"),
}
NO_MUSIC = re.compile(r"\b(?:no|without) (?:any )?(?:music|score|soundtrack|underscore)\b")
"""What a composer cannot do."""
DRUMS = {"drum", "drums", "percussion", "beat", "beats", "drumless"}
INSTRUMENTS: dict[str, tuple[Patch, ...]] = {
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
MELODY = {"lead", "melody", "tune"}
BPM_RANGE = (30.0, 240.0)
BPM = re.compile(
    r"(?:between\s+)?(\d{2,3}(?:\.\d+)?)(?:\s*(?:-|to|and|\u2013)\s*(\d{2,3}(?:\.\d+)?))?"
    r"\s*-?\s*(?:bpm|beats?\s+(?:per|a|/)\s+minute|beats/min)\b",
    flags=re.ASCII,
)
ENDS, STARTS = (
    ("ending", "end", "finish", "finale", "close"),
    ("opening", "beginning", "start", "intro"),
)
EDGE = 0.35
"""How much energy a quiet ending loses, and a big one gains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Genre:
    """What a genre changes in a style."""

    drums: DrumFamily | None = None
    """Its kit; None for the style's own."""
    swing: float | None = None
    """Where the second half of its beat begins; None for the style's own."""
    wanted: tuple[str, ...] = ()
    """Words for the instruments that it brings."""


GENRES = {
    "jazz": Genre(drums="brush", swing=0.62, wanted=("piano", "vibraphone")),
    "swing": Genre(drums="brush", swing=0.66),
    "rock": Genre(drums="light-pop", swing=0.5, wanted=("guitar",)),
    "folk": Genre(drums="shaker", wanted=("guitar",)),
    "acoustic": Genre(drums="shaker", wanted=("guitar",)),
    "techno": Genre(drums="four-on-floor", swing=0.5, wanted=("synth",)),
    "house": Genre(drums="four-on-floor", swing=0.5, wanted=("synth",)),
    "electronic": Genre(drums="four-on-floor", swing=0.5, wanted=("synth",)),
    "hiphop": Genre(drums="hip-hop", swing=0.6),
    "orchestral": Genre(wanted=("strings", "brass")),
    "orchestra": Genre(wanted=("strings", "brass")),
}
"""Genres that a prompt may ask for in any style."""
