"""Scoring held-out windows against predictions and targets put together by hand."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy import stats
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_poisson_deviance
from sklearn.preprocessing import StandardScaler

from ft_s2a.data import TrackDataset, from_bigwigs
from ft_s2a.errors import DataError, TrackError
from ft_s2a.evaluation.kmer_ridge import ALPHAS
from ft_s2a.evaluation.kmers import context_counts
from ft_s2a.geometry import Geometry
from ft_s2a.loading import SequenceModel
from ft_s2a.models import Basenji2Config, HeadConfig, build
from ft_s2a.prediction.heldout import score_heldout


@pytest.fixture(scope="module")
def data(toy: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Windows of 56 bins of 16 bp: three outputs of the model, of which the last overlaps."""
    path = tmp_path_factory.mktemp("heldout") / "set.zarr"
    from_bigwigs(
        toy.fasta, toy.tracks, path, split="test=III,valid=II:0-5000,train=I",
        bin_size=16, input_length=1024, crop_bins=4,
    )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def network(data: Path) -> SequenceModel:
    config = Basenji2Config(
        input_length=512, crop_bins=4, stem_channels=6, stem_kernel=7, tower_channels=(6, 6, 6),
        dilations=(1,), dilated_channels=4, final_channels=8,
        heads=(HeadConfig(name="tracks", tracks=3),),
    )  # fmt: skip
    torch.manual_seed(3)
    return SequenceModel(build(config).eval(), TrackDataset(data).tracks, "toy/net", "1", "none")


def _split(data: Path, split: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Codes and targets of each output of the model, straight from the whole windows."""
    whole = TrackDataset(data)
    codes, targets = [], []
    for index in whole.indices(split):
        c, y = whole.item(int(index))
        for first in (0, 24, 32):
            codes.append(c[first * 16 : first * 16 + 512])
            known = y[first : first + 24].astype(np.float64)
            targets.append(
                known if first < 32 else np.where(np.arange(24)[:, None] < 16, np.nan, known)
            )
    return codes, targets


def test_network_and_ridge_against_their_definitions(data: Path, network: SequenceModel) -> None:
    table = score_heldout(network, data, kmers=2, draws=10).set_index(["model", "track"])
    codes, targets = _split(data, "test")
    letters = np.eye(5, 4, dtype=np.float32)
    with torch.no_grad():
        predicted = network.network(torch.from_numpy(letters[np.stack(codes)]), "tracks").numpy()
    y = np.concatenate(targets)
    mean = [record.mean for record in TrackDataset(data).header.statistics]
    p = predicted.reshape(-1, 3)
    features = {}
    for split in ("train", "valid", "test"):
        counts = []
        for c in _split(data, split)[0]:
            padded = np.concatenate([c[32:], np.full(1, 4, np.uint8)])
            counts.append(context_counts(padded, 24, bin_size=16, k=2, flank=2))
        features[split] = np.concatenate(counts)
    for row, name in enumerate(network.table.names):
        known = ~np.isnan(y[:, row])
        found = table.loc[("toy/net", name)]
        r = stats.pearsonr(p[known, row], y[known, row]).statistic
        assert_allclose(found["pearson"], r, rtol=1e-4)
        assert_allclose(
            found["deviance"], mean_poisson_deviance(y[known, row], p[known, row]), rtol=1e-4
        )
        null = mean_poisson_deviance(y[known, row], np.full(known.sum(), mean[row]))
        assert_allclose(found["deviance_mean"], null, rtol=1e-6)
        assert found["n_bins"] == known.sum()
        assert found["n_windows"] == len(codes) // 3  # stored ones, each of three outputs
        assert found["pearson_low"] <= found["pearson"] <= found["pearson_high"]
        best: dict[float, float] = {}
        targets_of = {s: np.concatenate(_split(data, s)[1])[:, row] for s in features}
        scaler = StandardScaler()
        usable = ~np.isnan(targets_of["train"])
        fitted = scaler.fit_transform(features["train"][usable])
        for alpha in ALPHAS:
            model = Ridge(alpha=alpha).fit(fitted, np.log1p(targets_of["train"][usable]))
            log = {s: model.predict(scaler.transform(features[s])) for s in ("valid", "test")}
            judged = ~np.isnan(targets_of["valid"])
            valid = stats.pearsonr(log["valid"][judged], np.log1p(targets_of["valid"][judged]))
            tested = stats.pearsonr(np.expm1(log["test"][known]), y[known, row])
            best[valid.statistic] = tested.statistic
        assert_allclose(table.loc[("kmer2", name), "pearson"], best[max(best)], rtol=1e-6)
        assert np.isnan(table.loc[("kmer2", name), "deviance"])


def test_a_set_of_other_tracks_is_refused(data: Path, network: SequenceModel) -> None:
    other = SequenceModel(
        network.network, network.table.replace(network.table.tracks[::-1]), "toy/net", "1", "none"
    )
    with pytest.raises(TrackError, match=r"other tracks.*expected 3 tracks from 'gc' to 'w.fwd'"):
        score_heldout(other, data)


def test_names_that_got_the_head_before_them_are_the_sets(
    data: Path, network: SequenceModel
) -> None:
    """As training calls tracks whose names several heads have."""
    renamed = [
        dataclasses.replace(
            track,
            name=f"tracks.{track.name}",
            strand_pair=track.strand_pair and f"tracks.{track.strand_pair}",
        )
        for track in network.table
    ]
    other = SequenceModel(network.network, network.table.replace(renamed), "toy/net", "1", "none")
    found, expected = score_heldout(other, data, draws=0), score_heldout(network, data, draws=0)
    assert found.loc[0, "track"] == f"tracks.{expected.loc[0, 'track']}"
    assert_allclose(found["pearson"], expected["pearson"], rtol=0)


def test_an_empty_split_is_refused(
    toy: SimpleNamespace, tmp_path: Path, network: SequenceModel
) -> None:
    path = tmp_path / "set.zarr"
    from_bigwigs(
        toy.fasta, toy.tracks, path, split="train=I", bin_size=16, input_length=512, crop_bins=4
    )
    assert network.geometry == Geometry(512, 16, 4)
    with pytest.raises(DataError, match="no test window"):
        score_heldout(network, path)
