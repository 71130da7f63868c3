"""What the service checks of a request for music to video, in both forms."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from scorebed.testing.service_music import in_key
from scorebed.testing.service_requests import (
    Body,
    Form,
    Order,
    Pairs,
    RefusalError,
    detail,
    invalid,
)

MODELS = ("music_v1", "music_v2", "music_v2_5")
FORMATS = (
    *("mp3_22050_32", "mp3_24000_48", "mp3_44100_32", "mp3_44100_64", "mp3_44100_96"),
    *("mp3_44100_128", "mp3_44100_192", "pcm_8000", "pcm_16000", "pcm_22050", "pcm_24000"),
    *("pcm_32000", "pcm_44100", "pcm_48000", "ulaw_8000", "alaw_8000", "opus_48000_32"),
    *("opus_48000_64", "opus_48000_96", "opus_48000_128", "opus_48000_192"),
)
"""Output formats of the video endpoint."""
COMPOSE_FORMATS = (
    *("auto", "mp3_48000_128", "mp3_48000_192", "mp3_48000_240", "mp3_48000_320"),
    *FORMATS,
)
"""Output formats of the text endpoints."""
DEFAULT_FORMAT = "mp3_44100_128"

MOST_FILES = 10
MOST_BYTES = 200_000_000
MOST_S = 600
MOST_TAGS = 10
MOST_DESCRIPTION = 4100
"""Limits of the video endpoint: files, bytes and seconds together, tags, characters."""

_REPEATED = {"tags"}
_CURRENT = (
    *("description", "tags", "model_id", "add_sfx", "separate_tracks"),
    *("use_audio_as_reference", "sign_with_c2pa"),
)
_BRIEF = ("prompt", "duration_seconds", "seed", "loudness", "quality", "guidance_scale")


def check_key(sent: str | None, key: str) -> None:
    """Refuses any other key than the service's.

    Raises:
        RefusalError: 401.
    """
    if sent != key:
        raise detail(401, "authentication_error", "invalid_api_key", "Invalid API key.")


def check_query(query: Pairs, formats: tuple[str, ...]) -> dict[str, str]:
    """The query's values, checked.

    Raises:
        RefusalError: 422.
    """
    allowed = {"output_format", "enable_logging"} if formats else {"enable_logging"}
    for name, value in query:
        if name not in allowed:
            raise invalid(("query", name), "Extra inputs are not permitted", "extra_forbidden")
        if name == "enable_logging":
            _boolean(("query", name), value)
        elif value not in formats:
            raise invalid(("query", name), f"Input should be one of {', '.join(formats)}", "enum")
    if len(dict(query)) != len(query):
        raise invalid(("query",), "A parameter is given twice")
    return dict(query)


def fingerprint(*parts: Any) -> str:  # noqa: ANN401 - JSON
    """Hash of what was asked."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def check_video(body: Body, query: Pairs, form: Form) -> Order:
    """What a video request asks for.

    Args:
        body: Fields and measured files.
        query: Names and values of the query.
        form: Which of the two forms the server takes.

    Raises:
        RefusalError: As the service would refuse it.
    """
    wanted = check_query(query, FORMATS if form == "current" else ())
    fields = _fields(body.fields, _CURRENT if form == "current" else _BRIEF)
    total_s = _check_files(body, "videos" if form == "current" else "video")
    print_ = fingerprint(body.fields, wanted, [file.sha256 for file in body.files])
    heard = [file.key for file in body.files if file.key is not None]
    if heard and fields.get("use_audio_as_reference") == "true":
        print_ = in_key(print_, heard[0])
    parts_s = tuple(file.duration_s for file in body.files)
    if form == "brief":
        return _brief(fields, parts_s, total_s, print_)
    output_format = wanted.get("output_format", DEFAULT_FORMAT)
    return _current(body.fields, fields, parts_s, total_s, output_format, print_)


