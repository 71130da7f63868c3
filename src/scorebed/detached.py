"""A process that outlives whoever starts it.

A room of its own: the one for ffmpeg imports numpy, and an editor waits for who comes here.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

from scorebed.errors import ToolError

if TYPE_CHECKING:
    from pathlib import Path

_TALK_BYTES = 1_000_000


def start_detached(code: str, args: list[str], *, talk: Path) -> None:
    """Starts another Python as this one, in a session of its own, and does not wait for it.

    Args:
        code: What it runs.
        args: Its arguments.
        talk: A file that its stdout and stderr are added to; it also works in its folder.

    Raises:
        ToolError: If it cannot be started.
    """
    try:
        long = talk.exists() and talk.stat().st_size > _TALK_BYTES
        with talk.open("wb" if long else "ab") as said:
            process = subprocess.Popen(  # noqa: S603 - our own code, in the same interpreter
                [sys.executable, "-c", code, *args],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd=talk.parent,
                **_apart(),
            )
    except OSError as error:
        raise ToolError(
            f"hook: {sys.executable} could not be started in the background ({error})",
            remedy="The film is queued: close other programs, and run the same command again.",
        ) from error
    # Nobody waits for it, and Python need not warn of that.
    process.returncode = 0


def _apart() -> dict[str, Any]:
    """What keeps it from ending with its parent, or with a terminal."""
    if sys.platform == "win32":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
        return {"creationflags": flags}
    return {"start_new_session": True}
