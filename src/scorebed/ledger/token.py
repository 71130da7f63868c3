"""The token between the server of a ledger and those who use it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from scorebed.errors import SettingsError

VARIABLE = "SCOREBED_LEDGER_TOKEN"
FILE_VARIABLE = "SCOREBED_LEDGER_TOKEN_FILE"
_MOST_CHARACTERS = 4096
_OTHERS = 0o077


def read_token(file: Path | None = None) -> str | None:
    """The token, or None where none is set.

    Args:
        file: The file that the user named, which then decides.

    Raises:
        SettingsError: If what is there cannot be one, or its file may be read by others.
    """
    if file is None and os.environ.get(VARIABLE, "").strip():
        return _checked(os.environ[VARIABLE].strip(), VARIABLE)
    named = file or os.environ.get(FILE_VARIABLE)
    return _from_file(Path(named)) if named else None


def _from_file(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        with path.open("rb") as opened:
            text = opened.read(_MOST_CHARACTERS).decode("utf-8-sig", errors="replace").strip()
    except OSError as error:
        raise SettingsError(
            f"ledger: the token file {path} cannot be read ({error.strerror})",
            remedy="Check the path and its permissions.",
        ) from error
    if os.name == "posix" and stat.S_IMODE(mode) & _OTHERS:
        raise SettingsError(
            f"ledger: the token file {path} may be read by others (mode {stat.S_IMODE(mode):o})",
            remedy=f"Run: chmod 600 {path}",
        )
    return _checked(text, str(path))


def _checked(token: str, origin: str) -> str:
    """A token that can stand in a header; what it is is never said."""
    if token and token.isascii() and token.isprintable() and " " not in token:
        return token
    raise SettingsError(
        f"ledger: what {origin} holds is not a token" if token else f"ledger: {origin} is empty",
        remedy="Put the token there, alone, on one line, for example what this prints: "
        "python -c 'import secrets; print(secrets.token_urlsafe())'",
    )
