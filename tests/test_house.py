"""The checks that every change passes: types, lint, format."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "tool",
    [
        ["mypy"],
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
    ],
    ids=["types", "lint", "format"],
)
def test_the_house_is_in_order(tool: list[str], tmp_path: Path) -> None:
    cache = {"mypy": ["--cache-dir", str(tmp_path)]}.get(tool[0], ["--no-cache"])
    done = subprocess.run(
        [sys.executable, "-m", *tool, *cache], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
