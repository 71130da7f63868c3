"""The motif: drawn once for a piece, then varied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from scorebed.composer.plan import MotifNote

if TYPE_CHECKING:
    import numpy as np

Motif = tuple[MotifNote, ...]

MOTIF_STEPS = 32
"""Sixteenths of a motif: two bars of four beats."""
_CALM = ((8,), (4, 4), (6, 2), (4, 2, 2), (12,))
_LIVELY = ((2, 2, 4), (3, 3, 2), (2, 2, 2, 2), (4, 2, 2), (6, 2), (3, 1, 4))
_RANGE = (-3, 8)


def draw_motif(rng: np.random.Generator, density: float) -> Motif:
    """A motif of two bars: a rhythm that is said twice, the second time closed by a long note.

    Args:
        rng: Where chance comes from.
        density: How many notes, 0 to 1.
    """
    rhythm: list[int] = []
    while sum(rhythm) < MOTIF_STEPS // 2:
        pool = _LIVELY if rng.random() < density else _CALM
        rhythm.extend(pool[int(rng.integers(len(pool)))])
    lengths = _cut(rhythm, MOTIF_STEPS // 2)
    second = _cut(lengths, MOTIF_STEPS // 4)
    lengths = [*lengths, *second, MOTIF_STEPS - MOTIF_STEPS // 2 - sum(second)]
    degrees = _contour(rng, len(lengths))
    notes = []
    step = 0
    for length, degree in zip(lengths, degrees, strict=True):
        notes.append(MotifNote(step=step, length=length, degree=degree))
        step += length
    return tuple(notes)


def _cut(lengths: Sequence[int], total: int) -> list[int]:
    out: list[int] = []
    for length in lengths:
        left = total - sum(out)
        if left <= 0:
            break
        out.append(min(length, left))
    return out


def _contour(rng: np.random.Generator, count: int) -> list[int]:
    """Mostly steps, a leap now and then that is filled back, and one highest note."""
    degree = int(rng.choice([0, 2, 4]))
    direction = 1 if rng.random() < 0.65 else -1  # noqa: PLR2004
    out = [degree]
    for index in range(1, count):
        leap = rng.random() < 0.28  # noqa: PLR2004
        degree += direction * (int(rng.integers(2, 5)) if leap else 1)
        out.append(degree)
        if leap or rng.random() < 0.35 or not _RANGE[0] < degree < _RANGE[1]:  # noqa: PLR2004
            direction = -direction
        degree = min(max(degree, _RANGE[0]), _RANGE[1])
        if index == count // 2:
            direction = -1 if degree > 2 else 1  # noqa: PLR2004
    out[-1] = int(rng.choice([0, 2, 4]))
    return out


def _shifted(motif: Motif) -> Motif:
    return tuple(replace(note, degree=note.degree + 2) for note in motif)


def _inverted(motif: Motif) -> Motif:
    axis = motif[0].degree
    return tuple(replace(note, degree=2 * axis - note.degree) for note in motif)


def _ornamented(motif: Motif) -> Motif:
    out: list[MotifNote] = []
    for note in motif:
        if note.length >= 4 and note.step % 8 == 4:  # noqa: PLR2004
            half = note.length // 2
            out.append(replace(note, length=half))
            out.append(
                MotifNote(step=note.step + half, length=note.length - half, degree=note.degree + 1)
            )
        else:
            out.append(note)
    return tuple(out)


def _augmented(motif: Motif) -> Motif:
    """The first bar at half speed."""
    return tuple(
        MotifNote(step=note.step * 2, length=note.length * 2, degree=note.degree)
        for note in motif
        if note.step < MOTIF_STEPS // 2
    )


def _sequenced(motif: Motif) -> Motif:
    """The first bar, and again a step lower."""
    half = MOTIF_STEPS // 2
    head = [
        replace(note, length=min(note.length, half - note.step))
        for note in motif
        if note.step < half
    ]
    tail = [replace(note, step=note.step + half, degree=note.degree - 1) for note in head]
    return (*head, *tail)


def _thinned(motif: Motif) -> Motif:
    """Only the notes on beats, each held to the next."""
    kept = [note for note in motif if note.step % 8 == 0] or [motif[0]]
    ends = [note.step for note in kept[1:]] + [MOTIF_STEPS]
    return tuple(
        replace(note, length=end - note.step) for note, end in zip(kept, ends, strict=True)
    )


_VARIATIONS: tuple[Callable[[Motif], Motif], ...] = (
    _ornamented,
    _sequenced,
    _shifted,
    _thinned,
    _inverted,
    _augmented,
)


def vary(motif: Motif, letter: int, times: int) -> Motif:
    """A variation: as it was at its first statement, then changed at each return.

    Args:
        motif: The motif of the piece.
        letter: Which material asks (0 for A): others than A start from a relative of the motif.
        times: How often that material has been heard before.
    """
    base = motif if letter == 0 else _VARIATIONS[(2 * letter) % len(_VARIATIONS)](motif)
    # Every second return is the plain statement again: what comes back must be recognised.
    if times % 2 == 0:
        return base
    return _VARIATIONS[(letter + times // 2) % len(_VARIATIONS)](base)
