"""The whole job, in order. Read this first."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from scorebed.cutlists import list_file
from scorebed.delivery import claim, told_of
from scorebed.errors import ProviderError
from scorebed.job import Job, check_job, check_provider, check_rooms, deliver
from scorebed.journal import about_its_job, note
from scorebed.ledger import now
from scorebed.library import index_folder
from scorebed.media import identify, require_unchanged
from scorebed.model import (
    Conformed,
    Ducked,
    Levelled,
    Library,
    LoudnessTarget,
    Mixed,
    MuxPlan,
    Notes,
    Order,
    Picture,
    Production,
    Programme,
    Progress,
    ReelSet,
    ScoredVideo,
    Sketch,
    SourceFile,
    Spotted,
    SpottingNotes,
    Stem,
    Take,
    Tell,
)
from scorebed.one_thread import one_blas_thread
from scorebed.providers.base import Service, find
from scorebed.remembered import edited_notes
from scorebed.result import Result
from scorebed.settings import LOSSLESS_HEADROOM_DB, LOSSY_HEADROOM_DB, Settings
from scorebed.stages.compose import announcement, compose, failed, known, require_key
from scorebed.stages.conform import conform
from scorebed.stages.duck import duck
from scorebed.stages.hear import hear
from scorebed.stages.level import level
from scorebed.stages.mix import mix
from scorebed.stages.mux import mux
from scorebed.stages.mux_plan import plan_mux
from scorebed.stages.mux_sounds import stems_for
from scorebed.stages.mux_trial import dry_mux, is_doubtful
from scorebed.stages.notes import obey
from scorebed.stages.probe import probe
from scorebed.stages.reel import reel
from scorebed.stages.sketch import can_sketch, sketch
from scorebed.stages.spare import spare
from scorebed.stages.spot import spot
from scorebed.stages.standing import to_pay
from scorebed.workspace import Workspace, disk, prune_default

STAGES = ("probe", "spot", "reel", "compose", "conform", "level", "duck", "mix", "mux")

Watch = Callable[[str], Progress]
"""Told the name of a stage as it begins; what it returns is told the share that is done."""


@about_its_job("score")
@one_blas_thread()
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
    check_provider(want, job.tell)
    source = identify(job.video)
    with (
        claim(
            job.output, video=job.video, overwrite=job.overwrite, tell=partial(_warn, job)
        ) as part,
        Workspace(job.workspace, source) as work,
    ):
        found = analyse(job, work, source, part, watch)
        picture, notes, plan = found.picture, found.notes, found.plan
        take, sketched = make_music(job, work, found.order, watch)
        fitted = work.run(
            conform,
            picture,
            notes,
            take.bare,
            want.conform,
            gives=Conformed,
            progress=watch("conform"),
        )
        target = _mix_target(want.target, lossy=plan.lead.kbps is not None)
        programmes: list[Programme] = []
        for production in found.productions[: len(plan.programmes)]:
            # The music is levelled once; each stream has its own speech, duck and mix.
            music = programmes[0].levelled if programmes else fitted.mx
            programmes.append(
                _programme(job, work, picture, notes, production, music, target, watch)
            )
        with work.timed("mux"), told_of(job.output):
            scored = mux(
                source,
                picture,
                stems_for(plan, found.productions, programmes, target.true_peak_dbtp),
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
            sketch=sketched,
            programmes=tuple(programmes),
            scored=scored,
            stages=tuple(work.runs),
        )
        result = deliver(job, result, part)
    prune_default(job.workspace)
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysed:
    """All that is known before there is music."""

    picture: Picture
    """What the film is."""
    plan: MuxPlan
    """How the result is written."""
    notes: SpottingNotes
    """Where the music goes."""
    order: Order
    """What is ordered."""
    productions: tuple[Production, ...]
    """The production audio of each stream that is scored."""


def analyse(
    job: Job, work: Workspace, source: SourceFile, part: Path, watch: Watch, *, buys: bool = True
) -> Analysed:
    """All that comes before the music: what can fail is asked first.

    Args:
        job: What is wanted.
        work: The workspace, open.
        source: The film.
        part: A name for a trial of the mux; nothing is left there.
        watch: Told of progress.
        buys: Whether the music is bought in this run, so that a key must be there.
    """
    want = job.settings
    picture = work.run(probe, source, gives=Picture, progress=watch("probe"))
    if buys and want.fallback is None:
        require_key(want.provider, want.service, want.purse, picture.packets_sha256)
    with disk("mux", work.folder):
        plan = plan_mux(
            source,
            picture,
            job.output,
            folder=work.folder,
            stereo_kbps=want.delivery.audio_bitrate_kbps,
            audio=want.audio,
        )
    check_rooms(job, picture, plan)
    doubtful = is_doubtful(picture, plan)
    if doubtful:
        _prove(work, source, picture, plan, part, watch)
    notes, order = prepare(job, work, source, picture, watch)
    if not doubtful and _costs(want, order):
        _prove(work, source, picture, plan, part, watch)
    productions = _hear(job, work, source, picture, notes, plan, watch)
    return Analysed(picture=picture, plan=plan, notes=notes, order=order, productions=productions)


def make_music(job: Job, work: Workspace, order: Order, watch: Watch) -> tuple[Take, Sketch | None]:
    """The take, composed or bought, and what stems need of it besides."""
    take = _compose(job, work, order, watch)
    return take, _sketch(job, work, take, order, watch)


def prepare(
    job: Job, work: Workspace, source: SourceFile, picture: Picture, watch: Watch
) -> tuple[SpottingNotes, Order]:
    """Where the music goes, and what is ordered: all that comes before money is spent."""
    want = job.settings
    # First: what cannot be found or heard shall not be told after the picture was looked through.
    tracks = known_tracks(want, job.tell, watch)
    edited = edited_notes(want, picture, job.tell)
    limits = find(want.provider).limits(want.service)
    small_px = limits.proxy_height_px if limits.needs_proxies else None
    found = spotted(want, edited, work, source, picture, watch, small_height_px=small_px)
    notes = found.notes.cued(want.music_s)
    # What is bought is for this picture, not for the first half of a recording that still runs.
    require_unchanged(source, stage="spot")
    # What the user wishes of a scene changes its music, not its picture.
    asked = (source, picture, notes.wordless, limits, found.small)
    reels = work.run(reel, *asked, gives=ReelSet, progress=watch("reel"))
    order = Order(
        notes=notes.scored,
        brief=want.brief,
        reels=reels,
        music=None if want.music is None else identify(want.music),
        picture_sha256=picture.packets_sha256,
        service=want.service,
        sound_sha256=picture.sound_sha256 if limits.sound else "",
        library=tracks,
        soundfont=None if want.service is not None else _soundfont(want),
    )
    return notes, order


def known_tracks(want: Settings, tell: Tell, watch: Watch) -> Library | None:
    """The user's own tracks, all of them heard; None where none is chosen from."""
    if want.library is None:
        return None
    return index_folder(want.library, progress=watch("library"), tell=tell).library


