"""Hearing a take: every file of it decoded once, with where its music begins and ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scorebed.dsp.loudness import PowerFollower
from scorebed.errors import MediaError
from scorebed.ffmpeg import decode_stereo
from scorebed.model import StreamKind
from scorebed.packets import read_contents
from scorebed.stages.conform_lay import CHANNELS
from scorebed.timecode import SAMPLE_RATE_HZ
from scorebed.wav import WavPart, wav_writer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from scorebed.model import Audio, Progress, Take, TakePiece

STAGE = "conform"
_LEAST_SAMPLES = SAMPLE_RATE_HZ
_SILENT = 1e-3
"""-60 dBFS: what is below at head and tail of a piece is not music."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A file of a take, decoded."""

    part: WavPart
    """All of it."""
    first_samples: int
    """Where its music begins."""
    last_samples: int
    """First sample after its music."""
    powers: NDArray[np.float64] | None
    """K-weighted power per 10 ms, shape (hops,); None where nothing is compared with it."""

    @property
    def length_samples(self) -> int:
        """Length of the file."""
        return self.part.length_samples

    def sounding(self, start: int, stop: int) -> tuple[int, int]:
        """Where the music of a stretch of it begins and ends; all of a stretch that is silent."""
        if start <= self.first_samples and stop >= self.last_samples:
            return self.first_samples, self.last_samples
        found = _Edges()
        for block in self.part.part(start, stop - start).blocks():
            found.add(block)
        if found.first is None:
            return start, stop
        return start + found.first, start + found.last


class _Edges:
    """Finds the first and the last sample that sound."""

    def __init__(self) -> None:
        self.first: int | None = None
        self.last = 0
        self.length = 0

    def add(self, block: Audio) -> None:
        """Takes the next block."""
        sounding = np.flatnonzero(np.abs(block).max(axis=1) > _SILENT)
        if len(sounding):
            if self.first is None:
                self.first = self.length + int(sounding[0])
            self.last = self.length + int(sounding[-1]) + 1
        self.length += len(block)


def listen(take: Take, *, folder: Path, progress: Progress) -> dict[Path, Recording]:
    """Decodes the files of a take, each once.

    Args:
        take: The music as it came.
        folder: Where they are written.
        progress: Called with the share that is done.

    Raises:
        MediaError: If one cannot be decoded or is silent.
    """
    files: dict[Path, list[TakePiece]] = {}
    for piece in take.pieces:
        files.setdefault(piece.audio.path, []).append(piece)
    whole_s = sum(piece.range.duration_s for piece in take.pieces)
    found: dict[Path, Recording] = {}
    done_s = 0.0
    for number, (path, pieces) in enumerate(files.items(), start=1):
        title = f"{take.name!r}" + (f" (piece {number})" if len(files) > 1 else "")
        progress(done_s / max(float(whole_s), 1e-9))
        found[path] = _recorded(
            folder / f"piece-{number}.decoded.wav",
            _decoded(path, title),
            title,
            own=take.own,
            follow=len(files) > 1,
        )
        done_s += sum(float(piece.range.duration_s) for piece in pieces)
    progress(1.0)
    return found


def _recorded(
    target: Path, blocks: Iterable[Audio], title: str, *, own: bool, follow: bool
) -> Recording:
    edges = _Edges()
    powers = PowerFollower(CHANNELS) if follow else None
    with wav_writer(target, channels=CHANNELS) as writer:
        for block in blocks:
            writer.write(block)
            edges.add(block)
            if powers is not None:
                powers.add(block)
    another = "another track with --music" if own else "another --seed for other music"
    if edges.first is None:
        raise MediaError(f"{STAGE}: the music {title} is silent", remedy=f"Give {another}.")
    # A scene may be shorter than a second, and its music with it.
    if own and edges.last - edges.first < _LEAST_SAMPLES:
        raise MediaError(
            f"{STAGE}: the music {title} is only "
            f"{(edges.last - edges.first) / SAMPLE_RATE_HZ:.3g} s long",
            remedy="Give a track of at least a second with --music.",
        )
    return Recording(
        part=WavPart(target, 0, edges.length),
        first_samples=edges.first,
        last_samples=edges.last,
        powers=None if powers is None else powers.powers,
    )


def _decoded(path: Path, title: str) -> Iterator[Audio]:
    try:
        contents = read_contents(path, stage=STAGE)
    except MediaError as error:
        # A person knows the track by its name, not by the workspace's copy.
        said = error.message.replace(str(path), f"the music {title}")
        raise MediaError(said, remedy="Give a music file with --music.") from error
    sound = [stream for stream in contents.streams if stream.kind is StreamKind.AUDIO]
    if not sound or contents.sound_index is None:
        raise MediaError(
            f"{STAGE}: the music {title} holds no sound that can be decoded",
            remedy="Give a music file (WAV, FLAC, MP3, M4A, OGG ...).",
        )
    for block in decode_stereo(path, contents.sound_index, stage=STAGE):
        yield np.nan_to_num(block, posinf=0, neginf=0)
