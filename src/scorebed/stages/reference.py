"""Reference: proxies that carry the music already received, for a service to go on in its style."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path

import ffmpeg

from scorebed.ffmpeg import arguments, file_url, run, source
from scorebed.model import Artifact, Reel
from scorebed.stages.reel_sound import Track, add_track
from scorebed.timecode import SAMPLE_RATE_HZ, to_samples
from scorebed.wav import format_of, sha256_of

STAGE = "reference"
REFERENCE_KBPS = 96
"""Rate of the music beside the picture, in kbit/s: 0.72 MB per minute of picture more."""
_CHANNELS = 2


def with_reference(reels: tuple[Reel, ...], music: Path, *, folder: Path) -> tuple[Reel, ...]:
    """Copies proxies with music as their sound; the picture's packets stay as they are.

    The music runs on from each reel to the next, from its start at the first of them, and is
    looped where it is shorter. The copies take about 0.72 MB per minute more than silent proxies;
    sound that the proxies had is left out.

    Args:
        reels: Reels with proxies, in order.
        music: Any file whose sound ffmpeg decodes.
        folder: Where the copies are written.

    Returns:
        The reels with the copies as their proxies.

    Raises:
        FfmpegError: If the music has no sound that can be decoded.
    """
    lengths = (reel.range.duration_s for reel in reels)
    marks = [to_samples(at_s) for at_s in accumulate(lengths, initial=Fraction(0))]
    wav = folder / "reference.wav"
    _unroll(music, wav, marks[-1])
    wav_samples = format_of(wav).length_samples
    copies = []
    for reel, (first, after) in zip(reels, pairwise(marks), strict=True):
        assert reel.proxy is not None, "a provider that looks at no picture hears none either"
        track = Track(
            wav=wav,
            wav_samples=wav_samples,
            first_samples=first,
            length_samples=after - first,
            channels=_CHANNELS,
            kbps=REFERENCE_KBPS,
        )
        target = folder / f"{reel.proxy.path.stem}-reference.mp4"
        add_track(reel.proxy.path, track, target, stage=STAGE)
        copies.append(
            replace(reel, proxy=Artifact(path=target, sha256=sha256_of(target)), audio=True)
        )
    wav.unlink()
    return tuple(copies)


def _unroll(music: Path, wav: Path, length_samples: int) -> None:
    """The music over and over, exactly as long as the reels, as 16-bit stereo."""
    sound = (
        source(music, stream_loop=-1)
        .audio.filter("aformat", channel_layouts="stereo", sample_rates=SAMPLE_RATE_HZ)
        .filter("atrim", end_sample=length_samples)
    )
    node = ffmpeg.output(sound, file_url(wav), acodec="pcm_s16le", f="wav", rf64="auto")
    run(["-y", *arguments(node)], stage=STAGE, subject=music)
