"""What a service of music is asked, and what came back."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from scorebed.model.ledger_place import LedgerPlace

ApiForm = Literal["current", "brief"]
PROXY_HEIGHT_PX = 360
"""Lines of the picture that is sent, unless somebody asks for another height."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """How a service is asked; what changes the music is in here or in the brief."""

    base_url: str
    """Scheme and host, for example ``https://api.elevenlabs.io``; a path is kept."""
    api_form: ApiForm
    """Which of the two forms of the request."""
    model: str | None = None
    """The service's name of the model; None: as the quality asks."""
    output_format: str | None = None
    """Codec, rate and bit rate, for example ``mp3_44100_192``; None: as the quality asks."""
    sfx: bool = False
    """Whether sound effects are wanted with the music."""
    separate_tracks: bool = False
    """Whether music and effects are wanted as files of their own."""
    reference_audio: bool = False
    """Whether the production audio is sent as a reference of style."""
    c2pa: bool = False
    """Whether the service signs its file."""
    refine_plan: bool = False
    """Whether the service's free planner is asked first (text to music)."""
    zero_retention: bool = False
    """Whether the service is asked to keep nothing; does not change the music."""
    loudness: float = 0.0
    """-1 to 1, sent where the form has it; the level stage does it in any case."""
    proxy_height_px: int = PROXY_HEIGHT_PX
    """Most lines of the picture that is sent; even. Names no other take."""
    price_per_minute: float = 0.0
    """Estimated price of a minute of picture, in ``currency``."""
    currency: str = "USD"
    """ISO 4217 code."""
    key_file: Path | None = None
    """File that holds the key; None: where keys are looked for."""
    read_timeout_s: float = 900.0
    """How long an answer may be silent, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """What a run may spend, and where that is written down. Never part of a key."""

    ledger: LedgerPlace
    """The ledger: its folder, or the address of its server."""
    max_spend: float | None = None
    """Most that may be spent, in the service's currency; None for no limit."""
    name: str | None = None
    """Runs of the same name share ``max_spend``; None counts this run alone."""
    buy_again: bool = False
    """Whether what may have been billed already is bought again."""
    title: str = ""
    """Name of the video, for the receipts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that leaves, or has left, the machine."""

    name: str
    """The name it is sent under."""
    sha256: str
    """Hash of its content, in hexadecimal."""
    size_bytes: int
    """Its length in bytes."""
    width_px: int
    """Width of its picture in pixels."""
    height_px: int
    """Height of its picture in pixels."""
    audio: bool
    """Whether it carries sound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A service's answer as it lies on disk, and what its headers said."""

    body: Path
    """The bytes of the body, untouched but for a key that they repeat."""
    content_type: str
    """As the header said; not to be relied on."""
    request_id: str | None
    """The service's number of the request, for its support."""
    song_id: str | None
    """The service's number of the piece."""
    facts: tuple[tuple[str, str], ...] = ()
    """What the headers state of the music, as names and values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an answer should hold."""

    output_format: str
    """As it was asked for: raw formats carry no header of their own."""
    duration_s: Fraction
    """Length of picture that the music is for, in seconds."""
    reels: tuple[Fraction, ...]
    """Lengths of the files that were sent, in seconds: an answer may hold a segment for each."""
    separate_tracks: bool
    """Whether music and effects were asked for as files of their own."""
    sfx: bool
    """Whether sound effects were asked for; else those that come stay out of the film."""
    starts_s: tuple[Fraction, ...] = ()
    """Where each stretch of picture has its music in one piece for all of them, in seconds; empty
    where one follows the other without a pause."""
    warnings: tuple[str, ...] = ()
    """What of the order the request has no room for, in sentences for a person."""
