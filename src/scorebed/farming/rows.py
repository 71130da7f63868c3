"""The films of a farm's job, a line of JSON each: what a task needs to know but where it runs.

Tasks know a film by its number, so that no name, whatever is in it, is ever a word of a shell.
Nothing secret is in here: of a key only the name of its file, if one was given.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from scorebed import __version__
from scorebed.errors import SettingsError
from scorebed.options import CHAPTERS, Options
from scorebed.presets import fill

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorebed.batching.items import BatchJob, Entry, Item

FILMS = "films.jsonl"
_SCHEMA = 1
_PLAIN = Options()
_PRESETS = ("style", "preset", "service")
"""Names of presets, or paths of the user's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A film of a job; paths are those of the machine that the job was written on."""

    schema: int = _SCHEMA
    """Of this line."""
    version: str = __version__
    """The release that wrote it."""
    job: str
    """Names the job: its locks are called after it."""
    written: str
    """When: ISO 8601, UTC."""
    number: int
    """Of the film, from 1."""
    video: str
    """The film."""
    name: str
    """Its result: from ``out`` on, or absolute."""
    out: str
    """Folder of the results."""
    workspace: str
    """Root of the workspaces."""
    options: dict[str, Any]
    """What is wanted of it: what is no default."""
    defaults: dict[str, Any]
    """What stood there before the user said anything: likewise."""
    said: tuple[str, ...]
    """Names of the options that were said."""
    ledger: str | None = None
    """What tells its ledger from every other; None where nothing is bought."""
    place: str | None = None
    """What tells the folder of results from every other; None where it was not there yet."""
    one_style: bool = False
    """Whether its music is of one family with the others."""
    overwrite: bool = False
    """Whether whatever has the result's name is replaced."""
    stems: str | None = None
    """Folder of its stems: from ``out`` on, or absolute."""
    plot: str | None = None
    """Its plot: likewise."""


def row_of(
    item: Item,
    batch: BatchJob,
    *,
    job: str,
    written: str,
    ledger: str | None,
    place: str | None = None,
) -> Row:
    """A film of a plan as a line.

    Args:
        item: The film, planned.
        batch: What is the same for all films.
        job: Names the job.
        written: When it is written.
        ledger: What tells its ledger from every other; None where nothing is bought.
        place: What tells the folder of results from every other; None where it is not there.
    """
    entry, want = asked_of(item), item.job.settings
    options = entry.options
    if options.music is None and options.library is None:
        # Who makes the music is settled here, where its price was told: not by the key that the
        # machine has on which a task comes to run.
        options = dataclasses.replace(options, provider=want.provider)
    # One limit for all tasks, also where the folder has another name.
    options = dataclasses.replace(options, purse=want.purse.name)
    out = batch.out.absolute()
    return Row(
        job=job,
        written=written,
        number=item.number,
        video=str(item.job.video.absolute()),
        name=item.name,
        out=str(out),
        workspace=str(batch.workspace.absolute()),
        options=_told(options),
        defaults=_told(batch.defaults),
        said=tuple(sorted(batch.said | entry.said)),
        ledger=ledger,
        place=place,
        one_style=item.one_style,
        overwrite=batch.overwrite,
        stems=_below(item.job.stems, out),
        plot=_below(item.job.plot, out),
    )


def asked_of(item: Item) -> Entry:
    """What was asked for a film of a plan."""
    assert item.entry is not None
    return item.entry


def to_lines(rows: list[Row]) -> str:
    """The films, a line each, in ASCII."""
    return "".join(json.dumps(msgspec.to_builtins(row)) + "\n" for row in rows)


def read_row(films: Path, number: int) -> Row:
    """A film of a job.

    Args:
        films: The file of the films.
        number: Of the film, from 1.

    Raises:
        SettingsError: If it cannot be read, another release wrote it, or there is no such film.
    """
    try:
        lines = films.read_bytes().splitlines()
    except OSError as error:
        raise SettingsError(
            f"farm: {films} cannot be read ({error.strerror})",
            remedy="Check the path, and that this machine sees the folder of the job.",
        ) from error
    for line in lines:
        try:
            told = json.loads(line)
            _require_release(films, told)
            row = msgspec.convert(told, Row)
        except (ValueError, msgspec.ValidationError) as error:
            raise SettingsError(
                f"farm: {films} holds a line that is no film of a job: {error}",
                remedy="Write it again: scorebed farm, with the release of scorebed that runs it.",
            ) from error
        if row.number == number:
            return row
    raise SettingsError(
        f"farm: {films} has no film {number}", remedy="Its films are those that it has a line of."
    )


def _require_release(films: Path, told: object) -> None:
    """Refuses a line of another release: it may name the same wish otherwise, and buy it again."""
    schema, version = (
        (told.get("schema", _SCHEMA), told.get("version", __version__))
        if isinstance(told, dict)
        else (_SCHEMA, __version__)
    )
    if version != __version__ or schema != _SCHEMA:
        raise SettingsError(
            f"farm: {films} was written by scorebed {version} (schema {schema}), this is "
            f"{__version__} (schema {_SCHEMA})",
            remedy=f"On this machine: python -m pip install scorebed=={version} - or write the job "
            "anew with the release that the farm runs.",
        )


def options_of(table: dict[str, Any], moved: Callable[[str], Path], *, where: str) -> Options:
    """The options that a line holds.

    Args:
        table: Names and values of what is no default.
        moved: Where a path of the machine that wrote it lies here.
        where: Named in errors.

    Raises:
        SettingsError: If this release does not know one of them.
    """
    found = dict(table)
    for field in dataclasses.fields(Options):
        value = found.get(field.name)
        if isinstance(value, str) and _is_path(field.name, value):
            path = moved(value)
            found[field.name] = str(path) if field.name in _PRESETS else path
    remedy = "Write the job with the release of scorebed that the farm runs."
    return fill(found, _PLAIN, what=where, folder=Path(), remedy=remedy)


def paths_in(options: Options) -> dict[str, Path]:
    """The files and folders that options name, by the option."""
    found = {}
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if value is not None and _is_path(field.name, str(value)):
            found[field.name] = Path(value)
    return found


_PATHS = {field.name for field in dataclasses.fields(Options) if "Path" in str(field.type)}
_PATHS |= {"ledger"}


def _is_path(name: str, value: str) -> bool:
    if name in _PRESETS:
        return value.lower().endswith(".toml")
    # A ledger that is a server has an address.
    return name in _PATHS and value != str(CHAPTERS) and "://" not in value


def _told(options: Options) -> dict[str, Any]:
    """What is no default, as JSON has it; paths as other machines can name them."""
    found: dict[str, Any] = {}
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if value == getattr(_PLAIN, field.name):
            continue
        if not isinstance(value, bool | int | float | tuple):
            text = str(value)
            value = str(Path(text).absolute()) if _is_path(field.name, text) else text
        found[field.name] = value
    return found


def _below(path: Path | None, out: Path) -> str | None:
    if path is None:
        return None
    full = path.absolute()
    return str(full.relative_to(out)) if full.is_relative_to(out) else str(full)
