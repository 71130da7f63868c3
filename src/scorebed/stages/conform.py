"""Conform: the take fitted to this picture, to the sample: in, out, joins, fades."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from scorebed.dsp.loudness import POWER_HOP_SAMPLES, PowerFollower, integrated_lufs
from scorebed.errors import MediaError
from scorebed.ffmpeg import decode_stereo
from scorebed.model import Conformed, Stem, StreamKind, no_progress
from scorebed.packets import read_contents
from scorebed.stages.conform_joins import matching_gains_db, measured, tapered
from scorebed.stages.conform_lay import CHANNELS, DELAY_SAMPLES, Heard, play
from scorebed.stages.conform_place import placed
from scorebed.timecode import SAMPLE_RATE_HZ, to_samples, to_seconds
from scorebed.wav import WavPart, format_of, read_wav, wav_writer, write_wav

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from scorebed.model import (
        Artifact,
        Audio,
        Join,
        Picture,
        Progress,
        SpottingNotes,
        Take,
    )

VERSION = 5
STAGE = "conform"
_LEAST_SAMPLES = SAMPLE_RATE_HZ
_SILENT = 1e-3
"""-60 dBFS: what is below at head and tail of a piece is not music."""
_ALIKE_SAMPLES = SAMPLE_RATE_HZ // 2
"""A track whose length differs from the picture's by no more was made for it."""


def conform(
    picture: Picture,
    notes: SpottingNotes,
    take: Take,
    *,
    folder: Path,
    progress: Progress = no_progress,
) -> Conformed:
    """Makes the take exactly as long as its cue, and the stem as long as the picture.

    Each piece is fitted to its own range: a longer one rings over the next one's first beat for up
    to 1.5 s, the last is faded over 4 s; a shorter one begins again with a crossfade of 2 s.
    Silence at head and tail of a user's track does not count, unless the track is as long as its
    range to half a second: then it was made for this picture, and stays as it is. What a provider
    made for the picture keeps its silences, but for a codec's delay; a first beat that comes up to
    0.3 s after a cut is moved onto it. Pieces are brought to one loudness.

    Args:
        picture: What the music is for.
        notes: Where somebody speaks.
        take: The music as it came.
        folder: Where ``MX.wav`` is written, unless the take is that file already.
        progress: Called with the share that is done.

    Raises:
        MediaError: If a piece cannot be decoded or is silent.
    """
    length = picture.length_samples
    bounds = [to_samples(piece.range.start_s) for piece in take.pieces]
    bounds.append(min(to_samples(take.pieces[-1].range.end_s), length))
    if take.fitted:
        return _conformed(_fitted(take, bounds[-1], length, folder), length, passes=1)
    heard = _hear(take, bounds, folder, lambda share: progress(0.5 * share))
    meetings, laid = placed(heard, bounds, notes)
    if meetings:
        lengths = [end - start for start, end in pairwise(bounds)]
        laid = tapered(laid, meetings, bounds, matching_gains_db(heard, lengths))
    audio = write_wav(
        folder / "MX.wav",
        _watched(play(laid, 0, length), length, lambda share: progress(0.5 + 0.5 * share)),
        channels=CHANNELS,
        length_samples=length,
    )
    for piece in heard:
        piece.part.path.unlink()
    return _conformed(
        audio,
        length,
        passes=max(piece.passes for piece in laid),
        fade_out_s=to_seconds(laid[-1].fade_samples),
        joins=measured(meetings, bounds, WavPart.whole(audio.path).read),
        covers=tuple(
            piece.part.length_samples / max(end - start, 1)
            for piece, (start, end) in zip(heard, pairwise(bounds), strict=True)
        ),
    )


def _conformed(
    audio: Artifact,
    length: int,
    *,
    passes: int,
    fade_out_s: Fraction = Fraction(0),
    joins: tuple[Join, ...] = (),
    covers: tuple[float, ...] = (1.0,),
) -> Conformed:
    return Conformed(
        mx=Stem(kind="MX", audio=audio, start_samples=0, length_samples=length, channels=CHANNELS),
        passes=passes,
        fade_out_s=fade_out_s,
        joins=joins,
        covers=covers,
    )


