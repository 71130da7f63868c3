"""From a brief and the picture's measures to words that a music model understands."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from scorebed.errors import OverLimit, SettingsError
from scorebed.model import TimeRange
from scorebed.providers.elevenlabs.lexicon import (
    DRUMS,
    INSTRUMENTS,
    Wish,
    clean,
    distinct,
    exclusions,
    mentions,
    read_wish,
)
from scorebed.providers.elevenlabs.moods import Reader, level

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorebed.model import Brief, Scene, SpottingNotes

MAX_TAGS = 10
"""Most tags that a request may carry."""
_DENSITY = ("sparse, long notes", "flowing accompaniment", "busy rhythmic accompaniment")
_SPOKEN_OVER = 0.2
"""Share of a scene from which on its music is written to lie under speech."""
_FOLLOW = (
    "Let the music keep a steady form of its own: it need not follow single cuts.",
    "Let the music change with the scenes, not with every cut.",
    "Follow the picture closely: change exactly where a scene changes and meet strong cuts.",
)
_LIST = r",\s*|\s+(?:and|with|of)\s+"
_COMMON_TIME = 4
_SWUNG = 0.55
"""Where the second half of a beat begins at least if a listener is to hear it as swung."""
_TURNS = ("smooth transition", "gentle change of section", "sudden change on the downbeat")


def description(
    brief: Brief, notes: SpottingNotes, *, max_chars: int, part: TimeRange | None = None
) -> str:
    """The text of a request for music to a picture: the user's words first and whole.

    Args:
        brief: What the music should be.
        notes: The scenes and the speech.
        max_chars: Most characters that the service takes; sentences are left off from the end.
        part: The part of the picture that is asked for; None for all that is cued. Times are
            counted from its start.

    Raises:
        OverLimit: If the user's own words alone are longer.
    """
    text = brief.prompt.strip()
    if len(text) > max_chars:
        raise OverLimit(
            f"compose: the prompt has {len(text)} characters, {len(text) - max_chars} more than "
            f"the {max_chars} that the service takes",
            remedy=f"Shorten --prompt by {len(text) - max_chars} characters.",
        )
    for sentence in _sentences(brief, notes, part):
        gap = "" if not text else " " if text[-1] in ".!?:;" else ". "
        if len(text) + len(gap) + len(sentence) > max_chars:
            break
        text += gap + sentence
    return text


def tags(brief: Brief) -> tuple[str, ...]:
    """At most ten tags: the user's, then the style's.

    Raises:
        SettingsError: If the user alone gives more.
    """
    own = distinct(brief.tags)
    if len(own) > MAX_TAGS:
        raise SettingsError(
            f"there are {len(own)} tags; the service takes at most {MAX_TAGS}",
            remedy=f"Take away {len(own) - MAX_TAGS} of the --tag options, or say it in --prompt.",
        )
    wish = read_wish(brief)
    style = (
        word
        for word in (brief.style.name, *_character(brief), *brief.style.words)
        if not wish.excludes(word)
    )
    return distinct((*own, *style))[:MAX_TAGS]


def whole_styles(brief: Brief) -> tuple[str, ...]:
    """Positive styles of the whole piece: genre, the user's words, the style's."""
    wish, style, genre = read_wish(brief), brief.style, _genre(brief)
    time = f"{style.beats_per_bar}/4 time" if style.beats_per_bar != _COMMON_TIME else ""
    feel = "swung feel" if style.swing >= _SWUNG else ""
    rest = (*_character(brief), time, feel, "instrumental", "great production quality")
    return _allowed(brief, (genre, *wish.phrases, *rest))


def lead_styles(brief: Brief) -> tuple[str, ...]:
    """What every later part of a piece repeats, so that it stays the same piece."""
    return _allowed(brief, (_genre(brief), *read_wish(brief).phrases))


def scene_styles(
    reader: Reader, scene: Scene, *, speech_share: float = 0.0, opens: bool = False
) -> tuple[str, ...]:
    """Positive styles of a scene: tempo, key, mood, density, instruments, room for speech.

    Args:
        reader: Knows the brief and the film.
        scene: What is measured of the picture.
        speech_share: Share of the scene in which somebody speaks, 0 to 1.
        opens: Whether the piece begins with it; else how it is entered is said too.
    """
    brief, mood = reader.brief, reader.mood(scene)
    tone = "warm tone" if scene.warmth > 0 else "cool tone"
    spoken = ("restrained midrange", "unobtrusive underscore")
    return _allowed(
        brief,
        (
            f"{reader.tempo_bpm(scene)} bpm",
            "minor key" if mood.minor else "major key",
            mood.feeling,
            _DENSITY[level(0.5 * mood.pace + 0.5 * scene.motion)],
            *reader.instruments(mood.energy),
            *((tone,) if abs(scene.warmth) > 0.1 else ()),  # noqa: PLR2004
            *(spoken if speech_share >= _SPOKEN_OVER else ()),
            *(() if opens else (_TURNS[level(brief.guidance)],)),
        ),
    )


def negative_styles(brief: Brief) -> tuple[str, ...]:
    """What must not be heard: singing, what the user excludes, then what the style excludes.

    Who asks for a choir or for voices gets them without words.
    """
    wish = read_wish(brief)
    voices = ("lead vocals",) if wish.voices else ("vocals", "singing")
    asked = f"{DRUMS[brief.style.drums]} {' '.join(wish.phrases)}"
    style = [word for word in exclusions(brief.style.description) if not mentions(asked, word)]
    return distinct((*voices, "lyrics", "spoken word", *wish.excluded, *style))


def speech_share(notes: SpottingNotes, span: TimeRange) -> float:
    """Share of a stretch in which somebody speaks, 0 to 1."""
    spoken_s = Fraction(0)
    for one in notes.speech:
        start_s = max(one.range.start_s, span.start_s)
        spoken_s += max(min(one.range.end_s, span.end_s) - start_s, Fraction(0))
    return float(spoken_s / span.duration_s) if span.duration_s else 0.0


def _sentences(brief: Brief, notes: SpottingNotes, part: TimeRange | None) -> list[str]:
    """What follows the user's words, the most important first."""
    cued = TimeRange.between(notes.cues[0].range.start_s, notes.cues[-1].range.end_s)
    part = part or cued
    reader = Reader(brief, notes.scenes)
    found = [f"Style: {_style_text(brief, reader.wish)}."]
    if players := reader.instruments():
        found.append(f"Instruments: {', '.join(players)}.")
    found.append(f"Instrumental background music, no {', no '.join(negative_styles(brief))}.")
    if share := speech_share(notes, part):
        found.append(
            f"People speak during {max(round(100 * share), 1)} % of it: keep the music under the "
            "dialogue, unobtrusive, and leave room between 1 and 4 kHz."
        )
    found.append(_FOLLOW[level(brief.guidance)])
    if part.start_s > cued.start_s:
        found.append("It goes on from the music before: the same theme, tempo and instruments.")
    end = _clock(part.duration_s)
    ends = part.end_s >= cued.end_s
    found.append(f"Close with a clear ending at {end}." if ends else f"Do not end at {end}.")
    for number, scene in enumerate(_within(notes.scenes, part)):
        start_s = max(scene.range.start_s, part.start_s) - part.start_s
        end_s = min(scene.range.end_s, part.end_s) - part.start_s
        lead = "" if number else "Scenes: "
        found.append(f"{lead}{_clock(start_s)}-{_clock(end_s)} {reader.mood(scene).words}.")
    return found


