"""Every type that crosses a border between rooms: frozen, keyword-only, with its unit.

Picture time is a ``Fraction`` of seconds from the first shown frame. Audio position is an ``int``
count of samples at 48 kHz on the same time line. ``float`` is for decibels, loudness and measures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scorebed.errors import ScorebedError
from scorebed.style import Style
from scorebed.timecode import to_samples, to_seconds

Audio = NDArray[np.float32]
"""float32 samples, shape (samples, channels), full scale +-1.0; always two-dimensional."""

Progress = Callable[[float], None]
"""Called by a stage with the share of its work that is done, 0 to 1."""


def no_progress(_share: float) -> None:
    """A ``Progress`` for callers that do not watch."""


# --- files -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file that a stage made."""

    path: Path
    """Where it lies."""
    sha256: str
    """Hash of its content, in hexadecimal; stages are keyed by it, never by the path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file that the user gave: read, never written."""

    path: Path
    """Where the user says it is."""
    fingerprint: str
    """Hash of size, modification time and sampled content; stages are keyed by it."""


# --- picture -----------------------------------------------------------------------------------


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


class StreamKind(StrEnum):
    """What a stream of a container carries."""

    VIDEO = "video"
    COVER = "cover"
    AUDIO = "audio"
    SUBTITLE = "subtitle"
    DATA = "data"
    ATTACHMENT = "attachment"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamInfo:
    """One stream of the input's container."""

    index: int
    """Position in the container, from 0."""
    kind: StreamKind
    """What it carries."""
    codec: str
    """ffmpeg's name of the codec, or ``unknown``."""
    role: Literal["timecode", "chapters"] | None
    """What a QuickTime data stream stands for, where the muxer makes it anew from a tag."""
    disposition: tuple[str, ...]
    """ffmpeg's names of its marks: ``default``, ``forced``, ``attached_pic`` ..."""
    language: str | None
    """Language tag as the container gives it."""


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
    production_index: int | None
    """Index of the audio stream that is scored, or None."""
    production_start_s: Fraction
    """Time of its first sound on the container's own clock, in seconds."""
    production_channels: int
    """How many channels it has; 0 where there is none."""
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
    variable_rate: bool
    """Whether the distance between frames varies by more than the clock's own grain."""
    width_px: int
    """Coded width in pixels."""
    height_px: int
    """Coded height in pixels."""
    packets_sha256: str
    """Hash of the payloads of all picture packets in file order (ffmpeg's streamhash)."""
    production: Stem | None
    """The production audio (DX), or None where the file has none."""

    @property
    def length_samples(self) -> int:
        """Length in samples at 48 kHz."""
        return to_samples(self.duration_s)


