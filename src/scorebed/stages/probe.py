"""Probe: what the file is, read packet by packet, and its production audio as DX."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scorebed.errors import MediaError
from scorebed.ffmpeg import Decoding, FfmpegError, decode_audio, kept_channels, on_time_line
from scorebed.model import Artifact, Picture, Progress, SourceFile, Stem, StreamKind, no_progress
from scorebed.packets import Contents, read_contents
from scorebed.timecode import to_samples
from scorebed.wav import sha256_of, wav_writer

if TYPE_CHECKING:
    from scorebed.clock import PictureClock

VERSION = 4
STAGE = "probe"

_CUT_OFF_BELOW = 0.9
"""A file that holds a smaller share of the frames its header promises is cut off."""
_MAX_EMPTY_MINUTES = 5
"""A damaged time stamp makes a film of days out of seconds. Slides and recordings of a screen have
a frame or sound in most minutes; what has not is nothing to write music for."""


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
    production = extract(
        source,
        picture,
        picture.production_index,
        folder=folder,
        progress=lambda share: progress(0.5 + 0.5 * share),
    )
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
    sound = contents.sound
    return Picture(
        format_name=contents.format_name,
        streams=contents.streams,
        video_index=contents.video_index,
        sounds=contents.sounds,
        production_index=None if sound is None else sound.index,
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
        timecode=contents.timecode,
        tags=contents.tags,
        chapters=contents.chapters,
    )


def _require_picture(path: Path, contents: Contents) -> PictureClock:
    if contents.video_index is None:
        codecs = [stream.codec for stream in contents.streams if stream.kind is StreamKind.AUDIO]
        only = all(stream.kind is not StreamKind.VIDEO for stream in contents.streams)
        why = (
            f"only sound: {', '.join(codecs)}"
            if codecs and only
            else "no video stream that can be decoded"
        )
        raise MediaError(
            f"{STAGE}: {path} has no picture ({why})",
            remedy="Give a video file; a piece of music goes with --music.",
        )
    if contents.encrypted:
        numbers = ", ".join(map(str, contents.encrypted))
        raise MediaError(
            f"{STAGE}: {path} is encrypted (stream {numbers}): it cannot be decoded",
            remedy="Give the file without its copy protection: export it again from the project.",
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
    if contents.empty_minutes > _MAX_EMPTY_MINUTES:
        raise MediaError(
            f"{STAGE}: {path} has {contents.empty_minutes} minutes in which it shows no new frame "
            "and has no sound: its time stamps are damaged",
            remedy="Export the file again; if it is meant to stand still for so long, give it all "
            "its frames: ffmpeg -i FILE -fps_mode cfr -r 25 NEW_FILE.mp4",
        )
    if contents.clock.duration_s <= 0:
        raise MediaError(
            f"{STAGE}: {path} has {contents.clock.frame_count} frames but no time passes",
            remedy="Remux or export the file again.",
        )
    return contents.clock


def extraction(picture: Picture, index: int, path: Path) -> Decoding:
    """How an audio stream is decoded: on the picture's time line, gaps filled."""
    sound = picture.sound(index)
    kept = kept_channels(sound.channels)
    first = to_samples(min(picture.start_s, sound.start_s))
    return Decoding(
        path=path,
        stream_index=index,
        channels=kept,
        filters=on_time_line(first, kept),
    )


def extract(
    source: SourceFile,
    picture: Picture,
    index: int,
    *,
    folder: Path,
    progress: Progress = no_progress,
) -> Stem:
    """Decodes an audio stream to ``DX.wav``.

    Args:
        source: The user's file.
        picture: What it is.
        index: The audio stream.
        folder: Where the file is written.
        progress: Called with the share that is done.

    Raises:
        MediaError: If it cannot be decoded.
    """
    decoding = extraction(picture, index, source.path)
    target = folder / "DX.wav"
    with wav_writer(target, channels=decoding.channels) as writer:
        try:
            for block in decode_audio(decoding, stage=STAGE):
                writer.write(np.nan_to_num(block, posinf=0, neginf=0))
                progress(min(writer.length_samples / max(picture.length_samples, 1), 1.0))
        except FfmpegError as error:
            raise _undecodable(source.path, picture, index) from error
        length_samples = writer.length_samples
    if not length_samples:
        raise _undecodable(source.path, picture, index)
    start_s = min(picture.start_s, picture.sound(index).start_s)
    return Stem(
        kind="DX",
        audio=Artifact(path=target, sha256=sha256_of(target)),
        start_samples=to_samples(start_s) - to_samples(picture.start_s),
        length_samples=length_samples,
        channels=decoding.channels,
    )


def _undecodable(path: Path, picture: Picture, index: int) -> MediaError:
    others = [
        str(picture.audio_number(sound.index)) for sound in picture.sounds if sound.index != index
    ]
    return MediaError(
        f"{STAGE}: the sound of {path} (stream {index}) cannot be decoded",
        remedy=f"Export the file again, or leave the stream as it is with: "
        f"--audio-streams {','.join(others)}"
        if others and index != picture.production_index
        else "Export the file again, or remove the stream with: "
        "ffmpeg -i FILE -map 0 -map -0:a -c copy NEW_FILE",
    )
