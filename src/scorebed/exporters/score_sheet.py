"""A sheet of what was written: piano roll, chords, scenes and hit points, tempo, levels of groups.

Its size is bounded: a long film has a dozen systems in which notes stand closer.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from scorebed.exporters.drawing import FAINT, INK, draw_speech
from scorebed.exporters.fonts import settle
from scorebed.timecode import SAMPLE_RATE_HZ, to_clock, to_samples
from scorebed.wav import read_wav

if TYPE_CHECKING:
    from pathlib import Path

    from scorebed.model import InstrumentGroup, Sketch
    from scorebed.result import Result

_SYSTEM_S: Final = 22
_MOST_SYSTEMS: Final = 12
_COLUMNS: Final = 1400
_HOP_SAMPLES: Final = 480
_MOST_CHORDS: Final = 28
_MOST_BARS: Final = 80
_FLOOR_DB: Final = -66.0
_PAPER: Final = 255
_COLOURS: Final[dict[InstrumentGroup, str]] = {
    "keys": "#1f5fa8",
    "strings": "#b3402e",
    "pads": "#8a6fb8",
    "winds": "#c9861a",
    "plucked": "#2f8f4e",
    "mallets": "#1b9aaa",
    "synths": "#d1495b",
    "bass": "#4a4e69",
    "drums": "#5c5c5c",
    "effects": "#a0a0a0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Roll:
    """All systems as one long picture of notes: pitches upwards, and a lane per drum beneath."""

    image: NDArray[np.uint8]
    """Shape (lanes * stripes, columns, 3), the highest pitch first."""
    lanes: int
    """Of pitches and drums."""
    octaves: tuple[tuple[int, str], ...]
    """Lanes of the Cs, with their names."""
    roofs: int
    """Lanes of pitches; those of drums come after."""


def write_score_sheet(path: Path, result: Result, sketch: Sketch) -> None:
    """Draws what was written and how loud its groups are.

    Args:
        path: The PNG.
        result: The finished score: scenes, cues, speech.
        sketch: What was written.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second that others need not pay

    length_s = result.picture.length_samples / SAMPLE_RATE_HZ
    systems = min(max(round(length_s / _SYSTEM_S), 1), _MOST_SYSTEMS)
    roll = _draw_notes(sketch, result.picture.length_samples, systems * _COLUMNS)
    levels = {
        stem.group: _levels_db(stem.audio.path, result.picture.length_samples, systems * _COLUMNS)
        for stem in sketch.stems
    }
    # At most 12 systems of 3.4 inches: a picture of at most 1600 by 4140 pixels.
    figure = Figure(figsize=(16, 0.6 + 3.4 * systems), dpi=100, layout="constrained")
    figure.suptitle(f"{result.video.name}: {result.take.name}", x=0.01, ha="left", color=INK)
    panels = figure.subplots(
        2 * systems, 1, squeeze=False, gridspec_kw={"height_ratios": [3.2, 1.0] * systems}
    )[:, 0]
    for system in range(systems):
        span_s = length_s * system / systems, length_s * (system + 1) / systems
        columns = slice(system * _COLUMNS, (system + 1) * _COLUMNS)
        notes, below = panels[2 * system : 2 * system + 2]
        _draw_roll(notes, roll, columns, span_s)
        _draw_bars(notes, below, sketch, span_s, first=system == 0)
        _draw_levels(below, levels, columns, span_s)
        _draw_picture(notes, below, result, span_s)
    if levels:
        handles, labels = panels[1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="upper right", ncols=len(levels), fontsize=8,
                      frameon=False)  # fmt: skip
    settle(figure)
    # No program name and date inside: the same result gives the same file.
    figure.savefig(path, format="png", metadata={"Software": None})


def _draw_notes(sketch: Sketch, length: int, columns: int) -> _Roll:
    notes = np.load(sketch.notes.path)
    drum = np.array([part.programme is None for part in sketch.parts], dtype=bool)
    pitched = notes[~drum[notes["part"]]]["pitch"] if len(notes) else notes["pitch"]
    low = int(pitched.min(initial=59)) - 1
    high = int(pitched.max(initial=60)) + 1
    keys = np.unique(notes[drum[notes["part"]]]["pitch"]).tolist() if len(notes) else []
    roofs = high - low + 1
    lanes = roofs + 1 + len(keys)
    groups = list(dict.fromkeys(part.group for part in sketch.parts))
    own = [groups.index(part.group) for part in sketch.parts]
    image = np.full((lanes, max(len(groups), 1), columns, 3), _PAPER, dtype=np.uint8)
    colours = [_rgb(_COLOURS[part.group]) for part in sketch.parts]
    # A row at a time: as numbers of Python all notes of a film take twenty times the room.
    for start, long, part, pitch, velocity in map(np.void.item, notes):
        lane = roofs + 1 + keys.index(pitch) if drum[part] else high - pitch
        first = min(start * columns // length, columns - 1)
        # A drum is a stroke, however long it rings.
        last = first + 3 if drum[part] else max((start + long) * columns // length, first + 2)
        share = 0.35 + 0.65 * velocity / 127
        ink = (_PAPER - share * (_PAPER - colours[part])).astype(np.uint8)
        # A note fills its lane where it is alone, and a stripe of it beside another group's.
        here = image[lane, :, first:last]
        free = (here == _PAPER).all(axis=-1)
        here[free] = ink
        here[own[part]] = ink
    octaves = tuple(
        (high - pitch, f"C{pitch // 12 - 1}") for pitch in range(low, high + 1) if pitch % 12 == 0
    )
    return _Roll(image=image.reshape(-1, columns, 3), lanes=lanes, octaves=octaves, roofs=roofs)


def _rgb(colour: str) -> NDArray[np.float64]:
    return np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)], dtype=np.float64)


