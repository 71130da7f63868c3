"""Power series between stages: level measures them, duck computes from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scorebed.dsp.loudness import POWER_HOP_SAMPLES, power_series
from scorebed.model import PowerSeries
from scorebed.timecode import to_samples
from scorebed.wav import read_stem, watched, write_array

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from scorebed.model import Audio, Progress, SpeechRegion, Stem


def first_hop_of(stem: Stem) -> int:
    """The hop of the picture's time line in which a stem begins."""
    return stem.start_samples // POWER_HOP_SAMPLES


def read_from_hop(stem: Stem, progress: Progress) -> Iterator[Audio]:
    """A stem from the start of its first hop on, so that all series have the same hops.

    Args:
        stem: What to read.
        progress: Called with the share that is done.
    """
    start_samples = first_hop_of(stem) * POWER_HOP_SAMPLES
    length_samples = stem.end_samples - start_samples
    blocks = read_stem(stem, start_samples=start_samples, length_samples=length_samples)
    yield from watched(blocks, length_samples, progress)


def measure_powers(stem: Stem, path: Path, progress: Progress) -> PowerSeries:
    """Measures a stem and writes its series.

    Args:
        stem: What to measure, at its gain.
        path: Where the series is written.
        progress: Called with the share that is done.
    """
    powers = power_series(read_from_hop(stem, progress), stem.channels)
    return write_powers(path, powers, first_hop_of(stem))


def write_powers(path: Path, powers: NDArray[np.float64], first_hop: int) -> PowerSeries:
    """Writes a series.

    Args:
        path: Where to.
        powers: K-weighted power per 10 ms, shape (hops,).
        first_hop: Position of the first on the picture's time line.
    """
    return PowerSeries(file=write_array(path, powers), first_hop=first_hop)


def read_powers(series: PowerSeries, first_hop: int, hops: int) -> NDArray[np.float64]:
    """A stretch of the picture's time line; silent where the series does not reach.

    Args:
        series: What to read.
        first_hop: First hop of the stretch.
        hops: Length of the stretch.
    """
    powers: NDArray[np.float64] = np.load(series.file.path)
    found = np.zeros(hops)
    first = max(first_hop, series.first_hop)
    last = min(first_hop + hops, series.first_hop + len(powers))
    if first < last:
        part = powers[first - series.first_hop : last - series.first_hop]
        found[first - first_hop : last - first_hop] = part
    return found


def spoken_hops(speech: Sequence[SpeechRegion], first_hop: int, hops: int) -> NDArray[np.bool_]:
    """In which hops of a stretch of the picture's time line somebody speaks.

    Args:
        speech: The phrases.
        first_hop: First hop of the stretch.
        hops: Length of the stretch.
    """
    spoken = np.zeros(hops, dtype=np.bool_)
    for region in speech:
        first = to_samples(region.range.start_s) // POWER_HOP_SAMPLES - first_hop
        last = -(-to_samples(region.range.end_s) // POWER_HOP_SAMPLES) - first_hop
        spoken[max(0, first) : max(0, last)] = True
    return spoken
