"""Speech over music on real files, from the stems, by a second meter: ``pytest -m media``."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyloudnorm
import pytest
import soundfile
from numpy.typing import NDArray

pytestmark = pytest.mark.media
Scorebed = Callable[..., subprocess.CompletedProcess[str]]
HOP_S, WINDOW_HOPS = 0.01, 300
HEARD_POWER = 10 ** (-6.93)
"""-70 LUFS."""
CLIPS = (
    "dialogue/introductions-rant.mp4",
    "dialogue/auto-editor_example.mp4",
    "dialogue/sample_iPod.m4v",
    "dialogue/friday.mp4",
    "dialogue/mdn_chroma_talk.mp4",
    "edited/nasa_13013.mp4",
    "edited/chrome.mp4",
)


@dataclass(frozen=True)
class Heard:
    """A clip that was scored, and the powers of its stems per 10 ms."""

    told: dict[str, Any]
    dialogue: NDArray[np.float64]
    music: NDArray[np.float64]

    @property
    def speech_s(self) -> list[tuple[float, float]]:
        return [(phrase["start_s"], phrase["end_s"]) for phrase in self.told["speech"]]

    def gain_db(self, at_s: float) -> float:
        curve = self.told["duck"]["curve"]
        times_s = [point["time_s"] for point in curve]
        return float(np.interp(at_s, times_s, [point["gain_db"] for point in curve]))


def powers(path: Path) -> NDArray[np.float64]:
    """K-weighted by pyloudnorm's filters; mono counts on both sides."""
    audio, rate_hz = soundfile.read(path, always_2d=True)
    for weighting in pyloudnorm.Meter(rate_hz)._filters.values():
        for channel in range(audio.shape[1]):
            audio[:, channel] = weighting.apply_filter(audio[:, channel])
    hop = round(rate_hz * HOP_S)
    means = np.square(audio[: len(audio) // hop * hop]).reshape(-1, hop, audio.shape[1]).mean(1)
    return np.asarray(means.sum(axis=1) * (2 if audio.shape[1] == 1 else 1))


@pytest.fixture(scope="module", params=CLIPS)
def heard(
    request: pytest.FixtureRequest,
    media_dir: Path,
    scorebed: Scorebed,
    tmp_path_factory: pytest.TempPathFactory,
) -> Heard:
    clip, folder = media_dir / request.param, tmp_path_factory.mktemp("margins")
    done = scorebed(
        *("score", clip, "-o", folder / f"out{clip.suffix}", "--json"),
        *("--stems", folder / "stems", "--workspace", folder / "work"),
    )
    assert done.returncode == 0, done.stderr
    stems = folder / "stems"
    return Heard(json.loads(done.stdout), powers(stems / "DX.wav"), powers(stems / "MX-ducked.wav"))


def test_speech_stands_over_the_music(heard: Heard) -> None:
    """In every 3 s that lie in speech as a whole."""
    hops = min(len(heard.dialogue), len(heard.music))
    spoken = np.zeros(hops, dtype=np.bool_)
    for start_s, end_s in heard.speech_s:
        spoken[round(start_s / HOP_S) : round(end_s / HOP_S)] = True
    window = np.ones(WINDOW_HOPS) / WINDOW_HOPS
    dialogue, music, held = (
        np.convolve(series[:hops], window, "valid")
        for series in (heard.dialogue, heard.music, spoken)
    )
    counts = (held > 0.999) & (dialogue > HEARD_POWER) & (music > HEARD_POWER)
    assert counts.any()
    margins_lu = 10 * np.log10(dialogue[counts] / music[counts])
    assert margins_lu.min() >= 9.9
    assert np.median(margins_lu) >= 14.0


def test_the_music_is_back_in_every_long_pause(heard: Heard) -> None:
    ends = [start_s for start_s, _ in heard.speech_s[1:]] + [heard.told["picture"]["duration_s"]]
    for (_, end_s), next_s in zip(heard.speech_s, ends, strict=True):
        if next_s - end_s > 3.0:
            assert heard.gain_db(end_s + 1.5) >= -1.0, end_s


def test_no_dip_where_nobody_speaks(heard: Heard) -> None:
    times_s = np.arange(0.0, heard.told["picture"]["duration_s"], 0.05)
    for at_s in times_s:
        # Down before the first word at 40 dB/s at most, up again within 1.5 s.
        if not any(start_s - 1.3 < at_s < end_s + 1.5 for start_s, end_s in heard.speech_s):
            assert heard.gain_db(float(at_s)) >= -0.5, at_s


def test_it_is_at_its_loudness(heard: Heard) -> None:
    programme = heard.told["programme"]
    assert programme["integrated_lufs"] == pytest.approx(-14.0, abs=0.5)
    assert programme["true_peak_dbtp"] <= -1.0
