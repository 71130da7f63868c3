"""What the service says when it does not give music, each to its error and its remedy.

The service's errors come as JSON with ``detail``: an object with ``type``, ``code``, ``message``,
``request_id`` and ``param``; in an older form with ``status`` and ``message``; for 422 a list of
``loc``, ``msg`` and ``type``.
"""

from __future__ import annotations

import email.utils
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from scorebed.errors import (
    MissingKey,
    OutcomeUnknown,
    OverLimit,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    RequestRejected,
)

_CONCURRENT = {"too_many_concurrent_requests", "concurrent_limit_exceeded"}
_NOTHING_DONE = _CONCURRENT | {"service_unavailable", "system_busy"}
"""Codes of the service's own that say, with 503, that it has not begun."""
_MOST_TEXT = 500
_MOST_PLAN = 4000
_LONGEST_WAIT_S = 3600.0
_LONG_AGO_S = 1e9
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?", re.ASCII)
_AGAIN = "Look at https://elevenlabs.io/app/usage and status.elevenlabs.io; `scorebed ledger list` "
_AGAIN += "shows the receipt. If it was not billed, run again with --buy-again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An answer that is no music."""

    status: int
    """HTTP status."""
    headers: Mapping[str, str]
    """Its headers, names in lower case."""
    body: str
    """Beginning of its body."""
    key: str = field(repr=False)
    """The key that was sent, which is never repeated."""
    sent_whole: bool
    """Whether the whole request had left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much of something was sent."""

    amount: float
    """What was sent."""
    most: float
    """What one request takes, as far as it is known."""
    unit: str
    """Of both."""

    def __str__(self) -> str:
        """For a person, with what is too much of it."""
        over = self.amount - self.most
        shown = f"{_shown(self.amount)} of {_shown(self.most)} {self.unit}"
        return f"{shown} ({_shown(over)} too much)" if over > 0 else shown


def _shown(amount: float) -> str:
    return f"{round(amount, 3):.12g}"


def too_large(error: OverLimit, extents: Sequence[Extent]) -> OverLimit:
    """A refusal for its size, with what was sent against the limits that are known.

    Args:
        error: What the service said.
        extents: What was sent.
    """
    sent = ", ".join(str(one) for one in extents)
    if any(one.amount > one.most for one in extents):
        return OverLimit(f"{error.message}; sent: {sent}", remedy=error.remedy)
    return OverLimit(
        f"{error.message}; sent: {sent}: within the limits that are known",
        remedy="Ask whoever runs --base-url (a gateway has limits of its own), or score the video "
        "in parts.",
    )


def error_of(refusal: Refusal) -> ProviderError:
    """The error that a refusal stands for.

    Args:
        refusal: What the service answered.
    """
    codes, message, suggestion = _told(refusal)
    number = refusal.headers.get("request-id") or refusal.headers.get("x-request-id")
    shown = f" (request {clean(number, refusal.key)})" if number else ""
    text = f"compose: the service answered {refusal.status}: {message}{shown}"
    wait_s = wait_of(refusal.headers)
    status = refusal.status
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimited(
            text,
            remedy="Wait a while and run the same command again.",
            wait_s=wait_s,
            concurrent=bool(codes & _CONCURRENT),
        )
    # Nobody knows what a gateway in between has passed on, or when another fault has happened.
    own_word = status == HTTPStatus.SERVICE_UNAVAILABLE and _own_code(refusal) in _NOTHING_DONE
    passing = {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.REQUEST_TIMEOUT}
    if own_word or (status in passing and not refusal.sent_whole):
        return ProviderUnavailable(
            text, remedy="Run the same command again later; nothing was bought.", wait_s=wait_s
        )
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        return lost(text.removeprefix("compose: "))
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return OverLimit(text, remedy="Score the video in parts.")
    if status == HTTPStatus.UNAUTHORIZED and not codes & {"missing_permissions", "quota_exceeded"}:
        return MissingKey(text, remedy="Check the key: https://elevenlabs.io/app/settings/api-keys")
    return RequestRejected(text, remedy=_remedy(status, codes, suggestion))


def _remedy(status: int, codes: set[str], suggestion: str | None) -> str:
    if suggestion:
        return suggestion
    if "missing_permissions" in codes:
        return "Give the key the permission for music: https://elevenlabs.io/app/settings/api-keys"
    if "quota_exceeded" in codes or status == HTTPStatus.PAYMENT_REQUIRED:
        return "Buy credits or a larger plan: https://elevenlabs.io/app/subscription"
    if status == HTTPStatus.FORBIDDEN:
        return (
            "The plan does not include this: video to music needs a paid plan, mp3_44100_192 "
            "Creator, pcm_44100 Pro, --zero-retention Enterprise."
        )
    if status == HTTPStatus.NOT_FOUND or HTTPStatus.MULTIPLE_CHOICES <= status < 400:  # noqa: PLR2004
        return "Check --base-url: there is no music service at that address."
    return "Change what the message names and run again; nothing was bought."


