"""Broadcast Wave, read back by code that knows nothing of the writer: by hand, libsndfile, ffmpeg.

Offsets in the bext chunk are those of EBU Tech 3285 version 2, section 2.3.
"""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
import soundfile

from scorebed import __version__
from scorebed.dsp.loudness import measure
from scorebed.exporters import bwf
from scorebed.exporters.bwf import Sound, survey, write_bwf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorebed.model import Audio

RATE_HZ = 48_000
MIDNIGHT = (10 << 32) + 12_345


def noise(seed: int, seconds: float, channels: int, peak: float = 0.5) -> Audio:
    rng = np.random.default_rng(seed)
    audio = rng.uniform(-peak, peak, (round(seconds * RATE_HZ), channels))
    return audio.astype(np.float32)


def _blocks(audio: Audio) -> Iterator[Audio]:
    for at in range(0, len(audio), 10_000):
        yield audio[at : at + 10_000]


def sound_of(audio: Audio, **how: Any) -> Sound:
    given: dict[str, Any] = {
        "description": "MX: music of a film",
        "time_reference_samples": MIDNIGHT,
    } | how
    return Sound(
        play=partial(_blocks, audio),
        channels=audio.shape[1],
        length_samples=len(audio),
        **given,
    )


def write(path: Path, sound: Sound) -> Path:
    write_bwf(path, sound, survey(sound))
    return path


