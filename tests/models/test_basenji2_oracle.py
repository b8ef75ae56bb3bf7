"""Parity with calico/basenji's own code, by fixtures made with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch

from ft_s2a.models import Basenji2, load_keras_basenji2
from ft_s2a.models.layers import one_hot

pytestmark = pytest.mark.real_data

Form = Literal["sigmoid", "tanh"]
TAGS: list[tuple[str, Form]] = [("paper2020", "sigmoid"), ("head", "tanh")]


@pytest.fixture(scope="module")
def oracles(mirror: Path) -> Path:
    folder = mirror.parent / "oracles" / "basenji2"
    if not folder.is_dir():
        pytest.skip(f"oracles: {folder} is missing")
    return folder


@pytest.fixture(scope="module")
def letters(oracles: Path) -> torch.Tensor:
    return one_hot(torch.from_numpy(np.load(oracles / "input.npz")["seq_index"]))


def load(path: Path, gelu: Form, head: str) -> Basenji2:
    config = load_keras_basenji2(path, head=head).config
    return load_keras_basenji2(path, config.model_copy(update={"gelu": gelu}), head=head)


@pytest.mark.parametrize(("tag", "gelu"), TAGS)
@pytest.mark.parametrize("head", ["human", "mouse"])
def test_outputs(oracles: Path, letters: torch.Tensor, head: str, tag: str, gelu: Form) -> None:
    network = load(oracles / f"model_{head}.h5", gelu, head)
    with torch.no_grad():
        found = network(letters, head).numpy()
    expected = np.load(oracles / f"output_{tag}.npz")[head]
    np.testing.assert_allclose(found, expected, rtol=0, atol=3e-6)
    with torch.no_grad():
        some = network(letters, head, torch.tensor([2, 0])).numpy()
    np.testing.assert_allclose(some, expected[:, :, [2, 0]], rtol=0, atol=3e-6)


@pytest.mark.parametrize(("tag", "gelu"), TAGS)
def test_inner_layers(oracles: Path, letters: torch.Tensor, tag: str, gelu: Form) -> None:
    network = load(oracles / "model_human.h5", gelu, "human")
    expected = np.load(oracles / f"output_{tag}.npz")
    inner: dict[str, Any] = {}
    modules = {
        "mid_conv0": network.stem[1],
        "mid_bn0": network.stem[2],
        "mid_pool0": network.stem,
        "mid_pool6": network.tower,
        "mid_add0": network.dilated[0],
        "mid_add10": network.dilated,
        "mid_bn_last": network.final[2],
        "mid_trunk": network.final,
    }
    for name, module in modules.items():
        module.register_forward_hook(
            lambda _m, _i, out, name=name: inner.__setitem__(name, out.transpose(1, 2).numpy())
        )
    network.final.register_forward_pre_hook(
        lambda _m, given: inner.__setitem__("mid_crop", given[0].transpose(1, 2).numpy())
    )
    with torch.no_grad():
        trunk = network.embed(letters).numpy()
    assert set(inner) == {name for name in expected if name.startswith("mid_")}
    for name, values in inner.items():
        theirs = expected[name]
        assert theirs.shape[1:] == values.shape[1:], name
        scale = np.abs(theirs).max()
        assert np.abs(values[: len(theirs)] - theirs).max() <= 1e-5 * max(1, scale), name
    np.testing.assert_array_equal(trunk, inner["mid_trunk"])


def test_the_head_alone(oracles: Path, letters: torch.Tensor) -> None:
    """The other head's weights on their own, as they lie in the fixture."""
    network = load(oracles / "model_mouse.h5", "sigmoid", "mouse")
    theirs = np.load(oracles / "mouse_head.npz")
    linear = network.heads["mouse"].linear
    np.testing.assert_array_equal(linear.weight.detach().numpy(), theirs["kernel"].T)
    np.testing.assert_array_equal(linear.bias.detach().numpy(), theirs["bias"])


def test_the_wrong_gelu_is_noticed(oracles: Path, letters: torch.Tensor) -> None:
    network = load(oracles / "model_human.h5", "tanh", "human")
    with torch.no_grad():
        found = network(letters, "human").numpy()
    assert np.abs(found - np.load(oracles / "output_paper2020.npz")["human"]).max() > 1e-3
