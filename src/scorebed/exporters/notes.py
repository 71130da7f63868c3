"""Spotting notes as a TOML file that a person edits: the comments say how."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from scorebed.exporters.words import counted, plain
from scorebed.model import LookNote
from scorebed.timecode import (
    counts_frames,
    drops_frames,
    since_midnight_s,
    to_clock,
    to_stamp,
    to_timecode,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from scorebed.model import (
        Cue,
        HitNote,
        MusicRegion,
        Picture,
        Scene,
        Shot,
        SpeechRegion,
        SpottingNotes,
        TimeRange,
    )

_COLUMNS = 100
_SHOT_LINES, _OTHER_LINES = 8, 3
"""Most lines that a scene has of its shots, and of its speech and further hit points."""
_TAG = 10
"""Columns before what a comment lists: ``# shots   ``."""
_HELP = """
Times count from the first frame: "00:01:23.480", "1:23.48" or 83.48 (seconds){frames}.
A time between two frames means the nearest one.

[[scene]]    lasts until the next one starts. To
               move one     change its start (best to the time of a shot, listed over it)
               merge two    remove the table of the second
               split one    add a [[scene]] with a start inside it, in its place
  name       what you call it
  brief      what its music should be, besides --prompt: "only piano, warm"
  music      false: no music while it lasts. Scenes with music in a row share a cue: 1M1 is the
             first cue, not the first scene

[[silence]]  a range without music, anywhere: start, end
               [[silence]]
               start = "00:00:10.000"
               end = "00:00:14.500"

[[hit]]      a moment that the music should meet: at, label, weight (0 to 1; 1 if left out)
               [[hit]]
               at = "00:00:12.400"
               label = "door slams"
               weight = 1.0
             Starts of scenes, cuts, and what is listed as "hits" are met without being named.
             A [[hit]] at the time of one of them takes its place, and with weight = 0 leaves
             it out.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where notes come from: what their header says."""

    video: str
    """Name of the video."""
    shown_video: str
    """The same as it stands on a command line."""
    notes: str
    """Name of the notes file, as it stands on a command line."""
    look: LookNote
    """How the picture was spotted; paths as the notes name them."""


def notes_text(
    notes: SpottingNotes, picture: Picture, origin: Origin, hits: Sequence[HitNote] = ()
) -> str:
    """The notes as TOML with comments.

    Args:
        notes: What was found, and what the user has made of it.
        picture: What it is about.
        origin: What else the header says.
        hits: Hit points that the user has given.

    Returns:
        The text, which ``read_notes`` and ``obey`` turn into the same notes again.
    """
    lines = [*_header(picture, origin), "", *_file(picture, origin)]
    for number in range(len(notes.scenes)):
        lines += ["", "", *_scene(notes, number)]
    for span in _silences(notes):
        lines += ["", "[[silence]]", _time("start", span.start_s), _time("end", span.end_s)]
    for hit in hits:
        lines += ["", "[[hit]]", _time("at", hit.at_s), f"label = {_quoted(hit.label)}"]
        lines += [f"weight = {hit.weight!r}"]
    return "\n".join(lines) + "\n"


def has_music(scene: Scene, cues: Iterable[Cue]) -> bool:
    """Whether any music plays in a scene."""
    return any(cue.range.common(scene.range) is not None for cue in cues)


# --- header ------------------------------------------------------------------------------------


def _header(picture: Picture, origin: Origin) -> Iterator[str]:
    score = f"scorebed score {origin.shown_video} --notes {origin.notes}"
    look = f"scorebed spot {origin.shown_video} --notes {origin.notes} --sheet sheet.png"
    frames = ""
    if _has_timecode(picture):
        rate = picture.frame_rate
        frames = ', or "00:01:23:12"\n(frames'
        frames += f" of {float(rate):.6g} per second"
        frames += "; drop-frame as 00:01:23;12" if drops_frames(rate) else ""
        frames += ", counted from the timecode in [file])" if picture.timecode_s else ")"
    yield from _commented(
        [
            "Spotting notes by scorebed. Change them, then run:",
            "",
            f"    {score}",
            "",
            "To see what you have changed, at once:",
            "",
            f"    {look}",
            *_HELP.format(frames=frames).rstrip().splitlines(),
        ]
    )


def _file(picture: Picture, origin: Origin) -> Iterator[str]:
    rate = picture.frame_rate
    yield "version = 1"
    yield ""
    yield "[file]"
    yield f"name = {_quoted(origin.video)}"
    yield _time("duration", picture.duration_s)
    yield f'frame_rate = "{rate.numerator}/{rate.denominator}"'
    if picture.timecode_s is not None and _has_timecode(picture):
        yield "# Of the first frame."
        said = picture.timecode
        kept = said is not None and since_midnight_s(said, rate) == picture.timecode_s
        first = said if kept and said else _first_timecode(picture.timecode_s, rate)
        yield f"timecode = {_quoted(first)}"
    yield "# A video of another length is refused; for another export of this one there is a note."
    yield f'picture = "{picture.packets_sha256}"'
    yield ""
    yield from _look(origin.look)


