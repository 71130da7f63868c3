"""The music that the test server answers with: the same for the same request, with clear beats.

A pattern of four bars is rendered once and repeated: chords, a bass and a click on every beat at
120 beats a minute, the first at time 0.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyloudnorm
import soundfile

from scorebed.ffmpeg import file_url, run
from scorebed.testing.service_mp3 import repeat_frames, whole_frames

if TYPE_CHECKING:
    from numpy.typing import NDArray

Kind = Literal["mix", "music", "effects"]
"""What is heard: the music with effects in it, the music alone, or the effects alone."""

BEATS_PER_MINUTE = 120
LOUDNESS_LUFS = -16.0
_BEAT_S = 60 / BEATS_PER_MINUTE
_BARS = 4
_BEATS = 4
_TILE_FROM_S = 40
"""Longer mp3s are made by repeating frames: encoding ten minutes takes 10 s, this 1 s."""
_CHORDS = ((0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14))
"""C, a, F, G in semitones above the key."""
_LOWEST_HZ = 130.8
"""The C from which the twelve keys are counted."""
_EFFECTS_LUFS = -26.0
_PART_OF_EFFECTS_IN_MIX = 0.5
_MPEG_KBPS = {32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320}
"""Bitrates that an mp3 of constant bitrate can have at the rates in use from 32 kHz up."""


def extension(output_format: str) -> str:
    """How a file in that format is called."""
    return {"opus": "ogg"}.get(output_format.partition("_")[0], output_format.partition("_")[0])


def content_type(output_format: str) -> str:
    """Content-Type of an answer in that format."""
    codec = output_format.partition("_")[0]
    types = {"mp3": "audio/mpeg", "pcm": "audio/pcm", "ulaw": "audio/basic", "wav": "audio/wav"}
    return {**types, "alaw": "audio/x-alaw-basic", "opus": "audio/ogg"}[codec]


def in_key(fingerprint: str, key: int) -> str:
    """The fingerprint of music in another key, 0 (C) to 11."""
    return f"{fingerprint[:-2]}{key:02x}"


def key_of(audio: NDArray[np.float32], rate_hz: int) -> int:
    """The key in which our music would sound most like it, 0 (C) to 11.

    Args:
        audio: Shape (samples,).
        rate_hz: Sample rate in hertz.
    """
    chroma = _chroma(audio, rate_hz)
    ours = _own_chroma()
    return int(np.argmax([chroma @ np.roll(ours, key) for key in range(12)]))


@functools.cache
def _own_chroma() -> NDArray[np.float64]:
    rate_hz = 8000
    return _chroma(pattern("0" * 64, rate_hz).mean(axis=1), rate_hz)


def _chroma(audio: NDArray[np.float32], rate_hz: int) -> NDArray[np.float64]:
    """Share of each pitch class, from C, in the power between C2 and C6; its mean taken away."""
    power = np.square(np.abs(np.fft.rfft(audio * np.hanning(len(audio)))))
    lines_hz = np.fft.rfftfreq(len(audio), 1 / rate_hz)
    tonal = (lines_hz > _LOWEST_HZ / 2) & (lines_hz < _LOWEST_HZ * 8)
    steps = np.round(12 * np.log2(lines_hz[tonal] / _LOWEST_HZ)).astype(int) % 12
    chroma = np.bincount(steps, weights=power[tonal], minlength=12)
    return np.asarray(chroma / max(chroma.sum(), 1e-12) - 1 / 12)


@functools.lru_cache(maxsize=8)
def pattern(fingerprint: str, rate_hz: int, kind: Kind = "music") -> NDArray[np.float32]:
    """Four bars that can be repeated without a seam.

    Args:
        fingerprint: Hash of the request; the colour of the sound follows from it, and from
            its last two digits the key.
        rate_hz: Sample rate in hertz.
        kind: What is heard.

    Returns:
        Samples of shape (samples, 2) of 8 s at -16 LUFS (effects alone: -26 LUFS).
    """
    chance = np.random.default_rng(int(fingerprint[:16], 16))
    key_hz = _LOWEST_HZ * 2 ** (int(fingerprint[-2:], 16) % 12 / 12)
    colour = chance.uniform(0.45, 0.55)
    music = np.concatenate(
        [_bar(key_hz, _CHORDS[bar], colour, rate_hz, chance)
         for bar in range(_BARS)]
    )  # fmt: skip
    effects = _effects(rate_hz, len(music), chance)
    if kind == "effects":
        return _at(effects, rate_hz, _EFFECTS_LUFS)
    if kind == "mix":
        music = music + _PART_OF_EFFECTS_IN_MIX * effects
    return _at(music, rate_hz, LOUDNESS_LUFS)


def _bar(
    key_hz: float,
    chord: tuple[int, ...],
    colour: float,
    rate_hz: int,
    chance: np.random.Generator,
) -> NDArray[np.float64]:
    """Two seconds: the chord is held, the bass plays on every beat, each beat begins with a click.

    All of it has died away at the bar's end, so that bars follow one another without a step.
    """
    beat_samples = round(_BEAT_S * rate_hz)
    at_s = np.arange(beat_samples * _BEATS) / rate_hz
    hold = np.exp(-at_s / 1.5) * np.clip((at_s[-1] - at_s) / 0.05, 0, 1)
    pad = sum(_tone(key_hz * 2 ** (step / 12), at_s, colour, rate_hz) for step in chord)
    beat_s = at_s[:beat_samples]
    fall = np.clip((beat_s[-1] - beat_s) / 0.02, 0, 1)
    bass = _tone(key_hz / 2 * 2 ** (chord[0] / 12), beat_s, 0.5, rate_hz)
    bass *= np.exp(-beat_s / 0.2) * fall
    click = chance.standard_normal((beat_samples, 1)) * np.exp(-beat_s / 0.008)[:, None]
    left = np.tile(bass[:, None] * 0.9 + click * 0.5, (_BEATS, 2))
    width = np.array([1.0, 0.8]) if chance.integers(2) else np.array([0.8, 1.0])
    return np.asarray(left + 0.18 * (pad * hold)[:, None] * width)


def _tone(
    pitch_hz: float, at_s: NDArray[np.float64], colour: float, rate_hz: int
) -> NDArray[np.float64]:
    """A tone and its overtones below the band's edge; cosines, so that it begins at once."""
    first = np.cos(2 * np.pi * pitch_hz * at_s)
    before, wave = np.ones(len(at_s)), first
    tone = first.copy()
    for overtone in range(2, min(int(0.45 * rate_hz / pitch_hz), 6) + 1):
        # cos(n x) from the two before it: a fifth of the time that cosines take.
        before, wave = wave, 2 * first * wave - before
        tone += colour ** (overtone - 1) * wave
    return tone


