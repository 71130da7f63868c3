"""A log of a run as a file: a line per event, as text or as JSON (schema/log-1.json).

The file is appended to, each line in one write: several processes may share it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import math
import os
import re
import stat
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, Literal

from scorebed.delivery import require_folder
from scorebed.errors import ScorebedError, SettingsError, WorkspaceError
from scorebed.journal import LOG

SCHEMA_VERSION = 1
SCHEMA_PATH = Path(__file__).parent / "schema" / "log-1.json"

Form = Literal["text", "json"]
Level = Literal["debug", "info", "warning", "error"]

_HEAD_BYTES = 4096
_SECRET = re.compile(r"API_?KEY|TOKEN|SECRET|PASSWORD|PASSWD|AUTHORIZATION", re.IGNORECASE)
_LEAST_SECRET = 6
"""Shorter values are words that stand everywhere."""
_AGAIN_S = 60.0
"""So long after a line could not be written none is tried: what has no room asks for none."""
_LOCK = threading.Lock()
_OPEN: list[logging.Handler] = []
_former_level = logging.NOTSET


@contextmanager
def log_to(
    path: Path, *, form: Form = "text", level: Level = "info", lost: Callable[[str], None]
) -> Iterator[None]:
    """Has all that is logged meanwhile appended to a file; afterwards logging is as it was.

    Args:
        path: The file; made if it is not there. A device such as ``/dev/stderr`` will do.
        form: Lines for a person, or JSON Lines.
        level: The least that is logged; ``debug`` has ffmpeg's command lines.
        lost: Told if a line cannot be written: the work goes on without the log, until a line can
            be, which is tried once a minute. Of a file that was renamed another is made.

    Raises:
        SettingsError: If the file's folder is missing, or it is a folder or no text.
        WorkspaceError: If it cannot be written.
    """
    handler = _LineFile(path, _opened(path), lost)
    handler.setLevel(level.upper())
    handler.setFormatter(_Json() if form == "json" else _Text())
    _begin(handler)
    try:
        yield
    finally:
        _end(handler)
        handler.close()


@contextmanager
def log_through(
    send: Callable[[str], None], *, form: Form = "text", level: Level = "info"
) -> Iterator[None]:
    """Has all that is logged meanwhile handed on line by line, for another process to write.

    Args:
        send: Takes a line, without its end. Where it raises an OSError, nobody hears any more.
        form: As for ``log_to``.
        level: The least that is logged.
    """
    handler = _Lines(send)
    handler.setLevel(level.upper())
    handler.setFormatter(_Json() if form == "json" else _Text())
    _begin(handler)
    try:
        yield
    finally:
        _end(handler)
        handler.close()


def append_line(path: Path, line: str) -> None:
    """Adds a line that another process has logged, in one write.

    Raises:
        OSError: If it cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        _write_whole(descriptor, _encoded(line))
    finally:
        os.close(descriptor)


def _begin(handler: logging.Handler) -> None:
    global _former_level  # noqa: PLW0603 - the logger's level is one for the process
    with _LOCK:
        if not _OPEN:
            _former_level = LOG.level
        _OPEN.append(handler)
        LOG.setLevel(min(one.level for one in _OPEN))
        LOG.addHandler(handler)


def _end(handler: logging.Handler) -> None:
    with _LOCK:
        LOG.removeHandler(handler)
        _OPEN.remove(handler)
        LOG.setLevel(min((one.level for one in _OPEN), default=_former_level))


