"""Cuts and transitions against what is known of films: the sample clips, and labelled ones."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import get_args

import pytest

from scorebed.model import Accuracy, Picture, SourceFile, SpotSettings, SpottingNotes
from scorebed.stages.spot import spot

Probed = Callable[[Path], tuple[SourceFile, Picture]]
Look = Callable[[Path, Accuracy], tuple[Picture, SpottingNotes]]
SAMPLES = Path(__file__).parents[2] / "sample_media"
GRADUAL = ("dissolve", "dip_through", "fade_")


@pytest.fixture
def looked(probed: Probed, tmp_path: Path) -> Look:
    def look(path: Path, accuracy: Accuracy) -> tuple[Picture, SpottingNotes]:
        source, picture = probed(path)
        settings = SpotSettings(max_scenes=10, listen=False, accuracy=accuracy)
        return picture, spot(source, picture, settings, folder=tmp_path).notes

    return look


def hard_cuts_s(notes: SpottingNotes) -> list[float]:
    return [float(one.range.start_s) for one in notes.shots[1:] if one.opened_by == "cut"]


def met(found: Iterable[float], wanted: Iterable[float], within_s: float) -> int:
    """How many are found, each once."""
    left = sorted(wanted)
    count = 0
    for at_s in sorted(found):
        near = [one for one in left if abs(one - at_s) <= within_s]
        if near:
            left.remove(min(near, key=lambda one: abs(one - at_s)))
            count += 1
    return count


@pytest.mark.parametrize("accuracy", get_args(Accuracy))
@pytest.mark.parametrize("name", ["talk", "montage"])
def test_the_cuts_of_the_sample_clips(name: str, accuracy: Accuracy, looked: Look) -> None:
    """Every one on its frame; the sky stays above and the sea below over many of them."""
    truth = json.loads((SAMPLES / f"{name}.json").read_text())
    picture, notes = looked(SAMPLES / f"{name}.mp4", accuracy)
    frames = [round(at_s * picture.frame_rate) for at_s in map(float, hard_cuts_s(notes))]
    assert frames == [cut["frame"] for cut in truth["cuts"]]
    # The only other transition is the fade to black that ends the montage.
    assert all(shot.opened_by == "cut" for shot in notes.shots)
    assert (notes.ending is not None) == (name == "montage")


@pytest.mark.media
@pytest.mark.parametrize("accuracy", get_args(Accuracy))
def test_labelled_films(accuracy: Accuracy, looked: Look, media_dir: Path) -> None:
    right = wrong = missed = 0
    spans_right = spans_wrong = spans_missed = 0
    traps = []
    for labels in sorted((media_dir / "edited").glob("*.cuts.csv")):
        film = labels.with_name(labels.name.removesuffix(".cuts.csv"))
        picture, notes = looked(film, accuracy)
        frame_s = 1.01 / float(picture.frame_rate)
        with labels.open() as file:
            rows = [
                (row["kind"], float(row["time_from_first_video_frame_s"]),
                 float(row["end_pts_time_s"]) - float(row["pts_time_s"]))
                for row in csv.DictReader(file)
            ]  # fmt: skip
        wanted = [at_s for kind, at_s, _ in rows if kind == "cut"]
        found = hard_cuts_s(notes)
        hits = met(found, wanted, frame_s)
        if film.name.startswith("tears"):
            assert 2 * hits / (len(found) + len(wanted)) >= 0.90
        right, wrong, missed = (
            right + hits, wrong + len(found) - hits, missed + len(wanted) - hits,
        )  # fmt: skip
        spans = [(at_s, at_s + long_s) for kind, at_s, long_s in rows if kind.startswith(GRADUAL)]
        changes = [shot.transition for shot in notes.shots] + [notes.ending]
        seen = [
            (float(one.range.start_s), float(one.range.end_s)) for one in changes if one is not None
        ]
        overlap = [any(a < d and c < b for c, d in seen) for a, b in spans]
        alone = [all(a >= d or c >= b for a, b in spans) for c, d in seen]
        spans_right += sum(overlap)
        spans_missed += len(overlap) - sum(overlap)
        spans_wrong += sum(alone)
        traps += [
            (film.name, at_s)
            for kind, at_s, long_s in rows
            if kind == "not_a_cut"
            and any(
                at_s - frame_s <= cut_s <= at_s + long_s + frame_s
                for cut_s in found
                if not met([cut_s], wanted, frame_s)
            )
        ]
    assert 2 * right / (2 * right + wrong + missed) >= 0.95
    assert 2 * spans_right / (2 * spans_right + spans_wrong + spans_missed) >= 0.8
    assert traps == []
