"""What a batch knows before its work: which files, which names, which options, what is done."""

from __future__ import annotations

import inspect
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from scorebed.batching.entries import gather
from scorebed.batching.find import Wanted, is_film, search
from scorebed.batching.items import BatchJob, Failure, Fate, Outcome
from scorebed.batching.keys import options_key
from scorebed.batching.machine import cores, default_jobs, free_memory_bytes
from scorebed.batching.manifest import read_manifest
from scorebed.batching.naming import Naming, require_distinct
from scorebed.batching.planning import BatchPlan, plan_batch
from scorebed.batching.record import Record, state_of
from scorebed.batching.run import known
from scorebed.cli.batch import batch
from scorebed.cli.main import app
from scorebed.cli.score import score
from scorebed.errors import SettingsError, WorkspaceError
from scorebed.media import content_of, whole_of
from scorebed.options import Options

RESULT = json.dumps({"schema": 1, "picture": {}, "programme": {}})


def made(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"film")
    return folder


def names(found: list[Any], base: Path) -> list[str]:
    return [one.path.relative_to(base).as_posix() for one in found]


def test_a_folder_is_searched_for_finished_films_of_others(tmp_path: Path) -> None:
    made(
        tmp_path, "a.mp4", "b/C.MOV", "b/._C.MOV", ".git/x.mp4", "b/.x.mkv", "n.mp4.part",
        "~tmp.mp4", "music.wav", "song.ogg", "t.txt", "a.scored.mp4", "own-name.mp4", "out/z.mp4",
        "out/deep/z.mp4",
    )  # fmt: skip
    (tmp_path / "own-name.mp4.scorebed.json").write_text(RESULT)
    wanted = Wanted(recursive=True, out=tmp_path / "out")
    assert names(search(str(tmp_path), wanted), tmp_path) == ["a.mp4", "b/C.MOV"]
    flat = replace(wanted, recursive=False)
    assert names(search(str(tmp_path), flat), tmp_path) == ["a.mp4"]
    # Where results lie among the inputs, they are known by what lies beside them.
    into_itself = replace(wanted, out=tmp_path)
    assert "a.scored.mp4" not in names(search(str(tmp_path), into_itself), tmp_path)


def test_patterns_choose(tmp_path: Path) -> None:
    made(tmp_path, "one/a.mp4", "one/b.mkv", "two/a.mp4", "two/c.dat", "two/.h.mp4", "out/a.mp4")
    wanted = Wanted(recursive=True, out=tmp_path / "out")
    found = search(f"{tmp_path}/*/a*", wanted)
    assert names(found, tmp_path) == ["one/a.mp4", "two/a.mp4"]
    assert {one.base for one in found} == {tmp_path}
    assert names(search(f"{tmp_path}/**/*.dat", wanted), tmp_path) == ["two/c.dat"]
    assert names(search(f"{tmp_path}/two/*", wanted), tmp_path) == ["two/a.mp4"]
    only = replace(wanted, only=("one/*",), exclude=("*.mkv",))
    assert names(search(str(tmp_path), only), tmp_path) == ["one/a.mp4"]
    # A file that is named is taken, whatever it is called; a name with brackets is a name.
    made(tmp_path, "[1] x.bin")
    assert names(search(f"{tmp_path}/[1] x.bin", wanted), tmp_path) == ["[1] x.bin"]
    assert names(search(f"{tmp_path}/missing.mp4", wanted), tmp_path) == ["missing.mp4"]


