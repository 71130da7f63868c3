"""Sound beside a finished proxy: its picture is copied, never encoded again."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import ffmpeg

from scorebed.ffmpeg import arguments, file_url, run, source
from scorebed.timecode import SAMPLE_RATE_HZ

CLEAN: dict[str, object] = {
    "map_metadata": -1,
    "map_chapters": -1,
    "fflags": "+bitexact",
    "flags:v": "+bitexact",
}
"""What keeps titles, comments, paths and times of day of the user's file out of what is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """A stretch of a 48 kHz WAV that becomes a proxy's sound."""

    wav: Path
    """Where it is read."""
    wav_samples: int
    """How long the WAV is, in samples."""
    first_samples: int
    """Its first sample for the proxy; negative where silence comes before it."""
    length_samples: int
    """How many, in samples; silence follows where the WAV ends."""
    channels: int
    """1 or 2; the WAV is mixed down to as many."""
    kbps: int
    """Rate of the AAC in kbit/s."""


def add_track(proxy: Path, track: Track, target: Path, *, stage: str) -> None:
    """Writes a copy of a proxy that carries sound, the proxy's own left out.

    Args:
        proxy: An mp4 with a picture.
        track: The sound.
        target: Where the copy goes; another path than ``proxy``.
        stage: Named in errors.

    Raises:
        FfmpegError: If ffmpeg fails.
    """
    node = ffmpeg.output(
        source(proxy)["v:0"],
        _sound(track),
        file_url(target),
        **{
            **CLEAN,
            "flags:a": "+bitexact",
            "c:v": "copy",
            "c:a": "aac",
            "b:a": f"{track.kbps}k",
            "f": "mp4",
            "movflags": "+faststart",
        },
    )
    run(["-y", *arguments(node)], stage=stage, subject=proxy)


def _sound(track: Track) -> object:
    layout = "mono" if track.channels == 1 else "stereo"
    if track.first_samples >= track.wav_samples:
        silence = f"anullsrc=sample_rate={SAMPLE_RATE_HZ}:channel_layout={layout}"
        sound = ffmpeg.input(silence, f="lavfi").audio
    else:
        skipped_s = Fraction(max(track.first_samples, 0), SAMPLE_RATE_HZ)
        sound = source(track.wav, ss=f"{float(skipped_s):.6f}").audio
        sound = sound.filter("aformat", channel_layouts=layout, sample_rates=SAMPLE_RATE_HZ)
        if track.first_samples < 0:
            sound = sound.filter("adelay", f"{-track.first_samples}S", all=1)
        sound = sound.filter("apad", whole_len=track.length_samples)
    return sound.filter("atrim", end_sample=track.length_samples)
