"""One purchase: its receipt and its answers, each on the disk before anything else happens."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import msgspec

from scorebed.errors import WorkspaceError
from scorebed.ledger.disk import now, sync, sync_folder, told_of, write_lasting
from scorebed.ledger.receipt import Attempt, Receipt, State
from scorebed.model import Answer, Upload

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RECEIPT = "receipt.json"
_SPLIT = "answer.json"
_HASH = "body_sha256"


class Entry:
    """A purchase that this run holds.

    Args:
        folder: Its folder in the ledger.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.receipt = read_receipt(folder)
        self._working: int | None = None

    def plan(
        self, receipt: Receipt, *, amount: float, purse: str | None, files: Sequence[Upload]
    ) -> None:
        """Writes another attempt down; earlier ones that may have been billed stay.

        Args:
            receipt: What is bought, without attempts.
            amount: Estimated price.
            purse: Name of the purse that it counts for.
            files: What will leave the machine.
        """
        earlier = self.receipt.attempts if self.receipt else ()
        while earlier and not earlier[-1].state.may_be_billed:
            earlier = earlier[:-1]
        moment = now()
        attempt = Attempt(
            number=len(earlier) + 1,
            state=State.PLANNED,
            amount=amount,
            purse=purse,
            files=tuple(files),
            made=moment,
            changed=moment,
        )
        with told_of(self.folder):
            self.folder.mkdir(exist_ok=True)
            sync_folder(self.folder.parent)
        self._working = len(earlier)
        self._write(replace(receipt, attempts=(*earlier, attempt)))

    @property
    def attempt(self) -> Attempt:
        """The one that is at work, else the one that counts."""
        assert self.receipt is not None
        return self.receipt.current if self._working is None else self.receipt.attempts[-1]

    def mark(
        self,
        state: State,
        *,
        message: str | None = None,
        request_id: str | None = None,
        song_id: str | None = None,
        facts: tuple[tuple[str, str], ...] | None = None,
    ) -> None:
        """Writes the attempt's new state down; when this returns it is on the disk."""
        assert self.receipt is not None
        old = self.attempt
        new = replace(
            old,
            state=state,
            begun=old.begun or state is State.SENT,
            message=message,
            request_id=request_id or old.request_id,
            song_id=song_id or old.song_id,
            changed=now(),
        )
        attempts = tuple(new if one is old else one for one in self.receipt.attempts)
        facts = self.receipt.facts if facts is None else facts
        self._write(replace(self.receipt, attempts=attempts, facts=facts))

    def incoming(self) -> Path:
        """An empty folder for an answer that is about to come."""
        coming = self._answer_folder(".part")
        with told_of(self.folder):
            # Of this attempt nothing has come yet: it was planned, or put back by the service.
            shutil.rmtree(coming, ignore_errors=True)
            coming.mkdir()
        return coming

    def keep(self, answer: Answer) -> None:
        """Gives an answer that has come whole its place, and notes that it is there.

        Args:
            answer: With its body in the folder that ``incoming`` gave.
        """
        split = asdict(answer) | {"body": answer.body.name, _HASH: _sha256(answer.body)}
        with told_of(self.folder):
            sync(answer.body)
            # Whoever finds this file knows that the body beside it is whole.
            write_lasting(answer.body.parent / _SPLIT, msgspec.json.encode(split))
            self._adopt()
        self._note(answer)

    def _note(self, answer: Answer) -> None:
        """Writes down that an answer lies in its place, and the service's numbers of it."""
        self.mark(State.ANSWERED, request_id=answer.request_id, song_id=answer.song_id)

    def settle(self) -> None:
        """A ``sent`` that is found is a dead run's: its answer has come, or is lost."""
        if self.receipt is None or self.receipt.attempts[-1].state is not State.SENT:
            return
        self._working = len(self.receipt.attempts) - 1
        with told_of(self.folder):
            self._adopt()
        answer = self.answer()
        if answer is None:
            self.mark(State.UNKNOWN, message="the run that sent it was stopped")
        else:
            self._note(answer)
        self._working = None

    def answer(self) -> Answer | None:
        """The answer that has come, or None.

        Raises:
            WorkspaceError: If it is not what came.
        """
        folder = self._answer_folder("")
        try:
            told = msgspec.json.decode((folder / _SPLIT).read_bytes())
            body = folder / told["body"]
            whole = _sha256(body) == told.pop(_HASH)
        except FileNotFoundError:
            return None
        except (msgspec.DecodeError, KeyError, TypeError):
            whole = False
        if not whole:
            raise WorkspaceError(
                f"ledger: the answer in {folder} is damaged: it is not what came",
                remedy="Bring it back from a backup, or run: scorebed ledger forget "
                f"{self.folder.name[:12]} (the same command then buys again).",
            )
        return Answer(**(told | {"body": body}))

    def _adopt(self) -> None:
        """An answer that has come whole gets its place, if a crash has not given it one."""
        coming, final = self._answer_folder(".part"), self._answer_folder("")
        if (coming / _SPLIT).is_file() and not final.exists():
            coming.rename(final)
            sync_folder(self.folder)

    def _answer_folder(self, ending: str) -> Path:
        return self.folder / f"answer-{self.attempt.number}{ending}"

    def _write(self, receipt: Receipt) -> None:
        with told_of(self.folder):
            told = msgspec.json.format(msgspec.json.encode(receipt)) + b"\n"
            write_lasting(self.folder / RECEIPT, told)
        self.receipt = receipt


def read_receipt(folder: Path) -> Receipt | None:
    """The receipt in a folder of the ledger, or None.

    Raises:
        WorkspaceError: If it is there and cannot be read: never taken for "not bought".
    """
    path = folder / RECEIPT
    told = _told(path)
    if told is None and any(folder.glob("answer-*")):
        # Another run may have begun since: its receipt comes before its answer.
        told = _told(path)
        if told is None:
            raise _damaged(path, "it is gone, an answer is there")
    if told is None:
        return None
    try:
        found = msgspec.json.decode(told, type=Receipt)
    except msgspec.DecodeError as error:
        raise _damaged(path, str(error)) from error
    if not found.attempts:
        raise _damaged(path, "it names no attempt")
    return found


def _told(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _damaged(path: Path, why: str) -> WorkspaceError:
    return WorkspaceError(
        f"ledger: the receipt {path} cannot be read ({why})",
        remedy=f"Look at {path.parent}: what was bought lies there. Restore the file, or move the "
        "folder away to buy again.",
    )
