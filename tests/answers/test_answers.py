"""Answer: every shape a music service answers in becomes audio, and nothing else gets through."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import shutil
import stat
import struct
import subprocess
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from scorebed.answers import Unpacked, unpack
from scorebed.errors import BadAnswer
from scorebed.model import Answer, Expected

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE_HZ = 48_000

Unpack = Callable[..., Unpacked]
Make = Callable[..., bytes]


def tone(duration_s: float, hz: float = 440.0, rate_hz: int = RATE_HZ) -> NDArray[np.float32]:
    times_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    return np.asarray(0.25 * np.sin(2 * np.pi * hz * times_s), dtype=np.float32)


@pytest.fixture(scope="session")
def audio(make_media: Any, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Bytes of a tone in a format: ``audio("mp3", 3, hz=440)``."""

    def make(kind: str, duration_s: float = 3.0, hz: float = 440.0) -> bytes:
        source = tmp_path_factory.mktemp("tone") / "tone.wav"
        mono = tone(duration_s, hz, 44_100 if kind != "opus" else RATE_HZ)
        soundfile.write(
            source, np.stack([mono, mono], axis=1), 44_100 if kind != "opus" else RATE_HZ
        )
        return Path(make_media(f"tone.{kind}", "-i", source)).read_bytes()

    return make


@pytest.fixture
def opened(tmp_path: Path) -> Unpack:
    """Unpacks a body; checks that nothing but the result is left, and the body is untouched."""

    def run(
        body: bytes,
        *,
        content_type: str = "application/octet-stream",
        output_format: str = "mp3_44100_128",
        reels: tuple[float, ...] = (3.0,),
        separate: bool = False,
        sfx: bool = True,
    ) -> Unpacked:
        kept = tmp_path / "ledger" / "answer"
        kept.parent.mkdir(exist_ok=True)
        kept.write_bytes(body)
        folder = tmp_path / "out"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        lengths = tuple(Fraction(reel) for reel in reels)
        try:
            result = unpack(
                Answer(body=kept, content_type=content_type, request_id="req-7", song_id=None),
                Expected(
                    output_format=output_format,
                    duration_s=sum(lengths, Fraction(0)),
                    reels=lengths,
                    separate_tracks=separate,
                    sfx=sfx,
                ),
                folder=folder,
            )
        except BadAnswer:
            assert not list(folder.iterdir())
            raise
        finally:
            assert kept.read_bytes() == body
            assert sorted(entry.name for entry in tmp_path.iterdir()) == ["ledger", "out"]
        files = {artifact.path for artifact in (*result.music, *result.originals)}
        assert files == set(folder.iterdir())
        assert len(result.durations_s) == len(result.music)
        return result

    return run


def pitch_hz(path: Path, ffmpeg_exe: str) -> float:
    """The loudest frequency, as ffmpeg decodes the file."""
    spectrum = np.abs(np.fft.rfft(samples(path, ffmpeg_exe).mean(axis=1)))
    length = len(samples(path, ffmpeg_exe))
    return float(np.argmax(spectrum) * RATE_HZ / length)


def samples(path: Path, ffmpeg_exe: str) -> NDArray[np.float32]:
    how = ["-ac", "2", "-ar", str(RATE_HZ), "-f", "f32le", "-"]
    done = subprocess.run(
        [ffmpeg_exe, "-v", "error", "-i", path, *how], check=True, capture_output=True
    )
    return np.frombuffer(done.stdout, dtype=np.float32).reshape(-1, 2)


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()


def mixed(*parts: tuple[str, bytes], boundary: str = "b0und", end: str = "\r\n") -> bytes:
    body = b""
    for headers, content in parts:
        body += f"--{boundary}{end}{headers}{end}{end if headers else ''}".encode()
        body += content + end.encode()
    return body + f"--{boundary}--{end}".encode()


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


# --- one piece ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mp3", "wav", "flac", "ogg", "opus", "m4a", "aac", "aiff"])
def test_a_body_of_audio(kind: str, opened: Unpack, audio: Make, ffmpeg_exe: str) -> None:
    body = audio(kind)
    found = opened(body, content_type="text/html")
    assert [artifact.path.read_bytes() for artifact in found.music] == [body]
    assert float(found.durations_s[0]) == pytest.approx(3.0, abs=0.06)
    assert pitch_hz(found.music[0].path, ffmpeg_exe) == pytest.approx(440, abs=1)
    assert not found.originals


