"""A SoundFont that nobody names: of the folder where the user keeps those for scorebed.

Not those of the system: they come and go with other programs, and the same command would give
other music.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import platformdirs

FONTS_VARIABLE: Final = "SCOREBED_SOUNDFONTS"


def font_folder() -> Path:
    """Where SoundFonts are found: ``SCOREBED_SOUNDFONTS``, else in the user's data folder."""
    named = os.environ.get(FONTS_VARIABLE)
    return Path(named) if named else platformdirs.user_data_path("scorebed") / "soundfonts"


def found_font() -> Path | None:
    """The SoundFont of that folder, the first one by name; None where there is none."""
    fonts = (path for path in font_folder().glob("*") if path.suffix.lower() == ".sf2")
    return min(fonts, key=lambda path: path.name, default=None)
