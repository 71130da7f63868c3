"""Conform: music of any length becomes exactly as long as the picture, without gap or click."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from scorebed.errors import MediaError
from scorebed.model import Artifact, Conformed, Picture, Quote, Take
from scorebed.stages.conform import conform
from scorebed.timecode import to_samples
from scorebed.wav import sha256_of, write_wav

RATE_HZ = 48_000
FREE = Quote(requests=0, amount=0.0, currency="USD")


def picture(duration_s: Fraction) -> Picture:
    return Picture(
        format_name="mov",
        streams=(),
        video_index=0,
        production_index=None,
        production_start_s=Fraction(0),
        production_channels=0,
        start_s=Fraction(0),
        container_start_s=Fraction(0),
        duration_s=duration_s,
        frame_count=int(duration_s * 25),
        frame_rate=Fraction(25),
        variable_rate=False,
        hidden_frames=0,
        width_px=16,
        height_px=16,
        packets_sha256="",
        production=None,
    )


def take(path: Path, *, fitted: bool = False) -> Take:
    return Take(
        provider="file",
        name=path.stem,
        seed=None,
        audio=Artifact(path=path, sha256=sha256_of(path)),
        fitted=fitted,
        unused_words=(),
        spent=FREE,
    )


def music(duration_s: float, *, rate_hz: int = RATE_HZ, seed: int = 5) -> NDArray[np.float32]:
    """Steady noise at -18 dBFS: any hole in it shows."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((round(duration_s * rate_hz), 2)) * 10 ** (-18 / 20)
    return np.clip(noise, -0.9, 0.9).astype(np.float32)


