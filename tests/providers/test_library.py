"""Which tracks of a library are chosen, and why."""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scorebed.errors import MediaError, SettingsError
from scorebed.model import (
    Brief,
    Choice,
    Key,
    Library,
    Order,
    PictureCurve,
    Reel,
    ReelSet,
    Scene,
    Shot,
    SpeechRegion,
    SpottingNotes,
    TimeRange,
    Track,
    cues_of,
    no_progress,
)
from scorebed.providers.elevenlabs.lexicon import read_wish
from scorebed.providers.library.choose import candidates, goes_with
from scorebed.providers.library.provider import LibraryProvider
from scorebed.providers.library.terms import heard_energy
from scorebed.providers.library.words import asked_by, said_by
from scorebed.style import Style
from scorebed.wav import sha256_of

STYLE = Style(name="plain", description="plain", tempo_bpm=(90.0, 110.0))
LENGTH_S = 60


def track(name: str, **changed: Any) -> Track:
    plain = Track(
        name=name,
        sha256=name.encode().hex().ljust(64, "0")[:64],
        duration_s=LENGTH_S,
        tempo_bpm=100.0,
        tempo_confidence=1.0,
        key=Key(tonic=0, minor=False, clarity=0.9),
        integrated_lufs=-16.0,
        energy_lufs=(-16.0,) * 120,
        brightness_hz=1800.0,
        presence=0.1,
        tags=(),
    )
    return replace(plain, **changed)


