"""Answer: what a music service answered becomes audio files."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from scorebed.answers.parts import readable
from scorebed.answers.shapes import open_answer
from scorebed.answers.sound import Sound, decode_piece, hear, write_sum
from scorebed.model import Artifact
from scorebed.wav import sha256_of

if TYPE_CHECKING:
    from scorebed.answers.parts import Opening
    from scorebed.model import Answer, Expected

__all__ = ["Unpacked", "decode_piece", "unpack"]

Role = Literal["music", "effects", "mix", ""]
_ROLES: tuple[tuple[Role, re.Pattern[str]], ...] = (
    (
        "effects",
        re.compile(r"s[ou]*nd[\W_]*(e?f+e?c?t|fx)|sfx|(?<![a-z])fx|e?ffects?|foley|ambien"),
    ),
    ("mix", re.compile(r"(?<![a-z])(full|mix|mixed|mixdown|master|combined|complete)(?![a-z])")),
    ("music", re.compile(r"music|song|score|(?<![a-z])(bgm|mx|instrumental)(?![a-z])")),
    ("effects", re.compile(r"sound")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """The audio of an answer."""

    music: tuple[Artifact, ...]
    """One piece for all reels, or one for each, in order."""
    originals: tuple[Artifact, ...]
    """Further files: music alone and effects alone, where the service sent both."""
    durations_s: tuple[Fraction, ...]
    """Decoded length of each piece in seconds; may be far from what was expected."""
    facts: tuple[tuple[str, str], ...]
    """What the answer states beside its audio, as names and values."""


def unpack(answer: Answer, expected: Expected, *, folder: Path) -> Unpacked:
    """Takes the audio out of an answer, whatever its shape.

    A body is audio in any format, a ZIP, multipart/mixed, or JSON with base64. Its shape is told
    by content. Audio is decoded from end to end, so that what is handed on can be played.

    Args:
        answer: The answer as it lies on disk; its body is left as it is.
        expected: What it should hold.
        folder: Where the audio is written.

    Raises:
        BadAnswer: If it holds no audio that can be used, or is hostile.
    """
    parts = folder / "answer.parts"
    parts.mkdir()
    try:
        opening = open_answer(answer, expected, folder=parts)
        for name, value in answer.facts:
            opening.tell(name, value)
        sounds = _heard(opening)
        return _assembled(opening, sounds, folder)
    finally:
        shutil.rmtree(parts)


def _heard(opening: Opening) -> list[Sound]:
    expected = opening.expected
    certain = sum(found.must for found in opening.found)
    lengths = [expected.duration_s] * len(opening.found)
    if certain == len(expected.reels) > 1 and not expected.separate_tracks:
        lengths = list(expected.reels) + lengths
    sounds = [
        hear(opening, found, length) for found, length in zip(opening.found, lengths, strict=False)
    ]
    heard = [sound for sound in sounds if sound is not None]
    if not heard:
        raise opening.bad(f"no audio{': ' if opening.said else ''}{opening.said}")
    return heard


# --- what is what ------------------------------------------------------------------------------


def _role(sound: Sound) -> Role:
    name = sound.name.casefold()
    # The file's own name before that of its folder.
    for part in (name.rpartition("/")[2], name):
        for role, words in _ROLES:
            if words.search(part):
                return role
    return ""


def _assembled(opening: Opening, sounds: list[Sound], folder: Path) -> Unpacked:
    count = len(opening.expected.reels)
    roles: dict[Role, list[Sound]] = {"music": [], "effects": [], "mix": [], "": []}
    for sound in sounds:
        roles[_role(sound)].append(sound)
    if _are_tracks(opening, roles, len(sounds)):
        return _from_tracks(opening, roles, folder)
    if len(sounds) in {1, count}:
        return _kept(opening, [[sound] for sound in sounds], [], folder)
    whole = [sound for sound in sounds if not sound.listed]
    if len(whole) == 1:
        # Beside its segments the whole piece came too.
        others = [sound for sound in sounds if sound.listed]
        return _kept(opening, [whole], others, folder)
    raise _wrong_count(opening, len(sounds))


def _are_tracks(opening: Opening, roles: dict[Role, list[Sound]], total: int) -> bool:
    """Whether the files are tracks of one piece, rather than pieces that follow each other."""
    if total == 1:
        return False
    if opening.expected.separate_tracks:
        return bool(roles["music"] or roles["effects"]) or total == 2  # noqa: PLR2004 - a pair
    return bool(roles["effects"]) and len(roles["music"]) == len(roles["effects"])


def _from_tracks(opening: Opening, roles: dict[Role, list[Sound]], folder: Path) -> Unpacked:
    """The piece is music and effects together where effects were asked for, else the music."""
    music, effects = roles["music"], roles["effects"]
    if not music:
        music = roles[""]
    elif not effects:
        effects = roles[""]
    if not effects and len(music) == 2:  # noqa: PLR2004 - a pair that no name tells apart
        music, effects = music[:1], music[1:]
    mixes = roles["mix"]
    originals = music + effects
    counts = {1, len(opening.expected.reels)}
    # Effects that nobody asked for may be in a mix: the music alone comes before it.
    if len(mixes) in counts and (opening.expected.sfx or len(music) not in counts):
        return _kept(opening, [[mix] for mix in mixes], originals, folder)
    if len(music) not in counts or len(effects) not in {0, len(music)}:
        raise _wrong_count(opening, len(originals) + len(mixes))
    if not effects:
        return _kept(opening, [[sound] for sound in music], mixes, folder)
    pairs = [list(pair) for pair in zip(music, effects, strict=True)]
    if not opening.expected.sfx:
        pairs = [[sound] for sound in music]
    return _kept(opening, pairs, originals + mixes, folder)


def _wrong_count(opening: Opening, count: int) -> Exception:
    reels = len(opening.expected.reels)
    wanted = "one piece" if reels == 1 else f"one piece or {reels} segments"
    return opening.bad(f"{count} audio files that cannot be told apart, where {wanted} belong")


# --- keeping -----------------------------------------------------------------------------------


def _kept(
    opening: Opening, pieces: list[list[Sound]], originals: list[Sound], folder: Path
) -> Unpacked:
    """Writes pieces, each the sum of its sounds, and originals under their final names."""
    music, durations = [], []
    for number, sounds in enumerate(pieces, start=1):
        alone = sounds[0] if len(sounds) == 1 else None
        target = folder / f"music-{number:02d}{alone.suffix if alone else '.wav'}"
        if alone is None:
            durations.append(write_sum(target, sounds))
        else:
            durations.append(alone.duration_s)
            shutil.copyfile(alone.path, target)
        music.append(_artifact(target))
    taken = {artifact.path.name for artifact in music}
    kept = []
    for sound in originals:
        target = folder / _free_name(sound, taken)
        taken.add(target.name)
        shutil.copyfile(sound.path, target)
        kept.append(_artifact(target))
    return Unpacked(
        music=tuple(music),
        originals=tuple(kept),
        durations_s=tuple(durations),
        facts=tuple(opening.facts),
    )


def _artifact(path: Path) -> Artifact:
    return Artifact(path=path, sha256=sha256_of(path))


def _free_name(sound: Sound, taken: set[str]) -> str:
    """A name of the answer's as a file's name: letters, digits, and nothing that leads away."""
    stem = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", sound.name).rpartition("/")[2]
    words = re.sub(r"[^A-Za-z0-9]+", "-", readable(stem)).strip("-")[:60] or "track"
    number = 1
    while (name := f"{words}{f'-{number}' if number > 1 else ''}{sound.suffix}") in taken:
        number += 1
    return name
