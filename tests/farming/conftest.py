"""Films for farms, and the tasks of a job by number and step."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.e2e.conftest import environment, scorebed

from scorebed.farming.task import Step, Task, run_task
from scorebed.model import no_progress

__all__ = ["environment", "films", "run", "scorebed"]

Run = Callable[..., list[str]]


@pytest.fixture
def films(make_video: Callable[..., Path], tmp_path: Path) -> Path:
    """A folder with two films of 3 s."""
    place = tmp_path / "films"
    place.mkdir()
    for name, look in (("a.mp4", "testsrc2=size=160x90"), ("b.mp4", "testsrc=size=160x90")):
        made = make_video(f"farmed {name}", "-c:a", "aac", duration_s=3.0, look=look)
        shutil.copy2(made, place / name)
    return place


@pytest.fixture
def run() -> Run:
    """Runs a task of a job in this process."""

    def do(job: Path, number: int, step: Step | None, *, mapping: Path | None = None) -> list[str]:
        task = Task(films=job / "films.jsonl", number=number, step=step, mapping=mapping)
        return run_task(task, lambda _stage: no_progress)

    return do
