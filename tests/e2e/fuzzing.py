"""Damaged copies of media files: seeded, so that each is made again from its number."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_CONTAINER_BOXES = frozenset(
    b"moov trak mdia minf stbl edts dinf udta moof traf mvex mfra meta ilst".split()
)
_FIELD_BOXES = frozenset(
    b"mvhd tkhd mdhd elst stts ctts stsc stsz stco co64 stss sdtp stsd hdlr tfhd tfdt trun "
    b"sidx trex mehd dref sgpd sbgp tfra".split()
)
_MASTERS = frozenset(
    bytes.fromhex(name)
    for name in [
        *("1a45dfa3", "18538067", "114d9b74", "4dbb", "1549a966", "1654ae6b", "ae", "e0", "e1"),
        *("1f43b675", "a0", "1c53bb6b", "bb", "b7", "1043a770", "45b9", "b6", "1254c367", "7373"),
    ]
)
_EXTREMES = (0, 1, 2, 7, 8, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
_HEAD_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """Where something is written in a file."""

    at: int
    """Its first byte."""
    size: int
    """How many bytes it has."""


def mutant(original: bytes, name: str, number: int) -> tuple[str, bytes]:
    """The damaged copy of a file that has a number, and what was done to it.

    Args:
        original: The file.
        name: What the file is called: two files of one number are damaged in different ways.
        number: Which copy; each number that follows is damaged in another way.
    """
    ways = _ways(original)
    kind = list(ways)[number % len(ways)]
    rng = np.random.default_rng([zlib.crc32(name.encode()), number])
    content = bytearray(original)
    ways[kind](content, rng)
    return kind, bytes(content)


_Way = Callable[[bytearray, np.random.Generator], None]


def _ways(original: bytes) -> dict[str, _Way]:
    """The ways in which a file of its kind is damaged."""
    boxes, fields = mp4_boxes(original)
    elements = ebml_elements(original)
    ways: dict[str, _Way] = {"bytes": _flip_anywhere, "cut": _cut, "header": _flip_header}
    if boxes:
        ways["boxes"] = lambda content, rng: _resize_boxes(content, rng, boxes)
        ways["fields"] = lambda content, rng: _change_fields(content, rng, fields or boxes)
    elif elements:
        ways["sizes"] = lambda content, rng: _resize_elements(content, rng, elements)
        ways["fields"] = lambda content, rng: _change_elements(content, rng, elements)
    else:
        ways["words"] = _change_words
    return ways | {"zeros": _zero, "twice": _repeat, "swapped": _swap, "inserted": _insert}


# --- what knows nothing of containers ----------------------------------------------------------


def _flip_anywhere(content: bytearray, rng: np.random.Generator) -> None:
    _flip(content, rng, len(content), int(rng.integers(1, 201)))


def _flip_header(content: bytearray, rng: np.random.Generator) -> None:
    _flip(content, rng, min(_HEAD_BYTES, len(content)), int(rng.integers(1, 41)))


def _flip(content: bytearray, rng: np.random.Generator, within: int, count: int) -> None:
    for at in rng.integers(0, within, count):
        content[at] ^= int(rng.integers(1, 256))


def _cut(content: bytearray, rng: np.random.Generator) -> None:
    del content[int(rng.integers(1, len(content))) :]


def _change_words(content: bytearray, rng: np.random.Generator) -> None:
    """Numbers of 32 bits in the header, in either order of bytes: sizes, counts, times."""
    for _ in range(int(rng.integers(1, 6))):
        at = int(rng.integers(0, max(min(_HEAD_BYTES, len(content)) - 4, 1)))
        order = "big" if rng.random() < 0.5 else "little"
        content[at : at + 4] = _extreme(rng).to_bytes(4, order)  # type: ignore[arg-type]


def _zero(content: bytearray, rng: np.random.Generator) -> None:
    part = _part(content, rng)
    content[part] = bytes(part.stop - part.start)


def _repeat(content: bytearray, rng: np.random.Generator) -> None:
    part = _part(content, rng)
    content[part.stop : part.stop] = content[part]


def _swap(content: bytearray, rng: np.random.Generator) -> None:
    size = int(rng.integers(1, max(len(content) // 8, 2)))
    first, second = (int(at) for at in rng.integers(0, max(len(content) - size, 1), 2))
    one, other = content[first : first + size], content[second : second + size]
    content[first : first + size], content[second : second + size] = other, one


def _insert(content: bytearray, rng: np.random.Generator) -> None:
    at = int(rng.integers(0, len(content)))
    content[at:at] = rng.bytes(int(rng.integers(1, 2000)))


def _part(content: bytearray, rng: np.random.Generator) -> slice:
    at = int(rng.integers(0, len(content)))
    return slice(at, min(at + int(rng.integers(1, max(len(content) // 8, 2))), len(content)))


def _extreme(rng: np.random.Generator) -> int:
    return int(rng.choice(_EXTREMES)) if rng.random() < 0.7 else int(rng.integers(0, 1 << 32))


# --- MP4 and QuickTime -------------------------------------------------------------------------


def mp4_boxes(content: bytes) -> tuple[list[Field], list[Field]]:
    """The boxes of a file, and those of them that hold tables and times; none if it is no MP4."""
    if content[4:8] not in {b"ftyp", b"moov", b"wide", b"free", b"mdat", b"skip"}:
        return [], []
    boxes: list[Field] = []
    fields: list[Field] = []
    _collect_boxes(content, 0, len(content), boxes, fields)
    return boxes, fields


def _collect_boxes(
    content: bytes, at: int, end: int, boxes: list[Field], fields: list[Field]
) -> None:
    while at + 8 <= end:
        size, kind = int.from_bytes(content[at : at + 4]), content[at + 4 : at + 8]
        head = 8
        if size == 1:
            size, head = int.from_bytes(content[at + 8 : at + 16]), 16
        size = min(size or end - at, end - at)
        if size < 8:
            return
        boxes.append(Field(at=at, size=size))
        if kind in _FIELD_BOXES:
            fields.append(Field(at=at, size=size))
        if kind in _CONTAINER_BOXES:
            _collect_boxes(content, at + head, at + size, boxes, fields)
        at += size


def _resize_boxes(content: bytearray, rng: np.random.Generator, boxes: list[Field]) -> None:
    for _ in range(int(rng.integers(1, 4))):
        box = boxes[int(rng.integers(0, len(boxes)))]
        near = box.size + int(rng.integers(-16, 17))
        sizes = (0, 1, 7, 8, near, box.size * 2, box.size // 2, 0x7FFFFFFF, 0xFFFFFFFF)
        size = max(int(rng.choice(sizes)), 0)
        content[box.at : box.at + 4] = size.to_bytes(4)


def _change_fields(content: bytearray, rng: np.random.Generator, fields: list[Field]) -> None:
    for _ in range(int(rng.integers(1, 4))):
        box = fields[int(rng.integers(0, len(fields)))]
        words = max((box.size - 8) // 4, 1)
        # The first words say most: times, counts.
        word = int(rng.integers(0, min(words, 8) if rng.random() < 0.7 else words))
        at = box.at + 8 + 4 * word
        content[at : at + 4] = _extreme(rng).to_bytes(4)


# --- Matroska and WebM -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """An EBML element."""

    size: Field
    """Where its size is written."""
    payload: Field
    """What it holds."""
    master: bool
    """Whether that is further elements."""


def ebml_elements(content: bytes) -> list[Element]:
    """The elements of a file down to its blocks; none if it is not Matroska."""
    elements: list[Element] = []
    if content[:4] == bytes.fromhex("1a45dfa3"):
        _collect_elements(content, 0, len(content), elements)
    return elements


def _collect_elements(content: bytes, at: int, end: int, elements: list[Element]) -> None:
    while at < end:
        name_bytes = _vint_bytes(content[at])
        size_at = at + name_bytes
        if name_bytes > 4 or size_at >= end:
            return
        size_bytes = _vint_bytes(content[size_at])
        start = size_at + size_bytes
        if size_bytes > 8 or start > end:
            return
        value = int.from_bytes(content[size_at:start]) & ((1 << 7 * size_bytes) - 1)
        unknown = value == (1 << 7 * size_bytes) - 1
        size = end - start if unknown else min(value, end - start)
        master = content[at:size_at] in _MASTERS
        elements.append(
            Element(
                size=Field(at=size_at, size=size_bytes),
                payload=Field(at=start, size=size),
                master=master,
            )
        )
        if master:
            _collect_elements(content, start, start + size, elements)
        at = start + size


def _vint_bytes(first: int) -> int:
    """Length of a number of variable length, by its first byte; 9 if that cannot begin one."""
    return 9 - first.bit_length()


def _resize_elements(content: bytearray, rng: np.random.Generator, elements: list[Element]) -> None:
    for _ in range(int(rng.integers(1, 4))):
        field = elements[int(rng.integers(0, len(elements)))].size
        bits = 7 * field.size
        marker, most = 1 << bits, (1 << bits) - 1
        known = int.from_bytes(content[field.at : field.at + field.size]) & most
        sizes = (0, 1, known // 2, known * 2, known + int(rng.integers(-9, 10)), most, most - 1)
        size = min(max(sizes[int(rng.integers(0, len(sizes)))], 0), most)
        content[field.at : field.at + field.size] = (marker | size).to_bytes(field.size)


def _change_elements(content: bytearray, rng: np.random.Generator, elements: list[Element]) -> None:
    """Numbers, times and the heads of blocks."""
    plain = [one.payload for one in elements if not one.master and one.payload.size]
    for _ in range(int(rng.integers(1, 5))):
        field = plain[int(rng.integers(0, len(plain)))]
        size = min(field.size, 8)
        if rng.random() < 0.5:
            value = rng.bytes(size)
        else:
            value = bytes([int(rng.choice((0, 1, 0x7F, 0x80, 0xFF)))]) * size
        content[field.at : field.at + size] = value