def film(
    *,
    motion: tuple[float, ...] = (0.3,),
    scenes_s: tuple[int, ...] = (0, LENGTH_S),
    cues_s: tuple[tuple[int, int], ...] = ((0, LENGTH_S),),
    speech_s: tuple[int, int] | None = None,
    briefs: tuple[str, ...] = (),
    brightness: float = 0.5,
) -> SpottingNotes:
    """A film whose motion goes through even parts."""
    hops = 2 * LENGTH_S
    curve = tuple(motion[at * len(motion) // hops] for at in range(hops))
    spans = [TimeRange.between(Fraction(a), Fraction(b)) for a, b in pairwise(scenes_s)]
    spoken = () if speech_s is None else (TimeRange.between(*map(Fraction, speech_s)),)
    return SpottingNotes(
        duration_s=Fraction(LENGTH_S),
        frame_rate=Fraction(25),
        shots=tuple(Shot(range=span, confidence=1.0) for span in spans),
        scenes=tuple(
            Scene(
                range=span,
                shots=1,
                motion=float(np.mean(motion)),
                brightness=brightness,
                saturation=0.5,
                warmth=0.0,
                brief=briefs[number] if number < len(briefs) else "",
            )
            for number, span in enumerate(spans)
        ),
        speech=tuple(SpeechRegion(range=span, confidence=0.9) for span in spoken),
        curve=PictureCurve(hop_s=Fraction(1, 2), motion=curve, brightness=(0.5,) * hops),
        cues=cues_of([TimeRange.between(Fraction(a), Fraction(b)) for a, b in cues_s], ()),
    )


def brief(prompt: str = "", **changed: Any) -> Brief:
    plain = Brief(style=STYLE, prompt=prompt, tags=(), seed=1, quality="draft", guidance=0.5)
    return replace(plain, **changed)


def first(
    *tracks: Track, prompt: str = "", notes: SpottingNotes | None = None, **changed: Any
) -> Choice:
    library = Library(folder=Path("music"), per="film", tracks=tracks)
    return candidates(library, notes or film(), brief(prompt, **changed)).takes[0][0]


# --- terms -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [("70 bpm", 70), ("140 bpm", 140), ("110-130 bpm", 120), ("slow", 70), ("fast", 120)],
)
def test_the_tempo_that_is_asked_for(prompt: str, expected: float) -> None:
    tracks = [track(f"{bpm}.wav", tempo_bpm=float(bpm)) for bpm in (70, 97, 120, 140)]
    assert first(*tracks, prompt=prompt).tempo_bpm == expected


def test_without_a_word_the_tempo_suits_the_style_and_the_pace() -> None:
    tracks = [track(f"{bpm}.wav", tempo_bpm=float(bpm)) for bpm in (55, 100, 175)]
    assert first(*tracks).tempo_bpm == 100


def test_an_unsure_tempo_counts_less_than_a_sure_one() -> None:
    chosen = first(track("a.wav", tempo_confidence=0.1), track("b.wav"), prompt="100 bpm")
    assert chosen.name == "b.wav"


def test_half_the_tempo_is_better_than_another_one() -> None:
    chosen = first(
        track("a.wav", tempo_bpm=100.0), track("b.wav", tempo_bpm=70.0), prompt="140 bpm"
    )
    assert chosen.name == "b.wav"


def test_loud_where_the_picture_is_busy() -> None:
    rising = (-26.0,) * 40 + (-20.0,) * 40 + (-14.0,) * 40
    tracks = [
        track("falling.wav", energy_lufs=rising[::-1]),
        track("rising.wav", energy_lufs=rising),
        track("even.wav"),
    ]
    for motion, expected in (
        ((0.1, 0.4, 0.9), "rising.wav"),
        ((0.9, 0.4, 0.1), "falling.wav"),
        ((0.4, 0.4, 0.4), "even.wav"),
    ):
        assert first(*tracks, notes=film(motion=motion), guidance=1.0).name == expected


def test_guidance_says_how_much_that_counts() -> None:
    rising = (-26.0,) * 60 + (-14.0,) * 60
    falling = rising[::-1]
    tracks = [
        track("rising.wav", energy_lufs=rising, tempo_bpm=130.0),
        track("falling.wav", energy_lufs=falling),
    ]
    notes = film(motion=(0.1, 0.9))
    assert first(*tracks, notes=notes, guidance=1.0).name == "rising.wav"
    assert first(*tracks, notes=notes, prompt="100 bpm", guidance=0.0).name == "falling.wav"


def test_building_is_a_rise_also_over_an_even_picture() -> None:
    rising = tuple(np.linspace(-28.0, -12.0, 120))
    tracks = [track("even.wav"), track("rising.wav", energy_lufs=rising)]
    assert first(*tracks).name == "even.wav"
    assert first(*tracks, prompt="slowly building").name == "rising.wav"


def test_the_length_that_needs_the_least_editing() -> None:
    tracks = [track(f"{s}.wav", duration_s=float(s)) for s in (20, 45, 61, 200)]
    assert first(*tracks).name == "61.wav"
    assert first(tracks[0], tracks[1], tracks[3]).name == "200.wav"


def test_the_mode_suits_the_mood() -> None:
    minor, major = Key(tonic=9, minor=True, clarity=0.9), Key(tonic=0, minor=False, clarity=0.9)
    tracks = [track("minor.wav", key=minor), track("major.wav", key=major)]
    assert first(*tracks, prompt="sad").name == "minor.wav"
    assert first(*tracks, prompt="happy").name == "major.wav"
    assert first(*tracks, notes=film(brightness=0.05)).name == "minor.wav"
    assert first(*tracks, notes=film(brightness=0.95)).name == "major.wav"


def test_under_speech_nobody_sings_and_there_is_room() -> None:
    tracks = [
        track("sung.wav", tags=(("genre", "vocal pop"),)),
        track("full.wav", presence=0.5),
        track("free.wav", presence=0.02),
    ]
    spoken = film(speech_s=(5, 50))
    ranked = [
        take[0].name
        for take in candidates(
            Library(folder=Path(), per="film", tracks=tuple(tracks)), spoken, brief()
        ).takes
    ]
    assert ranked[0] == "free.wav"
    assert {term.name for term in first(*tracks).terms}.isdisjoint({"speech"})


# --- words -------------------------------------------------------------------------------------


def test_words_are_found_in_tags_folders_and_names() -> None:
    tracks = [
        track("a.wav", tags=(("mood", "Tense, dark"),)),
        track("Happy/b.wav"),
        track("x/SoloPiano_02.wav"),
        track("c.wav", tags=(("comment", "energetic rock"),)),
    ]
    for prompt, expected in (
        ("tense and dark", "a.wav"),
        ("happy", "Happy/b.wav"),
        ("solo piano", "x/SoloPiano_02.wav"),
        ("rock", "c.wav"),
        ("suspense", "a.wav"),
        ("pianos", "x/SoloPiano_02.wav"),
    ):
        chosen = first(*tracks, prompt=prompt)
        assert chosen.name == expected
        assert "says" in chosen.why


def test_a_word_that_no_track_knows_says_nothing_of_any() -> None:
    library = Library(folder=Path(), per="film", tracks=(track("rock.wav"), track("jazz.wav")))
    found = candidates(library, film(), brief("jazz for my bagpipe grandmother"))
    assert found.takes[0][0].name == "jazz.wav"
    assert found.unanswered == ("bagpipe", "grandmother")
    found = candidates(library, film(), brief("bagpipe"))
    assert "words" not in {term.name for term in found.takes[0][0].terms}


def test_the_contrary_counts_against() -> None:
    tracks = [track("joyful.wav"), track("plain.wav"), track("sombre.wav")]
    library = Library(folder=Path(), per="film", tracks=tuple(tracks))
    takes = candidates(library, film(), brief("sombre")).takes
    assert takes[0][0].name == "sombre.wav"
    assert "contrary" in next(take[0] for take in takes if take[0].name == "joyful.wav").why


@pytest.mark.parametrize(
    "prompt",
    [
        "between 90 and 100 bpm",
        "Between 90 bpm and 100 bpm, no vocals",
        "no vocals, between 90 and 100 beats per minute",
        "90 to 100 bpm",
        "from 90 bpm to 100 bpm",
        "90-100 BPM",
        "90\u2013100 beats a minute",
        "somewhere calm, 90 to 100 beats per minute",
    ],
)
def test_a_range_of_tempos_in_words(prompt: str) -> None:
    wish = read_wish(brief(prompt))
    assert wish.tempo_bpm == (90, 100)
    words = set(asked_by(wish, STYLE).user) - {"somewhere", "calm"}
    assert not words


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("around 100 beats per minute", (100, 100)),
        ("72.5 bpm", (72.5, 72.5)),
        ("scene 12 and 100 bpm", (100, 100)),
        ("between 90 and 100 people", None),
    ],
)
def test_a_tempo_alone(prompt: str, expected: tuple[float, float] | None) -> None:
    assert read_wish(brief(prompt)).tempo_bpm == expected


