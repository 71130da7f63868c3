"""What a run would do, said without doing it."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scorebed.delivery import told_of
from scorebed.exporters.words import counted
from scorebed.ffmpeg import locate
from scorebed.job import Job, check_job, check_provider, workspace_bytes
from scorebed.journal import about_its_job
from scorebed.ledger import Fate, money
from scorebed.media import identify
from scorebed.model import (
    FREE,
    Artifact,
    Choice,
    MuxPlan,
    Order,
    PartOrder,
    Picture,
    PlannedSound,
    Quote,
    Reel,
    SoundKind,
    SourceFile,
    Stem,
)
from scorebed.pipeline import STAGES, Watch, prepare
from scorebed.providers.base import Service, find
from scorebed.providers.library.choose import candidates
from scorebed.result_choices import choice_figures, choice_lines
from scorebed.result_streams import ratio, seconds
from scorebed.stages.mux_command import command
from scorebed.stages.mux_plan import plan_mux
from scorebed.stages.notes_file import read_notes
from scorebed.stages.probe import extraction, look, probe
from scorebed.stages.reference import REFERENCE_KBPS
from scorebed.stages.standing import due, fates
from scorebed.timecode import to_clock
from scorebed.workspace import Workspace

_STEMS = {SoundKind.PROGRAMME: "MIX-", SoundKind.ORIGINAL: "DX-", SoundKind.MUSIC: "MX-"}
_FATES = {
    Fate.KEPT: ", in the ledger",
    Fate.COMING: ", just bought by another run",
    Fate.TO_BUY: "",
    Fate.LOST: ", lost: only --buy-again buys it again",
    Fate.UNUSABLE: ", unusable: only --buy-again buys another",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would be done, and what it would cost."""

    job: Job
    picture: Picture
    mux: MuxPlan
    quote: Quote
    """What is left to pay; of a service, exact: its proxies are made."""
    order: Order | None
    """What a service would be asked; None for a provider on this machine."""
    choices: tuple[Choice, ...]
    """The tracks of a library that would be used."""
    workspace_bytes: int
    """Room that the stages take, in bytes."""
    fates: tuple[Fate, ...]
    """Per request: whether it is in the ledger already, to buy, lost or unusable."""
    commands: tuple[tuple[str, ...], ...]
    """The ffmpeg commands; the rest is done in this process."""

    def lines(self) -> list[str]:
        """For a person."""
        want = self.job.settings
        kept = ", ".join(f"{fate.index} {fate.kind} {fate.codec}" for fate in self.mux.kept)
        lines = [
            f"input      {self.job.video}",
            self._picture(),
            f"stages     {' -> '.join(STAGES)}",
            self._music(),
            *(f"chosen     {line}" for line in choice_lines(self.choices)),
            f"duck       to {want.duck.speech_margin_lu:g} LU under speech"
            if want.duck.enabled
            else "duck       off",
            self._programme(),
            self._container(),
            *self._sounds(),
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
            *self._requests(),
            self._cost(),
            "commands",
        ]

    def _reference_bytes(self, part: PartOrder) -> int:
        """What the first request's music will add to a later one: it is not there yet."""
        service = _service(self.job)
        if not part.number or not service.limits(self.job.settings.service).reference:
            return 0
        return round(part.duration_s * REFERENCE_KBPS * 1000 / 8)

    def _cost(self) -> str:
        quote = self.quote
        return (
            f"cost       {counted(quote.requests, 'request')}, {quote.seconds:.1f} s, "
            f"{money(quote.amount)} {quote.currency}"
        )

    def _requests(self) -> list[str]:
        """What a service would be sent."""
        if self.order is None:
            return []
        lines = []
        for part, told in zip(self.order.parts, self.requests(), strict=True):
            span = ", ".join(
                f"{to_clock(one.start_s)} to {to_clock(one.end_s)}" for one in part.stretches
            )
            lines.append(
                f"request    {part.number + 1}: {span}, {counted(len(told['files']), 'file')}, "
                f"{told['bytes']} bytes"
                + _of_music(told["estimated_reference_bytes"])
                + _FATES[told["fate"]]
            )
            lines += [f"           {line}" for line in told["outline"]]
        return lines

    def requests(self) -> list[dict[str, Any]]:
        """What a service would be sent, request by request."""
        if self.order is None:
            return []
        return [
            self._request(part, fate)
            for part, fate in zip(self.order.parts, self.fates, strict=True)
        ]

    def _request(self, part: PartOrder, fate: Fate) -> dict[str, Any]:
        reference_bytes = self._reference_bytes(part)
        return {
            "start_s": float(part.stretches[0].start_s),
            "end_s": float(part.stretches[-1].end_s),
            "seconds": float(part.duration_s),
            "bytes": sum(size_bytes_of(reel) for reel in part.reels),
            "estimated_reference_bytes": reference_bytes,
            "files": [
                {
                    "seconds": float(reel.range.duration_s),
                    "bytes": size_bytes_of(reel),
                    "width_px": reel.width_px,
                    "height_px": reel.height_px,
                    "audio": reel.audio or reference_bytes > 0,
                }
                for reel in part.reels
                if reel.proxy is not None
            ],
            "fate": fate,
            "outline": list(_service(self.job).outline(part)),
        }

    def _picture(self) -> str:
        picture = self.picture
        rate = f"{float(picture.frame_rate):.3f} per second"
        varies = ", variable" if picture.variable_rate else ""
        clock = to_clock(picture.duration_s)
        return f"picture    {clock}, {counted(picture.frame_count, 'frame')} at {rate}{varies}"

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
        lead = self.mux.lead
        return (
            f"container  {self.mux.muxer}, {lead.codec} {_bit_rate(lead)}, {lead.channels} channels"
        )

    def _sounds(self) -> list[str]:
        """The audio streams that are made or added, where there is more than one."""
        lines = []
        for sound in self.mux.sounds if len(self.mux.sounds) > 1 else ():
            line = f"audio      {sound.kind}"
            if sound.index is not None:
                number = self.picture.audio_number(sound.index)
                language = self.picture.streams[sound.index].language or "und"
                line += f" of stream {sound.index} (audio {number}, {language})"
            how = "copied" if sound.codec == "copy" else f"{sound.codec} {_bit_rate(sound)}"
            lines.append(f"{line}: {how}, {sound.channels} channels")
        return lines

    def to_json(self) -> str:
        """One line of JSON (ASCII)."""
        return json.dumps(
            {
                "schema": 1,
                "input": str(self.job.video),
                "output": str(self.job.output),
                "picture": {
                    "duration_s": seconds(self.picture.duration_s),
                    "frames": self.picture.frame_count,
                    "frame_rate": ratio(self.picture.frame_rate),
                },
                "stages": list(STAGES),
                "provider": self.job.settings.provider,
                "container": self.mux.muxer,
                "audio_codec": self.mux.lead.codec,
                "audio": [
                    {
                        "kind": sound.kind.value,
                        "source": sound.index,
                        "codec": sound.codec,
                        "channels": sound.channels,
                    }
                    for sound in self.mux.sounds
                ],
                "streams": {
                    "kept": [fate.index for fate in self.mux.kept],
                    "dropped": [
                        {"index": fate.index, "why": fate.why} for fate in self.mux.dropped
                    ],
                },
                "workspace": str(self.job.workspace),
                "workspace_bytes": self.workspace_bytes,
                "chosen": [choice_figures(choice) for choice in self.choices],
                "requests": self.requests(),
                "cost": {
                    "requests": self.quote.requests,
                    "seconds": self.quote.seconds,
                    "amount": self.quote.amount,
                    "currency": self.quote.currency,
                },
                "commands": [list(command) for command in self.commands],
            }
        )


