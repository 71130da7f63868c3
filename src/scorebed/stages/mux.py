"""Mux: picture packets copied untouched, one audio encode, the result read back before it counts.

Which container and which audio codec, and what of the input it can carry, is decided by
``plan_mux`` before any music is made.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import ffmpeg
import numpy as np

from scorebed.dsp.loudness import Meter
from scorebed.errors import MediaError
from scorebed.ffmpeg import (
    LAYOUTS,
    Decoding,
    FfmpegError,
    arguments,
    decode_audio,
    file_url,
    kept_channels,
    run,
    source,
)
from scorebed.model import (
    Loudness,
    Mixed,
    MuxPlan,
    Picture,
    Progress,
    ScoredVideo,
    SourceFile,
    Stem,
    StreamFate,
    StreamInfo,
    StreamKind,
    no_progress,
)
from scorebed.packets import Contents, read_contents
from scorebed.timecode import SAMPLE_RATE_HZ, to_samples, to_seconds
from scorebed.wav import BLOCK_SAMPLES, read_wav

if TYPE_CHECKING:
    from numpy.typing import NDArray

VERSION = 1
STAGE = "mux"

_MUXERS: dict[str, tuple[str, dict[str, str]]] = {
    "mov": ("mp4", {".mov": "mov", ".qt": "mov", ".3gp": "3gp", ".3g2": "3g2"}),
    "matroska": ("matroska", {".webm": "webm"}),
    "avi": ("avi", {}),
    "mpegts": ("mpegts", {}),
    "mpeg": ("vob", {}),
    "flv": ("flv", {}),
    "asf": ("asf", {}),
    "ogg": ("ogg", {}),
    "mxf": ("mxf", {}),
    "nut": ("nut", {}),
}
"""By demuxer: the muxer for the same container, and what the file's extension makes of it."""
_BY_EXTENSION = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".qt": "mov",
    ".3gp": "3gp",
    ".mkv": "matroska",
    ".webm": "webm",
    ".avi": "avi",
    ".ts": "mpegts",
    ".mts": "mpegts",
    ".m2ts": "mpegts",
    ".mpg": "vob",
    ".mpeg": "vob",
    ".vob": "vob",
    ".flv": "flv",
    ".wmv": "asf",
    ".asf": "asf",
    ".ogv": "ogg",
    ".ogg": "ogg",
    ".mxf": "mxf",
    ".nut": "nut",
}
_CODECS = {
    "webm": "libopus",
    "ogg": "libvorbis",
    "avi": "pcm_s16le",  # AVI cannot say an encoder's delay: MP3 and AAC come out 23 ms late
    "vob": "mp2",
    "asf": "wmav2",
    "mxf": "pcm_s24le",
}
"""Audio encoder by muxer where it is not AAC."""
_LOSSLESS = {"pcm_s16le", "pcm_s24le", "flac"}
_STEREO_ONLY = {"mp2", "wmav2"}
_MAX_KBPS = {"libopus": 256, "wmav2": 192, "mp2": 384}
_SUBTITLES = {"mp4": "mov_text", "mov": "mov_text", "matroska": "srt", "webm": "webvtt"}
_QUICKTIME = {"mp4", "mov", "3gp", "3g2"}
_TRIAL_S = 1
_MAX_ENCODES = 4
_UNDER_CEILING_DB = 0.05
_MAX_SHOWN_FRAMES = 2
_MAX_SHIFT_SAMPLES = 48  # 1 ms
_SEARCH_SAMPLES = 4_800


# --- planning ----------------------------------------------------------------------------------