def rms_db(audio: NDArray[np.float32], window_s: float = 0.05) -> NDArray[np.float64]:
    size = round(window_s * RATE_HZ)
    whole = audio[: len(audio) // size * size].reshape(-1, size, audio.shape[1])
    power = np.square(whole, dtype=np.float64).mean(axis=(1, 2))
    return np.asarray(10 * np.log10(power + 1e-12))


Fit = Callable[..., tuple[Conformed, NDArray[np.float32]]]


@pytest.fixture
def fit(tmp_path: Path) -> Fit:
    """Conforms a track to a length and checks what is always true of the result."""

    def run(
        track: Path | NDArray[np.float32], duration_s: Fraction
    ) -> tuple[Conformed, NDArray[np.float32]]:
        path = track if isinstance(track, Path) else tmp_path / "track.wav"
        if not isinstance(track, Path):
            soundfile.write(path, track, RATE_HZ, subtype="FLOAT")
        folder = tmp_path / "conform"
        folder.mkdir()
        shares: list[float] = []
        done = conform(picture(duration_s), take(path), folder=folder, progress=shares.append)
        audio, rate_hz = soundfile.read(done.mx.audio.path, dtype="float32", always_2d=True)
        assert rate_hz == RATE_HZ
        assert audio.shape == (to_samples(duration_s), 2)
        assert done.mx.length_samples == len(audio)
        assert (done.mx.start_samples, done.mx.channels, done.mx.kind) == (0, 2, "MX")
        assert [entry.name for entry in folder.iterdir()] == ["MX.wav"]
        assert shares == sorted(shares)
        assert shares[-1] == pytest.approx(1.0)
        assert np.abs(audio).max() <= 1.0
        return done, np.asarray(audio)

    return run


# --- length ------------------------------------------------------------------------------------


def test_a_longer_track_is_faded_out(fit: Fit) -> None:
    track = music(15)
    done, audio = fit(track, Fraction(10))
    assert (done.passes, done.fade_out_s) == (1, Fraction(4))
    # Untouched until the fade.
    kept = slice(480, 6 * RATE_HZ)
    assert np.array_equal(audio[kept], track[kept])
    levels = rms_db(audio)
    assert levels[2:118].min() > -19.5
    assert levels[-1] < -60
    assert np.abs(audio[-10:]).max() < 1e-4
    assert (np.diff(rms_db(audio[6 * RATE_HZ :], 0.5)) < 0).all()


@pytest.mark.parametrize("duration_s", [Fraction(20), Fraction(1001, 60), Fraction(9)])
def test_a_shorter_track_is_looped_without_a_gap(fit: Fit, duration_s: Fraction) -> None:
    done, audio = fit(music(7), duration_s)
    assert done.passes >= 2
    ending = float(done.fade_out_s)
    levels = rms_db(audio[: len(audio) - round(ending * RATE_HZ)])
    # Equal power: nowhere 1 dB under or over the rest.
    assert levels[1:].min() > -19.5
    assert levels[1:].max() < -16.5
    assert np.abs(audio[-10:]).max() < 1e-3


def test_a_loop_does_not_click(fit: Fit, tmp_path: Path) -> None:
    """A tone whose phase does not meet itself at the join."""
    times_s = np.arange(round(5.37 * RATE_HZ)) / RATE_HZ
    tone = (0.3 * np.sin(2 * np.pi * 97.3 * times_s)).astype(np.float32)
    _, audio = fit(np.stack([tone, tone], axis=1), Fraction(18))
    steepest = np.abs(np.diff(tone)).max()
    assert np.abs(np.diff(audio[:, 0])).max() < 2 * steepest


@pytest.mark.parametrize("extra_samples", [0, 1, -1])
def test_a_track_of_the_right_length_keeps_its_ending(fit: Fit, extra_samples: int) -> None:
    track = music(8)
    track = np.concatenate([track, track[:1]])[: 8 * RATE_HZ + extra_samples]
    done, audio = fit(track, Fraction(8))
    if extra_samples == 0:
        assert (done.passes, done.fade_out_s) == (1, Fraction(0))
        inside = slice(480, 8 * RATE_HZ - 480)
        assert np.array_equal(audio[inside], track[inside])
        assert rms_db(audio)[2:-2].min() > -19.5


def test_the_edges_do_not_click(fit: Fit) -> None:
    loud = np.full((9 * RATE_HZ, 2), 0.5, dtype=np.float32)
    _, audio = fit(loud, Fraction(9))
    assert np.abs(audio[0]).max() < 0.01
    assert np.abs(audio[-1]).max() < 0.01
    assert np.abs(np.diff(audio[:, 0])).max() < 0.01


@pytest.mark.parametrize("duration_s", [Fraction(1, 25), Fraction(1, 2), Fraction(3, 2)])
def test_a_very_short_picture(fit: Fit, duration_s: Fraction) -> None:
    done, audio = fit(music(12), duration_s)
    assert done.passes == 1
    assert np.abs(audio).max() > 0.05
    assert np.abs(audio[-1]).max() < 1e-3


def test_lengths_that_are_no_whole_samples(fit: Fit) -> None:
    _, audio = fit(music(5), Fraction(100_100, 24_001))
    assert len(audio) == 200_192  # the nearest to 200191.6


# --- silence -----------------------------------------------------------------------------------


def test_silence_at_head_and_tail_does_not_count(fit: Fit) -> None:
    silence = np.zeros((3 * RATE_HZ, 2), dtype=np.float32)
    hiss = (np.random.default_rng(1).standard_normal(silence.shape) * 1e-5).astype(np.float32)
    done, audio = fit(np.concatenate([silence, music(6), hiss]), Fraction(6))
    assert (done.passes, done.fade_out_s) == (1, Fraction(0))
    assert rms_db(audio)[1:-1].min() > -20


def test_a_loop_skips_the_silence_between(fit: Fit) -> None:
    silence = np.zeros((2 * RATE_HZ, 2), dtype=np.float32)
    done, audio = fit(np.concatenate([silence, music(5), silence]), Fraction(16))
    assert done.passes == 5
    kept = len(audio) - round(float(done.fade_out_s) * RATE_HZ)
    assert rms_db(audio[:kept])[1:].min() > -20


def test_a_rest_inside_the_music_is_music(fit: Fit) -> None:
    rest = np.zeros((RATE_HZ, 2), dtype=np.float32)
    _, audio = fit(np.concatenate([music(3), rest, music(4)]), Fraction(8))
    assert np.abs(audio[round(3.1 * RATE_HZ) : round(3.9 * RATE_HZ)]).max() < 1e-6


@pytest.mark.parametrize("level", [0.0, 1e-4])
def test_a_silent_track_is_refused(fit: Fit, level: float) -> None:
    with pytest.raises(MediaError, match="'track' is silent") as caught:
        fit(np.full((4 * RATE_HZ, 2), level, dtype=np.float32), Fraction(4))
    assert caught.value.exit_code == 3
    assert "--music" in caught.value.remedy


def test_a_track_of_a_moment_is_refused(fit: Fit) -> None:
    silence = np.zeros((3 * RATE_HZ, 2), dtype=np.float32)
    with pytest.raises(MediaError, match=r"only 0\.50 s"):
        fit(np.concatenate([silence, music(0.5), silence]), Fraction(4))


# --- formats -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "codec", "mono"),
    [
        ("song.mp3", "libmp3lame", False),
        ("mono.mp3", "libmp3lame", True),
        ("song.m4a", "aac", False),
        ("mono.m4a", "aac", True),
        ("song.ogg", "libvorbis", False),
        ("mono.ogg", "libvorbis", True),
        ("song.opus", "libopus", False),
        ("song.flac", "flac", False),
        ("song.aiff", "pcm_s24be", False),
        ("song.mka", "alac", False),
    ],
)
def test_what_people_have(
    name: str, codec: str, fit: Fit, make_media: Any, tmp_path: Path, *, mono: bool
) -> None:
    rate_hz = RATE_HZ if codec == "libopus" else 44_100
    noise = music(5, rate_hz=rate_hz)
    soundfile.write(tmp_path / "song.wav", noise, rate_hz)
    shape = ["-ac", "1"] if mono else []
    song = make_media(name, "-i", tmp_path / "song.wav", *shape, "-c:a", codec)
    done, audio = fit(song, Fraction(4))
    assert done.passes == 1
    # Steady on both sides before the fade (which covers the last half); ``level`` sets how loud.
    levels = rms_db(audio[: 2 * RATE_HZ], 0.2)[1:]
    assert levels.min() > -26
    assert levels.max() - levels.min() < 1
    left, right = audio[:, 0], audio[:, 1]
    assert np.square(left).sum() == pytest.approx(np.square(right).sum(), rel=0.05)
    if mono:
        assert np.array_equal(left, right)


