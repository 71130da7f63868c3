"""The record of a batch and a watch: full disks, newer releases, names, months of work."""

from __future__ import annotations

import errno
import io
import json
import os
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.watching.test_parts import outcome, seen_at
from tests.watching.test_sight import job_for

from scorebed.batching import jsonl
from scorebed.batching.items import InputState, Outcome, unwatched
from scorebed.batching.jsonl import Lines
from scorebed.batching.known import is_place, told_name, told_place
from scorebed.batching.record import Record, to_line
from scorebed.batching.sameness import compare
from scorebed.errors import WorkspaceError
from scorebed.model import Quote, no_words
from scorebed.watching import working
from scorebed.watching.items import Ask
from scorebed.watching.memory import Memory
from scorebed.watching.patience import Patience, PatientRecord
from scorebed.watching.working import Work

FULL = OSError(errno.ENOSPC, "No space left on device")


class Full:
    """A disk that is full at one step of the next write: for once, or also when it is tidied up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, step: str, *, for_good: bool) -> None:
        self.step, self.for_good, self.left = step, for_good, 1
        disk, plain, fsync = self, Path.open, os.fsync

        class File(io.FileIO):
            def write(self, data: Any) -> int:
                if disk.fails("write"):
                    raise FULL
                # A disk takes what it has room for; the next call says that there is no more.
                if disk.step == "second write" and disk.left:
                    disk.step = "write"
                    return super().write(bytes(data)[: len(data) // 2])
                return super().write(data)

            def truncate(self, size: int | None = None) -> int:
                if disk.for_good and not disk.left:
                    raise FULL
                return super().truncate(size)

        def opened(path: Path, mode: str = "r", buffering: int = -1, **more: Any) -> Any:
            if mode == "ab+":
                return File(path, mode)
            return plain(path, mode, buffering, **more)

        def synced(number: int) -> None:
            if self.fails("fsync"):
                raise FULL
            fsync(number)

        monkeypatch.setattr(Path, "open", opened)
        monkeypatch.setattr(os, "fsync", synced)

    def fails(self, step: str) -> bool:
        if step != self.step or not self.left:
            return False
        self.left -= 1
        return True


@pytest.mark.parametrize("tidied", ["at once", "later"])
@pytest.mark.parametrize("step", ["write", "second write", "fsync"])
@pytest.mark.parametrize("before", ["", '{"name": "a"}\n', '{"name": "a"}\n{"na'])
def test_lines_that_could_not_be_added_are_there_once_when_they_can(
    before: str, step: str, tidied: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(before)
    lines, added = Lines(path), [{"name": "b"}, {"name": "c" * 100}]
    with monkeypatch.context() as patched:
        disk = Full(patched, step, for_good=tidied == "later")
        with pytest.raises(WorkspaceError, match="full") as caught:
            lines.append(added)
        assert caught.value.exit_code == 6
        disk.for_good = False
        # Nothing of them is left, where it could be taken back.
        assert tidied == "later" or path.read_text() == before
        lines.append(added)
    said = [line for _, line in Lines(path).numbered() if line is not None]
    assert said == ([{"name": "a"}] if before else []) + added
    ended = before if before.endswith("\n") or not before else before + "\n"
    assert path.read_text() == ended + "".join(json.dumps(line) + "\n" for line in added)


def test_what_another_has_added_after_a_failure_is_not_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.jsonl"
    lines = Lines(path)
    with monkeypatch.context() as patched:
        Full(patched, "fsync", for_good=True)
        with pytest.raises(WorkspaceError):
            lines.append([{"name": "a"}])
    Lines(path).append([{"name": "b"}])
    lines.append([{"name": "c"}])
    assert [line and line["name"] for _, line in lines.numbered()] == ["a", "b", "c"]


def test_a_watch_that_waits_for_its_disk_writes_each_line_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    patience = Patience(said.append, pause_s=0.01)
    record = PatientRecord(tmp_path, patience, lambda _known: None)
    with monkeypatch.context() as patched:
        Full(patched, "fsync", for_good=False)
        record.end(outcome("done"))
    assert "waits" in said[0]
    assert record.path.read_text().count("\n") == 1


@pytest.mark.parametrize("name", ["batch.jsonl", ".scorebed-jobs.jsonl", ".scorebed-begun.jsonl"])
def test_a_record_of_a_newer_release_is_refused(name: str, tmp_path: Path) -> None:
    line = to_line(outcome("done")) | {"schema": 2, "version": "9.9", "source": ["other"]}
    (tmp_path / name).write_text(json.dumps(line) + "\n")
    with pytest.raises(WorkspaceError, match=r"9\.9.*version 2") as caught:
        Memory(tmp_path, retry_failed=False)
    assert caught.value.exit_code == 6
    assert "--out" in caught.value.remedy
    assert str(tmp_path / name) in caught.value.message


def test_a_line_with_more_than_we_know_is_read_and_nonsense_is_not(tmp_path: Path) -> None:
    line = to_line(outcome("failed", code=3)) | {"more": 1}
    line["error"]["more"] = line["source"]["more"] = 1
    values: tuple[Any, ...] = ({}, [1], None, "2")
    odd: list[Any] = [
        *(line | {key: value} for key in line for value in values if key != "more"),
        *(line | {"name": "odd", "schema": schema} for schema in values),
        line | {"name": "odd", "error": {"kind": "X"}},
        *([], 1, None, "x", {}),
    ]
    texts = [json.dumps(one) for one in [*odd, line]] + ["{", "[" * 100_000, "\x00", ""]
    (tmp_path / "batch.jsonl").write_text("\n".join(texts))
    (tmp_path / ".scorebed-jobs.jsonl").write_text("\n".join(texts))
    (tmp_path / ".scorebed-begun.jsonl").write_text('{"name": [1]}\n{}\n')
    known = Record(tmp_path).last("a.scored.mp4")
    assert known is not None
    assert known.failure == outcome("failed", code=3).failure
    assert Record(tmp_path).last("odd") is None
    assert Memory(tmp_path, retry_failed=False).of_place(seen_at(Path("/in/a.mp4"))) is not None


def test_names_mean_the_same_from_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    film = Path("in/ä\n\udcff.mp4")
    line = json.loads(json.dumps(to_line(outcome("done", video=str(film)))))
    assert line["input"] == f"{tmp_path}/in/ä\n\udcff.mp4"
    out = Path("out")
    assert told_name(out, out / "a" / "b.mp4") == "a/b.mp4"
    assert told_name(out, tmp_path / "out" / "b.mp4") == "b.mp4"
    assert told_name(out, tmp_path / "other" / "b.mp4") == f"{tmp_path}/other/b.mp4"
    monkeypatch.chdir("/")
    assert is_place(line["input"], tmp_path / "x" / ".." / film)
    assert not is_place(line["input"], tmp_path / "else" / film)
    # As an earlier release has written them.
    assert is_place("in/a.mp4", Path("/srv/in/a.mp4"))
    assert is_place("../in/a.mp4", Path("/srv/in/a.mp4"))
    assert not is_place("in/a.mp4", Path("/srv/out/a.mp4"))
    assert not is_place("/in/a.mp4", Path("/srv/in/a.mp4"))


def test_a_relative_name_of_an_earlier_release_is_known_where_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = to_line(outcome("done")) | {"input": "in/a.mp4"}
    (tmp_path / "batch.jsonl").write_text(json.dumps(line) + "\n")
    (tmp_path / "a.scored.mp4").touch()
    film = seen_at(tmp_path / "in" / "a.mp4")
    assert Memory(tmp_path, retry_failed=False).of_place(film) is None
    # From elsewhere by its content alone.
    assert Memory(tmp_path, retry_failed=False).of_content("c") is not None
    monkeypatch.chdir(tmp_path)
    assert Memory(tmp_path, retry_failed=False).of_place(film) is not None


def months(out: Path, films: int, times: int) -> list[Outcome]:
    """Films that came, failed, were done, done again, and skipped, again and again."""
    record = Record(out)
    said: list[Outcome] = []
    for turn in range(times):
        for number in range(films):
            video = f"/in/{number}.mp4"
            way = (number * 7 + turn * 3) % 10
            one = replace(
                outcome("failed" if way < 3 else "done", code=(3, 6, 2)[way] if way < 3 else 0),
                name=f"{number}.scored.mp4",
                video=Path(video),
                output=out / f"{number}.scored.mp4",
                number=len(said) + 1,
                key=f"key {turn}",
                source=InputState(size_bytes=1, mtime_ns=turn, content=f"{number} {turn % 5}"),
                output_bytes=0,
            )
            if way == 9:
                one = replace(one, state="skipped", name=video, why="the same film")
            if way == 8:
                one = replace(one, state="skipped", why="written to", source=None)
            if way == 2:
                one = replace(one, name=video)
            if (turn, number) in {(0, 0), (1, 1)}:
                spent = Quote(requests=1, seconds=9.0, amount=0.5, currency="USD")
                one = replace(one, spent=spent)
            said.append(one)
    record.end(*said)
    return said


def answers(out: Path, said: list[Outcome]) -> list[Any]:
    """All that a batch and a watch may ask of the record."""
    record = Record(out)
    memories = [Memory(out, retry_failed=again) for again in (False, True)]
    found: list[Any] = []
    for one in said:
        last, film = record.last(one.name), replace_seen(one)
        found += [last, record.stands(one.name, one.output), record.has_failed(one.name, one.video)]
        found.append(last and compare(last, one.video, no_words))
        for memory in memories:
            found += [memory.of_place(film), memory.maker(one.name)]
            found += [memory.of_content(film.content)]
    return found


def replace_seen(one: Outcome) -> Any:
    source = one.source or InputState(size_bytes=1, mtime_ns=0, content="none")
    return replace(seen_at(one.video), mtime_ns=source.mtime_ns, content=source.content)


def test_a_record_is_shortened_and_answers_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "LEAST_LINES", 100)
    said = months(tmp_path, films=12, times=40)
    for number in range(9):
        (tmp_path / f"{number}.scored.mp4").touch()
    with (tmp_path / "batch.jsonl").open("a") as file:
        file.write('{"half')
    (tmp_path / "batch.jsonl").chmod(0o640)
    before = answers(tmp_path, said)
    assert {None, True, False} <= {one for one in before if one is None or isinstance(one, bool)}
    record = Record(tmp_path)
    record.shorten()
    lines = [json.loads(line) for line in record.path.read_text().splitlines()]
    assert len(lines) < 12 * 5
    assert answers(tmp_path, said) == before
    assert sum(line["spent"]["amount"] for line in lines) == 1.0
    assert record.path.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []
    # Once is enough, and it goes on being written.
    record.shorten()
    record.end(said[-1])
    assert record.path.read_text().count("\n") == len(lines) + 1


def test_a_short_record_is_left_as_it_is(tmp_path: Path) -> None:
    months(tmp_path, films=3, times=100)
    before = (tmp_path / "batch.jsonl").read_bytes()
    Record(tmp_path).shorten()
    assert (tmp_path / "batch.jsonl").read_bytes() == before


@pytest.mark.parametrize("step", ["write", "fsync", "replace", "killed", "added"])
def test_a_record_that_cannot_be_shortened_is_as_it_was(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "LEAST_LINES", 100)
    said = months(tmp_path, films=12, times=40)
    record = Record(tmp_path)
    before, plain = record.path.read_bytes(), Path.open

    def full(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt if step == "killed" else FULL

    def opened(path: Path, mode: str = "r", *args: Any, **more: Any) -> Any:
        if mode == "wb" and step == "write":
            raise FULL
        return plain(path, mode, *args, **more)

    def added(old: Path, _new: Path) -> None:
        with plain(old, "ab") as file:
            file.write(b"{}\n")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", opened)
        if step in {"fsync", "killed"}:
            patched.setattr(os, "fsync", full)
        if step == "replace":
            patched.setattr(Path, "replace", full)
        if step == "added":
            patched.setattr("scorebed.batching.jsonl.shutil.copymode", added)
        if step == "killed":
            with pytest.raises(KeyboardInterrupt):
                record.shorten()
        else:
            record.shorten()
    assert record.path.read_bytes() == before + b"{}\n" * (step == "added")
    assert [path.name for path in tmp_path.iterdir()] == ["batch.jsonl"]
    record.end(said[0])
    assert Record(tmp_path).last(said[0].name) is not None


def asked(file: Path, sha256: str) -> Ask:
    film = seen_at(Path("/in/a.mp4"))
    entry: Any = None
    return Ask(file=replace(film, path=file), sha256=sha256, entry=entry, film=film)


def test_jobs_are_shortened_and_those_of_hooks_go_with_their_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "LEAST_LINES", 20)
    there, away = tmp_path / "there.scorebed.json", Path("/away/b.scorebed.json")
    there.touch()
    record, memory = Record(tmp_path), Memory(tmp_path, retry_failed=False)
    failed, done = outcome("failed", code=2), outcome("done")
    record.end(failed, done)
    for turn in range(20):
        memory.end_job(asked(there, "x"), failed if turn == 3 else done)
        memory.end_job(asked(away, "y"), done)
    path = tmp_path / ".scorebed-jobs.jsonl"
    Memory(tmp_path, retry_failed=False).shorten(gone=False)
    assert len(path.read_text().splitlines()) == 3
    again = Memory(tmp_path, retry_failed=False)
    for file, sha256 in ((there, "x"), (away, "y")):
        ended = again.of_job(asked(file, sha256).file, sha256)
        assert ended is not None
        assert ended.state == "done"
    assert again.of_job(asked(there, "z").file, "z") is None
    for _ in range(20):
        again.end_job(asked(away, "y"), done)
    again.shorten(gone=True)
    (line,) = path.read_text().splitlines()
    assert json.loads(line)["job"] == str(there)


def test_the_record_of_the_own_queue_keeps_the_last_films_and_what_was_paid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "LEAST_LINES", 100)
    monkeypatch.setattr(working, "_KEPT_OF_OWN", 30)
    said = [replace(outcome("done"), name=f"/out/{number}.mp4") for number in range(400)]
    spent = Quote(requests=1, seconds=9.0, amount=0.5, currency="USD")
    said[7] = replace(said[7], spent=spent)
    Record(tmp_path).end(*said)
    work = Work(replace(job_for(tmp_path, out=tmp_path), own_queue=True), unwatched)
    work.shorten()
    names = [json.loads(line)["name"] for line in work.record.path.read_text().splitlines()]
    assert names == ["/out/7.mp4", *(f"/out/{number}.mp4" for number in range(370, 400))]


def test_a_watch_without_an_end_keeps_the_last_films_and_counts_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "_KEPT", 3)
    spent = Quote(requests=1, seconds=9.0, amount=0.5, currency="USD")
    counts = {}
    for once in (False, True):
        work = Work(job_for(tmp_path, out=tmp_path / f"{once}", once=once), unwatched)
        work.record.path.parent.mkdir()
        for number in range(20):
            failed = number % 4 == 0
            one = outcome("failed", code=3) if failed else outcome("done")
            work.end(replace(one, number=number + 1, spent=spent, duration_s=10.0))
        result = work.result()
        counts[once] = (result.words(), result.spent, result.lines()[-2])
        assert len(result.outcomes) == (20 if once else 3)
        assert [one.number for one in result.outcomes][-1] == 20
        assert any("the last 3" in line for line in result.lines()) != once
        assert json.loads(result.to_json())["failed"] == 5
    assert counts[False][:2] == counts[True][:2]
    assert counts[False][0] == "20 files: 15 done, 5 failed, 0 skipped"
    assert "2:30 of picture" in counts[False][2]
    assert "10.00 USD" in counts[False][2]


def test_a_film_of_the_record_takes_little_memory(tmp_path: Path) -> None:
    films = 3000
    line = to_line(replace(outcome("done"), key="0" * 24))
    with (tmp_path / "batch.jsonl").open("w") as file:
        for number in range(films):
            name = f"a film with a usual name {number:06}"
            source = {"size_bytes": 10**9 + number, "mtime_ns": 10**18, "content": f"{number:064}"}
            places = {"name": f"{name}.scored.mp4", "input": f"/exports/project 1/{name}.mp4"}
            file.write(json.dumps(line | places | {"source": source}) + "\n")
    job = job_for(tmp_path, out=tmp_path)
    tracemalloc.start()
    try:
        work = Work(job, unwatched)
        now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert work.record.last(f"{name}.scored.mp4") is not None
    assert now / films < 1000
    # Beside it only what a line, or a table that grows, takes for a moment.
    assert peak / films < 1200


def test_a_film_that_failed_in_a_watch_has_failed_for_a_batch(tmp_path: Path) -> None:
    record, film = Record(tmp_path), tmp_path / "a.mp4"
    early = replace(outcome("failed", code=3, video=str(film)), name=told_place(film))
    record.end(early)
    for one in (record, Record(tmp_path)):
        assert one.has_failed("a.scored.mp4", film)
        assert not one.has_failed("a.scored.mp4", tmp_path / "b.mp4")
    record.end(outcome("done", video=str(film)))
    for one in (record, Record(tmp_path)):
        assert not one.has_failed("a.scored.mp4", film)
