"""Nothing is lost that is not named: input and output of real files, stream by stream.

``pytest -m media tests/e2e/test_media_fidelity.py``. Read by PyAV and by ffmpeg's own listing, with
none of the code under test. Times count from the first shown frame of the picture, in both files:
that is the zero that the product declares. With ``SCOREBED_TABLE=FILE`` a line of a Markdown table
is appended for each file.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

from scorebed.errors import MediaError
from scorebed.media import identify
from scorebed.model import AudioSettings, Picture, PlannedSound, ScoredVideo, SoundKind, Stem
from scorebed.stages.mux import mux
from scorebed.stages.mux_plan import plan_mux
from scorebed.stages.probe import look
from scorebed.timecode import to_samples
from scorebed.wav import write_wav

if TYPE_CHECKING:
    from numpy.typing import NDArray

pytestmark = pytest.mark.media
NAMED = os.environ.get("SCOREBED_MEDIA")
FOLDER = Path(NAMED) if NAMED else Path(__file__).parents[3] / "shared" / "media"
FILMS = {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mka"}
FOLDERS = ("edited", "dialogue", "frames", "containers")
REFUSED = {
    "gomp4_sample_qt_headers_only.mp4",  # no frames
    "mediabunny_annex-b.mp4",  # cut off
    "media3_invalid-bitstream.webm",  # no VP9: the muxer's filter drops half of it
    "media3_long_edit_list_audioonly.mp4",  # no picture, as all below
    "media3_opus-5.1.mka",
    "media3_sample_alac.mp4",
    "mediabunny_ac3.mkv",
    "mediabunny_multiple-aac-tracks.mp4",
}
ALL_SOUNDS = AudioSettings(streams="all", keep_production=True, keep_original=False, music=False)


@dataclass
class Packets:
    """What a stream holds, packet by packet."""

    payloads: list[str] = field(default_factory=list)
    times: list[Fraction | None] = field(default_factory=list)
    key_frames: list[bool] = field(default_factory=list)
    hidden: list[bool] = field(default_factory=list)


@dataclass
class Listing:
    """A file as a player or an editor sees it."""

    streams: list[dict[str, Any]]
    packets: list[Packets]
    tags: dict[str, str]
    chapters: list[tuple[float, float, str]]


def list_file(exe: str, path: Path) -> Listing:
    with av.open(str(path), metadata_errors="replace") as container:
        streams = [stream_of(stream) for stream in container.streams]
        packets = [Packets() for _ in container.streams]
        for packet in container.demux():
            if packet.size:
                note_packet(packets[packet.stream_index], packet)
        picture = next(
            index
            for index, one in enumerate(streams)
            if one["type"] == "video" and "attached_pic" not in one["marks"]
        )
        chosen = [
            index
            for index, one in enumerate(streams)
            if one["type"] == "video"
            and "attached_pic" not in one["marks"]
            and "default" in one["marks"]
        ]
        shown = packets[chosen[0] if chosen else picture]
        zero_s = min(
            at_s
            for at_s, hidden in zip(shown.times, shown.hidden, strict=True)
            if at_s is not None and not hidden
        )
        for one in packets:
            one.times = [None if at_s is None else at_s - zero_s for at_s in one.times]
        chapters = [
            (
                float(chapter["start"] * Fraction(chapter["time_base"] or 0) - zero_s),
                float(chapter["end"] * Fraction(chapter["time_base"] or 0) - zero_s),
                chapter["metadata"].get("title", ""),
            )
            for chapter in container.chapters()
        ]
        tags = {name: str(value) for name, value in container.metadata.items()}
    for told, side_data in zip(streams, side_data_of(exe, path, len(streams)), strict=True):
        told["side data"] = side_data
    return Listing(streams, packets, tags, chapters)


def stream_of(stream: Any) -> dict[str, Any]:
    context = getattr(stream, "codec_context", None)
    told: dict[str, Any] = {
        "type": stream.type,
        "codec": None if context is None else context.codec.canonical_name,
        "codec tag": None if context is None else context.codec_tag,
        "header": header_of(stream),
        "marks": sorted(flag.name for flag in stream.disposition if flag.name),
        "tags": {name: str(value) for name, value in stream.metadata.items()},
    }
    if stream.type == "video" and context is not None:
        told |= {
            "size": (context.width, context.height),
            "pixel aspect": stream.sample_aspect_ratio or 1,
            "format": context.pix_fmt,
            "profile": context.profile,
            "colour": [
                int(value)
                for value in (
                    context.color_primaries,
                    context.color_trc,
                    context.colorspace,
                    context.color_range,
                )
            ],
            "frame rate": str(stream.guessed_rate),
        }
    if stream.type == "audio" and context is not None:
        told |= {"sample rate": context.sample_rate, "layout": context.layout.name}
    return told


def header_of(stream: Any) -> str | None:
    """The codec's own header: without what is written in two ways and means the same."""
    context = getattr(stream, "codec_context", None)
    if context is None:
        return None
    header = bytes(context.extradata or b"")
    if stream.type == "attachment":
        header = stream.data
    if context.name == "hevc" and header[:1] == b"\1":
        # Whether more parameter sets may follow is a bit of each array's type.
        at, arrays = 23, []
        for _ in range(header[22]):
            end = at + 3
            for _ in range(int.from_bytes(header[at + 1 : at + 3], "big")):
                end += 2 + int.from_bytes(header[end : end + 2], "big")
            arrays.append(bytes([header[at] & 0x3F]) + header[at + 1 : end])
            at = end
        header = header[:22] + b"".join(arrays)
    if header[:3] in {b"\0\0\0", b"\0\0\1"}:
        # Annex B: how many zeros stand before a start code says nothing.
        header = b"".join(nal.rstrip(b"\0") for nal in header.split(b"\0\0\1"))
    if context.name == "mov_text":
        header = header.partition(b"btrt")[0][:-4]  # the muxer adds a statement of the bit rate
    return digest(header)


