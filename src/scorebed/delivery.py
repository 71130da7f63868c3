"""Where results go: names, claims, and the moment a file gets its final name."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import filelock

from scorebed.errors import SettingsError, WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_NAME_BYTES = 255
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EINVAL}


def default_output(video: Path) -> Path:
    """``film.mp4`` becomes ``film.scored.mp4``, beside it."""
    return video.with_name(f"{video.stem}.scored{video.suffix}")


def sidecar(output: Path) -> Path:
    """The result's JSON, beside the video."""
    return output.with_name(f"{output.name}.scorebed.json")


@contextmanager
def claim(output: Path, *, video: Path, overwrite: bool) -> Iterator[Path]:
    """Holds an output name for one run, and gives the temporary name beside it.

    Whatever happens, nothing is left under the temporary name.

    Args:
        output: The final name.
        video: The input, which must not be it.
        overwrite: Whether a file of that name may be replaced.

    Raises:
        SettingsError: If the name is taken, is the input, or its folder is missing.
        WorkspaceError: If another run is writing it, or the folder is not writable.
    """
    _check(output, video, overwrite=overwrite)
    name = hashlib.sha256(os.fsencode(output.resolve())).hexdigest()[:24]
    lock = filelock.FileLock(_lock_folder() / f"{name}.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise WorkspaceError(
            f"mux: another run is writing {output}", remedy="Wait for it, or give another -o."
        ) from error
    # Hidden, short, and with an ending that no editor or watch folder takes for a finished video.
    part = output.with_name(f".scorebed-{name}.part")
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)
        lock.release()


def _lock_folder() -> Path:
    """A folder of this user's own: another user's lock files could not be opened."""
    user = os.getuid() if hasattr(os, "getuid") else "user"
    folder = Path(tempfile.gettempdir()) / f"scorebed-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _check(output: Path, video: Path, *, overwrite: bool) -> None:
    folder = output.parent
    longest = f".{sidecar(output).name}.part"
    if len(os.fsencode(longest)) > _MAX_NAME_BYTES:
        raise SettingsError(
            f"mux: the name of the output is too long: {output.name[:40]}...",
            remedy="Give a shorter name with -o.",
        )
    if not folder.is_dir():
        raise SettingsError(
            f"mux: the folder {folder} of the output does not exist",
            remedy=f"Make it first, for example: mkdir -p {folder}",
        )
    if output.exists() and video.exists() and output.samefile(video):
        raise SettingsError(
            f"mux: the output {output} is the input", remedy="Give another name with -o."
        )
    if output.is_dir():
        raise SettingsError(
            f"mux: the output {output} is a folder", remedy="Give the name of a file with -o."
        )
    refuse_existing(output, overwrite=overwrite)
    if not os.access(folder, os.W_OK):
        raise WorkspaceError(
            f"mux: the folder {folder} may not be written to",
            remedy="Give -o in a folder that you may write to.",
        )


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


def publish_text(text: str, final: Path) -> None:
    """Writes a small text file in one step; an older one is replaced."""
    part = final.with_name(f".{final.name}.part")
    try:
        part.write_text(text + "\n", encoding="utf-8")
        publish(part, final, overwrite=True)
    finally:
        part.unlink(missing_ok=True)
