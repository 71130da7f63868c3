"""Spot: cuts on their frames, scenes that tile the picture, no speech where nobody speaks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scorebed.errors import MediaError
from scorebed.model import Picture, SourceFile, SpotSettings, SpottingNotes
from scorebed.stages.spot import spot
from scorebed.stages.spot_fast import _Eyes, telling_frames
from scorebed.stages.spot_index import UnsureError, index_of
from scorebed.stages.spot_watch import HOP_S

Probed = Callable[[Path], tuple[SourceFile, Picture]]
RATE = 25
SHOTS = (
    ("testsrc2=size=160x90:rate=25", 80),
    ("color=navy:size=160x90:rate=25", 100),
    ("yuvtestsrc=size=160x90:rate=25,scroll=horizontal=0.01", 86),
    ("smptebars=size=160x90:rate=25", 30),
    ("color=gold:size=160x90:rate=25", 95),
    ("rgbtestsrc=size=160x90:rate=25", 81),
)
GRAINY = "smptehdbars=size=160x90:rate=25,noise=alls=12:allf=t"
CUTS = tuple(int(at) for at in np.cumsum([frames for _, frames in SHOTS])[:-1])
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")


@pytest.fixture(scope="module")
def edited(make_media: Callable[..., Path]) -> Path:
    """Six pictures that have nothing in common, one after the other."""
    inputs = [word for look, _ in SHOTS for word in ("-f", "lavfi", "-i", look)]
    trims = [f"[{n}]trim=end_frame={frames}[{n}t];" for n, (_, frames) in enumerate(SHOTS)]
    joined = "".join(f"[{n}t]" for n in range(len(SHOTS)))
    graph = "".join(trims) + f"{joined}concat=n={len(SHOTS)}"
    return make_media("edited.mp4", *inputs, "-filter_complex", graph, *H264)


@pytest.fixture
def spotted(probed: Probed, tmp_path: Path) -> Callable[..., SpottingNotes]:
    def look(path: Path, *, max_scenes: int = 10, listen: bool = True) -> SpottingNotes:
        source, picture = probed(path)
        settings = SpotSettings(max_scenes=max_scenes, listen=listen)
        notes = spot(source, picture, settings, folder=tmp_path).notes
        _check_that_it_tiles(notes, picture)
        return notes

    return look


def _check_that_it_tiles(notes: SpottingNotes, picture: Picture) -> None:
    assert notes.duration_s == picture.duration_s
    for parts in (notes.shots, notes.scenes):
        ranges = [part.range for part in parts]
        assert ranges[0].start_s == 0
        assert ranges[-1].end_s == picture.duration_s
        assert all(left.end_s == right.start_s for left, right in pairwise(ranges))
        assert all(span.duration_s > 0 for span in ranges)
    openings = {shot.range.start_s for shot in notes.shots}
    assert {scene.range.start_s for scene in notes.scenes} <= openings
    assert sum(scene.shots for scene in notes.scenes) == len(notes.shots)
    if len(notes.scenes) > 1:
        assert min(scene.range.duration_s for scene in notes.scenes) >= 3
    for scene in notes.scenes:
        assert all(0 <= m <= 1 for m in (scene.motion, scene.brightness, scene.saturation))
        assert -1 <= scene.warmth <= 1
    hops = -(-picture.duration_s // HOP_S)
    assert len(notes.curve.motion) == len(notes.curve.brightness) == hops
    assert [cue.number for cue in notes.cues] == ["1M1"]
    assert notes.cues[0].range.end_s == picture.duration_s


# --- cuts --------------------------------------------------------------------------------------


def test_every_cut_is_on_its_frame(edited: Path, spotted: Callable[..., SpottingNotes]) -> None:
    notes = spotted(edited)
    starts = [shot.range.start_s for shot in notes.shots]
    assert starts == [Fraction(0), *(Fraction(frame, RATE) for frame in CUTS)]
    assert notes.damaged_frames == 0
    assert all(shot.confidence > 0.5 for shot in notes.shots)


@pytest.mark.parametrize("start_s", ["0.48", "1.2"])
def test_cuts_count_from_the_first_shown_frame(
    start_s: str, edited: Path, make_media: Any, make_bursts: Any, spotted: Any
) -> None:
    """A picture that starts late on the container's clock is still at zero."""
    sound = make_bursts(20.0, [1.0])
    film = make_media(
        "late.mkv",
        *("-itsoffset", start_s, "-i", edited, "-i", sound),
        *("-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "pcm_s16le"),
    )
    starts = [shot.range.start_s for shot in spotted(film).shots]
    wanted = [Fraction(0), *(Fraction(frame, RATE) for frame in CUTS)]
    assert starts == [pytest.approx(at_s, abs=0.0011) for at_s in wanted]


@pytest.mark.parametrize("rate", ["30000/1001", "24", "50"])
def test_cuts_at_other_rates(rate: str, make_media: Any, spotted: Any) -> None:
    film = make_media(
        "rate.mp4",
        *("-f", "lavfi", "-i", f"testsrc2=size=160x90:rate={rate}"),
        *("-f", "lavfi", "-i", f"smptebars=size=160x90:rate={rate}"),
        "-filter_complex",
        "[0]trim=end_frame=100[a];[1]trim=end_frame=77[b];[a][b]concat=n=2",
        *H264,
    )
    assert [shot.range.start_s for shot in spotted(film).shots] == [0, 100 / Fraction(rate)]


@pytest.mark.parametrize("frames", [1, 2])
def test_a_flash_is_no_cut(frames: int, make_media: Any, spotted: Any) -> None:
    flash = f"drawbox=color=white:t=fill:enable='between(n,60,{59 + frames})'"
    film = make_media(
        "flash.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=5"),
        *("-vf", flash, *H264),
    )
    assert len(spotted(film).shots) == 1


