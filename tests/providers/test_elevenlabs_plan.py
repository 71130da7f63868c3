"""Words and composition plans for ElevenLabs, held against the vendor's own types."""

from __future__ import annotations

import itertools
import json
import tomllib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from elevenlabs.client import ElevenLabs
from elevenlabs.types import CompositionPlan, GenerationChunkInput, MusicPrompt, SongSection
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scorebed.errors import BadAnswer, OverLimit, SettingsError
from scorebed.model import (
    Brief,
    Cue,
    Order,
    PictureCurve,
    Reel,
    ReelSet,
    Scene,
    Shot,
    SpeechRegion,
    SpottingNotes,
    TimeRange,
)
from scorebed.providers.elevenlabs import plan as plans
from scorebed.providers.elevenlabs import words
from scorebed.providers.elevenlabs.lexicon import mentions, read_wish
from scorebed.providers.elevenlabs.moods import Reader
from scorebed.providers.elevenlabs.plan import (
    Chunk,
    ChunkPlan,
    Plan,
    SectionPlan,
    body,
    composition_plan,
    to_json,
)
from scorebed.providers.elevenlabs.refine import from_json, refined
from scorebed.providers.elevenlabs.spans import spans
from scorebed.style import Style

PRESETS = Path(__file__).parents[2] / "presets" / "style"
STYLES = tuple(sorted(path.stem for path in PRESETS.glob("*.toml")))
NOISE = ("no", "not", "and", "or", "with", ",", ".", ";", "drums", "soft", "until", "at", "é\n")
MODELS = ("music_v1", "music_v2", "music_v2_5")
Look = tuple[float, float]
"""Motion and brightness of a scene."""
CALM, BUSY, EVEN = (0.05, 0.15), (0.9, 0.9), (0.4, 0.5)


def brief(style: str = "cinematic", **fields: Any) -> Brief:
    table = tomllib.loads((PRESETS / f"{style}.toml").read_text(encoding="utf-8"))
    given = {"prompt": "", "tags": (), "seed": 1, "quality": "draft", "guidance": 0.5, **fields}
    return Brief(style=msgspec.convert(table, Style), **given)


def film(
    lengths_s: list[Fraction], looks: list[Look] | None = None, speech: tuple[int, int] = (0, 0)
) -> SpottingNotes:
    marks = list(itertools.accumulate(lengths_s, initial=Fraction(0)))
    ranges = [TimeRange.between(a, b) for a, b in itertools.pairwise(marks)]
    shown = itertools.cycle(looks or [CALM, BUSY, EVEN])
    heard = [TimeRange.between(*map(Fraction, speech))] if any(speech) else []
    return SpottingNotes(
        duration_s=marks[-1],
        frame_rate=Fraction(25),
        shots=tuple(Shot(range=one, confidence=1.0) for one in ranges),
        scenes=tuple(
            Scene(range=one, shots=1, motion=m, brightness=b, saturation=b, warmth=b - 0.5)
            for one, (m, b) in zip(ranges, shown, strict=False)
        ),
        speech=tuple(SpeechRegion(range=one, confidence=0.9) for one in heard),
        curve=PictureCurve(hop_s=Fraction(1, 2), motion=(0.5,), brightness=(0.5,)),
        cues=(Cue(number="1M1", range=TimeRange.between(Fraction(0), marks[-1]), hit_points=()),),
    )


def order(notes: SpottingNotes, asked: Brief, cuts_s: tuple[int, ...] = ()) -> Order:
    marks = [Fraction(0), *map(Fraction, cuts_s), notes.duration_s]
    reels = tuple(
        Reel(range=TimeRange.between(a, b), proxy=None, part=number)
        for number, (a, b) in enumerate(itertools.pairwise(marks))
    )
    whole = ReelSet(cues=notes.music, reels=reels)
    return Order(notes=notes, brief=asked, reels=whole, music=None)


def make(
    notes: SpottingNotes, asked: Brief, model: str = "music_v2", part: int = 0, cuts_s: Any = ()
) -> Plan:
    wanted = order(notes, asked, cuts_s)
    return composition_plan(wanted, wanted.parts[part], model=model)


