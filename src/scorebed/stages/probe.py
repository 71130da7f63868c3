"""Probe: what the file is, read packet by packet, and its production audio as DX."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from scorebed.errors import MediaError
from scorebed.ffmpeg import Decoding, FfmpegError, decode_audio, kept_channels, on_time_line
from scorebed.model import Artifact, Picture, Progress, SourceFile, Stem, no_progress
from scorebed.packets import Contents, PictureClock, read_contents
from scorebed.timecode import to_samples
from scorebed.wav import sha256_of, wav_writer

VERSION = 2
STAGE = "probe"

_CUT_OFF_BELOW = 0.9
"""A file that holds a smaller share of the frames its header promises is cut off."""


def probe(source: SourceFile, *, folder: Path, progress: Progress = no_progress) -> Picture:
    """Reads a video file: streams, exact times, hash of the picture, production audio.

    Args:
        source: The user's file.
        folder: Where ``DX.wav`` is written.
        progress: Called with the share that is done.

    Raises:
        MediaError: If it is unreadable, has no picture, is cut off, or its sound cannot be decoded.
    """
    picture = look(source, progress=lambda share: progress(share * 0.5))
    if picture.production_index is None:
        return picture
    production = _extract(picture, source.path, folder, lambda share: progress(0.5 + 0.5 * share))
    return replace(picture, production=production)


def look(source: SourceFile, *, progress: Progress = no_progress) -> Picture:
    """Reads all packets and decodes nothing: the picture without its production audio.

    Args:
        source: The user's file.
        progress: Called with the share that is done.

    Raises:
        MediaError: If it is unreadable, has no picture, or is cut off.
    """
    contents = read_contents(source.path, stage=STAGE, progress=progress)
    clock = _require_picture(source.path, contents)
    assert contents.video_index is not None
    sound_start_s = contents.sound_start_s
    return Picture(
        format_name=contents.format_name,
        streams=contents.streams,
        video_index=contents.video_index,
        production_index=None if sound_start_s is None else contents.sound_index,
        production_start_s=clock.start_s if sound_start_s is None else sound_start_s,
        production_channels=contents.sound_channels if sound_start_s is not None else 0,
        start_s=clock.start_s,
        container_start_s=contents.start_s,
        duration_s=clock.duration_s,
        frame_count=clock.frame_count,
        frame_rate=clock.frame_rate,
        variable_rate=clock.variable,
        hidden_frames=clock.hidden_frames,
        width_px=contents.size_px[0],
        height_px=contents.size_px[1],
        packets_sha256=contents.picture_sha256,
        production=None,
        timecode_s=contents.timecode_s,
    )


def _require_picture(path: Path, contents: Contents) -> PictureClock:
    if contents.video_index is None:
        raise MediaError(
            f"{STAGE}: {path} has no picture (no video stream that can be decoded)",
            remedy="Give a video file; a piece of music goes with --music.",
        )
    if contents.clock is None:
        raise MediaError(
            f"{STAGE}: {path} has a picture in its header but no frame of it in the file",
            remedy="The file is cut off: copy or export it again.",
        )
    # AVI counts frames that were dropped in capture: its promise means nothing.
    promised = 0 if contents.format_name == "avi" else contents.promised_frames
    if contents.picture_packets < promised * _CUT_OFF_BELOW:
        raise MediaError(
            f"{STAGE}: {path} is cut off: its header promises {contents.promised_frames} frames, "
            f"it holds {contents.picture_packets}",
            remedy="Copy or export the file again.",
        )
    if contents.clock.duration_s <= 0:
        raise MediaError(
            f"{STAGE}: {path} has {contents.clock.frame_count} frames but no time passes",
            remedy="Remux or export the file again.",
        )
    return contents.clock


def extraction(picture: Picture, path: Path) -> Decoding:
    """How the production audio is decoded: on the picture's time line, gaps filled."""
    assert picture.production_index is not None
    kept = kept_channels(picture.production_channels)
    first = to_samples(min(picture.start_s, picture.production_start_s))
    return Decoding(
        path=path,
        stream_index=picture.production_index,
        channels=kept,
        filters=on_time_line(first, kept),
    )


def _extract(picture: Picture, path: Path, folder: Path, progress: Progress) -> Stem:
    decoding = extraction(picture, path)
    target = folder / "DX.wav"
    with wav_writer(target, channels=decoding.channels) as writer:
        try:
            for block in decode_audio(decoding, stage=STAGE):
                writer.write(np.nan_to_num(block, posinf=0, neginf=0))
                progress(min(writer.length_samples / max(picture.length_samples, 1), 1.0))
        except FfmpegError as error:
            raise _undecodable(path, picture.production_index) from error
        length_samples = writer.length_samples
    if not length_samples:
        raise _undecodable(path, picture.production_index)
    start_s = min(picture.start_s, picture.production_start_s)
    return Stem(
        kind="DX",
        audio=Artifact(path=target, sha256=sha256_of(target)),
        start_samples=to_samples(start_s) - to_samples(picture.start_s),
        length_samples=length_samples,
        channels=decoding.channels,
    )


def _undecodable(path: Path, index: int | None) -> MediaError:
    return MediaError(
        f"{STAGE}: the sound of {path} (stream {index}) cannot be decoded",
        remedy="Export the file again, or remove the stream with: "
        "ffmpeg -i FILE -map 0 -map -0:a -c copy NEW_FILE",
    )
