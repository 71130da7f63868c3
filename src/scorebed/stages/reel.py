"""Reel: small, audio-free proxies that tile the picture, for providers that look at it."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import ffmpeg

from scorebed.errors import ScorebedError
from scorebed.ffmpeg import arguments, file_url, run, source
from scorebed.model import Artifact, Reel, ReelSet, TimeRange, no_progress
from scorebed.wav import sha256_of

if TYPE_CHECKING:
    from pathlib import Path

    from scorebed.model import Limits, Picture, Progress, SourceFile, SpottingNotes

VERSION = 1
STAGE = "reel"
_HEIGHT_PX = 360
_CRF = 28
_PATTERN = "reel-%03d.mp4"


def reel(
    source_file: SourceFile,
    picture: Picture,
    notes: SpottingNotes,
    limits: Limits,
    *,
    folder: Path,
    progress: Progress = no_progress,
) -> ReelSet:
    """Cuts the picture into reels at scene changes, within a provider's limits.

    For a provider that does not look at the picture there is one reel and no proxy. Proxies are
    made in one decode: H.264, 360 lines at most, the source's own frames, no sound.

    Args:
        source_file: The user's file.
        picture: What it is.
        notes: For the scenes.
        limits: What the provider takes.
        folder: Where the proxies are written.
        progress: Called with the share that is done.

    Raises:
        ScorebedError: If the limits cannot be met.
    """
    if not limits.needs_proxies:
        whole = TimeRange(start_s=Fraction(0), duration_s=picture.duration_s)
        return ReelSet(duration_s=picture.duration_s, reels=(Reel(range=whole, proxy=None),))
    ranges = _ranges(notes, limits)
    _cut(source_file, picture, ranges, folder, progress)
    paths = [folder / (_PATTERN % number) for number in range(len(ranges))]
    size_bytes = sum(path.stat().st_size for path in paths)
    if limits.max_size_bytes is not None and size_bytes > limits.max_size_bytes:
        raise ScorebedError(
            f"{STAGE}: the proxies of {source_file.path} take {size_bytes / 1e6:.0f} MB, the "
            f"provider takes {limits.max_size_bytes / 1e6:.0f} MB",
            remedy="Score the video in parts.",
        )
    return ReelSet(
        duration_s=picture.duration_s,
        reels=tuple(
            Reel(range=span, proxy=Artifact(path=path, sha256=sha256_of(path)))
            for span, path in zip(ranges, paths, strict=True)
        ),
    )


def _ranges(notes: SpottingNotes, limits: Limits) -> list[TimeRange]:
    """Scenes, joined from the shortest pair on until there are few enough."""
    if limits.max_duration_s is not None and notes.duration_s > limits.max_duration_s:
        raise ScorebedError(
            f"{STAGE}: the picture is {float(notes.duration_s):.0f} s long, the provider takes "
            f"{float(limits.max_duration_s):.0f} s",
            remedy="Score the video in parts, or use --provider embedded.",
        )
    spans = [scene.range for scene in notes.scenes]
    while len(spans) > limits.max_reels:
        at = min(
            range(len(spans) - 1),
            key=lambda left: spans[left].duration_s + spans[left + 1].duration_s,
        )
        spans[at : at + 2] = [TimeRange.between(spans[at].start_s, spans[at + 1].end_s)]
    return spans


def _cut(
    source_file: SourceFile,
    picture: Picture,
    ranges: list[TimeRange],
    folder: Path,
    progress: Progress,
) -> None:
    # Half a frame before the cut: rounding of time stamps cannot put it on the wrong side.
    half_s = 1 / (2 * picture.frame_rate)
    times = ",".join(f"{float(span.start_s - half_s):.6f}" for span in ranges[1:])
    options: dict[str, object] = {
        "c:v": "libx264",
        "preset": "veryfast",
        "crf": _CRF,
        "pix_fmt": "yuv420p",
        "bf": 0,
        "fps_mode": "passthrough",
        "f": "segment",
        "segment_format": "mp4",
        "reset_timestamps": 1,
    }
    if times:
        options |= {"segment_times": times, "force_key_frames": times}
    else:
        options |= {"segment_time": 1_000_000}
    small = (
        source(source_file.path)[str(picture.video_index)]
        .filter("setpts", "PTS-STARTPTS")
        .filter("scale", "-2", f"min({_HEIGHT_PX},trunc(ih/2)*2)")
    )
    run(
        [
            "-y",
            *arguments(
                ffmpeg.output(
                    small, file_url(folder).replace("%", "%%") + f"/{_PATTERN}", **options
                )
            ),
        ],
        stage=STAGE,
        subject=source_file.path,
        duration_s=picture.duration_s,
        progress=progress,
    )
