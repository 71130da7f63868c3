"""Spot a video and hand over what was found: as notes to edit, as a sheet, as JSON."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from scorebed.cutlists import list_file
from scorebed.delivery import (
    published_together,
    refuse_existing,
    require_folder,
    temporary_name,
    told_of,
)
from scorebed.errors import SettingsError
from scorebed.exporters.drawing import check_plot
from scorebed.exporters.notes import Origin, has_music, notes_text
from scorebed.exporters.sheet import plan_sheet, write_sheet
from scorebed.exporters.words import counted
from scorebed.job import check_inputs
from scorebed.journal import about_its_job
from scorebed.media import identify, refuse_address
from scorebed.model import Listed, LookNote, Picture, SpottingNotes, StageRun, Tell, no_words
from scorebed.one_thread import one_blas_thread
from scorebed.options import CHAPTERS
from scorebed.pipeline import Watch, spotted
from scorebed.remembered import edited_notes
from scorebed.settings import Settings
from scorebed.spotting_json import as_object
from scorebed.stages.probe import probe
from scorebed.stages.thumbnails import thumbnails
from scorebed.timecode import to_clock, to_stamp
from scorebed.wav import sha256_of
from scorebed.workspace import Workspace, prune_default

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorebed.exporters.sheet import Sheet
    from scorebed.model import Scene, SourceFile, TimeRange

STAGE = "spot"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotJob:
    """One video to spot."""

    video: Path
    """The finished cut."""
    settings: Settings
    """What is wanted; only what bears on spotting counts."""
    workspace: Path
    """Root of the workspaces."""
    output: Path | None = None
    """The notes file to write, if one is wanted."""
    sheet: Path | None = None
    """The PNG to draw, if one is wanted."""
    overwrite: bool = False
    """Whether files of those names may be replaced."""
    tell: Tell = no_words
    """Told, in a sentence, what a person should know at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spotting:
    """What was found in a video, and what the user has made of it."""

    video: Path
    """The input."""
    picture: Picture
    """What it is."""
    notes: SpottingNotes
    """Shots, scenes, hit points, speech, cues."""
    stages: tuple[StageRun, ...]
    """What was done for it."""
    output: Path | None
    """The notes file that was written."""
    sheet: Path | None
    """The sheet that was drawn."""

    def to_json(self) -> str:
        """One line of JSON (ASCII): the schema is ``scorebed/schema/spotting-1.json``."""
        return json.dumps(as_object(self))

    def lines(self) -> Iterator[str]:
        """A summary for a person."""
        notes = self.notes
        kinds = [shot.opened_by for shot in notes.shots if shot.transition or shot.range.start_s]
        yield (
            f"picture    {to_clock(notes.duration_s)}, "
            f"{counted(self.picture.frame_count, 'frame')} "
            f"at {float(notes.frame_rate):.6g} per second"
        )
        kinds += [] if notes.ending is None else [notes.ending.kind]
        told = ", ".join(counted(kinds.count(kind), kind) for kind in ("cut", "dissolve", "fade"))
        yield f"shots      {len(notes.shots)}: {told}"
        yield f"hit points {len(notes.hit_points)}"
        spoken_s = float(sum(_lengths(notes, notes.whole), Fraction(0)))
        yield (
            f"speech     {counted(len(notes.speech), 'phrase')}, {spoken_s:.1f} s "
            f"({spoken_s / float(notes.duration_s):.0%})"
        )
        for region in notes.existing_music:
            span = region.range
            yield f"music      there already: {to_clock(span.start_s)} to {to_clock(span.end_s)}"
        yield ""
        yield f"{'scene':>5}  {'start':<12}  {'end':<12}  {'length':>8}  shots  speech  motion  cue"
        for number, scene in enumerate(notes.scenes, start=1):
            yield self._row(number, scene)

    def _row(self, number: int, scene: Scene) -> str:
        span = scene.range
        cues = [cue.number for cue in self.notes.cues if has_music(scene, [cue])]
        spoken_s = float(sum(_lengths(self.notes, span), Fraction(0)))
        return (
            f"{number:>5}  {to_stamp(span.start_s)}  {to_stamp(span.end_s)}  "
            f"{float(span.duration_s):>6.1f} s  {scene.shots:>5}  "
            f"{spoken_s / float(span.duration_s):>6.0%}  {scene.motion:>6.2f}  "
            f"{', '.join(cues) or 'no music'}  {scene.name}"
        ).rstrip()


