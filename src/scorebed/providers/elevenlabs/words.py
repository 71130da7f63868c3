"""From a brief and the picture's measures to words that a music model understands."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from scorebed.errors import OverLimit, SettingsError
from scorebed.model import CuedLine, TimeRange
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
_LEAST_CHARS = 12
"""Fewer characters of what a user wrote say nothing."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The text of a request."""

    text: str
    """What is said."""
    warnings: tuple[str, ...]
    """What of the user's words there was no room for, in sentences."""


def description(
    brief: Brief,
    notes: SpottingNotes,
    *,
    max_chars: int,
    stretches: Sequence[TimeRange] | None = None,
) -> Told:
    """The text of a request for music to a picture: the user's words first and whole.

    Then what the user wishes of single scenes, each with its time and shortened where there is no
    room, then what is known of the style and the picture.

    Args:
        brief: What the music should be.
        notes: The scenes and the speech.
        max_chars: Most characters that the service takes; sentences are left off from the end.
        stretches: The parts of the picture that are asked for, in order; None for all cues. Times
            are those of the music: counted from the start of the first, without what lies between.

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
    line = CuedLine(stretches or notes.music)
    wishes, warnings = _wishes(notes, line, max_chars - len(text))
    for sentence in (*wishes, *_sentences(brief, notes, line)):
        gap = "" if not text else " " if text[-1] in ".!?:;" else ". "
        if len(text) + len(gap) + len(sentence) > max_chars:
            break
        text += gap + sentence
    return Told(text=text, warnings=warnings)


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


def whole_styles(brief: Brief, wish: Wish | None = None) -> tuple[str, ...]:
    """Positive styles of the whole piece: genre, the user's words, the style's.

    Args:
        brief: What the music should be.
        wish: What the user's words ask of a scene; None for those of the whole.
    """
    wish, style, genre = wish or read_wish(brief), brief.style, _genre(brief)
    time = f"{style.beats_per_bar}/4 time" if style.beats_per_bar != _COMMON_TIME else ""
    feel = "swung feel" if style.swing >= _SWUNG else ""
    rest = (*_character(brief), time, feel, "instrumental", "great production quality")
    return _allowed(brief, wish, (genre, *wish.phrases, *rest))


def lead_styles(brief: Brief, wish: Wish | None = None) -> tuple[str, ...]:
    """What every later part of a piece repeats, so that it stays the same piece.

    Args:
        brief: What the music should be.
        wish: What the user's words ask of a scene; None for those of the whole.
    """
    wish = wish or read_wish(brief)
    return _allowed(brief, wish, (_genre(brief), *wish.phrases))


def scene_styles(
    reader: Reader, scene: Scene, *, speech_share: float = 0.0, opens: bool = False
) -> tuple[str, ...]:
    """Positive styles of a scene: the user's words for it, tempo, key, mood, density, instruments.

    And room for speech.

    Args:
        reader: Knows the brief and the film.
        scene: What is measured of the picture.
        speech_share: Share of the scene in which somebody speaks, 0 to 1.
        opens: Whether the piece begins with it; else how it is entered is said too.
    """
    brief, mood, wish = reader.brief, reader.mood(scene), reader.wish_of(scene)
    own = read_wish(replace(brief, prompt=scene.brief, tags=())).phrases if scene.brief else ()
    tone = "warm tone" if scene.warmth > 0 else "cool tone"
    spoken = ("restrained midrange", "unobtrusive underscore")
    return _allowed(
        brief,
        wish,
        (
            *own,
            f"{reader.tempo_bpm(scene)} bpm",
            "minor key" if mood.minor else "major key",
            mood.feeling,
            _DENSITY[level(0.5 * mood.pace + 0.5 * scene.motion)],
            *reader.instruments(mood.energy, wish),
            *((tone,) if abs(scene.warmth) > 0.1 else ()),  # noqa: PLR2004
            *(spoken if speech_share >= _SPOKEN_OVER else ()),
            *(() if opens else (_TURNS[level(brief.guidance)],)),
        ),
    )


def negative_styles(brief: Brief, wish: Wish | None = None) -> tuple[str, ...]:
    """What must not be heard: singing, what the user excludes, then what the style excludes.

    Who asks for a choir or for voices gets them without words.

    Args:
        brief: What the music should be.
        wish: What the user's words ask of a scene; None for those of the whole.
    """
    wish = wish or read_wish(brief)
    voices = ("lead vocals",) if wish.voices else ("vocals", "singing")
    asked = f"{DRUMS[brief.style.drums]} {' '.join(wish.phrases)}"
    style = [word for word in exclusions(brief.style.description) if not mentions(asked, word)]
    return distinct((*voices, "lyrics", "spoken word", *wish.excluded, *style))


def speech_share(notes: SpottingNotes, stretches: Sequence[TimeRange]) -> float:
    """Share of some stretches in which somebody speaks, 0 to 1."""
    common = [one.range.common(span) for one in notes.speech for span in stretches]
    spoken_s = sum((one.duration_s for one in common if one), Fraction(0))
    length_s = sum((span.duration_s for span in stretches), Fraction(0))
    return float(spoken_s / length_s) if length_s else 0.0


def _wishes(notes: SpottingNotes, line: CuedLine, room: int) -> tuple[list[str], tuple[str, ...]]:
    """The user's words for single scenes, each with its time, and what was shortened."""
    found = []
    for scene in notes.scenes:
        heard = _heard(scene, line)
        if heard and clean(scene.brief):
            found.append((f"{_clock(heard.start_s)}-{_clock(heard.end_s)}: ", clean(scene.brief)))
    # Each may need a full stop and a space before it, and ends with one.
    room -= sum(len(time) + 3 for time, _ in found)
    most = _most_each([len(words) for _, words in found], room)
    told = [time + _ended(_shortened(words, most)) for time, words in found if most >= _LEAST_CHARS]
    lost = [time[:-2] for time, words in found if len(words) > most or most < _LEAST_CHARS]
    if not lost:
        return told, ()
    how = "shortened" if told else "left out"
    lost_words = (
        f"the words for the scenes at {', '.join(lost)} of the music are {how}: there is no room "
        "for more in the request"
    )
    return told, (lost_words,)


