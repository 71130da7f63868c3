"""Speech margin by arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from scorebed.dsp.loudness import lufs_to_power
from scorebed.dsp.margin import Margin, part_lufs, speech_margin


def powers(*steps: tuple[float, int]) -> np.ndarray:
    """Series of (loudness, hops) steps."""
    return np.concatenate([np.full(hops, lufs_to_power(lufs)) for lufs, hops in steps])


def everywhere(series: np.ndarray) -> np.ndarray:
    return np.ones(len(series), dtype=np.bool_)


def test_steady_levels() -> None:
    speech, music = powers((-20, 1000)), powers((-35, 1000))
    margin = speech_margin(speech, music, everywhere(speech))
    assert margin.overall_lu == pytest.approx(15.0)
    assert margin.least_lu == pytest.approx(15.0)


def test_the_least_window_is_found_wherever_it_is() -> None:
    for before in (0, 7, 333, 700):
        speech = powers((-20, before), (-26, 300), (-20, 700 - before))
        music = powers((-35, 1000))
        margin = speech_margin(speech, music, everywhere(speech))
        assert margin.least_lu == pytest.approx(9.0, abs=0.001)


def test_a_voice_that_trails_off_counts_at_the_end() -> None:
    """No window within the stretch is all of its quiet last second; one that reaches out is."""
    speech, music = powers((-20, 500), (-32, 100)), powers((-40, 600))
    margin = speech_margin(speech, music, everywhere(speech))
    assert margin.least_lu == pytest.approx(8.0, abs=0.01)
    shorter = speech_margin(speech[:-1], music[:-1], everywhere(speech[:-1]))
    assert shorter.least_lu == pytest.approx(10 * np.log10(0.99 * 10**0.8 + 0.01 * 10**2), abs=0.01)


def test_words_count_without_the_pauses_between_them() -> None:
    """A second of words in three of noise that is louder: it is no speech."""
    speech = powers((-20, 100), (-10, 150), (-20, 100), (-10, 150), (-20, 100))
    spoken = speech < lufs_to_power(-15)
    margin = speech_margin(speech, powers((-34, 600)), spoken)
    assert margin.least_lu == pytest.approx(14.0, abs=0.01)


def test_short_stretches_count_as_one_window() -> None:
    speech, music = powers((-20, 30), (-30, 30)), powers((-40, 60))
    margin = speech_margin(speech, music, everywhere(speech))
    assert margin.least_lu == pytest.approx(10 * np.log10(0.5 * (10**2 + 10)), abs=1e-6)


def test_pauses_count_in_the_windows_only() -> None:
    speech = powers((-20, 200), (-120, 90), (-20, 200))
    spoken = speech > lufs_to_power(-70)
    margin = speech_margin(speech, powers((-34, 490)), spoken)
    assert margin.overall_lu == pytest.approx(14.0, abs=0.01)
    assert margin.least_lu == pytest.approx(14.0 + 10 * np.log10(210 / 300), abs=0.01)


@pytest.mark.parametrize(("speech_lufs", "music_lufs"), [(-20, -120), (-120, -20)])
def test_against_silence_there_is_no_margin(speech_lufs: float, music_lufs: float) -> None:
    speech = powers((speech_lufs, 500))
    margin = speech_margin(speech, powers((music_lufs, 500)), everywhere(speech))
    assert (margin.overall_lu, margin.least_lu) == (None, None)
    assert (margin.speech_lufs is None) == (speech_lufs == -120)


def test_nothing_has_no_margin() -> None:
    nothing = np.zeros(0)
    assert speech_margin(nothing, nothing, everywhere(nothing)) == Margin(
        speech_lufs=None, overall_lu=None, least_lu=None
    )
    assert part_lufs(nothing) is None
    assert part_lufs(powers((-20, 10))) == pytest.approx(-20.0)
