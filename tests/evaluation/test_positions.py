"""correlate_positions from files to the table, against numpy and scipy."""

from __future__ import annotations

import json
import logging

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from sklearn.metrics import r2_score

from ft_s2a.errors import DataError, FtS2aError, TrackError
from ft_s2a.evaluation import correlate_positions
from ft_s2a.genome import write_bigwig
from ft_s2a.tracks.files import TrackFile, write_files

SIZES = {"I": 12_000, "II": 9_950}
BIN = 100


@pytest.fixture
def sides(tmp_path, write_bases, steps):
    """Two tracks: predicted in bins with files.tsv, observed in odd steps with a track table."""
    random = np.random.default_rng(1)
    observed, rows, bases = tmp_path / "obs", [], {}
    for index, name in enumerate(("a", "b")):
        bases[name] = {c: steps(n, seed=10 * index + len(c)) for c, n in SIZES.items()}
        write_bases(observed / f"{name}.bw", bases[name])
        pieces = []
        for contig in SIZES:
            means = _means(bases[name][contig], 0, SIZES[contig])
            pieces.append((contig, 0, 0.5 * means + random.gamma(1.0, 1.0, len(means))))
        path = write_bigwig(tmp_path / "out" / f"net.{name}.bw", SIZES, pieces, bin_size=BIN)
        rows.append(TrackFile(path, name, assay="ASSAY", grid=BIN, entry="toy/net", version="3"))
        bases[f"{name}.predicted"] = {c: values for c, _, values in pieces}
    write_files(tmp_path / "out", rows)
    (observed / "tracks.tsv").write_text("name\tfile\na\ta.bw\nb\tb.bw\n")
    return tmp_path / "out", observed / "tracks.tsv", bases


def _means(values, start, end, size=BIN):
    return np.array([values[s : min(s + size, end)].mean() for s in range(start, end, size)])


def test_numbers_against_scipy(sides):
    predicted, observed, bases = sides
    table = correlate_positions(predicted, observed, regions="II", block=10, draws=20)
    assert list(table["track"]) == ["a", "b"]
    assert set(table["model"]) == {"toy/net"}
    assert set(table["assay"]) == {"ASSAY"}
    for row in table.itertuples():
        x = bases[f"{row.track}.predicted"]["II"].astype(np.float32).astype(np.float64)
        y = _means(bases[row.track]["II"], 0, 9_950)
        assert row.n_bins == 100
        assert_allclose(row.pearson, stats.pearsonr(x, y).statistic, rtol=1e-6)
        assert_allclose(
            row.pearson_log1p, stats.pearsonr(np.log1p(x), np.log1p(y)).statistic, rtol=1e-6
        )
        assert_allclose(row.spearman, stats.spearmanr(x, y).statistic, rtol=1e-6)
        assert_allclose(row.r2, r2_score(y, x), rtol=1e-5)
        assert_allclose([row.mean_predicted, row.mean_observed], [x.mean(), y.mean()], rtol=1e-6)
        assert row.pearson_low < row.pearson < row.pearson_high
        assert row.pearson_log1p_low < row.pearson_log1p < row.pearson_log1p_high


def test_a_region_has_a_grid_of_its_own(sides):
    predicted, observed, bases = sides
    table = correlate_positions(predicted, observed, regions=["II:37-1,437", "I:5-105"], block=5)
    spread = np.repeat(bases["a.predicted"]["II"].astype(np.float32).astype(np.float64), BIN)
    other = np.repeat(bases["a.predicted"]["I"].astype(np.float32).astype(np.float64), BIN)
    x = np.concatenate([_means(spread, 37, 1437), _means(other, 5, 105)])
    y = np.concatenate([_means(bases["a"]["II"], 37, 1437), _means(bases["a"]["I"], 5, 105)])
    assert table["n_bins"][0] == 15
    assert_allclose(table["pearson"][0], stats.pearsonr(x, y).statistic, rtol=1e-6)


def test_another_bin_size_pools_exactly(sides):
    predicted, observed, bases = sides
    table = correlate_positions(predicted, observed, regions="II", bin_size=375, tracks="b")
    spread = np.repeat(bases["b.predicted"]["II"].astype(np.float32).astype(np.float64), BIN)
    x, y = (_means(values, 0, 9_950, 375) for values in (spread, bases["b"]["II"]))
    assert list(table["track"]) == ["b"]
    assert table["n_bins"][0] == 27
    assert_allclose(table["pearson"][0], stats.pearsonr(x, y).statistic, rtol=1e-6)


