"""The keyboards and the basses."""

from __future__ import annotations

import numpy as np

from scorebed.composer.tones import (
    Partials,
    Sound,
    Touch,
    close,
    fall,
    harmonics,
    level,
    mono,
    noise,
    peak,
    pitch_hz,
    ring,
    rise,
    times_s,
    voiced,
)
from scorebed.timecode import SAMPLE_RATE_HZ


def piano(touch: Touch, *, felt: bool) -> Sound:
    """Strings with stiffness, struck at an eighth of their length; after Fletcher and Rossing."""
    freq = pitch_hz(touch.pitch)
    number = np.arange(1, 41 if touch.quality != "draft" else 16, dtype=np.float64)
    stiff = 2.2e-4 * 2.0 ** ((touch.pitch - 60) / 9.0)
    freqs = freq * number * np.sqrt(1.0 + stiff * number**2)
    top = (900.0 if felt else 1900.0) * 2.0 ** (1.8 * (touch.bright - 0.5)) + 0.9 * freq
    gains = number**-0.75 * (0.15 + np.abs(np.sin(np.pi * number / 8.2)))
    gains /= 1.0 + (freqs / top) ** 2.2
    t60 = 9.0 * (110.0 / freq) ** 0.55 / (1.0 + 0.16 * (number - 1) + freqs / 6000.0)
    strings = {"draft": (0.0,), "standard": (-0.55, 0.6), "high": (-0.8, 0.07, 0.9)}[touch.quality]
    parts = Partials(
        freqs_hz=np.concatenate([freqs * 2 ** (cents / 1200) for cents in strings]),
        gains=np.tile(gains * voiced(freqs), len(strings)),
        decays_s=np.concatenate([t60 * (1.0 - 0.25 * k) for k in range(len(strings))]),
    )
    length = float(np.clip(t60[0] * 0.75, 1.2, 5.5))
    out = level(ring(parts, length, width=0.75, rng=touch.rng), 1.0)
    out = peak(out, 0.5)
    knock = int(0.09 * SAMPLE_RATE_HZ)
    points = ((60.0, -6.0), (180.0, 0.0), (900.0, -14.0), (3000.0, -22.0 + 10.0 * touch.bright))
    hammer = noise(knock, points, touch.rng) * fall(knock, 0.08)
    out[:, :knock] += hammer * np.float32(0.35 if felt else 0.25)
    out *= rise(out.shape[1], 0.004 if felt else 0.0012)
    return close(out, 0.3)


def electric_piano(touch: Touch) -> Sound:
    """A tine and its tone bar as two frequency-modulated pairs (Chowning), panned by a tremolo."""
    freq = pitch_hz(touch.pitch)
    length = float(np.clip(3.6 * (220.0 / freq) ** 0.3, 1.4, 4.5))
    t = times_s(int(length * SAMPLE_RATE_HZ))
    phase = 2 * np.pi * freq * t
    index = (0.5 + 1.7 * touch.bright) * np.exp(-t * 2.2)
    body = np.sin(phase + index * np.sin(phase * 1.0007)) * np.exp(-t * 4.6 / length)
    tine = np.sin(phase + 0.5 * np.exp(-t * 9) * np.sin(14.0 * phase)) * np.exp(-t * 14)
    wave = body + (0.15 + 0.35 * touch.bright) * tine + 0.2 * np.sin(2 * phase) * np.exp(-t * 3)
    shake = 0.22 * np.sin(2 * np.pi * 4.3 * t)
    out = np.asarray(np.stack([wave * (1 - shake), wave * (1 + shake)]), dtype=np.float32)
    return close(peak(out * rise(out.shape[1], 0.002), 0.5), 0.25)


def sub_bass(touch: Touch) -> Sound:
    """A sine, a little bent, that fades slowly."""
    freq = pitch_hz(touch.pitch)
    t = times_s(4 * SAMPLE_RATE_HZ)
    wave = np.sin(2 * np.pi * freq * t)
    wave = np.tanh(wave * (1.2 + 1.4 * touch.bright)) + 0.12 * np.sin(4 * np.pi * freq * t)
    out = mono(wave * np.exp(-t * 0.9))
    return close(peak(out * rise(out.shape[1], 0.008), 0.5), 0.3)


def pulse_bass(touch: Touch) -> Sound:
    """A short, filtered saw-tooth."""
    freq = pitch_hz(touch.pitch)
    freqs = harmonics(freq, 40)
    number = np.arange(1, len(freqs) + 1)
    top = 260.0 + 700.0 * touch.bright
    gains = 1.0 / number / np.sqrt(1.0 + (freqs / top) ** 4)
    t60 = np.asarray(1.6 / (1.0 + 0.35 * (number - 1)), dtype=np.float64)
    parts = Partials(freqs_hz=freqs, gains=gains, decays_s=t60)
    out = ring(parts, 1.2, width=0.25, rng=touch.rng)
    return close(peak(out * rise(out.shape[1], 0.003), 0.5), 0.1)
