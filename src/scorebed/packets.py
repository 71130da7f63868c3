"""One pass over all packets of a container: hash of the picture, exact times, first sound."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorebed.boxes import protected_tracks, timecode_base
from scorebed.clock import PictureClock, clock_of
from scorebed.described import (
    audio_of,
    codec_of,
    codec_tag_of,
    kind_of,
    role_of,
    side_data_of,
    tags_of,
    video_of,
)
from scorebed.errors import MediaError
from scorebed.media import open_media
from scorebed.model import Chapter, Progress, SoundStream, StreamInfo, StreamKind, no_progress
from scorebed.timecode import since_midnight_s

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream

_DEFAULT = 0x0001
_NO_TEXT = b"\0\0"
"""How a packet of MP4's subtitles begins that only fills the time between two of them."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a container holds."""

    format_name: str
    streams: tuple[StreamInfo, ...]
    start_s: Fraction
    video_index: int | None
    sound_index: int | None
    sounds: tuple[SoundStream, ...]
    size_px: tuple[int, int]
    promised_frames: int
    picture_packets: int
    picture_sha256: str
    clock: PictureClock | None
    timecode: str | None
    timecode_s: Fraction | None
    empty_minutes: int
    """Of the time from the first to the last of picture and sound, the minutes without a packet."""
    tags: tuple[tuple[str, str], ...]
    chapters: tuple[Chapter, ...]
    encrypted: tuple[int, ...]
    """Indexes of the streams whose packets are encrypted."""

    @property
    def sound(self) -> SoundStream | None:
        """The audio stream that a player would take, if it has something in it."""
        return next((sound for sound in self.sounds if sound.index == self.sound_index), None)


def read_contents(path: Path, *, stage: str, progress: Progress = no_progress) -> Contents:
    """Reads a whole container without decoding it.

    Args:
        path: The file.
        stage: Named in errors.
        progress: Called with the share that is done.

    Raises:
        MediaError: If it cannot be read.
    """
    with open_media(path, stage=stage) as container:
        video = _choose(_usable(container, StreamKind.VIDEO))
        usable = _usable(container, StreamKind.AUDIO)
        reading = _Reading(
            {
                stream.index: _StreamReading(
                    time_base=Fraction(stream.time_base or 0),
                    is_video=stream.type == "video",
                    is_mov_text=codec_of(stream) == "mov_text",
                )
                for stream in container.streams
            }
        )
        _read(container, reading, path.stat().st_size, progress)
        nominal = _nominal_rate(video)
        shown = _StreamReading(Fraction(0), is_video=True)
        if video is not None:
            shown = reading.of[video.index]
        clock = shown.clock(nominal) if shown.times else None
        sounds = _sounds(usable, reading)
        filled = {sound.index for sound in sounds}
        sound = _choose([stream for stream in usable if stream.index in filled] or usable)
        timecode = _timecode(container, video)
        return Contents(
            format_name=container.format.name,
            streams=_streams(container, reading, side_data_of(path, stage=stage)),
            start_s=Fraction(container.start_time or 0, 1_000_000),
            video_index=None if video is None else video.index,
            sound_index=None if sound is None else sound.index,
            sounds=sounds,
            size_px=_size(video),
            promised_frames=0 if video is None else video.frames,
            picture_packets=shown.packets,
            picture_sha256=shown.digest.hexdigest(),
            clock=clock,
            empty_minutes=_empty_minutes(
                reading, [stream.index for stream in (video, *usable) if stream], clock
            ),
            timecode=timecode,
            timecode_s=_timecode_s(path, timecode, clock, nominal),
            tags=tags_of(container.metadata),
            chapters=_chapters(container),
            encrypted=_encrypted(path, container, reading),
        )


def leading_sha256(path: Path, index: int, packets: int, *, stage: str) -> str:
    """Hash of the payloads of the first packets of a stream.

    Args:
        path: The file.
        index: The stream.
        packets: How many.
        stage: Named in errors.

    Raises:
        MediaError: If it cannot be read.
    """
    digest = hashlib.sha256()
    with open_media(path, stage=stage) as container:
        for packet in islice(_packets(container, index), packets):
            digest.update(packet)
    return digest.hexdigest()


