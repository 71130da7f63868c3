"""The arguments of ffmpeg that write the result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg

from scorebed.ffmpeg import LAYOUTS, arguments, file_url, source
from scorebed.model import (
    MuxPlan,
    Picture,
    PlannedSound,
    SoundKind,
    SourceFile,
    Stem,
    StreamFate,
    StreamKind,
)
from scorebed.stages.mux_changes import STALE
from scorebed.stages.mux_codecs import FROM_THE_START
from scorebed.stages.mux_streams import QUICKTIME, SUBTITLES, is_attached, mapped_streams
from scorebed.timecode import SAMPLE_RATE_HZ, to_samples, to_seconds

_MIME_TYPES = {"mjpeg": "image/jpeg", "png": "image/png", "bmp": "image/bmp", "gif": "image/gif"}

_PUSHED_OUT = {"mp2": 1152, "ac3": 1536}
"""Encoders that keep their last samples (481 and 256) to themselves, and how many samples of
silence, a packet, push them out."""


def command(
    source_file: SourceFile,
    picture: Picture,
    stems: Sequence[Stem],
    plan: MuxPlan,
    part: Path,
    *,
    first_s: Fraction | None = None,
) -> list[str]:
    """The arguments of ffmpeg that write the result.

    Args:
        source_file: The user's file.
        picture: What it is.
        stems: The sound of each stream that is encoded, as in ``plan.encoded``.
        plan: What ``plan_mux`` decided.
        part: Where it is written.
        first_s: How much of the input is read, in seconds; None for all.
    """
    # copyts: the input's own clock holds for all inputs. Without it ffmpeg moves each to zero, by
    # rules that differ between containers, and the sound shifts against the picture.
    read = source(source_file.path, **({} if first_s is None else {"t": _seconds(first_s)}))
    played = dict(zip(plan.encoded, stems, strict=True))
    mapped = mapped_streams(picture, plan)
    streams = []
    tags: list[str] = []
    options: dict[str, object] = {"c": "copy", "f": plan.muxer}
    for number, one in enumerate(mapped):
        if is_attached(one, plan):
            tags += _attachment(number, one, picture, part)
            continue
        if isinstance(one, PlannedSound) and one in played:
            lead = _lead_samples(played[one], picture, plan)
            streams.append(_played(played[one], picture, lead))
            least = 0 if first_s is not None else _least_samples(picture, plan)
            options |= _encoding(number, one, played[one], lead, least)
        else:
            streams.append(read[str(one.index)])
            options |= _conversion(number, one, picture, plan.muxer)
            options |= _clocked(number, one, picture, plan.muxer)
        if isinstance(one, PlannedSound):
            options |= _marks(number, one, picture)
        tags += [word for tag in _tags(one, picture) for word in (f"-metadata:s:{number}", tag)]
    number_of_read = _number_of(read, streams)
    for number, one in enumerate(mapped):
        if one.index is not None and not is_attached(one, plan):
            # One explicit mapping of stream tags turns the automatic ones off: map them all.
            options[f"map_metadata:s:{number}"] = f"{number_of_read}:s:{one.index}"
    options |= {
        "copyinkf": None,  # frames before the first key frame belong to the picture too
        "output_ts_offset": _seconds(-_begin_s(picture, plan)),
        "map_metadata": str(number_of_read),
        "map_chapters": str(number_of_read),
        "strict": "unofficial",  # Dolby Vision's record is kept
        "max_muxing_queue_size": 9999,
        **dict(plan.muxer_options),
    }
    tags += [word for tag in _file_tags(picture, plan) for word in ("-metadata", tag)]
    # ffmpeg-python gives each option once: what comes several times is put before the file's name.
    *given, url = arguments(ffmpeg.output(*streams, file_url(part), **options))
    return ["-y", "-copy_unknown", "-copyts", *given, *tags, url]


def cover_file(part: Path, index: int) -> Path:
    """Where a cover lies while it is attached: a name that is cleaned up with that of the part."""
    return part.with_name(f"{part.stem}-cover{index}.part")


def _attachment(
    number: int, one: StreamFate | PlannedSound, picture: Picture, part: Path
) -> list[str]:
    """A cover, which Matroska holds as an attached file."""
    assert one.index is not None
    stream = picture.streams[one.index]
    named = {name.lower(): value for name, value in stream.tags}
    mime_type = _MIME_TYPES.get(stream.codec, "image/x-unknown")
    return [
        *("-attach", file_url(cover_file(part, one.index))),
        *(f"-metadata:s:{number}", f"mimetype={named.get('mimetype', mime_type)}"),
        *(f"-metadata:s:{number}", f"filename={named.get('filename', 'cover')}"),
    ]


def _begin_s(picture: Picture, plan: MuxPlan) -> Fraction:
    """When the result begins, in seconds on the input's clock."""
    if plan.muxer in FROM_THE_START and picture.format_name not in FROM_THE_START:
        return picture.start_s
    return picture.container_start_s


