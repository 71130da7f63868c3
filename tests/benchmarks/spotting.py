"""Spotting against one full decode, in one run.

    python tests/benchmarks/spotting.py [FILE] [--scenedetect PROGRAM]

Without FILE ten minutes of 1080p H.264 are made of the sample clips, with the encoder's ordinary
groups of pictures. Timed in rotation, the best of three counts: a decode of the picture by ffmpeg
with all threads; spotting, fast and full; spotting and the proxies of a service; and, if the
program is named, PySceneDetect's detect-adaptive at its defaults. Ratios are to the decode. The
cuts that the fast look finds are held against those of the full one.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from scorebed.ffmpeg import locate
from scorebed.media import identify
from scorebed.model import Accuracy, SpotSettings, SpottingNotes
from scorebed.providers.base import Service, find
from scorebed.stages.probe import look
from scorebed.stages.reel import reel
from scorebed.stages.spot import spot

ROUNDS = 3
SAMPLES = Path(__file__).parents[2] / "sample_media"


def make_film(folder: Path) -> Path:
    """Ten minutes of the sample clips, enlarged, with a little grain."""
    film = folder / "film.mp4"
    clips = [SAMPLES / "montage.mp4", SAMPLES / "talk.mp4"]
    scale = "scale=1920:1080:force_original_aspect_ratio=decrease,pad=1920:1080:-1:-1,setsar=1"
    graph = "".join(
        f"[{n}:v]fps=25,{scale},noise=alls=3:allf=t,format=yuv420p[v{n}];"
        for n in range(len(clips))
    )
    once = folder / "once.mp4"
    inputs = [word for clip in clips for word in ("-i", str(clip))]
    joined = "".join(f"[v{n}]" for n in range(len(clips)))
    subprocess.run(
        [locate().path, "-v", "error", "-y", *inputs, "-filter_complex",
         f"{graph}{joined}concat=n={len(clips)}", "-c:v", "libx264", "-preset", "fast", once],
        check=True,
    )  # fmt: skip
    subprocess.run(
        [locate().path, "-v", "error", "-y", "-stream_loop", "-1", "-i", once, "-c", "copy",
         "-t", "600", film],
        check=True,
    )  # fmt: skip
    return film


def decode(film: Path) -> None:
    """All frames, on all cores, for nothing."""
    subprocess.run([locate().path, "-v", "error", "-i", film, "-map", "0:v:0", "-f", "null", "-"],
                   check=True)  # fmt: skip


def spotted(film: Path, accuracy: Accuracy) -> SpottingNotes:
    source = identify(film)
    settings = SpotSettings(max_scenes=10, listen=False, accuracy=accuracy)
    return spot(source, look(source), settings, folder=film.parent).notes


def with_proxies(film: Path) -> None:
    source = identify(film)
    picture = look(source)
    service = find("elevenlabs")
    assert isinstance(service, Service)
    limits = service.limits(service.settings())
    settings = SpotSettings(max_scenes=10, listen=False)
    small_px = limits.proxy_height_px
    with tempfile.TemporaryDirectory() as folder:
        found = spot(source, picture, settings, folder=Path(folder), small_height_px=small_px)
        reel(source, picture, found.notes, limits, found.small, folder=Path(folder))


def timed(work: Callable[[], object]) -> float:
    start_s = time.perf_counter()
    work()
    return time.perf_counter() - start_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("film", nargs="?", type=Path)
    parser.add_argument("--scenedetect", help="the program, for example in another environment")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        film = asked.film or make_film(Path(folder))
        jobs: dict[str, Callable[[], object]] = {
            "decode": lambda: decode(film),
            "spot fast": lambda: spotted(film, "fast"),
            "spot full": lambda: spotted(film, "full"),
            "spot and proxies": lambda: with_proxies(film),
        }
        if asked.scenedetect:
            jobs["detect-adaptive"] = lambda: subprocess.run(
                [asked.scenedetect, "--quiet", "-i", film, "detect-adaptive"], check=True
            )
        best = dict.fromkeys(jobs, float("inf"))
        for _ in range(asked.rounds):
            for name, work in jobs.items():
                best[name] = min(best[name], timed(work))
        for name, seconds in best.items():
            print(f"{name:<18} {seconds:7.1f} s   {seconds / best['decode']:.2f} of the decode")
        fast, full = (
            {shot.range.start_s for shot in spotted(film, accuracy).shots}
            for accuracy in ("fast", "full")
        )
        print(f"shots: fast {len(fast)}, full {len(full)}, in both {len(fast & full)}")


if __name__ == "__main__":
    main()
