"""Random streams by name: a step's numbers do not depend on which steps ran before it."""

from __future__ import annotations

import zlib

import numpy as np


def stream(seed: int, step: str) -> np.random.Generator:
    """The generator of one named step, spawned from `seed` by the step's name.

    Examples
    --------
    >>> stream(1, "firms").integers(100) == stream(1, "firms").integers(100)
    np.True_
    """
    child = np.random.SeedSequence(seed, spawn_key=(zlib.crc32(step.encode()),))
    return np.random.Generator(np.random.PCG64(child))
