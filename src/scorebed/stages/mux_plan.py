"""Which container and audio codec, and what of the input it can carry: asked before any music."""

from __future__ import annotations

import tempfile
from pathlib import Path

import ffmpeg

from scorebed.errors import MediaError
from scorebed.ffmpeg import FfmpegError, arguments, file_url, run, source
from scorebed.model import AudioSettings, MuxPlan, Picture, SourceFile
from scorebed.packets import leading_sha256
from scorebed.stages.mux_changes import STALE
from scorebed.stages.mux_check import read_back
from scorebed.stages.mux_codecs import BY_EXTENSION, check_codec, elsewhere, encoder_of, named
from scorebed.stages.mux_reframed import same_units
from scorebed.stages.mux_sounds import Sounds, holds_several, left_out, plan_sounds
from scorebed.stages.mux_streams import QUICKTIME, Asking, fate_of, why_refused
from scorebed.stages.mux_trial import try_together

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
_BRANDS = {"mp41", "mp42", "M4V ", "M4VH", "M4VP"}
"""Brands of whole (not fragmented) MP4 files that the result may bear as well."""
_WRITTEN = {"major_brand", "minor_version", "compatible_brands", "encoder", "creation_time"}
"""Tags that the muxer writes elsewhere, or itself."""
_SHOWN = {
    "title", "artist", "album_artist", "composer", "album", "date", "comment", "genre",
    "copyright", "grouping", "lyrics", "description", "synopsis", "show", "episode_id", "network",
    "keywords", "episode_sort", "season_number", "track", "disc", "compilation",
}  # fmt: skip
"""Tags that have a place in iTunes' list."""
_LISTED = _SHOWN | {
    "media_type", "hd_video", "gapless_playback", "location", "location-eng", "timecode",
}  # fmt: skip
_TRIAL_FRAMES = 50


def plan_mux(
    source_file: SourceFile,
    picture: Picture,
    output: Path,
    *,
    folder: Path,
    stereo_kbps: int,
    audio: AudioSettings,
) -> MuxPlan:
    """Decides container, codec and the fate of every stream, by trying.

    Args:
        source_file: The user's file.
        picture: What it is.
        output: Where the result goes; another extension than the input's asks for that container.
        folder: For short trial files, which are removed.
        stereo_kbps: Bit rate of a stereo programme, in kbit/s.
        audio: Which sound it carries.

    Raises:
        SettingsError: If the file has no audio stream that was asked for, or the container does
            not hold the codec that was.
        MediaError: If the container cannot be written or cannot hold what was asked for.
    """
    muxer = _choose_muxer(source_file.path, picture, output)
    check_codec(output, muxer, audio.codec)
    codec = encoder_of(muxer, audio.codec)
    with tempfile.TemporaryDirectory(prefix="trial-", dir=folder) as trials:
        _try_picture(source_file, picture, muxer, Path(trials))
        asking = Asking(source_file=source_file, picture=picture, muxer=muxer, folder=Path(trials))
        wanted = Sounds(audio=audio, codec=codec, stereo_kbps=stereo_kbps, output=output)
        several = holds_several(asking, wanted)
        sounds = plan_sounds(asking, wanted, several=several)
        fates = [
            fate_of(asking, stream, sounds, left_out(asking, wanted, stream.index, several=several))
            for stream in picture.streams
        ]
        plan = MuxPlan(
            muxer=muxer,
            muxer_options=_muxer_options(muxer, picture, output),
            sounds=sounds,
            kept=tuple(fate for fate in fates if fate.why is None),
            dropped=tuple(fate for fate in fates if fate.why is not None),
        )
        try_together(source_file, picture, plan, Path(trials))
    return plan


def _muxer_options(muxer: str, picture: Picture, output: Path) -> tuple[tuple[str, str], ...]:
    if muxer in QUICKTIME:
        brand = dict(picture.tags).get("major_brand")
        kept = (("brand", brand),) if muxer == "mp4" and brand in _BRANDS else ()
        how = "+faststart+use_metadata_tags" if _has_keys(picture) else "+faststart"
        return (("movflags", how), *kept)
    if muxer in {"matroska", "webm"}:
        return (("default_mode", "passthrough"),)
    if output.suffix.lower() == ".m2ts":
        return (("mpegts_m2ts_mode", "1"),)
    return ()


def _has_keys(picture: Picture) -> bool:
    """Whether a file's tags are to be written as QuickTime's free keys.

    Phones and cameras write those (com.apple.quicktime.make); iTunes' fixed list, which players
    show, has no place for them. So they are used where the input has them, or where it has tags of
    its own and none of that list.
    """
    names = {name.lower() for name, _ in picture.tags if not STALE.fullmatch(name)} - _WRITTEN
    if any(name.startswith("com.") for name in names):
        return True
    return bool(names - _LISTED) and not names & _SHOWN


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
    codec = picture.streams[picture.video_index].codec
    refused = (
        f"{STAGE}: {named(muxer)} file cannot hold the picture of {source_file.path} ({codec}) "
        "untouched"
    )
    remedy = (
        "The picture is copied, never converted. Leave -o out, or choose another container, "
        f"for example: {elsewhere(source_file.path, muxer)}"
    )
    try:
        run(["-y", *arguments(graph)], stage=STAGE, subject=source_file.path)
    except FfmpegError as error:
        raise MediaError(f"{refused}: {why_refused(error, muxer)}", remedy=remedy) from error
    trial = read_back(target, source_file.path, muxer)
    wanted = leading_sha256(
        source_file.path, picture.video_index, trial.picture_packets, stage=STAGE
    )
    packets = trial.picture_packets
    if trial.picture_sha256 != wanted and not same_units(
        (source_file.path, picture.video_index), (target, 0), codec, packets=packets
    ):
        raise MediaError(refused, remedy=remedy)


def _choose_muxer(path: Path, picture: Picture, output: Path) -> str:
    suffix = output.suffix.lower()
    # A film without an extension becomes NAME.scored, which asks for no other container.
    if suffix != path.suffix.lower() and not (suffix == ".scored" and not path.suffix):
        if suffix not in BY_EXTENSION:
            raise MediaError(
                f"{STAGE}: no container is known by the extension of {output.name}",
                remedy=f"Use one of: {' '.join(sorted(BY_EXTENSION))}",
            )
        return BY_EXTENSION[suffix]
    family = picture.format_name.split(",")[0]
    if family not in _MUXERS:
        raise MediaError(
            f"{STAGE}: the container of {path} ({family}) can be read but not written",
            remedy=f"Choose another, for example: -o {path.with_suffix('.scored.mkv').name}",
        )
    same, by_suffix = _MUXERS[family]
    if family == "mov" and dict(picture.tags).get("major_brand") == "qt  ":
        # QuickTime under another name may hold what MP4 cannot; but ffmpeg writes the record of
        # Dolby Vision into MP4 alone.
        dolby = picture.streams[picture.video_index].video
        if dolby is None or dolby.dynamic_range != "dolby-vision":
            same = "mov"
    return by_suffix.get(suffix, same)
