"""Bundles of OpenTimelineIO: a zip with the timeline and its media."""

from __future__ import annotations

import zipfile
import zlib
from io import BytesIO

from scorebed.cutlists.listing import Unreadable

_CONTENT = "content.otio"
_MOST_BYTES = 200_000_000
"""A timeline of a long film has a few megabytes: what unpacks to more is none."""


def read_otioz(content: bytes) -> bytes:
    """The timeline in a bundle.

    Raises:
        Unreadable: If it is no bundle.
    """
    try:
        with zipfile.ZipFile(BytesIO(content)) as bundle:
            if bundle.getinfo(_CONTENT).file_size > _MOST_BYTES:
                raise Unreadable(f"its {_CONTENT} unpacks to more than {_MOST_BYTES} bytes")
            return bundle.read(_CONTENT)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        KeyError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise Unreadable(f"it is no bundle of OpenTimelineIO ({error})") from error
