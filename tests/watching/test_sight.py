"""What is seen of a folder, how long it stands still, and how little it takes to look."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorebed.batching.items import BatchJob
from scorebed.options import Options
from scorebed.watching.items import WatchJob
from scorebed.watching.sight import Sight

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


def job_for(folder: Path, **more: Any) -> WatchJob:
    options = Options()
    batch = BatchJob(
        paths=(str(folder),),
        out=more.pop("out", folder / "out"),
        options=options,
        said=frozenset(),
        defaults=options,
        workspace=folder.parent / "work",
        only=more.pop("only", ()),
        exclude=more.pop("exclude", ()),
        recursive=more.pop("recursive", True),
    )
    return WatchJob(folder=folder, batch=batch, settle_s=10.0, **more)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_file_is_settled_when_size_and_time_stood_still(tmp_path: Path) -> None:
    clock, film = Clock(), tmp_path / "a.mp4"
    sight = Sight(job_for(tmp_path), clock)
    film.write_bytes(b"1")
    sight.look()
    (seen,) = sight.films.values()
    assert not sight.settled(seen)
    clock.now = 9.0
    film.write_bytes(b"12")
    sight.look()
    clock.now = 18.9
    sight.look()
    assert not sight.settled(seen)
    clock.now = 19.0
    sight.look()
    assert sight.settled(seen)
    seen.handled = True
    # Another of the same length, renamed in with the same time.
    other = tmp_path / "new"
    other.write_bytes(b"34")
    os.utime(other, ns=(0, seen.mtime_ns + 1))
    other.replace(film)
    sight.look()
    assert not seen.handled
    film.unlink()
    sight.look()
    assert not sight.films


def test_our_own_hidden_and_left_out_places_are_not_searched(tmp_path: Path) -> None:
    for name in (
        "a.mp4", "B.MOV", "deep/c.mkv", "out/r.mp4", "done/d.mp4", ".h/x.mp4", ".h.mp4", "n.txt",
        "p.mp4.part", "skip/s.mp4", "j.scorebed.json", "deep/k.scorebed.json", ".j.scorebed.json",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path)
    job = job_for(tmp_path, exclude=("skip/*",), move_done=tmp_path / "done")

    def found(asked: WatchJob) -> set[str]:
        sight = Sight(asked)
        sight.look()
        names = (*sight.films, *sight.jobs)
        return {Path(name).relative_to(tmp_path).as_posix() for name in names}

    jobs = {"j.scorebed.json", "deep/k.scorebed.json"}
    assert found(job) == {"a.mp4", "B.MOV", "deep/c.mkv"} | jobs
    flat = replace(job, batch=replace(job.batch, recursive=False, only=("*.MOV",)))
    # Patterns choose among films; a job has chosen its own.
    assert found(flat) == {"B.MOV", "j.scorebed.json"}
    assert found(replace(job, own_queue=True)) == jobs


def test_a_look_asks_few_of_thousands_of_files_that_are_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1200):
        (tmp_path / f"{number}.mp4").write_bytes(b"x")
        (tmp_path / f"{number}.txt").write_bytes(b"x")
    sight = Sight(job_for(tmp_path))
    sight.look()
    for seen in sight.films.values():
        seen.handled = True
    asked: list[str] = []
    plain = os.stat

    def stat(path: Any, **more: Any) -> os.stat_result:
        asked.append(str(path))
        return plain(path, **more)

    def never(*_args: Any, **_more: Any) -> Any:
        raise AssertionError("a file was opened")

    with monkeypatch.context() as patched:
        patched.setattr("scorebed.watching.sight.os.stat", stat)
        patched.setattr("builtins.open", never)
        patched.setattr(Path, "open", never)
        sight.look()
        assert 0 < len(asked) <= 500
        sight.look()
        sight.look()
    # After three looks each has been asked: what is written in place is found.
    assert len({name for name in asked if name.endswith(".mp4")}) == 1200


def test_a_share_that_is_away_for_a_while_takes_nothing_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.mp4").write_bytes(b"x")
    sight = Sight(job_for(folder))
    sight.look()
    (seen,) = sight.films.values()
    seen.handled = True
    folder.rename(tmp_path / "away")
    sight.look()
    assert list(sight.troubles) == [str(folder)]
    (tmp_path / "away").rename(folder)
    sight.look()
    assert not sight.troubles
    assert list(sight.films.values()) == [seen]
    assert seen.handled
    shutil.rmtree(folder)


def test_a_share_that_does_not_say_what_is_a_folder_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.mp4", "deep/b.mp4", "c.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    plain = os.scandir

    class Entry:
        def __init__(self, entry: os.DirEntry[str]) -> None:
            self.name, self.path = entry.name, entry.path
            self.inode, self._entry = entry.inode, entry

        def is_dir(self, *, follow_symlinks: bool = True) -> bool:
            if self.name == "a.mp4":
                raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")
            return self._entry.is_dir(follow_symlinks=follow_symlinks)

    @contextmanager
    def scandir(folder: str) -> Iterator[list[Entry]]:
        with plain(folder) as listed:
            yield [Entry(entry) for entry in listed]

    sight = Sight(job_for(tmp_path))
    with monkeypatch.context() as patched:
        patched.setattr("scorebed.watching.sight.os.scandir", scandir)
        sight.look()
    assert sight.troubles == {str(tmp_path / "a.mp4"): "Transport endpoint is not connected"}
    assert {Path(name).name for name in sight.films} == {"b.mp4", "c.mp4"}
    sight.look()
    assert not sight.troubles
    assert len(sight.films) == 3


def test_a_folder_of_our_own_is_known_by_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    # Made only when the first film is done; a link stands for a name with other capitals.
    done = tmp_path / "link" / "done"
    sight = Sight(job_for(folder, out=tmp_path / "out", move_done=done))
    sight.look()
    (folder / "done").mkdir()
    (folder / "done" / "a.mp4").write_bytes(b"x")
    (tmp_path / "link").symlink_to(folder)
    sight.look()
    assert not sight.films
