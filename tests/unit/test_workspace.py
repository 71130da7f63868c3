"""The workspace: a stage runs once per input, and a killed run leaves nothing that counts."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scorebed.errors import MediaError, WorkspaceError
from scorebed.model import (
    Artifact,
    Conformed,
    Ducked,
    Levelled,
    Mixed,
    Picture,
    Progress,
    Reel,
    ReelSet,
    ScoredVideo,
    SourceFile,
    SpottingNotes,
    Take,
    TimeRange,
    no_progress,
)
from scorebed.providers.file import FileProvider
from scorebed.wav import sha256_of
from scorebed.workspace import Workspace, check_room, default_root, prune, size_bytes

VERSION = 1
FILM = SourceFile(path=Path("/films/a.mp4"), fingerprint="a" * 64)
ROOT_USER = os.name == "posix" and os.geteuid() == 0


class Count:
    """How often stages ran, and what a stage should do when it is run."""

    calls: ClassVar[list[object]] = []


@pytest.fixture(autouse=True)
def _zero() -> None:
    Count.calls.clear()


def paint(source: SourceFile, colour: str, *, folder: Path, progress: Progress) -> Artifact:
    Count.calls.append(colour)
    (folder / "paint.txt").write_text(f"{source.fingerprint[0]} {colour}")
    progress(1.0)
    return Artifact(path=folder / "paint.txt", sha256=sha256_of(folder / "paint.txt"))


def frame(painted: Artifact, width: Fraction, *, folder: Path, progress: Progress) -> Artifact:
    Count.calls.append(width)
    (folder / "frame.txt").write_text(painted.path.read_text() + f" {width}")
    return Artifact(path=folder / "frame.txt", sha256=sha256_of(folder / "frame.txt"))


def hang(
    work: Workspace, colour: str = "red", width: Fraction = Fraction(1, 3), film: SourceFile = FILM
) -> Artifact:
    painted = work.run(paint, film, colour, gives=Artifact, progress=no_progress)
    return work.run(frame, painted, width, gives=Artifact, progress=no_progress)


def finished(root: Path) -> list[str]:
    folders = (path.parent.name for path in root.rglob("result.json"))
    return sorted(name.split("-")[0] for name in folders if not name.endswith(".tmp"))


# --- once for the same inputs ------------------------------------------------------------------


def test_a_second_run_finds_everything_done(workspace_root: Path) -> None:
    with Workspace(workspace_root, FILM) as work:
        first = hang(work)
        assert [run.cached for run in work.runs] == [False, False]
    with Workspace(workspace_root, FILM) as work:
        again = hang(work)
        assert [(run.name, run.cached) for run in work.runs] == [("paint", True), ("frame", True)]
    assert again == first
    assert Count.calls == ["red", Fraction(1, 3)]
    assert again.path.read_text() == "a red 1/3"


def test_a_changed_input_redoes_only_what_depends_on_it(workspace_root: Path) -> None:
    with Workspace(workspace_root, FILM) as work:
        hang(work)
        hang(work, width=Fraction(1, 4))
        assert [run.cached for run in work.runs] == [False, False, True, False]
        hang(work, colour="blue")
        assert [run.cached for run in work.runs[4:]] == [False, False]
        hang(work)
        assert [run.cached for run in work.runs[6:]] == [True, True]


def test_inputs_count_by_content_not_by_path(workspace_root: Path, tmp_path: Path) -> None:
    copy = SourceFile(path=tmp_path / "b" / "copy.mov", fingerprint=FILM.fingerprint)
    with Workspace(workspace_root, FILM) as work:
        hang(work)
    with Workspace(workspace_root, copy) as work:
        hang(work, film=copy)
        assert all(run.cached for run in work.runs)
    other = SourceFile(path=FILM.path, fingerprint="b" * 64)
    with Workspace(workspace_root, other) as work:
        assert hang(work, film=other).path.read_text() == "b red 1/3"
        assert not any(run.cached for run in work.runs)


def test_a_moved_workspace_is_still_good(workspace_root: Path, tmp_path: Path) -> None:
    with Workspace(workspace_root, FILM) as work:
        hang(work)
    workspace_root.rename(tmp_path / "moved")
    with Workspace(tmp_path / "moved", FILM) as work:
        assert hang(work).path.read_text() == "a red 1/3"
        assert all(run.cached for run in work.runs)


def test_a_new_version_of_a_stage_redoes_it(
    workspace_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Workspace(workspace_root, FILM) as work:
        hang(work)
        monkeypatch.setattr(sys.modules[__name__], "VERSION", 2)
        hang(work)
    assert Count.calls == ["red", Fraction(1, 3)] * 2


def test_a_new_release_redoes_all(workspace_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Workspace(workspace_root, FILM) as work:
        hang(work)
        monkeypatch.setattr("scorebed.workspace.__version__", "99.0")
        hang(work)
    assert len(Count.calls) == 4


def test_what_is_timed_is_noted_and_not_kept(workspace_root: Path) -> None:
    with Workspace(workspace_root, FILM) as work:
        for _ in range(2):
            with work.timed("mux"):
                pass
        assert [(run.name, run.cached) for run in work.runs] == [("mux", False)] * 2


# --- what comes back is what was returned ------------------------------------------------------

st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
st.register_type_strategy(Path, st.just(Path("/is/replaced")))


def _placed(value: Any, folder: Path) -> Any:
    """The value with all its paths under a folder, as stages return them."""
    if isinstance(value, Path):
        return folder / "DX.wav"
    if isinstance(value, tuple):
        return tuple(_placed(entry, folder) for entry in value)
    fields = getattr(value, "__dataclass_fields__", None)
    if fields is None:
        return value
    return type(value)(**{name: _placed(getattr(value, name), folder) for name in fields})


@pytest.mark.parametrize(
    "kind",
    [Picture, SpottingNotes, Take, Conformed, Levelled, Ducked, Mixed, ScoredVideo],
    ids=lambda kind: kind.__name__,
)
def test_every_result_comes_back_as_it_was(kind: type[Any], workspace_root: Path) -> None:
    @settings(
        max_examples=10,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(value=st.from_type(kind))
    def check(value: Any) -> None:
        def tell(_key: str, *, folder: Path, progress: Progress) -> Any:
            (folder / "DX.wav").touch()
            return _placed(value, folder)

        with Workspace(workspace_root, FILM) as work:
            key = str(len(list(workspace_root.rglob("result.json"))))
            told = work.run(tell, key, gives=kind, progress=no_progress)
            again = work.run(tell, key, gives=kind, progress=no_progress)
            place = next(work.folder.glob("tell-*/result.json")).parent
            assert [run.cached for run in work.runs] == [False, True]
        assert again == told
        assert type(again) is kind
        assert _placed(told, place) == _placed(value, place)

    check()


def test_reels_come_back_as_they_were(workspace_root: Path) -> None:
    def cut(_number: int, *, folder: Path, progress: Progress) -> ReelSet:
        half = Fraction(1001, 60)
        proxy = Artifact(path=folder / "deep" / "reel.mp4", sha256="0" * 64)
        proxy.path.parent.mkdir()
        proxy.path.touch()
        first = Reel(range=TimeRange(start_s=Fraction(0), duration_s=half), proxy=proxy)
        second = Reel(range=TimeRange(start_s=half, duration_s=half), proxy=None)
        return ReelSet(cues=(TimeRange.between(Fraction(0), 2 * half),), reels=(first, second))

    with Workspace(workspace_root, FILM) as work:
        told = work.run(cut, 1, gives=ReelSet, progress=no_progress)
        assert told == work.run(cut, 1, gives=ReelSet, progress=no_progress)
    assert told.duration_s == Fraction(1001, 30)
    assert isinstance(told.duration_s, Fraction)
    assert told.reels[0].proxy is not None
    assert told.reels[0].proxy.path.parent.parent.parent == work.folder
    assert ".tmp" not in str(told.reels[0].proxy.path)


def test_paths_of_an_earlier_stage_may_be_passed_on(workspace_root: Path) -> None:
    def pass_on(painted: Artifact, *, folder: Path, progress: Progress) -> Artifact:
        return painted

    with Workspace(workspace_root, FILM) as work:
        painted = work.run(paint, FILM, "red", gives=Artifact, progress=no_progress)
        assert work.run(pass_on, painted, gives=Artifact, progress=no_progress) == painted
        assert work.run(pass_on, painted, gives=Artifact, progress=no_progress) == painted


@pytest.mark.parametrize(
    "name", [b"a song.wav", b"song.\xff\xfe", b"s\xe9ng.wav", b"noending", b"a\nb.wav", b"x.%d"]
)
def test_a_take_of_any_name_is_kept(workspace_root: Path, tmp_path: Path, name: bytes) -> None:
    """``--music`` takes the user's file as it is called."""
    from scorebed.model import Brief, Order, PictureCurve  # noqa: PLC0415 - only this test
    from scorebed.style import Style  # noqa: PLC0415

    track = tmp_path / os.fsdecode(name)
    track.write_bytes(b"RIFF")
    whole = TimeRange(start_s=Fraction(0), duration_s=Fraction(3))
    notes = SpottingNotes(
        duration_s=Fraction(3),
        frame_rate=Fraction(25),
        shots=(),
        scenes=(),
        speech=(),
        curve=PictureCurve(hop_s=Fraction(1, 2), motion=(), brightness=()),
        cues=(),
    )
    brief = Brief(
        style=Style(name="plain", description="x"),
        prompt="",
        tags=(),
        seed=1,
        quality="draft",
        guidance=0.5,
    )
    order = Order(
        notes=notes,
        brief=brief,
        reels=ReelSet(cues=(whole,), reels=(Reel(range=whole, proxy=None),)),
        music=SourceFile(path=track, fingerprint="c" * 64),
    )

    def compose(order: Order, *, folder: Path, progress: Progress) -> Take:
        return FileProvider().compose(order, folder=folder, progress=progress)

    with Workspace(workspace_root, FILM) as work:
        take = work.run(compose, order, gives=Take, progress=no_progress)
        assert take.pieces[0].audio.path.read_bytes() == b"RIFF"
        assert work.run(compose, order, gives=Take, progress=no_progress) == take


