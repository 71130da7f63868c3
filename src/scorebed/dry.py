"""``scorebed score --dry-mux``: the whole mux, verified, with nothing left and nothing spent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scorebed.delivery import claim
from scorebed.job import Job, check_job, check_rooms
from scorebed.journal import about_its_job
from scorebed.media import identify
from scorebed.model import Picture, ScoredVideo, SoundKind
from scorebed.result_streams import picture_figures, streams_figures
from scorebed.result_warnings import change_warnings
from scorebed.stages.mux_plan import plan_mux
from scorebed.stages.mux_trial import dry_mux
from scorebed.stages.probe import look
from scorebed.workspace import Workspace, disk

if TYPE_CHECKING:
    from scorebed.pipeline import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class DryMux:
    """What a mux would keep, drop and change: it was done, verified and taken away again."""

    job: Job
    picture: Picture
    scored: ScoredVideo

    def lines(self) -> list[str]:
        """For a person."""
        kept = ", ".join(f"{fate.index} {fate.kind} {fate.codec}" for fate in self.scored.kept)
        lines = [
            f"input      {self.job.video}",
            (
                f"container  {self.scored.container}, {self.scored.audio_codec}, "
                f"{self.scored.audio_channels} channels"
            ),
            f"streams    kept: {kept}",
        ]
        lines += [
            f"           dropped: {fate.index} {fate.kind} {fate.codec}: {fate.why}"
            for fate in self.scored.dropped
        ]
        lines += [f"           {warning}" for warning in change_warnings(self.scored)]
        return [*lines, f"verified   {self.job.output} can be written; nothing was"]

    def to_json(self) -> str:
        """One line of JSON (ASCII): ``picture`` and ``streams`` are as in a result."""
        return json.dumps(
            {
                "schema": 1,
                "dry_mux": True,
                "input": str(self.job.video),
                "output": str(self.job.output),
                "container": self.scored.container,
                "picture": picture_figures(self.picture, self.scored.picture_sha256),
                "audio": [
                    {
                        "index": sound.index,
                        "source": sound.source,
                        "kind": sound.kind.value,
                        "codec": sound.codec,
                        "channels": sound.channels,
                        "copied": sound.kind is SoundKind.UNTOUCHED or sound.loudness is None,
                    }
                    for sound in self.scored.sounds
                ],
                "streams": streams_figures(self.picture, self.scored),
            }
        )


@about_its_job("dry mux")
def try_mux(job: Job, watch: Watch) -> DryMux:
    """Does the mux with a test sound in place of the programmes, verifies it and removes it.

    Args:
        job: What is wanted.
        watch: Told of progress.

    Raises:
        MediaError: What the run itself would raise of the input or the container.
        SettingsError: If the output's name is taken, or an option does not fit it.
        WorkspaceError: If there is no room.
    """
    check_job(job)
    source = identify(job.video)
    with (
        claim(job.output, video=job.video, overwrite=job.overwrite) as part,
        Workspace(job.workspace, source) as work,
    ):
        picture = look(source, progress=watch("probe"))
        with disk("mux", work.folder):
            plan = plan_mux(
                source,
                picture,
                job.output,
                folder=work.folder,
                stereo_kbps=job.settings.delivery.audio_bitrate_kbps,
                audio=job.settings.audio,
            )
            check_rooms(job, picture, plan)
            scored = dry_mux(
                source, picture, plan, part=part, folder=work.folder, progress=watch("mux")
            )
    return DryMux(job=job, picture=picture, scored=scored)
