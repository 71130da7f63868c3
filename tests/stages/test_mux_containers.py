"""From one container to another: what cannot go is told at once, what goes is where it was."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from scorebed.errors import MediaError
from scorebed.model import AudioSettings, Change, MuxPlan, Picture, ScoredVideo, SourceFile
from scorebed.stages import mux_check, mux_reframed
from scorebed.stages.mux import mux
from scorebed.stages.mux_plan import plan_mux
from scorebed.stages.mux_reframed import same_units
from scorebed.stages.mux_trial import dry_mux, is_doubtful
from scorebed.stages.probe import extract

SETTINGS = AudioSettings(streams="default", keep_production=True, keep_original=False, music=False)
ONE_MS = 48
Probed = Callable[[Path], tuple[SourceFile, Picture]]


@pytest.fixture
def plan(probed: Probed, tmp_path: Path) -> Callable[..., tuple[SourceFile, Picture, MuxPlan]]:
    def run(film: Path, output: str) -> tuple[SourceFile, Picture, MuxPlan]:
        source, picture = probed(film)
        target = tmp_path / output
        planned = plan_mux(
            source, picture, target, folder=tmp_path, stereo_kbps=192, audio=SETTINGS
        )
        return source, picture, planned

    return run


@pytest.fixture
def try_mux(plan: Any, tmp_path: Path) -> Callable[..., ScoredVideo]:
    """The whole mux with a test sound, with further options of ffmpeg."""

    def run(film: Path, output: str, **options: str) -> ScoredVideo:
        source, picture, planned = plan(film, output)
        planned = replace(planned, muxer_options=(*planned.muxer_options, *options.items()))
        return dry_mux(source, picture, planned, part=tmp_path / "part", folder=tmp_path)

    return run


@pytest.mark.parametrize(
    ("name", "out", "said"),
    [
        ("a.mkv", "out.webm", "Only VP8 or VP9 or AV1"),
        ("a.mp4", "out.ogv", "Unsupported codec"),
        ("a.mp4", "out.avi", "times of the picture"),
        ("a.mp4", "out.mxf", "times of the picture"),
        ("a.mp4", "out.wmv", "times of the picture"),
        ("a.mp4", "out.mpg", "its picture (h264) is not found"),
    ],
)
def test_a_container_that_cannot_hold_the_picture_is_told_before_any_music(
    name: str, out: str, said: str, plan: Any, make_video: Any
) -> None:
    film = make_video(name, sound="aac")
    with pytest.raises(MediaError) as caught:
        plan(film, out)
    assert said in caught.value.message
    assert str(film) in caught.value.message
    # What the remedy names can be pasted, and works.
    option, other = shlex.split(caught.value.remedy.rpartition("for example: ")[2])
    assert option == "-o"
    assert Path(other).suffix == film.suffix
    plan(film, Path(other).name)


@pytest.mark.parametrize("out", ["out.avi", "out.wmv"])
def test_sound_that_would_be_late_is_told_before_any_music(
    out: str, plan: Any, make_media: Any, make_video: Any
) -> None:
    """Without B-frames the order is right; but libav takes the picture for a frame late."""
    film = make_media(
        "a.mp4",
        *("-i", make_video("b.mp4", sound="aac"), "-c:a", "copy"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-bf", "0"),
    )
    with pytest.raises(MediaError, match="does not keep the sound"):
        plan(film, out)


@pytest.mark.parametrize(
    ("picture", "out"), [("mpeg4", "out.avi"), ("mpeg2", "out.mxf"), ("mpeg2", "out.mpg")]
)
def test_sound_that_begins_before_the_picture_stays_in_step(
    picture: str,
    out: str,
    make_video: Any,
    scored_sound: Callable[..., float],
) -> None:
    film = make_video("a.mkv", picture=picture, sound="aac", offset_s=-0.2)
    assert scored_sound(film, out) == pytest.approx(0.8 * 48_000, abs=ONE_MS)


@pytest.fixture
def scored_sound(plan: Any, heard: Any, locate_burst: Any, tmp_path: Path) -> Any:
    """Where the film's burst is after the mux, in samples from the first shown frame."""

    def run(film: Path, output: str) -> float:
        source, picture, planned = plan(film, output)
        sound = extract(source, picture, picture.production_index, folder=tmp_path)
        part = tmp_path / output
        scored = mux(source, picture, [sound], planned, 0.0, part)
        starts = [change for change in scored.changed if change.what == "start"]
        assert [change.loss for change in starts] == ([] if output.endswith("mpg") else [True])
        audio, start = heard(part)
        return float(start + locate_burst(audio[:, 0]))

    return run


