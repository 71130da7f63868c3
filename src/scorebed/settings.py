"""Presets and options become one frozen ``Settings`` before any work starts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from scorebed.errors import SettingsError
from scorebed.ledger import default_ledger
from scorebed.model import (
    AudioSettings,
    Brief,
    ConformSettings,
    DuckSettings,
    LevelSettings,
    LibrarySettings,
    LoudnessTarget,
    Purse,
    ServiceSettings,
    SpotSettings,
)
from scorebed.options import CHAPTERS, NO_FONT, Options, check_figures, check_options, flag_of
from scorebed.presets import load_preset
from scorebed.providers.base import Provider, Service, Sketcher, find
from scorebed.providers.elevenlabs import keys
from scorebed.settings_library import check_library, library_settings, without_idle_library
from scorebed.soundfont import found_font
from scorebed.style import Style

LOUDNESS_SPAN_LU = 6.0
"""``loudness`` 1 raises the music by this, -1 lowers it by this, in LU."""
LOSSY_HEADROOM_DB = 0.7
"""How far under the ceiling a mix stays that a lossy codec is still to encode, in dB."""
LOSSLESS_HEADROOM_DB = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A delivery preset (``presets/delivery/*.toml``)."""

    name: str
    """Name of the preset."""
    title: str
    """What a person calls it."""
    target_lufs: float
    """Integrated loudness of the programme, in LUFS."""
    true_peak_dbtp: float
    """True-peak ceiling of the delivered programme, in dBTP."""
    max_limiting_db: float
    """Most that the limiter may take from a peak, in dB; what needs more is delivered lower."""
    music_lufs: float
    """Loudness of the music before ducking, in LUFS."""
    speech_margin_lu: float
    """Speech over music, in LU."""
    speech_floor_lu: float
    """Speech over music that no 3 s of speech fall under, in LU."""
    audio_bitrate_kbps: int
    """Of a stereo programme where the codec is lossy, in kbit/s."""
    source: str
    """Where the figures come from."""
    certainty: Literal["official", "secondary", "custom"]
    """How sure they are."""
    note: str
    """What else to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that the pipeline needs to know, resolved and checked."""

    delivery: Delivery
    provider: str
    music: Path | None
    soundfont: Path | None
    """Instruments for the embedded composer; None for its own."""
    brief: Brief
    library: LibrarySettings | None
    """The user's own tracks that one is chosen from; None for another provider."""
    spot: SpotSettings
    spare: bool
    """Whether no music is wanted where the production audio has some already."""
    transcript: Path | None
    """Subtitles that say where somebody speaks; None to listen."""
    cuts: Path | None
    """A list of cuts that decides in place of the detector."""
    notes: Path | None
    """Spotting notes that the user has edited; None for what is found."""
    conform: ConformSettings
    """What may be done to make a take fit."""
    level: LevelSettings
    duck: DuckSettings
    target: LoudnessTarget
    audio: AudioSettings
    music_s: Fraction | None
    """Length of the music from the first frame on, in seconds; None for the whole picture."""
    service: ServiceSettings | None
    """How the provider is asked; None for one that works on this machine."""
    purse: Purse
    """What may be spent, and where that is written down."""
    fallback: str | None
    """The provider that takes over when a service fails."""
    chosen: bool
    """Whether the user named the provider; else it was found by its key, or is the default."""


