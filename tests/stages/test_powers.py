"""Power series lie on the picture's time line, wherever their stem begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from scorebed.dsp.loudness import power_to_lufs
from scorebed.model import Stem, no_progress
from scorebed.stages.powers import measure_powers, read_powers
from scorebed.wav import write_wav

if TYPE_CHECKING:
    from pathlib import Path

RATE_HZ = 48_000


@pytest.mark.parametrize("start_samples", [-4_801, -480, 0, 1, 12_345])
def test_a_tone_is_where_it_is_in_the_picture(start_samples: int, tmp_path: Path) -> None:
    """From 1.0 to 1.5 s at -23 LUFS, 6 dB of it the stem's gain."""
    at = np.arange(start_samples, 2 * RATE_HZ)
    heard = (at >= RATE_HZ) & (at < RATE_HZ * 3 // 2)
    tone = 10 ** (-29 / 20) * np.sin(2 * np.pi * 1000 * at / RATE_HZ) * heard
    audio = np.stack([tone, tone], axis=1).astype(np.float32)
    stem = Stem(
        kind="MX",
        audio=write_wav(tmp_path / "MX.wav", [audio], channels=2, length_samples=len(audio)),
        start_samples=start_samples,
        length_samples=len(audio),
        channels=2,
        gain_db=6.0,
    )
    series = measure_powers(stem, tmp_path / "MX.npy", no_progress)
    powers = read_powers(series, -100, 400)
    lufs = [power_to_lufs(float(power)) for power in powers[[198, 205, 245, 255]]]
    assert lufs[0] is None
    assert lufs[1:3] == pytest.approx([-23.0, -23.0], abs=0.1)
    assert lufs[3] is None or lufs[3] < -60
    assert not powers[:99].any()
    assert not powers[301:].any()
    assert np.array_equal(read_powers(series, 5, 20), powers[105:125])
    assert not read_powers(series, 10_000, 5).any()