def _fitted(take: Take, cued: int, length: int, folder: Path) -> Artifact:
    """A fitted take, or a copy with silence up to the picture's end."""
    audio = take.pieces[0].audio
    found = format_of(audio.path)
    if len(take.pieces) > 1 or (found.sample_rate_hz, found.channels, found.length_samples) != (
        SAMPLE_RATE_HZ,
        CHANNELS,
        cued,
    ):
        raise MediaError(
            f"{STAGE}: the provider {take.provider!r} said that its take fits the picture; it has "
            f"{found.length_samples} samples in {found.channels} channels at "
            f"{found.sample_rate_hz} Hz in {len(take.pieces)} piece(s), not "
            f"{cued} in {CHANNELS} at {SAMPLE_RATE_HZ}",
            remedy="Report this to whoever made the provider.",
        )
    if cued == length:
        return audio
    return write_wav(
        folder / "MX.wav",
        _padded(audio.path, length - cued),
        channels=CHANNELS,
        length_samples=length,
    )


def _padded(path: Path, silence: int) -> Iterator[Audio]:
    yield from read_wav(path)
    yield from play((), 0, silence)


# --- reading the take --------------------------------------------------------------------------


def _hear(take: Take, bounds: Sequence[int], folder: Path, progress: Progress) -> list[Heard]:
    """Decodes all pieces."""
    heard = []
    several = len(take.pieces) > 1
    for number, (start, end) in enumerate(pairwise(bounds)):
        title = f"{take.name!r}" + (f" (piece {number + 1})" if several else "")
        listener = _Listener(take, title, end - start, follow=several)
        target = folder / f"piece-{number + 1}.decoded.wav"
        share = (start - bounds[0]) / max(bounds[-1] - bounds[0], 1)
        with wav_writer(target, channels=CHANNELS) as writer:
            for block in _decoded(take.pieces[number].audio.path, title):
                writer.write(block)
                listener.add(block)
                progress(share)
        heard.append(listener.heard(target))
    progress(1.0)
    return heard


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


class _Listener:
    """Finds where the music of a piece begins and ends, and how loud it is.

    Args:
        take: What it belongs to.
        title: Named in errors.
        length: Length of its range in samples.
        follow: Whether its loudness is needed.
    """

    def __init__(self, take: Take, title: str, length: int, *, follow: bool) -> None:
        self._take = take
        self._title = title
        self._length = length
        self._powers = PowerFollower(CHANNELS) if follow else None
        self._first: int | None = None
        self._last = 0
        self._at = 0

    def add(self, block: Audio) -> None:
        """Takes the next block."""
        sounding = np.flatnonzero(np.abs(block).max(axis=1) > _SILENT)
        if len(sounding):
            if self._first is None:
                self._first = self._at + int(sounding[0])
            self._last = self._at + int(sounding[-1]) + 1
        self._at += len(block)
        if self._powers is not None:
            self._powers.add(block)

    def heard(self, path: Path) -> Heard:
        """The piece, decoded to ``path``, without the silence at its head and tail."""
        first, last = self._first, self._last
        file = self._take.provider == "file"
        another = "another track with --music" if file else "another --seed for other music"
        if first is None:
            raise MediaError(
                f"{STAGE}: the music {self._title} is silent", remedy=f"Give {another}."
            )
        # A scene may be shorter than a second, and its music with it.
        if file and last - first < _LEAST_SAMPLES:
            raise MediaError(
                f"{STAGE}: the music {self._title} is only {(last - first) / SAMPLE_RATE_HZ:.2f} s "
                "long",
                remedy="Give a track of at least a second with --music.",
            )
        lufs = None
        if self._powers is not None:
            played = slice(
                first // POWER_HOP_SAMPLES,
                -(-min(last, first + self._length) // POWER_HOP_SAMPLES),
            )
            lufs = integrated_lufs(self._powers.powers[played])
        exact = file and abs(self._at - self._length) <= _ALIKE_SAMPLES
        return Heard(
            part=WavPart(path, first, last - first),
            head_samples=first,
            meant=exact or (not file and first > DELAY_SAMPLES),
            reaches_samples=last if file else self._at,
            exact=exact,
            lufs=lufs,
        )


def _watched(blocks: Iterator[Audio], length: int, progress: Progress) -> Iterator[Audio]:
    done = 0
    for block in blocks:
        done += len(block)
        yield block
        progress(float(Fraction(done, max(length, 1))))
