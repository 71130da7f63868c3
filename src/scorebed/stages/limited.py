"""Sound brought to a loudness under a ceiling: one static gain and the true-peak limiter.

The gain is found by arithmetic on what a first pass measured; a second pass writes the file and
measures it again. For the programme, and for music that its level would bring over the ceiling.
"""

from __future__ import annotations

from array import array
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from scorebed.dsp.delivery import Delivery, Programme, deliver
from scorebed.dsp.limiter import limit, reductions
from scorebed.dsp.loudness import Meter, PowerFollower
from scorebed.dsp.peak import PeakFollower
from scorebed.model import no_progress
from scorebed.wav import write_wav

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from scorebed.model import Artifact, Audio, Loudness, LoudnessTarget, Progress

_MAX_RENDERS: Final = 3
"""The first is right nearly always; the others correct what it was measured to miss."""
_CLOSE_LU: Final = 0.05
_SURVEY_SHARE: Final = 0.4


def write_limited(
    path: Path,
    play: Callable[[], Iterator[Audio]],
    *,
    channels: int,
    length_samples: int,
    target: LoudnessTarget,
    progress: Progress,
) -> tuple[Artifact, Loudness, Delivery]:
    """Writes sound at a loudness, under a ceiling.

    Args:
        path: The WAV.
        play: Gives the sound at unity from its start, as often as it is called.
        channels: Number of channels.
        length_samples: Length in samples per channel.
        target: Loudness and ceiling.
        progress: Called with the share that is done.

    Returns:
        The file, what was measured of it, and gain and limiting that it took.
    """
    programme = _survey(play, channels, length_samples, lambda done: progress(_SURVEY_SHARE * done))
    aim, watched = target, lambda done: progress(_SURVEY_SHARE + (1.0 - _SURVEY_SHARE) * done)
    for _ in range(_MAX_RENDERS):
        delivery = deliver(programme, aim)
        reductions_db = reductions(
            programme.envelope, gain_db=delivery.gain_db, ceiling_dbtp=aim.true_peak_dbtp
        )
        meter = Meter(channels)
        audio = write_wav(
            path,
            _metered(
                limit(play(), reductions_db, gain_db=delivery.gain_db),
                meter,
                length_samples,
                watched,
            ),
            channels=channels,
            length_samples=length_samples,
        )
        loudness = meter.loudness()
        corrected = _corrected(aim, target, delivery, loudness)
        if corrected is None:
            break
        aim, watched = corrected, no_progress
    progress(1.0)
    return audio, loudness, delivery


def _survey(
    play: Callable[[], Iterator[Audio]], channels: int, length_samples: int, progress: Progress
) -> Programme:
    """Loudness and peaks at unity."""
    follower, peak_follower = PowerFollower(channels), PeakFollower(channels)
    # An array that grows in place: the parts and their sum would be twice the length.
    envelope = array("f")
    for block in _watched(play(), length_samples, progress):
        follower.add(block)
        envelope.frombytes(peak_follower.add(block).tobytes())
    envelope.frombytes(peak_follower.rest().tobytes())
    return Programme(powers=follower.powers, envelope=np.frombuffer(envelope, dtype=np.float32))


def _metered(
    blocks: Iterable[Audio], meter: Meter, length_samples: int, progress: Progress
) -> Iterator[Audio]:
    for block in _watched(blocks, length_samples, progress):
        meter.add(block)
        yield block


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
    return replace(
        aim,
        integrated_lufs=aim.integrated_lufs + missing_lu,
        true_peak_dbtp=aim.true_peak_dbtp - max(0.0, over_db),
    )
