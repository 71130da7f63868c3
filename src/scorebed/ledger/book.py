"""The ledger on disk: a folder per purchase, nothing ever deleted.

ROOT/.scorebed-ledger               what the folder is
ROOT/.scorebed-ledger-id            which one: written once, where other machines have to know it
ROOT/<key>/receipt.json             the receipt, replaced in one step, on the disk before we go on
ROOT/<key>/answer-<n>/              the answer to the n-th attempt, as it came
ROOT/<key>/answer-<n>.part/         one that is coming, or that never came whole
ROOT/forgotten/<key>-<time>/        what ``forget`` has put aside
ROOT/locks/<key>.lock               held by the run that buys: two runs buy it once
ROOT/purses/, ROOT/queue/           see ``purse`` and ``queue``
ROOT/serving/                       what a server holds, and for whom: see ``serving``
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import platformdirs

from scorebed.errors import SettingsError, WorkspaceError
from scorebed.ledger.disk import lies_here, stamp, told_of
from scorebed.ledger.entry import Entry, read_receipt
from scorebed.ledger.names import FORGOTTEN, KEY, RECEIPT, lock_of
from scorebed.ledger.queue import Queue
from scorebed.ledger.receipt import Receipt, State
from scorebed.ledger.store import store_of
from scorebed.ledger.waiting import Waiting
from scorebed.model import LedgerPlace, Tell, ledger_named, no_words

if TYPE_CHECKING:
    from collections.abc import Iterator


_SHORTEST = 4
_PATIENCE_S = 0.5


def default_ledger() -> LedgerPlace:
    """Where the ledger lies: ``SCOREBED_LEDGER``, else the user's data folder, never a cache."""
    named = os.environ.get("SCOREBED_LEDGER")
    return ledger_named(named) if named else platformdirs.user_data_path("scorebed") / "ledger"


