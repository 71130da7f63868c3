"""Composition plans: a chunk or a section of music per scene of the picture."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

from scorebed.errors import SettingsError
from scorebed.providers.elevenlabs.lexicon import Wish, distinct
from scorebed.providers.elevenlabs.moods import Reader, level
from scorebed.providers.elevenlabs.spans import spans
from scorebed.providers.elevenlabs.words import (
    lead_styles,
    negative_styles,
    scene_styles,
    speech_share,
    whole_styles,
)
from scorebed.timecode import to_clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorebed.model import Order, PartOrder, TimeRange

Adherence = Literal["low", "medium", "high"]
CHUNK_MODELS = ("music_v2", "music_v2_5")
"""Models that take a plan of chunks, whose durations are always kept."""
SECTION_MODELS = ("music_v1",)
"""Models that take a plan of sections."""
_HALF_MS = Fraction(1, 2000)
_ADHERENCE: tuple[Adherence, ...] = ("high", "medium", "low")
SECTION_NAME = re.compile(r"\s*\[([^\[\]\n]{1,100})\]")
"""What a chunk's text begins with; lyrics would follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A stretch of a piece, for ``music_v2`` and ``music_v2_5``."""

    text: str
    """The section's name in square brackets; no lyrics, for the music is instrumental."""
    duration_ms: int
    """Length in ms, 3000 to 120000."""
    positive_styles: tuple[str, ...]
    """What it should be, in English."""
    negative_styles: tuple[str, ...]
    """What it must not be."""
    context_adherence: Adherence
    """How much it keeps to the chunks around it.

    High at low guidance, where the music has a form of its own; low at high guidance, where
    every scene may sound as it looks.
    """

    @property
    def name(self) -> str:
        """The section's name; empty if it has none."""
        match = SECTION_NAME.match(self.text)
        return match.group(1) if match else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkPlan:
    """A piece for ``music_v2`` and ``music_v2_5``."""

    model: str
    """The service's name of the model."""
    chunks: tuple[Chunk, ...]
    """In order, 1 to 30."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A stretch of a piece, for ``music_v1``."""

    section_name: str
    """Its name, 1 to 100 characters."""
    positive_local_styles: tuple[str, ...]
    """What it should be, in English."""
    negative_local_styles: tuple[str, ...]
    """What it must not be, beside what the whole piece must not be."""
    duration_ms: int
    """Length in ms, 3000 to 120000."""

    @property
    def name(self) -> str:
        """The section's name."""
        return self.section_name


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionPlan:
    """A piece for ``music_v1``; its sections carry no lines of lyrics."""

    model: str
    """The service's name of the model."""
    positive_global_styles: tuple[str, ...]
    """What the whole piece should be, in English."""
    negative_global_styles: tuple[str, ...]
    """What it must not be."""
    sections: tuple[Section, ...]
    """In order, 1 to 30."""


Plan = ChunkPlan | SectionPlan


def composition_plan(order: Order, part: PartOrder, *, model: str) -> Plan:
    """The plan of a piece for a part of the picture: its scenes, as long as they are.

    Args:
        order: The whole order; its scenes say what is calm and what is busy in this film.
        part: The part that the piece is for.
        model: ``music_v1``, ``music_v2`` or ``music_v2_5``.

    Raises:
        SettingsError: If the model is none of these.
        OverLimit: If the part is longer than the service makes at once.
    """
    if model not in CHUNK_MODELS + SECTION_MODELS:
        raise SettingsError(
            f"there is no plan for the model {model!r}",
            remedy=f"Use --model {' or '.join(SECTION_MODELS + CHUNK_MODELS)}.",
        )
    brief = order.brief
    steps = _steps(order, part)
    if model in SECTION_MODELS:
        return SectionPlan(
            model=model,
            positive_global_styles=whole_styles(brief),
            negative_global_styles=negative_styles(brief),
            sections=tuple(
                Section(
                    section_name=step.name,
                    positive_local_styles=step.styles,
                    negative_local_styles=step.excluded,
                    duration_ms=step.duration_ms,
                )
                for step in steps
            ),
        )
    return ChunkPlan(
        model=model,
        chunks=tuple(
            Chunk(
                text=f"[{step.name}]",
                duration_ms=step.duration_ms,
                positive_styles=distinct(
                    (*(lead_styles if number else whole_styles)(brief, step.wish), *step.styles)
                ),
                negative_styles=negative_styles(brief, step.wish),
                context_adherence=_ADHERENCE[level(brief.guidance)],
            )
            for number, step in enumerate(steps)
        ),
    )


def durations_ms(plan: Plan) -> tuple[int, ...]:
    """Lengths of its chunks or sections, in ms."""
    steps = plan.chunks if isinstance(plan, ChunkPlan) else plan.sections
    return tuple(step.duration_ms for step in steps)


