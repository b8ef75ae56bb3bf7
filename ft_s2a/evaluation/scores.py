"""The numbers that describe one track: correlations, their intervals, means."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ft_s2a.evaluation.bootstrap import BlockBootstrap, block_moments, interval, resample
from ft_s2a.evaluation.correlation import spearman
from ft_s2a.evaluation.moments import Moments

Floats = NDArray[np.float64]
_NAN = float("nan")


@dataclass(frozen=True)
class Score:
    """Agreement of one track; `*_low` and `*_high` are 95 % block-bootstrap intervals.

    Parameters
    ----------
    n_bins, n_missing : int
        Bins compared, and bins left out because one side has no value.
    constant : str
        ``observed``, ``predicted`` or ``both`` when a side does not vary: correlations are NaN.
    pearson_log1p : float
        Pearson correlation of ln(1 + x); NaN when a value is -1 or less.
    pearson : float
        Pearson correlation.
    spearman : float
        Rank correlation, ties at their mean rank.
    r2 : float
        Coefficient of determination, 1 - SSE / SST: sensitive to the unit, unlike a correlation.
    mean_observed, mean_predicted : float
        Means over the bins compared.
    """

    n_bins: int
    n_missing: int
    constant: str
    pearson_log1p: float
    pearson_log1p_low: float
    pearson_log1p_high: float
    pearson: float
    pearson_low: float
    pearson_high: float
    spearman: float
    r2: float
    r2_low: float
    r2_high: float
    mean_observed: float
    mean_predicted: float


SCORE_COLUMNS = tuple(field.name for field in dataclasses.fields(Score))


def score_track(
    pred: Floats, obs: Floats, starts: NDArray[np.int64], plan: BlockBootstrap
) -> Score:
    """Score one track.

    Parameters
    ----------
    pred, obs : float64 array [N]
        Bins in the same units; NaN on either side leaves the bin out.
    starts : int64 array [B]
        First bin of each bootstrap block.
    plan : BlockBootstrap
        Draws over the B blocks.

    Examples
    --------
    >>> values = np.arange(8.0)
    >>> starts = np.array([0, 4])
    >>> score = score_track(values, 2 * values, starts, BlockBootstrap(2, draws=10, seed=1))
    >>> score.n_bins, score.pearson, round(score.r2, 3)
    (8, 1.0, 0.167)
    """
    blocks = block_moments(pred, obs, starts)
    whole = blocks.collapse()
    draws = resample(blocks, plan)
    pearson, pearson_interval = _with_interval(whole.pearson(), draws.pearson())
    r2, r2_interval = _with_interval(whole.r2(), draws.r2())
    log, log_interval = _log1p(pred, obs, starts, plan)
    number = int(whole.count)
    return Score(
        n_bins=number,
        n_missing=len(pred) - number,
        constant=_constant(whole),
        pearson_log1p=log,
        pearson_log1p_low=log_interval[0],
        pearson_log1p_high=log_interval[1],
        pearson=pearson,
        pearson_low=pearson_interval[0],
        pearson_high=pearson_interval[1],
        spearman=spearman(pred, obs),
        r2=r2,
        r2_low=r2_interval[0],
        r2_high=r2_interval[1],
        mean_observed=float(whole.mean_observed),
        mean_predicted=float(whole.mean_predicted),
    )


def _log1p(
    pred: Floats, obs: Floats, starts: NDArray[np.int64], plan: BlockBootstrap
) -> tuple[float, tuple[float, float]]:
    # A comparison with NaN is false: missing bins do not count as negative.
    if (pred <= -1).any() or (obs <= -1).any():
        return _NAN, (_NAN, _NAN)
    blocks = block_moments(np.log1p(pred), np.log1p(obs), starts)
    return _with_interval(blocks.collapse().pearson(), resample(blocks, plan).pearson())


def _with_interval(value: Floats, draws: Floats) -> tuple[float, tuple[float, float]]:
    known = bool(np.isfinite(value))
    return float(value), interval(draws) if known else (_NAN, _NAN)


def _constant(whole: Moments) -> str:
    observed, predicted = bool(whole.constant_observed), bool(whole.constant_predicted)
    if observed and predicted:
        return "both"
    return "observed" if observed else "predicted" if predicted else ""
