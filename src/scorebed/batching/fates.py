"""What is to be done with each file: what the record says of it, and a look into it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from scorebed.batching.items import BatchJob, Entry, Failure, Fate, Item
from scorebed.batching.keys import options_key
from scorebed.batching.known import Known, told_name, told_place
from scorebed.batching.sameness import Compared, compare
from scorebed.errors import MediaError, ScorebedError
from scorebed.job import Job, check_job
from scorebed.media import identify, open_media
from scorebed.model import FREE, Quote
from scorebed.providers.base import find
from scorebed.settings import Settings, resolve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorebed.batching.find import Found
    from scorebed.batching.naming import Naming
    from scorebed.batching.record import Record

_MICROSECONDS = 1_000_000


def item_of(
    job: BatchJob, naming: Naming, record: Record, number: int, entry: Entry, want: Settings
) -> Item:
    """A file of the plan, as far as it is known without a look at it.

    Args:
        job: The batch.
        naming: Names its result.
        record: What earlier runs have done.
        number: Its place, from 1.
        entry: What is asked for.
        want: Its settings.

    Raises:
        SettingsError: If its result cannot be named.
    """
    output = naming.output(entry, want, number)
    name = told_name(job.out, output)
    stems = entry.stems
    if stems is None and job.stems is not None:
        stems = job.stems / Path(name).with_suffix("")
    extras = tuple(what for what, on in (("stems", stems), ("plot", entry.plot)) if on is not None)
    key = options_key(entry.options, want.provider, one_style=job.one_style, extras=extras)
    again = job.overwrite or entry.overwrite or record.is_ours(name, output)
    one = Job(
        video=entry.video,
        output=output,
        settings=want,
        workspace=job.workspace,
        stems=stems,
        plot=entry.plot,
        overwrite=again,
    )
    item = Item(
        number=number,
        name=name,
        entry=entry,
        job=one,
        key=key,
        fate=Fate.DO,
        one_style=job.one_style,
        log=job.log,
        verb=job.verb,
    )
    return item if entry.overwrite else _remembered(job, record, item)


def _remembered(job: BatchJob, record: Record, item: Item) -> Item:
    """What earlier runs say of a file."""
    if job.retry_failed and not record.has_failed(item.name, item.job.video):
        return replace(item, fate=Fate.SKIP, why="it has not failed before")
    known = record.last(item.name)
    if job.overwrite or known is None:
        return item
    if known.failure is None:
        there = record.stands(item.name, item.job.output)
        return _unless_done(job, known, item) if job.resume and there else item
    hopeless = known.failure.exit_code == MediaError.exit_code
    if hopeless and not job.retry_failed and _compared(job, known, item).same:
        return replace(item, fate=Fate.FAILED, failure=known.failure)
    return item


def _unless_done(job: BatchJob, known: Known, item: Item) -> Item:
    compared = _compared(job, known, item)
    if compared.same:
        return replace(item, fate=Fate.SKIP, why="done before", source=compared.now)
    return replace(item, anew=compared.twin)


def _compared(job: BatchJob, known: Known, item: Item) -> Compared:
    """What a file is to that of a line; another one, if something else is asked of it."""
    if known.key != item.key:
        return Compared(same=False)
    return compare(known, item.job.video, job.tell)


def looked_into(item: Item) -> Item:
    """The same with its length and price; what cannot be opened has failed.

    Args:
        item: A file of the plan.
    """
    if item.fate is not Fate.DO:
        return item
    try:
        identify(item.job.video)
        _check_output(item.job)
        duration_s = _length_s(item.job.video)
    except ScorebedError as error:
        return replace(item, fate=Fate.FAILED, failure=failure_from(error, "plan"))
    size_bytes = item.job.video.stat().st_size
    price = _price(item.job.settings, duration_s)
    return replace(item, duration_s=duration_s, size_bytes=size_bytes, price=price)


def _check_output(job: Job) -> None:
    """What ``score`` would refuse of the names, where their folders are there already."""
    if job.output.parent.is_dir():
        check_job(replace(job, stems=None) if job.stems and not job.stems.parent.is_dir() else job)


def _length_s(video: Path) -> float:
    """Length as the header says, in seconds: the work itself looks closer."""
    with open_media(video, stage="probe") as container:
        if not container.streams.video:
            raise MediaError(
                f"probe: {video} has no picture",
                remedy="Give a video file; a piece of music goes with --music.",
            )
        return max((container.duration or 0) / _MICROSECONDS, 0.0)


def failure_from(error: ScorebedError, stage: str) -> Failure:
    """An error as the record keeps it.

    Args:
        error: What was raised.
        stage: Where.
    """
    return Failure(
        kind=type(error).__name__,
        stage=stage,
        message=error.message,
        remedy=error.remedy,
        exit_code=error.exit_code,
    )


def unsearched(job: BatchJob, naming: Naming, troubles: Sequence[Found], count: int) -> list[Item]:
    """Folders that could not be searched: they may hold films, so they have failed.

    Args:
        job: The batch.
        naming: Names their results.
        troubles: The folders.
        count: How many files the plan has before them.
    """
    if not troubles:
        return []
    want = resolve(job.options, defaults=job.defaults)
    items = []
    for number, one in enumerate(troubles, start=count + 1):
        failure = Failure(
            kind=MediaError.__name__,
            stage="plan",
            message=f"plan: the folder {one.path} cannot be searched ({one.trouble})",
            remedy="Check that you may read it, or leave it out with --exclude.",
            exit_code=MediaError.exit_code,
        )
        place = Job(
            video=one.path,
            output=naming.out / one.path.name,
            settings=want,
            workspace=job.workspace,
        )
        items.append(
            Item(
                number=number,
                name=f"{told_place(one.path)}/",
                job=place,
                key="",
                fate=Fate.FAILED,
                failure=failure,
            )
        )
    return items


def _price(want: Settings, duration_s: float) -> Quote:
    """What a file should cost at most: what the ledger has of it is not looked up."""
    service = want.service
    if service is None:
        return FREE
    seconds = duration_s if want.music_s is None else min(duration_s, float(want.music_s))
    longest_s = find(want.provider).limits(service).max_duration_s
    requests = 1 if longest_s is None else max(1, math.ceil(seconds / float(longest_s)))
    return Quote(
        requests=requests,
        seconds=seconds,
        amount=seconds / 60 * service.price_per_minute,
        currency=service.currency,
    )
