"""A list is written, read, and told in frames of the picture."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pytest

from scorebed.cutlists import read_cuts, read_markers
from scorebed.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Told = list[tuple[float, float | None, str, str]]


class Read(Protocol):
    def __call__(
        self,
        name: str,
        content: str | bytes,
        *,
        frames: int,
        rate: Fraction = ...,
        timecode_s: Fraction | None = ...,
    ) -> Told: ...


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """First frame, frame after the transition or None, kind and name of each cut."""

    def cuts(
        name: str,
        content: str | bytes,
        *,
        frames: int,
        rate: Fraction = Fraction(25),
        timecode_s: Fraction | None = None,
    ) -> Told:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        found = read_cuts(path, frame_rate=rate, timecode_s=timecode_s, duration_s=frames / rate)
        for cut in found:
            assert (cut.at_s * rate).denominator in {1, 2}, "not exact"
        return [
            (
                float(cut.at_s * rate),
                None if cut.end_s is None else float(cut.end_s * rate),
                cut.kind,
                cut.name,
            )
            for cut in found
        ]

    return cuts


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Bytes changed, cut out, doubled, made to numbers that cannot be; or the end missing."""
    made = bytearray(content)
    for _ in range(rng.integers(1, 3)):
        at, kind, some = (int(rng.integers(below)) for below in (len(made), 4, 200))
        if kind == 0:
            made[at] = some
        elif kind == 1:
            del made[at : at + some // 5]
        elif kind == 2:
            made[at:at] = made[at : at + some]
        else:
            made[at : at + 1] = (b"-1", b"99999999999", b"0", b"\0", b"/", b":")[some % 6]
    return bytes(made[: int(rng.integers(1, len(made)))] if rng.random() < 0.1 else made)


@pytest.fixture
def survives(tmp_path: Path) -> Callable[[str, bytes], int]:
    """Reads 150 damaged copies; how many could be read for all that."""

    def survive(name: str, content: bytes) -> int:
        rng, path, whole = np.random.default_rng(5), tmp_path / name, 0
        for _ in range(150):
            path.write_bytes(damaged(content, rng))
            for reader in (read_cuts, read_markers):
                try:
                    reader(path, frame_rate=Fraction(25), timecode_s=None, duration_s=Fraction(26))
                except MediaError as error:
                    if not error.remedy:
                        raise
                else:
                    whole += 1
        return whole

    return survive