def _fields(sent: Pairs, allowed: tuple[str, ...]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in sent:
        if name not in allowed:
            raise invalid(("body", name), "Extra inputs are not permitted", "extra_forbidden")
        if name in fields and name not in _REPEATED:
            raise invalid(("body", name), "Input should be given once")
        fields[name] = value
    return fields


def _check_files(body: Body, part_name: str) -> float:
    """Length of all files together, in seconds."""
    for file in body.files:
        if file.part_name != part_name:
            loc = ("body", file.part_name)
            raise invalid(loc, "Extra inputs are not permitted", "extra_forbidden")
    if not body.files:
        raise invalid(("body", part_name), "Field required", "missing")
    if len(body.files) > MOST_FILES:
        raise invalid(
            ("body", part_name),
            f"List should have at most {MOST_FILES} items, not {len(body.files)}",
            "too_long",
        )
    for number, file in enumerate(body.files):
        if file.problem:
            raise detail(
                422,
                "validation_error",
                "invalid_video",
                f"Video {number + 1} ({file.filename}) could not be decoded: {file.problem}",
                param=part_name,
            )
    total_s = sum(file.duration_s for file in body.files)
    if total_s > MOST_S:
        raise detail(
            422,
            "validation_error",
            "video_too_long",
            f"The videos together are {total_s:.3f} s long; the limit is {MOST_S} s.",
            param=part_name,
        )
    return total_s


def _current(
    sent: Pairs,
    fields: dict[str, str],
    parts_s: tuple[float, ...],
    total_s: float,
    output_format: str,
    print_: str,
) -> Order:
    description = fields.get("description", "")
    if len(description) > MOST_DESCRIPTION:
        raise invalid(
            ("body", "description"),
            f"String should have at most {MOST_DESCRIPTION} characters",
            "string_too_long",
        )
    tags = [value for name, value in sent if name == "tags"]
    if len(tags) > MOST_TAGS:
        loc = ("body", "tags")
        raise invalid(loc, f"List should have at most {MOST_TAGS} items", "too_long")
    _one_of(fields, "model_id", MODELS)
    switches = {
        name: _boolean(("body", name), fields[name]) for name in _CURRENT[3:] if name in fields
    }
    if switches.get("sign_with_c2pa"):
        check_signable(output_format)
    return Order(
        parts_s=parts_s,
        length_s=total_s,
        output_format=output_format,
        fingerprint=print_,
        tracks=switches.get("separate_tracks", False),
        effects=switches.get("add_sfx", False),
        asked={**fields, "tags": tags},
    )


def check_signable(output_format: str) -> None:
    """Refuses to sign anything but mp3.

    Raises:
        RefusalError: 422.
    """
    if not output_format.startswith(("mp3", "auto")):
        raise invalid(("body", "sign_with_c2pa"), "C2PA signing is only available for mp3")


def _brief(
    fields: dict[str, str], parts_s: tuple[float, ...], total_s: float, print_: str
) -> Order:
    length_s = _number(fields, "duration_seconds", float, 0.5, MOST_S)
    seed = _number(fields, "seed", int, 0, 2**63 - 1)
    _number(fields, "loudness", float, -1, 1)
    _number(fields, "guidance_scale", float, 0, 100)
    if len(fields.get("prompt", "")) > MOST_DESCRIPTION:
        loc = ("body", "prompt")
        raise invalid(loc, f"String should have at most {MOST_DESCRIPTION} characters")
    if fields.get("quality", "standard") == "":
        raise invalid(("body", "quality"), "String should have at least 1 character")
    high = fields.get("quality") == "high"
    return Order(
        parts_s=parts_s,
        length_s=total_s if length_s is None else float(length_s),
        output_format="mp3_44100_192" if high else DEFAULT_FORMAT,
        fingerprint=print_,
        # Without one the service draws it; here it has to be the same every time.
        seed=int(print_[:8], 16) if seed is None else int(seed),
        asked=dict(fields),
    )


def _boolean(loc: tuple[str, str], value: str) -> bool:
    if value not in {"true", "false"}:
        raise invalid(loc, "Input should be true or false", "bool_parsing")
    return value == "true"


def _one_of(fields: dict[str, str], name: str, allowed: tuple[str, ...]) -> None:
    if name in fields and fields[name] not in allowed:
        raise invalid(("body", name), f"Input should be one of {', '.join(allowed)}", "enum")


def _number(
    fields: dict[str, str], name: str, kind: Callable[[str], float], low: float, high: float
) -> float | None:
    if name not in fields:
        return None
    try:
        value = kind(fields[name])
    except ValueError as error:
        raise _no_number(name) from error
    if not low <= value <= high:
        raise invalid(("body", name), f"Input should be between {low} and {high}")
    return value


def _no_number(name: str) -> RefusalError:
    return invalid(("body", name), "Input should be a valid number", "number_parsing")
