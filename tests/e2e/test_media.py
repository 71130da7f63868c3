"""The product on real files that nobody here made: ``pytest -m media``.

Every file of the folders ends well: a playable result with an untouched picture at its loudness, or
exit 3 with a message that says what is wrong. With ``SCOREBED_TABLE=FILE`` a line of a Markdown
table is appended for each.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.media
Scorebed = Callable[..., subprocess.CompletedProcess[str]]
NAMED = os.environ.get("SCOREBED_MEDIA")
FOLDER = Path(NAMED) if NAMED else Path(__file__).parents[3] / "shared" / "media"
FILMS = {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mka", ".aac", ".wav"}
LONG_S = 5.0


def films(*folders: str) -> list[Path]:
    return [
        path
        for folder in folders
        for path in sorted((FOLDER / folder).glob("*"))
        if path.suffix in FILMS
    ]


def said_by(exe: str, *args: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [exe, "-hide_banner", "-nostats", *args],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def picture_hash(exe: str, path: Path) -> str:
    done = said_by(
        exe, "-i", path, "-map", "0:V:0", "-c", "copy", "-copyinkf",
        "-f", "streamhash", "-hash", "sha256", "-",
    )  # fmt: skip
    return done.stdout.strip().rpartition("=")[2]


def loudness(exe: str, path: Path) -> tuple[float, float]:
    done = said_by(
        exe, "-i", path, "-vn", "-af", "ebur128=peak=true:framelog=quiet", "-f", "null", "-"
    )
    integrated = re.findall(r"I:\s+(-?[\d.]+|-?inf) LUFS", done.stderr)[-1]
    peak = re.findall(r"Peak:\s+(-?[\d.]+|-?inf) dBFS", done.stderr)[-1]
    return float(integrated), float(peak)


def note(path: Path, outcome: str, detail: str) -> None:
    table = os.environ.get("SCOREBED_TABLE")
    if table:
        with Path(table).open("a", encoding="utf-8") as file:
            file.write(f"| {path.parent.name}/{path.name} | {outcome} | {detail} |\n")


@pytest.mark.parametrize(
    "film", films("edited", "dialogue", "frames", "containers"), ids=lambda path: path.name
)
def test_every_real_file_ends_well(
    film: Path, media_dir: Path, scorebed: Scorebed, ffmpeg_exe: str, tmp_path: Path
) -> None:
    output = tmp_path / f"out{film.suffix}"
    done = scorebed("score", film, "-o", output, "--json", "--workspace", tmp_path / "work")
    assert "Traceback" not in done.stderr
    if done.returncode != 0:
        message = done.stderr.strip().splitlines()[-2:]
        note(film, f"exit {done.returncode}", " ".join(line.strip() for line in message))
        assert done.returncode == 3, done.stderr
        assert not output.exists()
        assert len(message) == 2
        return
    told: dict[str, Any] = json.loads(done.stdout)
    assert picture_hash(ffmpeg_exe, output) == picture_hash(ffmpeg_exe, film)
    assert picture_hash(ffmpeg_exe, output) == told["picture"]["sha256"]
    decoded = said_by(ffmpeg_exe, "-i", output, "-map", "0:V:0", "-map", "0:a", "-f", "null", "-")
    assert decoded.returncode == 0, decoded.stderr
    detail = f"{told['picture']['duration_s']:.1f} s"
    if told["picture"]["duration_s"] > LONG_S:
        integrated, peak = loudness(ffmpeg_exe, output)
        detail += f", {integrated:.1f} LUFS, {peak:.1f} dBTP"
        assert integrated == pytest.approx(-14.0, abs=0.5)
        assert peak <= -1.0
    dropped = [f"stream {entry['index']} dropped" for entry in told["streams"]["dropped"]]
    note(film, "exit 0", "; ".join([detail, *dropped]))


@pytest.mark.parametrize("film", films("broken"), ids=lambda path: path.name)
def test_every_broken_file_is_refused_and_leaves_nothing(
    film: Path, media_dir: Path, scorebed: Scorebed, tmp_path: Path
) -> None:
    output = tmp_path / "out.mp4"
    done = scorebed("score", film, "-o", output, "--workspace", tmp_path / "work")
    note(film, f"exit {done.returncode}", done.stderr.strip().splitlines()[-2].strip())
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    assert [entry.name for entry in tmp_path.iterdir()] in ([], ["work"])