def test_mxf_ends_with_the_picture(
    plan: Any, make_media: Any, make_video: Any, heard: Any, tmp_path: Path
) -> None:
    """Sound that goes on for longer is left out, as the container's muxer will have it."""
    film = make_media(
        "a.mkv",
        *("-i", make_video("b.mkv", picture="mpeg2", sound=None)),
        *("-f", "lavfi", "-t", "5", "-i", "sine=300", "-c:v", "copy", "-c:a", "pcm_s16le"),
    )
    source, picture, planned = plan(film, "out.mxf")
    sound = extract(source, picture, picture.production_index, folder=tmp_path)
    assert sound.length_samples > picture.length_samples
    mux(source, picture, [sound], planned, 0.0, tmp_path / "out.mxf")
    audio, _ = heard(tmp_path / "out.mxf")
    assert len(audio) == pytest.approx(picture.length_samples, abs=2)


def test_avi_counts_the_frames_of_the_film(
    make_media: Any, make_video: Any, try_mux: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    """On the clock of MP4 it would be filled with empty frames, 600 a second."""
    film = make_media(
        "a.mp4", "-i", make_video("b.avi", picture="mpeg4"), "-c:v", "copy", "-c:a", "aac"
    )
    monkeypatch.setattr(Path, "unlink", lambda *_args, **_options: None)
    try_mux(film, "out.avi")
    with av.open(str(tmp_path / "part")) as container:
        assert container.streams.video[0].time_base == Fraction(1, 25)
        assert container.streams.video[0].frames == 75


@pytest.mark.parametrize("out", ["out.mp4", "out.mov"])
def test_a_family_that_is_proven_is_not_doubted(out: str, plan: Any, make_video: Any) -> None:
    film = make_video("a.mp4", sound="aac")
    _, picture, planned = plan(film, out)
    assert not is_doubtful(picture, planned)
    _, picture, planned = plan(film, "out.mkv")
    assert is_doubtful(picture, planned)


# --- text --------------------------------------------------------------------------------------


@pytest.fixture
def make_text(make_media: Any, make_video: Any, tmp_path: Path) -> Callable[..., Path]:
    """A film with subtitles that begin at 0.5 s, in the codecs that are named."""

    def make(name: str, *codecs: str) -> Path:
        cues = tmp_path / "cues.srt"
        cues.write_text(
            "1\n00:00:00,500 --> 00:00:01,200\nOne\n\n2\n00:00:01,600 --> 00:00:02,400\nTwo\n"
        )
        texts = [word for _ in codecs for word in ("-i", cues)]
        mapped = [word for at in range(len(codecs)) for word in ("-map", f"{at + 1}")]
        wanted = [w for at, codec in enumerate(codecs) for w in (f"-c:s:{at}", codec)]
        return Path(
            make_media(
                name,
                *("-i", make_video("film.mp4", sound="aac"), *texts),
                *("-map", "0", *mapped, "-c", "copy", *wanted),
            )
        )

    return make


@pytest.mark.parametrize(
    ("name", "codecs", "out", "become"),
    [
        ("a.mkv", ("srt", "ass", "webvtt"), "out.mp4", ["mov_text"] * 3),
        ("a.mp4", ("mov_text",), "out.mkv", ["subrip"]),
        ("a.mp4", ("mov_text",), "out.mov", ["mov_text"]),
    ],
)
def test_text_keeps_its_times(
    name: str, codecs: tuple[str, ...], out: str, become: list[str], make_text: Any, try_mux: Any
) -> None:
    scored = try_mux(make_text(name, *codecs), out)
    assert [fate.codec for fate in scored.kept[2:]] == become
    assert not [change for change in scored.changed if change.what in {"start", "end", "times"}]


@pytest.mark.parametrize(
    ("name", "codecs"), [("a.mkv", ("srt", "ass", "webvtt")), ("a.mp4", ("mov_text",))]
)
def test_text_that_nobody_could_read_is_dropped_by_name(
    name: str, codecs: tuple[str, ...], make_text: Any, try_mux: Any
) -> None:
    scored = try_mux(make_text(name, *codecs), "out.ts")
    assert [fate.kind.value for fate in scored.kept] == ["video", "audio"]
    assert [(fate.index, fate.kind.value) for fate in scored.dropped] == [
        (index + 2, "subtitle") for index in range(len(codecs))
    ]
    assert all(fate.why == "an MPEG-TS file cannot carry it" for fate in scored.dropped)


# --- times -------------------------------------------------------------------------------------


def moved(scored: ScoredVideo) -> list[Change]:
    return [change for change in scored.changed if change.what == "times"]


def test_a_frame_that_is_moved_in_the_middle_is_named(make_video: Any, try_mux: Any) -> None:
    film = make_video("a.mp4", sound="aac")
    later = "setts=pts='PTS+if(eq(N,40),0.012/TB,0)':dts=DTS"
    (change,) = moved(try_mux(film, "out.mp4", **{"bsf:0": later}))
    assert change.stream == 0
    assert change.loss
    assert change.was is not None
    assert change.now is not None
    was_s, now_s = (float(told.removesuffix(" s")) for told in (change.was, change.now))
    assert now_s - was_s == pytest.approx(0.012, abs=1e-4)
    assert 1.4 < was_s < 1.8


def test_a_picture_that_is_moved_by_a_frame_is_refused(make_video: Any, try_mux: Any) -> None:
    later = "setts=pts='PTS+if(eq(N,40),0.05/TB,0)':dts=DTS"
    with pytest.raises(MediaError, match="does not keep the times"):
        try_mux(make_video("a.mp4", sound="aac"), "out.mp4", **{"bsf:0": later})


@pytest.mark.parametrize("out", ["out.mkv", "out.ts", "out.flv"])
def test_the_grain_of_a_clock_moves_nothing(out: str, make_video: Any, try_mux: Any) -> None:
    film = make_video("a.mp4", sound="aac", rate="30000/1001")
    scored = try_mux(film, out)
    assert not moved(scored)
    assert not [change for change in scored.changed if change.what == "end" and change.loss]


def test_the_test_sound_is_as_long_as_the_film(
    make_media: Any, try_mux: Any, tmp_path: Path, heard: Any, monkeypatch: Any
) -> None:
    """Its WAV is not; and what is written of it is noise, again and again."""
    film = make_media(
        "a.mkv",
        *("-f", "lavfi", "-i", "color=black:size=32x32:rate=5:duration=43"),
        *("-c:v", "libx264", "-preset", "ultrafast"),
    )
    monkeypatch.setattr(Path, "unlink", lambda *_args, **_options: None)
    try_mux(film, "out.mp4")
    audio, _ = heard(tmp_path / "part")
    assert len(audio) == pytest.approx(43 * 48_000, abs=2048)
    levels = [float(np.abs(audio[at * 48_000 : (at + 1) * 48_000]).max()) for at in range(43)]
    loud = [at for at, level in enumerate(levels) if level > 0.005]
    assert loud == [0, 1, 20, 21, 40, 41]


def test_a_picture_that_is_framed_otherwise_is_proved_once(
    make_video: Any, plan: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    """Each proof reads both files to their end."""
    source, picture, planned = plan(make_video("a.mp4", sound="aac"), "out.ts")
    asked = []

    def ask(before: tuple[Path, int], *args: Any, **options: Any) -> bool:
        asked.append(before[1])
        return same_units(before, *args, **options)

    for module in (mux_check, mux_reframed):
        monkeypatch.setattr(module, "same_units", ask)
    scored = dry_mux(source, picture, planned, part=tmp_path / "part", folder=tmp_path)
    assert asked == [picture.video_index]
    assert [change.loss for change in scored.changed if change.what == "packets"] == [False]


def test_hevc_from_a_transport_stream_is_the_same_picture(
    make_media: Any, try_mux: Any, tmp_path: Path
) -> None:
    """The filter repeats the parameter sets of Matroska's header before every key frame."""
    x265 = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:keyint=10")
    look = ("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=2", "-threads", "1")
    film = make_media("a.ts", *look, *x265)
    scored = try_mux(film, "out.mkv")
    assert [change.loss for change in scored.changed if change.what == "packets"] == [False]
    again = make_media("b.mkv", "-i", film, "-c", "copy")
    assert same_units((film, 0), (again, 0), "hevc")
    # The same slices under other parameter sets, and other slices under the same.
    full = make_media("c.mkv", "-i", film, "-c", "copy", "-bsf:v", "hevc_metadata=level=6")
    assert not same_units((film, 0), (full, 0), "hevc")
    other = make_media("d.mkv", *look, "-vf", "hue=h=90", *x265)
    assert not same_units((film, 0), (other, 0), "hevc")
