"""The block bootstrap against explicit resampling of copied values."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.metrics import r2_score

from ft_s2a.errors import ConfigError
from ft_s2a.evaluation import bootstrap as bootstrap_module
from ft_s2a.evaluation.bootstrap import BlockBootstrap, block_moments, interval, resample
from ft_s2a.evaluation.scores import score_track


def _track(bins=330, seed=0, offset=0.0):
    random = np.random.default_rng(seed)
    observed = random.gamma(0.6, 4.0, size=bins)
    predicted = 0.4 * observed + random.gamma(0.5, 2.0, size=bins)
    return predicted + offset, observed + offset


def _explicit(predicted, observed, starts, plan, statistic):
    """Draw by copying the bins of the blocks that were drawn."""
    blocks = np.split(np.arange(len(predicted)), starts[1:])
    values = []
    for draw in range(plan.draws):
        bins = np.concatenate([blocks[b] for b in plan.indices(draw)])
        x, y = predicted[bins], observed[bins]
        known = ~np.isnan(x + y)
        values.append(statistic(x[known], y[known]))
    return np.array(values)


def _pearson(x, y):
    return stats.pearsonr(x, y).statistic


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_draws_equal_explicit_resampling(offset):
    predicted, observed = _track(offset=offset)
    predicted[40:47] = np.nan
    observed[200:221] = np.nan  # blocks 20 is missing whole
    starts = np.arange(0, 330, 10)
    plan = BlockBootstrap(len(starts), draws=25, seed=7)
    draws = resample(block_moments(predicted, observed, starts), plan)
    tolerance = 1e-12 if offset == 0 else 1e-7
    assert_allclose(
        draws.pearson(),
        _explicit(predicted, observed, starts, plan, _pearson),
        rtol=tolerance,
    )
    assert_allclose(
        draws.r2(),
        _explicit(predicted, observed, starts, plan, lambda x, y: r2_score(y, x)),
        rtol=tolerance,
    )


def test_score_has_the_percentiles_of_the_explicit_draws():
    predicted, observed = _track()
    starts = np.array([0, 80, 160, 200, 280])  # a region of 200 bins and one of 130
    plan = BlockBootstrap(5, draws=50, seed=2)
    score = score_track(predicted, observed, starts, plan)
    for name, x, y in (
        ("pearson", predicted, observed),
        ("pearson_log1p", np.log1p(predicted), np.log1p(observed)),
    ):
        expected = np.percentile(_explicit(x, y, starts, plan, _pearson), [2.5, 97.5])
        found = [getattr(score, f"{name}_low"), getattr(score, f"{name}_high")]
        assert_allclose(found, expected, rtol=1e-12)
        assert_allclose(getattr(score, name), _pearson(x, y), rtol=1e-12)
    assert_allclose(score.spearman, stats.spearmanr(predicted, observed).statistic, rtol=1e-12)
    assert_allclose(score.r2, r2_score(observed, predicted), rtol=1e-12)
    assert_allclose(
        [score.mean_predicted, score.mean_observed], [predicted.mean(), observed.mean()]
    )
    assert (score.n_bins, score.n_missing, score.constant) == (330, 0, "")


def test_block_moments_per_block(monkeypatch):
    monkeypatch.setattr(bootstrap_module, "_BLOCKS_AT_ONCE", 3)
    predicted, observed = _track(100, offset=1e5)
    observed[13] = np.nan
    starts = np.array([0, 5, 6, 30, 64, 65, 99])
    moments = block_moments(predicted, observed, starts)
    for block, bins in enumerate(np.split(np.arange(100), starts[1:])):
        known = bins[~np.isnan(observed[bins])]
        x, y = predicted[known], observed[known]
        expected = [
            len(known),
            x.mean(),
            y.mean(),
            ((x - x.mean()) ** 2).sum(),
            ((y - y.mean()) ** 2).sum(),
            ((x - x.mean()) * (y - y.mean())).sum(),
        ]
        assert_allclose(moments.state[:, block], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("value", [0.1, 1e6 + 1 / 3])
def test_constant_sides(value):
    predicted, _ = _track(160)
    starts = np.arange(0, 160, 16)
    plan = BlockBootstrap(10, draws=8, seed=1)
    score = score_track(predicted, np.full(160, value), starts, plan)
    assert score.constant == "observed"
    numbers = [score.pearson, score.pearson_low, score.pearson_log1p, score.spearman, score.r2]
    assert np.isnan(numbers).all()
    assert score_track(np.full(160, value), predicted, starts, plan).constant == "predicted"
    assert score_track(*[np.full(160, value)] * 2, starts, plan).constant == "both"


def test_draws_without_spread_are_not_numbers():
    # Only block 0 varies: a draw without it has no correlation (rather than noise / noise).
    values = np.full(40, 0.1)
    values[:10] = np.linspace(0.0, 1.0, 10)
    plan = BlockBootstrap(4, draws=60, seed=3)
    draws = resample(block_moments(values, values, np.arange(0, 40, 10)), plan)
    without = np.array([0 not in plan.indices(draw) for draw in range(60)])
    assert 5 < without.sum() < 55
    assert_array_equal(np.isnan(draws.pearson()), without)


def test_log_of_values_of_minus_one_and_less_is_refused_quietly():
    predicted, observed = _track(80)
    observed[3] = -1.0
    score = score_track(predicted, observed, np.arange(0, 80, 8), BlockBootstrap(10, 5, 1))
    assert np.isnan([score.pearson_log1p, score.pearson_log1p_low]).all()
    assert_allclose(score.pearson, _pearson(predicted, observed), rtol=1e-12)


def test_draws_depend_on_the_seed_alone(monkeypatch):
    plan = BlockBootstrap(50, draws=6, seed=4)
    assert_array_equal(plan.indices(3), BlockBootstrap(50, draws=99, seed=4).indices(3))
    assert (plan.indices(3) != BlockBootstrap(50, draws=6, seed=5).indices(3)).any()
    kept = np.concatenate(list(plan.weights()))
    assert_array_equal(kept.sum(axis=1), np.full(6, 50))
    assert_array_equal(kept[2], np.bincount(plan.indices(2), minlength=50))
    # Too many to keep: the same weights, piece by piece.
    monkeypatch.setattr(bootstrap_module, "_KEEP", 100)
    pieces = list(BlockBootstrap(50, draws=6, seed=4).weights())
    assert [len(piece) for piece in pieces] == [2, 2, 2]
    assert_array_equal(np.concatenate(pieces), kept)


def test_interval():
    assert_allclose(interval(np.arange(1001.0)), (25.0, 975.0))
    assert np.isnan(interval(np.array([]))).all()
    assert np.isnan(interval(np.array([1.0, np.nan, np.nan]))).all()
    assert interval(np.array([2.0, 2.0, np.nan])) == (2.0, 2.0)


def test_no_draws_no_interval():
    predicted, observed = _track(80)
    score = score_track(predicted, observed, np.arange(0, 80, 8), BlockBootstrap(10, 0, 1))
    assert np.isnan([score.pearson_low, score.r2_high]).all()
    assert_allclose(score.pearson, _pearson(predicted, observed), rtol=1e-12)


@pytest.mark.parametrize(("blocks", "draws", "seed"), [(0, 1, 1), (1, -1, 1), (1, 1, -1)])
def test_impossible_plans_are_refused(blocks, draws, seed):
    with pytest.raises(ConfigError, match="bootstrap"):
        BlockBootstrap(blocks, draws, seed)


def test_another_number_of_blocks_is_refused():
    predicted, observed = _track(80)
    with pytest.raises(ConfigError, match="blocks"):
        resample(block_moments(predicted, observed, np.arange(0, 80, 8)), BlockBootstrap(9, 5, 1))


def test_coverage_on_autocorrelated_tracks():
    """Blocks cover the truth where single bins claim far too much."""
    random = np.random.default_rng(0)
    hits = {1: 0, 60: 0}
    kernel = np.ones(20) / np.sqrt(20)
    for _ in range(60):
        common, one, other = (
            np.convolve(random.normal(size=1219), kernel, mode="valid") for _ in range(3)
        )
        x, y = common + one, common + other  # true r = 0.5
        for block in hits:
            starts = np.arange(0, 1200, block)
            plan = BlockBootstrap(len(starts), draws=100, seed=1)
            low, high = interval(resample(block_moments(x, y, starts), plan).pearson())
            hits[block] += low <= 0.5 <= high
    assert hits[60] >= 48
    assert hits[1] <= 36