def first_packet(path: Path, index: int, *, stage: str) -> bytes:
    """The payload of the first packet of a stream: of a cover, the image.

    Args:
        path: The file.
        index: The stream.
        stage: Named in errors.

    Raises:
        MediaError: If it cannot be read, or has none.
    """
    with open_media(path, stage=stage) as container:
        for packet in _packets(container, index):
            return bytes(packet)
    raise MediaError(
        f"{stage}: stream {index} of {path} is empty", remedy="Export or copy the file again."
    )


def packet_times(
    path: Path, indexes: AbstractSet[int], *, stage: str
) -> Iterator[tuple[int, int | None]]:
    """The times of the packets of some streams, in ticks of each, in the order of the file.

    Args:
        path: The file.
        indexes: Of the streams.
        stage: Named in errors.

    Raises:
        MediaError: If it cannot be read.
    """
    with open_media(path, stage=stage) as container:
        video = {stream.index for stream in container.streams if stream.type == "video"}
        for packet in _packets(container):
            if packet.stream_index in indexes:
                yield packet.stream_index, _time_of(packet, is_video=packet.stream_index in video)


# --- streams -----------------------------------------------------------------------------------


def _streams(
    container: InputContainer, reading: _Reading, side_data: dict[int, tuple[str, ...]]
) -> tuple[StreamInfo, ...]:
    return tuple(
        _stream_info(stream, container, reading.of[stream.index], side_data.get(stream.index, ()))
        for stream in container.streams
    )


def _stream_info(
    stream: Stream, container: InputContainer, read: _StreamReading, side_data: tuple[str, ...]
) -> StreamInfo:
    clock = read.clock(_nominal_rate(stream)) if len(read.times) > 1 else None
    start_s = read.start_s
    attached = getattr(stream, "data", None) if kind_of(stream) is StreamKind.ATTACHMENT else None
    return StreamInfo(
        index=stream.index,
        kind=kind_of(stream),
        codec=codec_of(stream),
        codec_tag=codec_tag_of(stream),
        role=role_of(stream, container),
        disposition=tuple(flag.name for flag in stream.disposition if flag.name),
        language=stream.metadata.get("language"),
        # MP4's readers call a track's title its name, MP4's writers its title.
        title=stream.metadata.get("title") or stream.metadata.get("name"),
        tags=tags_of(stream.metadata),
        time_base=read.time_base or None,
        start_s=start_s,
        duration_s=None if read.end_s is None or start_s is None else read.end_s - start_s,
        packets=read.packets,
        hidden_packets=read.hidden,
        packets_sha256=hashlib.sha256(attached).hexdigest()
        if attached
        else read.digest.hexdigest(),
        side_data=side_data,
        video=video_of(
            stream,
            side_data,
            clock.frame_rate if clock is not None and clock.frame_rate else None,
            variable_rate=clock is not None and clock.variable,
        ),
        audio=audio_of(stream),
    )


def _usable(container: InputContainer, kind: StreamKind) -> list[Stream]:
    """The streams of a kind that can be decoded."""
    return [
        stream
        for stream in container.streams
        if kind_of(stream) is kind and getattr(stream, "codec_context", None) is not None
    ]


def _sounds(usable: list[Stream], reading: _Reading) -> tuple[SoundStream, ...]:
    """The audio streams that have something in them."""
    found = []
    for stream in usable:
        read, sound = reading.of[stream.index], audio_of(stream)
        if read.start_s is not None and sound is not None:
            found.append(
                SoundStream(
                    index=stream.index,
                    start_s=read.start_s,
                    channels=sound.channels,
                    layout=sound.layout,
                    packets_sha256=read.digest.hexdigest(),
                )
            )
    return tuple(found)


def _choose(usable: list[Stream]) -> Stream | None:
    """The stream that a player would take: the first marked as default, else the first."""
    marked = [stream for stream in usable if int(stream.disposition) & _DEFAULT]
    return next(iter(marked or usable), None)


def _size(video: Stream | None) -> tuple[int, int]:
    context = video and video.codec_context
    return (int(getattr(context, "width", 0)), int(getattr(context, "height", 0)))


def _nominal_rate(video: Stream | None) -> Fraction | None:
    return getattr(video, "guessed_rate", None) or getattr(video, "average_rate", None)


def _timecode(container: InputContainer, video: Stream | None) -> str | None:
    """The picture's own tag, then any other of the file."""
    tagged = [*([] if video is None else [video]), *container.streams, container]
    texts = [
        text for one in tagged for name, text in one.metadata.items() if name.lower() == "timecode"
    ]
    return texts[0] if texts else None


