"""The Python interface: ``scorebed.batch``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorebed.batching.cluster import reach
from scorebed.batching.items import DEFAULT_TEMPLATE, BatchJob, unwatched
from scorebed.batching.lock import only_batch
from scorebed.batching.planning import plan_batch
from scorebed.batching.run import run_batch
from scorebed.delivery import folder_named
from scorebed.model import no_words
from scorebed.options import Options
from scorebed.workspace import default_root

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scorebed.batching.items import BatchWatch
    from scorebed.batching.outcome import BatchResult
    from scorebed.model import Tell


def batch(
    paths: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    options: Options | None = None,
    recursive: bool = True,
    only: Sequence[str] = (),
    exclude: Sequence[str] = (),
    keep_structure: bool = False,
    name_template: str = DEFAULT_TEMPLATE,
    jobs: int | None = None,
    one_style: bool = False,
    stems: str | Path | None = None,
    resume: bool = True,
    retry_failed: bool = False,
    overwrite: bool = False,
    fail_fast: bool = False,
    cluster: str | Path | None = None,
    workspace: str | Path | None = None,
    watch: BatchWatch = unwatched,
    tell: Tell = no_words,
) -> BatchResult:
    """Scores many videos, several at once in processes of their own; asks nobody.

    Safe to call from several threads and processes at once, each into a folder of its own. What
    may be spent is ``options.max_spend``, over all of the batch.

    Args:
        paths: Folders, patterns, files and manifests.
        out: Folder of the results, and of ``batch.jsonl``; made if it is not there.
        options: What is wanted of every file, where a manifest does not say otherwise.
        recursive: Whether folders in folders are searched.
        only: Patterns of names: if there are some, what fits none of them is left out.
        exclude: Patterns of names that are left out.
        keep_structure: Whether the folders of the inputs are made again in ``out``.
        name_template: How results are named.
        jobs: Files that are worked on at once; None for what the machine can do.
        one_style: Whether all music is to be of one family; ``drift`` of the result says how far
            each is from it.
        stems: A folder that gets a folder of stems per file.
        resume: Whether what is done and unchanged is skipped.
        retry_failed: Whether nothing but what failed before is done.
        overwrite: Whether all is done again, over whatever has those names.
        fail_fast: Whether no further file is begun after one has failed.
        cluster: Address of a Dask scheduler, or the file that it has left, on whose workers the
            work is done; None for this machine. Needs the extra ``dask``.
        workspace: Root of the workspaces; by default the user's cache.
        watch: Told how the batch stands, whenever that changes, in the thread of the caller.
        tell: Told, in sentences, what a person should know at once, before the work.

    Returns:
        What became of every file; ``to_json()`` gives what the command line prints.

    Raises:
        BatchFailed: If a file failed; its ``result`` is what would have been returned.
        ScorebedError: If the batch as a whole cannot be done; nothing was begun then.
    """
    job = asked_job(
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
        jobs=jobs,
        one_style=one_style,
        resume=resume,
        retry_failed=retry_failed,
        overwrite=overwrite,
        fail_fast=fail_fast,
        cluster=None if cluster is None else str(cluster),
        tell=tell,
    )
    with only_batch(job.out, job.tell), reach(job.cluster, job.jobs) as there:
        return run_batch(plan_batch(job, there), watch)


def asked_job(
    paths: str | Path | Iterable[str | Path],
    out: str | Path,
    options: Options | None,
    *,
    workspace: str | Path | None,
    stems: str | Path | None,
    **more: Any,  # noqa: ANN401 - as a batch has them
) -> BatchJob:
    """A batch as a program asks for it.

    Args:
        paths: Folders, patterns, files and manifests, or a single one.
        out: Folder of the results.
        options: What is wanted of every file; what differs from the defaults was said.
        workspace: Root of the workspaces; None for the user's cache.
        stems: A folder that gets a folder of stems per file; None for none.
        more: Further fields of the batch.
    """
    asked, plain = options or Options(), Options()
    names = (field.name for field in dataclasses.fields(Options))
    given = [paths] if isinstance(paths, str | Path) else paths
    return BatchJob(
        paths=tuple(map(str, given)),
        out=folder_named(out),
        options=asked,
        said=frozenset(name for name in names if getattr(asked, name) != getattr(plain, name)),
        defaults=plain,
        workspace=default_root() if workspace is None else folder_named(workspace),
        stems=None if stems is None else folder_named(stems),
        **more,
    )