def chunks(plan: Plan) -> tuple[Chunk, ...]:
    assert isinstance(plan, ChunkPlan)
    return plan.chunks


def seconds(*values: float) -> list[Fraction]:
    return [Fraction(str(value)) for value in values]


THREE = film(seconds(21, 14.5, 30), [CALM, BUSY, EVEN])
LENGTHS = st.lists(st.fractions(Fraction(1, 60), 200, max_denominator=1001), min_size=1).filter(
    lambda lengths: sum(lengths) <= 600
)


@settings(deadline=None, max_examples=40)
@given(LENGTHS, st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1))
@example([Fraction(1001, 30000)] * 400, [EVEN])
@example([Fraction(600)], [EVEN])
@example([Fraction(1001, 333)] * 199, [EVEN])
@example([Fraction(119)] * 5, [EVEN])
@example([Fraction(1, 60)], [EVEN])
def test_spans_fit_the_picture_and_the_service(lengths: list[Fraction], looks: list[Look]) -> None:
    notes = film(lengths, looks)
    total_ms = max(round(float(notes.duration_s) * 1000), 3000)
    found = spans(notes, notes.music)
    assert 1 <= len(found) <= 30
    assert all(3000 <= one.duration_ms <= 120_000 for one in found)
    assert found[0].start_ms == 0
    assert all(a.end_ms == b.start_ms for a, b in itertools.pairwise(found))
    assert abs(found[-1].end_ms - total_ms) <= 1
    for model in MODELS:
        plan = make(notes, brief(), model)
        steps = plan.sections if isinstance(plan, SectionPlan) else plan.chunks
        assert [one.duration_ms for one in steps] == [one.duration_ms for one in found]
    marks = [scene.range.start_s * 1000 for scene in notes.scenes]
    for left, right in itertools.pairwise(found):
        if min(abs(right.start_ms - mark) for mark in marks) > Fraction(1, 2):
            # Not the picture's: an even split of what was too long for one.
            assert abs(left.duration_ms - right.duration_ms) <= 1
            assert left.duration_ms >= 40_000


@settings(deadline=None, max_examples=60)
@given(st.lists(st.fractions(3, 19, max_denominator=1001), min_size=1, max_size=30))
def test_every_scene_has_its_span_and_rounding_never_adds_up(lengths: list[Fraction]) -> None:
    notes = film(lengths)
    found = spans(notes, notes.music)
    assert len(found) == len(lengths)
    for span, scene in zip(found, notes.scenes, strict=True):
        assert abs(span.start_ms - scene.range.start_s * 1000) <= Fraction(1, 2)
        assert abs(span.end_ms - scene.range.end_s * 1000) <= Fraction(1, 2)
        assert span.scene.shots == 1
        assert span.scene.motion == scene.motion