def test_a_folder_that_cannot_be_searched_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path, "a.mp4", "closed/b.mp4")
    plain = os.scandir

    def scandir(path: Any) -> Any:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return plain(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = search(str(tmp_path), Wanted(recursive=True, out=tmp_path / "out"))
    assert [(one.path.name, one.trouble) for one in found] == [
        ("a.mp4", ""),
        ("closed", "Permission denied"),
    ]


TOML = """
[defaults]
style = "lofi"
[[file]]
video = "a.mp4"
speech-margin = 16.5
tags = ["calm", "piano"]
no-duck = true
music-stream = true
[[file]]
video = "b.mp4"
output = "x/y.mkv"
style = "ambient"
cuts = "chapters"
"""
CSV = (
    "video,output,style,speech-margin,tag,no_duck,music-stream,cuts\n"
    "a.mp4,,lofi,16.5,calm; piano,true,true,\n"
    '"b.mp4",x/y.mkv,ambient,,,,,chapters\n'
)
LINES = (
    '{"video": "a.mp4", "style": "lofi", "speech_margin_lu": 16.5, "tag": ["calm", "piano"], '
    '"duck": false, "music_stream": true}\n\n'
    '{"video": "b.mp4", "output": "x/y.mkv", "style": "ambient", "--cuts": "chapters"}\n'
)


@pytest.mark.parametrize(("name", "text"), [("m.toml", TOML), ("m.csv", CSV), ("m.jsonl", LINES)])
def test_a_manifest_says_the_same_in_any_form(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text)
    base = Options(seed=5)
    one, two = read_manifest(path, base)
    assert one.options == replace(
        base,
        style="lofi",
        speech_margin_lu=16.5,
        tags=("calm", "piano"),
        duck=False,
        music_stream=True,
    )
    assert one.video == tmp_path / "a.mp4"
    assert one.output is None
    assert one.said >= {"style", "speech_margin_lu", "tags", "duck", "music_stream"}
    assert two.options == replace(base, style="ambient", cuts=Path("chapters"))
    assert two.output == Path("x/y.mkv")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("m.toml", '[[file]]\nvideo = "a"\nstile = "lofi"\n', ("file 1", "'style'")),
        ("m.toml", '[[file]]\nstyle = "lofi"\n', ("file 1", "video")),
        ("m.toml", "[[file]\n", ("not TOML",)),
        ("m.toml", 'video = "a"\n', ("'video'", "[[file]]")),
        ("m.csv", "video,seed\na.mp4,many\n", ("line 2", "seed")),
        ("m.csv", "video,seed\na.mp4,1,2\n", ("line 2", "more fields")),
        ("m.csv", "video,no-duck\na.mp4,perhaps\n", ("line 2", "true or false")),
        ("m.csv", "video\n", ("names no file",)),
        ("m.jsonl", '{"video": "a.mp4"}\n{"video": \n', ("line 2", "not JSON")),
        ("m.jsonl", "[1]\n", ("line 1", "no object")),
        ("m.jsonl", '{"video": "a.mp4", "output": 3}\n', ("output",)),
        ("m.toml", 'file = ["a.mp4"]\n', ("file 1", "no table")),
        ("m.toml", "x = " + "[" * 100_000, ("not TOML",)),
        ("m.toml", "x = " + "1" * 5000, ("not TOML",)),
        ("m.jsonl", "[" * 100_000, ("line 1", "not JSON")),
        ("m.jsonl", '{"video": "~nosuchuser/a.mp4"}\n', ("line 1", "whole path")),
        ("m.jsonl", '{"video": "a", "stems": "~nosuchuser/a"}\n', ("line 1", "whole path")),
        ("m.jsonl", '{"video": "a", "music": "~nosuchuser/a"}\n', ("line 1", "home")),
        ("m.jsonl", '{"video": "a\\u0000.mp4"}\n', ("line 1", "'video'", "no text")),
        ("m.jsonl", '{"video": "a", "style": "\\ud800"}\n', ("line 1", "'style'", "no text")),
        ("m.jsonl", '{"video": "a", "tags": ["\\ud800"]}\n', ("line 1", "'tags'", "no text")),
        ("m.jsonl", '{"video": "a", "no-duck": {"a": 1}}\n', ("line 1", "'no-duck'", "tables")),
    ],
)
def test_a_wrong_manifest_is_refused_by_its_place(
    name: str, text: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        read_manifest(path, Options())
    told = f"{caught.value.message} {caught.value.remedy}"
    assert all(word in told for word in (name, *words))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("m.jsonl", '{{"video": "{0}.mp4"}}\r\n{{"video": "b.mp4"}}'),
        ("m.csv", "video\r\n{0}.mp4\r\nb.mp4"),
    ],
)
def test_signs_that_end_lines_elsewhere_do_not_end_one_here(
    name: str, text: str, tmp_path: Path
) -> None:
    path, film = tmp_path / name, "a\u2028b\x85c"
    path.write_bytes(text.format(film).encode())
    assert [one.video.name for one in read_manifest(path, Options())] == [f"{film}.mp4", "b.mp4"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
def test_what_lies_beside_a_film_is_read_if_it_is_a_short_file(tmp_path: Path) -> None:
    film, beside = tmp_path / "a.mp4", tmp_path / "a.mp4.scorebed.json"
    film.write_bytes(b"x")
    os.mkfifo(beside)
    assert is_film(film)
    beside.unlink()
    beside.symlink_to("/dev/zero")
    assert is_film(film)
    beside.unlink()
    told = '{"schema": 1, "picture": {}, "programme": {}}'
    beside.write_text(told)
    assert not is_film(film)
    with beside.open("a") as file:
        file.write(" " * 16_000_000)
    assert is_film(film)


def job(paths: tuple[str, ...], out: Path, **told: Any) -> BatchJob:
    options = told.pop("options", Options(provider="embedded"))
    return BatchJob(
        paths=paths,
        out=out,
        options=options,
        said=frozenset(),
        defaults=Options(),
        workspace=out.parent / "work",
        **told,
    )


def plan(paths: Path, out: Path, **told: Any) -> BatchPlan:
    return plan_batch(job((str(paths),), out, **told))


@pytest.fixture
def films(make_video: Callable[..., Path], tmp_path: Path) -> Path:
    """Two films, one in a folder below."""
    folder = tmp_path / "in"
    (folder / "day 1").mkdir(parents=True)
    clip = make_video("plan.mp4", "-c:a", "aac", duration_s=1.5)
    shutil.copy2(clip, folder / "a.mp4")
    shutil.copy2(clip, folder / "day 1" / "b.mp4")
    return folder


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, ["a.scored.mp4", "b.scored.mp4"]),
        ({"keep_structure": True}, ["a.scored.mp4", "day 1/b.scored.mp4"]),
        ({"name_template": "{index:03d}-{stem}"}, ["001-a.mp4", "002-b.mp4"]),
        ({"name_template": "{parent}/{seed}.{style}.mkv"}, ["in/1.cinematic.mkv"]),
        (
            {"name_template": "{stem}_{preset}_{provider}{ext}"},
            ["a_youtube_embedded.mp4", "b_youtube_embedded.mp4"],
        ),
    ],
)
def test_results_are_named(
    told: dict[str, Any], expected: list[str], films: Path, tmp_path: Path
) -> None:
    found = [item.name for item in plan(films, tmp_path / "out", **told).items]
    assert found[: len(expected)] == expected


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{stem", "cannot be read"),
        ("{0}", "{0}"),
        ("{stem.real}", "cannot be read"),
        ("same.mp4", "one name"),
        ("../{stem}", "not in"),
        ("/{stem}", "not in"),
        ("{style}/", "would both become"),
    ],
)
def test_a_template_that_names_nothing_is_refused(
    template: str, words: str, films: Path, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError) as caught:
        plan(films, tmp_path / "out", name_template=template)
    assert words in caught.value.message


