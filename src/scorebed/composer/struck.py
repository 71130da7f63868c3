"""The plucked and struck instruments made of decaying partials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scorebed.composer.tones import (
    Partials,
    Sound,
    Touch,
    close,
    fall,
    harmonics,
    noise,
    peak,
    pitch_hz,
    ring,
    rise,
    times_s,
    voiced,
)
from scorebed.timecode import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from scorebed.style import Patch


@dataclass(frozen=True, slots=True, kw_only=True)
class Plucked:
    """Recipe of a plucked string."""

    place: float
    """Where it is plucked, as a share of its length."""
    tilt: float
    """Exponent with which harmonics fall."""
    top_hz: float
    """Frequency from which harmonics fall faster."""
    decay_s: float
    """Time in which A2 falls by 60 dB, in seconds."""
    damping: float
    """How much faster high harmonics decay."""
    body: float = 0.1
    """Level of the knock of the body."""
    twin_cents: float = 0.0
    """A second string, this far away; 0 for one string."""


def plucked_note(recipe: Plucked, touch: Touch) -> Sound:
    """A note of a plucked string.

    Args:
        recipe: The instrument.
        touch: The note.
    """
    freq = pitch_hz(touch.pitch)
    freqs = harmonics(freq, 20 if touch.quality == "draft" else 48)
    number = np.arange(1, len(freqs) + 1)
    top = recipe.top_hz * 2.0 ** (2.0 * (touch.bright - 0.5)) + 0.5 * freq
    gains = number**-recipe.tilt * (0.08 + np.abs(np.sin(np.pi * number * recipe.place)))
    gains = gains * voiced(freqs) / (1.0 + (freqs / top) ** 2)
    t60 = recipe.decay_s * (110.0 / freq) ** 0.4 / (1.0 + recipe.damping * (number - 1))
    if recipe.twin_cents:
        freqs = np.concatenate([freqs, freqs * 2 ** (recipe.twin_cents / 1200)])
        gains, t60 = np.tile(gains, 2), np.concatenate([t60, t60 * 0.8])
    length = float(np.clip(t60.max() * 0.8, 0.25, 4.5))
    parts = Partials(freqs_hz=freqs, gains=gains, decays_s=t60)
    out = peak(ring(parts, length, width=0.5, rng=touch.rng), 0.5)
    size = min(int(0.05 * SAMPLE_RATE_HZ), out.shape[1])
    points = ((90.0, -4.0), (220.0, 0.0), (1200.0, -8.0), (6000.0, -14.0))
    out[:, :size] += noise(size, points, touch.rng) * fall(size, 0.05) * np.float32(recipe.body)
    return close(out * rise(out.shape[1], 0.0012), 0.08)


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """Recipe of a bar, a plate or a bell."""

    ratios: tuple[float, ...]
    """Partials over the fundamental."""
    gains: tuple[float, ...]
    """Their levels."""
    decays_s: tuple[float, ...]
    """Their times to fall by 60 dB at A4, in seconds."""
    knock: float
    """Level of the mallet's knock."""
    tremolo_hz: float = 0.0
    """Speed of a fan or of beats, in hertz; 0 for none."""


def struck_note(recipe: Struck, touch: Touch) -> Sound:
    """A note of a bar, a plate or a bell.

    Args:
        recipe: The instrument.
        touch: The note.
    """
    freq = pitch_hz(touch.pitch)
    shrink = (440.0 / freq) ** 0.35
    bright = np.linspace(1.0, 0.4 + 1.2 * touch.bright, len(recipe.ratios))
    parts = Partials(
        freqs_hz=np.repeat(freq * np.array(recipe.ratios), 2) * np.tile([1.0, 1.0011], len(bright)),
        gains=np.repeat(np.array(recipe.gains) * bright, 2) * np.tile([1.0, 0.5], len(bright)),
        decays_s=np.repeat(np.array(recipe.decays_s) * shrink, 2),
    )
    length = float(np.clip(max(recipe.decays_s) * shrink * 0.8, 0.3, 5.5))
    out = peak(ring(parts, length, width=0.6, rng=touch.rng), 0.5)
    size = min(int(0.03 * SAMPLE_RATE_HZ), out.shape[1])
    points = ((150.0, -10.0), (700.0, 0.0), (3000.0, -6.0), (9000.0, -20.0))
    out[:, :size] += noise(size, points, touch.rng) * fall(size, 0.03) * np.float32(recipe.knock)
    if recipe.tremolo_hz:
        shake = 0.2 * np.sin(2 * np.pi * recipe.tremolo_hz * times_s(out.shape[1]))
        out *= np.stack([1 + shake, 1 - shake]).astype(np.float32)
    return close(out * rise(out.shape[1], 0.001), 0.2)


