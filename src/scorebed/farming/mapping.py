"""Where paths of one machine lie on another: rules as Open Job Description hands them to a task."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from scorebed.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

_FORMS: dict[str, type[PurePosixPath | PureWindowsPath]] = {
    "POSIX": PurePosixPath,
    "WINDOWS": PureWindowsPath,
}


def mapped_by(rules: Path | None) -> Callable[[str], Path]:
    """What turns a path of the machine that wrote a job into one of this machine.

    Args:
        rules: A JSON file in the form ``pathmapping-1.0``, an empty object for no rules; None for
            no file. Of several rules that fit, the longest counts.

    Raises:
        SettingsError: If it is something else.
    """
    if rules is None:
        return Path
    try:
        told = json.loads(rules.read_text(encoding="utf-8"))
        pairs = [
            (
                _FORMS[rule["source_path_format"]](rule["source_path"]),
                Path(rule["destination_path"]),
            )
            for rule in told.get("path_mapping_rules", [])
        ]
    except OSError as error:
        raise SettingsError(
            f"farm: the path mapping {rules} cannot be read ({error.strerror})",
            remedy="Check the path.",
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(
            f"farm: {rules} is no path mapping of the form pathmapping-1.0 ({error!r})",
            remedy="Give what {{Session.PathMappingRulesFile}} names, or leave it out.",
        ) from error
    pairs.sort(key=lambda pair: -len(pair[0].parts))

    def moved(path: str) -> Path:
        for source, target in pairs:
            given = type(source)(path)
            if given.is_relative_to(source):
                return target.joinpath(*given.relative_to(source).parts)
        return Path(path)

    return moved