def resolve(options: Options, *, defaults: Options | None = None) -> Settings:
    """Checks options and merges them with their presets.

    Args:
        options: What is wanted.
        defaults: What stood there before the user said anything; what differs from it was said.

    Raises:
        SettingsError: If a value is out of range, a preset is unknown, or two options conflict.
    """
    check_options(options)
    if options.production_audio == "drop":
        _refuse_speech_options(options)
    if options.notes is not None and options.skip_existing_music:
        raise SettingsError(
            "--notes and --skip-existing-music cannot go together: the notes say where music plays",
            remedy="Write the notes with: scorebed spot VIDEO --skip-existing-music -o NOTES.toml",
        )
    delivery = load_preset("delivery", options.preset, Delivery)
    style = load_preset("style", options.style, Style)
    options = without_idle_library(options, defaults or Options())
    provider = _choose_provider(options)
    if not isinstance(provider, Service):
        _refuse_service_options(options, defaults or Options(), provider)
    if provider.name == "embedded":
        _refuse_conform_options(options, defaults or Options())
    target_lufs = _either(options.target_lufs, delivery.target_lufs)
    music_lufs = _either(options.music_lufs, delivery.music_lufs)
    ceiling_dbtp = _either(options.true_peak_dbtp, delivery.true_peak_dbtp)
    margin_lu = _either(options.speech_margin_lu, delivery.speech_margin_lu)
    service = _service_settings(options, provider)
    loudness = (options.loudness or 0.0) if service is None else service.loudness
    check_figures(
        target_lufs=target_lufs,
        music_lufs=music_lufs,
        true_peak_dbtp=ceiling_dbtp,
        speech_margin_lu=margin_lu,
        audio_bitrate_kbps=delivery.audio_bitrate_kbps,
        max_limiting_db=delivery.max_limiting_db,
        speech_floor_lu=delivery.speech_floor_lu,
    )
    if options.music_lufs is None:
        # Who moves the programme moves the music with it: it lives at the programme's loudness.
        music_lufs = min(max(music_lufs + target_lufs - delivery.target_lufs, -60.0), 0.0)
    return Settings(
        delivery=delivery,
        provider=provider.name,
        music=options.music,
        soundfont=_soundfont(options, provider),
        brief=Brief(
            style=style,
            prompt=options.prompt.strip(),
            tags=tuple(tag for tag in options.tags if tag.strip()),
            seed=options.seed,
            quality=options.quality,
            guidance=options.guidance,
        ),
        library=library_settings(options),
        spot=SpotSettings(
            max_scenes=options.max_scenes,
            listen=options.production_audio == "keep",
            accuracy=options.accuracy,
            chapters=options.cuts == CHAPTERS,
        ),
        spare=options.skip_existing_music,
        transcript=options.speech,
        cuts=None if options.cuts == CHAPTERS else options.cuts,
        notes=options.notes,
        conform=ConformSettings(
            cut_lock=options.cut_lock or "scenes",
            asked=options.cut_lock not in {None, "off"},
            max_stretch=options.max_stretch_percent / 100,
        ),
        level=LevelSettings(
            music_lufs=music_lufs + loudness * LOUDNESS_SPAN_LU,
            speech_lufs=target_lufs,
            ceiling_dbtp=ceiling_dbtp,
            max_limiting_db=delivery.max_limiting_db,
            production_gain_db=options.production_gain_db,
            dynamics=options.dynamics,
        ),
        duck=DuckSettings(
            enabled=options.duck,
            speech_margin_lu=margin_lu,
            floor_lu=delivery.speech_floor_lu,
            required_lu=options.min_speech_margin_lu,
        ),
        target=LoudnessTarget(
            integrated_lufs=target_lufs,
            true_peak_dbtp=ceiling_dbtp,
            max_limiting_db=delivery.max_limiting_db,
        ),
        audio=AudioSettings(
            streams=_streams(options.audio_streams),
            keep_production=options.production_audio == "keep",
            keep_original=options.keep_original,
            music=options.music_stream,
            codec=options.audio_codec,
        ),
        music_s=None if options.duration_s is None else Fraction(str(options.duration_s)),
        service=service,
        purse=Purse(
            ledger=options.ledger or default_ledger(),
            max_spend=options.max_spend,
            name=options.purse,
            buy_again=options.buy_again,
        ),
        fallback=options.fallback if isinstance(provider, Service) else None,
        chosen=any(said is not None for said in (options.provider, options.music, options.library)),
    )


def _refuse_conform_options(options: Options, defaults: Options) -> None:
    """Our own composer knows the cuts before it writes: there is nothing to move."""
    for name in ("cut_lock", "max_stretch_percent"):
        if getattr(options, name) != getattr(defaults, name):
            raise SettingsError(
                f"{flag_of(name)} is for music that is bought or given; the embedded composer "
                "writes to the cuts",
                remedy="Leave it out; --guidance 1 makes the composer strike every cut.",
            )


def _refuse_speech_options(options: Options) -> None:
    """Without the video's own sound nobody speaks: what is asked for speech would do nothing."""
    for name in ("speech", "min_speech_margin_lu", "production_gain_db", "skip_existing_music"):
        if getattr(options, name) not in {None, False}:
            raise SettingsError(
                f"{flag_of(name)} and --production-audio drop cannot go together",
                remedy="Leave one of them out.",
            )


