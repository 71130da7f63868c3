"""Conform: the take fitted to this picture, to the sample: in, out, joins, fades."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from scorebed.errors import MediaError
from scorebed.model import Conformed, ConformSettings, Stem, no_progress
from scorebed.stages.conform_cues import runs_of
from scorebed.stages.conform_fit import fit_runs
from scorebed.stages.conform_hear import listen
from scorebed.stages.conform_joins import matching_gains_db, measured, tapered
from scorebed.stages.conform_lay import CHANNELS, FADE_SAMPLES, REST_FADE_SAMPLES, play
from scorebed.stages.conform_place import placed
from scorebed.timecode import SAMPLE_RATE_HZ, to_samples, to_seconds
from scorebed.wav import WavPart, format_of, read_wav, watched, write_wav

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from scorebed.model import (
        Artifact,
        Audio,
        Join,
        LockReport,
        Picture,
        PieceFit,
        Progress,
        SpottingNotes,
        Take,
    )
    from scorebed.stages.conform_cues import Run, Span
    from scorebed.stages.conform_joins import Meeting
    from scorebed.stages.conform_lay import Laid

VERSION = 11
STAGE = "conform"
_NOTHING = 10 ** (-90 / 20)


def conform(
    picture: Picture,
    notes: SpottingNotes,
    take: Take,
    want: ConformSettings = ConformSettings(),  # noqa: B008 - frozen
    *,
    folder: Path,
    progress: Progress = no_progress,
) -> Conformed:
    """Makes the take exactly as long as its cues, and the stem as long as the picture.

    Each piece is fitted to its own range, between beats that sound alike and by a little stretch:
    a shorter one goes on elsewhere in itself, the last of a longer one comes to its own ending, and
    its beats are moved onto cuts (``stages.conform_fit``). Without a clear beat, or where no seam
    is good enough, the last one is faded over 4 s and a shorter one begins again with a crossfade
    of 2 s. A longer one that another follows rings over its first beat for up to 1.5 s. Where no
    cue is there is silence: what would sound on, or break off, is faded over 1.5 s up to the end of
    its cue, and music that is entered in its middle comes up in 0.5 s.

    Silence at head and tail of a user's track does not count, unless the track is as long as its
    range to half a second: then it was made for this picture, and stays as it is. What a provider
    made for the picture keeps its silences, but for a codec's delay; a first beat that comes up to
    0.3 s after a cut is moved onto it. Pieces are brought to one loudness.

    Args:
        picture: What the music is for.
        notes: The cues, and where somebody speaks.
        take: The music as it came.
        want: What may be done to make it fit.
        folder: Where ``MX.wav`` is written, unless the take is that file already.
        progress: Called with the share that is done.

    Raises:
        MediaError: If a piece cannot be decoded or is silent.
    """
    length = picture.length_samples
    cues = [(to_samples(cue.start_s), min(to_samples(cue.end_s), length)) for cue in notes.music]
    if take.fitted:
        return _conformed(_fitted(take, cues, length, folder), length, passes=1)
    recordings = listen(take, folder=folder, progress=lambda share: progress(0.4 * share))
    heard = runs_of(take, recordings, cues, length)

    def place(run: Run) -> tuple[list[Meeting], list[Laid]]:
        last = run.bounds[-1] == heard[-1].bounds[-1]
        fade = FADE_SAMPLES if last else REST_FADE_SAMPLES
        return placed(run, notes, fade_samples=fade, rest=run.bounds[-1] < length)

    fitted = fit_runs(
        heard,
        notes,
        want,
        place,
        folder=folder,
        progress=lambda share: progress(0.4 + 0.3 * share),
    )
    gains = iter(_gains_db(fitted.runs))
    laid: list[Laid] = []
    meetings: list[tuple[Run, list[Meeting]]] = []
    for run in fitted.runs:
        met, put = place(run)
        own = [next(gains) for _ in run.heard]
        laid += tapered(put, met, run.bounds, own) if any(own) or met else put
        meetings.append((run, met))
    audio = write_wav(
        folder / "MX.wav",
        watched(play(laid, 0, length), length, lambda share: progress(0.7 + 0.3 * share)),
        channels=CHANNELS,
        length_samples=length,
    )
    for path in (*(recording.part.path for recording in recordings.values()), *fitted.paths):
        path.unlink()
    read = WavPart.whole(audio.path).read
    return _conformed(
        audio,
        length,
        passes=max((piece.passes for piece in laid), default=1),
        fade_out_s=to_seconds(laid[-1].fade_samples if laid else 0),
        joins=tuple(join for run, met in meetings for join in measured(met, run.bounds, read)),
        covers=tuple(
            piece.part.length_samples / max(end - start, 1)
            for run in heard
            for piece, (start, end) in zip(run.heard, pairwise(run.bounds), strict=True)
        ),
        fits=fitted.fits,
        lock=fitted.lock,
    )


def _gains_db(runs: Sequence[Run]) -> list[float]:
    """What brings all pieces of all cues to one loudness."""
    heard = [piece for run in runs for piece in run.heard]
    lengths = [end - start for run in runs for start, end in pairwise(run.bounds)]
    return matching_gains_db(heard, lengths) if heard else []


def _conformed(
    audio: Artifact,
    length: int,
    *,
    passes: int,
    fade_out_s: Fraction = Fraction(0),
    joins: tuple[Join, ...] = (),
    covers: tuple[float, ...] = (1.0,),
    fits: tuple[PieceFit, ...] = (),
    lock: LockReport | None = None,
) -> Conformed:
    return Conformed(
        mx=Stem(kind="MX", audio=audio, start_samples=0, length_samples=length, channels=CHANNELS),
        passes=passes,
        fade_out_s=fade_out_s,
        joins=joins,
        covers=covers,
        fits=fits,
        lock=lock,
    )


def _fitted(take: Take, cues: Sequence[Span], length: int, folder: Path) -> Artifact:
    """A fitted take, or a copy with silence up to the picture's end."""
    audio = take.pieces[0].audio
    cued = min(to_samples(take.pieces[-1].range.end_s), length)
    found = format_of(audio.path)
    if len(take.pieces) > 1 or (found.sample_rate_hz, found.channels, found.length_samples) != (
        SAMPLE_RATE_HZ,
        CHANNELS,
        cued,
    ):
        raise _does_not_fit(
            take,
            f"it has {found.length_samples} samples in {found.channels} channels at "
            f"{found.sample_rate_hz} Hz in {len(take.pieces)} piece(s), not "
            f"{cued} in {CHANNELS} at {SAMPLE_RATE_HZ}",
        )
    ends = [0, *(end for _, end in cues)]
    for (first, _), before in zip(cues, ends, strict=False):
        for block in read_wav(audio.path, start_samples=before, length_samples=first - before):
            if np.abs(block).max(initial=0.0) > _NOTHING:
                raise _does_not_fit(
                    take,
                    f"it sounds between {float(to_seconds(before)):.3f} s and "
                    f"{float(to_seconds(first)):.3f} s, where no music is wanted",
                )
    if cued == length:
        return audio
    return write_wav(
        folder / "MX.wav",
        _padded(audio.path, length - cued),
        channels=CHANNELS,
        length_samples=length,
    )


def _does_not_fit(take: Take, why: str) -> MediaError:
    return MediaError(
        f"{STAGE}: the provider {take.provider!r} said that its take fits the picture; {why}",
        remedy="Report this to whoever made the provider.",
    )


def _padded(path: Path, silence: int) -> Iterator[Audio]:
    yield from read_wav(path)
    yield from play((), 0, silence)
