"""Measure a finished video: do its cuts fall on the beats of its music?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scorebed.delivery import publish, told_of
from scorebed.dsp.beats import track_beats
from scorebed.dsp.outline import Outline
from scorebed.errors import MediaError, SettingsError
from scorebed.exporters.drawing import check_plot
from scorebed.exporters.plot_sync import Drawn, write_sync_plot
from scorebed.ffmpeg import decode_stereo
from scorebed.job import check_inputs
from scorebed.journal import about_its_job
from scorebed.media import identify, refuse_address
from scorebed.model import Accuracy, Picture, Production
from scorebed.one_thread import one_blas_thread
from scorebed.options import Options
from scorebed.packets import read_contents
from scorebed.pipeline import Watch, spotted
from scorebed.settings import Settings, resolve
from scorebed.stages.hear import hear
from scorebed.stages.probe import probe
from scorebed.stages.streams import one_stream
from scorebed.synchrony import Sync, synchrony
from scorebed.timecode import SAMPLE_RATE_HZ
from scorebed.wav import read_stem
from scorebed.workspace import Workspace, prune_default

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scorebed.model import Audio, Progress, SourceFile, SpottingNotes

STAGE = "sync"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncJob:
    """One video to measure."""

    video: Path
    """The finished video."""
    workspace: Path
    """Root of the workspaces."""
    max_scenes: int
    """Most scenes that the picture is split into."""
    accuracy: Accuracy
    """How closely the picture is looked at."""
    cuts: Path | None = None
    """A list of cuts that decides in place of the detector."""
    music: Path | None = None
    """Another sound than the video's, whose first sample belongs to the first shown frame."""
    audio_stream: str | None = None
    """The audio stream to listen to: its number among them, from 0, or a language."""
    plot: Path | None = None
    """The PNG to draw, if one is wanted."""
    overwrite: bool = False
    """Whether a file of that name may be replaced."""


@about_its_job("sync")
@one_blas_thread()
def sync_video(job: SyncJob, watch: Watch) -> Sync:
    """Spots a video, tracks the beats of its sound, and holds the ones against the others.

    Args:
        job: What is wanted.
        watch: Told of progress.

    Raises:
        ScorebedError: One of its kinds; nothing is then left under a final name.
    """
    want = _settings(job)
    _check(job, want)
    source = identify(job.video)
    with Workspace(job.workspace, source) as work:
        picture = work.run(probe, source, gives=Picture, progress=watch("probe"))
        stream = None if job.music is not None else _stream(job, picture)
        notes = spotted(want, None, work, source, picture, watch).notes
        heard = Outline()
        blocks, channels = _sound(job, work, source, picture, stream, watch)
        with work.timed("beats"):
            beats = track_beats(_drawn(blocks, heard), channels)
    found = synchrony(
        picture,
        notes,
        beats,
        video=job.video,
        music=job.music,
        stream_index=stream,
        plot=job.plot,
        stages=tuple(work.runs),
    )
    if job.plot is not None:
        _draw(job, job.plot, found, notes, heard)
    prune_default(job.workspace)
    return found


def _settings(job: SyncJob) -> Settings:
    """Nobody listens for speech: it has no bearing on where shots and scenes begin."""
    return resolve(
        Options(
            provider="embedded",
            max_scenes=job.max_scenes,
            accuracy=job.accuracy,
            cuts=job.cuts,
            production_audio="drop",
        )
    )


def _check(job: SyncJob, want: Settings) -> None:
    refuse_address(job.video, stage="probe")
    check_inputs(want)
    if job.music is not None:
        refuse_address(job.music, stage=STAGE)
        identify(job.music)
        if job.audio_stream is not None:
            raise SettingsError(
                f"{STAGE}: --music and --audio-stream cannot go together: "
                "one names another sound, the other one of the video's",
                remedy="Leave one of them out.",
            )
    if job.plot is not None:
        check_plot(job.plot, overwrite=job.overwrite, stage=STAGE)
        for read in (job.video, job.music, job.cuts):
            if read is not None and read.exists() and job.plot.exists() and job.plot.samefile(read):
                raise SettingsError(
                    f"{STAGE}: the plot {job.plot} is the input",
                    remedy="Give another name with --plot.",
                )


# --- sound -------------------------------------------------------------------------------------


def _stream(job: SyncJob, picture: Picture) -> int:
    """The audio stream to listen to."""
    if picture.production_index is None:
        raise MediaError(
            f"{STAGE}: {job.video} has no sound that could be decoded",
            remedy="Give a video with sound, or the sound that belongs to it with --music FILE.",
        )
    if job.audio_stream is None:
        return picture.production_index
    return one_stream(picture, job.audio_stream)


def _sound(
    job: SyncJob,
    work: Workspace,
    source: SourceFile,
    picture: Picture,
    stream: int | None,
    watch: Watch,
) -> tuple[Iterable[Audio], int]:
    """Blocks of the sound from the first shown frame on, and their channels."""
    if job.music is not None:
        sound = read_contents(job.music, stage=STAGE).sound
        if sound is None:
            raise MediaError(
                f"{STAGE}: {job.music} has no sound that could be decoded",
                remedy="Give a sound file, or a video with sound, with --music.",
            )
        blocks: Iterable[Audio] = decode_stereo(job.music, sound.index, stage=STAGE)
        return _told(blocks, picture.length_samples, watch("beats")), 2
    assert stream is not None
    dx = picture.production
    if stream != picture.production_index:
        dx = work.run(
            hear,
            source,
            picture,
            stream,
            False,  # noqa: FBT003 - a stage's inputs have no names
            gives=Production,
            progress=watch(f"hear {stream}"),
            stream=stream,
        ).dx
    assert dx is not None
    whole = read_stem(dx, start_samples=0, length_samples=picture.length_samples)
    return _told(whole, picture.length_samples, watch("beats")), dx.channels


def _told(blocks: Iterable[Audio], expected: int, progress: Progress) -> Iterator[Audio]:
    """Blocks of numbers that are finite, and how much of them has passed."""
    done = 0
    for block in blocks:
        done += len(block)
        progress(min(done / max(expected, 1), 1.0))
        yield np.nan_to_num(block, posinf=0, neginf=0)


def _drawn(blocks: Iterable[Audio], heard: Outline) -> Iterator[Audio]:
    for block in blocks:
        heard.add(block)
        yield block


# --- picture -----------------------------------------------------------------------------------


def _draw(job: SyncJob, plot: Path, found: Sync, notes: SpottingNotes, heard: Outline) -> None:
    drawn = Drawn(
        title=job.video.name if job.music is None else f"{job.video.name} with {job.music.name}",
        duration_s=float(notes.duration_s),
        outline=heard,
        beats=found.beats if found.pulse else None,
        changes=tuple(
            (float(change.at_s), change.offset_samples, change.opens_scene)
            for change in found.changes
        ),
        frame_s=found.frame_samples / SAMPLE_RATE_HZ,
    )
    with told_of(plot, stage=STAGE):
        part, final = write_sync_plot(plot, drawn)
        try:
            publish(part, final, overwrite=job.overwrite)
        finally:
            part.unlink(missing_ok=True)