def test_a_cover_in_the_song_is_no_matter(fit: Fit, make_media: Any, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "s.wav", music(4), RATE_HZ)
    cover = make_media("c.jpg", "-f", "lavfi", "-i", "testsrc2=size=64x64", "-frames:v", "1")
    song = make_media(
        "song.mp3",
        *("-i", tmp_path / "s.wav", "-i", cover, "-map", "0", "-map", "1", "-c:v", "copy"),
    )
    assert fit(song, Fraction(3))[0].passes == 1


def test_the_music_of_a_film_may_be_used(fit: Fit, make_media: Any, make_video: Any) -> None:
    film = make_media(
        "film.mp4",
        *("-i", make_video("mute.mp4", sound=None), "-f", "lavfi", "-i", "sine", "-t", "3"),
        *("-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac"),
    )
    assert rms_db(fit(film, Fraction(2))[1])[1:20].min() > -30


def test_surround_is_mixed_down(fit: Fit, tmp_path: Path) -> None:
    surround = np.repeat(music(5)[:, :1], 6, axis=1) * 0.2
    soundfile.write(tmp_path / "surround.wav", surround, RATE_HZ, subtype="FLOAT")
    _, audio = fit(tmp_path / "surround.wav", Fraction(4))
    assert np.abs(audio).max() > 0.02


@pytest.mark.parametrize("content", [b"", b"not music", b"ID3\x04" + bytes(500)])
def test_what_is_no_music_is_refused(fit: Fit, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "song.mp3").write_bytes(content)
    with pytest.raises(MediaError) as caught:
        fit(tmp_path / "song.mp3", Fraction(4))
    assert caught.value.exit_code == 3


def test_a_picture_is_no_music(fit: Fit, make_video: Any) -> None:
    with pytest.raises(MediaError, match="no sound"):
        fit(make_video("mute.mp4", sound=None), Fraction(4))


def test_samples_that_are_no_numbers_are_not_heard(fit: Fit, tmp_path: Path) -> None:
    track = music(5)
    track[RATE_HZ : RATE_HZ + 50] = np.nan
    track[2 * RATE_HZ] = np.inf
    soundfile.write(tmp_path / "nan.wav", track, RATE_HZ, subtype="FLOAT")
    _, audio = fit(tmp_path / "nan.wav", Fraction(4))
    assert np.isfinite(audio).all()


# --- a provider's own take ---------------------------------------------------------------------


def test_a_fitted_take_is_handed_on_untouched(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    track = music(4)
    made = write_wav(tmp_path / "take.wav", [track], channels=2, length_samples=len(track))
    done = conform(picture(Fraction(4)), take(made.path, fitted=True), folder=tmp_path / "out")
    assert done.mx.audio == made
    assert (done.passes, done.fade_out_s) == (1, Fraction(0))
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("length", "channels", "rate_hz"),
    [(191_999, 2, 48_000), (192_001, 2, 48_000), (192_000, 1, 48_000), (192_000, 2, 44_100)],
)
def test_a_fitted_take_that_does_not_fit_is_refused(
    tmp_path: Path, length: int, channels: int, rate_hz: int
) -> None:
    path = tmp_path / "take.wav"
    soundfile.write(path, np.zeros((length, channels), dtype=np.float32), rate_hz)
    with pytest.raises(MediaError, match="not 192000 in 2 at 48000") as caught:
        conform(picture(Fraction(4)), take(path, fitted=True), folder=tmp_path)
    assert "provider" in caught.value.remedy


def test_the_same_track_gives_the_same_music(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "track.wav", music(5), RATE_HZ)
    hashes = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        done = conform(picture(Fraction(12)), take(tmp_path / "track.wav"), folder=tmp_path / name)
        hashes.add(done.mx.audio.sha256)
    assert len(hashes) == 1
