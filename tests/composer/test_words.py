"""Words of the prompt act; what could not be used is said."""

from __future__ import annotations

from typing import Any

import pytest

from scorebed.composer import compose
from scorebed.composer.harmony import is_dark


def bpm(plan: Any) -> float:
    body = [s for s in plan.sections if not s.last]
    return float(sum(s.tempo_bpm for s in body) / len(body))


@pytest.fixture(scope="module")
def written(kit: Any, shown: Any) -> Any:
    notes = kit.notes([shown(seconds=31.7), shown(seconds=28.9, motion=0.5)])

    def write(prompt: str, style: str = "documentary", tags: tuple[str, ...] = ()) -> Any:
        return compose(notes, kit.brief(style, prompt=prompt, tags=tags, guidance=0.0))

    return write


def test_tempo_words(written: Any) -> None:
    assert bpm(written("slow")) < bpm(written("")) < bpm(written("fast"))
    assert bpm(written("140 bpm")) == pytest.approx(140, rel=0.031)
    assert bpm(written("", tags=("63bpm",))) == pytest.approx(63, rel=0.031)


def test_mood_words(written: Any) -> None:
    assert all(is_dark(s.mode) for s in written("sad").sections)
    assert all(not is_dark(s.mode) for s in written("happy and bright").sections)
    assert all(is_dark(s.mode) for s in written("not happy").sections)
    assert written("epic").sections[0].intensity > written("gentle").sections[0].intensity


def test_building(written: Any) -> None:
    rises = []
    for prompt in ("", "building tension"):
        body = [s for s in written(prompt).sections if not s.last]
        rises.append(body[-1].intensity - body[0].intensity)
    assert rises[1] > rises[0]


def test_no_drums(written: Any) -> None:
    for prompt in ("no drums", "without percussion", "drumless"):
        assert not written(prompt, "upbeat-ad").direction.drums
    assert written("", "upbeat-ad").direction.drums


def test_instruments(written: Any) -> None:
    assert {p.patch for p in written("solo piano").direction.parts} == {"piano"}
    assert not written("solo piano").direction.drums
    patches = {p.patch for p in written("no piano").direction.parts}
    assert not patches & {"piano", "felt_piano", "electric_piano"}
    assert "choir" in {p.patch for p in written("choir").direction.parts}
    roles = {p.role for p in written("no melody").direction.parts}
    assert "lead" not in roles


def test_every_instrument_may_be_refused(written: Any) -> None:
    plan = written("no piano, no pads, no bass, no harp, no pizzicato, no marimba, no strings")
    assert plan.direction.parts


def test_unused_words_are_said(written: Any) -> None:
    plan = written("a slow waltz with bagpipes, no drums", tags=("Documentary", "krautrock"))
    assert plan.unused_words == ("waltz", "bagpipes", "krautrock")
    assert written("").unused_words == ()
    assert written("slow piano music without drums").unused_words == ()


def test_any_text_is_taken(written: Any) -> None:
    for prompt in ("\x00", "no", "solo", "9999 bpm", "0 bpm", "ü" * 500, "\ud800", "🎻 strings"):
        assert written(prompt).bars


def test_a_range_of_tempo(written: Any) -> None:
    for prompt in ("between 90 and 100 bpm", "90-100 bpm", "90 to 100 BPM", "90\u2013100bpm"):
        plan = written(prompt)
        assert plan.direction.tempo_bpm == (90, 100)
        assert all(90 <= s.tempo_bpm <= 100 for s in plan.sections if not s.last)
        assert plan.unused_words == ()


def test_what_is_refused_and_not_there_is_not_told_as_unusable(written: Any) -> None:
    assert written("no zither").unused_words == ()
    assert written("without vocals, no bagpipes").unused_words == ()
    assert written("zither").unused_words == ("zither",)


def test_quiet_and_big_endings(written: Any) -> None:
    plain, quiet, big = (written(p) for p in ("sad", "sad, quiet ending", "sad with a big finish"))
    for asked in (quiet, big):
        assert asked.unused_words == ()
    ends = [plan.sections[-2].intensity for plan in (quiet, plain, big)]
    assert ends[0] < ends[1] - 0.2 < ends[2] - 0.3
    assert (quiet.sections[-1].ending, big.sections[-1].ending) == ("fade", "button")
    # What the ending is to be the rest is not.
    starts = [plan.sections[0].intensity for plan in (quiet, plain, big)]
    assert starts[0] == starts[1] == starts[2]
    assert written("soft intro").sections[0].intensity < written("").sections[0].intensity - 0.1


