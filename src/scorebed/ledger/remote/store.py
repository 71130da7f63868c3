"""A ledger behind a server. What is asked of it is what a folder is asked: see ``ledger.store``."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from scorebed.errors import WorkspaceError
from scorebed.ledger.disk import SPLIT, spool_of, sync, told_of, waiting_root
from scorebed.ledger.remote.lease import Lease
from scorebed.ledger.remote.link import PATIENCE_S, Link
from scorebed.ledger.token import read_token
from scorebed.ledger.wire import FILE, MOST_SMALL_BYTES, SESSION_HEADER, Ask

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import httpx

    from scorebed.ledger.remote.lease import RemoteHold
    from scorebed.ledger.wire import Said
    from scorebed.model import LedgerAddress, Tell

_BLOCK_BYTES = 1 << 18


class RemoteStore:
    """See ``store.Store``.

    Args:
        address: Of the server.
        tell: Told, in a sentence, when it is waited for.
        patience_s: How long it is asked again, in seconds; None as usual.
    """

    spools = True

    def __init__(self, address: LedgerAddress, tell: Tell, patience_s: float | None) -> None:
        patience_s = PATIENCE_S if patience_s is None else patience_s
        self._link = Link(address=address, tell=tell, patience_s=patience_s, token=read_token())
        self._lease = Lease(self._link)

    def where(self, name: str = "") -> str:
        """The name, and whose it is."""
        address = str(self._link.address)
        return f"{name} of {address}" if name else address

    def require(self) -> None:
        """Refuses what is no server of a ledger."""
        self._link.about()

    def prepare(self) -> None:
        """The server has done it."""
        self.require()

    def identity(self) -> str | None:
        """What the server says."""
        return self._link.about().identity or None

    def identify(self) -> str:
        """The server has given it one."""
        found = self.identity()
        if found is None:
            raise WorkspaceError(
                f"ledger: the server at {self.where()} does not say which ledger it has",
                remedy="Start it with the release of scorebed that runs here.",
            )
        return found

    def rooms(self) -> tuple[tuple[str, int], ...]:
        """The server's disk, and this machine's, where an answer lies first."""
        root = waiting_root()
        with told_of(root):
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
            near = shutil.disk_usage(root).free
        return ((self.where(), self._link.about().free_bytes), (str(root), near))

    def read(self, name: str) -> bytes | None:
        """The content of a small file, or None."""
        try:
            return self._link.ask(lambda client: self._small(client, name))
        except FileNotFoundError:
            return None

    def _small(self, client: httpx.Client, name: str) -> bytes:
        with client.stream("GET", FILE, params={"name": name}) as said:
            self._checked(said)
            if int(said.headers.get("Content-Length", "0")) > MOST_SMALL_BYTES:
                raise WorkspaceError(
                    f"ledger: {self.where(name)} is larger than what belongs there",
                    remedy="Look at it on the server's machine.",
                )
            return said.read()

    def names(self, folder: str) -> tuple[str, ...]:
        """Names of what lies in a folder."""
        return self._link.do("names", Ask(name=folder)).names

    def each(self, folder: str, name: str) -> dict[str, bytes | None]:
        """The content of the file of that name in each folder in a folder."""
        return self._link.do("each", Ask(name=folder, other=name)).contents

    def make_folder(self, name: str) -> None:
        """Makes a folder, if it is not there."""
        self._do("make", Ask(name=name))

    def write(self, name: str, content: bytes) -> None:
        """Writes or replaces a small file in one step."""
        self._do("write", Ask(name=name, new=content))

    def swap(self, name: str, old: bytes | None, new: bytes) -> None:
        """Replaces a small file that is as this run knows it."""
        self._do("swap", Ask(name=name, old=old, new=new))

    def move(self, old: str, new: str) -> None:
        """Gives a folder another name."""
        self._do("move", Ask(name=old, other=new))

    def hold(self, names: Sequence[str], *, wait_s: float) -> RemoteHold | None:
        """Holds the first of some locks that is free."""
        return self._lease.hold(names, wait_s=wait_s)

    def workplace(self, name: str, tag: str) -> Path:
        """A folder of this machine that outlives the run, empty."""
        folder = spool_of(name, tag)
        with told_of(folder):
            # Of this attempt nothing has come yet: it was planned, or put back by the service.
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True, mode=0o700)
        return folder

    def deliver(self, name: str, tag: str) -> None:
        """Sends what has come whole; the file that says so comes last."""
        folder = spool_of(name, tag)
        if not (folder / SPLIT).is_file():
            return
        with told_of(folder):
            files = sorted(folder.iterdir(), key=lambda path: path.name == SPLIT)
            self.make_folder(name)
            for path in files:
                self._send(path, f"{name}/{path.name}")

    def _send(self, path: Path, name: str) -> None:
        size = path.stat().st_size

        def send(client: httpx.Client) -> httpx.Response:
            with path.open("rb") as file:
                blocks: Iterator[bytes] = iter(lambda: file.read(_BLOCK_BYTES), b"")
                return client.put(
                    FILE,
                    params={"name": name},
                    content=blocks,
                    headers={"Content-Length": str(size), SESSION_HEADER: self._lease.session},
                )

        self._link.ask(send)

    def fetch(self, name: str, into: Path) -> Path | None:
        """A big file, written to a folder."""
        path = into / name.rpartition("/")[2]
        with told_of(into):
            into.mkdir(parents=True, exist_ok=True)
        try:
            self._link.ask(lambda client: self._receive(client, name, path))
        except FileNotFoundError:
            return None
        return path

    def _receive(self, client: httpx.Client, name: str, path: Path) -> None:
        with client.stream("GET", FILE, params={"name": name}) as said:
            self._checked(said)
            with told_of(path):
                with path.open("wb") as file:
                    for block in said.iter_raw(_BLOCK_BYTES):
                        file.write(block)
                sync(path)

    def _checked(self, said: httpx.Response) -> None:
        if not said.is_success:
            said.read()
            self._link.check(said)

    def _do(self, what: str, ask: Ask) -> Said:
        return self._link.do(what, replace(ask, session=self._lease.session))
