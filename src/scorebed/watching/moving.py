"""Films that are done, out of the way: only where ``--move-done`` asks for it."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path

from scorebed.delivery import temporary_name


def move_away(path: Path, base: Path, into: Path) -> Path:
    """Moves a file into a folder, under its path below another one; nothing there is replaced.

    Args:
        path: The file.
        base: The folder whose structure is made again.
        into: The folder; made if it is not there.

    Returns:
        Where it lies now.

    Raises:
        OSError: If it cannot be moved; it then lies where it lay.
    """
    below = path.relative_to(base) if path.is_relative_to(base) else Path(path.name)
    wanted = into / below
    wanted.parent.mkdir(parents=True, exist_ok=True)
    was = _identity(path)
    for count in itertools.count(1):
        final = wanted if count == 1 else wanted.with_stem(f"{wanted.stem} ({count})")
        ours = False
        try:
            # Nobody else can have the name after this.
            with final.open("xb"):
                ours = True
            _replace(path, final, was)
        except BaseException as error:
            if isinstance(error, FileExistsError) and not ours:
                continue
            # A signal, or a share's late answer, may come after the move: then this is the film.
            if ours and was is not None and _identity(path) == was:
                final.unlink(missing_ok=True)
            raise
        return final
    raise AssertionError


def _replace(path: Path, final: Path, was: tuple[int, int] | None) -> None:
    if path.stat().st_dev == final.parent.stat().st_dev and not path.is_symlink():
        try:
            path.replace(final)
        except FileNotFoundError:
            # A share that was asked twice says so of what it has done.
            if was is None or _identity(final) != was:
                raise
        return
    part = temporary_name(final)
    try:
        shutil.copy2(path, part)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(final)
    finally:
        part.unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def _identity(path: Path) -> tuple[int, int] | None:
    """What a disk knows a file by; None if it is not there, or its share does not answer."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
