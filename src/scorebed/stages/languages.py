"""Language tags: ``de``, ``deu``, ``ger`` and ``de-AT`` are one language."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langcodes import Language


def same_language(asked: str, tag: str | None) -> bool:
    """Whether a stream's tag is of the language that was asked for.

    Args:
        asked: A code of ISO 639, or a whole tag (``pt-BR``), which then has to be the same.
        tag: What the container says; None where it says nothing, which is ``und``.
    """
    wanted, found = _parse(asked), _parse(tag or "und")
    if wanted is None or found is None:
        return asked.casefold() == (tag or "und").casefold()
    return wanted.to_tag() in {found.to_tag(), found.language}


def _parse(tag: str) -> Language | None:
    """The tag in its shortest form; None for what is no tag: containers hold any text."""
    # Imported here: it takes 65 ms, and only a language that is named needs it.
    from langcodes import Language  # noqa: PLC0415
    from langcodes.tag_parser import LanguageTagError  # noqa: PLC0415

    try:
        return Language.get(tag)
    except LanguageTagError:
        return None
