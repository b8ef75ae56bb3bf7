"""Mergeable float64 moments of predicted and observed values, per track.

Raw sums of squares lose every digit when a track's mean is large beside its spread, so the
moments are kept centred: each chunk is shifted by its first value and summed in two passes, and
chunks are merged as in Chan, Golub & LeVeque, "Updating formulae and a pairwise algorithm for
computing sample variances" (1979).  A track without any spread has moments of exactly zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ft_s2a.errors import DataError

Floats = NDArray[np.float64]

# Elements worked on at once: two float64 buffers of it stay in the processor's cache.
_CHUNK = 1 << 16
_ROWS = 6


class Moments:
    """Count, means, sums of squares and of products of two values, for many tracks at once.

    Parameters
    ----------
    shape : int or tuple of int
        Number of tracks (any shape is allowed: blocks, draws).

    Attributes
    ----------
    state : float64 array [6, *shape]
        Count, mean predicted, mean observed, sum of squared deviations of the predicted and of the
        observed, and sum of the products of both deviations.  Send it to another process and
        rebuild with :meth:`from_state`.

    Examples
    --------
    >>> first, second = Moments(1), Moments(1)
    >>> first.update(np.array([[1.0], [2.0]]), np.array([[2.0], [4.0]]))
    >>> second.update(np.array([[3.0], [np.nan]]), np.array([[6.0], [1.0]]))
    >>> first.merge(second).pearson().tolist(), first.count.tolist()
    ([1.0], [3.0])
    """

    __slots__ = ("state",)

    def __init__(self, shape: int | tuple[int, ...]) -> None:
        dimensions = (shape,) if isinstance(shape, int) else shape
        self.state: Floats = np.zeros((_ROWS, *dimensions), dtype=np.float64)

    @classmethod
    def from_state(cls, state: ArrayLike) -> Moments:
        """Take over a `state` array [6, *shape] (copied)."""
        values = np.array(state, dtype=np.float64)
        if values.ndim == 0 or values.shape[0] != _ROWS:
            raise DataError(
                f"a state of shape {values.shape}", expected=f"({_ROWS}, tracks), as Moments.state"
            )
        moments = cls(values.shape[1:])
        moments.state = values
        return moments

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tracks."""
        return tuple(self.state.shape[1:])

    @property
    def count(self) -> Floats:
        """Number of bins where neither side is missing."""
        count: Floats = self.state[0]
        return count

    @property
    def mean_predicted(self) -> Floats:
        """Mean of the predicted; NaN without any bin."""
        return np.where(self.count > 0, self.state[1], np.nan)

    @property
    def mean_observed(self) -> Floats:
        """Mean of the observed; NaN without any bin."""
        return np.where(self.count > 0, self.state[2], np.nan)

    @property
    def constant_predicted(self) -> NDArray[np.bool_]:
        """Tracks whose predicted values do not vary (or that have no bin)."""
        return np.asarray(self.state[3] == 0)

    @property
    def constant_observed(self) -> NDArray[np.bool_]:
        """Tracks whose observed values do not vary (or that have no bin)."""
        return np.asarray(self.state[4] == 0)

    @property
    def constant(self) -> NDArray[np.bool_]:
        """Tracks without a correlation because one side does not vary: report their number."""
        return self.constant_predicted | self.constant_observed

    def update(self, pred: ArrayLike, obs: ArrayLike) -> None:
        """Add bins.

        Parameters
        ----------
        pred, obs : float array [..., T]
            Predicted and observed values of T tracks; leading axes are bins.  A bin that is NaN
            on either side is left out of that track.

        Raises
        ------
        DataError
            When the shapes differ, or are not those of this object.
        """
        predicted, observed = np.asarray(pred), np.asarray(obs)
        if len(self.shape) != 1:
            raise DataError(f"moments of shape {self.shape} cannot be updated with tracks")
        tracks = self.shape[0]
        if predicted.shape != observed.shape or predicted.shape[-1:] != (tracks,):
            raise DataError(
                f"predicted of shape {predicted.shape} and observed of shape {observed.shape}",
                expected=f"both (bins, {tracks})",
            )
        predicted, observed = predicted.reshape(-1, tracks), observed.reshape(-1, tracks)
        step = max(16, _CHUNK // max(1, tracks))
        for first in range(0, len(predicted), step):
            rows = slice(first, first + step)
            with np.errstate(invalid="ignore", over="ignore"):
                _merge_into(self.state, _state_of(predicted[rows], observed[rows]))

    def merge(self, other: Moments) -> Moments:
        """Add the bins of `other` to these and return self."""
        if other.shape != self.shape:
            raise DataError(f"moments of {other.shape} tracks", expected=f"{self.shape} tracks")
        with np.errstate(invalid="ignore", over="ignore"):
            _merge_into(self.state, other.state)
        return self

    def pearson(self) -> Floats:
        """Pearson correlation per track; NaN where a side is constant or has fewer than 2 bins."""
        _, _, _, m2_pred, m2_obs, comoment = self.state
        with np.errstate(invalid="ignore", divide="ignore"):
            # Two roots: the product of the squares could overflow or vanish.
            r = comoment / (np.sqrt(m2_pred) * np.sqrt(m2_obs))
        return np.where(self.constant | (self.count < 2), np.nan, np.clip(r, -1.0, 1.0))

    def r2(self) -> Floats:
        """Coefficient of determination, 1 - SSE / SST, per track.

        Not the square of the correlation: a prediction in a wrong unit or with an offset loses,
        down to negative values.  NaN where the observed is constant or has fewer than 2 bins.
        """
        count, mean_pred, mean_obs, m2_pred, m2_obs, comoment = self.state
        with np.errstate(invalid="ignore", divide="ignore"):
            error = m2_pred + m2_obs - 2 * comoment + count * np.square(mean_pred - mean_obs)
            result = 1.0 - np.maximum(error, 0.0) / m2_obs
        return np.where(self.constant_observed | (count < 2), np.nan, result)

    def collapse(self) -> Moments:
        """Merge along the last axis (blocks of one track into the track), in one step."""
        count, mean_pred, mean_obs, m2_pred, m2_obs, comoment = self.state
        pooled = Moments(self.shape[:-1])
        total = count.sum(axis=-1)
        at_least_one = np.maximum(total, 1.0)
        shifts = []
        for row, mean in ((1, mean_pred), (2, mean_obs)):
            # Shifted by a block's mean, so that equal means give exactly that mean.
            origin = np.take_along_axis(mean, count.argmax(axis=-1)[..., None], axis=-1)
            offset = np.where(count > 0, mean - origin, 0.0)
            centre = (count * offset).sum(axis=-1) / at_least_one
            pooled.state[row] = np.where(total > 0, origin[..., 0] + centre, 0.0)
            shifts.append(np.where(count > 0, offset - centre[..., None], 0.0))
        pooled.state[0] = total
        pooled.state[3] = (m2_pred + count * shifts[0] ** 2).sum(axis=-1)
        pooled.state[4] = (m2_obs + count * shifts[1] ** 2).sum(axis=-1)
        pooled.state[5] = (comoment + count * shifts[0] * shifts[1]).sum(axis=-1)
        return pooled


def _merge_into(state: Floats, other: Floats) -> None:
    count = state[0] + other[0]
    share = other[0] / np.maximum(count, 1.0)
    delta_pred, delta_obs = other[1] - state[1], other[2] - state[2]
    weight = state[0] * share
    state[3] += other[3] + np.square(delta_pred) * weight
    state[4] += other[4] + np.square(delta_obs) * weight
    state[5] += other[5] + delta_pred * delta_obs * weight
    state[1] += delta_pred * share
    state[2] += delta_obs * share
    state[0] = count


def _state_of(pred: NDArray[Any], obs: NDArray[Any]) -> Floats:
    """Moments of one chunk [N, T]; most chunks miss nothing and need no mask."""
    state = _state_complete(pred, obs)
    if np.isfinite(state).all():
        return state
    return _state_masked(pred, obs, ~(np.isnan(pred) | np.isnan(obs)))


def _state_complete(pred: NDArray[Any], obs: NDArray[Any]) -> Floats:
    number, tracks = pred.shape
    state = np.empty((_ROWS, tracks), dtype=np.float64)
    state[0] = number
    ones = np.ones(number)
    deviations, residuals = [], []
    for row, values in ((1, pred), (2, obs)):
        deviation = values.astype(np.float64)
        # A copy: the first row is a view of what is shifted.
        origin = deviation[0].copy()
        deviation -= origin
        centre = ones @ deviation / number
        deviation -= centre
        # What rounding left of the mean (Björck's correction).
        residual = ones @ deviation / number
        state[row] = origin + (centre + residual)
        deviations.append(deviation)
        residuals.append(residual)
    pairs = ((3, 0, 0), (4, 1, 1), (5, 0, 1))
    for row, one, other in pairs:
        total = np.einsum("nt,nt->t", deviations[one], deviations[other])
        state[row] = total - number * residuals[one] * residuals[other]
    # The correction may leave -0.0 or a rounding below it.
    np.maximum(state[3:5], 0.0, out=state[3:5])
    return state


def _state_masked(pred: NDArray[Any], obs: NDArray[Any], valid: NDArray[np.bool_]) -> Floats:
    state = np.zeros((_ROWS, pred.shape[1]), dtype=np.float64)
    state[0] = valid.sum(axis=0)
    number = np.maximum(state[0], 1.0)
    first = valid.argmax(axis=0)[None]
    deviations = []
    for row, values in ((1, pred), (2, obs)):
        origin = np.take_along_axis(values, first, axis=0)[0].astype(np.float64)
        origin = np.where(state[0] > 0, origin, 0.0)
        shifted = np.where(valid, values - origin, 0.0)
        centre = shifted.sum(axis=0) / number
        state[row] = origin + centre
        deviations.append(np.where(valid, shifted - centre, 0.0))
    residuals = [deviation.sum(axis=0) / number for deviation in deviations]
    for row, one, other in ((3, 0, 0), (4, 1, 1), (5, 0, 1)):
        total = (deviations[one] * deviations[other]).sum(axis=0)
        state[row] = total - number * residuals[one] * residuals[other]
    np.maximum(state[3:5], 0.0, out=state[3:5])
    return state
