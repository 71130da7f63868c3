"""What is written down: groups that add up, and MIDI that another library reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pretty_midi
import pytest

from scorebed.composer import Written, compose, render, render_groups, write_down
from scorebed.composer.plan import Chord
from scorebed.composer.sketch import accidentals_of, chord_name
from scorebed.exporters.midi import write_midi
from scorebed.model import INSTRUMENT_GROUPS, Artifact, Sketch

CUES = ((1.5, 9.0), (11.2, 24.0))
CUTS = (3.21, 5.5, 13.07, 17.9)


def sketch_of(written: Written, folder: Path) -> Sketch:
    path = folder / "notes.npy"
    np.save(path, written.notes)
    return Sketch(
        parts=written.parts, bars=written.bars, notes=Artifact(path=path, sha256=""), stems=()
    )


@dataclass(frozen=True)
class Read:
    """A composition, and its MIDI file as another library has it."""

    notes: Any
    written: Written
    midi: pretty_midi.PrettyMIDI
    markers: list[tuple[float, str]]
    path: Path


def markers_in(midi: pretty_midi.PrettyMIDI, path: Path) -> list[tuple[float, str]]:
    """pretty_midi keeps the tempo map, mido the markers."""
    import mido  # noqa: PLC0415 - pretty_midi's own reader

    tick, found = 0, []
    for message in mido.MidiFile(path).tracks[0]:
        tick += message.time
        if message.type == "marker":
            found.append((float(midi.tick_to_time(tick)), message.text))
    return found


@pytest.fixture(params=["cinematic", "upbeat-ad"])
def read(request: Any, kit: Any, tmp_path: Path) -> Read:
    notes = kit.notes(kit.film, cuts=CUTS, cues=CUES)
    written = write_down(compose(notes, kit.brief(request.param, seed=3, guidance=0.8)))
    path = tmp_path / "score.mid"
    write_midi(path, sketch_of(written, tmp_path), notes, "film")
    midi = pretty_midi.PrettyMIDI(str(path))
    return Read(notes, written, midi, markers_in(midi, path), path)


def test_markers_fall_on_scenes_cues_and_hit_points(read: Read) -> None:
    wanted = [(float(cue.range.start_s), f"cue {cue.number}") for cue in read.notes.cues]
    wanted += [
        (float(scene.range.start_s), f"scene {number}")
        for number, scene in enumerate(read.notes.scenes, start=1)
    ]
    wanted += [(float(hit.at_s), "hit: cut") for cue in read.notes.cues for hit in cue.hit_points]
    assert len(wanted) > 8
    for (at_s, name), (found_s, found) in zip(sorted(wanted), sorted(read.markers), strict=True):
        assert name == found
        assert abs(at_s - found_s) < 0.001


def test_every_beat_is_where_it_was_written(read: Read) -> None:
    """Scene changes and beats are exact to a microsecond, however many beats come before."""
    beats_s = [beat / 48_000 for bar in read.written.bars for beat in bar.beats_samples]
    ticks = [int(read.midi.time_to_tick(beat)) for beat in beats_s]
    late_s = [read.midi.tick_to_time(t) - b for t, b in zip(ticks, beats_s, strict=True)]
    assert np.abs(late_s).max() < 1e-6
    assert all(tick % 3840 == 0 for tick in ticks)
    downbeats = read.midi.get_downbeats()
    for bar in read.written.bars:
        assert np.abs(downbeats - bar.beats_samples[0] / 48_000).min() < 1e-6


def test_notes_are_those_that_are_played(read: Read) -> None:
    notes = read.written.notes
    names = [part.name for part in read.written.parts]
    assert len(set(names)) == len(names)
    assert [one.name for one in read.midi.instruments] == names
    for number, track in enumerate(read.midi.instruments):
        own = notes[notes["part"] == number]
        assert len(track.notes) == len(own) > 0
        found = sorted((note.start, note.pitch) for note in track.notes)
        wanted = sorted((int(one["start_samples"]) / 48_000, int(one["pitch"])) for one in own)
        assert max(abs(a[0] - b[0]) for a, b in zip(found, wanted, strict=True)) < 0.001
        assert sorted(p for _, p in found) == sorted(p for _, p in wanted)
        part = read.written.parts[number]
        assert track.is_drum == (part.programme is None)
        if part.programme is not None:
            assert track.program == part.programme
    assert any(track.is_drum for track in read.midi.instruments)


def test_keys_and_metres_are_told(read: Read) -> None:
    first = read.written.bars[0]
    at_s = first.beats_samples[0] / 48_000
    keys = [key for key in read.midi.key_signature_changes if key.time >= at_s - 1e-6]
    name = pretty_midi.key_number_to_key_name(keys[0].key_number)
    assert ("minor" in name) == first.minor
    metres = {change.numerator for change in read.midi.time_signature_changes}
    assert metres >= {len(bar.beats_samples) for bar in read.written.bars[:-1]} - {1}


def test_a_key_that_is_struck_twice_at_once_is_one_note(kit: Any, tmp_path: Path) -> None:
    written = write_down(compose(kit.notes(kit.film), kit.brief()))
    pitched = [number for number, one in enumerate(written.parts) if one.programme is not None]
    notes = np.repeat(written.notes[:1], 3)
    notes["part"], notes["pitch"] = pitched[0], 64
    notes["start_samples"] = written.bars[0].beats_samples[0] + np.array([0, 0, 48_000])
    notes["length_samples"] = 24_000, 36_000, 24_000
    path = tmp_path / "twice.npy"
    np.save(path, notes)
    sketch = Sketch(
        parts=written.parts, bars=written.bars, notes=Artifact(path=path, sha256=""), stems=()
    )
    write_midi(tmp_path / "twice.mid", sketch, kit.notes(kit.film), "twice")
    read = pretty_midi.PrettyMIDI(str(tmp_path / "twice.mid"))
    (track,) = (one for one in read.instruments if one.notes)
    assert [note.end - note.start for note in track.notes] == pytest.approx([0.75, 0.5], abs=0.001)


def test_many_players_get_another_port(kit: Any, tmp_path: Path) -> None:
    """Sixteen channels are not enough for an ensemble that changes in every scene."""
    written = write_down(compose(kit.notes(kit.film), kit.brief()))
    part = next(one for one in written.parts if one.programme is not None)
    notes = np.repeat(written.notes[:1], 18)
    notes["part"] = np.arange(18)
    crowd = [
        type(part)(name=f"player {n}", group=part.group, programme=n, gain_db=0.0, pan=0.0)
        for n in range(18)
    ]
    path = tmp_path / "crowd.npy"
    np.save(path, notes)
    sketch = Sketch(
        parts=tuple(crowd), bars=written.bars, notes=Artifact(path=path, sha256=""), stems=()
    )
    write_midi(tmp_path / "crowd.mid", sketch, kit.notes(kit.film), "crowd")
    import mido  # noqa: PLC0415 - as above

    seen = set()
    for track in mido.MidiFile(tmp_path / "crowd.mid").tracks[1:]:
        port = next(m.port for m in track if m.type == "midi_port")
        (channel,) = {m.channel for m in track if m.type == "note_on"}
        assert channel != 9
        seen.add((port, channel))
    assert len(seen) == 18


@pytest.mark.parametrize("style", ["cinematic", "lofi", "tension"])
def test_groups_add_up_to_the_music(kit: Any, style: str) -> None:
    composition = compose(kit.notes(kit.film), kit.brief(style))
    sounding = {part.group for part in write_down(composition).parts}
    groups = [group for group in INSTRUMENT_GROUPS if group in sounding]
    whole = np.concatenate(list(render(composition)))
    apart = np.concatenate(list(render_groups(composition, groups)), axis=1)
    assert apart.shape == (len(groups), *whole.shape)
    rest = apart.sum(axis=0, dtype=np.float64) - whole
    assert 10 * np.log10(np.mean(np.square(rest)) / np.mean(np.square(whole))) < -100
    for own in apart:
        assert 10 * np.log10(np.mean(np.square(own, dtype=np.float64)) + 1e-15) > -70


def test_chords_have_the_names_that_musicians_use() -> None:
    def chord(root: int, *steps: int, bass: int | None = None) -> Chord:
        classes = tuple((root + step) % 12 for step in (0, *steps))
        low = root if bass is None else bass
        return Chord(degree=1, root=root, pitch_classes=classes, bass_pitch=36 + low, voicing=())

    told = {
        "C": chord(0, 4, 7),
        "Am7": chord(9, 3, 7, 10),
        "F#m/C#": chord(6, 3, 7, bass=1),
        "Dadd9": chord(2, 4, 7, 14),
        "Gmaj9": chord(7, 4, 7, 11, 14),
        "Bdim": chord(11, 3, 6),
        "E5": chord(4, 7),
        "Dsus2": chord(2, 7, 14),
        "Asus4": chord(9, 5, 7),
    }
    for name, made in told.items():
        assert chord_name(made, flat=False) == name
    assert chord_name(chord(10, 4, 7), flat=True) == "Bb"
    assert [accidentals_of(parent) for parent in range(12)] == [
        0, -5, 2, -3, 4, -1, 6, 1, -4, 3, -2, 5,
    ]  # fmt: skip
