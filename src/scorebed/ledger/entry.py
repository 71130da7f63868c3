"""One purchase: its receipt and its answer, each on the disk before anything else happens."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from scorebed.errors import WorkspaceError
from scorebed.ledger.receipt import Receipt, State
from scorebed.model import Answer

if TYPE_CHECKING:
    from pathlib import Path

RECEIPT = "receipt.json"
ANSWER = "answer"
_SPLIT = "answer.json"


class Entry:
    """A purchase that this run holds.

    Args:
        folder: Its folder in the ledger.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.receipt = read_receipt(folder)

    def plan(self, receipt: Receipt) -> None:
        """Writes a receipt down; what is known of earlier charges stays."""
        self.folder.mkdir(exist_ok=True)
        earlier = self.receipt
        made = _now() if earlier is None else earlier.made
        charges = 0 if earlier is None else earlier.charges
        self._write(replace(receipt, state=State.PLANNED, made=made, charges=charges))

    def mark(
        self,
        state: State,
        *,
        message: str | None = None,
        request_id: str | None = None,
        song_id: str | None = None,
    ) -> None:
        """Writes a new state down; when this returns it is on the disk."""
        assert self.receipt is not None
        before, charges = self.receipt.state, self.receipt.charges
        if state is State.SENT:
            charges += 1
        elif before is State.SENT and not state.may_be_billed:
            charges -= 1
        self._write(
            replace(
                self.receipt,
                state=state,
                charges=charges,
                message=message,
                request_id=request_id or self.receipt.request_id,
                song_id=song_id or self.receipt.song_id,
            )
        )

    def incoming(self) -> Path:
        """An empty folder for an answer that is about to come."""
        coming = self.folder / f"{ANSWER}.part"
        shutil.rmtree(coming, ignore_errors=True)
        coming.mkdir()
        return coming

    def keep(self, answer: Answer) -> Answer:
        """Gives an answer that has come whole its place, and notes that it is there.

        Args:
            answer: With its body in the folder that ``incoming`` gave.
        """
        coming, final = self.folder / f"{ANSWER}.part", self.folder / ANSWER
        split = asdict(answer) | {"body": answer.body.name}
        (coming / _SPLIT).write_bytes(msgspec.json.encode(split))
        for path in coming.iterdir():
            _sync(path)
        _sync_folder(coming)
        if final.exists():
            # An earlier answer that could not be used: put aside, not thrown away.
            final.rename(self.folder / f"{ANSWER}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
        coming.rename(final)
        _sync_folder(self.folder)
        self.mark(State.ANSWERED, request_id=answer.request_id, song_id=answer.song_id)
        kept = self.answer()
        assert kept is not None
        return kept

    def answer(self) -> Answer | None:
        """The answer that has come, or None."""
        folder = self.folder / ANSWER
        try:
            told = msgspec.json.decode((folder / _SPLIT).read_bytes())
        except FileNotFoundError:
            return None
        return Answer(**(told | {"body": folder / told["body"]}))

    def _write(self, receipt: Receipt) -> None:
        receipt = replace(receipt, changed=_now())
        part = self.folder / f"{RECEIPT}.part"
        part.write_bytes(msgspec.json.format(msgspec.json.encode(receipt)) + b"\n")
        _sync(part)
        part.replace(self.folder / RECEIPT)
        _sync_folder(self.folder)
        self.receipt = receipt


def read_receipt(folder: Path) -> Receipt | None:
    """The receipt in a folder of the ledger, or None.

    Raises:
        WorkspaceError: If it is there and cannot be read: never taken for "not bought".
    """
    path = folder / RECEIPT
    try:
        return msgspec.json.decode(path.read_bytes(), type=Receipt)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except msgspec.DecodeError as error:
        raise WorkspaceError(
            f"ledger: the receipt {path} cannot be read ({error})",
            remedy=f"Look at {folder}: what was bought lies there. Restore the file, or move the "
            "folder away to buy again.",
        ) from error


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Makes a rename last through a power cut; Windows has no such call and needs none."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
