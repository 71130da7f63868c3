"""What goes over the wire is what the vendor's own SDK sends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from elevenlabs import ElevenLabs

from scorebed.errors import SettingsError
from scorebed.model import Order, Purse
from scorebed.providers.elevenlabs.text import ElevenLabsTextProvider
from scorebed.providers.elevenlabs.video import FORMATS, MODELS
from scorebed.stages.compose import compose
from scorebed.testing import MusicService

if TYPE_CHECKING:
    from scorebed.testing.music_service import Received

MakeOrder = Callable[..., Order]
SAME_HEADERS = ("xi-api-key", "accept", "accept-encoding", "host", "content-length", "connection")
"""Headers that matter; the vendor's also name its SDK and its release."""


def ours(order: Order, purse: Purse, folder: Path, service: MusicService) -> Received:
    folder.mkdir(exist_ok=True)
    compose("elevenlabs", order, folder=folder, purse=purse)
    return service.requests[-1]


def theirs(order: Order, service: MusicService, sent: Received, **fields: Any) -> Received:
    """The same through the SDK."""
    files: list[Any] = [
        (f"scene-{number:02d}.mp4", reel.proxy.path.read_bytes(), "video/mp4")
        for number, reel in enumerate(order.reels.reels, start=1)
        if reel.proxy
    ]
    with httpx.Client() as http:
        client = ElevenLabs(api_key=service.key, base_url=service.url, httpx_client=http)
        answer = client.music.video_to_music(
            videos=files,
            description=dict(sent.fields)["description"],
            tags=[value for name, value in sent.fields if name == "tags"],
            request_options={"max_retries": 0},
            **fields,
        )
        assert b"".join(answer)
    return service.requests[-1]


def check_same(one: Received, other: Received) -> None:
    assert (one.method, one.path, one.query) == (other.method, other.path, other.query)
    assert one.part_names == other.part_names
    assert one.fields == other.fields
    assert one.files == other.files
    for name in SAME_HEADERS:
        if name == "content-length":
            # The boundary between the parts is drawn by lot, but always of one length.
            assert one.header(name) == other.header(name)
        else:
            assert one.header(name) == other.header(name), name
    kinds = [str(request.header("content-type")).partition(";")[0] for request in (one, other)]
    assert kinds == ["multipart/form-data"] * 2


@pytest.mark.parametrize(
    ("settings", "fields"),
    [
        ({}, {}),
        ({"sfx": True}, {"add_sfx": True}),
        ({"separate_tracks": True}, {"separate_tracks": True}),
        ({"c2pa": True}, {"sign_with_c_2_pa": True}),
        ({"zero_retention": True}, {"enable_logging": False}),
        (
            {"sfx": True, "separate_tracks": True, "c2pa": True, "zero_retention": True},
            {
                "add_sfx": True,
                "separate_tracks": True,
                "sign_with_c_2_pa": True,
                "enable_logging": False,
            },
        ),
        ({"prompt": "Wärme, „ganz leise“ — 音楽\nzweite Zeile"}, {}),
        ({"tags": ("a b", "ü", "x,y")}, {}),
        *(({"model": model}, {}) for model in MODELS),
        *(({"output_format": name}, {}) for name in FORMATS),
        *(({"quality": quality}, {}) for quality in ("draft", "high")),
    ],
)
def test_the_sdk_sends_the_same(
    settings: dict[str, Any],
    fields: dict[str, Any],
    make_order: MakeOrder,
    purse: Purse,
    service: MusicService,
    tmp_path: Path,
) -> None:
    order = make_order(**settings)
    sent = ours(order, purse, tmp_path / "take", service)
    assert [file.part_name for file in sent.files] == ["videos"] * 3
    told = dict(sent.fields)
    fields = fields | {
        "model_id": told["model_id"],
        "output_format": dict(sent.query)["output_format"],
    }
    if "model" in settings:
        assert told["model_id"] == settings["model"]
    if "output_format" in settings:
        assert fields["output_format"] == settings["output_format"]
    check_same(sent, theirs(order, service, sent, **fields))


def test_a_reference_is_announced_as_the_sdk_does(
    make_order: MakeOrder, purse: Purse, service: MusicService, tmp_path: Path, make_media: Any
) -> None:
    """The proxies carry sound and the field says so."""
    from dataclasses import replace  # noqa: PLC0415

    from scorebed.model import Artifact  # noqa: PLC0415
    from scorebed.wav import sha256_of  # noqa: PLC0415

    order = make_order(reference_audio=True)
    loud = []
    for number, reel in enumerate(order.reels.reels):
        assert reel.proxy
        path = make_media(
            f"loud{number}.mp4",
            *("-i", reel.proxy.path, "-f", "lavfi", "-i", "sine=frequency=440"),
            *("-c:v", "copy", "-c:a", "aac", "-shortest"),
        )
        loud.append(replace(reel, proxy=Artifact(path=path, sha256=sha256_of(path)), audio=True))
    order = replace(order, reels=replace(order.reels, reels=tuple(loud)))
    sent = ours(order, purse, tmp_path / "take", service)
    assert all(file.audio for file in sent.files)
    assert dict(sent.fields)["use_audio_as_reference"] == "true"
    fields: dict[str, Any] = {
        "use_audio_as_reference": True,
        "model_id": dict(sent.fields)["model_id"],
        "output_format": dict(sent.query)["output_format"],
    }
    check_same(sent, theirs(order, service, sent, **fields))


