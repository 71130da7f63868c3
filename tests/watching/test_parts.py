"""Job files, what programs hand over, what is remembered, what is moved."""

from __future__ import annotations

import errno
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.watching.test_sight import job_for

from scorebed.batching.items import Failure, Fate, InputState, Outcome, unwatched
from scorebed.batching.record import Record
from scorebed.batching.run import outcome_of
from scorebed.delivery import held_for_all
from scorebed.errors import MediaError, ScorebedError, SettingsError, WorkspaceError
from scorebed.media import whole_of
from scorebed.model import FREE
from scorebed.watching.again import pause_after, unless_paid
from scorebed.watching.asks import read_ask
from scorebed.watching.items import Seen, Taken
from scorebed.watching.memory import Memory
from scorebed.watching.moving import move_away
from scorebed.watching.planning import Planner
from scorebed.watching.queue import asked_by, local_path
from scorebed.watching.reader import Reader
from scorebed.watching.sight import refresh
from scorebed.watching.working import Work, _judged


def seen_at(path: Path) -> Seen:
    return Seen(path=path, base=path.parent, number=1, size_bytes=1, mtime_ns=2, content="c")


def test_a_job_file_names_a_film_and_its_options(tmp_path: Path) -> None:
    file = tmp_path / "a.scorebed.json"
    file.write_text('\ufeff{"video": "f/é.mp4", "tag": "calm;slow", "app": "x", "no-duck": true}')
    ask = read_ask(job_for(tmp_path), seen_at(file))
    assert ask is not None
    assert ask.film.path == tmp_path / "f" / "é.mp4"
    assert ask.entry.options.tags == ("calm", "slow")
    assert not ask.entry.options.duck
    file.write_text(json.dumps({"schema": 1, "picture": {}, "programme": {}, "video": "a.mp4"}))
    assert read_ask(job_for(tmp_path), seen_at(file)) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[1]", "no object"),
        ("{}", "names no video"),
        ('{"video": "a\\u0000.mp4"}', "no text"),
        ('{"video": "\\ud800.mp4"}', "no text"),
        ('{"video": "~nosuchuser/a.mp4"}', "home folder"),
        ('{"video": "a.mp4", "sed": 1}', "'sed'"),
        ('{"video": "a.mp4", "seed": "x"}', "seed"),
        ('{"video": "a.mp4", "overwrite": "x"}', "overwrite"),
        ('{"video": "a.mp4", "output": "../x.mp4"}', "not in"),
        ('{"video": "a.mp4", "output": "link/x.mp4"}', "not in"),
        ('{"video": "a.mp4", "output": "/x.mp4"}', "not in"),
        ('{"video": "a.mp4", "stems": "/x"}', "not in"),
        ('{"video": "a.mp4", "plot": "../x.png"}', "not in"),
        ('{"video": "a.mp4", "base-url": "http://elsewhere"}', "base-url"),
        ('{"video": "a.mp4", "max_spend": 1e6}', "max-spend"),
        ('{"video": "a.mp4", "reference-audio": true}', "reference-audio"),
        ('{"video": "a.mp4", "zero-retention": false}', "zero-retention"),
        ('{"video": "a.mp4", "fallback": "embedded"}', "fallback"),
        ('{"video": "a.mp4", "api-form": "brief"}', "api-form"),
        ('{"video": "a.mp4"}' + " " * 1_000_000, "too long"),
        (b"\xff\xfe{", "UTF-8"),
    ],
)
def test_a_bad_job_file_is_refused_with_its_name(
    text: str | bytes, words: str, tmp_path: Path
) -> None:
    file = tmp_path / "a.scorebed.json"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "link").symlink_to(tmp_path.parent)
    with pytest.raises(SettingsError, match=words) as caught:
        read_ask(job_for(tmp_path), seen_at(file))
    assert file.name in caught.value.message
    assert caught.value.remedy


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
def test_a_pipe_or_a_device_is_no_job_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.scorebed.json")
    (tmp_path / "zero.scorebed.json").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        with pytest.raises(MediaError, match="a pipe or a device"):
            read_ask(job_for(tmp_path), seen_at(tmp_path / f"{name}.scorebed.json"))


