"""The watch: looks into the folder, hands what is ripe to the workers of a batch, goes on."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from scorebed.batching.items import unwatched
from scorebed.batching.pool import Pool
from scorebed.batching.record import RECORD
from scorebed.batching.run import TICK_S
from scorebed.delivery import told_of
from scorebed.errors import BatchFailed, Interrupted, WorkspaceError
from scorebed.ffmpeg import locate
from scorebed.watching.folder import Folder
from scorebed.watching.working import Work

if TYPE_CHECKING:
    import threading

    from scorebed.batching.items import BatchWatch
    from scorebed.batching.outcome import BatchResult
    from scorebed.watching.items import WatchJob

_REST_S = 60.0
"""Workers without work are let go after that."""


def run_watch(
    job: WatchJob, watch: BatchWatch = unwatched, stop: threading.Event | None = None
) -> BatchResult:
    """Watches a folder; whoever calls it holds ``only_batch``.

    Args:
        job: The watch.
        watch: Told how the work stands.
        stop: Ends the watch when it is set: what is being worked on is left for the next one.

    Returns:
        What became of every film in this run.

    Raises:
        ToolMissing: If there is no ffmpeg that can be used.
        BatchFailed: With ``once``, if a film failed; ``result`` has what became of all.
        ScorebedError: If the options will not do, or nothing can be recorded any more.
    """
    job = replace(job, batch=replace(job.batch, verb="watch"))
    if not job.own_queue:  # whose jobs say it themselves, each in its log
        locate()
    work = Work(job, watch)
    folder = Folder(job, work)
    out = job.batch.out
    with told_of(out, stage="watch"):
        out.mkdir(parents=True, exist_ok=True)
    work.patience.stop = stop
    work.say(f"watching {job.folder}, results go to {out}")
    work.shorten()
    with Pool(out=out, jobs=work.plan.jobs) as pool:
        try:
            _go(job, work, folder, pool, stop)
        except (KeyboardInterrupt, Interrupted):
            work.patience.over = True
            try:
                work.keep_what_ended(pool)
            except WorkspaceError as error:
                # The next watch does again what could not be written down.
                work.say(error.message)
            raise
        finally:
            folder.close()
        work.keep_what_ended(pool)
    work.record.close()
    result = work.result()
    if result.count("failed") and job.once:
        raise BatchFailed(
            f"watch: {result.failed_words()}",
            remedy=f"See {out / RECORD}; mend what it says and run the same command again: films "
            "that are at fault, and unchanged, are tried again with --retry-failed.",
            result=result,
        )
    return result


def _go(
    job: WatchJob, work: Work, folder: Folder, pool: Pool, stop: threading.Event | None
) -> None:
    """Looks and works, until there is an end to it."""
    look_at = time.monotonic()
    rest_at, was_busy = look_at + _REST_S, False
    while stop is None or not stop.is_set():
        if time.monotonic() >= look_at:
            folder.look()
            look_at = time.monotonic() + (0.0 if folder.more else job.interval_s)
        busy = bool(pool.busy or work.waiting)
        if was_busy and not busy:
            work.rest()
        was_busy = busy
        if not busy and folder.is_done():
            return
        now = time.monotonic()
        if busy:
            rest_at = now + _REST_S
        elif now >= rest_at:
            pool.rest()
            rest_at = now + _REST_S
        # Idle it sleeps until the next look: nobody waits for it but a signal.
        most_s = TICK_S if busy or stop is not None else job.interval_s
        work.step(pool, min(max(look_at - now, 0.0), most_s))
