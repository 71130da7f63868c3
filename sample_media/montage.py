"""The pictures of montage.mp4: six moods, nobody speaks."""

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
from clip import Clip, Shot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Point = tuple[float, float]

TURN = 2 * np.pi


# Scene 1, deep space: dark, slow.


def planet(t: float, share: float) -> Floats:
    """A dark planet with a lit edge rises before a nebula."""
    picture = sky((0, "#03040c"), (1, "#080a1a"))
    cloud = ramp(drifting(clouds(51, 1.6, 1.8), 0.008 * t), 0.5, 0.95)
    over(picture, cloud * 0.55, rgb("#3a1f58"))
    cloud = ramp(drifting(clouds(52, 1.4, 1.9), 0.012 * t + 1), 0.55, 0.95)
    over(picture, cloud * 0.5, rgb("#123f55"))
    stars(picture, t, 90, 2.2, 0.003 * t)
    centre = (1.22 - 0.02 * share, 0.98 - 0.05 * ease(share))
    glow(picture, (centre[0] - 0.14, centre[1] - 0.20), 0.46, rgb("#5fb4d8"), 0.5)
    disc(picture, centre, 0.52, rgb("#8fdcf0"), 1, 0.01)
    disc(picture, (centre[0] + 0.014, centre[1] + 0.018), 0.512, rgb("#0c1c30"), 1, 0.05)
    disc(picture, (centre[0] + 0.06, centre[1] + 0.08), 0.46, rgb("#03050c"), 0.92, 0.22)
    return picture


def drift(t: float, share: float) -> Floats:
    """A ringed world and its moon, far away."""
    picture = sky((0, "#05030d"), (1, "#0d0718"))
    cloud = ramp(drifting(clouds(53, 2.2, 1.8), 0.01 * t), 0.5, 0.95)
    over(picture, cloud * 0.5, rgb("#45203f"))
    stars(picture, t, 90, 2.2, -0.004 * t)
    centre = (0.66 + 0.03 * share, 0.50)
    glow(picture, centre, 0.30, rgb("#a8743f"), 0.25)
    for back in (True, False):
        for ring in range(12):
            radius = 0.25 + 0.011 * ring
            angles = np.linspace(np.pi, TURN, 26) if back else np.linspace(0, np.pi, 26)
            points = turned(
                [(radius * float(np.cos(a)), 0.24 * radius * float(np.sin(a))) for a in angles],
                centre,
                -0.32,
            )
            for start, end in itertools.pairwise(points):
                line(picture, start, end, 0.006, mixed("#b48a5c", "#4a3544", ring / 11), 0.5)
        if back:
            disc(picture, centre, 0.165, rgb("#c58f57"))
            shade = np.clip(((X - centre[0]) + (Y - centre[1]) + 0.04) / 0.2, 0, 1)
            inside = np.clip((0.166 - np.hypot(X - centre[0], Y - centre[1])) * HEIGHT, 0, 1)
            over(picture, (shade * inside * 0.9).astype(np.float32), rgb("#120a14"))
    moon = (1.25 - 0.05 * share, 0.28 + 0.02 * share)
    disc(picture, moon, 0.03, rgb("#c9c4d0"))
    disc(picture, (moon[0] + 0.014, moon[1] + 0.012), 0.03, rgb("#0a0612"), 0.92, 0.01)
    return picture


# Scene 2, summer: bright, quick cuts.


def sunburst(t: float, _share: float) -> Floats:
    """Turning rays."""
    picture = sky((0, "#ffd23f"), (1, "#ffb52e"))
    centre = (ASPECT / 2, 0.55)
    for ray in range(14):
        angle = ray / 14 * TURN + 0.5 * t
        points = [(0.0, 0.0), (1.4, -0.16), (1.4, 0.16)]
        polygon(picture, turned(points, centre, angle), rgb("#ffe88a"))
    disc(picture, centre, 0.21 + 0.01 * float(np.sin(5 * t)), rgb("#ffffff"), 0.8, 0.03)
    disc(picture, centre, 0.18, rgb("#ff8f1f"))
    return picture


