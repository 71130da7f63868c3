"""Films with several cues, whoever makes the music: heard where it should be, and nowhere else."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

import scorebed as package
from scorebed import pipeline
from scorebed.errors import SettingsError
from scorebed.model import (
    Cue,
    PictureCurve,
    Progress,
    Scene,
    Shot,
    Spotted,
    SpottingNotes,
    TimeRange,
)
from scorebed.providers.elevenlabs import video
from scorebed.testing import MusicService

KEY = "sk_cues_4711_secret"
RATE_HZ = 48_000
WHOLE_S = 30
CUES = ((2.0, 8.0), (12.52, 17.0), (21.0, 28.0))
SCENES = (0, 6, 15, 24)
NOTHING = 10 ** (-90 / 20)
Sound = NDArray[np.float32]


def at(time_s: float) -> int:
    return round(time_s * RATE_HZ)


def spot(
    *_inputs: object,
    folder: Path,
    progress: Progress,
    small_height_px: int | None = None,
    cues: tuple[tuple[float, float], ...] = CUES,
    briefs: tuple[str, ...] = ("", "", "", ""),
) -> Spotted:
    """Notes as a person would have edited them."""
    spans = [TimeRange.between(Fraction(a), Fraction(b)) for a, b in pairwise([*SCENES, WHOLE_S])]
    hops = 2 * WHOLE_S
    notes = SpottingNotes(
        duration_s=Fraction(WHOLE_S),
        frame_rate=Fraction(25),
        shots=tuple(Shot(range=span, confidence=1.0) for span in spans),
        scenes=tuple(
            Scene(
                range=span,
                shots=1,
                motion=0.2 + 0.2 * (number % 4),
                brightness=0.5,
                saturation=0.4,
                warmth=0.0,
                brief=briefs[number % len(briefs)],
            )
            for number, span in enumerate(spans)
        ),
        speech=(),
        curve=PictureCurve(hop_s=Fraction(1, 2), motion=(0.3,) * hops, brightness=(0.5,) * hops),
        cues=tuple(
            Cue(
                number=f"1M{number}",
                range=TimeRange.between(
                    Fraction(start_s).limit_denominator(100), Fraction(end_s).limit_denominator(100)
                ),
                hit_points=(),
            )
            for number, (start_s, end_s) in enumerate(cues, start=1)
        ),
    )
    return Spotted(notes=notes, small=None)


@pytest.fixture(scope="module")
def film(make_media: Callable[..., Path]) -> Path:
    """Thirty seconds without sound: all that is heard in the result is music."""
    return make_media(
        "silent.mp4",
        *("-f", "lavfi", "-i", f"testsrc2=size=160x90:rate=25:duration={WHOLE_S}"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "50"),
    )


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[MusicService]:
    monkeypatch.setenv("ELEVENLABS_API_KEY", KEY)
    with MusicService(key=KEY) as running:
        yield running


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The film is spotted as the notes say that a person has edited."""

    def mark(**how: Any) -> None:
        stage = functools.partial(spot, **how)
        functools.update_wrapper(stage, spot)
        # What the workspace keeps is for other marks.
        monkeypatch.setattr(sys.modules[__name__], "VERSION", str(how), raising=False)
        monkeypatch.setattr(pipeline, "spot", stage)

    mark()
    return mark


Score = Callable[..., tuple[dict[str, Any], Sound]]


@pytest.fixture
def score(film: Path, tmp_path: Path, marked: Any) -> Score:
    """Scores the film; the report, and the music before ducking as its stem has it."""

    def run(
        *, cues: tuple[tuple[float, float], ...] = CUES, **options: Any
    ) -> tuple[dict[str, Any], Sound]:
        result = package.score(
            film,
            tmp_path / "out.mp4",
            stems=tmp_path / "stems",
            workspace=tmp_path / "work",
            ledger=tmp_path / "ledger",
            overwrite=True,
            **options,
        )
        told = json.loads(result.to_json())
        schema = Path(package.__file__).parent / "schema" / "result-1.json"
        jsonschema.validate(told, json.loads(schema.read_text(encoding="utf-8")))
        assert [(cue["start_s"], cue["end_s"]) for cue in told["cues"]] == [*cues]
        dry = soundfile.read(tmp_path / "stems" / "MX-dry.wav", dtype="float32")[0]
        check_rests(dry, cues)
        return told, dry

    return run