def test_fades_open_and_close_a_picture(make_media: Any, spotted: Any) -> None:
    film = make_media(
        "fade.mp4",
        *("-f", "lavfi", "-i", GRAINY, "-t", "6"),
        *("-vf", "fade=t=in:d=1.5,fade=t=out:st=4.5:d=1.5", *H264),
    )
    notes = spotted(film)
    opened = notes.shots[0].transition
    assert len(notes.shots) == 1
    assert opened is not None
    assert (opened.kind, opened.range.start_s) == ("fade", pytest.approx(0, abs=0.2))
    assert opened.range.end_s == pytest.approx(1.5, abs=0.1)
    assert notes.ending is not None
    assert notes.ending.range.start_s == pytest.approx(4.5, abs=0.1)
    assert notes.ending.range.end_s == pytest.approx(6, abs=0.2)


@pytest.mark.parametrize(
    ("transition", "kind", "length_s"),
    [
        ("fade", "dissolve", 0.4),
        ("fade", "dissolve", 2.0),
        ("fadeblack", "fade", 1.0),
        ("fadeblack", "fade", 2.0),
        ("fadewhite", "fade", 1.0),
    ],
)
def test_transitions_have_both_ends(
    transition: str, kind: str, length_s: float, make_media: Any, spotted: Any
) -> None:
    film = make_media(
        "xfade.mp4",
        *("-f", "lavfi", "-t", "5", "-i", GRAINY),
        *("-f", "lavfi", "-t", "5", "-i", "rgbtestsrc=size=160x90:rate=25"),
        "-filter_complex",
        f"xfade=transition={transition}:duration={length_s}:offset=2.5",
        *H264,
    )
    notes = spotted(film)
    assert [shot.opened_by for shot in notes.shots] == ["cut", kind]
    found = notes.shots[1].transition
    assert found is not None
    # ffmpeg fades to a colour in the middle fifth: the rest of the time nothing moves.
    slack_s = 0.12 if kind == "dissolve" else 0.12 + 0.3 * length_s
    assert found.range.start_s == pytest.approx(2.5, abs=slack_s)
    assert found.range.end_s == pytest.approx(2.5 + length_s, abs=slack_s)
    assert found.range.start_s < notes.shots[1].range.start_s < found.range.end_s
    assert found.confidence > 0.5


