"""One grid of bins over the regions that are evaluated, read from both sides alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ft_s2a.errors import GeometryError
from ft_s2a.genome.bigwig import BigWig
from ft_s2a.geometry import Interval, count_bins

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """Bins of several regions, each region's grid anchored at its start.

    The last bin of a region keeps its true span, so that every base is in exactly one bin whatever
    the steps of the files.

    Parameters
    ----------
    regions : tuple of Interval
        In the order of the bins.
    bin_size : int
        Bases per bin.

    Examples
    --------
    >>> grid = Grid((Interval("I", 0, 300), Interval("II", 50, 178)), bin_size=128)
    >>> len(grid), grid.widths().tolist()
    (4, [128, 128, 44, 128])
    >>> grid.block_starts(2).tolist()
    [0, 2, 3]
    """

    regions: tuple[Interval, ...]
    bin_size: int

    def __post_init__(self) -> None:
        if self.bin_size < 1:
            raise GeometryError(f"bin size {self.bin_size}", expected="1 base or more")
        if not self.regions:
            raise GeometryError("a grid without regions", expected="at least one region")

    def __len__(self) -> int:
        return int(self.offsets[-1])

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """First bin of each region, and the number of bins at the end: int64 [regions + 1]."""
        counts = [count_bins(r.start, r.end, self.bin_size) for r in self.regions]
        return np.concatenate(([0], np.cumsum(counts))).astype(np.int64)

    def widths(self) -> NDArray[np.int64]:
        """Bases of each bin, int64 [bins]."""
        widths = np.full(len(self), self.bin_size, dtype=np.int64)
        lengths = np.array([len(r) for r in self.regions], dtype=np.int64)
        widths[self.offsets[1:] - 1] = lengths - (np.diff(self.offsets) - 1) * self.bin_size
        return widths

    def block_starts(self, block: int) -> NDArray[np.int64]:
        """First bin of each block of `block` consecutive bins, int64 [blocks].

        Blocks do not reach from one region into another; a region's last block may be shorter.
        """
        if block < 1:
            raise GeometryError(f"blocks of {block} bins", expected="1 bin or more")
        return np.concatenate(
            [
                np.arange(first, last, block, dtype=np.int64)
                for first, last in zip(self.offsets[:-1], self.offsets[1:], strict=True)
            ]
        )

    def read(self, bigwig: BigWig, *, missing: Literal["zero", "nan"]) -> Floats:
        """Exact mean per base of each bin, float64 [bins].

        Parameters
        ----------
        missing : {'zero', 'nan'}
            Bases without a value count as zero, or are left out (a bin without any is NaN).
        """
        values = np.empty(len(self), dtype=np.float64)
        for index, region in enumerate(self.regions):
            values[self.offsets[index] : self.offsets[index + 1]] = bigwig.binned(
                region.chrom, region.start, region.end, bin_size=self.bin_size, missing=missing
            )
        return values

    def pieces(self, at_most: int) -> Sequence[tuple[int, Interval, int, int]]:
        """Cut the bins into pieces of at most `at_most`: (first bin, region, from, to).

        `from` and `to` count the bins within the region.
        """
        return [
            (int(self.offsets[index]) + first, region, first, min(first + at_most, count))
            for index, region in enumerate(self.regions)
            for count in (int(self.offsets[index + 1] - self.offsets[index]),)
            for first in range(0, count, at_most)
        ]
