"""Proxies from the small film that spotting leaves: the same picture, decoded once."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

from scorebed.ffmpeg import locate
from scorebed.model import (
    Limits,
    Picture,
    Reel,
    ReelSet,
    SourceFile,
    SpotSettings,
    Spotted,
    TimeRange,
)
from scorebed.stages.reel import reel
from scorebed.stages.spot import spot

if TYPE_CHECKING:
    from numpy.typing import NDArray

Probed = Callable[[Path], tuple[SourceFile, Picture]]
LINES = 90
LIMITS = Limits(
    needs_proxies=True,
    max_reels=20,
    max_duration_s=None,
    max_size_bytes=None,
    network=False,
    proxy_height_px=LINES,
)
SHOTS = (53, 100, 131, 96, 151, 89)
"""Frames of each shot; most begin in the middle of a group of pictures."""
COLOURS = ("red", "green", "blue", "yellow", "purple", "gray")
# Many frames that no other refers to.
H264 = ("-c:v", "libx264", "-preset", "fast", "-crf", "18", "-bf", "3", "-pix_fmt", "yuv420p")


@dataclass(frozen=True)
class Made:
    """A film, spotted, and its proxies by both ways."""

    film: Path
    picture: Picture
    found: Spotted
    small: ReelSet
    source: ReelSet


@pytest.fixture
def made(probed: Probed, tmp_path: Path) -> Callable[..., Made]:
    def make(film: Path, limits: Limits = LIMITS) -> Made:
        source, picture = probed(film)
        settings = SpotSettings(max_scenes=20, listen=False)
        folders = [tmp_path / name for name in ("spot", "small", "source")]
        for folder in folders:
            folder.mkdir()
        found = spot(
            source, picture, settings, folder=folders[0], small_height_px=limits.proxy_height_px
        )
        small, whole = (
            reel(source, picture, found.notes, limits, given, folder=folder)
            for given, folder in ((found.small, folders[1]), (None, folders[2]))
        )
        return Made(film, picture, found, small, whole)

    return make


@pytest.fixture
def shots(make_media: Callable[..., Path]) -> Callable[..., Path]:
    """Shots of one colour each, with a moving bar so that frames differ."""

    def make(name: str, *extra: str, size: str = "320x180", rate: str = "25") -> Path:
        inputs: list[str] = []
        for number, frames in enumerate(SHOTS):
            length_s = Fraction(frames) / Fraction(rate)
            moving = "drawbox=x=20:w=12:color=white:t=fill,scroll=h=0.02"
            shot = f"color={COLOURS[number]}:size={size}:rate={rate},{moving}"
            inputs += ["-f", "lavfi", "-t", f"{float(length_s):.6f}", "-i", shot]
        joined = "".join(f"[{number}]" for number in range(len(SHOTS)))
        graph = f"{joined}concat=n={len(SHOTS)}"
        return make_media(name, *inputs, "-filter_complex", graph, *(extra or H264))

    return make


def pictures(path: Path) -> list[tuple[float, NDArray[np.float64]]]:
    """When each frame is shown, and its colours, shape (lines, columns, 3)."""
    with av.open(str(path)) as container:
        return [
            (float(frame.time or 0), frame.to_ndarray(format="rgb24").astype(np.float64))
            for frame in container.decode(video=0)
        ]


def proxy_of(part: Reel) -> Path:
    assert part.proxy is not None
    return part.proxy.path


def firsts(picture: Picture) -> list[Fraction]:
    return [Fraction(sum(SHOTS[:number])) / picture.frame_rate for number in range(len(SHOTS))]


def check_same(made: Made) -> None:
    """Equal but for the frames that were left out: those are shown longer."""
    assert [replace(part, proxy=None) for part in made.small.reels] == [
        replace(part, proxy=None) for part in made.source.reels
    ]
    assert made.small.cues == made.source.cues
    for ours, theirs in zip(made.small.reels, made.source.reels, strict=True):
        seen, whole = pictures(proxy_of(ours)), pictures(proxy_of(theirs))
        times_s = np.array([time_s for time_s, _ in whole])
        assert seen[0][0] == 0
        for time_s, colours in seen:
            at = int(np.argmin(np.abs(times_s - time_s)))
            frames = time_s * made.picture.frame_rate
            assert abs(frames - round(frames)) < 0.05
            # Of a fast picture not always the same frames are left.
            assert abs(times_s[at] - time_s) < 0.002 + (made.picture.frame_rate > 25) / 25
            # Both are coded coarsely: only the colour tells.
            assert np.abs(colours.mean(axis=(0, 1)) - whole[at][1].mean(axis=(0, 1))).max() < 12
        assert np.diff([time_s for time_s, _ in seen]).max() < 0.4
    check_small(made)


def check_small(made: Made) -> None:
    """Each frame of the small film is the source's, square, in limited range."""
    assert made.found.small is not None
    small = pictures(made.found.small.path)
    lines, columns, _ = small[0][1].shape
    scale = f"scale={columns}:{lines}:out_range=limited:flags=bilinear,format=yuv420p,format=rgb24"
    raw = subprocess.run(
        [locate().path, "-v", "error", "-i", made.film, "-vf", scale, "-fps_mode", "passthrough",
         "-f", "rawvideo", "-"],
        check=True, capture_output=True,
    ).stdout  # fmt: skip
    whole = np.frombuffer(raw, dtype=np.uint8).reshape(-1, lines, columns, 3).astype(np.float64)
    assert len(whole) == made.picture.frame_count
    for time_s, colours in small:
        at = round(time_s * made.picture.frame_rate)
        near = whole[max(0, at - 1) : at + 2]
        apart = np.abs(near - colours).mean(axis=(1, 2, 3))
        assert apart.min() < 8
        # Where neighbours differ, it is the one that is meant.
        assert apart[min(at, 1)] < apart.min() + 0.5


