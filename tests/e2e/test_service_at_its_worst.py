"""A service that fails, and runs that are killed: exit codes, files, purchases."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from scorebed.ledger import Ledger, State
from scorebed.testing import MusicService

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Scorebed = Callable[..., subprocess.CompletedProcess[str]]

KEY = "sk_at_its_worst_0815_secret"


@pytest.fixture
def service() -> Iterator[MusicService]:
    with MusicService(key=KEY, work_s=0.5) as running:
        yield running


@pytest.mark.parametrize(
    ("behaviour", "words", "purchases"),
    [
        ("400-bad-prompt", "The service suggests this prompt", 0),
        ("401-invalid-key", "key", 0),
        ("413", "413", 0),
        ("504", "may have been billed", 1),
        ("html-200", "a web page", 1),
        ("zip-climb", "leaves its folder", 1),
    ],
)
def test_a_failure_is_exit_5_and_leaves_no_file(
    behaviour: str,
    words: str,
    purchases: int,
    scorebed: Scorebed,
    service: MusicService,
    short_talk: Path,
    stages: Path,
    tmp_path: Path,
) -> None:
    service.will(behaviour)
    output = tmp_path / "out"
    output.mkdir()
    done = scorebed(
        *("score", short_talk, "-o", output / "scored.mp4", "--stems", output / "stems"),
        *("--workspace", stages, "--ledger", tmp_path / "ledger", "--traceback"),
        ELEVENLABS_API_KEY=KEY,
        ELEVENLABS_BASE_URL=service.url,
    )
    assert done.returncode == 5, done.stderr
    assert words in done.stderr.splitlines()[-2] + done.stderr.splitlines()[-1]
    assert KEY not in done.stderr + done.stdout
    assert service.purchases == purchases
    assert not [path for path in output.rglob("*") if path.is_file()]


@pytest.fixture(scope="session")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One workspace for all: the picture is looked at once."""
    return tmp_path_factory.mktemp("workspace")


@pytest.mark.slow
def test_fifty_kills_at_any_moment(
    scorebed: Scorebed,
    service: MusicService,
    short_talk: Path,
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    """From the first import to the last rename; every second time with nothing in the workspace."""
    rng = random.Random(11)  # noqa: S311 - moments, not secrets
    keys = {"ELEVENLABS_API_KEY": KEY, "ELEVENLABS_BASE_URL": service.url}
    unknown = 0

    def words(number: int) -> list[str | Path]:
        workspace = tmp_path / ("work" if number % 2 else f"work-{number}")
        return [
            *("score", short_talk, "-o", tmp_path / str(number) / "scored.mp4"),
            *("--ledger", tmp_path / "ledger", "--workspace", workspace, "--seed", str(number)),
        ]

    (tmp_path / "0").mkdir()
    begun = time.monotonic()
    assert scorebed(*words(0), **keys).returncode == 0
    whole_s = time.monotonic() - begun
    for number in range(1, 51):
        (tmp_path / str(number)).mkdir()
        before = service.purchases
        command = [sys.executable, "-m", "scorebed", *words(number), "--overwrite"]
        child = subprocess.Popen(
            command, env=environment | keys, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            child.wait(timeout=rng.uniform(0.0, whole_s))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        again = scorebed(*words(number), "--overwrite", **keys)
        left = {path.name for path in (tmp_path / str(number)).iterdir()}
        if again.returncode == 0:
            assert service.purchases - before == 1
            assert left == {"scored.mp4", "scored.mp4.scorebed.json"}
        else:
            unknown += 1
            assert again.returncode == 5, again.stderr
            assert "may have been billed" in again.stderr
            assert service.purchases - before <= 1
    states = [receipt.state for receipt in Ledger(tmp_path / "ledger").receipts()]
    assert states.count(State.UNKNOWN) == unknown
    assert states.count(State.KEPT) == 51 - unknown
