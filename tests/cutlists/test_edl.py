"""Edit decision lists: every kind of event, both ways of counting, and where zero is."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scorebed.cutlists import read_markers
from scorebed.cutlists.clock import clock_s, exact_rate, seconds
from scorebed.cutlists.edl import read_edl
from scorebed.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cutlists.conftest import Read

NTSC = Fraction(30000, 1001)
FILM = Fraction(24000, 1001)
RATES = [Fraction(24), FILM, Fraction(25), NTSC, Fraction(50), Fraction(60000, 1001), Fraction(60)]


def timecode(frame: int, rate: Fraction, *, drop: bool = False) -> str:
    """By the definition of SMPTE ST 12-1: two numbers are left out in nine minutes of ten."""
    counted = round(rate)
    if drop:
        left_out = 2 * (counted // 30)
        minute, ten = 60 * counted - left_out, 600 * counted - 9 * left_out
        tens, rest = divmod(frame, ten)
        minutes = 0 if rest < 60 * counted else 1 + (rest - 60 * counted) // minute
        frame += left_out * (9 * tens + minutes)
    seconds_, number = divmod(frame, counted)
    minutes, second = divmod(seconds_, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02d}:{minute:02d}:{second:02d}{';' if drop else ':'}{number:02d}"


@given(frame=st.integers(0, 86_400 * 24 - 1), rate=st.sampled_from(RATES))
def test_a_timecode_is_the_time_of_its_frame(frame: int, rate: Fraction) -> None:
    assert clock_s(timecode(frame, rate), rate) == frame / rate


@given(frame=st.integers(0, 86_400 * 29), rate=st.sampled_from([NTSC, Fraction(60000, 1001)]))
def test_drop_frame_timecodes_are_the_time_of_their_frame(frame: int, rate: Fraction) -> None:
    code = timecode(frame, rate, drop=True)
    assert clock_s(code, rate) == frame / rate
    assert clock_s(code.replace(";", ":"), rate, drop=True) == frame / rate
    assert clock_s(code.replace(":", ";"), rate) == frame / rate


@given(at_ms=st.integers(0, 360_000_000))
def test_seconds_are_read_as_they_are_written(at_ms: int) -> None:
    at_s = Fraction(at_ms, 1000)
    whole, ms = divmod(at_ms, 1000)
    clock = f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    assert seconds(f"{whole}.{ms:03d}") == seconds(f"{clock},{ms:03d}") == at_s


@pytest.mark.parametrize("text", ["", "x", "1:2:3:4", "1..2", "-3", "1.5:20", "٣"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert seconds(text) is None


@pytest.mark.parametrize("rate", RATES)
def test_rounded_rates_are_the_exact_ones(rate: Fraction) -> None:
    assert exact_rate(float(rate)) == exact_rate(round(float(rate), 2)) == rate
    assert exact_rate(23.98) == FILM
    assert exact_rate(Fraction(19621, 1000)) == Fraction(19621, 1000)


@settings(max_examples=50)
@given(
    lengths=st.lists(st.integers(1, 5000), min_size=2, max_size=8),
    rate=st.sampled_from(RATES),
    drop=st.booleans(),
    first=st.sampled_from([0, 3600, 80_000]),
)
def test_events_give_their_frames_back(
    lengths: list[int], rate: Fraction, *, drop: bool, first: int
) -> None:
    drop = drop and rate in {NTSC, Fraction(60000, 1001)}
    at = first * round(rate)
    lines = ["TITLE: any", f"FCM: {'DROP' if drop else 'NON-DROP'} FRAME"]
    starts = []
    for number, length in enumerate(lengths):
        codes = " ".join(timecode(frame, rate, drop=drop) for frame in (at, at + length) * 2)
        lines.append(f"{number:03d}  AX       V     C        {codes}")
        starts.append(at)
        at += length
    # A last frame number in the upper half: the list is at the picture's rate.
    tail = at + (-at % round(rate)) + round(rate) - 1
    codes = " ".join(timecode(frame, rate, drop=drop) for frame in (at, tail) * 2)
    lines.append(f"998  AX       V     C        {codes}")
    if drop:
        lines = [line.replace(";", ":") for line in lines]  # the FCM line says it as well
    listing = read_edl("\n".join(lines), rate)
    assert listing.start_s == starts[0] / rate
    assert [cut.at_s * rate for cut in listing.cuts] == [*starts, at]


EDITED = """TITLE: edited
FCM: NON-DROP FRAME

