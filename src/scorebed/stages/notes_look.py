"""How a notes file says that the picture was looked at: its table [spot]."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorebed.errors import SettingsError
from scorebed.model import Listed, LookNote
from scorebed.stages.notes_times import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

KEYS = (
    *("max_scenes", "accuracy", "production_audio"),
    *("cuts", "cuts_sha256", "speech", "speech_sha256"),
)
_MOST_SCENES = 1000
_HASH = re.compile(r"[0-9a-f]{64}")


def read_look(values: Mapping[str, Any], where: str, folder: Path) -> LookNote:
    """How the picture was looked at.

    Args:
        values: The table, its keys known.
        where: File, line and table, for errors.
        folder: Where the notes lie: what they name lies relative to it.

    Raises:
        SettingsError: If a value cannot be meant.
    """
    return LookNote(
        max_scenes=_max_scenes(values.get("max_scenes"), where),
        accuracy=_one_of(values, "accuracy", where, "fast", "full"),
        production_audio=_one_of(values, "production_audio", where, "keep", "drop"),
        cuts=_listed(values, "cuts", where, folder),
        speech=_listed(values, "speech", where, folder),
    )


def _max_scenes(value: object, where: str) -> int | None:
    if value is not None and (
        not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MOST_SCENES
    ):
        raise SettingsError(
            f"{where}: max_scenes is {shown(value)}",
            remedy=f"Give a whole number from 1 to {_MOST_SCENES}, or remove the line.",
        )
    return value


def _one_of(values: Mapping[str, Any], key: str, where: str, *known: Any) -> Any:  # noqa: ANN401 - one of the words
    value = values.get(key)
    if value is not None and value not in known:
        raise SettingsError(
            f"{where}: {key} is {shown(value)}",
            remedy=f"Write one of: {', '.join(known)}, in quotation marks; or remove the line.",
        )
    return value


def _listed(values: Mapping[str, Any], key: str, where: str, folder: Path) -> Listed | None:
    name, sha256 = values.get(key), values.get(f"{key}_sha256", "")
    if name is None and not sha256:
        return None
    if not isinstance(name, str) or not name.strip():
        raise SettingsError(
            f"{where}: {key} is {shown(name)}, not the name of a file",
            remedy=f'Write {key} = "FILE", or remove the lines {key} and {key}_sha256.',
        )
    if not isinstance(sha256, str) or not _HASH.fullmatch(sha256 or "0" * 64):
        raise SettingsError(
            f"{where}: {key}_sha256 is no hash",
            remedy="Write the notes again with `scorebed spot`, or remove that line.",
        )
    return Listed(path=folder / name, sha256=sha256, where=where)
