"""Text to music: what the service checks of a request and of its plan, and plans that it makes."""

from __future__ import annotations

import re
from typing import Any

from scorebed.testing.service_checks import (
    COMPOSE_FORMATS,
    MODELS,
    check_query,
    check_signable,
    fingerprint,
)
from scorebed.testing.service_requests import Order, Pairs, invalid

MIN_MS = 3_000
MOST_CHUNK_MS = 120_000
MOST_MS = 600_000
MOST_CHUNKS = 30
"""Limits of plans: milliseconds of a chunk or section, of all of it, and how many."""
DEFAULT_MS = 60_000
"""Length of the music when the request names none."""

_COMPOSE: dict[str, type] = {
    "prompt": str,
    "composition_plan": dict,
    "music_length_ms": int,
    "model_id": str,
    "seed": int,
    "force_instrumental": bool,
    "finetune_id": str,
    "respect_sections_durations": bool,
    "store_for_inpainting": bool,
    "sign_with_c2pa": bool,
}
_DETAILED = {**_COMPOSE, "with_timestamps": bool, "with_waveform_visual": bool}
_PLAN: dict[str, type] = {
    "prompt": str,
    "music_length_ms": int,
    "source_composition_plan": dict,
    "model_id": str,
}
_CHUNK: dict[str, type] = {
    "text": str,
    "duration_ms": int,
    "positive_styles": list,
    "negative_styles": list,
    "context_adherence": str,
    "conditioning_ref": dict,
    "condition_strength": str,
}
_REF: dict[str, type] = {"song_id": str, "range": dict}
_SECTION: dict[str, type] = {
    "section_name": str,
    "positive_local_styles": list,
    "negative_local_styles": list,
    "duration_ms": int,
    "lines": list,
    "source_from": dict,
}
_SONG: dict[str, type] = {
    "positive_global_styles": list,
    "negative_global_styles": list,
    "sections": list,
}
_DEGREES = {
    "context_adherence": ("low", "medium", "high"),
    "condition_strength": ("low", "medium", "high", "xhigh"),
}

Loc = tuple[str | int, ...]


def check_compose(sent: Any, query: Pairs, *, with_details: bool) -> Order:  # noqa: ANN401 - JSON
    """What a request for text to music asks for.

    Args:
        sent: The parsed body.
        query: Names and values of the query.
        with_details: Whether it went to the endpoint that answers with metadata.

    Raises:
        RefusalError: As the service would refuse it.
    """
    wanted = check_query(query, COMPOSE_FORMATS)
    body = _object(("body",), sent, _DETAILED if with_details else _COMPOSE)
    model = _model(body)
    plan = body.get("composition_plan")
    if (plan is None) == (body.get("prompt") is None):
        raise invalid(("body",), "Exactly one of prompt and composition_plan must be given")
    if plan is None:
        for name in ("seed", "respect_sections_durations"):
            if name in body:
                raise invalid(("body", name), f"{name} cannot be used in conjunction with prompt")
        parts_ms = [_length_ms(body)]
    else:
        for name in ("music_length_ms", "force_instrumental"):
            if name in body:
                raise invalid(("body", name), f"{name} can only be used with prompt")
        parts_ms = check_plan(plan, model, ("body", "composition_plan"))
    output_format = wanted.get("output_format", "auto")
    if output_format == "auto":
        output_format = "mp3_44100_128" if model == "music_v1" else "mp3_48000_192"
    if body.get("sign_with_c2pa"):
        check_signable(output_format)
    return Order(
        parts_s=tuple(part_ms / 1000 for part_ms in parts_ms),
        length_s=sum(parts_ms) / 1000,
        output_format=output_format,
        fingerprint=fingerprint(body, wanted),
        seed=body.get("seed"),
        plan=make_plan(body, model) if plan is None else plan,
        with_details=with_details,
        asked=dict(body),
    )


def check_plan_request(sent: Any, query: Pairs) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """The plan that a request to the free endpoint is answered with.

    Raises:
        RefusalError: As the service would refuse it.
    """
    check_query(query, ())
    body = _object(("body",), sent, _PLAN)
    if "prompt" not in body:
        raise invalid(("body", "prompt"), "Field required", "missing")
    model = _model(body)
    _length_ms(body)
    source = body.get("source_composition_plan")
    if source is not None:
        check_plan(source, model, ("body", "source_composition_plan"))
    return make_plan(body, model)


def check_plan(plan: dict[str, Any], model: str, loc: Loc) -> list[int]:
    """Lengths of a plan's chunks or sections, in milliseconds.

    Raises:
        RefusalError: 422.
    """
    if ("sections" in plan) != (model == "music_v1"):
        other = "sections" if model == "music_v1" else "chunks"
        raise invalid(loc, f"The plan for {model} is made of {other}")
    if model == "music_v1":
        song = _object(loc, plan, _SONG, required=tuple(_SONG))
        parts, name = song["sections"], "sections"
    else:
        parts, name = _object(loc, plan, {"chunks": list}, required=("chunks",))["chunks"], "chunks"
    if not 1 <= len(parts) <= MOST_CHUNKS:
        raise invalid((*loc, name), f"List should have 1 to {MOST_CHUNKS} items", "too_long")
    check = _section_ms if model == "music_v1" else _chunk_ms
    parts_ms = [check(part, (*loc, name, number)) for number, part in enumerate(parts)]
    if not MIN_MS <= sum(parts_ms) <= MOST_MS:
        raise invalid(loc, f"The plan should be {MIN_MS} to {MOST_MS} ms long in total")
    return parts_ms


