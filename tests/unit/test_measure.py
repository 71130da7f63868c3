"""Measuring a file: its figures against other meters, its picture, and what lies beside it."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import matplotlib.image
import numpy as np
import pyloudnorm
import pytest
import soundfile

import scorebed
from scorebed.delivery import sidecar
from scorebed.errors import MediaError, SettingsError
from scorebed.exporters import plot_measured

if TYPE_CHECKING:
    from scorebed.exporters.plot_measured import Measured

RATE_HZ = 48_000


@pytest.fixture(scope="module")
def tone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Case 1 of EBU Tech 3341, but for 5 s."""
    path = tmp_path_factory.mktemp("tone") / "tone.wav"
    wave = 10 ** (-23 / 20) * np.sin(2 * np.pi * 1000 * np.arange(5 * RATE_HZ) / RATE_HZ)
    soundfile.write(path, np.stack([wave, wave], axis=1), RATE_HZ, subtype="FLOAT")
    return path


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Measured]:
    """What is drawn, caught on its way to the picture."""
    seen: list[Measured] = []
    draw = plot_measured.write_measured_plot

    def watch(path: Path, measured: Measured) -> tuple[Path, Path]:
        seen.append(measured)
        return draw(path, measured)

    monkeypatch.setattr("scorebed.measurement.write_measured_plot", watch)
    return seen


def test_all_figures_are_in_the_json(tone: Path) -> None:
    told = json.loads(scorebed.measure(tone, preset="ebu-r128").to_json())
    for name in ("integrated_lufs", "momentary_max_lufs", "short_term_max_lufs"):
        assert told[name] == pytest.approx(-23.0, abs=0.1)
    assert told["true_peak_dbtp"] == pytest.approx(-23.0, abs=0.1)
    assert told["range_lu"] == pytest.approx(0.0, abs=0.1)
    assert told["target"] == {
        "preset": "ebu-r128",
        "integrated_lufs": -23.0,
        "true_peak_dbtp": -1.0,
    }


@pytest.mark.parametrize(
    ("peaks_dbfs", "lufs"),
    [
        # EBU Tech 3341, case 6: L, R, C, Ls, Rs.
        ((-28.0, -28.0, -24.0, -30.0, -30.0), -23.0),
        # 4.0 is L, R, C and a surround at the back, which weighs 1.41.
        ((-28.0, -28.0, -24.0, -27.0), -23.0),
        # Three channels are 2.1: what is in LFE does not count.
        ((-23.0, -23.0, -10.0), -23.0),
    ],
)
def test_surround_is_measured_as_it_is(
    peaks_dbfs: tuple[float, ...], lufs: float, tmp_path: Path
) -> None:
    path = tmp_path / "surround.wav"
    wave = np.sin(2 * np.pi * 1000 * np.arange(5 * RATE_HZ) / RATE_HZ)
    peaks = 10 ** (np.array(peaks_dbfs) / 20)
    soundfile.write(path, wave[:, np.newaxis] * peaks, RATE_HZ, subtype="FLOAT")
    told = json.loads(scorebed.measure(path).to_json())
    assert told["integrated_lufs"] == pytest.approx(lufs, abs=0.1)


def test_silence_has_no_figures_but_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros((4 * RATE_HZ, 2)), RATE_HZ)
    told = json.loads(scorebed.measure(path, plot=tmp_path / "silence.png").to_json())
    for name in ("integrated_lufs", "momentary_max_lufs", "short_term_max_lufs", "range_lu"):
        assert told[name] is None
    assert matplotlib.image.imread(tmp_path / "silence.png").shape[:2] == (800, 1400)


def test_a_moment_of_sound_has_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "click.wav"
    soundfile.write(path, np.full((480, 1), 0.5), RATE_HZ)
    assert scorebed.measure(path, plot=tmp_path / "click.png").loudness.integrated_lufs is None
    assert matplotlib.image.imread(tmp_path / "click.png").shape[:2] == (800, 1400)