def test_words_of_a_tempo_are_looked_up_nowhere() -> None:
    for prompt in ("around 100 beats per minute", "about 90 bpm", "roughly 80 bpm"):
        assert not asked_by(read_wish(brief(prompt)), STYLE).user


@pytest.mark.parametrize("prompt", ["no vocals", "without singing", "instrumental"])
def test_what_is_forbidden_is_not_taken(prompt: str) -> None:
    tracks = [
        track("Vocal/a.wav"),
        track("b (no vocals).wav", tempo_bpm=150.0),
        track("c.wav", tags=(("genre", "Choir"),)),
    ]
    library = Library(folder=Path(), per="film", tracks=tuple(tracks))
    found = candidates(library, film(), brief(prompt))
    assert [take[0].name for take in found.takes] == ["b (no vocals).wav"]
    assert (found.judged, found.forbidden) == (3, 2)


def test_drums_that_are_forbidden() -> None:
    tracks = [track("Taiko Thunder.wav"), track("Drone_no-drums.wav", tempo_bpm=None)]
    assert first(*tracks, prompt="epic, no drums").name == "Drone_no-drums.wav"


def test_all_forbidden_is_an_error_with_the_words() -> None:
    with pytest.raises(SettingsError, match="drums") as caught:
        first(track("drum solo.wav"), prompt="no drums")
    assert "--prompt" in caught.value.remedy


