"""What is ordered of a provider, and what came back."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from scorebed.model.files import Artifact, SourceFile
from scorebed.model.picture import Stem
from scorebed.model.spotting import ReelSet, SpottingNotes
from scorebed.style import Style

Quality = Literal["draft", "standard", "high"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """What the music should be."""

    style: Style
    """The style preset."""
    prompt: str
    """The user's own words; may be empty."""
    tags: tuple[str, ...]
    """Further words: genre, mood, instruments."""
    seed: int
    """Names the take: same picture, brief and seed give the same music."""
    quality: Quality
    """How much work goes into the sound."""
    guidance: float
    """How closely the music follows the picture: 0 its own form, 1 every hit point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """All that a provider is given."""

    notes: SpottingNotes
    """Where the music goes and what it has to meet."""
    brief: Brief
    """What it should be."""
    reels: ReelSet
    """The picture in parts; with proxies where the provider asked for them."""
    music: SourceFile | None
    """A finished track of the user's, for the provider ``file``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a provider takes in one request."""

    needs_proxies: bool
    """Whether it looks at the picture and so needs reels with proxies."""
    max_reels: int
    """Most files in one request."""
    max_duration_s: Fraction | None
    """Longest picture in one request, in seconds; None for no limit."""
    max_size_bytes: int | None
    """Most bytes in one request; None for no limit."""
    network: bool
    """Whether it needs the network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a run would cost, said before anything is spent."""

    requests: int
    """How many requests would be sent."""
    amount: float
    """Estimated price in ``currency``."""
    currency: str
    """ISO 4217 code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """What a provider returned."""

    provider: str
    """Name of the provider."""
    name: str
    """Name of the take: style, key facts and seed."""
    seed: int | None
    """The seed that gives it again, or None where that has no meaning."""
    audio: Artifact
    """The music as it came: any format that ffmpeg decodes."""
    fitted: bool
    """Whether it is already a 48 kHz stereo WAV of the picture's exact length."""
    unused_words: tuple[str, ...]
    """Words of the brief that it could not use."""
    spent: Quote
    """What it did cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conformed:
    """A take that is fitted to the picture, to the sample."""

    mx: Stem
    """The music, exactly as long as the picture."""
    passes: int
    """How often the take is played: 1 unless it was too short."""
    fade_out_s: Fraction
    """Length of the fade at the end, in seconds; 0 where the take has its own ending."""
