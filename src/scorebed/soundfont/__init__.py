"""SoundFont 2 files: what is in them, read when it is played.

Written after the "SoundFont Technical Specification" 2.04 (E-mu Systems, 2006). No library on PyPI
plays them with pip alone: pyfluidsynth needs the system's FluidSynth, tinysoundfont needs pyaudio,
which is built against the system's PortAudio.
"""

from scorebed.soundfont.font import Font, Zone, open_font
from scorebed.soundfont.found import FONTS_VARIABLE, font_folder, found_font

__all__ = ["FONTS_VARIABLE", "Font", "Zone", "font_folder", "found_font", "open_font"]
