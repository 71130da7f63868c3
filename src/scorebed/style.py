"""What a style preset says of the music: tempo, harmony, players, room and mix.

A preset is a TOML file whose keys are the field names below. Every field but ``name`` and
``description`` has a default, so that a user's own preset can be short.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Mode = Literal["phrygian", "aeolian", "dorian", "mixolydian", "ionian", "lydian"]
"""A church mode; here from the darkest to the brightest."""

ChordColor = Literal["triad", "seventh", "ninth", "add9", "open"]
"""What stands on a root: three notes, four, five, a triad with its ninth, or a bare fifth."""

Role = Literal["pad", "drone", "arp", "pulse", "comp", "bass", "lead", "counter"]
"""What a player does.

pad: the chord, held. drone: the root, held through. arp: the chord, note after note. pulse: one
note, repeated. comp: the chord, struck in a rhythm. bass: the lowest line. lead: the motif.
counter: a slow second voice.
"""

Patch = Literal[
    "warm_pad",
    "glass_pad",
    "dark_pad",
    "strings",
    "low_strings",
    "spiccato",
    "choir",
    "brass",
    "organ",
    "clarinet",
    "whistle",
    "saw_lead",
    "piano",
    "felt_piano",
    "electric_piano",
    "guitar",
    "muted_guitar",
    "ukulele",
    "harp",
    "pizzicato",
    "marimba",
    "vibraphone",
    "kalimba",
    "glockenspiel",
    "bell",
    "synth_pluck",
    "sub_bass",
    "pick_bass",
    "upright_bass",
    "pulse_bass",
]
"""A tuned instrument of the composer."""

Feel = Literal[
    "held", "beats", "offbeat", "syncopated", "eighths", "sixteenths", "sparse", "octaves"
]
"""The rhythm a player leans on."""

DrumFamily = Literal[
    "none", "taiko", "brush", "hip-hop", "four-on-floor", "clock", "toy", "light-pop", "shaker"
]
"""A drum kit and the patterns that go with it."""

Impact = Literal["boom", "taiko", "kick", "crash", "bell", "thump"]
"""What is struck where a scene changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A player of the ensemble."""

    role: Role
    """What the player does."""
    patch: Patch
    """The instrument."""
    gain_db: float = 0.0
    """Level in the mix, in dB; 0 is the level of a full pad."""
    pan: float = 0.0
    """Place from -1 (left) to 1 (right)."""
    low_pitch: int = 48
    """Lowest note, as a MIDI number (60 is middle C)."""
    high_pitch: int = 72
    """Highest note, as a MIDI number."""
    enters_at: float = 0.0
    """The player is heard from this energy on, 0 (always) to 1 (only at the peak)."""
    leaves_at: float = 2.0
    """The player is silent from this energy on; 2 for never."""
    feel: Feel = "held"
    """The rhythm the player leans on."""
    far: bool = True
    """Whether the player sits far back in the room, with more reverberation."""


DEFAULT_PARTS = (
    Part(role="pad", patch="warm_pad", gain_db=-4.0, low_pitch=50, high_pitch=74),
    Part(role="arp", patch="piano", gain_db=-5.0, low_pitch=55, high_pitch=81, feel="eighths"),
    Part(role="bass", patch="pick_bass", gain_db=-5.0, low_pitch=28, high_pitch=45, far=False),
    Part(role="lead", patch="vibraphone", gain_db=-7.0, low_pitch=67, high_pitch=88, enters_at=0.4),
)


_RANGES = (
    ("swing", 0.5, 0.75),
    ("density", 0, 1),
    ("looseness_ms", 0, 60),
    ("drums_gain_db", -60, 12),
    ("drums_enter_at", 0, 2),
    ("accent_gain_db", -60, 12),
    ("impact_gain_db", -60, 12),
    ("swell_gain_db", -60, 12),
    ("damping_hz", 200, 20_000),
    ("near_send_db", -60, 6),
    ("far_send_db", -60, 6),
    ("top_hz", 1000, 20_000),
    ("mix_gain_db", -24, 24),
    ("gain_db", -60, 12),
    ("pan", -1, 1),
    ("enters_at", 0, 2),
    ("leaves_at", 0, 2),
)
"""Least and most of the figures of a style and of its parts."""


def _check_ranges(holder: object) -> None:
    for name, least, most in _RANGES:
        # Written so that "not a number" is refused too.
        if not least <= getattr(holder, name, least) <= most:
            raise ValueError(f"{name} must be {least:g} to {most:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """A style preset (``presets/style/*.toml``)."""

    name: str
    """Name of the preset."""
    description: str
    """One sentence for a person and for a service that takes words."""
    words: tuple[str, ...] = ()
    """Words of a prompt that this style already answers."""

    tempo_bpm: tuple[float, float] = (80.0, 112.0)
    """Slowest and fastest tempo, in beats per minute."""
    beats_per_bar: int = 4
    """Beats in a bar, 3 or 4."""
    swing: float = 0.5
    """Where the second half of a beat begins: 0.5 straight, 0.67 triplet."""
    density: float = 0.5
    """How many notes are played, 0 (few) to 1 (many)."""
    looseness_ms: float = 6.0
    """How far players stray from the beat, in ms (standard deviation)."""

    modes: tuple[Mode, ...] = ("aeolian", "dorian", "ionian")
    """Modes to choose from by the brightness of the picture."""
    progressions_dark: tuple[tuple[int, ...], ...] = ((1, 6, 3, 7), (1, 4, 6, 5), (1, 7, 6, 7))
    """Progressions of phrygian, aeolian and dorian: degrees, 1 to 7."""
    progressions_bright: tuple[tuple[int, ...], ...] = ((1, 5, 6, 4), (1, 4, 6, 5), (1, 3, 4, 5))
    """Progressions of mixolydian, ionian and lydian: degrees, 1 to 7."""
    chord_color: ChordColor = "triad"
    """What stands on a root."""
    chord_bars: int = 1
    """Bars that a chord lasts."""
    leading_tone: bool = False
    """Whether the fifth degree of a dark mode is made major."""

    energy: tuple[float, float] = (0.25, 0.9)
    """Energy of the stillest and of the busiest scene, 0 to 1."""
    parts: tuple[Part, ...] = DEFAULT_PARTS
    """The ensemble."""
    drums: DrumFamily = "light-pop"
    """The drum kit and its patterns."""
    drums_gain_db: float = -3.0
    """Level of the drums, in dB."""
    drums_enter_at: float = 0.35
    """Energy from which drums are heard, 0 to 1."""

    accent_patch: Patch = "piano"
    """What plays the chord on a scene change."""
    accent_gain_db: float = -3.0
    """Level of that chord, in dB."""
    impact: Impact = "crash"
    """What is struck on a scene change."""
    impact_gain_db: float = -6.0
    """Level of that stroke, in dB."""
    swell_gain_db: float = -14.0
    """Level of the cymbal that swells into a scene change, in dB."""
    ring_s: float = 4.0
    """How long the last chord rings, in seconds."""

    reverb_s: float = 2.0
    """Time in which the room decays by 60 dB, in seconds."""
    damping_hz: float = 5000.0
    """Frequency above which the room decays twice as fast, in hertz."""
    near_send_db: float = -16.0
    """Reverberation of near players, in dB."""
    far_send_db: float = -7.0
    """Reverberation of far players, in dB."""
    top_hz: float = 17000.0
    """Bandwidth of the mix, in hertz: 17000 is open, 9000 is an old tape."""
    mix_gain_db: float = 0.0
    """Gain before the bus compressor, in dB."""

    def __post_init__(self) -> None:
        """Refuses what the composer could not play.

        Raises:
            ValueError: If a field has no sense; the message names it.
        """
        for holder in (self, *self.parts):
            _check_ranges(holder)
        low, high = self.tempo_bpm
        if not 20 <= low <= high <= 300:  # noqa: PLR2004
            raise ValueError("tempo_bpm must be two tempos from 20 to 300, the slower one first")
        if not 2 <= self.beats_per_bar <= 7:  # noqa: PLR2004
            raise ValueError("beats_per_bar must be 2 to 7")
        if not self.modes or not self.parts or self.chord_bars < 1:
            raise ValueError("modes and parts must not be empty, chord_bars must be at least 1")
        degrees = [*self.progressions_dark, *self.progressions_bright]
        if not all(one and min(one) >= 1 and max(one) <= 7 for one in degrees):  # noqa: PLR2004
            raise ValueError("progressions must hold degrees from 1 to 7")
        if not self.progressions_dark or not self.progressions_bright:
            raise ValueError("progressions_dark and progressions_bright must not be empty")
        for part in self.parts:
            if not 0 <= part.low_pitch <= part.high_pitch - 12 <= 115:  # noqa: PLR2004
                raise ValueError("low_pitch and high_pitch must be an octave apart, 0 to 127")
        if not 0.05 <= self.reverb_s <= 12 or not 0.1 <= self.ring_s <= 12:  # noqa: PLR2004
            raise ValueError("reverb_s must be 0.05 to 12, ring_s 0.1 to 12")
