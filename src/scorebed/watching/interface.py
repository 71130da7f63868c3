"""The Python interface: ``scorebed.watch``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from scorebed.batching.interface import asked_job
from scorebed.batching.items import DEFAULT_TEMPLATE, unwatched
from scorebed.batching.lock import only_batch
from scorebed.delivery import folder_named
from scorebed.model import no_words
from scorebed.watching.items import INTERVAL_S, SETTLE_S, WatchJob
from scorebed.watching.run import run_watch

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from scorebed.batching.items import BatchWatch
    from scorebed.batching.outcome import BatchResult
    from scorebed.model import Tell
    from scorebed.options import Options


def watch(
    folder: str | Path,
    out: str | Path,
    *,
    options: Options | None = None,
    settle_s: float = SETTLE_S,
    interval_s: float = INTERVAL_S,
    once: bool = False,
    retry_failed: bool = False,
    move_done: str | Path | None = None,
    jobs_anywhere: bool = False,
    recursive: bool = True,
    only: Sequence[str] = (),
    exclude: Sequence[str] = (),
    keep_structure: bool = False,
    name_template: str = DEFAULT_TEMPLATE,
    jobs: int | None = None,
    one_style: bool = False,
    stems: str | Path | None = None,
    overwrite: bool = False,
    workspace: str | Path | None = None,
    stop: threading.Event | None = None,
    watch: BatchWatch = unwatched,
    tell: Tell = no_words,
) -> BatchResult:
    """Scores every film that comes into a folder, until it is told to stop; asks nobody.

    A film is taken when its size and time stand still and its end is there; one that was scored is
    known by its content. Job files (``NAME.scorebed.json``) name a film with options of its own.
    What may be spent is ``options.max_spend``, over all of it.

    Args:
        folder: The folder.
        out: Folder of the results, and of ``batch.jsonl``; made if it is not there. It may lie in
            the other.
        options: What is wanted of every film, where a job file does not say otherwise.
        settle_s: How long a file has to stand still, in seconds.
        interval_s: Time between two looks into the folder, in seconds.
        once: Whether it ends when what is there now is done.
        retry_failed: Whether what failed before is tried again though it has not changed.
        move_done: A folder that scored films of the folder are moved to; None leaves them.
        jobs_anywhere: Whether job files may name outputs outside ``out``.
        recursive: Whether folders in the folder are searched too.
        only: Patterns of names: if there are some, what fits none of them is left out.
        exclude: Patterns of names that are left out.
        keep_structure: Whether the folders in the folder are made again in ``out``.
        name_template: How results are named.
        jobs: Files that are worked on at once; None for what the machine can do.
        one_style: Whether all music is to be of one family.
        stems: A folder that gets a folder of stems per file.
        overwrite: Whether what has the name of a result and is not ours may be replaced.
        workspace: Root of the workspaces; by default the user's cache.
        stop: Ends the watch when it is set; what is being worked on is left for the next one.
        watch: Told how the work stands, whenever that changes, in the thread of the caller.
        tell: Told, in sentences, what a person should know of the folder.

    Returns:
        What became of every file in this run.

    Raises:
        BatchFailed: With ``once``, if a file failed; its ``result`` is what would have been
            returned.
        ScorebedError: If the options will not do, or nothing can be recorded any more.
    """
    place = folder_named(folder).absolute()
    batch = asked_job(
        place,
        out,
        options,
        workspace=workspace,
        stems=stems,
        recursive=recursive,
        only=tuple(only),
        exclude=tuple(exclude),
        keep_structure=keep_structure,
        name_template=name_template,
        jobs=jobs,
        one_style=one_style,
        overwrite=overwrite,
        tell=tell,
    )
    job = WatchJob(
        folder=place,
        batch=batch,
        settle_s=settle_s,
        interval_s=interval_s,
        once=once,
        retry_failed=retry_failed,
        move_done=None if move_done is None else folder_named(move_done),
        jobs_anywhere=jobs_anywhere,
        # Whoever writes a program has asked for it.
        pays=True,
        tell=tell,
    )
    with only_batch(batch.out, tell, verb="watch"):
        return run_watch(job, watch, stop)
