"""Mux: the picture untouched, the programme where it belongs, everything else carried or named."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from scorebed.delivery import claim
from scorebed.dsp.loudness import measure
from scorebed.errors import MediaError, SettingsError
from scorebed.model import (
    AudioSettings,
    MuxPlan,
    Picture,
    ScoredVideo,
    SourceFile,
    Stem,
    StreamKind,
)
from scorebed.packets import read_contents
from scorebed.stages.mux import mux
from scorebed.stages.mux_codecs import encoder_of, holds, kbps_of
from scorebed.stages.mux_plan import plan_mux
from scorebed.stages.mux_reframed import same_units
from scorebed.wav import write_wav

RATE_HZ = 48_000
DEFAULT_STREAM = AudioSettings(
    streams="default", keep_production=True, keep_original=False, music=False
)
Probed = Callable[[Path], tuple[SourceFile, Picture]]
Audio = NDArray[np.float32]


def programme(folder: Path, audio: Audio, *, start_samples: int = 0) -> Stem:
    length, channels = audio.shape
    wav = write_wav(folder / "MIX.wav", [audio], channels=channels, length_samples=length)
    return Stem(
        kind="MIX",
        audio=wav,
        start_samples=start_samples,
        length_samples=length,
        channels=channels,
    )


def noise(length: int, *, peak: float = 0.01, channels: int = 2) -> Audio:
    """Seeded noise below 8 kHz, which no codec cuts away."""
    spectrum = np.fft.rfft(np.random.default_rng(11).uniform(-1, 1, (length, channels)), axis=0)
    spectrum[length // 6 :] = 0
    low = np.fft.irfft(spectrum, length, axis=0)
    return np.asarray(peak * low / np.abs(low).max(), dtype=np.float32)


def ebur128(ffmpeg_exe: str, path: Path) -> str:
    return subprocess.run(
        [
            ffmpeg_exe,
            "-nostdin",
            "-hide_banner",
            "-i",
            str(path),
            "-map",
            "0:a:0",
            "-af",
            "ebur128=peak=true:framelog=quiet",
            "-f",
            "null",
            "-",
        ],
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
    ).stderr.decode(errors="replace")


def true_peak_by_ffmpeg(ffmpeg_exe: str, path: Path) -> float:
    return float(re.findall(r"Peak:\s+(-?[\d.]+) dBFS", ebur128(ffmpeg_exe, path))[-1])


def integrated_by_ffmpeg(ffmpeg_exe: str, path: Path) -> float:
    return float(re.findall(r"I:\s+(-?[\d.]+) LUFS", ebur128(ffmpeg_exe, path))[-1])


Deliver = Callable[..., tuple[ScoredVideo, Path, Picture]]


@pytest.fixture
def deliver(probed: Probed, tmp_path: Path) -> Deliver:
    """Scores a film with a programme that is given, or with quiet noise; the picture is checked."""

    def run(
        film: Path, audio: Audio | None = None, *, start_samples: int = 0, **options: Any
    ) -> tuple[ScoredVideo, Path, Picture]:
        source, picture = probed(film)
        if audio is None:
            audio = noise(picture.length_samples)
        mixed = programme(tmp_path, audio, start_samples=start_samples)
        output = tmp_path / options.pop("name", f"out{film.suffix}")
        plan = plan_mux(
            source, picture, output, folder=tmp_path, stereo_kbps=192, audio=DEFAULT_STREAM
        )
        assert sorted(fate.index for fate in (*plan.kept, *plan.dropped)) == list(
            range(len(picture.streams))
        )
        part = tmp_path / f".{output.name}.part"
        scored = mux(source, picture, (mixed,), plan, options.pop("ceiling", 0.0), part)
        part.rename(output)
        if not options.pop("reframed", False):
            assert scored.picture_sha256 == picture.packets_sha256
        assert not options
        left = {entry.name for entry in tmp_path.iterdir() if not entry.name.startswith("probe-")}
        assert left == {"MIX.wav", output.name}
        return scored, output, picture

    return run


# --- where the sound lies ----------------------------------------------------------------------

SHIFTS = (-0.5, 0.0, 0.188, 1.075)
CONTAINERS: dict[str, tuple[str, str, str, tuple[float, ...]]] = {
    "mp4": ("h264", "aac", "aac", SHIFTS),
    "mov": ("prores", "pcm_s16le", "aac", (-0.5, 1.075)),
    "mkv": ("h264", "libopus", "aac", SHIFTS),
    "webm": ("vp9", "libopus", "opus", (-0.5, 0.188)),
    "ts": ("h264", "aac", "aac", SHIFTS),
    "flv": ("h264", "aac", "aac", (0.0, 0.188)),
    "avi": ("mpeg4", "pcm_s16le", "pcm_s16le", (0.0,)),
    "mpg": ("mpeg2", "mp2", "mp2", (0.0, 0.188)),
    "wmv": ("wmv", "wmav2", "wmav2", (0.0,)),
    "ogv": ("theora", "libvorbis", "vorbis", (0.0,)),
}


@pytest.mark.parametrize(
    ("container", "offset_s"),
    [(name, offset_s) for name, (*_, offsets) in CONTAINERS.items() for offset_s in offsets],
)
def test_a_click_lies_where_it_is_in_the_mix(
    container: str,
    offset_s: float,
    deliver: Deliver,
    make_video: Any,
    burst: Audio,
    locate_burst: Any,
    heard: Any,
    stream_hash: Callable[[Path], str],
) -> None:
    codec, sound, expected_codec, _ = CONTAINERS[container]
    extra = ("-f", "vob") if container == "mpg" else ()
    film = make_video(f"in.{container}", *extra, picture=codec, sound=sound, offset_s=offset_s)
    # As the mix stage has it: from the sound's own start, if that is before the picture.
    lead = max(round(-offset_s * RATE_HZ), 0)
    audio = noise(3 * RATE_HZ + lead)
    at = lead + round(1.3 * RATE_HZ)
    audio[at : at + len(burst)] += burst[:, np.newaxis]
    scored, output, picture = deliver(film, audio, start_samples=-lead)
    assert scored.audio_codec == expected_codec
    back, start = heard(output)
    found = start + locate_burst(back[:, 0])
    assert found == pytest.approx(1.3 * RATE_HZ, abs=48)
    assert stream_hash(output) == stream_hash(film)
    # The lead is there too, and the end is not cut; WMA cannot begin without its first block.
    assert start <= -lead + (2100 if container == "wmv" else 48)
    assert start + len(back) >= 3 * RATE_HZ - 48
    after = read_contents(output, stage="test").clock
    assert after is not None
    assert after.frame_count == picture.frame_count
    assert abs(after.duration_s - picture.duration_s) < 0.0025
    assert after.frame_rate == picture.frame_rate


def test_a_film_without_sound_gets_some(
    deliver: Deliver, make_video: Any, burst: Audio, locate_burst: Any, heard: Any
) -> None:
    for name in ("mute.mp4", "mute.mkv"):
        audio = noise(3 * RATE_HZ)
        audio[RATE_HZ : RATE_HZ + len(burst)] += burst[:, np.newaxis]
        scored, output, _ = deliver(make_video(name, sound=None), audio, name=f"out-{name}")
        back, start = heard(output)
        assert start + locate_burst(back[:, 0]) == pytest.approx(RATE_HZ, abs=48)
        assert [(fate.index, fate.kind) for fate in scored.kept] == [(0, StreamKind.VIDEO)]
        with av.open(str(output)) as container:
            assert [stream.type for stream in container.streams] == ["video", "audio"]
        output.unlink()


def test_frames_that_an_edit_list_hides_stay_hidden(
    deliver: Deliver, make_media: Any, make_video: Any, burst: Audio, locate_burst: Any, heard: Any
) -> None:
    film = make_video("long.mp4", sound="aac")
    cut = make_media("cut.mp4", "-ss", "0.48", "-i", film, "-map", "0", "-c", "copy")
    audio = noise(round(2.52 * RATE_HZ))
    audio[RATE_HZ : RATE_HZ + len(burst)] += burst[:, np.newaxis]
    _, output, picture = deliver(cut, audio)
    back, start = heard(output)
    assert start + locate_burst(back[:, 0]) == pytest.approx(RATE_HZ, abs=48)
    contents = read_contents(output, stage="test")
    assert contents.clock is not None
    assert contents.clock.frame_count == picture.frame_count


@pytest.mark.parametrize(
    ("name", "out"), [("a.mp4", "b.mkv"), ("a.mkv", "b.mov"), ("a.flv", "b.mkv")]
)
def test_another_container_may_be_asked_for(
    name: str,
    out: str,
    deliver: Deliver,
    make_video: Any,
    burst: Audio,
    locate_burst: Any,
    heard: Any,
) -> None:
    audio = noise(3 * RATE_HZ)
    audio[RATE_HZ : RATE_HZ + len(burst)] += burst[:, np.newaxis]
    _, output, _ = deliver(make_video(name, sound="aac"), audio, name=out)
    back, start = heard(output)
    assert start + locate_burst(back[:, 0]) == pytest.approx(RATE_HZ, abs=48)


def decoded_frames(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray().tobytes() for frame in container.decode(video=0)]


@pytest.mark.parametrize(
    ("name", "out"),
    [("a.ts", "b.mp4"), ("a.mp4", "b.ts"), ("a.mkv", "b.m2ts"), ("a.ts", "b.mkv")],
)
def test_a_picture_that_is_framed_otherwise_is_the_same_picture(
    name: str,
    out: str,
    deliver: Deliver,
    make_media: Any,
    make_video: Any,
    burst: Audio,
    locate_burst: Any,
    heard: Any,
) -> None:
    """Start codes or lengths: the packets are others, what they hold is not."""
    film = make_media(
        f"two-{name}",
        *("-i", make_video(name, sound="aac", offset_s=0.188), "-map", "0", "-map", "0:a"),
        *("-c", "copy"),
    )
    audio = noise(3 * RATE_HZ)
    audio[RATE_HZ : RATE_HZ + len(burst)] += burst[:, np.newaxis]
    scored, output, picture = deliver(film, audio, name=out, reframed=True)
    assert decoded_frames(output) == decoded_frames(film)
    back, start = heard(output)
    assert start + locate_burst(back[:, 0]) == pytest.approx(RATE_HZ, abs=48)
    # The other sound is the same, and where it was.
    (was, was_at), (now, now_at) = heard(film, 1), heard(output, 1)
    before, after = was_at + locate_burst(was[:, 0]), now_at + locate_burst(now[:, 0])
    assert after == pytest.approx(before, abs=48)
    reframed = [change for change in scored.changed if change.what == "packets"]
    assert {change.stream for change in reframed} >= {picture.video_index}
    assert not any(change.loss for change in reframed)
    assert scored.dropped == ()


def test_another_picture_is_not_taken_for_the_same_one(make_video: Any) -> None:
    one = make_video("a.ts", sound="aac")
    same = make_video("b.mp4", sound="aac")
    other = make_video("c.mp4", sound="aac", look="testsrc=size=160x90")
    assert same_units((one, 0), (same, 0), "h264")
    assert not same_units((one, 0), (other, 0), "h264")
    assert not same_units((one, 0), (same, 0), "mpeg4")


@pytest.mark.parametrize(
    ("channels", "name", "sound"),
    [(1, "a.mp4", "aac"), (6, "a.mp4", "aac"), (8, "a.mov", "pcm_s16le")],
)
def test_the_layout_of_the_programme_is_kept(
    channels: int,
    name: str,
    sound: str,
    deliver: Deliver,
    make_media: Any,
    make_video: Any,
    make_bursts: Any,
    burst: Audio,
    heard: Any,
    locate_burst: Any,
) -> None:
    layout = {1: "mono", 6: "5.1", 8: "7.1"}[channels]
    film = make_media(
        name,
        *("-i", make_video("mute.mkv", sound=None), "-i", make_bursts(3.0, [0.5] * channels)),
        *("-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", sound),
        *("-af", f"aformat=channel_layouts={layout}"),
    )
    wide = max(channels, 2)
    audio = noise(3 * RATE_HZ, channels=wide)
    for channel in range(wide):
        at = round((0.2 + 0.3 * channel) * RATE_HZ)
        audio[at : at + len(burst), channel] += burst
    scored, output, _ = deliver(film, audio)
    assert scored.audio_channels == wide
    back, start = heard(output)
    assert back.shape[1] == wide
    for channel in range(wide):
        if wide > 2 and channel == 3:
            continue  # the low-frequency channel carries no click
        at = round((0.2 + 0.3 * channel) * RATE_HZ)
        assert start + locate_burst(back[:, channel]) == pytest.approx(at, abs=48)


def test_music_alone_on_a_surround_film_is_as_loud_as_the_mix(
    deliver: Deliver, make_media: Any, make_video: Any, make_bursts: Any, ffmpeg_exe: str
) -> None:
    """The production audio may be dropped: the mix is then stereo, whatever the film had."""
    film = make_media(
        "surround.mkv",
        *("-i", make_video("mute.mkv", sound=None), "-i", make_bursts(3.0, [0.5] * 6)),
        *("-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "ac3"),
    )
    audio = noise(3 * RATE_HZ, peak=0.4)
    wanted = measure([audio], 2)
    scored, output, _ = deliver(film, audio)
    assert wanted.integrated_lufs is not None
    assert scored.loudness.integrated_lufs == pytest.approx(wanted.integrated_lufs, abs=0.5)
    assert integrated_by_ffmpeg(ffmpeg_exe, output) == pytest.approx(wanted.integrated_lufs, abs=1)


# --- what else a file holds --------------------------------------------------------------------


@pytest.fixture
def extras(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("extras")
    (folder / "a.srt").write_text(
        "1\n00:00:00,500 --> 00:00:01,500\nHello\n\n2\n00:00:02,000 --> 00:00:02,500\nYou\n"
    )
    (folder / "chapters.txt").write_text(
        ";FFMETADATA1\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1200\ntitle=One\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=1200\nEND=3000\ntitle=Two\n"
    )
    (folder / "font.ttf").write_bytes(b"\0\1\0\0" + bytes(range(256)) * 4)
    return folder


@pytest.fixture
def full(
    make_media: Callable[..., Path], make_video: Any, make_bursts: Any, extras: Path
) -> Callable[..., Path]:
    """A film with all that a container may hold."""

    def make(name: str, subtitles: str, *more: str | Path) -> Path:
        return make_media(
            name,
            *("-i", make_video("base.mkv", sound="aac"), "-i", make_bursts(3.0, [0.5, 2.5])),
            *("-i", extras / "a.srt", "-i", extras / "chapters.txt"),
            *("-map", "0:v", "-map", "0:a", "-map", "1:a", "-map", "2:s"),
            *("-c:v", "copy", "-c:a:0", "copy", "-c:a:1", "aac", "-c:s", subtitles),
            *("-map_chapters", "3"),
            *("-metadata", "title=The Film", "-metadata", "artist=Somebody Ü"),
            *("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=fra"),
            *("-metadata:s:s:0", "language=deu", "-metadata:s:v:0", "language=jpn"),
            *("-disposition:a:0", "default", "-disposition:a:1", "comment"),
            *("-disposition:s:0", "forced", *more),
        )

    return make


def described(path: Path) -> dict[str, Any]:
    """What a player would list of a file."""
    with av.open(str(path)) as container:
        streams = [
            (
                stream.type,
                stream.metadata.get("language"),
                sorted(flag.name or "" for flag in stream.disposition),
            )
            for stream in container.streams
            if stream.type != "data"
        ]
        chapters = [
            (
                float(chapter["start"] * Fraction(chapter["time_base"] or 0)),
                chapter["metadata"].get("title"),
            )
            for chapter in container.chapters()
        ]
        return {
            "streams": streams,
            "chapters": chapters,
            "tags": {key.lower(): value for key, value in container.metadata.items()},
        }


def cues_of(path: Path) -> list[tuple[float, float]]:
    with av.open(str(path)) as container:
        stream = container.streams.subtitles[0]
        base = stream.time_base
        assert base is not None
        return [
            (float(packet.pts * base), float((packet.duration or 0) * base))
            for packet in container.demux(stream)
            if packet.pts is not None and packet.size > 2
        ]


@pytest.mark.parametrize(
    ("name", "subtitles"), [("a.mkv", "srt"), ("a.mp4", "mov_text"), ("a.mov", "mov_text")]
)
def test_everything_else_comes_along(
    name: str, subtitles: str, full: Callable[..., Path], deliver: Deliver, stream_hash: Any
) -> None:
    film = full(name, subtitles)
    scored, output, picture = deliver(film)
    before, after = described(film), described(output)
    assert after["streams"] == before["streams"]
    assert [kind for kind, *_ in after["streams"]] == ["video", "audio", "audio", "subtitle"]
    assert (after["tags"]["title"], after["tags"]["artist"]) == ("The Film", "Somebody Ü")
    assert [title for _, title in after["chapters"]] == ["One", "Two"]
    for (there, _), (here, _) in zip(before["chapters"], after["chapters"], strict=True):
        assert here == pytest.approx(there, abs=0.002)
    assert np.allclose(cues_of(output), cues_of(film), rtol=0, atol=0.002)
    assert len(cues_of(film)) == 2
    assert scored.dropped == ()
    assert {fate.index for fate in scored.kept} == {stream.index for stream in picture.streams}


def test_the_second_sound_is_untouched(full: Callable[..., Path], deliver: Deliver) -> None:
    film = full("a.mkv", "srt")
    _, output, _ = deliver(film)
    packets = []
    for path in (film, output):
        with av.open(str(path)) as container:
            stream = container.streams.audio[1]
            packets.append([bytes(packet) for packet in container.demux(stream) if packet.size])
    assert packets[0] == packets[1]
    assert len(packets[0]) > 100


def test_attachments_and_cover_come_along(
    full: Callable[..., Path], deliver: Deliver, extras: Path, make_media: Any
) -> None:
    cover = make_media("c.jpg", "-f", "lavfi", "-i", "testsrc2=size=64x64", "-frames:v", "1")
    film = full(
        "a.mkv",
        "srt",
        *("-attach", extras / "font.ttf", "-metadata:s:t:0", "mimetype=font/ttf"),
        *("-metadata:s:t:0", "filename=font.ttf"),
        *("-attach", cover, "-metadata:s:t:1", "mimetype=image/jpeg"),
        *("-metadata:s:t:1", "filename=cover.jpg"),
    )
    scored, output, _ = deliver(film)
    assert scored.dropped == ()
    with av.open(str(output)) as container:
        font = next(stream for stream in container.streams if stream.type == "attachment")
        assert font.metadata.get("filename") == "font.ttf"
    font_bytes = (extras / "font.ttf").read_bytes()
    assert font_bytes in output.read_bytes()
    assert cover.read_bytes() in output.read_bytes()


def test_a_cover_in_mp4_comes_along(deliver: Deliver, make_media: Any, make_video: Any) -> None:
    cover = make_media("c.jpg", "-f", "lavfi", "-i", "testsrc2=size=64x64", "-frames:v", "1")
    film = make_media(
        "covered.mp4",
        *("-i", make_video("base.mp4", sound="aac"), "-i", cover, "-map", "0", "-map", "1"),
        *("-c", "copy", "-disposition:v:1", "attached_pic"),
    )
    scored, output, _ = deliver(film)
    assert scored.dropped == ()
    assert cover.read_bytes() in output.read_bytes()
    kinds = [stream.kind for stream in read_contents(output, stage="test").streams]
    assert kinds.count(StreamKind.COVER) == 1


@pytest.mark.parametrize("name", ["a.mov", "a.mp4"])
def test_the_timecode_is_kept(
    name: str, deliver: Deliver, make_media: Any, make_video: Any
) -> None:
    film = make_media(
        f"tc-{name}",
        *("-i", make_video("base.mkv", sound="aac"), "-map", "0", "-c", "copy"),
        *("-timecode", "01:02:03:04"),
    )
    scored, output, picture = deliver(film)
    assert [stream.role for stream in picture.streams].count("timecode") == 1
    assert scored.dropped == ()
    with av.open(str(output)) as container:
        codes = [stream.metadata.get("timecode") for stream in container.streams]
    assert "01:02:03:04" in codes


def test_what_a_container_cannot_carry_is_named(
    full: Callable[..., Path], deliver: Deliver, extras: Path
) -> None:
    film = full(
        "a.mkv",
        "srt",
        *("-attach", extras / "font.ttf", "-metadata:s:t:0", "mimetype=font/ttf"),
    )
    scored, output, _ = deliver(film, name="b.mp4")
    assert [(fate.index, fate.kind) for fate in scored.dropped] == [(4, StreamKind.ATTACHMENT)]
    assert scored.dropped[0].why == "an MP4 file cannot carry it"
    # Text is converted rather than lost, and is shown at the same time.
    assert next(f.codec for f in scored.kept if f.kind is StreamKind.SUBTITLE) == "mov_text"
    assert [start_s for start_s, _ in cues_of(output)] == pytest.approx([0.5, 2.0], abs=0.002)
    assert [kind for kind, *_ in described(output)["streams"]] == [
        "video",
        "audio",
        "audio",
        "subtitle",
    ]


def test_subtitles_stay_in_step_when_the_picture_starts_late(
    deliver: Deliver, make_media: Any, make_video: Any, extras: Path
) -> None:
    film = make_media(
        "late.mkv",
        *("-i", make_video("shift.mkv", offset_s=-0.5), "-i", extras / "a.srt"),
        *("-map", "0", "-map", "1", "-c", "copy"),
    )
    _, output, before = deliver(film, noise(round(3.5 * RATE_HZ)), start_samples=-RATE_HZ // 2)
    clock = read_contents(output, stage="test").clock
    assert clock is not None
    was = [start_s - float(before.start_s) for start_s, _ in cues_of(film)]
    now = [start_s - float(clock.start_s) for start_s, _ in cues_of(output)]
    assert now == pytest.approx(was, abs=0.002)


# --- loudness ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.mpg", "a.wmv", "a.ogv"])
def test_what_the_encoder_overshoots_is_trimmed(
    name: str, deliver: Deliver, make_video: Any, ffmpeg_exe: str
) -> None:
    """A programme that comes back over the ceiling is encoded again, a little lower."""
    container = Path(name).suffix[1:]
    codec, sound, *_ = CONTAINERS[container]
    extra = ("-f", "vob") if container == "mpg" else ()
    film = make_video(name, *extra, picture=codec, sound=sound)
    loud = noise(3 * RATE_HZ, peak=0.98)
    scored, output, _ = deliver(film, loud, ceiling=-1.0)
    assert scored.trim_db < 0
    assert scored.loudness.true_peak_dbtp is not None
    assert scored.loudness.true_peak_dbtp <= -1.0
    assert true_peak_by_ffmpeg(ffmpeg_exe, output) <= -0.9
    # No more than was needed.
    assert scored.loudness.true_peak_dbtp > -3.0
    before = measure([loud], 2).integrated_lufs
    assert before is not None
    assert scored.loudness.integrated_lufs == pytest.approx(before + scored.trim_db, abs=0.5)


def test_a_quiet_mix_is_not_touched(deliver: Deliver, make_video: Any) -> None:
    audio = noise(3 * RATE_HZ, peak=0.3)
    scored, _, _ = deliver(make_video("a.mp4", sound="aac"), audio, ceiling=-1.0)
    assert scored.trim_db == 0
    wanted = measure([audio], 2)
    assert wanted.integrated_lufs is not None
    assert scored.loudness.integrated_lufs == pytest.approx(wanted.integrated_lufs, abs=0.3)


def test_a_lossless_programme_comes_back_bit_by_bit(
    deliver: Deliver, make_video: Any, heard: Any
) -> None:
    audio = (np.round(noise(3 * RATE_HZ, peak=0.5) * 32768) / 32768).astype(np.float32)
    scored, output, _ = deliver(make_video("a.avi", picture="mpeg4"), audio)
    assert scored.trim_db == 0
    back, start = heard(output)
    assert start == 0
    assert np.abs(back[: len(audio)] - audio).max() <= 1 / 32768


def test_silence_has_no_loudness(deliver: Deliver, make_video: Any) -> None:
    film = make_video("a.mp4", sound="aac")
    scored, _, _ = deliver(film, np.zeros((3 * RATE_HZ, 2), dtype=np.float32))
    assert scored.loudness.integrated_lufs is None


# --- what fails --------------------------------------------------------------------------------


def attempt(
    tmp_path: Path, source: SourceFile, picture: Picture, mixed: Stem, plan: MuxPlan
) -> MediaError:
    """The error of a run as the pipeline has it; nothing may be left of it."""
    output = tmp_path / "out.mp4"
    with (
        pytest.raises(MediaError) as caught,
        claim(output, video=source.path, overwrite=False) as part,
    ):
        mux(source, picture, (mixed,), plan, 0.0, part)
    assert not output.exists()
    assert not [entry for entry in tmp_path.iterdir() if entry.name.endswith(".part")]
    assert caught.value.exit_code == 3
    assert "-o" in caught.value.remedy
    return caught.value


@pytest.mark.parametrize("fault", ["picture", "frames", "duration", "sound"])
def test_a_result_that_is_not_what_was_asked_for_is_not_delivered(
    fault: str, probed: Probed, make_video: Any, tmp_path: Path
) -> None:
    # MPEG-4's packets are the same in every container; nothing else can vouch for them.
    source, picture = probed(make_video("a.mp4", picture="mpeg4", sound="aac"))
    mixed = programme(tmp_path, noise(3 * RATE_HZ))
    plan = plan_mux(
        source,
        picture,
        tmp_path / "out.mp4",
        folder=tmp_path,
        stereo_kbps=192,
        audio=DEFAULT_STREAM,
    )
    if fault == "picture":
        picture = replace(picture, packets_sha256="0" * 64)
    elif fault == "frames":
        picture = replace(picture, frame_count=picture.frame_count + 1)
    elif fault == "duration":
        picture = replace(picture, duration_s=picture.duration_s * 2)
    else:
        # The mix says that it starts elsewhere than the file that is written from it.
        mixed = replace(mixed, length_samples=6 * RATE_HZ)
    error = attempt(tmp_path, source, picture, mixed, plan)
    assert error.message.startswith("mux: ")


@pytest.mark.parametrize("name", ["out.xyz", "out", "out.txt", "out.wav"])
def test_an_unknown_extension_is_refused(
    name: str, probed: Probed, make_video: Any, tmp_path: Path
) -> None:
    source, picture = probed(make_video("a.mp4", sound="aac"))
    with pytest.raises(MediaError, match="no container is known") as caught:
        plan_mux(
            source, picture, tmp_path / name, folder=tmp_path, stereo_kbps=192, audio=DEFAULT_STREAM
        )
    assert ".mp4" in caught.value.remedy


def test_more_channels_than_the_container_holds_is_told_before_any_music(
    probed: Probed, make_media: Any, make_video: Any, make_bursts: Any, tmp_path: Path
) -> None:
    film = make_media(
        "surround.mkv",
        *("-i", make_video("m.mkv", picture="mpeg2", sound=None)),
        *("-i", make_bursts(3.0, [0.5] * 6), "-map", "0:v", "-map", "1:a", "-c:v", "copy"),
        *("-c:a", "flac"),
    )
    source, picture = probed(film)
    with pytest.raises(MediaError, match="holds no 6 channels") as caught:
        plan_mux(
            source,
            picture,
            tmp_path / "out.mpg",
            folder=tmp_path,
            stereo_kbps=192,
            audio=DEFAULT_STREAM,
        )
    assert "out.mkv" in caught.value.remedy


def test_planning_leaves_nothing_behind(
    full: Callable[..., Path], probed: Probed, tmp_path: Path
) -> None:
    source, picture = probed(full("a.mkv", "srt"))
    (tmp_path / "trials").mkdir()
    plan_mux(
        source,
        picture,
        tmp_path / "b.mp4",
        folder=tmp_path / "trials",
        stereo_kbps=192,
        audio=DEFAULT_STREAM,
    )
    assert not list((tmp_path / "trials").iterdir())


@pytest.mark.parametrize(
    ("name", "kbps", "expected"),
    [("o.mp4", 192, 192), ("o.mp4", 384, 384), ("o.avi", 192, None), ("o.wmv", 384, 192)],
)
def test_the_bit_rate_is_that_of_the_preset_within_the_codec(
    name: str, kbps: int, expected: int | None, probed: Probed, make_video: Any, tmp_path: Path
) -> None:
    source, picture = probed(make_video("a.mkv", picture="mpeg4", sound="aac"))
    plan = plan_mux(
        source, picture, tmp_path / name, folder=tmp_path, stereo_kbps=kbps, audio=DEFAULT_STREAM
    )
    assert plan.lead.kbps == expected


# --- the codec that is asked for ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "codec", "expected"),
    [
        ("a.mp4", "opus", "opus"),
        ("a.mp4", "flac", "flac"),
        ("a.mov", "pcm", "pcm_s24le"),
        ("a.mkv", "ac3", "ac3"),
        ("a.ts", "mp3", "mp3"),
        ("a.webm", "vorbis", "vorbis"),
    ],
)
def test_the_sound_has_the_codec_that_was_asked_for(
    name: str, codec: Any, expected: str, probed: Probed, make_video: Any, tmp_path: Path
) -> None:
    picture_codec = {".webm": "vp9"}.get(Path(name).suffix, "h264")
    source, picture = probed(make_video(name, picture=picture_codec, sound=None))
    plan = plan_mux(
        source,
        picture,
        tmp_path / f"out-{name}",
        folder=tmp_path,
        stereo_kbps=320,
        audio=replace(DEFAULT_STREAM, codec=codec),
    )
    mixed = programme(tmp_path, noise(3 * RATE_HZ))
    scored = mux(source, picture, (mixed,), plan, 0.0, tmp_path / f"out-{name}")
    assert scored.audio_codec == expected
    with av.open(str(tmp_path / f"out-{name}")) as container:
        context = container.streams.audio[0].codec_context
        assert context.codec.canonical_name == expected


def test_a_codec_that_the_container_does_not_hold_is_refused_by_name(
    probed: Probed, make_video: Any, tmp_path: Path
) -> None:
    source, picture = probed(make_video("a.avi", picture="mpeg4"))
    with pytest.raises(SettingsError, match="does not hold --audio-codec mp3") as caught:
        plan_mux(
            source,
            picture,
            tmp_path / "out.avi",
            folder=tmp_path,
            stereo_kbps=320,
            audio=replace(DEFAULT_STREAM, codec="mp3"),
        )
    assert caught.value.remedy == "Use one of: pcm or -o out.mp4"


@pytest.mark.parametrize(
    ("codec", "kbps", "channels"), [("ac3", 640, 6), ("opus", 768, 6), ("flac", None, 6)]
)
def test_surround_has_the_bit_rate_that_its_codec_takes(
    codec: Any, kbps: int | None, channels: int
) -> None:
    assert kbps_of(encoder_of("matroska", codec), channels, 320) == kbps


def test_mp3_holds_no_surround() -> None:
    assert not holds(encoder_of("matroska", "mp3"), 6)
    assert holds(encoder_of("matroska", "mp3"), 2)


# --- what is not as it was ---------------------------------------------------------------------


def test_a_tag_that_the_container_cannot_hold_is_named(
    deliver: Deliver, make_media: Any, make_video: Any
) -> None:
    film = make_media(
        "tagged.mkv",
        *("-i", make_video("base.mkv", sound="aac"), "-c", "copy"),
        *("-metadata", "title=The Film", "-metadata", "LENS=50 mm"),
        *("-metadata", "REPLAYGAIN_TRACK_GAIN=-3 dB"),
    )
    scored, output, _ = deliver(film, name="out.mp4")
    losses = [
        (change.what, change.was, change.now)
        for change in scored.changed
        if change.loss and change.what.startswith("tag")
    ]
    assert losses == [("tag LENS", "50 mm", None)]
    # It told of the sound that was replaced: gone, and no loss.
    assert "tag REPLAYGAIN_TRACK_GAIN" in {change.what for change in scored.changed}
    assert described(output)["tags"]["title"] == "The Film"


def test_the_tags_of_phones_and_cameras_are_kept(
    deliver: Deliver, make_media: Any, make_video: Any
) -> None:
    film = make_media(
        "phone.mov",
        *("-i", make_video("base.mkv", sound="aac"), "-c", "copy"),
        *("-movflags", "use_metadata_tags", "-metadata", "com.apple.quicktime.make=Maker"),
        *("-metadata", "com.apple.quicktime.model=Model 1"),
    )
    scored, output, _ = deliver(film)
    assert not [change for change in scored.changed if change.loss]
    tags = described(output)["tags"]
    assert tags["com.apple.quicktime.make"] == "Maker"
    assert tags["com.apple.quicktime.model"] == "Model 1"
    assert tags["major_brand"].strip() == "qt"


def test_a_cover_in_matroska_stays_a_cover(
    deliver: Deliver, make_media: Any, make_video: Any, extras: Path
) -> None:
    cover = make_media("c.png", "-f", "lavfi", "-i", "testsrc2=size=64x64", "-frames:v", "1")
    film = make_media(
        "covered.mkv",
        *("-i", make_video("base.mkv", sound="aac"), "-c", "copy"),
        *("-attach", cover, "-metadata:s:t:0", "mimetype=image/png"),
        *("-metadata:s:t:0", "filename=front.png"),
        *("-attach", extras / "font.ttf", "-metadata:s:t:1", "mimetype=font/ttf"),
    )
    scored, output, _ = deliver(film)
    assert scored.dropped == ()
    streams = read_contents(output, stage="test").streams
    covers = [stream for stream in streams if stream.kind is StreamKind.COVER]
    assert [dict(stream.tags).get("filename") for stream in covers] == ["front.png"]
    assert [stream.kind for stream in streams].count(StreamKind.ATTACHMENT) == 1
    assert cover.read_bytes() in output.read_bytes()


def test_frames_behind_the_end_of_an_edit_list_stay_hidden(
    deliver: Deliver, make_media: Any, make_video: Any
) -> None:
    film = make_media(
        "ends.mp4",
        *("-i", make_video("long.mkv", sound="aac"), "-t", "2.4", "-map", "0", "-c", "copy"),
    )
    boxes = film.read_bytes()
    # The edit of the picture, 200 ms shorter: the frames behind it are there and not shown.
    at = boxes.index(b"elst") + 12
    length = int.from_bytes(boxes[at : at + 4], "big")
    scale = int.from_bytes(boxes[boxes.index(b"mvhd") + 16 :][:4], "big")
    shorter = film.with_name("shorter.mp4")
    shorter.write_bytes(boxes[:at] + (length - scale // 5).to_bytes(4, "big") + boxes[at + 4 :])
    scored, output, picture = deliver(shorter)
    assert picture.hidden_frames >= 4
    clock = read_contents(output, stage="test").clock
    assert clock is not None
    assert (clock.frame_count, clock.hidden_frames) == (picture.frame_count, picture.hidden_frames)
    assert not [change for change in scored.changed if change.loss]
