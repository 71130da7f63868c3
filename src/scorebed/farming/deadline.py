"""The job as a bundle of AWS Deadline Cloud: values for the template, and what files it needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorebed.cutlists import list_file
from scorebed.farming.rows import paths_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorebed.farming.rows import Row
    from scorebed.options import Options

VALUES = "parameter_values.json"
ASSETS = "asset_references.json"
_RETRIES = 2
"""What a second try does not mend, a machine's own trouble apart, a third will not."""


def values(row: Row, films: int) -> dict[str, Any]:
    """The values that the job is submitted with.

    Args:
        row: A film of it.
        films: How many there are.
    """
    told: dict[str, str | int] = {
        "Out": row.out,
        "Workspace": row.workspace,
        "deadline:targetTaskRunStatus": "READY",
        "deadline:maxRetriesPerTask": _RETRIES,
        # A film that fails stops no other.
        "deadline:maxFailedTasksCount": films * 3 * (_RETRIES + 1),
    }
    return {"parameterValues": [{"name": name, "value": value} for name, value in told.items()]}


def assets(rows: Sequence[Row], options: Sequence[Options]) -> dict[str, Any]:
    """The files that the job reads and writes; a ledger is only named: it must never be copied.

    Args:
        rows: The films.
        options: What is wanted of each.
    """
    files, folders = {row.video for row in rows}, set[str]()
    named = set[str]()
    for one in set(options):
        for name, path in paths_in(one).items():
            if name == "ledger":
                named.add(str(path))
            elif name != "key_file":  # secrets are not sent about
                _add(path.expanduser().absolute(), files, folders)
    written = {rows[0].out}
    for row in rows:
        for place in (row.name, row.stems, row.plot):
            if place is not None and Path(place).is_absolute():
                written.add(place if place == row.stems else str(Path(place).parent))
    return {
        "assetReferences": {
            "inputs": {"filenames": sorted(files), "directories": sorted(folders)},
            "outputs": {"directories": sorted(written)},
            "referencedPaths": sorted(named),
        }
    }


def _add(path: Path, files: set[str], folders: set[str]) -> None:
    found = list_file(path)
    (folders if found.is_dir() else files).add(str(found))