def plan_mux(
    source_file: SourceFile, picture: Picture, output: Path, *, folder: Path, stereo_kbps: int
) -> MuxPlan:
    """Decides container, codec and the fate of every stream, by trying.

    Args:
        source_file: The user's file.
        picture: What it is.
        output: Where the result goes; another extension than the input's asks for that container.
        folder: For short trial files, which are removed.
        stereo_kbps: Bit rate of a stereo programme, in kbit/s.

    Raises:
        MediaError: If the container cannot be written or cannot hold the programme.
    """
    muxer = _choose_muxer(source_file.path, picture, output)
    channels = max(2, kept_channels(picture.production_channels or 2))
    codec = _CODECS.get(muxer, "aac")
    if codec in _STEREO_ONLY and channels > 2:  # noqa: PLR2004 - more than stereo
        raise MediaError(
            f"{STAGE}: {output.name}: its audio codec ({codec}) holds no {channels} channels",
            remedy=f"Choose another container, for example: -o {output.with_suffix('.mkv').name}",
        )
    kbps = min(stereo_kbps, _MAX_KBPS.get(codec, stereo_kbps)) * channels // 2
    with tempfile.TemporaryDirectory(prefix="trial-", dir=folder) as trials:
        fates = [
            _fate(source_file, picture, stream, muxer, codec, Path(trials))
            for stream in picture.streams
        ]
    return MuxPlan(
        muxer=muxer,
        audio_codec=codec,
        audio_channels=channels,
        audio_kbps=None if codec in _LOSSLESS else kbps,
        kept=tuple(fate for fate in fates if fate.why is None),
        dropped=tuple(fate for fate in fates if fate.why is not None),
    )


def _choose_muxer(path: Path, picture: Picture, output: Path) -> str:
    suffix = output.suffix.lower()
    if suffix != path.suffix.lower():
        if suffix not in _BY_EXTENSION:
            raise MediaError(
                f"{STAGE}: no container is known by the extension of {output.name}",
                remedy=f"Use one of: {' '.join(sorted(_BY_EXTENSION))}",
            )
        return _BY_EXTENSION[suffix]
    family = picture.format_name.split(",")[0]
    if family not in _MUXERS:
        raise MediaError(
            f"{STAGE}: the container of {path} ({family}) can be read but not written",
            remedy=f"Choose another, for example: -o {path.with_suffix('.scored.mkv').name}",
        )
    same, by_suffix = _MUXERS[family]
    return by_suffix.get(suffix, same)


def _fate(
    source_file: SourceFile,
    picture: Picture,
    stream: StreamInfo,
    muxer: str,
    audio_codec: str,
    folder: Path,
) -> StreamFate:
    """Kept as it is, converted, or dropped: the container is asked by a trial of a second."""
    kept = StreamFate(index=stream.index, kind=stream.kind, codec=stream.codec)
    if stream.index == picture.production_index:
        return replace(kept, codec=_codec_name(audio_codec))
    if stream.role is not None and muxer in _QUICKTIME:
        return replace(kept, codec={"timecode": "tmcd", "chapters": "text"}[stream.role])
    if stream.index == picture.video_index or stream.role == "chapters":
        return kept
    text = _SUBTITLES.get(muxer) if stream.kind is StreamKind.SUBTITLE else None
    for codec in ("copy", text):
        if codec and _trial(source_file, picture, stream, muxer, codec, folder):
            name = stream.codec if codec == "copy" else codec
            return replace(kept, codec={"srt": "subrip"}.get(name, name))
    return replace(kept, why=f"a {muxer} file cannot carry it")


def _trial(
    source_file: SourceFile,
    picture: Picture,
    stream: StreamInfo,
    muxer: str,
    codec: str,
    folder: Path,
) -> bool:
    target = folder / f"trial-{stream.index}"
    read = source(source_file.path)
    options = {"c": "copy", "c:1": codec, "t": _TRIAL_S, "f": muxer, "strict": "unofficial"}
    graph = ffmpeg.output(
        read[str(picture.video_index)], read[str(stream.index)], file_url(target), **options
    )
    try:
        run(
            ["-y", "-copy_unknown", *arguments(graph)],
            stage=STAGE,
            subject=source_file.path,
        )
    except FfmpegError:
        return False
    finally:
        target.unlink(missing_ok=True)
    return True


def _codec_name(encoder: str) -> str:
    return encoder.removeprefix("lib")


# --- writing -----------------------------------------------------------------------------------


