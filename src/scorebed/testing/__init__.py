"""For tests of programs that use scorebed: a music service on loopback that can misbehave.

from scorebed.testing import MusicService

with MusicService(key="test-key") as service:
    service.will("503", "ok")
    ...  # send to service.url
    assert service.purchases == 1
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scorebed.testing.music_service import MusicService

__all__ = ["MusicService"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's names have any type
    """Imports what is asked for; ``python -m scorebed.testing.music_service`` imports it once."""
    if name == "MusicService":
        from scorebed.testing.music_service import MusicService  # noqa: PLC0415 - see above

        return MusicService
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
