"""The duck's gain curve as CSV and JSON: points in seconds and dB, linear in dB between them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from scorebed.result import curve_points

if TYPE_CHECKING:
    from pathlib import Path

    from scorebed.model import GainCurve

CSV_NAME, JSON_NAME = "duck-curve.csv", "duck-curve.json"


def write_curve_csv(path: Path, curve: GainCurve) -> None:
    """Writes ``time_s,gain_db``, a line per point.

    Args:
        path: Where to.
        curve: Positions on the picture's time line.
    """
    lines = [f"{point['time_s']:.6f},{point['gain_db']:.4f}" for point in curve_points(curve)]
    path.write_text("\n".join(["time_s,gain_db", *lines, ""]), encoding="ascii", newline="\r\n")


def write_curve_json(path: Path, curve: GainCurve) -> None:
    """Writes ``{"schema": 1, "points": [{"time_s": ..., "gain_db": ...}, ...]}``.

    Args:
        path: Where to.
        curve: Positions on the picture's time line.
    """
    told = {"schema": 1, "points": curve_points(curve)}
    path.write_text(json.dumps(told) + "\n", encoding="ascii")
