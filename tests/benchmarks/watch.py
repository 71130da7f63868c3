"""What a watch takes while nothing happens, and how long an editor waits for a hook.

    python tests/benchmarks/watch.py [SECONDS]

SECONDS (20 by default) is how long it is watched: over 5,000 files that are no films, then over
5,000 that it knows to be broken. A hook is called five times, to queue and to start its worker.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FILES = 5000
COMMAND = [sys.executable, "-m", "scorebed"]


def main(seconds: float) -> None:
    """Prints a line per figure."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        os.environ["XDG_DATA_HOME"] = str(home / "data")
        for ending in ("txt", "mp4"):
            folder = home / ending
            folder.mkdir()
            for number in range(FILES):
                (folder / f"{number}.{ending}").write_text(f"no film {number}")
            watched(folder, home / f"out {ending}", seconds)
        film = home / "film.mp4"
        film.write_text("no film")
        queue = home / "queue"
        queue.mkdir()
        for words in (["--queue", str(queue)], []):
            for _ in range(5):
                called(film, words)


def watched(folder: Path, out: Path, seconds: float) -> None:
    """Processor time of a watch when it has nothing to do any more."""
    command = [*COMMAND, "watch", str(folder), "--out", str(out), "--quiet"]
    once = [*command, "--once", "--settle", "0"]
    subprocess.run(once, check=False, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with subprocess.Popen([*command, "--settle", "1"], stdin=subprocess.DEVNULL) as process:
        time.sleep(10)
        before_s = processor_s(process.pid)
        time.sleep(seconds)
        taken_s = processor_s(process.pid) - before_s
        process.terminate()
    print(f"{FILES} {folder.name}: {taken_s:.2f} s of processor time in {seconds:.0f} s")


def processor_s(pid: int) -> float:
    """Processor time of a process so far, in seconds; Linux says it."""
    told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def called(film: Path, words: list[str]) -> None:
    """Wall and processor time of a hook."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([*COMMAND, "hook", "resolve", str(film), "--quiet", *words], check=True)
    wall_s, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    taken_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    how = "queued" if words else "queued, worker started"
    print(f"hook {how}: {wall_s:.2f} s, {taken_s:.2f} s of processor time")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 20.0)
