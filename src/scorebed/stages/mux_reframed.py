"""Packets that a container frames otherwise: the same units, with other lengths between them.

MPEG-TS has start codes before the units of H.264 and HEVC and a header before each frame of AAC;
MP4, Matroska and FLV have lengths, and the header once. Copying from one to the other rewrites
every packet and changes nothing that is decoded. It is proved without decoding: both files go
through the same bitstream filters, and what comes out is compared.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import ffmpeg

from scorebed.errors import ToolStalled
from scorebed.ffmpeg import FfmpegError, arguments, file_url, run, source

if TYPE_CHECKING:
    from scorebed.model import Picture
    from scorebed.packets import Contents

STAGE = "mux"
# Access unit delimiters (types 9 and 35) are put in by the MPEG-TS muxer and say nothing.
_FILTERS: Final = {
    "h264": "h264_mp4toannexb,filter_units=remove_types=9",
    "hevc": "hevc_mp4toannexb,filter_units=remove_types=32-35",
    "aac": "aac_adtstoasc",
}
_SETS: Final = {"hevc": "hevc_mp4toannexb,filter_units=pass_types=32-34"}
"""Where the filter repeats the parameter sets of the header, they are compared for themselves."""
_UNIT_START: Final = re.compile(rb"\x00*\x00\x00\x01")


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
        told = Path(folder) / "units"
        try:
            hashes = {_units_hash(one, codec, told, packets) for one in (before, after)}
            if codec in _SETS and packets is None:
                hashes |= {_sets_hash(one, codec, told) for one in (before, after)}
                return len(hashes) == len(("units", "sets"))
        except (FfmpegError, ToolStalled):
            return False  # what the filter cannot read cannot be proved to be the same
    return len(hashes) == 1


def _units_hash(one: tuple[Path, int], codec: str, told: Path, packets: int | None) -> str:
    how = {} if packets is None else {"frames": packets}
    _write_units(one, _FILTERS[codec], told, f="streamhash", hash="sha256", **how)
    return told.read_text(encoding="ascii").strip().rpartition("=")[2]


def _sets_hash(one: tuple[Path, int], codec: str, told: Path) -> str:
    """Of the parameter sets in order, each where it differs from the last of its kind."""
    _write_units(one, _SETS[codec], told, f="data")
    valid: dict[bytes, bytes] = {}
    digest = hashlib.sha256()
    for unit in _UNIT_START.split(told.read_bytes()):
        kind = unit[:3]  # which of its kind it is stands in the third byte
        if unit and valid.get(kind) != unit:
            valid[kind] = unit
            digest.update(b"%d:%b" % (len(unit), unit))
    return digest.hexdigest()


def _write_units(one: tuple[Path, int], filters: str, told: Path, **how: object) -> None:
    path, index = one
    graph = ffmpeg.output(
        source(path)[str(index)], file_url(told), c="copy", copyinkf=None, bsf=filters, **how
    )
    run(["-y", *arguments(graph)], stage=STAGE, subject=path)


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