def test_genres(written: Any) -> None:
    jazz = written("jazz")
    assert (jazz.style.drums, jazz.style.swing) == ("brush", 0.62)
    assert "vibraphone" in {part.patch for part in jazz.direction.parts}
    house = written("upbeat house music")
    assert house.style.drums == "four-on-floor"
    assert house.style.swing == 0.5
    assert jazz.unused_words == ()
    for prompt in ("hip-hop", "hip hop"):
        assert written(prompt).style.drums == "hip-hop"
        assert written(prompt).unused_words == ()
    assert written("hip-hop", "lofi").unused_words == ()
    assert written("").style.drums == "brush"
    assert written("no drums, techno").direction.drums is False


@pytest.mark.parametrize(
    ("prompt", "drums", "missing"),
    [
        ("no drums or piano", False, {"piano", "felt_piano"}),
        ("no drums, piano or harp", False, {"felt_piano", "harp"}),
        ("don't use drums", False, set()),
        ("don\u2019t use any drums or piano", False, {"felt_piano"}),
        ("no loud drums", False, set()),
        ("no electric piano", True, {"felt_piano"}),
        ("no zither", True, set()),
        ("no drums but strings", False, set()),
    ],
)
def test_what_is_refused(written: Any, prompt: str, drums: bool, missing: set[str]) -> None:  # noqa: FBT001
    plain = written("").direction
    asked = written(prompt).direction
    assert asked.drums is drums
    here = {part.patch for part in asked.parts}
    assert here == {part.patch for part in plain.parts} - missing
    assert (asked.energy, asked.mood, asked.unused_words) == (0.0, 0.0, ())


def test_not_too_much_of_a_feeling(written: Any) -> None:
    assert written("not too fast").direction.tempo_bpm == written("slow").direction.tempo_bpm
    assert written("not too dark").direction.mood > written("less dark").direction.mood > 0
    quiet = written("fast, not too dark or loud").direction
    assert quiet.mood > 0 > quiet.energy
    assert quiet.tempo_bpm == written("fast").direction.tempo_bpm


@pytest.mark.parametrize(
    ("prompt", "patches"),
    [
        ("piano only", {"piano"}),
        ("only piano", {"piano"}),
        ("solo violin and harp", {"strings", "harp"}),
        ("piano and strings only", {"piano", "strings"}),
    ],
)
def test_who_plays_alone(written: Any, prompt: str, patches: set[str]) -> None:
    asked = written(prompt).direction
    assert {part.patch for part in asked.parts} == patches
    assert not asked.drums
    assert asked.unused_words == ()


def test_less_of_an_instrument_is_softer_and_what_cannot_be_done_is_told(written: Any) -> None:
    def gain(prompt: str) -> float:
        parts = written(prompt).direction.parts
        return float(next(part.gain_db for part in parts if part.patch == "felt_piano"))

    assert gain("less piano") == gain("") - 6.0
    assert written("less piano").unused_words == ()
    assert written("less drums").unused_words == ("less drums",)
    assert written("only drums").unused_words == ("only drums",)
    assert written("not only piano").direction.drums


def test_beats_per_minute(written: Any) -> None:
    plan = written("140 beats per minute")
    assert plan.direction == written("140 bpm").direction


def test_words_change_no_key_and_no_motif(written: Any) -> None:
    plain = written("")
    for prompt in ("epic", "no drums or piano", "100 bpm"):
        asked = written(prompt)
        assert asked.sections[0].parent == plain.sections[0].parent
        assert asked.sections[0].motif == plain.sections[0].motif
        assert asked.seed_words == plain.seed_words


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        ("300 bpm", "300 bpm (30 to 240 bpm are played)"),
        ("between 20 and 100 bpm", "20 and 100 bpm"),
        ("sad, no music", "no music"),
        ("without any score", "without any score"),
    ],
)
def test_what_no_composer_can_do_is_told(written: Any, prompt: str, told: str) -> None:
    assert any(told in word for word in written(prompt).unused_words)


def test_no_music_that_is_not_refused_is_not_told(written: Any) -> None:
    assert not written("no sad music, some music for strings, 240 bpm").unused_words
