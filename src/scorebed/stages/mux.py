"""Mux: picture packets copied, one audio encode, the result read back before it counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg

from scorebed.errors import MediaError
from scorebed.ffmpeg import LAYOUTS, STALL_S, FfmpegError, arguments, file_url, run, source
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
    StreamFate,
    StreamKind,
    no_progress,
)
from scorebed.stages.mux_check import check_picture, check_sounds, delivered, listen_all, read_back
from scorebed.stages.mux_streams import SUBTITLES, mapped_streams, settle
from scorebed.timecode import SAMPLE_RATE_HZ, to_seconds

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
        check_picture(source_file.path, picture, contents)
        check_sounds(source_file.path, picture, plan, contents)
        heard = listen_all(source_file.path, part, picture, gained, plan, contents, progress)
        over_db = [_over_db(sound, loudness, ceiling_dbtp) for sound, loudness in heard]
        if not any(over_db) or attempt == _MAX_ENCODES - 1:
            break
        trims_db = [trim_db - over for trim_db, over in zip(trims_db, over_db, strict=True)]
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
    )


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
            f"({error.message.rsplit(': ', 1)[-1]})",
            remedy=f"Try another container, for example: -o {source_file.path.stem}.scored.mkv",
        ) from error


def command(
    source_file: SourceFile,
    picture: Picture,
    stems: Sequence[Stem],
    plan: MuxPlan,
    part: Path,
) -> list[str]:
    """The arguments of ffmpeg that write the result.

    Args:
        source_file: The user's file.
        picture: What it is.
        stems: The sound of each stream that is encoded, as in ``plan.encoded``.
        plan: What ``plan_mux`` decided.
        part: Where it is written.
    """
    # copyts: the input's own clock holds for all inputs. Without it ffmpeg moves each to zero, by
    # rules that differ between containers, and the sound shifts against the picture.
    read = source(source_file.path)
    played = dict(zip(plan.encoded, stems, strict=True))
    mapped = mapped_streams(picture, plan)
    streams = []
    options: dict[str, object] = {"c": "copy", "f": plan.muxer}
    for number, one in enumerate(mapped):
        if isinstance(one, PlannedSound) and one in played:
            streams.append(_played(played[one], picture))
            options |= _encoding(number, one, played[one])
        else:
            streams.append(read[str(one.index)])
            options |= _conversion(number, one, picture, plan.muxer)
        if isinstance(one, PlannedSound):
            options |= _marks(number, one, picture)
        title = _title(one, picture)
        if title is not None:
            options[f"metadata:s:{number}"] = f"title={title}"
    number_of_read = _number_of(read, streams)
    for number, one in enumerate(mapped):
        if one.index is not None:
            # One explicit mapping of stream tags turns the automatic ones off: map them all.
            options[f"map_metadata:s:{number}"] = f"{number_of_read}:s:{one.index}"
    options |= {
        "copyinkf": None,  # frames before the first key frame belong to the picture too
        "output_ts_offset": _seconds(-picture.container_start_s),
        "map_metadata": str(number_of_read),
        "map_chapters": str(number_of_read),
        "strict": "unofficial",  # Dolby Vision's record is kept
        "max_muxing_queue_size": 9999,
        **dict(plan.muxer_options),
    }
    graph = ffmpeg.output(*streams, file_url(part), **options).global_args("-copyts")
    return ["-y", "-copy_unknown", *arguments(graph)]


def _played(stem: Stem, picture: Picture) -> Any:  # noqa: ANN401 - ffmpeg-python is untyped
    at_s = picture.start_s + to_seconds(stem.start_samples)
    return ffmpeg.input(file_url(stem.audio.path), itsoffset=_seconds(at_s))["0"]


def _number_of(read: Any, streams: list[Any]) -> int:  # noqa: ANN401 - ffmpeg-python is untyped
    """The number that an input gets: ffmpeg-python counts them by the first stream of each."""
    nodes = list(dict.fromkeys(stream.node for stream in streams))
    return nodes.index(read.node)


def _seconds(time_s: Fraction) -> str:
    return f"{float(time_s):.9f}"


def _encoding(number: int, sound: PlannedSound, stem: Stem) -> dict[str, object]:
    layout = LAYOUTS[sound.channels]
    chain = f"aformat=sample_rates={SAMPLE_RATE_HZ}:channel_layouts={layout}"
    if sound.codec == "mp2":
        # This encoder keeps its last 481 samples to itself: a packet of silence pushes them out.
        chain = f"apad=pad_len=1152,{chain}"
    if stem.gain_db:
        chain = f"volume={stem.gain_db:.4f}dB:precision=float,{chain}"
    options: dict[str, object] = {f"c:{number}": sound.codec, f"filter:{number}": chain}
    if sound.kbps is not None:
        options[f"b:{number}"] = f"{sound.kbps}k"
    return options


def _conversion(
    number: int, one: StreamFate | PlannedSound, picture: Picture, muxer: str
) -> dict[str, object]:
    """Text subtitles may have to be converted; all else is copied."""
    assert one.index is not None
    stream = picture.streams[one.index]
    if stream.kind is StreamKind.SUBTITLE and one.codec != stream.codec:
        return {f"c:{number}": SUBTITLES[muxer]}
    return {}


def _marks(number: int, sound: PlannedSound, picture: Picture) -> dict[str, object]:
    """A programme has the marks of its stream; what is added is never the default."""
    if sound.index is None:
        marks = ["default"] if sound.kind is SoundKind.PROGRAMME else []
    else:
        marks = list(picture.streams[sound.index].disposition)
    if sound.kind is not SoundKind.PROGRAMME:
        marks = [mark for mark in marks if mark != "default"]
    return {f"disposition:{number}": "+".join(marks) or "0"}


def _title(one: StreamFate | PlannedSound, picture: Picture) -> str | None:
    """What an audio stream is called: as in the input, or what it adds to it."""
    if one.index is None:
        return "Music" if one.kind is SoundKind.MUSIC else None
    stream = picture.streams[one.index]
    if stream.kind is not StreamKind.AUDIO:
        return None
    if one.kind is not SoundKind.ORIGINAL:
        return stream.title
    return f"Original: {stream.title}" if stream.title else "Original"
