"""Conform with several cues: music where they are, digital silence between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from scorebed.dsp.joins import window_lufs
from scorebed.errors import MediaError
from scorebed.model import (
    Artifact,
    Conformed,
    Cue,
    Picture,
    PictureCurve,
    Quote,
    SpottingNotes,
    Take,
    TakePiece,
    TimeRange,
)
from scorebed.stages.conform import conform
from scorebed.timecode import to_samples

RATE_HZ = 48_000
WHOLE_S = 30
CUES = ((2.0, 8.0), (12.52, 17.0), (21.0, 28.0))
Sound = NDArray[np.float32]
Piece = tuple[Sound, TimeRange, dict[str, Any]]


def span(start_s: float, end_s: float) -> TimeRange:
    return TimeRange.between(
        Fraction(start_s).limit_denominator(1000), Fraction(end_s).limit_denominator(1000)
    )


def notes(cues: Sequence[tuple[float, float]]) -> SpottingNotes:
    return SpottingNotes(
        duration_s=Fraction(WHOLE_S),
        frame_rate=Fraction(25),
        shots=(),
        scenes=(),
        speech=(),
        curve=PictureCurve(hop_s=Fraction(1, 10), motion=(), brightness=()),
        cues=tuple(
            Cue(number=f"1M{number}", range=span(*cue), hit_points=())
            for number, cue in enumerate(cues, start=1)
        ),
    )


def steady(duration_s: float, seed: int = 5, level_db: float = -18.0) -> Sound:
    """Noise: any hole in it shows."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((round(duration_s * RATE_HZ), 2)) * 10 ** (level_db / 20)
    return np.clip(noise, -0.9, 0.9).astype(np.float32)


def at(time_s: float) -> int:
    return round(time_s * RATE_HZ)


Fit = Callable[..., tuple[Conformed, Sound]]


@pytest.fixture
def fit(tmp_path: Path) -> Fit:
    """Conforms a take; what must always hold of a film with rests is asserted."""

    def run(
        pieces: Sequence[Piece],
        cues: Sequence[tuple[float, float]] = CUES,
        *,
        provider: str = "elevenlabs",
        fitted: bool = False,
    ) -> tuple[Conformed, Sound]:
        made = []
        paths: dict[int, Path] = {}
        for sound, where, more in pieces:
            if id(sound) not in paths:
                paths[id(sound)] = tmp_path / f"piece{len(paths)}.wav"
                soundfile.write(paths[id(sound)], sound, RATE_HZ, subtype="FLOAT")
            audio = Artifact(path=paths[id(sound)], sha256="")
            made.append(TakePiece(audio=audio, range=where, **more))
        folder = tmp_path / "conform"
        folder.mkdir()
        picture = cast("Picture", SimpleNamespace(length_samples=WHOLE_S * RATE_HZ))
        take = Take(
            provider=provider,
            name="take",
            seed=None,
            pieces=tuple(made),
            fitted=fitted,
            unused_words=(),
            spent=Quote(requests=0, amount=0.0, currency="USD"),
        )
        done = conform(picture, notes(cues), take, folder=folder)
        audio = soundfile.read(done.mx.audio.path, dtype="float32", always_2d=True)[0]
        assert audio.shape == (WHOLE_S * RATE_HZ, 2)
        rests = [0.0, *(time_s for cue in cues for time_s in cue), float(WHOLE_S)]
        for begin_s, end_s in zip(rests[::2], rests[1::2], strict=True):
            assert not audio[at(begin_s) : at(end_s)].any(), (begin_s, end_s)
        return done, audio

    return run


def one_file(track: Sound) -> list[Piece]:
    """One piece of music for all cues, one after the other, as a service answers."""
    starts = np.cumsum([0.0, *(end_s - start_s for start_s, end_s in CUES)])
    marks = [Fraction(float(mark)).limit_denominator(1000) for mark in starts]
    found: list[Piece] = []
    for number, cue in enumerate(CUES):
        own = marks[number + 1] - marks[number] if number < len(CUES) - 1 else None
        found.append((track, span(*cue), {"start_s": marks[number], "music_s": own}))
    return found


def test_an_answer_is_laid_on_its_cues_to_the_sample(fit: Fit) -> None:
    track = steady(17.48)
    done, audio = fit(one_file(track))
    offset = 0
    for number, (start_s, end_s) in enumerate(CUES):
        first, size = at(start_s), at(end_s) - at(start_s)
        # The first begins where the track does; the last breaks off before the picture ends.
        head, tail = at(0.5) if number else 240, at(1.5) if number < 2 else at(3.5)
        kept = slice(first + head, first + size - tail)
        assert np.array_equal(audio[kept], track[offset + head : offset + size - tail])
        offset += size
    assert (done.passes, done.joins, done.covers) == (1, (), (1.0, 1.0, 1.0))