@pytest.mark.parametrize("kind", ["mp3", "wav"])
def test_a_length_that_is_wrong_is_told(kind: str, opened: Unpack, audio: Make) -> None:
    found = opened(audio(kind, 5), reels=(61.0,))
    assert float(found.durations_s[0]) == pytest.approx(5.0, abs=0.06)


@pytest.mark.parametrize("kind", ["mp3", "wav", "flac", "m4a"])
@pytest.mark.parametrize("share", [0.4, 0.7, 0.9])
def test_audio_that_was_cut_off_is_no_answer(
    kind: str, share: float, opened: Unpack, audio: Make
) -> None:
    """It decodes without an error; its header says how long it was."""
    whole = audio(kind, 10)
    with pytest.raises(BadAnswer, match=r"breaks off|no audio"):
        opened(whole[: int(share * len(whole))], reels=(10.0,))


@pytest.mark.parametrize("stated", [0, 2**31 - 37, 2**32 - 1])
def test_a_wav_from_a_stream_does_not_know_its_length(
    stated: int, opened: Unpack, audio: Make
) -> None:
    body = audio("wav")
    found = opened(body[:4] + stated.to_bytes(4, "little") + body[8:], reels=(3.0,))
    assert float(found.durations_s[0]) == pytest.approx(3.0, abs=0.01)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate_hz", [8000, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("wrong", [0.75, 1.0, 1.3])
def test_samples_without_a_header(
    channels: int, rate_hz: int, wrong: float, opened: Unpack
) -> None:
    mono = np.round(tone(4.0, 440, rate_hz) * 32_767).astype("<i2")
    body = np.repeat(mono[:, None], channels, axis=1).tobytes()
    found = opened(body, output_format=f"pcm_{rate_hz}", reels=(4.0 * wrong,))
    heard, rate = soundfile.read(found.music[0].path, dtype="int16", always_2d=True)
    assert rate == rate_hz
    assert heard.shape == (len(mono), channels)
    assert np.array_equal(heard[:, -1], mono)
    assert float(found.durations_s[0]) == pytest.approx(4.0, abs=0.001)


@pytest.mark.parametrize("start", [b"{\n", b"PK", b"--", b"<h", b"\xff\xfb", b"[1", b"Ogg"])
def test_samples_that_look_like_something_else(start: bytes, opened: Unpack) -> None:
    noise = np.random.default_rng(3).integers(-20_000, 20_000, 24_000, dtype="<i2").tobytes()
    body = start + noise[len(start) :]
    found = opened(body, output_format="pcm_8000", reels=(3.0,))
    heard, _ = soundfile.read(found.music[0].path, dtype="int16")
    assert heard.astype("<i2").tobytes() == body


@pytest.mark.parametrize("codec", ["ulaw", "alaw"])
def test_telephone_formats(codec: str, opened: Unpack, make_media: Any, tmp_path: Path) -> None:
    args = [
        "-f",
        "lavfi",
        "-i",
        "sine=440:r=8000:d=3",
        "-c:a",
        f"pcm_{'mu' if codec == 'ulaw' else 'a'}law",
    ]
    body = Path(
        make_media(f"t.{codec}", *args, "-f", "mulaw" if codec == "ulaw" else "alaw")
    ).read_bytes()
    found = opened(body, output_format=f"{codec}_8000")
    heard, rate = soundfile.read(found.music[0].path, always_2d=True)
    assert (rate, heard.shape) == (8000, (24_000, 1))
    assert np.argmax(np.abs(np.fft.rfft(heard[:, 0]))) / 3 == pytest.approx(440, abs=1)


def test_quiet_in_a_law_is_no_text(opened: Unpack) -> None:
    found = opened(b"\x55" * 24_000, output_format="alaw_8000")
    assert found.durations_s == (Fraction(3),)


@pytest.mark.parametrize("kind", ["mp3", "wav", "ogg"])
def test_a_header_is_believed_where_samples_were_asked_for(
    kind: str, opened: Unpack, audio: Make
) -> None:
    found = opened(audio(kind), output_format="pcm_44100")
    assert found.music[0].path.suffix == f".{kind}"


# --- ZIP ---------------------------------------------------------------------------------------


