"""Measure a file: loudness, speech, and the speech margin where it can be known."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scorebed.delivery import sidecar
from scorebed.dsp.loudness import Meter
from scorebed.dsp.speech import detect_speech
from scorebed.errors import MediaError
from scorebed.ffmpeg import Decoding, decode_audio, kept_channels, on_time_line
from scorebed.media import identify
from scorebed.model import Loudness, Progress, SpeechRegion, no_progress
from scorebed.packets import Contents, read_contents
from scorebed.timecode import SAMPLE_RATE_HZ, to_samples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorebed.model import Audio

STAGE = "measure"
_SAME_LU = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechMargin:
    """Speech over music, as the run that made the file told it."""

    least_lu: float | None
    """Lowest in any 3 s of speech, in LU; None where nobody speaks."""
    median_lu: float | None
    """Median of the phrases, in LU; None where nobody speaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What was measured of a file."""

    path: Path
    """The file."""
    duration_s: float
    """Length of its sound, in seconds."""
    channels: int
    """Channels measured; a layout other than mono, stereo, 5.1 and 7.1 as its stereo mix-down."""
    loudness: Loudness
    """Of the decoded sound."""
    speech: tuple[SpeechRegion, ...]
    """Phrases of speech."""
    speech_share: float
    """Share of the time that is speech, 0 to 1."""
    speech_margin: SpeechMargin | None
    """Where the file is a result of scorebed with its JSON beside it: from a finished mix alone
    the margin cannot be known."""

    def to_json(self) -> str:
        """One line of JSON (ASCII)."""
        return json.dumps(
            {
                "schema": 1,
                "file": str(self.path),
                "duration_s": round(self.duration_s, 6),
                "channels": self.channels,
                "integrated_lufs": _round(self.loudness.integrated_lufs),
                "true_peak_dbtp": _round(self.loudness.true_peak_dbtp),
                "range_lu": _round(self.loudness.range_lu),
                "speech_share": round(self.speech_share, 4),
                "speech": [
                    {
                        "start_s": round(float(region.range.start_s), 6),
                        "end_s": round(float(region.range.end_s), 6),
                    }
                    for region in self.speech
                ],
                "speech_margin": self.speech_margin
                and {
                    "least_lu": self.speech_margin.least_lu,
                    "median_lu": self.speech_margin.median_lu,
                },
            }
        )


def measure(path: Path, *, progress: Progress = no_progress) -> Measurement:
    """Decodes the sound of a file once and measures it.

    Args:
        path: A video or a sound file.
        progress: Called with the share that is done.

    Raises:
        MediaError: If it cannot be read or has no sound.
    """
    identify(path)
    contents = read_contents(path, stage=STAGE)
    if contents.sound_index is None or contents.sound_start_s is None:
        raise MediaError(
            f"{STAGE}: {path} has no sound",
            remedy="Give a file with an audio stream.",
        )
    kept = kept_channels(contents.sound_channels)
    hearing = _Hearing(kept, contents, progress)
    start_s = min(contents.sound_start_s, contents.clock.start_s if contents.clock else Fraction(0))
    zero_s = contents.clock.start_s if contents.clock else start_s
    speech = detect_speech(
        hearing.blocks(path, to_samples(start_s)),
        kept,
        start_samples=to_samples(start_s) - to_samples(zero_s),
    )
    duration_s = hearing.length_samples / SAMPLE_RATE_HZ
    spoken_s = float(sum((region.range.duration_s for region in speech), Fraction(0)))
    return Measurement(
        path=path,
        duration_s=duration_s,
        channels=kept,
        loudness=hearing.meter.loudness(),
        speech=speech,
        speech_share=spoken_s / duration_s if duration_s else 0.0,
        speech_margin=_margin_beside(path, contents, hearing.meter.loudness()),
    )


class _Hearing:
    """Blocks for the speech detector, measured as they pass."""

    def __init__(self, channels: int, contents: Contents, progress: Progress) -> None:
        self.meter = Meter(channels)
        self.length_samples = 0
        self._channels = channels
        self._contents = contents
        self._progress = progress

    def blocks(self, path: Path, first_samples: int) -> Iterator[Audio]:
        assert self._contents.sound_index is not None
        clock = self._contents.clock
        expected = to_samples(clock.duration_s) if clock else 0
        decoding = Decoding(
            path=path,
            stream_index=self._contents.sound_index,
            channels=self._channels,
            filters=on_time_line(first_samples, self._channels),
        )
        for block in decode_audio(decoding, stage=STAGE):
            sound = np.nan_to_num(block, posinf=0, neginf=0)
            self.meter.add(sound)
            self.length_samples += len(sound)
            self._progress(min(self.length_samples / expected, 1.0) if expected else 0.0)
            yield sound


def _margin_beside(path: Path, contents: Contents, heard: Loudness) -> SpeechMargin | None:
    """The margin from the JSON beside a result, if it speaks of this very picture and sound."""
    beside = sidecar(path)
    if not beside.is_file():
        return None
    try:
        told: dict[str, Any] = json.loads(beside.read_text(encoding="utf-8"))
        loudness = told["programme"]["integrated_lufs"]
        same = (
            told["picture"]["sha256"] == contents.picture_sha256
            and (loudness is None) == (heard.integrated_lufs is None)
            and abs((loudness or 0) - (heard.integrated_lufs or 0)) <= _SAME_LU
        )
        duck = told["duck"]
        margin = SpeechMargin(least_lu=duck["least_lu"], median_lu=duck["median_lu"])
    except (OSError, json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise MediaError(
            f"{STAGE}: {beside} is not the JSON of a result",
            remedy="Remove that file, or score the video again.",
        ) from error
    return margin if same else None


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
