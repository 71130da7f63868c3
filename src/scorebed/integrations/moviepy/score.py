"""``Score``: a clip of MoviePy gets music as a film gets it from ``scorebed.score``."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import proglog
from moviepy import Effect

from scorebed.delivery import folder_named, told_of
from scorebed.integrations.moviepy.sound import WavSound, lent
from scorebed.integrations.moviepy.working import STAGE, Film, film_of, write_working_file
from scorebed.job import Job, check_job, check_provider
from scorebed.journal import in_stage, noted, running
from scorebed.model import (
    Accuracy,
    ApiForm,
    Artifact,
    CutLock,
    LedgerAddress,
    Per,
    Progress,
    Quality,
    Stem,
    Tell,
    ledger_named,
)
from scorebed.options import DEFAULT_PRESET, DEFAULT_SEED, DEFAULT_STYLE, Options
from scorebed.pipeline import Watch
from scorebed.pipeline import score as run_job
from scorebed.providers.base import find
from scorebed.remembered import resolve_noted
from scorebed.scratch import Scratch
from scorebed.workspace import default_root

if TYPE_CHECKING:
    from scorebed.result import Result
    from scorebed.settings import Settings

_SPOTTED_HEIGHT_PX = 144
"""Twice the lines that are looked at for cuts."""
_FILES = ("music", "soundfont", "cuts", "notes", "speech", "key_file")
_FOLDERS = ("library",)
_LEDGERS = ("ledger",)
_LISTS = ("tags", "library_exclude")
_STEPS = 1000


@dataclass(frozen=True, kw_only=True)
class Score(Effect):  # type: ignore[misc] # MoviePy is untyped
    """Scores a video clip: its sound becomes the mix of its own sound with music that fits.

    The clip is rendered once, small, to a file in the workspace, and that is scored as
    ``scorebed.score`` does it, with the options that are named there (those of streams, codecs and
    names of an output are not here: MoviePy writes the output). The mix, before any lossy encode,
    is streamed from the disk as the sound of the clip that comes back; the picture stays MoviePy's.
    ``result`` of that clip is the ``scorebed.Result``, with loudness, speech and duck curve.

    Stages that were done for the same picture, sound and options are kept, as ever.

    Raises:
        ScorebedError: When it is applied: one of its kinds, with a remedy.
    """

    preset: str = DEFAULT_PRESET
    style: str = DEFAULT_STYLE
    provider: str | None = None
    music: str | Path | None = None
    library: str | Path | None = None
    library_per: Per | None = None
    library_exclude: Sequence[str] = ()
    soundfont: str | Path | None = None
    prompt: str = ""
    tags: Sequence[str] = ()
    seed: int = DEFAULT_SEED
    quality: Quality = "standard"
    loudness: float | None = None
    guidance: float = 0.5
    cut_lock: CutLock | None = None
    max_stretch_percent: float = 4.0
    max_scenes: int = 10
    accuracy: Accuracy = "fast"
    cuts: str | Path | None = None
    skip_existing_music: bool = False
    notes: str | Path | None = None
    speech_margin_lu: float | None = None
    min_speech_margin_lu: float | None = None
    speech: str | Path | None = None
    production_gain_db: float | None = None
    dynamics: float = 1.0
    duck: bool = True
    production_audio: Literal["keep", "drop"] = "keep"
    music_lufs: float | None = None
    target_lufs: float | None = None
    true_peak_dbtp: float | None = None
    offline: bool = False
    duration_s: float | None = None
    service: str | None = None
    base_url: str | None = None
    api_form: ApiForm | None = None
    model: str | None = None
    output_format: str | None = None
    sfx: bool | None = None
    separate_tracks: bool | None = None
    reference_audio: bool | None = None
    c2pa: bool | None = None
    zero_retention: bool | None = None
    refine_plan: bool | None = None
    proxy_height_px: int | None = None
    key_file: str | Path | None = None
    price_per_minute: float | None = None
    max_spend: float | None = None
    purse: str | None = None
    ledger: str | Path | LedgerAddress | None = None
    buy_again: bool = False
    fallback: Literal["embedded"] | None = None
    stems: str | Path | None = None
    plot: str | Path | None = None
    workspace: str | Path | None = None
    overwrite: bool = False
    """Whether stems and a plot of those names may be replaced."""
    watch: Watch | None = None
    """As for ``scorebed.score``; None for bars of ``logger``."""
    tell: Tell | None = None
    """As for ``scorebed.score``; None for messages of ``logger``."""
    logger: Any = "bar"
    """MoviePy's: ``"bar"``, None, or a logger of proglog."""

    def apply(self, clip: Any) -> Any:  # noqa: ANN401 - MoviePy is untyped
        """Scores a clip.

        Args:
            clip: A video clip with a length and a frame rate; it and its readers stay as they are.

        Returns:
            A copy whose sound is the mix, 48 kHz; ``close`` removes what was made for it.

        Raises:
            ScorebedError: One of its kinds; nothing is then left but finished stages.
        """
        film = film_of(clip)
        bars = proglog.default_bar_logger(self.logger)
        tell = self.tell or (lambda words: bars(message=words))
        with running(getattr(clip, "filename", None) or "clip", "score"):
            settings = resolve_noted(self._options(), noted(tell))
            root = default_root() if self.workspace is None else folder_named(self.workspace)
            scratch = Scratch(root)
            try:
                with _barred(bars) as watch:
                    result = self._scored(film, settings, scratch, self.watch or watch, tell)
                sound = WavSound(_kept(result, scratch), scratch, film.duration_s)
            except BaseException:
                scratch.remove()
                raise
        scored = clip.with_audio(sound)
        scored.result = result
        return lent(scored, sound.close)

    def _options(self) -> Options:
        known = {field.name for field in fields(Options)}
        given = {name: value for name, value in vars(self).items() if name in known}
        readers: tuple[tuple[tuple[str, ...], Callable[[Any], Any]], ...] = (
            (_FILES, Path),
            (_FOLDERS, folder_named),
            (_LEDGERS, ledger_named),
            (_LISTS, tuple),
        )
        for names, read in readers:
            given |= {name: read(given[name]) for name in names if given[name] is not None}
        return Options(**given)

    def _scored(
        self, film: Film, settings: Settings, scratch: Scratch, watch: Watch, tell: Tell
    ) -> Result:
        job = Job(
            video=scratch.folder / "clip.mov",
            output=scratch.folder / "scored.mov",
            settings=settings,
            workspace=scratch.folder.parent,
            stems=None if self.stems is None else folder_named(self.stems),
            plot=None if self.plot is None else Path(self.plot),
            overwrite=self.overwrite,
            tell=tell,
            tell_price=tell,
        )
        # What can be refused is, before the clip is rendered.
        check_job(job)
        check_provider(settings, tell)
        limits = find(settings.provider).limits(settings.service)
        height_px = limits.proxy_height_px if limits.needs_proxies else _SPOTTED_HEIGHT_PX
        try:
            with in_stage(STAGE):
                write_working_file(job.video, film, height_px, watch("render"))
            return run_job(job, watch)
        finally:
            for path in scratch.folder.glob("*.mov*"):
                path.unlink()


def _kept(result: Result, scratch: Scratch) -> Stem:
    """The mix under a name of its own: the workspace may be tidied while the clip is in use."""
    mix = result.mixed.mix
    path = scratch.folder / "MIX.wav"
    with told_of(path, stage=STAGE):
        try:
            os.link(mix.audio.path, path)
        except OSError:  # a disk that has no links
            shutil.copyfile(mix.audio.path, path)
    return replace(mix, audio=Artifact(path=path, sha256=mix.audio.sha256))


@contextmanager
def _barred(logger: Any) -> Iterator[Watch]:  # noqa: ANN401 - as above
    """A bar for each stage, gone when the next begins."""
    shown: dict[str, int] = {}

    def move(stage: str, step: int) -> None:
        if shown.get(stage) != step:
            shown[stage] = step
            logger(**{f"{stage}__index": step})

    def finish() -> None:
        for stage in shown:
            move(stage, _STEPS)

    def watch(stage: str) -> Progress:
        finish()
        logger(**{f"{stage}__total": _STEPS})
        move(stage, 0)
        return lambda share: move(stage, round(share * _STEPS))

    yield watch
    finish()
