"""One pass over all packets of a container: hash of the picture, exact times, first sound."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from scorebed.media import open_media
from scorebed.model import Progress, SoundStream, StreamInfo, StreamKind, no_progress
from scorebed.timecode import since_midnight_s

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream

_ATTACHED_PICTURE = 0x0400
_STILL_IMAGE = 0x100000
_DEFAULT = 0x0001


@dataclass(frozen=True, slots=True)
class PictureClock:
    """When frames are shown, by their packets and whatever the header says."""

    start_s: Fraction
    """Time of the first shown frame on the container's clock, in seconds."""
    duration_s: Fraction
    """From there to the end of the last frame, in seconds; 0 when no time passes."""
    frame_count: int
    """Number of frames shown."""
    frame_rate: Fraction
    """Average frames per second; the codec's own figure where the rate is constant."""
    variable: bool
    """Whether the distance between frames varies by more than the clock's grain."""
    hidden_frames: int
    """Frames that an edit list hides; not in ``frame_count``."""


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
    timecode_s: Fraction | None
    empty_minutes: int
    """Of the time from the first to the last of picture and sound, the minutes without a packet."""

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
            video_index=-1 if video is None else video.index,
            starts_s=dict.fromkeys((stream.index for stream in usable), None),
            sounds={stream.index: hashlib.sha256() for stream in usable},
            time_base=Fraction((video and video.time_base) or 0),
        )
        _read(container, reading, path.stat().st_size, progress)
        nominal = _nominal_rate(video)
        clock = _clock(reading, nominal) if reading.times else None
        sounds = _sounds(usable, reading)
        filled = {sound.index for sound in sounds}
        sound = _choose([stream for stream in usable if stream.index in filled] or usable)
        return Contents(
            format_name=container.format.name,
            streams=tuple(_stream_info(stream, container) for stream in container.streams),
            start_s=Fraction(container.start_time or 0, 1_000_000),
            video_index=None if video is None else video.index,
            sound_index=None if sound is None else sound.index,
            sounds=sounds,
            size_px=_size(video),
            promised_frames=0 if video is None else video.frames,
            picture_packets=reading.packets,
            picture_sha256=reading.digest.hexdigest(),
            clock=clock,
            timecode_s=_timecode_s(container, video, clock, nominal),
            empty_minutes=_empty_minutes(reading, clock),
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


# --- streams -----------------------------------------------------------------------------------


def _kind(stream: Stream) -> StreamKind:
    if stream.type == "video" and int(stream.disposition) & (_ATTACHED_PICTURE | _STILL_IMAGE):
        return StreamKind.COVER
    known = {"video", "audio", "subtitle", "attachment"}
    return StreamKind(stream.type) if stream.type in known else StreamKind.DATA


def _codec(stream: Stream) -> str:
    context = getattr(stream, "codec_context", None)
    if context is None:
        return "unknown"
    # The codec's own name, not that of the decoder (libdav1d) which happens to read it.
    return str(getattr(context.codec, "canonical_name", None) or context.name or "unknown")


def _stream_info(stream: Stream, container: InputContainer) -> StreamInfo:
    return StreamInfo(
        index=stream.index,
        kind=_kind(stream),
        codec=_codec(stream),
        role=_role(stream, container),
        disposition=tuple(flag.name for flag in stream.disposition if flag.name),
        language=stream.metadata.get("language"),
        # MP4's readers call a track's title its name, MP4's writers its title.
        title=stream.metadata.get("title") or stream.metadata.get("name"),
    )


def _role(stream: Stream, container: InputContainer) -> Literal["timecode", "chapters"] | None:
    """Data streams that QuickTime muxers make themselves, from a tag and from the chapters."""
    if _kind(stream) is not StreamKind.DATA or "mov" not in container.format.name.split(","):
        return None
    if "timecode" in stream.metadata:
        return "timecode"
    chapters = len(container.chapters())
    return "chapters" if chapters and stream.frames == chapters else None


def _usable(container: InputContainer, kind: StreamKind) -> list[Stream]:
    """The streams of a kind that can be decoded."""
    return [
        stream
        for stream in container.streams
        if _kind(stream) is kind and getattr(stream, "codec_context", None) is not None
    ]


def _sounds(usable: list[Stream], reading: _Reading) -> tuple[SoundStream, ...]:
    """The audio streams that have something in them."""
    found = []
    for stream in usable:
        start_s = reading.starts_s[stream.index]
        if start_s is not None:
            channels = int(getattr(stream.codec_context, "channels", 0))
            layout = getattr(stream.codec_context, "layout", None)
            found.append(
                SoundStream(
                    index=stream.index,
                    start_s=start_s,
                    channels=channels,
                    layout=layout.name if channels and layout is not None else "",
                    packets_sha256=reading.sounds[stream.index].hexdigest(),
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


def _timecode_s(
    container: InputContainer,
    video: Stream | None,
    clock: PictureClock | None,
    nominal: Fraction | None,
) -> Fraction | None:
    """Time of day of the first frame: the picture's own tag, then any other of the file."""
    if clock is None:
        return None
    tagged = [*([] if video is None else [video]), *container.streams, container]
    texts = [
        text for one in tagged for name, text in one.metadata.items() if name.lower() == "timecode"
    ]
    rate = nominal if clock.variable and nominal else clock.frame_rate
    return since_midnight_s(texts[0], rate) if texts else None


# --- packets -----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Reading:
    video_index: int
    starts_s: dict[int, Fraction | None]
    sounds: dict[int, hashlib._Hash]
    time_base: Fraction
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    packets: int = 0
    times: array[int] = field(default_factory=lambda: array("q"))
    durations: array[int] = field(default_factory=lambda: array("q"))
    minutes: set[int] = field(default_factory=set)


def _read(
    container: InputContainer, reading: _Reading, size_bytes: int, progress: Progress
) -> None:
    for number, packet in enumerate(_packets(container)):
        if number % 256 == 0 and packet.pos:
            progress(min(packet.pos / max(size_bytes, 1), 1.0))
        if packet.stream_index == reading.video_index:
            _note_picture(reading, packet)
        elif packet.stream_index in reading.sounds:
            _note_sound(reading, packet)


def _packets(container: InputContainer, index: int | None = None) -> Iterator[Packet[Any]]:
    for packet in container.demux():
        if packet.size and index in {None, packet.stream_index}:
            yield packet


def _note_picture(reading: _Reading, packet: Packet[Any]) -> None:
    reading.digest.update(packet)
    reading.packets += 1
    at = packet.pts if packet.pts is not None else packet.dts
    # Frames that an edit list hides are sent for decoding only.
    if at is not None and not packet.is_discard:
        reading.times.append(at)
        reading.durations.append(packet.duration or 0)
        _note_minute(reading, packet, at)


def _note_sound(reading: _Reading, packet: Packet[Any]) -> None:
    index = packet.stream_index
    reading.sounds[index].update(packet)
    if packet.pts is not None and not packet.is_discard:
        _note_minute(reading, packet, packet.pts)
        at_s = packet.pts * Fraction(packet.time_base)
        known_s = reading.starts_s[index]
        if known_s is None or at_s < known_s:
            reading.starts_s[index] = at_s


def _note_minute(reading: _Reading, packet: Packet[Any], at: int) -> None:
    base = packet.time_base
    reading.minutes.add(at * base.numerator // (base.denominator * 60))


# --- time --------------------------------------------------------------------------------------


def _clock(reading: _Reading, nominal: Fraction | None) -> PictureClock:
    times = np.array(reading.times, dtype=np.int64)
    order = np.argsort(times, kind="stable")
    times = times[order]
    steps = np.diff(times)
    steps = steps[steps > 0]
    typical = int(np.median(steps)) if len(steps) else 0
    last = int(np.array(reading.durations, dtype=np.int64)[order][-1]) or typical
    duration_s = max(int(times[-1] - times[0]) + max(last, 0), 0) * reading.time_base
    average = Fraction(len(times)) / duration_s if duration_s else Fraction(0)
    variable = bool(len(steps)) and int(steps.max() - steps.min()) > max(2, typical // 10)
    # Containers with a coarse clock (Matroska: 1 ms) hide the true rate; the codec tells it.
    if not variable and nominal and abs(average / nominal - 1) < Fraction(1, 200):
        average = Fraction(nominal)
    return PictureClock(
        start_s=int(times[0]) * reading.time_base,
        duration_s=duration_s,
        frame_count=len(times),
        frame_rate=average,
        variable=variable,
        hidden_frames=reading.packets - len(times),
    )


def _empty_minutes(reading: _Reading, clock: PictureClock | None) -> int:
    """Minutes in which nothing is shown anew and nothing sounds: the last frame may stand long."""
    if not reading.minutes or clock is None:
        return 0
    end = int((clock.start_s + clock.duration_s) // 60)
    return max(reading.minutes | {end}) - min(reading.minutes) + 1 - len(reading.minutes)