@pytest.mark.parametrize(("name", "rate"), [("film.mp4", "25"), ("film.mkv", "30000/1001")])
def test_reels_are_those_of_the_source_and_begin_with_the_cuts_first_frame(
    name: str, rate: str, shots: Any, made: Any
) -> None:
    one = made(shots(name, rate=rate))
    assert one.found.small is not None
    grain_s = Fraction(1, 1000)
    starts = [part.range.start_s for part in one.small.reels]
    wanted = firsts(one.picture)
    assert all(min(abs(at - cut) for cut in wanted) <= grain_s for at in starts)
    assert len(starts) >= 4
    assert all(a.range.end_s == b.range.start_s for a, b in pairwise(one.small.reels))
    assert one.small.reels[-1].range.end_s == one.picture.duration_s
    check_same(one)
    with av.open(str(one.found.small.path)) as container:
        frames = sum(1 for _ in container.decode(video=0))
    assert frames < one.picture.frame_count * 0.9


def test_the_frames_around_each_cut_are_in_the_small_film(shots: Any, made: Any) -> None:
    """Whatever the distance of key frames: also where a part is looked at twice."""
    groups = ("-g", "300", "-sc_threshold", "0")
    one = made(shots("film.mp4", *H264, *groups))
    assert one.found.small is not None
    seen = [round(time_s * 25) for time_s, _ in pictures(one.found.small.path)]
    assert seen == sorted(set(seen))
    for cut_s in firsts(one.picture)[1:]:
        cut = int(cut_s * 25)
        assert {cut - 1, cut} <= set(seen)
    check_same(one)


@pytest.mark.parametrize(
    ("size", "filters", "wide_px", "high_px"),
    [
        ("320x180", "setsar=1", 160, LINES),
        ("144x180", "setsar=64/45", 102, LINES),
        ("321x181", "setsar=1,format=yuv444p", 160, LINES),
    ],
)
def test_shape_is_that_of_the_picture(
    size: str, filters: str, wide_px: int, high_px: int, make_media: Any, made: Any
) -> None:
    film = make_media(
        "shape.mp4",
        *("-f", "lavfi", "-i", f"testsrc=size={size}:rate=25:duration=4"),
        *("-vf", filters, "-c:v", "libx264", "-preset", "fast", "-bf", "2"),
    )
    one = made(film)
    assert one.found.small is not None
    assert {(part.width_px, part.height_px) for part in one.small.reels} == {(wide_px, high_px)}
    check_same(one)


def test_full_range_and_a_late_start_are_put_right(make_media: Any, made: Any) -> None:
    film = make_media(
        "late.mkv",
        *("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=4"),
        *("-vf", "scale=out_range=full,format=yuvj420p", "-c:v", "libx264", "-bf", "2"),
        *("-color_range", "pc", "-output_ts_offset", "1.5"),
    )
    one = made(film)
    assert one.found.small is not None
    assert one.picture.start_s > 1
    check_same(one)


def test_cues_leave_out_the_rest(shots: Any, probed: Probed, tmp_path: Path) -> None:
    source, picture = probed(shots("film.mp4"))
    settings = SpotSettings(max_scenes=20, listen=False)
    found = spot(source, picture, settings, folder=tmp_path, small_height_px=LINES)
    cuts = firsts(picture)
    cue = replace(found.notes.cues[0], range=TimeRange.between(cuts[1], cuts[3]), hit_points=())
    notes = replace(found.notes, cues=(cue,))
    reels = reel(source, picture, notes, LIMITS, found.small, folder=tmp_path)
    assert reels.reels[0].range.start_s == cuts[1]
    assert reels.duration_s == cue.range.duration_s
    first = pictures(proxy_of(reels.reels[0]))[0][1]
    # Green, as the second shot is, but for the bar.
    assert np.median(first.reshape(-1, 3), axis=0)[1] > 90
    assert np.median(first.reshape(-1, 3), axis=0)[0] < 40


