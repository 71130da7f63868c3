"""How the music was fitted to the picture, as it is told: in the JSON and in a line or two."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from scorebed.result_streams import seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorebed.model import Conformed, CutOffset, LockReport, PieceFit, Seam


def fit_figures(fit: PieceFit) -> dict[str, Any]:
    """What was done to a piece, as it is written."""
    return {
        "start_s": seconds(fit.range.start_s),
        "end_s": seconds(fit.range.end_s),
        "how": fit.how,
        "why": fit.why,
        "locked": fit.locked,
        "tempo_bpm": _round(fit.tempo_bpm, 2),
        "confidence": _round(fit.confidence, 2),
        "seams": [_seam(seam) for seam in fit.seams],
        "stretch": None
        if not fit.stretches
        else {
            "least": round(min(fit.stretches), 4),
            "most": round(max(fit.stretches), 4),
            "median": round(statistics.median(fit.stretches), 4),
            "bars": [round(ratio, 4) for ratio in fit.stretches],
        },
    }


def _seam(seam: Seam) -> dict[str, Any]:
    return {
        "at_s": seconds(seam.at_s),
        "from_s": seconds(seam.from_s),
        "to_s": seconds(seam.to_s),
        "loudness_step_lu": _round(seam.loudness_step_lu, 2),
        "flux": round(seam.flux, 3),
    }


def lock_figures(lock: LockReport | None) -> dict[str, Any] | None:
    """How beats lie on cuts, as it is written."""
    if lock is None:
        return None
    return {
        "mode": lock.mode,
        "moved": lock.moved,
        "hits_before": round(lock.hits_before, 4),
        "hits_after": round(lock.hits_after, 4),
        "downbeats_before": _round(lock.downbeats_before, 4),
        "downbeats_after": _round(lock.downbeats_after, 4),
        "z_before": _round(lock.z_before, 2),
        "z_after": _round(lock.z_after, 2),
        "cuts": [_cut(cut, float(lock.frame_rate)) for cut in lock.cuts],
    }


def _cut(cut: CutOffset, frames_per_s: float) -> dict[str, Any]:
    told: dict[str, Any] = {
        "at_s": seconds(cut.at_s),
        "label": cut.label,
        "weight": round(cut.weight, 4),
    }
    for name, offset_ms in (("before", cut.before_ms), ("after", cut.after_ms)):
        frames = None if offset_ms is None else offset_ms * frames_per_s / 1000
        told |= {f"{name}_ms": _round(offset_ms, 1), f"{name}_frames": _round(frames, 2)}
    return told


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def fit_lines(conformed: Conformed) -> Iterator[str]:
    """How the music was fitted, for a person: nothing where it was not."""
    fitted = [fit for fit in conformed.fits if fit.how == "fitted"]
    bars = [ratio for fit in fitted for ratio in fit.stretches]
    if fitted:
        count = sum(len(fit.seams) for fit in fitted)
        told = f"{count or 'no'} seam{'s' if count != 1 else ''}"
        if bars and max(abs(ratio - 1) for ratio in bars) > 5e-4:  # noqa: PLR2004 - 0.05 %
            told += f", bars stretched by {min(bars) - 1:+.1%} to {max(bars) - 1:+.1%}"
        yield f"fitted     {told}"
    lock = conformed.lock
    if lock is not None:
        count, before, after = (
            len(lock.cuts),
            round(lock.hits_before * len(lock.cuts)),
            round(lock.hits_after * len(lock.cuts)),
        )
        what = "scene change" if lock.mode == "scenes" else "cut"
        by_chance = "" if lock.z_after is None else f", {lock.z_after:+.1f} sigma over chance"
        yield (
            f"cut-lock   {after} of {count} {what}{'s' if count != 1 else ''} with a beat within "
            f"70 ms, {before} without it{by_chance}{_downbeats(lock)}"
        )


def _downbeats(lock: LockReport) -> str:
    """How many scene changes are met by a downbeat; nothing where there are none."""
    if lock.downbeats_after is None or lock.downbeats_before is None:
        return ""
    scenes = sum(cut.label == "scene" for cut in lock.cuts)
    after, before = round(lock.downbeats_after * scenes), round(lock.downbeats_before * scenes)
    what = f"scene change{'s' if scenes != 1 else ''}"
    return f"; {after} of {scenes} {what} on a downbeat, {before} without it"


def fit_warnings(conformed: Conformed) -> list[str]:
    """Why music was faded or begun again instead of being fitted."""
    found = []
    whys = {fit.why for fit in conformed.fits if fit.how == "repeated" and fit.why}
    because = f": {', '.join(sorted(whys))}" if whys else ""
    if conformed.passes > 1:
        found.append(f"the music was too short and is played {conformed.passes} times{because}")
    # One without an ending of its own is faded as planned: its beats were not even looked for.
    sought = [fit for fit in conformed.fits if fit.confidence is not None]
    whys = {fit.why for fit in sought if fit.how == "faded" and fit.why}
    if whys:
        found.append(f"the music was too long and is faded: {', '.join(sorted(whys))}")
    return found