def test_what_is_cut_off_is_faded_and_what_is_entered_comes_up(fit: Fit) -> None:
    track = np.full((at(30), 2), 0.25, dtype=np.float32)
    done, audio = fit(one_file(track))
    for number, (start_s, end_s) in enumerate(CUES):
        cue = audio[at(start_s) : at(end_s), 0]
        rise, fade = (0.005 if number == 0 else 0.5), (3.5 if number == 2 else 1.5)
        # Smooth slopes: half of the way at half of the time, flat at both ends.
        assert cue[at(rise / 2)] == pytest.approx(0.125, abs=0.01)
        assert cue[at(rise)] == pytest.approx(0.25, abs=1e-4)
        assert cue[-at(fade) - 1] == pytest.approx(0.25, abs=1e-4)
        assert cue[-at(fade / 2)] == pytest.approx(0.125, abs=0.01)
        assert abs(cue[-1]) < 1e-4
        assert np.abs(np.diff(cue)).max() < 0.003
    assert done.fade_out_s == 3.5


def test_a_written_beginning_is_not_faded(fit: Fit) -> None:
    track = steady(17.48)
    # The second cue's music sets in after a rest.
    track[at(5.9) : at(6.0)] = 0
    _, audio = fit(one_file(track))
    assert np.array_equal(audio[at(12.52) + 240 : at(13.5)], track[at(6) + 240 : at(6.98)])


def test_a_rest_of_the_length_of_a_cue_is_music(fit: Fit) -> None:
    track = steady(17.48)
    track[at(6) : at(10.48)] = 0
    done, audio = fit(one_file(track))
    assert not audio[at(12.52) : at(17)].any()
    assert audio[at(21.6) : at(24)].any()
    assert done.passes == 1


def test_an_ending_of_its_own_is_kept_before_a_rest(fit: Fit) -> None:
    track = steady(17.48)
    for end_s in (6, 10.48, 17.48):
        slope = np.linspace(1, 0, at(1), dtype=np.float32)[:, np.newaxis] ** 3
        track[at(end_s - 1) : at(end_s)] *= slope
    segments: list[Piece] = []
    for cue, (start_s, end_s) in zip(CUES, ((0, 6), (6, 10.48), (10.48, 17.48)), strict=True):
        segments.append((track[at(start_s) : at(end_s)].copy(), span(*cue), {}))
    done, audio = fit(segments)
    for (sound, _, _), (start_s, end_s) in zip(segments, CUES, strict=True):
        heard, own = audio[at(start_s) + 240 : at(end_s) - 240], sound[240:-240]
        loud = np.sqrt(np.mean(heard**2) / np.mean(own**2))
        assert np.abs(heard - loud * own).max() < 2e-3
    assert done.fade_out_s == 0


def test_music_that_ends_before_its_cue_is_not_played_again(fit: Fit) -> None:
    track = steady(17.48)
    track[at(5.5) : at(6)] = 0
    _, audio = fit(one_file(track))
    assert np.array_equal(audio[at(2) + 240 : at(7.5) - 240], track[240 : at(5.5) - 240])
    assert not audio[at(7.5) : at(12.52)].any()


def test_segments_join_where_they_touch_and_nowhere_else(fit: Fit) -> None:
    marks = [(2.0, 5.0), (5.0, 8.0), (12.52, 17.0), (21.0, 24.0), (24.0, 28.0)]
    segments: list[Piece] = [
        (steady(end_s - start_s + 2, seed=number), span(start_s, end_s), {})
        for number, (start_s, end_s) in enumerate(marks)
    ]
    done, audio = fit(segments)
    assert [float(join.at_s) for join in done.joins] == [5.0, 24.0]
    assert len(done.covers) == 5
    for number, ((sound, where, _), (start_s, end_s)) in enumerate(
        zip(segments, marks, strict=True)
    ):
        first = to_samples(where.start_s)
        assert first == at(start_s)
        kept = slice(first + at(0.4), at(end_s) - at(2.1))
        alone = sound[at(0.4) : at(0.4) + kept.stop - kept.start]
        loud = np.sqrt(np.mean(audio[kept] ** 2) / np.mean(alone**2))
        lead = number in {1, 4}
        # Over the first 1.5 s of what is joined the piece before it rings out.
        assert lead or np.abs(audio[kept] - loud * alone).max() < 1e-3
        assert loud == pytest.approx(1.0, abs=0.45 if lead else 0.02)
    # No fade in of what was made to begin there; only what ends a cue is faded out.
    assert np.abs(audio[at(21) + 240 : at(21.1)]).max() > 0.2
    assert np.sqrt(np.mean(audio[at(4.8) : at(5.0)] ** 2)) > 0.1
    assert np.sqrt(np.mean(audio[at(7.95) : at(8.0)] ** 2)) < 0.01


def test_recordings_come_to_one_loudness(fit: Fit) -> None:
    levels = zip(CUES, (-18, -24, -21), strict=True)
    loud: list[Piece] = [
        (steady(8, number, level), span(*cue), {}) for number, (cue, level) in enumerate(levels)
    ]
    _, audio = fit(loud)
    heard = [window_lufs(audio[at(a + 0.1) : at(b - 3.5)]) for a, b in CUES]
    assert None not in heard
    assert np.ptp([lufs or 0.0 for lufs in heard]) < 0.2


