"""The Python interface: ``scorebed.score`` and ``scorebed.measure``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from scorebed.delivery import default_output
from scorebed.measurement import measure as measure_path
from scorebed.model import Progress, Quality, no_progress
from scorebed.pipeline import Job, Watch
from scorebed.pipeline import score as run_job
from scorebed.settings import DEFAULT_PRESET, DEFAULT_SEED, DEFAULT_STYLE, Options, resolve
from scorebed.workspace import default_root

if TYPE_CHECKING:
    from scorebed.measurement import Measurement
    from scorebed.result import Result


def _unwatched(_stage: str) -> Progress:
    return no_progress


def score(
    video: str | Path,
    output: str | Path | None = None,
    *,
    preset: str = DEFAULT_PRESET,
    style: str = DEFAULT_STYLE,
    provider: str | None = None,
    music: str | Path | None = None,
    prompt: str = "",
    tags: Sequence[str] = (),
    seed: int = DEFAULT_SEED,
    quality: Quality = "standard",
    loudness: float = 0.0,
    guidance: float = 0.5,
    max_scenes: int = 10,
    speech_margin_lu: float | None = None,
    duck: bool = True,
    production_audio: Literal["keep", "drop"] = "keep",
    music_lufs: float | None = None,
    target_lufs: float | None = None,
    true_peak_dbtp: float | None = None,
    offline: bool = False,
    stems: str | Path | None = None,
    plot: str | Path | None = None,
    workspace: str | Path | None = None,
    overwrite: bool = False,
    watch: Watch = _unwatched,
) -> Result:
    """Scores a video. Safe to call from several threads and processes at once.

    Args:
        video: The finished cut.
        output: Where the result goes; by default ``<name>.scored.<ext>`` beside it.
        preset: Delivery preset: a name, or the path of a TOML file.
        style: Style preset: a name, or the path of a TOML file.
        provider: Who makes the music; by default the embedded composer.
        music: A finished track to use instead.
        prompt: The brief in words.
        tags: Further words.
        seed: Names the take.
        quality: How much work goes into the sound.
        loudness: -1 to 1: music 6 LU lower to 6 LU higher than the preset's.
        guidance: 0 to 1: how closely the music follows the picture.
        max_scenes: Most scenes.
        speech_margin_lu: Speech over music, in LU; None as the preset says.
        duck: Whether the music steps down under speech.
        production_audio: Whether the video's own sound stays.
        music_lufs: Loudness of the music before ducking; None as the preset says.
        target_lufs: Loudness of the programme; None as the preset says.
        true_peak_dbtp: True-peak ceiling; None as the preset says.
        offline: Refuse whatever needs the network.
        stems: A folder for DX, MX-dry, MX-ducked and MIX.
        plot: A PNG of the result.
        workspace: Root of the workspaces; by default the user's cache.
        overwrite: Whether files of those names may be replaced.
        watch: Told the name of each stage; returns what is told the share that is done.

    Returns:
        What was done; ``to_json()`` gives what the command line prints.

    Raises:
        ScorebedError: One of its kinds; nothing is then left under a final name.
    """
    settings = resolve(
        Options(
            preset=preset,
            style=style,
            provider=provider,
            music=None if music is None else Path(music),
            prompt=prompt,
            tags=tuple(tags),
            seed=seed,
            quality=quality,
            loudness=loudness,
            guidance=guidance,
            max_scenes=max_scenes,
            speech_margin_lu=speech_margin_lu,
            duck=duck,
            production_audio=production_audio,
            music_lufs=music_lufs,
            target_lufs=target_lufs,
            true_peak_dbtp=true_peak_dbtp,
            offline=offline,
        )
    )
    job = Job(
        video=Path(video),
        output=default_output(Path(video)) if output is None else Path(output),
        settings=settings,
        workspace=default_root() if workspace is None else Path(workspace),
        stems=None if stems is None else Path(stems),
        plot=None if plot is None else Path(plot),
        overwrite=overwrite,
    )
    return run_job(job, watch)


def measure(file: str | Path, *, progress: Progress = no_progress) -> Measurement:
    """Decodes the sound of a file once: loudness, true peak, range, speech.

    Args:
        file: A video or a sound file.
        progress: Told the share that is done.

    Raises:
        ScorebedError: One of its kinds, if the file cannot be read or has no sound.
    """
    return measure_path(Path(file), progress=progress)