def test_draws_are_reproducible_and_follow_the_seed(sides):
    def low(seed):
        table = correlate_positions(*sides[:2], regions="II", block=10, draws=30, seed=seed)
        return list(table["pearson_low"])

    assert low(1) == low(1)
    assert low(1) != low(2)


def test_bins_that_were_not_predicted_are_left_out(tmp_path, sides, caplog):
    _, observed, bases = sides
    half = bases["a.predicted"]["II"][:40]
    path = write_bigwig(tmp_path / "half" / "net.a.bw", SIZES, [("II", 0, half)], bin_size=BIN)
    with caplog.at_level(logging.WARNING, logger="ft_s2a"):
        table = correlate_positions(path, observed, regions="II", bin_size=BIN, tracks="*", block=4)
    assert "60 of 100 bins have no value" in caplog.text
    assert (table["n_bins"][0], table["n_missing"][0]) == (40, 60)
    y = _means(bases["a"]["II"], 0, 4_000)
    assert_allclose(table["pearson"][0], stats.pearsonr(half, y).statistic, rtol=1e-6)
    with pytest.raises(DataError, match="no predicted value"):
        correlate_positions(path, observed, regions="I", bin_size=BIN, tracks="*")


@pytest.mark.parametrize("rule", ["zero", "nan"])
def test_missing_observed_bases_follow_the_track_table(tmp_path, write_bases, rule):
    values = np.random.default_rng(0).gamma(1.0, size=40).repeat(10)
    predicted = write_bases(tmp_path / "out" / "a.bw", {"I": values})
    values = values * 2
    values[100:150] = np.nan
    write_bases(tmp_path / "a.bw", {"I": values})
    (tmp_path / "tracks.tsv").write_text(f"name\tfile\tmissing\na\ta.bw\t{rule}\n")
    table = correlate_positions(
        predicted, tmp_path / "tracks.tsv", regions="I", bin_size=10, block=4
    )
    assert (table["n_bins"][0], table["n_missing"][0]) == ((40, 0) if rule == "zero" else (35, 5))
    assert (table["pearson"][0] < 0.999) == (rule == "zero")


def test_target_units(tmp_path, sides):
    predicted, observed, bases = sides
    (tmp_path / "targets.tsv").write_text(
        "name\tsum_stat\tscale\tclip\tsquash\n"
        "b\tmean\t2.0\t6.0\tnone\n"
        "a\tsum\t0.5\t\tsqrt\n"
        "unused\tmean\t1\t\tnone\n"
    )
    table = correlate_positions(
        predicted, observed, regions="II", transform=tmp_path / "targets.tsv", block=10
    ).set_index("track")
    assert set(table["units"]) == {"target"}
    widths = np.array([BIN] * 99 + [50])
    for name, change in (
        ("a", lambda v: np.sqrt(0.5 * v * widths)),
        ("b", lambda v: np.minimum(2.0 * v, 6.0)),
    ):
        x = change(bases[f"{name}.predicted"]["II"].astype(np.float32).astype(np.float64))
        y = change(_means(bases[name]["II"], 0, 9_950))
        assert_allclose(table["pearson"][name], stats.pearsonr(x, y).statistic, rtol=1e-6)
        assert_allclose(table["r2"][name], r2_score(y, x), rtol=1e-4)
        assert_allclose(table["mean_observed"][name], y.mean(), rtol=1e-6)


def test_target_units_need_every_track_and_its_scale(tmp_path, sides):
    predicted, observed, _ = sides
    table = tmp_path / "targets.tsv"
    table.write_text("name\tscale\na\t1\n")
    with pytest.raises(TrackError, match="no track 'b'"):
        correlate_positions(predicted, observed, regions="II", transform=table)
    table.write_text("name\tscale\na\t1\nb\tauto\n")
    with pytest.raises(TrackError, match="scale of 'b' is 'auto'"):
        correlate_positions(predicted, observed, regions="II", transform=table)


