"""The held instruments: loops of many players, to which attack and release are added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scorebed.composer.tones import Partials, Sound, Touch, harmonics, level, loop, pitch_hz, voiced

if TYPE_CHECKING:
    from scorebed.style import Patch


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Recipe of a held patch."""

    tilt: float
    """Exponent with which harmonics fall."""
    top_hz: float
    """Frequency from which harmonics fall faster, for a touch in the middle."""
    spread_cents: float
    """How far the players are out of tune."""
    width: float
    """Stereo width, 0 to 1."""
    odd: float = 1.0
    """Level of the even harmonics."""
    bumps: tuple[tuple[float, float, float], ...] = ()
    """Formants: centre in hertz, width in octaves, gain in dB."""
    octave: float = 0.0
    """Level of a second rank an octave higher."""
    air_db: float = 0.0
    """Bow or breath noise per kHz under the loudest partial, in dB; 0 for none."""


_AIR = ((200.0, -30.0), (1500.0, -8.0), (5000.0, 0.0), (12000.0, -8.0))
"""Spectrum of bow and breath: hertz and dB."""


def held_note(recipe: Held, touch: Touch) -> Sound:
    """A loop of a held instrument.

    Args:
        recipe: The instrument.
        touch: The note.
    """
    freq = pitch_hz(touch.pitch)
    freqs = harmonics(freq, 24 if touch.quality == "draft" else 72)
    number = np.arange(1, len(freqs) + 1)
    gains = number**-recipe.tilt
    gains[1::2] *= recipe.odd
    top = recipe.top_hz * 2.0 ** (2.0 * (touch.bright - 0.5))
    gains /= np.sqrt(1.0 + (freqs / top) ** 4)
    for centre, octaves, gain_db in recipe.bumps:
        gains *= 10 ** (gain_db / 20 * np.exp(-((np.log2(freqs / centre) / octaves) ** 2)))
    if recipe.octave:
        freqs = np.concatenate([freqs, freqs * 2.003])
        gains = np.concatenate([gains, gains * recipe.octave])
    size = 1 << {"draft": 16, "standard": 17, "high": 18}[touch.quality]
    gains = gains * voiced(freqs)
    parts = Partials(freqs_hz=freqs, gains=gains, decays_s=np.ones_like(freqs))
    loudest_db = 20 * float(np.log10(np.max(gains)))
    air = [(f, db + loudest_db + recipe.air_db) for f, db in _AIR] if recipe.air_db else ()

    def desk(share: float) -> Sound:
        return loop(
            parts,
            spread_cents=recipe.spread_cents * share,
            width=min(recipe.width * share, 1.0),
            size_samples=size,
            rng=touch.rng,
            air=air,
        )

    # At high quality a second desk of players, a little further apart.
    return level(desk(1.0) + 0.7 * desk(1.5), 0.1) if touch.quality == "high" else desk(1.0)


_STRINGS_BODY = ((320.0, 0.5, 3.0), (1100.0, 0.5, 2.0), (2700.0, 0.6, 3.0))
HELD_RECIPES: dict[Patch, tuple[Held, float, float, float]] = {
    "warm_pad": (
        Held(tilt=1.15, top_hz=1500, spread_cents=22, width=0.6, octave=0.25),
        0.35,
        0.5,
        0.0,
    ),
    "glass_pad": (
        Held(tilt=1.5, top_hz=5200, spread_cents=12, width=0.65, octave=0.6, odd=0.5, air_db=-40.0),
        0.7,
        1.0,
        -1.0,
    ),
    "dark_pad": (
        Held(tilt=1.0, top_hz=620, spread_cents=30, width=0.55, air_db=-44.0),
        0.5,
        0.8,
        1.0,
    ),
    "strings": (
        Held(tilt=0.95, top_hz=2400, spread_cents=17, width=0.6, bumps=_STRINGS_BODY, air_db=-36.0),
        0.16,
        0.35,
        0.0,
    ),
    "low_strings": (
        Held(tilt=0.9, top_hz=1300, spread_cents=14, width=0.4, bumps=_STRINGS_BODY, air_db=-40.0),
        0.12,
        0.35,
        0.0,
    ),
    "choir": (
        Held(
            tilt=0.9,
            top_hz=2600,
            spread_cents=26,
            width=0.65,
            bumps=((650.0, 0.35, 9.0), (1080.0, 0.3, 7.0), (2650.0, 0.3, 5.0), (400.0, 0.6, -4.0)),
            air_db=-33.0,
        ),
        0.4,
        0.6,
        0.0,
    ),
    "brass": (
        Held(tilt=0.7, top_hz=1500, spread_cents=8, width=0.35, bumps=((900.0, 0.8, 4.0),)),
        0.09,
        0.25,
        0.0,
    ),
    "organ": (
        Held(tilt=1.3, top_hz=2600, spread_cents=4, width=0.4, octave=0.5),
        0.05,
        0.2,
        -1.0,
    ),
    "clarinet": (
        Held(tilt=1.15, top_hz=2400, spread_cents=3.5, width=0.15, odd=0.16, air_db=-33.0),
        0.05,
        0.12,
        -1.0,
    ),
    "whistle": (
        Held(tilt=2.6, top_hz=4000, spread_cents=6, width=0.15, air_db=-30.0),
        0.05,
        0.12,
        -3.0,
    ),
    "saw_lead": (
        Held(tilt=0.9, top_hz=2600, spread_cents=9, width=0.5),
        0.02,
        0.2,
        -1.0,
    ),
}
"""Recipe, attack in seconds, release in seconds and gain in dB."""
