"""Settings: every option and every preset is checked before any work starts."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
import tomllib
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from scorebed import settings
from scorebed.errors import SettingsError
from scorebed.options import CHAPTERS, DEFAULT_PRESET, DEFAULT_STYLE, NO_FONT, Options
from scorebed.presets import load_options, load_preset, preset_folder, preset_names
from scorebed.settings import Delivery, Settings, resolve
from scorebed.style import Style

ROOT = Path(__file__).parents[2]
MINE = {
    "name": "mine",
    "title": "Mine",
    "target_lufs": -16.0,
    "true_peak_dbtp": -1.5,
    "max_limiting_db": 9.0,
    "music_lufs": -20.0,
    "speech_margin_lu": 12.0,
    "speech_floor_lu": 9.0,
    "audio_bitrate_kbps": 192,
    "source": "me",
    "certainty": "custom",
    "note": "none",
}


def toml(table: dict[str, Any]) -> str:
    lines = []
    for key, value in table.items():
        shown = f'"{value}"' if isinstance(value, str) else str(value).lower()
        lines.append(f"{key} = {shown}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def delivery(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(toml(MINE))
    return path


@pytest.fixture
def asked(delivery: Path) -> Options:
    return Options(preset=str(delivery))


def with_one(options: Options, name: str, value: Any) -> Options:
    changed: dict[str, Any] = {name: value}
    return replace(options, **changed)


# --- options -----------------------------------------------------------------------------------

BOUNDS = {
    "loudness": (-1.0, 1.0, "--loudness"),
    "guidance": (0.0, 1.0, "--guidance"),
    "max_scenes": (1, 1000, "--max-scenes"),
    "speech_margin_lu": (0.0, 40.0, "--speech-margin"),
    "music_lufs": (-60.0, 0.0, "--music-lufs"),
    "target_lufs": (-60.0, 0.0, "--target-lufs"),
    "true_peak_dbtp": (-20.0, 0.0, "--true-peak"),
    "seed": (0, 2**63 - 1, "--seed"),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_both_ends_of_a_range_are_taken(asked: Options, name: str) -> None:
    for value in BOUNDS[name][:2]:
        resolve(with_one(asked, name, value))


@pytest.mark.parametrize("name", BOUNDS)
def test_beyond_a_range_is_refused_by_its_flag(asked: Options, name: str) -> None:
    least, most, flag = BOUNDS[name]
    step = 1 if isinstance(least, int) else 1e-6
    bad = [least - step, most + step]
    if not isinstance(least, int):
        bad += [math.nan, math.inf, -math.inf]
    for value in bad:
        with pytest.raises(SettingsError, match=flag) as caught:
            resolve(with_one(asked, name, value))
        assert caught.value.exit_code == 2
        told = [str(one) if isinstance(one, int) else f"{one:g}" for one in (least, most)]
        assert f"from {told[0]} to {told[1]}" in caught.value.remedy


@pytest.mark.parametrize(
    ("name", "flag"), [("quality", "--quality"), ("production_audio", "--production-audio")]
)
def test_an_unknown_choice_lists_the_known(asked: Options, name: str, flag: str) -> None:
    with pytest.raises(SettingsError, match=flag) as caught:
        resolve(with_one(asked, name, "best"))
    assert "draft" in caught.value.remedy or "keep" in caught.value.remedy


def test_what_conform_may_do(asked: Options, tmp_path: Path) -> None:
    music = replace(asked, music=tmp_path / "song.wav")
    plain = resolve(music).conform
    assert (plain.cut_lock, plain.asked, plain.max_stretch) == ("scenes", False, 0.04)
    for mode in ("off", "scenes", "hits"):
        want = resolve(replace(music, cut_lock=mode, max_stretch_percent=1.5)).conform
        assert (want.cut_lock, want.asked, want.max_stretch) == (mode, mode != "off", 0.015)
    for percent in (-0.1, 10.1, math.nan):
        with pytest.raises(SettingsError, match="--max-stretch") as caught:
            resolve(replace(music, max_stretch_percent=percent))
        assert "0 to 10 %" in caught.value.remedy
    with pytest.raises(SettingsError, match="--cut-lock") as caught:
        resolve(with_one(music, "cut_lock", "beats"))
    assert "off, scenes, hits" in caught.value.remedy


@pytest.mark.parametrize(
    ("name", "value", "flag"),
    [("cut_lock", "hits", "--cut-lock"), ("max_stretch_percent", 2.0, "--max-stretch")],
)
def test_the_composer_is_not_moved_onto_cuts_that_it_knows(
    asked: Options, name: str, value: Any, flag: str
) -> None:
    with pytest.raises(SettingsError, match=f"{flag} is for music that is bought or given"):
        resolve(with_one(asked, name, value))
    # What stands in the user's own settings file is for the music that it is for.
    defaults = with_one(Options(), name, value)
    assert resolve(with_one(asked, name, value), defaults=defaults).provider == "embedded"


def test_options_win_over_the_preset_and_the_preset_over_nothing(asked: Options) -> None:
    plain = resolve(asked)
    assert (plain.target.integrated_lufs, plain.target.true_peak_dbtp) == (-16.0, -1.5)
    assert (plain.level.music_lufs, plain.duck.speech_margin_lu) == (-20.0, 12.0)
    assert plain.duck.floor_lu == 9.0
    assert plain.level.speech_lufs == -16.0
    # Zero is a value, not "nothing was said".
    told = resolve(
        replace(
            asked, target_lufs=-23.0, true_peak_dbtp=0.0, music_lufs=-30.0, speech_margin_lu=0.0
        )
    )
    assert (told.target.integrated_lufs, told.target.true_peak_dbtp) == (-23.0, 0.0)
    assert (told.level.music_lufs, told.duck.speech_margin_lu) == (-30.0, 0.0)
    assert told.level.speech_lufs == -23.0


def test_the_music_follows_the_programme(asked: Options) -> None:
    """The preset's music lies 4 LU under its programme."""
    assert resolve(replace(asked, target_lufs=-24.0)).level.music_lufs == -28.0
    assert resolve(replace(asked, target_lufs=-24.0, music_lufs=-20.0)).level.music_lufs == -20.0


