"""Conform on music with a beat: any length, own ending, beats on cuts, all as it is heard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyloudnorm
import pytest
import soundfile
from tests.songs import BEAT, BPM, RATE_HZ, Sound, clicks_s, song

from scorebed.dsp.joins import window_lufs
from scorebed.model import (
    Artifact,
    Conformed,
    ConformSettings,
    Cue,
    CutLock,
    HitPoint,
    Picture,
    PictureCurve,
    Quote,
    Shot,
    SpottingNotes,
    Take,
    TakePiece,
    TimeRange,
)
from scorebed.stages.conform import conform
from scorebed.stages.conform_lock import Laidbeats, gains, goals_of
from scorebed.timecode import to_samples

if TYPE_CHECKING:
    from numpy.typing import NDArray


def hits(*at_s: float, label: str = "cut", weight: float = 0.6) -> list[HitPoint]:
    return [
        HitPoint(at_s=Fraction(round(one * 1000), 1000), label=label, weight=weight) for one in at_s
    ]


def by_time(hit: HitPoint) -> Fraction:
    return hit.at_s


Run = Callable[..., tuple[Conformed, Sound]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Conforms a track to a length, and checks what is always true."""
    count = 0

    def fit(
        track: Sound,
        length_s: float,
        points: Sequence[HitPoint] = (),
        want: ConformSettings | None = None,
        *,
        provider: str = "file",
        pieces: Sequence[float] = (),
        shots: Sequence[Shot] = (),
    ) -> tuple[Conformed, Sound]:
        nonlocal count
        count += 1
        path = tmp_path / f"track{count}.wav"
        soundfile.write(path, track, RATE_HZ, subtype="FLOAT")
        whole_s = Fraction(round(length_s * 1000), 1000)
        notes = SpottingNotes(
            duration_s=whole_s,
            frame_rate=Fraction(25),
            shots=tuple(shots),
            scenes=(),
            speech=(),
            curve=PictureCurve(hop_s=Fraction(1, 10), motion=(), brightness=()),
            cues=(
                Cue(
                    number="1M1",
                    range=TimeRange(start_s=Fraction(0), duration_s=whole_s),
                    hit_points=tuple(points),
                ),
            ),
        )
        ends_s = [Fraction(one) for one in pieces] or [whole_s]
        starts_s = [Fraction(0), *ends_s[:-1]]
        take = Take(
            provider=provider,
            name="song",
            seed=None,
            pieces=tuple(
                TakePiece(
                    audio=Artifact(path=path, sha256=""), range=TimeRange.between(start_s, end_s)
                )
                for start_s, end_s in zip(starts_s, ends_s, strict=True)
            ),
            fitted=False,
            unused_words=(),
            spent=Quote(requests=0, amount=0.0, currency="USD"),
        )
        folder = tmp_path / f"out{count}"
        folder.mkdir()
        picture = cast("Picture", SimpleNamespace(length_samples=to_samples(whole_s)))
        shares: list[float] = []
        done = conform(
            picture, notes, take, want or ConformSettings(), folder=folder, progress=shares.append
        )
        assert [entry.name for entry in folder.iterdir()] == ["MX.wav"]
        assert shares == sorted(shares)
        audio = soundfile.read(done.mx.audio.path, dtype="float32", always_2d=True)[0]
        assert audio.shape == (to_samples(whole_s), 2)
        for one in done.fits:
            check_seams(one, audio)
        return done, audio

    return fit


def check_seams(fit: Any, audio: Sound) -> None:
    """What is told of seams is so in the music, and within the limits."""
    assert all(0.96 - 1e-9 <= ratio <= 1.04 + 1e-9 for ratio in fit.stretches)
    for seam in fit.seams:
        at = to_samples(seam.at_s)
        sides = audio[max(at - 3 * RATE_HZ, 0) : at], audio[at : at + 3 * RATE_HZ]
        assert seam.flux <= 1.0
        assert abs(seam.loudness_step_lu) <= 1.0
        if at + 3 * RATE_HZ < len(audio) - 4 * RATE_HZ:
            told = seam.loudness_step_lu
            steps = [step(*sides) for step in (ungated_step, gated_step)]
            assert any(told == pytest.approx(one, abs=0.05) for one in steps)
            assert max(map(abs, steps)) <= abs(told) + 0.05


