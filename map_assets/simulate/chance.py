"""Where chance comes from: one generator for each purpose of each session. What is drawn lives with who draws it."""

from __future__ import annotations

import zlib

import numpy as np


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """Make the generator of one purpose; the same seed and names give the same draws, whatever else is made before.

    Parameters
    ----------
    seed : int
    *names : str or int
        The purpose, as in ``("SC022_20190228_151010", 1, "spikes")``.
    """
    words = [zlib.crc32(name.encode()) if isinstance(name, str) else name for name in names]
    return np.random.default_rng([seed, *words])
