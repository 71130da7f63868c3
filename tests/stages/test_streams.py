"""Which audio streams are scored, and what a container makes of them: decided before any music."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scorebed.errors import MediaError, SettingsError
from scorebed.model import AudioSettings, MuxPlan, Picture, SoundKind, SourceFile
from scorebed.options import Options
from scorebed.settings import resolve
from scorebed.stages.languages import same_language
from scorebed.stages.mux_plan import plan_mux
from scorebed.stages.streams import choose_streams

Probed = Callable[[Path], tuple[SourceFile, Picture]]


def wanted(streams: Any = "all", **more: bool) -> AudioSettings:
    given = {"keep_production": True, "keep_original": False, "music": False} | more
    return AudioSettings(
        streams=streams,
        keep_production=given["keep_production"],
        keep_original=given["keep_original"],
        music=given["music"],
    )


@pytest.fixture
def film(make_media: Any, make_video: Any, make_bursts: Any) -> Callable[..., Path]:
    """Sound before the picture and after it: English, German (default), English again in 5.1."""

    def make(name: str, picture: str = "h264", sound: str = "aac") -> Path:
        extra = ("-f", "vob") if name.endswith("mpg") else ()
        path: Path = make_media(
            name,
            *("-i", make_video("mute.mkv", picture=picture, sound=None)),
            *("-i", make_bursts(3.0, [0.5, 0.5]), "-i", make_bursts(3.0, [0.5] * 6)),
            *("-map", "1:a", "-map", "0:v", "-map", "1:a", "-map", "2:a"),
            *("-c:v", "copy", "-c:a", sound),
            *("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=ger"),
            *("-metadata:s:a:2", "language=en-GB" if name.endswith("mkv") else "language=eng"),
            *("-disposition:a:0", "0", "-disposition:a:1", "default", "-disposition:a:2", "0"),
            *extra,
        )
        return path

    return make


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        ("all", (2, 0, 3)),
        ("default", (2,)),
        (("0",), (0,)),
        (("2", "1"), (2, 3)),
        (("eng",), (0, 3)),
        (("de", "0"), (2, 0)),
        (("EN-gb",), (3,)),
    ],
)
def test_streams_are_chosen_by_number_and_language_the_default_one_leading(
    asked: Any, chosen: tuple[int, ...], film: Callable[..., Path], probed: Probed
) -> None:
    _, picture = probed(film("a.mkv"))
    assert choose_streams(picture, wanted(asked)) == chosen


@pytest.mark.parametrize("asked", [("3",), ("ita",), ("eng", "-1"), ("und",)])
def test_what_is_not_there_is_named_with_what_is(
    asked: tuple[str, ...], film: Callable[..., Path], probed: Probed
) -> None:
    _, picture = probed(film("a.mkv"))
    with pytest.raises(SettingsError, match=asked[-1]) as caught:
        choose_streams(picture, wanted(asked))
    assert "0 (eng), 1 (ger), 2 (en-GB)" in caught.value.remedy


def test_a_film_without_sound_has_none_to_choose(make_video: Any, probed: Probed) -> None:
    _, picture = probed(make_video("mute.mp4", sound=None))
    assert choose_streams(picture, wanted()) == ()
    with pytest.raises(SettingsError, match="no such audio stream") as caught:
        choose_streams(picture, wanted(("0",)))
    assert "no sound" in caught.value.remedy


@pytest.mark.parametrize(
    ("asked", "tag", "same"),
    [
        ("de", "ger", True),
        ("deu", "ger", True),
        ("ger", "de-AT", True),
        ("FR", "fra", True),
        ("pt-BR", "pt-BR", True),
        ("pt-BR", "por", False),
        ("por", "pt-BR", True),
        ("es", "est", False),
        ("es", "spa", True),
        ("und", None, True),
        ("eng", None, False),
        ("qaa", "qaa", True),
        ("iw", "heb", True),
        ("English", "english", True),
        ("eng", "english", False),
    ],
)
def test_tags_of_one_language(asked: str, tag: str | None, *, same: bool) -> None:
    assert same_language(asked, tag) is same


@pytest.mark.parametrize("asked", ["", ",", "eng,", " "])
def test_an_empty_name_is_refused(asked: str) -> None:
    with pytest.raises(SettingsError, match="names no stream"):
        resolve(Options(audio_streams=asked))


def test_options_become_settings() -> None:
    audio = resolve(Options(audio_streams=" 0, deu ", keep_original=True, music_stream=True)).audio
    assert audio == wanted(("0", "deu"), keep_original=True, music=True)
    assert resolve(Options()).audio == wanted()


# --- the plan ----------------------------------------------------------------------------------


@pytest.fixture
def planned(probed: Probed, tmp_path: Path) -> Callable[..., MuxPlan]:
    def plan(path: Path, audio: AudioSettings, name: str | None = None) -> MuxPlan:
        source, picture = probed(path)
        output = tmp_path / (name or f"out{path.suffix}")
        (tmp_path / "trials").mkdir()
        made = plan_mux(
            source, picture, output, folder=tmp_path / "trials", stereo_kbps=192, audio=audio
        )
        assert not list((tmp_path / "trials").iterdir())
        return made

    return plan


def told(plan: MuxPlan) -> list[tuple[SoundKind, int | None, str, int]]:
    return [(sound.kind, sound.index, sound.codec, sound.channels) for sound in plan.sounds]


def test_all_that_is_asked_for_is_planned(
    film: Callable[..., Path], planned: Callable[..., MuxPlan]
) -> None:
    plan = planned(film("a.mkv", sound="flac"), wanted(keep_original=True, music=True))
    assert told(plan) == [
        (SoundKind.PROGRAMME, 2, "aac", 2),
        (SoundKind.PROGRAMME, 0, "aac", 2),
        (SoundKind.PROGRAMME, 3, "aac", 6),
        (SoundKind.ORIGINAL, 2, "copy", 2),
        (SoundKind.ORIGINAL, 0, "copy", 2),
        (SoundKind.ORIGINAL, 3, "copy", 6),
        (SoundKind.MUSIC, None, "aac", 2),
    ]
    assert [sound.kbps for sound in plan.sounds] == [192, 192, 576, None, None, None, 192]
    assert plan.decoded == (2, 0, 3)
    assert plan.dropped == ()


def test_a_codec_for_two_channels_leaves_a_further_stream_as_it_is(
    film: Callable[..., Path], planned: Callable[..., MuxPlan]
) -> None:
    path = film("a.mkv", picture="mpeg2", sound="ac3")
    plan = planned(path, wanted(keep_original=True), "out.mpg")
    assert told(plan) == [
        (SoundKind.PROGRAMME, 2, "mp2", 2),
        (SoundKind.PROGRAMME, 0, "mp2", 2),
        (SoundKind.ORIGINAL, 2, "copy", 2),
        (SoundKind.ORIGINAL, 0, "copy", 2),
    ]
    assert [(fate.index, fate.codec) for fate in plan.kept] == [
        (0, "mp2"),
        (1, "mpeg2video"),
        (2, "mp2"),
        (3, "ac3"),
    ]


def test_without_production_audio_the_others_go(
    film: Callable[..., Path], planned: Callable[..., MuxPlan]
) -> None:
    plan = planned(film("a.mkv"), wanted(("eng",), keep_production=False))
    assert told(plan) == [(SoundKind.PROGRAMME, 0, "aac", 2)]
    assert [(fate.index, fate.why) for fate in plan.dropped] == [
        (3, "the production audio is dropped")
    ]
    assert [fate.index for fate in plan.kept] == [0, 1, 2]


@pytest.fixture
def one_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container for one audio stream: FLV, as releases of ffmpeg before 7.1 write it."""
    monkeypatch.setattr("scorebed.stages.mux_plan.holds_several", lambda *_: False)


@pytest.mark.usefixtures("one_only")
def test_a_container_for_one_stream_takes_the_leading_one(
    film: Callable[..., Path], planned: Callable[..., MuxPlan]
) -> None:
    plan = planned(film("a.mkv"), wanted(), "out.flv")
    assert told(plan) == [(SoundKind.PROGRAMME, 2, "aac", 2)]
    assert [(fate.index, fate.why) for fate in plan.dropped] == [
        (0, "an FLV file holds only one audio stream"),
        (3, "an FLV file holds only one audio stream"),
    ]


@pytest.mark.usefixtures("one_only")
@pytest.mark.parametrize("more", [{"keep_original": True}, {"music": True}])
def test_a_container_for_one_stream_has_no_room_for_more(
    more: dict[str, bool], film: Callable[..., Path], planned: Callable[..., MuxPlan]
) -> None:
    with pytest.raises(MediaError, match="only one audio stream") as caught:
        planned(film("a.mkv"), wanted(**more), "out.flv")
    assert "-o out.mkv" in caught.value.remedy
