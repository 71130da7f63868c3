"""Conform: the take fitted to this picture, to the sample: in, out, joins, fades."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from scorebed.errors import MediaError
from scorebed.ffmpeg import Decoding, decode_audio
from scorebed.model import Artifact, Conformed, Stem, StreamKind, no_progress
from scorebed.packets import read_contents
from scorebed.timecode import SAMPLE_RATE_HZ, to_seconds
from scorebed.wav import BLOCK_SAMPLES, WavPart, format_of, wav_writer, write_wav

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from scorebed.model import Audio, Picture, Progress, Take

VERSION = 1
STAGE = "conform"
_CHANNELS = 2
_JOIN_SAMPLES = 2 * SAMPLE_RATE_HZ
"""Crossfade where a short take begins again."""
_FADE_SAMPLES = 4 * SAMPLE_RATE_HZ
"""Fade-out of a take that is cut short."""
_LEAST_SAMPLES = SAMPLE_RATE_HZ
_EDGE_SAMPLES = 240
"""5 ms: a take that is cut does not click."""
_SILENT = 1e-3
"""-60 dBFS: what is below at head and tail of a take is not music."""


def conform(
    picture: Picture, take: Take, *, folder: Path, progress: Progress = no_progress
) -> Conformed:
    """Makes the take exactly as long as the picture.

    A take that is too long is faded out over its last 4 s; one that is too short begins again
    with a crossfade of 2 s. Silence at its head and tail does not count.

    Args:
        picture: What the music is for.
        take: The music as it came.
        folder: Where ``MX.wav`` is written, unless the take is fitted already.
        progress: Called with the share that is done.

    Raises:
        MediaError: If the take cannot be decoded or is silent.
    """
    length = picture.length_samples
    if take.fitted:
        _require_fitted(take, length)
        return _conformed(take.audio, length, passes=1, fade_samples=0)
    decoded = folder / "take.decoded.wav"
    _decode(take, decoded, lambda share: progress(0.5 * share))
    part = _music_in(take, decoded)
    passes, blocks, fade_samples = _fit(part, length)
    audio = write_wav(
        folder / "MX.wav",
        _watched(blocks, length, lambda share: progress(0.5 + 0.5 * share)),
        channels=_CHANNELS,
        length_samples=length,
    )
    decoded.unlink()
    return _conformed(audio, length, passes=passes, fade_samples=fade_samples)


def _conformed(audio: Artifact, length: int, *, passes: int, fade_samples: int) -> Conformed:
    mx = Stem(kind="MX", audio=audio, start_samples=0, length_samples=length, channels=_CHANNELS)
    return Conformed(mx=mx, passes=passes, fade_out_s=to_seconds(fade_samples))


def _require_fitted(take: Take, length: int) -> None:
    found = format_of(take.audio.path)
    if (found.sample_rate_hz, found.channels, found.length_samples) != (
        SAMPLE_RATE_HZ,
        _CHANNELS,
        length,
    ):
        raise MediaError(
            f"{STAGE}: the provider {take.provider!r} said that its take fits the picture; it has "
            f"{found.length_samples} samples in {found.channels} channels at "
            f"{found.sample_rate_hz} Hz, not "
            f"{length} in {_CHANNELS} at {SAMPLE_RATE_HZ}",
            remedy="Report this to whoever made the provider.",
        )


# --- reading the take --------------------------------------------------------------------------


def _decode(take: Take, target: Path, progress: Progress) -> None:
    path = take.audio.path
    contents = read_contents(path, stage=STAGE)
    sound = [stream for stream in contents.streams if stream.kind is StreamKind.AUDIO]
    if not sound or contents.sound_index is None:
        raise MediaError(
            f"{STAGE}: the music {take.name!r} holds no sound that can be decoded",
            remedy="Give a music file (WAV, FLAC, MP3, M4A, OGG ...).",
        )
    decoding = Decoding(
        path=path,
        stream_index=contents.sound_index,
        channels=_CHANNELS,
        filters="aresample=48000:filter_size=64,aformat=channel_layouts=stereo",
    )
    with wav_writer(target, channels=_CHANNELS) as writer:
        for block in decode_audio(decoding, stage=STAGE):
            writer.write(np.nan_to_num(block, posinf=0, neginf=0))
            progress(0.5)


def _music_in(take: Take, decoded: Path) -> WavPart:
    """The decoded take without the silence at its head and tail."""
    first: int | None = None
    last = at = 0
    whole = WavPart.whole(decoded)
    for block in whole.blocks():
        heard = np.flatnonzero(np.abs(block).max(axis=1) > _SILENT)
        if len(heard):
            first = at + int(heard[0]) if first is None else first
            last = at + int(heard[-1]) + 1
        at += len(block)
    if first is None:
        raise MediaError(
            f"{STAGE}: the music {take.name!r} is silent",
            remedy="Give another track with --music.",
        )
    if last - first < _LEAST_SAMPLES:
        raise MediaError(
            f"{STAGE}: the music {take.name!r} is only {(last - first) / SAMPLE_RATE_HZ:.2f} s "
            "long",
            remedy="Give a track of at least a second with --music.",
        )
    return whole.part(first, last - first)


# --- fitting -----------------------------------------------------------------------------------


def _fit(part: WavPart, length: int) -> tuple[int, Iterator[Audio], int]:
    """Passes, blocks of exactly ``length`` samples, and the fade at the end in samples."""
    join = min(_JOIN_SAMPLES, part.length_samples // 2)
    step = part.length_samples - join
    passes = 1 if part.length_samples >= length else 1 + -(-(length - part.length_samples) // step)
    played = part.length_samples + (passes - 1) * step
    fade = 0 if played == length else min(_FADE_SAMPLES, length // 2)
    return passes, _play(part, length, step, join, passes, fade), fade


def _play(
    part: WavPart, length: int, step: int, join: int, passes: int, fade: int
) -> Iterator[Audio]:
    for at in range(0, length, BLOCK_SAMPLES):
        size = min(BLOCK_SAMPLES, length - at)
        block = np.zeros((size, _CHANNELS), dtype=np.float32)
        # Only the passes that reach into this block: a short take over a long film has thousands.
        earliest = max(0, (at - part.length_samples) // step)
        for number in range(earliest, min(passes, (at + size) // step + 1)):
            begin = number * step
            first = max(at, begin)
            last = min(at + size, begin + part.length_samples)
            if first < last:
                inside = np.arange(first - begin, last - begin)
                gain = _joins(inside, part.length_samples, join, number, passes)
                block[first - at : last - at] += part.read(first - begin, last - first) * gain
        positions = np.arange(at, at + size)
        yield block * _edges(positions, length, fade)


def _joins(
    inside: NDArray[np.int64], length: int, join: int, number: int, passes: int
) -> NDArray[np.float32]:
    """Equal-power crossfades of a pass with its neighbours."""
    gain = np.ones(len(inside), dtype=np.float64)
    if number > 0 and join:
        gain *= np.sin(np.clip(inside / join, 0, 1) * np.pi / 2)
    if number < passes - 1 and join:
        gain *= np.sin(np.clip((length - inside) / join, 0, 1) * np.pi / 2)
    return gain.astype(np.float32)[:, np.newaxis]


def _edges(positions: NDArray[np.int64], length: int, fade: int) -> NDArray[np.float32]:
    """A 5 ms start and the fade at the end, as squared cosine."""
    rise = np.clip((positions + 1) / min(_EDGE_SAMPLES, max(length, 1)), 0, 1)
    fall = np.clip((length - 1 - positions) / max(fade, min(_EDGE_SAMPLES, length)), 0, 1)
    gain = np.sin(rise * np.pi / 2) ** 2 * np.sin(fall * np.pi / 2) ** 2
    return np.asarray(gain, dtype=np.float32)[:, np.newaxis]


def _watched(blocks: Iterator[Audio], length: int, progress: Progress) -> Iterator[Audio]:
    done = 0
    for block in blocks:
        done += len(block)
        yield block
        progress(float(Fraction(done, max(length, 1))))
