"""Files, blocks of audio, progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]
"""float32 samples, shape (samples, channels), full scale +-1.0; always two-dimensional."""

Progress = Callable[[float], None]
"""Called by a stage with the share of its work that is done, 0 to 1."""


def no_progress(_share: float) -> None:
    """A ``Progress`` for callers that do not watch."""


Tell = Callable[[str], None]
"""Told, in a sentence, what a person should know at once."""


def no_words(_sentence: str) -> None:
    """A ``Tell`` for callers that do not listen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file that a stage made."""

    path: Path
    """Where it lies."""
    sha256: str
    """Hash of its content, in hexadecimal; stages are keyed by it, never by the path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file that the user gave: read, never written."""

    path: Path
    """Where the user says it is."""
    fingerprint: str
    """Hash of size, modification time and sampled content; stages are keyed by it."""
