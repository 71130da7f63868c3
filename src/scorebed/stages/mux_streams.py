"""What becomes of every stream of the input, and where the output's streams lie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import ffmpeg

from scorebed.errors import MediaError, ToolStalled
from scorebed.ffmpeg import FfmpegError, arguments, file_url, run, source
from scorebed.model import (
    MuxPlan,
    Picture,
    PlannedSound,
    SoundKind,
    SourceFile,
    StreamFate,
    StreamInfo,
    StreamKind,
)
from scorebed.packets import Contents, read_contents
from scorebed.stages.mux_codecs import named

STAGE = "mux"
SUBTITLES = {"mp4": "mov_text", "mov": "mov_text", "matroska": "srt", "webm": "webvtt"}
"""Encoder of text subtitles by muxer."""
QUICKTIME = {"mp4", "mov", "3gp", "3g2"}
"""Muxers that make timecode and chapter tracks themselves, from tags."""
TRIAL_S = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A container that is asked, by trials, what it can carry."""

    source_file: SourceFile
    """The user's file."""
    picture: Picture
    """What it is."""
    muxer: str
    """ffmpeg's name of the container."""
    folder: Path
    """For trial files."""

    def takes(self, index: int, codec: str) -> bool:
        """Whether it takes a second of a stream beside the picture, copied or in a codec."""
        options = {"c": "copy", "c:1": codec, "t": TRIAL_S, "f": self.muxer, "strict": "unofficial"}
        read = source(self.source_file.path)
        picture = read[str(self.picture.video_index)]
        target = self.folder / f"trial-{index}"
        if not self.writes(ffmpeg.output(picture, read[str(index)], file_url(target), **options)):
            return False
        # MPEG-TS takes text for data that nobody can name when it is read.
        text = self.picture.streams[index].kind is StreamKind.SUBTITLE
        return not text or StreamKind.SUBTITLE in kinds_in(target)

    def writes(self, graph: object) -> bool:
        """Whether ffmpeg writes a trial file without an error."""
        try:
            run(
                ["-y", "-copy_unknown", *arguments(graph)],
                stage=STAGE,
                subject=self.source_file.path,
            )
        except (FfmpegError, ToolStalled):
            return False
        return True


def kinds_in(path: Path) -> list[StreamKind]:
    """The kinds of the streams of a trial file; none where it cannot be read."""
    try:
        return [stream.kind for stream in read_contents(path, stage=STAGE).streams]
    except MediaError:
        return []


def why_refused(error: FfmpegError, muxer: str) -> str:
    """What the muxer itself says of why it failed, or else the last that ffmpeg says.

    Args:
        error: How ffmpeg ended.
        muxer: ffmpeg's name of the container.
    """
    said = [line for line in error.log.splitlines() if line.startswith(f"[{muxer} @ ")]
    return said[-1].partition("] ")[2] if said else error.message.rsplit(": ", 1)[-1]


def fate_of(
    asking: Asking, stream: StreamInfo, sounds: tuple[PlannedSound, ...], why: str | None
) -> StreamFate:
    """Kept as it is, made anew, converted, or dropped.

    Args:
        asking: The container.
        stream: A stream of the input.
        sounds: What is made or added.
        why: Why it does not come along if it is not among them; None if it may.
    """
    picture, muxer = asking.picture, asking.muxer
    kept = StreamFate(index=stream.index, kind=stream.kind, codec=stream.codec)
    for sound in sounds:
        if sound.index == stream.index:
            return replace(kept, codec=codec_name(sound, picture))
    if why is not None:
        return replace(kept, why=why)
    if stream.role is not None and muxer in QUICKTIME:
        return replace(kept, codec={"timecode": "tmcd", "chapters": "text"}[stream.role])
    if stream.index == picture.video_index or stream.role == "chapters":
        return kept
    text = SUBTITLES.get(muxer) if stream.kind is StreamKind.SUBTITLE else None
    for codec in ("copy", text):
        if codec and asking.takes(stream.index, codec):
            name = stream.codec if codec == "copy" else codec
            return replace(kept, codec={"srt": "subrip"}.get(name, name))
    return replace(kept, why=f"{named(muxer)} file cannot carry it")


def codec_name(sound: PlannedSound, picture: Picture) -> str:
    """The codec that a sound of the plan has in the output."""
    if sound.codec == "copy":
        assert sound.index is not None
        return picture.streams[sound.index].codec
    return {"libmp3lame": "mp3"}.get(sound.codec, sound.codec.removeprefix("lib"))


def settle(
    plan: MuxPlan, picture: Picture, contents: Contents
) -> tuple[tuple[StreamFate, ...], tuple[StreamFate, ...]]:
    """What of the plan is in the file: streams that the muxer makes itself are looked for.

    Args:
        plan: What was planned.
        picture: What the input is.
        contents: What the output holds.

    Returns:
        The streams that were kept and those that were dropped.
    """
    made = [stream.role for stream in contents.streams]
    missing = {
        stream.index
        for stream in picture.streams
        if stream.role == "timecode" and plan.muxer in QUICKTIME and stream.role not in made
    }
    lost = tuple(
        replace(fate, why=f"{named(plan.muxer)} file cannot carry it")
        for fate in plan.kept
        if fate.index in missing
    )
    kept = tuple(fate for fate in plan.kept if fate.index not in missing)
    return kept, (*plan.dropped, *lost)


def mapped_streams(picture: Picture, plan: MuxPlan) -> list[StreamFate | PlannedSound]:
    """Output streams in order: those of the input in their places, what is added behind them."""
    remade = {stream.index for stream in picture.streams if stream.role is not None}
    if plan.muxer not in QUICKTIME:
        remade = {stream.index for stream in picture.streams if stream.role == "chapters"}
    remade |= {sound.index for sound in plan.sounds if sound.index is not None}
    scored = {sound.index: sound for sound in plan.sounds if sound.kind is SoundKind.PROGRAMME}
    mapped: list[StreamFate | PlannedSound] = []
    for fate in plan.kept:
        if fate.index in scored:
            mapped.append(scored[fate.index])
        elif fate.index not in remade:
            mapped.append(fate)
    mapped += [sound for sound in plan.sounds if sound not in mapped]
    # Streams behind an attachment would be taken for attachments by the Matroska muxer.
    return sorted(
        mapped,
        key=lambda one: (
            is_attached(one, plan),
            isinstance(one, StreamFate) and one.kind is StreamKind.ATTACHMENT,
        ),
    )


def is_attached(one: StreamFate | PlannedSound, plan: MuxPlan) -> bool:
    """Whether it is a cover that Matroska holds as an attached file, behind all streams.

    Copied like a stream it would become a film of one frame.
    """
    return isinstance(one, StreamFate) and one.kind is StreamKind.COVER and plan.muxer == "matroska"