def check_rests(
    sound: Sound, cues: tuple[tuple[float, float], ...], *, most: float = 0.0, edge_s: float = 0.0
) -> None:
    """Silence where no music is wanted, and music where it is."""
    length_s = len(sound) / RATE_HZ
    marks = [0.0, *chain(*cues), length_s]
    for start_s, end_s in zip(marks[::2], marks[1::2], strict=True):
        rest = sound[at(start_s + edge_s) : max(at(end_s - edge_s), at(start_s + edge_s))]
        assert np.abs(rest).max(initial=0.0) <= most, (start_s, end_s)
    for start_s, end_s in cues:
        cue = sound[at(start_s + 0.2) : at(end_s - 1)]
        assert np.sqrt(np.mean(cue**2)) > 10 ** (-45 / 20), (start_s, end_s)
        # It ends: by itself, or in a fade.
        assert np.abs(sound[at(end_s) - 480 : at(end_s)]).max() < 0.05


def test_the_embedded_composer(score: Score, tmp_path: Path, heard: Any) -> None:
    told, dry = score(provider="embedded", quality="draft")
    # Each cue begins on its first frame.
    for start_s, _ in CUES:
        first = int(np.flatnonzero(np.abs(dry[at(start_s) :]).max(axis=1) > 1e-3)[0])
        assert first < at(0.03)
    # The stems of the cues are the music, each at its place.
    numbered = [stem for stem in told["stems"] if stem["name"].startswith("1M")]
    assert [stem["name"] for stem in numbered] == ["1M1.wav", "1M2.wav", "1M3.wav"]
    for stem, (start_s, end_s) in zip(numbered, CUES, strict=True):
        alone = soundfile.read(tmp_path / "stems" / stem["name"], dtype="float32")[0]
        assert stem["time_reference_samples"] == at(start_s)
        assert np.array_equal(alone, dry[at(start_s) : at(end_s)])
    assert told["warnings"] == []
    assert told["programme"]["integrated_lufs"] == pytest.approx(-14.0, abs=0.5)
    delivered, start = heard(tmp_path / "out.mp4")
    assert abs(start) <= 48
    # A lossy codec spreads the edges of what it encodes by a frame or two.
    check_rests(delivered[: at(WHOLE_S)], CUES, most=NOTHING, edge_s=0.06)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_music_and_a_brief_another(score: Score, marked: Any) -> None:
    _, one = score(provider="embedded", quality="draft")
    _, again = score(provider="embedded", quality="draft")
    assert np.array_equal(one, again)
    marked(briefs=("", "solo piano, 90 bpm", "", ""))
    told, other = score(provider="embedded", quality="draft")
    assert not np.array_equal(one, other)
    assert told["warnings"] == ["the composer could not use: 90 bpm (scene 2)"]


