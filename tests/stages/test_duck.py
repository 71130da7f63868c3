"""Duck: depth by arithmetic, shape by the book."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scorebed.dsp.gain import curve_db
from scorebed.errors import MarginMissed
from scorebed.model import (
    Audio,
    Ducked,
    DuckSettings,
    Levelled,
    Loudness,
    PictureCurve,
    SpeechRegion,
    SpottingNotes,
    Stem,
    TimeRange,
    no_progress,
)
from scorebed.stages.duck import duck
from scorebed.stages.powers import measure_powers
from scorebed.wav import write_wav

if TYPE_CHECKING:
    from pathlib import Path

RATE_HZ = 48_000
LENGTH_S = 60
SETTINGS = DuckSettings(enabled=True, speech_margin_lu=14.0)
UNKNOWN = Loudness(integrated_lufs=None, true_peak_dbtp=None, range_lu=None)
SPEECH = ((5.0, 9.0, -20.0), (9.5, 13.0, -20.0), (20.0, 24.0, -26.0), (40.0, 48.0, 2.0))
"""Start, end and loudness; the second pause is 7 s, the last phrase needs no ducking."""


def tone(frequency_hz: float, steps: list[tuple[float, float, float]]) -> Audio:
    """Mono tone of (start, end, dBFS peak) steps, silent elsewhere."""
    at = np.arange(LENGTH_S * RATE_HZ)
    peaks = np.zeros(len(at))
    for start, end, peak_db in steps:
        peaks[round(start * RATE_HZ) : round(end * RATE_HZ)] = 10 ** (peak_db / 20)
    mono = np.sin(2 * np.pi * frequency_hz * at / RATE_HZ) * peaks
    return mono[:, np.newaxis].astype(np.float32)


def stem(folder: Path, kind: str, audio: Audio, gain_db: float = 0.0) -> Stem:
    length, channels = audio.shape
    artifact = write_wav(folder / f"{kind}.wav", [audio], channels=channels, length_samples=length)
    return Stem(
        kind="DX" if kind == "DX" else "MX",
        audio=artifact,
        start_samples=0,
        length_samples=length,
        channels=channels,
        gain_db=gain_db,
    )


def notes(*speech: tuple[float, float]) -> SpottingNotes:
    regions = tuple(
        SpeechRegion(range=TimeRange.between(Fraction(start), Fraction(end)), confidence=0.9)
        for start, end in speech
    )
    return SpottingNotes(
        duration_s=Fraction(LENGTH_S),
        frame_rate=Fraction(25),
        shots=(),
        scenes=(),
        speech=regions,
        curve=PictureCurve(hop_s=Fraction(1), motion=(), brightness=()),
        cues=(),
    )


@pytest.fixture(scope="module")
def levelled(tmp_path_factory: pytest.TempPathFactory) -> Levelled:
    """Mono speech at the levels of ``SPEECH``, stereo music at -14 LUFS of which 3 dB are gain."""
    folder = tmp_path_factory.mktemp("stems")
    dx = stem(folder, "DX", tone(1000, [(s, e, lufs) for s, e, lufs in SPEECH]))
    mx = stem(folder, "MX", np.repeat(tone(1000, [(0, LENGTH_S, -17)]), 2, axis=1), 3.0)
    return Levelled(
        mx=mx,
        mx_powers=measure_powers(mx, folder / "MX.npy", no_progress),
        dx=dx,
        dx_powers=measure_powers(dx, folder / "DX.npy", no_progress),
        mx_loudness=UNKNOWN,
        speech_lufs=-16.0,
    )


def run(levelled: Levelled, folder: Path, settings: DuckSettings = SETTINGS) -> Ducked:
    spoken = notes(*((start, end) for start, end, _ in SPEECH))
    return duck(levelled, spoken, settings, folder=folder, progress=no_progress)


def gains(ducked: Ducked, *times_s: float) -> list[float]:
    at_samples = np.array([round(time_s * RATE_HZ) for time_s in times_s])
    return [float(gain) for gain in curve_db(ducked.curve, at_samples)]


def test_every_figure_is_arithmetic(levelled: Levelled, tmp_path: Path) -> None:
    first, second, third = run(levelled, tmp_path).phrases
    pause_lu = 10 * np.log10(2.5 / 3)  # a 3 s window with half a second of pause
    assert (first.range.start_s, first.range.end_s) == (Fraction(5), Fraction(13))
    assert first.depth_db == pytest.approx(20.0 - pause_lu, abs=0.2)
    assert first.margin_lu == pytest.approx(14.0 - pause_lu, abs=0.2)
    assert first.least_lu == pytest.approx(14.0, abs=0.2)
    assert second.depth_db == 24.0
    assert second.margin_lu == pytest.approx(12.0, abs=0.2)
    assert second.least_lu == pytest.approx(12.0, abs=0.2)
    assert third.depth_db == 0.0
    assert third.margin_lu == pytest.approx(16.0, abs=0.2)
    assert third.least_lu == pytest.approx(16.0, abs=0.2)


def test_the_shape_keeps_its_promises(levelled: Levelled, tmp_path: Path) -> None:
    ducked = run(levelled, tmp_path)
    depth_db = ducked.phrases[0].depth_db
    assert gains(ducked, 4.8, 9.25, 13.0) == pytest.approx([-depth_db] * 3)
    assert gains(ducked, 19.8, 24.0) == pytest.approx([-24.0] * 2)
    assert gains(ducked, 0.0, 4.2, 13.76, 19.1, 24.8, 40.0, 44.0, 59.9) == [0.0] * 8
    for left, right in pairwise(zip(ducked.curve.at_samples, ducked.curve.gains_db, strict=True)):
        assert abs(right[1] - left[1]) <= 40.0 * (right[0] - left[0]) / RATE_HZ + 1e-6


def test_a_deeper_cap_reaches_the_margin(levelled: Levelled, tmp_path: Path) -> None:
    settings = DuckSettings(enabled=True, speech_margin_lu=20.0, max_depth_db=40.0)
    first, second, third = run(levelled, tmp_path, settings).phrases
    for phrase in (first, second, third):
        assert phrase.least_lu == pytest.approx(20.0, abs=0.1)
    assert third.depth_db == pytest.approx(4.0, abs=0.2)


@pytest.fixture(scope="module")
def whispered(levelled: Levelled, tmp_path_factory: pytest.TempPathFactory) -> Levelled:
    """A voice 20 LU under the music, over a hum that is 6 LU under the voice; then 52 LU under."""
    hum = (0.0, 30.0, -40.0)
    steps = [hum, (5.0, 9.0, -34.0), (40.0, 44.0, -66.0)]
    folder = tmp_path_factory.mktemp("stems")
    dx = stem(folder, "DX", tone(1000, steps))
    return replace(levelled, dx=dx, dx_powers=measure_powers(dx, folder / "DX.npy", no_progress))


def whisper(levelled: Levelled, folder: Path, **asked: float) -> Ducked:
    settings = replace(SETTINGS, **asked)  # type: ignore[arg-type]
    spoken = notes((5.0, 9.0), (40.0, 44.0))
    return duck(levelled, spoken, settings, folder=folder, progress=no_progress)


def test_the_floor_holds_where_the_wanted_margin_is_out_of_reach(
    whispered: Levelled, tmp_path: Path
) -> None:
    quiet, hopeless = whisper(whispered, tmp_path).phrases
    assert quiet.depth_db == pytest.approx(30.0, abs=0.1)
    assert quiet.least_lu == pytest.approx(10.0, abs=0.1)
    assert hopeless.depth_db == 40.0
    assert hopeless.least_lu == pytest.approx(-12.0, abs=0.1)
    # Who asks for less than the floor gets no more than that.
    assert whisper(whispered, tmp_path, speech_margin_lu=2.0).phrases[0].depth_db == pytest.approx(
        22.0, abs=0.1
    )


def test_the_background_of_the_production_audio_is_told(
    whispered: Levelled, tmp_path: Path
) -> None:
    hummed, silent = whisper(whispered, tmp_path).phrases
    assert hummed.speech_lufs == pytest.approx(-34.0, abs=0.1)
    assert hummed.background_lufs == pytest.approx(-40.0, abs=0.1)
    assert silent.background_lufs is None
    # Speech 10 LU over the music and 6 over the hum.
    assert hummed.margin_lu == pytest.approx(10.0, abs=0.1)
    wanted_lu = -10 * np.log10(10**-1.0 + 10**-0.6)
    assert hummed.margin_over_all_lu == pytest.approx(wanted_lu, abs=0.1)
    assert silent.margin_over_all_lu == silent.margin_lu


def test_a_required_margin_deepens_the_duck(whispered: Levelled, tmp_path: Path) -> None:
    spoken = notes((5.0, 9.0))
    settings = replace(SETTINGS, required_lu=16.0)
    (phrase,) = duck(whispered, spoken, settings, folder=tmp_path, progress=no_progress).phrases
    assert phrase.depth_db == pytest.approx(36.0, abs=0.1)
    assert phrase.least_lu == pytest.approx(16.0, abs=0.1)


@pytest.mark.parametrize("required_lu", [0.0, 5.0, 9.0])
def test_a_small_required_margin_lowers_no_floor(
    required_lu: float, whispered: Levelled, tmp_path: Path
) -> None:
    settings = replace(SETTINGS, required_lu=required_lu)
    spoken = notes((5.0, 9.0))
    (phrase,) = duck(whispered, spoken, settings, folder=tmp_path, progress=no_progress).phrases
    assert phrase.least_lu == pytest.approx(10.0, abs=0.1)


@pytest.mark.parametrize(("enabled", "missed"), [(True, "1 of 2"), (False, "2 of 2")])
def test_a_required_margin_out_of_reach_is_an_error(
    *, enabled: bool, missed: str, whispered: Levelled, tmp_path: Path
) -> None:
    with pytest.raises(MarginMissed, match=missed) as caught:
        whisper(whispered, tmp_path, required_lu=16.0, enabled=enabled)
    assert caught.value.exit_code == 1
    assert "0:40.0 to 0:44.0: -" in caught.value.message
    assert "--min-speech-margin" in caught.value.remedy


def test_speech_that_is_not_heard_fulfils_no_condition(levelled: Levelled, tmp_path: Path) -> None:
    """At 30 to 33 s there is silence, though somebody is said to speak."""
    settings = replace(SETTINGS, required_lu=12.0)
    with pytest.raises(MarginMissed, match=r"1 of 2 .*0:30\.0 to 0:33\.0: too quiet") as caught:
        duck(
            levelled,
            notes((5.0, 9.0), (30.0, 33.0)),
            settings,
            folder=tmp_path,
            progress=no_progress,
        )
    assert "--production-gain" in caught.value.remedy


def test_switched_off_it_only_reports(levelled: Levelled, tmp_path: Path) -> None:
    settings = DuckSettings(enabled=False, speech_margin_lu=14.0)
    ducked = run(levelled, tmp_path, settings)
    assert gains(ducked, 0, 7, 22, 44) == [0.0] * 4
    assert [phrase.depth_db for phrase in ducked.phrases] == [0.0] * 3
    assert [phrase.margin_lu for phrase in ducked.phrases] == pytest.approx(
        [-6.0, -12.0, 16.0], abs=0.2
    )


def test_without_speech_or_production_audio_it_is_flat(levelled: Levelled, tmp_path: Path) -> None:
    silent = duck(levelled, notes(), SETTINGS, folder=tmp_path, progress=no_progress)
    dropped = replace(levelled, dx=None, dx_powers=None, speech_lufs=None)
    alone = run(dropped, tmp_path)
    for ducked in (silent, alone):
        assert ducked.phrases == ()
        assert set(ducked.curve.gains_db) == {0.0}


def test_phrases_in_silence_have_no_margin(levelled: Levelled, tmp_path: Path) -> None:
    spoken = notes((30.0, 33.0), (70.0, 75.0))
    ducked = duck(levelled, spoken, SETTINGS, folder=tmp_path, progress=no_progress)
    assert [phrase.margin_lu for phrase in ducked.phrases] == [None, None]
    assert [phrase.least_lu for phrase in ducked.phrases] == [None, None]
    assert set(ducked.curve.gains_db) == {0.0}


def test_phrases_shorter_than_a_hop(levelled: Levelled, tmp_path: Path) -> None:
    ducked = duck(levelled, notes((6.0, 6.001)), SETTINGS, folder=tmp_path, progress=no_progress)
    assert ducked.phrases[0].depth_db == pytest.approx(20.0, abs=0.5)


def test_progress_rises_to_one_and_nothing_is_written(levelled: Levelled, tmp_path: Path) -> None:
    shares: list[float] = []
    spoken = notes((5.0, 9.0), (20.0, 24.0))
    duck(levelled, spoken, SETTINGS, folder=tmp_path, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert list(tmp_path.iterdir()) == []
