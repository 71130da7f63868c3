"""The embedded composer: no key, no network, free."""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from typing import TYPE_CHECKING

from scorebed.composer import compose, render, render_groups, write_down
from scorebed.composer.groups import programme_of
from scorebed.composer.sampled import DRUM_BANK, place_of
from scorebed.model import (
    AT_HOME,
    FREE,
    INSTRUMENT_GROUPS,
    Artifact,
    GroupStem,
    Limits,
    Quote,
    Sketch,
    Take,
    TakePiece,
    TimeRange,
)
from scorebed.soundfont import Font, open_font
from scorebed.timecode import to_samples
from scorebed.wav import sha256_of, wav_writer, write_array, write_wav

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scorebed.composer import Composition, Written
    from scorebed.model import Order, Progress, ServiceSettings


class EmbeddedProvider:
    """Writes music to the picture from the spotting notes."""

    name = "embedded"
    description = "the embedded composer: writes to the picture, offline, free, the same by seed"

    def limits(self, service: ServiceSettings | None) -> Limits:  # noqa: ARG002 - the protocol's
        """It reads the notes, not the picture."""
        return AT_HOME

    def quote(self, order: Order) -> Quote:  # noqa: ARG002 - the protocol's argument
        """Nothing."""
        return FREE

    def compose(self, order: Order, *, folder: Path, progress: Progress) -> Take:
        """Composes and renders all cues."""
        composition, font = compose(order.notes, order.brief), _font(order)
        audio = write_wav(
            folder / "take.wav",
            render(composition, font=font, progress=progress),
            channels=2,
            length_samples=to_samples(order.notes.duration_s),
        )
        return Take(
            provider=self.name,
            name=composition.name + (f", {font.path.name}" if font else ""),
            seed=order.brief.seed,
            pieces=(
                TakePiece(
                    audio=audio,
                    range=TimeRange(start_s=Fraction(0), duration_s=order.notes.duration_s),
                ),
            ),
            fitted=True,
            unused_words=composition.unused_words,
            spent=FREE,
            key=composition.key,
            tempo_bpm=composition.tempo_bpm,
            warnings=() if font is None else tuple(_lacking(composition, font)),
        )

    def sketch(self, order: Order, *, folder: Path, progress: Progress) -> Sketch:
        """Composes once more, writes down what is played, and plays the groups apart."""
        composition, font = compose(order.notes, order.brief), _font(order)
        written = write_down(composition)
        return Sketch(
            parts=written.parts,
            bars=written.bars,
            notes=write_array(folder / "notes.npy", written.notes),
            stems=_write_groups(composition, written, font, folder, progress),
        )


def _font(order: Order) -> Font | None:
    return None if order.soundfont is None else open_font(order.soundfont.path)


def _lacking(composition: Composition, font: Font) -> Iterator[str]:
    """What a font has no instrument for, in a sentence."""
    lacking = sorted(
        {
            patch
            for section in composition.sections
            for patch in (
                composition.style.accent_patch,
                *(part.patch for part in section.direction.parts),
            )
            if not font.has(*(place_of(patch) or (0, 0)))
        }
    )
    if lacking:
        names = ", ".join(f"{patch} ({programme_of(patch)})" for patch in lacking)
        yield (
            f"{font.path.name} has no instrument for {names} in bank 0: "
            "the composer's own play there"
        )
    if not font.has(DRUM_BANK, 0):
        yield f"{font.path.name} has no drum kit (bank 128): the composer's own plays"


def _write_groups(
    composition: Composition,
    written: Written,
    font: Font | None,
    folder: Path,
    progress: Progress,
) -> tuple[GroupStem, ...]:
    """A WAV of each group that sounds."""
    sounding = {part.group for part in written.parts}
    groups = [group for group in INSTRUMENT_GROUPS if group in sounding]
    paths = [folder / f"{group}.wav" for group in groups]
    length = composition.length_samples
    with ExitStack() as files:
        writers = [
            files.enter_context(wav_writer(path, channels=2, expected_samples=length))
            for path in paths
        ]
        for block in render_groups(composition, groups, font=font, progress=progress):
            for writer, own in zip(writers, block, strict=True):
                writer.write(own)
    return tuple(
        GroupStem(group=group, audio=Artifact(path=path, sha256=sha256_of(path)))
        for group, path in zip(groups, paths, strict=True)
    )
