"""Forty-seven minutes through a service: requests, frames, joins, memory."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile

from scorebed.model import MAX_SPECTRAL_STEP_DB, MAX_STEP_LU
from scorebed.testing import MusicService

KEY = "sk_long_film"
MINUTES_47_S = 47 * 60


def _tree(pid: int) -> Iterator[tuple[str, int, int]]:
    """Program, anonymous memory and mapped files of a process and its descendants, in bytes."""
    process = Path(f"/proc/{pid}")
    try:
        rollup = (process / "smaps_rollup").read_text(encoding="ascii")
        program = (process / "exe").readlink().name
        tasks = list((process / "task").iterdir())
        children = [child for task in tasks for child in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return
    found = {
        name: int(size) * 1024
        for name, size in re.findall(r"^(\w+): +(\d+) kB", rollup, re.MULTILINE)
    }
    yield program, found.get("Anonymous", 0), found.get("Rss", 0) - found.get("Anonymous", 0)
    for child in children:
        yield from _tree(int(child))


def _tree_bytes(pid: int) -> int:
    """Memory of a process and its descendants.

    Files that several processes map, as the program itself, count once for each program: counted
    by shares, the figure would fall when somebody else on the machine runs the same program.
    """
    anonymous_bytes, files_bytes = 0, dict[str, int]()
    for program, anonymous, files in _tree(pid):
        anonymous_bytes += anonymous
        files_bytes[program] = max(files_bytes.get(program, 0), files)
    return anonymous_bytes + sum(files_bytes.values())


def _score(
    film: Path, folder: Path, environment: dict[str, str], service: MusicService
) -> tuple[dict[str, Any], int]:
    """The result and the peak of memory."""
    folder.mkdir()
    command: list[str | Path] = [
        *(sys.executable, "-m", "scorebed", "score", film, "-o", folder / "out.mp4", "--json"),
        *("--workspace", folder / "ws", "--ledger", folder / "ledger"),
        *("--stems", folder / "stems"),
    ]
    keys = {"ELEVENLABS_API_KEY": KEY, "ELEVENLABS_BASE_URL": service.url}
    peak = 0
    # Into a file: a pipe would be full before the result of a long film is out.
    with (folder / "told.json").open("wb") as told:
        child = subprocess.Popen(
            command, env=environment | keys, stdout=told, stderr=subprocess.DEVNULL
        )
        while child.poll() is None:
            peak = max(peak, _tree_bytes(child.pid))
            time.sleep(0.2)
    assert child.returncode == 0
    return dict(json.loads((folder / "told.json").read_bytes())), peak


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_a_long_film(
    talk: Path,
    make_media: Callable[..., Path],
    environment: dict[str, str],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    small = make_media(
        "small.mp4",
        *("-i", talk, "-vf", "scale=320:-2", "-c:v", "libx264", "-preset", "veryfast"),
        *("-c:a", "copy"),
    )
    films = {
        seconds: make_media(
            f"{seconds}.mp4", "-stream_loop", "99", "-i", small, "-t", str(seconds), "-c", "copy"
        )
        for seconds in (300, MINUTES_47_S)
    }
    with MusicService(key=KEY, work_s=0.5) as service:
        _, short_peak = _score(films[300], tmp_path / "short", environment, service)
        before = len(service.requests)
        result, peak = _score(films[MINUTES_47_S], tmp_path / "long", environment, service)
        requests = service.requests[before:]
        assert service.most_in_flight <= 2
    assert len(requests) == 5, "as few as hold 47 minutes of at most ten each"
    assert all(request.purchase for request in requests)
    frames = sum(file.frames for request in requests for file in request.files)
    assert frames == result["picture"]["frames"]
    for request in requests:
        assert sum(file.duration_s for file in request.files) <= 600.001
        assert sum(file.size_bytes for file in request.files) <= 200_000_000
        assert len(request.files) <= 10
    assert [request.files[0].audio for request in requests] == [False] + [True] * 4
    music = soundfile.info(str(tmp_path / "long" / "stems" / "MX-dry.wav"))
    assert music.frames == round(result["picture"]["duration_s"] * 48_000)
    assert len(result["music"]["joins"]) == 4
    for join in result["music"]["joins"]:
        assert abs(join["loudness_step_lu"] or 0) <= MAX_STEP_LU
        assert (join["spectral_step_db"] or 0) <= MAX_SPECTRAL_STEP_DB
    assert result["spent"]["requests"] == 5
    assert result["programme"]["integrated_lufs"] == pytest.approx(-14.0, abs=0.5)
    record_property("peaks_mb", (peak / 1e6, short_peak / 1e6))
    assert peak <= 1.2 * short_peak, f"{peak / 1e6:.0f} MB after {short_peak / 1e6:.0f} MB"
