"""OpenTimelineIO's own files, read by OpenTimelineIO."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING

import opentimelineio as otio

from scorebed.cutlists.clock import exact_rate
from scorebed.cutlists.layers import Blend, Piece, seen, track
from scorebed.cutlists.listing import Listing, Unreadable, of_sequence

if TYPE_CHECKING:
    from collections.abc import Iterator

_ZERO = Fraction(0)


def read_otio(text: str, duration_s: Fraction) -> Listing:
    """A timeline; of several the one whose length is nearest to the picture's.

    Args:
        text: JSON of any version of the schema.
        duration_s: Length of the picture, in seconds.

    Raises:
        Unreadable: If there is no timeline in it, or it is damaged.
    """
    try:
        # The library's own parser ends the process on some damaged files: it sees whole JSON only.
        top = otio.core.deserialize_json_from_string(json.dumps(json.loads(text)))
    except (otio.exceptions.OTIOError, ValueError, TypeError, KeyError) as error:
        raise Unreadable(
            f"OpenTimelineIO cannot read it ({' '.join(str(error).split())[:120]})"
        ) from error
    timelines = [one for one in _walk(top) if isinstance(one, otio.schema.Timeline)]
    if not timelines:
        raise Unreadable("it holds no timeline")
    try:
        found = [_listing(timeline) for timeline in timelines]
    except (otio.exceptions.OTIOError, ValueError, ArithmeticError) as error:
        raise Unreadable(
            f"a clip in it has no length ({' '.join(str(error).split())[:120]})"
        ) from error
    return min(found, key=lambda one: abs(one.end_s - one.start_s - duration_s))


def _walk(top: otio.core.SerializableObject) -> Iterator[otio.core.SerializableObject]:
    if isinstance(top, otio.schema.SerializableCollection):
        for one in top:
            yield from _walk(one)
    else:
        yield top


def _listing(timeline: otio.schema.Timeline) -> Listing:
    markers: list[tuple[Fraction, str]] = []
    start = timeline.global_start_time
    pieces = _composed(timeline.tracks, _ZERO, markers)
    return of_sequence(pieces, markers, start_s=_ZERO if start is None else _seconds(start))


def _composed(
    stack: otio.schema.Stack, at_s: Fraction, markers: list[tuple[Fraction, str]]
) -> list[Piece]:
    """What is seen of a stack, its first moment at ``at_s`` of the outermost time."""
    trim = stack.source_range
    start_s = at_s - (_seconds(trim.start_time) if trim else _ZERO)
    _note(stack, at_s, _seconds(trim.start_time) if trim else _ZERO, markers)
    layers = [
        _tracked(one, start_s, markers)
        if isinstance(one, otio.schema.Track)
        else _item(one, start_s, markers)
        for one in stack
        if isinstance(one, otio.core.Item)
        and one.enabled
        and not (isinstance(one, otio.schema.Track) and one.kind == otio.schema.TrackKind.Audio)
    ]
    return _trimmed(seen(layers), trim, at_s)


def _tracked(
    line: otio.schema.Track, at_s: Fraction, markers: list[tuple[Fraction, str]]
) -> list[Piece]:
    trim = line.source_range
    into_s = _seconds(trim.start_time) if trim else _ZERO
    _note(line, at_s, into_s, markers)
    pieces: list[Piece] = []
    blends: list[Blend] = []
    now_s = at_s - into_s
    for one in line:
        if isinstance(one, otio.schema.Transition):
            before_s, after_s = _seconds(one.in_offset), _seconds(one.out_offset)
            blends.append(Blend(now_s - before_s, now_s + after_s, now_s))
            continue
        pieces += _item(one, now_s, markers)
        now_s += _seconds(one.duration())
    return _trimmed(track(pieces, blends), trim, at_s)


def _item(one: otio.core.Item, at_s: Fraction, markers: list[tuple[Fraction, str]]) -> list[Piece]:
    schema = otio.schema
    if isinstance(one, schema.Gap) or not one.enabled:
        return []
    retimed = any(isinstance(effect, schema.TimeEffect) for effect in one.effects)
    if isinstance(one, schema.Stack) and not retimed:
        return _composed(one, at_s, markers)
    if isinstance(one, schema.Track) and not retimed:
        video = one.kind != schema.TrackKind.Audio
        return _tracked(one, at_s, markers) if video else []
    span = one.trimmed_range()
    _note(one, at_s, _seconds(span.start_time), markers)
    media = one.media_reference if isinstance(one, schema.Clip) else None
    kind = media.generator_kind if isinstance(media, schema.GeneratorReference) else ""
    end_s = at_s + _seconds(span.duration)
    return [Piece(start_s=at_s, end_s=end_s, name=one.name, black=kind.lower() == "black")]


def _trimmed(
    pieces: list[Piece], trim: otio.opentime.TimeRange | None, at_s: Fraction
) -> list[Piece]:
    if trim is None:
        return pieces
    end_s = at_s + _seconds(trim.duration)
    kept = (one.within(at_s, end_s) for one in pieces)
    return [one for one in kept if one.start_s < one.end_s]


def _note(
    one: otio.core.Item, at_s: Fraction, into_s: Fraction, markers: list[tuple[Fraction, str]]
) -> None:
    """Markers count in the time of what they are on: a clip's in that of its source."""
    for mark in one.markers:
        text = mark.name or getattr(mark, "comment", "")
        markers.append((at_s + _seconds(mark.marked_range.start_time) - into_s, text))


def _seconds(time: otio.opentime.RationalTime) -> Fraction:
    """Exact, although the library counts in floating point: 23.976 is 24000/1001."""
    return Fraction(time.value).limit_denominator(1000) / exact_rate(time.rate)