def ungated_step(before: Sound, after: Sound) -> float:
    early, late = window_lufs(before), window_lufs(after)
    assert early is not None
    assert late is not None
    return late - early


def gated_step(before: Sound, after: Sound) -> float:
    meter = pyloudnorm.Meter(RATE_HZ)
    early, late = (meter.integrated_loudness(side.astype(np.float64)) for side in (before, after))
    return float(late - early)


OFF = ConformSettings(cut_lock="off")
HITS = ConformSettings(cut_lock="hits")


# --- length ------------------------------------------------------------------------------------


@pytest.mark.parametrize("length_s", [24.3, 41.7, 83.0])
def test_any_length_has_the_own_opening_and_the_own_ending(run: Run, length_s: float) -> None:
    track = song(28)
    done, audio = run(track, length_s, want=OFF)
    fit = done.fits[0]
    assert fit.how == "fitted"
    assert (done.passes, done.fade_out_s) == (1, Fraction(0))
    # The chord that only the ending has is there, once, and rings out.
    at = np.arange(RATE_HZ) / RATE_HZ
    wave = np.exp(-2j * np.pi * 138.6 * at)
    strength = [
        abs(np.vdot(wave, audio[first : first + RATE_HZ, 0]))
        for first in range(0, len(audio) - RATE_HZ, RATE_HZ // 4)
    ]
    assert np.argmax(strength) * 0.25 > length_s - 6
    assert np.abs(audio[-RATE_HZ // 10 :]).max() < 0.01
    # The opening is the track's own, to the beat; the pulse goes on over every seam.
    beats = clicks_s(audio)
    assert beats[0] < 0.02
    gaps = np.diff(beats) / (BEAT / RATE_HZ)
    assert np.abs(gaps - 1).max() < 0.06
    assert fit.tempo_bpm == pytest.approx(BPM, rel=0.02)


def test_whole_bars_are_taken_away(run: Run) -> None:
    done, _ = run(song(28), 40.0, want=OFF)
    for seam in done.fits[0].seams:
        beats = float(seam.to_s - seam.from_s) * RATE_HZ / BEAT
        assert beats % 4 == pytest.approx(0, abs=0.1) or beats % 4 == pytest.approx(4, abs=0.1)


def test_a_small_difference_is_stretched_without_a_seam(run: Run) -> None:
    track = song(16)
    length_s = np.flatnonzero(np.abs(track[:, 0]) > 1e-3)[-1] / RATE_HZ * 0.975
    done, _ = run(track, length_s, want=OFF)
    assert not done.fits[0].seams
    assert max(done.fits[0].stretches) < 1
    stiff = replace(OFF, max_stretch=0.0)
    done, _ = run(track, length_s, want=stiff)
    assert all(ratio == 1 for ratio in done.fits[0].stretches)


def test_music_that_breaks_off_is_faded_as_planned(run: Run) -> None:
    done, audio = run(song(20, ending=False), 20.0, want=OFF)
    assert (done.fits[0].how, float(done.fade_out_s)) == ("faded", 4.0)
    assert done.fits[0].why == "it has no ending of its own"
    done, audio = run(song(8, ending=False), 40.0, want=OFF)
    assert done.fits[0].how == "fitted"
    assert float(done.fade_out_s) == 4.0
    assert np.abs(audio[-100:]).max() < 1e-3
    assert np.abs(np.diff(clicks_s(audio[: 35 * RATE_HZ])) * RATE_HZ / BEAT - 1).max() < 0.06


def test_music_without_a_beat_is_faded_or_begun_again(run: Run) -> None:
    rng = np.random.default_rng(4)
    hiss = (rng.standard_normal((20 * RATE_HZ, 2)) * 0.05).astype(np.float32)
    hiss[-RATE_HZ:] *= np.linspace(1, 0, RATE_HZ, dtype=np.float32)[:, np.newaxis] ** 3
    for length_s, how in ((12.0, "faded"), (50.0, "repeated")):
        done, _ = run(hiss, length_s, want=OFF)
        fit = done.fits[0]
        assert (fit.how, fit.why) == (how, "it has no clear beat")
        assert fit.confidence is not None
        assert fit.confidence < 0.5


# --- cuts --------------------------------------------------------------------------------------

CUTS = (3.1, 6.35, 9.9, 14.2, 17.45, 21.3, 25.8)


def share(beats: NDArray[np.float64], cuts: Sequence[float]) -> float:
    return float(np.mean([np.abs(beats - one).min() <= 0.07 for one in cuts]))


def test_beats_fall_on_cuts_in_what_is_heard(run: Run) -> None:
    points = hits(*CUTS)
    free, unlocked = run(song(28), 30.0, points, OFF)
    done, locked = run(song(28), 30.0, points, HITS)
    assert free.lock is None
    assert done.lock is not None
    assert share(clicks_s(locked), CUTS) >= max(0.85, 2 * share(clicks_s(unlocked), CUTS))
    # What is told is what is heard.
    lock = done.lock
    assert lock.moved
    assert done.fits[0].locked
    assert lock.hits_after == pytest.approx(share(clicks_s(locked), CUTS), abs=0.15)
    assert lock.hits_before == pytest.approx(share(clicks_s(unlocked), CUTS), abs=0.15)
    assert lock.z_after is not None
    assert lock.z_before is not None
    assert lock.z_after > 2 > lock.z_before
    heard = clicks_s(locked)
    for cut in lock.cuts:
        nearest = heard[np.argmin(np.abs(heard - float(cut.at_s)))] - float(cut.at_s)
        assert cut.after_ms is not None
        if abs(cut.after_ms) < 100:
            assert nearest * 1000 == pytest.approx(cut.after_ms, abs=25)


def test_scene_changes_pull_and_other_cuts_do_not(run: Run) -> None:
    scenes, cuts = hits(8.0, 19.2, label="scene", weight=1.0), hits(3.3, 11.11, 22.2)
    done, audio = run(song(28), 30.0, sorted(scenes + cuts, key=lambda hit: hit.at_s))
    assert done.lock is not None
    assert [float(cut.at_s) for cut in done.lock.cuts] == [8.0, 19.2]
    assert done.lock.mode == "scenes"
    assert share(clicks_s(audio), (8.0, 19.2)) == 1.0
    assert done.lock.downbeats_before is not None
    assert (done.lock.downbeats_after, done.lock.downbeats_before < 1.0) == (1.0, True)


def test_motion_does_not_pull(run: Run) -> None:
    done, _ = run(song(28), 30.0, hits(*CUTS, label="motion", weight=0.9), HITS)
    assert done.lock is None
    said = hits(9.9, label="explosion", weight=0.9)
    done, _ = run(song(28), 30.0, sorted([*hits(6.35, label="motion"), *said], key=by_time), HITS)
    assert done.lock is not None
    assert [cut.label for cut in done.lock.cuts] == ["explosion"]
    assert done.lock.downbeats_after is None


@pytest.mark.parametrize("mode", ["scenes", "hits"])
def test_a_scene_pulls_as_its_cut_is_sure(run: Run, mode: CutLock) -> None:
    points = hits(8.0, 14.2, 19.2, label="scene", weight=1.0)
    shots = [
        Shot(range=TimeRange.between(hit.at_s, hit.at_s + 1), confidence=confidence)
        for hit, confidence in zip(points, (0.9, 0.3, 0.6), strict=True)
    ]
    done, _ = run(song(28), 30.0, points, ConformSettings(cut_lock=mode), shots=shots)
    assert done.lock is not None
    assert [float(cut.at_s) for cut in done.lock.cuts] == [8.0, 19.2]
    assert [cut.weight for cut in done.lock.cuts] == pytest.approx([0.9, 0.6])


def test_gained_is_what_is_met_as_it_is_wanted() -> None:
    """A beat on a scene is not yet a downbeat; neither is given up for the other."""
    goals = goals_of(hits(4.0, 8.0, label="scene", weight=1.0), 0, 20 * RATE_HZ)

    def laid(*beats: tuple[float, bool]) -> Laidbeats:
        at, down = zip(*beats, strict=True)
        return Laidbeats(np.array(at) * RATE_HZ, np.array(down))

    plain, downbeat = laid((4.0, False), (9.0, True)), laid((4.0, True), (9.0, True))
    assert gains(plain, downbeat, goals)
    assert not gains(downbeat, plain, goals)
    # Two plain beats are no gain over one downbeat, nor the other way round.
    two = laid((4.0, False), (8.0, False))
    assert not gains(downbeat, two, goals)
    assert not gains(two, downbeat, goals)
    assert not gains(plain, plain, goals)


def test_weak_cuts_do_not_pull(run: Run) -> None:
    weak = hits(*CUTS, weight=0.2)
    done, audio = run(song(28), 30.0, weak, HITS)
    _, off = run(song(28), 30.0, weak, OFF)
    assert done.lock is None
    assert np.array_equal(audio, off)


def test_nothing_is_moved_where_nothing_is_gained(run: Run) -> None:
    track = song(28)
    met = [BEAT / RATE_HZ * beat for beat in (8, 16, 24)]
    length_s = len(track) / RATE_HZ
    done, audio = run(track, length_s, hits(*met), replace(HITS, asked=True))
    assert done.lock is not None
    assert not done.lock.moved
    assert (done.lock.hits_before, done.lock.hits_after) == (1.0, 1.0)
    assert np.array_equal(audio[480 : 20 * RATE_HZ], track[480 : 20 * RATE_HZ])


@pytest.mark.parametrize("provider", ["file", "elevenlabs"])
@pytest.mark.parametrize("longer_s", [-0.4, 0.0, 0.4])
def test_what_was_made_for_this_picture_is_moved_only_if_asked(
    run: Run, provider: str, longer_s: float
) -> None:
    track = song(14)
    length_s = len(track) / RATE_HZ + longer_s
    points = hits(*CUTS)
    done, audio = run(track, length_s, points, HITS, provider=provider)
    size = 14 * 4 * BEAT - RATE_HZ // 2
    assert done.fits[0].how != "fitted"
    assert np.array_equal(audio[480:size], track[480:size])
    asked, moved = run(track, length_s, points, replace(HITS, asked=True), provider=provider)
    assert asked.fits[0].locked
    assert share(clicks_s(moved), CUTS) > share(clicks_s(audio), CUTS)


def test_pieces_that_follow_each_other_are_filled_up_to_the_join(run: Run) -> None:
    track = song(6)
    done, audio = run(track, 50.0, hits(*CUTS), OFF, provider="elevenlabs", pieces=(28.0, 50.0))
    assert [fit.how for fit in done.fits] == ["fitted", "fitted"]
    assert done.passes == 1
    assert [float(join.at_s) for join in done.joins] == [28.0]
    assert done.joins[0].kind == "downbeat"
    gaps = np.diff(clicks_s(audio[: 27 * RATE_HZ])) * RATE_HZ / BEAT
    assert np.abs(gaps - 1).max() < 0.06


@pytest.mark.slow
def test_the_same_twice(run: Run) -> None:
    first, second = (run(song(12), 40.0, hits(*CUTS), HITS)[0] for _ in range(2))
    assert first.mx.audio.sha256 == second.mx.audio.sha256
    assert first.lock == second.lock
