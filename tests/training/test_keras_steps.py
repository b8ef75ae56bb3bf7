"""Two training steps against Calico's code on Keras: every number that its fixture holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import pearsonr

from ft_s2a.checkpoint import load_keras_basenji2
from ft_s2a.evaluation.moments import Moments
from ft_s2a.models import Basenji2
from ft_s2a.models.layers import one_hot
from ft_s2a.training.losses import poisson
from ft_s2a.training.optimizers import clip_gradients, make_optimizer
from ft_s2a.training.recipe import Clipping, Optimizer

pytestmark = pytest.mark.real_data

Array = NDArray[np.float64]

_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean",
         "running_var": "moving_variance"}  # fmt: skip


@pytest.fixture(scope="module")
def oracles(mirror: Path) -> Path:
    folder = mirror.parent / "oracles" / "basenji2"
    if not folder.is_dir():
        pytest.skip(f"oracles: {folder} is missing")
    return folder


def names(network: torch.nn.Module) -> dict[str, str]:
    """Our tensors' names and Keras' weights', which correspond by their order."""
    convolutions = [n for n, m in network.named_modules() if isinstance(m, torch.nn.Conv1d)]
    norms = [n for n, m in network.named_modules() if isinstance(m, torch.nn.BatchNorm1d)]
    found = {"heads.human.linear.weight": "dense/kernel", "heads.human.linear.bias": "dense/bias"}
    for i, (convolution, norm) in enumerate(zip(convolutions, norms, strict=True)):
        end = f"_{i}" if i else ""
        found[f"{convolution}.weight"] = f"conv1d{end}/kernel"
        for ours, theirs in _NORM.items():
            found[f"{norm}.{ours}"] = f"batch_normalization{end}/{theirs}"
    return found


class Comparison:
    """Compares arrays of the fixture and notes which were."""

    def __init__(self, expected: Mapping[str, NDArray[np.float32]]) -> None:
        self.expected = expected
        self.seen: set[str] = set()

    def check(self, key: str, found: torch.Tensor | Array | float, tolerance: float) -> None:
        """`tolerance` is relative to the largest value of the array."""
        theirs = self.expected[key].astype(np.float64)
        ours = found.detach().numpy() if isinstance(found, torch.Tensor) else np.asarray(found)
        ours = ours.T if "/" in key else ours  # Keras has [width, in, out]
        assert ours.shape == theirs.shape, key
        error = float(np.abs(ours - theirs).max()) / float(np.abs(theirs).max())
        assert error <= tolerance, f"{key}: {error:.2g}"
        self.seen.add(key)


def without_dropout(path: Path) -> Basenji2:
    config = load_keras_basenji2(path).config
    return load_keras_basenji2(
        path, config.model_copy(update={"dilated_dropout": 0.0, "final_dropout": 0.0})
    )


@pytest.mark.parametrize(("tag", "norm"), [("2", 2.0), ("0p05", 0.05)])
def test_two_steps(oracles: Path, tag: str, norm: float) -> None:
    with np.load(oracles / f"train_two_steps_clip{tag}.npz") as file:
        same = Comparison(dict(file))
    network = without_dropout(oracles / "model_human.h5")
    x = one_hot(torch.from_numpy(np.load(oracles / "input.npz")["seq_index"]))
    y = torch.from_numpy(same.expected["y"])
    optimizer = make_optimizer(network, Optimizer(name="sgd", lr=0.15, momentum=0.99))
    pairs = names(network)
    network.train()
    for step in (0, 1):
        predicted = network(x, "human")
        same.check(f"pred_train_{step}", predicted, 1e-5)
        loss = poisson(predicted, y)
        same.check(f"loss_{step}", loss, 1e-5)
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            for name, parameter in network.named_parameters():
                assert parameter.grad is not None
                # Both sides' gradients are up to 1e-5 of their scale off those in float64.
                same.check(f"grad0/{pairs[name]}:0", parameter.grad, 5e-5)
        clip_gradients(network, Clipping(kind="per_variable", norm=norm))
        optimizer.step()
        state = network.state_dict()
        for name, theirs in pairs.items():  # with the moving statistics
            same.check(f"after{step}/{theirs}:0", state[name], 1e-5)
    network.eval()
    with torch.no_grad():
        predicted = network(x, "human")
    same.check("eval_pred_after1", predicted, 1e-5)
    same.check("eval_loss", poisson(predicted, y), 1e-5)
    moments = Moments(y.shape[2])
    moments.update(predicted.numpy(), y.numpy())
    # The fixture's r is made of float32 sums: 1.4e-5 off the r of its own predictions.
    theirs = same.expected["eval_pred_after1"].reshape(-1, 6).astype(np.float64)
    r = [pearsonr(theirs[:, i], y[..., i].double().flatten()).statistic for i in range(6)]
    np.testing.assert_allclose(moments.pearson(), r, rtol=0, atol=1e-5)
    np.testing.assert_allclose(r, same.expected["eval_pearsonr"], rtol=0, atol=2e-5)
    same.seen.add("eval_pearsonr")
    same.check("eval_r2", moments.r2(), 1e-5)
    assert set(same.expected) - same.seen == {"y"}


def test_the_steps_need_the_biased_variance(oracles: Path) -> None:
    """The running variance is what tells the two estimates apart (48 values at the last norm)."""
    expected = np.load(oracles / "train_two_steps_clip2.npz")
    path = oracles / "model_human.h5"
    config = load_keras_basenji2(path).config.model_copy(update={"norm_variance": "unbiased"})
    network = load_keras_basenji2(path, config).train()
    with torch.no_grad():
        network(one_hot(torch.from_numpy(np.load(oracles / "input.npz")["seq_index"])), "human")
    theirs = expected["after0/batch_normalization_29/moving_variance:0"]
    assert np.abs(network.final[2].running_var.numpy() - theirs).max() > 1e-3
