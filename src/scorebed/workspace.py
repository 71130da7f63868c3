"""Stage runner: keyed by what goes in, kept on disk, written atomically, resumed after a kill.

ROOT/CACHEDIR.TAG, ROOT/.scorebed-workspace       what the folder is
ROOT/<source>/<stage>-<key>/result.json           what a finished stage returned
ROOT/<source>/<stage>-<key>/*                     the files it made
ROOT/<source>/<stage>-<key>.tmp/                  a stage at work, or what a killed one left
ROOT/<source>/<stage>-<key>.lock                  held while it works: two runs do it once
ROOT/<source>/use-*.lock                          held by a run while it needs the folder
"""

from __future__ import annotations

import errno
import functools
import hashlib
import logging
import math
import os
import re
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import filelock
import msgspec
import platformdirs

from scorebed import __version__
from scorebed.errors import WorkspaceError, no_room
from scorebed.journal import in_stage, note
from scorebed.memory import give_back
from scorebed.model import Progress, SourceFile, StageRun

if TYPE_CHECKING:
    from types import TracebackType

CACHE_LIMIT_BYTES = 20_000_000_000
"""The default cache is brought under this after a run, oldest first."""

_MARK = ".scorebed-workspace"
_TAG = "CACHEDIR.TAG"
_TAG_TEXT = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This folder holds what scorebed can make again. See https://bford.info/cachedir/\n"
)
_RESULT = "result.json"
_NAME = re.compile(r"[0-9a-f]{24}(\.gone)?")

T = TypeVar("T")


def default_root() -> Path:
    """The folder of the user's caches where workspaces lie if ``--workspace`` names no other."""
    return platformdirs.user_cache_path("scorebed")


