"""Which audio codec a container holds, and with what encoder, bit rate and channels."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scorebed.errors import SettingsError

if TYPE_CHECKING:
    from scorebed.model import AudioCodec

BY_EXTENSION: Final = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".qt": "mov",
    ".3gp": "3gp",
    ".3g2": "3g2",
    ".mkv": "matroska",
    ".webm": "webm",
    ".avi": "avi",
    ".ts": "mpegts",
    ".mts": "mpegts",
    ".m2ts": "mpegts",
    ".mpg": "vob",
    ".mpeg": "vob",
    ".vob": "vob",
    ".flv": "flv",
    ".wmv": "asf",
    ".asf": "asf",
    ".ogv": "ogg",
    ".ogg": "ogg",
    ".mxf": "mxf",
    ".nut": "nut",
}
"""The muxer that a file's extension asks for."""

HELD: Final[dict[str, tuple[AudioCodec, ...]]] = {
    "mp4": ("aac", "alac", "flac", "opus", "mp3", "ac3", "pcm"),
    "mov": ("aac", "alac", "mp3", "ac3", "pcm"),
    "3gp": ("aac",),
    "3g2": ("aac",),
    "matroska": ("aac", "alac", "flac", "opus", "vorbis", "mp3", "mp2", "ac3", "pcm"),
    "webm": ("opus", "vorbis"),
    "avi": ("pcm",),
    "mpegts": ("aac", "opus", "mp3", "mp2", "ac3"),
    "vob": ("mp2", "mp3", "ac3"),
    "flv": ("aac",),
    "asf": ("wma",),
    "ogg": ("vorbis", "opus"),
    "mxf": ("pcm",),
    "nut": ("aac", "opus", "vorbis", "mp3", "mp2", "ac3", "pcm"),
}
"""Codecs by muxer, the one that is used unasked first. Others that a container may carry are left
out because the sound would come out late: AVI cannot say an encoder's delay (23 ms with MP3 and
AAC), and FLAC in Ogg begins 3 ms late."""

ENCODERS: Final[dict[AudioCodec, str]] = {
    "aac": "aac",
    "alac": "alac",
    "flac": "flac",
    "opus": "libopus",
    "vorbis": "libvorbis",
    "mp3": "libmp3lame",
    "mp2": "mp2",
    "ac3": "ac3",
    "wma": "wmav2",
    "pcm": "pcm_s24le",
}
LOSSLESS: Final = {"pcm_s16le", "pcm_s24le", "flac", "alac"}
"""Encoders without a bit rate."""
_PCM: Final = {"avi": "pcm_s16le"}
FROM_THE_START: Final = {"avi", "mxf"}
"""Containers whose streams all begin at once: sound that comes later begins with silence, and what
of it comes before the picture is cut off."""
_MAX_CHANNELS: Final = {"mp2": 2, "wmav2": 2, "libmp3lame": 2, "ac3": 6}
_MOST_CHANNELS = 8
_MAX_STEREO_KBPS: Final = {"libopus": 256, "wmav2": 192, "mp2": 384, "libmp3lame": 320}
_MAX_KBPS: Final = {"ac3": 640}
_STEREO = 2


_NAMES = {
    "mp4": "an MP4", "mov": "a MOV", "3gp": "a 3GP", "3g2": "a 3G2", "matroska": "a Matroska",
    "webm": "a WebM", "avi": "an AVI", "mpegts": "an MPEG-TS", "vob": "an MPEG-PS", "flv": "an FLV",
    "asf": "an ASF", "ogg": "an Ogg", "mxf": "an MXF", "nut": "a NUT",
}  # fmt: skip


def named(muxer: str) -> str:
    """A container's name for a person, with its article: ``an MP4``."""
    return _NAMES[muxer]


def elsewhere(path: Path, muxer: str) -> str:
    """An option that asks for another container: the input's own, where that is another.

    Args:
        path: The input.
        muxer: The container that will not do.
    """
    own = BY_EXTENSION.get(path.suffix.lower(), muxer)
    suffix = path.suffix if own != muxer else ".mp4" if muxer == "matroska" else ".mkv"
    return f"-o {shlex.quote(str(path.with_suffix(f'.scored{suffix}')))}"


def encoder_of(muxer: str, codec: AudioCodec | None) -> str:
    """The encoder (its name in ffmpeg) for a container.

    Args:
        muxer: ffmpeg's name of the container.
        codec: What is asked for; None for what the container usually holds.
    """
    chosen = codec or HELD[muxer][0]
    return _PCM.get(muxer, ENCODERS[chosen]) if chosen == "pcm" else ENCODERS[chosen]


def check_codec(output: Path, muxer: str, codec: AudioCodec | None) -> None:
    """Refuses a codec that a container does not hold.

    Args:
        output: Where the result goes, named in the error.
        muxer: ffmpeg's name of the container.
        codec: What is asked for; None for what the container usually holds.

    Raises:
        SettingsError: If it does not.
    """
    if codec is not None and codec not in HELD[muxer]:
        where = [name for name in ("mp4", "mov", "matroska") if codec in HELD[name]]
        other = "" if not where else f" or -o {output.with_suffix(_EXTENSIONS[where[0]]).name}"
        raise SettingsError(
            f"mux: {named(muxer)} file ({output.name}) does not hold --audio-codec {codec} in sync",
            remedy=f"Use one of: {', '.join(HELD[muxer])}{other}",
        )


_EXTENSIONS: Final = {"mp4": ".mp4", "mov": ".mov", "matroska": ".mkv"}


def holds(encoder: str, channels: int) -> bool:
    """Whether an encoder takes so many channels."""
    return channels <= _MAX_CHANNELS.get(encoder, _MOST_CHANNELS)


def kbps_of(encoder: str, channels: int, stereo_kbps: int) -> int | None:
    """Bit rate of a stream in kbit/s; None for a lossless encoder.

    Args:
        encoder: ffmpeg's name.
        channels: How many it has.
        stereo_kbps: What a stereo programme is to have.
    """
    if encoder in LOSSLESS:
        return None
    kbps = min(stereo_kbps, _MAX_STEREO_KBPS.get(encoder, stereo_kbps)) * channels // _STEREO
    return min(kbps, _MAX_KBPS.get(encoder, kbps))
