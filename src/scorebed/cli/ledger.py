"""``scorebed ledger``: receipts and takes that were paid for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scorebed.cli.console import put, say

if TYPE_CHECKING:
    from scorebed.ledger import Ledger, Receipt

app = typer.Typer(
    no_args_is_help=True,
    help="Receipts and takes that were paid for: nothing is ever deleted.",
)

_Folder = Annotated[
    Path | None,
    typer.Option(
        "--ledger",
        metavar="DIR",
        help="Another ledger.",
        show_default="SCOREBED_LEDGER, else the user's data folder",
    ),
]
_Key = Annotated[
    str, typer.Argument(metavar="KEY", help="A key, or its beginning.", show_default=False)
]
_Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@app.command("list")
def list_receipts(*, ledger: _Folder = None, json_: _Json = False) -> None:
    """Lists all purchases, oldest first."""
    receipts = _open(ledger).receipts()
    if json_:
        put(_as_json({"receipts": [_as_object(one) for one in receipts]}))
        return
    for one in receipts:
        put(
            f"{one.key[:12]}  {one.made[:16]}  {one.state:<8}  {one.may_have_cost:7.2f} "
            f"{one.currency}  {one.seconds:7.1f} s  {one.title or '-'}"
            + (f", part {one.part + 1}" if one.part else "")
        )
    total: dict[str, float] = {}
    for one in receipts:
        total[one.currency] = total.get(one.currency, 0.0) + one.may_have_cost
    for currency, amount in total.items():
        put(f"{len(receipts)} receipts, about {amount:.2f} {currency} together")
    if not receipts:
        say("the ledger is empty")


@app.command("show")
def show(key: _Key, *, ledger: _Folder = None, json_: _Json = False) -> None:
    """Prints one receipt: what was asked, sent and answered."""
    book = _open(ledger)
    one = book.find(key)
    found = _as_object(one) | {"answer": _answer(book, one)}
    if json_:
        put(_as_json(found))
        return
    for name, value in found.items():
        if name == "asked":
            for word, said in value:
                put(f"{'asked ' + word:<18}{said}".rstrip())
        elif name == "files":
            for file in value:
                sound = ", with sound" if file["audio"] else ""
                put(
                    f"{'file':<18}{file['name']}, {file['size_bytes']} bytes, "
                    f"{file['width_px']}x{file['height_px']}{sound}, sha256 {file['sha256']}"
                )
        elif value is not None:
            put(f"{name:<18}{value}")


@app.command("export")
def export(
    key: _Key,
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where it goes; made if needed.")
    ] = Path(),
    *,
    ledger: _Folder = None,
) -> None:
    """Copies a receipt and its take, as it came, into a folder."""
    book = _open(ledger)
    for path in book.export(book.find(key).key, folder):
        put(str(path))


@app.command("forget")
def forget(key: _Key, *, ledger: _Folder = None) -> None:
    """Puts a purchase aside: the same command then buys again. Nothing is deleted."""
    book = _open(ledger)
    put(str(book.forget(book.find(key).key)))


def _open(folder: Path | None) -> Ledger:
    from scorebed.ledger import Ledger, default_ledger  # noqa: PLC0415 - `--help` must not wait

    return Ledger(folder or default_ledger())


def _answer(book: Ledger, one: Receipt) -> str | None:
    folder = book.answer_folder(one.key)
    return str(folder) if folder.is_dir() else None


def _as_object(one: Receipt) -> dict[str, Any]:
    from dataclasses import asdict  # noqa: PLC0415

    return asdict(one) | {"may_have_cost": one.may_have_cost}


def _as_json(found: object) -> str:
    import json  # noqa: PLC0415

    return json.dumps(found)
