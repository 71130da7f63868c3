"""Where results go: names, claims, and the moment a file gets its final name."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import tempfile
import uuid
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import filelock

from scorebed.errors import MediaError, SettingsError, WorkspaceError, no_room

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorebed.model import Tell

    class Publish(Protocol):
        """What ``publish`` is."""

        def __call__(self, part: Path, final: Path, *, overwrite: bool) -> None:
            """Gives a finished file its final name."""


_MAX_NAME_BYTES = 255
_UNLOCKED: set[Path] = set()
"""Folders without locks that were told of."""
_MOST_JSON_BYTES = 16_000_000
"""Longer than the JSON of any result."""
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EINVAL}


def default_output(video: Path) -> Path:
    """``film.mp4`` becomes ``film.scored.mp4``, beside it.

    Raises:
        MediaError: If it has no name: ``.`` and ``/`` are folders.
    """
    if not video.name:
        raise MediaError(f"probe: {video} is a folder", remedy="Give the path of one video file.")
    return video.with_name(f"{video.stem}.scored{video.suffix}")


def sidecar(output: Path) -> Path:
    """The result's JSON, beside the video."""
    return output.with_name(f"{output.name}.scorebed.json")


def log_beside(output: Path) -> Path:
    """The log of a job that was queued, beside the video that it makes."""
    return output.with_name(f"{output.name}.scorebed.log")


@contextmanager
def claim(
    output: Path, *, video: Path, overwrite: bool, tell: Tell | None = None
) -> Iterator[Path]:
    """Holds an output name for one run, and gives the temporary name beside it.

    Whatever happens, nothing is left under the temporary name; what a killed run left under its
    own is removed.

    Args:
        output: The final name.
        video: The input, which must not be it.
        overwrite: Whether a file of that name may be replaced.
        tell: Told, in a sentence and once per folder, if its disk keeps no locks.

    Raises:
        SettingsError: If the name is taken, is the input, or its folder is missing.
        WorkspaceError: If another run is writing it, or the folder is not writable.
    """
    check_output(output, video=video, overwrite=overwrite)
    name = hashlib.sha256(os.fsencode(output.resolve())).hexdigest()[:16]
    held = ExitStack()
    try:
        held.enter_context(held_here(f"{name}.lock"))
        alone = held.enter_context(held_for_all(output.with_name(_lock_name(output))))
    except filelock.Timeout as error:
        held.close()
        raise WorkspaceError(
            f"mux: another run is writing {output}", remedy="Wait for it, or give another -o."
        ) from error
    except BaseException:
        held.close()
        raise
    if not alone and output.parent not in _UNLOCKED:
        _UNLOCKED.add(output.parent)
        if tell is not None:
            tell(no_locks(output.parent))
    # Hidden, short, with an ending that no editor or watch folder takes for a finished video, and
    # another in each run: the ffmpeg of a killed run may write on for a while, into its own.
    part = output.with_name(f".scorebed-{name}-{uuid.uuid4().hex[:8]}.part")
    with held:
        try:
            # Not where another machine cannot be kept out: its run may be alive.
            for stale in output.parent.glob(f".scorebed-{name}-*.part") if alone else ():
                stale.unlink(missing_ok=True)
            yield part
        finally:
            part.unlink(missing_ok=True)


def no_locks(folder: Path) -> str:
    """What is told of a folder whose disk keeps no locks, in a sentence.

    Args:
        folder: Where results go.
    """
    return (
        f"the disk of {folder} keeps no locks: nothing keeps another machine from writing the "
        "same there at once; let one at a time work into it"
    )


def _lock_name(output: Path) -> str:
    """By the name alone: the same on every machine, wherever it has the folder."""
    return f".scorebed-{hashlib.sha256(os.fsencode(output.name)).hexdigest()[:16]}.lock"


@contextmanager
def held_for_all(path: Path) -> Iterator[bool]:
    """Holds a lock that counts for all machines that share a folder; nothing of it is left.

    Args:
        path: The file that is locked, in that folder.

    Yields:
        False where the disk knows no locks, or the file cannot be made: nothing is held then.

    Raises:
        filelock.Timeout: If another run holds it, here or elsewhere.
    """
    # Of whoever may write into the folder, as the results are.
    lock = filelock.FileLock(path, mode=0o666, is_singleton=False)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        if path.exists() or _can_be_made(path):
            raise
        # It waits for a file that nobody can make, as in /proc.
        yield False
        return
    except (OSError, NotImplementedError):  # the latter from older releases of filelock
        yield False
        return
    try:
        yield True
    finally:
        let_go(lock)


