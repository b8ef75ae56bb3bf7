"""Parity with calico/basenji's own code, by fixtures made with it (weights mapped by order)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ft_s2a.models import Basenji2, Basenji2Config, HeadConfig, build
from ft_s2a.models.layers import one_hot

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def oracles(mirror: Path) -> Path:
    folder = mirror.parent / "oracles" / "basenji2"
    if not folder.is_dir():
        pytest.skip(f"oracles: {folder} is missing")
    return folder


def config(gelu: str) -> Basenji2Config:
    return Basenji2Config.model_validate(
        {
            "input_length": 4096,
            "crop_bins": 4,
            "gelu": gelu,
            "stem_channels": 16,
            "tower_channels": (17, 20, 24, 28, 33, 38),
            "dilated_channels": 12,
            "final_channels": 24,
            "heads": (HeadConfig(name="human", tracks=6),),
        }
    )


def load(network: Basenji2, path: Path) -> None:
    """Copy Keras' tensors: convolutions and norms correspond by their order."""
    import h5py

    with h5py.File(path) as file:
        group = file["model_weights"]

        def tensor(layer: str, name: str) -> torch.Tensor:
            return torch.from_numpy(np.array(group[layer][layer][f"{name}:0"]))

        def layers(prefix: str) -> list[str]:
            names = [n for n in group.attrs["layer_names"] if str(n).startswith(prefix)]
            return [n for n in names if len(group[n])]

        state: dict[str, torch.Tensor] = {}
        convolutions = [n for n, m in network.named_modules() if isinstance(m, torch.nn.Conv1d)]
        norms = [n for n, m in network.named_modules() if isinstance(m, torch.nn.BatchNorm1d)]
        for name, layer in zip(convolutions, layers("conv1d"), strict=True):
            state[f"{name}.weight"] = tensor(layer, "kernel").permute(2, 1, 0)
        for name, layer in zip(norms, layers("batch_normalization"), strict=True):
            for ours, theirs in (
                ("weight", "gamma"),
                ("bias", "beta"),
                ("running_mean", "moving_mean"),
                ("running_var", "moving_variance"),
            ):
                state[f"{name}.{ours}"] = tensor(layer, theirs)
            state[f"{name}.num_batches_tracked"] = torch.tensor(0)
        (dense,) = layers("dense")
        state["heads.human.linear.weight"] = tensor(dense, "kernel").T
        state["heads.human.linear.bias"] = tensor(dense, "bias")
    network.load_state_dict(state)


@pytest.mark.parametrize(("tag", "gelu"), [("paper2020", "sigmoid"), ("head", "tanh")])
def test_outputs_and_inner_layers_are_those_of_calicos_code(
    oracles: Path, tag: str, gelu: str
) -> None:
    network = build(config(gelu)).eval()
    load(network, oracles / "model_human.h5")
    expected = np.load(oracles / f"output_{tag}.npz")
    codes = torch.from_numpy(np.load(oracles / "input.npz")["seq_index"])
    inner: dict[str, Any] = {}
    for name, module in (
        ("mid_conv0", network.stem[1]),
        ("mid_bn0", network.stem[2]),
        ("mid_pool0", network.stem),
        ("mid_pool6", network.tower),
        ("mid_add0", network.dilated[0]),
        ("mid_add10", network.dilated),
        ("mid_bn_last", network.final[2]),
        ("mid_trunk", network.final),
    ):
        module.register_forward_hook(
            lambda _m, _i, out, name=name: inner.__setitem__(name, out.transpose(1, 2).numpy())
        )
    with torch.no_grad():
        found = network(one_hot(codes), "human").numpy()
    np.testing.assert_allclose(found, expected["human"], atol=3e-6)
    for name, values in inner.items():
        assert expected[name].shape[1:] == values.shape[1:], name
        np.testing.assert_allclose(values[:1], expected[name], rtol=1e-5, atol=2e-5, err_msg=name)


def test_the_wrong_gelu_is_noticed(oracles: Path) -> None:
    network = build(config("tanh")).eval()
    load(network, oracles / "model_human.h5")
    codes = torch.from_numpy(np.load(oracles / "input.npz")["seq_index"])
    with torch.no_grad():
        found = network(one_hot(codes), "human").numpy()
    assert np.abs(found - np.load(oracles / "output_paper2020.npz")["human"]).max() > 1e-3
