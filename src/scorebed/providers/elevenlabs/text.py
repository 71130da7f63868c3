"""Text to music: a plan written from the spotting notes, a section for each scene."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from scorebed.errors import (
    BadAnswer,
    OutcomeUnknown,
    OverLimit,
    ProviderUnavailable,
    SettingsError,
)
from scorebed.model import Expected, Limits, Quote, ServiceSettings
from scorebed.providers.elevenlabs import keys
from scorebed.providers.elevenlabs.client import Call, ask
from scorebed.providers.elevenlabs.plan import (
    body,
    composition_plan,
    durations_ms,
    lines,
    stretch_starts,
    to_json,
)
from scorebed.providers.elevenlabs.refine import refined
from scorebed.providers.elevenlabs.refusals import Extent, too_large
from scorebed.providers.elevenlabs.video import (
    MAX_DURATION_S,
    TEXT_FORMATS,
    check_model,
    check_words,
    flags,
    model_and_format,
    most_bytes,
    own_settings,
    quote,
    service_of,
    target_of,
)
from scorebed.providers.elevenlabs.words import description

if TYPE_CHECKING:
    from pathlib import Path

    from scorebed.model import Answer, Brief, Order, PartOrder
    from scorebed.providers.base import Wire
    from scorebed.providers.elevenlabs.plan import Plan

_MAX_SECTIONS = 30
_LEAST_MS = 3000
_MAX_PLAN_BYTES = 4_000_000
_MAX_PROMPT = 4100


class ElevenLabsTextProvider:
    """Sends words only: which sections, how long, in which style. No picture leaves the machine."""

    name = "elevenlabs-text"
    description = "text to music by ElevenLabs: a section per scene, needs a key, costs money"

    def settings(self) -> ServiceSettings:
        """The vendor's own address, or that of the environment."""
        return own_settings()

    def limits(self, service: ServiceSettings | None) -> Limits:  # noqa: ARG002 - the protocol's
        """What the vendor's documentation says of one request; no picture is sent."""
        return Limits(
            needs_proxies=False,
            max_reels=_MAX_SECTIONS,
            max_duration_s=MAX_DURATION_S,
            max_size_bytes=None,
            network=True,
        )

    def quote(self, order: Order) -> Quote:
        """Minutes of music times their price."""
        return quote(order)

    def check(self, brief: Brief, service: ServiceSettings) -> None:
        """Address, words, and options that text to music has no place for."""
        keys.host_of(service.base_url)
        given = {
            "--sfx": service.sfx,
            "--separate-tracks": service.separate_tracks,
            "--reference-audio": service.reference_audio,
            "--api-form brief": service.api_form == "brief",
        }
        for flag, on in given.items():
            if on:
                raise SettingsError(
                    f"{flag} has no place in text to music",
                    remedy=f"Leave out {flag}, or use --provider elevenlabs.",
                )
        check_model(service, brief, TEXT_FORMATS)
        check_words(brief)

    def check_key(self, service: ServiceSettings) -> None:
        """Reads it."""
        keys.read_key(service.key_file)

    def hide_key(self, text: str, service: ServiceSettings) -> str:
        """Puts ``[key]`` in its place."""
        return keys.hidden(text, service.key_file)

    def outline(self, part: PartOrder) -> tuple[str, ...]:
        """The plan, section by section."""
        found = lines(_plan(part), stretches=part.stretches)
        if service_of(part.order).refine_plan:
            found.append("the service's free planner refines this before the music is made")
        return tuple(found)

    def account(self, order: Order) -> str:
        """A name for the key and the host."""
        service = service_of(order)
        return keys.account_of(keys.read_key(service.key_file), service.base_url)

    def asked(self, part: PartOrder) -> tuple[tuple[str, str], ...]:
        """Host, model and format, and whether the plan is refined."""
        service = service_of(part.order)
        model, output_format = model_and_format(service, part.order.brief)
        found = [
            ("host", keys.host_of(service.base_url)),
            ("model", model),
            ("format", output_format),
            ("sections", ",".join(str(length_ms) for length_ms in durations_ms(_plan(part)))),
            *flags(service),
        ]
        if service.refine_plan:
            found.append(("refine_plan", "true"))
        return tuple(found)

    def expects(self, part: PartOrder) -> Expected:
        """One piece as long as the part; no stretch of it is under 3 s."""
        return Expected(
            output_format=model_and_format(service_of(part.order), part.order.brief)[1],
            duration_s=max(part.duration_s, Fraction(sum(durations_ms(_plan(part))), 1000)),
            reels=(part.duration_s,),
            separate_tracks=False,
            sfx=False,
            starts_s=stretch_starts(part),
        )

    def send(self, part: PartOrder, *, folder: Path, wire: Wire) -> Answer:
        """Asks once; the free planner first, if it is wanted."""
        service, brief = service_of(part.order), part.order.brief
        plan = _plan(part)
        if service.refine_plan:
            plan = _refined(plan, part, folder)
        query = [("output_format", model_and_format(service, brief)[1])]
        if service.zero_retention:
            query.append(("enable_logging", "false"))
        asked = body(plan, seed=brief.seed)
        if service.c2pa:
            asked["sign_with_c2pa"] = True
        call = Call(
            path="v1/music",
            query=tuple(query),
            json=asked,
            most_bytes=most_bytes(part, tracks=1),
        )
        try:
            return ask(call, target_of(service), folder=folder, wire=wire)
        except OverLimit as error:
            sections = Extent(amount=len(durations_ms(plan)), most=_MAX_SECTIONS, unit="sections")
            length_s = sum(durations_ms(plan)) / 1000
            length = Extent(amount=length_s, most=float(MAX_DURATION_S), unit="s")
            raise too_large(error, (sections, length)) from error


