"""The ledger on disk: a folder per purchase, nothing ever deleted.

ROOT/.scorebed-ledger               what the folder is
ROOT/<key>/receipt.json             the receipt, replaced in one step, on the disk before we go on
ROOT/<key>/answer/                  the answer as it came
ROOT/<key>/answer.part/             an answer that is coming, or that never came whole
ROOT/forgotten/<key>-<time>/        what ``forget`` has put aside
ROOT/locks/<key>.lock               held by the run that buys: two runs buy it once
ROOT/purses/, ROOT/queue/           see ``purse`` and ``queue``
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import filelock
import platformdirs

from scorebed.errors import SettingsError, WorkspaceError
from scorebed.ledger.entry import ANSWER, RECEIPT, Entry, read_receipt
from scorebed.ledger.receipt import KEY_LENGTH, Receipt, State

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARK = ".scorebed-ledger"
_KEY = re.compile(rf"[0-9a-f]{{{KEY_LENGTH}}}")
_SHORTEST = 4
_POLL_S = 0.1


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

    def receipts(self) -> tuple[Receipt, ...]:
        """All receipts, oldest first.

        Raises:
            WorkspaceError: If one cannot be read.
        """
        if not self.root.is_dir():
            return ()
        found = [read_receipt(entry) for entry in self.root.iterdir() if _KEY.fullmatch(entry.name)]
        return tuple(sorted((one for one in found if one), key=lambda one: (one.made, one.key)))

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

    def answer_folder(self, key: str) -> Path:
        """Where the answer to a purchase lies, if it has come."""
        return self.root / key / ANSWER

    def forget(self, key: str) -> Path:
        """Puts a purchase aside, so that the same command buys again; nothing is deleted.

        Returns:
            The folder it was moved to.

        Raises:
            WorkspaceError: If a run is just buying it.
        """
        aside = self.root / "forgotten"
        with told_of(self.root):
            aside.mkdir(exist_ok=True)
            with _held(self._lock(key), key, timeout_s=0):
                stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
                return (self.root / key).rename(aside / f"{key}-{stamp}")

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

    def prepare(self) -> None:
        """Makes the folder, or refuses one that holds other things.

        Raises:
            WorkspaceError: If it is not ours or cannot be written.
        """
        with told_of(self.root):
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not (self.root / _MARK).exists():
                if any(entry.name not in {_MARK, "locks"} for entry in self.root.iterdir()):
                    raise WorkspaceError(
                        f"ledger: {self.root} holds other files and is not a ledger",
                        remedy="Give --ledger (or SCOREBED_LEDGER) an empty or new folder.",
                    )
                (self.root / _MARK).write_text("1\n")
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
                f"ledger: about {needed_bytes / 1e6:.0f} MB are needed in {self.root}, "
                f"{free_bytes / 1e6:.0f} MB are free; nothing was bought",
                remedy="Make room, or name a folder on another disk with --ledger.",
            )

    @contextmanager
    def open(self, key: str) -> Iterator[Entry]:
        """Holds a purchase for this run; another run that wants it waits.

        A ``sent`` that is found is what a run left that died: it is ``unknown`` from now on.

        Raises:
            WorkspaceError: If the folder cannot be written.
        """
        with told_of(self.root), _held(self._lock(key), key, timeout_s=-1):
            entry = Entry(self.root / key)
            if entry.receipt is not None and entry.receipt.state is State.SENT:
                if entry.answer() is None:
                    entry.mark(State.UNKNOWN, message="the run that sent it was stopped")
                else:
                    entry.mark(State.ANSWERED)
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


@contextmanager
def _held(path: Path, key: str, *, timeout_s: float) -> Iterator[None]:
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=timeout_s, poll_interval=_POLL_S)
    except filelock.Timeout as error:
        raise WorkspaceError(
            f"ledger: another run is just buying {key}", remedy="Wait for it, and try again."
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def told_of(root: Path) -> Iterator[None]:
    """Turns what the operating system says of the ledger's disk into an error with a remedy.

    Raises:
        WorkspaceError: In place of any OSError.
    """
    try:
        yield
    except OSError as error:
        raise WorkspaceError(
            f"ledger: {root} cannot be used ({error.strerror or error})",
            remedy="Make room or mend its permissions, or name another folder with --ledger.",
        ) from error
