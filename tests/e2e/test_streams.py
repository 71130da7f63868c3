"""More than one audio stream: each a programme of its own, judged by what was delivered."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import jsonschema
import numpy as np
import pytest
import soundfile

import scorebed as package

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE_HZ = 48_000
DELAY_S = 3
LENGTH_S = 30
# The talk has speech at 14.0 to 17.5 s and none at 8.5 to 13.9 s; the other language 3 s later.
ENGLISH_SPEAKS, GERMAN_SPEAKS = (14.5, 16.2), (9.2, 11.2)
Scorebed = Callable[..., subprocess.CompletedProcess[str]]


@dataclass(frozen=True)
class Scored:
    """A finished run."""

    source: Path
    output: Path
    told: dict[str, Any]
    stderr: str

    def sounds(self, kind: str) -> list[dict[str, Any]]:
        return [sound for sound in self.told["audio"] if sound["kind"] == kind]


@pytest.fixture(scope="session")
def make_languages(make_media: Callable[..., Path], talk: Path) -> Callable[..., Path]:
    """A part of the talk: English (default), German, mono and later, a tone in 5.1."""

    def make(name: str, codec: str = "flac", length_s: int = LENGTH_S) -> Path:
        made = (
            f"[0:a]asplit[a][b];[b]adelay={DELAY_S * 1000}:all=1,pan=mono|c0=0.5*c0+0.5*c1,"
            f"atrim=0:{length_s}[de];"
            f"sine=f=330:d={length_s}:r=48000,volume=-20dB,pan=5.1|FL=c0|FR=c0[fr]"
        )
        return make_media(
            name,
            *("-t", str(length_s), "-i", talk, "-filter_complex", made, "-s", "320x180"),
            *("-map", "0:v", "-map", "[a]", "-map", "[de]", "-map", "[fr]"),
            *("-c:v", "libx264", "-preset", "ultrafast", "-c:a", codec),
            *("-metadata:s:a:0", "language=eng", "-metadata:s:a:0", "title=English"),
            *("-metadata:s:a:1", "language=deu", "-metadata:s:a:2", "language=fra"),
            *("-metadata:s:a:2", "title=Tone"),
            *("-disposition:a:0", "default", "-disposition:a:1", "0"),
            *("-disposition:a:2", "comment"),
        )

    return make


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One workspace for all: what one run has made, the next one need not make again."""
    return tmp_path_factory.mktemp("streams") / "work"


@pytest.fixture
def score(scorebed: Scorebed, work: Path, tmp_path: Path) -> Callable[..., Scored]:
    def run(source: Path, *options: str | Path, name: str = "out.mkv") -> Scored:
        output = tmp_path / name
        done = scorebed("score", source, "-o", output, "--workspace", work, "--json", *options)
        assert done.returncode == 0, done.stderr
        return Scored(source, output, dict(json.loads(done.stdout)), done.stderr)

    return run


