"""A file's name is a name, and what is written in a file opens no other file and no address."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from scorebed.errors import MediaError, ToolError
from scorebed.ffmpeg import Decoding, decode_audio
from scorebed.media import identify
from scorebed.model import (
    Artifact,
    AudioSettings,
    Picture,
    PictureCurve,
    Quote,
    SourceFile,
    SpottingNotes,
    Take,
    TakePiece,
    TimeRange,
)
from scorebed.packets import read_contents
from scorebed.stages.conform import conform
from scorebed.stages.mux import mux
from scorebed.stages.mux_plan import plan_mux
from scorebed.stages.probe import probe

DEFAULT_STREAM = AudioSettings(
    streams="default", keep_production=True, keep_original=False, music=False
)
FREE = Quote(requests=0, amount=0.0, currency="USD")
NAMES = [
    "-x.mp4",
    "a:b.mp4",
    "http:x.mp4",
    "concat:a|b.mp4",
    'it\'s "here" $(id) `id`.mp4',
    " two  words .mp4",
    "line\nbreak.mp4",
    "frame%d-%03d-%%.mp4",
    "[0:v]; null, \\ ünïcödé 映画.mp4",
    os.fsdecode(b"bytes-\xff\xfe\x80.mp4"),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_name_is_a_file_and_nothing_else(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_video: Any,
    stream_hash: Callable[[Path], str],
) -> None:
    good: Path = make_video("good.mp4", sound="aac", duration_s=1.5)
    expected = stream_hash(good)
    monkeypatch.chdir(tmp_path)
    video, output = Path(name), Path("out" + name)
    shutil.copyfile(good, tmp_path / name)
    source = identify(video)
    picture = probe(source, folder=tmp_path)
    assert picture.packets_sha256 == expected
    assert picture.production is not None
    assert picture.production.length_samples == pytest.approx(72_000, abs=1_100)
    plan = plan_mux(source, picture, output, folder=tmp_path, stereo_kbps=192, audio=DEFAULT_STREAM)
    scored = mux(source, picture, (picture.production,), plan, 0.0, output)
    assert scored.picture_sha256 == expected
    shutil.copyfile(tmp_path / ("out" + name), tmp_path / "plain.mp4")
    assert stream_hash(tmp_path / "plain.mp4") == expected
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        [name, "out" + name, "plain.mp4", "DX.wav"]
    )


# --- what is written in a file -----------------------------------------------------------------


class _Server(BaseHTTPRequestHandler):
    hits: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.hits.append(self.path)
        self.send_error(404)

    do_HEAD = do_POST = do_GET  # noqa: N815 - the base's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """stderr belongs to pytest."""


@pytest.fixture
def address() -> Iterator[str]:
    """A loopback server that remembers who asked."""
    _Server.hits.clear()
    server = HTTPServer(("127.0.0.1", 0), _Server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def by_name(name: str) -> Decoding:
    return Decoding(path=Path(name), stream_index=0, channels=2, filters="anull")


PLAYLISTS = {
    "hls.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:3,\n{target}\n#EXT-X-ENDLIST\n",
    "hls.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:3,\n{target}\n#EXT-X-ENDLIST\n",
    "hls.ts": '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n#EXTINF:3,\n{target}\n',
    "list.mp4": "ffconcat version 1.0\nfile '{target}'\n",
    "list.ffconcat": "ffconcat version 1.0\nfile '{target}'\noption safe 0\n",
    "list.txt": "file '{target}'\n",
    "dash.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" '
    'type="static" mediaPresentationDuration="PT3S"><Period><AdaptationSet mimeType="video/mp4">'
    '<Representation id="1" bandwidth="9"><BaseURL>{target}</BaseURL></Representation>'
    "</AdaptationSet></Period></MPD>\n",
    "asx.wmv": '<asx version="3.0"><entry><ref href="{target}"/></entry></asx>\n',
    "ram.rm": "{target}\n",
    "sdp.mp4": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "a=control:{target}\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
}


@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_crafted_playlist_opens_nothing(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_video: Any,
    address: str,
    refused: Callable[[Path], MediaError],
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(make_video("good.mp4", sound="aac", duration_s=1.5), "good.mp4")
    for target in ("good.mp4", f"file:{tmp_path}/good.mp4", f"{address}/good.mp4"):
        Path(name).write_text(PLAYLISTS[name].format(target=target))
        assert "not a media file" in refused(Path(name)).message
        # The program, unlike the library, is given a name: the same must hold there.
        with pytest.raises(ToolError):
            list(decode_audio(by_name(name), stage="probe"))
    assert _Server.hits == []


def test_a_crafted_playlist_is_no_music(tmp_path: Path, make_video: Any, address: str) -> None:
    film: Path = make_video("good.mov")
    (tmp_path / "good.mov").write_bytes(film.read_bytes())
    for number, target in enumerate(("good.mov", f"{address}/good.mov")):
        music = tmp_path / f"song{number}.mp3"
        music.write_text(PLAYLISTS["list.mp4"].format(target=target))
        whole = TimeRange(start_s=Fraction(0), duration_s=Fraction(3))
        take = Take(
            provider="file",
            name="song",
            seed=None,
            pieces=(TakePiece(audio=Artifact(path=music, sha256=""), range=whole),),
            fitted=False,
            unused_words=(),
            spent=FREE,
        )
        with pytest.raises(MediaError):
            conform(_picture_of(tmp_path, film), NOTES, take, folder=tmp_path)
    assert _Server.hits == []


NOTES = SpottingNotes(
    duration_s=Fraction(3),
    frame_rate=Fraction(25),
    shots=(),
    scenes=(),
    speech=(),
    curve=PictureCurve(hop_s=Fraction(1, 10), motion=(), brightness=()),
    cues=(),
)


def _picture_of(folder: Path, film: Path) -> Picture:
    return probe(identify(film), folder=folder)


def test_a_film_with_an_address_inside_is_read_as_itself(
    tmp_path: Path, make_video: Any, make_media: Any, address: str
) -> None:
    """Titles and comments are text, whatever they look like."""
    film = make_media(
        "titled.mkv",
        *("-i", make_video("plain.mkv"), "-map", "0", "-c", "copy"),
        *("-metadata", f"title={address}/title", "-metadata", "comment=file:/etc/passwd"),
    )
    picture = probe(identify(film), folder=tmp_path)
    assert picture.frame_count == 75
    assert _Server.hits == []


# --- what is no film ---------------------------------------------------------------------------


def test_zero_bytes(tmp_path: Path, refused: Callable[[Path], MediaError]) -> None:
    (tmp_path / "empty.mp4").touch()
    assert "0 bytes" in refused(tmp_path / "empty.mp4").message


def test_missing(tmp_path: Path, refused: Callable[[Path], MediaError]) -> None:
    assert "No such file" in refused(tmp_path / "nowhere.mp4").message
    assert "cannot be opened" in refused(tmp_path / "no-folder" / "nowhere.mp4").message


def test_folder(tmp_path: Path, refused: Callable[[Path], MediaError]) -> None:
    (tmp_path / "folder.mp4").mkdir()
    assert "is not a file" in refused(tmp_path / "folder.mp4").message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_refused_and_not_waited_for(
    tmp_path: Path, refused: Callable[[Path], MediaError]
) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "is not a file" in refused(tmp_path / "pipe.mp4").message


def test_a_device_is_refused(refused: Callable[[Path], MediaError]) -> None:
    assert "is not a file" in refused(Path("/dev/zero")).message


def test_a_link_that_leads_nowhere_or_round(
    tmp_path: Path, refused: Callable[[Path], MediaError]
) -> None:
    (tmp_path / "gone.mp4").symlink_to(tmp_path / "nothing")
    (tmp_path / "round.mp4").symlink_to(tmp_path / "round.mp4")
    refused(tmp_path / "gone.mp4")
    refused(tmp_path / "round.mp4")


def test_a_name_that_is_too_long(tmp_path: Path, refused: Callable[[Path], MediaError]) -> None:
    refused(tmp_path / ("x" * 300 + ".mp4"))


@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path, refused: Callable[[Path], MediaError]) -> None:
    (tmp_path / "secret.mp4").write_bytes(b"x")
    (tmp_path / "secret.mp4").chmod(0)
    refused(tmp_path / "secret.mp4")


@pytest.mark.parametrize(
    "content",
    [
        b"This is a text about a film.\n" * 50,
        bytes(range(256)) * 64,
        b"\0" * 5000,
        b"<html><body>404</body></html>",
        b"%PDF-1.7\n" + b"x" * 3000,
        b"\0\0\0\x18ftypmp42",
    ],
)
def test_what_only_has_the_name_of_a_film(
    tmp_path: Path, content: bytes, refused: Callable[[Path], MediaError]
) -> None:
    (tmp_path / "film.mp4").write_bytes(content)
    refused(tmp_path / "film.mp4")


def test_a_picture_gallery_is_no_film(
    make_media: Callable[..., Path], refused: Callable[[Path], MediaError]
) -> None:
    still = make_media("still.png", "-f", "lavfi", "-i", "testsrc2=size=64x64", "-frames:v", "1")
    refused(still)


def test_errors_name_the_stage(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"^conform: "):
        read_contents(tmp_path / "gone.wav", stage="conform")
    with pytest.raises(MediaError, match=r"^spot: "):
        read_contents(tmp_path, stage="spot")


def test_the_fingerprint_follows_the_content_not_the_name(tmp_path: Path) -> None:
    first, second = tmp_path / "a.mp4", tmp_path / "b.mp4"
    first.write_bytes(b"x" * 100)
    shutil.copy2(first, second)
    assert identify(first).fingerprint == identify(second).fingerprint
    marked: SourceFile = identify(second)
    status = second.stat()
    second.write_bytes(b"x" * 99 + b"y")
    os.utime(second, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert identify(second).fingerprint != marked.fingerprint


def test_the_fingerprint_sees_a_change_in_the_middle_of_a_large_file(tmp_path: Path) -> None:
    path = tmp_path / "large.mp4"
    path.write_bytes(bytes(6 << 20))
    before, status = identify(path), path.stat()
    with path.open("r+b") as file:
        file.seek(3 << 20)
        file.write(b"y")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000))
    assert identify(path).fingerprint != before.fingerprint
