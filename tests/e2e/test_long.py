"""Forty-seven minutes through a service: requests, frames, joins, memory."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile

from scorebed.model import MAX_SPECTRAL_STEP_DB, MAX_STEP_LU
from scorebed.testing import MusicService

KEY = "sk_long_film"
MINUTES_47_S = 47 * 60


def _tree_bytes(pid: int) -> int:
    """Proportional set size of a process and its descendants, in bytes."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [child for task in tasks for child in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    own = next((line for line in rollup.splitlines() if line.startswith("Pss:")), "Pss: 0")
    return int(own.split()[1]) * 1024 + sum(_tree_bytes(int(child)) for child in children)


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
    with subprocess.Popen(
        command,
        env=environment | keys,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as child:
        while child.poll() is None:
            peak = max(peak, _tree_bytes(child.pid))
            time.sleep(0.2)
        assert child.returncode == 0
        assert child.stdout is not None
        return dict(json.loads(child.stdout.read())), peak


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_a_long_film(
    talk: Path, make_media: Callable[..., Path], environment: dict[str, str], tmp_path: Path
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
    assert peak <= 1.2 * short_peak, f"{peak / 1e6:.0f} MB after {short_peak / 1e6:.0f} MB"
