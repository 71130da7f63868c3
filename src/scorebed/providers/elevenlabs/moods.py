"""From what was measured of the picture to the mood, tempo and players of its scenes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from scorebed.providers.elevenlabs.lexicon import (
    DRUMS,
    INSTRUMENTS,
    Wish,
    distinct,
    mentions,
    read_wish,
)
from scorebed.style import Mode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorebed.model import Brief, Scene
    from scorebed.style import Part

_MODES: tuple[Mode, ...] = get_args(Mode)
_FEELINGS = (
    ("brooding", "calm and reflective", "gentle and hopeful"),
    ("tense", "steady", "light and optimistic"),
    ("dramatic", "driving", "joyful and energetic"),
)
"""Moods by energy (rows, low first) and by light (columns, dark first)."""
_PACES = ("calm", "flowing", "busy")
_LIGHTS = ("dark", "balanced", "bright")
_BUSY_CUTS_PER_MINUTE = 40.0
_CARRIERS, _GUESTS = 3, 2
"""How many players are named at most for a scene, beside the drums."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mood:
    """What a scene asks of its music."""

    energy: float
    """How much goes on, 0 to 1, within the style's range."""
    pace: float
    """The same before the style's range, 0 to 1."""
    valence: float
    """From dark (0) to bright (1), as the picture and the user's words say."""
    feeling: str
    """A mood in words, in which the style's harmony says as much as the picture."""
    minor: bool
    """Whether the style's mode for that has a minor third."""

    @property
    def words(self) -> str:
        """Two words for a person and for a section's name."""
        return f"{_PACES[level(self.pace)]}, {_LIGHTS[level(self.valence)]}"


class Reader:
    """Reads scenes against their whole film: its calmest and its busiest, darkest, brightest.

    Args:
        brief: What the music should be.
        scenes: All scenes of the film, at least one.
    """

    def __init__(self, brief: Brief, scenes: Sequence[Scene]) -> None:
        self.brief = brief
        self.wish = read_wish(brief)
        self._activity = [_activity(scene) for scene in scenes]
        self._light = [_light(scene) for scene in scenes]

    def wish_of(self, scene: Scene) -> Wish:
        """What the user's words ask of a scene: those of the whole, and its own."""
        return read_wish(self.brief, scene.brief) if scene.brief else self.wish

    def mood(self, scene: Scene) -> Mood:
        """What the scene asks of its music."""
        wish = self.wish_of(scene)
        pace = _clip(_placed(_activity(scene), self._activity) + 0.25 * wish.pace)
        valence = _clip(_placed(_light(scene), self._light) + wish.mood * 0.8)
        low, high = self.brief.style.energy
        modes = sorted(map(_MODES.index, self.brief.style.modes))
        own = sum(modes) / len(modes) / (len(_MODES) - 1)
        return Mood(
            energy=low + (high - low) * pace,
            pace=pace,
            valence=valence,
            feeling=_FEELINGS[level(pace)][level((valence + own) / 2)],
            minor=modes[min(int(valence * len(modes)), len(modes) - 1)]
            < _MODES.index("mixolydian"),
        )

    def tempo_bpm(self, scene: Scene) -> int:
        """Tempo of a scene: near the film's own at low guidance, the scene's at full guidance."""
        wish = self.wish_of(scene)
        low, high = wish.tempo_bpm or self.brief.style.tempo_bpm
        if wish.tempo_bpm is None and wish.pace < 0:
            low, high = low * 0.85, low + (high - low) * 0.3
        elif wish.tempo_bpm is None and wish.pace > 0:
            low, high = low + (high - low) * 0.7, high * 1.15
        film = sum(_placed(one, self._activity) for one in self._activity) / len(self._activity)
        own = self.mood(scene).pace
        return round(low + (high - low) * (film + self.brief.guidance * (own - film)))

    def instruments(self, energy: float | None = None, wish: Wish | None = None) -> tuple[str, ...]:
        """The style's players that are heard at an energy, or all; none where one plays solo.

        Of many at an energy those that carry the style are named, and those that enter last.

        Args:
            energy: How much goes on, 0 to 1; None for all that the style has.
            wish: What the user's words ask of the scene; None for those of the whole.
        """
        style, wish = self.brief.style, wish or self.wish
        if wish.solo:
            return ()
        no_tune = any(mentions("tune", word) for word in wish.excluded)

        def plays(part: Part) -> bool:
            heard = energy is None or part.enters_at <= energy < part.leaves_at
            name = INSTRUMENTS[part.patch]
            tune = part.role in ("lead", "counter")
            return heard and not wish.excludes(name) and not (no_tune and tune)

        parts = sorted(filter(plays, style.parts), key=lambda part: part.enters_at)
        names = distinct(INSTRUMENTS[part.patch] for part in parts)
        if energy is not None:
            names = distinct((*names[:_CARRIERS], *names[-_GUESTS:]))
        drums = DRUMS[style.drums]
        heard = energy is None or energy >= style.drums_enter_at
        return distinct((*names, drums if heard and not wish.excludes(drums) else ""))


def _activity(scene: Scene) -> float:
    cuts = min(scene.cuts_per_minute / _BUSY_CUTS_PER_MINUTE, 1.0)
    return 0.7 * min(scene.motion * 1.25, 1.0) + 0.3 * cuts


def _light(scene: Scene) -> float:
    return 0.6 * scene.brightness + 0.2 * (scene.warmth + 1) / 2 + 0.2 * scene.saturation


def _placed(value: float, film: Sequence[float]) -> float:
    """Half the value as it is, half its place within the film: its busier scenes are heard."""
    low, high = min(film), max(film)
    place = 0.5 + (value - (low + high) / 2) / max(high - low, 0.08) * 0.9
    return _clip(0.5 * value + 0.5 * _clip(place))


def level(value: float) -> int:
    """0, 1 or 2 for the lower, middle and upper third of 0 to 1."""
    return (value > 1 / 3) + (value > 2 / 3)


def _clip(value: float) -> float:
    return min(max(value, 0.0), 1.0)
