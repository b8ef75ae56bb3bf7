"""Exponential moving average of a network's weights and running statistics."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

N = TypeVar("N", bound=nn.Module)


class Ema(Generic[N]):
    """A second copy of the network that follows the first.

    The decay is warmed up as ``min(decay, (1 + n) / (10 + n))`` so that the random start is
    forgotten early.

    Parameters
    ----------
    network : nn.Module
    decay : float
        Share of the old average kept at each step.
    """

    def __init__(self, network: N, decay: float) -> None:
        self.network: N = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Move towards the current weights."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        current = network.state_dict()
        averaged, source = [], []
        for name, average in self.network.state_dict().items():
            if average.is_floating_point():
                averaged.append(average)
                source.append(current[name].detach().to(average.dtype))
            else:
                average.copy_(current[name])
        torch._foreach_lerp_(averaged, source, 1.0 - decay)

    def state_dict(self) -> dict[str, int | dict[str, Tensor]]:
        """State for an exact resume."""
        return {"updates": self.updates, "network": self.network.state_dict()}

    def load_state_dict(self, state: dict[str, int | dict[str, Tensor]]) -> None:
        """Restore :meth:`state_dict`."""
        updates, network = state["updates"], state["network"]
        assert isinstance(updates, int)
        assert isinstance(network, dict)
        self.updates = updates
        self.network.load_state_dict(network)
