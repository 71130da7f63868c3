"""Films that are made of numbers, and measures of sound."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import stft

from scorebed.composer import Composition, compose, render
from scorebed.model import (
    Audio,
    Brief,
    Cue,
    HitPoint,
    PictureCurve,
    Quality,
    Scene,
    Shot,
    SpeechRegion,
    SpottingNotes,
    TimeRange,
)
from scorebed.style import Style

PRESETS = Path(__file__).parents[2] / "presets" / "style"
STYLES = tuple(sorted(path.stem for path in PRESETS.glob("*.toml")))
Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a scene of a made-up film shows."""

    seconds: float
    motion: float = 0.4
    brightness: float = 0.5
    saturation: float = 0.5
    warmth: float = 0.0


CALM = Shown(seconds=8.4, motion=0.1, brightness=0.25, saturation=0.2, warmth=-0.3)
BUSY = Shown(seconds=7.12, motion=0.85, brightness=0.75, saturation=0.8, warmth=0.4)
EVEN = Shown(seconds=9.68, motion=0.4, brightness=0.5, saturation=0.4)
FILM = (CALM, BUSY, EVEN)


def exact(seconds: float) -> Fraction:
    return Fraction(round(seconds * 48_000), 48_000)


class Kit:
    """Makes notes and briefs, plays them, measures what sounds."""

    styles = STYLES
    film = FILM

    @staticmethod
    @lru_cache(maxsize=32)
    def style(name: str) -> Style:
        table = tomllib.loads((PRESETS / f"{name}.toml").read_text(encoding="utf-8"))
        return msgspec.convert(table, Style, strict=True)

    @staticmethod
    def notes(
        film: Sequence[Shown],
        *,
        cuts: Sequence[float] = (),
        speech: Sequence[tuple[float, float]] = (),
        cues: Sequence[tuple[float, float]] = (),
        briefs: Sequence[str] = (),
    ) -> SpottingNotes:
        starts = [Fraction(0)]
        for shown in film:
            starts.append(starts[-1] + exact(shown.seconds))
        end = starts.pop()
        marks = sorted({*starts, *(exact(cut) for cut in cuts)})
        shots = tuple(
            Shot(range=TimeRange.between(a, b), confidence=1.0)
            for a, b in zip(marks, [*marks[1:], end], strict=True)
        )
        scenes = tuple(
            Scene(
                range=TimeRange.between(a, b),
                shots=sum(a <= mark < b for mark in marks),
                motion=shown.motion,
                brightness=shown.brightness,
                saturation=shown.saturation,
                warmth=shown.warmth,
                brief=brief,
            )
            for a, b, shown, brief in zip(
                starts, [*starts[1:], end], film, briefs or [""] * len(film), strict=True
            )
        )
        hop = Fraction(1, 2)
        at = [
            next(s for s in reversed(scenes) if s.range.start_s <= i * hop)
            for i in range(max(1, int(end / hop)))
        ]
        return SpottingNotes(
            duration_s=end,
            frame_rate=Fraction(25),
            shots=shots,
            scenes=scenes,
            speech=tuple(
                SpeechRegion(range=TimeRange.between(exact(a), exact(b)), confidence=0.9)
                for a, b in speech
            ),
            curve=PictureCurve(
                hop_s=hop,
                motion=tuple(scene.motion for scene in at),
                brightness=tuple(scene.brightness for scene in at),
            ),
            cues=tuple(
                Cue(
                    number=f"1M{number}",
                    range=TimeRange.between(exact(a), exact(b)),
                    hit_points=tuple(
                        HitPoint(at_s=mark, label="cut", weight=0.6)
                        for mark in marks
                        if exact(a) <= mark < exact(b)
                    ),
                )
                for number, (a, b) in enumerate(cues or [(0.0, float(end))], start=1)
            ),
        )

    @classmethod
    def brief(
        cls,
        style: str = "cinematic",
        *,
        prompt: str = "",
        tags: tuple[str, ...] = (),
        seed: int = 1,
        quality: Quality = "draft",
        guidance: float = 0.5,
    ) -> Brief:
        return Brief(
            style=cls.style(style),
            prompt=prompt,
            tags=tags,
            seed=seed,
            quality=quality,
            guidance=guidance,
        )

    @staticmethod
    def play(composition: Composition) -> Audio:
        return np.concatenate(list(render(composition)))

    @classmethod
    @lru_cache(maxsize=16)
    def film_in(cls, style: str, seed: int = 1, quality: Quality = "standard") -> Audio:
        """The three-scene film in a style, rendered once for all tests."""
        composition = compose(
            cls.notes(FILM), cls.brief(style, seed=seed, quality=quality, guidance=0.5)
        )
        audio = cls.play(composition)
        audio.setflags(write=False)
        return audio

    # --- measures ------------------------------------------------------------------------------

    @staticmethod
    def _spectra(audio: Audio, size: int, hop: int) -> tuple[Array, Array]:
        mono = np.asarray(audio.mean(axis=1), dtype=np.float64)
        freqs, _, values = stft(mono, 48_000, nperseg=size, noverlap=size - hop)
        return np.asarray(freqs), np.asarray(np.abs(values))

    @classmethod
    def bands_db(cls, audio: Audio, hop: int = 480) -> Array:
        """Levels of 40 bands every hop, shape (bands, hops)."""
        freqs, spectra = cls._spectra(audio, 2048, hop)
        edges = np.geomspace(40, 16_000, 41)
        rows = [
            spectra[(freqs >= low) & (freqs < max(high, low + 24))].sum(axis=0)
            for low, high in itertools.pairwise(edges)
        ]
        return np.asarray(20 * np.log10(np.array(rows) + 1e-4))

    @classmethod
    def onsets(cls, audio: Audio) -> Array:
        """Onset strength every 10 ms: how much the bands rise together."""
        bands = np.log1p(1000 * 10 ** (cls.bands_db(audio) / 20))
        rise = np.diff(bands, axis=1, prepend=bands[:, :1])
        return np.asarray(np.maximum(rise, 0).sum(axis=0))

    @classmethod
    def chroma(cls, audio: Audio) -> Array:
        """Energy of the twelve pitch classes every half second, shape (12, hops)."""
        freqs, spectra = cls._spectra(audio, 16_384, 24_000 // 2)
        heard = (freqs > 55) & (freqs < 2000)
        classes = np.round(69 + 12 * np.log2(freqs[heard] / 440)).astype(int) % 12
        out = np.zeros((12, spectra.shape[1]))
        np.add.at(out, classes, spectra[heard] ** 2)
        return np.asarray(out / np.maximum(np.sqrt((out**2).sum(axis=0)), 1e-9))

    @staticmethod
    def rms_db(audio: Audio) -> float:
        return float(10 * np.log10(np.mean(np.square(audio, dtype=np.float64)) + 1e-12))


@pytest.fixture(scope="session")
def kit() -> Kit:
    return Kit()


@pytest.fixture(scope="session")
def shown() -> Callable[..., Shown]:
    return Shown
