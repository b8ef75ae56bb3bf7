"""Which windows a training set holds: regular or random starts inside the splits' intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ft_s2a.conventions.randomness import generator
from ft_s2a.data.splits import Splits
from ft_s2a.errors import DataError
from ft_s2a.geometry import Geometry, Interval


@dataclass(frozen=True)
class Window:
    """Target interval of one window, and its split."""

    chrom: str
    start: int
    end: int
    split: str


def place_windows(
    splits: Splits,
    sizes: Mapping[str, int],
    geometry: Geometry,
    *,
    train_starts: str = "regular",
    coverage: float = 10.0,
    seed: int = 0,
) -> list[Window]:
    """Place windows so that each one's whole input lies in an interval of its split.

    What lies beyond a contig's end (it reads as N) counts as inside.  Regular windows abut, one
    grid anchored at each interval; at a contig's end the last one may reach past it.  Random
    windows (training only) have uniform starts at single-base resolution, enough of them to cover
    each base `coverage` times on average; they hang over a contig's ends by up to half of their
    target.

    Parameters
    ----------
    splits : dict of str to list of Interval
    sizes : mapping of str to int
        Contig lengths.
    geometry : Geometry
    train_starts : {'regular', 'random'}
    coverage : float
        Mean number of random windows over a base.
    seed : int

    Returns
    -------
    list of Window
        In the order of `sizes`, then by start.

    Raises
    ------
    DataError
        When a split has no room for a window.
    """
    order = {name: index for index, name in enumerate(sizes)}
    windows: list[Window] = []
    for split, intervals in splits.items():
        room = [_allowed(interval, sizes[interval.chrom], geometry) for interval in intervals]
        if train_starts == "random" and split == "train":
            placed = _random(intervals, room, sizes, geometry, coverage, seed)
        else:
            placed = _regular(intervals, room, sizes, geometry)
        if not placed:
            longest = max(intervals, key=len)
            raise DataError(
                f"the {split} split has no room for one window: its longest interval {longest} "
                f"has {len(longest):,} bp",
                expected=f"intervals of at least {geometry.input_length:,} bp (the whole input)",
                remedy="use longer intervals or a shorter --input-length",
            )
        windows += [Window(c, s, s + geometry.output_length, split) for c, s in placed]
    return sorted(windows, key=lambda w: (order[w.chrom], w.start, w.split))


def _allowed(interval: Interval, length: int, geometry: Geometry) -> tuple[int, int]:
    """First and last target start of an interval whose whole target lies in it."""
    first = interval.start if interval.start == 0 else interval.start + geometry.crop
    margin = 0 if interval.end == length else geometry.crop
    return first, interval.end - margin - geometry.output_length


def _regular(
    intervals: list[Interval],
    room: list[tuple[int, int]],
    sizes: Mapping[str, int],
    geometry: Geometry,
) -> list[tuple[str, int]]:
    placed = []
    for interval, (first, last) in zip(intervals, room, strict=True):
        if interval.end == sizes[interval.chrom]:
            # The last window may reach past the contig's end.
            starts = range(first, interval.end, geometry.output_length)
        else:
            starts = range(first, last + 1, geometry.output_length)
        placed += [(interval.chrom, start) for start in starts]
    return placed


def _random(
    intervals: list[Interval],
    room: list[tuple[int, int]],
    sizes: Mapping[str, int],
    geometry: Geometry,
    coverage: float,
    seed: int,
) -> list[tuple[str, int]]:
    placed = []
    over = geometry.output_length // 2
    for interval, (first, last) in zip(intervals, room, strict=True):
        if last < first:
            placed += _regular([interval], [(first, last)], sizes, geometry)
            continue
        # Windows hang over contig ends by up to half, or the network would meet the run of N
        # that ends every whole-contig prediction for the first time there.
        if interval.start == 0:
            first -= over
        if interval.end == sizes[interval.chrom]:
            last += over
        span = last + geometry.output_length - first
        number = max(1, round(coverage * span / geometry.output_length))
        random = generator(seed, "windows", _code(interval.chrom), interval.start)
        starts: NDArray[np.int64] = random.integers(first, last + 1, size=number)
        placed += [(interval.chrom, int(start)) for start in np.sort(starts)]
    return placed


def _code(text: str) -> int:
    return int.from_bytes(text.encode(), "little")
