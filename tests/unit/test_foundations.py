"""What everything stands on: exact time, errors that survive a process, WAV in blocks."""

from __future__ import annotations

import hashlib
import pickle
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from scorebed import errors
from scorebed.ffmpeg import FfmpegError
from scorebed.model import Artifact, Stem, TimeRange
from scorebed.timecode import (
    SAMPLE_RATE_HZ,
    counts_frames,
    since_midnight_s,
    to_clock,
    to_samples,
    to_seconds,
    to_stamp,
    to_timecode,
)
from scorebed.wav import (
    BLOCK_SAMPLES,
    WavPart,
    read_stem,
    read_wav,
    sha256_of,
    wav_writer,
    write_wav,
)

# --- time --------------------------------------------------------------------------------------


@given(st.fractions(min_value=-10_000, max_value=100_000))
def test_a_time_is_half_a_sample_from_its_sample_at_most(time_s: Fraction) -> None:
    off_s = to_seconds(to_samples(time_s)) - time_s
    assert -Fraction(1, 2) < off_s * SAMPLE_RATE_HZ <= Fraction(1, 2)


@given(st.integers(min_value=-(10**12), max_value=10**12))
def test_a_sample_keeps_its_place(position_samples: int) -> None:
    assert to_samples(to_seconds(position_samples)) == position_samples


@pytest.mark.parametrize("start_s", [Fraction(0), Fraction(1, 3), Fraction(-1001, 30_000)])
def test_rounding_does_not_depend_on_the_sign(start_s: Fraction) -> None:
    """A shift of whole seconds shifts whole samples: no drift over a long programme."""
    for seconds in (-3, 0, 3, 36_000):
        assert to_samples(start_s + seconds) == to_samples(start_s) + seconds * SAMPLE_RATE_HZ


def test_frames_of_ntsc_do_not_drift() -> None:
    frame_s = Fraction(1001, 30_000)
    assert to_samples(frame_s * 30_000 * 60) == 1001 * 60 * SAMPLE_RATE_HZ
    steps = {to_samples(frame_s * (n + 1)) - to_samples(frame_s * n) for n in range(1000)}
    assert steps == {1601, 1602}


@pytest.mark.parametrize(
    ("timecode", "rate", "frames"),
    [
        ("00:00:00:00", Fraction(25), 0),
        ("10:00:00:00", Fraction(25), 900_000),
        ("01:00:00:00", Fraction(24_000, 1001), 86_400),
        ("01:00:00:12", Fraction(30_000, 1001), 108_012),
        # SMPTE ST 12-1: drop-frame leaves out 108 numbers an hour.
        ("01:00:00;00", Fraction(30_000, 1001), 107_892),
        ("00:00:59;29", Fraction(30_000, 1001), 1799),
        ("00:01:00;02", Fraction(30_000, 1001), 1800),
        ("00:10:00;00", Fraction(30_000, 1001), 17_982),
        ("01:00:00.00", Fraction(60_000, 1001), 215_784),
        ("01:00:00;00", Fraction(25), 90_000),
    ],
)
def test_a_timecode_is_a_time_of_day(timecode: str, rate: Fraction, frames: int) -> None:
    assert since_midnight_s(timecode, rate) == frames / rate


@pytest.mark.parametrize(
    "text", ["", "1:00:00", "24:00:00:00", "00:60:00:00", "00:00:60:00", "00:00:00:25", "x" * 11]
)
def test_what_is_no_timecode_is_no_time(text: str) -> None:
    assert since_midnight_s(text, Fraction(25)) is None


@pytest.mark.parametrize("drop", [False, True])
@pytest.mark.parametrize("rate", ["24", "24000/1001", "25", "30000/1001", "30", "60000/1001"])
def test_timecode_there_and_back(rate: str, drop: bool) -> None:  # noqa: FBT001
    fps = Fraction(rate)
    day = round(fps) * 86_400
    numbers = [*range(0, 40_000, 7), *range(17_970, 18_030), *range(0, day - 100_000, 99_991)]
    for number in numbers:
        assert since_midnight_s(to_timecode(number, fps, drop=drop), fps) == number / fps


def test_drop_frame_leaves_numbers_out() -> None:
    fps = Fraction(30000, 1001)
    assert to_timecode(1799, fps, drop=True) == "00:00:59;29"
    assert to_timecode(1800, fps, drop=True) == "00:01:00;02"
    assert to_timecode(17_982, fps, drop=True) == "00:10:00;00"
    assert to_timecode(107_892, fps, drop=True) == "01:00:00;00"
    assert to_timecode(1800, fps) == "00:01:00:00"
    assert to_timecode(1800, Fraction(25), drop=True) == "00:01:12:00"


def test_which_rates_a_timecode_counts() -> None:
    assert all(counts_frames(Fraction(rate)) for rate in ("24000/1001", "25", "120000/1001"))
    assert not any(counts_frames(Fraction(rate)) for rate in ("35/2", "1/3", "239/10"))


def test_stamps_are_to_the_millisecond() -> None:
    assert to_stamp(Fraction(0)) == "00:00:00.000"
    assert to_stamp(Fraction("83.4804999")) == "00:01:23.480"
    assert to_stamp(Fraction("3599.9995")) == "01:00:00.000"
    assert to_stamp(Fraction(3 * 3600)) == "03:00:00.000"


