"""Paths inside frozen values: all that a job names on disk."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def absolute(value: T) -> T:
    """A value whose paths mean the same wherever one stands.

    Args:
        value: A frozen dataclass, with others and tuples in it.
    """
    changed: T = _changed(value, Path.absolute)
    return changed


def paths_in(value: object) -> tuple[Path, ...]:
    """All paths in a value, in its order.

    Args:
        value: As for ``absolute``.
    """
    found: list[Path] = []

    def keep(path: Path) -> Path:
        found.append(path)
        return path

    _changed(value, keep)
    return tuple(found)


def _changed(value: Any, change: Callable[[Path], Path]) -> Any:  # noqa: ANN401 - any type of ours
    if isinstance(value, Path):
        return change(value)
    if isinstance(value, tuple) and type(value) is tuple:
        return tuple(_changed(one, change) for one in value)
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    new = {name: _changed(one, change) for name, one in fields.items()}
    different = {name: one for name, one in new.items() if one is not fields[name]}
    return dataclasses.replace(value, **different) if different else value
