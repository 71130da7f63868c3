"""A disk that fills up, at one write after the other: what is told, what is left, how it goes on.

The stand-in of ``tests.full_disk`` needs no rights; ``test_a_real_disk_that_is_full`` mounts one.
"""

from __future__ import annotations

import contextlib
import io
import random
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pytest
from tests.full_disk import FullDisk

from scorebed.cli.main import _run
from scorebed.errors import WorkspaceError
from scorebed.job import Job
from scorebed.model import Progress, no_progress
from scorebed.options import Options
from scorebed.pipeline import score as run_job
from scorebed.settings import resolve

Scorebed = Callable[..., subprocess.CompletedProcess[str]]
Run = Callable[[FullDisk], tuple[int, str]]
TOLD = re.compile(
    r"(?P<stage>[a-z ]+): the disk of (?P<place>[^\n]+?) is full[^\n]*\n? +(?P<remedy>\S[^\n]*)"
)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Where a run writes: each may lie on a disk of its own."""
    found = {name: tmp_path / name for name in ("out", "work", "tmp")}
    for place in found.values():
        place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(found["tmp"]))
    monkeypatch.setenv("TMPDIR", str(found["tmp"]))
    return found


@pytest.fixture
def control(tmp_path: Path) -> Path:
    """A folder on a disk that has room."""
    return tmp_path / "control"


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def fail_at_each(
    run: Run, control: Path, disk: dict[str, Path], spared: Collection[str]
) -> Iterator[tuple[str, int, str]]:
    """Runs until nothing fails any more; gives the write that failed, the code, and what was said.

    Each time the disk is full from the first write on that is not spared and was not yet failed at.
    """
    failed = set(spared)
    while True:
        full = FullDisk(fresh(control), disk, failed)
        code, said = run(full)
        if full.full_at is None:
            assert code == 0, said
            return
        failed.add(full.full_at)
        yield full.full_at, code, said


def all_but(writes: list[str], count: int, seed: int) -> set[str]:
    """The writes without so many of them, which are drawn by lot."""
    return set(writes) - set(random.Random(seed).sample(writes, count))  # noqa: S311


@pytest.fixture
def score(make_video: Callable[..., Path], places: dict[str, Path]) -> Run:
    """Scores a film, in this process, into the places."""
    film = make_video("full.mp4", "-c:a", "aac", duration_s=1.5)

    def run(disk: FullDisk) -> tuple[int, str]:
        out, said = places["out"], io.StringIO()
        with contextlib.redirect_stderr(said), disk.put_under():
            code = _run(
                [
                    *("score", str(film), "-o", str(out / "film.scored.mp4")),
                    *("--workspace", str(places["work"]), "--quality", "draft"),
                    *("--stems", str(out / "stems"), "--plot", str(out / "plot.png")),
                ]
            )
        return code, said.getvalue()

    return run


def checked(
    failures: Iterator[tuple[str, int, str]], disk: dict[str, Path], out: Path
) -> list[str]:
    """The writes that failed; each was told as it should be, and has left nothing."""
    found = []
    for at, code, said in failures:
        assert code == 6, f"{at}: {said}"
        told = TOLD.search(said)
        assert told, f"{at}: {said}"
        assert any(Path(told["place"]).is_relative_to(one) for one in disk.values()), (at, said)
        assert "Make room" in told["remedy"], at
        assert files_in(out) == [], at
        found.append(at)
    return found


@pytest.mark.parametrize(
    ("full", "count"),
    [
        pytest.param(("out", "work", "tmp"), 2, id="a few writes"),
        pytest.param(("out",), None, id="out", marks=pytest.mark.slow),
        pytest.param(("work",), None, id="workspace", marks=pytest.mark.slow),
        pytest.param(("tmp",), None, id="temporary files", marks=pytest.mark.slow),
    ],
)
def test_a_film_survives_a_disk_that_is_full_at_each_write(
    full: tuple[str, ...],
    count: int | None,
    score: Run,
    places: dict[str, Path],
    control: Path,
    stream_hash: Callable[..., str],
    tmp_path: Path,
) -> None:
    disk, result = {name: places[name] for name in full}, "film.scored.mp4"
    plain = FullDisk(fresh(control), disk)
    code, said = score(plain)
    assert code == 0, said
    writes, wanted = plain.seen(), places["out"].rename(tmp_path / "wanted")
    for place in places.values():
        fresh(place)
    spared = set() if count is None else all_but(writes, count, seed=3)
    failed = checked(fail_at_each(score, control, disk, spared), disk, places["out"])
    assert len(failed) >= (count or len(writes) // 2), failed
    assert files_in(places["out"]) == files_in(wanted)
    for stream in ("V:0", "a:0"):
        assert stream_hash(places["out"] / result, stream) == stream_hash(wanted / result, stream)


@pytest.fixture
def batch(
    make_video: Callable[..., Path], places: dict[str, Path], scorebed: Scorebed, tmp_path: Path
) -> Run:
    """Scores a folder with one film in it, by processes of their own."""
    films = fresh(tmp_path / "in")
    shutil.copy(make_video("full.mp4", "-c:a", "aac", duration_s=1.5), films / "film.mp4")

    def run(disk: FullDisk) -> tuple[int, str]:
        done = scorebed(
            *("batch", films, "--out", places["out"], "--workspace", places["work"]),
            *("--quality", "draft"),
            TMPDIR=str(places["tmp"]),
            **disk.environment(fresh(tmp_path / "site")),
        )
        return done.returncode, done.stderr

    return run


WRITTEN_ONCE = "write work/*/mix-*.tmp/result.json #1"
BEFORE = ("work #1", ".scorebed-workspace", "CACHEDIR.TAG")
"""What is written to the workspace before there is a worker."""


def check_batch(
    failure: tuple[str, int, str], place: Path, out: Path, whole: Callable[[Path], bool]
) -> None:
    """Told as it should be; the film is there whole, or not at all."""
    at, code, said = failure
    if place.name == "tmp" and code == 0:
        # Python has found another folder for temporary files.
        assert whole(out / "film.scored.mp4")
        shutil.rmtree(out)
        return
    # Where nothing can be written down of any film, there is no batch.
    one_failed = place.name == "work" and not at.endswith(BEFORE)
    expected = {6, 7} if place.name == "tmp" else {7 if one_failed else 6}
    assert code in expected, f"{at}: {said}"
    for words in ("is full", str(place), "Make room"):
        assert words in said, f"{at}: {said}"
    assert not [one for one in files_in(out) if one.endswith(".part")], at
    assert not (film := out / "film.scored.mp4").exists() or whole(film), at


def test_a_film_of_a_batch_fails_on_a_full_disk_and_is_done_when_there_is_room(
    batch: Run, places: dict[str, Path], control: Path
) -> None:
    full = FullDisk(fresh(control), {"work": places["work"]}, only=WRITTEN_ONCE)
    failure = WRITTEN_ONCE, *batch(full)
    assert full.full_at == WRITTEN_ONCE
    check_batch(failure, places["work"], places["out"], lambda _: False)
    code, said = batch(FullDisk(fresh(control), {}))
    assert code == 0, said
    assert "film.scored.mp4" in files_in(places["out"])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["out", "work", "tmp"])
def test_a_batch_survives_a_disk_that_is_full_at_each_write(
    name: str,
    batch: Run,
    places: dict[str, Path],
    control: Path,
    stream_hash: Callable[..., str],
    tmp_path: Path,
) -> None:
    disk, out = {name: places[name]}, places["out"]
    code, said = batch(FullDisk(fresh(control), disk))
    assert code == 0, said
    wanted = out.rename(tmp_path / "wanted")
    for place in places.values():
        fresh(place)

    def hashes(film: Path) -> list[str]:
        return [stream_hash(film, stream) for stream in ("V:0", "a:0")]

    heard = hashes(wanted / "film.scored.mp4")
    for failure in fail_at_each(batch, control, disk, ()):
        check_batch(failure, places[name], out, lambda film: hashes(film) == heard)
    assert {*files_in(wanted)} <= {*files_in(out)}
    assert hashes(out / "film.scored.mp4") == heard


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk of 40 MB."""
    mount, place = shutil.which("mount"), fresh(tmp_path / "disk")
    asked = [str(mount), "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(place)]
    if mount is None or subprocess.run(asked, check=False, capture_output=True).returncode:
        pytest.skip("may not mount")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(place: Path) -> None:
    with (place / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["out", "work"])
def test_a_real_disk_that_is_full_when_a_stage_begins(
    name: str, small_disk: Path, make_video: Callable[..., Path], tmp_path: Path
) -> None:
    film = make_video("full.mp4", "-c:a", "aac", duration_s=1.5)

    def run(filled: str | None) -> None:
        places = {one: fresh(tmp_path / one) for one in ("out", "work")}
        places[name] = fresh(small_disk / name)
        job = Job(
            video=film,
            output=places["out"] / "film.scored.mp4",
            settings=resolve(Options(quality="draft")),
            workspace=places["work"],
        )

        def watch(stage: str) -> Progress:
            stages.append(stage)
            if stage == filled:
                fill(small_disk)
            return no_progress

        try:
            run_job(job, watch)
        except WorkspaceError as error:
            told = error.message
        else:
            return
        assert filled is not None
        assert "full" in told or "MB are free" in told, told
        assert str(small_disk) in told
        assert files_in(places["out"]) == []
        failed.append(filled)
        (small_disk / "filler").unlink()
        filled = None
        run_job(job, watch)
        assert files_in(places["out"]) == wanted

    stages: list[str] = []
    failed: list[str] = []
    wanted = ["film.scored.mp4", "film.scored.mp4.scorebed.json"]
    run(None)
    for stage in tuple(dict.fromkeys(stages)):
        run(stage)
    # What is written last needs room in one of the places only.
    assert len(failed) >= len(set(stages)) - 1
