"""What was delivered."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from scorebed.model.sound import Loudness
from scorebed.model.streams import StreamKind


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRun:
    """How a stage went in this run."""

    name: str
    """Name of the stage."""
    elapsed_s: float
    """Wall time in seconds."""
    cached: bool
    """Whether an earlier run had done it already."""
    stream: int | None
    """Index of the further audio stream that it worked for; None for those that all runs have."""


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
class Change:
    """What of a stream that was kept, or of the file as a whole, is not as it was."""

    stream: int | None
    """Index in the input; None for the file as a whole."""
    what: str
    """``tag NAME``, ``marks``, ``codec tag``, ``packets``, ``start``, ``end``, ``pixel aspect``,
    ``colour``, ``side data``, ``hidden frames``, ``chapters`` or ``streams``."""
    was: str | None
    """What it was in the input; None for nothing."""
    now: str | None
    """What it is in the output; None for nothing."""
    loss: bool
    """Whether a person loses something: False for what a muxer says of itself (its name, brands,
    statistics) and for what is written differently and means the same."""


class SoundKind(StrEnum):
    """What an audio stream of the output is."""

    PROGRAMME = "programme"
    """Production audio with the music."""
    ORIGINAL = "original"
    """Production audio as it was, beside its programme."""
    MUSIC = "music"
    """The music alone, not ducked."""
    UNTOUCHED = "untouched"
    """A stream that was not scored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSound:
    """An audio stream that mux makes or adds."""

    kind: SoundKind
    """What it will be."""
    index: int | None
    """Index of the stream in the input that it comes from; None for one that comes from none."""
    codec: str
    """ffmpeg's name of the encoder, or ``copy``."""
    channels: int
    """Channels that it will have."""
    kbps: int | None
    """Bit rate in kbit/s; None for a lossless codec and for a copy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MuxPlan:
    """How the result is written; decided before any music is made."""

    muxer: str
    """ffmpeg's name of the container."""
    muxer_options: tuple[tuple[str, str], ...]
    """Options of the muxer: names and values."""
    sounds: tuple[PlannedSound, ...]
    """What mux makes or adds: the programmes, the leading one first, originals, the music."""
    kept: tuple[StreamFate, ...]
    """Streams of the input that come through."""
    dropped: tuple[StreamFate, ...]
    """Streams that cannot, and why."""

    @property
    def lead(self) -> PlannedSound:
        """The programme that a player takes, whose figures stand for the result."""
        return self.sounds[0]

    @property
    def programmes(self) -> tuple[PlannedSound, ...]:
        """The streams that are scored, the leading one first."""
        return tuple(sound for sound in self.sounds if sound.kind is SoundKind.PROGRAMME)

    @property
    def mixed_channels(self) -> int:
        """Channels of all programmes together."""
        return sum(sound.channels for sound in self.programmes)

    @property
    def encoded(self) -> tuple[PlannedSound, ...]:
        """What is encoded, each from a stem."""
        return tuple(sound for sound in self.sounds if sound.codec != "copy")

    @property
    def decoded(self) -> tuple[int | None, ...]:
        """Streams of the input that are needed as stems, in the order of ``sounds``."""
        needed = [sound.index for sound in self.encoded if sound.kind is not SoundKind.MUSIC]
        return tuple(dict.fromkeys(needed))


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredSound:
    """An audio stream of the delivered file, as it was read back."""

    index: int
    """Index in the output."""
    source: int | None
    """Index of the stream in the input that it comes from; None for one that comes from none."""
    kind: SoundKind
    """What it is."""
    codec: str
    """Codec it has."""
    channels: int
    """Channels it has; 0 where the container does not say."""
    language: str | None
    """Language tag as the container gives it."""
    title: str | None
    """What the container calls it."""
    default: bool
    """Whether it is marked as the one to play."""
    loudness: Loudness | None
    """Measured on the decoded stream; None for a stream that was copied."""
    trim_db: float
    """Static gain at the encoder that kept the decoded sound under the ceiling, in dB."""


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
    picture_sha256: str
    """Hash of the payloads of its picture packets."""
    lead: DeliveredSound
    """The leading programme."""
    sounds: tuple[DeliveredSound, ...]
    """All audio streams, in order."""
    kept: tuple[StreamFate, ...]
    """Streams of the input that came through."""
    dropped: tuple[StreamFate, ...]
    """Streams that did not, and why."""
    changed: tuple[Change, ...]
    """What of those that came through is not as it was, beyond the sound that was replaced."""

    @property
    def loudness(self) -> Loudness:
        """Of the leading programme."""
        assert self.lead.loudness is not None, "a programme is always encoded"
        return self.lead.loudness

    @property
    def audio_codec(self) -> str:
        """Codec of the leading programme."""
        return self.lead.codec

    @property
    def audio_channels(self) -> int:
        """Channels of the leading programme."""
        return self.lead.channels

    @property
    def trim_db(self) -> float:
        """Static gain at the encoder of the leading programme, in dB."""
        return self.lead.trim_db
