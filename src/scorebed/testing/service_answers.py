"""What the test server answers with status 200: good music in every shape, and bad."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorebed.testing.service_archives import archive, bomb, damaged, many
from scorebed.testing.service_music import Kind, content_type, extension, make_music
from scorebed.testing.service_requests import Answer, Order

if TYPE_CHECKING:
    from scorebed.testing.service_behaviours import Behaviour

_PAGE = b"<!doctype html><html><head><title>Sign in</title></head><body>Sign in</body></html>"
_BOUNDARY = "scorebed-music-service-7d1f"
_KEPT_OF_TRUNCATED = 0.4
_KEPT_OF_SHORT = 0.7
_KEPT_OF_SHORTER = 0.4
_LONGER_S = 20
_BLOCK_BYTES = 1 << 16
_WAVEFORM_PER_S = 4
_SPELT = "key-in-another-spelling"
_ECHOES = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """Makes music for an order, in a folder."""

    order: Order
    """What was asked."""
    folder: Path
    """Where files go; it belongs to this answer alone."""
    going_on: Callable[[], None]
    """Called while music is encoded; raises when there is no use in it."""
    key: str = field(default="", repr=False)
    """The key that was sent, for an answer that repeats it."""

    def music(self, name: str = "music", *, kind: Kind = "music", channels: int = 2) -> Path:
        """The whole piece."""
        return make_music(
            self.folder / f"{name}.{extension(self.order.output_format)}",
            output_format=self.order.output_format,
            length_s=self.order.length_s,
            fingerprint=self.order.fingerprint,
            kind=kind,
            channels=channels,
            going_on=self.going_on,
        )

    def resized(self, length_s: float) -> Maker:
        """The same with another length, in seconds."""
        return replace(self, order=replace(self.order, length_s=length_s))

    def segments(self) -> list[Path]:
        """A piece for each part, in order."""
        return [
            self.resized(part_s).music(f"segment_{number:02d}")
            for number, part_s in enumerate(self.order.parts_s, 1)
        ]

    def metadata(self) -> dict[str, Any]:
        """What is said about the music."""
        asked = {"output_format": self.order.output_format, **self.order.asked}
        seed = {"seed": self.order.seed} if self.order.seed is not None else {}
        return {"duration_seconds": self.order.length_s, **seed, "parameters": asked}


def make_answer(maker: Maker, behaviour: Behaviour) -> Answer:
    """The body for a request that was found good.

    Args:
        maker: Makes the music.
        behaviour: In which shape, and how bad; one that is not about content gives a good answer.
    """
    special = _SPECIAL.get(behaviour)
    if special is not None:
        return special(maker)
    if maker.order.with_details:
        return _detailed(maker)
    if maker.order.tracks:
        return _zip_tracks(maker)
    return _audio(maker)


def _audio(maker: Maker) -> Answer:
    path = maker.music(kind="mix" if maker.order.effects else "music")
    said = maker.metadata()
    headers = [("seed", str(said["seed"]))] if "seed" in said else []
    return Answer(
        content_type=content_type(maker.order.output_format),
        content=path,
        headers=(*headers, ("duration-seconds", f"{maker.order.length_s:.6f}")),
    )


def _json(body: Any) -> Answer:  # noqa: ANN401 - JSON
    return Answer(content_type="application/json", content=json.dumps(body).encode())


def _multipart(maker: Maker, said: Any, pieces: list[Path]) -> Answer:  # noqa: ANN401 - JSON
    """JSON first, then audio; lines as the official client looks for them."""
    path = maker.folder / "answer.multipart"
    kind = content_type(maker.order.output_format)
    with path.open("wb") as file:
        file.write(f"--{_BOUNDARY}\r\nContent-Type: application/json\r\n\r\n".encode())
        file.write(json.dumps(said).encode() + b"\r\n")
        for piece in pieces:
            head = f'Content-Disposition: attachment; filename="{piece.name}"'
            file.write(f"--{_BOUNDARY}\r\nContent-Type: {kind}\r\n{head}\r\n\r\n".encode())
            file.write(piece.read_bytes() + b"\r\n")
        file.write(f"--{_BOUNDARY}--\r\n".encode())
    return Answer(content_type=f"multipart/mixed; boundary={_BOUNDARY}", content=path)


def _detailed(maker: Maker) -> Answer:
    asked = maker.order.asked
    said: dict[str, Any] = {
        "composition_plan": maker.order.plan,
        "song_metadata": {
            "title": "Test music",
            "description": "Made by the test server",
            "genres": ["test"],
            "languages": [],
            "is_explicit": False,
        },
    }
    if asked.get("with_timestamps"):
        said["words_timestamps"] = []  # it is instrumental
    if asked.get("with_waveform_visual"):
        said["waveform_visual"] = [500] * round(maker.order.length_s * _WAVEFORM_PER_S)
    return _multipart(maker, said, [maker.music()])


def _zipped(maker: Maker, members: list[tuple[str, Path]]) -> Answer:
    path = archive(maker.folder / "answer.zip", members)
    return Answer(content_type="application/zip", content=path)


def _zip_tracks(maker: Maker) -> Answer:
    tracks = [maker.music("music"), maker.music("sfx", kind="effects")]
    return _zipped(maker, [(path.name, path) for path in tracks])


def _zip_segments(maker: Maker) -> Answer:
    return _zipped(maker, [(path.name, path) for path in maker.segments()])


def _zip_bad_member(maker: Maker) -> Answer:
    answer = _zip_tracks(maker)
    assert isinstance(answer.content, Path)
    return replace(answer, content=damaged(answer.content))


def _zip_climb(maker: Maker) -> Answer:
    return _zipped(maker, [("../../evil.mp3", maker.music())])


def _bytes_zip(content: bytes) -> Answer:
    return Answer(content_type="application/zip", content=content)


def _json_audio(maker: Maker) -> Answer:
    return _json({"audio_base64": _base64(maker.music()), "metadata": maker.metadata()})


def _json_segments(maker: Maker) -> Answer:
    starts_s = [sum(maker.order.parts_s[:number]) for number in range(len(maker.order.parts_s))]
    segments = [
        {
            "index": number,
            "start_seconds": starts_s[number],
            "duration_seconds": maker.order.parts_s[number],
            "audio_base64": _base64(path),
        }
        for number, path in enumerate(maker.segments())
    ]
    return _json({"segments": segments, "metadata": maker.metadata()})


def _json_echo(maker: Maker) -> Answer:
    """The key in more bytes than a client reads at once, and once more in another spelling."""
    spelt = "".join(f"\\u{ord(character):04x}" for character in maker.key)
    request = {"spelt": _SPELT, "headers": [f"xi-api-key: {maker.key}"] * _ECHOES}
    said = {"request": request, "audio_base64": _base64(maker.music())}
    return Answer(
        content_type="application/json",
        content=json.dumps(said).replace(_SPELT, spelt).encode(),
    )


def _json_bad_base64(maker: Maker) -> Answer:
    good = _base64(maker.music())
    return _json({"audio_base64": "%%" + good[:-3] + "!", "metadata": maker.metadata()})


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _truncated(maker: Maker) -> Answer:
    whole = maker.music()
    data = whole.read_bytes()
    kept = data[: int(len(data) * _KEPT_OF_TRUNCATED)]
    return Answer(content_type=content_type(maker.order.output_format), content=kept)


def _mono(maker: Maker) -> Answer:
    return Answer(
        content_type=content_type(maker.order.output_format), content=maker.music(channels=1)
    )


def _wav(maker: Maker) -> Answer:
    return _audio(replace(maker, order=replace(maker.order, output_format="wav_48000")))


_SPECIAL: dict[Behaviour, Callable[[Maker], Answer]] = {
    "truncated-mp3": _truncated,
    "short-30": lambda maker: _audio(maker.resized(maker.order.length_s * _KEPT_OF_SHORT)),
    "length-20": lambda maker: _audio(maker.resized(maker.order.length_s + _LONGER_S)),
    "mono-pcm": _mono,
    "wav": _wav,
    "wrong-content-type": lambda maker: replace(_audio(maker), content_type="text/plain"),
    "zip-tracks": _zip_tracks,
    "zip-segments": _zip_segments,
    "zip-bad-member": _zip_bad_member,
    "zip-bomb": lambda _: _bytes_zip(bomb(hidden=False)),
    "zip-bomb-hidden": lambda _: _bytes_zip(bomb(hidden=True)),
    "zip-climb": _zip_climb,
    "zip-many": lambda _: _bytes_zip(many()),
    "multipart-mixed": lambda maker: _multipart(maker, maker.metadata(), [maker.music()]),
    "multipart-segments": lambda maker: _multipart(maker, maker.metadata(), maker.segments()),
    "json-audio": _json_audio,
    "json-segments": _json_segments,
    "json-bad-base64": _json_bad_base64,
    "html-200": lambda _: Answer(content_type="text/html; charset=utf-8", content=_PAGE),
    "empty-200": lambda _: Answer(content_type="audio/mpeg", content=b""),
    "echo-key-json": _json_echo,
    "short-60": lambda maker: _audio(maker.resized(maker.order.length_s * _KEPT_OF_SHORTER)),
}


def make_plan_answer(plan: Any, behaviour: Behaviour) -> Answer:  # noqa: ANN401 - JSON
    """The body for a request for a plan; of behaviours about content it knows two."""
    if behaviour in {"html-200", "empty-200"}:
        return Answer(
            content_type="text/html; charset=utf-8",
            content=_PAGE if behaviour == "html-200" else b"",
        )
    return _json(plan)