def mux(
    source_file: SourceFile,
    picture: Picture,
    mixed: Mixed,
    plan: MuxPlan,
    ceiling_dbtp: float,
    part: Path,
    *,
    progress: Progress = no_progress,
) -> ScoredVideo:
    """Writes the scored video and reads it back.

    A lossy encode may overshoot: while the decoded programme is over the ceiling it is encoded
    again with a little less gain.

    Args:
        source_file: The user's file.
        picture: What it is.
        mixed: The programme.
        plan: What ``plan_mux`` decided.
        ceiling_dbtp: True-peak ceiling of the delivered programme, in dBTP.
        part: Where the file is written: a temporary name, beside the final one.
        progress: Called with the share that is done.

    Raises:
        MediaError: If what was written is not what was asked for.
    """
    trim_db = 0.0
    for attempt in range(_MAX_ENCODES):
        _write(source_file, picture, mixed.mix, plan, trim_db, part, progress)
        contents = read_contents(part, stage=STAGE)
        _check_picture(source_file.path, picture, contents)
        loudness = _listen(part, picture, mixed.mix, plan, contents, progress)
        peak = loudness.true_peak_dbtp
        if peak is None or peak <= ceiling_dbtp or attempt == _MAX_ENCODES - 1:
            break
        trim_db += ceiling_dbtp - peak - _UNDER_CEILING_DB
    kept, dropped = _settle(plan, picture, contents)
    return ScoredVideo(
        container=plan.muxer,
        audio_codec=_codec_name(plan.audio_codec),
        audio_channels=plan.audio_channels,
        picture_sha256=contents.picture_sha256,
        loudness=loudness,
        trim_db=round(trim_db, 3),
        kept=kept,
        dropped=dropped,
    )


def _write(
    source_file: SourceFile,
    picture: Picture,
    mix: Stem,
    plan: MuxPlan,
    trim_db: float,
    part: Path,
    progress: Progress,
) -> None:
    try:
        run(
            command(source_file, picture, mix, plan, trim_db, part),
            stage=STAGE,
            subject=source_file.path,
            duration_s=to_seconds(mix.length_samples),
            progress=lambda share: progress(share * 0.8),
        )
    except FfmpegError as error:
        raise MediaError(
            f"{STAGE}: {source_file.path} cannot be written as {plan.muxer} "
            f"({error.message.rsplit(': ', 1)[-1]})",
            remedy=f"Try another container, for example: -o {source_file.path.stem}.scored.mkv",
        ) from error


def _mapped(picture: Picture, plan: MuxPlan) -> list[StreamFate | None]:
    """Output streams in order; None stands for the programme of a file that had no sound."""
    remade = {stream.index for stream in picture.streams if stream.role is not None}
    if plan.muxer not in _QUICKTIME:
        remade = {stream.index for stream in picture.streams if stream.role == "chapters"}
    mapped: list[StreamFate | None] = [fate for fate in plan.kept if fate.index not in remade]
    if picture.production_index is None:
        mapped.append(None)
    return mapped


def command(
    source_file: SourceFile,
    picture: Picture,
    mix: Stem,
    plan: MuxPlan,
    trim_db: float,
    part: Path,
) -> list[str]:
    """The arguments of ffmpeg that write the result.

    Args:
        source_file: The user's file.
        picture: What it is.
        mix: The programme.
        plan: What ``plan_mux`` decided.
        trim_db: Static gain at the encoder, in dB.
        part: Where it is written.
    """
    # copyts: the input's own clock holds for both inputs. Without it ffmpeg moves each to zero, by
    # rules that differ between containers, and the sound shifts against the picture.
    at_s = picture.start_s + to_seconds(mix.start_samples)
    read = source(source_file.path)
    programme = ffmpeg.input(file_url(mix.audio.path), itsoffset=_seconds(at_s))
    mapped = _mapped(picture, plan)
    first = mapped[0]
    # ffmpeg-python numbers inputs by the first stream that is mapped from each.
    number_of_read = int(first is None or first.index == picture.production_index)
    streams = []
    options: dict[str, object] = {
        "c": "copy",
        "f": plan.muxer,
        "copyinkf": None,  # frames before the first key frame belong to the picture too
        "output_ts_offset": _seconds(-picture.container_start_s),
        "map_metadata": str(number_of_read),
        "map_chapters": str(number_of_read),
        "strict": "unofficial",  # Dolby Vision's record is kept
        "max_muxing_queue_size": 9999,
        **_container_options(plan.muxer, part),
    }
    for number, fate in enumerate(mapped):
        if fate is None or fate.index == picture.production_index:
            streams.append(programme["0"])
            options |= _programme_options(number, picture, plan, trim_db)
        else:
            streams.append(read[str(fate.index)])
            if fate.kind is StreamKind.SUBTITLE and fate.codec != picture.streams[fate.index].codec:
                options[f"c:{number}"] = _SUBTITLES[plan.muxer]
        if fate is not None:
            # One explicit mapping of stream tags turns the automatic ones off: map them all.
            options[f"map_metadata:s:{number}"] = f"{number_of_read}:s:{fate.index}"
    graph = ffmpeg.output(*streams, file_url(part), **options).global_args("-copyts")
    return ["-y", "-copy_unknown", *arguments(graph)]