# --- killed, failed, full ----------------------------------------------------------------------


def test_nothing_counts_when_a_stage_fails(workspace_root: Path) -> None:
    def fail(*, folder: Path, progress: Progress) -> Artifact:
        (folder / "half.wav").write_bytes(b"half")
        raise MediaError("fail: no", remedy="Do.")

    with Workspace(workspace_root, FILM) as work:
        with pytest.raises(MediaError, match="fail: no"):
            work.run(fail, gives=Artifact, progress=no_progress)
        assert work.runs == []
    assert finished(workspace_root) == []
    assert not list(workspace_root.rglob("*.tmp"))


def test_an_interrupted_stage_lets_go_of_its_lock(workspace_root: Path) -> None:
    def interrupted(*, folder: Path, progress: Progress) -> Artifact:
        if not Count.calls:
            Count.calls.append("first")
            (folder / "half.wav").write_bytes(b"half")
            raise KeyboardInterrupt
        (folder / "whole.wav").write_bytes(b"whole")
        return Artifact(path=folder / "whole.wav", sha256="")

    with Workspace(workspace_root, FILM) as work, pytest.raises(KeyboardInterrupt):
        work.run(interrupted, gives=Artifact, progress=no_progress)
    assert not list(workspace_root.rglob("*.tmp"))
    with Workspace(workspace_root, FILM) as work:
        kept = work.run(interrupted, gives=Artifact, progress=no_progress)
    assert kept.path.read_bytes() == b"whole"


