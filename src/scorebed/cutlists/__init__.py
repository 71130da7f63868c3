"""Cuts and markers that an editor's timeline, another detector or chapters already know."""

from __future__ import annotations

import codecs
from fractions import Fraction
from typing import TYPE_CHECKING

from scorebed.cutlists.bundle import read_otioz
from scorebed.cutlists.clock import exact_rate
from scorebed.cutlists.edl import is_edl, read_edl
from scorebed.cutlists.fcpxml import read_fcpxml
from scorebed.cutlists.listing import Listing, Unreadable, laid, markers_laid
from scorebed.cutlists.markup import parse
from scorebed.cutlists.times import chapter_cuts, read_times
from scorebed.cutlists.xmeml import read_xmeml
from scorebed.errors import MediaError

if TYPE_CHECKING:
    from pathlib import Path

    from scorebed.model import ListedCut

__all__ = ["chapter_cuts", "check_list", "list_file", "read_cuts", "read_markers"]

_BUNDLED = "Info.fcpxml"
_MOST_BYTES = 500_000_000


def read_cuts(
    path: Path, *, frame_rate: Fraction, timecode_s: Fraction | None, duration_s: Fraction
) -> tuple[ListedCut, ...]:
    """Cuts, dissolves and fades of a list, in order, one at a moment, in picture time.

    Read are EDL (CMX 3600), OTIO and OTIOZ, FCPXML and its bundle, Final Cut 7 XML, PySceneDetect's
    CSV, and lists of times. Of several video tracks counts what is seen; a fade in from the first
    frame on is at 0; what lies outside of the picture is left out.

    Args:
        path: The list; what it is is seen from its content.
        frame_rate: The picture's average, in frames per second: for lists that do not say theirs.
        timecode_s: Timecode of the picture's first frame, in seconds from midnight; None for none.
        duration_s: Length of the picture, in seconds.

    Raises:
        MediaError: If it cannot be read, no cut lies within the picture and no clip fills it, or
            the list ends more than a tenth later than the picture, or its clips so much earlier.
    """
    listing = _listing(path, frame_rate, duration_s)
    return laid(listing, path, timecode_s=timecode_s, duration_s=duration_s)


def read_markers(
    path: Path, *, frame_rate: Fraction, timecode_s: Fraction | None, duration_s: Fraction
) -> tuple[tuple[Fraction, str], ...]:
    """Markers of a list within the picture, in order: picture time in seconds, and text.

    Args:
        path: The list, of a format that ``read_cuts`` takes.
        frame_rate: As there.
        timecode_s: As there.
        duration_s: As there.

    Raises:
        MediaError: If it cannot be read.
    """
    listing = _listing(path, frame_rate, duration_s)
    return markers_laid(listing, timecode_s=timecode_s, duration_s=duration_s)


def list_file(path: Path) -> Path:
    """The file that holds a list: of an FCPXML bundle, which is a folder, the one inside."""
    return path / _BUNDLED if path.is_dir() else path


def check_list(path: Path) -> None:
    """Refuses a folder that is no FCPXML bundle.

    Raises:
        MediaError: If it is one.
    """
    if path.is_dir() and not list_file(path).is_file():
        raise MediaError(
            f"spot: the list of cuts {path} is a folder",
            remedy="Give --cuts the list that is in it: an EDL, OTIO, FCPXML or XML file, a CSV, "
            "or a text with a time a line.",
        )


def _listing(path: Path, frame_rate: Fraction, duration_s: Fraction) -> Listing:
    try:
        return _understood(_content(path), exact_rate(frame_rate), duration_s)
    except Unreadable as error:
        raise MediaError(
            f"spot: {path} cannot be read as a list of cuts: {error.said}",
            remedy=error.remedy
            or "Export it again, or give --cuts an EDL, OTIO, FCPXML, Final Cut 7 XML, a CSV of "
            "PySceneDetect, or a text with a time a line.",
        ) from error
    except RecursionError as error:
        raise MediaError(
            f"spot: {path} cannot be read as a list of cuts: it is nested too deeply",
            remedy="Export the sequence again, without compound clips.",
        ) from error
    except OSError as error:
        raise MediaError(
            f"spot: {path} cannot be read ({error.strerror or error})",
            remedy="Give --cuts a file that exists and that you may read.",
        ) from error


def _content(path: Path) -> bytes:
    check_list(path)
    inside = list_file(path)
    if inside.stat().st_size > _MOST_BYTES:
        raise Unreadable(f"it has more than {_MOST_BYTES} bytes: it is a film, not a list")
    return inside.read_bytes()


def _understood(content: bytes, frame_rate: Fraction, duration_s: Fraction) -> Listing:
    if content.startswith(b"PK\x03\x04"):
        content = read_otioz(content)
    text = _text(content)
    begin = text.lstrip()[:1]
    if begin == "<":
        root = parse(content.lstrip())
        if root.tag == "xmeml":
            return read_xmeml(root, duration_s)
        if root.tag == "fcpxml":
            return read_fcpxml(root, duration_s)
        raise Unreadable(f"it is XML of another kind ({root.tag!r})")
    if begin == "{":
        return _otio(text, duration_s)
    if "\0" in text:
        raise Unreadable("it is no text")
    if is_edl(text) or text.lstrip().upper().startswith("TITLE:"):
        return read_edl(text, frame_rate)
    return read_times(text, frame_rate)


def _otio(text: str, duration_s: Fraction) -> Listing:
    """Imported late: 80 ms for this format alone, and not there for every Python."""
    try:
        from scorebed.cutlists.otio import read_otio  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise Unreadable(
            "OpenTimelineIO is not installed",
            remedy="pip install opentimelineio - or export an EDL, FCPXML or Final Cut 7 XML.",
        ) from error
    return read_otio(text, duration_s)


def _text(content: bytes) -> str:
    """Only times matter: a letter in an old encoding spoils nothing."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")
