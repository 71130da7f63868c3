"""What is ordered of a provider, and what came back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final, Literal

from scorebed.model.files import Artifact, SourceFile
from scorebed.model.fitting import LockReport, PieceFit
from scorebed.model.library import Choice, Library
from scorebed.model.picture import Stem, TimeRange
from scorebed.model.reels import Reel, ReelSet
from scorebed.model.service import PROXY_HEIGHT_PX, ServiceSettings, Upload
from scorebed.model.spotting import SpottingNotes
from scorebed.style import Style

Quality = Literal["draft", "standard", "high"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """What the music should be."""

    style: Style
    """The style preset."""
    prompt: str
    """The user's own words; may be empty."""
    tags: tuple[str, ...]
    """Further words: genre, mood, instruments."""
    seed: int
    """Names the take: same picture, brief and seed give the same music."""
    quality: Quality
    """How much work goes into the sound."""
    guidance: float
    """How closely the music follows the picture: 0 its own form, 1 every hit point."""
    palette: bool = False
    """Whether key, mode and tempo come from the brief alone, whatever the picture: then the music
    of several films is of one family."""
    reference: Artifact | None = None
    """Music of another film that a service is to go on in the style of; None for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """All that a provider is given."""

    notes: SpottingNotes
    """Where the music goes and what it has to meet."""
    brief: Brief
    """What it should be."""
    reels: ReelSet
    """The picture in parts; with proxies where the provider asked for them."""
    music: SourceFile | None
    """A finished track of the user's, for the provider ``file``."""
    soundfont: SourceFile | None = None
    """Instruments of the user's, for a composer on this machine."""
    picture_sha256: str = ""
    """Hash of the picture's packets: what a take is bought for."""
    service: ServiceSettings | None = None
    """How a service is asked; None for a provider that is none."""
    sound_sha256: str = ""
    """Hash of the production audio's packets, if it is sent along; else empty."""
    library: Library | None = None
    """The user's own tracks, for the provider ``library``."""

    @property
    def parts(self) -> tuple[PartOrder, ...]:
        """The order, request by request."""
        return tuple(
            PartOrder(number=number, reels=reels, order=self)
            for number, reels in enumerate(self.reels.parts)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PartOrder:
    """What one request asks for."""

    number: int
    """Which request, from 0."""
    reels: tuple[Reel, ...]
    """The consecutive reels that it carries."""
    order: Order
    """The whole order."""

    @property
    def files(self) -> tuple[tuple[str, Reel], ...]:
        """Reels that have a proxy, each with the name that it is sent under.

        Names count through the whole order and say nothing of the project: no title, no path.
        """
        first = sum(len(reels) for reels in self.order.reels.parts[: self.number])
        return tuple(
            (f"scene-{number:02d}.mp4", reel)
            for number, reel in enumerate(self.reels, start=first + 1)
            if reel.proxy is not None
        )

    @property
    def stretches(self) -> tuple[TimeRange, ...]:
        """The parts of the picture that it is for, in order: each is, or is part of, a cue."""
        found: list[TimeRange] = []
        for reel in self.reels:
            if found and found[-1].end_s == reel.range.start_s:
                found[-1] = TimeRange.between(found[-1].start_s, reel.range.end_s)
            else:
                found.append(reel.range)
        return tuple(found)

    @property
    def duration_s(self) -> Fraction:
        """Length of the picture that it is for, in seconds, without what lies between."""
        return sum((reel.range.duration_s for reel in self.reels), Fraction(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a provider takes in one request."""

    needs_proxies: bool
    """Whether it looks at the picture and so needs reels with proxies."""
    sound: bool = False
    """Whether the proxies carry the production audio."""
    max_reels: int
    """Most files in one request."""
    max_duration_s: Fraction | None
    """Longest picture in one request, in seconds; None for no limit."""
    max_size_bytes: int | None
    """Most bytes in one request; None for no limit."""
    network: bool
    """Whether it needs the network."""
    reference: bool = False
    """Whether later requests carry the music of the first one, to go on in its style."""
    proxy_height_px: int = PROXY_HEIGHT_PX
    """Most lines of a proxy's picture; even."""


AT_HOME: Final = Limits(
    needs_proxies=False, max_reels=1, max_duration_s=None, max_size_bytes=None, network=False
)
"""Of a provider that works on this machine and reads the notes alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a run would cost, said before anything is spent."""

    requests: int
    """How many requests would be sent."""
    seconds: float = 0.0
    """Length of picture that is paid for, in seconds."""
    amount: float
    """Estimated price in ``currency``."""
    currency: str
    """ISO 4217 code."""


FREE: Final = Quote(requests=0, amount=0.0, currency="USD")
"""What is made on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """What a provider returned."""

    provider: str
    """Name of the provider."""
    name: str
    """Name of the take: style, key facts and seed."""
    seed: int | None
    """The seed that gives it again, or None where that has no meaning."""
    pieces: tuple[TakePiece, ...]
    """The music as it came, in order of their ranges, which do not overlap; together they cover
    the cues. What they have for the time between cues is not played."""
    fitted: bool
    """Whether it is one 48 kHz stereo WAV from the first frame to the end of the last cue, silent
    where there is no cue."""
    unused_words: tuple[str, ...]
    """Words of the brief that it could not use."""
    spent: Quote
    """What this run paid for it: nothing for a take that was kept."""
    receipts: tuple[str, ...] = ()
    """Keys of its receipts in the ledger."""
    uploads: tuple[Upload, ...] = ()
    """What left the machine for it, in this run or when it was bought."""
    originals: tuple[Artifact, ...] = ()
    """Further files of the answer, such as effects alone."""
    warnings: tuple[str, ...] = ()
    """What a person should know of it."""
    key: str | None = None
    """Key and mode that it begins in, as its maker says; None where nobody does."""
    tempo_bpm: float | None = None
    """Its mean tempo in beats per minute, as its maker says; None where nobody does."""
    fallback_from: str | None = None
    """Why another provider than the one asked for made it; None where that one did."""
    choices: tuple[Choice, ...] = ()
    """The tracks of a library that were chosen, in order of what they are for."""

    @property
    def own(self) -> bool:
        """Whether it was not made for this picture: finished tracks of the user's."""
        return self.provider in {"file", "library"}

    @property
    def bare(self) -> Take:
        """Its music alone: what the stages after it depend on."""
        return Take(
            provider=self.provider,
            name=self.name,
            seed=self.seed,
            pieces=self.pieces,
            fitted=self.fitted,
            unused_words=(),
            spent=replace(FREE, currency=self.spent.currency),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TakePiece:
    """Music for a part of the picture."""

    audio: Artifact
    """In any format that ffmpeg decodes."""
    range: TimeRange
    """The part of the picture that it is for."""
    start_s: Fraction = Fraction(0)
    """Where in the audio its music begins, in seconds."""
    music_s: Fraction | None = None
    """How much of the audio is its own, in seconds; None up to the end."""


MAX_STEP_LU = 3.0
"""Most that loudness should step at a join, in LU: a change that is heard as one of the music.

The 3 s windows of 13 real tracks step by 0.9 LU (median) to 4.8 LU (95th percentile)."""
MAX_SPECTRAL_STEP_DB = 9.0
"""Most that colour should step at a join, in dB, by ``dsp.joins.spectral_step_db``.

The 95th percentile (9.2 dB; median 3.8 dB) of 452 pairs of neighbouring 3 s windows, 0.5 s apart,
in 13 real tracks: what is under it happens within a piece."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Where two pieces of a take meet."""

    at_s: Fraction
    """Picture time in seconds."""
    kind: Literal["silence", "speech", "downbeat", "cut"]
    """What it is made in: nothing sounds, somebody speaks, or the new piece's first beat stands on
    the cut; ``cut`` where it has none there."""
    loudness_step_lu: float | None
    """Loudness of the 3 s after minus that of the 3 s before, in LU; None beside silence."""
    spectral_step_db: float | None
    """Mean distance of the two third-octave spectra without their levels, in dB."""

    @property
    def rough(self) -> bool:
        """Whether it would be heard: not beside silence, not under speech."""
        return self.kind in {"downbeat", "cut"} and (
            abs(self.loudness_step_lu or 0.0) > MAX_STEP_LU
            or (self.spectral_step_db or 0.0) > MAX_SPECTRAL_STEP_DB
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Conformed:
    """A take that is fitted to the picture, to the sample."""

    mx: Stem
    """The music, exactly as long as the picture."""
    passes: int
    """How often a piece of the take is played at most: 1 unless it was too short."""
    fade_out_s: Fraction
    """Length of the fade at the end, in seconds; 0 where the take has its own ending."""
    joins: tuple[Join, ...] = ()
    """Where pieces of the take meet, in order."""
    covers: tuple[float, ...] = (1.0,)
    """Per piece: length of its music over the length that it is for."""
    fits: tuple[PieceFit, ...] = ()
    """Per piece: how it came to its length; none for a take that fitted already."""
    lock: LockReport | None = None
    """How beats lie on cuts; None where that was not asked for or there is nothing to tell."""
