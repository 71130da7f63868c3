"""Lists of times: detectors' tables, plain text, chapters."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from scorebed.cutlists import chapter_cuts, read_cuts
from scorebed.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cutlists.conftest import Read

HEADING = (
    "Scene Number,Start Frame,Start Timecode,Start Time (seconds),End Frame,End Timecode,"
    "End Time (seconds),Length (frames),Length (timecode),Length (seconds)\n"
)
SCENES = (
    "1,1,00:00:00.000,0.000,60,00:00:02.400,2.400,60,00:00:02.400,2.400\n"
    "2,61,00:00:02.400,2.400,130,00:00:05.200,5.200,70,00:00:02.800,2.800\n"
    "3,131,00:00:05.200,5.200,250,00:00:10.000,10.000,120,00:00:04.800,4.800\n"
)
CUTS = "Timecode List:,00:00:02.400,00:00:05.200\n"
BOTH = [(60, None, "cut", ""), (130, None, "cut", "")]


@pytest.mark.parametrize("text", [HEADING + SCENES, CUTS + HEADING + SCENES, CUTS])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_pyscenedetect(read: Read, text: str, mark: str) -> None:
    assert read("scenes.csv", text.replace(",", mark), frames=250) == BOTH


@pytest.mark.parametrize(
    "text",
    [
        "2.4\n5.2\n",
        "# mine\n\n0\n00:00:02.400\n0:05.2\n",
        "00:00:02:10\r\n00:00:05:05\r\n",
        "01:00:00:00\n01:00:02:10\n01:00:05:05\n",
        "23:00:00:00\n23:00:02:10\n23:00:05:05\n",
        "frame\n0\n60\n130\n",
        "start_s,end_s\n0,2.4\n2.4,5.2\n5.2,10\n",
        "0 2.4\n2.4 5.2\n5.2 10\n",
        "2.4s\n5.2s\n",
        # As spreadsheets write decimals where commas stand for points.
        "start_s;end_s;name\n0;2,4;a, b\n2,4;5,2;\n5,2;10;\n",
        "start_s\n0\n2,4\n5,2\n",
        'start_s,end_s\n0,"2,4"\n"2,4","5,2"\n"5,2",10\n',
        "0;2,4\n2,4;5,2\n5,2;10,0\n",
        "2,4;\n5,2;\n",
        "2,4\t\n5,2\t\n",
        "00:00:02,400\n00:00:05,200\n",
        "0:02,4\n0:05,2\n",
        "2,4\n5,2\n",
        # Columns all the same.
        "0,2.4\n2.4,5.2\n5.2,10\n",
        "2.4;1\n5.2;2\n",
    ],
)
def test_plain_lists(read: Read, text: str) -> None:
    assert read("times.txt", text, frames=250) == BOTH


def test_timecodes_over_midnight(read: Read) -> None:
    text = "23:59:57:00\n23:59:59:10\n00:00:02:05\n"
    assert read("a.txt", text, frames=250, timecode_s=Fraction(86_397)) == BOTH


@pytest.mark.parametrize("hour", ["00", "01", "10"])
def test_drop_frame_lists_begin_at_their_own_hour(read: Read, hour: str) -> None:
    """Which is a few milliseconds short of one."""
    rate = Fraction(30_000, 1_001)
    text = f"{hour}:00:00;00\n{hour}:00:05;00\n{hour}:01:00;02\n"
    found = read("a.txt", text, frames=3_000, rate=rate)
    assert [frame for frame, *_ in found] == [150, 1_800]


def test_whole_seconds_in_columns_stay(read: Read) -> None:
    followed = [(50, None, "cut", ""), (100, None, "cut", "")]
    assert read("a.txt", "0,2\n2,4\n4,10\n", frames=250) == followed
    assert read("a.csv", "start_s,end_s,name\n0,2,\n2,4,a\n4,10,'b'\n", frames=250) == [
        (50, None, "cut", "a"),
        (100, None, "cut", "'b'"),
    ]


def test_names_and_kinds(read: Read) -> None:
    assert read("a.txt", "2.4 the sea\n5.2\t6\tat home\n", frames=250) == [
        (60, None, "cut", "the sea"),
        (130, None, "cut", "at home"),
    ]
    assert read("b.txt", "2,4;the sea\n5,2;at home, at last\n", frames=250) == [
        (60, None, "cut", "the sea"),
        (130, None, "cut", "at home, at last"),
    ]
    table = 'kind,time_s,end_s,note\ncut,2.4,,a\ndissolve,5.2,6.0,"b, c"\nfade_out,9.2,10,\n'
    assert read("a.csv", table, frames=250) == [
        (60, None, "cut", "a"),
        (130, 150, "dissolve", "b, c"),
        (230, 250, "fade", ""),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("# nothing\n", "empty"),
        ("hello\n", "line 1: no column"),
        ("2.4\nlater\n", "line 2"),
        ("start_s\n1\nx\n", "line 3"),
        ("frame\n-1\n", "line 2"),
        ("2,1\n4,2\n", "line 1: in .2,1. the comma may"),
        ("2,4\n6,8\n", "line 1: in .2,4. the comma may"),
        ("12,5,20,3\n", "the comma may"),
        ("0:05,2\n0:07,3\n", "the comma may"),
        ("start_s,name\n2,4,a\n", "line 2: it has more columns"),
        ("0\n10\n11\n", "no cut"),
        ("2.4\n100\n", "90.00 s after"),
        ("5.5,10.0,20.25\n", "line 1: it has several times"),
        ("1;2;3;4\n", "line 1: it has several times"),
        ("2.0 3.0 4.0\n", "line 1: it has several times"),
        ("00:00:02,400 --> 00:00:04,000\n", "line 1: it has several times"),
    ],
)
def test_what_cannot_be_used_is_refused(read: Read, text: str, said: str) -> None:
    with pytest.raises(MediaError, match=said) as caught:
        read("times.txt", text, frames=250)
    assert "times.txt" in caught.value.message
    assert caught.value.remedy


def test_a_file_that_is_not_there(tmp_path: Path, read: Read) -> None:
    (tmp_path / "link.txt").symlink_to(tmp_path / "gone.txt")
    with pytest.raises(MediaError, match=r"link\.txt") as caught:
        read_missing(tmp_path / "link.txt")
    assert caught.value.remedy


def read_missing(path: Path) -> None:
    read_cuts(path, frame_rate=Fraction(25), timecode_s=None, duration_s=Fraction(1))


def test_chapters() -> None:
    chapters = [(Fraction(0), "a"), (Fraction(5), "c"), (Fraction(2), "b"), (Fraction(9), "d")]
    found = chapter_cuts(chapters, duration_s=Fraction(9))
    assert [(float(cut.at_s), cut.end_s, str(cut.kind), cut.name) for cut in found] == [
        (2, None, "cut", "b"),
        (5, None, "cut", "c"),
    ]


def test_no_damage_is_a_traceback(survives: Callable[[str, bytes], int]) -> None:
    assert survives("a.csv", (CUTS + HEADING + SCENES).encode()) > 20
