"""Scores over windows against scipy, scikit-learn and explicit resampling."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from sklearn.metrics import mean_poisson_deviance

from ft_s2a.errors import DataError
from ft_s2a.evaluation.bootstrap import BlockBootstrap
from ft_s2a.evaluation.windows import WindowScores, poisson_deviance
from ft_s2a.tracks import Track

WINDOWS, BINS, TRACKS = 9, 20, 4
TABLE = [Track("a", assay="CAGE"), Track("b", assay="DNASE"), Track("c", assay="CAGE"), Track("d")]


@pytest.fixture(scope="module")
def values():
    random = np.random.default_rng(3)
    predicted = random.gamma(2.0, 1.0, size=(WINDOWS, BINS, TRACKS))
    observed = random.poisson(predicted).astype(np.float16)
    observed[2, 5:9, 1] = np.nan
    mean = np.array([1.5, 2.0, 0.5, 3.0])
    return predicted, observed, mean


@pytest.fixture(scope="module")
def scores(values):
    predicted, observed, mean = values
    found = WindowScores("net", mean)
    for p, y in zip(predicted, observed, strict=True):
        found.add(p, y)
    return found


def _known(values, track, chosen=slice(None)):
    p, y = (v[chosen][:, :, track].astype(np.float64).ravel() for v in values[:2])
    known = ~np.isnan(y)
    return p[known], y[known]


def test_each_track_against_scipy_and_sklearn(values, scores):
    table = scores.table(TABLE, draws=0).set_index("track")
    for row, track in enumerate(TABLE):
        p, y = _known(values, row)
        found = table.loc[track.name]
        assert found["n_bins"] == len(y)
        assert found["n_windows"] == WINDOWS
        assert_allclose(found["pearson"], stats.pearsonr(p, y).statistic)
        assert_allclose(found["pearson_log1p"], stats.pearsonr(np.log1p(p), np.log1p(y)).statistic)
        assert_allclose(found["deviance"], mean_poisson_deviance(y, p))
        null = mean_poisson_deviance(y, np.full_like(y, values[2][row]))
        assert_allclose(found["deviance_mean"], null)
        assert_allclose(found["deviance_explained"], 1 - found["deviance"] / null)
        assert np.isnan(found["pearson_low"])


def test_medians_and_means_over_tracks(scores):
    table = scores.table(TABLE, draws=0)
    assert table["track"].tolist()[4:] == [
        "median of 2",
        "median of 1",
        "median of 1",
        "median of 4",
    ]
    assert table["assay"].tolist()[4:] == ["CAGE", "DNASE", "", "all"]
    own, cage, every = table.iloc[:4], table.iloc[4], table.iloc[7]
    assert_allclose(cage["pearson"], own["pearson"].iloc[[0, 2]].median())
    assert_allclose(every["pearson"], own["pearson"].median())
    assert_allclose(every["deviance"], own["deviance"].mean())
    assert_allclose(
        every["deviance_explained"], 1 - own["deviance"].mean() / own["deviance_mean"].mean()
    )


def test_intervals_against_explicit_resampling(values, scores):
    draws = 60
    table = scores.table(TABLE, draws=draws, seed=7).set_index("track")
    plan = BlockBootstrap(blocks=WINDOWS, draws=draws, seed=7)
    r, explained = np.empty((draws, TRACKS)), np.empty((draws, TRACKS))
    totals = np.empty((draws, TRACKS, 2))
    for draw in range(draws):
        for row in range(TRACKS):
            p, y = _known(values, row, plan.indices(draw))
            r[draw, row] = stats.pearsonr(p, y).statistic
            own = mean_poisson_deviance(y, p)
            null = mean_poisson_deviance(y, np.full_like(y, values[2][row]))
            totals[draw, row] = own, null
            explained[draw, row] = 1 - own / null
    for row, track in enumerate(TABLE):
        for column, drawn in (("pearson", r), ("deviance_explained", explained)):
            expected = np.percentile(drawn[:, row], [2.5, 97.5])
            found = table.loc[track.name, [f"{column}_low", f"{column}_high"]]
            assert_allclose(found.astype(float), expected, rtol=1e-9)
    every = table.loc["median of 4"]
    expected = np.percentile(np.median(r, axis=1), [2.5, 97.5])
    assert_allclose([every["pearson_low"], every["pearson_high"]], expected, rtol=1e-9)
    ratio = 1 - totals[:, :, 0].mean(axis=1) / totals[:, :, 1].mean(axis=1)
    found = [every["deviance_explained_low"], every["deviance_explained_high"]]
    assert_allclose(found, np.percentile(ratio, [2.5, 97.5]), rtol=1e-9)


def test_a_constant_track_is_counted_not_averaged(values):
    predicted, observed, mean = values
    constant = predicted.copy()
    constant[:, :, 2] = 1.0
    scores = WindowScores("net", mean)
    for p, y in zip(constant, observed, strict=True):
        scores.add(p, y)
    table = scores.table(TABLE, draws=5).set_index("track")
    assert np.isnan(table.loc["c", "pearson"])
    assert table.loc["median of 2", "pearson"] == table.loc["a", "pearson"]
    assert table.loc["median of 2", "constant_tracks"] == 1


def test_a_track_without_known_bins_has_no_deviance():
    scores = WindowScores("m", [1.0, np.nan])
    for values in ([1.0, 2.0], [3.0, 2.0]):
        observed = np.stack([values, [np.nan, np.nan]], axis=1)
        scores.add(np.ones((2, 2)), observed)
    table = scores.table([Track("a"), Track("unknown")], draws=10)
    assert table["n_bins"].tolist() == [4, 0, 4]
    assert np.isnan(
        table.loc[1, ["deviance", "deviance_mean", "deviance_explained"]].tolist()
    ).all()
    assert table.loc[2, "deviance"] == table.loc[0, "deviance"]  # the mean of those that have one


def test_a_model_that_may_be_negative_has_no_deviance(values):
    predicted, observed, mean = values
    scores = WindowScores("ridge", mean, deviance=False)
    scores.add(predicted[0] - 3.0, observed[0])
    row = scores.table(TABLE, draws=3).iloc[0]
    assert np.isnan(row["deviance"])
    assert np.isnan(row["deviance_explained"])
    assert row["deviance_mean"] > 0
    assert np.isfinite(row["pearson"])
    assert np.isfinite(row["pearson_log1p"])


def test_deviance_of_zero_and_missing():
    found = poisson_deviance([0.0, 2.0, 1.0, 3.0], [0.0, 0.0, np.nan, 3.0])
    assert_allclose(found, [2e-7, 4.0, np.nan, 0.0])


def test_what_cannot_be_scored_is_refused(values):
    scores = WindowScores("net", values[2])
    with pytest.raises(DataError, match="no window"):
        scores.table(TABLE)
    with pytest.raises(DataError, match="net predicts nan in window 0"):
        scores.add(np.full((BINS, TRACKS), np.nan), values[1][0])
