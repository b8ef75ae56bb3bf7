"""Which weights of a run are the best so far, and how long ago."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass
class Best:
    """Best validation so far, of a head or of the whole network.

    Examples
    --------
    >>> best = Best()
    >>> [best.offer(score, step) for step, score in ((10, 0.2), (20, 0.1), (30, 0.2))]
    [True, False, False]
    >>> best
    Best(score=0.2, step=10, unimproved=2)
    """

    score: float = float("-inf")
    step: int = 0
    unimproved: int = 0

    def offer(self, score: float, step: int, *, always: bool = False) -> bool:
        """Take a score when it is higher than the best (or `always`), else count it."""
        if score > self.score or always:
            self.score, self.step, self.unimproved = score, step, 0
            return True
        self.unimproved += 1
        return False


def rank_of(pearson: float) -> float:
    """Score by which validations are compared: r, and -1 for none.

    A network that predicts constants has no r, and is better than none.
    """
    return -1.0 if math.isnan(pearson) else pearson


def mean(values: Iterable[float]) -> float:
    """Mean of the heads' values; NaN as soon as one is."""
    listed = list(values)
    return sum(listed) / len(listed)
