"""Drawing with numpy: gradients, anti-aliased shapes, layered seas and clouds.

A picture is a float32 array of shape (720, 1280, 3), display-referred, 0..1. Lengths are in
picture heights: y runs 0 (top) to 1 (bottom), x runs 0 to 16/9.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Point = tuple[float, float]

WIDTH, HEIGHT = 1280, 720
ASPECT = WIDTH / HEIGHT
X: Floats = ((np.arange(WIDTH) + 0.5) / HEIGHT).astype(np.float32)[None, :]
Y: Floats = ((np.arange(HEIGHT) + 0.5) / HEIGHT).astype(np.float32)[:, None]
SUPERSAMPLING = 4


def rgb(code: str) -> Floats:
    """The colour of a code such as "#0a1b2c"."""
    return np.array([int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)], dtype=np.float32)


def mixed(first: str, second: str, share: float) -> Floats:
    """The colour `share` (0..1) of the way from the first to the second."""
    return rgb(first) + (rgb(second) - rgb(first)) * np.float32(min(max(share, 0.0), 1.0))


def ease(share: float) -> float:
    """A smooth 0..1 ramp."""
    share = min(max(share, 0.0), 1.0)
    return share * share * (3 - 2 * share)


@functools.cache
def _column(stops: tuple[tuple[float, str], ...]) -> Floats:
    places = [place for place, _ in stops]
    colours = np.stack([rgb(code) for _, code in stops])
    rows = [np.interp(Y[:, 0], places, colours[:, i]) for i in range(3)]
    return np.stack(rows, axis=-1).astype(np.float32)[:, None, :]


def sky(*stops: tuple[float, str]) -> Floats:
    """A new picture filled with a vertical gradient of (y, colour) stops."""
    return np.repeat(_column(stops), WIDTH, axis=1)


def over(picture: Floats, mask: Floats, colour: Floats) -> None:
    """Paint a colour (or a picture) through a mask of shape (rows, columns), 0..1."""
    picture += mask[..., None] * (colour - picture)


def _box(left: float, top: float, right: float, bottom: float) -> tuple[slice, slice]:
    def clamp(value: float, most: int) -> int:
        return int(min(max(value * HEIGHT, 0), most))

    rows = slice(clamp(top, HEIGHT), clamp(bottom + 2 / HEIGHT, HEIGHT))
    columns = slice(clamp(left, WIDTH), clamp(right + 2 / HEIGHT, WIDTH))
    return rows, columns


def disc(
    picture: Floats,
    centre: Point,
    radius: float,
    colour: Floats,
    alpha: float = 1.0,
    softness: float = 1 / HEIGHT,
) -> None:
    """A filled circle whose edge is `softness` wide."""
    x, y = centre
    reach = radius + softness
    rows, columns = _box(x - reach, y - reach, x + reach, y + reach)
    distance = np.hypot(X[:, columns] - x, Y[rows] - y)
    mask = np.clip((radius - distance) / softness + 0.5, 0, 1) * alpha
    over(picture[rows, columns], mask.astype(np.float32), colour)


def glow(picture: Floats, centre: Point, radius: float, colour: Floats, strength: float) -> None:
    """Add light that falls off as a bell of the given radius."""
    x, y = centre
    reach = 2.6 * radius
    rows, columns = _box(x - reach, y - reach, x + reach, y + reach)
    across = np.exp(-(((X[:, columns] - x) / radius) ** 2))
    down = np.exp(-(((Y[rows] - y) / radius) ** 2))
    light = (across * down * strength).astype(np.float32)
    picture[rows, columns] += light[..., None] * colour * (1 - picture[rows, columns])


def line(
    picture: Floats, start: Point, end: Point, width: float, colour: Floats, alpha: float = 1.0
) -> None:
    """A round-ended stroke."""
    (x0, y0), (x1, y1) = start, end
    half = width / 2 + 1 / HEIGHT
    rows, columns = _box(
        min(x0, x1) - half, min(y0, y1) - half, max(x0, x1) + half, max(y0, y1) + half
    )
    dx, dy = x1 - x0, y1 - y0
    px, py = X[:, columns] - x0, Y[rows] - y0
    along = np.clip((px * dx + py * dy) / max(dx * dx + dy * dy, 1e-12), 0, 1)
    distance = np.hypot(px - along * dx, py - along * dy)
    mask = np.clip((width / 2 - distance) * HEIGHT + 0.5, 0, 1) * alpha
    over(picture[rows, columns], mask.astype(np.float32), colour)


def polygon(picture: Floats, points: Sequence[Point], colour: Floats, alpha: float = 1.0) -> None:
    """A filled polygon, anti-aliased by drawing it larger and reducing."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    rows, columns = _box(min(xs), min(ys), max(xs), max(ys))
    wide, high = columns.stop - columns.start, rows.stop - rows.start
    if wide <= 0 or high <= 0:
        return
    mask = Image.new("L", (wide * SUPERSAMPLING, high * SUPERSAMPLING))
    corners = [
        ((x * HEIGHT - columns.start) * SUPERSAMPLING, (y * HEIGHT - rows.start) * SUPERSAMPLING)
        for x, y in points
    ]
    ImageDraw.Draw(mask).polygon(corners, fill=255)
    small = np.asarray(mask.reduce(SUPERSAMPLING), dtype=np.float32) / 255
    cover = (small * alpha).astype(np.float32)
    over(picture[rows, columns], cover, colour)


