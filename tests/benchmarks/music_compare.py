"""The composer beside real pieces: ``python -m tests.benchmarks.music_compare FOLDER [SEED ...]``.

FOLDER holds recordings; those of over 9 s are taken, the first 60 s of each. Ours are all styles on
both sample clips, from what spotting finds in them. Two baselines show what the measures mean:
notes at random, and two seconds in a loop.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import av
import numpy as np
from tests.benchmarks.music_measures import NAMES, RATE_HZ, Measures, measure_music

import scorebed
from scorebed.composer import compose, render
from scorebed.model import Audio, Brief, SpottingNotes
from scorebed.presets import load_preset
from scorebed.style import Style

ROOT = Path(__file__).parents[2]
STYLES = tuple(sorted(path.stem for path in (ROOT / "presets" / "style").glob("*.toml")))
CLIPS = ("montage", "talk")
_LEAST_S, _MOST_S = 9, 60


def recording(path: Path) -> Audio:
    """The first minute of a recording, shape (samples, 2), 48 kHz."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=RATE_HZ)
        blocks, length = [], 0
        for frame in container.decode(audio=0):
            for made in resampler.resample(frame):
                blocks.append(made.to_ndarray().T)
                length += len(blocks[-1])
            if length > _MOST_S * RATE_HZ:
                break
    return np.concatenate(blocks)[: _MOST_S * RATE_HZ].astype(np.float32)


def spotted(clip: str) -> SpottingNotes:
    """What spotting finds in a sample clip."""
    with tempfile.TemporaryDirectory() as folder:
        found = scorebed.spot(
            ROOT / "sample_media" / f"{clip}.mp4", workspace=Path(folder) / "work"
        )
    return found.notes


def ours(notes: SpottingNotes, style: str, seed: int = 1) -> Audio:
    """A piece of the composer's, at the defaults."""
    brief = Brief(
        style=load_preset("style", style, Style),
        prompt="",
        tags=(),
        seed=seed,
        quality="standard",
        guidance=0.5,
    )
    return np.concatenate(list(render(compose(notes, brief))))


def random_notes(length_s: float = 40.0) -> Audio:
    """Sines of random pitch at random times."""
    rng = np.random.default_rng(1)
    out = np.zeros((int(length_s * RATE_HZ), 2), dtype=np.float32)
    for _ in range(int(length_s * 6)):
        at, size = int(rng.integers(len(out) - RATE_HZ)), int(rng.integers(4800, RATE_HZ))
        t = np.arange(size) / RATE_HZ
        freq = 440 * 2 ** ((rng.integers(36, 90) - 69) / 12)
        note = np.sin(2 * np.pi * freq * t) * np.exp(-4 * t) * 0.1
        out[at : at + size] += note[:, np.newaxis] * rng.uniform(0.3, 1.0, 2)
    return out


def one_loop(notes: SpottingNotes) -> Audio:
    """The first two seconds of a piece, over and over."""
    piece = ours(notes, "upbeat-ad")[RATE_HZ * 8 : RATE_HZ * 10]
    return np.tile(piece, (20, 1))


def _row(name: str, found: Measures) -> str:
    cells = [f"{getattr(found, one):.2f}" for one in NAMES]
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Prints a Markdown table, and which of ours lie outside of what the real pieces span."""
    folder, seeds = Path(sys.argv[1]), [int(word) for word in sys.argv[2:]] or [1]
    print(f"| piece | {' | '.join(NAMES)} |\n|---|{'---|' * len(NAMES)}")
    real = []
    for path in sorted(folder.iterdir()):
        if path.suffix in {".mp3", ".wav", ".flac", ".ogg", ".m4a"}:
            audio = recording(path)
            if len(audio) > _LEAST_S * RATE_HZ:
                real.append(measure_music(audio))
                print(_row(path.name, real[-1]))
    spans = {n: (min(getattr(m, n) for m in real), max(getattr(m, n) for m in real)) for n in NAMES}
    print(f"| real: least | {' | '.join(f'{spans[name][0]:.2f}' for name in NAMES)} |")
    print(f"| real: most | {' | '.join(f'{spans[name][1]:.2f}' for name in NAMES)} |")
    notes = {clip: spotted(clip) for clip in CLIPS}
    print(_row("notes at random", measure_music(random_notes())))
    print(_row("one loop", measure_music(one_loop(notes["montage"]))))
    outside: dict[str, list[str]] = {}
    for seed in seeds:
        for style in STYLES:
            for clip in CLIPS:
                name = f"{style}, {clip}, seed {seed}"
                found = measure_music(ours(notes[clip], style, seed))
                print(_row(name, found), flush=True)
                outside[name] = [
                    f"{one} {getattr(found, one):.2f}"
                    for one in NAMES
                    if not spans[one][0] <= getattr(found, one) <= spans[one][1]
                ]
    print()
    for name, which in outside.items():
        print(f"{name}: {len(NAMES) - len(which)} of {len(NAMES)} inside; {', '.join(which)}")


if __name__ == "__main__":
    main()