001  BL       V     C        00:00:00:00 00:00:00:00 01:00:00:00 01:00:00:00
001  AX       V     D    025 00:00:00:00 00:00:10:00 01:00:00:00 01:00:10:00
* TO CLIP NAME: opening.mov
002  REEL 7   AA/V  C        00:00:30:00 00:00:40:00 01:00:10:00 01:00:20:00
* FROM CLIP NAME: street.mov
M2   REEL 7   050.0                00:00:30:00
003  REEL 7   V     C        00:00:40:00 00:00:40:00 01:00:20:00 01:00:20:00
003  AX       V     D    012 00:00:00:00 00:00:00:12 01:00:20:00 01:00:20:12
* FROM CLIP NAME: street.mov
* TO CLIP NAME: sea.mov
004  AX       V     C        00:00:00:12 00:00:05:00 01:00:20:12 01:00:25:00
* FROM CLIP NAME: sea.mov
REM the title lies over the picture
005  TITLE    V     K    O   00:00:00:00 00:00:02:00 01:00:22:00 01:00:24:00
006  AX       V2    C        00:00:00:00 00:00:01:00 01:00:12:00 01:00:13:00
* FROM CLIP NAME: insert.mov
007  MUSIC    A2    C        00:00:00:00 00:00:10:00 01:00:11:00 01:00:21:00
* FROM CLIP NAME: music.wav
008  AX       V     C        00:00:00:00 00:00:00:00 01:00:25:00 01:00:25:00
008  BL       V     W001 025 00:00:00:00 00:00:01:00 01:00:25:00 01:00:26:00
* LOC: 01:00:11:05 RED     the door slams
"""
SEEN = [
    (0, 25, "fade", "opening.mov"),
    (250, None, "cut", "street.mov"),
    (300, None, "cut", "insert.mov"),
    (325, None, "cut", "street.mov"),
    (500, 512, "dissolve", "sea.mov"),
    (625, 650, "fade", ""),
]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_an_edited_list(read: Read, ends: str) -> None:
    assert read("a.edl", EDITED.replace("\n", ends), frames=650) == SEEN


def test_names_in_any_encoding(read: Read) -> None:
    text = EDITED.replace("street", "café")
    for content in (text.encode("latin-1"), text.encode("utf-8-sig"), text.encode("utf-16")):
        assert read("a.edl", content, frames=650)[1][3] == "café.mov"


def test_locators_are_markers(tmp_path: Path) -> None:
    (tmp_path / "a.edl").write_text(EDITED)
    found = read_markers(
        tmp_path / "a.edl", frame_rate=Fraction(25), timecode_s=None, duration_s=Fraction(26)
    )
    assert found == ((Fraction(280, 25), "the door slams"),)


def test_a_list_of_markers_lists_their_places(read: Read) -> None:
    text = "TITLE: m\nFCM: NON-DROP FRAME\n\n"
    for number, code in enumerate(("01:00:00:00", "01:00:04:10", "01:00:08:00"), 1):
        text += f"{number:03d}  001      V     C        {code} {code} {code} {code}  \n"
        text += f" |C:ResolveColorBlue |M:scene {number} |D:1\n\n"
    assert read("m.edl", text, frames=300) == [
        (110, None, "cut", "scene 2"),
        (200, None, "cut", "scene 3"),
    ]


def one_event_each(*spans: tuple[str, str]) -> str:
    return "".join(
        f"{number:03d}  AX V C 00:00:00:00 00:00:01:00 {first} {last}\n"
        for number, (first, last) in enumerate(spans, 1)
    )


def test_black_before_the_first_event_counts_where_the_end_says_so(read: Read) -> None:
    spans = one_event_each(("01:00:02:00", "01:00:06:00"), ("01:00:06:00", "01:00:10:00"))
    assert [cut[0] for cut in read("a.edl", spans, frames=250)] == [50, 150]
    assert [cut[0] for cut in read("a.edl", spans, frames=200)] == [100]


def test_a_list_may_begin_before_the_hour(read: Read) -> None:
    spans = one_event_each(("00:59:53:11", "00:59:54:18"), ("00:59:54:18", "01:00:04:00"))
    assert [cut[0] for cut in read("a.edl", spans, frames=264)] == [32]


def test_the_timecode_of_the_picture_says_which_part_of_the_list_it_is(read: Read) -> None:
    spans = one_event_each(
        ("01:00:00:00", "01:00:06:00"),
        ("01:00:06:00", "01:00:10:00"),
        ("01:00:10:00", "01:00:20:00"),
    )
    found = read("a.edl", spans, frames=200, timecode_s=Fraction(3604))
    assert [cut[0] for cut in found] == [50, 150]


def test_a_timecode_of_midnight_that_means_nothing_is_left_alone(read: Read) -> None:
    spans = one_event_each(("01:00:00:00", "01:00:06:00"), ("01:00:06:00", "01:00:10:00"))
    assert [cut[0] for cut in read("a.edl", spans, frames=250, timecode_s=Fraction(0))] == [150]


def test_one_event_that_fills_the_picture_is_one_shot(read: Read) -> None:
    assert read("a.edl", one_event_each(("01:00:00:00", "01:00:04:00")), frames=100) == []


@pytest.mark.parametrize(("rate", "drop"), [(Fraction(25), False), (NTSC, True), (NTSC, False)])
def test_a_list_over_midnight(read: Read, rate: Fraction, *, drop: bool) -> None:
    day = 2_589_408 if drop else 86_400 * round(rate)
    marks = [
        timecode(at % day, rate, drop=drop) for at in (day - 150, day - 50, day + 50, day + 150)
    ]
    assert marks[2] < marks[0]
    text = f"FCM: {'DROP' if drop else 'NON-DROP'} FRAME\n" + one_event_each(*pairwise(marks))
    assert [cut[0] for cut in read("a.edl", text, frames=300, rate=rate)] == [100, 200]
    start_s = (day - 150) / rate
    found = read("a.edl", text, frames=300, rate=rate, timecode_s=start_s)
    assert [cut[0] for cut in found] == [100, 200]


def test_gaps_are_black(read: Read) -> None:
    spans = one_event_each(("00:00:00:00", "00:00:01:00"), ("00:00:02:00", "00:00:03:00"))
    assert [cut[0] for cut in read("a.edl", spans, frames=75)] == [25, 50]


def test_a_list_at_half_the_rate_of_the_picture(read: Read) -> None:
    """A 50p master with an EDL of a 25p timeline."""
    spans = [(timecode(at, Fraction(25)), timecode(at + 37, Fraction(25))) for at in
             range(0, 37 * 20, 37)]  # fmt: skip
    found = read("a.edl", one_event_each(*spans), frames=37 * 40, rate=Fraction(50))
    assert [cut[0] for cut in found] == [*range(74, 37 * 40, 74)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "TITLE: a\n001  AX  A  C  00:00:00:00 00:00:01:00 00:00:00:00 00:00:01:00\n",
            "sound only",
        ),
        ("TITLE: a\n", "no event"),
        (one_event_each(("00:00:01:00", "00:00:01:00")), "after it begins"),
        (
            "\n001  AX  V  C  00:00:00:00 00:00:01:00 00:00:00:29 00:00:01:00\n",
            "line 2: there is no",
        ),
        ("001  AX  V  Q  00:00:00:00 00:00:01:00 00:00:00:00 00:00:01:00\n", "line 1: no kind"),
        (one_event_each(("00:00:00:00", "00:00:02:00")), "ends 2.00 s before"),
        (
            one_event_each(("00:00:00:00", "00:00:04:00"), ("00:00:04:00", "00:02:00:00")),
            "116.00 s",
        ),
    ],
)
def test_what_cannot_be_used_is_refused(read: Read, text: str, said: str) -> None:
    with pytest.raises(MediaError, match=said) as caught:
        read("bad.edl", text, frames=100)
    assert "bad.edl" in caught.value.message
    assert caught.value.remedy


def test_no_damage_is_a_traceback(survives: Callable[[str, bytes], int]) -> None:
    assert survives("a.edl", EDITED.encode()) > 20
