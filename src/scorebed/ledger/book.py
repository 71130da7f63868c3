"""The ledger on disk: a folder per purchase, nothing ever deleted.

ROOT/.scorebed-ledger               what the folder is
ROOT/<key>/receipt.json             the receipt, replaced in one step, on the disk before we go on
ROOT/<key>/answer-<n>/              the answer to the n-th attempt, as it came
ROOT/<key>/answer-<n>.part/         one that is coming, or that never came whole
ROOT/forgotten/<key>-<time>/        what ``forget`` has put aside
ROOT/locks/<key>.lock               held by the run that buys: two runs buy it once
ROOT/purses/, ROOT/queue/           see ``purse`` and ``queue``
"""

from __future__ import annotations

import os
import re
import shutil
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import filelock
import platformdirs

from scorebed.errors import SettingsError, WorkspaceError
from scorebed.ledger.disk import stamp, sync_folder, told_of, write_lasting
from scorebed.ledger.entry import RECEIPT, Entry, read_receipt
from scorebed.ledger.queue import Stopped
from scorebed.ledger.receipt import KEY_LENGTH, Receipt

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARK = ".scorebed-ledger"
_FORM = "1"
_KEY = re.compile(rf"[0-9a-f]{{{KEY_LENGTH}}}")
_SHORTEST = 4
_POLL_S = 0.1
_PATIENCE_S = 0.5
_FORGOTTEN = "forgotten"


def default_ledger() -> Path:
    """Where the ledger lies: ``SCOREBED_LEDGER``, else the user's data folder, never a cache."""
    named = os.environ.get("SCOREBED_LEDGER")
    return Path(named) if named else platformdirs.user_data_path("scorebed") / "ledger"


