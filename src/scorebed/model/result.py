"""What was delivered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from scorebed.model.picture import StreamKind
from scorebed.model.sound import Loudness


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRun:
    """How a stage went in this run."""

    name: str
    """Name of the stage."""
    elapsed_s: float
    """Wall time in seconds."""
    cached: bool
    """Whether an earlier run had done it already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFate:
    """What became of a stream of the input."""

    index: int
    """Index in the input."""
    kind: StreamKind
    """What it carries."""
    codec: str
    """Codec it has in the output; of a dropped stream, in the input."""
    why: str | None = None
    """Why it was dropped; None for a stream that was kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MuxPlan:
    """How the result is written; decided before any music is made."""

    muxer: str
    """ffmpeg's name of the container."""
    muxer_options: tuple[tuple[str, str], ...]
    """Options of the muxer: names and values."""
    audio_codec: str
    """ffmpeg's name of the encoder of the programme."""
    audio_channels: int
    """Channels of the programme."""
    audio_kbps: int | None
    """Bit rate of the programme in kbit/s; None for a lossless codec."""
    kept: tuple[StreamFate, ...]
    """Streams of the input that come through."""
    dropped: tuple[StreamFate, ...]
    """Streams that cannot, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StemFile:
    """A stem as it was written for the user."""

    name: str
    """Name in the folder of the stems."""
    sample_format: Literal["pcm24", "float32"]
    """How samples are held: float where 24 bits would clip."""
    time_reference_samples: int
    """Its first sample, counted from midnight by the picture's timecode, or from the picture's
    start where there is none."""
    loudness: Loudness
    """Of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredVideo:
    """The delivered file, as it was read back."""

    container: str
    """ffmpeg's name of the container that was written."""
    audio_codec: str
    """Codec of the programme."""
    audio_channels: int
    """Channels of the programme."""
    picture_sha256: str
    """Hash of the payloads of its picture packets."""
    loudness: Loudness
    """Measured on the decoded programme."""
    trim_db: float
    """Static gain at the encoder that kept the decoded programme under the ceiling, in dB."""
    kept: tuple[StreamFate, ...]
    """Streams that came through."""
    dropped: tuple[StreamFate, ...]
    """Streams that did not, and why."""