def test_names_as_people_write_them() -> None:
    said = said_by(track("Epic-Trailer/DarkRain_HipHop-no-drums_120bpm.wav"))
    assert {"epic", "trailer", "dark", "rain"} <= said.words
    assert "drum" not in said.words
    assert any("drums" in lack for lack in said.lacks)


def test_words_of_a_scene_choose_its_track() -> None:
    tracks = (track("jazz.wav", duration_s=30), track("rock.wav", duration_s=30))
    notes = film(scenes_s=(0, 30, LENGTH_S), briefs=("rock", "jazz"))
    library = Library(folder=Path(), per="scene", tracks=tracks)
    take = candidates(library, notes, brief()).takes[0]
    assert [choice.name for choice in take] == ["rock.wav", "jazz.wav"]


# --- families, seeds ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "bpm", "expected"),
    [
        ((0, False), 100.0, True),
        ((9, True), 100.0, True),
        ((7, False), 100.0, True),
        ((5, False), 107.0, True),
        ((2, True), 200.0, True),
        ((4, True), 50.0, True),
        ((0, False), 150.0, True),
        ((0, False), 66.7, True),
        ((2, False), 100.0, False),
        ((0, True), 100.0, False),
        ((6, False), 100.0, False),
        ((0, False), 120.0, False),
    ],
)
def test_who_goes_with_c_major_at_100(key: tuple[int, bool], bpm: float, *, expected: bool) -> None:
    other = track("b.wav", key=Key(tonic=key[0], minor=key[1], clarity=0.9), tempo_bpm=bpm)
    assert goes_with(track("a.wav"), other) is expected
    assert goes_with(other, track("a.wav")) is expected


def test_what_is_not_known_goes_with_everything() -> None:
    far = Key(tonic=6, minor=False, clarity=0.2)
    other = track("b.wav", key=far, tempo_bpm=117.0, tempo_confidence=0.1)
    assert goes_with(track("a.wav"), other)
    assert goes_with(track("a.wav"), track("c.wav", key=None, tempo_bpm=None))


def test_cues_have_tracks_of_one_family() -> None:
    """The best for the second cue by itself is in a key a tritone away."""
    off = Key(tonic=6, minor=False, clarity=0.9)
    tracks = (
        track("a.wav", duration_s=40),
        track("far.wav", key=off, duration_s=15),
        track("near.wav", key=Key(tonic=7, minor=False, clarity=0.9), duration_s=18),
    )
    notes = film(cues_s=((0, 40), (45, LENGTH_S)))
    alone = candidates(
        Library(folder=Path(), per="cue", tracks=tracks), film(cues_s=((45, LENGTH_S),)), brief()
    )
    assert alone.takes[0][0].name == "far.wav"
    library = Library(folder=Path(), per="cue", tracks=tracks)
    take = candidates(library, notes, brief()).takes[0]
    assert [choice.name for choice in take] == ["a.wav", "near.wav"]
    assert [float(choice.range.start_s) for choice in take] == [0.0, 45.0]
    film_wide = candidates(replace(library, per="film"), notes, brief()).takes[0]
    assert len(film_wide) == 1


def test_short_scenes_share_a_track() -> None:
    notes = film(scenes_s=(0, 3, 6, 20, 50, 55, LENGTH_S))
    library = Library(folder=Path(), per="scene", tracks=(track("a.wav"),))
    spans = [choice.range for choice in candidates(library, notes, brief()).takes[0]]
    assert [float(span.start_s) for span in spans] == [0, 20, 50]
    assert sum(float(span.duration_s) for span in spans) == LENGTH_S


