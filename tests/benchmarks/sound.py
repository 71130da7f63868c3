"""Meter, limiter, detector and mix against ffmpeg's ebur128 and alimiter, in one run.

    python tests/benchmarks/sound.py [MINUTES]

The programme (10 minutes by default) is 48 kHz stereo: noise that is loud and soft by turns, as a
float WAV. Every entry reads it from there and is timed three times, in rotation; the best time
counts. ffmpeg runs with one thread. Ratios can be compared between machines, seconds cannot.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from scorebed.dsp.limiter import limit, reductions
from scorebed.dsp.loudness import measure
from scorebed.dsp.peak import peak_envelope
from scorebed.dsp.speech import detect_speech
from scorebed.ffmpeg import locate
from scorebed.model import (
    Artifact,
    Audio,
    Ducked,
    GainCurve,
    Levelled,
    Loudness,
    LoudnessTarget,
    PowerSeries,
    Stem,
    no_progress,
)
from scorebed.stages.limited import write_limited
from scorebed.stages.mix import mix
from scorebed.timecode import SAMPLE_RATE_HZ
from scorebed.wav import BLOCK_SAMPLES, read_wav, write_wav

ROUNDS = 3
TALK = Path(__file__).parents[2] / "sample_media" / "talk.mp4"
UNKNOWN = Loudness(integrated_lufs=None, true_peak_dbtp=None, range_lu=None)
UNREAD = PowerSeries(file=Artifact(path=Path("unread"), sha256=""), first_hop=0)
"""Mix has no use for it."""


def noise(length_samples: int, seed: int) -> Iterator[Audio]:
    """Stereo noise, each block at a level of its own, about -20 LUFS."""
    random = np.random.default_rng(seed)
    for at in range(0, length_samples, BLOCK_SAMPLES):
        size = min(BLOCK_SAMPLES, length_samples - at)
        peak = 10 ** (random.uniform(-30.0, -6.0) / 20.0)
        yield random.uniform(-peak, peak, (size, 2)).astype(np.float32)


def stem(path: Path, kind: str, length_samples: int, seed: int) -> Stem:
    """A stem of noise."""
    audio = write_wav(path, noise(length_samples, seed), channels=2, length_samples=length_samples)
    return Stem(
        kind="DX" if kind == "DX" else "MX",
        audio=audio,
        start_samples=0,
        length_samples=length_samples,
        channels=2,
    )


def ffmpeg(*arguments: str | Path) -> None:
    """Runs ffmpeg on one thread."""
    command = [locate().path, "-v", "error", "-nostats", "-threads", "1", "-filter_threads", "1"]
    subprocess.run([*command, *arguments], check=True, stdin=subprocess.DEVNULL)


def limited(path: Path, source: Path, length_samples: int) -> None:
    """The limiter alone: 8 dB louder, under a ceiling, in two passes and written."""
    envelope = peak_envelope(read_wav(source), 2)
    reductions_db = reductions(envelope, gain_db=8.0, ceiling_dbtp=-1.0)
    blocks = limit(read_wav(source), reductions_db, gain_db=8.0)
    write_wav(path, blocks, channels=2, length_samples=length_samples)


def entries(folder: Path, length_samples: int) -> dict[str, Callable[[], object]]:
    """What is timed."""
    dx = stem(folder / "DX.wav", "DX", length_samples, 1)
    mx = stem(folder / "MX.wav", "MX", length_samples, 2)
    path, target = dx.audio.path, LoudnessTarget(integrated_lufs=-14.0, true_peak_dbtp=-1.0)
    wav = ("-c:a", "pcm_f32le", "-rf64", "auto", "-y", folder / "theirs.wav")
    talk = folder / "talk.wav"
    ffmpeg(
        *("-stream_loop", "-1", "-i", TALK, "-t", str(length_samples / SAMPLE_RATE_HZ), "-vn"),
        *("-ac", "2", "-ar", str(SAMPLE_RATE_HZ), *wav[:-1], talk),
    )
    ends = (SAMPLE_RATE_HZ, 2 * SAMPLE_RATE_HZ, length_samples)
    levelled = Levelled(
        mx=mx, mx_powers=UNREAD, dx=dx, dx_powers=UNREAD, mx_loudness=UNKNOWN, speech_lufs=None
    )
    ducked = Ducked(curve=GainCurve(at_samples=ends, gains_db=(0.0, -14.0, 0.0)), phrases=())
    null = ("-f", "null", "-")
    limiter = "volume=8dB,alimiter=limit=0.89:level=0"
    summed = f"[1]volume=-7dB[m];[0][m]amix=normalize=0,{limiter}"
    return {
        "ffmpeg ebur128": partial(ffmpeg, "-i", path, "-af", "ebur128", *null),
        "our meter, no true peak": lambda: measure(read_wav(path), 2, true_peak=False),
        "ffmpeg ebur128, true peak": partial(ffmpeg, "-i", path, "-af", "ebur128=peak=true", *null),
        "our meter": lambda: measure(read_wav(path), 2),
        "ffmpeg alimiter (sample peaks)": partial(ffmpeg, "-i", path, "-af", limiter, *wav),
        "our limiter (true peaks)": lambda: limited(folder / "limited.wav", path, length_samples),
        "our level and limiter, measured": lambda: write_limited(
            folder / "limited.wav",
            lambda: read_wav(path),
            channels=2,
            length_samples=length_samples,
            target=target,
            progress=no_progress,
        ),
        "ffmpeg amix, alimiter": partial(
            ffmpeg, "-i", path, "-i", mx.audio.path, "-filter_complex", summed, *wav
        ),
        "our mix, measured": lambda: mix(
            levelled, ducked, target, length_samples, folder=folder, progress=no_progress
        ),
        "our speech detector on noise": lambda: detect_speech(read_wav(path), 2, start_samples=0),
        "our speech detector on talk": lambda: detect_speech(read_wav(talk), 2, start_samples=0),
    }


def main() -> None:
    """Prints a Markdown table."""
    length_s = 60.0 * float(sys.argv[1]) if len(sys.argv) > 1 else 600.0
    with tempfile.TemporaryDirectory() as folder:
        timed = entries(Path(folder), round(length_s * SAMPLE_RATE_HZ))
        best_s = dict.fromkeys(timed, float("inf"))
        for _ in range(ROUNDS):
            for name, run in timed.items():
                begun = time.perf_counter()
                run()
                best_s[name] = min(best_s[name], time.perf_counter() - begun)
    print("| | seconds | times real time | times ffmpeg's time |")
    print("|---|---|---|---|")
    theirs_s = None
    for name, taken_s in best_s.items():
        ratio = "" if theirs_s is None else f"{taken_s / theirs_s:.2f}"
        print(f"| {name} | {taken_s:.2f} | {length_s / taken_s:.0f} | {ratio} |")
        theirs_s = taken_s if name.startswith("ffmpeg") else None


if __name__ == "__main__":
    main()
