"""The k-mer ridge against counting by hand and scikit-learn."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from ft_s2a.errors import ConfigError, DataError
from ft_s2a.evaluation import kmers as kmers_module
from ft_s2a.evaluation.baseline import parse_baseline
from ft_s2a.evaluation.binning import Grid
from ft_s2a.evaluation.kmer_ridge import DEFAULT_ALPHA, fit_kmer_ridge
from ft_s2a.evaluation.kmers import GenomeCounts, WindowCounts, count_kmers
from ft_s2a.genome import Genome
from ft_s2a.genome.sequence import encode
from ft_s2a.geometry import Interval

BIN = 16


@pytest.fixture
def genome(tmp_path):
    random = np.random.default_rng(5)
    lines = []
    for name, length in (("I", 6000), ("II", 2503)):
        letters = random.choice(list("ACGTacgtN"), size=length, p=[0.2] * 4 + [0.04] * 4 + [0.04])
        lines += [f">{name}", "".join(letters)]
    (tmp_path / "toy.fa").write_text("\n".join(lines) + "\n")
    return Genome(tmp_path / "toy.fa")


def _count_by_hand(text, bins, k):
    words = ["".join(word) for word in itertools.product("ACGT", repeat=k)]
    rows = []
    for b in range(bins):
        seen = [text[p : p + k] for p in range(b * BIN, (b + 1) * BIN)]
        rows.append([seen.count(word) for word in words])
    return np.array(rows)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_counts_by_hand(genome, k):
    text = genome.letters("I", 0, 12 * BIN + k - 1).decode().upper()
    assert "N" in text
    found = count_kmers(encode(text), 12, BIN, k)
    assert_array_equal(found, _count_by_hand(text, 12, k))


def test_context_reads_beyond_the_region_and_is_n_beyond_the_contig(genome):
    bins = -(-1503 // BIN)
    region = Interval("II", 1000, 2503)
    (piece,) = GenomeCounts(genome, Grid((region,), BIN)).pieces(2, 2)
    assert piece[0] == slice(0, bins)
    found = piece[1]
    start = 1000 - 2 * BIN
    text = genome.letters("II", start, 1000 + (bins + 2) * BIN + 1).decode().upper()
    alone = _count_by_hand(text, bins + 4, 2)
    expected = np.concatenate([alone[shift : shift + bins] for shift in range(5)], axis=1)
    assert_array_equal(found, expected)
    # The last bin's right neighbours lie beyond the contig.
    assert found[-1, 3 * 16 :].sum() == 0


@pytest.mark.parametrize("flank", [0, 1, 3])
def test_windows_count_as_the_genome_does(genome, monkeypatch, flank):
    # Windows of 10 bins in the middle of 12, over the contig's start and end as well.
    starts = [-4 * BIN, 640, 2503 - 11 * BIN]
    grid = Grid(tuple(Interval("II", s + BIN, s + 11 * BIN) for s in starts), BIN)
    whole = np.concatenate([c for _, c in GenomeCounts(genome, grid).pieces(2, flank)])
    monkeypatch.setattr(kmers_module, "_AT_ONCE", 16 * (2 * flank + 1) * 4)  # four bins at once
    source = WindowCounts(
        lambda i: genome.codes("II", starts[i], starts[i] + 12 * BIN), 3, bins=10, bin_size=BIN
    )
    found = np.empty_like(whole)
    pieces = list(source.pieces(2, flank))
    for rows, counts in pieces:
        found[rows] = counts
    assert len(source) == 30
    assert len(pieces) == 9
    # Beyond a window nothing is known: not all of the second bin there, nor of the last word of
    # the first one on the right.
    place = np.tile(np.arange(10), 3)
    kept = (place >= flank - 1) & (place < 10 - flank)
    assert_array_equal(found[kept], whole[kept])
    if flank == 3:
        assert found[10, : 2 * 16].sum() == 0
        assert found[10, 2 * 16 : 3 * 16].sum() > 0


def _features(source, k):
    return np.concatenate([counts for _, counts in source.pieces(k, 2)])


def _bins(genome, *regions):
    return GenomeCounts(genome, Grid(tuple(Interval(*region) for region in regions), BIN))


def _observed(bins, tracks, seed=0):
    return np.random.default_rng(seed).gamma(0.8, 3.0, size=(bins, tracks))


@pytest.mark.parametrize("alpha", [1.0, 300.0])
def test_against_sklearn(genome, monkeypatch, alpha):
    # Several pieces per region must give the same as one matrix.
    monkeypatch.setattr(kmers_module, "_AT_ONCE", 80 * 50)
    train = _bins(genome, ("I", 0, 3000), ("I", 3500, 5010))
    test = _bins(genome, ("II", 0, 2503))
    observed = _observed(len(train), 3)
    ridge = fit_kmer_ridge((train, observed), k=2, alpha=alpha)
    scaler = StandardScaler()
    model = Ridge(alpha=alpha).fit(scaler.fit_transform(_features(train, 2)), np.log1p(observed))
    expected = model.predict(scaler.transform(_features(test, 2)))
    assert_allclose(ridge.predict_log(test), expected, rtol=1e-8, atol=1e-10)
    assert_allclose(ridge.predict(test), np.expm1(expected), rtol=1e-8, atol=1e-10)


def test_missing_training_bins_are_left_out_per_track(genome):
    train = _bins(genome, ("I", 0, 4000))
    observed = _observed(len(train), 3)
    observed[::4, 1] = np.nan
    ridge = fit_kmer_ridge((train, observed), k=2, alpha=10.0)
    known = ~np.isnan(observed[:, 1])
    scaler = StandardScaler()
    features = _features(train, 2)
    model = Ridge(alpha=10.0).fit(
        scaler.fit_transform(features[known]), np.log1p(observed[known, 1])
    )
    assert_allclose(
        ridge.predict_log(train)[:, 1], model.predict(scaler.transform(features)), rtol=1e-8
    )
    complete = fit_kmer_ridge((train, observed[:, [0, 2]]), k=2, alpha=10.0)
    assert_allclose(ridge.coefficients[:, [0, 2]], complete.coefficients, rtol=1e-10)


def test_a_track_without_training_values_is_refused(genome):
    train = _bins(genome, ("I", 0, 400))
    with pytest.raises(DataError, match="track 1"):
        fit_kmer_ridge((train, np.stack([np.ones(25), np.full(25, np.nan)], axis=1)), k=2)


def test_kmers_that_never_occur_are_harmless(tmp_path):
    (tmp_path / "at.fa").write_text(">I\n" + "AT" * 400 + "\n")
    genome = Genome(tmp_path / "at.fa")
    train = _bins(genome, ("I", 64, 640))
    observed = _observed(len(train), 1)
    ridge = fit_kmer_ridge((train, observed), k=3)
    # Every bin has the same counts: only the mean can be learned.
    assert_allclose(ridge.predict_log(train)[:, 0], np.log1p(observed).mean(), rtol=1e-9)


def test_it_finds_a_stranded_word(genome):
    """A signal that follows AC on the given strand; merged with GT it could not be told apart."""
    grids = _bins(genome, ("I", 0, 6000)), _bins(genome, ("II", 0, 2496))
    words = [_features(grid, 2)[:, 32:48] for grid in grids]
    signals = [np.expm1(0.5 * w[:, 1] + 0.25 * w[:, 11])[:, None] for w in words]  # AC, GT
    ridge = fit_kmer_ridge((grids[0], signals[0]), k=2, alpha=1e-3)
    own = ridge.coefficients[32:48, 0]
    found = ridge.predict_log(grids[1])[:, 0]
    assert stats.pearsonr(found, np.log1p(signals[1][:, 0])).statistic > 0.999
    assert_allclose(own[1] - own[11], 0.25, atol=0.01)


def test_validation_chooses_the_penalty_of_each_track(genome):
    train, valid = _bins(genome, ("I", 0, 4000)), _bins(genome, ("I", 4000, 6000))
    # Track 0 follows the words: little penalty. Track 1 is noise over a weak word.
    words = [_features(grid, 2)[:, 32:48] for grid in (train, valid)]
    observed = []
    for seed, w in enumerate(words):
        noise = np.random.default_rng(seed).normal(size=len(w))
        log = np.stack([3 + 0.1 * w[:, 1], 4 + 0.1 * w[:, 1] + 0.7 * noise], axis=1)
        observed.append(np.expm1(log))
    alphas = (1e-2, 1e2, 1e4)
    data = (train, observed[0]), (valid, observed[1])
    ridge = fit_kmer_ridge(data[0], k=2, valid=data[1], alphas=alphas)
    scores = {}
    for alpha in alphas:
        one = fit_kmer_ridge(data[0], k=2, alpha=alpha)
        predicted = one.predict_log(valid)
        scores[alpha] = [
            stats.pearsonr(predicted[:, t], np.log1p(observed[1][:, t])).statistic for t in (0, 1)
        ]
        for track, chosen in enumerate(ridge.alpha):
            if chosen == alpha:
                assert_array_equal(ridge.coefficients[:, track], one.coefficients[:, track])
                assert ridge.intercept[track] == one.intercept[track]
    expected = tuple(max(alphas, key=lambda a, t=t: scores[a][t]) for t in (0, 1))
    assert ridge.alpha == expected
    assert expected[0] != expected[1]


def test_a_constant_validation_track_takes_the_default(genome):
    train, valid = _bins(genome, ("I", 0, 4000)), _bins(genome, ("I", 4000, 6000))
    ridge = fit_kmer_ridge(
        (train, _observed(len(train), 1)), k=2, valid=(valid, np.ones((len(valid), 1)))
    )
    assert ridge.alpha == (DEFAULT_ALPHA,)


def test_penalties_must_be_positive(genome):
    train = _bins(genome, ("I", 0, 400))
    with pytest.raises(ConfigError, match="penalty"):
        fit_kmer_ridge((train, np.ones((25, 1))), k=2, alpha=0.0)


@pytest.mark.parametrize("name", ["kmer1", "kmer7", "kmer", "gc", "kmer44", "Kmer4"])
def test_unknown_baselines_are_refused(name):
    with pytest.raises(ConfigError, match=name):
        parse_baseline(name)
    assert parse_baseline("kmer6") == 6
