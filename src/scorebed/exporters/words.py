"""Words as notes and sheets show them."""

from __future__ import annotations


def counted(number: int, what: str) -> str:
    """A number with its noun: ``1 shot``, ``2 shots``."""
    return f"{number} {what}{'s' if number != 1 else ''}"


def plain(text: str) -> str:
    """Text in one line, without signs that control a terminal or end a comment."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