@pytest.mark.parametrize(
    ("time_s", "shown"),
    [
        (0, "0:00.0"),
        (59.96, "1:00.0"),
        (Fraction(1234, 10), "2:03.4"),
        (3599.99, "1:00:00.0"),
        (3723.4, "1:02:03.4"),
    ],
)
def test_a_clock_never_shows_sixty_seconds(time_s: float, shown: str) -> None:
    assert to_clock(time_s) == shown


def test_a_range_is_half_open() -> None:
    span = TimeRange.between(Fraction(1, 3), Fraction(5, 3))
    assert (span.duration_s, span.end_s) == (Fraction(4, 3), Fraction(5, 3))


# --- errors ------------------------------------------------------------------------------------

CODES = {
    errors.ScorebedError: 1,
    errors.SettingsError: 2,
    errors.MediaError: 3,
    errors.ToolError: 4,
    FfmpegError: 4,
    errors.ProviderError: 5,
    errors.WorkspaceError: 6,
}


@pytest.mark.parametrize("kind", CODES, ids=lambda kind: kind.__name__)
def test_an_error_has_its_code_and_survives_a_process_pool(
    kind: type[errors.ScorebedError],
) -> None:
    error = kind("what happened", remedy="What to do.")
    assert error.exit_code == CODES[kind]
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(again) is kind
    assert (again.message, again.remedy, str(again)) == (
        "what happened",
        "What to do.",
        "what happened",
    )


def test_an_interruption_is_not_caught_as_an_error() -> None:
    assert not issubclass(errors.Interrupted, Exception)


# --- wav ---------------------------------------------------------------------------------------


def noise(length: int, channels: int = 2) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    rng = np.random.default_rng(2)
    return (rng.standard_normal((length, channels)) * 0.1).astype(np.float32)


@pytest.mark.parametrize("length", [0, 1, BLOCK_SAMPLES, BLOCK_SAMPLES + 1, 200_000])
def test_what_is_written_is_read(tmp_path: Path, length: int) -> None:
    audio = noise(length)
    blocks = np.array_split(audio, 3)
    made = write_wav(tmp_path / "a.wav", blocks, channels=2, length_samples=length)
    assert made.sha256 == hashlib.sha256(made.path.read_bytes()).hexdigest()
    read = [*read_wav(made.path)]
    assert all(len(block) <= BLOCK_SAMPLES for block in read)
    assert np.array_equal(np.concatenate([*read, audio[:0]]), audio)
    found = soundfile.info(made.path)
    assert (found.samplerate, found.subtype, found.frames) == (SAMPLE_RATE_HZ, "FLOAT", length)


def test_equal_music_is_an_equal_file(tmp_path: Path) -> None:
    """No time of day inside, and the blocks it came in do not matter."""
    audio = noise(100_000)
    one = write_wav(tmp_path / "a.wav", [audio], channels=2, length_samples=100_000)
    two = write_wav(
        tmp_path / "b.wav", np.array_split(audio, 7), channels=2, length_samples=100_000
    )
    assert one.sha256 == two.sha256 == sha256_of(two.path)


@pytest.mark.parametrize("promised", [99, 101])
def test_a_length_that_was_promised_is_kept(tmp_path: Path, promised: int) -> None:
    with pytest.raises(ValueError, match="100 samples written"):
        write_wav(tmp_path / "a.wav", [noise(100)], channels=2, length_samples=promised)


def test_an_unknown_length_has_no_limit(tmp_path: Path) -> None:
    with wav_writer(tmp_path / "a.wav", channels=1) as writer:
        for _ in range(3):
            writer.write(noise(1000, 1))
        assert writer.length_samples == 3000
    assert soundfile.info(tmp_path / "a.wav").format == "RF64"
    assert sum(map(len, read_wav(tmp_path / "a.wav"))) == 3000


def test_a_part_of_a_part(tmp_path: Path) -> None:
    audio = noise(150_000)
    made = write_wav(tmp_path / "a.wav", [audio], channels=2, length_samples=len(audio))
    part = WavPart.whole(made.path).part(1000, 100_000).part(500, 80_000)
    assert np.array_equal(np.concatenate([*part.blocks()]), audio[1500:81_500])
    assert np.array_equal(part.read(10, 20), audio[1510:1530])


@pytest.mark.parametrize(("start", "length"), [(-500, 2000), (0, 1000), (900, 500), (5000, 100)])
@pytest.mark.parametrize("stem_start", [-300, 0, 700])
def test_a_stem_is_read_on_the_time_line_of_the_picture(
    tmp_path: Path, start: int, length: int, stem_start: int
) -> None:
    audio = noise(1000)
    made: Artifact = write_wav(tmp_path / "a.wav", [audio], channels=2, length_samples=1000)
    stem = Stem(
        kind="DX",
        audio=made,
        start_samples=stem_start,
        length_samples=1000,
        channels=2,
        gain_db=-6.0,
    )
    expected = np.zeros((length, 2), dtype=np.float32)
    for at in range(max(start, stem_start), min(start + length, stem.end_samples)):
        expected[at - start] = audio[at - stem_start]
    got = np.concatenate([*read_stem(stem, start_samples=start, length_samples=length)])
    assert np.allclose(got, expected * 10 ** (-6 / 20), atol=1e-7)
