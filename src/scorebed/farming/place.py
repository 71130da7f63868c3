"""The folder of results of a farm's job: which one it is, so that no machine makes another.

OUT/.scorebed-place    a number, written once: with the first job whose results go there
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

from scorebed.delivery import publish, temporary_name, told_of
from scorebed.errors import SettingsError, WorkspaceError

if TYPE_CHECKING:
    from pathlib import Path

_MARK = ".scorebed-place"


def identify_place(out: Path) -> str | None:
    """What tells a folder from every other; one that has none gets one.

    Args:
        out: The folder of results.

    Returns:
        None where it is not there: the first task makes it.

    Raises:
        WorkspaceError: If it is there and may not be written to.
    """
    if not out.is_dir():
        return None
    with told_of(out, stage="farm"):
        if not (out / _MARK).is_file():
            part = temporary_name(out / _MARK)
            try:
                part.write_text(f"{uuid.uuid4().hex}\n", encoding="ascii")
                # Of several at once the first counts for all.
                with suppress(SettingsError):
                    publish(part, out / _MARK, overwrite=False)
            finally:
                part.unlink(missing_ok=True)
        return _read(out)


def require_place(out: Path, place: str | None) -> None:
    """Refuses another folder than the one that was meant, and makes none.

    Args:
        out: The folder of results, where the job has it.
        place: What ``identify_place`` has said where the job was written.

    Raises:
        WorkspaceError: If there is another one, or none.
    """
    if place is None:
        return
    with told_of(out, stage="farm"):
        found = _read(out) if (out / _MARK).is_file() else None
    if found == place:
        return
    there = "is another folder here than" if out.is_dir() else "is not there; it was there"
    raise WorkspaceError(
        f"farm: {out} {there} where the job was written",
        remedy="Is it not mounted here? Mount it there, or map the path to where it is, or give "
        "--out. If it was emptied on purpose, write the job again: scorebed farm ... --overwrite",
    )


def _read(out: Path) -> str:
    return (out / _MARK).read_text(encoding="ascii", errors="replace").strip()
