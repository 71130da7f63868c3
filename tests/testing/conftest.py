"""A client that knows nothing of the product, and small films to send."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import httpx
import numpy as np
import pytest
from elevenlabs import ElevenLabs

from scorebed.testing import MusicService

if TYPE_CHECKING:
    from numpy.typing import NDArray

KEY = "test-key-3f9a"
VIDEO = "/v1/music/video-to-music"


@pytest.fixture(scope="session")
def films(make_media: Callable[..., Path]) -> list[Path]:
    """Two silent films of 3 s and 2.4 s, and one of 1 s with sound."""
    look = ("-f", "lavfi", "-i")
    code = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
    return [
        make_media("a.mp4", *look, "testsrc2=size=160x90:rate=25:duration=3", *code),
        make_media("b.mp4", *look, "testsrc=size=192x108:rate=10:duration=2.4", *code),
        make_media(
            "c.mp4",
            *(*look, "testsrc2=size=160x90:rate=25:duration=1", *look, "sine=duration=1"),
            *(*code, "-c:a", "aac"),
        ),
    ]


@pytest.fixture
def service() -> Iterator[MusicService]:
    with MusicService(key=KEY) as running:
        yield running


@pytest.fixture
def official(service: MusicService) -> Iterator[ElevenLabs]:
    """The vendor's own client, which leaves its connections to whoever gave it them."""
    with httpx.Client(timeout=60) as http:
        yield ElevenLabs(api_key=KEY, base_url=service.url, httpx_client=http)


@pytest.fixture
def ask(films: list[Path]) -> Callable[..., httpx.Response]:
    """Sends films as a request in the current form, unless told otherwise."""

    def send(
        service: MusicService,
        *,
        send: list[Path] | None = None,
        fields: dict[str, Any] | None = None,
        part: str = "videos",
        key: str = KEY,
        timeout_s: float = 30,
        **query: str,
    ) -> httpx.Response:
        chosen = films[:2] if send is None else send
        return httpx.post(
            service.url + VIDEO,
            headers={"xi-api-key": key},
            params=query,
            data=fields or {},
            files=[(part, (path.name, path.read_bytes(), "video/mp4")) for path in chosen],
            timeout=timeout_s,
        )

    return send


@pytest.fixture
def decoded(tmp_path: Path) -> Callable[..., tuple[NDArray[np.float32], int]]:
    """Samples of shape (samples, channels) and rate in hertz, as libav decodes an answer."""

    def decode(content: bytes, **raw: str) -> tuple[NDArray[np.float32], int]:
        path = tmp_path / "answer"
        path.write_bytes(content)
        asked: dict[str, Any] = {}
        if raw:
            options = {"ar": raw["rate"], "ch_layout": raw["layout"]}
            asked = {"format": raw["format"], "options": options}
        with av.open(str(path), **asked) as container:
            packed = av.AudioResampler(format="flt")
            blocks = [
                part.to_ndarray().reshape(-1, part.layout.nb_channels)
                for frame in container.decode(audio=0)
                for part in packed.resample(frame)
            ]
            rate_hz = container.streams.audio[0].rate
        path.unlink()
        return np.concatenate(blocks), rate_hz

    return decode