def slice_of_orange(
    picture: Floats, centre: Point, radius: float, angle: float, flesh: str
) -> None:
    """A round slice of fruit with nine segments."""
    disc(picture, centre, radius, mixed(flesh, "#d05a10", 0.35))
    disc(picture, centre, radius * 0.93, rgb("#fff3d8"))
    for number in range(9):
        at = [(0.10, 0.0)] + [
            (0.86 * float(np.cos(a)), 0.86 * float(np.sin(a))) for a in np.linspace(-0.29, 0.29, 7)
        ]
        polygon(picture, turned(at, centre, angle + number / 9 * TURN, radius), rgb(flesh))


def fruit(t: float, _share: float) -> Floats:
    """Slices of fruit roll by."""
    picture = sky((0, "#bff0e4"), (1, "#8fe3d4"))
    for number, flesh in enumerate(("#ff9a2e", "#ffd84a", "#ff6b5e", "#b8e04a")):
        x = -0.25 + 0.55 * number + 0.32 * t
        y = 0.34 if number % 2 else 0.68
        slice_of_orange(picture, (x, y), 0.24, 1.4 * t + number, flesh)
    return picture


def balloons(t: float, _share: float) -> Floats:
    """Balloons rise into a bright sky."""
    picture = sky((0, "#8fd3ff"), (1, "#e6f7ff"))
    cover = ramp(drifting(clouds(61, 2.0), 0.05 * t), 0.5, 0.8)
    over(picture, cover * 0.9, rgb("#ffffff"))
    rng = np.random.default_rng(61)
    for number in range(11):
        x, y = rng.uniform(0.1, 1.7), rng.uniform(0.25, 1.15) - 0.22 * t
        colour = ("#ff4f5e", "#ffc531", "#37b6ff", "#ff7fc0", "#4fd07a")[number % 5]
        x += 0.02 * float(np.sin(3 * t + number))
        line(picture, (x, y + 0.08), (x - 0.01, y + 0.24), 0.003, rgb("#8a98a6"))
        points = [
            (0.068 * float(np.cos(a)), 0.085 * float(np.sin(a)) + 0.012 * float(np.sin(a)) ** 3)
            for a in np.linspace(0, TURN, 36)
        ]
        polygon(picture, turned(points, (x, y), 0.05), rgb(colour))
        disc(picture, (x - 0.022, y - 0.03), 0.016, rgb("#ffffff"), 0.6, 0.012)
    return picture


def beach_ball(t: float, share: float) -> Floats:
    """A ball bounces over sand."""
    picture = sky((0, "#5ecbff"), (0.55, "#c9f1ff"), (1, "#c9f1ff"))
    land(picture, 0.55 + swell(t, 63, 0.003, 0.6, 0.2), rgb("#2fb6d8"), rgb("#63d6e4"), 0.2)
    land(picture, 0.70 + swell(t, 64, 0.012, 1.2, 0.1), rgb("#ffffff"))
    land(picture, 0.715 + swell(t, 64, 0.012, 1.2, 0.1), rgb("#ffe6a8"), rgb("#f7cf85"), 0.2)
    centre = (0.25 + 1.3 * share, 0.74 - 0.34 * abs(float(np.sin(4.6 * t + 0.5))))
    shadow = [(0.12 * float(np.cos(a)), 0.03 * float(np.sin(a))) for a in np.linspace(0, TURN, 32)]
    polygon(picture, turned(shadow, (centre[0], 0.885), 0), rgb("#c99a55"), 0.6)
    disc(picture, centre, 0.13, rgb("#ffffff"))
    for number, colour in enumerate(("#ff4b4b", "#ffc93c", "#3aa0ff")):
        at = [(0.0, 0.0)] + [
            (0.127 * float(np.cos(a)), 0.127 * float(np.sin(a)))
            for a in np.linspace(0, TURN / 6, 8)
        ]
        polygon(picture, turned(at, centre, 6 * t + number * TURN / 3), rgb(colour))
    disc(picture, centre, 0.022, rgb("#ffffff"))
    return picture