def _within(scenes: Sequence[Scene], part: TimeRange) -> list[Scene]:
    return [
        scene
        for scene in scenes
        if scene.range.start_s < part.end_s and scene.range.end_s > part.start_s
    ]


def _genre(brief: Brief) -> str:
    """What the style's description names before it lists instruments."""
    head = re.split(r"[,.]|\s+(?:with|of)\s+", brief.style.description, maxsplit=1)[0]
    return clean(head) or brief.style.name


def _character(brief: Brief) -> tuple[str, ...]:
    """At most three words for how the style feels, from its description or its words."""
    played = [*INSTRUMENTS.values(), *DRUMS.values()]
    text = clean(brief.style.description).removeprefix(_genre(brief))
    items = [
        item
        for item in re.split(_LIST, text.rstrip("."))
        if item and " " not in item and not any(mentions(name, item) for name in played)
    ]
    return distinct(items or brief.style.words)[:3]


def _style_text(brief: Brief, wish: Wish) -> str:
    """The style's description without what the user excludes or leaves to a soloist."""
    text = clean(brief.style.description).rstrip(".") or brief.style.name
    if wish.solo:
        return _genre(brief)
    if not wish.excludes(text) and not any(map(wish.names, exclusions(text))):
        return text
    items = re.split(_LIST, text)
    kept = [item for item in items if not wish.excludes(item) and not exclusions(item)]
    return ", ".join(kept) or _genre(brief)


def _allowed(brief: Brief, styles: Sequence[str]) -> tuple[str, ...]:
    """Without what is excluded word for word, and what of ours mentions it."""
    wish, negative = read_wish(brief), {word.casefold() for word in negative_styles(brief)}
    own = {phrase.casefold() for phrase in wish.phrases}
    return distinct(
        one
        for one in styles
        if one.casefold() not in negative and (one.casefold() in own or not wish.excludes(one))
    )


def _clock(time_s: Fraction) -> str:
    seconds = round(time_s)
    return f"{seconds // 60}:{seconds % 60:02d}"
