"""What is asked again of the record: as much of a line as that, for a hundred thousand films."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from scorebed.batching.items import STATES, Failure, MusicFigures, State

if TYPE_CHECKING:
    from scorebed.batching.items import Outcome
    from scorebed.batching.jsonl import Lines

_STATES: dict[str, State] = {state: state for state in STATES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What became of a file."""

    state: State
    """How it ended."""
    name: str
    """Its result, as the record knows it; what has failed before it had one, by ``told_place``."""
    video: str
    """The file, as ``told_place`` has it; of earlier releases as it was given."""
    key: str
    """Hash of the options that change the result."""
    at: str
    """When it ended: ISO 8601, UTC."""
    size_bytes: int = -1
    """Length of the file; -1 where nobody got to see it."""
    mtime_ns: int = -1
    """Its modification time, in nanoseconds since 1970."""
    content: str = ""
    """Hash of its size and sampled content, a hint; empty where nobody got to see it."""
    ctime_ns: int | None = None
    """When anything about it had changed last; None of releases that did not ask."""
    sha256: str | None = None
    """Hash of all of it; None where it was not read whole."""
    output_bytes: int = 0
    """Length of its result in bytes."""
    failure: Failure | None = None
    """Why it failed."""
    music: MusicFigures | None = None
    """What its music is like, if that was measured."""

    @property
    def identity(self) -> str:
        """What tells it from all other films, as well as it is known."""
        return self.sha256 or self.content

    def is_of(self, content: str, sha256: str | None) -> bool:
        """Whether it tells of that film; one that only looks the same was read whole before.

        Args:
            content: Hash of the film's size and samples.
            sha256: Hash of all of it; None where nothing that was scored looks the same.
        """
        return self.content == content if self.sha256 is None else self.sha256 == sha256

    def moved_to(self, there: Known) -> Known:
        """The same of the same film in another place, or touched.

        Args:
            there: What is known of it there.
        """
        return replace(
            self,
            video=there.video,
            size_bytes=there.size_bytes,
            mtime_ns=there.mtime_ns,
            ctime_ns=there.ctime_ns,
        )


def told_place(path: Path | str) -> str:
    """A file as the record names it: the same from every folder that one may stand in.

    Args:
        path: The file, as it was given.
    """
    return os.path.abspath(path)  # noqa: PTH100 - links keep their names


def told_name(out: Path, output: Path) -> str:
    """A result as the record names it: from the folder of results on, if it lies in there.

    Args:
        out: The folder.
        output: The result.
    """
    if output.is_relative_to(out):
        return output.relative_to(out).as_posix()
    # Named from the root, in a folder that is not.
    place, folder = Path(told_place(output)), Path(told_place(out))
    return place.relative_to(folder).as_posix() if place.is_relative_to(folder) else str(output)


def is_place(told: str, path: Path) -> bool:
    """Whether the record names a file, also one of a release that wrote names as they were given.

    Args:
        told: As the record has it.
        path: The file.
    """
    here = told_place(path)
    if told_place(told) == here:
        return True
    ends = PurePath(os.path.normpath(told))
    parts = tuple(part for part in ends.parts if part != os.pardir)
    return not ends.is_absolute() and PurePath(here).parts[-len(parts) :] == parts


def known_from(line: dict[str, Any]) -> Known | None:
    """What a line of the record says; None for one that is not whole.

    Args:
        line: As it was read.
    """
    try:
        source, error, music = line["source"], line["error"], line["music"]
        seen = {} if source is None else {name: source[name] for name in _SEEN}
        if source is not None:
            seen |= {name: source.get(name) for name in _SEEN_LATER}
        known = Known(
            state=_STATES[line["state"]],
            name=line["name"],
            video=line["input"],
            key=sys.intern(line["key"]),
            at=line["at"],
            output_bytes=line["output_bytes"],
            failure=None if error is None else failure_of(error),
            music=None if music is None else MusicFigures(**{one: music[one] for one in _MUSIC}),
            **seen,
        )
    except (KeyError, TypeError):
        return None
    named = (known.name, known.video, known.content, known.at)
    whole = (known.state == "failed") == (known.failure is not None)
    return known if whole and all(isinstance(text, str) for text in named) else None


def known_of(outcome: Outcome, at: str = "") -> Known:
    """The same of a file that has just ended.

    Args:
        outcome: What became of it.
        at: When.
    """
    source = outcome.source
    return Known(
        state=outcome.state,
        name=outcome.name,
        video=told_place(outcome.video),
        key=outcome.key,
        at=at,
        size_bytes=-1 if source is None else source.size_bytes,
        mtime_ns=-1 if source is None else source.mtime_ns,
        content="" if source is None else source.content,
        ctime_ns=None if source is None else source.ctime_ns,
        sha256=None if source is None else source.sha256,
        output_bytes=outcome.output_bytes,
        failure=outcome.failure,
        music=outcome.music,
    )


def asked_for(lines: Lines, most: int | None) -> set[int]:
    """Places of the lines of a record that are asked for again.

    Args:
        lines: The record.
        most: Of those without money in them so many stay, the last ones; None for all.

    Raises:
        WorkspaceError: If it cannot be read.
    """
    paid: set[int] = set()
    last: dict[tuple[str, ...], int] = {}
    for number, line in lines.numbered():
        known = None if line is None else known_from(line)
        if line is None or known is None:
            continue
        spent = line.get("spent") or {}
        if spent.get("requests") or spent.get("amount"):
            paid.add(number)
        if known.state != "skipped":
            last["ended", known.name] = number
        if known.state == "done":
            last["done", known.name] = number
        if known.content or known.failure is not None:
            # What a watch knows of a place.
            last["at", known.name, known.video] = number
    places = sorted(set(last.values()))
    return paid | set(places if most is None else places[-most:])


def failure_of(error: dict[str, Any]) -> Failure:
    """Why a file failed, as a line says.

    Raises:
        KeyError: If that is not whole.
    """
    told = {name: error[name] for name in _FAILURE}
    # Thousands may have failed alike.
    return Failure(**told | {name: sys.intern(told[name]) for name in ("kind", "stage", "remedy")})


_SEEN = ("size_bytes", "mtime_ns", "content")
_SEEN_LATER = ("ctime_ns", "sha256")
_FAILURE = tuple(Failure.__dataclass_fields__)
_MUSIC = tuple(MusicFigures.__dataclass_fields__)