@pytest.mark.parametrize(
    "why", ["container", "damage", "full", "small", "turned", "uneven", "unwanted"]
)
def test_without_a_small_film_the_source_is_decoded(
    why: str, shots: Any, make_media: Any, probed: Probed, tmp_path: Path
) -> None:
    film = shots("film.ts" if why == "container" else "film.mp4")
    if why == "damage":
        raw = bytearray(film.read_bytes())
        at = len(raw) // 2
        raw[at : at + 400] = bytes(400)
        film = tmp_path / "damaged.mp4"
        film.write_bytes(raw)
    if why == "turned":
        film = make_media("turned.mp4", "-display_rotation", "180", "-i", film, "-c", "copy")
    if why == "uneven":
        vary = "setpts='if(gt(N,100),PTS+0.02/TB,PTS)'"
        film = make_media("uneven.mp4", "-i", film, "-vf", vary, "-fps_mode", "vfr", *H264)
    source, picture = probed(film)
    settings = SpotSettings(
        max_scenes=20,
        listen=False,
        accuracy="full" if why == "full" else "fast",
    )
    lines = {"small": 180, "unwanted": None}.get(why, LINES)
    folder = tmp_path / "spot"
    folder.mkdir()
    found = spot(source, picture, settings, folder=folder, small_height_px=lines)
    assert found.small is None
    assert [*folder.iterdir()] == []
    reels = reel(source, picture, found.notes, LIMITS, found.small, folder=tmp_path)
    assert reels.duration_s == picture.duration_s
    assert all(part.height_px == LINES for part in reels.reels)


def test_what_says_that_it_is_rgb_is_told_as_what_it_has_become(make_media: Any, made: Any) -> None:
    film = make_media(
        "rgb.mkv",
        *("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=4"),
        *("-c:v", "libx264rgb", "-pix_fmt", "rgb24", "-preset", "fast", "-bf", "2"),
    )
    one = made(film)
    assert one.found.small is not None
    check_same(one)


def test_one_endless_group_of_pictures_is_decoded_whole(
    make_media: Any, probed: Probed, tmp_path: Path
) -> None:
    """It could only be held whole."""
    film = make_media(
        "endless.mp4",
        *("-f", "lavfi", "-i", "color=gray:size=64x48:rate=50:duration=62"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "9999"),
    )
    source, picture = probed(film)
    settings = SpotSettings(max_scenes=5, listen=False)
    assert spot(source, picture, settings, folder=tmp_path, small_height_px=24).small is None


def test_a_full_disk_is_told_as_such_and_leaves_nothing(
    shots: Any, probed: Probed, tmp_path: Path
) -> None:
    source, picture = probed(shots("film.mp4"))
    settings = SpotSettings(max_scenes=20, listen=False)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(OSError, match="large"):
            spot(source, picture, settings, folder=tmp_path, small_height_px=LINES)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not [*tmp_path.glob("*.mp4")]


@pytest.mark.parametrize("why", ["between", "lines"])
def test_a_small_film_that_lacks_something_is_left_alone(
    why: str, shots: Any, probed: Probed, tmp_path: Path
) -> None:
    """A reel that begins where it has no frame, or proxies of more lines than it has."""
    source, picture = probed(shots("film.mp4", *H264, "-bf", "8", "-b_strategy", "0"))
    settings = SpotSettings(max_scenes=20, listen=False)
    folder = tmp_path / "spot"
    folder.mkdir()
    found = spot(source, picture, settings, folder=folder, small_height_px=LINES)
    assert found.small is not None
    seen = {round(time_s * 25) for time_s, _ in pictures(found.small.path)}
    missing = next(frame for frame in range(60, 140) if frame not in seen)
    start_s = Fraction(missing, 25) if why == "between" else Fraction(0)
    cue = replace(
        found.notes.cues[0], range=TimeRange.between(start_s, picture.duration_s), hit_points=()
    )
    limits = replace(LIMITS, proxy_height_px=LINES if why == "between" else 120)
    notes = replace(found.notes, cues=(cue,))
    ours, theirs = (
        reel(source, picture, notes, limits, small, folder=tmp_path).reels[0]
        for small in (found.small, None)
    )
    assert ours.height_px == limits.proxy_height_px
    assert ours.proxy is not None
    assert theirs.proxy is not None
    assert len(pictures(ours.proxy.path)) == len(pictures(theirs.proxy.path))
