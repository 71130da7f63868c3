"""Notes: written, they come back to the frame; changed, they are obeyed; wrong, they are told."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scorebed.errors import SettingsError
from scorebed.exporters.notes import Origin, notes_text
from scorebed.model import (
    HitPoint,
    LookNote,
    MusicRegion,
    Picture,
    PictureCurve,
    Scene,
    Shot,
    SpeechRegion,
    SpottingNotes,
    TimeRange,
    Transition,
    cues_of,
)
from scorebed.stages.notes import obey
from scorebed.stages.notes_file import read_notes

HOP_S = Fraction(1, 2)
RATES = (Fraction(24), Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(60))
Spotted = tuple[Picture, SpottingNotes]
Written = Callable[[str], Path]


def a_picture(rate: Fraction, frames: int, **changes: Any) -> Picture:
    plain = Picture(
        format_name="mov",
        streams=(),
        video_index=0,
        sounds=(),
        production_index=None,
        start_s=Fraction(0),
        container_start_s=Fraction(0),
        duration_s=frames / rate,
        frame_count=frames,
        frame_rate=rate,
        hidden_frames=0,
        variable_rate=False,
        width_px=160,
        height_px=90,
        packets_sha256="ab" * 32,
        production=None,
    )
    return replace(plain, **changes)


def found_in(picture: Picture, cuts: list[int], openings: list[int]) -> SpottingNotes:
    """Spotting notes with cuts on these frames and scenes that start at some of them."""
    rate = picture.frame_rate
    starts_s = [Fraction(0), *(cut / rate for cut in cuts)]
    shots = tuple(
        Shot(range=TimeRange.between(start_s, end_s), confidence=round(0.5 + (n % 5) / 10, 4))
        for n, (start_s, end_s) in enumerate(pairwise([*starts_s, picture.duration_s]))
    )
    firsts = [Fraction(0), *(at / rate for at in openings)]
    scenes = tuple(
        Scene(
            range=TimeRange.between(start_s, end_s),
            shots=sum(start_s <= shot.range.start_s < end_s for shot in shots),
            motion=0.1 + n % 7 / 10,
            brightness=0.5,
            saturation=n % 10 / 10,
            warmth=-0.5 + n % 10 / 10,
        )
        for n, (start_s, end_s) in enumerate(pairwise([*firsts, picture.duration_s]))
    )
    hits = tuple(
        HitPoint(
            at_s=shot.range.start_s,
            label="scene" if shot.range.start_s in firsts else "cut",
            weight=1.0 if shot.range.start_s in firsts else round(0.6 * shot.confidence, 4),
        )
        for shot in shots
    )
    whole = TimeRange.between(Fraction(0), picture.duration_s)
    hops = int(-(-picture.duration_s // HOP_S))
    return SpottingNotes(
        duration_s=picture.duration_s,
        frame_rate=rate,
        shots=shots,
        scenes=scenes,
        speech=(SpeechRegion(range=TimeRange.between(Fraction(1), Fraction(2)), confidence=0.9),),
        curve=PictureCurve(
            hop_s=HOP_S,
            motion=tuple(n % 10 / 10 for n in range(hops)),
            brightness=tuple(n % 4 / 4 for n in range(hops)),
        ),
        cues=cues_of([whole], hits),
        hit_points=hits,
    )


@pytest.fixture
def spotted() -> Spotted:
    """40 s at 25 frames per second, six shots, three scenes: 0 s, 12 s, 28 s."""
    picture = a_picture(Fraction(25), 1000)
    return picture, found_in(picture, [100, 300, 500, 700, 850], [300, 700])


@pytest.fixture
def written(tmp_path: Path) -> Written:
    def write(text: str) -> Path:
        path = tmp_path / "notes.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def text_of(picture: Picture, notes: SpottingNotes, **more: Any) -> str:
    origin = Origin(
        video="film.mp4", shown_video="film.mp4", notes="notes.toml", look=LookNote(max_scenes=10)
    )
    return notes_text(notes, picture, origin, **more)


def obeyed(path: Path, spotted: Spotted) -> SpottingNotes:
    picture, notes = spotted
    return obey(notes, read_notes(path, picture), picture)


def starts_of(notes: SpottingNotes) -> list[float]:
    return [float(scene.range.start_s) for scene in notes.scenes]


def music_of(notes: SpottingNotes) -> list[tuple[str, float, float]]:
    return [(cue.number, float(cue.range.start_s), float(cue.range.end_s)) for cue in notes.cues]


def hits_of(notes: SpottingNotes) -> dict[float, tuple[str, float]]:
    return {
        float(hit.at_s): (hit.label, hit.weight) for cue in notes.cues for hit in cue.hit_points
    }


THREE = """
[[scene]]
start = 0
[[scene]]
start = "00:00:12.000"
{second}
[[scene]]
start = "00:00:28:00"
"""


# --- there and back ----------------------------------------------------------------------------


@st.composite
def films(draw: st.DrawFn) -> tuple[Spotted, SpottingNotes]:
    """A picture with what was found in it, and what a user may have made of that."""
    rate = draw(st.sampled_from(RATES))
    frames = draw(st.integers(240, 400_000))
    dice = random.Random(draw(st.integers(0, 2**32)))  # noqa: S311
    cuts = sorted(dice.sample(range(1, frames), dice.randint(0, 30)))
    openings = [cut for cut in cuts if dice.random() < 0.4]
    picture = a_picture(rate, frames)
    if draw(st.booleans()):  # Matroska's clock: frames lie on thousandths of a second
        picture = replace(picture, duration_s=Fraction(round(picture.duration_s * 1000), 1000))
    notes = found_in(picture, cuts, openings)
    starts = sorted({0, *dice.sample(range(frames), dice.randint(0, 8))})
    texts = st.text(st.characters(codec="utf-8"), max_size=20).map(str.strip)
    scenes = []
    for first, after in pairwise([*starts, frames]):
        end_s = picture.duration_s if after == frames else after / rate
        scenes.append(
            replace(
                notes.scenes[0],
                range=TimeRange.between(first / rate, end_s),
                name=draw(texts),
                brief=draw(texts),
            )
        )
    edges = sorted(dice.sample(range(0, frames, 61), 2 * dice.randint(0, 2)))
    spans = zip(edges[::2], edges[1::2], strict=True)
    cues = cues_of([TimeRange.between(a / rate, b / rate) for a, b in spans], ())
    edited = replace(notes, scenes=tuple(scenes), cues=cues or notes.cues)
    return (picture, notes), edited


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(films())
def test_what_is_written_is_read_to_the_frame(
    written: Written, film: tuple[Spotted, SpottingNotes]
) -> None:
    spotted, edited = film
    picture, _ = spotted
    back = obeyed(written(text_of(picture, edited)), spotted)
    half_frame_s = 1 / picture.frame_rate / 2
    assert len(back.scenes) == len(edited.scenes)
    for one, other in zip(back.scenes, edited.scenes, strict=True):
        assert abs(one.range.start_s - other.range.start_s) < half_frame_s
        assert (one.name, one.brief) == (other.name, other.brief)
    assert [cue.number for cue in back.cues] == [cue.number for cue in edited.cues]
    for ours, theirs in zip(back.cues, edited.cues, strict=True):
        assert abs(ours.range.start_s - theirs.range.start_s) < half_frame_s
        assert abs(ours.range.end_s - theirs.range.end_s) < half_frame_s
    # And what was read is written and read as the very same.
    assert obeyed(written(text_of(picture, back)), spotted) == back


def test_notes_that_were_not_changed_change_nothing(written: Written, spotted: Spotted) -> None:
    assert obeyed(written(text_of(*spotted)), spotted) == spotted[1]


def test_gradual_transitions_and_found_silences_stay(written: Written, spotted: Spotted) -> None:
    picture, notes = spotted
    change = Transition(
        kind="dissolve",
        range=TimeRange.between(Fraction(19), Fraction(21)),
        confidence=0.8,
    )
    shots = [*notes.shots]
    shots[3] = replace(shots[3], transition=change)
    spans = [(Fraction(0), Fraction("5.0213")), (Fraction(13), Fraction(40))]
    cues = cues_of([TimeRange.between(*span) for span in spans], notes.hit_points)
    notes = replace(notes, shots=tuple(shots), cues=cues)
    text = text_of(picture, notes)
    assert "00:00:20.000 dissolve" in text
    # No frame lies at 5.0213 s: it is known all the same.
    assert obeyed(written(text), (picture, notes)) == notes


def test_scenes_say_which_cue_they_are_in_and_what_music_is_there(spotted: Spotted) -> None:
    picture, notes = spotted
    there = MusicRegion(range=TimeRange.between(Fraction(10), Fraction(14)), confidence=0.8)
    lines = text_of(picture, replace(notes, existing_music=(there,))).splitlines()
    headings = [line for line in lines if line.startswith("# ---- scene")]
    assert [heading.partition("cue ")[2][:3] for heading in headings] == ["1M1"] * 3
    assert "# music   2.0 s: 0:10.0 to 0:12.0" in lines
    assert "# music   2.0 s: 0:12.0 to 0:14.0" in lines


def test_three_hours_are_still_readable(spotted: Spotted) -> None:
    picture = a_picture(Fraction(24000, 1001), 3 * 3600 * 24)
    dice = random.Random(5)  # noqa: S311
    cuts = sorted(dice.sample(range(1, picture.frame_count), 3600))
    notes = found_in(picture, cuts, cuts[360::360])
    phrases = tuple(
        SpeechRegion(range=TimeRange(start_s=Fraction(5 * n), duration_s=Fraction(3)), confidence=1)
        for n in range(2000)
    )
    lines = text_of(picture, replace(notes, speech=phrases)).splitlines()
    assert len(notes.scenes) == 10
    assert len(lines) < 350
    assert max(map(len, lines)) <= 100
    assert sum("more (scorebed spot --json lists all)" in line for line in lines) == 20


# --- what it obeys -----------------------------------------------------------------------------


def test_scenes_are_moved_merged_split_and_named(written: Written, spotted: Spotted) -> None:
    text = """
    [[scene]]
    start = "0:00"
    name = "  Harbour "
    [[scene]]
    start = 12.49
    brief = "only piano"
    [[scene]]
    start = "00:00:20:01"
    """
    notes = obeyed(written(text), spotted)
    assert [scene.range.start_s for scene in notes.scenes] == [
        0,
        Fraction(312, 25),
        Fraction(501, 25),
    ]
    assert notes.scenes[-1].range.end_s == 40
    assert [scene.name for scene in notes.scenes] == ["Harbour", "", ""]
    assert [scene.brief for scene in notes.scenes] == ["", "only piano", ""]
    # Every shot that is seen counts: the second scene begins and ends inside of one.
    assert [scene.shots for scene in notes.scenes] == [3, 2, 3]


def test_measures_are_taken_anew_where_a_scene_has_changed(
    written: Written, spotted: Spotted
) -> None:
    notes = obeyed(written("[[scene]]\nstart = 0\n[[scene]]\nstart = 20\n"), spotted)
    _, found = spotted
    second = notes.scenes[1]
    assert second.motion == pytest.approx(sum(found.curve.motion[40:80]) / 40, abs=1e-4)
    assert second.brightness == pytest.approx(sum(found.curve.brightness[40:80]) / 40, abs=1e-4)
    # 8 s of the second found scene, 12 s of the third.
    saturations = [scene.saturation for scene in found.scenes]
    assert second.saturation == pytest.approx(
        (8 * saturations[1] + 12 * saturations[2]) / 20, abs=1e-4
    )


def test_silent_scenes_and_ranges_leave_gaps(written: Written, spotted: Spotted) -> None:
    text = THREE.format(second="music = false") + "[[silence]]\nstart = 30\nend = 00:00:32\n"
    notes = obeyed(written(text), spotted)
    assert music_of(notes) == [("1M1", 0, 12), ("1M2", 28, 30), ("1M3", 32, 40)]
    assert starts_of(notes) == [0, 12, 28]
    assert sorted(hits_of(notes)) == [0, 4, 28, 34]
    assert [float(hit.at_s) for hit in notes.hit_points] == [0, 4, 12, 20, 28, 34]


def test_hit_points_without_music_are_kept_for_music_that_comes_back(
    written: Written, spotted: Spotted
) -> None:
    picture, _ = spotted
    text = THREE.format(second="music = false") + '[[hit]]\nat = 15\nlabel = "gong"\n'
    silent = obeyed(written(text), spotted)
    assert 15.0 not in hits_of(silent)
    assert "00:00:15.000 gong (1)" in text_of(picture, silent)
    # Another look at what was made of them: nothing is lost.
    back = obey(silent, read_notes(written(THREE.format(second="")), picture), picture)
    assert hits_of(back)[15.0] == ("gong", 1.0)


def test_silences_may_touch_overlap_and_end_with_the_picture(
    written: Written, spotted: Spotted
) -> None:
    text = "".join(
        f"[[silence]]\nstart = {start}\nend = {end}\n" for start, end in [(30, 40), (5, 9), (8, 12)]
    )
    assert music_of(obeyed(written(text), spotted)) == [("1M1", 0, 5), ("1M2", 12, 30)]


def test_hit_points_are_added_overridden_and_taken_away(written: Written, spotted: Spotted) -> None:
    text = """
    [[hit]]
    at = "0:33.333"
    label = "explosion"
    weight = 0.9
    [[hit]]
    at = 4
    [[hit]]
    at = "00:00:20.000"
    weight = 0
    """
    hits = hits_of(obeyed(written(text), spotted))
    assert hits.pop(33.32) == ("explosion", 0.9)
    assert hits.pop(4.0) == ("hit", 1.0)
    assert sorted(hits) == [0, 12, 28, 34]


def test_scene_hits_move_with_their_scene(written: Written, spotted: Spotted) -> None:
    hits = hits_of(obeyed(written("[[scene]]\nstart = 0\n[[scene]]\nstart = 21\n"), spotted))
    assert hits[21.0] == ("scene", 1.0)
    assert hits[12.0] == ("cut", 0.42)
    assert [label for label, _ in hits.values()].count("scene") == 2


@pytest.mark.parametrize(
    ("time", "rate", "frame"),
    [
        ('"01:00:10;00"', Fraction(30000, 1001), 300),
        ('"01:01:00;02"', Fraction(30000, 1001), 1800),
        ('"01:00:10:00"', Fraction(24000, 1001), 240),
        ('"00:00:10.010"', Fraction(24000, 1001), 240),
        ("10.01", Fraction(30000, 1001), 300),
        ("00:00:10.010", Fraction(60000, 1001), 600),
        ("10.03", Fraction(25), 251),
    ],
)
def test_times_mean_frames(time: str, rate: Fraction, frame: int, written: Written) -> None:
    picture = a_picture(rate, 5000)
    first = "01:00:00;00" if ";" in time else "01:00:00:00"
    text = f'[file]\ntimecode = "{first}"\n[[scene]]\nstart = 0\n[[scene]]\nstart = {time}\n'
    notes = obeyed(written(text), (picture, found_in(picture, [], [])))
    assert notes.scenes[1].range.start_s == frame / rate


def test_the_timecode_of_the_file_is_written_and_counts(written: Written) -> None:
    rate = Fraction(30000, 1001)
    for number, shown, later in (
        (107892, "01:00:00;00", "01:00:30;00"),
        (108000, "01:00:00:00", "01:00:30:00"),
    ):
        picture = a_picture(rate, 3000, timecode_s=number / rate)
        text = text_of(picture, found_in(picture, [900], [900]))
        assert f'timecode = "{shown}"' in text
        assert f'start = "00:00:{float(900 / rate):06.3f}"' in text
        text = text.replace(f'start = "00:00:{float(900 / rate):06.3f}"', f'start = "{later}"')
        notes = obeyed(written(text), (picture, found_in(picture, [900], [900])))
        assert notes.scenes[1].range.start_s == 900 / rate


def test_where_the_rate_varies_a_time_is_what_it_says(written: Written) -> None:
    picture = a_picture(Fraction(25), 1000, variable_rate=True)
    found = found_in(picture, [100], [100])
    notes = obeyed(written("[[scene]]\nstart = 0\n[[scene]]\nstart = 20.007\n"), (picture, found))
    assert notes.scenes[1].range.start_s == Fraction("20.007")
    with pytest.raises(SettingsError, match="counts frames") as caught:
        read_notes(written('[[hit]]\nat = "00:00:20:00"\n'), picture)
    assert "seconds" in caught.value.remedy


def test_duration_ends_the_music_and_may_not_leave_none(written: Written, spotted: Spotted) -> None:
    notes = obeyed(written("[[silence]]\nstart = 0\nend = 10\n"), spotted)
    assert music_of(notes.cued(Fraction(20))) == [("1M1", 10, 20)]
    with pytest.raises(SettingsError, match="--duration") as caught:
        notes.cued(Fraction(10))
    assert "at 10 s" in caught.value.message


# --- what it refuses ---------------------------------------------------------------------------

WRONG = {
    "scene": ("scene = 3", "scene", "[[scene]]"),
    "table": ("[scene]\nstart = 0", "[[scene]]", "[[scene]]"),
    "typo": ("[[scene]]\nstart = 0\nnmae = 'x'", "'nmae'", "'name'"),
    "stranger": ("[[scene]]\nstart = 0\nzzz = 'x'", "'zzz'", "start, name, brief, music"),
    "top": ("[[scenes]]\nstart = 0", "'scenes'", "'scene'"),
    "bracket": ("[[scene]\nstart = 0", "line 1", "Mend"),
    "quotes": ("[[scene]]\nstart = 0\nname = Harbour", "line 3", "quotation"),
    "number": ("[[scene]]\nstart = 0\nname = 3", "name is 3", 'name = "..."'),
    "music": ("[[scene]]\nstart = 0\nmusic = 'no'", "music is 'no'", "music = false"),
    "no start": ("[[scene]]\nname = 'x'", "no start", "start = TIME"),
    "no time": ("[[scene]]\nstart = 'soon'", "'soon' is no time", "00:01:23.480"),
    "minutes": ("[[hit]]\nat = '0:75:00'", "is no time", "1:23.48"),
    "bool": ("[[hit]]\nat = true", "True is no time", "83.48"),
    "nan": ("[[hit]]\nat = nan", "is no time", "83.48"),
    "date": ("[[hit]]\nat = 2026-01-01", "is no time", "83.48"),
    "weight": ("[[hit]]\nat = 1\nweight = 1.5", "weight is 1.5", "from 0"),
    "weight nan": ("[[hit]]\nat = 1\nweight = nan", "weight is NaN", "from 0"),
    "weight text": ("[[hit]]\nat = 1\nweight = '1'", "weight is '1'", "from 0"),
    "frames": ("[[hit]]\nat = '00:00:10:25'", "25.000 frames per second", "00 to 24"),
    "drop": ("[[hit]]\nat = '00:00:10;00'", "25.000 frames per second", "29.97"),
    "late": ("[[hit]]\nat = 40", "outside of the picture", "first frame"),
    "early": ("[[scene]]\nstart = -1", "-00:00:01.000", "first frame"),
    "silence": ("[[silence]]\nstart = 1\nend = 41", "end = 00:00:41.000", "first frame"),
    "backwards": ("[[silence]]\nstart = 9\nend = 8", "not after its start", "Mend"),
    "no end": ("[[silence]]\nstart = 9", "has no end", "end = TIME"),
    "short": ("[[silence]]\nstart = 9\nend = 9.001", "holds no frame", "a frame"),
    "order": ("[[scene]]\nstart = 9\n[[scene]]\nstart = 8", "not after", "order"),
    "same": ("[[scene]]\nstart = 0\n[[scene]]\nstart = 0.01", "same frame", "Move"),
    "huge": ("[[hit]]\nat = 1e999999999", "is no time", "83.48"),
    "tiny": ("[[hit]]\nat = -1e-999999999\nweight = 0\n[[hit]]\nat = 0", "same frame", "Remove"),
    "endless": (f"[[hit]]\nat = '{'9' * 5000}'", "is no time", "83.48"),
    "endless number": (f"[[hit]]\nat = {'9' * 5000}", "not TOML", "Mend"),
    "nested": ("x = " + "[" * 100_000, "not TOML", "Mend"),
    "hole": ("[[scene]]\nstart = 3", "first scene starts at 00:00:03.000", "00:00:00.000"),
    "two hits": ("[[hit]]\nat = 9\n[[hit]]\nat = 9.01", "same frame as [[hit]] 1", "Remove"),
    "no hit": ("[[hit]]\nat = 9\nweight = 0", "nearest is at 00:00:12.000", "very time"),
    "none": ("[[scene]]\nstart = 0\nmusic = false", "no music at all", "music = true"),
    "all silent": ("[[silence]]\nstart = 0\nend = 40", "no music at all", "music = true"),
    "slit": (
        "[[silence]]\nstart = 0\nend = 9\n[[silence]]\nstart = 9.4\nend = 20",
        "00:00:09.000 to 00:00:09.400",
        "1 s",
    ),
    "version": ("version = 2", "version 2", "update"),
    "another": ("[file]\nname = 'b.mov'\nduration = 39.9", "b.mov", "duration = ..."),
    "empty": ("", "no [[scene]]", "Leave --notes out"),
    "gutted": ("[file]\nname = 'b.mov'\n[spot]\nmax_scenes = 3", "no [[scene]]", "scorebed spot"),
    "timecode": ("[file]\ntimecode = '1 h'", "no timecode", "01:00:00:00"),
    "spot": ("[spot]\nmax_scenes = 0", "max_scenes is 0", "1 to 1000"),
    "look": ("[spot]\naccuracy = 'best'", "accuracy is 'best'", "fast, full"),
    "no list": ("[spot]\ncuts_sha256 = ''\ncuts = 3", "cuts is 3", "cuts_sha256"),
    "no hash": ("[spot]\nspeech = 'a.srt'\nspeech_sha256 = 'x'", "no hash", "remove"),
    "spot bool": ("[spot]\nmax_scenes = true", "max_scenes is True", "1 to 1000"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_told_with_a_remedy(case: str, written: Written, spotted: Spotted) -> None:
    text, told, remedy = WRONG[case]
    path = written(text)
    with pytest.raises(SettingsError) as caught:
        obeyed(path, spotted)
    assert "notes.toml" in caught.value.message
    assert told in caught.value.message
    assert remedy in caught.value.remedy


def test_another_export_of_the_same_length_is_told_not_refused(
    written: Written, spotted: Spotted
) -> None:
    picture, found = spotted
    path = written(text_of(picture, found))
    assert read_notes(path, picture).doubts == ()
    # In Matroska a film may be a thousandth longer; its packets are others.
    again = replace(picture, packets_sha256="cd" * 32, duration_s=Fraction("40.001"))
    (doubt,) = read_notes(path, again).doubts
    assert "another export (film.mp4)" in doubt
    with pytest.raises(SettingsError, match=r"00:00:40.000 long, this one 00:00:41.000"):
        read_notes(path, replace(picture, duration_s=Fraction(41)))


def test_the_line_of_a_table_is_told(written: Written, spotted: Spotted) -> None:
    text = text_of(*spotted).replace('start = "00:00:28.000"', 'start = "00:01:28.000"')
    line = 1 + [number for number, one in enumerate(text.splitlines()) if one == "[[scene]]"][2]
    with pytest.raises(SettingsError, match=rf"line {line}: \[\[scene\]\] 3"):
        obeyed(written(text), spotted)
    # A heading inside of a text is none: then no line is told, rather than a wrong one.
    with pytest.raises(SettingsError, match=r"notes.toml: \[\[scene\]\] 1: start"):
        obeyed(written('[[scene]]\nbrief = """\n[[scene]]\n"""\nstart = 99\n'), spotted)


@pytest.mark.parametrize(
    ("name", "told"),
    [("nowhere.toml", "cannot be read"), (".", "not a file"), ("pipe", "not a file")],
)
def test_a_file_that_cannot_be_read(name: str, told: str, tmp_path: Path) -> None:
    if name == "pipe":
        if not hasattr(os, "mkfifo"):
            pytest.skip("this system has no pipes with names")
        os.mkfifo(tmp_path / name)
    with pytest.raises(SettingsError, match=told) as caught:
        read_notes(tmp_path / name, None)
    assert "scorebed spot" in caught.value.remedy


def test_files_of_windows_are_read_and_others_refused(tmp_path: Path, spotted: Spotted) -> None:
    path = tmp_path / "notes.toml"
    path.write_bytes("\ufeff[[scene]]\r\nstart = 0\r\nname = 'Z\u00fcrich'\r\n".encode())
    assert obeyed(path, spotted).scenes[0].name == "Z\u00fcrich"
    path.write_bytes("[[scene]]\nname = 'Z\u00fcrich'\n".encode("latin-1"))
    with pytest.raises(SettingsError, match="UTF-8"):
        read_notes(path, None)


def test_the_form_is_checked_before_anything_is_known_of_the_picture(written: Written) -> None:
    assert read_notes(written('[[hit]]\nat = "00:00:10:24"\n'), None).hits[0].label == "hit"
    with pytest.raises(SettingsError, match="unknown key"):
        read_notes(written("[[hit]]\nta = 1\n"), None)
