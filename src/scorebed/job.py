"""One video to score: what is checked before the work, and how its files get their names."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from scorebed.cutlists import check_list, list_file
from scorebed.delivery import check_output, publish_text, published_together, sidecar, told_of
from scorebed.exporters.drawing import check_plot
from scorebed.exporters.plot import write_plot
from scorebed.exporters.stems import check_stems, remove_stale, write_stems
from scorebed.journal import note
from scorebed.ledger import Ledger
from scorebed.media import identify, refuse_address
from scorebed.model import MuxPlan, Picture, Tell, no_words
from scorebed.providers.base import Service, find
from scorebed.settings import Settings
from scorebed.soundfont import open_font
from scorebed.stages.mux_codecs import BY_EXTENSION, check_codec
from scorebed.stages.notes_file import read_notes
from scorebed.stages.sketch import can_sketch
from scorebed.workspace import check_room

if TYPE_CHECKING:
    from scorebed.result import Result


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
    tell_price: Tell = no_words
    """Told, in a sentence, what is about to be bought and for how much, before it is."""


def check_provider(want: Settings, tell: Tell = no_words) -> None:
    """Refuses, before any work, what a service would refuse, and a ledger that cannot be used.

    Args:
        want: What is wanted.
        tell: Told, in a sentence, when the ledger's server is waited for.

    Raises:
        ScorebedError: An option or a text cannot be used.
        WorkspaceError: If the ledger is none, or its server does not answer.
    """
    provider = find(want.provider)
    if want.service is not None and isinstance(provider, Service):
        provider.check(want.brief, want.service)
        Ledger(want.purse.ledger, tell).require()


_USUAL_GROUPS = 7
"""Of instruments, in a take of ours."""
_SMALL_BYTES_PER_S = 350_000
"""What a second of small film took of a ride with an action camera."""


def check_job(job: Job) -> None:
    """Refuses inputs that cannot be opened and outputs that could not be written in the end.

    Raises:
        MediaError: If the video is an address, or a track, a transcript or a list of cuts that was
            given is missing or empty.
        SettingsError: If a name is taken, wrong, or the input, the notes are no notes file, or the
            container does not hold the audio codec that was asked for.
        WorkspaceError: If a folder may not be written to.
    """
    refuse_address(job.video, stage="probe")
    check_output(job.output, video=job.video, overwrite=job.overwrite)
    muxer = BY_EXTENSION.get(job.output.suffix.lower())
    if muxer is not None:
        check_codec(job.output, muxer, job.settings.audio.codec)
    check_inputs(job.settings)
    if job.stems is not None:
        check_stems(job.stems, overwrite=job.overwrite)
    if job.plot is not None:
        check_plot(job.plot, overwrite=job.overwrite)


def check_inputs(want: Settings) -> None:
    """Refuses inputs, beside the video, that cannot be used.

    Raises:
        MediaError: If a track, a transcript, a list of cuts or a SoundFont given is missing
            or empty, or the last is no SoundFont.
        SettingsError: If the notes that were given are no notes file.
    """
    for given in (want.music, want.transcript):
        if given is not None:
            identify(given)
    if want.soundfont is not None:
        open_font(want.soundfont)
    if want.cuts is not None:
        check_list(want.cuts)
        identify(list_file(want.cuts))
    if want.notes is not None:
        read_notes(want.notes, None)


def check_rooms(job: Job, picture: Picture, plan: MuxPlan) -> None:
    """Refuses to start where the disk has no room for the work or the result.

    Raises:
        WorkspaceError: If a folder may not be written to or is too full.
    """
    check_room(job.workspace, workspace_bytes(job, picture, plan))
    delivered_bytes = job.video.stat().st_size + picture.length_samples * plan.mixed_channels
    check_room(job.output.parent, delivered_bytes, stage="mux", option="-o (of folders: --out)")


def workspace_bytes(job: Job, picture: Picture, plan: MuxPlan) -> int:
    """Room that the stages take in the workspace, in bytes.

    The take, a decoded copy of a given track, and each mix with its sound before: float32. For a
    service that is shown the picture, the small film too from which its proxies are made; for stems
    of a take that is composed here, its groups of instruments.

    Args:
        job: Names the provider, and says whether stems are wanted.
        picture: What is scored.
        plan: How it is written.
    """
    want = job.settings
    sound = picture.length_samples * 4 * (2 + 2 + 2 * plan.mixed_channels)
    if job.stems is not None and can_sketch(want.provider):
        sound += picture.length_samples * 4 * 2 * _USUAL_GROUPS
    if not find(want.provider).limits(want.service).needs_proxies:
        return sound
    return sound + int(picture.duration_s * _SMALL_BYTES_PER_S)


def deliver(job: Job, result: Result, part: Path) -> Result:
    """Gives all files their final names, when all are written; the video comes last.

    Args:
        job: What was asked for.
        result: The finished score.
        part: The video under its temporary name.

    Returns:
        The result with the stems that were written.
    """
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
        with told_of(job.output), published_together() as give:
            for written, final in parts:
                give(written, final, overwrite=job.overwrite)
            if job.stems is not None and job.overwrite:
                remove_stale(job.stems, [final for _, final in parts])
            publish_text(result.to_json(), sidecar(job.output), give)
            give(part, job.output, overwrite=job.overwrite)
        for warning in result.warnings:
            note(logging.WARNING, warning)
        note(logging.INFO, f"written: {job.output}")
    finally:
        for written, _ in parts:
            written.unlink(missing_ok=True)
    return result
