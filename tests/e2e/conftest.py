"""The product as a person runs it: a process, its streams, its files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.e2e.forker import Forker

_OF_PYTHON = ("PYTHON", "LC_", "LANG")
ROOT = Path(__file__).parents[2]
Scorebed = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def talk() -> Path:
    """The sample clip with speech."""
    return ROOT / "sample_media" / "talk.mp4"


@pytest.fixture(scope="session")
def montage() -> Path:
    """The sample clip without speech."""
    return ROOT / "sample_media" / "montage.mp4"


@pytest.fixture(scope="session")
def short_talk(make_media: Callable[..., Path], talk: Path) -> Path:
    """Twelve seconds of it, small: two scenes, speech, a pause."""
    return make_media(
        "short.mp4", "-i", talk, "-t", "12", "-vf", "scale=320:-2", "-c:v", "libx264",
        "-preset", "ultrafast", "-c:a", "copy",
    )  # fmt: skip


@pytest.fixture(scope="session")
def brief_talk(make_media: Callable[..., Path], talk: Path) -> Path:
    """Four seconds with speech in them, small."""
    return make_media(
        "brief.mp4", "-i", talk, "-t", "4", "-vf", "scale=160:-2", "-c:v", "libx264",
        "-preset", "ultrafast", "-c:a", "copy",
    )  # fmt: skip


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A user's environment without ffmpeg on PATH, without keys, with a cache of its own."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if "SCOREBED" not in name and "ELEVENLABS" not in name
    }
    home = tmp_path_factory.mktemp("home")
    return kept | {
        "PATH": "/nowhere",
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "COLUMNS": "100",
    }


@pytest.fixture(scope="session")
def scorebed(environment: dict[str, str]) -> Iterator[Scorebed]:
    """Runs ``python -m scorebed`` with arguments and waits for its end.

    As a fork of a process that has loaded what any run loads, where that can be had: half of the
    time of these tests went into loading it. What Python itself reads makes it one from scratch.
    """

    def run(
        *args: str | Path, cwd: Path | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        words = [*map(str, args)]
        if forker is not None and not any(name.startswith(_OF_PYTHON) for name in env):
            return forker.run(words, cwd, environment | env)
        return subprocess.run(
            [sys.executable, "-m", "scorebed", *words],
            cwd=cwd,
            capture_output=True,
            text=True,
            check=False,
            env=environment | env,
            stdin=subprocess.DEVNULL,
        )

    forker = Forker(environment) if sys.platform == "linux" else None
    yield run
    if forker is not None:
        forker.close()
