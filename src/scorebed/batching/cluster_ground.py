"""Before a batch on a cluster: what its machines share is marked, and each is asked for it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from scorebed import __version__
from scorebed.batching.ground import Asked, Ground, Seen, marked
from scorebed.batching.items import Fate
from scorebed.batching.places import paths_in
from scorebed.ledger import Ledger
from scorebed.providers.base import Service, find
from scorebed.workspace import claim_root

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scorebed.batching.cluster import Cluster
    from scorebed.batching.items import Item
    from scorebed.batching.planning import BatchPlan
    from scorebed.model import LedgerPlace, ServiceSettings


@contextmanager
def stand(plan: BatchPlan, cluster: Cluster) -> Iterator[Ground]:
    """Marks what the machines of a batch share, and asks every worker of the cluster for it.

    Args:
        plan: The batch; the folder of its results is there.
        cluster: Where it runs.

    Raises:
        ScorebedError: If a worker cannot do its part.
    """
    todo = plan.with_fate(Fate.DO)
    ledgers = {item.job.settings.purse.ledger for item in todo if item.job.settings.service}
    claim_root(plan.job.workspace)
    folders = [plan.job.out, plan.job.workspace]
    known = []
    for root in ledgers:
        book, place = Ledger(root), root
        if isinstance(root, Path):
            book.prepare()
            folders.append(root / "locks")
            place = root.absolute()
        known.append((place, book.identify()))
    with marked(folders) as marks:
        ground = Ground(version=__version__, marks=marks, ledgers=tuple(known))
        services = _services(todo)
        asked = Asked(ground=ground, seen=_seen(todo), services=services)
        without = cluster.check(asked)
        if without and (len(without) < len(cluster.workers()) or not _bought(ledgers)):
            worker, error = min(without.items())
            error.message = f"batch: the worker {worker}: {error.message}"
            error.remedy = f"On that machine, and start the worker again: {error.remedy}"
            raise error
        yield ground


def _services(todo: Sequence[Item]) -> tuple[tuple[str, ServiceSettings], ...]:
    """Who needs a key; it is each worker's own, and never sent to it."""
    found: dict[tuple[str, ServiceSettings], None] = {}
    for item in todo:
        want = item.job.settings
        if want.service and want.fallback is None and isinstance(find(want.provider), Service):
            found[want.provider, want.service] = None
    return tuple(found)


def _bought(ledgers: set[LedgerPlace]) -> bool:
    """Whether what there is may do without a key."""
    return any(Ledger(root).receipts() for root in ledgers)


def _seen(todo: Sequence[Item]) -> tuple[Seen, ...]:
    """A film of each folder, all that is read besides, and the folders that results go to."""
    films = {item.job.video.absolute().parent: item.job.video.absolute() for item in todo}
    found = dict.fromkeys(films.values())
    for item in todo:
        # Keys and the ledger are asked for on their own.
        want = replace(item.job.settings, service=None)
        purse = replace(want.purse, ledger=Path())
        read = paths_in(replace(want, purse=purse))
        found |= dict.fromkeys(path.absolute() for path in read if path != Path() and path.exists())
        written = (item.job.output, item.job.stems, item.job.plot)
        found |= dict.fromkeys(_there(path.absolute().parent) for path in written if path)
    return tuple(
        Seen(path=path, size_bytes=None if path.is_dir() else path.stat().st_size) for path in found
    )


def _there(folder: Path) -> Path:
    """The part of a path that exists: the rest is made by who comes first."""
    while not folder.exists():
        folder = folder.parent
    return folder
