"""Mix: production audio and ducked music become the programme, at delivery loudness.

One static gain for both and a true-peak limiter, nothing else. The gain is found by arithmetic on
what a first pass measured; a second pass writes the file and measures it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from scorebed.dsp.delivery import Delivery, Programme, deliver
from scorebed.dsp.gain import curve_gain
from scorebed.dsp.limiter import limit
from scorebed.dsp.loudness import Meter, PowerFollower
from scorebed.dsp.peak import PeakFollower
from scorebed.model import GainCurve, LoudnessTarget, Mixed, Stem, no_progress
from scorebed.wav import read_stem, write_wav

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from scorebed.model import Artifact, Audio, Ducked, Levelled, Loudness, Progress

VERSION: Final = 1
_MAX_RENDERS: Final = 3
"""The first is right nearly always; the others correct what it was measured to miss."""
_CLOSE_LU: Final = 0.05
_SURVEY_SHARE: Final = 0.4
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
    programme = _survey(bed, lambda done: progress(_SURVEY_SHARE * done))
    aim, watched = target, lambda done: progress(_SURVEY_SHARE + (1.0 - _SURVEY_SHARE) * done)
    for _ in range(_MAX_RENDERS):
        delivery = deliver(programme, aim)
        audio, loudness = _render(bed, delivery, folder / "MIX.wav", watched)
        corrected = _corrected(aim, target, delivery, loudness)
        if corrected is None:
            break
        aim, watched = corrected, no_progress
    progress(1.0)
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


def _survey(bed: _Bed, progress: Progress) -> Programme:
    """Loudness and peaks of the programme at unity."""
    follower, peak_follower = PowerFollower(bed.channels), PeakFollower(bed.channels)
    peaks = []
    for block in _watched(_summed(bed), bed.length_samples, progress):
        follower.add(block)
        peaks.append(peak_follower.add(block))
    envelope = np.concatenate([*peaks, peak_follower.rest()])
    return Programme(powers=follower.powers, envelope=envelope)


def _render(
    bed: _Bed, delivery: Delivery, path: Path, progress: Progress
) -> tuple[Artifact, Loudness]:
    """Writes the programme with its delivery gain and measures what was written."""
    meter = Meter(bed.channels)

    def metered() -> Iterator[Audio]:
        limited = limit(_summed(bed), delivery.reduction_db, gain_db=delivery.gain_db)
        for block in _watched(limited, bed.length_samples, progress):
            meter.add(block)
            yield block

    audio = write_wav(path, metered(), channels=bed.channels, length_samples=bed.length_samples)
    return audio, meter.loudness()


def _watched(blocks: Iterable[Audio], length_samples: int, progress: Progress) -> Iterator[Audio]:
    done = 0
    for block in blocks:
        yield block
        done += len(block)
        progress(done / length_samples)


def _corrected(
    aim: LoudnessTarget, target: LoudnessTarget, delivery: Delivery, measured: Loudness
) -> LoudnessTarget | None:
    """Where to aim next, so that the target is met; None when it is."""
    if measured.integrated_lufs is None or measured.true_peak_dbtp is None:
        return None
    missing_lu = 0.0 if delivery.capped else target.integrated_lufs - measured.integrated_lufs
    over_db = measured.true_peak_dbtp - target.true_peak_dbtp
    if abs(missing_lu) <= _CLOSE_LU and over_db <= 0.0:
        return None
    return LoudnessTarget(
        integrated_lufs=aim.integrated_lufs + missing_lu,
        true_peak_dbtp=aim.true_peak_dbtp - max(0.0, over_db),
    )
