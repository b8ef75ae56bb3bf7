"""k-mer counts of bins and of the bins beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ft_s2a.evaluation.binning import Grid
from ft_s2a.genome.fasta import Genome
from ft_s2a.genome.sequence import N_CODE

Floats = NDArray[np.float64]

# Numbers in one piece of features: 64 MB of float64.
_AT_ONCE = 1 << 23


def count_kmers(codes: NDArray[np.uint8], bins: int, bin_size: int, k: int) -> NDArray[np.int64]:
    """Count the k-mers that start in each bin.

    The strand that was given is counted: merging reverse complements would hide what tells the
    strands of a stranded track apart.

    Parameters
    ----------
    codes : uint8 array [bins * bin_size + k - 1]
        A0 C1 G2 T3 N4.  A k-mer with an N is not counted.
    bins, bin_size, k : int
        Number of bins, bases per bin, length of the k-mers.

    Returns
    -------
    int64 array [bins, 4**k]
        Columns in alphabetical order of the k-mers.

    Examples
    --------
    >>> count_kmers(np.array([0, 1, 1, 4, 0], dtype=np.uint8), bins=2, bin_size=2, k=2).nonzero()
    (array([0, 0]), array([1, 5]))
    """
    length = bins * bin_size
    index = np.zeros(length, dtype=np.int64)
    known = np.ones(length, dtype=bool)
    for offset in range(k):
        letters = codes[offset : offset + length]
        index = index * 4 + np.minimum(letters, 3)
        known &= letters < 4
    cells = np.arange(length) // bin_size * 4**k + index
    return np.bincount(cells[known], minlength=bins * 4**k).reshape(bins, 4**k)


class CountSource(Protocol):
    """Bins whose k-mers can be counted; their order is that of the values beside them."""

    def __len__(self) -> int:
        """Number of bins."""
        ...

    def pieces(self, k: int, flank: int) -> Iterator[tuple[slice, Floats]]:
        """Features of all bins in pieces that fit into memory.

        Each is (rows, float64 [rows, (2 * flank + 1) * 4**k]): the counts of a bin and of the
        `flank` bins at each side of it, from left to right.
        """
        ...


@dataclass(frozen=True)
class GenomeCounts:
    """The bins of a grid over a genome.

    Bins beside a region are read as well (N beyond the contig), so that the features of a bin do
    not depend on where its region was cut.
    """

    genome: Genome
    grid: Grid

    def __len__(self) -> int:
        return len(self.grid)

    def pieces(self, k: int, flank: int) -> Iterator[tuple[slice, Floats]]:
        """See :class:`CountSource`."""
        size = self.grid.bin_size
        for row, region, first, last in self.grid.pieces(_bins_at_once(k, flank)):
            start = region.start + (first - flank) * size
            end = region.start + (last + flank) * size + k - 1
            codes = self.genome.codes(region.chrom, start, end)
            yield (
                slice(row, row + last - first),
                context_counts(codes, last - first, bin_size=size, k=k, flank=flank),
            )


@dataclass(frozen=True)
class WindowCounts:
    """The bins in the middle of windows of which only the sequence is known.

    Parameters
    ----------
    codes : callable
        Gives window `i` as uint8 codes; its middle ``bins * bin_size`` bases are the bins, and
        what lies beyond its ends counts as N.
    windows, bins, bin_size : int
        Number of windows, bins of each, bases of a bin.
    """

    codes: Callable[[int], NDArray[np.uint8]]
    windows: int
    bins: int
    bin_size: int

    def __len__(self) -> int:
        return self.windows * self.bins

    def pieces(self, k: int, flank: int) -> Iterator[tuple[slice, Floats]]:
        """See :class:`CountSource`."""
        at_once = _bins_at_once(k, flank)
        for index in range(self.windows):
            padded = self._with_flanks(self.codes(index), k, flank)
            for first in range(0, self.bins, at_once):
                bins = min(at_once, self.bins - first)
                piece = padded[first * self.bin_size :]
                row = index * self.bins + first
                counts = context_counts(piece, bins, bin_size=self.bin_size, k=k, flank=flank)
                yield slice(row, row + bins), counts

    def _with_flanks(self, codes: NDArray[np.uint8], k: int, flank: int) -> NDArray[np.uint8]:
        wanted = self.bins * self.bin_size
        start = (len(codes) - wanted) // 2 - flank * self.bin_size
        end = start + wanted + 2 * flank * self.bin_size + k - 1
        inside = codes[max(0, start) : end]
        missing = (max(0, -start), max(0, end - len(codes)))
        return np.pad(inside, missing, constant_values=N_CODE)


def context_counts(
    codes: NDArray[np.uint8], bins: int, *, bin_size: int, k: int, flank: int
) -> Floats:
    """k-mer counts of consecutive bins, each with the `flank` bins at both sides.

    Parameters
    ----------
    codes : uint8 array
        From the first base of the leftmost flanking bin on, at least
        ``(bins + 2 * flank) * bin_size + k - 1``.

    Returns
    -------
    float64 array [bins, (2 * flank + 1) * 4**k]
    """
    counts = count_kmers(codes, bins + 2 * flank, bin_size, k).astype(np.float64)
    return np.concatenate([counts[shift : shift + bins] for shift in range(2 * flank + 1)], axis=1)


def _bins_at_once(k: int, flank: int) -> int:
    words: int = 4**k  # mypy: a power of int may be a float
    return max(1, _AT_ONCE // ((2 * flank + 1) * words))
