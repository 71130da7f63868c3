"""Float WAV between stages: written and read in blocks, never whole."""

from __future__ import annotations

import errno
import hashlib
import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from scorebed.model import Artifact, Audio, Progress, Stem
from scorebed.timecode import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK_SAMPLES = 15_360
"""Samples per channel of one block: 320 ms, whole hops of every meter. One of 7.1 and its copies
stay in the processor's cache, and under the size for which the system is asked each time."""
_RF64_FROM_BYTES = 4_000_000_000
_ASK_BYTES = 1 << 16
_SET_ADD_PEAK_CHUNK = 0x1050


def _name(path: Path) -> str | bytes:
    """A name that soundfile opens whatever bytes it holds."""
    return os.fsencode(path) if os.name == "posix" else str(path)


@dataclass(frozen=True, slots=True)
class WavFormat:
    """What the header of a WAV says."""

    sample_rate_hz: int
    channels: int
    length_samples: int


def format_of(path: Path) -> WavFormat:
    """Rate in hertz, channels, and length in samples per channel."""
    with soundfile.SoundFile(_name(path)) as file:
        return WavFormat(int(file.samplerate), int(file.channels), int(file.frames))


def sha256_of(path: Path) -> str:
    """Hash of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class WavWriter:
    """An open WAV; ``length_samples`` counts what was written."""

    def __init__(self, file: soundfile.SoundFile, path: Path) -> None:
        self._file = file
        self._path = path
        self.length_samples = 0

    def write(self, block: Audio) -> None:
        """Appends a block of shape (samples, channels).

        Raises:
            OSError: If the disk is full.
        """
        try:
            self._file.write(np.ascontiguousarray(block, dtype=np.float32))
        except AssertionError as error:
            # soundfile asserts that all was written: less was, so there was no room.
            _ask_why(self._path)
            raise OSError(errno.ENOSPC, f"{self._path} could not be written whole") from error
        self.length_samples += len(block)


@contextmanager
def wav_writer(
    path: Path, *, channels: int, expected_samples: int | None = None
) -> Iterator[WavWriter]:
    """Opens a 48 kHz float32 WAV for writing in blocks.

    Args:
        path: Where to.
        channels: Number of channels.
        expected_samples: Length when it is known; a WAV of an unknown or a large length (over
            4 GB) is written as RF64, which has no limit.
    """
    large = expected_samples is None or expected_samples * channels * 4 > _RF64_FROM_BYTES
    with (
        _libsndfile(path),
        soundfile.SoundFile(
            _name(path),
            "w",
            SAMPLE_RATE_HZ,
            channels,
            format="RF64" if large else "WAV",
            subtype="FLOAT",
        ) as file,
    ):
        # libsndfile puts the time of day into a PEAK chunk: two equal takes would differ.
        soundfile._snd.sf_command(  # noqa: SLF001 - soundfile has no public way
            file._file,  # noqa: SLF001
            _SET_ADD_PEAK_CHUNK,
            soundfile._ffi.NULL,  # noqa: SLF001
            0,
        )
        yield WavWriter(file, path)


@contextmanager
def _libsndfile(path: Path) -> Iterator[None]:
    """Says as an OSError what libsndfile says in words of its own, or only as a short count."""
    try:
        yield
    except soundfile.LibsndfileError as error:
        _ask_why(path)
        raise OSError(errno.EIO, f"{path}: {error}") from error


def _ask_why(path: Path) -> None:
    """What libsndfile keeps to itself: the operating system is asked again, and says it."""
    with path.open("ab", buffering=0) as file:
        file.write(bytes(_ASK_BYTES))


def write_wav(
    path: Path, blocks: Iterable[Audio], *, channels: int, length_samples: int
) -> Artifact:
    """Writes a 48 kHz float32 WAV (RF64 when it passes 4 GB).

    Args:
        path: Where to.
        blocks: Arrays of shape (samples, channels), in order.
        channels: Number of channels.
        length_samples: How many samples the blocks hold together.

    Raises:
        ValueError: If the blocks hold another number of samples.
        OSError: If the disk is full.
    """
    with wav_writer(path, channels=channels, expected_samples=length_samples) as writer:
        for block in blocks:
            writer.write(block)
        written = writer.length_samples
    if written != length_samples:
        raise ValueError(f"{path.name}: {written} samples written, {length_samples} promised")
    return Artifact(path=path, sha256=sha256_of(path))


def write_array(path: Path, array: NDArray[Any]) -> Artifact:
    """Writes an array as numpy reads it.

    Args:
        path: Where to.
        array: Small enough to be held twice.

    Raises:
        OSError: If the disk is full.
    """
    # To a file numpy writes by itself, and does not say why it could not write all.
    whole = io.BytesIO()
    np.save(whole, array)
    path.write_bytes(whole.getvalue())
    return Artifact(path=path, sha256=sha256_of(path))


def read_wav(
    path: Path, *, start_samples: int = 0, length_samples: int | None = None
) -> Iterator[Audio]:
    """Reads a WAV in blocks of shape (samples, channels), float32.

    Args:
        path: A 48 kHz WAV.
        start_samples: First sample to read, from the start of the file.
        length_samples: How many; None for all that follow.
    """
    with soundfile.SoundFile(_name(path)) as file:
        file.seek(start_samples)
        left = file.frames - start_samples if length_samples is None else length_samples
        while left > 0:
            block = file.read(min(left, BLOCK_SAMPLES), dtype="float32", always_2d=True)
            if not len(block):
                return
            left -= len(block)
            yield block


def watched(blocks: Iterable[Audio], length_samples: int, progress: Progress) -> Iterator[Audio]:
    """Hands blocks on and tells how far they have come.

    Args:
        blocks: Each of shape (samples, channels).
        length_samples: Of all of them.
        progress: Called with the share that is done, after each.
    """
    done = 0
    for block in blocks:
        yield block
        done += len(block)
        progress(done / max(length_samples, 1))


def read_stem(stem: Stem, *, start_samples: int, length_samples: int) -> Iterator[Audio]:
    """Reads a stretch of the picture's time line from a stem, its gain applied.

    Where the stem does not reach, the blocks are silent, so that the result always has
    ``length_samples`` samples in blocks of ``BLOCK_SAMPLES`` (the last one shorter).

    Args:
        stem: What to read.
        start_samples: Position on the picture's time line; may be negative.
        length_samples: How many samples.
    """
    gain = np.float32(10 ** (stem.gain_db / 20))
    with soundfile.SoundFile(_name(stem.audio.path)) as file:
        for at in range(start_samples, start_samples + length_samples, BLOCK_SAMPLES):
            size = min(BLOCK_SAMPLES, start_samples + length_samples - at)
            block = np.zeros((size, stem.channels), dtype=np.float32)
            first = max(at, stem.start_samples)
            last = min(at + size, stem.end_samples)
            if first < last:
                file.seek(first - stem.start_samples)
                got = file.read(last - first, dtype="float32", always_2d=True)
                block[first - at : first - at + len(got)] = got * gain
            yield block


@dataclass(frozen=True, slots=True)
class WavPart:
    """A stretch of a 48 kHz WAV that is read here and there, a block at a time."""

    path: Path
    start_samples: int
    length_samples: int

    @staticmethod
    def whole(path: Path) -> WavPart:
        """All of a WAV."""
        return WavPart(path, 0, format_of(path).length_samples)

    def part(self, start_samples: int, length_samples: int) -> WavPart:
        """A stretch of this one."""
        return WavPart(self.path, self.start_samples + start_samples, length_samples)

    def blocks(self) -> Iterator[Audio]:
        """All of it, in blocks of shape (samples, channels)."""
        return read_wav(
            self.path, start_samples=self.start_samples, length_samples=self.length_samples
        )

    def read(self, start_samples: int, length_samples: int) -> Audio:
        """A stretch of it, shape (samples, channels), float32."""
        with soundfile.SoundFile(_name(self.path)) as file:
            file.seek(self.start_samples + start_samples)
            block: Audio = file.read(length_samples, dtype="float32", always_2d=True)
            return block
