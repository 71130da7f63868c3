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
from scorebed.stages.mux_command import command
from scorebed.stages.mux_reframed import same_units
from scorebed.stages.mux_streams import STAGE, TRIAL_S, mapped_streams
from scorebed.timecode import to_samples
from scorebed.wav import BLOCK_SAMPLES, write_wav

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from scorebed.model import MuxPlan, Picture, Progress, ScoredVideo, SourceFile

_LEVEL = 0.01
_NO_CEILING_DBTP = 0.0


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
        args = command(source_file, picture, stems, plan, target, first_s=TRIAL_S)
        try:
            run(args, stage=STAGE, subject=source_file.path)
        except FfmpegError as error:
            raise _refused(source_file, plan, error.message.rsplit(": ", 1)[-1]) from error
    contents = read_contents(target, stage=STAGE)
    wanted = sum(
        isinstance(one, PlannedSound) or one.kind is StreamKind.AUDIO
        for one in mapped_streams(picture, plan)
    )
    found = sum(stream.kind is StreamKind.AUDIO for stream in contents.streams)
    if found != wanted:
        raise _refused(source_file, plan, f"{found} of {wanted} audio streams came back")
    packets = contents.picture_packets
    untouched = leading_sha256(source_file.path, picture.video_index, packets, stage=STAGE)
    codec, number = picture.streams[picture.video_index].codec, contents.video_index or 0
    if contents.picture_sha256 != untouched and not same_units(
        (source_file.path, picture.video_index), (target, number), codec, packets=packets
    ):
        raise _refused(source_file, plan, "the picture did not come back untouched")


def _refused(source_file: SourceFile, plan: MuxPlan, why: str) -> MediaError:
    return MediaError(
        f"{STAGE}: a {plan.muxer} file cannot hold the streams of {source_file.path} together "
        f"({why})",
        remedy="Choose another container, for example: "
        f"-o {source_file.path.with_suffix('.scored.mkv').name}",
    )


def dry_mux(
    source_file: SourceFile,
    picture: Picture,
    plan: MuxPlan,
    part: Path,
    *,
    folder: Path,
    progress: Progress = no_progress,
) -> ScoredVideo:
    """Does the whole mux with a quiet test sound as every programme, and verifies it as ever.

    Args:
        source_file: The user's file.
        picture: What it is.
        plan: How it is written.
        part: Where the file is written; the caller removes it.
        folder: For the test sound.
        progress: Called with the share that is done.

    Raises:
        MediaError: What the mux itself would raise.
    """
    with tempfile.TemporaryDirectory(prefix="dry-", dir=folder) as sounds:
        stems = _test_sounds(picture, plan, Path(sounds), length_s=picture.duration_s)
        return mux(source_file, picture, stems, plan, _NO_CEILING_DBTP, part, progress=progress)


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
    wav = write_wav(
        path,
        _noise(length_samples, sound.channels),
        channels=sound.channels,
        length_samples=length_samples,
    )
    return Stem(
        kind="MIX",
        audio=wav,
        start_samples=start_samples,
        length_samples=length_samples,
        channels=sound.channels,
    )


def _noise(length_samples: int, channels: int) -> Iterator[NDArray[np.float32]]:
    """Unlike itself at any other moment: the check of the mux finds a shift of a sample in it."""
    generator = np.random.default_rng(0)
    for at in range(0, length_samples, BLOCK_SAMPLES):
        size = (min(BLOCK_SAMPLES, length_samples - at), 1)
        block = _LEVEL * generator.standard_normal(size, dtype=np.float32)
        yield np.repeat(block, channels, axis=1)
