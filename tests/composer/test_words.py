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