@pytest.mark.parametrize(
    "encoding",
    [
        ("-c:v", "libx264", "-preset", "fast", "-bf", "3"),
        ("-c:v", "libx264", "-preset", "fast", "-bf", "3", "-sc_threshold", "0", "-g", "50"),
        ("-c:v", "libx264", "-preset", "fast", "-x264-params", "open-gop=1:keyint=25"),
        ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:bframes=4"),
        ("-c:v", "libx264", "-bf", "8", "-b_strategy", "0", "-sc_threshold", "0", "-g", "250"),
        ("-c:v", "mpeg4", "-bf", "2", "-g", "40", "-q:v", "3"),
        ("-c:v", "mpeg2video", "-bf", "2", "-g", "40", "-q:v", "3"),
        ("-c:v", "libx264", "-preset", "fast", "-bf", "5", "-x264-params", "b-pyramid=none"),
        ("-c:v", "libx264", "-preset", "fast", "-x264-params", "intra-refresh=1:keyint=60"),
        ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"),
        ("-c:v", "mjpeg"),
    ],
)  # fmt: skip
def test_fast_finds_what_full_finds(
    encoding: tuple[str, ...], edited: Path, make_media: Any, probed: Probed, tmp_path: Path
) -> None:
    """Whether a cut lies on a key frame, between frames that nothing refers to, or in mid-group."""
    film = make_media(
        "coded.mkv",
        *("-stream_loop", "2", "-i", edited, "-pix_fmt", "yuvj420p" if "mjpeg" in encoding
          else "yuv420p", "-vf", "scale=320:180", *encoding),
    )  # fmt: skip
    source, picture = probed(film)
    fast, full = (
        spot(source, picture, SpotSettings(max_scenes=100, listen=False, accuracy=accuracy),
             folder=tmp_path).notes
        for accuracy in ("fast", "full")
    )  # fmt: skip
    assert [shot.range for shot in fast.shots] == [shot.range for shot in full.shots]
    assert len(full.shots) == 3 * len(SHOTS)
    assert [scene.range for scene in fast.scenes] == [scene.range for scene in full.scenes]
    apart = np.subtract(fast.curve.brightness, full.curve.brightness)
    assert np.abs(apart).mean() < 0.01


@pytest.mark.parametrize(
    ("encoding", "most"),
    [
        (("-c:v", "libx264", "-bf", "3", "-preset", "fast"), 0.6),
        (("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:keyint=25"),
         0.9),
    ],
)  # fmt: skip
def test_fast_leaves_frames_out(
    encoding: tuple[str, ...], most: float, edited: Path, make_media: Any, probed: Probed
) -> None:
    film = make_media("b.mp4", "-stream_loop", "2", "-i", edited, *encoding)
    source, picture = probed(film)
    index = index_of(source, picture)
    seen = list(telling_frames(source, picture, index))
    assert len(seen) < most * picture.frame_count
    ticks = [frame.ticks for frame in seen]
    assert ticks == sorted(set(ticks))
    assert set(ticks) < set(index.pts.tolist())