def test_no_two_results_share_a_name_on_any_disk(tmp_path: Path) -> None:
    pairs = [(Path("a"), tmp_path / "Café.mp4"), (Path("b"), tmp_path / "CAFÉ.mp4")]
    with pytest.raises(SettingsError, match="a and b would both"):
        require_distinct(pairs)
    require_distinct(pairs[:1])


def test_a_result_is_never_an_input(films: Path) -> None:
    with pytest.raises(SettingsError, match="which is an input"):
        plan(films, films, name_template="{stem}{ext}")


def outcome(plan: BatchPlan, state: Any, exit_code: int = 0) -> Outcome:
    item = plan.items[0]
    item.job.output.parent.mkdir(exist_ok=True)
    failure = None
    if exit_code:
        failure = Failure(kind="X", stage="mux", message="m", remedy="r", exit_code=exit_code)
    else:
        item.job.output.write_bytes(b"result")
    return Outcome(
        number=1,
        name=item.name,
        video=item.job.video,
        output=item.job.output,
        key=item.key,
        state=state,
        failure=failure,
        source=replace(state_of(item.job.video), sha256=whole_of(item.job.video)),
        output_bytes=0 if exit_code else 6,
    )


def fate(films: Path, out: Path, **told: Any) -> tuple[Fate, bool]:
    item = plan(films, out, **told).items[0]
    return item.fate, item.job.overwrite


