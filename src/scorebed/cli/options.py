"""The options of ``scorebed score``, by their help panels."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from scorebed.cli.task_view import TaskView
from scorebed.delivery import folder_named


class Quality(StrEnum):
    """How much work goes into the sound."""

    DRAFT = "draft"
    STANDARD = "standard"
    HIGH = "high"


class Until(StrEnum):
    """Where a run ends before there is a film."""

    ANALYSE = "analyse"
    COMPOSE = "compose"


class Accuracy(StrEnum):
    """How closely the picture is looked at."""

    FAST = "fast"
    FULL = "full"


class LibraryPer(StrEnum):
    """What a track of the library is chosen for."""

    FILM = "film"
    CUE = "cue"
    SCENE = "scene"


class ProductionAudio(StrEnum):
    """What becomes of the video's own sound."""

    KEEP = "keep"
    DROP = "drop"


class CutLock(StrEnum):
    """What the beats of a take are laid on."""

    OFF = "off"
    SCENES = "scenes"
    HITS = "hits"


class AudioCodec(StrEnum):
    """Codec of the sound that is made."""

    AAC = "aac"
    ALAC = "alac"
    FLAC = "flac"
    OPUS = "opus"
    VORBIS = "vorbis"
    MP3 = "mp3"
    MP2 = "mp2"
    AC3 = "ac3"
    WMA = "wma"
    PCM = "pcm"


class LogFormat(StrEnum):
    """What a line of the log is."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """The least that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


_PICTURE, _MUSIC, _MIX, _OUTPUT, _RUN = "Picture", "Music", "Mix", "Output", "Run"

