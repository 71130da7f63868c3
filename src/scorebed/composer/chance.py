"""Chance that is the same in every process: generators named by words."""

from __future__ import annotations

import hashlib

import numpy as np


def rng_for(*words: str | int) -> np.random.Generator:
    """A generator that depends on the words and on nothing else.

    Args:
        words: What the generator is for, from the general to the particular.
    """
    text = "\x1f".join(str(word) for word in words)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))
