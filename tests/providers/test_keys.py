"""Where keys are found, and where they are never sent."""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path

import pytest

from scorebed.errors import MissingKey, SettingsError
from scorebed.providers.elevenlabs import keys
from scorebed.providers.elevenlabs.keys import account_of, host_of, is_set, read_key
from scorebed.providers.elevenlabs.refusals import clean, wait_of

POSIX = pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")


def key_file(path: Path, text: str = "sk_file", mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.fixture
def own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config"


def test_the_order_of_places(
    own_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not is_set(None)
    with pytest.raises(MissingKey, match="no key"):
        read_key(None)
    key_file(keys.default_file(), "sk_default\n")
    assert keys.default_file().is_relative_to(own_config)
    assert (is_set(None), read_key(None)) == (True, "sk_default")
    monkeypatch.setenv("ELEVENLABS_API_KEY_FILE", str(key_file(tmp_path / "b", "sk_named")))
    assert read_key(None) == "sk_named"
    monkeypatch.setenv("ELEVENLABS_API_KEY", " sk_variable ")
    assert read_key(None) == "sk_variable"
    assert read_key(key_file(tmp_path / "c", "sk_option")) == "sk_option"


def test_the_keyring_comes_last(own_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in: a machine that runs tests has no keyring."""
    asked = []
    ring = types.ModuleType("keyring")
    errors = types.ModuleType("keyring.errors")

    class KeyringError(Exception):
        pass

    def get_password(service: str, user: str) -> str | None:
        asked.append((service, user))
        return "sk_ring"

    ring.__dict__.update(get_password=get_password, errors=errors, __spec__=types.SimpleNamespace())
    errors.__dict__.update(KeyringError=KeyringError)
    monkeypatch.setitem(sys.modules, "keyring", ring)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    assert read_key(None) == "sk_ring"
    assert asked == [("scorebed", "elevenlabs")]
    assert not is_set(None), "a keyring alone does not make a service the default"

    def locked(service: str, user: str) -> str | None:
        raise KeyringError("locked")

    ring.__dict__["get_password"] = locked
    with pytest.raises(MissingKey, match="keyring"):
        read_key(None)


@POSIX
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_file_that_others_may_read_is_refused(mode: int, tmp_path: Path) -> None:
    path = key_file(tmp_path / "key", mode=mode)
    with pytest.raises(MissingKey) as caught:
        read_key(path)
    assert caught.value.remedy == f"Run: chmod 600 {path}"


@pytest.mark.parametrize("text", ["", "\n", "two words", "zwei\nzeilen", "sk_\x00", "schlüssel"])
def test_what_is_no_key_is_refused_without_being_said(text: str, tmp_path: Path) -> None:
    with pytest.raises(MissingKey) as caught:
        read_key(key_file(tmp_path / "key", text))
    assert not text.strip() or text.strip() not in caught.value.message + caught.value.remedy


def test_a_file_of_windows_is_read(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"\xef\xbb\xbfsk_notepad\r\n")
    path.chmod(0o600)
    assert read_key(path) == "sk_notepad"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingKey, match="not-there"):
        read_key(tmp_path / "not-there")


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://api.elevenlabs.io", "elevenlabs.io"),
        ("https://api.in.residency.elevenlabs.io/", "elevenlabs.io"),
        ("https://music.example.org", "music.example.org"),
        ("https://music.example.org:8443/v", "music.example.org:8443/v"),
        ("https://music.example.org/a/", "music.example.org/a"),
        ("http://127.0.0.1:5000", "127.0.0.1:5000"),
        ("http://localhost:5000", "localhost:5000"),
        ("http://[::1]:5000", "::1:5000"),
    ],
)
def test_hosts(address: str, host: str) -> None:
    assert host_of(address) == host


@pytest.mark.parametrize(
    "address",
    [
        "http://api.elevenlabs.io",
        "http://127.0.0.1.example.org",
        "http://10.0.0.5:5000",
        "ftp://api.elevenlabs.io",
        "api.elevenlabs.io",
        "https://",
        "https://user:pass@example.org",
        "https://example.org:port",
        "https://example.org/?key=1",
    ],
)
def test_addresses_that_get_no_key(address: str) -> None:
    with pytest.raises(SettingsError):
        host_of(address)


def test_an_account_is_told_apart_without_its_key() -> None:
    one = account_of("sk_one", "https://api.elevenlabs.io")
    assert one == account_of("sk_one", "https://api.us.elevenlabs.io")
    assert one != account_of("sk_two", "https://api.elevenlabs.io")
    assert one != account_of("sk_one", "https://example.org")
    assert "sk" not in one


def test_what_the_service_says_is_cleaned() -> None:
    assert clean("bad\x1b[31m key sk_x\n\n!", "sk_x") == "bad [31m key [key] !"
    assert len(clean("a" * 10_000, "k")) == 503


def test_how_long_it_wants_to_be_left_alone() -> None:
    assert wait_of({"retry-after": "7"}) == 7
    assert wait_of({"retry-after-ms": "250", "retry-after": "7"}) == 0.25
    assert wait_of({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}) == 0
    assert wait_of({"retry-after": "99999999"}) == 3600
    assert wait_of({"retry-after": "soon"}) is None
    assert wait_of({"x-ratelimit-reset": "1500000000"}) == 0
    assert wait_of({"x-ratelimit-reset": "30"}) == 30
    assert wait_of({"retry-after": "Thu, 01 Jan 99999 00:00:00 GMT"}) is None
    assert wait_of({"retry-after": "\u00b2"}) is None
    assert wait_of({"retry-after": "0"}) == 0
    assert wait_of({}) is None
