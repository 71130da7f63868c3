"""Films that are queued by whoever must not wait: a job file each, for a watch to read.

DATA/hook/queue/*.scorebed.json     jobs that nobody has named a queue for
DATA/hook/record/batch.jsonl        what became of them
DATA/hook/hook.log                  what went wrong, also where no output was known
DATA/hook/worker.lock               held by the process that works them off

Nothing here imports numpy or ffmpeg: an editor stands still meanwhile.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from scorebed.delivery import (
    default_output,
    publish_text,
    require_folder,
    told_of,
)
from scorebed.detached import start_detached
from scorebed.errors import MediaError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

OF_THE_WATCH = (
    *("base_url", "service", "key_file", "ledger", "purse", "max_spend", "buy_again"),
    *("price_per_minute", "reference_audio", "zero_retention", "fallback", "api_form"),
)
"""Whose key goes where, what is sent with it, and what it may cost, is for who runs a watch to say,
not for everybody who may write into its folder."""
_STAGE = "hook"
_APP = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+-]{0,39}")
_URL = re.compile(r"file:(?://(?:localhost)?(?=/)|(?=/(?!/)))", re.IGNORECASE)
_FAR = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_DRIVE = re.compile(r"/[A-Za-z]:")
_ENCODED = re.compile(rb"%([0-9A-Fa-f]{2})")
_ODD = re.compile(r"[^\w.-]+")
_NAME_SIGNS = 60
_CODE = (
    # Beside an editor it comes second, from its first import on; Windows has no such call.
    "import json, os, sys; getattr(os, 'nice', int)(10); "
    "sys.path[:] = json.loads(sys.argv.pop(1)); "
    "from scorebed.watching.drain import main; main()"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A film that is to be queued."""

    app: str
    """Who asks."""
    video: Path
    """The film."""
    output: Path
    """Where its result goes."""


def queue_root() -> Path:
    """The folder of the user's own queue, of its record and its worker."""
    return platformdirs.user_data_path("scorebed") / "hook"


def own_queue() -> Path:
    """The folder that jobs go to where no other is named."""
    return queue_root() / "queue"


def asked_by(app: str, given: str, *, output: Path | None, out: Path | None) -> Asked:
    """What a program asks for, as it says it.

    Args:
        app: The word for the program.
        given: A path, or a ``file://`` URL, perhaps in quotes.
        output: Where the result goes; None for the usual name.
        out: The folder of the result, where no output is named; None for beside the film.

    Raises:
        SettingsError: If the word is none.
        MediaError: If what it says is of another machine.
    """
    if not _APP.fullmatch(app) or Path(app).is_file():
        raise SettingsError(
            f"hook: {app!r} is no word for the program that calls",
            remedy="Write it before the film, for example: scorebed hook resolve film.mp4",
        )
    video = local_path(given).absolute()
    if output is None:
        output = default_output(video)
        output = output if out is None else out / output.name
    return Asked(app=app, video=video, output=output.absolute())


def local_path(given: str) -> Path:
    """The path that a program hands over.

    Args:
        given: A path or a ``file://`` URL; line ends around it and quotes are taken off.

    Raises:
        MediaError: If it is the URL of something else than a file of this machine.
    """
    text = given.strip("\r\n")
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" and not Path(text).exists():
        text = text[1:-1]
    url = _URL.match(text)
    if url is None and _FAR.match(text) and not Path(text).exists():
        raise MediaError(
            f"hook: {text} is no file of this machine",
            remedy="Give the path under which the film is found here.",
        )
    if url is None:
        return Path(text)
    raw = os.fsencode(text[url.end() :])
    plain = os.fsdecode(_ENCODED.sub(lambda code: bytes([int(code[1], 16)]), raw))
    return Path(plain[1:] if _DRIVE.match(plain) else plain)


def make_room(asked: Asked, out: Path | None) -> None:
    """Makes the folder of the results, as a batch does, if there is a film for it.

    Args:
        asked: The film.
        out: The folder, where one is named.

    Raises:
        MediaError: If the film is not there.
        WorkspaceError: If the folder cannot be made.
    """
    _require_film(asked.video)
    if out is not None:
        with told_of(out, stage=_STAGE):
            out.mkdir(parents=True, exist_ok=True)


def enqueue(asked: Asked, options: Mapping[str, Any], queue: Path | None) -> Path:
    """Writes the job file of a film, in one step.

    Args:
        asked: The film.
        options: Keys of a job file.
        queue: A folder that a watch reads; None for the user's own.

    Returns:
        The job file.

    Raises:
        MediaError: If the film is not there.
        SettingsError: If a folder is not there.
        WorkspaceError: If the job file cannot be written.
    """
    _require_film(asked.video)
    require_folder(asked.output.parent, stage=_STAGE)
    if queue is None:
        queue = own_queue()
        with told_of(queue, stage=_STAGE):
            queue.mkdir(parents=True, exist_ok=True, mode=0o700)
    elif not queue.is_dir():
        raise SettingsError(
            f"hook: the queue {queue} is no folder",
            remedy="Name the folder that scorebed watch reads, with --queue or SCOREBED_QUEUE.",
        )
    else:
        _refuse_options(options)
    number = uuid.uuid4().hex[:12]
    name = _ODD.sub("-", asked.video.stem)[:_NAME_SIGNS].strip(".-")
    places = {"video": str(asked.video), "output": str(asked.output)}
    table: dict[str, Any] = {**places, "app": asked.app, **options}
    if "max_spend" in table and queue == own_queue():
        # For this film, as with score: not for all that was ever queued.
        table.setdefault("purse", f"hook {number}")
    # Beginning with a word, and not with the sign that hides a file.
    file = queue.absolute() / f"{name or 'film'}-{number}.scorebed.json"
    with told_of(file, stage=_STAGE):
        publish_text(json.dumps(table), file)
    return file


def start_worker() -> None:
    """Starts the process that works the user's own queue off; where one does, it ends at once.

    Raises:
        ToolError: If it cannot be started.
    """
    start_detached(_CODE, [json.dumps(sys.path)], talk=_general_log())


def tell_apart(text: str) -> None:
    """Adds a line to the log of all hooks: an editor may show nobody what it was told.

    Args:
        text: What went wrong.
    """
    when = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    line = f"{when} {text}\n".encode(errors="backslashreplace")
    # It is said on stderr as well, and there is no third place.
    with suppress(OSError):
        queue_root().mkdir(parents=True, exist_ok=True)
        with _general_log().open("ab") as log:
            log.write(line)


def _general_log() -> Path:
    return queue_root() / "hook.log"


def pending() -> set[str]:
    """Names of the jobs in the user's own queue."""
    found: set[str] = set()
    with suppress(FileNotFoundError):
        found |= {path.name for path in own_queue().iterdir() if path.name.endswith(".json")}
    return found


def _refuse_options(options: Mapping[str, Any]) -> None:
    for name in OF_THE_WATCH:
        if name in options:
            flag = f"--{name.replace('_', '-')}"
            raise SettingsError(
                f"hook: {flag} is for who runs the watch to say, not for its queue",
                remedy=f"Leave it out, and start scorebed watch with {flag}.",
            )


def _require_film(video: Path) -> None:
    remedy = "Check the path that the program hands over: it has to be one finished film."
    try:
        folder, size_bytes = video.is_dir(), video.stat().st_size
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise MediaError(f"hook: {video} cannot be opened ({why})", remedy=remedy) from error
    if folder:
        raise MediaError(f"hook: {video} is a folder", remedy=remedy)
    if not size_bytes:
        raise MediaError(f"hook: {video} is empty (0 bytes)", remedy=remedy)
