"""k-mer counts of bins and of the bins beside them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ft_s2a.evaluation.binning import Grid
from ft_s2a.genome.fasta import Genome
from ft_s2a.geometry import Interval

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


def context_counts(
    genome: Genome, region: Interval, first: int, last: int, *, bin_size: int, k: int, flank: int
) -> Floats:
    """k-mer counts of bins `first` to `last` of a region, each with `flank` bins at both sides.

    Bins beyond the region are read as well (N beyond the contig), so that the features of a bin do
    not depend on where its region was cut.

    Returns
    -------
    float64 array [last - first, (2 * flank + 1) * 4**k]
    """
    bins = last - first
    start = region.start + (first - flank) * bin_size
    total = bins + 2 * flank
    codes = genome.codes(region.chrom, start, start + total * bin_size + k - 1)
    counts = count_kmers(codes, total, bin_size, k).astype(np.float64)
    return np.concatenate([counts[shift : shift + bins] for shift in range(2 * flank + 1)], axis=1)


def iterate_counts(
    genome: Genome, grid: Grid, *, k: int, flank: int
) -> Iterator[tuple[slice, Floats]]:
    """Features of a whole grid in pieces: (rows of the grid, float64 [rows, features])."""
    at_once = max(1, _AT_ONCE // ((2 * flank + 1) * 4**k))
    for row, region, first, last in grid.pieces(at_once):
        yield (
            slice(row, row + last - first),
            context_counts(genome, region, first, last, bin_size=grid.bin_size, k=k, flank=flank),
        )