def kite(t: float, _share: float) -> Floats:
    """A kite pulls at its line."""
    picture = sky((0, "#39a9f2"), (1, "#bfeaff"))
    cover = ramp(drifting(clouds(66, 2.2), 0.12 * t), 0.55, 0.8)
    over(picture, cover * 0.9, rgb("#ffffff"))
    centre = (0.95 + 0.10 * float(np.sin(3.1 * t)), 0.40 + 0.05 * float(np.cos(4.3 * t)))
    tilt = 0.5 + 0.25 * float(np.sin(3.7 * t))
    line(picture, centre, (0.1, 1.05), 0.003, rgb("#ffffff"))
    tail = [(0.02 * float(np.sin(9 * t - 2.2 * k)), 0.23 + 0.045 * k) for k in range(9)]
    tail = turned(tail, centre, tilt)
    for number, (start, end) in enumerate(itertools.pairwise(tail)):
        line(picture, start, end, 0.013, rgb("#ffffff" if number % 2 else "#ff5a6e"))
    corners = [(0.0, -0.2), (0.14, -0.03), (0.0, 0.23), (-0.14, -0.03)]
    for number, colour in enumerate(("#ff5a6e", "#ffd23f", "#ff8f3f", "#7fe07a")):
        face = [(0.0, -0.03), corners[number], corners[(number + 1) % 4]]
        polygon(picture, turned(face, centre, tilt), rgb(colour))
    return picture