def _chunk_ms(chunk: Any, loc: Loc) -> int:  # noqa: ANN401 - JSON
    if isinstance(chunk, dict) and "song_id" in chunk:
        return _range_ms(_object(loc, chunk, _REF, required=tuple(_REF)), loc)
    good = _object(loc, chunk, _CHUNK, required=("text", "duration_ms", "positive_styles"))
    for name, allowed in _DEGREES.items():
        if good.get(name, "low") not in allowed:
            raise invalid((*loc, name), f"Input should be one of {', '.join(allowed)}", "enum")
    if "conditioning_ref" in good:
        ref = _object((*loc, "conditioning_ref"), good["conditioning_ref"], _REF)
        _range_ms(ref, (*loc, "conditioning_ref"))
    return _part_ms(good, loc)


def _section_ms(section: Any, loc: Loc) -> int:  # noqa: ANN401 - JSON
    required = tuple(name for name in _SECTION if name != "source_from")
    good = _object(loc, section, _SECTION, required=required)
    if not 1 <= len(good["section_name"]) <= 100:  # noqa: PLR2004 - as the SDK documents it
        raise invalid((*loc, "section_name"), "String should have 1 to 100 characters")
    return _part_ms(good, loc)


def _part_ms(part: dict[str, Any], loc: Loc) -> int:
    length_ms = int(part["duration_ms"])
    if not MIN_MS <= length_ms <= MOST_CHUNK_MS:
        raise invalid(
            (*loc, "duration_ms"), f"Input should be between {MIN_MS} and {MOST_CHUNK_MS}"
        )
    return length_ms


def _range_ms(ref: dict[str, Any], loc: Loc) -> int:
    ends = _object((*loc, "range"), ref.get("range"), {"start_ms": int, "end_ms": int})
    if not 0 <= ends.get("start_ms", -1) < ends.get("end_ms", -1):
        raise invalid((*loc, "range"), "start_ms should be before end_ms")
    return int(ends["end_ms"] - ends["start_ms"])


def _object(
    loc: Loc,
    sent: Any,  # noqa: ANN401 - JSON
    types: dict[str, type],
    required: tuple[str, ...] = (),
) -> dict[str, Any]:
    """The object without its nulls, its names and types checked."""
    if not isinstance(sent, dict):
        raise invalid(loc, "Input should be a valid dictionary", "dict_type")
    good = {name: value for name, value in sent.items() if value is not None}
    for name in required:
        if name not in good:
            raise invalid((*loc, name), "Field required", "missing")
    for name, value in good.items():
        if name not in types:
            raise invalid((*loc, name), "Extra inputs are not permitted", "extra_forbidden")
        kind = types[name]
        # A bool is an int in Python, and not in JSON.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise invalid((*loc, name), f"Input should be a valid {kind.__name__}", "type_error")
        if kind is list and "styles" in name:
            _strings((*loc, name), good)
    return good


def _strings(loc: Loc, sent: dict[str, Any]) -> None:
    if not all(isinstance(one, str) for one in sent[str(loc[-1])]):
        raise invalid(loc, "Input should be a list of strings", "string_type")


def _model(body: dict[str, Any]) -> str:
    model = str(body.get("model_id", "music_v1"))
    if model not in MODELS:
        raise invalid(("body", "model_id"), f"Input should be one of {', '.join(MODELS)}", "enum")
    return model


def _length_ms(body: dict[str, Any]) -> int:
    length_ms = int(body.get("music_length_ms", DEFAULT_MS))
    if not MIN_MS <= length_ms <= MOST_MS:
        loc = ("body", "music_length_ms")
        raise invalid(loc, f"Input should be between {MIN_MS} and {MOST_MS}")
    return length_ms


# --- making ------------------------------------------------------------------------------------


def make_plan(body: dict[str, Any], model: str) -> dict[str, Any]:
    """A plan for a prompt in the model's form: equal parts of at most 30 s, styles by its words.

    A source plan keeps its parts and gets the words as further styles.
    """
    words = list(dict.fromkeys(re.findall(r"[a-z]{4,}", str(body.get("prompt", "")).lower())))[:8]
    source = body.get("source_composition_plan")
    if source is not None:
        return _refined(source, words)
    total_ms = _length_ms(body)
    count = max(-(-total_ms // 30_000), 1)
    parts_ms = [total_ms * (n + 1) // count - total_ms * n // count for n in range(count)]
    if model == "music_v1":
        sections = [
            {
                "section_name": f"Section {number}",
                "positive_local_styles": words,
                "negative_local_styles": [],
                "duration_ms": part_ms,
                "lines": [],
            }
            for number, part_ms in enumerate(parts_ms, 1)
        ]
        return {
            "positive_global_styles": words or ["instrumental"],
            "negative_global_styles": [],
            "sections": sections,
        }
    chunks = [
        {
            "text": f"[Section {number}]",
            "duration_ms": part_ms,
            "positive_styles": words or ["instrumental"],
            "negative_styles": [],
            "context_adherence": "medium",
        }
        for number, part_ms in enumerate(parts_ms, 1)
    ]
    return {"chunks": chunks}


def _refined(source: dict[str, Any], words: list[str]) -> dict[str, Any]:
    parts = "sections" if "sections" in source else "chunks"
    styles = "positive_local_styles" if parts == "sections" else "positive_styles"
    refined = [
        {**part, styles: list(dict.fromkeys([*part[styles], *words]))} if styles in part else part
        for part in source[parts]
    ]
    return {**source, parts: refined}
