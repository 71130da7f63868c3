"""Probe: exact times, the hash of the picture, and production audio where it belongs."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from scorebed.errors import MediaError
from scorebed.media import identify
from scorebed.model import Picture, SourceFile, SpotSettings, Stem, StreamKind
from scorebed.packets import read_contents
from scorebed.stages.probe import look, probe
from scorebed.stages.spot import spot

RATE_HZ = 48_000
BURST_AT = RATE_HZ
"""The films of ``make_video`` have their burst at one second of the sound's own clock."""
Probed = Callable[[Path], tuple[SourceFile, Picture]]
Locate = Callable[[NDArray[np.float32]], int]


def samples(stem: Stem | None) -> NDArray[np.float32]:
    assert stem is not None
    audio, rate_hz = soundfile.read(stem.audio.path, dtype="float32", always_2d=True)
    assert rate_hz == RATE_HZ
    assert audio.shape == (stem.length_samples, stem.channels)
    return np.asarray(audio)


def place(stem: Stem | None, locate_burst: Locate) -> int:
    """Position of the burst on the picture's time line."""
    assert stem is not None
    return stem.start_samples + locate_burst(samples(stem)[:, 0])


# --- time of day -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "rate", "how", "expected_s"),
    [
        ("a.mov", "25", ("-timecode", "10:00:00:05"), Fraction(180_001, 5)),
        ("a.mp4", "25", ("-timecode", "10:00:00:05"), Fraction(180_001, 5)),
        ("a.mov", "24000/1001", ("-timecode", "01:00:00:00"), Fraction(18_018, 5)),
        ("a.mp4", "30000/1001", ("-timecode", "01:00:00;00"), Fraction(107_892 * 1001, 30_000)),
        ("a.mov", "60", ("-timecode", "01:00:00:59"), Fraction(216_059, 60)),
        ("a.mov", "60000/1001", ("-timecode", "01:00:00:59"), Fraction(216_059 * 1001, 60_000)),
        ("a.mov", "60000/1001", ("-timecode", "01:00:00;59"), Fraction(215_843 * 1001, 60_000)),
        ("a.mkv", "25", ("-metadata", "timecode=00:00:01:00"), Fraction(1)),
        ("a.mkv", "25", ("-metadata", "timecode=tomorrow"), None),
        ("a.mov", "25", (), None),
    ],
)
def test_the_timecode_is_the_time_of_day_of_the_first_frame(
    name: str, rate: str, how: tuple[str, ...], expected_s: Fraction | None, make_video: Any
) -> None:
    source = identify(make_video(name, *how, rate=rate))
    assert look(source).timecode_s == expected_s


def test_a_timecode_may_count_every_other_frame(make_video: Any) -> None:
    """Films of 60 frames per second often have a timecode of 30: its track says so."""
    whole = make_video("a.mov", "-timecode", "01:00:00:10", rate="60")
    boxes = whole.read_bytes()
    # The description: flags, time scale, duration of a frame, number of frames.
    at = boxes.index(b"tmcd", boxes.index(b"stsd", boxes.index(b"gmhd"))) + 28
    assert boxes[at] == 60
    halved = whole.with_name("halved.mov")
    halved.write_bytes(boxes[:at] + bytes([30]) + boxes[at + 1 :])
    picture = look(identify(halved))
    # The track holds a count of frames, 216 010: at 30 a second it is another time of day.
    assert picture.timecode == "02:00:00:20"
    assert picture.timecode_s == 7200 + Fraction(20, 30)


# --- what each stream is -----------------------------------------------------------------------


def test_each_stream_is_described(make_media: Any, make_video: Any, make_bursts: Any) -> None:
    film = make_media(
        "all.mp4",
        *("-display_rotation", "90", "-i", make_video("base.mkv", sound=None)),
        *("-i", make_bursts(3.0, [1.0] * 6), "-map", "0", "-map", "1"),
        *("-c:v", "copy", "-c:a", "aac", "-af", "aformat=channel_layouts=5.1"),
        *("-bsf:v", "h264_metadata=colour_primaries=9", "-aspect", "2:1"),
        *("-metadata:s:a:0", "language=deu", "-metadata:s:a:0", "title=Ton"),
    )
    shown, heard = look(identify(film)).streams
    assert shown.video is not None
    assert shown.video.rotation_deg == pytest.approx(90)
    assert shown.video.pixel_aspect == Fraction(9, 8)
    assert (shown.video.width_px, shown.video.height_px) == (160, 90)
    assert shown.video.colour.primaries == "bt2020"
    assert shown.video.frame_rate == 25
    assert not shown.video.variable_rate
    assert (shown.codec, shown.codec_tag, shown.packets) == ("h264", "avc1", 75)
    assert shown.start_s == 0
    assert shown.duration_s == 3
    assert any("rotation of" in line for line in shown.side_data)
    assert heard.audio is not None
    assert (heard.audio.channels, heard.audio.layout) == (6, "5.1")
    assert heard.audio.sample_rate_hz == RATE_HZ
    assert (heard.language, heard.title, heard.video) == ("deu", "Ton", None)
    assert ("language", "deu") in heard.tags
    assert heard.time_base == Fraction(1, RATE_HZ)


