from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ft_s2a.training.ema import Ema
from ft_s2a.training.optimizers import (
    clip_gradients,
    learning_rate,
    make_optimizer,
    set_learning_rate,
)
from ft_s2a.training.recipe import Clipping, Optimizer


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv1d(4, 3, 5), nn.BatchNorm1d(3), nn.Flatten(), nn.Linear(18, 2))


def test_weight_decay_acts_on_kernels_and_matrices_only() -> None:
    network = small()
    optimizer = make_optimizer(network, Optimizer(lr=0.1, weight_decay=0.5))
    assert isinstance(optimizer, torch.optim.AdamW)
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups
             for p in group["params"]}  # fmt: skip
    assert {name: decay[id(p)] for name, p in network.named_parameters()} == {
        "0.weight": 0.5, "0.bias": 0, "1.weight": 0, "1.bias": 0, "3.weight": 0.5, "3.bias": 0,
    }  # fmt: skip


def test_adamw_by_hand() -> None:
    layer = nn.Linear(1, 1)
    with torch.no_grad():
        layer.weight.fill_(2.0)
        layer.bias.fill_(1.0)
    optimizer = make_optimizer(layer, Optimizer(lr=0.1, weight_decay=0.5))
    for parameter in layer.parameters():
        parameter.grad = torch.full_like(parameter, 0.3)
    optimizer.step()
    # The first step of Adam is lr times the gradient's sign; decay is apart: w -= lr * wd * w.
    assert layer.weight.item() == pytest.approx(2.0 * (1 - 0.05) - 0.1, rel=1e-6)
    assert layer.bias.item() == pytest.approx(1.0 - 0.1, rel=1e-6)


def test_adam_adds_its_decay_to_the_gradient() -> None:
    layer = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        layer.weight.fill_(1.0)
    optimizer = make_optimizer(layer, Optimizer(name="adam", lr=0.1, weight_decay=0.5))
    assert type(optimizer) is torch.optim.Adam
    weight, first, second = 1.0, 0.0, 0.0
    for step, gradient in enumerate((0.5, -0.2, 0.7), start=1):
        layer.weight.grad = torch.full_like(layer.weight, gradient)
        optimizer.step()
        total = gradient + 0.5 * weight
        first, second = 0.9 * first + 0.1 * total, 0.999 * second + 0.001 * total**2
        corrected = first / (1 - 0.9**step), second / (1 - 0.999**step)
        weight -= 0.1 * corrected[0] / (math.sqrt(corrected[1]) + 1e-8)
        assert layer.weight.item() == pytest.approx(weight, rel=1e-5)


def test_frozen_parameters_are_not_the_optimizers() -> None:
    network = small()
    network[0].requires_grad_(False)
    optimizer = make_optimizer(network, Optimizer(lr=0.1, weight_decay=0.5))
    held = [p for group in optimizer.param_groups for p in group["params"]]
    assert {id(p) for p in held} == {id(p) for p in network.parameters() if p.requires_grad}


def test_sgd_is_kerass_momentum() -> None:
    layer = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        layer.weight.fill_(1.0)
    optimizer = make_optimizer(layer, Optimizer(name="sgd", lr=0.1, momentum=0.9))
    weight, velocity = 1.0, 0.0
    for gradient in (0.5, -0.2, 0.7):
        layer.weight.grad = torch.full_like(layer.weight, gradient)
        optimizer.step()
        velocity = 0.9 * velocity - 0.1 * gradient
        weight += velocity
        assert layer.weight.item() == pytest.approx(weight, rel=1e-6)


