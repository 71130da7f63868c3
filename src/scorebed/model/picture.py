"""What a video file is."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from scorebed.model.files import Artifact
from scorebed.model.streams import Chapter, SoundStream, StreamInfo, StreamKind
from scorebed.timecode import to_samples

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRange:
    """A half-open range of picture time: the end does not belong to it."""

    start_s: Fraction
    """Start in seconds from the first shown frame."""
    duration_s: Fraction
    """Length in seconds, not negative."""

    @property
    def end_s(self) -> Fraction:
        """First moment after the range, in seconds."""
        return self.start_s + self.duration_s

    @staticmethod
    def between(start_s: Fraction, end_s: Fraction) -> TimeRange:
        """The range from ``start_s`` up to ``end_s``, both in seconds."""
        return TimeRange(start_s=start_s, duration_s=end_s - start_s)

    def common(self, other: TimeRange) -> TimeRange | None:
        """What both hold; None for nothing."""
        start_s, end_s = max(self.start_s, other.start_s), min(self.end_s, other.end_s)
        return TimeRange.between(start_s, end_s) if start_s < end_s else None

    def holds(self, at_s: Fraction) -> bool:
        """Whether a moment, in seconds, belongs to it."""
        return self.start_s <= at_s < self.end_s

    def without(self, others: Iterable[TimeRange]) -> tuple[TimeRange, ...]:
        """What others leave of it, in order; they may overlap, and reach beyond it."""
        left: list[TimeRange] = []
        at_s = self.start_s
        for other in sorted(others, key=lambda other: other.start_s):
            if other.duration_s > 0:
                end_s = min(other.start_s, self.end_s)
                left += [TimeRange.between(at_s, end_s)] if at_s < end_s else []
                at_s = max(at_s, other.end_s)
        return (*left, *([TimeRange.between(at_s, self.end_s)] if at_s < self.end_s else []))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stem:
    """A 48 kHz float32 WAV with its place on the picture's time line.

    A static gain is carried, not baked: the levelled music is the take and a number of decibels.
    """

    kind: Literal["DX", "MX", "MIX"]
    """DX is the production audio, MX the music, MIX both."""
    audio: Artifact
    """The WAV."""
    start_samples: int
    """Position of its first sample, in samples from the first shown frame; may be negative."""
    length_samples: int
    """Number of samples of each channel."""
    channels: int
    """1 mono, 2 stereo, 6 for 5.1 (L R C LFE Ls Rs), 8 for 7.1 (L R C LFE Lb Rb Ls Rs)."""
    gain_db: float = 0.0
    """Static gain to apply when it is read."""
    round_samples: int | None = None
    """Of a test sound, which is not measured: the length of the WAV, which is played over and over;
    None plays it once."""

    @property
    def end_samples(self) -> int:
        """Position of the first sample after it."""
        return self.start_samples + self.length_samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What the file is: streams, exact times, and its production audio."""

    format_name: str
    """ffmpeg's name of the container that was read, for example ``mov,mp4,m4a,3gp,3g2,mj2``."""
    streams: tuple[StreamInfo, ...]
    """Every stream, in order."""
    video_index: int
    """Index of the stream that is the picture."""
    sounds: tuple[SoundStream, ...]
    """Every audio stream that can be scored, in order."""
    production_index: int | None
    """Index of the default one: the production audio that a player takes; None where none is."""
    start_s: Fraction
    """Time of the first shown frame on the container's own clock, in seconds."""
    container_start_s: Fraction
    """Earliest time stamp of any stream on the container's own clock, in seconds."""
    duration_s: Fraction
    """From the first shown frame to the end of the last one, in seconds."""
    frame_count: int
    """Number of frames shown."""
    frame_rate: Fraction
    """Average frame rate in frames per second: frames over duration when it varies."""
    hidden_frames: int
    """Number of coded frames that an edit list hides."""
    variable_rate: bool
    """Whether the distance between frames varies by more than the clock's own grain."""
    width_px: int
    """Coded width in pixels."""
    height_px: int
    """Coded height in pixels."""
    packets_sha256: str
    """Hash of the payloads of all picture packets in file order (ffmpeg's streamhash)."""
    production: Stem | None
    """The production audio (DX) of the default stream, or None where the file has none."""
    timecode_s: Fraction | None = None
    """Time of day of the first frame by the file's timecode, in seconds from midnight."""
    timecode: str | None = None
    """The file's timecode as it stands there, ``;`` before the frames where it is drop-frame."""
    tags: tuple[tuple[str, str], ...] = ()
    """Tags of the file as a whole: names and values."""
    chapters: tuple[Chapter, ...] = ()
    """Its chapters, in order."""

    def sound(self, index: int) -> SoundStream:
        """The audio stream of an index."""
        return next(sound for sound in self.sounds if sound.index == index)

    @property
    def sound_sha256(self) -> str:
        """Hash of the packets of the production audio; empty where there is none."""
        index = self.production_index
        return "" if index is None else self.sound(index).packets_sha256

    def audio_number(self, index: int) -> int:
        """The number of an audio stream among the audio streams, from 0: ffmpeg's ``a:0``."""
        audio = [stream.index for stream in self.streams if stream.kind is StreamKind.AUDIO]
        return audio.index(index)

    @property
    def length_samples(self) -> int:
        """Length in samples at 48 kHz."""
        return to_samples(self.duration_s)
