"""What tests share: small real files made by the project's own ffmpeg, and how they are heard."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
import soundfile

from scorebed.errors import MediaError
from scorebed.ffmpeg import locate
from scorebed.media import identify
from scorebed.stages.probe import probe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scorebed.model import Picture, SourceFile

RATE_HZ = 48_000
BURST_SAMPLES = 960
ROOT = Path(__file__).parents[1]

# For xdist's workers, which are started after this: each is on a core of its own.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees or fills the user's cache, ledger, settings or keys."""
    home = tmp_path_factory.getbasetemp() / "home"
    for kind in ("CACHE", "DATA", "CONFIG"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(home / kind.lower()))
    for name in [name for name in os.environ if name.startswith("ELEVENLABS_")]:
        monkeypatch.delenv(name)
    for name in (
        "SCOREBED_INCOMING",
        "SCOREBED_LEDGER",
        "SCOREBED_SETTINGS",
        "SCOREBED_SOUNDFONTS",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def media_dir() -> Path:
    """The folder of real files that do not belong to the project."""
    named = os.environ.get("SCOREBED_MEDIA")
    folder = Path(named) if named else ROOT.parent / "shared" / "media"
    if not folder.is_dir():
        pytest.skip("set SCOREBED_MEDIA to the folder of real media")
    return folder


@pytest.fixture(scope="session")
def ffmpeg_exe() -> str:
    """The ffmpeg that the product itself would use."""
    return locate().path


@pytest.fixture
def workspace_root(tmp_path: Path) -> Path:
    """A folder for workspaces, not yet made."""
    return tmp_path / "workspaces"


@pytest.fixture(scope="session")
def make_media(ffmpeg_exe: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Runs ffmpeg once per name and arguments: ``make_media("a.mp4", "-i", x, "-c", "copy")``."""
    made: dict[tuple[str, ...], Path] = {}

    def make(name: str, *args: str | Path) -> Path:
        key = (name, *map(str, args))
        if key not in made:
            path = tmp_path_factory.mktemp("media") / name
            done = subprocess.run(
                [
                    ffmpeg_exe,
                    "-hide_banner",
                    "-nostdin",
                    "-loglevel",
                    "error",
                    "-y",
                    *map(str, args),
                    str(path),
                ],
                check=False,
                capture_output=True,
                stdin=subprocess.DEVNULL,
            )
            assert done.returncode == 0, done.stderr.decode(errors="replace")
            made[key] = path
        return made[key]

    return make


@pytest.fixture(scope="session")
def burst() -> NDArray[np.float32]:
    """The click of all sync tests: 20 ms of seeded noise, so that its place has one answer."""
    noise = np.random.default_rng(7).standard_normal(BURST_SAMPLES) * np.hanning(BURST_SAMPLES)
    return np.asarray(0.7 * noise / np.abs(noise).max(), dtype=np.float32)


@pytest.fixture(scope="session")
def make_bursts(
    tmp_path_factory: pytest.TempPathFactory, burst: NDArray[np.float32]
) -> Callable[..., Path]:
    """A float WAV with a burst per channel: ``make_bursts(2.0, [0.5, 0.5])`` in seconds."""

    def make(duration_s: float, at_s: list[float]) -> Path:
        audio = np.zeros((round(duration_s * RATE_HZ), len(at_s)), dtype=np.float32)
        for channel, start_s in enumerate(at_s):
            first = round(start_s * RATE_HZ)
            audio[first : first + len(burst), channel] = burst
        path = tmp_path_factory.mktemp("bursts") / "bursts.wav"
        soundfile.write(path, audio, RATE_HZ, subtype="FLOAT")
        return path

    return make


@pytest.fixture(scope="session")
def make_video(make_media: Callable[..., Path], make_bursts: Callable[..., Path]) -> Any:
    """A small film: 160x90, 25 frames per second, a burst at 1 s of the sound's own clock.

    ``offset_s`` moves the sound against the picture; ``sound`` is its codec, None for no sound.
    """
    pictures: dict[str, tuple[str, ...]] = {
        "h264": ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "25"),
        "mpeg4": ("-c:v", "mpeg4", "-q:v", "5"),
        "mpeg2": ("-c:v", "mpeg2video", "-q:v", "5", "-bf", "2"),
        "vp9": ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"),
        "wmv": ("-c:v", "wmv2", "-q:v", "5"),
        "theora": ("-c:v", "libtheora", "-q:v", "5"),
        "prores": ("-c:v", "prores", "-profile:v", "0"),
    }

    def make(
        name: str,
        *extra: str | Path,
        picture: str = "h264",
        sound: str | None = "pcm_s16le",
        offset_s: float = 0.0,
        duration_s: float = 3.0,
        rate: str = "25",
        look: str = "testsrc2=size=160x90",
    ) -> Path:
        encoded = make_media(
            # AVI counts frames and so has to come from a clock that does.
            "picture.avi" if picture == "mpeg4" else "picture.mkv",
            *("-f", "lavfi", "-i", f"{look}:rate={rate}:duration={duration_s}"),
            *("-pix_fmt", "yuv422p10le" if picture == "prores" else "yuv420p", "-threads", "1"),
            *pictures[picture],
        )
        if sound is None:
            return make_media(name, "-i", encoded, "-c", "copy", *extra)
        return make_media(
            name,
            *("-itsoffset", "0" if offset_s >= 0 else str(-offset_s), "-i", encoded),
            *("-itsoffset", str(max(offset_s, 0)), "-i", make_bursts(duration_s, [1.0, 1.0])),
            *("-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", sound, *extra),
        )

    return make


@pytest.fixture
def probed(tmp_path: Path) -> Callable[[Path], tuple[SourceFile, Picture]]:
    """A file as the pipeline knows it after the first stage."""

    def look(path: Path) -> tuple[SourceFile, Picture]:
        source = identify(path)
        folder = tmp_path / f"probe-{source.fingerprint[:12]}"
        folder.mkdir(exist_ok=True)
        return source, probe(source, folder=folder)

    return look


@pytest.fixture(scope="session")
def locate_burst(burst: NDArray[np.float32]) -> Callable[[NDArray[np.float32]], int]:
    """Where the burst begins in a channel, in samples from its start, by matched filter."""

    def find(channel: NDArray[np.float32]) -> int:
        size = len(channel) + len(burst)
        spectrum = np.fft.rfft(channel, size) * np.conj(np.fft.rfft(burst, size))
        likeness = np.fft.irfft(spectrum, size)[: len(channel)]
        best = int(np.argmax(likeness))
        there = channel[best : best + len(burst)]
        alike = likeness[best] / (np.linalg.norm(there) * np.linalg.norm(burst) + 1e-12)
        assert alike > 0.3, f"no burst is heard (likeness {alike:.2f})"
        return best

    return find


@pytest.fixture(scope="session")
def heard() -> Callable[..., tuple[NDArray[np.float32], int]]:
    """The sound of a file as libav decodes it, and where it starts.

    Returns samples of shape (samples, channels) at the stream's rate and the position of the first
    one relative to the first shown frame: measured without any of the code under test.
    """

    def listen(path: Path, number: int = 0) -> tuple[NDArray[np.float32], int]:
        with av.open(str(path)) as container:
            video = next(s for s in container.streams.video if not int(s.disposition) & 0x400)
            shown = min(
                packet.pts * Fraction(packet.time_base or 0)
                for packet in container.demux(video)
                if packet.pts is not None and not packet.is_discard
            )
        blocks: list[tuple[int, NDArray[np.float32]]] = []
        with av.open(str(path)) as container:
            stream = container.streams.audio[number]
            rate_hz = stream.rate
            packed = av.AudioResampler(format="flt")  # PyAV crashes on many planes
            for frame in container.decode(stream):
                if frame.pts is None:  # it follows on the one before
                    at = blocks[-1][0] + len(blocks[-1][1])
                else:
                    at = round((frame.pts * Fraction(frame.time_base or 0) - shown) * rate_hz)
                for part in packed.resample(frame):
                    channels = part.layout.nb_channels
                    block = part.to_ndarray().reshape(-1, channels)
                    blocks.append((at, np.array(block, dtype=np.float32)))
        start = min(at for at, _ in blocks)
        end = max(at + len(block) for at, block in blocks)
        audio = np.zeros((end - start, blocks[0][1].shape[1]), dtype=np.float32)
        for at, block in blocks:
            audio[at - start : at - start + len(block)] = block
        return audio, start

    return listen


@pytest.fixture(scope="session")
def stream_hash(ffmpeg_exe: str) -> Callable[..., str]:
    """SHA-256 of a stream's packets, of the first picture's unasked, by ffmpeg's own streamhash."""

    def ask(path: Path, stream: str = "V:0") -> str:
        how = f"-map 0:{stream} -c copy -copyinkf -f streamhash -hash sha256 -"
        said = subprocess.run(
            [ffmpeg_exe, "-loglevel", "error", "-nostdin", "-i", path, *how.split()],
            check=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
        )
        return said.stdout.decode().strip().rpartition("=")[2].lower()

    return ask


@pytest.fixture
def refused(tmp_path: Path) -> Callable[[Path], MediaError]:
    """The error that a file is refused with, by naming it or by reading it; never another one."""

    def ask(path: Path) -> MediaError:
        with pytest.raises(MediaError) as caught:
            probe(identify(path), folder=tmp_path)
        assert caught.value.exit_code == 3
        assert path.name in caught.value.message
        assert caught.value.remedy
        return caught.value

    return ask
