"""Providers are found by entry point, built-in ones and those of third parties alike."""

from __future__ import annotations

import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from scorebed.errors import SettingsError
from scorebed.model import Order
from scorebed.providers.base import Provider, find, names


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site folder in which a test may lay down a plug-in as pip would."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def plug_in(site: Path, name: str, code: str, *, target: str | None = None) -> None:
    module = f"plug_{name}"
    sys.modules.pop(module, None)
    (site / f"{module}.py").write_text(code)
    info = site / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[scorebed.providers]\n{name} = {target or module + ':Mine'}\n"
    )


WHOLE = """
class Mine:
    name = "mine"
    description = "mine"
    def limits(self, service): ...
    def quote(self, order): ...
    def compose(self, order, *, folder, progress): ...
"""


@pytest.mark.parametrize("name", ["embedded", "file"])
def test_the_built_in_ones(name: str) -> None:
    provider = find(name)
    assert isinstance(provider, Provider)
    assert provider.name == name
    assert provider.description
    limits = provider.limits(None)
    assert not limits.network
    assert not limits.needs_proxies
    quote = provider.quote(Mock(spec=Order))
    assert (quote.requests, quote.amount) == (0, 0.0)


def test_they_are_listed() -> None:
    assert {"embedded", "file"} <= set(names())
    assert list(names()) == sorted(names())


def test_an_unknown_one_lists_the_known() -> None:
    with pytest.raises(SettingsError, match="no provider 'suno'") as caught:
        find("suno")
    assert "embedded, file" in caught.value.remedy


def test_a_third_partys_is_found(install: Path) -> None:
    plug_in(install, "mine", WHOLE)
    assert "mine" in names()
    assert find("mine").name == "mine"


@pytest.mark.parametrize(
    ("code", "target"),
    [
        ("import not_there_at_all\n", None),
        ("", None),
        (WHOLE, "plug_broken:Other"),
        (WHOLE, "no_such_module:Mine"),
        ("class Mine:\n    name = 'mine'\n", None),
        ("class Mine:\n    def __init__(self): raise AttributeError('x')\n", None),
        ("class Mine:\n    def __init__(self, key): ...\n", None),
        ("raise RuntimeError('at import')\n", None),
        ("def (:\n", None),
    ],
)
def test_a_broken_one_is_named_and_does_not_harm_the_others(
    install: Path, code: str, target: str | None
) -> None:
    plug_in(install, "broken", code, target=target)
    with pytest.raises(SettingsError, match="'broken'") as caught:
        find("broken")
    assert caught.value.exit_code == 2
    assert "package" in caught.value.remedy
    assert find("embedded").name == "embedded"
