"""Video to music: the scenes as small files, one request, one style."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from scorebed.errors import OverLimit, SettingsError
from scorebed.model import PROXY_HEIGHT_PX, Expected, Limits, Quote, ServiceSettings
from scorebed.providers.elevenlabs import keys
from scorebed.providers.elevenlabs.client import Call, Part, Target, ask
from scorebed.providers.elevenlabs.refusals import Extent, too_large
from scorebed.providers.elevenlabs.words import Told, description, tags

if TYPE_CHECKING:
    from pathlib import Path

    from scorebed.model import Answer, Brief, Order, PartOrder, Quality
    from scorebed.providers.base import Wire

MAX_FILES = 10
MAX_BYTES = 200_000_000
MAX_DURATION_S = Fraction(600)
MAX_DESCRIPTION = 4100
BASE_URL = "https://api.elevenlabs.io"
PRICE_PER_MINUTE = 0.60
"""USD per minute of picture: a field report of 2026, not the vendor's word; a setting."""
MODELS = ("music_v1", "music_v2", "music_v2_5")
FORMATS = (
    "mp3_22050_32",
    "mp3_24000_48",
    *(f"mp3_44100_{rate}" for rate in (32, 64, 96, 128, 192)),
    *(f"pcm_{rate}" for rate in (8000, 16000, 22050, 24000, 32000, 44100, 48000)),
    "ulaw_8000",
    "alaw_8000",
    *(f"opus_48000_{rate}" for rate in (32, 64, 96, 128, 192)),
)
TEXT_FORMATS = ("auto", *FORMATS, *(f"mp3_48000_{rate}" for rate in (128, 192, 240, 320)))
"""Text to music knows more of them."""
BY_QUALITY: dict[Quality, tuple[str, str]] = {
    "draft": ("music_v1", "mp3_44100_64"),
    "standard": ("music_v2_5", "mp3_44100_128"),
    "high": ("music_v2_5", "mp3_44100_192"),
}
"""Model and format of a quality: 192 kbit/s needs the plan Creator or a larger one."""
_HEAD_BYTES = 64_000_000
_BYTES_PER_S = 48_000 * 2 * 4


