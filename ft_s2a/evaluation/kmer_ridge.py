"""Ridge regression of ln(1 + signal) on the k-mer counts of a bin and of the bins beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ft_s2a.errors import ConfigError, DataError
from ft_s2a.evaluation.correlation import pearson_per_track
from ft_s2a.evaluation.kmers import CountSource

Floats = NDArray[np.float64]

FLANK = 2
# Without a validation part.  On the yeast tracks r changes by less than 0.01 between 1,000 and
# 10,000; features are standardised, so that the value does not hang on bin size or k.
DEFAULT_ALPHA = 3000.0
ALPHAS = (100.0, 300.0, 1000.0, 3000.0, 10_000.0, 30_000.0, 100_000.0)
# expm1 of less is -1, of which the logarithm is infinite.
_LOWEST_LOG = -30.0


@dataclass(frozen=True)
class KmerRidge:
    """A fitted regression: ln(1 + signal) as a linear function of k-mer counts.

    Parameters
    ----------
    k, flank : int
        Length of the k-mers; bins counted at each side of a bin.
    alpha : tuple of float
        Ridge penalty of each track, on standardised features.
    coefficients : float64 array [features, T]
        Per count; features are those of :class:`ft_s2a.evaluation.kmers.CountSource`.
    intercept : float64 array [T]
    """

    k: int
    flank: int
    alpha: tuple[float, ...]
    coefficients: Floats
    intercept: Floats

    def predict(self, source: CountSource) -> Floats:
        """Predict the signal of each bin in the units it was fitted on, float64 [bins, T].

        Values may be slightly negative: the regression knows no bound.
        """
        return np.asarray(np.expm1(self.predict_log(source)))

    def predict_log(self, source: CountSource) -> Floats:
        """Predict ln(1 + signal) of each bin, float64 [bins, T]."""
        result = np.empty((len(source), len(self.intercept)), dtype=np.float64)
        for rows, counts in source.pieces(self.k, self.flank):
            result[rows] = counts @ self.coefficients + self.intercept
        return np.maximum(result, _LOWEST_LOG)


def fit_kmer_ridge(
    train: tuple[CountSource, Floats],
    *,
    k: int = 4,
    flank: int = FLANK,
    valid: tuple[CountSource, Floats] | None = None,
    alphas: Sequence[float] = ALPHAS,
    alpha: float = DEFAULT_ALPHA,
) -> KmerRidge:
    """Fit ln(1 + signal) on k-mer counts.

    Parameters
    ----------
    train : (CountSource, float64 array [N, T])
        Training bins and their observed signal, above -1; NaN leaves a bin out of a track.
    k, flank : int
        Length of the k-mers; bins counted at each side.
    valid : (CountSource, float64 array [M, T]), optional
        Bins to choose each track's penalty by: the highest Pearson correlation of ln(1 + x).
    alphas : sequence of float
        Penalties to choose from with `valid`.
    alpha : float
        Penalty without `valid`, and for tracks that are constant in it.

    Returns
    -------
    KmerRidge

    Raises
    ------
    DataError
        When a track has no training bin.
    """
    source, observed = train
    grids = tuple(alphas) if valid is not None else (alpha,)
    if any(a <= 0 for a in (*grids, alpha)):
        raise ConfigError("a ridge penalty of 0 or less", expected="penalties above 0")
    tracks = observed.shape[1]
    fitted = {a: KmerRidge(k, flank, (a,) * tracks, *_empty(k, flank, tracks)) for a in grids}
    for columns in _same_mask(observed):
        normal = _accumulate(source, observed[:, columns], k=k, flank=flank)
        for penalty in grids:
            coefficients, intercept = _solve(normal, penalty)
            fitted[penalty].coefficients[:, columns] = coefficients
            fitted[penalty].intercept[columns] = intercept
    if valid is None:
        return fitted[alpha]
    return _choose(valid, fitted, alpha)


def _empty(k: int, flank: int, tracks: int) -> tuple[Floats, Floats]:
    return np.zeros(((2 * flank + 1) * 4**k, tracks)), np.zeros(tracks)


def _same_mask(observed: Floats) -> list[NDArray[np.int64]]:
    """Group tracks that miss the same bins: they share one matrix of products."""
    groups: dict[bytes, list[int]] = {}
    for column in range(observed.shape[1]):
        missing = np.isnan(observed[:, column])
        if missing.all():
            raise DataError(f"track {column} has no observed value to train on")
        groups.setdefault(np.packbits(missing).tobytes(), []).append(column)
    return [np.array(columns, dtype=np.int64) for columns in groups.values()]


@dataclass(frozen=True)
class _Normal:
    """Centred products of standardised features, and of features with targets."""

    gram: Floats
    product: Floats
    mean: Floats
    scale: Floats
    target_mean: Floats


def _accumulate(source: CountSource, observed: Floats, *, k: int, flank: int) -> _Normal:
    known = ~np.isnan(observed[:, 0])
    features = (2 * flank + 1) * 4**k
    gram = np.zeros((features, features))
    product = np.zeros((features, observed.shape[1]))
    total = np.zeros(features)
    target = np.log1p(observed)
    number = int(known.sum())
    target_mean = target[known].mean(axis=0)
    for rows, counts in source.pieces(k, flank):
        inside = known[rows]
        part = counts if inside.all() else counts[inside]
        # Counts are small integers, of which these sums are exact in float64: centring them
        # afterwards loses nothing.
        gram += part.T @ part
        total += part.sum(axis=0)
        product += part.T @ (target[rows][inside] - target_mean)
    mean = total / number
    gram -= number * np.outer(mean, mean)
    spread = np.sqrt(np.maximum(np.diag(gram), 0.0) / number)
    # A k-mer that never varies (or never occurs) must not be blown up.
    scale = np.where(spread > 1e-9, spread, np.inf)
    gram /= scale[:, None]
    gram /= scale[None, :]
    return _Normal(gram, product / scale[:, None], mean, scale, target_mean)


def _solve(normal: _Normal, alpha: float) -> tuple[Floats, Floats]:
    from scipy.linalg import cho_factor, cho_solve

    matrix = normal.gram.copy()
    matrix[np.diag_indices_from(matrix)] += alpha
    factor = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
    coefficients = cho_solve(factor, normal.product) / normal.scale[:, None]
    return coefficients, normal.target_mean - normal.mean @ coefficients


def _choose(
    valid: tuple[CountSource, Floats], fitted: dict[float, KmerRidge], default: float
) -> KmerRidge:
    source, observed = valid
    target = np.log1p(observed)
    scores = np.stack(
        [pearson_per_track(ridge.predict_log(source), target) for ridge in fitted.values()]
    )
    options = list(fitted)
    nearest = int(np.argmin([abs(np.log(option / default)) for option in options]))
    best = np.where(
        np.isnan(scores).all(axis=0), nearest, np.where(np.isnan(scores), -2, scores).argmax(axis=0)
    )
    ridges = list(fitted.values())
    return KmerRidge(
        ridges[0].k,
        ridges[0].flank,
        tuple(options[i] for i in best),
        np.stack([ridges[i].coefficients[:, t] for t, i in enumerate(best)], axis=1),
        np.array([ridges[i].intercept[t] for t, i in enumerate(best)]),
    )
