"""Speech margin: loudness of speech minus loudness of the music under it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from scorebed.dsp.loudness import (
    SHORT_TERM_HOPS,
    integrated_lufs,
    lufs_to_power,
    power_to_lufs,
    window_powers,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST_SPOKEN_HOPS: Final = 100
"""A second of speech is enough to be understood, or missed."""
_HEARD_LUFS: Final = -70.0
"""What is quieter counts as silence: the absolute gate of BS.1770-4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """Speech over music in a stretch, in LU; None where one of them is silent."""

    speech_lufs: float | None
    """Gated loudness of the speech, in LUFS."""
    overall_lu: float | None
    """Gated loudness of the speech minus gated loudness of the music under it."""
    least_lu: float | None
    """Lowest difference in any 3 s window: of all that is in it, pauses too, where it lies within
    the stretch; of the speech in it alone, where it has a second of it. Of the whole, where the
    stretch is shorter."""


def speech_margin(
    speech_powers: NDArray[np.float64],
    music_powers: NDArray[np.float64],
    spoken: NDArray[np.bool_],
) -> Margin:
    """Margin in a stretch.

    Args:
        speech_powers: Production audio, K-weighted power per 10 ms, shape (hops,).
        music_powers: Music, likewise.
        spoken: In which hops somebody speaks: pauses count in whole 3 s windows only.
    """
    speech_lufs = part_lufs(speech_powers[spoken])
    music_lufs = part_lufs(music_powers[spoken])
    overall_lu = None
    if speech_lufs is not None and music_lufs is not None:
        overall_lu = speech_lufs - music_lufs
    whole = _windows(speech_powers), _windows(music_powers)
    in_words = _spoken_windows(speech_powers, music_powers, spoken)
    found_lu = [lu for lu in (_least_lu(*whole), _least_lu(*in_words)) if lu is not None]
    return Margin(
        speech_lufs=speech_lufs,
        overall_lu=overall_lu,
        least_lu=min(found_lu) if found_lu else None,
    )


def part_lufs(powers: NDArray[np.float64]) -> float | None:
    """Gated loudness of a part; the plain mean where it is too short for a gating block."""
    gated_lufs = integrated_lufs(powers)
    if gated_lufs is not None or not len(powers):
        return gated_lufs
    plain_lufs = power_to_lufs(float(powers.mean()))
    return plain_lufs if plain_lufs is not None and plain_lufs >= _HEARD_LUFS else None


def _windows(powers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean power of every 3 s window, or of the whole where none fits."""
    if len(powers) < SHORT_TERM_HOPS:
        return powers.mean(keepdims=True) if len(powers) else powers
    return window_powers(powers, SHORT_TERM_HOPS, step_hops=1)


def _spoken_windows(
    speech: NDArray[np.float64], music: NDArray[np.float64], spoken: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean power of the speech, and of the music under it, in every 3 s window with enough of it.

    Windows reach beyond the stretch: a voice that trails off there has to be heard too.
    """
    share = np.pad(spoken.astype(np.float64), SHORT_TERM_HOPS)
    held = window_powers(share, SHORT_TERM_HOPS, step_hops=1)
    needed = min(_LEAST_SPOKEN_HOPS, int(np.count_nonzero(spoken)))
    enough = held * SHORT_TERM_HOPS > needed - 0.5
    enough &= held > 0
    means = (
        window_powers(np.pad(powers * spoken, SHORT_TERM_HOPS), SHORT_TERM_HOPS, step_hops=1)
        for powers in (speech, music)
    )
    speech_means, music_means = (mean[enough] / held[enough] for mean in means)
    return speech_means, music_means


def _least_lu(speech: NDArray[np.float64], music: NDArray[np.float64]) -> float | None:
    heard_power = lufs_to_power(_HEARD_LUFS)
    heard = (speech >= heard_power) & (music >= heard_power)
    if not heard.any():
        return None
    return float(10.0 * np.log10((speech[heard] / music[heard]).min()))