def test_the_brief_form_has_its_own_fields(
    make_order: MakeOrder, purse: Purse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with MusicService(form="brief") as gateway:
        monkeypatch.setenv("ELEVENLABS_API_KEY", gateway.key)
        order = make_order(api_form="brief", seed=77, guidance=0.25, loudness=-0.5, quality="high")
        assert order.service
        from dataclasses import replace  # noqa: PLC0415

        order = replace(order, service=replace(order.service, base_url=gateway.url))
        sent = ours(order, purse, tmp_path / "take", gateway)
    told = dict(sent.fields)
    assert list(told) == [
        "prompt",
        "duration_seconds",
        "seed",
        "loudness",
        "quality",
        "guidance_scale",
    ]
    assert told["prompt"].startswith("warm, no drums")
    assert "folk" in told["prompt"]
    assert (float(told["duration_seconds"]), told["seed"]) == (8.0, "77")
    assert (told["loudness"], told["quality"], told["guidance_scale"]) == ("-0.5", "high", "0.25")
    assert [file.part_name for file in sent.files] == ["video"] * 3
    assert sent.query == ()


@pytest.mark.parametrize(
    "field",
    [
        {"sfx": True},
        {"separate_tracks": True},
        {"reference_audio": True},
        {"c2pa": True},
        {"zero_retention": True},
        {"model": "music_v2"},
        {"output_format": "mp3_44100_128"},
    ],
)
def test_what_the_brief_form_has_no_place_for_is_refused(
    field: dict[str, Any],
    make_order: MakeOrder,
    purse: Purse,
    service: MusicService,
    tmp_path: Path,
) -> None:
    with pytest.raises(SettingsError, match="no place in --api-form brief"):
        compose("elevenlabs", make_order(api_form="brief", **field), folder=tmp_path, purse=purse)
    assert not service.requests


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ({"model": "music_v9"}, "--model 'music_v9'"),
        ({"output_format": "mp3_1_1"}, "--output-format 'mp3_1_1'"),
        ({"c2pa": True, "output_format": "pcm_48000"}, "--c2pa signs mp3 only"),
        ({"tags": tuple("abcdefghijk")}, "11 tags"),
        ({"refine_plan": True}, "--refine-plan"),
    ],
)
def test_what_the_service_would_refuse_is_refused_here(
    field: dict[str, Any],
    told: str,
    make_order: MakeOrder,
    purse: Purse,
    service: MusicService,
    tmp_path: Path,
) -> None:
    with pytest.raises(SettingsError, match=told):
        compose("elevenlabs", make_order(**field), folder=tmp_path, purse=purse)
    assert not service.requests


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("refine", [False, True])
def test_text_to_music_sends_a_plan_and_its_seed(
    model: str,
    refine: bool,  # noqa: FBT001 - a parameter of the test
    make_order: MakeOrder,
    purse: Purse,
    service: MusicService,
    tmp_path: Path,
) -> None:
    order = make_order(
        provider=ElevenLabsTextProvider(), model=model, seed=9, refine_plan=refine, c2pa=True
    )
    take = compose("elevenlabs-text", order, folder=tmp_path, purse=purse)
    assert service.purchases == 1
    assert [request.path for request in service.requests] == (
        ["/v1/music/plan"] if refine else []
    ) + ["/v1/music"]
    sent = service.requests[-1].json
    assert (sent["seed"], sent["model_id"], sent["sign_with_c2pa"]) == (9, model, True)
    plan = sent["composition_plan"]
    sections = plan["sections"] if model == "music_v1" else plan["chunks"]
    # The scene of 2 s is under the service's least: it has joined a neighbour.
    assert sum(section["duration_ms"] for section in sections) == 8000
    assert all(section["duration_ms"] >= 3000 for section in sections)
    assert take.pieces[0].range.duration_s == 8
    assert take.uploads == ()


@pytest.mark.parametrize("flag", ["sfx", "separate_tracks", "reference_audio"])
def test_text_to_music_refuses_what_needs_the_picture(
    flag: str, make_order: MakeOrder, purse: Purse, service: MusicService, tmp_path: Path
) -> None:
    order = make_order(provider=ElevenLabsTextProvider(), **{flag: True})
    with pytest.raises(SettingsError, match="no place in text to music"):
        compose("elevenlabs-text", order, folder=tmp_path, purse=purse)
    assert not service.requests