def test_constant_tracks_are_named(tmp_path, sides, caplog):
    _, observed, _ = sides
    path = write_bigwig(
        tmp_path / "flat" / "a.bw", SIZES, [("II", 0, np.full(100, 0.1))], bin_size=BIN
    )
    with caplog.at_level(logging.WARNING, logger="ft_s2a"):
        table = correlate_positions(
            path, observed, regions="II", bin_size=BIN, tracks="a", out_dir=tmp_path / "eval"
        )
    assert "1 of 1 rows are constant" in caplog.text
    assert table["constant"][0] == "predicted"
    assert table[["pearson", "pearson_low", "spearman", "pearson_log1p"]].isna().all(axis=None)
    summary = json.loads((tmp_path / "eval" / "positions.json").read_text())["summary"][0]
    assert (summary["without_pearson"], summary["mean_pearson"]) == (1, None)


def test_what_is_written(tmp_path, sides):
    predicted, observed, _ = sides
    out = tmp_path / "deep" / "eval"
    table = correlate_positions(predicted, observed, regions="II", block=10, out_dir=out)
    assert sorted(p.relative_to(out).as_posix() for p in out.rglob("*.*")) == [
        "positions.json",
        "positions.tsv",
        "scatter.png",
        "scatter.svg",
        "scatter/a.png",
        "scatter/a.svg",
        "scatter/b.png",
        "scatter/b.svg",
    ]
    read = pd.read_csv(out / "positions.tsv", sep="\t", keep_default_na=False)
    assert list(read.columns) == list(table.columns)
    assert_allclose(read["pearson"], table["pearson"], rtol=1e-7)
    document = json.loads((out / "positions.json").read_text())
    assert document["schema"] == "ft_s2a.evaluate.positions/1"
    assert document["rows"] == table.to_dict(orient="records")
    assert document["parameters"]["regions"] == ["II:0-9950"]
    assert (document["bins"], document["blocks"]) == (100, 10)
    assert document["inputs"][0]["version"] == "3"
    assert [p.name for p in out.parent.iterdir()] == ["eval"]