def test_segments_in_a_zip_lie_in_natural_order(
    opened: Unpack, audio: Make, ffmpeg_exe: str
) -> None:
    names = {f"scene {number}.mp3": audio("mp3", 2, 200 + 20 * number) for number in (10, 2, 1, 9)}
    body = zipped({**names, "readme.txt": b"made for you", "__MACOSX/._x.mp3": b"\0"})
    found = opened(body, reels=(2.0,) * 4)
    heard = [pitch_hz(artifact.path, ffmpeg_exe) for artifact in found.music]
    assert heard == pytest.approx([220, 240, 380, 400], abs=2)


@pytest.mark.parametrize("separate", [True, False])
@pytest.mark.parametrize(
    ("music", "effects"),
    [
        ("music.wav", "sfx.wav"),
        ("x/song_music.wav", "x/song_sound_effects.wav"),
        ("background_music.wav", "ambient-fx.wav"),
        ("score.wav", "sounds.wav"),
    ],
)
def test_music_and_effects_are_added(
    music: str, effects: str, opened: Unpack, audio: Make, ffmpeg_exe: str, *, separate: bool
) -> None:
    tracks = {effects: audio("wav", 2, 1000), music: audio("wav", 3, 300)}
    found = opened(zipped({**tracks, "info.json": b'{"seed": 7}'}), separate=separate)
    assert len(found.music) == 1
    total = samples(found.music[0].path, ffmpeg_exe)
    parts = [samples(artifact.path, ffmpeg_exe) for artifact in found.originals]
    assert [len(part) for part in parts] == [3 * RATE_HZ, 2 * RATE_HZ]
    wanted = parts[0].copy()
    wanted[: 2 * RATE_HZ] += parts[1]
    assert total.shape == wanted.shape
    assert np.abs(total - wanted).max() < 1e-3
    assert [a.path.read_bytes() for a in found.originals] == [tracks[music], tracks[effects]]
    assert ("seed", "7") in found.facts


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("with_mix", [False, True])
def test_effects_that_nobody_asked_for_stay_out_of_the_piece(
    opened: Unpack, audio: Make, ffmpeg_exe: str, *, separate: bool, with_mix: bool
) -> None:
    tracks = {"music.wav": audio("wav", 3, 300), "sfx.wav": audio("wav", 3, 1000)}
    mix = {"mix.wav": audio("wav", 3, 600)} if with_mix else {}
    found = opened(zipped(tracks | mix), separate=separate, sfx=False)
    (piece,) = found.music
    alone = samples(found.originals[0].path, ffmpeg_exe)
    assert np.array_equal(samples(piece.path, ffmpeg_exe), alone)
    kept = [artifact.path.read_bytes() for artifact in found.originals]
    assert kept == [*tracks.values(), *mix.values()]


def test_two_tracks_without_names_are_added(opened: Unpack, audio: Make) -> None:
    body = zipped({"1.wav": audio("wav", 3, 300), "2.wav": audio("wav", 3, 900)})
    assert len(opened(body, separate=True, reels=(1.5, 1.5)).music) == 1
    # Not asked for: two segments.


def test_two_files_for_two_reels_are_segments(opened: Unpack, audio: Make) -> None:
    body = zipped({"1.wav": audio("wav", 3, 300), "2.wav": audio("wav", 3, 900)})
    assert len(opened(body, reels=(1.5, 1.5)).music) == 2


def test_a_mix_that_comes_along_is_the_piece(opened: Unpack, audio: Make, ffmpeg_exe: str) -> None:
    body = zipped(
        {
            "music.mp3": audio("mp3", 3, 300),
            "sfx.mp3": audio("mp3", 3, 900),
            "mix.mp3": audio("mp3", 3, 600),
        }
    )
    found = opened(body, separate=True)
    assert pitch_hz(found.music[0].path, ffmpeg_exe) == pytest.approx(600, abs=2)
    assert [artifact.path.name for artifact in found.originals] == ["music.mp3", "sfx.mp3"]


def test_files_that_cannot_be_told_apart(opened: Unpack, audio: Make) -> None:
    body = zipped({f"{number}.mp3": audio("mp3", 2) for number in range(3)})
    with pytest.raises(BadAnswer, match=r"3 audio files.*one piece or 2 segments"):
        opened(body, reels=(3.0, 3.0))


# --- multipart ---------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize(
    "header", ['multipart/mixed; boundary="b0und"', "multipart/mixed", "audio/mpeg"]
)
def test_parts(end: str, header: str, opened: Unpack, audio: Make) -> None:
    mp3 = audio("mp3")
    body = mixed(
        ("Content-Type: application/json", b'{"duration": 3.0, "seed": 42}'),
        (f'Content-Type: audio/mpeg{end}Content-Disposition: attachment; filename="a.mp3"', mp3),
        end=end,
    )
    found = opened(body, content_type=header)
    assert found.music[0].path.read_bytes() == mp3
    assert found.facts == (("duration", "3.0"), ("seed", "42"))


