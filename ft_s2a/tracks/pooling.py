"""Wider bins from narrow ones, in target units."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ft_s2a.errors import TrackError
from ft_s2a.tracks.table import TrackTable
from ft_s2a.tracks.units import Floats, to_observed, to_target


def pool_targets(
    target: Floats, tracks: TrackTable, *, bin_size: int, factor: int
) -> NDArray[np.float64]:
    """Pool every `factor` bins: invert the transform, pool the bases, apply it again.

    What was clipped stays clipped, so a wide bin that holds such a one is a lower bound.

    Parameters
    ----------
    target : float array [bins, T]
        Target units; `bins` is a multiple of `factor`.
    tracks : TrackTable
        T tracks.
    bin_size : int
        Bases of a narrow bin.
    factor : int
        Narrow bins in a wide one.

    Returns
    -------
    float64 array [bins / factor, T]
        NaN where a narrow bin is NaN.

    Examples
    --------
    >>> from ft_s2a.tracks import Track
    >>> table = TrackTable((Track("a", sum_stat="sum", squash="sqrt"), Track("b", clip=3.0)))
    >>> pool_targets(np.array([[3.0, 3.0], [4.0, 1.0]]), table, bin_size=32, factor=2).tolist()
    [[5.0, 2.0]]
    """
    if len(target) % factor:
        raise TrackError(
            f"{len(target)} bins cannot be pooled by {factor}",
            expected=f"a factor that divides {len(target)}",
        )
    bases = to_observed(target, tracks, bin_size).reshape(-1, factor, len(tracks))
    pooled = bases.mean(axis=1)
    for column, track in enumerate(tracks):
        if track.sum_stat == "sum":
            pooled[:, column] *= bin_size * factor
        elif track.sum_stat == "max":
            pooled[:, column] = bases[:, :, column].max(axis=1)
    return to_target(pooled, tracks)