def to_json(plan: Plan) -> dict[str, Any]:
    """The plan as the service takes it (``composition_plan`` of a request)."""
    if isinstance(plan, ChunkPlan):
        return {
            "chunks": [
                {
                    "text": chunk.text,
                    "duration_ms": chunk.duration_ms,
                    "positive_styles": list(chunk.positive_styles),
                    "negative_styles": list(chunk.negative_styles),
                    "context_adherence": chunk.context_adherence,
                }
                for chunk in plan.chunks
            ]
        }
    return {
        "positive_global_styles": list(plan.positive_global_styles),
        "negative_global_styles": list(plan.negative_global_styles),
        "sections": [
            {
                "section_name": section.section_name,
                "positive_local_styles": list(section.positive_local_styles),
                "negative_local_styles": list(section.negative_local_styles),
                "duration_ms": section.duration_ms,
                "lines": [],
            }
            for section in plan.sections
        ],
    }


def body(plan: Plan, *, seed: int | None = None) -> dict[str, Any]:
    """The JSON body of ``POST /v1/music`` that makes the plan sound.

    Args:
        plan: The plan.
        seed: Asks for about the same music again; None leaves it to the service.
    """
    asked: dict[str, Any] = {"composition_plan": to_json(plan), "model_id": plan.model}
    if seed is not None:
        asked["seed"] = seed
    if isinstance(plan, SectionPlan):
        # Otherwise the model may move the sections off their scenes.
        asked["respect_sections_durations"] = True
    return asked


def stretch_starts(part: PartOrder) -> tuple[Fraction, ...]:
    """Where the music of each stretch of the part begins in its piece, in seconds."""
    found: dict[int, Fraction] = {}
    for span in spans(part.order.notes, part.stretches):
        found.setdefault(span.stretch, Fraction(span.start_ms, 1000))
    return tuple(found.values())


def lines(plan: Plan, *, stretches: Sequence[TimeRange] = ()) -> list[str]:
    """The plan for a person: a line per chunk or section, under one for the whole piece.

    Args:
        plan: The plan.
        stretches: The parts of the picture that it is for; none for one from the first frame on.
    """
    if isinstance(plan, ChunkPlan):
        steps = [(one.name, one.duration_ms, one.positive_styles) for one in plan.chunks]
        avoided = distinct(word for one in plan.chunks for word in one.negative_styles)
        head = f"{plan.model}: {len(steps)} chunks; without {', '.join(avoided)}"
    else:
        steps = [(one.name, one.duration_ms, one.positive_local_styles) for one in plan.sections]
        whole = ", ".join(plan.positive_global_styles)
        avoided = plan.negative_global_styles
        head = f"{plan.model}: {len(steps)} sections; {whole}; without {', '.join(avoided)}"
    told = [head]
    left = list(stretches[1:])
    at_s = stretches[0].start_s if stretches else Fraction(0)
    end_s = stretches[0].end_s if stretches else None
    for name, duration_ms, styles in steps:
        if end_s is not None and at_s >= end_s - _HALF_MS and left:
            at_s, end_s = left[0].start_s, left.pop(0).end_s
        after_s = at_s + Fraction(duration_ms, 1000)
        told.append(f"{to_clock(at_s)}-{to_clock(after_s)}  {name}: {', '.join(styles)}")
        at_s = after_s
    return told


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """What a chunk or a section is made of."""

    name: str
    duration_ms: int
    styles: tuple[str, ...]
    """Its own, beside those of the whole piece."""
    wish: Wish | None
    """What the user's words ask of it; None for what they ask of the whole."""
    excluded: tuple[str, ...]
    """What it must not be, beside what the whole must not be."""


def _steps(order: Order, part: PartOrder) -> list[_Step]:
    """A step per span of the part."""
    notes, brief = order.notes, order.brief
    reader = Reader(brief, notes.scenes)
    held = spans(notes, part.stretches)
    begins = {cue.start_s for cue in order.reels.cues}
    ends_at = {cue.end_s for cue in order.reels.cues}
    found = []
    for number, span in enumerate(held):
        stretch = part.stretches[span.stretch]
        first = number == 0 or held[number - 1].stretch != span.stretch
        last = number == len(held) - 1 or held[number + 1].stretch != span.stretch
        opens, ends = first and stretch.start_s in begins, last and stretch.end_s in ends_at
        styles = scene_styles(
            reader, span.scene, speech_share=speech_share(notes, [span.scene.range]), opens=opens
        )
        place = "Intro" if opens and not ends else "Outro" if ends and not opens else "Scene"
        wish = reader.wish_of(span.scene) if span.scene.brief else None
        whole = negative_styles(brief)
        found.append(
            _Step(
                name=f"{place} {number + 1}: {reader.mood(span.scene).words}",
                duration_ms=span.duration_ms,
                styles=(*styles, *(("clear ending",) if ends else ())),
                wish=wish,
                excluded=tuple(one for one in negative_styles(brief, wish) if one not in whole),
            )
        )
    return found
