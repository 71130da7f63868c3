"""ffmpeg: which one is taken, how its failures are told, and that it never outlives us."""

from __future__ import annotations

import os
import stat
from fractions import Fraction
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest

from scorebed import ffmpeg
from scorebed.errors import ToolError, WorkspaceError
from scorebed.ffmpeg import Decoding, FfmpegError, decode_audio, locate, missing_parts, run

OLD = ("5.1.9-0+deb12u1", "59. 27.100")
RECENT = ("7.0", "61.  1.100")
LONG_WORK = ["-re", "-f", "lavfi", "-i", "testsrc2=size=64x64:duration=60", "-f", "null", "-"]


def script(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def pretender(path: Path, version: tuple[str, str], then: str = "exit 0") -> Path:
    """A program that says it is ffmpeg; ``then`` is what it does when it is given work."""
    said = f"ffmpeg version {version[0]} Copyright (c)\\nlibavformat    {version[1]} / {version[1]}"
    return script(path, f'if [ "$1" = -version ]; then printf "{said}\\n"; exit 0; fi\n{then}')


def stereo(path: Path, index: int = 0) -> Decoding:
    return Decoding(path=path, stream_index=index, channels=2, filters="anull")


def own_children() -> set[int]:
    """Processes that this one has started and that are still there."""
    found: set[int] = set()
    for path in Path("/proc/self/task").glob("*/children"):
        found |= {int(word) for word in path.read_text().split()}
    return found


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that says nothing about ffmpeg."""
    for name in ("SCOREBED_FFMPEG", "IMAGEIO_FFMPEG_EXE"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


# --- which one ---------------------------------------------------------------------------------


def test_override_is_taken_before_path(tmp_path: Path, plain: pytest.MonkeyPatch) -> None:
    mine = pretender(tmp_path / "mine", RECENT)
    pretender(tmp_path / "bin" / "ffmpeg", ("8.0", "62.  3.100"))
    plain.setenv("PATH", f"{tmp_path / 'bin'}:/bin")
    plain.setenv("SCOREBED_FFMPEG", str(mine))
    found = locate()
    assert (found.path, found.version, found.origin) == (str(mine), "7.0", "SCOREBED_FFMPEG")


@pytest.mark.parametrize("kind", ["missing", "not executable", "folder", "other program", "fails"])
def test_override_that_does_not_run(tmp_path: Path, plain: pytest.MonkeyPatch, kind: str) -> None:
    path = tmp_path / "ffmpeg"
    if kind == "not executable":
        path.write_text("#!/bin/sh\n")
    elif kind == "folder":
        path.mkdir()
    elif kind == "other program":
        script(path, "echo hello")
    elif kind == "fails":
        script(path, "exit 1")
    plain.setenv("SCOREBED_FFMPEG", str(path))
    with pytest.raises(ToolError) as caught:
        locate()
    assert caught.value.exit_code == 4
    assert str(path) in caught.value.message
    assert "SCOREBED_FFMPEG" in caught.value.message
    assert "unset" in caught.value.remedy


def test_override_that_is_too_old(tmp_path: Path, plain: pytest.MonkeyPatch) -> None:
    plain.setenv("SCOREBED_FFMPEG", str(pretender(tmp_path / "ffmpeg", OLD)))
    with pytest.raises(ToolError, match=r"5\.1\.9.*7\.0 or later") as caught:
        locate()
    assert caught.value.exit_code == 4
    assert "Unset SCOREBED_FFMPEG" in caught.value.remedy


def test_a_recent_one_on_path_is_taken(tmp_path: Path, plain: pytest.MonkeyPatch) -> None:
    installed = pretender(tmp_path / "ffmpeg", RECENT)
    plain.setenv("PATH", f"{tmp_path}:/bin")
    found = locate()
    assert (found.path, found.version, found.origin) == (str(installed), "7.0", "PATH")


@pytest.mark.parametrize("version", [OLD, ("6.1.1", "60. 16.100"), ("N-1-g0", "what")])
def test_an_old_one_on_path_is_passed_over(
    tmp_path: Path, plain: pytest.MonkeyPatch, version: tuple[str, str]
) -> None:
    pretender(tmp_path / "ffmpeg", version)
    plain.setenv("PATH", f"{tmp_path}:/bin")
    found = locate()
    assert found.origin == "imageio-ffmpeg"
    assert not found.path.startswith(str(tmp_path))


def test_without_any_on_path_the_bundled_one_is_taken_and_can_do_the_job(
    tmp_path: Path, plain: pytest.MonkeyPatch
) -> None:
    plain.setenv("PATH", str(tmp_path))
    assert locate().origin == "imageio-ffmpeg"
    assert missing_parts() == ()


def test_parts_that_it_lacks_are_named(tmp_path: Path, plain: pytest.MonkeyPatch) -> None:
    bare = pretender(tmp_path / "ffmpeg", RECENT, 'echo " A..... aac  aresample mp4"')
    plain.setenv("SCOREBED_FFMPEG", str(bare))
    missing = missing_parts()
    assert {"encoder libopus", "filter apad", "muxer matroska"} <= set(missing)
    assert not {"encoder aac", "filter aresample", "muxer mp4"} & set(missing)


def test_none_at_all(tmp_path: Path, plain: pytest.MonkeyPatch) -> None:
    # An imageio-ffmpeg installed from source carries no program, and says so in this way.
    def nothing() -> str:
        raise RuntimeError("No ffmpeg exe could be found.")

    pretender(tmp_path / "ffmpeg", OLD)
    plain.setenv("PATH", f"{tmp_path}:/bin")
    plain.setattr(imageio_ffmpeg, "get_ffmpeg_exe", nothing)
    with pytest.raises(ToolError) as caught:
        locate()
    assert caught.value.exit_code == 4
    assert "pip install" in caught.value.remedy


# --- how it ends -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "then",
    [
        pytest.param("exec sleep 60", id="hangs"),
        pytest.param("while :; do echo frame=1; echo speed=0; sleep 0.05; done", id="runs idle"),
    ],
)
def test_a_stall_is_ended(tmp_path: Path, plain: pytest.MonkeyPatch, then: str) -> None:
    before = own_children()
    plain.setenv("SCOREBED_FFMPEG", str(pretender(tmp_path / "ffmpeg", RECENT, then)))
    plain.setattr(ffmpeg, "STALL_S", 0.4)
    with pytest.raises(ToolError, match=r"reel: ffmpeg made no headway on film\.mp4") as caught:
        run(["-i", "film.mp4"], stage="reel", subject=Path("film.mp4"))
    assert caught.value.exit_code == 4
    assert own_children() == before


def test_a_stall_behind_a_wrapper_is_ended(tmp_path: Path, plain: pytest.MonkeyPatch) -> None:
    """A snap, a nix wrapper or a site's own script: the one that hangs is a grandchild."""
    woke = tmp_path / "woke"
    wrapper = pretender(tmp_path / "ffmpeg", RECENT, f'sh -c "sleep 10; touch {woke}"')
    plain.setenv("SCOREBED_FFMPEG", str(wrapper))
    plain.setattr(ffmpeg, "STALL_S", 0.4)
    with pytest.raises(ToolError, match="made no headway"):
        run(["-i", "film.mp4"], stage="reel", subject=Path("film.mp4"))
    assert not woke.exists(), "it was waited for, not ended"


def test_a_stall_while_decoding_is_ended(tmp_path: Path, plain: pytest.MonkeyPatch) -> None:
    stuck = pretender(tmp_path / "ffmpeg", RECENT, "head -c 4000 /dev/zero; exec sleep 60")
    plain.setenv("SCOREBED_FFMPEG", str(stuck))
    plain.setattr(ffmpeg, "STALL_S", 0.4)
    with pytest.raises(ToolError, match="made no headway"):
        list(decode_audio(stereo(Path("a.mp4")), stage="probe"))


def test_slow_work_is_not_a_stall(plain: pytest.MonkeyPatch) -> None:
    plain.setattr(ffmpeg, "STALL_S", 1.5)
    work = ["-re", "-f", "lavfi", "-i", "testsrc2=size=64x64:duration=2.5", "-f", "null", "-"]
    seen: list[float] = []
    run(work, stage="mux", subject=Path("x"), duration_s=Fraction(5, 2), progress=seen.append)
    assert seen == sorted(seen)
    assert all(0 <= share <= 1 for share in seen)
    assert seen[-1] == 1.0


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for children in /proc")
@pytest.mark.parametrize("how", [KeyboardInterrupt, SystemExit, ValueError])
def test_no_child_outlives_an_interrupted_run(how: type[BaseException]) -> None:
    before = own_children()
    during: set[int] = set()

    def interrupt(_share: float) -> None:
        during.update(own_children() - before)
        raise how

    with pytest.raises(how):
        run(
            LONG_WORK,
            stage="mux",
            subject=Path("x"),
            duration_s=Fraction(60),
            progress=interrupt,
        )
    assert during, "the test saw no child"
    assert own_children() == before
    assert not any(Path(f"/proc/{number}").exists() for number in during)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for children in /proc")
def test_no_child_outlives_a_decode_that_is_given_up(make_video: Any) -> None:
    before = own_children()
    film = make_video("long.mov", duration_s=20.0, look="color=size=64x64")
    blocks = decode_audio(stereo(film, 1), stage="conform")
    assert next(blocks).shape[1] == 2
    assert own_children() > before
    blocks.close()
    assert own_children() == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told_as_such() -> None:
    work = ["-f", "lavfi", "-i", "sine=duration=2", "-f", "s16le", "-y", "/dev/full"]
    with pytest.raises(WorkspaceError, match=r"mux: the disk .*is full.*film\.mp4") as caught:
        run(work, stage="mux", subject=Path("film.mp4"))
    assert caught.value.exit_code == 6
    assert "again" in caught.value.remedy


def test_a_failure_names_stage_file_and_reason(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mov"
    broken.write_bytes(b"no film at all" * 100)
    with pytest.raises(FfmpegError, match=r"conform: ffmpeg failed on .*broken\.mov: .+") as caught:
        list(decode_audio(stereo(broken), stage="conform"))
    assert caught.value.exit_code == 4
    assert "Invalid data" in caught.value.log


def test_blocks_are_whole_samples(make_bursts: Any) -> None:
    path = make_bursts(3.0, [0.25, 0.5])
    blocks = list(decode_audio(stereo(path), stage="probe"))
    assert {block.shape[1] for block in blocks} == {2}
    assert all(block.dtype == np.float32 for block in blocks)
    assert sum(map(len, blocks)) == 3 * 48_000


def test_ffmpeg_is_not_in_our_process_group(tmp_path: Path, plain: pytest.MonkeyPatch) -> None:
    """Ctrl-C goes to a whole group; ours ends its children itself, so that files are tidied."""
    noted = tmp_path / "group"
    spy = pretender(tmp_path / "ffmpeg", RECENT, f'ps -o pgid= -p $$ > "{noted}"')
    plain.setenv("SCOREBED_FFMPEG", str(spy))
    run([], stage="probe", subject=Path("x"))
    assert int(noted.read_text()) != os.getpgrp()
