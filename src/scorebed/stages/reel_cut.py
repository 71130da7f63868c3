"""One decode of the picture into all proxies, each frame in the reel in which it starts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

import ffmpeg

from scorebed.errors import MediaError
from scorebed.ffmpeg import arguments, file_url, run, source
from scorebed.model import Artifact, CuedLine, Picture, Progress, Reel, SourceFile, Stem, TimeRange
from scorebed.packets import read_contents
from scorebed.stages.reel_sound import CLEAN, Track, add_track
from scorebed.timecode import to_samples
from scorebed.wav import sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator

STAGE = "reel"
SOUND_KBPS = 64
"""Rate of the production audio beside the picture, in kbit/s."""
_PATTERN = "reel-%03d.mp4"
_CLOCK_HZ = 90_000
_FASTEST = Fraction(25)
"""Frames per second of a proxy at most."""
_FASTEST_OF_SMALL = Fraction(25, 2)
"""The same where it is made from a film that lacks frames."""
_NEAREST = 0.4
"""Share of a frame of the proxy by which a source frame may come early. Not 0.5: at 50 frames per
second every second frame would lie on the fence."""
_CRF = 28
_VARYING_MARGIN_S = Fraction(1, 20_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How the proxies are encoded."""

    height_px: int
    """Most lines."""
    rate_bps: int
    """Most bits per second, over a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutting:
    """A picture that is cut into proxies."""

    source_file: SourceFile
    """The user's file."""
    picture: Picture
    """What it is."""
    small: Path | None
    """A small film of it, its first frame at 0, to be read instead."""
    planned: tuple[tuple[TimeRange, int], ...]
    """The reels and the requests that they go with."""
    line: CuedLine
    """The cues, one after the other: what lies between is in no proxy."""
    production: Stem | None
    """The production audio, if the proxies carry it."""
    folder: Path
    """Where they are written."""

    def make(self, encoding: Encoding, progress: Progress) -> tuple[Reel, ...]:
        """Encodes the proxies, in place of any that are there."""
        production = self.production
        share = 1.0 if production is None else 0.9
        run(
            ["-y", *arguments(self._command(encoding))],
            stage=STAGE,
            subject=self.source_file.path,
            duration_s=self.line.end_s,
            progress=lambda done: progress(done * share),
        )
        self._check()
        reels = []
        for number, (span, part) in enumerate(self.planned):
            path = self._path(number)
            if production is not None:
                _add_production(path, production, span)
                progress(share + (1 - share) * (number + 1) / len(self.planned))
            contents = read_contents(path, stage=STAGE)
            reels.append(
                Reel(
                    range=span,
                    proxy=Artifact(path=path, sha256=sha256_of(path)),
                    width_px=contents.size_px[0],
                    height_px=contents.size_px[1],
                    audio=contents.sound_index is not None,
                    part=part,
                )
            )
        return tuple(reels)

    def _path(self, number: int) -> Path:
        return self.folder / (_PATTERN % number)

    def _command(self, encoding: Encoding) -> object:
        edges = [f"{float(self._edge(start_s)):.6f}" for start_s in self._starts_s[1:]]
        last = round(self.line.end_s * _CLOCK_HZ)
        # A frame lasts until the next one that is sent, also over the end of its reel's file.
        until = f"if(eq(NEXT_PTS,NOPTS),if(gt({last},PTS),{last}-PTS,DURATION),NEXT_PTS-PTS)"
        options: dict[str, object] = {
            **CLEAN,
            "c:v": "libx264",
            # Not a faster one: with so few bits x264 then leaves gray frames among the others.
            "preset": "veryfast",
            "crf": _CRF,
            "maxrate": encoding.rate_bps,
            "bufsize": encoding.rate_bps,
            "pix_fmt": "yuv420p",
            "bf": 0,
            "fps_mode": "passthrough",
            "enc_time_base": f"1:{_CLOCK_HZ}",
            "bsf:v": f"setts=duration='{until}'",
            "f": "segment",
            "segment_format": "mp4",
            "segment_format_options": "movflags=+faststart",
            "reset_timestamps": 1,
        }
        if edges:
            times = ",".join(edges)
            options |= {"segment_times": times, "force_key_frames": times}
        else:
            options |= {"segment_time": 1_000_000}
        target = file_url(self.folder).replace("%", "%%") + f"/{_PATTERN}"
        return ffmpeg.output(self._frames(edges, encoding.height_px), target, **options)

    def _frames(self, edges: list[str], height_px: int) -> object:
        """The frames of the cues, on the cued line, small and upright."""
        # One graph for the whole picture: made anew at a change of size, it would lose its place.
        read = source(self.small or self.source_file.path, copyts=None, reinit_filter=0)
        if self.small is not None:
            # Where frames were left out, the one before is shown on: a reel begins when it begins.
            rate = self.picture.frame_rate
            frames = read["v:0"].filter("fps", f"{rate.numerator}/{rate.denominator}", start_time=0)
        else:
            # AVI has no time stamps: those made up for it begin now at 0, now frames later.
            start_s = self.picture.start_s
            exact = f"{start_s.numerator}/{start_s.denominator}/TB"
            origin = "STARTPTS" if self.picture.format_name == "avi" else exact
            frames = read[str(self.picture.video_index)].filter("setpts", f"round(PTS-{origin})")
        cues = self.line.cues
        frames = frames.filter("trim", start=f"{float(self._edge(cues[0].start_s)):.6f}")
        if cues[-1].end_s < self.picture.duration_s or self.small is not None:
            frames = frames.filter("trim", end=f"{float(self._end()):.6f}")
        if cues[-1].end_s > self.line.end_s:
            for name, words in self._without_rests():
                frames = frames.filter(name, words)
        # Where the first frames cannot be decoded, the first that can is shown from the start on:
        # the times of the cuts count from there.
        frames = frames.filter("setpts", "if(eq(N,0),0,PTS)")
        fastest = _FASTEST if self.small is None else _FASTEST_OF_SMALL
        if self.picture.frame_rate > fastest:
            frames = frames.filter("select", _thinned(edges, fastest))
        # Pixels that are not square are made so; then even sizes, for 4:2:0.
        return frames.filter(
            "scale",
            w="max(2,2*round(dar*oh/2))",
            h=f"max(2,min({height_px},trunc(ih/2)*2))",
            out_range="limited",
        ).filter("setsar", 1)

    def _without_rests(self) -> Iterator[tuple[str, str]]:
        """Filters that leave out what lies between cues, and close up what is left."""
        kept: list[str] = []
        moved: list[tuple[str, Fraction]] = []
        for cue, start_s in zip(self.line.cues, self.line.starts_s, strict=True):
            first, last = (f"{float(self._edge(at_s)):.6f}" for at_s in (cue.start_s, cue.end_s))
            kept.append(f"gte(t,{first})*lt(t,{last})")
            rest_s = cue.start_s - start_s - sum(moved_s for _, moved_s in moved)
            moved.append((first, rest_s))
        yield "select", "+".join(kept)
        rests = "+".join(
            f"gte(T,{first})*{rest_s.numerator}/{rest_s.denominator}" for first, rest_s in moved
        )
        yield "setpts", f"round(PTS-({rests})/TB)"

    @property
    def _starts_s(self) -> list[Fraction]:
        """Where each reel begins, on the cued line."""
        lengths = (span.duration_s for span, _ in self.planned[:-1])
        return [*accumulate(lengths, initial=Fraction(0))]

    @property
    def _even(self) -> bool:
        """Whether frames lie where their number and the rate say."""
        picture = self.picture
        expected = picture.duration_s * picture.frame_rate
        return not picture.variable_rate and abs(expected - picture.frame_count) <= Fraction(1, 2)

    def _edge(self, at_s: Fraction) -> Fraction:
        """Just before a frame: rounding of time stamps cannot put it on the wrong side."""
        margin_s = 1 / (2 * self.picture.frame_rate) if self._even else _VARYING_MARGIN_S
        return at_s - margin_s

    def _end(self) -> Fraction:
        """After the last frame that starts before the end of the last cue, and before any other."""
        end_s, rate = self.line.cues[-1].end_s, self.picture.frame_rate
        if self._even:
            end_s = Fraction(math.ceil(end_s * rate)) / rate
        return self._edge(end_s)

    def _check(self) -> None:
        """Every proxy must start inside its reel, or files and reels do not belong together."""
        at_s = Fraction(0)
        for number, ((span, _), start_s) in enumerate(
            zip(self.planned, self._starts_s, strict=True)
        ):
            path = self._path(number)
            if not path.exists() or at_s >= start_s + span.duration_s:
                raise MediaError(
                    f"{STAGE}: {self.source_file.path} has no frame to show from "
                    f"{float(span.start_s):.3f} s to {float(span.end_s):.3f} s",
                    remedy="Make its frame rate constant: ffmpeg -i FILE -vf fps=25 NEW_FILE",
                )
            clock = read_contents(path, stage=STAGE).clock
            at_s += clock.duration_s if clock else 0


