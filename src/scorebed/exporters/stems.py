"""Stems: DX, MX-dry, MX-ducked and MIX as WAV on the picture's time line."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from scorebed.delivery import refuse_existing, require_folder
from scorebed.dsp.gain import curve_gain
from scorebed.errors import SettingsError
from scorebed.wav import BLOCK_SAMPLES, read_stem, write_wav

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scorebed.model import Audio, Ducked, GainCurve, Levelled, Mixed, Stem

NAMES = ("DX.wav", "MX-dry.wav", "MX-ducked.wav", "MIX.wav")


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


def write_stems(
    folder: Path,
    picture_samples: int,
    levelled: Levelled,
    ducked: Ducked,
    mixed: Mixed,
) -> list[tuple[Path, Path]]:
    """Writes the four stems under temporary names, each as long as the picture, from its start.

    They carry the gains of the mix, so that DX and MX-ducked add up to MIX wherever the limiter
    did nothing. A video without production audio gets a silent DX.

    Args:
        folder: Where to; made if it is not there.
        picture_samples: Length of the picture, in samples.
        levelled: Music and production audio.
        ducked: The gain curve of the music.
        mixed: The programme.

    Returns:
        Temporary and final name of each.
    """
    folder.mkdir(exist_ok=True)
    mx = _raised(levelled.mx, mixed.gain_db)
    dx = None if levelled.dx is None else _raised(levelled.dx, mixed.gain_db)
    wanted = {
        "DX.wav": (dx.channels if dx else 2, _dialogue(dx, picture_samples)),
        "MX-dry.wav": (2, _blocks(mx, picture_samples)),
        "MX-ducked.wav": (2, _curved(_blocks(mx, picture_samples), ducked.curve)),
        "MIX.wav": (mixed.mix.channels, _blocks(mixed.mix, picture_samples)),
    }
    parts = [(folder / f".{name}.part", folder / name) for name in wanted]
    try:
        for (part, _), (channels, blocks) in zip(parts, wanted.values(), strict=True):
            write_wav(part, blocks, channels=channels, length_samples=picture_samples)
    except BaseException:
        for part, _ in parts:
            part.unlink(missing_ok=True)
        raise
    return parts


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
