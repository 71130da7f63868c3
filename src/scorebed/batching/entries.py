"""The files of a batch, and the settings of each: a wrong option refuses the batch."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from scorebed.batching.find import Found, Wanted, search
from scorebed.batching.items import BatchJob, Entry
from scorebed.batching.manifest import is_manifest, read_manifest
from scorebed.batching.style import pinned, require_one_brief
from scorebed.errors import ScorebedError
from scorebed.job import check_inputs, check_provider
from scorebed.providers.base import Service, find
from scorebed.remembered import with_notes
from scorebed.settings import Settings, resolve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorebed.options import Options


def gather(job: BatchJob) -> tuple[list[Entry], list[Found]]:
    """The files of a batch, each once, and the folders that could not be searched.

    A manifest may name a file twice, with other options.

    Args:
        job: The batch.

    Raises:
        SettingsError: If a manifest cannot be used.
    """
    wanted = Wanted(recursive=job.recursive, only=job.only, exclude=job.exclude, out=job.out)
    entries: list[Entry] = []
    troubles: list[Found] = []
    seen: set[Path] = set()
    for path in job.paths:
        if is_manifest(path):
            named = [
                entry
                for entry in read_manifest(Path(path), job.options)
                if wanted.takes(Found(path=entry.video, base=entry.base))
            ]
            entries += named
            seen |= {entry.video.absolute() for entry in named}
            continue
        for found in search(path, wanted):
            # By name: of a film and a link to it both are done, whichever comes first.
            place = found.path.absolute()
            if found.trouble:
                troubles.append(found)
            elif place not in seen:
                seen.add(place)
                entries.append(Entry(video=found.path, base=found.base, options=job.options))
    return entries, troubles


def settle(job: BatchJob, entries: Sequence[Entry]) -> list[Settings]:
    """The settings of every file; a wrong option refuses the batch, before any work.

    Args:
        job: The batch.
        entries: Its files.

    Raises:
        ScorebedError: What ``resolve`` and the checks of a job say, with its place in a manifest.
    """

    @functools.cache
    def settled(options: Options, said: frozenset[str]) -> Settings:
        want = resolve(with_notes(options, said, job.tell), defaults=job.defaults)
        if isinstance(find(want.provider), Service) and want.purse.name is None:
            # One limit for all: the purse is named after the folder.
            name = f"batch {job.out.resolve()}"
            want = replace(want, purse=replace(want.purse, name=name))
        check_provider(want, job.tell)
        check_inputs(want)
        return pinned(want) if job.one_style else want

    found = []
    for entry in entries:
        try:
            found.append(settled(entry.options, job.said | entry.said))
        except ScorebedError as error:
            if entry.where:
                error.message = f"{entry.where}: {error.message}"
            raise
    if job.one_style:
        require_one_brief(list(zip(entries, found, strict=True)))
    return found
