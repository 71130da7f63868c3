"""What a batch on a cluster asks before any work, and what it sends."""

from __future__ import annotations

import asyncio
import logging
import pickle
import sys
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import pytest

from scorebed import __version__
from scorebed.batching.cluster import Cluster, reach
from scorebed.batching.ground import Asked, Ground, Seen, check_ground, look, marked
from scorebed.batching.lock import clear_film_locks, film_lock, only_batch
from scorebed.batching.places import absolute, paths_in
from scorebed.errors import MediaError, MissingKey, SettingsError, ToolError, WorkspaceError
from scorebed.ledger import Ledger
from scorebed.ledger.serving import LedgerServer
from scorebed.logs import append_line, log_through
from scorebed.model import LedgerAddress
from scorebed.providers.base import Service, find

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorebed.model import LedgerPlace


def asked(**told: object) -> None:
    answer = asyncio.run(look(Asked(ground=Ground(version=__version__), **told)))  # type: ignore[arg-type]
    assert answer is None


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("", "is not the address"),
        ("no port", "is not the address"),
        ("http://127.0.0.1:80", "unknown address scheme"),
        ("tls://127.0.0.1:80", "TLS"),
        ("gone.json", "is not the file"),
    ],
)
def test_what_is_no_scheduler_is_refused_by_name(address: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as caught, reach(address, None):
        pytest.fail("it was taken")
    assert "scheduler" in caught.value.remedy


def test_a_file_that_is_not_a_scheduler_s_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "scheduler"
    for text in ("", "[]", "{}", "\0"):
        file.write_text(text)
        with pytest.raises(SettingsError, match="is not the file"), reach(str(file), None):
            pytest.fail("it was taken")


def test_a_scheduler_that_is_not_there_is_told_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scorebed.batching.cluster._REACH_S", 0.3)
    with (
        pytest.raises(ToolError, match="no Dask scheduler answers at tcp://"),
        reach("tcp://127.0.0.1:1", None),
    ):
        pytest.fail("it was reached")
    handlers = logging.getLogger("distributed.client").filters
    assert not handlers, "something was left behind"


def test_without_dask_the_remedy_is_a_line_to_paste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SettingsError) as caught, reach("tcp://127.0.0.1:1", None):
        pytest.fail("it was reached")
    assert "pip install 'scorebed[dask]'" in caught.value.remedy


def test_this_machine_needs_no_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with reach(None, None) as cluster:
        assert cluster is None


def test_a_folder_is_shared_if_its_mark_is_seen_and_its_lock_counts(tmp_path: Path) -> None:
    with marked([tmp_path]) as marks:
        asyncio.run(look(Asked(ground=Ground(version=__version__, marks=marks))))
    assert not list(tmp_path.iterdir())
    # Another folder of that name, no folder, and one whose locks keep nobody out.
    free = tmp_path / "free"
    free.mkdir()
    (free / "mark").touch()
    for mark, words in (
        (tmp_path / "mark", "is not the folder that the batch sees"),
        (tmp_path / "nowhere" / "mark", "is not there"),
        (free / "mark", "does not keep one machine out"),
    ):
        ground = Ground(version=__version__, marks=(mark,))
        with pytest.raises(WorkspaceError, match=words) as caught:
            asyncio.run(look(Asked(ground=ground)))
        assert caught.value.remedy


def test_marks_of_a_killed_batch_are_removed_those_of_another_one_stay(tmp_path: Path) -> None:
    (tmp_path / ".scorebed-shared-dead").touch()
    with marked([tmp_path]) as first, marked([tmp_path]):
        assert first[0].is_file()
        assert len(list(tmp_path.iterdir())) == 2
    assert not list(tmp_path.iterdir())


def test_another_release_is_refused_with_both_named() -> None:
    with pytest.raises(SettingsError, match=f"{__version__} is .* runs 99.9") as caught:
        asyncio.run(look(Asked(ground=Ground(version="99.9"))))
    assert "scorebed==99.9" in caught.value.remedy


def test_a_worker_without_ffmpeg_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCOREBED_FFMPEG", "/nowhere/ffmpeg")
    # Another release's answer is not remembered for this one.
    with pytest.raises(ToolError, match="SCOREBED_FFMPEG"):
        asyncio.run(look(Asked(ground=Ground(version=__version__, marks=(Path("/ffmpeg"),)))))


