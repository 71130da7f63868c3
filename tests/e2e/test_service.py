"""The product with a service: what is said, sent, paid, kept, and what a failure costs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import soundfile

import scorebed as package
from scorebed.cli.main import _run
from scorebed.job import Job
from scorebed.ledger import Fate, Ledger, State
from scorebed.model import Join, TimeRange
from scorebed.options import Options
from scorebed.plan import make_plan
from scorebed.settings import resolve
from scorebed.testing import MusicService

Scorebed = Callable[..., subprocess.CompletedProcess[str]]
KEY = "sk_end_to_end_4711_secret"


@pytest.fixture
def service() -> Iterator[MusicService]:
    with MusicService(key=KEY) as running:
        yield running


@pytest.fixture(scope="session")
def kept_stages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One workspace for all: the picture is looked at once."""
    return tmp_path_factory.mktemp("workspaces")


@pytest.fixture
def score(
    scorebed: Scorebed, service: MusicService, short_talk: Path, kept_stages: Path, tmp_path: Path
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs ``score`` with the key in place; another ``--ledger`` in each test."""

    def run(
        *args: str | Path, video: Path = short_talk, output: Path | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        return scorebed(
            *("score", video, "-o", output or tmp_path / "out.mp4", "--json", "--overwrite"),
            *("--workspace", kept_stages, "--ledger", tmp_path / "ledger", *args),
            **({"ELEVENLABS_API_KEY": KEY, "ELEVENLABS_BASE_URL": service.url} | env),
        )

    return run


Score = Callable[..., subprocess.CompletedProcess[str]]


def result_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_a_key_chooses_the_service_and_the_price_is_said_first(
    score: Score, service: MusicService, tmp_path: Path, kept_stages: Path
) -> None:
    done = score("--prompt", "hopeful", "--tag", "folk")
    result = result_of(done)
    schema = Path(package.__file__).parent / "schema" / "result-1.json"
    jsonschema.validate(result, json.loads(schema.read_text(encoding="utf-8")))
    assert result["music"]["provider"] == "elevenlabs"
    assert result["programme"]["integrated_lufs"] == pytest.approx(-14.0, abs=0.5)
    said = done.stderr
    assert said.index("about 0.12 USD") < said.index("compose: started")
    assert "--provider embedded is free" in said
    (request,) = service.requests
    assert result["uploads"] == [
        {
            "name": file.filename,
            "sha256": file.sha256,
            "size_bytes": file.size_bytes,
            "width_px": file.width_px,
            "height_px": file.height_px,
            "audio": False,
        }
        for file in request.files
    ]
    assert not any(file.audio for file in request.files)
    assert sum(file.duration_s for file in request.files) == pytest.approx(12.0, abs=0.001)
    assert result["spent"] == {
        "requests": 1,
        "seconds": 12.0,
        "amount": 0.12,
        "currency": "USD",
    }
    # The whole mux was proved before anything was paid.
    ran = [stage["name"] for stage in result["stages"]]
    assert ran.index("dry_mux") < ran.index("compose")
    # The same again: nothing is sent, nothing is paid, the music is the same.
    again = result_of(score("--prompt", "hopeful", "--tag", "folk"))
    assert "dry_mux" not in [stage["name"] for stage in again["stages"]]
    assert again["spent"]["amount"] == 0
    assert service.purchases == 1
    for place in (tmp_path, kept_stages):
        for path in place.rglob("*"):
            assert not path.is_file() or KEY.encode() not in path.read_bytes(), path
    assert KEY not in done.stdout + done.stderr


def test_a_container_that_refuses_the_whole_film_costs_nothing(
    score: Score, service: MusicService, make_media: Callable[..., Path], tmp_path: Path
) -> None:
    """MXF takes the first second, and has no index for 128 frames without a key frame."""
    film = make_media(
        "long.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=6"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "250"),
    )
    done = score(video=film, output=tmp_path / "out.mxf")
    assert done.returncode == 3
    assert "GOP size" in done.stderr
    assert "long.scored.mp4" in done.stderr
    assert not service.requests
    assert "spot" not in done.stderr


def test_the_price_is_said_even_to_who_wants_quiet(score: Score, service: MusicService) -> None:
    (line,) = score("--quiet", "--prompt", "in peace").stderr.splitlines()
    assert "about 0.12 USD" in line
    assert service.purchases == 1
    assert score("--quiet", "--prompt", "in peace").stderr == ""
    assert score("--quiet", "--provider", "embedded").stderr == ""


@pytest.mark.slow
def test_the_price_is_told_in_python(
    service: MusicService,
    short_talk: Path,
    kept_stages: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ELEVENLABS_API_KEY", KEY)
    said: list[tuple[str, int]] = []
    package.score(
        short_talk,
        tmp_path / "out.mp4",
        base_url=service.url,
        workspace=kept_stages,
        ledger=tmp_path / "ledger",
        tell=lambda words: said.append((words, len(service.requests))),
    )
    ((words, sent),) = said
    assert "about 0.12 USD" in words
    assert sent == 0


def test_a_workspace_that_is_gone_costs_nothing(
    score: Score, service: MusicService, tmp_path: Path
) -> None:
    hashes = []
    for name in ("one", "two"):
        stems = tmp_path / f"stems-{name}"
        result_of(score("--seed", "5", "--workspace", tmp_path / name, "--stems", stems))
        hashes.append((stems / "MX-dry.wav").read_bytes())
    assert service.purchases == 1
    assert hashes[0] == hashes[1]


def test_the_plan_is_exact_and_sends_nothing(score: Score, service: MusicService) -> None:
    plan = result_of(score("--plan", "--prompt", "a plan"))
    assert not service.requests
    result_of(score("--prompt", "a plan"))
    (request,) = service.requests
    (planned,) = plan["requests"]
    assert planned["bytes"] == sum(file.size_bytes for file in request.files)
    assert [file["seconds"] for file in planned["files"]] == pytest.approx(
        [file.duration_s for file in request.files], abs=0.001
    )
    fields = dict(request.fields)
    for name in ("description", "model_id"):
        assert f"{name}: {fields[name]}" in planned["outline"]
    assert planned["estimated_reference_bytes"] == 0
    assert (plan["cost"]["requests"], plan["cost"]["seconds"]) == (1, 12.0)
    assert plan["cost"]["amount"] == pytest.approx(0.12)
    after = result_of(score("--plan", "--prompt", "a plan"))
    assert after["cost"]["amount"] == 0
    assert (planned["fate"], after["requests"][0]["fate"]) == ("to buy", "kept")


def test_the_plan_of_text_to_music_has_every_section(score: Score) -> None:
    (planned,) = result_of(score("--plan", "--provider", "elevenlabs-text"))["requests"]
    head, *chunks = planned["outline"]
    assert head.startswith(f"music_v2_5: {len(chunks)} chunks; without vocals")
    assert chunks[0].startswith("0:00.0-")
    assert "-0:12.0  " in chunks[-1]


def test_what_the_plan_cannot_know_is_called_an_estimate(
    short_talk: Path, kept_stages: Path, tmp_path: Path
) -> None:
    """As if the film were so long that it takes two requests."""
    settings = resolve(Options(provider="elevenlabs", ledger=tmp_path / "ledger"))
    output = tmp_path / "out.mp4"
    job = Job(video=short_talk, output=output, settings=settings, workspace=kept_stages)
    plan = make_plan(job, lambda _stage: lambda _share: None)
    assert plan.order is not None
    (reel,) = plan.order.reels.reels
    halves = [TimeRange.between(Fraction(start), Fraction(start + 6)) for start in (0, 6)]
    split = tuple(replace(reel, range=half, part=part) for part, half in enumerate(halves))
    order = replace(plan.order, reels=replace(plan.order.reels, reels=split))
    parts = replace(plan, order=order, fates=(Fate.TO_BUY, Fate.TO_BUY))
    wanted = [0, 6 * 96_000 // 8]
    assert [one["estimated_reference_bytes"] for one in parts.requests()] == wanted
    lines = [line for line in parts.lines() if line.startswith("request")]
    assert ["an estimated" in line for line in lines] == [False, True]


def test_the_plan_needs_no_key_and_shows_the_words(
    scorebed: Scorebed, short_talk: Path, kept_stages: Path, tmp_path: Path
) -> None:
    for provider, told in (
        ("elevenlabs", "description: "),
        ("elevenlabs-text", "chunks; without vocals"),
    ):
        done = scorebed(
            *("score", short_talk, "-o", tmp_path / "o.mp4", "--provider", provider, "--plan"),
            *("--workspace", kept_stages, "--ledger", tmp_path / "ledger"),
        )
        assert done.returncode == 0, done.stderr
        assert told in done.stdout
        assert "0.12 USD" in done.stdout


def test_over_the_limit_is_exit_5_and_nothing_is_sent(score: Score, service: MusicService) -> None:
    done = score("--max-spend", "0.05", "--seed", "9")
    assert done.returncode == 5
    assert "--max-spend 0.12" in done.stderr
    assert not service.requests


def test_embedded_music_takes_over_when_it_may(
    score: Score, service: MusicService, tmp_path: Path
) -> None:
    service.will("402", "402", "429-retry-after-ms", "422-detail")
    refused = score("--seed", "11")
    assert refused.returncode == 5
    assert not (tmp_path / "out.mp4").exists()
    for status in ("402", "422"):
        result = result_of(score("--seed", "11", "--fallback", "embedded"))
        assert result["music"]["provider"] == "embedded"
        assert status in result["music"]["fallback_from"]
        assert any(status in warning for warning in result["warnings"])
        # It was refused and cost nothing; the files had left all the same.
        assert [(one["name"], one["size_bytes"], one["sha256"]) for one in result["uploads"]] == [
            (file.filename, file.size_bytes, file.sha256) for file in service.requests[-1].files
        ]
        (receipt,) = Ledger(tmp_path / "ledger").receipts()
        assert result["receipts"] == [receipt.key]
        assert (result["spent"]["requests"], result["spent"]["amount"]) == (0, 0)
    assert service.purchases == 0
    # Without a key there is a score too, and no request.
    unasked = score("--max-spend", "5", ELEVENLABS_API_KEY="")
    assert result_of(unasked)["music"]["provider"] == "embedded"
    assert "music by embedded, free: no key of a service was found" in unasked.stderr
    result = result_of(
        score("--provider", "elevenlabs", "--fallback", "embedded", ELEVENLABS_API_KEY="")
    )
    assert result["music"]["provider"] == "embedded"
    assert result["uploads"] == result["receipts"] == []


@pytest.mark.slow
def test_a_fallback_says_what_was_lost(
    score: Score,
    scorebed: Scorebed,
    service: MusicService,
    short_talk: Path,
    kept_stages: Path,
    tmp_path: Path,
) -> None:
    """The files had left and may have been billed: the result says so, whoever made the music."""
    service.will("reset-after-body")
    result = result_of(score("--seed", "12", "--fallback", "embedded"))
    assert result["music"]["provider"] == "embedded"
    assert len(result["uploads"]) == len(service.requests[0].files)
    assert result["spent"]["requests"] == 1
    assert result["spent"]["amount"] == pytest.approx(0.12)
    assert len(result["receipts"]) == 1
    plan = result_of(score("--seed", "12", "--plan"))
    assert (plan["requests"][0]["fate"], plan["cost"]["requests"]) == ("lost", 0)
    told = scorebed(
        *("score", short_talk, "-o", tmp_path / "out.mp4", "--overwrite", "--plan"),
        *("--seed", "12", "--workspace", kept_stages, "--ledger", tmp_path / "ledger"),
        ELEVENLABS_API_KEY=KEY,
        ELEVENLABS_BASE_URL=service.url,
    ).stdout
    assert "bytes, lost: only --buy-again buys it again" in told


@pytest.mark.slow
def test_the_ledger_is_listed_shown_exported_and_forgotten(
    score: Score, scorebed: Scorebed, service: MusicService, tmp_path: Path
) -> None:
    book = ("--ledger", tmp_path / "ledger")
    assert scorebed("ledger", "list", *book).returncode == 2
    assert "empty" in scorebed("ledger", "list").stderr
    result = result_of(score("--seed", "21", "--prompt", "for the ledger"))
    (key,) = result["receipts"]
    listed = scorebed("ledger", "list", *book).stdout
    assert key[:12] in listed
    assert "kept" in listed
    assert "0.12 USD" in listed
    (told,) = json.loads(scorebed("ledger", "list", *book, "--json").stdout)["receipts"]
    assert told["key"] == key
    shown = scorebed("ledger", "show", key[:8], *book).stdout
    assert "for the ledger" in shown
    assert result["uploads"][0]["sha256"] in shown
    done = scorebed("ledger", "export", key[:8], tmp_path / "exported", *book)
    receipt, music = (Path(line) for line in done.stdout.split())
    assert json.loads(receipt.read_text())["key"] == key
    assert music.suffix == ".mp3"
    assert music.read_bytes() == service.last_answer
    again = scorebed("ledger", "export", key[:8], tmp_path / "exported", *book)
    assert again.returncode == 2
    forgotten = Path(scorebed("ledger", "forget", key[:8], *book).stdout.strip())
    assert (forgotten / "answer-1" / "body").read_bytes() == service.last_answer
    assert scorebed("ledger", "show", key[:8], *book).returncode == 2
    assert scorebed("ledger", "show", "ab", *book).returncode == 2
    # The same command buys again, though the stages before it are kept.
    assert result_of(score("--seed", "21", "--prompt", "for the ledger"))["spent"]["requests"] == 1
    assert service.purchases == 2
    (tmp_path / "not a ledger").mkdir()
    (tmp_path / "not a ledger" / "x").write_text("mine")
    strange = scorebed("ledger", "list", "--ledger", tmp_path / "not a ledger")
    assert strange.returncode == 6


@pytest.mark.slow
def test_music_for_the_first_seconds_only(
    score: Score, service: MusicService, tmp_path: Path
) -> None:
    result = result_of(score("--duration", "6.2", "--stems", tmp_path / "stems"))
    (request,) = service.requests
    assert sum(file.duration_s for file in request.files) == pytest.approx(6.2, abs=0.041)
    assert result["spent"]["seconds"] == pytest.approx(6.2)
    music, rate_hz = soundfile.read(tmp_path / "stems" / "MX-dry.wav")
    end = round(6.2 * rate_hz)
    assert len(music) == 12 * rate_hz
    assert np.abs(music[end:]).max() == 0
    assert np.abs(music[end - 2 * rate_hz : end]).max() > 0.01
    free = result_of(
        score("--duration", "6.2", "--provider", "embedded", "--stems", tmp_path / "free")
    )
    music, _ = soundfile.read(tmp_path / "free" / "MX-dry.wav")
    assert np.abs(music[end:]).max() == 0
    assert np.abs(music[end - 3 * rate_hz : end]).max() > 0.001
    assert free["music"]["integrated_lufs"] == pytest.approx(-14.0, abs=0.1)


def test_the_music_of_each_scene_lies_in_the_stems(score: Score, tmp_path: Path) -> None:
    result = result_of(score("--stems", tmp_path / "stems"))
    music, rate_hz = soundfile.read(tmp_path / "stems" / "MX-dry.wav", dtype="float32")
    parts = [
        soundfile.read(tmp_path / "stems" / f"1M{number}.wav", dtype="float32")[0]
        for number in range(1, len(result["scenes"]) + 1)
    ]
    assert np.array_equal(np.concatenate(parts), music)
    for part, scene in zip(parts, result["scenes"], strict=True):
        wanted = (scene["end_s"] - scene["start_s"]) * rate_hz
        assert abs(len(part) - wanted) <= 1


def test_a_cut_in_the_music_is_a_warning(
    short_talk: Path, kept_stages: Path, tmp_path: Path
) -> None:
    result = package.score(
        short_talk, tmp_path / "out.mp4", provider="embedded", workspace=kept_stages
    )
    cut = Join(at_s=Fraction(3), kind="cut", loudness_step_lu=0.0, spectral_step_db=0.0)
    beat = replace(cut, at_s=Fraction(5), kind="downbeat")
    joins = (cut, beat, replace(cut, at_s=Fraction(6)), replace(beat, kind="speech"))
    joined = replace(result, conformed=replace(result.conformed, joins=joins))
    (warning,) = set(joined.warnings) - set(result.warnings)
    assert "meet at 0:03.0, 0:06.0 neither on a beat" in warning


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_key_file_that_others_may_read_is_refused(
    score: Score, service: MusicService, tmp_path: Path
) -> None:
    key = tmp_path / "the.key"
    key.write_text(KEY + "\n")
    key.chmod(0o644)
    done = score("--key-file", key, ELEVENLABS_API_KEY="")
    assert done.returncode == 5
    assert f"chmod 600 {key}" in done.stderr
    assert not service.requests
    key.chmod(0o600)
    assert result_of(score("--key-file", key, ELEVENLABS_API_KEY=""))["spent"]["requests"] == 1


@pytest.mark.slow
def test_the_height_of_what_is_sent(score: Score, service: MusicService, tmp_path: Path) -> None:
    """By a service preset, by the command line before it; and never a second purchase."""
    preset = tmp_path / "mine.toml"
    preset.write_text(f'base_url = "{service.url}"\nproxy_height_px = 160\n')
    (upload,) = result_of(score("--service", preset, "--seed", "41"))["uploads"]
    assert upload["height_px"] == 160
    asked = ("--service", preset, "--proxy-height", "144")
    (upload,) = result_of(score(*asked, "--seed", "42"))["uploads"]
    (file,) = service.requests[1].files
    assert (upload["height_px"], upload["sha256"]) == (144, file.sha256)
    assert file.duration_s == pytest.approx(12.0, abs=0.001)
    result_of(score("--service", preset, "--seed", "42"))
    assert service.purchases == 2


@pytest.mark.slow
def test_settings_of_ones_own(score: Score, service: MusicService, tmp_path: Path) -> None:
    mine = tmp_path / "settings.toml"
    mine.write_text(
        'provider = "elevenlabs"\nprompt = "from the file"\ntags = ["a", "b"]\nseed = 31\n'
        "price_per_minute = 5.0\nmax_spend = 2.0\nsfx = true\n"
    )
    result = result_of(score("--settings", mine, "--seed", "32"))
    assert result["music"]["seed"] == 32
    assert result["spent"]["amount"] == pytest.approx(1.0)
    told = dict(service.requests[0].fields)
    assert told["description"].startswith("from the file")
    assert told["add_sfx"] == "true"
    assert result_of(score("--settings", mine, "--provider", "embedded"))["spent"]["amount"] == 0
    result_of(score("--settings", mine, "--seed", "33", "--no-sfx"))
    assert "add_sfx" not in dict(service.requests[1].fields)
    mine.write_text("prce_per_minute = 5.0\n")
    done = score("--settings", mine)
    assert done.returncode == 2
    assert "price_per_minute" in done.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--provider", "embedded", "--sfx"), "--sfx is for services"),
        (("--provider", "embedded", "--price-per-minute", "2"), "--price-per-minute is for"),
        (("--provider", "embedded", "--base-url", "https://x.org"), "--base-url is for services"),
        (("--base-url", "http://example.org"), "in the clear"),
        (("--base-url", "ftp://example.org"), "not an address"),
        (("--base-url", "https://me:pw@example.org"), "user name"),
        (("--provider", "elevenlabs", "--offline"), "--offline"),
        (("--provider", "elevenlabs-text", "--sfx"), "text to music"),
        (("--refine-plan",), "--refine-plan"),
        (("--api-form", "brief", "--model", "music_v2"), "--api-form brief"),
        (("--max-spend", "-1"), "--max-spend"),
        (("--proxy-height", "142"), "--proxy-height 142 is out of range"),
        (("--proxy-height", "1082"), "--proxy-height 1082 is out of range"),
        (("--proxy-height", "361"), "--proxy-height 361 is odd"),
        (("--provider", "embedded", "--proxy-height", "360"), "--proxy-height is for services"),
        (("--service", "elevenlab"), "'elevenlabs'"),
        (("--fallback", "file"), "fallback"),
    ],
)
def test_wrong_options_are_told_before_any_work(
    options: tuple[str, ...],
    told: str,
    service: MusicService,
    short_talk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ELEVENLABS_API_KEY", KEY)
    if "--base-url" not in options:
        monkeypatch.setenv("ELEVENLABS_BASE_URL", service.url)
    output = tmp_path / "out.mp4"
    assert (
        _run(
            [
                "score",
                str(short_talk),
                "-o",
                str(output),
                "--ledger",
                str(tmp_path / "ledger"),
                *options,
            ]
        )
        == 2
    )
    said = capsys.readouterr().err
    assert told in said
    assert "probe" not in said
    assert not service.requests


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_waits_for_the_service_can_be_stopped(
    number: signal.Signals,
    service: MusicService,
    short_talk: Path,
    kept_stages: Path,
    environment: dict[str, str],
    tmp_path: Path,
    score: Score,
) -> None:
    service.will("hang-after-body")
    command: list[str | Path] = [
        *(sys.executable, "-m", "scorebed", "score", short_talk, "-o", tmp_path / "out.mp4"),
        *("--workspace", kept_stages, "--ledger", tmp_path / "ledger"),
    ]
    keys = {"ELEVENLABS_API_KEY": KEY, "ELEVENLABS_BASE_URL": service.url}
    with subprocess.Popen(
        command, env=environment | keys, stderr=subprocess.PIPE, text=True
    ) as child:
        deadline = time.monotonic() + 60
        while not service.purchases:
            assert child.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        child.send_signal(number)
        _, said = child.communicate(timeout=60)
    assert child.returncode == 130, said
    assert not (tmp_path / "out.mp4").exists()
    (receipt,) = Ledger(tmp_path / "ledger").receipts()
    assert receipt.state is State.SENT
    assert "scorebed ledger list" in said
    done = score()
    assert done.returncode == 5
    assert "--buy-again" in done.stderr
    assert service.purchases == 1
    assert result_of(score("--buy-again"))["spent"]["requests"] == 1