def test_a_short_scene_joins_the_neighbour_that_is_more_like_it() -> None:
    near = (0.85, 0.85)
    for looks, expected in (([CALM, near, BUSY], [20, 22]), ([BUSY, near, CALM], [22, 20])):
        notes = film(seconds(20, 2, 20), looks)
        found = spans(notes, notes.music)
        assert [one.duration_ms for one in found] == [1000 * s for s in expected]
        assert [one.scene.shots for one in found] == [s // 20 + s % 20 // 2 for s in expected]


def test_a_merged_scene_is_measured_by_length_and_a_long_one_is_split_evenly() -> None:
    notes = film(seconds(6, 2), [(0.2, 0.2), (0.6, 0.6)])
    (one,) = spans(notes, notes.music)
    assert one.scene.motion == pytest.approx(0.3)
    assert one.scene.shots == 2
    notes = film(seconds(10, 250, 10))
    lengths = [span.duration_ms for span in spans(notes, notes.music)]
    assert lengths == [10_000, 83_333, 83_334, 83_333, 10_000]


def test_parts_cut_the_scenes_and_only_the_last_ends() -> None:
    notes = film(seconds(20, 20, 20))
    first, second = (chunks(make(notes, brief(), part=n, cuts_s=(30,))) for n in (0, 1))
    assert [one.duration_ms for one in first] == [20_000, 10_000]
    assert [one.duration_ms for one in second] == [10_000, 20_000]
    assert first[0].text.startswith("[Intro 1:")
    assert second[-1].text.startswith("[Outro 2:")
    assert "clear ending" in second[-1].positive_styles
    assert not any("clear ending" in one.positive_styles for one in first)
    assert "gentle change of section" in second[0].positive_styles
    assert "gentle change of section" not in first[0].positive_styles
    texts = [
        words.description(brief(), notes, max_chars=4100, stretches=[TimeRange.between(a, b)]).text
        for a, b in ((Fraction(0), Fraction(30)), (Fraction(30), Fraction(60)))
    ]
    assert "Do not end at 0:30" in texts[0]
    assert "goes on from" not in texts[0]
    assert "goes on from" in texts[1]
    assert "Scenes: 0:00-0:10 " in texts[1]
    assert "clear ending at 0:30" in texts[1]


def test_too_long_a_piece_is_refused_by_how_much() -> None:
    notes = film(seconds(300, 301.5))
    with pytest.raises(OverLimit, match=r"1\.500 s more"):
        make(notes, brief())
    with pytest.raises(SettingsError, match="music_v9"):
        make(THREE, brief(), "music_v9")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("style", STYLES)
def test_the_vendors_types_take_the_plan(style: str, model: str) -> None:
    plan = make(THREE, brief(style, prompt="no drums, a lighthouse at dawn"), model)
    wire = to_json(plan)
    kinds: Any = (
        (MusicPrompt, SongSection)
        if model == "music_v1"
        else (
            CompositionPlan,
            GenerationChunkInput,
        )
    )
    steps = wire["sections" if model == "music_v1" else "chunks"]
    for kind, table in ((kinds[0], wire), *((kinds[1], step) for step in steps)):
        assert set(table) <= set(kind.model_fields)
        assert None not in table.values()
        required = {name for name, field in kind.model_fields.items() if field.is_required()}
        assert required <= set(table)
    typed = kinds[0].model_validate(wire)
    assert typed.model_dump(exclude_none=True) == wire
    for step in steps:
        name = step.get("section_name") or step["text"].strip("[]")
        assert 1 <= len(name) <= 100
        assert step.get("lines", []) == []
    asked = body(plan, seed=7)
    assert asked["seed"] == 7
    assert asked["model_id"] == model
    assert asked.get("respect_sections_durations") is (True if model == "music_v1" else None)
    assert from_json(wire, model=model) == plan


@pytest.mark.parametrize("model", MODELS)
def test_the_vendors_client_sends_the_same_body(model: str) -> None:
    plan = make(THREE, brief(tags=("night",)), model)
    seen: list[Any] = []

    def serve(request: httpx.Request) -> httpx.Response:
        seen.append(json.loads(request.read()))
        return httpx.Response(200, content=b"sound")

    asked = body(plan, seed=7)
    typed = (MusicPrompt if model == "music_v1" else CompositionPlan).model_validate(to_json(plan))
    with httpx.Client(transport=httpx.MockTransport(serve)) as client:
        sdk = ElevenLabs(api_key="k", httpx_client=client)
        b"".join(sdk.music.compose(**{**asked, "composition_plan": typed}))
    assert seen == [asked]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sampled_from(NOISE)) | st.lists(st.text(max_size=20), max_size=8),
    st.lists(st.text(max_size=10), max_size=3),
    st.sampled_from(STYLES),
)
def test_any_prompt_gives_a_whole_plan(said: list[str], tags: list[str], style: str) -> None:
    asked = brief(style, prompt=" ".join(said), tags=tuple(tags))
    for one in chunks(make(THREE, asked)):
        folded = {word.casefold() for word in one.positive_styles}
        assert len(one.positive_styles) == len(folded) >= 4
        assert not folded & {word.casefold() for word in one.negative_styles}
        assert {"lyrics", "spoken word"} <= set(one.negative_styles)
        assert all(word.strip() and word.isprintable() for word in one.positive_styles)
    text = words.description(asked, THREE, max_chars=4100).text
    assert text.startswith(asked.prompt.strip())


def test_a_users_own_bare_style_is_enough() -> None:
    for style in (Style(name="mine", description=""), Style(name="mine", description="Polka.")):
        asked = replace(brief(), style=style)
        head = style.description.rstrip(".") or "mine"
        first, *_ = chunks(make(THREE, asked))
        assert first.positive_styles[0] == head
        assert len(first.positive_styles) >= 7
        assert f"Style: {head}. " in words.description(asked, THREE, max_chars=4100).text
        assert words.tags(asked)[0] == "mine"


