"""Presets and options become one frozen ``Settings`` before any work starts."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from scorebed.errors import SettingsError
from scorebed.model import (
    Brief,
    DuckSettings,
    LevelSettings,
    LoudnessTarget,
    Quality,
    SpotSettings,
)
from scorebed.providers.base import Provider, find
from scorebed.style import Style

DEFAULT_PRESET = "youtube"
DEFAULT_STYLE = "cinematic"
DEFAULT_SEED = 1
LOUDNESS_SPAN_LU = 6.0
"""``loudness`` 1 raises the music by this, -1 lowers it by this, in LU."""
LOSSY_HEADROOM_DB = 0.7
"""How far under the ceiling a mix stays that a lossy codec is still to encode, in dB."""
LOSSLESS_HEADROOM_DB = 0.1

T = TypeVar("T")


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
    music_lufs: float
    """Loudness of the music before ducking, in LUFS."""
    speech_margin_lu: float
    """Speech over music, in LU."""
    audio_bitrate_kbps: int
    """Of a stereo programme where the codec is lossy, in kbit/s."""
    source: str
    """Where the figures come from."""
    certainty: Literal["official", "secondary", "custom"]
    """How sure they are."""
    note: str
    """What else to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a user may ask for; None means: as the preset says."""

    preset: str = DEFAULT_PRESET
    style: str = DEFAULT_STYLE
    provider: str | None = None
    music: Path | None = None
    prompt: str = ""
    tags: tuple[str, ...] = ()
    seed: int = DEFAULT_SEED
    quality: Quality = "standard"
    loudness: float = 0.0
    guidance: float = 0.5
    max_scenes: int = 10
    speech_margin_lu: float | None = None
    duck: bool = True
    production_audio: Literal["keep", "drop"] = "keep"
    music_lufs: float | None = None
    target_lufs: float | None = None
    true_peak_dbtp: float | None = None
    offline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that the pipeline needs to know, resolved and checked."""

    delivery: Delivery
    provider: str
    music: Path | None
    brief: Brief
    spot: SpotSettings
    level: LevelSettings
    duck: DuckSettings
    target: LoudnessTarget
    keep_production: bool


def resolve(options: Options) -> Settings:
    """Checks options and merges them with their presets.

    Raises:
        SettingsError: If a value is out of range, a preset is unknown, or two options conflict.
    """
    _check_ranges(options)
    delivery = load_preset("delivery", options.preset, Delivery)
    style = load_preset("style", options.style, Style)
    provider = _choose_provider(options)
    target_lufs = _either(options.target_lufs, delivery.target_lufs)
    music_lufs = _either(options.music_lufs, delivery.music_lufs)
    ceiling_dbtp = _either(options.true_peak_dbtp, delivery.true_peak_dbtp)
    margin_lu = _either(options.speech_margin_lu, delivery.speech_margin_lu)
    _check_figures(
        target_lufs=target_lufs,
        music_lufs=music_lufs,
        true_peak_dbtp=ceiling_dbtp,
        speech_margin_lu=margin_lu,
        audio_bitrate_kbps=delivery.audio_bitrate_kbps,
    )
    return Settings(
        delivery=delivery,
        provider=provider.name,
        music=options.music,
        brief=Brief(
            style=style,
            prompt=options.prompt.strip(),
            tags=options.tags,
            seed=options.seed,
            quality=options.quality,
            guidance=options.guidance,
        ),
        spot=SpotSettings(max_scenes=options.max_scenes, listen=options.production_audio == "keep"),
        level=LevelSettings(
            music_lufs=music_lufs + options.loudness * LOUDNESS_SPAN_LU,
            speech_lufs=target_lufs,
            ceiling_dbtp=ceiling_dbtp,
        ),
        duck=DuckSettings(
            enabled=options.duck,
            speech_margin_lu=margin_lu,
        ),
        target=LoudnessTarget(
            integrated_lufs=target_lufs,
            true_peak_dbtp=ceiling_dbtp,
        ),
        keep_production=options.production_audio == "keep",
    )


def _either(asked: float | None, preset: float) -> float:
    return preset if asked is None else asked


_RANGES: dict[str, tuple[float, float, str]] = {
    "loudness": (-1, 1, ""),
    "guidance": (0, 1, ""),
    "max_scenes": (1, 1000, ""),
    "speech_margin_lu": (0, 40, " LU"),
    "music_lufs": (-60, 0, " LUFS"),
    "target_lufs": (-60, 0, " LUFS"),
    "true_peak_dbtp": (-20, 0, " dBTP"),
    "seed": (0, 2**63 - 1, ""),
    "audio_bitrate_kbps": (32, 640, " kbit/s"),
}
_CHOICES: dict[str, tuple[str, ...]] = {
    "quality": ("draft", "standard", "high"),
    "production_audio": ("keep", "drop"),
}