@about_its_job("spot")
@one_blas_thread()
def spot_video(job: SpotJob, watch: Watch) -> Spotting:
    """Probes and spots a video, in the workspace that ``score`` uses too.

    Args:
        job: What is wanted.
        watch: Told of progress.

    Raises:
        ScorebedError: One of its kinds; nothing is then left under a final name.
    """
    _check(job)
    source = identify(job.video)
    # What lists hold is noted as they are read, not as they are when the work is done.
    origin = None if job.output is None else _origin(job, job.output)
    with Workspace(job.workspace, source) as work:
        picture = work.run(probe, source, gives=Picture, progress=watch("probe"))
        edited = edited_notes(job.settings, picture, job.tell)
        notes = spotted(job.settings, edited, work, source, picture, watch).notes
        stages = tuple(work.runs)
    hits = () if edited is None else edited.hits
    text = "" if origin is None else notes_text(notes, picture, origin, hits)
    _deliver(job, source, picture, notes, text, watch)
    prune_default(job.workspace)
    return Spotting(
        video=job.video,
        picture=picture,
        notes=notes,
        stages=stages,
        output=job.output,
        sheet=job.sheet,
    )


# --- files -------------------------------------------------------------------------------------


def _check(job: SpotJob) -> None:
    refuse_address(job.video, stage="probe")
    check_inputs(job.settings)
    for path, flag in ((job.output, "-o"), (job.sheet, "--sheet")):
        if path is None:
            continue
        # Notes may be written over themselves; what else is read may not.
        read = (job.video, job.settings.cuts, job.settings.transcript)
        if any(_same(path, one) for one in read):
            raise SettingsError(
                f"{STAGE}: the output {path} is the input",
                remedy=f"Give another name with {flag}.",
            )
        if path.is_dir():
            raise SettingsError(
                f"{STAGE}: the output {path} is a folder",
                remedy=f"Give the name of a file with {flag}.",
            )
    if job.output is not None:
        require_folder(job.output.parent, stage=STAGE)
        refuse_existing(job.output, overwrite=job.overwrite)
    if job.sheet is not None:
        check_plot(job.sheet, overwrite=job.overwrite, stage=STAGE, what="sheet")
    if job.output is not None and job.output == job.sheet:
        raise SettingsError(
            f"{STAGE}: -o and --sheet both name {job.output}", remedy="Give them two names."
        )


def _same(path: Path, other: Path | None) -> bool:
    return other is not None and path.exists() and other.exists() and path.samefile(other)


def _deliver(
    job: SpotJob,
    source: SourceFile,
    picture: Picture,
    notes: SpottingNotes,
    text: str,
    watch: Watch,
) -> None:
    """Writes all files under temporary names, then gives them their own."""
    parts: list[tuple[Path, Path]] = []
    try:
        if job.sheet is not None:
            sheet = plan_sheet(job.video.name, notes)
            with told_of(job.sheet, stage=STAGE):
                parts.append(_drawn(job.sheet, sheet, source, picture, watch))
        if job.output is not None:
            with told_of(job.output, stage=STAGE):
                part = temporary_name(job.output)
                parts.append((part, job.output))
                part.write_text(text, encoding="utf-8", newline="\n")
        with published_together() as give:
            for part, final in parts:
                with told_of(final, stage=STAGE):
                    give(part, final, overwrite=job.overwrite)
    finally:
        for part, _ in parts:
            part.unlink(missing_ok=True)


def _drawn(
    path: Path, sheet: Sheet, source: SourceFile, picture: Picture, watch: Watch
) -> tuple[Path, Path]:
    width_px, height_px = sheet.box_px
    seen = thumbnails(
        source,
        picture,
        sheet.wanted,
        width_px=width_px,
        height_px=height_px,
        progress=watch("sheet"),
    )
    return write_sheet(path, sheet, seen)


def _origin(job: SpotJob, output: Path) -> Origin:
    want = job.settings
    cuts = CHAPTERS if want.spot.chapters else want.cuts
    return Origin(
        video=_text_of(job.video.name),
        shown_video=_typed(job.video.name),
        notes=_typed(output.name),
        look=LookNote(
            max_scenes=want.spot.max_scenes,
            accuracy=want.spot.accuracy,
            production_audio="keep" if want.audio.keep_production else "drop",
            cuts=None if cuts is None else _listed(cuts, output.parent),
            speech=None if want.transcript is None else _listed(want.transcript, output.parent),
        ),
    )


def _listed(path: Path, folder: Path) -> Listed:
    """A list as notes name it: from their folder on where it lies in there: both can move."""
    if path == CHAPTERS:
        return Listed(path=path, sha256="", where="")
    full, home = path.resolve(), folder.resolve()
    named = full.relative_to(home) if full.is_relative_to(home) else full
    return Listed(
        path=Path(_text_of(str(named))), sha256=sha256_of(list_file(path)), where=str(folder)
    )


def _typed(name: str) -> str:
    """A file's name as one types it in a shell; one that begins with a dash is no option."""
    return _text_of(shlex.quote(f"./{name}" if name.startswith("-") else name))


def _text_of(name: str) -> str:
    """A name that may hold bytes which are no text."""
    return name.encode(errors="replace").decode()


def _lengths(notes: SpottingNotes, span: TimeRange) -> Iterator[Fraction]:
    """How long each phrase is within a range."""
    for region in notes.speech:
        inside = region.range.common(span)
        if inside is not None:
            yield inside.duration_s
