"""Buying for several cues, and with words for a scene: what is sent, paid, named and laid where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import soundfile
from tests.providers.films import film_of, spans_of

from scorebed.model import (
    Brief,
    Order,
    PictureCurve,
    Purse,
    Reel,
    ReelSet,
    Scene,
    Shot,
    Take,
    TimeRange,
    cues_of,
)
from scorebed.providers.base import Service, find
from scorebed.providers.elevenlabs.text import ElevenLabsTextProvider
from scorebed.providers.elevenlabs.video import ElevenLabsProvider
from scorebed.stages.compose import compose
from scorebed.stages.purchase import keys_of
from scorebed.stages.reel_plan import plan_reels
from scorebed.style import Style
from scorebed.testing import MusicService

MakeOrder = Callable[..., Order]
KEY = "sk_0123456789abcdef_never_shown"


def buy(order: Order, purse: Purse, folder: Path) -> Take:
    folder.mkdir()
    return compose("elevenlabs", order, folder=folder, purse=purse)


def long_order(
    name: str, marks: list[tuple[int, Fraction]], *, form: str = "current", brief: str = ""
) -> Order:
    """An order for a film of 1000 s, as the pipeline makes it."""
    service = find(name)
    assert isinstance(service, Service)
    settings = replace(service.settings(), base_url="https://api.elevenlabs.io", api_form=form)  # type: ignore[arg-type]
    starts = [0, 100, 300, 590, 700]
    scenes = [
        Scene(
            range=span,
            shots=2 if number == 2 else 1,
            motion=0.1,
            brightness=0.5,
            saturation=0.5,
            warmth=0.0,
            brief=brief if number == 2 else "",
        )
        for number, span in enumerate(spans_of([*starts, 1000]))
    ]
    notes = film_of(
        scenes,
        shots=[
            Shot(range=span, confidence=1.0 if span.start_s in {0, 450} else 0.8)
            for span in spans_of([0, 100, 300, 450, 590, 700, 1000])
        ],
        speech=(20, 30),
        curve=PictureCurve(hop_s=Fraction(1, 2), motion=(), brightness=()),
        cues=[TimeRange.between(Fraction(a), b) for a, b in marks],
    )
    planned = plan_reels(notes, service.limits(settings))
    return Order(
        notes=notes.scored,
        brief=Brief(
            style=Style(name="plain", description="plain and calm"),
            prompt="calm",
            tags=("folk",),
            seed=1,
            quality="standard",
            guidance=0.5,
        ),
        reels=ReelSet(
            cues=notes.music,
            reels=tuple(Reel(range=span, proxy=None, part=part) for span, part in planned),
        ),
        music=None,
        picture_sha256="ab" * 32,
        service=settings,
    )


def keys(order: Order, name: str) -> tuple[str, ...]:
    service = find(name)
    assert isinstance(service, Service)
    return keys_of(service, order)


@pytest.mark.parametrize(
    ("name", "form", "end_s", "known"),
    [
        ("elevenlabs", "current", Fraction(95, 2), ["d5736c0683c0e30f12519b983f0d0a5d"]),
        (
            "elevenlabs",
            "current",
            Fraction(1000),
            ["11285b14cdc735f5b4c9cf7e3dca605a", "9fc0b150519c1136f6c6934210fa2522"],
        ),
        ("elevenlabs", "brief", Fraction(95, 2), ["01e97cbb08cb299ba8a7a9199b7c4651"]),
        (
            "elevenlabs",
            "brief",
            Fraction(1000),
            ["3c07bb32aba4264f7dea7c6ded704a70", "8bfbb84ff4028e0de3bc68e093c4ed3f"],
        ),
        ("elevenlabs-text", "current", Fraction(95, 2), ["1e554d8b836025260c104788a0e857ac"]),
        (
            "elevenlabs-text",
            "current",
            Fraction(1000),
            ["fd00fb364638f43fa7468cdf0574fc4e", "c7f7b9284da15c46fb2cafdfa83553f7"],
        ),
    ],
)
def test_what_was_bought_before_is_found_again(
    name: str, form: str, end_s: Fraction, known: list[str]
) -> None:
    """The keys of one cue from the first frame on, as they were before there could be several."""
    order = long_order(name, [(0, end_s)], form=form)
    assert [*keys(order, name)] == known


@pytest.mark.parametrize("name", ["elevenlabs", "elevenlabs-text"])
def test_cues_and_words_for_a_scene_name_another_take(name: str) -> None:
    one = [(0, Fraction(1000))]
    several = [(0, Fraction(200)), (310, Fraction(500)), (800, Fraction(1000))]
    found = {
        keys(long_order(name, marks, brief=brief), name)
        for marks in (one, several, several[1:])
        for brief in ("", "sad cello")
    }
    assert len(found) == 6
    # Words for what is not scored change nothing, nor do blanks.
    rest = [(0, Fraction(200)), (800, Fraction(1000))]
    assert len({keys(long_order(name, rest, brief=b), name) for b in ("", "  ", "sad cello")}) == 1
    # Of two requests only the one that holds the scene is another.
    plain, told = (keys(long_order(name, one, brief=b), name) for b in ("", "sad cello"))
    assert plain[0] != told[0]
    if name == "elevenlabs-text":
        assert plain[1] == told[1]


def test_only_cued_time_is_paid_for() -> None:
    several = [(0, Fraction(60)), (310, Fraction(340)), (970, Fraction(1000))]
    order = long_order("elevenlabs", several)
    (part,) = order.parts
    assert part.duration_s == 120
    assert [float(one.start_s) for one in part.stretches] == [0, 310, 970]
    quote = ElevenLabsProvider().quote(order)
    assert (quote.requests, quote.seconds) == (1, 120.0)
    assert quote.amount == pytest.approx(2 * 0.60)


def with_rest(order: Order) -> Order:
    """The order of three scenes, the second of which has no music."""
    reels = (order.reels.reels[0], order.reels.reels[2])
    cues = tuple(reel.range for reel in reels)
    notes = replace(order.notes, cues=cues_of(cues, ()))
    return replace(order, notes=notes, reels=ReelSet(cues=cues, reels=reels))


def with_words(order: Order, *words: str) -> Order:
    """The order with words for its scenes."""
    scenes = tuple(
        replace(scene, brief=brief) for scene, brief in zip(order.notes.scenes, words, strict=True)
    )
    return replace(order, notes=replace(order.notes, scenes=scenes))


def own_music(take: Take) -> list[tuple[float, float | None]]:
    """Where in its audio the music of each piece begins, and how long it is."""
    return [
        (float(piece.start_s), None if piece.music_s is None else float(piece.music_s))
        for piece in take.pieces
    ]


def test_one_answer_is_cut_at_the_cues(
    make_order: MakeOrder, purse: Purse, service: MusicService, tmp_path: Path
) -> None:
    take = buy(with_rest(make_order()), purse, tmp_path / "a")
    assert [float(piece.range.start_s) for piece in take.pieces] == [0, 5]
    assert own_music(take) == [(0.0, 3.0), (3.0, None)]
    assert len({piece.audio.path for piece in take.pieces}) == 1
    assert take.spent.seconds == 6
    (request,) = service.requests
    assert len(request.files) == 2
    told = dict(request.fields)["description"]
    assert "heard in 2 pieces, with silence between: come to an end at 0:03" in told
    # Times are those of the music: the second cue's scenes follow on the first's.
    assert "0:00-0:03 " in told
    assert "0:03-0:06 " in told
    assert "Close with a clear ending at 0:06." in told


def test_segments_lie_on_both_sides_of_a_rest(
    make_order: MakeOrder, purse: Purse, service: MusicService, tmp_path: Path
) -> None:
    service.will("zip-segments")
    order = with_rest(make_order())
    take = buy(order, purse, tmp_path / "a")
    assert [piece.range for piece in take.pieces] == [reel.range for reel in order.reels.reels]


def test_of_music_that_came_too_short_each_cue_has_its_share(
    make_order: MakeOrder, purse: Purse, service: MusicService, tmp_path: Path
) -> None:
    service.will("short-30")
    take = buy(with_rest(make_order()), purse, tmp_path / "a")
    there_s = soundfile.info(str(take.pieces[0].audio.path)).duration
    assert float(take.pieces[1].start_s) == pytest.approx(there_s / 2, abs=0.05)
    assert any("6.0 s were asked for" in warning for warning in take.warnings)


def test_the_form_of_gateways_is_told_of_cued_time_only(
    make_order: MakeOrder, purse: Purse, tmp_path: Path
) -> None:
    with MusicService(key=KEY, form="brief") as gateway:
        order = with_rest(make_order(api_form="brief", base_url=gateway.url))
        take = buy(order, purse, tmp_path / "a")
    fields = dict(gateway.requests[0].fields)
    assert fields["duration_seconds"] == "6"
    assert len(gateway.requests[0].files) == 2
    assert [float(piece.range.start_s) for piece in take.pieces] == [0, 5]


def test_text_to_music_has_no_section_for_a_rest(
    make_order: MakeOrder, purse: Purse, service: MusicService, tmp_path: Path
) -> None:
    order = with_rest(make_order(provider=ElevenLabsTextProvider(), each=10))
    order = with_words(order, "", "", "solo cello, no drums, very sad")
    (tmp_path / "a").mkdir()
    take = compose("elevenlabs-text", order, folder=tmp_path / "a", purse=purse)
    (request,) = service.requests
    chunks = request.json["composition_plan"]["chunks"]
    assert [chunk["duration_ms"] for chunk in chunks] == [3000, 3000]
    assert own_music(take) == [(0.0, 3.0), (3.0, None)]
    assert "solo cello" in chunks[1]["positive_styles"]
    assert "drums" in chunks[1]["negative_styles"]
    assert "solo cello" not in chunks[0]["positive_styles"]
    assert "clear ending" in chunks[0]["positive_styles"]
    assert "clear ending" in chunks[1]["positive_styles"]


def test_a_short_cue_has_the_least_section_and_its_music_lies_right(
    make_order: MakeOrder, purse: Purse, service: MusicService, tmp_path: Path
) -> None:
    order = make_order(provider=ElevenLabsTextProvider())
    cues = tuple(TimeRange.between(Fraction(a), Fraction(b)) for a, b in ((0, 2), (3, 4), (5, 8)))
    order = replace(
        order,
        notes=replace(order.notes, cues=cues_of(cues, ())),
        reels=ReelSet(cues=cues, reels=tuple(Reel(range=one, proxy=None) for one in cues)),
    )
    (tmp_path / "a").mkdir()
    take = compose("elevenlabs-text", order, folder=tmp_path / "a", purse=purse)
    chunks = service.requests[0].json["composition_plan"]["chunks"]
    assert [chunk["duration_ms"] for chunk in chunks] == [3000, 3000, 3000]
    assert [piece.start_s for piece in take.pieces] == [0, 3, 6]
    assert not take.warnings
    # Sections cost what they last on the picture: an estimate by the price of a minute.
    assert take.spent.seconds == 6


def test_words_for_scenes_have_their_time_in_the_description(
    make_order: MakeOrder, purse: Purse, service: MusicService, tmp_path: Path
) -> None:
    order = with_rest(make_order(prompt="hopeful"))
    order = with_words(order, "a lone flute", "unheard", "drums enter!")
    take = buy(order, purse, tmp_path / "a")
    told = dict(service.requests[0].fields)["description"]
    assert told.startswith("hopeful. 0:00-0:03: a lone flute. 0:03-0:06: drums enter! Style: ")
    assert not take.warnings


def test_words_for_scenes_that_have_no_room_are_shortened_and_told_of(
    make_order: MakeOrder, purse: Purse, service: MusicService, tmp_path: Path
) -> None:
    order = make_order(prompt="hopeful " * 250)
    order = with_words(order, "a lone flute", "many words " * 120, "and more words " * 120)
    (part,) = order.parts
    take = buy(order, purse, tmp_path / "a")
    told = dict(service.requests[0].fields)["description"]
    assert len(told) <= 4100
    assert "0:00-0:03: a lone flute." in told
    assert told.count("many words") > 60
    assert told.count("and more words") > 40
    (warning,) = take.warnings
    assert "at 0:03-0:05, 0:05-0:08 of the music are shortened" in warning
    assert warning in ElevenLabsProvider().outline(part)