def _draw_roll(axes: Any, roll: _Roll, columns: slice, span_s: tuple[float, float]) -> None:  # noqa: ANN401 - matplotlib
    lanes = roll.lanes
    axes.imshow(
        roll.image[:, columns],
        extent=(*span_s, lanes - 0.5, -0.5),
        aspect="auto",
        interpolation="nearest",
    )
    axes.set_yticks([lane for lane, _ in roll.octaves], [name for _, name in roll.octaves])
    axes.tick_params(labelsize=7, labelbottom=False, length=2)
    for lane, _ in roll.octaves:
        axes.axhline(lane + 0.5, color=FAINT, lw=0.4, alpha=0.5)
    if lanes > roll.roofs + 1:
        axes.axhline(roll.roofs, color=INK, lw=0.6)
    axes.set_ylim(lanes - 0.5, -0.5)


def _draw_bars(
    notes: Any,  # noqa: ANN401 - matplotlib
    below: Any,  # noqa: ANN401 - matplotlib
    sketch: Sketch,
    span_s: tuple[float, float],
    *,
    first: bool,
) -> None:
    """Bar lines, chords and the tempo."""
    ends = [second * SAMPLE_RATE_HZ for second in span_s]
    bars = [bar for bar in sketch.bars if ends[0] <= bar.beats_samples[0] < ends[1]]
    every = -(-len(bars) // _MOST_CHORDS)
    before = None
    for number, bar in enumerate(bars):
        at_s = bar.beats_samples[0] / SAMPLE_RATE_HZ
        if len(bars) <= _MOST_BARS:
            notes.axvline(at_s, color=FAINT, lw=0.5, alpha=0.6)
        if number % every == 0 and (every > 1 or bar.chord != before):
            notes.text(at_s, 1.0, f" {bar.chord}", fontsize=6.5, va="bottom", color=INK,
                       transform=notes.get_xaxis_transform())  # fmt: skip
        before = bar.chord
    times_s, tempi = [], []
    for bar in bars:
        for one, two in pairwise((*bar.beats_samples, bar.end_samples)):
            times_s += [one / SAMPLE_RATE_HZ, two / SAMPLE_RATE_HZ]
            tempi += [60 * SAMPLE_RATE_HZ / (two - one)] * 2
        # The ring of a last chord is one long beat, and no tempo.
        if len(bar.beats_samples) == 1:
            tempi[-2:] = [np.nan, np.nan]
    tempo = below.twinx()
    tempo.plot(times_s, tempi, color=INK, lw=1.0, ls="-")
    tempo.tick_params(labelsize=6, length=2)
    tempo.set_ylabel("bpm" if first else "", fontsize=7)
    tempo.spines[["top"]].set_visible(False)


def _levels_db(path: Path, length: int, columns: int) -> NDArray[np.float32]:
    """Level of a WAV in every column, in dB, read in blocks."""
    power = np.zeros(columns, dtype=np.float64)
    count = np.zeros(columns, dtype=np.float64)
    at = 0
    for block in read_wav(path):
        hops = np.add.reduceat(
            np.mean(np.square(block), axis=1), np.arange(0, len(block), _HOP_SAMPLES)
        )
        places = (at + np.arange(len(hops)) * _HOP_SAMPLES) * columns // length
        places = np.minimum(places, columns - 1)
        np.add.at(power, places, hops)
        np.add.at(count, places, _HOP_SAMPLES)
        at += len(block)
    means = power / np.maximum(count, 1)
    # A column of a short film is narrower than what is read at once.
    known = np.flatnonzero(count)
    means = np.interp(np.arange(columns), known, means[known]) if len(known) else means
    return np.asarray(10 * np.log10(means + 1e-12), dtype=np.float32)


def _draw_levels(
    axes: Any,  # noqa: ANN401 - matplotlib
    levels: dict[InstrumentGroup, NDArray[np.float32]],
    columns: slice,
    span_s: tuple[float, float],
) -> None:
    times_s = np.linspace(*span_s, _COLUMNS, endpoint=False)
    for group, values in levels.items():
        heard = np.where(values[columns] < _FLOOR_DB, np.nan, values[columns])
        axes.plot(times_s, heard, color=_COLOURS[group], lw=0.8, label=group)
    axes.set_xlim(*span_s)
    axes.set_ylim(_FLOOR_DB, 0)
    axes.set_ylabel("dBFS", fontsize=7)
    axes.tick_params(labelsize=7, length=2)
    axes.spines[["top"]].set_visible(False)


def _draw_picture(notes: Any, below: Any, result: Result, span_s: tuple[float, float]) -> None:  # noqa: ANN401 - matplotlib
    """Scenes, hit points and speech of the picture."""
    draw_speech(below, result.speech)
    for cue in result.notes.cues:
        for hit in cue.hit_points:
            at_s = float(hit.at_s)
            if span_s[0] <= at_s < span_s[1]:
                notes.axvline(at_s, color="#d1495b", lw=0.4 + hit.weight, ls=":")
    for number, scene in enumerate(result.notes.scenes, start=1):
        at_s = to_samples(scene.range.start_s) / SAMPLE_RATE_HZ
        if span_s[0] <= at_s < span_s[1]:
            for axes in (notes, below):
                axes.axvline(at_s, color=INK, lw=1.4)
            notes.text(at_s, 0.0, f" scene {number}", fontsize=7, va="bottom", weight="bold",
                       color=INK, transform=notes.get_xaxis_transform())  # fmt: skip
    ticks = np.linspace(*span_s, 9)
    below.set_xticks(ticks, [to_clock(float(tick)) for tick in ticks])
    notes.set_xlim(*span_s)
    below.set_xlim(*span_s)
