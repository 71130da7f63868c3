"""Which files a batch is about: folders and patterns searched, unfinished films left out."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from scorebed.delivery import is_result, sidecar
from scorebed.stages.mux_codecs import BY_EXTENSION

if TYPE_CHECKING:
    from collections.abc import Iterator

FILMS = frozenset(BY_EXTENSION) - {".ogg"}
"""Extensions that are taken for films in a folder; ``.ogg`` is nearly always a piece of music."""
_UNFINISHED = (
    *("*.part", "*.partial", "*.tmp", "*.temp", "*.crdownload", "*.download", "*.filepart"),
    *("*.opdownload", "*.aria2", "*.!ut", "~*", "*~"),
)
_SCORED = re.compile(r"\.scored$", re.IGNORECASE)
_BEFORE_THE_END = re.compile(r"\.(tmp|temp|part|partial|incomplete)$", re.IGNORECASE)
"""Where a program keeps the ending of a film that it still writes: ``film.temp.mp4``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file of the batch."""

    path: Path
    """Where it is."""
    base: Path
    """The folder whose structure counts: the one that was searched."""
    trouble: str = ""
    """Of a folder that could not be searched: why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a search takes."""

    recursive: bool
    """Whether folders in folders are searched."""
    only: Sequence[str] = ()
    """Patterns: if there are some, what fits none is left out."""
    exclude: Sequence[str] = ()
    """Patterns of what is left out."""
    out: Path
    """Folder of the results, which is no source of films unless it is the searched one itself."""

    def takes(self, found: Found) -> bool:
        """Whether ``only`` and ``exclude`` let a file pass: by its name, or its path below."""
        path, base = found.path, found.base
        below = path.relative_to(base).as_posix() if path.is_relative_to(base) else path.as_posix()
        fits = [
            any(fnmatch.fnmatch(name, pattern) for name in (path.name, below))
            for pattern in self.only
        ]
        if self.only and not any(fits):
            return False
        return not any(
            fnmatch.fnmatch(name, pattern)
            for name in (path.name, below)
            for pattern in self.exclude
        )


def search(path: str, wanted: Wanted) -> list[Found]:
    """The files that a path or a pattern stands for, in order of their names.

    A file that is named is taken as it is, there or not: whoever names it wants to hear of it.

    Args:
        path: A folder, a file, or a pattern (``*``, ``?``, ``[...]``, ``**``).
        wanted: What is taken.
    """
    place = Path(path)
    if place.is_dir():
        found = list(_in_folder(place, wanted))
    elif glob.has_magic(path) and not os.path.lexists(place):
        found = list(_by_pattern(path, wanted))
    else:
        found = [Found(path=place, base=place.parent)]
    kept = [one for one in found if one.trouble or wanted.takes(one)]
    return sorted(kept, key=lambda one: one.path.parts)


def is_film(path: Path) -> bool:
    """Whether a file in a folder is a film to score: not hidden, finished, and not our own.

    Args:
        path: The file.
    """
    name = path.name
    if name.startswith(".") or path.suffix.lower() not in FILMS:
        return False
    if any(fnmatch.fnmatch(name.lower(), pattern) for pattern in _UNFINISHED):
        return False
    if _SCORED.search(path.stem) or _BEFORE_THE_END.search(path.stem):
        return False
    return not is_result(sidecar(path))


def _in_folder(folder: Path, wanted: Wanted) -> Iterator[Found]:
    troubles: list[Found] = []

    def note(error: OSError) -> None:
        place = Path(error.filename or folder)
        troubles.append(Found(path=place, base=folder, trouble=error.strerror or str(error)))

    out = wanted.out.resolve()
    for base, folders, names in os.walk(folder, onerror=note):
        here = Path(base)
        folders[:] = [
            name
            for name in sorted(folders)
            if wanted.recursive and not name.startswith(".") and (here / name).resolve() != out
        ]
        for name in names:
            if is_film(here / name):
                yield Found(path=here / name, base=folder)
    yield from troubles


def _by_pattern(pattern: str, wanted: Wanted) -> Iterator[Found]:
    """What fits a pattern; unless it names an extension, films only."""
    base = _fixed_part(pattern)
    out, ending = wanted.out.resolve(), PurePath(pattern).suffix
    searched_out = out == base.resolve() or out in base.resolve().parents
    any_kind = ending != "" and not glob.has_magic(ending)
    for name in glob.iglob(pattern, recursive=True):  # noqa: PTH207 - a pattern may be absolute
        path = Path(name)
        taken = is_film(path.with_suffix(".mp4")) if any_kind else is_film(path)
        own = is_result(sidecar(path)) or (not searched_out and out in path.resolve().parents)
        if taken and not own and path.is_file():
            yield Found(path=path, base=base)


def _fixed_part(pattern: str) -> Path:
    """The folder before the first part of a pattern that can stand for several names."""
    fixed: list[str] = []
    for part in PurePath(pattern).parts[:-1]:
        if glob.has_magic(part):
            break
        fixed.append(part)
    return Path(*fixed) if fixed else Path()
