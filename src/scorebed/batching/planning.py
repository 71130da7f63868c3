"""Everything that can be known of a batch before the work: what is done, what cannot be, the price.

Options and names are checked for all files together and refuse the batch; a file that is broken,
missing or in the way is that file's failure.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scorebed.batching.cluster import Cluster
from scorebed.batching.entries import gather, settle
from scorebed.batching.fates import item_of, looked_into, unsearched
from scorebed.batching.items import BatchJob, Fate, Item
from scorebed.batching.machine import default_jobs
from scorebed.batching.naming import Naming, require_distinct
from scorebed.batching.record import Record, sums
from scorebed.delivery import require_folder
from scorebed.errors import SettingsError
from scorebed.ffmpeg import locate
from scorebed.ledger import Ledger
from scorebed.stages.compose import require_key
from scorebed.workspace import check_room

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorebed.model import Quote
    from scorebed.settings import Settings


_READERS = 8
_WORK_BYTES_PER_S = 48_000 * 4 * 8
"""Room of the stages for stereo: the take, a decoded track, the mix and the sound before it."""
_SOUND_BYTES_PER_S = 48_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPlan:
    """What a batch would do."""

    job: BatchJob
    """What is asked for."""
    items: tuple[Item, ...]
    """All files, in order."""
    jobs: int
    """Files that are worked on at once."""
    cluster: Cluster | None = None
    """Where they are worked on; None for this machine."""

    def with_fate(self, fate: Fate) -> tuple[Item, ...]:
        """The files with that fate."""
        return tuple(item for item in self.items if item.fate is fate)

    @property
    def prices(self) -> tuple[Quote, ...]:
        """Most that the batch should cost, one sum per currency; empty where all is free."""
        return sums(item.price for item in self.with_fate(Fate.DO))

    @property
    def duration_s(self) -> float:
        """Length of the picture that is to be scored, in seconds."""
        return sum(item.duration_s for item in self.with_fate(Fate.DO))

    @property
    def output_bytes(self) -> int:
        """Room that the results take, in bytes."""
        return sum(map(_output_bytes, self.with_fate(Fate.DO)))

    @property
    def workspace_bytes(self) -> int:
        """Room that the workspaces of all files take, in bytes."""
        return sum(map(_work_bytes, self.with_fate(Fate.DO)))


def plan_batch(job: BatchJob, cluster: Cluster | None = None, *, here: bool = True) -> BatchPlan:
    """Finds the files, checks all options and names, and looks into every file.

    Nothing is written, and nothing but the heads of the files is read.

    Args:
        job: What is asked for.
        cluster: Where it is to be done; None for this machine.
        here: Whether it is done now, with the disks and the key of this machine.

    Raises:
        ScorebedError: If the options, a manifest, the names or the room on disk will not do.
    """
    naming = Naming(out=job.out, template=job.name_template, keep_structure=job.keep_structure)
    naming.check()
    if job.jobs is not None and job.jobs < 1:
        raise SettingsError(f"--jobs {job.jobs} is out of range", remedy="Give 1 or more.")
    require_parent(job.out)
    entries, troubles = gather(job)
    if not entries and not troubles:
        raise SettingsError(
            f"no film to score was found in {', '.join(job.paths)}",
            remedy="Name a folder that holds some, or a file; see --only, --exclude, --recursive.",
        )
    settings = settle(job, entries)
    record = Record(job.out)
    items = [
        item_of(job, naming, record, number, entry, want)
        for number, (entry, want) in enumerate(zip(entries, settings, strict=True), start=1)
    ]
    require_distinct((item.job.video, item.job.output) for item in items)
    _refuse_inputs_as_outputs(items)
    items = _all_looked_into(items)
    items += unsearched(job, naming, troubles, len(items))
    most = default_jobs() if cluster is None else sum(cluster.workers().values())
    jobs = min(job.jobs or most, max(1, sum(item.fate is Fate.DO for item in items)))
    plan = BatchPlan(job=job, items=tuple(items), jobs=jobs, cluster=cluster)
    if here:
        _check_rooms(plan)
    if here and cluster is None:
        if plan.with_fate(Fate.DO):
            # Without it all of them would fail alike.
            locate()
        # Those of a cluster are asked for theirs.
        _check_key(plan)
    return plan


def require_parent(out: Path, *, flag: str = "--out", stage: str = "batch") -> None:
    """Refuses a folder of results that could not be made or written to.

    Args:
        out: The folder; need not be there.
        flag: The option that names it, for errors.
        stage: Named in errors.

    Raises:
        ScorebedError: If it is a file, or the folder that it would be made in is closed.
    """
    there = out
    while not there.exists() and there != there.parent:
        there = there.parent
    if there.exists() and not there.is_dir():
        raise SettingsError(
            f"{stage}: {there} is a file, and {flag} is a folder",
            remedy=f"Name a folder with {flag}; it is made if it is not there.",
        )
    require_folder(there, stage=stage)


def _all_looked_into(items: Sequence[Item]) -> list[Item]:
    """Several at once: a disk on the network takes its time with each."""
    readers = ThreadPoolExecutor(_READERS)
    try:
        return list(readers.map(looked_into, items))
    finally:
        # Stopped by Ctrl-C, nobody waits for thousands of files.
        readers.shutdown(cancel_futures=True)


def _refuse_inputs_as_outputs(items: Sequence[Item]) -> None:
    inputs = {os.path.realpath(item.job.video) for item in items}
    for item in items:
        if os.path.realpath(item.job.output) in inputs:
            raise SettingsError(
                f"the result of {item.job.video} would be {item.job.output}, which is an input",
                remedy="Give another --out, or a --name-template such as '{stem}.scored{ext}'.",
            )


def _output_bytes(item: Item) -> int:
    return item.size_bytes + int(item.duration_s * _SOUND_BYTES_PER_S)


def _work_bytes(item: Item) -> int:
    return int(item.duration_s * _WORK_BYTES_PER_S)


def _check_rooms(plan: BatchPlan) -> None:
    """Refuses a batch whose results have no room, beside the work on as many as run at once."""
    todo = plan.with_fate(Fate.DO)
    if not todo:
        return
    there = plan.job.out
    while not there.exists():
        there = there.parent
    largest = sorted(map(_work_bytes, todo), reverse=True)[: plan.jobs]
    root = plan.job.workspace
    while not root.exists():
        root = root.parent
    same = root.stat().st_dev == there.stat().st_dev
    check_room(there, plan.output_bytes + sum(largest) * same, stage=plan.job.verb, option="--out")
    check_room(root, sum(largest), stage=plan.job.verb)


def _check_key(plan: BatchPlan) -> None:
    """Without a key and without anything bought before, all files would fail alike."""
    for item in plan.with_fate(Fate.DO)[:1]:
        check_key(item.job.settings)


def check_key(want: Settings) -> None:
    """Refuses a service without a key, unless there are takes of it that were bought before.

    Args:
        want: Names the service.

    Raises:
        MissingKey: If there is none.
    """
    asked = want.service is not None and want.fallback is None
    if asked and not any(Ledger(want.purse.ledger).receipts()):
        require_key(want.provider, want.service, want.purse, "")