def spotted(
    want: Settings,
    edited: Notes | None,
    work: Workspace,
    source: SourceFile,
    picture: Picture,
    watch: Watch,
    *,
    small_height_px: int | None = None,
) -> Spotted:
    """What is found in the picture, and what the user has made of it."""
    asked = replace(
        want.spot,
        transcript=None if want.transcript is None else identify(want.transcript),
        cuts=None if want.cuts is None else identify(list_file(want.cuts)),
    )
    # What was spotted before stands, with or without the small film: proxies can do without it.
    beside = {"small_height_px": small_height_px}
    found = work.run(
        spot, source, picture, asked, gives=Spotted, progress=watch("spot"), beside=beside
    )
    if edited is not None:
        return replace(found, notes=obey(found.notes, edited, picture))
    if not want.spare:
        return found
    spared = (spare, source, picture, found.notes)
    notes = work.run(*spared, gives=SpottingNotes, progress=watch("spare"))
    return replace(found, notes=notes)


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

    _announce(job, order)
    try:
        return ask(want.provider, order)
    except ProviderError as error:
        if want.fallback is None:
            raise
        job.tell(f"{error.message}; {want.fallback} music takes over")
        why = error.message.removeprefix("compose: ")
        take = replace(ask(want.fallback, _at_home(want, order)), fallback_from=why)
        lost = failed(want.provider, order, want.purse, begun)
        if lost is None:
            return take
        return replace(take, spent=lost.spent, receipts=lost.receipts, uploads=lost.uploads)