def test_every_style_has_its_own_words() -> None:
    heads, all_tags = set(), set()
    for style in STYLES:
        first, *later = chunks(make(THREE, brief(style)))
        assert len(first.positive_styles) >= 12
        assert all(len(one.positive_styles) >= 6 for one in later)
        for one in (first, *later):
            folded = [word.casefold() for word in one.positive_styles]
            assert len(set(folded)) == len(folded)
            assert all(word == word.strip() and word for word in folded)
            assert not set(folded) & {word.casefold() for word in one.negative_styles}
        heads.add(first.positive_styles[:2])
        all_tags.add(words.tags(brief(style)))
        low, high = brief(style).style.tempo_bpm
        tempos = [word for word in first.positive_styles if word.endswith(" bpm")]
        assert len(tempos) == 1
        assert low <= int(tempos[0].split()[0]) <= high
    assert len(heads) == len(all_tags) == len(STYLES)
    assert "felt piano" in words.scene_styles(Reader(brief(), THREE.scenes), THREE.scenes[0])


def test_busy_and_bright_differs_from_calm_and_dark() -> None:
    calm, busy, _ = chunks(make(THREE, brief("documentary", guidance=1.0)))
    assert "calm, dark" in calm.text
    assert "busy, bright" in busy.text
    assert {"minor key", "sparse, long notes"} <= set(calm.positive_styles)
    assert {"major key", "busy rhythmic accompaniment"} <= set(busy.positive_styles)

    def bpm(one: Chunk) -> int:
        return int(next(w for w in one.positive_styles if w.endswith(" bpm")).split()[0])

    assert bpm(busy) > bpm(calm) + 5
    assert "brushed percussion" in busy.positive_styles
    assert "brushed percussion" not in calm.positive_styles


def test_guidance_changes_the_request() -> None:
    made = [chunks(make(THREE, brief(guidance=g))) for g in (0.0, 0.5, 1.0)]
    assert [one[0].context_adherence for one in made] == ["high", "medium", "low"]
    tempos = [
        {word for one in each for word in one.positive_styles if word.endswith(" bpm")}
        for each in made
    ]
    assert [len(one) for one in tempos] == [1, 3, 3]
    texts = {
        words.description(brief(guidance=g), THREE, max_chars=4100).text for g in (0.0, 0.5, 1.0)
    }
    assert len(texts) == 3


def test_the_same_order_gives_the_same_plan() -> None:
    for model in MODELS:
        asked = brief("lofi", prompt="rain, no piano", tags=("night",))
        assert make(THREE, asked, model) == make(THREE, asked, model)
        assert plans.lines(make(THREE, asked, model))


@pytest.mark.parametrize(
    ("prompt", "excluded", "wanted"),
    [
        ("no drums, soft piano", ["drums"], ["soft piano"]),
        ("warm, without drums, piano or strings", ["drums", "piano", "strings"], ["warm"]),
        ("not too fast and hopeful", ["fast"], ["hopeful"]),
        ("do not make it sound like a horror film. Big sky", ["horror film"], ["Big sky"]),
        ("drumless rain and no brass with harp", ["drums", "brass"], ["rain", "harp"]),
        ("no drums until the end, harp", ["drums"], ["harp"]),
        ("no drums at first, big drums later", [], ["big drums later"]),
        ("don\u2019t use guitars or bass", ["guitars", "bass"], []),
        ("not only strings, no more than 90 bpm", [], ["not only strings", "no more than 90 bpm"]),
    ],
)
def test_what_the_prompt_excludes(prompt: str, excluded: list[str], wanted: list[str]) -> None:
    wish = read_wish(brief(prompt=prompt))
    assert list(wish.excluded) == excluded
    assert list(wish.phrases) == wanted
    for model in MODELS:
        wire = str(to_json(make(THREE, brief(prompt=prompt), model)))
        assert all(repr(word) in wire for word in (*excluded, *wanted))


