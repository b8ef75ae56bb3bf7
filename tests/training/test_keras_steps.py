"""Two training steps against Calico's code: loss, gradients, clipping, momentum."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ft_s2a.models import Basenji2Config, HeadConfig, build
from ft_s2a.models.layers import one_hot
from ft_s2a.training.losses import poisson
from ft_s2a.training.optimizers import clip_gradients, make_optimizer
from ft_s2a.training.recipe import Clipping, Optimizer

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def oracles(mirror: Path) -> Path:
    folder = mirror.parent / "oracles" / "basenji2"
    if not folder.is_dir():
        pytest.skip(f"oracles: {folder} is missing")
    return folder


def names(network: torch.nn.Module) -> dict[str, str]:
    """Our parameters' names and Keras', which correspond by their order."""
    convolutions = [n for n, m in network.named_modules() if isinstance(m, torch.nn.Conv1d)]
    norms = [n for n, m in network.named_modules() if isinstance(m, torch.nn.BatchNorm1d)]
    found = {"heads.human.linear.weight": "dense/kernel", "heads.human.linear.bias": "dense/bias"}
    for i, (convolution, norm) in enumerate(zip(convolutions, norms, strict=True)):
        end = f"_{i}" if i else ""
        found[f"{convolution}.weight"] = f"conv1d{end}/kernel"
        found[f"{norm}.weight"] = f"batch_normalization{end}/gamma"
        found[f"{norm}.bias"] = f"batch_normalization{end}/beta"
    return found


def ours(values: np.ndarray) -> torch.Tensor:
    """Keras' [K, in, out] and [in, out] as torch's [out, in, K] and [out, in]."""
    return torch.from_numpy(np.ascontiguousarray(values.T))


@pytest.mark.parametrize(("tag", "norm"), [("2", 2.0), ("0p05", 0.05)])
def test_two_steps(oracles: Path, tag: str, norm: float) -> None:
    import h5py

    expected = np.load(oracles / f"train_two_steps_clip{tag}.npz")
    keys = {key.removeprefix("grad0/").removesuffix(":0"): key for key in expected
            if key.startswith("grad0/")}  # fmt: skip
    config = Basenji2Config(
        input_length=4096, crop_bins=4, stem_channels=16, tower_channels=(17, 20, 24, 28, 33, 38),
        dilated_channels=12, final_channels=24, dilated_dropout=0.0, final_dropout=0.0,
        heads=(HeadConfig(name="human", tracks=6),),
    )  # fmt: skip
    network = build(config)
    parameters = dict(network.named_parameters())
    with h5py.File(oracles / "model_human.h5") as file, torch.no_grad():
        group = file["model_weights"]
        for name, theirs in names(network).items():
            layer, variable = theirs.split("/")
            parameters[name].copy_(ours(np.array(group[layer][layer][f"{variable}:0"])))
    codes = torch.from_numpy(np.load(oracles / "input.npz")["seq_index"])
    y = torch.from_numpy(expected["y"])
    optimizer = make_optimizer(network, Optimizer(name="sgd", lr=0.15, momentum=0.99))
    network.train()
    for step in (0, 1):
        predicted = network(one_hot(codes), "human")
        loss = poisson(predicted, y)
        assert loss.item() == pytest.approx(float(expected[f"loss_{step}"]), rel=1e-5)
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            for name, theirs in names(network).items():
                gradient = ours(expected[keys[theirs]])
                scale = float(gradient.abs().max())
                found = parameters[name].grad
                assert found is not None
                torch.testing.assert_close(found, gradient, rtol=1e-3, atol=1e-4 * scale + 1e-9)
        clip_gradients(network, Clipping(kind="per_variable", norm=norm))
        optimizer.step()
        for name, theirs in names(network).items():
            after = ours(expected[f"after{step}/" + keys[theirs].removeprefix("grad0/")])
            moved = parameters[name].detach()
            torch.testing.assert_close(moved, after, rtol=1e-4, atol=2e-5)
