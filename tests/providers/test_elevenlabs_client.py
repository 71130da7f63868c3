"""The client: how long it waits, what it tells on the way, and who never sees a request."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scorebed.model import Order, Purse
from scorebed.providers.elevenlabs.client import Target
from scorebed.providers.elevenlabs.video import ElevenLabsProvider, own_settings
from scorebed.stages.compose import compose

if TYPE_CHECKING:
    from scorebed.testing import MusicService

MakeOrder = Callable[..., Order]


class Listening:
    """A ``Wire`` that remembers."""

    def __init__(self) -> None:
        self.shares: list[float] = []

    def sending(self) -> None:
        """It begins."""

    def at_once(self, most: int) -> None:
        """It is told."""

    def progress(self, share: float) -> None:
        """It goes on."""
        self.shares.append(share)


@pytest.mark.parametrize(
    ("address", "asked_s", "waits_s"),
    [
        ("https://api.elevenlabs.io", 1.0, 600.0),
        ("https://music.example.org", 700.0, 700.0),
        ("http://127.0.0.1:5000", 1.0, 1.0),
    ],
)
def test_an_answer_is_waited_for_ten_minutes_at_least(
    address: str, asked_s: float, waits_s: float
) -> None:
    """But for a server on this machine."""
    with Target(base_url=address, key="sk", read_timeout_s=asked_s).client() as client:
        assert client.timeout.read == waits_s
    assert own_settings().read_timeout_s >= 600


def test_upload_and_answer_are_told_on_the_way(
    make_order: MakeOrder, service: MusicService, tmp_path: Path
) -> None:
    wire = Listening()
    (part,) = make_order(output_format="pcm_48000").parts
    ElevenLabsProvider().send(part, folder=tmp_path, wire=wire)
    shares = wire.shares
    assert shares == sorted(shares)
    upload = [share for share in shares if share <= 0.4]
    answer = [share for share in shares if share > 0.9]
    assert len(upload) + len(answer) == len(shares)
    assert upload[0] < upload[-1] == pytest.approx(0.4)
    assert len(set(answer)) > 5
    assert answer[-1] <= 1


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """A proxy that the environment names for all addresses; what it was sent."""
    seen: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def listen() -> None:
            while True:
                try:
                    caller, _ = listener.accept()
                except OSError:
                    return
                with caller:
                    seen.append(caller.recv(65_536))

        threading.Thread(target=listen, daemon=True).start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, address)
            monkeypatch.setenv(name.lower(), address)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        yield seen
        listener.shutdown(socket.SHUT_RDWR)


def test_a_proxy_does_not_see_what_goes_to_this_machine(
    make_order: MakeOrder, service: MusicService, purse: Purse, tmp_path: Path, proxy: list[bytes]
) -> None:
    """In the clear, with the key in it."""
    compose("elevenlabs", make_order(), folder=tmp_path, purse=purse)
    assert service.purchases == 1
    assert proxy == []