class Ledger:
    """Receipts and answers that were paid for.

    Args:
        place: Its folder, made when something is written; or the address of its server.
        tell: Told, in a sentence, when the server or another run is waited for.
        patience_s: How long a server that does not answer is asked again, in seconds; None as
            usual.
    """

    def __init__(
        self, place: LedgerPlace, tell: Tell = no_words, patience_s: float | None = None
    ) -> None:
        self.place = place
        self.tell = tell
        self.store = store_of(place, tell, patience_s)

    def peek(self, key: str) -> Receipt | None:
        """The receipt of a purchase as it lies there, or None.

        Raises:
            WorkspaceError: If it cannot be read.
        """
        return read_receipt(self.store, key)

    def all_keys(self) -> tuple[str, ...]:
        """Keys of all purchases."""
        return tuple(name for name in self.store.names("") if KEY.fullmatch(name))

    def receipts(self) -> tuple[Receipt, ...]:
        """All receipts, oldest first.

        Raises:
            WorkspaceError: If one cannot be read.
        """
        told = self.store.each("", RECEIPT)
        found = [read_receipt(self.store, key, told[key]) for key in told if KEY.fullmatch(key)]
        return tuple(
            sorted((one for one in found if one), key=lambda one: (one.attempts[0].made, one.key))
        )

    def find(self, prefix: str) -> Receipt:
        """The receipt whose key begins so.

        Raises:
            SettingsError: If none does, or several do.
        """
        found = [one for one in self.receipts() if one.key.startswith(prefix.lower())]
        if len(found) == 1 and len(prefix) >= _SHORTEST:
            return found[0]
        what = "several keys begin" if len(found) > 1 else "no key begins"
        raise SettingsError(
            f"ledger: {what} with {prefix!r} in {self.place}"
            if len(prefix) >= _SHORTEST
            else f"ledger: {prefix!r} is too short to name a key",
            remedy="Give more of a key that `scorebed ledger list` prints.",
        )

    def forget(self, key: str) -> str:
        """Puts a purchase aside, so that the same command buys again; nothing is deleted.

        Returns:
            Where it was moved to.

        Raises:
            WorkspaceError: If a run is just buying it.
        """
        aside = f"{FORGOTTEN}/{key}-{stamp()}"
        with self._held(key):
            self.store.move(key, aside)
        return self.store.where(aside)

    def all_receipts(self) -> tuple[Receipt, ...]:
        """All receipts, also of what was forgotten.

        Raises:
            WorkspaceError: If one cannot be read.
        """
        # What is forgotten meanwhile is then there twice, and never not at all.
        here, aside = self.receipts(), self.store.each(FORGOTTEN, RECEIPT).items()
        old = [read_receipt(self.store, f"{FORGOTTEN}/{name}", told) for name, told in aside]
        return (*here, *(one for one in old if one is not None))

    def export(self, key: str, folder: Path) -> tuple[Path, ...]:
        """Copies a receipt and its answer.

        Args:
            key: Of the purchase.
            folder: Where to; made if it is not there.

        Returns:
            The files that were written.

        Raises:
            SettingsError: If one of them is there already.
            WorkspaceError: If they cannot be written.
        """
        with tempfile.TemporaryDirectory(prefix="scorebed-") as near, told_of(folder):
            receipt = Path(near) / RECEIPT
            receipt.write_bytes(self.store.read(f"{key}/{RECEIPT}") or b"")
            wanted = {receipt: folder / f"{key[:12]}.receipt.json"}
            answer = Entry(self.store, key).answer(Path(near) / "answer")
            if answer is not None:
                name = f"{key[:12]}.{answer.body.name}{_suffix(answer.body)}"
                wanted[answer.body] = folder / name
            for target in wanted.values():
                if target.exists():
                    raise SettingsError(
                        f"ledger: {target} exists already", remedy="Name another folder."
                    )
            folder.mkdir(parents=True, exist_ok=True)
            for source, target in wanted.items():
                shutil.copyfile(source, target)
            return tuple(wanted.values())

    def require(self) -> None:
        """Refuses a place that is not a ledger; a folder that is not there is an empty one.

        Raises:
            WorkspaceError: If it holds other things, is of a later release, or does not answer.
        """
        self.store.require()

    def prepare(self) -> None:
        """Makes the folder, or refuses one that holds other things.

        Raises:
            WorkspaceError: If it is not ours or cannot be written.
        """
        self.store.prepare()

    def identify(self) -> str:
        """What tells this ledger from every other; one that has none is made ready and gets one.

        Raises:
            WorkspaceError: If it is not ours, cannot be written, or does not answer.
        """
        return self.store.identify()

    def require_identity(self, identity: str) -> None:
        """Refuses another ledger than the one that was meant, and makes none.

        Args:
            identity: What ``identify`` has said where it was named.

        Raises:
            WorkspaceError: If there is another one, or none, or it does not answer.
        """
        self.require()
        found = self.store.identity()
        if found == identity:
            return
        there = "there is another ledger" if found else "there is no such ledger"
        raise WorkspaceError(
            f"ledger: {there} at {self.place}: what was bought lies in the one that was named "
            "where the work was prepared",
            remedy="Is it not mounted here? Mount it there, or map the path to where it is; for a "
            "server, check its address.",
        )

    def require_room(self, needed_bytes: int) -> None:
        """Refuses to buy what could not be kept.

        Raises:
            WorkspaceError: If the ledger's disk has less than ``needed_bytes`` free.
        """
        for where, free_bytes in self.store.rooms():
            if free_bytes < needed_bytes:
                raise WorkspaceError(
                    f"ledger: about {needed_bytes / 1e6:.1f} MB are needed in {where}, "
                    f"{free_bytes / 1e6:.1f} MB are free; nothing was bought",
                    remedy="Make room there, and run the same command again.",
                )

    def queue(self, account: str) -> Queue:
        """The queue of an account of a service.

        Args:
            account: A name that tells nothing of the key.
        """
        return Queue(self.store, account, self.tell)

    def receipt(self, key: str) -> Receipt | None:
        """The receipt of a purchase, or None; a ``sent`` of a dead run is settled first.

        Raises:
            WorkspaceError: If it cannot be read.
        """
        found = self.peek(key)
        settled = found is None or found.state not in {State.SENT, State.UNKNOWN}
        if found is None or (settled and not lies_here(key)):
            return found
        try:
            with self._held(key):
                entry = Entry(self.store, key)
                entry.settle()
                return entry.receipt
        except BusyError:
            # Another run is just buying it.
            return self.peek(key)

    @contextmanager
    def open(self, key: str, stop: Event | None = None) -> Iterator[Entry]:
        """Holds a purchase for this run; another run that wants it waits.

        Args:
            key: Of the purchase.
            stop: Set when the run ends: it no longer waits.

        Raises:
            WorkspaceError: If the folder cannot be written.
            Stopped: If the run ended while it waited.
        """
        with self._held(key, stop=stop or Event()):
            entry = Entry(self.store, key)
            entry.settle()
            yield entry

    @contextmanager
    def _held(self, key: str, stop: Event | None = None) -> Iterator[None]:
        """Holds a purchase; with ``stop`` waits for it until that is set."""
        names = (lock_of(key),)
        words = f"another run is just buying {key[:12]}: it is waited for"
        waiting = Waiting(words, self.tell, stop or Event())
        while True:
            waiting.go_on()
            hold = self.store.hold(names, wait_s=0 if stop is None else _PATIENCE_S)
            if hold is not None:
                break
            if stop is None:
                raise BusyError(
                    f"ledger: another run is just buying {key}",
                    remedy="Wait for it, and try again.",
                )
        try:
            yield
        finally:
            hold.release()


_SUFFIXES = (
    (b"ID3", ".mp3"),
    (b"\xff\xfb", ".mp3"),
    (b"\xff\xf3", ".mp3"),
    (b"RIFF", ".wav"),
    (b"OggS", ".ogg"),
    (b"PK", ".zip"),
    (b"{", ".json"),
)


def _suffix(body: Path) -> str:
    """An ending by which other programs know the file; none where we do not know it either."""
    with body.open("rb") as file:
        head = file.read(4)
    return next((suffix for magic, suffix in _SUFFIXES if head.startswith(magic)), "")


class BusyError(WorkspaceError):
    """Another run holds it."""
