"""What stands on the command line, over what stands in the user's settings file."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import typer

    from scorebed.model import Tell
    from scorebed.options import Options

_RENAMED = {
    "tag": "tags",
    "speech_margin": "speech_margin_lu",
    "min_speech_margin": "min_speech_margin_lu",
    "production_gain": "production_gain_db",
    "true_peak": "true_peak_dbtp",
    "no_duck": "duck",
    "proxy_height": "proxy_height_px",
    "max_stretch": "max_stretch_percent",
}


def default_options(file: Path | None) -> Options:
    """What stands where the user says nothing."""
    from scorebed.options import Options  # noqa: PLC0415 - `--help` must not wait for it
    from scorebed.presets import own_defaults  # noqa: PLC0415

    return own_defaults(file, Options())


def given_options(context: typer.Context, defaults: Options, tell: Tell) -> Options:
    """The defaults with what stands in the notes, if they are given, and on the command line."""
    from scorebed.remembered import with_notes  # noqa: PLC0415 - as above

    asked, said = said_options(context, defaults)
    return with_notes(asked, said, tell)


def said_options(context: typer.Context, defaults: Options) -> tuple[Options, frozenset[str]]:
    """The defaults with what stands on the command line, and the names of that."""
    known = {field.name for field in dataclasses.fields(defaults)}
    given: dict[str, Any] = {}
    for name in said_names(context):
        option = option_of(name)
        if option in known:
            given[option] = _plain_value(name, context.params[name])
    return dataclasses.replace(defaults, **given), frozenset(given)


def option_of(name: str) -> str:
    """The option that a parameter of the command line sets."""
    return _RENAMED.get(name, name)


def said_names(context: typer.Context) -> list[str]:
    """The parameters that stand on the command line."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return [name for name, source in sources.items() if source and source.name == "COMMANDLINE"]


def _plain_value(name: str, value: object) -> object:
    if name == "no_duck":
        return not value
    if isinstance(value, StrEnum):
        return value.value
    return tuple(value) if isinstance(value, list) else value
