"""Batch norm: torch's in all but the running variance, which is Keras'."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

from ft_s2a.models.layers import BatchNorm

CHANNELS, EPS, MOMENTUM = 5, 1e-3, 0.2


def norm(variance: Any = "biased") -> BatchNorm:
    layer = BatchNorm(CHANNELS, eps=EPS, momentum=MOMENTUM, variance=variance)
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
            tensor.copy_(torch.rand(CHANNELS, generator=random) + 0.5)
    return layer


def torchs() -> torch.nn.BatchNorm1d:
    layer = torch.nn.BatchNorm1d(CHANNELS, eps=EPS, momentum=MOMENTUM)
    layer.load_state_dict(norm().state_dict())  # the same names
    return layer


def batch(seed: int = 0) -> torch.Tensor:
    return torch.randn(2, CHANNELS, 3, generator=torch.Generator().manual_seed(seed)) * 2 + 1


def test_the_running_variance_averages_biased_ones() -> None:
    layer = norm()
    mean, variance = (t.double().numpy().copy() for t in (layer.running_mean, layer.running_var))
    for seed in (0, 1):
        layer(batch(seed))
        values = batch(seed).double().numpy()
        mean = 0.8 * mean + 0.2 * values.mean(axis=(0, 2))
        variance = 0.8 * variance + 0.2 * values.var(axis=(0, 2))  # divided by n
    np.testing.assert_allclose(layer.running_mean.numpy(), mean, rtol=1e-6)
    np.testing.assert_allclose(layer.running_var.numpy(), variance, rtol=1e-6)
    assert layer.num_batches_tracked == 2
    other = torchs()
    for seed in (0, 1):
        other(batch(seed))
    assert np.abs(other.running_var.numpy() - variance).max() > 0.05
    torch.testing.assert_close(other.running_mean, layer.running_mean)


def test_outputs_and_gradients_are_torchs() -> None:
    ours, theirs = norm(), torchs()
    x, y = batch().requires_grad_(), batch().requires_grad_()
    assert torch.equal(ours(x), theirs(y))
    for _ in range(2):  # a second pass before the first gradient
        ours(x)
        theirs(y)
    weights = torch.arange(30.0).reshape(2, CHANNELS, 3)
    (ours(x) * weights).sum().backward()
    (theirs(y) * weights).sum().backward()
    assert x.grad is not None
    assert y.grad is not None
    assert x.grad.abs().max() > 1
    torch.testing.assert_close(x.grad, y.grad)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)


def test_evaluation_uses_and_keeps_the_running_moments() -> None:
    ours, theirs = norm().eval(), torchs().eval()
    assert torch.equal(ours(batch()), theirs(batch()))
    torch.testing.assert_close(ours.state_dict(), norm().state_dict())


def test_unbiased_is_torchs() -> None:
    ours, theirs = norm("unbiased"), torchs()
    assert torch.equal(ours(batch()), theirs(batch()))
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=0, atol=0)


def test_a_copy_updates_its_own_moments() -> None:
    layer = norm()
    twin = copy.deepcopy(layer)
    twin(batch())
    assert twin.variance == "biased"
    torch.testing.assert_close(layer.state_dict(), norm().state_dict())
    layer(batch())
    torch.testing.assert_close(layer.state_dict(), twin.state_dict())
    assert "variance=biased" in repr(layer)


def test_autocast_keeps_float32_moments() -> None:
    exact, rough = norm(), norm()
    exact(batch())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = rough(batch().bfloat16())
    assert output.dtype == torch.bfloat16
    assert rough.running_var.dtype == torch.float32
    torch.testing.assert_close(rough.running_var, exact.running_var, rtol=0.02, atol=0)


def test_compilation_gives_the_same() -> None:
    eager, traced = norm(), norm()
    compiled = torch.compile(traced, backend="aot_eager", fullgraph=True)
    for seed in (0, 1):
        torch.testing.assert_close(compiled(batch(seed)), eager(batch(seed)))
    torch.testing.assert_close(traced.state_dict(), eager.state_dict())


def test_one_value_per_channel_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        norm()(torch.zeros(1, CHANNELS, 1))