def test_what_is_done_and_unchanged_is_skipped(films: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    Record(out).end()  # nothing is not written
    assert not out.exists()
    first = plan(films, out)
    done = outcome(first, "done")
    Record(out).end(done)
    assert fate(films, out) == (Fate.SKIP, True)
    assert fate(films, out, resume=False) == (Fate.DO, True)
    assert fate(films, out, overwrite=True) == (Fate.DO, True)
    assert fate(films, out, retry_failed=True)[0] is Fate.SKIP
    assert fate(films, out, retry_failed=True, overwrite=True)[0] is Fate.SKIP
    # Touched, or copied over itself, it is the same film; a release's new default asks the same.
    os.utime(films / "a.mp4")
    assert fate(films, out)[0] is Fate.SKIP
    seeded = Options(provider="embedded", seed=2)
    assert fate(films, out, options=seeded) == (Fate.DO, True)
    paid = Options(provider="embedded", max_spend=3.0, ledger=tmp_path / "ledger")
    assert fate(films, out, options=paid)[0] is Fate.SKIP
    with (films / "a.mp4").open("ab") as file:
        file.write(b"\0" * 100)
    assert fate(films, out) == (Fate.DO, True)


def test_a_film_that_was_moved_or_touched_is_read_whole_once(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    Record(out).end(outcome(plan(films, out), "done"))
    reads: list[Path] = []

    def read(path: Path, *_: object) -> str | None:
        reads.append(path)
        return whole_of(path)

    monkeypatch.setattr("scorebed.batching.sameness.whole_of", read)
    monkeypatch.setattr("scorebed.batching.sameness._read", {})
    assert fate(films, out)[0] is Fate.SKIP
    assert not reads
    # Another place, another time, and what a disk notes of an owner.
    films = films.rename(tmp_path / "moved")
    os.utime(films / "a.mp4")
    for mode in ((films / "a.mp4").stat().st_mode, 0o640):
        (films / "a.mp4").chmod(mode)
        first = plan(films, out)
        assert first.items[0].fate is Fate.SKIP
        assert reads == [films / "a.mp4"]
        reads.clear()
        Record(out).end(known(first.items[0], Record(out)))
        monkeypatch.setattr("scorebed.batching.sameness._read", {})
        assert fate(films, out)[0] is Fate.SKIP
        assert not reads


@pytest.mark.parametrize("time", ["new", "as it was"])
def test_a_film_that_no_sample_tells_from_another_is_another(
    time: str, films: Path, tmp_path: Path
) -> None:
    out, film = tmp_path / "out", films / "a.mp4"
    with film.open("ab") as file:
        file.write(b"\0" * 20_000_000)
    before = film.stat()
    Record(out).end(outcome(plan(films, out), "done"))
    sampled = content_of(film)
    with film.open("r+b") as file:
        file.seek(3_000_000)
        file.write(b"x")
    assert content_of(film) == sampled
    if time == "as it was":
        os.utime(film, ns=(before.st_atime_ns, before.st_mtime_ns))
    item = plan(films, out).items[0]
    # Under the same time stages of the other one are kept.
    assert (item.fate, item.anew) == (Fate.DO, time == "as it was")


def test_the_record_of_a_release_that_read_no_film_whole_still_counts(
    films: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    Record(out).end(outcome(plan(films, out), "done"))
    line = json.loads((out / "batch.jsonl").read_text())
    for name in ("ctime_ns", "sha256"):
        del line["source"][name]
    (out / "batch.jsonl").write_text(json.dumps(line) + "\n")
    (films / "a.mp4").chmod(0o640)
    assert fate(films, out)[0] is Fate.SKIP
    os.utime(films / "a.mp4")
    assert fate(films, out)[0] is Fate.DO


def test_a_link_takes_no_film_away(films: Path, tmp_path: Path) -> None:
    (films / "0 link.mp4").symlink_to("a.mp4")
    (films / "z link.mp4").hardlink_to(films / "a.mp4")
    planned = [item.job.video.name for item in plan(films, tmp_path / "out").items]
    assert {"0 link.mp4", "a.mp4", "z link.mp4"} <= set(planned)
    assert len(planned) == len(set(planned))


def test_a_file_is_no_folder_of_results(films: Path) -> None:
    with pytest.raises(SettingsError, match="is a file"):
        plan(films, films / "a.mp4")


def test_a_result_that_is_not_ours_is_not_replaced(films: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = plan(films, out)
    Record(out).end(outcome(first, "done"))
    first.items[0].job.output.write_bytes(b"edited by hand")
    item = plan(films, out).items[0]
    assert item.fate is Fate.FAILED
    assert item.failure is not None
    assert "exists already" in item.failure.message
    # Begun and killed between the file and its line: it is ours.
    Record(out).begin(item)
    assert fate(films, out) == (Fate.DO, True)


def test_a_broken_film_is_not_tried_again_unless_it_changes(films: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = plan(films, out)
    Record(out).end(outcome(first, "failed", exit_code=3))
    assert fate(films, out)[0] is Fate.FAILED
    assert fate(films, out, retry_failed=True)[0] is Fate.DO
    Record(out).end(outcome(first, "failed", exit_code=5))
    assert fate(films, out)[0] is Fate.DO
    other = plan(films, out, retry_failed=True).items[1]
    assert (other.fate, other.why) == (Fate.SKIP, "it has not failed before")


def test_half_a_line_in_the_record_is_no_line(films: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = outcome(plan(films, out), "done")
    Record(out).end(done)
    with (out / "batch.jsonl").open("ab") as file:
        file.write(b'{"state": "done", "name": "b.sco')
    Record(out).end(replace(done, name="c.mp4"))
    lines = (out / "batch.jsonl").read_text().splitlines()
    assert [json.loads(line)["name"] for line in (lines[0], lines[2])] == ["a.scored.mp4", "c.mp4"]
    assert Record(out).last("c.mp4") is not None
    assert Record(out).last("b.scored.mp4") is None


def test_a_batch_without_room_is_refused(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: room)
    with pytest.raises(WorkspaceError, match="are needed"):
        plan(films, tmp_path / "out")


def test_what_changes_nothing_is_not_in_the_key(tmp_path: Path) -> None:
    def key(**told: Any) -> str:
        return options_key(Options(**told), "embedded", one_style=False, extras=())

    assert key() == key(max_spend=1.0, ledger=tmp_path, buy_again=True, fallback="embedded")
    assert key() != key(seed=2)
    assert key() != options_key(Options(), "elevenlabs", one_style=False, extras=())
    assert key() != options_key(Options(), "embedded", one_style=True, extras=())
    track = tmp_path / "track.wav"
    track.write_bytes(b"one")
    one = key(music=track)
    track.write_bytes(b"two")
    assert key(music=track) != one


def test_files_are_taken_once(films: Path, tmp_path: Path) -> None:
    paths = (str(films), str(films / "a.mp4"), f"{films}/*")
    entries, troubles = gather(job(paths, tmp_path / "out"))
    assert [entry.video.name for entry in entries] == ["a.mp4", "b.mp4"]
    assert not troubles


def test_one_style_needs_one_brief(films: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "m.jsonl"
    manifest.write_text(
        f'{{"video": "{films}/a.mp4"}}\n{{"video": "{films}/day 1/b.mp4", "prompt": "dark"}}\n'
    )
    plan(manifest, tmp_path / "out")
    with pytest.raises(SettingsError, match=r"line 2: --one-style needs one prompt"):
        plan(manifest, tmp_path / "out", one_style=True)


def test_jobs_are_as_many_as_the_machine_bears() -> None:
    assert 1 <= default_jobs() <= cores()
    free = free_memory_bytes()
    assert free is None or free > 0


def test_a_batch_takes_every_option_of_a_score() -> None:
    ours = inspect.signature(batch).parameters
    one_file = {"video", "output", "plot", "plan", "dry_mux", "until"}
    assert set(inspect.signature(score).parameters) - ours.keys() == one_file
    told = CliRunner().invoke(app, ["batch", "--help"], env={"TERMINAL_WIDTH": "200"})
    assert "--speech-margin" in told.output


def test_a_naming_is_checked_before_files_are_looked_for(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"\{stam\}"):
        Naming(out=tmp_path, template="{stam}", keep_structure=False).check()
