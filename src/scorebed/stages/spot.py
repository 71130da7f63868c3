"""Spot: one look at the whole picture and one listen: shots, scenes, hit points, speech."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av.error
import numpy as np
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from scorebed.dsp.picture import SMALL_HEIGHT_PX, SMALL_WIDTH_PX, FrameMeter
from scorebed.dsp.scenes import group_shots
from scorebed.dsp.speech import detect_speech
from scorebed.errors import MediaError
from scorebed.media import open_media
from scorebed.model import (
    Cue,
    HitPoint,
    Picture,
    PictureCurve,
    Progress,
    Scene,
    Shot,
    SourceFile,
    SpeechRegion,
    SpotSettings,
    SpottingNotes,
    Stem,
    TimeRange,
    no_progress,
)
from scorebed.stages.transcript import read_transcript
from scorebed.wav import read_wav

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame

VERSION = 3
STAGE = "spot"
HOP_S = Fraction(1, 2)
_LEAST_SOUND = 0.8
"""A picture of which less than this share decodes without damage is refused: it is a broken copy,
and delivering it with fresh music would hide that."""
_BUSY_MOTION = 12.0
"""Mean luma difference (of 255) from frame to frame at 25 frames per second that counts as 1."""


def spot(
    source: SourceFile,
    picture: Picture,
    settings: SpotSettings,
    *,
    folder: Path,  # noqa: ARG001 - the notes are the result; nothing is written
    progress: Progress = no_progress,
) -> SpottingNotes:
    """Watches the picture once and listens to the production audio once.

    Speech is that of the default audio stream: which others are scored changes no music.

    Args:
        source: The user's file.
        picture: What it is.
        settings: How many scenes, and who says where somebody speaks.
        folder: Not used.
        progress: Called with the share that is done.

    Raises:
        MediaError: If less than four fifths of the picture decode without damage, or the
            transcript cannot be used.
    """
    transcript = settings.transcript
    told = () if transcript is None else read_transcript(transcript, picture.duration_s)
    listen = settings.listen and transcript is None and picture.production is not None
    watched = _watch(source, picture, lambda share: progress(share * (0.9 if listen else 1.0)))
    shots = _shots(watched, picture.duration_s)
    scenes = _scenes(watched, shots, settings.max_scenes)
    speech = told
    if listen and picture.production is not None:
        speech = find_speech(
            picture.production, picture.duration_s, lambda share: progress(0.9 + 0.1 * share)
        )
    whole = TimeRange(start_s=Fraction(0), duration_s=picture.duration_s)
    return SpottingNotes(
        duration_s=picture.duration_s,
        frame_rate=picture.frame_rate,
        damaged_frames=max(picture.frame_count - watched.sound_frames, 0),
        shots=shots,
        scenes=scenes,
        speech=speech,
        curve=PictureCurve(
            hop_s=HOP_S,
            motion=tuple(round(float(value), 4) for value in watched.motion),
            brightness=tuple(round(float(value), 4) for value in watched.brightness),
        ),
        cues=(Cue(number="1M1", range=whole, hit_points=_hit_points(shots, scenes)),),
    )


# --- watching ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Watched:
    """The picture in numbers: cuts by time, measures per hop of ``HOP_S``."""

    cut_times_s: tuple[Fraction, ...]
    confidence: tuple[float, ...]
    motion: NDArray[np.float64]
    brightness: NDArray[np.float64]
    saturation: NDArray[np.float64]
    warmth: NDArray[np.float64]
    histograms: NDArray[np.float32]
    sound_frames: int


def _watch(source: SourceFile, picture: Picture, progress: Progress) -> _Watched:
    meter = FrameMeter()
    damaged = 0
    reformatter = VideoReformatter()
    times = array("q")
    histograms: list[NDArray[np.float32]] = []
    with open_media(source.path, stage=STAGE) as container:
        time_base = Fraction(container.streams[picture.video_index].time_base or 0)
        for frame in _frames(container, picture.video_index):
            at = frame.pts if frame.pts is not None else frame.dts
            ticks = at if at is not None else _nominal_ticks(picture, time_base, len(meter))
            time_s = ticks * time_base - picture.start_s
            if time_s < 0:
                continue
            damaged += frame.is_corrupt
            small = reformatter.reformat(
                frame,
                width=SMALL_WIDTH_PX,
                height=SMALL_HEIGHT_PX,
                format="yuv444p",
                interpolation="AREA",
            ).to_ndarray()
            planes = small.reshape(3, SMALL_HEIGHT_PX, SMALL_WIDTH_PX)
            meter.add(planes.astype(np.uint8, copy=False))
            times.append(ticks)
            while len(histograms) * HOP_S <= time_s:
                histograms.append(meter.histogram)
            progress(min(float(time_s / picture.duration_s), 1.0))
    sound = len(meter) - damaged
    if sound < picture.frame_count * _LEAST_SOUND:
        raise MediaError(
            f"{STAGE}: only {sound} of {picture.frame_count} frames of {source.path} decode "
            "without damage",
            remedy="The picture is damaged: export or copy the file again.",
        )
    return _summarise(meter, times, time_base, histograms, picture, sound)


def _nominal_ticks(picture: Picture, time_base: Fraction, number: int) -> int:
    """Where a frame without a time stamp (AVI) lies on the container's clock."""
    return round((picture.start_s + number / picture.frame_rate) / time_base)


def _frames(container: InputContainer, index: int) -> Iterator[VideoFrame]:
    """All frames that can be decoded; a damaged packet costs its frame, not the run."""
    stream = container.streams[index]
    assert isinstance(stream, VideoStream)
    stream.thread_type = "AUTO"
    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except (av.error.InvalidDataError, av.error.ArgumentError):
            continue


