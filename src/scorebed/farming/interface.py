"""The Python interface: ``scorebed.farm``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from scorebed.batching.interface import asked_job
from scorebed.batching.items import DEFAULT_TEMPLATE
from scorebed.delivery import folder_named
from scorebed.farming.write import DEFAULT_LIMIT, FarmFiles, FarmJob, Kind, plan_farm, write_farm
from scorebed.model import Tell, no_words

if TYPE_CHECKING:
    from scorebed.options import Options


def farm(
    kind: Kind,
    folder: str | Path,
    paths: str | Path | Iterable[str | Path],
    out: str | Path,
    *,
    workspace: str | Path,
    options: Options | None = None,
    recursive: bool = True,
    only: Iterable[str] = (),
    exclude: Iterable[str] = (),
    keep_structure: bool = False,
    name_template: str = DEFAULT_TEMPLATE,
    one_style: bool = False,
    stems: str | Path | None = None,
    resume: bool = True,
    retry_failed: bool = False,
    overwrite: bool = False,
    limit: str | None = DEFAULT_LIMIT,
    chains: bool = False,
    command: str = "scorebed",
    tell: Tell = no_words,
) -> FarmFiles:
    """Writes a job for a render farm that scores films; submits nothing.

    Args:
        kind: Whose job it is.
        folder: Where the job is written; made if it is not there.
        paths: Folders, patterns, files and manifests, as for ``scorebed.batch``.
        out: Folder of the results and of ``batch.jsonl``, which all workers share.
        workspace: Root of the workspaces, which all workers share.
        options: What is wanted of every film, where a manifest does not say otherwise; with a
            service, its ``ledger`` too is one that all workers share.
        recursive: Whether folders in folders are searched.
        only: Patterns of names: if there are some, what fits none of them is left out.
        exclude: Patterns of names that are left out.
        keep_structure: Whether the folders of the inputs are made again in ``out``.
        name_template: How results are named.
        one_style: Whether all music is to be of one family.
        stems: A folder that gets a folder of stems per film.
        resume: Whether what is done and unchanged is left out.
        retry_failed: Whether nothing but what failed before is in the job.
        overwrite: Whether the job's files, and results, replace whatever has their names.
        limit: Name of what a task holds one of while it asks a service; None for nothing.
        chains: Whether each film has three steps of its own (not for OpenCue).
        command: How a worker calls scorebed.
        tell: Told, in sentences, what a person should know at once.

    Returns:
        What was written; ``plan`` has the films, those too that are left out, and why.

    Raises:
        ScorebedError: If the job cannot be written; none of its files is there then that was not.
    """
    batch = asked_job(
        paths,
        out,
        options,
        workspace=workspace,
        stems=stems,
        recursive=recursive,
        only=tuple(only),
        exclude=tuple(exclude),
        keep_structure=keep_structure,
        name_template=name_template,
        one_style=one_style,
        resume=resume,
        retry_failed=retry_failed,
        overwrite=overwrite,
        tell=tell,
    )
    job = FarmJob(
        kind=kind,
        folder=folder_named(folder),
        batch=batch,
        limit=limit,
        chains=chains,
        command=command,
    )
    return write_farm(job, plan_farm(job))
