"""Sound brought to a loudness under a ceiling: one static gain and the true-peak limiter.

The gain is found by arithmetic on what a first pass measured; a second pass writes the file and
measures it again where the limiter works: elsewhere the gain moves what is known. For the
programme, and for music that its level would bring over the ceiling.
"""

from __future__ import annotations

from array import array
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from scorebed.dsp.delivery import Delivery, Programme, deliver
from scorebed.dsp.gain import db_to_gain
from scorebed.dsp.limiter import limit, reductions
from scorebed.dsp.loudness import POWER_HOP_SAMPLES, PowerFollower, figures
from scorebed.dsp.peak import HOP_SAMPLES, PeakFollower
from scorebed.model import no_progress
from scorebed.wav import BLOCK_SAMPLES, watched, write_wav

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from scorebed.model import Artifact, Audio, Loudness, LoudnessTarget, Progress

_MAX_RENDERS: Final = 3
"""The first is right nearly always; the others correct what it was measured to miss."""
_CLOSE_LU: Final = 0.05
_SURVEY_SHARE: Final = 0.4
_SPARE_DB: Final = 1.0
"""Further renders aim lower than the first by less."""
_BLOCK_HOPS: Final = BLOCK_SAMPLES // HOP_SAMPLES
_BLOCK_POWERS: Final = BLOCK_SAMPLES // POWER_HOP_SAMPLES
assert _BLOCK_HOPS * HOP_SAMPLES == _BLOCK_POWERS * POWER_HOP_SAMPLES == BLOCK_SAMPLES


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
        play: Gives the sound at unity from its start, as often as it is called, in blocks of
            ``BLOCK_SAMPLES``, the last one shorter.
        channels: Number of channels.
        length_samples: Length in samples per channel.
        target: Loudness and ceiling.
        progress: Called with the share that is done.

    Returns:
        The file, what was measured of it, and gain and limiting that it took.
    """
    programme = _survey(
        play, channels, length_samples, target, lambda done: progress(_SURVEY_SHARE * done)
    )
    aim, watched = target, lambda done: progress(_SURVEY_SHARE + (1.0 - _SURVEY_SHARE) * done)
    for _ in range(_MAX_RENDERS):
        delivery = deliver(programme, aim)
        check = _Check(programme, delivery.gain_db, aim.true_peak_dbtp, channels)
        audio = write_wav(
            path,
            _checked(
                limit(
                    play(),
                    reductions(
                        programme.envelope,
                        gain_db=delivery.gain_db,
                        ceiling_dbtp=aim.true_peak_dbtp,
                    ),
                    gain_db=delivery.gain_db,
                ),
                check,
                length_samples,
                watched,
            ),
            channels=channels,
            length_samples=length_samples,
        )
        loudness = check.loudness()
        corrected = _corrected(aim, target, delivery, loudness)
        if corrected is None:
            break
        aim, watched = corrected, no_progress
    progress(1.0)
    return audio, loudness, delivery


def _survey(
    play: Callable[[], Iterator[Audio]],
    channels: int,
    length_samples: int,
    target: LoudnessTarget,
    progress: Progress,
) -> Programme:
    """Loudness and peaks at unity.

    What lies further under the highest peak than the limiter may take is never limited; without
    loudness there is no gain, and what passes the ceiling is.
    """
    follower = PowerFollower(channels)
    peak_follower = PeakFollower(
        channels,
        span_db=target.max_limiting_db + _SPARE_DB,
        above=db_to_gain(target.true_peak_dbtp - _SPARE_DB),
    )
    # An array that grows in place: the parts and their sum would be twice the length.
    envelope = array("f")
    for block in watched(play(), length_samples, progress):
        follower.add(block)
        envelope.frombytes(peak_follower.add(block).tobytes())
    envelope.frombytes(peak_follower.rest().tobytes())
    return Programme(powers=follower.powers, envelope=np.frombuffer(envelope, dtype=np.float32))


class _Check:
    """Loudness of a programme after gain and limiter.

    Measured anew where the limiter moves; elsewhere it follows from what the programme was at
    unity, to a millionth of a decibel.

    Args:
        programme: At unity.
        gain_db: Static gain.
        ceiling_dbtp: Of the limiter.
        channels: Number of channels.
    """

    def __init__(
        self, programme: Programme, gain_db: float, ceiling_dbtp: float, channels: int
    ) -> None:
        self._channels = channels
        self._powers = programme.powers * 10.0 ** (gain_db / 10.0)
        self._limited = _limited_blocks(programme.envelope, gain_db, ceiling_dbtp)
        hops = np.repeat(self._limited, _BLOCK_HOPS)[: len(programme.envelope)]
        still = programme.envelope.max(where=~hops, initial=0.0)
        self._peak_follower = PeakFollower(
            channels, span_db=0.0, known=float(still) * db_to_gain(gain_db)
        )
        self._follower: PowerFollower | None = None
        self._at, self._settling = 0, 0
        """Where the powers of the follower go, and how many of its first are left out."""
        self._number = 0
        self._before: Audio | None = None

    def add(self, block: Audio) -> None:
        """Takes the next block of ``BLOCK_SAMPLES``."""
        self._peak_follower.add(block)
        if not self._limited[self._number]:
            self._close()
        else:
            if self._follower is None:
                self._follower = PowerFollower(self._channels)
                self._at, self._settling = self._number * _BLOCK_POWERS, 0
                if self._before is not None:  # the filter settles in what is known
                    self._follower.add(self._before)
                    self._settling = _BLOCK_POWERS
            self._follower.add(block)
        self._before, self._number = block, self._number + 1

    def _close(self) -> None:
        if self._follower is None:
            return
        powers = self._follower.powers[self._settling :]
        self._powers[self._at : self._at + len(powers)] = powers
        self._follower = None

    def loudness(self) -> Loudness:
        """Figures of the whole."""
        self._close()
        return figures(self._powers, self._peak_follower.highest)


def _limited_blocks(
    envelope: NDArray[np.float32], gain_db: float, ceiling_dbtp: float
) -> NDArray[np.bool_]:
    """In which blocks the limiter moves, with those that its glide or a filter's memory reaches."""
    # The envelope may end after the last sample; one block more does no harm.
    moved = np.zeros(len(envelope) // _BLOCK_HOPS + 2, dtype=np.bool_)
    at = 0
    for part_db in reductions(envelope, gain_db=gain_db, ceiling_dbtp=ceiling_dbtp):
        moved[(np.flatnonzero(part_db) + at) // _BLOCK_HOPS] = True
        at += len(part_db)
    reached = moved.copy()
    reached[1:] |= moved[:-1]
    reached[:-1] |= moved[1:]
    return reached


def _checked(
    blocks: Iterable[Audio], check: _Check, length_samples: int, progress: Progress
) -> Iterator[Audio]:
    for block in watched(blocks, length_samples, progress):
        check.add(block)
        yield block


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
