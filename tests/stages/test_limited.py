"""What is told of a limited programme is what a meter finds in the file that was written."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scorebed.dsp.loudness import measure
from scorebed.model import LoudnessTarget, no_progress
from scorebed.stages.limited import write_limited
from scorebed.wav import BLOCK_SAMPLES, read_wav

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scorebed.model import Audio

RATE_HZ = 48_000


def programme(bursts_s: tuple[float, ...], channels: int, length_samples: int) -> Audio:
    """Noise whose level wanders, with bursts of 50 ms that are 20 dB louder."""
    rng = np.random.default_rng(3)
    at_s = np.arange(length_samples) / RATE_HZ
    level = 0.03 * (1.0 + 0.9 * np.sin(2 * np.pi * at_s / 7.0))
    for burst_s in bursts_s:
        level[(at_s >= burst_s) & (at_s < burst_s + 0.05)] *= 10.0
    noise = rng.standard_normal((length_samples, channels)) * level[:, np.newaxis]
    return np.asarray(noise, dtype=np.float32)


@pytest.mark.parametrize(
    ("bursts_s", "limits"),
    [
        ((), False),
        ((0.0,), True),
        ((0.3, 0.6, 4.79, 14.0, 19.9), True),
        (tuple(np.arange(0.0, 20.0, 1.0)), True),
    ],
)
@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("length_samples", [20 * RATE_HZ + 1_237, 63 * BLOCK_SAMPLES])
def test_the_figures_are_those_of_the_file(
    bursts_s: tuple[float, ...],
    limits: bool,  # noqa: FBT001
    channels: int,
    length_samples: int,
    tmp_path: Path,
) -> None:
    audio = programme(bursts_s, channels, length_samples)

    def play() -> Iterator[Audio]:
        for at in range(0, length_samples, BLOCK_SAMPLES):
            yield audio[at : at + BLOCK_SAMPLES]

    written, told, delivery = write_limited(
        tmp_path / "out.wav",
        play,
        channels=channels,
        length_samples=length_samples,
        target=LoudnessTarget(integrated_lufs=-18.0, true_peak_dbtp=-1.0),
        progress=no_progress,
    )
    found = measure(read_wav(written.path), channels)
    assert (delivery.deepest_db > 0.5) is limits
    assert asdict(told) == pytest.approx(asdict(found), abs=1e-5)
    assert told.integrated_lufs == pytest.approx(-18.0, abs=0.05)
    assert found.true_peak_dbtp is not None
    assert found.true_peak_dbtp <= -1.0