Video = Annotated[
    Path, typer.Argument(help="The finished cut.", show_default=False, readable=False)
]
MaxScenes = Annotated[
    int,
    typer.Option(help="Most scenes that the picture is split into.", rich_help_panel=_PICTURE),
]
AccuracyOption = Annotated[
    Accuracy,
    typer.Option(
        "--accuracy",
        help="Leave out frames that cannot hold a cut, or decode every one.",
        rich_help_panel=_PICTURE,
    ),
]
Cuts = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE|chapters",
        help="Cuts from elsewhere instead of looking for them: EDL, OTIO, FCPXML, Final Cut 7 XML, "
        "CSV, a list of times, or the file's own chapters.",
        show_default=False,
        rich_help_panel=_PICTURE,
    ),
]
SkipExistingMusic = Annotated[
    bool,
    typer.Option(
        "--skip-existing-music",
        help="No music where the video's own sound has some already.",
        rich_help_panel=_PICTURE,
    ),
]
Notes = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Spotting notes that you have edited, as `scorebed spot -o` writes them.",
        show_default=False,
        rich_help_panel=_PICTURE,
    ),
]
Style = Annotated[
    str,
    typer.Option(metavar="NAME|FILE", help="Style preset of the music.", rich_help_panel=_MUSIC),
]
Provider = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Who makes the music; see `scorebed providers`.",
        show_default="embedded",
        rich_help_panel=_MUSIC,
    ),
]
Music = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="A finished track to use instead of composing.",
        show_default=False,
        rich_help_panel=_MUSIC,
    ),
]
Library = Annotated[
    Path | None,
    typer.Option(
        parser=folder_named,
        metavar="DIR",
        help="A folder of your own tracks: the one that fits best is used.",
        show_default=False,
        rich_help_panel=_MUSIC,
    ),
]
LibraryPerOption = Annotated[
    LibraryPer | None,
    typer.Option(
        "--library-per",
        help="One track for the film, for each cue, or for each scene.",
        show_default="cue",
        rich_help_panel=_MUSIC,
    ),
]
LibraryExclude = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        help="Leave tracks or folders of that name alone (* stands for anything); repeatable.",
        show_default=False,
        rich_help_panel=_MUSIC,
    ),
]
Soundfont = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="A SoundFont (.sf2): its instruments play what is composed here; none: none does.",
        show_default=False,
        rich_help_panel=_MUSIC,
    ),
]
Prompt = Annotated[
    str,
    typer.Option(
        metavar="TEXT",
        help='The brief in words: "slow, dark, no drums".',
        rich_help_panel=_MUSIC,
    ),
]
Tag = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TEXT",
        help="A further word: genre, mood, instrument. Repeatable.",
        show_default=False,
        rich_help_panel=_MUSIC,
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        help="Names the take: the same seed gives the same music.", rich_help_panel=_MUSIC
    ),
]
CutLockOption = Annotated[
    CutLock | None,
    typer.Option(
        "--cut-lock",
        help="Move bought or given music so that scene changes fall on downbeats, or all strong "
        "cuts on beats. Given, it moves music too that was made for this picture.",
        show_default="scenes",
        rich_help_panel=_MUSIC,
    ),
]
MaxStretch = Annotated[
    float,
    typer.Option(
        metavar="PERCENT",
        help="Most that a bar of bought or given music is made longer or shorter; 0 for never.",
        rich_help_panel=_MUSIC,
    ),
]
QualityOption = Annotated[
    Quality, typer.Option(help="Work that goes into the sound.", rich_help_panel=_MUSIC)
]
Guidance = Annotated[
    float,
    typer.Option(
        metavar="0..1",
        help="How closely the music follows the picture: 0 its own form, 1 every cut is struck.",
        rich_help_panel=_MUSIC,
    ),
]
Preset = Annotated[
    str,
    typer.Option(
        metavar="NAME|FILE",
        help="Delivery preset: loudness, ceiling, speech margin.",
        rich_help_panel=_MIX,
    ),
]
Loudness = Annotated[
    float | None,
    typer.Option(
        metavar="-1..1",
        help="Music softer or louder than the preset's: -1 is -6 LU, 1 is +6 LU.",
        show_default="0, or as the --service preset says",
        rich_help_panel=_MIX,
    ),
]
SpeechMargin = Annotated[
    float | None,
    typer.Option(
        metavar="LU",
        help="Speech over music, in LU.",
        show_default="preset: 14",
        rich_help_panel=_MIX,
    ),
]
MinSpeechMargin = Annotated[
    float | None,
    typer.Option(
        metavar="LU",
        help="Speech over music in every 3 s of speech, or the run fails.",
        show_default=False,
        rich_help_panel=_MIX,
    ),
]
Speech = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Subtitles (SRT, VTT) that say where somebody speaks, instead of listening.",
        show_default=False,
        rich_help_panel=_MIX,
    ),
]
ProductionGain = Annotated[
    float | None,
    typer.Option(
        metavar="DB",
        help="Gain of the video's own sound, instead of what its speech asks for.",
        show_default=False,
        rich_help_panel=_MIX,
    ),
]
Dynamics = Annotated[
    float,
    typer.Option(
        metavar="0..1",
        help="How much louder and softer the scenes' music may be: 1 as written, 0 all alike.",
        rich_help_panel=_MIX,
    ),
]
NoDuck = Annotated[
    bool,
    typer.Option("--no-duck", help="Leave the music up under speech.", rich_help_panel=_MIX),
]
ProductionAudioOption = Annotated[
    ProductionAudio,
    typer.Option(help="Keep or drop the video's own sound.", rich_help_panel=_MIX),
]
AudioStreams = Annotated[
    str,
    typer.Option(
        metavar="all|default|LIST",
        help="Audio streams to score, each with its own duck and mix: numbers from 0, languages.",
        rich_help_panel=_MIX,
    ),
]
KeepOriginal = Annotated[
    bool,
    typer.Option(
        "--keep-original/--no-keep-original",
        help="Keep the original sound too, as further audio streams.",
        rich_help_panel=_MIX,
    ),
]
MusicStream = Annotated[
    bool,
    typer.Option(
        "--music-stream/--no-music-stream",
        help="Add the music alone as a further audio stream.",
        rich_help_panel=_MIX,
    ),
]
MusicLufs = Annotated[
    float | None,
    typer.Option(
        metavar="LUFS",
        help="Loudness of the music before ducking.",
        show_default="preset: -14",
        rich_help_panel=_MIX,
    ),
]
TargetLufs = Annotated[
    float | None,
    typer.Option(
        metavar="LUFS",
        help="Integrated loudness of the programme.",
        show_default="preset: -14",
        rich_help_panel=_MIX,
    ),
]
TruePeak = Annotated[
    float | None,
    typer.Option(
        metavar="DBTP",
        help="True-peak ceiling of the programme.",
        show_default="preset: -1",
        rich_help_panel=_MIX,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="OUT",
        help="The scored video; its extension names the container.",
        show_default="<name>.scored.<ext> beside the input",
        rich_help_panel=_OUTPUT,
    ),
]
AudioCodecOption = Annotated[
    AudioCodec | None,
    typer.Option(
        case_sensitive=False,
        help="Codec of the sound that is made, of those that the container holds.",
        show_default="the container's usual one: AAC in MP4, Opus in WebM",
        rich_help_panel=_OUTPUT,
    ),
]
Stems = Annotated[
    Path | None,
    typer.Option(
        parser=folder_named,
        metavar="DIR",
        help="Write DX, MX-dry, MX-ducked and MIX as WAV.",
        show_default=False,
        rich_help_panel=_OUTPUT,
    ),
]
Plot = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.png",
        help="Draw waveform and loudness before and after.",
        show_default=False,
        rich_help_panel=_OUTPUT,
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace files of those names.", rich_help_panel=_OUTPUT),
]
Json = Annotated[
    bool,
    typer.Option("--json", help="One JSON object on stdout.", rich_help_panel=_OUTPUT),
]
Workspace = Annotated[
    Path | None,
    typer.Option(
        parser=folder_named,
        metavar="DIR",
        help="Where finished stages are kept.",
        show_default="the user's cache",
        rich_help_panel=_RUN,
    ),
]
Plan = Annotated[
    bool,
    typer.Option(
        "--plan",
        help="Print what would be done, its cost and the commands; send nothing.",
        rich_help_panel=_RUN,
    ),
]
DryMux = Annotated[
    bool,
    typer.Option(
        "--dry-mux",
        help="Write and verify the whole file with a test sound, then remove it; spend nothing.",
        rich_help_panel=_RUN,
    ),
]
UntilOption = Annotated[
    Until | None,
    typer.Option(
        "--until",
        help="End when the film is analysed, or its music composed or bought; write no film. The "
        "same command without it goes on, here or on a machine that shares --workspace (and "
        "--ledger).",
        show_default=False,
        rich_help_panel=_RUN,
    ),
]
Offline = Annotated[
    bool,
    typer.Option("--offline", help="Refuse whatever needs the network.", rich_help_panel=_RUN),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        help="No progress, no summary; a price is said all the same.",
        rich_help_panel=_RUN,
    ),
]
TaskProgress = Annotated[
    TaskView,
    typer.Option(
        "--progress",
        help="Bars or lines on stderr, or what Open Job Description reads, on stdout.",
        rich_help_panel=_RUN,
    ),
]
LogFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Append a line per event: time, file, stage, elapsed; nothing secret.",
        show_default=False,
        rich_help_panel=_RUN,
    ),
]
LogFormatOption = Annotated[
    LogFormat | None,
    typer.Option(
        "--log-format",
        help="Lines for a person, or JSON Lines.",
        show_default="text",
        rich_help_panel=_RUN,
    ),
]
LogLevelOption = Annotated[
    LogLevel | None,
    typer.Option(
        "--log-level",
        help="The least that is logged; debug has ffmpeg's command lines.",
        show_default="info",
        rich_help_panel=_RUN,
    ),
]
Traceback = Annotated[
    bool,
    typer.Option("--traceback", help="Show where an error came from.", rich_help_panel=_RUN),
]
Duration = Annotated[
    float | None,
    typer.Option(
        "--duration",
        metavar="S",
        help="Music for the first S seconds only; it ends there.",
        show_default="the whole picture",
        rich_help_panel=_MUSIC,
    ),
]
SettingsFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Your own defaults, as TOML.",
        show_default="SCOREBED_SETTINGS, else settings.toml in the user's configuration",
        rich_help_panel=_RUN,
    ),
]
