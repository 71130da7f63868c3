"""One purchase: its receipt and its answers, each on the disk before anything else happens."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import msgspec

from scorebed.errors import WorkspaceError
from scorebed.ledger.disk import (
    SPLIT,
    discard,
    now,
    spool_of,
    sync,
    this_machine,
    told_of,
    use_spool,
    write_lasting,
)
from scorebed.ledger.names import RECEIPT, is_plain
from scorebed.ledger.receipt import Attempt, Receipt, State
from scorebed.ledger.store import AnswerWaits
from scorebed.model import Answer, Upload

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import filelock

    from scorebed.ledger.store import Store

_HASH = "body_sha256"


class Entry:
    """A purchase that this run holds.

    Args:
        store: The ledger's.
        key: Of the purchase.
    """

    def __init__(self, store: Store, key: str) -> None:
        self._store = store
        self._key = key
        self._written = store.read(f"{key}/{RECEIPT}")
        self.receipt = read_receipt(store, key, self._written)
        self._working: int | None = None
        self._coming: Path | None = None
        self._using: filelock.BaseFileLock | None = None

    @property
    def where(self) -> str:
        """Where it lies, for a person."""
        return self._store.where(self._key)

    @property
    def came_to(self) -> str:
        """Where what has come of an answer lies, for a person."""
        if self._store.spools:
            return f"{self._coming} on the machine {this_machine()}"
        return self.where

    def kept_at(self, answer: Answer) -> str:
        """Where the body of its answer stays, for a person."""
        return self._store.where(f"{self._answer_folder('')}/{answer.body.name}")

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
            waits_at=this_machine() if self._store.spools else None,
            made=moment,
            changed=moment,
        )
        self._store.make_folder(self._key)
        self._working = len(earlier)
        self._write(replace(receipt, attempts=(*earlier, attempt)))

    @property
    def attempt(self) -> Attempt:
        """The one that is at work, else the one that counts."""
        assert self.receipt is not None
        return (
            self.receipt.current if self._working is None else self.receipt.attempts[self._working]
        )

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
        self._coming = self._store.workplace(self._answer_folder(".part"), self.attempt.made)
        self._end_use()
        if self._store.spools:
            # Whoever takes this run for dead must not clear away what it still fetches.
            self._using = use_spool(self._coming)
        return self._coming

    def keep(self, answer: Answer) -> None:
        """Gives an answer that has come whole its place, and notes that it is there.

        Args:
            answer: With its body in the folder that ``incoming`` gave.

        Raises:
            AnswerWaits: If the ledger's server cannot take it now: it stays on this machine.
            WorkspaceError: If a disk cannot.
        """
        body = answer.body
        with told_of(body):
            if not is_plain(body.name):
                body = body.rename(body.with_name("body"))
            split = asdict(answer) | {"body": body.name, _HASH: _sha256(body)}
            sync(body)
            # Whoever finds this file knows that the body beside it is whole.
            write_lasting(body.parent / SPLIT, msgspec.json.encode(split))
        self._end_use()
        try:
            if self.attempt.state is State.PLANNED:
                # A service that did not say that it sends: it was asked all the same.
                self.mark(State.SENT)
            self._adopt()
            self._note(replace(answer, body=body))
        except WorkspaceError as error:
            if not self._store.spools:
                raise
            raise AnswerWaits(
                f"{error.message}; the answer that was paid for lies in {body.parent} "
                f"on the machine {this_machine()}",
                remedy=f"Run the same command again on the machine {this_machine()}, with the same "
                "ledger: it is taken from there, and not bought again.",
            ) from error

    def _note(self, answer: Answer) -> None:
        """Writes down that an answer lies in its place, and the service's numbers of it."""
        self.mark(State.ANSWERED, request_id=answer.request_id, song_id=answer.song_id)
        self._discard()

    def settle(self) -> None:
        """A ``sent`` that is found is a dead run's: its answer has come, or is lost.

        One that was given up is looked for too, whatever was tried after it: it may have waited on
        this machine.
        """
        for number in range(len(self.receipt.attempts) if self.receipt else 0):
            self._working = number
            self._settle_one()
        self._working = None

    def _settle_one(self) -> None:
        """Of one attempt; what lies on this machine of it and is not needed goes."""
        state = self.attempt.state
        spool = spool_of(self._answer_folder(".part"), self.attempt.made)
        whole = (spool / SPLIT).is_file()
        found = None
        # One that is only planned was asked by a service that did not say that it sends.
        if whole or state in {State.SENT, State.UNKNOWN}:
            self._adopt()
            found = self._split()
            if found is not None and not self.attempt.has_answer:
                self._note(found[0])
            elif state is State.SENT:
                self.mark(State.UNKNOWN, message="the run that sent it was stopped")
        if found is not None or not whole:
            self._discard()

    def _end_use(self) -> None:
        if self._using is not None:
            self._using.release()
            self._using = None

    def _discard(self) -> None:
        """Removes what lies on this machine of it, unless a run still writes there."""
        discard(self._answer_folder(".part"), self.attempt.made)

    def answer(self, into: Path) -> Answer | None:
        """The answer that has come, or None.

        Args:
            into: A folder for its body, where the ledger is not on this machine; made if needed.

        Raises:
            WorkspaceError: If it is not what came.
        """
        told = self._split()
        if told is None:
            return None
        answer, name, sha256 = told
        body = self._store.fetch(f"{self._answer_folder('')}/{name}", into)
        if body is None:
            return None
        if _sha256(body) != sha256:
            raise self._damaged_answer()
        return replace(answer, body=body)

    def _split(self) -> tuple[Answer, str, str] | None:
        """What is written of the answer, its body's name and hash; None if none has come."""
        written = self._store.read(f"{self._answer_folder('')}/{SPLIT}")
        if written is None:
            return None
        try:
            told = msgspec.json.decode(written)
            sha256, name = str(told.pop(_HASH)), str(told["body"])
            answer = Answer(**told)
        except (msgspec.DecodeError, KeyError, TypeError, AttributeError) as error:
            raise self._damaged_answer() from error
        if not is_plain(name):
            raise self._damaged_answer()
        return answer, name, sha256

    def _damaged_answer(self) -> WorkspaceError:
        where = self._store.where(self._answer_folder(""))
        return WorkspaceError(
            f"ledger: the answer in {where} is damaged: it is not what came",
            remedy="Bring it back from a backup, or run: scorebed ledger forget "
            f"{self._key[:12]} (the same command then buys again).",
        )

    def _adopt(self) -> None:
        """An answer that has come whole gets its place, if a crash has not given it one."""
        coming, final = self._answer_folder(".part"), self._answer_folder("")
        if not self._store.names(final):
            self._store.deliver(coming, self.attempt.made)
            if self._store.read(f"{coming}/{SPLIT}") is not None:
                self._store.move(coming, final)

    def _answer_folder(self, ending: str) -> str:
        return f"{self._key}/answer-{self.attempt.number}{ending}"

    def _write(self, receipt: Receipt) -> None:
        told = msgspec.json.format(msgspec.json.encode(receipt)) + b"\n"
        self._store.swap(f"{self._key}/{RECEIPT}", self._written, told)
        self._written = told
        self.receipt = receipt