def _can_be_made(path: Path) -> bool:
    try:
        path.touch()
    except OSError:
        return False
    return True


@contextmanager
def held_here(name: str) -> Iterator[None]:
    """Holds a lock in the user's folder of locks; nothing of it is left.

    Args:
        name: Of the file that is locked.

    Raises:
        filelock.Timeout: If another run holds it.
    """
    lock = filelock.FileLock(lock_folder() / name)
    take(lock)
    try:
        yield
    finally:
        let_go(lock)


def let_go(lock: filelock.BaseFileLock) -> None:
    """Gives a lock back, and removes its file; whoever opened that meanwhile locks a new one.

    Args:
        lock: One that may be held; else nothing is done.
    """
    if not lock.is_locked:
        return
    path = Path(lock.lock_file)
    # Before it is let go: after that it may be another run's. Windows does not remove what is open,
    # and keeps what another one has opened.
    if os.name == "posix":
        path.unlink(missing_ok=True)
    lock.release()
    if os.name != "posix":
        with suppress(OSError):
            path.unlink(missing_ok=True)


def lock_folder() -> Path:
    """A folder of this user's own: another user's lock files could not be opened.

    Raises:
        WorkspaceError: If it cannot be made.
    """
    user = os.getuid() if hasattr(os, "getuid") else "user"
    folder = Path("of the system")
    try:
        folder = Path(tempfile.gettempdir()) / f"scorebed-{user}"
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise _no_lock(folder, error) from error
    return folder


def _no_lock(place: Path, error: OSError) -> WorkspaceError:
    full = no_room(error.errno)
    return WorkspaceError(
        f"mux: the disk of {place} {full[0]}"
        if full
        else f"mux: {place}, for locks, cannot be made ({error.strerror or error})",
        remedy=f"{full[1]}, or set TMPDIR to a folder on another disk, and run the same command "
        "again."
        if full
        else "Remove what is there, or set TMPDIR to a folder of your own.",
    )


def take(lock: filelock.BaseFileLock) -> None:
    """Takes a lock at once.

    Raises:
        filelock.Timeout: If another run has it.
        WorkspaceError: If its file cannot be made.
    """
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:  # an OSError too
        raise
    except OSError as error:
        raise _no_lock(Path(lock.lock_file), error) from error


def check_output(output: Path, *, video: Path, overwrite: bool) -> None:
    """Refuses an output that could not be written in the end.

    Args:
        output: The final name.
        video: The input, which must not be it.
        overwrite: Whether a file of that name may be replaced.

    Raises:
        SettingsError: If the name is taken, is the input, or its folder is missing.
        WorkspaceError: If the folder is not writable.
    """
    a_folder = SettingsError(
        f"mux: the output {output} is a folder", remedy="Give the name of a file with -o."
    )
    if not output.name:
        raise a_folder
    folder = output.parent
    if len(os.fsencode(f".{sidecar(output).name}.part")) > _MAX_NAME_BYTES:
        raise SettingsError(
            f"mux: the name of the output is too long: {output.name[:40]}...",
            remedy="Give a shorter name with -o.",
        )
    require_folder(folder)
    if output.exists() and video.exists() and output.samefile(video):
        raise SettingsError(
            f"mux: the output {output} is the input", remedy="Give another name with -o."
        )
    if output.is_dir():
        raise a_folder
    refuse_existing(output, overwrite=overwrite)
    # One without its video was left by a run that was stopped between the two.
    refuse_existing(sidecar(output), overwrite=overwrite or is_result(sidecar(output)))


def folder_named(given: str | Path) -> Path:
    """A folder that an option names; an empty name, of an unset variable, is not the one we are in.

    Raises:
        SettingsError: If the name is empty.
    """
    if given == "":
        raise SettingsError(
            "an option that takes a folder was given an empty name",
            remedy="Name the folder; the current one is: .",
        )
    return Path(given)