def _seconds(time_s: Fraction) -> str:
    return f"{float(time_s):.9f}"


def _container_options(muxer: str, part: Path) -> dict[str, object]:
    if muxer in _QUICKTIME:
        return {"movflags": "+faststart"}
    if muxer in {"matroska", "webm"}:
        return {"default_mode": "passthrough"}
    if muxer == "mpegts" and ".m2ts" in part.name.lower():
        return {"mpegts_m2ts_mode": 1}
    return {}


def _programme_options(
    number: int, picture: Picture, plan: MuxPlan, trim_db: float
) -> dict[str, object]:
    layout = LAYOUTS[plan.audio_channels]
    chain = f"aformat=sample_rates={SAMPLE_RATE_HZ}:channel_layouts={layout}"
    if trim_db:
        chain = f"volume={trim_db:.4f}dB:precision=float,{chain}"
    options: dict[str, object] = {
        f"c:{number}": plan.audio_codec,
        f"filter:{number}": chain,
        f"disposition:{number}": "default",
    }
    if plan.audio_kbps is not None:
        options[f"b:{number}"] = f"{plan.audio_kbps}k"
    if picture.production_index is not None:
        marks = picture.streams[picture.production_index].disposition
        options[f"disposition:{number}"] = "+".join(marks) or "0"
    return options


# --- reading back ------------------------------------------------------------------------------


def _check_picture(path: Path, picture: Picture, contents: Contents) -> None:
    """The delivered picture is the one that was given: payloads, number and length of frames."""
    clock = contents.clock
    if contents.picture_sha256 != picture.packets_sha256 or clock is None:
        raise MediaError(
            f"{STAGE}: the picture of {path} did not come through untouched",
            remedy="Try another container with -o, for example one that ends in .mkv; "
            "nothing was written.",
        )
    # A coarse clock (1 ms, or a frame in AVI) may round both ends. Where an edit list hides frames,
    # ffmpeg's QuickTime muxer may show one or two of them at the end: the packets are the same.
    extra = clock.frame_count - picture.frame_count
    allowed = min(clock.hidden_frames + max(extra, 0), _MAX_SHOWN_FRAMES) if extra else 0
    frames_s = (allowed + picture.variable_rate) / picture.frame_rate
    apart_s = abs(clock.duration_s - picture.duration_s)
    if not 0 <= extra <= allowed or apart_s > Fraction(1, 400) + frames_s:
        raise MediaError(
            f"{STAGE}: the picture of {path} came out with {clock.frame_count} frames in "
            f"{float(clock.duration_s):.3f} s, not {picture.frame_count} in "
            f"{float(picture.duration_s):.3f} s",
            remedy="Try another container with -o; nothing was written.",
        )