def test_a_job_file_may_write_elsewhere_if_the_watch_says_so(tmp_path: Path) -> None:
    file = tmp_path / "a.scorebed.json"
    file.write_text('{"video": "a.mp4", "output": "/x.mp4", "overwrite": true}')
    for may in ({"jobs_anywhere": True}, {"own_queue": True}):
        ask = read_ask(job_for(tmp_path, **may), seen_at(file))
        assert ask is not None
        assert (ask.entry.output, ask.entry.overwrite) == (Path("/x.mp4"), True)
    file.write_text('{"video": "a.mp4", "output": "deep/x.mp4", "plot": "x.png"}')
    ask = read_ask(job_for(tmp_path), seen_at(file))
    assert ask is not None
    assert ask.entry.output == Path("deep/x.mp4")


def test_a_suggestion_is_not_far_fetched(tmp_path: Path) -> None:
    file = tmp_path / "a.scorebed.json"
    file.write_text('{"video": "a.mp4", "overwrit": true}')
    with pytest.raises(SettingsError) as caught:
        read_ask(job_for(tmp_path), seen_at(file))
    assert "Did you mean" not in caught.value.remedy


def test_the_users_own_queue_may_say_what_may_be_spent(tmp_path: Path) -> None:
    file = tmp_path / "a.scorebed.json"
    file.write_text('{"video": "a.mp4", "max_spend": 2}')
    ask = read_ask(job_for(tmp_path, own_queue=True), seen_at(file))
    assert ask is not None
    assert ask.entry.options.max_spend == 2


@pytest.mark.parametrize("keys", [{"provider": "elevenlabs"}, {"provider": None}])
def test_a_job_chooses_no_service_that_the_watch_has_not_chosen(
    keys: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ELEVENLABS_API_KEY", "no-real-key")
    file, film = tmp_path / "a.scorebed.json", seen_at(tmp_path / "a.mp4")

    def provider_of(mine: str, keys: dict[str, Any], **more: Any) -> str:
        file.write_text(json.dumps({"video": "a.mp4"} | keys))
        job = job_for(tmp_path, pays=True, **more)
        options = replace(job.batch.options, provider=mine, ledger=tmp_path / "ledger")
        job = replace(job, batch=replace(job.batch, options=options))
        ask = read_ask(job, seen_at(file))
        planner = Planner(job, Record(tmp_path), Memory(tmp_path, retry_failed=False))
        return planner.item(1, film, ask).job.settings.provider

    with pytest.raises(SettingsError, match="by elevenlabs, which is for who runs"):
        provider_of("embedded", keys)
    assert provider_of("embedded", keys, own_queue=True) == "elevenlabs"
    assert provider_of("elevenlabs", keys) == "elevenlabs"
    assert provider_of("elevenlabs", {"provider": "embedded"}) == "embedded"


def test_a_job_does_not_go_online_where_the_watch_does_not(tmp_path: Path) -> None:
    job, file = job_for(tmp_path), tmp_path / "a.scorebed.json"
    offline = replace(job.batch, options=replace(job.batch.options, offline=True))
    file.write_text('{"video": "a.mp4", "offline": false}')
    with pytest.raises(SettingsError, match="turns offline off"):
        read_ask(replace(job, batch=offline), seen_at(file))
    assert read_ask(job, seen_at(file)) is not None
    file.write_text('{"video": "a.mp4", "offline": true}')
    ask = read_ask(job, seen_at(file))
    assert ask is not None
    assert ask.entry.options.offline


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("film.mp4", "film.mp4"),
        ("file:///a/my%20film%20%C3%A9%25.mp4", "/a/my film é%.mp4"),
        ("file://localhost/a.mp4", "/a.mp4"),
        ("FILE:/a.mp4", "/a.mp4"),
        ("file:////a/b.mp4", "//a/b.mp4"),
        ("file:///C:/x/y.mp4", "C:/x/y.mp4"),
        ("'/a/b c.mp4'\r\n", "/a/b c.mp4"),
        ("100%20.mp4", "100%20.mp4"),
        ("file.mp4", "file.mp4"),
        (" a.mp4 ", " a.mp4 "),
    ],
)
def test_a_path_is_known_however_a_program_writes_it(given: str, path: str) -> None:
    assert local_path(given) == Path(path)


def test_who_calls_is_a_word(tmp_path: Path) -> None:
    asked = asked_by("media-encoder", "/x/a.mov", output=None, out=tmp_path)
    assert asked.output == tmp_path / "a.scored.mov"
    for odd in ("", "--style", "a/b.mp4", "é" * 50, "a\nb"):
        with pytest.raises(SettingsError, match="no word"):
            asked_by(odd, "a.mp4", output=None, out=None)


