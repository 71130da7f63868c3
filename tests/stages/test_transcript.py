"""Subtitles that say where somebody speaks."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from scorebed.errors import MediaError
from scorebed.media import identify
from scorebed.stages.transcript import read_transcript

VTT = """WEBVTT

00:00:01.000 --> 00:00:02.500 line:80%
Hildy!

00:00:02.500 --> 00:00:03.250
How are you?

00:00:05.000 --> 00:00:06.000
[door slams]

00:00:06.000 --> 00:00:07.000
\u266a la la la \u266a

00:00:08.000 --> 00:00:09.000
(laughs) Well ...

00:00:08.500 --> 00:01:30.000
- Over it.
"""
SRT = """1
00:00:01,000 --> 00:00:03,250
M\u00fcller: <i>guten Abend</i>

2
00:00:08,000 --> 00:01:30,000
{\\an8}\uff08laughs\uff09 Well ...
"""


def spans(folder: Path, content: bytes, duration_s: int = 60) -> list[tuple[float, float]]:
    path = folder / "told.srt"
    path.write_bytes(content)
    regions = read_transcript(identify(path), Fraction(duration_s))
    assert all(region.confidence == 1.0 for region in regions)
    return [(float(region.range.start_s), float(region.range.end_s)) for region in regions]


@pytest.mark.parametrize(
    "content",
    [
        VTT.encode(),
        SRT.encode(),
        SRT.encode("utf-8-sig").replace(b"\n", b"\r\n"),
        SRT.encode().replace(b"\n", b"\r"),
        SRT.encode("utf-16"),
        SRT.replace("\uff08laughs\uff09", "").encode("latin-1"),
    ],
    ids=["vtt", "srt", "windows", "old-mac", "utf-16", "latin-1"],
)
def test_what_is_spoken_counts(content: bytes, tmp_path: Path) -> None:
    assert spans(tmp_path, content) == [(1.0, 3.25), (8.0, 60.0)]


def test_a_transcript_without_speech_says_that_nobody_speaks(tmp_path: Path) -> None:
    assert spans(tmp_path, b"WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n[music]\n") == []


@pytest.mark.parametrize("content", [b" \n", b"no times at all", b"\x00\xff\xfe" * 50])
def test_what_is_no_transcript_is_refused(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"told\.srt cannot be read as a transcript") as caught:
        spans(tmp_path, content)
    assert "--speech" in caught.value.remedy


@pytest.mark.parametrize("content", [b"[Script Info]\n\n[V4+ Styles]\n\n[Events]\n"])
def test_what_has_no_entry_is_refused(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"told\.srt has no entry that can be read"):
        spans(tmp_path, content)


def test_an_empty_webvtt_says_that_nobody_speaks(tmp_path: Path) -> None:
    assert spans(tmp_path, b"WEBVTT\n") == []


def test_entries_that_end_before_they_begin_are_refused(tmp_path: Path) -> None:
    content = b"1\n00:00:05,000 --> 00:00:02,000\nHm.\n"
    with pytest.raises(MediaError, match=r"no entry of .* ends after it begins"):
        spans(tmp_path, content)


def test_times_outside_of_the_picture_are_refused(tmp_path: Path) -> None:
    """The usual sign of a transcript for another cut."""
    late = SRT.replace("00:00:", "00:59:").replace("00:01:30", "00:59:40")
    with pytest.raises(MediaError, match="outside of the picture"):
        spans(tmp_path, late.encode())
