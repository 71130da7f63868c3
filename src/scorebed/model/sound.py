"""Loudness, ducking and the mix."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from scorebed.model.files import Artifact
from scorebed.model.picture import Stem, TimeRange
from scorebed.model.spotting import Production
from scorebed.timecode import to_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Loudness:
    """Figures of ITU-R BS.1770 and EBU Tech 3342; None where silence has none."""

    integrated_lufs: float | None
    """Gated loudness of the whole, in LUFS."""
    true_peak_dbtp: float | None
    """Highest true peak of any channel, in dBTP."""
    range_lu: float | None
    """Loudness range, in LU."""
    momentary_max_lufs: float | None = None
    """Highest loudness of any 400 ms, in LUFS; None as well where it was not followed."""
    short_term_max_lufs: float | None = None
    """Highest loudness of any 3 s, in LUFS; None as well where it was not followed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoudnessTarget:
    """Where a programme is to be delivered."""

    integrated_lufs: float
    """Wanted integrated loudness, in LUFS."""
    true_peak_dbtp: float
    """True-peak ceiling, in dBTP."""
    max_limiting_db: float = 20.0
    """Most that the limiter may take from a peak, in dB; a programme that needs more is delivered
    lower."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelSettings:
    """What the level stage is asked for."""

    music_lufs: float
    """Loudness of the music before ducking, in LUFS."""
    speech_lufs: float
    """Loudness that the speech of the production audio is brought to, in LUFS."""
    ceiling_dbtp: float = -1.0
    """True peak that the music may not pass, in dBTP."""
    max_production_gain_db: float = 20.0
    """Largest static gain, up or down, of the production audio, in dB."""
    production_gain_db: float | None = None
    """Static gain of the production audio, in dB, whatever its speech; None follows the speech."""
    max_limiting_db: float = 20.0
    """Most that the music's peaks may be limited by, in dB; what needs more stays lower."""
    dynamics: float = 1.0
    """How much of the loudness that lies between scenes of the music is kept: 1 all, 0 none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DuckSettings:
    """What the duck stage is asked for; times as in audio practice, see docs of the stage."""

    enabled: bool
    """False leaves the music where it is."""
    speech_margin_lu: float
    """Loudness of speech minus loudness of the music under it, in LU."""
    floor_lu: float = 10.0
    """Margin that no 3 s window of speech may miss, in LU, even where ``speech_margin_lu`` is out
    of reach; not above it. Torcoli et al. 2019, doi 10.17743/jaes.2019.0052."""
    required_lu: float | None = None
    """Margin without which the run fails, in LU; None delivers what was reached."""
    max_depth_db: float = 24.0
    """Deepest duck for the sake of ``speech_margin_lu``, in dB (a positive number)."""
    max_floor_depth_db: float = 40.0
    """Deepest duck for the sake of ``floor_lu``, in dB: music that is as good as gone."""
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
    speech_lufs: float | None
    """Loudness of the speech in the mix before its delivery gain, in LUFS; None if silent."""
    margin_lu: float | None
    """Speech over ducked music, in LU; None where one of them is silent."""
    least_lu: float | None
    """Lowest margin in any 3 s window of it, in LU."""
    background_lufs: float | None
    """Loudness of what the production audio itself has in the pauses of it and around it, in LUFS;
    None where there is none, or no pause long enough to tell."""

    @property
    def margin_over_all_lu(self) -> float | None:
        """Speech over ducked music and the recording's own background together, in LU.

        What a listener has (Torcoli et al. 2024, arXiv 2405.17364); no duck raises it over what
        lies between speech and background. None where nothing is under the speech.
        """
        if self.speech_lufs is None:
            return None
        under_lu = [-self.margin_lu] if self.margin_lu is not None else []
        if self.background_lufs is not None:
            under_lu.append(self.background_lufs - self.speech_lufs)
        if not under_lu:
            return None
        return -10.0 * math.log10(sum(10.0 ** (one_lu / 10.0) for one_lu in under_lu))


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerSeries:
    """K-weighted power of a stem at its gain, per 10 ms of the picture's time line."""

    file: Artifact
    """float64 of shape (hops,), as NumPy saves it."""
    first_hop: int
    """Position of the first on the picture's time line, in hops of 10 ms; may be negative."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Levelled:
    """Music and production audio at the loudness they are mixed at, by static gain."""

    mx: Stem
    """The music with its gain."""
    dx: Stem | None
    """The production audio with its gain, or None where it is absent or dropped."""
    mx_loudness: Loudness
    """Of the music after its gain."""
    mx_powers: PowerSeries
    """Of the music after its gain: what ducking it is computed from."""
    dx_powers: PowerSeries | None
    """Of the production audio, likewise."""
    speech_lufs: float | None
    """Loudness of the speech alone after the gain, in LUFS; None without speech."""
    mx_limited_db: float = 0.0
    """Deepest gain reduction of the music's own limiter, in dB; 0 where it did nothing."""
    noise_floor_lufs: float | None = None
    """What is left of the production audio in its quietest moments, after the gain, in LUFS: the
    10th percentile of 400 ms without speech; None where there is none over -70."""


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


AudioCodec = Literal["aac", "alac", "flac", "opus", "vorbis", "mp3", "mp2", "ac3", "wma", "pcm"]
"""Codecs that a delivered sound may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioSettings:
    """Which sound the result carries."""

    streams: Literal["all", "default"] | tuple[str, ...]
    """Streams to score; else their numbers among the audio streams, from 0, and languages."""
    keep_production: bool
    """False: the music alone is heard in place of the streams to score."""
    keep_original: bool
    """Whether the streams to score are kept as they were too, as further streams."""
    music: bool
    """Whether the music alone is a further stream."""
    codec: AudioCodec | None = None
    """Codec of what is encoded; None for what the container usually holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme:
    """What became of one audio stream that was scored."""

    production: Production
    """What it was."""
    levelled: Levelled
    """It and the music at their loudness."""
    ducked: Ducked
    """The gain curve of the music under its own speech."""
    mixed: Mixed
    """Both together."""