def turned(points: Sequence[Point], centre: Point, angle: float, scale: float = 1.0) -> list[Point]:
    """Points given around (0, 0), turned by `angle` radians, scaled and moved to `centre`."""
    cosine, sine = np.cos(angle) * scale, np.sin(angle) * scale
    return [
        (centre[0] + x * cosine - y * sine, centre[1] + x * sine + y * cosine) for x, y in points
    ]


def land(
    picture: Floats, edge: Floats, top: Floats, bottom: Floats | None = None, depth: float = 0.3
) -> None:
    """Fill everything under `edge` (y for each column), from colour `top` to `bottom`."""
    first = max(int(float(edge.min()) * HEIGHT) - 1, 0)
    if first >= HEIGHT:
        return
    below = Y[first:] - edge[None, :]
    mask = np.clip(below * HEIGHT + 0.5, 0, 1)
    if bottom is None:
        over(picture[first:], mask, top)
        return
    share = np.clip(below / depth, 0, 1)[..., None]
    over(picture[first:], mask, top + (bottom - top) * share)


def swell(t: float, seed: int, height: float, length: float, speed: float) -> Floats:
    """A moving wave line: `height` and `length` in picture heights, `speed` per second."""
    rng = np.random.default_rng(seed)
    line_ = np.zeros(WIDTH)
    for share, scale in ((1.0, 1.0), (0.55, 0.53), (0.28, 0.29)):
        phase = rng.uniform(0, 2 * np.pi)
        pace = speed * rng.uniform(0.8, 1.2)
        line_ += share * np.sin(2 * np.pi * (X[0] + pace * t) / (length * scale) + phase)
    return np.asarray(line_ * height, dtype=np.float32)


def ridge(seed: int, height: float, length: float, shift: float = 0.0) -> Floats:
    """A line of hills; `shift` slides it sideways without changing its shape."""
    rng = np.random.default_rng(seed)
    x = X[0] + shift
    out = np.zeros(WIDTH)
    for octave in range(5):
        phase = rng.uniform(0, 2 * np.pi)
        out += np.sin(2 * np.pi * x * 1.9**octave / length + phase) / 2.1**octave
    return np.asarray(out * height, dtype=np.float32)


