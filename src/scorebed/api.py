"""The Python interface: ``scorebed.score``, ``spot``, ``measure`` and ``sync``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from scorebed.delivery import default_output, folder_named
from scorebed.job import Job
from scorebed.journal import about_its_file, noted
from scorebed.measurement import measure as measure_path
from scorebed.model import (
    Accuracy,
    ApiForm,
    AudioCodec,
    CutLock,
    LedgerAddress,
    Per,
    Progress,
    Quality,
    Tell,
    ledger_named,
    no_progress,
    no_words,
)
from scorebed.options import DEFAULT_PRESET, DEFAULT_SEED, DEFAULT_STYLE, Options
from scorebed.pipeline import Watch
from scorebed.pipeline import score as run_job
from scorebed.remembered import resolve_noted
from scorebed.spotting import SpotJob, Spotting, spot_video
from scorebed.syncing import SyncJob, sync_video
from scorebed.workspace import default_root

if TYPE_CHECKING:
    from scorebed.measurement import Measurement
    from scorebed.result import Result
    from scorebed.synchrony import Sync


def _unwatched(_stage: str) -> Progress:
    return no_progress


@about_its_file
def score(
    video: str | Path,
    output: str | Path | None = None,
    *,
    preset: str = DEFAULT_PRESET,
    style: str = DEFAULT_STYLE,
    provider: str | None = None,
    music: str | Path | None = None,
    library: str | Path | None = None,
    library_per: Per | None = None,
    library_exclude: Sequence[str] = (),
    soundfont: str | Path | None = None,
    prompt: str = "",
    tags: Sequence[str] = (),
    seed: int = DEFAULT_SEED,
    quality: Quality = "standard",
    loudness: float | None = None,
    guidance: float = 0.5,
    cut_lock: CutLock | None = None,
    max_stretch_percent: float = 4.0,
    max_scenes: int = 10,
    accuracy: Accuracy = "fast",
    cuts: str | Path | None = None,
    skip_existing_music: bool = False,
    notes: str | Path | None = None,
    speech_margin_lu: float | None = None,
    min_speech_margin_lu: float | None = None,
    speech: str | Path | None = None,
    production_gain_db: float | None = None,
    dynamics: float = 1.0,
    duck: bool = True,
    production_audio: Literal["keep", "drop"] = "keep",
    audio_streams: str = "all",
    keep_original: bool = False,
    music_stream: bool = False,
    audio_codec: AudioCodec | None = None,
    music_lufs: float | None = None,
    target_lufs: float | None = None,
    true_peak_dbtp: float | None = None,
    offline: bool = False,
    duration_s: float | None = None,
    service: str | None = None,
    base_url: str | None = None,
    api_form: ApiForm | None = None,
    model: str | None = None,
    output_format: str | None = None,
    sfx: bool | None = None,
    separate_tracks: bool | None = None,
    reference_audio: bool | None = None,
    c2pa: bool | None = None,
    zero_retention: bool | None = None,
    refine_plan: bool | None = None,
    proxy_height_px: int | None = None,
    key_file: str | Path | None = None,
    price_per_minute: float | None = None,
    max_spend: float | None = None,
    purse: str | None = None,
    ledger: str | Path | LedgerAddress | None = None,
    buy_again: bool = False,
    fallback: Literal["embedded"] | None = None,
    stems: str | Path | None = None,
    plot: str | Path | None = None,
    workspace: str | Path | None = None,
    overwrite: bool = False,
    watch: Watch = _unwatched,
    tell: Tell = no_words,
) -> Result:
    """Scores a video. Safe to call from several threads and processes at once.

    Args:
        video: The finished cut.
        output: Where the result goes; by default ``<name>.scored.<ext>`` beside it.
        preset: Delivery preset: a name, or the path of a TOML file.
        style: Style preset: a name, or the path of a TOML file.
        provider: Who makes the music; by default ElevenLabs if its key is set, else the embedded
            composer.
        music: A finished track to use instead.
        library: A folder of your own tracks: the one that fits best is used.
        library_per: ``film``, ``cue`` (the default) or ``scene``: what a track is chosen for.
        library_exclude: Patterns of names of tracks or folders that are left alone.
        soundfont: A SoundFont 2 file whose instruments the embedded composer plays.
        prompt: The brief in words.
        tags: Further words.
        seed: Names the take.
        quality: How much work goes into the sound.
        loudness: -1 to 1: music 6 LU lower to 6 LU higher than the preset's; None: 0, or as the
            service preset says.
        guidance: 0 to 1: how closely the music follows the picture.
        cut_lock: What the beats of bought or given music are laid on: ``off``, ``scenes`` or
            ``hits``; None for ``scenes``, and music that was made for this picture stays.
        max_stretch_percent: Most that a bar of such music is made longer or shorter.
        max_scenes: Most scenes.
        accuracy: ``full`` to decode every frame, ``fast`` to leave out those that hold no cut.
        cuts: A list of cuts (EDL, OTIO, FCPXML, Final Cut 7 XML, CSV, times), or ``"chapters"``, in
            place of the detector.
        skip_existing_music: No music where the video's own sound has some already.
        notes: Spotting notes that were edited, as ``spot`` writes them.
        speech_margin_lu: Speech over music, in LU; None as the preset says.
        min_speech_margin_lu: Speech over music in every 3 s of speech, in LU, or the run fails.
        speech: Subtitles that say where somebody speaks, instead of listening.
        production_gain_db: Gain of the video's own sound, in dB; None by its speech.
        dynamics: 0 to 1: how much of the loudness between the scenes' music is kept.
        duck: Whether the music steps down under speech.
        production_audio: Whether the video's own sound stays.
        audio_streams: Audio streams to score: ``all``, ``default``, or their numbers from 0 and
            languages with commas between (``0,2``, ``eng,deu``).
        keep_original: Whether the original sound is kept too, as further audio streams.
        music_stream: Whether the music alone is a further audio stream.
        audio_codec: Codec of the sound that is made; None for what the container usually holds.
        music_lufs: Loudness of the music before ducking; None as the preset says.
        target_lufs: Loudness of the programme; None as the preset says.
        true_peak_dbtp: True-peak ceiling; None as the preset says.
        offline: Refuse whatever needs the network.
        duration_s: Music for so many seconds from the first frame on; None for the whole picture.
        service: Service preset: a name, or the path of a TOML file.
        base_url: Where the service is.
        api_form: Form of the request.
        model: The service's model; None as the quality asks.
        output_format: What the service sends; None as the quality asks.
        sfx: Ask for sound effects with the music.
        separate_tracks: Ask for music and effects as files of their own.
        reference_audio: Send the production audio as a reference of style.
        c2pa: Ask the service to sign its mp3.
        zero_retention: Ask the service to keep nothing.
        refine_plan: Let the service's free planner refine the plan (text to music).
        proxy_height_px: 144 to 1080, even: most lines of the picture that is sent.
        key_file: File that holds the key.
        price_per_minute: Your price of a minute of picture, for estimates.
        max_spend: Send nothing if the estimate is over this.
        purse: Runs that name the same purse share ``max_spend``.
        ledger: Where receipts and bought takes are kept: a folder, or a server's address.
        buy_again: Buy what may have been billed already, or came unusable.
        fallback: Who makes the music if the service fails.
        stems: A folder for DX, MX-dry, MX-ducked and MIX.
        plot: A PNG of the result.
        workspace: Root of the workspaces; by default the user's cache.
        overwrite: Whether files of those names may be replaced.
        watch: Told the name of each stage; returns what is told the share that is done.
        tell: Told, in sentences, what a person should know at once: the price before it is spent.

    Returns:
        What was done; ``to_json()`` gives what the command line prints.

    Raises:
        ScorebedError: One of its kinds; nothing is then left under a final name.
    """
    settings = resolve_noted(
        Options(
            preset=preset,
            style=style,
            provider=provider,
            music=None if music is None else Path(music),
            library=None if library is None else folder_named(library),
            library_per=library_per,
            library_exclude=tuple(library_exclude),
            soundfont=None if soundfont is None else Path(soundfont),
            prompt=prompt,
            tags=tuple(tags),
            seed=seed,
            quality=quality,
            loudness=loudness,
            guidance=guidance,
            cut_lock=cut_lock,
            max_stretch_percent=max_stretch_percent,
            max_scenes=max_scenes,
            accuracy=accuracy,
            cuts=None if cuts is None else Path(cuts),
            skip_existing_music=skip_existing_music,
            notes=None if notes is None else Path(notes),
            speech_margin_lu=speech_margin_lu,
            min_speech_margin_lu=min_speech_margin_lu,
            speech=None if speech is None else Path(speech),
            production_gain_db=production_gain_db,
            dynamics=dynamics,
            duck=duck,
            production_audio=production_audio,
            audio_streams=audio_streams,
            keep_original=keep_original,
            music_stream=music_stream,
            audio_codec=audio_codec,
            music_lufs=music_lufs,
            target_lufs=target_lufs,
            true_peak_dbtp=true_peak_dbtp,
            offline=offline,
            duration_s=duration_s,
            service=service,
            base_url=base_url,
            api_form=api_form,
            model=model,
            output_format=output_format,
            sfx=sfx,
            separate_tracks=separate_tracks,
            reference_audio=reference_audio,
            c2pa=c2pa,
            zero_retention=zero_retention,
            refine_plan=refine_plan,
            proxy_height_px=proxy_height_px,
            key_file=None if key_file is None else Path(key_file),
            price_per_minute=price_per_minute,
            max_spend=max_spend,
            purse=purse,
            ledger=None if ledger is None else ledger_named(ledger),
            buy_again=buy_again,
            fallback=fallback,
        ),
        noted(tell),
    )
    job = Job(
        video=Path(video),
        output=default_output(Path(video)) if output is None else Path(output),
        settings=settings,
        workspace=default_root() if workspace is None else folder_named(workspace),
        stems=None if stems is None else folder_named(stems),
        plot=None if plot is None else Path(plot),
        overwrite=overwrite,
        tell=tell,
        tell_price=tell,
    )
    return run_job(job, watch)


@about_its_file
def spot(
    video: str | Path,
    output: str | Path | None = None,
    *,
    max_scenes: int = 10,
    accuracy: Accuracy = "fast",
    cuts: str | Path | None = None,
    skip_existing_music: bool = False,
    notes: str | Path | None = None,
    speech: str | Path | None = None,
    production_audio: Literal["keep", "drop"] = "keep",
    sheet: str | Path | None = None,
    workspace: str | Path | None = None,
    overwrite: bool = False,
    watch: Watch = _unwatched,
    tell: Tell = no_words,
) -> Spotting:
    """Finds shots, scenes, hit points and speech; ``score`` then need not look again.

    Args:
        video: The finished cut.
        output: A TOML file of notes to edit, for the ``notes`` of ``score``; None for none.
        max_scenes: Most scenes.
        accuracy: ``full`` to decode every frame, ``fast`` to leave out those that hold no cut.
        cuts: A list of cuts (EDL, OTIO, FCPXML, Final Cut 7 XML, CSV, times), or ``"chapters"``, in
            place of the detector.
        skip_existing_music: No music where the video's own sound has some already.
        notes: Spotting notes that were edited: what they make of what is found. They say how it was
            spotted, too; what is given here besides and is no default counts more.
        speech: Subtitles that say where somebody speaks, instead of listening.
        production_audio: With ``drop`` nobody listens for speech.
        sheet: A PNG: a row of thumbnails per scene, with shots, speech and motion.
        workspace: Root of the workspaces; by default the user's cache.
        overwrite: Whether files of those names may be replaced.
        watch: Told the name of each stage; returns what is told the share that is done.
        tell: Told, in sentences, what a person should know at once.

    Returns:
        What was found; ``to_json()`` gives what the command line prints.

    Raises:
        ScorebedError: One of its kinds; nothing is then left under a final name.
    """
    settings = resolve_noted(
        Options(
            max_scenes=max_scenes,
            accuracy=accuracy,
            cuts=None if cuts is None else Path(cuts),
            skip_existing_music=skip_existing_music,
            notes=None if notes is None else Path(notes),
            speech=None if speech is None else Path(speech),
            production_audio=production_audio,
        ),
        noted(tell),
    )
    job = SpotJob(
        video=Path(video),
        settings=settings,
        workspace=default_root() if workspace is None else folder_named(workspace),
        output=None if output is None else Path(output),
        sheet=None if sheet is None else Path(sheet),
        overwrite=overwrite,
        tell=tell,
    )
    return spot_video(job, watch)


def measure(
    file: str | Path,
    *,
    preset: str = DEFAULT_PRESET,
    plot: str | Path | None = None,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> Measurement:
    """Decodes the sound of a file once: loudness and its maxima, true peak, range, speech.

    Args:
        file: A video or a sound file.
        preset: Delivery preset that it is held against.
        plot: A PNG of what was measured, if it is wanted.
        overwrite: Whether that file may be replaced.
        progress: Told the share that is done.

    Raises:
        ScorebedError: One of its kinds, if the file cannot be read or has no sound, or the plot
            cannot be written.
    """
    return measure_path(
        Path(file),
        preset=preset,
        plot=None if plot is None else Path(plot),
        overwrite=overwrite,
        progress=progress,
    )


def sync(
    video: str | Path,
    *,
    max_scenes: int = 10,
    accuracy: Accuracy = "fast",
    cuts: str | Path | None = None,
    music: str | Path | None = None,
    audio_stream: str | int | None = None,
    plot: str | Path | None = None,
    workspace: str | Path | None = None,
    overwrite: bool = False,
    watch: Watch = _unwatched,
) -> Sync:
    """Measures how well the cuts of a finished video fall on the beats of its music.

    Args:
        video: The finished video.
        max_scenes: Most scenes.
        accuracy: ``full`` to decode every frame, ``fast`` to leave out those that hold no cut.
        cuts: A list of cuts (EDL, OTIO, FCPXML, Final Cut 7 XML, CSV, times), or ``"chapters"``, in
            place of the detector.
        music: Another sound than the video's; it begins with the first shown frame.
        audio_stream: The audio stream to listen to: its number, from 0, or its language; None for
            the default one.
        plot: A PNG of cuts, scenes, beats and offsets.
        workspace: Root of the workspaces; by default the user's cache.
        overwrite: Whether a file of that name may be replaced.
        watch: Told the name of each stage; returns what is told the share that is done.

    Returns:
        What was measured; ``to_json()`` gives what the command line prints.

    Raises:
        ScorebedError: One of its kinds; nothing is then left under a final name.
    """
    job = SyncJob(
        video=Path(video),
        workspace=default_root() if workspace is None else folder_named(workspace),
        max_scenes=max_scenes,
        accuracy=accuracy,
        cuts=None if cuts is None else Path(cuts),
        music=None if music is None else Path(music),
        audio_stream=None if audio_stream is None else str(audio_stream),
        plot=None if plot is None else Path(plot),
        overwrite=overwrite,
    )
    return sync_video(job, watch)