PLUCKED_RECIPES: dict[Patch, tuple[Plucked, float, float]] = {
    "guitar": (
        Plucked(place=0.19, tilt=0.7, top_hz=3200, decay_s=5.0, damping=0.10, twin_cents=1.5),
        0.25,
        0.0,
    ),
    "muted_guitar": (
        Plucked(place=0.13, tilt=0.6, top_hz=2600, decay_s=1.1, damping=0.16, body=0.25),
        0.08,
        2.0,
    ),
    "ukulele": (
        Plucked(place=0.22, tilt=0.75, top_hz=3600, decay_s=2.6, damping=0.14, body=0.22),
        0.12,
        1.0,
    ),
    "harp": (
        Plucked(place=0.4, tilt=1.0, top_hz=2600, decay_s=6.0, damping=0.18, body=0.08),
        0.5,
        0.0,
    ),
    "pizzicato": (
        Plucked(place=0.3, tilt=0.9, top_hz=1900, decay_s=1.3, damping=0.25, body=0.3),
        0.15,
        3.0,
    ),
    "spiccato": (
        Plucked(
            place=0.1, tilt=0.55, top_hz=2400, decay_s=0.9, damping=0.05, body=0.3, twin_cents=11.0
        ),
        0.12,
        2.0,
    ),
    "synth_pluck": (
        Plucked(
            place=0.5, tilt=0.95, top_hz=5200, decay_s=2.0, damping=0.3, body=0.04, twin_cents=9.0
        ),
        0.2,
        1.0,
    ),
    "pick_bass": (
        Plucked(place=0.24, tilt=0.8, top_hz=900, decay_s=4.0, damping=0.12, body=0.08),
        0.12,
        0.0,
    ),
    "upright_bass": (
        Plucked(place=0.35, tilt=1.1, top_hz=600, decay_s=2.2, damping=0.3, body=0.35),
        0.12,
        0.0,
    ),
}
"""Recipe, release in seconds and gain in dB."""
STRUCK_RECIPES: dict[Patch, tuple[Struck, float, float]] = {
    "marimba": (
        Struck(
            ratios=(1.0, 3.93, 9.6), gains=(1.0, 0.3, 0.1), decays_s=(1.1, 0.35, 0.12), knock=0.22
        ),
        0.3,
        2.0,
    ),
    "vibraphone": (
        Struck(
            ratios=(1.0, 4.0, 10.1),
            gains=(1.0, 0.22, 0.06),
            decays_s=(5.0, 1.4, 0.4),
            knock=0.07,
            tremolo_hz=5.1,
        ),
        0.4,
        0.0,
    ),
    "kalimba": (
        Struck(
            ratios=(1.0, 2.01, 5.3, 8.8),
            gains=(1.0, 0.18, 0.2, 0.1),
            decays_s=(1.8, 0.8, 0.2, 0.1),
            knock=0.2,
        ),
        0.3,
        1.0,
    ),
    "glockenspiel": (
        Struck(
            ratios=(1.0, 2.76, 5.4, 8.93),
            gains=(1.0, 0.4, 0.22, 0.1),
            decays_s=(3.2, 1.6, 0.7, 0.4),
            knock=0.08,
        ),
        0.6,
        -2.0,
    ),
    "bell": (
        Struck(
            ratios=(0.5, 1.0, 1.19, 1.5, 2.0, 2.74, 3.76, 5.1),
            gains=(0.25, 1.0, 0.3, 0.25, 0.5, 0.25, 0.18, 0.1),
            decays_s=(6.0, 5.0, 3.0, 2.4, 2.2, 1.5, 1.0, 0.6),
            knock=0.04,
        ),
        1.0,
        -1.0,
    ),
}
"""Recipe, release in seconds and gain in dB."""
