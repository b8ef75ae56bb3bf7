"""Compute a part of a network again in the backward pass, instead of keeping its activations."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

Checkpoint = Literal["none", "tower", "all"]


def run_stage(stage: nn.Module, *inputs: Tensor | bool, again: bool) -> Tensor:
    """Call a part of a network, and keep only its inputs for the backward pass if `again`.

    The second time has the first's random numbers (dropout), and leaves running statistics as they
    are: results are the same, bit by bit.
    """
    if not (again and torch.is_grad_enabled()):
        result: Tensor = stage(*inputs)
        return result
    result = checkpoint(
        stage,
        *inputs,
        use_reentrant=False,
        preserve_rng_state=True,
        context_fn=lambda: (contextlib.nullcontext(), _statistics_at_rest(stage)),
    )
    return result


@contextlib.contextmanager
def _statistics_at_rest(stage: nn.Module) -> Iterator[None]:
    """Let the norms in `stage` update copies of their running statistics."""
    norms = [module for module in stage.modules() if isinstance(module, _BatchNorm)]
    owned = [dict(norm.named_buffers(recurse=False)) for norm in norms]
    try:
        for norm, buffers in zip(norms, owned, strict=True):
            for name, buffer in buffers.items():
                setattr(norm, name, buffer.clone())
        yield
    finally:
        for norm, buffers in zip(norms, owned, strict=True):
            for name, buffer in buffers.items():
                setattr(norm, name, buffer)
