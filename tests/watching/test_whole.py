"""A film is taken when its end is there, and not before."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scorebed.errors import MediaError
from scorebed.watching.whole import require_whole, writers

FORMS = {
    "index last.mp4": ("-c:a", "aac"),
    "index first.mov": ("-c:a", "aac", "-movflags", "+faststart"),
    "film.mkv": ("-c:a", "aac"),
    "film.avi": ("-c:a", "mp3"),
}


def is_whole(path: Path) -> bool:
    try:
        require_whole(path)
    except MediaError as error:
        return not (path.name in error.message and error.remedy)
    return True


@pytest.mark.parametrize("name", FORMS)
def test_a_film_is_whole_with_its_last_byte(
    name: str, make_video: Callable[..., Path], tmp_path: Path
) -> None:
    film = make_video(name, *FORMS[name], picture="mpeg4" if name.endswith("avi") else "h264")
    data = film.read_bytes()
    assert is_whole(film)
    part = tmp_path / name
    size = len(data)
    for length in (0, 1, 40, size // 10, size // 2, size * 9 // 10, size - 1000, size - 1):
        part.write_bytes(data[:length])
        assert not is_whole(part), f"taken with {length} of {size} bytes"
        # Some copying programs keep the room first.
        part.write_bytes(data[:length].ljust(size, b"\0"))
        if name.startswith("index") and length < size - 1000:
            assert not is_whole(part), f"taken with {length} of {size} bytes, and a hole"


def test_a_fragmented_film_and_a_stream_without_a_length_are_whole(
    make_video: Callable[..., Path], tmp_path: Path
) -> None:
    assert is_whole(make_video("f.mp4", "-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"))
    assert is_whole(make_video("live.mkv", "-c:a", "aac", "-live", "1"))
    assert is_whole(make_video("film.ts", "-c:a", "aac"))


def test_a_sound_track_alone_is_whole(make_media: Callable[..., Path]) -> None:
    # That it has no picture is for the plan to say.
    sound = make_media("sound.mp4", "-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac")
    assert is_whole(sound)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only Linux says who writes")
def test_a_film_that_a_program_has_open_for_writing_is_known(tmp_path: Path) -> None:
    film, other = tmp_path / "a b\n.mp4", tmp_path / "b.mp4"
    for path in (film, other):
        path.write_bytes(b"x")
    code = "import sys; f = open(sys.argv[1], sys.argv[2]); print(flush=True); sys.stdin.read()"
    link = tmp_path / "link.mp4"
    link.symlink_to(film)
    for mode, found in (("r+b", {link}), ("rb", set())):
        with subprocess.Popen(
            [sys.executable, "-c", code, film, mode],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            assert writers([link, other]) == found
            process.communicate()
    assert writers([film]) == set()
    assert os.path.lexists(link)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only Linux says who writes")
def test_a_file_that_is_closed_meanwhile_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = tmp_path / "a.mp4"
    film.write_bytes(b"x")
    code = "import sys; f = open(sys.argv[1], 'r+b'); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, film], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        plain = os.readlink

        def readlink(path: str) -> str:
            if path == f"/proc/{process.pid}/fd/0":
                raise FileNotFoundError(path)
            return plain(path)

        monkeypatch.setattr("scorebed.watching.whole.os.readlink", readlink)
        assert writers([film]) == {film}
        process.communicate()
