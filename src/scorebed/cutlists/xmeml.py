"""Final Cut 7 XML, which Premiere Pro and Resolve write too.

OpenTimelineIO's reader was tried and is not used: it shows clips that are switched off, and needs
two thousand lines for the tenth of the format that says where cuts are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from xml.etree.ElementTree import Element

from scorebed.cutlists.layers import Blend, Piece, seen, track
from scorebed.cutlists.listing import Listing, Unreadable, of_sequence

_ITEMS = {"clipitem", "generatoritem"}
_BLACK = {"slug", "black", "black video"}
_MOST_NESTED = 10_000
"""So many nested sequences are no film's: they stand in each other."""


@dataclass(slots=True)
class _Document:
    nested: int = 0
    sequences: dict[str, Element] = field(default_factory=dict)
    files: dict[str, Element] = field(default_factory=dict)
    markers: list[tuple[Fraction, str]] = field(default_factory=list)


def read_xmeml(root: Element, duration_s: Fraction) -> Listing:
    """A sequence; of several the one whose length is nearest to the picture's.

    Args:
        root: The document's root, ``xmeml``.
        duration_s: Length of the picture, in seconds.

    Raises:
        Unreadable: If there is no sequence, or a number is none.
    """
    known = _Document()
    for element in root.iter():
        # An element is written out once; where it is used again only its id stands.
        if len(element) and element.tag == "sequence":
            known.sequences.setdefault(element.get("id", ""), element)
        elif len(element) and element.tag == "file":
            known.files.setdefault(element.get("id", ""), element)
    nested = {id(one) for item in root.iter("clipitem") for one in item.findall("sequence")}
    tops = [one for one in root.iter("sequence") if len(one) and id(one) not in nested]
    if not tops:
        raise Unreadable("it holds no sequence", remedy="Export the sequence, not a clip.")
    try:
        found = [_listing(known, top) for top in tops]
    except (ValueError, ZeroDivisionError) as error:
        raise Unreadable(f"a number in it is none ({error})") from error
    return min(found, key=lambda one: abs(one.end_s - one.start_s - duration_s))


def _listing(known: _Document, sequence: Element) -> Listing:
    rate = _rate(sequence, Fraction(0))
    if not rate:
        raise Unreadable(f"its sequence {sequence.findtext('name', '')!r} has no frame rate")
    known.markers = [*_markers(sequence, rate, Fraction(0), Fraction(0))]
    pieces = _composed(known, sequence, rate)
    start = sequence.find("timecode")
    first = int(start.findtext("frame", "0") or 0) if start is not None else 0
    zero_s = first / _rate(start, rate) if start is not None else Fraction(0)
    return of_sequence(pieces, known.markers, start_s=zero_s)


def _composed(known: _Document, sequence: Element, rate: Fraction) -> list[Piece]:
    """What is seen of a sequence, in seconds from its start."""
    layers: list[list[Piece]] = []
    for line in sequence.findall("media/video/track"):
        if _is_on(line):
            layers.append(_tracked(known, line, rate, is_lowest=not layers))
    return seen(layers)


def _tracked(known: _Document, line: Element, rate: Fraction, *, is_lowest: bool) -> list[Piece]:
    pieces: list[Piece] = []
    blends: list[Blend] = []
    children = [one for one in line if one.tag in _ITEMS or one.tag == "transitionitem"]
    for number, one in enumerate(children):
        if one.tag == "transitionitem":
            blends.append(_blend(one, rate))
            continue
        # A side that a transition covers is -1: the clip reaches to the transition's other end.
        start, end = int(one.findtext("start", "-1")), int(one.findtext("end", "-1"))
        before = children[number - 1] if number else None
        after = children[number + 1] if number + 1 < len(children) else None
        start = _reach(before, "start") if start < 0 else start
        end = _reach(after, "end") if end < 0 else end
        if _is_on(one) and 0 <= start < end:
            pieces += _item(known, one, (start / rate, end / rate), is_lowest=is_lowest)
    return track(pieces, blends)


def _reach(transition: Element | None, side: str) -> int:
    if transition is None or transition.tag != "transitionitem":
        return -1
    return int(transition.findtext(side, "-1"))


def _blend(one: Element, rate: Fraction) -> Blend:
    start_s, end_s = (int(one.findtext(side, "0")) / rate for side in ("start", "end"))
    alignment = one.findtext("alignment", "")
    edge_s = {"start-black": start_s, "end-black": end_s}.get(alignment)
    return Blend(start_s, end_s, edge_s)


def _item(
    known: _Document, one: Element, span: tuple[Fraction, Fraction], *, is_lowest: bool
) -> list[Piece]:
    start_s, end_s = span
    name = (one.findtext("name") or "").strip()
    rate = _rate(one, Fraction(0))
    into_s = max(int(one.findtext("in", "0")), 0) / rate if rate else Fraction(0)
    known.markers += _markers(one, rate, start_s, into_s)
    inner = one.find("sequence")
    if inner is not None and not _is_retimed(one):
        known.nested += 1
        if known.nested > _MOST_NESTED:
            raise Unreadable("its sequences stand in each other without end")
        inner = known.sequences.get(inner.get("id", ""), inner)
        found = _composed(known, inner, _rate(inner, rate))
        moved = (piece.moved(start_s - into_s).within(start_s, end_s) for piece in found)
        return [piece for piece in moved if piece.start_s < piece.end_s]
    made = _is_made(known, one)
    black = made and (is_lowest or name.lower() in _BLACK)
    clear = not black and not is_lowest and (made or _has_alpha(one))
    return [Piece(start_s=start_s, end_s=end_s, name=name, black=black, clear=clear)]


def _is_made(known: _Document, one: Element) -> bool:
    """Whether the editor made it: black, a title, an adjustment layer."""
    effect = one.find("effect")
    category = (effect.findtext("effectcategory", "") if effect is not None else "").lower()
    file = one.find("file")
    file = known.files.get(file.get("id", ""), file) if file is not None else None
    source = (file.findtext("mediaSource", "") if file is not None else "").lower()
    return source in {"slug", "graphicandtype"} or category in {"text", "titles"}


def _has_alpha(one: Element) -> bool:
    return one.findtext("alphatype", "none").lower() not in {"none", "ignore", ""}


def _is_retimed(one: Element) -> bool:
    return any(
        effect.findtext("effectid", "") == "timeremap" for effect in one.findall("filter/effect")
    )


def _is_on(one: Element) -> bool:
    return one.findtext("enabled", "TRUE").strip().upper() != "FALSE"


def _rate(one: Element, otherwise: Fraction) -> Fraction:
    timebase = one.findtext("rate/timebase")
    if timebase is None:
        return otherwise
    ntsc = one.findtext("rate/ntsc", "FALSE").strip().upper() == "TRUE"
    return Fraction(int(timebase)) * (Fraction(1000, 1001) if ntsc else 1)


def _markers(
    one: Element, rate: Fraction, at_s: Fraction, into_s: Fraction
) -> list[tuple[Fraction, str]]:
    """Markers of a sequence, or of a clip, which count in its source."""
    return [
        (
            at_s + int(mark.findtext("in", "0")) / rate - into_s,
            (mark.findtext("name") or mark.findtext("comment") or "").strip(),
        )
        for mark in one.findall("marker")
        if rate
    ]
