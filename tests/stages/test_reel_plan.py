"""Which reels go with which request: few requests, split at good places."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scorebed.errors import OverLimit
from scorebed.model import (
    Cue,
    Limits,
    PictureCurve,
    Reel,
    ReelSet,
    Scene,
    Shot,
    SpeechRegion,
    SpottingNotes,
    TimeRange,
)
from scorebed.stages.reel_plan import LEAST_REEL_S, plan_reels

LIMITS = Limits(
    needs_proxies=True,
    max_reels=10,
    max_duration_s=Fraction(600),
    max_size_bytes=None,
    network=True,
)


def spans(cuts: list[Fraction], end_s: Fraction) -> list[TimeRange]:
    return [TimeRange.between(*pair) for pair in pairwise([Fraction(0), *cuts, end_s])]


def notes_of(
    scenes: list[int] | list[Fraction],
    end_s: Fraction | int,
    *,
    shots: dict[int, float] | None = None,
    speech: list[tuple[float, float]] | None = None,
    rate: Fraction = Fraction(25),
) -> SpottingNotes:
    """Notes with scenes and shots (start: confidence) that open there, times in seconds."""
    end_s = Fraction(end_s)
    sure = {Fraction(0): 1.0, **{Fraction(at): 0.8 for at in scenes}}
    sure |= {Fraction(at): confidence for at, confidence in (shots or {}).items()}
    looks = {"shots": 1, "motion": 0.1, "brightness": 0.5, "saturation": 0.5, "warmth": 0.0}
    opened = sorted(at for at in sure if at)
    return SpottingNotes(
        duration_s=end_s,
        frame_rate=rate,
        shots=tuple(
            Shot(range=span, confidence=sure[span.start_s]) for span in spans(opened, end_s)
        ),
        scenes=tuple(
            Scene(range=span, **looks)  # type: ignore[arg-type]
            for span in spans([Fraction(at) for at in scenes], end_s)
        ),
        speech=tuple(
            SpeechRegion(range=TimeRange.between(Fraction(first), Fraction(last)), confidence=0.9)
            for first, last in speech or []
        ),
        curve=PictureCurve(hop_s=Fraction(1, 2), motion=(), brightness=()),
        cues=(cue_of(end_s),),
    )


def cue_of(end_s: Fraction) -> Cue:
    return Cue(number="1M1", range=TimeRange.between(Fraction(0), end_s), hit_points=())


def parts_of(notes: SpottingNotes, limits: Limits = LIMITS) -> list[TimeRange]:
    """The range of each request; all that must always hold is asserted."""
    planned = plan_reels(notes, limits)
    assert planned[0][0].start_s == 0
    assert planned[-1][0].end_s == notes.cues[0].range.end_s
    for (span, part), (after, next_part) in pairwise(planned):
        assert span.end_s == after.start_s
        assert next_part in {part, part + 1}
    assert all(span.duration_s > 0 for span, _ in planned)
    found = []
    for number in range(planned[-1][1] + 1):
        reels = [span for span, part in planned if part == number]
        assert 1 <= len(reels) <= limits.max_reels
        found.append(TimeRange.between(reels[0].start_s, reels[-1].end_s))
        if limits.max_duration_s is not None:
            assert found[-1].duration_s <= limits.max_duration_s
    return found


def splits_of(notes: SpottingNotes, limits: Limits = LIMITS) -> list[float]:
    return [float(part.start_s) for part in parts_of(notes, limits)[1:]]


def test_what_fits_into_one_request_is_one() -> None:
    assert splits_of(notes_of([100, 300], 600)) == []
    assert splits_of(notes_of([100, 300], 900), replace(LIMITS, max_duration_s=None)) == []


def test_a_shorter_cue_needs_fewer_requests() -> None:
    notes = replace(notes_of([100, 590, 700], 1000), cues=(cue_of(Fraction(1199, 2)),))
    assert splits_of(notes) == []
    assert plan_reels(notes, LIMITS)[-1][0] == TimeRange.between(Fraction(590), Fraction(1199, 2))


def test_scenes_come_before_shots_and_shots_before_frames() -> None:
    shots = {450: 1.0, 500: 1.0, 550: 1.0}
    assert splits_of(notes_of([410], 1000, shots=shots)) == [410]
    assert splits_of(notes_of([200], 1000, shots={450: 0.6})) == [450]
    (split,) = splits_of(notes_of([], 1000))
    assert split * 25 == int(split * 25)
    assert 400 <= split <= 600
    # One cut serves, the other boundary has to be inside a shot.
    first, second = splits_of(notes_of([590], 1700))
    assert first == 590
    assert 1100 <= second <= 1190


def test_a_strong_cut_is_preferred() -> None:
    notes = notes_of([], 1000, shots={480: 0.5, 490: 1.0, 500: 0.55, 510: 0.6})
    assert splits_of(notes) == [490]


def test_speech_is_avoided() -> None:
    scenes = [470, 480, 490, 500, 510]
    speech = [(460.0, 479.5), (489.0, 498.0), (500.5, 512.0)]
    quiet = [(460.0, 478.0), *speech[1:]]
    assert splits_of(notes_of(scenes, 1000, speech=quiet)) == [480]
    # Where no cut will do either, a pause of speech is found.
    said = [(float(at), at + 7.0) for at in range(0, 1000, 8)]
    (split,) = splits_of(notes_of([], 1000, speech=said))
    assert 7.4 <= split % 8 <= 7.6


def test_no_part_is_absurdly_short() -> None:
    # By scenes alone the second part would be of 10 s; a shot's cut makes it a real one.
    scenes, shots = [600, 610], {390: 0.9}
    lengths = [part.duration_s for part in parts_of(notes_of(scenes, 1000, shots=shots))]
    assert len(lengths) == 2
    assert min(lengths) == 390 or min(lengths) == 400
    assert splits_of(notes_of([30, 300, 598], 610)) == [300]


def test_an_exact_fit_is_used() -> None:
    assert splits_of(notes_of([], 1800)) == [600, 1200]
    # 600 s are no whole number of film frames, so that two requests cannot hold 1200 s.
    film = notes_of([], 1200, rate=Fraction(24000, 1001))
    assert len(parts_of(film)) == 3
    assert splits_of(notes_of([600], 1200, rate=Fraction(24000, 1001))) == [600]


def test_a_limit_below_one_frame_is_refused() -> None:
    with pytest.raises(OverLimit, match="less than one frame") as caught:
        plan_reels(notes_of([], 10), replace(LIMITS, max_duration_s=Fraction(1, 50)))
    assert caught.value.remedy


def test_blinks_are_joined_with_a_neighbour() -> None:
    scenes = [Fraction(at, 25) for at in (5, 100, 108, 200, 212, 213, 230, 495)]
    planned = plan_reels(notes_of(scenes, 20), LIMITS)
    assert all(span.duration_s >= LEAST_REEL_S for span, _ in planned)
    assert len(planned) > 3
    ((only, _),) = plan_reels(notes_of([Fraction(1, 5)], Fraction(2, 5)), LIMITS)
    assert only.duration_s == Fraction(2, 5)


def test_a_programme_of_47_minutes_needs_five_requests() -> None:
    scenes = [*range(37, 2820, 37)]
    notes = notes_of(scenes, 2820, shots={at: 0.7 for at in range(5, 2820, 5) if at % 37})
    splits = splits_of(notes)
    assert len(splits) == 4
    assert all(split % 37 == 0 for split in splits)
    assert min(part.duration_s for part in parts_of(notes)) > 480


# --- against all that is possible --------------------------------------------------------------


def fewest(length: int, limit: int, cuts: set[int]) -> tuple[int, int] | None:
    """Least parts of frames, and of these the least boundaries that are no cut: all are tried."""
    best: dict[int, tuple[int, int]] = {0: (0, 0)}
    for end in range(1, length + 1):
        ways = [
            (best[start][0] + 1, best[start][1] + (end not in cuts and end != length))
            for start in range(max(0, end - limit), end)
            if start in best
        ]
        if ways:
            best[end] = min(ways)
    return best.get(length)


@settings(max_examples=150, deadline=None)
@given(
    scenes=st.lists(st.integers(1, 120), min_size=1, max_size=12),
    shots=st.sets(st.integers(1, 400), max_size=6),
    limit=st.integers(20, 150),
    most=st.integers(1, 5),
)
def test_the_number_of_requests_is_the_least_that_is_possible(
    scenes: list[int], shots: set[int], limit: int, most: int
) -> None:
    """One frame per second: every split is a whole number."""
    starts = [sum(scenes[:number]) for number in range(1, len(scenes))]
    length = sum(scenes)
    cuts = {*starts, *(at for at in shots if at < length)}
    notes = notes_of(starts, length, shots=dict.fromkeys(cuts - {*starts}, 0.7), rate=Fraction(1))
    limits = replace(LIMITS, max_duration_s=Fraction(limit), max_reels=most)
    parts = parts_of(notes, limits)
    expected = fewest(length, limit, cuts)
    assert expected is not None
    assert len(parts) == expected[0]
    loose = [part for part in parts[1:] if part.start_s not in cuts]
    # A boundary that needs no frame inside a shot never takes one.
    assert (len(loose) == 0) == (expected[1] == 0)
    assert all(part.start_s.denominator == 1 for part in parts)
    assert plan_reels(notes, limits) == plan_reels(notes, limits)


# --- several cues ------------------------------------------------------------------------------


def with_cues(notes: SpottingNotes, *marks: tuple[Fraction | int, Fraction | int]) -> SpottingNotes:
    cues = tuple(
        Cue(
            number=f"1M{number}",
            range=TimeRange.between(Fraction(first), Fraction(last)),
            hit_points=(),
        )
        for number, (first, last) in enumerate(marks, start=1)
    )
    return replace(notes, cues=cues)


def requests_of(notes: SpottingNotes, limits: Limits = LIMITS) -> list[list[TimeRange]]:
    """The reels of each request; what must hold for any cues is asserted."""
    planned = plan_reels(notes, limits)
    # It checks that they tile the cues.
    ReelSet(cues=notes.music, reels=tuple(Reel(range=one, proxy=None) for one, _ in planned))
    numbers = [part for _, part in planned]
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(numbers[-1] + 1))
    found = [[span for span, part in planned if part == number] for number in sorted(set(numbers))]
    for reels in found:
        assert len(reels) <= limits.max_reels
        if limits.max_duration_s is not None:
            assert sum(span.duration_s for span in reels) <= limits.max_duration_s
    return found


def test_what_lies_between_cues_is_in_no_reel() -> None:
    notes = with_cues(notes_of([100, 300], 600), (20, 110), (250, 310), (500, 600))
    (reels,) = requests_of(notes)
    assert [(float(one.start_s), float(one.end_s)) for one in reels] == [
        *((20, 100), (100, 110), (250, 300), (300, 310), (500, 600)),
    ]


def test_only_cued_time_counts_for_the_limit() -> None:
    """An hour of film with nine minutes of music is one request."""
    notes = with_cues(notes_of([100], 3600), (0, 240), (1800, 2040), (3500, 3560))
    assert len(requests_of(notes)) == 1


def test_parts_meet_between_cues_if_they_can() -> None:
    notes = with_cues(notes_of([100, 500], 1800), (0, 290), (400, 700), (900, 1250))
    first, second = requests_of(notes)
    assert first[-1].end_s == 700
    assert second[0].start_s == 900


def test_a_cue_may_cross_the_border_of_two_parts() -> None:
    notes = with_cues(notes_of([500, 900], 1800), (0, 100), (400, 1400))
    first, second = requests_of(notes)
    assert first[-1].end_s == second[0].start_s == 900
    assert [first[0].start_s, second[-1].end_s] == [0, 1400]


def test_a_request_holds_no_more_cues_than_files() -> None:
    notes = with_cues(notes_of([3, 33], 200), *((at, at + 5) for at in range(0, 200, 10)))
    limits = replace(LIMITS, max_reels=6)
    assert len(requests_of(notes, limits)) == 4
    blind = replace(limits, needs_proxies=False)
    assert len(requests_of(notes, blind)) == 4
    assert sum(map(len, requests_of(notes, blind))) == 20


def fewest_of(frames: list[bool], limit: int, most: int) -> int:
    """Least requests for cued frames, each of so many frames and cues at most: greedy is best."""
    requests, room, cues, before = 0, 0, 0, False
    for cued in frames:
        opens = cued and not before
        if cued:
            if not room or (opens and cues == most):
                requests, room, cues = requests + 1, limit, 0
                opens = True
            room -= 1
            cues += opens
        before = cued
    return requests


@settings(max_examples=150, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=24),
    first=st.booleans(),
    scenes=st.sets(st.integers(1, 400), max_size=12),
    limit=st.integers(20, 150),
    most=st.integers(1, 6),
    looks=st.booleans(),
)
def test_reels_tile_any_cues_in_the_fewest_requests(
    *, lengths: list[int], first: bool, scenes: set[int], limit: int, most: int, looks: bool
) -> None:
    """Music and rests in turn, one frame per second."""
    frames = [first ^ bool(number % 2) for number, size in enumerate(lengths) for _ in range(size)]
    if True not in frames:
        frames += [True]
    edges = [at for at, (a, b) in enumerate(pairwise([False, *frames, False])) if a != b]
    marks = [*zip(edges[::2], edges[1::2], strict=True)]
    notes = notes_of(sorted(at for at in scenes if at < len(frames)), len(frames), rate=Fraction(1))
    limits = replace(LIMITS, needs_proxies=looks, max_duration_s=Fraction(limit), max_reels=most)
    assert len(requests_of(with_cues(notes, *marks), limits)) == fewest_of(frames, limit, most)
