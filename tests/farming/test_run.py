"""A farm's job as the farm's own programs run it: Open Job Description's, and a shell."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import scorebed

if TYPE_CHECKING:
    from scorebed.farming.write import Kind

NAMES = ("a 'b' {{x}} new\nline $(touch no) é.mp4", '-o "c" ; `touch no`.mp4', "plain.mp4")
PROGRAM = Path(sys.executable).with_name("scorebed")
Heard = Callable[[Path], tuple[Any, int]]


@dataclass(frozen=True)
class Scored:
    """Films with odd names, scored by a batch that nothing disturbed."""

    films: Path
    out: Path

    def same_as(self, out: Path, heard: Heard, stream_hash: Callable[[Path], str]) -> None:
        for name in NAMES:
            video = self.films / name
            result = name.removesuffix(".mp4") + ".scored.mp4"
            assert stream_hash(out / result) == stream_hash(video)
            assert np.array_equal(heard(out / result)[0], heard(self.out / result)[0])
        done = [json.loads(line) for line in (out / "batch.jsonl").read_text().splitlines()]
        assert sorted(line["name"] for line in done if line["state"] == "done") == sorted(
            name.removesuffix(".mp4") + ".scored.mp4" for name in NAMES
        )


@pytest.fixture(scope="module")
def scored(make_video: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Scored:
    place = tmp_path_factory.mktemp("farm")
    (place / "films").mkdir()
    for number, name in enumerate(NAMES):
        film = make_video(f"farm{number}.mp4", "-c:a", "aac", duration_s=1.5 + 0.25 * number)
        shutil.copy(film, place / "films" / name)
    options = scorebed.Options(quality="draft")
    scorebed.batch(
        place / "films", place / "batch", options=options, jobs=1, workspace=place / "other work"
    )
    return Scored(films=place / "films", out=place / "batch")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the farms of these tests share: the second has little left to do."""
    return tmp_path_factory.mktemp("shared") / "work"


@pytest.fixture
def farm_environment() -> dict[str, str]:
    return dict(os.environ) | {"PATH": f"{PROGRAM.parent}{os.pathsep}/usr/bin{os.pathsep}/bin"}


def openjd(*args: str | Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "openjd", *map(str, args)],
        capture_output=True,
        text=True,
        check=False,
        env=env,
        stdin=subprocess.DEVNULL,
    )


def test_open_job_description_runs_films_with_odd_names(
    scored: Scored,
    workspace: Path,
    tmp_path: Path,
    farm_environment: dict[str, str],
    heard: Heard,
    stream_hash: Callable[[Path], str],
) -> None:
    job, out = tmp_path / "the {{job}}", tmp_path / "out é {{x}}"
    written = scorebed.farm(
        "openjd", job, scored.films, out,
        workspace=workspace, options=scorebed.Options(quality="draft"),
    )  # fmt: skip
    assert [path.name for path in written.files] == [
        "films.jsonl", "parameters.json", "template.json",
    ]  # fmt: skip
    template = job / "template.json"
    checked = openjd("check", template, env=farm_environment)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    given = f"file://{job / 'parameters.json'}"
    ran = openjd("run", template, "-p", given, env=farm_environment)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Chunks run: 9" in ran.stdout
    scored.same_as(out, heard, stream_hash)
    # The farm is told how far each task is; what it is told ends at the whole of it.
    told = re.findall(r"\topenjd_progress: ([0-9.]+)$", ran.stdout, flags=re.MULTILINE)
    assert told.count("100.0") >= 6
    assert "\topenjd_status: compose" in ran.stdout
    assert not list(tmp_path.rglob("no"))


def test_each_line_for_opencue_runs_in_a_shell(
    scored: Scored,
    workspace: Path,
    tmp_path: Path,
    farm_environment: dict[str, str],
    heard: Heard,
    stream_hash: Callable[[Path], str],
) -> None:
    job, out = tmp_path / "it's a job; $(touch no)", tmp_path / "out"
    scorebed.farm(
        "opencue", job, scored.films, out,
        workspace=workspace, options=scorebed.Options(quality="draft"),
    )  # fmt: skip
    lines = (job / "scorebed.cmds").read_text().splitlines()
    assert len(lines) == len(NAMES)
    for line in lines:
        ran = subprocess.run(
            ["/bin/sh", "-c", line],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            env=farm_environment,
            stdin=subprocess.DEVNULL,
        )
        assert ran.returncode == 0, ran.stderr
    scored.same_as(out, heard, stream_hash)
    assert not list(tmp_path.rglob("no"))


@pytest.mark.parametrize("kind", ["openjd", "deadline-cloud"])
@pytest.mark.parametrize("chains", [False, True])
def test_every_template_passes_the_check(
    films: Path, tmp_path: Path, kind: Kind, farm_environment: dict[str, str], *, chains: bool
) -> None:
    options = scorebed.Options(provider="elevenlabs", ledger=tmp_path / "ledger")
    (films / "{{x}}\t.mp4").write_bytes((films / "a.mp4").read_bytes())
    scorebed.farm(
        kind, tmp_path / "job", films, tmp_path / "out",
        workspace=tmp_path / "work", options=options, chains=chains, limit="amount.music",
    )  # fmt: skip
    template = tmp_path / "job" / "template.json"
    checked = openjd("check", template, env=farm_environment)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    folders = [f"{name}={tmp_path / name}" for name in ("Out", "Workspace")]
    told = openjd("summary", template, "-p", folders[0], "-p", folders[1], env=farm_environment)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "Total tasks: 9" in told.stdout
    assert f"Total steps: {9 if chains else 3}" in told.stdout