@functools.cache
def clouds(seed: int, stretch: float = 3.0, slope: float = 1.7) -> Floats:
    """A field of soft noise, 0..1, twice as wide as the picture and seamless sideways."""
    rng = np.random.default_rng(seed)
    shape = (HEIGHT, 2 * WIDTH)
    fy = np.fft.fftfreq(shape[0])[:, None] * HEIGHT
    fx = np.fft.rfftfreq(shape[1])[None, :] * HEIGHT * stretch
    size = np.hypot(fx, fy)
    size[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal(shape)) / np.maximum(size, 1.5) ** slope
    field = np.fft.irfft2(spectrum, shape)
    return np.asarray(np.clip(field / field.std() * 0.22 + 0.5, 0, 1), dtype=np.float32)


def drifting(field: Floats, shift: float) -> Floats:
    """A picture-wide window into a seamless field, `shift` picture heights along."""
    place = (shift * HEIGHT) % field.shape[1]
    whole = int(place)
    part = np.float32(place - whole)
    columns = (np.arange(WIDTH + 1) + whole) % field.shape[1]
    window = field[:, columns]
    return np.asarray(window[:, :-1] * (1 - part) + window[:, 1:] * part, dtype=np.float32)


def ramp(values: Floats, low: float, high: float) -> Floats:
    """Values mapped so that `low` gives 0 and `high` gives 1, smoothly."""
    share = np.clip((values - low) / (high - low), 0, 1)
    return np.asarray(share * share * (3 - 2 * share), dtype=np.float32)


def stars(picture: Floats, t: float, count: int, floor: float, shift: float = 0.0) -> None:
    """Twinkling stars above y = `floor`."""
    rng = np.random.default_rng(5)
    for _ in range(count):
        x = (rng.uniform(0, ASPECT) + shift) % ASPECT
        y = rng.uniform(0, floor)
        size, phase, pace = rng.uniform(0.0009, 0.0022), rng.uniform(0, 6.3), rng.uniform(0.8, 2)
        light = (0.55 + 0.3 * np.sin(phase + pace * t)) * (1 - 0.7 * y / floor)
        disc(picture, (x, y), size, rgb("#eef2ff"), float(light), 2 / HEIGHT)


def glitter(
    picture: Floats, t: float, x: float, horizon: float, colour: Floats, strength: float = 0.8
) -> None:
    """The broken reflection of a light at `x` on water that starts at y = `horizon`."""
    rng = np.random.default_rng(11)
    for step in range(44):
        depth = (step / 44) ** 1.5
        y = horizon + 0.006 + depth * (0.97 - horizon)
        wide = 0.010 + 0.10 * depth * rng.uniform(0.4, 1.0)
        phase, pace = rng.uniform(0, 6.3), rng.uniform(1.2, 2.4)
        sway = 0.05 * depth * np.sin(phase + pace * t * 0.6) + rng.normal(0, 0.03) * (0.2 + depth)
        light = strength * (0.5 + 0.5 * np.sin(phase + pace * t)) * (1 - 0.55 * depth)
        left, right = (x + sway - wide / 2, y), (x + sway + wide / 2, y)
        line(picture, left, right, 0.003 + 0.006 * depth, colour, float(light))


@functools.cache
def _vignette() -> Floats:
    distance = np.hypot((X - ASPECT / 2) / ASPECT, (Y - 0.5) * 0.9) * 1.5
    return np.asarray(np.clip(distance, 0, 1.2) ** 2.4, dtype=np.float32)[..., None]


@functools.cache
def _dither() -> Floats:
    rng = np.random.default_rng(3)
    noise = rng.uniform(-0.5, 0.5, (HEIGHT, WIDTH, 1)) + rng.uniform(-0.5, 0.5, (HEIGHT, WIDTH, 1))
    return np.asarray(noise, dtype=np.float32)


def developed(picture: Floats, *, vignette: float) -> bytes:
    """The finished frame as packed 8-bit RGB, its corners darkened by the share `vignette`.

    Still dither keeps gradients from banding.
    """
    picture = picture * (1 - np.float32(vignette) * _vignette())
    packed = np.clip(picture * 255 + _dither() + 0.5, 0, 255).astype(np.uint8)
    return bytes(packed.tobytes())
