"""Notes and sheets of real files: ``pytest -m media``."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.image import imread

import scorebed as package
from scorebed.exporters.sheet import plan_sheet
from scorebed.media import identify
from scorebed.stages.thumbnails import thumbnails

pytestmark = pytest.mark.media
CLIPS = (
    "edited/tears-of-steel-battle-clip-medium.webm",
    "edited/chrome.mp4",
    "edited/bikes.mp4",
    "edited/nasa_13013.mp4",
    "edited/bbb_trailer_fragmented.mp4",
    "dialogue/introductions-rant.mp4",
    "dialogue/sample_iPod.m4v",
    "containers/mediabunny_0.ts",
    "containers/mediabunny_cursed-vfr.mp4",
    "containers/mediabunny_sar_2x1.mp4",
    "containers/decord_video_270.mov",
    "containers/moviepy_no_duration.webm",
    "containers/media3_sample-with-large-length.avi",
    "containers/media3_hlg10-color-test.mp4",
    "frames/pyscenedetect_delayed_start.mp4",
)


@pytest.mark.parametrize("clip", CLIPS)
def test_notes_come_back_and_every_thumbnail_is_found(
    clip: str, media_dir: Path, tmp_path: Path
) -> None:
    path, work = media_dir / clip, tmp_path / "work"
    found = package.spot(
        path, tmp_path / "notes.toml", sheet=tmp_path / "sheet.png", workspace=work
    )
    again = package.spot(path, notes=tmp_path / "notes.toml", workspace=work)
    assert again.notes == found.notes
    assert all(stage.cached for stage in again.stages)
    sheet = plan_sheet(clip, found.notes)
    seen = thumbnails(
        identify(path),
        found.picture,
        sheet.wanted,
        width_px=sheet.box_px[0],
        height_px=sheet.box_px[1],
    )
    sizes = {None if one is None else one.shape for one in seen}
    assert len(sizes) == 1
    assert None not in sizes
    assert imread(tmp_path / "sheet.png").shape[1] == 1920