def test_hdr_is_told_apart(make_media: Any, make_video: Any) -> None:
    for transfer, told in ((16, "pq"), (18, "hlg"), (1, "sdr")):
        film = make_media(
            f"{told}.mkv",
            *("-i", make_video("base.mkv", sound=None), "-c", "copy"),
            *("-bsf:v", f"h264_metadata=transfer_characteristics={transfer}"),
        )
        video = look(identify(film)).streams[0].video
        assert video is not None
        assert video.dynamic_range == told


def test_an_encrypted_film_is_refused_by_name(
    make_media: Any, make_video: Any, refused: Any
) -> None:
    film = make_media(
        "locked.mp4",
        *("-i", make_video("base.mkv", sound="aac"), "-c", "copy"),
        *("-encryption_scheme", "cenc-aes-ctr"),
        *("-encryption_key", "76a6c65c5ea762046bd749a2e632ccbb"),
        *("-encryption_kid", "a7e61c373e219033c21091fa607bf3b8"),
    )
    error = refused(film)
    assert "is encrypted (stream 0, 1)" in error.message
    # Without the boxes by which libav knows an encrypted packet: as a film with a clear beginning.
    locked = film.read_bytes()
    for name in (b"senc", b"saiz", b"saio"):
        locked = locked.replace(name, b"free")
    film.write_bytes(locked)
    assert "is encrypted (stream 0, 1)" in refused(film).message


def test_an_encrypted_track_of_matroska_is_refused_by_name(
    make_media: Any, make_video: Any, refused: Any
) -> None:
    film = make_media("locked.mkv", "-i", make_video("a.mp4", sound="aac"), "-c", "copy")
    film.write_bytes(with_encryption(film.read_bytes()))
    assert "is encrypted (stream 0)" in refused(film).message


def with_encryption(film: bytes) -> bytes:
    """The first track is said to be encrypted (ContentEncodings, RFC 9559, 5.1.4.1.31)."""

    def element(name: str, content: bytes) -> bytes:
        return bytes.fromhex(name) + bytes([0x80 | len(content)]) + content

    cipher = element("47E1", b"\5") + element("47E2", bytes(16))
    coding = element("5031", b"\0") + element("5033", b"\1") + element("5035", cipher)
    more = element("6D80", element("6240", coding))
    tracks_id, entry_id, segment_id = (bytes.fromhex(i) for i in ("1654AE6B", "AE", "18538067"))
    tracks = film.index(tracks_id, film.index(tracks_id) + 1)  # the index names it first
    size, at = sized(film, tracks + 4)
    assert size
    entry = film.index(entry_id, at)
    size, at = sized(film, entry + 1)
    film = film[: at + size] + more + film[at + size :]
    for place in (entry + 1, tracks + 4, film.index(segment_id) + 4):
        size, at = sized(film, place)
        grown = size + len(more) | 1 << 7 * (at - place)
        film = film[:place] + grown.to_bytes(at - place, "big") + film[at:]
    return film


def sized(film: bytes, at: int) -> tuple[int, int]:
    """A size of EBML, and where it ends."""
    width = 9 - film[at].bit_length()
    whole = int.from_bytes(film[at : at + width], "big")
    return whole & ~(1 << 7 * width), at + width


# --- time zero ---------------------------------------------------------------------------------

SHIFTED = [
    *(("mkv", "pcm_s16le", offset) for offset in (-0.5, 0.0, 0.188, 1.075)),
    *(("mov", "pcm_s16le", offset) for offset in (-0.5, 0.188)),
    *(("mp4", "aac", offset) for offset in (-0.5, 0.0, 0.188, 1.075)),
    *(("ts", "aac", offset) for offset in (-0.5, 0.0, 0.188, 1.075)),
    ("mkv", "libopus", -0.5),
    ("mkv", "libopus", 0.188),
    ("flv", "aac", 0.188),
    ("mp4", "libmp3lame", 0.188),
]


