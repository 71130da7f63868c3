"""What the command line says where it cannot do what was asked, and what README tells to run."""

from __future__ import annotations

import configparser
import os
import plistlib
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.main import get_command

from scorebed.cli.main import _run, app
from scorebed.cli.task_view import TaskView, task_talk, task_view
from scorebed.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLE = Path(__file__).parents[2] / "sample_media" / "talk.mp4"
README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


NAMES = ("a\x1b[2Jb.mp4", "a\nopenjd_fail: b.mp4", "a\rb.mp4", "a\x07.mp4")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("more", [(), ("--traceback",)])
def test_a_name_is_never_obeyed(
    name: str, more: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(["measure", str(tmp_path / name), *more]) == 3
    lines = capsys.readouterr().err.rstrip("\n").split("\n")
    assert all(line.isprintable() for line in lines), lines
    at = next(number for number, line in enumerate(lines) if line.startswith("error: "))
    assert name.encode("unicode_escape").decode() in lines[at]
    assert len(lines) == at + 2
    assert lines[-1].startswith("  ")


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("score --nonsense", "scorebed score --help"),
        ("nonsense", "scorebed --help"),
        ("farm nonsense", "scorebed farm --help"),
        ("farm openjd --nonsense", "scorebed farm openjd --help"),
        ("ledger show", "scorebed ledger show --help"),
        ("ledger serve --port x", "scorebed ledger serve --help"),
        ("hook resolve", "scorebed hook --help"),
        ("score a.mp4 --until nonsense", "scorebed score --help"),
    ],
)
def test_a_slip_is_sent_to_the_page_of_its_own_verb(
    words: str, page: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # What a hook cannot do is told on the desktop too.
    monkeypatch.setattr("scorebed.watching.queue.tell_apart", lambda _text: None)
    assert _run(words.split()) == 2
    error, remedy = capsys.readouterr().err.rstrip("\n").split("\n")
    assert error.startswith("error: ")
    assert remedy == f"  Run: {page}"


@pytest.mark.parametrize("other", ["--json", "--plan", "--dry-mux"])
def test_two_do_not_share_stdout(other: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["score", "film.mp4", "--progress", "openjd", other]) == 2
    told = capsys.readouterr()
    assert f"{other} and --progress openjd" in told.err
    assert not told.out


def test_a_film_on_a_farm_tells_how_it_goes(capsys: pytest.CaptureFixture[str]) -> None:
    with task_view(TaskView.OPENJD, ("analyse", "compose"), quiet=True) as watch:
        for stage in ("probe", "dry mux", "spot", "reel", "compose"):
            watch(stage)(0.5)
        task_talk(TaskView.OPENJD)("written a\nopenjd_fail: b")
    told = capsys.readouterr()
    lines = told.out.splitlines()
    shares = [float(line.split()[1]) for line in lines if line.startswith("openjd_progress: ")]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert 0 < shares[-2] < shares[-1] == 100
    assert "openjd_status: compose" in lines
    assert told.err == "written a openjd_fail: b\n"


def test_why_a_film_failed_is_told_to_the_farm_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film = tmp_path / "a\nopenjd_status: b.mp4"
    assert _run(["score", str(film), "--progress", "openjd", "--quiet"]) == 3
    out, err = capsys.readouterr()
    (why,) = [line for line in out.splitlines() if line.startswith("openjd_fail: ")]
    assert "probe: " in why
    for line in (out + err).splitlines():
        assert not line.startswith("openjd_status: b.mp4")
    assert "openjd_progress: 100.0" not in out
    with pytest.raises(MediaError), task_view(TaskView.OPENJD, None, quiet=True):
        raise MediaError("a\x1b[2J", remedy="b")
    assert capsys.readouterr().out == "openjd_fail: a\\x1b[2J - b\n"


# --- what README gives to systemd and launchd -----------------------------------------------------


def block(begin: str, end: str) -> str:
    found = re.search(rf"^( *){re.escape(begin)}.*?{end}$", README, re.MULTILINE | re.DOTALL)
    assert found, begin
    lines = [line.removeprefix(found[1]) for line in found[0].splitlines()]
    return "\n".join(lines) + "\n"


@pytest.fixture
def unit() -> str:
    return block("[Unit]", "WantedBy=[^\n]*")


@pytest.fixture
def understood() -> Callable[[list[str]], dict[str, Any]]:
    """The parameters that a command line gives, read by the program's own parser and not run."""

    def read(words: list[str]) -> dict[str, Any]:
        group = get_command(app)
        name, command, rest = group.resolve_command(  # type: ignore[attr-defined]
            typer.Context(group), words[1:]
        )
        assert name == "watch"
        context = command.make_context(name, rest)
        return dict(context.params)

    return read


def test_the_unit_of_the_readme_is_one(
    unit: str, understood: Callable[[list[str]], dict[str, Any]], tmp_path: Path
) -> None:
    read = configparser.ConfigParser(interpolation=None, strict=True, delimiters=("=",))
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read_string(unit.replace("\\\n", " "))
    assert read.sections() == ["Unit", "Service", "Install"]
    words = shlex.split(read["Service"]["ExecStart"])
    given = understood(words)
    assert (given["folder"], given["out"]) == (Path("/srv/exports"), Path("/srv/scored"))
    assert read["Unit"]["RequiresMountsFor"].split() == ["/srv/exports", "/srv/scored"]
    # The folder that systemd makes for the log is the one that the log lies in.
    logs = Path("/var/log") / read["Service"]["LogsDirectory"]
    assert given["log_file"].parent == logs
    assert read["Service"]["SuccessExitStatus"] == "130"
    verify = shutil.which("systemd-analyze")
    if verify is not None:
        path = tmp_path / "scorebed.service"
        # Only the program, which is not installed there, is another one.
        path.write_text(unit.replace(words[0], "/bin/true"))
        done = subprocess.run(
            [verify, "verify", "--man=no", path], check=False, capture_output=True, text=True
        )
        assert "scorebed.service" not in done.stderr


def test_the_plist_of_the_readme_is_one(
    understood: Callable[[list[str]], dict[str, Any]],
) -> None:
    found = plistlib.loads(block("<?xml", "</plist>").encode())
    given = understood(found["ProgramArguments"])
    assert given["folder"] == Path("/Users/editor/Exports")
    assert given["out"] == Path("/Users/editor/Scored")
    assert found["RunAtLoad"] is True
    assert found["KeepAlive"] == {"SuccessfulExit": False}


def test_a_unit_with_an_option_that_is_not_there_would_be_found(
    understood: Callable[[list[str]], dict[str, Any]],
) -> None:
    with pytest.raises(typer.TyperException, match="--nonsense"):
        understood(["scorebed", "watch", "/a", "--out", "/b", "--nonsense"])


@pytest.mark.skipif(os.name != "posix", reason="closed as a shell of POSIX closes it")
@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-"])
def test_whoever_has_closed_the_terminal_is_told_nothing_and_the_code_is_right(
    closed: str, tmp_path: Path
) -> None:
    line = f"{shlex.quote(sys.executable)} -m scorebed score gone.mp4 {closed}"
    done = subprocess.run(
        ["sh", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "")


def test_a_folder_is_not_begun_without_an_ffmpeg(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    shutil.copy2(SAMPLE, tmp_path / "in" / "a.mp4")
    monkeypatch.setenv("SCOREBED_FFMPEG", str(tmp_path / "none"))
    where = [str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    for words in (["batch", *where], ["watch", *where, "--once", "--settle", "0"]):
        assert _run(words) == 4
        assert "SCOREBED_FFMPEG" in capsys.readouterr().err
    assert not list(tmp_path.glob("out/batch.jsonl"))
