"""What a batch did: a JSON object, by ``scorebed/schema/batch-1.json``, and a table."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorebed import __version__
from scorebed.batching.items import STATES, Outcome
from scorebed.batching.jsonl import SCHEMA_VERSION
from scorebed.batching.record import RECORD, cost_figures, sums, to_line
from scorebed.batching.style import Drift, drift
from scorebed.exporters.words import counted
from scorebed.ledger import money
from scorebed.logs import on_one_line
from scorebed.model import Quote

if TYPE_CHECKING:
    from scorebed.batching.items import State

_MOST_ROWS = 200
"""A table of thousands is read by nobody: beyond this only what failed has a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What files come to of which no more is known."""

    done: int = 0
    """Files that are done."""
    failed: int = 0
    """Files that have failed."""
    skipped: int = 0
    """Files that are skipped."""
    scored_s: float = 0.0
    """Length of the picture of those that are done, in seconds."""
    spent: tuple[Quote, ...] = ()
    """What they have cost, one sum per currency."""

    def __add__(self, outcome: Outcome) -> Totals:
        counts = {state: getattr(self, state) + (outcome.state == state) for state in STATES}
        scored_s = self.scored_s + outcome.duration_s * (outcome.state == "done")
        return Totals(**counts, scored_s=scored_s, spent=sums([*self.spent, outcome.spent]))


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResult:
    """What became of every file of a batch."""

    out: Path
    """Folder of the results."""
    outcomes: tuple[Outcome, ...]
    """Of every file, in the order of the plan; of a watch without an end, of the last ones."""
    seconds: float
    """How long it took, in seconds."""
    one_style: bool
    """Whether all music was to be of one family."""
    before: Totals = Totals()
    """Of the files before those in ``outcomes``."""

    def count(self, state: State) -> int:
        """How many files have ended so."""
        before: int = getattr(self.before, state)
        return before + sum(one.state == state for one in self.outcomes)

    @property
    def spent(self) -> tuple[Quote, ...]:
        """What this run has paid, one sum per currency; empty for nothing."""
        return sums([*self.before.spent, *(one.spent for one in self.outcomes)])

    @property
    def drift(self) -> tuple[Drift, ...]:
        """With one style: how far the files' music is from each other."""
        if not self.one_style:
            return ()
        return drift([(one.name, one.music) for one in self.outcomes if one.music is not None])

    def words(self) -> str:
        """How it went, in a line."""
        counts = [f"{self.count(state)} {state}" for state in STATES]
        return f"{counted(self._files, 'file')}: {', '.join(counts)}"

    def failed_words(self) -> str:
        """How many of all have failed, for the error of a run."""
        failed, done = self.count("failed"), self.count("done")
        files = counted(self._files, "file")
        return f"{failed} of {files} failed; {done} {'is' if done == 1 else 'are'} done"

    @property
    def _files(self) -> int:
        return sum(map(self.count, STATES))

    def to_json(self) -> str:
        """One line of JSON (ASCII)."""
        return json.dumps(
            {
                "schema": SCHEMA_VERSION,
                "version": __version__,
                "out": str(self.out),
                "record": str(self.out / RECORD),
                "files": [to_line(one) for one in self.outcomes],
                "done": self.count("done"),
                "failed": self.count("failed"),
                "skipped": self.count("skipped"),
                "seconds": round(self.seconds, 3),
                "spent": [cost_figures(one) for one in self.spent],
                "drift": [_drift(one) for one in self.drift] if self.one_style else None,
            }
        )

    def lines(self) -> list[str]:
        """A table for a person."""
        rows = [_row(one) for one in self.outcomes]
        if len(rows) > _MOST_ROWS:
            rows = [_row(one) for one in self.outcomes if one.state == "failed"]
        lines = ["state       taken  file", *rows]
        if self._files > len(self.outcomes):
            lines.append(f"(of the last {len(self.outcomes)}; the record has all)")
        drifts = self.drift
        if drifts:
            lines += ["", "one style: from the median of all", *_drift_rows(drifts)]
        paid = ", ".join(f"{money(one.amount)} {one.currency}" for one in self.spent)
        scored_s = sum(one.duration_s for one in self.outcomes if one.state == "done")
        scored_s += self.before.scored_s
        # Where there was nothing to do there may be none.
        record = self.out / RECORD
        told = [f"record  {on_one_line(str(record))}"] if record.exists() else []
        return [
            *lines,
            self.words(),
            (f"{clock(scored_s)} of picture in {clock(self.seconds)}, {paid or 'nothing'} spent"),
            *told,
        ]


def clock(seconds: float) -> str:
    """A time for a person: ``1:02:03``, ``2:03``, ``12.3 s``."""
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _row(outcome: Outcome) -> str:
    return on_one_line(_row_of(outcome))


def _row_of(outcome: Outcome) -> str:
    taken = clock(outcome.seconds) if outcome.seconds else "-"
    row = f"{outcome.state:<8} {taken:>8}  {outcome.video}"
    if outcome.failure is not None:
        return f"{row}: {outcome.failure.message} (exit {outcome.failure.exit_code})"
    return f"{row}: {outcome.why}" if outcome.why else f"{row} -> {outcome.name}"


def _drift(one: Drift) -> dict[str, Any]:
    return {
        "name": one.name,
        **dataclasses.asdict(one.music),
        "key_differs": one.key_differs,
        "tempo_percent": one.tempo_percent,
        "loudness_lu": one.loudness_lu,
        "brightness_percent": one.brightness_percent,
    }


def _drift_rows(drifts: tuple[Drift, ...]) -> list[str]:
    rows = ["key              tempo           loudness        brightness      file"]
    for one in drifts:
        music = one.music
        key = f"{music.key or '-'}{' (differs)' if one.key_differs else ''}"
        rows.append(
            f"{key:<17}"
            f"{_cell(music.tempo_bpm, '.0f', one.tempo_percent, '%'):<16}"
            f"{_cell(music.integrated_lufs, '.1f', one.loudness_lu, ' LU'):<16}"
            f"{_cell(music.brightness_hz, '.0f', one.brightness_percent, '%'):<16}"
            f"{on_one_line(one.name)}"
        )
    return rows


def _cell(value: float | None, form: str, distance: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return f"{value:{form}}" + ("" if distance is None else f" ({distance:+.1f}{unit})")
