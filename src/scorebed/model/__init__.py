"""Every type that crosses a border between rooms: frozen, keyword-only, with its unit.

Picture time is a ``Fraction`` of seconds from the first shown frame. Audio position is an ``int``
count of samples at 48 kHz on the same time line. ``float`` is for decibels, loudness and measures.
"""

from __future__ import annotations

from scorebed.model.files import Artifact, Audio, Progress, SourceFile, no_progress
from scorebed.model.music import Brief, Conformed, Limits, Order, Quality, Quote, Take
from scorebed.model.picture import Picture, Stem, StreamInfo, StreamKind, TimeRange
from scorebed.model.result import MuxPlan, ScoredVideo, StageRun, StreamFate
from scorebed.model.sound import (
    Ducked,
    DuckSettings,
    GainCurve,
    Levelled,
    LevelSettings,
    Loudness,
    LoudnessTarget,
    Mixed,
    PhraseMargin,
)
from scorebed.model.spotting import (
    Cue,
    HitPoint,
    PictureCurve,
    Reel,
    ReelSet,
    Scene,
    Shot,
    SpeechRegion,
    SpotSettings,
    SpottingNotes,
)

__all__ = [
    "Artifact",
    "Audio",
    "Brief",
    "Conformed",
    "Cue",
    "DuckSettings",
    "Ducked",
    "GainCurve",
    "HitPoint",
    "LevelSettings",
    "Levelled",
    "Limits",
    "Loudness",
    "LoudnessTarget",
    "Mixed",
    "MuxPlan",
    "Order",
    "PhraseMargin",
    "Picture",
    "PictureCurve",
    "Progress",
    "Quality",
    "Quote",
    "Reel",
    "ReelSet",
    "Scene",
    "ScoredVideo",
    "Shot",
    "SourceFile",
    "SpeechRegion",
    "SpotSettings",
    "SpottingNotes",
    "StageRun",
    "Stem",
    "StreamFate",
    "StreamInfo",
    "StreamKind",
    "Take",
    "TimeRange",
    "no_progress",
]