def test_what_is_read_must_be_the_same_file_there(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(b"12345")
    asked(seen=(Seen(path=film, size_bytes=5), Seen(path=tmp_path, size_bytes=None)))
    for seen, words in (
        (Seen(path=film, size_bytes=6), "another file"),
        (Seen(path=tmp_path, size_bytes=6), "another file"),
        (Seen(path=tmp_path / "gone.mp4", size_bytes=5), "is not there"),
    ):
        with pytest.raises(MediaError, match=words):
            asked(seen=(seen,))


def test_a_worker_says_that_it_has_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    service = find("elevenlabs")
    assert isinstance(service, Service)
    question = Asked(
        ground=Ground(version=__version__), services=(("elevenlabs", service.settings()),)
    )
    assert isinstance(asyncio.run(look(question)), MissingKey)
    monkeypatch.setenv("ELEVENLABS_API_KEY", "sk_cluster_4711_secret")
    assert asyncio.run(look(question)) is None
    assert b"4711" not in pickle.dumps(question)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    path: Path | None
    words: tuple[str, ...] = ("a/b",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    inner: Inner
    several: tuple[Inner, ...]
    where: str = "tcp://ledger"


def test_paths_are_sent_as_they_are_found_from_anywhere(tmp_path: Path) -> None:
    here, there = Path("a film.mp4"), tmp_path / "x"
    value = Outer(inner=Inner(path=here), several=(Inner(path=there), Inner(path=None)))
    sent = absolute(value)
    assert sent == replace(value, inner=Inner(path=Path.cwd() / here))
    assert paths_in(value) == (here, there)
    assert absolute(sent) == sent


def test_lines_of_a_log_go_through_whole_and_without_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "hush-hush-hush")
    lines: list[str] = []
    log = logging.getLogger("scorebed")

    def gone(_line: str) -> None:
        raise BrokenPipeError

    with log_through(lines.append, form="text", level="info"), log_through(gone):
        log.info("a key: hush-hush-hush\nand a line")
        log.debug("too little to be told")
    log.info("nobody hears it")
    (line,) = lines
    assert "hush" not in line
    path = tmp_path / "log"
    append_line(path, line)
    append_line(path, "\udcff")
    assert path.read_bytes().count(b"\n") == 2


@pytest.fixture
def held(tmp_path: Path) -> Callable[[str], filelock.FileLock]:
    return lambda name: filelock.FileLock(film_lock(tmp_path, name), is_singleton=False)


def test_a_film_that_somebody_is_at_keeps_its_lock(
    tmp_path: Path,
    held: Callable[[str], filelock.FileLock],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("scorebed.batching.lock._WAIT_S", 0.2)
    with held("a.mp4"):
        with held("b.mp4"):
            pass
        clear_film_locks(tmp_path)
        assert list(tmp_path.iterdir()) == [film_lock(tmp_path, "a.mp4")]
        with (
            pytest.raises(WorkspaceError, match="earlier batch or watch are still at"),
            only_batch(tmp_path),
        ):
            pytest.fail("it did not wait")
    with only_batch(tmp_path):
        assert not film_lock(tmp_path, "a.mp4").exists()
    assert not list(tmp_path.iterdir())


def test_a_worker_without_the_ledger_of_the_batch_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stands(ledgers: tuple[tuple[LedgerPlace, str], ...]) -> None:
        check_ground(Ground(version=__version__, ledgers=ledgers))

    token = "token-of-the-batch-4711"  # noqa: S105 - of this test
    with LedgerServer(tmp_path / "ledger", token=token) as served:
        place = LedgerAddress(served.url)
        monkeypatch.setenv("SCOREBED_LEDGER_TOKEN", token)
        identity = Ledger(place).identify()
        stands(((place, identity),))
        stands(((tmp_path / "ledger", identity),))
        with pytest.raises(WorkspaceError, match="another ledger"):
            stands(((place, "0" * 32),))
        with pytest.raises(WorkspaceError, match="no such ledger"):
            stands(((tmp_path / "nowhere", identity),))
        assert not (tmp_path / "nowhere").exists()
        monkeypatch.delenv("SCOREBED_LEDGER_TOKEN")
        check_ground.cache_clear()
        with pytest.raises(WorkspaceError, match="refuses the token"):
            stands(((place, identity),))


def test_a_worker_that_is_frozen_is_named_and_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    thawed = threading.Event()

    class Client:
        """Two workers; the second is there, and silent."""

        def nthreads(self) -> dict[str, int]:
            return {"tcp://10.0.0.1:1": 1, "tcp://10.0.0.2:1": 1}

        def run(self, question: Any, *args: Any, workers: list[str], on_error: str) -> Any:
            assert on_error == "return"
            if workers == ["tcp://10.0.0.2:1"]:
                assert thawed.wait(60)
            return {workers[0]: question(*args)}

    monkeypatch.setattr("scorebed.batching.cluster._ANSWER_S", 0.2)
    try:
        with pytest.raises(ToolError, match=r"worker tcp://10\.0\.0\.2:1 has not answered"):
            Cluster(address="tcp://10.0.0.9:1", client=Client()).check_release()
    finally:
        thawed.set()
