"""What a run would do, said without doing it."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from scorebed.ffmpeg import locate
from scorebed.media import identify
from scorebed.model import Artifact, MuxPlan, Picture, Quote, Stem
from scorebed.pipeline import STAGES, Job, check_job
from scorebed.providers.base import find
from scorebed.stages.mux import command
from scorebed.stages.mux_plan import plan_mux
from scorebed.stages.probe import extraction, look
from scorebed.timecode import to_clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would be done, and what it would cost."""

    job: Job
    picture: Picture
    mux: MuxPlan
    quote: Quote
    workspace_bytes: int
    """Room that the stages take, in bytes."""
    commands: tuple[tuple[str, ...], ...]
    """The ffmpeg commands; the rest is done in this process."""

    def lines(self) -> list[str]:
        """For a person."""
        want, quote = self.job.settings, self.quote
        kept = ", ".join(f"{fate.index} {fate.kind} {fate.codec}" for fate in self.mux.kept)
        lines = [
            f"input      {self.job.video}",
            self._picture(),
            f"stages     {' -> '.join(STAGES)}",
            self._music(),
            f"duck       to {want.duck.speech_margin_lu:g} LU under speech"
            if want.duck.enabled
            else "duck       off",
            self._programme(),
            self._container(),
            f"streams    kept: {kept}",
        ]
        lines += [
            f"           dropped: {fate.index} {fate.kind} {fate.codec}: {fate.why}"
            for fate in self.mux.dropped
        ]
        return [
            *lines,
            f"output     {self.job.output}",
            f"workspace  {self.job.workspace}, about {self.workspace_bytes / 1e6:.0f} MB",
            f"cost       {quote.requests} requests, {quote.amount:.2f} {quote.currency}",
            "commands",
        ]

    def _picture(self) -> str:
        picture = self.picture
        rate = f"{float(picture.frame_rate):.3f} per second"
        varies = ", variable" if picture.variable_rate else ""
        clock = to_clock(picture.duration_s)
        return f"picture    {clock}, {picture.frame_count} frames at {rate}{varies}"

    def _music(self) -> str:
        want = self.job.settings
        return (
            f"music      provider {want.provider}, style {want.brief.style.name}, "
            f"seed {want.brief.seed}, {want.level.music_lufs:g} LUFS before ducking"
        )

    def _programme(self) -> str:
        want = self.job.settings
        return (
            f"programme  {want.target.integrated_lufs:g} LUFS, ceiling "
            f"{want.target.true_peak_dbtp:g} dBTP ({want.delivery.title})"
        )

    def _container(self) -> str:
        mux = self.mux
        return (
            f"container  {mux.muxer}, {mux.audio_codec} {self._bit_rate()}, "
            f"{mux.audio_channels} channels"
        )

    def _bit_rate(self) -> str:
        return "lossless" if self.mux.audio_kbps is None else f"{self.mux.audio_kbps} kbit/s"

    def to_json(self) -> str:
        """One line of JSON (ASCII)."""
        rate = self.picture.frame_rate
        return json.dumps(
            {
                "schema": 1,
                "input": str(self.job.video),
                "output": str(self.job.output),
                "picture": {
                    "duration_s": round(float(self.picture.duration_s), 6),
                    "frames": self.picture.frame_count,
                    "frame_rate": f"{rate.numerator}/{rate.denominator}",
                },
                "stages": list(STAGES),
                "provider": self.job.settings.provider,
                "container": self.mux.muxer,
                "audio_codec": self.mux.audio_codec,
                "streams": {
                    "kept": [fate.index for fate in self.mux.kept],
                    "dropped": [
                        {"index": fate.index, "why": fate.why} for fate in self.mux.dropped
                    ],
                },
                "workspace": str(self.job.workspace),
                "workspace_bytes": self.workspace_bytes,
                "cost": {
                    "requests": self.quote.requests,
                    "amount": self.quote.amount,
                    "currency": self.quote.currency,
                },
                "commands": [list(command) for command in self.commands],
            }
        )


def make_plan(job: Job) -> Plan:
    """Reads the packets of the video and asks the container; decodes and writes nothing.

    Raises:
        ScorebedError: What the run itself would raise before it starts.
    """
    check_job(job)
    source = identify(job.video)
    if job.settings.music is not None:
        identify(job.settings.music)
    picture = look(source)
    want = job.settings
    with tempfile.TemporaryDirectory() as trials:
        plan = plan_mux(
            source,
            picture,
            job.output,
            folder=Path(trials),
            stereo_kbps=want.delivery.audio_bitrate_kbps,
            keep_production=want.keep_production,
        )
    tool = locate().path
    mix = _planned_mix(job, picture, plan)
    commands = [[tool, *command(source, picture, mix, plan, 0.0, job.output)]]
    if picture.production_index is not None:
        commands.insert(0, [tool, *extraction(picture, job.video).arguments()])
    return Plan(
        job=job,
        picture=picture,
        mux=plan,
        quote=find(want.provider).quote(picture.duration_s),
        workspace_bytes=picture.length_samples * 4 * (4 + 2 * plan.audio_channels),
        commands=tuple(tuple(one) for one in commands),
    )


def _planned_mix(job: Job, picture: Picture, plan: MuxPlan) -> Stem:
    return Stem(
        kind="MIX",
        audio=Artifact(path=job.workspace / "MIX.wav", sha256=""),
        start_samples=0,
        length_samples=picture.length_samples,
        channels=plan.audio_channels,
    )
