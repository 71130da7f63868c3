"""Spotting notes as a person edited them: a TOML file, read and checked key by key."""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NoReturn

from scorebed.errors import SettingsError
from scorebed.model import HitNote, Notes, SceneNote, SilenceNote
from scorebed.stages.notes_look import KEYS as LOOK_KEYS
from scorebed.stages.notes_look import read_look
from scorebed.stages.notes_times import TIME_FORMS, Times, check_times, shown
from scorebed.timecode import to_stamp

if TYPE_CHECKING:
    from pathlib import Path

    from scorebed.model import Picture

STAGE = "notes"
NOTES_VERSION = 1
DEFAULT_LABEL = "hit"
_CLOCK_S = Fraction(1, 500)
"""Containers count in thousandths: the same film is that much longer in another."""
_KEYS: dict[str, tuple[str, ...]] = {
    "": ("version", "file", "spot", "scene", "silence", "hit"),
    "[file]": ("name", "duration", "frame_rate", "timecode", "picture"),
    "[spot]": LOOK_KEYS,
    "[[scene]]": ("start", "name", "brief", "music"),
    "[[silence]]": ("start", "end"),
    "[[hit]]": ("at", "label", "weight"),
}


def read_notes(path: Path, picture: Picture | None) -> Notes:
    """Reads a notes file.

    Args:
        path: The file.
        picture: What it is about; None to look at the file's form alone, before anything is known
            of the picture: frames then count for nothing.

    Raises:
        SettingsError: If it is no notes file, says what cannot be meant, or is of another video.
    """
    text = _text(path)
    try:
        table = tomllib.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:  # also numbers and nests beyond all sense
        raise SettingsError(
            f"{STAGE}: {path} is not TOML: {error}",
            remedy="Mend that line: text stands in quotation marks, a scene begins with [[scene]].",
        ) from error
    return _Reader(path, text, table, picture).read()


