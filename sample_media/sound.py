"""The sounds of the clips: a synthesised narrator, room tone, wind, rumbles and whooshes.

Audio is float64 of shape (samples, 2) at 48 kHz, full scale +-1.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import wave
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from clip import Clip
    from numpy.typing import NDArray

    Audio = NDArray[np.float64]

RATE_HZ = 48_000
SPEECH_RMS_DBFS = -20.0
ROOM_TONE_RMS_DBFS = -55.0
EFFECTS_RMS_DBFS = -28.0
VOICE = "slt"


def amplitude(db: float) -> float:
    """The factor for a number of decibels."""
    return float(10 ** (db / 20))


def rms_db(audio: Audio) -> float:
    """The root mean square of all samples, in dBFS."""
    return float(10 * np.log10(np.mean(audio**2)))


def coloured(
    rng: np.random.Generator, samples: int, low_hz: float, high_hz: float, tilt: float
) -> Audio:
    """Noise between two frequencies whose spectrum falls with frequency ** tilt; RMS 1."""
    hertz = np.fft.rfftfreq(samples, 1 / RATE_HZ)
    shape = (low_hz / np.maximum(hertz, low_hz)) ** tilt
    shape *= (hertz / low_hz) ** 2 / (1 + (hertz / low_hz) ** 2) / (1 + (hertz / high_hz) ** 4)
    spectrum = np.fft.rfft(rng.standard_normal(samples)) * shape
    noise = np.fft.irfft(spectrum, samples)
    return np.asarray(noise / np.sqrt(np.mean(noise**2)))


def wide(
    rng: np.random.Generator, samples: int, low_hz: float, high_hz: float, tilt: float
) -> Audio:
    """Stereo noise with a common middle."""
    middle, left, right = (coloured(rng, samples, low_hz, high_hz, tilt) for _ in range(3))
    pair = np.stack([middle + 0.7 * left, middle + 0.7 * right], axis=-1)
    return np.asarray(pair / np.sqrt(1.49))


def _spoken(text: str) -> tuple[Audio, int]:
    flite = shutil.which("flite")
    if flite is None:
        sys.exit("talk.mp4 needs the speech synthesiser flite: apt-get install flite")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "phrase.wav"
        command = [flite, "-voice", VOICE, "--setf", "duration_stretch=1.08", "-t", text]
        subprocess.run([*command, "-o", str(path)], check=True)
        with wave.open(str(path)) as reader:
            rate_hz = reader.getframerate()
            pcm = np.frombuffer(reader.readframes(reader.getnframes()), dtype="<i2")
    return pcm / 32768, rate_hz


def _resampled(audio: Audio, rate_hz: int) -> Audio:
    samples = len(audio) * RATE_HZ // rate_hz
    spectrum = np.fft.rfft(audio, len(audio))
    return np.asarray(np.fft.irfft(spectrum, samples) * (samples / len(audio)))


def _trimmed(audio: Audio) -> Audio:
    """Without the synthesiser's silence at both ends (10 ms steps, 40 dB under the peak)."""
    step = RATE_HZ // 100
    steps = audio[: len(audio) // step * step].reshape(-1, step)
    loud = np.flatnonzero(np.abs(steps).max(axis=1) > np.abs(audio).max() * amplitude(-40))
    inside = audio[loud[0] * step : (loud[-1] + 1) * step].copy()
    fade = np.linspace(0, 1, step // 2)
    inside[: len(fade)] *= fade
    inside[-len(fade) :] *= fade[::-1]
    return inside


def _in_a_room(rng: np.random.Generator, dry: Audio) -> Audio:
    """The voice in the middle with a short, quiet room around it."""
    tail = np.exp(-np.arange(int(0.14 * RATE_HZ)) / (0.028 * RATE_HZ))
    size = 2 ** int(np.ceil(np.log2(len(dry) + len(tail))))
    sides = []
    for _ in range(2):
        room = rng.standard_normal(len(tail)) * tail
        room[: int(0.004 * RATE_HZ)] = 0
        room *= 0.16 / np.sqrt(np.sum(room**2))
        room[0] = 1.0
        sides.append(np.fft.irfft(np.fft.rfft(dry, size) * np.fft.rfft(room, size), size))
    return np.stack(sides, axis=-1)[: len(dry) + len(tail)]


def narration(clip: Clip, samples: int) -> tuple[Audio, list[tuple[float, float]]]:
    """The voice on the clip's time line, and where each phrase starts and ends (seconds)."""
    rng = np.random.default_rng(1)
    track = np.zeros((samples, 2))
    spans: list[tuple[float, float]] = []
    for phrase in clip.phrases:
        if spans and phrase.start_s < spans[-1][1] + 0.3:
            sys.exit(f"{clip.name}: the phrase at {phrase.start_s} s starts before the last ended")
        dry = _trimmed(_resampled(*_spoken(phrase.text)))
        dry *= amplitude(SPEECH_RMS_DBFS) / np.sqrt(np.mean(dry**2))
        start = round(phrase.start_s * RATE_HZ)
        voice = _in_a_room(rng, dry)
        track[start : start + len(voice)] += voice
        spans.append((phrase.start_s, (start + len(dry)) / RATE_HZ))
    return track, spans


def talk_sound(clip: Clip, samples: int) -> tuple[Audio, list[tuple[float, float]]]:
    """Narration over a quiet room tone with a slow sea far away in it."""
    rng = np.random.default_rng(2)
    tone = wide(rng, samples, 60, 5000, 0.9)
    seconds = np.arange(samples) / RATE_HZ
    tone *= (1 + 0.35 * np.sin(2 * np.pi * seconds / 7.3))[:, None]
    tone *= amplitude(ROOM_TONE_RMS_DBFS - rms_db(tone))
    voice, spans = narration(clip, samples)
    return voice + tone, spans


def whoosh(rng: np.random.Generator, length_s: float, low_hz: float, high_hz: float) -> Audio:
    """Air passing from left to right, loudest at 60 % of its length."""
    samples = int(length_s * RATE_HZ)
    place = np.linspace(0, 1, samples)
    rise = np.where(place < 0.6, (place / 0.6) ** 3, ((1 - place) / 0.4) ** 2)
    air = coloured(rng, samples, low_hz, high_hz, 0.8) * rise
    return np.stack([air * np.cos(place * np.pi / 2), air * np.sin(place * np.pi / 2)], axis=-1)


def thump(rng: np.random.Generator, low_hz: float, length_s: float) -> Audio:
    """A deep, soft knock."""
    seconds = np.arange(int(length_s * RATE_HZ)) / RATE_HZ
    body = np.sin(2 * np.pi * low_hz * (seconds + 0.02 * np.exp(-seconds / 0.03)))
    hit = body * np.exp(-seconds / (length_s / 5)) + 0.05 * coloured(
        rng, len(seconds), 80, 1500, 1.0
    ) * np.exp(-seconds / 0.02)
    hit[:96] *= np.linspace(0, 1, 96)
    return np.stack([hit, hit], axis=-1)


def pop(frequency_hz: float, pan: float) -> Audio:
    """A small bubble of sound; pan 0 (left) to 1 (right)."""
    seconds = np.arange(int(0.16 * RATE_HZ)) / RATE_HZ
    sweep = frequency_hz * (seconds + 1.6 * seconds**2)
    body = np.sin(2 * np.pi * sweep) * np.exp(-seconds / 0.03)
    body[:48] *= np.linspace(0, 1, 48)
    return np.stack([body * np.cos(pan * np.pi / 2), body * np.sin(pan * np.pi / 2)], axis=-1)


def _add(track: Audio, at_s: float, sound: Audio, gain: float) -> None:
    start = max(round(at_s * RATE_HZ), 0)
    part = sound[: max(len(track) - start, 0)]
    track[start : start + len(part)] += part * gain


def _bed(track: Audio, start_s: float, end_s: float, sound: Audio, gain: float) -> None:
    """Lay a bed between two times with half-second fades outside them."""
    first = max(round((start_s - 0.25) * RATE_HZ), 0)
    last = min(round((end_s + 0.25) * RATE_HZ), len(track))
    fade = np.minimum(np.arange(last - first), np.arange(last - first)[::-1]) / (0.5 * RATE_HZ)
    track[first:last] += sound[first:last] * np.clip(fade, 0, 1)[:, None] * gain


def montage_sound(clip: Clip, samples: int) -> tuple[Audio, list[tuple[float, float]]]:
    """Effects only, scene by scene: rumble, whooshes on quick cuts, evening, knocks, pops, wind."""
    rng = np.random.default_rng(4)
    track = np.zeros((samples, 2))
    rumble, air, wind = (
        wide(rng, samples, low, high, tilt)
        for low, high, tilt in ((30, 160, 1.2), (250, 4000, 1.0), (140, 900, 1.0))
    )
    seconds = np.arange(samples) / RATE_HZ
    gusts = 0.6 + 0.4 * np.sin(2 * np.pi * seconds / 5.3) * np.sin(2 * np.pi * seconds / 3.1)
    wind *= gusts[:, None]
    beds = {
        "deep space": (rumble, 0.35),
        "summer": (air, 0.10),
        "evening lake": (air, 0.07),
        "red alarm": (rumble, 0.55),
        "toys": (air, 0.05),
        "snow": (wind, 0.22),
    }
    starts = [(clip.seconds(frame), name) for frame, name in clip.scene_starts]
    ends = [*(start for start, _ in starts[1:]), samples / RATE_HZ]
    for (start, name), end in zip(starts, ends, strict=True):
        sound, gain = beds[name]
        _bed(track, start, end, sound, gain)
        if name == "red alarm":
            for beat in np.arange(start, end - 0.3, 0.75):
                _add(track, float(beat), thump(rng, 52, 0.6), 1.1)
        if name == "toys":
            for beat in np.arange(start + 0.1, end - 0.2, 0.31):
                pitch = float(rng.choice([420, 530, 630, 790, 940]))
                _add(track, float(beat), pop(pitch, float(rng.uniform(0, 1))), 0.30)
    for frame, shot in zip(clip.starts, clip.shots, strict=True):
        if shot.scene == "summer":
            _add(track, clip.seconds(frame) - 0.27, whoosh(rng, 0.45, 300, 5000), 0.55)
    track *= amplitude(EFFECTS_RMS_DBFS - rms_db(track))
    out = np.clip((samples - np.arange(samples)) / (2.0 * RATE_HZ), 0, 1)
    return track * out[:, None] ** 1.5, []
