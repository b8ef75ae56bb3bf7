"""Layers shared by the networks; tensors are [batch, channels, length]."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

GeluForm = Literal["sigmoid", "tanh", "erf"]


class Gelu(nn.Module):
    """GELU in one of three forms that are not interchangeable (they differ by up to 0.02).

    Parameters
    ----------
    form : {'sigmoid', 'tanh', 'erf'}
        ``x * sigmoid(1.702 x)`` (calico/basenji at 24403ec), the tanh approximation (calico/basenji
        since 5d99992), or the exact form.
    """

    def __init__(self, form: GeluForm) -> None:
        super().__init__()
        self.form = form

    def forward(self, x: Tensor) -> Tensor:
        """Apply element-wise."""
        if self.form == "sigmoid":
            return x * torch.sigmoid(1.702 * x)
        return functional.gelu(x, approximate="tanh" if self.form == "tanh" else "none")

    def extra_repr(self) -> str:
        """Show the form."""
        return self.form


def one_hot(codes: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Turn uint8 codes [B, L] into one-hot rows [B, L, 4] on the codes' device; N is all zero.

    Examples
    --------
    >>> one_hot(torch.tensor([[0, 4]], dtype=torch.uint8)).tolist()
    [[[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]]
    """
    letters = torch.arange(4, dtype=codes.dtype, device=codes.device)
    return (codes.unsqueeze(-1) == letters).to(dtype)


def convolution(
    inputs: int, outputs: int, kernel: int, *, dilation: int = 1, bias: bool
) -> nn.Conv1d:
    """Length-preserving convolution with He-normal weights (as Keras initialises them)."""
    layer = nn.Conv1d(
        inputs, outputs, kernel, dilation=dilation, padding=dilation * (kernel // 2), bias=bias
    )
    # Keras' he_normal is truncated at two sigma, with sigma corrected for the truncation.
    deviation = (2.0 / (inputs * kernel)) ** 0.5 / 0.87962566103423978
    nn.init.trunc_normal_(layer.weight, std=deviation, a=-2 * deviation, b=2 * deviation)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class TrackHead(nn.Module):
    """Linear map of channels to tracks, then softplus.

    Input [batch, bins, channels], output [batch, bins, tracks], non-negative, target units.
    """

    def __init__(self, channels: int, tracks: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, tracks)
        deviation = (2.0 / channels) ** 0.5 / 0.87962566103423978
        nn.init.trunc_normal_(self.linear.weight, std=deviation, a=-2 * deviation, b=2 * deviation)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Tensor, tracks: Tensor | None = None) -> Tensor:
        """Predict all tracks, or those of the index tensor `tracks` (cut before the product)."""
        if tracks is None:
            return functional.softplus(self.linear(x))
        weight, bias = self.linear.weight[tracks], self.linear.bias[tracks]
        return functional.softplus(functional.linear(x, weight, bias))