def _summarise(
    meter: FrameMeter,
    times: array[int],
    time_base: Fraction,
    histograms: list[NDArray[np.float32]],
    picture: Picture,
    sound: int,
) -> _Watched:
    cuts = meter.cuts()
    hops = max(1, -(-picture.duration_s // HOP_S))
    ticks = np.array(times, dtype=np.int64) - round(picture.start_s / time_base)
    hop = np.clip((ticks * float(time_base) / float(HOP_S)).astype(np.int64), 0, hops - 1)
    rate = float(picture.frame_rate) / 25
    motion = np.clip(meter.motion * rate / _BUSY_MOTION, 0, 1)
    steady = np.ones(len(meter), dtype=bool)
    # The step of a cut is not motion.
    steady[cuts.frames] = False
    steady[:1] = False
    filled = histograms or [meter.histogram]
    filled += [filled[-1]] * (hops - len(filled))
    return _Watched(
        cut_times_s=tuple(times[at] * time_base - picture.start_s for at in cuts.frames),
        confidence=tuple(float(value) for value in cuts.confidence),
        motion=_per_hop(motion[steady], hop[steady], hops),
        brightness=_per_hop(meter.brightness, hop, hops),
        saturation=_per_hop(meter.saturation, hop, hops),
        warmth=_per_hop(meter.warmth, hop, hops),
        histograms=np.stack(filled[:hops]),
        sound_frames=sound,
    )


def _per_hop(values: NDArray[np.float32], hop: NDArray[np.int64], hops: int) -> NDArray[np.float64]:
    """Mean of the frames of each hop; a hop without frames takes the one before."""
    counts = np.bincount(hop, minlength=hops)
    sums = np.bincount(hop, weights=values, minlength=hops)
    means = sums / np.maximum(counts, 1)
    known = np.maximum.accumulate(np.where(counts > 0, np.arange(hops), 0))
    return np.asarray(means[known], dtype=np.float64)


# --- shots, scenes, hit points -----------------------------------------------------------------


def _shots(watched: _Watched, duration_s: Fraction) -> tuple[Shot, ...]:
    starts = [Fraction(0), *watched.cut_times_s]
    ends = [*watched.cut_times_s, duration_s]
    sure = [1.0, *watched.confidence]
    return tuple(
        Shot(range=TimeRange.between(start_s, end_s), confidence=round(confidence, 4))
        for start_s, end_s, confidence in zip(starts, ends, sure, strict=True)
        if end_s > start_s
    )


def _scenes(watched: _Watched, shots: tuple[Shot, ...], max_scenes: int) -> tuple[Scene, ...]:
    lengths_s = np.array([float(shot.range.duration_s) for shot in shots])
    features = np.stack([_looks(watched, shot.range) for shot in shots])
    firsts = group_shots(lengths_s, features, max_scenes=max_scenes)
    scenes = []
    for first, after in zip(firsts, [*firsts[1:], len(shots)], strict=True):
        span = TimeRange.between(shots[first].range.start_s, shots[after - 1].range.end_s)
        part = _hops(watched, span)
        scenes.append(
            Scene(
                range=span,
                shots=after - first,
                motion=round(float(watched.motion[part].mean()), 4),
                brightness=round(float(watched.brightness[part].mean()), 4),
                saturation=round(float(watched.saturation[part].mean()), 4),
                warmth=round(float(watched.warmth[part].mean()), 4),
            )
        )
    return tuple(scenes)


def _hops(watched: _Watched, span: TimeRange) -> slice:
    first = min(int(span.start_s / HOP_S), len(watched.motion) - 1)
    return slice(first, max(first + 1, int(span.end_s / HOP_S)))


def _looks(watched: _Watched, span: TimeRange) -> NDArray[np.float64]:
    """What a shot looks like: histograms (square root: Hellinger distance), light and motion."""
    part = _hops(watched, span)
    histogram = np.sqrt(watched.histograms[part].mean(axis=0) / 3)
    rest = [watched.brightness[part].mean(), watched.motion[part].mean()]
    return np.concatenate([histogram, 0.5 * np.array(rest)])


def _hit_points(shots: tuple[Shot, ...], scenes: tuple[Scene, ...]) -> tuple[HitPoint, ...]:
    openings = {scene.range.start_s for scene in scenes}
    return tuple(
        HitPoint(
            at_s=shot.range.start_s,
            label="scene" if shot.range.start_s in openings else "cut",
            weight=1.0 if shot.range.start_s in openings else round(0.6 * shot.confidence, 4),
        )
        for shot in shots
    )


# --- listening ---------------------------------------------------------------------------------


def find_speech(
    dx: Stem, duration_s: Fraction, progress: Progress = no_progress
) -> tuple[SpeechRegion, ...]:
    """Speech within the picture; what lies before or after it carries no music.

    Args:
        dx: The production audio.
        duration_s: Length of the picture in seconds.
        progress: Called with the share that is done.
    """
    done = 0

    def watched() -> Iterator[NDArray[np.float32]]:
        nonlocal done
        for block in read_wav(dx.audio.path):
            done += len(block)
            progress(done / max(dx.length_samples, 1))
            yield block

    regions = detect_speech(watched(), dx.channels, start_samples=dx.start_samples)
    inside = []
    for region in regions:
        start_s = max(region.range.start_s, Fraction(0))
        end_s = min(region.range.end_s, duration_s)
        if start_s < end_s:
            inside.append(
                SpeechRegion(range=TimeRange.between(start_s, end_s), confidence=region.confidence)
            )
    return tuple(inside)