def _most_each(lengths: list[int], room: int) -> int:
    """Most characters of each, so that all have room together; the short ones are kept whole."""
    most, left = room, room
    for number, length in enumerate(sorted(lengths)):
        most = left // (len(lengths) - number)
        if length > most:
            return most
        left -= length
    return max([most, *lengths])


def _shortened(words: str, most: int) -> str:
    if len(words) <= most:
        return words
    return words[: most - 3].rpartition(" ")[0].rstrip(",;: ") + "..."


def _ended(words: str) -> str:
    return words if words[-1] in ".!?" else f"{words}."


def _heard(scene: Scene, line: CuedLine) -> TimeRange | None:
    """When the music of a scene plays, in times of the music; None for never."""
    found = [
        TimeRange.between(
            start_s + common.start_s - cue.start_s, start_s + common.end_s - cue.start_s
        )
        for cue, start_s in zip(line.cues, line.starts_s, strict=True)
        if (common := scene.range.common(cue))
    ]
    return TimeRange.between(found[0].start_s, found[-1].end_s) if found else None


def _sentences(brief: Brief, notes: SpottingNotes, line: CuedLine) -> list[str]:
    """What follows the user's words, the most important first."""
    reader = Reader(brief, notes.scenes)
    found = [f"Style: {_style_text(brief, reader.wish)}."]
    if players := reader.instruments():
        found.append(f"Instruments: {', '.join(players)}.")
    found.append(f"Instrumental background music, no {', no '.join(negative_styles(brief))}.")
    if share := speech_share(notes, line.cues):
        found.append(
            f"People speak during {max(round(100 * share), 1)} % of it: keep the music under the "
            "dialogue, unobtrusive, and leave room between 1 and 4 kHz."
        )
    found.append(_FOLLOW[level(brief.guidance)])
    if line.cues[0].start_s > notes.music[0].start_s:
        found.append("It goes on from the music before: the same theme, tempo and instruments.")
    end = _clock(line.end_s)
    ends = any(line.cues[-1].end_s >= cue.end_s > line.cues[-1].start_s for cue in notes.music)
    found.append(f"Close with a clear ending at {end}." if ends else f"Do not end at {end}.")
    if rests := line.starts_s[1:]:
        found.append(
            f"It is heard in {len(line.cues)} pieces, with silence between: come to an end at "
            f"{', '.join(map(_clock, rests))}, and begin anew there."
        )
    timed = [(heard, scene) for scene in notes.scenes if (heard := _heard(scene, line))]
    for number, (heard, scene) in enumerate(timed):
        lead = "" if number else "Scenes: "
        times = f"{_clock(heard.start_s)}-{_clock(heard.end_s)}"
        found.append(f"{lead}{times} {reader.mood(scene).words}.")
    return found


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


def _allowed(brief: Brief, wish: Wish, styles: Sequence[str]) -> tuple[str, ...]:
    """Without what is excluded word for word, and what of ours mentions it."""
    negative = {word.casefold() for word in negative_styles(brief, wish)}
    own = {phrase.casefold() for phrase in wish.phrases}
    return distinct(
        one
        for one in styles
        if one.casefold() not in negative and (one.casefold() in own or not wish.excludes(one))
    )


def _clock(time_s: Fraction) -> str:
    seconds = round(time_s)
    return f"{seconds // 60}:{seconds % 60:02d}"