@pytest.mark.parametrize(("container", "sound", "offset_s"), SHIFTED)
def test_a_click_is_where_it_was_whatever_starts_first(
    container: str,
    sound: str,
    offset_s: float,
    make_video: Any,
    probed: Probed,
    locate_burst: Locate,
) -> None:
    _, picture = probed(make_video(f"shift.{container}", sound=sound, offset_s=offset_s))
    dx = picture.production
    assert place(dx, locate_burst) == pytest.approx(BURST_AT + offset_s * RATE_HZ, abs=48)
    assert picture.frame_count == 75
    assert picture.duration_s == pytest.approx(3.0, abs=0.002)
    assert dx is not None
    # What is heard before the first frame is kept, before it; a late start is silence.
    if offset_s < 0:
        assert dx.start_samples == pytest.approx(offset_s * RATE_HZ, abs=1200)
    else:
        assert -2100 <= dx.start_samples <= 0
    assert dx.end_samples == pytest.approx((3 + offset_s) * RATE_HZ, abs=2400)


def test_a_hole_in_the_sound_stays_a_hole(
    make_media: Any, make_video: Any, probed: Probed, locate_burst: Locate
) -> None:
    """An export may drop silence: what comes after must not slide forward."""
    film = make_video("whole.mkv")
    # Every packet between 0.3 and 0.8 s is thrown away.
    holed = make_media(
        "holed.mkv",
        *("-i", film, "-map", "0", "-c", "copy"),
        *("-bsf:a", "noise=drop=between(pts*tb\\,0.3\\,0.8)"),
    )
    _, picture = probed(holed)
    assert place(picture.production, locate_burst) == pytest.approx(BURST_AT, abs=48)


def test_frames_that_an_edit_list_hides_are_not_time(
    make_media: Any, make_video: Any, probed: Probed, locate_burst: Locate
) -> None:
    """Cut without re-encoding: the film starts between key frames, the packets before stay."""
    film = make_video("long.mp4", sound="aac")
    cut = make_media("cut.mp4", "-ss", "0.48", "-i", film, "-map", "0", "-c", "copy")
    _, picture = probed(cut)
    assert picture.frame_count == 63
    assert picture.duration_s == pytest.approx(2.52, abs=0.002)
    expected = BURST_AT - 0.48 * RATE_HZ
    assert place(picture.production, locate_burst) == pytest.approx(expected, abs=48)
    contents = read_contents(cut, stage="probe")
    assert contents.clock is not None
    assert contents.clock.hidden_frames == 12


# --- sound -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "channels", "name"),
    [
        ("pcm_s16le", 1, "a.mkv"),
        ("pcm_s16le", 2, "a.mov"),
        ("flac", 6, "a.mkv"),
        ("pcm_s24le", 6, "a.mov"),
        ("pcm_s16le", 8, "a.mov"),
        ("flac", 8, "a.mkv"),
    ],
)
def test_a_layout_is_kept_channel_by_channel(
    codec: str,
    channels: int,
    name: str,
    make_media: Any,
    make_video: Any,
    make_bursts: Any,
    probed: Probed,
    locate_burst: Locate,
) -> None:
    at_s = [0.2 + 0.25 * channel for channel in range(channels)]
    film = make_media(
        name,
        *("-i", make_video("silent.mkv", sound=None), "-i", make_bursts(3.0, at_s)),
        *("-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", codec),
        *(
            "-af",
            f"aformat=channel_layouts={ {1: 'mono', 2: 'stereo', 6: '5.1', 8: '7.1'}[channels] }",
        ),
    )
    _, picture = probed(film)
    audio = samples(picture.production)
    assert audio.shape[1] == channels
    for channel, start_s in enumerate(at_s):
        assert locate_burst(audio[:, channel]) == pytest.approx(start_s * RATE_HZ, abs=2)
        # Nothing is rescaled, and nothing leaks into another channel.
        assert np.abs(audio[:, channel]).max() == pytest.approx(0.7, abs=0.01)
        assert np.count_nonzero(np.abs(audio[:, channel]) > 0.05) < 960


def test_side_channels_of_a_broadcast_are_kept_at_their_level(
    make_media: Any, make_video: Any, make_bursts: Any, probed: Probed, locate_burst: Locate
) -> None:
    """AC-3 calls its surround channels side, not back."""
    at_s = [0.3, 0.6, 0.9, 1.2, 1.5, 1.8]
    film = make_media(
        "surround.mkv",
        *("-i", make_video("silent.mkv", sound=None), "-i", make_bursts(3.0, at_s)),
        *("-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "ac3", "-b:a", "640k"),
        *("-af", "pan=5.1(side)|FL=c0|FR=c1|FC=c2|LFE=c3|SL=c4|SR=c5"),
    )
    _, picture = probed(film)
    audio = samples(picture.production)
    assert audio.shape[1] == 6
    for channel in (0, 1, 2, 4, 5):
        assert locate_burst(audio[:, channel]) == pytest.approx(at_s[channel] * RATE_HZ, abs=300)
        energy = float(np.square(audio[:, channel]).sum())
        front = float(np.square(audio[:, 0]).sum())
        assert 10 * np.log10(energy / front) == pytest.approx(0, abs=1.0)


def test_four_channels_become_5_1_each_in_its_place(
    make_media: Any, make_video: Any, make_bursts: Any, probed: Probed
) -> None:
    at_s = [0.3, 0.9, 1.5, 2.1]
    bursts = make_bursts(3.0, at_s)
    film = make_media(
        "quad.mov",
        *("-i", make_video("silent.mkv", sound=None), "-i", bursts),
        *("-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "pcm_s16le"),
        *("-af", "channelmap=map=0-FL|1-FR|2-BL|3-BR:channel_layout=quad"),
    )
    _, picture = probed(film)
    assert picture.sounds[0].layout == "quad"
    audio = samples(picture.production)
    assert audio.shape[1] == 6
    heard, _ = soundfile.read(bursts, dtype="float32", always_2d=True)
    for channel, start_s, place_in_5_1 in zip(range(4), at_s, (0, 1, 4, 5), strict=True):
        first = round(start_s * RATE_HZ)
        found = audio[first : first + 960]
        assert np.allclose(found[:, place_in_5_1], heard[first : first + 960, channel], atol=1e-3)
        assert not np.delete(found, place_in_5_1, axis=1).any()


def test_other_rates_become_48_khz_in_place(
    make_video: Any, probed: Probed, locate_burst: Locate
) -> None:
    _, picture = probed(make_video("slow.mov", "-ar", "44100"))
    assert place(picture.production, locate_burst) == pytest.approx(BURST_AT, abs=2)
    assert picture.production is not None
    assert picture.production.length_samples == pytest.approx(3 * RATE_HZ, abs=2)


def test_samples_that_are_no_numbers_are_not_heard(
    make_media: Any, make_video: Any, probed: Probed, tmp_path: Path
) -> None:
    broken = np.zeros((RATE_HZ, 2), dtype=np.float32)
    broken[1000:1100] = np.nan
    broken[2000] = np.inf
    broken[3000] = -np.inf
    broken[5000] = 0.5
    soundfile.write(tmp_path / "nan.wav", broken, RATE_HZ, subtype="FLOAT")
    film = make_media(
        "nan.mov",
        *("-i", make_video("silent.mkv", sound=None), "-i", tmp_path / "nan.wav"),
        *("-map", "0:v", "-map", "1:a", "-c", "copy"),
    )
    audio = samples(probed(film)[1].production)
    assert np.abs(audio).max() <= 1.0
    assert np.abs(audio[5000]).max() == 0.5


def test_the_sound_marked_as_default_is_the_one_that_is_scored(
    make_media: Any, make_video: Any, make_bursts: Any, probed: Probed, locate_burst: Locate
) -> None:
    film = make_media(
        "two.mkv",
        *("-i", make_video("silent.mkv", sound=None)),
        *("-i", make_bursts(3.0, [0.5]), "-i", make_bursts(3.0, [2.0])),
        *("-map", "0:v", "-map", "1:a", "-map", "2:a", "-c:v", "copy", "-c:a", "pcm_s16le"),
        *("-disposition:a:0", "0", "-disposition:a:1", "default"),
    )
    _, picture = probed(film)
    assert picture.production_index == 2
    assert place(picture.production, locate_burst) == pytest.approx(2.0 * RATE_HZ, abs=2)


def test_a_film_without_sound(make_video: Any, probed: Probed) -> None:
    _, picture = probed(make_video("mute.mp4", sound=None))
    assert (picture.production, picture.production_index) == (None, None)
    assert picture.length_samples == 3 * RATE_HZ


# --- picture -----------------------------------------------------------------------------------

FILMS = [
    ("a.mp4", "h264", "aac", ()),
    ("a.mov", "prores", "pcm_s16le", ()),
    ("a.mkv", "h264", "aac", ()),
    ("a.webm", "vp9", "libopus", ()),
    ("a.ts", "h264", "aac", ()),
    ("a.avi", "mpeg4", "pcm_s16le", ()),
    ("a.flv", "h264", "aac", ()),
    ("a.mpg", "mpeg2", "mp2", ("-f", "vob")),
    ("a.wmv", "wmv", "wmav2", ()),
    ("a.ogv", "theora", "libvorbis", ()),
]


@pytest.mark.parametrize(("name", "codec", "sound", "extra"), FILMS)
def test_the_hash_is_that_of_ffmpeg(
    name: str,
    codec: str,
    sound: str,
    extra: tuple[str, ...],
    make_video: Any,
    probed: Probed,
    stream_hash: Callable[..., str],
    locate_burst: Locate,
    heard: Any,
) -> None:
    film = make_video(name, *extra, picture=codec, sound=sound)
    _, picture = probed(film)
    assert picture.packets_sha256 == stream_hash(film)
    assert picture.sound_sha256 == stream_hash(film, "a:0")
    assert picture.frame_count == 75
    assert picture.frame_rate == 25
    assert not picture.variable_rate
    assert (picture.width_px, picture.height_px) == (160, 90)
    assert picture.duration_s == pytest.approx(3.0, abs=0.002)
    audio, start = heard(film)
    # As libav hears it: what a container or codec does to sync has then been done to the input.
    expected = start + locate_burst(audio[:, 0])
    assert expected == pytest.approx(BURST_AT, abs=1500)
    assert place(picture.production, locate_burst) == pytest.approx(expected, abs=48)


@pytest.mark.parametrize(
    ("container", "rate"),
    [
        ("mkv", "30000/1001"),
        ("mkv", "24000/1001"),
        ("mkv", "60"),
        ("mp4", "30000/1001"),
        ("ts", "24000/1001"),
        ("mov", "15"),
    ],
)
def test_the_frame_rate_is_exact(
    container: str, rate: str, make_video: Any, probed: Probed
) -> None:
    film = make_video(f"rate.{container}", sound=None, rate=rate, duration_s=4.0)
    _, picture = probed(film)
    assert picture.frame_rate == Fraction(rate)
    assert not picture.variable_rate
    expected = picture.frame_count / Fraction(rate)
    assert abs(picture.duration_s - expected) <= Fraction(1, 900)


@pytest.mark.parametrize("container", ["mkv", "mp4"])
def test_a_varying_rate_is_seen(container: str, make_media: Any, probed: Probed) -> None:
    film = make_media(
        f"vfr.{container}",
        *("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=30:duration=4"),
        *("-vf", "select='if(lt(t,2),1,not(mod(n,6)))'", "-fps_mode", "vfr"),
        *("-c:v", "libx264", "-preset", "ultrafast"),
    )
    _, picture = probed(film)
    assert picture.variable_rate
    assert picture.frame_count == 70
    assert float(picture.frame_rate) == pytest.approx(70 / float(picture.duration_s))


def test_frames_that_were_dropped_in_recording_are_not_a_cut(
    make_media: Any, probed: Probed
) -> None:
    """AVI writes an empty packet where a capture dropped a frame, and counts it."""
    film = make_media(
        "capture.avi",
        *("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=30:duration=4"),
        *("-vf", "select='not(mod(n,3))'", "-fps_mode", "vfr", "-enc_time_base", "1/30"),
        *("-c:v", "mpeg4", "-q:v", "5"),
    )
    _, picture = probed(film)
    assert picture.frame_count == 40
    assert picture.duration_s == pytest.approx(4.0, abs=0.1)


def test_streams_are_listed_with_what_they_are(
    make_media: Any, make_video: Any, make_bursts: Any, probed: Probed, tmp_path: Path
) -> None:
    (tmp_path / "a.srt").write_text("1\n00:00:00,500 --> 00:00:01,500\nHello\n")
    (tmp_path / "font.ttf").write_bytes(b"\0\1\0\0" + bytes(200))
    still = make_media("still.png", "-f", "lavfi", "-i", "color=red:size=32x32", "-frames:v", "1")
    film = make_media(
        "all.mkv",
        *("-i", make_video("base.mkv"), "-i", make_bursts(3.0, [0.5]), "-i", tmp_path / "a.srt"),
        *("-map", "0:v", "-map", "0:a", "-map", "1:a", "-map", "2:s"),
        *("-c:v", "copy", "-c:a", "flac", "-c:s", "srt"),
        *("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=fra"),
        *("-metadata:s:s:0", "language=deu", "-disposition:s:0", "forced"),
        *("-attach", tmp_path / "font.ttf", "-metadata:s:t:0", "mimetype=font/ttf"),
        *("-attach", still, "-metadata:s:t:1", "mimetype=image/png"),
    )
    _, picture = probed(film)
    kinds = [stream.kind for stream in picture.streams]
    assert kinds[:5] == [
        StreamKind.VIDEO,
        StreamKind.AUDIO,
        StreamKind.AUDIO,
        StreamKind.SUBTITLE,
        StreamKind.ATTACHMENT,
    ]
    assert kinds[5] is StreamKind.COVER
    assert [stream.language for stream in picture.streams[1:4]] == ["eng", "fra", "deu"]
    assert "forced" in picture.streams[3].disposition
    assert [s.codec for s in picture.streams[:4]] == ["h264", "flac", "flac", "subrip"]
    assert picture.video_index == 0
    assert picture.frame_count == 75


# --- what is refused ---------------------------------------------------------------------------

Refused = Callable[[Path], MediaError]


def cut_off(whole: Path, target: Path, share: float) -> Path:
    content = whole.read_bytes()
    target.write_bytes(content[: int(len(content) * share)])
    return target


@pytest.mark.parametrize("share", [0.3, 0.6, 0.85])
def test_a_copy_that_was_cut_off(
    share: float, make_video: Any, tmp_path: Path, refused: Refused
) -> None:
    plain = make_video("plain.mp4", sound="aac")
    refused(cut_off(plain, tmp_path / "index-at-the-end.mp4", share))
    early = make_video("early.mp4", "-movflags", "+faststart", sound="aac")
    error = refused(cut_off(early, tmp_path / "index-first.mp4", share))
    assert "cut off" in error.message


def test_a_header_without_frames(make_video: Any, tmp_path: Path, refused: Refused) -> None:
    film = make_video("whole.mkv", sound=None)
    content = film.read_bytes()
    first_cluster = content.index(b"\x1f\x43\xb6\x75")
    (tmp_path / "header.mkv").write_bytes(content[:first_cluster])
    refused(tmp_path / "header.mkv")


@pytest.mark.parametrize("name", ["song.m4a", "song.mp3", "song.wav", "song.mkv"])
def test_sound_alone_has_no_picture(
    name: str, make_media: Any, make_bursts: Any, refused: Refused
) -> None:
    error = refused(make_media(name, "-i", make_bursts(2.0, [0.5, 0.5])))
    assert "no picture" in error.message
    assert "--music" in error.remedy


@pytest.mark.parametrize("name", ["song.mp3", "song.m4a", "song.flac"])
def test_a_cover_is_no_picture(
    name: str, make_media: Any, make_bursts: Any, refused: Refused
) -> None:
    cover = make_media("c.jpg", "-f", "lavfi", "-i", "testsrc2=size=64x64", "-frames:v", "1")
    song = make_media(
        name,
        *("-i", make_bursts(2.0, [0.5, 0.5]), "-i", cover, "-map", "0", "-map", "1"),
        *("-c:v", "copy", "-disposition:v", "attached_pic"),
    )
    assert "no picture" in refused(song).message


def test_sound_that_cannot_be_decoded(make_video: Any, tmp_path: Path, refused: Refused) -> None:
    """The stream is there; not one packet of it makes sense."""
    film = make_video("good.mkv", sound="flac")
    content = bytearray(film.read_bytes())
    at = content.index(b"\xff\xf8")
    while at != -1:
        content[at : at + 2] = b"\0\0"
        at = content.find(b"\xff\xf8", at)
    (tmp_path / "noise.mkv").write_bytes(bytes(content))
    error = refused(tmp_path / "noise.mkv")
    assert "cannot be decoded" in error.message


@pytest.mark.media
def test_every_broken_file_is_refused_before_any_music(media_dir: Path, tmp_path: Path) -> None:
    """By reading its packets, or at the latest by looking at its frames."""
    broken = sorted((media_dir / "broken").iterdir())
    assert broken
    for path in broken:
        with pytest.raises(MediaError, match=re.escape(path.name)):
            watch(path, tmp_path)


def watch(path: Path, folder: Path) -> None:
    source = identify(path)
    settings = SpotSettings(max_scenes=5, listen=True)
    spot(source, probe(source, folder=folder), settings, folder=folder)
