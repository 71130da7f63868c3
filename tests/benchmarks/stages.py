"""Wall time of each stage as a multiple of one full decode of the picture, and peak memory.

    python tests/benchmarks/stages.py [VIDEO ...]

Without arguments the sample clips are taken. Decode and run follow each other on the same machine,
so the ratios can be compared where the seconds cannot. Memory is the largest sum of the
proportional set sizes (shared pages counted once) of the process and its children; Linux only.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scorebed.ffmpeg import locate

SAMPLES = Path(__file__).parents[2] / "sample_media"
SAMPLE_EVERY_S = 0.1


def decode_s(video: Path) -> float:
    """Wall time of one full, multi-threaded decode of the picture, in seconds."""
    begun = time.perf_counter()
    subprocess.run(
        [locate().path, "-v", "error", "-i", video, "-map", "0:V:0", "-f", "null", "-"],
        check=True,
    )
    return time.perf_counter() - begun


def tree_bytes(pid: int) -> int:
    """Memory of a process and its descendants, in bytes; 0 for one that has ended."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    own = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return own * 1024 + sum(tree_bytes(int(child)) for child in children)


def score(video: Path, folder: Path) -> tuple[dict[str, float], float, int]:
    """Stage times in seconds, wall time of the whole command, and peak memory in bytes."""
    command = [sys.executable, "-m", "scorebed", "score", str(video), "--json", "--quiet"]
    command += ["-o", str(folder / "out.mp4"), "--workspace", str(folder / "work")]
    begun, peak = time.perf_counter(), 0
    # Into a file: a pipe would be full before the result of a long film is out.
    with (folder / "told.json").open("wb") as said:
        process = subprocess.Popen(command, stdout=said)
        while process.poll() is None:
            peak = max(peak, tree_bytes(process.pid))
            time.sleep(SAMPLE_EVERY_S)
    told = json.loads((folder / "told.json").read_bytes())
    stages = {stage["name"]: stage["elapsed_s"] for stage in told["stages"]}
    return stages, time.perf_counter() - begun, peak


def main() -> None:
    """Prints a Markdown table."""
    videos = [Path(name) for name in sys.argv[1:]] or sorted(SAMPLES.glob("*.mp4"))
    rows: list[tuple[str, list[str]]] = []
    for video in videos:
        with tempfile.TemporaryDirectory() as folder:
            decoded_s = decode_s(video)
            stages, wall_s, peak = score(video, Path(folder))
            decoded_s = min(decoded_s, decode_s(video))
        cells = [f"{decoded_s:.2f}"]
        cells += [f"{elapsed_s:.2f} ({elapsed_s / decoded_s:.2f})" for elapsed_s in stages.values()]
        cells += [f"{wall_s:.2f} ({wall_s / decoded_s:.2f})", f"{peak / 1e6:.0f} MB"]
        rows.append((video.name, cells))
        names = ["decode", *stages, "whole command", "peak memory"]
    print(f"| seconds (multiples of decode) | {' | '.join(name for name, _ in rows)} |")
    print(f"|---|{'---|' * len(rows)}")
    for number, name in enumerate(names):
        print(f"| {name} | {' | '.join(cells[number] for _, cells in rows)} |")


if __name__ == "__main__":
    main()
