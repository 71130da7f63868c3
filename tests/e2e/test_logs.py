"""``--log-file``: what a run leaves in it, and what never."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from scorebed.cli.main import _run
from scorebed.logs import SCHEMA_PATH
from scorebed.testing import MusicService

Scorebed = Callable[..., subprocess.CompletedProcess[str]]
KEY = "sk_log_4711_secret"
STAGES = ["probe", "spot", "reel", "compose", "conform", "level", "duck", "mix", "mux"]


def lines_of(path: Path) -> list[dict[str, Any]]:
    schema = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))
    lines = [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]
    for line in lines:
        jsonschema.validate(line, schema)
    return lines


def test_the_whole_way_is_logged_and_no_key(
    scorebed: Scorebed, brief_talk: Path, tmp_path: Path
) -> None:
    log, ledger, output = tmp_path / "run.log", tmp_path / "ledger", tmp_path / "out.mp4"
    asked = ["--workspace", str(tmp_path / "work"), "--ledger", str(ledger), "--log-file", str(log)]
    asked += ["--log-format", "json", "--log-level", "debug", "-o", str(output)]
    with MusicService(key=KEY) as service:
        settings = {"ELEVENLABS_API_KEY": KEY, "ELEVENLABS_BASE_URL": service.url}
        done = scorebed("score", brief_talk, *asked, **settings)
        refused = scorebed(
            *("score", brief_talk, *asked, "--overwrite", "--seed", "2"),
            **(settings | {"ELEVENLABS_API_KEY": "sk_another_4711_secret"}),
        )
    assert done.returncode == 0, done.stderr
    assert refused.returncode == 5
    text = log.read_text(encoding="ascii")
    assert "secret" not in text
    assert "xi-api-key" not in text.lower()
    assert "authorization" not in text.lower()
    lines = lines_of(log)
    assert {line["file"] for line in lines} == {str(brief_talk)}
    begun = [line["stage"] for line in lines if line["message"] == "begins"]
    assert [stage for stage in begun if stage in STAGES][: len(STAGES)] == STAGES
    # What was bought is in it, and every command that ffmpeg was given.
    assert any("USD" in line["message"] for line in lines)
    assert any(
        line["level"] == "debug" and " -i " in line["message"] and line["stage"] == "mux"
        for line in lines
    )
    last = lines[-1]
    assert (last["level"], last["stage"]) == ("error", "compose")
    assert last["message"] in refused.stderr
    assert last["remedy"] in refused.stderr


@pytest.mark.parametrize("verb", ["spot", "measure", "sync"])
def test_other_verbs_log_too(
    verb: str, scorebed: Scorebed, brief_talk: Path, tmp_path: Path
) -> None:
    log = tmp_path / "run.log"
    done = scorebed(verb, brief_talk, "--log-file", log, "--quiet")
    assert done.returncode == 0, done.stderr
    first, *_, last = log.read_text(encoding="utf-8").splitlines()
    assert first.endswith(f"{verb} begins")
    assert last.endswith(f"{verb} done")
    assert all(str(brief_talk) in line for line in (first, last))


def test_a_signal_is_logged_with_its_stage(
    environment: dict[str, str], brief_talk: Path, tmp_path: Path
) -> None:
    log = tmp_path / "run.log"
    command = ["score", brief_talk, "-o", tmp_path / "out.mp4", "--log-file", log]
    command += ["--workspace", tmp_path / "work"]
    process = subprocess.Popen(
        [sys.executable, "-m", "scorebed", *map(str, command), "--log-format", "json"],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        stdin=subprocess.DEVNULL,
    )
    assert process.stderr is not None
    while "spot: started" not in process.stderr.readline():
        assert process.poll() is None
    # Flushed line by line: what has happened is there while the run goes on.
    assert any(line["message"].startswith("done in") for line in lines_of(log))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    last = lines_of(log)[-1]
    assert (last["level"], last["message"]) == ("error", "stopped before the end")
    assert last["stage"] in {"spot", None}
    assert "again" in last["remedy"]


@pytest.mark.parametrize(
    "asked",
    [
        ("--log-file", "missing/run.log"),
        ("--log-file", "."),
        ("--log-file", "film.mp4"),
        ("--log-file", "film.scored.mp4"),
        ("--log-file", "film.scored.mp4.scorebed.json"),
        ("--log-format", "json"),
        ("--log-level", "debug"),
    ],
    ids=" ".join,
)
def test_a_log_that_cannot_be_written_is_refused_before_any_work(
    asked: tuple[str, ...],
    brief_talk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(brief_talk.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert _run(["score", "film.mp4", "--workspace", "work", *asked]) == 2
    said = capsys.readouterr().err
    assert "--log" in said or "log: " in said
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]
    assert film.read_bytes() == brief_talk.read_bytes()