def _told(refusal: Refusal) -> tuple[set[str], str, str | None]:
    """Codes, message and suggestion of the service."""
    location = refusal.headers.get("location")
    if location and HTTPStatus.MULTIPLE_CHOICES <= refusal.status < 400:  # noqa: PLR2004
        return set(), f"it points to {clean(location, refusal.key)}, where no key is sent", None
    try:
        told = json.loads(refusal.body)
    except ValueError:
        return set(), clean(refusal.body, refusal.key) or "nothing more", None
    detail = told.get("detail", told) if isinstance(told, dict) else told
    if isinstance(detail, list):
        return set(), "; ".join(_field(one, refusal.key) for one in detail) or "nothing more", None
    if not isinstance(detail, dict):
        return set(), clean(str(detail), refusal.key), None
    codes = {str(detail[name]) for name in ("code", "status", "type") if detail.get(name)}
    said = detail.get("message") or detail.get("title") or " ".join(codes) or "nothing more"
    message = clean(str(said), refusal.key)
    param = detail.get("param")
    if param:
        message += f" ({clean(str(param), refusal.key)})"
    return codes, message, _suggestion(detail, refusal.key)


def _own_code(refusal: Refusal) -> str | None:
    """The code in the service's own form; None for what a gateway or a framework writes."""
    try:
        told = json.loads(refusal.body)
    except ValueError:
        return None
    detail = told.get("detail") if isinstance(told, dict) else None
    if not isinstance(detail, dict):
        return None
    code = detail.get("code") or detail.get("status")
    return code if isinstance(code, str) else None


def _field(one: Any, key: str) -> str:  # noqa: ANN401 - whatever the service sends
    if not isinstance(one, dict):
        return clean(str(one), key)
    place = one.get("loc")
    where = ".".join(str(step) for step in place) if isinstance(place, list) else ""
    return clean(f"{where}: {one.get('msg')}" if where else str(one.get("msg")), key)


def _suggestion(detail: dict[str, Any], key: str) -> str | None:
    """What the service would take instead, as a remedy."""
    for holder in (detail, detail.get("data")):
        if not isinstance(holder, dict):
            continue
        found = holder.get("prompt_suggestion") or holder.get("suggestion")
        if found:
            return f"The service suggests this prompt: {clean(str(found), key)}"
        words = _plan_words(holder.get("composition_plan_suggestion"))
        if words:
            shown = clean(words, key, most=_MOST_PLAN)
            return f"The service suggests this plan (use its words in --prompt): {shown}"
    return None


def _plan_words(plan: object) -> str:
    """Sections and styles of a plan that the service suggests, whatever is missing in it."""
    if not isinstance(plan, dict):
        return ""
    parts = plan.get("chunks") or plan.get("sections")
    told = [("", _words(plan.get("positive_global_styles")))]
    for part in parts if isinstance(parts, list) else []:
        if isinstance(part, dict):
            name = str(part.get("section_name") or part.get("text") or "")
            styles = part.get("positive_styles") or part.get("positive_local_styles")
            told.append((name, _words(styles)))
    return "; ".join(": ".join(word for word in one if word) for one in told if any(one))


def _words(styles: object) -> str:
    return ", ".join(str(one) for one in styles) if isinstance(styles, list) else ""


def clean(text: str, key: str, *, most: int = _MOST_TEXT) -> str:
    """A service's text for a person: one line, not too long, never the key."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    shown = " ".join(shown.replace(key, "[key]").split())
    return shown if len(shown) <= most else shown[:most] + "..."


def wait_of(headers: Mapping[str, str]) -> float | None:
    """How long the service asks to be left alone, in seconds, from its headers."""
    for name, factor in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        if _NUMBER.fullmatch(value):
            return min(float(value) * factor, _LONGEST_WAIT_S)
        moment = _moment_s(value)
        if moment is not None:
            return _until(moment)
    reset = headers.get("x-ratelimit-reset", "").strip()
    if not _NUMBER.fullmatch(reset):
        return None
    # A moment, or, with those who write it so, seconds from now.
    return (
        _until(float(reset)) if float(reset) > _LONG_AGO_S else min(float(reset), _LONGEST_WAIT_S)
    )


def _moment_s(value: str) -> float | None:
    try:
        parsed = email.utils.parsedate_tz(value)
        return None if parsed is None else float(email.utils.mktime_tz(parsed))
    except (ValueError, OverflowError, IndexError):
        return None


def _until(moment_s: float) -> float:
    return min(max(moment_s - time.time(), 0.0), _LONGEST_WAIT_S)


def lost(what: str, request: str | None = None) -> OutcomeUnknown:
    """The answer to a request that had left is lost.

    Args:
        what: What happened.
        request: The service's number of the request, where it is known.
    """
    shown = f" (request {request})" if request else ""
    return OutcomeUnknown(
        f"compose: {what}{shown}; the request had been sent and may have been billed",
        remedy=_AGAIN,
    )
