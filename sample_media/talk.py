"""The pictures and the words of talk.mp4: a short piece about the tide in a harbour."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from canvas import (
    ASPECT,
    HEIGHT,
    WIDTH,
    X,
    Y,
    clouds,
    disc,
    drifting,
    ease,
    glitter,
    glow,
    land,
    line,
    mixed,
    over,
    polygon,
    ramp,
    rgb,
    ridge,
    sky,
    stars,
    swell,
    turned,
)
from clip import Clip, Phrase, Shot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Point = tuple[float, float]


def sea(
    picture: Floats,
    t: float,
    horizon: float,
    colours: tuple[str, str],
    layers: int = 7,
    height: float = 1.0,
    seed: int = 20,
) -> None:
    """Layered waves from the horizon to the lower edge, from the first colour to the second."""
    for layer in range(layers):
        near = layer / (layers - 1)
        base = horizon + (0.98 - horizon) * near**1.35
        wave = swell(
            t, seed + layer, (0.001 + 0.011 * near) * height, 0.35 + 0.9 * near, 0.03 + 0.09 * near
        )
        colour = mixed(*colours, near)
        crest = np.minimum(colour * 1.22 + 0.02, 1)
        land(picture, base + wave, crest, colour, 0.018 + 0.05 * near)


def gull(picture: Floats, centre: Point, size: float, beat: float, colour: Floats) -> None:
    """A bird of two bent wings; `beat` -1..1 moves them."""
    x, y = centre
    lift = 0.35 * beat
    wings = [
        (-1.0, -0.25 - lift),
        (-0.45, -0.32 - 0.4 * lift),
        (0, 0),
        (0.45, -0.32 - 0.4 * lift),
        (1.0, -0.25 - lift),
        (0.45, -0.20 - 0.3 * lift),
        (0, 0.13),
        (-0.45, -0.20 - 0.3 * lift),
    ]
    polygon(picture, [(x + size * px, y + size * py) for px, py in wings], colour)


def tower(picture: Floats, foot: Point, height: float, body: tuple[str, str]) -> Point:
    """A lighthouse; returns where its lamp is."""
    x, y = foot
    wide, top = height * 0.13, y - height * 0.78
    edges = np.linspace(0, 1, 6)
    for band, (low, high) in enumerate(itertools.pairwise(edges)):
        a, b = wide * (1 - 0.38 * low), wide * (1 - 0.38 * high)
        ya, yb = y + (top - y) * low, y + (top - y) * high
        quad = [(x - a, ya), (x + a, ya), (x + b, yb), (x - b, yb)]
        polygon(picture, quad, rgb(body[band % 2]))
        shade = [(x + a * 0.15, ya), (x + a, ya), (x + b, yb), (x + b * 0.15, yb)]
        polygon(picture, shade, rgb("#000000"), 0.22)
    dark = rgb("#15171f")
    polygon(
        picture,
        [
            (x - wide * 0.85, top),
            (x + wide * 0.85, top),
            (x + wide * 0.7, top + 0.014),
            (x - wide * 0.7, top + 0.014),
        ],
        dark,
    )
    lamp_top = top - height * 0.13
    polygon(
        picture,
        [
            (x - wide * 0.48, top),
            (x + wide * 0.48, top),
            (x + wide * 0.48, lamp_top),
            (x - wide * 0.48, lamp_top),
        ],
        rgb("#3a3b44"),
    )
    polygon(
        picture,
        [(x - wide * 0.62, lamp_top), (x + wide * 0.62, lamp_top), (x, lamp_top - height * 0.09)],
        dark,
    )
    return x, (top + lamp_top) / 2


def moon_sea(t: float, share: float) -> Floats:
    """Night sea under the moon."""
    picture = sky((0, "#050a1c"), (0.35, "#0c1a3a"), (0.62, "#26406a"), (1, "#26406a"))
    stars(picture, t, 70, 0.5)
    moon = (1.16, 0.22 + 0.012 * share)
    glow(picture, moon, 0.30, rgb("#9db7e8"), 0.45)
    disc(picture, moon, 0.062, rgb("#f4efdc"))
    disc(picture, (moon[0] - 0.018, moon[1] - 0.012), 0.013, rgb("#ddd6c0"), 0.7, 0.006)
    disc(picture, (moon[0] + 0.02, moon[1] + 0.02), 0.017, rgb("#ddd6c0"), 0.6, 0.008)
    field = drifting(clouds(4), 0.02 * t)
    band = ramp(field, 0.5, 0.85) * np.exp(-(((Y - 0.44) / 0.10) ** 2)) * 0.6
    over(picture, band, rgb("#4a628f"))
    sea(picture, t, 0.62, ("#22406b", "#061128"))
    glitter(picture, t, moon[0], 0.62, rgb("#dfe6f2"))
    return picture


def moon_close(t: float, _share: float) -> Floats:
    """The moon, near, with clouds passing before it."""
    picture = sky((0, "#060b1e"), (1, "#142950"))
    stars(picture, t, 50, 1.0)
    moon = (0.80, 0.47)
    glow(picture, moon, 0.55, rgb("#8ea9dd"), 0.5)
    disc(picture, moon, 0.24, rgb("#f3ecd6"))
    rng = np.random.default_rng(8)
    for _ in range(13):
        angle, away = rng.uniform(0, 6.28), 0.19 * rng.uniform(0, 1) ** 0.5
        spot = (moon[0] + away * np.cos(angle), moon[1] + away * np.sin(angle))
        size = rng.uniform(0.012, 0.045)
        disc(picture, spot, size, rgb("#d5cbb0"), 0.55, size)
    disc(picture, (moon[0] + 0.11, moon[1] + 0.10), 0.2, rgb("#8d93a8"), 0.35, 0.28)
    field = drifting(clouds(9, 2.2, 1.9), 0.07 * t)
    cover = ramp(field, 0.5, 0.8)
    lit = np.exp(-(((X - moon[0]) / 0.45) ** 2) - ((Y - moon[1]) / 0.4) ** 2)[..., None]
    over(picture, cover * 0.88, rgb("#101d3c") + lit * (rgb("#7f8fb5") - rgb("#101d3c")))
    return picture


def beam(picture: Floats, lamp: Point, angle: float, colour: Floats, reach: float) -> None:
    """A turning light seen from the side: wide and bright when it points to us."""
    across, toward = float(np.cos(angle)), float(np.sin(angle))
    dx, dy = X - lamp[0], Y - lamp[1]
    way = 1.0 if across >= 0 else -1.0
    along = np.maximum(dx * way, 0)
    spread = 0.012 + along * (0.045 + 0.12 * max(toward, 0.0))
    core = np.exp(-(((dy - 0.04 * along) / spread) ** 2))
    light = core * np.exp(-along / (reach * (0.15 + abs(across)))) * (along > 0) * abs(across)
    picture += (light * 0.62).astype(np.float32)[..., None] * colour * (1 - picture)
    flash = max(toward, 0.0) ** 6
    glow(picture, lamp, 0.05 + 0.16 * flash, colour, 0.75)
    glow(picture, lamp, 0.5, colour, 0.5 * flash)
    disc(picture, lamp, 0.012, rgb("#fffbe8"), 1, 0.012)


def lighthouse(t: float, share: float) -> Floats:
    """A lighthouse on a headland, its beam turning through the mist."""
    picture = sky((0, "#0a1420"), (0.45, "#13343c"), (0.72, "#2b5f5c"), (1, "#2b5f5c"))
    stars(picture, t, 40, 0.35)
    mist = ramp(drifting(clouds(14, 4), 0.03 * t), 0.35, 0.9) * np.exp(-(((Y - 0.55) / 0.2) ** 2))
    over(picture, mist * 0.35, rgb("#6f9f98"))
    sea(picture, t, 0.70, ("#255350", "#07191d"), seed=40)
    slide = 0.03 * share
    x = X[0] + slide
    cliff = 0.60 + 0.40 * ((np.maximum(x - 0.74, 0) - 0.36) / 0.36) ** 2 * (x < 1.1)
    edge = np.where(x < 0.6, 1.1, cliff + 0.004 * np.sin(40 * x) + 0.006 * np.sin(17 * x))
    land(picture, edge.astype(np.float32), rgb("#14211f"), rgb("#050b0d"), 0.25)
    lamp = tower(picture, (1.24 - slide, 0.61), 0.47, ("#c9cfc4", "#8f3a33"))
    beam(picture, lamp, 1.25 * t + 2.6, rgb("#ffeec2"), 0.9)
    return picture


def lamp_room(t: float, _share: float) -> Floats:
    """The lens of the light from near, turning."""
    picture = sky((0, "#07141a"), (1, "#123038"))
    centre = (ASPECT / 2, 0.5)
    glow(picture, centre, 0.62, rgb("#ffd98a"), 0.62 + 0.10 * float(np.sin(1.25 * t)))
    for step in range(9):
        turn = (step / 9 * np.pi + 0.42 * t) % np.pi
        place = float(np.cos(turn))
        wide, light = 0.05 * float(np.sin(turn)) ** 2 + 0.01, 0.28 + 0.5 * float(np.sin(turn)) ** 2
        x = centre[0] + 0.25 * place
        for row in range(7):
            y = 0.24 + row * 0.087
            bulge = 0.25 * place * (1 - 0.35 * ((y - 0.5) / 0.3) ** 2)
            xa = centre[0] + bulge
            polygon(
                picture,
                [
                    (xa - wide, y - 0.036),
                    (xa + wide, y - 0.036),
                    (x + (xa - x) * 0.9 + wide, y + 0.036),
                    (x + (xa - x) * 0.9 - wide, y + 0.036),
                ],
                rgb("#ffe9b0"),
                light * 0.55,
            )
    glow(picture, centre, 0.12, rgb("#fffbe6"), 0.95)
    dark = rgb("#0a1013")
    for bar in (0.12, 0.52, 1.26, 1.66):
        line(picture, (bar, -0.1), (bar, 1.1), 0.022, dark)
    for y, wide in ((0.10, 0.05), (0.93, 0.10)):
        line(picture, (-0.1, y), (ASPECT + 0.1, y), wide, dark)
    sweep = np.exp(-(((X - (ASPECT / 2 + 1.1 * np.sin(0.9 * t))) / 0.22) ** 2)) * (0.75 - Y * 0.3)
    picture += sweep.astype(np.float32)[..., None] * rgb("#ffdf9c") * 0.25 * (1 - picture)
    return picture


def lit_part(centre: Point, radius: float, phase: float) -> list[Point]:
    """The lit part of a moon: phase -1 is new and waxing, 0 full, 1 new again."""
    side = 1 if phase <= 0 else -1
    down = np.linspace(-np.pi / 2, np.pi / 2, 25)
    inner = side * (2 * abs(phase) - 1) * 0.94
    limb = [(side * float(np.cos(a)), float(np.sin(a))) for a in down]
    edge = [(inner * float(np.cos(a)), float(np.sin(a))) for a in down[::-1]]
    return turned(limb + edge, centre, 0.0, radius)


def log_book(t: float, share: float) -> Floats:
    """The keeper's page by lamplight: the moon's phases, and the curve of the tide being drawn."""
    picture = sky((0, "#3b2415"), (1, "#2a180d"))
    grain = drifting(clouds(31, 9, 1.2), 0)
    over(picture, ramp(grain, 0.45, 0.8) * 0.35, rgb("#1c0f07"))
    page = turned(
        [(-0.68, -0.40), (0.68, -0.40), (0.68, 0.40), (-0.68, 0.40)], (0.89, 0.52), -0.012
    )
    polygon(picture, [(x + 0.014, y + 0.02) for x, y in page], rgb("#000000"), 0.45)
    polygon(picture, page, rgb("#e9d9b4"))
    for row in range(12):
        y = 0.22 + row * 0.054
        line(picture, (0.26, y + 0.008), (1.52, y - 0.008), 0.0016, rgb("#a98f62"), 0.6)
    done = ease(share * 1.06)
    ink = rgb("#3a2a52")
    for night in range(7):
        x, shown = 0.36 + night * 0.177, ease((done - night / 7.6) * 6)
        disc(picture, (x, 0.255), 0.034 * shown, rgb("#4a3b30"))
        polygon(picture, lit_part((x, 0.255), 0.031 * shown, night / 6 * 2 - 1), rgb("#fdf6df"))
    xs = np.linspace(0.30, 0.30 + 1.2 * done, max(int(150 * done), 2))
    ys = 0.60 - 0.13 * np.sin((xs - 0.3) * 26) * (0.72 + 0.28 * np.cos((xs - 0.3) * 3.2))
    points = list(zip(xs.tolist(), ys.tolist(), strict=True))
    for start, end in itertools.pairwise(points):
        line(picture, start, end, 0.0062, ink)
    x, y = points[-1]
    pen = turned(
        [(0, 0), (0.035, -0.10), (0.20, -0.40), (0.235, -0.385), (0.055, -0.09)],
        (x, y),
        0.25 + 0.03 * float(np.sin(7 * t)),
    )
    polygon(picture, [(px + 0.03, py + 0.03) for px, py in pen], rgb("#000000"), 0.22)
    polygon(picture, pen, rgb("#1d1a22"))
    flicker = 0.9 + 0.05 * float(np.sin(5.1 * t)) + 0.03 * float(np.sin(8.3 * t + 1))
    lamp = np.exp(-(((X - 0.45) / 1.0) ** 2) - ((Y - 0.25) / 0.75) ** 2) * flicker
    shade = (0.42 + 0.68 * lamp).astype(np.float32)[..., None]
    return np.asarray(picture * shade * np.array([1.06, 0.98, 0.86], dtype=np.float32))


def sunrise(t: float, share: float) -> Floats:
    """The sun comes up over rows of hills; clouds drift."""
    up = ease(share)
    picture = sky(
        (0, "#5f83bd"), (0.30, "#c5a3bd"), (0.52, "#ffb98a"), (0.66, "#ffdf9e"), (1, "#ffdf9e")
    )
    sun = (0.62, 0.60 - 0.13 * up)
    glow(picture, sun, 0.62, rgb("#ffd080"), 0.42 + 0.2 * up)
    disc(picture, sun, 0.070, rgb("#fff4cf"), 1, 0.006)
    field = drifting(clouds(22, 3.4), 0.035 * t)
    cover = ramp(field, 0.5, 0.82) * np.exp(-(((Y - 0.24) / 0.17) ** 2))
    over(picture, cover * 0.85, rgb("#ffe3cf") - np.float32(0.25) * (0.5 - Y)[..., None])
    rows = (
        ("#d99a86", "#e8b292", 0.60, 0.030),
        ("#a9727c", "#c18c86", 0.68, 0.040),
        ("#6d4d68", "#8a6373", 0.77, 0.045),
        ("#39304d", "#4c3e57", 0.88, 0.040),
    )
    for number, (top, foot, base, height) in enumerate(rows):
        edge = base + ridge(60 + number, height, 1.1 - 0.1 * number, 0.02 * t * (number + 1) * 0.5)
        land(picture, edge, rgb(top), rgb(foot), 0.14)
    return picture


def birds(t: float, _share: float) -> Floats:
    """Gulls over a bright morning bay."""
    picture = sky((0, "#7fb0d8"), (0.4, "#cfdde0"), (0.68, "#ffe6b8"), (1, "#ffe6b8"))
    glow(picture, (0.3, 0.62), 0.5, rgb("#fff0c4"), 0.7)
    cover = ramp(drifting(clouds(27, 2.8), 0.05 * t), 0.48, 0.8) * np.exp(-(((Y - 0.3) / 0.2) ** 2))
    over(picture, cover * 0.9, rgb("#fffaf2"))
    land(picture, 0.655 + ridge(71, 0.02, 0.9, 0.01 * t), rgb("#8fa3b4"), rgb("#c9c4b4"), 0.05)
    sea(picture, t, 0.68, ("#dcc9a4", "#4b86a3"), seed=80)
    glitter(picture, t, 0.3, 0.68, rgb("#fffbe8"), 0.7)
    rng = np.random.default_rng(12)
    for _ in range(9):
        x, y, size = rng.uniform(0.1, 1.3), rng.uniform(0.15, 0.5), rng.uniform(0.025, 0.055)
        pace, phase = rng.uniform(4.5, 7), rng.uniform(0, 6.3)
        place = (x + (0.05 + size * 1.4) * t, y + 0.015 * float(np.sin(0.9 * t + phase)))
        gull(picture, place, size, float(np.sin(pace * t + phase)), rgb("#3c4657"))
    return picture


def boat(picture: Floats, at: Point, size: float, tilt: float, hull: str) -> None:
    """A fishing boat with a wheelhouse and a mast."""

    def placed(points: list[Point]) -> list[Point]:
        return turned(points, at, tilt, size)

    for rope, wide in (
        ([(0.25, -0.1), (0.25, -1.25)], 0.022),
        ([(0.25, -1.2), (0.93, -0.2)], 0.008),
        ([(0.25, -1.2), (-0.93, -0.16)], 0.008),
    ):
        start, end = placed(rope)
        line(picture, start, end, wide * size, rgb("#3b3a3a"))
    polygon(
        picture,
        placed([(-0.62, -0.1), (-0.62, -0.52), (-0.12, -0.52), (-0.05, -0.1)]),
        rgb("#d8dad6"),
    )
    polygon(
        picture,
        placed([(-0.68, -0.52), (-0.06, -0.52), (-0.10, -0.58), (-0.64, -0.58)]),
        rgb("#8a3b32"),
    )
    for left in (-0.55, -0.33):
        polygon(
            picture,
            placed([(left, -0.44), (left + 0.15, -0.44), (left + 0.15, -0.3), (left, -0.3)]),
            rgb("#31414b"),
        )
    polygon(picture, placed([(-1.0, -0.17), (1.08, -0.24), (0.82, 0.2), (-0.84, 0.2)]), rgb(hull))
    polygon(
        picture,
        placed([(-1.0, -0.17), (1.08, -0.24), (1.04, -0.17), (-0.985, -0.10)]),
        rgb("#eceae2"),
    )


def rain(picture: Floats, t: float, count: int, colour: Floats) -> None:
    """Slanting streaks."""
    rng = np.random.default_rng(17)
    for _ in range(count):
        x, y = rng.uniform(-0.1, ASPECT + 0.2), rng.uniform(0, 1.2)
        pace, size = rng.uniform(1.1, 1.5), rng.uniform(0.03, 0.06)
        fall = (y + pace * t) % 1.2 - 0.1
        line(
            picture,
            (x - 0.16 * fall, fall),
            (x - 0.16 * (fall + size), fall + size),
            0.0019,
            colour,
            0.42,
        )


def harbour(t: float, share: float) -> Floats:
    """Boats at their ropes in the rain."""
    picture = sky((0, "#7c8990"), (0.5, "#a9b3b4"), (1, "#a9b3b4"))
    cover = ramp(drifting(clouds(35, 2.4), 0.04 * t), 0.3, 0.8) * (1 - Y * 1.6).clip(0, 1)
    over(picture, cover * 0.5, rgb("#5f6c74"))
    land(picture, 0.47 + ridge(90, 0.025, 1.4), rgb("#8d999c"), rgb("#a3adad"), 0.1)
    rng = np.random.default_rng(6)
    walls = ("#b8aca0", "#9a8f8a", "#c2b59c", "#8c9797", "#b59a8c")
    for house in range(11):
        x, tall = -0.02 + house * 0.17, rng.uniform(0.09, 0.15)
        left, right, foot = x, x + rng.uniform(0.12, 0.165), 0.56
        polygon(
            picture,
            [(left, foot), (right, foot), (right, foot - tall), (left, foot - tall)],
            rgb(walls[house % 5]),
        )
        polygon(
            picture,
            [
                (left - 0.008, foot - tall),
                (right + 0.008, foot - tall),
                ((left + right) / 2, foot - tall - 0.055),
            ],
            rgb("#5f5a5d"),
        )
        lit = rgb("#f3d58e") if house % 3 == 1 else rgb("#4e565b")
        line(
            picture, (left + 0.05, foot - tall * 0.55), (left + 0.05, foot - tall * 0.5), 0.022, lit
        )
    line(picture, (-0.1, 0.575), (ASPECT + 0.1, 0.575), 0.035, rgb("#666a68"))
    boats = (
        (0.42, 0.66, 0.12, "#2f5d6b"),
        (1.42, 0.69, 0.15, "#a4532f"),
        (0.88, 0.80, 0.21, "#2c3f63"),
    )
    sea(picture, t, 0.59, ("#8b9a9b", "#7a8b8e"), layers=3, seed=100)
    for number, (x, y, size, hull) in enumerate(boats):
        bob = 0.012 * float(np.sin(1.7 * t + number * 2.1))
        swing = 0.05 * float(np.sin(1.1 * t + number)) + 0.03 * (share - 0.5)
        boat(picture, (x + 0.05 * (share - 0.5) * (1 + number), y + bob), size, swing, hull)
        wave = y + 0.14 * size + swell(t, 110 + number, 0.006, 0.5, 0.1)
        land(
            picture,
            wave,
            mixed("#93a2a3", "#5d7075", number / 2),
            mixed("#7f9092", "#4c5f66", number / 2),
            0.12,
        )
    rain(picture, t, 90, rgb("#e4ecee"))
    return picture


def tide_staff(t: float, share: float) -> Floats:
    """The tide gauge on the harbour wall; the water climbs and rain rings it."""
    picture = sky((0, "#77746c"), (1, "#55564f"))
    rng = np.random.default_rng(23)
    for row in range(9):
        for column in range(-1, 10):
            x, y = column * 0.21 + (row % 2) * 0.1, row * 0.105 - 0.02
            colour = mixed("#8a867b", "#5d5c55", float(rng.uniform(0, 1)))
            polygon(
                picture,
                [
                    (x + 0.005, y + 0.005),
                    (x + 0.203, y + 0.004),
                    (x + 0.204, y + 0.099),
                    (x + 0.004, y + 0.1),
                ],
                colour,
            )
    level = 0.66 - 0.17 * ease(share)
    wet = level - 0.045
    land(
        picture,
        np.full(WIDTH, wet, dtype=np.float32) + ridge(95, 0.008, 0.3),
        rgb("#3c453c"),
        rgb("#2c3a36"),
        0.2,
    )
    polygon(picture, [(0.70, -0.1), (0.86, -0.1), (0.86, 1.1), (0.70, 1.1)], rgb("#ece8d8"))
    for mark in range(12):
        y = 0.04 + mark * 0.08
        wide = 0.15 if mark % 2 == 0 else 0.08
        polygon(
            picture,
            [(0.70, y), (0.70 + wide, y), (0.70 + wide, y + 0.04), (0.70, y + 0.04)],
            rgb("#1e2a33") if mark % 4 else rgb("#b33a2c"),
        )
    for layer in range(4):
        wave = level + layer * 0.11 + swell(t, 120 + layer, 0.006 + 0.004 * layer, 0.6, 0.1)
        first = max(int(float(wave.min()) * HEIGHT) - 1, 0)
        cover = np.clip((Y[first:] - wave[None, :]) * HEIGHT + 0.5, 0, 1)
        mask = cover * np.float32(0.72 if layer == 0 else 0.6)
        over(picture[first:], mask.astype(np.float32), mixed("#4f7670", "#19373a", layer / 3))
    for ring in range(16):
        x, y = rng.uniform(0, ASPECT), level + 0.06 + rng.uniform(0, 0.4)
        age = (t * 1.1 + ring * 0.37) % 1
        for step in range(18):
            a, b = step / 18 * 6.283, (step + 1) / 18 * 6.283
            size = 0.01 + 0.055 * age
            line(
                picture,
                (x + size * np.cos(a), y + 0.3 * size * np.sin(a)),
                (x + size * np.cos(b), y + 0.3 * size * np.sin(b)),
                0.0025,
                rgb("#bcd3cd"),
                0.55 * (1 - age),
            )
    rain(picture, t, 60, rgb("#dfe8e6"))
    return picture


def clear_day(t: float, share: float) -> Floats:
    """Noon: the lighthouse white against a blue sky, a sail going out."""
    picture = sky((0, "#2f7fc9"), (0.6, "#a9d8ee"), (1, "#a9d8ee"))
    cover = ramp(drifting(clouds(41, 2.2), 0.04 * t), 0.52, 0.78)
    over(picture, cover * np.exp(-(((Y - 0.25) / 0.22) ** 2)) * 0.95, rgb("#ffffff"))
    sea(picture, t, 0.62, ("#3fa6c4", "#0d4f86"), seed=130)
    glitter(picture, t, 0.62, 0.62, rgb("#ffffff"), 0.5)
    x = 0.20 + 0.05 * t
    sway = 0.05 * float(np.sin(1.4 * t))
    for points, colour in (
        ([(-0.08, 0), (0.09, 0), (0.06, 0.028), (-0.06, 0.028)], "#7b3424"),
        ([(0.004, -0.01), (0.004, -0.21), (0.085, -0.01)], "#fffdf5"),
        ([(-0.004, -0.01), (-0.004, -0.18), (-0.06, -0.01)], "#f3dfc0"),
    ):
        polygon(picture, turned(points, (x, 0.675), sway), rgb(colour))
    land(picture, 0.70 + swell(t, 150, 0.004, 0.7, 0.08), rgb("#2b8cb8"), rgb("#1d74a8"), 0.1)
    glitter(picture, t + 9, 0.75, 0.70, rgb("#ffffff"), 0.35)
    slide = 0.04 * share
    across = X[0] + slide
    edge = 0.70 - 0.10 * ramp(across, 1.12, 1.5) + 0.35 * ramp(-across, -1.22, -1.05)
    edge = edge + 0.004 * np.sin(31 * across)
    land(picture, edge.astype(np.float32), rgb("#7fb05a"), rgb("#5e6f47"), 0.12)
    tower(picture, (1.42 - slide, 0.645), 0.48, ("#fbfaf4", "#d2402f"))
    for number in range(3):
        place = (
            1.0 - 0.10 * t + 0.16 * number,
            0.22 + 0.07 * number + 0.01 * float(np.sin(t + number)),
        )
        gull(picture, place, 0.035, float(np.sin(6 * t + 2 * number)), rgb("#ffffff"))
    return picture


CLIP = Clip(
    name="talk",
    frame_rate=Fraction(25),
    shots=(
        Shot(scene="night sea", frames=130, draw=moon_sea),
        Shot(scene="night sea", frames=105, draw=moon_close),
        Shot(scene="lighthouse", frames=160, draw=lighthouse),
        Shot(scene="lighthouse", frames=130, draw=lamp_room),
        Shot(scene="log book", frames=165, draw=log_book),
        Shot(scene="sunrise", frames=120, draw=sunrise),
        Shot(scene="sunrise", frames=85, draw=birds),
        Shot(scene="harbour in rain", frames=110, draw=harbour),
        Shot(scene="harbour in rain", frames=100, draw=tide_staff),
        Shot(scene="clear day", frames=145, draw=clear_day),
    ),
    phrases=(
        Phrase(
            start_s=1.8,
            text="Twice a day, the sea leaves this harbour, and twice a day it comes back.",
        ),
        Phrase(start_s=7.0, text="It has never once been late."),
        Phrase(
            start_s=14.0,
            text="The keeper of the old light wrote down the hour of every high tide.",
        ),
        Phrase(start_s=18.4, text="He did so for thirty one years."),
        Phrase(
            start_s=21.4,
            text="Each night it came some fifty minutes later, because the water was following"
            " the moon.",
        ),
        Phrase(start_s=32.8, text="By morning the tide has already turned."),
        Phrase(
            start_s=36.2,
            text="The boats swing round on their ropes, and nobody has to tell them.",
        ),
        Phrase(start_s=42.0, text="You can set a clock by it."),
        Phrase(start_s=44.5, text="Most people here still do."),
    ),
    vignette=0.28,
    crf=28,
    audio_bitrate_kbps=96,
)