def outcome(state: str, *, code: int = 0, content: str = "c", video: str = "/in/a.mp4") -> Outcome:
    failure = Failure(kind="X", stage="mux", message="m", remedy="r", exit_code=code)
    return Outcome(
        number=1,
        name="a.scored.mp4",
        video=Path(video),
        output=Path("/out/a.scored.mp4"),
        key="k",
        state=state,  # type: ignore[arg-type]
        failure=failure if code else None,
        source=InputState(size_bytes=1, mtime_ns=2, content=content),
    )


@pytest.mark.parametrize("then", ["gone", "replaced", "as it was"])
def test_what_was_taken_away_meanwhile_has_not_failed(then: str, tmp_path: Path) -> None:
    film = seen_at(tmp_path / "a.mp4")
    film.path.write_bytes(b"film")
    refresh(film, 0.0)
    item: Any = None
    taken = Taken(item=item, film=film, state=film.state)
    if then == "gone":
        film.path.unlink()
    elif then == "replaced":
        film.path.write_bytes(b"another film")
    told, again = _judged(replace(outcome("failed", code=3), source=None), taken)
    assert again == (then != "as it was")
    assert told.state == ("skipped" if again else "failed")
    # As it was, it may come back: then nothing must be known of it.
    assert (told.source is None) == again


def test_who_changes_a_result_may_keep_it(tmp_path: Path) -> None:
    """Also while the watch that has made it goes on."""
    result = tmp_path / "a.scored.mp4"
    done = replace(outcome("done"), output=result, output_bytes=4)
    item: Any = SimpleNamespace(name=done.name)
    record = Record(tmp_path)
    record.begin(item)
    result.write_bytes(b"half")
    assert record.is_ours(done.name, result)
    record.end(done)
    record.close()
    assert record.is_ours(done.name, result)
    result.write_bytes(b"changed by hand")
    assert not record.is_ours(done.name, result)
    # What has failed under a name that it may have written stays ours.
    record.begin(item)
    failed = replace(outcome("failed", code=1), output=result)
    record.end(failed)
    record.close()
    assert record.is_ours(done.name, result)
    record.begin(item)
    record.end(failed)
    record.end(done)
    record.close()
    assert not record.is_ours(done.name, result)


def test_films_are_known_by_place_and_by_content_after_a_restart(tmp_path: Path) -> None:
    Record(tmp_path).end(outcome("done"), outcome("failed", code=3, content="b", video="/in/b.mp4"))
    with (tmp_path / "batch.jsonl").open("a") as record:
        record.write('{"state": "done", "na')
    (tmp_path / "a.scored.mp4").touch()
    memory = Memory(tmp_path, retry_failed=False)
    done, failed = seen_at(Path("/in/a.mp4")), seen_at(Path("/in/b.mp4"))
    assert memory.of_place(done) is not None
    assert memory.of_place(replace_time(done)) is None
    known = memory.of_content("c")
    assert known is not None
    assert known.video == "/in/a.mp4"
    # What failed is no reason to leave a copy of it alone.
    assert memory.of_content("b") is None
    known = memory.of_place(failed)
    assert known is not None
    assert known.failure is not None
    assert Memory(tmp_path, retry_failed=True).of_place(failed) is None
    assert Memory(tmp_path, retry_failed=True).of_place(done) is not None


def test_a_film_is_known_while_its_own_result_is_there(tmp_path: Path) -> None:
    record, result = Record(tmp_path), tmp_path / "a.scored.mp4"
    copy = replace(outcome("skipped", video="/in/copy.mp4"), name="/in/copy.mp4")
    record.end(outcome("done"), copy)
    places = [seen_at(Path("/in/a.mp4")), seen_at(Path("/in/copy.mp4"))]

    def known() -> list[bool]:
        memory = Memory(tmp_path, retry_failed=False)
        assert (memory.of_content("c") is not None) == (memory.of_place(places[0]) is not None)
        return [memory.of_place(place) is not None for place in places]

    # Gone; there; changed since; of another film, which has failed afterwards; made again.
    assert known() == [False, False]
    result.touch()
    assert known() == [True, True]
    result.write_bytes(b"x")
    assert known() == [False, False]
    result.write_bytes(b"")
    other = outcome("failed", code=3, content="f", video="/in/f.mp4")
    record.end(outcome("done", content="d", video="/in/d.mp4"), other)
    assert known() == [False, False]
    record.end(outcome("done"))
    assert known() == [True, True]


