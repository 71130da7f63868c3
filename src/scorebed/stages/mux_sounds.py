"""Which audio streams the result has, and how each is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import ffmpeg

from scorebed.errors import MediaError
from scorebed.ffmpeg import file_url, kept_channels, source
from scorebed.model import (
    AudioSettings,
    MuxPlan,
    Picture,
    PlannedSound,
    Production,
    Programme,
    SoundKind,
    Stem,
    StreamKind,
)
from scorebed.stages.mux_codecs import holds, kbps_of, named
from scorebed.stages.mux_streams import STAGE, TRIAL_S, Asking, kinds_in
from scorebed.stages.streams import choose_streams
from scorebed.timecode import SAMPLE_RATE_HZ

_STEREO = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Sounds:
    """What is asked for, and the container's codec."""

    audio: AudioSettings
    """Which sound the result carries."""
    codec: str
    """ffmpeg's name of the encoder."""
    stereo_kbps: int
    """Bit rate of a stereo programme, in kbit/s."""
    output: Path
    """Where the result goes, named in errors."""

    @property
    def asks_for_more(self) -> bool:
        """Whether streams are to be added to those of the input."""
        return self.audio.keep_original or self.audio.music

    def encoded(self, kind: SoundKind, index: int | None, channels: int) -> PlannedSound:
        """A stream in the container's codec.

        Raises:
            MediaError: If the codec holds fewer channels.
        """
        if not self.holds(channels):
            raise MediaError(
                f"{STAGE}: {self.output.name}: its audio codec ({self.codec}) holds no "
                f"{channels} channels",
                remedy="Choose another container, for example: "
                f"-o {self.output.with_suffix('.mkv').name}",
            )
        return PlannedSound(
            kind=kind,
            index=index,
            codec=self.codec,
            channels=channels,
            kbps=kbps_of(self.codec, channels, self.stereo_kbps),
        )

    def holds(self, channels: int) -> bool:
        """Whether the codec holds so many channels."""
        return holds(self.codec, channels)


def holds_several(asking: Asking, wanted: Sounds) -> bool:
    """Whether the container takes as many audio streams as are to come; not asked for one."""
    audio = sum(stream.kind is StreamKind.AUDIO for stream in asking.picture.streams)
    if audio <= 1 and not wanted.asks_for_more:
        return True
    most = 2 * audio + 1
    silence = ffmpeg.input(
        f"anullsrc=sample_rate={SAMPLE_RATE_HZ}:channel_layout=stereo", f="lavfi", t=TRIAL_S
    )
    target = asking.folder / "several"
    options = {"c:v": "copy", "c:a": wanted.codec, "t": TRIAL_S, "f": asking.muxer}
    read = source(asking.source_file.path)
    graph = ffmpeg.output(
        read[str(asking.picture.video_index)],
        *[silence["0"]] * most,
        file_url(target),
        **options,
        strict="unofficial",
    )
    return asking.writes(graph) and kinds_in(target).count(StreamKind.AUDIO) == most


def plan_sounds(asking: Asking, wanted: Sounds, *, several: bool) -> tuple[PlannedSound, ...]:
    """The programmes, the leading one first, then the originals and the music.

    A further stream whose channels the codec does not hold is not scored.

    Args:
        asking: The container.
        wanted: What is asked for.
        several: Whether the container holds more than one audio stream.

    Raises:
        SettingsError: If the file has no audio stream that was asked for.
        MediaError: If the container cannot hold what was asked for.
    """
    picture, audio = asking.picture, wanted.audio
    if wanted.asks_for_more and not several:
        raise MediaError(
            f"{STAGE}: {named(asking.muxer)} file holds only one audio stream: no room for the "
            "music or the original beside the programme",
            remedy="Leave --keep-original and --music-stream out, or choose another container, "
            f"for example: -o {wanted.output.with_suffix('.mkv').name}",
        )
    scored = choose_streams(picture, audio)
    lead = scored[0] if scored else None
    sounds = [wanted.encoded(SoundKind.PROGRAMME, lead, _channels(picture, lead, audio))]
    if several and audio.keep_production:
        further = [(index, _channels(picture, index, audio)) for index in scored[1:]]
        sounds += [
            wanted.encoded(SoundKind.PROGRAMME, index, channels)
            for index, channels in further
            if wanted.holds(channels)
        ]
    if audio.keep_original:
        heard = [sound.index for sound in sounds if sound.index is not None]
        kept = heard if audio.keep_production else scored
        sounds += [_original(asking, wanted, index) for index in kept]
    if audio.music:
        sounds.append(wanted.encoded(SoundKind.MUSIC, None, _STEREO))
    return tuple(sounds)


def left_out(asking: Asking, wanted: Sounds, index: int, *, several: bool) -> str | None:
    """Why an audio stream that is no part of the plan does not come along; None if it may.

    Args:
        asking: The container.
        wanted: What is asked for.
        index: The stream.
        several: Whether the container holds more than one audio stream.
    """
    if asking.picture.streams[index].kind is not StreamKind.AUDIO:
        return None
    if not several:
        return f"{named(asking.muxer)} file holds only one audio stream"
    scored = choose_streams(asking.picture, wanted.audio)
    if not wanted.audio.keep_production and index in scored:
        return "the production audio is dropped"
    return None


def _channels(picture: Picture, index: int | None, audio: AudioSettings) -> int:
    """Channels of a programme: music is in stereo at least."""
    if index is None or not audio.keep_production:
        return _STEREO
    return max(_STEREO, kept_channels(picture.sound(index).channels or _STEREO))


def _original(asking: Asking, wanted: Sounds, index: int) -> PlannedSound:
    """A stream as it was: its packets, or the same sound where the container refuses them."""
    channels = asking.picture.sound(index).channels or _STEREO
    if asking.takes(index, "copy"):
        return PlannedSound(
            kind=SoundKind.ORIGINAL, index=index, codec="copy", channels=channels, kbps=None
        )
    return wanted.encoded(SoundKind.ORIGINAL, index, kept_channels(channels))


def stems_for(
    plan: MuxPlan,
    productions: Sequence[Production],
    programmes: Sequence[Programme],
    ceiling_dbtp: float,
) -> tuple[Stem, ...]:
    """The sound of each stream that is encoded, as in ``plan.encoded``.

    The music alone has the delivery gain of the leading programme, or less where its peaks would
    pass the ceiling.

    Args:
        plan: What ``plan_sounds`` decided.
        productions: The production audio of the streams that are scored.
        programmes: What became of them, the leading one first.
        ceiling_dbtp: True-peak ceiling before the encoder, in dBTP.
    """
    mixes = {programme.production.index: programme.mixed.mix for programme in programmes}
    originals = {production.index: production.dx for production in productions}
    stems = []
    for sound in plan.encoded:
        if sound.kind is SoundKind.PROGRAMME:
            stems.append(mixes[sound.index])
        elif sound.kind is SoundKind.MUSIC:
            stems.append(_music(programmes[0], ceiling_dbtp))
        else:
            original = originals[sound.index]
            assert original is not None
            stems.append(original)
    return tuple(stems)


def _music(lead: Programme, ceiling_dbtp: float) -> Stem:
    mx, peak_dbtp = lead.levelled.mx, lead.levelled.mx_loudness.true_peak_dbtp
    gain_db = lead.mixed.gain_db
    if peak_dbtp is not None:
        gain_db = min(gain_db, ceiling_dbtp - peak_dbtp)
    return replace(mx, gain_db=mx.gain_db + gain_db)
