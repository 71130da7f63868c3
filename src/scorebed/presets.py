"""Presets and the user's own defaults: TOML files that fill frozen types, checked key by key."""

from __future__ import annotations

import dataclasses
import difflib
import os
import tomllib
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
import platformdirs

from scorebed.errors import SettingsError
from scorebed.model import LedgerPlace, ledger_named

T = TypeVar("T")

Kind = Literal["delivery", "style", "service"]
_LEDGER: Any = LedgerPlace
FILE_VARIABLE = "SCOREBED_SETTINGS"


def preset_folder(kind: Kind) -> Path:
    """Where the presets of scorebed lie: in the package, or beside src in a checkout."""
    inside = Path(__file__).parent / "presets"
    folder = inside if inside.is_dir() else Path(__file__).parents[2] / "presets"
    return folder / kind


def preset_names(kind: Kind) -> tuple[str, ...]:
    """Names of the presets that come with scorebed."""
    return tuple(sorted(path.stem for path in preset_folder(kind).glob("*.toml")))


def load_preset(kind: Kind, name: str, form: type[T], *, over: T | None = None) -> T:
    """A preset by name, or by the path of a user's own TOML file.

    Args:
        kind: Which sort.
        name: A name as ``preset_names`` gives it, or a path that ends in ``.toml``.
        form: The frozen type that its keys fill.
        over: What stands for the keys that it leaves out; None where it has to be whole.

    Raises:
        SettingsError: If there is none, a key is unknown, or a value is of the wrong type.
    """
    own = name.lower().endswith(".toml")
    path = Path(name) if own else preset_folder(kind) / f"{name}.toml"
    if not own and name not in preset_names(kind):
        near = difflib.get_close_matches(name, preset_names(kind), n=1)
        raise SettingsError(
            f"there is no {kind} preset {name!r}",
            remedy=(f"Did you mean {near[0]!r}? " if near else "")
            + f"Use one of: {', '.join(preset_names(kind))}, or the path of a .toml file.",
        )
    table = _read_table(path, f"{kind} preset")
    _refuse_unknown(table, form, path, "")
    remedy = f"Compare it with: scorebed presets {preset_names(kind)[0]}"
    return _convert(table, form, over, f"the {kind} preset {path}", path.parent, remedy)


def options_file(named: Path | None) -> Path | None:
    """The file with the user's own defaults, or None where there is none.

    Args:
        named: The file that the user named, which has to be there, as has the environment's.
    """
    chosen = named or os.environ.get(FILE_VARIABLE)
    if chosen:
        return Path(chosen)
    own = platformdirs.user_config_path("scorebed") / "settings.toml"
    return own if own.is_file() else None


def own_defaults(named: Path | None, plain: T) -> T:
    """The user's own defaults, or what stands there without them.

    Args:
        named: As for ``options_file``.
        plain: What stands for all that they leave out.

    Raises:
        SettingsError: As ``load_options`` does.
    """
    path = options_file(named)
    return plain if path is None else load_options(path, type(plain), plain)


def load_options(path: Path, form: type[T], over: T) -> T:
    """Options from a TOML file whose keys are the names of the fields.

    Args:
        path: The file; paths in it are taken from its folder.
        form: The type of the options.
        over: What stands for the keys that it leaves out.

    Raises:
        SettingsError: If it cannot be read, a key is unknown, or a value is of the wrong type.
    """
    table = _read_table(path, "settings file")
    _refuse_unknown(table, form, path, "")
    remedy = "The keys are the options of `scorebed score`, with _ for -."
    return _convert(table, form, over, f"the settings file {path}", path.parent, remedy)


def fill(
    table: Mapping[str, Any],
    over: T,
    *,
    what: str,
    folder: Path,
    remedy: str,
    loose: bool = False,
    beside: Sequence[str] = (),
) -> T:
    """Options with those of a table in their place.

    Args:
        table: Names of fields, and their values.
        over: What stands for the keys that it leaves out.
        what: The table's place, named in errors.
        folder: Paths are taken from it.
        remedy: Said in errors.
        loose: Whether all values are text.
        beside: Keys that may stand there too, for who has mistyped one.

    Raises:
        SettingsError: If a key is unknown or a value is of the wrong type.
    """
    _refuse_unknown(dict(table), type(over), what, "", beside)
    return _convert(dict(table), type(over), over, what, folder, remedy, loose=loose)


def _read_table(path: Path, what: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"the {what} {path} cannot be read ({error.strerror})",
            remedy="Check the path.",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"the {what} {path} is not TOML: {error}", remedy="Mend the file there."
        ) from error


def _convert(
    table: dict[str, Any],
    form: type[T],
    over: T | None,
    what: str,
    folder: Path,
    remedy: str,
    *,
    loose: bool = False,
) -> T:
    def decode(kind: type[Any], value: Any) -> Any:  # noqa: ANN401 - msgspec's contract
        if kind is Path and isinstance(value, Path):
            return value
        if kind is Path and isinstance(value, str):
            return folder / Path(value).expanduser()
        if kind is _LEDGER and isinstance(value, LedgerPlace):
            return value
        if kind is _LEDGER and isinstance(value, str):
            named = ledger_named(value)
            return folder / named.expanduser() if isinstance(named, Path) else named
        raise NotImplementedError(kind)

    base = {} if over is None else _fields_of(over)
    words: Mapping[str, Path] = getattr(form, "WORDS", {})
    told = {key: words[key] for key in words if table.get(key) == str(words[key])}
    try:
        return msgspec.convert(base | table | told, form, dec_hook=decode, strict=not loose)
    except (msgspec.ValidationError, RuntimeError) as error:
        # Also of a path in the home folder of somebody who has none.
        raise SettingsError(f"{what} is not right: {error}", remedy=remedy) from error


def _fields_of(value: object) -> dict[str, Any]:
    assert dataclasses.is_dataclass(value)
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _refuse_unknown(
    table: dict[str, Any],
    form: type[Any],
    path: Path | str,
    where: str,
    beside: Sequence[str] = (),
) -> None:
    hints = typing.get_type_hints(form)
    fields = {field.name for field in dataclasses.fields(form)}
    known = [*beside, *(field.name for field in dataclasses.fields(form))]
    for key, value in table.items():
        if key not in fields:
            near = difflib.get_close_matches(key, known, n=1)
            raise SettingsError(
                f"{path} has an unknown key {where + key!r}",
                remedy=f"Did you mean {where + near[0]!r}?"
                if near
                else f"Known keys are: {', '.join(known)}",
            )
        inner = _inner_form(hints[key])
        for entry in value if isinstance(value, list) else [value]:
            if inner is not None and isinstance(entry, dict):
                _refuse_unknown(entry, inner, path, f"{where}{key}.")


def _inner_form(hint: Any) -> type[Any] | None:  # noqa: ANN401 - any annotation
    """The dataclass inside an annotation such as ``Reverb`` or ``tuple[Player, ...]``."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return hint
    for argument in typing.get_args(hint):
        inner = _inner_form(argument)
        if inner is not None:
            return inner
    return None
