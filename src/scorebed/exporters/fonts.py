"""Signs that the usual font lacks: drawn in another font of the machine, or named in words."""

from __future__ import annotations

import functools
import itertools
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

_NO_FONT = "Last Resort"
"""Has a box for every sign: boxes are what is not wanted."""


def settle(figure: Figure) -> None:
    """Gives every text of a picture a font that has its signs; what no font has becomes words.

    A scene in Japanese is drawn in whatever font for Japanese is there. Without one ``[2 CJK]``
    stands for its two signs: that something is there is seen, and what.
    """
    from matplotlib.font_manager import findfont  # noqa: PLC0415 - half a second
    from matplotlib.text import Text  # noqa: PLC0415

    for drawn in figure.findobj(Text):
        assert isinstance(drawn, Text)
        if drawn.get_text().isascii():
            continue
        lacking = _lacking(str(findfont(drawn.get_fontproperties())), drawn.get_text())
        if lacking:
            families = _families(lacking)
            there = {sign for sign in lacking if families[sign] is not None}
            drawn.set_text(in_words(drawn.get_text(), lacking - there))
            others = sorted({family for family in families.values() if family is not None})
            drawn.set_fontfamily([*drawn.get_fontfamily(), *others])


def in_words(text: str, lacking: frozenset[str] | set[str]) -> str:
    """A text with words in place of signs: ``[2 CJK]``, ``[3 Thai]``, ``[clapper board]``.

    Args:
        text: What was to be drawn.
        lacking: The signs that cannot be.
    """
    made = ""
    for kind, run in itertools.groupby(text, lambda sign: _kind(sign) if sign in lacking else ""):
        signs = "".join(run)
        if not kind:
            made += signs
        elif signs[0].isalpha() or unicodedata.category(signs[0])[0] == "M":
            made += f"[{len(signs)} {kind}]"
        else:
            made += "".join(f"[{_name(sign)}]" for sign in signs)
    return made


def _kind(sign: str) -> str:
    """The script of a letter, by the first word of its name."""
    first = _name(sign).replace("-", " ").split()[0]
    return first.upper() if first == "cjk" else first.title()


def _name(sign: str) -> str:
    return unicodedata.name(sign, f"U+{ord(sign):04X}").lower()


def _lacking(file: str, text: str) -> frozenset[str]:
    from matplotlib.font_manager import get_font  # noqa: PLC0415 - as above

    face = get_font(file)
    return frozenset(
        sign for sign in text if sign.isprintable() and not face.get_char_index(ord(sign))
    )


@functools.cache
def _families(signs: frozenset[str]) -> dict[str, str | None]:
    """For each sign a font of this machine that has it, the same one where one has several."""
    found: dict[str, str | None] = dict.fromkeys(signs)
    for file, family in _fonts():
        left = "".join(sign for sign in signs if found[sign] is None)
        if not left:
            break
        lacking = _lacking(file, left)
        found |= {sign: family for sign in left if sign not in lacking}
    return found


def _fonts() -> Iterator[tuple[str, str]]:
    from matplotlib.font_manager import fontManager  # noqa: PLC0415 - as above

    for font in sorted(fontManager.ttflist, key=lambda font: font.fname):
        if font.style == "normal" and not font.name.startswith(_NO_FONT):
            yield font.fname, font.name
