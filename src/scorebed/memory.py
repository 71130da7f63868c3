"""Keeps the process as small at the end of a long film as at its start.

glibc's habits, which no other C library shares: a block that was freed raises the size up to which
blocks come from the heap, where small ones that live on keep them from the machine; and the heap is
not handed back unless it is asked for. Without the first, Python has 81 MB in place of 71 at the
end of a film of 47 minutes (62 and 61 at the end of five).
"""

from __future__ import annotations

import ctypes
import sys

_MMAP_THRESHOLD = -3
"""``M_MMAP_THRESHOLD`` of glibc's malloc.h."""
_LARGE_BYTES = 1 << 20


def keep_large_blocks_apart() -> None:
    """Lets large arrays go back to the machine when they are freed; for a program's start."""
    _call("mallopt", _MMAP_THRESHOLD, _LARGE_BYTES)


def give_back() -> None:
    """Hands back what was freed."""
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    if sys.platform == "linux":
        # musl has neither and needs neither.
        function = getattr(ctypes.CDLL(None), name, None)
        if function is not None:
            function(*arguments)
