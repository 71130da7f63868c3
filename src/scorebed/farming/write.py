"""Writes a farm's job into a folder: whole, or not at all."""

from __future__ import annotations

import datetime as dt
import json
import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from scorebed.batching.items import BatchJob, Fate
from scorebed.batching.planning import BatchPlan, plan_batch
from scorebed.batching.reference import wants_reference
from scorebed.delivery import published_together, refuse_existing, temporary_name, told_of
from scorebed.errors import SettingsError
from scorebed.farming import deadline, opencue, openjd
from scorebed.farming.place import identify_place
from scorebed.farming.rows import FILMS, asked_of, row_of, to_lines
from scorebed.ledger import Ledger
from scorebed.model import LedgerAddress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorebed.batching.items import Item
    from scorebed.model import LedgerPlace, Tell

Kind = Literal["openjd", "deadline-cloud", "opencue"]
DEFAULT_LIMIT = "scorebed_requests"
PARAMETERS = "parameters.json"
_LIMIT = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}(\.[A-Za-z_][A-Za-z0-9_]{0,63})*")
_RESERVED = ("worker", "job", "step", "task")
"""First words of a limit that Open Job Description keeps for itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmJob:
    """A job for a farm, as it is asked for."""

    kind: Kind
    """Whose job it is."""
    folder: Path
    """Where it is written; made if it is not there."""
    batch: BatchJob
    """The films and what is wanted of them. ``overwrite`` is for the job's own files too."""
    limit: str | None = DEFAULT_LIMIT
    """Name of what a task holds one of while it asks a service; None for nothing."""
    chains: bool = False
    """Whether each film has three steps of its own (not for OpenCue, whose frames are such)."""
    command: str = "scorebed"
    """How a worker calls scorebed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmFiles:
    """A job that was written."""

    kind: Kind
    """Whose job it is."""
    folder: Path
    """Where it is."""
    files: tuple[Path, ...]
    """What was written; empty where nothing is left to do."""
    plan: BatchPlan
    """Its films: those that are done already or cannot be done are not in it."""


def plan_farm(job: FarmJob) -> BatchPlan:
    """Finds the films and checks all options, as for a batch; writes nothing.

    What is of one machine only is not asked for: its key, the room on its disk.

    Args:
        job: What is asked for.

    Raises:
        ScorebedError: If the options, a manifest or the names will not do, or not for a farm.
    """
    _check(job)
    plan = plan_batch(job.batch, here=False)
    for item in plan.with_fate(Fate.DO):
        _check_item(item)
    return plan


def write_farm(job: FarmJob, plan: BatchPlan) -> FarmFiles:
    """Writes the job of a plan; no file is there half, and none is replaced unasked.

    Args:
        job: What is asked for.
        plan: What ``plan_farm`` made of it.

    Raises:
        SettingsError: If a file is there already.
        WorkspaceError: If the folder cannot be written, or a ledger cannot be used.
    """
    todo = plan.with_fate(Fate.DO)
    if not todo:
        return FarmFiles(kind=job.kind, folder=job.folder, files=(), plan=plan)
    folder = job.folder.absolute()
    for place in {_ledger_of(item) for item in todo}:
        _tell_of_near(place, job.batch.tell)
    texts = _texts(job, folder, todo)
    with told_of(folder, stage="farm"):
        folder.mkdir(parents=True, exist_ok=True)
    for name in texts:
        refuse_existing(folder / name, overwrite=job.batch.overwrite)
    _publish(folder, texts, overwrite=job.batch.overwrite)
    files = tuple(job.folder / name for name in texts)
    return FarmFiles(kind=job.kind, folder=job.folder, files=files, plan=plan)


def _texts(job: FarmJob, folder: Path, todo: Sequence[Item]) -> dict[str, str]:
    """What is written, by its name; what an engine looks for comes last."""
    batch, name = job.batch, uuid.uuid4().hex[:12]
    written = dt.datetime.now(tz=dt.UTC).isoformat(timespec="seconds")
    ledgers, place = _ledgers(todo), identify_place(batch.out)
    rows = [
        row_of(
            item,
            batch,
            job=name,
            written=written,
            ledger=ledgers.get(_ledger_of(item)),
            place=place,
        )
        for item in todo
    ]
    asks = any(item.job.settings.service is not None for item in todo)
    limit = job.limit.removeprefix("amount.") if job.limit is not None and asks else None
    texts = {FILMS: to_lines(rows)}
    if job.kind == "opencue":
        films, command = folder / FILMS, job.command
        texts[opencue.OUTLINE] = opencue.outline(rows, films, command=command, limit=limit)
        texts[opencue.COMMANDS] = opencue.commands(rows, films, command=command)
        return texts
    if job.kind == "deadline-cloud":
        texts[deadline.ASSETS] = _json(
            deadline.assets(rows, [asked_of(item).options for item in todo])
        )
        texts[deadline.VALUES] = _json(deadline.values(rows[0], len(rows)))
    else:
        texts[PARAMETERS] = _json({"Out": rows[0].out, "Workspace": rows[0].workspace})
    found = openjd.template(rows, command=job.command, limit=limit, chains=job.chains)
    return texts | {openjd.TEMPLATE: _json(found)}


def _ledger_of(item: Item) -> LedgerPlace | None:
    want = item.job.settings
    return None if want.service is None else want.purse.ledger


def _tell_of_near(place: LedgerPlace | None, tell: Tell) -> None:
    if isinstance(place, LedgerAddress) and place.is_near:
        tell(
            f"the ledger {place} is an address of this machine alone: workers on other machines "
            "will not find it there; give --ledger the address that they know the server by"
        )


def _ledgers(todo: Sequence[Item]) -> dict[LedgerPlace | None, str]:
    """What tells each ledger from every other: a task buys with no other, and makes none."""
    places = {_ledger_of(item) for item in todo} - {None}
    return {place: Ledger(place).identify() for place in places if place is not None}


def _json(table: dict[str, Any]) -> str:
    return json.dumps(table, indent=2) + "\n"


def _publish(folder: Path, texts: dict[str, str], *, overwrite: bool) -> None:
    """All are written under names of their own before the first gets its name."""
    parts: list[tuple[Path, Path]] = []
    try:
        with told_of(folder, stage="farm"), published_together() as give:
            for name, text in texts.items():
                part = temporary_name(folder / name)
                parts.append((part, folder / name))
                part.write_text(text, encoding="utf-8", newline="\n")
            for part, final in parts:
                give(part, final, overwrite=overwrite)
    finally:
        for part, _ in parts:
            part.unlink(missing_ok=True)


def _check(job: FarmJob) -> None:
    limit = (job.limit or "").removeprefix("amount.")
    if job.limit is not None and (
        not _LIMIT.fullmatch(limit) or limit.partition(".")[0] in _RESERVED
    ):
        raise SettingsError(
            f"farm: {job.limit!r} is no name of a limit",
            remedy=f"Use letters, digits and _, for example: --limit {DEFAULT_LIMIT}",
        )
    if job.chains and job.kind == "opencue":
        raise SettingsError(
            "farm: --chains is not for OpenCue: its frames wait for each other one by one",
            remedy="Leave it out.",
        )
    for path in (job.folder, job.batch.out, job.batch.workspace):
        if str(path) != str(path).encode(errors="replace").decode():
            raise SettingsError(
                f"farm: the name of {str(path)!r} holds bytes that are no text",
                remedy="Name a folder in UTF-8; the films may be called as they like.",
            )


def _check_item(item: Item) -> None:
    """Refuses what would do harm where tasks are run twice, on machines that know little."""
    options, want = asked_of(item).options, item.job.settings
    if want.service is None:
        return
    if options.ledger is None:
        raise SettingsError(
            "farm: the tasks need one ledger: by it, what was bought is not bought again",
            remedy="Add --ledger, with a folder that all workers share.",
        )
    if options.buy_again:
        raise SettingsError(
            "farm: --buy-again would pay each time that a task is run",
            remedy="Run scorebed score --buy-again for the film, with the same --ledger.",
        )
    if options.fallback is not None:
        raise SettingsError(
            "farm: --fallback is not for farms: they run a task again that has failed",
            remedy="Leave it out, or use scorebed batch.",
        )
    if wants_reference(item):
        raise SettingsError(
            "farm: with --one-style this service is to hear the first film's music before it is "
            "asked for the others, which a farm does not wait for",
            remedy="Use scorebed batch, or leave --one-style out.",
        )
