"""Click and flash: nothing moves against the picture, in any container with any codec it holds.

A film has a white frame and a click of its own; the music is another click. Before and after, the
film's click has the same distance from the flash, and the music's click lies where it was put,
both within 1 ms, as libav decodes the files. A few pairs always run; all of them with all offsets:
``pytest -m slow tests/e2e/test_sync.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

import scorebed
from scorebed.stages.mux_codecs import HELD

RATE_HZ = 48_000
ONE_MS = RATE_HZ // 1000
LENGTH_S = 3
CLICK_S, MUSIC_S = 1.0, 2.0
OFFSETS_S = (-0.5, 0.0, 0.188, 1.075)
FLASH = (
    "color=black:size=160x90:rate=25:duration=3,"
    "drawbox=t=fill:color=white:enable='between(t,0.99,1.03)'"
)


@dataclass(frozen=True)
class Kind:
    """How a film of a container is made."""

    muxer: str
    picture: str = "libx264"
    sound: str = "aac"
    extra: tuple[str, ...] = ()


KINDS = {
    "mp4": Kind("mp4"),
    "m4v": Kind("mp4"),
    "mov": Kind("mov", "prores_ks", "pcm_s16le"),
    "3gp": Kind("3gp", "h263", "aac", ("-s", "176x144")),
    "mkv": Kind("matroska", "libx264", "flac"),
    "webm": Kind("webm", "libvpx-vp9", "libopus", ("-deadline", "realtime", "-cpu-used", "8")),
    "avi": Kind("avi", "mpeg4", "pcm_s16le"),
    "ts": Kind("mpegts"),
    "m2ts": Kind("mpegts", "libx264", "ac3", ("-mpegts_m2ts_mode", "1")),
    "mpg": Kind("vob", "mpeg2video", "mp2", ("-f", "vob")),
    "flv": Kind("flv"),
    "wmv": Kind("asf", "wmv2", "wmav2"),
    "ogv": Kind("ogg", "libtheora", "libvorbis"),
    "mxf": Kind("mxf", "mpeg2video", "pcm_s16le"),
    "nut": Kind("nut", "mpeg4", "mp2"),
}
PAIRS = [(ending, codec) for ending, kind in KINDS.items() for codec in HELD[kind.muxer]]


@pytest.fixture(scope="session")
def other() -> NDArray[np.float32]:
    """The click of the music: as the film's own, and unlike it."""
    noise = np.random.default_rng(70).standard_normal(960) * np.hanning(960)
    return np.asarray(0.7 * noise / np.abs(noise).max(), dtype=np.float32)


