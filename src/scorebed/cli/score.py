"""``scorebed score``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import typer  # noqa: TC002 - read when the program runs

from scorebed.cli import options, options_service
from scorebed.cli.console import Watcher, put
from scorebed.cli.given import default_options, given_options
from scorebed.cli.log import logged
from scorebed.cli.task_view import TaskView, refuse_two_on_stdout, task_talk, task_view

if TYPE_CHECKING:
    from scorebed.job import Job
    from scorebed.model import DeliveredSound, Tell
    from scorebed.result import Result

_STEPS: dict[options.Until | None, tuple[str, ...] | None] = {
    None: None,
    options.Until.ANALYSE: ("analyse",),
    options.Until.COMPOSE: ("analyse", "compose"),
}
"""What a run does of a film, by where it ends."""


def score(
    context: typer.Context,
    video: options.Video,
    *,
    max_scenes: options.MaxScenes = 10,
    accuracy: options.AccuracyOption = options.Accuracy.FAST,
    cuts: options.Cuts = None,
    skip_existing_music: options.SkipExistingMusic = False,
    notes: options.Notes = None,
    style: options.Style = "cinematic",
    provider: options.Provider = None,
    music: options.Music = None,
    library: options.Library = None,
    library_per: options.LibraryPerOption = None,
    library_exclude: options.LibraryExclude = None,
    soundfont: options.Soundfont = None,
    prompt: options.Prompt = "",
    tag: options.Tag = None,
    seed: options.Seed = 1,
    cut_lock: options.CutLockOption = None,
    max_stretch: options.MaxStretch = 4.0,
    quality: options.QualityOption = options.Quality.STANDARD,
    guidance: options.Guidance = 0.5,
    preset: options.Preset = "youtube",
    loudness: options.Loudness = None,
    speech_margin: options.SpeechMargin = None,
    min_speech_margin: options.MinSpeechMargin = None,
    speech: options.Speech = None,
    production_gain: options.ProductionGain = None,
    dynamics: options.Dynamics = 1.0,
    no_duck: options.NoDuck = False,
    production_audio: options.ProductionAudioOption = options.ProductionAudio.KEEP,
    audio_streams: options.AudioStreams = "all",
    keep_original: options.KeepOriginal = False,
    music_stream: options.MusicStream = False,
    music_lufs: options.MusicLufs = None,
    target_lufs: options.TargetLufs = None,
    true_peak: options.TruePeak = None,
    output: options.Output = None,
    audio_codec: options.AudioCodecOption = None,
    stems: options.Stems = None,
    plot: options.Plot = None,
    overwrite: options.Overwrite = False,
    json_: options.Json = False,
    workspace: options.Workspace = None,
    plan: options.Plan = False,
    dry_mux: options.DryMux = False,
    until: options.UntilOption = None,
    offline: options.Offline = False,
    progress: options.TaskProgress = TaskView.AUTO,
    quiet: options.Quiet = False,
    duration_s: options.Duration = None,
    service: options_service.ServiceOption = None,
    base_url: options_service.BaseUrl = None,
    api_form: options_service.ApiFormOption = None,
    model: options_service.Model = None,
    output_format: options_service.OutputFormat = None,
    sfx: options_service.Sfx = None,
    separate_tracks: options_service.SeparateTracks = None,
    reference_audio: options_service.ReferenceAudio = None,
    c2pa: options_service.C2pa = None,
    zero_retention: options_service.ZeroRetention = None,
    refine_plan: options_service.RefinePlan = None,
    proxy_height: options_service.ProxyHeight = None,
    key_file: options_service.KeyFile = None,
    price_per_minute: options_service.PricePerMinute = None,
    max_spend: options_service.MaxSpend = None,
    purse: options_service.PurseOption = None,
    ledger: options_service.LedgerOption = None,
    buy_again: options_service.BuyAgain = False,
    fallback: options_service.FallbackOption = None,
    settings: options.SettingsFile = None,
    log_file: options.LogFile = None,
    log_format: options.LogFormatOption = None,
    log_level: options.LogLevelOption = None,
    traceback: options.Traceback = False,
) -> None:
    """Scores VIDEO: the same picture comes back with music that fits."""
    # Imported here: `--help` must not wait for numpy and ffmpeg.
    from scorebed.delivery import default_output  # noqa: PLC0415
    from scorebed.errors import SettingsError  # noqa: PLC0415
    from scorebed.job import Job  # noqa: PLC0415
    from scorebed.journal import noted  # noqa: PLC0415
    from scorebed.model import no_words  # noqa: PLC0415
    from scorebed.pipeline import score as run_job  # noqa: PLC0415
    from scorebed.settings import resolve  # noqa: PLC0415
    from scorebed.workspace import default_root  # noqa: PLC0415

    ends = {"--plan": plan, "--dry-mux": dry_mux, "--until": until is not None}
    on_stdout = {"--json": json_, "--plan": plan, "--dry-mux": dry_mux}
    refuse_two_on_stdout(progress, *(name for name, on in on_stdout.items() if on))
    talk = task_talk(progress)
    tell = no_words if quiet else talk
    output = output or default_output(video)
    with logged(context, video, output):
        if sum(ends.values()) > 1:
            raise SettingsError(
                f"{' and '.join(name for name, on in ends.items() if on)} cannot go together",
                remedy="Run one, then the other.",
            )
        defaults = default_options(settings)
        asked = given_options(context, defaults, noted(tell))
        job = Job(
            video=video,
            output=output,
            settings=resolve(asked, defaults=defaults),
            workspace=workspace or default_root(),
            stems=stems,
            plot=plot,
            overwrite=overwrite,
            tell=tell,
            # Nobody's money is spent unsaid.
            tell_price=talk,
        )
        silent = quiet or (json_ and (plan or dry_mux))
        with task_view(progress, _STEPS[until], quiet=silent) as watch:
            if plan or dry_mux:
                (_print_plan if plan else _print_dry_mux)(job, watch, as_json=json_)
                return
            if until is not None:
                _do_until(job, until, watch, tell, as_json=json_)
                return
            result = run_job(job, watch)
        if json_:
            put(result.to_json())
        if not quiet:
            _summarise(result, tell)


def _print_plan(job: Job, watch: Watcher, *, as_json: bool) -> None:
    from scorebed.plan import make_plan  # noqa: PLC0415 - as above

    plan = make_plan(job, watch)
    if as_json:
        put(plan.to_json())
        return
    for line in plan.lines():
        put(line)
    for command in plan.commands:
        put(f"  {shlex.join(command)}")


def _print_dry_mux(job: Job, watch: Watcher, *, as_json: bool) -> None:
    from scorebed.dry import try_mux  # noqa: PLC0415 - as above

    tried = try_mux(job, watch)
    for line in [tried.to_json()] if as_json else tried.lines():
        put(line)


def _do_until(job: Job, until: options.Until, watch: Watcher, tell: Tell, *, as_json: bool) -> None:
    from scorebed.steps import score_until  # noqa: PLC0415 - as above

    done = score_until(job, until.value, watch)
    if as_json:
        put(done.to_json())
    for line in done.lines():
        tell(line)


def _summarise(result: Result, tell: Tell) -> None:
    from scorebed.result_fit import fit_lines  # noqa: PLC0415 - as above
    from scorebed.timecode import to_clock  # noqa: PLC0415 - as above

    programme = result.scored.loudness
    figures = result.figures(result.programmes[0])
    scenes, phrases = len(result.notes.scenes), len(result.speech)
    same = result.scored.picture_sha256 == result.picture.packets_sha256
    tell(
        f"picture    {to_clock(result.picture.duration_s)}, {scenes} scene"
        f"{'s' if scenes != 1 else ''}, "
        f"{'packets untouched' if same else 'packets reframed, what they hold untouched'}"
    )
    tell(f"music      {result.take.name} by {result.take.provider}")
    for line in (*_chosen_lines(result), *fit_lines(result.conformed)):
        tell(line)
    if phrases and figures.median_lu is not None:
        tell(
            f"speech     {phrases} phrase{'s' if phrases > 1 else ''}, "
            f"{figures.median_lu:.1f} LU over the music "
            f"(least {figures.least_lu:.1f}, deepest duck {figures.deepest_db:.1f} dB)"
        )
    for region in result.notes.existing_music:
        span = region.range
        tell(f"left out   {to_clock(span.start_s)} to {to_clock(span.end_s)}: has music already")
    if programme.integrated_lufs is not None and programme.true_peak_dbtp is not None:
        tell(
            f"programme  {programme.integrated_lufs:.1f} LUFS, "
            f"true peak {programme.true_peak_dbtp:.1f} dBTP"
        )
    for sound in result.scored.sounds if len(result.scored.sounds) > 1 else ():
        tell(f"audio      {_told(result, sound)}")
    for warning in result.warnings:
        tell(f"note       {warning}")
    tell(f"written    {result.output}")


def _chosen_lines(result: Result) -> list[str]:
    """Why the tracks of a library were chosen, and how to have one of them again."""
    from scorebed.result_choices import choice_lines  # noqa: PLC0415 - as above

    want, choices = result.settings.library, result.take.choices
    if want is None or not choices:
        return []
    lines = [f"chosen     {line}" for line in choice_lines(choices)]
    again = f"--music {shlex.quote(str(want.folder / choices[0].name))}"
    same = len({choice.sha256 for choice in choices}) == 1
    return [*lines, f"again      {again}"] if same else lines


def _told(result: Result, sound: DeliveredSound) -> str:
    """An audio stream of the output in a line."""
    words = [f"{sound.index} {sound.kind}, {sound.language or 'und'}, {sound.codec}"]
    if sound.loudness is not None and sound.loudness.integrated_lufs is not None:
        words.append(f"{sound.loudness.integrated_lufs:.1f} LUFS")
    programme = result.programme_of(sound)
    margin_lu = None if programme is None else result.figures(programme).median_lu
    if margin_lu is not None:
        words.append(f"speech {margin_lu:.1f} LU over the music")
    return ", ".join(words)
