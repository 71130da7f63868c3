"""scorebed: a finished cut comes back with music that fits."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from scorebed.errors import (
    BatchFailed,
    MediaError,
    ProviderError,
    ScorebedError,
    SettingsError,
    ToolError,
    WorkspaceError,
)

if TYPE_CHECKING:
    from scorebed.api import measure, score, spot, sync
    from scorebed.batching.interface import batch
    from scorebed.batching.items import BatchProgress
    from scorebed.batching.outcome import BatchResult
    from scorebed.farming.interface import farm
    from scorebed.farming.write import FarmFiles
    from scorebed.measurement import Measurement
    from scorebed.options import Options
    from scorebed.result import Result
    from scorebed.spotting import Spotting
    from scorebed.synchrony import Sync
    from scorebed.watching.interface import watch

    __version__: str

__all__ = [
    "BatchFailed",
    "BatchProgress",
    "BatchResult",
    "FarmFiles",
    "Measurement",
    "MediaError",
    "Options",
    "ProviderError",
    "Result",
    "ScorebedError",
    "SettingsError",
    "Spotting",
    "Sync",
    "ToolError",
    "WorkspaceError",
    "__version__",
    "batch",
    "farm",
    "measure",
    "score",
    "spot",
    "sync",
    "watch",
]

_LATE = {
    "batch": "scorebed.batching.interface",
    "farm": "scorebed.farming.interface",
    "measure": "scorebed.api",
    "score": "scorebed.api",
    "spot": "scorebed.api",
    "BatchProgress": "scorebed.batching.items",
    "BatchResult": "scorebed.batching.outcome",
    "FarmFiles": "scorebed.farming.write",
    "sync": "scorebed.api",
    "Measurement": "scorebed.measurement",
    "Options": "scorebed.options",
    "Result": "scorebed.result",
    "Spotting": "scorebed.spotting",
    "Sync": "scorebed.synchrony",
    "watch": "scorebed.watching.interface",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    """Imports the heavy rooms when they are first asked for, not with the package."""
    if name == "__version__":
        # 30 ms, for those who ask.
        return import_module("importlib.metadata").version("scorebed")
    if name not in _LATE:
        raise AttributeError(f"module 'scorebed' has no attribute {name!r}")
    return getattr(import_module(_LATE[name]), name)
