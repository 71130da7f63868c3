"""The sheet: every thumbnail in its row, in order, and what the colours say of each scene."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib import cbook
from matplotlib.figure import Figure
from matplotlib.image import imread
from numpy.typing import NDArray

from scorebed.delivery import publish
from scorebed.errors import SettingsError
from scorebed.exporters import fonts
from scorebed.exporters.png import write_png
from scorebed.exporters.sheet import MOST_VIEWS, Sheet, plan_sheet, write_sheet
from scorebed.exporters.sheet_layout import HEAD_PX, LEFT_PX, RIGHT_PX, WIDTH_PX, row_height_px
from scorebed.model import (
    Cue,
    HitPoint,
    PictureCurve,
    Scene,
    Shot,
    SpeechRegion,
    SpottingNotes,
    TimeRange,
    Transition,
    cues_of,
)

Picture = NDArray[np.uint8]


def some_notes(scenes: int, shots: int, scene_s: int = 12) -> SpottingNotes:
    """Scenes of equal length, each with so many shots of equal length."""
    end_s = Fraction(scenes * scene_s)
    cuts_s = [Fraction(scene_s * n, shots) for n in range(scenes * shots + 1)]
    starts_s = [Fraction(scene_s * n) for n in range(scenes + 1)]
    return SpottingNotes(
        duration_s=end_s,
        frame_rate=Fraction(25),
        shots=tuple(
            Shot(range=TimeRange.between(a, b), confidence=1.0) for a, b in pairwise(cuts_s)
        ),
        scenes=tuple(
            Scene(
                range=TimeRange.between(a, b),
                shots=shots,
                motion=0.3,
                brightness=0.5,
                saturation=0.5,
                warmth=0.0,
                name="\u540d\u524d $x_1$",
                brief="many words " * 30,
            )
            for a, b in pairwise(starts_s)
        ),
        speech=(SpeechRegion(range=TimeRange.between(Fraction(1), Fraction(2)), confidence=1.0),),
        curve=PictureCurve(
            hop_s=Fraction(1, 2),
            motion=(0.0,) * (2 * scenes * scene_s),
            brightness=(0.5,) * (2 * scenes * scene_s),
        ),
        cues=(Cue(number="1M1", range=TimeRange.between(Fraction(0), end_s), hit_points=()),),
    )


def drawn(sheet: Sheet, path: Path, height_px: int = 60) -> tuple[Picture, list[Picture]]:
    """The sheet as it is read again: its rows, each with thumbnails of one colour per view."""
    asked: list[int] = []

    def thumbnails() -> Iterator[Picture]:
        for number, _ in enumerate(sheet.wanted):
            asked.append(number)
            yield np.full((height_px, sheet.box_px[0], 3), colour_of(number), dtype=np.uint8)

    part, final = write_sheet(path, sheet, thumbnails())
    assert final == path
    assert asked == list(range(len(sheet.wanted)))
    read = np.round(imread(part)[..., :3] * 255).astype(np.uint8)
    row_px = row_height_px(height_px)
    assert read.shape == (HEAD_PX + len(sheet.views) * row_px, WIDTH_PX, 3)
    rows = [
        read[HEAD_PX + n * row_px : HEAD_PX + (n + 1) * row_px] for n in range(len(sheet.views))
    ]
    return read, rows


def colour_of(number: int) -> tuple[int, int, int]:
    return 10 + number % 200, 250, 3 + number // 200


def shown_in(row: Picture) -> list[int]:
    """The thumbnails of a row from left to right, by their colours."""
    line = row[30, LEFT_PX : RIGHT_PX + 1].astype(int)
    marked = line[(line[:, 1] == 250) & (line[:, 2] < 10)]
    numbers = marked[:, 0] - 10 + 200 * (marked[:, 2] - 3)
    return [int(n) for at, n in enumerate(numbers) if at == 0 or n != numbers[at - 1]]


@pytest.mark.parametrize(("scenes", "shots"), [(1, 1), (3, 5), (10, 12), (4, 40), (40, 3)])
def test_every_thumbnail_is_in_its_row(scenes: int, shots: int, tmp_path: Path) -> None:
    sheet = plan_sheet("film.mp4", some_notes(scenes, shots))
    _, rows = drawn(sheet, tmp_path / "sheet.png")
    number = 0
    for views, row in zip(sheet.views, rows, strict=True):
        assert shown_in(row) == list(range(number, number + len(views)))
        number += len(views)


def test_of_many_shots_a_dozen_is_shown_evenly() -> None:
    sheet = plan_sheet("film.mp4", some_notes(1, 100, scene_s=1000))
    starts_s = [float(span.start_s) for span in sheet.wanted]
    assert len(starts_s) == MOST_VIEWS
    assert (starts_s[0], starts_s[-1]) == (0, 990)
    assert set(np.diff(starts_s)) == {90.0}


def test_a_long_shot_is_seen_more_than_once_and_a_short_one_is_not() -> None:
    (views,) = plan_sheet("film.mp4", some_notes(1, 1, scene_s=60)).views
    assert [float(view.range.start_s) for view in views] == [0, 15, 30, 45]
    assert [view.opens for view in views] == [True, False, False, False]
    (views,) = plan_sheet("film.mp4", some_notes(1, 1, scene_s=3)).views
    assert len(views) == 1


def test_a_shot_is_seen_when_its_dissolve_is_over() -> None:
    notes = some_notes(1, 6)
    change = Transition(
        kind="dissolve", range=TimeRange.between(Fraction("1.5"), Fraction("2.5")), confidence=0.9
    )
    shots = (notes.shots[0], replace(notes.shots[1], transition=change), *notes.shots[2:])
    sheet = plan_sheet("film.mp4", replace(notes, shots=shots))
    assert [float(span.start_s) for span in sheet.wanted] == [0, 2.5, 4, 6, 8, 10]


def test_a_scene_that_starts_inside_of_a_shot_shows_its_own_start() -> None:
    notes = some_notes(2, 4)
    scenes = (
        replace(notes.scenes[0], range=TimeRange.between(Fraction(0), Fraction(10))),
        replace(notes.scenes[1], range=TimeRange.between(Fraction(10), Fraction(24))),
    )
    views = plan_sheet("film.mp4", replace(notes, scenes=scenes)).views
    assert float(views[1][0].range.start_s) == 10
    assert not views[1][0].opens
    assert views[1][1].opens


def test_silence_speech_and_hit_points_are_seen(tmp_path: Path) -> None:
    notes = some_notes(3, 2)
    hits = (HitPoint(at_s=Fraction(6), label="door", weight=1.0),)
    spans = [(Fraction(0), Fraction(12)), (Fraction(30), Fraction(36))]
    cues = cues_of([TimeRange.between(*span) for span in spans], hits)
    sheet = plan_sheet("film.mp4", replace(notes, cues=cues, hit_points=hits))
    _, rows = drawn(sheet, tmp_path / "sheet.png")
    papers = [tuple(int(value) for value in row[5, 5]) for row in rows]
    assert papers[0] == papers[2] == (255, 255, 255)
    assert papers[1] != papers[0], "the scene without music is darker"
    strips = [row[-55:-35, LEFT_PX:RIGHT_PX].astype(int) for row in rows]

    def at(row: int, time_s: float) -> NDArray[np.int64]:
        left = round((time_s - 12 * row) / 12 * (RIGHT_PX - LEFT_PX))
        return np.asarray(strips[row][:, left - 15 : left + 15])

    assert (at(0, 1.5)[..., 2] < at(0, 1.5)[..., 0] - 40).mean() > 0.9, "yellow: speech"
    assert (at(0, 4.0)[..., 2] < at(0, 4.0)[..., 0] - 40).mean() == 0
    # Hatched where no music is, even within a scene that has some.
    assert at(2, 26).std() > 5 > at(2, 34).std()
    red = (rows[0][..., 0] > 180) & (rows[0][..., 1] < 110) & (rows[0][..., 2] < 130)
    found = np.argwhere(red[:, LEFT_PX:])
    assert found[:, 1].mean() == pytest.approx((RIGHT_PX - LEFT_PX) / 2, abs=2)


def test_too_many_scenes_are_refused() -> None:
    with pytest.raises(SettingsError, match="151 scenes") as caught:
        plan_sheet("film.mp4", some_notes(151, 1))
    assert "--max-scenes 150" in caught.value.remedy


def test_frames_that_could_not_be_decoded_leave_their_place(tmp_path: Path) -> None:
    sheet = plan_sheet("film.mp4", some_notes(2, 3))
    part, _ = write_sheet(tmp_path / "sheet.png", sheet, iter([None] * len(sheet.wanted)))
    assert imread(part).shape[1] == WIDTH_PX


def test_nothing_is_left_when_drawing_fails(tmp_path: Path) -> None:
    sheet = plan_sheet("film.mp4", some_notes(2, 3))

    def broken() -> Iterator[Picture | None]:
        yield None
        raise SettingsError("broken", remedy="none")

    with pytest.raises(SettingsError):
        write_sheet(tmp_path / "sheet.png", sheet, broken())
    assert not list(tmp_path.iterdir())


def test_two_that_draw_one_sheet_do_not_meet(tmp_path: Path) -> None:
    sheet = plan_sheet("film.mp4", some_notes(1, 1))
    path = tmp_path / "sheet.png"
    (one, _), (other, _) = (write_sheet(path, sheet, iter([None] * 4)) for _ in range(2))
    publish(one, path, overwrite=True)
    publish(other, path, overwrite=True)
    assert [*tmp_path.iterdir()] == [path]


def test_signs_that_no_font_has_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    stix = str(cbook._get_data_path("fonts", "ttf", "STIXGeneral.ttf"))
    monkeypatch.setattr(fonts, "_fonts", lambda: iter([(stix, "STIXGeneral")]))
    fonts._families.cache_clear()
    figure = Figure()
    text = figure.text(0, 0, "A\u0438 \u540d\u524d \u30b7\u30fc\u30f3 \U0001f3ac \u2322")
    fonts.settle(figure)
    # Cyrillic is in the usual font, the frown in another.
    assert text.get_text() == "A\u0438 [2 CJK] [3 Katakana] [clapper board] \u2322"
    assert text.get_fontfamily()[-1] == "STIXGeneral"
    figure.savefig(BytesIO())  # a warning is an error
    fonts._families.cache_clear()


def test_a_png_is_what_was_written(tmp_path: Path) -> None:
    picture = np.random.default_rng(3).integers(0, 256, (50, 33, 3), dtype=np.uint8)
    write_png(tmp_path / "a.png", 33, 50, iter([picture[:1], picture[1:20], picture[20:]]))
    read = np.round(imread(tmp_path / "a.png")[..., :3] * 255).astype(np.uint8)
    assert np.array_equal(read, picture)
