"""Where cuts come from, how closely is looked, and where music is left out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile

RATE = 25
CUTS_S = (3.2, 7.2, 10.6)
LOOKS = ("testsrc2", "smptebars", "rgbtestsrc", "yuvtestsrc")

Spot = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def film(make_media: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four pictures of 14 s in all, with chapters that are not at the cuts."""
    lengths = np.diff([0.0, *CUTS_S, 14.0])
    inputs = [
        word
        for look, length_s in zip(LOOKS, lengths, strict=True)
        for word in ("-f", "lavfi", "-t", f"{length_s:.3f}", "-i", f"{look}=size=160x90:rate=25")
    ]
    chapters = tmp_path_factory.mktemp("chapters") / "chapters.txt"
    chapters.write_text(
        ";FFMETADATA1\n"
        + "".join(
            f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={end}\ntitle=Part {start}\n"
            for start, end in ((0, 5000), (5000, 9000), (9000, 14000))
        )
    )
    return make_media(
        "four.mp4", *inputs, "-i", chapters,
        "-filter_complex", "[0][1][2][3]concat=n=4", "-map_metadata", "4",
        "-c:v", "libx264", "-preset", "fast", "-bf", "3", "-pix_fmt", "yuv420p",
    )  # fmt: skip


@pytest.fixture
def spot(scorebed: Callable[..., Any], tmp_path: Path) -> Spot:
    def run(video: Path, *options: str | Path) -> dict[str, Any]:
        done = scorebed("spot", video, "--json", "--workspace", tmp_path / "work", *options)
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    return run


def starts(told: dict[str, Any]) -> list[float]:
    return [shot["start_s"] for shot in told["shots"]]


def test_full_and_fast_agree(film: Path, spot: Spot) -> None:
    fast, full = spot(film), spot(film, "--accuracy", "full")
    assert starts(fast) == starts(full) == [0, *CUTS_S]
    # Another accuracy is another question: the stage runs again.
    assert not next(stage for stage in full["stages"] if stage["name"] == "spot")["cached"]


def test_the_chapters_of_the_file_are_cuts(film: Path, spot: Spot, tmp_path: Path) -> None:
    notes = tmp_path / "notes.toml"
    assert starts(spot(film, "--cuts", "chapters", "-o", notes)) == [0, 5, 9]
    assert starts(spot(film, "--notes", notes)) == [0, 5, 9]


def test_a_list_decides(film: Path, spot: Spot, tmp_path: Path) -> None:
    edl = tmp_path / "cut.edl"
    edl.write_text(
        "TITLE: FOUR\nFCM: NON-DROP FRAME\n"
        "001  A V C        00:00:00:00 00:00:04:00 01:00:00:00 01:00:04:00\n"
        "002  B V C        00:00:00:00 00:00:00:00 01:00:04:00 01:00:04:00\n"
        "002  B V D    025 00:00:00:00 00:00:10:00 01:00:04:00 01:00:14:00\n"
    )
    told = spot(film, "--cuts", edl)
    first, second = told["shots"]
    assert (first["end_s"], second["start_s"]) == (4.0, 5.0)
    assert (second["transition"], second["confidence"]) == ("dissolve", 1.0)
    assert told["transitions"] == [
        {"kind": "dissolve", "start_s": 4.0, "end_s": 5.0, "confidence": 1.0}
    ]


def test_the_times_of_a_list_become_frames(film: Path, spot: Spot, tmp_path: Path) -> None:
    """Also those that the fast look leaves out."""
    times = tmp_path / "times.csv"
    wanted = [frame / RATE for frame in (11, 22, 33, 44, 55, 66, 77)]
    times.write_text("".join(f"{at_s + 0.013:.3f}\n" for at_s in wanted))
    assert starts(spot(film, "--cuts", times)) == pytest.approx([0, *wanted])


@pytest.mark.parametrize("named", ["missing.edl", "no.edl"])
def test_a_list_that_cannot_be_used(
    named: str, film: Path, scorebed: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "no.edl").write_text("TITLE: NOTHING\n")
    done = scorebed("score", film, "--cuts", tmp_path / named, "-o", tmp_path / "out.mp4")
    assert done.returncode in {2, 3}
    assert named in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out.mp4").exists()


def test_a_film_without_chapters(
    make_video: Any, scorebed: Callable[..., Any], tmp_path: Path
) -> None:
    video = make_video("plain.mp4", duration_s=4.0)
    done = scorebed("spot", video, "--cuts", "chapters", "--workspace", tmp_path / "work")
    assert done.returncode == 3
    assert "no chapters" in done.stderr


