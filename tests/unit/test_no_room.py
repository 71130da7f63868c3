"""What a disk without room is told as, and what it does not stop."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from scorebed.cli.console import say
from scorebed.delivery import published_together, told_of
from scorebed.errors import WorkspaceError
from scorebed.ffmpeg import run as run_ffmpeg
from scorebed.wav import wav_writer, write_array


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def largest_file() -> Iterator[int]:
    """No file of this process, or of one that it starts, grows over so many bytes."""
    resource = pytest.importorskip("resource", reason="Windows has no such limit")
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, former[1]))
    yield 20_000
    resource.setrlimit(resource.RLIMIT_FSIZE, former)


def test_a_file_that_the_disk_or_a_limit_takes_no_more_of_is_told_as_such(
    largest_file: int, tmp_path: Path
) -> None:
    long = np.zeros((largest_file, 2), dtype=np.float32)

    def sound(path: Path) -> None:
        with wav_writer(path, channels=2) as writer:
            writer.write(long)

    def film(path: Path) -> None:
        work = ["-f", "lavfi", "-i", "sine=duration=2", "-f", "s16le", "-y", f"file:{path}"]
        run_ffmpeg(work, stage="mux", subject=Path("film.mp4"))

    def array(path: Path) -> None:
        write_array(path, long)

    for number, write in enumerate((sound, film, array)):
        path = tmp_path / str(number)
        with pytest.raises(WorkspaceError, match="takes no file as large") as caught, told_of(path):
            write(path)
        assert str(tmp_path) in caught.value.message
        assert "ulimit" in caught.value.remedy


def test_talk_that_finds_no_room_stops_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def write(self, _text: str, /) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("sys.stderr", Full())
    say("mux: started")
    with sys.stderr as silent:
        say("mux: 50%")
    assert silent.name == os.devnull


def test_files_that_belong_together_get_their_names_together_or_not_at_all(tmp_path: Path) -> None:
    one, two, old = (tmp_path / name for name in ("one.wav", "two.wav", "old.wav"))
    old.write_text("old")

    def give_all(*, last: bool) -> None:
        with published_together() as give:
            for final in (old, one, two):
                part = final.with_suffix(".part")
                if final is not two or last:
                    part.write_text("new")
                give(part, final, overwrite=True)

    with pytest.raises(FileNotFoundError):
        give_all(last=False)
    # What was replaced cannot be brought back, and is not taken away.
    assert names(tmp_path) == ["old.wav"]
    give_all(last=True)
    assert names(tmp_path) == ["old.wav", "one.wav", "two.wav"]