_WORKER = """
    import os, signal, sys, time
    from pathlib import Path
    from scorebed.model import Artifact, SourceFile, no_progress
    from scorebed.workspace import Workspace
    root, mode = Path(sys.argv[1]), sys.argv[2]

    def slow(number, *, folder, progress):
        with (root.parent / "calls").open("a") as calls:
            calls.write("x")
        (folder / "out.bin").write_bytes(b"half")
        if mode == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if mode == "wait":
            # Both must have come to the door before the first is through.
            (root.parent / f"inside-{os.getpid()}").touch()
            while len(list(root.parent.glob("ready-*"))) < 2:
                time.sleep(0.02)
            time.sleep(0.3)
        (folder / "out.bin").write_bytes(b"whole")
        return Artifact(path=folder / "out.bin", sha256="x")

    film = SourceFile(path=Path("a.mp4"), fingerprint="a" * 64)
    with Workspace(root, film) as work:
        (root.parent / f"ready-{os.getpid()}").touch()
        kept = work.run(slow, 1, gives=Artifact, progress=no_progress)
        print(kept.path.read_bytes().decode(), work.runs[0].cached)
"""


def _worker(root: Path, mode: str) -> subprocess.Popen[str]:
    code = textwrap.dedent(_WORKER)
    return subprocess.Popen(
        [sys.executable, "-c", code, str(root), mode], stdout=subprocess.PIPE, text=True
    )


def test_a_killed_run_resumes(workspace_root: Path) -> None:
    killed = _worker(workspace_root, "kill")
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert finished(workspace_root) == []
    assert list(workspace_root.rglob("*.tmp")), "the test killed nothing"
    resumed = _worker(workspace_root, "go")
    assert resumed.communicate(timeout=60)[0].split() == ["whole", "False"]
    assert not list(workspace_root.rglob("*.tmp"))


