"""What the streams of a container are."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Literal


class StreamKind(StrEnum):
    """What a stream of a container carries."""

    VIDEO = "video"
    COVER = "cover"
    AUDIO = "audio"
    SUBTITLE = "subtitle"
    DATA = "data"
    ATTACHMENT = "attachment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """A chapter of a file."""

    start_s: Fraction
    """Start in seconds on the container's own clock."""
    end_s: Fraction
    """End in seconds on the container's own clock."""
    title: str
    """What it is called; may be empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Colour:
    """What the numbers of a pixel mean: ffmpeg's names, None where the stream does not say."""

    primaries: str | None
    """Its primaries, for example ``bt709``."""
    transfer: str | None
    """Its transfer function: ``smpte2084`` (PQ) and ``arib-std-b67`` (HLG) are HDR."""
    matrix: str | None
    """Its matrix, for example ``bt2020nc``."""
    range: Literal["tv", "pc"] | None
    """Whether codes below 16 and above 235 are kept free (tv) or used (pc)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFormat:
    """How the frames of a video stream are coded, and how they are to be shown."""

    width_px: int
    """Coded width in pixels."""
    height_px: int
    """Coded height in pixels."""
    pixel_format: str | None
    """ffmpeg's name, for example ``yuv420p10le``."""
    pixel_aspect: Fraction | None
    """Width of a pixel over its height; None where the stream does not say."""
    rotation_deg: float
    """How far players turn it counter-clockwise, in degrees, -180 to 180."""
    frame_rate: Fraction | None
    """Average frame rate by its packets, in frames per second; None for a single frame."""
    variable_rate: bool
    """Whether the distance between its frames varies by more than the clock's own grain."""
    colour: Colour
    """What the numbers of a pixel mean."""
    dynamic_range: Literal["sdr", "pq", "hlg", "dolby-vision"]
    """By its transfer function and the container's Dolby Vision record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioFormat:
    """How an audio stream is coded."""

    sample_rate_hz: int
    """Its rate in hertz; 0 where the container does not say."""
    channels: int
    """How many channels it has; 0 where the container does not say."""
    layout: str
    """ffmpeg's name of their layout, for example ``5.1(side)``; empty where it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamInfo:
    """One stream of a container."""

    index: int
    """Position in the container, from 0."""
    kind: StreamKind
    """What it carries."""
    codec: str
    """ffmpeg's name of the codec, or ``unknown``."""
    codec_tag: str
    """The container's own mark of it, four characters where it has one."""
    role: Literal["timecode", "chapters"] | None
    """What a QuickTime data stream stands for, where the muxer makes it anew from a tag."""
    disposition: tuple[str, ...]
    """ffmpeg's names of its marks: ``default``, ``forced``, ``attached_pic`` ..."""
    language: str | None
    """Language tag as the container gives it."""
    title: str | None
    """What the container calls it."""
    tags: tuple[tuple[str, str], ...]
    """All its tags: names and values, in the container's order."""
    time_base: Fraction | None
    """Grain of its clock in seconds."""
    start_s: Fraction | None
    """Earliest time of what is shown or heard of it, on the container's own clock, in seconds, by
    its packets; None for a stream without any."""
    duration_s: Fraction | None
    """From there to the end of its last packet, in seconds; None for a stream without any."""
    packets: int
    """How many packets it has."""
    hidden_packets: int
    """How many of them an edit list hides: they are decoded, and not shown or heard."""
    packets_sha256: str
    """Hash of its packets' payloads in file order; of an attachment, of its bytes."""
    side_data: tuple[str, ...]
    """What the container says beside the codec, as ffmpeg lists it: rotation, HDR, Dolby Vision,
    stereo and spherical pictures."""
    video: VideoFormat | None
    """Of a video stream or a cover; None for others and where no decoder is known."""
    audio: AudioFormat | None
    """Of an audio stream; None for others and where no decoder is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundStream:
    """An audio stream that can be decoded and has something in it."""

    index: int
    """Position in the container, from 0."""
    start_s: Fraction
    """Time of its first sound on the container's own clock, in seconds."""
    channels: int
    """How many channels it has; 0 where the container does not say."""
    layout: str
    """ffmpeg's name of their layout, for example ``5.1(side)``; empty where it is not known."""
    packets_sha256: str
    """Hash of its packets' payloads: what it sounds like, whoever decodes it."""