def test_exclusions_are_negatives_and_leave_the_positives() -> None:
    asked = brief(prompt="no percussion, no piano")
    for one in chunks(make(THREE, asked)):
        assert {"vocals", "singing", "percussion", "piano"} <= set(one.negative_styles)
        assert not [w for w in one.positive_styles if mentions(w, "drums") or "piano" in w]
    text = words.description(asked, THREE, max_chars=4100).text.partition("Style:")[2]
    assert "deep drums" not in text
    assert "felt piano" not in text
    assert "low brass" in text
    assert "drums" in words.negative_styles(brief("ambient"))
    wished = brief("ambient", prompt="slow drums")
    assert "drums" not in words.negative_styles(wished)
    assert "no drums" not in words.description(wished, THREE, max_chars=4100).text


def test_words_of_tempo_solo_and_voices() -> None:
    for prompt, tempos in (("140 bpm", {140}), ("slow", range(60, 84)), ("fast", range(97, 126))):
        for one in chunks(make(THREE, brief(prompt=prompt))):
            assert (
                int(next(w for w in one.positive_styles if w.endswith("bpm")).split()[0]) in tempos
            )
    alone = chunks(make(THREE, brief(prompt="solo harp")))
    assert all("solo harp" in one.positive_styles for one in alone)
    assert not any("string ensemble" in one.positive_styles for one in alone)
    assert "singing" not in words.negative_styles(brief(prompt="epic choir"))
    assert "lyrics" in words.negative_styles(brief(prompt="epic choir"))
    for one in chunks(make(THREE, brief(tags=("Lyrics", "night")))):
        assert "Lyrics" not in one.positive_styles
        assert "night" in one.positive_styles


def test_speech_makes_room() -> None:
    spoken = film(seconds(20, 20), speech=(0, 10))
    first, second = chunks(make(spoken, brief()))
    assert "restrained midrange" in first.positive_styles
    assert "restrained midrange" not in second.positive_styles
    text = words.description(brief(), spoken, max_chars=4100).text
    assert "25 %" in text
    assert "1 and 4 kHz" in text
    assert "dialogue" not in words.description(brief(), THREE, max_chars=4100).text


def test_the_users_prompt_is_whole_and_first_or_refused_by_how_much() -> None:
    prompt = "A long walk. " * 20 + "Home"
    asked = brief(prompt=prompt)
    whole = words.description(asked, THREE, max_chars=4100).text
    assert whole.startswith(prompt + ". Style: Cinematic orchestral score")
    assert "Instruments: string ensemble" in whole
    assert "no vocals, no singing" in whole
    assert whole.endswith(
        "Scenes: 0:00-0:21 calm, dark. 0:21-0:36 busy, bright. 0:36-1:06 flowing, balanced."
    )
    assert words.description(asked, THREE, max_chars=len(prompt)).text == prompt
    for most in range(len(prompt), len(whole) + 1, 7):
        text = words.description(asked, THREE, max_chars=most).text
        assert len(text) <= most
        assert whole.startswith(text)
        assert text == prompt or text.endswith(".")
    with pytest.raises(OverLimit, match=" 4 more than"):
        words.description(asked, THREE, max_chars=len(prompt) - 4)


def test_tags_are_the_users_then_the_styles() -> None:
    asked = brief("lofi", tags=("Rain", "LOFI", " ", "rain", "night"))
    found = words.tags(asked)
    assert found[:3] == ("Rain", "LOFI", "night")
    assert len(found) == len({tag.casefold() for tag in found}) == 10
    ten = tuple(f"tag {number}" for number in range(10))
    assert words.tags(brief(tags=ten)) == ten
    with pytest.raises(SettingsError, match="at most 10") as refusal:
        words.tags(brief(tags=(*ten, "one more")))
    assert "1 of the --tag" in refusal.value.remedy
    assert "jazzy" not in words.tags(brief("lofi", prompt="not jazzy"))


def answer(count: int, **fields: Any) -> dict[str, Any]:
    return {
        "chunks": [
            {
                "text": f"[Theme {n}]\nla la la\n{{scratching}}",
                "duration_ms": 10_000,
                "positive_styles": [f"style {n}", "female vocals", "big drums", "a\x1b[31m b"],
                "negative_styles": ["distortion"],
                "context_adherence": None,
                "unknown": 1,
                **fields,
            }
            for n in range(count)
        ]
    }


