"""Conform: music of any length becomes exactly as long as the picture, without gap or click."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from scorebed.dsp.joins import spectral_step_db, window_lufs
from scorebed.errors import MediaError
from scorebed.model import (
    MAX_SPECTRAL_STEP_DB,
    MAX_STEP_LU,
    Artifact,
    Conformed,
    Cue,
    Picture,
    PictureCurve,
    Quote,
    SpeechRegion,
    SpottingNotes,
    Take,
    TakePiece,
    TimeRange,
)
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
        sounds=(),
        production_index=None,
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


def notes(
    duration_s: Fraction, *speech: tuple[float, float], cues: Sequence[tuple[Any, Any]] = ()
) -> SpottingNotes:
    """Notes with one cue over the whole picture, or with those that are given, in seconds."""
    return SpottingNotes(
        duration_s=duration_s,
        frame_rate=Fraction(25),
        shots=(),
        scenes=(),
        speech=tuple(
            SpeechRegion(
                range=TimeRange.between(Fraction(start_s), Fraction(end_s)), confidence=1.0
            )
            for start_s, end_s in speech
        ),
        curve=PictureCurve(hop_s=Fraction(1, 10), motion=(), brightness=()),
        cues=tuple(
            Cue(
                number=f"1M{number}",
                range=TimeRange.between(Fraction(start_s), Fraction(end_s)),
                hit_points=(),
            )
            for number, (start_s, end_s) in enumerate(cues or [(0, duration_s)], start=1)
        ),
    )


def take(
    path: Path | list[Path], *ends_s: Fraction, fitted: bool = False, provider: str = "file"
) -> Take:
    """Pieces that end where ``ends_s`` says, in order."""
    paths = path if isinstance(path, list) else [path]
    starts_s = (Fraction(0), *ends_s)
    return Take(
        provider=provider,
        name=paths[0].stem,
        seed=None,
        pieces=tuple(
            TakePiece(
                audio=Artifact(path=piece, sha256=sha256_of(piece)),
                range=TimeRange.between(starts_s[number], end_s),
            )
            for number, (piece, end_s) in enumerate(zip(paths, ends_s, strict=True))
        ),
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
        done = conform(
            picture(duration_s),
            notes(duration_s),
            take(path, duration_s),
            folder=folder,
            progress=shares.append,
        )
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


@pytest.mark.parametrize("head_s", [0.02, 1.0, 5.0])
@pytest.mark.parametrize("longer_s", [-0.4, 0.0, 0.4])
def test_a_track_as_long_as_the_picture_stays_where_it_is(
    head_s: float, longer_s: float, fit: Fit
) -> None:
    """A composer's delivery: it counts from the first frame, and its rests are meant."""
    head, tail = np.zeros((round(head_s * RATE_HZ), 2)), np.zeros((RATE_HZ, 2))
    track = np.concatenate([head, music(15 - head_s + longer_s), tail]).astype(np.float32)
    done, audio = fit(track, Fraction(16))
    assert (done.passes, done.fade_out_s) == (1, Fraction(0))
    first = round(head_s * RATE_HZ)
    assert not audio[:first].any()
    last = round((15 + longer_s) * RATE_HZ)
    kept = slice(first + 480, last - 480)
    assert np.array_equal(audio[kept], track[kept])
    assert not audio[last:].any()


def test_what_lies_over_the_end_of_it_is_cut_short(fit: Fit) -> None:
    done, audio = fit(music(16.3), Fraction(16))
    assert (done.passes, done.fade_out_s) == (1, Fraction(1, 4))
    assert rms_db(audio)[2:-6].min() > -19.5
    assert np.abs(audio[-10:]).max() < 1e-3


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


def test_what_is_no_music_is_named_as_the_user_knows_it(tmp_path: Path, fit: Fit) -> None:
    beats = tmp_path / "beats.txt"
    beats.write_text("0.5\n1.0\n")
    with pytest.raises(MediaError, match="the music 'beats' is not") as caught:
        fit(beats, Fraction(4))
    assert str(tmp_path) not in caught.value.message


def test_a_track_of_a_moment_is_refused(fit: Fit) -> None:
    silence = np.zeros((3 * RATE_HZ, 2), dtype=np.float32)
    with pytest.raises(MediaError, match=r"only 0\.5 s"):
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
    done = conform(
        picture(Fraction(4)),
        notes(Fraction(4)),
        take(made.path, Fraction(4), fitted=True),
        folder=tmp_path / "out",
    )
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
        conform(
            picture(Fraction(4)),
            notes(Fraction(4)),
            take(path, Fraction(4), fitted=True),
            folder=tmp_path,
        )
    assert "provider" in caught.value.remedy