def _listen(
    part: Path,
    picture: Picture,
    mix: Stem,
    plan: MuxPlan,
    contents: Contents,
    progress: Progress,
) -> Loudness:
    """Decodes the delivered programme: loudness, length, and that it lies where it should."""
    assert contents.clock is not None
    index = next(
        number
        for number, fate in enumerate(_mapped(picture, plan))
        if fate is None or fate.index == picture.production_index
    )
    first = to_samples(contents.clock.start_s) + mix.start_samples
    window_at = _loudest(mix)
    heard = np.zeros((BLOCK_SAMPLES + 2 * _SEARCH_SAMPLES, mix.channels), dtype=np.float32)
    meter = Meter(mix.channels)
    at = 0
    decoding = Decoding(
        path=part,
        stream_index=index,
        channels=mix.channels,
        filters=f"aresample=48000:async=1:min_comp=0.00001:first_pts={first},"
        f"aformat=channel_layouts={LAYOUTS[mix.channels]}",
    )
    for block in decode_audio(decoding, stage=STAGE):
        # Encoders pad the last packet; what lies behind the programme is not it.
        meter.add(block[: max(mix.length_samples - at, 0)])
        _collect(heard, block, at - (window_at - _SEARCH_SAMPLES))
        at += len(block)
        progress(0.8 + 0.2 * min(at / max(mix.length_samples, 1), 1.0))
    shift = _shift_samples(mix, window_at, heard)
    if at < mix.length_samples - _MAX_SHIFT_SAMPLES or abs(shift) > _MAX_SHIFT_SAMPLES:
        raise MediaError(
            f"{STAGE}: the sound came back from {plan.muxer} moved by {shift / 48:.1f} ms, "
            f"{at} of {mix.length_samples} samples long",
            remedy="Try another container with -o, for example one that ends in .mov or .mkv; "
            "nothing was written.",
        )
    return meter.loudness()


def _loudest(mix: Stem) -> int:
    """Start of the loudest block of the mix, in samples from its own start."""
    best, best_at, at = -1.0, 0, 0
    for block in read_wav(mix.audio.path):
        power = float(np.square(block, dtype=np.float64).sum())
        if power > best:
            best, best_at = power, at
        at += len(block)
    return best_at


def _collect(into: NDArray[np.float32], block: NDArray[np.float32], offset: int) -> None:
    """Copies the part of a block that falls into a window; ``offset`` is where the block starts."""
    first, last = max(offset, 0), min(offset + len(block), len(into))
    if first < last:
        into[first:last] = block[first - offset : last - offset]


def _shift_samples(mix: Stem, window_at: int, heard: NDArray[np.float32]) -> int:
    """How much later than in the mix the programme is heard, in samples, by correlation."""
    blocks = read_wav(mix.audio.path, start_samples=window_at, length_samples=BLOCK_SAMPLES)
    wanted = np.concatenate([*blocks]).sum(axis=1)
    if not np.any(wanted):
        return 0
    got = heard.sum(axis=1)[: len(wanted) + 2 * _SEARCH_SAMPLES]
    size = len(got) + len(wanted)
    spectrum = np.fft.rfft(got, size) * np.conj(np.fft.rfft(wanted, size))
    likeness = np.fft.irfft(spectrum, size)[: 2 * _SEARCH_SAMPLES + 1]
    near = likeness[_SEARCH_SAMPLES - _MAX_SHIFT_SAMPLES : _SEARCH_SAMPLES + _MAX_SHIFT_SAMPLES + 1]
    best = int(np.argmax(likeness))
    # A steady tone is as like itself a period later: only a clearly better place counts.
    if likeness[best] <= 1.02 * near.max():
        return int(np.argmax(near)) - _MAX_SHIFT_SAMPLES
    return best - _SEARCH_SAMPLES


def _settle(
    plan: MuxPlan, picture: Picture, contents: Contents
) -> tuple[tuple[StreamFate, ...], tuple[StreamFate, ...]]:
    """What of the plan is in the file: streams that the muxer makes itself are looked for."""
    made = [stream.role for stream in contents.streams]
    missing = {
        stream.index
        for stream in picture.streams
        if stream.role == "timecode" and plan.muxer in _QUICKTIME and stream.role not in made
    }
    lost = tuple(
        replace(fate, why=f"a {plan.muxer} file cannot carry it")
        for fate in plan.kept
        if fate.index in missing
    )
    kept = tuple(fate for fate in plan.kept if fate.index not in missing)
    return kept, (*plan.dropped, *lost)