def note_packet(into: Packets, packet: Any) -> None:
    at = packet.pts if packet.pts is not None else packet.dts
    into.payloads.append(digest(bytes(packet)))
    into.times.append(None if at is None else at * Fraction(packet.time_base))
    into.key_frames.append(bool(packet.is_keyframe))
    into.hidden.append(bool(packet.is_discard))


def digest(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()[:16]


def side_data_of(exe: str, path: Path, streams: int) -> list[list[str]]:
    """Rotation, HDR, Dolby Vision, stereo and sphere, as ffmpeg lists them per stream."""
    said = subprocess.run(
        [exe, "-hide_banner", "-i", path],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        stdin=subprocess.DEVNULL,
    ).stderr
    found: list[list[str]] = [[] for _ in range(streams)]
    # Streams that refer to each other are listed in groups, indented and out of order.
    for number, block in re.findall(r"Stream #0:(\d+)(.*?)(?=Stream #0:|\Z)", said, re.DOTALL):
        lines = re.search(r"^( +)Side data:\n((?:\1  .*\n)+)", block, re.MULTILINE)
        if lines is not None:
            found[int(number)] = [line.strip() for line in lines[2].splitlines()]
    return found


# --- differences -------------------------------------------------------------------------------

Difference = tuple[int | None, str, str]
"""Stream of the input, what, and how it was and is."""
MOMENT_S = Fraction(1, 1_000_000)
SAID_NOTHING = {None, "und", "1970-01-01T00:00:00.000000Z"}


def partners(before: Listing, after: Listing, scored: ScoredVideo) -> dict[int, int]:
    """Streams of the input and where they are in the output: in order, but for those moved."""
    gone = {fate.index for fate in scored.dropped}
    found = {
        change.stream: int(change.now)
        for change in scored.changed
        if change.what == "place" and change.stream is not None and change.now is not None
    }
    added = {sound.index for sound in scored.sounds if sound.source is None}
    free = [n for n in range(len(after.streams)) if n not in added and n not in found.values()]
    for index in range(len(before.streams)):
        if index not in gone and index not in found and free:
            found[index] = free.pop(0)
    return found


def differences(before: Listing, after: Listing, scored: ScoredVideo) -> list[Difference]:
    placed = partners(before, after, scored)
    kept = set(range(len(before.streams))) - {fate.index for fate in scored.dropped}
    assert placed.keys() == kept
    replaced = {sound.source for sound in scored.sounds if sound.kind is SoundKind.PROGRAMME}
    found: list[Difference] = []
    for index, number in placed.items():
        was, now = before.streams[index], after.streams[number]
        found += tags_apart(index, was["tags"], now["tags"])
        for what in was.keys() & now.keys() - {"tags"}:
            if was[what] != now[what] and (what in {"marks", "type"} or index not in replaced):
                found.append((index, what, f"{was[what]} -> {now[what]}"))
        if index not in replaced:
            found += packets_apart(index, before.packets[index], after.packets[number], was)
    known = {*placed.values(), *(sound.index for sound in scored.sounds)}
    found += [
        (None, "streams", f"{one['type']} is added")
        for number, one in enumerate(after.streams)
        if number not in known
    ]
    found += tags_apart(None, before.tags, after.tags)
    if len(before.chapters) != len(after.chapters) or not np.allclose(
        [chapter[:2] for chapter in before.chapters],
        [chapter[:2] for chapter in after.chapters],
        rtol=0,
        atol=5e-4,
    ):
        found.append((None, "chapters", f"{before.chapters} -> {after.chapters}"))
    elif [chapter[2] for chapter in before.chapters] != [chapter[2] for chapter in after.chapters]:
        found.append((None, "chapters", "titles"))
    return found


def tags_apart(index: int | None, was: dict[str, str], now: dict[str, str]) -> list[Difference]:
    """Names count whatever their case; a title may be called a name."""
    old, new = (
        {("title" if name == "name" else name.lower()): text for name, text in tags.items()}
        for tags in (was, now)
    )
    return [
        (index, f"tag {name}", f"{old.get(name)} -> {new.get(name)}")
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name) and not {old.get(name), new.get(name)} <= SAID_NOTHING
    ]


