"""The contract of providers: ours keep it, and it finds those that do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from scorebed.errors import ProviderUnavailable
from scorebed.model import Answer, Order, PartOrder, ServiceSettings, Take, TimeRange
from scorebed.providers.elevenlabs.text import ElevenLabsTextProvider
from scorebed.providers.elevenlabs.video import ElevenLabsProvider
from scorebed.providers.embedded import EmbeddedProvider
from scorebed.testing import MusicService, ProviderContract

KEY = "sk_contract_0123456789"


class TestEmbedded(ProviderContract):
    def provider(self) -> EmbeddedProvider:
        return EmbeddedProvider()


class _Served(ProviderContract):
    @pytest.fixture(autouse=True)
    def key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ELEVENLABS_API_KEY", KEY)

    @contextmanager
    def served(self) -> Iterator[ServiceSettings]:
        with MusicService(key=KEY) as server:
            provider = self.provider()
            assert isinstance(provider, (ElevenLabsProvider, ElevenLabsTextProvider))
            yield replace(provider.settings(), base_url=server.url)


class TestElevenLabs(_Served):
    def provider(self) -> ElevenLabsProvider:
        return ElevenLabsProvider()


class TestElevenLabsText(_Served):
    def provider(self) -> ElevenLabsTextProvider:
        return ElevenLabsTextProvider()


# --- what it finds -----------------------------------------------------------------------------


class _Halves(EmbeddedProvider):
    """Says that its music is for half of the picture."""

    def compose(self, order: Order, *, folder: Path, progress: Any) -> Take:
        take = super().compose(order, folder=folder, progress=progress)
        whole = take.pieces[0].range
        half = TimeRange(start_s=whole.start_s, duration_s=whole.duration_s / 2)
        return replace(take, pieces=(replace(take.pieces[0], range=half),))


class _Everywhere(EmbeddedProvider):
    """Plays on where no music is wanted."""

    def compose(self, order: Order, *, folder: Path, progress: Any) -> Take:
        cue = replace(
            order.notes.cues[0],
            range=TimeRange(start_s=Fraction(0), duration_s=order.notes.duration_s),
        )
        order = replace(order, notes=replace(order.notes, cues=(cue,)))
        return super().compose(order, folder=folder, progress=progress)


class _Elsewhere(EmbeddedProvider):
    """Writes beside its folder."""

    def compose(self, order: Order, *, folder: Path, progress: Any) -> Take:
        (folder.parent / "stray.txt").write_text("here I was")
        return super().compose(order, folder=folder, progress=progress)


class _Moody(EmbeddedProvider):
    """Plays something else every time."""

    times = 0

    def compose(self, order: Order, *, folder: Path, progress: Any) -> Take:
        type(self).times += 1
        brief = replace(order.brief, seed=order.brief.seed + self.times)
        return super().compose(replace(order, brief=brief), folder=folder, progress=progress)


class _Secretive(ElevenLabsProvider):
    """Does not say that it sends."""

    def send(self, part: PartOrder, *, folder: Path, wire: Any) -> Answer:
        wire.sending = lambda: None
        return super().send(part, folder=folder, wire=wire)


class _Fickle(ElevenLabsProvider):
    """Names the same wish in other words each time."""

    times = 0

    def asked(self, part: PartOrder) -> tuple[tuple[str, str], ...]:
        _Fickle.times += 1
        return (*super().asked(part), ("count", str(self.times)))


@pytest.mark.parametrize(
    ("provider", "check"),
    [
        (_Halves, ProviderContract.test_a_take_covers_its_cue),
        (_Elsewhere, ProviderContract.test_a_take_covers_its_cue),
        (_Everywhere, ProviderContract.test_a_take_is_silent_between_cues),
        (_Moody, ProviderContract.test_a_seed_gives_its_take_again),
    ],
)
def test_a_composer_that_breaks_it_is_found(
    provider: type[EmbeddedProvider], check: Callable[..., None], tmp_path: Path
) -> None:
    class Mine(ProviderContract):
        def provider(self) -> EmbeddedProvider:
            return provider()

    with pytest.raises(AssertionError):
        check(Mine(), tmp_path)


@pytest.mark.parametrize(
    ("provider", "check"),
    [
        (_Secretive, ProviderContract.test_a_request_is_told_of_before_it_leaves),
        (_Fickle, ProviderContract.test_what_is_asked_names_the_take),
        (_Fickle, ProviderContract.test_a_take_is_bought_once),
    ],
)
def test_a_service_that_breaks_it_is_found(
    provider: type[ElevenLabsProvider],
    check: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ELEVENLABS_API_KEY", KEY)

    class Mine(_Served):
        def provider(self) -> ElevenLabsProvider:
            return provider()

    # A second purchase is refused by the network: the server has gone.
    with pytest.raises((AssertionError, ProviderUnavailable)):
        check(Mine(), tmp_path)
