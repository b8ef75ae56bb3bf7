"""Block bootstrap of correlations through the moments of the blocks.

Neighbouring bins resemble each other, so that intervals from resampled single bins are far too
narrow.  Here blocks of consecutive bins are drawn with replacement (Künsch, "The jackknife and the
bootstrap for general stationary observations", Ann. Statist. 1989; blocks do not overlap).  A draw
only says how often each block counts: with moments per block a draw is one row of a matrix product,
and no value is ever copied.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ft_s2a.errors import ConfigError
from ft_s2a.evaluation.moments import Moments

Floats = NDArray[np.float64]

# Weights kept for the next track rather than drawn again: 64 MB of float64.
_KEEP = 1 << 23
_PURPOSE = 0x626F6F74
# Blocks whose moments are made at once.
_BLOCKS_AT_ONCE = 1 << 13
# Spread of a draw, relative to its parts, below which nothing but rounding is left.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class BlockBootstrap:
    """Which blocks each draw takes: a pure function of the seed, the draw and the block count.

    Parameters
    ----------
    blocks : int
        Number of blocks; each draw takes as many, with replacement.
    draws : int
        Number of draws.
    seed : int
        Seed; the same draws are used for all tracks and models, so that they can be compared.

    Examples
    --------
    >>> plan = BlockBootstrap(blocks=4, draws=2, seed=1)
    >>> plan.indices(0).shape, bool((plan.indices(0) < 4).all())
    ((4,), True)
    """

    blocks: int
    draws: int
    seed: int

    def __post_init__(self) -> None:
        for name, value, least in (
            ("blocks", self.blocks, 1),
            ("draws", self.draws, 0),
            ("seed", self.seed, 0),
        ):
            if value < least:
                raise ConfigError(f"the bootstrap's {name} is {value}", expected=f"{least} or more")

    def indices(self, draw: int) -> NDArray[np.int64]:
        """Blocks of one draw, int64 [blocks]."""
        sequence = np.random.SeedSequence(self.seed, spawn_key=(_PURPOSE, draw))
        random = np.random.Generator(np.random.Philox(sequence))
        return random.integers(0, self.blocks, size=self.blocks, dtype=np.int64)

    def weights(self) -> Iterator[Floats]:
        """How often each block counts in each draw: float64 [some draws, blocks] at a time."""
        if self.draws * self.blocks <= _KEEP:
            yield self._all_weights
            return
        step = max(1, _KEEP // self.blocks)
        for first in range(0, self.draws, step):
            yield self._weights(first, min(first + step, self.draws))

    @cached_property
    def _all_weights(self) -> Floats:
        return self._weights(0, self.draws)

    def _weights(self, first: int, last: int) -> Floats:
        rows = np.empty((last - first, self.blocks), dtype=np.float64)
        for row, draw in enumerate(range(first, last)):
            rows[row] = np.bincount(self.indices(draw), minlength=self.blocks)
        return rows


def block_moments(pred: Floats, obs: Floats, starts: NDArray[np.int64]) -> Moments:
    """Moments of each block of one track.

    Parameters
    ----------
    pred, obs : float64 array [N]
        Values of the bins; NaN on either side leaves the bin out.
    starts : int64 array [B]
        First bin of each block, ascending from 0; a block reaches to the next one.

    Returns
    -------
    Moments
        Of shape [B]; a block of which every bin is missing has count 0.
    """
    moments = Moments(len(starts))
    known = ~(np.isnan(pred) | np.isnan(obs))
    if not known.any():
        return moments
    first = int(known.argmax())
    origins = (pred[first], obs[first])
    edges = np.append(starts, len(pred))
    for left in range(0, len(starts), _BLOCKS_AT_ONCE):
        right = min(left + _BLOCKS_AT_ONCE, len(starts))
        bins = slice(edges[left], edges[right])
        local = edges[left:right] - edges[left]
        moments.state[:, left:right] = _block_state(
            pred[bins], obs[bins], known[bins], local, origins
        )
    return moments


def _block_state(
    pred: Floats,
    obs: Floats,
    known: NDArray[np.bool_],
    starts: NDArray[np.int64],
    origins: tuple[np.float64, np.float64],
) -> Floats:
    lengths = np.diff(np.append(starts, len(pred)))
    state = np.zeros((6, len(starts)), dtype=np.float64)
    state[0] = np.add.reduceat(known.astype(np.float64), starts)
    number = np.maximum(state[0], 1.0)
    deviations, residuals = [], []
    for row, values, origin in ((1, pred, origins[0]), (2, obs, origins[1])):
        # One origin for the whole track: a constant track then has exactly equal block means.
        shifted = np.where(known, values - origin, 0.0)
        centre = np.add.reduceat(shifted, starts) / number
        deviation = np.where(known, shifted - np.repeat(centre, lengths), 0.0)
        residuals.append(np.add.reduceat(deviation, starts) / number)
        state[row] = np.where(state[0] > 0, origin + centre, 0.0)
        deviations.append(deviation)
    for row, one, other in ((3, 0, 0), (4, 1, 1), (5, 0, 1)):
        total = np.add.reduceat(deviations[one] * deviations[other], starts)
        state[row] = total - number * residuals[one] * residuals[other]
    np.maximum(state[3:5], 0.0, out=state[3:5])
    return state


def resample(blocks: Moments, plan: BlockBootstrap) -> Moments:
    """Moments of every draw.

    Parameters
    ----------
    blocks : Moments
        Of shape [B], from :func:`block_moments`.
    plan : BlockBootstrap
        With `plan.blocks` equal to B.

    Returns
    -------
    Moments
        Of shape [draws]; its :meth:`~Moments.pearson` and :meth:`~Moments.r2` are those of the
        draws.
    """
    if blocks.shape != (plan.blocks,):
        raise ConfigError(
            f"a bootstrap over {plan.blocks} blocks", expected=f"{blocks.shape} blocks"
        )
    count, mean_pred, mean_obs, m2_pred, m2_obs, comoment = blocks.state
    whole = blocks.collapse()
    # Block means relative to the overall mean: what is added up stays near zero.
    off_pred = np.where(count > 0, mean_pred - whole.state[1], 0.0)
    off_obs = np.where(count > 0, mean_obs - whole.state[2], 0.0)
    columns = np.stack(
        [
            count,
            count * off_pred,
            count * off_obs,
            m2_pred + count * off_pred**2,
            m2_obs + count * off_obs**2,
            comoment + count * off_pred * off_obs,
        ],
        axis=1,
    )
    draws = Moments(plan.draws)
    if not plan.draws:
        return draws
    sums = np.concatenate([weights @ columns for weights in plan.weights()]).T
    number = np.maximum(sums[0], 1.0)
    shift_pred, shift_obs = sums[1] / number, sums[2] / number
    draws.state[0] = sums[0]
    draws.state[1] = whole.state[1] + shift_pred
    draws.state[2] = whole.state[2] + shift_obs
    for row, part in ((3, shift_pred * sums[1]), (4, shift_obs * sums[2])):
        spread = sums[row] - part
        draws.state[row] = np.where(spread > _ROUNDING * sums[row], spread, 0.0)
    draws.state[5] = sums[5] - shift_pred * sums[2]
    return draws


def interval(values: Floats, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of the draws.

    Parameters
    ----------
    values : float64 array [draws]
        Draws without a value (NaN) are left out; when they are the majority, or no draw was made,
        the interval is NaN.
    level : float
        Share of the draws inside.

    Examples
    --------
    >>> interval(np.arange(101.0), level=0.9)
    (5.0, 95.0)
    """
    found = values[np.isfinite(values)]
    if len(found) == 0 or 2 * len(found) < len(values):
        return (np.nan, np.nan)
    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(found, [tail, 100.0 - tail])
    return float(low), float(high)
