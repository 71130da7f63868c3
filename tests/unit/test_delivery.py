"""Delivery: a name is claimed, and a file gets it whole or not at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import filelock
import pytest

from scorebed.delivery import (
    claim,
    default_output,
    held_for_all,
    publish,
    publish_text,
    sidecar,
)
from scorebed.errors import MediaError, ScorebedError, SettingsError, WorkspaceError


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"the input")
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def deliver(output: Path, video: Path, *, overwrite: bool = False) -> None:
    with claim(output, video=video, overwrite=overwrite) as part:
        part.write_bytes(b"scored")
        publish(part, output, overwrite=overwrite)


def test_names() -> None:
    assert default_output(Path("d/film.v2.mp4")) == Path("d/film.v2.scored.mp4")
    assert default_output(Path("film")) == Path("film.scored")
    assert default_output(Path(".mp4")) == Path(".mp4.scored")
    assert sidecar(Path("d/film.scored.mp4")) == Path("d/film.scored.mp4.scorebed.json")


def test_nothing_has_the_final_name_before_it_is_whole(tmp_path: Path, video: Path) -> None:
    output = tmp_path / "out.mp4"
    with claim(output, video=video, overwrite=False) as part:
        assert part.parent == tmp_path
        assert part.name.startswith(".")
        assert part.suffix != ".mp4"
        part.write_bytes(b"half")
        assert not output.exists()
        part.write_bytes(b"whole")
        publish(part, output, overwrite=False)
        assert output.read_bytes() == b"whole"
    assert names(tmp_path) == ["film.mp4", "out.mp4"]


@pytest.mark.parametrize("error", [MediaError("x", remedy="y"), KeyboardInterrupt(), OSError("x")])
def test_a_failed_run_leaves_nothing(tmp_path: Path, video: Path, error: BaseException) -> None:
    output = tmp_path / "out.mp4"
    with (  # noqa: PT012 - the claim is part of the run
        pytest.raises(type(error)),
        claim(output, video=video, overwrite=False) as part,
    ):
        part.write_bytes(b"half")
        raise error
    assert names(tmp_path) == ["film.mp4"]
    deliver(output, video)
    assert output.read_bytes() == b"scored"


def test_a_failed_overwrite_leaves_the_old_file(tmp_path: Path, video: Path) -> None:
    output = tmp_path / "out.mp4"
    output.write_bytes(b"old")
    with (  # noqa: PT012 - the claim is part of the run
        pytest.raises(KeyboardInterrupt),
        claim(output, video=video, overwrite=True) as part,
    ):
        part.write_bytes(b"half")
        raise KeyboardInterrupt
    assert output.read_bytes() == b"old"
    assert names(tmp_path) == ["film.mp4", "out.mp4"]


def test_an_existing_output_is_refused(tmp_path: Path, video: Path) -> None:
    output = tmp_path / "out.mp4"
    output.write_bytes(b"old")
    with pytest.raises(SettingsError, match="exists already") as caught:
        deliver(output, video)
    assert caught.value.exit_code == 2
    assert "--overwrite" in caught.value.remedy
    assert output.read_bytes() == b"old"
    deliver(output, video, overwrite=True)
    assert output.read_bytes() == b"scored"
    assert names(tmp_path) == ["film.mp4", "out.mp4"]


def test_no_lock_is_left_in_the_temporary_folder(
    tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks = tmp_path / "locks"
    locks.mkdir()
    monkeypatch.setattr("scorebed.delivery.lock_folder", lambda: locks)
    output = tmp_path / "out.mp4"
    with claim(output, video=video, overwrite=False):
        assert len(names(locks)) == 1
        with (
            pytest.raises(WorkspaceError, match="another run"),
            claim(output, video=video, overwrite=False),
        ):
            pytest.fail("two at once")
        # Who was refused has not taken it away from who has it.
        assert len(names(locks)) == 1
    assert not names(locks)


def test_locks_that_go_let_one_in_at_a_time(tmp_path: Path) -> None:
    taken, two, alone = [], [], tmp_path / "alone"

    def many() -> None:
        for _ in range(60):
            with suppress(filelock.Timeout), held_for_all(tmp_path / "a.lock"):
                try:
                    alone.touch(exist_ok=False)
                    taken.append(1)
                    alone.unlink()
                except OSError as error:
                    two.append(error)

    threads = [threading.Thread(target=many) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken
    assert not two
    assert not names(tmp_path)


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("how", ["same", "dotted", "symlink", "hard link", "linked folder"])
def test_the_input_is_never_the_output(
    tmp_path: Path, video: Path, how: str, *, overwrite: bool
) -> None:
    output = tmp_path / "other.mp4"
    if how == "same":
        output = video
    elif how == "dotted":
        output = tmp_path / ".." / tmp_path.name / "film.mp4"
    elif how == "symlink":
        output.symlink_to(video)
    elif how == "hard link":
        output.hardlink_to(video)
    else:
        (tmp_path / "there").symlink_to(tmp_path)
        output = tmp_path / "there" / "film.mp4"
    with pytest.raises(SettingsError, match="is the input"):
        deliver(output, video, overwrite=overwrite)
    assert video.read_bytes() == b"the input"


def test_a_missing_folder(tmp_path: Path, video: Path) -> None:
    with pytest.raises(SettingsError, match="does not exist") as caught:
        deliver(tmp_path / "no" / "out.mp4", video)
    assert "mkdir -p" in caught.value.remedy
    with pytest.raises(SettingsError, match="does not exist"):
        deliver(video / "out.mp4", video)


def test_a_folder_is_no_output(tmp_path: Path, video: Path) -> None:
    (tmp_path / "out.mp4").mkdir()
    for overwrite in (False, True):
        with pytest.raises(SettingsError, match="is a folder"):
            deliver(tmp_path / "out.mp4", video, overwrite=overwrite)


def test_a_link_that_leads_nowhere_is_a_taken_name(tmp_path: Path, video: Path) -> None:
    """Nothing may be lost in silence: the run delivers, or it says why not."""
    output = tmp_path / "out.mp4"
    output.symlink_to(tmp_path / "nothing")
    with pytest.raises(SettingsError):
        deliver(output, video)
    assert output.is_symlink()


@pytest.mark.parametrize("length", [250, 255, 300])
def test_a_name_that_is_too_long_is_told(tmp_path: Path, video: Path, length: int) -> None:
    output = tmp_path / ("x" * (length - 4) + ".mp4")
    with suppress(ScorebedError):
        deliver(output, video)
        assert output.read_bytes() == b"scored"
    assert set(names(tmp_path)) <= {"film.mp4", output.name}


@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path, video: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(WorkspaceError, match="may not be written"):
        deliver(tmp_path / "locked" / "out.mp4", video)


# --- races -------------------------------------------------------------------------------------


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path, video: Path) -> None:
    output = tmp_path / "out.mp4"
    with (  # noqa: PT012 - the claim is part of the run
        pytest.raises(SettingsError, match="exists already"),
        claim(output, video=video, overwrite=False) as part,
    ):
        part.write_bytes(b"scored")
        output.write_bytes(b"somebody else's")
        publish(part, output, overwrite=False)
    assert output.read_bytes() == b"somebody else's"
    assert names(tmp_path) == ["film.mp4", "out.mp4"]


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP])
def test_a_disk_without_hard_links(
    tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    # exFAT and some network disks; no such disk is at hand in a test.
    def link(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", link)
    output = tmp_path / "out.mp4"
    deliver(output, video)
    assert output.read_bytes() == b"scored"
    with (  # noqa: PT012 - the claim is part of the run
        pytest.raises(SettingsError, match="exists already"),
        claim(tmp_path / "b.mp4", video=video, overwrite=False) as part,
    ):
        part.write_bytes(b"scored")
        (tmp_path / "b.mp4").write_bytes(b"other")
        publish(part, tmp_path / "b.mp4", overwrite=False)
    assert (tmp_path / "b.mp4").read_bytes() == b"other"
    assert names(tmp_path) == ["b.mp4", "film.mp4", "out.mp4"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_two_runs_cannot_write_one_output(tmp_path: Path, video: Path, *, overwrite: bool) -> None:
    output = tmp_path / "out.mp4"
    (tmp_path / "there").symlink_to(tmp_path)
    with claim(output, video=video, overwrite=overwrite) as part:
        part.write_bytes(b"mine")
        for spelling in (output, tmp_path / "there" / "out.mp4"):
            with pytest.raises(WorkspaceError, match="another run") as caught:
                deliver(spelling, video, overwrite=overwrite)
            assert caught.value.exit_code == 6
        assert part.read_bytes() == b"mine"
        deliver(tmp_path / "other.mp4", video)
    deliver(output, video, overwrite=overwrite)


def test_a_run_in_another_process_holds_its_output(tmp_path: Path, video: Path) -> None:
    output = tmp_path / "out.mp4"
    code = (
        "import sys; from pathlib import Path; from scorebed.delivery import claim\n"
        "with claim(Path(sys.argv[1]), video=Path(sys.argv[2]), overwrite=False) as part:\n"
        "    part.write_bytes(b'theirs'); print('held', flush=True); sys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(output), str(video)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert other.stdout is not None
    assert other.stdout.readline().strip() == b"held"
    with pytest.raises(WorkspaceError, match="another run"):
        deliver(output, video)
    # Killed, it cannot tidy up: its half is no film, and the next run goes over it.
    other.kill()
    other.communicate()
    assert not output.exists()
    deliver(output, video)
    assert output.read_bytes() == b"scored"
    assert names(tmp_path) == ["film.mp4", "out.mp4"]


ELSEWHERE = (
    "import sys; from pathlib import Path; from scorebed.delivery import claim\n"
    "with claim(Path(sys.argv[1]), video=Path(sys.argv[2]), overwrite=False) as part:\n"
    "    part.write_bytes(b'theirs'); print('held', flush=True); sys.stdin.read()\n"
    "    print(part.exists())\n"
)


def test_a_run_on_another_machine_holds_its_output_and_keeps_its_half(
    tmp_path: Path, video: Path
) -> None:
    output = tmp_path / "out.mp4"
    (tmp_path / "temp").mkdir()
    # Another machine knows nothing of what lies in the temporary folder of this one.
    with subprocess.Popen(
        [sys.executable, "-c", ELSEWHERE, str(output), str(video)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(tmp_path / "temp")},
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == b"held"
        with pytest.raises(WorkspaceError, match="another run"):
            deliver(output, video)
        assert other.communicate()[0].strip() == b"True"
    deliver(output, video)
    assert names(tmp_path) == ["film.mp4", "out.mp4", "temp"]


def test_a_disk_without_locks_is_written_to_and_another_s_half_stays(
    tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.mp4"
    with claim(output, video=video, overwrite=False) as part:
        half = part.name
    (tmp_path / half).write_text("of a run that may be alive")
    acquire = filelock.FileLock.acquire

    def none(lock: filelock.FileLock, *args: Any, **more: Any) -> Any:
        if Path(lock.lock_file).parent == tmp_path:
            raise OSError(errno.ENOLCK, "No locks available")
        return acquire(lock, *args, **more)

    with monkeypatch.context() as disk:
        disk.setattr(filelock.FileLock, "acquire", none)
        told: list[str] = []
        for _ in range(2):
            with claim(output, video=video, overwrite=False, tell=told.append) as part:
                part.write_bytes(b"film")
        assert len(told) == 1
        assert f"the disk of {tmp_path} keeps no locks" in told[0]
        deliver(output, video)
    assert names(tmp_path) == [half, "film.mp4", "out.mp4"]
    deliver(output, video, overwrite=True)
    assert names(tmp_path) == ["film.mp4", "out.mp4"]


# --- the sidecar -------------------------------------------------------------------------------


def test_text_is_replaced_in_one_step(tmp_path: Path) -> None:
    final = tmp_path / "out.mp4.scorebed.json"
    publish_text('{"a": 1}', final)
    publish_text('{"b": "ü"}', final)
    assert final.read_text(encoding="utf-8") == '{"b": "ü"}\n'
    assert names(tmp_path) == [final.name]


def test_text_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    final = tmp_path / "a.json"
    publish_text("old", final)
    with pytest.raises(UnicodeEncodeError):
        publish_text("\udcff", final)
    assert final.read_text() == "old\n"
    assert names(tmp_path) == ["a.json"]
