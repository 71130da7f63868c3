"""Reads what the service's free planner answers, and takes from it what suits the picture."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TypeVar

import msgspec

from scorebed.errors import BadAnswer
from scorebed.providers.elevenlabs.lexicon import clean, distinct, mentions
from scorebed.providers.elevenlabs.plan import (
    CHUNK_MODELS,
    SECTION_NAME,
    Adherence,
    Chunk,
    ChunkPlan,
    Plan,
    Section,
    SectionPlan,
)

T = TypeVar("T")
_MAX_NAME_CHARS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class _WireRange:
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _WireChunk:
    """A chunk as it is generated, or a stretch of another song (``song_id``)."""

    text: str | None = None
    duration_ms: int | None = None
    positive_styles: list[str] | None = None
    negative_styles: list[str] | None = None
    context_adherence: Adherence | None = None
    song_id: str | None = None
    range: _WireRange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _WireChunks:
    chunks: list[_WireChunk]


@dataclass(frozen=True, slots=True, kw_only=True)
class _WireSection:
    section_name: str
    positive_local_styles: list[str]
    negative_local_styles: list[str]
    duration_ms: int
    lines: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _WireSections:
    positive_global_styles: list[str]
    negative_global_styles: list[str]
    sections: list[_WireSection]


def from_json(answer: object, *, model: str) -> Plan:
    """A plan as the service writes it, without lyrics.

    Args:
        answer: The decoded JSON.
        model: The service's name of the model.

    Raises:
        BadAnswer: If it is not a plan for that model.
    """
    read: Plan
    if model in CHUNK_MODELS:
        wire = _convert(answer, _WireChunks).chunks
        read = ChunkPlan(model=model, chunks=tuple(_chunk(n, one) for n, one in enumerate(wire)))
        lengths_ms = [one.duration_ms for one in read.chunks]
    else:
        plan = _convert(answer, _WireSections)
        read = SectionPlan(
            model=model,
            positive_global_styles=distinct(plan.positive_global_styles),
            negative_global_styles=distinct(plan.negative_global_styles),
            sections=tuple(_section(one) for one in plan.sections),
        )
        lengths_ms = [one.duration_ms for one in read.sections]
    if not lengths_ms or min(lengths_ms) <= 0:
        raise _bad("it holds no chunk or section, or one without length")
    return read


def refined(plan: Plan, answer: object) -> Plan:
    """The plan with the styles and names that the service's planner proposes for it.

    Number and lengths stay the plan's own, for they are the picture's: where the answer has
    another number, each stretch takes the words of the one that lies longest beside it in time.
    What is not to be heard stays so, lyrics are dropped, and a stretch for which nothing usable
    is proposed keeps its own words.

    Raises:
        BadAnswer: If the answer is not a plan of the same kind.
    """
    read = from_json(answer, model=plan.model)
    if isinstance(plan, ChunkPlan):
        assert isinstance(read, ChunkPlan)
        pairs = _beside(plan.chunks, read.chunks)
        mixed = tuple(_refined_chunk(own, theirs) for own, theirs in pairs)
        first = distinct((*mixed[0].positive_styles, "instrumental"))
        return replace(plan, chunks=(replace(mixed[0], positive_styles=first), *mixed[1:]))
    assert isinstance(read, SectionPlan)
    negative = plan.negative_global_styles
    positive = _usable(read.positive_global_styles, plan.positive_global_styles, negative)
    return replace(
        plan,
        positive_global_styles=distinct((*positive, "instrumental")),
        negative_global_styles=_avoided(negative, read.negative_global_styles, positive),
        sections=tuple(
            _refined_section(own, theirs, negative)
            for own, theirs in _beside(plan.sections, read.sections)
        ),
    )


def _refined_chunk(own: Chunk, theirs: Chunk) -> Chunk:
    positive = _usable(theirs.positive_styles, own.positive_styles, own.negative_styles)
    return replace(
        own,
        text=f"[{_name(own.name, theirs.name, own.negative_styles)}]",
        positive_styles=positive,
        negative_styles=_avoided(own.negative_styles, theirs.negative_styles, positive),
    )


def _refined_section(own: Section, theirs: Section, negative: tuple[str, ...]) -> Section:
    positive = _usable(theirs.positive_local_styles, own.positive_local_styles, negative)
    return replace(
        own,
        section_name=_name(own.name, theirs.name, negative),
        positive_local_styles=positive,
        negative_local_styles=_avoided((), theirs.negative_local_styles, positive),
    )


def _usable(
    theirs: tuple[str, ...], own: tuple[str, ...], negative: tuple[str, ...]
) -> tuple[str, ...]:
    """The proposed styles that hold nothing unwanted; the plan's own where none is left."""
    return tuple(one for one in theirs if not any(mentions(one, word) for word in negative)) or own


