"""Audio of an answer: known by decoding it, measured by counting its samples."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from scorebed.answers.parts import STAGE, head_of, readable
from scorebed.errors import MediaError
from scorebed.ffmpeg import FfmpegError, decode_stereo
from scorebed.media import open_media
from scorebed.packets import read_contents
from scorebed.timecode import SAMPLE_RATE_HZ
from scorebed.wav import BLOCK_SAMPLES, wav_writer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorebed.answers.parts import Found, Opening
    from scorebed.model import Audio

_RAW = re.compile(r"(pcm|ulaw|alaw)_([0-9]{4,6})")
_SUBTYPES = {"pcm": ("PCM_16", 2), "ulaw": ("ULAW", 1), "alaw": ("ALAW", 1)}
"""libsndfile's name and bytes per sample."""
_SIGNATURES = re.compile(
    rb"RIFF....WAVE|RF64....WAVE|BW64....WAVE|riff\x2e\x91\xcf\x11|ID3[\x02-\x04]|fLaC\x00|OggS\x00"
    rb"|....ftyp|\x1a\x45\xdf\xa3|FORM....AIF[FC]|caff\x00\x01|\.snd\x00\x00\x00|wvpk",
    re.DOTALL,
)
_MP3_KBPS = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bit rates of MPEG 1 and of MPEG 2 layer III (ISO 11172-3, 13818-3)."""
_MP3_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8000)}
_MP3_FRAMES = 3
_SUFFIXES = {
    "mp3": ".mp3",
    "wav": ".wav",
    "w64": ".w64",
    "flac": ".flac",
    "ogg": ".ogg",
    "aac": ".aac",
    "aiff": ".aiff",
    "mov": ".m4a",
    "matroska": ".mka",
}
_WHOLE_SHARE = Fraction(98, 100)
_WHOLE_S = Fraction(1, 2)
"""Audio that is shorter than its header says, by more than 2 % and half a second, was cut off."""
_ENDLESS_FACTOR = 10
_ENDLESS_S = 3600
_RIFF_UNKNOWN_BYTES = 2**31 - 1024
"""A writer that streams states about 2 or 4 GiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """Audio that was decoded once, from end to end."""

    path: Path
    """Where it lies."""
    name: str
    """What the answer calls it."""
    suffix: str
    """Suffix of its container."""
    stream_index: int
    """Which stream of it is the music."""
    duration_s: Fraction
    """Its decoded length in seconds."""
    listed: bool
    """Whether it is one of a list in JSON."""

    def decoded(self) -> Iterator[Audio]:
        """Its samples at 48 kHz, in blocks of shape (samples, 2)."""
        return decode_stereo(self.path, self.stream_index, stage=STAGE)


def hear(opening: Opening, found: Found, expected_s: Fraction) -> Sound | None:
    """Decodes what may be audio; None if it is none and need not be.

    Args:
        opening: The answer.
        found: The file.
        expected_s: Length that is expected of it, in seconds: tells mono from stereo.

    Raises:
        BadAnswer: If it has to be audio and is none.
    """
    path = found.path
    raw = _RAW.fullmatch(opening.expected.output_format)
    # What is not known to be audio at all is not taken for samples.
    if raw and (found.must or found.origin == "part") and not _has_signature(head_of(path)):
        path = _wrapped(opening, found, raw[1], int(raw[2]), expected_s)
    try:
        stated_s = _stated_s(path)
        contents = read_contents(path, stage=STAGE)
        index = contents.sound_index
        length = 0 if index is None else _count(opening, decode_stereo(path, index, stage=STAGE))
    except (MediaError, FfmpegError) as error:
        if not found.must:
            return None
        raise opening.bad(f"what is no audio{_named(found)}: {_why(error, path)}") from error
    if index is None or not length:
        if not found.must:
            return None
        raise opening.bad(f"media in which nothing sounds{_named(found)}")
    heard_s = Fraction(length, SAMPLE_RATE_HZ)
    if heard_s < _WHOLE_SHARE * stated_s - _WHOLE_S:
        raise opening.bad(
            f"audio{_named(found)} that breaks off at {float(heard_s):.1f} s of the "
            f"{float(stated_s):.1f} s that its header states"
        )
    return Sound(
        path=path,
        name=found.name,
        suffix=_SUFFIXES.get(contents.format_name.split(",")[0], ".audio"),
        stream_index=index,
        duration_s=heard_s,
        listed=found.listed,
    )


def _stated_s(path: Path) -> Fraction:
    """Length as the header has it, which stays when the file is cut off; 0 where it has none."""
    with open_media(path, stage=STAGE) as container:
        stated_s = Fraction(container.duration or 0, 1_000_000)
    # Readers of WAV believe the file's size, not its header.
    return stated_s * max(Fraction(1), Fraction(_riff_bytes(path), path.stat().st_size))


def _riff_bytes(path: Path) -> int:
    """Size that a RIFF header states for its file; 0 where it is none or was not known."""
    head = head_of(path)
    if not head.startswith(b"RIFF"):
        return 0
    size_bytes = int.from_bytes(head[4:8], "little") + 8
    return size_bytes if size_bytes < _RIFF_UNKNOWN_BYTES else 0