class ElevenLabsProvider:
    """Sends the picture, small and without its sound, and gets music for it."""

    name = "elevenlabs"
    description = "video to music by ElevenLabs: looks at the picture, needs a key, costs money"

    def settings(self) -> ServiceSettings:
        """The vendor's own address, or that of the environment, and the form of its SDK."""
        return own_settings()

    def limits(self, service: ServiceSettings | None) -> Limits:
        """What the vendor's documentation says of one request."""
        return Limits(
            needs_proxies=True,
            sound=service is not None and service.reference_audio,
            max_reels=MAX_FILES,
            max_duration_s=MAX_DURATION_S,
            max_size_bytes=MAX_BYTES,
            network=True,
            reference=service is not None and service.api_form == "current",
            proxy_height_px=PROXY_HEIGHT_PX if service is None else service.proxy_height_px,
        )

    def quote(self, order: Order) -> Quote:
        """Minutes of picture times their price."""
        return quote(order)

    def check(self, brief: Brief, service: ServiceSettings) -> None:
        """Address, words, and options that the form has no place for."""
        keys.host_of(service.base_url)
        if service.refine_plan:
            raise SettingsError(
                "--refine-plan asks for a plan of sections, which video to music has not",
                remedy="Use --provider elevenlabs-text, or leave it out.",
            )
        if service.api_form == "brief":
            _refuse_in_brief(service)
        else:
            check_model(service, brief)
        check_words(brief, most=_most_characters(service, brief))

    def check_key(self, service: ServiceSettings) -> None:
        """Reads it."""
        keys.read_key(service.key_file)

    def hide_key(self, text: str, service: ServiceSettings) -> str:
        """Puts ``[key]`` in its place."""
        return keys.hidden(text, service.key_file)

    def outline(self, part: PartOrder) -> tuple[str, ...]:
        """The fields of the request, and what they have no room for."""
        fields = _fields(part, sound=self._will_carry_sound(part)).items()
        return (
            *(
                f"{name}: {', '.join(value) if isinstance(value, list) else value}"
                for name, value in fields
            ),
            *_description(part).warnings,
        )

    def _will_carry_sound(self, part: PartOrder) -> bool:
        """Also where the music of the first request is still to come."""
        later = part.number > 0 and self.limits(part.order.service).reference
        return later or _carries_sound(part)

    def account(self, order: Order) -> str:
        """A name for the key and the host."""
        service = service_of(order)
        return keys.account_of(keys.read_key(service.key_file), service.base_url)

    def asked(self, part: PartOrder) -> tuple[tuple[str, str], ...]:
        """Form, host, model and format, and what changes the music besides the brief."""
        service, brief = service_of(part.order), part.order.brief
        found = [("host", keys.host_of(service.base_url)), ("form", service.api_form)]
        if service.api_form == "current":
            model, output_format = model_and_format(service, brief)
            found += [("model", model), ("format", output_format)]
            found += flags(service)
        else:
            found += [("quality", brief.quality)]
        if service.reference_audio:
            found += [("reference_audio", "true")]
        return tuple(found)

    def expects(self, part: PartOrder) -> Expected:
        """Music as long as the files together, or a segment for each."""
        service = service_of(part.order)
        _, output_format = model_and_format(service, part.order.brief)
        return Expected(
            # The other form names no format, and answers mp3 or wav.
            output_format=output_format if service.api_form == "current" else "mp3_44100_128",
            duration_s=part.duration_s,
            reels=tuple(reel.range.duration_s for reel in part.reels),
            separate_tracks=service.separate_tracks,
            sfx=service.sfx,
            warnings=_description(part).warnings,
        )

    def send(self, part: PartOrder, *, folder: Path, wire: Wire) -> Answer:
        """Asks once."""
        service = service_of(part.order)
        query: list[tuple[str, str]] = []
        if service.api_form == "current":
            query.append(("output_format", model_and_format(service, part.order.brief)[1]))
            if service.zero_retention:
                query.append(("enable_logging", "false"))
        call = Call(
            path="v1/music/video-to-music",
            query=tuple(query),
            fields=_fields(part, sound=_carries_sound(part)),
            files=_files(part, "videos" if service.api_form == "current" else "video"),
            most_bytes=most_bytes(part, tracks=3 if service.separate_tracks else 1),
        )
        try:
            return ask(call, target_of(service), folder=folder, wire=wire)
        except OverLimit as error:
            raise too_large(error, _extents(part)) from error


def own_settings() -> ServiceSettings:
    """How ElevenLabs is asked if the user says nothing; ``ELEVENLABS_BASE_URL`` says where."""
    return ServiceSettings(
        base_url=os.environ.get(keys.URL_VARIABLE) or BASE_URL,
        api_form="current",
        price_per_minute=PRICE_PER_MINUTE,
    )


def service_of(order: Order) -> ServiceSettings:
    """How the order's service is asked."""
    assert order.service is not None, "an order for a service carries its settings"
    return order.service


def target_of(service: ServiceSettings) -> Target:
    """Where requests go, with the key."""
    return Target(
        base_url=service.base_url,
        key=keys.read_key(service.key_file),
        read_timeout_s=service.read_timeout_s,
    )


def quote(order: Order) -> Quote:
    """Minutes of picture times their price, as the settings have it."""
    service = service_of(order)
    seconds = float(order.reels.duration_s)
    return Quote(
        requests=len(order.parts),
        seconds=seconds,
        amount=seconds / 60 * service.price_per_minute,
        currency=service.currency,
    )


def most_bytes(part: PartOrder, *, tracks: int) -> int:
    """An answer of more bytes is none: uncompressed float for twice the length, and some."""
    return _HEAD_BYTES + tracks * int(2 * part.duration_s) * _BYTES_PER_S


def model_and_format(service: ServiceSettings, brief: Brief) -> tuple[str, str]:
    """What the user named, else what the quality stands for."""
    model, output_format = BY_QUALITY[brief.quality]
    return service.model or model, service.output_format or output_format


def flags(service: ServiceSettings) -> list[tuple[str, str]]:
    """What was switched on that changes the file that comes."""
    switched = {
        "sfx": service.sfx,
        "separate_tracks": service.separate_tracks,
        "c2pa": service.c2pa,
    }
    return [(name, "true") for name, on in switched.items() if on]


