"""Reference: proxies with the music already received beside their pictures."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from scorebed.ffmpeg import FfmpegError
from scorebed.model import Artifact, Reel, TimeRange
from scorebed.packets import read_contents
from scorebed.stages.reference import REFERENCE_KBPS, with_reference
from scorebed.wav import sha256_of

RATE_HZ = 48_000
LENGTHS_S = (Fraction(3), Fraction(52, 25), Fraction(4))
START_S = Fraction(600)
TONES_HZ = (400.0, 700.0, 1100.0, 1600.0, 2300.0)
"""The music is a tone per second, so that what is heard says from where it is."""


@pytest.fixture(scope="session")
def reels(make_media: Callable[..., Path]) -> tuple[Reel, ...]:
    """Proxies of a second request, the first of them with sound of its own."""
    made, start_s = [], START_S
    for number, length_s in enumerate(LENGTHS_S):
        sound = ("-f", "lavfi", "-i", "sine=frequency=5000", "-shortest") if number == 0 else ()
        path = make_media(
            f"reel-{number:03d}.mp4",
            *("-f", "lavfi", "-i", f"testsrc2=size=96x64:rate=25:duration={float(length_s)}"),
            *sound,
            *("-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-pix_fmt", "yuv420p"),
        )
        made.append(
            Reel(
                range=TimeRange(start_s=start_s, duration_s=length_s),
                proxy=Artifact(path=path, sha256=sha256_of(path)),
                width_px=96,
                height_px=64,
                audio=number == 0,
                part=1,
            )
        )
        start_s += length_s
    return tuple(made)


@pytest.fixture
def music(tmp_path: Path) -> Callable[[float], Path]:
    def make(length_s: float) -> Path:
        time_s = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
        pitch = np.array(TONES_HZ)[time_s.astype(int) % len(TONES_HZ)]
        audio = 0.3 * np.sin(2 * np.pi * pitch * time_s)
        path = tmp_path / "music.wav"
        soundfile.write(path, np.stack([audio, audio], axis=1), RATE_HZ, subtype="PCM_16")
        return path

    return make


def pitches(sound: Any, start: int, times_s: list[float]) -> list[float]:
    """The strongest pitch of 0.2 s around each time."""
    found = []
    for at_s in times_s:
        middle = round(at_s * RATE_HZ) - start
        window = sound[middle - 4800 : middle + 4800, 0] * np.hanning(9600)
        found.append(float(np.abs(np.fft.rfft(window)).argmax()) * RATE_HZ / 9600)
    return found


@pytest.mark.parametrize("music_s", [30.0, 2.0, 3.5])
def test_the_music_runs_on_from_reel_to_reel(
    music_s: float, reels: tuple[Reel, ...], music: Any, heard: Any, tmp_path: Path
) -> None:
    copies = with_reference(reels, music(music_s), folder=tmp_path)
    for one, copy in zip(reels, copies, strict=True):
        assert copy.proxy is not None
        sound, start = heard(copy.proxy.path)
        assert sound.shape[1] == 2
        assert abs(start) <= 1024, "AAC's own priming"
        assert abs((start + len(sound)) / RATE_HZ - float(one.range.duration_s)) < 0.025
        times_s = [at / 4 for at in range(1, int(one.range.duration_s * 4))]
        from_s = float(one.range.start_s - START_S)
        clear = [
            at_s
            for at_s in times_s
            if 0.12 <= (from_s + at_s) % music_s % 1 <= 0.88
            and 0.12 <= (from_s + at_s) % music_s <= music_s - 0.12
        ]
        assert clear
        expected = [TONES_HZ[int((from_s + at_s) % music_s) % len(TONES_HZ)] for at_s in clear]
        assert np.abs(np.array(pitches(sound, start, clear)) - expected).max() <= 5


def test_the_picture_is_copied_and_the_reel_says_what_it_is(
    reels: tuple[Reel, ...], music: Any, stream_hash: Any, tmp_path: Path
) -> None:
    track = music(20.0)
    copies = with_reference(reels, track, folder=tmp_path)
    grown = 0
    for one, copy in zip(reels, copies, strict=True):
        assert one.proxy is not None
        assert copy.proxy is not None
        assert copy.audio
        assert (copy.range, copy.part, copy.width_px) == (one.range, one.part, one.width_px)
        assert copy.proxy.path != one.proxy.path
        assert copy.proxy.sha256 == sha256_of(copy.proxy.path)
        assert one.proxy.sha256 == sha256_of(one.proxy.path), "the proxy itself stays"
        assert stream_hash(copy.proxy.path) == stream_hash(one.proxy.path)
        contents = read_contents(copy.proxy.path, stage="test")
        assert len(contents.streams) == 2
        before = read_contents(one.proxy.path, stage="test").clock
        assert contents.clock is not None
        assert before is not None
        assert contents.clock.duration_s == before.duration_s == one.range.duration_s
        if not one.audio:
            grown = copy.proxy.path.stat().st_size - one.proxy.path.stat().st_size
            allowed = float(one.range.duration_s) * REFERENCE_KBPS * 125 * 1.1 + 3000
            assert 0 < grown < allowed
    assert grown
    made = {copy.proxy.path for copy in copies if copy.proxy}
    assert {*tmp_path.iterdir()} == {*made, track}


@pytest.mark.parametrize("form", ["mp3", "opus", "flac"])
def test_any_music_will_do(
    form: str, reels: tuple[Reel, ...], make_media: Any, heard: Any, tmp_path: Path
) -> None:
    track = make_media(
        f"music.{form}", "-f", "lavfi", "-i", "sine=frequency=700:duration=1.5", "-ac", "1"
    )
    copies = with_reference(reels[1:], track, folder=tmp_path)
    for copy in copies:
        assert copy.proxy is not None
        sound, start = heard(copy.proxy.path)
        (pitch,) = pitches(sound, start, [1.0])
        assert abs(pitch - 700) <= 5
        assert np.abs(sound[9600:-9600]).max() > 0.05


def test_music_without_sound_is_refused(
    reels: tuple[Reel, ...], make_video: Any, tmp_path: Path
) -> None:
    with pytest.raises(FfmpegError):
        with_reference(reels, make_video("mute.mkv", sound=None), folder=tmp_path)