@pytest.fixture(scope="module")
def half_scored(make_media: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty seconds: noise, with a tune from 12 to 26 s."""
    rng = np.random.default_rng(1)
    rate = 48_000
    sound = 0.003 * rng.standard_normal(40 * rate)
    time_s = np.arange(rate) / rate
    fall = 0.05 * np.exp(-2 * time_s) * np.minimum(1, time_s * 100)
    for second in range(12, 26):
        root = 48 + int(rng.choice([0, 5, 7, 9]))
        chord = [root, root + 4, root + 7, 60 + int(rng.choice([0, 2, 4, 5, 7, 9, 11, 12]))]
        for note in chord:
            hz = 440 * 2 ** ((note - 69) / 12)
            tone = sum(np.sin(2 * np.pi * hz * n * time_s) / n for n in range(1, 7))
            sound[second * rate : (second + 1) * rate] += fall * tone
    path = tmp_path_factory.mktemp("tune") / "tune.wav"
    soundfile.write(path, sound, rate)
    return make_media(
        "tune.mov", "-f", "lavfi", "-t", "40", "-i", "testsrc2=size=160x90:rate=25", "-i", path,
        "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "pcm_s16le",
    )  # fmt: skip


def test_no_music_where_there_is_some(
    half_scored: Path, scorebed: Callable[..., Any], tmp_path: Path
) -> None:
    done = scorebed(
        "score", half_scored, "--skip-existing-music", "--quality", "draft", "--json",
        "-o", tmp_path / "out.mov", "--stems", tmp_path / "stems",
        "--workspace", tmp_path / "work",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    (found,) = told["existing_music"]
    assert (found["start_s"], found["end_s"]) == (
        pytest.approx(12, abs=1.5),
        pytest.approx(26, abs=1.5),
    )
    assert [cue["number"] for cue in told["cues"]] == ["1M1", "1M2"]
    music, rate = soundfile.read(tmp_path / "stems" / "MX-dry.wav")
    inside = music[round((found["start_s"] + 0.1) * rate) : round((found["end_s"] - 0.1) * rate)]
    assert np.abs(inside).max() < 10 ** (-90 / 20)
    assert np.abs(music[: 10 * rate]).max() > 0.01
    assert np.abs(music[28 * rate : 36 * rate]).max() > 0.01
    with av.open(str(tmp_path / "out.mov")) as container:
        assert container.streams.video[0].frames == 1000


def test_music_is_looked_for_once(half_scored: Path, spot: Spot, tmp_path: Path) -> None:
    notes = tmp_path / "notes.toml"
    found = spot(half_scored, "--skip-existing-music", "-o", notes)
    assert [stage["name"] for stage in found["stages"]] == ["probe", "spot", "spare"]
    told = spot(half_scored, "--notes", notes)
    assert [(stage["name"], stage["cached"]) for stage in told["stages"]] == [
        ("probe", True),
        ("spot", True),
    ]
    assert len(told["cues"]) == 2
    assert told["cues"] == found["cues"]
    assert told["hit_points"] == found["hit_points"]


def test_music_from_end_to_end_leaves_nothing_to_do(
    half_scored: Path, scorebed: Callable[..., Any], make_media: Any, tmp_path: Path
) -> None:
    short = make_media("full.mov", "-ss", "13", "-t", "12", "-i", half_scored, "-c", "copy")
    done = scorebed("spot", short, "--skip-existing-music", "--workspace", tmp_path / "work")
    assert done.returncode == 3
    assert "has music already" in done.stderr


def test_notes_say_themselves_where_music_plays(
    film: Path, scorebed: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "n.toml").write_text("[[silence]]\nstart = 0\nend = 1\n")
    done = scorebed("score", film, "--notes", tmp_path / "n.toml", "--skip-existing-music")
    assert done.returncode == 2
    assert "--skip-existing-music" in done.stderr


def test_what_is_read_is_not_written_over(
    film: Path, scorebed: Callable[..., Any], tmp_path: Path
) -> None:
    times = tmp_path / "times.csv"
    times.write_text("3.2\n7.2\n")
    done = scorebed("spot", film, "--cuts", times, "-o", times, "--overwrite")
    assert done.returncode == 2
    assert "is the input" in done.stderr
    assert times.read_text() == "3.2\n7.2\n"
