"""Keeps the process as small at the end of a long film as at its start, and with a damaged one.

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
LIBAV_BLOCK_BYTES = 768 << 20
"""The largest block that libav may ask for. A header of 40 kB that promises 80 million frames made
it take 2.9 GB for their table; the tables of a day at 60 frames per second take 700 MB."""


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


def limit_allocations(extension: str) -> None:
    """Refuses libav's wish for a block that only a damaged header can ask for.

    Args:
        extension: One of PyAV's modules: the libraries that it was linked with are searched.
    """
    if sys.platform != "win32":
        # There a library shows only its own names.
        function = getattr(ctypes.CDLL(extension), "av_max_alloc", None)
        if function is not None:
            function(ctypes.c_size_t(LIBAV_BLOCK_BYTES))