def test_blank_tags_are_none(asked: Options) -> None:
    assert resolve(replace(asked, tags=("", " ", "warm"))).brief.tags == ("warm",)


def test_loudness_moves_the_music_by_six_lu(asked: Options) -> None:
    for loudness, expected in ((-1.0, -26.0), (0.0, -20.0), (0.5, -17.0), (1.0, -14.0)):
        assert resolve(replace(asked, loudness=loudness)).level.music_lufs == expected


def test_a_service_preset_may_set_the_loudness_and_the_user_wins(
    asked: Options, tmp_path: Path
) -> None:
    preset = tmp_path / "service.toml"
    preset.write_text("loudness = 0.5\n")
    asked = replace(asked, provider="elevenlabs", service=str(preset))
    for said, loudness, expected in ((None, 0.5, -17.0), (0.0, 0.0, -20.0), (-1.0, -1.0, -26.0)):
        want = resolve(replace(asked, loudness=said))
        assert want.service is not None
        assert (want.service.loudness, want.level.music_lufs) == (loudness, expected)
    preset.write_text("loudness = 1.5\n")
    with pytest.raises(SettingsError, match=r"1\.5 is out of range"):
        resolve(asked)


def test_what_the_user_says_reaches_the_brief(asked: Options) -> None:
    want = resolve(
        replace(asked, prompt="  slow piano ", tags=("warm",), seed=7, quality="high", guidance=1.0)
    )
    brief = want.brief
    assert (brief.prompt, brief.tags, brief.seed, brief.quality, brief.guidance) == (
        "slow piano",
        ("warm",),
        7,
        "high",
        1.0,
    )


def test_dropped_production_audio_is_not_listened_to(asked: Options) -> None:
    want = resolve(replace(asked, production_audio="drop", duck=False, max_scenes=3))
    assert not want.audio.keep_production
    assert not want.spot.listen
    assert not want.duck.enabled
    assert want.spot.max_scenes == 3


def test_music_means_the_file_provider(asked: Options, tmp_path: Path) -> None:
    assert resolve(asked).provider == "embedded"
    want = resolve(replace(asked, music=tmp_path / "song.wav"))
    assert (want.provider, want.music) == ("file", tmp_path / "song.wav")