def test_a_refined_plan_keeps_the_pictures_times_and_drops_lyrics() -> None:
    plan = make(THREE, brief(prompt="no drums"))
    better = chunks(refined(plan, answer(3)))
    for number, (own, one) in enumerate(zip(chunks(plan), better, strict=True)):
        assert one.text == f"[Theme {number}]"
        assert (one.duration_ms, one.context_adherence) == (own.duration_ms, "medium")
        assert one.positive_styles[:2] == (f"style {number}", "a [31m b")
        assert one.negative_styles == (*own.negative_styles, "distortion")
    assert "instrumental" in better[0].positive_styles
    # Another number of chunks: 21, 14.5 and 30 s beside six equal ones of 10.9 s.
    six = chunks(refined(plan, answer(6)))
    assert [one.name for one in six] == ["Theme 0", "Theme 2", "Theme 4"]
    assert [one.duration_ms for one in six] == [21_000, 14_500, 30_000]
    assert chunks(refined(plan, answer(1)))[2].name == "Theme 0"
    kept = chunks(refined(plan, answer(3, positive_styles=["soft vocals"], text="la la")))
    assert [one.text for one in kept] == [one.text for one in chunks(plan)]
    assert kept[1].positive_styles == chunks(plan)[1].positive_styles
    quoted = answer(3)
    quoted["chunks"][1] = {"song_id": "s", "range": {"start_ms": 0, "end_ms": 9000}}
    assert chunks(refined(plan, quoted))[1] == chunks(plan)[1]


def test_a_refined_plan_of_sections() -> None:
    plan = make(THREE, brief(), "music_v1")
    section = {
        "section_name": "Rise",
        "positive_local_styles": ["harp"],
        "negative_local_styles": ["noise"],
        "duration_ms": 5000,
        "lines": ["oh"],
    }
    whole = {"positive_global_styles": ["folk"], "negative_global_styles": ["rock"]}
    better = refined(plan, {**whole, "sections": [section] * 3})
    assert isinstance(better, SectionPlan)
    assert better.positive_global_styles == ("folk", "instrumental")
    assert better.negative_global_styles == (*words.negative_styles(brief()), "rock")
    assert [one.duration_ms for one in better.sections] == [21_000, 14_500, 30_000]
    assert {one.section_name for one in better.sections} == {"Rise"}
    assert "oh" not in str(to_json(better))
    MusicPrompt.model_validate(to_json(better))
    with pytest.raises(BadAnswer):
        refined(plan, answer(3))


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        "plan",
        {},
        {"chunks": []},
        {"chunks": {}},
        {"chunks": [None]},
        {"sections": []},
        answer(1, duration_ms="10"),
        answer(1, duration_ms=True),
        answer(1, duration_ms=0),
        answer(1, duration_ms=None),
        answer(1, text=None),
        answer(1, text=5),
        answer(1, positive_styles="soft"),
        answer(1, positive_styles=[1]),
        answer(1, context_adherence="total"),
    ],
    ids=repr,
)
def test_an_answer_that_is_no_plan_is_refused(wrong: object) -> None:
    with pytest.raises(BadAnswer, match="no plan") as refusal:
        refined(make(THREE, brief()), wrong)
    assert refusal.value.remedy


def test_a_plan_is_shown_line_by_line() -> None:
    asked = brief(prompt="rain\n\x1b[31mred, no drums")
    head, *steps = plans.lines(
        make(THREE, asked), stretches=[TimeRange.between(Fraction(60), Fraction(200))]
    )
    assert head == ("music_v2: 3 chunks; without vocals, singing, lyrics, spoken word, drums")
    assert [step.split("  ")[0] for step in steps] == [
        "1:00.0-1:21.0",
        "1:21.0-1:35.5",
        "1:35.5-2:05.5",
    ]
    assert "Intro 1: calm, dark: Cinematic orchestral score, rain, [31mred" in steps[0]
    assert all(step.isprintable() for step in steps)
    head, *steps = plans.lines(make(THREE, asked, "music_v1"))
    assert "Cinematic orchestral score" in head
    assert len(steps) == 3