def _lead_samples(stem: Stem, picture: Picture, plan: MuxPlan) -> int:
    """Silence before a stem, where the container cannot say that it begins later.

    Negative is what is cut off, where it cannot say that it begins before the picture.
    """
    if plan.muxer not in FROM_THE_START:
        return 0
    return to_samples(picture.start_s - _begin_s(picture, plan)) + stem.start_samples


def _played(stem: Stem, picture: Picture, lead: int) -> Any:  # noqa: ANN401 - ffmpeg-python is untyped
    at_s = picture.start_s + to_seconds(stem.start_samples - max(lead, 0))
    return ffmpeg.input(file_url(stem.audio.path), itsoffset=_seconds(at_s))["0"]


def _number_of(read: Any, streams: list[Any]) -> int:  # noqa: ANN401 - ffmpeg-python is untyped
    """The number that an input gets: ffmpeg-python counts them by the first stream of each."""
    nodes = list(dict.fromkeys(stream.node for stream in streams))
    return nodes.index(read.node)


def _seconds(time_s: Fraction) -> str:
    return f"{float(time_s):.9f}"


def _encoding(
    number: int, sound: PlannedSound, stem: Stem, lead: int, least: int
) -> dict[str, object]:
    chain = [
        *_heard(stem, lead),
        *([f"apad=whole_len={least}"] if least else []),
        *([f"apad=pad_len={_PUSHED_OUT[sound.codec]}"] if sound.codec in _PUSHED_OUT else []),
        f"aformat=sample_rates={SAMPLE_RATE_HZ}:channel_layouts={LAYOUTS[sound.channels]}",
    ]
    options: dict[str, object] = {f"c:{number}": sound.codec, f"filter:{number}": ",".join(chain)}
    if sound.kbps is not None:
        options[f"b:{number}"] = f"{sound.kbps}k"
    return options


def _heard(stem: Stem, lead: int) -> Iterator[str]:
    """Filters that make of a stem's WAV what is heard of it."""
    if stem.gain_db:
        yield f"volume={stem.gain_db:.4f}dB:precision=float"
    if stem.round_samples is not None:
        yield f"aloop=loop=-1:size={stem.round_samples}"
        yield f"atrim=end_sample={stem.length_samples}"
    if lead > 0:
        yield f"adelay={lead}S:all=1"
    if lead < 0:
        yield f"atrim=start_sample={-lead}"


def _least_samples(picture: Picture, plan: MuxPlan) -> int:
    """How long all sound has to be; an MXF file ends with the shortest of its streams."""
    if plan.muxer != "mxf":
        return 0
    return to_samples(picture.start_s - _begin_s(picture, plan)) + picture.length_samples


def _conversion(
    number: int, one: StreamFate | PlannedSound, picture: Picture, muxer: str
) -> dict[str, object]:
    """Text subtitles may have to be converted; all else is copied."""
    assert one.index is not None
    stream = picture.streams[one.index]
    if stream.kind is StreamKind.SUBTITLE and one.codec != stream.codec:
        return {f"c:{number}": SUBTITLES[muxer]}
    return {}


def _clocked(
    number: int, one: StreamFate | PlannedSound, picture: Picture, muxer: str
) -> dict[str, object]:
    """AVI counts frames: on any other clock it would be filled with empty ones."""
    if muxer != "avi" or one.index != picture.video_index or picture.variable_rate:
        return {}
    return {f"bsf:{number}": f"setts=time_base={1 / picture.frame_rate}"}


def _marks(number: int, sound: PlannedSound, picture: Picture) -> dict[str, object]:
    """A programme has the marks of its stream; what is added is never the default."""
    if sound.index is None:
        marks = ["default"] if sound.kind is SoundKind.PROGRAMME else []
    else:
        marks = list(picture.streams[sound.index].disposition)
    if sound.kind is not SoundKind.PROGRAMME:
        marks = [mark for mark in marks if mark != "default"]
    return {f"disposition:{number}": "+".join(marks) or "0"}


def _tags(one: StreamFate | PlannedSound, picture: Picture) -> list[str]:
    """Tags that an audio stream gets beside those that it had, or instead of them."""
    if one.index is None:
        return ["title=Music"] if one.kind is SoundKind.MUSIC else []
    stream = picture.streams[one.index]
    if stream.kind is not StreamKind.AUDIO:
        return []
    title = stream.title
    if one.kind is SoundKind.ORIGINAL:
        title = f"Original: {stream.title}" if stream.title else "Original"
    tags = [] if title is None else [f"title={title}"]
    if one.kind is SoundKind.PROGRAMME:
        # An empty value takes a tag away.
        tags += [f"{name}=" for name, _ in stream.tags if STALE.fullmatch(name)]
    return tags


def _file_tags(picture: Picture, plan: MuxPlan) -> list[str]:
    """Tags of the file that are no longer true, and those that QuickTime would keep twice."""
    written = {"major_brand", "minor_version", "compatible_brands", "encoder"}
    return [
        f"{name}="
        for name, _ in picture.tags
        if STALE.fullmatch(name) or (plan.muxer in QUICKTIME and name.lower() in written)
    ]