def test_two_processes_run_a_stage_once(workspace_root: Path) -> None:
    workers = [_worker(workspace_root, "wait") for _ in range(2)]
    said = sorted(worker.communicate(timeout=60)[0].strip() for worker in workers)
    assert said == ["whole False", "whole True"]
    assert (workspace_root.parent / "calls").read_text() == "x"


def test_a_folder_that_another_run_is_making(
    workspace_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = Path.iterdir

    def late(folder: Path) -> Iterator[Path]:
        if folder == workspace_root:
            monkeypatch.setattr(Path, "iterdir", look)
            with Workspace(workspace_root, FILM):
                pass
        return look(folder)

    monkeypatch.setattr(Path, "iterdir", late)
    with Workspace(workspace_root, FILM) as work:
        assert work.folder.is_dir()


def test_two_threads_run_a_stage_once(workspace_root: Path) -> None:
    inside = threading.Barrier(2, timeout=30)
    kept: list[Artifact] = []

    def work_once() -> None:
        with Workspace(workspace_root, FILM) as work:
            inside.wait()
            kept.append(work.run(paint, FILM, "red", gives=Artifact, progress=no_progress))

    threads = [threading.Thread(target=work_once) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Count.calls == ["red"]
    assert len(kept) == 2
    assert kept[0] == kept[1]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk(workspace_root: Path, number: int) -> None:
    def fill(*, folder: Path, progress: Progress) -> Artifact:
        raise OSError(number, os.strerror(number))

    with Workspace(workspace_root, FILM) as work, pytest.raises(WorkspaceError) as caught:
        work.run(fill, gives=Artifact, progress=no_progress)
    assert caught.value.exit_code == 6
    assert caught.value.message.startswith("fill: ")
    assert "full" in caught.value.message
    assert finished(workspace_root) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_under_a_wav_is_told_as_such(workspace_root: Path) -> None:
    import numpy as np  # noqa: PLC0415

    from scorebed.wav import wav_writer  # noqa: PLC0415 - only this test

    def fill(*, folder: Path, progress: Progress) -> Artifact:
        with wav_writer(Path("/dev/full"), channels=2, expected_samples=480_000) as writer:
            for _ in range(10):
                writer.write(np.zeros((48_000, 2), dtype=np.float32))
        return Artifact(path=folder, sha256="")

    with (
        Workspace(workspace_root, FILM) as work,
        pytest.raises(WorkspaceError, match=r"fill: the disk .* is full"),
    ):
        work.run(fill, gives=Artifact, progress=no_progress)


def test_a_fault_of_ours_is_not_blamed_on_the_disk(workspace_root: Path) -> None:
    def wrong(*, folder: Path, progress: Progress) -> Artifact:
        raise ValueError("ours")

    with Workspace(workspace_root, FILM) as work, pytest.raises(ValueError, match="ours"):
        work.run(wrong, gives=Artifact, progress=no_progress)


# --- whose folder ------------------------------------------------------------------------------


def test_a_folder_with_other_things_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(WorkspaceError, match="holds other files") as caught:
        Workspace(tmp_path, FILM)
    assert caught.value.exit_code == 6
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_an_empty_folder_becomes_ours_and_is_marked(tmp_path: Path) -> None:
    with Workspace(tmp_path, FILM):
        pass
    assert (tmp_path / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f068")
    with Workspace(tmp_path, FILM):
        pass


@pytest.mark.parametrize("where", ["file", "file/below"])
def test_a_file_is_no_folder(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WorkspaceError) as caught:
        Workspace(tmp_path / where, FILM)
    assert "--workspace" in caught.value.remedy


@pytest.mark.skipif(ROOT_USER, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(WorkspaceError, match="cannot be used"):
        Workspace(tmp_path / "locked" / "mine", FILM)


def test_a_run_killed_while_claiming_leaves_the_folder_usable(tmp_path: Path) -> None:
    """Between the two marks of a new folder a run may die."""
    (tmp_path / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55\n")
    with Workspace(tmp_path, FILM) as work:
        hang(work)


def test_many_runs_may_claim_a_new_folder_at_once(workspace_root: Path) -> None:
    start = threading.Barrier(8, timeout=30)
    errors: list[BaseException] = []

    def claim() -> None:
        start.wait()
        try:
            Workspace(workspace_root, FILM)
        except WorkspaceError as error:
            errors.append(error)

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_default_root_is_in_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if sys.platform.startswith("linux"):
        assert default_root() == tmp_path / "scorebed"


def test_room_is_checked(tmp_path: Path) -> None:
    check_room(tmp_path, 1)
    with pytest.raises(WorkspaceError, match="MB are needed") as caught:
        check_room(tmp_path, 10**18)
    assert caught.value.exit_code == 6


# --- pruning -----------------------------------------------------------------------------------


def _fill(root: Path, letter: str, *, age_s: int, size: int = 1000) -> Workspace:
    work = Workspace(root, SourceFile(path=FILM.path, fingerprint=letter * 64))
    with work:
        (work.folder / "audio.wav").write_bytes(bytes(size))
    os.utime(work.folder, (1_700_000_000 - age_s, 1_700_000_000 - age_s))
    return work


def test_prune_takes_the_oldest_first(workspace_root: Path) -> None:
    works = {
        name: _fill(workspace_root, name, age_s=age)
        for name, age in zip("abc", (3, 9, 1), strict=False)
    }
    assert size_bytes(workspace_root) == 3000
    prune(workspace_root, limit_bytes=3000)
    assert size_bytes(workspace_root) == 3000
    prune(workspace_root, limit_bytes=2500)
    assert [work.folder.exists() for work in works.values()] == [True, False, True]
    prune(workspace_root, limit_bytes=1000)
    assert [work.folder.exists() for work in works.values()] == [False, False, True]
    with Workspace(workspace_root, FILM):
        pass


def test_prune_leaves_what_is_in_use(workspace_root: Path) -> None:
    _fill(workspace_root, "a", age_s=9)
    young = _fill(workspace_root, "b", age_s=1)
    with Workspace(workspace_root, FILM) as work:
        os.utime(work.folder, (1_600_000_000, 1_600_000_000))
        prune(workspace_root, limit_bytes=0)
        assert (work.folder / "audio.wav").exists()
        assert not young.folder.exists()
    prune(workspace_root, limit_bytes=0)
    assert not work.folder.exists()


def test_prune_sees_what_another_process_uses(workspace_root: Path) -> None:
    old = _fill(workspace_root, "a", age_s=9)
    (workspace_root.parent / "ready-0").touch()
    worker = _worker(workspace_root, "wait")
    while not list(workspace_root.parent.glob("inside-*")):
        assert worker.poll() is None
    prune(workspace_root, limit_bytes=0)
    assert (old.folder / "audio.wav").exists()
    assert worker.communicate(timeout=60)[0].split()[0] == "whole"


def test_prune_of_nothing(tmp_path: Path) -> None:
    prune(tmp_path / "never made")
    assert size_bytes(tmp_path / "never made") == 0


def test_a_used_workspace_becomes_young(workspace_root: Path) -> None:
    first = _fill(workspace_root, "a", age_s=9)
    second = _fill(workspace_root, "b", age_s=5)
    with Workspace(workspace_root, FILM):
        pass
    prune(workspace_root, limit_bytes=1500)
    assert first.folder.exists()
    assert not second.folder.exists()


@dataclass(frozen=True)
class _Strange:
    things: object


def test_a_result_without_a_json_form_is_our_fault(workspace_root: Path) -> None:
    def odd(*, folder: Path, progress: Progress) -> _Strange:
        return _Strange(things=object())

    with Workspace(workspace_root, FILM) as work, pytest.raises(TypeError, match="no JSON form"):
        work.run(odd, gives=_Strange, progress=no_progress)
    assert finished(workspace_root) == []


@pytest.mark.parametrize("harm", ["empty", "half", "no result", "no file"])
def test_what_a_crash_has_spoilt_is_made_again(harm: str, workspace_root: Path) -> None:
    with Workspace(workspace_root, FILM) as work:
        made = hang(work)
        place = made.path.parent
        result = place / "result.json"
        if harm == "empty":
            result.write_bytes(b"")
        elif harm == "half":
            result.write_bytes(result.read_bytes()[:-20])
        elif harm == "no result":
            result.unlink()
        else:
            made.path.unlink()
        again = hang(work)
        assert again.path.read_text() == "a red 1/3"
        assert [run.cached for run in work.runs if run.name == work.runs[-1].name] == [False] * 2


def test_a_folder_of_the_users_own_is_never_pruned(workspace_root: Path) -> None:
    with Workspace(workspace_root, FILM) as work:
        hang(work)
    mine = workspace_root / "my notes"
    mine.mkdir()
    (mine / "note.txt").write_text("mine")
    prune(workspace_root, 0)
    assert (mine / "note.txt").read_text() == "mine"
    assert not any(
        entry.name != "my notes" and entry.is_dir() for entry in workspace_root.iterdir()
    )
