"""Several cues: a piece for each, of one family, and silence between them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from scorebed.composer import compose, render

CUES = ((1.2, 7.0), (11.0, 16.4), (20.0, 24.0))
"""In the film of 25.2 s: from the first scene, over a scene change, inside the last."""


@pytest.fixture(scope="module")
def played(kit: Any) -> Any:
    composition = compose(kit.notes(kit.film, cues=CUES), kit.brief("cinematic"))
    return composition, kit.play(composition)


def at(time_s: float) -> int:
    return round(time_s * 48_000)


def test_between_the_pieces_there_is_digital_silence(played: Any, kit: Any) -> None:
    _, audio = played
    assert len(audio) == at(25.2)
    for start_s, end_s in itertools.pairwise([0.0, *itertools.chain(*CUES), 25.2]):
        heard = audio[at(start_s) : at(end_s)]
        if (start_s, end_s) in CUES:
            assert kit.rms_db(heard) > -40
        else:
            assert not heard.any()


def test_each_piece_begins_at_once_and_has_rung_out_at_its_end(played: Any, kit: Any) -> None:
    composition, audio = played
    for piece, (start_s, end_s) in zip(composition.pieces, CUES, strict=True):
        assert (piece.start_samples, piece.end_samples) == (at(start_s), at(end_s))
        first, last = piece.sections[0], piece.sections[-1]
        assert first.opens_cue
        assert first.start_samples == at(start_s)
        assert last.last
        assert last.end_samples == at(end_s)
        sounding = np.flatnonzero(np.abs(audio[at(start_s) :]).max(axis=1) > 1e-3)[0]
        assert sounding < at(0.03)
        # It fades of itself: the last 50 ms are far under the piece, and nothing breaks off.
        ending = kit.rms_db(audio[at(end_s - 0.05) : at(end_s)])
        assert ending < kit.rms_db(audio[at(start_s) : at(end_s)]) - 20
        assert np.abs(audio[at(end_s) - 2]).max() < 1e-3


def test_sections_tile_each_cue_and_changes_of_scene_are_met(played: Any, kit: Any) -> None:
    composition, _ = played
    for piece in composition.pieces:
        marks = [piece.start_samples, *(section.end_samples for section in piece.sections)]
        starts = [section.start_samples for section in piece.sections]
        assert starts == marks[:-1]
        assert marks[-1] == piece.end_samples
    # The second scene ends at 15.52 s, in the second cue.
    assert at(15.52) in {bar.start_samples for bar in composition.bars}
    assert [section.index for section in composition.sections] == [
        *range(len(composition.sections))
    ]


def test_all_pieces_are_of_one_family(played: Any, kit: Any) -> None:
    composition, _ = played
    whole = compose(kit.notes(kit.film), kit.brief("cinematic"))
    homes = {section.parent for section in (*composition.sections, *whole.sections)}
    # Home, a fifth up, a fifth down.
    home = whole.sections[0].parent
    assert homes <= {home, (home + 7) % 12, (home + 5) % 12}
    first = whole.sections[0].motif
    assert any(section.motif == first for section in composition.pieces[0].sections)
    tempos = [section.tempo_bpm for section in composition.sections if not section.last]
    assert max(tempos) / min(tempos) < 1.5
    parts = {section.direction.parts for section in composition.sections}
    assert len(parts) == 1


def test_a_seed_gives_it_again(played: Any, kit: Any) -> None:
    _, audio = played
    again = kit.play(compose(kit.notes(kit.film, cues=CUES), kit.brief("cinematic")))
    assert np.array_equal(audio, again)
    other = kit.play(compose(kit.notes(kit.film, cues=CUES), kit.brief("cinematic", seed=2)))
    assert not np.array_equal(audio, other)


def test_one_cue_over_all_is_the_piece_as_ever(kit: Any) -> None:
    one = kit.play(compose(kit.notes(kit.film, cues=[(0.0, 25.2)]), kit.brief("cinematic")))
    assert np.array_equal(one, kit.play(compose(kit.notes(kit.film), kit.brief("cinematic"))))


@pytest.mark.parametrize("length_s", [0.04, 0.5, 2.0, 3.5])
def test_short_cues_have_music_and_end(length_s: float, kit: Any) -> None:
    cues = [(0.0, length_s), (9.0, 9.0 + length_s), (25.2 - length_s, 25.2)]
    audio = kit.play(compose(kit.notes(kit.film, cues=cues), kit.brief("tension")))
    heard = np.zeros(len(audio), dtype=bool)
    for start_s, end_s in cues:
        heard[at(start_s) : at(end_s)] = True
        assert audio[at(start_s) : at(end_s)].any()
    assert not audio[~heard].any()


def test_blocks_stay_small_whatever_lies_between(kit: Any, shown: Any) -> None:
    film = [shown(seconds=20.0), shown(seconds=600.0), shown(seconds=20.0)]
    cues = [(0.0, 4.0), (634.0, 639.0)]
    blocks = list(render(compose(kit.notes(film, cues=cues), kit.brief("ambient"))))
    assert sum(map(len, blocks)) == at(640)
    assert max(map(len, blocks)) < at(3)


# --- words for a scene -------------------------------------------------------------------------


def scenes_of(kit: Any, *briefs: str, style: str = "cinematic", prompt: str = "") -> Any:
    return compose(kit.notes(kit.film, briefs=briefs), kit.brief(style, prompt=prompt))


def of_scene(composition: Any, number: int) -> list[Any]:
    return [one for one in composition.sections if one.scene == number and not one.last]


def test_words_for_a_scene_act_on_that_scene_only(kit: Any) -> None:
    plain = scenes_of(kit, "", "", "")
    asked = scenes_of(kit, "", "no drums, no strings, sad and quiet", "")
    for number in (0, 2):
        for one, other in zip(of_scene(plain, number), of_scene(asked, number), strict=True):
            assert one.direction == other.direction
            assert (one.label, one.mode, one.tempo_bpm) == (
                other.label,
                other.mode,
                other.tempo_bpm,
            )
            assert one.intensity == other.intensity
    (before, *_), (after, *_) = of_scene(plain, 1), of_scene(asked, 1)
    assert before.direction.drums
    assert not after.direction.drums
    patches = {part.patch for part in after.direction.parts}
    assert not patches & {"strings", "low_strings", "spiccato", "pizzicato"}
    assert after.intensity < before.intensity
    assert [one.tempo_bpm for one in plain.sections] == [one.tempo_bpm for one in asked.sections]
    assert asked.unused_words == ()


def test_drums_are_silent_in_that_scene_and_heard_in_the_others(kit: Any) -> None:
    heard = {}
    for brief in ("", "no drums"):
        composition = compose(
            kit.notes([kit.film[1]] * 3, briefs=["", brief, ""]), kit.brief("upbeat-ad")
        )
        audio = kit.play(composition)
        scenes = [audio[at(7.12 * n + 0.3) : at(7.12 * (n + 1) - 1.5)] for n in range(3)]
        heard[brief] = [float(np.median(kit.onsets(scene))) for scene in scenes[:2]]
    assert heard["no drums"][0] == pytest.approx(heard[""][0], rel=0.02)
    assert heard["no drums"][1] < 0.8 * heard[""][1]


def test_a_scene_overrules_the_whole(kit: Any) -> None:
    def patches(composition: Any, number: int) -> set[str]:
        return {part.patch for part in of_scene(composition, number)[0].direction.parts}

    other = scenes_of(kit, "", "no piano", "", prompt="piano")
    assert ["piano" in patches(other, number) for number in range(3)] == [True, False, True]
    lit = scenes_of(kit, "", "drums", "", prompt="no drums")
    assert [of_scene(lit, number)[0].direction.drums for number in range(3)] == [False, True, False]
    alone = scenes_of(kit, "", "strings, drums", "", prompt="solo piano")
    assert [patches(alone, number) for number in range(3)] == [
        {"piano"},
        {"piano", "strings"},
        {"piano"},
    ]
    assert of_scene(alone, 1)[0].direction.drums


def test_what_a_scene_cannot_have_is_said(kit: Any) -> None:
    asked = scenes_of(kit, "", "at 140 bpm, slow, wibbling, sad", "")
    assert asked.unused_words == ("140 bpm (scene 2)", "slow (scene 2)", "wibbling (scene 2)")
    plain = scenes_of(kit, "", "sad", "")
    assert [one.tempo_bpm for one in asked.sections] == [one.tempo_bpm for one in plain.sections]


def test_a_scene_may_build_up(kit: Any) -> None:
    plain, asked = scenes_of(kit, "", "", ""), scenes_of(kit, "", "building", "")

    def rise(composition: Any, number: int) -> float:
        bars = [bar.energy for one in of_scene(composition, number) for bar in one.bars]
        return float(bars[-1] - bars[0])

    assert rise(asked, 1) > rise(plain, 1) + 0.2
    assert rise(asked, 0) == rise(plain, 0)
