"""Cost of the composer: ``python -m tests.benchmarks.composing [MINUTES ...]``.

Each row is a process of its own with one thread. Times are processor time; the ratio is that of
composing and playing to writing the same samples as a WAV, in the same process, so that it says the
same on another machine. Memory is the highest resident set of the process, with all it imports.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tests.composer.conftest import STYLES, Kit, Shown

from scorebed.composer import compose, render
from scorebed.memory import keep_large_blocks_apart
from scorebed.wav import write_wav

if TYPE_CHECKING:
    from scorebed.model import Audio

_SCENE_S, _CUT_S = 61.0, 4.37


def cost(minutes: float, style: str) -> dict[str, float]:
    """Composes and plays a film in this process.

    Args:
        minutes: Its length.
        style: Name of a style preset.

    Returns:
        ``faster`` than real time, ``ratio`` to writing, ``peak_mb``.
    """
    keep_large_blocks_apart()
    rng = np.random.default_rng(0)
    length_s = minutes * 60
    count = max(1, round(length_s / _SCENE_S))
    film = [
        Shown(seconds=length_s / count, motion=float(rng.random()), brightness=float(rng.random()))
        for _ in range(count)
    ]
    notes = Kit.notes(film, cuts=np.arange(3.1, length_s - 3, _CUT_S).tolist())
    spent = {"write": 0.0, "all": 0.0}

    def blocks(folder: Path) -> Iterator[Audio]:
        for number, block in enumerate(
            render(compose(notes, Kit.brief(style, quality="standard")))
        ):
            begun = time.process_time()
            path = folder / f"{number % 2}.wav"
            write_wav(path, [block], channels=2, length_samples=len(block))
            spent["write"] += time.process_time() - begun
            yield block

    begun = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        for _ in blocks(Path(folder)):
            pass
    played = time.process_time() - begun - spent["write"]
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "faster": length_s / played,
        "ratio": played / spent["write"],
        "peak_mb": peak_kb / 1024,
    }


def apart(minutes: float, style: str) -> dict[str, float]:
    """The same in a process of its own, with one thread."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.composing", "--one", str(minutes), style],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    return dict(json.loads(done.stdout))


def main() -> None:
    """Prints a Markdown table."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(cost(float(sys.argv[2]), sys.argv[3])))
        return
    wanted = [float(word) for word in sys.argv[1:]] or [5.0]
    print("| style | minutes | times real time | over writing | peak |\n|---|---|---|---|---|")
    for minutes in wanted:
        for style in STYLES if minutes <= wanted[0] else STYLES[:1]:
            found = apart(minutes, style)
            print(
                f"| {style} | {minutes:g} | {found['faster']:.0f}x | {found['ratio']:.1f} "
                f"| {found['peak_mb']:.0f} MB |",
                flush=True,
            )


if __name__ == "__main__":
    main()