# --- spotting ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotSettings:
    """What the spot stage is asked for."""

    max_scenes: int
    """Most scenes, at least 1."""
    listen: bool
    """Whether to look for speech in the production audio."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """Frames between two cuts."""

    range: TimeRange
    """Where it is shown."""
    confidence: float
    """How sure the detector is of the cut that opens it, 0 to 1; 1 for the first shot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Shots that belong together, with what was measured of their picture."""

    range: TimeRange
    """Where it is shown; scenes tile the picture."""
    shots: int
    """How many shots it holds, at least 1."""
    motion: float
    """Mean motion, 0 (still) to 1 (very busy)."""
    brightness: float
    """Mean luma, 0 (black) to 1 (white)."""
    saturation: float
    """Mean colourfulness, 0 (grey) to 1."""
    warmth: float
    """Mean colour balance, -1 (blue) to 1 (orange)."""

    @property
    def cuts_per_minute(self) -> float:
        """Cuts inside the scene, per minute."""
        return 60.0 * (self.shots - 1) / max(float(self.range.duration_s), 1e-3)


@dataclass(frozen=True, slots=True, kw_only=True)
class HitPoint:
    """A moment that the music may meet."""

    at_s: Fraction
    """Picture time in seconds."""
    label: str
    """Why: ``cut``, ``scene``, or what the user wrote."""
    weight: float
    """How much it matters, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechRegion:
    """A phrase of speech in the production audio."""

    range: TimeRange
    """From its first to its last sound."""
    confidence: float
    """Mean probability of speech, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureCurve:
    """What the picture does over time, on an even grid."""

    hop_s: Fraction
    """Distance of two values, in seconds."""
    motion: tuple[float, ...]
    """Motion per hop, 0 to 1, cuts left out."""
    brightness: tuple[float, ...]
    """Luma per hop, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """A continuous piece of music in the programme."""

    number: str
    """Reel, M, cue: ``1M1``."""
    range: TimeRange
    """Where it plays."""
    hit_points: tuple[HitPoint, ...]
    """What it meets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpottingNotes:
    """Where the music goes and what it has to meet."""

    duration_s: Fraction
    """Length of the picture in seconds."""
    frame_rate: Fraction
    """Average frame rate of the picture in frames per second."""
    damaged_frames: int = 0
    """Frames that could not be decoded, or not whole."""
    shots: tuple[Shot, ...]
    """All shots; they tile the picture."""
    scenes: tuple[Scene, ...]
    """All scenes; they tile the picture, and each starts at a shot's start."""
    speech: tuple[SpeechRegion, ...]
    """Phrases of speech, in order, not overlapping."""
    curve: PictureCurve
    """Motion and brightness over time."""
    cues: tuple[Cue, ...]
    """The pieces of music that are wanted; here always one over the whole picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reel:
    """A consecutive part of the picture that is sent as one file."""

    range: TimeRange
    """Which part; starts and ends on frames."""
    proxy: Artifact | None
    """Small, audio-free H.264 file, or None for a provider that needs no picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReelSet:
    """Reels that tile the picture: no gap, no overlap.

    Raises:
        ScorebedError: If they do not.
    """

    duration_s: Fraction
    """Length of the picture in seconds."""
    reels: tuple[Reel, ...]
    """In order."""

    def __post_init__(self) -> None:
        at_s = Fraction(0)
        for reel in self.reels:
            if reel.range.start_s != at_s:
                break
            at_s = reel.range.end_s
        if not self.reels or at_s != self.duration_s:
            raise ScorebedError(
                f"reel: the reels do not tile the picture (gap or overlap at {float(at_s):.3f} s)",
                remedy="Report this: it is a fault of scorebed, not of the file.",
            )


# --- music -------------------------------------------------------------------------------------