def read_receipt(store: Store, folder: str, told: bytes | None = None) -> Receipt | None:
    """The receipt in a folder of the ledger, or None.

    Args:
        store: The ledger's.
        folder: Name of the folder.
        told: What was read of it, if that was done.

    Raises:
        WorkspaceError: If it is there and cannot be read: never taken for "not bought".
    """
    name = f"{folder}/{RECEIPT}"
    told = store.read(name) if told is None else told
    if told is None and any(one.startswith("answer-") for one in store.names(folder)):
        # Another run may have begun since: its receipt comes before its answer.
        told = store.read(name)
        if told is None:
            raise _damaged(store, folder, "it is gone, an answer is there")
    if told is None:
        return None
    try:
        found = msgspec.json.decode(told, type=Receipt)
    except msgspec.DecodeError as error:
        raise _damaged(store, folder, str(error)) from error
    if not found.attempts:
        raise _damaged(store, folder, "it names no attempt")
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _damaged(store: Store, folder: str, why: str) -> WorkspaceError:
    return WorkspaceError(
        f"ledger: the receipt {store.where(f'{folder}/{RECEIPT}')} cannot be read ({why})",
        remedy=f"Look at {store.where(folder)}: what was bought lies there. Restore the file, or "
        "move the folder away to buy again.",
    )