def _of_music(estimated_bytes: int) -> str:
    return f" and an estimated {estimated_bytes} of music" if estimated_bytes else ""


def _bit_rate(sound: PlannedSound) -> str:
    return "lossless" if sound.kbps is None else f"{sound.kbps} kbit/s"


@about_its_job("plan")
def make_plan(job: Job, watch: Watch) -> Plan:
    """Reads the packets of the video and asks the container.

    For a provider on this machine nothing is decoded or written, but to choose from a library the
    picture is spotted and new tracks are heard. What a service would be sent is made, as the run
    itself would make it, and kept in the workspace; nothing is sent.

    Args:
        job: What is wanted.
        watch: Told of progress.

    Raises:
        ScorebedError: What the run itself would raise before it starts.
    """
    check_job(job)
    check_provider(job.settings, job.tell)
    source = identify(job.video)
    picture = look(source)
    want = job.settings
    if want.notes is not None:
        read_notes(want.notes, picture)
    near = Path(tempfile.gettempdir())
    with told_of(near, stage="mux"), tempfile.TemporaryDirectory() as trials:
        plan = plan_mux(
            source,
            picture,
            job.output,
            folder=Path(trials),
            stereo_kbps=want.delivery.audio_bitrate_kbps,
            audio=want.audio,
        )
    order = None
    if want.service is not None or want.library is not None:
        order = _order(job, source, watch)
    choices = _choices(order)
    order = order if want.service is not None else None
    tool = locate().path
    commands = [
        [tool, *extraction(picture, index, job.video).arguments()]
        for index in plan.decoded
        if index is not None
    ]
    standing = () if order is None else fates(_service(job), order, want.purse)
    stems = _planned_stems(job, picture, plan)
    commands.append([tool, *command(source, picture, stems, plan, job.output)])
    return Plan(
        job=job,
        picture=picture,
        mux=plan,
        quote=FREE if order is None else due(_service(job), order, standing),
        order=order,
        choices=choices,
        fates=standing,
        workspace_bytes=workspace_bytes(job, picture, plan),
        commands=tuple(tuple(one) for one in commands),
    )


def _choices(order: Order | None) -> tuple[Choice, ...]:
    """The tracks of a library that the run itself would take."""
    if order is None or order.library is None:
        return ()
    return candidates(order.library, order.notes, order.brief).by_seed(order.brief.seed)


def _planned_stems(job: Job, picture: Picture, plan: MuxPlan) -> list[Stem]:
    return [
        Stem(
            kind="MIX",
            audio=Artifact(path=job.workspace / f"{_STEMS[sound.kind]}{number}.wav", sha256=""),
            start_samples=0,
            length_samples=picture.length_samples,
            channels=sound.channels,
        )
        for number, sound in enumerate(plan.encoded)
    ]


def _service(job: Job) -> Service:
    service = find(job.settings.provider)
    assert isinstance(service, Service)
    return service


def _order(job: Job, source: SourceFile, watch: Watch) -> Order:
    with Workspace(job.workspace, source) as work:
        picture = work.run(probe, source, gives=Picture, progress=watch("probe"))
        _, order = prepare(job, work, source, picture, watch)
    return order


def size_bytes_of(reel: Reel) -> int:
    """Bytes of a reel's proxy."""
    return reel.proxy.path.stat().st_size if reel.proxy is not None else 0
