"""For tests of programs that use scorebed: a service that can misbehave, a contract to keep.

from scorebed.testing import MusicService

with MusicService(key="test-key") as service:
    service.will("503", "ok")
    ...  # send to service.url
    assert service.purchases == 1

``ProviderContract`` is a class of tests that every provider has to pass; it needs pytest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scorebed.testing.contract import ProviderContract
    from scorebed.testing.music_service import MusicService

__all__ = ["MusicService", "ProviderContract"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's names have any type
    """Imports what is asked for; ``python -m scorebed.testing.music_service`` imports it once."""
    if name == "MusicService":
        from scorebed.testing.music_service import MusicService  # noqa: PLC0415 - see above

        return MusicService
    if name == "ProviderContract":
        import pytest  # noqa: PLC0415 - it alone needs it

        # So that a broken contract says what was and what should have been.
        pytest.register_assert_rewrite("scorebed.testing.contract")
        from scorebed.testing.contract import ProviderContract  # noqa: PLC0415

        return ProviderContract
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
