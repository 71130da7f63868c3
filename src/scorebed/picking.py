"""Which tracks of a library fit a video: the takes, the best first, without a run."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scorebed.job import Job, check_inputs
from scorebed.media import identify, refuse_address
from scorebed.model import Picture, SpottingNotes
from scorebed.pipeline import Watch, prepare
from scorebed.providers.library.choose import Candidates, candidates
from scorebed.result_choices import choice_figures, choice_lines
from scorebed.stages.probe import probe
from scorebed.workspace import Workspace, prune_default

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """The takes that a library has for a video."""

    video: Path
    """The video."""
    library: Path
    """The folder of the tracks."""
    notes: SpottingNotes
    """What the tracks were held against."""
    found: Candidates
    """The takes, the best first."""
    warnings: tuple[str, ...]
    """What was left out of the library."""

    def lines(self) -> Iterator[str]:
        """For a person."""
        found = self.found
        left = f", {found.forbidden} have what is excluded" if found.forbidden else ""
        yield f"{found.judged} tracks{left}; each take has the --seed that it is named by"
        for seed, (score, take) in enumerate(zip(found.scores, found.takes, strict=True), start=1):
            for number, line in enumerate(choice_lines(take)):
                lead = "" if number else f"seed {seed:<3} {score:.2f}"
                yield f"{lead:<12}  {line}"
        if found.unanswered:
            yield f"no track says: {', '.join(found.unanswered)}"
        best = found.takes[0][0]
        if len(found.takes[0]) == 1:
            track = shlex.quote(str(self.library / best.name))
            yield f"to use the first: scorebed score {shlex.quote(str(self.video))} --music {track}"

    def to_json(self) -> str:
        """One line of JSON (ASCII)."""
        found = self.found
        return json.dumps(
            {
                "schema": 1,
                "input": str(self.video),
                "library": str(self.library),
                "judged": found.judged,
                "forbidden": found.forbidden,
                "unanswered": list(found.unanswered),
                "takes": [
                    {
                        "seed": seed,
                        "score": score,
                        "chosen": [choice_figures(choice) for choice in take],
                    }
                    for seed, (score, take) in enumerate(
                        zip(found.scores, found.takes, strict=True), start=1
                    )
                ],
                "warnings": list(self.warnings),
            }
        )


def pick(job: Job, watch: Watch) -> Picked:
    """Spots a video and holds the tracks of a library against it, as a run would.

    Args:
        job: What is wanted; its settings name the library.
        watch: Told of progress.

    Raises:
        ScorebedError: One of its kinds.
    """
    refuse_address(job.video, stage="probe")
    check_inputs(job.settings)
    source = identify(job.video)
    with Workspace(job.workspace, source) as work:
        picture = work.run(probe, source, gives=Picture, progress=watch("probe"))
        notes, order = prepare(job, work, source, picture, watch)
    prune_default(job.workspace)
    assert order.library is not None, "the settings name a library"
    return Picked(
        video=job.video,
        library=order.library.folder,
        notes=notes,
        found=candidates(order.library, order.notes, order.brief),
        warnings=order.library.warnings,
    )
