"""Scores over held-out windows of a training set, in target units, for many tracks at once.

A window is one draw of the bootstrap: neighbouring bins resemble each other, windows hardly do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ft_s2a.errors import DataError
from ft_s2a.evaluation.bootstrap import BlockBootstrap, interval, resample
from ft_s2a.evaluation.moments import Moments
from ft_s2a.tracks.track import Track

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

# Keras' Poisson loss adds as much inside its logarithm.
_SMALLEST = 1e-7
ALL = "all"


def poisson_deviance(predicted: ArrayLike, observed: ArrayLike) -> Floats:
    """Poisson deviance of each value, ``2 (y ln(y / p) - (y - p))``, float64; NaN where y is.

    Predictions below 1e-7 count as that.

    Examples
    --------
    >>> poisson_deviance([1.0, 2.0, 1.0], [1.0, 1.0, 0.0]).round(4).tolist()
    [0.0, 0.6137, 2.0]
    """
    p = np.maximum(np.asarray(predicted, dtype=np.float64), _SMALLEST)
    y = np.asarray(observed, dtype=np.float64)
    ratio = np.where(y > 0, y, 1.0) / np.where(y > 0, p, 1.0)
    return np.asarray(2.0 * (y * np.log(ratio) - (y - p)))


class WindowScores:
    """How well one model predicts held-out windows, track by track.

    Parameters
    ----------
    model : str
        Name of the model.
    mean : float array [T]
        Constant that the deviance is compared with: each track's mean over the training bins.
    deviance : bool
        False for a model whose predictions may be negative, such as a linear regression.

    Examples
    --------
    >>> scores = WindowScores("perfect", [2.0])
    >>> for values in ([[1.0], [3.0]], [[2.0], [5.0]]):
    ...     scores.add(values, values)
    >>> table = scores.table([Track("a")], draws=0)
    >>> [float(table.loc[0, c]) for c in ("n_windows", "pearson", "deviance_explained")]
    [2.0, 1.0, 1.0]
    """

    def __init__(self, model: str, mean: ArrayLike, *, deviance: bool = True) -> None:
        self.model = model
        self._mean = np.asarray(mean, dtype=np.float64)
        self._deviance = deviance
        self._states: list[Floats] = []
        self._log_states: list[Floats] = []
        self._sums: list[Floats] = []

    def add(self, predicted: ArrayLike, observed: ArrayLike) -> None:
        """Add a window.

        Parameters
        ----------
        predicted, observed : float array [bins, T]
            Target units; NaN in the observed leaves a bin out of that track.

        Raises
        ------
        DataError
            When a prediction is not finite.
        """
        p = np.asarray(predicted, dtype=np.float64)
        y = np.asarray(observed, dtype=np.float64)
        if not np.isfinite(p).all():
            raise DataError(
                f"{self.model} predicts {p[~np.isfinite(p)][0]} in window {len(self._states)}",
                expected="finite values",
            )
        for states, left, right in (
            (self._states, p, y),
            # A linear regression may go below -1, of which there is no logarithm.
            (self._log_states, np.log1p(np.maximum(p, 0.0)), np.log1p(y)),
        ):
            moments = Moments(len(self._mean))
            moments.update(left, right)
            states.append(moments.state)
        null = np.nansum(poisson_deviance(self._mean, y), axis=0)
        own = (
            np.nansum(poisson_deviance(p, y), axis=0)
            if self._deviance
            else np.full_like(null, np.nan)
        )
        self._sums.append(np.stack([own, null]))

    def table(self, tracks: Sequence[Track], *, draws: int = 400, seed: int = 1) -> pd.DataFrame:
        """One row per track, then one per assay and one for all tracks.

        Intervals (`*_low`, `*_high`) hold 95 % of `draws` resamples of the windows; all tracks
        share the draws.  In the rows of several tracks `pearson` is the median over the tracks
        that have one, and deviances are means over tracks.

        Parameters
        ----------
        tracks : sequence of Track
            T tracks.
        draws : int
            Resamples; with 0 there are no intervals.

        Returns
        -------
        DataFrame
            Columns model, track (or ``median of N``), assay, n_windows, n_bins, pearson,
            pearson_low, pearson_high, pearson_log1p (with its interval), deviance, deviance_mean
            (of the constant), deviance_explained (1 - their ratio, with its interval).
        """
        import pandas as pd

        if not self._states:
            raise DataError("no window was scored", expected="at least one")
        plan = BlockBootstrap(blocks=len(self._states), draws=draws, seed=seed)
        found = {
            name: _correlations(np.stack(states, axis=-1), plan)
            for name, states in (("pearson", self._states), ("pearson_log1p", self._log_states))
        }
        bins = np.stack([state[0] for state in self._states]).sum(axis=0)
        sums = np.stack(self._sums)  # [windows, 2, T]
        weights = np.concatenate([*plan.weights()]) if draws else np.zeros((0, len(sums)))
        drawn = np.tensordot(weights, sums, axes=1)  # [draws, 2, T]
        counts = weights @ np.stack([state[0] for state in self._states])
        groups: list[tuple[str, str, NDArray[np.int64]]] = [
            (track.name, track.assay, np.array([row])) for row, track in enumerate(tracks)
        ]
        assays = [track.assay for track in tracks]
        for assay in dict.fromkeys(assays):
            rows = np.flatnonzero([a == assay for a in assays])
            groups.append((f"median of {len(rows)}", assay, rows))
        if len(set(assays)) > 1:
            groups.append((f"median of {len(assays)}", ALL, np.arange(len(assays))))
        records = []
        for name, assay, rows in groups:
            record: dict[str, Any] = {
                "model": self.model,
                "track": name,
                "assay": assay,
                "n_windows": len(self._states),
                "n_bins": int(bins[rows].max()),
            }
            for key, (value, resampled) in found.items():
                record[key] = _median(value[rows])
                low, high = interval(_medians(resampled[:, rows]))
                record[f"{key}_low"], record[f"{key}_high"] = low, high
            record["constant_tracks"] = int(np.isnan(found["pearson"][0][rows]).sum())
            own, null = _mean_deviances(sums.sum(axis=0)[None], bins[None], rows)[0]
            record["deviance"], record["deviance_mean"] = own, null
            record["deviance_explained"] = 1 - own / null if null > 0 else np.nan
            pairs = _mean_deviances(drawn, counts, rows)
            with np.errstate(invalid="ignore", divide="ignore"):
                explained = np.where(pairs[:, 1] > 0, 1 - pairs[:, 0] / pairs[:, 1], np.nan)
            low, high = interval(explained)
            record["deviance_explained_low"], record["deviance_explained_high"] = low, high
            records.append(record)
        return pd.DataFrame(records)


def _correlations(states: Floats, plan: BlockBootstrap) -> tuple[Floats, Floats]:
    """Pearson of each track [T] and of each draw [draws, T], from states [6, T, windows]."""
    whole = Moments.from_state(states).collapse().pearson()
    drawn = np.empty((plan.draws, states.shape[1]))
    for track in range(states.shape[1]):
        drawn[:, track] = resample(Moments.from_state(states[:, track]), plan).pearson()
    return whole, drawn


def _median(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")


def _medians(values: Floats) -> Floats:
    """Median of each row [draws, tracks]; that of one track is its value."""
    if values.shape[1] == 1:  # thousands of tracks, each of hundreds of draws
        return values[:, 0]
    return np.array([_median(row) for row in values])


def _mean_deviances(sums: Floats, counts: Floats, rows: NDArray[np.int64]) -> Floats:
    """Mean over tracks of the deviance per bin: [draws, 2] from [draws, 2, T] and [draws, T]."""
    known = counts[:, None, rows] > 0  # a track without any bin has no deviance
    per_bin = np.where(known, sums[:, :, rows] / np.maximum(counts[:, None, rows], 1.0), 0.0)
    tracks = known.sum(axis=2)
    return np.where(tracks > 0, per_bin.sum(axis=2) / np.maximum(tracks, 1), np.nan)