def replace_time(seen: Seen) -> Seen:
    return replace(seen, mtime_ns=3)


def test_what_a_full_disk_has_stopped_is_tried_by_the_next_watch(tmp_path: Path) -> None:
    Record(tmp_path).end(outcome("failed", code=6))
    assert Memory(tmp_path, retry_failed=False).of_place(seen_at(Path("/in/a.mp4"))) is None


def test_what_the_disk_had_no_room_for_is_tried_again_later(tmp_path: Path) -> None:
    job, now = job_for(tmp_path), time.monotonic()
    job.batch.out.mkdir()
    told: list[str] = []
    for asked, later in ((job, True), (replace(job, once=True), False)):
        film = tmp_path / "a.mp4"
        film.write_bytes(b"film")
        seen = Seen(path=film, base=tmp_path, number=1)
        refresh(seen, now)
        work = Work(replace(asked, tell=told.append), unwatched)
        pauses = []
        for _ in range(6):
            work.fail(seen, WorkspaceError("the disk is full", remedy="Make room."))
            pauses.append((seen.look_at - now) // 60)
            assert seen.handled is not later
            assert work.memory.of_place(seen) is None
        if later:
            assert pauses == [5, 10, 20, 40, 60, 60]
    assert "5 minutes" in told[0]


@pytest.mark.parametrize(
    "kind", ["RateLimited", "ProviderUnavailable", "ToolStalled", "WorkerDied"]
)
@pytest.mark.parametrize("way", ["found", "asked for"])
def test_what_may_pass_is_tried_so_often_over_all_restarts(
    kind: str, way: str, tmp_path: Path
) -> None:
    job, asked = job_for(tmp_path), way == "asked for"
    job.batch.out.mkdir()
    (tmp_path / "a.mp4").write_bytes(b"film")
    file = tmp_path / "a.scorebed.json"
    file.write_text('{"video": "a.mp4", "output": "x.mp4"}')
    failure = Failure(kind=kind, stage="compose", message="m", remedy="r", exit_code=5)

    def failed(*, retry_failed: bool = False) -> tuple[bool, str]:
        """A watch that is started, meets the failure, and ends: whether it would try again."""
        told: list[str] = []
        now = time.monotonic()
        work = Work(replace(job, tell=told.append, retry_failed=retry_failed), unwatched)
        ask = read_ask(job, seen_at(file)) if asked else None
        film = Seen(path=tmp_path / "a.mp4", base=tmp_path, number=1) if ask is None else ask.film
        refresh(film, now)
        item = replace(work._planner.failed(1, film.path, failure), fate=Fate.DO, failure=None)
        work._begin(item, film, ask)
        work.end(replace(outcome_of(item, "failed"), failure=failure))
        assert film.handled == (film.look_at <= now)
        line = json.loads((job.batch.out / "batch.jsonl").read_text().splitlines()[-1])
        assert (line["why"] or "") in "".join(told)
        return not film.handled, line["why"] or ""

    tried = [failed() for _ in range(12)]
    assert [again for again, _ in tried] == [True] * 10 + [False] * 2
    assert "in 5 minutes" in tried[0][1]
    assert "in 60 minutes" in tried[9][1]
    assert "(10 of 10)" in tried[9][1]
    known = Memory(job.batch.out, retry_failed=False)
    film = Seen(path=tmp_path / "a.mp4", base=tmp_path, number=1)
    refresh(film, 0.0)
    assert (known.of_place(film) is not None) is not asked
    # Asked to try again, or for another film, it counts from the beginning.
    assert failed(retry_failed=True)[0]
    (tmp_path / "a.mp4").write_bytes(b"another")
    assert failed()[0]


def test_nobody_pays_twice_for_a_film_that_is_tried_again(tmp_path: Path) -> None:
    failure = Failure(kind="WorkerDied", stage="compose", message="m", remedy="r", exit_code=1)
    paid = replace(FREE, requests=1, amount=0.04)
    died = replace(outcome("failed", code=1), failure=failure)
    for spent, buys, again in ((FREE, True, True), (paid, False, True), (paid, True, False)):
        told = unless_paid(replace(died, spent=spent), buy_again=buys).failure
        assert told is not None
        assert (pause_after(told, 1, ends=False) is not None) == again
    for kind, code in (("OutcomeUnknown", 5), ("MediaError", 3), ("OverLimit", 5), ("X", 1)):
        assert pause_after(replace(failure, kind=kind, exit_code=code), 1, ends=False) is None
    once = pause_after(failure, 1, ends=True)
    assert once is not None
    assert (once.seconds, once.words) == (None, "is tried again by the next run (1 of 10)")


def test_a_film_is_moved_under_its_folder_and_replaces_nothing(tmp_path: Path) -> None:
    base, into = tmp_path / "in", tmp_path / "done"
    (base / "x").mkdir(parents=True)
    for text in ("first", "second"):
        film = base / "x" / "a.mp4"
        film.write_text(text)
        move_away(film, base, into)
        assert not film.exists()
    assert (into / "x" / "a.mp4").read_text() == "first"
    assert (into / "x" / "a (2).mp4").read_text() == "second"


def test_a_film_is_moved_to_another_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = tmp_path / "in" / "a.mp4"
    film.parent.mkdir()
    film.write_text("film")
    target = tmp_path / "else.mp4"
    # A link is copied as well: it cannot be moved without what it leads to.
    film.rename(target)
    film.symlink_to(target)
    moved = move_away(film, film.parent, tmp_path / "done")
    assert (moved.read_text(), moved.is_symlink(), film.exists()) == ("film", False, False)
    assert target.exists()
    assert [path.name for path in moved.parent.iterdir()] == ["a.mp4"]

    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    film.symlink_to(target)
    monkeypatch.setattr("scorebed.watching.moving.shutil.copy2", full)
    with pytest.raises(OSError, match="No space"):
        move_away(film, film.parent, tmp_path / "done")
    assert film.exists()
    assert [path.name for path in moved.parent.iterdir()] == ["a.mp4"]


class Stopped(BaseException):
    """What a signal raises in the middle of a move."""


@pytest.mark.parametrize("way", ["rename", "last unlink", "copied", "asked twice", "unlinked"])
def test_a_move_that_is_stopped_never_takes_the_only_copy(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film, target = tmp_path / "in" / "a.mp4", tmp_path / "else.mp4"
    film.parent.mkdir()
    film.write_text("film")
    if way not in {"rename", "asked twice"}:
        # A link is copied, as to another disk.
        film.rename(target)
        film.symlink_to(target)
    rename, unlink = Path.replace, Path.unlink

    def renamed(path: Path, final: Path) -> Path:
        rename(path, final)
        if way == "rename":
            raise Stopped
        if way == "asked twice":
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        return final

    def unlinked(path: Path, *, missing_ok: bool = False) -> None:
        if path == film and way == "copied":
            raise Stopped
        unlink(path, missing_ok=missing_ok)
        if path == film and way == "last unlink":
            raise Stopped
        if path == film and not missing_ok:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(Path, "replace", renamed)
    monkeypatch.setattr(Path, "unlink", unlinked)
    if way in {"asked twice", "unlinked"}:
        move_away(film, film.parent, tmp_path / "done")
    else:
        with pytest.raises(Stopped):
            move_away(film, film.parent, tmp_path / "done")
    left = [path.read_text() for path in (tmp_path / "done").iterdir()]
    assert (film.exists(), left) == ((True, []) if way == "copied" else (False, ["film"]))


def test_two_films_do_not_take_one_name_and_no_film_its_own(tmp_path: Path) -> None:
    record = Record(tmp_path / "out")
    record.path.parent.mkdir()
    record.end(outcome("done", video=str(tmp_path / "x" / "a.mp4")))
    job = job_for(tmp_path)
    planner = Planner(job, record, Memory(tmp_path / "out", retry_failed=False))
    film = tmp_path / "y" / "a.mp4"
    with pytest.raises(SettingsError, match="has become"):
        planner.item(1, seen_at(film), None)
    assert planner.item(1, seen_at(tmp_path / "x" / "a.mp4"), None).name == "a.scored.mp4"
    same = replace(job, batch=replace(job.batch, out=tmp_path, name_template="{stem}{ext}"))
    planner = Planner(same, record, Memory(tmp_path, retry_failed=False))
    with pytest.raises(SettingsError, match="the film itself"):
        planner.item(1, seen_at(tmp_path / "a.mp4"), None)


def test_the_log_names_the_film_of_each_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    job = job_for(tmp_path)
    job.batch.out.mkdir()
    work = Work(job, unwatched)
    films = []
    for name in ("bad.mp4", "copy.mp4"):
        (tmp_path / name).write_bytes(name.encode())
        films.append(Seen(path=tmp_path / name, base=tmp_path, number=1))
        refresh(films[-1], 0.0)
    with caplog.at_level("INFO", logger="scorebed"):
        work.fail(films[0], ScorebedError("it is broken", remedy="Mend it."))
        work.skip(films[1], "it is the same film as /x.mp4, which is scored")
    assert [(vars(line)["file"], line.getMessage()) for line in caplog.records] == [
        (str(tmp_path / "bad.mp4"), "it is broken"),
        (
            str(tmp_path / "copy.mp4"),
            f"{tmp_path / 'copy.mp4'} skipped: it is the same film as /x.mp4, which is scored",
        ),
    ]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"settle_s": -1.0}, "--settle"),
        ({"settle_s": float("nan")}, "--settle"),
        ({"interval_s": 0.0}, "--interval"),
        ({"move_done": "."}, "--move-done"),
        ({"move_done": "out"}, "--move-done"),
        ({"move_done": "file"}, "watch: .* and --move-done is a folder"),
        ({"folder": "none"}, "no folder"),
        ({"template": "{index}{ext}"}, "index"),
        ({"provider": "elevenlabs"}, "spend money"),
    ],
)
def test_a_watch_that_cannot_be_is_refused_at_once(
    more: dict[str, object], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ELEVENLABS_API_KEY", "no real one")
    job = job_for(tmp_path)
    (tmp_path / "file").touch()
    template = str(more.pop("template", "{stem}.scored{ext}"))
    provider = str(more.pop("provider", "embedded"))
    options = replace(job.batch.options, provider=provider)
    batch = replace(job.batch, name_template=template, options=options)
    places = {
        name: tmp_path / value if isinstance(value, str) else value for name, value in more.items()
    }
    with pytest.raises(ScorebedError, match=words) as caught:
        Planner(
            replace(job, batch=batch, **places),  # type: ignore[arg-type]
            Record(tmp_path),
            Memory(tmp_path, retry_failed=False),
        )
    assert caught.value.exit_code == 2


def test_films_that_look_alike_are_read_one_after_the_other_whoever_asks(tmp_path: Path) -> None:
    said: list[str] = []
    films = []
    for number in range(5):
        (tmp_path / f"{number}.mp4").write_bytes(b"%d" % number)
        films.append(seen_at(tmp_path / f"{number}.mp4"))
    reader = Reader(said.append)
    try:
        found: dict[int, str] = {}
        until = time.monotonic() + 30
        while len(found) < len(films) and time.monotonic() < until:
            for number, film in enumerate(films):
                told = None if number in found else reader.hash_of(film)
                if told is not None:
                    found[number] = told
            time.sleep(0.01)
        wanted = {number: whole_of(film.path) for number, film in enumerate(films)}
        assert found == wanted
        (tmp_path / "gone.mp4").write_bytes(b"x")
        gone = seen_at(tmp_path / "gone.mp4")
        gone.path.unlink()
        assert reader.hash_of(gone) is None
        while gone.path not in reader._found and time.monotonic() < until:
            time.sleep(0.01)
        with pytest.raises(MediaError):
            reader.hash_of(gone)
    finally:
        reader.close()


def test_what_could_not_be_read_is_looked_at_again_when_its_owner_changed(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"film")
    film = seen_at(path)
    refresh(film, 0.0)
    failed = replace(outcome("failed", code=3), video=path, name=str(path), source=film.state)
    memory = Memory(tmp_path / "out", retry_failed=False)
    memory.learn(failed)
    assert memory.of_place(film) is not None
    film.ctime_ns += 1
    assert memory.of_place(film) is None


def test_a_lock_that_nobody_can_make_is_nobody_s() -> None:
    if not Path("/proc").is_dir():
        pytest.skip("needs /proc")
    with held_for_all(Path("/proc/scorebed.lock")) as alone:
        assert not alone
