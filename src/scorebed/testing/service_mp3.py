"""Long mp3s from short ones: frames that do not lean on each other are repeated.

Layout of frames: ISO/IEC 11172-3 and 13818-3. Layout of the first frame, which says how much of
the beginning and the end is not music: the LAME tag (gabriel.mp3-tech.org/mp3infotag.html).
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from math import lcm
from pathlib import Path

_KBPS = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bitrates of layer III by the header's version: 3 is MPEG 1, 2 is MPEG 2."""
_RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000)}
_FRAME_SAMPLES = {3: 1152, 2: 576}
_MPEG1_FROM_HZ = 32_000
_SYNC = 0x7FF
_SAYS_ALL = 0b111
"""Flags of the first frame: it has frames, bytes and the table of places."""
_LEAD_FRAMES = 4
"""Frames that still hear the silence before the music."""
_ENCODER_DELAY = 576
_DECODER_DELAY = 529
"""Samples that the encoder is late by, and the decoder after it."""


def _frame_samples(rate_hz: int) -> int:
    return _FRAME_SAMPLES[3 if rate_hz >= _MPEG1_FROM_HZ else 2]


def _period_frames(rate_hz: int, pattern_samples: int) -> int:
    """Frames after which pattern and frames begin together again."""
    size = _frame_samples(rate_hz)
    return lcm(pattern_samples, size) // size


def whole_frames(rate_hz: int, pattern_samples: int) -> int:
    """Samples to encode, so that all frames are there that are to be repeated."""
    needed = _period_frames(rate_hz, pattern_samples) + 2 * _LEAD_FRAMES
    return needed * _frame_samples(rate_hz)


def frames(data: bytes) -> Iterator[bytes]:
    """The frames of an mp3 without tags around them; the first may be the one with the LAME tag."""
    at = 0
    while at + 4 <= len(data):
        head = int.from_bytes(data[at : at + 4], "big")
        version = head >> 19 & 3
        if head >> 21 != _SYNC or version not in _KBPS:
            raise ValueError(f"no frame of MPEG 1 or 2 begins at byte {at}")
        kbps = _KBPS[version][head >> 12 & 15]
        rate_hz = _RATES_HZ[version][head >> 10 & 3]
        size = _FRAME_SAMPLES[version] // 8 * kbps * 1000 // rate_hz + (head >> 9 & 1)
        yield data[at : at + size]
        at += size


def repeat_frames(path: Path, *, rate_hz: int, pattern_samples: int, to_samples: int) -> None:
    """Makes an mp3 longer, in place.

    Args:
        path: An mp3 encoded without bit reservoir from ``whole_frames`` samples of the pattern.
        rate_hz: Its rate in hertz.
        pattern_samples: Length of the pattern that is repeated in it.
        to_samples: The length that decoders are to give, in samples.
    """
    tag, *encoded = frames(path.read_bytes())
    period = _period_frames(rate_hz, pattern_samples)
    size = _frame_samples(rate_hz)
    count = -(-(to_samples + _ENCODER_DELAY + _DECODER_DELAY) // size)
    repeated = encoded[_LEAD_FRAMES : _LEAD_FRAMES + period]
    sound = itertools.chain(encoded[:_LEAD_FRAMES], itertools.cycle(repeated))
    padding = count * size - _ENCODER_DELAY - to_samples
    with path.open("wb") as file:
        file.write(tag)
        file.writelines(itertools.islice(sound, count))
        size_bytes = file.tell()
        file.seek(0)
        file.write(_tagged(tag, count=count, size_bytes=size_bytes, padding=padding))


def _tagged(tag: bytes, *, count: int, size_bytes: int, padding: int) -> bytes:
    """The first frame, with the frames, the bytes and the samples to leave out said anew."""
    at = max(tag.find(b"Info"), tag.find(b"Xing"))
    flags = struct.unpack_from(">I", tag, at + 4)[0]
    if at < 0 or flags & _SAYS_ALL != _SAYS_ALL:
        raise ValueError("the mp3 does not begin with the frame that says its length")
    new = bytearray(tag)
    struct.pack_into(">II", new, at + 8, count, size_bytes)
    # The table of places, for players that jump: frames are alike, so it is a straight line.
    new[at + 16 : at + 116] = bytes(min(255, 256 * part // 100) for part in range(100))
    struct.pack_into(">I", new, at + 148, size_bytes)
    packed = _ENCODER_DELAY << 12 | padding
    new[at + 141 : at + 144] = packed.to_bytes(3, "big")
    return bytes(new)