def test_music_and_another_provider_cannot_go_together(asked: Options, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--music"):
        resolve(replace(asked, music=tmp_path / "song.wav", provider="embedded"))


def test_unknown_provider(asked: Options) -> None:
    with pytest.raises(SettingsError, match="no provider 'embeded'") as caught:
        resolve(replace(asked, provider="embeded"))
    assert "embedded" in caught.value.remedy


def test_offline_suits_the_built_in_providers(asked: Options) -> None:
    assert resolve(replace(asked, offline=True)).provider == "embedded"


# --- presets that come with it -----------------------------------------------------------------


@pytest.mark.parametrize(("kind", "form"), [("delivery", Delivery), ("style", Style)])
def test_every_shipped_preset_loads(kind: Literal["delivery", "style"], form: type[Any]) -> None:
    names = preset_names(kind)
    assert names
    for name in names:
        preset = load_preset(kind, name, form)
        assert preset.name == name
        path = preset_folder(kind) / f"{name}.toml"
        assert "#" in path.read_text(encoding="utf-8"), f"{path} has no comment"


def test_the_presets_of_the_issue_are_there() -> None:
    assert {"cinematic", "documentary", "ambient", "lofi"} <= set(preset_names("style"))
    assert {"upbeat-ad", "tension", "playful", "corporate"} <= set(preset_names("style"))
    assert {"youtube", "shorts", "tiktok", "reels"} <= set(preset_names("delivery"))
    assert {"podcast", "ebu-r128", "atsc-a85", "netflix-dialogue"} <= set(preset_names("delivery"))


def test_the_default_is_youtube() -> None:
    want: Settings = resolve(Options())
    assert want.delivery.name == DEFAULT_PRESET == "youtube"
    assert (want.target.integrated_lufs, want.target.true_peak_dbtp) == (-14.0, -1.0)
    assert want.brief.style.name == DEFAULT_STYLE


def test_every_delivery_preset_makes_settings_that_can_be_met() -> None:
    for name in preset_names("delivery"):
        want = resolve(Options(preset=name))
        assert -60 <= want.target.integrated_lufs < want.target.true_peak_dbtp <= 0
        assert want.level.music_lufs <= want.target.integrated_lufs + 10
        assert want.delivery.source, f"{name} says no source"
        assert want.delivery.audio_bitrate_kbps >= 96


# --- presets of one's own ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "wrong", "near"),
    [
        ("style", "cinematc", "cinematic"),
        ("style", "lo-fi", "lofi"),
        ("delivery", "youtub", "youtube"),
    ],
)
def test_an_unknown_preset_names_the_nearest(
    kind: Literal["delivery", "style"], wrong: str, near: str
) -> None:
    with pytest.raises(SettingsError, match=f"no {kind} preset '{wrong}'") as caught:
        load_preset(kind, wrong, Delivery if kind == "delivery" else Style)
    assert f"Did you mean {near!r}?" in caught.value.remedy


@pytest.mark.parametrize("name", ["", "..", "../style/cinematic", "/etc/passwd", "a/b", "\0", "*"])
def test_a_name_is_not_a_way_out_of_the_folder(name: str) -> None:
    with pytest.raises(SettingsError):
        load_preset("style", name, Style)


def test_a_soundfont_is_for_what_is_composed_here(asked: Options, tmp_path: Path) -> None:
    font = tmp_path / "font.sf2"
    want = resolve(replace(asked, soundfont=font))
    assert (want.provider, want.soundfont) == ("embedded", font)
    track = tmp_path / "song.wav"
    with pytest.raises(SettingsError, match="--soundfont"):
        resolve(replace(asked, soundfont=font, music=track))
    with pytest.raises(SettingsError, match="--soundfont"):
        resolve(replace(asked, soundfont=font, provider="elevenlabs"))
    fallen = replace(asked, soundfont=font, provider="elevenlabs", fallback="embedded")
    assert resolve(fallen).soundfont == font


def test_a_soundfont_of_the_users_folder_is_found(
    asked: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fonts = tmp_path / "fonts"
    monkeypatch.setenv("SCOREBED_SOUNDFONTS", str(fonts))
    assert resolve(asked).soundfont is None
    fonts.mkdir()
    for name in ("read me.txt", "zither.sf2", "Grand.SF2"):
        (fonts / name).write_bytes(b"")
    assert resolve(asked).soundfont == fonts / "Grand.SF2"
    assert resolve(replace(asked, soundfont=NO_FONT)).soundfont is None
    assert resolve(replace(asked, soundfont=fonts / "zither.sf2")).soundfont != fonts / "Grand.SF2"
    track = tmp_path / "song.wav"
    for font in (None, NO_FONT):
        assert resolve(replace(asked, soundfont=font, music=track)).soundfont is None


def test_words_in_place_of_a_file_are_no_paths(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("cuts = 'chapters'\nsoundfont = 'none'\n")
    options = load_options(path, Options, Options())
    assert (options.cuts, options.soundfont) == (CHAPTERS, NO_FONT)
    path.write_text("cuts = 'list.edl'\nsoundfont = 'none.sf2'\n")
    options = load_options(path, Options, Options())
    assert (options.cuts, options.soundfont) == (tmp_path / "list.edl", tmp_path / "none.sf2")


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "my style.TOML"
    path.write_text('name = "mine"\ndescription = "x"\n[[parts]]\nrole = "pad"\npatch = "organ"\n')
    style = load_preset("style", str(path), Style)
    assert [part.patch for part in style.parts] == ["organ"]
    assert style.tempo_bpm == Style(name="", description="").tempo_bpm


@pytest.mark.parametrize(
    ("text", "key", "near"),
    [
        ("tempo_bmp = [60, 90]\n", "tempo_bmp", "tempo_bpm"),
        ("Swing = 0.5\n", "Swing", "swing"),
        ('[[parts]]\nrole = "pad"\npatch = "organ"\ngain = 1.0\n', "parts.gain", "parts.gain_db"),
    ],
)
def test_an_unknown_key_names_the_nearest(tmp_path: Path, text: str, key: str, near: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'name = "mine"\ndescription = "x"\n{text}')
    with pytest.raises(SettingsError, match=f"unknown key '{key}'") as caught:
        load_preset("style", str(path), Style)
    assert caught.value.remedy == f"Did you mean {near!r}?"
    assert str(path) in caught.value.message


def test_a_key_that_is_like_none_lists_all(delivery: Path) -> None:
    delivery.write_text(delivery.read_text() + "xyzzy = 1\n")
    with pytest.raises(SettingsError, match="'xyzzy'") as caught:
        load_preset("delivery", str(delivery), Delivery)
    assert all(name in caught.value.remedy for name in MINE)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("target_lufs", "loud"),
        ("audio_bitrate_kbps", 192.5),
        ("certainty", "guess"),
        ("title", 3),
        ("music_lufs", True),
    ],
)
def test_a_value_of_the_wrong_type_is_named(delivery: Path, key: str, value: Any) -> None:
    delivery.write_text(toml(MINE | {key: value}))
    with pytest.raises(SettingsError, match="is not right") as caught:
        load_preset("delivery", str(delivery), Delivery)
    assert key in caught.value.message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("target_lufs", "nan"),
        ("target_lufs", "5.0"),
        ("true_peak_dbtp", "6.0"),
        ("true_peak_dbtp", "inf"),
        ("speech_margin_lu", "-3.0"),
        ("speech_floor_lu", "-3.0"),
        ("music_lufs", "-inf"),
        ("audio_bitrate_kbps", "-5"),
        ("audio_bitrate_kbps", "0"),
    ],
)
def test_a_figure_out_of_range_is_refused_in_a_preset_too(
    delivery: Path, key: str, value: str
) -> None:
    lines = [line for line in toml(MINE).splitlines() if not line.startswith(key)]
    delivery.write_text("\n".join([*lines, f"{key} = {value}"]))
    with pytest.raises(SettingsError):
        resolve(Options(preset=str(delivery)))