@pytest.fixture(scope="session")
def music(other: NDArray[np.float32], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As long as the picture, and never silent: it is laid to the sample."""
    bed = np.random.default_rng(71).standard_normal((LENGTH_S * RATE_HZ, 1))
    audio = np.repeat(0.01 * bed, 2, axis=1).astype(np.float32)
    first = round(MUSIC_S * RATE_HZ)
    audio[first : first + len(other)] += other[:, np.newaxis]
    path = tmp_path_factory.mktemp("music") / "click.wav"
    soundfile.write(path, audio, RATE_HZ, subtype="FLOAT")
    return path


@pytest.fixture(scope="session")
def make_film(make_media: Callable[..., Path], make_bursts: Callable[..., Path]) -> Any:
    def make(ending: str, offset_s: float) -> Path:
        kind = KINDS[ending]
        late = [("-itsoffset", str(max(moved, 0))) for moved in (-offset_s, offset_s)]
        return make_media(
            f"film.{ending}",
            *(*late[0], "-f", "lavfi", "-i", FLASH),
            *(*late[1], "-i", make_bursts(LENGTH_S, [CLICK_S, CLICK_S])),
            *("-map", "0", "-map", "1", "-c:v", kind.picture, "-g", "25", "-q:v", "4"),
            *("-pix_fmt", "yuv422p10le" if kind.picture == "prores_ks" else "yuv420p"),
            *("-c:a", kind.sound, "-threads", "1", *kind.extra),
        )

    return make


def flash_s(path: Path) -> float:
    """When the white frame is shown, from the first shown frame on."""
    with av.open(str(path)) as container:
        shown = [
            (
                frame.pts * Fraction(frame.time_base or 0),
                float(frame.reformat(format="gray").to_ndarray().mean()),
            )
            for frame in container.decode(video=0)
            if frame.pts is not None
        ]
    first_s = min(at_s for at_s, _ in shown)
    white = [at_s for at_s, light in shown if light > 128]
    assert white
    return float(white[0] - first_s)


@dataclass(frozen=True)
class Judge:
    """Scores a film and looks where things are."""

    heard: Any
    music: Path
    own: NDArray[np.float32]
    other: NDArray[np.float32]
    folder: Path

    def click(self, path: Path, click: NDArray[np.float32]) -> float:
        """Samples at 48 kHz from the first shown frame to a click."""
        audio, start = self.heard(path)
        size = len(audio) + len(click)
        likeness = np.fft.irfft(
            np.fft.rfft(audio[:, 0], size) * np.conj(np.fft.rfft(click, size)), size
        )[: len(audio)]
        best = int(np.argmax(np.abs(likeness)))
        there = audio[best : best + len(click), 0]
        alike = abs(likeness[best]) / (np.linalg.norm(there) * np.linalg.norm(click) + 1e-12)
        assert alike > 0.3, f"no click is heard (likeness {alike:.2f})"
        return float(start + best)

    def check(self, film: Path, ending: str, codec: Any) -> scorebed.Result:
        output = self.folder / f"out.{ending}"
        result = scorebed.score(
            film,
            output,
            music=self.music,
            audio_codec=codec,
            workspace=self.folder / "work",
        )
        before = self.click(film, self.own) - flash_s(film) * RATE_HZ
        after = self.click(output, self.own) - flash_s(output) * RATE_HZ
        assert after == pytest.approx(before, abs=ONE_MS)
        assert self.click(output, self.other) == pytest.approx(MUSIC_S * RATE_HZ, abs=ONE_MS)
        return result


@pytest.fixture
def judge(
    heard: Any,
    music: Path,
    burst: NDArray[np.float32],
    other: NDArray[np.float32],
    tmp_path: Path,
) -> Judge:
    return Judge(heard, music, burst, other, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("offset_s", OFFSETS_S)
@pytest.mark.parametrize(("ending", "codec"), PAIRS)
def test_nothing_moves(
    ending: str, codec: str, offset_s: float, make_film: Any, judge: Judge
) -> None:
    judge.check(make_film(ending, offset_s), ending, codec)


@pytest.mark.parametrize(
    ("ending", "codec", "offset_s"),
    [
        ("mp4", None, -0.5),
        ("mov", "pcm", 1.075),
        ("3gp", None, 0.188),
        ("mkv", "opus", 0.188),
        ("webm", None, -0.5),
        ("avi", None, 0.188),
        ("ts", "ac3", 0.188),
        ("m2ts", None, 1.075),
        ("mpg", None, -0.5),
        ("flv", None, 0.188),
        ("wmv", None, 1.075),
        ("ogv", None, 0.188),
        ("mxf", None, 0.0),
        ("nut", "mp3", 0.188),
    ],
)
def test_nothing_moves_in_any_container(
    ending: str, codec: str | None, offset_s: float, make_film: Any, judge: Judge
) -> None:
    result = judge.check(make_film(ending, offset_s), ending, codec)
    if codec is not None:
        assert result.scored.audio_codec.startswith(codec)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_nothing_moves_where_frames_come_at_uneven_times(
    ending: str, make_film: Any, make_media: Any, judge: Judge
) -> None:
    film = make_media(
        f"uneven.{ending}",
        *(
            "-i",
            make_film("mkv", 0.188),
            "-vf",
            "select='not(eq(mod(n,7),3))*not(between(n,8,12))'",
        ),
        *("-fps_mode", "vfr", "-c:v", "libx264", "-c:a", "aac", "-threads", "1"),
    )
    result = judge.check(film, ending, None)
    assert result.picture.variable_rate


@pytest.mark.parametrize("ending", ["mp4", "mov"])
def test_nothing_moves_where_an_edit_list_hides_frames(
    ending: str, make_film: Any, make_media: Any, judge: Judge
) -> None:
    whole = make_media(
        f"whole.{ending}",
        *("-i", make_film("mkv", 0.188), "-c:v", "libx264", "-g", "100", "-bf", "2"),
        *("-c:a", "aac", "-threads", "1"),
    )
    film = make_media(f"cut.{ending}", "-ss", "0.48", "-i", whole, "-map", "0", "-c", "copy")
    result = judge.check(film, ending, None)
    assert result.picture.hidden_frames


def test_music_for_a_film_whose_first_frame_comes_late_and_has_no_sound(
    make_media: Any, judge: Judge, tmp_path: Path
) -> None:
    """AVI gives B-frames no times: the first one is shown when the decoder has enough of them."""
    film = make_media(
        "late.avi",
        *("-f", "lavfi", "-i", FLASH, "-c:v", "libx264", "-bf", "2", "-g", "25", "-threads", "1"),
    )
    result = scorebed.score(
        film, tmp_path / "out.avi", music=judge.music, workspace=tmp_path / "work"
    )
    assert result.picture.start_s > result.picture.container_start_s
    found = judge.click(tmp_path / "out.avi", judge.other)
    assert found == pytest.approx(MUSIC_S * RATE_HZ, abs=ONE_MS)