class Workspace:
    """The stages of one source, run at most once for the same inputs.

    Use it as a context manager: while it is open, its folder is not cleaned away by another run.

    Args:
        root: Folder that holds all workspaces; made if it is not there.
        source: The file that is worked on.

    Raises:
        WorkspaceError: If the folder is not ours or cannot be written.
    """

    def __init__(self, root: Path, source: SourceFile) -> None:
        self.runs: list[StageRun] = []
        self.root = root
        claim_root(root)
        self.folder = root / source.fingerprint[:24]
        self._use: filelock.FileLock | None = None

    def __enter__(self) -> Self:
        with disk("workspace", self.folder):
            self.folder.mkdir(exist_ok=True)
            os.utime(self.folder)
            self._use = _lock(self.folder / f"use-{uuid.uuid4().hex[:12]}.lock")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._use is not None:
            self._use.release()
            Path(self._use.lock_file).unlink(missing_ok=True)

    def run(
        self,
        stage: Callable[..., T],
        *inputs: object,
        gives: type[T],
        progress: Progress,
        beside: Mapping[str, object] | None = None,
        stream: int | None = None,
    ) -> T:
        """The result of a stage: from an earlier run if there is one, else by running it.

        Args:
            stage: A function that takes ``inputs``, ``folder`` and ``progress``, writes only under
                the folder, and returns a frozen result. Its module's ``VERSION`` is in the key.
            inputs: What it works on; paths do not count for the key, contents do.
            gives: The type of its result.
            progress: Handed to the stage.
            beside: Further arguments that do not change the result and are not in the key.
            stream: The further audio stream that this run of the stage is for; it is only noted.

        Raises:
            WorkspaceError: If the disk is full or the folder cannot be written.
        """
        name = stage.__name__
        begun = time.monotonic()
        final = self.folder / f"{name}-{_key(stage, inputs)}"
        with in_stage(name):
            result = self._load(final, gives)
            cached = result is not None
            if result is None:
                note(logging.INFO, "begins")
                with disk(name, self.folder), self._locked(final):
                    # Another run may have done it while this one waited for the lock.
                    result = self._load(final, gives)
                    cached = result is not None
                    if result is None:
                        result = self._make(
                            functools.partial(stage, *inputs, progress=progress, **(beside or {})),
                            final,
                            gives,
                        )
            self._note(name, begun, cached=cached, stream=stream)
        return result

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Notes a stage that is never kept: its result goes to the user, not here."""
        begun = time.monotonic()
        with in_stage(name):
            note(logging.INFO, "begins")
            with disk(name, self.folder):
                yield
            self._note(name, begun, cached=False)

    def _note(self, name: str, begun: float, *, cached: bool, stream: int | None = None) -> None:
        give_back()
        elapsed_s = round(time.monotonic() - begun, 3)
        self.runs.append(StageRun(name=name, elapsed_s=elapsed_s, cached=cached, stream=stream))
        note(logging.INFO, "kept from before" if cached else f"done in {elapsed_s:.3f} s")

    def _locked(self, final: Path) -> filelock.BaseFileLock:
        return _lock(final.with_name(final.name + ".lock"))

    def _load(self, final: Path, gives: type[T]) -> T | None:
        """The kept result, or None: also where a crash or a broken disk has left only a part."""
        try:
            raw = (final / _RESULT).read_bytes()
            return msgspec.json.decode(raw, type=gives, dec_hook=self._decode)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def _make(
        self,
        stage: Callable[..., T],
        final: Path,
        gives: type[T],
    ) -> T:
        working = final.with_name(final.name + ".tmp")
        # We hold the lock: what lies here was left by a run that was killed.
        shutil.rmtree(working, ignore_errors=True)
        working.mkdir()
        try:
            return self._made(stage(folder=working), working, final, gives)
        except BaseException:
            # Where the disk is full it is room; nothing in it is of use to the next run.
            shutil.rmtree(working, ignore_errors=True)
            raise

    def _made(self, result: T, working: Path, final: Path, gives: type[T]) -> T:
        """A result whose files lie there, under its final name."""

        def encode(value: object) -> object:
            if isinstance(value, Path) and value.is_relative_to(working):
                value = final / value.relative_to(working)
            return self._encode(value)

        (working / _RESULT).write_bytes(msgspec.json.encode(result, enc_hook=encode))
        for path in working.rglob("*"):
            if path.is_file():
                _sync(path)
        # What lies under the final name could not be read: it is a ruin.
        shutil.rmtree(final, ignore_errors=True)
        working.rename(final)
        loaded = self._load(final, gives)
        assert loaded is not None
        return loaded

    def _encode(self, value: object) -> object:
        if isinstance(value, Path):
            return str(value.relative_to(self.folder))
        return _encode_exact(value)

    def _decode(self, kind: type[Any], value: Any) -> Any:  # noqa: ANN401 - msgspec's contract
        if kind is Path:
            path = self.folder / value
            if not path.is_file():
                raise FileNotFoundError(errno.ENOENT, "a kept file is gone", str(path))
            return path
        if kind is Fraction:
            return Fraction(value)
        raise NotImplementedError(kind)  # what msgspec asks for


def _sync(path: Path) -> None:
    """Waits until a file is on the disk: a power cut must not leave an empty one."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _encode_exact(value: object) -> object:
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    raise TypeError(f"a stage result holds {type(value).__name__}, which has no JSON form")


def _key(stage: Callable[..., object], inputs: tuple[object, ...]) -> str:
    def encode(value: object) -> object:
        # Where a file lies is not what is in it; the hash beside the path is.
        return "" if isinstance(value, Path) else _encode_exact(value)

    version = getattr(sys.modules[stage.__module__], "VERSION", 0)
    told = msgspec.json.encode([__version__, stage.__name__, version, inputs], enc_hook=encode)
    return hashlib.sha256(told).hexdigest()[:24]


# --- the folder --------------------------------------------------------------------------------


def claim_root(root: Path) -> None:
    """Makes the folder ours, or refuses one that holds other things."""
    with disk("workspace", root):
        root.mkdir(parents=True, exist_ok=True)
        if (root / _MARK).exists():
            return
        # Only these two: a run was stopped, or another one is just now making the folder; which may
        # have marked it since, and put more in.
        others = any(entry.name not in {_MARK, _TAG} for entry in root.iterdir())
        if others and not (root / _MARK).exists():
            raise WorkspaceError(
                f"workspace: {root} holds other files and is not a scorebed workspace",
                remedy="Give --workspace an empty or new folder.",
            )
        # The mark last: with it the folder is taken for whole.
        (root / _TAG).write_text(_TAG_TEXT)
        (root / _MARK).write_text("1\n")


