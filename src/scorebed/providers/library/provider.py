"""The provider ``library``: hands over what was chosen from the user's own tracks."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from scorebed.errors import MediaError, SettingsError
from scorebed.model import AT_HOME, FREE, Artifact, Limits, Quote, Take, TakePiece, TimeRange
from scorebed.providers.library.choose import candidates
from scorebed.wav import sha256_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scorebed.model import Choice, Library, Order, Progress, ServiceSettings

STAGE = "compose"
_NAMED = 3


class LibraryProvider:
    """Takes the track that fits best, or one for each part, from a folder."""

    name = "library"
    description = "the best fitting of your own tracks, from the folder --library DIR"

    def limits(self, service: ServiceSettings | None) -> Limits:  # noqa: ARG002 - the protocol's
        """It reads the notes, not the picture."""
        return AT_HOME

    def quote(self, order: Order) -> Quote:  # noqa: ARG002 - the protocol's argument
        """Nothing: its licence is the user's matter."""
        return FREE

    def compose(self, order: Order, *, folder: Path, progress: Progress) -> Take:
        """Chooses, and keeps copies, so that the take is there when the folder is not.

        Raises:
            SettingsError: If no folder was given, or the brief excludes every track.
            MediaError: If a chosen file is not there any more, or is another now.
        """
        library = order.library
        if library is None:
            raise SettingsError(
                "the provider 'library' needs a folder", remedy="Add --library DIR to the command."
            )
        found = candidates(library, order.notes, order.brief)
        choices = found.by_seed(order.brief.seed)
        copies: dict[str, Artifact] = {}
        for number, choice in enumerate(choices):
            if choice.sha256 not in copies:
                copies[choice.sha256] = _copied(library, choice, folder, len(copies))
            progress((number + 1) / len(choices))
        unheard = library.per != "scene" and any(scene.brief for scene in order.notes.scenes)
        return Take(
            provider=self.name,
            name=_name(choices),
            seed=order.brief.seed,
            pieces=_pieces(choices, copies, order.notes.duration_s),
            fitted=False,
            unused_words=found.unanswered,
            spent=FREE,
            choices=choices,
            warnings=library.warnings
            + (("words for single scenes count with --library-per scene only",) if unheard else ()),
        )


def _copied(library: Library, choice: Choice, folder: Path, number: int) -> Artifact:
    suffix = PurePosixPath(choice.name).suffix
    kept = folder / f"track-{number + 1}{suffix if suffix.isascii() else ''}"
    source = library.folder / choice.name
    again = "Run the same command again: the folder is then looked at anew."
    try:
        shutil.copyfile(source, kept)
    except OSError as error:
        raise MediaError(
            f"{STAGE}: the track {source} cannot be read ({error.strerror or error})", remedy=again
        ) from error
    copy = Artifact(path=kept, sha256=sha256_of(kept))
    if copy.sha256 != choice.sha256:
        raise MediaError(f"{STAGE}: the track {source} has just been changed", remedy=again)
    return copy


def _name(choices: Sequence[Choice]) -> str:
    names = list(dict.fromkeys(choice.name for choice in choices))
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _pieces(
    choices: Sequence[Choice], copies: dict[str, Artifact], duration_s: Fraction
) -> tuple[TakePiece, ...]:
    """What plays where; a track that goes on into the next part is one piece."""
    if len(choices) == 1:
        whole = TimeRange(start_s=Fraction(0), duration_s=duration_s)
        return (TakePiece(audio=copies[choices[0].sha256], range=whole),)
    spans: list[tuple[str, TimeRange]] = []
    for choice in choices:
        if spans and spans[-1][0] == choice.sha256 and spans[-1][1].end_s == choice.range.start_s:
            joined = TimeRange.between(spans[-1][1].start_s, choice.range.end_s)
            spans[-1] = (choice.sha256, joined)
        else:
            spans.append((choice.sha256, choice.range))
    return tuple(TakePiece(audio=copies[sha256], range=span) for sha256, span in spans)
