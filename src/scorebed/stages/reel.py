"""Reel: small proxies that tile the cues, for providers that look at it."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from scorebed.errors import OverLimit
from scorebed.model import CuedLine, Reel, ReelSet, TimeRange, no_progress
from scorebed.stages.reel_cut import SOUND_KBPS, STAGE, Cutting, Encoding
from scorebed.stages.reel_plan import plan_reels
from scorebed.stages.reel_small import shows
from scorebed.stages.reference import REFERENCE_KBPS

if TYPE_CHECKING:
    from pathlib import Path

    from scorebed.model import Artifact, Limits, Picture, Progress, SourceFile, SpottingNotes

VERSION = 4
_USUAL_HEIGHT_PX = 360
_MOST_BPS = 220_000
"""At 360 lines; other heights by their pixels. With a second of buffer and the container that is
under 2 MB for each minute of picture, from 10 s on."""
_LEAST_BPS = 12_000
_TARGET_BPS = 8 * 2_000_000 / 60
_TARGET_FROM_S = 10
_FILE_BITS = 8 * 2_000
"""What a container takes, without its table of frames."""
_FRAME_TABLE_BPS = 8 * 16 * 25
_ROOM = 0.95
"""Share of a request that the proxies may fill; the rest is for words and headers."""


def reel(
    source_file: SourceFile,
    picture: Picture,
    notes: SpottingNotes,
    limits: Limits,
    small: Artifact | None = None,
    *,
    folder: Path,
    progress: Progress = no_progress,
) -> ReelSet:
    """Cuts the cued picture into reels at scene changes, within a provider's limits.

    For a provider that does not look at the picture there is one reel for each cue in a request
    and no proxy. Proxies are made in one decode: H.264, no more lines than are asked for, upright,
    square pixels, the source's own frames, at most 25 per second; with the production audio if it
    is asked for.

    Args:
        source_file: The user's file.
        picture: What it is.
        notes: For the cues, scenes, shots and speech.
        limits: What the provider takes.
        small: The small film that spotting has made of the picture, if it has. Where that has the
            lines, and the first frame of every reel, the proxies are made from it and nothing is
            decoded again; they then have the frames that it has, at most 12.5 per second.
        folder: Where the proxies are written.
        progress: Called with the share that is done.

    Raises:
        OverLimit: If the limits cannot be met.
        MediaError: If a reel would hold no frame.
    """
    planned = plan_reels(notes, limits)
    if not limits.needs_proxies:
        reels = tuple(Reel(range=span, proxy=None, part=part) for span, part in planned)
    else:
        production = picture.production if limits.sound else None
        cutting = Cutting(
            source_file=source_file,
            picture=picture,
            small=None
            if small is None or not shows(small.path, picture, planned, limits.proxy_height_px)
            else small.path,
            planned=planned,
            line=CuedLine(notes.music),
            production=production,
            folder=folder,
        )
        rate_bps = _rate_bps(planned, limits, with_sound=production is not None)
        encoding = Encoding(height_px=limits.proxy_height_px, rate_bps=rate_bps)
        reels = cutting.make(encoding, progress)
        if (excess := max(_over_limit(reels, limits), _over_target(reels, limits))) > 1:
            # Few enough bits for the picture show nothing at full height.
            rate_bps = max(int(encoding.rate_bps * 0.8 / excess), _LEAST_BPS)
            half_px = limits.proxy_height_px // 4 * 2
            reels = cutting.make(Encoding(height_px=half_px, rate_bps=rate_bps), progress)
        _require_room(source_file, reels, limits)
    return ReelSet(cues=notes.music, reels=reels)


# --- size --------------------------------------------------------------------------------------


def _rate_bps(
    planned: tuple[tuple[TimeRange, int], ...], limits: Limits, *, with_sound: bool
) -> int:
    """The rate at which every part stays within a request, whatever the picture shows."""
    rate_bps = _MOST_BPS * _pixels(limits)
    if limits.max_size_bytes is None:
        return round(rate_bps)
    requests = planned[-1][1] + 1
    # From the second request on the music already received may go with the picture.
    sound_kbps = max(SOUND_KBPS * with_sound, REFERENCE_KBPS * (requests > 1))
    for _, reels in groupby(planned, key=lambda one: one[1]):
        spans = [span for span, _ in reels]
        length_s = sum(float(span.duration_s) for span in spans)
        bits = 8 * _ROOM * limits.max_size_bytes - len(spans) * _FILE_BITS
        other_bps = 1_100 * sound_kbps + _FRAME_TABLE_BPS
        rate_bps = min(rate_bps, (bits - other_bps * length_s) / (length_s + 1))
    return max(int(rate_bps), _LEAST_BPS)


def _size_bytes(reels: tuple[Reel, ...]) -> int:
    return sum(reel.proxy.path.stat().st_size for reel in reels if reel.proxy)


def _parts(reels: tuple[Reel, ...]) -> list[tuple[Reel, ...]]:
    return [tuple(part) for _, part in groupby(reels, key=lambda reel: reel.part)]


def _over_limit(reels: tuple[Reel, ...], limits: Limits) -> float:
    """The largest part over what a request has room for."""
    if limits.max_size_bytes is None:
        return 0.0
    return max(_size_bytes(part) for part in _parts(reels)) / (_ROOM * limits.max_size_bytes)


def _over_target(reels: tuple[Reel, ...], limits: Limits) -> float:
    """All proxies over what is good manners; short files are mostly container."""
    length_s = sum(float(reel.range.duration_s) for reel in reels)
    if length_s < _TARGET_FROM_S or limits.sound:
        return 0.0
    return 8 * _size_bytes(reels) / (length_s * _TARGET_BPS * max(_pixels(limits), 1))


def _pixels(limits: Limits) -> float:
    """Pixels of a proxy's frame over those of the usual one."""
    return (limits.proxy_height_px / _USUAL_HEIGHT_PX) ** 2


def _require_room(source_file: SourceFile, reels: tuple[Reel, ...], limits: Limits) -> None:
    if limits.max_size_bytes is None or _over_limit(reels, limits) <= 1:
        return
    size_bytes = max(_size_bytes(part) for part in _parts(reels))
    room_bytes = _ROOM * limits.max_size_bytes
    raise OverLimit(
        f"{STAGE}: the smallest proxies of {source_file.path} take {size_bytes / 1e6:.3f} MB in "
        f"one request, {(size_bytes - room_bytes) / 1e6:.3f} MB more than there is room for (the "
        f"provider takes {limits.max_size_bytes / 1e6:.3f} MB, words and headers included)",
        remedy="Score the video in parts, or use --provider embedded.",
    )
