"""The film that a task is about: its settings on this machine, and what has become of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorebed.batching.entries import settle
from scorebed.batching.fates import item_of
from scorebed.batching.items import BatchJob, Entry, Item
from scorebed.batching.naming import Naming
from scorebed.batching.sameness import compare
from scorebed.errors import MarginMissed, MediaError, RequestRejected, ScorebedError
from scorebed.farming.rows import options_of
from scorebed.model import no_words

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scorebed.batching.known import Known
    from scorebed.batching.record import Record
    from scorebed.farming.rows import Row

_HOPELESS: dict[str, type[ScorebedError]] = {
    one.__name__: one for one in (MarginMissed, MediaError, RequestRejected)
}
"""What another try of the same task cannot better."""


def film_of(
    row: Row, moved: Callable[[str], Path], record: Record, *, out: Path, root: Path
) -> Item:
    """The film of a line as it was planned, with the paths of this machine.

    Args:
        row: The line.
        moved: Where a path of the machine that wrote it lies here.
        record: What has become of films in ``out``.
        out: Folder of the results.
        root: Root of the workspaces.

    Raises:
        SettingsError: If its options cannot be used here.
    """
    where = f"farm, film {row.number}"
    options = options_of(row.options, moved, where=where)
    video = moved(row.video)
    job = BatchJob(
        paths=(str(video),),
        out=out,
        options=options,
        said=frozenset(row.said),
        defaults=options_of(row.defaults, moved, where=where),
        workspace=root,
        one_style=row.one_style,
        overwrite=row.overwrite,
        # Whether it is done is asked below, of this job's lines alone.
        resume=False,
        # Said when the job was written.
        tell=no_words,
    )
    entry = Entry(
        video=video,
        base=video.parent,
        options=options,
        output=moved(row.name),
        stems=None if row.stems is None else out / moved(row.stems),
        plot=None if row.plot is None else out / moved(row.plot),
    )
    (want,) = settle(job, [entry])
    naming = Naming(out=out, template=job.name_template, keep_structure=False)
    return item_of(job, naming, record, row.number, entry, want)


def done_since(row: Row, item: Item, record: Record) -> bool:
    """Whether a task of this job, or of a later one, has finished the film.

    Args:
        row: Its line.
        item: The film.
        record: What has become of films.
    """
    known = record.last(item.name)
    return (
        known is not None
        and known.state == "done"
        and record.stands(item.name, item.job.output)
        and known.at >= row.written
        and _is_of(known, item)
    )


def _is_of(known: Known, item: Item) -> bool:
    """Whether it is known of the same film, and of the same that is asked of it."""
    same_asked = known.key == item.key
    return same_asked and compare(known, item.job.video, item.job.tell).same


def refuse_hopeless(row: Row, item: Item, record: Record) -> None:
    """Raises again what the film has failed of in this job, if it would fail of it again.

    Args:
        row: Its line.
        item: The film.
        record: What has become of films.
    """
    known = record.last(item.name)
    if known is None or known.failure is None or known.at < row.written:
        return
    failure = known.failure
    if failure.kind in _HOPELESS and _is_of(known, item):
        raise _HOPELESS[failure.kind](failure.message, remedy=failure.remedy)
