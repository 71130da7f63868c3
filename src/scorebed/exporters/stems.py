"""Stems: DX, MX-dry, MX-ducked and MIX as WAV on the picture's time line, and music by scene."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from scorebed.delivery import refuse_existing, require_folder
from scorebed.dsp.gain import curve_gain
from scorebed.errors import SettingsError
from scorebed.timecode import to_samples
from scorebed.wav import BLOCK_SAMPLES, read_stem, write_wav

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scorebed.model import Audio, GainCurve, Stem
    from scorebed.result import Result

NAMES = ("DX.wav", "MX-dry.wav", "MX-ducked.wav", "MIX.wav")
_NUMBERED = re.compile(r"1M[1-9][0-9]*\.wav|take-[1-9][0-9]*-.+", re.DOTALL)
"""Music of a scene, and further files of a take: how many there will be shows in the end only."""


def check_stems(folder: Path, *, overwrite: bool) -> None:
    """Refuses a folder that cannot be made or holds stems already.

    Raises:
        SettingsError: If one of them exists and may not be replaced.
        WorkspaceError: If the folder may not be written to.
    """
    if folder.exists() and not folder.is_dir():
        raise SettingsError(
            f"the stems' folder {folder} is a file", remedy="Give --stems the name of a folder."
        )
    require_folder(folder if folder.is_dir() else folder.absolute().parent)
    for name in NAMES:
        refuse_existing(folder / name, overwrite=overwrite)
    for path in _numbered(folder):
        refuse_existing(path, overwrite=overwrite)


def write_stems(folder: Path, result: Result) -> list[tuple[Path, Path]]:
    """Writes the stems under temporary names.

    DX, MX-dry, MX-ducked and MIX are each as long as the picture, from its start. They carry the
    gains of the mix, so that DX and MX-ducked add up to MIX wherever the limiter did nothing. A
    video without production audio gets a silent DX. ``1M1.wav``, ``1M2.wav`` ... are MX-dry cut at
    the scenes, to the sample, and so add up to it; ``take-1-NAME`` ... are copies of further files
    of the take.

    Args:
        folder: Where to; made if it is not there.
        result: The finished score.

    Returns:
        Temporary and final name of each.
    """
    folder.mkdir(exist_ok=True)
    parts: list[tuple[Path, Path]] = []
    try:
        for name, channels, length, blocks in (*_whole(result), *_scenes(result)):
            part = _part(folder, name, parts)
            write_wav(part, blocks, channels=channels, length_samples=length)
        for number, original in enumerate(result.take.originals, start=1):
            part = _part(folder, f"take-{number}-{original.path.name}", parts)
            shutil.copyfile(original.path, part)
    except BaseException:
        for part, _ in parts:
            part.unlink(missing_ok=True)
        raise
    return parts


def _numbered(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NUMBERED.fullmatch(path.name))


def _part(folder: Path, name: str, parts: list[tuple[Path, Path]]) -> Path:
    # Noted before it is written, so that it is removed if writing fails.
    parts.append((folder / f".{name}.part", folder / name))
    return parts[-1][0]


_Written = tuple[str, int, int, "Iterator[Audio]"]
"""Name, channels, length in samples, and the samples of a stem."""


def _whole(result: Result) -> Iterator[_Written]:
    length = result.picture.length_samples
    mixed, dx = result.mixed, result.levelled.dx
    mx = _raised(result.levelled.mx, mixed.gain_db)
    dx = None if dx is None else _raised(dx, mixed.gain_db)
    yield "DX.wav", dx.channels if dx else 2, length, _dialogue(dx, length)
    yield "MX-dry.wav", 2, length, _blocks(mx, length)
    yield "MX-ducked.wav", 2, length, _curved(_blocks(mx, length), result.ducked.curve)
    yield "MIX.wav", mixed.mix.channels, length, _blocks(mixed.mix, length)


def _scenes(result: Result) -> Iterator[_Written]:
    """The music of each scene as far as it is scored: levelled, not ducked."""
    mx = _raised(result.levelled.mx, result.mixed.gain_db)
    end = result.picture.length_samples
    if result.notes.cues:
        end = min(end, to_samples(result.notes.cues[-1].range.end_s))
    for number, scene in enumerate(result.notes.scenes, start=1):
        first = to_samples(scene.range.start_s)
        last = min(to_samples(scene.range.end_s), end)
        if first < last:
            blocks = read_stem(mx, start_samples=first, length_samples=last - first)
            yield f"1M{number}.wav", 2, last - first, blocks


def _raised(stem: Stem, gain_db: float) -> Stem:
    return replace(stem, gain_db=stem.gain_db + gain_db)


def _blocks(stem: Stem, picture_samples: int) -> Iterator[Audio]:
    return read_stem(stem, start_samples=0, length_samples=picture_samples)


def _dialogue(dx: Stem | None, picture_samples: int) -> Iterator[Audio]:
    if dx is not None:
        yield from _blocks(dx, picture_samples)
        return
    for at in range(0, picture_samples, BLOCK_SAMPLES):
        yield np.zeros((min(BLOCK_SAMPLES, picture_samples - at), 2), dtype=np.float32)


def _curved(blocks: Iterator[Audio], curve: GainCurve) -> Iterator[Audio]:
    at = 0
    for block in blocks:
        yield block * curve_gain(curve, at, len(block))[:, np.newaxis]
        at += len(block)
