"""Bins that short reads cannot be mapped to: which they are, and how their targets are bounded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ft_s2a.data.blocks import read_gaps
from ft_s2a.data.quantiles import quantile
from ft_s2a.data.windows import Window, keep_mappable
from ft_s2a.errors import DataError, FormatError
from ft_s2a.geometry import Geometry, Interval, count_bins

_F = TypeVar("_F", bound=np.floating[Any])

# A bin is unmappable when an interval takes this much of it.
_OVERLAP = 0.1


def unmappable_bins(
    intervals: Iterable[Interval], chrom: str, start: int, end: int, bin_size: int
) -> NDArray[np.bool_]:
    """Which bins of ``[start, end)`` are unmappable: those that an interval takes 10 % of.

    Parameters
    ----------
    intervals : iterable of Interval
        Unmappable regions of any contig.
    chrom : str
    start, end : int
        A window's target.
    bin_size : int

    Returns
    -------
    bool array [bins]

    Examples
    --------
    >>> repeats = [Interval("I", 95, 112)]
    >>> unmappable_bins(repeats, "I", 0, 300, 100).tolist()
    [False, True, False]
    """
    return UnmappableRegions(intervals, bin_size)(chrom, start, end)


class UnmappableRegions:
    """Gives the unmappable bins of target intervals, ``(chrom, start, end)`` to bool [bins].

    Parameters
    ----------
    intervals : iterable of Interval
    bin_size : int
    """

    def __init__(self, intervals: Iterable[Interval], bin_size: int) -> None:
        self._bin_size = bin_size
        spans: dict[str, list[tuple[int, int]]] = {}
        for interval in intervals:
            spans.setdefault(interval.chrom, []).append((interval.start, interval.end))
        self._spans = {}
        for chrom, found in spans.items():
            ordered = np.array(sorted(found), dtype=np.int64)
            # Ends reached so far: only these grow along the contig, as a search needs.
            self._spans[chrom] = ordered, np.maximum.accumulate(ordered[:, 1])

    def __call__(self, chrom: str, start: int, end: int) -> NDArray[np.bool_]:
        """Which bins of ``[start, end)`` are unmappable, bool [bins]."""
        size = self._bin_size
        mask = np.zeros(count_bins(start, end, size), dtype=bool)
        if chrom not in self._spans:
            return mask
        ordered, reached = self._spans[chrom]
        first = int(np.searchsorted(reached, start, side="right"))
        last = int(np.searchsorted(ordered[:, 0], end, side="left"))
        spans = np.clip(ordered[first:last] - start, 0, end - start)
        for left, right in spans[spans[:, 1] > spans[:, 0]].tolist():
            low, high = left // size, -(-right // size)
            taken = np.minimum(right, np.arange(low + 1, high + 1) * size) - np.maximum(
                left, np.arange(low, high) * size
            )
            mask[low:high] |= taken >= _OVERLAP * size
        return mask


def read_mask(path: str | Path, windows: Sequence[Window], bins: int) -> NDArray[np.bool_]:
    """Read a mask of bins as the published scripts write it (``mseqs_unmap.npy``).

    Returns
    -------
    bool array [windows, bins]

    Raises
    ------
    FormatError
        When the file is no such array.
    """
    try:
        mask = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise FormatError(
            f"cannot be read ({error})", where=path, expected="a numpy array of bool"
        ) from error
    wanted = (len(windows), bins)
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != wanted:
        found = f"{mask.dtype} {list(mask.shape)}" if isinstance(mask, np.ndarray) else "an archive"
        raise FormatError(
            f"holds {found}", where=path, expected=f"bool {list(wanted)}: windows and bins"
        )
    return mask


def mappable_windows(
    windows: list[Window],
    path: str | Path,
    geometry: Geometry,
    threshold: float,
    *,
    sizes: Mapping[str, int],
    of: str,
) -> tuple[list[Window], NDArray[np.bool_]]:
    """Drop the windows of which too many bins are unmappable.

    Parameters
    ----------
    windows : list of Window
    path : str or Path
        BED file of unmappable regions, or a mask with a row for each window (``.npy``).
    geometry : Geometry
    threshold : float
        Windows with this fraction of unmappable bins, or more, are dropped.
    sizes : mapping of str to int
        Contig lengths of the genome.
    of : str
        The genome's file, for messages.

    Returns
    -------
    list of Window, bool array [windows, bins]
        What is left, and its unmappable bins.
    """
    if Path(path).suffix == ".npy":
        mask = read_mask(path, windows, geometry.output_bins)
    else:
        intervals = read_gaps(path, sizes, of=of, what="unmappable region")
        regions = UnmappableRegions(intervals, geometry.bin_size)
        mask = np.array([regions(w.chrom, w.start, w.end) for w in windows])
    rows = {(w.chrom, w.start): row for w, row in zip(windows, mask, strict=True)}
    kept = keep_mappable(windows, lambda chrom, start, _: rows[chrom, start], threshold)
    return kept, np.array([rows[w.chrom, w.start] for w in kept])


def clip_unmappable(values: NDArray[_F], mask: NDArray[np.bool_], fraction: float) -> NDArray[_F]:
    """Bound unmappable bins by a quantile of their own window and track.

    Parameters
    ----------
    values : float array [bins, T]
        Target units of one window; NaN is no value, and stays.
    mask : bool array [bins]
    fraction : float
        The quantile, such as 0.25; 1 leaves all as it is.

    Returns
    -------
    float array [bins, T]
        Of the same type.

    Examples
    --------
    >>> values = np.array([[8.0], [1.0], [2.0], [3.0], [4.0]])
    >>> clip_unmappable(values, np.array([True, False, False, False, False]), 0.25)[:, 0].tolist()
    [2.0, 1.0, 2.0, 3.0, 4.0]
    """
    check_fraction(fraction)
    if fraction == 1 or not mask.any():
        return values
    missing = np.isnan(values)
    highest = quantile(values, fraction)
    for column in np.flatnonzero(missing.any(axis=0) & ~missing.all(axis=0)):
        highest[column] = quantile(values[~missing[:, column], column], fraction)
    result = values.copy()
    result[mask] = np.where(
        missing[mask], values[mask], np.fmin(values[mask].astype(np.float64), highest)
    )
    return result


class Finish:
    """What is done to a window's targets last: the unmappable clip, then rounding.

    Parameters
    ----------
    mask : bool array [windows, bins] or None
    fraction : float
        See :func:`clip_unmappable`.
    decimals : int or None
        Round to these, in float32 as the published scripts do.
    """

    def __init__(
        self, mask: NDArray[np.bool_] | None, fraction: float, decimals: int | None
    ) -> None:
        check_fraction(fraction)
        self._mask = mask
        self._fraction = fraction
        self._decimals = decimals

    def __call__(self, index: int, values: NDArray[_F]) -> NDArray[_F]:
        """Targets [bins, T] of the window `index`; the same array when nothing is to be done."""
        if self._mask is not None:
            values = clip_unmappable(values, self._mask[index], self._fraction)
        if self._decimals is None:
            return values
        return np.around(values.astype(np.float32), self._decimals).astype(values.dtype)


def check_fraction(fraction: float) -> None:
    """Refuse what is no quantile."""
    if not 0 <= fraction <= 1:
        raise DataError(f"a quantile of {fraction:g}", expected="a number of 0 to 1")