class Ledger:
    """Receipts and answers that were paid for.

    Args:
        root: Its folder; made when something is written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def peek(self, key: str) -> Receipt | None:
        """The receipt of a purchase as it lies there, or None.

        Raises:
            WorkspaceError: If it cannot be read.
        """
        return read_receipt(self.root / key)

    def all_keys(self) -> tuple[str, ...]:
        """Keys of all purchases."""
        if not self.root.is_dir():
            return ()
        return tuple(entry.name for entry in self.root.iterdir() if _KEY.fullmatch(entry.name))

    def receipts(self) -> tuple[Receipt, ...]:
        """All receipts, oldest first.

        Raises:
            WorkspaceError: If one cannot be read.
        """
        found = [self.peek(key) for key in self.all_keys()]
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
            f"ledger: {what} with {prefix!r} in {self.root}"
            if len(prefix) >= _SHORTEST
            else f"ledger: {prefix!r} is too short to name a key",
            remedy="Give more of a key that `scorebed ledger list` prints.",
        )

    def forget(self, key: str) -> Path:
        """Puts a purchase aside, so that the same command buys again; nothing is deleted.

        Returns:
            The folder it was moved to.

        Raises:
            WorkspaceError: If a run is just buying it.
        """
        aside = self.root / _FORGOTTEN
        with _held(self._lock(key), self.root, key=key), told_of(self.root):
            aside.mkdir(exist_ok=True)
            moved = (self.root / key).rename(aside / f"{key}-{stamp()}")
            sync_folder(self.root)
            sync_folder(aside)
            return moved

    def spent_in(self, purse: str) -> dict[str, float]:
        """What may have been billed in the name of a purse, also of what was forgotten.

        Returns:
            Currency to amount.
        """
        aside = self.root / _FORGOTTEN
        folders = [entry for entry in aside.iterdir() if entry.is_dir()] if aside.is_dir() else []
        old = [read_receipt(folder) for folder in folders]
        receipts = [*self.receipts(), *(one for one in old if one is not None)]
        spent: defaultdict[str, float] = defaultdict(float)
        for receipt in receipts:
            for attempt in receipt.attempts:
                if attempt.purse == purse and attempt.state.may_be_billed:
                    spent[receipt.currency] += attempt.amount
        return spent

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
        wanted = {self.root / key / RECEIPT: folder / f"{key[:12]}.receipt.json"}
        answer = Entry(self.root / key).answer()
        if answer is not None:
            name = f"{key[:12]}.{answer.body.name}{_suffix(answer.body)}"
            wanted[answer.body] = folder / name
        for target in wanted.values():
            if target.exists():
                raise SettingsError(
                    f"ledger: {target} exists already", remedy="Name another folder."
                )
        with told_of(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for source, target in wanted.items():
                shutil.copyfile(source, target)
        return tuple(wanted.values())

    def require(self) -> None:
        """Refuses a folder that is not a ledger; one that is not there yet is an empty one.

        Raises:
            WorkspaceError: If it holds other things, or is of a later release.
        """
        with told_of(self.root):
            mark = self.root / _MARK
            if not self.root.exists():
                return
            # The mark is made first: whoever sees other things of ours sees it too.
            strange = self.root.is_file() or any(
                not entry.name.startswith(_MARK) for entry in self.root.iterdir()
            )
            if strange and not mark.is_file():
                raise _not_ours(self.root)
            if mark.is_file() and mark.read_text().strip() != _FORM:
                raise WorkspaceError(
                    f"ledger: {self.root} was made by another release of scorebed",
                    remedy="Update scorebed, or name another folder with --ledger.",
                )

    def prepare(self) -> None:
        """Makes the folder, or refuses one that holds other things.

        Raises:
            WorkspaceError: If it is not ours or cannot be written.
        """
        self.require()
        with told_of(self.root):
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not (self.root / _MARK).exists():
                write_lasting(self.root / _MARK, f"{_FORM}\n".encode())
            for name in ("locks", "purses", "queue"):
                (self.root / name).mkdir(exist_ok=True)

    def require_room(self, needed_bytes: int) -> None:
        """Refuses to buy what could not be kept.

        Raises:
            WorkspaceError: If the ledger's disk has less than ``needed_bytes`` free.
        """
        with told_of(self.root):
            free_bytes = shutil.disk_usage(self.root).free
        if free_bytes < needed_bytes:
            raise WorkspaceError(
                f"ledger: about {needed_bytes / 1e6:.1f} MB are needed in {self.root}, "
                f"{free_bytes / 1e6:.1f} MB are free; nothing was bought",
                remedy="Make room, or name a folder on another disk with --ledger.",
            )

    def receipt(self, key: str) -> Receipt | None:
        """The receipt of a purchase, or None; a ``sent`` of a dead run is settled first.

        Raises:
            WorkspaceError: If it cannot be read.
        """
        try:
            with _held(self._lock(key), self.root, key=key):
                entry = Entry(self.root / key)
                entry.settle()
                return entry.receipt
        except BusyError:
            # Another run is just buying it.
            return read_receipt(self.root / key)

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
        with _held(self._lock(key), self.root, key=key, stop=stop or Event()):
            entry = Entry(self.root / key)
            entry.settle()
            yield entry

    def _lock(self, key: str) -> Path:
        return self.root / "locks" / f"{key}.lock"


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


def _not_ours(root: Path) -> WorkspaceError:
    return WorkspaceError(
        f"ledger: {root} holds other files and is not a ledger",
        remedy="Give --ledger (or SCOREBED_LEDGER) an empty or new folder.",
    )


class BusyError(WorkspaceError):
    """Another run holds it."""


@contextmanager
def _held(path: Path, root: Path, *, key: str, stop: Event | None = None) -> Iterator[None]:
    """Holds a lock; with ``stop`` waits for it until that is set."""
    lock = filelock.FileLock(path, is_singleton=False)
    while True:
        try:
            lock.acquire(timeout=0 if stop is None else _PATIENCE_S, poll_interval=_POLL_S)
            break
        except filelock.Timeout as error:  # an OSError too
            if stop is None:
                raise BusyError(
                    f"ledger: another run is just buying {key}",
                    remedy="Wait for it, and try again.",
                ) from error
            if stop.is_set():
                raise Stopped from error
        except OSError:
            with told_of(root):
                raise
    try:
        yield
    finally:
        lock.release()