def chunks_of(path: Path) -> dict[bytes, bytes]:
    """All chunks of a RIFF or RF64 file, by hand."""
    held = path.read_bytes()
    assert held[:4] in {b"RIFF", b"RF64"}
    assert held[8:12] == b"WAVE"
    at, found = 12, {b"": held[:4]}
    while at < len(held):
        name, size = struct.unpack_from("<4sI", held, at)
        if size == 0xFFFFFFFF:
            size = int.from_bytes(found[b"ds64"][8:16], "little")
        found[name] = held[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    assert at == len(held)
    whole = int.from_bytes(found[b"ds64"][:8], "little") if b"ds64" in found else None
    assert (whole or int.from_bytes(held[4:8], "little")) == len(held) - 8
    return found


def figures_of(bext: bytes) -> list[int]:
    """Integrated, range, true peak, momentary, short-term, in hundredths."""
    return [int.from_bytes(bext[at : at + 2], "little", signed=True) for at in range(412, 422, 2)]


@pytest.mark.parametrize("channels", [1, 2, 6, 8])
@pytest.mark.parametrize("seconds", [0.00002, 1.00003, 3.5])
def test_other_readers_hear_what_was_written(channels: int, seconds: float, tmp_path: Path) -> None:
    audio = noise(channels, seconds, channels)
    path = write(tmp_path / "a.wav", sound_of(audio))
    info = soundfile.info(str(path))
    assert (info.samplerate, info.channels, info.subtype) == (RATE_HZ, channels, "PCM_24")
    read, _ = soundfile.read(path, dtype="float32", always_2d=True)
    assert np.abs(read - audio).max() <= 0.5 / (1 << 23)
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert stream.codec_context.name == "pcm_s24le"
        layout = stream.codec_context.layout.name
        packed = np.concatenate([frame.to_ndarray() for frame in container.decode(stream)], axis=1)
    # Mono and stereo are plain PCM, without a channel mask.
    assert layout == {1: "1 channels", 2: "2 channels", 6: "5.1", 8: "7.1"}[channels]
    assert np.array_equal(packed.reshape(-1, channels) >> 8, np.rint(read * (1 << 23)))


def test_the_broadcast_extension_says_what_it_should(tmp_path: Path) -> None:
    audio = noise(3, 5, 2)
    bext = chunks_of(write(tmp_path / "a.wav", sound_of(audio)))[b"bext"]
    assert bext[:256].rstrip(b"\0") == b"MX: music of a film"
    assert bext[256:288].rstrip(b"\0") == f"scorebed {__version__}".encode()
    assert not any(bext[288:338])  # no reference, and no date: equal runs give equal bytes
    assert int.from_bytes(bext[338:346], "little") == MIDNIGHT
    assert int.from_bytes(bext[346:348], "little") == 2
    assert not any(bext[348:412])
    loudness = measure([audio], 2)
    told = (
        loudness.integrated_lufs,
        loudness.range_lu,
        loudness.true_peak_dbtp,
        loudness.momentary_max_lufs,
        loudness.short_term_max_lufs,
    )
    for figure, expected in zip(figures_of(bext), told, strict=True):
        assert expected is not None
        assert figure == pytest.approx(expected * 100, abs=0.51)
    assert not any(bext[422:602])
    history = f"A=PCM,F=48000,W=24,M=stereo,T=scorebed {__version__}; 2 ch"
    assert bext[602:].endswith(b"\r\n")
    assert bext[602:].decode().rstrip() == history


def test_silence_leaves_the_loudness_unsaid(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", sound_of(np.zeros((RATE_HZ, 2), dtype=np.float32)))
    assert figures_of(chunks_of(path)[b"bext"]) == [0x7FFF] * 5


def test_a_long_or_foreign_description_is_cut_and_spelt(tmp_path: Path) -> None:
    sound = sound_of(noise(1, 0.1, 1), description="Fähre \udcff " + "x" * 400)
    bext = chunks_of(write(tmp_path / "a.wav", sound))[b"bext"]
    assert bext[:9] == b"F?hre ? x"
    assert bext[256:264] == b"scorebed"


def test_the_same_sound_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (write(tmp_path / name, sound_of(noise(1, 1, 2))) for name in "ab")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_what_would_clip_is_float_and_whole(channels: int, tmp_path: Path) -> None:
    audio = noise(5, 1.00003, channels)
    audio[777, channels - 1] = -1.7
    path = write(tmp_path / "a.wav", sound_of(audio))
    assert soundfile.info(str(path)).subtype == "FLOAT"
    read, _ = soundfile.read(path, dtype="float32", always_2d=True)
    assert np.array_equal(read, audio)
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert stream.codec_context.name == "pcm_f32le"
        heard = np.concatenate([frame.to_ndarray() for frame in container.decode(stream)], axis=1)
    assert np.array_equal(heard.reshape(-1, channels), audio)
    found = chunks_of(path)
    assert int.from_bytes(found[b"bext"][338:346], "little") == MIDNIGHT
    assert b"32-bit float" in found[b"bext"][602:]
    assert int.from_bytes(found[b"fact"], "little") == len(audio)


@pytest.mark.parametrize(
    ("sample", "kind"),
    [(-1.0, "PCM_24"), (1.0, "FLOAT"), (1 - 2**-23, "PCM_24"), (-1.0001, "FLOAT")],
)
def test_full_scale_is_where_24_bits_end(sample: float, kind: str, tmp_path: Path) -> None:
    audio = np.zeros((1000, 2), dtype=np.float32)
    audio[500] = sample
    path = write(tmp_path / "a.wav", sound_of(audio))
    assert soundfile.info(str(path)).subtype == kind
    assert soundfile.read(path, dtype="float32")[0][500, 0] == np.float32(sample)


@pytest.mark.parametrize("peak", [0.5, 1.5])
def test_past_its_limit_it_is_rf64(
    peak: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bwf, "_RIFF_LIMIT_BYTES", 100_000)
    audio = noise(6, 1.00003, 6, peak)
    path = write(tmp_path / "a.wav", sound_of(audio))
    found = chunks_of(path)
    assert found[b""] == b"RF64"
    assert int.from_bytes(found[b"ds64"][16:24], "little") == len(audio)
    assert soundfile.info(str(path)).format == "RF64"
    read, _ = soundfile.read(path, dtype="float32", always_2d=True)
    assert np.abs(read - audio).max() <= 0.5 / (1 << 23)
    with av.open(str(path)) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) == len(audio)
        assert container.metadata["time_reference"] == str(MIDNIGHT)


def test_the_limit_is_4_gb() -> None:
    """Only the header: nine hours of stereo are not written for a test."""
    audio = noise(1, 0.1, 2)
    found = survey(sound_of(audio))
    hours = [
        bwf._header(
            Sound(
                play=partial(_blocks, audio),
                channels=2,
                length_samples=length,
                description="",
                time_reference_samples=0,
            ),
            found,
            length * 6,
        )
        for length in (715_000_000, 716_000_000)
    ]
    assert [header[:4] for header in hours] == [b"RIFF", b"RF64"]
    assert int.from_bytes(hours[1][28:36], "little") == 716_000_000 * 6


def test_ffprobe_reads_time_reference_and_names(tmp_path: Path) -> None:
    ffprobe = shutil.which("ffprobe")
    if ffprobe is None:
        pytest.skip("ffprobe is not installed")
    path = write(tmp_path / "a.wav", sound_of(noise(1, 1, 2)))
    done = subprocess.run(
        [ffprobe, "-v", "error", "-show_format", "-of", "json", path],
        capture_output=True,
        check=True,
    )
    tags = json.loads(done.stdout)["format"]["tags"]
    assert tags["time_reference"] == str(MIDNIGHT)
    assert tags["encoded_by"] == f"scorebed {__version__}"
    assert tags["comment"] == "MX: music of a film"


def test_a_sound_of_another_length_is_an_error(tmp_path: Path) -> None:
    audio = noise(1, 1, 2)
    wrong = Sound(
        play=partial(_blocks, audio),
        channels=2,
        length_samples=len(audio) + 1,
        description="",
        time_reference_samples=0,
    )
    with pytest.raises(ValueError, match="promised"):
        write(tmp_path / "a.wav", wrong)
