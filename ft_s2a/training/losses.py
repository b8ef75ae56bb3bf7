"""Losses; masked where nothing was observed."""

from __future__ import annotations

import torch
from torch import Tensor

# Keras' Poisson loss adds its epsilon inside the logarithm.
EPSILON = 1e-7


def poisson(predicted: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Poisson loss ``mean(p - y log(p + 1e-7))``, over bins that are known.

    Parameters
    ----------
    predicted, target : float tensors [B, bins, T]
        Target units; NaN in `target` is left out.
    weights : float tensor [T], optional
        Weight of each track.

    Returns
    -------
    float tensor []
        Mean over known bins and tracks, float32.

    Examples
    --------
    >>> y = torch.tensor([[[1.0], [float("nan")]]])
    >>> round(poisson(torch.full((1, 2, 1), 2.0), y).item(), 4)
    1.3069
    """
    predicted, target = predicted.float(), target.float()
    known = torch.isfinite(target)
    y = torch.where(known, target, torch.zeros_like(target))
    loss = predicted - y * torch.log(predicted + EPSILON)
    if weights is not None:
        loss = loss * weights
    loss = torch.where(known, loss, torch.zeros_like(loss))
    return loss.sum() / known.sum().clamp(min=1)
