"""A stand-in for a disk that fills up: from a chosen write on, all that is written there fails.

It needs no rights, no mount and no compiler. Python's own writes, the WAVs that libsndfile writes,
and ffmpeg, which writes a few bytes and says what it says of a full disk, are told apart by name:
``write work/probe-*/result.json #1``. Also in processes that are started meanwhile, which load this
file from a ``sitecustomize`` (see ``environment``). What is removed is removed: that needs no room.
"""

from __future__ import annotations

import builtins
import errno
import io
import json
import os
import re
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

_VARIABLE = "SCOREBED_TEST_DISK"
_RANDOM = re.compile(
    r"[0-9a-f]{8,}|(?<=trial-)\w{8}|(?<=scorebed-)[a-z0-9_]{8}|(?<=/)[a-z0-9_]{8}$"
)
_LASTING = ExitStack()
_MOST_OF_A_FILE = 2
"""The third write to a file fails as the second does."""
_FFMPEG = (
    "import sys; open(sys.argv[1], 'wb').write(b'half'); "
    "sys.exit(f'[out#0] Error writing trailer of {sys.argv[1]}: No space left on device')"
)


class FullDisk:
    """The disk.

    Args:
        control: A folder on another disk: what was written is noted there, and whether it is full.
        roots: Folders that lie on it, by the name that they have in ``seen``.
        spared: Names of writes that it has room for: it is full at the first other one. None if it
            never is.
        only: Name of the one write that it is full at; None for what ``spared`` says.
    """

    def __init__(
        self,
        control: Path,
        roots: dict[str, Path],
        spared: Collection[str] | None = None,
        only: str | None = None,
    ) -> None:
        self.control = control
        self.roots = roots
        self.spared = None if spared is None else frozenset(spared)
        self.only = only
        self._counts: Counter[str] = Counter()
        self._names: dict[int, str] = {}
        self._plain_open = io.open
        self._plain_os_open = os.open

    @property
    def full_at(self) -> str | None:
        """Name of the write at which it was full; None if it has room."""
        try:
            return os.readlink(self.control / "full")  # noqa: PTH115 - no path: "." counts
        except FileNotFoundError:
            return None

    def seen(self) -> list[str]:
        """Names of all writes so far, each once, in order."""
        return list(dict.fromkeys((self.control / "seen").read_text().splitlines()))

    def environment(self, site: Path) -> dict[str, str]:
        """What processes have to be given that are to write to this disk.

        Args:
            site: An empty folder.
        """
        (site / "sitecustomize.py").write_text(
            f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
            "import full_disk; full_disk.put_under_process(); del sys.path[0]\n"
        )
        spared = None if self.spared is None else sorted(self.spared)
        told = [
            str(self.control),
            {name: str(root) for name, root in self.roots.items()},
            spared,
            self.only,
        ]
        path = os.environ.get("PYTHONPATH")
        return {
            _VARIABLE: json.dumps(told),
            "PYTHONPATH": os.pathsep.join([str(site), *([path] if path else [])]),
        }

    def name_of(self, path: object) -> str | None:
        """What a file is called in ``seen``; None for one that is elsewhere."""
        if not isinstance(path, str | bytes | os.PathLike):
            return None
        full = Path(os.path.abspath(os.fsdecode(path)))  # noqa: PTH100 - links are not followed
        for name, root in self.roots.items():
            if full.is_relative_to(root):
                return _RANDOM.sub("*", f"{name}/{full.relative_to(root)}")
        return None

    def has_no_room(self, kind: str, name: str | None) -> bool:
        """Whether a write fails; it is noted."""
        if name is None:
            return False
        self._counts[f"{kind} {name}"] += 1
        count = min(self._counts[f"{kind} {name}"], _MOST_OF_A_FILE)
        one = f"{kind} {name} #{count}"
        with self._plain_open(self.control / "seen", "a", encoding="utf-8") as seen:
            seen.write(f"{one}\n")
        spared = self.spared is None or one in self.spared
        if self.full_at is None and (one == self.only or not spared):
            (self.control / "full").symlink_to(one)
        return self.full_at is not None

    def ask(self, kind: str, path: object) -> None:
        """Raises what the system says of a full disk, if it is."""
        if self.has_no_room(kind, self.name_of(path)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    @contextmanager
    def put_under(self) -> Iterator[None]:
        """Lets this process write to it."""
        import soundfile  # noqa: PLC0415 - a process may end before it wants it

        with ExitStack() as stack:
            for target, name, new in (
                (builtins, "open", self._open),
                (io, "open", self._open),
                (os, "open", self._os_open),
                (os, "write", self._about_handle("write", os.write)),
                (os, "fsync", self._about_handle("sync", os.fsync)),
                (os, "mkdir", self._about("mkdir", os.mkdir)),
                (os, "link", self._about("link", os.link)),
                (os, "rename", self._about("rename", os.rename)),
                (os, "replace", self._about("rename", os.replace)),
                (subprocess, "Popen", self._popen()),
                (soundfile, "SoundFile", self._sound_file(soundfile)),
            ):
                stack.enter_context(patch.object(target, name, new))
            yield

    def _about(self, kind: str, plain: Callable[..., Any]) -> Callable[..., Any]:
        def asked(*args: Any, **named: Any) -> Any:
            self.ask(kind, args[-1] if kind != "mkdir" else args[0])
            return plain(*args, **named)

        return asked

    def _about_handle(self, kind: str, plain: Callable[..., Any]) -> Callable[..., Any]:
        def asked(handle: int, *args: Any) -> Any:
            path = self._names.get(handle)
            # A handle that was closed may be another file's, or a pipe's, by now.
            there = path is not None and Path(path).exists()
            if path and there and os.path.samestat(os.fstat(handle), os.stat(path)):  # noqa: PTH116
                self.ask(kind, path)
            return plain(handle, *args)

        return asked

    def _os_open(self, path: Any, flags: int, *args: Any, **named: Any) -> int:
        if flags & os.O_CREAT and not os.path.lexists(path):
            self.ask("create", path)
        handle = self._plain_os_open(path, flags, *args, **named)
        self._names.pop(handle, None)
        if flags & (os.O_WRONLY | os.O_RDWR) and self.name_of(path) is not None:
            self._names[handle] = os.fsdecode(path)
        return handle

    def _open(
        self,
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,  # noqa: FBT001, FBT002
        opener: Any = None,
    ) -> Any:
        if set(mode).isdisjoint("wax+") or self.name_of(file) is None or opener is not None:
            return self._plain_open(
                file, mode, buffering, encoding, errors, newline, closefd, opener
            )
        if not os.path.lexists(file):
            self.ask("create", file)
        raw = _Raw(self, file, mode.replace("b", "").replace("t", ""))
        self._names[raw.fileno()] = os.fsdecode(file)
        if buffering == 0:
            return raw
        buffer = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        if "b" in mode:
            return buffer
        return io.TextIOWrapper(buffer, encoding, errors, newline)

    def _popen(self) -> Any:
        disk = self

        class Popen(subprocess.Popen):  # type: ignore[type-arg]
            def __init__(self, args: Any, *more: Any, **named: Any) -> None:
                target = str(args[-1]).removeprefix("file:")
                if str(args[-1]).startswith("file:") and args[-2] != "-i":
                    name = disk.name_of(target)
                    if disk.has_no_room("ffmpeg", name):
                        args = [sys.executable, "-c", _FFMPEG, target]
                        named["env"] = {}
                super().__init__(args, *more, **named)

        return Popen

    def _sound_file(self, soundfile: Any) -> Any:
        disk = self

        class SoundFile(soundfile.SoundFile):  # type: ignore[misc]
            def __init__(self, file: Any, mode: str | None = "r", *args: Any, **named: Any) -> None:
                self._wanted = None if mode == "r" else file
                # It says of every reason no more than this.
                if self._wanted is not None and disk.has_no_room("create", disk.name_of(file)):
                    raise soundfile.LibsndfileError(2)
                super().__init__(file, mode, *args, **named)

            def write(self, data: Any) -> None:
                # What the plain one does where the system has taken a part.
                wanted = self._wanted
                assert not disk.has_no_room("write", disk.name_of(wanted)), "written != frames"
                super().write(data)

        return SoundFile


class _Raw(io.FileIO):
    def __init__(self, disk: FullDisk, path: Any, mode: str) -> None:
        super().__init__(path, mode)
        self._disk = disk
        self._path = path

    def write(self, data: Any) -> int:
        self._disk.ask("write", self._path)
        return super().write(data)


def put_under_process() -> None:
    """Lets this process, to its end, write to the disk that its environment names."""
    told = os.environ.get(_VARIABLE)
    if told is None:
        return
    control, roots, spared, only = json.loads(told)
    disk = FullDisk(Path(control), {name: Path(root) for name, root in roots.items()}, spared, only)
    _LASTING.enter_context(disk.put_under())