def test_the_picture_is_the_same_each_time(tone: Path, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        scorebed.measure(tone, plot=tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    scorebed.measure(tone, preset="ebu-r128", plot=tmp_path / "c.png")
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "c.png").read_bytes()


def test_a_picture_that_is_there_is_not_replaced_unasked(tone: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.png"
    path.write_bytes(b"mine")
    with pytest.raises(SettingsError, match=r"mine\.png exists"):
        scorebed.measure(tone, plot=path)
    assert path.read_bytes() == b"mine"
    scorebed.measure(tone, plot=path, overwrite=True)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.png"]


@pytest.mark.parametrize("name", ["plot.jpg", "nowhere/plot.png"])
def test_a_name_that_cannot_be_used_is_refused(name: str, tone: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        scorebed.measure(tone, plot=tmp_path / name)


def test_the_input_is_not_drawn_over(tone: Path, tmp_path: Path) -> None:
    path = tmp_path / "sound.png"
    path.write_bytes(tone.read_bytes())
    with pytest.raises(SettingsError, match="is the input"):
        scorebed.measure(path, plot=path, overwrite=True)
    assert path.read_bytes() == tone.read_bytes()


def test_nothing_is_left_when_drawing_fails(
    tone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_figure: object, part: Path, **_how: Any) -> None:
        part.write_bytes(b"half")
        raise MemoryError

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fail)
    with pytest.raises(MemoryError):
        scorebed.measure(tone, plot=tmp_path / "plot.png")
    assert not list(tmp_path.iterdir())


def _beside(video: Path, **duck: Any) -> None:
    """The JSON of a result beside a video, as the run that made it would have written it."""
    found = scorebed.measure(video)
    with av.open(str(video)):
        from scorebed.packets import read_contents  # noqa: PLC0415

        picture = read_contents(video, stage="test").picture_sha256
    told = {
        "programme": {"integrated_lufs": found.loudness.integrated_lufs},
        "picture": {"sha256": picture},
        "duck": {"least_lu": 12.0, "median_lu": 14.0} | duck,
    }
    sidecar(video).write_text(json.dumps(told))


def test_the_duck_curve_comes_from_the_json_beside(
    make_video: Any, tmp_path: Path, drawn: list[Measured]
) -> None:
    video = tmp_path / "film.mov"
    video.write_bytes(make_video("film.mov").read_bytes())
    scorebed.measure(video, plot=tmp_path / "0.png")
    _beside(video)
    scorebed.measure(video, plot=tmp_path / "1.png")
    _beside(video, curve=[{"time_s": 0.5, "gain_db": 0}, {"time_s": 1.0, "gain_db": -12.5}])
    margin = scorebed.measure(video, plot=tmp_path / "2.png").speech_margin
    assert [measured.curve for measured in drawn] == [(), (), ((0.5, 0.0), (1.0, -12.5))]
    assert margin is not None
    assert margin.least_lu == 12.0
    assert (tmp_path / "1.png").read_bytes() != (tmp_path / "2.png").read_bytes()


@pytest.mark.parametrize("curve", [[{"time_s": 0.5}], [3], 4, [{"time_s": "x", "gain_db": 0}]])
def test_a_json_that_is_not_a_results_is_refused(
    curve: Any, make_video: Any, tmp_path: Path
) -> None:
    video = tmp_path / "film.mov"
    video.write_bytes(make_video("film.mov").read_bytes())
    _beside(video, curve=curve)
    with pytest.raises(MediaError, match="not the JSON of a result"):
        scorebed.measure(video)


def test_the_picture_lies_on_the_pictures_time_line(
    make_video: Any, tmp_path: Path, drawn: list[Measured], locate_burst: Any
) -> None:
    video = make_video("late.mov", offset_s=0.5, duration_s=4.0)
    scorebed.measure(video, plot=tmp_path / "late.png")
    low, high = drawn[0].outline.extremes
    loudest = int(np.argmax(np.maximum(high, -low)))
    at_s = drawn[0].start_s + loudest * drawn[0].outline.column_samples / RATE_HZ
    assert at_s == pytest.approx(1.51, abs=0.02)


# --- other meters ------------------------------------------------------------------------------


def _ffmpegs_lufs(ffmpeg_exe: str, path: Path) -> float:
    # BS.1770's filters are defined at 48 kHz; made for 16 kHz they are 0.1 LU apart.
    graph = "aresample=48000,ebur128=metadata=1:dualmono=1,ametadata=print:key=lavfi.r128.I:file=-"
    done = subprocess.run(
        [ffmpeg_exe, "-v", "error", "-nostdin", "-i", path, "-vn", "-af", graph, "-f", "null", "-"],
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return float(re.findall(r"lavfi\.r128\.I=(\S+)", done.stdout)[-1])


def _pyloudnorms_lufs(ffmpeg_exe: str, path: Path, channels: int) -> float:
    done = subprocess.run(
        [
            *(ffmpeg_exe, "-v", "error", "-nostdin", "-i", path, "-vn", "-ar", str(RATE_HZ)),
            *("-ac", str(channels), "-f", "f32le", "-"),
        ],
        capture_output=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    audio = np.frombuffer(done.stdout, dtype=np.float32).reshape(-1, channels).astype(np.float64)
    # It counts a last gating block that is half full or more; BS.1770-4 counts full ones only.
    audio = audio[: len(audio) // 4800 * 4800]
    stereo = np.repeat(audio, 2, axis=1) if channels == 1 else audio
    return float(pyloudnorm.Meter(RATE_HZ).integrated_loudness(stereo))


def _length_s(path: Path) -> float:
    """Length of a file's sound, 0 where it is none."""
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            if not container.streams.audio:
                return 0.0
            return float(container.duration or 0) / 1e6
    except av.error.FFmpegError:
        return 0.0


@pytest.mark.media
@pytest.mark.parametrize("kind", ["music", "speech", "dialogue"])
def test_agrees_with_two_other_meters_on_real_files(
    kind: str, media_dir: Path, ffmpeg_exe: str
) -> None:
    paths = [path for path in sorted((media_dir / kind).iterdir()) if _length_s(path) > 3]
    assert len(paths) >= 6
    apart = {}
    for path in paths:
        found = scorebed.measure(path)
        ours = found.loudness.integrated_lufs
        theirs = (
            _ffmpegs_lufs(ffmpeg_exe, path),
            _pyloudnorms_lufs(ffmpeg_exe, path, found.channels),
        )
        if ours is None:
            assert max(theirs) <= -70, path.name
        elif max(abs(ours - lufs) for lufs in theirs) > 0.1:
            apart[path.name] = (ours, *theirs)
    assert not apart
