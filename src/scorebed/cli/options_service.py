"""The options of ``scorebed score`` that are for services, and for what they cost."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from scorebed.model import LedgerPlace


class ApiForm(StrEnum):
    """The two forms of the request."""

    CURRENT = "current"
    BRIEF = "brief"


class Fallback(StrEnum):
    """Who takes over."""

    EMBEDDED = "embedded"


_SERVICE, _MONEY = "Service", "Money"

ServiceOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|FILE",
        help="Service preset: address, form, price.",
        show_default=False,
        rich_help_panel=_SERVICE,
    ),
]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Where the service is.",
        show_default="--service preset, else ELEVENLABS_BASE_URL",
        rich_help_panel=_SERVICE,
    ),
]
ApiFormOption = Annotated[
    ApiForm | None,
    typer.Option(
        help="Form of the request: the SDK's, or that of gateways.",
        show_default="current",
        rich_help_panel=_SERVICE,
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The service's model.",
        show_default="by --quality",
        rich_help_panel=_SERVICE,
    ),
]
OutputFormat = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="What the service sends, for example mp3_44100_192.",
        show_default="by --quality",
        rich_help_panel=_SERVICE,
    ),
]
Sfx = Annotated[
    bool | None,
    typer.Option(
        "--sfx/--no-sfx", help="Ask for sound effects with the music.", rich_help_panel=_SERVICE
    ),
]
SeparateTracks = Annotated[
    bool | None,
    typer.Option(
        "--separate-tracks/--no-separate-tracks",
        help="Ask for music and effects as files of their own (in --stems).",
        rich_help_panel=_SERVICE,
    ),
]
ReferenceAudio = Annotated[
    bool | None,
    typer.Option(
        "--reference-audio/--no-reference-audio",
        help="Send the production audio as a reference of style.",
        rich_help_panel=_SERVICE,
    ),
]
C2pa = Annotated[
    bool | None,
    typer.Option(
        "--c2pa/--no-c2pa", help="Ask the service to sign its mp3.", rich_help_panel=_SERVICE
    ),
]
ZeroRetention = Annotated[
    bool | None,
    typer.Option(
        "--zero-retention/--no-zero-retention",
        help="Ask the service to keep nothing (its enterprise plan).",
        rich_help_panel=_SERVICE,
    ),
]
RefinePlan = Annotated[
    bool | None,
    typer.Option(
        "--refine-plan/--no-refine-plan",
        help="Let the service's free planner refine the plan (elevenlabs-text).",
        rich_help_panel=_SERVICE,
    ),
]
ProxyHeight = Annotated[
    int | None,
    typer.Option(
        metavar="PX",
        help="Most lines of the picture that is sent, 144 to 1080, even.",
        show_default="--service preset, else 360",
        rich_help_panel=_SERVICE,
    ),
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="File that holds the key (mode 600).",
        show_default="ELEVENLABS_API_KEY, then where keys are looked for",
        rich_help_panel=_SERVICE,
    ),
]
PricePerMinute = Annotated[
    float | None,
    typer.Option(
        metavar="AMOUNT",
        help="Your price of a minute of picture, for estimates.",
        show_default="service preset: 0.60 USD",
        rich_help_panel=_MONEY,
    ),
]
MaxSpend = Annotated[
    float | None,
    typer.Option(
        metavar="AMOUNT",
        help="Send nothing if the estimate is over this.",
        show_default="no limit",
        rich_help_panel=_MONEY,
    ),
]
PurseOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Runs that name the same purse share --max-spend.",
        show_default="this run alone",
        rich_help_panel=_MONEY,
    ),
]


def place_of_ledger(given: str) -> LedgerPlace:
    """The ledger that an option names."""
    from scorebed.model import ledger_named  # noqa: PLC0415 - `--help` must not wait for it

    return ledger_named(given)


LedgerOption = Annotated[
    Any,
    typer.Option(
        parser=place_of_ledger,
        metavar="DIR|URL",
        help="Where receipts and bought takes are kept: a folder, or a server of one.",
        show_default="SCOREBED_LEDGER, else the user's data folder",
        rich_help_panel=_MONEY,
    ),
]
BuyAgain = Annotated[
    bool,
    typer.Option(
        "--buy-again",
        help="Buy what may have been billed already, or came unusable.",
        rich_help_panel=_MONEY,
    ),
]
FallbackOption = Annotated[
    Fallback | None,
    typer.Option(
        help="Who makes the music if the service fails.",
        show_default="nobody: the run fails",
        rich_help_panel=_MONEY,
    ),
]
