"""How a batch is told: lines, JSON Lines, Open Job Description, and how far music has drifted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from scorebed.batching.items import (
    BatchProgress,
    Failure,
    MusicFigures,
    Outcome,
    Running,
)
from scorebed.batching.outcome import BatchResult, clock
from scorebed.batching.style import drift
from scorebed.cli.batch_views import batch_view
from scorebed.cli.options_batch import View
from scorebed.model import Quote

if TYPE_CHECKING:
    import pytest

RUNNING = Running(number=2, video=Path("b.mp4"), stage="spot", share=0.2, elapsed_s=1.0)
DONE = Outcome(
    number=1,
    name="a.scored.mp4",
    video=Path("a.mp4"),
    output=Path("out/a.scored.mp4"),
    key="k",
    state="done",
    seconds=3.21,
)
BROKEN = replace(
    DONE,
    state="failed",
    failure=Failure(kind="MediaError", stage="probe", message="m", remedy="r", exit_code=3),
)
TOLD = BatchProgress(
    files=3,
    done=1,
    failed=0,
    skipped=1,
    running=(RUNNING,),
    share=0.5,
    elapsed_s=10.0,
    left_s=10.0,
    spent=(Quote(requests=1, seconds=4.0, amount=0.04, currency="USD"),),
)


def test_plain_lines_name_what_begins_and_ends(capsys: pytest.CaptureFixture[str]) -> None:
    with batch_view(View.PLAIN, quiet=False) as watch:
        watch(TOLD)
        watch(TOLD)
        watch(replace(TOLD, ended=DONE, said="b.mp4: about 0.04 USD"))
        watch(replace(TOLD, ended=replace(DONE, state="skipped", why="done before")))
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "[2/3] b.mp4: started",
        "b.mp4: about 0.04 USD",
        "[1/3] a.mp4: done in 3.2 s -> a.scored.mp4",
    ]


def test_json_lines_are_objects(capsys: pytest.CaptureFixture[str]) -> None:
    with batch_view(View.JSON, quiet=False) as watch:
        watch(TOLD)
        watch(replace(TOLD, ended=BROKEN, failed=1))
    said = capsys.readouterr()
    assert said.out == ""
    events = [json.loads(line) for line in said.err.splitlines()]
    assert [one["event"] for one in events] == ["started", "progress", "ended", "progress"]
    assert events[1]["left_s"] == 10.0
    assert events[1]["running"][0]["stage"] == "spot"
    assert events[2]["file"]["error"]["exit_code"] == 3


def test_openjd_lines_are_on_stdout_and_only_news(capsys: pytest.CaptureFixture[str]) -> None:
    assert BROKEN.failure is not None
    with batch_view(View.OPENJD, quiet=False) as watch:
        watch(TOLD)
        watch(replace(TOLD, share=0.5001))
        failure = replace(BROKEN.failure, message="probe: a\nb.mp4 is text")
        watch(replace(TOLD, ended=replace(BROKEN, failure=failure)))
        watch(replace(TOLD, share=1.0, running=(), done=3))
    assert capsys.readouterr().out.splitlines() == [
        "openjd_progress: 50.0",
        "openjd_status: 1 of 3 done, 1 skipped; b.mp4: spot; 0.04 USD spent",
        "openjd_fail: probe: a b.mp4 is text",
        "openjd_progress: 100.0",
        "openjd_status: 3 of 3 done, 1 skipped; 0.04 USD spent",
    ]


def test_quiet_says_what_failed(capsys: pytest.CaptureFixture[str]) -> None:
    with batch_view(View.AUTO, quiet=True) as watch:
        watch(replace(TOLD, said="news", ended=DONE))
        watch(replace(TOLD, ended=BROKEN))
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "error: a.mp4: failed: m\n  r\n")


def test_bars_come_and_go(capsys: pytest.CaptureFixture[str]) -> None:
    with batch_view(View.RICH, quiet=False) as watch:
        watch(replace(TOLD, said="[b]not markup[/b]"))
        watch(replace(TOLD, running=(), ended=BROKEN))
    said = capsys.readouterr().err
    assert "[b]not markup[/b]" in said
    assert "a.mp4: failed: m" in said
    assert "1 of 3 done" in said


def figures(key: str, tempo: float | None, lufs: float, hz: float) -> MusicFigures:
    return MusicFigures(key=key, tempo_bpm=tempo, integrated_lufs=lufs, brightness_hz=hz)


def test_drift_is_from_the_median() -> None:
    found = drift(
        [
            ("a", figures("C aeolian", 100.0, -20.0, 1000.0)),
            ("b", figures("C aeolian", 104.0, -21.0, 1100.0)),
            ("c", figures("G ionian", None, -18.0, 900.0)),
        ]
    )
    assert [one.key_differs for one in found] == [False, False, True]
    assert [one.tempo_percent for one in found] == [-2.0, 2.0, None]
    assert [one.loudness_lu for one in found] == [0.0, -1.0, 2.0]
    assert [one.brightness_percent for one in found] == [0.0, 10.0, -10.0]
    assert drift([]) == ()


def test_names_stay_on_their_line_and_one_is_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = replace(BROKEN, video=Path("a\nb\x1b[2J.mp4"))
    result = BatchResult(out=tmp_path, outcomes=(odd,), seconds=1.0, one_style=False)
    lines = result.lines()
    assert not any("\n" in line or "\x1b" in line for line in lines)
    assert any("a\\nb\\x1b[2J.mp4" in line for line in lines)
    assert "1 file: 0 done, 1 failed, 0 skipped" in lines
    assert result.failed_words() == "1 of 1 file failed; 0 are done"
    # Nothing is named that is not there.
    assert not any(line.startswith("record") for line in lines)
    (tmp_path / "batch.jsonl").touch()
    assert any(line.startswith("record") for line in result.lines())
    with batch_view(View.PLAIN, quiet=False, verb="watch") as watch:
        watch(replace(TOLD, running=(), ended=odd))
    told = capsys.readouterr().err.splitlines()
    assert "a\\nb\\x1b[2J.mp4: failed: m" in told[0]


def test_the_table_counts_and_thousands_show_their_failures() -> None:
    result = BatchResult(
        out=Path("out"), outcomes=(*(DONE,) * 300, BROKEN), seconds=65.0, one_style=False
    )
    lines = result.lines()
    assert len(lines) < 10
    assert any("a.mp4: m (exit 3)" in line for line in lines)
    assert "301 files: 300 done, 1 failed, 0 skipped" in lines
    assert [clock(12.34), clock(65), clock(3725)] == ["12.3 s", "1:05", "1:02:05"]
