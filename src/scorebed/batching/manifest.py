"""Manifests: files with options of their own, as TOML, CSV or JSON Lines."""

from __future__ import annotations

import csv
import io
import json
import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorebed.batching.items import Entry
from scorebed.errors import SettingsError
from scorebed.options import Options, flag_of
from scorebed.presets import fill

if TYPE_CHECKING:
    from collections.abc import Iterator

MANIFESTS = (".toml", ".csv", ".jsonl", ".ndjson")
_PLACES = ("output", "stems", "plot")
_FLAGS = {flag_of(field.name).removeprefix("--"): field.name for field in fields(Options)}
_SPOKEN = _FLAGS | {"tag": "tags"}
_LISTS = {field.name for field in fields(Options) if isinstance(field.default, tuple)}
_ABOUT = "Its keys are video, output, stems, plot and the options of `scorebed score`."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A file of a manifest, as it stands there."""

    where: str
    table: dict[str, Any]
    loose: bool
    """Whether all values are text, as in CSV."""


def is_manifest(path: str) -> bool:
    """Whether a path is taken for a manifest: by its ending, if it is a file."""
    return Path(path).suffix.lower() in MANIFESTS and not Path(path).is_dir()


def read_manifest(path: Path, options: Options) -> list[Entry]:
    """The files of a manifest; their paths are taken from its folder.

    Args:
        path: The manifest.
        options: What is wanted where it does not say otherwise.

    Raises:
        SettingsError: If it cannot be read, has an unknown key, or a value of the wrong kind.
    """
    rows = list(_rows(path))
    if not rows:
        raise SettingsError(f"the manifest {path} names no file", remedy=_ABOUT)
    return [_entry(path, row, options) for row in rows]


def read_job(path: Path, text: str, options: Options) -> Entry:
    """The film of a job file: one JSON object, with the keys of a manifest.

    ``app`` says which program has written it, and means nothing; ``overwrite`` is for job files
    alone: who runs a batch has its own.

    Args:
        path: The job file; paths in it are taken from its folder.
        text: What it holds.
        options: What is wanted where it does not say otherwise.

    Raises:
        SettingsError: If it is no such object, has an unknown key, or a value of the wrong kind.
    """
    try:
        table = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(
            f"the job file {path} is not JSON: {error}",
            remedy='Write for example: {"video": "film.mp4"} - under another name, then rename it.',
        ) from error
    if not isinstance(table, dict):
        raise SettingsError(
            f"the job file {path} is no object", remedy='Write for example: {"video": "film.mp4"}'
        )
    table.pop("app", None)
    overwrite = table.pop("overwrite", False)
    if not isinstance(overwrite, bool):
        raise SettingsError(
            f"the job file {path}: overwrite is {overwrite!r}", remedy="Write true or false there."
        )
    entry = _entry(path, _Row(where=str(path), table=table, loose=False), options)
    return replace(entry, overwrite=overwrite)


def _rows(path: Path) -> Iterator[_Row]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SettingsError(
            f"the manifest {path} cannot be read ({error.strerror})", remedy="Check the path."
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"the manifest {path} is not UTF-8 ({error.reason})", remedy="Save it as UTF-8."
        ) from error
    reader = {".toml": _from_toml, ".csv": _from_csv}.get(path.suffix.lower(), _from_lines)
    yield from reader(path, text)


def _from_toml(path: Path, text: str) -> Iterator[_Row]:
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(
            f"the manifest {path} is not TOML: {error}", remedy="Mend the file there."
        ) from error
    files, common = table.pop("file", []), table.pop("defaults", {})
    if table or not isinstance(common, dict) or not isinstance(files, list):
        odd = next(iter(table), "file")
        raise SettingsError(
            f"the manifest {path} has {odd!r} where [defaults] and [[file]] tables are expected",
            remedy='Write each file as: [[file]], video = "film.mp4", style = "lofi"',
        )
    for number, one in enumerate(files, start=1):
        where = f"{path}, file {number}"
        if not isinstance(one, dict):
            raise SettingsError(
                f"{where} is no table", remedy='Write for example: [[file]], video = "film.mp4"'
            )
        yield _Row(where=where, table=common | one, loose=False)


def _from_csv(path: Path, text: str) -> Iterator[_Row]:
    first = text.partition("\n")[0]
    semicolons = first.count(";") > first.count(",")
    reader = csv.DictReader(io.StringIO(text), delimiter=";" if semicolons else ",", strict=True)
    try:
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            if None in row:
                raise SettingsError(
                    f"{where} has more fields than the first line", remedy="Mend the line."
                )
            table = {name.strip(): value.strip() for name, value in row.items() if value}
            if table:
                yield _Row(where=where, table=table, loose=True)
    except csv.Error as error:
        raise SettingsError(
            f"the manifest {path} is not CSV, at line {reader.line_num}: {error}",
            remedy="Mend the file there.",
        ) from error


def _from_lines(path: Path, text: str) -> Iterator[_Row]:
    # JSON may hold other signs that end a line, as they are.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            table = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise SettingsError(
                f"{where} is not JSON: {error}", remedy="Write one JSON object per line."
            ) from error
        if not isinstance(table, dict):
            raise SettingsError(
                f"{where} is no object", remedy='Write for example: {"video": "film.mp4"}'
            )
        yield _Row(where=where, table=table, loose=False)


def _entry(path: Path, row: _Row, options: Options) -> Entry:
    table = dict(row.table)
    _require_plain(row)
    video = table.pop("video", None)
    if not isinstance(video, str) or not video:
        raise SettingsError(f"{row.where} names no video", remedy='Add: video = "film.mp4"')
    places = {name: _place(row, name, table.pop(name, None)) for name in _PLACES}
    own = _options(path, row, table, options)
    base = path.parent
    return Entry(
        video=base / _at_home(row, video),
        base=base,
        options=own,
        said=frozenset(_named(key) for key in table),
        where=row.where,
        output=places["output"],
        stems=_beside(base, places["stems"]),
        plot=_beside(base, places["plot"]),
    )


def _place(row: _Row, name: str, value: object) -> Path | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise SettingsError(f"{row.where}: {name} is no path", remedy="Give it as text.")
    return _at_home(row, value)


def _at_home(row: _Row, path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise SettingsError(
            f"{row.where}: {path} begins with a home folder that is not known",
            remedy="Write the whole path.",
        ) from error


def _require_plain(row: _Row) -> None:
    """Refuses what no option can be, and text that no file can have."""
    for key, value in row.table.items():
        for one in (key, *(value if isinstance(value, list) else [value])):
            if isinstance(one, dict | list):
                raise SettingsError(
                    f"{row.where}: {key!r} holds tables or lists in lists", remedy=_ABOUT
                )
            if isinstance(one, str) and not _is_text(one):
                raise SettingsError(
                    f"{row.where}: {key!r} holds signs that are no text",
                    remedy="Write it without \\u0000 and halves of signs such as \\ud800.",
                )


def _is_text(text: str) -> bool:
    try:
        # The bytes of a name that is not UTF-8 are kept so.
        return b"\0" not in text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return False


def _beside(base: Path, path: Path | None) -> Path | None:
    return None if path is None else base / path


def _named(key: str) -> str:
    """The option that a key stands for: as on the command line, with - or _."""
    plain = key.removeprefix("--").replace("_", "-")
    if plain == "no-duck":
        return "duck"
    return _SPOKEN.get(plain, key.replace("-", "_"))


def _options(path: Path, row: _Row, table: dict[str, Any], options: Options) -> Options:
    found: dict[str, Any] = {}
    for key, value in table.items():
        name, told = _named(key), value
        if name in _LISTS and isinstance(value, str):
            told = [tag.strip() for tag in value.split(";") if tag.strip()]
        if key.removeprefix("--").replace("_", "-") == "no-duck":
            told = _turned(row, value)
        found[name] = told
    filled = fill(
        found,
        options,
        what=row.where,
        folder=path.parent,
        remedy=_ABOUT,
        loose=row.loose,
        beside=("video", *_PLACES),
    )
    # A track of its own is a provider of its own.
    if "music" in found and "provider" not in found:
        filled = replace(filled, provider=None)
    return filled


def _turned(row: _Row, value: object) -> bool:
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    known = value if isinstance(value, bool) else words.get(str(value).lower())
    if known is None:
        raise SettingsError(
            f"{row.where}: no-duck is {value!r}", remedy="Write true or false there."
        )
    return not known
