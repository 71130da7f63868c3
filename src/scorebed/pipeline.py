"""The whole job, in order. Read this first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from scorebed.delivery import check_output, claim, publish, publish_text, sidecar, told_of
from scorebed.errors import ProviderError
from scorebed.exporters.drawing import check_plot
from scorebed.exporters.plot import write_plot
from scorebed.exporters.stems import check_stems, write_stems
from scorebed.ledger import now
from scorebed.media import identify
from scorebed.model import (
    Conformed,
    Ducked,
    Levelled,
    LoudnessTarget,
    Mixed,
    Order,
    Picture,
    Progress,
    ReelSet,
    SourceFile,
    SpottingNotes,
    Take,
    Tell,
    no_words,
)
from scorebed.providers.base import Service, find
from scorebed.result import Result
from scorebed.settings import LOSSLESS_HEADROOM_DB, LOSSY_HEADROOM_DB, Settings
from scorebed.stages.compose import announcement, compose, failed, known, require_key
from scorebed.stages.conform import conform
from scorebed.stages.duck import duck
from scorebed.stages.level import level
from scorebed.stages.mix import mix
from scorebed.stages.mux import mux
from scorebed.stages.mux_plan import plan_mux
from scorebed.stages.probe import probe
from scorebed.stages.reel import reel
from scorebed.stages.spot import spot
from scorebed.workspace import Workspace, check_room, default_root, prune

STAGES = ("probe", "spot", "reel", "compose", "conform", "level", "duck", "mix", "mux")

Watch = Callable[[str], Progress]
"""Told the name of a stage as it begins; what it returns is told the share that is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One video to score."""

    video: Path
    """The finished cut."""
    output: Path
    """Where the scored video goes."""
    settings: Settings
    """What is wanted."""
    workspace: Path
    """Root of the workspaces."""
    stems: Path | None = None
    """Folder for the stems, if they are wanted."""
    plot: Path | None = None
    """A PNG of the result, if it is wanted."""
    overwrite: bool = False
    """Whether files of those names may be replaced."""
    tell: Tell = no_words
    """Told, in a sentence, what a person should know at once."""


def score(job: Job, watch: Watch) -> Result:
    """Gives the picture back with music.

    Args:
        job: What is wanted.
        watch: Told of progress.

    Raises:
        ScorebedError: One of its kinds; nothing is then left under a final name.
    """
    want = job.settings
    check_job(job)
    check_provider(want)
    source = identify(job.video)
    with (
        claim(job.output, video=job.video, overwrite=job.overwrite) as part,
        Workspace(job.workspace, source) as work,
    ):
        picture = work.run(probe, source, gives=Picture, progress=watch("probe"))
        # All that can fail is asked before any music is made.
        if want.fallback is None:
            require_key(want.provider, want.service, want.purse, picture.packets_sha256)
        plan = plan_mux(
            source,
            picture,
            job.output,
            folder=work.folder,
            stereo_kbps=want.delivery.audio_bitrate_kbps,
            keep_production=want.keep_production,
        )
        _check_rooms(job, picture)
        notes, order = prepare(job, work, source, picture, watch)
        take = _compose(job, work, order, watch)
        fitted = work.run(
            conform, picture, notes, take.bare, gives=Conformed, progress=watch("conform")
        )
        dx = picture.production if want.keep_production else None
        levelled = work.run(
            level, fitted.mx, dx, notes, want.level, gives=Levelled, progress=watch("level")
        )
        ducked = work.run(duck, levelled, notes, want.duck, gives=Ducked, progress=watch("duck"))
        target = _mix_target(want.target, lossy=plan.audio_kbps is not None)
        mixed = work.run(
            mix,
            levelled,
            ducked,
            target,
            picture.length_samples,
            gives=Mixed,
            progress=watch("mix"),
        )
        with work.timed("mux"):
            scored = mux(
                source,
                picture,
                mixed,
                plan,
                want.target.true_peak_dbtp,
                part,
                progress=watch("mux"),
            )
        result = Result(
            video=job.video,
            output=job.output,
            settings=want,
            picture=picture,
            notes=notes,
            take=take,
            conformed=fitted,
            levelled=levelled,
            ducked=ducked,
            mixed=mixed,
            scored=scored,
            stages=tuple(work.runs),
        )
        result = _deliver(job, result, part)
    if job.workspace == default_root():
        prune(job.workspace)
    return result


def prepare(
    job: Job, work: Workspace, source: SourceFile, picture: Picture, watch: Watch
) -> tuple[SpottingNotes, Order]:
    """Where the music goes, and what is ordered: all that comes before money is spent."""
    want = job.settings
    transcript = None if want.transcript is None else identify(want.transcript)
    spotted = work.run(
        spot,
        source,
        picture,
        replace(want.spot, transcript=transcript),
        gives=SpottingNotes,
        progress=watch("spot"),
    )
    notes = spotted.cued(want.music_s)
    limits = find(want.provider).limits(want.service)
    reels = work.run(reel, source, picture, notes, limits, gives=ReelSet, progress=watch("reel"))
    order = Order(
        notes=notes.within(notes.cues[0].range),
        brief=want.brief,
        reels=reels,
        music=None if want.music is None else identify(want.music),
        picture_sha256=picture.packets_sha256,
        service=want.service,
        sound_sha256=picture.production.audio.sha256
        if limits.sound and picture.production is not None
        else "",
    )
    return notes, order


def _compose(job: Job, work: Workspace, order: Order, watch: Watch) -> Take:
    """The take, by the provider that was asked for, or by its fallback if it fails."""
    want = job.settings
    beside = {"purse": replace(want.purse, title=job.video.name), "tell": job.tell}
    begun = now()

    def ask(provider: str, order: Order) -> Take:
        kept = known(provider, order, want.purse)
        take = work.run(
            compose,
            provider,
            order,
            kept,
            gives=Take,
            progress=watch("compose"),
            beside=beside,
        )
        return replace(take, spent=take.bare.spent) if work.runs[-1].cached else take

    job.tell(announcement(want.provider, order, want.purse, chosen=want.chosen))
    try:
        return ask(want.provider, order)
    except ProviderError as error:
        if want.fallback is None:
            raise
        job.tell(f"{error.message}; {want.fallback} music takes over")
        why = error.message.removeprefix("compose: ")
        take = replace(ask(want.fallback, replace(order, service=None)), fallback_from=why)
        lost = failed(want.provider, order, want.purse, begun)
        if lost is None:
            return take
        return replace(take, spent=lost.spent, receipts=lost.receipts, uploads=lost.uploads)


def _mix_target(target: LoudnessTarget, *, lossy: bool) -> LoudnessTarget:
    """A little under the ceiling, which the encoder may overshoot."""
    headroom_db = LOSSY_HEADROOM_DB if lossy else LOSSLESS_HEADROOM_DB
    return LoudnessTarget(
        integrated_lufs=target.integrated_lufs,
        true_peak_dbtp=target.true_peak_dbtp - headroom_db,
    )


def check_provider(want: Settings) -> None:
    """Refuses, before any work, what a service would refuse.

    Raises:
        ScorebedError: An option or a text cannot be used.
    """
    provider = find(want.provider)
    if want.service is not None and isinstance(provider, Service):
        provider.check(want.brief, want.service)


def check_job(job: Job) -> None:
    """Refuses outputs that could not be written in the end.

    Raises:
        SettingsError: If a name is taken, wrong, or the input.
        WorkspaceError: If a folder may not be written to.
    """
    check_output(job.output, video=job.video, overwrite=job.overwrite)
    if job.stems is not None:
        check_stems(job.stems, overwrite=job.overwrite)
    if job.plot is not None:
        check_plot(job.plot, overwrite=job.overwrite)


def _check_rooms(job: Job, picture: Picture) -> None:
    channels = max(2, picture.production.channels if picture.production else 2)
    # The take, a decoded copy of a given track, and the mix with its first pass: float32.
    check_room(job.workspace, picture.length_samples * 4 * (2 + 2 + 2 * channels))
    check_room(job.output.parent, job.video.stat().st_size + picture.length_samples * channels)


def _deliver(job: Job, result: Result, part: Path) -> Result:
    """Gives all files their final names, when all are written; the video comes last."""
    parts: list[tuple[Path, Path]] = []
    try:
        if job.stems is not None:
            with told_of(job.stems):
                written_stems, stems = write_stems(job.stems, result)
            parts += written_stems
            result = replace(result, stems=stems)
        if job.plot is not None:
            with told_of(job.plot):
                parts.append(write_plot(job.plot, result))
        with told_of(job.output):
            for written, final in parts:
                publish(written, final, overwrite=job.overwrite)
            publish_text(result.to_json(), sidecar(job.output))
            publish(part, job.output, overwrite=job.overwrite)
    finally:
        for written, _ in parts:
            written.unlink(missing_ok=True)
    return result