def _sketch(job: Job, work: Workspace, take: Take, order: Order, watch: Watch) -> Sketch | None:
    """What stems need besides: the take's notes and its groups of instruments."""
    if job.stems is None or not can_sketch(take.provider):
        return None
    asked = (take.provider, _at_home(job.settings, order))
    return work.run(sketch, *asked, gives=Sketch, progress=watch("sketch"))


def _at_home(want: Settings, order: Order) -> Order:
    """The order as it is given to who composes here."""
    if order.service is None:
        return order
    return replace(order, service=None, soundfont=_soundfont(want))


def _soundfont(want: Settings) -> SourceFile | None:
    return None if want.soundfont is None else identify(want.soundfont)


def _warn(job: Job, words: str) -> None:
    note(logging.WARNING, words)
    job.tell(words)


def _announce(job: Job, order: Order) -> None:
    """Says what will be asked for; a price is said to whoever must hear it."""
    want = job.settings
    words = announcement(want.provider, order, want.purse, chosen=want.chosen)
    (job.tell_price if _costs(want, order) else job.tell)(words)


def _costs(want: Settings, order: Order) -> bool:
    """Whether something is left to pay."""
    service = find(want.provider)
    return isinstance(service, Service) and to_pay(service, order, want.purse).requests > 0


def _prove(
    work: Workspace,
    source: SourceFile,
    picture: Picture,
    plan: MuxPlan,
    part: Path,
    watch: Watch,
) -> None:
    """The whole mux with a test sound: what it refuses shall not come after the music."""
    work.run(
        dry_mux,
        source,
        picture,
        plan,
        gives=ScoredVideo,
        progress=watch("dry mux"),
        beside={"part": part},
    )


def _hear(
    job: Job,
    work: Workspace,
    source: SourceFile,
    picture: Picture,
    notes: SpottingNotes,
    plan: MuxPlan,
    watch: Watch,
) -> tuple[Production, ...]:
    """The production audio of each stream that is scored; of the default one it is known."""
    known = Production(index=picture.production_index, dx=picture.production, speech=notes.speech)
    told = job.settings.transcript is not None
    found = []
    for index in plan.decoded:
        if index == known.index:
            found.append(known)
            continue
        heard = work.run(
            hear,
            source,
            picture,
            index,
            job.settings.spot.listen and not told,
            gives=Production,
            progress=watch(f"hear {index}"),
            stream=index,
        )
        # A transcript decides for all of them.
        found.append(replace(heard, speech=notes.speech) if told else heard)
    return tuple(found)


def _programme(
    job: Job,
    work: Workspace,
    picture: Picture,
    notes: SpottingNotes,
    production: Production,
    music: Stem | Levelled,
    target: LoudnessTarget,
    watch: Watch,
) -> Programme:
    """A stream with the music under it."""
    want = job.settings
    stream = production.index if isinstance(music, Levelled) else None
    of = "" if stream is None else f" {stream}"
    notes = replace(notes, speech=production.speech)
    levelled = work.run(
        level,
        music,
        production.dx if want.audio.keep_production else None,
        notes,
        want.level,
        gives=Levelled,
        progress=watch(f"level{of}"),
        stream=stream,
    )
    ducked = work.run(
        duck,
        levelled,
        notes,
        want.duck,
        gives=Ducked,
        progress=watch(f"duck{of}"),
        stream=stream,
    )
    mixed = work.run(
        mix,
        levelled,
        ducked,
        target,
        picture.length_samples,
        gives=Mixed,
        progress=watch(f"mix{of}"),
        stream=stream,
    )
    return Programme(production=production, levelled=levelled, ducked=ducked, mixed=mixed)


def _mix_target(target: LoudnessTarget, *, lossy: bool) -> LoudnessTarget:
    """A little under the ceiling, which the encoder may overshoot."""
    headroom_db = LOSSY_HEADROOM_DB if lossy else LOSSLESS_HEADROOM_DB
    return replace(target, true_peak_dbtp=target.true_peak_dbtp - headroom_db)