@pytest.fixture(scope="session")
def everything(
    scorebed: Scorebed,
    make_languages: Callable[..., Path],
    work: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Scored:
    """All languages, with originals, the music, stems and a plot."""
    source = make_languages("languages.mkv")
    folder = tmp_path_factory.mktemp("everything")
    done = scorebed(
        "score", source, "-o", folder / "out.mkv", "--workspace", work, "--json",
        "--keep-original", "--music-stream", "--stems", folder / "stems",
        "--plot", folder / "plot.png",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return Scored(source, folder / "out.mkv", dict(json.loads(done.stdout)), done.stderr)


def packets(path: Path, index: int) -> list[bytes]:
    with av.open(str(path)) as container:
        stream = container.streams[index]
        return [bytes(packet) for packet in container.demux(stream) if packet.size]


def described(path: Path) -> list[tuple[str, str | None, str | None, list[str]]]:
    """Kind, language, title and marks of every stream."""
    with av.open(str(path)) as container:
        return [
            (
                stream.type,
                stream.metadata.get("language"),
                stream.metadata.get("title") or stream.metadata.get("name"),
                sorted(flag.name or "" for flag in stream.disposition),
            )
            for stream in container.streams
        ]


def integrated_by_ffmpeg(exe: str, path: Path, index: int) -> float:
    said = subprocess.run(
        [
            *(exe, "-hide_banner", "-nostats", "-i", path, "-map", f"0:{index}"),
            *("-af", "ebur128=framelog=quiet", "-f", "null", "-"),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    return float(re.findall(r"I:\s+(-?[\d.]+) LUFS", said)[-1])


def placed(exe: str, path: Path, index: int) -> NDArray[np.float64]:
    """An audio stream on the picture's time line (which starts at 0), mixed to one channel."""
    raw = subprocess.run(
        [
            *(exe, "-v", "error", "-i", path, "-map", f"0:{index}"),
            *("-af", "aresample=48000:async=1:first_pts=0", "-ac", "1", "-f", "f32le", "-"),
        ],
        capture_output=True,
        check=True,
    ).stdout
    line = np.zeros(LENGTH_S * RATE_HZ)
    mono = np.frombuffer(raw, dtype=np.float32)[: len(line)]
    line[: len(mono)] = mono
    return line


def part(line: NDArray[np.float64], span: tuple[float, float]) -> NDArray[np.float64]:
    return line[round(span[0] * RATE_HZ) : round(span[1] * RATE_HZ)]


def level_db(audio: NDArray[np.float64]) -> float:
    return float(10 * np.log10(np.mean(np.square(audio))))


def music_under(
    programme: NDArray[np.float64], original: NDArray[np.float64], speech: tuple[float, float]
) -> NDArray[np.float64]:
    """What is left of a programme without its voice, whose gain is found where it speaks."""
    voice = part(original, speech)
    gain = float(part(programme, speech) @ voice / (voice @ voice))
    return programme - gain * original


# --- each stream -------------------------------------------------------------------------------


def test_each_stream_is_at_its_loudness(everything: Scored, ffmpeg_exe: str) -> None:
    programmes = everything.sounds("programme")
    assert [sound["source"] for sound in programmes] == [1, 2, 3]
    for sound in programmes:
        found = integrated_by_ffmpeg(ffmpeg_exe, everything.output, sound["index"])
        assert found == pytest.approx(-14.0, abs=0.5)
        assert sound["loudness"]["integrated_lufs"] == pytest.approx(found, abs=0.15)
        assert sound["loudness"]["true_peak_dbtp"] <= -1.0


def test_each_stream_ducks_under_its_own_speech(everything: Scored, ffmpeg_exe: str) -> None:
    """The same music: down where this language speaks, up where only the other one does."""
    left = []
    for number, own in ((1, ENGLISH_SPEAKS), (2, GERMAN_SPEAKS)):
        programme = placed(ffmpeg_exe, everything.output, number)
        original = placed(ffmpeg_exe, everything.source, number)
        left.append(music_under(programme, original, own))
    english, german = left
    assert level_db(part(english, GERMAN_SPEAKS)) > level_db(part(english, ENGLISH_SPEAKS)) + 8
    assert level_db(part(german, ENGLISH_SPEAKS)) > level_db(part(german, GERMAN_SPEAKS)) + 8


def test_all_streams_have_the_same_music(everything: Scored, ffmpeg_exe: str) -> None:
    music = placed(ffmpeg_exe, everything.output, 7)
    for number, own, pause in ((1, ENGLISH_SPEAKS, (11.7, 13.0)), (2, GERMAN_SPEAKS, (0.5, 3.5))):
        programme = placed(ffmpeg_exe, everything.output, number)
        original = placed(ffmpeg_exe, everything.source, number)
        left = music_under(programme, original, own)
        alike = np.corrcoef(part(left, pause), part(music, pause))[0, 1]
        assert alike > 0.98


def test_speech_is_heard_in_each_language_for_itself(everything: Scored) -> None:
    english, german, tone = (sound["speech"] for sound in everything.sounds("programme"))
    assert tone == []
    assert english == everything.told["speech"]
    starts = [region["start_s"] for region in english if region["start_s"] < LENGTH_S - 6]
    later = [region["start_s"] for region in german][: len(starts)]
    assert later == pytest.approx([start + DELAY_S for start in starts], abs=0.15)


def test_every_stream_reaches_its_margin(everything: Scored) -> None:
    for sound in everything.sounds("programme")[:2]:
        assert sound["duck"]["median_lu"] >= 14
        assert sound["duck"]["least_lu"] >= 10
    assert everything.sounds("programme")[2]["duck"]["least_lu"] is None
    assert everything.told["duck"] == everything.sounds("programme")[0]["duck"]
    assert everything.told["programme"] == everything.sounds("programme")[0]["loudness"]


# --- order, tags, marks ------------------------------------------------------------------------


def test_order_tags_and_marks_are_kept(everything: Scored) -> None:
    assert described(everything.output)[:4] == described(everything.source)
    assert described(everything.output)[4:] == [
        ("audio", "eng", "Original: English", []),
        ("audio", "deu", "Original", []),
        ("audio", "fra", "Original: Tone", ["comment"]),
        ("audio", None, "Music", []),
    ]
    told = [(sound["language"], sound["title"]) for sound in everything.told["audio"]]
    assert told == [(language, title) for _, language, title, _ in described(everything.output)][1:]
    assert [sound["channels"] for sound in everything.told["audio"]] == [2, 2, 6, 2, 1, 6, 2]


def test_originals_are_packet_for_packet_what_they_were(everything: Scored) -> None:
    for sound in everything.sounds("original"):
        kept = packets(everything.output, sound["index"])
        assert kept == packets(everything.source, sound["source"])
        assert sound["loudness"] is None


def test_the_music_alone_has_no_voice(everything: Scored, ffmpeg_exe: str) -> None:
    music = placed(ffmpeg_exe, everything.output, 7)
    for number, own in ((1, ENGLISH_SPEAKS), (2, GERMAN_SPEAKS)):
        voice = part(placed(ffmpeg_exe, everything.source, number), own)
        assert abs(np.corrcoef(part(music, own), voice)[0, 1]) < 0.05
    # Not ducked: as loud under speech as its own part in the pauses, within what is written.
    assert level_db(part(music, ENGLISH_SPEAKS)) > level_db(part(music, (11.7, 13.0))) - 6
    dry = everything.output.parent / "stems" / "MX-dry.wav"
    wanted = integrated_by_ffmpeg(ffmpeg_exe, dry, 0)
    assert integrated_by_ffmpeg(ffmpeg_exe, everything.output, 7) == pytest.approx(wanted, abs=0.2)


def test_the_json_keeps_to_its_schema(everything: Scored) -> None:
    schema = Path(package.__file__).parent / "schema" / "result-1.json"
    jsonschema.validate(everything.told, json.loads(schema.read_text()))
    assert len(everything.told["stages"]) == 10
    for sound in everything.sounds("programme")[1:]:
        assert [run["name"] for run in sound["stages"]] == ["hear", "level", "duck", "mix"]
    assert everything.told["warnings"] == []


def test_the_stems_of_each_stream_add_up(everything: Scored) -> None:
    folder = everything.output.parent / "stems"
    for of, channels in (("", 2), ("-a1", 1), ("-a2", 6)):
        dx, _ = soundfile.read(folder / f"DX{of}.wav", always_2d=True)
        ducked, _ = soundfile.read(folder / f"MX-ducked{of}.wav", always_2d=True)
        mix, _ = soundfile.read(folder / f"MIX{of}.wav", always_2d=True)
        assert dx.shape[1] == channels
        assert len(dx) == len(ducked) == len(mix) == LENGTH_S * RATE_HZ
        apart = mix[:, :2] - dx[:, :2] - ducked
        quiet = np.abs(mix).max(axis=1) < 0.1
        assert quiet.any()
        assert np.median(np.abs(apart[quiet])) < 1e-4
        dry, _ = soundfile.read(folder / f"MX-dry{of}.wav", always_2d=True)
        time_s, gain_db = np.loadtxt(
            folder / f"duck-curve{of}.csv", delimiter=",", skiprows=1, ndmin=2
        ).T
        at_s = np.arange(len(dry)) / RATE_HZ
        gain = 10 ** (np.interp(at_s, time_s, gain_db) / 20)[:, np.newaxis]
        heard = np.abs(ducked) > 1e-4
        assert np.abs(20 * np.log10(ducked[heard] / (dry * gain)[heard])).max() < 0.1
    assert (everything.output.parent / "plot.png").stat().st_size > 10_000


def test_one_take_for_all_and_a_line_for_each(everything: Scored) -> None:
    started = re.findall(r"^([\w ]+): started$", everything.stderr, re.MULTILINE)
    assert started == [
        *("probe", "spot", "reel", "hear 2", "hear 3", "compose", "sketch", "conform"),
        *("level", "duck", "mix", "level 2", "duck 2", "mix 2", "level 3", "duck 3", "mix 3"),
        "mux",
    ]
    assert len(re.findall(r"^audio      \d programme", everything.stderr, re.MULTILINE)) == 3


# --- which streams -----------------------------------------------------------------------------


def test_streams_that_are_not_chosen_are_untouched(
    everything: Scored, score: Callable[..., Scored]
) -> None:
    scored = score(everything.source, "--audio-streams", "de")
    kinds = [(sound["kind"], sound["source"]) for sound in scored.told["audio"]]
    assert kinds == [("untouched", 1), ("programme", 2), ("untouched", 3)]
    assert described(scored.output) == described(scored.source)
    for index in (1, 3):
        assert packets(scored.output, index) == packets(scored.source, index)
    # It leads now, and what was made of it and of the music before is not made again.
    german = everything.sounds("programme")[1]
    assert scored.told["programme"]["integrated_lufs"] == pytest.approx(-14.0, abs=0.5)
    assert scored.told["speech"] == german["speech"]
    assert scored.told["duck"] == german["duck"]
    again = {run["name"] for run in scored.told["stages"] if run["cached"]}
    assert {"probe", "spot", "reel", "compose", "conform"} <= again
    assert "without the music: audio stream 0, 2" in " ".join(scored.told["warnings"])


def test_the_default_stream_alone(everything: Scored, score: Callable[..., Scored]) -> None:
    scored = score(everything.source, "--audio-streams", "default")
    assert [sound["kind"] for sound in scored.told["audio"]] == [
        "programme",
        "untouched",
        "untouched",
    ]
    # The same stems as with all: nothing but the mux is done again.
    assert {run["name"] for run in scored.told["stages"] if not run["cached"]} == {"mux"}


@pytest.mark.slow
def test_numbers_and_languages_go_together(
    everything: Scored, score: Callable[..., Scored]
) -> None:
    scored = score(everything.source, "--audio-streams", "2, eng")
    assert [sound["kind"] for sound in scored.told["audio"]] == [
        "programme",
        "untouched",
        "programme",
    ]
    runs = [run for sound in scored.told["audio"] for run in sound["stages"]]
    assert runs
    assert all(run["cached"] for run in runs)


@pytest.mark.parametrize(("asked", "says"), [("ita", "ita"), ("3", "3"), ("eng,,deu", "no stream")])
def test_a_stream_that_is_not_there(
    asked: str, says: str, everything: Scored, scorebed: Scorebed, work: Path, tmp_path: Path
) -> None:
    done = scorebed(
        "score", everything.source, "-o", tmp_path / "a.mkv", "--workspace", work,
        "--audio-streams", asked,
    )  # fmt: skip
    assert done.returncode == 2
    assert says in done.stderr
    assert "0 (eng), 1 (deu), 2 (fra)" in done.stderr or "eng,deu" in done.stderr
    assert not (tmp_path / "a.mkv").exists()


@pytest.mark.slow
def test_without_production_audio_one_stream_of_music_is_left(
    everything: Scored, score: Callable[..., Scored]
) -> None:
    scored = score(everything.source, "--production-audio", "drop")
    assert [(sound["kind"], sound["source"]) for sound in scored.told["audio"]] == [
        ("programme", 1)
    ]
    assert [entry["index"] for entry in scored.told["streams"]["dropped"]] == [2, 3]
    kept = score(everything.source, "--production-audio", "drop", "--keep-original", name="b.mkv")
    kinds = [(sound["kind"], sound["source"]) for sound in kept.told["audio"]]
    assert kinds == [("programme", 1), ("original", 1), ("original", 2), ("original", 3)]
    for sound in kept.sounds("original"):
        assert packets(kept.output, sound["index"]) == packets(kept.source, sound["source"])


# --- containers --------------------------------------------------------------------------------


def test_an_mp4_keeps_languages_and_marks(
    make_languages: Callable[..., Path], score: Callable[..., Scored], ffmpeg_exe: str
) -> None:
    source = make_languages("languages.mp4", "aac", 12)
    scored = score(source, "--keep-original", "--music-stream", name="out.mp4")
    assert described(scored.output)[:4] == described(source)
    assert [title for *_, title, _ in described(scored.output)[4:]] == [
        "Original: English", "Original", "Original: Tone", "Music",
    ]  # fmt: skip
    assert [marks for *_, marks in described(scored.output)].count(["default"]) == 2
    for sound in scored.sounds("original"):
        assert packets(scored.output, sound["index"]) == packets(source, sound["source"])
    for sound in scored.sounds("programme"):
        found = integrated_by_ffmpeg(ffmpeg_exe, scored.output, sound["index"])
        assert found == pytest.approx(-14.0, abs=0.5)


def test_an_original_that_the_container_refuses_is_encoded(
    make_media: Callable[..., Path], talk: Path, score: Callable[..., Scored], ffmpeg_exe: str
) -> None:
    """WebM takes no PCM: the same sound comes in its own codec, and lies where it was."""
    source = make_media(
        "short.mkv",
        *("-t", "6", "-i", talk, "-s", "160x90", "-c:v", "libvpx-vp9", "-deadline", "realtime"),
        *("-cpu-used", "8", "-c:a", "pcm_s16le"),
    )
    scored = score(source, "--keep-original", name="out.webm")
    assert [(sound["kind"], sound["codec"]) for sound in scored.told["audio"]] == [
        ("programme", "opus"),
        ("original", "opus"),
    ]
    original = scored.sounds("original")[0]
    before, after = (placed(ffmpeg_exe, path, at) for path, at in ((source, 1), (scored.output, 2)))
    assert np.corrcoef(part(before, (2, 5)), part(after, (2, 5)))[0, 1] > 0.98
    assert level_db(part(after, (2, 5))) == pytest.approx(level_db(part(before, (2, 5))), abs=0.3)
    assert original["loudness"]["integrated_lufs"] is not None


def test_two_streams_that_are_the_same(
    make_media: Callable[..., Path], short_talk: Path, score: Callable[..., Scored]
) -> None:
    """The second is made of the first one's stages, and still is a stream of its own."""
    source = make_media(
        "twice.mp4", "-i", short_talk, "-map", "0:v", "-map", "0:a", "-map", "0:a", "-c", "copy"
    )
    scored = score(source, name="out.mp4")
    first, second = scored.sounds("programme")
    assert packets(scored.output, 1) == packets(scored.output, 2)
    assert first["loudness"] == second["loudness"]
    assert first["duck"] == second["duck"]


@pytest.mark.media
@pytest.mark.parametrize("name", ["containers/ffmpegnormalize_test.mp4", "edited/nasa_13013.mp4"])
def test_real_films_with_two_streams(
    name: str, media_dir: Path, score: Callable[..., Scored], ffmpeg_exe: str
) -> None:
    source = media_dir / name
    scored = score(source, "--keep-original", "--music-stream", name="out.mp4")
    programmes = scored.sounds("programme")
    assert len(programmes) == 2
    for sound in programmes:
        found = integrated_by_ffmpeg(ffmpeg_exe, scored.output, sound["index"])
        assert found == pytest.approx(-14.0, abs=0.5)
    for sound in scored.sounds("original"):
        assert packets(scored.output, sound["index"]) == packets(source, sound["source"])