def _lock(path: Path) -> filelock.FileLock:
    lock = filelock.FileLock(path)
    lock.acquire(poll_interval=0.1)
    return lock


class disk:  # noqa: N801 - reads as the words `with disk`
    """Turns what the operating system says of the disk into an error with a remedy.

    Args:
        stage: Named in errors.
        folder: In the workspace.
    """

    def __init__(self, stage: str, folder: Path) -> None:
        self._stage = stage
        self._folder = folder

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not isinstance(error, OSError):
            return
        full = no_room(error.errno)
        if full is not None:
            raise WorkspaceError(
                f"{self._stage}: the disk of {self._folder} {full[0]}",
                remedy=f"{full[1]}, or give --workspace a folder on another disk, and run the same "
                "command again: it goes on where it stopped.",
            ) from error
        raise WorkspaceError(
            f"{self._stage}: {self._folder} cannot be used ({error.strerror or error})",
            remedy="Give --workspace a folder that you may write to.",
        ) from error


def check_room(
    folder: Path, needed_bytes: int, *, stage: str = "workspace", option: str = "--workspace"
) -> None:
    """Refuses to start what cannot end for want of room.

    Args:
        folder: What is written to.
        needed_bytes: How much, in bytes.
        stage: Named in errors.
        option: What names another folder.

    Raises:
        WorkspaceError: If the disk has less than ``needed_bytes`` free.
    """
    with disk(stage, folder):
        free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise WorkspaceError(
            f"{stage}: about {math.ceil(needed_bytes / 1e5) / 10:g} MB are needed in {folder}, "
            f"{math.floor(free_bytes / 1e5) / 10:g} MB are free",
            remedy=f"Make room, or give {option} a folder on another disk.",
        )


def size_bytes(root: Path) -> int:
    """How much all workspaces under a root hold, in bytes."""
    return sum(_folder_bytes(folder) for folder in _workspaces(root))


def prune(root: Path, limit_bytes: int = CACHE_LIMIT_BYTES) -> None:
    """Removes the workspaces that were used longest ago until the rest is under the limit.

    A workspace that a run has open is left alone.
    """
    folders = sorted(_workspaces(root), key=lambda folder: folder.stat().st_mtime)
    sizes = {folder: _folder_bytes(folder) for folder in folders}
    total = sum(sizes.values())
    for folder in folders:
        if total <= limit_bytes:
            return
        if not _in_use(folder) and _remove(folder):
            total -= sizes[folder]


def drop(root: Path, source: SourceFile) -> None:
    """Removes what was kept of a file, unless a run has it open.

    Args:
        root: Folder that holds all workspaces.
        source: The file.
    """
    folder = root / source.fingerprint[:24]
    if folder in _workspaces(root) and not _in_use(folder):
        _remove(folder)


def _remove(folder: Path) -> bool:
    # Away with the name first: what is half removed must not be found by a run.
    gone = folder.with_name(f"{folder.name}.gone")
    try:
        folder.rename(gone)
    except OSError:  # a run has just opened it (Windows), or another one removes it too
        return False
    shutil.rmtree(gone, ignore_errors=True)
    return True


def prune_default(root: Path) -> None:
    """Prunes the root that is used where nobody names one; a folder of the user's own is left.

    Args:
        root: Of the run that has ended.
    """
    if root == default_root():
        prune(root)


def _workspaces(root: Path) -> list[Path]:
    if not (root / _MARK).is_file():
        return []
    return [entry for entry in root.iterdir() if entry.is_dir() and _NAME.fullmatch(entry.name)]


def _folder_bytes(folder: Path) -> int:
    total = 0
    for base, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(base) / name).stat().st_size
            except FileNotFoundError:  # another run has just finished with it
                continue
    return total


def _in_use(folder: Path) -> bool:
    for path in folder.glob("*.lock"):
        lock = filelock.FileLock(path)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            return True
        lock.release()
    return False
