"""Quantiles as the published scripts take them: linear between order statistics, in float64.

numpy's own changed with its second version (a quantile of float16 values is looked up in float16,
which cannot count past 2,048), so the definition is written out here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def quantile(values: Floats, fraction: float) -> NDArray[np.float64]:
    """Quantile over the first axis, float64; NaN where a value is NaN.

    The difference of the two order statistics is taken in the values' own precision.

    Examples
    --------
    >>> float(quantile(np.array([1.0, 2.0, 4.0]), 0.75))
    3.0
    """
    place = (len(values) - 1) * fraction
    low = math.floor(place)
    high = min(low + 1, len(values) - 1)
    # Selection is slow in float16; float32 holds the same numbers.
    wide = values.astype(np.float32) if values.dtype == np.float16 else values
    ordered = np.partition(wide, sorted({low, high, len(values) - 1}), axis=0)  # NaN goes last
    found = _between(
        ordered[low].astype(values.dtype), ordered[high].astype(values.dtype), place - low
    )
    return np.where(np.isnan(ordered[-1]), np.nan, found)


def _between(low: Floats, high: Floats, fraction: float) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", over="ignore"):  # infinite coverage
        step = (high - low).astype(np.float64)
        if fraction < 0.5:
            return np.asarray(low.astype(np.float64) + step * fraction)
        return np.asarray(high.astype(np.float64) - step * (1.0 - fraction))


class UpperQuantile:
    """A quantile near 1 of columns that come in pieces, from the few highest values of each.

    Memory is that of the values above the quantile, about ``number * (1 - fraction)`` per column,
    whatever the number of pieces.

    Parameters
    ----------
    columns : int
    number : int
        Values that a column will have, at most.
    fraction : float

    Examples
    --------
    >>> upper = UpperQuantile(1, 4, 0.75)
    >>> for value in [3.0, 9.0, 1.0, 2.0]:
    ...     upper.update(np.array([[value]]))
    >>> upper.limits().tolist()
    [4.5]
    """

    def __init__(self, columns: int, number: int, fraction: float) -> None:
        self._fraction = fraction
        # Both order statistics around the quantile: counted from the top, at most the `kept`-th.
        kept = number - math.floor((number - 1) * fraction)
        self._best = np.full((kept, columns), -np.inf)
        self._number = np.zeros(columns, dtype=np.int64)
        self._dtype: np.dtype[Any] = np.dtype(np.float64)

    def update(self, values: Floats) -> None:
        """Take in `values` [N, columns]; NaN is no value."""
        self._dtype = values.dtype
        there = ~np.isnan(values)
        self._number += there.sum(axis=0)
        highest = np.where(there, values, -np.inf).max(axis=0)
        # The rows are sorted: row 0 holds the lowest of the highest.
        changed = np.flatnonzero(highest > self._best[0])
        if not len(changed):
            return
        new = np.where(there[:, changed], values[:, changed], -np.inf).astype(np.float64)
        kept = len(self._best)
        if len(new) > kept:
            new = np.partition(new, len(new) - kept, axis=0)[len(new) - kept :]
        both = np.sort(np.concatenate([self._best[:, changed], new]), axis=0)
        self._best[:, changed] = both[-kept:]

    def limits(self) -> NDArray[np.float64]:
        """The quantile of each column, in the values' precision; infinite without a value."""
        limits = np.full(self._best.shape[1], np.inf)
        for column, number in enumerate(self._number.tolist()):
            if number:
                place = (number - 1) * self._fraction
                low = math.floor(place)
                # Row of the order statistic `i`, counted from the lowest value of all.
                first = len(self._best) - number
                pair = self._best[[first + low, first + min(low + 1, number - 1)], column]
                low_value, high_value = pair.astype(self._dtype)
                limits[column] = _between(low_value, high_value, place - low)
        return limits.astype(self._dtype).astype(np.float64)
