"""An order for a service: a small picture in three scenes, its proxies, a ledger of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.providers.films import film_of, spans_of

from scorebed.ledger import Ledger
from scorebed.model import (
    Artifact,
    Brief,
    Order,
    PictureCurve,
    Purse,
    Reel,
    ReelSet,
    Scene,
    SpottingNotes,
)
from scorebed.presets import load_preset
from scorebed.providers.elevenlabs.video import ElevenLabsProvider
from scorebed.style import Style
from scorebed.testing import MusicService
from scorebed.wav import sha256_of

KEY = "sk_0123456789abcdef_never_shown"
CUTS_S = (0, 3, 5, 8)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[MusicService]:
    """The test server, and its key where scorebed looks for it."""
    monkeypatch.setenv("ELEVENLABS_API_KEY", KEY)
    with MusicService(key=KEY) as running:
        yield running


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """The ledger's folder."""
    return tmp_path / "ledger"


@pytest.fixture
def purse(disk: Path) -> Purse:
    return Purse(ledger=disk, title="film.mp4")


@pytest.fixture
def ledger(purse: Purse) -> Ledger:
    return Ledger(purse.ledger)


@pytest.fixture(scope="session")
def proxies(make_media: Callable[..., Path]) -> tuple[Path, ...]:
    """A file for each scene, as the reel stage makes them."""
    return tuple(
        make_media(
            f"scene{number}.mp4",
            *("-f", "lavfi", "-i", f"testsrc2=size=160x90:rate=25:duration={end - start}"),
            *("-vf", f"hue=h={number * 90}", "-c:v", "libx264", "-preset", "ultrafast"),
            *("-pix_fmt", "yuv420p", "-threads", "1"),
        )
        for number, (start, end) in enumerate(pairwise(CUTS_S))
    )


@pytest.fixture(scope="session")
def notes() -> SpottingNotes:
    return film_of(
        [
            Scene(
                range=span,
                shots=1,
                motion=0.2 + 0.3 * number,
                brightness=0.4,
                saturation=0.3,
                warmth=0.0,
            )
            for number, span in enumerate(spans_of(CUTS_S))
        ],
        speech=(1, 2),
        curve=PictureCurve(hop_s=Fraction(1, 10), motion=(0.2,) * 80, brightness=(0.4,) * 80),
    )


@pytest.fixture
def make_order(
    proxies: tuple[Path, ...], notes: SpottingNotes, service: MusicService
) -> Callable[..., Order]:
    """``make_order(sfx=True, seed=2, each=1)``: fields of the settings and the brief by name.

    ``each`` is how many reels go with one request.
    """

    def make(*, provider: Any = None, each: int = 10, **fields: Any) -> Order:
        provider = provider or ElevenLabsProvider()
        brief = Brief(
            style=load_preset("style", "documentary", Style),
            prompt=fields.pop("prompt", "warm, no drums"),
            tags=fields.pop("tags", ("folk",)),
            seed=fields.pop("seed", 1),
            quality=fields.pop("quality", "standard"),
            guidance=fields.pop("guidance", 0.5),
        )
        settings = replace(provider.settings(), **({"base_url": service.url} | fields))
        looks = provider.limits(settings).needs_proxies
        reels = tuple(
            Reel(
                range=scene.range,
                proxy=Artifact(path=path, sha256=sha256_of(path)) if looks else None,
                width_px=160,
                height_px=90,
                part=number // each,
            )
            for number, (scene, path) in enumerate(zip(notes.scenes, proxies, strict=True))
        )
        return Order(
            notes=notes,
            brief=brief,
            reels=ReelSet(cues=notes.music, reels=reels),
            music=None,
            picture_sha256="ab" * 32,
            service=settings,
        )

    return make
