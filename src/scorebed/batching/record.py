"""The record of a batch: what became of each file, a line of JSON each, in the folder of results.

OUT/batch.jsonl                 a line per file and run, added when the file has ended
OUT/.scorebed-begun.jsonl       names of results that were begun: one that is there was ours

The last line of a name that is no ``skipped`` says how it stands. Where lines that nothing asks for
have become most of the record, they are left out of it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from scorebed import __version__
from scorebed.batching.items import Failure, InputState, MusicFigures, Outcome
from scorebed.batching.jsonl import SCHEMA_VERSION, Lines
from scorebed.batching.known import Known, asked_for, known_from, known_of, told_place
from scorebed.delivery import told_of
from scorebed.errors import MediaError
from scorebed.media import content_of
from scorebed.model import FREE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from scorebed.batching.items import Item
    from scorebed.model import Quote

RECORD = "batch.jsonl"
_BEGUN = ".scorebed-begun.jsonl"


def _unheard(_known: Known) -> None:
    """Where nobody else wants to know the lines."""


class Record:
    """What earlier runs of a batch have done, and what this one does.

    Args:
        out: Folder of the results; need not be there.
        hears: Told every line that is there, in order.

    Raises:
        WorkspaceError: If the record is there and cannot be read, or is of a newer release.
    """

    stage = "batch"
    """Named in errors."""

    def __init__(self, out: Path, hears: Callable[[Known], None] = _unheard) -> None:
        self.path = out / RECORD
        self._lines = Lines(self.path, stage=self.stage)
        self._begun_lines = Lines(out / _BEGUN, stage=self.stage)
        self._last: dict[str, Known] = {}
        self._done_before: dict[str, Known] = {}
        """Of those whose last line says that they have failed."""
        for _, line in self._lines.numbered():
            known = None if line is None else known_from(line)
            if known is not None:
                self._learn(known)
                hears(known)
        begun = [line.get("name") for _, line in self._begun_lines.numbered() if line is not None]
        self._begun = {name for name in begun if isinstance(name, str)}
        self._failed: dict[str, Path] = {}
        """Results of those that were begun, and have failed."""

    def last(self, name: str) -> Known | None:
        """How a file stands; None for one that was never ended.

        Args:
            name: Its result, as the record knows it.
        """
        return self._last.get(name)

    def has_failed(self, name: str, video: Path) -> bool:
        """Whether a file has failed the last time, perhaps in a watch that had no result for it.

        Args:
            name: Its result, as the record knows it.
            video: The file.
        """
        found = (self._last.get(name), self._last.get(told_place(video)))
        return any(known is not None and known.state == "failed" for known in found)

    def stands(self, name: str, output: Path) -> bool:
        """Whether a result is there as the record says.

        Args:
            name: As the record knows it.
            output: The file.
        """
        known = self._last.get(name)
        if known is not None and known.state == "failed":
            # One that has failed since has not touched it.
            known = self._done_before.get(name)
        if known is None or not output.is_file():
            return False
        return output.stat().st_size == known.output_bytes

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
        self._write(lambda: self._begun_lines.append([{"name": item.name}]))

    def end(self, *outcomes: Outcome) -> None:
        """Adds a line for each, on the disk when this returns.

        Raises:
            WorkspaceError: If the disk is full or the folder cannot be written.
        """
        lines = [to_line(one) for one in outcomes]
        if lines:
            self._write(lambda: self._lines.append(lines))
        for one, line in zip(outcomes, lines, strict=True):
            # A watch comes back to names in the same run.
            self._learn(known_of(one, line["at"]))
            self._failed.pop(one.name, None)
            if one.state == "failed" and one.name in self._begun:
                self._failed[one.name] = one.output

    def close(self) -> None:
        """All that was begun has ended, and the record says how.

        A worker may have been killed after its result had its name: that one stays ours.

        Raises:
            WorkspaceError: If the disk is full or the folder cannot be written.
        """
        self._write(self._close)

    def shorten(self, most: int | None = None) -> None:
        """Leaves out what nothing asks for any more, if that is most of the record.

        The last line of each film stays, also the last that says that it was done, and every line
        with money in it. Whoever calls it holds ``only_batch``.

        Args:
            most: Of the others so many stay, the last ones; None for all.
        """
        films = len(self._last)
        self._lines.shorten(
            lambda: asked_for(self._lines, most), films=films if most is None else min(films, most)
        )

    def _learn(self, known: Known) -> None:
        before = self._last.get(known.name)
        if known.state == "skipped":
            if before is not None and known.sha256 and known.sha256 == before.sha256:
                # Touched or moved, and found to be the same: it need not be read again for that.
                self._last[known.name] = before.moved_to(known)
            return
        if known.state == "done":
            self._done_before.pop(known.name, None)
            # It may have failed before it had a result.
            self._last.pop(known.video, None)
        elif before is not None and before.state == "done":
            self._done_before[known.name] = before
        self._last[known.name] = known

    def _close(self) -> None:
        with told_of(self._begun_lines.path, stage=self.stage):
            self._begun_lines.path.unlink(missing_ok=True)
            there = [name for name, output in self._failed.items() if output.exists()]
        if there:
            self._begun_lines.append([{"name": name} for name in there])
        # A watch goes on: from now on who changes a result may keep it.
        self._begun = set(there)
        self._failed = {name: self._failed[name] for name in there}

    def _write(self, writes: Callable[[], None]) -> None:
        """Where everything is written."""
        writes()


def to_line(outcome: Outcome) -> dict[str, Any]:
    """An outcome as it is written: the schema is ``$defs/file`` of ``schema/batch-1.json``."""
    return {
        "schema": SCHEMA_VERSION,
        "version": __version__,
        "at": dt.datetime.now(tz=dt.UTC).isoformat(timespec="seconds"),
        "number": outcome.number,
        "name": outcome.name,
        "input": told_place(outcome.video),
        "output": told_place(outcome.output),
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
