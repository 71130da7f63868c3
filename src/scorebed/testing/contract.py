"""What every provider has to keep: tests that a third party's test class inherits."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scorebed.answers import decode_piece, unpack
from scorebed.ffmpeg import file_url, run
from scorebed.model import (
    Artifact,
    Brief,
    Cue,
    Order,
    PictureCurve,
    Purse,
    Quote,
    Reel,
    ReelSet,
    Scene,
    Shot,
    SpeechRegion,
    SpottingNotes,
    TimeRange,
    no_progress,
)
from scorebed.providers.base import Composer, Provider, Service
from scorebed.stages.purchase import buy
from scorebed.style import Style
from scorebed.timecode import to_samples
from scorebed.wav import format_of, sha256_of

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from scorebed.model import ServiceSettings

CUTS_S = (0, 4, 7, 12)
"""Scene changes of the sample order, in seconds; the last is its end."""


def sample_order(
    provider: Provider, folder: Path, service: ServiceSettings | None = None, *, seed: int = 1
) -> Order:
    """A small order: 12 s in three scenes, with proxies if the provider looks at the picture.

    Args:
        provider: Who is asked.
        folder: Where proxies are written.
        service: How it is asked, for a service.
        seed: Names the take.
    """
    spans = [TimeRange.between(Fraction(a), Fraction(b)) for a, b in pairwise(CUTS_S)]
    looks = provider.limits(service).needs_proxies
    reels = tuple(
        Reel(range=span, proxy=_proxy(folder, number, span), width_px=160, height_px=90)
        if looks
        else Reel(range=span, proxy=None)
        for number, span in enumerate(spans)
    )
    return Order(
        notes=_notes(spans),
        brief=Brief(
            style=Style(name="plain", description="plain and calm"),
            prompt="calm",
            tags=("folk",),
            seed=seed,
            quality="draft",
            guidance=0.5,
        ),
        reels=ReelSet(cues=_notes(spans).music, reels=reels),
        music=None,
        picture_sha256="00" * 32,
        service=service,
    )


def with_rest(order: Order) -> Order:
    """The order with no music for its middle scene: two cues."""
    reels = (order.reels.reels[0], order.reels.reels[-1])
    cues = tuple(reel.range for reel in reels)
    marks = tuple(
        Cue(number=f"1M{number}", range=span, hit_points=())
        for number, span in enumerate(cues, start=1)
    )
    notes = replace(order.notes, cues=marks)
    return replace(order, notes=notes, reels=ReelSet(cues=cues, reels=reels))


def _proxy(folder: Path, number: int, span: TimeRange) -> Artifact:
    path = folder / f"proxy-{number}.mp4"
    look = f"testsrc2=size=160x90:rate=25:duration={float(span.duration_s)}"
    run(
        [
            *("-y", "-f", "lavfi", "-i", look, "-pix_fmt", "yuv420p"),
            *("-c:v", "libx264", "-preset", "ultrafast", file_url(path)),
        ],
        stage="contract",
        subject=path,
    )
    return Artifact(path=path, sha256=sha256_of(path))


def _notes(spans: list[TimeRange]) -> SpottingNotes:
    whole = TimeRange.between(Fraction(0), Fraction(CUTS_S[-1]))
    hops = CUTS_S[-1] * 10
    return SpottingNotes(
        duration_s=whole.duration_s,
        frame_rate=Fraction(25),
        shots=tuple(Shot(range=span, confidence=1.0) for span in spans),
        scenes=tuple(
            Scene(range=span, shots=1, motion=0.4, brightness=0.5, saturation=0.3, warmth=0.0)
            for span in spans
        ),
        speech=(SpeechRegion(range=TimeRange.between(Fraction(5), Fraction(6)), confidence=0.9),),
        curve=PictureCurve(hop_s=Fraction(1, 10), motion=(0.4,) * hops, brightness=(0.5,) * hops),
        cues=(Cue(number="1M1", range=whole, hit_points=()),),
    )


class _Wire:
    """Writes down what a service tells."""

    def __init__(self) -> None:
        self.sent = 0
        self.shares: list[float] = []
        self.most: list[int] = []

    def sending(self) -> None:
        self.sent += 1

    def at_once(self, most: int) -> None:
        self.most.append(most)

    def progress(self, share: float) -> None:
        self.shares.append(share)


class ProviderContract:
    """Inherit from it in a test class, say who your provider is, and let pytest run it.

    ::

        class TestMine(ProviderContract):
            def provider(self):
                return MyProvider()

            @contextlib.contextmanager
            def served(self):  # only for a Service
                with MyTestServer() as server:
                    yield replace(self.provider().settings(), base_url=server.url)

    """

    def provider(self) -> Provider:
        """The provider that is tested."""
        raise NotImplementedError

    def served(self) -> AbstractContextManager[ServiceSettings]:
        """For a service: something to ask, while the context is open, and how."""
        raise NotImplementedError

    def order(self, folder: Path, service: ServiceSettings | None, seed: int = 1) -> Order:
        """What is ordered; override it if yours needs more."""
        return sample_order(self.provider(), folder, service, seed=seed)

    def test_it_says_who_it_is(self) -> None:
        """A name for the command line and a sentence for people."""
        provider = self.provider()
        assert isinstance(provider, (Composer, Service))
        assert provider.name == provider.name.strip().lower()
        assert provider.name
        assert len(provider.description.splitlines()) == 1

    def test_its_limits_have_sense(self) -> None:
        """What a request may hold is more than nothing."""
        limits = self.provider().limits(self._settings())
        assert limits.max_reels >= 1
        assert limits.max_duration_s is None or limits.max_duration_s >= 1
        assert limits.max_size_bytes is None or limits.max_size_bytes > 0
        assert limits.network or not isinstance(self.provider(), Service)

    def test_its_price_is_known_before(self, tmp_path: Path) -> None:
        """A quote needs no proxies, no key and no network."""
        order = self.order(tmp_path, self._settings())
        blind = tuple(replace(reel, proxy=None) for reel in order.reels.reels)
        quote = self.provider().quote(replace(order, reels=replace(order.reels, reels=blind)))
        assert isinstance(quote, Quote)
        assert quote.requests >= 0
        assert quote.amount >= 0
        assert len(quote.currency) == 3  # noqa: PLR2004 - ISO 4217
        if isinstance(self.provider(), Composer):
            assert quote.amount == 0, "what costs money is a Service: its purchases are kept"

    def test_a_take_covers_its_cue(self, tmp_path: Path) -> None:
        """Pieces that tile it, that decode, that lie where they were asked to lie."""
        provider = self._composer()
        order = self.order(tmp_path, None)
        folder = tmp_path / "take"
        folder.mkdir()
        before = _files(tmp_path) - _files(folder)
        shares: list[float] = []
        take = provider.compose(order, folder=folder, progress=shares.append)
        assert _files(tmp_path) - _files(folder) == before, "written outside of the folder"
        assert take.provider == provider.name
        at_s = Fraction(0)
        for piece in take.pieces:
            assert piece.range.start_s == at_s
            at_s = piece.range.end_s
            assert piece.audio.path.is_relative_to(folder)
            assert sha256_of(piece.audio.path) == piece.audio.sha256
            assert sum(map(len, decode_piece(piece.audio.path))) > 0
        assert at_s == order.notes.duration_s
        if take.fitted:
            found = format_of(take.pieces[0].audio.path)
            assert found.length_samples == to_samples(order.notes.duration_s)
        assert all(0 <= share <= 1 for share in shares)

    def test_a_take_is_silent_between_cues(self, tmp_path: Path) -> None:
        """One that says that it fits; of another what lies there is not played."""
        provider = self._composer()
        order = with_rest(self.order(tmp_path, None))
        folder = tmp_path / "take"
        folder.mkdir()
        take = provider.compose(order, folder=folder, progress=no_progress)
        for cue in order.notes.music:
            assert any(piece.range.common(cue) for piece in take.pieces)
        if take.fitted:
            sound = np.concatenate([*decode_piece(take.pieces[0].audio.path)])
            first, second = order.notes.music
            rest = sound[to_samples(first.end_s) : to_samples(second.start_s)]
            assert np.abs(rest).max() <= 10 ** (-90 / 20)

    def test_a_seed_gives_its_take_again(self, tmp_path: Path) -> None:
        """Byte for byte."""
        provider = self._composer()
        hashes = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            order = self.order(tmp_path, None, seed=3)
            take = provider.compose(order, folder=tmp_path / name, progress=no_progress)
            hashes.append([piece.audio.sha256 for piece in take.pieces])
        assert hashes[0] == hashes[1]

    def test_what_is_asked_names_the_take(self, tmp_path: Path) -> None:
        """Always in the same words, without paths: the ledger's key is made of them."""
        service = self._service()
        with self.served() as settings:
            order = self.order(tmp_path, settings)
            for part in order.parts:
                words = service.asked(part)
                assert words == service.asked(part)
                assert str(tmp_path) not in str(words)
                assert service.outline(part)

    def test_a_request_is_told_of_before_it_leaves(self, tmp_path: Path) -> None:
        """And its answer lies in the folder, and is the music that was expected."""
        service = self._service()
        with self.served() as settings:
            order = self.order(tmp_path, settings)
            service.check(order.brief, settings)
            service.check_key(settings)
            (part, *_) = order.parts
            wire = _Wire()
            folder = tmp_path / "answer"
            folder.mkdir()
            answer = service.send(part, folder=folder, wire=wire)
            assert wire.sent == 1
            assert answer.body.is_relative_to(folder)
            expected = service.expects(part)
            assert expected.duration_s >= part.duration_s
            place = tmp_path / "unpacked"
            place.mkdir()
            music = unpack(answer, expected, folder=place).music
            assert len(music) in {1, len(part.reels)}

    def test_cues_are_told_apart(self, tmp_path: Path) -> None:
        """Where a scene has no music its place in the request's music is taken by the next."""
        service = self._service()
        with self.served() as settings:
            order = with_rest(self.order(tmp_path, settings))
            for part in order.parts:
                starts_s = service.expects(part).starts_s
                assert len(starts_s) in {0, len(part.stretches)}
                assert list(starts_s) == sorted(starts_s)
                assert service.outline(part)
            assert service.quote(order).seconds <= float(order.reels.duration_s)

    def test_a_take_is_bought_once(self, tmp_path: Path) -> None:
        """The second time nothing is asked: the service is not there any more."""
        service = self._service()
        purse = Purse(ledger=tmp_path / "ledger")
        with self.served() as settings:
            order = self.order(tmp_path, settings)
            (tmp_path / "one").mkdir()
            first = buy(service, order, purse, folder=tmp_path / "one", progress=no_progress)
        (tmp_path / "two").mkdir()
        again = buy(service, order, purse, folder=tmp_path / "two", progress=no_progress)
        assert [one.audio.sha256 for one in first.pieces] == [
            one.audio.sha256 for one in again.pieces
        ]
        assert again.spent.requests == 0

    def _settings(self) -> ServiceSettings | None:
        provider = self.provider()
        return provider.settings() if isinstance(provider, Service) else None

    def _composer(self) -> Composer:
        provider = self.provider()
        if not isinstance(provider, Composer):
            pytest.skip("for those that work on this machine")
        return provider

    def _service(self) -> Service:
        provider = self.provider()
        if not isinstance(provider, Service):
            pytest.skip("for services")
        return provider


def _files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}