def _timecode_s(
    path: Path, timecode: str | None, clock: PictureClock | None, nominal: Fraction | None
) -> Fraction | None:
    """Time of day of the first frame."""
    if clock is None or timecode is None:
        return None
    with path.open("rb") as file:
        counted = timecode_base(file)
    rate = nominal if clock.variable and nominal else clock.frame_rate
    if counted and round(rate) % counted == 0:
        rate *= Fraction(counted, round(rate))
    return since_midnight_s(timecode, rate)


def _chapters(container: InputContainer) -> tuple[Chapter, ...]:
    return tuple(
        Chapter(
            start_s=chapter["start"] * Fraction(chapter["time_base"] or 0),
            end_s=chapter["end"] * Fraction(chapter["time_base"] or 0),
            title=str(chapter["metadata"].get("title", "")),
        )
        for chapter in container.chapters()
    )


# --- packets -----------------------------------------------------------------------------------


@dataclass(slots=True)
class _StreamReading:
    """What is noted of a stream, packet by packet."""

    time_base: Fraction
    is_video: bool
    is_mov_text: bool = False
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    packets: int = 0
    hidden: int = 0
    encrypted: bool = False
    first: int | None = None
    last: int | None = None
    times: array[int] = field(default_factory=lambda: array("q"))
    durations: array[int] = field(default_factory=lambda: array("q"))
    minutes: set[int] = field(default_factory=set)

    @property
    def start_s(self) -> Fraction | None:
        return None if self.first is None else self.first * self.time_base

    @property
    def end_s(self) -> Fraction | None:
        return None if self.last is None else self.last * self.time_base

    def clock(self, nominal: Fraction | None) -> PictureClock:
        return clock_of(self.times, self.durations, self.packets, self.time_base, nominal)

    def note(self, packet: Packet[Any]) -> None:
        self.digest.update(packet)
        self.encrypted = self.encrypted or packet.has_sidedata("encryption_info")
        self.packets += 1
        at = _time_of(packet, is_video=self.is_video)
        if packet.is_discard:
            # Frames that an edit list hides are sent for decoding only.
            self.hidden += 1
        elif at is not None and not (self.is_mov_text and bytes(packet)[:2] == _NO_TEXT):
            end = at + (packet.duration or 0)
            self.first = at if self.first is None else min(self.first, at)
            self.last = end if self.last is None else max(self.last, end)
            base = self.time_base
            self.minutes.add(at * base.numerator // (base.denominator * 60))
            if self.is_video:
                self.times.append(at)
                self.durations.append(packet.duration or 0)


@dataclass(frozen=True, slots=True)
class _Reading:
    of: dict[int, _StreamReading]


def _encrypted(path: Path, container: InputContainer, reading: _Reading) -> tuple[int, ...]:
    """Streams with an encrypted packet, and those that say that they have some."""
    found = {index for index, read in reading.of.items() if read.encrypted}
    if container.format.name.startswith("mov,"):
        with path.open("rb") as file:
            found |= set(protected_tracks(file))
    if container.format.name.startswith("matroska"):
        # So libav calls what ContentEncryption says.
        found |= {one.index for one in container.streams if "enc_key_id" in one.metadata}
    return tuple(sorted(found))


def _read(
    container: InputContainer, reading: _Reading, size_bytes: int, progress: Progress
) -> None:
    for number, packet in enumerate(_packets(container)):
        if number % 256 == 0 and packet.pos:
            progress(min(packet.pos / max(size_bytes, 1), 1.0))
        if packet.stream_index in reading.of:
            reading.of[packet.stream_index].note(packet)


def _time_of(packet: Packet[Any], *, is_video: bool) -> int | None:
    return packet.pts if packet.pts is not None or not is_video else packet.dts


def _packets(container: InputContainer, index: int | None = None) -> Iterator[Packet[Any]]:
    for packet in container.demux():
        if packet.size and index in {None, packet.stream_index}:
            yield packet


def _empty_minutes(reading: _Reading, shown_or_heard: list[int], clock: PictureClock | None) -> int:
    """Minutes in which nothing is shown anew and nothing sounds: the last frame may stand long."""
    minutes = set[int]().union(*(reading.of[index].minutes for index in shown_or_heard))
    if not minutes or clock is None:
        return 0
    end = int((clock.start_s + clock.duration_s) // 60)
    return max(minutes | {end}) - min(minutes) + 1 - len(minutes)
