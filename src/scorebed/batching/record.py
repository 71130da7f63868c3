"""The record of a batch: what became of each file, a line of JSON each, in the folder of results.

OUT/batch.jsonl                 a line per file and run, added when the file has ended
OUT/.scorebed-begun.jsonl       names of results that were begun: one that is there was ours

The last line of a name that is no ``skipped`` says how it stands.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorebed import __version__
from scorebed.batching.items import Failure, InputState, MusicFigures, Outcome
from scorebed.delivery import told_of
from scorebed.errors import MediaError
from scorebed.media import content_of
from scorebed.model import FREE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scorebed.batching.items import Item
    from scorebed.model import Quote

SCHEMA_VERSION = 1
RECORD = "batch.jsonl"
_BEGUN = ".scorebed-begun.jsonl"
_ENDED = ("done", "failed")


class Record:
    """What earlier runs of a batch have done, and what this one does.

    Args:
        out: Folder of the results; need not be there.

    Raises:
        WorkspaceError: If the record is there and cannot be read.
    """

    stage = "batch"
    """Named in errors."""

    def __init__(self, out: Path) -> None:
        self.path = out / RECORD
        self._begun_path = out / _BEGUN
        named = [line for line in lines_of(self.path) if isinstance(line.get("name"), str)]
        self._last: dict[str, dict[str, Any]] = {}
        self._done = {line["name"]: line for line in named if line.get("state") == "done"}
        for line in named:
            self._take_in(line)
        self._begun = {line["name"] for line in lines_of(self._begun_path) if "name" in line}

    def last(self, name: str) -> dict[str, Any] | None:
        """The line that says how a file stands; None for one that was never ended."""
        return self._last.get(name)

    def stands(self, name: str, output: Path) -> bool:
        """Whether a result is there as the record says.

        Args:
            name: As the record knows it.
            output: The file.
        """
        # One that has failed since has not touched it.
        line = self._done.get(name)
        if line is None or not output.is_file():
            return False
        return bool(output.stat().st_size == line["output_bytes"])

    def is_ours(self, name: str, output: Path) -> bool:
        """Whether what lies under a result's name may be replaced: an earlier run wrote it.

        Args:
            name: As the record knows it.
            output: The file.
        """
        return name in self._begun or self.stands(name, output)

    def begin(self, item: Item) -> None:
        """Notes that a file is begun, before anything of it can lie under its name.

        Raises:
            WorkspaceError: If the disk is full or the folder cannot be written.
        """
        self._begun.add(item.name)
        append_lines(self._begun_path, [{"name": item.name}], stage=self.stage)

    def end(self, *outcomes: Outcome) -> None:
        """Adds a line for each, on the disk when this returns.

        Raises:
            WorkspaceError: If the disk is full or the folder cannot be written.
        """
        lines = [to_line(one) for one in outcomes]
        if lines:
            append_lines(self.path, lines, stage=self.stage)
        # A watch comes back to names in the same run.
        for line in lines:
            self._take_in(line)
        self._done |= {line["name"]: line for line in lines if line["state"] == "done"}

    def _take_in(self, line: dict[str, Any]) -> None:
        name = line["name"]
        last = self._last.get(name)
        if line.get("state") in _ENDED:
            self._last[name] = line
        elif last is not None and _is_told_again(line, last):
            # Touched or moved, and found to be the same: it need not be read again for that.
            self._last[name] = last | {"source": line["source"], "input": line["input"]}

    def close(self, outcomes: Iterable[Outcome]) -> None:
        """All that was begun has ended, and the record says how.

        A worker may have been killed after its result had its name: that one stays ours.

        Args:
            outcomes: Of all files.
        """
        last = {one.name: one for one in outcomes if one.name in self._begun}
        left = [one for one in last.values() if one.state == "failed"]
        with told_of(self._begun_path, stage=self.stage):
            self._begun_path.unlink(missing_ok=True)
            there = [{"name": one.name} for one in left if one.output.exists()]
        if there:
            append_lines(self._begun_path, there, stage=self.stage)
        # A watch goes on: from now on who changes a result may keep it.
        self._begun = {line["name"] for line in there}


def _is_told_again(line: dict[str, Any], last: dict[str, Any]) -> bool:
    now, before = line.get("source"), last.get("source")
    whole = None if now is None else now.get("sha256")
    return bool(whole and before and whole == before.get("sha256"))


def to_line(outcome: Outcome) -> dict[str, Any]:
    """An outcome as it is written: the schema is ``$defs/file`` of ``schema/batch-1.json``."""
    return {
        "schema": SCHEMA_VERSION,
        "version": __version__,
        "at": dt.datetime.now(tz=dt.UTC).isoformat(timespec="seconds"),
        "number": outcome.number,
        "name": outcome.name,
        "input": str(outcome.video),
        "output": str(outcome.output),
        "key": outcome.key,
        "state": outcome.state,
        "why": outcome.why or None,
        "error": _fields(outcome.failure),
        "seconds": round(outcome.seconds, 3),
        "duration_s": round(outcome.duration_s, 3),
        "spent": cost_figures(outcome.spent),
        "source": _fields(outcome.source),
        "output_bytes": outcome.output_bytes,
        "warnings": list(outcome.warnings),
        "music": _fields(outcome.music),
    }


def failure_of(line: dict[str, Any]) -> Failure:
    """Why a file failed, as its line says."""
    return Failure(**line["error"])


def music_of(line: dict[str, Any]) -> MusicFigures | None:
    """What the music of a file is like, as its line says."""
    return None if line.get("music") is None else MusicFigures(**line["music"])


def state_of(video: Path, *, stage: str = "batch") -> InputState:
    """What a file is now.

    Args:
        video: The file.
        stage: Named in errors.

    Raises:
        MediaError: If it is missing, a folder, or may not be read.
    """
    content = content_of(video)
    try:
        status = video.stat()
    except OSError as error:
        raise MediaError(
            f"{stage}: {video} has gone while it was read ({error.strerror})",
            remedy="Leave the files where they are while they are worked on.",
        ) from error
    return InputState(
        size_bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
        content=content,
        ctime_ns=status.st_ctime_ns,
    )


def sums(quotes: Iterable[Quote]) -> tuple[Quote, ...]:
    """What prices come to, one sum per currency; nothing where all is free."""
    found: dict[str, Quote] = {}
    for quote in quotes:
        if quote.requests or quote.amount:
            before = found.get(quote.currency, replace(FREE, currency=quote.currency))
            found[quote.currency] = replace(
                before,
                requests=before.requests + quote.requests,
                seconds=before.seconds + quote.seconds,
                amount=before.amount + quote.amount,
            )
    return tuple(found.values())


def cost_figures(quote: Quote) -> dict[str, Any]:
    """A price as it is written."""
    return {
        "requests": quote.requests,
        "seconds": round(quote.seconds, 3),
        "amount": round(quote.amount, 4),
        "currency": quote.currency,
    }


def _fields(value: Failure | InputState | MusicFigures | None) -> dict[str, Any] | None:
    if value is None:
        return None
    return {name: getattr(value, name) for name in type(value).__dataclass_fields__}


def lines_of(path: Path) -> list[dict[str, Any]]:
    """What a file of JSON Lines holds; a line that a killed run left half written counts not.

    Args:
        path: The file; one that is not there has none.

    Raises:
        WorkspaceError: If it is there and cannot be read.
    """
    found: list[dict[str, Any]] = []
    with told_of(path, stage="batch"):
        if not path.exists():
            return []
        raw = path.read_bytes()
    for line in raw.splitlines():
        try:
            one = json.loads(line)
        except ValueError:
            continue
        if isinstance(one, dict):
            found.append(one)
    return found


def append_lines(path: Path, lines: Sequence[dict[str, Any]], *, stage: str = "batch") -> None:
    """Adds lines and waits until they are on the disk; a half line before them is closed.

    Args:
        path: The file; made if it is not there.
        lines: What is added.
        stage: Named in errors.

    Raises:
        WorkspaceError: If the disk is full or the file cannot be written.
    """
    text = "".join(json.dumps(line) + "\n" for line in lines).encode()
    with told_of(path, stage=stage), path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                text = b"\n" + text
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
