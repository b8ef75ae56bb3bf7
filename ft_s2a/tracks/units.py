"""The two unit spaces and the way between them; nothing else knows the formulas.

*Observed units*: signal per base, as in the observed bigWig.
*Target units*: what a network is trained on (see :class:`ft_s2a.tracks.Track`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ft_s2a.errors import TrackError
from ft_s2a.tracks.track import Track

Floats = NDArray[np.floating[Any]]


def to_target(pooled: Floats, tracks: Sequence[Track]) -> NDArray[np.float64]:
    """Bring pooled bins into target units.

    Parameters
    ----------
    pooled : float array [..., T]
        Mean or sum of the bases of each bin, by each track's `sum_stat`.  NaN stays NaN.
    tracks : sequence of Track
        T tracks.

    Returns
    -------
    float64 array [..., T]

    Examples
    --------
    >>> to_target(np.array([[8.0]]), [Track("a", scale=2.0, squash="sqrt")]).tolist()
    [[4.0]]
    """
    _check(pooled, tracks)
    values = np.asarray(pooled, dtype=np.float64) * _column(tracks, "scale")
    values = np.minimum(values, _column(tracks, "clip"))
    soft = _column(tracks, "clip_soft")
    if np.isfinite(soft).any():
        over = np.maximum(values - np.where(np.isfinite(soft), soft, 0.0), 0.0)
        values = np.where(values > soft, soft - 1.0 + np.sqrt(over + 1.0), values)
    return _per_squash(values, tracks, _SQUASH)


def to_observed(
    target: Floats, tracks: Sequence[Track], bin_size: int | NDArray[np.integer[Any]]
) -> NDArray[np.float64]:
    """Bring target units back to signal per base.

    What was clipped stays clipped.  Values below zero (a network cannot be trusted to give none)
    are taken as zero where the squash cannot be inverted.

    Parameters
    ----------
    target : float array [..., T]
        Target units.
    tracks : sequence of Track
        T tracks.
    bin_size : int or int array [..., 1]
        Bases per bin: a sum is divided by it.

    Returns
    -------
    float64 array [..., T]
        NaN stays NaN.

    Examples
    --------
    >>> track = Track("a", sum_stat="sum", scale=2.0, squash="sqrt")
    >>> to_observed(np.array([[4.0]]), [track], 128).tolist()
    [[0.0625]]
    """
    _check(target, tracks)
    values = _per_squash(np.asarray(target, dtype=np.float64), tracks, _UNSQUASH)
    soft = _column(tracks, "clip_soft")
    if np.isfinite(soft).any():
        base = np.where(np.isfinite(soft), soft, 0.0)
        values = np.where(values > soft, np.square(values - base + 1.0) + base - 1.0, values)
    values = np.minimum(values, _column(tracks, "clip")) / _column(tracks, "scale")
    is_sum = np.array([track.sum_stat == "sum" for track in tracks])
    return np.where(is_sum, values / np.asarray(bin_size, dtype=np.float64), values)


def bins_to_observed(
    target: Floats, track: Track, *, start: int, end: int, bin_size: int
) -> NDArray[np.float64]:
    """Bring one track's bins of a grid back to signal per base.

    Parameters
    ----------
    target : float array [bins]
        Target units; bin ``i`` begins at ``start + i * bin_size``.
    track : Track
    start, end : int
        The grid's first base, and where its bases end: a contig's last bin may be shorter than
        the others, and its sum is over the bases that it has.
    bin_size : int

    Returns
    -------
    float64 array [bins]
        NaN for bins that lie wholly beyond `end`.

    Examples
    --------
    >>> track = Track("a", sum_stat="sum")
    >>> bins_to_observed(np.array([8.0, 8.0]), track, start=0, end=6, bin_size=4).tolist()
    [2.0, 4.0]
    """
    ends = start + bin_size * np.arange(1, len(target) + 1)
    bases = bin_size - np.clip(ends - end, 0, bin_size)
    values = to_observed(target[:, None], [track], np.maximum(bases, 1)[:, None])[:, 0]
    return np.where(bases > 0, values, np.nan)


_SQUASH: dict[str, Any] = {
    "none": lambda y: y,
    "sqrt": lambda y: np.sqrt(np.maximum(y, 0.0)),
    "log1p": lambda y: np.log1p(np.maximum(y, 0.0)),
    "pow0.75": lambda y: (1.0 + np.maximum(y, 0.0)) ** 0.75 - 1.0,
}
_UNSQUASH: dict[str, Any] = {
    "none": lambda y: y,
    "sqrt": lambda y: np.square(np.maximum(y, 0.0)),
    "log1p": lambda y: np.expm1(np.maximum(y, 0.0)),
    "pow0.75": lambda y: (1.0 + np.maximum(y, 0.0)) ** (4.0 / 3.0) - 1.0,
}


def _per_squash(
    values: NDArray[np.float64], tracks: Sequence[Track], functions: dict[str, Any]
) -> NDArray[np.float64]:
    kinds = {track.squash for track in tracks}
    if kinds == {"none"}:
        return values
    result = np.array(values, copy=True)
    for kind in kinds - {"none"}:
        columns = np.array([track.squash == kind for track in tracks])
        with np.errstate(over="ignore"):  # an absurd prediction becomes infinite, and is left out
            result[..., columns] = functions[kind](values[..., columns])
    return result


def _column(tracks: Sequence[Track], field: str) -> NDArray[np.float64]:
    column = np.array([getattr(track, field) for track in tracks], dtype=np.float64)
    if np.isnan(column).any():
        name = tracks[int(np.flatnonzero(np.isnan(column))[0])].name
        raise TrackError(
            f"the scale of track {name!r} is 'auto'",
            expected="a number: building a training set sets it",
        )
    return column


def _check(values: Floats, tracks: Sequence[Track]) -> None:
    if values.shape[-1] != len(tracks):
        raise TrackError(
            f"an array of {values.shape[-1]} tracks", expected=f"the {len(tracks)} of the table"
        )
