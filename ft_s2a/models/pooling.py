"""Attention pooling of pairs: a weighted mean of two neighbours, with learned weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class PairPool(nn.Module):
    """Halve the length of [B, channels, L]; of an odd length the last position is kept as it is.

    A softmax over the logits ``W x0`` and ``W x1`` of two neighbours is a sigmoid of their
    difference, so that the weighted mean is ``x1 + (x0 - x1) * sigmoid(W (x0 - x1))``: half of the
    products, at half the length.

    Parameters
    ----------
    channels : int

    Examples
    --------
    >>> pool = PairPool(1)
    >>> pool.weight.item()  # as it starts: twice the identity
    2.0
    >>> pool(torch.tensor([[[0.0, 0.0, 5.0]]])).tolist()
    [[[0.0, 5.0]]]
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(2 * torch.eye(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Pool."""
        length = x.shape[-1] // 2
        if length == 0:
            return x
        even = x if x.shape[-1] == 2 * length else x[..., : 2 * length]
        first, second = even.reshape(*x.shape[:-1], length, 2).unbind(-1)
        difference = first - second
        logits = functional.conv1d(difference, self.weight.unsqueeze(2))
        pooled = torch.addcmul(second, difference, logits.sigmoid())
        return pooled if even is x else torch.cat([pooled, x[..., -1:]], dim=-1)
