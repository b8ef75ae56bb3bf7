"""Moments against numpy, scipy and scikit-learn in float64."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.metrics import r2_score

from ft_s2a.errors import DataError
from ft_s2a.evaluation import moments as moments_module
from ft_s2a.evaluation import pearson_per_track, r2_per_track, spearman_per_track
from ft_s2a.evaluation.moments import Moments


def _values(bins, tracks, seed=0):
    random = np.random.default_rng(seed)
    observed = random.gamma(0.5, 3.0, size=(bins, tracks))
    predicted = 0.5 * observed + random.gamma(0.7, 1.0, size=(bins, tracks))
    return predicted, observed


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_against_scipy_and_sklearn(dtype):
    predicted, observed = (v.astype(dtype) for v in _values(500, 7))
    double = predicted.astype(np.float64), observed.astype(np.float64)
    r = [stats.pearsonr(double[0][:, t], double[1][:, t]).statistic for t in range(7)]
    assert_allclose(pearson_per_track(predicted, observed), r, rtol=1e-12)
    assert_allclose(
        r2_per_track(predicted, observed),
        r2_score(double[1], double[0], multioutput="raw_values"),
        rtol=1e-12,
    )


def test_hand_computed():
    # means 2 and 3; deviations (-1, 0, 1) and (-2, 2, 0): r = 2 / sqrt(2 * 8); SSE = 0 + 9 + 0
    moments = Moments(1)
    moments.update([[1.0], [2.0], [3.0]], [[1.0], [5.0], [3.0]])
    assert_array_equal(moments.state[:, 0], [3, 2, 3, 2, 8, 2])
    assert_allclose(moments.pearson(), [0.5])
    assert_allclose(moments.r2(), [1 - 9 / 8])


@pytest.mark.parametrize("chunk", [16, 1 << 16])
@pytest.mark.parametrize("offset", [1e6, -1e6, 1e9])
def test_offset_does_not_cancel(monkeypatch, chunk, offset):
    monkeypatch.setattr(moments_module, "_CHUNK", chunk)
    # A float64 mean near 1e9 is known to 1e-7 only, and each merge of chunks rounds it again.
    tolerance = 1e-9 if abs(offset) < 1e9 else 1e-6
    random = np.random.default_rng(3)
    # Values that are exact at the offset: the reference is the same data without it.
    observed = random.integers(0, 64, size=(3000, 2)) / 64.0
    predicted = (observed + random.integers(0, 128, size=(3000, 2)) / 64.0) / 2
    predicted = np.round(predicted * 128) / 128
    expected = np.array([np.corrcoef(predicted[:, t], observed[:, t])[0, 1] for t in range(2)])
    assert_allclose(
        pearson_per_track(predicted + offset, observed + offset), expected, rtol=tolerance
    )
    assert_allclose(
        r2_per_track(predicted + offset, observed + offset),
        r2_score(observed, predicted, multioutput="raw_values"),
        rtol=1e-6,
    )


def test_a_far_first_value_does_not_cost_digits():
    random = np.random.default_rng(4)
    observed = random.normal(size=(400, 1))
    predicted = observed + random.normal(size=(400, 1))
    predicted[0] = observed[0] = 1e7
    moments = Moments(1)
    moments.update(predicted, observed)
    assert_allclose(moments.mean_observed, [math.fsum(observed[:, 0]) / 400], rtol=1e-13)
    assert_allclose(moments.state[3], ((predicted - predicted.mean()) ** 2).sum(), rtol=1e-12)


def test_missing_bins_are_left_out_per_track():
    predicted, observed = _values(200, 3)
    predicted[::3, 0] = np.nan
    observed[5:90, 1] = np.nan
    observed[:, 2] = np.nan
    moments = Moments(3)
    moments.update(predicted, observed)
    assert_array_equal(moments.count, [133, 115, 0])
    for track in range(2):
        known = ~np.isnan(predicted[:, track] + observed[:, track])
        x, y = predicted[known, track], observed[known, track]
        assert_allclose(moments.pearson()[track], stats.pearsonr(x, y).statistic, rtol=1e-12)
        assert_allclose(moments.r2()[track], r2_score(y, x), rtol=1e-12)
        assert_allclose(moments.mean_predicted[track], x.mean(), rtol=1e-14)
        assert_allclose(
            spearman_per_track(predicted, observed)[track],
            stats.spearmanr(x, y).statistic,
            rtol=1e-12,
        )
    assert np.isnan([moments.pearson()[2], moments.r2()[2], moments.mean_observed[2]]).all()


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e6 + 0.1, -7e-9])
def test_constant_tracks_are_nan_and_counted(monkeypatch, value):
    # Sums of such values round; moments of several chunks must still say "no spread at all".
    monkeypatch.setattr(moments_module, "_CHUNK", 16)
    predicted, observed = _values(1000, 3)
    predicted[:, 0] = value
    observed[:, 1] = value
    observed[::7, 1] = np.nan
    moments = Moments(3)
    moments.update(predicted, observed)
    assert_array_equal(moments.constant, [True, True, False])
    assert_array_equal(moments.constant_predicted, [True, False, False])
    assert_array_equal(np.isnan(moments.pearson()), [True, True, False])
    # A constant prediction has an R2 (at most 0); a constant target has none.
    assert moments.r2()[0] <= 0
    assert np.isnan(moments.r2()[1])
    assert_array_equal(np.isnan(spearman_per_track(predicted, observed)), [True, True, False])


def test_one_bin_has_no_correlation():
    assert np.isnan(pearson_per_track([[1.0]], [[2.0]])).all()


def test_infinite_values_give_no_number_and_no_warning():
    predicted, observed = _values(50, 2)
    predicted[3, 0] = np.inf
    result = pearson_per_track(predicted, observed)
    assert np.isnan(result[0])
    assert_allclose(result[1], stats.pearsonr(predicted[:, 1], observed[:, 1]).statistic)


def test_tiny_and_huge_values_neither_vanish_nor_overflow():
    predicted, observed = _values(100, 1)
    expected = stats.pearsonr(predicted[:, 0], observed[:, 0]).statistic
    assert_allclose(pearson_per_track(predicted * 1e-120, observed * 1e-120), [expected])
    assert_allclose(pearson_per_track(predicted * 1e120, observed * 1e120), [expected])


def test_updates_and_merges_equal_one_update(monkeypatch):
    predicted, observed = _values(997, 4)
    predicted[100:140, 2] = np.nan
    whole = Moments(4)
    whole.update(predicted, observed)
    monkeypatch.setattr(moments_module, "_CHUNK", 1)
    parts = [Moments(4) for _ in range(3)]
    for index, rows in enumerate(np.array_split(np.arange(997), 9)):
        parts[index % 3].update(predicted[rows], observed[rows])
    merged = Moments(4).merge(parts[2]).merge(parts[0]).merge(parts[1])
    assert_allclose(merged.state, whole.state, rtol=1e-11)
    assert_array_equal(Moments(4).merge(whole).state, whole.state)
    assert_array_equal(Moments.from_state(whole.state).merge(Moments(4)).state, whole.state)


def test_leading_axes_are_bins():
    predicted, observed = _values(60, 2)
    batches = Moments(2)
    batches.update(predicted.reshape(3, 20, 2), observed.reshape(3, 20, 2))
    assert_allclose(batches.pearson(), pearson_per_track(predicted, observed), rtol=1e-14)


def test_the_state_is_copied_and_inputs_stay():
    predicted, observed = _values(30, 2)
    kept = predicted.copy()
    moments = Moments(2)
    moments.update(predicted, observed)
    copy = Moments.from_state(moments.state)
    copy.update(predicted, observed)
    assert_array_equal(moments.count, [30, 30])
    assert_array_equal(predicted, kept)


def test_collapse_equals_one_pass():
    predicted, observed = _values(240, 1)
    observed[60:80] = np.nan
    blocks = Moments(4)
    for block in range(4):
        part = Moments(1)
        rows = slice(60 * block, 60 * block + 60)
        part.update(predicted[rows], observed[rows])
        blocks.state[:, block] = part.state[:, 0]
    whole = Moments(1)
    whole.update(predicted, observed)
    assert_allclose(blocks.collapse().state, whole.state[:, 0], rtol=1e-12)


def test_spearman_with_ties():
    random = np.random.default_rng(8)
    predicted = random.integers(0, 5, size=(300, 3)).astype(np.float32)
    observed = predicted + random.integers(0, 4, size=(300, 3))
    expected = [stats.spearmanr(predicted[:, t], observed[:, t]).statistic for t in range(3)]
    assert_allclose(spearman_per_track(predicted, observed), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("predicted", "observed"),
    [(np.zeros((3, 2)), np.zeros((3, 3))), (np.zeros((3, 2)), np.zeros((4, 2)))],
)
def test_shapes_that_differ_are_refused(predicted, observed):
    with pytest.raises(DataError, match="shape"):
        pearson_per_track(predicted, observed)
    with pytest.raises(DataError, match="shape"):
        Moments(2).update(predicted, observed)


def test_wrong_state_and_wrong_merge_are_refused():
    with pytest.raises(DataError, match="state"):
        Moments.from_state(np.zeros((5, 2)))
    with pytest.raises(DataError, match="tracks"):
        Moments(2).merge(Moments(3))
    with pytest.raises(DataError, match="shape"):
        Moments((2, 2)).update(np.zeros((1, 2)), np.zeros((1, 2)))


def test_evaluation_needs_no_torch():
    code = (
        "import sys, ft_s2a.evaluation as e; e.Moments; e.correlate_positions;"
        "import ft_s2a.cli.evaluate;"
        "assert not {'torch', 'matplotlib', 'kipoi'} & set(sys.modules), 'heavy import'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
