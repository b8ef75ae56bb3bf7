"""Limits of the y axis that one outlier cannot spoil."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ft_s2a.browser.pairs import TrackPair
from ft_s2a.errors import FtS2aError
from ft_s2a.genome import BigWig
from ft_s2a.tracks import TrackFile

_BIN = 32
_WINDOW = 1 << 16
_WINDOWS = 64


def quantile_limits(
    pair: TrackPair, sizes: Mapping[str, int], quantile: float
) -> tuple[float, float]:
    """Common y limits of a pair: quantiles of the signal in 32-bp bins.

    Read are up to 64 windows of 65,536 bp, evenly spread over the genome (so all of a small one),
    always the same.  The lower limit is 0 unless the signal goes below it.

    Parameters
    ----------
    pair : TrackPair
        The limits are the wider ones of its two files.
    sizes : mapping of str to int
        Contigs to look at.
    quantile : float
        In (0.5, 1]; 1 is the largest value seen.

    Returns
    -------
    (float, float)
        Lower and upper limit, in the units of the bigWigs.
    """
    if not 0.5 < quantile <= 1.0:
        raise FtS2aError(f"the quantile {quantile:g}", expected="a number above 0.5, at most 1")
    ends = [_quantiles(file, sizes, quantile) for file in pair.files]
    low, high = min(0.0, *(e[0] for e in ends)), max(0.0, *(e[1] for e in ends))
    return (low, high) if high > low else (0.0, 1.0)


def _quantiles(file: TrackFile, sizes: Mapping[str, int], quantile: float) -> tuple[float, float]:
    with BigWig(file.file) as bigwig:
        windows = [
            (chrom, start, min(start + _WINDOW, length))
            for chrom, length in sizes.items()
            if chrom in bigwig.sizes
            for start in range(0, length, _WINDOW)
        ]
        chosen = np.unique(
            np.linspace(0, len(windows) - 1, min(_WINDOWS, len(windows))).astype(int)
        )
        values = np.concatenate(
            [bigwig.binned(*windows[index], bin_size=_BIN, missing="nan") for index in chosen]
        )
    known = values[np.isfinite(values)]
    if not known.size:
        return 0.0, 0.0
    low, high = np.quantile(known, [1.0 - quantile, quantile])
    return float(low), float(high)