def require_folder(folder: Path, *, stage: str = "mux") -> None:
    """Refuses a folder that is not there or may not be written to.

    Args:
        folder: Where a file is to be written.
        stage: Named in errors.

    Raises:
        SettingsError: If it is not there.
        WorkspaceError: If it may not be written to.
    """
    if not folder.is_dir():
        raise SettingsError(
            f"{stage}: the folder {folder} of the output does not exist",
            remedy=f"Make it first, for example: mkdir -p {folder}",
        )
    if not os.access(folder, os.W_OK):
        raise WorkspaceError(
            f"{stage}: the folder {folder} may not be written to",
            remedy="Name an output in a folder that you may write to.",
        )


def is_result(path: Path) -> bool:
    """Whether a file is the JSON of a result."""
    try:
        raw = read_at_most(path, _MOST_JSON_BYTES + 1)
        told = None if len(raw) > _MOST_JSON_BYTES else json.loads(raw.decode())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(told, dict) and {"schema", "picture", "programme"} <= told.keys()


def read_at_most(path: Path, most_bytes: int) -> bytes:
    """What a file holds, or its beginning.

    Args:
        path: A file that anybody may have put there: a pipe would keep its reader for ever, and a
            device has no end.
        most_bytes: So much is read at most.

    Raises:
        OSError: If it cannot be read, or is no regular file.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it is a folder, a pipe or a device")
    with path.open("rb") as file:
        return file.read(most_bytes)


@contextmanager
def told_of(path: Path, *, stage: str = "mux") -> Iterator[None]:
    """Turns what the operating system says of an output into an error with a remedy.

    Args:
        path: The output.
        stage: Named in errors.

    Raises:
        WorkspaceError: In place of any OSError.
    """
    try:
        yield
    except OSError as error:
        full = no_room(error.errno)
        raise WorkspaceError(
            f"{stage}: the disk of {path} {full[0]}"
            if full
            else f"{stage}: {path} cannot be written ({error.strerror or error})",
            remedy=f"{full[1]}, or name an output on another disk, and run the same command again."
            if full
            else "Check the folder and its permissions, and run the same command again.",
        ) from error


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Refuses a name that is taken.

    Raises:
        SettingsError: If the file exists and may not be replaced.
    """
    # lexists: a link that leads nowhere is a file of the user's too.
    if os.path.lexists(path) and not overwrite:
        raise SettingsError(
            f"{path} exists already", remedy="Add --overwrite to replace it, or name another."
        )


def publish(part: Path, final: Path, *, overwrite: bool) -> None:
    """Gives a finished file its final name in one step.

    Raises:
        SettingsError: If the name was taken meanwhile and may not be replaced.
    """
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    if overwrite:
        part.replace(final)
        return
    try:
        # A link, unlike a rename, fails when the name is taken.
        os.link(part, final)
    except FileExistsError:
        refuse_existing(final, overwrite=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        refuse_existing(final, overwrite=False)
        part.replace(final)
    else:
        part.unlink()


@contextmanager
def published_together() -> Iterator[Publish]:
    """Gives ``publish``, for files that are of no use without each other.

    Whatever ends this early takes the names back that were given, but for those of files that were
    replaced: the same command shall not find its own work in its way.
    """
    new: list[Path] = []

    def give(part: Path, final: Path, *, overwrite: bool) -> None:
        there = os.path.lexists(final)
        publish(part, final, overwrite=overwrite)
        if not there:
            new.append(final)

    try:
        yield give
    except BaseException:
        for final in reversed(new):
            final.unlink(missing_ok=True)
        raise


def temporary_name(final: Path) -> Path:
    """A name beside a file, and of this run alone: two that write the same file do not meet."""
    name = hashlib.sha256(os.fsencode(final.name)).hexdigest()[:16]
    return final.with_name(f".scorebed-{name}-{uuid.uuid4().hex[:8]}.part")


def publish_text(text: str, final: Path, give: Publish = publish) -> None:
    """Writes a small text file in one step; an older one is replaced.

    Args:
        text: What it is to hold.
        final: Its name.
        give: What gives it the name, if others get theirs with it.
    """
    part = temporary_name(final)
    try:
        part.write_text(text + "\n", encoding="utf-8")
        give(part, final, overwrite=True)
    finally:
        part.unlink(missing_ok=True)