def test_the_same_track_gives_the_same_music(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "track.wav", music(5), RATE_HZ)
    hashes = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        done = conform(
            picture(Fraction(12)),
            notes(Fraction(12)),
            take(tmp_path / "track.wav", Fraction(12)),
            folder=tmp_path / name,
        )
        hashes.add(done.mx.audio.sha256)
    assert len(hashes) == 1


# --- a cue that ends before the picture --------------------------------------------------------


def test_after_the_cue_there_is_silence(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "track.wav", music(20), RATE_HZ, subtype="FLOAT")
    done = conform(
        picture(Fraction(15)),
        notes(Fraction(15), cues=[(0, 9)]),
        take(tmp_path / "track.wav", Fraction(9)),
        folder=tmp_path,
    )
    audio, _ = soundfile.read(done.mx.audio.path, dtype="float32", always_2d=True)
    assert audio.shape == (15 * RATE_HZ, 2)
    assert np.abs(audio[9 * RATE_HZ :]).max() == 0
    assert rms_db(audio)[1 : 5 * 20].min() > -19.5
    assert rms_db(audio)[9 * 20 - 1] < -50
    assert done.fade_out_s == 4


def test_a_fitted_take_of_a_shorter_cue(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    track = music(4)
    made = write_wav(tmp_path / "take.wav", [track], channels=2, length_samples=len(track))
    done = conform(
        picture(Fraction(7)),
        notes(Fraction(7), cues=[(0, 4)]),
        take(made.path, Fraction(4), fitted=True),
        folder=tmp_path / "out",
    )
    audio, _ = soundfile.read(done.mx.audio.path, dtype="float32", always_2d=True)
    assert np.array_equal(audio[: len(track)], track)
    assert audio.shape == (7 * RATE_HZ, 2)
    assert not audio[len(track) :].any()


# --- an ending of its own ----------------------------------------------------------------------


def dying(audio: NDArray[np.float32], over_s: float = 2.0) -> NDArray[np.float32]:
    """Music that fades away by itself."""
    size = round(over_s * RATE_HZ)
    audio = audio.copy()
    audio[-size:] *= np.linspace(1, 0, size, dtype=np.float32)[:, np.newaxis] ** 3
    return audio


def test_an_ending_of_its_own_is_kept(fit: Fit) -> None:
    done, audio = fit(dying(music(19.4)), Fraction(20))
    assert (done.passes, done.fade_out_s) == (1, Fraction(0))
    assert np.abs(audio[round(19.5 * RATE_HZ) :]).max() < 1e-3


def test_music_that_breaks_off_is_no_ending(fit: Fit) -> None:
    done, audio = fit(music(19.4), Fraction(20))
    assert done.passes == 2
    assert rms_db(audio)[1 : 16 * 20].min() > -19.5


# --- several pieces ----------------------------------------------------------------------------

Joined = Callable[..., tuple[Conformed, NDArray[np.float32]]]


@pytest.fixture
def joined(tmp_path: Path) -> Joined:
    """Conforms pieces to ranges of given lengths; checks the figures against the audio."""

    def run(
        tracks: list[NDArray[np.float32]],
        lengths_s: list[Fraction],
        *speech: tuple[float, float],
        rest_s: int = 0,
    ) -> tuple[Conformed, NDArray[np.float32]]:
        paths = []
        for number, track in enumerate(tracks):
            paths.append(tmp_path / f"piece{number}.wav")
            soundfile.write(paths[-1], track, RATE_HZ, subtype="FLOAT")
        ends_s = [sum(lengths_s[: number + 1], Fraction(0)) for number in range(len(lengths_s))]
        folder = tmp_path / "conform"
        folder.mkdir()
        shares: list[float] = []
        whole_s = ends_s[-1] + rest_s
        done = conform(
            picture(whole_s),
            notes(whole_s, *speech),
            take(paths, *ends_s, provider="elevenlabs"),
            folder=folder,
            progress=shares.append,
        )
        audio, _ = soundfile.read(done.mx.audio.path, dtype="float32", always_2d=True)
        assert audio.shape == (to_samples(whole_s), 2)
        assert [entry.name for entry in folder.iterdir()] == ["MX.wav"]
        assert shares == sorted(shares)
        assert [join.at_s for join in done.joins] == ends_s[:-1]
        assert len(done.covers) == len(tracks)
        for join in done.joins:
            at = to_samples(join.at_s)
            if join.kind != "silence":
                last = to_samples(ends_s[-1])
                before = audio[max(0, at - 3 * RATE_HZ) : at]
                after = audio[at : min(at + 3 * RATE_HZ, last)]
                loud = window_lufs(after), window_lufs(before)
                assert loud[0] is not None
                assert loud[1] is not None
                assert join.loudness_step_lu == pytest.approx(loud[0] - loud[1], abs=1e-6)
                spectral = spectral_step_db(before, after)
                assert join.spectral_step_db == pytest.approx(spectral, abs=1e-6)
        return done, np.asarray(audio)

    return run


def test_pieces_lie_on_their_ranges(joined: Joined) -> None:
    """Each begins on its boundary, to the sample, whatever delay its codec has."""
    first, second = music(14, seed=1), music(12, seed=2)
    silence = np.zeros((round(0.05 * RATE_HZ), 2), dtype=np.float32)
    boundary_s = Fraction(1001, 100)
    done, audio = joined(
        [first, np.concatenate([silence, second])], [boundary_s, Fraction(9)], rest_s=2
    )
    at = to_samples(boundary_s)
    end = at + 9 * RATE_HZ
    gain = float(audio[at + 3 * RATE_HZ, 0] / second[3 * RATE_HZ, 0])
    assert gain == pytest.approx(1.0, abs=0.03)
    ring = round(1.5 * RATE_HZ)
    # After the crossfade it is the second piece alone, shifted by nothing.
    alone = slice(at + ring, end - 4 * RATE_HZ)
    assert np.allclose(audio[alone], second[ring : 5 * RATE_HZ] * gain, atol=1e-5)
    # Under it rings the first.
    under = audio[at + 480 : at + ring] - second[480:ring] * gain
    wanted = first[at + 480 : at + ring]
    shape = np.cos(np.arange(480, ring) / ring * np.pi / 2)[:, np.newaxis]
    assert np.abs(under - wanted * shape).max() < 1e-3
    assert np.array_equal(audio[480:at], first[480:at])
    assert done.joins[0].kind == "downbeat"
    assert list(done.covers) == pytest.approx([14 / 10.01, 12 / 9], abs=1e-3)
    assert not audio[end:].any()
    assert done.passes == 1


def test_silence_that_was_written_for_the_picture_stays(joined: Joined) -> None:
    """Three seconds of rest, then music: nothing is moved, nothing is played twice."""
    written = music(10, seed=3)
    written[: 3 * RATE_HZ] = 0
    written[9 * RATE_HZ :] = 0
    done, audio = joined([written], [Fraction(10)])
    assert not audio[: 3 * RATE_HZ].any()
    there = slice(3 * RATE_HZ + 480, 9 * RATE_HZ - 480)
    assert np.allclose(audio[there], written[there], atol=1e-5)
    assert not audio[9 * RATE_HZ :].any()
    assert done.passes == 1


@pytest.mark.parametrize("missing_samples", [0, 1, 40, 2400])
def test_music_as_long_as_its_picture_is_played_once_to_its_end(
    missing_samples: int, joined: Joined
) -> None:
    """A codec takes a few samples: that is no reason to begin again, nor to fade."""
    written = music(10, seed=4)[missing_samples:]
    done, audio = joined([written], [Fraction(10)])
    assert done.passes == 1
    kept = slice(480, len(written) - 480)
    assert np.allclose(audio[kept], written[kept], atol=1e-5)


@pytest.mark.parametrize("length_s", [Fraction(1, 5), Fraction(24, 25)])
def test_a_film_under_a_second_has_music_too(length_s: Fraction, joined: Joined) -> None:
    _, audio = joined([music(float(length_s), seed=6)], [length_s])
    assert rms_db(audio[480 : to_samples(length_s) - 480]).min() > -24


def test_a_join_without_a_beat_is_called_a_cut(joined: Joined) -> None:
    rising = music(8, seed=8) * np.linspace(0, 1, 8 * RATE_HZ, dtype=np.float32)[:, np.newaxis]
    rising[:2] = 0.01
    done, _ = joined([music(9, seed=7), rising], [Fraction(8), Fraction(8)])
    assert done.joins[0].kind == "cut"


def late(track: NDArray[np.float32], head_s: float, level: float) -> NDArray[np.float32]:
    """Music that begins after noise of a level, or after silence."""
    noise = np.random.default_rng(9).normal(size=(round(head_s * RATE_HZ), 2)) * level
    return np.concatenate([noise.astype(np.float32), track])


@pytest.mark.parametrize("level", [0.0, 0.004])
@pytest.mark.parametrize("head_s", [0.03, 0.12, 0.29])
def test_a_first_beat_that_comes_late_is_moved_onto_the_cut(
    head_s: float, level: float, joined: Joined
) -> None:
    """To the sample; and the piece lasts as long as its range all the same."""
    second = music(9, seed=8)
    boundary_s = Fraction(1001, 125)
    done, audio = joined(
        [music(10, seed=7), late(second, head_s, level)], [boundary_s, Fraction(8)], rest_s=1
    )
    assert done.joins[0].kind == "downbeat"
    at, ring = to_samples(boundary_s), round(1.5 * RATE_HZ)
    gain = float(audio[at + 3 * RATE_HZ, 0] / second[3 * RATE_HZ, 0])
    alone = slice(at + ring, at + 4 * RATE_HZ)
    assert np.allclose(audio[alone], second[ring : 4 * RATE_HZ] * gain, atol=1e-5)
    assert rms_db(audio[at : at + 6 * RATE_HZ]).min() > -24
    assert done.passes == 1


@pytest.mark.parametrize(
    ("head_s", "more_s"),
    [(0.4, 1.0), (0.12, 0.0)],
    ids=["meant to come later", "too short to be moved"],
)
def test_a_first_beat_that_cannot_be_moved_stays_and_is_called_a_cut(
    head_s: float, more_s: float, joined: Joined
) -> None:
    second = late(music(8 - head_s + more_s, seed=8), head_s, 0.004)
    tracks = [music(10, seed=7), second, music(9, seed=9)]
    done, audio = joined(tracks, [Fraction(8)] * 3)
    assert [join.kind for join in done.joins] == ["cut", "downbeat"]
    alone = slice(10 * RATE_HZ, 15 * RATE_HZ)
    gain = float(audio[12 * RATE_HZ, 0] / second[4 * RATE_HZ, 0])
    assert np.allclose(audio[alone], second[2 * RATE_HZ : 7 * RATE_HZ] * gain, atol=1e-5)
    assert done.passes == 1


def test_music_that_ends_by_itself_is_long_enough_to_be_moved(joined: Joined) -> None:
    second = late(dying(music(7.88, seed=8)), 0.12, 0.004)
    done, _ = joined([music(10, seed=7), second], [Fraction(8)] * 2)
    assert (done.joins[0].kind, done.passes) == ("downbeat", 1)


def test_the_new_piece_rises_within_10_ms(joined: Joined) -> None:
    quiet = np.full((12 * RATE_HZ, 2), 0.0, dtype=np.float32)
    quiet[:, 0] = tone_at(220, 12)
    second = np.zeros_like(quiet)
    second[:, 1] = tone_at(330, 12)
    _, audio = joined([quiet, second], [Fraction(8), Fraction(8)])
    at = 8 * RATE_HZ
    loud = np.abs(audio[at + 480 : at + 1480, 1]).max()
    assert loud == pytest.approx(np.abs(audio[at + 48_000 : at + 49_000, 1]).max(), rel=0.02)
    assert np.abs(audio[at - 100 : at, 1]).max() == 0
    # No click: nowhere steeper than the tones themselves.
    steepest = np.abs(np.diff(tone_at(330, 1))).max()
    assert np.abs(np.diff(audio, axis=0)).max() < 1.6 * steepest


def tone_at(hz: float, duration_s: float) -> NDArray[np.float32]:
    times_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    return np.asarray(0.3 * np.sin(2 * np.pi * hz * times_s + 1), dtype=np.float32)


def test_a_piece_without_more_is_faded_before_the_boundary(joined: Joined) -> None:
    done, audio = joined([music(6, seed=1), music(12, seed=2)], [Fraction(6), Fraction(6)])
    at = 6 * RATE_HZ
    levels = rms_db(audio[at - RATE_HZ // 2 : at], 0.025)
    assert levels[:9].min() > -19.5
    assert (np.diff(levels[-8:]) < 0).all()
    assert levels[-1] < -30
    assert done.passes == 1


def test_a_piece_that_is_too_short_is_played_again_up_to_the_join(joined: Joined) -> None:
    done, audio = joined([music(5, seed=1), music(12, seed=2)], [Fraction(13), Fraction(8)])
    assert done.passes == 5
    assert done.covers[0] == pytest.approx(5 / 13, abs=1e-3)
    assert rms_db(audio)[1 : 16 * 20].min() > -19.5
    assert rms_db(audio)[1 : 16 * 20].max() < -14.5  # both sound at the join itself


def test_pieces_are_brought_to_one_loudness(joined: Joined) -> None:
    tracks = [music(24, seed=1), music(14, seed=2) * 0.6, music(14, seed=3) * 0.1]
    done, audio = joined(tracks, [Fraction(20), Fraction(12), Fraction(12)])
    middle = [rms_db(audio[slice(a * RATE_HZ, b * RATE_HZ)], 1.0) for a, b in [(5, 15), (22, 25)]]
    assert np.abs(middle[0].mean() - middle[1].mean()) < 0.1
    # What rings over the boundary adds to the first second and a half.
    assert abs(done.joins[0].loudness_step_lu or 9) < 1.2
    # 20 dB apart: 6 dB in all, and the rest is met half-way around the join.
    last = rms_db(audio[41 * RATE_HZ : 42 * RATE_HZ - 1], 0.5)
    assert last.mean() < middle[0].mean() - 12


@pytest.mark.parametrize("difference_db", [-13.0, -10.0, 10.0, 13.0])
def test_a_step_is_tapered_under_the_threshold(joined: Joined, difference_db: float) -> None:
    """Pieces of one loudness, whose end and beginning are apart."""
    first, second = music(30, seed=1), music(30, seed=2)
    near = np.clip((np.arange(len(first)) / RATE_HZ - 14) / 2, 0, 1)[:, np.newaxis]
    first = (first * 10 ** (-difference_db / 2 * near / 20)).astype(np.float32)
    back = np.clip((8 - np.arange(len(second)) / RATE_HZ) / 2, 0, 1)[:, np.newaxis]
    second = (second * 10 ** (difference_db / 2 * back / 20)).astype(np.float32)
    done, audio = joined([np.clip(first, -1, 1), second], [Fraction(24), Fraction(24)])
    step = done.joins[0].loudness_step_lu
    assert step is not None
    assert abs(step) <= MAX_STEP_LU
    # It was over it, and is still the same way round.
    assert step * difference_db > 0
    assert abs(step) > 2.0
    # Far from the join nothing moved.
    assert np.abs(rms_db(audio[2 * RATE_HZ : 12 * RATE_HZ], 1.0) - rms_db(audio)[60]).max() < 0.7


def test_a_join_in_silence(joined: Joined) -> None:
    silence = np.zeros((round(0.3 * RATE_HZ), 2), dtype=np.float32)
    first, second = dying(music(9.6, seed=1)), np.concatenate([silence, music(12, seed=2)])
    done, audio = joined([first, second], [Fraction(10), Fraction(10)], (9.0, 11.0))
    assert done.joins[0].kind == "silence"
    assert done.joins[0].loudness_step_lu is None
    around = audio[round(9.9 * RATE_HZ) : round(10.1 * RATE_HZ)]
    assert np.abs(around).max() < 1e-3


@pytest.mark.parametrize(("start_s", "kind"), [(7.5, "speech"), (8.0, "speech"), (8.1, "downbeat")])
def test_a_join_under_speech(joined: Joined, start_s: float, kind: str) -> None:
    done, _ = joined(
        [music(10, seed=1), music(10, seed=2)], [Fraction(8), Fraction(8)], (start_s, 9.0)
    )
    assert done.joins[0].kind == kind
    assert (done.joins[0].spectral_step_db or 9) < 1


def test_colour_is_measured_without_level() -> None:
    noise = music(3)
    assert spectral_step_db(noise, noise * 0.1) < 1e-6
    dull = np.apply_along_axis(lambda it: np.convolve(it, np.ones(64) / 64, "same"), 0, noise)
    assert spectral_step_db(noise, dull.astype(np.float32)) > MAX_SPECTRAL_STEP_DB / 2


def test_segments_of_short_scenes(joined: Joined) -> None:
    lengths = [Fraction(7, 10), Fraction(1, 2), Fraction(3), Fraction(1, 5)]
    tracks = [music(float(length), seed=number) for number, length in enumerate(lengths)]
    done, audio = joined(tracks, lengths)
    assert len(done.joins) == 3
    assert np.isfinite(audio).all()


def test_a_silent_piece_is_named(joined: Joined) -> None:
    with pytest.raises(MediaError, match=r"\(piece 2\) is silent") as caught:
        joined([music(5), music(5) * 0], [Fraction(4), Fraction(4)])
    assert "--seed" in caught.value.remedy
