"""The refusals of the test server: every status that the service is known to answer with."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from scorebed.testing.service_requests import (
    Body,
    Pairs,
    RefusalError,
    detail,
    invalid,
)

if TYPE_CHECKING:
    from scorebed.testing.service_behaviours import Behaviour

_AHEAD_S = 2
_STYLES = ("warm strings", "soft piano")
_PAGE = "<html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a refusal may have to tell of."""

    key: str
    """The key that was sent."""
    body: Body
    """What was sent."""
    at_once: int
    """Requests that may be in flight."""
    elsewhere: str
    """URL of the second listener, for the same path."""


def refusal(behaviour: Behaviour, case: Case) -> RefusalError | None:
    """The refusal before any work is begun, if the behaviour is one."""
    make = _FREE.get(behaviour)
    return make(case) if make else None


def failure(behaviour: Behaviour, case: Case) -> RefusalError | None:
    """The error after the work was begun, if the behaviour is one."""
    make = _BILLED.get(behaviour)
    return make(case) if make else None


def concurrent(at_once: int, in_flight: int) -> RefusalError:
    """The refusal of one request too many."""
    return detail(
        429,
        "rate_limit_error",
        "too_many_concurrent_requests",
        f"Too many concurrent requests. Your subscription allows {at_once} at a time.",
        headers=(
            ("current-concurrent-requests", str(in_flight)),
            ("maximum-concurrent-requests", str(at_once)),
        ),
    )


def _busy(*headers: tuple[str, str]) -> RefusalError:
    message = "We are experiencing heavy traffic. Please try again later."
    return detail(429, "rate_limit_error", "system_busy", message, headers=headers)


def _unavailable(*headers: tuple[str, str]) -> RefusalError:
    message = "The service is unavailable. Your request was not processed."
    return detail(503, "service_unavailable", "service_unavailable", message, headers=headers)


def _bad_prompt(case: Case) -> RefusalError:
    sent: Any = case.body.json if isinstance(case.body.json, dict) else {}
    plan = sent.get("composition_plan")
    code = "bad_prompt" if plan is None else "bad_composition_plan"
    suggestion = (
        {"prompt_suggestion": "Warm strings and soft piano in a hopeful mood."}
        if plan is None
        else {"composition_plan_suggestion": _suggested(plan)}
    )
    return detail(
        400,
        "validation_error",
        code,
        "The prompt appears to name an artist or copyrighted work, which is against our terms.",
        param="prompt" if plan is None else "composition_plan",
        data=suggestion,
    )


def _suggested(plan: dict[str, Any]) -> dict[str, Any]:
    """The plan with other styles for each of its parts."""
    parts = "sections" if "sections" in plan else "chunks"
    styles = "positive_local_styles" if parts == "sections" else "positive_styles"
    return {**plan, parts: [{**one, styles: list(_STYLES)} for one in plan[parts]]}


def _validation(_: Case) -> RefusalError:
    return invalid(("body", "description"), "String should be something else", "string_type")


def _echo(case: Case) -> RefusalError:
    message = f"The request of key {case.key} could not be processed (xi-api-key: {case.key})."
    return detail(422, "validation_error", "unprocessable", message, param="description")


def _redirect(case: Case) -> RefusalError:
    headers: Pairs = (("Location", case.elsewhere),)
    return RefusalError(307, {"detail": "Temporary Redirect"}, headers)


def _plain(status: int, kind: str, code: str, message: str) -> Callable[[Case], RefusalError]:
    return lambda _: detail(status, kind, code, message)


def _old_form(status: int, code: str, message: str) -> RefusalError:
    return RefusalError(status, {"detail": {"status": code, "message": message}})


_FREE: dict[Behaviour, Callable[[Case], RefusalError]] = {
    "400-bad-prompt": _bad_prompt,
    "401-invalid-key": _plain(401, "authentication_error", "invalid_api_key", "Invalid API key."),
    "401-old-form": lambda _: _old_form(401, "invalid_api_key", "Invalid API key"),
    "401-missing-permissions": _plain(
        401,
        "authentication_error",
        "missing_permissions",
        "The API key is missing the permission music_generation to execute this operation.",
    ),
    "401-quota": _plain(
        401,
        "authentication_error",
        "quota_exceeded",
        "This request exceeds your quota. You have 12 credits remaining, 900 are required.",
    ),
    "402": _plain(402, "payment_required", "payment_required", "Your last payment has failed."),
    "403": _plain(
        403, "authorization_error", "feature_unavailable", "Your plan does not include music."
    ),
    "404": _plain(404, "not_found", "not_found", "The requested resource was not found."),
    "408": _plain(408, "timeout_error", "request_timeout", "The request took too long to arrive."),
    "409": _plain(409, "conflict", "conflict", "The same request is being processed already."),
    "413": _plain(
        413, "validation_error", "request_too_large", "The videos together exceed 200 MB."
    ),
    "422-list": _validation,
    "422-detail": lambda _: detail(
        422,
        "validation_error",
        "invalid_parameters",
        "The description cannot be used.",
        param="description",
    ),
    "429-concurrent": lambda case: concurrent(case.at_once, case.at_once),
    "429-concurrent-limit": _plain(
        429, "rate_limit_error", "concurrent_limit_exceeded", "Concurrent limit exceeded."
    ),
    "429-old-form": lambda _: _old_form(
        429, "too_many_concurrent_requests", "Too many concurrent requests."
    ),
    "429-busy": lambda _: _busy(),
    "429-retry-after-seconds": lambda _: _busy(("Retry-After", "1")),
    "429-retry-after-date": lambda _: _busy(
        ("Retry-After", formatdate(time.time() + _AHEAD_S, usegmt=True))
    ),
    "429-retry-after-ms": lambda _: _busy(("retry-after-ms", "300")),
    "429-reset": lambda _: _busy(("X-RateLimit-Reset", str(int(time.time()) + _AHEAD_S))),
    "503": lambda _: _unavailable(),
    "503-retry-after": lambda _: _unavailable(("Retry-After", "1")),
    "echo-key": _echo,
    "redirect": _redirect,
}

_BILLED: dict[Behaviour, Callable[[Case], RefusalError]] = {
    "500": lambda _: detail(500, "internal_error", "internal_server_error", "Something failed."),
    "500-old-form": lambda _: _old_form(500, "internal_error", "Something failed."),
    "502-html": lambda _: RefusalError(502, _PAGE.format("502 Bad Gateway")),
    "503-gateway": lambda _: RefusalError(
        503, "upstream connect error or disconnect/reset before headers"
    ),
    "503-gateway-json": lambda _: RefusalError(
        503, {"status": 503, "code": 503, "error": "Service Unavailable", "path": "/v1/music"}
    ),
    "503-problem-json": lambda _: RefusalError(
        503, {"type": "about:blank", "title": "Service Unavailable", "status": 503}
    ),
    "503-internal": _plain(503, "service_unavailable", "internal_error", "The generation failed."),
    "echo-key-200": lambda case: RefusalError(200, _PAGE.format(f"xi-api-key: {case.key}")),
    "504": lambda _: detail(504, "timeout_error", "gateway_timeout", "The music took too long."),
}
