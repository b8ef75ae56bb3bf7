"""Random draws: each a pure function of the seed, what it is for, and which contig."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What a draw is for.  Numbers are part of the result: add new ones, never renumber."""

    BACKGROUND = 1
    LAYOUT = 2
    SITES = 3
    NOISE = 4
    INERT = 5
    DECOY_LAYOUT = 6
    DECOY_SITES = 7


def generator(seed: int, purpose: Purpose, *numbers: int) -> np.random.Generator:
    """Make the generator of a purpose and its numbers (contig, track).

    Examples
    --------
    >>> first = generator(1, Purpose.NOISE, 0, 2).integers(1000)
    >>> bool(first == generator(1, Purpose.NOISE, 0, 2).integers(1000))
    True
    """
    sequence = np.random.SeedSequence(seed, spawn_key=(int(purpose), *numbers))
    return np.random.Generator(np.random.Philox(sequence))
