"""Mix: production audio and ducked music become the programme, at delivery loudness.

One static gain for both and a true-peak limiter, nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from scorebed.dsp.gain import curve_gain
from scorebed.model import GainCurve, LoudnessTarget, Mixed, Stem
from scorebed.stages.limited import write_limited
from scorebed.wav import read_stem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scorebed.model import Audio, Ducked, Levelled, Progress

VERSION: Final = 3
_STEREO: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bed:
    """What is mixed, and where it lies."""

    dx: Stem | None
    mx: Stem
    curve: GainCurve
    start_samples: int
    length_samples: int
    channels: int


def mix(
    levelled: Levelled,
    ducked: Ducked,
    target: LoudnessTarget,
    picture_samples: int,
    *,
    folder: Path,
    progress: Progress,
) -> Mixed:
    """Writes ``MIX.wav``.

    It covers the picture and all of the production audio. Mono and stereo give stereo (mono on
    both sides, unchanged), 5.1 and 7.1 stay; the music is in the front pair. A programme without
    loudness keeps its gain and is only held under the ceiling.

    Args:
        levelled: Production audio and music.
        ducked: The gain curve of the music.
        target: Loudness and ceiling.
        picture_samples: Length of the picture in samples.
        folder: Where the file is written.
        progress: Called with the share that is done.
    """
    bed = _bed(levelled, ducked, picture_samples)
    audio, loudness, delivery = write_limited(
        folder / "MIX.wav",
        lambda: _summed(bed),
        channels=bed.channels,
        length_samples=bed.length_samples,
        target=target,
        progress=progress,
    )
    stem = Stem(
        kind="MIX",
        audio=audio,
        start_samples=bed.start_samples,
        length_samples=bed.length_samples,
        channels=bed.channels,
    )
    return Mixed(
        mix=stem,
        loudness=loudness,
        gain_db=delivery.gain_db,
        limited_db=delivery.deepest_db,
    )


def _bed(levelled: Levelled, ducked: Ducked, picture_samples: int) -> _Bed:
    dx = levelled.dx
    start_samples = 0 if dx is None else min(0, dx.start_samples)
    end_samples = picture_samples if dx is None else max(picture_samples, dx.end_samples)
    return _Bed(
        dx=dx,
        mx=levelled.mx,
        curve=ducked.curve,
        start_samples=start_samples,
        length_samples=end_samples - start_samples,
        channels=_STEREO if dx is None else max(_STEREO, dx.channels),
    )


def _summed(bed: _Bed) -> Iterator[Audio]:
    """Production audio plus music under its curve, at unity."""
    stems = [bed.mx] if bed.dx is None else [bed.mx, bed.dx]
    span = {"start_samples": bed.start_samples, "length_samples": bed.length_samples}
    at_samples = bed.start_samples
    for music, *production in zip(*(read_stem(stem, **span) for stem in stems), strict=True):
        block = np.zeros((len(music), bed.channels), dtype=np.float32)
        for dialogue in production:
            # A mono voice goes to both sides as it is; any other layout is the programme's own.
            block[:, : max(_STEREO, dialogue.shape[1])] = dialogue
        gain = curve_gain(bed.curve, at_samples, len(music))
        block[:, :_STEREO] += music * gain[:, np.newaxis]
        at_samples += len(music)
        yield block
