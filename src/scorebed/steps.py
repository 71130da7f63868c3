"""A job in steps: what one run has done, the next one, on any machine, finds in the workspace."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from scorebed import __version__
from scorebed.delivery import temporary_name
from scorebed.exporters.words import counted
from scorebed.job import Job, check_job, check_provider
from scorebed.journal import about_its_job
from scorebed.ledger import money
from scorebed.media import identify
from scorebed.model import Picture, SpottingNotes, StageRun, Take
from scorebed.one_thread import one_blas_thread
from scorebed.pipeline import analyse, make_music
from scorebed.timecode import to_clock
from scorebed.workspace import Workspace, prune_default

if TYPE_CHECKING:
    from scorebed.pipeline import Watch


Until = Literal["analyse", "compose"]
"""Where a run ends before there is a film: when all is known that is known without music and what a
service is sent is made; or when the music is composed or bought, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Halfway:
    """What was done of a job that is to be gone on with."""

    job: Job
    """What is wanted in the end."""
    until: Until
    """Where it ended."""
    picture: Picture
    """What the film is."""
    notes: SpottingNotes
    """Where the music goes."""
    take: Take | None
    """The music; None before there is some."""
    stages: tuple[StageRun, ...]
    """What was run for it, and what was there already."""

    def lines(self) -> list[str]:
        """For a person."""
        take, kept = self.take, sum(run.cached for run in self.stages)
        scenes, cues = len(self.notes.scenes), len(self.notes.cues)
        found = f"{counted(scenes, 'scene')}, {counted(cues, 'cue')}"
        lines = [f"picture    {to_clock(self.picture.duration_s)}, {found}"]
        if take is not None:
            lines.append(f"music      {take.name} by {take.provider}")
        if take is not None and take.spent.requests:
            lines.append(f"spent      {money(take.spent.amount)} {take.spent.currency}")
        return [
            *lines,
            f"stages     {len(self.stages)} done, {kept} of them before",
            f"kept       in {self.job.workspace}; no film was written yet",
        ]

    def to_json(self) -> str:
        """One line of JSON (ASCII): the schema is ``scorebed/schema/step-1.json``."""
        return json.dumps(
            {
                "schema": 1,
                "version": __version__,
                "until": self.until,
                "input": str(self.job.video),
                "output": str(self.job.output),
                "workspace": str(self.job.workspace),
                "picture": {
                    "duration_s": float(self.picture.duration_s),
                    "sha256": self.picture.packets_sha256,
                },
                "scenes": len(self.notes.scenes),
                "cues": len(self.notes.cues),
                "music": None if self.take is None else _music(self.take),
                "stages": [
                    {"name": run.name, "elapsed_s": run.elapsed_s, "cached": run.cached}
                    for run in self.stages
                ],
            }
        )


def _music(take: Take) -> dict[str, Any]:
    return {
        "provider": take.provider,
        "take": take.name,
        "fallback_from": take.fallback_from,
        "receipts": list(take.receipts),
        "spent": {
            "requests": take.spent.requests,
            "seconds": round(take.spent.seconds, 3),
            "amount": round(take.spent.amount, 4),
            "currency": take.spent.currency,
        },
    }


def score_until(job: Job, until: Until, watch: Watch) -> Halfway:
    """Does a part of a job, and writes nothing outside the workspace and the ledger.

    Done again, or twice at once, it changes nothing: a stage that is there is not run, and music
    that was bought is taken from the ledger.

    Args:
        job: What is wanted in the end.
        until: Where to end. Only to compose needs the key of a service.
        watch: Told of progress.

    Raises:
        ScorebedError: One of its kinds.
    """

    @about_its_job("score")
    @one_blas_thread()
    def run(job: Job, watch: Watch) -> Halfway:
        return _score_until(job, until, watch)

    return run(job, watch)


def _score_until(job: Job, until: Until, watch: Watch) -> Halfway:
    # Nothing is written under its names, so whatever has them is in nobody's way.
    check_job(replace(job, overwrite=True))
    check_provider(job.settings)
    source = identify(job.video)
    buys = until == "compose"
    trial = temporary_name(job.output)
    with Workspace(job.workspace, source) as work:
        try:
            found = analyse(job, work, source, trial, watch, buys=buys)
        finally:
            trial.unlink(missing_ok=True)
        take = make_music(job, work, found.order, watch)[0] if buys else None
        stages = tuple(work.runs)
    prune_default(job.workspace)
    return Halfway(
        job=job,
        until=until,
        picture=found.picture,
        notes=found.notes,
        take=take,
        stages=stages,
    )
