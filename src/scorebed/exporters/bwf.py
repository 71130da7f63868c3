"""Broadcast Wave after EBU Tech 3285 version 2, as RF64 (EBU Tech 3306) where 4 GB are passed.

libsndfile writes the chunk too, but signs the coding history itself and takes it only through
calls that soundfile keeps private; wave-bwf-rf64 has no float and no maintainer.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from scorebed import __version__
from scorebed.dsp.loudness import Meter
from scorebed.model import Audio, Loudness
from scorebed.timecode import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from pathlib import Path

_RIFF_LIMIT_BYTES: Final = 0xFFFF_FFFF
_IN_DS64: Final = 0xFFFF_FFFF
"""Stands in a 32-bit field whose value is in the ds64 chunk."""
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_SUBFORMAT_TAIL: Final = bytes.fromhex("000000001000800000aa00389b71")
_SPEAKERS: Final = {1: 0x4, 2: 0x3, 6: 0x3F, 8: 0x63F}
"""Channel masks: front centre; left and right; 5.1; 7.1, the last two as ffmpeg orders them."""
_MOST_PLAIN_CHANNELS: Final = 2
_FULL_SCALE: Final = 1 << 23
_UNUSED: Final = 0x7FFF
"""Tech 3285 v2: in a loudness field that says nothing."""
_LARGEST_FIGURE: Final = 9999
_BEXT: Final = struct.Struct("<256s32s32s10s8sQH64s5h180s")
_MODES: Final = {1: "M=mono,", 2: "M=stereo,"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """What becomes one file."""

    play: Callable[[], Iterator[Audio]]
    """Gives its samples from the start, as often as it is called."""
    channels: int
    """1, 2, 6 or 8."""
    length_samples: int
    """Samples per channel."""
    description: str
    """A line for people."""
    time_reference_samples: int
    """Its first sample, counted from midnight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What has to be known before the header can be written."""

    loudness: Loudness
    """Of the whole file."""
    fits: bool
    """Whether 24 bits hold every sample; where they do not, the file is 32-bit float."""


def survey(sound: Sound) -> Survey:
    """Plays a sound once and measures it."""
    meter, fits = Meter(sound.channels), True
    for block in sound.play():
        meter.add(block)
        steps = np.rint(block * np.float32(_FULL_SCALE))
        fits = fits and bool(steps.max() < _FULL_SCALE and steps.min() >= -_FULL_SCALE)
    return Survey(loudness=meter.loudness(), fits=fits)


def write_bwf(path: Path, sound: Sound, found: Survey) -> None:
    """Writes a 48 kHz Broadcast Wave file: 24-bit PCM, or 32-bit float where that would clip.

    There is no dither: a step of 24 bits is 146 dB under full scale, where no converter and no
    lossy codec resolves anything. There is no date: the same sound gives the same bytes.

    Args:
        path: Where to.
        sound: What to write.
        found: What ``survey`` said of it.

    Raises:
        ValueError: If the sound is not as long as it says.
        OSError: If the disk is full.
    """
    width_bytes = 3 if found.fits else 4
    data_bytes = sound.length_samples * sound.channels * width_bytes
    written = 0
    with path.open("wb") as file:
        file.write(_header(sound, found, data_bytes))
        for block in sound.play():
            file.write(_pcm24(block) if found.fits else _float32(block))
            written += len(block)
        file.write(bytes(data_bytes % 2))
    if written != sound.length_samples:
        raise ValueError(f"{path.name}: {written} samples, {sound.length_samples} promised")


def _pcm24(block: Audio) -> bytes:
    steps = np.rint(block * np.float32(_FULL_SCALE)).astype("<i4")
    return np.ascontiguousarray(steps.reshape(-1, 1).view(np.uint8)[:, :3]).tobytes()


def _float32(block: Audio) -> bytes:
    return np.ascontiguousarray(block, dtype="<f4").tobytes()


def _header(sound: Sound, found: Survey, data_bytes: int) -> bytes:
    """All that comes before the samples."""
    chunks = _chunk(b"bext", _bext(sound, found)) + _chunk(b"fmt ", _format(sound, found.fits))
    if not found.fits:
        chunks += _chunk(b"fact", struct.pack("<I", min(sound.length_samples, _IN_DS64)))
    riff_bytes = 4 + len(chunks) + 8 + data_bytes + data_bytes % 2
    if riff_bytes <= _RIFF_LIMIT_BYTES:
        return (
            struct.pack("<4sI4s", b"RIFF", riff_bytes, b"WAVE")
            + chunks
            + struct.pack("<4sI", b"data", data_bytes)
        )
    sizes = struct.pack("<QQQI", riff_bytes + 36, data_bytes, sound.length_samples, 0)
    return (
        struct.pack("<4sI4s", b"RF64", _IN_DS64, b"WAVE")
        + _chunk(b"ds64", sizes)
        + chunks
        + struct.pack("<4sI", b"data", _IN_DS64)
    )


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack("<4sI", name, len(body)) + body + bytes(len(body) % 2)


def _format(sound: Sound, fits: bool) -> bytes:  # noqa: FBT001 - one of the survey's answers
    width_bytes = 3 if fits else 4
    kind = _PCM if fits else _FLOAT
    plain = sound.channels <= _MOST_PLAIN_CHANNELS
    frame_bytes = sound.channels * width_bytes
    body = struct.pack(
        "<HHIIHH",
        kind if plain else _EXTENSIBLE,
        sound.channels,
        SAMPLE_RATE_HZ,
        SAMPLE_RATE_HZ * frame_bytes,
        frame_bytes,
        width_bytes * 8,
    )
    if plain:
        return body if fits else body + struct.pack("<H", 0)
    speakers = _SPEAKERS[sound.channels]
    return body + struct.pack("<HHIH", 22, width_bytes * 8, speakers, kind) + _SUBFORMAT_TAIL


def _bext(sound: Sound, found: Survey) -> bytes:
    """The broadcast extension, Tech 3285 v2 section 2.3; the coding history as in EBU R 98."""
    loudness, words = found.loudness, "" if found.fits else " (32-bit float)"
    history = (
        f"A=PCM,F={SAMPLE_RATE_HZ},W={24 if found.fits else 32},"
        f"{_MODES.get(sound.channels, '')}T=scorebed {__version__}; "
        f"{sound.channels} ch{words}"
    )
    # libsndfile does not skip the pad byte of an odd chunk in RF64: the text is made even.
    history += "\r\n" if len(history) % 2 == 0 else " \r\n"
    figures = (
        loudness.integrated_lufs,
        loudness.range_lu,
        loudness.true_peak_dbtp,
        loudness.momentary_max_lufs,
        loudness.short_term_max_lufs,
    )
    return _BEXT.pack(
        _ascii(sound.description),
        _ascii(f"scorebed {__version__}"),
        b"",
        b"",
        b"",
        sound.time_reference_samples,
        2,
        b"",
        *(_hundredths(figure) for figure in figures),
        b"",
    ) + _ascii(history)


def _ascii(text: str) -> bytes:
    return text.encode("ascii", "replace")


def _hundredths(figure: float | None) -> int:
    rounded = None if figure is None else round(figure * 100)
    return _UNUSED if rounded is None or abs(rounded) > _LARGEST_FIGURE else rounded
