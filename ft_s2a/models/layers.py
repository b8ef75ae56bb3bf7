"""Layers shared by the networks; tensors are [batch, channels, length]."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

GeluForm = Literal["sigmoid", "tanh", "erf"]
Initialisation = Literal["keras", "torch"]
VarianceEstimate = Literal["biased", "unbiased"]


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


class BatchNorm(nn.BatchNorm1d):
    """Batch norm over [batch, channels, length] whose running variance may be Keras' biased one.

    The output is torch's; so are the names in the state.

    Parameters
    ----------
    channels : int
    eps : float
    momentum : float
        PyTorch's sense: weight of the new batch.
    variance : {'biased', 'unbiased'}
        What the running variance averages: batch variances divided by n (Keras) or by n - 1
        (PyTorch).
    """

    def __init__(
        self, channels: int, *, eps: float, momentum: float, variance: VarianceEstimate
    ) -> None:
        super().__init__(channels, eps=eps, momentum=momentum)
        self.variance = variance

    def forward(self, x: Tensor) -> Tensor:
        """Normalise by the batch's moments in training, by the running ones in evaluation."""
        if not self.training or self.variance == "unbiased":
            return super().forward(x)
        assert self.momentum is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        # torch adds momentum * (unbiased variance) to what it is given: to zeros, here.
        added = torch.zeros_like(self.running_var)
        result = functional.batch_norm(
            x,
            self.running_mean,
            added,
            self.weight,
            self.bias,
            training=True,
            momentum=self.momentum,
            eps=self.eps,
        )
        count = x.numel() // x.shape[1]
        with torch.no_grad():
            self.running_var.mul_(1 - self.momentum).add_(added, alpha=(count - 1) / count)
            self.num_batches_tracked.add_(1)
        return result

    def extra_repr(self) -> str:
        """Show what the running variance averages."""
        shown: str = super().extra_repr()  # type: ignore[no-untyped-call]
        return f"{shown}, variance={self.variance}"


def convolution(
    inputs: int,
    outputs: int,
    kernel: int,
    *,
    dilation: int = 1,
    bias: bool,
    initialisation: Initialisation = "keras",
) -> nn.Conv1d:
    """Length-preserving convolution; its weights are He-normal (as Keras does) or torch's."""
    layer = nn.Conv1d(
        inputs, outputs, kernel, dilation=dilation, padding=dilation * (kernel // 2), bias=bias
    )
    if initialisation == "keras":
        _he_normal(layer)
    return layer


class TrackHead(nn.Module):
    """Linear map of channels to tracks, then softplus.

    Input [batch, bins, channels], output [batch, bins, tracks], non-negative, target units.
    """

    def __init__(
        self, channels: int, tracks: int, initialisation: Initialisation = "keras"
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, tracks)
        if initialisation == "keras":
            _he_normal(self.linear)

    def forward(self, x: Tensor, tracks: Tensor | None = None) -> Tensor:
        """Predict all tracks, or those of the index tensor `tracks` (cut before the product)."""
        if tracks is None:
            return functional.softplus(self.linear(x))
        weight, bias = self.linear.weight[tracks], self.linear.bias[tracks]
        return functional.softplus(functional.linear(x, weight, bias))


def _he_normal(layer: nn.Conv1d | nn.Linear) -> None:
    """Keras' he_normal: truncated at two sigma, with sigma corrected for the truncation."""
    deviation = (2.0 / layer.weight[0].numel()) ** 0.5 / 0.87962566103423978
    nn.init.trunc_normal_(layer.weight, std=deviation, a=-2 * deviation, b=2 * deviation)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
