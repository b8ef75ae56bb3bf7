"""Statistics of targets that training needs: means and null Poisson deviances per track."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ft_s2a.data.store import TrackStatistics

# Values looked up at once: more would not stay in the processor's cache.
_BLOCK = 1 << 15
# Bits of float16's infinity: what is not below it is infinite, NaN or has a sign.
_INFINITY = 0x7C00


class Sums(NamedTuple):
    """Sums over bins, float64 [T] each: number, y, y ln(y), and the largest y (at least 0)."""

    bins: NDArray[np.float64]
    total: NDArray[np.float64]
    y_log_y: NDArray[np.float64]
    maximum: NDArray[np.float64]


def sums_of(values: NDArray[Any]) -> Sums:
    """Sum bins [N, T]; what is not finite is left out.

    float16 has 65,536 values, which are looked up: its conversion and logarithms cost more.

    Examples
    --------
    >>> sums_of(np.array([[1.0], [np.nan], [3.0]])).total.tolist()
    [4.0]
    """
    if values.dtype == np.float16 and len(values):
        bits = np.ascontiguousarray(values).view(np.uint16)
        largest = bits.max(axis=0)  # values >= 0 are ordered as their bits are
        if largest.max(initial=0) < _INFINITY:
            return _sums_of_bits(bits, largest)
    y = values.astype(np.float64)
    known = np.isfinite(y)
    y = np.where(known, y, 0.0)
    return Sums(
        known.sum(axis=0, dtype=np.float64),
        y.sum(axis=0),
        (y * np.log(np.where(y > 0, y, 1.0))).sum(axis=0),
        y.max(axis=0, initial=0.0),
    )


def _sums_of_bits(bits: NDArray[np.uint16], largest: NDArray[np.uint16]) -> Sums:
    tracks = bits.shape[1]
    both = np.zeros(tracks, dtype=np.complex128)
    rows = max(1, _BLOCK // tracks)
    for first in range(0, len(bits), rows):
        both += _table().take(bits[first : first + rows]).sum(axis=0)
    maximum = largest.view(np.float16).astype(np.float64)
    return Sums(np.full(tracks, float(len(bits))), both.real.copy(), both.imag.copy(), maximum)


@functools.cache
def _table() -> NDArray[np.complex128]:
    """Give y + i y ln(y) of every finite float16 >= 0, by its bits: one look-up, two sums."""
    y = np.arange(_INFINITY, dtype=np.uint16).view(np.float16).astype(np.float64)
    table: NDArray[np.complex128] = y + 1j * (y * np.log(np.where(y > 0, y, 1.0)))
    return table


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
        self._sums = Sums(*(np.zeros(tracks) for _ in Sums._fields))

    def update(self, values: NDArray[Any]) -> None:
        """Add bins [N, T]; NaN is left out."""
        self.add(sums_of(values))

    def add(self, sums: Sums) -> None:
        """Add what :func:`sums_of` gave for some bins."""
        mine = self._sums
        mine.bins[:] += sums.bins
        mine.total[:] += sums.total
        mine.y_log_y[:] += sums.y_log_y
        np.maximum(mine.maximum, sums.maximum, out=mine.maximum)

    @property
    def sums(self) -> Sums:
        """What was added so far."""
        return self._sums

    def records(self) -> tuple[TrackStatistics, ...]:
        """One record per track."""
        rows = []
        for bins, total, y_log_y, maximum in zip(*self._sums, strict=True):
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
