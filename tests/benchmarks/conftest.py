"""How benchmarks compare: alternating pairs, process CPU seconds, the median ratio."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest


@dataclass(frozen=True)
class Ratio:
    """Our CPU seconds over the peer's.

    `low` and `high` are the second smallest and second largest of nine ratios, which hold the
    median with 96 % (binomial distribution).
    """

    name: str
    median: float
    low: float
    high: float
    ours: float
    peer: float

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.median:.2f} ({self.low:.2f}-{self.high:.2f}); "
            f"{self.ours * 1e3:.3g} ms against {self.peer * 1e3:.3g} ms of CPU"
        )


@pytest.fixture
def compare() -> Callable[..., Ratio]:
    """Run two functions in turn, nine times each after one that does not count; print the ratio."""

    def run(
        name: str, ours: Callable[[], object], peer: Callable[[], object], *, repeat: int = 1
    ) -> Ratio:
        def seconds(function: Callable[[], object]) -> float:
            start = time.process_time()
            for _ in range(repeat):
                function()
            return (time.process_time() - start) / repeat

        seconds(ours), seconds(peer)
        pairs = []
        for index in range(9):
            if index % 2:
                theirs, mine = seconds(peer), seconds(ours)
            else:
                mine, theirs = seconds(ours), seconds(peer)
            pairs.append((mine, theirs))
        times = np.array(pairs)
        ratios = np.sort(times[:, 0] / times[:, 1])
        ratio = Ratio(name, float(np.median(ratios)), ratios[1], ratios[-2], *np.median(times, 0))
        print(f"\n{ratio}")
        return ratio

    return run
