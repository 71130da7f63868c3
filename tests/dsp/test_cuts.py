"""Hard cuts and gradual changes between synthetic frames with known answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from scorebed.dsp.cuts import CutFinder, CutRule, settled
from scorebed.dsp.gradual import GRID_S, GradualFinder
from scorebed.dsp.picture import Look, distance, likeness, look_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scorebed.dsp.cuts import Cut
    from scorebed.dsp.gradual import Gradual

Frames = list["NDArray[np.uint8]"]
BLACK = np.stack([np.full((36, 64), value, dtype=np.uint8) for value in (16, 128, 128)])

WHITE = np.stack([np.full((36, 64), value, dtype=np.uint8) for value in (235, 128, 128)])


def picture(seed: int, contrast: float = 1.0) -> NDArray[np.uint8]:
    """A picture of coarse patches."""
    rng = np.random.default_rng(seed)
    luma = np.kron(rng.uniform(20, 230, (6, 8)), np.ones((6, 8)))
    luma = 125 + (luma - 125) * contrast
    chroma = 128 + contrast * np.kron(rng.uniform(-28, 28, (2, 6, 8)), np.ones((6, 8)))
    return np.concatenate([luma[np.newaxis], chroma]).astype(np.uint8)


def still(seed: int, frames: int, contrast: float = 1.0) -> Frames:
    """A shot with a little noise."""
    rng = np.random.default_rng(seed + 1000)
    base = picture(seed, contrast).astype(int)
    return [
        np.clip(base + rng.normal(0, 2, base.shape), 0, 255).astype(np.uint8) for _ in range(frames)
    ]


def pan(seed: int, frames: int, by_px: int) -> Frames:
    """A shot in which everything moves."""
    wide = np.concatenate([picture(seed + n) for n in range(12)], axis=2)
    return [wide[:, :, by_px * n : by_px * n + 64] for n in range(frames)]


def mixed(one: NDArray[np.uint8], other: NDArray[np.uint8], frames: int) -> Frames:
    """What lies between two pictures, the ends left out."""
    shares = np.linspace(0, 1, frames + 2)[1:-1]
    return [np.rint((1 - w) * one.astype(float) + w * other).astype(np.uint8) for w in shares]


def cuts(frames: Frames, gaps: tuple[int, ...] = ()) -> list[Cut]:
    finder = CutFinder()
    found = [
        cut
        for number, frame in enumerate(frames)
        for cut in finder.add(look_at(frame), follows=number not in gaps)
    ]
    return list(settled([*found, *finder.finish()]))


def gradual(frames: Frames, rate: float = 25.0) -> list[Gradual]:
    finder = GradualFinder()
    found = [
        change
        for number, frame in enumerate(frames)
        for change in finder.add(look_at(frame), number / rate)
    ]
    return found + list(finder.finish())


def test_distance_and_likeness_of_known_pictures() -> None:
    black, white = look_at(BLACK), look_at(BLACK + np.array([[[219]], [[0]], [[0]]], np.uint8))
    assert distance(black, black) == 0
    # All luma by 219 of 255, and all of it in another bin: 0.125 of 2.
    assert distance(black, white) == pytest.approx(219 / 255 + 0.25, abs=1e-4)
    one = picture(1)
    darker = look_at((one // 2).astype(np.uint8))
    assert likeness(look_at(one), darker) > 0.99
    assert abs(likeness(look_at(one), look_at(picture(2)))) < 0.5
    assert isinstance(black, Look)


@pytest.mark.parametrize("lengths", [(30, 30), (1, 40), (40, 1), (8, 7, 9, 30), (2, 3)])
def test_cuts_are_on_their_frames(lengths: tuple[int, ...]) -> None:
    frames = [frame for seed, count in enumerate(lengths) for frame in still(seed, count)]
    assert [cut.frame for cut in cuts(frames)] == list(np.cumsum(lengths)[:-1])
    assert all(0.5 <= cut.confidence <= 1 for cut in cuts(frames))


def test_a_dark_cut_counts_where_nothing_else_moves() -> None:
    frames = [picture(1, contrast=0.2)] * 20 + [picture(2, contrast=0.2)] * 20
    assert distance(look_at(frames[19]), look_at(frames[20])) < CutRule().step
    assert [cut.frame for cut in cuts(frames)] == [20]


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_a_flash_is_no_cut(frames: int) -> None:
    assert cuts(still(1, 20) + [WHITE] * frames + still(1, 20)) == []


def test_light_that_stays_on_is_no_cut() -> None:
    lit = [np.clip(frame + np.array([[[40]], [[0]], [[0]]]), 0, 255) for frame in still(1, 20)]
    assert cuts(still(1, 20) + [frame.astype(np.uint8) for frame in lit]) == []


@pytest.mark.parametrize("by_px", [2, 6, 10])
def test_a_pan_is_no_cut(by_px: int) -> None:
    assert cuts(pan(3, 50, by_px)) == []


def test_no_cut_is_placed_over_a_gap() -> None:
    frames = still(1, 20) + still(2, 20)
    assert cuts(frames, gaps=(20,)) == []
    assert [cut.frame for cut in cuts(frames, gaps=(10,))] == [20]


@pytest.mark.parametrize(
    ("length", "rate"), [(6, 25.0), (6, 23.976), (12, 50.0), (25, 25.0), (50, 25.0)]
)
def test_a_dissolve_has_both_ends(length: int, rate: float) -> None:
    frames = [*still(1, 90), *mixed(picture(1), picture(2), length), *still(2, 90)]
    (found,) = gradual(frames, rate)
    assert found.kind == "dissolve"
    assert found.start_s == pytest.approx(90 / rate, abs=3 * GRID_S)
    assert found.end_s == pytest.approx((90 + length) / rate, abs=3 * GRID_S)
    assert found.start_s < found.middle_s < found.end_s
    assert found.confidence > 0.8


@pytest.mark.parametrize("dark", [1, 10, 30])
def test_two_fades_that_meet_are_one(dark: int) -> None:
    down, up = mixed(picture(1), BLACK, 12), mixed(BLACK, picture(2), 12)
    frames = [*still(1, 80), *down, *[BLACK] * dark, *up, *still(2, 80)]
    (found,) = gradual(frames)
    assert found.kind == "fade"
    assert found.start_s == pytest.approx(80 / 25, abs=0.12)
    assert found.end_s == pytest.approx((80 + 24 + dark) / 25, abs=0.12)
    assert found.middle_s == pytest.approx((80 + 12 + dark / 2) / 25, abs=0.12)


def test_fades_at_the_ends_of_a_film() -> None:
    opening = [BLACK] * 5 + mixed(BLACK, picture(1), 25)
    ending = mixed(picture(1), BLACK, 25) + [BLACK] * 3
    first, last = gradual([*opening, *still(1, 100), *ending])
    assert (first.kind, last.kind) == ("fade", "fade")
    assert (first.middle_s, last.middle_s) == (first.start_s, last.end_s)
    assert last.end_s == pytest.approx((30 + 100 + 25) / 25, abs=0.12)


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(still(1, 100) + still(2, 100), id="cut"),
        pytest.param(pan(3, 100, 5), id="pan"),
        pytest.param(pan(3, 200, 1), id="slow pan"),
        pytest.param(
            still(1, 50) + mixed(picture(1), picture(1) // 2, 25) + [picture(1) // 2] * 50,
            id="light",
        ),
        pytest.param(
            [*still(1, 50), WHITE, *mixed(WHITE, picture(1), 12), *still(1, 50)],
            id="flash that dies away",
        ),
        pytest.param(
            still(1, 50)
            + [np.concatenate([picture(2)[:, :, : 4 * n], picture(1)[:, :, 4 * n :]], axis=2)
               for n in range(16)]
            + still(2, 50),
            id="wipe",
        ),
    ],
)  # fmt: skip
def test_other_changes_are_not_gradual(frames: Frames) -> None:
    assert gradual(frames) == []


def test_a_dissolve_is_seen_where_frames_are_left_out() -> None:
    """Every fourth frame says where the others lie."""
    frames = still(1, 60) + mixed(still(1, 1)[0], still(2, 1)[0], 12) + still(2, 60)
    finder = GradualFinder()
    looks = [(look_at(frame), number / 25) for number, frame in enumerate(frames)]
    found = [
        change
        for look, time_s in looks[::4]
        for change in finder.add(look, time_s, follows=time_s == 0)
    ]
    [whole], [sparse] = gradual(frames), [*found, *finder.finish()]
    assert sparse.kind == whole.kind == "dissolve"
    assert sparse.start_s == pytest.approx(whole.start_s, abs=0.13)
    assert sparse.end_s == pytest.approx(whole.end_s, abs=0.13)


def test_memory_does_not_grow() -> None:
    finder = GradualFinder()
    looks = [look_at(frame) for frame in still(1, 50)]
    sizes = []
    for number in range(3000):
        list(finder.add(looks[number % 50], number / 25))
        sizes.append(len(finder._grid))
    assert max(sizes[1500:]) == max(sizes[:1500])