def test_one_recording_keeps_its_dynamics(fit: Fit) -> None:
    track = steady(17.48)
    track[at(6) : at(10.48)] *= 10 ** (-9 / 20)
    _, audio = fit(one_file(track))
    first, second, _ = (window_lufs(audio[at(a + 1) : at(b - 2)]) for a, b in CUES)
    assert (first or 0) - (second or 0) == pytest.approx(9.0, abs=0.2)


def test_a_take_for_the_whole_picture_is_cut_at_the_cues(fit: Fit) -> None:
    """What a provider makes who knows nothing of cues."""
    track = steady(30)
    done, audio = fit([(track, span(0, 30), {})])
    for start_s, end_s in CUES:
        kept = slice(at(start_s + 0.5), at(end_s - 4))
        assert np.array_equal(audio[kept], track[kept])
    assert done.passes == 1


# --- a track of one's own ----------------------------------------------------------------------


@pytest.mark.parametrize("longer_s", [-0.4, 0.0, 0.4])
def test_a_track_as_long_as_the_picture_lies_on_it(longer_s: float, fit: Fit) -> None:
    track = steady(30 + longer_s)
    # A composer's own entrance, on the second cue.
    track[at(11) : at(12.52)] = 0
    done, audio = fit([(track, span(0, 28), {})], provider="file")
    for (start_s, end_s), rise_s in zip(CUES, (0.5, 0.005, 0.5), strict=True):
        kept = slice(at(start_s + rise_s), at(end_s - 4))
        assert np.array_equal(audio[kept], track[kept])
    assert (done.passes, float(done.fade_out_s)) == (1, 3.5)


def test_a_longer_track_begins_with_the_first_cue_and_runs_on_unheard(fit: Fit) -> None:
    silence = np.zeros((at(1), 2), dtype=np.float32)
    track = np.concatenate([silence, steady(40)])
    done, audio = fit([(track, span(0, 28), {})], provider="file")
    for (start_s, end_s), rise_s in zip(CUES, (0.005, 0.5, 0.5), strict=True):
        kept = slice(at(start_s + rise_s), at(end_s - 4))
        assert np.array_equal(audio[kept], track[kept.start - at(1) : kept.stop - at(1)])
    assert (done.passes, float(done.fade_out_s)) == (1, 3.5)


@pytest.mark.parametrize("length_s", [25.0, 6.3, 3.0])
def test_a_shorter_track_begins_anew_with_each_cue(length_s: float, fit: Fit) -> None:
    track = steady(length_s)
    done, audio = fit([(track, span(0, 28), {})], provider="file")
    for start_s, end_s in CUES:
        size = min(at(length_s) - at(2), at(end_s - start_s) - at(4))
        if size > 0:
            kept = slice(at(start_s) + 240, at(start_s) + size)
            assert np.array_equal(audio[kept], track[240:size])
        assert np.sqrt(np.mean(audio[at(start_s + 0.1) : at(end_s - 2)] ** 2)) > 0.05
    assert done.passes == {25.0: 1, 6.3: 2, 3.0: 4}[length_s]


def test_a_track_as_long_as_the_picture_keeps_its_place_in_a_shorter_cue(fit: Fit) -> None:
    track = steady(30)
    _, audio = fit([(track, span(0, 10), {})], [(0.0, 10.0)], provider="file")
    assert np.array_equal(audio[240 : at(6)], track[240 : at(6)])


def test_a_locked_track_that_ends_before_the_last_cue(fit: Fit) -> None:
    track = steady(29.6)
    _, audio = fit([(track, span(0, 30), {})], [(1.0, 4.0), (29.7, 29.9)], provider="file")
    assert np.array_equal(audio[at(1.5) : at(2.5)], track[at(1.5) : at(2.5)])
    assert not audio[at(4) :].any()


# --- a take that fits already ------------------------------------------------------------------


def test_a_fitted_take_is_silent_between_cues_or_refused(fit: Fit, tmp_path: Path) -> None:
    track = np.zeros((at(28), 2), dtype=np.float32)
    for start_s, end_s in CUES:
        track[at(start_s) : at(end_s)] = steady(end_s - start_s)
    _, audio = fit([(track, span(0, 28), {})], provider="embedded", fitted=True)
    assert np.array_equal(audio[: at(28)], track)
    (tmp_path / "conform" / "MX.wav").unlink()
    (tmp_path / "conform").rmdir()
    track[at(10)] = 0.01
    with pytest.raises(MediaError, match=r"between 8\.000 s and 12\.520 s") as caught:
        fit([(track, span(0, 28), {})], provider="embedded", fitted=True)
    assert "provider" in caught.value.remedy


@pytest.mark.parametrize("provider", ["file", "elevenlabs"])
def test_cues_of_a_frame_have_music_too(provider: str, fit: Fit) -> None:
    cues = [(0.0, 0.04), (1.0, 1.04), (29.96, 30.0)]
    track = steady(10)
    pieces: list[Piece] = [(track, span(*cue), {}) for cue in cues]
    _, audio = fit(
        pieces if provider != "file" else [(track, span(0, 30), {})], cues, provider=provider
    )
    for start_s, end_s in cues:
        assert audio[at(start_s) : at(end_s)].any()