def _text(path: Path) -> str:
    if path.exists() and not path.is_file():
        # A pipe gives its text once; it is read here, and again when the picture is known.
        raise SettingsError(
            f"{STAGE}: {path} is not a file",
            remedy="Give the path of a notes file, as `scorebed spot VIDEO -o notes.toml` writes.",
        )
    try:
        # Editors on Windows put a mark before the first letter.
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SettingsError(
            f"{STAGE}: {path} cannot be read ({error.strerror})",
            remedy="Check the path; `scorebed spot VIDEO -o notes.toml` writes such a file.",
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"{STAGE}: {path} is not text in UTF-8 (byte {error.start})",
            remedy="Save it again as UTF-8, in any plain text editor.",
        ) from error


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of the file with the words for where it stands."""

    kind: str
    where: str
    values: dict[str, Any]


class _Reader:
    def __init__(
        self, path: Path, text: str, table: dict[str, Any], picture: Picture | None
    ) -> None:
        self._path = path
        self._lines = text.splitlines()
        self._whole = _Table("", f"{STAGE}: {path}", table)
        self._picture = picture
        self._times = Times(picture)
        self._doubts: list[str] = []

    def read(self) -> Notes:
        self._check_keys(self._whole)
        version = self._whole.values.get("version", NOTES_VERSION)
        if version != NOTES_VERSION or isinstance(version, bool):
            raise SettingsError(
                f"{self._whole.where}: version {version!r} is not known",
                remedy=f"This scorebed reads version {NOTES_VERSION}: write the notes anew with "
                "`scorebed spot`, or update scorebed.",
            )
        self._check_file(self._single("file"))
        look = self._single("spot")
        notes = Notes(
            name=str(self._path),
            look=read_look(look.values, look.where, self._path.parent),
            scenes=tuple(self._scene(one) for one in self._many("scene")),
            silences=tuple(self._silence(one) for one in self._many("silence")),
            hits=tuple(self._hit(one) for one in self._many("hit")),
            doubts=tuple(self._doubts),
        )
        if not (notes.scenes or notes.silences or notes.hits):
            raise SettingsError(
                f"{self._whole.where} has no [[scene]], no [[silence]] and no [[hit]]: it says "
                "nothing of the music",
                remedy="Leave --notes out for what is found, or write the notes anew: "
                f"scorebed spot VIDEO -o {self._path} --overwrite",
            )
        if self._picture is not None:
            check_times(notes, self._picture.duration_s)
        return notes

    # --- tables --------------------------------------------------------------------------------

    def _single(self, name: str) -> _Table:
        values = self._whole.values.get(name, {})
        kind = f"[{name}]"
        if not isinstance(values, dict):
            self._refuse_form(name, kind)
        table = _Table(kind, f"{self._whole.where}{self._line(kind, 0, 1)}: {kind}", values)
        self._check_keys(table)
        return table

    def _many(self, name: str) -> list[_Table]:
        listed = self._whole.values.get(name, [])
        kind = f"[[{name}]]"
        if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
            self._refuse_form(name, kind)
        tables = []
        for number, values in enumerate(listed):
            line = self._line(kind, number, len(listed))
            tables.append(_Table(kind, f"{self._whole.where}{line}: {kind} {number + 1}", values))
            self._check_keys(tables[-1])
        return tables

    def _refuse_form(self, name: str, kind: str) -> NoReturn:
        raise SettingsError(
            f"{self._whole.where}: {name!r} is not given as {kind}",
            remedy=f"Put a line {kind} before its keys.",
        )

    def _line(self, kind: str, number: int, count: int) -> str:
        """Where the table stands, by its heading; nothing where headings cannot tell."""
        inside = re.escape(kind.strip("[]"))
        opening = r"\[" * kind.count("[")
        heading = re.compile(rf"\s*{opening}\s*{inside}\s*\]")
        found = [at for at, line in enumerate(self._lines, start=1) if heading.match(line)]
        return f", line {found[number]}" if len(found) == count else ""

    def _check_keys(self, table: _Table) -> None:
        known = _KEYS[table.kind]
        for key in table.values:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
                raise SettingsError(
                    f"{table.where}: unknown key {key!r}",
                    remedy=f"Did you mean {near[0]!r}?"
                    if near
                    else f"Known keys there: {', '.join(known)}",
                )

    # --- what they say -------------------------------------------------------------------------

    def _check_file(self, table: _Table) -> None:
        if self._picture is not None:
            self._check_picture(table, self._picture)
        first = self._text_of(table, "timecode")
        if first:
            self._times.start_at(first, f"{table.where}: timecode")

    def _check_picture(self, table: _Table, picture: Picture) -> None:
        """Another length is another cut; other packets of the same length are told."""
        name = self._text_of(table, "name")
        of = f" ({name})" if name else ""
        if "duration" in table.values:
            told_s = self._time(table, "duration")
            if abs(told_s - picture.duration_s) > max(1 / picture.frame_rate / 2, _CLOCK_S):
                raise SettingsError(
                    f"{table.where}: these are the notes of another picture{of}: it is "
                    f"{to_stamp(max(told_s, Fraction(0)))} long, this one "
                    f"{to_stamp(picture.duration_s)}",
                    remedy="Give the video that they were written for, or spot this one: "
                    "scorebed spot VIDEO -o NOTES.toml. To use them all the same, remove the "
                    "line `duration = ...` from [file].",
                )
        told = self._text_of(table, "picture")
        if told and told != picture.packets_sha256:
            self._doubts.append(
                f"{self._path} was written for another export{of}, as long as this one: check that "
                "it is the same cut (scorebed spot VIDEO --notes NOTES --sheet SHEET.png shows it)"
            )

    def _scene(self, table: _Table) -> SceneNote:
        name = self._text_of(table, "name")
        music = table.values.get("music", True)
        if not isinstance(music, bool):
            raise SettingsError(
                f"{table.where}: music is {shown(music)}",
                remedy="Write music = true or music = false, without quotation marks.",
            )
        return SceneNote(
            start_s=self._time(table, "start"),
            name=name,
            brief=self._text_of(table, "brief"),
            music=music,
            where=f"{table.where} {name!r}" if name else table.where,
        )

    def _silence(self, table: _Table) -> SilenceNote:
        start_s, end_s = self._time(table, "start"), self._time(table, "end")
        return SilenceNote(start_s=start_s, end_s=end_s, where=table.where)

    def _hit(self, table: _Table) -> HitNote:
        weight = table.values.get("weight", 1)
        if (
            not isinstance(weight, int | Decimal)
            or isinstance(weight, bool)
            or (isinstance(weight, Decimal) and weight.is_nan())
            or not 0 <= weight <= 1
        ):
            raise SettingsError(
                f"{table.where}: weight is {shown(weight)}",
                remedy="Give a number from 0 (do not meet it) to 1 (meet it above all).",
            )
        label = self._text_of(table, "label") or DEFAULT_LABEL
        at_s = self._time(table, "at")
        return HitNote(at_s=at_s, label=label, weight=float(weight), where=table.where)

    def _text_of(self, table: _Table, key: str) -> str:
        value = table.values.get(key, "")
        if not isinstance(value, str):
            raise SettingsError(
                f"{table.where}: {key} is {shown(value)}, not text",
                remedy=f'Put it in quotation marks: {key} = "..."',
            )
        return value.strip()

    def _time(self, table: _Table, key: str) -> Fraction:
        value = table.values.get(key)
        if value is None:
            raise SettingsError(
                f"{table.where} has no {key}",
                remedy=f"Add a line to it: {key} = TIME. {TIME_FORMS}",
            )
        return self._times.read(value, f"{table.where}: {key}")
