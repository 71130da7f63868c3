"""What a user may ask for, and the ranges of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, get_args

from scorebed.errors import SettingsError
from scorebed.model import Accuracy, ApiForm, AudioCodec, CutLock, LedgerPlace, Per, Quality

DEFAULT_PRESET = "youtube"
DEFAULT_STYLE = "cinematic"
DEFAULT_SEED = 1
CHAPTERS = Path("chapters")
"""In place of a list of cuts: the file's own chapters."""
NO_FONT = Path("none")
"""In place of a SoundFont: the composer's own sound, whatever lies among the user's fonts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a user may ask for; None means: as the preset says."""

    WORDS: ClassVar[Mapping[str, Path]] = {"cuts": CHAPTERS, "soundfont": NO_FONT}
    """What stands in place of a file, for whom it may."""

    preset: str = DEFAULT_PRESET
    style: str = DEFAULT_STYLE
    provider: str | None = None
    music: Path | None = None
    library: Path | None = None
    library_per: Per | None = None
    library_exclude: tuple[str, ...] = ()
    soundfont: Path | None = None
    prompt: str = ""
    tags: tuple[str, ...] = ()
    seed: int = DEFAULT_SEED
    quality: Quality = "standard"
    loudness: float | None = None
    guidance: float = 0.5
    cut_lock: CutLock | None = None
    max_stretch_percent: float = 4.0
    max_scenes: int = 10
    accuracy: Accuracy = "fast"
    cuts: Path | None = None
    skip_existing_music: bool = False
    notes: Path | None = None
    speech_margin_lu: float | None = None
    min_speech_margin_lu: float | None = None
    speech: Path | None = None
    production_gain_db: float | None = None
    dynamics: float = 1.0
    duck: bool = True
    production_audio: Literal["keep", "drop"] = "keep"
    music_lufs: float | None = None
    target_lufs: float | None = None
    true_peak_dbtp: float | None = None
    audio_streams: str = "all"
    keep_original: bool = False
    music_stream: bool = False
    audio_codec: AudioCodec | None = None
    offline: bool = False
    duration_s: float | None = None
    service: str | None = None
    base_url: str | None = None
    api_form: ApiForm | None = None
    model: str | None = None
    output_format: str | None = None
    sfx: bool | None = None
    separate_tracks: bool | None = None
    reference_audio: bool | None = None
    c2pa: bool | None = None
    zero_retention: bool | None = None
    refine_plan: bool | None = None
    proxy_height_px: int | None = None
    key_file: Path | None = None
    price_per_minute: float | None = None
    max_spend: float | None = None
    purse: str | None = None
    ledger: LedgerPlace | None = None
    buy_again: bool = False
    fallback: Literal["embedded"] | None = None


_RANGES: dict[str, tuple[float, float, str]] = {
    "loudness": (-1, 1, ""),
    "guidance": (0, 1, ""),
    "max_stretch_percent": (0, 10, " %"),
    "max_scenes": (1, 1000, ""),
    "speech_margin_lu": (0, 40, " LU"),
    "min_speech_margin_lu": (0, 40, " LU"),
    "production_gain_db": (-60, 30, " dB"),
    "dynamics": (0, 1, ""),
    "music_lufs": (-60, 0, " LUFS"),
    "target_lufs": (-60, 0, " LUFS"),
    "true_peak_dbtp": (-20, 0, " dBTP"),
    "seed": (0, 2**63 - 1, ""),
    "duration_s": (0.1, 86_400, " s"),
    "proxy_height_px": (144, 1080, " lines"),
    "price_per_minute": (0, 1000, ""),
    "max_spend": (0, 1_000_000, ""),
    "read_timeout_s": (1, 86_400, " s"),
    "audio_bitrate_kbps": (32, 640, " kbit/s"),
    "max_limiting_db": (0, 20, " dB"),
    "speech_floor_lu": (0, 40, " LU"),
}
_CHOICES: dict[str, tuple[str | None, ...]] = {
    "quality": ("draft", "standard", "high"),
    "accuracy": ("fast", "full"),
    "production_audio": ("keep", "drop"),
    "api_form": ("current", "brief", None),
    "fallback": ("embedded", None),
    "library_per": (*get_args(Per), None),
    "cut_lock": (*get_args(CutLock), None),
    "audio_codec": (*get_args(AudioCodec), None),
}


def check_options(options: Options) -> None:
    """Holds options to their ranges and choices.

    Raises:
        SettingsError: Naming the flag, and what it takes.
    """
    values = {name: getattr(options, name) for name in _RANGES if hasattr(options, name)}
    check_figures(**{name: value for name, value in values.items() if value is not None})
    for name, choices in _CHOICES.items():
        if getattr(options, name) not in choices:
            raise SettingsError(
                f"{flag_of(name)} {getattr(options, name)!r} is not known",
                remedy=f"Use one of: {', '.join(choice for choice in choices if choice)}",
            )
    if not all(name.strip() for name in options.audio_streams.split(",")):
        raise SettingsError(
            f"--audio-streams {options.audio_streams!r} names no stream",
            remedy="Use all, default, or numbers and languages: 0,2 or eng,deu",
        )
    for text in (options.prompt, *options.tags):
        if text != text.encode(errors="replace").decode():
            raise SettingsError(
                "--prompt or --tag holds bytes that are no text", remedy="Give it in UTF-8."
            )


def check_figures(**figures: float) -> None:
    """Holds options, and what presets put in their place, to their ranges."""
    for name, value in figures.items():
        least, most, unit = _RANGES[name]
        # Written so that "not a number" is refused too.
        if not least <= value <= most:
            raise SettingsError(
                f"{flag_of(name)} {value} is out of range",
                remedy=f"Give a value from {least} to {most}{unit}.",
            )


def flag_of(name: str) -> str:
    """The flag of an option on the command line."""
    spoken = {
        "speech_margin_lu": "speech-margin",
        "min_speech_margin_lu": "min-speech-margin",
        "production_gain_db": "production-gain",
        "true_peak_dbtp": "true-peak",
        "duration_s": "duration",
        "proxy_height_px": "proxy-height",
        "max_stretch_percent": "max-stretch",
    }
    if not hasattr(Options, name):
        return f"{name} of the preset"
    return "--" + spoken.get(name, name.replace("_", "-"))