def decode_piece(path: Path) -> Iterator[Audio]:
    """Samples at 48 kHz of a file that ``unpack`` gave, in blocks of shape (samples, 2)."""
    index = read_contents(path, stage=STAGE).sound_index
    assert index is not None, "it was heard before"
    return decode_stereo(path, index, stage=STAGE)


def _named(found: Found) -> str:
    return f" ({readable(found.name)})" if found.name else ""


def _why(error: MediaError | FfmpegError, path: Path) -> str:
    said = error.message.removeprefix(f"{STAGE}: ").replace(str(path), "it")
    return readable(f"{said}; it begins with {head_of(path)[:16]!r}")


def _count(opening: Opening, blocks: Iterator[Audio]) -> int:
    expected = opening.expected.duration_s
    most = int((expected * _ENDLESS_FACTOR + _ENDLESS_S) * SAMPLE_RATE_HZ)
    length = 0
    for block in blocks:
        length += len(block)
        if length > most:
            raise opening.bad(
                f"audio of over {most // SAMPLE_RATE_HZ} s, for {float(expected):.0f} s of picture"
            )
    return length


# --- samples without a header ------------------------------------------------------------------


def _has_signature(head: bytes) -> bool:
    return _SIGNATURES.match(head) is not None or _is_mp3(head)


def _is_mp3(head: bytes) -> bool:
    """Whether frames of layer III follow each other: one header alone may be a sample."""
    at = 0
    for _ in range(_MP3_FRAMES):
        size = _mp3_frame_bytes(head[at : at + 4])
        if not size:
            return False
        at += size
    return True


def _mp3_frame_bytes(header: bytes) -> int:
    """Length of the frame that a header begins, or 0 where it is none."""
    word = int.from_bytes(header, "big")
    version, rate, kbps = word >> 19 & 3, word >> 10 & 3, word >> 12 & 15
    if len(header) < 4 or word >> 21 != 0x7FF or word >> 17 & 3 != 1:  # noqa: PLR2004 - the sync word
        return 0
    if version not in _MP3_HZ or rate == 3 or kbps in {0, 15}:  # noqa: PLR2004 - reserved values
        return 0
    newest = version == 3  # noqa: PLR2004 - MPEG 1
    frame = (144_000 if newest else 72_000) * _MP3_KBPS[newest][kbps]
    return frame // _MP3_HZ[version][rate] + (word >> 9 & 1)


def _wrapped(
    opening: Opening, found: Found, codec: str, rate_hz: int, expected_s: Fraction
) -> Path:
    """Samples without a header as a WAV; as many channels as make the length that is expected."""
    subtype, sample_bytes = _SUBTYPES[codec]
    size_bytes = found.path.stat().st_size
    mono_s = size_bytes / sample_bytes / rate_hz
    if size_bytes < 2 * sample_bytes:
        raise opening.bad(f"audio that holds no samples{_named(found)}")
    wanted = math.log(max(float(expected_s), 0.1))
    channels = min((1, 2), key=lambda count: abs(math.log(mono_s / count) - wanted))
    opening.tell("channels", f"{channels}, by the length that was expected")
    target = found.path.with_name(f"{found.path.name}.wav")
    if found.origin == "body":
        target = opening.folder / "body.wav"
    whole = size_bytes - size_bytes % (sample_bytes * channels)
    with found.path.open("rb") as file:
        _rewrap(file.fileno(), target, subtype, rate_hz, channels, whole)
    return target


def _rewrap(
    source: int, target: Path, subtype: str, rate_hz: int, channels: int, size_bytes: int
) -> None:
    frames = size_bytes // channels // (2 if subtype == "PCM_16" else 1)
    with (
        soundfile.SoundFile(
            source, "r", rate_hz, channels, subtype, "LITTLE", "RAW", closefd=False
        ) as raw,
        soundfile.SoundFile(str(target), "w", rate_hz, channels, "PCM_16", format="WAV") as wav,
    ):
        while frames > 0:
            block = raw.read(min(frames, BLOCK_SAMPLES), dtype="int16", always_2d=True)
            if not len(block):
                break
            wav.write(block)
            frames -= len(block)


# --- music and effects -------------------------------------------------------------------------


def write_sum(target: Path, sounds: list[Sound]) -> Fraction:
    """Adds sounds that begin together, sample by sample, into a 48 kHz WAV.

    Args:
        target: Where to.
        sounds: What to add; the shorter ones end earlier.

    Returns:
        Length of the sum in seconds.
    """
    streams = [_even(sound.decoded()) for sound in sounds]
    with wav_writer(target, channels=2) as writer:
        while True:
            blocks = [next(stream) for stream in streams]
            size = max(len(block) for block in blocks)
            if not size:
                return Fraction(writer.length_samples, SAMPLE_RATE_HZ)
            total = np.zeros((size, 2), dtype=np.float32)
            for block in blocks:
                total[: len(block)] += np.nan_to_num(block, posinf=0, neginf=0)
            writer.write(total)


def _even(blocks: Iterator[Audio]) -> Iterator[Audio]:
    """Blocks of one size, the last one shorter, then empty ones without end."""
    nothing = np.zeros((0, 2), dtype=np.float32)
    kept = nothing
    for block in blocks:
        kept = np.concatenate([kept, block])
        while len(kept) >= BLOCK_SAMPLES:
            yield kept[:BLOCK_SAMPLES]
            kept = kept[BLOCK_SAMPLES:]
    yield from chain([kept] if len(kept) else [], repeat(nothing))
