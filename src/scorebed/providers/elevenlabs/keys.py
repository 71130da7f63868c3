"""Where the key lies. It goes into one header and nowhere else."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import stat
from pathlib import Path
from urllib.parse import urlsplit

import platformdirs

from scorebed.errors import MissingKey, SettingsError

VARIABLE = "ELEVENLABS_API_KEY"
FILE_VARIABLE = "ELEVENLABS_API_KEY_FILE"
URL_VARIABLE = "ELEVENLABS_BASE_URL"
_OTHERS = 0o077
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_MOST_CHARACTERS = 4096


def default_file() -> Path:
    """The key file that is looked for when none is named."""
    return platformdirs.user_config_path("scorebed") / "elevenlabs.key"


def is_set(key_file: Path | None) -> bool:
    """Whether a key was put where scorebed looks: then this service is the default provider."""
    named = key_file or os.environ.get(FILE_VARIABLE)
    return bool(os.environ.get(VARIABLE, "").strip() or named) or default_file().is_file()


def read_key(key_file: Path | None) -> str:
    """The key: from the environment, a key file, or the system's keyring.

    Args:
        key_file: The file that the user named, which then decides.

    Raises:
        MissingKey: If there is none, or its file cannot be used.
    """
    if key_file is not None:
        return _from_file(key_file)
    key = os.environ.get(VARIABLE, "").strip()
    if key:
        return _checked(key, VARIABLE)
    named = os.environ.get(FILE_VARIABLE)
    if named:
        return _from_file(Path(named))
    if default_file().is_file():
        return _from_file(default_file())
    kept = _from_keyring()
    if kept:
        return _checked(kept, "the keyring")
    raise MissingKey(
        "compose: there is no key for ElevenLabs",
        remedy=f"Set {VARIABLE}, or write the key into {default_file()} (mode 600), or use "
        "--provider embedded.",
    )


def hidden(text: str, key_file: Path | None) -> str:
    """A text without the key, if there is one."""
    try:
        key = read_key(key_file)
    except MissingKey:
        return text
    return text.replace(key, "[key]")


def _from_file(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        text = path.read_bytes()[:_MOST_CHARACTERS].decode("utf-8-sig", errors="replace").strip()
    except OSError as error:
        raise MissingKey(
            f"compose: the key file {path} cannot be read ({error.strerror})",
            remedy="Check the path and its permissions.",
        ) from error
    if os.name == "posix" and stat.S_IMODE(mode) & _OTHERS:
        raise MissingKey(
            f"compose: the key file {path} may be read by others (mode {stat.S_IMODE(mode):o})",
            remedy=f"Run: chmod 600 {path}",
        )
    return _checked(text, str(path))


def _from_keyring() -> str | None:
    if importlib.util.find_spec("keyring") is None:
        return None
    # Only where the user has installed it.
    keyring = importlib.import_module("keyring")
    errors = importlib.import_module("keyring.errors")
    try:
        found = keyring.get_password("scorebed", "elevenlabs")
    except errors.KeyringError as error:
        raise MissingKey(
            f"compose: the system's keyring cannot be asked ({type(error).__name__})",
            remedy=f"Unlock it, or set {VARIABLE}.",
        ) from error
    return None if found is None else str(found).strip()


def _checked(key: str, origin: str) -> str:
    """A key that can stand in a header; what it is is never said."""
    if key and key.isascii() and key.isprintable() and " " not in key:
        return key
    raise MissingKey(
        f"compose: what {origin} holds is not a key" if key else f"compose: {origin} is empty",
        remedy="Put the key there, alone, on one line.",
    )


def account_of(key: str, base_url: str) -> str:
    """A name for the account that tells nothing of the key."""
    told = f"scorebed queue\0{host_of(base_url)}\0{key}"
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def host_of(base_url: str) -> str:
    """The service behind an address: all regions of ElevenLabs are one.

    Raises:
        SettingsError: If it is no address, or would send the key in the clear.
    """
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError as error:
        raise _no_address(base_url) from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
        raise _no_address(base_url)
    if parts.username is not None:
        raise SettingsError(
            "--base-url holds a user name or password",
            remedy=f"Leave it out: the key comes from {VARIABLE}.",
        )
    if parts.scheme == "http" and not is_loopback(base_url):
        raise SettingsError(
            f"--base-url {base_url} would send the key in the clear",
            remedy="Use https; plain http goes to this machine only (127.0.0.1).",
        )
    if parts.hostname.endswith(".elevenlabs.io"):
        return "elevenlabs.io"
    return parts.hostname + (f":{port}" if port else "") + parts.path.rstrip("/")


def is_loopback(base_url: str) -> bool:
    """Whether an address is this machine's own."""
    return urlsplit(base_url).hostname in _LOOPBACK


def _no_address(base_url: str) -> SettingsError:
    return SettingsError(
        f"--base-url {base_url!r} is not an address",
        remedy="Give scheme and host, for example https://api.elevenlabs.io",
    )
