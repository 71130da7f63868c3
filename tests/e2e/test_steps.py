"""``scorebed score --until``: a job in steps, by processes that share a workspace and a ledger."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

import scorebed as package
from scorebed.errors import MissingKey, RequestRejected, SettingsError
from scorebed.job import Job
from scorebed.model import no_progress
from scorebed.options import Options
from scorebed.pipeline import score
from scorebed.settings import resolve
from scorebed.steps import score_until
from scorebed.testing import MusicService

Scorebed = Callable[..., subprocess.CompletedProcess[str]]
KEY = "sk_steps_4711_secret"
SCHEMA = json.loads((Path(package.__file__).parent / "schema" / "step-1.json").read_text())


@pytest.fixture
def film(make_video: Callable[..., Path], tmp_path: Path) -> Path:
    made = make_video("steps.mp4", "-c:a", "aac", duration_s=3.0)
    return Path(shutil.copy2(made, tmp_path / "a film.mp4"))


@pytest.fixture
def service() -> Iterator[MusicService]:
    with MusicService(key=KEY) as running:
        yield running


@pytest.fixture
def bought(service: MusicService, film: Path, tmp_path: Path) -> Job:
    """A job whose music costs money."""
    asked = Options(provider="elevenlabs", base_url=service.url, ledger=tmp_path / "ledger")
    return Job(
        video=film,
        output=tmp_path / "out.mp4",
        settings=resolve(asked),
        workspace=tmp_path / "work",
    )


def quiet(_stage: str) -> Any:
    return no_progress


def test_steps_end_early_and_the_last_one_only_adds_its_own(
    scorebed: Scorebed,
    film: Path,
    tmp_path: Path,
    heard: Callable[[Path], tuple[Any, int]],
    stream_hash: Callable[[Path], str],
) -> None:
    out, work = tmp_path / "out.mp4", tmp_path / "work"
    done = scorebed(
        *("score", film, "-o", out, "--quality", "draft", "--workspace", work),
        *("--until", "analyse", "--json"),
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    jsonschema.validate(found, SCHEMA)
    assert found["until"] == "analyse"
    assert found["music"] is None
    first = {run["name"] for run in found["stages"]}
    assert "compose" not in first
    settings = resolve(Options(quality="draft"))
    job = Job(video=film, output=out, settings=settings, workspace=work)
    made = score_until(job, "compose", quiet)
    told = json.loads(made.to_json())
    jsonschema.validate(told, SCHEMA)
    assert told["music"]["provider"] == "embedded"
    assert {run.name for run in made.stages if run.cached} == first
    assert {run.name for run in made.stages if not run.cached} == {"compose"}
    assert {path.name for path in tmp_path.iterdir()} == {film.name, "work"}
    last = score(job, quiet)
    assert {run.name for run in last.stages if run.cached} == first | {"compose"}
    # The same as in one go, elsewhere.
    whole = replace(job, output=tmp_path / "whole.mp4", workspace=tmp_path / "other")
    score(whole, quiet)
    assert stream_hash(out) == stream_hash(whole.output) == stream_hash(film)
    assert np.array_equal(heard(out)[0], heard(whole.output)[0])


def test_only_to_compose_needs_a_key_and_it_pays_once(
    bought: Job, service: MusicService, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = score_until(bought, "analyse", quiet)
    # What would be sent is there, and the mux is proved: all but the buying.
    assert {"reel", "dry_mux"} <= {run.name for run in found.stages}
    with pytest.raises(MissingKey):
        score_until(bought, "compose", quiet)
    assert not service.requests
    monkeypatch.setenv("ELEVENLABS_API_KEY", KEY)
    service.will("422-detail")
    with pytest.raises(RequestRejected):
        score_until(bought, "compose", quiet)
    take = score_until(bought, "compose", quiet).take
    assert take is not None
    assert take.spent.requests == 1
    again = score_until(bought, "compose", quiet).take
    assert again is not None
    assert again.spent.requests == 0
    # The workspace was cleaned away, the key is on another machine: the ledger has it.
    shutil.rmtree(bought.workspace)
    monkeypatch.delenv("ELEVENLABS_API_KEY")
    result = score(bought, quiet)
    assert result.take.spent.requests == 0
    assert result.take.receipts == take.receipts
    assert service.purchases == 1


@pytest.mark.slow
def test_two_that_compose_at_once_pay_once(
    bought: Job, service: MusicService, environment: dict[str, str], tmp_path: Path
) -> None:
    command = [
        *(sys.executable, "-m", "scorebed", "score", bought.video, "-o", bought.output),
        *("--workspace", bought.workspace, "--ledger", tmp_path / "ledger"),
        *("--provider", "elevenlabs", "--until", "compose", "--json"),
    ]
    told = {"ELEVENLABS_API_KEY": KEY, "ELEVENLABS_BASE_URL": service.url}
    both = [
        subprocess.Popen(
            list(map(str, command)),
            env=environment | told,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [one.communicate() for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    spent = sorted(json.loads(stdout)["music"]["spent"]["requests"] for stdout, _ in said)
    assert spent == [0, 1]
    assert service.purchases == 1


def test_a_step_is_not_in_the_way_of_what_it_does_not_write(
    bought: Job, scorebed: Scorebed, film: Path
) -> None:
    bought.output.write_text("the user's")
    assert score_until(bought, "analyse", quiet).picture.packets_sha256
    assert bought.output.read_text() == "the user's"
    with pytest.raises(SettingsError, match="exists already"):
        score(bought, quiet)
    with pytest.raises(SettingsError, match="is the input"):
        score_until(replace(bought, output=film), "analyse", quiet)
    done = scorebed("score", bought.video, "--until", "compose", "--plan")
    assert done.returncode == 2
    assert "--plan and --until" in done.stderr
    batch = scorebed("batch", bought.video, "--out", bought.workspace, "--until", "compose")
    assert batch.returncode == 2
