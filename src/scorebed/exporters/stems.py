"""Stems: DX, MX-dry, MX-ducked and MIX as WAV on the picture's time line."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from scorebed.delivery import publish, refuse_existing
from scorebed.dsp.gain import curve_gain
from scorebed.wav import BLOCK_SAMPLES, read_stem, write_wav

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scorebed.model import Audio, Ducked, GainCurve, Levelled, Mixed, Stem

NAMES = ("DX.wav", "MX-dry.wav", "MX-ducked.wav", "MIX.wav")


def check_stems(folder: Path, *, overwrite: bool) -> None:
    """Refuses a folder that holds stems already.

    Raises:
        SettingsError: If one of them exists and may not be replaced.
    """
    for name in NAMES:
        refuse_existing(folder / name, overwrite=overwrite)


def write_stems(
    folder: Path,
    picture_samples: int,
    levelled: Levelled,
    ducked: Ducked,
    mixed: Mixed,
    *,
    overwrite: bool,
) -> None:
    """Writes the four stems, each exactly as long as the picture, from its first frame.

    They carry the gains of the mix, so that DX and MX-ducked add up to MIX wherever the limiter
    did nothing. A video without production audio gets a silent DX.

    Args:
        folder: Where to; made if it is not there.
        picture_samples: Length of the picture, in samples.
        levelled: Music and production audio.
        ducked: The gain curve of the music.
        mixed: The programme.
        overwrite: Whether older stems may be replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mx = _raised(levelled.mx, mixed.gain_db)
    dx = None if levelled.dx is None else _raised(levelled.dx, mixed.gain_db)
    wanted = {
        "DX.wav": (dx.channels if dx else 2, _dialogue(dx, picture_samples)),
        "MX-dry.wav": (2, _blocks(mx, picture_samples)),
        "MX-ducked.wav": (2, _curved(_blocks(mx, picture_samples), ducked.curve)),
        "MIX.wav": (mixed.mix.channels, _blocks(mixed.mix, picture_samples)),
    }
    for name, (channels, blocks) in wanted.items():
        part = folder / f".{name}.part"
        try:
            write_wav(part, blocks, channels=channels, length_samples=picture_samples)
            publish(part, folder / name, overwrite=overwrite)
        finally:
            part.unlink(missing_ok=True)


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
