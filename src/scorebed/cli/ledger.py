"""``scorebed ledger``: receipts and takes that were paid for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scorebed.cli.console import put, put_json, say
from scorebed.cli.options_service import place_of_ledger
from scorebed.exporters.words import counted

if TYPE_CHECKING:
    from scorebed.ledger import Ledger, Receipt
    from scorebed.model import LedgerPlace

app = typer.Typer(
    no_args_is_help=True,
    help="Receipts and takes that were paid for: nothing is ever deleted.",
)

_PATIENCE_S = 5.0
"""How long a server is asked again that does not answer: somebody waits for it."""
_Place = Annotated[
    Any,
    typer.Option(
        "--ledger",
        parser=place_of_ledger,
        metavar="DIR|URL",
        help="Another ledger: its folder, or its server.",
        show_default="SCOREBED_LEDGER, else the user's data folder",
    ),
]
_Folder = Annotated[
    Any,
    typer.Option(
        "--ledger",
        parser=place_of_ledger,
        metavar="DIR",
        help="The ledger's folder; made if it is not there.",
        show_default="SCOREBED_LEDGER, else the user's data folder",
    ),
]
_Key = Annotated[
    str, typer.Argument(metavar="KEY", help="A key, or its beginning.", show_default=False)
]
_Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@app.command("list")
def list_receipts(*, ledger: _Place = None, json_: _Json = False) -> None:
    """Lists all purchases, oldest first."""
    book = _open(ledger)
    receipts, damaged = _all(book)
    if json_:
        put_json({"receipts": [_as_object(one) for one in receipts], "damaged": damaged})
        return
    total: dict[str, float] = {}
    for one in receipts:
        put(_line(one))
        total[one.currency] = total.get(one.currency, 0.0) + one.may_have_cost
    for currency, amount in total.items():
        put(f"{counted(len(receipts), 'receipt')}, about {amount:.2f} {currency} together")
    for message in damaged:
        say(f"note: {message}")
    if not receipts and not damaged:
        say(f"the ledger {book.place} is empty")


def _all(book: Ledger) -> tuple[list[Receipt], list[str]]:
    """The receipts, and what is to be said of those that cannot be read."""
    from scorebed.errors import WorkspaceError  # noqa: PLC0415 - `--help` must not wait

    receipts, damaged = [], []
    for key in book.all_keys():
        try:
            # Settles what a dead run has left as "sent".
            one = book.receipt(key)
        except WorkspaceError as error:
            damaged.append(error.message)
            continue
        if one is not None:
            receipts.append(one)
    return sorted(receipts, key=lambda one: one.attempts[0].made), damaged


def _line(one: Receipt) -> str:
    from scorebed.ledger import money  # noqa: PLC0415

    return (
        f"{one.key[:12]}  {one.attempts[0].made[:16]}  {one.state:<8}  "
        f"{money(one.may_have_cost):>7} {one.currency}  {one.length_s:7.1f} s  {one.title or '-'}"
        + (f", part {one.part + 1}" if one.part else "")
    )


@app.command("show")
def show(key: _Key, *, ledger: _Place = None, json_: _Json = False) -> None:
    """Prints one receipt: what was asked, sent and answered."""
    book = _open(ledger)
    one = book.find(key)
    found = _as_object(one) | {"folder": book.store.where(one.key)}
    if json_:
        put_json(found)
        return
    for name, value in found.items():
        if name in {"asked", "facts"}:
            for word, said in value:
                put(f"{name + ' ' + word:<18}{said}".rstrip())
        elif name == "attempts":
            for attempt in value:
                _show_attempt(attempt)
        else:
            put(f"{name:<18}{value}")


def _show_attempt(attempt: dict[str, Any]) -> None:
    put(f"attempt {attempt['number']}")
    for name, value in attempt.items():
        if name == "files":
            for file in value:
                sound = ", with sound" if file["audio"] else ""
                put(
                    f"  {'file':<16}{file['name']}, {file['size_bytes']} bytes, "
                    f"{file['width_px']}x{file['height_px']}{sound}, sha256 {file['sha256']}"
                )
        elif name != "number" and value is not None:
            put(f"  {name:<16}{value}")


@app.command("export")
def export(
    key: _Key,
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where it goes; made if needed.")
    ] = Path(),
    *,
    ledger: _Place = None,
) -> None:
    """Copies a receipt and its take, as it came, into a folder."""
    book = _open(ledger)
    for path in book.export(book.find(key).key, folder):
        put(str(path))


@app.command("forget")
def forget(key: _Key, *, ledger: _Place = None) -> None:
    """Puts a purchase aside: the same command then buys again. Nothing is deleted."""
    book = _open(ledger)
    put(book.forget(book.find(key).key))


@app.command("serve")
def serve(
    *,
    ledger: _Folder = None,
    host: Annotated[
        str, typer.Option(metavar="HOST", help="Where it listens; others need a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes any free port.")] = 8742,
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What clients have to say, alone in a file that nobody else may read.",
            show_default="SCOREBED_LEDGER_TOKEN, else SCOREBED_LEDGER_TOKEN_FILE, else none",
        ),
    ] = None,
    lease: Annotated[
        float,
        typer.Option(
            min=1, max=3600, metavar="SECONDS", help="Locks of who is silent for so long are free."
        ),
    ] = 10.0,
    json_: _Json = False,
) -> None:
    """Serves a ledger to other machines, until it is stopped (Ctrl-C, SIGTERM).

    Its address, the one line on stdout, is then given to --ledger or SCOREBED_LEDGER there.
    """
    from scorebed.ledger.serving import LedgerServer  # noqa: PLC0415 - `--help` must not wait
    from scorebed.ledger.token import read_token  # noqa: PLC0415

    root = _folder_to_serve(ledger)
    token = read_token(token_file)
    with LedgerServer(root, host=host, port=port, token=token, lease_s=lease) as server:
        told = {"url": server.url, "ledger": str(root.absolute()), "token": token is not None}
        put_json(told | {"lease_s": lease}) if json_ else put(server.url)
        say(f"serving the ledger {root}; stop it with Ctrl-C")
        server.wait()


def _folder_to_serve(place: LedgerPlace | None) -> Path:
    from scorebed.errors import SettingsError  # noqa: PLC0415 - `--help` must not wait
    from scorebed.ledger import default_ledger  # noqa: PLC0415

    place = place or default_ledger()
    if isinstance(place, Path):
        return place
    raise SettingsError(
        f"ledger: {place} is a server, and a server needs a folder",
        remedy="Name the ledger's folder: scorebed ledger serve --ledger DIR",
    )


def _open(place: LedgerPlace | None) -> Ledger:
    from scorebed.errors import SettingsError  # noqa: PLC0415 - `--help` must not wait
    from scorebed.ledger import Ledger, default_ledger  # noqa: PLC0415 - `--help` must not wait

    book = Ledger(place or default_ledger(), say, _PATIENCE_S)
    book.require()
    if isinstance(place, Path) and not place.is_dir():
        raise SettingsError(
            f"ledger: there is no folder {place}", remedy="Check the path of --ledger."
        )
    return book


def _as_object(one: Receipt) -> dict[str, Any]:
    from dataclasses import asdict  # noqa: PLC0415

    return asdict(one) | {"state": one.state, "may_have_cost": one.may_have_cost}
