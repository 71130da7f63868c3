"""Damaged files, as a person gives them: a result, or exit 3 and a sentence; nothing else.

The quick ones are made here; those of ``pytest -m media`` are 510 damaged copies of real files.
With ``SCOREBED_TABLE=FILE`` a line of a Markdown table is appended for each run.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import pytest
from tests.e2e.fuzzing import mutant

if not hasattr(os, "wait4"):
    pytest.skip("the memory of a process is not told here", allow_module_level=True)

NAMED = os.environ.get("SCOREBED_MEDIA")
FOLDER = Path(NAMED) if NAMED else Path(__file__).parents[3] / "shared" / "media"
FILMS = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".mka"}
MAX_SOURCE_BYTES = 300_000
MUTANTS = 15
QUICK_MUTANTS = 4
QUICK = ("plain.mp4", "film.mkv", "film.ts", "film.avi")
"""Those of which one is run every time, all with `pytest -m slow`."""
UNIT = 1 if sys.platform == "darwin" else 1024
"""Of what the system says of memory, in bytes."""
HANG_S = 30.0
"""On a machine that has a core for each run; where more wait for a core, by so much more."""
MAX_BYTES = 1_000_000_000
H264 = "-c:v libx264 -preset ultrafast -g 10 -c:a aac -b:a 64k"
MADE = {
    "plain.mp4": H264,
    "fragmented.mp4": f"{H264} -movflags frag_keyframe+empty_moov",
    "camera.mov": "-c:v mpeg4 -c:a pcm_s16le",
    "film.mkv": H264,
    "film.webm": "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus",
    "film.ts": H264,
    "film.avi": "-c:v mpeg4 -c:a mp3",
    "film.flv": H264,
    "film.ogv": "-c:v libtheora -c:a libvorbis",
    "film.mpg": "-c:v mpeg2video -c:a mp2",
    "film.mxf": "-c:v mpeg2video -c:a pcm_s16le",
    "film.wmv": "-c:v wmv2 -c:a wmav2",
}


def small_films() -> list[Path]:
    return [
        path
        for folder in ("containers", "frames", "edited", "dialogue")
        for path in sorted((FOLDER / folder).glob("*"))
        if path.suffix in FILMS and path.stat().st_size < MAX_SOURCE_BYTES
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run ended."""

    code: int
    stderr: str
    elapsed_s: float
    peak_bytes: int
    """Of the largest process that took part."""


def run(folder: Path, environment: dict[str, str], *args: str | Path) -> Ended:
    """Runs the command line; what takes longer than ``HANG_S`` is ended, and fails the test."""
    begun = time.monotonic()
    with (folder / "stderr").open("w+b") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "scorebed", *map(str, args)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env=environment,
        )
        hangs = False
        while True:
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            if ended:
                break
            waiting = max(os.getloadavg()[0] / (os.cpu_count() or 1), 1.0)
            if time.monotonic() - begun > HANG_S * waiting:
                # First as a person would: it then ends its own children.
                process.send_signal(signal.SIGKILL if hangs else signal.SIGTERM)
                hangs = True
            time.sleep(5 if hangs else 0.02)
        process.returncode = os.waitstatus_to_exitcode(status)
        stderr.seek(0)
        said = stderr.read().decode(errors="replace")
    (folder / "stderr").unlink()
    assert not hangs, f"still at work after {time.monotonic() - begun:.0f} s:\n{said}"
    return Ended(
        code=process.returncode,
        stderr=said,
        elapsed_s=time.monotonic() - begun,
        peak_bytes=usage.ru_maxrss * UNIT,
    )


def note(source: str, number: int, kind: str, ended: Ended) -> None:
    table = os.environ.get("SCOREBED_TABLE")
    if table:
        with Path(table).open("a", encoding="utf-8") as file:
            file.write(
                f"| {source} | {number} | {kind} | {ended.code} | {ended.elapsed_s:.1f} | "
                f"{ended.peak_bytes >> 20} |\n"
            )


def check(original: Path, number: int, folder: Path, environment: dict[str, str]) -> None:
    """Runs one damaged copy and looks at what it leaves."""
    kind, content = mutant(original.read_bytes(), original.name, number)
    film, output = folder / f"film{original.suffix}", folder / f"out{original.suffix}"
    film.write_bytes(content)
    ended = run(
        folder,
        environment,
        *("score", film, "-o", output, "--quality", "draft", "--offline"),
        *("--workspace", folder / "work"),
    )
    note(original.name, number, kind, ended)
    told = f"{original.name}, mutant {number} ({kind}): exit {ended.code}\n{ended.stderr}"
    assert ended.code in {0, 3}, told
    assert "Traceback" not in ended.stderr, told
    # What the system says of a process begins with what the one had that started it.
    own_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT
    assert ended.peak_bytes < max(MAX_BYTES, 1.1 * own_bytes), told
    left = {entry.name for entry in folder.iterdir()} - {film.name, "work"}
    if ended.code:
        assert not left, told
        error, remedy = ended.stderr.rstrip("\n").splitlines()[-2:]
        assert error.startswith("error: "), told
        assert str(film) in error, told
        assert remedy.startswith("  "), told
        assert len(remedy) > 20, told
    else:
        assert left == {output.name, f"{output.name}.scorebed.json"}, told
        assert shown_packets(output), told


def shown_packets(path: Path) -> int:
    with av.open(str(path), metadata_errors="replace") as container:
        return sum(packet.size > 0 for packet in container.demux(video=0))


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in MADE],
)
@pytest.mark.parametrize(
    "number", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, QUICK_MUTANTS))]
)
def test_a_damaged_file_is_scored_or_refused(
    name: str,
    number: int,
    make_media: Callable[..., Path],
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    original = make_media(
        name,
        *("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=25:duration=1"),
        *("-f", "lavfi", "-i", "sine=frequency=440:duration=1:sample_rate=48000"),
        *("-pix_fmt", "yuv420p", "-threads", "1", "-flags", "+bitexact", *MADE[name].split()),
    )
    # Not the same ways for all: there are more of them than copies.
    first = QUICK_MUTANTS * list(MADE).index(name)
    check(original, first + number, tmp_path, environment)


@pytest.mark.media
@pytest.mark.parametrize("number", range(MUTANTS))
@pytest.mark.parametrize("original", small_films(), ids=lambda path: path.name)
def test_a_damaged_real_file_is_scored_or_refused(
    original: Path, number: int, media_dir: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    check(original, number, tmp_path, environment)
