"""Which windows a training set holds: regular or random starts inside the splits' intervals."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ft_s2a.conventions.randomness import generator
from ft_s2a.data.blocks import cut_at_gaps
from ft_s2a.data.splits import Splits
from ft_s2a.errors import DataError
from ft_s2a.geometry import Geometry, Interval

_log = logging.getLogger(__name__)

Unmappable = Callable[[str, int, int], NDArray[np.bool_]]


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
    gaps: Iterable[Interval] = (),
    stride: float = 1.0,
    eval_stride: float = 1.0,
    snap: int = 1,
    unmappable: Unmappable | None = None,
    unmappable_limit: float = 0.5,
) -> list[Window]:
    """Place windows so that each one's whole input lies in an interval of its split.

    What lies beyond a contig's end (it reads as N) counts as inside; a gap does not: intervals are
    cut there.  Regular windows are `stride` apart, by default they abut, one grid anchored at each
    interval; at a contig's end the last one may reach past it.  Random windows (training only)
    have uniform starts, enough of them to cover each base `coverage` times on average; they hang
    over a contig's ends by up to half of their target.

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
    gaps : iterable of Interval
        Assembly gaps.
    stride, eval_stride : float
        From one regular window to the next, of train, and of valid and test: up to 1 a fraction
        of the target's length, above 1 in bp.
    snap : int
        Windows' targets start at multiples of this (bp).
    unmappable : callable, optional
        Gives the unmappable bins of a target interval ``(chrom, start, end)``, bool [bins].
    unmappable_limit : float
        A window with this fraction of unmappable bins, or more, is dropped.

    Returns
    -------
    list of Window
        In the order of `sizes`, then by start.

    Raises
    ------
    DataError
        When a split has no room for a window, or a stride is none.
    """
    order = {name: index for index, name in enumerate(sizes)}
    strides = {
        name: _bases(value, geometry, snap, option)
        for names, value, option in (
            (("train",), stride, "--stride"),
            (("valid", "test"), eval_stride, "--eval-stride"),
        )
        for name in names
    }
    gaps = list(gaps)
    windows: list[Window] = []
    for split, whole in splits.items():
        intervals = cut_at_gaps(whole, gaps) if gaps else whole
        is_random = train_starts == "random" and split == "train"
        placed: list[tuple[str, int]] = []
        short: list[Interval] = []
        for interval in intervals:
            room = _allowed(interval, sizes[interval.chrom], geometry)
            if is_random and room[0] <= room[1]:
                starts = _random(interval, room, sizes, geometry, coverage, seed, snap)
            else:
                starts = _regular(interval, room, sizes, geometry, strides[split], snap)
            placed += [(interval.chrom, start) for start in starts]
            if not starts:
                short.append(interval)
        if not placed:
            raise _no_room(split, intervals, geometry, has_gaps=bool(gaps))
        if short:
            _log.info(
                "%s: %d of %d intervals are too short for a window and hold none "
                "(%d bp in all, %d bp at most, an input has %d)",
                split, len(short), len(intervals), sum(map(len, short)), max(map(len, short)),
                geometry.input_length,
            )  # fmt: skip
        windows += [Window(c, s, s + geometry.output_length, split) for c, s in placed]
    if unmappable is not None:
        windows = keep_mappable(windows, unmappable, unmappable_limit)
    return sorted(windows, key=lambda w: (order[w.chrom], w.start, w.split))


def _bases(stride: float, geometry: Geometry, snap: int, option: str) -> int:
    """Give a stride in bp."""
    if snap < 1:
        raise DataError(f"{snap}", where="--snap", expected="1 bp or more")
    exact = stride * geometry.output_length if stride <= 1 else stride
    if not (math.isfinite(exact) and exact > 0 and round(exact) >= 1):
        raise DataError(
            f"{stride:g}",
            where=option,
            expected="up to 1 a fraction of the target's length, above 1 a number of bp",
        )
    if stride > 1 and exact != round(exact):
        raise DataError(f"{stride:g}", where=option, expected="a whole number of bp above 1")
    if round(exact) % snap:
        raise DataError(
            f"a stride of {round(exact):,} bp",
            where=option,
            expected=f"a multiple of --snap {snap}",
        )
    return round(exact)


def _no_room(
    split: str, intervals: list[Interval], geometry: Geometry, *, has_gaps: bool
) -> DataError:
    between = " between gaps" if has_gaps else ""
    if not intervals:
        return DataError(f"the {split} split lies in gaps wholly", remedy="use other intervals")
    longest = max(intervals, key=len)
    return DataError(
        f"the {split} split has no room for one window: its longest interval{between} {longest} "
        f"has {len(longest):,} bp",
        expected=f"intervals of at least {geometry.input_length:,} bp (the whole input)",
        remedy="use longer intervals or a shorter --input-length",
    )


def keep_mappable(windows: list[Window], unmappable: Unmappable, limit: float) -> list[Window]:
    """Drop windows with this fraction of unmappable bins, or more; see :func:`place_windows`.

    Raises
    ------
    DataError
        When a split is left without a window.
    """
    if not 0 < limit <= 1:
        raise DataError(f"an unmappable fraction of {limit:g}", expected="above 0, up to 1")
    kept = [w for w in windows if np.mean(unmappable(w.chrom, w.start, w.end)) < limit]
    for split in dict.fromkeys(w.split for w in windows):
        before, after = (sum(w.split == split for w in ws) for ws in (windows, kept))
        if not after:
            raise DataError(
                f"each of the {before} windows of the {split} split is unmappable in {limit:g} of "
                "its bins, or more",
                remedy="check the file of unmappable regions, or use other intervals",
            )
        if after < before:
            _log.info(
                "%s: %d of %d windows are dropped, unmappable in at least %g of their bins",
                split, before - after, before, limit,
            )  # fmt: skip
    return kept


def _allowed(interval: Interval, length: int, geometry: Geometry) -> tuple[int, int]:
    """First and last target start of an interval whose whole target lies in it."""
    first = interval.start if interval.start == 0 else interval.start + geometry.crop
    margin = 0 if interval.end == length else geometry.crop
    return first, interval.end - margin - geometry.output_length


def _regular(
    interval: Interval,
    room: tuple[int, int],
    sizes: Mapping[str, int],
    geometry: Geometry,
    stride: int,
    snap: int,
) -> list[int]:
    first, last = -(-room[0] // snap) * snap, room[1]
    if interval.end == sizes[interval.chrom]:
        # The last window may reach past the contig's end, none needs to begin after one that does.
        stop = max(first, min(interval.end - 1, last + stride - 1))
        last = stop if first < interval.end else last
    return list(range(first, last + 1, stride))


def _random(
    interval: Interval,
    room: tuple[int, int],
    sizes: Mapping[str, int],
    geometry: Geometry,
    coverage: float,
    seed: int,
    snap: int,
) -> list[int]:
    first, last = room
    over = geometry.output_length // 2
    # Windows hang over contig ends by up to half, or the network would meet the run of N
    # that ends every whole-contig prediction for the first time there.
    if interval.start == 0:
        first -= over
    if interval.end == sizes[interval.chrom]:
        last += over
    span = last + geometry.output_length - first
    number = max(1, round(coverage * span / geometry.output_length))
    random = generator(seed, "windows", _code(interval.chrom), interval.start)
    low, high = -(-first // snap), last // snap
    if high < low:  # no multiple in the little room there is
        return []
    starts: NDArray[np.int64] = random.integers(low, high + 1, size=number) * snap
    return [int(start) for start in np.sort(starts)]


def _code(text: str) -> int:
    return int.from_bytes(text.encode(), "little")