def _look(look: LookNote) -> Iterator[str]:
    yield "[spot]"
    yield "# How the picture was looked at, and will be again; what [[scene]], [[silence]] and"
    yield "# [[hit]] say counts all the same. For other scenes run scorebed spot again."
    for key in ("max_scenes", "accuracy", "production_audio"):
        value = getattr(look, key)
        if value is not None:
            yield f"{key} = {value if isinstance(value, int) else _quoted(value)}"
    for key, listed in (("cuts", look.cuts), ("speech", look.speech)):
        if listed is not None:
            yield f"{key} = {_quoted(listed.path.as_posix())}"
            yield from [f'{key}_sha256 = "{listed.sha256}"'] if listed.sha256 else []


def _has_timecode(picture: Picture) -> bool:
    return not picture.variable_rate and counts_frames(picture.frame_rate)


def _first_timecode(timecode_s: Fraction, rate: Fraction) -> str:
    """As the file would count at the picture's own rate; the rounder form is likelier."""
    number = round(timecode_s * rate)
    forms = [to_timecode(number, rate, drop=drop) for drop in (False, True)]
    return max(forms, key=lambda form: form.replace(";", ":").count(":00"))


# --- scenes ------------------------------------------------------------------------------------


def _scene(notes: SpottingNotes, number: int) -> Iterator[str]:
    scene = notes.scenes[number]
    span = scene.range
    cues = [cue.number for cue in notes.cues if has_music(scene, [cue])]
    told = [
        f"{to_stamp(span.start_s)} to {to_stamp(span.end_s)}",
        f"{to_clock(span.duration_s)} long",
        counted(scene.shots, "shot"),
        f"cue {', '.join(cues)}" if cues else "no music",
    ]
    yield f"# ---- scene {number + 1}: {', '.join(told)} ".ljust(_COLUMNS, "-")
    yield from _listed("speech", _heard(notes.speech, span), _OTHER_LINES)
    yield from _listed("music", _heard(notes.existing_music, span), _OTHER_LINES)
    yield from _listed("hits", _further(notes, span), _OTHER_LINES)
    yield from _listed("shots", _shown(notes.shots, span), _SHOT_LINES)
    yield "[[scene]]"
    yield _time("start", span.start_s)
    yield f"name = {_quoted(scene.name)}"
    yield f"brief = {_quoted(scene.brief)}"
    yield f"music = {'true' if cues else 'false'}"


def _shown(shots: Sequence[Shot], span: TimeRange) -> list[str]:
    """When shots start; where they do not start with a cut, how they do."""
    listed = []
    for shot in shots:
        if span.holds(shot.range.start_s):
            kind = "" if shot.opened_by == "cut" else f" {shot.opened_by}"
            listed.append(to_stamp(shot.range.start_s) + kind)
    return listed


def _heard(regions: Sequence[SpeechRegion | MusicRegion], span: TimeRange) -> list[str]:
    """What the production audio has within a range: how much in all, and where."""
    common = (region.range.common(span) for region in regions)
    inside = [one for one in common if one is not None]
    if not inside:
        return []
    total_s = sum((one.duration_s for one in inside), Fraction(0))
    return [
        f"{float(total_s):.1f} s:",
        *(f"{to_clock(one.start_s)} to {to_clock(one.end_s)}" for one in inside),
    ]


def _further(notes: SpottingNotes, span: TimeRange) -> list[str]:
    """Hit points that are neither cuts nor starts of scenes."""
    return [
        f"{to_stamp(hit.at_s)} {plain(hit.label)} ({hit.weight:.2g})"
        for hit in notes.hit_points
        if hit.label not in {"scene", "cut"} and span.holds(hit.at_s)
    ]


def _listed(name: str, entries: list[str], most: int) -> Iterator[str]:
    """Entries in lines; of many the first and the last, which a scene is moved by."""
    if not entries:
        return
    lines = textwrap.wrap(
        # A space that does not break keeps an entry whole.
        ", ".join(entry.replace(" ", "\0") for entry in entries).replace(":,", ":"),
        _COLUMNS - _TAG,
        break_long_words=False,
        break_on_hyphens=False,
    )
    if len(lines) > most:
        half = most // 2
        left = sum(line.count(",") for line in lines[half : len(lines) - half])
        lines[half : len(lines) - half] = [f"... {left} more (scorebed spot --json lists all) ..."]
    for at, line in enumerate(lines):
        yield f"# {name if at == 0 else '':<{_TAG - 2}}{line}".replace("\0", " ")


# --- silences ----------------------------------------------------------------------------------


def _silences(notes: SpottingNotes) -> Iterator[TimeRange]:
    """What has no music inside of scenes that have some."""
    for scene in notes.scenes:
        if has_music(scene, notes.cues):
            yield from scene.range.without(notes.music)


# --- words -------------------------------------------------------------------------------------


def _time(key: str, time_s: Fraction) -> str:
    return f'{key} = "{to_stamp(time_s)}"'


def _quoted(text: str) -> str:
    """A TOML string: JSON's, with the one sign escaped that TOML alone refuses."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _commented(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield f"# {plain(line)}".rstrip()