def test_a_track_as_long_as_the_film_stays_locked_to_it(score: Score, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    track = (rng.standard_normal((at(WHOLE_S), 2)) * 0.05).astype(np.float32)
    soundfile.write(tmp_path / "track.wav", track, RATE_HZ, subtype="FLOAT")
    told, dry = score(music=tmp_path / "track.wav")
    for start_s, end_s in CUES:
        kept = slice(at(start_s + 0.5), at(end_s - 3.5))
        gain = np.sum(dry[kept] * track[kept]) / np.sum(track[kept] ** 2)
        assert np.abs(dry[kept] - gain * track[kept]).max() < 1e-3
    assert told["music"]["provider"] == "file"
    assert told["warnings"] == []


def test_a_shorter_track_begins_anew_with_each_cue(score: Score, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    track = (rng.standard_normal((at(12), 2)) * 0.05).astype(np.float32)
    soundfile.write(tmp_path / "track.wav", track, RATE_HZ, subtype="FLOAT")
    told, dry = score(music=tmp_path / "track.wav")
    for start_s, _ in CUES:
        heard, own = dry[at(start_s) + 240 : at(start_s + 2)], track[240 : at(2)]
        gain = np.sum(heard * own) / np.sum(own**2)
        assert np.abs(heard - gain * own).max() < 1e-3
    assert told["warnings"] == []


@pytest.mark.parametrize("answer", ["ok", pytest.param("zip-segments", marks=pytest.mark.slow)])
def test_video_to_music_is_sent_and_paid_for_the_cues_alone(
    answer: Any, score: Score, service: MusicService
) -> None:
    service.will(answer)
    told, dry = score(
        provider="elevenlabs", base_url=service.url, output_format="pcm_48000", price_per_minute=0.6
    )
    (request,) = service.requests
    # Scenes begin at 6, 15 and 24 s: cues are cut there, and nowhere between them is a frame sent.
    seconds = [file.duration_s for file in request.files]
    assert seconds == pytest.approx([4, 2, 2.48, 2, 3, 4], abs=0.001)
    assert sum(file.frames for file in request.files) == round(25 * 17.48)
    assert told["spent"] == {"requests": 1, "seconds": 17.48, "amount": 0.1748, "currency": "USD"}
    # The test music has its first beat at time 0.
    first = int(np.flatnonzero(np.abs(dry).max(axis=1) > 1e-3)[0])
    assert abs(first - at(2.0)) <= at(0.005)
    joins = [join["at_s"] for join in told["music"]["joins"]]
    assert joins == ([] if answer == "ok" else [6.0, 15.0, 24.0])
    assert service.purchases == 1
    again, _ = score(
        provider="elevenlabs", base_url=service.url, output_format="pcm_48000", price_per_minute=0.6
    )
    assert service.purchases == 1
    assert again["spent"]["amount"] == 0


def test_the_form_of_gateways(score: Score, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELEVENLABS_API_KEY", KEY)
    with MusicService(key=KEY, form="brief") as gateway:
        score(provider="elevenlabs", api_form="brief", base_url=gateway.url)
        (request,) = gateway.requests
    assert dict(request.fields)["duration_seconds"] == "17.48"
    assert len(request.files) == 6


def test_text_to_music_has_sections_for_the_cues_alone(
    score: Score, service: MusicService, marked: Any
) -> None:
    marked(briefs=("", "", "solo cello, no drums", ""))
    told, _ = score(provider="elevenlabs-text", base_url=service.url)
    (request,) = service.requests
    chunks = request.json["composition_plan"]["chunks"]
    # Under 3 s a scene joins its neighbour in the same cue.
    assert [chunk["duration_ms"] for chunk in chunks] == [6000, 4480, 3000, 4000]
    assert ["solo cello" in chunk["positive_styles"] for chunk in chunks] == [
        *(False, True, True, False)
    ]
    assert told["spent"]["seconds"] == 17.48


def test_the_length_of_the_music_may_be_cut_too(score: Score) -> None:
    score(provider="embedded", quality="draft", duration_s=15, cues=((2.0, 8.0), (12.52, 15.0)))
    with pytest.raises(SettingsError, match="--duration 2 ends before the first music") as caught:
        score(provider="embedded", duration_s=2)
    assert "over 2" in caught.value.remedy


def test_dynamics_are_those_of_what_is_heard(score: Score, tmp_path: Path) -> None:
    """A scene that is mostly silent is no quiet scene."""
    rng = np.random.default_rng(4)
    track = (rng.standard_normal((at(WHOLE_S), 2)) * 0.05).astype(np.float32)
    track[at(20) :] *= 10 ** (-9 / 20)
    soundfile.write(tmp_path / "track.wav", track, RATE_HZ, subtype="FLOAT")
    loud = {}
    for dynamics in (1.0, 0.0):
        _, dry = score(music=tmp_path / "track.wav", dynamics=dynamics)
        parts = [dry[at(a) : at(b)] for a, b in ((3, 5), (6.6, 7.4), (13.2, 14.2), (22, 23.4))]
        loud[dynamics] = [float(10 * np.log10(np.mean(part**2))) for part in parts]
    assert np.ptp(loud[1.0]) == pytest.approx(9.0, abs=0.3)
    assert np.ptp(loud[0.0]) < 1.0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit_s", "files", "joins"),
    [
        # The border of the two requests lies in the second rest.
        (11, [4, 2], 0),
        # The third cue is longer than a request: it begins in that of the second.
        (6, [2, 2, 3], 1),
    ],
)
def test_a_long_film_in_parts(
    limit_s: int,
    files: list[int],
    joins: int,
    score: Score,
    service: MusicService,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As if the service took less at once."""
    monkeypatch.setattr(video, "MAX_DURATION_S", Fraction(limit_s))
    told, _ = score(provider="elevenlabs", base_url=service.url, price_per_minute=0.6)
    sent = [[file.duration_s for file in request.files] for request in service.requests]
    # After the first one they are sent side by side.
    assert [len(sent[0]), *sorted(map(len, sent[1:]))] == files
    assert max(map(sum, sent)) <= limit_s + 0.001
    assert sum(chain(*sent)) == pytest.approx(17.48, abs=0.001)
    assert told["spent"]["requests"] == len(files)
    assert told["spent"]["seconds"] == 17.48
    # Later ones carry the music of the first.
    assert [request.files[0].audio for request in service.requests] == [
        number > 0 for number in range(len(files))
    ]
    met = [join["at_s"] for join in told["music"]["joins"]]
    assert len(met) == joins
    assert all(21 < at_s < 24 for at_s in met)
