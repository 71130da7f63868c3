"""The mux, tried before there is any music: a second of all streams together, or the whole file."""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scorebed.errors import MediaError
from scorebed.ffmpeg import FfmpegError, run
from scorebed.model import PlannedSound, Stem, StreamKind, no_progress
from scorebed.packets import leading_sha256, read_contents
from scorebed.stages.mux import mux, put_covers
from scorebed.stages.mux_check import check_times, listen_all
from scorebed.stages.mux_codecs import elsewhere, named
from scorebed.stages.mux_command import command
from scorebed.stages.mux_reframed import same_units
from scorebed.stages.mux_streams import STAGE, TRIAL_S, mapped_streams, why_refused
from scorebed.stages.mux_times import Placed, moved_packets
from scorebed.timecode import SAMPLE_RATE_HZ, to_samples
from scorebed.wav import BLOCK_SAMPLES, write_wav

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from scorebed.model import MuxPlan, Picture, Progress, ScoredVideo, SourceFile

VERSION = 1

_LEVEL = 0.01
_NO_CEILING_DBTP = 0.0
_NOISE_SAMPLES = 2 * SAMPLE_RATE_HZ
_ROUND_SAMPLES = 20 * SAMPLE_RATE_HZ
"""The test sound: noise, for longer than what is looked for in it, then silence, which costs an
encoder almost nothing; over and over, so that three hours of it are a file of 20 s."""
_PROVEN = {
    "mov": {"mp4", "mov", "3gp", "3g2"},
    "matroska": {"matroska", "webm"},
    "mpegts": {"mpegts"},
}
"""By demuxer: muxers that have given back every whole file whose first second they took."""


def is_doubtful(picture: Picture, plan: MuxPlan) -> bool:
    """Whether a container that takes the first second may still refuse the whole.

    MXF indexes no group of pictures of more than 128 frames; others have no place for some times.

    Args:
        picture: What the input is.
        plan: How the result is written.
    """
    return plan.muxer not in _PROVEN.get(picture.format_name.split(",")[0], set())


def try_together(source_file: SourceFile, picture: Picture, plan: MuxPlan, folder: Path) -> None:
    """Writes the first second of all streams together, as the mux itself will.

    Args:
        source_file: The user's file.
        picture: What it is.
        plan: What was found by asking for each stream alone.
        folder: For the trial, which is left there.

    Raises:
        MediaError: If the container refuses them, or does not give them back.
    """
    target = folder / "together"
    stems = _test_sounds(picture, plan, folder, length_s=Fraction(TRIAL_S))
    with put_covers(source_file, plan, target):
        before_s = picture.start_s - picture.container_start_s
        args = command(source_file, picture, stems, plan, target, first_s=before_s + TRIAL_S)
        try:
            run(args, stage=STAGE, subject=source_file.path)
        except FfmpegError as error:
            raise _refused(source_file, plan, why_refused(error, plan.muxer)) from error
    contents = read_contents(target, stage=STAGE)
    codec, number = picture.streams[picture.video_index].codec, contents.video_index
    if number is None:
        raise _refused(source_file, plan, f"its picture ({codec}) is not found when it is read")
    wanted = sum(
        isinstance(one, PlannedSound) or one.kind is StreamKind.AUDIO
        for one in mapped_streams(picture, plan)
    )
    found = sum(stream.kind is StreamKind.AUDIO for stream in contents.streams)
    if found != wanted:
        raise _refused(source_file, plan, f"{found} of {wanted} audio streams came back")
    packets = contents.picture_packets
    untouched = leading_sha256(source_file.path, picture.video_index, packets, stage=STAGE)
    if contents.picture_sha256 != untouched and not same_units(
        (source_file.path, picture.video_index), (target, number), codec, packets=packets
    ):
        raise _refused(source_file, plan, "the picture did not come back untouched")
    if contents.clock is not None:
        moved = moved_packets(
            Placed(path=source_file.path, start_s=picture.start_s),
            Placed(path=target, start_s=contents.clock.start_s),
            [(picture.streams[picture.video_index], contents.streams[number])],
        )
        check_times(source_file.path, picture, plan.muxer, moved.get(picture.video_index))
        listen_all(source_file.path, target, picture, stems, plan, contents, no_progress)


def _refused(source_file: SourceFile, plan: MuxPlan, why: str) -> MediaError:
    return MediaError(
        f"{STAGE}: {named(plan.muxer)} file cannot hold the streams of {source_file.path} together "
        f"({why})",
        remedy=f"Choose another container, for example: {elsewhere(source_file.path, plan.muxer)}",
    )


def dry_mux(
    source_file: SourceFile,
    picture: Picture,
    plan: MuxPlan,
    *,
    part: Path,
    folder: Path,
    progress: Progress = no_progress,
) -> ScoredVideo:
    """Does the whole mux with a quiet test sound as every programme, verifies it, and removes it.

    Args:
        source_file: The user's file.
        picture: What it is.
        plan: How it is written.
        part: Where the file is written, and removed.
        folder: For the test sound.
        progress: Called with the share that is done.

    Raises:
        MediaError: What the mux itself would raise.
    """
    with tempfile.TemporaryDirectory(prefix="dry-", dir=folder) as sounds:
        stems = _test_sounds(picture, plan, Path(sounds), length_s=picture.duration_s)
        try:
            return mux(source_file, picture, stems, plan, _NO_CEILING_DBTP, part, progress=progress)
        finally:
            part.unlink(missing_ok=True)


def _test_sounds(
    picture: Picture, plan: MuxPlan, folder: Path, *, length_s: Fraction
) -> list[Stem]:
    """Seeded noise of each number of channels, from where each mix would begin."""
    return [
        _test_sound(picture, sound, folder / f"sound-{number}.wav", length_s)
        for number, sound in enumerate(plan.encoded)
    ]


def _test_sound(picture: Picture, sound: PlannedSound, path: Path, length_s: Fraction) -> Stem:
    starts = [picture.start_s]
    if sound.index is not None:
        starts.append(picture.sound(sound.index).start_s)
    start_samples = to_samples(min(starts)) - to_samples(picture.start_s)
    length_samples = to_samples(length_s) - start_samples
    played = min(length_samples, _ROUND_SAMPLES)
    wav = write_wav(
        path, _noise(played, sound.channels), channels=sound.channels, length_samples=played
    )
    return Stem(
        kind="MIX",
        audio=wav,
        start_samples=start_samples,
        length_samples=length_samples,
        channels=sound.channels,
        round_samples=played,
    )


def _noise(length_samples: int, channels: int) -> Iterator[NDArray[np.float32]]:
    """Unlike itself at any other moment: the check of the mux finds a shift of a sample in it."""
    generator = np.random.default_rng(0)
    for at in range(0, length_samples, BLOCK_SAMPLES):
        block = np.zeros((min(BLOCK_SAMPLES, length_samples - at), channels), dtype=np.float32)
        heard = min(len(block), max(_NOISE_SAMPLES - at, 0))
        block[:heard] = _LEVEL * generator.standard_normal((heard, 1), dtype=np.float32)
        yield block
