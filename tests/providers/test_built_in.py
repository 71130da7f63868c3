"""The embedded composer and the user's own track, as providers."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from scorebed.errors import SettingsError
from scorebed.model import (
    Brief,
    Cue,
    HitPoint,
    Order,
    PictureCurve,
    Reel,
    ReelSet,
    Scene,
    Shot,
    SourceFile,
    SpottingNotes,
    TimeRange,
    no_progress,
)
from scorebed.presets import load_preset
from scorebed.providers.embedded import EmbeddedProvider
from scorebed.providers.file import FileProvider
from scorebed.style import Style
from scorebed.timecode import to_samples
from scorebed.wav import sha256_of


def order(duration_s: Fraction, *, seed: int = 1, music: Path | None = None) -> Order:
    half_s = duration_s / 2
    spans = (TimeRange.between(Fraction(0), half_s), TimeRange.between(half_s, duration_s))
    scenes = tuple(
        Scene(range=span, shots=1, motion=m, brightness=b, saturation=0.4, warmth=0.1)
        for span, m, b in zip(spans, (0.1, 0.7), (0.3, 0.6), strict=True)
    )
    points = tuple(HitPoint(at_s=span.start_s, label="scene", weight=1.0) for span in spans)
    whole = TimeRange(start_s=Fraction(0), duration_s=duration_s)
    hops = int(-(-duration_s // Fraction(1, 2)))
    notes = SpottingNotes(
        duration_s=duration_s,
        frame_rate=Fraction(25),
        shots=tuple(Shot(range=span, confidence=1.0) for span in spans),
        scenes=scenes,
        speech=(),
        curve=PictureCurve(hop_s=Fraction(1, 2), motion=(0.3,) * hops, brightness=(0.5,) * hops),
        cues=(Cue(number="1M1", range=whole, hit_points=points),),
    )
    brief = Brief(
        style=load_preset("style", "ambient", Style),
        prompt="",
        tags=(),
        seed=seed,
        quality="draft",
        guidance=0.5,
    )
    return Order(
        notes=notes,
        brief=brief,
        reels=ReelSet(cues=(whole,), reels=(Reel(range=whole, proxy=None),)),
        music=None if music is None else SourceFile(path=music, fingerprint="f" * 64),
    )


def test_the_embedded_take_fits_to_the_sample(tmp_path: Path) -> None:
    duration_s = Fraction(250_250, 30_001)
    shares: list[float] = []
    take = EmbeddedProvider().compose(order(duration_s), folder=tmp_path, progress=shares.append)
    assert take.fitted
    assert (take.provider, take.seed) == ("embedded", 1)
    assert take.name.startswith("ambient, ")
    assert take.name.endswith(" bpm, seed 1")
    assert take.pieces[0].audio.sha256 == sha256_of(take.pieces[0].audio.path)
    audio, rate_hz = soundfile.read(take.pieces[0].audio.path, always_2d=True)
    assert rate_hz == 48_000
    assert audio.shape == (to_samples(duration_s), 2)
    assert 0.02 < np.abs(audio).max() <= 1.0
    assert np.isfinite(audio).all()
    assert (take.spent.requests, take.spent.amount) == (0, 0.0)
    assert shares == sorted(shares)
    assert [path.name for path in tmp_path.iterdir()] == ["take.wav"]


def test_one_seed_one_take(tmp_path: Path) -> None:
    hashes = []
    for number, seed in enumerate((7, 7, 8)):
        folder = tmp_path / str(number)
        folder.mkdir()
        take = EmbeddedProvider().compose(
            order(Fraction(6), seed=seed), folder=folder, progress=no_progress
        )
        hashes.append(take.pieces[0].audio.sha256)
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_track_of_ones_own_is_kept_as_it_is(tmp_path: Path) -> None:
    track, folder = tmp_path / "My Song (final).mp3", tmp_path / "kept"
    track.write_bytes(b"ID3 something")
    folder.mkdir()
    take = FileProvider().compose(
        order(Fraction(6), music=track), folder=folder, progress=no_progress
    )
    track.unlink()
    assert take.pieces[0].audio.path.parent == folder
    assert take.pieces[0].audio.path.read_bytes() == b"ID3 something"
    assert take.pieces[0].audio.sha256 == sha256_of(take.pieces[0].audio.path)
    assert (take.provider, take.name, take.seed, take.fitted) == (
        "file",
        "My Song (final)",
        None,
        False,
    )


def test_without_a_track_there_is_nothing_to_hand_over(tmp_path: Path) -> None:
    wanted = replace(order(Fraction(6)), music=None)
    with pytest.raises(SettingsError, match="needs a track") as caught:
        FileProvider().compose(wanted, folder=tmp_path, progress=no_progress)
    assert "--music" in caught.value.remedy
    assert not list(tmp_path.iterdir())