def packets_apart(index: int, was: Packets, now: Packets, told: dict[str, Any]) -> list[Difference]:
    if was.payloads != now.payloads:
        return [(index, "packets", f"{len(was.payloads)} -> {len(now.payloads)} packets")]
    found: list[Difference] = []
    if was.key_frames != now.key_frames:
        found.append((index, "key frames", f"{sum(was.key_frames)} -> {sum(now.key_frames)}"))
    if was.hidden != now.hidden:
        found.append((index, "hidden frames", f"{sum(was.hidden)} -> {sum(now.hidden)}"))
    if "attached_pic" not in told["marks"]:
        apart_s = [
            Fraction(10**6) if one is None or other is None else abs(one - other)
            for one, other in zip(was.times, now.times, strict=True)
            if one != other
        ]
        if max(apart_s, default=0) > MOMENT_S:
            found.append((index, "times", f"off by {float(max(apart_s)) * 1000:.3f} ms"))
    return found


def named(scored: ScoredVideo) -> set[tuple[int | None, str]]:
    """What the result says is not as it was."""
    names = {(change.stream, change.what.lower()) for change in scored.changed}
    # Where the first or the last packet has moved, times have changed.
    return names | {(stream, "times") for stream, what in names if what in {"start", "end"}}


# --- the files ---------------------------------------------------------------------------------


def films() -> list[Path]:
    return [
        path
        for folder in FOLDERS
        for path in sorted((FOLDER / folder).glob("*"))
        if path.suffix in FILMS
    ]


def give_sound(folder: Path, number: int, picture: Picture, sound: PlannedSound) -> Stem:
    """Seeded noise in place of a programme: from where the production audio begins, as a mix."""
    given = None if sound.index is None else picture.sound(sound.index).start_s
    start_s = min(picture.start_s, picture.start_s if given is None else given)
    start_samples = to_samples(start_s) - to_samples(picture.start_s)
    length_samples = picture.length_samples - start_samples
    noise = np.random.default_rng(number)

    def blocks() -> Iterator[NDArray[np.float32]]:
        for at in range(0, length_samples, 65_536):
            size = (min(65_536, length_samples - at), sound.channels)
            yield (0.02 * noise.standard_normal(size)).astype(np.float32)

    wav = write_wav(
        folder / f"mix{number}.wav",
        blocks(),
        channels=sound.channels,
        length_samples=length_samples,
    )
    return Stem(
        kind="MIX",
        audio=wav,
        start_samples=start_samples,
        length_samples=length_samples,
        channels=sound.channels,
    )


def note(path: Path, *cells: str) -> None:
    table = os.environ.get("SCOREBED_TABLE")
    if table:
        line = " | ".join([f"{path.parent.name}/{path.name}", *cells])
        with Path(table).open("a", encoding="utf-8") as file:
            file.write(f"| {line} |\n")


@pytest.mark.parametrize("film", films(), ids=lambda path: path.name)
def test_nothing_is_lost_that_is_not_named(
    film: Path, media_dir: Path, ffmpeg_exe: str, tmp_path: Path
) -> None:
    try:
        source = identify(film)
        picture = look(source)
        output = tmp_path / f"out{film.suffix}"
        plan = plan_mux(source, picture, output, folder=tmp_path, stereo_kbps=320, audio=ALL_SOUNDS)
    except MediaError as error:
        assert film.name in REFUSED
        note(film, "refused", error.message.replace(str(film), film.name))
        return
    assert film.name not in REFUSED
    stems = [give_sound(tmp_path, n, picture, sound) for n, sound in enumerate(plan.encoded)]
    scored = mux(source, picture, stems, plan, 0.0, output)
    before, after = list_file(ffmpeg_exe, film), list_file(ffmpeg_exe, output)
    found = differences(before, after, scored)
    told = {(change.stream, change.what.lower()): change for change in scored.changed}
    losses = [
        f"{'file' if stream is None else stream}: {what} {detail}"
        for stream, what, detail in found
        if (change := told.get((stream, what))) is None or change.loss
    ]
    gone = [f"{fate.index} {fate.kind} dropped: {fate.why}" for fate in scored.dropped]
    own = [what for stream, what, _ in found if (stream, what) in told]
    note(
        film,
        f"{plan.muxer}, {len(before.streams)} -> {len(after.streams)}",
        "; ".join([*gone, *losses]) or "none",
        str(len(own)),
    )
    unnamed = [one for one in found if (one[0], one[1]) not in named(scored)]
    assert not unnamed