def _avoided(
    own: tuple[str, ...], theirs: tuple[str, ...], positive: tuple[str, ...]
) -> tuple[str, ...]:
    wanted = {style.casefold() for style in positive}
    return distinct((*own, *(one for one in theirs if one.casefold() not in wanted)))


def _name(own: str, theirs: str, negative: tuple[str, ...]) -> str:
    usable = 1 <= len(theirs) <= _MAX_NAME_CHARS and not any(c in "[]{}" for c in theirs)
    return theirs if usable and not any(mentions(theirs, word) for word in negative) else own


def _beside(own: tuple[T, ...], theirs: tuple[T, ...]) -> list[tuple[T, T]]:
    """Each of the plan's stretches with the answer's that belongs to it."""
    if len(own) == len(theirs):
        return list(zip(own, theirs, strict=True))
    ours, answered = _places(own), _places(theirs)

    def shared(mine: tuple[float, float], other: tuple[float, float]) -> float:
        return min(mine[1], other[1]) - max(mine[0], other[0])

    return [
        (one, theirs[max(range(len(theirs)), key=lambda n: shared(mine, answered[n]))])
        for one, mine in zip(own, ours, strict=True)
    ]


def _places(stretches: tuple[object, ...]) -> list[tuple[float, float]]:
    """Start and end of each, as shares of the whole."""
    lengths = [one.duration_ms for one in stretches if isinstance(one, Chunk | Section)]
    marks = [end / sum(lengths) for end in itertools.accumulate(lengths, initial=0)]
    return list(itertools.pairwise(marks))


def _chunk(number: int, wire: _WireChunk) -> Chunk:
    """A chunk of the answer; one that quotes another song says nothing of styles."""
    if wire.song_id is not None and wire.range is not None:
        name, styles, length_ms = "", [], wire.range.end_ms - wire.range.start_ms
    elif wire.text is None or wire.duration_ms is None or wire.positive_styles is None:
        raise _bad(f"chunk {number + 1} lacks text, duration_ms or positive_styles")
    else:
        match = SECTION_NAME.match(wire.text)
        name, styles = clean(match.group(1)) if match else "", wire.positive_styles
        length_ms = wire.duration_ms
    return Chunk(
        text=f"[{name}]" if name else "",
        duration_ms=length_ms,
        positive_styles=distinct(styles),
        negative_styles=distinct(wire.negative_styles or ()),
        context_adherence=wire.context_adherence or "medium",
    )


def _section(wire: _WireSection) -> Section:
    return Section(
        section_name=clean(wire.section_name),
        positive_local_styles=distinct(wire.positive_local_styles),
        negative_local_styles=distinct(wire.negative_local_styles),
        duration_ms=wire.duration_ms,
    )


def _convert(answer: object, kind: type[T]) -> T:
    try:
        return msgspec.convert(answer, kind)
    except msgspec.ValidationError as error:
        raise _bad(str(error)) from error


def _bad(what: str) -> BadAnswer:
    return BadAnswer(
        f"compose: the service's planner answered with something that is no plan: {what}",
        remedy="Run it again, or without --refine-plan: nothing was paid for.",
    )