def test_fast_decodes_nothing_more_than_twice(
    make_media: Any, probed: Probed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many cuts lie between two key frames, and far from them."""
    looks = ("testsrc2", "smptebars", "rgbtestsrc", "yuvtestsrc", "mandelbrot", "testsrc")
    inputs = [word for look in looks * 6 for word in ("-f", "lavfi", "-i", f"{look}=s=96x64:r=25")]
    trims = "".join(f"[{n}]setsar=1,trim=end_frame=13[{n}t];" for n in range(36))
    joined = "".join(f"[{n}t]" for n in range(36))
    film = make_media(
        "frantic.mp4",
        *(*inputs, "-filter_complex", f"{trims}{joined}concat=n=36", "-pix_fmt", "yuv420p"),
        *("-c:v", "libx264", "-preset", "fast", "-bf", "3", "-sc_threshold", "0", "-g", "900"),
    )
    source, picture = probed(film)
    decoded = 0
    decode = _Eyes._decode

    def counted(*given: Any) -> Any:
        nonlocal decoded
        for found in decode(*given):
            decoded += 1
            yield found

    monkeypatch.setattr(_Eyes, "_decode", counted)
    seen = list(telling_frames(source, picture, index_of(source, picture)))
    assert len(seen) <= decoded <= 2 * picture.frame_count


INTERRUPTED = """
import sys, threading
from scorebed.cli.main import Interrupted, _run

start = threading.Thread.start

def interrupted(thread):
    start(thread)
    if thread.name.startswith("spot"):
        raise Interrupted

threading.Thread.start = interrupted
sys.exit(_run(["spot", *sys.argv[1:]]))
"""


def test_no_file_is_closed_under_a_thread_that_was_just_starting(
    edited: Path, make_media: Any, tmp_path: Path
) -> None:
    """Where a signal comes in between, no pool waits for it: the process crashed at its end."""
    words = ("-stream_loop", "9", "-i", edited, "-c:v", "libx264", "-g", "500")
    film = make_media("long.mp4", *words)
    command = [sys.executable, "-c", INTERRUPTED, film, "--workspace", tmp_path / "work"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 130, done.stderr
    assert "stopped" in done.stderr


def test_fast_enters_no_file_that_has_no_list_of_its_key_frames(
    edited: Path, make_media: Any, probed: Probed
) -> None:
    """Each part of it would be looked for from the start on."""
    words = ("-stream_loop", "2", "-i", edited, "-c:v", "libx264", "-g", "20")
    for name, how, listed in (("b.mkv", (), True), ("live.mkv", ("-live", "1"), False)):
        source, picture = probed(make_media(name, *words, *how))
        with nullcontext() if listed else pytest.raises(UnsureError):
            assert list(telling_frames(source, picture, index_of(source, picture)))


def test_a_transition_ends_near_where_it_ends(
    make_media: Any, probed: Probed, tmp_path: Path
) -> None:
    """Also where the fast look has left those frames out: five in a row."""
    film = make_media(
        "xfade.mp4",
        *("-f", "lavfi", "-t", "5", "-i", GRAINY),
        *("-f", "lavfi", "-t", "5", "-i", "rgbtestsrc=size=160x90:rate=25"),
        *("-filter_complex", "xfade=transition=fade:duration=1:offset=2.52"),
        *("-c:v", "libx264", "-bf", "5", "-b_strategy", "0", "-pix_fmt", "yuv420p"),
    )
    source, picture = probed(film)
    fast, full = (
        spot(source, picture, SpotSettings(max_scenes=100, listen=False, accuracy=accuracy),
             folder=tmp_path).notes.shots[1].transition
        for accuracy in ("fast", "full")
    )  # fmt: skip
    assert fast is not None
    assert full is not None
    assert abs(fast.range.start_s - full.range.start_s) <= Fraction(3, 25)
    assert abs(fast.range.end_s - full.range.end_s) <= Fraction(3, 25)


def test_hit_points_are_the_cuts(edited: Path, spotted: Any) -> None:
    notes = spotted(edited)
    points = notes.cues[0].hit_points
    assert [point.at_s for point in points] == [shot.range.start_s for shot in notes.shots]
    openings = {scene.range.start_s for scene in notes.scenes}
    for point in points:
        assert point.label == ("scene" if point.at_s in openings else "cut")
        assert 0 <= point.weight <= 1


# --- scenes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [1, 2, 3, 5, 100])
def test_no_more_scenes_than_asked_for(most: int, edited: Path, spotted: Any) -> None:
    notes = spotted(edited, max_scenes=most)
    assert 1 <= len(notes.scenes) <= most
    if most >= 5:
        # The shot of 1.2 s is too short to be a scene; the five long ones differ.
        assert len(notes.scenes) == 5


def test_scenes_are_measured(edited: Path, spotted: Any) -> None:
    notes = spotted(edited, max_scenes=100)
    at = {int(scene.range.start_s * RATE): scene for scene in notes.scenes}
    navy, gold, busy = at[80], next(at[n] for n in (296, 266) if n in at), at[0]
    assert (navy.brightness < 0.2, gold.brightness > 0.5) == (True, True)
    assert (navy.warmth < -0.1, gold.warmth > 0.1) == (True, True)
    assert navy.motion < 0.01 < busy.motion
    assert all(scene.saturation > 0.1 for scene in (navy, gold, busy))


def test_quick_cutting_does_not_make_short_scenes(make_media: Any, spotted: Any) -> None:
    looks = ("testsrc2", "smptebars", "rgbtestsrc", "color=navy", "color=gold", "yuvtestsrc")
    inputs = [
        word
        for look in looks * 2
        for word in ("-f", "lavfi", "-i", f"{look}{':' if '=' in look else '='}size=96x64:rate=25")
    ]
    trims = "".join(f"[{n}]trim=end_frame=20[{n}t];" for n in range(12))
    joined = "".join(f"[{n}t]" for n in range(12))
    film = make_media("quick.mp4", *inputs, "-filter_complex", f"{trims}{joined}concat=n=12", *H264)
    notes = spotted(film)
    assert len(notes.shots) == 12
    assert 1 <= len(notes.scenes) <= 3
    assert max(scene.cuts_per_minute for scene in notes.scenes) > 40


def test_a_film_of_one_frame(make_media: Any, spotted: Any) -> None:
    film = make_media(
        "one.mp4", "-f", "lavfi", "-i", "testsrc2=size=96x64:rate=25", "-frames:v", "1", *H264
    )
    notes = spotted(film)
    assert (len(notes.shots), len(notes.scenes)) == (1, 1)
    assert notes.duration_s == Fraction(1, 25)


# --- sound -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sound",
    [
        "sine=frequency=220",
        "aevalsrc='0.3*sin(2*PI*(300+200*sin(2*PI*t))*t)'",
        "anoisesrc=amplitude=0.2:seed=4",
        "aevalsrc='0.4*sin(2*PI*110*t)*lt(mod(t\\,0.5)\\,0.1)'",
        "anullsrc",
    ],
)
def test_tones_and_noise_are_not_speech(
    sound: str, make_media: Any, make_video: Any, spotted: Any
) -> None:
    film = make_media(
        "tones.mkv",
        *("-i", make_video("six.mkv", sound=None, duration_s=6.0), "-f", "lavfi", "-i", sound),
        *("-t", "6", "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "pcm_s16le"),
    )
    assert spotted(film).speech == ()


def test_speech_is_not_looked_for_when_it_does_not_count(make_video: Any, spotted: Any) -> None:
    assert spotted(make_video("a.mkv"), listen=False).speech == ()
    assert spotted(make_video("b.mkv", sound=None)).speech == ()


# --- damage ------------------------------------------------------------------------------------


def damaged(whole: Path, target: Path, share: float) -> Path:
    """Noise over a share of the packets, spread over the film; the index stays."""
    content = bytearray(whole.read_bytes())
    first, last = content.index(b"mdat") + 2000, content.rindex(b"moov") - 8
    rng = np.random.default_rng(3)
    stretch = 400
    places = np.arange(first, last - stretch, stretch)
    for at in rng.choice(places, size=round(len(places) * share), replace=False):
        content[at : at + stretch] = rng.bytes(stretch)
    target.write_bytes(bytes(content))
    return target


def test_a_picture_that_is_mostly_damaged_is_refused(
    edited: Path, tmp_path: Path, spotted: Any
) -> None:
    with pytest.raises(MediaError, match=r"spot: only \d+ of 472 frames.*decode") as caught:
        spotted(damaged(edited, tmp_path / "noise.mp4", 0.7))
    assert caught.value.exit_code == 3


def test_a_little_damage_is_counted_and_lived_with(
    edited: Path, tmp_path: Path, spotted: Any
) -> None:
    notes = spotted(damaged(edited, tmp_path / "scratch.mp4", 0.01))
    assert 0 < notes.damaged_frames < 94
