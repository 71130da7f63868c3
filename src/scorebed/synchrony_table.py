"""How cuts and beats agree, as a table for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorebed.dsp.sync import DRAWS
from scorebed.exporters.words import counted
from scorebed.timecode import SAMPLE_RATE_HZ, to_clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorebed.dsp.sync import Alignment, Chance
    from scorebed.synchrony import Sync

_WIDTH = 29


def table(sync: Sync) -> Iterator[str]:
    """The lines."""
    picture, beats = sync.picture, sync.beats
    rate = f"{float(picture.frame_rate):.6g}"
    yield f"picture    {to_clock(picture.duration_s)}, {rate} frames per second"
    yield f"shots      {len(sync.changes) + 1}: {_kinds(sync)}"
    if not sync.pulse:
        alone = "; where speech covers the music, give the music alone with --music"
        yield (
            f"beats      none: the sound has no pulse (confidence {beats.confidence:.2f})"
            f"{alone if sync.music is None else ''}"
        )
        return
    yield (
        f"beats      {len(beats.at_samples)}, {beats.tempo_bpm:.1f} per minute, "
        f"{beats.beats_per_bar} in a bar (confidence {beats.confidence:.2f})"
    )
    if not sync.changes:
        yield "sync       none: the picture has no cut"
        return
    yield ""
    yield (
        f"{'':<{_WIDTH}}{'number':>7}{'+-1 frame':>11}{'+-70 ms':>9}{'offset':>10}{'signed':>11}"
        f"{'frames':>8}{'TBIoU':>8}"
    )
    for label, found in (
        ("hard cuts on beats", sync.cuts),
        ("scene changes on downbeats", sync.scene_changes),
        ("all transitions on beats", sync.transitions),
        ("all transitions on downbeats", sync.transitions_downbeats),
    ):
        yield from _rows(label, found, sync.frame_samples)
    yield ""
    yield "offset: median distance to the nearest beat; signed: + where the beat comes later"
    yield f"by chance: mean of {DRAWS:,} sets of as many moments anywhere in the picture, and how"
    yield "many standard deviations the video is over it; TBIoU is our reading of arXiv 2511.09585"


def _kinds(sync: Sync) -> str:
    kinds = [change.kind for change in sync.changes]
    return ", ".join(counted(kinds.count(kind), kind) for kind in ("cut", "dissolve", "fade"))


def _rows(label: str, found: Alignment, frame_samples: float) -> Iterator[str]:
    chance = found.by_chance
    if (
        chance is None
        or found.hit_rate_frame is None
        or found.hit_rate_near is None
        or found.median_apart_samples is None
        or found.median_samples is None
        or found.tbiou is None
    ):
        yield f"{label:<{_WIDTH}}{found.count or 'none':>7}"
        return
    apart_ms = 1000 * found.median_apart_samples / SAMPLE_RATE_HZ
    # Added to 0.0, a rounded -0.0 loses its sign.
    signed_ms = round(1000 * found.median_samples / SAMPLE_RATE_HZ, 1) + 0.0
    yield (
        f"{label:<{_WIDTH}}{found.count:>7}{found.hit_rate_frame:>11.0%}{found.hit_rate_near:>9.0%}"
        f"{apart_ms:>7.1f} ms{signed_ms:>+8.1f} ms"
        f"{found.median_apart_samples / frame_samples:>8.2f}{found.tbiou:>8.3f}"
    )
    blank = f"{'':>29}"
    yield (
        f"{'  by chance':<{_WIDTH + 7}}{chance.frame.mean:>11.0%}{chance.near.mean:>9.0%}"
        f"{blank}{chance.tbiou.mean:>8.3f}"
    )
    yield (
        f"{'  standard deviations over it':<{_WIDTH + 7}}{_z(chance.frame):>11}{_z(chance.near):>9}"
        f"{blank}{_z(chance.tbiou):>8}"
    )


def _z(chance: Chance) -> str:
    return "-" if chance.z is None else f"{chance.z + 0.0:+.1f}"