def test_seeds_give_other_tracks_and_the_same_again() -> None:
    tracks = tuple(track(f"{number}.wav", tempo_bpm=100.0 + number) for number in range(9))
    library = Library(folder=Path(), per="film", tracks=tracks)
    found = candidates(library, film(), brief("100 bpm"))
    names = [found.by_seed(seed)[0].name for seed in range(1, len(found.takes) + 1)]
    assert len(set(names)) == len(names) >= 5
    assert list(found.scores) == sorted(found.scores, reverse=True)
    again = candidates(replace(library, tracks=tracks), film(), brief("100 bpm"))
    assert [again.by_seed(seed)[0].name for seed in range(1, len(names) + 1)] == names
    assert found.by_seed(len(names) + 1) == found.by_seed(1)
    assert found.by_seed(2**63 - 1) in found.takes
    assert found.by_seed(0) in found.takes


def test_a_copy_under_another_name_is_no_other_track() -> None:
    one = track("a.wav")
    library = Library(folder=Path(), per="film", tracks=(one, replace(one, name="b.wav")))
    found = candidates(library, film(), brief())
    assert [take[0].name for take in found.takes] == ["a.wav"]


def test_seeds_change_the_longest_cue() -> None:
    tracks = tuple(track(f"{number}.wav", duration_s=30.0 + number) for number in range(6))
    notes = film(cues_s=((0, 15), (20, LENGTH_S)))
    found = candidates(Library(folder=Path(), per="cue", tracks=tracks), notes, brief())
    assert len({take[1].name for take in found.takes}) == len(found.takes) >= 5


# --- score -------------------------------------------------------------------------------------


def test_a_score_is_the_sum_of_its_terms() -> None:
    chosen = first(
        track("a.wav", tags=(("mood", "calm"),)), prompt="calm", notes=film(speech_s=(0, 9))
    )
    assert {term.name for term in chosen.terms} == {
        "words", "tempo", "energy", "length", "mood", "speech",
    }  # fmt: skip
    assert sum(term.weight for term in chosen.terms) == pytest.approx(1.0, abs=1e-3)
    assert chosen.score == pytest.approx(
        sum(term.weight * term.score for term in chosen.terms), abs=1e-3
    )
    assert all(0 <= term.score <= 1 and term.why for term in chosen.terms)
    weights = [term.weight for term in chosen.terms]
    assert weights == sorted(weights, reverse=True)
    assert chosen.why.startswith("says calm")


def test_the_curve_of_a_short_track_begins_again() -> None:
    short = track("a.wav", duration_s=30.0, energy_lufs=(-26.0,) * 30 + (-12.0,) * 30)
    curve = heard_energy(short, 60.0)
    assert curve[:12].max() < -5 < 0 < curve[20:28].min()
    assert curve[36:44].max() < -3
    assert curve[52:].min() > 0


def test_the_curve_of_a_long_track_ends_as_it_does() -> None:
    long = track(
        "a.wav", duration_s=240.0, energy_lufs=(-22.0,) * 60 + (-12.0,) * 120 + (-22.0,) * 60
    )
    curve = heard_energy(long, 60.0)
    assert curve.max() < 0, "its loud middle is what is left out"
    rising = track("b.wav", duration_s=240.0, energy_lufs=(-26.0,) * 180 + (-12.0,) * 60)
    curve = heard_energy(rising, 60.0)
    assert curve[:36].max() < 0 < curve[48:].min()


def test_five_thousand_tracks_are_judged_in_seconds() -> None:
    rng = np.random.default_rng(5)
    tracks = tuple(
        track(
            f"{number % 40}/dark piano {number}.wav",
            tempo_bpm=float(rng.uniform(60, 180)),
            duration_s=float(rng.uniform(20, 300)),
            key=Key(tonic=int(rng.integers(12)), minor=bool(rng.integers(2)), clarity=0.9),
            energy_lufs=tuple(rng.uniform(-30, -10, 256)),
        )
        for number in range(5000)
    )
    begun = time.process_time()
    library = Library(folder=Path(), per="film", tracks=tracks)
    found = candidates(library, film(), brief("dark piano"))
    assert found.judged == 5000
    assert time.process_time() - begun < 20


