"""Whether a small film can stand for a picture of which proxies are to be made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorebed.media import open_media
from scorebed.stages.reel_cut import STAGE

if TYPE_CHECKING:
    from pathlib import Path

    from scorebed.model import Picture, TimeRange


def shows(
    small: Path, picture: Picture, planned: tuple[tuple[TimeRange, int], ...], height_px: int
) -> bool:
    """Whether the first frame of every reel is in a small film, and it has lines enough.

    Args:
        small: The film; its times are those of the picture, from its first frame.
        picture: What it was made of.
        planned: The reels, and their requests.
        height_px: Most lines of a proxy.
    """
    with open_media(small, stage=STAGE) as container:
        stream = container.streams.video[0]
        lines, tick_s = stream.height, stream.time_base
        assert tick_s is not None
        shown = {
            round(packet.pts * tick_s * picture.frame_rate)
            for packet in container.demux(stream)
            if packet.pts is not None
        }
    firsts = {round(span.start_s * picture.frame_rate) for span, _ in planned}
    return lines >= min(height_px, picture.height_px // 2 * 2) and firsts <= shown
