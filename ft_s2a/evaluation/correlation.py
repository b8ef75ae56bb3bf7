"""Correlations of whole arrays, one value per track, in float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ft_s2a.errors import DataError
from ft_s2a.evaluation.moments import Moments

Floats = NDArray[np.float64]


def pearson_per_track(pred: ArrayLike, obs: ArrayLike) -> Floats:
    """Pearson correlation of each track over bins.

    Parameters
    ----------
    pred, obs : float array [N, T]
        Predicted and observed values in the same units.  A bin that is NaN on either side is left
        out of that track.

    Returns
    -------
    float64 array [T]
        NaN for a track that is constant on either side: count those, do not average over them.

    Examples
    --------
    >>> pearson_per_track([[1, 5], [2, 5], [3, 5]], [[2, 0], [4, 1], [6, 0]]).tolist()
    [1.0, nan]
    """
    return _moments(pred, obs).pearson()


def r2_per_track(pred: ArrayLike, obs: ArrayLike) -> Floats:
    """Coefficient of determination (1 - SSE / SST) of each track over bins, float64 [T].

    Parameters and masking as in :func:`pearson_per_track`; NaN where the observed is constant.

    Examples
    --------
    >>> r2_per_track([[1.0], [2.0], [3.0]], [[1.0], [2.0], [4.0]]).round(4).tolist()
    [0.7857]
    """
    return _moments(pred, obs).r2()


def spearman_per_track(pred: ArrayLike, obs: ArrayLike) -> Floats:
    """Spearman correlation of each track over bins, float64 [T]; ties get their mean rank.

    Exact: one track at a time is ranked as a whole.  Parameters and masking as in
    :func:`pearson_per_track`.

    Examples
    --------
    >>> spearman_per_track([[1.0], [2.0], [9.0]], [[0.0], [10.0], [11.0]]).tolist()
    [1.0]
    """
    predicted, observed = _two_arrays(pred, obs)
    return np.array(
        [spearman(predicted[:, t], observed[:, t]) for t in range(predicted.shape[1])],
        dtype=np.float64,
    )


def spearman(pred: NDArray[np.floating], obs: NDArray[np.floating]) -> float:
    """Spearman correlation of one track, [N] and [N]."""
    known = ~(np.isnan(pred) | np.isnan(obs))
    if not known.all():
        pred, obs = pred[known], obs[known]
    return float(_moments(_ranks(pred)[:, None], _ranks(obs)[:, None]).pearson()[0])


def _ranks(values: NDArray[np.floating]) -> Floats:
    """Ranks from 1, ties at their mean; few temporaries, since a track may be a genome long."""
    # scipy.stats has this too, but takes seconds to import.
    order = np.argsort(values)
    ordered = values[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    del ordered
    ties = np.diff(np.append(starts, len(values)))
    ranks = np.empty(len(values), dtype=np.float64)
    ranks[order] = np.repeat(starts + (ties + 1) / 2.0, ties)
    return ranks


def _moments(pred: ArrayLike, obs: ArrayLike) -> Moments:
    predicted, observed = _two_arrays(pred, obs)
    moments = Moments(predicted.shape[1])
    moments.update(predicted, observed)
    return moments


def _two_arrays(
    pred: ArrayLike, obs: ArrayLike
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    predicted, observed = np.asarray(pred), np.asarray(obs)
    if predicted.ndim != 2 or predicted.shape != observed.shape:
        raise DataError(
            f"predicted of shape {predicted.shape} and observed of shape {observed.shape}",
            expected="both (bins, tracks)",
        )
    return predicted, observed
