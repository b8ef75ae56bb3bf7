"""Statistics of targets that training needs: means and null Poisson deviances per track."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ft_s2a.data.store import TrackStatistics


class Statistics:
    """Streaming sums over bins, float64.

    The null Poisson deviance is the mean over bins of ``2 (y ln(y / m) - (y - m))`` with m the
    mean: what a model that knows only each track's mean is off by.

    Examples
    --------
    >>> statistics = Statistics(1)
    >>> statistics.update(np.array([[1.0], [3.0]]))
    >>> round(statistics.records()[0].null_deviance, 6)
    0.523248
    """

    def __init__(self, tracks: int) -> None:
        self._bins = np.zeros(tracks)
        self._sum = np.zeros(tracks)
        self._y_log_y = np.zeros(tracks)
        self._maximum = np.zeros(tracks)

    def update(self, values: NDArray[Any]) -> None:
        """Add bins [N, T]; NaN is left out."""
        y = values.astype(np.float64)
        known = np.isfinite(y)
        y = np.where(known, y, 0.0)
        self._bins += known.sum(axis=0)
        self._sum += y.sum(axis=0)
        self._y_log_y += (y * np.log(np.where(y > 0, y, 1.0))).sum(axis=0)
        self._maximum = np.maximum(self._maximum, y.max(axis=0))

    def records(self) -> tuple[TrackStatistics, ...]:
        """One record per track."""
        rows = []
        for bins, total, y_log_y, maximum in zip(
            self._bins, self._sum, self._y_log_y, self._maximum, strict=True
        ):
            mean = total / bins if bins else 0.0
            null = 2 * (y_log_y / bins - mean * np.log(mean)) if mean > 0 else 0.0
            rows.append(
                TrackStatistics(
                    bins=int(bins),
                    mean=float(mean),
                    maximum=float(maximum),
                    null_deviance=float(max(null, 0.0)),
                )
            )
        return tuple(rows)
