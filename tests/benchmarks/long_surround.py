"""Hours of 5.1 through level, duck and mix: times real time, and peak memory.

    python tests/benchmarks/long_surround.py [HOURS]

Two hours by default, which need 25 GB of free disk beside the temporary folder's other content
(TMPDIR chooses it). The production audio is 5.1 noise with a voice-like centre for 20 s of every
30; the stages run in a process of their own, whose memory is watched. Linux only.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from scorebed.memory import keep_large_blocks_apart
from scorebed.model import (
    Audio,
    LoudnessTarget,
    PictureCurve,
    SpeechRegion,
    SpottingNotes,
    Stem,
    TimeRange,
    no_progress,
)
from scorebed.options import Options
from scorebed.settings import resolve
from scorebed.stages.duck import duck
from scorebed.stages.level import level
from scorebed.stages.mix import mix
from scorebed.timecode import SAMPLE_RATE_HZ
from scorebed.wav import BLOCK_SAMPLES, write_wav

CYCLE_S, VOICE_S = 30, 20
CENTRE = 2


def surround(length_samples: int, channels: int) -> Iterator[Audio]:
    """Noise; with a centre channel, that one is 20 dB louder while somebody speaks."""
    random = np.random.default_rng(5)
    bed = random.uniform(-0.03, 0.03, (BLOCK_SAMPLES, channels)).astype(np.float32)
    for at in range(0, length_samples, BLOCK_SAMPLES):
        block = bed[: min(BLOCK_SAMPLES, length_samples - at)].copy()
        if channels > CENTRE and at / SAMPLE_RATE_HZ % CYCLE_S < VOICE_S:
            block[:, CENTRE] *= 10.0
        yield block


def stem(path: Path, length_samples: int, channels: int) -> Stem:
    """A stem of the length."""
    blocks = surround(length_samples, channels)
    audio = write_wav(path, blocks, channels=channels, length_samples=length_samples)
    return Stem(
        kind="MX" if channels == CENTRE else "DX",
        audio=audio,
        start_samples=0,
        length_samples=length_samples,
        channels=channels,
    )


def notes(length_s: int) -> SpottingNotes:
    """The spotting notes: speech only."""
    return SpottingNotes(
        duration_s=Fraction(length_s),
        frame_rate=Fraction(24),
        shots=(),
        scenes=(),
        speech=tuple(
            SpeechRegion(
                range=TimeRange.between(Fraction(at), Fraction(at + VOICE_S)), confidence=0.9
            )
            for at in range(0, length_s, CYCLE_S)
        ),
        curve=PictureCurve(hop_s=Fraction(1), motion=(), brightness=()),
        cues=(),
    )


def run(folder: Path, dx: Stem, mx: Stem, length_s: int) -> None:
    """Times the stages and prints what they took."""
    keep_large_blocks_apart()
    want, spotted = resolve(Options()), notes(length_s)
    target = LoudnessTarget(integrated_lufs=-14.0, true_peak_dbtp=-1.0)
    total_s = 0.0

    def told(name: str, begun: float) -> None:
        nonlocal total_s
        taken_s = time.perf_counter() - begun
        total_s += taken_s
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        print(f"| {name} | {taken_s:.1f} | {length_s / taken_s:.0f} | {peak_mb:.0f} MB |")

    print("| stage | seconds | times real time | peak memory so far |\n|---|---|---|---|")
    begun = time.perf_counter()
    levelled = level(mx, dx, spotted, want.level, folder=folder, progress=no_progress)
    told("level", begun)
    begun = time.perf_counter()
    ducked = duck(levelled, spotted, want.duck, folder=folder, progress=no_progress)
    told("duck", begun)
    begun = time.perf_counter()
    mixed = mix(
        levelled, ducked, target, length_s * SAMPLE_RATE_HZ, folder=folder, progress=no_progress
    )
    told("mix", begun)
    told("all three", time.perf_counter() - total_s)
    print(f"\nprogramme {mixed.loudness}, {len(ducked.phrases)} phrases")


def main() -> None:
    """Prints a Markdown table."""
    length_s = round(3600 * float(sys.argv[1])) if len(sys.argv) > 1 else 7200
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        length_samples = length_s * SAMPLE_RATE_HZ
        dx = stem(folder / "DX.wav", length_samples, 6)
        mx = stem(folder / "MX.wav", length_samples, CENTRE)
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line does
        context = multiprocessing.get_context("spawn")
        child = context.Process(target=run, args=(folder, dx, mx, length_s))
        child.start()
        child.join()
        sys.exit(child.exitcode)


if __name__ == "__main__":
    main()