def test_a_missing_key_is_named(delivery: Path) -> None:
    delivery.write_text(toml({key: value for key, value in MINE.items() if key != "target_lufs"}))
    with pytest.raises(SettingsError, match="target_lufs"):
        load_preset("delivery", str(delivery), Delivery)


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe\x00", b"a = 1\na = 2", b"\x00" * 10])
def test_what_is_not_toml(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="is not TOML"):
        load_preset("style", str(path), Style)


def test_a_preset_that_is_not_there_or_a_folder(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    for name in ("gone.toml", "folder.toml"):
        with pytest.raises(SettingsError, match="cannot be read"):
            load_preset("style", str(tmp_path / name), Style)


# --- where presets lie -------------------------------------------------------------------------


def test_in_a_checkout_they_lie_beside_src() -> None:
    if (Path(settings.__file__).parent / "presets").is_dir():
        pytest.skip("installed from a wheel")
    assert preset_folder("style") == ROOT / "presets" / "style"


def test_a_wheel_brings_presets_and_schema(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="the wheel is built without a network")
    for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "src", "presets"):
        whole, copy = ROOT / name, tmp_path / "checkout" / name
        copy.parent.mkdir(exist_ok=True)
        if whole.is_dir():
            shutil.copytree(whole, copy, ignore=shutil.ignore_patterns("__pycache__"))
        elif whole.exists():
            shutil.copyfile(whole, copy)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")],
        cwd=tmp_path / "checkout",
        check=True,
        capture_output=True,
    )
    wheel = next((tmp_path / "dist").glob("scorebed-*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
        archive.extractall(tmp_path / "site")
    for path in (ROOT / "presets").rglob("*.toml"):
        assert f"scorebed/{path.relative_to(ROOT)}" in held
    assert "scorebed/schema/result-1.json" in held
    assert "scorebed/schema/spotting-1.json" in held
    assert "scorebed/schema/batch-1.json" in held
    assert "scorebed/schema/sync-1.json" in held
    assert not [name for name in held if name.startswith(("tests/", "sample_media/"))]
    shutil.rmtree(tmp_path / "checkout")
    code = (
        "import scorebed, scorebed.presets as s, scorebed.result as r\n"
        "from scorebed.style import Style\n"
        "print(scorebed.__file__)\n"
        "print(*s.preset_names('style'))\n"
        "print(s.load_preset('style', 'cinematic', Style).name, r.SCHEMA_PATH.is_file())\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site"), "PATH": "", "PYTHONUTF8": "1"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    assert said[0].startswith(str(tmp_path / "site"))
    assert tuple(said[1].split()) == preset_names("style")
    assert said[2] == "cinematic True"


def test_entry_points_are_declared_for_both_providers() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(project["entry-points"]["scorebed.providers"]) >= {"embedded", "file"}
