"""What a container says of its streams, before any packet of them is read."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

from scorebed.ffmpeg import listing
from scorebed.model import AudioFormat, Colour, StreamKind, VideoFormat

if TYPE_CHECKING:
    from pathlib import Path

    from av.container import InputContainer
    from av.stream import Stream

_ATTACHED_PICTURE = 0x0400
_STILL_IMAGE = 0x100000
_BLOCK = re.compile(r"Stream #0:(\d+)(.*?)(?=Stream #0:|\Z)", re.DOTALL)
_SIDE_DATA = re.compile(r"^( +)Side data:\n((?:\1  .*\n)+)", re.MULTILINE)
_ROTATION = re.compile(r"rotation of (-?[\d.]+) degrees")

# Numbers and names of ITU-T H.273, as ffmpeg spells them; 2 is "unspecified".
_PRIMARIES = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "film",
    9: "bt2020", 10: "smpte428", 11: "smpte431", 12: "smpte432", 22: "ebu3213",
}  # fmt: skip
_TRANSFERS = {
    1: "bt709", 4: "gamma22", 5: "gamma28", 6: "smpte170m", 7: "smpte240m", 8: "linear",
    9: "log100", 10: "log316", 11: "iec61966-2-4", 12: "bt1361e", 13: "iec61966-2-1",
    14: "bt2020-10", 15: "bt2020-12", 16: "smpte2084", 17: "smpte428", 18: "arib-std-b67",
}  # fmt: skip
_MATRICES = {
    0: "gbr", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "ycgco",
    9: "bt2020nc", 10: "bt2020c", 11: "smpte2085", 12: "chroma-derived-nc",
    13: "chroma-derived-c", 14: "ictcp",
}  # fmt: skip


def kind_of(stream: Stream) -> StreamKind:
    """What a stream carries."""
    if stream.type == "video" and int(stream.disposition) & (_ATTACHED_PICTURE | _STILL_IMAGE):
        return StreamKind.COVER
    known = {"video", "audio", "subtitle", "attachment"}
    return StreamKind(stream.type) if stream.type in known else StreamKind.DATA


def codec_of(stream: Stream) -> str:
    """Ffmpeg's name of a stream's codec, or ``unknown``."""
    context = getattr(stream, "codec_context", None)
    if context is None:
        return "unknown"
    # The codec's own name, not that of the decoder (libdav1d) which happens to read it.
    return str(getattr(context.codec, "canonical_name", None) or context.name or "unknown")


def codec_tag_of(stream: Stream) -> str:
    """The container's own mark of a stream's codec; empty where it has none."""
    context: Any = getattr(stream, "codec_context", None)
    try:
        tag = "" if context is None else str(context.codec_tag)
    except UnicodeDecodeError:
        return ""  # a number, which PyAV takes for four letters: NUT's AAC is 0xff
    return tag if tag.strip("\0") else ""


def role_of(stream: Stream, container: InputContainer) -> Literal["timecode", "chapters"] | None:
    """Data streams that QuickTime muxers make themselves, from a tag and from the chapters."""
    if kind_of(stream) is not StreamKind.DATA or "mov" not in container.format.name.split(","):
        return None
    if "timecode" in stream.metadata:
        return "timecode"
    chapters = len(container.chapters())
    return "chapters" if chapters and stream.frames == chapters else None


def tags_of(metadata: Any) -> tuple[tuple[str, str], ...]:  # noqa: ANN401 - a str or a proxy of one
    """Names and values as text."""
    return tuple((str(name), str(value)) for name, value in metadata.items())


def side_data_of(path: Path, *, stage: str) -> dict[int, tuple[str, ...]]:
    """What a container says beside the codecs, as ffmpeg lists it, by stream.

    PyAV reads none of it. Streams that refer to each other are listed in groups, out of order.

    Args:
        path: A user's file.
        stage: Named in errors.
    """
    found = {}
    for number, block in _BLOCK.findall(listing(path, stage=stage)):
        lines = _SIDE_DATA.search(block)
        if lines is not None:
            found[int(number)] = tuple(line.strip() for line in lines[2].splitlines())
    return found


def video_of(
    stream: Stream,
    side_data: tuple[str, ...],
    frame_rate: Fraction | None,
    *,
    variable_rate: bool,
) -> VideoFormat | None:
    """How the frames of a video stream are coded and shown; None where no decoder is known."""
    context: Any = getattr(stream, "codec_context", None)
    if stream.type != "video" or context is None:
        return None
    aspect = getattr(stream, "sample_aspect_ratio", None)
    colour = Colour(
        primaries=_PRIMARIES.get(int(context.color_primaries)),
        transfer=_TRANSFERS.get(int(context.color_trc)),
        matrix=_MATRICES.get(int(context.colorspace)),
        range={1: "tv", 2: "pc"}.get(int(context.color_range)),  # type: ignore[arg-type]
    )
    return VideoFormat(
        width_px=int(context.width),
        height_px=int(context.height),
        pixel_format=context.pix_fmt,
        pixel_aspect=Fraction(aspect) if aspect else None,
        rotation_deg=_rotation_deg(side_data),
        frame_rate=frame_rate,
        variable_rate=variable_rate,
        colour=colour,
        dynamic_range=_dynamic_range(colour, side_data),
    )


def _rotation_deg(side_data: tuple[str, ...]) -> float:
    found = [match for line in side_data if (match := _ROTATION.search(line))]
    # "-0.00": a matrix that turns nothing.
    return float(found[0][1]) + 0.0 if found else 0.0


def _dynamic_range(
    colour: Colour, side_data: tuple[str, ...]
) -> Literal["sdr", "pq", "hlg", "dolby-vision"]:
    if any(line.startswith("DOVI configuration") for line in side_data):
        return "dolby-vision"
    if colour.transfer == "smpte2084":
        return "pq"
    return "hlg" if colour.transfer == "arib-std-b67" else "sdr"


def audio_of(stream: Stream) -> AudioFormat | None:
    """How an audio stream is coded; None where no decoder is known."""
    context: Any = getattr(stream, "codec_context", None)
    if stream.type != "audio" or context is None:
        return None
    channels = int(getattr(context, "channels", 0))
    layout = getattr(context, "layout", None)
    return AudioFormat(
        sample_rate_hz=int(getattr(context, "sample_rate", 0) or 0),
        channels=channels,
        layout=layout.name if channels and layout is not None else "",
    )
