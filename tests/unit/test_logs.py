"""The journal and its files: who hears what, and that nothing of it stays."""

from __future__ import annotations

import json
import logging
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from scorebed.errors import MediaError, ScorebedError, SettingsError, WorkspaceError
from scorebed.journal import LOG, in_stage, note, noted, running
from scorebed.logs import SCHEMA_PATH, log_to

if TYPE_CHECKING:
    from collections.abc import Callable


def lines_of(path: Path) -> list[dict[str, Any]]:
    schema = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))
    lines = [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]
    for line in lines:
        jsonschema.validate(line, schema)
    return lines


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "run.log"


def test_a_line_says_which_file_which_stage_and_when(log: Path) -> None:
    heard: list[str] = []
    with (
        log_to(log, form="json", level="debug", lost=heard.append),
        running(Path("film.mp4"), "score"),
    ):
        with in_stage("spot"):
            note(logging.INFO, "begins")
        noted(heard.append)("music by embedded, free")
        note(logging.DEBUG, "ffmpeg -i x", stage="mux")
    told = [(line["level"], line["file"], line["stage"], line["message"]) for line in lines_of(log)]
    assert told == [
        ("info", "film.mp4", None, "score begins"),
        ("info", "film.mp4", "spot", "begins"),
        ("info", "film.mp4", None, "music by embedded, free"),
        ("debug", "film.mp4", "mux", "ffmpeg -i x"),
        ("info", "film.mp4", None, "score done"),
    ]
    elapsed = [line["elapsed_s"] for line in lines_of(log)]
    assert elapsed == sorted(elapsed)
    assert heard == ["music by embedded, free"]


@pytest.mark.parametrize(
    ("error", "stage", "remedy"),
    [
        (MediaError("probe: x is damaged", remedy="Export it again."), "probe", "Export it again."),
        (SettingsError("x exists already", remedy="Add --overwrite."), None, "Add --overwrite."),
        (KeyboardInterrupt(), None, "Run the same command again: it goes on where it stopped."),
    ],
)
def test_an_error_is_told_with_its_stage_and_remedy(
    error: BaseException, stage: str | None, remedy: str, log: Path
) -> None:
    with (
        log_to(log, form="json", lost=print),
        pytest.raises(type(error)),
        running("a.mp4", "score"),
    ):
        raise error
    last = lines_of(log)[-1]
    assert (last["level"], last["stage"], last["remedy"]) == ("error", stage, remedy)
    assert last["traceback"] is None


def test_what_nobody_foresaw_is_told_with_its_traceback_in_the_stage_it_came_from(
    log: Path,
) -> None:
    with (
        log_to(log, form="json", lost=print),
        pytest.raises(ZeroDivisionError),
        running("a.mp4", "score"),
        in_stage("mix"),
    ):
        _ = 1 // 0
    last = lines_of(log)[-1]
    assert (last["level"], last["stage"]) == ("error", "mix")
    assert "test_logs.py" in last["traceback"]


def test_a_run_within_a_run_of_the_same_verb_is_part_of_it_and_another_is_not(log: Path) -> None:
    with log_to(log, form="json", lost=print), running("folder", "batch"):
        with running("a.mp4", "score"), running("/cache/clip.mov", "score"):
            note(logging.INFO, "here")
        note(logging.INFO, "there")
    told = [(line["file"], line["message"]) for line in lines_of(log)]
    assert told == [
        ("folder", "batch begins"),
        ("a.mp4", "score begins"),
        ("a.mp4", "here"),
        ("a.mp4", "score done"),
        ("folder", "there"),
        ("folder", "batch done"),
    ]


def test_text_stays_on_one_line_and_lines_are_appended(log: Path) -> None:
    log.write_text("cut short", encoding="utf-8")
    for _ in range(2):
        with log_to(log, lost=print), running("a\nb\x1b[31m \udcff.mp4", "score"):
            pass
    first, *lines = log.read_text(encoding="utf-8").splitlines()
    assert first == "cut short"
    assert len(lines) == 4
    assert all("a\\nb\\x1b[31m \\udcff.mp4 [-] +0.00" in line for line in lines)


def test_a_level_leaves_out_what_is_below_it(log: Path) -> None:
    with log_to(log, level="error", lost=print), running("a.mp4", "score"):
        note(logging.WARNING, "softer")
        note(logging.ERROR, "loud")
    assert [line.split(" ")[-1] for line in log.read_text("utf-8").splitlines()] == ["loud"]


