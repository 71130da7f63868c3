"""What the input held and what became of it, as it is written into the result."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scorebed.model import (
        AudioFormat,
        Picture,
        ScoredVideo,
        StreamFate,
        StreamInfo,
        VideoFormat,
    )


def picture_figures(picture: Picture, sha256: str) -> dict[str, Any]:
    """The picture: times in seconds from the first shown frame.

    Args:
        picture: What the input is.
        sha256: Hash of the payloads of the picture's packets.
    """
    shown = picture.streams[picture.video_index].video
    return {
        "duration_s": seconds(picture.duration_s),
        "frames": picture.frame_count,
        "frame_rate": ratio(picture.frame_rate),
        "variable_rate": picture.variable_rate,
        "hidden_frames": picture.hidden_frames,
        "container": picture.format_name,
        "stream": picture.video_index,
        "sha256": sha256,
        "timecode": picture.timecode,
        "format": None if shown is None else _video(shown),
        "chapters": [
            {
                "start_s": seconds(chapter.start_s - picture.start_s),
                "end_s": seconds(chapter.end_s - picture.start_s),
                "title": chapter.title,
            }
            for chapter in picture.chapters
        ],
        "tags": dict(picture.tags),
    }


def streams_figures(picture: Picture, scored: ScoredVideo) -> dict[str, Any]:
    """The input's streams, and what of them was kept, dropped and changed."""
    return {
        "input": [_stream(picture, stream) for stream in picture.streams],
        "kept": [_fate(fate) for fate in scored.kept],
        "dropped": [_fate(fate) | {"why": fate.why} for fate in scored.dropped],
        "changed": [
            {
                "stream": change.stream,
                "what": change.what,
                "was": change.was,
                "now": change.now,
                "loss": change.loss,
            }
            for change in scored.changed
        ],
    }


def _stream(picture: Picture, stream: StreamInfo) -> dict[str, Any]:
    return {
        "index": stream.index,
        "kind": stream.kind.value,
        "codec": stream.codec,
        "codec_tag": stream.codec_tag,
        "language": stream.language,
        "title": stream.title,
        "marks": list(stream.disposition),
        "start_s": None if stream.start_s is None else seconds(stream.start_s - picture.start_s),
        "duration_s": None if stream.duration_s is None else seconds(stream.duration_s),
        "time_base": None if stream.time_base is None else ratio(stream.time_base),
        "packets": stream.packets,
        "hidden_packets": stream.hidden_packets,
        "video": None if stream.video is None else _video(stream.video),
        "audio": None if stream.audio is None else _audio(stream.audio),
        "side_data": list(stream.side_data),
        "tags": dict(stream.tags),
    }


def _video(shown: VideoFormat) -> dict[str, Any]:
    return {
        "width_px": shown.width_px,
        "height_px": shown.height_px,
        "pixel_format": shown.pixel_format,
        "pixel_aspect": None if shown.pixel_aspect is None else ratio(shown.pixel_aspect),
        "rotation_deg": round(shown.rotation_deg, 2),
        "frame_rate": None if shown.frame_rate is None else ratio(shown.frame_rate),
        "variable_rate": shown.variable_rate,
        "colour": {
            "primaries": shown.colour.primaries,
            "transfer": shown.colour.transfer,
            "matrix": shown.colour.matrix,
            "range": shown.colour.range,
        },
        "dynamic_range": shown.dynamic_range,
    }


def _audio(heard: AudioFormat) -> dict[str, Any]:
    return {
        "sample_rate_hz": heard.sample_rate_hz,
        "channels": heard.channels,
        "layout": heard.layout,
    }


def _fate(fate: StreamFate) -> dict[str, Any]:
    return {"index": fate.index, "kind": fate.kind.value, "codec": fate.codec}


def seconds(time_s: Fraction) -> float:
    """Seconds to the microsecond."""
    return round(float(time_s), 6)


def ratio(value: Fraction) -> str:
    """An exact ratio as text: ``24000/1001``."""
    return f"{value.numerator}/{value.denominator}"
