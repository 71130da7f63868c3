"""A task of a farm: run twice, at once, after a kill, on another machine; refused; paid once."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import scorebed
from scorebed.errors import (
    MediaError,
    OutcomeUnknown,
    OverLimit,
    RequestRejected,
    SettingsError,
    ToolStalled,
    WorkspaceError,
)
from scorebed.ledger import Ledger
from scorebed.options import Options
from scorebed.pipeline import score
from scorebed.testing import MusicService

Run = Callable[..., list[str]]
KEY = "sk_farm_4711_secret"
DRAFT = Options(quality="draft")


@pytest.fixture
def service() -> Iterator[MusicService]:
    with MusicService(key=KEY) as running:
        yield running


@pytest.fixture
def paid(service: MusicService, tmp_path: Path) -> Options:
    return Options(provider="elevenlabs", base_url=service.url, ledger=tmp_path / "ledger")


def lines_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "batch.jsonl").read_text().splitlines()]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write(tmp_path: Path, films: Path, options: Options, **more: Any) -> tuple[Path, Path]:
    """A job and the folder of its results."""
    job, out = tmp_path / "job", tmp_path / "out"
    scorebed.farm("openjd", job, films, out, workspace=tmp_path / "work", options=options, **more)
    return job, out


def test_what_is_bought_is_bought_by_the_step_that_composes_and_once(
    run: Run, films: Path, paid: Options, service: MusicService, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    # No key where the job is written, nor where films are analysed and finished.
    job, out = write(tmp_path, films, paid)
    assert KEY not in "".join(path.read_text() for path in job.iterdir())
    for _ in range(2):
        run(job, 1, "analyse")
    with pytest.raises(OverLimit, match="the step finish buys none") as refused:
        run(job, 1, "finish")
    assert "step compose" in refused.value.remedy
    assert not service.requests
    with monkeypatch.context() as there:
        there.setenv("ELEVENLABS_API_KEY", KEY)
        for _ in range(2):
            run(job, 1, "compose")
    assert service.purchases == 1
    # Cleaned away meanwhile: made again, but for what was paid.
    shutil.rmtree(tmp_path / "work")
    run(job, 1, "finish")
    film = out / "a.scored.mp4"
    first = digest(film)
    assert run(job, 1, "finish") == [f"done before: {film}"]
    assert run(job, 1, "analyse") == [f"done before: {film}"]
    assert digest(film) == first
    told = lines_of(out)
    assert [line["state"] for line in told] == ["failed", "skipped", "done"]
    assert [line["spent"]["amount"] for line in told] == [0.0, pytest.approx(0.03), 0.0]
    assert len(service.requests) == 1


@pytest.mark.parametrize("there", ["an empty folder", "nothing"])
def test_a_folder_of_results_that_is_not_mounted_is_not_made_anew(
    run: Run, films: Path, tmp_path: Path, there: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    job, _ = write(tmp_path, films, DRAFT)
    out.rename(tmp_path / "elsewhere")
    empty = there != "nothing"
    if empty:  # as the folder is that a share is mounted on
        out.mkdir()
    for step in ("analyse", "finish", None):
        with pytest.raises(WorkspaceError, match="where the job was written") as refused:
            run(job, 1, step)
        assert "mounted" in refused.value.remedy
        assert (list(out.iterdir()) if empty else out.exists()) in ([], False)
        assert not (tmp_path / "work").exists()
    if empty:
        out.rmdir()
    (tmp_path / "elsewhere").rename(out)
    run(job, 1, "finish")
    assert (out / "a.scored.mp4").is_file()
    # Another job of the same folder knows it by the same number.
    write(tmp_path, films, DRAFT, overwrite=True)
    run(job, 1, None)


def test_a_ledger_that_is_not_mounted_is_not_made_anew(
    run: Run, films: Path, paid: Options, service: MusicService, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    job, out = write(tmp_path, films, paid)
    monkeypatch.setenv("ELEVENLABS_API_KEY", KEY)
    run(job, 1, "compose")
    ledger = tmp_path / "ledger"
    ledger.rename(tmp_path / "elsewhere")
    for step in ("compose", "finish", None):
        with pytest.raises(WorkspaceError, match="no such ledger") as refused:
            run(job, 1, step)
        assert "mounted" in refused.value.remedy
        assert not ledger.exists()
    # Another one is none either.
    Ledger(ledger).identify()
    with pytest.raises(WorkspaceError, match="another ledger"):
        run(job, 2, "compose")
    assert service.purchases == 1
    shutil.rmtree(ledger)
    (tmp_path / "elsewhere").rename(ledger)
    run(job, 1, "finish")
    assert (out / "a.scored.mp4").is_file()


def test_two_at_once_do_a_film_once(
    run: Run, films: Path, paid: Options, service: MusicService, tmp_path: Path,
    environment: dict[str, str],
) -> None:  # fmt: skip
    job, out = write(tmp_path, films, paid)
    command = [sys.executable, "-m", "scorebed", "farm", "task", job / "films.jsonl", "--film", "2"]
    both = [
        subprocess.Popen(
            list(map(str, command)),
            env=environment | {"ELEVENLABS_API_KEY": KEY},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [one.communicate()[1] for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    assert sum("done before" in one for one in said) == 1
    assert [line["state"] for line in lines_of(out)] == ["done"]
    assert service.purchases == 1


def test_a_refusal_that_cannot_get_better_is_not_asked_for_again(
    run: Run, films: Path, paid: Options, service: MusicService, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("ELEVENLABS_API_KEY", KEY)
    job, out = write(tmp_path, films, paid)
    service.will("422-detail")
    for _ in range(2):
        with pytest.raises(RequestRejected) as refused:
            run(job, 1, "compose")
        assert refused.value.exit_code == 5
        assert "422" in refused.value.message
    assert len(service.requests) == 1
    (line,) = lines_of(out)
    assert line["error"]["kind"] == "RequestRejected"
    assert line["error"]["stage"] == "compose"
    # The other film is asked for; and so is this one, by a job that is written anew.
    run(job, 2, "compose")
    write(tmp_path, films, paid, overwrite=True)
    rows = job / "films.jsonl"
    # A job of the next second: the record knows no shorter time.
    rows.write_text(rows.read_text().replace('"written": "2', '"written": "3'))
    run(job, 1, "compose")
    assert service.purchases == 2


def test_a_broken_film_fails_again_without_a_look(run: Run, films: Path, tmp_path: Path) -> None:
    job, out = write(tmp_path, films, DRAFT)
    (films / "a.mp4").write_bytes((films / "a.mp4").read_bytes()[:2000])
    for _ in range(2):
        with pytest.raises(MediaError):
            run(job, 1, "analyse")
    assert len(lines_of(out)) == 1
    run(job, 2, None)
    assert [line["state"] for line in lines_of(out)] == ["failed", "done"]


def test_a_file_of_the_users_is_never_taken_for_ours(
    run: Run, films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, out = write(tmp_path, films, DRAFT)
    out.mkdir()
    film = out / "a.scored.mp4"
    film.write_text("the user's")
    for _ in range(2):
        with pytest.raises(SettingsError, match="exists already"):
            run(job, 1, "finish")
    assert film.read_text() == "the user's"
    film.unlink()

    def killed(*_args: object) -> None:
        raise KeyboardInterrupt

    # Killed after the film has its name, before that is written down: the next task replaces it.
    with monkeypatch.context() as dying:
        dying.setattr("scorebed.batching.record.Record.end", killed)
        with pytest.raises(KeyboardInterrupt):
            run(job, 1, "finish")
    assert film.is_file()
    before = digest(film)
    run(job, 1, "finish")
    assert digest(film) == before
    assert not list((tmp_path / "work").glob("*.begun"))


def test_a_full_disk_is_a_failure_that_another_try_mends(
    run: Run, films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, out = write(tmp_path, films, DRAFT)

    def full(*_args: object, **_more: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("scorebed.delivery.publish", full)
        with pytest.raises(WorkspaceError, match="full"):
            run(job, 1, "finish")
    # The film and the figures beside it come together, or not at all.
    assert {path.name for path in out.iterdir()} == {"batch.jsonl"}
    run(job, 1, "finish")
    assert (out / "a.scored.mp4").is_file()


def test_what_failed_in_this_job_is_not_done_by_an_older_one(
    run: Run, films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, out = write(tmp_path, films, DRAFT, only=("a.mp4",))
    run(job, 1, None)
    first = (out / "a.scored.mp4").read_bytes()
    job = tmp_path / "another job"
    options = replace(DRAFT, seed=2)
    scorebed.farm("openjd", job, films, out, workspace=tmp_path / "work", options=options)

    def stalled(*_args: object, **_more: object) -> None:
        raise ToolStalled("mux: ffmpeg made no headway", remedy="Run it again.")

    with monkeypatch.context() as slow:
        slow.setattr("scorebed.farming.task.score", stalled)
        with pytest.raises(ToolStalled):
            run(job, 1, None)
    run(job, 1, None)
    assert (out / "a.scored.mp4").read_bytes() != first


def test_paths_are_mapped_as_the_farm_says(run: Run, films: Path, tmp_path: Path) -> None:
    speech = films / "said é.srt"
    speech.write_text("1\n00:00:01,000 --> 00:00:02,000\nwords\n")
    job, _ = write(tmp_path, films, Options(speech=speech, quality="draft"), only=("a.mp4",))
    (tmp_path / "there").mkdir()
    for name in ("films", "out", "work"):
        if (tmp_path / name).exists():
            (tmp_path / name).rename(tmp_path / "there" / name)
    rules = tmp_path / "rules.json"
    one = {
        "source_path_format": "POSIX",
        "source_path": str(tmp_path),
        "destination_path": str(tmp_path / "there"),
    }
    wrong = one | {"source_path": str(tmp_path.parent), "destination_path": "/nowhere"}
    told = {"version": "pathmapping-1.0", "path_mapping_rules": [wrong, one]}
    rules.write_text(json.dumps(told))
    run(job, 1, None, mapping=rules)
    result = json.loads((tmp_path / "there/out/a.scored.mp4.scorebed.json").read_text())
    assert [(one["start_s"], one["end_s"]) for one in result["speech"]] == [(1.0, 2.0)]
    assert not (tmp_path / "out").exists()


def test_a_task_waits_for_another_one_at_its_film(
    run: Run, films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, out = write(tmp_path, films, DRAFT)
    here, go = threading.Event(), threading.Event()

    def slow(*args: Any) -> Any:
        here.set()
        assert go.wait(60)
        return score(*args)

    monkeypatch.setattr("scorebed.farming.task.score", slow)
    said: list[list[str]] = []
    both = [
        threading.Thread(target=lambda: said.append(run(job, 1, None)), daemon=True)
        for _ in range(2)
    ]
    both[0].start()
    assert here.wait(60)
    both[1].start()
    go.set()
    for one in both:
        one.join(60)
    film = out / "a.scored.mp4"
    assert sorted(lines[0] for lines in said) == [f"done before: {film}", f"written    {film}"]


@pytest.mark.parametrize("text", ["", "no json\n", '{"number": 1}\n'])
def test_what_are_no_films_is_refused(run: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "films.jsonl").write_text(text)
    with pytest.raises(SettingsError, match=r"films\.jsonl"):
        run(tmp_path, 1, "analyse")
    with pytest.raises(SettingsError, match="cannot be read"):
        run(tmp_path / "nowhere", 1, "analyse")


@pytest.mark.parametrize(("name", "value"), [("version", "9.9.9"), ("schema", 77)])
def test_a_job_of_another_release_is_refused(
    run: Run, films: Path, paid: Options, service: MusicService, tmp_path: Path, name: str,
    value: object,
) -> None:  # fmt: skip
    job, out = write(tmp_path, films, paid, only=("a.mp4",))
    row = json.loads((job / "films.jsonl").read_text())
    (job / "films.jsonl").write_text(json.dumps(row | {name: value}) + "\n")
    with pytest.raises(SettingsError, match=f"{value}.* this is {scorebed.__version__}") as refused:
        run(job, 1, "compose")
    assert "pip install scorebed==" in refused.value.remedy
    assert not service.requests
    assert not out.exists()


def test_an_answer_that_was_lost_is_bought_again_by_hand(
    run: Run, films: Path, paid: Options, service: MusicService, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("ELEVENLABS_API_KEY", KEY)
    job, out = write(tmp_path, films, paid, only=("a.mp4",))
    service.will("reset-after-body")
    for _ in range(2):
        with pytest.raises(OutcomeUnknown) as lost:
            run(job, 1, "compose")
        assert "scorebed score --buy-again" in lost.value.remedy
        assert str(tmp_path / "ledger") in lost.value.remedy
    assert len(service.requests) == 1
    assert [line["error"]["remedy"] for line in lines_of(out)] == [lost.value.remedy] * 2
    scorebed.score(
        films / "a.mp4", tmp_path / "by hand.mp4", provider="elevenlabs", base_url=service.url,
        ledger=tmp_path / "ledger", workspace=tmp_path / "work", buy_again=True,
    )  # fmt: skip
    run(job, 1, "compose")
    run(job, 1, "finish")
    assert len(service.requests) == 2
