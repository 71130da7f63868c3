"""Notes remember how the picture was spotted: with the same options what they say fits again."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from scorebed.cutlists import list_file
from scorebed.errors import SettingsError
from scorebed.options import CHAPTERS, Options, flag_of
from scorebed.settings import Settings, resolve
from scorebed.stages.notes_file import read_notes
from scorebed.wav import sha256_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from scorebed.model import Listed, Notes, Picture, Tell

_WORDS = ("accuracy", "production_audio")
_FILES = ("cuts", "speech")


def resolve_noted(asked: Options, tell: Tell) -> Settings:
    """``resolve``, with what the notes were spotted with: what is no default was said.

    Args:
        asked: What is wanted.
        tell: As ``with_notes`` has it.

    Raises:
        SettingsError: As ``resolve`` and ``with_notes`` do.
    """
    plain = Options()
    names = [field.name for field in dataclasses.fields(asked)]
    said = {name for name in names if getattr(asked, name) != getattr(plain, name)}
    return resolve(with_notes(asked, said, tell))


def with_notes(asked: Options, said: Collection[str], tell: Tell) -> Options:
    """The options with which the notes were spotted, but for what the user says otherwise.

    Args:
        asked: What is wanted; without notes it stays as it is.
        said: Names of what the user says now.
        tell: Told where what is said now is not what the notes were spotted with.

    Raises:
        SettingsError: If the notes cannot be read, a list that they were spotted with is gone or
            has changed, or the most scenes are given beside them.
    """
    if asked.notes is None:
        return asked
    if "max_scenes" in said:
        raise SettingsError(
            "--max-scenes and --notes cannot go together: the notes have their own scenes",
            remedy="Leave --max-scenes out, or spot again: scorebed spot VIDEO --max-scenes "
            f"{asked.max_scenes} -o NOTES.toml",
        )
    notes = read_notes(asked.notes, None)
    brought = _scenes(notes, tell)
    if "skip_existing_music" not in said:
        # Where a settings file has it: the notes say where music plays.
        brought["skip_existing_music"] = False
    for name in _WORDS:
        kept = getattr(notes.look, name)
        if name in said:
            _tell_of(notes.name, asked, name, str(kept or getattr(Options(), name)), tell)
        elif kept is not None:
            brought[name] = kept
    if brought.get("production_audio") == "drop":
        tell(
            f"{notes.name} was spotted without the video's own sound, so it is left out; "
            "--production-audio keep keeps it"
        )
    for name in _FILES:
        brought |= _file(notes, asked, name, said, tell)
    return dataclasses.replace(asked, **brought)


def edited_notes(want: Settings, picture: Picture, tell: Tell) -> Notes | None:
    """The notes that the user has edited, if there are some.

    Args:
        want: Names them.
        picture: What they are about.
        tell: Told what the user should know of them.

    Raises:
        SettingsError: If they cannot be used, or are of another video.
    """
    if want.notes is None:
        return None
    edited = read_notes(want.notes, picture)
    for doubt in edited.doubts:
        tell(doubt)
    return edited


def _scenes(notes: Notes, tell: Tell) -> dict[str, Any]:
    most = notes.look.max_scenes
    if most is None:
        return {}
    if len(notes.scenes) > most:
        tell(
            f"{notes.name} has {len(notes.scenes)} [[scene]] tables: they count, "
            f"max_scenes = {most} does not"
        )
    return {"max_scenes": most}


def _tell_of(notes: str, asked: Options, name: str, kept: str, tell: Tell) -> None:
    given = str(getattr(asked, name))
    if given != kept:
        tell(f"{flag_of(name)} {given} counts, not {kept}, with which {notes} was spotted")


def _file(
    notes: Notes, asked: Options, name: str, said: Collection[str], tell: Tell
) -> dict[str, Path]:
    """The list that the notes were spotted with, unless the user gives another."""
    kept: Listed | None = getattr(notes.look, name)
    if name not in said:
        return {} if kept is None else {name: _there(name, kept)}
    given: Path = getattr(asked, name)
    if kept is None:
        _tell_of(notes.name, asked, name, "none", tell)
    elif not kept.sha256 or _hash_of(given) != kept.sha256:
        # Chapters have no hash.
        _tell_of(notes.name, asked, name, kept.path.name, tell)
    return {}


def _there(name: str, kept: Listed) -> Path:
    """Where a list lies that has not changed."""
    if kept.path.name == str(CHAPTERS) and not kept.sha256:
        return CHAPTERS
    found = _hash_of(kept.path)
    if found and found == (kept.sha256 or found):
        return kept.path
    happened = "has changed since" if found else "cannot be read any more"
    raise SettingsError(
        f"{kept.where}: the picture was spotted with {flag_of(name)} {kept.path}, which {happened}",
        remedy=f"Give the same list with {flag_of(name)} FILE, or spot again; or remove "
        + (f"{name}_sha256 from [spot] to take it as it is now." if found else f"{name} from it."),
    )


def _hash_of(path: Path) -> str:
    """Of a list's content; empty where it cannot be read."""
    try:
        return sha256_of(list_file(path))
    except OSError:
        return ""
