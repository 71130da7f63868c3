"""A finished track: a composer's delivery or licensed stock."""

from __future__ import annotations

import shutil
from fractions import Fraction
from typing import TYPE_CHECKING

from scorebed.errors import SettingsError
from scorebed.model import AT_HOME, FREE, Artifact, Limits, Quote, Take, TakePiece, TimeRange
from scorebed.wav import sha256_of

if TYPE_CHECKING:
    from pathlib import Path

    from scorebed.model import Order, Progress, ServiceSettings


class FileProvider:
    """Hands over the track that ``--music`` names."""

    name = "file"
    description = "a track of your own, given with --music FILE"

    def limits(self, service: ServiceSettings | None) -> Limits:  # noqa: ARG002 - the protocol's
        """It does not look at the picture."""
        return AT_HOME

    def quote(self, order: Order) -> Quote:  # noqa: ARG002 - the protocol's argument
        """Nothing."""
        return FREE

    def compose(self, order: Order, *, folder: Path, progress: Progress) -> Take:
        """Keeps a copy, so that the take is there when the file has moved.

        Raises:
            SettingsError: If no file was given.
        """
        if order.music is None:
            raise SettingsError(
                "the provider 'file' needs a track", remedy="Add --music FILE to the command."
            )
        suffix = order.music.path.suffix
        kept = folder / (f"take{suffix}" if suffix.isascii() else "take")
        shutil.copyfile(order.music.path, kept)
        progress(1.0)
        return Take(
            provider=self.name,
            name=order.music.path.stem.encode(errors="backslashreplace").decode(),
            seed=None,
            pieces=(
                TakePiece(
                    audio=Artifact(path=kept, sha256=sha256_of(kept)),
                    range=TimeRange(start_s=Fraction(0), duration_s=order.notes.duration_s),
                ),
            ),
            fitted=False,
            unused_words=(),
            spent=FREE,
        )