def test_a_part_for_each_reel(opened: Unpack, audio: Make) -> None:
    made = [audio("mp3", 2, 300), audio("mp3", 2, 500)]
    body = mixed(
        *(("Content-Type: audio/mpeg", mp3) for mp3 in made[:1]),
        (
            "Content-Type: audio/mpeg\r\nContent-Transfer-Encoding: base64",
            base64.encodebytes(made[1]),
        ),
    )
    found = opened(
        b"preamble\r\n" + body, content_type="multipart/mixed; boundary=b0und", reels=(2.0, 2.0)
    )
    assert [artifact.path.read_bytes() for artifact in found.music] == made


def test_a_part_that_is_not_closed(opened: Unpack, audio: Make) -> None:
    mp3 = audio("mp3")
    body = mixed(("Content-Type: audio/mpeg", mp3))[: -len("\r\n--b0und--\r\n")]
    found = opened(body)
    assert found.music[0].path.read_bytes() == mp3
    assert found.facts[0][0] == "incomplete"


def test_a_multipart_body_that_breaks_off(opened: Unpack) -> None:
    with pytest.raises(BadAnswer, match="breaks off"):
        opened(b"--b0und\r\nContent-Type: audio/mpeg\r\nContent-")


# --- JSON --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key", ["audio", "audio_base64", "audioBase64", "data", "content", "b64_json"]
)
@pytest.mark.parametrize("wrap", [lambda it: it, lambda it: {"result": it}, lambda it: [it]])
def test_json(key: str, wrap: Any, opened: Unpack, audio: Make) -> None:
    mp3 = audio("mp3")
    told = {
        "duration": 3.02,
        key: b64(mp3),
        "metadata": {"seed": 42, "title": "Aube", "gone": None},
    }
    found = opened(json.dumps(wrap(told)).encode())
    assert found.music[0].path.read_bytes() == mp3
    facts = {name.rpartition(".")[2]: value for name, value in found.facts}
    assert facts == {"duration": "3.02", "seed": "42", "title": "Aube"}


@pytest.mark.parametrize(
    "write",
    [
        lambda text: text.replace("/", "\\/"),
        lambda text: text.replace("+", "\\u002B").replace("=", "\\u003d").replace("/", "\\u002f"),
        lambda text: "\\n".join(text[at : at + 76] for at in range(0, len(text), 76)),
        lambda text: "data:audio\\/mpeg;base64," + text,
        lambda text: text.replace("+", "-").replace("/", "_").rstrip("="),
    ],
    ids=["slashes", "escapes", "lines", "address", "url-safe"],
)
def test_ways_to_write_base64(write: Any, opened: Unpack, monkeypatch: Any, audio: Make) -> None:
    # Small chunks: every escape is cut somewhere.
    monkeypatch.setattr("scorebed.answers.from_json.CHUNK_BYTES", 1009)
    flac = audio("flac")
    found = opened(f'{{"note": "a \\"b\\" \\\\", "audio": "{write(b64(flac))}"}}'.encode())
    assert found.music[0].path.read_bytes() == flac
    assert found.facts == (("note", 'a "b" \\'),)


@pytest.mark.parametrize("key", ["index", "start", "start_ms"])
def test_segments_in_json_lie_in_their_stated_order(key: str, opened: Unpack, audio: Make) -> None:
    made = [audio("mp3", 2, 300 + 100 * number) for number in range(3)]
    segments = [{key: number * 2, "audio": b64(made[number])} for number in (2, 0, 1)]
    found = opened(json.dumps({"segments": segments}).encode(), reels=(2.0,) * 3)
    assert [artifact.path.read_bytes() for artifact in found.music] == made


def test_a_list_of_strings_and_a_numbered_object(opened: Unpack, audio: Make) -> None:
    made = [audio("mp3", 2, 300 + 100 * number) for number in range(2)]
    found = opened(json.dumps({"audio": [b64(mp3) for mp3 in made]}).encode(), reels=(2.0, 2.0))
    assert [artifact.path.read_bytes() for artifact in found.music] == made
    body = {"segments": {"10": {"data": b64(made[1])}, "9": {"data": b64(made[0])}}}
    found = opened(json.dumps(body).encode(), reels=(2.0, 2.0))
    assert [artifact.path.read_bytes() for artifact in found.music] == made


