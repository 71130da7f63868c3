"""The test server does what it says: requests are checked, music is music, faults are faults."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import httpx
import numpy as np
import pyloudnorm
import pytest
from elevenlabs.music.types import MusicComposeRequestOutputFormat
from elevenlabs.types import AllowedOutputFormats

from scorebed.testing import MusicService
from scorebed.testing.service_answers import _SPECIAL
from scorebed.testing.service_archives import BOMB_BYTES, MANY
from scorebed.testing.service_behaviours import BEHAVIOURS, Behaviour
from scorebed.testing.service_checks import COMPOSE_FORMATS, FORMATS
from scorebed.testing.service_faults import _BILLED, _FREE
from scorebed.testing.service_music import extension, in_key, key_of, make_music, pattern

if TYPE_CHECKING:
    from elevenlabs import ElevenLabs

KEY = "test-key-3f9a"
VIDEO = "/v1/music/video-to-music"
Ask = Callable[..., httpx.Response]
Decoded = Callable[..., Any]
LENGTH_S = 5.4
"""Of the two films that are sent by default."""


def _problem(answer: httpx.Response) -> dict[str, Any]:
    found: dict[str, Any] = answer.json()["detail"]
    assert set(found) >= {"type", "code", "message", "status", "request_id", "param"}
    assert found["request_id"] == answer.headers["request-id"]
    return found


def _loc(answer: httpx.Response) -> list[Any]:
    assert answer.status_code == 422
    (found,) = answer.json()["detail"]
    assert set(found) == {"loc", "msg", "type"}
    return list(found["loc"])


# --- what it received --------------------------------------------------------------------------


def test_a_full_request_of_the_official_client_is_taken(
    service: MusicService, official: ElevenLabs, films: list[Path], decoded: Decoded
) -> None:
    sent = [(path.name, path.read_bytes(), "video/mp4") for path in films]
    music = b"".join(
        official.music.video_to_music(
            videos=sent,
            output_format="mp3_44100_96",
            enable_logging=False,
            description="Hope, at dawn, mit Umlaut: ä",
            tags=["upbeat", "cinematic"],
            model_id="music_v2",
            add_sfx=True,
            separate_tracks=False,
            use_audio_as_reference=True,
            sign_with_c_2_pa=True,
        )
    )
    samples, rate_hz = decoded(music)
    assert (rate_hz, samples.shape) == (44_100, (round(6.4 * 44_100), 2))
    (seen,) = service.requests
    assert seen.status == 200
    assert seen.purchase
    assert service.purchases == service.most_in_flight == 1
    assert service.last_answer == music
    assert seen.query == (("output_format", "mp3_44100_96"), ("enable_logging", "false"))
    assert seen.header("XI-API-KEY") == KEY
    assert dict(seen.fields) == {
        "description": "Hope, at dawn, mit Umlaut: ä",
        "tags": "cinematic",
        "model_id": "music_v2",
        "add_sfx": "true",
        "separate_tracks": "false",
        "use_audio_as_reference": "true",
        "sign_with_c2pa": "true",
    }
    assert seen.part_names.count("tags") == 2
    assert seen.part_names[-3:] == ("videos",) * 3
    assert [file.filename for file in seen.files] == ["a.mp4", "b.mp4", "c.mp4"]
    for file, path in zip(seen.files, films, strict=True):
        assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert file.size_bytes == path.stat().st_size
    assert [file.frames for file in seen.files] == [75, 24, 25]
    assert [file.duration_s for file in seen.files] == pytest.approx([3.0, 2.4, 1.0])
    assert [(file.width_px, file.height_px) for file in seen.files] == [
        (160, 90),
        (192, 108),
        (160, 90),
    ]
    assert [file.audio for file in seen.files] == [False, False, True]


def test_a_chunked_body_is_read_and_a_connection_is_kept(
    service: MusicService, films: list[Path]
) -> None:
    film = films[0].read_bytes()
    head = b'--b\r\nContent-Disposition: form-data; name="videos"; filename="x%22y.mp4"\r\n\r\n'
    body = head + film + b"\r\n--b--\r\n"
    with httpx.Client(headers={"xi-api-key": KEY}) as client:
        for size in (7, 1000):
            pieces = (body[at : at + size] for at in range(0, len(body), size))
            answer = client.post(
                service.url + VIDEO,
                content=pieces,
                headers={"Content-Type": "multipart/form-data; boundary=b"},
                timeout=30,
            )
            assert answer.status_code == 200, answer.text
    for seen in service.requests:
        assert seen.header("Transfer-Encoding") == "chunked"
        assert seen.files[0].filename == 'x"y.mp4'
        assert seen.files[0].sha256 == hashlib.sha256(film).hexdigest()


def test_the_brief_form(service: MusicService, ask: Ask, decoded: Decoded) -> None:
    with MusicService(key=KEY, form="brief") as brief:
        fields = {
            "prompt": "Calm",
            "duration_seconds": "4.25",
            "seed": "42",
            "loudness": "-0.5",
            "quality": "high",
            "guidance_scale": "3",
        }
        answer = ask(brief, part="video", fields=fields)
        assert answer.status_code == 200, answer.text
        assert answer.headers["seed"] == "42"
        assert len(decoded(answer.content)[0]) == round(4.25 * 44_100)
        assert _loc(ask(brief, fields=fields)) == ["body", "videos"]
        for name, bad in (
            ("loudness", "1.1"),
            ("seed", "1.5"),
            ("duration_seconds", "601"),
            ("description", "x"),
        ):
            assert _loc(ask(brief, part="video", fields={name: bad})) == ["body", name]
    assert _loc(ask(service, fields=fields)) == ["body", "prompt"]


# --- what it refuses ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "loc"),
    [
        ({"part": "videos[]"}, ["body", "videos[]"]),
        ({"send": []}, ["body"]),
        ({"fields": {"description": "x" * 4101}}, ["body", "description"]),
        ({"fields": {"tags": ["x"] * 11}}, ["body", "tags"]),
        ({"fields": {"mood": "x"}}, ["body", "mood"]),
        ({"fields": {"model_id": "music_v3"}}, ["body", "model_id"]),
        ({"fields": {"model_id": ["music_v1", "music_v2"]}}, ["body", "model_id"]),
        ({"fields": {"add_sfx": "True"}}, ["body", "add_sfx"]),
        ({"output_format": "mp3_48000_320"}, ["query", "output_format"]),
        ({"enable_logging": "0"}, ["query", "enable_logging"]),
        ({"seed": "1"}, ["query", "seed"]),
        (
            {"fields": {"sign_with_c2pa": "true"}, "output_format": "pcm_48000"},
            ["body", "sign_with_c2pa"],
        ),
    ],
)
def test_a_wrong_field_is_refused(
    service: MusicService, ask: Ask, how: dict[str, Any], loc: list[str]
) -> None:
    assert _loc(ask(service, **how)) == loc
    assert service.purchases == 0
    assert service.requests[0].status == 422


def test_limits_in_files_seconds_and_bytes(
    service: MusicService,
    ask: Ask,
    films: list[Path],
    make_media: Callable[..., Path],
    tmp_path: Path,
) -> None:
    assert _loc(ask(service, send=[films[2]] * 11)) == ["body", "videos"]
    look = ("-f", "lavfi", "-i", "color=size=32x32:rate=1:duration=301")
    long = make_media("long.mp4", *look, "-c:v", "libx264", "-preset", "ultrafast")
    too_long = ask(service, send=[long, long])
    assert too_long.status_code == 422
    assert _problem(too_long)["code"] == "video_too_long"
    assert "600 s" in _problem(too_long)["message"]
    heavy = tmp_path / "heavy.mp4"
    heavy.write_bytes(films[0].read_bytes() + bytes(100_000_000))
    too_large = ask(service, send=[heavy, heavy])
    assert too_large.status_code == 413
    assert "200 MB" in _problem(too_large)["message"]
    assert service.purchases == 0


def test_files_that_cannot_be_decoded_are_refused(
    service: MusicService,
    ask: Ask,
    films: list[Path],
    make_media: Callable[..., Path],
    tmp_path: Path,
) -> None:
    noise = tmp_path / "noise.mp4"
    noise.write_bytes(np.random.default_rng(1).bytes(20_000))
    cut = tmp_path / "cut.mp4"
    moved = make_media("front.mp4", "-i", films[0], "-c", "copy", "-movflags", "+faststart")
    cut.write_bytes(moved.read_bytes()[: moved.stat().st_size // 2])
    sound = make_media("sound.m4a", "-f", "lavfi", "-i", "sine=duration=1")
    for bad in (noise, cut, sound):
        answer = ask(service, send=[films[0], bad])
        assert answer.status_code == 422
        assert _problem(answer)["code"] == "invalid_video"
        assert f"Video 2 ({bad.name})" in _problem(answer)["message"]
        assert service.requests[-1].files[1].problem
    assert service.purchases == 0


def test_wrong_keys_places_and_methods(service: MusicService, ask: Ask) -> None:
    assert _problem(ask(service, key="other"))["code"] == "invalid_api_key"
    assert httpx.post(service.url + "/v1/song").status_code == 404
    assert httpx.get(service.url + VIDEO).status_code == 405
    malformed = httpx.post(
        service.url + VIDEO,
        content=b"--b\r\nno end",
        headers={"Content-Type": "multipart/form-data; boundary=b", "xi-api-key": KEY},
    )
    assert _problem(malformed)["code"] == "malformed_body"
    assert [seen.status for seen in service.requests] == [401, 404, 405, 400]
    assert service.purchases == 0


def test_one_too_many_at_a_time(ask: Ask) -> None:
    with MusicService(
        key=KEY, at_once=2, work_s=lambda number: 2.0 if number < 3 else 0
    ) as service:
        answers: list[httpx.Response] = []
        two = [threading.Thread(target=lambda: answers.append(ask(service))) for _ in range(2)]
        for thread in two:
            thread.start()
        until = time.monotonic() + 20
        while service.in_flight < 2 and time.monotonic() < until:
            time.sleep(0.01)
        third = ask(service)
        for thread in two:
            thread.join()
        assert [answer.status_code for answer in answers] == [200, 200]
        assert third.status_code == 429
        assert _problem(third)["code"] == "too_many_concurrent_requests"
        assert third.headers["current-concurrent-requests"] == "2"
        assert third.headers["maximum-concurrent-requests"] == "2"
        assert (service.most_in_flight, service.purchases, service.in_flight) == (2, 2, 0)
        assert all(answer.headers["maximum-concurrent-requests"] == "2" for answer in answers)


def test_one_after_another_there_is_always_room(ask: Ask, films: list[Path]) -> None:
    with MusicService(key=KEY, at_once=1) as service:
        for _ in range(8):
            assert ask(service, send=[films[2]]).status_code == 200
        assert service.most_in_flight == 1


# --- its music ---------------------------------------------------------------------------------


@pytest.mark.parametrize("output_format", [name for name in COMPOSE_FORMATS if name != "auto"])
def test_music_in_every_format(output_format: str, tmp_path: Path, decoded: Decoded) -> None:
    codec, rate, *_ = output_format.split("_")
    raw = {"pcm": "s16le", "ulaw": "mulaw", "alaw": "alaw"}.get(codec)
    how = {"format": raw, "rate": rate, "layout": "stereo" if codec == "pcm" else "mono"}
    for length_s in (3.3, 47.123) if codec == "mp3" else (3.3,):
        path = tmp_path / f"music.{extension(output_format)}"
        make_music(path, output_format=output_format, length_s=length_s, fingerprint="5a" * 32)
        samples, rate_hz = decoded(path.read_bytes(), **(how if raw else {}))
        assert rate_hz == int(rate)
        assert len(samples) == round(length_s * rate_hz)
        loud = np.abs(samples).max(axis=1) > 0.1
        assert np.argmax(loud) < 0.004 * rate_hz
        expected_lufs = -16 if codec in {"mp3", "pcm", "opus"} else -19
        heard_lufs = pyloudnorm.Meter(rate_hz).integrated_loudness(samples.astype(float))
        assert heard_lufs == pytest.approx(expected_lufs, abs=0.7)
    assert list(tmp_path.iterdir()) == [path]


def test_ten_minutes_are_made_at_once_and_do_not_change(tmp_path: Path, decoded: Decoded) -> None:
    made = [tmp_path / "one.mp3", tmp_path / "two.mp3"]
    for path in made:
        make_music(path, output_format="mp3_44100_128", length_s=600, fingerprint="77" * 32)
    before = os.times()
    make_music(made[1], output_format="mp3_44100_128", length_s=600, fingerprint="77" * 32)
    # Processor time with that of ffmpeg: it does not depend on what else the machine does.
    assert sum(os.times()[:4]) - sum(before[:4]) < 2
    assert made[0].read_bytes() == made[1].read_bytes()
    samples, _ = decoded(made[0].read_bytes())
    assert len(samples) == 600 * 44_100
    period = 8 * 44_100
    whole = samples[: len(samples) // period * period].reshape(-1, period, 2)
    # Where frames are repeated there is no step: every pass through the pattern is the same music.
    error = whole[1:-1] - whole[1]
    assert np.sqrt(np.mean(error**2)) < 0.1 * np.sqrt(np.mean(whole[1] ** 2))


def test_there_is_an_attack_on_every_beat(tmp_path: Path, decoded: Decoded) -> None:
    path = make_music(
        tmp_path / "m.wav", output_format="wav_48000", length_s=20, fingerprint="c3" * 32
    )
    samples, rate_hz = decoded(path.read_bytes())
    bright = np.diff(samples[:, 0], n=2) ** 2
    size = rate_hz // 100
    energy = np.append(bright, [0, 0]).reshape(-1, size).sum(axis=1)
    beats = np.flatnonzero(energy > 0.3 * energy.max())
    assert sorted({int(at) // 50 for at in beats}) == list(range(40))
    assert {int(at) % 50 for at in beats} <= {0, 1}


def test_the_same_request_gives_the_same_music_and_another_other(
    service: MusicService, ask: Ask, films: list[Path]
) -> None:
    one = ask(service, fields={"description": "calm"}).content
    assert ask(service, fields={"description": "calm"}).content == one
    assert ask(service, fields={"description": "wild"}).content != one
    assert ask(service, fields={"description": "calm"}, send=films[1::-1]).content != one


def test_separate_tracks_come_as_a_zip(service: MusicService, ask: Ask, decoded: Decoded) -> None:
    answer = ask(service, fields={"separate_tracks": "true"}, output_format="mp3_44100_64")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as file:
        assert file.namelist() == ["music.mp3", "sfx.mp3"]
        for name in file.namelist():
            assert len(decoded(file.read(name))[0]) == round(LENGTH_S * 44_100)


# --- misbehaviour ------------------------------------------------------------------------------

STATUS: dict[Behaviour, tuple[int, str, bool]] = {
    "400-bad-prompt": (400, "bad_prompt", False),
    "401-invalid-key": (401, "invalid_api_key", False),
    "401-missing-permissions": (401, "missing_permissions", False),
    "401-quota": (401, "quota_exceeded", False),
    "402": (402, "payment_required", False),
    "403": (403, "feature_unavailable", False),
    "404": (404, "not_found", False),
    "408": (408, "request_timeout", False),
    "409": (409, "conflict", False),
    "413": (413, "request_too_large", False),
    "422-detail": (422, "invalid_parameters", False),
    "429-concurrent": (429, "too_many_concurrent_requests", False),
    "429-concurrent-limit": (429, "concurrent_limit_exceeded", False),
    "429-busy": (429, "system_busy", False),
    "429-retry-after-seconds": (429, "system_busy", False),
    "429-retry-after-date": (429, "system_busy", False),
    "429-retry-after-ms": (429, "system_busy", False),
    "429-reset": (429, "system_busy", False),
    "500": (500, "internal_server_error", True),
    "503": (503, "service_unavailable", False),
    "503-retry-after": (503, "service_unavailable", False),
    "503-internal": (503, "internal_error", True),
    "504": (504, "gateway_timeout", True),
    "echo-key": (422, "unprocessable", False),
    "early-413": (413, "request_too_large", False),
}


@pytest.mark.parametrize("name", STATUS)
def test_a_status_comes_once_and_says_why(
    service: MusicService, ask: Ask, films: list[Path], name: Behaviour
) -> None:
    status, code, billed = STATUS[name]
    service.will(name)
    answer = ask(service)
    assert answer.status_code == status
    assert _problem(answer)["code"] == code
    assert service.purchases == billed
    assert (service.requests[0].status, service.requests[0].behaviour) == (status, name)
    assert ask(service, send=films[2:]).status_code == 200
    assert service.purchases == billed + 1


def test_what_the_headers_and_bodies_of_refusals_say(service: MusicService, ask: Ask) -> None:
    def met(name: str) -> httpx.Response:
        service.will(name)
        return ask(service)

    assert _problem(met("400-bad-prompt"))["data"]["prompt_suggestion"]
    assert met("429-concurrent").headers["maximum-concurrent-requests"] == "2"
    assert met("429-retry-after-seconds").headers["Retry-After"] == "1"
    assert met("503-retry-after").headers["Retry-After"] == "1"
    assert met("429-retry-after-ms").headers["retry-after-ms"] == "300"
    now = datetime.now(UTC).timestamp()
    at = parsedate_to_datetime(met("429-retry-after-date").headers["Retry-After"]).timestamp()
    assert now < at < now + 30
    assert now < int(met("429-reset").headers["X-RateLimit-Reset"]) < now + 30
    assert "Retry-After" not in met("429-busy").headers
    assert _loc(met("422-list")) == ["body", "description"]
    assert KEY in met("echo-key").text
    for name, code in (
        ("401-old-form", "invalid_api_key"),
        ("429-old-form", "too_many_concurrent_requests"),
    ):
        said = met(name).json()["detail"]
        assert (set(said), said["status"]) == ({"status", "message"}, code)
    assert service.purchases == 0
    assert set(met("500-old-form").json()["detail"]) == {"status", "message"}
    page = met("502-html")
    assert (page.status_code, page.headers["content-type"]) == (502, "text/html")
    assert service.purchases == 2


def test_a_redirect_leads_to_a_listener_that_remembers(service: MusicService, ask: Ask) -> None:
    service.will("redirect", "redirect")
    answer = ask(service)
    assert answer.status_code == 307
    assert not service.stolen
    there = answer.headers["Location"]
    assert there.endswith(VIDEO)
    assert not there.startswith(service.url)
    httpx.post(there, headers={"xi-api-key": KEY})
    assert ("xi-api-key", KEY) in service.stolen[0]
    assert service.purchases == 0


@pytest.mark.parametrize(
    ("name", "billed"), [("hang-before-body", 0), ("hang-after-body", 1), ("hang-mid-answer", 1)]
)
def test_a_hang_lasts_until_the_client_goes(
    service: MusicService, ask: Ask, name: str, billed: int
) -> None:
    service.will(name)
    with pytest.raises(httpx.ReadTimeout):
        ask(service, timeout_s=3)
    assert service.purchases == billed
    until = time.monotonic() + 10
    while service.in_flight and time.monotonic() < until:
        time.sleep(0.02)
    assert service.in_flight == 0


@pytest.mark.parametrize("name", ["hang-before-body", "hang-after-body", "hang-mid-answer"])
def test_closing_ends_a_hang_and_leaves_no_thread(ask: Ask, name: str) -> None:
    before = set(threading.enumerate())
    failed: list[Exception] = []

    def wait() -> None:
        try:
            ask(service)
        except httpx.HTTPError as error:
            failed.append(error)

    with MusicService(key=KEY) as service:
        service.will(name)
        client = threading.Thread(target=wait)
        client.start()
        until = time.monotonic() + 10
        while time.monotonic() < until and not (
            service.requests and (name == "hang-before-body" or service.purchases)
        ):
            time.sleep(0.02)
        began_s = time.monotonic()
    assert time.monotonic() - began_s < 20
    client.join(5)
    assert failed
    assert set(threading.enumerate()) <= before


def _read_all(service: MusicService, body: bytes) -> tuple[int, bytes]:
    """Bytes sent before the connection failed, and all that came back, on a bare socket."""
    port = int(service.url.rpartition(":")[2])
    head = (
        f"POST {VIDEO} HTTP/1.1\r\nHost: x\r\nxi-api-key: {KEY}\r\nContent-Length: {len(body)}\r\n"
    )
    head += "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
    came, sent = b"", 0
    with socket.create_connection(("127.0.0.1", port), timeout=30) as wire:
        wire.sendall(head.encode())
        try:
            while sent < len(body):
                sent += wire.send(body[sent : sent + 65_536])
            while piece := wire.recv(65_536):
                came += piece
        except ConnectionResetError:
            return sent, came + b"RESET"
        except BrokenPipeError:
            return sent, came + b"PIPE"
    return sent, came


def _body(*videos: bytes) -> bytes:
    head = b'--b\r\nContent-Disposition: form-data; name="videos"; filename="a.mp4"\r\n\r\n'
    return b"".join(head + video + b"\r\n" for video in videos) + b"--b--\r\n"


def test_resets(service: MusicService, films: list[Path]) -> None:
    film = films[0].read_bytes()
    service.will("reset-mid-upload", "reset-after-body", "reset-mid-answer", "short-answer")
    large = _body(film + bytes(50_000_000))
    sent, came = _read_all(service, large)
    assert sent < len(large)
    assert came in {b"RESET", b"PIPE"}
    assert service.purchases == 0
    assert _read_all(service, _body(film)) == (len(_body(film)), b"RESET")
    assert service.purchases == 1
    assert service.requests[1].status is None
    _, came = _read_all(service, _body(film))
    assert came.startswith(b"HTTP/1.1 200")
    assert came.endswith(b"RESET")
    assert 0 < len(came) < 40_000
    _, came = _read_all(service, _body(film))
    head, _, content = came.partition(b"\r\n\r\n")
    said = int(message_from_bytes(head.partition(b"\r\n")[2])["Content-Length"])
    assert 0 < len(content) < said
    assert service.purchases == 3
    assert service.last_answer == b""


def test_an_early_answer_comes_before_the_body_is_read(
    service: MusicService, films: list[Path]
) -> None:
    service.will("early-413")
    large = _body(films[0].read_bytes() + bytes(50_000_000))
    sent, _ = _read_all(service, large)
    assert sent < len(large)
    assert service.requests[0].status == 413
    assert service.requests[0].files == ()


def test_a_slow_drip_is_whole_and_slow(service: MusicService, ask: Ask) -> None:
    good = ask(service)
    service.will("slow-drip")
    began_s = time.monotonic()
    assert ask(service).content == good.content
    assert time.monotonic() - began_s > 2.8


def test_down_refuses_connections_and_up_takes_them_again(
    service: MusicService, ask: Ask, films: list[Path]
) -> None:
    with httpx.Client() as kept:
        kept.get(service.url)
        service.down()
        with pytest.raises(httpx.ConnectError):
            ask(service, send=films[2:])
        with pytest.raises(httpx.TransportError):
            kept.get(service.url)
    service.up()
    assert ask(service, send=films[2:]).status_code == 200


def test_an_endless_answer_goes_on(service: MusicService, films: list[Path]) -> None:
    service.will("endless")
    upload = {"videos": ("a.mp4", films[0].read_bytes())}
    url, key = service.url + VIDEO, {"xi-api-key": KEY}
    with httpx.stream("POST", url, files=upload, headers=key, timeout=30) as answer:
        came = 0
        for piece in answer.iter_bytes():
            came += len(piece)
            if came > 20_000_000:
                break
    assert came > 20_000_000
    assert service.purchases == 1


@pytest.mark.parametrize(
    ("name", "length_s", "channels"),
    [
        ("truncated-mp3", 0.4 * LENGTH_S, 2),
        ("short-30", 0.7 * LENGTH_S, 2),
        ("length-20", LENGTH_S + 20, 2),
        ("mono-pcm", LENGTH_S, 1),
        ("wav", LENGTH_S, 2),
        ("wrong-content-type", LENGTH_S, 2),
    ],
)
def test_music_that_is_not_as_it_should_be(
    service: MusicService, ask: Ask, decoded: Decoded, name: str, length_s: float, channels: int
) -> None:
    service.will(name)
    answer = ask(service, output_format="pcm_48000" if name == "mono-pcm" else "mp3_44100_64")
    assert answer.status_code == 200
    raw = {"format": "s16le", "rate": "48000", "layout": "mono"} if name == "mono-pcm" else {}
    samples, rate_hz = decoded(answer.content, **raw)
    assert samples.shape[1] == channels
    assert len(samples) / rate_hz == pytest.approx(length_s, abs=0.15)
    if name == "mono-pcm":
        assert len(answer.content) == 2 * round(LENGTH_S * 48_000)
    if name == "wrong-content-type":
        assert answer.headers["content-type"] == "text/plain"
    if name == "wav":
        assert answer.content[:4] == b"RIFF"
    assert service.purchases == 1


def test_archives(service: MusicService, ask: Ask, decoded: Decoded) -> None:
    def opened(name: str) -> zipfile.ZipFile:
        service.will(name)
        answer = ask(service)
        assert len(answer.content) < 20_000_000
        return zipfile.ZipFile(io.BytesIO(answer.content))

    assert opened("zip-tracks").testzip() is None
    segments = opened("zip-segments")
    lengths = [len(decoded(segments.read(name))[0]) for name in segments.namelist()]
    assert lengths == [3 * 44_100, round(2.4 * 44_100)]
    assert opened("zip-bad-member").testzip() == "music.mp3"
    assert opened("zip-climb").namelist() == ["../../evil.mp3"]
    assert len(opened("zip-many").namelist()) == MANY
    bomb = opened("zip-bomb")
    assert bomb.infolist()[0].file_size == BOMB_BYTES
    with bomb.open("music.mp3") as member:
        assert member.read(1 << 24) == bytes(1 << 24)
    assert opened("zip-bomb-hidden").infolist()[0].file_size < 2_000_000


@pytest.mark.slow
def test_the_bomb_is_as_large_as_it_says(service: MusicService, ask: Ask) -> None:
    service.will("zip-bomb")
    with (
        zipfile.ZipFile(io.BytesIO(ask(service).content)) as file,
        file.open("music.mp3") as member,
    ):
        total = 0
        while piece := member.read(1 << 24):
            total += len(piece)
    assert total == BOMB_BYTES


def test_multipart_answers(service: MusicService, ask: Ask, decoded: Decoded) -> None:
    for name, count in (("multipart-mixed", 1), ("multipart-segments", 2)):
        service.will(name)
        answer = ask(service, fields={"description": "x"})
        head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
        said, *pieces = message_from_bytes(head + answer.content).walk()
        assert said.is_multipart()
        described = pieces[0].get_payload(decode=True)
        assert isinstance(described, bytes)
        metadata = json.loads(described)
        assert metadata["duration_seconds"] == pytest.approx(LENGTH_S)
        assert metadata["parameters"]["description"] == "x"
        audio = [piece for piece in pieces if piece.get_content_type() == "audio/mpeg"]
        assert len(audio) == count


def test_json_answers(service: MusicService, ask: Ask, decoded: Decoded) -> None:
    service.will("json-audio", "json-segments", "json-bad-base64", "html-200", "empty-200")
    one = ask(service).json()
    music = base64.b64decode(one["audio_base64"], validate=True)
    assert len(decoded(music)[0]) == round(LENGTH_S * 44_100)
    segments = ask(service).json()["segments"]
    assert [part["start_seconds"] for part in segments] == pytest.approx([0, 3])
    lengths = [len(decoded(base64.b64decode(part["audio_base64"]))[0]) for part in segments]
    assert lengths == [3 * 44_100, round(2.4 * 44_100)]
    with pytest.raises(ValueError, match=r"base64|padding|alphabet"):
        base64.b64decode(ask(service).json()["audio_base64"], validate=True)
    page, nothing = ask(service), ask(service)
    assert page.headers["content-type"].startswith("text/html")
    assert page.content.startswith(b"<!doctype html>")
    assert (nothing.status_code, nothing.content) == (200, b"")
    assert service.purchases == 5


def test_every_behaviour_is_documented_and_done(service: MusicService) -> None:
    assert set(get_args(Behaviour)) == set(BEHAVIOURS)
    wire = {"ok", "early-413", "slow-drip", "short-answer", "endless"}
    wire |= {name for name in BEHAVIOURS if name.startswith(("hang-", "reset-"))}
    assert set(_FREE) | set(_BILLED) | set(_SPECIAL) | wire == set(BEHAVIOURS)
    for name, said in BEHAVIOURS.items():
        free = name in _FREE or name in {"early-413", "hang-before-body", "reset-mid-upload"}
        assert name == "ok" or said.endswith("; not a purchase" if free else "; a purchase")
    with pytest.raises(ValueError, match="no behaviour"):
        service.will("418")


# --- text to music -----------------------------------------------------------------------------


def _compose(service: MusicService, body: Any, path: str = "/v1/music") -> httpx.Response:
    return httpx.post(service.url + path, json=body, headers={"xi-api-key": KEY}, timeout=30)


def _chunk(length_ms: int = 3000, **more: Any) -> dict[str, Any]:
    return {"text": "[Intro]", "duration_ms": length_ms, "positive_styles": ["calm"], **more}


def test_the_official_client_composes(
    service: MusicService, official: ElevenLabs, decoded: Decoded
) -> None:
    music = b"".join(official.music.compose(prompt="calm piano", music_length_ms=4000))
    assert len(decoded(music)[0]) == 4 * 44_100
    plan = official.music.composition_plan.create(
        prompt="calm piano", music_length_ms=70_000, model_id="music_v2"
    )
    assert service.purchases == 1
    assert service.requests[-1].status == 200
    assert sum(chunk.duration_ms for chunk in plan.chunks) == 70_000
    music = b"".join(
        official.music.compose(
            composition_plan=plan,
            model_id="music_v2",
            seed=7,
            output_format="pcm_16000",
        )
    )
    assert len(music) == 4 * 70 * 16_000
    detailed = official.music.compose_detailed(prompt="calm", music_length_ms=3000)
    assert detailed.json["song_metadata"]["genres"] == ["test"]
    assert detailed.song_id
    # The official client leaves the last boundary in the audio.
    assert len(decoded(detailed.audio.rpartition(b"\r\n--")[0])[0]) == 3 * 44_100
    assert service.purchases == 3


def test_plans_in_both_forms(service: MusicService) -> None:
    for model, parts in (("music_v1", "sections"), ("music_v2_5", "chunks")):
        body = {"prompt": "calm piano", "music_length_ms": 9000, "model_id": model}
        plan = _compose(service, body, "/v1/music/plan").json()
        assert sum(part["duration_ms"] for part in plan[parts]) == 9000
        again = {**body, "prompt": "warm strings", "source_composition_plan": plan}
        refined = _compose(service, again, "/v1/music/plan").json()
        assert len(refined[parts]) == len(plan[parts])
        assert "strings" in json.dumps(refined)
        composed = _compose(service, {"composition_plan": plan, "model_id": model})
        assert composed.status_code == 200
        other = "music_v2" if model == "music_v1" else "music_v1"
        wrong = _compose(service, {"composition_plan": plan, "model_id": other})
        assert _loc(wrong) == ["body", "composition_plan"]
    service.will("503", of="plan")
    assert _compose(service, body, "/v1/music/plan").status_code == 503
    assert service.purchases == 2


V2 = {"model_id": "music_v2"}
PLAN = ["body", "composition_plan"]


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({}, ["body"]),
        ({"prompt": "x", "composition_plan": {"chunks": [_chunk()]}, **V2}, ["body"]),
        ({"prompt": "x", "seed": 1}, ["body", "seed"]),
        ({"prompt": "x", "music_length_ms": 2999}, ["body", "music_length_ms"]),
        ({"prompt": "x", "music_length_ms": 600_001}, ["body", "music_length_ms"]),
        ({"prompt": "x", "music_length_ms": 5000.5}, ["body", "music_length_ms"]),
        ({"prompt": "x", "mood": "y"}, ["body", "mood"]),
        ({"prompt": "x", "force_instrumental": "yes"}, ["body", "force_instrumental"]),
        ({"composition_plan": {"chunks": [_chunk()] * 31}, **V2}, [*PLAN, "chunks"]),
        (
            {"composition_plan": {"chunks": [_chunk(), _chunk(2999)]}, **V2},
            [*PLAN, "chunks", 1, "duration_ms"],
        ),
        (
            {"composition_plan": {"chunks": [_chunk(120_001)]}, **V2},
            [*PLAN, "chunks", 0, "duration_ms"],
        ),
        ({"composition_plan": {"chunks": [_chunk(110_000)] * 6}, **V2}, PLAN),
        (
            {"composition_plan": {"chunks": [_chunk(context_adherence="total")]}, **V2},
            [*PLAN, "chunks", 0, "context_adherence"],
        ),
        (
            {"composition_plan": {"chunks": [{"duration_ms": 3000}]}, **V2},
            [*PLAN, "chunks", 0, "text"],
        ),
    ],
)
def test_a_wrong_text_request_is_refused(
    service: MusicService, body: dict[str, Any], loc: list[Any]
) -> None:
    assert _loc(_compose(service, body)) == loc
    assert service.purchases == 0


# --- by hand -----------------------------------------------------------------------------------


def _started(tmp_path: Path, *args: str) -> tuple[subprocess.Popen[str], str]:
    running = subprocess.Popen(
        [sys.executable, "-m", "scorebed.testing.music_service", "--key", KEY, *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert running.stdout is not None
    return running, running.stdout.readline().strip()


def _ended(running: subprocess.Popen[str]) -> int:
    with running:
        return running.wait(10)


def test_the_command_serves_logs_without_the_key_and_ends(
    tmp_path: Path, films: list[Path]
) -> None:
    log = tmp_path / "log.jsonl"
    running, url = _started(tmp_path, "--will", "503", "ok", "--log", str(log), "--at-once", "3")
    upload = {"videos": ("a.mp4", films[2].read_bytes())}
    for _ in range(2):
        answer = httpx.post(
            url + VIDEO,
            files=upload,
            data={"description": f"by mistake: {KEY}"},
            headers={"xi-api-key": KEY},
            timeout=30,
        )
    assert answer.headers["maximum-concurrent-requests"] == "3"
    running.send_signal(signal.SIGTERM)
    assert _ended(running) == 0
    assert KEY not in log.read_text()
    one, two = [json.loads(line) for line in log.read_text().splitlines()]
    assert (one["number"], one["status"], one["purchase"]) == (1, 503, False)
    assert (two["number"], two["status"], two["purchase"], two["key"]) == (2, 200, True, "right")
    assert two["files"][0]["frames"] == 25
    assert list(tmp_path.iterdir()) == [log]


@pytest.mark.slow
def test_the_command_ends_with_its_lifetime_or_its_stdin(tmp_path: Path) -> None:
    running, _ = _started(tmp_path, "--lifetime", "0.1")
    assert _ended(running) == 0
    running, _ = _started(tmp_path, "--until-stdin-ends")
    assert running.stdin is not None
    assert running.poll() is None
    running.stdin.close()
    assert _ended(running) == 0


def test_formats_are_those_of_the_official_client() -> None:
    assert set(FORMATS) == set(get_args(get_args(AllowedOutputFormats)[0]))
    assert set(COMPOSE_FORMATS) == set(get_args(get_args(MusicComposeRequestOutputFormat)[0]))


def test_the_key_of_its_music_is_heard_and_can_be_asked_for() -> None:
    rng = np.random.default_rng(3)
    for key in range(12):
        fingerprint = in_key(rng.bytes(32).hex(), key)
        for rate_hz in (8000, 44_100):
            assert key_of(pattern(fingerprint, rate_hz).mean(axis=1), rate_hz) == key