def check_model(service: ServiceSettings, brief: Brief, formats: tuple[str, ...] = FORMATS) -> None:
    """Refuses a model or a format that the service does not know.

    Args:
        service: How it is asked.
        brief: For the quality.
        formats: Those of the endpoint.

    Raises:
        SettingsError: Naming those that it knows.
    """
    model, output_format = model_and_format(service, brief)
    for flag, value, known in (
        ("--model", model, MODELS),
        ("--output-format", output_format, formats),
    ):
        if value not in known:
            raise SettingsError(
                f"{flag} {value!r} is not known", remedy=f"Use one of: {', '.join(known)}"
            )
    if service.c2pa and not output_format.startswith("mp3"):
        raise SettingsError(
            f"--c2pa signs mp3 only, not {output_format}",
            remedy="Leave out --c2pa, or give --output-format mp3_44100_128.",
        )


def _refuse_in_brief(service: ServiceSettings) -> None:
    given = {
        "--model": service.model,
        "--output-format": service.output_format,
        "--sfx": service.sfx,
        "--separate-tracks": service.separate_tracks,
        "--reference-audio": service.reference_audio,
        "--c2pa": service.c2pa,
        "--zero-retention": service.zero_retention,
    }
    for flag, value in given.items():
        if value:
            raise SettingsError(
                f"{flag} has no place in --api-form brief",
                remedy=f"Leave out {flag}, or use --api-form current.",
            )


def _most_characters(service: ServiceSettings, brief: Brief) -> int:
    """Of the prompt: in the brief form the tags stand beside it."""
    return MAX_DESCRIPTION - len(_styles_line(brief)) * (service.api_form == "brief")


def _styles_line(brief: Brief) -> str:
    words = tags(brief)
    return f"\nStyle: {', '.join(words)}." if words else ""


def check_words(brief: Brief, *, most: int = MAX_DESCRIPTION) -> None:
    """Refuses a brief that is too long for the service.

    Args:
        brief: What the music should be.
        most: Most characters of the prompt.

    Raises:
        OverLimit: If the prompt alone is.
        SettingsError: If there are too many tags.
    """
    if len(brief.prompt) > most:
        raise OverLimit(
            f"compose: the prompt has {len(brief.prompt)} characters, the service takes {most}",
            remedy=f"Shorten it by {len(brief.prompt) - most} characters.",
        )
    tags(brief)


def _carries_sound(part: PartOrder) -> bool:
    return any(reel.audio for reel in part.reels)


def _fields(part: PartOrder, *, sound: bool) -> dict[str, Any]:
    """The fields of the request, in the order of the vendor's SDK."""
    service, brief = service_of(part.order), part.order.brief
    told = _description(part).text
    if service.api_form == "brief":
        return {
            "prompt": told + _styles_line(brief),
            "duration_seconds": f"{float(part.duration_s):.6g}",
            "seed": str(brief.seed),
            "loudness": f"{service.loudness:g}",
            "quality": brief.quality,
            "guidance_scale": f"{brief.guidance:g}",
        }
    model, _ = model_and_format(service, brief)
    fields: dict[str, Any] = {
        "description": told,
        "tags": list(tags(brief)),
        "model_id": model,
    }
    switched = {
        "add_sfx": service.sfx,
        "separate_tracks": service.separate_tracks,
        "use_audio_as_reference": sound,
        "sign_with_c2pa": service.c2pa,
    }
    return fields | {name: "true" for name, on in switched.items() if on}


def _description(part: PartOrder) -> Told:
    service, brief = service_of(part.order), part.order.brief
    most = _most_characters(service, brief)
    return description(brief, part.order.notes, max_chars=most, stretches=part.stretches)


def _extents(part: PartOrder) -> tuple[Extent, ...]:
    """What was sent against the limits of one request."""
    paths = [one.path for one in _files(part, "")]
    size_bytes = sum(path.stat().st_size for path in paths)
    return (
        Extent(amount=len(paths), most=MAX_FILES, unit="files"),
        Extent(amount=size_bytes, most=MAX_BYTES, unit="bytes"),
        Extent(amount=float(part.duration_s), most=float(MAX_DURATION_S), unit="s"),
    )


def _files(part: PartOrder, field: str) -> tuple[Part, ...]:
    return tuple(
        Part(field=field, name=name, path=reel.proxy.path)
        for name, reel in part.files
        if reel.proxy is not None
    )