Quality = Literal["draft", "standard", "high"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """What the music should be."""

    style: Style
    """The style preset."""
    prompt: str
    """The user's own words; may be empty."""
    tags: tuple[str, ...]
    """Further words: genre, mood, instruments."""
    seed: int
    """Names the take: same picture, brief and seed give the same music."""
    quality: Quality
    """How much work goes into the sound."""
    guidance: float
    """How closely the music follows the picture: 0 its own form, 1 every hit point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """All that a provider is given."""

    notes: SpottingNotes
    """Where the music goes and what it has to meet."""
    brief: Brief
    """What it should be."""
    reels: ReelSet
    """The picture in parts; with proxies where the provider asked for them."""
    music: SourceFile | None
    """A finished track of the user's, for the provider ``file``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a provider takes in one request."""

    needs_proxies: bool
    """Whether it looks at the picture and so needs reels with proxies."""
    max_reels: int
    """Most files in one request."""
    max_duration_s: Fraction | None
    """Longest picture in one request, in seconds; None for no limit."""
    max_size_bytes: int | None
    """Most bytes in one request; None for no limit."""
    network: bool
    """Whether it needs the network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a run would cost, said before anything is spent."""

    requests: int
    """How many requests would be sent."""
    amount: float
    """Estimated price in ``currency``."""
    currency: str
    """ISO 4217 code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """What a provider returned."""

    provider: str
    """Name of the provider."""
    name: str
    """Name of the take: style, key facts and seed."""
    seed: int | None
    """The seed that gives it again, or None where that has no meaning."""
    audio: Artifact
    """The music as it came: any format that ffmpeg decodes."""
    fitted: bool
    """Whether it is already a 48 kHz stereo WAV of the picture's exact length."""
    unused_words: tuple[str, ...]
    """Words of the brief that it could not use."""
    spent: Quote
    """What it did cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conformed:
    """A take that is fitted to the picture, to the sample."""

    mx: Stem
    """The music, exactly as long as the picture."""
    passes: int
    """How often the take is played: 1 unless it was too short."""
    fade_out_s: Fraction
    """Length of the fade at the end, in seconds; 0 where the take has its own ending."""


# --- sound -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Loudness:
    """Figures of ITU-R BS.1770 and EBU Tech 3342; None where silence has none."""

    integrated_lufs: float | None
    """Gated loudness of the whole, in LUFS."""
    true_peak_dbtp: float | None
    """Highest true peak of any channel, in dBTP."""
    range_lu: float | None
    """Loudness range, in LU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoudnessTarget:
    """Where a programme is to be delivered."""

    integrated_lufs: float
    """Wanted integrated loudness, in LUFS."""
    true_peak_dbtp: float
    """True-peak ceiling, in dBTP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelSettings:
    """What the level stage is asked for."""

    music_lufs: float
    """Loudness of the music before ducking, in LUFS."""
    speech_lufs: float
    """Loudness that the speech of the production audio is brought to, in LUFS."""
    max_production_gain_db: float = 20.0
    """Largest static gain, up or down, of the production audio, in dB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DuckSettings:
    """What the duck stage is asked for; times as in audio practice, see docs of the stage."""

    enabled: bool
    """False leaves the music where it is."""
    speech_margin_lu: float
    """Loudness of speech minus loudness of the music under it, in LU."""
    max_depth_db: float = 24.0
    """Deepest duck, in dB (a positive number)."""
    look_ahead_ms: float = 200.0
    """Full depth is reached this long before the first word."""
    attack_ms: float = 300.0
    """Time to go down, at least; deeper ducks take longer so as to keep under 40 dB/s."""
    hold_ms: float = 1000.0
    """Pauses shorter than this stay ducked."""
    release_ms: float = 750.0
    """Time to come up again, at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GainCurve:
    """Where and how far the music steps: data, not audio. Linear in dB between the points."""

    at_samples: tuple[int, ...]
    """Positions of the points on the picture's time line, rising."""
    gains_db: tuple[float, ...]
    """Gain at each point, in dB; before the first and after the last point it stays."""

    @property
    def times_s(self) -> tuple[Fraction, ...]:
        """Positions of the points, in seconds."""
        return tuple(to_seconds(position) for position in self.at_samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhraseMargin:
    """What ducking reached under one stretch of speech."""

    range: TimeRange
    """The stretch: phrases with pauses shorter than the hold."""
    depth_db: float
    """How far the music was lowered, as a positive number of dB."""
    margin_lu: float | None
    """Speech over ducked music, in LU; None where one of them is silent."""
    least_lu: float | None
    """Lowest margin in any 3 s window of it, in LU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Levelled:
    """Music and production audio at the loudness they are mixed at, by static gain."""

    mx: Stem
    """The music with its gain."""
    dx: Stem | None
    """The production audio with its gain, or None where it is absent or dropped."""
    mx_loudness: Loudness
    """Of the music after its gain."""
    dx_loudness: Loudness | None
    """Of the production audio after its gain."""
    speech_lufs: float | None
    """Loudness of the speech alone after the gain, in LUFS; None without speech."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ducked:
    """The gain curve of the music and what it reached."""

    curve: GainCurve
    """For the music, on the picture's time line."""
    phrases: tuple[PhraseMargin, ...]
    """Per stretch of speech."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    """The programme before it is encoded."""

    mix: Stem
    """Production audio and ducked music, at delivery loudness, under the ceiling."""
    loudness: Loudness
    """Measured on the WAV."""
    gain_db: float
    """Static delivery gain that both stems got."""
    limited_db: float
    """Deepest gain reduction of the limiter, as a positive number of dB; 0 when it did nothing."""


# --- result ------------------------------------------------------------------------------------


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
