"""Composition plans: a chunk or a section of music per scene of the picture."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

from scorebed.errors import SettingsError
from scorebed.providers.elevenlabs.lexicon import distinct
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
    from scorebed.model import Order, PartOrder

Adherence = Literal["low", "medium", "high"]
CHUNK_MODELS = ("music_v2", "music_v2_5")
"""Models that take a plan of chunks, whose durations are always kept."""
SECTION_MODELS = ("music_v1",)
"""Models that take a plan of sections."""
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
    stretches = _stretches(order, part)
    whole, lead, negative = whole_styles(brief), lead_styles(brief), negative_styles(brief)
    if model in SECTION_MODELS:
        return SectionPlan(
            model=model,
            positive_global_styles=whole,
            negative_global_styles=negative,
            sections=tuple(
                Section(
                    section_name=name,
                    positive_local_styles=styles,
                    negative_local_styles=(),
                    duration_ms=duration_ms,
                )
                for name, duration_ms, styles in stretches
            ),
        )
    return ChunkPlan(
        model=model,
        chunks=tuple(
            Chunk(
                text=f"[{name}]",
                duration_ms=duration_ms,
                positive_styles=distinct((*(lead if number else whole), *styles)),
                negative_styles=negative,
                context_adherence=_ADHERENCE[level(brief.guidance)],
            )
            for number, (name, duration_ms, styles) in enumerate(stretches)
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


def lines(plan: Plan, *, start_s: Fraction = Fraction(0)) -> list[str]:
    """The plan for a person: a line per chunk or section, under one for the whole piece.

    Args:
        plan: The plan.
        start_s: Where in the picture it begins, in seconds.
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
    ends_ms = itertools.accumulate((duration_ms for _, duration_ms, _ in steps), initial=0)
    marks = [to_clock(start_s + Fraction(end_ms, 1000)) for end_ms in ends_ms]
    return [head] + [
        f"{start}-{end}  {name}: {', '.join(styles)}"
        for (start, end), (name, _, styles) in zip(itertools.pairwise(marks), steps, strict=True)
    ]


def _stretches(order: Order, part: PartOrder) -> list[tuple[str, int, tuple[str, ...]]]:
    """Name, length in ms and own styles of every stretch of the part."""
    notes = order.notes
    reader = Reader(order.brief, notes.scenes)
    held = spans(notes, part.range)
    found = []
    for number, span in enumerate(held):
        opens = number == 0 and part.range.start_s == 0
        ends = number == len(held) - 1 and part.range.end_s >= order.reels.duration_s
        styles = scene_styles(
            reader, span.scene, speech_share=speech_share(notes, span.scene.range), opens=opens
        )
        place = "Intro" if opens and not ends else "Outro" if ends and not opens else "Scene"
        name = f"{place} {number + 1}: {reader.mood(span.scene).words}"
        found.append((name, span.duration_ms, (*styles, *(("clear ending",) if ends else ()))))
    return found