def _effects(rate_hz: int, length_samples: int, chance: np.random.Generator) -> NDArray[np.float64]:
    """A swell of noise in each bar's second half."""
    bar_samples = length_samples // _BARS
    swell = np.zeros((bar_samples, 2))
    size = round(0.8 * rate_hz)
    swell[bar_samples // 2 :][:size] = 0.3 * (
        chance.standard_normal((size, 2)) * np.hanning(size)[:, None]
    )
    return np.tile(swell, (_BARS, 1))


def _at(audio: NDArray[np.float64], rate_hz: int, loudness_lufs: float) -> NDArray[np.float32]:
    """The pattern at a loudness, heard twice over as it will be."""
    heard_lufs = pyloudnorm.Meter(rate_hz).integrated_loudness(np.tile(audio, (2, 1)))
    loud = audio * 10 ** ((loudness_lufs - heard_lufs) / 20)
    return np.asarray(np.clip(loud, -0.98, 0.98), dtype=np.float32)


def make_music(
    path: Path,
    *,
    output_format: str,
    length_s: float,
    fingerprint: str,
    kind: Kind = "music",
    channels: int = 2,
    going_on: Callable[[], None] = lambda: None,
) -> Path:
    """Writes music of a length in one of the service's formats.

    Args:
        path: Where to; a pattern is written beside it and deleted.
        output_format: One of the service's, or ``wav_48000``.
        length_s: In seconds, kept to the sample.
        fingerprint: Hash of the request.
        kind: What is heard.
        channels: 2, or 1; ulaw and alaw are telephone formats and always have one.
        going_on: Called while it is encoded; raises when there is no use in it.

    Returns:
        ``path``.
    """
    codec, rate_hz, _ = _parts(output_format)
    channels = 1 if codec in {"ulaw", "alaw"} else channels
    length_samples = round(length_s * rate_hz)
    loop = path.with_suffix(".pattern.wav")
    audio = pattern(fingerprint, rate_hz, kind)
    if channels == 1:
        audio = audio.mean(axis=1, keepdims=True)
    going_on()
    soundfile.write(loop, audio, rate_hz, subtype="FLOAT")
    tiled = codec == "mp3" and length_s > _TILE_FROM_S
    encoded_samples = whole_frames(rate_hz, len(audio)) if tiled else length_samples
    _encode(loop, path, output_format, encoded_samples, going_on)
    loop.unlink()
    if tiled:
        repeat_frames(path, rate_hz=rate_hz, pattern_samples=len(audio), to_samples=length_samples)
    return path


def _parts(output_format: str) -> tuple[str, int, int]:
    """Codec, rate in hertz and bitrate in kb/s (0 where the codec has none)."""
    codec, rate_hz, *kbps = output_format.split("_")
    return codec, int(rate_hz), int(kbps[0]) if kbps else 0


def _encode(
    loop: Path,
    path: Path,
    output_format: str,
    length_samples: int,
    going_on: Callable[[], None],
) -> None:
    codec, rate_hz, kbps = _parts(output_format)
    how = {
        "mp3": [
            *("-c:a", "libmp3lame", "-b:a", f"{kbps}k", "-compression_level", "9"),
            *("-reservoir", "0", "-abr", "0" if kbps in _MPEG_KBPS else "1"),
            *("-id3v2_version", "0", "-f", "mp3"),
        ],
        "opus": ["-c:a", "libopus", "-b:a", f"{kbps}k", "-compression_level", "0", "-f", "ogg"],
        "pcm": ["-c:a", "pcm_s16le", "-f", "s16le"],
        "wav": ["-c:a", "pcm_s16le", "-f", "wav"],
        "ulaw": ["-c:a", "pcm_mulaw", "-f", "mulaw"],
        "alaw": ["-c:a", "pcm_alaw", "-f", "alaw"],
    }[codec]
    run(
        [
            *("-y", "-stream_loop", "-1", "-i", file_url(loop)),
            *("-af", f"atrim=end_sample={length_samples}", "-map_metadata", "-1"),
            *("-fflags", "+bitexact", "-flags:a", "+bitexact", *how, file_url(path)),
        ],
        stage="music service",
        subject=path,
        duration_s=Fraction(length_samples, rate_hz),
        progress=lambda _: going_on(),
    )
