"""Packets that a container frames otherwise: the same units, with other lengths between them.

MPEG-TS has start codes before the units of H.264 and HEVC and a header before each frame of AAC;
MP4, Matroska and FLV have lengths, and the header once. Copying from one to the other rewrites
every packet and changes nothing that is decoded. It is proved without decoding: both files go
through the same bitstream filters, and what comes out is compared.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import ffmpeg

from scorebed.ffmpeg import FfmpegError, arguments, file_url, run, source

if TYPE_CHECKING:
    from scorebed.model import Picture
    from scorebed.packets import Contents

STAGE = "mux"
# Access unit delimiters (types 9 and 35) are put in by the MPEG-TS muxer and say nothing.
_FILTERS: Final = {
    "h264": "h264_mp4toannexb,filter_units=remove_types=9",
    "hevc": "hevc_mp4toannexb,filter_units=remove_types=35",
    "aac": "aac_adtstoasc",
}


def same_units(
    before: tuple[Path, int],
    after: tuple[Path, int],
    codec: str,
    *,
    packets: int | None = None,
) -> bool:
    """Whether two streams hold the same units, however they are framed.

    Args:
        before: A file and the index of its stream.
        after: Another one.
        codec: ffmpeg's name of the codec of both.
        packets: How many packets are compared; None for all.
    """
    if codec not in _FILTERS:
        return False
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "units.hash"
        try:
            hashes = {_units_hash(one, codec, told, packets) for one in (before, after)}
        except FfmpegError:
            return False  # what the filter cannot read cannot be proved to be the same
    return len(hashes) == 1


def _units_hash(one: tuple[Path, int], codec: str, told: Path, packets: int | None) -> str:
    path, index = one
    graph = ffmpeg.output(
        source(path)[str(index)],
        file_url(told),
        c="copy",
        copyinkf=None,
        bsf=_FILTERS[codec],
        f="streamhash",
        hash="sha256",
        **({} if packets is None else {"frames": packets}),
    )
    run(["-y", *arguments(graph)], stage=STAGE, subject=path)
    return told.read_text(encoding="ascii").strip().rpartition("=")[2]


def reframed_streams(
    path: Path, picture: Picture, part: Path, contents: Contents, placed: dict[int, int]
) -> frozenset[int]:
    """The copied streams whose packets are others and whose units are the same.

    Those of the picture are: ``check_picture`` has refused any others.

    Args:
        path: The user's file.
        picture: What it is.
        part: The file that was written.
        contents: What it holds.
        placed: Copied streams of the input, and where they are in the output.
    """
    return frozenset(
        index
        for index, number in placed.items()
        if picture.streams[index].codec == contents.streams[number].codec
        and picture.streams[index].packets_sha256 != contents.streams[number].packets_sha256
        and (
            index == picture.video_index
            or same_units((path, index), (part, number), picture.streams[index].codec)
        )
    )
