"""Thumbnails: the frame that was asked for, in every container, as a player shows it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scorebed.dsp.hdr import to_sdr
from scorebed.media import identify
from scorebed.model import TimeRange
from scorebed.stages.probe import look
from scorebed.stages.thumbnails import thumbnails

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE = 25
FRAMES = 200
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-bf", "2")
# Every frame is told from all others by its light.
GREYS = "color=black:size=64x36:rate=25:duration=8,format=yuv420p,geq=lum='20+N':cb=128:cr=128"
CODED = {
    "greys.mp4": (*H264, "-g", "25"),
    "one_keyframe.mp4": (*H264, "-g", "1000", "-sc_threshold", "0"),
    "greys.mkv": (*H264, "-g", "50"),
    "greys.webm": ("-c:v", "libvpx", "-deadline", "realtime", "-g", "60", "-pix_fmt", "yuv420p"),
    "greys.ts": (*H264, "-g", "100"),
    "greys.avi": ("-c:v", "mpeg4", "-q:v", "2", "-g", "40", "-bf", "0"),
    "late.mp4": (*H264, "-g", "25", "-output_ts_offset", "1.2"),
}


def seen(
    path: Path, wanted: list[TimeRange], *, width_px: int = 64, height_px: int = 36
) -> list[NDArray[np.uint8]]:
    source = identify(path)
    found = list(thumbnails(source, look(source), wanted, width_px=width_px, height_px=height_px))
    assert all(one is not None for one in found)
    return [one for one in found if one is not None]


def from_frame(number: int, frames: int = 5) -> TimeRange:
    return TimeRange(start_s=Fraction(number, RATE), duration_s=Fraction(frames, RATE))


def number_of(thumbnail: NDArray[np.uint8]) -> int:
    """The frame that it shows: 219 steps of luma are 255 of light, cut off to whole ones."""
    return round((float(thumbnail.mean()) + 0.5) * 219 / 255) - 4


@pytest.mark.parametrize("name", CODED)
def test_it_is_the_first_frame_of_the_range(name: str, make_media: Callable[..., Path]) -> None:
    film = make_media(name, "-f", "lavfi", "-i", GREYS, *CODED[name])
    wanted = [0, 1, 2, 30, 31, 33, 60, 61, 99, 100, 149, 151, 195]
    found = seen(film, [from_frame(number) for number in wanted])
    assert [number_of(one) for one in found] == wanted


def test_going_back_works_too(make_media: Callable[..., Path]) -> None:
    film = make_media("greys.mp4", "-f", "lavfi", "-i", GREYS, *CODED["greys.mp4"])
    found = seen(film, [from_frame(number) for number in (150, 20, 21, 3)])
    assert [number_of(one) for one in found] == [150, 20, 21, 3]


def test_little_is_decoded_of_a_long_picture(
    make_media: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from scorebed.stages import thumbnails as room  # noqa: PLC0415

    film = make_media(
        "long.mp4",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=64x36:rate=25:duration=240",
        *H264,
        "-g",
        "25",
    )
    decoded = 0
    whole = room._Finder._decoded

    def counted(self: Any, wanted_s: Fraction | None = None) -> Any:
        nonlocal decoded
        for one in whole(self, wanted_s):
            decoded += 1
            yield one

    monkeypatch.setattr(room._Finder, "_decoded", counted)
    seen(film, [from_frame(number) for number in range(10, 6000, 500)])
    assert decoded < 12 * 30


def test_a_damaged_stretch_shows_what_is_left(
    make_media: Callable[..., Path], tmp_path: Path
) -> None:
    film = make_media("greys.ts", "-f", "lavfi", "-i", GREYS, *CODED["greys.ts"])
    content = bytearray(film.read_bytes())
    half = len(content) // 2
    content[half : half + 4000] = np.random.default_rng(1).bytes(4000)
    broken = tmp_path / "broken.ts"
    broken.write_bytes(content)
    found = seen(broken, [from_frame(number) for number in range(0, 180, 20)])
    assert number_of(found[0]) == 0


@pytest.mark.parametrize(
    ("turn", "corner"), [(90, "bottom left"), (180, "bottom right"), (270, "top right")]
)
def test_it_is_upright(turn: int, corner: str, make_media: Callable[..., Path]) -> None:
    box = "color=black:size=160x90:rate=25:duration=0.4,drawbox=w=40:h=30:color=white:t=fill"
    film = make_media("flat.mp4", "-f", "lavfi", "-i", box, *H264)
    turned = make_media("turned.mp4", "-display_rotation", str(turn), "-i", film, "-c", "copy")
    (one,) = seen(turned, [from_frame(0)], width_px=80, height_px=80)
    assert one.shape == ((80, 45, 3) if turn != 180 else (45, 80, 3))
    places = {"top right": (3, -3), "bottom left": (-3, 3), "bottom right": (-3, -3)}
    light = {name: int(one[at].mean()) for name, at in places.items()}
    assert light[corner] > 200
    assert max(value for name, value in light.items() if name != corner) < 50


def test_it_is_as_wide_as_it_is_shown(make_media: Callable[..., Path]) -> None:
    film = make_media(
        "wide.mp4", "-f", "lavfi", "-i", "testsrc2=size=72x58:rate=25:duration=0.4", *H264,
        "-vf", "setsar=2/1",
    )  # fmt: skip
    (one,) = seen(film, [from_frame(0)], width_px=144, height_px=144)
    assert one.shape == (58, 144, 3)


@pytest.mark.parametrize(
    ("matrix", "size"), [("bt709", "640x360"), ("smpte170m", "1280x720"), (None, "1280x720")]
)
def test_colours_are_those_of_the_matrix(
    matrix: str | None, size: str, make_media: Callable[..., Path]
) -> None:
    """What says nothing is BT.709 in HD."""
    film = make_media(
        "red.mp4",
        *("-f", "lavfi", "-i", f"color=0xC83214:size={size}:rate=25:duration=0.2"),
        *("-vf", f"format=gbrp,scale=out_color_matrix={matrix or 'bt709'},format=yuv420p"
          + ("" if matrix else ",setparams=colorspace=unknown")),
        *H264,
        *(("-colorspace", matrix) if matrix else ()),
    )  # fmt: skip
    (one,) = seen(film, [from_frame(0)])
    assert one.reshape(-1, 3).mean(axis=0) == pytest.approx([200, 50, 20], abs=6)


def test_high_dynamic_range_looks_as_it_should() -> None:
    """Diffuse white is nearly white, grey stays grey, what is brighter is brighter."""
    # PQ codes of 0, 20, 203 and 1000 cd/m2.
    greys = np.array([0.0, 0.3535, 0.5807, 0.7518])
    coded = np.repeat((greys * 255).round().astype(np.uint8)[None, :, None], 3, axis=2)
    shown = to_sdr(coded, "pq")[0].astype(int)
    assert np.ptp(shown, axis=1).max() <= 1
    assert shown[0, 0] == 0
    assert 60 < shown[1, 0] < 110
    assert 190 < shown[2, 0] < 245
    assert shown[3, 0] >= 250
    # HLG: 75 % is diffuse white (BT.2408).
    hlg = np.full((1, 1, 3), round(0.75 * 255), dtype=np.uint8)
    assert int(to_sdr(hlg, "hlg")[0, 0, 0]) == pytest.approx(shown[2, 0], abs=4)
    # A red of BT.2020 stays red.
    red = to_sdr(np.array([[[150, 60, 60]]], dtype=np.uint8), "pq")[0, 0].astype(int)
    assert red[0] > 2 * red[1]