def _thinned(edges: list[str], fastest: Fraction) -> str:
    """An expression that keeps some frames per second at most, and the first of each reel.

    Registers: 0 the reel, 1 its first frame's time, 2 the last place that was taken on the grid of
    the proxy's frames, 3 and 4 the reel and the place of the frame in question.
    """
    reel_number = "+".join(["1", *(f"gte(t,{edge})" for edge in edges)])
    return (
        f"st(3,{reel_number});if(gt(ld(3),ld(0)),st(0,ld(3));st(1,t);st(2,0);1,"
        f"st(4,floor((t-ld(1))*{fastest}+{_NEAREST}));if(gt(ld(4),ld(2)),st(2,ld(4));1,0))"
    )


def _add_production(proxy: Path, production: Stem, span: TimeRange) -> None:
    """Puts the production audio of a reel beside its picture, in place."""
    first_samples = to_samples(span.start_s)
    track = Track(
        wav=production.audio.path,
        wav_samples=production.length_samples,
        first_samples=first_samples - production.start_samples,
        length_samples=to_samples(span.end_s) - first_samples,
        channels=1,
        kbps=SOUND_KBPS,
    )
    heard = proxy.with_name(f"{proxy.stem}-heard.mp4")
    add_track(proxy, track, heard, stage=STAGE)
    heard.replace(proxy)
