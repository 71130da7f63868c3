"""Reel: proxies that hold every frame of the picture once, within a provider's limits."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from scorebed.errors import MediaError, OverLimit, ScorebedError
from scorebed.media import identify
from scorebed.model import (
    Cue,
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
from scorebed.stages.probe import look
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
        cues=(cue_of(picture.duration_s),),
    )


def cue_of(end_s: Fraction, start_s: Fraction = Fraction(0)) -> Cue:
    return Cue(number="1M1", range=TimeRange.between(start_s, end_s), hit_points=())


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
    ("name", "rate"),
    [("a.mp4", "25"), ("a.mkv", "24000/1001"), ("a.ts", "24"), ("a.mov", "12"), ("a.avi", "25")],
)
def test_every_frame_is_in_one_proxy(
    name: str, rate: str, counted: Any, probed: Probed, tmp_path: Path
) -> None:
    film = counted(name, "-bf", "0" if name == "a.avi" else "2", rate=rate)
    source, picture = probed(film)
    starts = [0, 31, 44, 45, 60]
    notes = notes_of(picture, starts)
    reels = reel(source, picture, notes, LOOKS, folder=tmp_path)
    firsts = [int(part.range.start_s * picture.frame_rate) for part in reels.reels]
    # One frame is no reel: it goes with a neighbour.
    assert firsts == [0, 31, 45, 60]
    wanted = [after - first for first, after in pairwise([*firsts, picture.frame_count])]
    check_all_frames(film, reels, wanted)
    check_files(reels, picture)


def check_files(reels: ReelSet, picture: Picture) -> None:
    """Each proxy is what its reel says, and as long as its range to a frame of the source."""
    drift_s = Fraction(0)
    for part in reels.reels:
        assert part.proxy is not None
        assert part.proxy.sha256 == sha256_of(part.proxy.path)
        contents = read_contents(part.proxy.path, stage="test")
        assert (contents.sound_index is not None) == part.audio
        assert contents.size_px == (part.width_px, part.height_px)
        assert contents.clock is not None
        assert contents.start_s == contents.clock.start_s == 0
        assert abs(contents.clock.duration_s - part.range.duration_s) < 1 / picture.frame_rate
        drift_s += contents.clock.duration_s
    assert abs(drift_s - reels.duration_s) < Fraction(1, 500)


@pytest.mark.parametrize(
    ("rate", "kept"),
    [
        ("30", [0, 1, 2, 4, 5, 6]),
        ("30000/1001", [0, 1, 2, 4, 5, 6]),
        ("50", [0, 2, 4, 6, 8, 10]),
        ("60000/1001", [0, 2, 4, 7, 9]),
    ],
)
@pytest.mark.parametrize("name", ["fast.mp4", "fast.mkv"])
def test_a_fast_picture_is_thinned_to_its_own_frames_from_each_reels_first(
    name: str, rate: str, kept: list[int], counted: Any, probed: Probed, tmp_path: Path
) -> None:
    film = counted(name, rate=rate)
    source, picture = probed(film)
    starts = [0, 43, 101]
    reels = reel(source, picture, notes_of(picture, starts), LOOKS, folder=tmp_path)
    check_files(reels, picture)
    whole = greys(film)
    for (first, after), path in zip(
        pairwise([*starts, picture.frame_count]), paths_of(reels), strict=True
    ):
        with av.open(str(path)) as container:
            times = [frame.time for frame in container.decode(video=0)]
        numbers = [round(at_s * picture.frame_rate) for at_s in times if at_s is not None]
        assert numbers[: len(kept)] == kept
        assert np.abs(np.array(greys(path)) - [whole[first + at] for at in numbers]).max() < 8
        expected = float((after - first) / picture.frame_rate * 25)
        assert abs(len(numbers) - expected) <= 1


@pytest.mark.parametrize(
    ("end_s", "frames"),
    [
        (Fraction(4), 100),
        (Fraction(397, 100), 100),
        (Fraction(3961, 1000), 100),
        (Fraction(396, 100), 99),
        (Fraction(1, 100), 1),
    ],
)
def test_only_the_cued_picture_is_sent(
    end_s: Fraction, frames: int, counted: Any, probed: Probed, tmp_path: Path
) -> None:
    film = counted("a.mp4")
    source, picture = probed(film)
    notes = replace(notes_of(picture, [0, 31, 120]), cues=(cue_of(end_s),))
    reels = reel(source, picture, notes, LOOKS, folder=tmp_path)
    assert reels.duration_s == end_s
    shown = [*chain(*(greys(path) for path in paths_of(reels)))]
    assert len(shown) == frames
    assert np.abs(np.array(shown) - greys(film)[:frames]).max() < 8
    check_files(reels, picture)


@pytest.mark.parametrize(
    ("name", "rate"),
    [("a.mp4", "25"), ("a.mkv", "24000/1001"), ("a.ts", "24"), ("a.avi", "25"), ("b.mp4", "50")],
)
@pytest.mark.parametrize(
    "cues", [[(0, 40), (55, 56), (90, 120)], [(17, 44), (100, 131)], [(9, 60)]]
)
def test_what_lies_between_cues_is_not_sent(
    cues: list[tuple[int, int]],
    name: str,
    rate: str,
    counted: Any,
    probed: Probed,
    tmp_path: Path,
) -> None:
    film = counted(name, "-bf", "0" if name == "a.avi" else "2", rate=rate)
    source, picture = probed(film)
    wanted = tuple(
        cue_of(after / picture.frame_rate, first / picture.frame_rate)
        for first, after in (map(Fraction, cue) for cue in cues)
    )
    notes = replace(notes_of(picture, [0, 31, 101]), cues=wanted)
    reels = reel(source, picture, notes, LOOKS, folder=tmp_path)
    shown = [*chain(*(greys(path) for path in paths_of(reels)))]
    if picture.frame_rate <= 25:
        expected = [grey for first, after in cues for grey in greys(film)[first:after]]
        assert len(shown) == len(expected)
        assert np.abs(np.array(shown) - expected).max() < 8
    else:
        assert abs(len(shown) - 25 * reels.duration_s) <= len(reels.reels)
    check_files(reels, picture)


def test_frames_that_an_edit_list_hides_are_not_sent(
    counted: Any, make_media: Any, probed: Probed, tmp_path: Path
) -> None:
    film = counted("base.mp4", "-g", "50")
    cut = make_media("cut.mp4", "-ss", "0.8", "-i", film, "-c", "copy")
    source, picture = probed(cut)
    assert picture.hidden_frames == 20
    reels = reel(source, picture, notes_of(picture, [0, 40]), LOOKS, folder=tmp_path)
    shown = [*chain(*(greys(path) for path in paths_of(reels)))]
    assert np.abs(np.array(shown) - greys(film)[20:]).max() < 8
    check_files(reels, picture)


def test_a_picture_whose_first_frames_are_lost_keeps_its_time(
    counted: Any, probed: Probed, tmp_path: Path
) -> None:
    film = counted("whole.ts", "-g", "25", "-sc_threshold", "0")
    packets = film.read_bytes()
    torn = tmp_path / "torn.ts"
    # From inside the first group of pictures on: no frame before the next key frame decodes.
    tables = packets[: 188 * 3]
    torn.write_bytes(tables + packets[len(packets) // 60 // 188 * 188 * 4 :])
    source, picture = probed(torn)
    reels = reel(source, picture, scenes_at(picture, Fraction(3)), LOOKS, folder=tmp_path)
    after = round((picture.duration_s - 3) * 25)
    second = greys(paths_of(reels)[1])
    assert len(second) == after
    assert np.abs(np.array(second) - greys(film)[-after:]).max() < 8
    check_files(reels, picture)


def scenes_at(picture: Picture, at_s: Fraction) -> SpottingNotes:
    """Notes with two scenes, the second from there on."""
    notes = notes_of(picture, [0])
    first = replace(notes.scenes[0], range=TimeRange.between(Fraction(0), at_s))
    second = replace(notes.scenes[0], range=TimeRange.between(at_s, picture.duration_s))
    return replace(notes, scenes=(first, second))


@pytest.mark.parametrize("changed", ["192x128", "64x96"])
def test_a_picture_that_changes_its_size_is_one_picture(
    changed: str, counted: Any, make_media: Any, probed: Probed, tmp_path: Path
) -> None:
    small, large = counted("one.ts"), counted("two.ts", size=changed)
    joined = make_media("joined.ts", "-i", f"concat:{small}|{large}", "-c", "copy")
    source, picture = probed(joined)
    reels = reel(source, picture, notes_of(picture, [0, 75, 225]), LOOKS, folder=tmp_path)
    shown = [greys(path) for path in paths_of(reels)]
    assert [len(part) for part in shown] == [75, 150, 75]
    assert np.abs(np.array(shown[2]) - greys(large)[75:]).max() < 12


def test_no_frame_is_lost_of_a_container_without_time_stamps(
    counted: Any, probed: Probed, tmp_path: Path
) -> None:
    # H.264 with B-frames in AVI: decoders name times that are frames late.
    film = counted("late.avi", "-bf", "2")
    source, picture = probed(film)
    reels = reel(source, picture, notes_of(picture, [0, 60]), LOOKS, folder=tmp_path)
    shown = [*chain(*(greys(path) for path in paths_of(reels)))]
    assert np.abs(np.array(shown) - greys(film)).max() < 8


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
    reels = reel(source, picture, scenes_at(picture, Fraction(3)), LOOKS, folder=tmp_path)
    check_all_frames(film, reels, [90, 18])
    check_files(reels, picture)


def test_a_reel_without_a_frame_is_refused(make_media: Any, probed: Probed, tmp_path: Path) -> None:
    film = make_media(
        "held.mkv",
        *("-f", "lavfi", "-i", "color=black:size=96x64:rate=25:duration=20"),
        *("-vf", "select='lt(n,25)+gte(n,450)'", "-fps_mode", "vfr"),
        *("-c:v", "libx264", "-preset", "ultrafast"),
    )
    source, picture = probed(film)
    limits = replace(LOOKS, max_duration_s=Fraction(4))
    with pytest.raises(MediaError, match="no frame to show"):
        reel(source, picture, notes_of(picture, [0]), limits, folder=tmp_path)


@pytest.mark.parametrize(
    ("size", "extra", "expected"),
    [
        ("96x64", "", (96, 64)),
        ("640x480", "", (480, 360)),
        ("101x75", "", (100, 74)),
        ("360x640", "", (202, 360)),
        ("720x576", "-aspect 16:9", (640, 360)),
        ("3000x24", "", (3000, 24)),
        ("640x480", "-pix_fmt yuv420p10le -profile:v high10", (480, 360)),
    ],
)
def test_proxies_are_small_and_even_with_square_pixels(
    size: str,
    extra: str,
    expected: tuple[int, int],
    make_media: Any,
    probed: Probed,
    tmp_path: Path,
) -> None:
    film = make_media(
        "size.mkv",
        *("-f", "lavfi", "-i", f"testsrc2=size={size}:duration=1", "-pix_fmt", "yuv444p"),
        *("-c:v", "libx264", "-preset", "ultrafast", *extra.split()),
    )
    source, picture = probed(film)
    reels = reel(source, picture, notes_of(picture, [0]), LOOKS, folder=tmp_path)
    assert (reels.reels[0].width_px, reels.reels[0].height_px) == expected
    with av.open(str(paths_of(reels)[0])) as container:
        video = container.streams.video[0]
        assert video.codec_context.pix_fmt == "yuv420p"
        assert video.codec_context.name == "h264"
        assert video.sample_aspect_ratio in {None, 1}


def test_a_picture_that_is_turned_is_sent_upright(
    make_media: Any, probed: Probed, tmp_path: Path
) -> None:
    lying = make_media(
        "lying.mp4",
        *("-f", "lavfi", "-i", "color=black:size=96x64:rate=25:duration=1"),
        *("-vf", "drawbox=x=0:y=0:w=48:h=64:color=white:t=fill"),
        *("-c:v", "libx264", "-pix_fmt", "yuv420p"),
    )
    turned = make_media("turned.mp4", "-display_rotation", "90", "-i", lying, "-c", "copy")
    source, picture = probed(turned)
    reels = reel(source, picture, notes_of(picture, [0]), LOOKS, folder=tmp_path)
    assert (reels.reels[0].width_px, reels.reels[0].height_px) == (64, 96)
    with av.open(str(paths_of(reels)[0])) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="gray")
    # What lay on the left is now below: a quarter turn against the clock.
    assert frame[60:, :].mean() > 200
    assert frame[:36, :].mean() < 40


def test_nothing_of_the_users_file_goes_along_but_its_picture(
    counted: Any, make_media: Any, probed: Probed, tmp_path: Path
) -> None:
    film = make_media(
        "secret-name.mkv",
        *("-i", counted("a.mp4"), "-c", "copy"),
        *("-metadata", "title=secret-title", "-metadata:s:v", "title=secret-stream"),
        *("-metadata:s:v", "handler_name=secret-handler", "-metadata", "comment=/home/secret"),
    )
    source, picture = probed(film)
    reels = reel(source, picture, notes_of(picture, [0, 60]), LOOKS, folder=tmp_path)
    for path in paths_of(reels):
        content = path.read_bytes()
        assert b"secret" not in content
        assert str(tmp_path).encode() not in content
        assert content.index(b"moov") < content.index(b"mdat"), "a player must wait for all of it"


# --- sound -------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset_s", [0.0, 0.7, -0.2])
def test_production_audio_goes_along_in_sync(
    offset_s: float, make_video: Any, probed: Probed, heard: Any, locate_burst: Any, tmp_path: Path
) -> None:
    # The burst is at 1 s of the sound's clock, the cut just before it.
    film = make_video("talk.mkv", offset_s=offset_s)
    source, picture = probed(film)
    cut = int((1 + offset_s) * 25) - 5
    limits = replace(LOOKS, sound=True)
    reels = reel(source, picture, notes_of(picture, [0, cut]), limits, folder=tmp_path)
    check_files(reels, picture)
    assert [part.audio for part in reels.reels] == [True, True]
    for part, path in zip(reels.reels, paths_of(reels), strict=True):
        sound, start = heard(path)
        assert sound.shape[1] == 1
        assert abs(start) <= 1024, "AAC's own priming"
        length_s = (start + len(sound)) / 48_000
        assert abs(length_s - float(part.range.duration_s)) < 0.025
    sound, start = heard(paths_of(reels)[1])
    at_s = (start + locate_burst(sound[:, 0])) / 48_000 + cut / 25
    assert abs(at_s - 1 - offset_s) < 0.002


def test_no_sound_goes_along_unless_it_is_asked_for_and_there(
    make_video: Any, probed: Probed, tmp_path: Path
) -> None:
    for film, limits in (
        (make_video("talk.mkv"), LOOKS),
        (make_video("mute.mkv", sound=None), replace(LOOKS, sound=True)),
    ):
        source, picture = probed(film)
        reels = reel(source, picture, notes_of(picture, [0, 30]), limits, folder=tmp_path)
        check_files(reels, picture)
        assert not any(part.audio for part in reels.reels)


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
    [(5, [0, 30, 45, 90, 130]), (4, [0, 45, 90, 130]), (3, [0, 45, 90]), (1, [0])],
)
def test_scenes_are_joined_until_there_are_few_enough(
    most: int, starts: list[int], counted: Any, probed: Probed, tmp_path: Path
) -> None:
    film = counted("a.mp4")
    source, picture = probed(film)
    notes = notes_of(picture, [0, 30, 45, 90, 130])
    reels = reel(source, picture, notes, replace(LOOKS, max_reels=most), folder=tmp_path)
    assert len(reels.reels) <= most
    firsts = [int(part.range.start_s * 25) for part in reels.reels]
    assert firsts == starts
    check_all_frames(film, reels, [after - first for first, after in pairwise([*firsts, 150])])


def test_a_long_picture_goes_with_several_requests_in_one_decode(
    counted: Any, probed: Probed, tmp_path: Path
) -> None:
    film = counted("a.mp4")
    source, picture = probed(film)
    notes = notes_of(picture, [0, 30, 60, 85, 120])
    limits = replace(LOOKS, max_duration_s=Fraction(5, 2), max_reels=2)
    reels = reel(source, picture, notes, limits, folder=tmp_path)
    assert len(reels.parts) == 3
    assert [part[0].part for part in reels.parts] == [0, 1, 2]
    assert all(len(part) <= 2 for part in reels.parts)
    assert all(
        part[-1].range.end_s - part[0].range.start_s <= Fraction(5, 2) for part in reels.parts
    )
    firsts = [int(part.range.start_s * 25) for part in reels.reels]
    check_all_frames(film, reels, [after - first for first, after in pairwise([*firsts, 150])])
    check_files(reels, picture)


def test_a_blind_provider_gets_a_reel_for_each_request(
    counted: Any, probed: Probed, tmp_path: Path
) -> None:
    source, picture = probed(counted("a.mp4"))
    limits = replace(LOOKS, needs_proxies=False, max_duration_s=Fraction(4))
    notes = notes_of(picture, [0, 30, 60, 85])
    reels = reel(source, picture, notes, limits, folder=tmp_path)
    assert [len(part) for part in reels.parts] == [1, 1]
    assert all(part.proxy is None for part in reels.reels)


LOSSLESS = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "0")
NOISE = ("-f", "lavfi", "-i", "color=gray:size=640x360:rate=60:duration=10")


@pytest.fixture(scope="session")
def noise(make_media: Any) -> Path:
    """What compresses worst, over 25 frames per second."""
    film: Path = make_media(
        "noise.mkv",
        *(*NOISE, "-vf", "noise=alls=100:allf=t+u:all_seed=5"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "20"),
    )
    return film


def size_of(reels: ReelSet) -> int:
    return sum(path.stat().st_size for path in paths_of(reels))


def test_even_noise_takes_less_than_two_megabytes_a_minute(
    noise: Path, probed: Probed, tmp_path: Path
) -> None:
    source, picture = probed(noise)
    reels = reel(source, picture, notes_of(picture, [*range(0, 600, 60)]), LOOKS, folder=tmp_path)
    assert len(reels.reels) == 10
    assert size_of(reels) < 2_000_000 / 6
    assert reels.reels[0].height_px == 360, "the first attempt has to do"


@pytest.mark.parametrize("most_bytes", [200_000, 120_000, 60_000])
def test_the_rate_follows_the_limit(
    most_bytes: int, noise: Path, probed: Probed, tmp_path: Path
) -> None:
    source, picture = probed(noise)
    limits = replace(LOOKS, max_size_bytes=most_bytes)
    reels = reel(source, picture, notes_of(picture, [0, 200, 400]), limits, folder=tmp_path)
    assert size_of(reels) <= 0.95 * most_bytes
    check_files(reels, picture)


@pytest.mark.slow
def test_the_height_can_be_chosen_and_limits_hold(
    noise: Path, make_media: Any, probed: Probed, tmp_path: Path
) -> None:
    large = make_media(
        "large.mkv", *("-f", "lavfi", "-i", "testsrc2=size=1280x720:duration=1"), *LOSSLESS
    )
    sizes = {}
    for height_px, film in ((144, noise), (240, noise), (360, noise), (720, large)):
        source, picture = probed(film)
        folder = tmp_path / str(height_px)
        folder.mkdir()
        limits = replace(LOOKS, proxy_height_px=height_px)
        reels = reel(source, picture, notes_of(picture, [0]), limits, folder=folder)
        (path,) = paths_of(reels)
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0))
        assert (frame.height, reels.reels[0].height_px) == (height_px, height_px)
        sizes[height_px] = size_of(reels)
    # More pixels get more bits, up to what a request takes.
    assert 1.5 * sizes[144] < sizes[240] < sizes[360] / 1.5
    limits = replace(LOOKS, proxy_height_px=720, max_size_bytes=sizes[720] // 2)
    limited = reel(source, picture, notes_of(picture, [0]), limits, folder=folder)
    assert size_of(limited) <= 0.95 * sizes[720] // 2


def test_proxies_that_are_too_large_are_refused(
    counted: Any, probed: Probed, tmp_path: Path
) -> None:
    source, picture = probed(counted("a.mp4"))
    limits = replace(LOOKS, max_size_bytes=500)
    with pytest.raises(OverLimit, match=r"0\.0\d+ MB more than") as caught:
        reel(source, picture, notes_of(picture, [0]), limits, folder=tmp_path)
    assert caught.value.remedy


@pytest.mark.media
@pytest.mark.parametrize(
    "name",
    [
        "bbb_trailer_fragmented.mp4",
        "big_buck_bunny_0_30.webm",
        "bikes.mp4",
        "chrome.mp4",
        "chrome.webm",
        "nasa_13013.mp4",
        "tears-of-steel-battle-clip-medium.webm",
    ],
)
@pytest.mark.parametrize("reels_wanted", [1, 10])
def test_edited_films_take_less_than_two_megabytes_a_minute(
    name: str, reels_wanted: int, media_dir: Path, tmp_path: Path
) -> None:
    source = identify(media_dir / "edited" / name)
    picture = look(source)
    assert picture.duration_s >= 10
    frames = [picture.frame_count * number // reels_wanted for number in range(reels_wanted)]
    reels = reel(source, picture, notes_of(picture, frames), LOOKS, folder=tmp_path)
    assert size_of(reels) < 2_000_000 * picture.duration_s / 60
    check_files(reels, picture)
    if picture.frame_rate <= 25:
        shown = sum(len(greys(path)) for path in paths_of(reels))
        assert shown == picture.frame_count


@pytest.mark.slow
def test_a_programme_of_47_minutes(make_media: Any, probed: Probed, tmp_path: Path) -> None:
    peaks = {}
    for minutes in (5, 47):
        film = make_media(
            f"programme-{minutes}.mp4",
            *("-f", "lavfi", "-i", f"testsrc2=size=256x144:rate=25:duration={60 * minutes}"),
            *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "30"),
        )
        source, picture = probed(film)
        scenes = [*range(0, picture.frame_count, 37 * 25)]
        limits = replace(
            LOOKS, max_reels=10, max_duration_s=Fraction(600), max_size_bytes=200_000_000
        )
        folder = tmp_path / str(minutes)
        folder.mkdir()
        with peak_of_children() as peak:
            reels = reel(source, picture, notes_of(picture, scenes), limits, folder=folder)
        peaks[minutes] = peak[0]
        assert len(reels.parts) == (1 if minutes == 5 else 5)
        for part in reels.parts:
            assert len(part) <= 10
            assert part[-1].range.end_s - part[0].range.start_s <= 600
            assert sum(one.proxy.path.stat().st_size for one in part if one.proxy) < 190_000_000
        contents = [read_contents(path, stage="test").clock for path in paths_of(reels)]
        assert sum(clock.frame_count for clock in contents if clock) == picture.frame_count
        check_files(reels, picture)
    assert peaks[47] < 1.2 * peaks[5], peaks


@contextmanager
def peak_of_children() -> Iterator[list[int]]:
    """Most memory that this process and its children held at once, in bytes, into the list."""
    peak, ended = [0], threading.Event()
    page_bytes = os.sysconf("SC_PAGE_SIZE")

    def held(pid: str) -> int:
        try:
            own = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page_bytes
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            return 0  # it has just ended
        return own + sum(held(child) for child in children)

    def watch() -> None:
        while not ended.wait(0.05):
            peak[0] = max(peak[0], held(str(os.getpid())))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


def test_a_reel_set_must_tile_the_picture() -> None:
    def part(start_s: int, end_s: int) -> Reel:
        return Reel(range=TimeRange.between(Fraction(start_s), Fraction(end_s)), proxy=None)

    def cues(*marks: tuple[int, int]) -> tuple[TimeRange, ...]:
        return tuple(TimeRange.between(Fraction(a), Fraction(b)) for a, b in marks)

    ReelSet(cues=cues((0, 3)), reels=(part(0, 1), part(1, 3)))
    several = ReelSet(cues=cues((1, 3), (5, 6)), reels=(part(1, 2), part(2, 3), part(5, 6)))
    assert several.duration_s == 3
    for reels in (
        (),
        (part(0, 2),),
        (part(1, 3),),
        (part(0, 1), part(2, 3)),
        (part(0, 2), part(1, 3)),
        (part(0, 1), part(1, 4)),
    ):
        with pytest.raises(ScorebedError, match="do not tile"):
            ReelSet(cues=cues((0, 3)), reels=reels)
    wrong: list[tuple[Reel, ...]] = [
        (part(1, 3),),
        (part(5, 6),),
        (part(1, 6),),
        (part(1, 3), part(3, 5), part(5, 6)),
        (part(0, 3), part(5, 6)),
        (part(1, 3), part(5, 6), part(6, 7)),
    ]
    for one in wrong:
        with pytest.raises(ScorebedError, match="do not tile"):
            ReelSet(cues=cues((1, 3), (5, 6)), reels=one)
