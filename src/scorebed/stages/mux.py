"""Mux: picture packets copied, one audio encode, the result read back before it counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from scorebed.errors import MediaError
from scorebed.ffmpeg import STALL_S, FfmpegError, run
from scorebed.media import require_unchanged
from scorebed.model import (
    Loudness,
    MuxPlan,
    Picture,
    PlannedSound,
    Progress,
    ScoredVideo,
    SoundKind,
    SourceFile,
    Stem,
    no_progress,
)
from scorebed.packets import Contents, first_packet, read_contents
from scorebed.stages.mux_changes import changes_of
from scorebed.stages.mux_check import (
    check_picture,
    check_sounds,
    check_times,
    delivered,
    listen_all,
    read_back,
)
from scorebed.stages.mux_codecs import elsewhere
from scorebed.stages.mux_command import command, cover_file
from scorebed.stages.mux_edits import end_picture
from scorebed.stages.mux_streams import QUICKTIME, is_attached, settle, why_refused
from scorebed.stages.mux_times import Placed, copied_pairs, moved_packets
from scorebed.timecode import to_seconds

VERSION = 1
STAGE = "mux"
_MAX_ENCODES = 4
_UNDER_CEILING_DB = 0.05
_SLOW_DISK_BYTES_PER_S = 5e6


def mux(
    source_file: SourceFile,
    picture: Picture,
    stems: Sequence[Stem],
    plan: MuxPlan,
    ceiling_dbtp: float,
    part: Path,
    *,
    progress: Progress = no_progress,
) -> ScoredVideo:
    """Writes the scored video and reads it back.

    A lossy encode may overshoot: while a decoded stream is over the ceiling it is encoded again
    with a little less gain.

    Args:
        source_file: The user's file.
        picture: What it is.
        stems: The sound of each stream that is encoded, as in ``plan.encoded``.
        plan: What ``plan_mux`` decided.
        ceiling_dbtp: True-peak ceiling of the delivered programme, in dBTP.
        part: Where the file is written: a temporary name, beside the final one.
        progress: Called with the share that is done.

    Raises:
        MediaError: If what was written is not what was asked for.
    """
    trims_db = [0.0] * len(stems)
    for attempt in range(_MAX_ENCODES):
        gained = [
            replace(stem, gain_db=stem.gain_db + trim_db)
            for stem, trim_db in zip(stems, trims_db, strict=True)
        ]
        _write(source_file, picture, gained, plan, part, progress)
        require_unchanged(source_file, stage=STAGE)
        contents = read_back(
            part, source_file.path, plan.muxer, lambda share: progress(0.7 + 0.1 * share)
        )
        if _shows_too_much(picture, plan, contents):
            assert contents.video_index is not None
            end_picture(part, contents.video_index, picture.duration_s)
            contents = read_contents(part, stage=STAGE)
        check_picture(source_file.path, picture, plan.muxer, part, contents)
        check_sounds(source_file.path, picture, plan, contents)
        heard = listen_all(source_file.path, part, picture, gained, plan, contents, progress)
        over_db = [_over_db(sound, loudness, ceiling_dbtp) for sound, loudness in heard]
        if not any(over_db) or attempt == _MAX_ENCODES - 1:
            break
        trims_db = [trim_db - over for trim_db, over in zip(trims_db, over_db, strict=True)]
    assert contents.clock is not None
    moved = moved_packets(
        Placed(path=source_file.path, start_s=picture.start_s),
        Placed(path=part, start_s=contents.clock.start_s),
        copied_pairs(picture, plan, contents),
    )
    check_times(source_file.path, picture, plan.muxer, moved.get(picture.video_index))
    kept, dropped = settle(plan, picture, contents)
    sounds = delivered(picture, plan, contents, [loudness for _, loudness in heard], trims_db)
    lead = next(
        sound
        for sound in sounds
        if sound.kind is SoundKind.PROGRAMME and sound.source == plan.lead.index
    )
    return ScoredVideo(
        container=plan.muxer,
        picture_sha256=contents.picture_sha256,
        lead=lead,
        sounds=sounds,
        kept=kept,
        dropped=dropped,
        changed=changes_of(source_file.path, picture, plan, part, contents, moved),
    )


def _shows_too_much(picture: Picture, plan: MuxPlan, contents: Contents) -> bool:
    """Whether frames are shown that an edit list of the input hides behind the end."""
    clock = contents.clock
    return plan.muxer in QUICKTIME and clock is not None and clock.frame_count > picture.frame_count


def _over_db(sound: PlannedSound, loudness: Loudness, ceiling_dbtp: float) -> float:
    """How much lower a stream has to be encoded; an original is what it is."""
    peak = loudness.true_peak_dbtp
    if peak is None or peak <= ceiling_dbtp or sound.kind is SoundKind.ORIGINAL:
        return 0.0
    return peak - ceiling_dbtp + _UNDER_CEILING_DB


def _write(
    source_file: SourceFile,
    picture: Picture,
    stems: Sequence[Stem],
    plan: MuxPlan,
    part: Path,
    progress: Progress,
) -> None:
    try:
        with put_covers(source_file, plan, part):
            run(
                command(source_file, picture, stems, plan, part),
                stage=STAGE,
                subject=source_file.path,
                duration_s=to_seconds(stems[0].length_samples),
                progress=lambda share: progress(share * 0.7),
                # Faststart moves the whole file once more, and says nothing while it does.
                stall_s=STALL_S + source_file.path.stat().st_size / _SLOW_DISK_BYTES_PER_S,
            )
    except FfmpegError as error:
        raise MediaError(
            f"{STAGE}: {source_file.path} cannot be written as {plan.muxer} "
            f"({why_refused(error, plan.muxer)})",
            remedy="Choose another container, for example: "
            f"{elsewhere(source_file.path, plan.muxer)}",
        ) from error


@contextmanager
def put_covers(source_file: SourceFile, plan: MuxPlan, part: Path) -> Iterator[None]:
    """Lays the covers that are attached beside the part, as long as it is written.

    Args:
        source_file: The user's file.
        plan: How it is written.
        part: Where the result is written.
    """
    covers = {
        fate.index: cover_file(part, fate.index) for fate in plan.kept if is_attached(fate, plan)
    }
    try:
        for index, path in covers.items():
            path.write_bytes(first_packet(source_file.path, index, stage=STAGE))
        yield
    finally:
        for path in covers.values():
            path.unlink(missing_ok=True)
