"""Optimizers, learning-rate schedule and gradient clipping."""

from __future__ import annotations

import math

import torch
from torch import nn

from ft_s2a.training.recipe import Clipping, Optimizer


def make_optimizer(network: nn.Module, settings: Optimizer) -> torch.optim.Optimizer:
    """Build the optimizer of what is not frozen; weight decay acts on two or more dimensions."""
    trained = [p for p in network.parameters() if p.requires_grad]
    decayed = [p for p in trained if p.ndim >= 2]
    others = [p for p in trained if p.ndim < 2]
    groups = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    if settings.name == "sgd":
        return torch.optim.SGD(groups, lr=settings.lr, momentum=settings.momentum)
    if settings.name == "adam":
        return torch.optim.Adam(groups, lr=settings.lr)
    return torch.optim.AdamW(groups, lr=settings.lr)


def learning_rate(settings: Optimizer, step: int, steps: int) -> float:
    """Learning rate of a step (0-based) in a run of `steps`.

    Examples
    --------
    >>> s = Optimizer(lr=1.0, warmup_steps=2, schedule="cosine")
    >>> [round(learning_rate(s, i, 6), 3) for i in range(6)]
    [0.5, 1.0, 1.0, 0.854, 0.5, 0.146]
    """
    if step < settings.warmup_steps:
        return settings.lr * (step + 1) / settings.warmup_steps
    if settings.schedule == "constant":
        return settings.lr
    span = max(1, steps - settings.warmup_steps)
    done = (step - settings.warmup_steps) / span
    return settings.lr * 0.5 * (1 + math.cos(math.pi * done))


def set_learning_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    """Give every group the same learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = value


def clip_gradients(network: nn.Module, settings: Clipping) -> None:
    """Scale gradients down to a norm: all together, or each variable by itself.

    Keras' ``clipnorm`` clips each variable by itself; ``torch.nn.utils.clip_grad_norm_`` clips
    the norm of all.
    """
    if settings.kind == "none":
        return
    parameters = [p for p in network.parameters() if p.grad is not None]
    if settings.kind == "global":
        torch.nn.utils.clip_grad_norm_(parameters, settings.norm)
        return
    for parameter in parameters:
        gradient = parameter.grad
        assert gradient is not None
        norm = torch.linalg.vector_norm(gradient)
        gradient.mul_(torch.clamp(settings.norm / norm.clamp(min=1e-30), max=1.0))
