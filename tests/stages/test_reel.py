"""Reel: proxies that hold every frame of the picture once, within a provider's limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from scorebed.errors import ScorebedError
from scorebed.model import (
    Limits,
    Picture,
    PictureCurve,
    Reel,
    ReelSet,
    Scene,
    SourceFile,
    SpottingNotes,
    TimeRange,
)
from scorebed.packets import read_contents
from scorebed.stages.reel import reel
from scorebed.wav import sha256_of

Probed = Callable[[Path], tuple[SourceFile, Picture]]
LOOKS = Limits(
    needs_proxies=True,
    max_reels=20,
    max_duration_s=None,
    max_size_bytes=None,
    network=False,
)
# Each frame is one grey, by its number; neighbours differ by much, and no grey comes back soon.
COUNTED = "geq=lum='16+mod(N*37,211)':cb=128:cr=128"


@pytest.fixture(scope="session")
def counted(make_media: Callable[..., Path]) -> Callable[..., Path]:
    def make(name: str, *extra: str, rate: str = "25", size: str = "96x64") -> Path:
        return make_media(
            name,
            *("-f", "lavfi", "-i", f"color=black:size={size}:rate={rate}:duration=6"),
            *("-vf", COUNTED, "-c:v", "libx264", "-preset", "ultrafast", "-crf", "10", "-bf", "2"),
            *("-pix_fmt", "yuv420p", *extra),
        )

    return make


def notes_of(picture: Picture, scene_frames: list[int]) -> SpottingNotes:
    """Notes with scenes that start on those frames."""
    starts = [Fraction(frame) / picture.frame_rate for frame in scene_frames]
    ends = [*starts[1:], picture.duration_s]
    scenes = tuple(
        Scene(
            range=TimeRange.between(start_s, end_s),
            shots=1,
            motion=0.1,
            brightness=0.5,
            saturation=0.5,
            warmth=0.0,
        )
        for start_s, end_s in zip(starts, ends, strict=True)
    )
    return SpottingNotes(
        duration_s=picture.duration_s,
        frame_rate=picture.frame_rate,
        shots=(),
        scenes=scenes,
        speech=(),
        curve=PictureCurve(hop_s=Fraction(1, 2), motion=(), brightness=()),
        cues=(),
    )


def greys(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [
            float(frame.to_ndarray(format="gray")[8:-8, 8:-8].mean())
            for frame in container.decode(video=0)
        ]


def paths_of(reels: ReelSet) -> list[Path]:
    proxies = [part.proxy for part in reels.reels]
    return [proxy.path for proxy in proxies if proxy is not None]


def check_all_frames(film: Path, reels: ReelSet, frames: list[int]) -> None:
    shown = [greys(path) for path in paths_of(reels)]
    assert [len(part) for part in shown] == frames
    expected = greys(film)
    assert np.abs(np.array([*chain(*shown)]) - expected).max() < 8


# --- what is in them ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "rate"), [("a.mp4", "25"), ("a.mkv", "30000/1001"), ("a.ts", "24"), ("a.mov", "50")]
)
def test_every_frame_is_in_one_proxy(
    name: str, rate: str, counted: Any, probed: Probed, tmp_path: Path
) -> None:
    film = counted(name, rate=rate)
    source, picture = probed(film)
    starts = [0, 31, 75, 76, 120]
    reels = reel(source, picture, notes_of(picture, starts), LOOKS, folder=tmp_path)
    total = picture.frame_count
    wanted = [after - first for first, after in pairwise([*starts, total])]
    check_all_frames(film, reels, wanted)
    for part in reels.reels:
        assert part.proxy is not None
        assert part.proxy.sha256 == sha256_of(part.proxy.path)
        contents = read_contents(part.proxy.path, stage="test")
        assert contents.sound_index is None
        assert contents.clock is not None
        assert abs(contents.clock.duration_s - part.range.duration_s) < Fraction(1, 500)


@pytest.mark.parametrize("sound_first_s", ["0.7", "0"])
def test_a_picture_that_starts_late_is_cut_on_the_same_frames(
    sound_first_s: str, counted: Any, make_media: Any, probed: Probed, tmp_path: Path
) -> None:
    film = counted("base.mp4")
    late = make_media(
        "late.mkv",
        *("-itsoffset", sound_first_s, "-i", film, "-f", "lavfi", "-i", "sine", "-t", "7"),
        *("-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "pcm_s16le"),
    )
    source, picture = probed(late)
    reels = reel(source, picture, notes_of(picture, [0, 40, 101]), LOOKS, folder=tmp_path)
    check_all_frames(film, reels, [40, 61, 49])
    for path in paths_of(reels):
        assert read_contents(path, stage="test").sound_index is None


def test_a_varying_rate_keeps_its_frames(make_media: Any, probed: Probed, tmp_path: Path) -> None:
    film = make_media(
        "vfr.mkv",
        *("-f", "lavfi", "-i", "color=black:size=96x64:rate=30:duration=6"),
        *("-vf", f"{COUNTED},select='if(lt(t,3),1,not(mod(n,5)))'", "-fps_mode", "vfr"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "10"),
    )
    source, picture = probed(film)
    # A scene that starts on a frame, at 3 s, where the rate changes.
    at_s = Fraction(3)
    notes = notes_of(picture, [0])
    first = replace(notes.scenes[0], range=TimeRange.between(Fraction(0), at_s))
    second = replace(notes.scenes[0], range=TimeRange.between(at_s, picture.duration_s))
    reels = reel(source, picture, replace(notes, scenes=(first, second)), LOOKS, folder=tmp_path)
    check_all_frames(film, reels, [90, 18])


@pytest.mark.parametrize(
    ("size", "expected"), [("96x64", (96, 64)), ("640x480", (480, 360)), ("101x75", (100, 74))]
)
def test_proxies_are_small_and_even(
    size: str, expected: tuple[int, int], make_media: Any, probed: Probed, tmp_path: Path
) -> None:
    film = make_media(
        "size.mkv",
        *("-f", "lavfi", "-i", f"testsrc2=size={size}:duration=1", "-pix_fmt", "yuv444p"),
        *("-c:v", "libx264", "-preset", "ultrafast"),
    )
    source, picture = probed(film)
    reels = reel(source, picture, notes_of(picture, [0]), LOOKS, folder=tmp_path)
    width_px, height_px = read_contents(paths_of(reels)[0], stage="test").size_px
    assert height_px == expected[1]
    assert width_px % 2 == 0
    assert abs(width_px - expected[0]) <= 2


@pytest.mark.parametrize("name", ["50%d", "a:b", "it's [0]", "-x"])
def test_the_folder_may_have_any_name(
    name: str, counted: Any, probed: Probed, tmp_path: Path
) -> None:
    source, picture = probed(counted("a.mp4"))
    folder = tmp_path / name
    folder.mkdir()
    reels = reel(source, picture, notes_of(picture, [0, 60]), LOOKS, folder=folder)
    assert [path.parent for path in paths_of(reels)] == [folder, folder]
    assert sorted(folder.iterdir()) == sorted(paths_of(reels))


def test_the_same_picture_gives_the_same_proxies(
    counted: Any, probed: Probed, tmp_path: Path
) -> None:
    source, picture = probed(counted("a.mp4"))
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        reels = reel(source, picture, notes_of(picture, [0, 60]), LOOKS, folder=tmp_path / name)
        made.append([part.proxy.sha256 for part in reels.reels if part.proxy])
    assert made[0] == made[1]


# --- limits ------------------------------------------------------------------------------------


def test_a_provider_that_does_not_look_gets_no_proxy(
    counted: Any, probed: Probed, tmp_path: Path
) -> None:
    source, picture = probed(counted("a.mp4"))
    (tmp_path / "out").mkdir()
    blind = replace(LOOKS, needs_proxies=False, max_reels=1)
    reels = reel(source, picture, notes_of(picture, [0, 60]), blind, folder=tmp_path / "out")
    assert [(part.range.end_s, part.proxy) for part in reels.reels] == [(picture.duration_s, None)]
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("most", "starts"),
    [(5, [0, 30, 40, 90, 140]), (4, [0, 40, 90, 140]), (3, [0, 90, 140]), (1, [0])],
)
def test_scenes_are_joined_until_there_are_few_enough(
    most: int, starts: list[int], counted: Any, probed: Probed, tmp_path: Path
) -> None:
    film = counted("a.mp4")
    source, picture = probed(film)
    notes = notes_of(picture, [0, 30, 40, 90, 140])
    reels = reel(source, picture, notes, replace(LOOKS, max_reels=most), folder=tmp_path)
    assert len(reels.reels) <= most
    if most in {5, 1}:
        assert [part.range.start_s * 25 for part in reels.reels] == starts
    firsts = [int(part.range.start_s * 25) for part in reels.reels]
    assert set(firsts) <= {0, 30, 40, 90, 140}
    check_all_frames(film, reels, [after - first for first, after in pairwise([*firsts, 150])])


def test_a_picture_that_is_too_long_is_refused_before_any_work(
    counted: Any, probed: Probed, tmp_path: Path
) -> None:
    source, picture = probed(counted("a.mp4"))
    (tmp_path / "out").mkdir()
    notes, folder = notes_of(picture, [0]), tmp_path / "out"
    reel(source, picture, notes, replace(LOOKS, max_duration_s=Fraction(6)), folder=folder)
    for path in folder.iterdir():
        path.unlink()
    short = replace(LOOKS, max_duration_s=Fraction(599, 100))
    with pytest.raises(ScorebedError, match=r"the provider takes [56]"):
        reel(source, picture, notes, short, folder=folder)
    assert not list(folder.iterdir())


def test_proxies_that_are_too_large_are_refused(
    counted: Any, probed: Probed, tmp_path: Path
) -> None:
    source, picture = probed(counted("a.mp4"))
    with pytest.raises(ScorebedError, match="MB") as caught:
        reel(
            source,
            picture,
            notes_of(picture, [0]),
            replace(LOOKS, max_size_bytes=500),
            folder=tmp_path,
        )
    assert caught.value.remedy


def test_a_reel_set_must_tile_the_picture() -> None:
    def part(start_s: int, end_s: int) -> Reel:
        return Reel(range=TimeRange.between(Fraction(start_s), Fraction(end_s)), proxy=None)

    ReelSet(duration_s=Fraction(3), reels=(part(0, 1), part(1, 3)))
    for reels in (
        (),
        (part(0, 2),),
        (part(1, 3),),
        (part(0, 1), part(2, 3)),
        (part(0, 2), part(1, 3)),
        (part(0, 1), part(1, 4)),
    ):
        with pytest.raises(ScorebedError, match="do not tile"):
            ReelSet(duration_s=Fraction(3), reels=reels)
