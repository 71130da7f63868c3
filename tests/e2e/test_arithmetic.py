"""Speech and music at stated levels: every figure of the report follows by arithmetic."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

RATE_HZ = 48_000
LENGTH_S = 40
SPEECH_LUFS, TARGET_LUFS, MARGIN_LU = -24.0, -14.0, 14.0
SPEECH = ((6.0, 12.0), (12.5, 16.0), (24.0, 30.0))
"""Start and end; the first pause is held, the second one followed."""
STRETCHES = ((6.0, 16.0), (24.0, 30.0))
LOOK_AHEAD_S, RAMP_DOWN_S, RAMP_UP_S = 0.2, MARGIN_LU / 40, 0.75
"""The book's shape: at least 300 ms down and 750 ms up, 40 dB/s at most."""


def tone(frequency_hz: float, rms_dbfs: float, spans: tuple[tuple[float, float], ...]) -> Any:
    """The same tone on both channels within the spans, silence elsewhere.

    Near 1 kHz a stereo tone's loudness in LUFS is its level in dBFS RMS + 3.01 (BS.1770-4).
    """
    at_s = np.arange(LENGTH_S * RATE_HZ) / RATE_HZ
    heard = sum(((at_s >= start) & (at_s < end) for start, end in spans), np.zeros(len(at_s), bool))
    wave = np.sin(2 * np.pi * frequency_hz * at_s) * np.sqrt(2) * 10 ** (rms_dbfs / 20)
    return np.repeat((wave * heard)[:, np.newaxis], 2, axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def told(
    make_media: Callable[..., Path],
    scorebed: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    """The report on the film."""
    folder = tmp_path_factory.mktemp("arithmetic")
    soundfile.write(folder / "dx.wav", tone(997, SPEECH_LUFS - 3.01, SPEECH), RATE_HZ, "FLOAT")
    whole = ((0.0, float(LENGTH_S)),)
    soundfile.write(folder / "mx.wav", tone(1013, -30, whole), RATE_HZ, "FLOAT")
    film = make_media(
        "levels.mkv",
        *("-f", "lavfi", "-i", f"testsrc2=size=160x90:rate=25:duration={LENGTH_S}"),
        *("-i", folder / "dx.wav", "-c:v", "libx264", "-preset", "ultrafast"),
        *("-c:a", "pcm_f32le"),
    )
    transcript = folder / "speech.srt"
    transcript.write_text(
        "\n\n".join(
            f"{number}\n00:00:{start:06.3f} --> 00:00:{end:06.3f}\nWords.".replace(".", ",", 2)
            for number, (start, end) in enumerate(SPEECH, start=1)
        )
    )
    done = scorebed(
        *("score", film, "-o", folder / "out.mkv", "--music", folder / "mx.wav"),
        *("--speech", transcript, "--workspace", folder / "work", "--json"),
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def expected_powers() -> NDArray[np.float64]:
    """Power of the programme per 10 ms, before its gain, with 0 LUFS as 1."""
    at_s = np.arange(0, LENGTH_S, 0.01) + 0.005
    duck_db = np.zeros(len(at_s))
    for start, end in STRETCHES:
        corners = [start - LOOK_AHEAD_S - RAMP_DOWN_S, start - LOOK_AHEAD_S, end, end + RAMP_UP_S]
        duck_db = np.minimum(duck_db, np.interp(at_s, corners, [0, -MARGIN_LU, -MARGIN_LU, 0]))
    spoken = sum(((at_s >= a) & (at_s < b) for a, b in SPEECH), np.zeros(len(at_s), bool))
    # The music's fade at the very end is short; no figure hangs on it.
    return np.asarray(10 ** ((TARGET_LUFS + duck_db) / 10) + spoken * 10 ** (TARGET_LUFS / 10))


def gated_lufs(powers: NDArray[np.float64]) -> float:
    """BS.1770-4: blocks of 400 ms every 100 ms, gates at -70 LUFS and 10 LU under their mean."""
    blocks = np.lib.stride_tricks.sliding_window_view(powers, 40)[::10].mean(axis=1)
    blocks = blocks[blocks > 1e-7]
    return float(10 * np.log10(blocks[blocks > blocks.mean() / 10].mean()))


def test_music_and_speech_are_at_their_levels(told: dict[str, Any]) -> None:
    assert told["music"]["integrated_lufs"] == pytest.approx(TARGET_LUFS, abs=0.1)
    assert told["production"]["gain_db"] == pytest.approx(TARGET_LUFS - SPEECH_LUFS, abs=0.2)
    assert told["production"]["speech_lufs"] == pytest.approx(TARGET_LUFS, abs=0.2)
    assert told["production"]["noise_floor_lufs"] is None


def test_the_duck_is_what_the_margin_asks_for(told: dict[str, Any]) -> None:
    duck = told["duck"]
    pause_lu = 10 * np.log10(2.5 / 3.0)  # a 3 s window with the held pause in it
    first, second = duck["phrases"]
    spans = [(phrase["start_s"], phrase["end_s"]) for phrase in (first, second)]
    assert spans == [*STRETCHES]
    assert second["depth_db"] == pytest.approx(MARGIN_LU, abs=0.2)
    assert second["margin_lu"] == pytest.approx(MARGIN_LU, abs=0.2)
    assert second["least_lu"] == pytest.approx(MARGIN_LU, abs=0.2)
    assert first["depth_db"] == pytest.approx(MARGIN_LU - pause_lu, abs=0.2)
    assert first["least_lu"] == pytest.approx(MARGIN_LU, abs=0.2)
    assert first["margin_lu"] == pytest.approx(MARGIN_LU - pause_lu, abs=0.2)
    for phrase in (first, second):
        assert phrase["speech_lufs"] == pytest.approx(TARGET_LUFS, abs=0.2)
        assert phrase["background_lufs"] is None
    assert duck["least_lu"] == pytest.approx(MARGIN_LU, abs=0.2)
    assert duck["deepest_db"] == pytest.approx(MARGIN_LU - pause_lu, abs=0.2)


def test_the_programme_is_the_sum(told: dict[str, Any]) -> None:
    powers = expected_powers()
    gain_db = TARGET_LUFS - gated_lufs(powers)
    (sound,) = told["audio"]
    assert sound["production_gain_db"] == pytest.approx(TARGET_LUFS - SPEECH_LUFS, abs=0.2)
    assert sound["delivery_gain_db"] == pytest.approx(gain_db, abs=0.2)
    assert sound["limited_db"] == 0
    programme = told["programme"]
    assert programme["integrated_lufs"] == pytest.approx(TARGET_LUFS, abs=0.2)
    windows = np.lib.stride_tricks.sliding_window_view
    for name, hops in (("momentary_max_lufs", 40), ("short_term_max_lufs", 300)):
        highest = 10 * np.log10(windows(powers, hops).mean(axis=1).max()) + gain_db
        assert programme[name] == pytest.approx(highest, abs=0.2)
    # Two tones meet in phase now and then: the peaks add up.
    together = 10 ** (TARGET_LUFS / 20) + 10 ** ((TARGET_LUFS - MARGIN_LU) / 20)
    assert programme["true_peak_dbtp"] == pytest.approx(20 * np.log10(together) + gain_db, abs=0.2)


def test_the_music_is_back_soon_after_the_last_word(told: dict[str, Any]) -> None:
    points = told["duck"]["curve"]
    times_s, gains_db = ([point[key] for point in points] for key in ("time_s", "gain_db"))
    for _, end in STRETCHES:
        assert np.interp(end + 1.5, times_s, gains_db) >= -1.0
        assert np.interp(end, times_s, gains_db) <= -MARGIN_LU + 0.2
    for start, end in ((0.0, 5.0), (17.5, 23.0), (31.5, float(LENGTH_S))):
        assert np.interp(np.linspace(start, end, 500), times_s, gains_db).min() >= -0.5