def test_tracks_in_json(opened: Unpack, audio: Make) -> None:
    made = [audio("wav", 3, 300), audio("wav", 3, 900)]
    tracks = [{"type": "sfx", "audio": b64(made[1])}, {"type": "music", "audio": b64(made[0])}]
    found = opened(json.dumps({"tracks": tracks}).encode(), separate=True)
    assert [artifact.path.read_bytes() for artifact in found.originals] == made
    assert len(found.music) == 1


def test_the_whole_piece_beside_its_segments(opened: Unpack, audio: Make) -> None:
    whole, part = audio("mp3", 4, 300), audio("mp3", 2, 300)
    body = {"audio": b64(whole), "segments": [{"audio": b64(part)}, {"audio": b64(part)}]}
    found = opened(json.dumps(body).encode(), reels=(2.0, 2.0))
    assert [artifact.path.read_bytes() for artifact in found.music] == [whole]
    assert len(found.originals) == 2


def test_a_picture_in_json_is_passed_over(opened: Unpack, audio: Make) -> None:
    cover = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20
    found = opened(json.dumps({"cover": b64(cover), "audio": b64(audio("mp3"))}).encode())
    assert len(found.music) == 1
    assert not found.originals


# --- answers that are none ---------------------------------------------------------------------


def png() -> bytes:
    return b"\x89PNG\r\n\x1a\n" + bytes(500)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "nothing: the body is empty"),
        (b"<!DOCTYPE html><html><title>502 Bad\x1b[31m Gateway</title><p>x", "a web page: 502 Bad"),
        (b"<html><style>p{}</style><p>Do wait</p>" + b"<p>.</p>" * 900, "Do wait"),
        (b"<html>caf\xe9 ferm\xe9</html>", "a web page"),
        (b"Internal Server Error", "text in place of music: Internal Server Error"),
        (b"\x00\x01\x02\x03" * 500, "no audio"),
        (b"ID3\x04\x00" + bytes(900), "audio"),
        (png(), "audio"),
        (b'{"detail": {"status": "busy"}}', "no audio: detail.status: busy"),
        (b'{"audio": "', "JSON that is broken"),
        (b'{"audio": "!!!!not base64!!!!"}', "not base64"),
        (b'{"audio": "AAA', "JSON that is broken"),
        (b'{"audio": "AAAAA"}', "breaks off in its base64"),
        (b'{"audio": ""}', "audio of no length"),
        (b'{"audio": "https://x.test/a.mp3"}', "an address in place of audio"),
        (b'{"data": "' + b"A" * 5000 + b"*" + b'"}', "not base64"),
        (b'{"audio": "' + base64.b64encode(b"<b>no</b>" * 9) + b'"}', "page (audio): no no"),
        (b"[" * 100_000, "JSON that is broken"),
        (b"[" * 200 + b"]" * 200, "nested over"),
        (b"PK\x03\x04" + bytes(200), "ZIP archive that is broken"),
        (b"PK\x05\x06" + bytes(18), "no audio"),
    ],
)  # fmt: skip
def test_what_is_no_music_is_said(body: bytes, says: str, opened: Unpack) -> None:
    with pytest.raises(BadAnswer) as caught:
        opened(body)
    told = caught.value
    assert says in told.message
    assert told.message.startswith("compose: ")
    assert "req-7" in told.message
    assert "ledger/answer" in told.message
    assert told.message.isprintable()
    assert len(told.message.replace(str(Path.cwd()), "")) < 700
    assert told.remedy


def test_a_video_in_which_nothing_sounds(opened: Unpack, make_video: Any) -> None:
    with pytest.raises(BadAnswer, match="nothing sounds"):
        opened(make_video("mute.mp4", sound=None).read_bytes())


def test_a_playlist_is_not_followed(opened: Unpack, tmp_path: Path) -> None:
    with pytest.raises(BadAnswer, match="text in place of music"):
        opened(b"#EXTM3U\n#EXTINF:3,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")


@pytest.mark.slow
def test_an_endless_piece(opened: Unpack, make_media: Any) -> None:
    args = ["-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono", "-t", "5000"]
    with pytest.raises(BadAnswer, match="audio of over 3630 s, for 3 s"):
        opened(make_media("endless.flac", *args).read_bytes())