@pytest.mark.parametrize("name", ["MY_API_KEY", "GITHUB_TOKEN", "db_password"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_what_the_environment_calls_a_secret_is_hidden(
    name: str, form: Any, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "hunter2hunter2")
    with (
        log_to(log, form=form, lost=print),
        pytest.raises(ValueError, match="hunter2"),
        running("a.mp4", "score"),
    ):
        raise ValueError("Illegal header value b'hunter2hunter2'")
    text = log.read_text(encoding="utf-8")
    assert "hunter2" not in text
    assert "Illegal header value b'[hidden]'" in text


def test_logging_is_afterwards_as_it_was(log: Path) -> None:
    before = (LOG.level, list(LOG.handlers), logging.getLogger().level, LOG.propagate)
    inside = threading.Event()
    over = threading.Event()

    def other() -> None:
        with log_to(log, level="debug", lost=print):
            inside.set()
            over.wait(10)

    # The first to begin is the first to end: the other still hears what it asked for.
    with log_to(log.with_name("b.log"), lost=print):
        thread = threading.Thread(target=other)
        thread.start()
        assert inside.wait(10)
        assert LOG.level == logging.DEBUG
    assert LOG.level == logging.DEBUG
    over.set()
    thread.join()
    assert (LOG.level, list(LOG.handlers), logging.getLogger().level, LOG.propagate) == before


def test_where_nobody_has_set_up_logging_nothing_is_printed(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    with pytest.raises(MediaError), running("a.mp4", "score"):
        raise MediaError("probe: x is damaged", remedy="Export it again.")
    assert capfd.readouterr() == ("", "")


def test_whoever_has_set_up_logging_hears_the_fields(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with running("a.mp4", "score"), in_stage("spot"):
        note(logging.INFO, "begins 100 %")
    record: Any = caplog.records[1]
    assert (record.name, record.file, record.stage) == ("scorebed", "a.mp4", "spot")
    assert record.getMessage() == "begins 100 %"


def _folder(path: Path) -> None:
    path.mkdir()


def _film(path: Path) -> None:
    path.write_bytes(b"\0\0\0\x20ftypisom")


def _read_only(path: Path) -> None:
    path.touch(mode=0o400)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (_folder, SettingsError),
        (_film, SettingsError),
        pytest.param(
            _read_only,
            WorkspaceError,
            marks=pytest.mark.skipif(
                not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes everywhere"
            ),
        ),
    ],
)
def test_what_cannot_be_a_log_is_refused_and_left_alone(
    make: Callable[[Path], None], kind: type[ScorebedError], log: Path
) -> None:
    make(log)
    before = log.read_bytes() if log.is_file() else None
    with pytest.raises(kind) as caught, log_to(log, lost=print):
        pass
    assert caught.value.remedy
    assert (log.read_bytes() if log.is_file() else None) == before


def test_a_folder_that_is_missing_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(SettingsError, match="does not exist"),
        log_to(tmp_path / "a" / "b", lost=print),
    ):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full device")
def test_a_full_disk_is_told_once_and_the_work_goes_on() -> None:
    told: list[str] = []
    with log_to(Path("/dev/full"), lost=told.append), running("a.mp4", "score"):
        note(logging.INFO, "one more")
    assert len(told) == 1
    assert "goes on without it" in told[0]


def test_a_log_that_is_put_away_is_begun_anew(log: Path) -> None:
    with log_to(log, lost=print):
        note(logging.INFO, "one")
        log.rename(log.with_suffix(".1"))
        note(logging.INFO, "two")
        log.rename(log.with_suffix(".2"))
        log.write_text("begun by another\n")
        note(logging.INFO, "three")
    told = [path.read_text() for path in (log.with_suffix(".1"), log.with_suffix(".2"), log)]
    assert [text.splitlines()[-1].split()[-1] for text in told] == ["one", "two", "three"]
    assert told[2].startswith("begun by another\n")


def test_a_log_goes_on_when_there_is_room_again(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    now, full, plain = 0.0, False, os.write

    def write(descriptor: int, line: bytes) -> int:
        return plain(descriptor, line[:20] if full else line)

    monkeypatch.setattr("scorebed.logs.monotonic", lambda: now)
    monkeypatch.setattr("scorebed.logs.os.write", write)
    with log_to(log, lost=told.append):
        note(logging.INFO, "one")
        full = True
        note(logging.INFO, "two")
        now = 61.0
        note(logging.INFO, "three")
        full = False
        note(logging.INFO, "four")
        now = 122.0
        note(logging.INFO, "five")
    # The part of a line is ended, and swallows no other.
    assert [line.split()[-1] for line in log.read_text().splitlines() if len(line) > 20] == [
        "one", "five",
    ]  # fmt: skip
    assert len(told) == 1
    assert "goes on without it" in told[0]
