"""Mux: picture packets copied, one audio encode, the result read back before it counts."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import ffmpeg

from scorebed.errors import MediaError
from scorebed.ffmpeg import LAYOUTS, STALL_S, FfmpegError, arguments, file_url, run, source
from scorebed.model import (
    Mixed,
    MuxPlan,
    Picture,
    Progress,
    ScoredVideo,
    SourceFile,
    Stem,
    StreamKind,
    no_progress,
)
from scorebed.packets import read_contents
from scorebed.stages.mux_check import check_picture, listen
from scorebed.stages.mux_plan import SUBTITLES, codec_name, mapped_streams, settle
from scorebed.timecode import SAMPLE_RATE_HZ, to_seconds

VERSION = 1
STAGE = "mux"
_MAX_ENCODES = 4
_UNDER_CEILING_DB = 0.05
_SLOW_DISK_BYTES_PER_S = 5e6


def mux(
    source_file: SourceFile,
    picture: Picture,
    mixed: Mixed,
    plan: MuxPlan,
    ceiling_dbtp: float,
    part: Path,
    *,
    progress: Progress = no_progress,
) -> ScoredVideo:
    """Writes the scored video and reads it back.

    A lossy encode may overshoot: while the decoded programme is over the ceiling it is encoded
    again with a little less gain.

    Args:
        source_file: The user's file.
        picture: What it is.
        mixed: The programme.
        plan: What ``plan_mux`` decided.
        ceiling_dbtp: True-peak ceiling of the delivered programme, in dBTP.
        part: Where the file is written: a temporary name, beside the final one.
        progress: Called with the share that is done.

    Raises:
        MediaError: If what was written is not what was asked for.
    """
    trim_db = 0.0
    for attempt in range(_MAX_ENCODES):
        _write(source_file, picture, mixed.mix, plan, trim_db, part, progress)
        contents = read_contents(
            part, stage=STAGE, progress=lambda share: progress(0.7 + 0.1 * share)
        )
        check_picture(source_file.path, picture, contents)
        loudness = listen(part, picture, mixed.mix, plan, contents, progress)
        peak = loudness.true_peak_dbtp
        if peak is None or peak <= ceiling_dbtp or attempt == _MAX_ENCODES - 1:
            break
        trim_db += ceiling_dbtp - peak - _UNDER_CEILING_DB
    kept, dropped = settle(plan, picture, contents)
    return ScoredVideo(
        container=plan.muxer,
        audio_codec=codec_name(plan.audio_codec),
        audio_channels=plan.audio_channels,
        picture_sha256=contents.picture_sha256,
        loudness=loudness,
        trim_db=round(trim_db, 3),
        kept=kept,
        dropped=dropped,
    )


def _write(
    source_file: SourceFile,
    picture: Picture,
    mix: Stem,
    plan: MuxPlan,
    trim_db: float,
    part: Path,
    progress: Progress,
) -> None:
    try:
        run(
            command(source_file, picture, mix, plan, trim_db, part),
            stage=STAGE,
            subject=source_file.path,
            duration_s=to_seconds(mix.length_samples),
            progress=lambda share: progress(share * 0.7),
            # Faststart moves the whole file once more, and says nothing while it does.
            stall_s=STALL_S + source_file.path.stat().st_size / _SLOW_DISK_BYTES_PER_S,
        )
    except FfmpegError as error:
        raise MediaError(
            f"{STAGE}: {source_file.path} cannot be written as {plan.muxer} "
            f"({error.message.rsplit(': ', 1)[-1]})",
            remedy=f"Try another container, for example: -o {source_file.path.stem}.scored.mkv",
        ) from error


def command(
    source_file: SourceFile,
    picture: Picture,
    mix: Stem,
    plan: MuxPlan,
    trim_db: float,
    part: Path,
) -> list[str]:
    """The arguments of ffmpeg that write the result.

    Args:
        source_file: The user's file.
        picture: What it is.
        mix: The programme.
        plan: What ``plan_mux`` decided.
        trim_db: Static gain at the encoder, in dB.
        part: Where it is written.
    """
    # copyts: the input's own clock holds for both inputs. Without it ffmpeg moves each to zero, by
    # rules that differ between containers, and the sound shifts against the picture.
    at_s = picture.start_s + to_seconds(mix.start_samples)
    read = source(source_file.path)
    programme = ffmpeg.input(file_url(mix.audio.path), itsoffset=_seconds(at_s))
    mapped = mapped_streams(picture, plan)
    first = mapped[0]
    # ffmpeg-python numbers inputs by the first stream that is mapped from each.
    number_of_read = int(first is None or first.index == picture.production_index)
    streams = []
    options: dict[str, object] = {
        "c": "copy",
        "f": plan.muxer,
        "copyinkf": None,  # frames before the first key frame belong to the picture too
        "output_ts_offset": _seconds(-picture.container_start_s),
        "map_metadata": str(number_of_read),
        "map_chapters": str(number_of_read),
        "strict": "unofficial",  # Dolby Vision's record is kept
        "max_muxing_queue_size": 9999,
        **dict(plan.muxer_options),
    }
    for number, fate in enumerate(mapped):
        if fate is None or fate.index == picture.production_index:
            streams.append(programme["0"])
            options |= _programme_options(number, picture, plan, trim_db)
        else:
            streams.append(read[str(fate.index)])
            if fate.kind is StreamKind.SUBTITLE and fate.codec != picture.streams[fate.index].codec:
                options[f"c:{number}"] = SUBTITLES[plan.muxer]
        if fate is not None:
            # One explicit mapping of stream tags turns the automatic ones off: map them all.
            options[f"map_metadata:s:{number}"] = f"{number_of_read}:s:{fate.index}"
    graph = ffmpeg.output(*streams, file_url(part), **options).global_args("-copyts")
    return ["-y", "-copy_unknown", *arguments(graph)]


def _seconds(time_s: Fraction) -> str:
    return f"{float(time_s):.9f}"


def _programme_options(
    number: int, picture: Picture, plan: MuxPlan, trim_db: float
) -> dict[str, object]:
    layout = LAYOUTS[plan.audio_channels]
    chain = f"aformat=sample_rates={SAMPLE_RATE_HZ}:channel_layouts={layout}"
    if plan.audio_codec == "mp2":
        # This encoder keeps its last 481 samples to itself: a packet of silence pushes them out.
        chain = f"apad=pad_len=1152,{chain}"
    if trim_db:
        chain = f"volume={trim_db:.4f}dB:precision=float,{chain}"
    options: dict[str, object] = {
        f"c:{number}": plan.audio_codec,
        f"filter:{number}": chain,
        f"disposition:{number}": "default",
    }
    if plan.audio_kbps is not None:
        options[f"b:{number}"] = f"{plan.audio_kbps}k"
    if picture.production_index is not None:
        marks = picture.streams[picture.production_index].disposition
        options[f"disposition:{number}"] = "+".join(marks) or "0"
    return options
