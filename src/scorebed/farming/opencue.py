"""The job for OpenCue: a file of commands for ``cuecmd``, and layers for ``pycuerun``.

``cuecmd`` runs each line as a frame of one layer, in a shell: there each film is done in one go. An
outline knows layers that wait for each other frame by frame, and limits.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from scorebed.errors import SettingsError
from scorebed.farming.openjd import ranges
from scorebed.farming.task import STEPS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scorebed.farming.rows import Row

COMMANDS = "scorebed.cmds"
OUTLINE = "scorebed.outline"


def commands(rows: Sequence[Row], films: Path, *, command: str) -> str:
    """A line per film, for a POSIX shell.

    Args:
        rows: The films.
        films: Where they are written.
        command: How a worker calls scorebed.

    Raises:
        SettingsError: If a line would be two.
    """
    words = [command, "farm", "task", str(films), "--film"]
    # As cuecmd reads them: whatever Python takes for the end of a line.
    if any(len(word.splitlines()) > 1 for word in words):
        raise SettingsError(
            f"farm: {str(films)!r} holds a line break, and OpenCue's commands are lines",
            remedy="Give the job a folder without one.",
        )
    return "".join(f"{shlex.join([*words, str(row.number)])}\n" for row in rows)


def outline(rows: Sequence[Row], films: Path, *, command: str, limit: str | None) -> str:
    """A script of PyOutline: three layers, a frame per film.

    Args:
        rows: The films.
        films: Where they are written.
        command: How a worker calls scorebed.
        limit: Name of OpenCue's limit on the layer that composes; None for none.
    """
    task = [command, "farm", "task", str(films), "--film", "%{FRAME}", "--step"]
    lines = [
        '"""Three layers, a frame per film; a frame waits for the same one of the layer before."""',
        "",
        "from outline.modules.shell import Shell",
        "",
        f"TASK = {task!r}",
        f"FILMS = {ranges([row.number for row in rows])!r}",
        "",
    ]
    for step, before in zip(STEPS, (None, *STEPS), strict=False):
        held = f", limits=[{limit!r}]" if limit is not None and step == "compose" else ""
        lines.append(
            f'{step} = Shell("{step}", command=[*TASK, "{step}"], range=FILMS, threads=1, '
            f'memory="1g"{held})'
        )
        if before is not None:
            lines.append(f"{step}.depend_on({before})")
    return "\n".join(lines) + "\n"