def test_the_schedule_warms_up_and_falls_as_a_cosine() -> None:
    settings = Optimizer(lr=2.0, warmup_steps=4, schedule="cosine")
    rates = [learning_rate(settings, step, 14) for step in range(14)]
    assert rates[:5] == [0.5, 1.0, 1.5, 2.0, 2.0]
    assert rates[9] == pytest.approx(1.0)
    assert rates[13] == pytest.approx(1 + math.cos(math.pi * 0.9))
    assert rates[4:] == sorted(rates[4:], reverse=True)
    constant = Optimizer(lr=2.0, warmup_steps=2)
    assert [learning_rate(constant, s, 9) for s in (0, 1, 2, 8)] == [1.0, 2.0, 2.0, 2.0]
    assert learning_rate(Optimizer(lr=2.0, schedule="cosine"), 0, 1) == 2.0


def test_every_group_gets_the_rate() -> None:
    optimizer = make_optimizer(small(), Optimizer(lr=1.0))
    set_learning_rate(optimizer, 0.25)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.25]


def gradients(network: nn.Module) -> list[torch.Tensor]:
    torch.manual_seed(1)
    for parameter in network.parameters():
        parameter.grad = torch.randn_like(parameter)
    return [p.grad.clone() for p in network.parameters() if p.grad is not None]


@pytest.mark.parametrize("norm", [0.5, 2.0, 1e6])
def test_global_clipping_scales_all_by_one_factor(norm: float) -> None:
    network = small()
    before = gradients(network)
    clip_gradients(network, Clipping(kind="global", norm=norm))
    total = math.sqrt(sum(float((g.double() ** 2).sum()) for g in before))
    factor = min(1.0, norm / total)
    for parameter, gradient in zip(network.parameters(), before, strict=True):
        torch.testing.assert_close(parameter.grad, gradient * factor, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("norm", [0.5, 2.0, 1e6])
def test_per_variable_clipping_scales_each_by_its_own(norm: float) -> None:
    network = small()
    before = gradients(network)
    with torch.no_grad():
        before[0].zero_()
        next(network.parameters()).grad.zero_()  # type: ignore[union-attr]
    clip_gradients(network, Clipping(kind="per_variable", norm=norm))
    for parameter, gradient in zip(network.parameters(), before, strict=True):
        own = math.sqrt(float((gradient.double() ** 2).sum()))
        factor = min(1.0, norm / own) if own else 1.0
        torch.testing.assert_close(parameter.grad, gradient * factor, rtol=1e-5, atol=1e-7)


def test_no_clipping_leaves_gradients_alone() -> None:
    network = small()
    before = gradients(network)
    clip_gradients(network, Clipping(kind="none", norm=1e-9))
    assert all(
        torch.equal(p.grad, g)  # type: ignore[arg-type]
        for p, g in zip(network.parameters(), before, strict=True)
    )


def test_the_average_follows_weights_and_running_statistics() -> None:
    network = small()
    average = Ema(network, 0.6)
    expected = {k: v.double().numpy() for k, v in network.state_dict().items()}
    for step in range(12):
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(torch.randn_like(parameter))
        network(torch.randn(6, 4, 10))
        average.update(network)
        decay = min(0.6, (1 + step) / (10 + step))
        for name, tensor in network.state_dict().items():
            if name.endswith("num_batches_tracked"):
                expected[name] = tensor.numpy()
            else:
                expected[name] = decay * expected[name] + (1 - decay) * tensor.double().numpy()
    for name, tensor in average.network.state_dict().items():
        np.testing.assert_allclose(tensor.numpy(), expected[name], rtol=2e-5, atol=1e-6)
    assert not average.network.training
    assert not any(p.requires_grad for p in average.network.parameters())


def test_the_average_resumes(tmp_path: Path) -> None:
    network = small()
    first = Ema(network, 0.9)
    for _ in range(3):
        first.update(network)
    torch.save(first.state_dict(), tmp_path / "ema.pt")
    second = Ema(small(), 0.9)
    second.load_state_dict(torch.load(tmp_path / "ema.pt", weights_only=True))
    for average in (first, second):
        average.update(network)
    torch.testing.assert_close(first.network.state_dict(), second.network.state_dict())
    assert first.updates == second.updates == 4
