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
    for count in itertools.count(1):
        final = wanted if count == 1 else wanted.with_stem(f"{wanted.stem} ({count})")
        try:
            # Nobody else can have the name after this.
            final.open("xb").close()
        except FileExistsError:
            continue
        try:
            _replace(path, final)
        except BaseException:
            final.unlink(missing_ok=True)
            raise
        return final
    raise AssertionError


def _replace(path: Path, final: Path) -> None:
    if path.stat().st_dev == final.parent.stat().st_dev and not path.is_symlink():
        path.replace(final)
        return
    part = temporary_name(final)
    try:
        shutil.copy2(path, part)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(final)
    finally:
        part.unlink(missing_ok=True)
    path.unlink()