def _soundfont(options: Options, provider: Provider) -> Path | None:
    """Instruments for whoever composes here: the provider, or its fallback."""
    given = options.soundfont
    serves = isinstance(provider, Service) and options.fallback is not None
    if isinstance(provider, Sketcher) or serves:
        return found_font() if given is None else given if given != NO_FONT else None
    if given is None or given == NO_FONT:
        return None
    raise SettingsError(
        f"--soundfont is for music that is composed here; the provider {provider.name!r} brings "
        "its own sound",
        remedy="Add --provider embedded, or leave --soundfont out.",
    )


def _streams(asked: str) -> Literal["all", "default"] | tuple[str, ...]:
    names = tuple(name.strip() for name in asked.split(","))
    if names == ("all",):
        return "all"
    return "default" if names == ("default",) else names


def _switch(asked: bool | None, preset: bool) -> bool:  # noqa: FBT001 - two switches
    return preset if asked is None else asked


def _either(asked: float | None, preset: float) -> float:
    return preset if asked is None else asked


def _choose_provider(options: Options) -> Provider:
    if options.music is not None and options.provider not in {None, "file"}:
        raise SettingsError(
            f"--music and --provider {options.provider} cannot go together",
            remedy="Leave one of them out: --music uses the provider 'file'.",
        )
    if options.music is None and options.provider == "file":
        raise SettingsError(
            "--provider file needs a track", remedy="Add --music FILE to the command."
        )
    check_library(options)
    provider = find(_provider_name(options))
    if options.offline and provider.limits(None).network:
        raise SettingsError(
            f"--offline and --provider {provider.name} cannot go together",
            remedy="Use --provider embedded, which needs no network.",
        )
    return provider


def _provider_name(options: Options) -> str:
    """The one that was asked for, else the service whose key is there, else our own composer."""
    if options.music is not None:
        return "file"
    if options.library is not None:
        return "library"
    if options.provider is not None:
        return options.provider
    return "elevenlabs" if not options.offline and keys.is_set(options.key_file) else "embedded"


def _service_settings(options: Options, provider: Provider) -> ServiceSettings | None:
    """How a service is asked: as it says itself, then a preset, then the options."""
    if not isinstance(provider, Service):
        return None
    settings = provider.settings()
    if options.service is not None:
        settings = load_preset("service", options.service, ServiceSettings, over=settings)
    settings = replace(
        settings,
        base_url=options.base_url or settings.base_url,
        api_form=options.api_form or settings.api_form,
        model=options.model or settings.model,
        output_format=options.output_format or settings.output_format,
        sfx=_switch(options.sfx, settings.sfx),
        separate_tracks=_switch(options.separate_tracks, settings.separate_tracks),
        reference_audio=_switch(options.reference_audio, settings.reference_audio),
        c2pa=_switch(options.c2pa, settings.c2pa),
        zero_retention=_switch(options.zero_retention, settings.zero_retention),
        refine_plan=_switch(options.refine_plan, settings.refine_plan),
        proxy_height_px=options.proxy_height_px or settings.proxy_height_px,
        key_file=options.key_file or settings.key_file,
        price_per_minute=_either(options.price_per_minute, settings.price_per_minute),
        loudness=_either(options.loudness, settings.loudness),
    )
    check_figures(
        price_per_minute=settings.price_per_minute,
        read_timeout_s=settings.read_timeout_s,
        loudness=settings.loudness,
        proxy_height_px=settings.proxy_height_px,
    )
    if settings.proxy_height_px % 2:
        raise SettingsError(
            f"--proxy-height {settings.proxy_height_px} is odd",
            remedy=f"Give {settings.proxy_height_px - 1}: H.264 takes even numbers.",
        )
    return settings


_SERVICE_ONLY = (
    "service",
    "base_url",
    "api_form",
    "model",
    "output_format",
    "sfx",
    "separate_tracks",
    "reference_audio",
    "c2pa",
    "zero_retention",
    "refine_plan",
    "proxy_height_px",
    "key_file",
    "price_per_minute",
    "buy_again",
)


def _refuse_service_options(options: Options, defaults: Options, provider: Provider) -> None:
    """An option that would do nothing is refused, not passed over.

    Limits and fallbacks are not: whoever works on this machine keeps to any limit.
    """
    for name in _SERVICE_ONLY:
        asked = getattr(options, name)
        if asked and asked != getattr(defaults, name):
            raise SettingsError(
                f"{flag_of(name)} is for services; the provider {provider.name!r} is none",
                remedy="Add --provider elevenlabs, or leave it out.",
            )
