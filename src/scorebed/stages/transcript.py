"""Speech as a transcript has it: subtitles that a person timed decide where somebody speaks."""

from __future__ import annotations

import codecs
import re
from fractions import Fraction
from typing import TYPE_CHECKING

import pysubs2
from pysubs2.exceptions import Pysubs2Error

from scorebed.errors import MediaError
from scorebed.model import SpeechRegion, TimeRange

if TYPE_CHECKING:
    from scorebed.model import SourceFile

STAGE = "spot"
_NOT_SPOKEN = re.compile(r"[\[(\uff08\u3010].*?[\])\uff09\u3011]|[♪♫♬].*?(?:[♪♫♬]|$)", re.DOTALL)
"""What subtitles say of sounds, and song: ``[door slams]``, ``(laughter)``, ``♪ la la ♪``."""


def read_transcript(file: SourceFile, duration_s: Fraction) -> tuple[SpeechRegion, ...]:
    """Phrases of speech by a file of subtitles, SRT, VTT or another that ``pysubs2`` reads.

    Entries that only describe a sound, or that are sung, are left out; what touches or overlaps is
    one phrase. Times are the picture's, from its first shown frame on.

    Args:
        file: The transcript.
        duration_s: Length of the picture, in seconds: what lies outside of it is left out.

    Raises:
        MediaError: If it is no transcript, or nothing of it lies within the picture.
    """
    text = _text(file.path.read_bytes())
    try:
        entries = pysubs2.SSAFile.from_string(text)
    except (Pysubs2Error, ValueError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise MediaError(
            f"{STAGE}: {file.path} cannot be read as a transcript ({said[:120]})",
            remedy="Give --speech subtitles with times: SRT or WebVTT, in UTF-8.",
        ) from error
    if not entries and not text.lstrip().startswith("WEBVTT"):
        raise MediaError(
            f"{STAGE}: {file.path} has no entry that can be read",
            remedy="Give --speech subtitles with times: SRT or WebVTT, in UTF-8.",
        )
    spoken = sorted(
        (max(entry.start, 0), entry.end)
        for entry in entries
        if not entry.is_comment and _is_spoken(entry.plaintext)
    )
    end_ms = duration_s * 1000
    inside = [(start, min(Fraction(end), end_ms)) for start, end in spoken if start < end_ms]
    if spoken and all(start >= end for start, end in spoken):
        raise MediaError(
            f"{STAGE}: no entry of {file.path} ends after it begins",
            remedy="Export the transcript again.",
        )
    if spoken and not any(start < end for start, end in inside):
        raise MediaError(
            f"{STAGE}: all times of {file.path} lie outside of the picture",
            remedy="Times count from the first frame of the picture: shift the transcript.",
        )
    return tuple(
        SpeechRegion(range=TimeRange.between(start / 1000, end / 1000), confidence=1.0)
        for start, end in _joined(inside)
    )


def _text(content: bytes) -> str:
    """Only times and brackets matter: a letter in an old encoding spoils nothing.

    Lines may end as on any system.
    """
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = content.decode("utf-16" if wide else "utf-8-sig", errors="replace")
    return "\n".join(text.splitlines())


def _is_spoken(text: str) -> bool:
    return any(letter.isalnum() for letter in _NOT_SPOKEN.sub("", text))


def _joined(spans: list[tuple[int, Fraction]]) -> list[tuple[Fraction, Fraction]]:
    joined: list[tuple[Fraction, Fraction]] = []
    for start, end in spans:
        if end <= start:
            continue
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((Fraction(start), end))
    return joined