def _plan(part: PartOrder) -> Plan:
    service = service_of(part.order)
    model, _ = model_and_format(service, part.order.brief)
    return composition_plan(part.order, part, model=model)


class _FreeWire:
    """For a request that costs nothing: nothing is written down."""

    def sending(self) -> None:
        """Nothing to note."""

    def at_once(self, most: int) -> None:
        """The planner does not stand in the queue."""

    def progress(self, share: float) -> None:
        """It is over in a moment."""


def _refined(plan: Plan, part: PartOrder, folder: Path) -> Plan:
    """The plan with the styles of the service's planner; durations stay ours."""
    service, brief = service_of(part.order), part.order.brief
    notes, seconds = part.order.notes, max(part.duration_s, Fraction(_LEAST_MS, 1000))
    told = description(brief, notes, max_chars=_MAX_PROMPT, stretches=part.stretches)
    call = Call(
        path="v1/music/plan",
        json={
            "prompt": told.text,
            "music_length_ms": max(round(seconds * 1000), sum(durations_ms(plan))),
            "source_composition_plan": to_json(plan),
            "model_id": plan.model,
        },
        most_bytes=_MAX_PLAN_BYTES,
    )
    try:
        answer = ask(call, target_of(service), folder=folder, wire=_FreeWire())
    except OutcomeUnknown as error:
        # It costs nothing, so there is nothing unknown.
        raise ProviderUnavailable(
            f"{error.message.partition(';')[0]} (the free planner)",
            remedy="Run again, or leave out --refine-plan; nothing was bought.",
        ) from error
    read = answer.body.read_bytes()
    answer.body.unlink()
    return refined(plan, _as_object(read))


def _as_object(told: bytes) -> dict[str, Any]:
    try:
        found = json.loads(told)
    except ValueError:
        found = None
    if isinstance(found, dict):
        return found
    raise BadAnswer(
        "compose: the service's planner answered with something that is no plan; nothing was "
        "bought",
        remedy="Run again, or leave out --refine-plan.",
    )