def _opened(path: Path) -> int:
    """A descriptor to append to."""
    if path.is_dir():
        raise SettingsError(
            f"log: {path} is a folder", remedy="Give the name of a file with --log-file."
        )
    if not path.exists():
        require_folder(path.parent, stage="log")
    try:
        if path.is_file() and b"\0" in _head(path):
            raise SettingsError(
                f"log: {path} is not a log, it holds no text",
                remedy="Give another name with --log-file.",
            )
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        descriptor = os.open(path, flags, 0o666)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            _finish_line(path, descriptor)
    except OSError as error:
        raise WorkspaceError(
            f"log: {path} cannot be written ({error.strerror or error})",
            remedy="Give --log-file a file that you may write to.",
        ) from error
    return descriptor


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def _finish_line(path: Path, descriptor: int) -> None:
    """A line that a full disk or a power cut has cut short must not swallow the next."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        if file.read() not in {b"", b"\n"}:
            os.write(descriptor, b"\n")


class _LineFile(logging.Handler):
    """Appends each record in one write, to the file that has the name now."""

    def __init__(self, path: Path, descriptor: int, lost: Callable[[str], None]) -> None:
        super().__init__()
        self._path = path
        self._descriptor: int | None = descriptor
        self._lost = lost
        self._is_lost = False
        self._again_at = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        if monotonic() < self._again_at:
            return
        try:
            if self._descriptor is not None and _has_moved(self._path, self._descriptor):
                self._let_go()
            if self._descriptor is None:
                self._descriptor = _opened(self._path)
            _write_whole(self._descriptor, _encoded(_without_secrets(self.format(record))))
            self._is_lost = False
        except (OSError, ScorebedError) as error:
            self._let_go()
            self._again_at = monotonic() + _AGAIN_S
            if not self._is_lost:
                self._is_lost = True
                why = error.strerror if isinstance(error, OSError) else error
                self._lost(
                    f"note       the log {self._path} cannot be written ({why}): "
                    "the work goes on without it"
                )

    def close(self) -> None:
        self._let_go()
        self._again_at = math.inf
        super().close()

    def _let_go(self) -> None:
        if self._descriptor is not None:
            with contextlib.suppress(OSError):  # what could be written is there
                os.close(self._descriptor)
            self._descriptor = None


class _Lines(logging.Handler):
    """Hands each record on as a line."""

    def __init__(self, send: Callable[[str], None]) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        # Whoever is gone hears nothing; what is at work must not fail by its log.
        with contextlib.suppress(OSError):
            self._send(_without_secrets(self.format(record)))


def _has_moved(path: Path, descriptor: int) -> bool:
    """Whether the name is another file's by now: a log may be put away under a name of its day."""
    opened = os.fstat(descriptor)
    if not stat.S_ISREG(opened.st_mode):
        return False
    try:
        return not os.path.samestat(path.stat(), opened)
    except FileNotFoundError:
        return True


def _encoded(line: str) -> bytes:
    return line.encode(errors="backslashreplace") + b"\n"


def _write_whole(descriptor: int, line: bytes) -> None:
    if os.write(descriptor, line) < len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _without_secrets(line: str) -> str:
    """A line without the values of what the environment calls a key, a token or a password."""
    for name, value in os.environ.items():
        if _SECRET.search(name) and len(value.strip()) >= _LEAST_SECRET:
            line = line.replace(value.strip(), "[hidden]")
    return line


def _told(record: logging.LogRecord) -> dict[str, Any]:
    """What a line holds; nothing but the message where another package logs below our name."""
    when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    known = {name: getattr(record, name, None) for name in ("file", "stage", "elapsed_s")}
    error = record.exc_info and record.exc_info[1]
    trace = "".join(traceback.format_exception(error)) if error else None
    return {
        "schema": SCHEMA_VERSION,
        "time": when,
        "level": record.levelname.lower(),
        "process": record.process,
        **known,
        "message": record.getMessage(),
        "remedy": getattr(record, "remedy", None),
        "traceback": trace,
    }


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(_told(record))


class _Text(logging.Formatter):
    """``TIME LEVEL FILE [STAGE] +SECONDS message``, on one line whatever it holds."""

    def format(self, record: logging.LogRecord) -> str:
        told = _told(record)
        words = [told["time"], f"{told['level'].upper():<7}", told["file"] or "-"]
        words.append(f"[{told['stage'] or '-'}]")
        if told["elapsed_s"] is not None:
            words.append(f"+{told['elapsed_s']:.3f}")
        words.append(told["message"])
        if told["remedy"]:
            words.append(f"| {told['remedy']}")
        if told["traceback"]:
            words.append(f"| {told['traceback']}")
        return on_one_line(" ".join(words))


def on_one_line(text: str) -> str:
    """A text without anything that a terminal would obey, or that would end the line.

    Args:
        text: May hold the names of files.
    """
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )
