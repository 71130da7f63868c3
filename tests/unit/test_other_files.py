"""What is given in place of a film, and films that cannot be what their headers say."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scorebed.errors import MediaError
from scorebed.media import identify, require_unchanged
from scorebed.model import AudioSettings
from scorebed.stages.mux import mux
from scorebed.stages.mux_plan import plan_mux
from scorebed.stages.probe import look, probe

Refused = Callable[[Path], MediaError]
Make = Callable[..., Path]
AUDIO = AudioSettings(streams="default", keep_production=True, keep_original=False, music=False)
STILL = ("-f", "lavfi", "-i", "testsrc2=size=64x64", "-frames:v", "1")
READS_AND_TELLS = """
import resource, sys
from pathlib import Path
from scorebed.packets import read_contents
read_contents(Path(sys.argv[1]), stage="probe")
status = Path("/proc/self/status")
if status.exists():
    # What the system says of a process begins with what its parent had.
    peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    print(peak.split()[1])
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
TONE = ("-f", "lavfi", "-i", "sine=duration=1")


# --- other kinds of files ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("still.png", "a PNG picture"),
        ("still.jpg", "a JPEG picture"),
        ("still.tiff", "a TIFF picture"),
        ("still.webp", "a WebP picture"),
    ],
)
def test_a_still_is_named_and_has_a_remedy(
    name: str, kind: str, make_media: Make, refused: Refused, tmp_path: Path
) -> None:
    still = make_media(name, *STILL)
    error = refused(still)
    assert f"it is {kind}" in error.message
    assert "ffmpeg -loop 1" in error.remedy
    # By what is in it, not by its name.
    renamed = tmp_path / "holiday.mp4"
    renamed.write_bytes(still.read_bytes())
    assert f"it is {kind}" in refused(renamed).message


def test_a_still_in_a_container_is_no_film_of_one_frame(
    make_media: Make, refused: Refused, tmp_path: Path
) -> None:
    still = make_media("still.avif", *STILL, "-c:v", "libaom-av1", "-cpu-used", "8")
    assert "it is an AVIF picture" in refused(still).message


def test_a_gif_is_named(make_media: Make, refused: Refused) -> None:
    gif = make_media("film.gif", "-f", "lavfi", "-i", "testsrc2=size=64x64:duration=1")
    error = refused(gif)
    assert "it is a GIF animation" in error.message
    assert "ffmpeg -i FILE" in error.remedy


@pytest.mark.parametrize(
    ("name", "codec"), [("song.mp3", "mp3"), ("song.wav", "pcm_s16le"), ("song.m4a", "aac")]
)
def test_music_is_named_and_its_place_told(
    name: str, codec: str, make_media: Make, refused: Refused
) -> None:
    error = refused(make_media(name, *TONE))
    assert f"has no picture (only sound: {codec})" in error.message
    assert "--music" in error.remedy


def test_a_cover_is_no_picture(make_media: Make, refused: Refused) -> None:
    song = make_media(
        "song.mp3", *TONE, *("-i", make_media("still.png", *STILL)), "-map", "0", "-map", "1",
        "-disposition:v", "attached_pic",
    )  # fmt: skip
    assert "only sound: mp3" in refused(song).message


@pytest.mark.parametrize(
    ("content", "kind", "remedy"),
    [
        (b"A text about a film.\n", "text", "--speech"),
        (b"1\n00:00:00,000 --> 00:00:01,000\nhi\n", "text", "--speech"),
        ("\ufeffein film über text\n".encode(), "text", "--speech"),
        (b"\n<!DOCTYPE html><html><body>404</body></html>", "a web page", "fetch"),
        (b"#EXTM3U\n#EXTINF:3,\nfilm.ts\n", "a playlist", "one file"),
        (b"%PDF-1.7\n\0\1", "a PDF document", "video file"),
        (b"\x1f\x8b\x08\0\0\0", "a gzip archive", "Unpack"),
    ],
)
def test_other_files_are_named(
    content: bytes, kind: str, remedy: str, tmp_path: Path, refused: Refused
) -> None:
    (tmp_path / "film.mp4").write_bytes(content)
    error = refused(tmp_path / "film.mp4")
    assert f"(it is {kind})" in error.message
    assert remedy in error.remedy


def test_an_archive_is_named(tmp_path: Path, refused: Refused) -> None:
    with zipfile.ZipFile(tmp_path / "film.mp4", "w") as archive:
        archive.writestr("film.mp4", b"x")
    error = refused(tmp_path / "film.mp4")
    assert "it is a ZIP archive" in error.message
    assert "Unpack" in error.remedy


def test_a_folder_and_a_device_are_named(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "folder.mp4").mkdir()
    assert "is not a file but a folder" in refused(tmp_path / "folder.mp4").message
    assert "is not a file but a pipe or a device" in refused(Path("/dev/null")).message


# --- still being written -----------------------------------------------------------------------


def test_a_file_that_grows_is_refused(make_video: Any, tmp_path: Path) -> None:
    recording = tmp_path / "recording.ts"
    whole: bytes = make_video("film.ts", sound="aac").read_bytes()
    recording.write_bytes(whole[: len(whole) // 2])
    source = identify(recording)
    require_unchanged(source, stage="spot")
    with recording.open("ab") as file:
        file.write(whole[len(whole) // 2 :])
    with pytest.raises(MediaError, match="it is still being written") as caught:
        require_unchanged(source, stage="spot")
    assert str(recording) in caught.value.message
    assert "run the same command again" in caught.value.remedy


def test_music_is_not_made_for_half_a_recording(make_video: Any, tmp_path: Path) -> None:
    recording, output = tmp_path / "recording.ts", tmp_path / "out.ts"
    recording.write_bytes(make_video("film.ts", sound="aac").read_bytes())
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "scorebed", "score", recording, "-o", output, "--offline"),
            *("--quality", "draft", "--workspace", tmp_path / "work"),
        ],
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    ) as process:
        with recording.open("ab", buffering=0) as file:
            while process.poll() is None:
                file.write(b"\x47\x1f\xff\x10" + b"\xff" * 184)
                time.sleep(0.02)
        assert process.stderr is not None
        said = process.stderr.read()
    assert process.returncode == 3, said
    assert "it is still being written" in said
    assert "compose: started" not in said
    assert not output.exists()


def test_a_copy_of_another_picture_than_was_read_is_refused(
    make_video: Any, tmp_path: Path
) -> None:
    film, output = tmp_path / "film.mp4", tmp_path / "out.mp4"
    film.write_bytes(make_video("film.mp4", sound="aac").read_bytes())
    source = identify(film)
    picture = probe(source, folder=tmp_path)
    assert picture.production is not None
    plan = plan_mux(source, picture, output, folder=tmp_path, stereo_kbps=192, audio=AUDIO)
    os.utime(film, (0, 0))
    with pytest.raises(MediaError, match="it is still being written"):
        mux(source, picture, (picture.production,), plan, 0.0, output)


# --- time stamps -------------------------------------------------------------------------------


def at_times(make_media: Make, name: str, rate: str, times: str, *sound: str) -> Path:
    """A film whose frames are shown at other times than they were made for."""
    return make_media(
        name,
        *("-f", "lavfi", "-i", f"testsrc2=size=64x64:rate={rate}"),
        *sound,
        *("-vf", f"setpts={times}", "-fps_mode", "passthrough", "-enc_time_base", "1/1000"),
        *("-c:v", "mpeg4", "-frames:v", "50"),
    )


def test_seconds_that_claim_hours_are_refused(make_media: Make, refused: Refused) -> None:
    """One time stamp of 50 is wrong: silence and music for a day would be made."""
    far = at_times(make_media, "far.mkv", "25", "'PTS+if(gte(N,49),86400,0)/TB'")
    error = refused(far)
    assert "1439 minutes" in error.message
    assert "time stamps are damaged" in error.message
    assert "-fps_mode cfr" in error.remedy


def test_sound_that_begins_hours_later_is_refused(make_media: Make, refused: Refused) -> None:
    film = make_media(
        "late.mkv",
        *("-f", "lavfi", "-i", "testsrc2=size=64x64:duration=1"),
        *(
            "-itsoffset",
            "7200",
            *TONE,
            "-map",
            "0",
            "-map",
            "1",
            "-c:v",
            "mpeg4",
            "-c:a",
            "pcm_s16le",
        ),
    )
    assert "119 minutes" in refused(film).message


def test_slides_are_a_film(make_media: Make) -> None:
    slides = at_times(make_media, "slides.mkv", "1/20", "PTS")
    picture = look(identify(slides))
    assert picture.frame_count == 50
    assert float(picture.duration_s) == pytest.approx(1000, abs=21)


def test_a_picture_that_stands_still_while_somebody_speaks_is_a_film(make_media: Make) -> None:
    """Two frames half an hour apart, and sound between them."""
    sound = ("-f", "lavfi", "-i", "sine=sample_rate=8000:duration=1800", "-c:a", "pcm_u8")
    still = at_times(make_media, "still.mkv", "25", "'if(gte(N,49),1800/TB,N)'", *sound)
    assert float(look(identify(still)).duration_s) == pytest.approx(1800, abs=1)


# --- memory ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_header_cannot_ask_for_gigabytes(
    make_video: Any, tmp_path: Path, refused: Refused
) -> None:
    """All 80 million frames of one byte: libav alone would take 2.9 GB for their table."""
    content = bytearray(make_video("film.mp4", sound=None).read_bytes())
    frames = 80_000_000
    sizes, chunks, times = (content.find(name) for name in (b"stsz", b"stsc", b"stts"))
    content[sizes + 8 : sizes + 16] = struct.pack(">II", 1, frames)
    content[chunks + 16 : chunks + 20] = struct.pack(">I", frames)
    content[times + 12 : times + 16] = struct.pack(">I", frames)
    film = tmp_path / "film.mp4"
    film.write_bytes(content)
    refused(film)
    told = subprocess.run(
        [sys.executable, "-c", READS_AND_TELLS, film], check=True, capture_output=True
    )
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(told.stdout) * unit < 300_000_000
