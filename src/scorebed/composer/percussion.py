"""Drums, cymbals and effects: sounds without a pitch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from scorebed.composer.chance import rng_for
from scorebed.composer.tones import (
    Partials,
    Sound,
    close,
    fall,
    mono,
    noise,
    peak,
    ring,
    times_s,
)
from scorebed.timecode import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from scorebed.model import Quality

VARIANTS = {"draft": 1, "standard": 3, "high": 5}
"""How many different strokes a drum has, by quality."""

_Maker = Callable[[np.random.Generator], Sound]


def _drop(
    low_hz: float, high_hz: float, drop_s: float, t60_s: float, drive: float, length_s: float
) -> Sound:
    """A drum head: a sine that falls in pitch."""
    length = int(length_s * SAMPLE_RATE_HZ)
    t = times_s(length)
    freq = low_hz + (high_hz - low_hz) * np.exp(-t / drop_s)
    wave = np.sin(2 * np.pi * np.cumsum(freq) / SAMPLE_RATE_HZ) * fall(length, t60_s, 0.0015)
    return mono(np.tanh(wave * drive))


def _hiss(
    length_s: float,
    t60_s: float,
    points: tuple[tuple[float, float], ...],
    rng: np.random.Generator,
    attack_s: float = 0.0008,
) -> Sound:
    length = int(length_s * SAMPLE_RATE_HZ)
    return noise(length, points, rng, width=0.6) * fall(length, t60_s, attack_s)


def _plus(one: Sound, two: Sound, share: float) -> Sound:
    out = np.zeros((2, max(one.shape[1], two.shape[1])), dtype=np.float32)
    out[:, : one.shape[1]] += one
    out[:, : two.shape[1]] += two * np.float32(share)
    return out


def _bits(rng: np.random.Generator, spread: float = 0.04) -> float:
    """A factor near 1: no two strokes are the same."""
    return float(1.0 + spread * (rng.random() - 0.5))


_CLICK = ((300.0, -12.0), (2500.0, 0.0), (6000.0, -8.0))
_SNARE = ((150.0, -24.0), (400.0, -8.0), (1800.0, 0.0), (6000.0, -3.0), (14000.0, -14.0))
_HAT = ((1500.0, -50.0), (5500.0, -9.0), (8500.0, 0.0), (14000.0, -5.0), (18000.0, -16.0))
_BRUSH = ((300.0, -26.0), (1800.0, -4.0), (5000.0, 0.0), (11000.0, -10.0))
_CLAP = ((400.0, -30.0), (900.0, -4.0), (1500.0, 0.0), (4000.0, -8.0), (12000.0, -20.0))
_CYMBAL = ((200.0, -40.0), (900.0, -14.0), (4000.0, -2.0), (9000.0, 0.0), (17000.0, -12.0))
_SKIN = ((60.0, -4.0), (200.0, 0.0), (1200.0, -12.0), (5000.0, -26.0))


def _kick(rng: np.random.Generator) -> Sound:
    body = _drop(47 * _bits(rng), 175, 0.022, 0.42, 1.5, 0.45)
    return _plus(body, _hiss(0.03, 0.02, _CLICK, rng), 0.9)


def _soft_kick(rng: np.random.Generator) -> Sound:
    body = _drop(52 * _bits(rng), 120, 0.025, 0.34, 1.2, 0.4)
    return _plus(body, _hiss(0.03, 0.02, _SKIN, rng), 0.5)


def _snare(rng: np.random.Generator) -> Sound:
    body = _drop(182 * _bits(rng), 240, 0.02, 0.2, 1.2, 0.3)
    return _plus(_hiss(0.35, 0.26, _SNARE, rng), body, 0.22)


def _dusty_snare(rng: np.random.Generator) -> Sound:
    body = _drop(165 * _bits(rng), 230, 0.02, 0.16, 1.4, 0.25)
    return _plus(_hiss(0.25, 0.17, _BRUSH, rng), body, 0.3)


def _clap(rng: np.random.Generator) -> Sound:
    out = np.zeros((2, int(0.4 * SAMPLE_RATE_HZ)), dtype=np.float32)
    for delay_s in (0.0, 0.011, 0.021, 0.03):
        at = int(delay_s * _bits(rng, 0.2) * SAMPLE_RATE_HZ)
        stroke = _hiss(0.3, 0.2 if delay_s > 0.025 else 0.03, _CLAP, rng)  # noqa: PLR2004
        out[:, at : at + stroke.shape[1]] += stroke[:, : out.shape[1] - at]
    return out


def _snap(rng: np.random.Generator) -> Sound:
    points = ((800.0, -30.0), (1900.0, 0.0), (2600.0, -2.0), (6000.0, -16.0))
    return _hiss(0.15, 0.07 * _bits(rng, 0.2), points, rng)


def _wood(rng: np.random.Generator) -> Sound:
    freqs = np.array([920.0, 1480.0, 2900.0]) * _bits(rng)
    parts = Partials(
        freqs_hz=freqs, gains=np.array([1.0, 0.5, 0.2]), decays_s=np.array([0.12, 0.08, 0.04])
    )
    return ring(parts, 0.15, width=0.3, rng=rng)


def _clock(rng: np.random.Generator) -> Sound:
    freqs = np.array([2300.0, 3750.0, 5900.0]) * _bits(rng, 0.02)
    parts = Partials(
        freqs_hz=freqs, gains=np.array([1.0, 0.7, 0.5]), decays_s=np.array([0.05, 0.04, 0.03])
    )
    return _plus(ring(parts, 0.08, width=0.4, rng=rng), _hiss(0.02, 0.012, _CLICK, rng), 0.8)


def _low_drum(freq_hz: float, t60_s: float, slap: float, rng: np.random.Generator) -> Sound:
    """A head with the modes of a circular membrane, and the slap of the stick."""
    modes = np.array([1.0, 1.59, 2.14, 2.30, 2.65, 2.92])
    parts = Partials(
        freqs_hz=freq_hz * modes * _bits(rng),
        gains=np.array([1.0, 0.55, 0.4, 0.3, 0.2, 0.15]),
        decays_s=t60_s * np.array([1.0, 0.6, 0.45, 0.4, 0.3, 0.25]),
    )
    head = peak(ring(parts, t60_s * 0.9, width=0.5, rng=rng), 1.0)
    head *= np.minimum(np.arange(head.shape[1]) / 72.0, 1.0).astype(np.float32)
    head = _plus(head, _drop(freq_hz * 0.9, freq_hz * 1.7, 0.03, t60_s * 0.7, 1.3, t60_s), 0.8)
    return _plus(head, _hiss(0.12, 0.08, _SKIN, rng), slap)


def _boom(rng: np.random.Generator) -> Sound:
    deep = _drop(36 * _bits(rng), 85, 0.09, 2.4, 1.8, 2.6)
    body = _low_drum(62.0, 1.6, 2.2, rng)
    points = ((40.0, -6.0), (120.0, 0.0), (900.0, -16.0), (4000.0, -34.0))
    return _plus(_plus(deep, body, 0.7), _hiss(2.2, 1.6, points, rng), 1.2)


def _thump(rng: np.random.Generator) -> Sound:
    return _plus(_drop(44 * _bits(rng), 72, 0.05, 0.6, 1.3, 0.6), _hiss(0.1, 0.06, _SKIN, rng), 0.4)


def _metal(length_s: float, t60_s: float, rng: np.random.Generator) -> Sound:
    """Noise and a crowd of inharmonic partials, the high ones dying first."""
    freqs = np.sort(rng.uniform(380.0, 9500.0, 60))
    parts = Partials(
        freqs_hz=freqs,
        gains=np.sqrt(freqs / 9500.0) * rng.uniform(0.3, 1.0, 60),
        decays_s=t60_s * (1.15 - 0.55 * freqs / 9500.0),
    )
    out = peak(ring(parts, length_s, width=1.0, rng=rng), 0.35)
    return _plus(out, _hiss(length_s, t60_s * 0.7, _CYMBAL, rng, 0.002), 1.6)


def _crash(rng: np.random.Generator) -> Sound:
    return _metal(3.2, 3.0, rng)


def _swell(rng: np.random.Generator) -> Sound:
    """A cymbal that grows for two seconds and stops: played so that it ends on the downbeat."""
    out = np.ascontiguousarray(_metal(2.0, 1.7, rng)[:, ::-1])
    out *= np.linspace(0.0, 1.0, out.shape[1], dtype=np.float32) ** 1.5
    return close(out, 0.02)


def _tambourine(rng: np.random.Generator) -> Sound:
    return _plus(_hiss(0.2, 0.16, _HAT, rng, 0.004), _hiss(0.05, 0.03, _HAT, rng), 0.8)


_MAKERS: dict[str, tuple[_Maker, float]] = {
    "kick": (_kick, 0.8),
    "soft_kick": (_soft_kick, 0.75),
    "snare": (_snare, 0.6),
    "dusty_snare": (_dusty_snare, 0.6),
    "rim": (_wood, 0.3),
    "clap": (_clap, 0.55),
    "snap": (_snap, 0.45),
    "hat": (lambda rng: _hiss(0.1, 0.06 * _bits(rng, 0.3), _HAT, rng), 0.34),
    "open_hat": (lambda rng: _hiss(0.45, 0.36, _HAT, rng), 0.3),
    "shaker": (lambda rng: _hiss(0.14, 0.1 * _bits(rng, 0.3), _HAT, rng, 0.018), 0.3),
    "brush": (lambda rng: _hiss(0.3, 0.24 * _bits(rng, 0.2), _BRUSH, rng, 0.012), 0.33),
    "tambourine": (_tambourine, 0.3),
    "wood": (_wood, 0.35),
    "clock": (_clock, 0.25),
    "taiko": (lambda rng: _low_drum(68.0, 0.9, 1.6, rng), 0.75),
    "high_taiko": (lambda rng: _low_drum(118.0, 0.5, 1.4, rng), 0.55),
    "boom": (_boom, 0.8),
    "thump": (_thump, 0.7),
    "crash": (_crash, 0.4),
    "swell": (_swell, 0.4),
}
SOUNDS = tuple(_MAKERS)
"""Names of all sounds."""


def make_hit(name: str, variant: int, quality: Quality) -> Sound:
    """A stroke: the same for the same arguments.

    Args:
        name: One of ``SOUNDS``.
        variant: Which of the strokes that differ a little.
        quality: How much work goes into it.
    """
    make, height = _MAKERS[name]
    out = make(rng_for("hit", name, variant, quality))
    return close(peak(out, height), 0.02)
