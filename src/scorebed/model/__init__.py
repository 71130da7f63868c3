"""Every type that crosses a border between rooms: frozen, keyword-only, with its unit.

Picture time is a ``Fraction`` of seconds from the first shown frame. Audio position is an ``int``
count of samples at 48 kHz on the same time line. ``float`` is for decibels, loudness and measures.
"""

from __future__ import annotations

from scorebed.model.files import (
    Artifact,
    Audio,
    Progress,
    SourceFile,
    Tell,
    no_progress,
    no_words,
)
from scorebed.model.music import (
    MAX_SPECTRAL_STEP_DB,
    MAX_STEP_LU,
    Brief,
    Conformed,
    Join,
    Limits,
    Order,
    PartOrder,
    Quality,
    Quote,
    Take,
    TakePiece,
)
from scorebed.model.picture import Picture, Stem, StreamInfo, StreamKind, TimeRange
from scorebed.model.result import MuxPlan, ScoredVideo, StageRun, StemFile, StreamFate
from scorebed.model.service import Answer, ApiForm, Expected, Purse, ServiceSettings, Upload
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
    "MAX_SPECTRAL_STEP_DB",
    "MAX_STEP_LU",
    "Answer",
    "ApiForm",
    "Artifact",
    "Audio",
    "Brief",
    "Conformed",
    "Cue",
    "DuckSettings",
    "Ducked",
    "Expected",
    "GainCurve",
    "HitPoint",
    "Join",
    "LevelSettings",
    "Levelled",
    "Limits",
    "Loudness",
    "LoudnessTarget",
    "Mixed",
    "MuxPlan",
    "Order",
    "PartOrder",
    "PhraseMargin",
    "Picture",
    "PictureCurve",
    "Progress",
    "Purse",
    "Quality",
    "Quote",
    "Reel",
    "ReelSet",
    "Scene",
    "ScoredVideo",
    "ServiceSettings",
    "Shot",
    "SourceFile",
    "SpeechRegion",
    "SpotSettings",
    "SpottingNotes",
    "StageRun",
    "Stem",
    "StemFile",
    "StreamFate",
    "StreamInfo",
    "StreamKind",
    "Take",
    "TakePiece",
    "Tell",
    "TimeRange",
    "Upload",
    "no_progress",
    "no_words",
]