def _check_ranges(options: Options) -> None:
    values = {name: getattr(options, name) for name in _RANGES if hasattr(options, name)}
    _check_figures(**{name: value for name, value in values.items() if value is not None})
    for name, choices in _CHOICES.items():
        if getattr(options, name) not in choices:
            raise SettingsError(
                f"{_flag(name)} {getattr(options, name)!r} is not known",
                remedy=f"Use one of: {', '.join(choices)}",
            )
    for text in (options.prompt, *options.tags):
        if text != text.encode(errors="replace").decode():
            raise SettingsError(
                "--prompt or --tag holds bytes that are no text", remedy="Give it in UTF-8."
            )


def _check_figures(**figures: float) -> None:
    """Holds options, and what presets put in their place, to their ranges."""
    for name, value in figures.items():
        least, most, unit = _RANGES[name]
        # Written so that "not a number" is refused too.
        if not least <= value <= most:
            raise SettingsError(
                f"{_flag(name)} {value} is out of range",
                remedy=f"Give a value from {least:g} to {most:g}{unit}.",
            )


def _flag(name: str) -> str:
    spoken = {"speech_margin_lu": "speech-margin", "true_peak_dbtp": "true-peak"}
    return "--" + spoken.get(name, name.replace("_", "-"))


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
    provider = find("file" if options.music is not None else options.provider or "embedded")
    if options.offline and provider.limits().network:
        raise SettingsError(
            f"--offline and --provider {provider.name} cannot go together",
            remedy="Use --provider embedded, which needs no network.",
        )
    return provider


# --- presets -----------------------------------------------------------------------------------

Kind = Literal["delivery", "style"]


def preset_folder(kind: Kind) -> Path:
    """Where the presets of scorebed lie: in the package, or beside src in a checkout."""
    inside = Path(__file__).parent / "presets"
    folder = inside if inside.is_dir() else Path(__file__).parents[2] / "presets"
    return folder / kind


def preset_names(kind: Kind) -> tuple[str, ...]:
    """Names of the presets that come with scorebed."""
    return tuple(sorted(path.stem for path in preset_folder(kind).glob("*.toml")))


def load_preset(kind: Kind, name: str, form: type[T]) -> T:
    """A preset by name, or by the path of a user's own TOML file.

    Args:
        kind: Which sort.
        name: A name as ``preset_names`` gives it, or a path that ends in ``.toml``.
        form: The frozen type that its keys fill.

    Raises:
        SettingsError: If there is none, a key is unknown, or a value is of the wrong type.
    """
    own = name.lower().endswith(".toml")
    path = Path(name) if own else preset_folder(kind) / f"{name}.toml"
    if not own and name not in preset_names(kind):
        near = difflib.get_close_matches(name, preset_names(kind), n=1)
        raise SettingsError(
            f"there is no {kind} preset {name!r}",
            remedy=(f"Did you mean {near[0]!r}? " if near else "")
            + f"Use one of: {', '.join(preset_names(kind))}, or the path of a .toml file.",
        )
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"the {kind} preset {path} cannot be read ({error.strerror})",
            remedy="Check the path.",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"the {kind} preset {path} is not TOML: {error}", remedy="Mend the file there."
        ) from error
    _refuse_unknown(table, form, path, "")
    try:
        return msgspec.convert(table, form)
    except msgspec.ValidationError as error:
        raise SettingsError(
            f"the {kind} preset {path} is not right: {error}",
            remedy=f"Compare it with: scorebed presets {preset_names(kind)[0]}",
        ) from error


def _refuse_unknown(table: dict[str, Any], form: type[Any], path: Path, where: str) -> None:
    hints = typing.get_type_hints(form)
    known = [field.name for field in dataclasses.fields(form)]
    for key, value in table.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
            raise SettingsError(
                f"the preset {path} has an unknown key {where + key!r}",
                remedy=f"Did you mean {where + near[0]!r}?"
                if near
                else f"Known keys are: {', '.join(known)}",
            )
        inner = _inner_form(hints[key])
        for entry in value if isinstance(value, list) else [value]:
            if inner is not None and isinstance(entry, dict):
                _refuse_unknown(entry, inner, path, f"{where}{key}.")


def _inner_form(hint: Any) -> type[Any] | None:  # noqa: ANN401 - any annotation
    """The dataclass inside an annotation such as ``Reverb`` or ``tuple[Player, ...]``."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return hint
    for argument in typing.get_args(hint):
        inner = _inner_form(argument)
        if inner is not None:
            return inner
    return None
