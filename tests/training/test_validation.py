from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ft_s2a.data import TrackDataset
from ft_s2a.errors import DataError
from ft_s2a.geometry import Geometry
from ft_s2a.models import HeadConfig, build
from ft_s2a.training.items import EvaluationItems, collate
from ft_s2a.training.validation import Scores, validate


def score(
    network: nn.Module, items: EvaluationItems, batch_size: int, transform: str = "target"
) -> Scores:
    loader: Any = torch.utils.data.DataLoader(items, batch_size=batch_size, collate_fn=collate)
    return validate(
        network, loader, "tracks", transform=transform, device=torch.device("cpu"),
        autocast=contextlib.nullcontext,
    )  # fmt: skip


@pytest.fixture
def items(training_set: Path) -> EvaluationItems:
    return EvaluationItems(TrackDataset(training_set, geometry=Geometry(512, 16, 4)), "valid")


@pytest.fixture
def network(make_recipe: Any) -> nn.Module:
    torch.manual_seed(2)
    config = make_recipe().model.with_heads([HeadConfig(name="tracks", tracks=3)])
    return build(config)


@pytest.mark.parametrize("transform", ["target", "log1p"])
def test_scores_are_those_of_all_known_bins(
    items: EvaluationItems, network: nn.Module, transform: str
) -> None:
    from ft_s2a.models.layers import one_hot

    network.eval()
    codes, targets = collate([items[i] for i in range(len(items))])
    with torch.no_grad():
        predicted = network(one_hot(codes), "tracks").double().numpy().reshape(-1, 3)
    y = targets.double().numpy().reshape(-1, 3)
    known = ~np.isnan(y)
    assert not known.all()
    loss = (predicted - np.nan_to_num(y) * np.log(predicted + 1e-7))[known].mean()
    found = score(network, items, 4, transform)
    assert found.loss == pytest.approx(loss, rel=1e-6)
    if transform == "log1p":
        predicted, y = np.log1p(predicted), np.log1p(y)
    for track in range(3):
        rows = known[:, track]
        expected = np.corrcoef(predicted[rows, track], y[rows, track])[0, 1]
        assert found.pearson[track] == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert found.mean_pearson == pytest.approx(found.pearson.mean())
    assert found.constant_tracks == 0


def test_scores_do_not_depend_on_the_batches(items: EvaluationItems, network: nn.Module) -> None:
    one, all_at_once = score(network, items, 1), score(network, items, 100)
    assert one.loss == pytest.approx(all_at_once.loss, rel=1e-6)
    np.testing.assert_allclose(one.pearson, all_at_once.pearson, rtol=1e-5)


def test_the_networks_mode_is_restored(items: EvaluationItems, network: nn.Module) -> None:
    for training in (True, False):
        network.train(training)
        before = {k: v.clone() for k, v in network.state_dict().items()}
        score(network, items, 4)
        assert network.training == training
        torch.testing.assert_close(network.state_dict(), before, rtol=0, atol=0)


class Constant(nn.Module):
    def forward(self, one_hot: torch.Tensor, head: str) -> torch.Tensor:
        result = torch.full((len(one_hot), 24, 3), 0.5)
        result[:, :, 1] = torch.rand(len(one_hot), 24)
        return result


def test_constant_tracks_are_counted_and_left_out(items: EvaluationItems) -> None:
    found = score(Constant(), items, 4)
    assert np.isnan(found.pearson).tolist() == [True, False, True]
    assert found.constant_tracks == 2
    assert found.mean_pearson == found.pearson[1]
    assert math.isnan(Scores(0.0, np.array([np.nan])).mean_pearson)


def test_no_known_bin_is_an_error(network: nn.Module) -> None:
    unknown: Any = [(np.zeros(512, dtype=np.uint8), np.full((24, 3), np.nan, dtype=np.float32))]
    with pytest.raises(DataError, match="no bin of the valid split is known"):
        score(network, unknown, 1)