# --- hostile archives --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["../up.mp3", "/etc/x.mp3", "a/../../x.mp3", "..\\x.mp3", "C:\\x.mp3", "\\\\h\\x.mp3", ".."],
)
def test_paths_that_leave_the_folder(name: str, opened: Unpack, audio: Make) -> None:
    with pytest.raises(BadAnswer, match="leaves its folder"):
        opened(zipped({"fine.mp3": audio("mp3"), name: audio("mp3")}))


def test_a_symbolic_link(opened: Unpack, audio: Make) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        link = zipfile.ZipInfo("music.mp3")
        link.create_system = 3
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("b.mp3", audio("mp3"))
    with pytest.raises(BadAnswer, match="symbolic link"):
        opened(target.getvalue())


def test_a_bad_member(opened: Unpack, audio: Make) -> None:
    body = bytearray(zipped({"a.mp3": audio("mp3"), "b.mp3": audio("mp3")}, zipfile.ZIP_STORED))
    body[3000] ^= 0xFF
    with pytest.raises(BadAnswer, match=r"bad member: a\.mp3 \(Bad CRC-32"):
        opened(bytes(body), reels=(3.0, 3.0))


def test_a_member_that_is_no_audio(opened: Unpack, audio: Make) -> None:
    noise = np.random.default_rng(5).bytes(20_000)
    for content, says in ((noise, "is no audio"), (b"sorry, no", "sorry, no"), (b"", "text|audio")):
        with pytest.raises(BadAnswer, match=says):
            opened(zipped({"a.mp3": audio("mp3"), "b.mp3": content}), reels=(3.0, 3.0))


def test_a_bomb_is_counted_while_it_swells(opened: Unpack) -> None:
    body = bytearray(zipped({"a.wav": bytes(80 << 20)}))
    with pytest.raises(BadAnswer, match=r"swell to over 68 MB"):
        opened(bytes(body))
    # A header that lies about the size changes nothing.
    at = bytes(body).index(b"PK\x01\x02")
    struct.pack_into("<I", body, at + 24, 100)
    struct.pack_into("<I", body, 22, 100)
    with pytest.raises(BadAnswer):
        opened(bytes(body))


def test_too_many_members(opened: Unpack) -> None:
    with pytest.raises(BadAnswer, match="101 files"):
        opened(zipped({f"{number}.mp3": b"x" for number in range(101)}))
    with pytest.raises(BadAnswer, match="70000 files"):
        opened(zipped({f"{number}": b"" for number in range(70_000)}, zipfile.ZIP_STORED))


def test_an_archive_in_an_archive(opened: Unpack, audio: Make) -> None:
    inner = zipped({"a.mp3": audio("mp3")})
    for content in (inner, b"\x1f\x8b\x08" + bytes(50)):
        with pytest.raises(BadAnswer, match="another archive"):
            opened(zipped({"inner.bin": content}))


def test_an_encrypted_member(opened: Unpack, audio: Make) -> None:
    body = bytearray(zipped({"a.mp3": audio("mp3")}))
    at = bytes(body).index(b"PK\x01\x02")
    body[6] |= 1
    body[at + 8] |= 1
    with pytest.raises(BadAnswer, match=r"encrypted file: a\.mp3"):
        opened(bytes(body))


def test_an_unusual_packing(opened: Unpack, audio: Make) -> None:
    with pytest.raises(BadAnswer, match="method 14"):
        opened(zipped({"a.mp3": audio("mp3")}, zipfile.ZIP_LZMA))


@pytest.mark.parametrize("seed", range(12))
def test_damage_is_never_another_error(seed: int, opened: Unpack, audio: Make) -> None:
    """Bytes are changed anywhere in answers of all shapes: audio or BadAnswer, nothing else."""
    rng = np.random.default_rng(seed)
    mp3 = audio("mp3", 1)
    shapes = [
        zipped({"a.mp3": mp3, "b.json": b'{"seed": 1}'}),
        mixed(("Content-Type: application/json", b"{}"), ("Content-Type: audio/mpeg", mp3)),
        json.dumps({"seed": 1, "audio": b64(mp3)}).encode(),
        mp3,
    ]
    for shape in shapes:
        body = bytearray(shape)
        for at in rng.integers(0, len(body), 1 + seed):
            body[at] = rng.integers(0, 256)
        for at in rng.integers(max(0, len(body) - 120), len(body), 2):
            body[at] = rng.integers(0, 256)
        body = body[: rng.integers(1, len(body))] if seed % 3 == 0 else body
        with contextlib.suppress(BadAnswer):
            assert opened(bytes(body)).music