# --- the provider ------------------------------------------------------------------------------


def order(library: Library | None, notes: SpottingNotes, seed: int = 1) -> Order:
    whole = notes.whole
    return Order(
        notes=notes,
        brief=brief(seed=seed),
        reels=ReelSet(cues=(whole,), reels=(Reel(range=whole, proxy=None),)),
        music=None,
        library=library,
    )


@pytest.fixture
def shelf(tmp_path: Path) -> Library:
    folder = tmp_path / "shelf"
    (folder / "deep").mkdir(parents=True)
    tracks = []
    for number, name in enumerate(("deep/a b.wav", "c.wav")):
        path = folder / name
        path.write_bytes(bytes([number]) * 1000)
        tracks.append(track(name, sha256=sha256_of(path), duration_s=60.0 - 20 * number))
    return Library(
        folder=folder, per="cue", tracks=tuple(tracks), warnings=("left out of the library: x",)
    )


def test_the_take_is_a_copy_with_its_reasons(shelf: Library, tmp_path: Path) -> None:
    take = LibraryProvider().compose(order(shelf, film()), folder=tmp_path, progress=no_progress)
    assert (take.provider, take.name, take.seed) == ("library", "deep/a b.wav", 1)
    assert not take.fitted
    assert take.own
    (piece,) = take.pieces
    assert piece.audio.path.is_relative_to(tmp_path)
    assert piece.audio.sha256 == sha256_of(shelf.folder / "deep/a b.wav")
    assert piece.range == film().whole
    assert take.choices[0].sha256 == piece.audio.sha256
    assert take.warnings == shelf.warnings
    other = LibraryProvider().compose(
        order(shelf, film(), seed=2), folder=tmp_path, progress=no_progress
    )
    assert other.name == "c.wav"


def test_a_track_that_goes_on_is_one_piece(shelf: Library, tmp_path: Path) -> None:
    alone = replace(shelf, per="scene", tracks=shelf.tracks[:1])
    notes = film(scenes_s=(0, 20, 40, LENGTH_S), cues_s=((0, 40), (45, LENGTH_S)))
    take = LibraryProvider().compose(order(alone, notes), folder=tmp_path, progress=no_progress)
    assert len(take.choices) == 3
    assert [float(piece.range.start_s) for piece in take.pieces] == [0, 45]
    assert [float(piece.range.end_s) for piece in take.pieces] == [40, LENGTH_S]
    assert len({piece.audio.path for piece in take.pieces}) == 1


def test_words_for_scenes_that_do_not_count_are_told(shelf: Library, tmp_path: Path) -> None:
    notes = film(scenes_s=(0, 30, LENGTH_S), briefs=("rock",))
    take = LibraryProvider().compose(order(shelf, notes), folder=tmp_path, progress=no_progress)
    assert any("--library-per scene" in warning for warning in take.warnings)


@pytest.mark.parametrize("change", ["gone", "another"])
def test_a_file_that_is_not_what_it_was(shelf: Library, tmp_path: Path, change: str) -> None:
    path = shelf.folder / "deep/a b.wav"
    path.unlink()
    if change == "another":
        path.write_bytes(b"new")
    with pytest.raises(MediaError, match=r"a b\.wav") as caught:
        LibraryProvider().compose(order(shelf, film()), folder=tmp_path, progress=no_progress)
    assert "again" in caught.value.remedy


def test_without_a_folder_the_remedy_names_the_flag(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        LibraryProvider().compose(order(None, film()), folder=tmp_path, progress=no_progress)
    assert "--library DIR" in caught.value.remedy


def test_it_is_free_and_works_offline(shelf: Library) -> None:
    provider = LibraryProvider()
    limits = provider.limits(None)
    assert not limits.network
    assert not limits.needs_proxies
    assert provider.quote(order(shelf, film())).amount == 0.0