def test_interruption_leaves_nothing(tmp_path, sides, monkeypatch):
    from ft_s2a.evaluation import plots

    def stop(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(plots, "save_figure", stop)
    (tmp_path / "work").mkdir()
    with pytest.raises(KeyboardInterrupt):
        correlate_positions(*sides[:2], regions="II", out_dir=tmp_path / "work" / "eval")
    assert list((tmp_path / "work").iterdir()) == []


def test_pictures_can_be_limited(tmp_path, sides):
    out = tmp_path / "eval"
    correlate_positions(*sides[:2], regions="II", out_dir=out, plots=1)
    assert {p.name for p in (out / "scatter").iterdir()} == {"a.png", "a.svg"}
    correlate_positions(*sides[:2], regions="II", out_dir=out, plots=0, overwrite=True)
    assert {p.name for p in out.iterdir()} == {"positions.tsv", "positions.json"}


def test_baseline_on_the_bins_of_the_model(tmp_path, write_bases):
    """Signals made from words are found; rows stand on the same bins and the same draws."""
    random = np.random.default_rng(2)
    letters = {name: random.choice(list("ACGT"), size=n) for name, n in SIZES.items()}
    (tmp_path / "g.fa").write_text(
        "".join(f">{name}\n{''.join(text)}\n" for name, text in letters.items())
    )
    bases = {}
    for name, text in letters.items():
        number = [
            sum(text[s : s + BIN] == "G") + sum(text[s : s + BIN] == "C")
            for s in range(0, len(text), BIN)
        ]
        bases[name] = np.repeat(np.expm1(np.array(number) / 25.0), BIN)[: len(text)]
    observed = write_bases(tmp_path / "obs" / "a.bw", bases)
    pieces = [("II", 0, random.gamma(1.0, 2.0, size=60))]
    predicted = write_bigwig(tmp_path / "out" / "a.bw", SIZES, pieces, bin_size=BIN)
    table = correlate_positions(
        predicted,
        observed,
        regions="II",
        bin_size=BIN,
        block=5,
        fasta=tmp_path / "g.fa",
        baseline="kmer2",
        train=["I:0-6000", "I:7000-9000"],
        valid="I:9000-12,000",
        out_dir=tmp_path / "eval",
    )
    assert list(table["model"]) == ["predicted", "kmer2"]
    assert list(table["n_bins"]) == [60, 60]
    # 80 bins to learn 80 numbers from: what GC says is found, in the right unit (R2).
    assert table["pearson_log1p"][1] > 0.9
    assert table["r2"][1] > 0.6
    baseline = json.loads((tmp_path / "eval" / "positions.json").read_text())["baseline"]
    assert baseline["train"] == ["I:0-6000", "I:7000-9000"]
    assert baseline["valid"] == ["I:9000-12000"]
    assert baseline["train_bins"] == 80
    assert baseline["alpha"]["a"] in baseline["alphas"]


def test_groups_of_tracks_give_the_same_baseline(tmp_path, sides, monkeypatch):
    from ft_s2a.evaluation import baseline

    letters = np.random.default_rng(3).choice(list("ACGT"), size=22_000)
    text = "".join(letters)
    (tmp_path / "g.fa").write_text(f">I\n{text[:12_000]}\n>II\n{text[12_000:21_950]}\n")
    options = {
        "regions": "II",
        "fasta": tmp_path / "g.fa",
        "baseline": "kmer2",
        "train": "I",
        "block": 10,
    }
    together = correlate_positions(*sides[:2], **options)
    monkeypatch.setattr(baseline, "_GROUP_BYTES", 1)
    one_by_one = correlate_positions(*sides[:2], **options)
    pd.testing.assert_frame_equal(together, one_by_one, rtol=1e-9)
    assert list(together["model"]) == ["toy/net"] * 2 + ["kmer2"] * 2
    assert list(together["track"]) == ["a", "b", "a", "b"]


def test_baseline_refuses_values_without_logarithm(tmp_path, sides, write_bases):
    predicted, _, bases = sides
    (tmp_path / "g.fa").write_text(f">I\n{'ACGT' * 3000}\n>II\n{'ACGTA' * 1990}\n")
    shifted = {c: v - 3.0 for c, v in bases["a"].items()}
    observed = write_bases(tmp_path / "neg" / "a.bw", shifted)
    options = {"fasta": tmp_path / "g.fa", "baseline": "kmer2", "train": "I", "tracks": "a"}
    with pytest.raises(DataError, match=r"neg/a.bw: track 'a' has values of -1 or less"):
        correlate_positions(predicted, observed, regions="II", **options)


def test_few_blocks_are_told(sides, caplog):
    with caplog.at_level(logging.WARNING, logger="ft_s2a"):
        correlate_positions(*sides[:2], regions="II", block=80)
    assert "only 2 blocks of 80 bins" in caplog.text


def test_errors_come_before_any_output(tmp_path, sides):
    with pytest.raises(FtS2aError):
        correlate_positions(*sides[:2], regions="III", out_dir=tmp_path / "new" / "eval")
    assert not (tmp_path / "new").exists()


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("train", "log", "raw"),
    [
        # Pearson of ln(1+x), and of x, of two earlier and independent fits.
        (
            ["IV", "XVI:0-853000"],
            [0.522, 0.367, 0.372, 0.679, 0.732],
            [0.539, 0.287, 0.365, 0.469, 0.163],
        ),
        (["IV", "XVI"], [0.517, 0.363, 0.374, 0.678, 0.732], None),
    ],
)
def test_kmer4_on_yeast(yeast, train, log, raw):
    """The observed tracks stand in for a model (r = 1); the baseline's rows are looked at."""
    table = correlate_positions(
        yeast,
        yeast,
        regions="II",
        bin_size=128,
        fasta=yeast / "sacCer3.II_IV_XVI.fa.gz",
        baseline="kmer4",
        train=train,
    )
    names = ["MNase", "PolII", "Scc1", "RNA.fwd", "RNA.rev"]
    model, kmers = (
        part.set_index("track").loc[names] for _, part in table.groupby("model", sort=False)
    )
    assert set(model["n_bins"]) == {6353}
    assert_allclose(model["pearson"], 1.0)
    means = [2.978, 23.847, 0.993, 13.827, 28.784]
    assert_allclose(model["mean_observed"], means, rtol=1e-3)
    assert_allclose(kmers["pearson_log1p"], log, atol=0.001)
    if raw is not None:
        assert_allclose(kmers["pearson"], raw, atol=0.001)
