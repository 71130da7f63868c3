"""Job files: the second way in, one film each, with options of its own.

``NAME.scorebed.json`` is also the name of what ``score`` writes beside a result: what it holds, not
what it is called, says which of the two a file is.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from scorebed.batching.manifest import read_job
from scorebed.delivery import is_result, read_at_most
from scorebed.errors import MediaError, ScorebedError, SettingsError
from scorebed.options import flag_of
from scorebed.watching.items import JOB_ENDING, Ask, Seen
from scorebed.watching.queue import OF_THE_WATCH

if TYPE_CHECKING:
    from scorebed.batching.items import Entry
    from scorebed.watching.items import WatchJob
    from scorebed.watching.memory import Memory

_MOST_BYTES = 1_000_000


def read_ask(job: WatchJob, file: Seen) -> Ask | None:
    """The job of a job file; None for the JSON of a result.

    Args:
        job: The watch.
        file: What may be a job file.

    Raises:
        SettingsError: If it is no job, or has an option that it may not have.
        MediaError: If it cannot be read.
    """
    try:
        raw = read_at_most(file.path, _MOST_BYTES + 1)
    except OSError as error:
        raise MediaError(
            f"watch: the job file {file.path} cannot be read ({error.strerror})",
            remedy="Check that it is a file that you may read.",
        ) from error
    if is_result(file.path):
        return None
    if len(raw) > _MOST_BYTES:
        raise SettingsError(
            f"watch: the job file {file.path} is too long for one",
            remedy='Write for example: {"video": "film.mp4"}',
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"watch: the job file {file.path} is not UTF-8 ({error.reason})",
            remedy="Save it as UTF-8.",
        ) from error
    entry = read_job(file.path, text, job.batch.options)
    if entry.output is not None:
        # As the record names it, without what a name may go back and forth by.
        entry = replace(entry, output=Path(os.path.normpath(entry.output)))
    _refuse_options(job, file, entry)
    _refuse_places(job, file, entry)
    # Not there before it is looked at.
    path = Path(os.path.abspath(entry.video))  # noqa: PTH100 - as the folder has it, without ..
    if path.is_dir():
        raise SettingsError(
            f"watch: {path}, which the job file {file.path} names, is a folder",
            remedy='Name one film there: {"video": "film.mp4"}',
        )
    return Ask(
        file=file,
        sha256=hashlib.sha256(raw).hexdigest(),
        entry=replace(entry, video=path),
        film=Seen(path=path, base=entry.base, number=0),
    )


def _refuse_options(job: WatchJob, file: Seen, entry: Entry) -> None:
    for name in () if job.own_queue else OF_THE_WATCH:
        if name in entry.said:
            raise SettingsError(
                f"watch: the job file {file.path} has {flag_of(name).removeprefix('--')}, which is "
                "for who runs the watch to say",
                remedy=f"Leave it out there, and start the watch with {flag_of(name)}.",
            )
    if job.batch.options.offline and not entry.options.offline and not job.own_queue:
        raise SettingsError(
            f"watch: the job file {file.path} turns offline off, and the watch runs with --offline",
            remedy="Leave it out there, or start the watch without --offline.",
        )


def unforeseen(path: Path, error: Exception) -> ScorebedError:
    """What nobody foresaw of a file is that file's failure, and not the watch's.

    Args:
        path: The film or the job file.
        error: What it has led to.
    """
    return ScorebedError(
        f"watch: unexpected on {path}: {type(error).__name__}: {error}",
        remedy="Take the file out of the folder, and report it with these words.",
    )


def absent(ask: Ask, job: WatchJob, memory: Memory) -> MediaError:
    """Why the film of a job is not there.

    Args:
        ask: The job.
        job: The watch.
        memory: What was done before.
    """
    film = ask.film.path
    known = None if job.move_done is None else memory.done_at(film)
    if known is None:
        return MediaError(
            f"watch: {film} is not there, which {ask.file.path} asks for",
            remedy="Check the path: it is taken from the folder of the job file.",
        )
    return MediaError(
        f"watch: {film}, which {ask.file.path} asks for, was scored before, as "
        f"{job.batch.out / known.name}, and films that are done are moved to {job.move_done}",
        remedy="Move the film back, and it is scored as the job wants it; another time put the job "
        "file into the folder before its film.",
    )


def _refuse_places(job: WatchJob, file: Seen, entry: Entry) -> None:
    """Refuses a job that would write elsewhere: whoever may write into the folder can make one."""
    if job.jobs_anywhere or job.own_queue:
        return
    out = job.batch.out
    output = None if entry.output is None else out / entry.output
    beside = (job.folder, out)
    for what, path, roots in (
        ("output", output, (out,)),
        ("stems", entry.stems, beside),
        ("plot", entry.plot, beside),
    ):
        # Also where a link leads to.
        real = None if path is None else Path(os.path.realpath(path))
        if real is None or any(real.is_relative_to(os.path.realpath(root)) for root in roots):
            continue
        raise SettingsError(
            f"watch: {what} of the job file {file.path} is {path}, which is not in {out}",
            remedy=f"Name one in there, such as {path.name if path else what}; or start the watch "
            "with --jobs-anywhere, if you trust all who may write into its folder.",
        )


def bad_job_log(out: Path, file: Path) -> Path:
    """The log of a job file that names no film.

    Args:
        out: Folder of the results.
        file: The job file.
    """
    return out / f"{file.name.removesuffix(JOB_ENDING)}.scorebed.log"
