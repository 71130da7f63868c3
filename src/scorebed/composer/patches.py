"""The tuned instruments by name.

A struck instrument makes a whole note that decays by itself. A held one makes a loop, to which
the player adds attack and release. Levels are set so that patches sound about equally loud at
0 dB.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from scorebed.composer.chance import rng_for
from scorebed.composer.held import HELD_RECIPES, held_note
from scorebed.composer.keys import electric_piano, piano, pulse_bass, sub_bass
from scorebed.composer.struck import (
    PLUCKED_RECIPES,
    STRUCK_RECIPES,
    plucked_note,
    struck_note,
)
from scorebed.composer.tones import Sound, Touch

if TYPE_CHECKING:
    from scorebed.model import Quality


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """How a patch is played."""

    make: Callable[[Touch], Sound]
    """Makes a note (struck) or a loop (held)."""
    held: bool
    """Whether ``make`` gives a loop."""
    attack_s: float
    """Time to full level of a held note, in seconds."""
    release_s: float
    """Time to silence after the end of a note, in seconds."""
    gain_db: float
    """Evens out loudness between patches, in dB."""


def _note(make: Callable[[Touch], Sound], release_s: float, gain_db: float) -> Instrument:
    return Instrument(make=make, held=False, attack_s=0.0, release_s=release_s, gain_db=gain_db)


def _orchestra() -> dict[str, Instrument]:
    out: dict[str, Instrument] = {}
    for name, (held, attack, release, gain) in HELD_RECIPES.items():
        out[name] = Instrument(
            make=partial(held_note, held),
            held=True,
            attack_s=attack,
            release_s=release,
            gain_db=gain,
        )
    for name, (plucked, release, gain) in PLUCKED_RECIPES.items():
        out[name] = _note(partial(plucked_note, plucked), release, gain)
    for name, (struck, release, gain) in STRUCK_RECIPES.items():
        out[name] = _note(partial(struck_note, struck), release, gain)
    out["piano"] = _note(partial(piano, felt=False), 0.3, 0.0)
    out["felt_piano"] = _note(partial(piano, felt=True), 0.4, 1.0)
    out["electric_piano"] = _note(electric_piano, 0.2, -1.0)
    out["sub_bass"] = _note(sub_bass, 0.15, -2.0)
    out["pulse_bass"] = _note(pulse_bass, 0.06, 0.0)
    return out


INSTRUMENTS = _orchestra()
"""All tuned instruments by the name of their patch."""


HELD = frozenset(HELD_RECIPES)
"""Patches whose notes last as long as they are held."""
RINGS = frozenset(
    {
        *HELD,
        *("piano", "felt_piano", "electric_piano", "guitar", "harp"),
        *("vibraphone", "glockenspiel", "bell", "sub_bass"),
    }
)
"""Patches that sound on for seconds; others need a roll to do so."""


def make_tone(name: str, pitch: int, bright: float, quality: Quality) -> Sound:
    """A note or a loop of an instrument: the same for the same arguments.

    Args:
        name: The patch.
        pitch: MIDI number.
        bright: Brightness, 0 to 1.
        quality: How much work goes into it.
    """
    rng = rng_for("tone", name, pitch, quality)
    touch = Touch(pitch=pitch, bright=bright, quality=quality, rng=rng)
    return INSTRUMENTS[name].make(touch)
