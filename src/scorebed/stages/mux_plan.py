"""Which container and audio codec, and what of the input it can carry: asked before any music."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import ffmpeg

from scorebed.errors import MediaError
from scorebed.ffmpeg import FfmpegError, arguments, file_url, kept_channels, run, source
from scorebed.model import MuxPlan, Picture, SourceFile, StreamFate, StreamInfo, StreamKind
from scorebed.packets import Contents, leading_sha256, read_contents

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
SUBTITLES = {"mp4": "mov_text", "mov": "mov_text", "matroska": "srt", "webm": "webvtt"}
"""Encoder of text subtitles by muxer."""
QUICKTIME = {"mp4", "mov", "3gp", "3g2"}
"""Muxers that make timecode and chapter tracks themselves, from tags."""
_TRIAL_S = 1
_TRIAL_FRAMES = 50


def plan_mux(
    source_file: SourceFile,
    picture: Picture,
    output: Path,
    *,
    folder: Path,
    stereo_kbps: int,
    keep_production: bool = True,
) -> MuxPlan:
    """Decides container, codec and the fate of every stream, by trying.

    Args:
        source_file: The user's file.
        picture: What it is.
        output: Where the result goes; another extension than the input's asks for that container.
        folder: For short trial files, which are removed.
        stereo_kbps: Bit rate of a stereo programme, in kbit/s.
        keep_production: Whether the production audio, and so its layout, stays.

    Raises:
        MediaError: If the container cannot be written or cannot hold the programme.
    """
    muxer = _choose_muxer(source_file.path, picture, output)
    channels = max(2, kept_channels(picture.production_channels or 2)) if keep_production else 2
    codec = _CODECS.get(muxer, "aac")
    if codec in _STEREO_ONLY and channels > 2:  # noqa: PLR2004 - more than stereo
        raise MediaError(
            f"{STAGE}: {output.name}: its audio codec ({codec}) holds no {channels} channels",
            remedy=f"Choose another container, for example: -o {output.with_suffix('.mkv').name}",
        )
    kbps = min(stereo_kbps, _MAX_KBPS.get(codec, stereo_kbps)) * channels // 2
    with tempfile.TemporaryDirectory(prefix="trial-", dir=folder) as trials:
        _try_picture(source_file, picture, muxer, Path(trials))
        fates = [
            _fate(source_file, picture, stream, muxer, codec, Path(trials))
            for stream in picture.streams
        ]
    return MuxPlan(
        muxer=muxer,
        muxer_options=_muxer_options(muxer, output),
        audio_codec=codec,
        audio_channels=channels,
        audio_kbps=None if codec in _LOSSLESS else kbps,
        kept=tuple(fate for fate in fates if fate.why is None),
        dropped=tuple(fate for fate in fates if fate.why is not None),
    )


def _muxer_options(muxer: str, output: Path) -> tuple[tuple[str, str], ...]:
    if muxer in QUICKTIME:
        return (("movflags", "+faststart"),)
    if muxer in {"matroska", "webm"}:
        return (("default_mode", "passthrough"),)
    if output.suffix.lower() == ".m2ts":
        return (("mpegts_m2ts_mode", "1"),)
    return ()


def _try_picture(source_file: SourceFile, picture: Picture, muxer: str, folder: Path) -> None:
    """Copies some frames of the picture: does the container take it, and give it back untouched?"""
    target = folder / "picture"
    read = source(source_file.path)
    graph = ffmpeg.output(
        read[str(picture.video_index)],
        file_url(target),
        c="copy",
        copyinkf=None,
        f=muxer,
        strict="unofficial",
        **{"frames:v": _TRIAL_FRAMES},
    )
    remedy = (
        f"Leave -o out, or let it end in {source_file.path.suffix or 'the extension of the input'}:"
        " the picture is copied, never converted."
    )
    try:
        run(["-y", *arguments(graph)], stage=STAGE, subject=source_file.path)
    except FfmpegError as error:
        raise MediaError(
            f"{STAGE}: a {muxer} file cannot hold the picture of {source_file.path} "
            f"({error.message.rsplit(': ', 1)[-1]})",
            remedy=remedy,
        ) from error
    trial = read_contents(target, stage=STAGE)
    wanted = leading_sha256(
        source_file.path, picture.video_index, trial.picture_packets, stage=STAGE
    )
    if trial.picture_sha256 != wanted:
        raise MediaError(
            f"{STAGE}: a {muxer} file cannot hold the picture of {source_file.path} untouched",
            remedy=remedy,
        )


def _choose_muxer(path: Path, picture: Picture, output: Path) -> str:
    suffix = output.suffix.lower()
    # A film without an extension becomes NAME.scored, which asks for no other container.
    if suffix != path.suffix.lower() and not (suffix == ".scored" and not path.suffix):
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
        return replace(kept, codec=codec_name(audio_codec))
    if stream.role is not None and muxer in QUICKTIME:
        return replace(kept, codec={"timecode": "tmcd", "chapters": "text"}[stream.role])
    if stream.index == picture.video_index or stream.role == "chapters":
        return kept
    text = SUBTITLES.get(muxer) if stream.kind is StreamKind.SUBTITLE else None
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


def codec_name(encoder: str) -> str:
    """The codec that an encoder of ffmpeg writes."""
    return encoder.removeprefix("lib")


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
        replace(fate, why=f"a {plan.muxer} file cannot carry it")
        for fate in plan.kept
        if fate.index in missing
    )
    kept = tuple(fate for fate in plan.kept if fate.index not in missing)
    return kept, (*plan.dropped, *lost)


def mapped_streams(picture: Picture, plan: MuxPlan) -> list[StreamFate | None]:
    """Output streams in order; None stands for the programme of a file that had no sound."""
    remade = {stream.index for stream in picture.streams if stream.role is not None}
    if plan.muxer not in QUICKTIME:
        remade = {stream.index for stream in picture.streams if stream.role == "chapters"}
    mapped: list[StreamFate | None] = [fate for fate in plan.kept if fate.index not in remade]
    if picture.production_index is None:
        mapped.append(None)
    # Streams behind an attachment would be taken for attachments by the Matroska muxer.
    return sorted(mapped, key=lambda fate: (fate and fate.kind is StreamKind.ATTACHMENT) or False)
