"""Reads back what was written: the picture by its packets, the sound by decoding it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scorebed.dsp.loudness import Meter
from scorebed.errors import MediaError
from scorebed.ffmpeg import Decoding, decode_audio, on_time_line
from scorebed.model import DeliveredSound, PlannedSound, SoundKind, StreamKind, no_progress
from scorebed.packets import read_contents
from scorebed.stages.mux_codecs import elsewhere, named
from scorebed.stages.mux_reframed import same_units
from scorebed.stages.mux_streams import codec_name, mapped_streams
from scorebed.timecode import to_samples
from scorebed.wav import BLOCK_SAMPLES, read_wav

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from scorebed.model import Loudness, MuxPlan, Picture, Progress, Stem, StreamFate
    from scorebed.packets import Contents
    from scorebed.stages.mux_times import Moved

STAGE = "mux"
_MAX_SHIFT_SAMPLES = 48
"""1 ms."""
_WINDOW_BLOCKS = 4
_WINDOW_SAMPLES = _WINDOW_BLOCKS * BLOCK_SAMPLES
"""What is compared of the programme: its loudest 1.4 s."""
_SEARCH_SAMPLES = 4_800


def read_back(part: Path, path: Path, muxer: str, progress: Progress = no_progress) -> Contents:
    """Reads what was written.

    Args:
        part: What was written.
        path: The input, named in errors.
        muxer: The container, named in errors.
        progress: Called with the share that is done.

    Raises:
        MediaError: If it cannot be read.
    """
    try:
        return read_contents(part, stage=STAGE, progress=progress)
    except MediaError as error:
        raise MediaError(
            f"{STAGE}: {path} came out as {named(muxer)} file that cannot be read",
            remedy="Play the input to see whether it is damaged; or choose another container, for "
            f"example: {elsewhere(path, muxer)}",
        ) from error


def check_picture(path: Path, picture: Picture, muxer: str, part: Path, contents: Contents) -> None:
    """Refuses a delivered picture that is not the one that was given.

    Args:
        path: The input, named in errors.
        picture: What it is.
        muxer: The container, named in errors.
        part: The file that was written.
        contents: What it holds.

    Raises:
        MediaError: If payloads, number or length of frames differ.
    """
    clock = contents.clock
    if clock is None or not _is_untouched(path, picture, part, contents):
        raise MediaError(
            f"{STAGE}: the picture of {path} did not come through untouched",
            remedy=f"Choose another container, for example: {elsewhere(path, muxer)}",
        )
    # A coarse clock (1 ms, or a frame in AVI) may round both ends.
    extra = clock.frame_count - picture.frame_count
    frames_s = picture.variable_rate / picture.frame_rate
    apart_s = abs(clock.duration_s - picture.duration_s)
    if extra or apart_s > Fraction(1, 400) + frames_s:
        raise MediaError(
            f"{STAGE}: the picture of {path} came out of {muxer} with {clock.frame_count} frames "
            f"in {float(clock.duration_s):.3f} s, not {picture.frame_count} in "
            f"{float(picture.duration_s):.3f} s",
            remedy=f"Choose another container, for example: {elsewhere(path, muxer)}",
        )


def check_times(path: Path, picture: Picture, muxer: str, moved: Moved | None) -> None:
    """Refuses a container that shows the frames at other times, or in another order.

    Args:
        path: The input.
        picture: What it is.
        muxer: The container, named in errors.
        moved: The frame of the picture that was moved furthest.

    Raises:
        MediaError: If that is more than half the distance between two frames.
    """
    if moved is not None and moved.apart_s * 2 * picture.frame_rate > 1:
        codec = picture.streams[picture.video_index].codec
        raise MediaError(
            f"{STAGE}: {named(muxer)} file does not keep the times of the picture of {path} "
            f"({codec}): the frame at {float(moved.was_s):.3f} s is shown at "
            f"{float(moved.now_s):.3f} s",
            remedy=f"Choose another container, for example: {elsewhere(path, muxer)}",
        )


def _is_untouched(path: Path, picture: Picture, part: Path, contents: Contents) -> bool:
    if contents.picture_sha256 == picture.packets_sha256:
        return True
    codec = picture.streams[picture.video_index].codec
    index = contents.video_index
    return index is not None and same_units((path, picture.video_index), (part, index), codec)


def check_sounds(path: Path, picture: Picture, plan: MuxPlan, contents: Contents) -> None:
    """Refuses a delivered file that has not all audio streams that it should have.

    Args:
        path: The input, named in errors.
        picture: What it is.
        plan: How it was written.
        contents: What was written.

    Raises:
        MediaError: If one is missing, empty, or not in its place.
    """
    wanted = dict(_audio(mapped_streams(picture, plan)))
    found = [stream.index for stream in contents.streams if stream.kind is StreamKind.AUDIO]
    given = {sound.index for sound in picture.sounds}
    filled = {sound.index for sound in contents.sounds}
    empty = [
        index
        for index, one in wanted.items()
        if (one.index is None or one.index in given) and index not in filled
    ]
    if [*wanted] != found or empty:
        raise MediaError(
            f"{STAGE}: {path} came out of {plan.muxer} with the audio streams "
            f"{sorted(filled)}, not with {[*wanted]}",
            remedy=f"Choose another container, for example: {elsewhere(path, plan.muxer)}",
        )


def _audio(
    mapped: Sequence[StreamFate | PlannedSound],
) -> Iterator[tuple[int, StreamFate | PlannedSound]]:
    """The audio streams of the output with their indexes."""
    for index, one in enumerate(mapped):
        if isinstance(one, PlannedSound) or one.kind is StreamKind.AUDIO:
            yield index, one


def delivered(
    picture: Picture,
    plan: MuxPlan,
    contents: Contents,
    loudness: Sequence[Loudness],
    trims_db: Sequence[float],
) -> tuple[DeliveredSound, ...]:
    """The audio streams of the file that was written.

    Args:
        picture: What the input is.
        plan: How it was written.
        contents: What was written.
        loudness: Of each stream that was encoded, as in ``plan.encoded``.
        trims_db: Static gain that each of them got at the encoder, in dB.
    """
    channels = {sound.index: sound.channels for sound in contents.sounds}
    heard: dict[StreamFate | PlannedSound, tuple[Loudness, float]] = dict(
        zip(plan.encoded, zip(loudness, trims_db, strict=True), strict=True)
    )
    found = []
    for index, one in _audio(mapped_streams(picture, plan)):
        stream = contents.streams[index]
        measured, trim_db = heard.get(one, (None, 0.0))
        found.append(
            DeliveredSound(
                index=index,
                source=one.index,
                kind=one.kind if isinstance(one, PlannedSound) else SoundKind.UNTOUCHED,
                codec=codec_name(one, picture) if isinstance(one, PlannedSound) else one.codec,
                channels=channels.get(index, 0),
                language=stream.language,
                title=stream.title,
                default="default" in stream.disposition,
                loudness=measured,
                trim_db=round(trim_db, 3),
            )
        )
    return tuple(found)


def listen_all(
    path: Path,
    part: Path,
    picture: Picture,
    stems: Sequence[Stem],
    plan: MuxPlan,
    contents: Contents,
    progress: Progress,
) -> list[tuple[PlannedSound, Loudness]]:
    """Decodes every stream that was encoded: its loudness, and that it lies where it should.

    Args:
        path: The input, named in errors.
        part: The file that was written.
        picture: What the input is.
        stems: The streams as they were before they were encoded, as in ``plan.encoded``.
        plan: How it was written.
        contents: What was written.
        progress: Called with 0.8 to 1.

    Raises:
        MediaError: If one is too short or moved by more than 1 ms.
    """
    mapped = mapped_streams(picture, plan)
    heard = []
    for number, (sound, stem) in enumerate(zip(plan.encoded, stems, strict=True)):

        def tell(share: float, done: int = number) -> None:
            progress(0.8 + 0.2 * (done + share) / len(stems))

        wanted = stem.length_samples
        if plan.muxer == "mxf":
            # It ends with the picture.
            wanted = min(wanted, picture.length_samples - stem.start_samples)
        index = mapped.index(sound)
        loudness = _listen(path, part, index, stem, wanted, plan.muxer, contents, tell)
        heard.append((sound, loudness))
    return heard


def _listen(
    path: Path,
    part: Path,
    index: int,
    mix: Stem,
    wanted: int,
    muxer: str,
    contents: Contents,
    progress: Progress,
) -> Loudness:
    assert contents.clock is not None
    first = to_samples(contents.clock.start_s) + mix.start_samples
    window_at = _loudest(mix)
    heard = np.zeros((_WINDOW_SAMPLES + 2 * _SEARCH_SAMPLES, mix.channels), dtype=np.float32)
    meter = Meter(mix.channels)
    at = 0
    decoding = Decoding(
        path=part,
        stream_index=index,
        channels=mix.channels,
        filters=on_time_line(first, mix.channels),
    )
    for block in decode_audio(decoding, stage=STAGE):
        if mix.round_samples is None:
            # Encoders pad the last packet; what lies behind the programme is not it.
            meter.add(block[: max(mix.length_samples - at, 0)])
        _collect(heard, block, at - (window_at - _SEARCH_SAMPLES))
        at += len(block)
        progress(min(at / max(mix.length_samples, 1), 1.0))
    shift = _shift_samples(mix, window_at, heard)
    if at < wanted - _MAX_SHIFT_SAMPLES or abs(shift) > _MAX_SHIFT_SAMPLES:
        raise MediaError(
            f"{STAGE}: {named(muxer)} file does not keep the sound of {path} in sync with its "
            f"picture: it comes back moved by {shift / 48:.1f} ms, {at} of {wanted} "
            "samples long",
            remedy=f"Choose another container, for example: {elsewhere(path, muxer)}",
        )
    return meter.loudness()


def _loudest(mix: Stem) -> int:
    """Start of the loudest window of the mix, in samples from its own start."""
    powers = [float(np.square(block, dtype=np.float64).sum()) for block in read_wav(mix.audio.path)]
    windows = np.convolve(powers, np.ones(_WINDOW_BLOCKS))[_WINDOW_BLOCKS - 1 :]
    return int(np.argmax(windows)) * BLOCK_SAMPLES


def _collect(into: NDArray[np.float32], block: NDArray[np.float32], offset: int) -> None:
    """Copies the part of a block that falls into a window; ``offset`` is where the block starts."""
    first, last = max(offset, 0), min(offset + len(block), len(into))
    if first < last:
        into[first:last] = block[first - offset : last - offset]


def _shift_samples(mix: Stem, window_at: int, heard: NDArray[np.float32]) -> int:
    """How much later than in the mix the programme is heard, in samples, by correlation."""
    blocks = read_wav(mix.audio.path, start_samples=window_at, length_samples=_WINDOW_SAMPLES)
    wanted = np.concatenate([*blocks]).sum(axis=1)
    if not np.any(wanted):
        return 0
    got = heard.sum(axis=1)[: len(wanted) + 2 * _SEARCH_SAMPLES]
    size = len(got) + len(wanted)
    spectrum = np.fft.rfft(got, size) * np.conj(np.fft.rfft(wanted, size))
    likeness = np.fft.irfft(spectrum, size)[: 2 * _SEARCH_SAMPLES + 1]
    near = likeness[_SEARCH_SAMPLES - _MAX_SHIFT_SAMPLES : _SEARCH_SAMPLES + _MAX_SHIFT_SAMPLES + 1]
    best = int(np.argmax(likeness))
    # A steady tone is as like itself a period later: only a clearly better place counts.
    if likeness[best] <= 1.02 * near.max():
        return int(np.argmax(near)) - _MAX_SHIFT_SAMPLES
    return best - _SEARCH_SAMPLES