def parasols(t: float, _share: float) -> Floats:
    """Parasols on a beach from above, turning slightly."""
    picture = sky((0, "#ffeab8"), (1, "#ffdf9d"))
    for number in range(8):
        centre = (
            0.12 + 0.5 * (number % 4) + 0.12 * (number // 4) - 0.10 * t,
            0.28 + 0.46 * (number // 4),
        )
        disc(picture, (centre[0] + 0.035, centre[1] + 0.045), 0.165, rgb("#c79a52"), 0.45, 0.02)
        disc(picture, centre, 0.17, rgb("#ffffff"))
        colour = ("#ff5964", "#2fb6ff", "#3ecf8e", "#ff9f1c")[(number * 3) % 4]
        for wedge in range(6):
            at = [(0.0, 0.0)] + [
                (0.169 * float(np.cos(a)), 0.169 * float(np.sin(a)))
                for a in np.linspace(0, TURN / 12, 5)
            ]
            polygon(picture, turned(at, centre, 0.6 * t + number + wedge * TURN / 6), rgb(colour))
        disc(picture, centre, 0.012, rgb("#ffffff"))
    return picture


def regatta(t: float, _share: float) -> Floats:
    """White sails race."""
    picture = sky((0, "#9fe0ff"), (0.45, "#f2fcff"), (1, "#f2fcff"))
    land(picture, 0.45 + ridge(67, 0.015, 0.8), rgb("#9fd0c4"))
    for row in range(3):
        land(
            picture,
            0.50 + 0.15 * row + swell(t, 68 + row, 0.008 + 0.006 * row, 0.6, 0.25),
            mixed("#6fdcf0", "#1e9fd8", row / 2),
            mixed("#55cfe8", "#1588c4", row / 2),
            0.12,
        )
        size = 0.16 + 0.09 * row
        for number in range(3):
            x = 0.1 + 0.62 * number + 0.2 * row + (0.16 + 0.1 * row) * t - 0.35
            at, tilt = (x, 0.545 + 0.155 * row), 0.10 + 0.05 * float(np.sin(4 * t + number + row))
            sail = [(0.0, -0.1), (0.0, -1.2), (0.5, -0.15)]
            polygon(picture, turned(sail, at, tilt, size), rgb("#ffffff"))
            jib = [(-0.04, -0.1), (-0.04, -1.0), (-0.36, -0.12)]
            colour = ("#ff5a5f", "#ffb703", "#3a86ff")[(number + row) % 3]
            polygon(picture, turned(jib, at, tilt, size), rgb(colour))
            hull = [(-0.45, -0.06), (0.5, -0.06), (0.36, 0.1), (-0.34, 0.1)]
            polygon(picture, turned(hull, at, tilt, size), rgb("#2b4a6b"))
    return picture


# Scene 3, evening lake: calm, warm.


def reed(picture: Floats, foot: Point, height: float, bend: float) -> None:
    """One reed with its head."""
    points = [(foot[0] + bend * k * k / 36, foot[1] - height * k / 6) for k in range(7)]
    for start, end in itertools.pairwise(points):
        line(picture, start, end, 0.0055, rgb("#3a1d14"))
    line(
        picture,
        points[-1],
        (points[-1][0] + bend * 0.12, points[-1][1] - 0.055),
        0.015,
        rgb("#4a2516"),
    )


def lake(t: float, share: float) -> Floats:
    """The sun goes down over a still lake behind reeds."""
    picture = sky((0, "#d9825b"), (0.35, "#f5a95f"), (0.58, "#ffd68a"), (1, "#ffd68a"))
    sun = (0.98, 0.44 + 0.06 * share)
    glow(picture, sun, 0.55, rgb("#ffe2a0"), 0.6)
    disc(picture, sun, 0.085, rgb("#fff3cc"), 1, 0.004)
    over(
        picture,
        ramp(drifting(clouds(72, 5), 0.012 * t), 0.5, 0.85) * (0.75 - Y).clip(0, 0.5),
        rgb("#c9655a"),
    )
    land(picture, 0.54 + ridge(73, 0.025, 0.9), rgb("#b9694f"), rgb("#d08a5c"), 0.06)
    land(picture, np.full(WIDTH, 0.59, dtype=np.float32), rgb("#f7b96a"), rgb("#8a4a3f"), 0.42)
    for layer in range(3):
        land(
            picture,
            0.66 + 0.12 * layer + swell(t, 74 + layer, 0.002, 0.9, 0.03),
            mixed("#e09a5c", "#8f4a3c", layer / 2),
            mixed("#c27c50", "#5e2f2c", layer / 2),
            0.14,
        )
    glitter(picture, 0.6 * t, sun[0], 0.60, rgb("#fff0c0"), 0.75)
    rng = np.random.default_rng(75)
    for number in range(17):
        x = rng.uniform(-0.02, 0.55) if number % 3 else rng.uniform(1.5, 1.8)
        tall, phase = rng.uniform(0.25, 0.55), rng.uniform(0, 6)
        bend = 0.05 + 0.02 * float(np.sin(0.9 * t + phase))
        reed(picture, (x, 1.02), tall, bend)
    return picture


def rowing(t: float, share: float) -> Floats:
    """A rowing boat alone on golden water."""
    picture = sky((0, "#f0a868"), (0.32, "#ffd9a0"), (1, "#ffd9a0"))
    land(picture, 0.27 + ridge(76, 0.035, 1.1), rgb("#c98868"), rgb("#eab985"), 0.10)
    land(picture, np.full(WIDTH, 0.36, dtype=np.float32), rgb("#ffd595"), rgb("#b5693f"), 0.64)
    for layer in range(4):
        land(
            picture,
            0.46 + 0.14 * layer + swell(t, 77 + layer, 0.002 + 0.001 * layer, 1.0, 0.03),
            mixed("#fbc987", "#a8603d", layer / 3),
            mixed("#f0b574", "#8c4c34", layer / 3),
            0.16,
        )
    at = (0.55 + 0.22 * share, 0.60 + 0.003 * float(np.sin(1.2 * t)))
    for points, colour, alpha in (
        ([(-0.17, 0.02), (0.18, 0.02), (0.13, 0.10), (-0.12, 0.10)], "#6b3a2a", 0.4),
        ([(-0.19, -0.035), (0.20, -0.045), (0.15, 0.028), (-0.14, 0.028)], "#4a2620", 1.0),
        ([(-0.035, -0.03), (0.03, -0.03), (0.025, -0.13), (-0.02, -0.135)], "#35201f", 1.0),
    ):
        polygon(picture, turned(points, at, 0.0), rgb(colour), alpha)
    disc(picture, (at[0] + 0.004, at[1] - 0.155), 0.026, rgb("#35201f"))
    pull = float(np.sin(1.5 * t))
    line(
        picture,
        (at[0] + 0.01, at[1] - 0.07),
        (at[0] + 0.16 * pull, at[1] + 0.07),
        0.007,
        rgb("#35201f"),
    )
    for wake in range(5):
        x, y = (
            at[0] - 0.2 - 0.09 * wake - 0.03 * float(np.sin(t + wake)),
            at[1] + 0.03 + 0.006 * wake,
        )
        line(picture, (x - 0.04, y), (x + 0.03, y), 0.003, rgb("#fff2cf"), 0.5 - 0.08 * wake)
    return picture


# Scene 4, red alarm: tense; the pulse of the light is slow and shallow, nothing flashes.


def corridor(t: float, _share: float) -> Floats:
    """Forward through frames of a red corridor."""
    picture = sky((0, "#1a0204"), (1, "#240306"))
    centre = (ASPECT / 2, 0.5)
    for step in range(9, -1, -1):
        depth = 1.0 / (0.28 + 0.42 * (step + 1 - (0.9 * t) % 1))
        half = (0.62 * depth, 0.42 * depth)
        near = float(np.clip(depth / 2.2, 0, 1))
        frame = [(-half[0], -half[1]), (half[0], -half[1]), (half[0], half[1]), (-half[0], half[1])]
        corners = turned(frame, centre, 0.02 * float(np.sin(0.8 * t)))
        for number in range(4):
            line(
                picture,
                corners[number],
                corners[(number + 1) % 4],
                0.03 * depth,
                mixed("#4a080c", "#150103", near),
            )
            line(
                picture,
                corners[number],
                corners[(number + 1) % 4],
                0.006 * depth,
                mixed("#c01a1f", "#7a0d12", near),
                0.9,
            )
    glow(picture, centre, 0.22, rgb("#ff3b2e"), 0.55 + 0.12 * float(np.sin(2.1 * t)))
    return picture


def clock(t: float, _share: float) -> Floats:
    """A clock's hand moves on in steps."""
    picture = sky((0, "#3a0508"), (1, "#120203"))
    centre = (0.72, 0.54)
    glow(picture, centre, 0.6, rgb("#c4161c"), 0.5)
    disc(picture, centre, 0.43, rgb("#0d0203"))
    disc(picture, centre, 0.405, rgb("#7d0f14"))
    disc(picture, centre, 0.40, rgb("#1d0406"), 0.85, 0.3)
    for mark in range(60):
        a = mark / 60 * TURN
        inner = 0.33 if mark % 5 == 0 else 0.365
        line(
            picture,
            (centre[0] + inner * float(np.cos(a)), centre[1] + inner * float(np.sin(a))),
            (centre[0] + 0.385 * float(np.cos(a)), centre[1] + 0.385 * float(np.sin(a))),
            0.010 if mark % 5 == 0 else 0.004,
            rgb("#ff6a5a"),
        )
    steps = t / 0.375
    angle = -np.pi / 2 - 0.6 + (np.floor(steps) + ease((steps % 1) * 5)) * TURN / 60
    for reach, wide, turn in ((0.20, 0.020, -2.0), (0.30, 0.014, -1.72), (0.36, 0.006, angle)):
        tip = (centre[0] + reach * float(np.cos(turn)), centre[1] + reach * float(np.sin(turn)))
        line(picture, centre, tip, wide, rgb("#ffb3a0"))
    disc(picture, centre, 0.02, rgb("#ffb3a0"))
    return picture


def spires(t: float, share: float) -> Floats:
    """Black spires under racing red cloud."""
    picture = sky((0, "#4a0609"), (0.7, "#c22a1c"), (1, "#d8452a"))
    over(picture, ramp(drifting(clouds(82, 3.0), 0.22 * t), 0.4, 0.8) * 0.8, rgb("#26030a"))
    rng = np.random.default_rng(83)
    for row in range(3):
        colour = mixed("#5a0c10", "#0a0103", row / 2)
        for number in range(9):
            x = number * 0.23 + rng.uniform(-0.06, 0.06) - 0.05 * (row + 1) * share
            wide, top = rng.uniform(0.03, 0.06), rng.uniform(0.25, 0.55) + 0.10 * row
            body = [
                (x - wide, 1.02),
                (x - wide, top + 0.12),
                (x, top - 0.05),
                (x + wide, top + 0.12),
                (x + wide, 1.02),
            ]
            polygon(picture, body, colour)
    return picture


def radar(t: float, _share: float) -> Floats:
    """A sweep over rings finds something coming nearer."""
    picture = sky((0, "#140203"), (1, "#1d0305"))
    centre = (ASPECT / 2, 0.5)
    away = np.hypot(X - centre[0], Y - centre[1])
    angle = np.arctan2(Y - centre[1], X - centre[0])
    behind = ((2.6 * t + 1.0 - angle) % TURN) / TURN
    trail = np.exp(-behind * 5) * np.clip((0.44 - away) * 200, 0, 1)
    over(picture, (0.65 * trail).astype(np.float32), rgb("#e0281f"))
    for ring in (0.11, 0.22, 0.33, 0.44):
        mask = np.clip(1.5 - np.abs(away - ring) * HEIGHT * 0.8, 0, 1)
        over(picture, (0.8 * mask).astype(np.float32), rgb("#8f1a1a"))
    for number in range(3):
        reach = 0.37 - 0.10 * t - 0.05 * number
        spot = (
            centre[0] + reach * float(np.cos(5.3 + 0.3 * number)),
            centre[1] + reach * float(np.sin(5.3 + 0.3 * number)),
        )
        glow(picture, spot, 0.035, rgb("#ff8a6a"), 0.8)
        disc(picture, spot, 0.009, rgb("#ffd0b8"))
    return picture


# Scene 5, toys: playful, colourful shapes.


def bouncing(t: float, _share: float) -> Floats:
    """Balls hop in turn."""
    picture = sky((0, "#fbd0e0"), (1, "#fbd0e0"))
    land(picture, np.full(WIDTH, 0.80, dtype=np.float32), rgb("#8f6fd8"))
    for number, colour in enumerate(("#ff4f79", "#ffb52e", "#23c4a8", "#4f7bff", "#ffffff")):
        hop = abs(float(np.sin(4.2 * t + 0.7 * number)))
        squash = 1 + 0.16 * (1 - min(hop * 4, 1))
        x, size = 0.22 + 0.335 * number, 0.105
        y = 0.80 - size / squash - 0.36 * hop
        shadow = [
            (0.10 * float(np.cos(a)), 0.022 * float(np.sin(a))) for a in np.linspace(0, TURN, 32)
        ]
        polygon(picture, turned(shadow, (x, 0.83), 0), rgb("#6a4cb4"), 0.8 * (1 - 0.6 * hop))
        points = [
            (size * squash * float(np.cos(a)), size / squash * float(np.sin(a)))
            for a in np.linspace(0, TURN, 48)
        ]
        polygon(picture, turned(points, (x, y), 0), rgb(colour))
        for side in (-1, 1):
            disc(picture, (x + 0.035 * side, y - 0.02), 0.016, rgb("#2b1b4a"))
    return picture


def tumbling(t: float, _share: float) -> Floats:
    """Squares and triangles tumble."""
    picture = sky((0, "#b9f0c8"), (1, "#b9f0c8"))
    rng = np.random.default_rng(91)
    for number in range(15):
        x, y = rng.uniform(0, ASPECT), rng.uniform(0, 1.3)
        pace, size, turn = rng.uniform(0.15, 0.4), rng.uniform(0.05, 0.13), rng.uniform(-3, 3)
        y = (y + pace * t) % 1.3 - 0.15
        sides = (3, 4, 5)[number % 3]
        points = [
            (float(np.cos(k / sides * TURN)), float(np.sin(k / sides * TURN))) for k in range(sides)
        ]
        colour = ("#ff5d8f", "#ffbe0b", "#3a86ff", "#8338ec", "#fb5607")[number % 5]
        polygon(picture, turned(points, (x, y), turn * t + number, size), rgb(colour))
    return picture


def train(t: float, _share: float) -> Floats:
    """A toy train goes by."""
    picture = sky((0, "#ffe27a"), (1, "#ffe27a"))
    land(picture, 0.70 + ridge(92, 0.05, 1.0, 0.1 * t), rgb("#7ed87a"))
    line(picture, (-0.1, 0.815), (ASPECT + 0.1, 0.815), 0.014, rgb("#8a5a3b"))
    for car, colour in enumerate(("#e63946", "#4f7bff", "#ff9f1c", "#8338ec")):
        x, y = 1.05 - 0.36 * car + 0.42 * t, 0.67 + 0.006 * float(np.sin(14 * t + car))
        body = [(-0.155, -0.13), (0.155, -0.13), (0.155, 0.08), (-0.155, 0.08)]
        polygon(picture, turned(body, (x, y), 0), rgb(colour))
        if car == 0:
            polygon(
                picture,
                turned([(-0.155, -0.13), (-0.155, -0.27), (0.0, -0.27), (0.0, -0.13)], (x, y), 0),
                rgb("#c42a38"),
            )
            polygon(
                picture,
                turned([(0.06, -0.13), (0.05, -0.25), (0.13, -0.25), (0.12, -0.13)], (x, y), 0),
                rgb("#33415c"),
            )
            for puff in range(5):
                age = (t * 0.9 + puff / 5) % 1
                spot = (x + 0.09 - 0.4 * age, y - 0.30 - 0.22 * age)
                disc(picture, spot, 0.025 + 0.05 * age, rgb("#ffffff"), 0.9 * (1 - age))
        for wheel in (-0.09, 0.09):
            centre = (x + wheel, 0.765)
            disc(picture, centre, 0.05, rgb("#33415c"))
            spoke = turned([(-0.035, 0), (0.035, 0)], centre, 9 * t)
            line(picture, spoke[0], spoke[1], 0.01, rgb("#ffe27a"))
    return picture


def rings(t: float, _share: float) -> Floats:
    """Coloured rings open from three places."""
    picture = sky((0, "#7fd8ff"), (1, "#7fd8ff"))
    colours = ("#ff4f79", "#ffffff", "#ffbe0b", "#3a5bff", "#2ec4a0")
    for place in range(3):
        centre = (0.35 + 0.54 * place, 0.5 + 0.16 * float(np.sin(2.5 * t + 2 * place)))
        for ring in range(5, 0, -1):
            size = 0.052 * ring * (1 + 0.18 * float(np.sin(5 * t - 0.8 * ring + place)))
            disc(picture, centre, size, rgb(colours[(ring + place) % 5]))
    return picture


def blocks(t: float, _share: float) -> Floats:
    """Columns of blocks dance up and down."""
    picture = sky((0, "#ff9f80"), (1, "#ff9f80"))
    colours = ("#ffe45e", "#5a4fff", "#ffffff", "#00b894", "#ff3d6e")
    for column in range(9):
        count = 2.6 + 1.9 * float(np.sin(3.6 * t + 0.75 * column))
        x = 0.09 + 0.20 * column
        for block in range(int(count) + 1):
            tall = 0.13 * min(1.0, count - block)
            foot = 0.95 - 0.14 * block
            quad = [
                (x - 0.08, foot),
                (x + 0.08, foot),
                (x + 0.08, foot - tall),
                (x - 0.08, foot - tall),
            ]
            polygon(picture, quad, rgb(colours[(column + 2 * block) % 5]))
    return picture


# Scene 6, snow: slow, blue; fades to black.


def flakes(picture: Floats, t: float, count: int) -> None:
    """Falling snow."""
    rng = np.random.default_rng(101)
    for _ in range(count):
        x, y, size = rng.uniform(0, ASPECT), rng.uniform(0, 1.1), rng.uniform(0.002, 0.006)
        phase, pace = rng.uniform(0, 6), rng.uniform(0.05, 0.10) + 8 * size
        fall = (y + pace * t) % 1.1 - 0.05
        disc(
            picture,
            (x + 0.02 * float(np.sin(0.8 * t + phase)), fall),
            size,
            rgb("#ffffff"),
            0.75,
            0.004,
        )


def fir(picture: Floats, foot: Point, height: float, colour: Floats) -> None:
    """A fir of three tiers with snow on them."""
    x, y = foot
    for tier in range(3):
        low, wide = y - height * 0.26 * tier, height * (0.26 - 0.06 * tier)
        top = low - height * 0.46
        polygon(picture, [(x - wide, low), (x + wide, low), (x, top)], colour)
        polygon(
            picture,
            [
                (x - wide * 0.5, low - height * 0.23),
                (x, top),
                (x + wide * 0.5, low - height * 0.23),
                (x, low - height * 0.30),
            ],
            rgb("#cfdcf0"),
            0.75,
        )


def wood(t: float, share: float) -> Floats:
    """Firs in the blue hour."""
    picture = sky((0, "#1d2f5c"), (0.6, "#6f8fc0"), (1, "#a9bfe0"))
    rng = np.random.default_rng(102)
    for row in range(3):
        base = 0.66 + 0.10 * row
        slide = 0.03 * (row + 1) * share
        land(
            picture,
            base + ridge(103 + row, 0.02, 1.2, slide),
            mixed("#8ea6cf", "#c5d4ea", row / 2),
            mixed("#9db3d8", "#e3ebf6", row / 2),
            0.15,
        )
        for _ in range(7):
            x, tall = rng.uniform(0, 1.85) - slide, rng.uniform(0.2, 0.3) + 0.09 * row
            fir(picture, (x, base + 0.04), tall, mixed("#3d5585", "#14233f", row / 2))
    flakes(picture, t, 70)
    return picture


def cottage(t: float, share: float) -> Floats:
    """A lit window in the snow; the picture fades to black over the last two seconds."""
    picture = sky((0, "#0d1836"), (0.62, "#34507f"), (1, "#34507f"))
    stars(picture, t, 40, 0.4)
    land(picture, 0.60 + ridge(111, 0.04, 1.3), rgb("#2c4470"), rgb("#3f5a88"), 0.12)
    land(picture, 0.72 + ridge(112, 0.02, 1.5), rgb("#8ea6cc"), rgb("#5f7aa8"), 0.3)
    x, y = 0.86, 0.78
    polygon(
        picture,
        [(x - 0.2, y), (x + 0.2, y), (x + 0.2, y - 0.18), (x - 0.2, y - 0.18)],
        rgb("#2a2338"),
    )
    polygon(
        picture,
        [(x + 0.10, y - 0.25), (x + 0.15, y - 0.25), (x + 0.15, y - 0.38), (x + 0.10, y - 0.38)],
        rgb("#231d30"),
    )
    polygon(picture, [(x - 0.25, y - 0.165), (x + 0.25, y - 0.165), (x, y - 0.37)], rgb("#dfe8f6"))
    warm = 0.9 + 0.06 * float(np.sin(3.1 * t)) + 0.04 * float(np.sin(5.3 * t))
    for left in (-0.14, 0.05):
        polygon(
            picture,
            [
                (x + left, y - 0.06),
                (x + left + 0.09, y - 0.06),
                (x + left + 0.09, y - 0.14),
                (x + left, y - 0.14),
            ],
            rgb("#ffc860"),
        )
        glow(picture, (x + left + 0.045, y - 0.09), 0.10, rgb("#ffb040"), 0.55 * warm)
    line(picture, (x - 0.095, y - 0.06), (x - 0.095, y - 0.14), 0.005, rgb("#2a2338"))
    line(picture, (x + 0.095, y - 0.06), (x + 0.095, y - 0.14), 0.005, rgb("#2a2338"))
    for puff in range(7):
        age = (t * 0.16 + puff / 7) % 1
        spot = (x + 0.125 + 0.13 * age + 0.015 * float(np.sin(6 * age + t)), y - 0.40 - 0.30 * age)
        disc(picture, spot, 0.012 + 0.04 * age, rgb("#8fa3c8"), 0.35 * (1 - age), 0.02 + 0.03 * age)
    for side, tall in ((0.22, 0.42), (0.42, 0.30), (1.32, 0.36), (1.55, 0.50)):
        fir(picture, (side, 0.82), tall, rgb("#101d38"))
    flakes(picture, t, 70)
    shown = 1 - ease((share - 0.60) / 0.38)
    return np.asarray(picture * np.float32(shown))


CLIP = Clip(
    name="montage",
    frame_rate=Fraction(30000, 1001),
    shots=(
        Shot(scene="deep space", frames=110, draw=planet),
        Shot(scene="deep space", frames=100, draw=drift),
        Shot(scene="summer", frames=24, draw=sunburst),
        Shot(scene="summer", frames=20, draw=fruit),
        Shot(scene="summer", frames=26, draw=balloons),
        Shot(scene="summer", frames=18, draw=beach_ball),
        Shot(scene="summer", frames=22, draw=kite),
        Shot(scene="summer", frames=20, draw=parasols),
        Shot(scene="summer", frames=28, draw=regatta),
        Shot(scene="evening lake", frames=135, draw=lake),
        Shot(scene="evening lake", frames=110, draw=rowing),
        Shot(scene="red alarm", frames=60, draw=corridor),
        Shot(scene="red alarm", frames=50, draw=clock),
        Shot(scene="red alarm", frames=42, draw=spires),
        Shot(scene="red alarm", frames=34, draw=radar),
        Shot(scene="toys", frames=36, draw=bouncing),
        Shot(scene="toys", frames=32, draw=tumbling),
        Shot(scene="toys", frames=40, draw=train),
        Shot(scene="toys", frames=34, draw=rings),
        Shot(scene="toys", frames=44, draw=blocks),
        Shot(scene="snow", frames=120, draw=wood),
        Shot(scene="snow", frames=155, draw=cottage),
    ),
    phrases=(),
    vignette=0.12,
    crf=28,
    audio_bitrate_kbps=80,
)
